//! Objects made whole: every node that a finding names is written anew from what can still be read.
//!
//! [`plan`] decides what becomes of each node, [`build`] does it in one transaction. All fixes of one object are made at
//! once: what is written is what a scan finds nothing wrong with. Tables are kept in memory until the end and written
//! once; counts and rows of folders follow from them.

mod attachment;
mod bag;
mod decide;
mod doubt;
mod folder;
mod lost;
mod message;
mod names;
mod outline;
mod place;
mod recipients;
mod special;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use super::low::Doubts;
use super::plan::{Deed, Options, Plan};
use crate::damage::{Code, Finding, Result};
use crate::format::id::{Nid, NodeType};
use crate::format::property::FileTime;
use crate::ltp::value::Value;
use crate::ndb::Ndb;
use crate::ndb::write::{Part, Stored, Transaction};
use crate::store::item::NodeRef;
use crate::store::names::NameMap;
use crate::store::write::rows::{self, Rows};
use crate::store::write::templates::Template;
use crate::store::write::{Cells, id_of};
use crate::store::{Store, tags};

use bag::Bag;
use message::Standing;
use table::{table_of, template};

pub(super) use decide::plan;
use decide::{is_message, is_table};

/// What is to be done, and what nothing is done about.
#[derive(Debug, Default)]
pub(super) struct Mended {
    pub(super) deeds: BTreeMap<Deed, BTreeSet<Code>>,
    pub(super) left: Vec<Finding>,
}

impl Mended {
    /// Adds a deed for every object of the store.
    pub(super) fn add_all(&mut self, store: &Store) -> Result<()> {
        store.ndb().visit_nodes(&mut |node| {
            let nid = node.nid.nid;
            let deed = match nid.kind() {
                _ if special::is_template(nid) => Deed::Template(nid),
                _ if special::is_special(nid) => Deed::Special(nid),
                _ if is_message(nid) => Deed::Message(nid),
                _ if is_table(nid) => Deed::Table(nid),
                NodeType::FOLDER => Deed::Folder(nid),
                // What searches found is no one's but Outlook's.
                _ => return true,
            };
            self.deeds.entry(deed).or_default();
            true
        })
    }
}

/// Makes a plan's changes in a transaction; `store` is what the transaction leaves so far, `opened` the store as it was.
/// Gives the messages in which a note says what they have lost.
pub(super) fn build(store: &Store, opened: &Store, transaction: &mut Transaction<'_>, plan: &Plan) -> Result<BTreeSet<Nid>> {
    let mut mender = Mender {
        store,
        ndb: store.ndb(),
        names: opened.has_earlier_names().then(|| &**opened.names()),
        transaction,
        options: plan.options,
        torn: plan.low.torn(),
        doubts: &plan.low.doubts,
        tables: BTreeMap::new(),
        dirty: BTreeSet::new(),
        changed: BTreeSet::new(),
        bags: BTreeMap::new(),
        shelves: BTreeMap::new(),
        names_of_lost: BTreeMap::new(),
        newest: BTreeMap::new(),
        fresh: BTreeSet::new(),
        noted: BTreeSet::new(),
        absent: plan.steps.iter().filter_map(|step| step.deed.absent()).collect(),
    };
    for step in &plan.steps {
        mender.deed(step.deed)?;
    }
    let noted = std::mem::take(&mut mender.noted);
    mender.finish().map(|()| noted)
}

/// A store that is being mended.
struct Mender<'a, 't> {
    store: &'a Store,
    ndb: &'a Ndb,
    /// The names that were known before anything was mended, where they are not those of the map alone.
    names: Option<&'a NameMap>,
    transaction: &'a mut Transaction<'t>,
    options: Options,
    /// What lost something below it.
    torn: BTreeSet<Nid>,
    /// What is there and may be wrong.
    doubts: &'a Doubts,
    /// The tables that were looked at, by node.
    tables: BTreeMap<Nid, Rows>,
    /// Those of them that change.
    dirty: BTreeSet<Nid>,
    /// Folders whose properties are written, whatever they say.
    changed: BTreeSet<Nid>,
    /// What was written in this transaction.
    bags: BTreeMap<Nid, Bag>,
    /// Folders in `Lost and Found`, by what they are called.
    shelves: BTreeMap<String, Nid>,
    /// What the folders are called that held what goes there.
    names_of_lost: BTreeMap<Nid, String>,
    /// The newest time in each folder that was asked for; the default id stands for the store.
    newest: BTreeMap<Nid, FileTime>,
    /// Folders that are new in this transaction.
    fresh: BTreeSet<Nid>,
    /// Messages in which a note says what they have lost.
    noted: BTreeSet<Nid>,
    /// Ids that rows, tables and items have for what is not there.
    absent: BTreeSet<Nid>,
}

