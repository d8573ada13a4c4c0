//! Which folder a table belongs to that does not say whose it is: the one that counts as many items, and whose blocks were
//! written nearby.

use crate::damage::Result;
use crate::disk::Spill;
use crate::format::btree::NodeEntry;
use crate::format::id::{Bid, Nid, NodeType};
use crate::ltp::value::Value;
use crate::ndb::Ndb;
use crate::store::tags;

use super::deal::deal;
use super::lists::{at, at_mut, equal};
use super::nodes::Nodes;
use super::object::{Kind, Object, Print, digest};
use super::rows::{Age, Line, Listing, Listings};

/// How many folders are tried for a table.
const FOLDERS_TRIED: usize = 64;
/// How many of these before each of its subfolders.
const NEAREST: usize = 4;
/// What comes before all else in the cost of a pair: farther than any two ids are apart.
const FAR: u64 = 1 << 40;
/// What comes before that: the folder is one for items of another kind.
const ODD: u64 = 1 << 41;
/// What is written together has ids this near: a folder and its three tables are four blocks.
const TOGETHER: u64 = 16;
/// Classes of folders (PidTagContainerClass, [MS-OXCFOLD] 2.2.2.2.2.3), and those of the items that they are for.
const CLASSES: [(&str, &str); 5] = [
    ("IPF.Appointment", "IPM.Appointment"),
    ("IPF.Contact", "IPM.Contact"),
    ("IPF.Task", "IPM.Task"),
    ("IPF.Journal", "IPM.Activity"),
    ("IPF.StickyNote", "IPM.StickyNote"),
];

/// The folders of a store, by id.
#[derive(Debug)]
pub(super) struct Folders(Spill<Folder>);

/// A folder's properties, and where they lie.
#[derive(Clone, Copy, Debug)]
struct Folder {
    nid: Nid,
    data: Bid,
    print: Print,
}

/// A folder in a list by what it counts and where its data lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Near {
    /// Digests of what it counts.
    counts: (u32, u32),
    data: Bid,
    number: u32,
}

