//! What no folder reaches stands in the folders that once held it, as far as anything still tells which.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use pstfs::disk::crash::CrashDisk;
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::format::id::{Nid, NodeType};
use pstfs::ndb::Ndb;
use pstfs::ndb::write::Transaction;
use pstfs::store::{Store, Which};
use pstfs::tree::{Kind, Tree, View};
use support::{forge, walk};

const RECIPE: &str = r#"
store "Orphans" seed=5
folder Inbox class=IPF.Note role=inbox
  note subject="In the inbox" from="A <a@example.com>" body="one"
  folder Below class=IPF.Note
    note subject="Below it" from="A <a@example.com>" body="two"
    folder Deep class=IPF.Note
      note subject="Deep down" from="A <a@example.com>" body="three"
"#;

/// Nodes that make a folder.
const FOLDER_NODES: [NodeType; 4] = [NodeType::FOLDER, NodeType::HIERARCHY_TABLE, NodeType::CONTENTS_TABLE, NodeType::ASSOCIATED_TABLE];

/// A store under change, node by node.
struct Patient {
    bytes: Vec<u8>,
    inbox: Nid,
    below: Nid,
    deep: Nid,
}

impl Patient {
    fn new() -> Self {
        let bytes = forge::store(Format::Unicode, Cipher::Permute, &forge::Recipe::parse(RECIPE));
        let store = Store::open(Arc::new(bytes.clone()), 1 << 20).unwrap();
        let named = |parent, name: &str| {
            let folders = store.subfolders(parent).unwrap();
            folders.into_iter().find(|nid| store.folder(*nid).unwrap().name == name).unwrap()
        };
        let inbox = named(store.ipm_subtree(), "Inbox");
        let below = named(inbox, "Below");
        let deep = named(below, "Deep");
        Self { bytes, inbox, below, deep }
    }

