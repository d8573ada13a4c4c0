//! The maps of what is in use (P13 to P17, P19 to P21, H11, H12): compared with what the trees use.
//!
//! Relies on the units that pages and blocks take. Tells the listener what the file's space is used for, as a picture.

use super::Low;
use super::table::Table;
use super::units::Units;
use crate::damage::{Code, Finding, Place, Result, Severity};
use crate::format::Format;
use crate::format::amap;
use crate::format::codec;
use crate::format::id::Ib;
use crate::format::page::{Page, PageKind};
use crate::scan::report::{Event, Space};

/// How many pieces the picture of a file has, at most.
const PIECES_MAX: u64 = 4096;

/// What the maps say together.
#[derive(Debug, Default)]
struct Sums {
    free_bytes: u64,
    free_page_bytes: u64,
    /// Whether each map could be read.
    whole: bool,
    /// The bits of the page map that stands for the part, and the part that it begins at.
    pages: Vec<u8>,
}

/// Compares each part of the file with its allocation map; `whole` says whether all that is in use is known.
pub(super) fn run(low: &Low<'_>, table: &Table, order: &[u32], owned: &Units, whole: bool) -> Result<()> {
    let parts = parts(low);
    low.phase("Validating AMap", parts.saturating_mul(low.page_bytes()))?;
    let mut maps = Maps {
        low,
        table,
        order,
        whole,
        sums: Sums { whole: low.file_bytes >= low.header.root.file_eof.0, ..Sums::default() },
        picture: Picture::new(low),
    };
    for part in 0..parts {
        low.progress.add(low.page_bytes())?;
        maps.part(part, owned)?;
    }
    maps.picture.flush();
    maps.compare();
    density_list(low, parts)
}

/// How many parts the file has, one that is cut off included.
fn parts(low: &Low<'_>) -> u64 {
    let layout = low.format.layout();
    let end = low.header.root.file_eof.0.min(low.file_bytes);
    end.saturating_sub(layout.amap_first).div_ceil(layout.amap_coverage.max(1))
}

struct Maps<'a, 'b> {
    low: &'a Low<'b>,
    table: &'a Table,
    order: &'a [u32],
    whole: bool,
    sums: Sums,
    picture: Picture<'a, 'b>,
}

impl Maps<'_, '_> {
    fn part(&mut self, part: u64, owned: &Units) -> Result<()> {
        let low = self.low;
        let Some(start) = amap::map_offset(low.format, part) else { return Ok(()) };
        let mut bits = None;
        let mut maps = Vec::new();
        for (behind, kind) in amap::pages_at(low.format, part) {
            let ib = Ib(start.0.saturating_add(behind));
            let body = self.map(ib, kind)?;
            match (kind, body) {
                (PageKind::AMAP, body) => bits = body,
                (PageKind::PMAP, body) => self.sums.pages = body.unwrap_or_default(),
                _ => {}
            }
            maps.push((behind, kind));
        }
        let Some(bits) = bits else {
            self.sums.whole = false;
            return Ok(());
        };
        if amap::pages_at(low.format, part).any(|(behind, kind)| kind == PageKind::PMAP && behind > 0) {
            self.sums.free_page_bytes =
                self.sums.free_page_bytes.saturating_add(amap::free_units(&self.sums.pages).saturating_mul(low.page_bytes()));
        }
        self.compare_part(part, start, &bits, owned, &maps);
        Ok(())
    }

