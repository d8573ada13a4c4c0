//! A disk that remembers every write, and what a crash may leave of them.
//!
//! The unit is the sector of 512 bytes. What was written since a file's last sync may be there or not, each sector for
//! itself, and so may a change of length. [`CrashDisk::states`] shows the states that the crash law asks for: between
//! two syncs every prefix of the sectors, every single one lost, every single one kept, all subsets of up to ten, else
//! 1,000 random ones that a seed chooses, and the second sector of a write over the file's start without the first.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{ReadAt, WriteAt, copy};

/// Bytes that a disk writes as a whole.
const SECTOR_BYTES: u64 = 512;
/// How many random subsets stand for all of them.
const RANDOM_SUBSETS: usize = 1_000;
/// The most pieces of which all subsets are shown.
const ALL_SUBSETS_MAX: usize = 10;

/// A file on a disk that remembers all that happens to its files, in order.
#[derive(Debug, Clone)]
pub struct CrashDisk {
    shared: Arc<Mutex<Shared>>,
    file: usize,
}

#[derive(Debug, Default)]
struct Shared {
    start: Vec<CrashFile>,
    now: Vec<CrashFile>,
    log: Vec<(usize, Event)>,
}

#[derive(Debug, Clone)]
enum Event {
    /// A change of at most one sector.
    Piece(Piece),
    Sync,
}

/// What reaches the medium as a whole or not at all.
#[derive(Debug, Clone)]
enum Piece {
    Bytes { offset: u64, bytes: Arc<[u8]>, second_of_start: bool },
    Length(u64),
}

impl CrashDisk {
    /// A disk with one file that holds these bytes, safely stored.
    pub fn new(bytes: Vec<u8>) -> Self {
        let disk = Self { shared: Arc::default(), file: 0 };
        disk.beside(bytes)
    }

    /// Another file on the same disk; what happens to both is remembered in one order.
    #[must_use]
    pub fn beside(&self, bytes: Vec<u8>) -> Self {
        let file = CrashFile::new(Arc::new(bytes));
        let mut shared = self.lock();
        let number = shared.now.len();
        shared.start.push(file.clone());
        shared.now.push(file);
        drop(shared);
        Self { shared: Arc::clone(&self.shared), file: number }
    }

    /// The file's bytes as a program sees them now.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().now.get(self.file).map(CrashFile::bytes).unwrap_or_default()
    }

    /// A disk on which these files are safely stored: to go on after a crash.
    pub fn after_crash(files: &[CrashFile]) -> Vec<Self> {
        let shared = Shared { start: files.to_vec(), now: files.to_vec(), log: Vec::new() };
        let shared = Arc::new(Mutex::new(shared));
        (0..files.len()).map(|file| Self { shared: Arc::clone(&shared), file }).collect()
    }

    /// The file as a program sees it now.
    pub fn file(&self) -> Option<CrashFile> {
        self.lock().now.get(self.file).cloned()
    }

    /// What a crash may leave of the disk's files, from the first write on to after the last.
    pub fn states(&self, seed: u64) -> CrashStates {
        let shared = self.lock();
        let mut epochs = Vec::new();
        let mut durable = shared.start.clone();
        let mut pending: Vec<(usize, Piece)> = Vec::new();
        for (file, event) in &shared.log {
            match event {
                Event::Piece(piece) => pending.push((*file, piece.clone())),
                Event::Sync => {
                    epochs.push(Epoch { durable: durable.clone(), pending: pending.clone() });
                    let of_file = pending.extract_if(.., |(of, _)| of == file);
                    of_file.for_each(|(of, piece)| apply(&mut durable, of, &piece));
                }
            }
        }
        epochs.push(Epoch { durable, pending });
        CrashStates { epochs: epochs.into_iter(), epoch: None, random: Random(seed) }
    }

    fn record(&self, pieces: Vec<Piece>) {
        let mut shared = self.lock();
        for piece in pieces {
            apply(&mut shared.now, self.file, &piece);
            shared.log.push((self.file, Event::Piece(piece)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadAt for CrashDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().now.get(self.file).map_or(0, |file| file.len))
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.lock().now.get(self.file).ok_or(io::ErrorKind::NotFound)?.read_exact_at(buffer, offset)
    }
}

impl WriteAt for CrashDisk {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut pieces = Vec::new();
        let (mut rest, mut at) = (bytes, offset);
        while !rest.is_empty() {
            let room = SECTOR_BYTES.saturating_sub(at.checked_rem(SECTOR_BYTES).unwrap_or(0));
            let (piece, tail) = rest.split_at_checked(usize::try_from(room).unwrap_or(usize::MAX)).unwrap_or((rest, &[]));
            pieces.push(Piece::Bytes { offset: at, bytes: piece.into(), second_of_start: offset < SECTOR_BYTES && at == SECTOR_BYTES });
            at = at.checked_add(u64::try_from(piece.len()).unwrap_or(0)).ok_or(io::ErrorKind::FileTooLarge)?;
            rest = tail;
        }
        self.record(pieces);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.lock().log.push((self.file, Event::Sync));
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.record(vec![Piece::Length(len)]);
        Ok(())
    }
}

