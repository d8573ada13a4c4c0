//! Space for new blocks and pages: the allocation maps as a transaction sees them.
//!
//! Nothing is written here. Units that a transaction frees stay closed to it: until its header is durable the old trees
//! own them. New things go into sections by which the file grows; free space of the old file may hold items that can
//! still be recovered, and is used only where the caller allows it or the file cannot grow.

use std::collections::{BTreeMap, HashMap};

use super::cow::Edits;
use super::owned::{owned, owned_by_blocks};
use super::section::{Bits, offset_of, place_of, sections_to, units_of};
use crate::damage::{Error, Result};
use crate::format::Format;
use crate::format::amap;
use crate::format::btree::BlockEntry;
use crate::format::id::Ib;
use crate::ndb::Ndb;

/// Where a transaction may put what is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Whether free space of the old file is used before the file grows.
    pub reuse: bool,
    /// The length that the file must not exceed, in bytes.
    pub max_bytes: u64,
}

/// The largest ANSI file: offsets are 32 bits wide, and Outlook takes them for signed.
const ANSI_MAX_BYTES: u64 = 0x7fff_ffff;
/// As far as they reach.
const ANSI_REACH_BYTES: u64 = 0xffff_ffff;

impl Room {
    /// The file grows first, as far as the format allows.
    pub const fn grow(format: Format) -> Self {
        let max_bytes = match format {
            Format::Ansi => ANSI_MAX_BYTES,
            Format::Unicode | Format::Unicode4k => u64::MAX,
        };
        Self { reuse: false, max_bytes }
    }

    /// The same for a store that is only ever read, in memory: as far as its offsets reach.
    pub const fn unwritten(format: Format) -> Self {
        let max_bytes = match format {
            Format::Ansi => ANSI_REACH_BYTES,
            Format::Unicode | Format::Unicode4k => u64::MAX,
        };
        Self { reuse: false, max_bytes }
    }

    /// Free space is used first; what could still be recovered from it is lost.
    pub const fn reuse(format: Format) -> Self {
        Self { reuse: true, ..Self::grow(format) }
    }
}

/// One section, before, during and after the transaction.
#[derive(Debug)]
pub(super) struct Section {
    /// As the file has it; `None` where its page is no map.
    stored: Option<Bits>,
    /// What was in use before, and what is new.
    pub(super) now: Bits,
    /// The same without what was freed.
    pub(super) after: Bits,
    /// Which units may be given out.
    search: std::ops::Range<usize>,
}

/// The sections of a file.
#[derive(Debug)]
pub(super) struct Space<'a> {
    ndb: &'a Ndb,
    room: Room,
    trusted: bool,
    old_end: u64,
    end: u64,
    sections: BTreeMap<u64, Section>,
    /// The section from which on a run of so many units, so aligned, is sought: those before it have none.
    full_before: HashMap<(usize, usize), u64>,
    owned: Option<Vec<Bits>>,
    all_open: bool,
}

impl<'a> Space<'a> {
    /// The space of a store. Where the header says that the maps are not valid, or `rebuild` is asked for, they are
    /// computed from the trees.
    pub(super) fn new(ndb: &'a Ndb, room: Room, rebuild: bool) -> Result<Self> {
        let root = &ndb.header().root;
        let old_end = root.file_eof.0.max(ndb.file_bytes());
        let trusted = root.amap_valid != 0 && !rebuild;
        Self::opened(ndb, room, trusted, old_end, None)
    }

    /// The space of a store whose trees are written anew: only blocks own something, those that the database tells but
    /// for these edits. The file ends where it ends, whatever its header says.
    pub(super) fn of_entries(ndb: &'a Ndb, room: Room, edits: &Edits<BlockEntry>) -> Result<Self> {
        let old_end = ndb.file_bytes();
        let owned = Some(owned_by_blocks(ndb, old_end, edits)?);
        Self::opened(ndb, room, false, old_end, owned)
    }

    fn opened(ndb: &'a Ndb, room: Room, trusted: bool, old_end: u64, owned: Option<Vec<Bits>>) -> Result<Self> {
        let (sections, full_before) = (BTreeMap::new(), HashMap::new());
        let mut space = Self { ndb, room, trusted, old_end, end: old_end, sections, full_before, owned, all_open: false };
        if !trusted {
            (0..space.count()).try_for_each(|index| space.section(index).map(|_| ()))?;
        }
        if room.reuse {
            space.open_old()?;
        }
        Ok(space)
    }

