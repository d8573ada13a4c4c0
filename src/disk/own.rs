//! What this program writes to a file that it shows meanwhile, and how readers of an older state of it read on.
//!
//! A job that writes ends one state of the file and begins the next. Before a byte changes it is kept for those who opened
//! the file in the state that ends: their sources read what was kept in place of what stands in the file now. Each state
//! holds the one after it, and nothing else holds what was kept: it goes with the last source that may ask for it.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use super::file::Identity;
use super::kept::{Kept, Part};
use super::{ReadAt, WritableFile, WriteAt, copy};

/// How many bytes are kept at a time.
const PIECE_BYTES: u64 = 1 << 20;

/// Tells every source of a file that it was this program that wrote to it, so that what they show is not out of date.
///
/// One who repairs a file that he shows himself gives it to all sources of that file.
#[derive(Debug, Default)]
pub struct OwnWrites(Mutex<Now>);

#[derive(Debug, Default)]
struct Now {
    own: Own,
    state: Arc<State>,
    /// The state that ends, while something is written.
    ending: Option<Arc<State>>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Own {
    #[default]
    None,
    Writing,
    Wrote(Identity),
}

impl OwnWrites {
    /// From now on changes are this program's.
    pub fn begin(&self) {
        let mut now = self.now();
        let old = std::mem::take(&mut now.state);
        // A state that was the present one until here has none after it.
        let _ = old.0.set(Next { kept: RwLock::default(), state: Arc::clone(&now.state) });
        now.ending = Some(old);
        now.own = Own::Writing;
    }

    /// They are made; what comes after them is another program's.
    pub fn end(&self, path: &Path) -> io::Result<()> {
        let mut now = self.now();
        now.ending = None;
        now.own = Own::Wrote(Identity::of(&std::fs::metadata(path)?));
        Ok(())
    }

    /// Opens the file to write to it, between [`begin`](Self::begin) and [`end`](Self::end).
    pub fn file(&self, path: &Path) -> io::Result<KeepingFile> {
        let file = WritableFile::open(path)?;
        let ending = self.now().ending.clone();
        if let Some(next) = ending.as_ref().and_then(|state| state.0.get()) {
            next.kept.write().unwrap_or_else(PoisonError::into_inner).begin(file.len()?);
        }
        Ok(KeepingFile { file, ending })
    }

    /// Whether this program has written to the file.
    pub fn was_used(&self) -> bool {
        !matches!(self.own(), Own::None)
    }

    pub(super) fn own(&self) -> Own {
        self.now().own
    }

    pub(super) fn state(&self) -> Arc<State> {
        Arc::clone(&self.now().state)
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A state of a file: what was written since leads to the next.
#[derive(Debug, Default)]
pub(super) struct State(OnceLock<Next>);

/// What came after a state.
#[derive(Debug)]
struct Next {
    /// What was overwritten of it.
    kept: RwLock<Kept>,
    state: Arc<State>,
}

impl State {
    /// The file's length in this state, where it is another by now.
    pub(super) fn len(&self) -> Option<u64> {
        self.0.get()?.kept.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Fills `buffer` as the file was in this state; `file` reads what it is now.
    pub(super) fn read(&self, buffer: &mut [u8], offset: u64, file: &dyn Fn(&mut [u8], u64) -> io::Result<()>) -> io::Result<()> {
        if self.0.get().is_none() {
            let read = file(buffer, offset);
            // Nothing is written before this is told: what was read until now is of this state.
            if self.0.get().is_none() {
                return read;
            }
        }
        self.read_older(buffer, offset, file)
    }

    fn read_older(&self, mut buffer: &mut [u8], mut offset: u64, file: &dyn Fn(&mut [u8], u64) -> io::Result<()>) -> io::Result<()> {
        let Some(next) = self.0.get() else { return file(buffer, offset) };
        // Held until the rest is read: what is not kept yet is not overwritten before it is.
        let kept = next.kept.read().unwrap_or_else(PoisonError::into_inner);
        if kept.len().is_some_and(|len| offset.saturating_add(u64::try_from(buffer.len()).unwrap_or(u64::MAX)) > len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        while !buffer.is_empty() {
            let part = kept.part(offset, buffer.len());
            let (head, tail) = buffer.split_at_mut_checked(part.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            match part {
                Part::Kept(bytes) => copy(head, bytes),
                Part::Lost(_) => return Err(io::Error::other("what stood here was overwritten, and there was no room to keep it")),
                Part::Other(_) => next.state.read(head, offset, file)?,
            }
            offset = offset.saturating_add(u64::try_from(head.len()).unwrap_or(u64::MAX));
            buffer = tail;
        }
        Ok(())
    }
}

/// A file to write to, of which older states are read meanwhile.
#[derive(Debug)]
pub struct KeepingFile {
    file: WritableFile,
    ending: Option<Arc<State>>,
}

impl From<WritableFile> for KeepingFile {
    /// One of which nobody reads an older state.
    fn from(file: WritableFile) -> Self {
        Self { file, ending: None }
    }
}

impl KeepingFile {
    /// Keeps the bytes from one offset up to another, as far as the file goes.
    fn keep(&self, mut offset: u64, end: u64) -> io::Result<()> {
        let Some(next) = self.ending.as_ref().and_then(|state| state.0.get()) else { return Ok(()) };
        let end = end.min(self.file.len()?);
        while offset < end {
            let len = end.saturating_sub(offset).min(PIECE_BYTES);
            let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
            let read = self.file.read_exact_at(&mut bytes, offset);
            let mut kept = next.kept.write().unwrap_or_else(PoisonError::into_inner);
            match read {
                Ok(()) => kept.keep(offset, &bytes),
                // A place that cannot be read is no reason to leave it as it is.
                Err(_) => kept.lose(offset, bytes.len()),
            }
            drop(kept);
            offset = offset.saturating_add(len);
        }
        Ok(())
    }
}

impl ReadAt for KeepingFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

impl WriteAt for KeepingFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.keep(offset, offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX)))?;
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.keep(len, u64::MAX)?;
        self.file.set_len(len)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Access, Opened, open};
    use super::*;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, Ordering};

