//! The high halves of ids of blocks and pages, which nothing protects: no CRC covers a trailer's id, and the signature only
//! its low half ([MS-PST] 5.5).
//!
//! An id with a bit flipped there looks newer than all others, and nothing names it. Ids are given out one after the other,
//! so nearly all of a file have the same high half: what differs from it by a bit, and is alone in that, is put right.

use crate::format::id::Bid;

/// How many of so many may share a flip: others that differ were counted up to there.
const ONE_IN: usize = 10_000;
/// As many may in any store.
const FEW: usize = 2;
const HALF_BITS: usize = 32;

/// Puts the ids right of those that are sure to be a block or a page; tells whether any was wrong. What `of` tells is an id as
/// its like are told apart, so without the reserved bit for blocks alone: the list ascends by it, and may no longer. `turn`
/// turns these bits of an id.
pub(super) fn right<T>(list: &mut [T], turn: impl Fn(&mut T, u64), of: impl Fn(&T) -> Bid, is_sure: impl Fn(&T) -> bool) -> bool {
    let Some(usual) = majority(list.iter().map(|found| half(of(found)))) else { return false };
    let off = |found: &T| Some(half(of(found)) ^ usual).filter(|bits| bits.is_power_of_two());
    let mut flips = [0_usize; HALF_BITS];
    for bits in list.iter().filter_map(off) {
        if let Some(count) = usize::try_from(bits.trailing_zeros()).ok().and_then(|bit| flips.get_mut(bit)) {
            *count = count.saturating_add(1);
        }
    }
    let few = list.len().checked_div(ONE_IN).unwrap_or(0).max(FEW);
    let is_rare = |bits: u32| usize::try_from(bits.trailing_zeros()).ok().and_then(|bit| flips.get(bit)).is_some_and(|count| *count <= few);
    // Those who count up to a half begin at its lowest.
    let Some(first) = list.iter().map(&of).find(|id| half(*id) == usual) else { return false };
    let righted = |found: &T| {
        let bits = off(found).filter(|bits| is_rare(*bits) && is_sure(found))?;
        let flip = u64::from(bits) << u32::BITS;
        let right = Bid(of(found).0 ^ flip);
        let is_free = list.binary_search_by_key(&right, &of).is_err();
        (is_free && right >= first).then_some(flip)
    };
    let righted: Vec<(usize, u64)> = list.iter().enumerate().filter_map(|(at, found)| Some((at, righted(found)?))).collect();
    for (at, flip) in &righted {
        if let Some(found) = list.get_mut(*at) {
            turn(found, *flip);
        }
    }
    !righted.is_empty()
}

/// The half that no CRC or signature covers.
fn half(id: Bid) -> u32 {
    u32::try_from(id.0 >> u32::BITS).unwrap_or(u32::MAX)
}

/// What more than half of the values are.
fn majority(values: impl Iterator<Item = u32> + Clone) -> Option<u32> {
    let (mut candidate, mut lead) = (0, 0_usize);
    for value in values.clone() {
        match lead {
            0 => (candidate, lead) = (value, 1),
            _ if value == candidate => lead = lead.saturating_add(1),
            _ => lead = lead.saturating_sub(1),
        }
    }
    let (all, same) = (values.clone().count(), values.filter(|value| *value == candidate).count());
    (same > all.saturating_sub(same)).then_some(candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn righted(ids: Vec<u64>) -> Vec<u64> {
        righted_by(ids, |id| *id)
    }

    fn righted_by(ids: Vec<u64>, of: impl Fn(&Bid) -> Bid) -> Vec<u64> {
        let mut list: Vec<Bid> = ids.into_iter().map(Bid).collect();
        right(&mut list, |id, flip| id.0 ^= flip, of, |id| id.0 & 0x40 == 0);
        list.iter().map(|id| id.0).collect()
    }

    #[test]
    fn an_id_with_a_flipped_bit_that_nothing_covers_is_put_right() {
        assert_eq!(righted(vec![4, 8, 12, 20, 0x4_0000_0010]), [4, 8, 12, 20, 16]);
        assert_eq!(
            righted(vec![0x18, 0x1_0000_0004, 0x1_0000_0008, 0x1_0000_0020]),
            [0x1_0000_0018, 0x1_0000_0004, 0x1_0000_0008, 0x1_0000_0020]
        );
    }

    /// Pages count by one: a page whose id was flipped stayed the newest of all where the one with the next id was there too.
    #[test]
    fn of_a_page_all_bits_of_the_id_count_and_of_a_block_the_reserved_one_does_not() {
        for (there, odd) in [(0x11, 0x10), (0x10, 0x11)] {
            let flipped = vec![4, 5, 6, there, 0x4_0000_0000 | odd];
            assert_eq!(righted(flipped.clone()), [4, 5, 6, there, odd]);
            assert_eq!(righted_by(flipped.clone(), |id| id.key()), flipped, "another block has that id");
        }
        assert_eq!(righted_by(vec![4, 8, 12, 0x4_0000_0011], |id| id.key()), [4, 8, 12, 0x11], "what is stored is kept");
    }

    #[test]
    fn ids_that_were_counted_up_to_there_stay() {
        let next = [0xffff_fff4, 0xffff_fff8, 0xffff_fffc, 0x1_0000_0000];
        assert_eq!(righted(next.to_vec()), next, "the first above 32 bits");
        let many = [4, 8, 20, 24, 28, 32, 36, 0x1_0000_000c, 0x1_0000_0010, 0x1_0000_0014];
        assert_eq!(righted(many.to_vec()), many, "more than a flip would make");
        let taken = [4, 8, 12, 16, 0x4_0000_0008];
        assert_eq!(righted(taken.to_vec()), taken, "another block has that id");
        let unsure = [4, 8, 12, 0x80, 0x4_0000_0040];
        assert_eq!(righted(unsure.to_vec()), unsure, "nothing verifies what it is");
    }
}
