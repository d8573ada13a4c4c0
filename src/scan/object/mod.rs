//! One object under examination: its heap, its B-trees, its properties or rows, and what they say of a message.
//!
//! The same decoders as readers use, asked strictly: every number is compared with what stands around it, and what does
//! not fit goes into a [`Case`](super::case::Case). What cannot be read because a block is damaged is left to the passes
//! over blocks and nodes, which say so.

mod attachment;
mod heap;
mod message;
mod properties;
mod recipients;
mod row;
mod rtf;
mod table;
mod tree;
mod value;

pub(super) use heap::{foreign_heap, heap_maps};
pub(super) use message::{Kind, Message, message};
pub(super) use properties::PropertyCheck;
pub(super) use row::Cells;
pub(super) use table::check_table;

use crate::damage::{Error, Place, Result};
use crate::format::block::DataTreeBlock;
use crate::format::btree::NodeEntry;
use crate::format::id::{Bid, Nid};
use crate::ndb::Ndb;

use std::collections::BTreeSet;

use super::case::Case;
use crate::progress::Progress;
use crate::store::Store;

/// What the checks of a message have at hand.
#[derive(Debug)]
pub(super) struct Look<'a> {
    /// The store.
    pub(super) store: &'a Store,
    /// Whether to go on.
    pub(super) progress: &'a Progress,
    /// Roots of subnode trees that were walked: a hostile message may hold itself, or one thing many times.
    seen: BTreeSet<Bid>,
}

impl<'a> Look<'a> {
    /// A look at a message that begins.
    pub(super) const fn at(store: &'a Store, progress: &'a Progress) -> Self {
        Self { store, progress, seen: BTreeSet::new() }
    }
}

/// What the node B-tree tells of an id.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lookup {
    /// The node.
    Found(NodeEntry),
    /// There is no such node.
    Missing,
    /// The page that would tell cannot be read.
    Unknown,
}

impl Lookup {
    /// The node, where it was found.
    pub(super) const fn found(self) -> Option<NodeEntry> {
        match self {
            Self::Found(node) => Some(node),
            Self::Missing | Self::Unknown => None,
        }
    }

    /// Whether it is certain that there is no such node.
    pub(super) const fn is_missing(self) -> bool {
        matches!(self, Self::Missing)
    }
}

/// How many bytes a node counts for where progress is shown: its own block, and a little for having been looked at.
pub(super) fn own_bytes(ndb: &Ndb, node: &NodeEntry) -> u64 {
    let own = ndb.block_entry(node.data).map_or(0, |block| u64::from(block.inflated));
    own.saturating_add(64)
}

/// Looks for a node; a damaged page was found by the passes over pages.
pub(super) fn look_up(ndb: &Ndb, nid: Nid) -> Result<Lookup> {
    match ndb.node(nid) {
        Ok(Some(node)) => Ok(Lookup::Found(node)),
        Ok(None) => Ok(Lookup::Missing),
        Err(Error::Damaged(..) | Error::NotFound(_)) => Ok(Lookup::Unknown),
        Err(error @ (Error::Io(_) | Error::Unsupported(_) | Error::Cancelled)) => Err(error),
    }
}

/// The value of a result; damage that belongs to heaps, properties or tables is found, any other was found elsewhere.
pub(super) fn survive<T>(case: &mut Case, result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Damaged(code, place)) => {
            if code.is_of_objects() {
                case.add_at(code, Place { nid: Some(case.nid().0), ..place }, "");
            }
            Ok(None)
        }
        Err(Error::NotFound(_)) => Ok(None),
        Err(error @ (Error::Io(_) | Error::Unsupported(_) | Error::Cancelled)) => Err(error),
    }
}

/// Bytes of a data tree as its root tells them: a look at one block, however large the tree is.
fn data_bytes(ndb: &Ndb, root: Bid) -> Result<Option<u64>> {
    let told = || {
        if root.is_none() {
            return Ok(Some(0));
        }
        if !root.is_internal() {
            return Ok(Some(u64::from(ndb.block_entry(root)?.inflated)));
        }
        let block = ndb.block(root)?;
        Ok(DataTreeBlock::decode(ndb.format(), &block.data).ok().map(|tree| u64::from(tree.total)))
    };
    match told() {
        // That it is not there was found elsewhere.
        Err(Error::Damaged(..)) => Ok(None),
        told => told,
    }
}
