//! Anything becomes mountable: stores cut off anywhere, and with `--force` files that hold nothing of a store.
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

#[path = "support/blank.rs"]
mod blank;
#[path = "support/check.rs"]
mod check;
mod support;

use std::fs;
use std::path::Path;

use pstfs::damage::{Error, Verdict};
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::ndb::Ndb;
use pstfs::progress::Progress;
use pstfs::repair::{self, Backup, Held, Order, Outcome};
use support::forge::{self, Random};
use support::laws::{documents, serious};
use support::scan::scan;

const VARIANTS: [(Format, Cipher); 3] =
    [(Format::Ansi, Cipher::Permute), (Format::Unicode, Cipher::Cyclic), (Format::Unicode4k, Cipher::None)];

fn repaired(path: &Path, force: bool) -> Result<Outcome, Error> {
    let order = Order { force, ..Order::default() };
    repair::run(path, &order, Held::default(), &Progress::default(), &mut |_| String::new())
}

/// What is wrong with a store that a repair made; nothing where it is as a new one.
fn faults(bytes: &[u8]) -> Vec<String> {
    let mut faults = check::faults(bytes);
    faults.extend(serious(&scan(bytes.to_vec()).0).iter().map(ToString::to_string));
    faults
}

/// Files that hold nothing of a store.
fn strangers() -> Vec<(&'static str, Vec<u8>)> {
    let program = fs::read(std::env::current_exe().unwrap()).unwrap();
    assert_eq!(program[..4], *b"\x7fELF");
    vec![
        ("zeros", vec![0; 1 << 20]),
        ("a few zeros", vec![0; 100]),
        ("noise", Random::new(3).bytes(1 << 20)),
        ("a program", program[..program.len().min(2 << 20)].to_vec()),
        ("a text", b"Dear Bob,\r\nhow are you?\r\n".repeat(2000)),
    ]
}

#[test]
fn with_force_any_file_becomes_a_store_and_with_undo_that_file_again() {
    for (name, stranger) in strangers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pst");
        fs::write(&path, &stranger).unwrap();
        assert!(repaired(&path, false).is_err(), "{name}");
        assert_eq!(fs::read(&path).unwrap(), stranger, "{name}: refused, so untouched");
        let outcome = repaired(&path, true).unwrap();
        assert_eq!(outcome.scan.verdict, Verdict::Repaired, "{name}");
        assert_eq!(faults(&fs::read(&path).unwrap()), Vec::<String>::new(), "{name}");
        assert_eq!(fs::read(folder.path().join("a.pst.bak")).unwrap(), stranger, "{name}");
        let again = repaired(&path, true).unwrap();
        assert_eq!((again.scan.verdict, again.changes), (Verdict::NoErrors, 0), "{name}");
        repair::take_back(&path, None, false, Held::default(), &Progress::default()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), stranger, "{name}: taken back");
        assert!(!folder.path().join("a.pst.fresh").exists());
    }
}

/// It replaces every byte, so there is nothing that could be kept of them but all.
#[test]
fn a_stranger_is_kept_as_a_whole_or_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pst");
    fs::write(&path, [7; 5000]).unwrap();
    let order = Order { force: true, backup: Backup::Undo, ..Order::default() };
    let refused = repair::run(&path, &order, Held::default(), &Progress::default(), &mut |_| String::new()).unwrap_err();
    assert!(refused.to_string().contains("--backup full"), "{refused}");
    assert_eq!((fs::read(&path).unwrap(), fs::read_dir(folder.path()).unwrap().count()), (vec![7; 5000], 1));
}

/// Where the data of a store end: the free space behind is as good as cut off.
fn end_of_data(bytes: &[u8]) -> usize {
    let ndb = Ndb::open(std::sync::Arc::new(bytes.to_vec()), 1 << 20).unwrap();
    let mut end = 0;
    ndb.visit_blocks(&mut |entry| {
        end = end.max(entry.block.ib.0 + entry.stored_bytes(ndb.format()));
        true
    })
    .unwrap();
    end as usize
}

