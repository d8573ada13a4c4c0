//! Reading ahead of the walk over the trees of all nodes.
//!
//! Who follows one block after the other waits for each: for the disk, for the system to map its page, for memory. A second
//! thread that touches the same blocks before has done the waiting when the walk comes to them. It begins while the pages
//! that tell of them are read, which keeps one core busy alone. It proves and tells nothing: what it cannot read the walk
//! meets too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Low, blocks};
use crate::disk::Spill;
use crate::format::btree::BlockEntry;
use crate::format::id::Ib;
use crate::scan::pool;

/// Bytes that are read of a block: the smallest one has as many.
const BYTES: usize = 64;
/// How many blocks are touched before others are asked for.
const BLOCKS: usize = 64;
/// How long to wait for others.
const PAUSE: Duration = Duration::from_millis(1);

/// The blocks that a walk will come to, in the order in which they were told of: most nodes have ids in the order of
/// theirs.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    places: Mutex<Spill<Ib>>,
    ended: AtomicBool,
}

/// Does `walk` while another thread, where there is a core for it, reads the beginnings of the blocks that it tells of.
pub(super) fn of<T>(low: &Low<'_>, walk: impl FnOnce(&Ahead) -> T) -> T {
    let ahead = Ahead::default();
    if pool::workers() < 2 {
        ahead.ended.store(true, Ordering::Relaxed);
        return walk(&ahead);
    }
    thread::scope(|scope| {
        let other = scope.spawn(|| ahead.touch_all(low));
        let walked = walk(&ahead);
        ahead.ended.store(true, Ordering::Relaxed);
        other.thread().unpark();
        walked
    })
}

impl Ahead {
    /// The walk will come to this block, if it is an inner one.
    pub(super) fn tell(&self, low: &Low<'_>, entry: &BlockEntry) {
        if entry.block.bid.is_internal() && !self.ended.load(Ordering::Relaxed) && blocks::can_be_read(low, entry) {
            self.places.lock().unwrap_or_else(PoisonError::into_inner).push(entry.block.ib);
        }
    }

    fn touch_all(&self, low: &Low<'_>) {
        let mut next = 0_usize;
        while !self.ended.load(Ordering::Relaxed) {
            let places = self.from(next);
            next = next.saturating_add(places.len());
            if places.is_empty() {
                thread::park_timeout(PAUSE);
            }
            places.iter().for_each(|ib| touch(low, *ib));
        }
    }

    fn from(&self, next: usize) -> Vec<Ib> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.iter().skip(next).take(BLOCKS).copied().collect()
    }
}

fn touch(low: &Low<'_>, ib: Ib) {
    // Whether it could be read is for the walk to tell.
    let _ = low.file.read_exact_at(&mut [0; BYTES], ib.0);
}