    /// Where the file ends.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// How many sections there are.
    pub(super) fn count(&self) -> u64 {
        sections_to(self.ndb.format(), self.end)
    }

    /// The sections that were looked at: all others stay as they are.
    pub(super) fn sections(&self) -> &BTreeMap<u64, Section> {
        &self.sections
    }

    /// Whether a section was there before.
    pub(super) fn is_old(&self, index: u64) -> bool {
        index < sections_to(self.ndb.format(), self.old_end)
    }

    /// The free bytes of all sections, as the header counts them.
    pub(super) fn free_bytes(&self) -> u64 {
        let unit = self.ndb.format().layout().unit_bytes;
        let bytes = |bits: &Bits| bits.free_units().saturating_mul(unit);
        let after = self.sections.values().map(|section| bytes(&section.after)).fold(0, u64::saturating_add);
        if !self.trusted {
            return after;
        }
        let before = self.sections.values().filter_map(|section| section.stored.as_ref()).map(bytes).fold(0, u64::saturating_add);
        self.ndb.header().root.amap_free.0.saturating_add(after).saturating_sub(before)
    }

    /// A place for a block of so many bytes, its trailer included.
    pub(super) fn block(&mut self, bytes: usize) -> Result<Ib> {
        self.allocate(units_of(self.ndb.format(), bytes), 1)
    }

    /// A place for a page.
    pub(super) fn page(&mut self) -> Result<Ib> {
        let units = units_of(self.ndb.format(), self.ndb.format().layout().page_bytes);
        self.allocate(units, units)
    }

    /// Gives back what stood at this place; a place outside the file is passed over.
    pub(super) fn free(&mut self, ib: Ib, bytes: u64) -> Result<()> {
        let format = self.ndb.format();
        let Some((index, unit)) = place_of(format, ib).filter(|(index, _)| self.is_old(*index)) else { return Ok(()) };
        let units = units_of(format, usize::try_from(bytes).unwrap_or(usize::MAX));
        let maps = Bits::fresh(format, index);
        let section = self.section(index)?;
        // A damaged entry may name a place that is not its own: never free a map page.
        if !maps.any(unit, units) {
            section.after.clear(unit, units);
        }
        Ok(())
    }

    fn allocate(&mut self, units: usize, align: usize) -> Result<Ib> {
        loop {
            if let Some(ib) = self.find(units, align) {
                return Ok(ib);
            }
            if self.grow()? {
                continue;
            }
            if self.all_open {
                return Err(full(self.ndb.format(), self.end, self.room.max_bytes));
            }
            self.open_old()?;
        }
    }

    fn find(&mut self, units: usize, align: usize) -> Option<Ib> {
        let count = self.count();
        let from = self.full_before.entry((units, align)).or_default();
        let found = self.sections.range_mut(*from..).find_map(|(index, section)| Some((*index, section.take(units, align)?)));
        *from = found.map_or(count, |(index, _)| index);
        found.and_then(|(index, unit)| offset_of(self.ndb.format(), index, unit))
    }

    /// Grows the file to the end of its last section, or by one section; `false` where it cannot.
    fn grow(&mut self) -> Result<bool> {
        let format = self.ndb.format();
        let whole = amap::map_offset(format, self.count()).map_or(u64::MAX, |ib| ib.0);
        if self.end < whole {
            return self.complete(whole);
        }
        let index = self.count();
        let Some(end) = amap::map_offset(format, index.saturating_add(1)).filter(|end| end.0 <= self.room.max_bytes) else {
            return Ok(false);
        };
        let bits = Bits::fresh(format, index);
        self.sections.insert(index, Section::open(None, bits, 0));
        self.end = end.0;
        Ok(true)
    }

    /// Files of old writers end within a section: its other units become free when the file grows to its end.
    fn complete(&mut self, whole: u64) -> Result<bool> {
        let format = self.ndb.format();
        if whole > self.room.max_bytes {
            return Ok(false);
        }
        let last = self.count().saturating_sub(1);
        let first = self.units_before_old_end(last);
        let section = self.section(last)?;
        for bits in [&mut section.now, &mut section.after] {
            open_behind(bits, format, last, first);
        }
        let from = if section.search.is_empty() { first } else { section.search.start };
        section.search = from..section.now.units();
        self.full_before.clear();
        self.end = whole;
        Ok(true)
    }

