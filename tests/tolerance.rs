//! What Outlook and other readers forgive, a store shows all the same: every document, and a finding or none.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::sync::Arc;

use pstfs::damage::Error;
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::format::header::{Client, Header};
use pstfs::ndb::Ndb;
use pstfs::store::Store;
use pstfs::tree::{Tree, View};
use support::edit::Patient;
use support::forge;
use support::walk::{Seen, walk};

fn forged(format: Format, cipher: Cipher) -> Vec<u8> {
    forge::store(format, cipher, &forge::recipe("every-format"))
}

/// Everything that a store shows, and the ids of what was noted.
fn seen(bytes: Vec<u8>) -> (Seen, Vec<&'static str>) {
    let store = Arc::new(Store::open(Arc::new(bytes), 4 << 20).unwrap());
    let tree = Tree::new(Arc::clone(&store), View { all_folders: true, ..View::default() }, 4 << 20);
    let seen = walk(&tree);
    let mut codes: Vec<_> = store.ndb().notes().findings().iter().map(|finding| finding.code.id()).collect();
    codes.dedup();
    (seen, codes)
}

/// The store shows what the healthy one shows after its header was changed, and notes exactly these findings.
fn forgives(format: Format, cipher: Cipher, change: impl FnOnce(&mut Header), noted: &[&str]) {
    let whole = forged(format, cipher);
    let mut patient = Patient::new(whole.clone());
    patient.header(change);
    assert_eq!(seen(patient.bytes), (seen(whole).0, noted.to_vec()), "{format:?}");
}

#[test]
fn every_version_of_a_variant_opens() {
    for (format, versions) in [(Format::Ansi, [14, 15]), (Format::Unicode, [21, 23]), (Format::Unicode4k, [36, 37])] {
        for version in versions {
            forgives(format, Cipher::Permute, |header| header.version = version, &[]);
        }
    }
}

#[test]
fn personal_offline_and_address_book_stores_open() {
    for client in [Client::PST, Client::OST, Client::PAB] {
        forgives(Format::Unicode, Cipher::Permute, |header| header.client = client, &[]);
    }
    forgives(Format::Unicode, Cipher::Permute, |header| header.client = Client(*b"XX"), &["H02"]);
}

#[test]
fn a_root_id_off_by_one_a_dirty_flag_and_a_password_hide_nothing() {
    for format in Format::ALL {
        forgives(format, Cipher::Cyclic, |header| header.root.nodes.bid.0 += 1, &["P04"]);
        forgives(format, Cipher::Cyclic, |header| header.root.amap_valid = 0, &["H13"]);
    }
    let text = std::fs::read_to_string(forge::fixtures().join("healthy/every-format/recipe")).unwrap();
    let locked = forge::Recipe::parse(&text.replace("seed=7", "seed=7 password=secret"));
    let bytes = forge::store(Format::Unicode, Cipher::Permute, &locked);
    assert!(Store::open(Arc::new(bytes.clone()), 4 << 20).unwrap().password_crc().is_some(), "the recipe sets a password");
    assert_eq!(seen(bytes), (seen(forged(Format::Unicode, Cipher::Permute)).0, vec![]));
}

#[test]
fn header_crcs_of_zero_or_wrong_are_noted_and_no_more() {
    for (format, noted) in [(Format::Ansi, &["H04"][..]), (Format::Unicode, &["H04", "H05"]), (Format::Unicode4k, &["H04", "H05"])] {
        for crc in [0, 0xdead_beef_u32] {
            let whole = forged(format, Cipher::None);
            let mut bytes = whole.clone();
            bytes.splice(4..8, crc.to_le_bytes());
            if format != Format::Ansi {
                bytes.splice(524..528, crc.to_le_bytes());
            }
            assert_eq!(seen(bytes), (seen(whole).0, noted.to_vec()), "{format:?}");
        }
    }
}

#[test]
fn a_file_longer_or_shorter_than_its_header_says_is_read_as_far_as_it_goes() {
    for format in Format::ALL {
        let whole = forged(format, Cipher::Permute);
        let shown = seen(whole.clone()).0;
        let longer = [whole.clone(), vec![0x55; 5000]].concat();
        assert_eq!(seen(longer), (seen(whole.clone()).0, vec!["H08"]), "{format:?}");
        // What lies behind the last page and block is free space.
        let last = whole.iter().rposition(|byte| *byte != 0).unwrap();
        let shorter = whole[..(last + 1).next_multiple_of(format.layout().page_bytes)].to_vec();
        assert!(shorter.len() < whole.len());
        assert_eq!(seen(shorter), (shown, vec!["H08"]), "{format:?}");
    }
}

/// Some writers encode their blocks and say that they did not.
#[test]
fn a_wrong_encryption_method_is_seen_from_the_data() {
    for (cipher, told) in [(Cipher::Permute, 0), (Cipher::Cyclic, 1), (Cipher::None, 2), (Cipher::Permute, 7)] {
        let whole = forged(Format::Unicode, cipher);
        let mut patient = Patient::new(whole.clone());
        patient.header(|header| header.crypt_method = told);
        assert_eq!(Ndb::open(Arc::new(patient.bytes.clone()), 1 << 20).unwrap().cipher(), cipher);
        assert_eq!(seen(patient.bytes).0, seen(whole).0, "{cipher:?} told as {told}");
    }
}

#[test]
fn a_store_that_windows_encrypts_is_refused_in_words() {
    let mut patient = Patient::new(forged(Format::Unicode, Cipher::None));
    patient.header(|header| header.crypt_method = 0x10);
    let error = Store::open(Arc::new(patient.bytes), 4 << 20).unwrap_err();
    assert!(matches!(&error, Error::Unsupported(why) if why.contains("Windows Information Protection")), "{error}");
}
