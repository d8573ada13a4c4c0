//! The leaves of both B-trees that were asked for last: who reads one message asks a leaf many times, and the next
//! message mostly asks the same one.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::BTree;
use super::page::TreePage;

/// How many leaves of each tree a place has: a message's own, its folder's tables', its subnodes'.
const LEAVES: usize = 8;
/// How many places there are. Each thread has one, so that none waits for another.
const PLACES: usize = 8;

/// A few leaves for each thread.
#[derive(Debug, Default)]
pub(super) struct Recent {
    places: [Mutex<Place>; PLACES],
}

#[derive(Debug, Default)]
struct Place {
    leaves: [Option<Leaf>; LEAVES * 2],
    /// The leaf of each tree that goes next.
    next: [usize; 2],
}

#[derive(Debug)]
struct Leaf {
    /// The keys that it answers for: from the first on and below the second.
    keys: (u64, u64),
    page: Arc<TreePage>,
}

impl Recent {
    /// The leaf that answers for this key, if it was asked for of late.
    pub(super) fn find(&self, tree: BTree, key: u64) -> Option<Arc<TreePage>> {
        let place = self.place()?;
        let (start, _) = range(tree);
        let mut leaves = place.leaves.iter().skip(start).take(LEAVES).flatten();
        leaves.find(|leaf| leaf.keys.0 <= key && key < leaf.keys.1).map(|leaf| Arc::clone(&leaf.page))
    }

    /// Keeps the leaf that answers for these keys.
    pub(super) fn keep(&self, tree: BTree, keys: (u64, u64), page: &Arc<TreePage>) {
        let Some(mut place) = self.place() else { return };
        let (start, which) = range(tree);
        let Place { leaves, next } = &mut *place;
        let Some(next) = next.get_mut(which) else { return };
        if let Some(leaf) = leaves.get_mut(start.saturating_add(*next)) {
            *leaf = Some(Leaf { keys, page: Arc::clone(page) });
        }
        *next = next.saturating_add(1) & (LEAVES - 1);
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
fn number_of_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed));
    }
    NUMBER.with(Cell::get)
}