impl Mender<'_, '_> {
    fn deed(&mut self, deed: Deed) -> Result<()> {
        match deed {
            Deed::Template(nid) | Deed::Special(nid) => self.special(nid),
            Deed::NewFolder(nid, parent) => self.new_folder(nid, parent),
            Deed::LostFolder(nid) => {
                let parent = self.place_of_lost(nid)?;
                self.new_folder(nid, parent)
            }
            Deed::Reparent(nid, parent) => self.transaction.set_parent(nid, parent),
            Deed::Rescue(nid) => self.rescue(nid),
            Deed::Message(nid) => self.rewrite(nid),
            Deed::Stub(table, row) => self.stub(table, Nid(row)),
            Deed::Unlist(table, row) => {
                self.dirty.insert(table);
                self.table(table)?.rows.remove(&row);
                Ok(())
            }
            Deed::List(table, nid) => self.list(table, nid),
            Deed::Table(nid) => self.renew(nid),
            Deed::Folder(nid) => {
                self.changed.insert(nid);
                Ok(())
            }
            Deed::Search(nid) => self.search(nid),
            Deed::Discard(nid) => self.transaction.remove_node(nid),
        }
    }

    /// Where a node lies, as the store has it.
    fn node(&self, nid: Nid) -> Result<Option<NodeRef>> {
        Ok(self.ndb.node(nid)?.map(|node| NodeRef { nid, data: node.data, subnodes: node.subnodes }))
    }

    /// The node that holds this one, as the transaction leaves it.
    fn parent(&self, nid: Nid) -> Result<Nid> {
        Ok(self.transaction.node(nid)?.map_or(Nid::ROOT_FOLDER, |node| node.parent))
    }

    /// An id for a new node.
    fn new_id(&mut self, kind: NodeType) -> Result<Nid> {
        loop {
            let nid = self.transaction.next_nid(kind)?;
            if !self.absent.contains(&nid) {
                return Ok(nid);
            }
        }
    }

    /// A table as it is after the changes so far.
    fn table(&mut self, nid: Nid) -> Result<&mut Rows> {
        if !self.tables.contains_key(&nid) {
            let belongs = |object: Nid| outline::belongs(self.ndb, nid, object);
            let rows = match self.node(nid)? {
                Some(node) => table::read(self.ndb, node, template(nid), &belongs)?.rows,
                None => Rows { shape: template(nid).shape(self.ndb.format()), rows: BTreeMap::new() },
            };
            self.tables.insert(nid, rows);
        }
        self.tables.get_mut(&nid).ok_or_else(|| crate::damage::Error::NotFound(format!("table {nid}")))
    }

    /// Writes a message anew, and what its folder's table tells of it.
    fn rewrite(&mut self, nid: Nid) -> Result<()> {
        let Some(node) = self.node(nid)? else { return Ok(()) };
        let folder = self.parent(nid)?;
        let table = table_of(folder, nid);
        let row = self.table(table)?.rows.get(&nid.0).cloned();
        let built = self.message(&Standing { node, folder: Some(folder), row: row.as_ref(), depth: 0 })?;
        self.transaction.put_draft(nid, folder, built.draft)?;
        if let Some(row) = row {
            self.put_row(table, nid, row, &built.bag)?;
        }
        self.bags.insert(nid, built.bag);
        Ok(())
    }

    /// Sets a row from its object.
    fn put_row(&mut self, table: Nid, nid: Nid, mut cells: Cells, bag: &Bag) -> Result<()> {
        let ndb = self.ndb;
        let rows = self.table(table)?;
        let before = rows.rows.get(&nid.0).cloned();
        table::copy(ndb, &rows.shape, &mut cells, bag)?;
        if before.as_ref() != Some(&cells) {
            cells.remove(&crate::format::table::ROW_VERSION);
            rows.rows.insert(nid.0, cells);
            self.dirty.insert(table);
        }
        Ok(())
    }

    /// Gives an object a row, made from it.
    fn list(&mut self, table: Nid, nid: Nid) -> Result<()> {
        self.dirty.insert(table);
        if [NodeType::FOLDER, NodeType::SEARCH_FOLDER].contains(&nid.kind()) {
            self.table(table)?.rows.entry(nid.0).or_default();
            self.changed.insert(nid);
            return Ok(());
        }
        let cells = self.table(table)?.rows.remove(&nid.0).unwrap_or_default();
        let bag = self.bag(nid)?;
        self.put_row(table, nid, cells, &bag)
    }

    /// What can be read of a node's properties, as the transaction leaves it.
    fn bag(&mut self, nid: Nid) -> Result<Bag> {
        if let Some(bag) = self.bags.get(&nid) {
            return Ok(bag.clone());
        }
        match self.node(nid)? {
            Some(node) => Ok(Bag::read(self.ndb, node)?.unwrap_or_default()),
            None => Ok(Bag::default()),
        }
    }

