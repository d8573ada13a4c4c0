//! The one job that runs, its progress, its log; verbs for the mount and the command line alike.
//!
//! Nothing here knows FUSE or a terminal: `.control` is [`Control::status`] and [`Control::command`], `.scanlog` is
//! [`Control::log`]. A job runs on a thread of its own; `.control` stays readable and `cancel` works meanwhile.
//! What a job writes, on a mount or not, is a [`Scribe`]'s.

mod job;
mod live;
mod log;
mod scribe;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use crate::damage::{self, Verdict};
use crate::disk::{Lock, OwnWrites};
use crate::progress::Progress;
use crate::recover;
use crate::repair::{self, Backup, Order};
use crate::scan::{self, Event};
use crate::store::Store;
use job::Jobs;
pub use job::Task;
use live::{Live, refusal};
use log::Log;

pub use scribe::{Fold, LINES_MAX, Mender, Scribe, by_severity, failed, line};

/// How long a command waits for its job, so that a small one is done when the write returns.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// The longest text of commands that one write may hold; a longer one is not meant for us.
pub const COMMAND_MAX_BYTES: usize = 4096;

/// What the head of the log says about the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Where the store lies.
    pub file: PathBuf,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// The variant of its format in words; empty where that is not known.
    pub format: String,
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such verb, or no verb at all.
    #[error("no such command")]
    Unknown,
    /// More than [`COMMAND_MAX_BYTES`].
    #[error("longer than a command can be")]
    TooLong,
    /// `cancel`, and no job runs.
    #[error("no job runs")]
    Idle,
    /// A job runs already.
    #[error("another job runs")]
    Busy,
    /// The system gives no thread.
    #[error("no thread for the job")]
    NoThread,
    /// Another program has the store open.
    #[error("another program has the store open")]
    InUse,
    /// The store, or the mount, cannot be written.
    #[error("the store cannot be written here")]
    ReadOnly,
    /// There is too little space for the backup.
    #[error("too little space for the backup")]
    NoSpace,
    /// There is a file where the backup was to be.
    #[error("the backup's file exists")]
    Exists,
    /// Another program wrote to the store since it was mounted.
    #[error("the store was changed since it was mounted")]
    Stale,
    /// The job could not be done.
    #[error("the job failed; the log tells why")]
    Failed,
}

/// What a command asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verb {
    Cancel,
    Recover,
    Repair(Order),
    Scan,
    Undo,
}

/// A job that a command started or cancelled.
#[derive(Debug)]
#[must_use]
pub struct Awaited {
    jobs: Arc<Jobs>,
    /// Its number: 1 for the first of a mount.
    pub number: u64,
}

impl Awaited {
    /// Sleeps until it has ended, at most [`PATIENCE`]; an error where it could not be done.
    pub fn patiently(self) -> Result<(), Refusal> {
        match self.jobs.wait(self.number, PATIENCE) {
            Some(Verdict::Failed) => Err(Refusal::Failed),
            Some(_) | None => Ok(()),
        }
    }
}

impl Verb {
    fn parse(line: &str) -> Result<Self, Refusal> {
        match line {
            "cancel" => Ok(Self::Cancel),
            "recover" => Ok(Self::Recover),
            "scan" => Ok(Self::Scan),
            "undo" => Ok(Self::Undo),
            _ => order(line).map(Self::Repair).ok_or(Refusal::Unknown),
        }
    }
}

/// What `repair` and the words after it ask for.
fn order(line: &str) -> Option<Order> {
    let words = line.strip_prefix("repair")?;
    let rest = words.trim_start();
    if rest.len() == words.len() && !rest.is_empty() {
        return None;
    }
    let order = Order::default();
    let keeping = |backup| Some(Order { backup, ..Order::default() });
    match (rest, rest.strip_prefix("backup=")) {
        ("", _) => Some(order),
        ("dry-run", _) => Some(Order { dry_run: true, ..order }),
        (_, Some("full")) => keeping(Backup::Full),
        (_, Some("undo")) => keeping(Backup::Undo),
        // The mount has another working folder than the one who asks.
        (_, Some(path)) if path.starts_with('/') => keeping(Backup::At(path.into())),
        _ => None,
    }
}

/// Shows another state of a store in place of the one that is shown; whoever shows it gives it.
///
/// The call reads what the change takes of the present state, which an undo cuts; the change itself is what it gives.
pub type Show = Box<dyn Fn() -> Instead + Send + Sync>;

