//! Stores inside other files: whole ones, cut ones, and parts without a beginning.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod support;

use std::collections::BTreeSet;
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
    assert!(found[0].store.ndb().maps().is_some_and(|maps| maps.blocks().len() > 20));
}

#[test]
fn noise_holds_nothing() {
    assert!(carved(&image(&[&noise(4000, 7)])).is_empty());
    assert!(carved(&image(&[])).is_empty());
    // Headers that lead nowhere.
    let header = &store(Format::Unicode, Cipher::Permute, "Header")[..SECTOR];
    assert!(carved(&image(&[header, header, &noise(40, 8), header])).is_empty());
}
