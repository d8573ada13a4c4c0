//! A section of the file: the space that one allocation map stands for, and the map pages at its start.

use crate::format::Format;
use crate::format::amap;
use crate::format::codec::{self, Encoder};
use crate::format::id::{Bid, Ib};
use crate::format::page::{Page, PageKind};

/// A map page that says "all in use": what writers since Outlook 2007 put in the deprecated maps.
pub(super) fn full_map(format: Format, kind: PageKind, ib: Ib) -> Vec<u8> {
    let layout = format.layout();
    map_page(format, kind, ib, &vec![0xff; layout.amap_bits_bytes])
}

/// A map page with these bits; its id is its own offset.
pub(super) fn map_page(format: Format, kind: PageKind, ib: Ib, bits: &[u8]) -> Vec<u8> {
    let mut body = Encoder::new(format);
    body.pad_to(format.layout().amap_bits_at).bytes(bits);
    Page::encode(format, kind, Bid(ib.0), ib, body.as_slice())
}

/// The bits of a section: one a unit, set where the unit is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bits {
    bytes: Vec<u8>,
}

impl Bits {
    /// A section with nothing in use but its map pages.
    pub(super) fn fresh(format: Format, index: u64) -> Self {
        let mut bits = Self { bytes: vec![0; format.layout().amap_bits_bytes] };
        let units = units_of(format, format.layout().page_bytes);
        for (at, _) in amap::pages_at(format, index) {
            bits.set(units_of(format, usize::try_from(at).unwrap_or(usize::MAX)), units);
        }
        bits
    }

    /// The bits of an allocation map as the file has it; `None` where the page is not one.
    pub(super) fn of_page(format: Format, ib: Ib, bytes: &[u8]) -> Option<Self> {
        let page = Page::decode(format, bytes).ok()?;
        let faults = page.faults(ib);
        let right = page.is(PageKind::AMAP) && page.trailer.bid.0 == ib.0 && faults.crc.is_none();
        amap::bits(format, page.body).filter(|_| right).map(|bits| Self { bytes: bits.to_vec() })
    }

    /// The map's page.
    pub(super) fn page(&self, format: Format, ib: Ib) -> Vec<u8> {
        map_page(format, PageKind::AMAP, ib, &self.bytes)
    }

    /// How many units there are.
    pub(super) fn units(&self) -> usize {
        self.bytes.len().saturating_mul(8)
    }

    /// How many of them are free.
    pub(super) fn free_units(&self) -> u64 {
        amap::free_units(&self.bytes)
    }

    /// Whether a unit is in use; those past the end are.
    fn is_set(&self, unit: usize) -> bool {
        amap::is_allocated(&self.bytes, unit).unwrap_or(true)
    }

    /// Whether any of these units is in use.
    pub(super) fn any(&self, from: usize, count: usize) -> bool {
        (from..from.saturating_add(count)).any(|unit| self.is_set(unit))
    }

    /// Marks units as in use.
    pub(super) fn set(&mut self, from: usize, count: usize) {
        amap::mark(&mut self.bytes, from, count, true);
    }

    /// Marks units as free.
    pub(super) fn clear(&mut self, from: usize, count: usize) {
        amap::mark(&mut self.bytes, from, count, false);
    }

    /// Marks as in use whatever is in the other section.
    pub(super) fn unite(&mut self, other: &Self) {
        self.bytes.iter_mut().zip(&other.bytes).for_each(|(to, from)| *to |= from);
    }

    /// The first free run of `count` units in `from..to` that starts on a multiple of `align`.
    pub(super) fn find(&self, count: usize, align: usize, from: usize, to: usize) -> Option<usize> {
        let mut start = from.checked_next_multiple_of(align)?;
        while start.checked_add(count)? <= to {
            let Some(used) = (start..start.checked_add(count)?).rev().find(|unit| self.is_set(*unit)) else { return Some(start) };
            start = used.checked_add(1)?.checked_next_multiple_of(align)?;
        }
        None
    }
}

/// How many units so many bytes take.
pub(super) fn units_of(format: Format, bytes: usize) -> usize {
    usize::try_from(format.layout().unit_bytes).map_or(usize::MAX, |unit| bytes.div_ceil(unit))
}

