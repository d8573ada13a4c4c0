//! CRC and signature, and what a CRC that does not match tells.

use std::sync::LazyLock;
use std::{fmt, iter};

use super::id::{Bid, Ib};

/// The CRC of pages, blocks, headers, compressed RTF and names ([MS-PST] 5.3).
///
/// CRC-32 with the usual polynomial, but the register starts at 0 and is not inverted at the end. All zeros have CRC 0:
/// a zeroed page or block looks right to this check alone.
pub fn crc(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(u32::MAX);
    hasher.update(bytes);
    !hasher.finalize()
}

/// The one bit by which bytes and their CRC do not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flip {
    /// Of the bytes: the number of the byte, and the bit's place in it.
    Data(usize, u32),
    /// Of the CRC that was stored.
    Crc,
}

/// The polynomial, the highest power in the lowest bit, as the register has it.
const POLYNOMIAL: u32 = 0xedb8_8320;
/// How many marks are kept: those of the last 8 KB, as long as most blocks can be.
const MARKS: usize = 1 << 16;

/// Finds the one bit, of bytes or CRC, with which turned round the two match; `None` where no single one does.
///
/// Up to 11 KB no two bits leave together the mark of a single one, so what is found is what was flipped, and may be turned
/// back. Where other bytes stand in place of what was written a bit fits by chance: for a block of 8 KB once in 65,000
/// times, for one of 64 KB, which only 4K files have, once in 8,000. Some writers store no CRC, but 0: that tells nothing.
pub fn flipped(bytes: &[u8], stored: u32) -> Option<Flip> {
    let mark = crc(bytes) ^ stored;
    if stored == 0 || mark == 0 {
        return None;
    }
    if mark.is_power_of_two() {
        return Some(Flip::Crc);
    }
    // Of each byte the lowest bit comes first.
    let bits = bytes.len().checked_mul(8)?;
    let bit = bits.checked_sub(1)?.checked_sub(Marks::known().behind(mark, bits)?)?;
    Some(Flip::Data(bit >> 3, u32::try_from(bit & 7).ok()?))
}

/// What single flips leave in the register: its state when a bit alone went through it, and nothing but zeros after.
struct Marks {
    /// The marks of the last [`MARKS`] bits, and how many bits come behind each; by mark.
    near: Vec<(u32, usize)>,
    /// Of each bit of a mark, what it was as many bits before.
    before: [u32; 32],
}

impl Marks {
    /// Made when the first CRC does not match.
    fn known() -> &'static Self {
        static KNOWN: LazyLock<Marks> = LazyLock::new(Marks::new);
        &KNOWN
    }

    fn new() -> Self {
        let next = |mark: &u32| Some(if mark & 1 == 1 { mark >> 1 ^ POLYNOMIAL } else { mark >> 1 });
        let mut near: Vec<_> = iter::successors(next(&1), next).zip(0..MARKS).collect();
        near.sort_unstable();
        // The polynomial has the highest bit and a shifted register has not: whether it was added shows there.
        let last = |mark: u32| if mark >> 31 == 1 { (mark ^ POLYNOMIAL) << 1 | 1 } else { mark << 1 };
        let mut bit = 0;
        let before = [(); 32].map(|()| {
            let start = 1_u32.rotate_left(bit);
            bit = bit.saturating_add(1);
            (0..MARKS).fold(start, |mark, _| last(mark))
        });
        Self { near, before }
    }

    /// How many of so many bits come behind the one that leaves this mark.
    fn behind(&self, mut mark: u32, bits: usize) -> Option<usize> {
        let mut passed = 0_usize;
        while passed < bits {
            if let Ok(at) = self.near.binary_search_by_key(&mark, |(mark, _)| *mark) {
                let (_, behind) = self.near.get(at)?;
                return behind.checked_add(passed).filter(|behind| *behind < bits);
            }
            let set = |(bit, _): &(u32, &u32)| mark >> bit & 1 == 1;
            mark = (0..).zip(&self.before).filter(set).fold(0, |before, (_, part)| before ^ part);
            passed = passed.saturating_add(MARKS);
        }
        None
    }
}