/// A file after a crash: the bytes it began with, and the sectors that were changed.
#[derive(Debug, Clone)]
pub struct CrashFile {
    base: Arc<Vec<u8>>,
    /// How much of `base` still counts: a file that was cut and grew again has zeros there.
    base_len: u64,
    len: u64,
    sectors: BTreeMap<u64, Arc<[u8]>>,
}

impl CrashFile {
    fn new(base: Arc<Vec<u8>>) -> Self {
        let len = u64::try_from(base.len()).unwrap_or(u64::MAX);
        Self { base, base_len: len, len, sectors: BTreeMap::new() }
    }

    /// All bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.base.get(..usize::try_from(self.base_len).unwrap_or(usize::MAX)).unwrap_or_default().to_vec();
        bytes.resize(usize::try_from(self.len).unwrap_or(0), 0);
        for (number, sector) in &self.sectors {
            let at = usize::try_from(number.saturating_mul(SECTOR_BYTES)).unwrap_or(usize::MAX);
            copy(bytes.get_mut(at..).unwrap_or_default(), sector);
        }
        bytes
    }

    /// Whether both files, which began as the same bytes, are equally long and hold the same in these sectors.
    ///
    /// What a reader found in the one is then true of the other, if it looked at these sectors only.
    pub fn same_in(&self, other: &Self, of_interest: impl Fn(u64) -> bool) -> bool {
        let same_base = Arc::ptr_eq(&self.base, &other.base) && self.base_len.min(self.len) == other.base_len.min(other.len);
        let changed = self.sectors.keys().chain(other.sectors.keys());
        let mut within = changed.filter(|number| number.saturating_mul(SECTOR_BYTES) < self.len && of_interest(**number));
        self.len == other.len && same_base && within.all(|number| self.sector(*number) == other.sector(*number))
    }

    fn sector(&self, number: u64) -> Vec<u8> {
        if let Some(sector) = self.sectors.get(&number) {
            return sector.to_vec();
        }
        let start = number.saturating_mul(SECTOR_BYTES);
        let there = self.base_len.saturating_sub(start).min(SECTOR_BYTES);
        let at = usize::try_from(start).unwrap_or(usize::MAX);
        let there = usize::try_from(there).unwrap_or(0);
        let mut bytes = self.base.get(at..at.saturating_add(there)).unwrap_or_default().to_vec();
        bytes.resize(usize::try_from(SECTOR_BYTES).unwrap_or(0), 0);
        bytes
    }

    fn apply(&mut self, piece: &Piece) {
        match piece {
            Piece::Bytes { offset, bytes, .. } => {
                let number = offset.checked_div(SECTOR_BYTES).unwrap_or(0);
                let within = usize::try_from(offset.checked_rem(SECTOR_BYTES).unwrap_or(0)).unwrap_or(0);
                let mut sector = self.sector(number);
                copy(sector.get_mut(within..).unwrap_or_default(), bytes);
                self.sectors.insert(number, sector.into());
                self.len = self.len.max(offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(0)));
            }
            Piece::Length(len) => self.set_len(*len),
        }
    }

    fn set_len(&mut self, len: u64) {
        if len < self.len {
            let last = len.checked_div(SECTOR_BYTES).unwrap_or(0);
            let mut sector = self.sector(last);
            let within = usize::try_from(len.checked_rem(SECTOR_BYTES).unwrap_or(0)).unwrap_or(0);
            sector.iter_mut().skip(within).for_each(|byte| *byte = 0);
            self.sectors.retain(|number, _| *number < last);
            self.sectors.insert(last, sector.into());
            self.base_len = self.base_len.min(len);
        }
        self.len = len;
    }
}

