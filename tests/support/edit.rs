//! Edits of a store's bytes that keep every CRC and signature right: what a hostile file looks like.

use std::sync::Arc;

use pstfs::format::block::{DataTreeBlock, SubnodeBlock, encode_block};
use pstfs::format::btree::{BTreePage, BlockEntry, BranchEntry};
use pstfs::format::codec;
use pstfs::format::header::Header;
use pstfs::format::id::{Bid, BlockRef, Nid};
use pstfs::format::page::{Page, PageKind};
use pstfs::ndb::{BTree, Ndb};

/// A store under the knife.
pub struct Patient {
    /// Its bytes.
    pub bytes: Vec<u8>,
    ndb: Arc<Ndb>,
}

impl Patient {
    /// Of a store without encryption, so that the data stand as they are.
    pub fn new(bytes: Vec<u8>) -> Self {
        let ndb = Arc::new(Ndb::open(Arc::new(bytes.clone()), 1 << 20).unwrap());
        Self { bytes, ndb }
    }

    fn put(&mut self, at: u64, bytes: &[u8]) {
        let at = at as usize;
        self.bytes.splice(at..at + bytes.len(), bytes.iter().copied());
    }

    /// Changes the header, and makes its CRCs right.
    pub fn header(&mut self, change: impl FnOnce(&mut Header)) {
        let mut header = self.ndb.header().clone();
        change(&mut header);
        self.put(0, &header.encode_valid(self.ndb.format()));
    }

    /// Puts a branch page in place of a tree's root.
    pub fn root_branch(&mut self, tree: BTree, level: u8, children: impl Fn(BlockRef) -> Vec<BranchEntry>) {
        let root = self.ndb.root(tree);
        let body = BTreePage::encode(self.ndb.format(), level, &children(root));
        self.page(tree, root, &body);
    }

    /// Changes the body of a tree's root page: entries, and the counts behind them.
    pub fn root_body(&mut self, tree: BTree, change: impl FnOnce(&mut Vec<u8>)) {
        let root = self.ndb.root(tree);
        let layout = self.ndb.format().layout();
        let at = root.ib.0 as usize;
        let mut body = self.bytes[at..at + layout.page_bytes - layout.page_trailer_bytes].to_vec();
        change(&mut body);
        self.page(tree, root, &body);
    }

    /// Writes a page of a tree at this place.
    pub fn page(&mut self, tree: BTree, place: BlockRef, body: &[u8]) {
        let kind = match tree {
            BTree::Nodes => PageKind::NODES,
            BTree::Blocks => PageKind::BLOCKS,
        };
        self.put(place.ib.0, &Page::encode(self.ndb.format(), kind, place.bid, place.ib, body));
    }

    /// Blocks for which `wanted` holds.
    pub fn blocks(&self, wanted: impl Fn(&BlockEntry) -> bool) -> Vec<BlockEntry> {
        let mut found = Vec::new();
        self.ndb
            .visit_blocks(&mut |entry| {
                if wanted(entry) {
                    found.push(*entry);
                }
                true
            })
            .unwrap();
        found
    }

    /// The root of a node's data, and of its subnodes.
    pub fn node(&self, nid: Nid) -> (Bid, Bid) {
        let node = self.ndb.node(nid).unwrap().unwrap();
        (node.data, node.subnodes)
    }

    /// Changes the data of a block, which keeps its length.
    pub fn block(&mut self, bid: Bid, change: impl FnOnce(&mut Vec<u8>)) {
        let entry = self.ndb.block_entry(bid).unwrap();
        let at = entry.block.ib.0 as usize;
        let mut data = self.bytes[at..at + usize::from(entry.size)].to_vec();
        change(&mut data);
        assert_eq!(data.len(), usize::from(entry.size), "a block keeps its length");
        self.put(entry.block.ib.0, &encode_block(self.ndb.format(), entry.block.bid, entry.block.ib, &data, entry.inflated));
    }

    /// Changes an inner block of a data tree; of as many children as before.
    pub fn data_tree(&mut self, bid: Bid, change: impl FnOnce(&mut DataTreeBlock)) {
        let format = self.ndb.format();
        self.block(bid, |data| {
            let mut block = DataTreeBlock::decode(format, data).unwrap();
            change(&mut block);
            *data = block.encode(format);
        });
    }

    /// Changes a block of a subnode tree; of as many entries as before.
    pub fn subnodes(&mut self, bid: Bid, change: impl FnOnce(&mut SubnodeBlock)) {
        let format = self.ndb.format();
        self.block(bid, |data| {
            let mut block = SubnodeBlock::decode(format, data).unwrap();
            change(&mut block);
            *data = block.encode(format);
        });
    }

    /// A 16-bit number in the data of a block.
    pub fn u16_at(&self, data: &[u8], at: usize) -> u16 {
        codec::decode(self.ndb.format(), &data[at..]).unwrap()
    }
}
