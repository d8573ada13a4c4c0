//! The two B-trees: finding an entry by its key, and walking all of them.

use std::collections::HashSet;
use std::sync::Arc;

use super::Ndb;
use crate::damage::{Code, Error, Place, Result};
use crate::format::btree::{BTreePage, BlockEntry, BranchEntry, NodeEntry};
use crate::format::checksum;
use crate::format::codec::Field;
use crate::format::id::{Bid, BlockRef, Ib, Nid};
use crate::format::page::{Page, PageKind};

/// One of a store's two B-trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BTree {
    /// Nodes by id.
    Nodes,
    /// Blocks by id.
    Blocks,
}

impl BTree {
    pub(super) const fn kind(self) -> PageKind {
        match self {
            Self::Nodes => PageKind::NODES,
            Self::Blocks => PageKind::BLOCKS,
        }
    }
}

/// The most levels a tree has ([MS-PST] 2.2.2.7.7.1 gives 8 as the bound; the deepest seen has 3).
pub(super) const LEVEL_MAX: u8 = 8;

/// A page of a B-tree, decoded; the keys ascend.
#[derive(Debug)]
pub(super) struct TreePage {
    tree: BTree,
    level: u8,
    /// The id in its trailer.
    bid: Bid,
    /// What makes it doubtful that it still says what was written.
    doubt: Option<Code>,
    entries: Entries,
}

impl TreePage {
    /// 0 for leaves.
    pub(super) fn level(&self) -> u8 {
        self.level
    }

    /// The entries of an inner page; none in a leaf.
    pub(super) fn branches(&self) -> &[BranchEntry] {
        match &self.entries {
            Entries::Branch(entries) => entries,
            Entries::Nodes(_) | Entries::Blocks(_) => &[],
        }
    }

    /// The entries of a leaf of the node B-tree; none in others.
    pub(super) fn nodes(&self) -> &[NodeEntry] {
        match &self.entries {
            Entries::Nodes(entries) => entries,
            Entries::Branch(_) | Entries::Blocks(_) => &[],
        }
    }

    /// The entries of a leaf of the block B-tree; none in others.
    pub(super) fn blocks(&self) -> &[BlockEntry] {
        match &self.entries {
            Entries::Blocks(entries) => entries,
            Entries::Branch(_) | Entries::Nodes(_) => &[],
        }
    }
}

/// The keys that a page answers for: from the first on and below the second.
pub(super) type Keys = (u64, u64);

/// Where to look for a key from a page on.
enum Way<T> {
    /// In this page of this level, which answers for these keys.
    Down(BlockRef, Option<u8>, Keys),
    /// Nowhere else: it was a leaf, of which this was seen, or no page answers for the key.
    End(Option<T>),
}

impl TreePage {
    /// Where a key is from here on, in a page that answers for these keys; a leaf is looked at.
    fn way<T>(&self, key: u64, keys: Keys, look: impl Fn(&Self) -> T) -> Way<T> {
        let Entries::Branch(entries) = &self.entries else { return Way::End(Some(look(self))) };
        let after = entries.partition_point(|entry| entry.key.0 <= key);
        let Some(entry) = after.checked_sub(1).and_then(|last| entries.get(last)) else { return Way::End(None) };
        let keys = (entry.key.0.max(keys.0), entries.get(after).map_or(keys.1, |next| next.key.0.min(keys.1)));
        Way::Down(entry.child, self.level.checked_sub(1), keys)
    }

    fn memory_bytes(&self) -> usize {
        match &self.entries {
            Entries::Branch(entries) => size_of_val(entries.as_slice()),
            Entries::Nodes(entries) => size_of_val(entries.as_slice()),
            Entries::Blocks(entries) => size_of_val(entries.as_slice()),
        }
    }
}

#[derive(Debug)]
enum Entries {
    Branch(Vec<BranchEntry>),
    Nodes(Vec<NodeEntry>),
    Blocks(Vec<BlockEntry>),
}

impl Ndb {
    /// The node with this id.
    pub fn node(&self, nid: Nid) -> Result<Option<NodeEntry>> {
        if let Some(maps) = self.maps() {
            return Ok(maps.node(nid));
        }
        match self.in_leaf(BTree::Nodes, u64::from(nid.0), |page| found(page.nodes(), nid, |entry| entry.nid.nid)) {
            Ok(entry) => Ok(entry.flatten()),
            Err(error) => Ok(self.rescued(error)?.node(nid)),
        }
    }

    /// The node with this id, which every store has.
    pub fn required_node(&self, nid: Nid) -> Result<NodeEntry> {
        self.node(nid)?.ok_or(Error::Damaged(Code::NodeSpecial, Place::node(nid.0)))
    }

