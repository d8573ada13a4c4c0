//! Compressed RTF: PidTagRtfCompressed ([MS-OXRTFCP]).

use std::fmt;

use super::expand::{DECOMPRESSED_MAX, End, expand};
use crate::format::Format;
use crate::format::codec::{Decoder, cut};

/// What was off in a compressed body that could be read nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// There is no header: the RTF stands there as it is.
    BareRtf,
    /// COMPSIZE differs from the number of bytes that follow.
    StoredSize,
    /// RAWSIZE differs from the number of bytes that came out.
    RawSize,
    /// The CRC differs from that of the contents.
    Crc,
    /// The contents end before their end marker.
    NoEnd,
    /// The body is longer than [`DECOMPRESSED_MAX`].
    TooLong,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BareRtf => "stored without a header",
            Self::StoredSize => "the stored size is wrong",
            Self::RawSize => "the uncompressed size is wrong",
            Self::Crc => "the CRC does not match",
            Self::NoEnd => "the end is missing",
            Self::TooLong => "longer than any mail, cut off",
        })
    }
}

/// A decompressed body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decompressed {
    /// The RTF.
    pub rtf: Vec<u8>,
    /// What was off; empty for a sound body.
    pub flaws: Vec<Flaw>,
}

impl Decompressed {
    /// Whether the end of the body is missing, rather than a number wrong.
    pub fn is_cut(&self) -> bool {
        let is_short = self.flaws.contains(&Flaw::NoEnd) && self.flaws.contains(&Flaw::RawSize);
        is_short || self.flaws.contains(&Flaw::TooLong)
    }
}

/// Decompresses a stored RTF body, or `None` where it is none at all.
///
/// The bytes decide: sizes and CRC of the header are compared with what is there, and told as flaws.
pub fn decompress(stored: &[u8]) -> Option<Decompressed> {
    let Some((header, contents)) = Header::split(stored) else {
        return stored.starts_with(b"{\\rtf").then(|| Decompressed { rtf: stored.to_vec(), flaws: vec![Flaw::BareRtf] });
    };
    Some(match header.kind {
        Kind::Lzfu => compressed(&header, contents),
        Kind::Mela => uncompressed(&header, contents),
    })
}

/// The 16 bytes before the contents ([MS-OXRTFCP] 2.1.3.1.1).
struct Header {
    stored_size: u32,
    raw_size: u32,
    kind: Kind,
    crc: u32,
}

enum Kind {
    /// Compressed.
    Lzfu,
    /// Not compressed.
    Mela,
}

/// How many bytes of the header COMPSIZE counts.
const COUNTED: u32 = 12;

impl Header {
    fn split(stored: &[u8]) -> Option<(Self, &[u8])> {
        // The format of the store does not matter for plain integers.
        let mut from = Decoder::new(Format::Unicode, stored);
        let stored_size = from.field().ok()?;
        let raw_size = from.field().ok()?;
        let kind = match &from.field::<[u8; 4]>().ok()? {
            b"LZFu" => Kind::Lzfu,
            b"MELA" => Kind::Mela,
            _ => return None,
        };
        let crc = from.field().ok()?;
        Some((Self { stored_size, raw_size, kind, crc }, from.rest()))
    }

    /// The contents as long as the header says, or `None` where there are fewer bytes.
    fn told<'a>(&self, contents: &'a [u8]) -> Option<&'a [u8]> {
        cut(contents, 0, usize::try_from(self.stored_size.checked_sub(COUNTED)?).ok()?)
    }

    fn raw_size(&self) -> usize {
        usize::try_from(self.raw_size).unwrap_or(usize::MAX)
    }
}

fn compressed(header: &Header, contents: &[u8]) -> Decompressed {
    let mut flaws = Vec::new();
    let told = header.told(contents);
    if told.is_none_or(|told| told.len() != contents.len()) {
        flaws.push(Flaw::StoredSize);
    }
    if checksum(told.unwrap_or(contents)) != header.crc {
        flaws.push(Flaw::Crc);
    }
    // All bytes rather than those told: the end marker says where the body ends.
    let (mut rtf, end) = expand(contents);
    match end {
        End::Marker => {}
        // Without a marker, what stands after the body came out as text too; here RAWSIZE is the better witness.
        End::Bytes => {
            flaws.push(Flaw::NoEnd);
            if header.raw_size() > 0 {
                rtf.truncate(header.raw_size());
            }
        }
        End::TooLong => flaws.push(Flaw::TooLong),
    }
    if header.raw_size == 0 && rtf == [0] {
        // What Outlook writes for no body: [MS-OXRTFCP] 2.3.3.2 wants a token before the end marker.
        rtf.clear();
    }
    if rtf.len() != header.raw_size() {
        flaws.push(Flaw::RawSize);
    }
    Decompressed { rtf, flaws }
}

fn uncompressed(header: &Header, contents: &[u8]) -> Decompressed {
    let mut flaws = Vec::new();
    let told = header.told(contents);
    if told.is_none_or(|told| told.len() != contents.len()) {
        flaws.push(Flaw::StoredSize);
    }
    // Aspose writes COMPSIZE into RAWSIZE, 12 more than there are. Its stores are otherwise sound.
    if header.raw_size() != contents.len() && header.raw_size != header.stored_size {
        flaws.push(Flaw::RawSize);
    }
    if contents.len() > DECOMPRESSED_MAX {
        flaws.push(Flaw::TooLong);
    }
    let rtf = contents.get(..DECOMPRESSED_MAX).unwrap_or(contents).to_vec();
    Decompressed { rtf, flaws }
}

