//! pstfs shows an Outlook mail store (PST, OST) as folders of `.eml`, `.ics` and `.vcf` files.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::disallowed_methods, clippy::string_slice))]

pub mod cli;
pub mod control;
pub mod convert;
pub mod damage;
pub mod disk;
pub mod format;
pub mod ltp;
pub mod mount;
pub mod ndb;
pub mod store;
pub mod tree;
