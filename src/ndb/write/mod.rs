//! How nodes and blocks come into a file.
//!
//! Blocks and B-tree pages never change once written ([MS-PST] 2.6.1). [`BulkWriter`] makes a whole store in one pass:
//! blocks in order, then both trees, the maps and, last of all, the header. [`Transaction`] changes a store that is
//! there: a change is a new block or page where nothing is owned, then its parents up to the root, then the header. Only
//! headers and maps are written in place, and a journal keeps what they were; so a crash at any point leaves the old
//! store or the new one, and readers that meet the journal see the one or the other through an overlay.
//!
//! What a node is to hold comes as a plain value, a [`Draft`]; [`tree`] turns it into blocks for whoever takes blocks: a
//! [`BlockSink`].

mod bulk;
mod commit;
mod cow;
mod draft;
mod journal;
mod ledger;
mod load;
mod nids;
mod owned;
mod pack;
mod room;
mod section;
mod space;
mod transaction;
pub mod tree;
mod view;

pub use bulk::{BulkOptions, BulkWriter};
pub use commit::{Committed, Prepared};
pub use draft::{Draft, Part, Stored};
pub use journal::{Headers, Image, Journal, Recovered, Stage, journal_of, recover_journal, through_journal};
pub use nids::Nids;
pub use room::Room;
pub use transaction::{Rebuild, Transaction};
pub use tree::{BlockSink, DataTree};