    /// The bits of a map page; `None` where it is damaged, which is told.
    fn map(&self, ib: Ib, kind: PageKind) -> Result<Option<Vec<u8>>> {
        let low = self.low;
        let code = match kind {
            PageKind::AMAP => Code::AllocationMap,
            PageKind::PMAP => Code::PageMap,
            _ => Code::FreeMap,
        };
        let here = Place::offset(ib.0);
        if !low.holds(ib, low.page_bytes()) {
            low.report.add(code, here, format!("the {} lies outside the file", kind.name()));
            return Ok(None);
        }
        let mut bytes = vec![0; low.format.layout().page_bytes];
        low.read(&mut bytes, ib)?;
        let Ok(page) = Page::decode(low.format, &bytes) else { return Ok(None) };
        let faults = page.faults(ib);
        let wrong = match () {
            () if !page.is(kind) => format!("its kinds are {:#x} and {:#x}", page.trailer.kind.0, page.trailer.kind_again.0),
            () if page.trailer.bid.0 != ib.0 => format!("its id is {}", page.trailer.bid),
            () if faults.crc.is_some() => format!("its CRC is {:#010x}, not {:#010x}", page.trailer.crc, faults.crc.unwrap_or(0)),
            () if faults.signature.is_some() => format!("its signature is {:#x}", page.trailer.signature),
            () => return Ok(amap::bits(low.format, page.body).map(<[u8]>::to_vec)),
        };
        low.report.add(code, here, format!("{}: {wrong}", kind.name()));
        Ok(None)
    }

    fn compare_part(&mut self, part: u64, start: Ib, bits: &[u8], owned: &Units, maps: &[(u64, PageKind)]) {
        let low = self.low;
        let layout = low.format.layout();
        let unit = layout.unit_bytes;
        let none = vec![0; layout.amap_bits_bytes];
        let mut used = owned.part(part).unwrap_or(&none).to_vec();
        // The deprecated page map has slots that are kept for pages: in use, though nothing is there.
        let mut kept = vec![0; layout.amap_bits_bytes];
        self.keep(part, &mut kept);
        let mut unmarked_map = false;
        for (behind, _) in maps {
            let (first, count) = (to_usize(behind.checked_div(unit)), to_usize(low.page_bytes().checked_div(unit)));
            unmarked_map |= (first..first.saturating_add(count)).any(|unit| amap::is_allocated(bits, unit) == Some(false));
            amap::mark(&mut used, first, count, true);
        }
        if unmarked_map {
            low.report.add(Code::AllocationMapSelf, Place::offset(start.0), "");
        }
        let end = to_usize(low.header.root.file_eof.0.min(low.file_bytes).saturating_sub(start.0).checked_div(unit));
        let at = |number: usize| start.0.saturating_add(unit.saturating_mul(u64::try_from(number).unwrap_or(u64::MAX)));
        let (mut missing, mut leak, mut past) = (Run::default(), Run::default(), false);
        let words = words(bits).zip(words(&used)).zip(words(&kept));
        for (word, ((marked, used), kept)) in words.enumerate() {
            let first = word.saturating_mul(WORD_UNITS);
            let fits = used & !marked == 0 && marked & !used & !kept == 0;
            // Most of the file is as it should be: the units of a word at once.
            if fits && first.saturating_add(WORD_UNITS) <= end && self.picture.is_one_piece(at(first), u64::BITS) {
                self.sums.free_bytes = self.sums.free_bytes.saturating_add(unit.saturating_mul(marked.count_zeros().into()));
                self.picture.add(at(first), u64::BITS, marked.count_ones(), 0);
                continue;
            }
            for (number, bit) in (first..).zip((0..WORD_UNITS).map(|bit| 1 << 63 >> bit)) {
                let [marked, in_use, reserved] = [marked, used, kept].map(|word| word & bit != 0);
                if number >= end {
                    past |= !marked;
                    continue;
                }
                if !marked {
                    self.sums.free_bytes = self.sums.free_bytes.saturating_add(unit);
                }
                let leaks = marked && !in_use && !reserved;
                if in_use && !marked && !is_map(low, maps, at(number).saturating_sub(start.0)) {
                    missing.add(at(number));
                }
                if leaks {
                    leak.add(at(number));
                }
                self.picture.add(at(number), 1, marked.into(), (self.whole && leaks).into());
            }
        }
        if let Some(first) = missing.first {
            let finding =
                Finding::new(Code::NotAllocated, self.owner(first), format!("{} units of this part, the first one here", missing.count));
            // A store that was not closed cleanly gets its maps rebuilt before anything is written.
            let dirty = low.header.root.amap_valid == 0;
            low.report.finding(if dirty { finding.at_most(Severity::Warning) } else { finding });
        }
        if let (Some(first), true) = (leak.first, self.whole) {
            let bytes = leak.count.saturating_mul(unit);
            low.report.add(Code::Leak, Place::offset(first), format!("{bytes} bytes of this part, the first ones here"));
        }
        if past {
            low.report.add(Code::PastEnd, Place::offset(start.0), "");
        }
    }

