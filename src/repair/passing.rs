//! Digests of a file that come of somebody else's reading it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::digest::{Begun, Digests, PIECE_BYTES, Piece, count, lock, set};
use crate::damage::Result;
use crate::disk::ReadAt;
use crate::progress::Progress;

/// How many pieces may wait for the rest of them: one for each thread of a scan, and more.
const BEGUN_MAX: usize = 16;

/// A file whose pieces are digested as somebody reads it, so that it need not be read a second time for that.
///
/// Nothing comes of it but speed: what nobody reads, or cannot be read, is left to [`Passing::digests`].
#[derive(Debug)]
pub(super) struct Passing {
    file: Arc<dyn ReadAt>,
    len: u64,
    pieces: Mutex<Vec<Option<Piece>>>,
    /// Those of which the beginning was read.
    begun: Mutex<Vec<Begun>>,
}

impl Passing {
    /// This file, of which nothing was read yet.
    pub(super) fn new(file: &Arc<dyn ReadAt>) -> Result<Self> {
        let len = file.len()?;
        Ok(Self { file: Arc::clone(file), len, pieces: Mutex::new(vec![None; count(len)?]), begun: Mutex::default() })
    }

    /// The digests of all; reads what nobody read.
    pub(super) fn digests(self, progress: &Progress) -> Result<Digests> {
        let pieces = self.pieces.into_inner().unwrap_or_else(PoisonError::into_inner);
        let missing = pieces.iter().filter(|piece| piece.is_none()).count();
        progress.begin("Reading the rest of the store", PIECE_BYTES.saturating_mul(u64::try_from(missing).unwrap_or(u64::MAX)))?;
        Digests::fill(&*self.file, self.len, pieces, progress)
    }

    /// Digests bytes that were read at an offset.
    fn pass(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            let index = offset.checked_div(PIECE_BYTES).unwrap_or(0);
            let end = index.saturating_add(1).saturating_mul(PIECE_BYTES).min(self.len);
            let here = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes.len());
            let (part, behind) = bytes.split_at_checked(here).unwrap_or((bytes, &[]));
            if part.is_empty() {
                break;
            }
            self.part(part, offset, index, end)?;
            bytes = behind;
            offset = offset.saturating_add(u64::try_from(here).unwrap_or(0));
        }
        Ok(())
    }

    /// Digests a part of a piece, and what lies between it and what was digested of the piece before.
    fn part(&self, part: &[u8], offset: u64, index: u64, end: u64) -> io::Result<()> {
        if lock(&self.pieces).get(usize::try_from(index).unwrap_or(usize::MAX)).is_none_or(Option::is_some) {
            return Ok(());
        }
        let mut begun = self.begun(index);
        begun.read_up_to(&*self.file, offset)?;
        let known = usize::try_from(begun.next.saturating_sub(offset)).unwrap_or(usize::MAX);
        begun.add(part.get(known..).unwrap_or_default());
        self.put(begun, end)
    }

    /// What is known of a piece, which nobody else has then.
    fn begun(&self, index: u64) -> Begun {
        let mut all = lock(&self.begun);
        match all.iter().position(|begun| begun.index == index) {
            Some(at) => all.remove(at),
            None => Begun::new(index, self.len),
        }
    }

    /// Keeps a piece for what comes behind it; of too many, the one that waits longest is read to its end.
    fn put(&self, begun: Begun, end: u64) -> io::Result<()> {
        if begun.next >= end {
            set(&self.pieces, begun.index, begun.piece(self.len));
            return Ok(());
        }
        let mut all = lock(&self.begun);
        all.push(begun);
        if all.len() <= BEGUN_MAX {
            return Ok(());
        }
        let mut oldest = all.remove(0);
        drop(all);
        oldest.read_up_to(&*self.file, oldest.index.saturating_add(1).saturating_mul(PIECE_BYTES).min(self.len))?;
        set(&self.pieces, oldest.index, oldest.piece(self.len));
        Ok(())
    }
}

impl ReadAt for Passing {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_trusting_at(buffer, offset)?;
        if let Err(reason) = self.pass(buffer, offset) {
            // What could not be read lies beside what was asked for.
            tracing::debug!("not digested in passing: {reason}");
        }
        Ok(())
    }

    fn was_changed(&self) -> io::Result<bool> {
        self.file.was_changed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damage::Error;
    use std::thread;

    const PIECE: usize = PIECE_BYTES as usize;

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at % 251) as u8).collect()
    }

    #[test]
    fn what_passes_by_is_digested_whoever_reads_it_and_in_whatever_order() {
        let bytes = bytes(5 * PIECE + 12_345);
        let passing = Passing::new(&(Arc::new(bytes.clone()) as Arc<dyn ReadAt>)).unwrap();
        thread::scope(|scope| {
            for start in [3 * PIECE + 100, 17] {
                let (passing, bytes) = (&passing, &bytes);
                scope.spawn(move || {
                    for at in (start..start + 2 * PIECE).step_by(300_000) {
                        let mut read = vec![0; 299_000];
                        passing.read_exact_at(&mut read, at as u64).unwrap();
                        assert!(read == bytes[at..at + 299_000], "{at}");
                    }
                });
            }
        });
        assert!(passing.read_exact_at(&mut [0; 2], bytes.len() as u64 - 1).is_err());
        assert!(lock(&passing.pieces).iter().filter(|piece| piece.is_some()).count() >= 4, "what was read of them as a whole");
        assert_eq!(passing.digests(&Progress::default()).unwrap(), Digests::of(&bytes, &Progress::default()).unwrap());
    }

    /// A disk one sector of which cannot be read.
    #[derive(Debug)]
    struct Bad(Vec<u8>);

    impl ReadAt for Bad {
        fn len(&self) -> io::Result<u64> {
            ReadAt::len(&self.0)
        }

        fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
            let end = offset + buffer.len() as u64;
            if (offset..end).contains(&700_000) { Err(io::Error::other("bad")) } else { self.0.read_exact_at(buffer, offset) }
        }
    }

    #[test]
    fn a_bad_place_beside_what_is_read_is_an_error_only_of_the_digests() {
        let passing = Passing::new(&(Arc::new(Bad(bytes(3 * PIECE))) as Arc<dyn ReadAt>)).unwrap();
        passing.read_exact_at(&mut [0; 1000], 1000).unwrap();
        assert!(passing.read_exact_at(&mut [0; 1000], 699_500).is_err());
        assert!(matches!(passing.digests(&Progress::default()), Err(Error::Io(_))));
    }
}
