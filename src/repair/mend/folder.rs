//! Folders: their properties, their counts, and the rows that tell of them ([MS-PST] 2.4.4).

use std::collections::BTreeSet;

use super::Mender;
use super::bag::Bag;
use super::table::template;
use crate::damage::Result;
use crate::format::id::{Nid, NodeType};
use crate::ltp::value::Value;
use crate::store::item::NodeRef;
use crate::store::write::{Cells, id_of};
use crate::store::{flags, tags};

/// A folder's tables.
pub(super) const TABLES: [NodeType; 3] = [NodeType::HIERARCHY_TABLE, NodeType::CONTENTS_TABLE, NodeType::ASSOCIATED_TABLE];

impl Mender<'_, '_> {
    /// Makes a folder anew under an id that rows, tables or items name.
    pub(super) fn new_folder(&mut self, nid: Nid, parent: Nid) -> Result<()> {
        let row = self.row_of_folder(nid, parent)?;
        let mut bag = row.as_ref().map(Bag::of_cells).unwrap_or_default();
        if bag.text(tags::DISPLAY_NAME).is_none_or(|name| name.is_empty()) && nid != Nid::ROOT_FOLDER {
            let name = self.name_anew(nid, parent)?;
            bag.put_text(self.ndb, tags::DISPLAY_NAME, &name);
        }
        self.put_new_folder(nid, parent, bag)
    }

    /// Puts a folder with these properties and what tables it lacks; its parent lists it.
    pub(super) fn put_new_folder(&mut self, nid: Nid, parent: Nid, bag: Bag) -> Result<()> {
        for kind in TABLES {
            let table = nid.with_kind(kind);
            if self.transaction.node(table)?.is_none() {
                let empty = self.empty_table(template(table))?;
                self.transaction.put_node(table, Nid::default(), empty.data, empty.subnodes)?;
            }
        }
        let draft = bag.builder().finish(self.ndb.format(), self.transaction.nids())?;
        self.transaction.put_draft(nid, parent, draft)?;
        self.bags.insert(nid, bag);
        self.fresh.insert(nid);
        self.changed.insert(nid);
        if nid != parent {
            self.list(parent.with_kind(NodeType::HIERARCHY_TABLE), nid)?;
        }
        Ok(())
    }

    /// Writes counts into folders, and what folders say into the rows that stand for them.
    pub(super) fn count_folders(&mut self) -> Result<()> {
        let of_table = |table: &Nid| TABLES.contains(&table.kind()).then(|| table.with_kind(NodeType::FOLDER));
        let touched: BTreeSet<Nid> = self.dirty.iter().filter_map(of_table).chain(self.changed.iter().copied()).collect();
        for folder in touched {
            if self.transaction.node(folder)?.is_some() {
                self.count_folder(folder)?;
            }
        }
        Ok(())
    }

    fn count_folder(&mut self, folder: Nid) -> Result<()> {
        let parent = self.parent(folder)?;
        let row = self.row_of_folder(folder, parent)?;
        let (mut bag, whole) = self.folder_bag(folder, parent, row.as_ref())?;
        let before: Vec<Option<Value>> = COUNTS.iter().map(|key| bag.get(*key)).collect();
        if folder.kind() == NodeType::FOLDER {
            self.put_counts(folder, &mut bag)?;
        }
        let after: Vec<Option<Value>> = COUNTS.iter().map(|key| bag.get(*key)).collect();
        if !whole || before != after || self.changed.contains(&folder) {
            self.put_folder(folder, parent, &mut bag)?;
        }
        match row {
            Some(row) => self.put_row(parent.with_kind(NodeType::HIERARCHY_TABLE), folder, row, &bag),
            None => Ok(()),
        }
    }

    /// What the list of a folder's parent tells of it.
    pub(super) fn row_of_folder(&mut self, folder: Nid, parent: Nid) -> Result<Option<Cells>> {
        match parent == folder {
            true => Ok(None),
            false => Ok(self.table(parent.with_kind(NodeType::HIERARCHY_TABLE))?.rows.get(&folder.0).cloned()),
        }
    }

