//! A whole store written in one pass, in memory that does not grow with its data.
//!
//! Blocks go out in the order they come. Of each, 12 bytes stay in memory, and of each node 40, until the two B-trees
//! are written at the end: 10 GB take some 30 MiB. The header comes last; a pass that stops before leaves no store.

use super::load::load;
use super::nids::Nids;
use super::pack::packed;
use super::space::{Extent, Space};
use super::tree::{BlockSink, put_draft};
use super::{Draft, Stored};
use crate::damage::{Error, Result};
use crate::disk::WriteAt;
use crate::format::Format;
use crate::format::block::encode_block;
use crate::format::btree::{BlockEntry, NodeEntry};
use crate::format::cipher::Cipher;
use crate::format::header::{Client, Header, MAGIC, Root};
use crate::format::id::{Bid, BlockRef, Ib, Nid};
use crate::format::page::{Page, PageKind};

/// What kind of store to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkOptions {
    /// The variant of the format.
    pub format: Format,
    /// How data blocks are encoded.
    pub cipher: Cipher,
    /// PST or OST.
    pub client: Client,
    /// Whether blocks are compressed where that saves whole units, as Outlook does; in 4K stores that are not encoded.
    pub compress: bool,
}

/// Writes a store from front to back.
#[derive(Debug)]
pub struct BulkWriter<'f> {
    file: &'f dyn WriteAt,
    options: BulkOptions,
    space: Space,
    blocks: Vec<Written>,
    nodes: Vec<NodeEntry>,
    stale_nodes: Vec<NodeEntry>,
    nids: Nids,
    next_page: u64,
    deleted: bool,
}

/// What is kept of a block until the block B-tree is written. Its id is its place in the list.
#[derive(Clone, Copy, Debug)]
struct Written {
    unit: u32,
    size: u16,
    inflated: u16,
    references: u16,
    internal: bool,
    /// Written as something that was deleted since: its bytes stay, nobody owns them.
    deleted: bool,
}

/// Block ids count in fours: bit 0 is reserved, bit 1 tells inner blocks.
const BID_STEP: u64 = 4;

impl<'f> BulkWriter<'f> {
    /// Begins a store in an empty file.
    pub fn new(file: &'f dyn WriteAt, options: BulkOptions) -> Result<Self> {
        Ok(Self {
            file,
            options,
            space: Space::new(options.format)?,
            blocks: Vec::new(),
            nodes: Vec::new(),
            stale_nodes: Vec::new(),
            nids: Nids::default(),
            next_page: 1,
            deleted: false,
        })
    }

    /// What kind of store is being written.
    pub const fn options(&self) -> &BulkOptions {
        &self.options
    }

    /// The ids given out so far.
    pub const fn nids(&mut self) -> &mut Nids {
        &mut self.nids
    }

    /// From now on (`true`) blocks and nodes are written as Outlook leaves what was deleted: the bytes stand in the
    /// file, older pages of the trees still name them, but nothing owns their space. Tells what held before.
    pub const fn set_deleted(&mut self, deleted: bool) -> bool {
        std::mem::replace(&mut self.deleted, deleted)
    }

    /// Adds a node.
    pub fn put_node(&mut self, nid: Nid, content: Stored, parent: Nid) -> Result<()> {
        self.nids.cover(nid);
        let entry = NodeEntry { nid: nid.into(), data: content.data, subnodes: content.subnodes, parent, ..NodeEntry::default() };
        if self.deleted {
            self.stale_nodes.push(entry);
            return Ok(());
        }
        self.refer(content.data)?;
        self.refer(content.subnodes)?;
        self.nodes.push(entry);
        Ok(())
    }

    /// Writes a draft and adds it as a node.
    pub fn put_draft(&mut self, nid: Nid, draft: Draft, parent: Nid) -> Result<()> {
        let stored = put_draft(self, draft)?;
        self.put_node(nid, stored, parent)
    }

    /// How many references to a block were counted.
    pub fn references(&self, bid: Bid) -> u16 {
        index_of(bid).and_then(|index| self.blocks.get(index)).map_or(0, |block| block.references)
    }

