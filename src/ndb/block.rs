//! Blocks: from the file to decoded bytes.

use std::borrow::Cow;
use std::io::Read;
use std::iter;
use std::ops::Range;
use std::sync::Arc;

use super::Ndb;
use crate::damage::{Code, Error, Place, Result};
use crate::format::block::BlockTrailer;
use crate::format::btree::BlockEntry;
use crate::format::checksum::{self, Flip};
use crate::format::codec::{self, Field};
use crate::format::id::{Bid, Ib};

/// What disks lose at a time; those with larger sectors lose several of these.
const SECTOR_BYTES: usize = 512;

/// A block's data: inflated and decoded.
#[derive(Debug, Default)]
pub struct Block {
    /// The data.
    pub data: Vec<u8>,
    /// Whether they are what was written, as far as the block's CRC tells.
    pub is_sound: bool,
}

/// A block's data as stored: inflated, still encoded.
pub(super) struct Stored {
    pub(super) data: Vec<u8>,
    /// Where it is zeros in place of what was written; the last may reach behind the data.
    lost: Vec<Range<usize>>,
    /// Whether its CRC matches, with one bit turned back if need be.
    is_proven: bool,
    /// Whether nothing speaks against it: some writers leave the CRC 0.
    is_sound: bool,
}

impl Ndb {
    /// The data of the block with this id.
    pub fn block(&self, bid: Bid) -> Result<Arc<Block>> {
        let key = bid.key();
        if let Some(block) = self.recent.block(key) {
            return Ok(block);
        }
        let block = match self.blocks.get(&key) {
            Some(block) => block,
            None => self.read_block(bid)?,
        };
        self.recent.keep_block(key, &block);
        Ok(block)
    }

    fn read_block(&self, bid: Bid) -> Result<Arc<Block>> {
        let key = bid.key();
        let entry = self.block_entry(bid)?;
        let Stored { mut data, lost, is_sound, .. } = match self.verified_block(&entry) {
            Ok(proven @ Stored { is_proven: true, .. }) => proven,
            Ok(doubtful) => self.sounder_block(&entry, doubtful)?,
            Err(error) => self.copied_block(&entry, error)?,
        };
        if !key.is_internal() {
            self.cipher.decode(&mut data, entry.block.bid);
            // Decoded they would be words and dates that nobody wrote.
            for range in lost {
                let end = range.end.min(data.len());
                data.get_mut(range.start..end).unwrap_or_default().fill(0);
            }
        }
        let bytes = data.len();
        Ok(self.blocks.put(key, Block { data, is_sound }, bytes))
    }

    /// The data of a block that is not where its entry says: ids are never given out twice, so a copy that stands
    /// elsewhere is as good. The error given where there is none.
    fn copied_block(&self, entry: &BlockEntry, error: Error) -> Result<Stored> {
        let place = self.rescued_after(&error)?.and_then(|maps| maps.block(entry.block.bid));
        match place.filter(|place| place.ib != entry.block.ib) {
            Some(place) => self.verified_block(&place.into()),
            None => Err(error),
        }
    }

    /// A copy whose CRC matches, of a block whose own does not; the block as it stands where there is none.
    fn sounder_block(&self, entry: &BlockEntry, doubtful: Stored) -> Result<Stored> {
        let error = Error::Damaged(Code::BlockCrc, Place::block(entry.block.bid.0).at(entry.block.ib.0));
        match self.copied_block(entry, error) {
            Ok(copy) if copy.is_proven => Ok(copy),
            Err(error) if error.is_io() => Err(error),
            Ok(_) | Err(_) => Ok(doubtful),
        }
    }

