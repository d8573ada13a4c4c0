//! Files that can be written: on disk with `pread` and `pwrite`, and in memory.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{ReadAt, WriteAt};

/// A file opened for reading and writing.
#[derive(Debug)]
pub struct WritableFile(File);

impl WritableFile {
    /// A new file; an error where one of this name exists: a store is never written over another one.
    pub fn create_new(path: &Path) -> io::Result<Self> {
        OpenOptions::new().read(true).write(true).create_new(true).open(path).map(Self)
    }

    /// A file that exists.
    pub fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().read(true).write(true).open(path).map(Self)
    }
}

impl From<File> for WritableFile {
    fn from(file: File) -> Self {
        Self(file)
    }
}

impl ReadAt for WritableFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }
}

impl WriteAt for WritableFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}

/// A file that is nothing but bytes in memory.
#[derive(Debug, Default)]
pub struct MemoryFile(Mutex<Vec<u8>>);

impl MemoryFile {
    /// A file with these bytes.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(Mutex::new(bytes))
    }

    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadAt for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        u64::try_from(self.lock().len()).map_err(io::Error::other)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.lock().read_exact_at(buffer, offset)
    }
}

impl WriteAt for MemoryFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end = start.checked_add(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        let mut file = self.lock();
        if file.len() < end {
            file.resize(end, 0);
        }
        let place = file.get_mut(start..end).ok_or(io::ErrorKind::FileTooLarge)?;
        place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.lock().resize(usize::try_from(len).map_err(io::Error::other)?, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds_what_was_written(file: &dyn WriteAt) {
        file.write_all_at(b"world", 6).unwrap();
        file.write_all_at(b"hello ", 0).unwrap();
        file.set_len(12).unwrap();
        let mut bytes = [0; 12];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"hello world\0");
        assert_eq!(file.read_exact_at(&mut bytes, 1).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        file.sync().unwrap();
    }

    #[test]
    fn a_file_in_memory_and_one_on_disk_do_the_same() {
        holds_what_was_written(&MemoryFile::default());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.pst");
        holds_what_was_written(&WritableFile::create_new(&path).unwrap());
        assert!(WritableFile::create_new(&path).is_err(), "never over another file");
        assert_eq!(WritableFile::open(&path).unwrap().len().unwrap(), 12);
    }
}