    /// Marks the units of pages that the page map keeps free for pages.
    fn keep(&self, part: u64, kept: &mut [u8]) {
        let layout = self.low.format.layout();
        if self.sums.pages.is_empty() || self.low.format == Format::Unicode4k {
            return;
        }
        let pages = to_usize(layout.amap_coverage.checked_div(self.low.page_bytes()));
        let per_page = to_usize(self.low.page_bytes().checked_div(layout.unit_bytes));
        let first = to_usize(part.checked_rem(8)).saturating_mul(pages);
        // A part's pages have whole bytes of the page map, most of which keep nothing.
        let bytes = self.sums.pages.iter().enumerate().skip(first >> 3).take(pages >> 3).filter(|(_, byte)| **byte != 0xff);
        for page in bytes.flat_map(|(byte, _)| (0..8).map(move |bit| byte.saturating_mul(8).saturating_add(bit))) {
            if amap::is_allocated(&self.sums.pages, page) == Some(false) {
                amap::mark(kept, page.saturating_sub(first).saturating_mul(per_page), per_page, true);
            }
        }
    }

    /// What takes the space at an offset, for a finding.
    fn owner(&self, offset: u64) -> Place {
        let after = self.order.partition_point(|at| self.table.at(*at).is_some_and(|row| row.ib().0 <= offset));
        let row = after.checked_sub(1).and_then(|last| self.table.at(*self.order.get(last)?));
        let covers = row.filter(|row| row.ib().0.saturating_add(row.entry().stored_bytes(self.low.format)) > offset);
        covers.map_or(Place::offset(offset), |row| row.place().at(offset))
    }

    fn compare(&self) {
        let (root, sums) = (&self.low.header.root, &self.sums);
        if sums.whole && sums.free_bytes != root.amap_free.0 {
            let detail = format!("header {:#x}, allocation maps {:#x}", root.amap_free.0, sums.free_bytes);
            self.low.report.add(Code::HeaderAmapFree, Place::FILE, detail);
        }
        if sums.free_page_bytes != root.pmap_free.0 {
            let detail = format!("header {:#x}, page maps {:#x}", root.pmap_free.0, sums.free_page_bytes);
            self.low.report.add(Code::HeaderPmapFree, Place::FILE, detail);
        }
    }
}

/// How many units a word of a map stands for.
const WORD_UNITS: usize = 64;

/// A map's bits in words, the highest bit for the lowest unit; a map has whole words in every format.
fn words(bits: &[u8]) -> impl Iterator<Item = u64> {
    bits.as_chunks().0.iter().copied().map(u64::from_be_bytes)
}

/// Whether one of these map pages lies so far behind the part's beginning.
fn is_map(low: &Low<'_>, maps: &[(u64, PageKind)], behind: u64) -> bool {
    maps.iter().any(|(map, _)| behind >= *map && behind < map.saturating_add(low.page_bytes()))
}

fn to_usize(value: Option<u64>) -> usize {
    value.and_then(|value| usize::try_from(value).ok()).unwrap_or(usize::MAX)
}

/// Units with one fault: the first, and how many.
#[derive(Debug, Default)]
struct Run {
    first: Option<u64>,
    count: u64,
}

