//! The leaves of both B-trees and the blocks that were asked for last: who reads one message asks a leaf many times and
//! the blocks of its subnodes a few times, and the next message mostly asks the same leaves and the same table.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::page::TreePage;
use super::{BTree, Block};
use crate::format::id::Bid;

/// How many leaves of each tree a place has: a message's own, its folder's tables', its subnodes'.
const LEAVES: usize = 8;
/// How many blocks a place has: a message's own, its subnodes', its folder's table.
const BLOCKS: usize = 16;
/// Larger ones are not worth their memory here: all places together keep a megabyte.
const BLOCK_BYTES_MAX: usize = 8 << 10;
/// How many places there are. Each thread has one, so that none waits for another.
const PLACES: usize = 8;

/// A few leaves and blocks for each thread.
#[derive(Debug, Default)]
pub(super) struct Recent {
    places: [Mutex<Place>; PLACES],
}

#[derive(Debug, Default)]
struct Place {
    leaves: [Option<Leaf>; LEAVES * 2],
    /// The leaf of each tree that goes next.
    next: [usize; 2],
    blocks: [Option<(Bid, Arc<Block>)>; BLOCKS],
    /// The block that goes next.
    next_block: usize,
}

#[derive(Debug)]
struct Leaf {
    /// The keys that it answers for: from the first on and below the second.
    keys: (u64, u64),
    page: Arc<TreePage>,
}

impl Recent {
    /// Looks at the leaf that answers for this key, if it was asked for of late.
    pub(super) fn look<T>(&self, tree: BTree, key: u64, look: impl FnOnce(&TreePage) -> T) -> Option<T> {
        let place = self.place()?;
        let (start, _) = range(tree);
        let mut leaves = place.leaves.iter().skip(start).take(LEAVES).flatten();
        leaves.find(|leaf| leaf.keys.0 <= key && key < leaf.keys.1).map(|leaf| look(&leaf.page))
    }

    /// Keeps the leaf that answers for these keys.
    pub(super) fn keep(&self, tree: BTree, keys: (u64, u64), page: &Arc<TreePage>) {
        let Some(mut place) = self.place() else { return };
        let (start, which) = range(tree);
        let Place { leaves, next, .. } = &mut *place;
        let Some(next) = next.get_mut(which) else { return };
        if let Some(leaf) = leaves.get_mut(start.saturating_add(*next)) {
            *leaf = Some(Leaf { keys, page: Arc::clone(page) });
        }
        *next = next.saturating_add(1) & (LEAVES - 1);
    }

    /// The block with this id, if it was asked for of late.
    pub(super) fn block(&self, bid: Bid) -> Option<Arc<Block>> {
        let place = self.place()?;
        place.blocks.iter().flatten().find(|(kept, _)| *kept == bid).map(|(_, block)| Arc::clone(block))
    }

    /// Keeps a block.
    pub(super) fn keep_block(&self, bid: Bid, block: &Arc<Block>) {
        let Some(mut place) = self.place().filter(|_| block.data.len() <= BLOCK_BYTES_MAX) else { return };
        let next = place.next_block;
        if let Some(kept) = place.blocks.get_mut(next) {
            *kept = Some((bid, Arc::clone(block)));
        }
        place.next_block = next.saturating_add(1) & (BLOCKS - 1);
    }

    fn place(&self) -> Option<MutexGuard<'_, Place>> {
        self.places.get(number_of_thread() & (PLACES - 1)).map(|place| place.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where a tree's leaves begin, and which tree it is.
const fn range(tree: BTree) -> (usize, usize) {
    match tree {
        BTree::Nodes => (0, 0),
        BTree::Blocks => (LEAVES, 1),
    }
}

/// A number of this thread's own.
pub(super) fn number_of_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed));
    }
    NUMBER.with(Cell::get)
}
