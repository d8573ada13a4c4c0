//! The bytes of many things, one behind the other; those of more than memory should hold lie in a temporary file.

use super::spill::Spill;

/// How many bytes stay in memory.
const MEMORY_BYTES: usize = 16 << 20;

/// Bytes that wait until they are written or asked for. What is taken out of it stays there until all of it goes.
#[derive(Debug)]
pub struct Arena(Spill<u8>);

/// Where the bytes of one thing are in their [`Arena`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    at: usize,
    len: usize,
}

impl Default for Arena {
    fn default() -> Self {
        Self::keeping(MEMORY_BYTES)
    }
}

impl PartialEq for Arena {
    fn eq(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }
}

impl Eq for Arena {}

impl Arena {
    /// One of which so many bytes stay in memory.
    pub(super) const fn keeping(memory_bytes: usize) -> Self {
        Self(Spill::keeping(memory_bytes))
    }

    /// Takes bytes in.
    pub fn put(&mut self, bytes: &[u8]) -> Piece {
        let piece = Piece { at: self.0.len(), len: bytes.len() };
        self.0.push_all(bytes);
        piece
    }

    /// The bytes that stand there.
    pub fn get(&self, piece: Piece) -> &[u8] {
        let bytes = self.0.get(piece.at..).and_then(|bytes| bytes.get(..piece.len));
        bytes.unwrap_or_default()
    }

    /// How many bytes it takes of memory that no file stands for.
    pub(super) fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}

impl Piece {
    /// How many bytes it has.
    pub const fn len(self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// What comes before and from a place in it.
    pub(super) fn split(self, at: usize) -> (Self, Self) {
        let head = self.len.min(at);
        (Self { at: self.at, len: head }, Self { at: self.at.saturating_add(head), len: self.len.saturating_sub(head) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_comes_back_wherever_it_lies() {
        let mut arena = Arena::keeping(1000);
        let pieces: Vec<_> = (0..100_u8).map(|number| arena.put(&vec![number; usize::from(number) * 7])).collect();
        for (number, piece) in (0_u8..).zip(&pieces) {
            assert_eq!(arena.get(*piece), vec![number; usize::from(number) * 7]);
        }
        assert!(arena.memory_bytes() <= 2000);
    }

    #[test]
    fn a_piece_is_cut_in_two() {
        let mut arena = Arena::default();
        arena.put(b"--");
        let piece = arena.put(b"abcdef");
        for at in 0..8 {
            let (head, tail) = piece.split(at);
            assert_eq!([arena.get(head), arena.get(tail)].concat(), b"abcdef");
            assert_eq!(head.len(), at.min(6));
        }
    }
}
