//! Every tree of every node, walked from the nodes down and mended on the way.
//!
//! Blocks that cannot stay are written anew under their ids: what names them need not change, however many do. A block of
//! a stream that is lost becomes zeros, so that what follows keeps its place; any other lost block is cut off from what
//! names it. What is kept is counted.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::blocks::{Blocks, Look, Source, children};
use super::doubt::{Doubt, Doubts};
use crate::damage::{Result, survived};
use crate::disk::{Arena, Piece};
use crate::format::btree::{BlockEntry, NodeEntry};
use crate::format::heap::HEAP_SIGNATURE;
use crate::format::id::{Bid, Nid, NodeType};
use crate::ndb::Ndb;
use crate::ndb::write::Nids;
use crate::store::item::NodeRef;

/// How deep trees may go below their node: as deep as a scan follows them.
pub(super) const DEPTH_MAX: usize = 256;

/// What is done about a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mend {
    /// It is written anew, with data from there.
    Anew(Source),
    /// An inner block is written anew with what can be read below it.
    Inner,
    /// It is lost; so many zeros take its place.
    Zeros(usize),
    /// It is lost or not what its referrer needs, and no longer named.
    Cut,
    /// It is lost; one with the table of recipients alone takes its place.
    Recipients,
    /// What is below it is packed anew: data of which a block before the last was not full, or entries of subnodes in leaves
    /// that overlap.
    Packed,
}

/// What a tree of blocks is named as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Use {
    Data,
    Subnodes,
}

/// What the walk over all trees comes to.
pub(super) struct Census<'a> {
    pub(super) ndb: &'a Ndb,
    pub(super) blocks: Blocks<'a>,
    /// How often the entries of [`Blocks`] are named, by their position; then the ids that have no entry yet.
    counts: Vec<u16>,
    fresh_counts: BTreeMap<Bid, u16>,
    /// Blocks to write; their plain data are among `data`.
    pub(super) written: BTreeMap<Bid, Piece>,
    pub(super) data: Arena,
    /// Those of them that are compressed, as the others of their streams are.
    pub(super) packed: BTreeSet<Bid>,
    /// What is done about blocks, and the node for which each was met first.
    pub(super) mends: BTreeMap<(Bid, Mend), Nid>,
    /// Nodes whose entries change.
    pub(super) entries: Vec<NodeEntry>,
    /// Ids in use.
    pub(super) nids: Nids,
    /// Whether blocks came or went, so that the trees have to be written anew.
    pub(super) reshaped: bool,
    /// Data blocks that are not as they must be: bytes, `None` for those that are lost.
    pub(super) leaves: HashMap<Bid, Option<u64>>,
    /// Roots of trees that were walked, of data and of subnodes: whether they stay. What is no tree of the one may be one
    /// of the other.
    pub(super) roots: HashMap<(Bid, Use), bool>,
    pub(super) open: HashSet<Bid>,
    /// Inner blocks of data trees that name data blocks, and of which these are counted.
    pub(super) counted: HashSet<Bid>,
    /// The first ids of the leaves of subnode trees that were walked; none of one of which nothing is left.
    pub(super) firsts: HashMap<Bid, Option<Nid>>,
    /// The id for the next block that is made up, where there is one.
    pub(super) next: Option<Bid>,
    /// Messages that come back as an old page told of them.
    pub(super) back: BTreeSet<Nid>,
    /// What the file keeps, though it may not be what was there.
    pub(super) doubts: Doubts,
    /// Roots and blocks below which, or in which, something is in doubt.
    pub(super) tainted: HashSet<Bid>,
    /// How often something in doubt was met so far.
    pub(super) met: u64,
    pub(super) node: Nid,
}

/// Whose subnode a data tree is: the owner's data, and the subnode's id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    pub(super) data: Bid,
    pub(super) nid: Nid,
}

impl<'a> Census<'a> {
    /// Walks the trees of all nodes; `missing` are messages that are nowhere, and the folders that list them.
    pub(super) fn take(ndb: &'a Ndb, blocks: Blocks<'a>, nids: Nids, missing: &BTreeMap<Nid, Nid>) -> Result<Self> {
        let counts = vec![0; blocks.entries().len()];
        let mut census = Self {
            ndb,
            blocks,
            counts,
            fresh_counts: BTreeMap::new(),
            written: BTreeMap::new(),
            data: Arena::default(),
            packed: BTreeSet::new(),
            mends: BTreeMap::new(),
            entries: Vec::new(),
            nids,
            reshaped: false,
            leaves: HashMap::new(),
            roots: HashMap::new(),
            open: HashSet::new(),
            counted: HashSet::new(),
            firsts: HashMap::new(),
            next: None,
            back: BTreeSet::new(),
            doubts: Doubts::default(),
            tainted: HashSet::new(),
            met: 0,
            node: Nid::default(),
        };
        let mut nodes = Vec::new();
        ndb.visit_nodes(&mut |node| {
            nodes.push(*node);
            true
        })?;
        for (nid, folder) in missing {
            let state = census.blocks.earlier(*nid)?;
            census.back.extend(state.map(|state| state.nid));
            nodes.extend(state.map(|state| NodeEntry {
                nid: state.nid.into(),
                data: state.data,
                subnodes: state.subnodes,
                parent: *folder,
                ..NodeEntry::default()
            }));
        }
        nodes.sort_by_key(|node: &NodeEntry| node.nid.nid);
        nodes.chunk_by(|a, b| a.nid.nid == b.nid.nid).try_for_each(|same| census.node(same))?;
        census.give_recipients()?;
        Ok(census)
    }

