//! Compound files, as far as it takes to find the streams below their root ([MS-CFB]).
//!
//! What is found are places in the bytes, not copies of them: a stream's place can be cut out of an attachment that
//! stays in the store, which no library for compound files offers.

use crate::format::codec;

/// What a compound file begins with ([MS-CFB] 2.2).
pub(super) const SIGNATURE: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

/// The list of the table's sectors in the header: 109 numbers.
const DIFAT_LEN: u64 = 436;
const ENTRY_LEN: usize = 128;
/// The largest number that is a sector's; those above it mark ends and free sectors.
const LAST_SECTOR: u32 = 0xffff_fffa;
/// Sectors of the mini stream ([MS-CFB] 2.4).
const MINI_SHIFT: u32 = 6;
/// Streams below this size lie in the mini stream, in every file whatever its header says ([MS-CFB] 2.2).
const MINI_CUTOFF: u64 = 4096;

/// The most sectors of a stream in the mini stream.
const MINI_SECTORS_MAX: usize = 64;

/// Where a stream lies: so many bytes from each offset, one after the other.
pub(super) type Places = Vec<(u64, u64)>;

/// A compound file.
#[derive(Debug)]
pub(super) struct Compound<'a> {
    bytes: &'a [u8],
    shift: u32,
    next: Vec<u32>,
    mini_next: Vec<u32>,
    /// Where the mini stream lies.
    mini: Places,
    entries: Vec<Entry>,
}

/// A storage or stream of the directory ([MS-CFB] 2.6.1).
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    is_stream: bool,
    left: u32,
    right: u32,
    child: u32,
    start: u32,
    pub(super) size: u64,
}

impl<'a> Compound<'a> {
    /// Opens bytes as a compound file; `None` where they are none, or its tables cannot be followed.
    pub(super) fn open(bytes: &'a [u8]) -> Option<Self> {
        if !bytes.starts_with(&SIGNATURE) {
            return None;
        }
        let shift = u32::from(u16_at(bytes, 0x1e)?);
        if !(9..=12).contains(&shift) {
            return None;
        }
        let mut file = Self { bytes, shift, next: Vec::new(), mini_next: Vec::new(), mini: Places::new(), entries: Vec::new() };
        file.next = file.fat()?;
        let mini_fat = file.chain(u32_at(bytes, 0x3c)?);
        file.mini_next = numbers(&file.joined(&mini_fat));
        let directory = file.chain(u32_at(bytes, 0x30)?);
        file.entries = file.joined(&directory).as_chunks::<ENTRY_LEN>().0.iter().filter_map(Entry::decode).collect();
        let root = file.entries.first()?;
        file.mini = file.sectors(root.start, root.size);
        Some(file)
    }

    /// The streams right below the root; those of storages in it belong to other objects.
    pub(super) fn streams(&self) -> Vec<&Entry> {
        let mut found = Vec::new();
        let mut seen = vec![false; self.entries.len()];
        let mut waiting: Vec<u32> = self.entries.first().map(|root| root.child).into_iter().collect();
        while let Some(number) = waiting.pop() {
            let Some(number) = usize::try_from(number).ok() else { continue };
            let (Some(entry), Some(seen @ false)) = (self.entries.get(number), seen.get_mut(number)) else { continue };
            *seen = true;
            waiting.extend([entry.left, entry.right]);
            found.extend(entry.is_stream.then_some(entry));
        }
        found
    }

    /// Where a stream lies, or `None` where some of it is missing.
    pub(super) fn places(&self, stream: &Entry) -> Option<Places> {
        let places = if stream.size < MINI_CUTOFF {
            let numbers = chain(stream.start, &self.mini_next).take(MINI_SECTORS_MAX);
            let wanted = numbers.map(|number| (u64::from(number) << MINI_SHIFT, 1 << MINI_SHIFT));
            let wanted = joined_places(wanted, stream.size);
            wanted.into_iter().flat_map(|(offset, len)| slice(&self.mini, offset, len)).collect()
        } else {
            self.sectors(stream.start, stream.size)
        };
        (total(&places) == stream.size && places.iter().all(|(offset, len)| cut(self.bytes, *offset, *len).is_some())).then_some(places)
    }

    /// The first bytes that lie at these places.
    pub(super) fn head(&self, places: &Places, len: u64) -> Vec<u8> {
        let wanted = slice(places, 0, len);
        wanted.into_iter().filter_map(|(offset, len)| cut(self.bytes, offset, len)).flatten().copied().collect()
    }

    /// Where the sectors of a chain lie, for a stream of this size.
    fn sectors(&self, start: u32, size: u64) -> Places {
        let sector = 1_u64 << self.shift;
        let numbers = self.chain(start);
        joined_places(numbers.into_iter().map(|number| (self.offset(number), sector)), size)
    }

