//! What is kept of a store before a repair writes to it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::beside;
use super::digest::Digests;
use super::part::Part;
use crate::damage::{Error, Result};
use crate::disk::{self, ReadAt, WritableFile};
use crate::progress::Progress;

/// The ending of a full backup.
const FULL: &str = ".bak";
/// The ending of what `--backup undo` keeps.
pub(super) const UNDO: &str = ".undo";
/// How many backups of one store there may be.
const NUMBERS: std::ops::Range<u32> = 1..10_000;

/// What to keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Backup {
    /// A copy of the whole store beside it.
    #[default]
    Full,
    /// Only the bytes that the repair overwrites.
    Undo,
    /// A copy of the whole store at this path.
    At(PathBuf),
    /// Nothing: this is what the store was copied from.
    Original(PathBuf),
}

impl Backup {
    /// Where a copy of the whole store is wanted, if that was said.
    pub(super) fn place(&self) -> Option<&Path> {
        match self {
            Self::At(path) => Some(path),
            Self::Full | Self::Undo | Self::Original(_) => None,
        }
    }
}

/// What was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where.
    pub path: PathBuf,
    /// Whether it shares storage with the store: a bad sector then harms both.
    pub shared: bool,
}

/// A store as it was read: its bytes and their digests.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Where they were read from.
    pub source: &'a Arc<dyn ReadAt>,
    /// What they are.
    pub digests: &'a Digests,
}

impl Seen<'_> {
    /// Refuses to go on with a store that is no longer that.
    pub(super) fn refuse_changed(self) -> Result<()> {
        if !self.source.was_changed()? {
            return Ok(());
        }
        let words = "another program wrote to the store while it was scanned; close that program and run it again";
        Err(Error::Io(io::Error::new(ErrorKind::StaleNetworkFileHandle, words)))
    }
}

/// Makes a copy of the whole store, at `to` or beside it, never over a file that exists. Beside the store so many bytes
/// must stay free. `seen` is the store as it was read before, where it was.
///
/// It has its name once it is whole, durable and compared: who is killed before leaves no backup, rather than half a one.
pub(super) fn copy(store: &Path, to: Option<&Path>, leave_bytes: u64, seen: Option<Seen<'_>>, progress: &Progress) -> Result<Kept> {
    let from = File::open(store)?;
    let metadata = from.metadata()?;
    // The way back must be found from any folder.
    let wanted = to.map(std::path::absolute).transpose()?;
    if let Some(wanted) = wanted.as_ref().filter(|wanted| wanted.try_exists().unwrap_or(false)) {
        return Err(exists(wanted).into());
    }
    let mut copy = Part::create(wanted.as_deref().unwrap_or(&beside(store, FULL)), &metadata)?;
    progress.begin("Copying the store", metadata.len())?;
    let copied = fill(&from, copy.file(), leave_bytes, progress)?;
    let shared = copied.is_none();
    if let Some(copied) = copied {
        compare(from, &copied, seen, progress)?;
    }
    seen.map_or(Ok(()), Seen::refuse_changed)?;
    let path = match wanted {
        Some(path) => match copy.place(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(exists(&path).into()),
            placed => placed.map(|()| path)?,
        },
        None => numbered(store, &mut copy)?,
    };
    Ok(Kept { path, shared })
}

/// Makes `copy` the same as `from`; returns the digests of what was written, and none where the two share storage.
fn fill(from: &File, copy: &File, leave_bytes: u64, progress: &Progress) -> Result<Option<Digests>> {
    if disk::share_storage(from, copy)? {
        copy.sync_all()?;
        return Ok(None);
    }
    let (metadata, free) = (from.metadata()?, disk::free_bytes(copy)?);
    let leave_bytes = if metadata.dev() == copy.metadata()?.dev() { leave_bytes } else { 0 };
    if free < metadata.len().saturating_add(leave_bytes) {
        return Err(no_room(metadata.len(), leave_bytes, free));
    }
    let mut digests = Digests::none_of(metadata.len());
    let step = &mut |bytes| progress.add(bytes).map_err(|_| io::Error::from(ErrorKind::Interrupted));
    let copied = disk::copy_bytes(from, copy, step, &mut |bytes| digests.append(bytes));
    copied.map_err(|error| progress.check().err().unwrap_or(error.into()))?;
    Ok(Some(digests))
}

/// An error where a copy, by its digests, is not what it was made of.
fn compare(from: File, copied: &Digests, seen: Option<Seen<'_>>, progress: &Progress) -> Result<()> {
    let same = match seen {
        Some(seen) => copied == seen.digests,
        None => *copied == Digests::read(&WritableFile::from(from), "Comparing the copy", progress)?,
    };
    if same {
        return Ok(());
    }
    let words = "the copy differs from what was read of the store: another program wrote to that, or the disk is not to be trusted";
    Err(Error::Io(io::Error::other(words)))
}

/// Refuses where a full copy of `store` has no room beside `place`.
pub(super) fn require_room(store: &Path, place: &Path) -> Result<()> {
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (bytes, free) = (fs::metadata(store)?.len(), disk::free_bytes(&File::open(folder)?)?);
    if free < bytes { Err(no_room(bytes, 0, free)) } else { Ok(()) }
}

fn no_room(bytes: u64, leave_bytes: u64, free: u64) -> Error {
    let more = if leave_bytes == 0 { String::new() } else { format!(", the repair itself {leave_bytes},") };
    let words = format!(
        "a full backup needs {bytes} bytes{more} and {free} are free; '--backup undo' keeps only what changes, '--backup PATH' puts it elsewhere"
    );
    Error::Io(io::Error::new(ErrorKind::StorageFull, words))
}

/// Gives a copy the first name that is free.
fn numbered(store: &Path, copy: &mut Part) -> Result<PathBuf> {
    let names = std::iter::once(FULL.to_owned()).chain(NUMBERS.map(|number| format!("{FULL}.{number}")));
    for name in names {
        let path = beside(store, &name);
        match copy.place(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Unsupported("there are 10000 backups of it already; move some away".into()))
}

/// Refuses to write over a file.
pub(super) fn exists(path: &Path) -> io::Error {
    io::Error::new(ErrorKind::AlreadyExists, format!("{} exists; move it away", path.display()))
}

/// A new file that nobody may read who may not read the store; none where that cannot be seen to.
pub(super) fn create(path: &Path, like: &fs::Metadata) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    // Only root may give files away; the copy then stays with who made it, and private.
    if std::os::unix::fs::fchown(&file, Some(like.uid()), Some(like.gid())).is_ok() {
        file.set_permissions(like.permissions()).inspect_err(|_| {
            // What cannot be removed is empty, and the next one says that it is there.
            let _ = fs::remove_file(path);
        })?;
    }
    Ok(file)
}

/// Makes a new name durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
