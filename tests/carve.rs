//! Stores inside other files: whole ones, cut ones, and parts without a beginning.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use pstfs::disk::ReadAt;
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::progress::Progress;
use pstfs::recover::{Carved, carve};
use pstfs::store::Store;
use pstfs::tree::{Ino, Kind, Tree, View};
use support::forge;

const SECTOR: usize = 512;

fn store(format: Format, cipher: Cipher, name: &str) -> Vec<u8> {
    let recipe = format!(
        "store \"{name}\" seed={}\nfolder Inbox class=IPF.Note role=inbox\n  repeat 30\n    note subject=\"{name} {{n}}\" \
         from=\"A <a@example.com>\" body=\"of {name}, {{n}}\"\n      attach \"{name} {{n}}.bin\" size=9000\n",
        name.len()
    );
    forge::store(format, cipher, &forge::Recipe::parse(&recipe))
}

/// Bytes that mean nothing.
fn noise(sectors: usize, seed: u64) -> Vec<u8> {
    forge::Random::new(seed).bytes(sectors * SECTOR)
}

fn image(parts: &[&[u8]]) -> Arc<dyn ReadAt> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(part);
        bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
    }
    Arc::new(bytes)
}

fn carved(image: &Arc<dyn ReadAt>) -> Vec<Carved> {
    let mut found = Vec::new();
    carve(image, 1 << 20, &Progress::default(), &mut |carved| {
        found.push(carved);
        Ok(())
    })
    .unwrap();
    found
}

/// Every document of a store.
fn documents(store: &Arc<Store>) -> BTreeSet<Vec<u8>> {
    let tree = Tree::new(Arc::clone(store), View::default(), 8 << 20);
    let mut documents = BTreeSet::new();
    let mut waiting = vec![Ino::ROOT];
    while let Some(folder) = waiting.pop() {
        for entry in &tree.list(folder).unwrap().entries {
            match entry.kind {
                Kind::Directory => waiting.push(entry.ino),
                Kind::File => drop(documents.insert(tree.read(&tree.open(entry.ino).unwrap(), 0, 1 << 20).unwrap())),
            }
        }
    }
    documents
}

/// How many documents of a store are among these, with their subject, text and attachment; tables may be lost, and the place.
fn readable(found: &BTreeSet<Vec<u8>>, whole: &BTreeSet<Vec<u8>>) -> usize {
    let text = |document: &Vec<u8>| String::from_utf8(document.clone()).unwrap();
    let found: Vec<String> = found.iter().map(text).collect();
    let is_there = |document: &&Vec<u8>| {
        let document = text(document);
        let subject = document.lines().find(|line| line.starts_with("Subject: ")).unwrap();
        let body = document.lines().find(|line| line.starts_with("of ")).unwrap();
        let content = document.split("\n\n").max_by_key(|part| part.len()).unwrap().split("\n--").next().unwrap();
        assert!(content.len() > 9000);
        let has =
            |other: &&String| [subject, body].iter().all(|wanted| other.lines().any(|line| line == *wanted)) && other.contains(content);
        found.iter().any(|other| has(&other))
    };
    whole.iter().filter(is_there).count()
}

fn opened(bytes: &[u8]) -> Arc<Store> {
    Arc::new(Store::open(Arc::new(bytes.to_vec()), 1 << 20).unwrap())
}

#[test]
fn whole_stores_are_found_at_any_sector() {
    let one = store(Format::Unicode, Cipher::Permute, "First");
    let two = store(Format::Ansi, Cipher::Cyclic, "Second one");
    let image = image(&[&noise(77, 1), &one, &noise(3, 2), &two, &noise(50, 3)]);
    let found = carved(&image);
    let starts: Vec<(i64, bool)> = found.iter().map(|carved| (carved.start, carved.is_whole)).collect();
    let second = (77 * SECTOR + one.len().next_multiple_of(SECTOR) + 3 * SECTOR) as i64;
    assert_eq!(starts, [(77 * SECTOR as i64, true), (second, true)]);
    assert_eq!(documents(&found[0].store), documents(&opened(&one)));
    assert_eq!(documents(&found[1].store), documents(&opened(&two)));
}

