//! Stores made whole: after a repair a scan finds nothing but what the plan said it would leave, a second plan is empty,
//! and whatever could be read before can be read after.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use pstfs::damage::Finding;
use pstfs::disk::ReadAt;
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::format::id::{Nid, NodeType};
use pstfs::repair::{Options, plan};
use pstfs::store::{Store, tags};
use pstfs::tree::{Tree, View};
use support::forge::{self, Recipe, variant_name};
use support::laws::{Shown, documents, laws, mended, open, serious};
use support::scan::scan;

/// Fixtures whose damage is that of objects alone.
fn cases() -> Vec<(String, String, Vec<u8>)> {
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut bases: HashMap<(String, String), Vec<u8>> = HashMap::new();
    let mut cases = Vec::new();
    for name in forge::names("damaged").into_iter().filter(|name| name.contains(&only)) {
        let path = forge::fixtures().join("damaged").join(&name).join("expect.scan");
        let expected = std::fs::read_to_string(path).unwrap_or_default();
        let codes: Vec<char> = expected.lines().filter_map(|line| line.strip_prefix("  ")?.chars().nth(3)).collect();
        if !codes.iter().any(|code| "LTMNB".contains(*code)) {
            continue;
        }
        let edits = Recipe::read(&forge::fixtures().join("damaged").join(&name).join("edits"));
        let base = edits.line("base").unwrap().arg(0).to_owned();
        let mut forge = |format, cipher, recipe: &Recipe| {
            let key = (base.clone(), variant_name(format, cipher));
            bases.entry(key).or_insert_with(|| forge::store(format, cipher, recipe)).clone()
        };
        let damaged: Vec<_> = forge::damaged_all(&name, &mut forge).collect();
        for (format, cipher, bytes) in damaged {
            cases.push((name.clone(), variant_name(format, cipher), bytes));
        }
    }
    cases
}

/// Whether all that is serious is of objects: what lies below them is mended by others.
fn is_of_objects(findings: &[Finding]) -> bool {
    let trees = ["B10", "B11", "B13", "B14", "B15", "B16", "B17"];
    let low = |finding: &Finding| {
        let id = finding.code.id();
        id == "N01" || id.starts_with(['H', 'P']) || id.starts_with('B') && !(trees.contains(&id) && finding.place.nid.is_some())
    };
    !serious(findings).iter().any(low)
}

