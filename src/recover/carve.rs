//! Stores, and parts of stores, in the image of a disk or any other file.
//!
//! A whole store begins with its header, at the start of a sector, and tells its length. Of what was written over or torn
//! apart, the allocation maps tell the place: such a page's id is its offset in the store ([MS-PST] 2.2.2.7.2), and there
//! is one in every 250 KB (16 MB in newer stores). From the offset follows where the store began, and with that what else
//! around the map belongs to it: signatures of blocks and pages depend on their offsets. Of parts without a map these
//! signatures tell where the store began ([`piece`](super::piece)).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::open::open_telling;
use super::piece::{Piece, Stray, pieces};
use super::survey::read;
use crate::damage::{Error, Result};
use crate::disk::{ReadAt, Window};
use crate::format::Format;
use crate::format::codec::{self, Field};
use crate::format::header::Header;
use crate::format::id::Ib;
use crate::format::page::{Page, PageKind};
use crate::progress::Progress;
use crate::store::Store;

/// A store that was found, or a part of one.
#[derive(Clone, Debug)]
pub struct Carved {
    /// Where in the image it begins; before the image's beginning where only a later part is there.
    pub start: i64,
    /// The part of the image that it was read from.
    pub range: Range<u64>,
    /// Whether its header was found, and as many bytes as that tells.
    pub is_whole: bool,
    /// The store.
    pub store: Arc<Store>,
}

/// Files begin at sectors.
const SECTOR_BYTES: u64 = 512;
/// How many bytes are read at a time.
const CHUNK_BYTES: u64 = 1 << 20;
/// The most headers and maps that are remembered: an image of 250 GB full of stores has as many.
const FOUND_MAX: usize = 1_000_000;
/// The most parts that are looked at: each costs a search of its range.
const PARTS_MAX: usize = 1_000;

/// Finds stores in an image, whole ones first, and shows each to `visit`, which may end it with an error.
pub fn carve(image: &Arc<dyn ReadAt>, cache_bytes: usize, progress: &Progress, visit: &mut dyn FnMut(Carved) -> Result<()>) -> Result<()> {
    let found = search(&**image, progress)?;
    let mut carving = Carving { image, cache_bytes, progress, visit, known: Vec::new() };
    for start in &found.headers {
        progress.check()?;
        if !carving.known.iter().any(|store| store.is_whole && store.range.contains(start)) {
            carving.header(*start)?;
        }
    }
    for (start, range) in found.parts(&carving.known) {
        carving.part(start, range)?;
    }
    for piece in carving.pieces()? {
        carving.part(piece.start, piece.range)?;
    }
    Ok(())
}

/// A search that shows stores as it finds them.
struct Carving<'a> {
    image: &'a Arc<dyn ReadAt>,
    cache_bytes: usize,
    progress: &'a Progress,
    visit: &'a mut dyn FnMut(Carved) -> Result<()>,
    known: Vec<Known>,
}

impl Carving<'_> {
    /// Shows the store whose header stands here.
    fn header(&mut self, start: u64) -> Result<()> {
        let rest = self.image.len()?.saturating_sub(start);
        let Some(told) = told_bytes(&**self.image, start, rest) else { return Ok(()) };
        let Ok(from) = i64::try_from(start) else { return Ok(()) };
        let range = start..start.saturating_add(told.min(rest));
        // Where the trees had to be searched for, the rest of the store is elsewhere.
        let is_whole = |store: &Store| told <= rest && store.ndb().maps().is_none();
        self.show(from, range, &is_whole)
    }

    /// Shows a part of a store, if anything can be read of it.
    fn part(&mut self, start: i64, range: Range<u64>) -> Result<()> {
        self.progress.check()?;
        self.show(start, range, &|_| false)
    }

    fn show(&mut self, start: i64, range: Range<u64>, is_whole: &dyn Fn(&Store) -> bool) -> Result<()> {
        let window = Window::new(Arc::clone(self.image), start, range.clone());
        let Some(store) = opened(window, self.cache_bytes, self.progress)? else { return Ok(()) };
        let is_whole = is_whole(&store);
        self.known.push(Known { start, range: range.clone(), is_whole });
        // What holds no node is of no use to anybody.
        if !is_whole && store.ndb().maps().is_some_and(|maps| maps.nodes().is_empty()) {
            return Ok(());
        }
        (self.visit)(Carved { start, range, is_whole, store })
    }

    /// What is left of stores that neither a header nor a map led to.
    fn pieces(&self) -> Result<Vec<Piece>> {
        let whole: Vec<Range<u64>> = self.known.iter().filter(|store| store.is_whole).map(|store| store.range.clone()).collect();
        let is_known = |stray: &Stray| {
            let of = |store: &Known| store.range.contains(&stray.at) && (store.is_whole || stray.is_of(store.start));
            self.known.iter().any(of)
        };
        pieces(&**self.image, &whole, &is_known, self.progress)
    }
}

