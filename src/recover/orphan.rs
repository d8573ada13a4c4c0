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

/// The folders below a folder and itself, each once, however the tables point.
pub fn folders_below(store: &Store, root: Nid) -> Result<Vec<Nid>> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    walk(store, root, &mut seen, &mut |folder| {
        found.push(folder);
        Ok(())
    })?;
    Ok(found)
}

/// Shows a folder and all below it to `visit`, but those in `seen`, which grows.
fn walk(store: &Store, root: Nid, seen: &mut HashSet<Nid>, visit: &mut dyn FnMut(Nid) -> Result<()>) -> Result<()> {
    let mut waiting = Vec::from_iter(seen.insert(root).then_some(root));
    while let Some(folder) = waiting.pop() {
        visit(folder)?;
        let children = store.subfolders(folder)?;
        waiting.extend(children.into_iter().filter(|child| seen.insert(*child)));
    }
    Ok(())
}

impl Orphans {
    /// Compares the node B-tree with what the folders reach from the root folder.
    ///
    /// Reads every table of every folder and every page of the node B-tree: memory grows by 4 bytes a message.
    pub fn find(store: &Store) -> Result<Self> {
        let mut reached = Reached::default();
        reached.walk(store, Nid::ROOT_FOLDER)?;
        let (mut lost, mut messages) = (Vec::new(), Vec::new());
        store.ndb().visit_nodes(&mut |node| {
            let nid = node.nid.nid;
            match nid.kind() {
                NodeType::FOLDER if !reached.folders.contains(&nid) => lost.push(nid),
                NodeType::MESSAGE if !reached.messages.contains(&nid) => messages.push(nid),
                _ => {}
            }
            true
        })?;
        let folders = topmost(store, &lost, &mut reached)?;
        messages.retain(|nid| !reached.messages.contains(nid));
        messages.sort_unstable();
        messages.dedup();
        let orphans = Self { folders, messages };
        for nid in orphans.folders.iter().chain(&orphans.messages) {
            store.ndb().notes().add(Code::Orphan, Place::node(nid.0), "");
        }
        Ok(orphans)
    }
}

/// The lost folders that no other lost folder lists; they and all below them are reached then.
///
/// Folders that list each other in a circle have no topmost one: the first of each circle stands for it.
fn topmost(store: &Store, lost: &[Nid], reached: &mut Reached) -> Result<Vec<Nid>> {
    let mut inside = HashSet::new();
    for folder in lost {
        inside.extend(store.subfolders(*folder)?);
    }
    let mut top: Vec<Nid> = lost.iter().filter(|folder| !inside.contains(*folder)).copied().collect();
    for folder in &top {
        reached.walk(store, *folder)?;
    }
    for folder in lost {
        if !reached.folders.contains(folder) {
            top.push(*folder);
            reached.walk(store, *folder)?;
        }
    }
    top.sort_unstable();
    top.dedup();
    Ok(top)
}

/// What folders reach: folders, and the messages that their tables list.
#[derive(Debug, Default)]
struct Reached {
    folders: HashSet<Nid>,
    messages: HashSet<Nid>,
}

impl Reached {
    fn walk(&mut self, store: &Store, root: Nid) -> Result<()> {
        let messages = &mut self.messages;
        walk(store, root, &mut self.folders, &mut |folder| {
            messages.extend(store.row_ids(folder, Which::Normal)?);
            Ok(())
        })
    }
}
