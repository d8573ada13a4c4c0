//! A file that is read through memory.
//!
//! Reading a block from a mapping costs a fifth of a `pread`. What is long and read once is better read with `pread` all the
//! same, which maps nothing. The price is that the file may shrink under the mapping,
//! which the kernel tells by a signal in the middle of a read; see [`sigbus`](super::sigbus). So bytes are first copied
//! out, and then believed only if nothing happened meanwhile. Once anything did, the mapping is left for good and the
//! file read with `pread`, which has an error for everything.

#![allow(unsafe_code, reason = "copies from a mapping that may change at any time, which no reference may stand for")]

use std::fs::File;
use std::io;
use std::sync::atomic::{Ordering, fence};
use std::thread;

use memmap2::{MmapOptions, MmapRaw, UncheckedAdvice};

use super::file::{Identity, PreadFile};
use super::sigbus::Region;
use super::{ReadAt, sigbus};

/// A file of which the part that was there at opening is mapped.
///
/// What was appended since is read with `pread`: after a file grew, open it again to have all of it mapped.
#[derive(Debug)]
pub struct MappedFile {
    // Before the map, so that it is dropped first: no range may be registered that is not ours any more.
    region: Region,
    map: MmapRaw,
    file: PreadFile,
}

impl MappedFile {
    /// Maps a file; gives it back, with the reason, where that cannot be done (an empty file, no room, too many maps).
    pub fn new(file: PreadFile) -> Result<Self, (PreadFile, io::Error)> {
        match map(&file) {
            Ok((region, map)) => Ok(Self { region, map, file }),
            Err(error) => Err((file, error)),
        }
    }

    /// Whether reads still go through memory: no more once the file shrank or its disk failed.
    pub fn is_mapped(&self) -> bool {
        self.region.hits() == 0
    }

    /// The open file, for locks and for what the owner may do with it.
    pub const fn file(&self) -> &File {
        self.file.file()
    }

    /// What the file is now.
    pub fn identity(&self) -> io::Result<Identity> {
        self.file.identity()
    }

    /// Fills `buffer` from the mapping; `false` where the mapping is too short or cannot be trusted (any more).
    fn copy(&self, buffer: &mut [u8], offset: u64) -> bool {
        let end = usize::try_from(offset).ok().and_then(|start| start.checked_add(buffer.len()));
        let (Ok(start), Some(true), true) = (usize::try_from(offset), end.map(|end| end <= self.map.len()), self.is_mapped()) else {
            return false;
        };
        // SAFETY: start + len lies in the mapping, which lives as long as self.
        let from = unsafe { self.map.as_ptr().add(start) };
        // SAFETY: it is the range above. The source is never seen as a reference, only copied; a page that has gone is
        // replaced by zeros in the signal handler, since the range is registered. The buffer is an exclusive borrow and so no
        // part of the mapping.
        unsafe { std::ptr::copy_nonoverlapping(from, buffer.as_mut_ptr(), buffer.len()) };
        // The handler counts before it maps zeros: whoever copied such zeros sees the count.
        fence(Ordering::SeqCst);
        self.is_mapped()
    }

    /// Lets go of what is mapped of a range, so that the system may forget it too; it comes back when it is read.
    pub fn let_go(&self, offset: u64, len: u64) {
        let page = PAGE_BYTES;
        let (start, end) = (offset & !page.saturating_sub(1), offset.saturating_add(len).checked_next_multiple_of(page));
        let place = |offset: u64| usize::try_from(offset).ok().map(|offset| offset.min(self.map.len()));
        let (Some(start), Some(end)) = (place(start), end.and_then(place)) else { return };
        if let Some(bytes) = end.checked_sub(start).filter(|bytes| *bytes > 0) {
            // SAFETY: the range lies in the mapping; its pages are those of a file that is mapped for reading, and come back
            // from that. It is advice: nothing depends on what comes of it.
            let _ = unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, bytes) };
        }
    }

    fn is_shorter(&self) -> io::Result<bool> {
        Ok(usize::try_from(self.file.len()?).is_ok_and(|len| len < self.map.len()))
    }
}

impl ReadAt for MappedFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let copied = self.copy(buffer, offset);
        // Past a new end the last page shows zeros and no signal comes: only the length tells.
        if copied && self.is_shorter()? {
            self.region.distrust();
        }
        // Even after a hit `pread` is asked: it knows whether this range is gone, failing, or as good as ever.
        if copied && self.is_mapped() { Ok(()) } else { self.file.read_exact_at(buffer, offset) }
    }

    fn read_trusting_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if buffer.len() < LONG_BYTES && self.copy(buffer, offset) { Ok(()) } else { self.file.read_trusting_at(buffer, offset) }
    }
}

