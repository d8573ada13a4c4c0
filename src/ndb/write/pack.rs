//! Compressed data blocks, which only 4K files have; the specification does not know them.

use std::io::Write;

use crate::format::Format;
use crate::format::cipher::Cipher;

/// A data block's bytes, compressed as Outlook does it; `None` where a store cannot have such blocks.
///
/// In which order Outlook encodes and compresses nobody has seen, and readers differ: no block is both.
pub(super) fn packed(format: Format, cipher: Cipher, data: &[u8]) -> Option<Vec<u8>> {
    if (format, cipher) != (Format::Unicode4k, Cipher::None) {
        return None;
    }
    // Readers know a compressed block by the two bytes with which zlib begins at this level.
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).and_then(|()| encoder.finish()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_4k_stores_that_are_not_encoded_have_compressed_blocks() {
        let packed = |format, cipher| packed(format, cipher, &[7; 9000]);
        assert_eq!(packed(Format::Unicode4k, Cipher::None).unwrap()[..2], [0x78, 0x9c]);
        assert_eq!(packed(Format::Unicode4k, Cipher::Permute), None);
        assert_eq!(packed(Format::Unicode, Cipher::None), None);
    }
}