/// Shows this store.
pub type Instead = Box<dyn FnOnce(Arc<Store>)>;

/// What it takes to repair a store that is shown.
#[derive(Debug)]
pub struct Repairs {
    /// The lock for looking that the mount holds; none where the file system has no locks.
    pub lock: Option<Lock>,
    /// Tells all sources of the store that this program wrote to it.
    pub own: Arc<OwnWrites>,
    /// How the store is opened anew.
    pub options: recover::Options,
}

/// Searches the whole file and shows what is found; tells each thing in a line.
///
/// Whoever shows the store gives it: what was found has to appear there, all at once.
pub type Search = Box<dyn Fn(&Progress) -> damage::Result<Vec<String>> + Send + Sync>;

/// The job of one store and its log.
pub struct Control {
    search: Arc<OnceLock<Search>>,
    repairs: Arc<OnceLock<(Repairs, Show)>>,
    /// Held while it is found out whether a repair may begin.
    beginning: Mutex<()>,
    about: About,
    store: Arc<RwLock<Arc<Store>>>,
    jobs: Arc<Jobs>,
    log: Arc<Mutex<Log>>,
    started: SystemTime,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("about", &self.about).field("jobs", &self.jobs).finish_non_exhaustive()
    }
}

/// What `stat` shows of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogState {
    /// Its length in bytes.
    pub size_bytes: u64,
    /// When its last line came; of an empty log, when it was begun.
    pub changed: SystemTime,
}

impl Control {
    /// The control of a store in which no job has run.
    pub fn new(store: Arc<Store>, about: &About) -> Self {
        Self {
            search: Arc::default(),
            repairs: Arc::default(),
            beginning: Mutex::default(),
            about: about.clone(),
            store: Arc::new(RwLock::new(store)),
            jobs: Arc::new(Jobs::new()),
            log: Arc::new(Mutex::new(Log::new(about))),
            started: SystemTime::now(),
        }
    }

    /// How a search for lost items is made; without one `recover` is no command.
    pub fn search_with(&self, search: Search) {
        self.search.get_or_init(|| search);
    }

    /// How the store is repaired; without it neither `repair` nor `undo` is allowed.
    pub fn repair_with(&self, repairs: Repairs, show: Show) {
        self.repairs.get_or_init(|| (repairs, show));
    }