    /// How often a block is named, by the position of its entry.
    pub(super) fn count_at(&self, at: usize) -> u16 {
        self.counts.get(at).copied().unwrap_or(0)
    }

    /// How often a block is named.
    pub(super) fn count_of(&self, bid: Bid) -> u16 {
        match self.blocks.find(bid) {
            Some(at) => self.count_at(at),
            None => self.fresh_counts.get(&bid.key()).copied().unwrap_or(0),
        }
    }

    /// How often blocks are named by inner blocks that no node reaches: Outlook counts these too.
    pub(super) fn lost_counts(&self) -> Result<HashMap<Bid, u16>> {
        let mut lost: HashMap<Bid, u16> = HashMap::new();
        for (at, entry) in self.blocks.entries().iter().enumerate() {
            if self.count_at(at) > 0 || !entry.block.bid.is_internal() {
                continue;
            }
            let children = match self.ndb.block(entry.block.bid) {
                Ok(block) => children(self.ndb.format(), &block.data),
                Err(error) if error.is_io() => return Err(error),
                Err(_) => continue,
            };
            for child in children {
                let count = lost.entry(child.key()).or_default();
                *count = count.saturating_add(1);
            }
        }
        Ok(lost)
    }

    /// Gives a place of its own to what is whole and overlaps another block.
    pub(super) fn part_overlaps(&mut self) -> Result<()> {
        let named = |(at, entry): &(usize, &BlockEntry)| self.count_at(*at) > 0 && !self.written.contains_key(&entry.block.bid.key());
        let mut order: Vec<BlockEntry> = self.blocks.entries().iter().enumerate().filter(named).map(|(_, entry)| *entry).collect();
        order.sort_unstable_by_key(|entry| (entry.block.ib, entry.block.bid));
        let mut end = 0;
        for entry in order {
            if entry.block.ib.0 < end {
                let data = self.ndb.block(entry.block.bid)?.data.clone();
                self.reshaped = true;
                self.packed.extend((entry.size != entry.inflated).then(|| entry.block.bid.key()));
                self.write(entry.block.bid, &data, Mend::Anew(Source::Itself));
            } else {
                end = entry.block.ib.0.saturating_add(entry.stored_bytes(self.ndb.format()));
            }
        }
        Ok(())
    }

    /// One node, told by one entry or, wrongly, by several: then the first whose data are there.
    fn node(&mut self, same: &[NodeEntry]) -> Result<()> {
        let is_there = |node: &&NodeEntry| node.data.is_none() || self.blocks.find(node.data).is_some();
        let Some(node) = same.iter().find(is_there).or_else(|| same.first()).copied() else { return Ok(()) };
        self.node = node.nid.nid;
        self.nids.cover(self.node);
        let state = if self.shows_nothing(&node)? { self.blocks.earlier(self.node)? } else { None };
        let from = match state {
            // What was is better than nothing. Attachments that can be read stay, the earlier state may not have them.
            Some(state) => NodeRef { subnodes: if self.holds_attachments(&node)? { node.subnodes } else { state.subnodes }, ..state },
            None => NodeRef { nid: self.node, data: node.data, subnodes: node.subnodes },
        };
        if state.is_some() {
            self.back.insert(self.node);
            self.doubts.nodes.insert(self.node);
            self.doubts.earlier.insert(self.node);
        }
        let (data, subnodes) = (self.data(from.data, None)?, self.subnodes(from.subnodes, from.data)?);
        let is_odd = same.len() > 1 || node.nid.high != 0 || self.node == Nid::default();
        if (data, subnodes) != (node.data, node.subnodes) || is_odd || self.back.contains(&self.node) {
            self.entries.push(NodeEntry { nid: self.node.into(), data, subnodes, ..node });
        }
        Ok(())
    }

