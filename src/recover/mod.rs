//! What lies in the file that the live trees do not show, and the one way to open a store.
//!
//! [`open`] is the only opener for `mount` and the command line: it tries the normal way, by the header. [`Orphans`]
//! are nodes that the live trees hold but no folder reaches. [`survey`](survey::survey) finds every block and B-tree page
//! that stands in a file, whoever names it. [`Findings`] are what a search of the whole file brings up: deleted items,
//! earlier states of live ones, and parts of items that are lost.

mod findings;
mod open;
mod orphan;
pub mod survey;

pub use findings::{Category, Confidence, Findings, Found, FoundFolder, Origin, Part, Shelf};
pub use open::{Options, open};
pub use orphan::{FolderOrphans, Orphans, folders_below};
pub use survey::{FoundBlock, FoundPage, Survey, survey};
