//! Files in the folder of the export: made under another name, renamed when they are whole, never over one of others.

use std::fs::{self, DirBuilder, File, FileTimes};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::{Stop, Time, hex};

/// What keeps one item from being written, or all.
#[derive(Debug)]
pub(super) enum Trouble {
    /// This item, in words for the user.
    Item(String),
    /// All.
    Stop(Stop),
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// The folder of the export.
#[derive(Debug)]
pub(super) struct Target {
    dir: PathBuf,
    mode: u32,
    /// Open and locked as long as the run goes on.
    _lock: File,
}

impl Target {
    /// The folder, made where it is not there, and locked against a second run.
    pub(super) fn open(dir: &Path, mode: u32) -> Result<Self, Stop> {
        let refused = |what: String| Stop::Refused(dir.to_owned(), what);
        let failed = |error: io::Error| refused(format!("cannot be written to: {error}"));
        match dir.metadata() {
            Ok(found) if !found.is_dir() => return Err(refused("is not a folder".into())),
            Ok(_) => {}
            Err(_) => folders(mode).create(dir).map_err(failed)?,
        }
        let lock = File::open(dir).map_err(failed)?;
        match lock.try_lock() {
            Err(fs::TryLockError::WouldBlock) => return Err(refused("another export is writing to it; wait for that one".into())),
            // Some network file systems have no locks.
            Err(fs::TryLockError::Error(_)) | Ok(()) => {}
        }
        Ok(Self { dir: dir.to_owned(), mode, _lock: lock })
    }

    /// Where a path leads to.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.dir.join(path)
    }

    /// Makes a folder and those above it.
    pub(super) fn make_folder(&self, path: &str) -> Result<(), Trouble> {
        let full = self.path(path);
        match folders(self.mode).create(&full) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Trouble::Item(format!("{path} is in the way: it is not a folder")))
            }
            made => made.map_err(|error| trouble(&full, error)),
        }
    }

    /// Makes an empty file, unless something is there.
    pub(super) fn touch(&self, path: &str) -> Result<(), Trouble> {
        let full = self.path(path);
        match File::options().write(true).create_new(true).mode(self.mode).open(&full) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(trouble(&full, error)),
            _ => Ok(()),
        }
    }

    /// Begins a file that will be called `path`; until then it is called `making`, in the same file system.
    pub(super) fn begin(&self, making: &str, path: &str) -> Result<Making, Trouble> {
        let full = self.path(making);
        let found = self.path(path);
        // A name that the file system does not take is told before anything is written.
        if let Err(error) = found.symlink_metadata()
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(trouble(&found, error));
        }
        // What a run that was killed left behind.
        if full.symlink_metadata().is_ok() {
            fs::remove_file(&full).map_err(|error| trouble(&full, error))?;
        }
        let file = File::options().write(true).create_new(true).mode(self.mode).open(&full).map_err(|error| trouble(&full, error))?;
        Ok(Making { file: Some(io::BufWriter::with_capacity(256 << 10, file)), path: full, hash: Sha256::new(), size: 0 })
    }

    /// Puts a finished file in its place. One that is there already stays where it holds the same; else it is replaced
    /// only where it is `known` to be of an earlier run.
    pub(super) fn place(&self, whole: Whole, path: &str, known: bool) -> Result<Made, Trouble> {
        let full = self.path(path);
        match full.symlink_metadata() {
            Ok(found) if found.is_file() && (known || whole.is_same_as(&full, found.len())) => {}
            Ok(_) => return Err(Trouble::Item(format!("{path} is in the way: it is not of an earlier run; move it away"))),
            Err(_) => {}
        }
        whole.rename(&full).map_err(|error| trouble(&full, error))
    }

    /// Whether a file of this size is there.
    pub(super) fn has(&self, path: &str, size: u64) -> bool {
        self.path(path).symlink_metadata().is_ok_and(|found| found.is_file() && found.len() == size)
    }

    /// Returns when all that was written has reached the medium, as far as the system tells.
    pub(super) fn sync(&self) -> Result<(), Stop> {
        crate::disk::sync_file_system(&self._lock).map_err(|error| Stop::Target(self.dir.clone(), error))
    }
}

