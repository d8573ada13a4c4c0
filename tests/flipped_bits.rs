//! Rotten bits: of one that is flipped the CRC of its block, page or header tells which it is. So nothing of it is seen but
//! in the scan, and after a repair nothing at all.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a mistake ends the test"
)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use pstfs::damage::Finding;
use pstfs::format::Format;
use pstfs::ndb::Ndb;
use pstfs::progress::Progress;
use pstfs::recover::survey::survey;
use pstfs::repair::{Options, plan};
use support::forge::{self, Random, variant_name};
use support::laws::{documents, mended, open};
use support::scan::scan;

/// What a store shows: path, bytes, and whether something of it is damaged.
fn shown(bytes: &[u8]) -> Vec<(String, Vec<u8>, bool)> {
    documents(bytes).into_iter().map(|document| (document.path, document.bytes, document.damaged)).collect()
}

fn codes(findings: &[Finding]) -> BTreeSet<&'static str> {
    findings.iter().map(|finding| finding.code.id()).collect()
}

/// A store, and offset and length of all that has a CRC in it: of each block its data, of each page of the trees what
/// comes before its trailer.
struct Store {
    name: String,
    format: Format,
    whole: Vec<u8>,
    blocks: Vec<(usize, usize)>,
    pages: Vec<(usize, usize)>,
}

fn stores() -> impl Iterator<Item = Store> {
    forge::variants().map(|(format, cipher)| {
        let whole = forge::store(format, cipher, &forge::recipe("every-format"));
        let ndb = Ndb::open(Arc::new(whole.clone()), 1 << 20).unwrap();
        let mut blocks = Vec::new();
        ndb.visit_blocks(&mut |entry| {
            blocks.push((entry.block.ib.0 as usize, usize::from(entry.size)));
            true
        })
        .unwrap();
        let body = format.layout().page_bytes - format.layout().page_trailer_bytes;
        let found = survey(&whole, format, &Progress::default()).unwrap();
        let pages = found.pages.iter().map(|page| (page.ib.0 as usize, body)).collect();
        Store { name: variant_name(format, cipher), format, whole, blocks, pages }
    })
}

impl Store {
    /// The store with a bit flipped in each of these.
    fn rotten(&self, places: &[(usize, usize)], seed: u64) -> Vec<u8> {
        let (mut bytes, mut random) = (self.whole.clone(), Random::new(seed));
        for (at, len) in places {
            bytes[at + random.below(*len as u64) as usize] ^= 1 << random.below(8);
        }
        bytes
    }

    /// Expects nothing of the damage to be seen but in the scan, which tells of these codes, and in no way after a repair.
    fn holds(&self, bytes: &[u8], expected: &[&'static str], trick: &str) {
        let (name, healthy) = (&self.name, shown(&self.whole));
        assert!(shown(bytes) == healthy, "{name}: {trick}: something else is shown");
        let (findings, _) = scan(bytes.to_vec());
        assert_eq!(codes(&findings), BTreeSet::from_iter(expected.iter().copied()), "{name}: {trick}");
        assert!(findings.iter().all(|finding| finding.detail.contains("one bit is flipped")), "{name}: {trick}: {findings:?}");
        let made = plan(&open(bytes), &findings, Options::default()).unwrap();
        let after = mended(bytes, &made);
        assert!(shown(&after) == healthy, "{name}: {trick}: something else is shown after the repair");
        assert_eq!(codes(&scan(after).0), BTreeSet::new(), "{name}: {trick}: after the repair");
    }
}

#[test]
fn a_bit_in_every_block_is_turned_back() {
    for store in stores() {
        store.holds(&store.rotten(&store.blocks, 1), &["B08"], "blocks");
    }
}

/// No CRC covers the id in a block's trailer. In its low half the signature is another block's then.
#[test]
fn a_bit_in_the_id_of_every_block_is_turned_back() {
    for store in stores() {
        let layout = store.format.layout();
        let unit = layout.unit_bytes as usize;
        let from_end = layout.block_trailer_bytes - if store.format == Format::Ansi { 4 } else { 8 };
        let mut random = Random::new(5);
        let mut bytes = store.whole.clone();
        for (at, len) in &store.blocks {
            let id = at + (len + layout.block_trailer_bytes).next_multiple_of(unit) - from_end;
            // The lowest bit tells nothing.
            let bit = 1 + random.below(layout.word_bytes as u64 * 8 - 1) as usize;
            bytes[id + bit / 8] ^= 1 << (bit % 8);
        }
        store.holds(&bytes, &["B06"], "ids");
    }
}

#[test]
fn a_bit_in_every_page_is_turned_back() {
    for store in stores() {
        store.holds(&store.rotten(&store.pages, 2), &["P02"], "pages");
    }
}

/// The first bytes are the client's and the version, then come counters, the end of the file, and the roots of the trees.
#[test]
fn a_bit_in_the_header_is_turned_back() {
    for store in stores() {
        let expected: &[&str] = if store.format == Format::Ansi { &["H04"] } else { &["H04", "H05"] };
        // In between lies the flag of the allocation maps, which some writers change without the CRC.
        for at in (8..24).chain(if store.format == Format::Ansi { 164..200 } else { 180..248 }).step_by(3) {
            let mut bytes = store.whole.clone();
            bytes[at] ^= 0x10;
            store.holds(&bytes, expected, &format!("byte {at} of the header"));
        }
    }
}

#[test]
fn a_bit_in_everything_is_turned_back() {
    for store in stores() {
        let mut bytes = store.rotten(&[&*store.blocks, &*store.pages].concat(), 3);
        bytes[12] ^= 2;
        let expected: &[&str] = if store.format == Format::Ansi { &["B08", "H04", "P02"] } else { &["B08", "H04", "H05", "P02"] };
        store.holds(&bytes, expected, "everything");
    }
}

/// Without trees blocks are found by their trailers: one with a flipped bit is as good as any other.
#[test]
fn a_bit_in_every_block_hides_nothing_where_the_trees_are_lost() {
    for store in stores() {
        let lost = |mut bytes: Vec<u8>| {
            store.pages.iter().for_each(|(at, _)| bytes[*at..at + store.format.layout().page_bytes].fill(0));
            bytes
        };
        let (without, rotten) = (shown(&lost(store.whole.clone())), shown(&lost(store.rotten(&store.blocks, 4))));
        assert!(rotten == without, "{}: something else is shown", store.name);
    }
}

/// What is more than one bit the CRC does not explain: the data stay as they stand, and that is told.
#[test]
fn two_bits_in_a_block_are_left_and_told() {
    for store in stores() {
        let mut bytes = store.whole.clone();
        for (at, len) in &store.blocks {
            bytes[*at] ^= 1;
            bytes[at + len - 1] ^= 0x80;
        }
        let (findings, _) = scan(bytes);
        let told = findings.iter().filter(|finding| finding.code.id() == "B08");
        assert!(told.clone().count() == store.blocks.len(), "{}", store.name);
        assert!(told.clone().all(|finding| !finding.detail.contains("flipped")), "{}", store.name);
    }
}
