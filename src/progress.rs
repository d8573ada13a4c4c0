//! How far a long task has come, and the wish to end it.
//!
//! Whoever does the work calls [`Progress::add`] at least every few megabytes: that both counts and asks whether the user
//! has had enough. Whoever shows it reads [`Progress::state`]. Both may happen on any number of threads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::damage::{Error, Result};

/// The progress of one task; a clone is of the same task.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    phase: Mutex<Option<(&'static str, Instant)>>,
    done: AtomicU64,
    total: AtomicU64,
    cancelled: AtomicBool,
}

/// What a progress bar needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What is being done, as in "Validating BBT"; empty before the first phase.
    pub phase: &'static str,
    /// Bytes done in this phase.
    pub done: u64,
    /// Bytes that this phase has to do; 0 where nobody knows.
    pub total: u64,
}

impl Progress {
    /// Begins a phase of `total` bytes.
    pub fn begin(&self, phase: &'static str, total: u64) -> Result<()> {
        *self.0.phase.lock().unwrap_or_else(PoisonError::into_inner) = Some((phase, Instant::now()));
        self.0.done.store(0, Ordering::Relaxed);
        self.0.total.store(total, Ordering::Relaxed);
        self.check()
    }

    /// Counts bytes as done; [`Error::Cancelled`] where the user asked to stop.
    pub fn add(&self, bytes: u64) -> Result<()> {
        self.0.done.fetch_add(bytes, Ordering::Relaxed);
        self.check()
    }

    /// [`Error::Cancelled`] where the user asked to stop.
    pub fn check(&self) -> Result<()> {
        if self.0.cancelled.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Asks the task to stop, within a second.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }

    /// How long the present phase takes already.
    pub fn elapsed(&self) -> Duration {
        self.0.phase.lock().unwrap_or_else(PoisonError::into_inner).map_or(Duration::ZERO, |(_, begun)| begun.elapsed())
    }

    /// How far it has come.
    pub fn state(&self) -> State {
        let phase = self.0.phase.lock().unwrap_or_else(PoisonError::into_inner).map_or("", |(phase, _)| phase);
        State { phase, done: self.0.done.load(Ordering::Relaxed), total: self.0.total.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_begins_at_nothing_done() {
        let progress = Progress::default();
        progress.begin("Validating NBT", 10).unwrap();
        progress.add(7).unwrap();
        progress.begin("Validating BBT", 20).unwrap();
        assert_eq!(progress.state(), State { phase: "Validating BBT", done: 0, total: 20 });
    }

    #[test]
    fn who_is_cancelled_learns_it_at_the_next_step() {
        let progress = Progress::default();
        progress.add(1).unwrap();
        progress.cancel();
        assert!(matches!(progress.add(1), Err(Error::Cancelled)));
        assert!(matches!(progress.begin("Validating NBT", 1), Err(Error::Cancelled)));
    }
}
