//! What a freshly written store must be, checked from its bytes: counts, maps and counters exact.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use pstfs::disk::ReadAt;
use pstfs::format::Format;
use pstfs::format::amap;
use pstfs::format::block::{DataTreeBlock, SubnodeBlock};
use pstfs::format::btree::{BTreePage, BlockEntry, BranchEntry};
use pstfs::format::id::{Bid, BlockRef, Ib, Nid};
use pstfs::format::page::{Page, PageFaults, PageKind};
use pstfs::ndb::{BTree, Ndb};

/// All that is wrong, in words; empty for a store that is as it must be.
pub fn faults(source: Arc<dyn ReadAt>) -> Vec<String> {
    let ndb = Ndb::open(source, 64 << 20).expect("a store");
    let mut audit = Audit { ndb: &ndb, faults: Vec::new(), owned: BTreeMap::new(), references: HashMap::new(), nids: [0; 32] };
    let mut blocks: BTreeMap<u64, BlockEntry> = BTreeMap::new();
    ndb.visit_blocks(&mut |entry| {
        blocks.insert(entry.block.bid.0, *entry);
        true
    })
    .expect("blocks");
    audit.references(&blocks);
    audit.pages(BTree::Nodes);
    audit.pages(BTree::Blocks);
    audit.blocks(&blocks);
    audit.maps();
    audit.header(&blocks);
    audit.faults.extend(ndb.notes().findings().iter().map(ToString::to_string));
    audit.faults
}

struct Audit<'a> {
    ndb: &'a Ndb,
    faults: Vec<String>,
    /// Bytes by the offset where they begin.
    owned: BTreeMap<u64, u64>,
    references: HashMap<u64, u16>,
    nids: [u32; 32],
}

