//! A file that is read with `pread`.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::ReadAt;

/// A regular file or a block device, opened for reading only, and so that reading leaves its access time alone.
#[derive(Debug)]
pub struct PreadFile {
    file: File,
    is_device: bool,
}

/// What tells a file, and a state of it, from others.
///
/// Two writes within one tick of the file system's clock that keep the size give the same identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The device that the file is on.
    pub dev: u64,
    /// Its inode number there.
    pub ino: u64,
    /// Its size in bytes.
    pub size: u64,
    /// When its content last changed: seconds since 1970 and nanoseconds.
    pub mtime: (i64, i64),
}

impl PreadFile {
    /// Opens a file.
    ///
    /// A directory is refused as `IsADirectory`, a pipe, socket or character device as `InvalidInput`; neither is
    /// touched, since opening alone may block or wind a tape.
    pub fn open(path: &Path) -> io::Result<Self> {
        only_with_positions(&std::fs::metadata(path)?)?;
        let file = open_quietly(path)?;
        // Asked again of what was opened: the name may stand for something else by now.
        let metadata = file.metadata()?;
        only_with_positions(&metadata)?;
        Ok(Self { file, is_device: metadata.file_type().is_block_device() })
    }

    /// The open file, for locks and for what the owner may do with it.
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// What the file is now.
    pub fn identity(&self) -> io::Result<Identity> {
        let metadata = self.file.metadata()?;
        Ok(Identity { size: self.len()?, ..Identity::of(&metadata) })
    }
}

impl Identity {
    /// The identity that `stat` shows; it gives a block device no size.
    pub fn of(metadata: &Metadata) -> Self {
        Self { dev: metadata.dev(), ino: metadata.ino(), size: metadata.size(), mtime: (metadata.mtime(), metadata.mtime_nsec()) }
    }

    /// Whether both stand for the same file, in whatever state.
    pub const fn is_same_file(&self, other: &Self) -> bool {
        self.dev == other.dev && self.ino == other.ino
    }
}

impl ReadAt for PreadFile {
    fn len(&self) -> io::Result<u64> {
        if self.is_device {
            // The position is nobody's: all reads bring their own.
            return (&self.file).seek(SeekFrom::End(0));
        }
        Ok(self.file.metadata()?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = end_of(buffer, offset)?;
        self.read_trusting_at(buffer, offset)?;
        // The kernel asks for the size before it copies: a cut in between shows the last page's rest as zeros.
        if end > self.len()? { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    fn read_trusting_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        end_of(buffer, offset)?;
        self.file.read_exact_at(buffer, offset)
    }
}

/// Where a read ends; `UnexpectedEof` where no file can be as long, for which `pread` has a less telling error.
fn end_of(buffer: &[u8], offset: u64) -> io::Result<u64> {
    let len = u64::try_from(buffer.len()).ok();
    let end = len.and_then(|len| offset.checked_add(len)).filter(|end| i64::try_from(*end).is_ok());
    end.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Refuses what has no bytes at positions.
fn only_with_positions(metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() || kind.is_block_device() {
        return Ok(());
    }
    if kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a folder, not a file"));
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "is neither a file nor a block device"))
}

/// Opens for reading, without touching the access time where the system lets us.
fn open_quietly(path: &Path) -> io::Result<File> {
    let open = |flags| OpenOptions::new().read(true).custom_flags(flags).open(path);
    match open(libc::O_NOATIME) {
        // Only the owner and root may ask for it.
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => open(0),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::FileTimes;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_folder_is_refused_by_name() {
        let error = PreadFile::open(tempfile::tempdir().unwrap().path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    }

    #[test]
    fn a_device_without_positions_is_refused() {
        assert_eq!(PreadFile::open(Path::new("/dev/null")).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_pipe_that_nobody_writes_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(PreadFile::open(&pipe).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn an_offset_that_no_file_reaches_is_past_the_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let file = PreadFile::open(file.path()).unwrap();
        for offset in [u64::MAX, u64::MAX - 1, i64::MAX.unsigned_abs(), 1 << 62] {
            assert_eq!(file.read_exact_at(&mut [0; 2], offset).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn reading_leaves_the_access_time_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [7; 9000]).unwrap();
        // Older than the last change, so that relatime would move it.
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        file.as_file().set_times(FileTimes::new().set_accessed(long_ago)).unwrap();
        for mmap in [true, false] {
            let opened = super::super::open(file.path(), super::super::Access { mmap }).unwrap();
            opened.read_exact_at(&mut [0; 9000], 0).unwrap();
        }
        assert_eq!(file.as_file().metadata().unwrap().accessed().unwrap(), long_ago);
    }
}
