//! Stores that the builders write: whole, exact, and the same in every format and encryption.

mod support;

use std::sync::Arc;

use support::{audit, census, forge};

/// Two variants of one mailbox differ in how it is stored, not in what is stored.
#[test]
fn every_format_and_encryption_holds_the_same_mailbox() {
    let recipe = forge::recipe("every-format");
    let mut first: Option<Vec<String>> = None;
    for (format, cipher) in forge::variants() {
        let store = census::open(forge::store(format, cipher, &recipe));
        let lines = census::lines(&store);
        assert_eq!(store.ndb().notes().findings(), [], "{}", forge::variant_name(format, cipher));
        assert!(lines.len() > 20);
        match &first {
            Some(first) => assert_eq!(&lines, first, "{}", forge::variant_name(format, cipher)),
            None => first = Some(lines),
        }
    }
}

/// CRCs, counts, maps, counters: the laws of `tests/support/audit.rs` hold for every recipe in every variant it is for.
#[test]
fn every_forged_store_is_exact() {
    for name in forge::names("healthy") {
        let recipe = forge::recipe(&name);
        for (format, cipher) in forge::wanted(&recipe) {
            let faults = audit::faults(Arc::new(forge::store(format, cipher, &recipe)));
            assert_eq!(faults, Vec::<String>::new(), "{name} {}", forge::variant_name(format, cipher));
        }
    }
}

#[test]
fn the_same_recipe_gives_the_same_bytes() {
    let recipe = forge::recipe("every-format");
    for (format, cipher) in forge::variants() {
        assert!(forge::store(format, cipher, &recipe) == forge::store(format, cipher, &recipe));
    }
}
