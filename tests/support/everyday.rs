//! The damages of everyday life, and stores to do them to: header, roots, leaves, whole trees, maps, tables and folders of
//! zeros; bad sectors, flipped bits, a hole, a cut.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pstfs::format::Format;
use pstfs::format::block::{DataTreeBlock, SubnodeBlock};
use pstfs::format::cipher::Cipher;
use pstfs::format::id::{Bid, Nid, NodeType};
use pstfs::format::page::PageKind;
use pstfs::ndb::Ndb;
use pstfs::progress::Progress;
use pstfs::recover::survey::survey;
use pstfs::store::Store;
use pstfs::tree::{Ino, Kind, Object, Tree, View};

use super::forge::{self, Random, Recipe};

/// Items of many kinds, each unlike the others; some hold more than a block.
const RECIPE: &str = r#"
store "Damages" seed=78
folder Inbox class=IPF.Note role=inbox
  repeat 30
    note subject="Letter {n}" from="A <a{n}@example.com>" to="B{n} <b{n}@example.com>" body="letter number {n}"
    note subject="Long {n}" from="A <a{n}@example.com>" to="B{n} <b{n}@example.com>" body-size=9000 seed={n}
    note subject="Enclosed {n}" from="C <c{n}@example.com>" to="B{n} <b{n}@example.com>" body="with enclosure {n}"
      attach "file {n}.bin" size=15000
  folder Below class=IPF.Note
    repeat 20
      note subject="Deep {n}" from="D <d{n}@example.com>" to="B{n} <b{n}@example.com>" body="deep number {n}"
folder Contacts class=IPF.Contact role=contacts
  repeat 10
    contact name="Person {n}" email="person{n}@example.com"
"#;

/// What is done to a store.
pub type Damage = fn(&Whole, &mut Vec<u8>, &mut Random);

/// All damages.
pub const DAMAGES: [(&str, Damage); 17] = [
    ("header zero", |_, bytes, _| zero(bytes, 0, 564)),
    ("header's roots flipped", |whole, bytes, _| {
        let (at, len) = if whole.format == Format::Ansi { (184, 16) } else { (216, 32) };
        bytes[at..at + len].iter_mut().for_each(|byte| *byte ^= 0x5a);
    }),
    ("allocation maps zero", |whole, bytes, _| {
        let layout = whole.format.layout();
        let maps = (0..).map(|n| layout.amap_first + n * layout.amap_coverage);
        maps.take_while(|at| *at < bytes.len() as u64).collect::<Vec<_>>().into_iter().for_each(|at| zero(bytes, at, layout.page_bytes));
    }),
    ("node root zero", |whole, bytes, _| zero(bytes, whole.ndb.header().root.nodes.ib.0, whole.format.layout().page_bytes)),
    ("block root zero", |whole, bytes, _| zero(bytes, whole.ndb.header().root.blocks.ib.0, whole.format.layout().page_bytes)),
    ("half the node leaves zero", |whole, bytes, _| {
        whole.zero_pages(bytes, PageKind::NODES, |level, number| level == 0 && number % 2 == 1)
    }),
    ("half the block leaves zero", |whole, bytes, _| {
        whole.zero_pages(bytes, PageKind::BLOCKS, |level, number| level == 0 && number % 2 == 1)
    }),
    ("node tree zero", |whole, bytes, _| whole.zero_pages(bytes, PageKind::NODES, |_, _| true)),
    ("block tree zero", |whole, bytes, _| whole.zero_pages(bytes, PageKind::BLOCKS, |_, _| true)),
    ("trees and header zero", |whole, bytes, _| {
        whole.zero_pages(bytes, PageKind::NODES, |_, _| true);
        whole.zero_pages(bytes, PageKind::BLOCKS, |_, _| true);
        zero(bytes, 0, 564);
    }),
    ("folder tables zero", |whole, bytes, _| {
        whole.zero_nodes(bytes, &[NodeType::HIERARCHY_TABLE, NodeType::CONTENTS_TABLE, NodeType::ASSOCIATED_TABLE]);
    }),
    ("folder objects zero", |whole, bytes, _| whole.zero_nodes(bytes, &[NodeType::FOLDER])),
    ("bad sectors", |_, bytes, random| {
        let sectors = bytes.len() as u64 / 4096;
        (0..(sectors / 100).max(3)).for_each(|_| zero(bytes, random.below(sectors) * 4096, 4096));
    }),
    ("bits flipped", |whole, bytes, random| {
        for _ in 0..100 {
            // Most of a 4K store is empty: its blocks are hit as often as others'.
            let at = random.below(whole.used.min(bytes.len() as u64)) as usize;
            bytes[at] ^= 1 << random.below(8);
        }
    }),
    ("hole", |whole, bytes, _| {
        let len = whole.used.min(bytes.len() as u64);
        zero(bytes, len * 45 / 100, len as usize / 10);
    }),
    ("cut at three quarters", |whole, bytes, _| bytes.truncate(whole.used as usize * 3 / 4)),
    ("cut at half", |whole, bytes, _| bytes.truncate(whole.used as usize / 2)),
];

fn zero(bytes: &mut [u8], at: u64, len: usize) {
    let end = (at as usize + len).min(bytes.len());
    bytes[at as usize..end].fill(0);
}

/// A store before it is damaged.
pub struct Whole {
    pub format: Format,
    pub bytes: Vec<u8>,
    ndb: Ndb,
    /// Where the last block or page ends.
    used: u64,
    pub documents: BTreeMap<Nid, Vec<u8>>,
    /// Each item's blocks: where they stand, and how long they are.
    blocks: BTreeMap<Nid, Vec<(usize, usize)>>,
}

