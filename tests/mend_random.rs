//! Stores damaged at random, repaired and held to the laws: whatever happened to a store, what could be read before can be
//! read after.
#![allow(missing_docs, reason = "tests")]
#![allow(
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a mistake ends the test"
)]

mod support;

use std::sync::Arc;

use pstfs::format::Format;
use pstfs::format::btree::{BlockEntry, NodeEntry};
use pstfs::format::cipher::Cipher;
use pstfs::ndb::Ndb;
use pstfs::recover::open_source;
use pstfs::repair::Options;
use support::edit::Patient;
use support::forge::{self, Random};
use support::laws::{documents, laws, repaired};

/// A store, what it is made of, and a source of chance.
struct Victim {
    patient: Patient,
    blocks: Vec<BlockEntry>,
    nodes: Vec<NodeEntry>,
    random: Random,
}

impl Victim {
    fn new(bytes: &[u8], seed: u64) -> Self {
        let ndb = Ndb::open(Arc::new(bytes.to_vec()), 1 << 20).unwrap();
        let (mut blocks, mut nodes) = (Vec::new(), Vec::new());
        ndb.visit_blocks(&mut |entry| {
            blocks.push(*entry);
            true
        })
        .unwrap();
        ndb.visit_nodes(&mut |entry| {
            nodes.push(*entry);
            true
        })
        .unwrap();
        Self { patient: Patient::new(bytes.to_vec()), blocks, nodes, random: Random::new(seed) }
    }

    fn below(&mut self, end: usize) -> usize {
        self.random.below(end as u64) as usize
    }

    /// A block that something names.
    fn a_block(&mut self) -> BlockEntry {
        let at = self.below(self.blocks.len());
        self.blocks[at]
    }

    /// One stroke of bad luck.
    fn hurt(&mut self) {
        match self.below(6) {
            0 => self.zero_somewhere(),
            1 => self.flip_somewhere(),
            2 => self.zero_block(),
            3 | 4 => self.scribble(),
            _ => self.scribble_head(),
        }
    }

    /// A sector or several are zeros, where the data lie.
    fn zero_somewhere(&mut self) {
        let at = self.a_block().block.ib.0 as usize / 512 * 512;
        let len = 512 << self.below(4);
        let end = (at + len).min(self.patient.bytes.len());
        self.patient.bytes[at..end].fill(0);
    }

    fn flip_somewhere(&mut self) {
        let near = self.a_block().block.ib.0 as usize;
        let at = (near + self.below(2048)).min(self.patient.bytes.len() - 1);
        self.patient.bytes[at] ^= 1 << self.below(8);
    }

    /// The first block of a node is zeros.
    fn zero_block(&mut self) {
        let at = self.below(self.nodes.len());
        let data = self.nodes[at].data;
        let Some(entry) = self.blocks.iter().find(|entry| entry.block.bid.key() == data.key()) else { return };
        let (at, len) = (entry.block.ib.0 as usize, usize::from(entry.size));
        self.patient.bytes[at..at + len].fill(0);
    }

    /// A program wrote nonsense into a block, and a right checksum behind it.
    fn scribble(&mut self) {
        let block = self.a_block();
        let (size, count) = (usize::from(block.size), 1 + self.below(3));
        let places: Vec<(usize, u8)> = (0..count).map(|_| (self.below(size), self.below(256) as u8)).collect();
        self.patient.block(block.block.bid, |data| places.iter().for_each(|(at, byte)| data[*at] = *byte));
    }

    /// The same, where heads of heaps, tables and trees stand.
    fn scribble_head(&mut self) {
        let block = self.a_block();
        let (at, byte) = (self.below(usize::from(block.size).min(64)), self.below(256) as u8);
        self.patient.block(block.block.bid, |data| data[at] = byte);
    }
}

/// What of a store's own bytes goes bad on a disk: nothing that a program wrote, so every checksum tells.
fn rot(victim: &mut Victim) {
    match victim.below(3) {
        0 => victim.zero_somewhere(),
        1 => victim.flip_somewhere(),
        _ => victim.zero_block(),
    }
}

