//! Every code of a scan has its repair, or a reason why not; what `--explain` says is what is done.
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

use std::collections::{BTreeMap, BTreeSet};

use pstfs::damage::{Code, Finding};
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::repair::Options;
use support::forge::{self, Recipe};
use support::laws::repaired;
use support::scan::scan;

/// Codes that no repair of a store mends, and why.
const LEFT: [(Code, &str); 9] = [
    (Code::FileChanged, "another program is at work: nothing is written"),
    (Code::FileUnreadable, "a disk that fails is not mended by writing to it"),
    (Code::RepairCutOff, "the repair that was cut off is ended before a scan"),
    (Code::FreeMap, "a small store has none; its test stands below"),
    (Code::BlockReferencesMax, "65,535 references are not to be forged in a small store, and harm nothing"),
    (Code::TimeRange, "what the time was nobody knows"),
    (Code::CompressedRtf, "the other bodies stay"),
    (Code::SubjectPrefix, "harms nothing"),
    (Code::ForeignHeap, "what it must hold only the program knows that made it"),
];

/// Codes that are left as well, and go where something else is repaired.
const GO_ALONG: [Code; 4] = [Code::HeadSpace, Code::FolderName, Code::PropertyUnnamed, Code::NodeParentSet];

/// What a fixture's repair, of one format, did about the codes that the scan found.
fn outcome(bytes: &[u8]) -> (BTreeSet<Code>, BTreeSet<Code>) {
    let codes = |findings: &[Finding]| findings.iter().map(|finding| finding.code).collect::<BTreeSet<_>>();
    let after = repaired(bytes, Options { thorough: true, ..Options::default() }).unwrap();
    (codes(&scan(bytes.to_vec()).0), codes(&scan(after).0))
}

#[test]
fn every_code_has_its_repair_or_a_reason() {
    let mut mended: BTreeMap<Code, String> = BTreeMap::new();
    let mut bases: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for name in forge::names("damaged") {
        let edits = Recipe::read(&forge::fixtures().join("damaged").join(&name).join("edits"));
        let base = edits.line("base").unwrap().arg(0).to_owned();
        let mut forge = |format, cipher, recipe: &Recipe| {
            let key = format!("{base} {}", forge::variant_name(format, cipher));
            bases.entry(key).or_insert_with(|| forge::store(format, cipher, recipe)).clone()
        };
        let Some((_, _, bytes)) = forge::damaged_all(&name, &mut forge).next() else { continue };
        let (before, after) = outcome(&bytes);
        for code in before.difference(&after) {
            mended.entry(*code).or_insert_with(|| name.clone());
        }
    }
    for code in Code::ALL {
        let how = mended.get(code).map_or("is left", String::as_str);
        println!("{} {how}: {}", code.id(), code.repair());
    }
    let left: BTreeSet<Code> = LEFT.iter().map(|(code, _)| *code).collect();
    let unmended: Vec<_> = Code::ALL.iter().filter(|code| !mended.contains_key(code) && !left.contains(code)).collect();
    assert!(unmended.is_empty(), "no fixture shows a repair of {unmended:?}, and no reason is given");
    let untrue: Vec<_> = LEFT.iter().filter_map(|(code, why)| Some((code, why, mended.get(code)?))).collect();
    assert!(untrue.is_empty(), "a fixture's repair mends what is said to be left: {untrue:?}");
    assert!(GO_ALONG.iter().all(|code| mended.contains_key(code)), "what is said to go along stays: {GO_ALONG:?}");
}

/// What is left is said to be left, and nothing else.
#[test]
fn what_is_explained_is_what_is_done() {
    let left: BTreeSet<Code> = LEFT.iter().map(|(code, _)| *code).collect();
    for code in Code::ALL {
        let says_so = code.repair() == "leaves it";
        assert!(!says_so || left.contains(code) || GO_ALONG.contains(code), "{} is mended, and said to be left", code.id());
    }
}

/// The first free map stands 31 MiB behind the beginning.
#[test]
fn a_damaged_free_map_is_written_anew() {
    let recipe =
        Recipe::parse("store \"Free maps\" seed=3\nfolder Inbox role=inbox\n  note subject=\"Large\"\n    attach large.bin size=33m\n");
    let mut damaged = forge::store(Format::Unicode, Cipher::None, &recipe);
    damaged[0x1f0_4800 + 100] ^= 1;
    let (before, after) = outcome(&damaged);
    assert!(before.contains(&Code::FreeMap) && !after.contains(&Code::FreeMap), "{before:?} {after:?}");
}
