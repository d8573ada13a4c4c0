//! A worked-out transaction, made durable in its store with everything kept that could be lost.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::backup::{self, Backup, Kept, Seen, UNDO, create, sync_folder};
use super::beside;
use super::digest::Digests;
use super::order::Held;
use super::record::{self, Record};
use crate::damage::{Error, Result};
use crate::disk::overlay::Overlay;
use crate::disk::{self, Opened, ReadAt, WritableFile, WriteAt};
use crate::ndb::write::{Committed, Journal, Prepared, Recovered, journal_of, recover_journal};
use crate::progress::Progress;

/// How many bytes are compared at a time.
const PIECE_BYTES: usize = 1 << 16;

/// What was done.
#[derive(Debug)]
pub struct Applied {
    /// What was kept of the old store.
    pub kept: Kept,
    /// What was written.
    pub committed: Committed,
    /// The store as it is to be now, over what was there before.
    wrote: Overlay,
    old_len: u64,
}

/// Writes a transaction to the store that it was worked out for.
///
/// The caller holds the store's lock; what is overwritten stays for those of `held`. `seen` is the store as it was when the
/// transaction was worked out; `log` is what the log beside the store is to say before the first byte changes. After an
/// error the store is as it was, or a journal stands beside it with which [`end_interrupted`] makes it so.
pub fn apply(
    prepared: Prepared,
    seen: Seen<'_>,
    store: &Path,
    keep: &Backup,
    held: Held<'_>,
    log: &str,
    progress: &Progress,
) -> Result<Applied> {
    let journal = journal_of(store);
    progress.check()?;
    seen.refuse_changed()?;
    refuse_leftovers(store, &journal, keep)?;
    require_room(&prepared, store)?;
    // Known before anything is written, the digests hold wherever the repair is cut off.
    let wrote = prepared.preview(Arc::clone(seen.source))?;
    let (before, after) = (seen.digests.state(), seen.digests.over(&wrote)?.state());
    let kept = match keep {
        Backup::Full | Backup::At(_) => backup::copy(store, keep.place(), prepared.needed_bytes(), Some(seen), progress)?,
        Backup::Undo => keep_old_bytes(&prepared, store)?,
        Backup::Original(path) => Kept { path: path.clone(), shared: false },
    };
    record::append(store, log)?;
    let old_len = before.len;
    Record::Repaired { kept: name_of(&kept.path, store)?, before, after }.append(store)?;
    // From here on nobody can stop it: half a commit helps no one.
    let journal_file = new_file(&journal, store)?;
    let committed = prepared.commit(&held.file(store)?, &journal_file)?;
    fs::remove_file(&journal)?;
    sync_folder(&journal)?;
    Ok(Applied { kept, committed, wrote, old_len })
}

impl Applied {
    /// Reads all that was written, from the disk as far as the system lets us ask for that; an error where it is not what
    /// was to be written.
    pub fn read_back(&self, store: &Opened) -> Result<()> {
        let (begin, end) = (self.old_len, self.wrote.len()?);
        let grown = (begin, end.saturating_sub(begin));
        for (offset, bytes) in self.wrote.replaced().chain([grown]).filter(|(offset, _)| *offset < end) {
            store.forget(offset, bytes);
            same(store.file(), &self.wrote, offset, offset.saturating_add(bytes).min(end))?;
        }
        Ok(())
    }
}

/// Refuses a file that from one offset up to another is not what it should be.
fn same(file: &File, wanted: &Overlay, mut offset: u64, end: u64) -> Result<()> {
    let (mut is, mut should) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    while offset < end {
        let len = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let (is, should) = (is.get_mut(..len).unwrap_or_default(), should.get_mut(..len).unwrap_or_default());
        file.read_exact_at(is, offset)?;
        wanted.read_exact_at(should, offset)?;
        if is != should {
            let words = format!(
                "what was written at offset {offset:#x} reads back as something else: do not trust this disk; 'pstfs undo --force' puts the old store back"
            );
            return Err(Error::Io(io::Error::other(words)));
        }
        offset = offset.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
    }
    Ok(())
}

/// Brings a transaction that was cut off to its end, if there is one; `Nothing` where there is no journal.
pub fn end_interrupted(store: &Path, held: Held<'_>) -> Result<Recovered> {
    let path = journal_of(store);
    let journal = match WritableFile::open(&path) {
        Ok(journal) => journal,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Recovered::Nothing),
        Err(error) => return Err(error.into()),
    };
    let recovered = recover_journal(&held.file(store)?, &journal)?;
    record::append(store, &format!("** An interrupted repair was brought to its end: {}\n", in_words(recovered)))?;
    fs::remove_file(&path)?;
    sync_folder(&path)?;
    Ok(recovered)
}

const fn in_words(recovered: Recovered) -> &'static str {
    match recovered {
        Recovered::Nothing => "nothing was left to do",
        Recovered::Back => "the store is as it was before",
        Recovered::Forward => "the store is repaired",
    }
}

/// Brings a repair that was cut off to its end; one that went back is no more to be taken back.
pub(super) fn ended(path: &Path, held: Held<'_>) -> Result<Recovered> {
    let ended = end_interrupted(path, held)?;
    if ended == Recovered::Back {
        Record::Undone.append(path)?;
    }
    Ok(ended)
}