    /// The data of a block as its entry names it, checked against its trailer and inflated, still encoded.
    ///
    /// A block whose trailer names another id *and* whose CRC does not match is not the block that was asked for; with
    /// the CRC alone right it is taken, but may be another that once stood there. One bit of an id may be flipped.
    pub(super) fn verified_block(&self, entry: &BlockEntry) -> Result<Stored> {
        let layout = self.format.layout();
        let place = Place::block(entry.block.bid.0).at(entry.block.ib.0);
        let stored = entry.stored_bytes(self.format);
        let end = entry.block.ib.checked_add(stored).filter(|end| end.0 <= self.file_bytes);
        let whole = usize::try_from(stored).ok().filter(|bytes| *bytes <= layout.block_max_bytes);
        let (Some(_), Some(whole)) = (end, whole) else {
            return Err(Error::Damaged(Code::BlockPlace, place));
        };
        let mut bytes = vec![0; whole];
        self.read_bytes(&mut bytes, entry.block.ib)?;
        let trailer_at = whole.saturating_sub(BlockTrailer::size(self.format));
        let trailer: BlockTrailer =
            codec::decode(self.format, bytes.get(trailer_at..).unwrap_or_default()).map_err(|cut| cut.at(Code::BlockPlace, place))?;
        let crc = self.check(entry, &trailer, &bytes, place)?;
        if let BlockCrc::ButFor(flip) = crc {
            flip.undo(&mut bytes);
        }
        let is_own = trailer.is_of(entry.block);
        let is_proven = is_own && crc != BlockCrc::Wrong;
        let is_sound = is_proven || is_own && trailer.crc == 0;
        if entry.size != entry.inflated {
            let data = bytes.get(..entry.size.into()).unwrap_or(&bytes);
            let (data, is_whole) = self.inflate(data, entry, place)?;
            return Ok(Stored { data, lost: Vec::new(), is_proven, is_sound: is_whole && is_sound });
        }
        let is_lost = crc == BlockCrc::Wrong && trailer.crc != 0;
        let lost = if is_lost { lost_sectors(&bytes, entry.block.ib) } else { Vec::new() };
        bytes.truncate(entry.size.into());
        Ok(Stored { data: bytes, lost, is_proven, is_sound })
    }

    /// What the CRC says of the data; an error where this is not the block at all.
    fn check(&self, entry: &BlockEntry, trailer: &BlockTrailer, bytes: &[u8], place: Place) -> Result<BlockCrc> {
        let crc = BlockCrc::of(bytes, entry, trailer);
        if crc != BlockCrc::Right {
            if !trailer.is_of(entry.block) {
                return Err(Error::Damaged(Code::BlockBid, place));
            }
            let computed = checksum::crc(data_of(bytes, entry));
            self.notes.add(Code::BlockCrc, place, checksum::mismatch(trailer.crc, computed, crc.flip()));
        }
        if trailer.bid.key() != entry.block.bid.key() {
            // All zeros have CRC 0: without the size in the trailer there is no block here.
            if trailer.size != entry.size {
                return Err(Error::Damaged(Code::BlockBid, place));
            }
            self.notes.add(Code::BlockBid, place, format!("block says {}", trailer.bid));
        }
        if trailer.size != entry.size {
            self.notes.add(Code::BlockSize, place, format!("block says {}, tree says {}", trailer.size, entry.size));
        }
        let signatures = [trailer.bid, entry.block.bid].map(|bid| checksum::signature(entry.block.ib, bid));
        if !signatures.contains(&trailer.signature) {
            self.notes.add(Code::BlockSignature, place, "");
        }
        Ok(crc)
    }

    /// Inflates a block of a 4K file, and tells whether all of it came. What comes before damage is kept, the rest is zeros.
    fn inflate(&self, bytes: &[u8], entry: &BlockEntry, place: Place) -> Result<(Vec<u8>, bool)> {
        let wanted = usize::from(entry.inflated);
        let mut data = inflate(bytes, wanted);
        if data.is_empty() {
            return Err(Error::Damaged(Code::BlockInflate, place));
        }
        let is_whole = data.len() == wanted;
        if !is_whole {
            self.notes.add(Code::BlockInflate, place, format!("{} of {wanted} bytes", data.len()));
            data.resize(wanted, 0);
        }
        Ok((data, is_whole))
    }
}

/// What a block's CRC says of its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockCrc {
    /// They are what was written.
    Right,
    /// They are, but for this bit, which readers turn back.
    ButFor(Flip),
    /// They are not, as far as it tells.
    Wrong,
}

impl BlockCrc {
    /// Of a block that is given with its trailer. One bit is looked for only in the block that was asked for, and where no
    /// sector of it is lost.
    pub fn of(block: &[u8], entry: &BlockEntry, trailer: &BlockTrailer) -> Self {
        let data = data_of(block, entry);
        if checksum::crc(data) == trailer.crc {
            return Self::Right;
        }
        let is_it = trailer.is_of(entry.block) && trailer.size == entry.size;
        let is_all = is_it && data.len() == usize::from(entry.size) && lost_sectors(block, entry.block.ib).is_empty();
        let flip = if is_all { checksum::flipped(data, trailer.crc) } else { None };
        flip.map_or(Self::Wrong, Self::ButFor)
    }

