//! Every tree of every node, walked from the nodes down and mended on the way.
//!
//! Blocks that cannot stay are written anew under their ids: what names them need not change, however many do. A block of
//! a stream that is lost becomes zeros, so that what follows keeps its place; any other lost block is cut off from what
//! names it. What is kept is counted.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::blocks::{Blocks, Look, Source};
use super::inner;
use crate::damage::{Error, Result};
use crate::format::Format;
use crate::format::block::{DataTreeBlock, SubnodeBlock, SubnodeBranch, SubnodeEntry};
use crate::format::btree::{BlockEntry, NodeEntry};
use crate::format::codec;
use crate::format::heap::{HEAP_SIGNATURE, HeapClient};
use crate::format::id::{Bid, Nid, NodeType};
use crate::ndb::Ndb;
use crate::ndb::write::Nids;
use crate::store::item::NodeRef;

/// How deep trees may go below their node: as deep as a scan follows them.
const DEPTH_MAX: usize = 256;

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
    /// The data below it are packed anew: a block before the last was not full.
    Packed,
}

/// What the walk over all trees comes to.
pub(super) struct Census<'a> {
    ndb: &'a Ndb,
    pub(super) blocks: Blocks<'a>,
    /// How often the entries of [`Blocks`] are named, by their position; then the ids that have no entry yet.
    counts: Vec<u16>,
    fresh_counts: BTreeMap<Bid, u16>,
    /// Blocks to write, with plain data.
    pub(super) written: BTreeMap<Bid, Vec<u8>>,
    /// What is done about blocks, and the node for which each was met first.
    pub(super) mends: BTreeMap<(Bid, Mend), Nid>,
    /// Nodes whose entries change.
    pub(super) entries: Vec<NodeEntry>,
    /// Ids in use.
    pub(super) nids: Nids,
    /// Whether blocks came or went, so that the trees have to be written anew.
    pub(super) reshaped: bool,
    /// Data blocks that are not as they must be: bytes, `None` for those that are lost.
    leaves: HashMap<Bid, Option<u64>>,
    /// Roots of trees that were walked: whether they stay.
    roots: HashMap<Bid, bool>,
    open: HashSet<Bid>,
    /// The id for the next block that is made up, where there is one.
    pub(super) next: Option<Bid>,
    /// Messages that come back as an old page told of them.
    pub(super) back: BTreeSet<Nid>,
    node: Nid,
}

/// A leaf of a data tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leaf {
    bid: Bid,
    bytes: u64,
}

/// An inner block of a data tree that names data blocks: its id, its data, and what they name.
type Branch = (Bid, Vec<u8>, Vec<Leaf>);

/// Whose subnode a data tree is: the owner's data, and the subnode's id.
#[derive(Clone, Copy, Debug)]
struct Owner {
    data: Bid,
    nid: Nid,
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
            mends: BTreeMap::new(),
            entries: Vec::new(),
            nids,
            reshaped: false,
            leaves: HashMap::new(),
            roots: HashMap::new(),
            open: HashSet::new(),
            next: None,
            back: BTreeSet::new(),
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
                self.write(entry.block.bid, data, Mend::Anew(Source::Itself));
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
        self.back.extend(state.map(|state| state.nid));
        let (data, subnodes) = (self.data(from.data, None)?, self.subnodes(from.subnodes, from.data)?);
        if (data, subnodes) != (node.data, node.subnodes) || same.len() > 1 || node.nid.high != 0 || self.back.contains(&self.node) {
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
        let is_heap = |data: &Vec<u8>| data.get(2) == Some(&HEAP_SIGNATURE);
        Ok(is_lost || self.written.get(&node.data.key()).is_some_and(|data| !is_heap(data)))
    }

    fn holds_attachments(&self, node: &NodeEntry) -> Result<bool> {
        match self.ndb.subnodes(node.subnodes) {
            Err(error) if error.is_io() => Err(error),
            entries => Ok(entries.unwrap_or_default().iter().any(|entry| entry.nid.nid.kind() == NodeType::ATTACHMENT)),
        }
    }

    fn mend(&mut self, bid: Bid, mend: Mend) {
        self.reshaped |= matches!(mend, Mend::Zeros(_) | Mend::Cut | Mend::Packed);
        self.mends.entry((bid.key(), mend)).or_insert(self.node);
    }