/// Goes back to the store as it was after a commit that failed; `before` is what the log recorded before it.
pub(super) fn give_up(path: &Path, before: Option<&Record>, held: Held<'_>) -> Result<Recovered> {
    let ended = end_interrupted(path, held)?;
    let last = Record::last(path)?.filter(|last| Some(last) != before);
    // The journal is emptied first and last: without it nothing was begun, or all is done and only it could not be removed.
    if ended == Recovered::Nothing
        && let Some(Record::Repaired { after, .. }) = &last
        && Digests::of(&WritableFile::open(path)?, &Progress::default())?.state() == *after
    {
        return Ok(Recovered::Forward);
    }
    if ended != Recovered::Forward && last.is_some() {
        Record::Undone.append(path)?;
    }
    Ok(ended)
}

/// What the system said when a repair failed, and what became of the store.
pub(super) fn told_how_it_stands(error: Error, given_up: &Result<Recovered>) -> Error {
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

/// What another repair left, and what would be written over.
fn refuse_leftovers(store: &Path, journal: &Path, keep: &Backup) -> Result<()> {
    let words = "an earlier repair was interrupted; 'pstfs repair' or 'pstfs undo' brings it to an end";
    if journal.try_exists()? {
        return Err(Error::Unsupported(words.into()));
    }
    let kept = match keep {
        Backup::Undo if is_spent(store)? => return Ok(fs::remove_file(beside(store, UNDO))?),
        Backup::Undo => beside(store, UNDO),
        Backup::At(path) => path.clone(),
        // The one finds a free name by itself, the other needs none.
        Backup::Full | Backup::Original(_) => return Ok(()),
    };
    if kept.try_exists()? {
        let words = format!("{} exists; move it away, or take that repair back with 'pstfs undo'", kept.display());
        return Err(Error::Io(io::Error::new(ErrorKind::AlreadyExists, words)));
    }
    Ok(())
}

/// Whether what was kept for an undo belongs to a repair that never came about: the store is what it would give back, or
/// the power failed while it was written.
pub(super) fn is_spent(store: &Path) -> Result<bool> {
    let path = beside(store, UNDO);
    if !path.try_exists()? {
        return Ok(false);
    }
    let (file, undo) = (WritableFile::open(store)?, WritableFile::open(&path)?);
    if undo.is_empty()? {
        return Ok(true);
    }
    match Journal::read_if_one(&undo) {
        Ok(Some(journal)) => journal.is_undone(&file),
        // Of a file that is no journal nobody knows what it is.
        Ok(None) => Ok(false),
        Err(Error::Unsupported(_)) => Ok(Record::last(store)?.and_then(|record| record.kept(store)) != Some(path)),
        Err(error) => Err(error),
    }
}

/// Refuses where the store cannot grow and its journal cannot be written.
fn require_room(prepared: &Prepared, store: &Path) -> Result<()> {
    let needed = prepared.needed_bytes();
    let free = disk::free_bytes(&File::open(store)?)?;
    if free >= needed {
        return Ok(());
    }
    let words =
        format!("the repair needs {needed} bytes beside the store and {free} are free; 'pstfs repair --output NEW' writes elsewhere");
    Err(Error::Io(io::Error::new(ErrorKind::StorageFull, words)))
}

/// Keeps what the transaction overwrites, durable before it begins.
fn keep_old_bytes(prepared: &Prepared, store: &Path) -> Result<Kept> {
    let path = beside(store, UNDO);
    let bytes = prepared.journal().map(Journal::encode).unwrap_or_default();
    let file = new_file(&path, store)?;
    file.write_all_at(&bytes, 0)?;
    file.sync()?;
    Ok(Kept { path, shared: false })
}

/// A new file beside the store, its name durable.
fn new_file(path: &Path, store: &Path) -> Result<WritableFile> {
    create(path, &fs::metadata(store)?)?;
    sync_folder(path)?;
    Ok(WritableFile::open(path)?)
}

/// How the record names what was kept: by its ending where it stands beside the store, so that both can be moved.
pub(super) fn name_of(kept: &Path, store: &Path) -> io::Result<PathBuf> {
    let (kept, store) = (std::path::absolute(kept)?, std::path::absolute(store)?);
    let ending = kept.as_os_str().as_bytes().strip_prefix(store.as_os_str().as_bytes());
    let ending = ending.filter(|ending| ending.starts_with(b".") && !ending.contains(&b'/'));
    Ok(ending.map_or_else(|| kept.clone(), |ending| OsStr::from_bytes(ending).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The disk took the whole repair and then failed, as the journal was emptied or removed: the log said that the store
    /// was the old one, and the way back was lost.
    #[test]
    fn a_repair_of_which_only_the_journal_could_not_be_removed_is_made() {
        for (journal, stands, ended) in [
            (true, "repaired", Recovered::Forward),
            (false, "repaired", Recovered::Forward),
            (true, "as it was", Recovered::Nothing),
            (false, "as it was", Recovered::Nothing),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let store = folder.path().join("a.pst");
            fs::write(&store, stands).unwrap();
            let state = |text: &str| Digests::of(&text.as_bytes().to_vec(), &Progress::default()).unwrap().state();
            let record = Record::Repaired { kept: ".bak".into(), before: state("as it was"), after: state("repaired") };
            record.append(&store).unwrap();
            if journal {
                fs::write(journal_of(&store), "").unwrap();
            }
            assert_eq!(give_up(&store, None, Held::default()).unwrap(), ended, "{stands}");
            let expected = if ended == Recovered::Forward { record } else { Record::Undone };
            assert_eq!(Record::last(&store).unwrap(), Some(expected), "{stands}, journal {journal}");
            assert!(!journal_of(&store).exists());
        }
    }
}
