//! The pages of both B-trees (P01 to P12, H15, H17): read one by one from the root, in the order of the keys.
//!
//! Relies on the header's roots. What a damaged page still holds is shown to the caller wherever its entries can be cut;
//! what hangs below a page that cannot be read is missing, and [`Walk::whole`] says so.

use super::units::Units;
use super::{Low, header};
use crate::damage::{Code, Finding, Place, Result, Severity};
use crate::disk::Spill;
use crate::format::btree::{BTreePage, BlockEntry, BranchEntry, NodeEntry};
use crate::format::checksum;
use crate::format::codec::Field;
use crate::format::id::{Bid, BlockRef};
use crate::format::page::{Page, PageFaults, PageKind};

/// The most levels a tree has ([MS-PST] 2.2.2.7.7.1).
const LEVEL_MAX: u8 = 8;

/// A leaf entry of one of the trees.
pub(super) trait Entry: Field {
    /// The tree whose leaves have it.
    const KIND: PageKind;
    /// What the tree is called.
    const NAME: &str;

    /// What the tree is sorted by.
    fn key(&self) -> u64;

    /// The key of an inner page's entry in the same order.
    fn branch_key(key: u64) -> u64 {
        key
    }

    /// The root of the tree.
    fn root(low: &Low<'_>) -> BlockRef;
}

impl Entry for NodeEntry {
    const KIND: PageKind = PageKind::NODES;
    const NAME: &str = "node";

    fn key(&self) -> u64 {
        u64::from(self.nid.nid.0)
    }

    fn root(low: &Low<'_>) -> BlockRef {
        low.header.root.nodes
    }
}

impl Entry for BlockEntry {
    const KIND: PageKind = PageKind::BLOCKS;
    const NAME: &str = "block";

    fn key(&self) -> u64 {
        self.block.bid.key().0
    }

    fn branch_key(key: u64) -> u64 {
        Bid(key).key().0
    }

    fn root(low: &Low<'_>) -> BlockRef {
        low.header.root.blocks
    }
}

/// What is known of the pages of both trees.
#[derive(Debug)]
pub(super) struct Walk {
    /// The units that pages take.
    pub(super) owned: Units,
    /// The ids of pages.
    bids: Spill<u64>,
    /// How many bytes of pages were read.
    pub(super) bytes: u64,
    /// Whether every page could be read.
    pub(super) whole: bool,
}

/// A page that waits, and what its parent says of it.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    place: BlockRef,
    /// Level and first key; `None` for the root.
    told: Option<(u8, u64)>,
    /// The first key behind the page.
    end: Option<u64>,
}

impl Walk {
    /// Before the first page.
    pub(super) const fn new(low: &Low<'_>) -> Self {
        Self { owned: Units::new(low.format), bids: Spill::new(), bytes: 0, whole: true }
    }

    /// Reads the pages of a tree, reports what is wrong with them, and shows the leaves' entries to `visit`.
    pub(super) fn run<T: Entry>(&mut self, low: &Low<'_>, visit: &mut dyn FnMut(T) -> Result<()>) -> Result<()> {
        let mut waiting = vec![Waiting { place: T::root(low), told: None, end: None }];
        while let Some(next) = waiting.pop() {
            self.bytes = self.bytes.saturating_add(low.page_bytes());
            low.progress.add(low.page_bytes())?;
            let children = self.page(low, next, visit)?;
            waiting.extend(children.into_iter().rev());
        }
        Ok(())
    }

    /// Reads one page; the children of an inner one.
    fn page<T: Entry>(&mut self, low: &Low<'_>, this: Waiting, visit: &mut dyn FnMut(T) -> Result<()>) -> Result<Vec<Waiting>> {
        let here = Place::block(this.place.bid.0).at(this.place.ib.0);
        if !header::can_be_page(low, this.place) {
            self.whole = false;
            // A root is told with the header.
            if this.told.is_some() {
                low.report.add(Code::PagePlace, here, format!("a page of the {} B-tree", T::NAME));
            }
            return Ok(Vec::new());
        }
        if self.owned.add(this.place.ib, low.page_bytes()) {
            self.whole = false;
            low.report.add(Code::PageTwice, here, format!("the second time in the {} B-tree", T::NAME));
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; low.format.layout().page_bytes];
        low.read(&mut bytes, this.place.ib)?;
        let Ok(page) = Page::decode(low.format, &bytes) else { return Ok(Vec::new()) };
        let faults = page.faults(this.place.ib);
        let body = page.written(&faults);
        let Ok(body) = BTreePage::decode(low.format, &body) else { return Ok(Vec::new()) };
        if !self.trailer::<T>(low, &page, faults, this, here) {
            return Ok(Vec::new());
        }
        if !level_fits::<T>(low, &body, this, here) {
            self.whole = false;
            return Ok(Vec::new());
        }
        match body.info.level.checked_sub(1) {
            Some(below) => Ok(self.branches::<T>(low, &body, this, here, below)),
            None => {
                let entries: Vec<T> = self.entries(low, &body, this, here, T::key);
                entries.into_iter().try_for_each(visit)?;
                Ok(Vec::new())
            }
        }
    }

