//! A file that is not whole yet: it has a name that only this program gives, and gets its own when it is whole.
//!
//! Who is killed while he writes one leaves it behind. The next who wants to write it takes it away, unless another
//! program writes it at this moment, which its lock tells.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::backup::{create, sync_folder};
use super::beside;
use crate::damage::Result;
use crate::disk::{self, Lock, Locking};

/// What is behind the name that the file is to have.
const PART: &str = ".pstfs-part";

/// Such a file; without [`Part::place`] or [`Part::replace`] it goes away again.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    file: File,
    _lock: Option<Lock>,
}

impl Part {
    /// A new one that will have this name, and that nobody may read who may not read the file it is made `like`.
    pub(super) fn create(name: &Path, like: &fs::Metadata) -> Result<Self> {
        let path = beside(name, PART);
        take_away(&path)?;
        let file = create(&path, like)?;
        let lock = match Lock::exclusive(&path)? {
            Locking::Held(lock) => Some(lock),
            Locking::Busy => return Err(busy(&path).into()),
            Locking::Unknown => None,
        };
        Ok(Self { path, file, _lock: lock })
    }

    /// The file, for reading and writing.
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Where it is now.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, durably; `AlreadyExists` where there is a file of that name.
    pub(super) fn place(&mut self, name: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        disk::rename_new(&self.path, name)?;
        self.path = PathBuf::new();
        sync_folder(name)
    }

    /// Puts it in the place of a file, durably and in one step: whatever happens, there is the old one or this.
    pub(super) fn replace(&mut self, file: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, file)?;
        self.path = PathBuf::new();
        sync_folder(file)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.path != Path::new("") {
            // Who cannot remove it leaves it to the next one.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes what one who was killed left; says what stands there where it is something else.
fn take_away(path: &Path) -> Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        metadata => metadata?,
    };
    if !metadata.is_file() {
        let words = format!("{} stands where a file is to be written, and is none of pstfs; move it away", path.display());
        return Err(io::Error::new(ErrorKind::AlreadyExists, words).into());
    }
    match Lock::exclusive(path)? {
        Locking::Busy => Err(busy(path).into()),
        Locking::Held(_) | Locking::Unknown => Ok(fs::remove_file(path)?),
    }
}

fn busy(path: &Path) -> io::Error {
    io::Error::new(ErrorKind::AlreadyExists, format!("{} is being written by another pstfs; wait for its end", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn it_has_its_name_when_it_is_whole_and_never_takes_that_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let (name, like) = (folder.path().join("a.bak"), fs::metadata(folder.path()).unwrap());
        let names = || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        let mut part = Part::create(&name, &like).unwrap();
        part.file().write_all(b"half").unwrap();
        assert_eq!(names(), ["a.bak.pstfs-part"]);
        let second = Part::create(&name, &like).unwrap_err().to_string();
        assert!(second.contains("another pstfs"), "{second}");
        part.place(&name).unwrap();
        drop(part);
        assert_eq!((names(), fs::read(&name).unwrap()), (vec!["a.bak".into()], b"half".to_vec()));
        let mut part = Part::create(&name, &like).unwrap();
        assert_eq!(part.place(&name).unwrap_err().kind(), ErrorKind::AlreadyExists);
        drop(part);
        assert_eq!((names(), fs::read(&name).unwrap()), (vec!["a.bak".into()], b"half".to_vec()));
    }

    #[test]
    fn what_a_killed_program_left_is_taken_away_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let (name, like) = (folder.path().join("a.bak"), fs::metadata(folder.path()).unwrap());
        let left = folder.path().join("a.bak.pstfs-part");
        fs::write(&left, "half").unwrap();
        Part::create(&name, &like).unwrap().place(&name).unwrap();
        assert!(fs::read(&name).unwrap().is_empty() && !left.exists());
        fs::create_dir(&left).unwrap();
        let refused = Part::create(&name, &like).unwrap_err().to_string();
        assert!(refused.contains("move it away") && left.is_dir(), "{refused}");
    }
}
