//! A fresh store in place of a file that holds none: written beside it, and put there in one step.

use std::fs;
use std::io::ErrorKind;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::alone::Alone;
use super::apply::name_of;
use super::backup::{self, Backup, Kept, create, sync_folder};
use super::beside;
use super::fresh::{Fresh, fresh_skeleton};
use super::order::{Before, Outcome, Told};
use super::record::{self, Record, State};
use super::run::{Open, Repair, check_access, exists};
use crate::damage::{Error, Result, Verdict};
use crate::disk::{ReadAt, WritableFile, WriteAt};
use crate::progress::Progress;
use crate::recover;
use crate::scan;

/// The ending of the name under which the store is written.
const FRESH: &str = ".fresh";

/// A store that is written and not yet in its place; without that it goes away again.
#[derive(Debug)]
pub(super) struct Replacement {
    path: PathBuf,
    /// What went into it.
    pub(super) fresh: Fresh,
}

impl Replacement {
    /// Writes a store of all that can be carved out of a file, beside that.
    pub(super) fn write(file: &Path, source: &Arc<dyn ReadAt>, progress: &Progress) -> Result<Self> {
        let path = beside(file, FRESH);
        let output = WritableFile::from(create(&path, &fs::metadata(file)?)?);
        // From here on the file goes away where anything fails.
        let mut replacement = Self { path, fresh: Fresh::default() };
        replacement.fresh = fresh_skeleton(source, &output, progress)?;
        output.sync()?;
        sync_folder(&replacement.path)?;
        Ok(replacement)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the file and puts the store in its place; `log` is what the log beside it is to say before that.
    pub(super) fn put(self, file: &Path, source: &dyn ReadAt, keep: &Backup, log: &str, progress: &Progress) -> Result<Kept> {
        let (before, after) = State::of_both(source, &WritableFile::open(&self.path)?, progress)?;
        let kept = match keep {
            Backup::Full | Backup::At(_) => backup::copy(file, keep.place(), 0, progress)?,
            Backup::Undo | Backup::Original(_) => return Err(refusal()),
        };
        record::append(file, log)?;
        Record::Repaired { kept: name_of(&kept.path, file)?, before, after }.append(file)?;
        // In one step: whatever happens, there is the old file or the new one.
        fs::rename(&self.path, file)?;
        sync_folder(file)?;
        Ok(kept)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // Once it is in its place there is no such name any more.
        let _ = fs::remove_file(&self.path);
    }
}

impl Repair<'_> {
    /// Makes a store of what can be carved out of a file that is none.
    pub(super) fn fresh(mut self, new: &Path) -> Result<Outcome> {
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
}

/// Refuses what would keep only part of the file.
fn check(keep: &Backup) -> Result<()> {
    if *keep == Backup::Undo { Err(refusal()) } else { Ok(()) }
}

fn refusal() -> Error {
    Error::Unsupported("no part of it stays where it is, so it is kept as a whole: '--backup full' or '--backup PATH'".into())
}
