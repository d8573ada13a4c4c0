//! Sectors that a disk could not read are zeros in a copy of it. In a store that is encoded they are no letters and dates:
//! it shows what the same store shows where it is not encoded, before a repair and after it.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use pstfs::damage::Code;
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::format::heap::HEAP_SIGNATURE;
use pstfs::format::id::{Bid, Nid, NodeType};
use pstfs::ndb::Ndb;
use pstfs::repair::Options;
use support::forge::{self, Recipe};
use support::laws::{documents, laws, repaired};
use support::scan::{expectation, lines, scan};

/// What a disk loses at a time.
const SECTOR: usize = 512;

/// Letters whose properties take some sectors each: in each of these lie other names, times and texts. Not compressed, so
/// that the blocks stand in the same places whatever the encoding.
const LETTERS: &str = r#"
store "Lost sectors" seed=91 compress=no
folder Inbox class=IPF.Note role=inbox
  repeat 60
    note subject="Minutes of the {n}. meeting on the budget, the garden and what was left open" from="Alexandra Konstantinopolitanskaya of the {n}. house <alexandra.konstantinopolitanskaya.{n}@department.example.com>" to="Maximilian von und zu Hohenfels-Oberwasser {n} <maximilian.hohenfels.{n}@department.example.com>; B{n} <b{n}@example.com>" cc="Bartholomew Featherstonehaugh {n} <bartholomew.featherstonehaugh.{n}@department.example.com>" headers="Received: from relay.example.com by mx.example.com; Mon, 1 Jan 2024 10:00:00 +0000\nSubject: Minutes {n}\n" body-size=600
      attach "file {n}.bin" size=3000
"#;

/// Text that permute encodes as raw zeros, and nothing is wrong with it.
const GS_ALONE: &str = r#"
store "No lost sectors" compress=no
folder Inbox class=IPF.Note role=inbox
  note subject="Only G" from="A <a@example.com>" to="B <b@example.com>" body="see inside"
    attach g.bin text="GGGG"
"#;

fn forged(format: Format, cipher: Cipher) -> Vec<u8> {
    forge::store(format, cipher, &Recipe::parse(LETTERS))
}

/// The store with one sector of the properties of each letter lost, and what of its neighbours lies in that.
fn damaged(format: Format, cipher: Cipher) -> Vec<u8> {
    let mut bytes = forged(format, cipher);
    let ndb = Ndb::open(Arc::new(bytes.clone()), 1 << 20).unwrap();
    let mut letters = Vec::new();
    let mut keep_letter = |nid: NodeType, data| letters.extend((nid == NodeType::MESSAGE).then_some(data));
    ndb.visit_nodes(&mut |node| {
        keep_letter(node.nid.nid.kind(), node.data);
        true
    })
    .unwrap();
    for (number, data) in letters.into_iter().enumerate() {
        let sectors = sectors(&ndb, data);
        let at = (sectors.start + number % sectors.len()) * SECTOR;
        bytes[at..at + SECTOR].fill(0);
    }
    bytes
}

/// The sectors that a block lies in.
fn sectors(ndb: &Ndb, bid: Bid) -> Range<usize> {
    let entry = ndb.block_entry(bid).unwrap();
    let (start, len) = (entry.block.ib.0 as usize, entry.stored_bytes(ndb.format()) as usize);
    start / SECTOR..(start + len).div_ceil(SECTOR)
}

/// All documents of a store by path and node.
fn shown(bytes: &[u8]) -> BTreeMap<(String, String), String> {
    documents(bytes).into_iter().map(|one| ((one.path, one.nid), String::from_utf8_lossy(&one.bytes).into_owned())).collect()
}

/// Whether a text has a row of the letters that zeros are where permute decodes them: as they are, or in an encoded word.
fn has_decoded_zeros(text: &str) -> bool {
    ["\u{4747}", "5J2H5J2H", "GGGGGGGG"].iter().any(|letters| text.contains(letters))
}

fn all(format: Format) {
    let (whole, model) = (shown(&forged(format, Cipher::None)), damaged(format, Cipher::None));
    let (before, after) = (shown(&model), shown(&repaired(&model, Options::default()).unwrap()));
    let hit = before.iter().filter(|(place, text)| whole.get(place) != Some(text)).count();
    assert!(before.len() == 60 && hit >= 45, "{format:?}: {hit} of {} letters are hit", before.len());
    for cipher in [Cipher::Permute, Cipher::Cyclic] {
        let bytes = damaged(format, cipher);
        let mended = repaired(&bytes, Options::default()).unwrap();
        let (there, left) = (shown(&bytes), shown(&mended));
        assert_eq!(there.values().chain(left.values()).find(|text| has_decoded_zeros(text)), None, "{format:?} {cipher:?}");
        assert_eq!((there, left), (before.clone(), after.clone()), "{format:?} {cipher:?}");
        assert_eq!(expectation(bytes.clone()), expectation(model.clone()), "{format:?} {cipher:?}");
        assert_eq!(lines(&scan(mended).0), [""; 0], "{format:?} {cipher:?}: a second scan finds nothing, no time far from now");
        assert_eq!(laws(&bytes, Options::default()), [""; 0], "{format:?} {cipher:?}");
    }
}

