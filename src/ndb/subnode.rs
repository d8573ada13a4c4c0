//! Subnode trees: the nodes inside a node ([MS-PST] 2.2.2.8.3.3).

use std::collections::HashSet;

use super::Ndb;
use crate::damage::{Code, Place, Result};
use crate::format::block::{SubnodeBlock, SubnodeEntry};
use crate::format::id::{Bid, Nid};

impl Ndb {
    /// The subnode with this id in the tree with this root.
    pub fn subnode(&self, root: Bid, nid: Nid) -> Result<Option<SubnodeEntry>> {
        if root.is_none() {
            return Ok(None);
        }
        let leaf = match self.subnode_block(root)? {
            SubnodeBlock::Leaf(entries) => entries,
            SubnodeBlock::Branch(branches) => {
                let after = branches.partition_point(|branch| branch.nid.nid <= nid);
                let Some(branch) = after.checked_sub(1).and_then(|last| branches.get(last)) else { return Ok(None) };
                self.subnode_leaf(branch.child)?
            }
        };
        Ok(leaf.into_iter().find(|entry| entry.nid.nid == nid))
    }

    /// All subnodes in the tree with this root, in the order stored. Leaves that cannot be read are noted and left out.
    pub fn subnodes(&self, root: Bid) -> Result<Vec<SubnodeEntry>> {
        if root.is_none() {
            return Ok(Vec::new());
        }
        let branches = match self.subnode_block(root)? {
            SubnodeBlock::Leaf(entries) => return Ok(entries),
            SubnodeBlock::Branch(branches) => branches,
        };
        let mut all = Vec::new();
        let mut seen = HashSet::new();
        for branch in branches {
            // A hostile branch may name one leaf many times.
            if !seen.insert(branch.child.key()) {
                continue;
            }
            match self.subnode_leaf(branch.child) {
                Ok(entries) => all.extend(entries),
                Err(error) if error.is_io() => return Err(error),
                Err(error) => self.notes().survived(&error, Code::SubnodeTree, Place::block(branch.child.0)),
            }
        }
        Ok(all)
    }

    fn subnode_leaf(&self, bid: Bid) -> Result<Vec<SubnodeEntry>> {
        match self.subnode_block(bid)? {
            SubnodeBlock::Leaf(entries) => Ok(entries),
            // One level of branches is all that the format has.
            SubnodeBlock::Branch(_) => Err(crate::damage::Error::Damaged(Code::SubnodeTree, Place::block(bid.0))),
        }
    }

    fn subnode_block(&self, bid: Bid) -> Result<SubnodeBlock> {
        let block = self.block(bid)?;
        let mut block = SubnodeBlock::decode(self.format, &block.data).map_err(|cut| cut.at(Code::SubnodeTree, Place::block(bid.0)))?;
        // Leaves are searched one by one, branches by halves.
        if let SubnodeBlock::Branch(branches) = &mut block
            && !branches.is_sorted_by_key(|branch| branch.nid.nid)
        {
            self.notes().add(Code::SubnodeTree, Place::block(bid.0), "its entries are not ascending");
            branches.sort_by_key(|branch| branch.nid.nid);
        }
        Ok(block)
    }
}
