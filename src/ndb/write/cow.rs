//! Copy-on-write of the two B-trees: sorted edits go in, new pages up to a new root come out.
//!
//! Pages are immutable ([MS-PST] 2.6.1): a leaf that changes is written anew elsewhere, then its parents. A page that an
//! edit fills too far becomes several, one that loses its last entry goes away. A parent's key is its child's first key;
//! slots that are not used are zeros.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};

use super::room::Space;
use crate::damage::{Code, Error, Place, Result};
use crate::format::Format;
use crate::format::btree::{BTreePage, BlockEntry, BranchEntry, NodeEntry};
use crate::format::codec::{Field, Word};
use crate::format::id::{Bid, BlockRef, Ib};
use crate::format::page::Page;
use crate::ndb::page::{LEVEL_MAX, TreePage};
use crate::ndb::{BTree, Ndb};

/// What a tree's leaves hold.
pub(super) trait LeafEntry: Field + Copy {
    /// The tree.
    const TREE: BTree;
    /// The entries of a leaf.
    fn of(page: &TreePage) -> &[Self];
    /// The key by which they ascend.
    fn key(&self) -> u64;
    /// Shows all of them to `visit`.
    fn visit(ndb: &Ndb, visit: &mut dyn FnMut(&Self) -> bool) -> Result<()>;
}

impl LeafEntry for NodeEntry {
    const TREE: BTree = BTree::Nodes;
    fn of(page: &TreePage) -> &[Self] {
        page.nodes()
    }
    fn key(&self) -> u64 {
        self.nid.nid.0.into()
    }
    fn visit(ndb: &Ndb, visit: &mut dyn FnMut(&Self) -> bool) -> Result<()> {
        ndb.visit_nodes(visit)
    }
}

impl LeafEntry for BlockEntry {
    const TREE: BTree = BTree::Blocks;
    fn of(page: &TreePage) -> &[Self] {
        page.blocks()
    }
    fn key(&self) -> u64 {
        self.block.bid.key().0
    }
    fn visit(ndb: &Ndb, visit: &mut dyn FnMut(&Self) -> bool) -> Result<()> {
        ndb.visit_blocks(visit)
    }
}

/// Changes to a tree by key: an entry to insert or put in place of the old one, `None` to remove it.
pub(super) type Edits<T> = BTreeMap<u64, Option<T>>;

/// Bytes for a place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) ib: Ib,
    pub(super) bytes: Vec<u8>,
}

/// Writes pages, and remembers which they supersede.
#[derive(Debug)]
pub(super) struct Pages<'s, 'a> {
    ndb: &'a Ndb,
    space: &'s mut Space<'a>,
    /// The id for the next page.
    pub(super) next: Bid,
    /// The new pages.
    pub(super) written: Vec<Written>,
    /// Where the superseded pages stand.
    pub(super) superseded: Vec<Ib>,
}

impl<'s, 'a> Pages<'s, 'a> {
    pub(super) fn new(ndb: &'a Ndb, space: &'s mut Space<'a>, next: Bid) -> Self {
        Self { ndb, space, next, written: Vec::new(), superseded: Vec::new() }
    }

    /// Applies edits to a tree; returns its new root, or the old one where nothing changes.
    pub(super) fn rewrite<T: LeafEntry>(&mut self, edits: &Edits<T>) -> Result<BlockRef> {
        let root = self.ndb.root(T::TREE);
        if edits.is_empty() {
            return Ok(root);
        }
        let page = self.ndb.tree_page(T::TREE, root, None)?;
        let own = BranchEntry { key: Word(0), child: root };
        let level = page.level();
        let range = (Bound::Unbounded, Bound::Unbounded);
        let pages = match self.page(edits, own, Some(level), range)? {
            Rewritten::Same => return Ok(root),
            Rewritten::Pages(pages) => pages,
        };
        self.root::<T>(level, pages)
    }

