//! All blocks of the block B-tree: what is known of each, by its id.
//!
//! 32 bytes a block, whatever is wrong with the file. A store of 10 GB has one to sixteen million blocks, so what is beyond
//! [`MEMORY_BYTES`] lies in a temporary file.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::damage::{Place, Result};
use crate::disk::Spill;
use crate::format::Format;
use crate::format::btree::BlockEntry;
use crate::format::id::{Bid, BlockRef, Ib};
use crate::ndb::Ndb;

/// What an inner block was found to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Not read, or not to be read.
    #[default]
    Unknown,
    /// XBLOCK.
    Branch,
    /// XXBLOCK.
    Root,
    /// SLBLOCK.
    Subnodes,
    /// SIBLOCK.
    SubnodeRoot,
}

/// A block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Row {
    bid: Bid,
    ib: Ib,
    owner: u32,
    size: u16,
    inflated: u16,
    references: u16,
    /// Named so often by nodes and by the blocks that nodes reach.
    pub(super) live: u16,
    /// Named so often by inner blocks that no node reaches.
    pub(super) lost: u8,
    /// What it is, for inner blocks.
    pub(super) kind: Kind,
    /// Whether its own references were counted.
    pub(super) visited: bool,
    /// Whether it lies on the way from the node to the block that is looked at.
    pub(super) open: bool,
}

impl Row {
    fn of(entry: &BlockEntry) -> Self {
        let BlockEntry { block, size, inflated, references, padding: _ } = *entry;
        Self { bid: block.bid, ib: block.ib, size, inflated, references, ..Self::default() }
    }

    /// The entry of the block B-tree.
    pub(super) const fn entry(&self) -> BlockEntry {
        let block = BlockRef { bid: self.bid, ib: self.ib };
        BlockEntry { block, size: self.size, inflated: self.inflated, references: self.references, padding: 0 }
    }

    /// Its id.
    pub(super) const fn bid(&self) -> Bid {
        self.bid
    }

    /// Its offset.
    pub(super) const fn ib(&self) -> Ib {
        self.ib
    }

    /// A node that it belongs to, where one is known.
    pub(super) fn owner(&self) -> Option<u32> {
        (self.owner != 0).then_some(self.owner)
    }

    /// Remembers the first node that it belongs to.
    pub(super) fn own(&mut self, nid: u32) {
        if self.owner == 0 {
            self.owner = nid;
        }
    }

    /// Whether it matters: what was merely found in the file, and no node names, may be long dead.
    pub(super) const fn is_in_use(&self) -> bool {
        self.references != UNTOLD || self.live > 0
    }

    /// Where it stands and whose it is, for a finding.
    pub(super) fn place(&self) -> Place {
        let place = Place::block(self.bid.0).at(self.ib.0);
        self.owner().map_or(place, |nid| place.of_node(nid))
    }
}

/// The count of a block that no page tells of.
const UNTOLD: u16 = u16::MAX;

/// How many bytes of the rows stay in memory: those of three quarters of a million blocks.
const MEMORY_BYTES: usize = 24 << 20;
/// How many bytes of their positions stay in memory: those of as many.
const ORDER_BYTES: usize = 3 << 20;

/// The blocks by id.
#[derive(Debug)]
pub(super) struct Table {
    rows: Spill<Row>,
    /// How many are inner blocks.
    inner: usize,
    /// Where a block was found last: blocks that belong together mostly have ids one after the other.
    last: AtomicUsize,
}

/// A part of the file has 16 MiB.
const PART_BITS: u32 = 24;
/// More blocks than have room in a part are sorted and handed out in portions.
const PORTION: usize = 1 << 18;

/// The positions of blocks in the table by the part of the file that they lie in, each part still to be sorted.
#[derive(Debug)]
pub(super) struct InParts {
    order: Spill<u32>,
    /// Where each part ends.
    ends: Vec<u32>,
    /// Bytes that all of them take.
    pub(super) bytes: u64,
}

impl InParts {
    /// Hands out the parts one after the other; the blocks of one that has more than [`PORTION`] come sorted, in portions.
    pub(super) fn each<'o>(&'o mut self, table: &Table, mut part: impl FnMut(&'o mut [u32]) -> Result<()>) -> Result<()> {
        let mut rest = &mut *self.order;
        let mut start = 0;
        for end in self.ends.iter().copied() {
            let count = usize::try_from(end.saturating_sub(start)).unwrap_or(0).min(rest.len());
            let Some((mut blocks, behind)) = rest.split_at_mut_checked(count) else { break };
            if count > PORTION {
                table.sort(blocks);
            }
            while !blocks.is_empty() {
                let len = blocks.len().min(PORTION);
                let Some((portion, others)) = blocks.split_at_mut_checked(len) else { break };
                part(portion)?;
                blocks = others;
            }
            (rest, start) = (behind, end);
        }
        Ok(())
    }