    fn change(&mut self, change: impl FnOnce(&Ndb, &mut Transaction<'_>)) {
        let ndb = Ndb::open(Arc::new(self.bytes.clone()), 1 << 20).unwrap();
        let mut transaction = Transaction::begin(&ndb).unwrap();
        change(&ndb, &mut transaction);
        let disk = CrashDisk::new(self.bytes.clone());
        transaction.commit(&disk, &disk.beside(Vec::new())).unwrap();
        self.bytes = disk.bytes();
    }

    /// A second node with the content of another: what a row once named and no row names now.
    fn copy(&mut self, nid: Nid, new: Nid, parent: Nid) {
        self.change(|ndb, transaction| {
            let node = ndb.node(nid).unwrap().unwrap();
            transaction.put_node(new, parent, node.data, node.subnodes).unwrap();
        });
    }

    fn copy_folder(&mut self, nid: Nid, new: Nid, parent: Nid) {
        for kind in FOLDER_NODES {
            self.copy(nid.with_kind(kind), new.with_kind(kind), if kind == NodeType::FOLDER { parent } else { Nid::default() });
        }
    }

    fn message_in(&self, folder: Nid) -> Nid {
        let store = Store::open(Arc::new(self.bytes.clone()), 1 << 20).unwrap();
        store.row_ids(folder, Which::Normal).unwrap()[0]
    }

    fn tree(&self) -> Tree {
        let tree = Tree::new(Arc::new(Store::open(Arc::new(self.bytes.clone()), 1 << 20).unwrap()), View::default(), 4 << 20);
        assert_eq!(walk::walk(&tree).errors, 0);
        tree
    }
}

/// The paths of all documents below a folder, without their dates.
fn paths(tree: &Tree, top: &str) -> Vec<String> {
    let (mut paths, mut seen) = (Vec::new(), BTreeSet::new());
    let mut waiting = vec![(tree.resolve(top).unwrap(), String::new())];
    while let Some((folder, path)) = waiting.pop() {
        assert!(seen.insert(folder), "{path} lies in itself");
        for entry in &tree.list(folder).unwrap().entries {
            match entry.kind {
                Kind::Directory => waiting.push((entry.ino, format!("{path}{}/", entry.name))),
                Kind::File => paths.push(format!("{path}{}", entry.name.split_once("Z ").map_or(entry.name.as_str(), |(_, name)| name))),
            }
        }
    }
    paths.sort();
    paths
}

const NEW_MESSAGE: Nid = Nid(0x0030_0004);
const NEW_FOLDER: Nid = Nid(0x0030_0002);
const OTHER_FOLDER: Nid = Nid(0x0030_0022);

#[test]
fn a_message_without_a_row_stands_where_its_node_says() {
    let mut store = Patient::new();
    store.copy(store.message_in(store.deep), NEW_MESSAGE, store.below);
    let tree = store.tree();
    assert_eq!(paths(&tree, "Recovered/Orphaned"), ["Inbox/Below/Deep down.eml"]);
    assert_eq!(paths(&tree, "Inbox").len(), 3, "live folders stay as they are");
    let folder = tree.resolve("Recovered/Orphaned/Inbox/Below").unwrap();
    let entry = tree.list(folder).unwrap().entries[0].clone();
    let bytes = tree.read(&tree.open(entry.ino).unwrap(), 0, 1 << 20).unwrap();
    assert_eq!(bytes.len() as u64, tree.attributes(entry.ino).unwrap().size);
    assert!(String::from_utf8(bytes).unwrap().contains("\nX-Pstfs-Origin: orphaned\n"));
    assert_eq!(tree.xattr(entry.ino, "user.pst.origin").unwrap().unwrap(), b"orphaned");
    assert_eq!(tree.list(folder).unwrap().parent, tree.resolve("Recovered/Orphaned/Inbox").unwrap());
}

#[test]
fn a_message_of_a_folder_that_nobody_knows_stands_in_one_without_a_name() {
    let mut store = Patient::new();
    store.copy(store.message_in(store.deep), NEW_MESSAGE, NEW_FOLDER);
    assert_eq!(paths(&store.tree(), "Recovered/Orphaned"), ["no name/Deep down.eml"]);
}

#[test]
fn a_message_of_the_root_stands_at_the_top() {
    let mut store = Patient::new();
    store.copy(store.message_in(store.deep), NEW_MESSAGE, Nid::default());
    assert_eq!(paths(&store.tree(), "Recovered/Orphaned"), ["Deep down.eml"]);
}

#[test]
fn a_folder_without_a_row_keeps_its_name_and_what_its_tables_list() {
    let mut store = Patient::new();
    store.copy_folder(store.deep, NEW_FOLDER, store.inbox);
    let tree = store.tree();
    assert_eq!(paths(&tree, "Recovered/Orphaned"), ["Inbox/Deep/Deep down.eml"]);
    let folder = tree.resolve("Recovered/Orphaned/Inbox/Deep").unwrap();
    assert_eq!(tree.xattr(folder, "user.pst.origin").unwrap().unwrap(), b"orphaned");
    let document = tree.list(folder).unwrap().entries[0].ino;
    assert_eq!(tree.xattr(document, "user.pst.origin").unwrap().unwrap(), b"orphaned");
    assert_eq!(tree.xattr(tree.resolve("Inbox/Below").unwrap(), "user.pst.origin").unwrap(), None);
}

#[test]
fn a_lost_folder_in_a_lost_folder_stands_in_it() {
    let mut store = Patient::new();
    store.copy_folder(store.deep, NEW_FOLDER, store.inbox);
    store.copy_folder(store.deep, OTHER_FOLDER, NEW_FOLDER);
    store.copy(store.message_in(store.inbox), NEW_MESSAGE, OTHER_FOLDER);
    let expected = ["Inbox/Deep/Deep down.eml", "Inbox/Deep/Deep/Deep down.eml", "Inbox/Deep/Deep/In the inbox.eml"];
    assert_eq!(paths(&store.tree(), "Recovered/Orphaned"), expected);
}

#[test]
fn lost_folders_that_hold_each_other_are_shown_once() {
    let mut store = Patient::new();
    store.copy_folder(store.deep, NEW_FOLDER, OTHER_FOLDER);
    store.copy_folder(store.deep, OTHER_FOLDER, NEW_FOLDER);
    assert_eq!(paths(&store.tree(), "Recovered/Orphaned"), ["Deep/Deep down.eml", "Deep/Deep/Deep down.eml"]);
}

/// Such a folder was called "no name", though the table of the folder above it tells the name.
#[test]
fn a_folder_whose_own_node_is_gone_has_the_name_of_its_row() {
    let mut store = Patient::new();
    let below = store.below;
    store.change(|_, transaction| transaction.remove_node(below).unwrap());
    let tree = store.tree();
    assert_eq!(paths(&tree, "Inbox"), ["Below/Below it.eml", "Below/Deep/Deep down.eml", "In the inbox.eml"]);
    assert_eq!(paths(&tree, "Recovered/Orphaned"), [""; 0]);
}

#[test]
fn a_folder_of_which_only_the_tables_are_left_is_shown() {
    let mut store = Patient::new();
    store.copy_folder(store.deep, NEW_FOLDER, store.inbox);
    store.change(|_, transaction| transaction.remove_node(NEW_FOLDER).unwrap());
    assert_eq!(paths(&store.tree(), "Recovered/Orphaned"), ["no name/Deep down.eml"]);
}

/// The folder that users see was shown a second time, below `Recovered/Orphaned`, where the root folder's list had no row of it.
#[test]
fn the_folder_that_users_see_is_no_orphan() {
    for (format, _, bytes) in forge::damaged_all("subtree-that-no-row-lists", &mut forge::store) {
        for all_folders in [false, true] {
            let view = View { all_folders, ..View::default() };
            let tree = Tree::new(Arc::new(Store::open(Arc::new(bytes.clone()), 1 << 20).unwrap()), view, 4 << 20);
            let all = paths(&tree, "");
            assert!(all.iter().any(|path| path.ends_with("Inbox/Hello.eml")), "{format:?} {all:?}");
            assert!(all.iter().all(|path| !path.starts_with("Recovered")), "{format:?} {all:?}");
        }
    }
}
