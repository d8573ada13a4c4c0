//! A repair from its beginning to its end: scan, plan, backup, commit, and a scan of the result.
//!
//! [`run`] is the only way to it for the command line and a mount alike. What happens is told as it happens; the lines
//! that the listener makes of it are those of the log beside the store, which is durable before the first change.

mod wide;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::apply::{apply, end_interrupted, is_spent};
use super::backup::{self, Backup, Kept, UNDO, sync_folder};
use super::plan::{Options, Plan, plan, prepare};
use super::record::{self, Record};
use super::replace::{self, Replacement};
use super::undo::{Undone, undo};
use super::{Fresh, beside, fresh_skeleton};
use crate::damage::{Error, Finding, Result, Verdict};
use crate::disk::{self, Access, Lock, Locking, OwnWrites, ReadAt, WritableFile, WriteAt};
use crate::ndb::write::{Committed, Prepared, Recovered, journal_of};
use crate::progress::Progress;
use crate::recover;
use crate::scan::{self, Event};
use crate::store::Store;

pub use wide::{Widened, widen};

/// What is wanted of a repair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// What to keep of the store before it changes.
    pub backup: Backup,
    /// Oddities that healthy stores have too are put right, too.
    pub thorough: bool,
    /// Everything is written anew, of a healthy store too.
    pub rewrite: bool,
    /// A store on a network's file system is repaired in place; a file that is no store becomes one.
    pub force: bool,
    /// Only the plan is wanted.
    pub dry_run: bool,
    /// The store is copied there, and the copy repaired.
    pub output: Option<PathBuf>,
    /// The copy is a Unicode store, which has more room than an ANSI one.
    pub unicode: bool,
}

impl Order {
    /// What is done, as a log tells it.
    pub const fn verb(&self) -> &'static str {
        if self.dry_run { "repair dry-run" } else { "repair" }
    }

    const fn options(&self) -> Options {
        Options { thorough: self.thorough, rewrite: self.rewrite, unwritten: self.unicode }
    }
}

/// What one who has the store open already brings along.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held<'a> {
    /// His lock for looking: it becomes one for writing, and at the end one for looking again.
    pub lock: Option<&'a Lock>,
    /// What tells his sources that it is not another program that writes.
    pub own: Option<&'a OwnWrites>,
}