    /// The positions; in the order of the file once all parts were sorted.
    pub(super) fn order(&self) -> &[u32] {
        &self.order
    }
}

/// Sorts a list that mostly is sorted. One that is long is sorted where it lies: what is equal may change places then.
pub(super) fn sort<T: Copy, K: Ord>(list: &mut Spill<T>, key: impl Fn(&T) -> K) {
    match list.len() {
        _ if list.is_sorted_by_key(&key) => {}
        0..SHORT => list.sort_by_key(key),
        _ => list.sort_unstable_by_key(key),
    }
}

/// What is shorter may be sorted in a copy.
const SHORT: usize = 1 << 17;

/// How far from the last block another one is looked for first.
const NEAR: usize = 64;

impl Default for Table {
    fn default() -> Self {
        Self { rows: Spill::keeping(MEMORY_BYTES), inner: 0, last: AtomicUsize::new(0) }
    }
}

impl Table {
    /// Adds an entry of the block B-tree.
    pub(super) fn push(&mut self, entry: &BlockEntry) {
        self.rows.push(Row::of(entry));
        self.inner = self.inner.saturating_add(entry.block.bid.is_internal().into());
    }

    /// Sorts what was added; a tree that is whole comes sorted.
    pub(super) fn finish(&mut self) {
        sort(&mut self.rows, |row| row.bid().key());
    }

    /// Adds the blocks that were found in the file and that no page told of.
    pub(super) fn add_found(&mut self, ndb: &Ndb) -> Result<()> {
        let told = self.rows.len();
        ndb.visit_blocks(&mut |entry| {
            let bid = entry.block.bid.key();
            let known = self.rows.get(..told).is_some_and(|rows| rows.binary_search_by_key(&bid, |row| row.bid().key()).is_ok());
            if !known {
                self.push(&BlockEntry { references: UNTOLD, ..*entry });
            }
            true
        })?;
        self.finish();
        Ok(())
    }

    /// Where the block with this id stands.
    pub(super) fn find(&self, bid: Bid) -> Option<usize> {
        let key = bid.key();
        let at = self.near(key).unwrap_or_else(|| self.rows.partition_point(|row| row.bid().key() < key));
        self.rows.get(at).filter(|row| row.bid().key() == key)?;
        self.last.store(at, Ordering::Relaxed);
        Some(at)
    }

    /// Where the first block with this id or one above stands, if that is near the one found last.
    fn near(&self, key: Bid) -> Option<usize> {
        let last = self.last.load(Ordering::Relaxed);
        let next = last.saturating_add(1);
        if self.rows.get(last)?.bid().key() < key && self.rows.get(next).is_some_and(|row| row.bid().key() == key) {
            return Some(next);
        }
        let start = last.saturating_sub(NEAR);
        let rows = self.rows.get(start..start.saturating_add(NEAR.saturating_mul(2)).min(self.rows.len()))?;
        // One before it and one behind it: what the first of such ids is can be told.
        let within = rows.first()?.bid().key() < key && rows.last()?.bid().key() >= key;
        within.then(|| start.saturating_add(rows.partition_point(|row| row.bid().key() < key)))
    }

    /// The block at a position.
    pub(super) fn row(&self, at: usize) -> Option<&Row> {
        self.rows.get(at)
    }

    /// The block at a position, to be changed.
    pub(super) fn row_mut(&mut self, at: usize) -> Option<&mut Row> {
        self.rows.get_mut(at)
    }

    /// How many of the blocks are inner blocks.
    pub(super) const fn inner(&self) -> usize {
        self.inner
    }

    /// All blocks by id.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The positions of all blocks in use by the part of the file that they lie in, in a file of this length.
    pub(super) fn in_parts(&self, format: Format, file_bytes: u64) -> InParts {
        let part = |row: &Row| usize::try_from(row.ib().0.min(file_bytes) >> PART_BITS).unwrap_or(usize::MAX);
        let mut ends = vec![0_u32; usize::try_from(file_bytes >> PART_BITS).unwrap_or(0).saturating_add(2)];
        let mut bytes = 0_u64;
        for row in self.rows.iter().filter(|row| row.is_in_use()) {
            bytes = bytes.saturating_add(row.entry().stored_bytes(format));
            if let Some(next) = ends.get_mut(part(row).saturating_add(1)) {
                *next = next.saturating_add(1);
            }
        }
        let mut sum = 0_u32;
        for end in &mut ends {
            sum = sum.saturating_add(*end);
            *end = sum;
        }
        let mut order: Spill<u32> = Spill::keeping(ORDER_BYTES);
        order.extend(0..sum);
        for (at, row) in (0..).zip(self.rows.iter()).filter(|(_, row)| row.is_in_use()) {
            let Some(end) = ends.get_mut(part(row)) else { continue };
            if let Some(place) = usize::try_from(*end).ok().and_then(|end| order.get_mut(end)) {
                *place = at;
            }
            *end = end.saturating_add(1);
        }
        InParts { order, ends, bytes }
    }

