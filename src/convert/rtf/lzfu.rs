//! Compressed RTF: PidTagRtfCompressed ([MS-OXRTFCP]).

use std::fmt;

use crate::format::Format;
use crate::format::codec::{Decoder, cut};

/// The most bytes that one body may decompress to; the rest of a longer one is left out.
pub const DECOMPRESSED_MAX: usize = 128 << 20;

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

/// Why decompression ended.
enum End {
    Marker,
    Bytes,
    TooLong,
}

const DICTIONARY_LEN: usize = 4096;
const PRESET_LEN: usize = 207;
/// What the dictionary begins with ([MS-OXRTFCP] 2.1.2.1).
const PRESET: &[u8; PRESET_LEN] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

/// The last 4096 bytes written, as a ring, and all bytes so far.
struct Dictionary {
    ring: [u8; DICTIONARY_LEN],
    at: usize,
    output: Vec<u8>,
}

impl Dictionary {
    fn new() -> Self {
        let mut ring = [0; DICTIONARY_LEN];
        for (slot, byte) in ring.iter_mut().zip(PRESET) {
            *slot = *byte;
        }
        Self { ring, at: PRESET_LEN, output: Vec::new() }
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.ring.get_mut(self.at) {
            *slot = byte;
        }
        self.at = next(self.at);
        self.output.push(byte);
    }

    /// Writes `len` bytes again that stand at `offset`; byte by byte, as they may be those just written.
    fn repeat(&mut self, mut offset: usize, len: usize) {
        for _ in 0..len {
            let byte = self.ring.get(offset).copied().unwrap_or_default();
            self.push(byte);
            offset = next(offset);
        }
    }
}

const fn next(at: usize) -> usize {
    at.saturating_add(1) & (DICTIONARY_LEN - 1)
}

/// Expands runs of a control byte and eight tokens ([MS-OXRTFCP] 2.2.2.2).
///
/// A token is a byte as it is, or a reference of 2 bytes that stands for at most 17. So what comes out is at most 8.5
/// times what goes in, whatever the header promises.
fn expand(contents: &[u8]) -> (Vec<u8>, End) {
    let mut dictionary = Dictionary::new();
    let mut rest = contents.iter().copied();
    let end = loop {
        let Some(control) = rest.next() else { break End::Bytes };
        if let Some(end) = run(control, &mut rest, &mut dictionary) {
            break end;
        }
    };
    (dictionary.output, end)
}