#[test]
fn ansi_letters_with_lost_sectors_are_those_of_a_plain_store() {
    all(Format::Ansi);
}

#[test]
fn unicode_letters_with_lost_sectors_are_those_of_a_plain_store() {
    all(Format::Unicode);
}

#[test]
fn letters_of_4k_stores_with_lost_sectors_are_those_of_a_plain_store() {
    all(Format::Unicode4k);
}

/// Of a block whose CRC matches every byte counts, raw zeros too: some text is encoded as such.
#[test]
fn text_that_is_encoded_as_zeros_is_not_lost() {
    let recipe = Recipe::parse(&GS_ALONE.replace("GGGG", &"G".repeat(4000)));
    for format in Format::ALL {
        let [plain, encoded] = [Cipher::None, Cipher::Permute].map(|cipher| forge::store(format, cipher, &recipe));
        assert!(encoded.windows(4000).any(|bytes| bytes.iter().all(|byte| *byte == 0)), "{format:?}");
        assert_eq!(shown(&encoded), shown(&plain), "{format:?}");
    }
}

/// The scan decodes the lists of the search machinery by itself: it told of a node 0x47474747 that does not exist.
#[test]
fn lost_parts_of_a_list_of_searches_name_no_strange_nodes() {
    let told = |cipher| {
        let edits = Recipe::parse("set node node=0x201 field=data value=data:0x200024 fix=yes");
        let mut bytes = forge::edits::damaged(forged(Format::Unicode, cipher), &edits);
        let ndb = Ndb::open(Arc::new(bytes.clone()), 1 << 20).unwrap();
        let at = (sectors(&ndb, ndb.node(Nid(0x201)).unwrap().unwrap().data).start + 1) * SECTOR;
        bytes[at..at + SECTOR].fill(0);
        let of_lists = scan(bytes).0.into_iter().filter(|finding| finding.code == Code::SearchQueue);
        of_lists.map(|finding| finding.detail).collect::<Vec<_>>()
    };
    let plain = told(Cipher::None);
    assert!(plain.contains(&"node 0x0 does not exist".to_owned()), "{plain:?}");
    assert_eq!([told(Cipher::Permute), told(Cipher::Cyclic)], [plain.clone(), plain]);
}

/// A sector of zeros, tried with each cipher, is the start of a heap once in 256 times: then all blocks were decoded with
/// that, which made a search of the whole file necessary, and the scan said that the header was wrong.
#[test]
fn a_lost_sector_does_not_tell_how_a_store_is_encoded() {
    let (letters, mut bytes, lost) = (0..300).find_map(mistaken).unwrap();
    bytes[lost * SECTOR..(lost + 1) * SECTOR].fill(0);
    assert_eq!(Ndb::open(Arc::new(bytes.clone()), 1 << 20).unwrap().cipher(), Cipher::Permute);
    assert_eq!(shown(&bytes).values().filter(|text| text.contains("as was agreed")).count(), letters);
    let findings = lines(&scan(bytes).0);
    assert!(findings.iter().any(|line| line.contains("B08")), "{findings:?}");
    assert_eq!(findings.iter().find(|line| line.contains(Code::HeaderCrypt.id())), None);
}

/// A store of so many letters and the first sector of its own properties, if zeros there are the start of a heap to the
/// other cipher.
fn mistaken(letters: usize) -> Option<(usize, Vec<u8>, usize)> {
    let letter = "\n  note subject=\"Letter\" from=\"A <a@example.com>\" to=\"B <b@example.com>\" body=\"as was agreed\"";
    let name = "as long as a sector ".repeat(20);
    let recipe = format!("store \"{name}\"\nfolder Inbox class=IPF.Note role=inbox{}", letter.repeat(letters));
    let bytes = forge::store(Format::Unicode, Cipher::Permute, &Recipe::parse(&recipe));
    let ndb = Ndb::open(Arc::new(bytes.clone()), 1 << 20).unwrap();
    let data = ndb.node(Nid::MESSAGE_STORE).unwrap().unwrap().data;
    let (mut zeros, sectors) = ([0; 3], sectors(&ndb, data));
    Cipher::Cyclic.decode(&mut zeros, data);
    (zeros[2] == HEAP_SIGNATURE).then_some((letters, bytes, sectors.start))
}
