//! The maps of what is in use (P13 to P17, P19, P20, H11, H12): compared with what the trees use.
//!
//! Relies on the units that pages and blocks take. All cores compare, each a few parts of the file; what they find is told
//! in the order of the file. Tells the listener what the file's space is used for, as a picture.

use std::ops::Range;

use super::picture::Picture;
use super::table::Table;
use super::units::Units;
use super::{Low, density};
use crate::damage::{Code, Finding, Place, Result, Severity};
use crate::format::Format;
use crate::format::amap;
use crate::format::id::Ib;
use crate::format::page::{Page, PageKind};
use crate::scan::pool::{self, Weight};
use crate::scan::report::{Event, Space};

/// How many parts are compared at a time; a page map stands for eight of them.
const PARTS: u64 = 64;

/// What the maps say together.
#[derive(Debug)]
struct Sums {
    free_bytes: u64,
    free_page_bytes: u64,
    /// Whether each map could be read.
    whole: bool,
}

impl Default for Sums {
    fn default() -> Self {
        Self { free_bytes: 0, free_page_bytes: 0, whole: true }
    }
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.free_bytes = self.free_bytes.saturating_add(other.free_bytes);
        self.free_page_bytes = self.free_page_bytes.saturating_add(other.free_page_bytes);
        self.whole &= other.whole;
    }
}

/// Compares each part of the file with its allocation map; `whole` says whether all that is in use is known.
pub(super) fn run(low: &Low<'_>, table: &Table, order: &[u32], owned: &Units, whole: bool) -> Result<()> {
    let parts = parts(low);
    low.phase("Validating AMap", parts.saturating_mul(low.page_bytes()))?;
    let mut sums = Sums { whole: low.file_bytes >= low.header.root.file_eof.0, ..Sums::default() };
    let mut picture = Picture::new(low);
    pool::in_order(
        |send| {
            let mut first = 0;
            while first < parts {
                let end = parts.min(first.saturating_add(PARTS));
                send(first..end)?;
                first = end;
            }
            Ok(())
        },
        |parts| Maps::new(low, table, order, whole).parts(parts, owned),
        |found| {
            found.findings.into_iter().for_each(|finding| low.report.finding(finding));
            sums.add(&found.sums);
            found.pieces.into_iter().for_each(|piece| picture.put(piece));
            Ok(())
        },
    )?;
    picture.pieces.into_iter().for_each(|piece| low.report.tell(Event::Space(piece)));
    compare(low, &sums);
    density::run(low, parts)
}

/// What was found in some parts.
#[derive(Debug)]
struct Found {
    findings: Vec<Finding>,
    sums: Sums,
    pieces: Vec<Space>,
}

impl Weight for Found {
    fn weight(&self) -> usize {
        self.findings.len()
    }
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
    /// The bits of the page map that stands for the part.
    pages: Vec<u8>,
    picture: Picture,
    findings: Vec<Finding>,
}

impl<'a, 'b> Maps<'a, 'b> {
    fn new(low: &'a Low<'b>, table: &'a Table, order: &'a [u32], whole: bool) -> Self {
        let (sums, picture) = (Sums::default(), Picture::new(low));
        Self { low, table, order, whole, sums, pages: Vec::new(), picture, findings: Vec::new() }
    }

    fn parts(mut self, parts: Range<u64>, owned: &Units) -> Result<Found> {
        for part in parts {
            self.low.progress.add(self.low.page_bytes())?;
            self.part(part, owned)?;
        }
        Ok(Found { findings: self.findings, sums: self.sums, pieces: self.picture.pieces })
    }

