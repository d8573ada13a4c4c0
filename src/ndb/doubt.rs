//! Which blocks do not say what was once written: lost ones, and ones that changed since.
//!
//! Readers take what they can get of such blocks. Whoever shows the result asks here whether to say so.

use std::collections::HashSet;

use super::{Data, Ndb};
use crate::damage::Result;
use crate::format::block::{DataTreeBlock, SubnodeBlock};
use crate::format::id::{Bid, NodeType};

/// The longest large value that is looked at: longer ones are attachments, or never read whole.
const VALUE_MAX: u64 = 64 << 20;
/// How deep subnodes lie in subnodes: rows of tables lie in a second level.
const DEPTH_MAX: u8 = 3;

impl Ndb {
    /// How many blocks of a node are lost or damaged: its data, and all that lies beside them but what attachments hold.
    pub fn damaged_node(&self, data: Bid, subnodes: Bid) -> Result<usize> {
        Ok(self.damaged_data(data)?.saturating_add(self.damaged_below(subnodes, DEPTH_MAX)?))
    }

    fn damaged_below(&self, root: Bid, depth: u8) -> Result<usize> {
        let Some(below) = depth.checked_sub(1) else { return Ok(0) };
        let mut damaged = self.damaged_subnodes(root)?;
        let entries = match self.subnodes(root) {
            Err(error) if error.is_io() => return Err(error),
            entries => entries.unwrap_or_default(),
        };
        for entry in entries {
            if matches!(self.data(entry.data), Ok(data) if data.len() <= VALUE_MAX) {
                damaged = damaged.saturating_add(self.damaged_data(entry.data)?);
            }
            if entry.nid.nid.kind() != NodeType::ATTACHMENT {
                damaged = damaged.saturating_add(self.damaged_below(entry.subnodes, below)?);
            }
        }
        Ok(damaged)
    }

    /// How many blocks of the data tree with this root are lost or damaged. Reads them all.
    pub fn damaged_data(&self, root: Bid) -> Result<usize> {
        self.damaged(root, |data| DataTreeBlock::decode(self.format, data).map(|tree| tree.children).ok())
    }

    /// How many blocks of the subnode tree with this root are lost or damaged: those that list subnodes, not what these hold.
    pub fn damaged_subnodes(&self, root: Bid) -> Result<usize> {
        self.damaged(root, |data| match SubnodeBlock::decode(self.format, data).ok()? {
            SubnodeBlock::Branch(branches) => Some(branches.iter().map(|branch| branch.child).collect()),
            SubnodeBlock::Leaf(_) => Some(Vec::new()),
        })
    }

    fn damaged(&self, root: Bid, children: impl Fn(&[u8]) -> Option<Vec<Bid>>) -> Result<usize> {
        let mut damaged = 0_usize;
        let mut seen = HashSet::new();
        let mut waiting = Vec::from_iter((!root.is_none()).then_some(root));
        while let Some(bid) = waiting.pop() {
            // A hostile tree may name one block many times, or itself.
            if !seen.insert(bid.key()) {
                continue;
            }
            let below = match self.block(bid) {
                Err(error) if error.is_io() => return Err(error),
                Ok(block) if block.is_sound && bid.is_internal() => children(&block.data),
                Ok(block) if block.is_sound => Some(Vec::new()),
                Ok(_) | Err(_) => None,
            };
            match below {
                Some(below) => waiting.extend(below),
                None => damaged = damaged.saturating_add(1),
            }
        }
        Ok(damaged)
    }
}

impl Data {
    /// Whether all blocks that hold these bytes say what was once written.
    pub fn is_sound(&self, ndb: &Ndb, offset: u64, len: usize) -> Result<bool> {
        let end = offset.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        let first = self.leaves().partition_point(|leaf| leaf.start <= offset).saturating_sub(1);
        for leaf in self.leaves().iter().skip(first).take_while(|leaf| leaf.start < end) {
            match ndb.block(leaf.bid) {
                Err(error) if error.is_io() => return Err(error),
                Ok(block) if block.is_sound => {}
                Ok(_) | Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }
}
