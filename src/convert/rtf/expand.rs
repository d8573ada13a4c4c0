//! The algorithm of compressed RTF: bytes and references to bytes written before ([MS-OXRTFCP] 2.2).

/// The most bytes that one body may decompress to; the rest of a longer one is left out.
pub const DECOMPRESSED_MAX: usize = 128 << 20;

/// Why expansion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// At the end marker, as it should.
    Marker,
    /// The bytes were all.
    Bytes,
    /// More came out than [`DECOMPRESSED_MAX`].
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

/// Expands runs of a control byte and eight tokens ([MS-OXRTFCP] 2.2.3).
///
/// A token is a byte as it is, or a reference of 2 bytes that stands for at most 17. So what comes out is at most 8.5
/// times what goes in, whatever the header promises.
pub(super) fn expand(contents: &[u8]) -> (Vec<u8>, End) {
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
pub(super) mod testing {
    use super::PRESET;

    /// An encoder that shares nothing with the decoder: it looks the longest match up in a plain history.
    pub(crate) fn encode(rtf: &[u8], references: bool) -> Vec<u8> {
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
        contents
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
}

#[cfg(test)]
mod tests {
    use super::testing::encode;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_body_of_several_dictionaries_comes_out() {
        let long: Vec<u8> = (0..30_000_u32).map(|i| b'a' + (i * i / 7 % 23) as u8).collect();
        for references in [false, true] {
            assert_eq!(expand(&encode(&long, references)), (long.clone(), End::Marker));
        }
    }

    #[test]
    fn the_first_reference_may_point_into_the_preset_dictionary() {
        assert_eq!(expand(&[0b11, 0x00, 0x0f, 0x0e, 0x00]), (b"{\\rtf1\\ansi\\mac\\d".to_vec(), End::Marker));
        // 205 is the place of its last two bytes, 207 that of the end marker.
        assert_eq!(expand(&[0b11, 0x0c, 0xd0, 0x0d, 0x10]), (b"tx".to_vec(), End::Marker));
    }

    #[test]
    fn a_reference_may_overlap_what_it_writes() {
        assert_eq!(expand(&[0b110, b'z', 0x0c, 0xf3, 0x0d, 0x50]), (b"zzzzzz".to_vec(), End::Marker));
    }

    #[test]
    fn a_bomb_stops_at_the_maximum() {
        // Runs of eight references of 16 bytes each. What is written next stands at 16n + 15, never where they point.
        let mut contents = Vec::new();
        for _ in 0..(DECOMPRESSED_MAX / 128 + 2) {
            contents.push(0xff);
            contents.extend(std::iter::repeat_n([0xff, 0xee], 8).flatten());
        }
        let (rtf, end) = expand(&contents);
        assert_eq!((rtf.len(), end), (DECOMPRESSED_MAX, End::TooLong));
    }

    proptest! {
        #[test]
        fn every_text_comes_out(rtf in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), any::<u8>()], 0..600), references in any::<bool>()) {
            prop_assert_eq!(expand(&encode(&rtf, references)), (rtf, End::Marker));
        }

        #[test]
        fn no_bytes_grow_beyond_the_densest(contents in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(expand(&contents).0.len() <= contents.len() * 17 / 2);
        }
    }
}
