//! Reading ahead of a walk.
//!
//! Who follows one block after the other waits for each: for the disk, for the system to map its page, for memory. A second
//! thread that touches the same blocks before has done the waiting when the walk comes to them. It proves and tells
//! nothing: what it cannot read the walk meets too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::Low;
use crate::format::id::Ib;
use crate::scan::pool;

/// Bytes that are read of a block: the smallest one has as many.
const BYTES: usize = 64;

/// Does `walk` while another thread, where there is a core for it, reads the beginnings of blocks in this order.
pub(super) fn of<T>(low: &Low<'_>, places: &[Ib], walk: impl FnOnce() -> T) -> T {
    if pool::workers() < 2 {
        return walk();
    }
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| places.iter().take_while(|_| !ended.load(Ordering::Relaxed)).for_each(|ib| touch(low, *ib)));
        let walked = walk();
        ended.store(true, Ordering::Relaxed);
        walked
    })
}

fn touch(low: &Low<'_>, ib: Ib) {
    // Whether it could be read is for the walk to tell.
    let _ = low.file.read_exact_at(&mut [0; BYTES], ib.0);
}
