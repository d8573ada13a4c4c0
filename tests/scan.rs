//! What a scan finds: in forged stores nothing, in damaged ones exactly the damage.
//!
//! `fixtures/damaged/NAME/expect.scan` holds, for each variant or for several at once, the verdict and the findings.
//! `scripts/bless` writes them anew.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::{fs, io};

use pstfs::damage::{Code, Finding, Verdict};
use pstfs::disk::ReadAt;
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::format::id::{Nid, NodeType};
use pstfs::scan::Outcome;
use pstfs::store::Store;
use support::forge::{self, Recipe, variant_name};
use support::scan::{expectation, scan, scan_opened, told};

/// Forges each base once.
#[derive(Default)]
struct Bases(HashMap<(String, String), Vec<u8>>);

impl Bases {
    fn get(&mut self, name: &str, format: Format, cipher: Cipher, recipe: &Recipe) -> Vec<u8> {
        let key = (name.to_owned(), variant_name(format, cipher));
        self.0.entry(key).or_insert_with(|| forge::store(format, cipher, recipe)).clone()
    }
}

fn path(name: &str) -> PathBuf {
    forge::fixtures().join("damaged").join(name).join("expect.scan")
}

/// Whether a finding that hits a folder or an item names it: an item by folder, subject and time, an attachment by its name.
fn is_named(finding: &Finding) -> bool {
    let victim = &finding.victim;
    match finding.place.nid.map(|nid| Nid(nid).kind()) {
        Some(NodeType::MESSAGE | NodeType::ASSOCIATED_MESSAGE) => {
            let is_dated = victim.contains("\" of 2024-01-");
            let is_placed = victim.contains(": \"") || finding.detail.contains("nothing tells of its folder");
            let is_part = ["M18", "M31"].contains(&finding.code.id());
            is_placed && is_dated && (!is_part || victim.contains("attachment \""))
        }
        Some(NodeType::FOLDER | NodeType::SEARCH_FOLDER) => !victim.is_empty(),
        _ => true,
    }
}

/// What a fixture's scans give, variants with the same in one paragraph.
fn found(name: &str, bases: &mut Bases, nameless: &mut Vec<String>) -> String {
    let edits = Recipe::read(&forge::fixtures().join("damaged").join(name).join("edits"));
    let base = edits.line("base").unwrap().arg(0).to_owned();
    let mut forge = |format, cipher, recipe: &Recipe| bases.get(&base, format, cipher, recipe);
    let mut paragraphs: Vec<(Vec<String>, String)> = Vec::new();
    for (format, cipher, bytes) in forge::damaged_all(name, &mut forge) {
        let (findings, outcome) = scan(bytes.clone());
        let text = told(&findings, &outcome);
        assert_eq!(text, expectation(bytes), "{name}: a second scan finds the same");
        let variant = variant_name(format, cipher);
        nameless.extend(findings.iter().filter(|finding| !is_named(finding)).map(|finding| format!("{name} {variant}: {finding}")));
        match paragraphs.iter_mut().find(|(_, other)| *other == text) {
            Some((variants, _)) => variants.push(variant),
            None => paragraphs.push((vec![variant], text)),
        }
    }
    let paragraphs = paragraphs.into_iter().map(|(variants, text)| format!("{}: {text}", variants.join(" ")));
    paragraphs.collect::<Vec<_>>().join("")
}

#[test]
fn damaged_stores_are_found_to_be_damaged_as_they_are() {
    let bless = std::env::var_os("PSTFS_BLESS").is_some();
    let mut bases = Bases::default();
    let (mut wrong, mut nameless) = (Vec::new(), Vec::new());
    // For one who works on a fixture: `ONLY=part-of-its-name`.
    let only = std::env::var("ONLY").unwrap_or_default();
    for name in forge::names("damaged").into_iter().filter(|name| name.contains(&only)) {
        let found = found(&name, &mut bases, &mut nameless);
        if bless {
            fs::write(path(&name), found).unwrap();
            continue;
        }
        let expected = fs::read_to_string(path(&name)).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{name}\n--- expected\n{expected}+++ found\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "scripts/bless writes what is found\n{}", wrong.join("\n"));
    assert!(nameless.is_empty(), "findings that do not name whom they hit\n{}", nameless.join("\n"));
}