/// Equal bytes. Files that began as the same bytes are compared by what changed.
impl PartialEq for CrashFile {
    fn eq(&self, other: &Self) -> bool {
        self.same_in(other, |_| true) || self.len == other.len && !Arc::ptr_eq(&self.base, &other.base) && self.bytes() == other.bytes()
    }
}

impl Eq for CrashFile {}

impl ReadAt for CrashFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.len)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let wanted = u64::try_from(buffer.len()).map_err(io::Error::other)?;
        let end = offset.checked_add(wanted).filter(|end| *end <= self.len).ok_or(io::ErrorKind::UnexpectedEof)?;
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        buffer.fill(0);
        let there = usize::try_from(self.base_len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let base = self.base.get(at..).unwrap_or_default();
        copy(buffer, base.get(..there).unwrap_or(base));
        let first = offset.checked_div(SECTOR_BYTES).unwrap_or(0);
        let stop = end.div_ceil(SECTOR_BYTES).max(first);
        for (number, sector) in self.sectors.range(first..stop) {
            let start = number.saturating_mul(SECTOR_BYTES);
            let skip = usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX);
            let at = usize::try_from(start.saturating_sub(offset)).unwrap_or(usize::MAX);
            copy(buffer.get_mut(at..).unwrap_or_default(), sector.get(skip..).unwrap_or_default());
        }
        Ok(())
    }
}

fn apply(files: &mut [CrashFile], file: usize, piece: &Piece) {
    if let Some(file) = files.get_mut(file) {
        file.apply(piece);
    }
}

/// What is on the medium, and what may be.
#[derive(Debug)]
struct Epoch {
    durable: Vec<CrashFile>,
    pending: Vec<(usize, Piece)>,
}

/// The states that a crash may leave; see [`CrashDisk::states`]. Each is the disk's files in the order they were made.
#[derive(Debug)]
pub struct CrashStates {
    epochs: std::vec::IntoIter<Epoch>,
    epoch: Option<(Epoch, std::vec::IntoIter<Vec<bool>>)>,
    random: Random,
}

impl Iterator for CrashStates {
    type Item = Vec<CrashFile>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((epoch, subsets)) = &mut self.epoch
                && let Some(kept) = subsets.next()
            {
                return Some(epoch.state(&kept));
            }
            let epoch = self.epochs.next()?;
            let subsets = epoch.subsets(&mut self.random);
            self.epoch = Some((epoch, subsets.into_iter()));
        }
    }
}

impl Epoch {
    fn state(&self, kept: &[bool]) -> Vec<CrashFile> {
        let mut files = self.durable.clone();
        self.pending.iter().zip(kept).filter(|(_, kept)| **kept).for_each(|((file, piece), _)| apply(&mut files, *file, piece));
        files
    }

    /// Which pieces reach the medium, in each of the states.
    fn subsets(&self, random: &mut Random) -> Vec<Vec<bool>> {
        let count = self.pending.len();
        if count <= ALL_SUBSETS_MAX {
            let all = 1_u32.checked_shl(u32::try_from(count).unwrap_or(0)).unwrap_or(1);
            return (0..all)
                .map(|set| (0..count).map(|piece| set.checked_shr(u32::try_from(piece).unwrap_or(0)).unwrap_or(0) & 1 == 1).collect())
                .collect();
        }
        let pieces = |keep: &dyn Fn(usize) -> bool| (0..count).map(keep).collect::<Vec<bool>>();
        let mut subsets: Vec<Vec<bool>> = (0..=count).map(|end| pieces(&|piece| piece < end)).collect();
        subsets.extend((0..count).map(|lost| pieces(&|piece| piece != lost)));
        subsets.extend((0..count).map(|single| pieces(&|piece| piece == single)));
        // A torn header the other way round: all before it, and its second sector without its first.
        let torn = self.pending.iter().enumerate().filter(|(_, (_, piece))| matches!(piece, Piece::Bytes { second_of_start: true, .. }));
        subsets.extend(torn.map(|(second, _)| pieces(&|piece| piece <= second && piece.checked_add(1) != Some(second))));
        subsets.extend((0..RANDOM_SUBSETS).map(|_| random.subset(count)));
        subsets
    }
}