impl Flip {
    /// The bytes with the bit turned back.
    pub fn righted(self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        self.undo(&mut bytes);
        bytes
    }

    /// Turns the bit back, where it is one of the bytes.
    pub fn undo(self, bytes: &mut [u8]) {
        if let Self::Data(at, bit) = self
            && let Some(byte) = bytes.get_mut(at)
        {
            *byte ^= 1_u8.rotate_left(bit);
        }
    }
}

impl fmt::Display for Flip {
    /// What was flipped, for a finding's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(at, bit) => write!(f, "one bit is flipped, bit {bit} of byte {at:#x}: what was written is known"),
            Self::Crc => f.write_str("one bit of the CRC is flipped: what was written is there"),
        }
    }
}

/// A CRC that does not match, in a finding's words.
pub fn mismatch(stored: u32, computed: u32, flip: Option<Flip>) -> String {
    let why = flip.map(|flip| format!("; {flip}")).unwrap_or_default();
    format!("stored {stored:#010x}, computed {computed:#010x}{why}")
}

/// The signature of a block or B-tree page: tells that it stands where it belongs ([MS-PST] 5.5).
pub fn signature(ib: Ib, bid: Bid) -> u16 {
    let [a, b, c, d, ..] = (ib.0 ^ bid.0).to_le_bytes();
    u16::from_le_bytes([a, b]) ^ u16::from_le_bytes([c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_starts_at_zero_and_is_not_inverted() {
        assert_eq!(crc(b""), 0);
        assert_eq!(crc(&[0; 512]), 0);
        // The register after one byte is the table's entry for that byte.
        assert_eq!(crc(&[1]), 0x7707_3096);
    }

    #[test]
    fn a_flipped_bit_is_found_wherever_it_is() {
        for len in [1, 2, 64, 488, 8176, 8193, 65512] {
            let written: Vec<u8> = (0..len).map(|at| (at * 7 + at / 256 + 1) as u8).collect();
            let stored = crc(&written);
            for at in (0..len).step_by(1 + len / 100) {
                for bit in 0..8 {
                    let mut bytes = written.clone();
                    bytes[at] ^= 1 << bit;
                    let flip = flipped(&bytes, stored).unwrap();
                    assert_eq!(flip, Flip::Data(at, bit), "of {len}");
                    flip.undo(&mut bytes);
                    assert_eq!(bytes, written);
                }
            }
            (0..32).for_each(|bit| assert_eq!(flipped(&written, stored ^ 1 << bit), Some(Flip::Crc), "bit {bit} of the CRC"));
            assert_eq!(flipped(&written, stored), None, "all is right");
        }
    }

    #[test]
    fn what_is_more_than_a_bit_is_not_explained_by_one() {
        let written: Vec<u8> = (0..8176).map(|at| (at * 31 + 5) as u8).collect();
        let stored = crc(&written);
        for (first, second) in [(0, 8175), (17, 18), (4000, 4000), (1, 7000)] {
            let mut bytes = written.clone();
            bytes[first] ^= 1;
            bytes[second] ^= 0x80;
            assert_eq!(flipped(&bytes, stored), None, "bits of {first} and {second}");
        }
        let mut bytes = written;
        bytes[512..1024].fill(0);
        assert_eq!(flipped(&bytes, stored), None);
        assert_eq!(flipped(&bytes, 0), None, "no CRC was stored");
    }

    #[test]
    fn the_signature_folds_the_low_32_bits() {
        assert_eq!(signature(Ib(0x1_2345_6789), Bid(0)), 0x2345 ^ 0x6789);
        assert_eq!(signature(Ib(0x4400), Bid(0x4400)), 0);
    }
}
