//! Nodes from blocks alone: objects recognised by their content, given back the ids that tables have of them.
//!
//! Folder tables name their rows' nodes, and copy enough of them to know them again. A table does not say whose it is; its
//! folder is the one that counts as many items, and whose blocks were written nearby.

mod copies;
mod stale;

use crate::damage::{Result, survived};
use crate::disk::Spill;
use crate::format::btree::NodeEntry;
use crate::format::codec;
use crate::format::id::{Bid, Nid, NodeType};
use crate::ltp::Properties;
use crate::ltp::value::Value;
use crate::ndb::Ndb;
use crate::progress::Progress;
use crate::store::props::Key;
use crate::store::tags;

pub use copies::is_counted;

use super::flipped::{right_ids, right_listed};
use super::lists::{at, at_mut, equal};
use super::live::Live;
use super::loose::Loose;
use super::nodes::Nodes;
use super::object::{Kind, Object, Print};
use super::owners::{Folders, own_by_rows};
use super::pair::{pair, right_links};
use super::rows::{Age, Listed, Listing, Listings, Prints, kind_of, last_of_class, matches};
use super::survey::Survey;

/// Ids for messages whose own nobody knows begin here: far above those that a store of any age has given out.
const NAMELESS: u32 = 0x0700_0000;

/// Tells which row stands for which object: pairs of their numbers.
type Find = fn(Prints<'_>, Prints<'_>) -> Spill<(u32, u32)>;

/// Nodes under construction.
struct Rebuild<'a> {
    reader: &'a Ndb,
    known: &'a Known,
    nodes: Nodes,
    /// By the ids of their data.
    objects: Spill<Object>,
    listings: Listings,
}

/// What is known of nodes before blocks are looked at.
pub(super) struct Known {
    /// What the tree says.
    pub(super) nodes: Spill<NodeEntry>,
    /// What other pages said of nodes in its holes.
    pub(super) filled: Spill<NodeEntry>,
    /// The ids among these of which only pages tell that are no longer in the tree, ascending.
    pub(super) stale: Spill<Nid>,
    /// Those that may have a bit flipped, ascending.
    pub(super) doubted: Spill<Nid>,
    /// The ids of those of which a link to blocks may have a bit flipped, ascending.
    pub(super) unsure: Spill<Nid>,
}

impl Known {
    /// Whether only pages that are no longer in the tree tell of a node.
    fn is_stale(&self, nid: Nid) -> bool {
        self.stale.binary_search(&nid).is_ok()
    }
}

/// The known nodes, and those that can be made from blocks in use that none of these names.
pub(super) fn rebuild(reader: &Ndb, survey: &Survey, known: &Known, live: &Live, progress: &Progress) -> Result<Spill<NodeEntry>> {
    let all = || known.filled.iter().chain(known.nodes.iter());
    let mut loose = Loose::find(reader, survey, |nid| known.is_stale(nid), all(), &|bid| live.is_live(bid, survey.copies(bid)), progress)?;
    // What stands later in the tree counts more.
    let mut nodes = Nodes::new(known.nodes.iter().rev().chain(known.filled.iter().rev()).copied().collect());
    // What a page says that is whole names what was there, also where that is lost.
    let unsure = nodes.iter_mut().filter(|node| known.unsure.binary_search(&node.nid.nid).is_ok());
    right_links(reader, unsure, &mut loose.subnodes);
    right_ids(reader, &mut nodes, &known.doubted)?;
    pair(&mut loose);
    let Loose { mut objects, named_inside, .. } = loose;
    objects.sort_unstable_by_key(|object| object.data.key());
    let mut rebuild = Rebuild { reader, known, nodes, objects, listings: Listings::default() };
    rebuild.read_listings()?;
    right_listed(reader, &mut rebuild.nodes, &known.doubted, &rebuild.listings)?;
    rebuild.drop_copies();
    rebuild.own_nodes();
    let folders = rebuild.folders()?;
    rebuild.tables(&folders);
    rebuild.messages()?;
    rebuild.counted(live, &named_inside);
    Ok(rebuild.nodes.into_list())
}

