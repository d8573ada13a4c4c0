//! Parts of stores of which no header and no allocation map is left: where their store began follows from their blocks.
//!
//! A block's signature is folded from its id and its offset in the store ([MS-PST] 5.5). So a block that verifies by its
//! CRC can have stood at 128 places in 4 GiB only, since stores begin at sectors. The beginning that most blocks agree on
//! is the right one, or one under which the same blocks verify, which serves as well.

use std::collections::HashMap;
use std::ops::Range;

use super::survey::crc_blocks;
use crate::damage::Result;
use crate::disk::ReadAt;
use crate::format::block::BlockTrailer;
use crate::format::checksum;
use crate::format::id::{Bid, Ib};
use crate::format::{Format, Layout};
use crate::progress::Progress;

/// A part of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where in the image its store began; before the image's beginning where only a later part is there.
    pub(super) start: i64,
    /// From its first block to the end of its last.
    pub(super) range: Range<u64>,
}

/// A block of a store that nobody knows yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stray {
    /// Where in the image it stands.
    pub(super) at: u64,
    /// Where it ends, its trailer included.
    pub(super) end: u64,
    bid: Bid,
    signature: u16,
}

/// How many bytes are read at a time.
const CHUNK_BYTES: u64 = 1 << 20;
/// The most blocks that are remembered, 40 bytes each: as many as 8 GB of pieces have.
const STRAYS_MAX: usize = 1_000_000;
/// How many blocks are asked where their store began, each for its 128 answers.
const ASKED: usize = 2048;
/// How many blocks make a piece: of one alone nothing is known but itself.
const LEAST: usize = 2;
/// The most pieces.
const PIECES_MAX: usize = 1_000;
/// Sectors in 64 KiB: what of an offset's low half is not known.
const SECTORS: u16 = 128;

impl Stray {
    /// Whether it belongs to a store that begins there.
    pub(super) fn is_of(&self, start: i64) -> bool {
        let offset = i64::try_from(self.at).ok().and_then(|at| u64::try_from(at.checked_sub(start)?).ok());
        offset.is_some_and(|offset| checksum::signature(Ib(offset), self.bid) == self.signature)
    }

    /// The low halves of where its store may begin, as numbers of 32 bits.
    fn starts(&self, layout: &Layout) -> impl Iterator<Item = u32> {
        // Both are folded alike, and what is folded twice is gone.
        let folded = checksum::signature(Ib(0), self.bid) ^ self.signature;
        let (at, first) = (low(self.at), low(layout.amap_first));
        let sector = u16::try_from(at & 0x1ff).unwrap_or(0);
        (0..SECTORS).filter_map(move |number| {
            let half = number.checked_shl(9)? | sector;
            let offset = u32::from(half ^ folded).checked_shl(16)? | u32::from(half);
            (offset >= first).then(|| at.wrapping_sub(offset))
        })
    }
}

/// Finds pieces among the blocks that `is_known` does not know; whole ranges of the image may be `skipped`.
pub(super) fn pieces(
    image: &dyn ReadAt,
    skipped: &[Range<u64>],
    is_known: &dyn Fn(&Stray) -> bool,
    progress: &Progress,
) -> Result<Vec<Piece>> {
    let mut strays: HashMap<Format, Vec<Stray>> = HashMap::new();
    let image_bytes = image.len()?;
    progress.begin("Searching for parts of stores", image_bytes)?;
    let mut start = 0_u64;
    while start < image_bytes {
        let end = start.saturating_add(CHUNK_BYTES).min(image_bytes);
        if !skipped.iter().any(|range| range.start <= start && end <= range.end) {
            for format in Format::ALL {
                let found = strays.entry(format).or_default();
                let room = STRAYS_MAX.saturating_sub(found.len());
                let blocks = crc_blocks(image, format, start, end).into_iter();
                found.extend(blocks.map(stray).filter(|stray| !is_known(stray)).take(room));
            }
        }
        progress.add(end.saturating_sub(start))?;
        start = end;
    }
    let mut pieces = Vec::new();
    for format in Format::ALL {
        grouped(format.layout(), strays.remove(&format).unwrap_or_default(), &mut pieces, progress)?;
    }
    pieces.sort_by_key(|piece| (piece.range.start, piece.start));
    Ok(pieces)
}