/// How long a store is by the header that stands here; `None` where its CRC says that there is none.
fn told_bytes(image: &dyn ReadAt, start: u64, rest: u64) -> Option<u64> {
    let mut bytes = vec![0; usize::try_from(rest).ok()?.min(Header::BYTES_MAX)];
    image.read_exact_at(&mut bytes, start).ok()?;
    let format = Header::format_of(&bytes).ok()?.ok()?;
    let header: Header = codec::decode(format, &bytes).ok()?;
    let faults = header.faults(format, bytes.get(..Header::size(format))?);
    faults.crc_partial.is_none().then_some(header.root.file_eof.0)
}

fn opened(window: Window, cache_bytes: usize, progress: &Progress) -> Result<Option<Arc<Store>>> {
    match open_telling(Arc::new(window), cache_bytes, progress, &Arc::default()) {
        Ok(store) => Ok(Some(store)),
        Err(error @ Error::Cancelled) => Err(error),
        // A bad sector in one store does not hide the next one.
        Err(Error::Io(_) | Error::Unsupported(_) | Error::NotFound(_) | Error::Damaged(..)) => Ok(None),
    }
}

/// What a pass over an image finds.
#[derive(Debug, Default)]
struct Found {
    headers: Vec<u64>,
    /// Where allocation maps stand, by where their store begins.
    maps: BTreeMap<(i64, FormatKey), Vec<u64>>,
    image_bytes: u64,
    count: usize,
}

/// A store that was shown already.
#[derive(Debug)]
struct Known {
    start: i64,
    range: Range<u64>,
    is_whole: bool,
}

impl Known {
    /// Whether a map at this place, of a store that begins there, needs no second look.
    fn has(&self, start: i64, at: u64) -> bool {
        self.range.contains(&at) && (self.is_whole || self.start == start)
    }
}

/// A format's position among all: what the maps are sorted by.
type FormatKey = usize;

fn search(image: &dyn ReadAt, progress: &Progress) -> Result<Found> {
    let image_bytes = image.len()?;
    progress.begin("Searching for stores", image_bytes)?;
    let mut found = Found { image_bytes, ..Found::default() };
    let page_max = Format::ALL.iter().map(|format| format.layout().page_bytes).max().unwrap_or(0);
    let overlap = u64::try_from(page_max).unwrap_or(0);
    let mut start = 0_u64;
    while start < image_bytes {
        let end = start.saturating_add(CHUNK_BYTES).min(image_bytes);
        let bytes = read(image, start, end.saturating_add(overlap).min(image_bytes));
        let mut at = start;
        while at < end {
            found.look(&bytes, usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX), at);
            at = at.saturating_add(SECTOR_BYTES);
        }
        progress.add(end.saturating_sub(start))?;
        start = end;
    }
    Ok(found)
}

impl Found {
    /// Looks at what begins at `from` of these bytes, which stands at `at` in the image.
    fn look(&mut self, bytes: &[u8], from: usize, at: u64) {
        let Some(here) = bytes.get(from..) else { return };
        if self.count >= FOUND_MAX {
            return;
        }
        if Header::format_of(here).is_ok() {
            self.headers.push(at);
            self.count = self.count.saturating_add(1);
        }
        for (key, format) in Format::ALL.into_iter().enumerate() {
            let start = map_offset(format, here).and_then(|offset| start_of(at, offset));
            if let Some(start) = start {
                self.maps.entry((start, key)).or_default().push(at);
                self.count = self.count.saturating_add(1);
            }
        }
    }

    /// Where parts of stores lie that no header led to: where each began, and what range around its maps may be of it.
    fn parts(&self, known: &[Known]) -> Vec<(i64, Range<u64>)> {
        let mut parts = Vec::new();
        for ((start, key), maps) in &self.maps {
            let Some(format) = Format::ALL.get(*key) else { continue };
            let reach = format.layout().amap_coverage;
            let free = || maps.iter().filter(|at| !known.iter().any(|store| store.has(*start, **at)));
            let (Some(first), Some(last)) = (free().min(), free().max()) else { continue };
            let from = first.saturating_sub(reach).max(u64::try_from(*start).unwrap_or(0));
            parts.push((*start, from..last.saturating_add(reach).min(self.image_bytes)));
        }
        parts.sort_by_key(|(start, range)| (range.start, *start));
        parts.truncate(PARTS_MAX);
        parts
    }
}

/// The offset in its store of the allocation map that stands here.
fn map_offset(format: Format, here: &[u8]) -> Option<u64> {
    let layout = format.layout();
    let page = Page::decode(format, here.get(..layout.page_bytes)?).ok()?;
    let offset = page.trailer.bid.0;
    let is_place = offset.checked_sub(layout.amap_first)?.checked_rem(layout.amap_coverage)? == 0;
    (page.is(PageKind::AMAP) && is_place && page.faults(Ib(offset)).crc.is_none()).then_some(offset)
}

fn start_of(at: u64, offset: u64) -> Option<i64> {
    i64::try_from(at).ok()?.checked_sub(i64::try_from(offset).ok()?)
}
