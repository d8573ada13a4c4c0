//! The data trees of a census: which of their blocks stay, and zeros for what is lost of them.

use super::census::{Census, Mend, Owner, Use};
use super::doubt::Doubt;
use super::inner;
use crate::damage::Result;
use crate::format::Format;
use crate::format::block::DataTreeBlock;
use crate::format::id::Bid;

/// A leaf of a data tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) bid: Bid,
    pub(super) bytes: u64,
}

/// An inner block of a data tree that names data blocks: its id, its data, and what they name.
type Branch = (Bid, Vec<u8>, Vec<Leaf>);

impl Census<'_> {
    /// The tree of a node's or subnode's data; whether anything is left of it.
    pub(super) fn data_tree(&mut self, root: Bid, owner: Option<Owner>) -> Result<bool> {
        if let Some(stays) = self.roots.get(&(root.key(), Use::Data)).copied() {
            self.meet(root);
            return Ok(stays);
        }
        let stays = self.below(root, |census| census.walk_data(root, owner))?;
        self.roots.insert((root.key(), Use::Data), stays);
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
        self.doubt_above(root, branches.iter().map(|(bid, _, _)| *bid));
        let leaves: Vec<Leaf> = branches.iter().flat_map(|(_, _, leaves)| leaves.iter().copied()).collect();
        if has_gaps(format, &leaves) {
            return self.pack(root, &leaves, owner);
        }
        self.liken(&leaves);
        for (bid, old, leaves) in &branches {
            // Streams may share it: what it names is counted once.
            if self.counted.insert(bid.key()) {
                leaves.iter().for_each(|leaf| self.name(leaf.bid));
            }
            self.put_inner(*bid, old, branch_of(leaves).encode(format));
        }
        if block.level == 2 {
            let children: Vec<Bid> = branches.iter().map(|(bid, _, _)| *bid).collect();
            children.iter().for_each(|bid| self.name(*bid));
            self.put_inner(root, &old, DataTreeBlock { level: 2, total: total(&leaves), children }.encode(format));
        }
        Ok(!leaves.is_empty())
    }

    /// Compresses what is written anew of a stream where the rest of it is compressed.
    fn liken(&mut self, leaves: &[Leaf]) {
        let bids = || leaves.iter().map(|leaf| leaf.bid.key());
        let stays = |bid: &Bid| !self.written.contains_key(bid);
        let entries = bids().filter(stays).filter_map(|bid| self.blocks.entries().get(self.blocks.find(bid)?));
        if entries.into_iter().any(|entry| entry.size != entry.inflated) {
            self.packed.extend(bids().filter(|bid| self.written.contains_key(bid)));
        }
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
                _ => {
                    self.mend(*child, Mend::Cut);
                    self.doubt(root, Doubt::Short);
                }
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
        self.put_written(bid, &vec![0; len]);
        self.mend(lost, Mend::Zeros(len));
        self.doubt(bid, Doubt::Zeros);
        Ok(Leaf { bid, bytes })
    }

    /// The length that a lost block's entry tells.
    fn told(&self, bid: Bid) -> Option<u64> {
        let entry = self.blocks.entries().get(self.blocks.find(bid).filter(|_| !bid.is_internal())?)?;
        let full = self.ndb.format().layout().data_max_bytes;
        (1..=full).contains(&usize::from(entry.inflated)).then_some(entry.inflated.into())
    }
}

pub(super) fn branch_of(leaves: &[Leaf]) -> DataTreeBlock {
    DataTreeBlock { level: 1, total: total(leaves), children: leaves.iter().map(|leaf| leaf.bid).collect() }
}

/// Bytes of all leaves; the format has no room for more than 32 bits.
pub(super) fn total(leaves: &[Leaf]) -> u32 {
    u32::try_from(leaves.iter().map(|leaf| leaf.bytes).fold(0, u64::saturating_add)).unwrap_or(u32::MAX)
}

/// Whether a leaf before the last is not full.
fn has_gaps(format: Format, leaves: &[Leaf]) -> bool {
    let full = u64::try_from(format.layout().data_max_bytes).unwrap_or(0);
    leaves.split_last().is_some_and(|(_, before)| before.iter().any(|leaf| leaf.bytes != full))
}
