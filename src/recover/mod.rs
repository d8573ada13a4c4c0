//! What lies in the file that the live trees do not show, and the one way to open a store.
//!
//! [`open`] is the only opener for `mount` and the command line: it tries the normal way, by the header. [`Orphans`]
//! are nodes that the live trees hold but no folder reaches.

mod open;
mod orphan;

pub use open::{Options, open};
pub use orphan::{Orphans, folders_below};
