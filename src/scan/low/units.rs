//! A set of allocation units: a bit for each, kept only for parts of the file where one is set.
//!
//! It has the shape of the allocation maps, so that both can be compared byte for byte: 496 bytes of bits for 248 KiB of
//! a file, 20 MiB for 10 GiB.

use std::collections::BTreeMap;

use crate::format::Format;
use crate::format::amap;
use crate::format::id::Ib;

/// Units of a file.
#[derive(Debug)]
pub(super) struct Units {
    format: Format,
    /// The parts beside the last one.
    parts: BTreeMap<u64, Box<[u8]>>,
    /// The part to which units were added last, and its bits: blocks come in the order of the file.
    last: Option<(u64, Box<[u8]>)>,
}

impl Units {
    /// None.
    pub(super) const fn new(format: Format) -> Self {
        Self { format, parts: BTreeMap::new(), last: None }
    }

    /// Adds the units of these bytes; whether one of them was in the set before.
    ///
    /// What lies before the first allocation map is no unit.
    pub(super) fn add(&mut self, ib: Ib, bytes: u64) -> bool {
        let mut met = false;
        for (part, first, count) in ranges(self.format, ib, bytes) {
            let bits = self.bits_of(part);
            met |= amap::is_any_allocated(bits, first, count);
            amap::mark(bits, first, count, true);
        }
        met
    }

    /// Whether one of the units of these bytes is in the set.
    pub(super) fn has_any(&self, ib: Ib, bytes: u64) -> bool {
        let has = |(part, first, count)| self.part(part).is_some_and(|bits| amap::is_any_allocated(bits, first, count));
        ranges(self.format, ib, bytes).any(has)
    }

    /// The bits of a part, to be added to.
    fn bits_of(&mut self, part: u64) -> &mut [u8] {
        if let Some((before, bits)) = self.last.take_if(|(last, _)| *last != part) {
            self.parts.insert(before, bits);
        }
        let bytes = self.format.layout().amap_bits_bytes;
        let mut bits = || self.parts.remove(&part).unwrap_or_else(|| vec![0; bytes].into_boxed_slice());
        &mut self.last.get_or_insert_with(|| (part, bits())).1
    }

    /// The bits of a part, as its allocation map would have them; `None` where no unit of it is in the set.
    pub(super) fn part(&self, index: u64) -> Option<&[u8]> {
        let last = self.last.as_ref().filter(|(last, _)| *last == index).map(|(_, bits)| bits);
        last.or_else(|| self.parts.get(&index)).map(|bits| &**bits)
    }
}

/// The units of these bytes: of each part its number, the first unit in it, and how many.
fn ranges(format: Format, ib: Ib, bytes: u64) -> impl Iterator<Item = (u64, usize, usize)> {
    let layout = format.layout();
    let (mut at, end) = (ib.0.max(layout.amap_first), ib.0.saturating_add(bytes));
    std::iter::from_fn(move || {
        let (part, behind) = place(format, Ib(at)).filter(|_| at < end)?;
        let here = end.saturating_sub(at).min(layout.amap_coverage.saturating_sub(behind));
        let first = units_in(format, behind);
        let last = units_in(format, behind.saturating_add(here).saturating_sub(1));
        at = at.saturating_add(here);
        Some((part, first, last.saturating_sub(first).saturating_add(1)))
    })
}

/// The part that an offset lies in, and how far behind its beginning.
fn place(format: Format, ib: Ib) -> Option<(u64, u64)> {
    let layout = format.layout();
    let part = amap::map_of(format, ib)?;
    Some((part, ib.0.checked_sub(layout.amap_first)?.checked_rem(layout.amap_coverage)?))
}

fn units_in(format: Format, bytes: u64) -> usize {
    bytes.checked_div(format.layout().unit_bytes).and_then(|units| usize::try_from(units).ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_met_the_second_time() {
        for format in Format::ALL {
            let layout = format.layout();
            let mut units = Units::new(format);
            let first = Ib(layout.amap_first + layout.amap_coverage);
            assert!(!units.add(first, layout.unit_bytes * 3));
            assert!(!units.add(Ib(first.0 + layout.unit_bytes * 3), layout.unit_bytes));
            let behind = Ib(first.0 + layout.unit_bytes * 2);
            assert!(
                units.has_any(behind, layout.unit_bytes * 9) && !units.has_any(Ib(behind.0 + layout.unit_bytes * 2), layout.amap_coverage)
            );
            assert!(units.add(behind, layout.unit_bytes * 9));
            assert_eq!(units.part(1).unwrap()[..2], [0xff, 0xe0]);
            assert_eq!((units.part(0), units.part(2)), (None, None));
            assert!(!units.add(Ib(0), layout.unit_bytes), "no unit lies before the first map");
        }
    }
}
