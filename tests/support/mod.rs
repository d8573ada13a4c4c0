//! What integration tests share.
#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

pub mod forge;