#[test]
fn a_store_without_its_beginning_is_found_by_its_maps() {
    for (format, cut) in [(Format::Unicode, 0x4400), (Format::Ansi, 0x4400), (Format::Unicode4k, 0x22000)] {
        let whole = store(format, Cipher::Permute, "Headless");
        let image = image(&[&noise(5, 4), &whole[cut..], &noise(9, 5)]);
        let found = carved(&image);
        assert_eq!(found.len(), 1, "{format:?}");
        assert_eq!((found[0].start, found[0].is_whole), (5 * SECTOR as i64 - cut as i64, false));
        let (all, expected) = (documents(&found[0].store), documents(&opened(&whole)));
        let same = all.intersection(&expected).count();
        assert_eq!(same, expected.len(), "{format:?}");
    }
}

#[test]
fn a_store_that_is_cut_off_gives_what_is_left() {
    let whole = store(Format::Unicode, Cipher::Permute, "Cut");
    let image = image(&[&noise(8, 6), &whole[..whole.len() / 2 / SECTOR * SECTOR]]);
    let found = carved(&image);
    assert_eq!((found.len(), found[0].start, found[0].is_whole), (1, 8 * SECTOR as i64, false));
    let (all, expected) = (documents(&found[0].store), documents(&opened(&whole)));
    let same = readable(&all, &expected);
    println!("{same} of {} documents of the whole store, {} in all", expected.len(), all.len());
    // Blocks stand in the order of the items: half of the file holds near to half of these.
    assert!(same * 3 >= expected.len() * 2 && all.len() <= expected.len(), "{same} of {}", expected.len());
}

/// Without its beginning and without any map: nothing but blocks tells where the store began.
#[test]
fn a_part_without_any_map_is_found_by_its_blocks() {
    for (format, cipher) in [(Format::Unicode, Cipher::Permute), (Format::Ansi, Cipher::Cyclic), (Format::Unicode4k, Cipher::Permute)] {
        let whole = store(format, cipher, "Pieces");
        let layout = format.layout();
        let (from, to) = (layout.amap_first as usize + 0x2000, whole.len().min((layout.amap_first + layout.amap_coverage) as usize));
        let image = image(&[&noise(11, 9), &whole[from..to], &noise(30, 10)]);
        let found = carved(&image);
        assert_eq!(found.len(), 1, "{format:?}");
        assert!(!found[0].is_whole);
        let (all, expected) = (documents(&found[0].store), documents(&opened(&whole)));
        let same = readable(&all, &expected);
        println!("{format:?}: {same} of {} documents, {} in all", expected.len(), all.len());
        assert!(same * 3 >= expected.len() * 2 && all.len() <= expected.len(), "{format:?}: {same} of {}", expected.len());
    }
}

/// An image with two whole stores, one that is cut off, and a part of which neither header nor map is left.
fn mixed() -> (Arc<Vec<u8>>, [Vec<u8>; 4]) {
    let stores = [
        store(Format::Unicode, Cipher::Permute, "First"),
        store(Format::Ansi, Cipher::Cyclic, "Second one"),
        store(Format::Unicode, Cipher::None, "The cut one"),
        store(Format::Unicode, Cipher::Permute, "In pieces only"),
    ];
    let cut = stores[2].len() / 2 / SECTOR * SECTOR;
    let piece = Format::Unicode.layout().amap_first as usize + 0x2000;
    let mut bytes = Vec::new();
    for part in [&noise(77, 1), &stores[0], &noise(3, 2), &stores[1], &noise(50, 3), &stores[3][piece..piece + 0x3_0000]] {
        bytes.extend_from_slice(part);
        bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
    }
    bytes.extend_from_slice(&noise(9, 4));
    bytes.extend_from_slice(&stores[2][..cut]);
    (Arc::new(bytes), stores)
}

/// The files below a folder but for the manifests.
fn files(dir: &Path) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.file_name().unwrap() != ".pstfs-export.jsonl" {
            found.insert(std::fs::read(path).unwrap());
        }
    }
    found
}

fn export(args: &[&str], image: &Path, to: &Path) -> (i32, String, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_pstfs")).args(["export", "--carve"]).args(args).args([image, to]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (run.status.code().unwrap(), text(&run.stdout), text(&run.stderr))
}