impl Rebuild<'_> {
    fn read_listings(&mut self) -> Result<()> {
        for node in self.nodes.iter() {
            if let Some(kind) = kind_of(node.nid.nid.kind()) {
                let owner = Some(node.nid.nid.with_kind(NodeType::FOLDER));
                let age = if self.known.is_stale(node.nid.nid) { Age::Unsure } else { Age::Last };
                self.listings.read(self.reader, kind, (node.data, node.subnodes), owner, age)?;
            }
        }
        for object in self.objects.iter().filter(|object| object.is_table() && object.kind != Kind::Receive) {
            self.listings.read(self.reader, object.kind, (object.data, object.subnodes), None, Age::Last)?;
        }
        Ok(())
    }

    /// Makes objects, by their numbers, the nodes of these ids and parents, where there are none yet.
    fn give(&mut self, given: impl IntoIterator<Item = (Nid, u32, Nid)>) {
        let mut made = Spill::new();
        for (nid, object, parent) in given {
            if let Some(object) = at_mut(&mut self.objects, object).filter(|_| !self.nodes.contains(nid)) {
                object.is_taken = true;
                let (data, subnodes) = (object.data, object.subnodes);
                made.push(NodeEntry { nid: nid.into(), data, subnodes, parent, ..NodeEntry::default() });
            }
        }
        self.nodes.add(made.iter().copied());
    }

    /// The numbers of the objects of a kind that are no node yet.
    fn free(&self, kind: Kind) -> Spill<u32> {
        let objects = (0..).zip(self.objects.iter());
        objects.filter(|(_, object)| object.kind == kind && !object.is_taken).map(|(number, _)| number).collect()
    }

    /// The print of an object.
    fn print(&self, object: u32) -> Print {
        at(&self.objects, object).map(|object| object.print).unwrap_or_default()
    }

    /// Gives objects of a kind the ids of rows that stand for them, by what both tell.
    fn give_rows(&mut self, kind: Kind, rows: &[Listed], find: Find, parent: impl Fn(Nid) -> Nid) {
        let found = self.found_by(kind, rows, find);
        self.give(found.iter().map(|(row, object)| (row.nid, *object, parent(row.nid))));
    }

    /// The objects of a kind that are no node yet and that rows stand for.
    fn found_by(&self, kind: Kind, rows: &[Listed], find: Find) -> Spill<(Listed, u32)> {
        let free = self.free(kind);
        let row = |number| at(rows, number).map(|row| self.listings.print(row.line)).unwrap_or_default();
        let object = |number| at(&free, number).map(|object| self.print(*object)).unwrap_or_default();
        let pairs = find(Prints { len: rows.len(), of: &row }, Prints { len: free.len(), of: &object });
        pairs.iter().filter_map(|(row, object)| Some((*at(rows, *row)?, *at(&free, *object)?))).collect()
    }

    /// Of the rows that tables have of nodes, the last of each lost node of this kind.
    fn lost(&self, listed: &[Listed], kind: Kind) -> Spill<Listed> {
        let lost = |nid: Nid| nid.kind() == kind.node_type() && !self.nodes.contains(nid);
        listed.chunk_by(|a, b| a.nid == b.nid).filter_map(<[_]>::last).filter(|row| lost(row.nid)).copied().collect()
    }

    /// Finds the lost folders, and the folders above all of them.
    fn folders(&mut self) -> Result<Folders> {
        let listed = self.listings.listed(Kind::Hierarchy);
        let rows = self.lost(&listed, Kind::Folder);
        self.give_rows(Kind::Folder, &rows, matches, |_| Nid::default());
        self.renew_by_rows(Kind::Folder, &listed)?;
        // No row stands for the root folder, which has no name.
        let root = self.free(Kind::Folder).iter().rfind(|object| self.print(**object).is_nameless()).copied();
        self.give(root.map(|object| (Nid::ROOT_FOLDER, object, Nid::ROOT_FOLDER)));
        self.nodes.add([NodeEntry { nid: Nid::ROOT_FOLDER.into(), parent: Nid::ROOT_FOLDER, ..NodeEntry::default() }]);
        let folders = Folders::read(self.reader, self.nodes.of_kind(NodeType::FOLDER))?;
        let gone = self.let_go(Kind::Hierarchy, &folders);
        self.own_hierarchies(&folders)?;
        self.take_back(Kind::Hierarchy, &gone);
        let mut listed = self.listings.listed(Kind::Hierarchy);
        listed.retain(|_, row| row.owner.is_some());
        for node in self.nodes.iter_mut().filter(|node| node.nid.nid.kind() == NodeType::FOLDER && node.parent == Nid::default()) {
            node.parent = last_owner(&listed, node.nid.nid);
        }
        Ok(folders)
    }

    /// Finds the folders of tables of a kind by the nodes of their rows; what else folders had there was an earlier state.
    fn own_by_rows(&mut self, kind: Kind) {
        let is_unsure = |folder: Nid| self.known.is_stale(folder.with_kind(kind.node_type()));
        let replaced = own_by_rows(&mut self.listings, kind, &self.nodes, is_unsure);
        self.drop_tables(kind, replaced);
    }

    /// Finds the folders whose subfolders the tables without owners list: by what nodes and the store tell, then by nearness.
    fn own_hierarchies(&mut self, folders: &Folders) -> Result<()> {
        self.own_by_rows(Kind::Hierarchy);
        self.set_earlier_aside();
        let (subtree, finder) = (self.named_by_store(tags::IPM_SUBTREE_ENTRY_ID)?, self.named_by_store(tags::FINDER_ENTRY_ID)?);
        let below = [self.named_by_store(tags::IPM_WASTEBASKET_ENTRY_ID)?, self.named_by_store(tags::IPM_OUTBOX_ENTRY_ID)?];
        let Self { nodes, listings: Listings { list, lines }, .. } = self;
        let mut own = |folder: Option<Nid>, is_its: &dyn Fn(&Listing) -> bool| {
            let folder = folder.filter(|folder| !nodes.contains(folder.with_kind(NodeType::HIERARCHY_TABLE)));
            let is_owned = folder.is_none() || list.iter().any(|listing| listing.kind == Kind::Hierarchy && listing.owner == folder);
            let mut free = list.iter_mut().filter(|listing| listing.kind == Kind::Hierarchy && listing.is_free());
            if let Some(listing) = free.find(|listing| !is_owned && is_its(listing)) {
                listing.owner = folder;
            }
        };
        own(Some(Nid::ROOT_FOLDER), &|listing| subtree.is_some_and(|nid| listing.lists(lines, nid)));
        own(subtree, &|listing| below.into_iter().flatten().any(|nid| listing.lists(lines, nid)));
        // A table of searches alone: the root folder may list some too, but beside other folders.
        own(finder, &|listing| {
            let mut rows = listing.rows.of(lines).iter().peekable();
            rows.peek().is_some() && rows.all(|line| line.nid.kind() == NodeType::SEARCH_FOLDER)
        });
        folders.own_hierarchies(&mut self.listings);
        Ok(())
    }

    /// Finds the folders whose items the tables without owners list, and gives folders the tables that are theirs.
    fn tables(&mut self, folders: &Folders) {
        let gone = self.let_go(Kind::Contents, folders);
        self.own_by_rows(Kind::Contents);
        folders.own_contents(&mut self.listings);
        self.take_back(Kind::Contents, &gone);
        self.own_by_rows(Kind::AssociatedContents);
        for kind in Kind::TABLES {
            let nid = |owner: Nid| owner.with_kind(kind.node_type());
            let node = |owner: Nid, data, subnodes| NodeEntry { nid: nid(owner).into(), data, subnodes, ..NodeEntry::default() };
            let owned = self.listings.of_kind(kind).filter(|listing| listing.age == Age::Last);
            self.nodes.add(owned.filter_map(|listing| Some(node(listing.owner?, listing.data, listing.subnodes))));
            // Empty tables of all folders are one block, that of the template ([MS-PST] 2.4.4).
            let empty = self.listings.of_kind(kind).find(|listing| listing.rows.is_empty());
            if let Some(table) = empty {
                self.nodes.add(folders.without_rows(kind).map(|folder| node(folder, table.data, Bid::NONE)));
            }
        }
    }

    /// The folder that this property of the store names ([MS-PST] 2.4.3).
    fn named_by_store(&self, tag: Key) -> Result<Option<Nid>> {
        let Some(node) = self.nodes.get(Nid::MESSAGE_STORE) else { return Ok(None) };
        let Some(properties) = survived(Properties::open(self.reader, node.nid.nid, node.data, node.subnodes))? else { return Ok(None) };
        let record = properties.records().iter().find(|record| Some(record.id) == tag.id());
        let Some(Value::Binary(entry)) = record.and_then(|record| properties.value(record).ok()?) else { return Ok(None) };
        Ok(codec::cut(&entry, 20, 4).and_then(|bytes| codec::decode(self.reader.format(), bytes).ok()))
    }

    fn messages(&mut self) -> Result<()> {
        for (table, kind) in Kind::ITEMS {
            let listed = self.listings.listed(table);
            let mut unsure = self.lost(&listed, kind);
            self.give_rows(kind, &unsure, matches, |nid| last_owner(&listed, nid));
            self.renew_by_rows(kind, &listed)?;
            unsure.extend(self.known.filled.iter().filter_map(|node| equal(&listed, node.nid.nid, |row| row.nid).last().copied()));
            self.renew_copies(kind, &unsure)?;
            let rows = self.lost(&listed, kind);
            if !rows.is_empty() {
                self.share_rows(kind, &rows, |nid| last_owner(&listed, nid))?;
                self.give_rows(kind, &self.lost(&listed, kind), last_of_class, |nid| last_owner(&listed, nid));
            }
        }
        // One without times, subject or size shows nothing to anybody.
        let mut free = self.free(Kind::Message);
        free.retain(|_, object| self.print(*object).keys().next().is_some());
        let nameless = |number: u32| Nid::new(NodeType::MESSAGE, NAMELESS.saturating_add(number));
        self.give((0..).zip(free.iter()).map(|(number, object)| (nameless(number), *object, Nid::default())));
        Ok(())
    }
}

/// The folder whose table lists a node, by the last row of it.
fn last_owner(listed: &[Listed], nid: Nid) -> Nid {
    equal(listed, nid, |row| row.nid).last().and_then(|row| row.owner).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::loose::Subnodes;
    use super::super::rows::Line;
    use super::super::survey::FoundBlock;
    use super::*;
    use crate::ndb::BlockPlace;

    /// A short letter has three blocks, an object, a subnode tree, a row and a node. What is kept of them goes to temporary
    /// files: that of 10 GB should find room there.
    #[test]
    fn half_a_kilobyte_is_kept_of_a_letter() {
        let blocks = 3 * (size_of::<FoundBlock>() + size_of::<BlockPlace>() + size_of::<Bid>());
        let letter = size_of::<Object>() + size_of::<Subnodes>() + size_of::<Line>() + size_of::<NodeEntry>() + size_of::<Listed>();
        assert!(blocks + letter <= 512, "{blocks} of its blocks and {letter} of itself");
    }
}
