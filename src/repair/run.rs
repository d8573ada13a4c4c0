//! A repair from its beginning to its end: scan, plan, backup, commit, and a scan of the result.
//!
//! [`run`] is the only way to it for the command line and a mount alike. What happens is told as it happens; the lines
//! that the listener makes of it are those of the log beside the store, which is durable before the first change.

mod wide;

use std::fs::{self, File, OpenOptions};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::alone::{Alone, looking, own};
use super::apply::{Applied, apply, ended, give_up, is_spent, told_how_it_stands};
use super::backup::{self, Backup, Kept, Seen, UNDO, exists, sync_folder};
use super::beside;
use super::order::{Before, Held, Order, Outcome, Told};
use super::passing::Passing;
use super::plan::Planned;
use super::record::{self, Record};
use super::undo::{Undone, undo};
use crate::damage::{Error, Finding, Result, Verdict};
use crate::disk::{self, Access, Opened, ReadAt};
use crate::ndb::ENCRYPTED;
use crate::ndb::write::{Prepared, Recovered, journal_of};
use crate::progress::Progress;
use crate::recover;
use crate::scan::{self, Blocks, Event, Known};
use crate::store::Store;

pub use wide::{Widened, widen};

/// Who hears what happens, and gives the lines that the log is to hold of it.
type Tell<'a> = dyn FnMut(Told<'_>) -> String + Send + 'a;

/// Repairs a store as ordered.
///
/// An error tells why it was refused or could not be ended; the store is then the old one, or has a journal beside it
/// that says how to get there.
pub fn run(path: &Path, order: &Order, held: Held<'_>, progress: &Progress, tell: &mut Tell<'_>) -> Result<Outcome> {
    let repair = Repair { path: path.to_owned(), order, held, progress, tell, log: String::new() };
    let forced = order.force && holds_no_store(path, progress)?;
    match &order.output {
        None if order.dry_run && forced => repair.only_fresh(),
        _ if order.dry_run => repair.only_plan(),
        Some(new) if forced => repair.fresh(new),
        Some(new) if order.unicode => repair.unicode(new),
        Some(new) => repair.copied(new),
        None if forced => repair.fresh_in_place(&order.backup),
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
        Backup::At(copy) if copy.try_exists()? => Err(exists(copy).into()),
        Backup::At(copy) => backup::require_room(path, copy),
        Backup::Undo if beside(path, UNDO).try_exists()? && !is_spent(path)? => Err(exists(&beside(path, UNDO)).into()),
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
    own(held, path, || undo(path, from, force, held, progress))
}

/// A repair that is under way.
pub(super) struct Repair<'a> {
    pub(super) path: PathBuf,
    pub(super) order: &'a Order,
    pub(super) held: Held<'a>,
    pub(super) progress: &'a Progress,
    tell: &'a mut Tell<'a>,
    /// What was told and stands in no file yet.
    pub(super) log: String,
}

/// A store that is open, and its bytes.
pub(super) struct Open {
    file: Arc<Opened>,
    source: Arc<dyn ReadAt>,
    store: Arc<Store>,
}

impl Open {
    /// Opens it; the progress is also that of a search that damage makes necessary, now or later.
    pub(super) fn new(path: &Path, progress: &Progress) -> Result<Self> {
        Self::of(disk::open(path, Access::default())?, progress)
    }

    /// The same file as it is after something was written to it.
    fn again(self, progress: &Progress) -> Result<Self> {
        Self::of(self.file.again()?, progress)
    }

    fn of(file: Opened, progress: &Progress) -> Result<Self> {
        let file = Arc::new(file);
        let bytes = recover::bytes_of(Arc::clone(&file))?;
        let source = Arc::clone(&bytes.source);
        let options = recover::Options { search: Arc::new(progress.clone()), ..recover::Options::default() };
        let store = recover::open_bytes(bytes, &options).map_err(refused)?;
        Ok(Self { file, source, store })
    }
}

/// Why there is no store to repair, and what can be had all the same.
fn refused(error: Error) -> Error {
    match error {
        Error::Io(_) | Error::Cancelled => error,
        // It is whole.
        Error::Unsupported(words) if words == ENCRYPTED => Error::Unsupported(words),
        Error::Unsupported(_) | Error::NotFound(_) | Error::Damaged(..) => {
            Error::Unsupported(format!("{error}; 'pstfs repair --force' puts a new store in its place, with what can be carved out of it"))
        }
    }
}