    /// Writes a table anew: its rows say what their objects say.
    fn renew(&mut self, nid: Nid) -> Result<()> {
        self.dirty.insert(nid);
        let ids: Vec<Nid> = self.table(nid)?.rows.keys().map(|id| Nid(*id)).collect();
        for id in ids.into_iter().filter(|id| *id != nid) {
            let bag = self.bag(id)?;
            let cells = self.table(nid)?.rows.get(&id.0).cloned().unwrap_or_default();
            self.put_row(nid, id, cells, &bag)?;
        }
        if nid.kind() == NodeType::HIERARCHY_TABLE || self.ndb.node(nid.with_kind(NodeType::FOLDER))?.is_some() {
            self.changed.insert(nid.with_kind(NodeType::FOLDER));
        }
        Ok(())
    }

    /// An empty table: the template's block, shared as Outlook shares it, or a new one where there is no template.
    fn empty_table(&mut self, template: &Template) -> Result<Stored> {
        let shared = self.transaction.node(template.nid)?.filter(|node| !node.data.is_none() && node.subnodes.is_none());
        let whole = match shared {
            Some(node) => {
                let at = NodeRef { nid: template.nid, data: node.data, subnodes: node.subnodes };
                let stored = Stored { data: node.data, subnodes: node.subnodes };
                // One that was written in this transaction is whole.
                let is_new = self.ndb.node(template.nid)?.is_none_or(|old| old.data != node.data);
                let found = if is_new { None } else { Some(table::read(self.ndb, at, template, &|_| Ok(true))?) };
                let sound = found.is_none_or(|found| found.opened && found.lost == 0 && found.rows.rows.is_empty());
                Some(stored).filter(|_| sound)
            }
            None => None,
        };
        match whole {
            Some(stored) => Ok(stored),
            None => {
                let rows = Rows { shape: template.shape(self.ndb.format()), rows: BTreeMap::new() };
                let draft = rows::table(self.transaction, rows)?;
                crate::ndb::write::tree::put_draft(self.transaction, draft)
            }
        }
    }

    /// The newest time that a folder's items tell, else the store's, else the first that there can be.
    fn newest(&mut self, folder: Nid) -> Result<FileTime> {
        if let Some(time) = self.newest.get(&folder) {
            return Ok(*time);
        }
        let rows = &self.table(folder.with_kind(NodeType::CONTENTS_TABLE))?.rows;
        let own = rows.values().filter_map(newest_of).max();
        let time = match own {
            Some(time) => time,
            None => self.newest_of_all()?,
        };
        self.newest.insert(folder, time);
        Ok(time)
    }

    fn newest_of_all(&mut self) -> Result<FileTime> {
        if let Some(time) = self.newest.get(&Nid::default()) {
            return Ok(*time);
        }
        let mut newest = FileTime::default();
        for folder in crate::recover::folders_below(self.store, Nid::ROOT_FOLDER)? {
            self.store.visit_contents(folder, crate::store::Which::Normal, &mut |row| {
                newest = [Some(newest), row.delivered, row.submitted, row.modified].into_iter().flatten().max().unwrap_or_default();
                Ok(())
            })?;
        }
        self.newest.insert(Nid::default(), newest);
        Ok(newest)
    }

    /// Writes what follows from all changes: counts, rows of folders, tables.
    fn finish(mut self) -> Result<()> {
        self.count_folders()?;
        for nid in std::mem::take(&mut self.dirty) {
            let Some(table) = self.tables.remove(&nid) else { continue };
            if table.rows.is_empty() && table.shape == template(nid).shape(self.ndb.format()) {
                let stored = self.empty_table(template(nid))?;
                self.transaction.put_node(nid, Nid::default(), stored.data, stored.subnodes)?;
                continue;
            }
            let draft = rows::table(self.transaction, table)?;
            self.transaction.put_draft(nid, Nid::default(), draft)?;
        }
        Ok(())
    }
}

fn newest_of(cells: &Cells) -> Option<FileTime> {
    let keys = [tags::MESSAGE_DELIVERY_TIME, tags::CLIENT_SUBMIT_TIME, tags::LAST_MODIFICATION_TIME];
    let times = keys.into_iter().filter_map(|key| match cells.get(&id_of(key)) {
        Some(Value::Time(time)) if time.unix().is_some() => Some(*time),
        _ => None,
    });
    times.max()
}

/// A part of a node that is in the file already.
const fn stored(data: crate::format::id::Bid, subnodes: crate::format::id::Bid) -> Part {
    Part::Stored(Stored { data, subnodes })
}