/// The generator splitmix64: small, and alike everywhere.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Some pieces: few, half or most of them.
    fn subset(&mut self, count: usize) -> Vec<bool> {
        let sixteenths = self.next() & 15;
        (0..count).map(|_| self.next() & 15 <= sixteenths).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn contents(disk: &CrashDisk) -> HashSet<Vec<u8>> {
        disk.states(1).map(|files| files[0].bytes()).collect()
    }

    #[test]
    fn a_program_reads_what_it_wrote() {
        let disk = CrashDisk::new(vec![1; 700]);
        disk.write_all_at(&[2; 600], 500).unwrap();
        disk.set_len(1200).unwrap();
        let mut expected = vec![1; 500];
        expected.extend([vec![2; 600], vec![0; 100]].concat());
        assert_eq!(disk.bytes(), expected);
        let mut bytes = [9; 4];
        disk.read_exact_at(&mut bytes, 1098).unwrap();
        assert_eq!(bytes, [2, 2, 0, 0]);
        assert!(disk.read_exact_at(&mut bytes, 1197).is_err());
    }

    #[test]
    fn a_file_that_was_cut_and_grew_has_zeros() {
        let disk = CrashDisk::new(vec![1; 2000]);
        disk.set_len(100).unwrap();
        disk.set_len(1500).unwrap();
        assert_eq!(disk.bytes(), [vec![1; 100], vec![0; 1400]].concat());
    }

    #[test]
    fn what_was_synced_is_never_lost_and_the_rest_may_be() {
        let disk = CrashDisk::new(vec![0; 1024]);
        disk.write_all_at(&[1; 512], 0).unwrap();
        disk.sync().unwrap();
        disk.write_all_at(&[2; 512], 512).unwrap();
        let image = |a: u8, b: u8| [vec![a; 512], vec![b; 512]].concat();
        assert_eq!(contents(&disk), HashSet::from([image(0, 0), image(1, 0), image(1, 2)]));
    }

    #[test]
    fn a_header_tears_both_ways() {
        let disk = CrashDisk::new(vec![0; 12 * 512]);
        // More pieces than all subsets are shown of.
        disk.write_all_at(&[1; 11 * 512], 512).unwrap();
        disk.write_all_at(&[2; 564], 0).unwrap();
        let states: Vec<Vec<u8>> = disk.states(1).map(|files| files[0].bytes()).collect();
        assert!(states.iter().any(|bytes| bytes[0] == 2 && bytes[512] == 1));
        assert!(states.iter().any(|bytes| bytes[0] == 0 && bytes[512] == 2 && bytes[1024..].iter().all(|byte| *byte == 1)));
        assert_eq!(states.len(), 14 + 13 + 13 + 1 + 1000);
    }

    #[test]
    fn up_to_ten_sectors_are_lost_in_every_way() {
        let disk = CrashDisk::new(vec![0; 10 * 512]);
        disk.write_all_at(&[1; 10 * 512], 0).unwrap();
        assert_eq!(contents(&disk).len(), 1 << 10);
    }

    #[test]
    fn a_sync_of_one_file_says_nothing_of_the_other() {
        let store = CrashDisk::new(vec![0; 512]);
        let journal = store.beside(Vec::new());
        journal.write_all_at(&[7], 0).unwrap();
        store.write_all_at(&[1], 0).unwrap();
        store.sync().unwrap();
        let states: HashSet<_> = store.states(1).map(|files| (files[0].bytes()[0], files[1].bytes())).collect();
        assert!(states.contains(&(1, vec![])) && states.contains(&(1, vec![7])) && states.contains(&(0, vec![7])));
    }

    #[test]
    fn the_same_seed_gives_the_same_states() {
        let disk = CrashDisk::new(Vec::new());
        disk.write_all_at(&[1; 20 * 512], 0).unwrap();
        let states = |seed| disk.states(seed).map(|files| files[0].bytes()).collect::<Vec<_>>();
        assert!(states(1) == states(1) && states(1) != states(2));
    }
}