    /// Whether a node is a message of which no property can be read: the block that they begin with is lost, or no heap.
    fn shows_nothing(&mut self, node: &NodeEntry) -> Result<bool> {
        if node.nid.nid.kind() != NodeType::MESSAGE || node.data.is_none() || node.data.is_internal() {
            return Ok(false);
        }
        let is_lost = self.leaf(node.data)?.is_none();
        let is_heap = |data: &[u8]| data.get(2) == Some(&HEAP_SIGNATURE);
        Ok(is_lost || self.written(node.data).is_some_and(|data| !is_heap(data)))
    }

    fn holds_attachments(&self, node: &NodeEntry) -> Result<bool> {
        match self.ndb.subnodes(node.subnodes) {
            Err(error) if error.is_io() => Err(error),
            entries => Ok(entries.unwrap_or_default().iter().any(|entry| entry.nid.nid.kind() == NodeType::ATTACHMENT)),
        }
    }

    pub(super) fn mend(&mut self, bid: Bid, mend: Mend) {
        self.reshaped |= matches!(mend, Mend::Zeros(_) | Mend::Cut | Mend::Packed);
        self.mends.entry((bid.key(), mend)).or_insert(self.node);
    }

    /// Counts one more entry that names a block.
    pub(super) fn name(&mut self, bid: Bid) {
        let count = match self.blocks.find(bid).and_then(|at| self.counts.get_mut(at)) {
            Some(count) => count,
            None => self.fresh_counts.entry(bid.key()).or_default(),
        };
        // A count of 65,535 is the most that an entry holds.
        *count = count.saturating_add(1).min(u16::MAX.saturating_sub(1));
    }

    /// A data tree that something names: what it is to name from now on.
    ///
    /// `owner` tells of the object whose subnode it is; `None` for a node's own data.
    pub(super) fn data(&mut self, bid: Bid, owner: Option<Owner>) -> Result<Bid> {
        let stays = match () {
            () if bid.is_none() => return Ok(Bid::NONE),
            () if bid.is_internal() => self.data_tree(bid, owner)?,
            () => self.leaf(bid)?.is_some(),
        };
        Ok(self.keep(bid, stays))
    }

    pub(super) fn keep(&mut self, bid: Bid, stays: bool) -> Bid {
        if !stays {
            self.mend(bid, Mend::Cut);
            return Bid::NONE;
        }
        self.name(bid);
        bid
    }

    /// Bytes of a data block; `None` where it is lost.
    pub(super) fn leaf(&mut self, bid: Bid) -> Result<Option<u64>> {
        if let Some(known) = self.leaves.get(&bid.key()).copied() {
            self.meet(bid);
            return Ok(known);
        }
        let bytes = match self.blocks.look(bid)? {
            // What is as it must be is not worth a place in memory.
            Look::Sound(bytes) => return Ok(Some(bytes)),
            Look::Anew(data, source) => {
                let bytes = u64::try_from(data.len()).unwrap_or(0);
                self.write(bid, &data, Mend::Anew(source));
                Some(bytes)
            }
            Look::Lost => None,
        };
        self.leaves.insert(bid.key(), bytes);
        Ok(bytes)
    }

    /// The data of a block that is to be written.
    pub(super) fn written(&self, bid: Bid) -> Option<&[u8]> {
        self.written.get(&bid.key()).map(|piece| self.data.get(*piece))
    }

    /// Takes down a block to write.
    pub(super) fn put_written(&mut self, bid: Bid, data: &[u8]) {
        let piece = self.data.put(data);
        self.written.insert(bid.key(), piece);
    }

    pub(super) fn write(&mut self, bid: Bid, data: &[u8], mend: Mend) {
        // The place that an impossible entry names cannot be given back.
        let entry = self.blocks.find(bid).and_then(|at| self.blocks.entries().get(at));
        self.reshaped |= entry.is_some_and(|entry| !self.blocks.can_stand(entry));
        self.put_written(bid, data);
        self.mend(bid, mend);
        if mend == Mend::Anew(Source::AsRead) {
            self.doubt(bid, Doubt::AsRead);
        }
    }

    /// The data of an inner block, whatever its trailer says; `None` where nothing is left of it.
    pub(super) fn inner(&mut self, bid: Bid) -> Result<Option<Vec<u8>>> {
        if let Some(data) = self.written(bid).map(<[u8]>::to_vec) {
            self.meet(bid);
            return Ok(Some(data));
        }
        match self.blocks.look(bid)? {
            Look::Sound(_) => Ok(survived(self.ndb.block(bid))?.map(|block| block.data.clone())),
            Look::Anew(data, source) => {
                self.write(bid, &data, Mend::Anew(source));
                Ok(Some(data))
            }
            Look::Lost => Ok(None),
        }
    }

    /// Writes an inner block anew where it is not what it must be.
    pub(super) fn put_inner(&mut self, bid: Bid, old: &[u8], new: Vec<u8>) {
        if new != old {
            self.write(bid, &new, Mend::Inner);
        }
    }
}
