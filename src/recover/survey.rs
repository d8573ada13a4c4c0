//! What stands in a file, whoever names it: one pass over all its bytes that finds blocks by their trailers and pages of
//! B-trees by theirs.
//!
//! Blocks and pages are immutable and their ids are never given out twice ([MS-PST] 2.6.1), so whatever verifies is what
//! its id once meant, live or not. Nothing is followed and nothing is decoded here; who wants to know what is live asks
//! the trees or the allocation maps.

use std::io::Read;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::halves;
use super::lists::equal;
use crate::damage::{Error, Result};
use crate::disk::{ReadAt, Spill};
use crate::format::block::BlockTrailer;
use crate::format::btree::{BTreePage, BlockEntry, NodeEntry};
use crate::format::checksum;
use crate::format::cipher::Cipher;
use crate::format::codec::{self, Field};
use crate::format::heap::{HEAP_SIGNATURE, HeapClient, HeapHeader};
use crate::format::id::{Bid, BlockRef, Ib};
use crate::format::page::{Page, PageKind};
use crate::format::{Format, Layout};
use crate::ndb::BlockCrc;
use crate::progress::Progress;

/// A block that stands in the file: what its trailer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundBlock {
    /// Its id, as its trailer has it, but for a bit that was flipped.
    pub bid: Bid,
    /// Where it begins.
    pub ib: Ib,
    /// Bytes of data as stored.
    pub size: u16,
    /// Bytes of data after inflating.
    pub inflated: u16,
    /// Whether it stands as it was written: its CRC matches, and its id is the trailer's; the signature of each matches.
    pub is_right: bool,
    /// Whether it can be had as it was written: its CRC matches, with one bit of data or id turned back if need be.
    pub is_whole: bool,
    /// What the heap holds that the data begin with, were they encoded by each of [`Cipher::ALL`]; 0 where it is no heap.
    pub heap: [HeapClient; 3],
}

impl FoundBlock {
    /// What the heap holds that the data begin with; `None` where they begin with something else.
    pub fn heap(&self, cipher: Cipher) -> Option<HeapClient> {
        let clients = Cipher::ALL.into_iter().zip(self.heap);
        clients.filter(|(of, client)| *of == cipher && client.0 != 0).map(|(_, client)| client).next()
    }
}

/// A page of a B-tree that stands in the file: CRC or signature match its contents and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundPage {
    /// Its id: ids of pages ascend with time.
    pub bid: Bid,
    /// Where it begins.
    pub ib: Ib,
    /// [`PageKind::NODES`] or [`PageKind::BLOCKS`].
    pub kind: PageKind,
    /// 0 for leaves.
    pub level: u8,
    /// Whether the CRC matches, with one bit turned back if need be.
    pub crc_ok: bool,
    /// Whether the signature matches: the page was written for this place.
    pub signature_ok: bool,
}

/// All blocks and B-tree pages of a file.
#[derive(Debug)]
pub struct Survey {
    /// The variant of the format that the file was searched for.
    pub format: Format,
    /// By id without its reserved bit; of one id the best first, then by place.
    pub blocks: Spill<FoundBlock>,
    /// By id, the newest last.
    pub pages: Spill<FoundPage>,
    /// Whether there was more than memory is given for.
    pub is_cut: bool,
}

/// Bytes of a heap's header.
const HEAD_BYTES: usize = 12;
/// What heaps in real stores hold ([MS-PST] 2.3.1.2).
const HEAPS: [HeapClient; 9] = [
    HeapClient::TABLE,
    HeapClient::PROPERTIES,
    HeapClient::BTREE,
    HeapClient(0x6c),
    HeapClient(0x8c),
    HeapClient(0x9c),
    HeapClient(0xa5),
    HeapClient(0xac),
    HeapClient(0xcc),
];
/// How many bytes of the file a thread takes at a time.
const CHUNK_BYTES: u64 = 1 << 20;
/// What is read piece by piece where a chunk cannot be read: a sector of today's disks.
const SECTOR_BYTES: usize = 4096;
/// The most blocks and pages that are kept, of 24 bytes each: as many as a store of 50 GB has, or one of 25 GB of short
/// letters.
const FOUND_MAX: usize = 40_000_000;

