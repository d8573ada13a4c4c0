//! Digests of a file: one for each piece of it, and one of all, which is the file's BLAKE3.
//!
//! BLAKE3 is a tree over the bytes, and a [`PIECE_BYTES`] at a multiple of that is a whole branch of it. So pieces can be
//! read in any order and by several threads, and where a repair changes some of them only these are read again. What
//! comes out is what `b3sum FILE` prints.

use std::fmt::Write;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

use super::record::State;
use crate::damage::{Error, Result};
use crate::disk::ReadAt;
use crate::disk::overlay::Overlay;
use crate::progress::Progress;

/// How many bytes a piece has; the last one of a file may have fewer.
const PIECE_BYTES: u64 = 1 << 20;
/// More threads than this would wait for the disk or for each other.
const WORKERS_MAX: usize = 8;
/// How many pieces may wait for the rest of them: one for each thread of a scan, and more.
const BEGUN_MAX: usize = 16;

/// The digest of a piece, as a branch of the file's.
type Piece = [u8; 32];

/// The digests of a file's pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    len: u64,
    pieces: Vec<Piece>,
}

impl Digests {
    /// Reads all of a file.
    pub fn of(source: &dyn ReadAt, progress: &Progress) -> Result<Self> {
        Self::read(source, "Reading the store", progress)
    }

    /// Reads all of a file, in a phase of this name.
    pub(super) fn read(source: &dyn ReadAt, phase: &'static str, progress: &Progress) -> Result<Self> {
        let len = source.len()?;
        progress.begin(phase, len)?;
        Self::fill(source, len, vec![None; count(len)?], progress)
    }

    /// The digests of a file that is this one with other bytes in some places.
    pub(super) fn over(&self, changed: &Overlay) -> Result<Self> {
        let len = changed.len()?;
        let mut pieces: Vec<Option<Piece>> = self.pieces.iter().copied().map(Some).collect();
        pieces.resize(count(len)?, None);
        if whole(self.len) || whole(len) {
            pieces.fill(None);
        }
        let grown = (self.len.min(len), self.len.abs_diff(len));
        for (offset, bytes) in changed.replaced().chain([grown]).filter(|(_, bytes)| *bytes > 0) {
            let (first, last) = (index_of(offset), index_of(offset.saturating_add(bytes).saturating_sub(1)));
            pieces.iter_mut().take(last.saturating_add(1)).skip(first).for_each(|piece| *piece = None);
        }
        Self::fill(changed, len, pieces, &Progress::default())
    }

    /// What stands in a log of them: the length, and the digest of all.
    pub fn state(&self) -> State {
        let root = match self.pieces.as_slice() {
            [] => *blake3::hash(&[]).as_bytes(),
            [one] => *one,
            pieces => root(pieces),
        };
        let digest = root.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        State { len: self.len, digest }
    }

    /// Reads the pieces that are not known.
    fn fill(source: &dyn ReadAt, len: u64, pieces: Vec<Option<Piece>>, progress: &Progress) -> Result<Self> {
        let (next, pieces) = (AtomicU64::new(0), Mutex::new(pieces));
        let work = || {
            let mut bytes = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                match lock(&pieces).get(usize::try_from(index).unwrap_or(usize::MAX)) {
                    None => return Ok(()),
                    Some(Some(_)) => continue,
                    Some(None) => {}
                }
                load(source, len, index, &mut bytes)?;
                set(&pieces, index, piece(&bytes, index, len));
                progress.add(u64::try_from(bytes.len()).unwrap_or(0))?;
            }
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..workers()).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(broke_off())))
        })?;
        let pieces = pieces.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Self { len, pieces: pieces.into_iter().map(Option::unwrap_or_default).collect() })
    }
}

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

/// A piece that is digested up to some offset of the file.
#[derive(Debug)]
struct Begun {
    index: u64,
    hasher: blake3::Hasher,
    next: u64,
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
            None => Begun { index, hasher: branch_at(index, self.len), next: index.saturating_mul(PIECE_BYTES) },
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

impl Begun {
    fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.next = self.next.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
    }

    fn read_up_to(&mut self, file: &dyn ReadAt, offset: u64) -> io::Result<()> {
        let mut gap = vec![0; usize::try_from(offset.saturating_sub(self.next)).map_err(io::Error::other)?];
        if !gap.is_empty() {
            file.read_trusting_at(&mut gap, self.next)?;
            self.add(&gap);
        }
        Ok(())
    }

