//! The damages of everyday life, each on stores whose items are all unlike each other: every item whose own blocks are
//! whole is shown to the letter, before a repair and after it, and nothing is shown that neither was there nor says what is
//! wrong with it: in all formats, with several ciphers, where chance decides with several seeds.
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

use std::collections::BTreeSet;
use std::sync::Arc;

use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::format::id::Nid;
use pstfs::progress::Progress;
use pstfs::recover::open_source;
use pstfs::repair::Options;
use pstfs::tree::{Tree, View};
use support::everyday::{DAMAGES, Whole, documents};
use support::laws::repaired;

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

/// A repaired message has a note of what it lost: an attachment of this name, or this text where it has no other.
const NOTES: [&str; 2] = ["What is missing.txt", "has been repaired. What is lost of it"];

/// What came of one damage: items that are whole, and how many of them a reader is shown, before a repair and after it.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    intact: usize,
    shown: usize,
    repaired: usize,
}

/// All documents that a store shows, live or found by a search.
fn shown(whole: &Whole, name: &str, bytes: Vec<u8>) -> BTreeSet<Vec<u8>> {
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
        let noted = || NOTES.iter().any(|note| String::from_utf8_lossy(&plain).contains(note));
        assert!(
            was_there || !said.is_empty() || damage().is_some() || noted(),
            "{:?} {name}: {path} was never there and says nothing",
            whole.format
        );
        shown.insert(plain);
    }
    shown
}

fn judge(whole: &Whole, name: &str, bytes: Vec<u8>) -> Score {
    let intact = whole.intact(&bytes);
    let after = shown(whole, name, repaired(&bytes, Options::default()).unwrap());
    let before = shown(whole, name, bytes);
    let count = |there: &BTreeSet<Vec<u8>>, when| {
        let (shown, lacks): (Vec<&Nid>, Vec<&Nid>) = intact.iter().partition(|nid| there.contains(&whole.documents[*nid]));
        for nid in lacks {
            let subject = String::from_utf8_lossy(&whole.documents[nid]).lines().nth(1).unwrap().to_owned();
            println!("{:?} {name}: {subject} is whole and not shown {when}", whole.format);
        }
        shown.len()
    };
    Score { intact: intact.len(), shown: count(&before, "before"), repaired: count(&after, "after a repair") }
}

fn all(format: Format, ciphers: &[Cipher]) {
    for cipher in ciphers {
        let whole = Whole::new(format, *cipher);
        assert_eq!(whole.documents.len(), 120);
        for (name, damage) in DAMAGES {
            let scores: Vec<Score> = whole.damaged(name, damage).into_iter().map(|bytes| judge(&whole, name, bytes)).collect();
            let told = format!("{format:?} {} {name}: {scores:?}", cipher.name());
            println!("{told}");
            assert!(scores.iter().all(|score| score.intact > 0 && score.shown == score.intact && score.repaired == score.intact), "{told}");
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