    /// Writes trees, maps and header. `unique` must be at least the highest row version that was given out.
    pub fn finish(mut self, unique: u32) -> Result<()> {
        self.nodes.sort_by_key(|node| node.nid.nid);
        if !self.nodes.is_sorted_by(|a, b| a.nid.nid < b.nid.nid) {
            return Err(Error::Unsupported("a store with two nodes of one id".into()));
        }
        if !self.stale_nodes.is_empty() {
            self.put_stale_trees()?;
        }
        let nodes = std::mem::take(&mut self.nodes);
        let nodes = self.put_tree(PageKind::NODES, nodes.into_iter(), |node| u64::from(node.nid.nid.0), true)?;
        let blocks = std::mem::take(&mut self.blocks);
        let next_block = to_bid(blocks.len());
        let format = self.options.format;
        let entries = blocks.iter().enumerate().filter(|(_, block)| !block.deleted).map(|(index, block)| block.entry(format, index));
        let blocks = self.put_tree(PageKind::BLOCKS, entries, |entry| entry.block.bid.0, true)?;
        let extent = self.space.finish(self.file)?;
        self.put_head(unique, next_block, nodes, blocks, extent)
    }

    /// The trees as they were before the deletions, in pages that nothing owns.
    fn put_stale_trees(&mut self) -> Result<()> {
        let mut nodes = std::mem::take(&mut self.stale_nodes);
        nodes.extend(self.nodes.iter().copied());
        // The sort is stable: of two nodes of one id, the older state comes first and stays.
        nodes.sort_by_key(|node| node.nid.nid);
        nodes.dedup_by_key(|node| node.nid.nid);
        self.put_tree(PageKind::NODES, nodes.into_iter(), |node| u64::from(node.nid.nid.0), false)?;
        let blocks = self.blocks.clone();
        let format = self.options.format;
        let entries = blocks.iter().enumerate().map(|(index, block)| block.entry(format, index));
        self.put_tree(PageKind::BLOCKS, entries, |entry| entry.block.bid.0, false)?;
        Ok(())
    }

    fn put_tree<T: crate::format::codec::Field>(
        &mut self,
        kind: PageKind,
        entries: impl Iterator<Item = T>,
        key: impl Fn(&T) -> u64,
        owned: bool,
    ) -> Result<BlockRef> {
        let format = self.options.format;
        load(format, entries, key, &mut |body| {
            let page_bytes = format.layout().page_bytes;
            let ib = self.space.reserve(self.file, page_bytes, page_bytes, owned)?;
            let bid = Bid(self.next_page);
            self.next_page = self.next_page.saturating_add(1);
            self.space.fill(&Page::encode(format, kind, bid, ib, body));
            Ok(BlockRef { bid, ib })
        })
    }

    /// Density list and header: after all else, so that what they name is there.
    fn put_head(&self, unique: u32, next_block: Bid, nodes: BlockRef, blocks: BlockRef, extent: Extent) -> Result<()> {
        let format = self.options.format;
        let dlist = Ib(format.layout().dlist);
        // An empty list; Outlook gives it the next page id.
        let page = Page::encode(format, PageKind::DLIST, Bid(self.next_page), dlist, &[]);
        self.file.write_all_at(&page, dlist.0)?;
        self.file.sync()?;
        let header = self.header(unique, next_block, nodes, blocks, extent);
        self.file.write_all_at(&header.encode_valid(format), 0)?;
        self.file.sync()?;
        Ok(())
    }

    fn header(&self, unique: u32, next_block: Bid, nodes: BlockRef, blocks: BlockRef, extent: Extent) -> Header {
        let format = self.options.format;
        // 4K stores have no free maps, and zeros where the others have them filled.
        let free_map = if format == Format::Unicode4k { [0; 128] } else { [0xff; 128] };
        Header {
            magic: MAGIC,
            crc_partial: 0,
            client: self.options.client,
            version: match format {
                Format::Ansi => 14,
                Format::Unicode => 23,
                Format::Unicode4k => 36,
            },
            version_client: if self.options.client == Client::OST { 12 } else { 19 },
            platform_create: 1,
            platform_access: 1,
            reserved1: 0,
            reserved2: 0,
            bid_unused: 0,
            next_block,
            next_page: Bid(self.next_page),
            unique,
            nids: self.nids.counters(),
            unused: 0,
            root: Root {
                reserved: 0,
                file_eof: extent.end,
                amap_last: extent.amap_last,
                amap_free: Ib(extent.free_bytes),
                pmap_free: Ib(0),
                nodes,
                blocks,
                amap_valid: 2,
                reserved_byte: 0,
                reserved_word: 0,
            },
            align: 0,
            fmap: free_map,
            fpmap: free_map,
            sentinel: 0x80,
            crypt_method: self.options.cipher.method(),
            reserved3: [0; 2],
            crc_full: 0,
            tail: Vec::new(),
        }
    }

