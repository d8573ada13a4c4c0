//! Changing the folders and messages of a store ([MS-PST] 2.6.3).
//!
//! Changes are collected and become one transaction: nodes at once, tables and counts when it is finished, each table
//! once. Search folders are not told: their contents are stale until their owner searches again. Of a folder made in an
//! OST only the nodes that every folder has are written.

use std::collections::{BTreeMap, BTreeSet};

use super::props::{PropertyKey, PropertyList, id_of, own_value};
use super::rows::{self, Cells, Rows};
use super::templates::{ASSOCIATED, CONTENTS, HIERARCHY, RECIPIENTS, Template};
use crate::damage::{Error, Result};
use crate::format::id::{Bid, Nid, NodeType};
use crate::format::property::PropType;
use crate::ltp::value::Value;
use crate::ltp::write::{PropertiesBuilder, value};
use crate::ndb::Ndb;
use crate::ndb::write::{BlockSink, Part, Stored, Transaction};
use crate::store::flags;
use crate::store::{Store, codepage, tags};

/// The folder that takes what no folder holds.
pub const LOST_AND_FOUND: &str = "Lost and Found";

/// A message to insert: its properties, by id, and what lies below it.
#[derive(Clone, Debug, Default)]
pub struct NewMessage {
    /// The properties; the size is set.
    pub props: PropertyList,
    /// Recipient table, attachments and their table. Without a recipient table it gets an empty one.
    pub subnodes: Vec<(Nid, Part)>,
}

/// Changes to the folders and messages of a store, which become visible all at once.
#[derive(Debug)]
pub struct StoreEdit<'a> {
    store: &'a Store,
    ndb: &'a Ndb,
    transaction: Transaction<'a>,
    /// The tables that were looked at, by node.
    tables: BTreeMap<Nid, Rows>,
    /// Those of them that changed.
    dirty: BTreeSet<Nid>,
    /// Folders whose counts change.
    changed: BTreeSet<Nid>,
    /// Properties of folders that are new.
    new_folders: BTreeMap<Nid, Resolved>,
}

/// Properties as the store keeps them.
type Resolved = Vec<(u16, PropType, Value)>;

/// A folder's tables and their templates.
const TABLES: [(NodeType, &Template); 3] =
    [(NodeType::HIERARCHY_TABLE, &HIERARCHY), (NodeType::CONTENTS_TABLE, &CONTENTS), (NodeType::ASSOCIATED_TABLE, &ASSOCIATED)];

/// Not in the specification: what a folder of an OST has beside its tables.
const OFFLINE_TABLES: [NodeType; 2] = [NodeType(0x14), NodeType(0x15)];

impl<'a> StoreEdit<'a> {
    /// Begins with nothing changed.
    pub fn begin(store: &'a Store) -> Result<Self> {
        let ndb = store.ndb();
        Ok(Self {
            store,
            ndb,
            transaction: Transaction::begin(ndb)?,
            tables: BTreeMap::new(),
            dirty: BTreeSet::new(),
            changed: BTreeSet::new(),
            new_folders: BTreeMap::new(),
        })
    }

    /// Inserts a message into a folder, or an associated one.
    pub fn insert_message(&mut self, folder: Nid, message: NewMessage, associated: bool) -> Result<Nid> {
        let nid = self.transaction.next_nid(if associated { NodeType::ASSOCIATED_MESSAGE } else { NodeType::MESSAGE })?;
        let (size_id, status_id) = (id_of(tags::MESSAGE_SIZE), id_of(tags::MESSAGE_STATUS));
        let mut props = message.props;
        props.set(tags::MESSAGE_SIZE, Value::I32(0)).set_default(tags::MESSAGE_FLAGS, Value::I32(0));
        let resolved = self.resolve(&props)?;
        let mut builder = builder_of(&resolved);
        if !message.subnodes.iter().any(|(nid, _)| *nid == RECIPIENTS.nid) {
            builder.add_subnode(RECIPIENTS.nid, self.empty_table(&RECIPIENTS)?);
        }
        message.subnodes.into_iter().for_each(|(nid, part)| builder.add_subnode(nid, part));
        let (draft, bytes) = builder.finish_sized(self.ndb.format(), self.transaction.nids(), &[size_id])?;
        self.transaction.put_draft(nid, folder, draft)?;
        let mut cells: Cells = resolved.into_iter().map(|(id, _, value)| (id, value)).collect();
        cells.insert(size_id, Value::I32(i32::try_from(bytes).unwrap_or(i32::MAX)));
        cells.entry(status_id).or_insert(Value::I32(0));
        self.put_row(folder, nid, cells)?;
        Ok(nid)
    }

