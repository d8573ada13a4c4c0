//! A picture of what the file's space is used for: few enough pieces for a line on a screen, however large the file is.

use super::Low;
use crate::scan::report::Space;

/// How many pieces it has, at most.
const PIECES_MAX: u64 = 4096;

/// The file's space in pieces of equal size, one after the other.
#[derive(Debug)]
pub(super) struct Picture {
    unit_bytes: u64,
    piece_bytes: u64,
    pub(super) pieces: Vec<Space>,
}

impl Picture {
    /// That of a file of which nothing is known yet.
    pub(super) fn new(low: &Low<'_>) -> Self {
        let unit_bytes = low.format.layout().unit_bytes;
        // A byte of a map stands for eight units, which lie in one piece.
        let piece_bytes = low.file_bytes.div_ceil(PIECES_MAX).max(1).next_multiple_of(unit_bytes.saturating_mul(8));
        Self { unit_bytes, piece_bytes, pieces: Vec::new() }
    }

    /// Adds units from `at` on: so many, of which so many are marked, and so many of those leaked.
    pub(super) fn add(&mut self, at: u64, units: u32, marked: u32, leaked: u32) {
        let bytes = |units: u32| self.unit_bytes.saturating_mul(units.into());
        let offset = self.piece_of(at);
        self.put(Space { offset, bytes: bytes(units), used_bytes: bytes(marked), leaked_bytes: bytes(leaked) });
    }

    /// Adds a piece, or what is known of another part of the last one.
    pub(super) fn put(&mut self, new: Space) {
        let Some(piece) = self.pieces.last_mut().filter(|piece| piece.offset == new.offset) else { return self.pieces.push(new) };
        piece.bytes = piece.bytes.saturating_add(new.bytes);
        piece.used_bytes = piece.used_bytes.saturating_add(new.used_bytes);
        piece.leaked_bytes = piece.leaked_bytes.saturating_add(new.leaked_bytes);
    }

    /// Whether so many units from `at` on lie in one piece.
    pub(super) fn is_one_piece(&self, at: u64, units: u32) -> bool {
        let bytes = self.unit_bytes.saturating_mul(units.into());
        at.saturating_add(bytes) <= self.piece_of(at).saturating_add(self.piece_bytes)
    }

    /// Where the piece begins that an offset lies in.
    fn piece_of(&self, at: u64) -> u64 {
        at.saturating_sub(at.checked_rem(self.piece_bytes).unwrap_or(0))
    }
}
