//! What folders are called, where they do not tell it themselves too.

use std::collections::BTreeMap;

use super::{Store, tags};
use crate::damage::{Result, survived};
use crate::format::id::{Nid, NodeType};

impl Store {
    /// What folders in this one are called. A folder's name is its own, else the one that the table of the folder above has
    /// of it, else the usual one for its use; a folder that none of these names is left out.
    pub fn folder_names(&self, above: Nid, folders: &[Nid]) -> Result<BTreeMap<Nid, String>> {
        let mut names = self.told_names(above, folders)?;
        for nid in folders {
            if let (None, Some(usual)) = (names.get(nid), self.usual_name(*nid)) {
                names.insert(*nid, usual.to_owned());
            }
        }
        Ok(names)
    }

    /// The same without those that are called as is usual for their use alone.
    pub fn told_names(&self, above: Nid, folders: &[Nid]) -> Result<BTreeMap<Nid, String>> {
        let (mut names, mut nameless) = (BTreeMap::new(), Vec::new());
        for nid in folders {
            let own = self.folder(*nid)?.name;
            if own.is_empty() {
                nameless.push(*nid);
            } else {
                names.insert(*nid, own);
            }
        }
        // Nearly all tell it themselves: the table is read for those that do not, once for all of them.
        if !nameless.is_empty() {
            let mut rows = self.names_below(above)?;
            names.extend(nameless.into_iter().filter_map(|nid| rows.remove_entry(&nid)));
        }
        Ok(names)
    }

    /// What a folder's table alone calls the folders in it: all that is left of those whose own nodes are gone.
    pub fn names_below(&self, parent: Nid) -> Result<BTreeMap<Nid, String>> {
        let Some(table) = self.table(parent.with_kind(NodeType::HIERARCHY_TABLE))? else { return Ok(BTreeMap::new()) };
        let (mut rows, mut names) = (Vec::new(), BTreeMap::new());
        table.visit_rows(&mut |row| rows.push(row))?;
        for row in rows {
            let cells = survived(table.cells(&row))?.unwrap_or_default().into_iter().collect();
            let name = self.props_of(Nid(row.id), cells)?.text_start(tags::DISPLAY_NAME);
            names.extend(name.filter(|name| !name.is_empty()).map(|name| (Nid(row.id), name)));
        }
        Ok(names)
    }
}
