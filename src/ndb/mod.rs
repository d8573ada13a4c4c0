//! Which bytes belong to this node: header, pages, B-trees, blocks, data and subnode trees.
//!
//! The node database ([MS-PST] 2.2) finds a node by its id in one B-tree and a block by its id in another; a node's
//! bytes are the leaves of a tree of blocks, and its subnodes the leaves of a second one. Readers are tolerant: a CRC or
//! signature that does not match is noted in [`Notes`], and the bytes are used if they still make sense. Nothing is read
//! before it is asked for, and what was read stays in caches with byte budgets.

mod block;
pub mod cache;
mod data;
mod open;
mod page;
mod subnode;
pub mod write;

use std::sync::Arc;

use crate::damage::Notes;
use crate::disk::ReadAt;
use crate::format::Format;
use crate::format::cipher::Cipher;
use crate::format::header::Header;
use crate::format::id::{Bid, BlockRef, Ib};

use cache::Cache;

pub use block::Block;
pub use data::{Data, Leaf};
pub use page::BTree;

/// A store's nodes and blocks.
#[derive(Debug)]
pub struct Ndb {
    source: Arc<dyn ReadAt>,
    format: Format,
    header: Header,
    cipher: Cipher,
    file_bytes: u64,
    pages: Cache<Ib, page::TreePage>,
    blocks: Cache<Bid, Block>,
    trees: Cache<Bid, Data>,
    notes: Notes,
}

impl Ndb {
    /// The variant of the format.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The header as it was read.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// How data blocks are encoded: what the header says, or what the data show where that is wrong.
    pub const fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// The file's length when it was opened.
    pub const fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// What was found damaged so far.
    pub const fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The file.
    pub fn source(&self) -> &Arc<dyn ReadAt> {
        &self.source
    }

    /// The root of a B-tree, as the header names it.
    pub const fn root(&self, tree: BTree) -> BlockRef {
        match tree {
            BTree::Nodes => self.header.root.nodes,
            BTree::Blocks => self.header.root.blocks,
        }
    }

    /// How many bytes the caches hold.
    pub fn cached_bytes(&self) -> usize {
        self.pages.bytes().saturating_add(self.blocks.bytes()).saturating_add(self.trees.bytes())
    }
}
