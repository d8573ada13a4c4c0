//! Digests of a file: one for each piece of it, and one of all, which is the file's BLAKE3.
//!
//! BLAKE3 is a tree over the bytes, and a [`PIECE_BYTES`] at a multiple of that is a whole branch of it. So pieces can be
//! read in any order and by several threads, and where a repair changes some of them only these are read again. What
//! comes out is what `b3sum FILE` prints.

use std::fmt::Write;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

use super::record::State;
use crate::damage::{Error, Result};
use crate::disk::ReadAt;
use crate::disk::overlay::Overlay;
use crate::format::codec;
use crate::progress::Progress;

/// How many bytes a piece has; the last one of a file may have fewer.
pub(super) const PIECE_BYTES: u64 = 1 << 20;
/// More threads than this would wait for the disk or for each other.
const WORKERS_MAX: usize = 8;
/// The digest of a piece, as a branch of the file's.
pub(super) type Piece = [u8; 32];

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

    /// Those of a file of this length, of which nothing was read yet.
    pub(super) const fn none_of(len: u64) -> Self {
        Self { len, pieces: Vec::new() }
    }

    /// Adds the bytes that come next: as many as make whole pieces, or those at the end.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        for bytes in codec::pieces(bytes, usize::try_from(PIECE_BYTES).unwrap_or(usize::MAX)) {
            let index = u64::try_from(self.pieces.len()).unwrap_or(u64::MAX);
            self.pieces.push(piece(bytes, index, self.len));
        }
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

    /// Where pieces begin that have other bytes in another file, or are not there.
    pub(super) fn differing(&self, other: &Self) -> Vec<u64> {
        // The digest of a file that is one piece is not that of a branch.
        let comparable = !whole(self.len) && !whole(other.len);
        let is_same = |index: usize, piece: &Piece| comparable && other.pieces.get(index) == Some(piece);
        let differing = self.pieces.iter().enumerate().filter(|(index, piece)| !is_same(*index, piece));
        differing.map(|(index, _)| u64::try_from(index).unwrap_or(u64::MAX).saturating_mul(PIECE_BYTES)).collect()
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
    pub(super) fn fill(source: &dyn ReadAt, len: u64, pieces: Vec<Option<Piece>>, progress: &Progress) -> Result<Self> {
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

/// A piece that is digested up to some offset of the file.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) index: u64,
    hasher: blake3::Hasher,
    pub(super) next: u64,
}

impl Begun {
    /// One of a file of this length, of which nothing was digested.
    pub(super) fn new(index: u64, len: u64) -> Self {
        Self { index, hasher: branch_at(index, len), next: index.saturating_mul(PIECE_BYTES) }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.next = self.next.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
    }

    pub(super) fn read_up_to(&mut self, file: &dyn ReadAt, offset: u64) -> io::Result<()> {
        let mut gap = vec![0; usize::try_from(offset.saturating_sub(self.next)).map_err(io::Error::other)?];
        if !gap.is_empty() {
            file.read_trusting_at(&mut gap, self.next)?;
            self.add(&gap);
        }
        Ok(())
    }

    pub(super) fn piece(&self, len: u64) -> Piece {
        if whole(len) { *self.hasher.finalize().as_bytes() } else { self.hasher.finalize_non_root() }
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
    let mut begun = Begun::new(index, len);
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
pub(super) fn count(len: u64) -> Result<usize> {
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

pub(super) fn set(pieces: &Mutex<Vec<Option<Piece>>>, index: u64, piece: Piece) {
    if let Some(place) = lock(pieces).get_mut(usize::try_from(index).unwrap_or(usize::MAX)) {
        *place = Some(piece);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn broke_off() -> Error {
    Error::Io(io::Error::other("a reading thread ended early"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

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
            let mut appended = Digests::none_of(len as u64);
            bytes.chunks(2 * PIECE).for_each(|bytes| appended.append(bytes));
            assert_eq!(appended, digests(&bytes), "{len}");
        }
    }

    #[test]
    fn pieces_that_differ_are_found_whatever_the_lengths() {
        for (len, other, changed, expected) in [
            (3 * PIECE + 7, 3 * PIECE + 7, PIECE + 5, vec![1]),
            (3 * PIECE + 7, 5 * PIECE, 3 * PIECE, vec![3]),
            (5 * PIECE, 3 * PIECE + 7, 0, vec![0, 3, 4]),
            (600, 3 * PIECE, 1, vec![0]),
            (2 * PIECE, 600, 1, vec![0, 1]),
        ] {
            let mut there = bytes(other);
            there[changed.min(other - 1)] ^= 1;
            let expected: Vec<u64> = expected.into_iter().map(|index| index * PIECE_BYTES).collect();
            assert_eq!(digests(&bytes(len)).differing(&digests(&there)), expected, "{len} {other}");
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
}