    /// Where the block with this id stands; `Damaged` where no entry names it.
    pub fn block_entry(&self, bid: Bid) -> Result<BlockEntry> {
        let missing = || Error::Damaged(Code::BlockMissing, Place::block(bid.0));
        // Nothing is named: no search brings it up.
        if bid.is_none() {
            return Err(missing());
        }
        let maps = match self.maps() {
            Some(maps) => maps,
            None => match self.tree_entry(bid.key()) {
                Ok(Some(entry)) => return Ok(entry),
                Ok(None) => self.rescued(missing())?,
                Err(error) => self.rescued(error)?,
            },
        };
        maps.block(bid).map(BlockEntry::from).ok_or_else(missing)
    }

    fn tree_entry(&self, key: Bid) -> Result<Option<BlockEntry>> {
        let entry = self.in_leaf(BTree::Blocks, key.0, |page| found(page.blocks(), key, |entry| entry.block.bid.key()))?;
        Ok(entry.flatten())
    }

    /// The largest id in the block B-tree; `None` where there is no block.
    pub(super) fn last_block(&self) -> Result<Option<Bid>> {
        if let Some(maps) = self.maps() {
            return Ok(maps.blocks().last().map(|place| place.bid.key()));
        }
        let last = self.in_leaf(BTree::Blocks, u64::MAX, |page| page.blocks().last().map(|entry| entry.block.bid.key()))?;
        Ok(last.flatten())
    }

    /// Shows every node to `visit`, ascending, until it returns `false`. Damaged pages are noted and left out.
    pub fn visit_nodes(&self, visit: &mut dyn FnMut(&NodeEntry) -> bool) -> Result<()> {
        let mut last = None;
        let maps = match self.maps() {
            Some(maps) => maps,
            None => {
                let walked = self.visit_leaves(BTree::Nodes, &mut |page| {
                    page.nodes().iter().all(|node| {
                        last = Some(node.nid.nid);
                        visit(node)
                    })
                });
                match walked {
                    Err(error) => self.rescued(error)?,
                    Ok(()) => return Ok(()),
                }
            }
        };
        let after = maps.nodes().iter().filter(|node| last.is_none_or(|last| node.nid.nid > last));
        after.take_while(|node| visit(node)).for_each(drop);
        Ok(())
    }

    /// Shows every block entry to `visit`, ascending, until it returns `false`. Damaged pages are noted and left out.
    pub fn visit_blocks(&self, visit: &mut dyn FnMut(&BlockEntry) -> bool) -> Result<()> {
        let mut last = None;
        let maps = match self.maps() {
            Some(maps) => maps,
            None => {
                let walked = self.visit_leaves(BTree::Blocks, &mut |page| {
                    page.blocks().iter().all(|entry| {
                        last = Some(entry.block.bid.key());
                        visit(entry)
                    })
                });
                match walked {
                    Err(error) => self.rescued(error)?,
                    Ok(()) => return Ok(()),
                }
            }
        };
        let after = maps.blocks().iter().filter(|place| last.is_none_or(|last| place.bid.key() > last));
        after.take_while(|place| visit(&BlockEntry::from(**place))).for_each(drop);
        Ok(())
    }

    /// Looks at the leaf that holds `key`, if any does.
    fn in_leaf<T>(&self, tree: BTree, key: u64, look: impl Fn(&TreePage) -> T) -> Result<Option<T>> {
        let first = Way::Down(self.root(tree), None, (0, u64::MAX));
        let mut way = self.recent.look(tree, key, |page, keys| page.way(key, keys, &look)).unwrap_or(first);
        loop {
            let (place, level, keys) = match way {
                Way::Down(place, level, keys) => (place, level, keys),
                Way::End(found) => return Ok(found),
            };
            // The level falls by one with every step, so this ends.
            let page = self.tree_page(tree, place, level)?;
            way = page.way(key, keys, &look);
            self.recent.keep(tree, keys, page);
        }
    }

