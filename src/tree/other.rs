//! Folders outside the IPM subtree that hold items a user may want.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::Tree;
use crate::damage::Result;
use crate::format::id::Nid;
use crate::store::{Store, Which};

/// Classes of items that a store keeps for itself: free-busy times, settings, synchronisation.
const BOOKKEEPING: [&str; 4] = ["IPM.MICROSOFT.", "IPM.CONFIGURATION.", "IPC.", "IPM.OUTLOOK.SYNC"];

/// Which folders to show under `Other folders`: those with items of the user's, and the folders above these.
#[derive(Debug, Default)]
pub(super) struct OtherFolders {
    below: BTreeMap<Nid, BTreeSet<Nid>>,
    shown: HashSet<Nid>,
}

impl OtherFolders {
    /// Whether there is nothing to show.
    pub(super) fn is_empty(&self) -> bool {
        self.below.is_empty()
    }

    /// The shown folders in a folder.
    pub(super) fn below(&self, folder: Nid) -> Vec<Nid> {
        self.below.get(&folder).map(|folders| folders.iter().copied().collect()).unwrap_or_default()
    }

    /// Whether a folder is one of those shown.
    pub(super) fn contains(&self, folder: Nid) -> bool {
        self.shown.contains(&folder)
    }

    fn find(store: &Store) -> Result<Self> {
        let subtree = store.ipm_subtree();
        let mut other = Self::default();
        if subtree == Nid::ROOT_FOLDER {
            return Ok(other);
        }
        // Each folder seen, with the one above it.
        let mut above = HashMap::from([(Nid::ROOT_FOLDER, Nid::ROOT_FOLDER), (subtree, subtree)]);
        let mut waiting = vec![Nid::ROOT_FOLDER];
        while let Some(folder) = waiting.pop() {
            if folder != Nid::ROOT_FOLDER && holds_items(store, folder)? {
                other.show(folder, &above);
            }
            for child in store.subfolders(folder)? {
                if let Entry::Vacant(slot) = above.entry(child) {
                    slot.insert(folder);
                    waiting.push(child);
                }
            }
        }
        Ok(other)
    }

    /// Shows a folder, and those above it up to the first that is shown already.
    fn show(&mut self, folder: Nid, above: &HashMap<Nid, Nid>) {
        let mut child = folder;
        while let Some(parent) = above.get(&child).filter(|parent| **parent != child) {
            self.below.entry(*parent).or_default().insert(child);
            if !self.shown.insert(child) {
                break;
            }
            child = *parent;
        }
    }
}

/// Whether a folder holds an item that is not the store's own bookkeeping.
fn holds_items(store: &Store, folder: Nid) -> Result<bool> {
    let mut found = false;
    store.visit_contents(folder, Which::Normal, &mut |row| {
        let class = row.class.as_deref().unwrap_or_default().to_uppercase();
        found |= !BOOKKEEPING.iter().any(|prefix| class.starts_with(prefix));
        Ok(())
    })?;
    Ok(found)
}

impl Tree {
    /// The folders outside the IPM subtree to show; found when first asked for.
    pub(super) fn other_folders(&self) -> Result<&OtherFolders> {
        self.searched(&self.other, || OtherFolders::find(&self.store))
    }
}
