//! The search for what the live trees do not show: deleted items, earlier states, parts of lost items.
//!
//! [`search`] is the door. A pass over the file finds every block and page ([`survey`](crate::recover::survey)); old
//! entries of the node B-tree say which blocks were items (`history`); blocks that no entry names are sorted by what they
//! hold (`loose`). Ids of blocks are never given out twice, so a block that verifies is what its id once meant, wherever
//! the trees now put that id. Of what was found, duplicates of live items are dropped (`same`), and the rest is graded by
//! whether all its blocks are there (`whole`). One place that cannot be read ends nothing.

mod folders;
mod history;
mod loose;
mod same;
mod whole;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::findings::{Category, Confidence, Findings, Found, Origin, Part, Shelf};
use super::survey::{Survey, survey};
use crate::damage::{Result, survived};
use crate::disk::Spill;
use crate::format::id::{Bid, Nid, NodeType};
use crate::ndb::{BlockPlace, Maps, Ndb, Parts};
use crate::progress::Progress;
use crate::store::item::{Item, NodeRef};
use crate::store::{Store, tags};

use folders::Folders;
use history::{History, Version};
use loose::{Kind, Loose};
use same::{Identity, content};
use whole::Whole;

/// Bytes for the caches of what reads found items.
const CACHE_BYTES: usize = 8 << 20;

/// Searches the whole file of a store for what its live trees do not show.
///
/// Reads the file once from start to end, and of the rest what old entries name. Memory grows by some 24 bytes for each
/// block in the file while it runs, and by what was found. An error only where the user asked to stop, or the file can no
/// longer be read at all.
pub fn search(store: &Store, progress: &Progress) -> Result<Findings> {
    let ndb = store.ndb();
    let survey = survey(&**ndb.source(), ndb.format(), progress)?;
    let view = view(ndb, survey.blocks.iter().map(|block| block.bid.key()), &survey)?;
    let found_store = store.over(Arc::clone(&view));
    let mut history = History::read(ndb, &survey, progress)?;
    ndb.visit_nodes(&mut |node| {
        // A live tree that is damaged makes blocks look free that are not.
        history.add_named(node.data);
        history.add_named(node.subnodes);
        true
    })?;
    let mut search = Search { store, found_store: &found_store, whole: Whole::new(&view, &survey), found: Vec::new(), progress };
    search.versions(&history)?;
    search.loose(loose::find(ndb, &view, &survey, &history, progress)?)?;
    search.drop_live()?;
    let Search { whole, found, .. } = search;
    let mut folders = Folders::new(store, &found_store, &history);
    let mut items = Vec::new();
    for candidate in found {
        let shelf = folders.shelf(candidate.found.category, candidate.parent)?;
        items.push(Found { shelf, ..candidate.found });
    }
    items.sort_by_key(|item| (item.category, item.node.nid, item.node.data, item.node.subnodes));
    for item in &items {
        tracing::info!("{}: node {}, block {}, {}, {}", item.words(), item.nid(), item.node.data, item.origin, item.confidence);
    }
    let view = self::view(ndb, whole.blocks(), &survey)?;
    Ok(Findings::new(Arc::new(store.over(view)), folders.finish(), items, survey.is_cut))
}

/// Earlier states of messages, the newest first, as old pages of the node B-tree tell of them: for a repair, which knows
/// that they are wanted.
pub fn earlier_states(ndb: &Ndb, survey: &Survey) -> Result<BTreeMap<Nid, Vec<NodeRef>>> {
    let messages = History::read(ndb, survey, &Progress::default())?.messages();
    Ok(messages.into_iter().map(|(nid, versions)| (nid, versions.iter().map(|version| version.node).collect())).collect())
}

