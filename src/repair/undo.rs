//! Taking the last repair back, byte for byte.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::apply::end_interrupted;
use super::backup::{self, UNDO, sync_folder};
use super::beside;
use super::digest::{Digests, PIECE_BYTES};
use super::order::Held;
use super::record::{Record, State};
use crate::damage::{Error, Result};
use crate::disk::{ReadAt, WritableFile, WriteAt};
use crate::ndb::write::{Journal, Recovered};
use crate::progress::Progress;

/// The ending of the name under which the present file is kept before an undo that was forced.
const BEFORE: &str = ".before-undo";

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
/// The caller holds the store's lock; what is overwritten stays for those of `held`. Refused where the store is not as that
/// repair left it, unless `force`: then the present file is kept first. `from` names what was kept, where the log beside the
/// store does not.
pub fn undo(store: &Path, from: Option<&Path>, force: bool, held: Held<'_>, progress: &Progress) -> Result<Undone> {
    if end_interrupted(store, held)? == Recovered::Back {
        Record::Undone.append(store)?;
        return Ok(Undone { from: None, before: None });
    }
    let record = Record::last(store)?;
    let kept = kept_by(record.as_ref(), store, from)?;
    let (before, differing) = match compared(record.as_ref(), store, &kept, progress)? {
        Ok(differing) => (None, differing),
        Err(_) if force => (Some(keep_present(store, progress)?), None),
        Err(what) => return Err(Error::Unsupported(what)),
    };
    Record::Undoing(kept.clone()).append(store)?;
    put_back(&held.file(store)?, &kept, differing, progress).map_err(cut_off)?;
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

/// Where pieces begin that differ between the store and a full copy of what it was; none where nobody has looked.
type Differing = Option<Vec<u64>>;

/// Whether the store is as its repair left it, and what was kept is what it was before: else why not, in words.
///
/// Where both were read for that, it is known by their digests which pieces differ, and no others are read again.
fn compared(record: Option<&Record>, store: &Path, kept: &Path, progress: &Progress) -> Result<Result<Differing, String>> {
    let (before, after) = match record {
        // It was begun already; what stands there is neither the one nor the other.
        Some(Record::Undoing(_)) => return Ok(Ok(None)),
        Some(Record::Repaired { before, after, .. }) => (before, after),
        Some(Record::Undone) | None => {
            return Ok(Err("nothing tells what the store was after its repair; '--force' keeps the present file first".into()));
        }
    };
    let now = Digests::of(&WritableFile::open(store)?, progress)?;
    if let Some(what) = changed(&now.state(), after) {
        return Ok(Err(what));
    }
    let old = WritableFile::open(kept)?;
    // What holds only the bytes that were overwritten has a CRC.
    if Journal::read_if_one(&old)?.is_some() {
        return Ok(Ok(None));
    }
    let old = Digests::of(&old, progress)?;
    if old.state() == *before {
        return Ok(Ok(Some(old.differing(&now))));
    }
    let kept = kept.display();
    Ok(Err(format!("{kept} is not what the store was before its repair; '--force' puts it back and keeps the present file first")))
}

/// Why the store is not as the repair left it, in words.
fn changed(now: &State, after: &State) -> Option<String> {
    let what = if now.len != after.len {
        format!("it has {} bytes, after the repair it had {}", now.len, after.len)
    } else if now != after {
        "its contents changed".to_owned()
    } else {
        return None;
    };
    Some(format!("the store was changed since its repair: {what}; '--force' keeps the present file first"))
}

fn keep_present(store: &Path, progress: &Progress) -> Result<PathBuf> {
    Ok(backup::copy(store, Some(&beside(store, BEFORE)), 0, None, progress)?.path)
}

/// Puts the old bytes back. Cut off, it is done again from the start: nothing here depends on what the store holds.
fn put_back(file: &impl WriteAt, kept: &Path, differing: Differing, progress: &Progress) -> Result<()> {
    let old = WritableFile::open(kept)?;
    match Journal::read_if_one(&old)? {
        Some(journal) => journal.undo(file),
        None => restore(file, &old, differing, progress),
    }
}

/// Makes a file the same as a full copy of what it was, writing only pieces that differ.
fn restore(file: &impl WriteAt, old: &WritableFile, differing: Differing, progress: &Progress) -> Result<()> {
    let len = old.len()?;
    let all = (0..len.div_ceil(PIECE_BYTES)).map(|index| index.saturating_mul(PIECE_BYTES));
    let pieces = differing.unwrap_or_else(|| all.collect());
    progress.begin("Putting the store back", PIECE_BYTES.saturating_mul(u64::try_from(pieces.len()).unwrap_or(u64::MAX)))?;
    if file.len()? != len {
        file.set_len(len)?;
    }
    let (mut is, mut was) = (Vec::new(), Vec::new());
    for offset in pieces {
        let bytes = len.saturating_sub(offset).min(PIECE_BYTES);
        [&mut is, &mut was].into_iter().for_each(|piece| piece.resize(usize::try_from(bytes).unwrap_or(0), 0));
        file.read_exact_at(&mut is, offset)?;
        old.read_exact_at(&mut was, offset)?;
        if is != was {
            file.write_all_at(&was, offset)?;
        }
        // To stop here would leave neither store.
        let _ = progress.add(bytes);
    }
    Ok(file.sync()?)
}
