//! Whether all blocks of a thing are there, each verified; and which blocks these are.

use std::collections::HashMap;

use crate::damage::{Result, survived};
use crate::format::block::{DataTreeBlock, SubnodeBlock};
use crate::format::id::Bid;
use crate::ndb::Ndb;
use crate::recover::Survey;
use crate::store::item::NodeRef;

/// Follows trees of blocks through a file; each block is looked at once, however many things share it.
#[derive(Debug)]
pub(super) struct Whole<'a> {
    ndb: &'a Ndb,
    survey: &'a Survey,
    known: HashMap<(Bid, Role), bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Role {
    Data,
    Subnodes,
}

/// How deep messages may lie in attachments of messages; as deep as documents show them.
const DEPTH_MAX: usize = 32;

impl<'a> Whole<'a> {
    /// Over all blocks that `ndb` finds.
    pub(super) fn new(ndb: &'a Ndb, survey: &'a Survey) -> Self {
        Self { ndb, survey, known: HashMap::new() }
    }

    /// Whether all of a node is there.
    pub(super) fn node(&mut self, node: NodeRef) -> Result<bool> {
        Ok(self.data(node.data, 0)? & self.subnodes(node.subnodes, 0)?)
    }

    /// Every block that was looked at.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Bid> {
        self.known.keys().map(|(bid, _)| *bid)
    }

    /// Whether a block is there and its CRC matches.
    fn is_sound(&self, bid: Bid) -> bool {
        self.survey.copies(bid).first().is_some_and(|copy| copy.is_whole)
    }

    fn data(&mut self, root: Bid, depth: usize) -> Result<bool> {
        if let Some(known) = self.begin(root, Role::Data) {
            return Ok(known);
        }
        let mut whole = self.is_sound(root);
        if whole && root.is_internal() {
            let children = match self.decoded(root, |bytes| DataTreeBlock::decode(self.ndb.format(), bytes).ok())? {
                Some(block) if depth < 2 => block.children,
                _ => return Ok(false),
            };
            for child in children {
                whole &= self.data(child.key(), depth.saturating_add(1))?;
            }
        }
        self.known.insert((root, Role::Data), whole);
        Ok(whole)
    }

    fn subnodes(&mut self, root: Bid, depth: usize) -> Result<bool> {
        if root.is_none() {
            return Ok(true);
        }
        if let Some(known) = self.begin(root, Role::Subnodes) {
            return Ok(known);
        }
        let mut whole = self.is_sound(root) && depth < DEPTH_MAX;
        let block = if whole { self.decoded(root, |bytes| SubnodeBlock::decode(self.ndb.format(), bytes).ok())? } else { None };
        match block {
            None => whole = false,
            Some(SubnodeBlock::Branch(branches)) => {
                for branch in branches {
                    whole &= self.subnodes(branch.child.key(), depth.saturating_add(1))?;
                }
            }
            Some(SubnodeBlock::Leaf(entries)) => {
                for entry in entries {
                    whole &= entry.data.is_none() || self.data(entry.data.key(), 0)?;
                    whole &= self.subnodes(entry.subnodes.key(), depth.saturating_add(1))?;
                }
            }
        }
        self.known.insert((root, Role::Subnodes), whole);
        Ok(whole)
    }

    /// What is known of a tree; where it is not, it counts as broken until it is: a tree that holds itself is.
    fn begin(&mut self, root: Bid, role: Role) -> Option<bool> {
        let known = self.known.get(&(root, role)).copied();
        if known.is_none() {
            self.known.insert((root, role), false);
        }
        known
    }

    fn decoded<T>(&self, bid: Bid, decode: impl Fn(&[u8]) -> Option<T>) -> Result<Option<T>> {
        Ok(survived(self.ndb.block(bid))?.and_then(|block| decode(&block.data)))
    }
}
