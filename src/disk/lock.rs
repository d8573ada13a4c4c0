//! Who may write: advisory locks on a store's file, shared by those who look, alone for the one who repairs.
//!
//! The locks are those of flock(2): they belong to the open file and end with it, whatever ends the process.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// A lock on a file, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// What became of the wish for a lock.
#[derive(Debug)]
pub enum Locking {
    /// It is held.
    Held(Lock),
    /// Somebody else holds one that does not go with it.
    Busy,
    /// The file system has no locks.
    Unknown,
}

impl Lock {
    /// A lock for looking, which others may hold too.
    pub fn shared(path: &Path) -> io::Result<Locking> {
        let file = File::open(path)?;
        taken(file.try_lock_shared()).map(|taken| locking(taken, file))
    }

    /// A lock for writing, which excludes every other.
    pub fn exclusive(path: &Path) -> io::Result<Locking> {
        let file = File::open(path)?;
        taken(file.try_lock()).map(|taken| locking(taken, file))
    }

    /// Makes a shared lock one for writing, without waiting; where others look too it stays as it was.
    pub fn upgrade(&self) -> io::Result<bool> {
        if taken(self.file.try_lock())? == Some(true) {
            return Ok(true);
        }
        // A conversion that fails has let go of the lock that was held (flock(2)).
        self.downgrade().map(|_| false)
    }

    /// Makes it a shared lock again; whether that could be done.
    pub fn downgrade(&self) -> io::Result<bool> {
        Ok(taken(self.file.try_lock_shared())? == Some(true))
    }
}

fn locking(taken: Option<bool>, file: File) -> Locking {
    match taken {
        Some(true) => Locking::Held(Lock { file }),
        Some(false) => Locking::Busy,
        None => Locking::Unknown,
    }
}

/// Whether a lock was taken; `None` where the file system has none.
fn taken(result: Result<(), TryLockError>) -> io::Result<Option<bool>> {
    match result {
        Ok(()) => Ok(Some(true)),
        Err(TryLockError::WouldBlock) => Ok(Some(false)),
        Err(TryLockError::Error(error)) => match error.raw_os_error() {
            Some(libc::ENOLCK | libc::EOPNOTSUPP | libc::ENOSYS) => Ok(None),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(locking: io::Result<Locking>) -> Option<Lock> {
        match locking.unwrap() {
            Locking::Held(lock) => Some(lock),
            Locking::Busy => None,
            Locking::Unknown => panic!("no locks here"),
        }
    }

    #[test]
    fn many_look_and_one_writes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path();
        let first = held(Lock::shared(path)).unwrap();
        let second = held(Lock::shared(path)).unwrap();
        assert!(held(Lock::exclusive(path)).is_none());
        assert!(!first.upgrade().unwrap(), "another looks too");
        assert!(held(Lock::exclusive(path)).is_none(), "the shared lock stays");
        drop(second);
        assert!(first.upgrade().unwrap());
        assert!(held(Lock::shared(path)).is_none());
        assert!(first.downgrade().unwrap());
        assert!(held(Lock::shared(path)).is_some());
        drop(first);
        assert!(held(Lock::exclusive(path)).is_some());
    }
}
