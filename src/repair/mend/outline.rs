//! Which folder lists what, and what each node says of its folder: both ways of telling, side by side.

use std::collections::{BTreeMap, BTreeSet};

use super::table::{self, Found, template};
use crate::damage::Result;
use crate::format::id::{Nid, NodeType};
use crate::ndb::Ndb;
use crate::store::item::NodeRef;

/// All folders of a store, what they list, and the items that are asked for.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// Folders and search folders, with the parents that their nodes name.
    pub(super) folders: BTreeMap<Nid, Nid>,
    /// By object, the folders whose tables list it.
    pub(super) listers: BTreeMap<Nid, BTreeSet<Nid>>,
    /// By folder and kind of object, what names the folder as its parent, for the tables that are asked for.
    pub(super) children: BTreeMap<Nid, BTreeSet<Nid>>,
}

/// What the outline is wanted for.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Tables whose objects are wanted.
    pub(super) tables: BTreeSet<Nid>,
    /// Messages whose listers are wanted.
    pub(super) messages: BTreeSet<Nid>,
}

impl Outline {
    /// Reads the outline of a store.
    pub(super) fn of(ndb: &Ndb, wanted: &Wanted) -> Result<Self> {
        let mut outline = Self::default();
        let mut tables = BTreeSet::new();
        ndb.visit_nodes(&mut |node| {
            let nid = node.nid.nid;
            match nid.kind() {
                NodeType::FOLDER | NodeType::SEARCH_FOLDER => {
                    outline.folders.insert(nid, node.parent);
                }
                NodeType::HIERARCHY_TABLE => {
                    tables.insert(nid);
                }
                NodeType::CONTENTS_TABLE | NodeType::ASSOCIATED_TABLE if !wanted.messages.is_empty() => {
                    tables.insert(nid);
                }
                _ => {}
            }
            let table = table::table_of(node.parent, nid);
            let kinds = [NodeType::FOLDER, NodeType::SEARCH_FOLDER, NodeType::MESSAGE, NodeType::ASSOCIATED_MESSAGE];
            if kinds.contains(&nid.kind()) && nid != node.parent && wanted.tables.contains(&table) {
                outline.children.entry(table).or_default().insert(nid);
            }
            true
        })?;
        for table in tables {
            outline.take_table(ndb, table, &wanted.messages)?;
        }
        Ok(outline)
    }

    fn take_table(&mut self, ndb: &Ndb, table: Nid, messages: &BTreeSet<Nid>) -> Result<()> {
        let folder = table.with_kind(NodeType::FOLDER);
        if super::special::is_special(table) {
            return Ok(());
        }
        for id in found(ndb, table)?.rows.rows.keys().map(|id| Nid(*id)) {
            if table.kind() == NodeType::HIERARCHY_TABLE || messages.contains(&id) {
                self.listers.entry(id).or_default().insert(folder);
            }
        }
        Ok(())
    }

    /// The folders that list an object.
    pub(super) fn listers(&self, nid: Nid) -> Vec<Nid> {
        self.listers.get(&nid).into_iter().flatten().copied().collect()
    }
}

/// A folder's table as far as it can be read; empty where there is none.
pub(super) fn found(ndb: &Ndb, nid: Nid) -> Result<Found> {
    let node = match ndb.node(nid) {
        Err(error) if error.is_io() => return Err(error),
        node => node.ok().flatten(),
    };
    let node = node.map_or(NodeRef { nid, ..NodeRef::default() }, |node| NodeRef { nid, data: node.data, subnodes: node.subnodes });
    table::read(ndb, node, template(nid), &|object| belongs(ndb, nid, object))
}

/// Whether an object is there and says that it is in the folder of this table.
///
/// Rows are not wiped when their items move to another folder, so a row that no index names may stand for one of those.
pub(super) fn belongs(ndb: &Ndb, table: Nid, object: Nid) -> Result<bool> {
    match ndb.node(object) {
        Err(error) if error.is_io() => Err(error),
        node => Ok(node.ok().flatten().is_some_and(|node| node.parent == table.with_kind(NodeType::FOLDER))),
    }
}