/// To map the pages of what is longer, to copy from them and to let them go takes a quarter more time than to read it, and
/// nobody gains by it who will not come again.
const LONG_BYTES: usize = 64 << 10;

/// As large as any machine has them.
const PAGE_BYTES: u64 = 64 << 10;
/// From this length on a mapping is let go on all cores.
const LARGE_BYTES: usize = 1 << 30;
/// What one page of the page table stands for, which no two threads change at once.
const TABLE_BYTES: usize = 2 << 20;

impl Drop for MappedFile {
    /// To let go of a million pages takes one core as long as to read a tenth of them.
    fn drop(&mut self) {
        let (map, len) = (&self.map, self.map.len());
        if len < LARGE_BYTES {
            return;
        }
        let part = len.div_ceil(thread::available_parallelism().map_or(1, usize::from)).next_multiple_of(TABLE_BYTES);
        let mut start = 0_usize;
        thread::scope(|scope| {
            while start < len {
                let (from, bytes) = (start, part.min(len.saturating_sub(start)));
                // SAFETY: the range lies in the mapping, which nobody reads any more; and pages of a file that is mapped
                // for reading come back from the file. It is advice: nothing depends on what comes of it.
                let let_go = move || unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, from, bytes) };
                // Without a thread it is left to whoever unmaps.
                let _ = thread::Builder::new().spawn_scoped(scope, let_go);
                start = start.saturating_add(part);
            }
        });
    }
}

