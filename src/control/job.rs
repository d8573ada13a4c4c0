//! The one job that runs: its number, how far it is, how it ended.
//!
//! A job has a thread of its own and holds no lock while it works. Whoever asks for its state takes a lock for a moment.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use super::Refusal;
use crate::damage::Verdict;
use crate::progress::Progress;

/// What a running job tells others about itself.
#[derive(Debug, Default)]
pub struct Task {
    /// How far it is, and whether to go on.
    pub progress: Progress,
    findings: AtomicU64,
}

impl Task {
    /// Counts findings.
    pub fn found(&self, count: u64) {
        self.findings.fetch_add(count, Ordering::Relaxed);
    }
}

/// The job of one store, or the last one that ran.
#[derive(Debug)]
pub(super) struct Jobs {
    inner: Mutex<Inner>,
    ended: Condvar,
}

#[derive(Debug)]
struct Inner {
    job: Option<Job>,
    changed: SystemTime,
}

#[derive(Clone, Debug)]
struct Job {
    number: u64,
    verb: &'static str,
    task: Arc<Task>,
    ending: Option<Verdict>,
}

impl Jobs {
    /// No job has run yet.
    pub(super) fn new() -> Self {
        Self { inner: Mutex::new(Inner { job: None, changed: SystemTime::now() }), ended: Condvar::new() }
    }

    /// Starts a job and gives its number; refused while another runs.
    ///
    /// `work` gets the number too, for the log. A panic in it is a job that failed.
    pub(super) fn start(
        self: &Arc<Self>,
        verb: &'static str,
        work: impl FnOnce(u64, &Task) -> Verdict + Send + 'static,
    ) -> Result<u64, Refusal> {
        let mut inner = self.lock();
        if inner.job.as_ref().is_some_and(|job| job.ending.is_none()) {
            return Err(Refusal::Busy);
        }
        let number = inner.job.as_ref().map_or(0, |job| job.number).saturating_add(1);
        let task = Arc::new(Task::default());
        let (jobs, its_task) = (Arc::clone(self), Arc::clone(&task));
        let run = move || {
            let ending = catch_unwind(AssertUnwindSafe(|| work(number, &its_task))).unwrap_or_else(|_| {
                tracing::error!("{verb} failed inside pstfs; this is a bug");
                Verdict::Failed
            });
            jobs.end(ending);
        };
        thread::Builder::new().name(verb.into()).spawn(run).map_err(|_| Refusal::NoThread)?;
        inner.job = Some(Job { number, verb, task, ending: None });
        inner.changed = SystemTime::now();
        Ok(number)
    }

    fn end(&self, ending: Verdict) {
        let mut inner = self.lock();
        if let Some(job) = &mut inner.job {
            job.ending = Some(ending);
        }
        inner.changed = SystemTime::now();
        self.ended.notify_all();
    }

    /// Asks the running job to stop and gives its number.
    pub(super) fn cancel(&self) -> Result<u64, Refusal> {
        let inner = self.lock();
        let job = inner.job.as_ref().filter(|job| job.ending.is_none()).ok_or(Refusal::Idle)?;
        job.task.progress.cancel();
        Ok(job.number)
    }

