//! Which bytes to change, and how to do it safely.
//!
//! A repair is one transaction ([`crate::ndb::write`]). Before its first write everything that it could lose is copied
//! ([`Backup`]), and what is needed to take it back is written down ([`Record`]) and synced; afterwards [`undo`] gives
//! back every byte. Beside a store `a.pst` stand then `a.pst.bak` or `a.pst.undo`, and `a.pst.repair.log`; while a
//! transaction runs also `a.pst.journal`.

mod alone;
mod apply;
mod backup;
mod digest;
mod fresh;
pub mod low;
mod mend;
mod order;
mod part;
mod passing;
mod plan;
mod record;
mod replace;
mod run;
mod undo;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

pub use crate::ndb::write::{Committed, Recovered, journal_of};
pub use apply::{Applied, apply, end_interrupted};
pub use backup::{Backup, Kept, Seen};
pub use digest::Digests;
pub use fresh::{Fresh, fresh_skeleton};
pub use order::{Before, Held, Order, Outcome, Told};
pub use plan::{Deed, Options, Plan, Step, plan, prepare};
pub use record::{Record, State};
pub use run::{Widened, check, check_writable, run, take_back, widen};
pub use undo::{Undone, undo};

/// The file beside a store whose name is the store's with this ending.
fn beside(store: &Path, ending: impl AsRef<OsStr>) -> PathBuf {
    let mut name = OsString::from(store);
    name.push(ending.as_ref());
    name.into()
}