    fn tell(&mut self, code: Code, place: Place, detail: impl Into<String>) {
        self.findings.push(Finding::new(code, place, detail));
    }

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
                (PageKind::PMAP, body) => self.pages = body.unwrap_or_default(),
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
                self.sums.free_page_bytes.saturating_add(amap::free_units(&self.pages).saturating_mul(low.page_bytes()));
        }
        self.compare_part(part, start, &bits, owned, &maps);
        Ok(())
    }

    /// The bits of a map page; `None` where it is damaged, which is told.
    fn map(&mut self, ib: Ib, kind: PageKind) -> Result<Option<Vec<u8>>> {
        let low = self.low;
        let code = match kind {
            PageKind::AMAP => Code::AllocationMap,
            PageKind::PMAP => Code::PageMap,
            _ => Code::FreeMap,
        };
        let here = Place::offset(ib.0);
        if !low.holds(ib, low.page_bytes()) {
            self.tell(code, here, format!("the {} lies outside the file", kind.name()));
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
        self.tell(code, here, format!("{}: {wrong}", kind.name()));
        Ok(None)
    }

    fn compare_part(&mut self, part: u64, start: Ib, bits: &[u8], owned: &Units, maps: &[(u64, PageKind)]) {
        let low = self.low;
        let layout = low.format.layout();
        let none = vec![0; layout.amap_bits_bytes];
        let mut used = owned.part(part).unwrap_or(&none).to_vec();
        // The deprecated page map has slots that are kept for pages: in use, though nothing is there.
        let mut kept = vec![0; layout.amap_bits_bytes];
        self.keep(part, &mut kept);
        let mut unmarked_map = false;
        for (behind, _) in maps {
            let units = |bytes: u64| to_usize(bytes.checked_div(layout.unit_bytes));
            let (first, count) = (units(*behind), units(low.page_bytes()));
            unmarked_map |= (first..first.saturating_add(count)).any(|unit| amap::is_allocated(bits, unit) == Some(false));
            amap::mark(&mut used, first, count, true);
        }
        if unmarked_map {
            self.tell(Code::AllocationMapSelf, Place::offset(start.0), "");
        }
        let odd = self.compare_units(start, [bits, &used, &kept], maps);
        self.tell_odd(start, odd);
    }

    /// Compares a part's units: those that are marked, those in use, and those that are kept for pages.
    fn compare_units(&mut self, start: Ib, [bits, used, kept]: [&[u8]; 3], maps: &[(u64, PageKind)]) -> Odd {
        let (low, unit) = (self.low, self.low.format.layout().unit_bytes);
        let end = to_usize(low.header.root.file_eof.0.min(low.file_bytes).saturating_sub(start.0).checked_div(unit));
        let at = |number: usize| start.0.saturating_add(unit.saturating_mul(u64::try_from(number).unwrap_or(u64::MAX)));
        let mut odd = Odd::default();
        let words = words(bits).zip(words(used)).zip(words(kept));
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
                    odd.past |= !marked;
                    continue;
                }
                if !marked {
                    self.sums.free_bytes = self.sums.free_bytes.saturating_add(unit);
                }
                let leaks = marked && !in_use && !reserved;
                if in_use && !marked && !is_map(low, maps, at(number).saturating_sub(start.0)) {
                    odd.missing.add(at(number));
                }
                if leaks {
                    odd.leak.add(at(number));
                }
                self.picture.add(at(number), 1, marked.into(), (self.whole && leaks).into());
            }
        }
        odd
    }

    /// Tells of the units of a part that are not as its map says.
    fn tell_odd(&mut self, start: Ib, Odd { missing, leak, past }: Odd) {
        if let Some(first) = missing.first {
            let detail = format!("{} units of this part, the first one here", missing.count);
            let finding = Finding::new(Code::NotAllocated, self.owner(first), detail);
            // A store that was not closed cleanly gets its maps rebuilt before anything is written.
            let dirty = self.low.header.root.amap_valid == 0;
            self.findings.push(if dirty { finding.at_most(Severity::Warning) } else { finding });
        }
        if let (Some(first), true) = (leak.first, self.whole) {
            let bytes = leak.count.saturating_mul(self.low.format.layout().unit_bytes);
            self.tell(Code::Leak, Place::offset(first), format!("{bytes} bytes of this part, the first ones here"));
        }
        if past {
            self.tell(Code::PastEnd, Place::offset(start.0), "");
        }
    }

    /// Marks the units of pages that the page map keeps free for pages.
    fn keep(&self, part: u64, kept: &mut [u8]) {
        let layout = self.low.format.layout();
        if self.pages.is_empty() || self.low.format == Format::Unicode4k {
            return;
        }
        let pages = to_usize(layout.amap_coverage.checked_div(self.low.page_bytes()));
        let per_page = to_usize(self.low.page_bytes().checked_div(layout.unit_bytes));
        let first = to_usize(part.checked_rem(8)).saturating_mul(pages);
        // A part's pages have whole bytes of the page map, most of which keep nothing.
        let bytes = self.pages.iter().enumerate().skip(first >> 3).take(pages >> 3).filter(|(_, byte)| **byte != 0xff);
        for page in bytes.flat_map(|(byte, _)| (0..8).map(move |bit| byte.saturating_mul(8).saturating_add(bit))) {
            if amap::is_allocated(&self.pages, page) == Some(false) {
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
}

fn compare(low: &Low<'_>, sums: &Sums) {
    let root = &low.header.root;
    if sums.whole && sums.free_bytes != root.amap_free.0 {
        let detail = format!("header {:#x}, allocation maps {:#x}", root.amap_free.0, sums.free_bytes);
        low.report.add(Code::HeaderAmapFree, Place::FILE, detail);
    }
    if sums.free_page_bytes != root.pmap_free.0 {
        let detail = format!("header {:#x}, page maps {:#x}", root.pmap_free.0, sums.free_page_bytes);
        low.report.add(Code::HeaderPmapFree, Place::FILE, detail);
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

/// Units of a part that are not as its map says.
#[derive(Debug, Default)]
struct Odd {
    /// In use, and free by the map.
    missing: Run,
    /// Not in use, and not free by the map.
    leak: Run,
    /// Whether the map has free units behind the file's end.
    past: bool,
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
