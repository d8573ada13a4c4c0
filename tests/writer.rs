//! Stores that the builders write: whole, exact, and the same in every format and encryption.

#![allow(clippy::as_conversions, clippy::disallowed_methods, clippy::arithmetic_side_effects, reason = "tests: a mistake shows at once")]

mod support;

use std::sync::Arc;

use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::format::id::Nid;
use pstfs::ltp::value::Value;
use pstfs::store::props::Key;
use pstfs::store::write::PropertyKey;
use pstfs::store::{Which, tags};

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

/// A value of every type comes back as it was given, in the heap, in a subnode or in the record itself.
#[test]
fn every_property_type_is_read_back() {
    let given = forge::all_types();
    assert!(given.iter().count() > 40);
    for (format, cipher) in forge::wanted(&forge::recipe("every-property-type")) {
        let store = census::open(forge::store(format, cipher, &forge::recipe("every-property-type")));
        let folder = *store.subfolders(store.ipm_subtree()).unwrap().last().unwrap();
        let row = &store.contents(folder, Which::Normal).unwrap()[0];
        let props = store.item(store.locate(row.nid).unwrap()).unwrap().props;
        for (key, kind, value) in given.iter() {
            let PropertyKey::Id(id) = key else { panic!("a name") };
            let expected = if format == Format::Ansi { in_1252(value) } else { value.clone() };
            assert_eq!(census::loaded(&store, props.value(Key::Id(*id)).unwrap()), expected, "{id:04x} {kind:?} {format:?}");
        }
        let words = props.texts(Key::Name(tags::PS_PUBLIC_STRINGS, "Keywords"));
        assert_eq!(words, ["Red category", "Wichtig", ""]);
    }
}

/// A string as an ANSI store has it.
fn in_1252(value: &Value) -> Value {
    match value {
        Value::Unicode(text) => Value::String8(text.chars().map(|char| if u32::from(char) < 256 { char as u8 } else { b'?' }).collect()),
        Value::Multi(values) => Value::Multi(values.iter().map(in_1252).collect()),
        other => other.clone(),
    }
}

/// What was deleted is in no table and no tree; its bytes are in the file, and so is a page that named it.
#[test]
fn deleted_messages_leave_their_bytes_behind() {
    let recipe = forge::recipe("deleted-messages");
    let bytes = forge::store(Format::Unicode, Cipher::None, &recipe);
    let holds = |text: &str| {
        let wanted: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        bytes.windows(wanted.len()).any(|window| window == wanted)
    };
    assert!(holds("kept 3") && holds("deleted 3") && holds("gone 3.bin"));
    let store = census::open(bytes.clone());
    let lines = census::lines(&store);
    assert_eq!(lines.iter().filter(|line| line.contains("IPM.Note flags")).count(), 6);
    assert!(!lines.iter().any(|line| line.contains("Deleted 3") || line.contains("gone")));
    let stale = bytes.chunks(512).filter(|page| page[496..498] == [0x81, 0x81]).count();
    let mut live = 0;
    store
        .ndb()
        .visit_nodes(&mut |_| {
            live += 1;
            true
        })
        .unwrap();
    assert!(stale > 2 * (live / 15), "{stale} pages of nodes for {live} nodes: older ones are there");
}

/// Outlook lets the tables of empty folders share one block; so does the builder.
#[test]
fn empty_folders_share_the_templates_block() {
    let recipe = forge::Recipe::parse("store Many\nrepeat 300\n  folder \"Folder {n}\"\n");
    let store = census::open(forge::store(Format::Unicode, Cipher::Permute, &recipe));
    let template = store.ndb().node(Nid(0x60e)).unwrap().unwrap();
    assert!(store.ndb().block_entry(template.data).unwrap().references > 300);
}

/// Sizes on both sides of every limit: heap item, block, XBLOCK, XXBLOCK; compressed where that is done.
#[test]
fn attachments_of_every_size_come_back_whole() {
    for (format, xblock) in [(Format::Ansi, 2043 * 8180), (Format::Unicode, 1021 * 8176), (Format::Unicode4k, 65512)] {
        let block = format.layout().data_max_bytes as u64;
        let sizes = [0, 1, 3580, 3581, block, block + 1, 2 * block, xblock, xblock + 1];
        let lines: Vec<String> = sizes.iter().map(|size| format!("    attach {size}.bin size={size}")).collect();
        let recipe = format!("store Sizes\nfolder Inbox\n  note subject=x\n{}\n", lines.join("\n"));
        let store = census::open(forge::store(format, Cipher::Permute, &forge::Recipe::parse(&recipe)));
        let folder = *store.subfolders(store.ipm_subtree()).unwrap().last().unwrap();
        let row = &store.contents(folder, Which::Normal).unwrap()[0];
        let item = store.item(store.locate(row.nid).unwrap()).unwrap();
        let found: Vec<String> = item.attachments.iter().map(|attachment| census::content_line(&store, &attachment.content)).collect();
        for (size, line) in sizes.iter().zip(&found) {
            assert!(line.starts_with(&format!("bytes {size} ")), "{format:?} {size}: {line}");
        }
        assert_eq!(store.ndb().notes().findings(), []);
    }
}

/// Damage is done, where it was meant, and nowhere else: an edit changes one structure.
#[test]
fn damage_is_done_where_it_was_meant() {
    for name in forge::names("damaged") {
        let edits = forge::Recipe::read(&forge::fixtures().join("damaged").join(&name).join("edits"));
        let base = edits.line("base").unwrap();
        let (format, cipher) = forge::variant(base.arg(1));
        let (healthy, damaged) = (forge::store(format, cipher, &forge::recipe(base.arg(0))), forge::damaged(&name));
        assert_eq!(damaged, forge::damaged(&name), "{name}: the same bytes each time");
        assert_ne!(healthy, damaged, "{name}");
        // Properties and rows are changed by the store's own writers, which write all that leads to them anew.
        let writes_anew = edits.lines.iter().any(|line| ["props", "row", "shrink"].contains(&line.word.as_str()));
        if edits.lines.len() == 2 && healthy.len() == damaged.len() && !writes_anew {
            let changed: Vec<usize> = (0..healthy.len()).filter(|at| healthy[*at] != damaged[*at]).collect();
            let spread = changed.last().map_or(0, |last| last - changed[0]);
            assert!((1..format.layout().block_max_bytes).contains(&(spread + changed.len())), "{name}: {spread}");
        }
    }
}