impl Survey {
    /// The copies of a block, the best first.
    pub fn copies(&self, bid: Bid) -> &[FoundBlock] {
        equal(&self.blocks, bid.key(), |block| block.bid.key())
    }
}

/// Searches the whole file for blocks and B-tree pages of this format, on all cores.
///
/// What cannot be read is left out; an error only where the user asked to stop, or the file is no longer the one that was
/// opened.
pub fn survey(source: &dyn ReadAt, format: Format, progress: &Progress) -> Result<Survey> {
    let file_bytes = source.len()?;
    progress.begin("Searching for blocks and pages", file_bytes)?;
    let search = Search { source, format, layout: format.layout(), file_bytes, next: AtomicU64::new(0), found: Mutex::default() };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(|| search.work(progress))).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(Error::Io(std::io::Error::other("a search broke off")))))
    })?;
    if source.was_changed()? {
        return Err(Error::Io(std::io::Error::other("the file was changed by another program while it was searched")));
    }
    Ok(search.finish())
}

/// How many blocks that end in a part of the file verify in this format, and how many stand where they were written for.
pub(super) fn sound_blocks(source: &dyn ReadAt, format: Format, start: u64, end: u64) -> (usize, usize) {
    let layout = format.layout();
    let before = start.saturating_sub(u64::try_from(layout.block_max_bytes).unwrap_or(0));
    let bytes = read(source, before, end);
    let window = Window { format, layout, start: before, bytes: &bytes };
    let blocks = window.ends(start, end, layout.unit_bytes).filter_map(|at| window.block(at));
    blocks.fold((0, 0), |(sound, signed), block| (sound.saturating_add(block.is_whole.into()), signed.saturating_add(1)))
}

/// Blocks that end in a part of a file and verify by their CRC alone, wherever their store began: their ranges, and trailers.
pub(super) fn crc_blocks(source: &dyn ReadAt, format: Format, start: u64, end: u64) -> Vec<(Range<u64>, BlockTrailer)> {
    let layout = format.layout();
    let before = start.saturating_sub(u64::try_from(layout.block_max_bytes).unwrap_or(0));
    let bytes = read(source, before, end);
    let window = Window { format, layout, start: before, bytes: &bytes };
    window.ends(start, end, layout.unit_bytes).filter_map(|at| window.crc_block(at)).collect()
}

/// A search under way.
struct Search<'a> {
    source: &'a dyn ReadAt,
    format: Format,
    layout: &'static Layout,
    file_bytes: u64,
    /// The chunk that the next free thread takes.
    next: AtomicU64,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    blocks: Spill<FoundBlock>,
    pages: Spill<FoundPage>,
}

impl Search<'_> {
    fn work(&self, progress: &Progress) -> Result<()> {
        loop {
            let chunk = self.next.fetch_add(1, Ordering::Relaxed).saturating_mul(CHUNK_BYTES);
            if chunk >= self.file_bytes {
                return Ok(());
            }
            let end = chunk.saturating_add(CHUNK_BYTES).min(self.file_bytes);
            self.search(chunk, end);
            progress.add(end.saturating_sub(chunk))?;
        }
    }

    /// Searches for what ends in `start + 1..=end`.
    fn search(&self, start: u64, end: u64) {
        // Blocks that end here may begin before.
        let before = start.saturating_sub(u64::try_from(self.layout.block_max_bytes).unwrap_or(0));
        let bytes = read(self.source, before, end);
        let window = Window { format: self.format, layout: self.layout, start: before, bytes: &bytes };
        let mut found = Found::default();
        window.ends(start, end, self.layout.unit_bytes).for_each(|at| found.blocks.extend(window.block(at)));
        let page = u64::try_from(self.layout.page_bytes).unwrap_or(u64::MAX);
        window.ends(start, end, page).for_each(|at| found.pages.extend(window.page(at)));
        let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let (blocks, pages) = (FOUND_MAX.saturating_sub(all.blocks.len()), FOUND_MAX.saturating_sub(all.pages.len()));
        all.blocks.extend(found.blocks.iter().copied().take(blocks));
        all.pages.extend(found.pages.iter().copied().take(pages));
    }

    fn finish(self) -> Survey {
        let Found { mut blocks, mut pages } = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let is_cut = blocks.len() >= FOUND_MAX || pages.len() >= FOUND_MAX;
        // Blocks' ids are given out one after the other: what has a higher one than all that verifies is chance.
        // Where none verifies nothing tells.
        if let Some(last) = blocks.iter().filter(|block| block.is_whole).map(|block| block.bid.key()).max() {
            blocks.retain(|_, block| block.is_whole || block.bid.key() <= last);
        }
        sort(&mut blocks, &mut pages);
        let turn = |block: &mut FoundBlock, flip| (block.bid.0, block.is_right) = (block.bid.0 ^ flip, false);
        let blocks_righted = halves::right(&mut blocks, turn, |block| block.bid.key(), |block| block.is_whole);
        let turn = |page: &mut FoundPage, flip| page.bid.0 ^= flip;
        let pages_righted = halves::right(&mut pages, turn, |page| page.bid, |page| page.crc_ok && page.signature_ok);
        if blocks_righted || pages_righted {
            sort(&mut blocks, &mut pages);
        }
        Survey { format: self.format, blocks, pages, is_cut }
    }
}

