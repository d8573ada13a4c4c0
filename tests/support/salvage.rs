//! Damaged stores that are searched: what they show, and what makes them so.

use std::collections::BTreeMap;
use std::sync::Arc;

use pstfs::damage::Code;
use pstfs::disk::ReadAt;
use pstfs::format::Format;
use pstfs::format::btree::NodeEntry;
use pstfs::format::cipher::Cipher;
use pstfs::format::id::{Nid, NodeType};
use pstfs::ltp::value::Value;
use pstfs::ndb::write::Transaction;
use pstfs::ndb::{BTree, Ndb};
use pstfs::progress::Progress;
use pstfs::recover::open_source;
use pstfs::recover::survey::survey;
use pstfs::store::write::{PropertyList, StoreEdit};
use pstfs::store::{Store, tags};
use pstfs::tree::{Ino, Kind, Tree, View};

use super::forge;

/// The formats, each with another cipher.
pub const VARIANTS: [(Format, Cipher); 3] =
    [(Format::Ansi, Cipher::Permute), (Format::Unicode, Cipher::Cyclic), (Format::Unicode4k, Cipher::None)];

pub fn forged(format: Format, cipher: Cipher) -> Vec<u8> {
    forge::store(format, cipher, &forge::recipe("every-format"))
}

/// Every document by its path.
pub type Documents = BTreeMap<String, Vec<u8>>;

pub fn documents(store: Arc<Store>) -> Documents {
    documents_of(&Tree::new(store, View { all_folders: true, ..View::default() }, 4 << 20))
}

/// Every document of a tree.
pub fn documents_of(tree: &Tree) -> Documents {
    let mut found = Documents::new();
    let mut waiting = vec![(String::new(), Ino::ROOT)];
    while let Some((path, ino)) = waiting.pop() {
        for entry in &tree.list(ino).unwrap().entries {
            let path = format!("{path}/{}", entry.name);
            match entry.kind {
                Kind::Directory => waiting.push((path, entry.ino)),
                Kind::File => {
                    let size = usize::try_from(tree.attributes(entry.ino).unwrap().size).unwrap();
                    found.insert(path, tree.read(&tree.open(entry.ino).unwrap(), 0, size).unwrap());
                }
            }
        }
    }
    found
}

pub fn salvaged(bytes: Vec<u8>) -> (Documents, bool) {
    let store = open_source(Arc::new(bytes), 4 << 20).unwrap();
    let documents = documents(Arc::clone(&store));
    (documents, store.ndb().notes().findings().iter().any(|finding| finding.code == Code::MapsRebuilt))
}

/// The damaged store shows every document of the healthy one, and says that it was searched.
pub fn shows_all(trick: &str, format: Format, whole: &[u8], damaged: Vec<u8>) {
    let expected = documents(Arc::new(Store::open(Arc::new(whole.to_vec()), 4 << 20).unwrap()));
    let (documents, told) = salvaged(damaged);
    let paths = |documents: &Documents| documents.keys().cloned().collect::<Vec<_>>();
    assert_eq!(paths(&documents), paths(&expected), "{format:?}: {trick}");
    assert!(documents == expected, "{format:?}: {trick}: documents differ");
    assert!(told, "{format:?}: {trick}: not told");
}

/// The offsets of all pages of a tree.
pub fn pages(ndb: &Ndb, bytes: &[u8], tree: BTree) -> Vec<u64> {
    let kind = if tree == BTree::Nodes { 0x81 } else { 0x80 };
    let found = survey(&bytes.to_vec(), ndb.format(), &Progress::default()).unwrap();
    found.pages.iter().filter(|page| page.kind.0 == kind).map(|page| page.ib.0).collect()
}

pub fn zero(bytes: &mut [u8], at: u64, len: usize) {
    bytes[at as usize..][..len].fill(0);
}

pub fn zero_tree(ndb: &Ndb, bytes: &mut [u8], tree: BTree) {
    let page = ndb.format().layout().page_bytes;
    pages(ndb, bytes, tree).into_iter().for_each(|at| zero(bytes, at, page));
}

/// The store as a transaction would leave it.
pub fn preview(change: Transaction<'_>) -> Vec<u8> {
    let preview = change.preview().unwrap();
    let mut after = vec![0; preview.len().unwrap() as usize];
    preview.read_exact_at(&mut after, 0).unwrap();
    after
}

pub fn with_a_folder_below(parent: Nid, name: &str, bytes: Vec<u8>) -> Vec<u8> {
    let mut props = PropertyList::default();
    props.set(tags::DISPLAY_NAME, Value::Unicode(name.to_owned()));
    edited(&bytes, |edit| {
        edit.create_folder(parent, &props).unwrap();
    })
}

/// A store after these changes.
pub fn edited(bytes: &[u8], change: impl FnOnce(&mut StoreEdit<'_>)) -> Vec<u8> {
    let store = Store::open(Arc::new(bytes.to_vec()), 4 << 20).unwrap();
    let mut edit = StoreEdit::begin(&store).unwrap();
    change(&mut edit);
    preview(edit.finish().unwrap())
}

/// A store whose node of this id has these data, and the subnodes that it had.
pub fn with_data(bytes: &[u8], nid: Nid, data: &[u8]) -> Vec<u8> {
    let ndb = Ndb::open(Arc::new(bytes.to_vec()), 1 << 20).unwrap();
    let mut change = Transaction::begin(&ndb).unwrap();
    let data = change.put_data(data).unwrap();
    change.replace_data(nid, data).unwrap();
    preview(change)
}

pub fn first_node(ndb: &Ndb, kind: NodeType) -> NodeEntry {
    let mut found = None;
    ndb.visit_nodes(&mut |node| {
        found = (node.nid.nid.kind() == kind).then_some(*node);
        found.is_none()
    })
    .unwrap();
    found.unwrap()
}

/// A store after a node's data were written to new blocks, for the node of this id.
pub fn with_data_anew(ndb: &Ndb, node: &NodeEntry, nid: Nid) -> Vec<u8> {
    let mut change = Transaction::begin(ndb).unwrap();
    let new = change.put_data(&ndb.data(node.data).unwrap().read_all(ndb).unwrap()).unwrap();
    change.put_node(nid, node.parent, new, node.subnodes).unwrap();
    preview(change)
}