    /// Puts a message that has a node, but maybe no row, into a folder: what no folder holds gets a place again.
    pub fn adopt_message(&mut self, nid: Nid, folder: Nid) -> Result<()> {
        let table = table_of(folder, nid);
        let shape = self.table(table)?.shape.clone();
        let cells = rows::cells_of(self.ndb, nid, &shape)?;
        self.transaction.set_parent(nid, folder)?;
        self.put_row(folder, nid, cells)
    }

    /// Sets properties of a message that the store had before, and what its folder's table tells of them.
    pub fn update_message(&mut self, nid: Nid, changes: &PropertyList) -> Result<()> {
        let folder = self.parent(nid)?;
        let resolved = self.resolve(changes)?;
        let draft = rows::properties(self.ndb, nid, &resolved)?;
        let size = id_of(tags::MESSAGE_SIZE);
        let (draft, bytes) = draft.finish_sized(self.ndb.format(), self.transaction.nids(), &[size])?;
        self.transaction.put_draft(nid, folder, draft)?;
        let mut cells = self.row(folder, nid)?.unwrap_or_default();
        cells.extend(resolved.into_iter().map(|(id, _, value)| (id, value)));
        cells.insert(size, Value::I32(i32::try_from(bytes).unwrap_or(i32::MAX)));
        self.put_row(folder, nid, cells)
    }

    /// Deletes a message.
    pub fn delete_message(&mut self, nid: Nid) -> Result<()> {
        let folder = self.parent(nid)?;
        self.take_row(folder, nid)?;
        self.transaction.remove_node(nid)
    }

    /// Moves a message into another folder.
    pub fn move_message(&mut self, nid: Nid, to: Nid) -> Result<()> {
        let from = self.parent(nid)?;
        let Some(cells) = self.take_row(from, nid)? else { return self.adopt_message(nid, to) };
        self.transaction.set_parent(nid, to)?;
        self.put_row(to, nid, cells)
    }

    /// Makes a folder with these properties, its name among them.
    pub fn create_folder(&mut self, parent: Nid, props: &PropertyList) -> Result<Nid> {
        let nid = self.transaction.next_nid(NodeType::FOLDER)?;
        let mut props = props.clone();
        props.set(tags::CONTENT_COUNT, Value::I32(0)).set(tags::CONTENT_UNREAD_COUNT, Value::I32(0));
        props.set(tags::SUBFOLDERS, Value::Bool(false)).set_default(tags::DISPLAY_NAME, Value::Unicode(String::new()));
        let resolved = self.resolve(&props)?;
        for (kind, template) in TABLES {
            let Part::Stored(empty) = self.empty_table(template)? else { continue };
            self.transaction.put_node(nid.with_kind(kind), Nid::default(), empty.data, empty.subnodes)?;
        }
        let draft = builder_of(&resolved).finish(self.ndb.format(), self.transaction.nids())?;
        self.transaction.put_draft(nid, parent, draft)?;
        let cells = resolved.iter().map(|(id, _, value)| (*id, value.clone())).collect();
        self.new_folders.insert(nid, resolved);
        self.put_row(parent, nid, cells)?;
        Ok(nid)
    }

    /// Deletes a folder with all that is in it. `Unsupported` for one that holds search folders.
    pub fn delete_folder(&mut self, nid: Nid) -> Result<()> {
        let parent = self.parent(nid)?;
        self.take_row(parent, nid)?;
        let mut waiting = vec![nid];
        let mut seen = BTreeSet::from([Nid::ROOT_FOLDER, parent]);
        while let Some(folder) = waiting.pop() {
            if folder.kind() != NodeType::FOLDER || !seen.insert(folder) {
                return Err(Error::Unsupported(format!("folder {nid} holds {folder}, which is not a folder of its own")));
            }
            for (kind, _) in TABLES {
                let table = folder.with_kind(kind);
                let ids: Vec<Nid> = self.table(table)?.rows.keys().map(|id| Nid(*id)).collect();
                if kind == NodeType::HIERARCHY_TABLE {
                    waiting.extend(ids);
                } else {
                    ids.into_iter().try_for_each(|nid| self.remove(nid))?;
                }
                self.tables.remove(&table);
                self.dirty.remove(&table);
            }
            let kinds = TABLES.iter().map(|(kind, _)| *kind).chain(OFFLINE_TABLES).chain([NodeType::FOLDER]);
            kinds.into_iter().try_for_each(|kind| self.remove(folder.with_kind(kind)))?;
            self.changed.remove(&folder);
            self.new_folders.remove(&folder);
        }
        Ok(())
    }