/// A database of these blocks, wherever in the file they verify.
///
/// Only what its CRC proves: the start of a free block may hold what was written over it, and would show one item's words
/// in another's.
fn view(ndb: &Ndb, blocks: impl Iterator<Item = Bid>, survey: &Survey) -> Result<Arc<Ndb>> {
    let places = blocks.filter_map(|bid| survey.copies(bid).first()).filter(|copy| copy.is_whole).map(|copy| BlockPlace {
        bid: copy.bid,
        ib: copy.ib,
        size: copy.size,
        inflated: copy.inflated,
    });
    let parts = Parts { format: ndb.format(), header: ndb.header().clone(), cipher: ndb.cipher() };
    let maps = Maps::new(places.collect(), Spill::new());
    Ok(Arc::new(Ndb::from_maps(Arc::clone(ndb.source()), parts, maps, CACHE_BYTES)?))
}

/// Something found, before it is settled whether it is new.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    found: Found,
    parent: Nid,
    identity: Identity,
    content: u64,
}

struct Search<'a> {
    store: &'a Store,
    found_store: &'a Store,
    whole: Whole<'a>,
    found: Vec<Candidate>,
    progress: &'a Progress,
}

impl Search<'_> {
    /// Takes the states of messages that old entries name: of one that is not live the newest is the deleted item.
    fn versions(&mut self, history: &History) -> Result<()> {
        let messages = history.messages();
        self.progress.begin("Reading deleted items", u64::try_from(messages.len()).unwrap_or(0))?;
        for (nid, versions) in messages {
            self.progress.add(1)?;
            let live = self.live(nid)?;
            let mut contents: HashSet<u64> = live.iter().flatten().map(|(_, content)| *content).collect();
            let mut category = if live.is_some() { Category::Older } else { Category::Deleted };
            let mut unread = None;
            for version in versions {
                let Some(candidate) = self.version(&version, category)? else {
                    unread = unread.or(Some(version));
                    continue;
                };
                unread = None;
                if contents.insert(candidate.content) {
                    self.found.push(candidate);
                    category = Category::Older;
                }
            }
            if category == Category::Deleted
                && let Some(version) = unread
            {
                self.remains(&version)?;
            }
        }
        Ok(())
    }

    /// Takes the attachments of an item whose own properties are overwritten.
    fn remains(&mut self, version: &Version) -> Result<()> {
        let node = NodeRef { data: Bid::NONE, ..version.node };
        let item = self.found_store.item_without_props(node)?;
        if !item.attachments.is_empty() {
            let found = self.graded(node, Part::Subnodes, Category::Fragment, version.origin, false)?;
            let candidate = self.candidate(found, version.parent, &item)?;
            self.found.push(candidate);
        }
        Ok(())
    }

    /// Identity and content of the live item of this node; `Some(None)` where it is there and cannot be read.
    fn live(&self, nid: Nid) -> Result<Option<Option<(Identity, u64)>>> {
        let item = match self.store.locate(nid).and_then(|node| self.store.item(node)) {
            Err(error) if error.is_io() => return Err(error),
            Err(_) => return Ok(self.store.ndb().node(nid).ok().flatten().map(|_| None)),
            Ok(item) => item,
        };
        Ok(Some(Some((Identity::of(&item.props), content(self.store, &item)?))))
    }

    fn version(&mut self, version: &Version, category: Category) -> Result<Option<Candidate>> {
        let Some(item) = self.item(version.node)? else { return Ok(None) };
        let found = self.graded(version.node, Part::Whole, category, version.origin, true)?;
        self.candidate(found, version.parent, &item).map(Some)
    }

    /// The item at these roots, if it is one: it has a class.
    fn item(&self, node: NodeRef) -> Result<Option<Item>> {
        Ok(survived(self.found_store.item(node))?.filter(|item| item.props.has(tags::MESSAGE_CLASS)))
    }

    fn graded(&mut self, node: NodeRef, part: Part, category: Category, origin: Origin, has_all: bool) -> Result<Found> {
        // What is looked at here is what the findings can read later.
        let whole = self.whole.node(node)? && has_all;
        let confidence = match (category, whole) {
            (Category::Fragment, _) => Confidence::Fragment,
            (_, true) => Confidence::Complete,
            (_, false) => Confidence::Partial,
        };
        let live = if self.store.ndb().node(node.nid).ok().flatten().is_some() { node.nid } else { Nid::default() };
        Ok(Found { node, part, category, shelf: Shelf::Category(category), origin, confidence, live })
    }

    fn candidate(&self, found: Found, parent: Nid, item: &Item) -> Result<Candidate> {
        Ok(Candidate { found, parent, identity: Identity::of(&item.props), content: content(self.found_store, item)? })
    }

    /// Takes what no entry names: items, unless they say the same as one found already, and parts of items.
    fn loose(&mut self, loose: Vec<Loose>) -> Result<()> {
        let mut contents: HashSet<u64> = self.found.iter().map(|candidate| candidate.content).collect();
        let mut folders: HashMap<Identity, Nid> = self.found.iter().map(|candidate| (candidate.identity, candidate.parent)).collect();
        // The newest first: what follows of the same item is an earlier state.
        for one in loose.into_iter().rev() {
            self.progress.check()?;
            let node = NodeRef { nid: Nid::default(), data: one.data, subnodes: one.subnodes };
            let origin = Origin::Block(one.block.ib);
            let part = match one.kind {
                Kind::Message => Part::Whole,
                Kind::Attachment => Part::Attachment,
                Kind::Subnodes => Part::Subnodes,
                Kind::Value(extension) => Part::Value(extension),
            };
            if part != Part::Whole {
                let found = self.graded(node, part, Category::Fragment, origin, false)?;
                self.found.push(self.candidate(found, Nid::default(), &Item::default())?);
                continue;
            }
            let Some(item) = self.item(node)?.filter(|item| !is_associated(item)) else { continue };
            let identity = Identity::of(&item.props);
            let folder = folders.get(&identity).copied();
            let category = if folder.is_some() { Category::Older } else { Category::Deleted };
            let found = self.graded(node, part, category, origin, !one.lacks)?;
            let candidate = self.candidate(found, folder.unwrap_or_default(), &item)?;
            if contents.insert(candidate.content) {
                folders.entry(identity).or_default();
                self.found.push(candidate);
            }
        }
        Ok(())
    }

    /// Drops what says the same as a live item of another node; what no entry names and is a live item's is an older state.
    fn drop_live(&mut self) -> Result<()> {
        let mut wanted: HashMap<Identity, Vec<usize>> = HashMap::new();
        for (index, candidate) in self.found.iter().enumerate().filter(|(_, candidate)| candidate.found.part == Part::Whole) {
            wanted.entry(candidate.identity).or_default().push(index);
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let mut live = Vec::new();
        self.store.ndb().visit_nodes(&mut |node| {
            if node.nid.nid.kind() == NodeType::MESSAGE {
                live.push((node.nid.nid, node.parent));
            }
            true
        })?;
        self.progress.begin("Comparing with live items", u64::try_from(live.len()).unwrap_or(0))?;
        let mut dropped = HashSet::new();
        for (nid, parent) in live {
            self.progress.add(1)?;
            let Ok(props) = self.store.node_props(nid) else { continue };
            let Some(indices) = wanted.get(&Identity::of(&props)) else { continue };
            let Some(Some((_, content))) = self.live(nid)? else { continue };
            for index in indices {
                let Some(candidate) = self.found.get_mut(*index) else { continue };
                if candidate.content == content {
                    dropped.insert(*index);
                } else if candidate.found.nid() == Nid::default() {
                    candidate.found.category = Category::Older;
                    candidate.found.live = nid;
                    candidate.parent = parent;
                }
            }
        }
        let mut index = 0..;
        self.found.retain(|_| index.next().is_none_or(|index| !dropped.contains(&index)));
        Ok(())
    }
}

/// Whether an item is a view, a rule or another that no user sees.
fn is_associated(item: &Item) -> bool {
    /// PidTagMessageFlags: an associated message.
    const ASSOCIATED: i32 = 0x40;
    item.props.int(tags::MESSAGE_FLAGS).is_some_and(|flags| flags & ASSOCIATED != 0)
}
