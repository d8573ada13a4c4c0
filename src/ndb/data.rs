//! Data trees: the bytes of a node, however many blocks they take ([MS-PST] 2.2.2.8.3.2).

use std::collections::HashSet;
use std::sync::Arc;

use super::{Block, Ndb};
use crate::damage::{Code, Error, Place, Result};
use crate::format::block::DataTreeBlock;
use crate::format::id::Bid;

/// The bytes of a node: its leaf blocks in order.
///
/// Where each leaf begins comes from the sizes in the block B-tree, not from the totals that inner blocks claim.
#[derive(Clone, Debug, Default)]
pub struct Data {
    leaves: Vec<Leaf>,
    len: u64,
}

/// A leaf of a data tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The block.
    pub bid: Bid,
    /// Where its data begin in the node's bytes.
    pub start: u64,
}

impl Ndb {
    /// The data tree with this root; empty where there is none.
    ///
    /// A block that is missing counts as long as a full one: what follows keeps its place.
    pub fn data(&self, root: Bid) -> Result<Arc<Data>> {
        if root.is_internal()
            && let Some(data) = self.trees.get(&root.key())
        {
            return Ok(data);
        }
        let mut data = Data::default();
        if !root.is_none() {
            self.grow(&mut data, root)?;
        }
        // What a look-up of one block tells is not worth a place in the cache.
        if data.leaves.len() < 2 {
            return Ok(Arc::new(data));
        }
        let bytes = data.leaves.len().saturating_mul(size_of::<Leaf>());
        Ok(self.trees.put(root.key(), data, bytes))
    }

    fn grow(&self, data: &mut Data, root: Bid) -> Result<()> {
        if !root.is_internal() {
            let len = self.leaf_bytes(root)?;
            return Ok(data.push(root, len));
        }
        let mut seen = HashSet::new();
        let block = self.inner_block(root)?;
        for child in &block.children {
            match (block.level, child.is_internal()) {
                (1, false) => self.push_leaf(data, *child, &mut seen)?,
                (2, true) => self.push_branch(data, *child, &mut seen)?,
                _ => self.notes().add(Code::DataTree, Place::block(child.0), "a child of the wrong kind"),
            }
        }
        if u64::from(block.total) != data.len {
            self.notes().add(Code::DataTotal, Place::block(root.0), format!("claimed {}, found {}", block.total, data.len));
        }
        Ok(())
    }

    fn push_branch(&self, data: &mut Data, bid: Bid, seen: &mut HashSet<Bid>) -> Result<()> {
        let block = match self.inner_block(bid) {
            Ok(block) if block.level == 1 => block,
            Ok(_) => {
                self.notes().add(Code::DataTree, Place::block(bid.0), "of the wrong level");
                return Ok(());
            }
            Err(error) if error.is_io() => return Err(error),
            Err(error) => {
                // How long the branch was is not known; what follows it moves up.
                self.notes().survived(&error, Code::DataTree, Place::block(bid.0));
                return Ok(());
            }
        };
        for child in &block.children {
            if child.is_internal() {
                self.notes().add(Code::DataTree, Place::block(child.0), "a child of the wrong kind");
            } else {
                self.push_leaf(data, *child, seen)?;
            }
        }
        Ok(())
    }

    fn push_leaf(&self, data: &mut Data, bid: Bid, seen: &mut HashSet<Bid>) -> Result<()> {
        // Each block of a tree is another one, so a tree is never longer than the file; a hostile one could name a block
        // a million times.
        if !seen.insert(bid.key()) {
            return Err(Error::Damaged(Code::BlockCycle, Place::block(bid.0)));
        }
        let len = self.leaf_bytes(bid)?;
        data.push(bid, len);
        Ok(())
    }

    /// How many bytes a leaf has.
    fn leaf_bytes(&self, bid: Bid) -> Result<u64> {
        match self.block_entry(bid) {
            Ok(entry) => Ok(u64::from(entry.inflated)),
            Err(error) if error.is_io() => Err(error),
            Err(error) => {
                self.notes().survived(&error, Code::BlockMissing, Place::block(bid.0));
                Ok(u64::try_from(self.format.layout().data_max_bytes).unwrap_or(0))
            }
        }
    }

    fn inner_block(&self, bid: Bid) -> Result<DataTreeBlock> {
        let block = self.block(bid)?;
        DataTreeBlock::decode(self.format, &block.data).map_err(|cut| cut.at(Code::DataTree, Place::block(bid.0)))
    }
}

impl Data {
    fn push(&mut self, bid: Bid, len: u64) {
        self.leaves.push(Leaf { bid, start: self.len });
        self.len = self.len.saturating_add(len);
    }

    /// How many bytes there are.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The leaves in order.
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// The leaf at this position: blocks of heaps and tables are asked for by number.
    pub fn block(&self, ndb: &Ndb, index: usize) -> Result<Arc<Block>> {
        let leaf = self.leaves.get(index).ok_or_else(|| Error::NotFound(format!("block {index} of a node")))?;
        ndb.block(leaf.bid)
    }

    /// Up to `len` bytes from `offset` on; fewer only at the end. Blocks that cannot be read are zeros, and noted.
    pub fn read(&self, ndb: &Ndb, offset: u64, len: usize) -> Result<Vec<u8>> {
        let end = offset.saturating_add(u64::try_from(len).unwrap_or(u64::MAX)).min(self.len);
        let mut bytes = Vec::new();
        let first = self.leaves.partition_point(|leaf| leaf.start <= offset).saturating_sub(1);
        for (index, leaf) in self.leaves.iter().enumerate().skip(first) {
            if leaf.start >= end {
                break;
            }
            let leaf_end = self.leaves.get(index.saturating_add(1)).map_or(self.len, |next| next.start);
            let from = usize::try_from(offset.saturating_sub(leaf.start)).unwrap_or(usize::MAX);
            let to = usize::try_from(end.min(leaf_end).saturating_sub(leaf.start)).unwrap_or(0);
            append(&mut bytes, ndb, leaf.bid, from, to)?;
        }
        Ok(bytes)
    }

    /// All bytes.
    pub fn read_all(&self, ndb: &Ndb) -> Result<Vec<u8>> {
        self.read(ndb, 0, usize::try_from(self.len).unwrap_or(usize::MAX))
    }
}

/// Appends the bytes `from..to` of a leaf; zeros where the leaf has none.
fn append(bytes: &mut Vec<u8>, ndb: &Ndb, bid: Bid, from: usize, to: usize) -> Result<()> {
    let wanted = bytes.len().saturating_add(to.saturating_sub(from));
    match ndb.block(bid) {
        Ok(block) => {
            let end = to.min(block.data.len());
            bytes.extend_from_slice(block.data.get(from..end).unwrap_or_default());
        }
        Err(error) if error.is_io() => return Err(error),
        Err(error) => ndb.notes().survived(&error, Code::NodeBlocks, Place::block(bid.0)),
    }
    bytes.resize(wanted, 0);
    Ok(())
}
