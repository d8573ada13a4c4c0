//! Which of the blocks that stand in a file are still in use: by the block B-tree, else by the allocation maps.
//!
//! Outlook does not clear what it frees ([MS-PST] 2.6.1), so an item that was deleted stands in the file like any other;
//! only these two know the difference.

use crate::damage::Result;
use crate::disk::Spill;
use crate::format::Format;
use crate::format::amap;
use crate::format::btree::BlockEntry;
use crate::format::id::{Bid, BlockRef, Ib};
use crate::format::page::{Page, PageKind};
use crate::ndb::{BTree, BlockPlace, Ndb, Part};

use super::lists::equal;
use super::ranges::Ranges;
use super::survey::{FoundBlock, Survey};

/// What is known of blocks in use.
#[derive(Debug)]
pub(super) struct Live {
    /// What the block B-tree lists, ascending by id.
    listed: Spill<BlockPlace>,
    /// How many entries name each block that more than one does; by id.
    shared: Spill<(Bid, u16)>,
    /// Ids of which it lists nothing any more.
    lost: Ranges,
    /// Which of the allocation maps can be relied on.
    sound: Spill<bool>,
    /// The bits of all of them, one after the other.
    bits: Spill<u8>,
    format: Format,
}

/// An entry that nothing names ([MS-PST] 2.2.2.7.7.3.1): its count is 1 for the entry itself. Outlook frees it later.
const UNREFERENCED: u16 = 1;

impl Live {
    /// Reads what stands of the block B-tree and of the allocation maps.
    pub(super) fn read(ndb: &Ndb, root: BlockRef) -> Result<Self> {
        let (lost, format) = (Ranges::default(), ndb.format());
        let mut live = Self { listed: Spill::new(), shared: Spill::new(), lost, sound: Spill::new(), bits: Spill::new(), format };
        ndb.visit_standing(BTree::Blocks, root, &mut |part| match part {
            Part::Lost(_, from, to) => live.lost.push(from, to),
            Part::Blocks(entries) => live.take(entries),
            Part::Nodes(_) => {}
        })?;
        live.listed.sort_unstable_by_key(|place| place.bid.key());
        live.shared.sort_stably_by_key(|(bid, _)| *bid);
        if !live.lost.is_empty() && ndb.header().root.amap_valid != 0 {
            live.read_maps(ndb);
        }
        Ok(live)
    }

    /// Reads every allocation map.
    fn read_maps(&mut self, ndb: &Ndb) {
        let offsets = (0..).map_while(|index| amap::map_offset(self.format, index)).take_while(|map| map.0 < ndb.file_bytes());
        for map in offsets {
            let mut bits = allocation_map(ndb, map);
            self.sound.push(bits.is_some());
            let bits = bits.get_or_insert_default();
            bits.resize(self.format.layout().amap_bits_bytes, 0);
            self.bits.push_all(bits);
        }
    }

    /// The bits of an allocation map; `None` where they cannot be relied on.
    fn map(&self, index: u64) -> Option<&[u8]> {
        let (index, len) = (usize::try_from(index).ok()?, self.format.layout().amap_bits_bytes);
        let start = self.sound.get(index).filter(|sound| **sound).and_then(|_| index.checked_mul(len))?;
        self.bits.get(start..start.checked_add(len)?)
    }

    fn take(&mut self, entries: &[BlockEntry]) {
        let used = || entries.iter().filter(|entry| entry.references > UNREFERENCED);
        self.listed.extend(used().map(place_of));
        // What a damaged page counts stands in its own hole, and is not to be relied on.
        let sound = used().filter(|entry| !self.lost.contains(entry.block.bid.key().0));
        let names = sound.map(|entry| (entry.block.bid.key(), entry.references.saturating_sub(UNREFERENCED)));
        self.shared.extend(names.filter(|(_, names)| *names > 1));
    }