    /// Moves a folder with all that is in it. `Unsupported` for a folder below it.
    pub fn move_folder(&mut self, nid: Nid, to: Nid) -> Result<()> {
        let from = self.parent(nid)?;
        let (mut above, mut seen) = (to, BTreeSet::new());
        while above != Nid::ROOT_FOLDER && seen.insert(above) {
            if above == nid {
                return Err(Error::Unsupported(format!("folder {nid} cannot go into {to}, which lies below it")));
            }
            above = self.parent(above)?;
        }
        let cells = self.take_row(from, nid)?.unwrap_or_default();
        self.transaction.set_parent(nid, to)?;
        // Counts and name are told anew where the row was missing.
        self.changed.insert(nid);
        self.put_row(to, nid, cells)
    }

    /// The folder `Lost and Found` below the folders that users see; made where there is none.
    pub fn lost_and_found(&mut self) -> Result<Nid> {
        let parent = self.store.ipm_subtree();
        let name = Value::Unicode(LOST_AND_FOUND.to_owned());
        let (_, own) = own_value(self.ndb.format(), codepage::WINDOWS_1252, PropType::UNICODE, &name);
        let rows = &self.table(parent.with_kind(NodeType::HIERARCHY_TABLE))?.rows;
        let found = rows.iter().find(|(_, cells)| cells.get(&id_of(tags::DISPLAY_NAME)) == Some(&own));
        if let Some((id, _)) = found {
            return Ok(Nid(*id));
        }
        let mut props = PropertyList::default();
        props.set(tags::DISPLAY_NAME, name).set(tags::CONTAINER_CLASS, Value::Unicode("IPF.Note".into()));
        self.create_folder(parent, &props)
    }

