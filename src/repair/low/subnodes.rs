//! The subnode trees of a census: their entries sorted, each with what stays of it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::census::{Census, DEPTH_MAX, Mend, Owner, Use};
use super::doubt::Doubt;
use super::inner;
use crate::damage::Result;
use crate::format::block::{SubnodeBlock, SubnodeBranch, SubnodeEntry};
use crate::format::codec;
use crate::format::id::{Bid, Nid, NodeType};

/// A leaf of a tree that has branches, and what names it.
struct Leaf {
    branch: SubnodeBranch,
    old: Vec<u8>,
    entries: Vec<SubnodeEntry>,
}

impl Leaf {
    fn first(&self) -> Option<Nid> {
        self.entries.iter().map(|entry| entry.nid.nid).min()
    }

    fn last(&self) -> Option<Nid> {
        self.entries.iter().map(|entry| entry.nid.nid).max()
    }
}

impl Census<'_> {
    /// A subnode tree that something names: what it is to name from now on. `owner` is the data of the object it is of.
    pub(super) fn subnodes(&mut self, root: Bid, owner: Bid) -> Result<Bid> {
        if root.is_none() || self.is_no_link(root) {
            return Ok(Bid::NONE);
        }
        let stays = match self.roots.get(&(root.key(), Use::Subnodes)) {
            Some(stays) => {
                let stays = *stays;
                self.meet(root);
                stays
            }
            // Below itself: it is cut off here, and stays where it stands first.
            None if self.open.len() >= DEPTH_MAX || !self.open.insert(root.key()) => false,
            None => {
                let stays = root.is_internal() && self.below(root, |census| census.walk_subnodes(root, owner))?;
                self.open.remove(&root.key());
                self.roots.insert((root.key(), Use::Subnodes), stays);
                stays
            }
        };
        Ok(self.keep(root, stays))
    }

    /// Whether what stands for a link to subnodes is none with a bit flipped: no subnode tree can have such an id, nor is there
    /// a block whose id it is but for the bit that such ids have. Then nothing is lost.
    fn is_no_link(&self, root: Bid) -> bool {
        let root = root.key();
        let flipped = root.0.is_power_of_two() && !root.is_internal();
        flipped && self.blocks.find(root).is_none() && self.blocks.find(Bid(root.0 | Bid::INTERNAL)).is_none()
    }

    fn walk_subnodes(&mut self, root: Bid, owner: Bid) -> Result<bool> {
        let Some(old) = self.inner(root)? else { return Ok(false) };
        let mended = match inner::subnode_tree(self.ndb.format(), &old) {
            None => return Ok(false),
            Some(SubnodeBlock::Leaf(entries)) => return Ok(self.subnode_leaf(root, &old, entries, owner)?.is_some()),
            Some(SubnodeBlock::Branch(branches)) => self.subnode_branches(root, branches, owner)?,
        };
        self.put_subnodes(root, &old, &mended);
        Ok(!inner::is_empty(&mended))
    }

    /// What an inner block of a subnode tree is to hold: those of its leaves that can be read, each with its first id.
    ///
    /// Where leaves hold the same ids, or such as belong between those of others, all entries are dealt out anew: readers look
    /// for an id in one leaf only.
    fn subnode_branches(&mut self, root: Bid, branches: Vec<SubnodeBranch>, owner: Bid) -> Result<SubnodeBlock> {
        let mut leaves: BTreeMap<Bid, Leaf> = BTreeMap::new();
        for branch in branches {
            match self.read_leaf(branch.child)? {
                Some((old, entries)) => _ = leaves.entry(branch.child.key()).or_insert(Leaf { branch, old, entries }),
                None => self.lose_leaf(root, branch.child),
            }
        }
        let (children, mut leaves): (Vec<Bid>, Vec<Leaf>) = leaves.into_iter().unzip();
        self.doubt_above(root, children);
        leaves.sort_by_key(Leaf::first);
        if !leaves.is_sorted_by(|a, b| a.last() < b.first()) {
            // Of two states of a leaf the newer one has the higher id.
            leaves.sort_by_key(|leaf| Reverse(leaf.branch.child.key()));
            let entries = leaves.into_iter().flat_map(|leaf| leaf.entries).collect();
            let entries = self.subnode_entries(entries, owner)?;
            return self.dealt_out(root, entries);
        }
        let mut kept = Vec::new();
        for Leaf { branch, old, entries } in leaves {
            match self.subnode_leaf(branch.child, &old, entries, owner)? {
                None => self.lose_leaf(root, branch.child),
                Some(first) => {
                    self.name(branch.child);
                    // The upper half of an id is whatever stood in Outlook's memory.
                    let nid = if branch.nid.nid == first { branch.nid } else { first.into() };
                    kept.push(SubnodeBranch { nid, ..branch });
                }
            }
        }
        Ok(SubnodeBlock::Branch(kept))
    }

    fn lose_leaf(&mut self, root: Bid, leaf: Bid) {
        self.mend(leaf, Mend::Cut);
        self.doubt(root, Doubt::Short);
    }

    /// These entries, in the root itself or in leaves of new ids below it.
    fn dealt_out(&mut self, root: Bid, entries: Vec<SubnodeEntry>) -> Result<SubnodeBlock> {
        let format = self.ndb.format();
        self.mend(root, Mend::Packed);
        let capacity = SubnodeBlock::capacity::<SubnodeEntry>(format).max(1);
        if entries.len() <= capacity {
            return Ok(SubnodeBlock::Leaf(entries));
        }
        let mut branches = Vec::new();
        for entries in codec::pieces(&entries, capacity) {
            let nid = entries.first().map(|entry| entry.nid).unwrap_or_default();
            branches.push(SubnodeBranch { nid, child: self.put(SubnodeBlock::Leaf(entries.to_vec()).encode(format), true)? });
        }
        Ok(SubnodeBlock::Branch(branches))
    }

    /// A leaf's data and entries; `None` where nothing of it can be read.
    fn read_leaf(&mut self, bid: Bid) -> Result<Option<(Vec<u8>, Vec<SubnodeEntry>)>> {
        if !bid.is_internal() || self.open.contains(&bid.key()) {
            return Ok(None);
        }
        let Some(old) = self.inner(bid)? else { return Ok(None) };
        Ok(match inner::subnode_tree(self.ndb.format(), &old) {
            Some(SubnodeBlock::Leaf(entries)) if !entries.is_empty() => Some((old, entries)),
            _ => None,
        })
    }

    /// A leaf of a subnode tree, or one that is all of it: its first id; `None` where nothing is left of it.
    ///
    /// Trees may share it: what it names is counted once.
    fn subnode_leaf(&mut self, bid: Bid, old: &[u8], entries: Vec<SubnodeEntry>, owner: Bid) -> Result<Option<Nid>> {
        if let Some(first) = self.firsts.get(&bid.key()) {
            return Ok(*first);
        }
        let entries = self.subnode_entries(entries, owner)?;
        let first = entries.first().map(|entry| entry.nid.nid);
        self.firsts.insert(bid.key(), first);
        self.put_subnodes(bid, old, &SubnodeBlock::Leaf(entries));
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
