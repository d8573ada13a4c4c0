//! What integration tests share: the forge, an audit of what it writes, and what lies in a store as text.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test takes what it needs")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a mistake ends the test, and what is left out is said"
)]

pub mod audit;
pub mod browser;
pub mod census;
pub mod copy;
pub mod edit;
pub mod everyday;
pub mod forge;
pub mod laws;
pub mod place;
pub mod relocate;
pub mod salvage;
pub mod scan;
pub mod walk;
