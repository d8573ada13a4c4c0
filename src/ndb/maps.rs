//! Maps in place of the B-trees: where each block stands and what each node has, found without them.

use crate::disk::Spill;
use crate::format::btree::{BlockEntry, NodeEntry};
use crate::format::id::{Bid, BlockRef, Ib, Nid};

/// Where a block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockPlace {
    /// Its id.
    pub bid: Bid,
    /// Where it begins.
    pub ib: Ib,
    /// Bytes of data as stored.
    pub size: u16,
    /// Bytes of data after inflating.
    pub inflated: u16,
}

impl From<BlockPlace> for BlockEntry {
    fn from(place: BlockPlace) -> Self {
        let block = BlockRef { bid: place.bid, ib: place.ib };
        Self { block, size: place.size, inflated: place.inflated, ..Self::default() }
    }
}

/// What stands in place of both trees: 24 bytes a block and 32 a node, in memory as far as there are few.
#[derive(Debug, Default)]
pub struct Maps {
    blocks: Spill<BlockPlace>,
    nodes: Spill<NodeEntry>,
    names: Option<NodeEntry>,
    earlier: Spill<(Nid, Bid)>,
}

impl Maps {
    /// Maps of these blocks and nodes; of several of one id the first counts.
    pub fn new(mut blocks: Spill<BlockPlace>, nodes: Spill<NodeEntry>) -> Self {
        blocks.sort_stably_by_key(|place| place.bid.key());
        blocks.retain(|last, place| last.map(|last| last.bid.key()) != Some(place.bid.key()));
        Self { blocks, ..Self::default() }.with_nodes(nodes)
    }

    /// The same blocks, and these nodes; of several of one id the first counts.
    #[must_use]
    pub fn with_nodes(self, mut nodes: Spill<NodeEntry>) -> Self {
        nodes.sort_stably_by_key(|node| node.nid.nid);
        nodes.retain(|last, node| last.map(|last| last.nid.nid) != Some(node.nid.nid));
        Self { nodes, ..self }
    }

    /// The same maps, and an earlier state of the map of named properties.
    #[must_use]
    pub fn with_names(self, names: Option<NodeEntry>) -> Self {
        Self { names, ..self }
    }

    /// An earlier state of the map of named properties, where the present one is damaged.
    pub const fn names(&self) -> Option<&NodeEntry> {
        self.names.as_ref()
    }

    /// The same maps, and the nodes, with their data, that are known to have had a later state, which is lost.
    #[must_use]
    pub fn with_earlier(self, mut earlier: Spill<(Nid, Bid)>) -> Self {
        earlier.sort_unstable();
        Self { earlier, ..self }
    }

    /// Whether these data of a node are known not to be the latest, which are lost.
    pub fn is_earlier(&self, nid: Nid, data: Bid) -> bool {
        self.earlier.binary_search(&(nid, data)).is_ok()
    }

    /// The blocks, ascending by id.
    pub fn blocks(&self) -> &[BlockPlace] {
        &self.blocks
    }

    /// The nodes, ascending by id.
    pub fn nodes(&self) -> &[NodeEntry] {
        &self.nodes
    }

    /// Where a block stands.
    pub fn block(&self, bid: Bid) -> Option<BlockPlace> {
        let at = self.blocks.binary_search_by_key(&bid.key(), |place| place.bid.key()).ok()?;
        self.blocks.get(at).copied()
    }

    /// What a node has.
    pub fn node(&self, nid: Nid) -> Option<NodeEntry> {
        let at = self.nodes.binary_search_by_key(&nid, |node| node.nid.nid).ok()?;
        self.nodes.get(at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_of_one_id_the_first_counts() {
        let place = |bid, ib| BlockPlace { bid: Bid(bid), ib: Ib(ib), size: 1, inflated: 1 };
        let node = |nid, data| NodeEntry { nid: Nid(nid).into(), data: Bid(data), ..NodeEntry::default() };
        let maps = Maps::new(
            [place(8, 1), place(4, 2), place(9, 3)].into_iter().collect(),
            [node(0x42, 1), node(0x22, 2), node(0x42, 3)].into_iter().collect(),
        );
        assert_eq!(maps.block(Bid(9)), Some(place(8, 1)), "the spare bit of an id does not count");
        assert_eq!((maps.blocks().len(), maps.nodes().len()), (2, 2));
        assert_eq!(maps.node(Nid(0x42)).unwrap().data, Bid(1));
        assert_eq!((maps.block(Bid(12)), maps.node(Nid(0x62))), (None, None));
    }

    /// A store of 10 GB has sixteen million blocks of short letters. Their maps took 400 MB of memory once.
    #[test]
    fn maps_of_many_blocks_take_little_memory() {
        let block = |bid: u64| BlockPlace { bid: Bid(bid * 4), ib: Ib(bid * 64), size: 1, inflated: 1 };
        let node = |nid| NodeEntry { nid: Nid(nid).into(), ..NodeEntry::default() };
        let maps = Maps::new((0..1_000_000).map(block).collect(), (0..500_000).map(node).collect());
        assert_eq!((maps.block(Bid(80)), maps.node(Nid(499_999))), (Some(block(20)), Some(node(499_999))));
        assert!(maps.blocks.memory_bytes() + maps.nodes.memory_bytes() <= 4 << 20);
    }
}
