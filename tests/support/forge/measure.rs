//! What `scripts/bench --scan` holds against each other: a scan, and a program that only reads and sums the same bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use pstfs::disk::{self, Access, Opened, ReadAt};
use pstfs::format::checksum;
use pstfs::progress::Progress;
use pstfs::{recover, scan};

/// A file, and how often and how much of it was asked for.
#[derive(Debug)]
struct Counting {
    file: Opened,
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Counting {
    fn count(&self, bytes: usize) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl ReadAt for Counting {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.count(buffer.len());
        self.file.read_exact_at(buffer, offset)
    }

    fn read_trusting_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.count(buffer.len());
        self.file.read_trusting_at(buffer, offset)
    }

    fn was_changed(&self) -> io::Result<bool> {
        self.file.was_changed()
    }
}

/// Scans a store and prints how often and how much was read for it, and the verdict.
pub(crate) fn requests(path: &Path) {
    let file = disk::open(path, Access::default()).expect("a file");
    let counting = Arc::new(Counting { file, requests: AtomicU64::new(0), bytes: AtomicU64::new(0) });
    let source: Arc<dyn ReadAt> = counting.clone();
    let store = recover::open_source(Arc::clone(&source), 32 << 20);
    let outcome = scan::scan(&source, store.as_deref(), &Progress::default(), |_| {});
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    println!("{} requests, {} bytes: {}", of(&counting.requests), of(&counting.bytes), outcome.verdict.text());
}

/// Scans a store as `pstfs scan` does and prints how long each phase took: by the clock, and of processors.
pub(crate) fn phases(path: &Path) {
    let source: Arc<dyn ReadAt> = Arc::new(disk::open(path, Access::default()).expect("a file"));
    let store = recover::open_source(Arc::clone(&source), 32 << 20);
    let mut begun: Vec<(&str, Instant, [u64; 2])> = Vec::new();
    let outcome = scan::scan(&source, store.as_deref(), &Progress::default(), |event| {
        if let scan::Event::Phase(name) = event {
            begun.push((name, Instant::now(), processor_ticks()));
        }
    });
    begun.push((outcome.verdict.text(), Instant::now(), processor_ticks()));
    println!("  by the clock      user    system");
    for ((name, from, had), (_, to, have)) in begun.iter().zip(begun.iter().skip(1)) {
        let [user, system] = [0, 1].map(|kind| (have[kind] as f64 - had[kind] as f64) / 100.0);
        println!("{:12.3} s {user:7.2} s {system:7.2} s  {name}", to.duration_since(*from).as_secs_f64());
    }
}

/// Hundredths of a second that this process has had of a processor, for itself and for the system's work.
fn processor_ticks() -> [u64; 2] {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("proc(5)");
    let fields = stat.rsplit_once(") ").expect("a name in brackets").1;
    let mut fields = fields.split(' ').skip(11).map(|field| field.parse().expect("a number"));
    [(); 2].map(|()| fields.next().expect("utime and stime"))
}

/// Reads a file with two threads, a megabyte at a time, sums it as blocks are summed, and prints how long that took.
pub(crate) fn sum(path: &Path) {
    let begin = Instant::now();
    let file = File::open(path).expect("a file");
    let size = file.metadata().expect("a file").len();
    let part = |mut at: u64, end: u64| {
        let (mut bytes, mut sum) = (vec![0; 1 << 20], 0);
        while at < end {
            let len = end.saturating_sub(at).min(1 << 20) as usize;
            file.read_exact_at(&mut bytes[..len], at).expect("bytes");
            sum ^= checksum::crc(&bytes[..len]);
            at = at.saturating_add(len as u64);
        }
        sum
    };
    let sum = thread::scope(|scope| {
        let half = scope.spawn(|| part(0, size / 2));
        part(size / 2, size) ^ half.join().expect("a sum")
    });
    println!("{:.3} s, {sum:08x}", begin.elapsed().as_secs_f64());
}