    /// Puts the positions of a part in the order of their offsets.
    pub(super) fn sort(&self, part: &mut [u32]) {
        part.sort_unstable_by_key(|at| (self.at(*at).map(Row::ib), *at));
    }

    /// The block at a position of [`Table::in_parts`].
    pub(super) fn at(&self, at: u32) -> Option<&Row> {
        usize::try_from(at).ok().and_then(|at| self.rows.get(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bid: u64, ib: u64) -> BlockEntry {
        BlockEntry { block: BlockRef { bid: Bid(bid), ib: Ib(ib) }, size: 7, inflated: 9, references: 2, padding: 0 }
    }

    #[test]
    fn a_row_takes_32_bytes_and_gives_back_its_entry() {
        assert_eq!(size_of::<Row>(), 32);
        let entry = entry(0xffee_ddcc_bbaa_9988, 0x1122_3344_5566_7788);
        let mut row = Row::of(&entry);
        assert_eq!((row.entry(), row.owner()), (entry, None));
        row.own(0x8765_4321);
        row.own(1);
        assert_eq!(row.owner(), Some(0x8765_4321));
    }

    #[test]
    fn blocks_are_sorted_by_offset_wherever_they_are_said_to_lie() {
        let mut table = Table::default();
        for bid in 0..1000_u64 {
            table.push(&entry(bid * 4, bid.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (bid % 60)));
        }
        for file_bytes in [0, 1, 1 << 24, 1 << 33] {
            let mut expected: Vec<u32> = (0..1000).collect();
            expected.sort_by_key(|at| table.at(*at).unwrap().ib().0);
            assert_eq!(sorted(&table, file_bytes).order(), expected);
        }
    }

    fn sorted(table: &Table, file_bytes: u64) -> InParts {
        let mut parts = table.in_parts(Format::Unicode, file_bytes);
        let sort = |part: &mut [u32]| {
            assert!(part.len() <= PORTION);
            table.sort(part);
            Ok(())
        };
        parts.each(table, sort).unwrap();
        parts
    }

    /// Only a file that lies about them has so many in one place.
    #[test]
    fn blocks_that_all_lie_in_one_place_come_in_portions() {
        let mut table = Table::default();
        (0..600_000).for_each(|bid| table.push(&entry(bid * 4, 1 << 20 | bid.wrapping_mul(0x9e37_79b9) & 0xff_ffc0)));
        let order = sorted(&table, 1 << 25);
        assert!(order.order().is_sorted_by_key(|at| (table.at(*at).unwrap().ib().0, *at)));
        assert_eq!(order.bytes, 600_000 * 64);
    }

    #[test]
    fn a_block_is_found_wherever_the_last_one_was() {
        let mut table = Table::default();
        (1..1000).for_each(|bid| table.push(&entry(bid * 4, bid)));
        table.push(&entry(4000, 0));
        table.push(&entry(4000, 1));
        table.finish();
        for bid in [4000, 4, 8, 4000, 2000, 3996, 2004, 1, 4004, 2002] {
            let expected = table.rows().iter().position(|row| row.bid().0 == bid);
            assert_eq!(table.find(Bid(bid)), expected.filter(|_| bid & 1 == 0), "{bid}");
        }
    }

    /// What a store of 10 GB of short letters has: 16 million blocks, 5 million nodes. It took 600 MB of memory once.
    #[test]
    fn what_is_known_of_millions_of_blocks_takes_little_memory() {
        let mut table = Table::default();
        (0..4_000_000).for_each(|bid| table.push(&entry(bid * 4, bid * 64)));
        table.finish();
        assert_eq!((table.rows().len(), table.find(Bid(12_000_000))), (4_000_000, Some(3_000_000)));
        let order = sorted(&table, 4_000_000 * 64);
        assert!(table.rows.memory_bytes() + order.order.memory_bytes() <= 2 * MEMORY_BYTES);
    }

    #[test]
    fn inner_blocks_are_counted() {
        let mut table = Table::default();
        [4, 6, 8, 10, 11, 13].into_iter().for_each(|bid| table.push(&entry(bid, bid)));
        assert_eq!(table.inner(), 3, "their ids have the second bit");
    }

    #[test]
    fn blocks_are_found_by_id_whatever_their_order_and_reserved_bit() {
        let mut table = Table::default();
        for (bid, ib) in [(12, 1), (4, 3), (9, 2)] {
            table.push(&entry(bid, ib));
        }
        table.finish();
        let ib = |bid| table.find(Bid(bid)).and_then(|at| table.row(at)).map(|row| row.ib().0);
        assert_eq!((ib(4), ib(8), ib(13), ib(6)), (Some(3), Some(2), Some(1), None));
        let order = sorted(&table, 100);
        assert!(order.order().iter().map(|at| table.at(*at).unwrap().bid().0).eq([12, 9, 4]));
    }
}
