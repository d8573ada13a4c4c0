//! What lies in the file that the live trees do not show, and the one way to open a store.
//!
//! [`open`] is the only opener for `mount` and the command line: it tries the normal way, by the header. [`Orphans`]
//! are nodes that the live trees hold but no folder reaches. [`survey`] finds every block and page that stands in a file,
//! live or not.

mod detect;
mod history;
mod live;
mod loose;
mod object;
mod open;
mod orphan;
mod pair;
mod ranges;
mod rebuild;
mod rows;
mod salvage;
pub mod survey;

pub use open::{Options, open, open_source};
pub use orphan::{Orphans, folders_below};