fn run(control: u8, rest: &mut impl Iterator<Item = u8>, dictionary: &mut Dictionary) -> Option<End> {
    for bit in 0..8 {
        let Some(first) = rest.next() else { return Some(End::Bytes) };
        if dictionary.output.len() > DECOMPRESSED_MAX {
            dictionary.output.truncate(DECOMPRESSED_MAX);
            return Some(End::TooLong);
        }
        let is_reference = control & (1 << bit) != 0;
        if !is_reference {
            dictionary.push(first);
            continue;
        }
        let Some(second) = rest.next() else { return Some(End::Bytes) };
        let reference = u16::from_be_bytes([first, second]);
        let offset = usize::from(reference >> 4);
        // The end marker is a reference to the place that is written next: nothing can stand there yet.
        if offset == dictionary.at {
            return Some(End::Marker);
        }
        dictionary.repeat(offset, usize::from(reference & 0xf).saturating_add(2));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An encoder that shares nothing with the decoder: it looks the longest match up in a plain history.
    fn encode(rtf: &[u8], references: bool) -> Vec<u8> {
        let mut history = PRESET.to_vec();
        let mut tokens: Vec<(bool, Vec<u8>)> = Vec::new();
        let mut at = 0;
        while at < rtf.len() {
            let (distance, len) = if references { longest(&history, &rtf[at..]) } else { (0, 0) };
            if len >= 2 {
                let place = (history.len() - distance) % 4096;
                tokens.push((true, (((place << 4) | (len - 2)) as u16).to_be_bytes().to_vec()));
            } else {
                tokens.push((false, vec![rtf[at]]));
            }
            history.extend(&rtf[at..at + len.max(1)]);
            at += len.max(1);
        }
        tokens.push((true, (((history.len() % 4096) << 4) as u16).to_be_bytes().to_vec()));
        let mut contents = Vec::new();
        for run in tokens.chunks(8) {
            contents.push(run.iter().enumerate().map(|(bit, token)| u8::from(token.0) << bit).sum());
            run.iter().for_each(|token| contents.extend(&token.1));
        }
        with_header(b"LZFu", rtf.len(), bitwise_crc(&contents), &contents)
    }

    fn longest(history: &[u8], ahead: &[u8]) -> (usize, usize) {
        let mut best = (0, 0);
        for distance in 1..history.len().min(4095) {
            let from = history.len() - distance;
            let same = |i: usize| ahead[i] == if i < distance { history[from + i] } else { ahead[i - distance] };
            let len = (0..ahead.len().min(17)).take_while(|i| same(*i)).count();
            if len > best.1 {
                best = (distance, len);
            }
        }
        best
    }

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
    fn a_body_of_several_dictionaries_comes_out() {
        let long: Vec<u8> = (0..30_000_u32).map(|i| b'a' + (i * i / 7 % 23) as u8).collect();
        for references in [false, true] {
            assert_eq!(decompress(&encode(&long, references)), Some(Decompressed { rtf: long.clone(), flaws: vec![] }));
        }
    }

    /// [MS-OXRTFCP] 3.1.1 begins with a match in the preset dictionary; an own body with the same property.
    #[test]
    fn the_preset_dictionary_counts_207_bytes_and_ends_with_tx() {
        let stored = with_header(b"LZFu", 17, 0, &[0b11, 0x00, 0x0f, 0x0e, 0x00]);
        let found = decompress(&stored).unwrap();
        assert_eq!((found.rtf.as_slice(), found.flaws), (&b"{\\rtf1\\ansi\\mac\\d"[..], vec![Flaw::Crc]));
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
    fn a_stored_body_is_taken_as_it_is() {
        assert_eq!(flaws(&with_header(b"MELA", RTF.len(), 0, RTF)), []);
        assert_eq!(flaws(&with_header(b"MELA", RTF.len() + 12, 0, RTF)), [], "as Aspose writes it");
        assert_eq!(flaws(&with_header(b"MELA", 1, 0, RTF)), [Flaw::RawSize]);
        assert_eq!(flaws(RTF), [Flaw::BareRtf]);
    }

    #[test]
    fn what_is_no_body_is_none() {
        assert_eq!(decompress(b""), None);
        assert_eq!(decompress(&[0; 64]), None);
        assert_eq!(decompress(&encode(RTF, true)[..15]), None);
    }

    #[test]
    fn an_empty_body_is_empty() {
        assert_eq!(decompress(&encode(b"", true)), Some(Decompressed { rtf: vec![], flaws: vec![] }));
    }

    #[test]
    fn a_bomb_stops_at_the_maximum() {
        // Runs of eight references of 16 bytes each. What is written next stands at 16n + 15, never where they point.
        let mut contents = Vec::new();
        for _ in 0..(DECOMPRESSED_MAX / 128 + 2) {
            contents.push(0xff);
            contents.extend(std::iter::repeat_n([0xff, 0xee], 8).flatten());
        }
        let found = decompress(&with_header(b"LZFu", 1, 0, &contents)).unwrap();
        assert_eq!((found.rtf.len(), found.flaws), (DECOMPRESSED_MAX, vec![Flaw::Crc, Flaw::TooLong, Flaw::RawSize]));
    }

    proptest! {
        #[test]
        fn every_text_comes_out(rtf in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), any::<u8>()], 0..600), references in any::<bool>()) {
            prop_assert_eq!(decompress(&encode(&rtf, references)), Some(Decompressed { rtf, flaws: vec![] }));
        }

        #[test]
        fn no_bytes_panic_or_grow_beyond_the_densest(contents in proptest::collection::vec(any::<u8>(), 0..600), raw in any::<u32>()) {
            let found = decompress(&with_header(b"LZFu", raw as usize, 0, &contents)).unwrap();
            prop_assert!(found.rtf.len() <= contents.len() * 17 / 2);
        }
    }
}