    /// The transaction that makes all changes: tables, counts and the rows that tell of them are written into it.
    pub fn finish(mut self) -> Result<Transaction<'a>> {
        for folder in std::mem::take(&mut self.changed) {
            let counts = self.counts(folder);
            self.count_folder(folder, &counts)?;
        }
        for nid in std::mem::take(&mut self.dirty) {
            if let Some(table) = self.tables.remove(&nid) {
                let draft = rows::table(&mut self.transaction, table)?;
                self.transaction.put_draft(nid, Nid::default(), draft)?;
            }
        }
        Ok(self.transaction)
    }

    /// What a folder's properties and its row tell of its tables, as far as those were looked at.
    fn counts(&self, folder: Nid) -> Resolved {
        let rows = |kind| self.tables.get(&folder.with_kind(kind)).map(|table| &table.rows);
        let number = |count: usize| Value::I32(i32::try_from(count).unwrap_or(i32::MAX));
        let is_unread = |cells: &&Cells| {
            let flags = cells.get(&id_of(tags::MESSAGE_FLAGS));
            !matches!(flags, Some(Value::I32(flags)) if flags & flags::READ != 0)
        };
        let mut counts = Resolved::new();
        if let Some(rows) = rows(NodeType::CONTENTS_TABLE) {
            counts.push((id_of(tags::CONTENT_COUNT), PropType::I32, number(rows.len())));
            counts.push((id_of(tags::CONTENT_UNREAD_COUNT), PropType::I32, number(rows.values().filter(is_unread).count())));
        }
        if let Some(rows) = rows(NodeType::ASSOCIATED_TABLE) {
            counts.push((id_of(tags::HIDDEN_COUNT), PropType::I32, number(rows.len())));
        }
        if let Some(rows) = rows(NodeType::HIERARCHY_TABLE) {
            let any = rows.keys().any(|id| [NodeType::FOLDER, NodeType::SEARCH_FOLDER].contains(&Nid(*id).kind()));
            counts.push((id_of(tags::SUBFOLDERS), PropType::BOOL, Value::Bool(any)));
        }
        counts
    }

    /// Writes a folder's properties with these counts, and its row in its parent's table.
    fn count_folder(&mut self, folder: Nid, counts: &Resolved) -> Result<()> {
        let parent = self.parent(folder)?;
        let builder = match self.new_folders.get(&folder) {
            Some(props) => {
                let mut builder = builder_of(props);
                counts.iter().for_each(|(id, kind, value)| {
                    builder.set(*id, *kind, value);
                });
                builder
            }
            None => rows::properties(self.ndb, folder, counts)?,
        };
        let draft = builder.finish(self.ndb.format(), self.transaction.nids())?;
        self.transaction.put_draft(folder, parent, draft)?;
        if parent == folder {
            return Ok(());
        }
        let table = parent.with_kind(NodeType::HIERARCHY_TABLE);
        let shape = self.table(table)?.shape.clone();
        let mut cells = match self.tables.get(&table).and_then(|table| table.rows.get(&folder.0)).cloned() {
            Some(cells) if !cells.is_empty() => cells,
            _ if self.new_folders.contains_key(&folder) => Cells::new(),
            _ => rows::cells_of(self.ndb, folder, &shape)?,
        };
        cells.extend(counts.iter().map(|(id, _, value)| (*id, value.clone())));
        self.set_row(table, folder, cells)
    }

    /// The node that holds this one.
    fn parent(&self, nid: Nid) -> Result<Nid> {
        let node = self.transaction.node(nid)?.ok_or_else(|| Error::NotFound(format!("node {nid}")))?;
        Ok(node.parent)
    }

    fn remove(&mut self, nid: Nid) -> Result<()> {
        if self.transaction.node(nid)?.is_some() { self.transaction.remove_node(nid) } else { Ok(()) }
    }

    fn row(&mut self, folder: Nid, nid: Nid) -> Result<Option<Cells>> {
        Ok(self.table(table_of(folder, nid))?.rows.get(&nid.0).cloned())
    }

    fn put_row(&mut self, folder: Nid, nid: Nid, cells: Cells) -> Result<()> {
        self.changed.insert(folder);
        self.set_row(table_of(folder, nid), nid, cells)
    }

    /// Sets a row; it gets a new version.
    fn set_row(&mut self, table: Nid, nid: Nid, mut cells: Cells) -> Result<()> {
        cells.remove(&crate::format::table::ROW_VERSION);
        self.table(table)?.rows.insert(nid.0, cells);
        self.dirty.insert(table);
        Ok(())
    }

    fn take_row(&mut self, folder: Nid, nid: Nid) -> Result<Option<Cells>> {
        let table = table_of(folder, nid);
        self.changed.insert(folder);
        self.dirty.insert(table);
        Ok(self.table(table)?.rows.remove(&nid.0))
    }

    /// A table as it is after the changes so far.
    fn table(&mut self, nid: Nid) -> Result<&mut Rows> {
        if !self.tables.contains_key(&nid) {
            let template = TABLES.iter().find(|(kind, _)| *kind == nid.kind()).map_or(&CONTENTS, |(_, template)| *template);
            let rows = rows::read(self.ndb, nid)?;
            let rows = rows.unwrap_or_else(|| Rows { shape: template.shape(self.ndb.format()), rows: BTreeMap::new() });
            self.tables.insert(nid, rows);
        }
        self.tables.get_mut(&nid).ok_or_else(|| Error::NotFound(format!("table {nid}")))
    }

    /// An empty table: the template's block, shared as Outlook shares it, or a new one where there is no template.
    fn empty_table(&mut self, template: &Template) -> Result<Part> {
        if let Some(node) = self.ndb.node(template.nid)?.filter(|node| !node.data.is_none() && node.subnodes.is_none()) {
            return Ok(Part::Stored(Stored { data: node.data, subnodes: Bid::NONE }));
        }
        let rows = Rows { shape: template.shape(self.ndb.format()), rows: BTreeMap::new() };
        let draft = rows::table(&mut self.transaction, rows)?;
        crate::ndb::write::tree::put_draft(&mut self.transaction, draft).map(Part::Stored)
    }

    /// The properties with strings as the store keeps them.
    fn resolve(&self, props: &PropertyList) -> Result<Resolved> {
        let format = BlockSink::format(&self.transaction);
        let mut resolved = Resolved::new();
        for (key, kind, value) in props.iter() {
            let PropertyKey::Id(id) = key else {
                return Err(Error::Unsupported("a property by name: give the id that the store has for it".into()));
            };
            let (kind, value) = own_value(format, codepage::WINDOWS_1252, *kind, value);
            if value::encode(kind, &value).is_none() {
                return Err(Error::Unsupported(format!("property {id:#06x}: its value is not of its type")));
            }
            resolved.push((*id, kind, value));
        }
        Ok(resolved)
    }
}

fn builder_of(props: &Resolved) -> PropertiesBuilder {
    let mut builder = PropertiesBuilder::default();
    for (id, kind, value) in props {
        builder.set(*id, *kind, value);
    }
    builder
}

/// The table of a folder that has, or is to have, the row of this node.
fn table_of(folder: Nid, nid: Nid) -> Nid {
    folder.with_kind(match nid.kind() {
        NodeType::FOLDER | NodeType::SEARCH_FOLDER => NodeType::HIERARCHY_TABLE,
        NodeType::ASSOCIATED_MESSAGE => NodeType::ASSOCIATED_TABLE,
        _ => NodeType::CONTENTS_TABLE,
    })
}
