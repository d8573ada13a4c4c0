//! All blocks of the block B-tree, in memory: what is known of each, by its id.
//!
//! 32 bytes a block, whatever is wrong with the file. A store of 10 GB has one to four million blocks.

use crate::damage::Place;
use crate::format::btree::BlockEntry;
use crate::format::id::{Bid, BlockRef, Ib};

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

    /// Where it stands and whose it is, for a finding.
    pub(super) fn place(&self) -> Place {
        let place = Place::block(self.bid.0).at(self.ib.0);
        self.owner().map_or(place, |nid| place.of_node(nid))
    }
}

/// The blocks by id.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// Adds an entry of the block B-tree.
    pub(super) fn push(&mut self, entry: &BlockEntry) {
        self.rows.push(Row::of(entry));
    }

    /// Sorts what was added; a tree that is whole comes sorted.
    pub(super) fn finish(&mut self) {
        if !self.rows.is_sorted_by_key(|row| row.bid().key()) {
            self.rows.sort_by_key(|row| row.bid().key());
        }
    }

    /// Where the block with this id stands.
    pub(super) fn find(&self, bid: Bid) -> Option<usize> {
        let at = self.rows.partition_point(|row| row.bid().key() < bid.key());
        self.rows.get(at).filter(|row| row.bid().key() == bid.key()).map(|_| at)
    }

    /// The block at a position.
    pub(super) fn row(&self, at: usize) -> Option<&Row> {
        self.rows.get(at)
    }

    /// The block at a position, to be changed.
    pub(super) fn row_mut(&mut self, at: usize) -> Option<&mut Row> {
        self.rows.get_mut(at)
    }

    /// All blocks by id.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The positions of all blocks by offset.
    pub(super) fn by_offset(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..u32::try_from(self.rows.len()).unwrap_or(u32::MAX)).collect();
        order.sort_unstable_by_key(|at| (self.at(*at).map(Row::ib), *at));
        order
    }

    /// The block at a position of [`Table::by_offset`].
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
    fn blocks_are_found_by_id_whatever_their_order_and_reserved_bit() {
        let mut table = Table::default();
        for (bid, ib) in [(12, 1), (4, 3), (9, 2)] {
            table.push(&entry(bid, ib));
        }
        table.finish();
        let ib = |bid| table.find(Bid(bid)).and_then(|at| table.row(at)).map(|row| row.ib().0);
        assert_eq!((ib(4), ib(8), ib(13), ib(6)), (Some(3), Some(2), Some(1), None));
        let order: Vec<u64> = table.by_offset().iter().map(|at| table.at(*at).unwrap().bid().0).collect();
        assert_eq!(order, [12, 9, 4]);
    }
}