    /// Checks the trailer; whether the page is of this tree.
    fn trailer<T: Entry>(&mut self, low: &Low<'_>, page: &Page<'_>, faults: PageFaults, this: Waiting, here: Place) -> bool {
        let trailer = &page.trailer;
        if !page.is(T::KIND) {
            let detail = format!("of the {} B-tree; its kinds are {:#x} and {:#x}", T::NAME, trailer.kind.0, trailer.kind_again.0);
            low.report.add(Code::PageUnreadable, here, detail);
            // One kind that is right and contents that are: the other kind is what is wrong.
            if !faults.is_whole() || trailer.kind != T::KIND && trailer.kind_again != T::KIND {
                self.whole = false;
                return false;
            }
        }
        let same_bid = trailer.bid == this.place.bid;
        if let Some(crc) = faults.crc {
            let finding = Finding::new(Code::PageCrc, here, checksum::mismatch(trailer.crc, crc, faults.flip));
            let untold = trailer.crc == 0 && same_bid && faults.signature.is_none();
            low.report.finding(if untold { finding.at_most(Severity::Warning) } else { finding });
        }
        if let Some(signature) = faults.signature {
            low.report.add(Code::PageSignature, here, format!("stored {:#06x}, computed {signature:#06x}", trailer.signature));
        }
        if !same_bid {
            let code = if this.told.is_some() { Code::PageBid } else { Code::HeaderRootBid };
            low.report.add(code, here, format!("the page says {}", trailer.bid));
        }
        // What stands in a page that is not whole is no proof of an id.
        if faults.crc.is_none() || same_bid {
            self.bids.push(trailer.bid.0);
        }
        true
    }

    fn branches<T: Entry>(&mut self, low: &Low<'_>, body: &BTreePage<'_>, this: Waiting, here: Place, below: u8) -> Vec<Waiting> {
        let entries: Vec<BranchEntry> = self.entries(low, body, this, here, |entry: &BranchEntry| T::branch_key(entry.key.0));
        let ends = entries.iter().skip(1).map(|next| Some(T::branch_key(next.key.0))).chain([this.end]);
        let child = |(entry, end): (&BranchEntry, Option<u64>)| Waiting {
            place: entry.child,
            told: Some((below, T::branch_key(entry.key.0))),
            end,
        };
        entries.iter().zip(ends).map(child).collect()
    }

    /// The entries of a page as far as they can be cut, checked against each other and against the parent.
    fn entries<E: Field>(&mut self, low: &Low<'_>, body: &BTreePage<'_>, this: Waiting, here: Place, key: impl Fn(&E) -> u64) -> Vec<E> {
        let info = body.info;
        let (size, max) = (E::size(low.format), BTreePage::capacity::<E>(low.format));
        let shape = usize::from(info.entry_bytes) == size && usize::from(info.count_max) == max && info.count <= info.count_max;
        if !shape || info.count == 0 && this.told.is_some() {
            let detail = format!("{} of {} entries of {} bytes, not of {max} of {size}", info.count, info.count_max, info.entry_bytes);
            low.report.add(Code::PageEntries, here, detail);
        }
        let entries: Vec<E> = body.entries().collect();
        // An entry that cannot be cut is an entry that is missing.
        self.whole &= entries.len() == usize::from(info.count) && !entries.is_empty();
        let keys: Vec<u64> = entries.iter().map(key).collect();
        if !keys.is_sorted_by(|a, b| a < b) {
            low.report.add(Code::PageOrder, here, "");
        }
        if let (Some((_, told)), Some(first)) = (this.told, keys.first())
            && told != *first
        {
            low.report.add(Code::PageFirstKey, here, format!("first key {first:#x}, the parent says {told:#x}"));
        }
        if let (Some(end), Some(last)) = (this.end, keys.iter().max())
            && end <= *last
        {
            low.report.add(Code::PageOverlap, here, format!("last key {last:#x}, the next page begins at {end:#x}"));
        }
        entries
    }

    /// What can be said of all pages: ids are unique, and below the header's counter.
    pub(super) fn finish(&mut self, low: &Low<'_>) {
        self.bids.sort_unstable();
        let mut before = None;
        for bid in std::mem::take(&mut self.bids).iter().copied() {
            if before == Some(bid) {
                low.report.add(Code::PageBidTwice, Place::block(bid), "");
            }
            before = Some(bid);
        }
        let next = low.header.next_page.0;
        if before.is_some_and(|last| last >= next) {
            low.report.add(Code::HeaderNextPage, Place::FILE, format!("it is {next:#x}, the highest in use is {:#x}", before.unwrap_or(0)));
        }
    }
}

fn level_fits<T: Entry>(low: &Low<'_>, body: &BTreePage<'_>, this: Waiting, here: Place) -> bool {
    let level = body.info.level;
    let fits = this.told.map_or(level <= LEVEL_MAX, |(told, _)| told == level);
    if !fits {
        let told = this.told.map_or(LEVEL_MAX, |(told, _)| told);
        low.report.add(Code::PageLevel, here, format!("level {level} in the {} B-tree, not {told}", T::NAME));
    }
    fits
}

/// Reads the leaves of a tree again, without a word; pages that cannot be read are left out as the first time.
pub(super) fn again<T: Entry>(low: &Low<'_>, visit: &mut dyn FnMut(T) -> Result<()>) -> Result<()> {
    let silence = |_: super::super::Event<'_>| {};
    let report = super::super::Report::new(&silence);
    let quiet = Low { report: &report, ..*low };
    Walk::new(low).run(&quiet, visit)
}