impl Whole {
    pub fn new(format: Format, cipher: Cipher) -> Self {
        let bytes = forge::store(format, cipher, &Recipe::parse(RECIPE));
        let ndb = Ndb::open(Arc::new(bytes.clone()), 1 << 20).unwrap();
        let tree = Tree::new(Arc::new(Store::open(Arc::new(bytes.clone()), 8 << 20).unwrap()), View::default(), 8 << 20);
        let documents: BTreeMap<Nid, Vec<u8>> =
            documents(&tree).into_iter().filter_map(|(ino, _, bytes)| Some((nid_of(ino)?, bytes))).collect();
        let blocks = documents.keys().map(|nid| (*nid, places(&ndb, *nid))).collect();
        let found = survey(&bytes, format, &Progress::default()).unwrap();
        let used = found.blocks.iter().map(|block| block.ib.0 + 8192).chain(found.pages.iter().map(|page| page.ib.0 + 4096)).max().unwrap();
        Self { format, ndb, used, documents, blocks, bytes }
    }

    fn zero_pages(&self, bytes: &mut [u8], kind: PageKind, which: impl Fn(u8, usize) -> bool) {
        let found = survey(&self.bytes, self.format, &Progress::default()).unwrap();
        let mut pages: Vec<_> = found.pages.iter().filter(|page| page.kind == kind).collect();
        pages.sort_by_key(|page| (page.level, page.ib));
        for (number, page) in pages.into_iter().enumerate().filter(|(number, page)| which(page.level, *number)) {
            assert!(number < 10_000);
            zero(bytes, page.ib.0, self.format.layout().page_bytes);
        }
    }

    fn zero_nodes(&self, bytes: &mut [u8], kinds: &[NodeType]) {
        let mut nodes = Vec::new();
        self.ndb
            .visit_nodes(&mut |node| {
                nodes.extend(kinds.contains(&node.nid.nid.kind()).then_some(node.nid.nid));
                true
            })
            .unwrap();
        nodes.into_iter().flat_map(|nid| places(&self.ndb, nid)).for_each(|(at, len)| zero(bytes, at as u64, len));
    }

    /// The store after a damage, with one seed or, where chance decides, with several.
    pub fn damaged(&self, name: &str, damage: Damage) -> Vec<Vec<u8>> {
        let chance = ["bad sectors", "bits flipped"].contains(&name);
        let hit = |seed| {
            let mut bytes = self.bytes.clone();
            damage(self, &mut bytes, &mut Random::new(seed));
            bytes
        };
        (1..=if chance { 4 } else { 1 }).map(hit).collect()
    }

    /// The items none of whose bytes were touched.
    pub fn intact(&self, bytes: &[u8]) -> Vec<Nid> {
        let same = |(at, len): &(usize, usize)| bytes.get(*at..at + len) == Some(&self.bytes[*at..at + len]);
        self.blocks.iter().filter(|(_, places)| places.iter().all(same)).map(|(nid, _)| *nid).collect()
    }
}

/// Where the blocks of a node stand, and those of the nodes inside it.
fn places(ndb: &Ndb, nid: Nid) -> Vec<(usize, usize)> {
    let node = ndb.node(nid).unwrap().unwrap();
    let mut seen = BTreeSet::new();
    let mut waiting: Vec<(Bid, bool)> = vec![(node.data, false), (node.subnodes, true)];
    while let Some((bid, is_tree)) = waiting.pop() {
        if bid.is_none() || !seen.insert(bid.key()) || !bid.is_internal() {
            continue;
        }
        let block = ndb.block(bid).unwrap();
        match (is_tree, SubnodeBlock::decode(ndb.format(), &block.data)) {
            (true, Ok(SubnodeBlock::Leaf(entries))) => {
                waiting.extend(entries.iter().flat_map(|entry| [(entry.data, false), (entry.subnodes, true)]));
            }
            (true, branches) => match branches.unwrap() {
                SubnodeBlock::Branch(branches) => waiting.extend(branches.iter().map(|branch| (branch.child, true))),
                SubnodeBlock::Leaf(_) => {}
            },
            (false, _) => {
                let children = DataTreeBlock::decode(ndb.format(), &block.data).unwrap().children;
                waiting.extend(children.iter().map(|child| (*child, false)));
            }
        }
    }
    let place = |bid: Bid| {
        let entry = ndb.block_entry(bid).unwrap();
        (entry.block.ib.0 as usize, entry.stored_bytes(ndb.format()) as usize)
    };
    seen.into_iter().map(place).collect()
}

/// Every document, with its number and path.
pub fn documents(tree: &Tree) -> Vec<(Ino, String, Vec<u8>)> {
    let (mut found, mut waiting) = (Vec::new(), vec![(String::new(), Ino::ROOT)]);
    while let Some((path, ino)) = waiting.pop() {
        for entry in &tree.list(ino).unwrap().entries {
            let path = format!("{path}/{}", entry.name);
            match entry.kind {
                Kind::Directory => waiting.push((path, entry.ino)),
                Kind::File => found.push((entry.ino, path, tree.read(&tree.open(entry.ino).unwrap(), 0, usize::MAX >> 1).unwrap())),
            }
        }
    }
    found
}

fn nid_of(ino: Ino) -> Option<Nid> {
    match Object::of(ino) {
        Some(Object::Document(slot)) => Some(slot.nid),
        _ => None,
    }
}
