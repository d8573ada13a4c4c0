//! Taking the last repair back, byte for byte.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::apply::end_interrupted;
use super::backup::{self, UNDO, sync_folder};
use super::beside;
use super::digest::Digests;
use super::record::Record;
use crate::damage::{Error, Result};
use crate::disk::{ReadAt, WritableFile, WriteAt};
use crate::ndb::write::{Journal, Recovered};
use crate::progress::Progress;

/// The ending of the name under which the present file is kept before an undo that was forced.
const BEFORE: &str = ".before-undo";
/// How many bytes are in memory at a time.
const PIECE_BYTES: usize = 1 << 20;

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub struct Undone {
    /// What the store's old bytes were taken from; none where a repair that was cut off had only to be rolled back.
    pub from: Option<PathBuf>,
    /// Where the present file was kept first.
    pub before: Option<PathBuf>,
}

/// Gives a store back the bytes that it had before its last repair.
///
/// The caller holds the store's lock. Refused where the store is not as that repair left it, unless `force`: then the
/// present file is kept first. `from` names what was kept, where the log beside the store does not.
pub fn undo(store: &Path, from: Option<&Path>, force: bool, progress: &Progress) -> Result<Undone> {
    if end_interrupted(store)? == Recovered::Back {
        Record::Undone.append(store)?;
        return Ok(Undone { from: None, before: None });
    }
    let record = Record::last(store)?;
    let kept = kept_by(record.as_ref(), store, from)?;
    let what = match changed(record.as_ref(), store, progress)? {
        None => spoiled(record.as_ref(), &kept, progress)?,
        changed => changed,
    };
    let before = match what {
        None => None,
        Some(_) if force => Some(keep_present(store, progress)?),
        Some(what) => return Err(Error::Unsupported(what)),
    };
    Record::Undoing(kept.clone()).append(store)?;
    put_back(store, &kept, progress).map_err(cut_off)?;
    Record::Undone.append(store)?;
    if kept == beside(store, UNDO) {
        // It fits no other bytes than those that were just replaced.
        fs::remove_file(&kept)?;
        sync_folder(&kept)?;
    }
    Ok(Undone { from: Some(kept), before })
}

/// What the system said when an undo failed, and what to do.
fn cut_off(error: Error) -> Error {
    match error {
        Error::Io(error) => Error::Io(io::Error::new(error.kind(), format!("{error}; it is cut off: 'pstfs undo' goes on with it"))),
        error => error,
    }
}

/// Where the old bytes are kept.
fn kept_by(record: Option<&Record>, store: &Path, from: Option<&Path>) -> Result<PathBuf> {
    let kept = match (from, record.and_then(|record| record.kept(store))) {
        (Some(from), _) => from.to_owned(),
        (None, Some(kept)) => kept,
        (None, None) => {
            return Err(Error::Unsupported(
                "there is no repair to take back: the log beside the store names none; '--from BAK' names what was kept".into(),
            ));
        }
    };
    match fs::metadata(&kept) {
        Ok(_) => Ok(kept),
        Err(error) => Err(Error::Io(io::Error::new(error.kind(), format!("{}: {error}", kept.display())))),
    }
}

/// Why the store is not as the repair left it, in words.
fn changed(record: Option<&Record>, store: &Path, progress: &Progress) -> Result<Option<String>> {
    let after = match record {
        // It was begun already; what stands there is neither the one nor the other.
        Some(Record::Undoing(_)) => return Ok(None),
        Some(Record::Repaired { after, .. }) => after,
        Some(Record::Undone) | None => {
            return Ok(Some("nothing tells what the store was after its repair; '--force' keeps the present file first".into()));
        }
    };
    let now = Digests::of(&WritableFile::open(store)?, progress)?.state();
    let what = if now.len != after.len {
        format!("it has {} bytes, after the repair it had {}", now.len, after.len)
    } else if now != *after {
        "its contents changed".to_owned()
    } else {
        return Ok(None);
    };
    Ok(Some(format!("the store was changed since its repair: {what}; '--force' keeps the present file first")))
}

/// Why what was kept is not what the store was, in words. What holds only the bytes that were overwritten has a CRC.
fn spoiled(record: Option<&Record>, kept: &Path, progress: &Progress) -> Result<Option<String>> {
    let Some(Record::Repaired { before, .. }) = record else { return Ok(None) };
    let old = WritableFile::open(kept)?;
    if Journal::read_if_one(&old)?.is_some() || Digests::of(&old, progress)?.state() == *before {
        return Ok(None);
    }
    let kept = kept.display();
    Ok(Some(format!("{kept} is not what the store was before its repair; '--force' puts it back and keeps the present file first")))
}

fn keep_present(store: &Path, progress: &Progress) -> Result<PathBuf> {
    Ok(backup::copy(store, Some(&beside(store, BEFORE)), 0, None, progress)?.path)
}

/// Puts the old bytes back. Cut off, it is done again from the start: nothing here depends on what the store holds.
fn put_back(store: &Path, kept: &Path, progress: &Progress) -> Result<()> {
    let (file, old) = (WritableFile::open(store)?, WritableFile::open(kept)?);
    match Journal::read_if_one(&old)? {
        Some(journal) => journal.undo(&file),
        None => restore(&file, &old, progress),
    }
}

/// Makes a file the same as a full copy of what it was, writing only what differs.
fn restore(file: &WritableFile, old: &WritableFile, progress: &Progress) -> Result<()> {
    let len = old.len()?;
    progress.begin("Putting the store back", len)?;
    if file.len()? != len {
        file.set_len(len)?;
    }
    let (mut is, mut was) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    let mut offset = 0_u64;
    while offset < len {
        let bytes = len.saturating_sub(offset).min(u64::try_from(PIECE_BYTES).unwrap_or(u64::MAX));
        let size = usize::try_from(bytes).unwrap_or(0);
        let (is, was) = (is.get_mut(..size).unwrap_or_default(), was.get_mut(..size).unwrap_or_default());
        file.read_exact_at(is, offset)?;
        old.read_exact_at(was, offset)?;
        if is != was {
            file.write_all_at(was, offset)?;
        }
        offset = offset.saturating_add(bytes);
        // To stop here would leave neither store.
        let _ = progress.add(bytes);
    }
    Ok(file.sync()?)
}
