//! The damages of everyday life, each on stores whose items are all unlike each other: every item whose own blocks are
//! whole is shown to the letter, and nothing is shown that neither was there nor says what is wrong with it.
//!
//! Header, roots, leaves, whole trees, maps, tables and folders of zeros; bad sectors, flipped bits, a hole, a cut: in all
//! formats, each with several ciphers, where chance decides with several seeds.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pstfs::format::Format;
use pstfs::format::block::{DataTreeBlock, SubnodeBlock};
use pstfs::format::cipher::Cipher;
use pstfs::format::id::{Bid, Nid, NodeType};
use pstfs::format::page::PageKind;
use pstfs::ndb::Ndb;
use pstfs::progress::Progress;
use pstfs::recover::open_source;
use pstfs::recover::survey::survey;
use pstfs::store::Store;
use pstfs::tree::{Ino, Kind, Object, Tree, View};
use support::forge::{self, Random, Recipe};

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
type Damage = fn(&Whole, &mut Vec<u8>, &mut Random);

/// All damages, and how much of what is whole must be shown at least, in percent.
const DAMAGES: [(&str, usize, Damage); 17] = [
    ("header zero", 100, |_, bytes, _| zero(bytes, 0, 564)),
    ("header's roots flipped", 100, |whole, bytes, _| {
        let (at, len) = if whole.format == Format::Ansi { (184, 16) } else { (216, 32) };
        bytes[at..at + len].iter_mut().for_each(|byte| *byte ^= 0x5a);
    }),
    ("allocation maps zero", 100, |whole, bytes, _| {
        let layout = whole.format.layout();
        let maps = (0..).map(|n| layout.amap_first + n * layout.amap_coverage);
        maps.take_while(|at| *at < bytes.len() as u64).collect::<Vec<_>>().into_iter().for_each(|at| zero(bytes, at, layout.page_bytes));
    }),
    ("node root zero", 100, |whole, bytes, _| zero(bytes, whole.ndb.header().root.nodes.ib.0, whole.format.layout().page_bytes)),
    ("block root zero", 100, |whole, bytes, _| zero(bytes, whole.ndb.header().root.blocks.ib.0, whole.format.layout().page_bytes)),
    ("half the node leaves zero", 98, |whole, bytes, _| {
        whole.zero_pages(bytes, PageKind::NODES, |level, number| level == 0 && number % 2 == 1)
    }),
    ("half the block leaves zero", 100, |whole, bytes, _| {
        whole.zero_pages(bytes, PageKind::BLOCKS, |level, number| level == 0 && number % 2 == 1)
    }),
    ("node tree zero", 95, |whole, bytes, _| whole.zero_pages(bytes, PageKind::NODES, |_, _| true)),
    ("block tree zero", 95, |whole, bytes, _| whole.zero_pages(bytes, PageKind::BLOCKS, |_, _| true)),
    ("trees and header zero", 95, |whole, bytes, _| {
        whole.zero_pages(bytes, PageKind::NODES, |_, _| true);
        whole.zero_pages(bytes, PageKind::BLOCKS, |_, _| true);
        zero(bytes, 0, 564);
    }),
    ("folder tables zero", 100, |whole, bytes, _| {
        whole.zero_nodes(bytes, &[NodeType::HIERARCHY_TABLE, NodeType::CONTENTS_TABLE, NodeType::ASSOCIATED_TABLE]);
    }),
    ("folder objects zero", 100, |whole, bytes, _| whole.zero_nodes(bytes, &[NodeType::FOLDER])),
    ("bad sectors", 98, |_, bytes, random| {
        let sectors = bytes.len() as u64 / 4096;
        (0..(sectors / 100).max(3)).for_each(|_| zero(bytes, random.below(sectors) * 4096, 4096));
    }),
    ("bits flipped", 98, |whole, bytes, random| {
        for _ in 0..100 {
            // Most of a 4K store is empty: its blocks are hit as often as others'.
            let at = random.below(whole.used.min(bytes.len() as u64)) as usize;
            bytes[at] ^= 1 << random.below(8);
        }
    }),
    ("hole", 98, |whole, bytes, _| {
        let len = whole.used.min(bytes.len() as u64);
        zero(bytes, len * 45 / 100, len as usize / 10);
    }),
    ("cut at three quarters", 98, |whole, bytes, _| bytes.truncate(whole.used as usize * 3 / 4)),
    ("cut at half", 98, |whole, bytes, _| bytes.truncate(whole.used as usize / 2)),
];

