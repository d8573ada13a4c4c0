//! Allocation maps: where they stand and what their bits say ([MS-PST] 2.2.2.7.2).

use super::Format;
use super::id::Ib;
use super::page::PageKind;

/// The offset of allocation map number `index`.
pub fn map_offset(format: Format, index: u64) -> Option<Ib> {
    let layout = format.layout();
    layout.amap_coverage.checked_mul(index)?.checked_add(layout.amap_first).map(Ib)
}

/// The number of the allocation map that stands for this offset; `None` before the first.
pub fn map_of(format: Format, ib: Ib) -> Option<u64> {
    let layout = format.layout();
    ib.0.checked_sub(layout.amap_first)?.checked_div(layout.amap_coverage)
}

/// The bits of a map page's body.
pub fn bits(format: Format, body: &[u8]) -> Option<&[u8]> {
    let layout = format.layout();
    super::codec::cut(body, layout.amap_bits_at, layout.amap_bits_bytes)
}

/// Whether unit `unit` of a map is allocated: the highest bit of a byte stands for the lowest unit.
pub fn is_allocated(bits: &[u8], unit: usize) -> Option<bool> {
    let mask = 0x80_u8.checked_shr(u32::try_from(unit & 7).ok()?)?;
    bits.get(unit >> 3).map(|byte| byte & mask != 0)
}

/// Whether one of the units `first..first + count` of a map is allocated; units past the map's end are not.
pub fn is_any_allocated(bits: &[u8], first: usize, count: usize) -> bool {
    bytes_of(first, count).zip(bits.get(first >> 3..).unwrap_or_default()).any(|(mask, byte)| byte & mask != 0)
}

/// Marks the units `first..first + count` of a map as allocated or free; units past the map's end are left out.
pub fn mark(bits: &mut [u8], first: usize, count: usize, allocated: bool) {
    for (mask, byte) in bytes_of(first, count).zip(bits.get_mut(first >> 3..).unwrap_or_default()) {
        *byte = if allocated { *byte | mask } else { *byte & !mask };
    }
}

/// The bits of these units in each byte of a map from that of the first one on.
fn bytes_of(first: usize, count: usize) -> impl Iterator<Item = u8> {
    let end = first.saturating_add(count);
    let last = end.saturating_sub(1) >> 3;
    let bytes = if count == 0 { 0..0 } else { first >> 3..last.saturating_add(1) };
    // Of the first byte the units before it are left out, of the last one those behind it.
    let [from, to] = [first, end].map(|unit| u32::try_from(unit & 7).unwrap_or(0));
    let head = 0xff_u8.checked_shr(from).unwrap_or(0);
    let tail = 0xff_u8.checked_shl(8_u32.saturating_sub(to)).unwrap_or(0xff);
    let first = first >> 3;
    bytes.map(move |byte| (if byte == first { head } else { 0xff }) & (if byte == last { tail } else { 0xff }))
}

/// How many units of a map are free.
pub fn free_units(bits: &[u8]) -> u64 {
    bits.iter().map(|byte| u64::from(byte.count_zeros())).sum()
}

/// The pages that stand where part `index` of the file begins, and how far behind its beginning: the part's own map,
/// then the deprecated ones, which every store has all the same ([MS-PST] 2.2.2.7.3, 2.2.2.7.5, 2.2.2.7.6).
///
/// A page map comes with every 8th part. A free map comes with part 128, as the header maps those before, and each
/// covers 496; a free page map comes with part 8192 and each covers 31,744. Each kind has its own place: where there is
/// no free map, the page before a free page map is ordinary space. 4K files have allocation maps alone: both real ones
/// seen have ordinary blocks behind their first map.
pub fn pages_at(format: Format, index: u64) -> impl Iterator<Item = (u64, PageKind)> {
    let every = |first: u64, period: u64| index.checked_sub(first).and_then(|past| past.checked_rem(period)) == Some(0);
    let legacy = format != Format::Unicode4k;
    [
        (0, PageKind::AMAP, true),
        (0x200, PageKind::PMAP, legacy && every(0, 8)),
        (0x400, PageKind::FMAP, legacy && every(128, 496)),
        // An ANSI file ends long before its first one.
        (0x600, PageKind::FPMAP, format == Format::Unicode && every(8192, 31_744)),
    ]
    .into_iter()
    .filter_map(|(offset, kind, stands)| stands.then_some((offset, kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deprecated_maps_stand_where_the_specification_has_them() {
        let place = |index, kind| {
            let (at, _) = pages_at(Format::Unicode, index).find(|(_, page)| *page == kind)?;
            Some(map_offset(Format::Unicode, index)?.0 + at)
        };
        assert_eq!(place(0, PageKind::PMAP), Some(0x4600));
        assert_eq!(place(128, PageKind::FMAP), Some(0x1f0_4800));
        assert_eq!(place(128 + 496, PageKind::FMAP), Some(0x1f0_4800 + 125_960_192));
        assert_eq!(place(8192, PageKind::FPMAP), Some(0x7c00_4a00));
        assert_eq!(place(8192 + 31_744, PageKind::FPMAP), Some(0x7c00_4a00 + 8_061_452_288));
        assert_eq!(pages_at(Format::Unicode, 1).count(), 1);
        assert_eq!(pages_at(Format::Unicode4k, 0).count(), 1);
    }

    #[test]
    fn units_are_marked_and_counted() {
        let mut bits = [0; 4];
        mark(&mut bits, 6, 4, true);
        assert_eq!((bits, free_units(&bits)), ([0x03, 0xc0, 0, 0], 28));
        mark(&mut bits, 7, 2, false);
        assert_eq!(bits, [0x02, 0x40, 0, 0]);
        mark(&mut bits, 31, 9, true);
        assert_eq!(bits[3], 1, "nothing past the end");
    }

    #[test]
    fn units_are_marked_as_one_by_one_wherever_they_begin_and_end() {
        for (first, count) in (0..40).flat_map(|first| (0..40).map(move |count| (first, count))) {
            let units = first..first + count;
            let mut bits = [0; 4];
            mark(&mut bits, first, count, true);
            assert!((0..32).all(|unit| is_allocated(&bits, unit) == Some(units.contains(&unit))), "{first} {count}: {bits:x?}");
            assert!((0..40).all(|unit| is_any_allocated(&bits, unit, 1) == (units.contains(&unit) && unit < 32)));
            assert_eq!(is_any_allocated(&bits, first, count), count > 0 && first < 32);
            assert!(!is_any_allocated(&bits, 0, first) && !is_any_allocated(&bits, first + count, 99));
            mark(&mut bits, first, count, false);
            assert_eq!(bits, [0; 4]);
        }
        mark(&mut [0; 4], usize::MAX, usize::MAX, true);
    }

    #[test]
    fn maps_follow_each_other_at_their_coverage() {
        assert_eq!(map_offset(Format::Unicode, 1), Some(Ib(0x4400 + 253_952)));
        assert_eq!(map_of(Format::Unicode, Ib(0x4400 + 253_952)), Some(1));
        assert_eq!(map_of(Format::Unicode, Ib(0x4200)), None);
        assert_eq!(map_offset(Format::Unicode4k, u64::MAX), None);
    }

    #[test]
    fn the_highest_bit_is_the_lowest_unit() {
        assert_eq!([0, 1, 8].map(|unit| is_allocated(&[0x80, 0x00], unit)), [Some(true), Some(false), Some(false)]);
        assert_eq!(is_allocated(&[0x80], 8), None);
    }
}
