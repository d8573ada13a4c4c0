//! CRC and signature.

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
    fn the_signature_folds_the_low_32_bits() {
        assert_eq!(signature(Ib(0x1_2345_6789), Bid(0)), 0x2345 ^ 0x6789);
        assert_eq!(signature(Ib(0x4400), Bid(0x4400)), 0);
    }
}