    /// Opens the free space of the old file. What the maps call free is believed only where no tree owns it.
    ///
    /// All allocations come before the first unit is freed, so nothing freed is closed again here.
    fn open_old(&mut self) -> Result<()> {
        self.all_open = true;
        for index in 0..sections_to(self.ndb.format(), self.old_end) {
            let mut owned = self.owned(index)?;
            if self.end > self.old_end && !self.is_old(index.saturating_add(1)) {
                let first = self.units_before_old_end(index);
                open_behind(&mut owned, self.ndb.format(), index, first);
            }
            let section = self.section(index)?;
            section.now.unite(&owned);
            section.after.unite(&owned);
            section.search = 0..section.now.units();
        }
        self.full_before.clear();
        Ok(())
    }

    /// How many units of a section lie before the old end of the file.
    fn units_before_old_end(&self, index: u64) -> usize {
        let start = offset_of(self.ndb.format(), index, 0).map_or(0, |ib| ib.0);
        units_of(self.ndb.format(), usize::try_from(self.old_end.saturating_sub(start)).unwrap_or(usize::MAX))
    }

    /// The section with this number, which the file has.
    fn section(&mut self, index: u64) -> Result<&mut Section> {
        if !self.sections.contains_key(&index) {
            let stored = self.stored(index)?;
            let before = match stored.clone().filter(|_| self.trusted) {
                Some(bits) => bits,
                None => self.owned(index)?,
            };
            let closed = before.units();
            self.sections.insert(index, Section::open(stored, before, closed));
        }
        self.sections.get_mut(&index).ok_or_else(|| Error::NotFound(format!("section {index}")))
    }

    /// The map as the file has it.
    fn stored(&self, index: u64) -> Result<Option<Bits>> {
        let format = self.ndb.format();
        let page_bytes = format.layout().page_bytes;
        let end = |ib: Ib| ib.checked_add(u64::try_from(page_bytes).unwrap_or(u64::MAX));
        let Some(ib) = amap::map_offset(format, index).filter(|ib| end(*ib).is_some_and(|end| end.0 <= self.ndb.file_bytes())) else {
            return Ok(None);
        };
        let mut bytes = vec![0; page_bytes];
        self.ndb.source().read_exact_at(&mut bytes, ib.0)?;
        Ok(Bits::of_page(format, ib, &bytes))
    }

    fn owned(&mut self, index: u64) -> Result<Bits> {
        if self.owned.is_none() {
            self.owned = Some(owned(self.ndb, self.old_end)?);
        }
        let bits = self.owned.as_ref().and_then(|owned| owned.get(usize::try_from(index).ok()?));
        bits.cloned().ok_or_else(|| Error::NotFound(format!("section {index}")))
    }
}

/// Makes the units of a section from this one on free, but for those of maps: a file that was cut off may end between them.
fn open_behind(bits: &mut Bits, format: Format, index: u64, first: usize) {
    bits.clear(first, bits.units().saturating_sub(first));
    bits.unite(&Bits::fresh(format, index));
}

/// The error of a store that has no room left.
fn full(format: Format, bytes: u64, max_bytes: u64) -> Error {
    Error::Unsupported(match format {
        // The only way out that a repair of such a store has.
        Format::Ansi => format!(
            "the store is full: of the {max_bytes} bytes that an ANSI store may have it takes {bytes}, and what is free of \
             them is too little; 'pstfs repair --output NEW --format unicode' writes it as a Unicode store, which may be larger"
        ),
        Format::Unicode | Format::Unicode4k => format!("the store is full: it may not grow beyond {max_bytes} bytes"),
    })
}

impl Section {
    fn open(stored: Option<Bits>, before: Bits, from: usize) -> Self {
        let search = from..before.units();
        Self { stored, now: before.clone(), after: before, search }
    }

    /// Takes the first run of so many units, so aligned, that may be given out; its first unit.
    fn take(&mut self, units: usize, align: usize) -> Option<usize> {
        let unit = self.now.find(units, align, self.search.start, self.search.end)?;
        self.now.set(unit, units);
        self.after.set(unit, units);
        Some(unit)
    }
}
