//! What is wrong with a store: numbered passes that yield findings.
//!
//! A pass only reads. It gets a [`Context`], reports to the context's [`Report`] and counts what it has read in its
//! [`Progress`]. A damaged thing never ends a pass; only a failing disk and the user do.

mod bits;
mod case;
mod folders;
mod object;
mod others;
mod pool;
mod report;
mod special;
mod victim;

use crate::damage::Result;
use crate::progress::Progress;
use crate::store::Store;

pub use report::{Counts, Event, Report, Tally};

/// What every pass has at hand.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The store as it was opened.
    pub store: &'a Store,
    /// Where to count, and whether to go on.
    pub progress: &'a Progress,
    /// Where findings go.
    pub report: &'a Report<'a>,
}

/// The passes over the store's objects, in the order in which they run.
const OBJECT_PASSES: &[fn(&Context<'_>) -> Result<()>] = &[special::run, folders::run, others::run];

/// Runs the passes over the store's objects.
pub fn objects(context: &Context<'_>) -> Result<()> {
    OBJECT_PASSES.iter().try_for_each(|pass| pass(context))
}