fn stray((range, trailer): (Range<u64>, BlockTrailer)) -> Stray {
    Stray { at: range.start, end: range.end, bid: trailer.bid, signature: trailer.signature }
}

/// Groups blocks by where their store began, the largest group first.
fn grouped(layout: &Layout, mut strays: Vec<Stray>, pieces: &mut Vec<Piece>, progress: &Progress) -> Result<()> {
    while pieces.len() < PIECES_MAX {
        progress.check()?;
        let Some(start) = beginning(layout, &strays) else { break };
        let (of_it, others): (Vec<Stray>, Vec<Stray>) = strays.iter().partition(|stray| stray.is_of(start));
        let (first, last) = (of_it.iter().map(|stray| stray.at).min(), of_it.iter().map(|stray| stray.end).max());
        let (Some(first), Some(last), true) = (first, last, of_it.len() >= LEAST) else { break };
        pieces.push(Piece { start, range: first..last });
        strays = others;
    }
    Ok(())
}

/// Where the store of most of these blocks began.
fn beginning(layout: &Layout, strays: &[Stray]) -> Option<i64> {
    let stride = strays.len().div_ceil(ASKED).max(1);
    let mut votes: HashMap<u32, usize> = HashMap::new();
    for (_, stray) in strays.iter().enumerate().filter(|(index, _)| index.checked_rem(stride) == Some(0)) {
        for start in stray.starts(layout) {
            let count = votes.entry(start).or_default();
            *count = count.saturating_add(1);
        }
    }
    let (start, _) = votes.into_iter().max_by_key(|(start, count)| (*count, *start))?;
    // Signatures tell offsets up to 4 GiB. The first block that agrees stands in the first of these.
    let agrees = |stray: &&Stray| {
        let offset = low(stray.at).wrapping_sub(start);
        checksum::signature(Ib(offset.into()), stray.bid) == stray.signature
    };
    let first = strays.iter().filter(agrees).map(|stray| stray.at).min()?;
    i64::try_from(first).ok()?.checked_sub(low(first).wrapping_sub(start).into())
}

fn low(offset: u64) -> u32 {
    u32::try_from(offset & 0xffff_ffff).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks as a store has them that begins at `start`, so many bytes apart.
    fn strays(start: i64, count: u64, apart: u64) -> Vec<Stray> {
        (0..count)
            .map(|n| {
                let (bid, offset) = (Bid(n * 4 + 400), 0x4_4600 + n * apart);
                let at = u64::try_from(i64::try_from(offset).unwrap() + start).unwrap();
                Stray { at, end: at + 64, bid, signature: checksum::signature(Ib(offset), bid) }
            })
            .collect()
    }

    #[test]
    fn blocks_tell_where_their_store_began() {
        let layout = Format::Unicode.layout();
        for start in [0x2200, -0x4_0000, 0x1_2345_6600] {
            let strays = strays(start, 300, 0x540);
            let found = beginning(layout, &strays).unwrap();
            assert!(strays.iter().all(|stray| stray.is_of(found)), "{start:#x}");
        }
        assert_eq!(beginning(layout, &[]), None);
    }

    #[test]
    fn two_stores_are_told_apart() {
        let (one, two) = (strays(0x200, 300, 0x540), strays(0x60_0000, 200, 0x640));
        let mut pieces = Vec::new();
        let all = one.iter().chain(&two).copied().collect();
        grouped(Format::Unicode.layout(), all, &mut pieces, &Progress::default()).unwrap();
        let ranges: Vec<Range<u64>> = pieces.iter().map(|piece| piece.range.clone()).collect();
        assert_eq!(ranges, [one[0].at..one[299].end, two[0].at..two[199].end]);
    }
}
