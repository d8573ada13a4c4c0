//! What leaf pages of the node B-tree, live or stale, ever said of nodes.
//!
//! A block's id is never given out twice, so an entry that names a node's data block tells for ever whose block that is.
//! An entry whose blocks are still in use is as good as a live one, however old its page.

use crate::damage::Result;
use crate::disk::Spill;
use crate::format::btree::NodeEntry;
use crate::format::id::{Bid, BlockRef, Nid, NodeType};
use crate::format::page::PageKind;
use crate::ndb::{BTree, Ndb, Part};

use super::lists::equal;
use super::page::{state_order, with_page};
use super::ranges::Ranges;
use super::rows::kind_of;
use super::survey::Survey;

/// The node B-tree as it stands, and what fills its holes.
#[derive(Debug, Default)]
pub(super) struct History {
    /// What the tree says.
    pub(super) nodes: Spill<NodeEntry>,
    /// Node ids of which it says nothing any more.
    pub(super) lost: Ranges,
    /// What other pages said of nodes of these ids; by id, the newest first.
    pub(super) told: Spill<Told>,
}

/// An entry that is not in the live tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) entry: NodeEntry,
    /// The page's id, the higher the newer; of a damaged live page the highest, of the slots behind a page's entries half.
    age: u64,
    /// Whether the page's checksum matches: where it does not, any bit may be flipped.
    is_sound: bool,
    /// Whether it stands behind the page's entries.
    is_left: bool,
}

/// What fills the holes of the node B-tree.
#[derive(Debug, Default)]
pub(super) struct Filled {
    pub(super) nodes: Spill<NodeEntry>,
    /// The ids among them that only damaged pages tell: a bit of them may be flipped.
    pub(super) doubted: Spill<Nid>,
    /// The ids of those whose blocks a damaged page tells: a bit of a link may be flipped.
    pub(super) unsure: Spill<Nid>,
    /// The ids of those of which only pages tell that are not in the tree: any of them may have a later state.
    pub(super) stale: Spill<Nid>,
    /// Those of which a later state is known to have been, whose blocks are gone; with their data.
    pub(super) earlier: Spill<(Nid, Bid)>,
}

/// The age of what a damaged page of the live tree says.
const DAMAGED: u64 = u64::MAX;

impl Told {
    /// The blocks that it names.
    fn blocks(&self) -> (Bid, Bid) {
        (self.entry.data, self.entry.subnodes)
    }

    /// Whether other data that came to lie in a stale page look like an entry: it names blocks, and none of them is in use.
    fn is_made_up(&self, is_live: &dyn Fn(Bid) -> bool) -> bool {
        let (data, subnodes) = self.blocks();
        let mut named = [data, subnodes].into_iter().filter(|bid| !bid.is_none()).peekable();
        !self.is_sound && self.age != DAMAGED && named.peek().is_some() && !named.any(is_live)
    }

    fn state_order(&self) -> (Bid, Bid) {
        state_order(self.entry.data, self.entry.subnodes)
    }
}

/// The most entries of other pages that are kept: those that a tree of 10 GB of short letters has, four times.
const TOLD_MAX: usize = 20_000_000;

impl History {
    /// Reads the tree below this root, and where it has holes, all other leaf pages.
    pub(super) fn read(ndb: &Ndb, root: BlockRef, survey: &Survey) -> Result<Self> {
        let mut history = Self::default();
        ndb.visit_standing(BTree::Nodes, root, &mut |part| match part {
            Part::Lost(_, from, to) => history.lost.push(from, to),
            Part::Nodes(entries) => entries.iter().for_each(|entry| history.take(*entry)),
            Part::Blocks(_) => {}
        })?;
        if !history.lost.is_empty() {
            history.read_pages(ndb, survey)?;
        }
        history.told.sort_unstable_by_key(|told| (told.entry.nid.nid, std::cmp::Reverse(told.age)));
        Ok(history)
    }

    /// Whether the tree says nothing of a node because a page is gone.
    pub(super) fn is_lost(&self, nid: Nid) -> bool {
        self.lost.contains(u64::from(nid.0))
    }

    fn take(&mut self, entry: NodeEntry) {
        // What a damaged page says stands in its own hole.
        if self.is_lost(entry.nid.nid) {
            self.told.push(Told { entry, age: DAMAGED, is_sound: false, is_left: false });
        } else {
            self.nodes.push(entry);
        }
    }

