//! Stores of whose node B-tree only pages of long ago are left: what was written since is shown all the same.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::sync::Arc;

use pstfs::format::Format;
use pstfs::format::amap::map_offset;
use pstfs::format::cipher::Cipher;
use pstfs::format::id::{Bid, Nid, NodeType};
use pstfs::ltp::value::Value;
use pstfs::ndb::{BTree, Ndb};
use pstfs::recover::open_source;
use pstfs::store::write::PropertyList;
use pstfs::store::{Store, tags};
use pstfs::tree::{Tree, View};
use support::forge;
use support::salvage::{
    VARIANTS, documents, edited, first_node, forged, pages, salvaged, shows_all, with_a_folder_below, with_data, with_data_anew, zero,
    zero_tree,
};

/// A store of which only what stood there before is left of both trees, and of the maps nothing: all that was freed since may
/// be in use.
fn as_pages_of_before_tell(format: Format, before: &[u8], after: &[u8]) -> Vec<u8> {
    let [then, now] = [before, after].map(|bytes| Ndb::open(Arc::new(bytes.to_vec()), 1 << 20).unwrap());
    let mut damaged = after.to_vec();
    zero_maps(format, &mut damaged);
    let page = format.layout().page_bytes;
    for tree in [BTree::Nodes, BTree::Blocks] {
        let old = pages(&then, before, tree);
        let since = pages(&now, after, tree).into_iter().filter(|at| !old.contains(at));
        since.for_each(|at| zero(&mut damaged, at, page));
    }
    damaged
}

/// What nodes are made of, by id.
fn data(bytes: Vec<u8>, nids: &[Nid]) -> Vec<(Nid, Bid)> {
    let store = open_source(Arc::new(bytes), 4 << 20).unwrap();
    nids.iter().map(|nid| (*nid, store.ndb().required_node(*nid).unwrap().data)).collect()
}

/// A store without header, trees and maps: all that ever stood in it may be in use.
fn without_all_that_tells(format: Format, whole: &[u8]) -> Vec<u8> {
    let ndb = Ndb::open(Arc::new(whole.to_vec()), 1 << 20).unwrap();
    let mut damaged = whole.to_vec();
    zero_maps(format, &mut damaged);
    [BTree::Nodes, BTree::Blocks].into_iter().for_each(|tree| zero_tree(&ndb, &mut damaged, tree));
    damaged
}

/// Takes the header and the allocation maps away.
fn zero_maps(format: Format, bytes: &mut [u8]) {
    zero(bytes, 0, 564);
    let end = bytes.len() as u64;
    let maps = (0..).map_while(|index| map_offset(format, index)).take_while(|map| map.0 < end);
    maps.for_each(|map| zero(bytes, map.0, format.layout().page_bytes));
}

/// The folder of this name.
fn folder(bytes: &[u8], name: &str) -> Nid {
    let store = Store::open(Arc::new(bytes.to_vec()), 4 << 20).unwrap();
    let mut folders = Vec::new();
    let walk = store.ndb().visit_nodes(&mut |node| {
        folders.extend((node.nid.nid.kind() == NodeType::FOLDER).then_some(node.nid.nid));
        true
    });
    walk.unwrap();
    folders.into_iter().find(|nid| store.folder(*nid).is_ok_and(|folder| folder.name == name)).unwrap()
}

/// Of a real store without trees and maps the page that its first day left named the map of names and the store's own
/// properties of then: names of properties were lost, folders went to `Lost and Found`, pst-extractor gave up.
#[test]
fn what_was_written_since_counts_and_not_what_a_page_of_long_ago_names() {
    for (format, cipher) in VARIANTS {
        let whole = forged(format, cipher);
        let ndb = Ndb::open(Arc::new(whole.clone()), 1 << 20).unwrap();
        let map = ndb.required_node(Nid::NAME_MAP).unwrap();
        let names = ndb.data(map.data).unwrap().read_all(&ndb).unwrap();
        // One without names, as that of a new store.
        let none = forge::store(format, cipher, &forge::Recipe::parse("store \"New\" seed=3\n"));
        let none = Ndb::open(Arc::new(none), 1 << 20).unwrap();
        let few = none.data(none.required_node(Nid::NAME_MAP).unwrap().data).unwrap().read_all(&none).unwrap();
        assert!(few.len() < names.len(), "{format:?}");
        let before = with_data(&whole, Nid::NAME_MAP, &few);
        let named = Ndb::open(Arc::new(with_data(&before, Nid::NAME_MAP, &names)), 1 << 20).unwrap();
        let store = with_data_anew(&named, &ndb.required_node(Nid::MESSAGE_STORE).unwrap(), Nid::MESSAGE_STORE);
        let (letter, empty) = (first_node(&ndb, NodeType::MESSAGE), folder(&whole, "Empty"));
        let after = edited(&store, |edit| {
            let (mut folder, mut change) = (PropertyList::default(), PropertyList::default());
            folder.set(tags::DISPLAY_NAME, Value::Unicode("Later".into()));
            for parent in [Nid::ROOT_FOLDER, empty] {
                edit.create_folder(parent, &folder).unwrap();
            }
            change.set(tags::SUBJECT, Value::Unicode("Changed later".into()));
            edit.update_message(letter.nid.nid, &change).unwrap();
        });
        let tables = [
            Nid::ROOT_FOLDER.with_kind(NodeType::HIERARCHY_TABLE),
            empty.with_kind(NodeType::HIERARCHY_TABLE),
            letter.parent.with_kind(NodeType::CONTENTS_TABLE),
        ];
        let nids = [[Nid::MESSAGE_STORE, Nid::NAME_MAP, empty].as_slice(), &tables, &[letter.nid.nid]].concat();
        let damaged = as_pages_of_before_tell(format, &before, &after);
        assert_eq!(data(damaged.clone(), &nids), data(after.clone(), &nids), "{format:?}");
        shows_all("pages of before", format, &after, damaged);
    }
}