    /// Counts one more entry that names a block.
    fn name(&mut self, bid: Bid) {
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
    fn data(&mut self, bid: Bid, owner: Option<Owner>) -> Result<Bid> {
        let stays = match () {
            () if bid.is_none() => return Ok(Bid::NONE),
            () if bid.is_internal() => self.data_tree(bid, owner)?,
            () => self.leaf(bid)?.is_some(),
        };
        Ok(self.keep(bid, stays))
    }

    fn keep(&mut self, bid: Bid, stays: bool) -> Bid {
        if !stays {
            self.mend(bid, Mend::Cut);
            return Bid::NONE;
        }
        self.name(bid);
        bid
    }

    /// Bytes of a data block; `None` where it is lost.
    fn leaf(&mut self, bid: Bid) -> Result<Option<u64>> {
        if let Some(known) = self.leaves.get(&bid.key()) {
            return Ok(*known);
        }
        let bytes = match self.blocks.look(bid)? {
            // What is as it must be is not worth a place in memory.
            Look::Sound(bytes) => return Ok(Some(bytes)),
            Look::Anew(data, source) => {
                let bytes = u64::try_from(data.len()).unwrap_or(0);
                self.write(bid, data, Mend::Anew(source));
                Some(bytes)
            }
            Look::Lost => None,
        };
        self.leaves.insert(bid.key(), bytes);
        Ok(bytes)
    }

    fn write(&mut self, bid: Bid, data: Vec<u8>, mend: Mend) {
        // The place that an impossible entry names cannot be given back.
        let entry = self.blocks.find(bid).and_then(|at| self.blocks.entries().get(at));
        self.reshaped |= entry.is_some_and(|entry| !self.blocks.can_stand(entry));
        self.written.insert(bid.key(), data);
        self.mend(bid, mend);
    }

    /// The data of an inner block, whatever its trailer says; `None` where nothing is left of it.
    fn inner(&mut self, bid: Bid) -> Result<Option<Vec<u8>>> {
        if let Some(data) = self.written.get(&bid.key()) {
            return Ok(Some(data.clone()));
        }
        match self.blocks.look(bid)? {
            Look::Sound(_) => match self.ndb.block(bid) {
                Ok(block) => Ok(Some(block.data.clone())),
                Err(error) if error.is_io() => Err(error),
                Err(_) => Ok(None),
            },
            Look::Anew(data, source) => {
                self.write(bid, data.clone(), Mend::Anew(source));
                Ok(Some(data))
            }
            Look::Lost => Ok(None),
        }
    }

    /// Writes an inner block anew where it is not what it must be.
    fn put_inner(&mut self, bid: Bid, old: &[u8], new: Vec<u8>) {
        if new != old {
            self.write(bid, new, Mend::Inner);
        }
    }

    /// The tree of a node's or subnode's data; whether anything is left of it.
    fn data_tree(&mut self, root: Bid, owner: Option<Owner>) -> Result<bool> {
        if let Some(stays) = self.roots.get(&root.key()) {
            return Ok(*stays);
        }
        let stays = self.walk_data(root, owner)?;
        self.roots.insert(root.key(), stays);
        Ok(stays)
    }

    fn walk_data(&mut self, root: Bid, owner: Option<Owner>) -> Result<bool> {
        let format = self.ndb.format();
        let Some(old) = self.inner(root)? else { return Ok(false) };
        let Some(block) = inner::data_tree(format, &old) else { return Ok(false) };
        let branches = if block.level == 1 {
            let leaves = self.branch_leaves(&block)?;
            vec![(root, old.clone(), leaves)]
        } else {
            self.branches(root, &block)?
        };
        let leaves: Vec<Leaf> = branches.iter().flat_map(|(_, _, leaves)| leaves.iter().copied()).collect();
        if has_gaps(format, &leaves) {
            return self.pack(root, &leaves, owner);
        }
        for (bid, old, leaves) in &branches {
            leaves.iter().for_each(|leaf| self.name(leaf.bid));
            self.put_inner(*bid, old, branch_of(leaves).encode(format));
        }
        if block.level == 2 {
            let children: Vec<Bid> = branches.iter().map(|(bid, _, _)| *bid).collect();
            children.iter().for_each(|bid| self.name(*bid));
            self.put_inner(root, &old, DataTreeBlock { level: 2, total: total(&leaves), children }.encode(format));
        }
        Ok(!leaves.is_empty())
    }

    /// The inner blocks below a root that can be read, each with its data and its leaves.
    fn branches(&mut self, root: Bid, block: &DataTreeBlock) -> Result<Vec<Branch>> {
        let mut branches = Vec::new();
        for child in block.children.iter().filter(|child| child.is_internal() && child.key() != root.key()) {
            let data = self.inner(*child)?;
            let decoded = data.as_ref().and_then(|data| inner::data_tree(self.ndb.format(), data));
            match (data, decoded.filter(|branch| branch.level == 1)) {
                (Some(data), Some(decoded)) => branches.push((*child, data, self.branch_leaves(&decoded)?)),
                // How long it was nobody knows; what follows moves up, as it does for readers.
                _ => self.mend(*child, Mend::Cut),
            }
        }
        Ok(branches)
    }

    /// The leaves that an inner block names; where one is lost, zeros.
    fn branch_leaves(&mut self, block: &DataTreeBlock) -> Result<Vec<Leaf>> {
        let full = u64::try_from(self.ndb.format().layout().data_max_bytes).unwrap_or(0);
        let mut leaves: Vec<Leaf> = Vec::new();
        let mut holes = Vec::new();
        for child in &block.children {
            let bytes = if child.is_internal() { None } else { self.leaf(*child)? };
            if bytes.is_none() {
                holes.push(leaves.len());
            }
            leaves.push(Leaf { bid: *child, bytes: bytes.unwrap_or(full) });
        }
        for at in holes {
            let others = u64::from(total(&leaves)).saturating_sub(full);
            let is_last = at.saturating_add(1) == leaves.len();
            let Some(lost) = leaves.get(at).copied() else { continue };
            // The last one ends where the total says, if that can be.
            let end = u64::from(block.total).checked_sub(others).filter(|rest| is_last && (1..=full).contains(rest));
            let bytes = self.told(lost.bid).or(end).unwrap_or(full);
            let leaf = self.zeros(lost.bid, bytes)?;
            if let Some(hole) = leaves.get_mut(at) {
                *hole = leaf;
            }
        }
        Ok(leaves)
    }

    /// A block of zeros in place of a lost one: under its id, or under a new one where its own is an inner block's.
    fn zeros(&mut self, lost: Bid, bytes: u64) -> Result<Leaf> {
        let bid = if lost.is_internal() { self.fresh(false)? } else { lost };
        let len = usize::try_from(bytes).unwrap_or(0);
        self.leaves.insert(bid.key(), Some(bytes));
        self.written.insert(bid.key(), vec![0; len]);
        self.mend(lost, Mend::Zeros(len));
        Ok(Leaf { bid, bytes })
    }

    /// The length that a lost block's entry tells.
    fn told(&self, bid: Bid) -> Option<u64> {
        let entry = self.blocks.entries().get(self.blocks.find(bid).filter(|_| !bid.is_internal())?)?;
        let full = self.ndb.format().layout().data_max_bytes;
        (1..=full).contains(&usize::from(entry.inflated)).then_some(entry.inflated.into())
    }

    /// Writes the data below a root anew, in full blocks under new ids.
    ///
    /// Blocks of heaps and of tables' rows are asked for by number: there each short one is filled up. Of anything else
    /// the bytes follow each other.
    fn pack(&mut self, root: Bid, leaves: &[Leaf], owner: Option<Owner>) -> Result<bool> {
        let full = self.ndb.format().layout().data_max_bytes;
        let mut contents = leaves.iter().map(|leaf| self.bytes_of(leaf)).collect::<Result<Vec<_>>>()?;
        let by_number = contents.first().is_some_and(|first| first.get(2) == Some(&HEAP_SIGNATURE)) || self.is_rows(owner)?;
        if by_number && let Some((_, before)) = contents.split_last_mut() {
            before.iter_mut().for_each(|piece| piece.resize(full, 0));
        }
        let mut packed = Vec::new();
        for piece in codec::pieces(&contents.concat(), full) {
            let bid = self.put(piece.to_vec(), false)?;
            packed.push(Leaf { bid, bytes: u64::try_from(piece.len()).unwrap_or(0) });
        }
        if packed.is_empty() {
            return Ok(false);
        }
        let block = self.pack_branches(&packed)?;
        self.write(root, block.encode(self.ndb.format()), Mend::Packed);
        Ok(true)
    }

    /// The root over these leaves, and the inner blocks between where it takes any.
    fn pack_branches(&mut self, leaves: &[Leaf]) -> Result<DataTreeBlock> {
        let format = self.ndb.format();
        let capacity = DataTreeBlock::capacity(format).max(1);
        if leaves.len() <= capacity {
            return Ok(branch_of(leaves));
        }
        let mut children = Vec::new();
        let mut rest = leaves;
        while !rest.is_empty() {
            let (branch, behind) = rest.split_at_checked(capacity).unwrap_or((rest, &[]));
            rest = behind;
            children.push(self.put(branch_of(branch).encode(format), true)?);
        }
        Ok(DataTreeBlock { level: 2, total: total(leaves), children })
    }

    /// A new block that one entry names.
    fn put(&mut self, data: Vec<u8>, internal: bool) -> Result<Bid> {
        let bid = self.fresh(internal)?;
        self.written.insert(bid, data);
        self.name(bid);
        Ok(bid)
    }

    /// The data of a leaf, as it will be.
    fn bytes_of(&self, leaf: &Leaf) -> Result<Vec<u8>> {
        match self.written.get(&leaf.bid.key()) {
            Some(data) => Ok(data.clone()),
            None => self.ndb.block(leaf.bid).map(|block| block.data.clone()),
        }
    }

    /// Whether a subnode's data are the rows of its owner's table.
    fn is_rows(&self, owner: Option<Owner>) -> Result<bool> {
        let Some(owner) = owner.filter(|owner| owner.nid.kind() == NodeType::LTP) else { return Ok(false) };
        match self.ndb.data(owner.data).and_then(|data| data.block(self.ndb, 0)) {
            Ok(block) => Ok(block.data.get(2..4) == Some(&[HEAP_SIGNATURE, HeapClient::TABLE.0])),
            Err(error) if error.is_io() => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// An id for a block that is made up: above all that stands in the file.
    fn fresh(&mut self, internal: bool) -> Result<Bid> {
        let next = match self.next {
            Some(next) => next,
            None => Bid(self.blocks.next()?.0.max(self.ndb.header().next_block.0 & !3)),
        };
        let after = next.0.checked_add(4).filter(|after| self.ndb.format() != Format::Ansi || u32::try_from(*after).is_ok());
        self.next = Some(after.map(Bid).ok_or_else(|| Error::Unsupported("the store has no block ids left".into()))?);
        Ok(Bid(next.0 | if internal { 2 } else { 0 }))
    }

    /// A subnode tree that something names: what it is to name from now on. `owner` is the data of the object it is of.
    fn subnodes(&mut self, root: Bid, owner: Bid) -> Result<Bid> {
        if root.is_none() {
            return Ok(root);
        }
        let stays = match self.roots.get(&root.key()) {
            Some(stays) => *stays,
            // Below itself: it is cut off here, and stays where it stands first.
            None if self.open.len() >= DEPTH_MAX || !self.open.insert(root.key()) => false,
            None => {
                let stays = root.is_internal() && self.walk_subnodes(root, owner)?;
                self.open.remove(&root.key());
                self.roots.insert(root.key(), stays);
                stays
            }
        };
        Ok(self.keep(root, stays))
    }

    fn walk_subnodes(&mut self, root: Bid, owner: Bid) -> Result<bool> {
        let Some(old) = self.inner(root)? else { return Ok(false) };
        let mended = match inner::subnode_tree(self.ndb.format(), &old) {
            None => return Ok(false),
            Some(SubnodeBlock::Leaf(entries)) => SubnodeBlock::Leaf(self.subnode_entries(entries, owner)?),
            Some(SubnodeBlock::Branch(branches)) => SubnodeBlock::Branch(self.subnode_branches(branches, owner)?),
        };
        self.put_subnodes(root, &old, &mended);
        Ok(!inner::is_empty(&mended))
    }

    /// The entries of a subnode tree's inner block whose leaves can be read, each with its leaf's first id.
    fn subnode_branches(&mut self, branches: Vec<SubnodeBranch>, owner: Bid) -> Result<Vec<SubnodeBranch>> {
        let mut kept: BTreeMap<Nid, SubnodeBranch> = BTreeMap::new();
        for branch in branches {
            match self.subnode_leaf(branch.child, owner)?.filter(|first| !kept.contains_key(first)) {
                None => self.mend(branch.child, Mend::Cut),
                Some(first) => {
                    self.name(branch.child);
                    // The upper half of an id is whatever stood in Outlook's memory.
                    let nid = if branch.nid.nid == first { branch.nid } else { first.into() };
                    kept.insert(first, SubnodeBranch { nid, ..branch });
                }
            }
        }
        Ok(kept.into_values().collect())
    }

    /// A leaf of a subnode tree that has branches: its first id; `None` where nothing is left of it.
    fn subnode_leaf(&mut self, bid: Bid, owner: Bid) -> Result<Option<Nid>> {
        if !bid.is_internal() || self.open.contains(&bid.key()) {
            return Ok(None);
        }
        let Some(old) = self.inner(bid)? else { return Ok(None) };
        let Some(SubnodeBlock::Leaf(entries)) = inner::subnode_tree(self.ndb.format(), &old) else { return Ok(None) };
        let entries = self.subnode_entries(entries, owner)?;
        let first = entries.first().map(|entry| entry.nid.nid);
        self.put_subnodes(bid, &old, &SubnodeBlock::Leaf(entries));
        Ok(first)
    }

    fn put_subnodes(&mut self, bid: Bid, old: &[u8], mended: &SubnodeBlock) {
        let format = self.ndb.format();
        // Bytes between head and entries are nobody's: what is stored decides, not how it would be written.
        let same = SubnodeBlock::decode(format, old).as_ref() == Ok(mended) && mended.encode(format).len() == old.len();
        if !same && !inner::is_empty(mended) {
            self.put_inner(bid, old, mended.encode(format));
        }
    }

    /// The entries of a leaf, sorted, each mended; of several of one id the one that has data.
    fn subnode_entries(&mut self, entries: Vec<SubnodeEntry>, owner: Bid) -> Result<Vec<SubnodeEntry>> {
        let mut chosen: BTreeMap<Nid, SubnodeEntry> = BTreeMap::new();
        for entry in entries {
            let is_there = |entry: &SubnodeEntry| self.blocks.find(entry.data).is_some();
            let is_better = chosen.get(&entry.nid.nid).is_none_or(|known| !is_there(known) && is_there(&entry));
            if is_better {
                chosen.insert(entry.nid.nid, entry);
            }
        }
        let mut kept = Vec::new();
        for (nid, entry) in chosen {
            self.nids.cover(nid);
            let data = self.data(entry.data, Some(Owner { data: owner, nid }))?;
            let subnodes = self.subnodes(entry.subnodes, entry.data)?;
            // A large value that is lost is not an empty one: whoever names it is to find nothing.
            if nid.kind() == NodeType::LTP && (data, subnodes) == (Bid::NONE, Bid::NONE) && !entry.data.is_none() {
                continue;
            }
            kept.push(SubnodeEntry { data, subnodes, ..entry });
        }
        Ok(kept)
    }
}

/// The blocks that an inner block names.
fn children(format: Format, data: &[u8]) -> Vec<Bid> {
    if let Ok(block) = DataTreeBlock::decode(format, data) {
        return block.children;
    }
    match SubnodeBlock::decode(format, data) {
        Ok(SubnodeBlock::Leaf(entries)) => {
            entries.iter().flat_map(|entry| [entry.data, entry.subnodes]).filter(|bid| !bid.is_none()).collect()
        }
        Ok(SubnodeBlock::Branch(entries)) => entries.iter().map(|entry| entry.child).collect(),
        Err(_) => Vec::new(),
    }
}

fn branch_of(leaves: &[Leaf]) -> DataTreeBlock {
    DataTreeBlock { level: 1, total: total(leaves), children: leaves.iter().map(|leaf| leaf.bid).collect() }
}

/// Bytes of all leaves; the format has no room for more than 32 bits.
fn total(leaves: &[Leaf]) -> u32 {
    u32::try_from(leaves.iter().map(|leaf| leaf.bytes).fold(0, u64::saturating_add)).unwrap_or(u32::MAX)
}

/// Whether a leaf before the last is not full.
fn has_gaps(format: Format, leaves: &[Leaf]) -> bool {
    let full = u64::try_from(format.layout().data_max_bytes).unwrap_or(0);
    leaves.split_last().is_some_and(|(_, before)| before.iter().any(|leaf| leaf.bytes != full))
}
