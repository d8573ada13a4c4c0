//! Whose a block is, for findings of readers that know no more than the block.
//!
//! Block by block nobody needs that; it takes a walk over the nodes. A scan knows it of every block, see `low/trees.rs`.

use std::collections::HashMap;

use crate::format::id::{Bid, Nid};
use crate::ndb::Ndb;

/// How many inner blocks are read for it: that takes less than a second. Whose the others are stays unknown.
const READS_MAX: usize = 20_000;
/// How deep nodes lie in each other; a message in a message takes two levels.
const DEPTH_MAX: usize = 32;

/// The nodes that blocks belong to, as far as that is found out in little time.
pub(super) struct Owners<'a> {
    ndb: &'a Ndb,
    /// The blocks, without the reserved bit of their ids.
    blocks: HashMap<Bid, Option<Nid>>,
    reads: usize,
}

impl<'a> Owners<'a> {
    /// Looks for the owners of these blocks.
    pub(super) fn of(ndb: &'a Ndb, blocks: impl Iterator<Item = Bid>) -> Self {
        let mut owners = Self { ndb, blocks: blocks.map(|bid| (bid.key(), None)).collect(), reads: 0 };
        if !owners.blocks.is_empty() {
            // What lies on a damaged page stays without an owner.
            let _ = ndb.visit_nodes(&mut |node| {
                owners.tree(node.nid.nid, node.data, node.subnodes, 0);
                true
            });
        }
        owners
    }

    /// The node of a block.
    pub(super) fn owner(&self, bid: Bid) -> Option<Nid> {
        self.blocks.get(&bid.key()).copied().flatten()
    }

    /// Looks through what a node, or a node in it, is made of.
    fn tree(&mut self, nid: Nid, data: Bid, subnodes: Bid, depth: usize) {
        self.is_of(data, nid);
        self.is_of(subnodes, nid);
        if data.is_internal() && self.may_read() {
            let inner = self.ndb.data(data);
            inner.iter().flat_map(|data| data.leaves()).for_each(|leaf| self.is_of(leaf.bid, nid));
        }
        if subnodes.is_none() || depth >= DEPTH_MAX || !self.may_read() {
            return;
        }
        for entry in self.ndb.subnodes(subnodes).unwrap_or_default() {
            self.tree(nid, entry.data, entry.subnodes, depth.saturating_add(1));
        }
    }

    fn is_of(&mut self, bid: Bid, nid: Nid) {
        if let Some(owner) = self.blocks.get_mut(&bid.key()) {
            owner.get_or_insert(nid);
        }
    }

    fn may_read(&mut self) -> bool {
        self.reads = self.reads.saturating_add(1);
        self.reads <= READS_MAX
    }
}
