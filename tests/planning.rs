//! What a repair does is worked out from what the disk gives, and from nothing else: a disk that fails meanwhile, or a user
//! who has enough, ends it before anything is written.
#![allow(missing_docs, reason = "tests")]
#![allow(
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a mistake ends the test"
)]

mod support;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pstfs::damage::{Error, Finding, Result};
use pstfs::disk::ReadAt;
use pstfs::progress::Progress;
use pstfs::recover;
use pstfs::repair::{self, Backup, Held, Options, Order, Plan, Told};
use support::place::Place;
use support::{forge, scan};

/// A disk of which one read fails.
#[derive(Debug)]
struct Failing {
    bytes: Vec<u8>,
    /// How many reads go well before it.
    left: AtomicU64,
}

/// No read fails.
const NEVER: u64 = u64::MAX >> 1;

impl ReadAt for Failing {
    fn len(&self) -> io::Result<u64> {
        ReadAt::len(&self.bytes)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        // Below zero it wraps around and is far from it.
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        self.bytes.read_exact_at(buffer, offset)
    }
}

/// Plans a repair and works out its transaction, in a store that was opened while the disk was well; the read that is to
/// fail is counted from there. Gives the plan, the store that it makes, and how many reads there were.
fn planned(bytes: &[u8], findings: &[Finding], fails: u64) -> (Result<(Plan, Vec<u8>)>, u64) {
    let disk = Arc::new(Failing { bytes: bytes.to_vec(), left: AtomicU64::new(NEVER) });
    let file: Arc<dyn ReadAt> = Arc::clone(&disk) as _;
    let store = recover::open_source(file, 1 << 20).unwrap();
    disk.left.store(fails, Ordering::Relaxed);
    let made = repair::plan(&store, findings, Options::default()).and_then(|plan| {
        let prepared = repair::prepare(&store, &plan)?;
        Ok((plan, prepared))
    });
    let reads = fails.wrapping_sub(disk.left.swap(NEVER, Ordering::Relaxed));
    let made = made.map(|(plan, prepared)| {
        let overlay = prepared.preview(Arc::new(bytes.to_vec())).unwrap();
        let mut after = vec![0; usize::try_from(overlay.len().unwrap()).unwrap()];
        overlay.read_exact_at(&mut after, 0).unwrap();
        (plan, after)
    });
    (made, reads)
}

/// What cannot be read now may be whole: it is no reason to leave it out.
#[test]
fn a_read_that_fails_while_a_repair_is_planned_never_makes_another_plan() {
    let (mut failed, mut same) = (0, 0);
    for name in &forge::names("damaged") {
        let bytes = forge::damaged(name);
        let (_, findings) = scan::scanned(bytes.clone());
        let (whole, reads) = planned(&bytes, &findings, NEVER);
        let Ok((plan, after)) = whole else { continue };
        let step = if std::env::var_os("PSTFS_LONG").is_some() { 1 } else { (reads / 12).max(1) };
        for fails in (0..reads).step_by(step as usize) {
            match planned(&bytes, &findings, fails).0 {
                Err(_) => failed += 1,
                Ok((other, then)) => {
                    assert!(other == plan && then == after, "{name}: read {fails} of {reads} failed, and nobody noticed");
                    same += 1;
                }
            }
        }
    }
    assert!(failed > 500, "{failed} plans ended, {same} were the same");
}

/// From the plan on up to the first byte that is written nobody is asked: who stops then gets the store as it was.
#[test]
fn who_has_enough_of_a_repair_that_is_planned_keeps_the_store_as_it_was() {
    for backup in [Backup::Full, Backup::Undo] {
        let place = Place::new("folder-miscounts");
        let progress = Progress::default();
        let order = Order { backup, ..Order::default() };
        let mut planned = false;
        let ended = repair::run(&place.store(), &order, Held::default(), &progress, &mut |told| {
            if let Told::Plan(_) = told {
                planned = true;
                progress.cancel();
            }
            String::new()
        });
        assert!(planned && matches!(ended, Err(Error::Cancelled)), "{ended:?}");
        assert!(place.bytes() == place.old && place.names() == ["a b.pst"], "{:?}", place.names());
    }
}