/// At first a folder has the empty table of the template, and a page of then was still there: in a real store of which
/// `nbt_all_zero` was repaired all folders went to `Lost and Found`.
#[test]
fn an_empty_table_of_long_ago_does_not_hide_the_one_of_today() {
    for (format, cipher) in [(Format::Ansi, Cipher::Permute), (Format::Unicode, Cipher::Cyclic)] {
        let empty = Nid(0x8122);
        let told = forge::Recipe::parse("props node=0x8122 id=0x360a type=0x0b value=1\n");
        let before = forge::edits::damaged(forged(format, cipher), &told);
        let whole = with_a_folder_below(empty, "Later", before.clone());
        let ndb = Ndb::open(Arc::new(whole.clone()), 1 << 20).unwrap();
        let page = format.layout().page_bytes;
        let is_new =
            |at: &u64| before.get(*at as usize..).and_then(|bytes| bytes.get(..page)) != whole.get(*at as usize..*at as usize + page);
        let root = Ndb::open(Arc::new(before.clone()), 1 << 20).unwrap().root(BTree::Nodes).ib.0;
        let mut bytes = whole.clone();
        for at in pages(&ndb, &whole, BTree::Nodes).into_iter().filter(is_new).chain([root]) {
            zero(&mut bytes, at, page);
        }
        let store = open_source(Arc::new(bytes), 4 << 20).unwrap();
        assert_eq!(store.folder(empty).unwrap().name, "Empty", "{format:?}");
        let tree = Tree::new(store, View::default(), 4 << 20);
        assert!(tree.resolve("Empty/Later").is_ok(), "{format:?}");
    }
}

/// Where the node B-tree is gone, the newest page that is left may be the root of long ago, still whole: it names blocks
/// that were written over since, and nothing of what came later. Real stores of which `nbt_all_zero` was repaired lost all.
#[test]
fn a_root_of_long_ago_is_not_taken_for_the_tree() {
    for (format, cipher) in VARIANTS {
        let before = forged(format, cipher);
        let ndb = Ndb::open(Arc::new(before.clone()), 1 << 20).unwrap();
        let old = first_node(&ndb, NodeType::MESSAGE);
        let mut after = with_data_anew(&ndb, &old, old.nid.nid);
        let place = ndb.block_entry(old.data).unwrap();
        zero(&mut after, place.block.ib.0, place.stored_bytes(format) as usize);
        let then = [BTree::Nodes, BTree::Blocks].map(|tree| pages(&ndb, &before, tree));
        let changed = Ndb::open(Arc::new(after.clone()), 1 << 20).unwrap();
        for (trees, header) in [(1, false), (1, true), (2, false), (2, true)] {
            let mut damaged = after.clone();
            for (tree, old) in [BTree::Nodes, BTree::Blocks].into_iter().zip(&then).take(trees) {
                let since = pages(&changed, &after, tree).into_iter().filter(|at| !old.contains(at));
                since.for_each(|at| zero(&mut damaged, at, format.layout().page_bytes));
            }
            if header {
                zero(&mut damaged, 0, 564);
            }
            shows_all(&format!("{trees} trees of long ago, header gone: {header}"), format, &before, damaged);
        }
    }
}

