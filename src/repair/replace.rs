//! A fresh store in place of a file that holds none: written beside it, and put there in one step.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::apply::name_of;
use super::backup::{self, Backup, Kept, create, sync_folder};
use super::beside;
use super::fresh::{Fresh, fresh_skeleton};
use super::record::{self, Record, State};
use crate::damage::{Error, Result};
use crate::disk::{ReadAt, WritableFile, WriteAt};
use crate::progress::Progress;

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

/// Refuses what would keep only part of the file.
pub(super) fn check(keep: &Backup) -> Result<()> {
    if *keep == Backup::Undo { Err(refusal()) } else { Ok(()) }
}

fn refusal() -> Error {
    Error::Unsupported("no part of it stays where it is, so it is kept as a whole: '--backup full' or '--backup PATH'".into())
}
