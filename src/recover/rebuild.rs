//! Nodes from blocks alone: objects recognised by their content, given back the ids that tables have of them.
//!
//! Folder tables name their rows' nodes, and copy enough of them to know them again. A table does not say whose it is; its
//! folder is the one that counts as many items, and whose blocks were written nearby.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::damage::Result;
use crate::disk::Spill;
use crate::format::btree::NodeEntry;
use crate::format::codec;
use crate::format::heap::HeapClient;
use crate::format::id::{Bid, Nid, NodeType};
use crate::ltp::Properties;
use crate::ltp::value::Value;
use crate::ndb::Ndb;
use crate::progress::Progress;
use crate::store::tags;

use super::live::Live;
use super::loose::{Loose, survived};
use super::object::{Kind, Object, Print};
use super::pair::{pair, right_links};
use super::rows::{Line, Listing, copies, kind_of, matches};
use super::survey::Survey;

/// Ids for messages whose own nobody knows begin here: far above those that a store of any age has given out.
const NAMELESS: u32 = 0x0700_0000;

/// Ids for copies of messages of which only a count tells begin here.
const COUNTED: u32 = 0x0780_0000;
/// How many of these are shown.
const COUNTED_MAX: usize = 10_000;

/// How many folders are tried for a table.
const FOLDERS_TRIED: usize = 64;

/// Whether this is a copy of a message of which only a count tells: how many nodes share its block.
pub fn is_counted(nid: Nid) -> bool {
    nid.kind() == NodeType::MESSAGE && nid.index() >= COUNTED
}

/// Nodes under construction.
struct Rebuild<'a> {
    reader: &'a Ndb,
    nodes: BTreeMap<Nid, NodeEntry>,
    objects: Vec<Object>,
    taken: HashSet<usize>,
    listings: Vec<Listing>,
}

/// What is known of nodes before blocks are looked at.
pub(super) struct Known {
    /// What the tree says.
    pub(super) nodes: Spill<NodeEntry>,
    /// What other pages said of nodes in its holes.
    pub(super) filled: Vec<NodeEntry>,
}

/// The known nodes, and those that can be made from blocks in use that none of these names.
pub(super) fn rebuild(reader: &Ndb, survey: &Survey, known: &Known, live: &Live, progress: &Progress) -> Result<Vec<NodeEntry>> {
    let all = || known.filled.iter().chain(known.nodes.iter());
    let mut loose = Loose::find(reader, survey, all(), &|bid| live.is_live(bid, survey.copies(bid)), progress)?;
    let mut nodes: BTreeMap<Nid, NodeEntry> = all().map(|node| (node.nid.nid, *node)).collect();
    right_links(reader, nodes.values_mut(), &mut loose.subnodes);
    pair(&mut loose);
    let mut objects = std::mem::take(&mut loose.objects);
    objects.sort_by_key(|object| object.data.key());
    let mut rebuild = Rebuild { reader, nodes, objects, taken: HashSet::new(), listings: Vec::new() };
    rebuild.read_listings()?;
    rebuild.drop_copies(&known.filled);
    rebuild.own_nodes();
    rebuild.folders()?;
    rebuild.tables()?;
    rebuild.messages()?;
    rebuild.counted(live, &loose.named_inside);
    Ok(rebuild.nodes.into_values().collect())
}