impl Repair<'_> {
    /// Tells what would be done, and writes nothing.
    fn only_plan(mut self) -> Result<Outcome> {
        let open = Open::new(&self.path, self.progress)?;
        self.begin(&open)?;
        let (scan, findings) = self.scan(&open, Blocks::Read)?;
        let planned = if came_through(&scan) { self.plan(&open, &findings)? } else { None };
        Ok(self.end(Outcome { scan, changes: planned.map_or(0, |planned| planned.plan.len()), before: None, kept: None }))
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
        let ended = own(self.held, &path, || ended(&path, self.held))?;
        let open = Open::new(&path, self.progress)?;
        self.begin(&open)?;
        if ended != Recovered::Nothing {
            self.say(Told::Ended(ended));
        }
        let passing = Passing::new(&open.source)?;
        let (scan, findings) = self.scan(&open, Blocks::Through(&passing))?;
        let planned = if came_through(&scan) { self.plan(&open, &findings)? } else { None };
        let Some(planned) = planned else {
            let verdict = if scan.verdict == Verdict::Errors { Verdict::Remain } else { scan.verdict };
            return Ok(self.end(Outcome { scan: scan::Outcome { verdict, ..scan }, changes: 0, before: None, kept: None }));
        };
        let (before, changes) = (planned.before(scan.tally), planned.plan.len());
        let known = planned.known(&findings);
        let applied = self.write(&open, planned.prepared, passing, keep)?;
        let progress = self.progress;
        let seen = applied.read_back(&open.file).and_then(|()| Ok((open.again(progress)?, known)));
        let result = self.look_again(changes, before, applied.kept, seen);
        drop(alone);
        result
    }

    pub(super) fn begin(&mut self, open: &Open) -> Result<()> {
        self.say(Told::Begin(open.source.len()?, open.store.ndb().format().name()));
        Ok(())
    }

    pub(super) fn say(&mut self, told: Told<'_>) {
        let lines = (self.tell)(told);
        self.log.push_str(&lines);
    }

    /// Scans, and gives what was found. An error where the disk fails.
    pub(super) fn scan(&mut self, open: &Open, blocks: Blocks<'_>) -> Result<(scan::Outcome, Vec<Finding>)> {
        let mut findings = Vec::new();
        let (tell, log) = (&mut self.tell, &mut self.log);
        let mut scan = scan::scan_blocks(&open.source, blocks, Ok(&open.store), self.progress, |event| {
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
    fn plan(&mut self, open: &Open, findings: &[Finding]) -> Result<Option<Planned>> {
        self.progress.begin("Planning the repair", 0)?;
        let planned = Planned::of(&open.store, findings, self.order.options(), self.progress)?;
        if let Some(planned) = &planned {
            self.say(Told::Plan(&planned.told()));
        }
        Ok(planned)
    }

    /// Makes the changes durable.
    fn write(&mut self, open: &Open, prepared: Prepared, passing: Passing, keep: &Backup) -> Result<Applied> {
        let digests = passing.digests(self.progress)?;
        let seen = Seen { source: &open.source, digests: &digests };
        let (path, log) = (self.path.clone(), mem::take(&mut self.log));
        let applied = own(self.held, &path, || {
            let before = Record::last(&path)?;
            let applied = apply(prepared, seen, &path, keep, self.held, &log, self.progress);
            applied.map_err(|error| told_how_it_stands(error, &give_up(&path, before.as_ref(), self.held)))
        })?;
        self.say(Told::Kept(&applied.kept));
        self.say(Told::Written(&applied.committed));
        Ok(applied)
    }

    /// Scans the result; `seen` is that, opened, and what is known of it, or why it is not what was written. The log is kept
    /// up whatever comes of it.
    pub(super) fn look_again(mut self, changes: usize, before: Before, kept: Kept, seen: Result<(Open, Option<Known>)>) -> Result<Outcome> {
        let scan = seen.and_then(|(open, known)| {
            if known.is_some() {
                self.say(Told::Known);
            }
            self.scan(&open, known.as_ref().map_or(Blocks::Read, Blocks::But))
        });
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

    pub(super) fn end(mut self, outcome: Outcome) -> Outcome {
        self.say(Told::End(&outcome));
        outcome
    }
}

const fn came_through(scan: &scan::Outcome) -> bool {
    !matches!(scan.verdict, Verdict::Cancelled | Verdict::Failed)
}

/// Refuses a file that cannot be written, or should not be.
pub(super) fn check_access(path: &Path, order: &Order) -> Result<()> {
    // Room and names are asked for when it is known how much there is to keep.
    check(path, &Order { backup: Backup::Original(PathBuf::new()), ..order.clone() })
}

/// Whether a file can be read and is no store.
fn holds_no_store(path: &Path, progress: &Progress) -> Result<bool> {
    match Open::new(path, progress) {
        Ok(_) => Ok(false),
        Err(error @ (Error::Io(_) | Error::Cancelled)) => Err(error),
        Err(Error::Unsupported(_) | Error::NotFound(_) | Error::Damaged(..)) => Ok(true),
    }
}

/// Copies a store, and the journal of a repair of it that was cut off, never over a file that exists.
fn copy_to(path: &Path, new: &Path, progress: &Progress) -> Result<()> {
    let _looking = looking(path)?;
    backup::copy(path, Some(new), 0, None, progress)?;
    let (journal, its_copy) = (journal_of(path), journal_of(new));
    if journal.try_exists()? {
        fs::copy(journal, &its_copy)?;
        File::open(&its_copy)?.sync_all()?;
        sync_folder(&its_copy)?;
    }
    Ok(())
}
