//! `Lost and Found`: what no folder holds gets a place again, in a folder called like the one that held it.

use std::collections::BTreeSet;

use super::Mender;
use super::bag::Bag;
use super::message::Standing;
use super::table::table_of;
use crate::damage::Result;
use crate::format::id::{Nid, NodeType};
use crate::ltp::value::Value;
use crate::recover::ORPHANED;
use crate::store::item::NodeRef;
use crate::store::write::{Cells, LOST_AND_FOUND, id_of};
use crate::store::{codepage, tags};

impl Mender<'_, '_> {
    /// The folder `Lost and Found` below the folders that users see; made where there is none.
    pub(super) fn lost_and_found(&mut self) -> Result<Nid> {
        let top = self.subtree()?;
        self.shelf(top, LOST_AND_FOUND)
    }

    /// Where a folder goes that none holds: `Lost and Found`, or the root folder where that lies in it.
    ///
    /// Which folder holds those that users see may be found out only in this repair, where the store does not tell it.
    pub(super) fn place_of_lost(&mut self, folder: Nid) -> Result<Nid> {
        let (mut at, mut seen) = (self.subtree()?, BTreeSet::new());
        while at != Nid::ROOT_FOLDER && seen.insert(at) {
            if at == folder {
                return Ok(Nid::ROOT_FOLDER);
            }
            at = self.parent(at)?;
        }
        self.lost_and_found()
    }

    /// The folder in which users see theirs: the store's, or the one that is made in this repair.
    fn subtree(&mut self) -> Result<Nid> {
        Ok(self.shelves.get("").copied().unwrap_or_else(|| self.store.ipm_subtree()))
    }

    /// The folder of this name; made where there is none.
    fn shelf(&mut self, parent: Nid, name: &str) -> Result<Nid> {
        let key = format!("{parent}/{name}");
        if let Some(nid) = self.shelves.get(&key) {
            return Ok(*nid);
        }
        let nid = self.folder_called(parent, &[name])?;
        self.shelves.insert(key, nid);
        Ok(nid)
    }

    /// The folder of one of these names; the first of them is what a new one is called.
    pub(super) fn folder_called(&mut self, parent: Nid, names: &[&str]) -> Result<Nid> {
        let rows = &self.table(parent.with_kind(NodeType::HIERARCHY_TABLE))?.rows;
        let called = |cells: &Cells| name_of(cells).is_some_and(|name| names.contains(&name.as_str()));
        let listed: Vec<Nid> = rows.iter().filter(|(_, cells)| called(cells)).map(|(id, _)| Nid(*id)).collect();
        for nid in listed.into_iter().filter(|nid| nid.kind() == NodeType::FOLDER) {
            // A row may stand for a folder that is nowhere.
            if self.transaction.node(nid)?.is_some() {
                return Ok(nid);
            }
        }
        self.make_folder(parent, names.first().unwrap_or(&""))
    }

    /// A new folder for mail.
    pub(super) fn make_folder(&mut self, parent: Nid, name: &str) -> Result<Nid> {
        let nid = self.new_id(NodeType::FOLDER)?;
        let mut bag = Bag::default();
        bag.put_text(self.ndb, tags::DISPLAY_NAME, name);
        bag.put_text(self.ndb, tags::CONTAINER_CLASS, "IPF.Note");
        bag.put(tags::CONTENT_COUNT, &Value::I32(0));
        bag.put(tags::CONTENT_UNREAD_COUNT, &Value::I32(0));
        bag.put(tags::SUBFOLDERS, &Value::Bool(false));
        self.put_new_folder(nid, parent, bag)?;
        Ok(nid)
    }

    /// Puts an item or folder into `Lost and Found`.
    pub(super) fn rescue(&mut self, nid: Nid) -> Result<()> {
        let to = match nid.kind() {
            NodeType::FOLDER | NodeType::SEARCH_FOLDER => self.place_of_lost(nid)?,
            _ => {
                let (top, from) = (self.lost_and_found()?, self.parent(nid)?);
                let name = self.folder_name(from)?;
                self.shelf(top, &name)?
            }
        };
        self.transaction.set_parent(nid, to)?;
        self.list(table_of(to, nid), nid)
    }

    /// What a folder is called when this repair is done; of what nothing tells of its folder, `Orphaned`.
    fn folder_name(&mut self, folder: Nid) -> Result<String> {
        if folder == Nid::default() {
            return Ok(ORPHANED.to_owned());
        }
        if let Some(name) = self.names_of_lost.get(&folder) {
            return Ok(name.clone());
        }
        let parent = self.parent(folder)?;
        let row = self.row_of_folder(folder, parent)?;
        let (bag, _) = self.folder_bag(folder, parent, row.as_ref())?;
        let name = bag.text(tags::DISPLAY_NAME).filter(|name| !name.is_empty()).unwrap_or_else(|| "Root".to_owned());
        self.names_of_lost.insert(folder, name.clone());
        Ok(name)
    }

    /// Makes a message of what a row tells of one that is nowhere, and takes the row out.
    pub(super) fn stub(&mut self, table: Nid, row: Nid) -> Result<()> {
        self.dirty.insert(table);
        let Some(cells) = self.table(table)?.rows.remove(&row.0) else { return Ok(()) };
        let name = self.folder_name(table.with_kind(NodeType::FOLDER))?;
        let top = self.lost_and_found()?;
        let folder = self.shelf(top, &name)?;
        let kind = if table.kind() == NodeType::ASSOCIATED_TABLE { NodeType::ASSOCIATED_MESSAGE } else { NodeType::MESSAGE };
        let nid = self.new_id(kind)?;
        let node = NodeRef { nid, ..NodeRef::default() };
        let built = self.message(&Standing { node, folder: Some(folder), row: Some(&cells), depth: 0 })?;
        self.transaction.put_draft(nid, folder, built.draft)?;
        let to = table_of(folder, nid);
        self.dirty.insert(to);
        self.put_row(to, nid, Cells::new(), &built.bag)
    }
}

/// A folder's name as its row tells it.
fn name_of(cells: &Cells) -> Option<String> {
    match cells.get(&id_of(tags::DISPLAY_NAME))? {
        Value::Unicode(text) => Some(text.clone()),
        Value::String8(bytes) => Some(codepage::decode(codepage::WINDOWS_1252, bytes)),
        _ => None,
    }
}
