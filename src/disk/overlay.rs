//! Bytes over bytes: a source of which some ranges and the length are replaced in memory.
//!
//! A reader that meets the journal of an interrupted transaction sees the store through one of these; so does whoever
//! wants to know what a transaction would give before it is written.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::arena::{Arena, Piece};
use super::{ReadAt, copy};

/// A source with replaced ranges. What is replaced twice holds the later bytes.
#[derive(Debug)]
pub struct Overlay {
    below: Arc<dyn ReadAt>,
    below_len: u64,
    len: u64,
    /// By offset; they never overlap.
    ranges: BTreeMap<u64, Piece>,
    bytes: Arena,
}

impl Overlay {
    /// The source as it is, but `len` bytes long: cut, or followed by zeros.
    pub fn new(below: Arc<dyn ReadAt>, len: u64) -> io::Result<Self> {
        let below_len = below.len()?;
        Ok(Self { below, below_len, len, ranges: BTreeMap::new(), bytes: Arena::default() })
    }

    /// Replaces the bytes from `offset` on. What lies past the end of the overlay stays unseen.
    pub fn replace(&mut self, offset: u64, bytes: &[u8]) {
        let Some(end) = end_of(offset, bytes.len()) else { return };
        let old: Vec<u64> = self.overlapping(offset, end).map(|(start, _)| start).collect();
        for start in old {
            let Some(range) = self.ranges.remove(&start) else { continue };
            let split = |at: u64| range.split(usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX));
            let (left, right) = (split(offset).0, split(end).1);
            if !left.is_empty() {
                self.ranges.insert(start, left);
            }
            if !right.is_empty() {
                self.ranges.insert(end, right);
            }
        }
        if !bytes.is_empty() {
            let piece = self.bytes.put(bytes);
            self.ranges.insert(offset, piece);
        }
    }

    /// The ranges that are replaced, as offset and length.
    pub fn replaced(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ranges.iter().map(|(offset, piece)| (*offset, u64::try_from(piece.len()).unwrap_or(u64::MAX)))
    }

    /// The ranges that share a byte with `offset..end`, ascending.
    fn overlapping(&self, offset: u64, end: u64) -> impl Iterator<Item = (u64, Piece)> {
        let before = self.ranges.range(..offset).next_back().map(|(start, _)| *start);
        let from = before.unwrap_or(offset);
        self.ranges.range(from..end.max(from)).map(|(start, piece)| (*start, *piece)).filter(move |(start, piece)| {
            let stop = end_of(*start, piece.len()).unwrap_or(u64::MAX);
            *start < end && stop > offset
        })
    }

    fn read_below(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let there = self.below_len.saturating_sub(offset);
        let there = usize::try_from(there).unwrap_or(usize::MAX).min(buffer.len());
        let (head, tail) = buffer.split_at_mut_checked(there).ok_or(io::ErrorKind::UnexpectedEof)?;
        tail.fill(0);
        if head.is_empty() { Ok(()) } else { self.below.read_exact_at(head, offset) }
    }
}

impl ReadAt for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.len)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = end_of(offset, buffer.len()).filter(|end| *end <= self.len).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.read_below(buffer, offset)?;
        for (start, piece) in self.overlapping(offset, end) {
            let skip = usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX);
            let at = usize::try_from(start.saturating_sub(offset)).unwrap_or(usize::MAX);
            copy(buffer.get_mut(at..).unwrap_or_default(), self.bytes.get(piece.split(skip).1));
        }
        Ok(())
    }

    fn was_changed(&self) -> io::Result<bool> {
        self.below.was_changed()
    }
}

fn end_of(offset: u64, len: usize) -> Option<u64> {
    offset.checked_add(u64::try_from(len).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(overlay: &Overlay, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0xee; len];
        overlay.read_exact_at(&mut bytes, offset).unwrap();
        bytes
    }

    #[test]
    fn replaced_ranges_stand_over_the_source() {
        let mut overlay = Overlay::new(Arc::new(vec![1; 10]), 12).unwrap();
        overlay.replace(2, &[2; 3]);
        overlay.replace(9, &[3; 2]);
        assert_eq!(read(&overlay, 0, 12), [1, 1, 2, 2, 2, 1, 1, 1, 1, 3, 3, 0]);
        assert_eq!(read(&overlay, 3, 3), [2, 2, 1]);
        assert!(overlay.read_exact_at(&mut [0; 2], 11).is_err());
    }

    #[test]
    fn a_shorter_overlay_hides_the_end() {
        let overlay = Overlay::new(Arc::new(vec![1; 10]), 4).unwrap();
        assert_eq!((overlay.len().unwrap(), read(&overlay, 0, 4)), (4, vec![1; 4]));
        assert!(overlay.read_exact_at(&mut [0], 4).is_err());
    }

    #[test]
    fn later_bytes_win_wherever_ranges_meet() {
        // Every way in which a second range may lie over a first one, against plain bytes.
        for start in 0..12 {
            for len in 0..8 {
                let mut overlay = Overlay::new(Arc::new(vec![0; 20]), 20).unwrap();
                let mut plain = vec![0; 20];
                for (offset, len, value) in [(4, 3, 1), (8, 2, 2), (start, len, 3)] {
                    overlay.replace(offset as u64, &vec![value; len]);
                    plain[offset..offset + len].fill(value);
                }
                assert_eq!(read(&overlay, 0, 20), plain, "{len} bytes at {start}");
                assert_eq!(read(&overlay, 5, 4), plain[5..9]);
            }
        }
    }
}
