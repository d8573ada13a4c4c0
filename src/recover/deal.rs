//! Dealing: of all pairs of two sides the cheapest first, each of both sides once.

use std::iter::repeat_n;

use super::lists::{at, at_mut};
use crate::disk::Spill;

/// The number of nothing.
const NOTHING: u32 = u32::MAX;

/// What each taker got.
#[derive(Debug)]
pub(super) struct Dealt(Spill<u32>);

impl Dealt {
    /// What this taker got.
    pub(super) fn of(&self, taker: u32) -> Option<u32> {
        at(&self.0, taker).copied().filter(|thing| *thing != NOTHING)
    }
}

/// Deals so many things out to takers, each of which wishes for some at a cost, the cheapest first.
///
/// Pairs of all takers are dealt in the order of cost, taker and thing, but not kept, since there may be hundreds of each
/// taker: one after the other asks for what it wishes. Who could have it cheaper has it, and who loses it by that asks
/// again. That ends, as the cost of what is held only falls; and comes to the same, as both sides go by one order.
pub(super) fn deal<C: Copy + Ord>(takers: usize, things: usize, wishes: impl Fn(u32) -> Vec<(C, u32)>) -> Dealt {
    let mut held: Spill<Option<(C, u32)>> = repeat_n(None, things).collect();
    for (taker, _) in (0..).zip(0..takers) {
        let mut asking = Some(taker);
        while let Some(taker) = asking {
            asking = ask(&mut held, taker, wishes(taker));
        }
    }
    let mut dealt: Spill<u32> = repeat_n(NOTHING, takers).collect();
    for (thing, held) in (0..).zip(held.iter()) {
        if let Some(of) = held.and_then(|(_, taker)| at_mut(&mut dealt, taker)) {
            *of = thing;
        }
    }
    Dealt(dealt)
}

/// Gives a taker the first of its wishes that nobody has cheaper. Returns who had that before.
fn ask<C: Copy + Ord>(held: &mut [Option<(C, u32)>], taker: u32, wishes: Vec<(C, u32)>) -> Option<u32> {
    for (cost, thing) in wishes {
        if let Some(holder) = at_mut(held, thing)
            && holder.is_none_or(|held| (cost, taker) < held)
        {
            return holder.replace((cost, taker)).map(|(_, loser)| loser);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All pairs in order, each of both sides once: what dealing comes to.
    fn pair_by_pair(wishes: &[Vec<(u32, u32)>]) -> Vec<Option<u32>> {
        let of = |(taker, wishes): (usize, &Vec<(u32, u32)>)| wishes.iter().map(|(cost, thing)| (*cost, taker, *thing)).collect::<Vec<_>>();
        let mut pairs: Vec<_> = wishes.iter().enumerate().flat_map(of).collect();
        pairs.sort_unstable();
        let mut given = vec![None; wishes.len()];
        for (_, taker, thing) in pairs {
            if given[taker].is_none() && !given.contains(&Some(thing)) {
                given[taker] = Some(thing);
            }
        }
        given
    }

    /// Letters by the million: what each wishes was kept of all of them once.
    #[test]
    fn nothing_is_kept_in_memory_of_many_takers() {
        let dealt = deal(300_000, 300_000, |taker| vec![(0, taker ^ 1), (1, taker)]);
        assert_eq!([0, 1, 299_999].map(|taker| dealt.of(taker)), [Some(1), Some(0), Some(299_998)]);
        assert_eq!(dealt.0.memory_bytes(), 0, "it lies in a file");
    }

    #[test]
    fn dealing_comes_to_the_same_as_all_pairs_in_order() {
        let mut seed = 1_u64;
        let mut random = |below: u32| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u32::try_from(seed >> 33).unwrap() % below
        };
        for _ in 0..500 {
            let wishes: Vec<Vec<(u32, u32)>> = (0..20)
                .map(|_| {
                    let mut wishes: Vec<(u32, u32)> = (0..random(9)).map(|_| (random(6), random(16))).collect();
                    wishes.sort_unstable();
                    wishes.dedup();
                    wishes
                })
                .collect();
            let dealt = deal(20, 16, |taker| wishes[taker as usize].clone());
            assert_eq!((0..20).map(|taker| dealt.of(taker)).collect::<Vec<_>>(), pair_by_pair(&wishes));
        }
    }
}