    /// Sleeps until that job has ended, at most so long; how it ended, if it has.
    pub(super) fn wait(&self, number: u64, patience: Duration) -> Option<Verdict> {
        let runs = |inner: &mut Inner| inner.job.as_ref().is_some_and(|job| job.number == number && job.ending.is_none());
        let waited = self.ended.wait_timeout_while(self.lock(), patience, runs);
        let (inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        inner.job.as_ref().filter(|job| job.number == number)?.ending
    }

    /// Whether a job runs.
    pub(super) fn runs(&self) -> bool {
        self.lock().job.as_ref().is_some_and(|job| job.ending.is_none())
    }

    /// When a job last began or ended.
    pub(super) fn changed(&self) -> SystemTime {
        self.lock().changed
    }

    /// The state as lines of `key=value`.
    pub(super) fn status(&self) -> String {
        let job = self.lock().job.clone();
        let Some(job) = job else { return "state=idle\n".into() };
        let findings = job.task.findings.load(Ordering::Relaxed);
        let named = format!("job={}\nverb={}\n", job.number, job.verb);
        if let Some(ending) = job.ending {
            return format!("state=idle\n{named}findings={findings}\nverdict={}\nexit={}\n", ending.text(), ending.exit_code());
        }
        let at = job.task.progress.state();
        let left =
            eta(job.task.progress.elapsed(), at.done, at.total).map(|left| format!("eta_s={}\n", left.as_secs())).unwrap_or_default();
        format!("state=running\n{named}phase={}\ndone={}\ntotal={}\n{left}findings={findings}\n", at.phase, at.done, at.total)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the rest takes at the pace so far; unknown at the very beginning.
fn eta(elapsed: Duration, done: u64, total: u64) -> Option<Duration> {
    let left = u128::from(total.checked_sub(done)?);
    let millis = elapsed.as_millis().checked_mul(left)?.checked_div(u128::from(done))?;
    u64::try_from(millis).ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_job_runs_ends_and_is_remembered() {
        let jobs = Arc::new(Jobs::new());
        assert_eq!(jobs.status(), "state=idle\n");
        let number = jobs
            .start("scan", |_, task| {
                task.found(3);
                Verdict::NoErrors
            })
            .unwrap();
        assert_eq!((number, jobs.wait(1, LONG)), (1, Some(Verdict::NoErrors)));
        assert_eq!(jobs.status(), "state=idle\njob=1\nverb=scan\nfindings=3\nverdict=No errors were found\nexit=0\n");
    }

    #[test]
    fn only_one_job_runs_and_it_can_be_cancelled() {
        let jobs = Arc::new(Jobs::new());
        let (begun, has_begun) = channel();
        let until_cancelled = move |_, task: &Task| {
            task.progress.begin("Validating BBT", 100).unwrap();
            task.progress.add(25).unwrap();
            begun.send(()).unwrap();
            while task.progress.check().is_ok() {
                thread::sleep(Duration::from_millis(1));
            }
            Verdict::Cancelled
        };
        assert_eq!(jobs.cancel(), Err(Refusal::Idle));
        let number = jobs.start("scan", until_cancelled).unwrap();
        has_begun.recv().unwrap();
        assert_eq!(jobs.start("recover", |_, _| Verdict::NoErrors), Err(Refusal::Busy));
        assert_eq!(jobs.wait(number, Duration::from_millis(5)), None);
        let status = jobs.status();
        assert!(status.starts_with("state=running\njob=1\nverb=scan\nphase=Validating BBT\ndone=25\ntotal=100\neta_s="), "{status}");
        assert_eq!(jobs.cancel(), Ok(number));
        assert_eq!(jobs.wait(number, LONG), Some(Verdict::Cancelled));
        assert_eq!(jobs.start("recover", |_, _| Verdict::NoErrors), Ok(2));
        assert_eq!(jobs.wait(2, LONG), Some(Verdict::NoErrors));
        assert_eq!(jobs.wait(1, LONG), None, "only the last job is remembered");
    }

    #[test]
    fn a_panic_is_a_job_that_failed() {
        let jobs = Arc::new(Jobs::new());
        let number = jobs.start("scan", |_, _| panic!("a bug")).unwrap();
        assert_eq!(jobs.wait(number, LONG), Some(Verdict::Failed));
    }

    #[test]
    fn the_rest_takes_as_long_a_byte_as_what_is_done() {
        let second = Duration::from_secs(1);
        assert_eq!(eta(second, 25, 100), Some(3 * second));
        assert_eq!(eta(second, 0, 100), None);
        assert_eq!(eta(second, 100, 100), Some(Duration::ZERO));
        assert_eq!(eta(second, 101, 100), None);
    }
}