fn zero(bytes: &mut [u8], at: u64, len: usize) {
    let end = (at as usize + len).min(bytes.len());
    bytes[at as usize..end].fill(0);
}

/// A store before it is damaged.
struct Whole {
    format: Format,
    bytes: Vec<u8>,
    ndb: Ndb,
    /// Where the last block or page ends.
    used: u64,
    documents: BTreeMap<Nid, Vec<u8>>,
    /// Each item's blocks: where they stand, and how long they are.
    blocks: BTreeMap<Nid, Vec<(usize, usize)>>,
}

impl Whole {
    fn new(format: Format, cipher: Cipher) -> Self {
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

    /// The items none of whose bytes were touched.
    fn intact(&self, bytes: &[u8]) -> Vec<Nid> {
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
fn documents(tree: &Tree) -> Vec<(Ino, String, Vec<u8>)> {
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

/// A document without the lines that say how it was come by and what names it lacks; and what these say.
fn plain(document: &[u8]) -> (Vec<u8>, String) {
    let (mut rest, mut said, mut ours) = (Vec::new(), String::new(), false);
    for line in document.split_inclusive(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line).to_ascii_lowercase();
        ours = if text.starts_with([' ', '\t']) {
            ours
        } else {
            text.starts_with("x-pstfs-origin:") || text.starts_with("x-pstfs-incomplete:")
        };
        if ours { said.push_str(&text) } else { rest.extend_from_slice(line) }
    }
    (rest, said)
}

/// What came of one damage.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    intact: usize,
    shown: usize,
}

fn judge(whole: &Whole, name: &str, bytes: Vec<u8>) -> Score {
    let intact = whole.intact(&bytes);
    let store = match open_source(Arc::new(bytes), 8 << 20) {
        Ok(store) => store,
        Err(error) => panic!("{:?} {name}: {error}", whole.format),
    };
    let tree = Tree::new(store, View { all_folders: true, ..View::default() }, 8 << 20);
    tree.search(&Progress::default()).unwrap();
    let mut shown = BTreeSet::new();
    for (ino, path, document) in documents(&tree) {
        let (plain, said) = plain(&document);
        let was_there = whole.documents.values().any(|known| *known == plain);
        // An attachment is read only when somebody asks for it: its damage stands in an attribute.
        let damage = || tree.xattr(ino, "user.pst.damage").unwrap();
        assert!(was_there || !said.is_empty() || damage().is_some(), "{:?} {name}: {path} was never there and says nothing", whole.format);
        shown.insert(plain);
    }
    let count = intact.iter().filter(|nid| shown.contains(&whole.documents[*nid])).count();
    for nid in intact.iter().filter(|nid| !shown.contains(&whole.documents[*nid])) {
        println!(
            "{:?} {name}: {} is whole and not shown",
            whole.format,
            String::from_utf8_lossy(&whole.documents[nid]).lines().nth(1).unwrap()
        );
    }
    Score { intact: intact.len(), shown: count }
}

fn all(format: Format, ciphers: &[Cipher]) {
    for cipher in ciphers {
        let whole = Whole::new(format, *cipher);
        assert_eq!(whole.documents.len(), 120);
        for (name, least, damage) in DAMAGES {
            let chance = ["bad sectors", "bits flipped"].contains(&name);
            let mut sum = Score::default();
            for seed in 1..=if chance { 4 } else { 1 } {
                let mut bytes = whole.bytes.clone();
                damage(&whole, &mut bytes, &mut Random::new(seed));
                let score = judge(&whole, name, bytes);
                sum = Score { intact: sum.intact + score.intact, shown: sum.shown + score.shown };
            }
            println!("{format:?} {} {name}: {} of {} whole items", cipher.name(), sum.shown, sum.intact);
            assert!(sum.intact > 0 && sum.shown * 100 >= sum.intact * least, "{format:?} {name}: {sum:?}");
        }
    }
}

#[test]
fn ansi_stores_show_all_that_is_whole() {
    all(Format::Ansi, &[Cipher::None, Cipher::Permute]);
}

#[test]
fn unicode_stores_show_all_that_is_whole() {
    all(Format::Unicode, &[Cipher::Permute, Cipher::Cyclic]);
}

#[test]
fn stores_of_4k_pages_show_all_that_is_whole() {
    all(Format::Unicode4k, &[Cipher::None]);
}
