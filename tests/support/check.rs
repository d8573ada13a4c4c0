//! A judge of stores that shares nothing with the reader and the writer but the decoders of `format`.
//!
//! It says what a freshly written store must not have: a wrong CRC, signature, id, order, count, total, parent, two
//! owners of one unit, a map that differs from what the trees own. Each fault is a line that begins with its kind.

use std::collections::{BTreeMap, BTreeSet};

use pstfs::format::Format;
use pstfs::format::amap;
use pstfs::format::block::{BlockTrailer, DataTreeBlock, SubnodeBlock};
use pstfs::format::btree::{BTreePage, BlockEntry, BranchEntry, NodeEntry};
use pstfs::format::checksum;
use pstfs::format::codec::{self, Field};
use pstfs::format::header::{Header, HeaderFaults};
use pstfs::format::id::{Bid, BlockRef, Ib, Nid};
use pstfs::format::page::{Page, PageFaults, PageKind};

/// What is wrong with a store; nothing where it is clean.
pub fn faults(bytes: &[u8]) -> Vec<String> {
    let Ok(Ok(format)) = Header::format_of(bytes) else { return vec!["header: no store".into()] };
    let Ok(header) = codec::decode::<Header>(format, bytes) else { return vec!["header: cut short".into()] };
    let mut judge = Judge { bytes, format, header, faults: Vec::new(), owners: BTreeMap::new(), pages: BTreeSet::new() };
    judge.header();
    judge.maps();
    let nodes = judge.tree::<NodeEntry>(PageKind::NODES, judge.header.root.nodes, |entry| entry.nid.nid.0.into());
    let blocks = judge.tree::<BlockEntry>(PageKind::BLOCKS, judge.header.root.blocks, |entry| entry.block.bid.0);
    judge.page_ids();
    let data = judge.blocks(&blocks);
    judge.references(&nodes, &blocks, &data);
    judge.nodes(&nodes);
    judge.allocation();
    judge.faults
}

struct Judge<'a> {
    bytes: &'a [u8],
    format: Format,
    header: Header,
    faults: Vec<String>,
    /// Start and end of all that is owned, and by whom.
    owners: BTreeMap<u64, (u64, String)>,
    /// Ids of tree pages.
    pages: BTreeSet<u64>,
}

/// What a block must be for whoever names it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    Data,
    Leaf,
    Branch,
    Subnodes,
    SubnodeLeaf,
}