    fn read_pages(&mut self, ndb: &Ndb, survey: &Survey) -> Result<()> {
        let leaves = survey.pages.iter().rev().filter(|page| page.kind == PageKind::NODES && page.level == 0);
        for found in leaves {
            let told = with_page(ndb, found.ib, |body| {
                let (age, is_sound) = (found.bid.0, found.crc_ok);
                let entries = body.entries::<NodeEntry>().map(|entry| Told { entry, age, is_sound, is_left: false });
                // Nobody cleared the slots behind, so they hold what once was; it may be older than the page by any time.
                let slack = body.slack::<NodeEntry>().map(|entry| Told { entry, age: age >> 1, is_sound, is_left: true });
                let told = entries.chain(slack).filter(|told| is_plausible(told) && self.is_lost(told.entry.nid.nid));
                told.take(TOLD_MAX.saturating_sub(self.told.len())).collect::<Vec<_>>()
            })?;
            self.told.extend(told.into_iter().flatten());
        }
        Ok(())
    }

    /// What other pages said of blocks whose nodes a damaged page does not name: its own say of them may be flipped.
    fn replaced(&self) -> Spill<(Bid, Bid)> {
        let nodes = self.told.chunk_by(|a, b| a.entry.nid.nid == b.entry.nid.nid);
        let others = nodes.filter(|told| told.iter().all(|told| told.age != DAMAGED) && told.iter().any(|told| told.is_sound));
        let mut replaced: Spill<_> = others.flatten().map(Told::blocks).collect();
        replaced.settle();
        replaced
    }

    /// What is known for sure of blocks, with the ids of their nodes.
    fn sure(&self) -> Spill<((Bid, Bid), Nid)> {
        let told = self.told.iter().filter(|told| told.is_sound).map(|told| &told.entry);
        let mut sure: Spill<_> = self.nodes.iter().chain(told).map(|node| ((node.data, node.subnodes), node.nid.nid)).collect();
        sure.settle();
        sure
    }

    /// The nodes that fill the holes: of each the newest entry whose blocks are in use.
    pub(super) fn fill(&self, is_live: &dyn Fn(Bid) -> bool) -> Filled {
        let mut filled = Filled::default();
        let (replaced, sure) = (self.replaced(), self.sure());
        for told in self.told.chunk_by(|a, b| a.entry.nid.nid == b.entry.nid.nid) {
            // An id that only damaged pages know, of blocks that another id had before, is that other one with a bit flipped;
            // so is one of blocks that a node of another type has. Nodes of the same type share blocks.
            let is_flipped = |told: &Told| {
                let nid = told.entry.nid.nid;
                let is_other = |(_, other): &(_, Nid)| other.kind() != nid.kind() && (other.0 ^ nid.0).is_power_of_two();
                let had = told.age == DAMAGED && replaced.binary_search(&told.blocks()).is_ok();
                !told.is_sound && (had || equal(&sure, told.blocks(), |(blocks, _)| *blocks).iter().any(is_other))
            };
            if told.iter().all(is_flipped) {
                continue;
            }
            // The empty tables of all folders are one block ([MS-PST] 2.4.4), which is in use whatever became of this one.
            let is_any = |told: &&Told| {
                let nid = told.entry.nid.nid;
                let shared = equal(&sure, told.blocks(), |(blocks, _)| *blocks).iter().any(|(_, other)| *other != nid);
                told.is_left && kind_of(nid.kind()).is_some() && shared
            };
            let live = |bid: Bid| bid.is_none() || is_live(bid);
            let counts = |told: &&Told| live(told.entry.data) && !told.is_made_up(is_live) && !is_any(told);
            let with_data = || told.iter().filter(counts);
            let best = with_data().find(|told| live(told.entry.subnodes)).or_else(|| with_data().next());
            let Some(best) = best else { continue };
            filled.nodes.push(best.entry);
            if best.age != DAMAGED {
                filled.stale.push(best.entry.nid.nid);
            }
            if !best.is_sound {
                filled.unsure.push(best.entry.nid.nid);
            }
            if told.iter().all(|told| !told.is_sound) {
                filled.doubted.push(best.entry.nid.nid);
            }
            // What a damaged page says may be flipped.
            if told.iter().any(|other| other.age != DAMAGED && other.state_order() > best.state_order()) {
                filled.earlier.push((best.entry.nid.nid, best.entry.data));
            }
        }
        filled
    }
}

/// Whether an entry can be one at all: slots that were never used hold anything, and so does a page whose space was given to
/// other data that did not reach its trailer. Of such a page only types are believed that real stores have.
fn is_plausible(told: &Told) -> bool {
    let (entry, kind) = (&told.entry, told.entry.nid.nid.kind());
    let needs_data = [NodeType::FOLDER, NodeType::MESSAGE, NodeType::ASSOCIATED_MESSAGE].contains(&kind);
    let is_kind = if told.is_sound { kind != NodeType::HID } else { kind.is_seen() };
    entry.nid.high == 0 && entry.nid.nid.index() != 0 && is_kind && !(needs_data && entry.data.is_none())
}
