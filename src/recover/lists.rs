//! Lists of what is kept of each block and node of a store, which may leave memory: their values by number and by key, and
//! short lists within a long one.

use std::ops::Range;

use crate::disk::Spill;

/// The most values of a list that a file could make longer than itself.
const LIST_MAX: usize = 40_000_000;

/// The value with this number.
pub(super) fn at<T>(list: &[T], number: u32) -> Option<&T> {
    list.get(usize::try_from(number).ok()?)
}

/// The same, for changing it.
pub(super) fn at_mut<T>(list: &mut [T], number: u32) -> Option<&mut T> {
    list.get_mut(usize::try_from(number).ok()?)
}

/// The values of this key in a list that ascends by it.
pub(super) fn equal<T, K: Ord>(list: &[T], key: K, of: impl Fn(&T) -> K) -> &[T] {
    let rest = list.get(list.partition_point(|value| of(value) < key)..).unwrap_or_default();
    // Most keys have few values: they end nearby.
    let mut end = 1_usize;
    while rest.get(end).is_some_and(|value| of(value) == key) {
        end = end.saturating_mul(2);
    }
    let near = rest.get(..end).unwrap_or(rest);
    near.get(..near.partition_point(|value| of(value) == key)).unwrap_or_default()
}

/// Where one of many short lists lies in the long one that holds them all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// Puts values at the end of a list; none where it is as long as a list may be.
    pub(super) fn put<T: Copy>(list: &mut Spill<T>, values: &[T]) -> Self {
        let start = list.len();
        if start.saturating_add(values.len()) > LIST_MAX {
            return Self::default();
        }
        list.push_all(values);
        Self::since(list, start)
    }

    /// What was put at the end of a list since it had this length.
    pub(super) fn since<T>(list: &[T], start: usize) -> Self {
        let numbers = (u32::try_from(start), u32::try_from(list.len().saturating_sub(start)));
        if let (Ok(start), Ok(len)) = numbers { Self { start, len } } else { Self::default() }
    }

    /// The short list.
    pub(super) fn of<T>(self, list: &[T]) -> &[T] {
        let rest = usize::try_from(self.start).ok().and_then(|start| list.get(start..));
        usize::try_from(self.len).ok().and_then(|len| rest?.get(..len)).unwrap_or_default()
    }

    /// The numbers of its values in the long list.
    pub(super) const fn numbers(self) -> Range<u32> {
        self.start..self.start.saturating_add(self.len)
    }

    /// Whether there is nothing in it.
    pub(super) const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// How many values it has.
    pub(super) const fn len(self) -> u32 {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_values_of_a_key_are_found() {
        let list = [(1, 'a'), (3, 'b'), (3, 'c'), (4, 'd')];
        let of = |key| equal(&list, key, |(key, _)| *key).iter().map(|(_, name)| *name).collect::<String>();
        assert_eq!([0, 1, 2, 3, 4, 5].map(of), ["", "a", "", "bc", "d", ""]);
    }

    #[test]
    fn short_lists_lie_side_by_side_in_a_long_one() {
        let mut list = Spill::new();
        let spans = [&[1, 2, 3][..], &[], &[4]].map(|values| Span::put(&mut list, values));
        assert_eq!(spans.map(|span| span.of(&list).to_vec()), [vec![1, 2, 3], vec![], vec![4]]);
        assert!(spans[1].is_empty() && spans[0].len() == 3);
    }
}