fn sort(blocks: &mut Spill<FoundBlock>, pages: &mut Spill<FoundPage>) {
    blocks.sort_unstable_by_key(|block| (block.bid.key(), !block.is_right, !block.is_whole, block.ib));
    pages.sort_unstable_by_key(|page| (page.bid, page.ib));
}

/// A part of the file in memory.
struct Window<'a> {
    format: Format,
    layout: &'static Layout,
    start: u64,
    bytes: &'a [u8],
}

impl Window<'_> {
    /// The offsets in `start + 1..=end` at which something of this alignment may end.
    fn ends(&self, start: u64, end: u64, unit: u64) -> impl Iterator<Item = u64> {
        let first = start.checked_div(unit).and_then(|units| units.checked_add(1)?.checked_mul(unit)).unwrap_or(u64::MAX);
        std::iter::successors(Some(first), move |at| at.checked_add(unit)).take_while(move |at| *at <= end)
    }

    /// The `len` bytes that end at offset `end`.
    fn ending(&self, end: u64, len: usize) -> Option<&[u8]> {
        let end = usize::try_from(end.checked_sub(self.start)?).ok()?;
        codec::cut(self.bytes, end.checked_sub(len)?, len)
    }

    /// What may be the trailer of a block that ends at this offset, and how many bytes that block takes.
    fn trailer(&self, end: u64) -> Option<(BlockTrailer, usize)> {
        let trailer_bytes = self.layout.block_trailer_bytes;
        let trailer = self.ending(end, trailer_bytes)?;
        // Most places end here: nothing else is asked of a size of zero.
        let size = usize::from(codec::decode::<u16>(self.format, trailer).ok()?);
        if size == 0 || size > self.layout.data_max_bytes {
            return None;
        }
        let trailer: BlockTrailer = codec::decode(self.format, trailer).ok()?;
        let unit = usize::try_from(self.layout.unit_bytes).ok()?;
        let whole = size.checked_add(trailer_bytes)?.checked_next_multiple_of(unit)?;
        (!trailer.bid.is_none()).then_some((trailer, whole))
    }

    /// The block that ends at this offset by its CRC.
    fn crc_block(&self, end: u64) -> Option<(Range<u64>, BlockTrailer)> {
        /// Ids are given out one after the other, so that no store comes near this.
        const BID_MAX: u64 = 1 << 40;
        let (trailer, whole) = self.trailer(end)?;
        // Zeros have a CRC of zero, and disks are full of them.
        if trailer.crc == 0 || trailer.bid != trailer.bid.key() || trailer.bid.0 > BID_MAX {
            return None;
        }
        let data = self.ending(end, whole)?.get(..trailer.size.into())?;
        let at = end.checked_sub(u64::try_from(whole).ok()?)?;
        (checksum::crc(data) == trailer.crc).then_some((at..end, trailer))
    }

    /// The block whose trailer ends at this offset.
    fn block(&self, end: u64) -> Option<FoundBlock> {
        let (trailer, whole) = self.trailer(end)?;
        let ib = Ib(end.checked_sub(u64::try_from(whole).ok()?)?);
        if ib.0 < self.layout.amap_first || trailer.signature != checksum::signature(ib, trailer.bid) {
            return None;
        }
        let block = self.ending(end, whole)?;
        let data = block.get(..trailer.size.into())?;
        let entry = BlockEntry { block: BlockRef { bid: trailer.bid, ib }, size: trailer.size, ..BlockEntry::default() };
        let crc = BlockCrc::of(block, &entry, &trailer);
        // The spare bit is clear in every block seen; where the CRC is wrong too this is chance.
        if crc != BlockCrc::Right && (trailer.bid != trailer.bid.key() || trailer.inflated < trailer.size) {
            return None;
        }
        let (is_right, is_whole) = (crc == BlockCrc::Right, crc != BlockCrc::Wrong);
        let data = crc.written(data);
        let heap = if trailer.bid.is_internal() { Default::default() } else { heads(self.format, &trailer, &data) };
        Some(FoundBlock { bid: trailer.bid, ib, size: trailer.size, inflated: trailer.inflated, is_right, is_whole, heap })
    }

    /// The B-tree page that ends at this offset.
    fn page(&self, end: u64) -> Option<FoundPage> {
        let ib = Ib(end.checked_sub(u64::try_from(self.layout.page_bytes).ok()?)?);
        let page = Page::decode(self.format, self.ending(end, self.layout.page_bytes)?).ok()?;
        let kind = page.trailer.kind;
        if ![PageKind::NODES, PageKind::BLOCKS].contains(&kind) || !page.is(kind) || ib.0 < self.layout.amap_first {
            return None;
        }
        let faults = page.faults(ib);
        let (crc_ok, signature_ok) = (faults.is_whole(), faults.signature.is_none());
        let body = page.written(&faults);
        let body = BTreePage::decode(self.format, &body).ok()?;
        // Entries of nodes are longer than those of inner pages: they stand in leaves, whatever the page says of its level.
        let is_leaf = kind == PageKind::NODES && usize::from(body.info.entry_bytes) == NodeEntry::size(self.format);
        let level = if is_leaf { 0 } else { body.info.level };
        (crc_ok || signature_ok).then_some(FoundPage { bid: page.trailer.bid, ib, kind, level, crc_ok, signature_ok })
    }
}

