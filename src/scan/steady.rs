//! The file as a scan or the planning of a repair reads it: all of it, from several threads, until the user has enough.
//!
//! A reader that shows what it reads asks at each read whether another program has written to the file. A scan reads
//! millions of blocks and tells at its end, so it asks now and then. Whoever waits for its end wants it within a second
//! of asking, wherever it is: from then on no read gives anything.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::disk::ReadAt;
use crate::progress::Progress;

/// How many reads of a thread go by between two questions whether the file was changed.
const READS: u64 = 1024;

thread_local! {
    /// How often this thread has read: one count of all would be written to by all cores, each waiting for the others.
    static DONE: Cell<u64> = const { Cell::new(0) };
}

/// A file that is read as a whole.
#[derive(Debug)]
pub(super) struct Steady {
    file: Arc<dyn ReadAt>,
    progress: Progress,
    changed: AtomicBool,
}

impl Steady {
    /// This file, until the task is cancelled.
    pub(super) fn new(file: &Arc<dyn ReadAt>, progress: &Progress) -> Self {
        Self { file: Arc::clone(file), progress: progress.clone(), changed: AtomicBool::new(false) }
    }

    fn go_on(&self) -> io::Result<()> {
        self.progress.check().map_err(|cancelled| io::Error::new(io::ErrorKind::Interrupted, cancelled))
    }
}

impl ReadAt for Steady {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.go_on()?;
        self.file.read_trusting_at(buffer, offset)
    }

    fn was_changed(&self) -> io::Result<bool> {
        self.go_on()?;
        let done = DONE.replace(DONE.get().wrapping_add(1));
        if done.checked_rem(READS) == Some(0) && self.file.was_changed()? {
            self.changed.store(true, Ordering::Relaxed);
        }
        Ok(self.changed.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    /// Counts how often it is asked, and is changed from the beginning.
    #[derive(Debug, Default)]
    struct Changed(AtomicU64);

    impl ReadAt for Changed {
        fn len(&self) -> io::Result<u64> {
            Ok(1)
        }

        fn read_exact_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
            Ok(())
        }

        fn was_changed(&self) -> io::Result<bool> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(true)
        }
    }

    #[test]
    fn the_file_is_asked_now_and_then_and_what_it_said_stays() {
        let file = Arc::new(Changed::default());
        let steady = Steady::new(&(file.clone() as Arc<dyn ReadAt>), &Progress::default());
        assert!((0..4 * READS).all(|_| steady.was_changed().unwrap()));
        assert_eq!(file.0.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn nothing_is_read_once_the_user_has_enough() {
        let (file, progress): (Arc<dyn ReadAt>, _) = (Arc::new(vec![7; 10]), Progress::default());
        let steady = Steady::new(&file, &progress);
        steady.read_exact_at(&mut [0; 10], 0).unwrap();
        progress.cancel();
        assert_eq!(steady.read_exact_at(&mut [0; 10], 0).unwrap_err().kind(), io::ErrorKind::Interrupted);
        assert_eq!(steady.was_changed().unwrap_err().kind(), io::ErrorKind::Interrupted);
    }
}