fn hold(options: Options) {
    let mut wrong = Vec::new();
    let mut table: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, variant, bytes) in cases() {
        if variant.starts_with("4k") && std::env::var_os("NO4K").is_some() {
            continue;
        }
        if !is_of_objects(&scan(bytes.clone()).0) {
            table.entry(name).or_default().push(format!("{variant} has other damage too"));
            continue;
        }
        println!("{name} {variant}");
        let broken = laws(&bytes, options);
        table.entry(name.clone()).or_default().push(format!("{variant} {}", if broken.is_empty() { "whole" } else { "WRONG" }));
        if !broken.is_empty() {
            wrong.push(format!("=== {name} {variant}\n{}", broken.join("\n")));
        }
    }
    for (name, results) in &table {
        println!("{name:45} {}", results.join(", "));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn damaged_objects_are_made_whole() {
    hold(Options::default());
}

#[test]
fn oddities_go_too_when_all_is_asked_for() {
    hold(Options { thorough: true, ..Options::default() });
}

#[test]
fn nothing_is_planned_for_a_healthy_store() {
    for name in forge::names("healthy") {
        let recipe = forge::recipe(&name);
        for (format, cipher) in forge::wanted(&recipe) {
            let bytes = forge::store(format, cipher, &recipe);
            let found = scan(bytes.clone()).0;
            if !serious(&found).is_empty() {
                println!("{name} {} is not healthy", variant_name(format, cipher));
                continue;
            }
            let made = plan(&open(&bytes), &found, Options::default()).unwrap();
            assert!(made.is_empty() && made.left.is_empty(), "{name} {} {made:?}", variant_name(format, cipher));
            assert_eq!(mended(&bytes, &made), bytes);
        }
    }
}

/// A reader gives up on such a message; nothing of it is lost, so the repair brings all of it back.
#[test]
fn what_only_a_damaged_head_hid_comes_back() {
    for name in ["heap-without-signature", "heap-map-beyond-its-block", "heap-tree-with-long-keys"] {
        let base = forge::recipe("every-format");
        for (format, cipher, bytes) in forge::damaged_all(name, &mut forge::store) {
            let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
            let after = documents(&mended(&bytes, &made));
            for document in documents(&forge::store(format, cipher, &base)) {
                let there = after.iter().any(|other| (&other.path, other.crc) == (&document.path, document.crc));
                assert!(there, "{name} {}: {}", variant_name(format, cipher), document.path);
            }
        }
    }
}

/// Ids of blocks are never given out twice, so what an old page tells of a message that is lost can be believed.
#[test]
fn a_lost_message_comes_back_from_free_space() {
    let names = ["message-left-behind-its-page", "message-and-its-block-in-no-tree", "message-of-which-an-earlier-state-is-left"];
    for name in names {
        let base = forge::recipe("every-format");
        for (format, cipher, bytes) in forge::damaged_all(name, &mut forge::store) {
            let broken = laws(&bytes, Options::default());
            assert!(broken.is_empty(), "{name} {}: {}", variant_name(format, cipher), broken.join("\n"));
            let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
            let after = documents(&mended(&bytes, &made));
            for document in documents(&forge::store(format, cipher, &base)) {
                let is_it = |other: &&Shown| (&other.path, other.crc) == (&document.path, document.crc);
                let there = after.iter().any(|other| is_it(&other) || other.path == document.path && is_noted(other, &document));
                assert!(there, "{name} {}: {} {:?}", variant_name(format, cipher), document.path, made.low.steps);
            }
        }
    }
}

/// Whether a document is another one with a word on its being an earlier state.
fn is_noted(document: &Shown, other: &Shown) -> bool {
    let (text, other) = (String::from_utf8_lossy(&document.bytes), String::from_utf8_lossy(&other.bytes));
    let lines: Vec<&str> = text.lines().collect();
    let kept = |line: &str| lines.contains(&line) || line.starts_with("Content-") || line.contains("=_pstfs_");
    text.contains("filename=\"What is missing.txt\"") && other.lines().all(kept)
}

/// Of the recipients only their names are left, in the message's own words.
#[test]
fn a_lost_list_of_recipients_is_made_anew() {
    for (format, cipher, bytes) in forge::damaged_all("subnodes-of-a-message-lost", &mut forge::store) {
        let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
        let store = open(&mended(&bytes, &made));
        let item = store.item(store.locate(Nid(0x20_0064)).unwrap()).unwrap();
        let names: Vec<_> = item.recipients.iter().map(|one| one.text(tags::DISPLAY_NAME).unwrap_or_default()).collect();
        assert_eq!(names, ["Bob Baker"], "{}", variant_name(format, cipher));
    }
}

/// Flipped bits made other properties of the columns: each repair tried anew to call the recipient `Unknown`, in no column.
#[test]
fn columns_of_names_and_addresses_with_the_ids_of_other_properties_are_these() {
    for (format, cipher, bytes) in forge::damaged_all("recipients-named-in-columns-of-other-ids", &mut forge::store) {
        let names = |bytes: &[u8]| {
            let item = open(bytes).item(open(bytes).locate(Nid(0x20_0024)).unwrap()).unwrap();
            let names: Vec<_> =
                item.recipients.iter().map(|one| [tags::DISPLAY_NAME, tags::EMAIL_ADDRESS].map(|key| one.text(key))).collect();
            (names, item.props.text(tags::DISPLAY_TO))
        };
        let healthy = forge::store(format, cipher, &forge::recipe("every-format"));
        let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
        assert_eq!(names(&mended(&bytes, &made)), names(&healthy), "{}", variant_name(format, cipher));
    }
}

/// The block was taken for another one that the search of the file had found in its place, under the flipped id: a table that a
/// mount showed was lost.
#[test]
fn a_block_with_a_flipped_id_and_wrong_bytes_is_not_another_one_in_its_place() {
    for (format, cipher, bytes) in forge::damaged_all("block-id-flipped-and-crc-wrong", &mut forge::store) {
        let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
        let steps: Vec<String> = made.low.steps.iter().map(ToString::to_string).collect();
        let said = |what: &str| steps.iter().filter(|step| step.contains(what)).count();
        assert_eq!((said("as it reads"), said("cannot be used")), (1, 0), "{}: {steps:?}", variant_name(format, cipher));
    }
}

/// The table itself stood in the file, and nothing named it: of the letter's recipients names were left, and addresses where
/// headers told them. Where two letters to the same people have lost theirs nobody knows which table is whose.
#[test]
fn a_list_of_recipients_that_nothing_names_goes_back_to_the_only_letter_to_these_people() {
    let told = |bytes: &[u8], nid: u32| {
        let store = open(bytes);
        let item = store.item(store.locate(Nid(nid)).unwrap()).unwrap();
        let own = |id: &u16| ![0x67f2, 0x67f3].contains(id);
        let row = |one: &pstfs::store::props::Props| {
            one.values().iter().filter(|(id, _)| own(id)).map(|(id, value)| format!("{id:#x} {value:?}")).collect::<Vec<_>>()
        };
        item.recipients.iter().map(row).collect::<Vec<_>>()
    };
    let one = "zero block message=\"RE: Hello\" tree=subnodes\n";
    let same = "zero block message=\"Hello\" tree=subnodes\nzero block message=\"Files\" tree=subnodes\n";
    for (format, cipher) in [(Format::Ansi, Cipher::None), (Format::Unicode, Cipher::Cyclic), (Format::Unicode4k, Cipher::Permute)] {
        let healthy = forge::store(format, cipher, &forge::recipe("every-format"));
        for (edits, nids, comes_back) in [(one, &[0x20_0044][..], true), (same, &[0x20_0024, 0x20_0064], false)] {
            let bytes = forge::edits::damaged(healthy.clone(), &Recipe::parse(edits));
            let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
            let after = mended(&bytes, &made);
            for nid in nids {
                let (before, after) = (told(&healthy, *nid), told(&after, *nid));
                assert_eq!(before.len(), after.len(), "{}: {nid:#x}", variant_name(format, cipher));
                assert_eq!(before == after, comes_back, "{}: {nid:#x}: {after:?}", variant_name(format, cipher));
            }
        }
    }
}

/// Real stores: those that are healthy stay as they are, the others come out whole.
#[test]
fn real_stores_come_out_whole() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: there is no {}", folder.display());
        return;
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut wrong = Vec::new();
    for path in paths {
        let is_small = path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() < 3 << 20);
        let Some(bytes) = is_small.then(|| std::fs::read(&path).ok()).flatten() else { continue };
        let source: Arc<dyn ReadAt> = Arc::new(bytes.clone());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if Store::open(source, 8 << 20).is_err() || !is_of_objects(&scan(bytes.clone()).0) {
            println!("{name}: more than its objects is damaged");
            continue;
        }
        println!("{name}");
        for thorough in [false, true] {
            let broken = laws(&bytes, Options { thorough, ..Options::default() });
            if !broken.is_empty() {
                wrong.push(format!("=== {name}, thorough: {thorough}\n{}", broken.join("\n")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The blocks of a message's parts, by what a user calls them, each damaged by itself.
#[test]
fn a_message_says_which_of_its_parts_may_be_wrong() {
    let base = forge::recipe("every-format");
    for format in Format::ALL {
        let healthy = forge::store(format, Cipher::None, &base);
        let files = documents(&healthy).into_iter().find(|document| document.path.ends_with("Files.eml")).unwrap();
        let nid = Nid(u32::from_str_radix(files.nid.trim_start_matches("0x"), 16).unwrap());
        let ndb = pstfs::ndb::Ndb::open(Arc::new(healthy.clone()), 1 << 20).unwrap();
        let node = ndb.node(nid).unwrap().unwrap();
        let below = ndb.subnodes(node.subnodes).unwrap();
        let attachment = below.iter().find(|entry| entry.nid.nid.kind() == NodeType::ATTACHMENT).unwrap();
        let recipients = below.iter().find(|entry| entry.nid.nid == Nid::RECIPIENT_TABLE).unwrap();
        let parts = [
            (node.data, "- its properties: a block was damaged, some of its bytes may be wrong"),
            (attachment.data, "- of note.txt: its properties: a block was damaged, some of its bytes may be wrong"),
            (recipients.data, "- the list of recipients: a block was damaged, some of its bytes may be wrong"),
        ];
        for (bid, word) in parts {
            let (mut bytes, entry) = (healthy.clone(), ndb.block_entry(bid).unwrap());
            let data = entry.block.ib.0 as usize..entry.block.ib.0 as usize + usize::from(entry.size);
            let crc = pstfs::format::checksum::crc(&bytes[data.clone()]).to_le_bytes();
            let at = data.end + bytes[data.end..].windows(4).position(|word| word == crc).unwrap();
            // Of one bit alone the CRC would tell which it was.
            bytes[at] ^= 3;
            let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
            let store = open(&mended(&bytes, &made));
            let item = store.item(store.locate(nid).unwrap()).unwrap();
            let named =
                |name: &str| item.attachments.iter().find(|one| one.props.text(tags::ATTACH_LONG_FILENAME).as_deref() == Some(name));
            let note = named("What is missing.txt").unwrap_or_else(|| panic!("{format:?} {word}: there is no note"));
            let note = String::from_utf8(note.props.bytes(tags::ATTACH_DATA).unwrap()).unwrap();
            assert!(note.lines().any(|line| line == word), "{format:?} {word}: {note}");
        }
    }
}

/// A text that is nowhere was shown as none, and nothing said that there had been one.
#[test]
fn a_text_in_a_subnode_that_is_not_there_is_told_before_and_after_the_repair() {
    for (format, cipher, bytes) in forge::damaged_all("property-in-no-subnode", &mut forge::store) {
        let long = |bytes: &[u8]| documents(bytes).into_iter().find(|document| document.path.ends_with("Long.eml")).unwrap();
        let name = variant_name(format, cipher);
        let text = String::from_utf8(long(&bytes).bytes).unwrap();
        assert!(text.contains("\nX-Pstfs-Incomplete: the text cannot be read\n"), "{name}: {text}");
        let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
        let text = String::from_utf8(long(&mended(&bytes, &made)).bytes).unwrap();
        assert!(text.contains("\n- the text\n"), "{name}: {text}");
    }
}

/// Documents by their paths.
type Texts = BTreeMap<String, String>;

fn texts(bytes: &[u8]) -> Texts {
    documents(bytes).into_iter().map(|document| (document.path, String::from_utf8(document.bytes).unwrap())).collect()
}

/// The documents of damaged stores before and after their repair, with the format and cipher of each.
fn before_and_after(fixture: &str) -> Vec<(Format, Cipher, Texts, Texts)> {
    let mut forge = forge::store;
    forge::damaged_all(fixture, &mut forge).map(repaired).collect()
}

/// The documents of a damaged store before and after its repair.
fn repaired((format, cipher, bytes): (Format, Cipher, Vec<u8>)) -> (Format, Cipher, Texts, Texts) {
    let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
    (format, cipher, texts(&bytes), texts(&mended(&bytes, &made)))
}

/// A document whose path ends so.
fn called<'d>(documents: &'d Texts, end: &str) -> &'d str {
    documents.iter().find(|(path, _)| path.ends_with(end)).unwrap_or_else(|| panic!("{end}: {:?}", documents.keys())).1
}

/// A bit of the length in a block's trailer was flipped, which made it nothing: to that length any data can be inflated.
#[test]
fn a_block_that_says_it_is_empty_keeps_its_data() {
    for (format, cipher, _, after) in before_and_after("block-that-says-it-is-empty") {
        let whole = texts(&forge::store(format, cipher, &forge::recipe("every-format")));
        assert!(after == whole, "{}", variant_name(format, cipher));
    }
}

/// Of a list whose head is wrong in what nobody needs to read its rows these were not read, and a letter of which only one of
/// them told was gone.
#[test]
fn what_only_a_row_of_a_list_with_a_wrong_head_tells_is_kept() {
    for (format, cipher, before, after) in before_and_after("list-whose-large-cells-end-behind-its-rows-and-message-gone") {
        let name = variant_name(format, cipher);
        assert!(
            called(&before, "Inbox/2024-01-01 09.01.00Z Hello.eml").contains("X-Pstfs-Incomplete: the item cannot be read: a row"),
            "{name}"
        );
        assert!(called(&after, "Inbox/2024-01-01 09.01.00Z Hello.eml").contains("Subject: Hello"), "{name}");
        assert!(after.keys().any(|path| path.contains("/Lost and Found/Inbox/")), "{name}");
    }
}

/// The instance was shown as the others of its series are, and nothing said that it had been another.
#[test]
fn an_instance_of_a_series_whose_own_message_is_lost_is_told_before_and_after_the_repair() {
    for (format, cipher, before, after) in before_and_after("instance-of-a-series-lost") {
        let name = variant_name(format, cipher);
        let (before, after) = (called(&before, "team.ics"), called(&after, "team.ics"));
        assert!(before.contains("\nX-PSTFS-INCOMPLETE:"), "{name}: {before}");
        assert!(after.contains("What is"), "{name}: {after}");
    }
}

/// Where nothing said what an attachment is, what it holds was lost with that.
#[test]
fn what_lies_in_an_attachment_without_properties_is_shown_before_and_after_the_repair() {
    for (format, cipher, before, after) in before_and_after("attachment-whose-properties-are-lost") {
        let (name, whole) = (variant_name(format, cipher), texts(&forge::store(format, cipher, &forge::recipe("every-format"))));
        // The last lines of a file of 20,000 bytes, and a letter that lay in the other.
        let end = called(&whole, "Files.eml").rsplit("\n\n").nth(1).unwrap().to_owned();
        for documents in [&before, &after] {
            let (files, forwarded) = (called(documents, "Files.eml"), called(documents, "Forwarded.eml"));
            assert!(files.contains(&end), "{name}: {files}");
            assert!(forwarded.contains("Subject: Inner letter") && forwarded.contains("Hidden in another one."), "{name}: {forwarded}");
            assert!(files.contains("filename=\"databin.bin\""), "{name}: the row tells how it was called: {files}");
        }
        let told = |documents: &Texts, words: &str| {
            ["Files.eml", "Forwarded.eml"].iter().all(|end| called(documents, end).replace("\n ", " ").contains(words))
        };
        assert!(told(&before, ": its properties are lost, this is what lay with them"), "{name}");
        assert!(told(&after, "filename=\"What is missing.txt\""), "{name}: {}", called(&after, "Files.eml"));
    }
}

/// The folder's list was all that was shown of a message whose own properties are lost.
#[test]
fn what_lies_beside_the_lost_properties_of_a_message_is_shown_before_and_after_the_repair() {
    for (format, cipher, before, after) in before_and_after("message-whose-properties-are-lost") {
        let name = variant_name(format, cipher);
        for documents in [&before, &after] {
            let (files, long) = (called(documents, "Files.eml"), called(documents, "Long.eml"));
            for line in
                ["From: Ann Archer", "To: Bob Baker <bob@example.com>", "Subject: Files", "QSBzaG9ydCB0ZXh0Lgo=", "filename=\"data.bin\""]
            {
                assert!(files.contains(line), "{name}: {line}: {files}");
            }
            assert!(long.len() > 30_000 && long.contains("project budget report next budget project"), "{name}: {long}");
        }
        let told = |documents: &Texts, words: &str| {
            ["Files.eml", "Long.eml"].iter().all(|end| called(documents, end).replace("\n ", " ").contains(words))
        };
        assert!(told(&before, "X-Pstfs-Incomplete: its own properties cannot be read: "), "{name}: {}", called(&before, "Long.eml"));
    }
}

/// A letter that is whole was called by the garbage in the damaged list of its folder.
#[test]
fn a_letter_is_named_by_itself_where_the_list_of_its_folder_is_damaged() {
    let edits = Recipe::parse("row message=\"Hello\" column=0x0037 text=\"Other\"\nflip trailer list=\"Hello\" index=0 field=crc mask=3\n");
    for (format, cipher) in [(Format::Ansi, Cipher::Cyclic), (Format::Unicode, Cipher::Permute), (Format::Unicode4k, Cipher::None)] {
        let bytes = forge::edits::damaged(forge::store(format, cipher, &forge::recipe("every-format")), &edits);
        let (_, _, before, after) = repaired((format, cipher, bytes));
        for (when, documents) in [("before", &before), ("after", &after)] {
            let named = |name: &str| documents.keys().filter(|path| path.ends_with(name)).count();
            assert_eq!(
                (named(" Hello.eml"), named("Other.eml")),
                (2, 0),
                "{} {when}: {:?}",
                variant_name(format, cipher),
                documents.keys()
            );
        }
    }
}

/// Other programs stop at a folder without a name, and the list that knew it was made to say the same.
#[test]
fn a_folder_without_a_name_gets_the_one_that_its_parents_list_has() {
    for (format, cipher, bytes) in forge::damaged_all("folder-without-a-name", &mut forge::store) {
        let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
        let name = |bytes: &[u8]| open(bytes).node_props(Nid(0x80a2)).unwrap().text(tags::DISPLAY_NAME).unwrap();
        let healthy = forge::store(format, cipher, &forge::recipe("every-format"));
        assert_eq!(name(&mended(&bytes, &made)), name(&healthy), "{}", variant_name(format, cipher));
    }
}

/// A new folder took the place of the one that all folders lay in, and Outlook would have shown none of them.
#[test]
fn the_first_folder_of_a_store_is_the_one_that_users_see_where_nothing_tells() {
    for (format, cipher, bytes) in forge::damaged_all("store-and-name-of-the-subtree-lost", &mut forge::store) {
        let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
        let store = open(&mended(&bytes, &made));
        assert_eq!(store.ipm_subtree(), Nid(0x8022), "{}", variant_name(format, cipher));
        assert_eq!(store.folder(Nid(0x8022)).unwrap().name, "Top of Outlook data file", "{}", variant_name(format, cipher));
    }
}

/// What the store names is no folder that was lost: nothing else tells of it, so nothing would come back in its place.
#[test]
fn the_first_folder_of_a_store_is_the_one_that_users_see_where_the_named_one_is_nowhere() {
    let edits = "props node=0x21 id=0x35e0 type=0x102 value=0x0200000f\nprops node=0x21 id=0x35e3 type=0x102 value=0x0200000f\n\
                 zero block node=0x12d fix=yes\nzero block node=0x62b fix=yes\nzero block node=0x8022 fix=yes\n";
    for (format, cipher) in [(Format::Ansi, Cipher::None), (Format::Unicode, Cipher::Cyclic)] {
        let healthy = forge::store(format, cipher, &forge::recipe("every-format"));
        let bytes = forge::edits::damaged(healthy, &Recipe::parse(edits));
        let named = open(&bytes).named_subtree();
        assert!(open(&bytes).ndb().node(named).unwrap().is_none(), "{}: {named} is nowhere", variant_name(format, cipher));
        let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
        assert_eq!(open(&mended(&bytes, &made)).ipm_subtree(), Nid(0x8022), "{}", variant_name(format, cipher));
    }
}

/// A new folder took the place of the one that all folders lay in: it went to `Lost and Found` with all in it, and the inbox
/// there too where only its tables were left.
#[test]
fn a_folder_that_is_gone_comes_back_where_those_of_its_use_lie() {
    let edits = "drop node node=0x8022\ndrop node node=0x8062\nzero block node=0x12d fix=yes\nzero block node=0x802d fix=yes\n";
    for (format, cipher) in [(Format::Ansi, Cipher::None), (Format::Unicode, Cipher::Cyclic)] {
        let healthy = forge::store(format, cipher, &forge::recipe("every-format"));
        let bytes = forge::edits::damaged(healthy, &Recipe::parse(edits));
        let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
        let store = open(&mended(&bytes, &made));
        let place = |nid| (store.ndb().node(nid).unwrap().unwrap().parent, store.folder(nid).unwrap().name);
        assert_eq!(store.ipm_subtree(), Nid(0x8022), "{}", variant_name(format, cipher));
        assert_eq!(place(Nid(0x8022)), (Nid::ROOT_FOLDER, "Top of Outlook data file".into()), "{}", variant_name(format, cipher));
        assert_eq!(place(Nid(0x8062)), (Nid(0x8022), "Deleted Items".into()), "{}", variant_name(format, cipher));
        assert!(Tree::new(store, View::default(), 8 << 20).resolve("Lost and Found").is_err(), "{}", variant_name(format, cipher));
    }
}

/// It was called by its id, though the store knows what it is for.
#[test]
fn a_folder_whose_name_is_lost_is_called_as_those_of_its_use_are_unless_another_one_is() {
    let lost = "zero block node=0x8062 fix=yes\nzero block node=0x802d fix=yes\n";
    let taken = format!("props node=0x80a2 id=0x3001 text=\"Deleted Items\"\n{lost}");
    for (format, cipher) in [(Format::Ansi, Cipher::None), (Format::Unicode, Cipher::Cyclic)] {
        for (edits, name) in [(lost, "Deleted Items"), (taken.as_str(), "Recovered folder 0x8062")] {
            let healthy = forge::store(format, cipher, &forge::recipe("every-format"));
            let bytes = forge::edits::damaged(healthy, &Recipe::parse(edits));
            let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
            assert_eq!(open(&mended(&bytes, &made)).folder(Nid(0x8062)).unwrap().name, name, "{}", variant_name(format, cipher));
            let tree = Tree::new(open(&bytes), View::default(), 8 << 20);
            assert!(tree.resolve("Deleted Items").is_ok(), "{}: mounted as it is", variant_name(format, cipher));
        }
    }
}

/// The one beside it got the name that only the list had of it, and both had one name.
#[test]
fn the_usual_name_is_taken_where_a_list_has_it_of_a_folder_that_does_not_tell_its_own() {
    let edits = "zero block node=0x8062 fix=yes\nrow table=0x802d index=0 drop=yes\n\
                 props node=0x80a2 id=0x3001 text=\"\"\nrow table=0x802d index=0 column=0x3001 text=\"Deleted Items\"\n";
    for (format, cipher) in [(Format::Ansi, Cipher::None), (Format::Unicode, Cipher::Cyclic)] {
        let healthy = forge::store(format, cipher, &forge::recipe("every-format"));
        let bytes = forge::edits::damaged(healthy, &Recipe::parse(edits));
        let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
        let store = open(&mended(&bytes, &made));
        let names = [0x8062, 0x80a2].map(|nid| store.folder(Nid(nid)).unwrap().name);
        assert_eq!(names, ["Recovered folder 0x8062", "Deleted Items"], "{}", variant_name(format, cipher));
    }
}

/// Each kept the usual name free for the other, and both were called by their ids.
#[test]
fn of_two_nameless_folders_of_one_use_one_gets_the_usual_name() {
    let nameless = |nid: &str, table: &str, index: &str| {
        format!("zero block node={nid} fix=yes\nrow table={table} index={index} column=0x3001 text=\"\"\n")
    };
    // The inbox names another calendar than the root folder does.
    let calendars = format!(
        "props node=0x80a2 id=0x36d0 type=0x102 value=0x22810000\n{}{}",
        nameless("0x8102", "0x802d", "3"),
        nameless("0x8122", "0x802d", "4")
    );
    // The store names another folder than is usual as the one that holds those that users see.
    let subtrees = format!(
        "props node=0x21 id=0x35e0 type=0x102 value=0x82800000\n{}{}",
        nameless("0x8022", "0x12d", "1"),
        nameless("0x8082", "0x12d", "3")
    );
    let cases = [
        (calendars, [(0x8102, "Calendar"), (0x8122, "Recovered folder 0x8122")]),
        (subtrees, [(0x8022, "Recovered folder 0x8022"), (0x8082, "Top of Outlook data file")]),
    ];
    for (format, cipher) in [(Format::Ansi, Cipher::None), (Format::Unicode, Cipher::Cyclic)] {
        for (edits, names) in &cases {
            let healthy = forge::store(format, cipher, &forge::recipe("every-format"));
            let bytes = forge::edits::damaged(healthy, &Recipe::parse(edits));
            let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
            let store = open(&mended(&bytes, &made));
            for (nid, name) in names {
                assert_eq!(store.folder(Nid(*nid)).unwrap().name, *name, "{}", variant_name(format, cipher));
            }
        }
    }
}

/// What had lain in a folder that its list alone names went to a folder called by its id.
#[test]
fn what_is_lost_goes_to_a_folder_called_as_the_one_that_held_it_will_be() {
    let lost = "zero block node=0x80a2 fix=yes\nrow message=\"Hello\" drop=yes\n";
    let nameless = format!("{lost}row table=0x802d index=1 column=0x3001 text=\"\"\n");
    let other = format!("{lost}row table=0x802d index=1 column=0x3001 text=\"Post\"\n");
    for (format, cipher) in [(Format::Ansi, Cipher::None), (Format::Unicode, Cipher::Cyclic)] {
        for (edits, name) in [(nameless.as_str(), "Inbox"), (other.as_str(), "Post")] {
            let healthy = forge::store(format, cipher, &forge::recipe("every-format"));
            let bytes = forge::edits::damaged(healthy, &Recipe::parse(edits));
            let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
            let tree = Tree::new(open(&mended(&bytes, &made)), View::default(), 8 << 20);
            for path in [name.to_owned(), format!("Lost and Found/{name}")] {
                assert!(tree.resolve(&path).is_ok(), "{}: {path}", variant_name(format, cipher));
            }
        }
    }
}

/// What the row of a lost message had told already was left out of both: it is a file beside the message.
#[test]
fn a_large_value_of_a_property_that_the_row_tells_is_a_file() {
    for (format, cipher, bytes) in forge::damaged_all("message-whose-properties-are-lost", &mut forge::store) {
        let store = open(&bytes);
        let node = store.locate(Nid(0x20_00e4)).unwrap();
        let properties = |told: bool| {
            let values = pstfs::store::remains::unnamed(store.ndb(), node.subnodes, &|_| told).unwrap();
            values.iter().map(|value| value.property.map(|(id, _)| id)).collect::<Vec<_>>()
        };
        assert_eq!((properties(false), properties(true)), (vec![tags::BODY.id()], vec![None]), "{}", variant_name(format, cipher));
    }
}