    /// The file allocation table: for each sector the one that follows it ([MS-CFB] 2.3).
    fn fat(&self) -> Option<Vec<u32>> {
        let in_header = cut(self.bytes, 0x4c, DIFAT_LEN)?;
        let mut tables: Vec<u32> = numbers(in_header);
        let mut next = u32_at(self.bytes, 0x44)?;
        // Each sector of the list is read once; a list that returns to itself has more than there are.
        let most = self.sectors_max();
        for _ in 0..most {
            let Some(sector) = self.sector(next) else { break };
            let mut list = numbers(sector);
            next = list.pop().unwrap_or(u32::MAX);
            tables.extend(list);
        }
        tables.retain(|number| *number <= LAST_SECTOR);
        Some(tables.into_iter().filter_map(|number| self.sector(number)).flat_map(numbers).take(most).collect())
    }

    /// The numbers of a chain: no more than the file has sectors, so that one that returns to itself ends.
    fn chain(&self, start: u32) -> Vec<u32> {
        chain(start, &self.next).take(self.sectors_max()).collect()
    }

    fn sectors_max(&self) -> usize {
        self.bytes.len() >> self.shift
    }

    fn joined(&self, sectors: &[u32]) -> Vec<u8> {
        sectors.iter().filter_map(|number| self.sector(*number)).flatten().copied().collect()
    }

    fn sector(&self, number: u32) -> Option<&'a [u8]> {
        if number > LAST_SECTOR {
            return None;
        }
        cut(self.bytes, self.offset(number), 1 << self.shift)
    }

    /// The first sector follows the header.
    fn offset(&self, number: u32) -> u64 {
        u64::from(number).saturating_add(1) << self.shift
    }
}

impl Entry {
    fn decode(bytes: &[u8; ENTRY_LEN]) -> Option<Self> {
        let units = cut(bytes, 0, 64)?.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).take_while(|unit| *unit != 0);
        let name = char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        let is_stream = cut(bytes, 66, 1)? == [2];
        let number = |at| u32_at(bytes, at);
        // The upper half of a size is rubbish in files of small sectors; no stream looked into is that large.
        let size = u64::from(number(120)?);
        Some(Self { name, is_stream, left: number(68)?, right: number(72)?, child: number(76)?, start: number(116)?, size })
    }
}

/// The numbers of a chain, endless where it returns to itself.
fn chain(start: u32, next: &[u32]) -> impl Iterator<Item = u32> {
    let follow = |number: &u32| usize::try_from(*number).ok().and_then(|number| next.get(number)).copied();
    std::iter::successors(Some(start), follow).take_while(|number| *number <= LAST_SECTOR)
}

/// Places with neighbours joined, of `size` bytes at most.
fn joined_places(places: impl Iterator<Item = (u64, u64)>, size: u64) -> Places {
    let mut joined = Places::new();
    let mut left = size;
    for (offset, len) in places {
        let len = len.min(left);
        left = left.saturating_sub(len);
        match joined.last_mut() {
            Some((last, so_far)) if last.saturating_add(*so_far) == offset => *so_far = so_far.saturating_add(len),
            _ if len == 0 => break,
            _ => joined.push((offset, len)),
        }
    }
    joined
}

/// The part of what lies at these places from `offset`.
pub(super) fn slice(places: &Places, offset: u64, len: u64) -> Places {
    let end = offset.saturating_add(len);
    let mut start = 0_u64;
    let mut found = Places::new();
    for (at, len) in places {
        let next = start.saturating_add(*len);
        let (from, to) = (offset.max(start), end.min(next));
        if from < to {
            found.push((at.saturating_add(from.saturating_sub(start)), to.saturating_sub(from)));
        }
        start = next;
    }
    found
}

fn total(places: &Places) -> u64 {
    places.iter().map(|(_, len)| *len).fold(0, u64::saturating_add)
}

/// A cut at places as wide as a compound file's.
pub(super) fn cut(bytes: &[u8], start: u64, len: u64) -> Option<&[u8]> {
    codec::cut(bytes, usize::try_from(start).ok()?, usize::try_from(len).ok()?)
}

fn numbers(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|number| u32::from_le_bytes(*number)).collect()
}

/// Two bytes as a number.
pub(super) fn u16_at(bytes: &[u8], at: u64) -> Option<u16> {
    Some(u16::from_le_bytes(cut(bytes, at, 2)?.try_into().ok()?))
}

