//! The pages of both B-trees and the blocks that were asked for last: who reads one message asks a leaf many times and
//! the blocks of its subnodes a few times, and the next message mostly asks the same leaves and the same table.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::page::{Keys, TreePage};
use super::{BTree, Block};
use crate::format::id::Bid;

/// How many leaves of each tree a place has: a message's own, its folder's tables', its subnodes'.
const LEAVES: usize = 8;
/// How many pages above the leaves: one of each level, and another one.
const BRANCHES: usize = 4;
/// How many blocks a place has: a message's own, its subnodes', its folder's table.
const BLOCKS: usize = 16;
/// Larger ones are not worth their memory here: all places together keep a megabyte.
const BLOCK_BYTES_MAX: usize = 8 << 10;
/// How many places there are. Each thread has one, so that none waits for another.
const PLACES: usize = 8;

/// A few pages and blocks for each thread.
#[derive(Debug, Default)]
pub(super) struct Recent {
    places: [Mutex<Place>; PLACES],
}

#[derive(Debug, Default)]
struct Place {
    node_pages: Pages,
    block_pages: Pages,
    blocks: Ring<(Bid, Arc<Block>), BLOCKS>,
}

/// Pages of one tree.
#[derive(Debug, Default)]
struct Pages {
    leaves: Ring<Kept, LEAVES>,
    branches: Ring<Kept, BRANCHES>,
}

/// A page and the keys that it answers for.
type Kept = (Keys, Arc<TreePage>);

/// What came last; the oldest goes next.
#[derive(Debug)]
struct Ring<T, const LEN: usize> {
    kept: [Option<T>; LEN],
    next: usize,
}

impl<T, const LEN: usize> Default for Ring<T, LEN> {
    fn default() -> Self {
        Self { kept: [const { None }; LEN], next: 0 }
    }
}

impl<T, const LEN: usize> Ring<T, LEN> {
    fn iter(&self) -> impl Iterator<Item = &T> {
        self.kept.iter().flatten()
    }

    fn keep(&mut self, new: T) {
        if let Some(oldest) = self.kept.get_mut(self.next) {
            *oldest = Some(new);
        }
        self.next = self.next.saturating_add(1).checked_rem(LEN).unwrap_or(0);
    }
}

impl Pages {
    /// The page nearest to the leaf, or the leaf, that answers for this key.
    fn of(&self, key: u64) -> Option<&Kept> {
        let answers = |kept: &&Kept| kept.0.0 <= key && key < kept.0.1;
        let branch = || self.branches.iter().filter(answers).min_by_key(|(_, page)| page.level());
        self.leaves.iter().find(answers).or_else(branch)
    }
}

impl Place {
    fn pages(&mut self, tree: BTree) -> &mut Pages {
        match tree {
            BTree::Nodes => &mut self.node_pages,
            BTree::Blocks => &mut self.block_pages,
        }
    }
}

impl Recent {
    /// Looks at the page nearest to the leaf that answers for this key, if any was asked for of late.
    pub(super) fn look<T>(&self, tree: BTree, key: u64, look: impl FnOnce(&TreePage, Keys) -> T) -> Option<T> {
        let mut place = self.place()?;
        place.pages(tree).of(key).map(|(keys, page)| look(page, *keys))
    }

    /// Keeps the page that answers for these keys.
    pub(super) fn keep(&self, tree: BTree, keys: Keys, page: Arc<TreePage>) {
        let Some(mut place) = self.place() else { return };
        let pages = place.pages(tree);
        match page.level() {
            0 => pages.leaves.keep((keys, page)),
            _ => pages.branches.keep((keys, page)),
        }
    }

    /// The block with this id, if it was asked for of late.
    pub(super) fn block(&self, bid: Bid) -> Option<Arc<Block>> {
        let place = self.place()?;
        place.blocks.iter().find(|(kept, _)| *kept == bid).map(|(_, block)| Arc::clone(block))
    }

    /// Keeps a block.
    pub(super) fn keep_block(&self, bid: Bid, block: &Arc<Block>) {
        if let Some(mut place) = self.place().filter(|_| block.data.len() <= BLOCK_BYTES_MAX) {
            place.blocks.keep((bid, Arc::clone(block)));
        }
    }

    fn place(&self) -> Option<MutexGuard<'_, Place>> {
        self.places.get(number_of_thread() & (PLACES - 1)).map(|place| place.lock().unwrap_or_else(PoisonError::into_inner))
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