impl Audit<'_> {
    fn fault(&mut self, wrong: bool, what: impl FnOnce() -> String) {
        if wrong {
            self.faults.push(what());
        }
    }

    fn own(&mut self, ib: Ib, len: u64) {
        let before = self.owned.range(..ib.0).next_back().map_or(0, |(at, len)| at + len);
        let after = self.owned.range(ib.0..).next().map_or(u64::MAX, |(at, _)| *at);
        self.fault(before > ib.0 || after < ib.0 + len, || format!("{ib} has two owners"));
        let layout = self.ndb.format().layout();
        let part = |at| (at - layout.amap_first) / layout.amap_coverage;
        self.fault(part(ib.0) != part(ib.0 + len - 1), || format!("{ib} crosses a map's end"));
        self.owned.insert(ib.0, len);
    }

    fn note_nid(&mut self, nid: Nid) {
        let slot = &mut self.nids[usize::from(nid.kind().0)];
        *slot = (*slot).max(nid.index());
    }

    fn refer(&mut self, bid: Bid) {
        if !bid.is_none() {
            *self.references.entry(bid.0).or_insert(0) += 1;
        }
    }

    fn references(&mut self, blocks: &BTreeMap<u64, BlockEntry>) {
        let mut nodes = Vec::new();
        self.ndb
            .visit_nodes(&mut |node| {
                nodes.push(*node);
                true
            })
            .expect("nodes");
        for node in nodes {
            self.refer(node.data);
            self.refer(node.subnodes);
            self.note_nid(node.nid.nid);
        }
        for bid in blocks.keys().filter(|bid| Bid(**bid).is_internal()) {
            let block = self.ndb.block(Bid(*bid)).expect("a block");
            let format = self.ndb.format();
            if let Ok(tree) = DataTreeBlock::decode(format, &block.data) {
                tree.children.into_iter().for_each(|child| self.refer(child));
                continue;
            }
            match SubnodeBlock::decode(format, &block.data).expect("an inner block") {
                SubnodeBlock::Leaf(entries) => entries.into_iter().for_each(|entry| {
                    self.refer(entry.data);
                    self.refer(entry.subnodes);
                    self.note_nid(entry.nid.nid);
                }),
                SubnodeBlock::Branch(entries) => entries.into_iter().for_each(|entry| self.refer(entry.child)),
            }
        }
    }

    fn pages(&mut self, tree: BTree) {
        let format = self.ndb.format();
        let kind = if tree == BTree::Nodes { PageKind::NODES } else { PageKind::BLOCKS };
        let mut waiting: Vec<(BlockRef, Option<u64>)> = vec![(self.ndb.root(tree), None)];
        let mut last = None;
        while let Some((place, key)) = waiting.pop() {
            let page = self.page(place.ib, kind, place.bid);
            self.own(place.ib, format.layout().page_bytes as u64);
            self.fault(place.bid >= self.ndb.header().next_page, || format!("page {} is not below the counter", place.bid));
            let body = BTreePage::decode(format, &page).expect("a B-tree page");
            let width = format.layout().word_bytes;
            let first = page[..width].iter().rev().fold(0_u64, |key, byte| key << 8 | u64::from(*byte));
            self.fault(key.is_some_and(|key| key != first), || format!("page {} begins with another key than its parent says", place.ib));
            if body.info.level == 0 {
                self.fault(last.is_some_and(|last| last >= first), || format!("page {} is out of order", place.ib));
                last = Some(first);
            } else {
                let children: Vec<BranchEntry> = body.entries().collect();
                waiting.extend(children.into_iter().rev().map(|entry| (entry.child, Some(entry.key.0))));
            }
        }
    }

    fn page(&mut self, ib: Ib, kind: PageKind, bid: Bid) -> Vec<u8> {
        let format = self.ndb.format();
        let bytes = self.read(ib);
        let page = Page::decode(format, &bytes).expect("a page");
        let right = page.is(kind) && page.trailer.bid == bid && page.faults(ib) == PageFaults::default();
        self.fault(!right, || format!("page {ib}: {:?} {:?}", page.trailer, page.faults(ib)));
        page.body.to_vec()
    }

    fn read(&self, ib: Ib) -> Vec<u8> {
        let mut bytes = vec![0; self.ndb.format().layout().page_bytes];
        self.ndb.source().read_exact_at(&mut bytes, ib.0).expect("a page");
        bytes
    }

    fn blocks(&mut self, blocks: &BTreeMap<u64, BlockEntry>) {
        for (bid, entry) in blocks {
            self.own(entry.block.ib, entry.stored_bytes(self.ndb.format()));
            let counted = self.references.get(bid).copied().unwrap_or(0);
            self.fault(counted == 0, || format!("block {bid:#x} belongs to nothing"));
            self.fault(entry.references != counted + 1, || format!("block {bid:#x} counts {}, named {counted} times", entry.references));
            self.fault(self.ndb.block(Bid(*bid)).is_err(), || format!("block {bid:#x} cannot be read"));
        }
        let missing: Vec<u64> = self.references.keys().filter(|bid| !blocks.contains_key(bid)).copied().collect();
        self.fault(!missing.is_empty(), || format!("blocks {missing:x?} are named and not there"));
    }

    /// Every map and each of its bits: allocated is exactly what is owned.
    fn maps(&mut self) {
        let format = self.ndb.format();
        let layout = format.layout();
        let mut free = 0;
        let mut owned = std::mem::take(&mut self.owned);
        let parts = (self.ndb.file_bytes() - layout.amap_first) / layout.amap_coverage;
        for part in 0..parts {
            let start = amap::map_offset(format, part).expect("an offset");
            for (offset, kind) in amap::pages_at(format, part) {
                let at = Ib(start.0 + offset);
                self.page(at, kind, Bid(at.0));
                owned.insert(at.0, layout.page_bytes as u64);
            }
            let body = self.page(start, PageKind::AMAP, Bid(start.0));
            let mut expected = vec![0; layout.amap_bits_bytes];
            for (at, len) in owned.range(start.0..start.0 + layout.amap_coverage) {
                let unit = ((at - start.0) / layout.unit_bytes) as usize;
                amap::mark(&mut expected, unit, (len / layout.unit_bytes) as usize, true);
            }
            let bits = amap::bits(format, &body).expect("bits");
            free += amap::free_units(bits) * layout.unit_bytes;
            self.fault(bits != expected, || format!("map {start}: allocated is not what is owned"));
        }
        let told = self.ndb.header().root.amap_free.0;
        self.fault(told != free, || format!("the header tells {told} free bytes, the maps {free}"));
    }

    fn header(&mut self, blocks: &BTreeMap<u64, BlockEntry>) {
        let header = self.ndb.header().clone();
        let layout = self.ndb.format().layout();
        let whole = (self.ndb.file_bytes() - layout.amap_first).is_multiple_of(layout.amap_coverage);
        self.fault(header.root.file_eof.0 != self.ndb.file_bytes() || !whole, || "the file does not end with a map's coverage".into());
        let last = header.root.file_eof.0 - layout.amap_coverage;
        self.fault(header.root.amap_last.0 != last, || format!("the last map is at {last:#x}"));
        let next = blocks.keys().next_back().map_or(0, |bid| (bid & !3) + 4);
        self.fault(header.next_block.0 < next, || "the next block's id is in use".into());
        for (kind, (told, used)) in header.nids.iter().zip(self.nids).enumerate() {
            self.fault(*told < used, || format!("the counter of type {kind:#x} is {told:#x}, in use is {used:#x}"));
        }
        self.fault(self.ndb.format() == Format::Ansi && self.ndb.file_bytes() > 1 << 31, || "an ANSI file of more than 2 GiB".into());
    }
}