    /// How many nodes and blocks name a block, by the block B-tree; 0 or 1 is told of none.
    pub(super) fn names_of(&self, bid: Bid) -> Option<u16> {
        equal(&self.shared, bid.key(), |(bid, _)| *bid).last().map(|(_, names)| *names)
    }

    /// What the block B-tree lists.
    pub(super) fn listed(&self) -> &[BlockPlace] {
        &self.listed
    }

    /// Where the block B-tree has a block.
    pub(super) fn place(&self, bid: Bid) -> Option<BlockPlace> {
        let at = self.listed.binary_search_by_key(&bid.key(), |place| place.bid.key()).ok()?;
        self.listed.get(at).copied()
    }

    /// Whether a block is in use, of which these copies stand in the file.
    pub(super) fn is_live(&self, bid: Bid, copies: &[FoundBlock]) -> bool {
        if self.place(bid).is_some() {
            return true;
        }
        self.lost.contains(bid.key().0) && copies.iter().any(|copy| self.is_allocated(copy))
    }

    /// Whether the allocation maps have a block's place in use; where no map tells, it may be.
    pub(super) fn is_allocated(&self, block: &FoundBlock) -> bool {
        let layout = self.format.layout();
        let entry = BlockEntry { size: block.size, ..BlockEntry::default() };
        let units = entry.stored_bytes(self.format).checked_div(layout.unit_bytes).unwrap_or(0);
        let Some(index) = amap::map_of(self.format, block.ib) else { return false };
        let Some(bits) = self.map(index) else { return true };
        let first = amap::map_offset(self.format, index).and_then(|map| block.ib.0.checked_sub(map.0)?.checked_div(layout.unit_bytes));
        let Some(first) = first.and_then(|first| usize::try_from(first).ok()) else { return true };
        let last = first.saturating_add(usize::try_from(units).unwrap_or(0));
        (first..last).all(|unit| amap::is_allocated(bits, unit).unwrap_or(true))
    }
}

fn place_of(entry: &BlockEntry) -> BlockPlace {
    BlockPlace { bid: entry.block.bid, ib: entry.block.ib, size: entry.size, inflated: entry.inflated }
}

/// The bits of an allocation map; `None` where they cannot be relied on.
fn allocation_map(ndb: &Ndb, map: Ib) -> Option<Vec<u8>> {
    let mut bytes = vec![0; ndb.format().layout().page_bytes];
    ndb.source().read_exact_at(&mut bytes, map.0).ok()?;
    let page = Page::decode(ndb.format(), &bytes).ok()?;
    let is_sound = page.is(PageKind::AMAP) && page.faults(map).crc.is_none();
    is_sound.then(|| amap::bits(ndb.format(), page.body).map(<[u8]>::to_vec)).flatten()
}

/// Where to read each block: of several copies one that verifies, in use rather than not; else where the tree has it.
pub(super) fn block_map(survey: &Survey, live: &Live) -> Spill<BlockPlace> {
    let mut places: Spill<BlockPlace> = Spill::new();
    for copies in survey.blocks.chunk_by(|a, b| a.bid.key() == b.bid.key()) {
        let sound = || copies.iter().filter(|copy| copy.is_whole);
        let listed = copies.first().and_then(|copy| live.place(copy.bid));
        let best = sound().find(|copy| listed.is_some_and(|place| place.ib == copy.ib));
        let best = best.or_else(|| sound().find(|copy| live.is_allocated(copy))).or_else(|| sound().next());
        let found = best.or(copies.first()).map(|copy| BlockPlace { bid: copy.bid, ib: copy.ib, size: copy.size, inflated: copy.inflated });
        places.extend(if best.is_none() { listed.or(found) } else { found });
    }
    let found = places.len();
    for place in live.listed() {
        let is_found = places.get(..found).unwrap_or_default().binary_search_by_key(&place.bid.key(), |found| found.bid.key()).is_ok();
        if !is_found {
            places.push(*place);
        }
    }
    places
}
