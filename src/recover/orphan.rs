//! Orphans: folders and messages of the node B-tree that no folder's table reaches.

use std::collections::HashSet;

use crate::damage::{Code, Place, Result};
use crate::format::id::{Nid, NodeType};
use crate::store::{Store, Which};

/// What no folder reaches, by the live trees alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orphans {
    /// Folders whose parents do not list them, the topmost of each lost branch; ascending.
    pub folders: Vec<Nid>,
    /// Messages that no table lists, neither of a reached folder nor of a lost one; ascending.
    pub messages: Vec<Nid>,
}

/// The folders that [`Orphans::find`] and others walk: each once, however the tables point.
pub fn folders_below(store: &Store, root: Nid) -> Result<Vec<Nid>> {
    let mut seen = HashSet::from([root]);
    let mut found = vec![root];
    let mut next = 0;
    while let Some(folder) = found.get(next).copied() {
        next = next.saturating_add(1);
        for child in store.subfolders(folder)? {
            if seen.insert(child) {
                found.push(child);
            }
        }
    }
    Ok(found)
}

impl Orphans {
    /// Compares the node B-tree with what the folders reach from the root folder.
    ///
    /// Reads every table of every folder and every page of the node B-tree: memory grows by 4 bytes a message.
    pub fn find(store: &Store) -> Result<Self> {
        let mut reached: HashSet<Nid> = HashSet::new();
        let mut listed: HashSet<Nid> = HashSet::new();
        reach(store, Nid::ROOT_FOLDER, &mut reached, &mut listed)?;
        let (mut folders, mut messages) = (Vec::new(), Vec::new());
        store.ndb().visit_nodes(&mut |node| {
            let nid = node.nid.nid;
            match nid.kind() {
                NodeType::FOLDER if !reached.contains(&nid) => folders.push((nid, node.parent)),
                NodeType::MESSAGE if !listed.contains(&nid) => messages.push(nid),
                _ => {}
            }
            true
        })?;
        let lost: HashSet<Nid> = folders.iter().map(|(nid, _)| *nid).collect();
        // A lost folder in a lost folder is shown inside it, if that one lists it.
        let mut top = Vec::new();
        for (nid, parent) in &folders {
            let inside = lost.contains(parent) && parent != nid && store.subfolders(*parent)?.contains(nid);
            if !inside {
                top.push(*nid);
            }
        }
        for folder in &top {
            reach(store, *folder, &mut reached, &mut listed)?;
        }
        // Lost folders that list each other in a circle have no topmost one: the first of each circle stands for it.
        for (nid, _) in &folders {
            if !reached.contains(nid) {
                top.push(*nid);
                reach(store, *nid, &mut reached, &mut listed)?;
            }
        }
        top.sort_unstable();
        messages.retain(|nid| !listed.contains(nid));
        let orphans = Self { folders: top, messages };
        for nid in orphans.folders.iter().chain(&orphans.messages) {
            store.ndb().notes().add(Code::Orphan, Place::node(nid.0), "");
        }
        Ok(orphans)
    }
}

fn reach(store: &Store, root: Nid, reached: &mut HashSet<Nid>, listed: &mut HashSet<Nid>) -> Result<()> {
    for folder in folders_below(store, root)? {
        if reached.insert(folder) {
            listed.extend(store.row_ids(folder, Which::Normal)?);
        }
    }
    Ok(())
}