/// The CRC of [MS-OXRTFCP] 2.1.3.2: that of zip, but begun with 0 and not inverted in the end.
fn checksum(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(u32::MAX);
    hasher.update(bytes);
    !hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::rtf::expand::testing;

    fn bitwise_crc(bytes: &[u8]) -> u32 {
        bytes.iter().fold(0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1))))
    }

    fn with_header(kind: &[u8; 4], raw: usize, crc: u32, contents: &[u8]) -> Vec<u8> {
        let mut stored = (contents.len() as u32 + 12).to_le_bytes().to_vec();
        stored.extend((raw as u32).to_le_bytes());
        stored.extend(kind);
        stored.extend(crc.to_le_bytes());
        stored.extend(contents);
        stored
    }

    fn encode(rtf: &[u8], references: bool) -> Vec<u8> {
        let contents = testing::encode(rtf, references);
        with_header(b"LZFu", rtf.len(), bitwise_crc(&contents), &contents)
    }

    const RTF: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}hello hello hello aaaaaaaaaaaaaaaaaaaaaaaa\r\n\\par }";

    fn flaws(stored: &[u8]) -> Vec<Flaw> {
        let found = decompress(stored).expect("a body");
        assert_eq!(found.rtf, RTF);
        found.flaws
    }

    #[test]
    fn what_was_encoded_comes_out_and_is_sound() {
        assert_eq!(flaws(&encode(RTF, false)), []);
        assert_eq!(flaws(&encode(RTF, true)), []);
        assert!(encode(RTF, true).len() < RTF.len());
    }

    #[test]
    fn a_wrong_crc_or_size_does_not_lose_the_body() {
        let good = encode(RTF, true);
        let edit = |at: usize, with: u8| {
            let mut stored = good.clone();
            stored[at] ^= with;
            stored
        };
        assert_eq!(flaws(&edit(12, 0xff)), [Flaw::Crc]);
        assert_eq!(flaws(&edit(5, 0xff)), [Flaw::RawSize]);
        assert_eq!(flaws(&edit(7, 0xff)), [Flaw::RawSize]);
        assert_eq!(flaws(&edit(3, 0xff)), [Flaw::StoredSize]);
        let mut zeroed = good.clone();
        zeroed[12..16].fill(0);
        assert_eq!(flaws(&zeroed), [Flaw::Crc]);
        zeroed[4..8].fill(0);
        assert_eq!(flaws(&zeroed), [Flaw::Crc, Flaw::RawSize]);
    }

    #[test]
    fn bytes_after_the_end_are_no_part_of_the_body() {
        let mut stored = encode(RTF, true);
        stored.extend(b"garbage");
        assert_eq!(flaws(&stored), [Flaw::StoredSize]);
    }

    #[test]
    fn a_missing_end_is_told_and_the_size_cuts_what_follows() {
        let mut contents = vec![0; 0];
        for piece in [RTF, b"zzzzzzzzz"].concat().chunks(8) {
            contents.push(0);
            contents.extend(piece);
        }
        assert_eq!(flaws(&with_header(b"LZFu", RTF.len(), bitwise_crc(&contents), &contents)), [Flaw::NoEnd]);
    }

    #[test]
    fn a_body_is_cut_where_fewer_bytes_came_out_than_were_told() {
        let good = encode(RTF, true);
        assert!(!decompress(&good).unwrap().is_cut());
        let cut = decompress(&good[..good.len() - 20]).unwrap();
        assert!(cut.is_cut() && RTF.starts_with(&cut.rtf) && !cut.rtf.is_empty());
        let mut wrong = good.clone();
        wrong[5] ^= 1;
        assert!(!decompress(&wrong).unwrap().is_cut(), "the end is there, the size is wrong");
    }

    #[test]
    fn a_stored_body_is_taken_as_it_is() {
        assert_eq!(flaws(&with_header(b"MELA", RTF.len(), 0, RTF)), []);
        assert_eq!(flaws(&with_header(b"MELA", RTF.len() + 12, 0, RTF)), [], "as Aspose writes it");
        assert_eq!(flaws(&with_header(b"MELA", 1, 0, RTF)), [Flaw::RawSize]);
        assert_eq!(flaws(RTF), [Flaw::BareRtf]);
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_survived() {
        let good = encode(RTF, true);
        for at in 0..good.len() {
            decompress(&good[..at]);
            for bit in 0..8 {
                let mut stored = good.clone();
                stored[at] ^= 1 << bit;
                // No flip goes unnoticed: each is in the sizes, the CRC, or what the CRC covers.
                assert!(decompress(&stored).is_none_or(|found| !found.flaws.is_empty()), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn what_is_no_body_is_none() {
        assert_eq!(decompress(b""), None);
        assert_eq!(decompress(&[0; 64]), None);
        assert_eq!(decompress(&encode(RTF, true)[..15]), None);
    }

    #[test]
    fn an_empty_body_is_empty_also_with_the_nul_that_outlook_writes() {
        let empty = Some(Decompressed { rtf: vec![], flaws: vec![] });
        assert_eq!(decompress(&encode(b"", true)), empty);
        let mut stored = encode(b"\0", false);
        stored[4] = 0;
        assert_eq!(decompress(&stored), empty);
    }
}