    const BOTH: [Access; 2] = [Access { mmap: true }, Access { mmap: false }];

    struct Shown {
        _folder: tempfile::TempDir,
        path: PathBuf,
        own: Arc<OwnWrites>,
        access: Access,
    }

    impl Shown {
        fn new(bytes: &[u8], access: Access) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.pst");
            std::fs::write(&path, bytes).unwrap();
            Self { _folder: folder, path, own: Arc::default(), access }
        }

        fn open(&self) -> Opened {
            open(&self.path, self.access).unwrap().with_own_writes(Arc::clone(&self.own))
        }

        fn write(&self, write: impl FnOnce(&KeepingFile)) {
            self.own.begin();
            write(&self.own.file(&self.path).unwrap());
            self.own.end(&self.path).unwrap();
        }
    }

    fn whole(source: &dyn ReadAt) -> Vec<u8> {
        let mut bytes = vec![0; source.len().unwrap() as usize];
        source.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn a_source_reads_the_state_in_which_it_was_opened() {
        for access in BOTH {
            let shown = Shown::new(b"0123456789", access);
            let mut states = vec![(shown.open(), b"0123456789".to_vec())];
            let mut then = |write: &dyn Fn(&KeepingFile)| {
                shown.write(write);
                states.push((shown.open(), std::fs::read(&shown.path).unwrap()));
                for (number, (source, bytes)) in states.iter().enumerate() {
                    assert!(source.changed().unwrap().is_none());
                    assert_eq!(String::from_utf8(whole(source)), String::from_utf8(bytes.clone()), "{access:?}, state {number}");
                    for start in 0..bytes.len() {
                        let mut part = [0; 3];
                        let is_there = source.read_trusting_at(&mut part, start as u64).is_ok();
                        assert!(is_there == (start + 3 <= bytes.len()) && (!is_there || part == bytes[start..start + 3]), "{start}");
                    }
                }
            };
            then(&|file| file.write_all_at(b"abc", 2).unwrap());
            then(&|file| {
                file.set_len(20).unwrap();
                file.write_all_at(b"longer", 12).unwrap();
                file.write_all_at(b"x", 3).unwrap();
                file.write_all_at(b"yyy", 2).unwrap();
            });
            then(&|_| ());
            then(&|file| file.set_len(5).unwrap());
            then(&|file| file.write_all_at(b"0123456789", 0).unwrap());
        }
    }

    #[test]
    fn what_was_kept_goes_with_the_last_who_may_ask_for_it() {
        let shown = Shown::new(&[1; 10], BOTH[0]);
        let (first, state) = (shown.open(), Arc::downgrade(&shown.own.state()));
        shown.write(|file| file.write_all_at(&[2; 10], 0).unwrap());
        assert!(state.upgrade().is_some() && whole(&first) == [1; 10]);
        drop(first);
        assert!(state.upgrade().is_none());
    }

    #[test]
    fn a_place_that_was_overwritten_without_being_kept_is_an_error() {
        let shown = Shown::new(&[1; 10], BOTH[0]);
        let first = shown.open();
        shown.write(|file| {
            let ending = file.ending.as_ref().unwrap();
            ending.0.get().unwrap().kept.write().unwrap().lose(4, 2);
            file.write_all_at(&[2; 10], 0).unwrap();
        });
        let mut bytes = [0; 4];
        assert!(first.read_exact_at(&mut bytes, 1).is_err());
        first.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes, [1; 4]);
    }

    #[test]
    fn who_reads_while_something_is_written_reads_one_state() {
        for access in BOTH {
            let shown = Shown::new(&[0; 300_000], access);
            let stop = AtomicBool::new(false);
            let reader = |source: Opened, is: u8| {
                while !stop.load(Ordering::Relaxed) {
                    assert!(whole(&source).iter().all(|byte| *byte == is), "{is}");
                }
            };
            std::thread::scope(|scope| {
                for round in 0..20_u8 {
                    if round < 4 {
                        let source = shown.open();
                        scope.spawn(move || reader(source, round));
                    }
                    shown.write(|file| {
                        if round % 3 == 2 {
                            file.set_len(100).unwrap();
                        }
                        (0..30).for_each(|part| file.write_all_at(&[round + 1; 10_000], part * 10_000).unwrap());
                    });
                }
                stop.store(true, Ordering::Relaxed);
            });
        }
    }
}
