//! A set of numbers as bits: as large as its largest number, however many there are.

/// A set of numbers below 2^27, the most that a node id counts.
///
/// Takes at most 16 MiB, of a store of any size and damage.
#[derive(Debug, Default)]
pub(super) struct BitSet {
    words: Vec<u64>,
}

/// Node ids count up to here.
const NUMBER_MAX: u32 = (1 << 27) - 1;

impl BitSet {
    /// Adds a number; `false` where it was there. Numbers that are too large are never there.
    pub(super) fn insert(&mut self, number: u32) -> bool {
        if number > NUMBER_MAX {
            return true;
        }
        let (index, bit) = place(number);
        if self.words.len() <= index {
            self.words.resize(index.saturating_add(1), 0);
        }
        let Some(word) = self.words.get_mut(index) else { return true };
        let fresh = *word & bit == 0;
        *word |= bit;
        fresh
    }

    /// Whether a number is there.
    pub(super) fn contains(&self, number: u32) -> bool {
        let (index, bit) = place(number);
        self.words.get(index).is_some_and(|word| word & bit != 0)
    }

    /// All numbers, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let words = self.words.iter().zip((0_u32..).map(|index| index.saturating_mul(64))).filter(|(word, _)| **word != 0);
        words.flat_map(|(word, first)| (0..64).filter(move |bit| word & (1 << bit) != 0).map(move |bit| first.saturating_add(bit)))
    }
}

fn place(number: u32) -> (usize, u64) {
    (usize::try_from(number >> 6).unwrap_or(usize::MAX), 1_u64.checked_shl(number & 63).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_new_once() {
        let mut set = BitSet::default();
        assert!([0, 63, 64, NUMBER_MAX].into_iter().all(|number| set.insert(number)));
        assert!(!set.insert(63) && set.contains(64) && !set.contains(65));
        assert!(set.iter().eq([0, 63, 64, NUMBER_MAX]));
        assert!(set.insert(u32::MAX) && !set.contains(u32::MAX));
    }
}