fn map(file: &PreadFile) -> io::Result<(Region, MmapRaw)> {
    let len = usize::try_from(file.len()?).map_err(io::Error::other)?;
    if len == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "an empty file cannot be mapped"));
    }
    sigbus::install()?;
    let map = MmapOptions::new().len(len).map_raw_read_only(file.file())?;
    // SAFETY: the range is a mapping of our own; MappedFile drops the region before the map.
    let region = unsafe { Region::register(map.as_ptr(), len)? };
    Ok((region, map))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use tempfile::NamedTempFile;

    const PAGE: usize = 4096;

    fn pattern(len: usize) -> Vec<u8> {
        (0..len).map(|at| u8::try_from(at % 251 + 1).unwrap()).collect()
    }

    fn mapped(bytes: &[u8]) -> (NamedTempFile, MappedFile) {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mapped = MappedFile::new(PreadFile::open(file.path()).unwrap()).unwrap();
        (file, mapped)
    }

    fn read(source: &dyn ReadAt, offset: usize, len: usize) -> Result<Vec<u8>, io::ErrorKind> {
        let mut buffer = vec![0; len];
        source.read_exact_at(&mut buffer, u64::try_from(offset).unwrap()).map_err(|error| error.kind()).map(|()| buffer)
    }

    #[test]
    fn what_was_let_go_comes_back() {
        let bytes = pattern(40 * PAGE + 9);
        let (_file, mapped) = mapped(&bytes);
        assert_eq!(read(&mapped, 0, bytes.len()).unwrap(), bytes);
        for (offset, len) in [(0, 1), (20 * PAGE as u64 - 1, 2), (40 * PAGE as u64, 9), (0, u64::MAX), (u64::MAX, 1), (1 << 40, 5), (7, 0)]
        {
            mapped.let_go(offset, len);
            assert_eq!(read(&mapped, 0, bytes.len()).unwrap(), bytes, "{offset} {len}");
        }
        assert!(mapped.is_mapped());
    }

    #[test]
    fn an_empty_file_cannot_be_mapped_and_comes_back() {
        let file = NamedTempFile::new().unwrap();
        let (file, error) = MappedFile::new(PreadFile::open(file.path()).unwrap()).unwrap_err();
        assert_eq!((error.kind(), file.len().unwrap()), (io::ErrorKind::InvalidInput, 0));
    }

    #[test]
    fn a_page_that_is_gone_is_an_error_and_ends_the_mapping() {
        let bytes = pattern(10 * PAGE);
        let (file, mapped) = mapped(&bytes);
        assert!(mapped.is_mapped());
        file.as_file().set_len(2 * PAGE as u64).unwrap();
        assert_eq!(read(&mapped, 5 * PAGE, 100), Err(io::ErrorKind::UnexpectedEof));
        assert_eq!(mapped.region.hits(), 1, "the signal came");
        assert!(!mapped.is_mapped());
        assert_eq!(read(&mapped, PAGE, 100).unwrap(), bytes[PAGE..PAGE + 100]);
        assert_eq!(mapped.len().unwrap(), 2 * PAGE as u64);
    }

    #[test]
    fn a_read_over_many_gone_pages_is_one_error() {
        let (file, mapped) = mapped(&pattern(64 * PAGE));
        file.as_file().set_len(0).unwrap();
        assert_eq!(read(&mapped, 0, 64 * PAGE), Err(io::ErrorKind::UnexpectedEof));
        assert_eq!(mapped.region.hits(), 64);
    }

    #[test]
    fn the_zeros_between_a_new_end_and_its_page_are_not_shown() {
        let bytes = pattern(PAGE);
        let (file, mapped) = mapped(&bytes);
        file.as_file().set_len(1000).unwrap();
        assert_eq!(read(&mapped, 900, 101), Err(io::ErrorKind::UnexpectedEof));
        assert_eq!(read(&mapped, 900, 100).unwrap(), bytes[900..1000]);
        assert!(!mapped.is_mapped());
    }

    #[test]
    fn what_was_appended_is_read_too() {
        let bytes = pattern(3 * PAGE);
        let (file, mapped) = mapped(&bytes[..PAGE + 10]);
        std::fs::write(file.path(), &bytes).unwrap();
        assert_eq!(read(&mapped, PAGE, 2 * PAGE).unwrap(), bytes[PAGE..]);
        assert_eq!(read(&mapped, 2 * PAGE, PAGE + 1), Err(io::ErrorKind::UnexpectedEof));
    }

    #[test]
    fn a_file_that_shrinks_under_four_readers_gives_true_bytes_or_the_end() {
        for round in 0..20 {
            let bytes = pattern(50 * PAGE + 123);
            let (file, mapped) = mapped(&bytes);
            let pread = PreadFile::open(file.path()).unwrap();
            let ended = AtomicBool::new(false);
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    let source: &dyn ReadAt = if thread == 3 { &pread } else { &mapped };
                    let (bytes, ended) = (&bytes, &ended);
                    scope.spawn(move || read_until(ended, source, bytes, round * 4 + thread));
                }
                for step in 0..60 {
                    file.as_file().set_len((bytes.len() - bytes.len() * step / 60) as u64).unwrap();
                    std::thread::yield_now();
                }
                file.as_file().set_len(0).unwrap();
                ended.store(true, Ordering::Relaxed);
            });
            assert_eq!(read(&mapped, 0, 1), Err(io::ErrorKind::UnexpectedEof));
            assert!(!mapped.is_mapped());
        }
    }

    #[test]
    fn a_large_mapping_that_is_let_go_leaves_others_alone() {
        let (file, small) = mapped(b"the beginning");
        file.as_file().set_len(LARGE_BYTES as u64 + 5000).unwrap();
        let [first, second] = [(); 2].map(|()| MappedFile::new(PreadFile::open(file.path()).unwrap()).unwrap());
        for place in [0, LARGE_BYTES / 2, LARGE_BYTES + 4000] {
            read(&first, place, 1000).unwrap();
        }
        drop(first);
        assert_eq!(
            (read(&second, 0, 13).unwrap(), read(&second, LARGE_BYTES + 4990, 10).unwrap()),
            (b"the beginning".to_vec(), vec![0; 10])
        );
        assert_eq!(read(&small, 4, 9).unwrap(), b"beginning");
    }

    fn read_until(ended: &AtomicBool, source: &dyn ReadAt, bytes: &[u8], seed: usize) {
        let mut state = seed.wrapping_mul(0x9e37_79b9).wrapping_add(1);
        while !ended.load(Ordering::Relaxed) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let offset = (state >> 33) % bytes.len();
            let len = (state >> 20) % (3 * PAGE).min(bytes.len() - offset) + 1;
            match read(source, offset, len) {
                Ok(found) => assert!(found == bytes[offset..offset + len], "made-up bytes at {offset}, {len} long"),
                Err(kind) => assert_eq!(kind, io::ErrorKind::UnexpectedEof),
            }
        }
    }

    #[test]
    fn a_file_that_is_cut_and_written_again_under_four_readers_never_kills() {
        let bytes = pattern(20 * PAGE);
        let (file, first) = mapped(&bytes);
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !ended.load(Ordering::Relaxed) {
                        let Ok(again) = MappedFile::new(PreadFile::open(file.path()).unwrap()) else { continue };
                        for source in [&first, &again] {
                            let found = read(source, 7 * PAGE, 5 * PAGE);
                            assert!(matches!(found, Ok(_) | Err(io::ErrorKind::UnexpectedEof)));
                        }
                    }
                });
            }
            for _ in 0..300 {
                file.as_file().set_len(0).unwrap();
                std::fs::write(file.path(), &bytes).unwrap();
            }
            ended.store(true, Ordering::Relaxed);
        });
        assert_eq!(read(&first, 0, bytes.len()).unwrap(), bytes);
    }
}
