//! Alone with a store: its lock, and what those are told who have it open in this program.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::order::Held;
use crate::damage::{Error, Result};
use crate::disk::{Lock, Locking};

/// Nobody else has the store, until this is dropped.
pub(super) enum Alone<'a> {
    Own {
        _lock: Lock,
    },
    Lent(&'a Lock),
    /// The file system has no locks.
    Unknown,
}

impl<'a> Alone<'a> {
    pub(super) fn with(path: &Path, held: Held<'a>) -> Result<Self> {
        if let Some(lock) = held.lock {
            return if lock.upgrade()? { Ok(Self::Lent(lock)) } else { Err(busy()) };
        }
        match Lock::exclusive(path)? {
            Locking::Held(lock) => Ok(Self::Own { _lock: lock }),
            Locking::Busy => Err(busy()),
            Locking::Unknown => Ok(Self::Unknown),
        }
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if let Self::Lent(lock) = self {
            // Without it the mount goes on as on a file system that has no locks.
            let _ = lock.downgrade();
        }
    }
}

/// Refuses where another has it.
pub(super) fn busy() -> Error {
    Error::Io(io::Error::new(ErrorKind::ResourceBusy, "another program has the store open"))
}

/// Does what writes to the file, and tells those who have it open that it was this program.
pub(super) fn own<T>(held: Held<'_>, path: &Path, write: impl FnOnce() -> Result<T>) -> Result<T> {
    let Some(own) = held.own else { return write() };
    own.begin();
    let result = write();
    own.end(path)?;
    result
}

/// Nobody repairs the store until this is dropped; nothing where the file system has no locks.
pub(super) fn looking(path: &Path) -> Result<Option<Lock>> {
    match Lock::shared(path)? {
        Locking::Busy => Err(busy()),
        Locking::Held(lock) => Ok(Some(lock)),
        Locking::Unknown => Ok(None),
    }
}