    fn visit_leaves(&self, tree: BTree, visit: &mut dyn FnMut(&TreePage) -> bool) -> Result<()> {
        // A hostile tree may name one page many times; each is shown once.
        let mut seen: HashSet<Ib> = HashSet::new();
        let mut waiting = vec![(self.root(tree), None)];
        while let Some((place, level)) = waiting.pop() {
            if !seen.insert(place.ib) {
                continue;
            }
            let page = match self.tree_page(tree, place, level) {
                Ok(page) => page,
                Err(error) if error.is_io() => return Err(error),
                Err(error) => {
                    self.notes().survived(&error, Code::PageUnreadable, Place::offset(place.ib.0));
                    if self.rescue.is_some() {
                        return Err(error);
                    }
                    continue;
                }
            };
            match &page.entries {
                Entries::Branch(entries) => waiting.extend(entries.iter().rev().map(|entry| (entry.child, page.level.checked_sub(1)))),
                Entries::Nodes(_) | Entries::Blocks(_) => {
                    if !visit(&page) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// The page of a tree at this place, which must be of this level where one is told.
    ///
    /// A page that is doubtful counts as damaged where there is a way to find what it should say.
    pub(super) fn tree_page(&self, tree: BTree, place: BlockRef, level: Option<u8>) -> Result<Arc<TreePage>> {
        let (page, doubt) = self.standing_page(tree, place, level)?;
        match doubt {
            Some(code) if self.rescue.is_some() => Err(Error::Damaged(code, Place::offset(place.ib.0))),
            _ => Ok(page),
        }
    }

    /// The page as it stands, and what makes it doubtful: written for another place or time, or changed since.
    pub(super) fn standing_page(&self, tree: BTree, place: BlockRef, level: Option<u8>) -> Result<(Arc<TreePage>, Option<Code>)> {
        let page = match self.pages.get(&place.ib) {
            Some(page) => page,
            None => {
                let page = self.read_tree_page(tree, place)?;
                let bytes = page.memory_bytes();
                self.pages.put(place.ib, page, bytes)
            }
        };
        let here = Place::offset(place.ib.0);
        if page.tree != tree {
            return Err(Error::Damaged(Code::PageUnreadable, here));
        }
        if page.level > LEVEL_MAX || level.is_some_and(|level| level != page.level) {
            return Err(Error::Damaged(Code::PageLevel, here));
        }
        let doubt = page.doubt.or((page.bid != place.bid).then_some(Code::PageBid));
        Ok((page, doubt))
    }

    fn read_tree_page(&self, tree: BTree, place: BlockRef) -> Result<TreePage> {
        let here = Place { bid: Some(place.bid.0), ..Place::offset(place.ib.0) };
        let bytes = self.read_page(place.ib)?;
        let page = Page::decode(self.format, &bytes).map_err(|cut| cut.at(Code::PageUnreadable, here))?;
        let faults = page.faults(place.ib);
        // A zeroed page has a CRC that fits: the kind is what tells. With a kind that is wrong the rest must be right.
        if !page.is(tree.kind()) && (!faults.is_whole() || page.trailer.kind != tree.kind() && page.trailer.kind_again != tree.kind()) {
            return Err(Error::Damaged(Code::PageUnreadable, here));
        }
        if let Some(crc) = faults.crc {
            self.notes.add(Code::PageCrc, here, checksum::mismatch(page.trailer.crc, crc, faults.flip));
        }
        if faults.signature.is_some() {
            self.notes.add(Code::PageSignature, here, "");
        }
        if page.trailer.bid != place.bid {
            self.notes.add(Code::PageBid, here, format!("page says {}", page.trailer.bid));
        }
        let body = page.written(&faults);
        let body = BTreePage::decode(self.format, &body).map_err(|cut| cut.at(Code::PageUnreadable, here))?;
        let entries = match (tree, body.info.level) {
            (BTree::Nodes, 1..) => Entries::Branch(self.entries_of(&body, here, |entry: &BranchEntry| entry.key.0)?),
            (BTree::Blocks, 1..) => {
                let mut branches = self.entries_of(&body, here, |entry: &BranchEntry| Bid(entry.key.0).key().0)?;
                // The reserved bit of a block's id is never compared, here neither.
                branches.iter_mut().for_each(|branch| branch.key.0 = Bid(branch.key.0).key().0);
                Entries::Branch(branches)
            }
            (BTree::Nodes, 0) => Entries::Nodes(self.entries_of(&body, here, |entry: &NodeEntry| u64::from(entry.nid.nid.0))?),
            (BTree::Blocks, 0) => Entries::Blocks(self.entries_of(&body, here, |entry: &BlockEntry| entry.block.bid.key().0)?),
        };
        // Some writers leave the CRC 0. Once the flipped bit is turned back nothing is in doubt.
        let is_doubted = !faults.is_whole() && (page.trailer.crc != 0 || faults.signature.is_some());
        let doubt = is_doubted.then_some(Code::PageCrc);
        Ok(TreePage { tree, level: body.info.level, bid: page.trailer.bid, doubt, entries })
    }

    fn read_page(&self, ib: Ib) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.format.layout().page_bytes];
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if ib.checked_add(len).is_none_or(|end| end.0 > self.file_bytes) {
            return Err(Error::Damaged(Code::PageUnreadable, Place::offset(ib.0)));
        }
        self.read_bytes(&mut bytes, ib)?;
        Ok(bytes)
    }

    /// The entries of a page, ascending; noted where the page has them in another order.
    fn entries_of<T: Field>(&self, body: &BTreePage<'_>, here: Place, key: impl Fn(&T) -> u64) -> Result<Vec<T>> {
        if usize::from(body.info.entry_bytes) < T::size(self.format) {
            return Err(Error::Damaged(Code::PageEntries, here));
        }
        if !body.fits::<T>() {
            self.notes.add(Code::PageEntries, here, format!("{} entries of {} bytes", body.info.count, body.info.entry_bytes));
        }
        let mut entries: Vec<T> = body.entries().collect();
        if !entries.is_sorted_by_key(&key) {
            self.notes.add(Code::PageOrder, here, "");
            entries.sort_by_key(&key);
        }
        Ok(entries)
    }
}

fn found<T: Copy, K: Ord>(entries: &[T], key: K, key_of: impl Fn(&T) -> K) -> Option<T> {
    let at = entries.binary_search_by_key(&key, key_of).ok()?;
    entries.get(at).copied()
}
