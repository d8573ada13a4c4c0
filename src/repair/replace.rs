//! A fresh store in place of a file that holds none: written beside it, and put there in one step.

use std::fs;
use std::mem;
use std::path::Path;
use std::sync::Arc;

use super::alone::Alone;
use super::apply::{name_of, refuse_changed};
use super::backup::{self, Backup, Kept, exists};
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
    pub(super) fn put(mut self, file: &Path, source: &dyn ReadAt, keep: &Backup, log: &str, progress: &Progress) -> Result<Kept> {
        let before = Digests::of(source, progress)?;
        let after = Digests::of(&WritableFile::open(self.path())?, progress)?.state();
        let kept = match keep {
            Backup::Full | Backup::At(_) => backup::copy(file, keep.place(), 0, Some(&before), progress)?,
            Backup::Undo | Backup::Original(_) => return Err(refusal()),
        };
        refuse_changed(source)?;
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
        let open = Open::new(new)?;
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
        let open = Open::new(replacement.path())?;
        self.tell_fresh(&open, &replacement.fresh)?;
        drop(open);
        let log = mem::take(&mut self.log);
        let kept = replacement.put(&path, &*source, keep, &log, self.progress)?;
        self.say(Told::Kept(&kept));
        let before = Before { tally: scan::Tally::default(), moved: 0, incomplete: 0 };
        let result = self.look_again(1, before, kept, Ok(None));
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
}

/// Refuses what would keep only part of the file.
fn check(keep: &Backup) -> Result<()> {
    if *keep == Backup::Undo { Err(refusal()) } else { Ok(()) }
}

fn refusal() -> Error {
    Error::Unsupported("no part of it stays where it is, so it is kept as a whole: '--backup full' or '--backup PATH'".into())
}