impl Folders {
    /// Reads the properties of these folders, which ascend by id.
    pub(super) fn read<'n>(reader: &Ndb, nodes: impl Iterator<Item = &'n NodeEntry>) -> Result<Self> {
        let mut folders = Spill::new();
        for node in nodes {
            let object = Object::read_properties(reader, node.data)?;
            let print = object.map(|object| object.print).unwrap_or_default();
            folders.push(Folder { nid: node.nid.nid, data: node.data, print });
        }
        Ok(Self(folders))
    }

    /// Those that do not say that they have rows in their tables of a kind.
    pub(super) fn without_rows(&self, kind: Kind) -> impl Iterator<Item = Nid> {
        self.0.iter().filter(move |folder| !has_rows(&folder.print, kind)).map(|folder| folder.nid)
    }

    /// Whether a folder says that its table of a kind has other rows than so many.
    pub(super) fn counts_others(&self, folder: Nid, kind: Kind, rows: u32) -> bool {
        let at = self.0.binary_search_by_key(&folder, |folder| folder.nid);
        let Some(folder) = at.ok().and_then(|at| self.0.get(at)) else { return false };
        match kind {
            Kind::Contents => folder.print.differs(tags::CONTENT_COUNT, &Value::I32(i32::try_from(rows).unwrap_or(i32::MAX))),
            Kind::Hierarchy => folder.print.differs(tags::SUBFOLDERS, &Value::Bool(rows != 0)),
            _ => false,
        }
    }

    /// Finds the folders whose subfolders tables without owners list: one that has some, is not in the table, and was written
    /// with it or made before its subfolders, the nearest first.
    pub(super) fn own_hierarchies(&self, listings: &mut Listings) {
        let owners = listings.owners(Kind::Hierarchy);
        let parents = self.nearby(&owners, |folder| folder.print.has(tags::SUBFOLDERS, &Value::Bool(true)).then_some((0, 0)));
        let mut by_id: Spill<(Nid, u32)> = parents.iter().filter_map(|near| Some((self.nid(near)?, near.number))).collect();
        by_id.sort_unstable();
        self.own(Kind::Hierarchy, listings, |listing, lines| {
            let fits = |near: &&Near| self.nid(near).is_some_and(|nid| !listing.lists(lines, nid));
            let mut costs = self.costs(listing, nearest(&parents, listing, fits), 0);
            costs.iter_mut().filter(|(far, _)| *far > TOGETHER).for_each(|(cost, _)| *cost = cost.saturating_add(ODD));
            costs.extend(made_before(&by_id, listing, lines));
            costs.sort_unstable();
            costs
        });
    }

    /// Finds the folders whose items tables without owners list: the nearest that count as many.
    pub(super) fn own_contents(&self, listings: &mut Listings) {
        let owners = listings.owners(Kind::Contents);
        let counted = |print: &Print| print.cell(tags::CONTENT_COUNT);
        let all = self.nearby(&owners, |folder| Some((counted(&folder.print), 0)));
        let exact = self.nearby(&owners, |folder| Some((counted(&folder.print), folder.print.cell(tags::CONTENT_UNREAD_COUNT))));
        self.own(Kind::Contents, listings, |listing, lines| {
            let class = class_of_items(listing.rows.of(lines));
            let is_odd = |folder: u32| at(&self.0, folder).and_then(|folder| class_of_folder(&folder.print)) != class;
            let of = |number: i32| digest(&Value::I32(number)).unwrap_or_default();
            let counts = (of(i32::try_from(listing.rows.len()).unwrap_or(i32::MAX)), of(listing.unread));
            // One that counts as many unread items too comes before all that do not.
            let first = nearest(equal(&exact, counts, |near| near.counts), listing, |_| true);
            let mut costs = self.costs(listing, first, 0);
            if costs.len() < FOLDERS_TRIED {
                let as_many = equal(&all, (counts.0, 0), |near| near.counts);
                costs.extend(self.costs(listing, nearest(as_many, listing, |near| !self.has_unread(near, counts.1)), FAR));
            }
            costs.iter_mut().filter(|(_, folder)| is_odd(*folder)).for_each(|(cost, _)| *cost = cost.saturating_add(ODD));
            costs.sort_unstable();
            costs
        });
    }

    /// Gives tables of a kind that have rows and no owner the folders that cost least, each of both once.
    fn own(&self, kind: Kind, listings: &mut Listings, costs: impl Fn(&Listing, &[Line]) -> Vec<(u64, u32)>) {
        let free = |listing: &&Listing| listing.kind == kind && listing.is_free() && !listing.rows.is_empty();
        let wishes = |number: u32| {
            let listing = at(&listings.list, number).filter(free);
            let mut wishes = listing.map(|listing| costs(listing, &listings.lines)).unwrap_or_default();
            wishes.truncate(FOLDERS_TRIED);
            wishes
        };
        let dealt = deal(listings.list.len(), self.0.len(), wishes);
        for (number, listing) in (0..).zip(listings.list.iter_mut()) {
            let folder = dealt.of(number).and_then(|folder| at(&self.0, folder));
            listing.owner = listing.owner.or(folder.map(|folder| folder.nid));
        }
    }

    /// The folders that own no such table yet, by what this tells of each, and by where their data lie.
    fn nearby(&self, owners: &[Nid], counts: impl Fn(&Folder) -> Option<(u32, u32)>) -> Spill<Near> {
        let free = (0..).zip(self.0.iter()).filter(|(_, folder)| owners.binary_search(&folder.nid).is_err());
        let mut list: Spill<Near> =
            free.filter_map(|(number, folder)| Some(Near { counts: counts(folder)?, data: folder.data.key(), number })).collect();
        list.sort_unstable();
        list
    }

    /// What these folders cost a table, the cheapest first.
    fn costs<'n>(&self, listing: &Listing, found: impl Iterator<Item = &'n Near>, more: u64) -> Vec<(u64, u32)> {
        let mut costs: Vec<_> = found.map(|near| (listing.distance(near.data).saturating_add(more), near.number)).collect();
        // One may be near to both ends.
        costs.sort_unstable();
        costs.dedup();
        costs
    }

    fn nid(&self, near: &Near) -> Option<Nid> {
        at(&self.0, near.number).map(|folder| folder.nid)
    }

    fn has_unread(&self, near: &Near, unread: u32) -> bool {
        at(&self.0, near.number).is_some_and(|folder| folder.print.cell(tags::CONTENT_UNREAD_COUNT) == unread)
    }
}