/// Something that happens in a repair.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// The store is open: its length, and the variant of its format.
    Begin(u64, &'static str),
    /// A repair that was cut off was brought to its end first.
    Ended(Recovered),
    /// From a scan, first of the store, then of the result.
    Scan(Event<'a>),
    /// What is to be changed, a line each.
    Plan(&'a str),
    /// What was kept of the store as it was.
    Kept(&'a Kept),
    /// The changes are made.
    Written(&'a Committed),
    /// The repaired store was written as a Unicode one.
    Widened(&'a Widened),
    /// How it ended.
    End(&'a Outcome),
}

/// How a repair ended.
#[derive(Debug)]
pub struct Outcome {
    /// The last scan, with the verdict on the repair.
    pub scan: scan::Outcome,
    /// How many changes there are.
    pub changes: usize,
    /// What the store held before it was repaired; none where nothing was written.
    pub before: Option<Before>,
    /// What was kept of the old store; none where nothing was written.
    pub kept: Option<Kept>,
}

/// What a store held before its repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// Folders and items.
    pub tally: scan::Tally,
    /// How many of them were moved to `Lost and Found`.
    pub moved: usize,
}

/// Who hears what happens, and gives the lines that the log is to hold of it.
type Tell<'a> = dyn FnMut(Told<'_>) -> String + Send + 'a;

/// Repairs a store as ordered.
///
/// An error tells why it was refused or could not be ended; the store is then the old one, or has a journal beside it
/// that says how to get there.
pub fn run(path: &Path, order: &Order, held: Held<'_>, progress: &Progress, tell: &mut Tell<'_>) -> Result<Outcome> {
    let repair = Repair { path: path.to_owned(), order, held, progress, tell, log: String::new() };
    if order.dry_run {
        return repair.only_plan();
    }
    match &order.output {
        Some(new) if order.force && holds_no_store(path)? => repair.fresh(new),
        Some(new) if order.unicode => repair.unicode(new),
        Some(new) => repair.copied(new),
        None if order.force && holds_no_store(path)? => repair.fresh_in_place(&order.backup),
        None => repair.in_place(&order.backup),
    }
}

/// Refuses what [`run`] would refuse, as far as that can be known without reading the store.
pub fn check(path: &Path, order: &Order) -> Result<()> {
    check_writable(path)?;
    if !order.force && !disk::open(path, Access { mmap: false })?.is_local() {
        return Err(Error::Unsupported(
            "lies on a network's file system, where a repair in place may be cut off; use '--output NEW', or '--force'".into(),
        ));
    }
    match &order.backup {
        Backup::Full => backup::require_room(path, path),
        Backup::At(copy) if copy.try_exists()? => Err(exists(copy)),
        Backup::At(copy) => backup::require_room(path, copy),
        Backup::Undo if beside(path, UNDO).try_exists()? && !is_spent(path)? => Err(exists(&beside(path, UNDO))),
        Backup::Undo | Backup::Original(_) => Ok(()),
    }
}

/// Refuses a file that cannot be written.
pub fn check_writable(path: &Path) -> Result<()> {
    OpenOptions::new().read(true).write(true).open(path)?;
    Ok(())
}

/// Takes the last repair back, alone with the store.
pub fn take_back(path: &Path, from: Option<&Path>, force: bool, held: Held<'_>, progress: &Progress) -> Result<Undone> {
    check_writable(path)?;
    let _alone = Alone::with(path, held)?;
    own(held, path, || undo(path, from, force, progress))
}

struct Repair<'a> {
    path: PathBuf,
    order: &'a Order,
    held: Held<'a>,
    progress: &'a Progress,
    tell: &'a mut Tell<'a>,
    /// What was told and stands in no file yet.
    log: String,
}

/// A store that is open, and its bytes.
struct Open {
    source: Arc<dyn ReadAt>,
    store: Arc<Store>,
}

impl Open {
    fn new(path: &Path) -> Result<Self> {
        let bytes = recover::bytes(path, true, None)?;
        let source = Arc::clone(&bytes.source);
        let store = recover::open_bytes(bytes, &recover::Options::default())?;
        Ok(Self { source, store })
    }
}

impl Repair<'_> {
    /// Tells what would be done, and writes nothing.
    fn only_plan(mut self) -> Result<Outcome> {
        let open = Open::new(&self.path)?;
        self.begin(&open)?;
        let (scan, findings) = self.scan(&open)?;
        let planned = if came_through(&scan) { self.plan(&open, &findings)? } else { None };
        Ok(self.end(Outcome { scan, changes: planned.map_or(0, |(plan, _)| plan.len()), before: None, kept: None }))
    }

    fn copied(mut self, new: &Path) -> Result<Outcome> {
        let original = std::path::absolute(&self.path)?;
        copy_to(&original, new, self.progress)?;
        new.clone_into(&mut self.path);
        let outcome = self.in_place(&Backup::Original(original));
        // A copy to which nothing was done is in the way of who tries it otherwise.
        if outcome.is_err() && Record::last(new)?.is_none() && !journal_of(new).try_exists()? {
            fs::remove_file(new)?;
        }
        outcome
    }

    fn in_place(mut self, keep: &Backup) -> Result<Outcome> {
        let order = Order { backup: keep.clone(), ..self.order.clone() };
        check_access(&self.path, &order)?;
        let path = self.path.clone();
        let alone = Alone::with(&path, self.held)?;
        let ended = own(self.held, &path, || ended(&path))?;
        let open = Open::new(&path)?;
        self.begin(&open)?;
        if ended != Recovered::Nothing {
            self.say(Told::Ended(ended));
        }
        let (scan, findings) = self.scan(&open)?;
        let planned = if came_through(&scan) { self.plan(&open, &findings)? } else { None };
        let Some((plan, prepared)) = planned else {
            let verdict = if scan.verdict == Verdict::Errors { Verdict::Remain } else { scan.verdict };
            return Ok(self.end(Outcome { scan: scan::Outcome { verdict, ..scan }, changes: 0, before: None, kept: None }));
        };
        let kept = self.write(&open, prepared, keep)?;
        drop(open);
        let before = Before { tally: scan.tally, moved: plan.moved() };
        let result = self.look_again(plan.len(), before, kept);
        drop(alone);
        result
    }

    /// Makes a store of what can be carved out of a file that is none.
    fn fresh(mut self, new: &Path) -> Result<Outcome> {
        let source = recover::bytes(&self.path, true, None)?.source;
        let file = WritableFile::create_new(new).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => exists(new),
            _ => error.into(),
        })?;
        let fresh = fresh_skeleton(&source, &file, self.progress)?;
        file.sync()?;
        sync_folder(new)?;
        let open = Open::new(new)?;
        self.tell_fresh(&open, &fresh)?;
        let (scan, _) = self.scan(&open)?;
        let verdict = match scan.verdict {
            Verdict::NoErrors | Verdict::Minor if fresh.failed.is_empty() => Verdict::Repaired,
            Verdict::NoErrors | Verdict::Minor | Verdict::Errors => Verdict::Remain,
            other => other,
        };
        Ok(self.end(Outcome { scan: scan::Outcome { verdict, ..scan }, changes: 1, before: None, kept: None }))
    }

    /// Puts such a store in the place of the file.
    fn fresh_in_place(mut self, keep: &Backup) -> Result<Outcome> {
        replace::check(keep)?;
        check_access(&self.path, self.order)?;
        let path = self.path.clone();
        let alone = Alone::with(&path, self.held)?;
        let source = recover::bytes(&path, true, None)?.source;
        let replacement = Replacement::write(&path, &source, self.progress)?;
        let open = Open::new(replacement.path())?;
        self.tell_fresh(&open, &replacement.fresh)?;
        drop(open);
        let log = mem::take(&mut self.log);
        let kept = replacement.put(&path, &*source, keep, &log, self.progress)?;
        self.say(Told::Kept(&kept));
        let result = self.look_again(1, Before { tally: scan::Tally::default(), moved: 0 }, kept);
        drop(alone);
        result
    }

    fn tell_fresh(&mut self, open: &Open, fresh: &Fresh) -> Result<()> {
        self.begin(open)?;
        let found = format!("  => a fresh store is made: {} items of {} stores that were found in the file", fresh.items, fresh.stores);
        let lines: Vec<String> = std::iter::once(found).chain(fresh.failed.iter().map(|failed| format!("  left: {failed}"))).collect();
        self.say(Told::Plan(&(lines.join("\n") + "\n")));
        Ok(())
    }

    fn begin(&mut self, open: &Open) -> Result<()> {
        self.say(Told::Begin(open.source.len()?, open.store.ndb().format().name()));
        Ok(())
    }

    fn say(&mut self, told: Told<'_>) {
        let lines = (self.tell)(told);
        self.log.push_str(&lines);
    }

    /// Scans, and gives what was found. An error where the disk fails.
    fn scan(&mut self, open: &Open) -> Result<(scan::Outcome, Vec<Finding>)> {
        let mut findings = Vec::new();
        let (tell, log) = (&mut self.tell, &mut self.log);
        let mut scan = scan::scan(&open.source, Ok(&open.store), self.progress, |event| {
            if let Event::Finding(finding) = event {
                findings.push(finding.clone());
            }
            log.push_str(&tell(Told::Scan(event)));
        });
        match scan.error.take() {
            Some(error) if scan.verdict == Verdict::Failed => Err(error),
            error => Ok((scan::Outcome { error, ..scan }, findings)),
        }
    }

    /// What is to be written; `None` where nothing is.
    fn plan(&mut self, open: &Open, findings: &[Finding]) -> Result<Option<(Plan, Prepared)>> {
        self.progress.begin("Planning the repair", 0)?;
        let plan = plan(&open.store, findings, self.order.options())?;
        if plan.is_empty() {
            return Ok(None);
        }
        let prepared = prepare(&open.store, &plan)?;
        if prepared.journal().is_none() {
            return Ok(None);
        }
        let told = plan.told(&prepared);
        self.say(Told::Plan(&told));
        Ok(Some((plan, prepared)))
    }

    /// Makes the changes durable.
    fn write(&mut self, open: &Open, prepared: Prepared, keep: &Backup) -> Result<Kept> {
        if open.source.was_changed()? {
            let words = "another program wrote to the store while it was scanned; close that program and run it again";
            return Err(Error::Io(io::Error::new(ErrorKind::StaleNetworkFileHandle, words)));
        }
        let (path, log) = (self.path.clone(), mem::take(&mut self.log));
        let applied = own(self.held, &path, || {
            let before = Record::last(&path)?;
            let applied = apply(prepared, Arc::clone(&open.source), &path, keep, &log, self.progress);
            applied.map_err(|error| told_how_it_stands(error, &give_up(&path, before.as_ref())))
        })?;
        self.say(Told::Kept(&applied.kept));
        self.say(Told::Written(&applied.committed));
        Ok(applied.kept)
    }

    /// Scans the result. The log is kept up whatever comes of it.
    fn look_again(mut self, changes: usize, before: Before, kept: Kept) -> Result<Outcome> {
        let scan = Open::new(&self.path).and_then(|open| self.scan(&open));
        let scan = match scan {
            Ok((scan, _)) => scan,
            Err(error) => {
                self.log.push_str(&format!("** The repaired store could not be scanned: {error}\n"));
                record::append(&self.path, &self.log)?;
                return Err(error);
            }
        };
        let verdict = match scan.verdict {
            Verdict::NoErrors | Verdict::Minor => Verdict::Repaired,
            Verdict::Errors => Verdict::Remain,
            other => other,
        };
        let path = self.path.clone();
        let outcome = Outcome { scan: scan::Outcome { verdict, ..scan }, changes, before: Some(before), kept: Some(kept) };
        let lines = (self.tell)(Told::End(&outcome));
        self.log.push_str(&lines);
        record::append(&path, &self.log)?;
        Ok(outcome)
    }

    fn end(mut self, outcome: Outcome) -> Outcome {
        self.say(Told::End(&outcome));
        outcome
    }
}