/// What heap the data of a block begin with, by each cipher.
fn heads(format: Format, trailer: &BlockTrailer, data: &[u8]) -> [HeapClient; 3] {
    let inflated = (trailer.inflated != trailer.size).then(|| inflated_head(data));
    let head = inflated.as_deref().unwrap_or(data);
    Cipher::ALL.map(|cipher| {
        let mut head: Vec<u8> = head.iter().take(HEAD_BYTES).copied().collect();
        cipher.decode(&mut head, trailer.bid);
        let header = codec::decode::<HeapHeader>(format, &head).ok();
        let is_heap = |header: &HeapHeader| header.signature == HEAP_SIGNATURE && HEAPS.contains(&header.client);
        header.filter(is_heap).map(|header| header.client).unwrap_or_default()
    })
}

fn inflated_head(data: &[u8]) -> Vec<u8> {
    let mut head = vec![0; HEAD_BYTES];
    // A stream that does not inflate leaves zeros, which are no heap.
    let _ = flate2::read::ZlibDecoder::new(data).read_exact(&mut head);
    head
}

/// The bytes from `start` to `end`; where the file cannot be read, zeros, which are nothing.
pub(super) fn read(source: &dyn ReadAt, start: u64, end: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(end.saturating_sub(start)).unwrap_or(0)];
    if source.read_exact_at(&mut bytes, start).is_err() {
        let mut at = start;
        for sector in bytes.chunks_mut(SECTOR_BYTES) {
            if source.read_exact_at(sector, at).is_err() {
                sector.fill(0);
            }
            at = at.saturating_add(u64::try_from(SECTOR_BYTES).unwrap_or(0));
        }
    }
    bytes
}
