//! What a transaction sees: its own changes over the store.

use super::Transaction;
use crate::damage::{Code, Error, Place, Result};
use crate::format::block::{DataTreeBlock, SubnodeBlock, SubnodeEntry};
use crate::format::btree::NodeEntry;
use crate::format::id::{Bid, Nid};

impl Transaction<'_> {
    /// The node with this id, as the transaction leaves it.
    pub fn node(&self, nid: Nid) -> Result<Option<NodeEntry>> {
        match self.nodes.get(&u64::from(nid.0)) {
            Some(edit) => Ok(*edit),
            None => self.ndb.node(nid),
        }
    }

    /// The data of a block, new or the store's.
    pub fn block(&self, bid: Bid) -> Result<Vec<u8>> {
        match self.ledger.fresh(bid) {
            Some(data) => Ok(data.to_vec()),
            None => self.ndb.block(bid).map(|block| block.data.clone()),
        }
    }

    /// The bytes of the data tree with this root.
    pub fn data(&self, root: Bid) -> Result<Vec<u8>> {
        if self.ledger.fresh(root).is_none() || !root.is_internal() {
            return if self.ledger.fresh(root).is_some() { self.block(root) } else { self.ndb.data(root)?.read_all(self.ndb) };
        }
        let block = DataTreeBlock::decode(self.ndb.format(), &self.block(root)?);
        let block = block.map_err(|cut| cut.at(Code::DataTree, Place::block(root.0)))?;
        // A new inner block names new blocks only, one level down at a time.
        let mut bytes = Vec::new();
        for child in block.children {
            bytes.extend(self.data(child)?);
        }
        Ok(bytes)
    }

    /// The entries of the subnode tree with this root.
    pub fn subnodes(&self, root: Bid) -> Result<Vec<SubnodeEntry>> {
        if self.ledger.fresh(root).is_none() {
            return self.ndb.subnodes(root);
        }
        let leaf = |bid| match SubnodeBlock::decode(self.ndb.format(), &self.block(bid)?) {
            Ok(block) => Ok(block),
            Err(cut) => Err(cut.at(Code::SubnodeTree, Place::block(bid.0))),
        };
        let branches = match leaf(root)? {
            SubnodeBlock::Leaf(entries) => return Ok(entries),
            SubnodeBlock::Branch(branches) => branches,
        };
        let mut entries = Vec::new();
        for branch in branches {
            match leaf(branch.child)? {
                SubnodeBlock::Leaf(more) => entries.extend(more),
                SubnodeBlock::Branch(_) => return Err(Error::Damaged(Code::SubnodeTree, Place::block(branch.child.0))),
            }
        }
        Ok(entries)
    }
}