impl Rebuild<'_> {
    fn read_listings(&mut self) -> Result<()> {
        let mut room = Listing::room();
        for node in self.nodes.values() {
            if let Some(kind) = kind_of(node.nid.nid.kind())
                && let Some(listing) = Listing::read(self.reader, kind, node.data, node.subnodes, &mut room)?
            {
                let owner = Some(node.nid.nid.with_kind(NodeType::FOLDER));
                self.listings.push(Listing { owner, ..listing });
            }
        }
        for object in self.objects.iter().filter(|object| object.is_table() && object.kind != Kind::Receive) {
            self.listings.extend(Listing::read(self.reader, object.kind, object.data, object.subnodes, &mut room)?);
        }
        Ok(())
    }

    /// Leaves out messages that no table lists and whose data another node has too.
    ///
    /// Copies of an item share its blocks, so that these are still in use does not say that this copy is.
    fn drop_copies(&mut self, filled: &[NodeEntry]) {
        let mut users: HashMap<Bid, u32> = HashMap::new();
        for node in self.nodes.values() {
            let count = users.entry(node.data.key()).or_default();
            *count = count.saturating_add(1);
        }
        let listed: HashSet<Nid> = self.listings.iter().flat_map(|listing| &listing.rows).map(|line| line.nid).collect();
        for node in filled.iter().filter(|node| node.nid.nid.kind() == NodeType::MESSAGE) {
            let is_shared = users.get(&node.data.key()).is_some_and(|count| *count > 1);
            if is_shared && !listed.contains(&node.nid.nid) {
                self.nodes.remove(&node.nid.nid);
            }
        }
    }

    /// The nodes whose ids are the same in every store ([MS-PST] 2.4.1).
    fn own_nodes(&mut self) {
        let own = [(Kind::Store, Nid::MESSAGE_STORE), (Kind::Names, Nid::NAME_MAP), (Kind::Receive, Nid::RECEIVE_FOLDER_TABLE)];
        for (kind, nid) in own {
            // Of several states the one that was written last.
            if let Some(index) = self.objects.iter().rposition(|object| object.kind == kind) {
                self.give(nid, index, Nid::default());
            }
        }
    }

    /// Makes an object the node of this id, where there is none yet.
    fn give(&mut self, nid: Nid, index: usize, parent: Nid) {
        if let Some(object) = self.objects.get(index).filter(|_| !self.nodes.contains_key(&nid)) {
            self.nodes
                .insert(nid, NodeEntry { nid: nid.into(), data: object.data, subnodes: object.subnodes, parent, ..NodeEntry::default() });
            self.taken.insert(index);
        }
    }

    /// The objects of a kind that are no node yet.
    fn free(&self, kind: Kind) -> Vec<(usize, Print)> {
        let objects = self.objects.iter().enumerate();
        objects
            .filter(|(index, object)| object.kind == kind && !self.taken.contains(index))
            .map(|(index, object)| (index, object.print))
            .collect()
    }

    /// Gives objects of a kind the ids of rows that stand for them.
    fn give_rows(&mut self, kind: Kind, rows: &[Line], parents: &HashMap<Nid, Nid>) {
        let free = self.free(kind);
        let prints: Vec<Print> = free.iter().map(|(_, print)| *print).collect();
        for (row, object) in matches(rows, &prints) {
            if let (Some(row), Some((index, _))) = (rows.get(row), free.get(object)) {
                self.give(row.nid, *index, parents.get(&row.nid).copied().unwrap_or_default());
            }
        }
    }

    /// The rows of tables of a kind that stand for lost nodes of this type.
    fn lost_rows(&self, kind: Kind, of: NodeType) -> Vec<Line> {
        let rows = self.listings.iter().filter(|listing| listing.kind == kind).flat_map(|listing| &listing.rows);
        let mut rows: Vec<Line> = rows.filter(|line| line.nid.kind() == of && !self.nodes.contains_key(&line.nid)).copied().collect();
        rows.sort_by_key(|line| line.nid);
        rows.dedup_by_key(|line| line.nid);
        rows
    }

    fn folders(&mut self) -> Result<()> {
        let rows = self.lost_rows(Kind::Hierarchy, NodeType::FOLDER);
        self.give_rows(Kind::Folder, &rows, &HashMap::new());
        // No row stands for the root folder, which has no name.
        if let Some((index, _)) = self.free(Kind::Folder).into_iter().rfind(|(_, print)| print.is_nameless()) {
            self.give(Nid::ROOT_FOLDER, index, Nid::ROOT_FOLDER);
        }
        let root = NodeEntry { nid: Nid::ROOT_FOLDER.into(), parent: Nid::ROOT_FOLDER, ..NodeEntry::default() };
        self.nodes.entry(Nid::ROOT_FOLDER).or_insert(root);
        self.own_hierarchies()?;
        let mut parents = HashMap::new();
        for listing in self.listings.iter().filter(|listing| listing.kind == Kind::Hierarchy) {
            if let Some(owner) = listing.owner {
                parents.extend(listing.rows.iter().map(|line| (line.nid, owner)));
            }
        }
        for node in self.nodes.values_mut().filter(|node| node.nid.nid.kind() == NodeType::FOLDER && node.parent == Nid::default()) {
            node.parent = parents.get(&node.nid.nid).copied().unwrap_or_default();
        }
        Ok(())
    }

    /// Finds the folders whose subfolders the tables without owners list.
    fn own_hierarchies(&mut self) -> Result<()> {
        let subtree = self.ipm_subtree()?;
        let is_free = |listing: &Listing| listing.kind == Kind::Hierarchy && listing.owner.is_none() && !listing.rows.is_empty();
        let root_has_none = !self.nodes.contains_key(&Nid::ROOT_FOLDER.with_kind(NodeType::HIERARCHY_TABLE));
        if let Some(root) = self
            .listings
            .iter_mut()
            .filter(|listing| root_has_none && is_free(listing))
            .find(|listing| subtree.is_some_and(|nid| listing.lists(nid)))
        {
            root.owner = Some(Nid::ROOT_FOLDER);
        }
        let facts = self.folder_facts()?;
        let owners = self.owners(Kind::Hierarchy);
        let mut costs = Vec::new();
        for (number, listing) in self.listings.iter().enumerate().filter(|(_, listing)| is_free(listing)) {
            let fits =
                |nid: Nid, print: &Print| !listing.lists(nid) && print.has(tags::SUBFOLDERS, &Value::Bool(true)) && !owners.contains(&nid);
            let fitting = facts.iter().filter(|(nid, (_, print))| fits(**nid, print));
            costs.extend(nearest(number, fitting.map(|(nid, (data, _))| (listing.distance(*data), *nid))));
        }
        self.own(costs);
        Ok(())
    }

    /// Finds the folders whose items the tables without owners list.
    fn tables(&mut self) -> Result<()> {
        let facts = self.folder_facts()?;
        let owners = self.owners(Kind::Contents);
        let mut costs = Vec::new();
        let free = |listing: &&Listing| listing.kind == Kind::Contents && listing.owner.is_none() && !listing.rows.is_empty();
        for (number, listing) in (0..).zip(&self.listings).filter(|(_, listing)| free(listing)) {
            let count = Value::I32(i32::try_from(listing.rows.len()).unwrap_or(i32::MAX));
            let unread = Value::I32(listing.unread);
            let fitting = facts.iter().filter(|(nid, (_, print))| print.has(tags::CONTENT_COUNT, &count) && !owners.contains(nid));
            // One that counts as many unread items too comes before all that do not.
            let far = |print: &Print| u64::from(!print.has(tags::CONTENT_UNREAD_COUNT, &unread)) << 40;
            costs.extend(nearest(number, fitting.map(|(nid, (data, print))| (listing.distance(*data).saturating_add(far(print)), *nid))));
        }
        self.own(costs);
        let tables = [
            (Kind::Hierarchy, NodeType::HIERARCHY_TABLE),
            (Kind::Contents, NodeType::CONTENTS_TABLE),
            (Kind::AssociatedContents, NodeType::ASSOCIATED_TABLE),
        ];
        for (kind, of) in tables {
            let owned = self.listings.iter().filter(|listing| listing.kind == kind).filter_map(|listing| Some((listing.owner?, listing)));
            let owned: Vec<_> = owned.map(|(owner, listing)| (owner, listing.data, listing.subnodes)).collect();
            // Empty tables of all folders are one block, that of the template ([MS-PST] 2.4.4).
            let table = self.listings.iter().find(|listing| listing.kind == kind && listing.rows.is_empty()).map(|listing| listing.data);
            let empty = facts.iter().filter(|(_, (_, print))| !has_rows(print, kind));
            let empty = empty.filter_map(|(folder, _)| Some((*folder, table?, Bid::NONE)));
            for (owner, data, subnodes) in owned.into_iter().chain(empty) {
                let nid = owner.with_kind(of);
                self.nodes.entry(nid).or_insert(NodeEntry { nid: nid.into(), data, subnodes, ..NodeEntry::default() });
            }
        }
        Ok(())
    }

    /// Makes the cheapest pairs of table and folder, each of both once.
    fn own(&mut self, mut costs: Vec<(u64, usize, Nid)>) {
        costs.sort_unstable();
        let mut owners = HashSet::new();
        for (_, number, nid) in costs {
            if let Some(listing) = self.listings.get_mut(number).filter(|listing| listing.owner.is_none())
                && owners.insert(nid)
            {
                listing.owner = Some(nid);
            }
        }
    }

    /// The folders whose table of a kind is known.
    fn owners(&self, kind: Kind) -> HashSet<Nid> {
        self.listings.iter().filter(|listing| listing.kind == kind).filter_map(|listing| listing.owner).collect()
    }

    /// Each folder's properties, and where they lie.
    fn folder_facts(&self) -> Result<BTreeMap<Nid, (Bid, Print)>> {
        let mut facts = BTreeMap::new();
        for node in self.nodes.values().filter(|node| node.nid.nid.kind() == NodeType::FOLDER) {
            let object = Object::read(self.reader, node.data, HeapClient::PROPERTIES)?;
            facts.insert(node.nid.nid, (node.data, object.map(|object| object.print).unwrap_or_default()));
        }
        Ok(facts)
    }

    /// The folder that the store's properties name as the one that users see ([MS-PST] 2.4.3).
    fn ipm_subtree(&self) -> Result<Option<Nid>> {
        let Some(node) = self.nodes.get(&Nid::MESSAGE_STORE) else { return Ok(None) };
        let Some(properties) = survived(Properties::open(self.reader, node.nid.nid, node.data, node.subnodes))? else { return Ok(None) };
        let record = properties.records().iter().find(|record| Some(record.id) == tags::IPM_SUBTREE_ENTRY_ID.id());
        let Some(Value::Binary(entry)) = record.and_then(|record| properties.value(record).ok()?) else { return Ok(None) };
        Ok(codec::cut(&entry, 20, 4).and_then(|bytes| codec::decode(self.reader.format(), bytes).ok()))
    }

    fn messages(&mut self) -> Result<()> {
        for (table, kind, of) in
            [(Kind::Contents, Kind::Message, NodeType::MESSAGE), (Kind::AssociatedContents, Kind::Associated, NodeType::ASSOCIATED_MESSAGE)]
        {
            let mut parents = HashMap::new();
            for listing in self.listings.iter().filter(|listing| listing.kind == table) {
                parents.extend(listing.rows.iter().map(|line| (line.nid, listing.owner.unwrap_or_default())));
            }
            let rows = self.lost_rows(table, of);
            self.give_rows(kind, &rows, &parents);
            let rows = self.lost_rows(table, of);
            if !rows.is_empty() {
                self.share_rows(kind, of, &rows, &parents)?;
            }
        }
        // One without times, subject or size shows nothing to anybody.
        let free = self.free(Kind::Message).into_iter().filter(|(_, print)| print.keys().next().is_some());
        for (number, (index, _)) in (0..).zip(free.collect::<Vec<_>>()) {
            self.give(Nid::new(NodeType::MESSAGE, NAMELESS.saturating_add(number)), index, Nid::default());
        }
        Ok(())
    }

    /// Adds the messages of which nothing is left but the count of those that share a block.
    ///
    /// Copies of a message have one data block, and the block B-tree tells how many name it ([MS-PST] 2.2.2.7.7.3): as many
    /// as are missing stood in pages that are lost, each the same to the letter.
    fn counted(&mut self, live: &Live, named_inside: &HashSet<Bid>) {
        let mut users: BTreeMap<Bid, (usize, NodeEntry)> = BTreeMap::new();
        for node in self.nodes.values().filter(|node| node.nid.nid.kind() == NodeType::MESSAGE) {
            let (count, _) = users.entry(node.data.key()).or_insert((0, *node));
            *count = count.saturating_add(1);
        }
        users.retain(|bid, _| !named_inside.contains(bid));
        let lost = |(bid, (known, node)): (&Bid, &(usize, NodeEntry))| {
            let lost = usize::from(live.names_of(*bid)?).saturating_sub(*known);
            Some(std::iter::repeat_n(*node, lost))
        };
        let lost = users.iter().filter_map(lost).flatten().take(COUNTED_MAX);
        for (index, node) in (COUNTED..).zip(lost) {
            let nid = Nid::new(NodeType::MESSAGE, index);
            self.nodes.insert(nid, NodeEntry { nid: nid.into(), parent: Nid::default(), ..node });
        }
    }

    /// Gives rows that are left the blocks of nodes of which theirs are copies.
    fn share_rows(&mut self, kind: Kind, of: NodeType, rows: &[Line], parents: &HashMap<Nid, Nid>) -> Result<()> {
        let mut donors: Vec<NodeEntry> = self.nodes.values().filter(|node| node.nid.nid.kind() == of).copied().collect();
        donors.sort_by_key(|node| node.data.key());
        donors.dedup_by_key(|node| node.data.key());
        let mut prints = Vec::new();
        for donor in &donors {
            let object = Object::read(self.reader, donor.data, HeapClient::PROPERTIES)?;
            prints.push(object.filter(|object| object.kind == kind).map(|object| object.print).unwrap_or_default());
        }
        for (row, donor) in copies(rows, &prints) {
            if let (Some(row), Some(donor)) = (rows.get(row), donors.get(donor)) {
                let parent = parents.get(&row.nid).copied().unwrap_or_default();
                self.nodes.insert(row.nid, NodeEntry { nid: row.nid.into(), parent, ..*donor });
            }
        }
        Ok(())
    }
}

/// Whether a folder says that its table of this kind is not empty.
fn has_rows(folder: &Print, kind: Kind) -> bool {
    match kind {
        Kind::Contents => folder.differs(tags::CONTENT_COUNT, &Value::I32(0)),
        Kind::Hierarchy => folder.differs(tags::SUBFOLDERS, &Value::Bool(false)),
        _ => false,
    }
}

/// The folders nearest to a table, with the table's number.
fn nearest(number: usize, folders: impl Iterator<Item = (u64, Nid)>) -> Vec<(u64, usize, Nid)> {
    let mut costs: Vec<_> = folders.map(|(cost, nid)| (cost, number, nid)).collect();
    costs.sort_unstable();
    costs.truncate(FOLDERS_TRIED);
    costs
}
