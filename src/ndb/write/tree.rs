//! Data trees and subnode trees, written ([MS-PST] 2.2.2.8.3.2, 2.2.2.8.3.3).

use super::draft::{Draft, Part, Stored};
use crate::damage::{Error, Result};
use crate::format::Format;
use crate::format::block::{DataTreeBlock, SubnodeBlock, SubnodeBranch, SubnodeEntry};
use crate::format::id::{Bid, Nid};

/// What takes blocks and counts who names them.
pub trait BlockSink {
    /// The variant of the format that the blocks are for.
    fn format(&self) -> Format;

    /// Takes a block with these data, plain; internal ones are the inner blocks of trees. No reference is counted yet.
    fn put_block(&mut self, data: Vec<u8>, internal: bool) -> Result<Bid>;

    /// Counts a reference to a block; nothing for [`Bid::NONE`].
    fn refer(&mut self, bid: Bid) -> Result<()>;

    /// Notes a subnode's id: the header's counters must not fall behind it.
    fn cover(&mut self, nid: Nid);
}

/// A data tree that grows block by block: XBLOCKs, and above 1021 full blocks (Unicode) an XXBLOCK.
#[derive(Debug, Default)]
pub struct DataTree {
    leaves: Vec<Bid>,
    leaves_bytes: u64,
    branches: Vec<Bid>,
    total: u64,
}

impl DataTree {
    /// Appends a block. All but the last must be as large as the format allows: readers compute places from that.
    pub fn push(&mut self, sink: &mut impl BlockSink, data: Vec<u8>) -> Result<()> {
        let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
        if self.leaves.len() >= DataTreeBlock::capacity(sink.format()) {
            self.close_branch(sink)?;
        }
        self.leaves.push(sink.put_block(data, false)?);
        self.leaves_bytes = self.leaves_bytes.saturating_add(bytes);
        self.total = self.total.saturating_add(bytes);
        Ok(())
    }

    /// How many bytes were appended.
    pub const fn len(&self) -> u64 {
        self.total
    }

    /// Whether nothing was appended.
    pub const fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Writes what is left and tells the root; [`Bid::NONE`] where nothing was appended.
    pub fn finish(mut self, sink: &mut impl BlockSink) -> Result<Bid> {
        if self.branches.is_empty() && self.leaves.len() < 2 {
            return Ok(self.leaves.first().copied().unwrap_or(Bid::NONE));
        }
        self.close_branch(sink)?;
        match self.branches.as_slice() {
            [only] => Ok(*only),
            branches if branches.len() <= DataTreeBlock::capacity(sink.format()) => {
                put_inner(sink, 2, self.total, std::mem::take(&mut self.branches))
            }
            _ => Err(Error::Unsupported(format!("a value of {} bytes: a node holds less", self.total))),
        }
    }

    fn close_branch(&mut self, sink: &mut impl BlockSink) -> Result<()> {
        let leaves = std::mem::take(&mut self.leaves);
        let bytes = std::mem::take(&mut self.leaves_bytes);
        self.branches.push(put_inner(sink, 1, bytes, leaves)?);
        Ok(())
    }
}

fn put_inner(sink: &mut impl BlockSink, level: u8, total: u64, children: Vec<Bid>) -> Result<Bid> {
    let total = u32::try_from(total).map_err(|_| Error::Unsupported(format!("a value of {total} bytes: the format ends at 4 GiB")))?;
    for child in &children {
        sink.refer(*child)?;
    }
    sink.put_block(DataTreeBlock { level, total, children }.encode(sink.format()), true)
}

/// Writes a data tree of these blocks.
pub fn put_data(sink: &mut impl BlockSink, blocks: Vec<Vec<u8>>) -> Result<Bid> {
    let mut tree = DataTree::default();
    for block in blocks {
        tree.push(sink, block)?;
    }
    tree.finish(sink)
}

/// Writes a subnode tree of these entries: one leaf, or leaves under one branch; more the format does not have.
pub fn put_subnodes(sink: &mut impl BlockSink, mut entries: Vec<SubnodeEntry>) -> Result<Bid> {
    if entries.is_empty() {
        return Ok(Bid::NONE);
    }
    entries.sort_by_key(|entry| entry.nid.nid);
    if entries.is_sorted_by(|a, b| a.nid.nid < b.nid.nid) {
        let format = sink.format();
        let capacity = SubnodeBlock::capacity::<SubnodeEntry>(format);
        let mut branches = Vec::new();
        let mut rest = entries.into_iter().peekable();
        while let Some(first) = rest.peek().map(|entry| entry.nid) {
            branches.push(SubnodeBranch { nid: first, child: put_leaf(sink, rest.by_ref().take(capacity).collect())? });
        }
        return put_branch(sink, branches);
    }
    Err(Error::Unsupported("a node with two subnodes of one id".into()))
}

fn put_leaf(sink: &mut impl BlockSink, entries: Vec<SubnodeEntry>) -> Result<Bid> {
    for entry in &entries {
        sink.refer(entry.data)?;
        sink.refer(entry.subnodes)?;
        sink.cover(entry.nid.nid);
    }
    sink.put_block(SubnodeBlock::Leaf(entries).encode(sink.format()), true)
}

fn put_branch(sink: &mut impl BlockSink, branches: Vec<SubnodeBranch>) -> Result<Bid> {
    if let [only] = branches.as_slice() {
        return Ok(only.child);
    }
    if branches.len() > SubnodeBlock::capacity::<SubnodeBranch>(sink.format()) {
        return Err(Error::Unsupported("a node with more subnodes than its tree holds".into()));
    }
    for branch in &branches {
        sink.refer(branch.child)?;
    }
    sink.put_block(SubnodeBlock::Branch(branches).encode(sink.format()), true)
}

/// Writes a draft: its subnodes and theirs, then its data.
pub fn put_draft(sink: &mut impl BlockSink, draft: Draft) -> Result<Stored> {
    let mut entries = Vec::new();
    for (nid, part) in draft.subnodes {
        let stored = match part {
            Part::Draft(draft) => put_draft(sink, draft)?,
            Part::Stored(stored) => stored,
        };
        entries.push(SubnodeEntry { nid: nid.into(), data: stored.data, subnodes: stored.subnodes });
    }
    Ok(Stored { data: put_data(sink, draft.data)?, subnodes: put_subnodes(sink, entries)? })
}