/// The same where every block that the root of long ago names is still there: of real stores of which both trees and the
/// header were lost nothing was shown but the folders of their first day, as all that came later was taken for free.
#[test]
fn a_root_of_long_ago_that_names_only_what_is_there_hides_nothing_that_came_later() {
    for (format, cipher) in VARIANTS {
        let before = forged(format, cipher);
        let ndb = Ndb::open(Arc::new(before.clone()), 1 << 20).unwrap();
        let old = first_node(&ndb, NodeType::MESSAGE);
        let after = with_data_anew(&ndb, &old, Nid::new(NodeType::MESSAGE, 0x20_0000));
        let changed = Ndb::open(Arc::new(after.clone()), 1 << 20).unwrap();
        let mut damaged = after.clone();
        for tree in [BTree::Nodes, BTree::Blocks] {
            let then = pages(&ndb, &before, tree);
            let since = pages(&changed, &after, tree).into_iter().filter(|at| !then.contains(at));
            since.for_each(|at| zero(&mut damaged, at, format.layout().page_bytes));
        }
        zero(&mut damaged, 0, 564);
        let later = documents(Arc::new(Store::open(Arc::new(after), 4 << 20).unwrap()));
        let then = documents(Arc::new(Store::open(Arc::new(before), 4 << 20).unwrap()));
        let (found, told) = salvaged(damaged);
        assert!(told && later.len() == then.len() + 1, "{format:?}");
        assert_eq!(found.len(), later.len(), "{format:?}: {:?}", found.keys().collect::<Vec<_>>());
    }
}

/// Tables of subfolders that were written anew all at once say nothing by where they lie. In a real store the subfolders of
/// `Contacts` went to `Conversation History`, and those of the folder that users see to another one.
#[test]
fn tables_of_subfolders_that_lie_side_by_side_go_to_the_folders_that_were_made_before_these() {
    for (format, cipher) in VARIANTS {
        let mut whole = forged(format, cipher);
        let top = folder(&whole, "Empty");
        let mut tables = Vec::new();
        for name in ["First", "Second", "Third"] {
            whole = with_a_folder_below(top, name, whole);
            let made = folder(&whole, name);
            tables.push(made.with_kind(NodeType::HIERARCHY_TABLE));
            for number in 1..=tables.len() {
                whole = with_a_folder_below(made, &format!("{name} {number}"), whole);
            }
        }
        for nid in tables.into_iter().rev() {
            let ndb = Ndb::open(Arc::new(whole.clone()), 1 << 20).unwrap();
            whole = with_data_anew(&ndb, &ndb.required_node(nid).unwrap(), nid);
        }
        let mut damaged = whole.clone();
        zero_tree(&Ndb::open(Arc::new(whole.clone()), 1 << 20).unwrap(), &mut damaged, BTree::Nodes);
        let tree = Tree::new(open_source(Arc::new(damaged), 4 << 20).unwrap(), View::default(), 4 << 20);
        for path in ["Empty/First/First 1", "Empty/Second/Second 2", "Empty/Third/Third 3"] {
            assert!(tree.resolve(path).is_ok(), "{format:?}: {path}");
        }
    }
}

/// Nothing tells any more that a list of folders was written over since: it went to the root folder, which had lost its own, and
/// took `Inbox` out of the folder that users see.
#[test]
fn an_earlier_list_of_a_folders_folders_is_no_other_folders() {
    for (format, cipher) in VARIANTS {
        let mut whole = forged(format, cipher);
        let top = folder(&whole, "Empty");
        for name in ["First", "Second"] {
            whole = with_a_folder_below(top, name, whole);
        }
        let made = [top, folder(&whole, "First"), folder(&whole, "Second")];
        let mut damaged = without_all_that_tells(format, &whole);
        let ndb = Ndb::open(Arc::new(whole.clone()), 1 << 20).unwrap();
        let lost = ndb.required_node(Nid::ROOT_FOLDER.with_kind(NodeType::HIERARCHY_TABLE)).unwrap();
        let place = ndb.block_entry(lost.data).unwrap();
        zero(&mut damaged, place.block.ib.0, place.stored_bytes(format) as usize);
        let store = open_source(Arc::new(damaged), 4 << 20).unwrap();
        for nid in made {
            let parent = |ndb: &Ndb| ndb.required_node(nid).unwrap().parent;
            assert_eq!(parent(store.ndb()), parent(&ndb), "{format:?}");
            assert!(!store.names_below(Nid::ROOT_FOLDER).unwrap().contains_key(&nid), "{format:?}");
        }
    }
}

/// A damaged list named a folder twice: it counted as an earlier state of itself, and its folders were in no other.
#[test]
fn a_list_that_has_a_folder_twice_is_not_an_earlier_state_of_itself() {
    for (format, cipher) in VARIANTS {
        let mut whole = forged(format, cipher);
        let top = folder(&whole, "Empty");
        for name in ["First", "Second", "Third"] {
            whole = with_a_folder_below(top, name, whole);
        }
        let [first, third] = ["First", "Third"].map(|name| folder(&whole, name));
        let table = top.with_kind(NodeType::HIERARCHY_TABLE);
        let twice = format!("set index table={table} entry=1 value={first} fix=yes\n");
        let damaged = without_all_that_tells(format, &forge::edits::damaged(whole, &forge::Recipe::parse(&twice)));
        let store = open_source(Arc::new(damaged), 4 << 20).unwrap();
        for nid in [first, third] {
            assert_eq!(store.ndb().required_node(nid).unwrap().parent, top, "{format:?}: {nid}");
        }
    }
}
