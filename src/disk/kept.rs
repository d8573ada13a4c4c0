//! The bytes of a file that were overwritten, for those who read on in the state before.

use std::collections::BTreeMap;

use super::arena::{Arena, Piece};

/// How many bytes stay in memory before they go into a temporary file.
const MEMORY_BYTES: usize = 4 << 20;
/// How many may stay there where no such file can be had.
const MEMORY_MAX_BYTES: usize = 64 << 20;

/// What was kept of one state of a file. What is kept first stays: that is what stood there in that state.
#[derive(Debug)]
pub(super) struct Kept {
    /// By offset; they never overlap.
    ranges: BTreeMap<u64, Range>,
    bytes: Arena,
    len: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Range {
    len: usize,
    /// Its bytes; none where they are lost.
    kept: Option<Piece>,
}

/// What is known of a place, and how far that goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// It was overwritten; what stood there.
    Kept(&'a [u8]),
    /// It was overwritten, and is lost.
    Lost(usize),
    /// It was not overwritten.
    Other(usize),
}

impl Part<'_> {
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Kept(bytes) => bytes.len(),
            Self::Lost(len) | Self::Other(len) => *len,
        }
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self { ranges: BTreeMap::new(), bytes: Arena::keeping(MEMORY_BYTES), len: None }
    }
}

impl Kept {
    /// The file is about to be written to, and has this length.
    pub(super) fn begin(&mut self, len: u64) {
        self.len.get_or_insert(len);
    }

    /// How long the file was.
    pub(super) const fn len(&self) -> Option<u64> {
        self.len
    }

    /// What is known of the bytes from `offset` on, at most so many.
    pub(super) fn part(&self, offset: u64, most: usize) -> Part<'_> {
        let before = self.ranges.range(..=offset).next_back();
        let inside = before.and_then(|(start, range)| {
            let skip = usize::try_from(offset.checked_sub(*start)?).ok()?;
            Some((range, skip, range.len.checked_sub(skip).filter(|left| *left > 0)?.min(most)))
        });
        let Some((range, skip, len)) = inside else { return Part::Other(self.gap(offset).min(most)) };
        let piece = range.kept.map(|piece| piece.split(skip).1.split(len).0);
        piece.map_or(Part::Lost(len), |piece| Part::Kept(self.bytes.get(piece)))
    }

    /// How far it is from an offset that lies in no range to the next one.
    fn gap(&self, offset: u64) -> usize {
        let next = self.ranges.range(offset..).next().map_or(u64::MAX, |(start, _)| *start);
        usize::try_from(next.saturating_sub(offset)).unwrap_or(usize::MAX)
    }

    /// Keeps what stands at an offset.
    pub(super) fn keep(&mut self, offset: u64, bytes: &[u8]) {
        if self.bytes.memory_bytes() > MEMORY_MAX_BYTES {
            return self.lose(offset, bytes.len());
        }
        self.take(offset, bytes.len(), |all, start, len| Some(all.put(bytes.get(start..)?.get(..len)?)));
    }

    /// Gives up what stands at an offset.
    pub(super) fn lose(&mut self, offset: u64, len: usize) {
        self.take(offset, len, |_, _, _| None);
    }

    /// Takes in those parts of a range of which nothing is known; `keep` gets each, counted from the range's beginning.
    fn take(&mut self, offset: u64, len: usize, keep: impl Fn(&mut Arena, usize, usize) -> Option<Piece>) {
        let mut done = 0_usize;
        while let Some(left) = len.checked_sub(done).filter(|left| *left > 0) {
            let at = offset.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
            let part = self.part(at, left);
            let (is_new, part) = (matches!(part, Part::Other(_)), part.len());
            if is_new {
                let kept = keep(&mut self.bytes, done, part);
                self.ranges.insert(at, Range { len: part, kept });
            }
            done = done.saturating_add(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_first_stays() {
        let mut kept = Kept::default();
        kept.keep(5, b"abc");
        kept.keep(3, b"0123456");
        kept.lose(9, 3);
        let mut all = Vec::new();
        let mut at = 0;
        while at < 14 {
            let part = kept.part(at, 14 - at as usize);
            match part {
                Part::Kept(bytes) => all.extend_from_slice(bytes),
                Part::Lost(len) => all.resize(all.len() + len, b'!'),
                Part::Other(len) => all.resize(all.len() + len, b'.'),
            }
            at += part.len() as u64;
        }
        assert_eq!(String::from_utf8(all).unwrap(), "...01abc56!!..");
    }

    #[test]
    fn a_part_is_no_longer_than_asked_for() {
        let mut kept = Kept::default();
        kept.keep(10, b"0123456789");
        assert_eq!(kept.part(12, 3), Part::Kept(b"234"));
        assert_eq!(kept.part(5, 3), Part::Other(3));
        assert_eq!(kept.part(5, 30), Part::Other(5));
        assert_eq!(kept.part(20, 30), Part::Other(30));
    }

    #[test]
    fn more_than_memory_should_hold_is_kept_all_the_same() {
        let mut kept = Kept::default();
        let bytes = vec![7; MEMORY_BYTES];
        (0..3).for_each(|number| kept.keep(number * MEMORY_BYTES as u64, &bytes));
        assert_eq!(kept.part(2 * MEMORY_BYTES as u64 + 1, 3), Part::Kept(&[7; 3]));
        assert!(kept.bytes.memory_bytes() <= MEMORY_BYTES);
    }
}
