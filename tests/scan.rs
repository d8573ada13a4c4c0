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

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use support::forge::{self, Recipe, variant_name};
use support::scan::expectation;

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

/// What a fixture's scans give, variants with the same in one paragraph.
fn found(name: &str, bases: &mut Bases) -> String {
    let edits = Recipe::read(&forge::fixtures().join("damaged").join(name).join("edits"));
    let base = edits.line("base").unwrap().arg(0).to_owned();
    let mut forge = |format, cipher, recipe: &Recipe| bases.get(&base, format, cipher, recipe);
    let mut paragraphs: Vec<(Vec<String>, String)> = Vec::new();
    for (format, cipher, bytes) in forge::damaged_all(name, &mut forge) {
        let text = expectation(bytes.clone());
        assert_eq!(text, expectation(bytes), "{name}: a second scan finds the same");
        let variant = variant_name(format, cipher);
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
    let mut wrong = Vec::new();
    // For one who works on a fixture: `ONLY=part-of-its-name`.
    let only = std::env::var("ONLY").unwrap_or_default();
    for name in forge::names("damaged").into_iter().filter(|name| name.contains(&only)) {
        let found = found(&name, &mut bases);
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
                // A folder without a name, likewise.
                "unusual-names" => "No errors were found\n  -- M06 node 0x8142 property 0x3001\n",
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

/// The first free map stands 31 MiB behind the beginning: no small fixture has one.
#[test]
fn a_damaged_free_map_is_found() {
    let recipe =
        Recipe::parse("store \"Free maps\" seed=3\nfolder Inbox role=inbox\n  note subject=\"Large\"\n    attach large.bin size=33m\n");
    let whole = forge::store(Format::Unicode, Cipher::None, &recipe);
    assert_eq!(expectation(whole.clone()), "No errors were found\n");
    let mut damaged = whole;
    damaged[0x1f0_4800 + 100] ^= 1;
    assert_eq!(expectation(damaged), "Only minor inconsistencies were found\n  ?? P20\n");
}