/// The section and the unit in it that stand for an offset; `None` before the first map and between units.
pub(super) fn place_of(format: Format, ib: Ib) -> Option<(u64, usize)> {
    let layout = format.layout();
    let index = amap::map_of(format, ib)?;
    let within = ib.0.checked_sub(amap::map_offset(format, index)?.0)?;
    let unit = within.checked_div(layout.unit_bytes).filter(|_| ib.is_aligned(layout.unit_bytes))?;
    Some((index, usize::try_from(unit).ok()?))
}

/// The offset of a unit.
pub(super) fn offset_of(format: Format, index: u64, unit: usize) -> Option<Ib> {
    let within = u64::try_from(unit).ok()?.checked_mul(format.layout().unit_bytes)?;
    amap::map_offset(format, index)?.checked_add(within)
}

/// How many sections it takes to reach the offset `end`: one at least.
pub(super) fn sections_to(format: Format, end: u64) -> u64 {
    let layout = format.layout();
    end.saturating_sub(layout.amap_first).max(1).div_ceil(layout.amap_coverage.max(1))
}

/// Encodes a density list with no entries, under the id that it has ([MS-PST] 2.2.2.7.4).
///
/// `None` where the page at the list's place is no list: it is optional, and then stays as it is.
pub(super) fn empty_dlist(format: Format, bytes: &[u8]) -> Option<Vec<u8>> {
    let page = Page::decode(format, bytes).ok().filter(|page| page.is(PageKind::DLIST))?;
    Some(Page::encode(format, PageKind::DLIST, page.trailer.bid, Ib(format.layout().dlist), codec::cut(&[0; 8], 0, 8)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_begins_with_its_map_pages_each_at_its_own_place() {
        let used = |index| Bits::fresh(Format::Unicode, index).bytes.iter().take(5).map(|byte| *byte == 0xff).collect::<Vec<_>>();
        assert_eq!(used(1), [true, false, false, false, false]);
        assert_eq!(used(8), [true, true, false, false, false]);
        assert_eq!(used(128), [true, true, true, false, false]);
        assert_eq!(used(8192), [true, true, false, true, false], "no free map, but a free page map");
    }

    #[test]
    fn a_map_page_gives_back_its_bits_and_a_damaged_one_none() {
        for format in Format::ALL {
            let mut bits = Bits::fresh(format, 0);
            bits.set(100, 9);
            let ib = Ib(format.layout().amap_first);
            let mut page = bits.page(format, ib);
            assert_eq!(Bits::of_page(format, ib, &page), Some(bits));
            assert_eq!(Bits::of_page(format, Ib(ib.0 + 512), &page), None);
            page[40] ^= 1;
            assert_eq!(Bits::of_page(format, ib, &page), None);
        }
    }

    #[test]
    fn a_run_is_found_where_it_fits_and_is_aligned() {
        let mut bits = Bits::fresh(Format::Unicode, 1);
        let units = bits.units();
        assert_eq!(bits.find(3, 1, 0, units), Some(8));
        bits.set(9, 1);
        assert_eq!((bits.find(1, 1, 0, units), bits.find(2, 1, 0, units)), (Some(8), Some(10)));
        assert_eq!(bits.find(8, 8, 0, units), Some(16));
        assert_eq!(bits.find(8, 8, 0, 20), None);
        bits.set(0, units);
        assert_eq!((bits.find(1, 1, 0, units), bits.free_units()), (None, 0));
        bits.clear(units - 1, 1);
        assert_eq!((bits.find(1, 1, 0, units), bits.find(2, 1, 0, units + 8)), (Some(units - 1), None));
    }

    #[test]
    fn offsets_and_units_answer_each_other() {
        for format in Format::ALL {
            let ib = offset_of(format, 3, 17).unwrap();
            assert_eq!(place_of(format, ib), Some((3, 17)));
            assert_eq!(place_of(format, Ib(ib.0 + 1)), None);
            assert_eq!(place_of(format, Ib(0x200)), None);
            let layout = format.layout();
            let ends = [layout.amap_first, layout.amap_first + layout.amap_coverage, layout.amap_first + layout.amap_coverage + 1];
            assert_eq!(ends.map(|end| sections_to(format, end)), [1, 1, 2]);
        }
    }
}