    fn compressed(&self, data: &[u8]) -> Option<Vec<u8>> {
        let layout = self.options.format.layout();
        let packed = if self.options.compress { packed(self.options.format, self.options.cipher, data)? } else { return None };
        let unit = usize::try_from(layout.unit_bytes).ok()?;
        let units = |bytes: usize| bytes.saturating_add(layout.block_trailer_bytes).div_ceil(unit);
        (units(packed.len()) < units(data.len())).then_some(packed)
    }
}

impl BlockSink for BulkWriter<'_> {
    fn format(&self) -> Format {
        self.options.format
    }

    fn put_block(&mut self, mut data: Vec<u8>, internal: bool) -> Result<Bid> {
        let layout = self.options.format.layout();
        let inflated = u16::try_from(data.len()).ok().filter(|_| data.len() <= layout.data_max_bytes && !data.is_empty());
        let inflated = inflated.ok_or_else(|| Error::Unsupported(format!("a block of {} bytes", data.len())))?;
        let mut bid = to_bid(self.blocks.len());
        if internal {
            bid.0 |= 2;
        } else {
            self.options.cipher.encode(&mut data, bid);
            data = self.compressed(&data).unwrap_or(data);
        }
        let size = u16::try_from(data.len()).unwrap_or(inflated);
        let entry = BlockEntry { size, ..BlockEntry::default() };
        let whole = usize::try_from(entry.stored_bytes(self.options.format)).unwrap_or(layout.block_max_bytes);
        let unit = usize::try_from(layout.unit_bytes).unwrap_or(1);
        let ib = self.space.reserve(self.file, whole, unit, !self.deleted)?;
        self.space.fill(&encode_block(self.options.format, bid, ib, &data, inflated));
        let unit = ib.0.checked_div(layout.unit_bytes).and_then(|unit| u32::try_from(unit).ok());
        let unit = unit.ok_or_else(|| Error::Unsupported("a store of more than 256 GiB".into()))?;
        self.blocks.push(Written { unit, size, inflated, references: 0, internal, deleted: self.deleted });
        Ok(bid)
    }

    fn refer(&mut self, bid: Bid) -> Result<()> {
        if bid.is_none() {
            return Ok(());
        }
        let block = index_of(bid).and_then(|index| self.blocks.get_mut(index));
        let block = block.ok_or_else(|| Error::NotFound(format!("block {bid}")))?;
        // What was deleted counts for nobody.
        if !self.deleted || block.deleted {
            let more = block.references.checked_add(1).filter(|count| *count < u16::MAX);
            block.references = more.ok_or_else(|| Error::Unsupported(format!("block {bid} named more than 65,534 times")))?;
        }
        Ok(())
    }

    fn cover(&mut self, nid: Nid) {
        self.nids.cover(nid);
    }
}

impl Written {
    fn entry(&self, format: Format, index: usize) -> BlockEntry {
        let mut bid = to_bid(index);
        bid.0 |= if self.internal { 2 } else { 0 };
        BlockEntry {
            block: BlockRef { bid, ib: Ib(u64::from(self.unit).saturating_mul(format.layout().unit_bytes)) },
            size: self.size,
            inflated: self.inflated,
            references: self.references.saturating_add(1),
            padding: 0,
        }
    }
}

/// The id of the block at this place of the list; ids begin with 4, as 0 names no block.
fn to_bid(index: usize) -> Bid {
    Bid(u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1).saturating_mul(BID_STEP))
}

fn index_of(bid: Bid) -> Option<usize> {
    usize::try_from(bid.0.checked_div(BID_STEP)?.checked_sub(1)?).ok()
}