const fn came_through(scan: &scan::Outcome) -> bool {
    !matches!(scan.verdict, Verdict::Cancelled | Verdict::Failed)
}

/// Refuses a file that cannot be written, or should not be.
fn check_access(path: &Path, order: &Order) -> Result<()> {
    // Room and names are asked for when it is known how much there is to keep.
    check(path, &Order { backup: Backup::Original(PathBuf::new()), ..order.clone() })
}

fn exists(path: &Path) -> Error {
    Error::Io(io::Error::new(ErrorKind::AlreadyExists, format!("{} exists; move it away", path.display())))
}

/// Brings a repair that was cut off to its end; one that went back is no more to be taken back.
fn ended(path: &Path) -> Result<Recovered> {
    let ended = end_interrupted(path)?;
    if ended == Recovered::Back {
        Record::Undone.append(path)?;
    }
    Ok(ended)
}

/// Goes back to the store as it was after a commit that failed; `before` is what the log recorded before it.
fn give_up(path: &Path, before: Option<&Record>) -> Result<Recovered> {
    let ended = end_interrupted(path)?;
    if ended != Recovered::Forward && Record::last(path)?.as_ref() != before {
        Record::Undone.append(path)?;
    }
    Ok(ended)
}

/// What the system said when a repair failed, and what became of the store.
fn told_how_it_stands(error: Error, given_up: &Result<Recovered>) -> Error {
    match error {
        Error::Io(error) if error.raw_os_error().is_some() => Error::Io(io::Error::new(
            error.kind(),
            match given_up {
                Ok(Recovered::Nothing | Recovered::Back) => format!("{error}; the store is as it was before"),
                Ok(Recovered::Forward) => format!("{error}; the store is repaired all the same"),
                // Where the disk does not let us the journal stays, and every reader sees through it.
                Err(_) => format!("{error}; the repair is cut off: 'pstfs undo' or 'pstfs repair' brings it to an end"),
            },
        )),
        error => error,
    }
}

