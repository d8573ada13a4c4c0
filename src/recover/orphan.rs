//! Orphans: folders and messages of the node B-tree that no folder's table reaches, in the tree that can still be told.
//!
//! A node names the folder that holds it, also where that folder's table has forgotten it. So an orphan is shown under
//! stand-ins for the folders that once led to it: of their names, but holding nothing else.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::damage::{Code, Place, Result};
use crate::disk::Spill;
use crate::format::id::{Nid, NodeType};
use crate::store::{Store, Which};

/// The name of the folder for what no folder holds, where nothing tells which one held it.
pub const ORPHANED: &str = "Orphaned";

/// What no folder reaches, by the live trees alone, by the folder that held it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orphans {
    shelves: BTreeMap<Nid, FolderOrphans>,
}

/// The orphans of one folder; all ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderOrphans {
    /// The folder above it; the root folder for what stands at the top.
    pub above: Nid,
    /// Folders below that are only named here, because they lead to orphans.
    pub stand_ins: BTreeSet<Nid>,
    /// Lost folders, the topmost of each lost branch.
    pub folders: BTreeSet<Nid>,
    /// Messages that no table lists, neither of a reached folder nor of a lost one.
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
    /// Reads every table of every folder and every page of the node B-tree: what it keeps of each message may leave memory.
    pub fn find(store: &Store) -> Result<Self> {
        let mut reached = Reached::default();
        reached.walk(store, Nid::ROOT_FOLDER)?;
        reached.messages.settle();
        let mut lost = Lost::default();
        store.ndb().visit_nodes(&mut |node| {
            lost.take(node.nid.nid, node.parent, &reached);
            true
        })?;
        lost.add_bodiless(store, &reached)?;
        let topmost = lost.topmost(store, &mut reached)?;
        reached.messages.settle();
        lost.settle_messages(&reached);
        for nid in topmost.keys().chain(lost.messages.iter().map(|(nid, _)| nid)) {
            store.ndb().notes().add(Code::Orphan, Place::node(nid.0), "");
        }
        let mut orphans = Self::default();
        for (folder, parent) in &topmost {
            orphans.shelf(*parent).folders.insert(*folder);
        }
        for (message, parent) in lost.messages.iter() {
            orphans.shelf(*parent).messages.push(*message);
        }
        orphans.add_stand_ins(store, &lost)?;
        Ok(orphans)
    }

    /// What stands at the top: what lay in the root folder, or nobody knows where.
    pub fn top(&self) -> FolderOrphans {
        self.of(Nid::ROOT_FOLDER)
    }

    /// The orphans of a folder.
    pub fn of(&self, folder: Nid) -> FolderOrphans {
        self.shelves.get(&folder).cloned().unwrap_or_default()
    }

    /// The lost folders, the topmost of each lost branch.
    pub fn folders(&self) -> impl Iterator<Item = Nid> {
        self.shelves.values().flat_map(|shelf| shelf.folders.iter().copied())
    }

    /// The messages that no table lists.
    pub fn messages(&self) -> impl Iterator<Item = Nid> {
        self.shelves.values().flat_map(|shelf| shelf.messages.iter().copied())
    }

    fn shelf(&mut self, folder: Nid) -> &mut FolderOrphans {
        self.shelves.entry(folder).or_default()
    }

    /// Leads from the top to each shelf by stand-ins for the folders between; a lost folder leads to its own shelf.
    fn add_stand_ins(&mut self, store: &Store, lost: &Lost) -> Result<()> {
        let top = [Nid::ROOT_FOLDER, store.ipm_subtree()];
        // What lay in the folder that users see as the root stands at the top too.
        if let Some(shelf) = self.shelves.remove(&store.ipm_subtree()) {
            let root = self.shelf(Nid::ROOT_FOLDER);
            root.folders.extend(shelf.folders);
            root.messages.extend(shelf.messages);
            root.messages.sort_unstable();
        }
        let mut waiting: Vec<Nid> = self.shelves.keys().copied().collect();
        let mut seen: HashSet<Nid> = waiting.iter().copied().collect();
        while let Some(folder) = waiting.pop() {
            if top.contains(&folder) || lost.branches.contains_key(&folder) {
                continue;
            }
            let above = store.ndb().node(folder)?.map(|node| node.parent).filter(|parent| is_folder(*parent, folder));
            let above = above.filter(|parent| !top.contains(parent)).unwrap_or(Nid::ROOT_FOLDER);
            self.shelf(folder).above = above;
            self.shelf(above).stand_ins.insert(folder);
            if seen.insert(above) {
                waiting.push(above);
            }
        }
        self.break_circles();
        Ok(())
    }

    /// Stand-ins that lead round in a circle stand at the top.
    fn break_circles(&mut self) {
        let folders: Vec<Nid> = self.shelves.keys().copied().filter(|folder| *folder != Nid::ROOT_FOLDER).collect();
        for folder in folders {
            if self.reaches_top(folder) {
                continue;
            }
            let above = std::mem::replace(&mut self.shelf(folder).above, Nid::ROOT_FOLDER);
            self.shelf(above).stand_ins.remove(&folder);
            self.shelf(Nid::ROOT_FOLDER).stand_ins.insert(folder);
        }
    }

    fn reaches_top(&self, folder: Nid) -> bool {
        let (mut folder, mut seen) = (folder, HashSet::new());
        while seen.insert(folder) {
            match self.shelves.get(&folder).map(|shelf| shelf.above) {
                Some(above) if above != Nid::ROOT_FOLDER && above != Nid::default() => folder = above,
                _ => return true,
            }
        }
        false
    }
}