/// Whether `part` can be read of what was cut off is another matter: what a mount shows of it before, it shows after.
#[test]
fn a_store_cut_at_every_tenth_is_one_again() {
    for (format, cipher) in VARIANTS {
        let whole = forge::store(format, cipher, &forge::recipe("every-format"));
        let end = end_of_data(&whole);
        let mut told = Vec::new();
        for tenth in 1..10 {
            let bytes = whole[..end * tenth / 10].to_vec();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.pst");
            fs::write(&path, &bytes).unwrap();
            let forced = match repaired(&path, false) {
                Ok(outcome) => {
                    assert_eq!(outcome.scan.verdict, Verdict::Repaired, "{format:?} {tenth}0 %");
                    false
                }
                Err(_) => {
                    assert_eq!(repaired(&path, true).unwrap().scan.verdict, Verdict::Repaired, "{format:?} {tenth}0 %");
                    true
                }
            };
            let after = fs::read(&path).unwrap();
            assert_eq!(faults(&after), Vec::<String>::new(), "{format:?} {tenth}0 %");
            let count = documents(&after).len();
            if !forced {
                let before = documents(&bytes);
                let kept = before.iter().filter(|document| !document.damaged);
                let missing: Vec<_> = kept.filter(|document| !after_has(&after, document.crc)).map(|document| &document.path).collect();
                assert!(missing.is_empty() || count >= before.len(), "{format:?} {tenth}0 %: {missing:?}");
            }
            told.push(format!("{tenth}0 %: {count}{}", if forced { " (forced)" } else { "" }));
        }
        println!("{format:?}: documents after a cut at {}", told.join(", "));
    }
}

fn after_has(bytes: &[u8], crc: (u64, u32)) -> bool {
    documents(bytes).iter().any(|document| document.crc == crc)
}

/// Header and both trees gone: only blocks are left, without a word on what they are of.
#[test]
fn blocks_alone_make_a_store() {
    for (format, cipher) in VARIANTS {
        let whole = forge::store(format, cipher, &forge::recipe("every-format"));
        let mut bytes = whole.clone();
        let found = pstfs::recover::survey::survey(&whole, format, &Progress::default()).unwrap();
        let page = format.layout().page_bytes;
        found.pages.iter().for_each(|found| bytes[found.ib.0 as usize..found.ib.0 as usize + page].fill(0));
        bytes[..1024].fill(0);
        makes_as_many_documents(format, &whole, &bytes);
    }
}

/// A repair of the damaged store leaves nothing to find, and as many documents as the whole one has.
fn makes_as_many_documents(format: Format, whole: &[u8], damaged: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pst");
    fs::write(&path, damaged).unwrap();
    assert_eq!(repaired(&path, false).unwrap().scan.verdict, Verdict::Repaired, "{format:?}");
    let after = fs::read(&path).unwrap();
    assert_eq!(faults(&after), Vec::<String>::new(), "{format:?}");
    assert_eq!(documents(&after).len(), documents(whole).len(), "{format:?}");
}

/// In a small store rot may have hit every block: their signatures still tell that they are blocks, and where they stand.
#[test]
fn blocks_of_which_no_checksum_is_right_make_a_store() {
    for (format, cipher) in VARIANTS {
        let whole = forge::store(format, cipher, &forge::recipe("every-format"));
        let mut bytes = whole.clone();
        let ndb = Ndb::open(std::sync::Arc::new(whole.clone()), 1 << 20).unwrap();
        let checksum = if format == Format::Ansi { 8 } else { 4 };
        ndb.visit_blocks(&mut |entry| {
            let end = (entry.block.ib.0 + entry.stored_bytes(format)) as usize;
            bytes[end - format.layout().block_trailer_bytes + checksum] ^= 1;
            true
        })
        .unwrap();
        bytes[..64].fill(0);
        makes_as_many_documents(format, &whole, &bytes);
    }
}

/// The length that a header of garbage told was shown as a fact: 94,558,268,424,268 bytes of a store of 32 KiB.
#[test]
fn what_is_refused_is_told_with_what_can_be_done() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pst");
    let mut bytes = forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("every-format"));
    bytes.truncate(1024);
    bytes.extend(Random::new(5).bytes(32 << 10));
    let told = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        repaired(&path, false).unwrap_err().to_string()
    };
    let words = told(&bytes);
    assert!(words.contains("cut off: 33792 of ") && words.contains("repair --force"), "{words}");
    bytes[16] ^= 1;
    let words = told(&bytes);
    assert!(!words.contains("cut off: ") && words.contains("repair --force"), "{words}");
}