fn folders(mode: u32) -> DirBuilder {
    let mut builder = DirBuilder::new();
    // Who may read a file may look into its folder.
    builder.recursive(true).mode(mode | ((mode & 0o444) >> 2));
    builder
}

/// Sets the time of a file or folder; what tells none is of 1970, as in a mount.
pub(super) fn set_time(file: &File, time: Option<Time>) -> io::Result<()> {
    let time = time.and_then(system_time).unwrap_or(UNIX_EPOCH);
    file.set_times(FileTimes::new().set_accessed(time).set_modified(time))
}

fn system_time((seconds, nanos): Time) -> Option<SystemTime> {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let begin = if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    begin?.checked_add(Duration::from_nanos(nanos.into()))
}

/// What an error of the file system means: the end where the next file could not be written either.
pub(super) fn trouble(path: &Path, error: io::Error) -> Trouble {
    use io::ErrorKind as Kind;
    let ends = matches!(error.kind(), Kind::StorageFull | Kind::QuotaExceeded | Kind::ReadOnlyFilesystem | Kind::StaleNetworkFileHandle);
    let ends = ends || matches!(error.raw_os_error(), Some(libc::EIO | libc::ENOTCONN | libc::ENODEV | libc::ENXIO));
    if ends { Trouble::Stop(Stop::Target(path.to_owned(), error)) } else { Trouble::Item(format!("cannot be written: {error}")) }
}

/// A file in the making; gone when it is dropped.
#[derive(Debug)]
pub(super) struct Making {
    file: Option<io::BufWriter<File>>,
    path: PathBuf,
    hash: Sha256,
    size: u64,
}

impl Making {
    /// Appends bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(bytes).map_err(|error| trouble(&self.path, error))?;
        self.hash.update(bytes);
        self.size = self.size.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Where the file ends now.
    pub(super) fn mark(&self) -> Mark {
        Mark { hash: self.hash.clone(), size: self.size }
    }

    /// Takes back what was written since.
    pub(super) fn go_back(&mut self, mark: Mark) -> Result<(), Stop> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let cut = file.seek(SeekFrom::Start(mark.size)).and_then(|_| file.get_ref().set_len(mark.size));
        (self.hash, self.size) = (mark.hash, mark.size);
        cut.map_err(|error| Stop::Target(self.path.clone(), error))
    }

    /// The whole file, with its time set.
    pub(super) fn finish(mut self, time: Option<Time>) -> Result<Whole, Trouble> {
        let path = self.path.clone();
        let failed = |error| trouble(&path, error);
        if let Some(file) = self.file.take() {
            let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
            // A file system without such times still has the document.
            let _ = set_time(&file, time);
        }
        let (hash, size) = (std::mem::take(&mut self.hash), self.size);
        Ok(Whole { made: Made { sha256: hex(hash), size }, making: self })
    }
}

/// A place in a file in the making.
#[derive(Debug)]
pub(super) struct Mark {
    hash: Sha256,
    size: u64,
}

impl Mark {
    /// Its offset.
    pub(super) const fn offset(&self) -> u64 {
        self.size
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        // After a rename there is nothing of that name.
        let _ = fs::remove_file(&self.path);
    }
}

/// A file that is whole and waits for its name.
#[derive(Debug)]
pub(super) struct Whole {
    made: Made,
    making: Making,
}

/// What is known of a file that is in its place.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) sha256: String,
    pub(super) size: u64,
}

impl Whole {
    fn is_same_as(&self, path: &Path, len: u64) -> bool {
        len == self.made.size && digest(path).is_ok_and(|digest| digest == self.made.sha256)
    }

    fn rename(self, to: &Path) -> io::Result<Made> {
        fs::rename(&self.making.path, to)?;
        Ok(self.made)
    }
}

fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(hash)),
            count => hash.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}
