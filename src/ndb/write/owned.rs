//! Who owns each unit of the file: computed from the trees, not from what the allocation maps claim.

use super::cow::Edits;
use super::section::{Bits, offset_of, place_of, sections_to, units_of};
use crate::damage::{Code, Error, Place, Result};
use crate::format::btree::BlockEntry;
use crate::format::id::Ib;
use crate::ndb::{BTree, Ndb};

/// The bits that each section's map must have: map pages, the pages of both trees, every block in the block B-tree, and
/// whatever lies past the end of the file ([MS-PST] 2.6.1.3.7).
///
/// An error where a tree cannot be read in full or two things own one unit: the units of what is lost would be taken for
/// free. Such a store wants its trees repaired first.
pub(super) fn owned(ndb: &Ndb, end: u64) -> Result<Vec<Bits>> {
    let count = sections_to(ndb.format(), end);
    let mut map = Map { ndb, sections: (0..count).map(|index| Bits::fresh(ndb.format(), index)).collect() };
    map.close_after(end);
    for tree in [BTree::Nodes, BTree::Blocks] {
        map.take_tree(tree)?;
    }
    Ok(map.sections)
}

/// The same where both trees are written anew: their pages own nothing, and of the blocks those do that stay where they are.
pub(super) fn owned_by_blocks(ndb: &Ndb, end: u64, edits: &Edits<BlockEntry>) -> Result<Vec<Bits>> {
    let count = sections_to(ndb.format(), end);
    let mut map = Map { ndb, sections: (0..count).map(|index| Bits::fresh(ndb.format(), index)).collect() };
    map.close_after(end);
    let mut taken = Ok(());
    ndb.visit_blocks(&mut |entry| {
        if edits.get(&entry.block.bid.key().0).is_none_or(|edit| edit.is_some_and(|edit| edit.block.ib == entry.block.ib)) {
            taken = map.take_block(entry);
        }
        taken.is_ok()
    })?;
    taken.map(|()| map.sections)
}

struct Map<'a> {
    ndb: &'a Ndb,
    sections: Vec<Bits>,
}

impl Map<'_> {
    /// What lies past the end of the file is in use: no one may allocate it.
    fn close_after(&mut self, end: u64) {
        let format = self.ndb.format();
        if let Some(last) = self.sections.len().checked_sub(1)
            && let Some(bits) = self.sections.get_mut(last)
            && let Some(start) = u64::try_from(last).ok().and_then(|index| offset_of(format, index, 0))
        {
            let first = units_of(format, usize::try_from(end.saturating_sub(start.0)).unwrap_or(usize::MAX));
            bits.set(first, bits.units().saturating_sub(first));
        }
    }

    fn take_tree(&mut self, tree: BTree) -> Result<()> {
        let mut waiting = vec![(self.ndb.root(tree), None)];
        let page_bytes = self.ndb.format().layout().page_bytes;
        while let Some((place, level)) = waiting.pop() {
            let page = self.ndb.tree_page(tree, place, level)?;
            // A page that is named twice ends here, so circles do too.
            self.take(place.ib, page_bytes, Code::PageEntries)?;
            waiting.extend(page.branches().iter().map(|entry| (entry.child, page.level().checked_sub(1))));
            page.blocks().iter().try_for_each(|entry| self.take_block(entry))?;
        }
        self.refuse_damage()
    }

    fn take_block(&mut self, entry: &BlockEntry) -> Result<()> {
        let bytes = usize::try_from(entry.stored_bytes(self.ndb.format())).unwrap_or(usize::MAX);
        self.take(entry.block.ib, bytes, Code::BlockPlace)
    }

    fn take(&mut self, ib: Ib, bytes: usize, code: Code) -> Result<()> {
        let format = self.ndb.format();
        let damaged = Error::Damaged(code, Place::offset(ib.0));
        let Some((index, unit)) = place_of(format, ib) else { return Err(damaged) };
        let Some(bits) = usize::try_from(index).ok().and_then(|index| self.sections.get_mut(index)) else { return Err(damaged) };
        let count = units_of(format, bytes);
        if bits.any(unit, count) {
            return Err(damaged);
        }
        bits.set(unit, count);
        Ok(())
    }

    /// A page that was read in spite of damage may name too little.
    fn refuse_damage(&self) -> Result<()> {
        let page =
            [Code::PageUnreadable, Code::PageCrc, Code::PageSignature, Code::PageBid, Code::PageEntries, Code::PageLevel, Code::PageOrder];
        match self.ndb.notes().findings().into_iter().find(|finding| page.contains(&finding.code)) {
            Some(finding) => Err(Error::Damaged(finding.code, finding.place)),
            None => Ok(()),
        }
    }
}