    /// The store as it is shown now.
    fn store(&self) -> Arc<Store> {
        Arc::clone(&self.store.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The state as lines of `key=value`.
    pub fn status(&self) -> String {
        self.jobs.status()
    }

    /// When the status last changed.
    pub fn changed(&self) -> SystemTime {
        self.jobs.changed()
    }

    /// Begins what one write asks for. Nothing in here waits for a job to end: that is for the caller.
    pub fn command(&self, text: &[u8]) -> Result<Awaited, Refusal> {
        let number = match parse(text)? {
            Verb::Cancel => self.jobs.cancel()?,
            Verb::Recover => self.recover()?,
            Verb::Repair(order) => self.repair(order)?,
            Verb::Scan => self.scan()?,
            Verb::Undo => self.undo()?,
        };
        Ok(Awaited { jobs: Arc::clone(&self.jobs), number })
    }

    /// Starts a scan of the store and gives the job's number.
    fn scan(&self) -> Result<u64, Refusal> {
        let (store, log) = (self.store(), Arc::clone(&self.log));
        // A repair may have made it longer.
        let about = About { size_bytes: store.ndb().file_bytes(), ..self.about.clone() };
        self.jobs.start("scan", move |number, task| {
            let (mut scribe, head) = Scribe::begin(number, "scan", &about);
            let write = |lines: &str| lock(&log).push(lines);
            let noted = scan::named(&store, store.ndb().notes().findings());
            lock(&log).begin(&head, &noted);
            let outcome = scan::scan(store.ndb().source(), Ok(&store), &task.progress, |event| {
                task.found(u64::from(matches!(event, Event::Finding(_))));
                write(&scribe.event(event));
            });
            write(&scribe.end(&outcome));
            outcome.verdict
        })
    }

    /// Starts a repair and gives the job's number. What forbids it is told before it starts.
    fn repair(&self, order: Order) -> Result<u64, Refusal> {
        let _beginning = self.beginning.lock().unwrap_or_else(PoisonError::into_inner);
        let live = self.live()?;
        if !order.dry_run {
            repair::check(&live.path, &order).map_err(|error| refusal(&error))?;
            live.allow(&self.store())?;
        }
        live.start(&self.jobs, "repair", move |live, number, task| live.repair(&order, number, task))
    }

    /// Starts to take the last repair back, and gives the job's number.
    fn undo(&self) -> Result<u64, Refusal> {
        let _beginning = self.beginning.lock().unwrap_or_else(PoisonError::into_inner);
        let live = self.live()?;
        repair::check_writable(&live.path).map_err(|error| refusal(&error))?;
        live.allow(&self.store())?;
        live.start(&self.jobs, "undo", |live, number, task| live.undo(number, task))
    }

    fn live(&self) -> Result<Live, Refusal> {
        if self.repairs.get().is_none() {
            return Err(Refusal::ReadOnly);
        }
        // Its lock must stay as it is.
        if self.jobs.runs() {
            return Err(Refusal::Busy);
        }
        let (repairs, store, log) = (Arc::clone(&self.repairs), Arc::clone(&self.store), Arc::clone(&self.log));
        Ok(Live { path: self.about.file.clone(), repairs, store, log })
    }

    /// Starts a search for lost items and gives the job's number.
    fn recover(&self) -> Result<u64, Refusal> {
        let (search, log, about) = (Arc::clone(&self.search), Arc::clone(&self.log), self.about.clone());
        if search.get().is_none() {
            return Err(Refusal::Unknown);
        }
        let store = self.store();
        self.jobs.start("recover", move |number, task| {
            let (_, head) = Scribe::begin(number, "recover", &about);
            let noted = scan::named(&store, store.ndb().notes().findings());
            lock(&log).begin(&head, &noted);
            let found = search.get().map_or(Ok(Vec::new()), |search| search(&task.progress));
            task.found(found.as_ref().map_or(0, |found| u64::try_from(found.len()).unwrap_or(u64::MAX)));
            let (lines, verdict) = scribe::searched(number, &found);
            lock(&log).push(&lines);
            verdict
        })
    }

    /// How long the log is now, with the damage noted since it was last asked for.
    pub fn log(&self) -> LogState {
        let size_bytes = self.grown_log().len_bytes();
        let changed = self.store().ndb().notes().changed().filter(|_| size_bytes != 0);
        LogState { size_bytes, changed: changed.unwrap_or(self.started) }
    }

    /// Bytes of the log from `offset`, at most `len`.
    pub fn read_log(&self, offset: u64, len: usize) -> Vec<u8> {
        self.grown_log().read(offset, len)
    }

    /// The log with all that was noted. Names are looked up while nobody has the log: that reads the store.
    fn grown_log(&self) -> MutexGuard<'_, Log> {
        let store = self.store();
        let notes = store.ndb().notes();
        let lacks = lock(&self.log).lacks(notes);
        let noted = lacks.map(|first| (first, scan::named(&store, notes.findings().into_iter().skip(first).collect())));
        let mut log = lock(&self.log);
        if let Some((first, noted)) = noted {
            log.list(first, &noted);
        }
        log.close(notes);
        log
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The command of one write: a line, with or without its end.
fn parse(text: &[u8]) -> Result<Verb, Refusal> {
    if text.len() > COMMAND_MAX_BYTES {
        return Err(Refusal::TooLong);
    }
    let text = std::str::from_utf8(text).map_err(|_| Refusal::Unknown)?;
    Verb::parse(text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_a_line_and_blanks_do_not_count() {
        assert_eq!(parse(b"cancel"), Ok(Verb::Cancel));
        assert_eq!(parse(b" cancel \r\n\n"), Ok(Verb::Cancel));
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for text in [&b""[..], b"\n", b"frobnicate", b"cancel now", b"CANCEL", b"\xff", b"can\0cel", b"cancel\ncancel\n"] {
            assert_eq!(parse(text), Err(Refusal::Unknown), "{text:?}");
        }
    }

    #[test]
    fn a_command_has_at_most_4096_bytes() {
        let fits = format!("cancel{}", "\n".repeat(COMMAND_MAX_BYTES - 6));
        assert_eq!(parse(fits.as_bytes()), Ok(Verb::Cancel));
        assert_eq!(parse(format!("{fits}\n").as_bytes()), Err(Refusal::TooLong));
    }
}
