//! Numbers that look random and are the same on every machine.

use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

/// A seeded generator (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// So many bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            bytes.extend(self.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    /// So many characters of words in lines.
    pub fn text(&mut self, len: usize) -> String {
        const WORDS: [&str; 16] = [
            "the", "meeting", "report", "budget", "next", "week", "please", "send", "review", "of", "project", "notes", "draft", "and",
            "for", "tomorrow",
        ];
        let mut text = String::new();
        let mut line = 0;
        while text.len() < len {
            let word = WORDS[self.below(16) as usize];
            text.push_str(word);
            line += word.len() + 1;
            text.push_str(if line > 64 { "\r\n" } else { " " });
            if line > 64 {
                line = 0;
            }
        }
        text.truncate(len);
        text
    }
}

/// Bytes of any length, never all in memory: a piece of 64 KiB over and over, each time with the seed and its number in
/// front.
#[derive(Clone, Debug)]
pub struct Stream {
    piece: Arc<[u8]>,
    head: [u8; 16],
    at: u64,
    len: u64,
}

const PIECE: u64 = 65_536;

impl Stream {
    /// `len` bytes of this seed.
    pub fn new(seed: u64, len: u64) -> Self {
        static COMMON: OnceLock<Arc<[u8]>> = OnceLock::new();
        let piece = Arc::clone(COMMON.get_or_init(|| Random::new(5).bytes(PIECE as usize).into()));
        let mut head = [0; 16];
        head[..8].copy_from_slice(&seed.to_le_bytes());
        Self { piece, head, at: 0, len }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let within = (self.at % PIECE) as usize;
        self.head[8..].copy_from_slice(&(self.at / PIECE).to_le_bytes());
        let source = if within < 16 { &self.head[within..] } else { &self.piece[within..] };
        let left = usize::try_from(self.len - self.at).unwrap_or(usize::MAX);
        let count = buffer.len().min(source.len()).min(left);
        buffer[..count].copy_from_slice(&source[..count]);
        self.at += count as u64;
        Ok(count)
    }
}