/// Whether a node can be the folder that holds another.
fn is_folder(parent: Nid, child: Nid) -> bool {
    parent.kind() == NodeType::FOLDER && parent != child
}

/// What the walk from the root folder did not reach, each with the parent that its node names.
#[derive(Debug, Default)]
struct Lost {
    folders: BTreeMap<Nid, Nid>,
    messages: Spill<(Nid, Nid)>,
    /// Tables of contents of folders that were not reached.
    tables: Vec<Nid>,
    /// Every lost folder with the topmost one of its branch.
    branches: HashMap<Nid, Nid>,
}

impl Lost {
    fn take(&mut self, nid: Nid, parent: Nid, reached: &Reached) {
        let parent = if is_folder(parent, nid) { parent } else { Nid::ROOT_FOLDER };
        let as_folder = nid.with_kind(NodeType::FOLDER);
        match nid.kind() {
            NodeType::FOLDER if !reached.folders.contains(&nid) => {
                self.folders.insert(nid, parent);
            }
            NodeType::MESSAGE if !reached.lists(nid) => self.messages.push((nid, parent)),
            NodeType::CONTENTS_TABLE if !reached.folders.contains(&as_folder) => self.tables.push(as_folder),
            _ => {}
        }
    }

    /// Leaves out messages that were reached since, and puts the others in order; of several of one id the last counts.
    fn settle_messages(&mut self, reached: &Reached) {
        let mut messages: Spill<(Nid, Nid)> = self.messages.iter().rev().filter(|(nid, _)| !reached.lists(*nid)).copied().collect();
        messages.sort_stably_by_key(|(nid, _)| *nid);
        messages.retain(|last, (nid, _)| last.is_none_or(|(last, _)| last != nid));
        self.messages = messages;
    }

    /// Folders whose own nodes are gone but whose tables still list something: the store's templates list nothing.
    fn add_bodiless(&mut self, store: &Store, reached: &Reached) -> Result<()> {
        for folder in std::mem::take(&mut self.tables) {
            let bodiless = !self.folders.contains_key(&folder) && !reached.folders.contains(&folder);
            if bodiless && !store.row_ids(folder, Which::Normal)?.is_empty() {
                self.folders.insert(folder, Nid::ROOT_FOLDER);
            }
        }
        Ok(())
    }

    /// The lost folders that no other lost folder lists, with the folders that held them; they and all below them are
    /// reached then.
    ///
    /// Folders that list each other in a circle have no topmost one: the first of each circle stands for it.
    fn topmost(&mut self, store: &Store, reached: &mut Reached) -> Result<BTreeMap<Nid, Nid>> {
        let mut inside = HashSet::new();
        for folder in self.folders.keys() {
            inside.extend(store.subfolders(*folder)?);
        }
        let (first, then): (Vec<Nid>, Vec<Nid>) = self.folders.keys().partition(|folder| !inside.contains(*folder));
        let mut top = BTreeMap::new();
        for folder in first.into_iter().chain(then) {
            if reached.folders.contains(&folder) {
                continue;
            }
            for below in reached.walk(store, folder)? {
                self.branches.insert(below, folder);
            }
            top.insert(folder, Nid::ROOT_FOLDER);
        }
        for folder in top.keys().copied().collect::<Vec<_>>() {
            let parent = self.folders.get(&folder).copied().unwrap_or(Nid::ROOT_FOLDER);
            if !self.leads_to(parent, folder, &top) {
                top.insert(folder, parent);
            }
        }
        Ok(top)
    }

    /// Whether a folder lies below a topmost one, as far as those have their places.
    fn leads_to(&self, folder: Nid, topmost: Nid, top: &BTreeMap<Nid, Nid>) -> bool {
        let (mut folder, mut seen) = (folder, HashSet::new());
        while let Some(branch) = self.branches.get(&folder).filter(|branch| seen.insert(**branch)) {
            if *branch == topmost {
                return true;
            }
            folder = top.get(branch).copied().unwrap_or(Nid::ROOT_FOLDER);
        }
        false
    }
}

/// What folders reach: folders, and the messages that their tables list.
#[derive(Debug, Default)]
struct Reached {
    folders: HashSet<Nid>,
    /// Ascending, but for what was reached since they were settled.
    messages: Spill<Nid>,
}

impl Reached {
    /// Whether a table of a folder lists a message.
    fn lists(&self, nid: Nid) -> bool {
        self.messages.binary_search(&nid).is_ok()
    }

    /// Adds a folder and all below it that were not reached yet; returns these.
    fn walk(&mut self, store: &Store, root: Nid) -> Result<Vec<Nid>> {
        let messages = &mut self.messages;
        let mut new = Vec::new();
        walk(store, root, &mut self.folders, &mut |folder| {
            new.push(folder);
            messages.extend(store.row_ids(folder, Which::Normal)?);
            Ok(())
        })?;
        Ok(new)
    }
}
