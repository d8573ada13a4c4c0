//! Allocation maps: where they stand and what their bits say ([MS-PST] 2.2.2.7.2).

use super::Format;
use super::id::Ib;

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

#[cfg(test)]
mod tests {
    use super::*;

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