/// Whether a document says that it is not all that it was.
fn says_so(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let unfolded = text.replace("\r\n ", "").replace("=\r\n", "").replace(['\r', '\n'], "");
    // In an attachment of a calendar's or a contact's document it is in base64.
    ["was damaged and has been repaired", "name is lost", "names are lost", "VGhpcyBpdGVtIHdhcyBkYW1hZ2VkIGFu"]
        .iter()
        .any(|word| unfolded.contains(word))
}

/// Messages that a repair leaves other than they were before the disk went bad, and that do not say so.
fn silent(base: &[u8], repaired: &[u8]) -> Vec<String> {
    let after = documents(repaired);
    let before = documents(base);
    let mut wrong = Vec::new();
    for document in before.iter().filter(|document| !document.path.starts_with("/Recovered/")) {
        let same = after.iter().any(|other| other.crc == document.crc);
        let told = after.iter().any(|other| other.nid == document.nid && says_so(&other.bytes));
        if !same && !told && after.iter().any(|other| other.nid == document.nid) {
            wrong.push(format!("{} {} changed and says nothing", document.nid, document.path));
        }
    }
    wrong
}

/// A row's id without a type; a list of recipients without the column of their kind; columns in one place.
const BROKE_ONCE: [u64; 6] = [30, 31, 47, 136, 157, 199];

/// Which seeds: `SEEDS=1000..2000` for more.
fn seeds(usual: impl Iterator<Item = u64>) -> Vec<u64> {
    let Ok(told) = std::env::var("SEEDS") else { return usual.collect() };
    let (from, to) = told.split_once("..").unwrap();
    (from.parse().unwrap()..to.parse().unwrap()).collect()
}

fn hold(format: Format) {
    let base = forge::store(format, Cipher::None, &forge::recipe("every-format"));
    let mut wrong = Vec::new();
    for seed in seeds((0..4).chain(BROKE_ONCE)) {
        let mut victim = Victim::new(&base, seed);
        for _ in 0..=victim.below(6) {
            victim.hurt();
        }
        let bytes = victim.patient.bytes;
        if open_source(Arc::new(bytes.clone()), 8 << 20).is_err() {
            println!("seed {seed}: cannot be opened");
            continue;
        }
        println!("seed {seed}");
        if let Some(folder) = std::env::var_os("KEEP") {
            std::fs::write(std::path::Path::new(&folder).join(format!("{format:?}-{seed}.pst")), &bytes).unwrap();
        }
        let broken = laws(&bytes, Options::default());
        if !broken.is_empty() {
            wrong.push(format!("=== seed {seed}\n{}", broken.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn whatever_happened_to_an_ansi_store() {
    hold(Format::Ansi);
}

#[test]
fn whatever_happened_to_a_unicode_store() {
    hold(Format::Unicode);
}

#[test]
fn whatever_happened_to_a_store_of_4k_pages() {
    hold(Format::Unicode4k);
}

/// Whoever reads a repaired store must not take what a bad disk left for what was written.
#[test]
fn a_message_that_is_not_what_it_was_says_so() {
    let mut wrong = Vec::new();
    for format in Format::ALL {
        let base = forge::store(format, Cipher::Permute, &forge::recipe("every-format"));
        for seed in seeds(0..20) {
            let mut victim = Victim::new(&base, seed);
            for _ in 0..4 {
                rot(&mut victim);
            }
            let bytes = victim.patient.bytes;
            if open_source(Arc::new(bytes.clone()), 8 << 20).is_err() {
                continue;
            }
            if let Some(folder) = std::env::var_os("KEEP") {
                std::fs::write(std::path::Path::new(&folder).join(format!("rot-{format:?}-{seed}.pst")), &bytes).unwrap();
            }
            let found = silent(&base, &repaired(&bytes, Options::default()).unwrap());
            wrong.extend(found.into_iter().map(|line| format!("{format:?}, seed {seed}: {line}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
