//! Folders outside the IPM subtree that hold items a user may want.

use std::collections::{BTreeMap, BTreeSet, HashSet};

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
        self.below.values().any(|folders| folders.contains(&folder))
    }

    fn find(store: &Store) -> Result<Self> {
        let subtree = store.ipm_subtree();
        let mut other = Self::default();
        if subtree == Nid::ROOT_FOLDER {
            return Ok(other);
        }
        let mut seen = HashSet::from([Nid::ROOT_FOLDER, subtree]);
        // Each folder with the path that leads to it.
        let mut waiting = vec![vec![Nid::ROOT_FOLDER]];
        while let Some(path) = waiting.pop() {
            let Some(folder) = path.last().copied() else { continue };
            if folder != Nid::ROOT_FOLDER && holds_items(store, folder)? {
                other.show(&path);
            }
            for child in store.subfolders(folder)? {
                if seen.insert(child) {
                    waiting.push(path.iter().copied().chain([child]).collect());
                }
            }
        }
        Ok(other)
    }

    fn show(&mut self, path: &[Nid]) {
        for (parent, child) in path.iter().zip(path.iter().skip(1)) {
            self.below.entry(*parent).or_default().insert(*child);
        }
    }
}

/// Whether a folder holds an item that is not the store's own bookkeeping.
fn holds_items(store: &Store, folder: Nid) -> Result<bool> {
    let contents = store.contents(folder, Which::Normal)?;
    Ok(contents.rows.iter().any(|row| {
        let class = row.class.as_deref().unwrap_or_default().to_uppercase();
        !BOOKKEEPING.iter().any(|prefix| class.starts_with(prefix))
    }))
}

impl Tree {
    /// The folders outside the IPM subtree to show; found when first asked for.
    pub(super) fn other_folders(&self) -> Result<&OtherFolders> {
        match self.other.get() {
            Some(other) => Ok(other),
            None => {
                let other = OtherFolders::find(&self.store)?;
                Ok(self.other.get_or_init(|| other))
            }
        }
    }
}
