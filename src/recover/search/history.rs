//! What pages of the node B-tree once said: entries behind those in use, and pages that the tree no longer reaches.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::damage::{Result, survived};
use crate::format::btree::{BranchEntry, NodeEntry};
use crate::format::codec::Field;
use crate::format::id::{Bid, Ib, Nid, NodeType};
use crate::format::page::PageKind;
use crate::ndb::{BTree, Ndb};
use crate::progress::Progress;
use crate::recover::page::{state_order, with_page};
use crate::recover::{FoundPage, Origin, Survey};
use crate::store::item::NodeRef;

/// A state of a node that is not the live one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// What it had.
    pub(super) node: NodeRef,
    /// The folder that held it.
    pub(super) parent: Nid,
    /// The page that tells so.
    pub(super) origin: Origin,
}

/// Earlier states of messages and folders, and every block that any old entry names.
#[derive(Debug, Default)]
pub(super) struct History {
    versions: BTreeMap<(Nid, Bid, Bid), Version>,
    named: HashSet<Bid>,
}

/// The most states that are kept: some 80 bytes each. Busy stores have thousands.
const VERSIONS_MAX: usize = 1_000_000;
/// The most levels a tree has ([MS-PST] 2.2.2.7.7.1).
const LEVELS_MAX: usize = 8;

impl History {
    /// Reads every page of the node B-tree that stands in the file, the newest first.
    pub(super) fn read(ndb: &Ndb, survey: &Survey, progress: &Progress) -> Result<Self> {
        let mut history = Self::default();
        let live = live_leaves(ndb)?;
        let leaves = || survey.pages.iter().filter(|page| page.kind == PageKind::NODES && page.level == 0);
        let page_bytes = u64::try_from(ndb.format().layout().page_bytes).unwrap_or(0);
        progress.begin("Reading old pages", page_bytes.saturating_mul(u64::try_from(leaves().count()).unwrap_or(0)))?;
        for page in leaves().rev() {
            history.read_page(ndb, survey, page, live.contains(&page.ib))?;
            progress.add(page_bytes)?;
        }
        Ok(history)
    }

    /// The states of messages that are not live, by node; of each the newest first.
    pub(super) fn messages(&self) -> BTreeMap<Nid, Vec<Version>> {
        let mut by_node: BTreeMap<Nid, Vec<Version>> = BTreeMap::new();
        for version in self.versions.values().filter(|version| version.node.nid.kind() == NodeType::MESSAGE) {
            by_node.entry(version.node.nid).or_default().push(*version);
        }
        by_node
            .values_mut()
            .for_each(|versions| versions.sort_by_key(|version| std::cmp::Reverse(state_order(version.node.data, version.node.subnodes))));
        by_node
    }

    /// The newest state of a folder that is not live.
    pub(super) fn folders(&self, folder: Nid) -> Vec<Version> {
        let range = (folder, Bid(0), Bid(0))..=(folder, Bid(u64::MAX), Bid(u64::MAX));
        let mut versions: Vec<Version> = self.versions.range(range).map(|(_, version)| *version).collect();
        versions.sort_by_key(|version| std::cmp::Reverse(state_order(version.node.data, version.node.subnodes)));
        versions
    }

    /// Whether an old entry names this block as the root of a tree.
    pub(super) fn names(&self, bid: Bid) -> bool {
        self.named.contains(&bid.key())
    }

    /// Notes a block that a node names.
    pub(super) fn add_named(&mut self, bid: Bid) {
        self.named.insert(bid.key());
    }

    fn read_page(&mut self, ndb: &Ndb, survey: &Survey, page: &FoundPage, is_live: bool) -> Result<()> {
        let origin = if is_live { Origin::Slack(page.ib) } else { Origin::StalePage(page.ib) };
        let taken = with_page(ndb, page.ib, |body| {
            let used = body.entries::<NodeEntry>().filter(|_| !is_live);
            used.chain(body.slack::<NodeEntry>()).try_for_each(|entry| self.take(ndb, survey, &entry, origin))
        })?;
        taken.unwrap_or(Ok(()))
    }

    /// Keeps what an entry says, where the block that it names is there: nobody cleared slack, but not all of it was entries.
    fn take(&mut self, ndb: &Ndb, survey: &Survey, entry: &NodeEntry, origin: Origin) -> Result<()> {
        let (nid, data, subnodes) = (entry.nid.nid, entry.data.key(), entry.subnodes.key());
        if entry.nid.high != 0 || data.is_none() || !subnodes.is_none() && !subnodes.is_internal() || survey.copies(data).is_empty() {
            return Ok(());
        }
        self.named.extend([data, subnodes].into_iter().filter(|bid| !survey.copies(*bid).is_empty()));
        if ![NodeType::MESSAGE, NodeType::FOLDER].contains(&nid.kind()) || self.versions.len() >= VERSIONS_MAX {
            return Ok(());
        }
        let live = survived(ndb.node(nid))?.flatten();
        if live.is_some_and(|live| nid.kind() == NodeType::FOLDER || live.data.key() == data && live.subnodes.key() == subnodes) {
            return Ok(());
        }
        let node = NodeRef { nid, data, subnodes };
        self.versions.entry((nid, data, subnodes)).or_insert(Version { node, parent: entry.parent, origin });
        Ok(())
    }
}

/// Where the pages of the live node B-tree stand that hold its entries.
fn live_leaves(ndb: &Ndb) -> Result<HashSet<Ib>> {
    let mut level = BTreeSet::from([ndb.root(BTree::Nodes).ib]);
    for _ in 0..=LEVELS_MAX {
        let mut below = BTreeSet::new();
        for ib in &level {
            below.extend(children(ndb, *ib));
        }
        if below.is_empty() {
            break;
        }
        level = below;
    }
    Ok(level.into_iter().collect())
}

/// The places of a page's children; none of a leaf, and none of a page that cannot be read: one bad place ends no search.
fn children(ndb: &Ndb, ib: Ib) -> Vec<Ib> {
    let children = with_page(ndb, ib, |body| {
        let is_inner = body.info.level > 0 && usize::from(body.info.entry_bytes) >= BranchEntry::size(ndb.format());
        is_inner.then(|| body.entries::<BranchEntry>().map(|entry| entry.child.ib).collect())
    });
    children.ok().flatten().flatten().unwrap_or_default()
}