/// Does what writes to the file, and tells those who have it open that it was this program.
fn own<T>(held: Held<'_>, path: &Path, write: impl FnOnce() -> Result<T>) -> Result<T> {
    let Some(own) = held.own else { return write() };
    own.begin();
    let result = write();
    own.end(path)?;
    result
}

/// Whether a file can be read and is no store.
fn holds_no_store(path: &Path) -> Result<bool> {
    match Open::new(path) {
        Ok(_) => Ok(false),
        Err(error @ (Error::Io(_) | Error::Cancelled)) => Err(error),
        Err(Error::Unsupported(_) | Error::NotFound(_) | Error::Damaged(..)) => Ok(true),
    }
}

/// Copies a store, and the journal of a repair of it that was cut off, never over a file that exists.
fn copy_to(path: &Path, new: &Path, progress: &Progress) -> Result<()> {
    let _looking = looking(path)?;
    let copied = backup::copy(path, Some(new), 0, progress);
    copied.map_err(|error| match error {
        Error::Io(error) if error.kind() == ErrorKind::AlreadyExists => exists(new),
        error => error,
    })?;
    let (journal, its_copy) = (journal_of(path), journal_of(new));
    if journal.try_exists()? {
        fs::copy(journal, &its_copy)?;
        File::open(&its_copy)?.sync_all()?;
        sync_folder(&its_copy)?;
    }
    Ok(())
}

/// Nobody repairs the store until this is dropped; nothing where the file system has no locks.
fn looking(path: &Path) -> Result<Option<Lock>> {
    match Lock::shared(path)? {
        Locking::Busy => Err(busy()),
        Locking::Held(lock) => Ok(Some(lock)),
        Locking::Unknown => Ok(None),
    }
}

/// Nobody else has the store, until this is dropped.
enum Alone<'a> {
    Own {
        _lock: Lock,
    },
    Lent(&'a Lock),
    /// The file system has no locks.
    Unknown,
}

impl<'a> Alone<'a> {
    fn with(path: &Path, held: Held<'a>) -> Result<Self> {
        if let Some(lock) = held.lock {
            return if lock.upgrade()? { Ok(Self::Lent(lock)) } else { Err(busy()) };
        }
        match Lock::exclusive(path)? {
            Locking::Held(lock) => Ok(Self::Own { _lock: lock }),
            Locking::Busy => Err(busy()),
            Locking::Unknown => Ok(Self::Unknown),
        }
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if let Self::Lent(lock) = self {
            // Without it the mount goes on as on a file system that has no locks.
            let _ = lock.downgrade();
        }
    }
}

fn busy() -> Error {
    Error::Io(io::Error::new(ErrorKind::ResourceBusy, "another program has the store open"))
}