impl Run {
    fn add(&mut self, at: u64) {
        self.first = self.first.or(Some(at));
        self.count = self.count.saturating_add(1);
    }
}

/// The file's space in pieces of equal size, told one after the other.
struct Picture<'a, 'b> {
    low: &'a Low<'b>,
    piece_bytes: u64,
    piece: Space,
}

impl<'a, 'b> Picture<'a, 'b> {
    fn new(low: &'a Low<'b>) -> Self {
        // A byte of a map stands for eight units, which lie in one piece.
        let eight_units = low.format.layout().unit_bytes.saturating_mul(8);
        let piece_bytes = low.file_bytes.div_ceil(PIECES_MAX).max(1).next_multiple_of(eight_units);
        Self { low, piece_bytes, piece: Space::default() }
    }

    /// Adds units from `at` on: so many, of which so many are marked, and so many of those leaked.
    fn add(&mut self, at: u64, units: u32, marked: u32, leaked: u32) {
        let offset = self.piece_of(at);
        if offset != self.piece.offset {
            self.flush();
            self.piece = Space { offset, ..Space::default() };
        }
        let bytes = |units: u32| self.low.format.layout().unit_bytes.saturating_mul(units.into());
        let piece = &mut self.piece;
        piece.bytes = piece.bytes.saturating_add(bytes(units));
        piece.used_bytes = piece.used_bytes.saturating_add(bytes(marked));
        piece.leaked_bytes = piece.leaked_bytes.saturating_add(bytes(leaked));
    }

    /// Whether so many units from `at` on lie in one piece.
    fn is_one_piece(&self, at: u64, units: u32) -> bool {
        let bytes = self.low.format.layout().unit_bytes.saturating_mul(units.into());
        at.saturating_add(bytes) <= self.piece_of(at).saturating_add(self.piece_bytes)
    }

    /// Where the piece begins that an offset lies in.
    fn piece_of(&self, at: u64) -> u64 {
        at.saturating_sub(at.checked_rem(self.piece_bytes).unwrap_or(0))
    }

    fn flush(&self) {
        if self.piece.bytes > 0 {
            self.low.report.tell(Event::Space(self.piece));
        }
    }
}

/// The density list is a hint that real files have wrong: nothing of it is more than a note ([MS-PST] 2.2.2.7.4).
fn density_list(low: &Low<'_>, parts: u64) -> Result<()> {
    let ib = Ib(low.format.layout().dlist);
    if !low.holds(ib, low.page_bytes()) {
        return Ok(());
    }
    let mut bytes = vec![0; low.format.layout().page_bytes];
    low.read(&mut bytes, ib)?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    let Ok(page) = Page::decode(low.format, &bytes) else { return Ok(()) };
    let faults = page.faults(ib);
    let wrong = match () {
        () if !page.is(PageKind::DLIST) => Some("it is a page of another kind".to_owned()),
        () if faults.crc.is_some() => Some("its CRC does not match".to_owned()),
        () if faults.signature.is_some() => Some("its signature does not match".to_owned()),
        () => stale_entry(low, page.body, parts),
    };
    if let Some(wrong) = wrong {
        low.report.add(Code::DensityList, Place::offset(ib.0), wrong);
    }
    Ok(())
}

/// The first entry of the density list that cannot be: a part's number in the low 20 bits, its free units in the others.
fn stale_entry(low: &Low<'_>, body: &[u8], parts: u64) -> Option<String> {
    let count = usize::from(*body.get(1)?);
    let entries: Vec<u32> = codec::entries(low.format, body.get(8..)?, 4).take(count).collect();
    if entries.len() < count || low.format != Format::Unicode4k && count > 120 {
        return Some(format!("it says that it has {count} entries"));
    }
    entries.iter().find(|entry| u64::from(*entry & 0xf_ffff) >= parts).map(|entry| format!("entry {entry:#x}: the file has {parts} parts"))
}
