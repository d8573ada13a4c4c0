//! Every block of the file, read once in the order of the file and checked against its entry (B01 to B09, B21).
//!
//! Relies on the [`Table`] of blocks and on whose each one is. All cores read and compute, each a part of the file; what
//! they find is told in the order of the file, whoever was first.

use super::Low;
use super::spans::{Before, Spans};
use super::table::{InParts, Row, Table};
use super::units::Units;
use crate::damage::{Code, Finding, Place, Result, Severity};
use crate::format::amap;
use crate::format::block::BlockTrailer;
use crate::format::btree::BlockEntry;
use crate::format::checksum;
use crate::format::codec::{self, Field};
use crate::format::id::Ib;
use crate::ndb::{self, BlockCrc};
use crate::scan::pool::{self, Weight};

/// Bytes between two looks at whether to go on.
const STEP_BYTES: u64 = 256 << 10;

/// How much is read at once: each request takes its time, whatever its length, and what it brings stays in a core's own cache
/// until it is summed.
const READ_BYTES: u64 = 256 << 10;
/// The most bytes of a gap that are read along with the blocks around it.
const GAP_BYTES: u64 = 16 << 10;

/// Reads all blocks, and sorts the parts that they lie in; marks the units that they take in `owned`, which has those of
/// pages.
pub(super) fn run(low: &Low<'_>, table: &Table, parts: &mut InParts, owned: &mut Units) -> Result<()> {
    low.phase("Validating blocks", parts.bytes)?;
    twice(low, table);
    let mut padded = Padded::default();
    let mut end = Before::default();
    // Of two parts at a time those blocks are told first that lie on others, then what the blocks show.
    let mut waiting: Option<Vec<Finding>> = None;
    let tell = |findings: Vec<Finding>| findings.into_iter().for_each(|finding| low.report.finding(finding));
    pool::in_order(
        |send| parts.each(table, send),
        |part: &mut [u32]| {
            table.sort(part);
            read(low, table, part)
        },
        |found| {
            end.claim_all(low, table, found.order, &found.spans, owned);
            padded.add(&found.padded);
            match waiting.take() {
                Some(before) => [before, found.findings].into_iter().for_each(tell),
                None => waiting = Some(found.findings),
            }
            Ok(())
        },
    )?;
    waiting.into_iter().for_each(tell);
    padded.tell(low);
    Ok(())
}

/// Ids that several entries have.
fn twice(low: &Low<'_>, table: &Table) {
    let mut before = None;
    for row in table.rows().iter().filter(|row| row.is_in_use()) {
        if before == Some(row.bid().key()) {
            low.report.add(Code::BlockEntry, row.place(), "a second entry of this id");
        } else if row.bid().is_none() || row.bid() != row.bid().key() {
            low.report.add(Code::BlockEntry, row.place(), "");
        }
        before = Some(row.bid().key());
    }
    let next = low.header.next_block;
    if next.0 & 3 != 0 || before.is_some_and(|last| last.0 & !3 >= next.0) {
        low.report.add(Code::HeaderNextBlock, Place::FILE, format!("it is {next}, the highest in use is {}", before.unwrap_or_default()));
    }
}

/// What a thread found in its part.
#[derive(Debug, Default)]
struct Found<'o> {
    /// The part.
    order: &'o [u32],
    spans: Spans,
    findings: Vec<Finding>,
    padded: Padded,
}

impl Weight for Found<'_> {
    fn weight(&self) -> usize {
        self.findings.len().saturating_add(self.spans.len())
    }
}

/// Blocks with data behind their end.
#[derive(Debug, Default)]
struct Padded {
    first: Option<Place>,
    count: u64,
}

impl Padded {
    fn add(&mut self, other: &Self) {
        self.first = self.first.or(other.first);
        self.count = self.count.saturating_add(other.count);
    }

    /// One line for all: healthy files may have it in every block.
    fn tell(&self, low: &Low<'_>) {
        if let Some(first) = self.first {
            low.report.add(Code::BlockPadding, first, format!("{} such blocks, the first one here", self.count));
        }
    }
}

