//! What is wrong with a store: numbered passes that yield findings.
//!
//! A pass only reads. It gets a [`Context`], reports to the context's [`Report`] and counts what it has read in its
//! [`Progress`]. A damaged thing never ends a pass; only a failing disk and the user do.

mod report;

use crate::progress::Progress;
use crate::store::Store;

pub use report::{Event, Report};

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
