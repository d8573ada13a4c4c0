//! A store with two empty trees: the smallest ground for a transaction.

use pstfs::format::Format;
use pstfs::format::btree::{BTreePage, BlockEntry, NodeEntry};
use pstfs::format::cipher::Cipher;
use pstfs::format::header::{Client, Header, MAGIC, Root};
use pstfs::format::id::{Bid, BlockRef, Ib};
use pstfs::format::page::{Page, PageKind};

/// The marks of a new store: the last index given out of each node type.
fn marks() -> [u32; 32] {
    let mut marks = [0x400; 32];
    (marks[3], marks[4], marks[8]) = (0x4000, 0x10000, 0x8000);
    marks
}

/// An empty store: one section, both trees a single empty leaf.
pub fn blank(format: Format, cipher: Cipher) -> Vec<u8> {
    let layout = format.layout();
    let page = layout.page_bytes as u64;
    let first = layout.amap_first;
    let maps = if format == Format::Unicode4k { 1 } else { 2 };
    let (nodes, blocks) = (Ib(first + maps * page), Ib(first + (maps + 1) * page));
    let mut bytes = vec![0; (first + layout.amap_coverage) as usize];
    let mut put = |at: u64, new: &[u8]| bytes[at as usize..at as usize + new.len()].copy_from_slice(new);

    // Eight units are a page in every format: a byte of the map.
    let used = maps as usize + 2;
    let mut bits = vec![0; layout.amap_bits_at + layout.amap_bits_bytes];
    bits[layout.amap_bits_at..][..used].fill(0xff);
    put(first, &Page::encode(format, PageKind::AMAP, Bid(first), Ib(first), &bits));
    if maps == 2 {
        bits[layout.amap_bits_at..].fill(0xff);
        put(first + page, &Page::encode(format, PageKind::PMAP, Bid(first + page), Ib(first + page), &bits));
    }
    put(nodes.0, &Page::encode(format, PageKind::NODES, Bid(1), nodes, &BTreePage::encode::<NodeEntry>(format, 0, &[])));
    put(blocks.0, &Page::encode(format, PageKind::BLOCKS, Bid(2), blocks, &BTreePage::encode::<BlockEntry>(format, 0, &[])));
    let header = Header {
        magic: MAGIC,
        crc_partial: 0,
        client: Client::PST,
        version: match format {
            Format::Ansi => 14,
            Format::Unicode => 23,
            Format::Unicode4k => 36,
        },
        version_client: 19,
        platform_create: 1,
        platform_access: 1,
        reserved1: 0,
        reserved2: 0,
        bid_unused: 0,
        next_block: Bid(4),
        next_page: Bid(3),
        unique: 1,
        nids: marks(),
        unused: 0,
        root: Root {
            reserved: 0,
            file_eof: Ib(first + layout.amap_coverage),
            amap_last: Ib(first),
            amap_free: Ib(layout.amap_coverage - used as u64 * 8 * layout.unit_bytes),
            pmap_free: Ib(0),
            nodes: BlockRef { bid: Bid(1), ib: nodes },
            blocks: BlockRef { bid: Bid(2), ib: blocks },
            amap_valid: 2,
            reserved_byte: 0,
            reserved_word: 0,
        },
        align: 0,
        fmap: [if maps == 2 { 0xff } else { 0 }; 128],
        fpmap: [if maps == 2 { 0xff } else { 0 }; 128],
        sentinel: 0x80,
        crypt_method: cipher.method(),
        reserved3: [0; 2],
        crc_full: 0,
        tail: vec![],
    };
    put(0, &header.encode_valid(format));
    bytes
}