    /// A folder's properties, and whether all of them could be read; what is lost comes from its row.
    pub(super) fn folder_bag(&mut self, folder: Nid, parent: Nid, row: Option<&Cells>) -> Result<(Bag, bool)> {
        if let Some(bag) = self.bags.get(&folder) {
            return Ok((bag.clone(), true));
        }
        let read = match self.node(folder)? {
            Some(node) => Bag::read(self.ndb, node)?,
            None => None,
        };
        let mut whole = read.as_ref().is_some_and(|bag| bag.dropped.is_empty());
        let mut bag = read.unwrap_or_else(|| row.map(Bag::of_cells).unwrap_or_default());
        for id in std::mem::take(&mut bag.dropped) {
            row.and_then(|row| row.get(&id)).into_iter().for_each(|value| bag.set(id, value));
        }
        let root = folder == Nid::ROOT_FOLDER;
        // Some programs stop at a folder without a name, and the list of its parent may know it.
        if !bag.has(tags::DISPLAY_NAME) || !root && bag.get(tags::DISPLAY_NAME).as_ref().is_some_and(is_empty) {
            whole = false;
            match row.and_then(|row| row.get(&id_of(tags::DISPLAY_NAME))).filter(|name| !is_empty(name)) {
                Some(name) => bag.put(tags::DISPLAY_NAME, name),
                None if root => bag.put_text(self.ndb, tags::DISPLAY_NAME, ""),
                None => {
                    let name = self.name_anew(folder, parent)?;
                    bag.put_text(self.ndb, tags::DISPLAY_NAME, &name);
                }
            }
        }
        Ok((bag, whole))
    }

    /// A name for a folder that neither it nor its row tells any more: the usual one for its use, unless another one beside
    /// it is or gets called that; else one with its id. A reader may show two folders of one name, a store is not to have them.
    fn name_anew(&mut self, folder: Nid, parent: Nid) -> Result<String> {
        if let Some(usual) = self.store.usual_name(folder) {
            let rows = &self.table(parent.with_kind(NodeType::HIERARCHY_TABLE))?.rows;
            let beside: Vec<Nid> = rows.keys().map(|row| Nid(*row)).filter(|other| *other != folder).collect();
            let told = self.store.told_names(parent, &beside)?;
            let is_taken = told.values().any(|name| name.eq_ignore_ascii_case(usual));
            // Of several whose name is lost one gets it: one that the store names, else the first.
            let rank = |nid: Nid| (self.store.role(nid).is_none(), nid);
            let comes_before = |other: &Nid| self.store.usual_name(*other) == Some(usual) && rank(*other) < rank(folder);
            if !is_taken && !beside.iter().any(|other| !told.contains_key(other) && comes_before(other)) {
                return Ok(usual.to_owned());
            }
        }
        Ok(format!("Recovered folder {folder}"))
    }

    fn put_counts(&mut self, folder: Nid, bag: &mut Bag) -> Result<()> {
        let number = |count: usize| Value::I32(i32::try_from(count).unwrap_or(i32::MAX));
        let messages = &self.table(folder.with_kind(NodeType::CONTENTS_TABLE))?.rows;
        let unread = messages.values().filter(|cells| is_unread(cells)).count();
        bag.put(tags::CONTENT_COUNT, &number(messages.len()));
        bag.put(tags::CONTENT_UNREAD_COUNT, &number(unread));
        let any = !self.table(folder.with_kind(NodeType::HIERARCHY_TABLE))?.rows.is_empty();
        bag.put(tags::SUBFOLDERS, &Value::Bool(any));
        if bag.has(tags::HIDDEN_COUNT) && self.dirty.contains(&folder.with_kind(NodeType::ASSOCIATED_TABLE)) {
            let hidden = self.table(folder.with_kind(NodeType::ASSOCIATED_TABLE))?.rows.len();
            bag.put(tags::HIDDEN_COUNT, &number(hidden));
        }
        Ok(())
    }

    /// Writes a folder's properties; what lies below it stays.
    fn put_folder(&mut self, folder: Nid, parent: Nid, bag: &mut Bag) -> Result<()> {
        let node = self.node(folder)?.unwrap_or(NodeRef { nid: folder, ..NodeRef::default() });
        let subnodes = self.subnodes(node, bag)?;
        let objects = self.kept_objects(bag, &subnodes);
        let mut builder = bag.builder();
        for entry in subnodes.iter().filter(|entry| entry.nid.nid.kind() != NodeType::LTP || objects.contains(&entry.nid.nid)) {
            if super::bag::readable(self.ndb, entry.data)?.is_some() && self.ndb.subnodes(entry.subnodes).is_ok() {
                builder.add_subnode(entry.nid.nid, super::stored(entry.data, entry.subnodes));
            }
        }
        let draft = builder.finish(self.ndb.format(), self.transaction.nids())?;
        self.transaction.put_draft(folder, parent, draft)
    }
}

const COUNTS: [crate::store::props::Key; 4] = [tags::CONTENT_COUNT, tags::CONTENT_UNREAD_COUNT, tags::SUBFOLDERS, tags::HIDDEN_COUNT];

fn is_empty(text: &Value) -> bool {
    match text {
        Value::Unicode(text) => text.is_empty(),
        Value::String8(bytes) => bytes.is_empty(),
        _ => true,
    }
}

fn is_unread(cells: &Cells) -> bool {
    !matches!(cells.get(&id_of(tags::MESSAGE_FLAGS)), Some(Value::I32(flags)) if flags & flags::READ != 0)
}