impl Judge<'_> {
    fn fault(&mut self, line: String) {
        self.faults.push(line);
    }

    fn header(&mut self) {
        let faults = self.header.faults(self.format, &self.bytes[..Header::size(self.format)]);
        if faults != HeaderFaults::default() {
            self.fault(format!("header crc: {faults:?}"));
        }
        let (root, len) = (self.header.root.clone(), self.bytes.len() as u64);
        if root.file_eof.0 != len {
            self.fault(format!("eof: {} of {len}", root.file_eof));
        }
        if !matches!(root.amap_valid, 1 | 2) {
            self.fault(format!("amap_valid: {}", root.amap_valid));
        }
        let last = self.sections().last().copied().unwrap_or_default();
        if root.amap_last.0 != last {
            self.fault(format!("amap_last: {} is not {last:#x}", root.amap_last));
        }
    }

    /// The offsets of the allocation maps that the file has room for.
    fn sections(&self) -> Vec<u64> {
        let (layout, len) = (self.format.layout(), self.bytes.len() as u64);
        (0..).map(|n| layout.amap_first + n * layout.amap_coverage).take_while(|at| at + layout.page_bytes as u64 <= len).collect()
    }

    fn page(&mut self, ib: u64, what: &str) -> Option<(Vec<u8>, Bid)> {
        let (format, size) = (self.format, self.format.layout().page_bytes);
        let Some(bytes) = codec::cut(self.bytes, ib as usize, size) else {
            self.fault(format!("{what}: page {ib:#x} outside the file"));
            return None;
        };
        let page = Page::decode(format, bytes).unwrap();
        if page.faults(Ib(ib)) != PageFaults::default() {
            self.fault(format!("{what}: page {ib:#x} {:?}", page.faults(Ib(ib))));
        }
        let kind = page.trailer.kind.name();
        if kind != what || page.trailer.kind_again != page.trailer.kind {
            self.fault(format!("{what}: page {ib:#x} is {kind}"));
            return None;
        }
        let (body, bid) = (page.body.to_vec(), page.trailer.bid);
        Some((body, bid))
    }

    fn own(&mut self, from: u64, bytes: u64, owner: String) {
        let end = from + bytes;
        let before = self.owners.range(..end).next_back().filter(|(_, (other, _))| *other > from);
        if let Some((_, (_, other))) = before {
            let line = format!("overlap: {owner} and {other} at {from:#x}");
            self.fault(line);
        }
        if from < self.format.layout().amap_first || end > self.bytes.len() as u64 {
            self.fault(format!("place: {owner} at {from:#x}"));
        }
        self.owners.insert(from, (end, owner));
    }

    /// Allocation maps and the deprecated maps, where the specification puts them.
    fn maps(&mut self) {
        let page = self.format.layout().page_bytes as u64;
        for (index, at) in self.sections().into_iter().enumerate() {
            let mut kinds = vec![PageKind::AMAP];
            if self.format != Format::Unicode4k {
                kinds.extend((index % 8 == 0).then_some(PageKind::PMAP));
                kinds.extend((index >= 128 && (index - 128) % 496 == 0).then_some(PageKind::FMAP));
            }
            for (number, kind) in kinds.into_iter().enumerate() {
                let ib = at + number as u64 * page;
                if let Some((_, bid)) = self.page(ib, kind.name())
                    && bid.0 != ib
                {
                    self.fault(format!("{}: id {bid} at {ib:#x}", kind.name()));
                }
                self.own(ib, page, kind.name().to_owned());
            }
        }
    }

    fn tree<T: Field + Copy>(&mut self, kind: PageKind, root: BlockRef, key: fn(&T) -> u64) -> Vec<T> {
        let mut entries = Vec::new();
        self.tree_page(kind, root, None, None, key, &mut entries);
        if !entries.is_sorted_by(|a, b| key(a) < key(b)) {
            self.fault(format!("order: keys of the {}", kind.name()));
        }
        entries
    }

    fn tree_page<T: Field + Copy>(
        &mut self,
        kind: PageKind,
        place: BlockRef,
        level: Option<u8>,
        first: Option<u64>,
        key: fn(&T) -> u64,
        all: &mut Vec<T>,
    ) {
        let ib = place.ib.0;
        let Some((body, bid)) = self.page(ib, kind.name()) else { return };
        if bid != place.bid {
            self.fault(format!("page id: {bid} at {ib:#x}, its parent says {}", place.bid));
        }
        if !self.pages.insert(bid.0) {
            self.fault(format!("page id: {bid} twice"));
        }
        self.own(ib, self.format.layout().page_bytes as u64, kind.name().to_owned());
        let page = BTreePage::decode(self.format, &body).unwrap();
        let info = page.info;
        if level.is_some_and(|level| level != info.level) || info.level > 8 {
            return self.fault(format!("level: {} at {ib:#x}", info.level));
        }
        let (size, max) = if info.level == 0 {
            (T::size(self.format), BTreePage::capacity::<T>(self.format))
        } else {
            (BranchEntry::size(self.format), BTreePage::capacity::<BranchEntry>(self.format))
        };
        let counts = (usize::from(info.entry_bytes), usize::from(info.count_max));
        if counts != (size, max) || info.count > info.count_max || (info.count == 0 && level.is_some()) {
            self.fault(format!("entries: {info:?} at {ib:#x}"));
        }
        let keys: Vec<u64> = if info.level == 0 {
            let entries: Vec<T> = page.entries().collect();
            all.extend(&entries);
            entries.iter().map(key).collect()
        } else {
            let entries: Vec<BranchEntry> = page.entries().collect();
            for entry in &entries {
                self.tree_page(kind, entry.child, info.level.checked_sub(1), Some(entry.key.0), key, all);
            }
            entries.iter().map(|entry| entry.key.0).collect()
        };
        if !keys.is_sorted_by(|a, b| a < b) || first.is_some_and(|first| keys.first() != Some(&first)) {
            self.fault(format!("order: {keys:x?} at {ib:#x}, parent key {first:x?}"));
        }
    }

    fn page_ids(&mut self) {
        let (last, next) = (self.pages.last().copied().unwrap_or_default(), self.header.next_page.0);
        if last >= next {
            self.fault(format!("next page: {next:#x} after {last:#x}"));
        }
    }

    /// Trailers, CRCs and places; returns the data of inner blocks and the sizes of all.
    fn blocks(&mut self, entries: &[BlockEntry]) -> BTreeMap<Bid, (usize, Vec<u8>)> {
        let (format, layout) = (self.format, self.format.layout());
        let mut data = BTreeMap::new();
        for entry in entries {
            let (bid, ib, size) = (entry.block.bid, entry.block.ib.0, usize::from(entry.size));
            let stored = entry.stored_bytes(format);
            let Some(bytes) = codec::cut(self.bytes, ib as usize, stored as usize) else {
                self.fault(format!("block: {bid} outside the file"));
                continue;
            };
            self.own(ib, stored, format!("block {bid}"));
            let trailer: BlockTrailer = codec::decode(format, &bytes[bytes.len() - layout.block_trailer_bytes..]).unwrap();
            let right = (entry.size, bid, checksum::crc(&bytes[..size]), checksum::signature(Ib(ib), bid));
            if (trailer.size, trailer.bid, trailer.crc, trailer.signature) != right {
                self.fault(format!("block: {bid} at {ib:#x}: {trailer:x?}"));
            }
            let section = |at: u64| (at - layout.amap_first) / layout.amap_coverage;
            if size == 0
                || usize::from(entry.inflated) > layout.data_max_bytes
                || ib % layout.unit_bytes != 0
                || section(ib) != section(ib + stored - 1)
            {
                self.fault(format!("block: {bid} of {size} bytes at {ib:#x}"));
            }
            if bid.0 & 1 != 0 || bid.0 >= self.header.next_block.0 {
                self.fault(format!("next block: {} after {bid}", self.header.next_block));
            }
            let inner = if bid.is_internal() { inflated(&bytes[..size], entry) } else { Vec::new() };
            data.insert(bid.key(), (usize::from(entry.inflated), inner));
        }
        data
    }

    /// Follows every reference, also those of blocks that nobody names, and counts.
    fn references(&mut self, nodes: &[NodeEntry], blocks: &[BlockEntry], data: &BTreeMap<Bid, (usize, Vec<u8>)>) {
        let mut counts: BTreeMap<Bid, u32> = BTreeMap::new();
        let mut named: Vec<(Bid, Role)> = Vec::new();
        for node in nodes {
            named.extend([(node.data, Role::Data), (node.subnodes, Role::Subnodes)]);
        }
        for entry in blocks.iter().filter(|entry| entry.block.bid.is_internal()) {
            named.extend(self.children(entry.block.bid, data));
        }
        for (bid, role) in named.into_iter().filter(|(bid, _)| !bid.is_none()) {
            *counts.entry(bid.key()).or_default() += 1;
            self.fits(bid, role, data);
        }
        for entry in blocks {
            let count = counts.get(&entry.block.bid.key()).copied().unwrap_or_default();
            if u32::from(entry.references) != count + 1 {
                self.fault(format!("count: block {} says {}, named {count} times", entry.block.bid, entry.references));
            }
            if count == 0 {
                self.fault(format!("unnamed: block {}", entry.block.bid));
            }
        }
    }

    /// Whether a block is what its referrer needs.
    fn fits(&mut self, bid: Bid, role: Role, data: &BTreeMap<Bid, (usize, Vec<u8>)>) {
        let Some((_, inner)) = data.get(&bid.key()) else { return self.fault(format!("missing: block {bid}")) };
        let tree = DataTreeBlock::decode(self.format, inner).map(|block| block.level).ok();
        let subnodes = SubnodeBlock::decode(self.format, inner).ok();
        let right = match role {
            Role::Data => !bid.is_internal() || tree.is_some(),
            Role::Leaf => !bid.is_internal(),
            Role::Branch => tree == Some(1),
            Role::Subnodes => subnodes.is_some(),
            Role::SubnodeLeaf => matches!(subnodes, Some(SubnodeBlock::Leaf(_))),
        };
        if !right {
            self.fault(format!("kind: block {bid} is no {role:?}"));
        }
    }

    fn children(&mut self, bid: Bid, data: &BTreeMap<Bid, (usize, Vec<u8>)>) -> Vec<(Bid, Role)> {
        let Some((_, inner)) = data.get(&bid.key()) else { return Vec::new() };
        if let Ok(block) = DataTreeBlock::decode(self.format, inner) {
            self.total(bid, &block, data);
            let role = if block.level == 1 { Role::Leaf } else { Role::Branch };
            return block.children.iter().map(|child| (*child, role)).collect();
        }
        match SubnodeBlock::decode(self.format, inner) {
            Ok(SubnodeBlock::Leaf(entries)) => {
                let nids: Vec<Nid> = entries.iter().map(|entry| entry.nid.nid).collect();
                self.subnode_ids(bid, &nids);
                entries.iter().flat_map(|entry| [(entry.data, Role::Data), (entry.subnodes, Role::Subnodes)]).collect()
            }
            Ok(SubnodeBlock::Branch(entries)) => {
                let nids: Vec<Nid> = entries.iter().map(|entry| entry.nid.nid).collect();
                self.subnode_ids(bid, &nids);
                for entry in &entries {
                    let first = data.get(&entry.child.key()).and_then(|(_, inner)| SubnodeBlock::decode(self.format, inner).ok());
                    if !matches!(&first, Some(SubnodeBlock::Leaf(leaf)) if leaf.first().is_some_and(|first| first.nid == entry.nid)) {
                        self.fault(format!("subnodes: {bid} names {} for {}", entry.child, entry.nid.nid));
                    }
                }
                entries.iter().map(|entry| (entry.child, Role::SubnodeLeaf)).collect()
            }
            Err(_) => {
                self.fault(format!("kind: inner block {bid}"));
                Vec::new()
            }
        }
    }

    /// Totals are exact, and every data block but the last is full.
    fn total(&mut self, bid: Bid, block: &DataTreeBlock, data: &BTreeMap<Bid, (usize, Vec<u8>)>) {
        let leaves = self.leaves(block, data);
        let sum: usize = leaves.iter().sum();
        let full = leaves.iter().rev().skip(1).all(|size| *size == self.format.layout().data_max_bytes);
        if sum as u64 != u64::from(block.total) || !full || block.children.is_empty() {
            self.fault(format!("total: {bid} says {}, has {sum}, full {full}", block.total));
        }
    }

    fn leaves(&self, block: &DataTreeBlock, data: &BTreeMap<Bid, (usize, Vec<u8>)>) -> Vec<usize> {
        let children = block.children.iter().filter_map(|child| data.get(&child.key()));
        let leaves = children.flat_map(|(size, inner)| match DataTreeBlock::decode(self.format, inner) {
            Ok(branch) if block.level == 2 && branch.level == 1 => self.leaves(&branch, data),
            _ => vec![*size],
        });
        leaves.collect()
    }

    fn subnode_ids(&mut self, bid: Bid, nids: &[Nid]) {
        if !nids.is_sorted_by(|a, b| a < b) || nids.is_empty() {
            self.fault(format!("order: subnodes of {bid}"));
        }
        nids.iter().for_each(|nid| self.mark(*nid));
    }

    fn mark(&mut self, nid: Nid) {
        let mark = self.header.nids[usize::from(nid.kind().0)];
        if nid.index() > mark {
            self.fault(format!("mark: {nid} above {mark:#x}"));
        }
    }

    fn nodes(&mut self, nodes: &[NodeEntry]) {
        let ids: BTreeSet<Nid> = nodes.iter().map(|node| node.nid.nid).collect();
        for node in nodes {
            self.mark(node.nid.nid);
            if node.parent.0 != 0 && !ids.contains(&node.parent) {
                self.fault(format!("parent: {} of {}", node.parent, node.nid.nid));
            }
        }
    }

    /// Allocated is what is owned, no less and no more, and the header counts the rest.
    fn allocation(&mut self) {
        let layout = self.format.layout();
        let (mut free, mut leaked, mut missing) = (0_u64, 0, 0);
        for at in self.sections() {
            let Some((body, _)) = self.page(at, PageKind::AMAP.name()) else { continue };
            let bits = amap::bits(self.format, &body).unwrap().to_vec();
            for unit in 0..bits.len() * 8 {
                let ib = at + unit as u64 * layout.unit_bytes;
                let set = amap::is_allocated(&bits, unit).unwrap();
                free += if set { 0 } else { layout.unit_bytes };
                let owned = self.owners.range(..=ib).next_back().is_some_and(|(_, (end, _))| *end > ib);
                let past = ib >= self.bytes.len() as u64;
                leaked += u64::from(set && !owned && !past);
                missing += u64::from(!set && (owned || past));
            }
        }
        if leaked > 0 {
            self.fault(format!("leaked: {leaked} units"));
        }
        if missing > 0 {
            self.fault(format!("not allocated: {missing} units"));
        }
        if self.header.root.amap_free.0 != free {
            self.fault(format!("free bytes: {} told, {free:#x} there", self.header.root.amap_free));
        }
    }
}

/// An inner block's data: 4K files may compress it.
fn inflated(bytes: &[u8], entry: &BlockEntry) -> Vec<u8> {
    use std::io::Read;
    let mut data = bytes.to_vec();
    if entry.inflated != entry.size {
        data.clear();
        flate2::read::ZlibDecoder::new(bytes).read_to_end(&mut data).unwrap();
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blank::blank;
    use pstfs::format::cipher::Cipher;

    #[test]
    fn the_judge_calls_an_empty_store_clean_and_sees_each_flip() {
        for format in Format::ALL {
            let bytes = blank(format, Cipher::None);
            assert_eq!(faults(&bytes), [""; 0]);
            let layout = format.layout();
            let at = [9, 40, 200, layout.amap_first as usize + layout.amap_bits_at + 7, layout.amap_first as usize + layout.page_bytes + 9];
            for at in at {
                let mut flipped = bytes.clone();
                flipped[at] ^= 0x20;
                assert_ne!(faults(&flipped), [""; 0], "{format:?} at {at:#x}");
            }
        }
    }
}