    fn piece(&self, len: u64) -> Piece {
        if whole(len) { *self.hasher.finalize().as_bytes() } else { self.hasher.finalize_non_root() }
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

/// Reads a piece of a file of this length.
fn load(source: &dyn ReadAt, len: u64, index: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let offset = index.saturating_mul(PIECE_BYTES);
    bytes.resize(usize::try_from(len.saturating_sub(offset).min(PIECE_BYTES)).unwrap_or(0), 0);
    source.read_trusting_at(bytes, offset)
}

/// The digest of a piece as a branch; of a file that has but one, of the file.
fn piece(bytes: &[u8], index: u64, len: u64) -> Piece {
    let mut begun = Begun { index, hasher: branch_at(index, len), next: 0 };
    begun.add(bytes);
    begun.piece(len)
}

/// What digests a piece.
fn branch_at(index: u64, len: u64) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    if !whole(len) {
        hasher.set_input_offset(index.saturating_mul(PIECE_BYTES));
    }
    hasher
}

/// Whether a file of this length is one piece.
const fn whole(len: u64) -> bool {
    len <= PIECE_BYTES
}

/// How many pieces there are.
fn count(len: u64) -> Result<usize> {
    Ok(usize::try_from(len.div_ceil(PIECE_BYTES)).map_err(io::Error::other)?)
}

fn index_of(offset: u64) -> usize {
    usize::try_from(offset.checked_div(PIECE_BYTES).unwrap_or(0)).unwrap_or(usize::MAX)
}

/// The digest of two pieces or more.
fn root(pieces: &[Piece]) -> Piece {
    let (left, right) = halves(pieces);
    *merge_subtrees_root(&branch(left), &branch(right), Mode::Hash).as_bytes()
}

fn branch(pieces: &[Piece]) -> Piece {
    match pieces {
        [] => Piece::default(),
        [one] => *one,
        pieces => {
            let (left, right) = halves(pieces);
            merge_subtrees_non_root(&branch(left), &branch(right), Mode::Hash)
        }
    }
}

/// The left branch has as many pieces as the largest power of two that leaves one for the right.
fn halves(pieces: &[Piece]) -> (&[Piece], &[Piece]) {
    let left = pieces.len().next_power_of_two().checked_div(2).unwrap_or(0);
    pieces.split_at_checked(left).unwrap_or((pieces, &[]))
}

fn workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX)
}

fn set(pieces: &Mutex<Vec<Option<Piece>>>, index: u64, piece: Piece) {
    if let Some(place) = lock(pieces).get_mut(usize::try_from(index).unwrap_or(usize::MAX)) {
        *place = Some(piece);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn broke_off() -> Error {
    Error::Io(io::Error::other("a reading thread ended early"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: usize = PIECE_BYTES as usize;

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at % 251) as u8).collect()
    }

    fn digests(bytes: &Vec<u8>) -> Digests {
        Digests::of(bytes, &Progress::default()).unwrap()
    }

    #[test]
    fn the_digest_of_all_is_the_files_blake3() {
        for len in [0, 1, 1000, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 7, 5 * PIECE, 8 * PIECE + 1024] {
            let bytes = bytes(len);
            let state = digests(&bytes).state();
            assert_eq!((state.len, state.digest), (len as u64, blake3::hash(&bytes).to_hex().to_string()), "{len}");
        }
    }

    #[test]
    fn what_is_replaced_gives_the_digests_of_the_whole() {
        for len in [600_000, PIECE, 3 * PIECE + 7] {
            for grown in [-300_000, 0, 1, 500_000, 2_000_000_i64] {
                let old = bytes(len);
                let new_len = len as i64 + grown;
                let mut overlay = Overlay::new(Arc::new(old.clone()), new_len as u64).unwrap();
                [0, 5_000, len / 2].into_iter().for_each(|at| overlay.replace(at as u64, b"other"));
                let mut new = vec![0; new_len as usize];
                overlay.read_exact_at(&mut new, 0).unwrap();
                assert_eq!(digests(&old).over(&overlay).unwrap(), digests(&new), "{len} {grown}");
            }
        }
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
        assert_eq!(passing.digests(&Progress::default()).unwrap(), digests(&bytes));
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