    /// Writes a tree anew, with all entries that the database tells and these edits; returns its root.
    pub(super) fn load<T: LeafEntry>(&mut self, edits: &Edits<T>) -> Result<BlockRef> {
        let mut entries: BTreeMap<u64, T> = BTreeMap::new();
        T::visit(self.ndb, &mut |entry| {
            entries.insert(entry.key(), *entry);
            true
        })?;
        for (key, edit) in edits {
            match edit {
                Some(entry) => entries.insert(*key, *entry),
                None => entries.remove(key),
            };
        }
        let entries: Vec<T> = entries.into_values().collect();
        let leaves = self.leaves(&entries, true)?;
        self.root::<T>(0, leaves)
    }

    /// Builds levels over these pages until one page is left.
    fn root<T: LeafEntry>(&mut self, mut level: u8, mut pages: Vec<BranchEntry>) -> Result<BlockRef> {
        loop {
            match pages.as_slice() {
                [root] => return Ok(root.child),
                [] => {
                    let empty = self.leaves::<T>(&[], false)?;
                    return empty.first().map(|page| page.child).ok_or(Error::Damaged(Code::PageEntries, Place::FILE));
                }
                _ if level >= LEVEL_MAX => return Err(Error::Unsupported("the tree would have more levels than the format has".into())),
                _ => {
                    level = level.saturating_add(1);
                    pages = self.branches::<T>(level, &pages, false)?;
                }
            }
        }
    }

    /// The pages that take the place of `own`, whose keys lie in `range`.
    ///
    /// The level falls by one with every step, so the depth is bounded by the root's level.
    fn page<T: LeafEntry>(&mut self, edits: &Edits<T>, own: BranchEntry, level: Option<u8>, range: Range) -> Result<Rewritten> {
        if edits.range(range).next().is_none() {
            return Ok(Rewritten::Same);
        }
        let page = self.ndb.tree_page(T::TREE, own.child, level)?;
        let rewritten = if page.level() == 0 { self.leaf(edits, T::of(&page), range)? } else { self.branch(edits, &page, range)? };
        if matches!(rewritten, Rewritten::Pages(_)) {
            self.superseded.push(own.child.ib);
        }
        Ok(rewritten)
    }

    fn leaf<T: LeafEntry>(&mut self, edits: &Edits<T>, entries: &[T], range: Range) -> Result<Rewritten> {
        refuse_strays(entries.iter().map(T::key), range)?;
        let mut merged: BTreeMap<u64, T> = entries.iter().map(|entry| (entry.key(), *entry)).collect();
        let last = merged.last_key_value().map(|(key, _)| *key);
        let (mut changed, mut appended) = (false, true);
        for (key, edit) in edits.range(range) {
            match edit {
                Some(entry) => {
                    appended &= Some(*key) > last;
                    merged.insert(*key, *entry);
                    changed = true;
                }
                None => changed |= merged.remove(key).is_some(),
            }
        }
        if !changed {
            return Ok(Rewritten::Same);
        }
        let merged: Vec<T> = merged.into_values().collect();
        if merged.is_empty() { Ok(Rewritten::Pages(Vec::new())) } else { self.leaves(&merged, appended).map(Rewritten::Pages) }
    }

    fn branch<T: LeafEntry>(&mut self, edits: &Edits<T>, page: &TreePage, range: Range) -> Result<Rewritten> {
        // The first key is not asked: a parent may name another than its child, and only that.
        refuse_strays(page.branches().iter().skip(1).map(|entry| entry.key.0), range)?;
        let mut children = Vec::new();
        let (mut changed, mut appended) = (false, true);
        let mut from = range.0;
        let mut entries = page.branches().iter().peekable();
        while let Some(entry) = entries.next() {
            // Keys below the first child's go into it; keys up to the next child's belong to this one.
            let to = entries.peek().map_or(range.1, |next| Bound::Excluded(next.key.0));
            match self.page(edits, *entry, page.level().checked_sub(1), (from, to))? {
                Rewritten::Same => children.push(*entry),
                Rewritten::Pages(pages) => {
                    changed = true;
                    appended &= entries.peek().is_none();
                    children.extend(pages);
                }
            }
            from = entries.peek().map_or(from, |next| Bound::Included(next.key.0));
        }
        if !changed {
            return Ok(Rewritten::Same);
        }
        if children.is_empty() {
            return Ok(Rewritten::Pages(children));
        }
        self.branches::<T>(page.level(), &children, appended).map(Rewritten::Pages)
    }