/// Reads the blocks at these positions, several at once where they lie next to each other.
fn read<'o>(low: &Low<'_>, table: &Table, order: &'o [u32]) -> Result<Found<'o>> {
    let mut found = Found { order, ..Found::default() };
    let mut rows = order.iter().filter_map(|at| table.at(*at)).peekable();
    let (mut bytes, mut run) = (Vec::new(), Vec::new());
    let mut counted = 0_u64;
    while let Some(row) = rows.next() {
        let entry = row.entry();
        let start = row.ib();
        let mut end = start.0.saturating_add(entry.stored_bytes(low.format));
        counted = counted.saturating_add(entry.stored_bytes(low.format));
        found.place(low, row, &entry);
        if is_read(low, &entry) {
            run.clear();
            run.push(*row);
            while let Some(next) = rows.next_if(|next| joins(low, next, start, end)) {
                let entry = next.entry();
                let stored = entry.stored_bytes(low.format);
                counted = counted.saturating_add(stored);
                found.place(low, next, &entry);
                end = end.max(next.ib().0.saturating_add(stored));
                run.push(*next);
            }
            bytes.resize(usize::try_from(end.saturating_sub(start.0)).unwrap_or(0), 0);
            low.read_blocks(&mut bytes, start)?;
            run.iter().for_each(|row| found.block(low, row, start, &bytes));
        }
        if counted >= STEP_BYTES {
            low.progress.add(std::mem::take(&mut counted))?;
        }
    }
    low.progress.add(counted)?;
    Ok(found)
}

/// Whether a block can be read together with those from `start` to `end`.
fn joins(low: &Low<'_>, next: &Row, start: Ib, end: u64) -> bool {
    let entry = next.entry();
    let last = next.ib().0.saturating_add(entry.stored_bytes(low.format));
    is_read(low, &entry) && next.ib().0 <= end.saturating_add(GAP_BYTES) && last.saturating_sub(start.0) <= READ_BYTES
}

/// Whether a block's bytes are looked at.
fn is_read(low: &Low<'_>, entry: &BlockEntry) -> bool {
    !low.blocks.known().is_some_and(|known| known.has(low.format, entry)) && can_be_read(low, entry)
}

/// Whether a block can be where its entry says.
pub(super) fn can_be_read(low: &Low<'_>, entry: &BlockEntry) -> bool {
    let layout = low.format.layout();
    let bytes = entry.stored_bytes(low.format);
    let fits = usize::try_from(bytes).is_ok_and(|bytes| bytes <= layout.block_max_bytes);
    entry.size > 0 && fits && entry.block.ib.is_aligned(layout.unit_bytes) && low.holds(entry.block.ib, bytes)
}

/// A block's data, inflated; `None` where they do not inflate. Encoded data stay encoded.
///
/// A bit that is flipped is told by the pass over all blocks. Here it is turned back, so that it is not told again by what
/// it leads to.
pub(super) fn data(low: &Low<'_>, entry: &BlockEntry) -> Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; usize::try_from(entry.stored_bytes(low.format)).unwrap_or(0)];
    low.read(&mut bytes, entry.block.ib)?;
    let trailer_at = bytes.len().saturating_sub(BlockTrailer::size(low.format));
    let trailer = bytes.get(trailer_at..).and_then(|bytes| codec::decode::<BlockTrailer>(low.format, bytes).ok());
    if let Some(flip) = trailer.and_then(|trailer| BlockCrc::of(&bytes, entry, &trailer).flip()) {
        flip.undo(&mut bytes);
    }
    bytes.truncate(entry.size.into());
    Ok(if entry.size == entry.inflated { Some(bytes) } else { inflated(entry, &bytes) })
}

/// Compressed data at full length; `None` where they do not inflate.
fn inflated(entry: &BlockEntry, bytes: &[u8]) -> Option<Vec<u8>> {
    let wanted = usize::from(entry.inflated);
    let data = ndb::inflate(bytes, wanted);
    (data.len() == wanted).then_some(data)
}

