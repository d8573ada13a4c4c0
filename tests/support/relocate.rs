//! A store rebuilt as a large sparse file: the same nodes, but half of the blocks and both trees beyond 4 GiB.

use std::fs::File;
use std::os::unix::fs::FileExt;

use pstfs::format::Format;
use pstfs::format::block::encode_block;
use pstfs::format::btree::{BTreePage, BlockEntry, BranchEntry, NodeEntry};
use pstfs::format::codec::{Field, Word};
use pstfs::format::id::{Bid, BlockRef, Ib};
use pstfs::format::page::{Page, PageKind};
use pstfs::ndb::Ndb;

/// How long the file becomes.
pub const FILE_BYTES: u64 = 6 << 30;
/// Where the moved blocks begin, and behind them the trees.
const BLOCKS_AT: u64 = 5 << 30;
const TREES_AT: u64 = (5 << 30) + (512 << 20);

/// Writes the store that `ndb` reads from `bytes` into `file`, with its later blocks and both trees moved.
pub fn relocate(ndb: &Ndb, bytes: &[u8], file: &File) {
    let format = ndb.format();
    file.set_len(FILE_BYTES).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    let (mut blocks, mut nodes) = (Vec::new(), Vec::new());
    ndb.visit_blocks(&mut |entry| {
        blocks.push(*entry);
        true
    })
    .unwrap();
    ndb.visit_nodes(&mut |entry| {
        nodes.push(*entry);
        true
    })
    .unwrap();
    move_blocks(format, bytes, &mut blocks, file);
    let mut pages = Pages { format, file, next: TREES_AT, next_bid: ndb.header().next_page.0 };
    let mut header = ndb.header().clone();
    header.root.blocks = pages.tree::<BlockEntry>(PageKind::BLOCKS, &blocks, |entry| entry.block.bid.0);
    header.root.nodes = pages.tree::<NodeEntry>(PageKind::NODES, &nodes, |entry| entry.nid.nid.0.into());
    header.root.file_eof = Ib(FILE_BYTES);
    header.next_page = Bid(pages.next_bid);
    file.write_all_at(&header.encode_valid(format), 0).unwrap();
}

fn move_blocks(format: Format, bytes: &[u8], blocks: &mut [BlockEntry], file: &File) {
    let mut next = BLOCKS_AT;
    let half = blocks.len() / 2;
    for entry in &mut blocks[half..] {
        let old = entry.block.ib.0 as usize;
        entry.block.ib = Ib(next);
        let block = encode_block(format, entry.block.bid, Ib(next), &bytes[old..old + usize::from(entry.size)], entry.inflated);
        file.write_all_at(&block, next).unwrap();
        next += block.len() as u64;
    }
}

struct Pages<'a> {
    format: Format,
    file: &'a File,
    next: u64,
    next_bid: u64,
}

impl Pages<'_> {
    fn tree<T: Field + Clone>(&mut self, kind: PageKind, entries: &[T], key: impl Fn(&T) -> u64) -> BlockRef {
        let leaves = entries.chunks(BTreePage::capacity::<T>(self.format));
        let mut level: Vec<BranchEntry> =
            leaves.map(|leaf| BranchEntry { key: Word(key(&leaf[0])), child: self.page(kind, 0, leaf) }).collect();
        let mut height = 1;
        while level.len() > 1 {
            let branches = level.chunks(BTreePage::capacity::<BranchEntry>(self.format));
            level = branches.map(|branch| BranchEntry { key: branch[0].key, child: self.page(kind, height, branch) }).collect();
            height += 1;
        }
        level[0].child
    }

    fn page<T: Field>(&mut self, kind: PageKind, level: u8, entries: &[T]) -> BlockRef {
        let place = BlockRef { bid: Bid(self.next_bid), ib: Ib(self.next) };
        let page = Page::encode(self.format, kind, place.bid, place.ib, &BTreePage::encode(self.format, level, entries));
        self.file.write_all_at(&page, self.next).unwrap();
        self.next += page.len() as u64;
        self.next_bid += 1;
        place
    }
}
