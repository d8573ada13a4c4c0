//! The folders that once held what was found: by the live tree, else by what old entries tell.

use std::collections::{BTreeMap, HashSet};

use crate::damage::Result;
use crate::format::id::{Nid, NodeType};
use crate::recover::findings::{Category, FoundFolder, Shelf};
use crate::store::{Store, tags};

use super::history::History;

/// Folders as they are needed, each once in each category.
pub(super) struct Folders<'a> {
    store: &'a Store,
    found_store: &'a Store,
    history: &'a History,
    made: Vec<FoundFolder>,
    shelves: BTreeMap<(Category, Nid), Shelf>,
}

impl<'a> Folders<'a> {
    pub(super) fn new(store: &'a Store, found_store: &'a Store, history: &'a History) -> Self {
        Self { store, found_store, history, made: Vec::new(), shelves: BTreeMap::new() }
    }

    /// The folders that were needed.
    pub(super) fn finish(self) -> Vec<FoundFolder> {
        self.made
    }

    /// The folder for what lay in this one.
    pub(super) fn shelf(&mut self, category: Category, parent: Nid) -> Result<Shelf> {
        let top = [Nid::ROOT_FOLDER, self.store.ipm_subtree()];
        // From the folder up to the first one that is there already.
        let (mut path, mut seen) = (Vec::new(), HashSet::new());
        let (mut folder, mut shelf) = (parent, Shelf::Category(category));
        while folder.kind() == NodeType::FOLDER && !top.contains(&folder) && seen.insert(folder) {
            if let Some(made) = self.shelves.get(&(category, folder)) {
                shelf = *made;
                break;
            }
            let Some((name, above)) = self.folder(folder)? else { break };
            path.push((folder, name));
            folder = above;
        }
        for (nid, name) in path.into_iter().rev() {
            let index = u32::try_from(self.made.len()).unwrap_or(u32::MAX);
            self.made.push(FoundFolder { name, nid, above: shelf });
            shelf = Shelf::Folder(index);
            self.shelves.insert((category, nid), shelf);
        }
        Ok(shelf)
    }

    /// A folder's name and the one above it; `None` where nobody knows the folder.
    fn folder(&self, folder: Nid) -> Result<Option<(String, Nid)>> {
        if let Some(node) = self.store.ndb().node(folder).ok().flatten() {
            let name = self.store.folder_names(node.parent, &[folder])?.remove(&folder);
            return Ok(Some((name.unwrap_or_default(), node.parent)));
        }
        for version in self.history.folders(folder) {
            match self.found_store.props_at(version.node) {
                Ok(props) => return Ok(Some((props.text_start(tags::DISPLAY_NAME).unwrap_or_default(), version.parent))),
                Err(error) if error.is_io() => return Err(error),
                Err(_) => {}
            }
        }
        Ok(None)
    }
}