/// Finds the folders of tables of a kind by the nodes of their rows, where those name one; of those that folders have only
/// what is sure stays. Of several tables of one folder the one that lists most of what is there, of these the newest; the
/// others are earlier states of it. Returns the folders that have another table now.
pub(super) fn own_by_rows(listings: &mut Listings, kind: Kind, nodes: &Nodes, is_unsure: impl Fn(Nid) -> bool) -> Spill<Nid> {
    let mut owners = listings.owners(kind);
    owners.retain(|_, folder| !is_unsure(*folder));
    let mut found: Spill<(Nid, bool, usize, Bid, u32)> = Spill::new();
    for (number, listing) in (0..).zip(listings.list.iter()).filter(|(_, listing)| listing.kind == kind) {
        let named = |nid: Nid| nodes.get(nid).map(|node| node.parent).filter(|parent| *parent != Nid::default());
        let parents = || listing.rows.of(&listings.lines).iter().filter_map(|line| named(line.nid));
        let by_rows = parents().next().filter(|folder| parents().all(|parent| parent == *folder) && nodes.contains(*folder));
        if let Some(folder) = listing.owner.or(by_rows) {
            let is_sure = owners.binary_search(&folder).is_ok() && listing.owner == Some(folder);
            let theirs = parents().filter(|parent| *parent == folder).count();
            found.push((folder, is_sure, theirs, listing.data.key(), number));
        }
    }
    found.sort_unstable();
    let mut replaced = Spill::new();
    for tables in found.chunk_by(|a, b| a.0 == b.0) {
        let Some((last, others)) = tables.split_last() else { continue };
        for (folder, _, _, _, number) in others {
            if let Some(listing) = at_mut(&mut listings.list, *number) {
                replaced.extend(listing.owner);
                (listing.owner, listing.age) = (Some(*folder), Age::Earlier);
            }
        }
        if let Some(listing) = at_mut(&mut listings.list, last.4) {
            (listing.owner, listing.age) = (Some(last.0), Age::Last);
        }
    }
    replaced
}

/// What the folders cost a table of subfolders that were made before these: ids of folders are given out one after the other.
fn made_before(by_id: &[(Nid, u32)], listing: &Listing, lines: &[Line]) -> Vec<(u64, u32)> {
    let rows = listing.rows.of(lines).iter().map(|line| line.nid);
    let mut costs = Vec::new();
    for child in rows.filter(|nid| nid.kind() == NodeType::FOLDER).take(FOLDERS_TRIED) {
        let before = by_id.partition_point(|(folder, _)| *folder < child);
        let folders = by_id.iter().take(before).rev().filter(|(folder, _)| !listing.lists(lines, *folder)).take(NEAREST);
        let cost = |folder: Nid| u64::from(child.index().saturating_sub(folder.index())).saturating_add(FAR);
        costs.extend(folders.map(|(folder, number)| (cost(*folder), *number)));
    }
    costs
}

/// Those of a list by data that are wanted and nearest to the ends of a table, on both sides of each.
fn nearest<'n>(list: &'n [Near], listing: &Listing, wanted: impl Fn(&&Near) -> bool + Copy) -> impl Iterator<Item = &'n Near> {
    listing.ends().into_iter().flat_map(move |end| {
        let after = list.partition_point(|near| near.data < end.key());
        let before = list.iter().take(after).rev().filter(wanted).take(FOLDERS_TRIED);
        before.chain(list.iter().skip(after).filter(wanted).take(FOLDERS_TRIED))
    })
}

/// Which of [`CLASSES`] a folder is of.
fn class_of_folder(folder: &Print) -> Option<usize> {
    CLASSES.iter().position(|(class, _)| folder.has(tags::CONTAINER_CLASS, &Value::Unicode((*class).to_owned())))
}

/// For which of [`CLASSES`] there are items among the rows of a table.
fn class_of_items(rows: &[Line]) -> Option<usize> {
    CLASSES.iter().position(|(_, class)| {
        let class = digest(&Value::Unicode((*class).to_owned())).unwrap_or_default();
        rows.iter().any(|row| row.print.cell(tags::MESSAGE_CLASS) == class)
    })
}

/// Whether a folder says that its table of this kind is not empty.
fn has_rows(folder: &Print, kind: Kind) -> bool {
    match kind {
        Kind::Contents => folder.differs(tags::CONTENT_COUNT, &Value::I32(0)),
        Kind::Hierarchy => folder.differs(tags::SUBFOLDERS, &Value::Bool(false)),
        _ => false,
    }
}
