//! A set of numbers as bits, kept only for ranges of which a number is in the set.

/// A set of numbers below 2^27, the most that a node id counts.
///
/// Takes at most 16 MiB, of a store of any size and damage, half a kilobyte for a few numbers, and nothing for small ones:
/// most tables have a few rows and columns.
#[derive(Debug, Default)]
pub(super) struct BitSet {
    /// The numbers below 64.
    small: u64,
    /// The others.
    ranges: Vec<Option<Box<Range>>>,
}

/// The bits of [`RANGE`] numbers.
type Range = [u64; 64];

/// How many numbers a range has.
const RANGE: u32 = 64 * 64;
/// Node ids count up to here.
const NUMBER_MAX: u32 = (1 << 27) - 1;

impl BitSet {
    /// Adds a number; `false` where it was there. Numbers that are too large are never there.
    pub(super) fn insert(&mut self, number: u32) -> bool {
        if number > NUMBER_MAX {
            return true;
        }
        let (range, word, bit) = place(number);
        let Some(word) = (if number < u64::BITS { Some(&mut self.small) } else { self.word_mut(range, word) }) else { return true };
        let fresh = *word & bit == 0;
        *word |= bit;
        fresh
    }

    fn word_mut(&mut self, range: usize, word: usize) -> Option<&mut u64> {
        if self.ranges.len() <= range {
            self.ranges.resize_with(range.saturating_add(1), || None);
        }
        self.ranges.get_mut(range)?.get_or_insert_with(|| Box::new([0; 64])).get_mut(word)
    }

    /// Whether a number is there.
    pub(super) fn contains(&self, number: u32) -> bool {
        let (range, word, bit) = place(number);
        if number < u64::BITS {
            return self.small & bit != 0;
        }
        self.ranges.get(range).and_then(Option::as_deref).and_then(|range| range.get(word)).is_some_and(|word| word & bit != 0)
    }

    /// All numbers, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let firsts = (0_u32..).map(|index| index.saturating_mul(RANGE));
        let ranges = self.ranges.iter().zip(firsts).filter_map(|(range, first)| Some((range.as_deref()?, first)));
        let words = ranges.flat_map(|(range, first)| {
            range.iter().copied().zip((0..64).map(move |word: u32| word.saturating_mul(64).saturating_add(first)))
        });
        let words = std::iter::once((self.small, 0)).chain(words).filter(|(word, _)| *word != 0);
        words.flat_map(|(word, first)| (0..64).filter(move |bit| word & (1 << bit) != 0).map(move |bit| first.saturating_add(bit)))
    }

    /// How many bytes it takes.
    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.ranges.iter().flatten().count() * size_of::<Range>() + self.ranges.capacity() * size_of::<usize>()
    }
}

/// The range of a number, the word in it, the bit in that.
fn place(number: u32) -> (usize, usize, u64) {
    let index = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    (index(number >> 12), index(number >> 6 & 63), 1_u64.checked_shl(number & 63).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_new_once() {
        let mut set = BitSet::default();
        assert!([0, 63, 64, 4095, 4096, NUMBER_MAX].into_iter().all(|number| set.insert(number)));
        assert!(!set.insert(63) && set.contains(64) && !set.contains(65));
        assert!(set.iter().eq([0, 63, 64, 4095, 4096, NUMBER_MAX]));
        assert!(set.insert(u32::MAX) && !set.contains(u32::MAX));
    }

    #[test]
    fn a_set_takes_a_bit_a_number_and_little_for_few() {
        let mut set = BitSet::default();
        set.insert(NUMBER_MAX);
        assert!(set.memory_bytes() <= 1 << 19);
        (0..1 << 22).for_each(|number| assert!(set.insert(number)));
        assert!(set.memory_bytes() <= (1 << 19) + (1 << 19) + 512);
    }
}