    /// The bit that is not as it was written, where it is one.
    pub const fn flip(self) -> Option<Flip> {
        if let Self::ButFor(flip) = self { Some(flip) } else { None }
    }

    /// A block's data as they were written, as far as this tells: the flipped bit is turned back.
    pub fn written(self, data: &[u8]) -> Cow<'_, [u8]> {
        self.flip().map_or(Cow::Borrowed(data), |flip| Cow::Owned(flip.righted(data)))
    }
}

/// The data of a block that is given with its trailer; all of it where it is shorter than its entry says.
fn data_of<'b>(block: &'b [u8], entry: &BlockEntry) -> &'b [u8] {
    block.get(..entry.size.into()).unwrap_or(block)
}

/// Which parts of a damaged block, given with its trailer, are zeros because their sectors could not be read.
///
/// A sector counts where all that the block has of it is zeros, as it stands in the file: at least 64 bytes, as blocks
/// begin and end at multiples of that, and never the sector of the trailer. What was written is hardly ever zeros for so
/// long once it is encoded: permute makes them of a row of the letter G, cyclic of noise ([MS-PST] 5.1, 5.2).
fn lost_sectors(block: &[u8], ib: Ib) -> Vec<Range<usize>> {
    // The low 9 bits tell how far into a sector it begins.
    let before = usize::try_from(ib.0 & 0x1ff).unwrap_or(0);
    let (head, rest) = block.split_at_checked(SECTOR_BYTES.saturating_sub(before)).unwrap_or((block, &[]));
    let (sectors, tail) = rest.as_chunks::<SECTOR_BYTES>();
    let mut lost = Vec::new();
    let mut start = 0_usize;
    for piece in iter::once(head).chain(sectors.iter().map(<[u8; _]>::as_slice)).chain([tail]) {
        let end = start.saturating_add(piece.len());
        if !piece.is_empty() && piece.iter().all(|byte| *byte == 0) {
            lost.push(start..end);
        }
        start = end;
    }
    lost
}

/// The compressed data of a block of a 4K file, zlib or raw deflate: what comes before damage, at most `wanted` bytes.
pub fn inflate(bytes: &[u8], wanted: usize) -> Vec<u8> {
    // In which order encoded blocks are compressed nobody has seen: no such file is known. Encoding comes last here.
    let with_zlib = inflated(flate2::read::ZlibDecoder::new(bytes), wanted);
    if with_zlib.is_empty() { inflated(flate2::read::DeflateDecoder::new(bytes), wanted) } else { with_zlib }
}

/// What a decoder yields before it ends or fails, at most `max` bytes.
fn inflated(decoder: impl Read, max: usize) -> Vec<u8> {
    let mut data = Vec::new();
    let mut decoder = decoder.take(u64::try_from(max).unwrap_or(u64::MAX));
    let mut chunk = [0; 4096];
    // An error of the decoder ends the data as its end does; the caller compares the length.
    while let Ok(read @ 1..) = decoder.read(&mut chunk) {
        data.extend_from_slice(chunk.get(..read).unwrap_or_default());
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is lost of a block at this offset that has zeros from one place to another, else something everywhere.
    fn lost(len: usize, zeros: &[(usize, usize)], ib: u64) -> Vec<(usize, usize)> {
        let mut block = vec![0x41; len];
        zeros.iter().for_each(|(start, end)| block[*start..*end].fill(0));
        lost_sectors(&block, Ib(ib)).into_iter().map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn sectors_of_zeros_are_lost_where_the_file_has_them() {
        assert_eq!(lost(1600, &[(512, 1024)], 0x4400), [(512, 1024)]);
        assert_eq!(lost(1600, &[(0, 64), (576, 1088)], 0x45c0), [(0, 64), (576, 1088)], "it begins in the last 64 bytes of one");
        assert_eq!(lost(8192, &[(512, 4608)], 0x4400).len(), 8, "a sector of 4096 bytes");
    }

    #[test]
    fn zeros_that_fill_no_sector_are_as_they_were_written() {
        assert_eq!(lost(1600, &[(512, 1023)], 0x4400), []);
        assert_eq!(lost(1600, &[(512, 1024)], 0x4440), [], "as long as a sector, and in two");
        assert_eq!(lost(1600, &[(1536, 1584)], 0x4400), [], "the trailer is there");
        assert_eq!(lost(128, &[(0, 112)], 0x4480), [], "in one sector with its trailer");
    }
}
