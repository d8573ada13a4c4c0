//! Changing a store: new blocks, new trees, space, one commit.
//!
//! Blocks and B-tree pages are immutable in this format ([MS-PST] 2.6.1): a change is a new block or page where nothing
//! is owned, then its parents up to the root, then the header. Only headers and maps are written in place, and a journal
//! keeps what they were. A crash at any point leaves the old store or the new one; readers that meet the journal of an
//! interrupted transaction see the one or the other through an overlay.

mod commit;
mod cow;
mod journal;
mod ledger;
mod owned;
mod room;
mod section;
mod transaction;
mod view;

pub use commit::{Committed, Prepared};
pub use journal::{Headers, Image, Journal, Recovered, Stage, recover_journal, through_journal};
pub use room::Room;
pub use transaction::Transaction;
