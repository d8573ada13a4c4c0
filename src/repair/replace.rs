//! A fresh store in place of a file that holds none: written beside it, and put there in one step.

use std::fs;
use std::io;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::alone::Alone;
use super::apply::name_of;
use super::backup::{self, Backup, Kept, Seen, exists};
use super::beside;
use super::digest::Digests;
use super::fresh::{Fresh, fresh_skeleton};
use super::order::{Before, Outcome, Told};
use super::part::Part;
use super::record::{self, Record};
use super::run::{Open, Repair, check_access};
use crate::damage::{Error, Result, Verdict};
use crate::disk::{ReadAt, WritableFile, WriteAt};
use crate::progress::Progress;
use crate::recover;
use crate::scan::{self, Blocks};

/// The ending of the name under which the store is written.
const FRESH: &str = ".fresh";

/// A store that is written and not yet in its place; without that it goes away again.
#[derive(Debug)]
pub(super) struct Replacement {
    part: Part,
    /// What went into it.
    pub(super) fresh: Fresh,
}

impl Replacement {
    /// Writes a store of all that can be carved out of a file, beside that.
    pub(super) fn write(file: &Path, source: &Arc<dyn ReadAt>, progress: &Progress) -> Result<Self> {
        let part = Part::create(&beside(file, FRESH), &fs::metadata(file)?)?;
        let output = WritableFile::from(part.file().try_clone()?);
        let fresh = fresh_skeleton(source, &output, progress)?;
        output.sync()?;
        Ok(Self { part, fresh })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.part.path()
    }

    /// Keeps the file and puts the store in its place; `log` is what the log beside it is to say before that.
    pub(super) fn put(mut self, file: &Path, source: &Arc<dyn ReadAt>, keep: &Backup, log: &str, progress: &Progress) -> Result<Kept> {
        let before = Digests::of(&**source, progress)?;
        let seen = Seen { source, digests: &before };
        seen.refuse_changed()?;
        let after = Digests::of(&WritableFile::open(self.path())?, progress)?.state();
        let kept = match keep {
            Backup::Full | Backup::At(_) => backup::copy(file, keep.place(), 0, Some(seen), progress)?,
            Backup::Undo | Backup::Original(_) => return Err(refusal()),
        };
        let before = before.state();
        record::append(file, log)?;
        Record::Repaired { kept: name_of(&kept.path, file)?, before, after }.append(file)?;
        self.part.replace(file)?;
        Ok(kept)
    }
}

impl Repair<'_> {
    /// Makes a store of what can be carved out of a file that is none.
    pub(super) fn fresh(mut self, new: &Path) -> Result<Outcome> {
        let source = recover::bytes(&self.path, true, None)?.source;
        if new.try_exists()? {
            return Err(exists(new).into());
        }
        let mut part = Part::create(new, &fs::metadata(&self.path)?)?;
        let fresh = fresh_skeleton(&source, &WritableFile::from(part.file().try_clone()?), self.progress)?;
        part.place(new)?;
        let open = Open::new(new, self.progress)?;
        self.tell_fresh(&open, &fresh)?;
        let (scan, _) = self.scan(&open, Blocks::Read)?;
        let verdict = match scan.verdict {
            Verdict::NoErrors | Verdict::Minor if fresh.failed.is_empty() => Verdict::Repaired,
            Verdict::NoErrors | Verdict::Minor | Verdict::Errors => Verdict::Remain,
            other => other,
        };
        Ok(self.end(Outcome { scan: scan::Outcome { verdict, ..scan }, changes: 1, before: None, kept: None }))
    }

    /// Puts such a store in the place of the file.
    pub(super) fn fresh_in_place(mut self, keep: &Backup) -> Result<Outcome> {
        check(keep)?;
        check_access(&self.path, self.order)?;
        let path = self.path.clone();
        let alone = Alone::with(&path, self.held)?;
        let source = recover::bytes(&path, true, None)?.source;
        let replacement = Replacement::write(&path, &source, self.progress)?;
        let open = Open::new(replacement.path(), self.progress)?;
        self.tell_fresh(&open, &replacement.fresh)?;
        drop(open);
        let log = mem::take(&mut self.log);
        let kept = replacement.put(&path, &source, keep, &log, self.progress)?;
        self.say(Told::Kept(&kept));
        let before = Before { tally: scan::Tally::default(), moved: 0, incomplete: 0 };
        let seen = Open::new(&path, self.progress).map(|open| (open, None));
        let result = self.look_again(1, before, kept, seen);
        drop(alone);
        result
    }

    /// Tells what store would be made of such a file, and writes nothing.
    pub(super) fn only_fresh(mut self) -> Result<Outcome> {
        check(&self.order.backup)?;
        let source = recover::bytes(&self.path, true, None)?.source;
        self.say(Told::Begin(source.len()?, ""));
        let fresh = fresh_skeleton(&source, &Nowhere::default(), self.progress)?;
        self.say(Told::Plan(&planned(&fresh)));
        let scan = scan::Outcome { verdict: Verdict::Errors, counts: scan::Counts::new(), tally: scan::Tally::default(), error: None };
        Ok(self.end(Outcome { scan, changes: 1, before: None, kept: None }))
    }

    fn tell_fresh(&mut self, open: &Open, fresh: &Fresh) -> Result<()> {
        self.begin(open)?;
        self.say(Told::Plan(&planned(fresh)));
        Ok(())
    }
}

/// What is made of such a file, in words.
fn planned(fresh: &Fresh) -> String {
    let found = format!("  => a fresh store is made: {} items of {} stores that were found in the file", fresh.items, fresh.stores);
    let lines: Vec<String> = std::iter::once(found).chain(fresh.failed.iter().map(|failed| format!("  left: {failed}"))).collect();
    lines.join("\n") + "\n"
}

/// A file that keeps nothing but its length: what is written there is only counted.
#[derive(Debug, Default)]
struct Nowhere(AtomicU64);

impl ReadAt for Nowhere {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.load(Ordering::Relaxed))
    }

    fn read_exact_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl WriteAt for Nowhere {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.fetch_max(offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(0)), Ordering::Relaxed);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.store(len, Ordering::Relaxed);
        Ok(())
    }
}

/// Refuses what would keep only part of the file.
fn check(keep: &Backup) -> Result<()> {
    if *keep == Backup::Undo { Err(refusal()) } else { Ok(()) }
}

fn refusal() -> Error {
    Error::Unsupported("no part of it stays where it is, so it is kept as a whole: '--backup full' or '--backup PATH'".into())
}
