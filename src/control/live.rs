//! A repair of a store that is shown meanwhile.
//!
//! The job works on the file by its path, as the command line does; readers go on with what they have open. When it has
//! written, the store is opened anew and shown in place of the old one.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use super::job::{Jobs, Task};
use super::log::Log;
use super::{Instead, Mender, Refusal, Repairs, Show, scribe};
use crate::damage::{Error, Result, Verdict};
use crate::disk::Lock;
use crate::recover;
use crate::repair::{self, Held, Order, Told};
use crate::scan::Event;
use crate::store::Store;

/// What a job needs of the control that started it.
pub(super) struct Live {
    pub(super) path: PathBuf,
    pub(super) repairs: Arc<OnceLock<(Repairs, Show)>>,
    pub(super) store: Arc<RwLock<Arc<Store>>>,
    pub(super) log: Arc<Mutex<Log>>,
}

impl Live {
    /// Refuses where another program has the store, or has changed it.
    pub(super) fn allow(&self, store: &Store) -> Result<(), Refusal> {
        if store.ndb().source().was_changed().map_err(|_| Refusal::Stale)? {
            return Err(Refusal::Stale);
        }
        let Some(lock) = self.lock() else { return Ok(()) };
        if lock.upgrade().map_err(|_| Refusal::InUse)? { Ok(()) } else { Err(Refusal::InUse) }
    }

    /// Starts a job; the lock that [`allow`](Self::allow) took is let go where none starts.
    pub(super) fn start(
        self,
        jobs: &Arc<Jobs>,
        verb: &'static str,
        work: impl FnOnce(&Self, u64, &Task) -> Verdict + Send + 'static,
    ) -> Result<u64, Refusal> {
        let live = Arc::new(self);
        let its = Arc::clone(&live);
        jobs.start(verb, move |number, task| work(&its, number, task)).inspect_err(|_| live.let_go())
    }

    pub(super) fn repair(&self, order: &Order, number: u64, task: &Task) -> Verdict {
        let mut mender = Mender::new(number, order.verb(), self.path.clone());
        let mut begun = false;
        let mut tell = |told: Told<'_>| {
            task.found(u64::from(matches!(told, Told::Scan(Event::Finding(_)))));
            if matches!(told, Told::Written(_)) {
                // What is committed is shown at once, before it is scanned again.
                self.show(self.instead());
            }
            let lines = mender.told(told);
            self.write(&lines, &mut begun);
            lines
        };
        let result = repair::run(&self.path, order, self.held(), &task.progress, &mut tell);
        self.let_go();
        match result {
            Ok(outcome) => outcome.scan.verdict,
            Err(error) => {
                self.show_if_written(self.instead());
                self.fail(number, &error, &mut begun)
            }
        }
    }

    pub(super) fn undo(&self, number: u64, task: &Task) -> Verdict {
        let mut begun = false;
        let mut mender = Mender::new(number, "undo", self.path.clone());
        let store = Arc::clone(&self.store.read().unwrap_or_else(PoisonError::into_inner));
        self.write(&mender.told(Told::Begin(store.ndb().file_bytes(), store.ndb().format().name())), &mut begun);
        let instead = self.instead();
        let undone = repair::take_back(&self.path, None, false, self.held(), &task.progress);
        self.let_go();
        self.show_if_written(instead);
        match undone {
            Ok(undone) => {
                self.write(&scribe::undone(number, &undone), &mut begun);
                Verdict::Done
            }
            Err(error) => self.fail(number, &error, &mut begun),
        }
    }

    fn fail(&self, number: u64, error: &Error, begun: &mut bool) -> Verdict {
        let (lines, verdict) = scribe::failed(number, error);
        self.write(&lines, begun);
        verdict
    }

    /// Writes lines to the log; the first begin it anew.
    fn write(&self, lines: &str, begun: &mut bool) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if *begun {
            log.push(lines);
        } else {
            *begun = true;
            log.begin(lines, &[]);
        }
    }

    fn held(&self) -> Held<'_> {
        Held { lock: self.lock(), own: self.repairs.get().map(|(repairs, _)| &*repairs.own) }
    }

    /// Lets others look again.
    fn let_go(&self) {
        if let Some(lock) = self.lock() {
            // Without it the mount goes on as on a file system that has no locks.
            let _ = lock.downgrade();
        }
    }

    fn lock(&self) -> Option<&Lock> {
        self.repairs.get()?.0.lock.as_ref()
    }

    /// What shows the store anew, made while the present state of it can still be read.
    fn instead(&self) -> Option<Instead> {
        self.repairs.get().map(|(_, show)| show())
    }

    /// Opens the store anew and shows it in place of the old one.
    fn show(&self, instead: Option<Instead>) {
        let (Some((repairs, _)), Some(instead)) = (self.repairs.get(), instead) else { return };
        let opened = recover::bytes(&self.path, repairs.options.mmap, Some(&repairs.own))
            .and_then(|bytes| recover::open_bytes(bytes, &repairs.options));
        match opened {
            Ok(store) => {
                *self.store.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&store);
                instead(store);
            }
            // What was shown before stays; a second mount tells what is wrong.
            Err(error) => tracing::error!("the repaired store cannot be opened: {error}"),
        }
    }

    /// Shows the store anew if anything was written to it.
    fn show_if_written(&self, instead: Option<Instead>) {
        if self.repairs.get().is_some_and(|(repairs, _)| repairs.own.was_used()) {
            self.show(instead);
        }
    }
}

/// Why a repair is refused, as `.control` tells it.
pub(super) fn refusal(error: &Error) -> Refusal {
    match error {
        Error::Io(error) => of_io(error),
        Error::Unsupported(_) | Error::NotFound(_) | Error::Damaged(..) => Refusal::ReadOnly,
        Error::Cancelled => Refusal::Failed,
    }
}

fn of_io(error: &io::Error) -> Refusal {
    match error.kind() {
        ErrorKind::StorageFull => Refusal::NoSpace,
        ErrorKind::AlreadyExists => Refusal::Exists,
        ErrorKind::ResourceBusy => Refusal::InUse,
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Refusal::ReadOnly,
        _ => Refusal::Failed,
    }
}
