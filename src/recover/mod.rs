//! What lies in the file that the live trees do not show, and the one way to open a store.
//!
//! [`open`] is the only opener for `mount` and the command line: it tries the normal way, by the header. [`Orphans`]
//! are nodes that the live trees hold but no folder reaches. [`survey`](mod@survey) finds every block and page that stands
//! in a file, live or not. [`search`] brings up what the live trees do not show ([`Findings`]): deleted items, earlier
//! states of live ones, and parts of items that are lost. [`carve`] finds stores inside other files.

mod carve;
mod detect;
mod findings;
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
mod search;
pub mod survey;

pub use carve::{Carved, carve};
pub use findings::{Category, Confidence, Findings, Found, FoundFolder, Origin, Part, Shelf};
pub use open::{Bytes, Options, bytes, open, open_bytes, open_source};
pub use orphan::{FolderOrphans, Orphans, folders_below};
pub use search::search;
pub use survey::{FoundBlock, FoundPage, Survey};