    fn leaves<T: LeafEntry>(&mut self, entries: &[T], appended: bool) -> Result<Vec<BranchEntry>> {
        self.write(T::TREE, 0, entries, T::key, appended)
    }

    fn branches<T: LeafEntry>(&mut self, level: u8, entries: &[BranchEntry], appended: bool) -> Result<Vec<BranchEntry>> {
        self.write(T::TREE, level, entries, |entry| entry.key.0, appended)
    }

    /// Writes entries into as many pages as they need; one where there are none.
    fn write<E: Field>(
        &mut self,
        tree: BTree,
        level: u8,
        entries: &[E],
        key: impl Fn(&E) -> u64,
        appended: bool,
    ) -> Result<Vec<BranchEntry>> {
        let format = self.ndb.format();
        let mut pages = Vec::new();
        let mut rest = entries;
        for count in shares(entries.len(), BTreePage::capacity::<E>(format), appended) {
            let (head, tail) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            rest = tail;
            let child = BlockRef { bid: self.next, ib: self.space.page()? };
            self.next = next_page(format, self.next)?;
            let body = BTreePage::encode(format, level, head);
            self.written.push(Written { ib: child.ib, bytes: Page::encode(format, tree.kind(), child.bid, child.ib, &body) });
            pages.push(BranchEntry { key: Word(head.first().map_or(0, &key)), child });
        }
        Ok(pages)
    }
}

/// A range of keys.
type Range = (Bound<u64>, Bound<u64>);

/// A page with keys that its parent looks for elsewhere is no ground to build on: an edit would go astray.
fn refuse_strays(mut keys: impl Iterator<Item = u64>, range: Range) -> Result<()> {
    if keys.all(|key| range.contains(&key)) { Ok(()) } else { Err(Error::Damaged(Code::PageOrder, Place::FILE)) }
}

/// What becomes of a page.
enum Rewritten {
    /// It stays.
    Same,
    /// These take its place; none where it became empty.
    Pages(Vec<BranchEntry>),
}

/// The id after this one: page ids count by one.
fn next_page(format: Format, bid: Bid) -> Result<Bid> {
    let next = bid.0.checked_add(1).filter(|next| format != Format::Ansi || u32::try_from(*next).is_ok());
    next.map(Bid).ok_or_else(|| Error::Unsupported("the store has no page ids left".into()))
}

/// How many entries go into each page.
///
/// Where entries were only appended all pages but the last are full, for more will be appended; else all are alike, for
/// the next one may come anywhere.
fn shares(count: usize, capacity: usize, appended: bool) -> Vec<usize> {
    let capacity = capacity.max(1);
    let pages = count.div_ceil(capacity).max(1);
    let mut left = count;
    (0..pages)
        .map(|page| {
            let even = left.div_ceil(pages.saturating_sub(page).max(1));
            let share = if appended { left.min(capacity) } else { even };
            left = left.saturating_sub(share);
            share
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_shared_out_without_one_too_many_or_too_few() {
        assert_eq!(shares(0, 15, false), [0]);
        assert_eq!(shares(15, 15, false), [15]);
        assert_eq!(shares(16, 15, false), [8, 8]);
        assert_eq!(shares(16, 15, true), [15, 1]);
        for count in 0..200 {
            for appended in [false, true] {
                let shares = shares(count, 15, appended);
                assert_eq!(shares.iter().sum::<usize>(), count);
                assert!(shares.iter().all(|share| *share <= 15 && (*share > 0 || count == 0)));
            }
        }
    }

    #[test]
    fn page_ids_of_ansi_files_end_at_32_bits() {
        assert!(next_page(Format::Ansi, Bid(u32::MAX.into())).is_err());
        assert_eq!(next_page(Format::Unicode, Bid(u32::MAX.into())).unwrap(), Bid(1 << 32));
    }
}