#[test]
fn forged_stores_have_no_errors() {
    let mut wrong = Vec::new();
    for name in forge::names("healthy") {
        let recipe = forge::recipe(&name);
        for (format, cipher) in forge::wanted(&recipe) {
            let text = expectation(forge::store(format, cipher, &recipe));
            let expected = match name.as_str() {
                // One of its items has an empty class, which is what it is there for.
                "every-item-class" => "Only minor inconsistencies were found\n  ?? M07 node 0x2000e4 property 0x001a\n",
                // Folders without a name, and of one name, likewise.
                "unusual-names" => "No errors were found\n  -- M06 node 0x8022\n  -- M06 node 0x8142 property 0x3001\n",
                // An attachment without contents.
                "attachments-as-files" => "No errors were found\n  -- M18 node 0x200044\n",
                // Compressed RTF cut short and with wrong checksums.
                "rtf-bodies" => "Only minor inconsistencies were found\n  ?? M22 node 0x200164 property 0x1009\n  -- M22 node 0x80a2\n",
                _ => "No errors were found\n",
            };
            if text != expected {
                wrong.push(format!("{name} {}: {text}", variant_name(format, cipher)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Codes that no damaged fixture shows in some formats, and why.
const NOT_SHOWN: &[(&str, &str, &str)] = &[
    ("B09", "ansi unicode", "their blocks are not compressed"),
    ("B20", "ansi unicode 4k", "it takes 65,535 nodes that name one block: scan/low/trees.rs tests how they are counted"),
    ("H05", "ansi", "its header has one checksum"),
    ("H09", "ansi", "its files end anywhere"),
    ("H21", "ansi unicode 4k", "it takes another program: a_file_that_was_changed_meanwhile_is_told"),
    ("H22", "ansi unicode 4k", "it takes a failing disk: a_disk_that_fails_ends_the_scan_with_its_place"),
    ("H24", "ansi unicode 4k", "it takes a journal beside the file: tests/repair.rs has stores whose repair was cut off"),
    ("M13", "4k", "OSTs keep that time in the folder's table alone"),
    ("M27", "4k", "the rows of searches in OSTs have ids of their own"),
    ("P19", "4k", "it has no page maps"),
    ("P20", "ansi unicode 4k", "the first one stands 31 MiB behind the beginning: a_damaged_free_map_is_found; 4K files have none"),
];

/// The codes and formats that expectations of damaged fixtures have.
fn shown() -> BTreeSet<(String, String)> {
    let mut shown = BTreeSet::new();
    for name in forge::names("damaged") {
        let mut formats: Vec<String> = Vec::new();
        for line in fs::read_to_string(path(&name)).unwrap_or_default().lines() {
            match line.strip_prefix("  ") {
                Some(finding) => {
                    let code = finding.split(' ').nth(1).unwrap();
                    shown.extend(formats.iter().map(|format| (code.to_owned(), format.clone())));
                }
                None => {
                    let variants = line.split(':').next().unwrap().split(' ');
                    formats = variants.map(|variant| variant.split('-').next().unwrap().to_owned()).collect();
                }
            }
        }
    }
    shown
}

#[test]
fn every_code_is_shown_in_every_format_that_can() {
    let shown = shown();
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for code in Code::ALL {
        for format in Format::ALL.map(forge::format_name) {
            if !shown.contains(&(code.id().to_owned(), format.to_owned())) {
                missing.entry(code.id()).or_default().push(format);
            }
        }
    }
    let missing: BTreeMap<&str, String> = missing.into_iter().map(|(code, formats)| (code, formats.join(" "))).collect();
    let excused = NOT_SHOWN.iter().map(|(code, formats, _)| (*code, (*formats).to_owned())).collect();
    assert_eq!(missing, excused, "each code has a fixture in each format, or a reason in NOT_SHOWN");
}

/// A store whose disk fails, or whose file another program changes, at some offset.
#[derive(Debug)]
struct Faulty {
    bytes: Vec<u8>,
    /// What cannot be read.
    bad: Range<u64>,
    changed: bool,
}

impl ReadAt for Faulty {
    fn len(&self) -> io::Result<u64> {
        ReadAt::len(&self.bytes)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset + buffer.len() as u64;
        if offset < self.bad.end && self.bad.start < end {
            return Err(io::Error::other("a bad sector"));
        }
        self.bytes.read_exact_at(buffer, offset)
    }

    fn was_changed(&self) -> io::Result<bool> {
        Ok(self.changed)
    }
}

/// A scan of a store in whose file something happens after it was opened.
fn scanned(faulty: Faulty) -> (Vec<String>, Outcome) {
    let store = Store::open(Arc::new(faulty.bytes.clone()), 8 << 20).map(Arc::new);
    let file: Arc<dyn ReadAt> = Arc::new(faulty);
    let (found, outcome) = scan_opened(&file, store.as_deref());
    (found.iter().map(ToString::to_string).collect(), outcome)
}

#[test]
fn a_file_that_was_changed_meanwhile_is_told() {
    for format in Format::ALL {
        let bytes = forge::store(format, Cipher::None, &forge::recipe("every-format"));
        let (found, outcome) = scanned(Faulty { bytes, bad: 0..0, changed: true });
        assert!(found.iter().any(|line| line.starts_with("!! H21 ")), "{found:?}");
        assert_eq!(outcome.verdict, Verdict::Errors);
    }
}

#[test]
fn a_disk_that_fails_ends_the_scan_with_its_place() {
    for format in Format::ALL {
        let bytes = forge::store(format, Cipher::None, &forge::recipe("every-format"));
        let first = format.layout().amap_first;
        let bad = first + 8 * format.layout().page_bytes as u64;
        let (found, outcome) = scanned(Faulty { bytes, bad: bad..bad + 512, changed: false });
        assert_eq!(outcome.verdict, Verdict::Failed);
        let told = found.iter().find(|line| line.starts_with("!! H22 offset 0x")).unwrap_or_else(|| panic!("{found:?}"));
        assert!(told.ends_with("(a bad sector)"), "{told}");
    }
}

/// The first free map stands 31 MiB behind the beginning: no small fixture has one.
#[test]
fn a_damaged_free_map_is_found() {
    let recipe =
        Recipe::parse("store \"Free maps\" seed=3\nfolder Inbox role=inbox\n  note subject=\"Large\"\n    attach large.bin size=33m\n");
    for format in [Format::Ansi, Format::Unicode] {
        let whole = forge::store(format, Cipher::None, &recipe);
        assert_eq!(expectation(whole.clone()), "No errors were found\n");
        let mut damaged = whole;
        damaged[0x1f0_4800 + 100] ^= 1;
        assert_eq!(expectation(damaged), "Only minor inconsistencies were found\n  ?? P20\n");
    }
}

/// Without header and trees the blocks are found by their trailers, and what is wrong with them is told all the same.
#[test]
fn a_damaged_block_is_told_of_a_store_whose_trees_are_lost() {
    for (format, cipher, mut bytes) in forge::damaged_all("block-crc-wrong", &mut forge::store) {
        let told = |findings: &[Finding]| {
            let found = findings.iter().find(|finding| finding.code == Code::BlockCrc);
            found.map(|finding| (finding.place.bid, finding.place.nid, finding.victim.clone()))
        };
        let before = told(&scan(bytes.clone()).0);
        bytes[..600].fill(0);
        assert!(before.is_some());
        assert_eq!(told(&scan(bytes).0), before, "{}", variant_name(format, cipher));
    }
}