#[test]
fn the_command_line_exports_each_store_of_an_image() {
    let (bytes, stores) = mixed();
    let place = tempfile::tempdir().unwrap();
    let (image, to) = (place.path().join("disk.img"), place.path().join("found"));
    std::fs::write(&image, &*bytes).unwrap();
    let (code, out, err) = export(&[], &image, &to);
    assert_eq!(code, 4, "parts of stores are not all of them: {out}{err}");
    let expected = stores.each_ref().map(|store| documents(&opened(store)));
    for (number, whole) in [(1, &expected[0]), (2, &expected[1])] {
        assert!(&files(&to.join(format!("store-{number}"))) == whole, "store {number}: {out}{err}");
    }
    for (number, whole) in [(3, &expected[2]), (4, &expected[3])] {
        let found = files(&to.join(format!("store-{number}")));
        let same = readable(&found, whole);
        println!("store-{number}: {same} of {} documents, {} in all", whole.len(), found.len());
        assert!(same * 2 >= whole.len() && found.len() <= whole.len(), "store {number}: {same} of {}: {out}{err}", whole.len());
    }
    assert!(!to.join("store-5").exists());
    let manifest = std::fs::read_to_string(to.join("store-1/.pstfs-export.jsonl")).unwrap();
    let first: serde_json::Value = serde_json::from_str(manifest.lines().next().unwrap()).unwrap();
    let (start, end) = (77 * SECTOR, 77 * SECTOR + stores[0].len());
    assert_eq!(first["origin"], serde_json::json!({"start": start, "from": start, "to": end, "whole": true}));
    assert_eq!(std::fs::read(&image).unwrap(), *bytes, "looking changes nothing");

    // Again: all is there already, and JSON tells the same.
    let (code, out, _) = export(&["--json", "-q"], &image, &to);
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let carved: Vec<_> = lines.iter().filter(|line| line["type"] == "carved").map(|line| line["whole"].as_bool().unwrap()).collect();
    assert_eq!((code, carved), (4, vec![true, true, false, false]));
    let end = lines.last().unwrap();
    assert_eq!((&end["type"], &end["exit"]), (&"end".into(), &4.into()));
    assert!(end["counts"]["unchanged"].as_u64().unwrap() > 0 && end["counts"]["unchanged"] == end["counts"]["rows"], "{end}");
    let items = lines.iter().filter(|line| line["type"] == "exported");
    assert!(items.into_iter().all(|line| to.join(line["path"].as_str().unwrap()).is_file()));
}

#[test]
fn an_image_of_whole_stores_alone_ends_well_and_one_of_none_fails() {
    let place = tempfile::tempdir().unwrap();
    let (image, to) = (place.path().join("disk.img"), place.path().join("found"));
    let one = store(Format::Ansi, Cipher::Permute, "Only");
    std::fs::write(&image, [noise(4, 20), one.clone(), noise(4, 21)].concat()).unwrap();
    for format in ["eml", "mbox", "maildir", "thunderbird"] {
        let to = place.path().join(format);
        let (code, out, err) = export(&["--format", format], &image, &to);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        assert!(to.join("store-1/.pstfs-export.jsonl").is_file());
    }
    std::fs::write(&image, noise(500, 22)).unwrap();
    let (code, out, err) = export(&[], &image, &to);
    assert_eq!((code, out.as_str()), (8, ""));
    assert!(err.ends_with("disk.img: no store, and no part of one, was found in it\n"), "{err}");
    assert!(!to.exists(), "no folder is made for nothing");
    assert_eq!(export(&["--hash"], &image, &to).0, 16);
    assert_eq!(export(&[], &place.path().join("missing"), &to).0, 8);
}

/// A device of the system, as a disk is one.
#[test]
fn stores_are_found_on_a_device() {
    let place = tempfile::tempdir().unwrap();
    let (image, to) = (place.path().join("disk.img"), place.path().join("found"));
    let one = store(Format::Unicode, Cipher::Permute, "On a disk");
    let mut bytes = [noise(8, 23), one.clone()].concat();
    bytes.resize(bytes.len().next_multiple_of(4096), 0);
    std::fs::write(&image, bytes).unwrap();
    let run = Command::new("losetup").args(["--find", "--show", "--read-only"]).arg(&image).output();
    let Some(run) = run.ok().filter(|run| run.status.success()) else {
        println!("skipped: no loop device can be made here");
        return;
    };
    let device = String::from_utf8(run.stdout).unwrap().trim().to_owned();
    let (code, out, err) = export(&[], Path::new(&device), &to);
    assert!(Command::new("losetup").args(["--detach", &device]).status().unwrap().success());
    assert_eq!(code, 0, "{out}{err}");
    assert!(files(&to.join("store-1")) == documents(&opened(&one)));
}

#[test]
fn noise_holds_nothing() {
    assert!(carved(&image(&[&noise(4000, 7)])).is_empty());
    assert!(carved(&image(&[])).is_empty());
    // Headers that lead nowhere.
    let header = &store(Format::Unicode, Cipher::Permute, "Header")[..SECTOR];
    assert!(carved(&image(&[header, header, &noise(40, 8), header])).is_empty());
}
