//! How far a long task has come, and the wish to end it.
//!
//! Whoever does the work calls [`Progress::add`] at least every few megabytes: that both counts and asks whether the user
//! has had enough. Whoever shows it reads [`Progress::state`]. Both may happen on any number of threads. Of a task that
//! may never begin, [`Progress::next_task`] tells when it does.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::damage::{Error, Result};

/// The progress of one task; a clone is of the same task.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    count: Arc<Count>,
    /// Apart from the count: all threads look here at each read, and would wait for whoever counts.
    cancelled: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Count {
    now: Mutex<Now>,
    changed: Condvar,
    done: AtomicU64,
    total: AtomicU64,
}

#[derive(Debug, Default)]
struct Now {
    phase: Option<(&'static str, Instant)>,
    tasks: u64,
    closed: bool,
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

/// A task that came in between, until it is dropped; see [`Progress::aside`].
#[derive(Debug)]
pub struct Aside<'a> {
    progress: &'a Progress,
    phase: Option<(&'static str, Instant)>,
    done: u64,
    total: u64,
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        self.progress.lock().phase = self.phase;
        self.progress.count.done.store(self.done, Ordering::Relaxed);
        self.progress.count.total.store(self.total, Ordering::Relaxed);
        self.progress.count.changed.notify_all();
    }
}

impl Progress {
    /// Another task, with a count of its own, that is cancelled with this one.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self { count: Arc::default(), cancelled: Arc::clone(&self.cancelled) }
    }

    /// A task that comes in between, with the count of this one: when it ends, what was under way goes on, if anything was.
    pub fn aside(&self) -> Aside<'_> {
        let phase = self.lock().phase;
        let State { done, total, .. } = self.state();
        Aside { progress: self, phase, done, total }
    }

    /// Begins a phase of `total` bytes.
    pub fn begin(&self, phase: &'static str, total: u64) -> Result<()> {
        let mut now = self.lock();
        if now.phase.replace((phase, Instant::now())).is_none() {
            now.tasks = now.tasks.saturating_add(1);
        }
        drop(now);
        self.count.done.store(0, Ordering::Relaxed);
        self.count.total.store(total, Ordering::Relaxed);
        self.count.changed.notify_all();
        self.check()
    }

    /// How many tasks have begun, once these are more than `seen`; `None` where nobody needs to know any more.
    pub fn next_task(&self, seen: u64) -> Option<u64> {
        let same = |now: &mut Now| now.tasks <= seen && !now.closed;
        let now = self.count.changed.wait_while(self.lock(), same).unwrap_or_else(PoisonError::into_inner);
        (now.tasks > seen).then_some(now.tasks)
    }

    /// Whether the task lasts longer than this; known as soon as it ends, or nobody needs to know any more.
    pub fn lasts(&self, time: Duration) -> bool {
        let lasts = |now: &mut Now| now.phase.is_some() && !now.closed;
        let (mut now, _) = self.count.changed.wait_timeout_while(self.lock(), time, lasts).unwrap_or_else(PoisonError::into_inner);
        lasts(&mut now)
    }

    /// Lets go who waits.
    pub fn close(&self) {
        self.lock().closed = true;
        self.count.changed.notify_all();
    }

    /// Counts bytes as done; [`Error::Cancelled`] where the user asked to stop.
    pub fn add(&self, bytes: u64) -> Result<()> {
        self.count.done.fetch_add(bytes, Ordering::Relaxed);
        self.check()
    }

    /// [`Error::Cancelled`] where the user asked to stop.
    pub fn check(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// What an error of the task comes from: where the user asked to stop, reads fail too.
    pub(crate) fn why(&self, error: Error) -> Error {
        self.check().err().unwrap_or(error)
    }

    /// Asks the task to stop, within a second.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// How long the present phase takes already.
    pub fn elapsed(&self) -> Duration {
        self.lock().phase.map_or(Duration::ZERO, |(_, begun)| begun.elapsed())
    }

    /// How far it has come.
    pub fn state(&self) -> State {
        let phase = self.lock().phase.map_or("", |(phase, _)| phase);
        State { phase, done: self.count.done.load(Ordering::Relaxed), total: self.count.total.load(Ordering::Relaxed) }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.count.now.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn who_waits_learns_of_each_task_also_of_one_that_has_ended() {
        let progress = Progress::default();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| progress.next_task(0));
            let aside = progress.aside();
            progress.begin("Searching", 1).unwrap();
            progress.begin("Putting together", 1).unwrap();
            assert!(progress.lasts(Duration::ZERO));
            drop(aside);
            assert_eq!((waiting.join().unwrap(), progress.lasts(Duration::MAX)), (Some(1), false));
            let waiting = scope.spawn(|| progress.next_task(1));
            progress.close();
            assert_eq!(waiting.join().unwrap(), None);
        });
    }

    #[test]
    fn what_was_broken_into_goes_on() {
        let progress = Progress::default();
        let search = |progress: &Progress| {
            let _aside = progress.aside();
            progress.begin("Searching", 5).and_then(|()| progress.add(5)).unwrap();
        };
        search(&progress);
        assert!(!progress.lasts(Duration::ZERO));
        progress.begin("Validating BBT", 20).and_then(|()| progress.add(7)).unwrap();
        search(&progress);
        assert_eq!(progress.state(), State { phase: "Validating BBT", done: 7, total: 20 });
    }

    #[test]
    fn a_task_beside_another_is_cancelled_with_it_and_counts_by_itself() {
        let progress = Progress::default();
        let beside = progress.beside();
        beside.begin("Searching", 5).unwrap();
        assert_eq!(progress.state(), State::default());
        progress.cancel();
        assert!(matches!(beside.check(), Err(Error::Cancelled)));
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