/// Four bytes as a number.
pub(super) fn u32_at(bytes: &[u8], at: u64) -> Option<u32> {
    Some(u32::from_le_bytes(cut(bytes, at, 4)?.try_into().ok()?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::{Cursor, Write};

    /// A compound file that another program wrote.
    pub(in crate::convert) fn written(version: cfb::Version, streams: &[(&str, &[u8])]) -> Vec<u8> {
        let mut file = cfb::CompoundFile::create_with_version(version, Cursor::new(Vec::new())).unwrap();
        for (name, bytes) in streams {
            if let Some((storage, _)) = name.rsplit_once('/').filter(|(storage, _)| !storage.is_empty()) {
                file.create_storage_all(storage).unwrap();
            }
            file.create_stream(name).unwrap().write_all(bytes).unwrap();
        }
        file.flush().unwrap();
        file.into_inner().into_inner()
    }

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|n| (n % 251) as u8).collect()
    }

    #[test]
    fn streams_are_found_in_both_versions_whatever_their_size() {
        let samples: Vec<Vec<u8>> = [0, 1, 64, 4095, 4096, 100_000].map(bytes).to_vec();
        for version in [cfb::Version::V3, cfb::Version::V4] {
            let names: Vec<String> = (0..samples.len()).map(|n| format!("/s{n}")).collect();
            let streams: Vec<(&str, &[u8])> = names.iter().map(String::as_str).zip(samples.iter().map(Vec::as_slice)).collect();
            let file = written(version, &streams);
            let compound = Compound::open(&file).unwrap();
            let mut found = compound.streams();
            found.sort_by(|a, b| a.name.cmp(&b.name));
            assert_eq!(found.len(), samples.len());
            for (entry, wanted) in found.iter().zip(&samples) {
                let places = compound.places(entry).unwrap();
                assert_eq!(&compound.head(&places, u64::MAX), wanted, "{}", entry.name);
            }
        }
    }

    #[test]
    fn a_stream_in_pieces_is_put_together() {
        // Two streams that grow in turns lie between each other.
        let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        let (mut a, mut b) = (file.create_stream("/a").unwrap(), Vec::new());
        a.write_all(&bytes(5000)).unwrap();
        a.flush().unwrap();
        let mut other = file.create_stream("/b").unwrap();
        for part in bytes(40_000).chunks(5000) {
            other.write_all(part).unwrap();
            other.flush().unwrap();
            b.extend_from_slice(part);
            a.write_all(part).unwrap();
            a.flush().unwrap();
        }
        file.flush().unwrap();
        let file = file.into_inner().into_inner();
        let compound = Compound::open(&file).unwrap();
        let streams = compound.streams();
        let entry = streams.iter().find(|entry| entry.name == "b").unwrap();
        let places = compound.places(entry).unwrap();
        assert!(places.len() > 3, "the pieces are apart");
        assert_eq!(compound.head(&places, u64::MAX), b);
    }

    #[test]
    fn streams_of_inner_storages_are_not_the_files() {
        let file = written(cfb::Version::V3, &[("/WordDocument", b"x"), ("/ObjectPool/_1/CONTENTS", b"inner")]);
        let names: Vec<String> = Compound::open(&file).unwrap().streams().iter().map(|entry| entry.name.clone()).collect();
        assert_eq!(names, ["WordDocument"]);
    }

    #[test]
    fn every_cut_and_every_wrong_byte_of_the_tables_is_survived() {
        let file = written(cfb::Version::V3, &[("/a", &bytes(6000)), ("/b", b"small")]);
        let look = |file: &[u8]| {
            if let Some(compound) = Compound::open(file) {
                compound.streams().into_iter().filter_map(|entry| compound.places(entry)).count();
            }
        };
        // The contents of the first stream are no table.
        let tables = (0..file.len()).filter(|at| !(0x800..0x1a00).contains(at));
        for at in tables {
            if at % 7 == 0 {
                look(&file[..at]);
            }
            for with in [0xff, 0x01] {
                let mut file = file.clone();
                file[at] ^= with;
                look(&file);
            }
        }
    }

    #[test]
    fn tables_that_name_the_same_sectors_over_and_over_cost_no_more_than_the_file() {
        // 2 MiB: the list of table sectors is a circle of one, which names the same table 127 times, and so on.
        let mut file = written(cfb::Version::V3, &[("/a", &bytes(2 << 20))]);
        let list = file.len() - 512;
        file[0x44..0x48].copy_from_slice(&((list as u32 >> 9) - 1).to_le_bytes());
        let table = u32_at(&file, 0x4c).unwrap();
        file[list..].as_chunks_mut::<4>().0.iter_mut().for_each(|number| *number = table.to_le_bytes());
        file[list + 508..].copy_from_slice(&((list as u32 >> 9) - 1).to_le_bytes());
        file[0x38..0x3c].fill(0xff);
        if let Some(compound) = Compound::open(&file) {
            assert!(compound.next.len() <= file.len() >> 9);
            compound.streams().into_iter().filter_map(|entry| compound.places(entry)).count();
        }
    }

    #[test]
    fn a_chain_that_returns_to_itself_ends() {
        let mut file = written(cfb::Version::V3, &[("/a", &bytes(6000))]);
        // All sectors followed by the first one.
        let fat = u32_at(&file, 0x4c).unwrap() as usize;
        file[(fat + 1) << 9..(fat + 2) << 9].fill(0);
        assert!(Compound::open(&file).is_none_or(|compound| compound.streams().len() < 100));
    }
}