impl Found<'_> {
    fn tell(&mut self, code: Code, row: &Row, detail: impl Into<String>) {
        self.findings.push(Finding::new(code, row.place(), detail));
    }

    /// What the entry alone shows.
    fn place(&mut self, low: &Low<'_>, row: &Row, entry: &BlockEntry) {
        if can_be_read(low, entry) {
            self.spans.add(entry.block.bid.0, entry.block.ib.0, entry.block.ib.0.saturating_add(entry.stored_bytes(low.format)));
        }
        let layout = low.format.layout();
        let (ib, bytes) = (entry.block.ib, entry.stored_bytes(low.format));
        if entry.size == 0 || entry.inflated == 0 || usize::from(entry.size.max(entry.inflated)) > layout.data_max_bytes {
            self.tell(Code::BlockLength, row, format!("{} bytes, {} of them inflated", entry.size, entry.inflated));
        }
        if !ib.is_aligned(layout.unit_bytes) || !low.holds(ib, bytes) {
            return self.tell(Code::BlockPlace, row, format!("{bytes:#x} bytes, the file has {:#x}", low.file_bytes));
        }
        let last = Ib(ib.0.saturating_add(bytes).saturating_sub(1));
        let (part, end) = (amap::map_of(low.format, ib), amap::map_of(low.format, last));
        if part.is_none() {
            self.tell(Code::HeadSpace, row, "a block");
        } else if part != end || part.is_some_and(|part| on_map(low, part, ib, bytes)) {
            self.tell(Code::BlockCrosses, row, format!("it ends at {last}"));
        }
    }

    /// What its bytes show; `bytes` begin at `start` of the file.
    fn block(&mut self, low: &Low<'_>, row: &Row, start: Ib, bytes: &[u8]) {
        let entry = row.entry();
        let (Some(at), Ok(whole)) = (index(entry.block.ib, start), usize::try_from(entry.stored_bytes(low.format))) else { return };
        let trailer_at = whole.saturating_sub(BlockTrailer::size(low.format));
        let Some(block) = codec::cut(bytes, at, whole) else { return };
        let (Some(data), Some(padding), Some(trailer)) = (
            block.get(..entry.size.into()),
            block.get(entry.size.into()..trailer_at),
            block.get(trailer_at..).and_then(|bytes| codec::decode::<BlockTrailer>(low.format, bytes).ok()),
        ) else {
            return;
        };
        let crc = BlockCrc::of(block, &entry, &trailer);
        if self.trailer(row, &entry, &trailer, data, crc) && low.format == crate::format::Format::Unicode4k {
            self.compressed(row, &entry, &trailer, &crc.written(data));
        }
        if padding.iter().any(|byte| *byte != 0) {
            self.padded.add(&Padded { first: Some(row.place()), count: 1 });
        }
    }

    /// What is wrong with a trailer, given what its CRC says of the data; returns whether it is the block's own.
    fn trailer(&mut self, row: &Row, entry: &BlockEntry, trailer: &BlockTrailer, data: &[u8], crc: BlockCrc) -> bool {
        let is_named = trailer.bid.key() == entry.block.bid.key();
        let is_own = trailer.is_of(entry.block);
        let signature = checksum::signature(entry.block.ib, if is_own && !is_named { entry.block.bid } else { trailer.bid });
        if !is_own {
            // It is another block's, or none at all: that is one thing, however much of it does not fit.
            let fits =
                [(trailer.size == entry.size, "size"), (signature == trailer.signature, "signature"), (crc == BlockCrc::Right, "CRC")];
            let wrong: Vec<&str> = fits.into_iter().filter(|(fits, _)| !fits).map(|(_, name)| name).collect();
            let also = if wrong.is_empty() { String::new() } else { format!("; wrong too: {}", wrong.join(", ")) };
            self.tell(Code::BlockBid, row, format!("the block says {}{also}", trailer.bid));
            return false;
        }
        if !is_named {
            self.tell(Code::BlockBid, row, format!("the block says {}; one bit is flipped, the signature is right", trailer.bid));
        }
        if trailer.size != entry.size {
            self.tell(Code::BlockSize, row, format!("the block says {}, the tree says {}", trailer.size, entry.size));
        }
        if signature != trailer.signature {
            self.tell(Code::BlockSignature, row, format!("stored {:#06x}, computed {signature:#06x}", trailer.signature));
        }
        if crc != BlockCrc::Right {
            let detail = checksum::mismatch(trailer.crc, checksum::crc(data), crc.flip());
            let finding = Finding::new(Code::BlockCrc, row.place(), detail);
            // Some writers store no CRC: all else is right then.
            let untold = trailer.crc == 0 && trailer.size == entry.size && signature == trailer.signature;
            self.findings.push(if untold { finding.at_most(Severity::Warning) } else { finding });
        }
        true
    }

    /// What only 4K files have: a second size, a constant, and data that may be compressed.
    fn compressed(&mut self, row: &Row, entry: &BlockEntry, trailer: &BlockTrailer, data: &[u8]) {
        if trailer.inflated != entry.inflated {
            self.tell(Code::BlockInflate, row, format!("the block says {}, the tree says {}", trailer.inflated, entry.inflated));
        } else if trailer.extra != 2 {
            self.findings.push(
                Finding::new(Code::BlockInflate, row.place(), format!("the trailer has {} where others have 2", trailer.extra))
                    .at_most(Severity::Warning),
            );
        } else if entry.size != entry.inflated && inflated(entry, data).is_none() {
            self.tell(Code::BlockInflate, row, format!("not to {} bytes", entry.inflated));
        }
    }
}

fn index(ib: Ib, start: Ib) -> Option<usize> {
    usize::try_from(ib.0.checked_sub(start.0)?).ok()
}

/// Whether these bytes of a part lie on one of its map pages.
fn on_map(low: &Low<'_>, part: u64, ib: Ib, bytes: u64) -> bool {
    let end = ib.0.saturating_add(bytes);
    let page = low.page_bytes();
    amap::pages_at(low.format, part).any(|(behind, _)| {
        let at = amap::map_offset(low.format, part).map_or(u64::MAX, |map| map.0.saturating_add(behind));
        at < end && ib.0 < at.saturating_add(page)
    })
}
