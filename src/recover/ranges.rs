//! Ranges of keys, as a walk over a tree loses them.

/// Ranges of keys: from the first on, below the second; ascending, none touching another.
#[derive(Debug, Default)]
pub(super) struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds a range that begins no earlier than the last one did, as a walk in the order of the keys finds them.
    pub(super) fn push(&mut self, from: u64, to: u64) {
        match self.0.last_mut() {
            Some((_, end)) if from <= *end => *end = to.max(*end),
            _ => self.0.push((from, to)),
        }
    }

    /// Whether there is none.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a key lies in one of them.
    pub(super) fn contains(&self, key: u64) -> bool {
        let at = self.0.partition_point(|(_, to)| *to <= key);
        self.0.get(at).is_some_and(|(from, _)| *from <= key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_are_one_and_their_ends_are_outside() {
        let mut ranges = Ranges::default();
        [(4, 8), (5, 6), (8, 10), (20, 30)].into_iter().for_each(|(from, to)| ranges.push(from, to));
        assert_eq!(ranges.0, [(4, 10), (20, 30)]);
        assert_eq!([3, 4, 9, 10, 20, 29, 30].map(|key| ranges.contains(key)), [false, true, true, false, true, true, false]);
    }
}
