//! An ANSI store repaired into a Unicode one tells the same: to us, and to other programs.
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

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use pstfs::damage::{Error, Finding};
use pstfs::disk::{MemoryFile, ReadAt};
use pstfs::format::Format;
use pstfs::format::amap;
use pstfs::format::block::encode_block;
use pstfs::format::cipher::Cipher;
use pstfs::format::header::{Client, Root};
use pstfs::format::id::{Bid, Ib, NodeType};
use pstfs::format::page::Page;
use pstfs::format::property::PropType;
use pstfs::ltp::value::Value;
use pstfs::ltp::{Properties, Table};
use pstfs::ndb::write::{BulkOptions, BulkWriter, Transaction};
use pstfs::progress::Progress;
use pstfs::repair::{self, Held, Options, Order, Told, plan, widen};
use pstfs::store::item::{Content, Item, NodeRef};
use pstfs::store::write::{AttachmentContent, AttachmentDraft, FolderDraft, MessageDraft, PropertyList, StoreBuilder, StoreOptions};
use pstfs::store::{Store, Which, tags};
use support::audit;
use support::forge::big::Big;
use support::forge::{self, variant_name};
use support::laws::{documents, mended, open, serious};
use support::place::{PSTFS, Place, Small, code, err, out, run};
use support::scan::scan;

/// How a repair into a Unicode store plans.
const OPTIONS: Options = Options { thorough: false, rewrite: false, unwritten: true };

/// A store, mended in its own format.
fn repaired(bytes: &[u8]) -> (Vec<u8>, Vec<Finding>) {
    let made = plan(&open(bytes), &scan(bytes.to_vec()).0, OPTIONS).unwrap();
    let left = made.left.clone();
    (if made.is_empty() { bytes.to_vec() } else { mended(bytes, &made) }, left)
}

/// The same store in the Unicode format, and what could not be laid out.
fn widened(bytes: &[u8]) -> (Vec<u8>, Vec<String>) {
    let file = MemoryFile::default();
    let (_, failed) = widen(&open(bytes), &file, &Progress::default()).unwrap();
    (file.into_bytes(), failed)
}

/// By path and node, how long each document is and its checksum.
fn told(bytes: &[u8]) -> BTreeMap<(String, String), (u64, u32)> {
    documents(bytes).into_iter().map(|document| ((document.path, document.nid), document.crc)).collect()
}

/// What is wrong with a store that was repaired into a Unicode one.
fn faults(bytes: &[u8]) -> Vec<String> {
    let (narrow, left) = repaired(bytes);
    let (wide, mut faults) = widened(&narrow);
    assert_eq!(open(&wide).ndb().format(), Format::Unicode);
    if left.is_empty() {
        faults.extend(serious(&scan(wide.clone()).0).iter().map(|finding| format!("found: {finding}")));
        faults.extend(audit::faults(Arc::new(wide.clone())).into_iter().map(|fault| format!("audit: {fault}")));
        let again = plan(&open(&wide), &scan(wide.clone()).0, Options::default()).unwrap();
        faults.extend((!again.is_empty()).then(|| "a second repair has something to do".into()));
    }
    let (before, after) = (told(&narrow), told(&wide));
    let changed = before.iter().filter(|(path, crc)| after.get(*path) != Some(crc));
    faults.extend(changed.map(|(path, crc)| format!("{path:?}: {crc:?}, after {:?}", after.get(path))));
    faults.extend(after.keys().filter(|path| !before.contains_key(*path)).map(|path| format!("{path:?} is new")));
    faults.extend(narrow_strings(&wide));
    faults
}

/// Strings of a store that are still in a code page.
fn narrow_strings(bytes: &[u8]) -> Vec<String> {
    let store = open(bytes);
    let ndb = store.ndb();
    let mut waiting = Vec::new();
    ndb.visit_nodes(&mut |node| {
        waiting.push(NodeRef { nid: node.nid.nid, data: node.data, subnodes: node.subnodes });
        true
    })
    .unwrap();
    let mut narrow = Vec::new();
    while let Some(NodeRef { nid, data, subnodes }) = waiting.pop() {
        let below = ndb.subnodes(subnodes).unwrap();
        waiting.extend(below.iter().map(|entry| NodeRef { nid: entry.nid.nid, data: entry.data, subnodes: entry.subnodes }));
        let kinds: Vec<(u16, PropType)> = match Properties::open(ndb, nid, data, subnodes) {
            Ok(properties) => properties.records().iter().map(|record| (record.id, record.kind)).collect(),
            Err(_) => match Table::open(ndb, nid, data, subnodes) {
                Ok(table) => table.info().columns.iter().map(|column| (column.id, column.kind)).collect(),
                Err(_) => continue,
            },
        };
        let left = kinds.iter().filter(|(_, kind)| kind.element() == PropType::STRING8);
        narrow.extend(left.map(|(id, _)| format!("node {nid}: {id:#06x} is in a code page")));
    }
    narrow
}

/// One in so many damaged stores is tried where there is little time.
const SAMPLE: usize = 7;

fn is_long() -> bool {
    std::env::var_os("PSTFS_LONG").is_some()
}

fn hold(stores: impl Iterator<Item = (String, Vec<u8>)>) {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (name, bytes) in stores {
        count += 1;
        let found = faults(&bytes);
        if !found.is_empty() {
            wrong.push(format!("{name}:\n  {}", found.join("\n  ")));
        }
    }
    println!("{count} stores");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn healthy_stores_tell_the_same() {
    let names = forge::names("healthy");
    let stores = names.iter().map(|name| (name, forge::recipe(name))).flat_map(|(name, recipe)| {
        let mut ciphers: Vec<Cipher> =
            forge::wanted(&recipe).into_iter().filter(|(format, _)| *format == Format::Ansi).map(|(_, cipher)| cipher).collect();
        if ciphers.is_empty() {
            ciphers.push(Cipher::Permute);
        }
        let made = ciphers
            .into_iter()
            .map(|cipher| (format!("{name} {}", variant_name(Format::Ansi, cipher)), forge::store(Format::Ansi, cipher, &recipe)));
        made.collect::<Vec<_>>()
    });
    hold(stores);
}

#[test]
fn damaged_stores_tell_the_same_as_repaired_in_place() {
    let names = forge::names("damaged");
    let stores = names.iter().step_by(if is_long() { 1 } else { SAMPLE }).flat_map(|name| {
        let edits = forge::Recipe::read(&forge::fixtures().join("damaged").join(name).join("edits"));
        let base = edits.line("base").unwrap().clone();
        let variants: Vec<_> =
            base.args[1..].iter().map(|name| forge::variant(name)).filter(|(format, _)| *format == Format::Ansi).collect();
        variants.into_iter().map(move |(format, cipher)| {
            let whole = forge::store(format, cipher, &forge::recipe(base.arg(0)));
            (format!("{name} {}", variant_name(format, cipher)), forge::edits::damaged(whole, &edits))
        })
    });
    hold(stores);
}

/// Adds parts to an ANSI store until it is as large as one may be, and marks all of their space as taken; the file is
/// sparse. Healthy stores have space that is marked and that nobody has, so nothing is wrong with that.
fn fill(bytes: &[u8], path: &Path) {
    let (format, layout) = (Format::Ansi, Format::Ansi.layout());
    let file = File::options().read(true).write(true).create_new(true).open(path).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    let parts = ((1 << 31) - layout.amap_first) / layout.amap_coverage;
    let end = layout.amap_first + parts * layout.amap_coverage;
    file.set_len(end).unwrap();
    for part in 0..parts {
        let start = layout.amap_first + part * layout.amap_coverage;
        for (at, kind) in amap::pages_at(format, part) {
            let (ib, body) = (start + at, [vec![0; layout.amap_bits_at], vec![0xff; layout.amap_bits_bytes]].concat());
            file.write_all_at(&Page::encode(format, kind, Bid(ib), Ib(ib), &body), ib).unwrap();
        }
    }
    let mut header = open(bytes).ndb().header().clone();
    header.root = Root { file_eof: Ib(end), amap_last: Ib(end - layout.amap_coverage), amap_free: Ib(0), ..header.root };
    file.write_all_at(&header.encode_valid(format), 0).unwrap();
}

/// A store of two gigabytes less a few bytes, of which a message has to be written anew.
#[test]
fn a_full_store_is_refused_in_place_with_the_command_that_works() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = ansi("message-without-a-class");
    fill(&bytes, &folder.path().join("old.pst"));
    let refused = run(&["repair", "-q", "old.pst"], folder.path());
    let full = "pstfs: old.pst: the store is full: of the 2147483647 bytes that an ANSI store may have it takes 2147435520, and what is \
                free of them is too little; 'pstfs repair --output NEW --format unicode' writes it as a Unicode store, which may be larger\n";
    assert_eq!((code(&refused), err(&refused).as_str()), (8, full));
    assert_eq!(names(folder.path()), ["old.pst"], "nothing is left of what was refused");
    let done = run(&["repair", "-q", "--output", "new.pst", "--format", "unicode", "old.pst"], folder.path());
    assert_eq!((code(&done), err(&done).as_str()), (1, ""), "{}", out(&done));
    let wide = fs::read(folder.path().join("new.pst")).unwrap();
    assert!(wide.len() < 4 << 20, "what nobody has stays behind: {}", wide.len());
    assert_eq!(told(&wide), told(&repaired(&bytes).0));
}

/// The ANSI variant of a damaged store.
fn ansi(name: &str) -> Vec<u8> {
    let (_, _, bytes) = forge::damaged_all(name, &mut forge::store).find(|(format, ..)| *format == Format::Ansi).unwrap();
    bytes
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_old_store_stays_and_the_new_one_is_as_private() {
    let place = Place::with(ansi("message-without-a-row"));
    fs::set_permissions(place.store(), Permissions::from_mode(0o640)).unwrap();
    let before = place.state();
    let wide = ["repair", "-q", "--output", "new.pst", "--format", "unicode"];
    let done = place.pstfs(&wide);
    assert_eq!((code(&done), err(&done).as_str()), (1, ""));
    assert!(
        out(&done).contains("\n-- Written as a Unicode store: ") && out(&done).ends_with(": Errors were repaired (exit 1)\n"),
        "{}",
        out(&done)
    );
    assert_eq!((place.state(), place.names()), (before, vec!["a b.pst".into(), "new.pst".into(), "new.pst.repair.log".into()]));
    assert_eq!(fs::metadata(place.dir.path().join("new.pst")).unwrap().mode() & 0o777, 0o640);
    let log = fs::read_to_string(place.dir.path().join("new.pst.repair.log")).unwrap();
    assert_eq!(log, out(&done));
    let again = place.pstfs(&wide);
    assert_eq!((code(&again), err(&again).as_str()), (8, "pstfs: a b.pst: new.pst exists; move it away\n"));
    let nothing = run(&["repair", "-q", "new.pst"], place.dir.path());
    assert_eq!((code(&nothing), place.names().len()), (0, 3), "{}", out(&nothing));
    let undo = run(&["undo", "new.pst"], place.dir.path());
    assert_eq!(code(&undo), 8, "there is nothing to take back: {}", out(&undo));
}

#[test]
fn a_healthy_store_becomes_a_unicode_one_and_a_unicode_one_is_copied() {
    for (format, size) in [(Format::Ansi, None), (Format::Unicode, Some(()))] {
        let place = Place::with(forge::store(format, Cipher::Cyclic, &forge::recipe("every-format")));
        let done = place.pstfs(&["repair", "-q", "--output", "new.pst", "--format", "unicode"]);
        assert_eq!((code(&done), err(&done).as_str()), (0, ""), "{}", out(&done));
        let new = fs::read(place.dir.path().join("new.pst")).unwrap();
        assert_eq!(open(&new).ndb().format(), Format::Unicode);
        assert_eq!((new == place.old).then_some(()), size);
        assert_eq!(told(&new), told(&place.old));
    }
    let place = Place::with(forge::store(Format::Unicode4k, Cipher::None, &forge::recipe("every-format")));
    let refused = place.pstfs(&["repair", "-q", "--output", "new.pst", "--format", "unicode"]);
    let told = "pstfs: a b.pst: is a store of 4 KiB pages: only ANSI stores can be written as Unicode ones\n";
    assert_eq!((code(&refused), err(&refused).as_str(), place.names().len()), (8, told, 1));
}

#[test]
fn what_is_half_written_goes_away() {
    let place = Place::with(ansi("message-without-a-row"));
    let new = place.dir.path().join("new.pst");
    let order = Order { output: Some(new), unicode: true, ..Order::default() };
    let progress = Progress::default();
    let told = repair::run(&place.store(), &order, Held::default(), &progress, &mut |told| {
        if let Told::Plan(_) = told {
            progress.cancel();
        }
        String::new()
    });
    assert!(matches!(told, Err(Error::Cancelled)), "{told:?}");
    assert_eq!(place.names(), ["a b.pst"]);
}

/// A disk that is full after any part of the new store: it goes away, the old one stays, and the numbers are told.
#[test]
fn a_disk_that_fills_up_leaves_the_old_store_alone_or_both_whole() {
    let place = Place::with(ansi("message-without-a-row"));
    let before = place.state();
    let wide = |folder: &Path| place.pstfs(&["repair", "-q", "--format", "unicode", "--output", folder.join("new.pst").to_str().unwrap()]);
    let whole = tempfile::tempdir().unwrap();
    assert_eq!(code(&wide(whole.path())), 1);
    let new = fs::read(whole.path().join("new.pst")).unwrap();
    let (mut full, mut unlogged) = (0, 0);
    // A tmpfs keeps pages of 4 KiB, those of zeros that nobody wrote not among them.
    for bytes in (8 << 10..).step_by(4 << 10) {
        let Some(small) = Small::new(bytes) else { return };
        let output = wide(small.0.path());
        match (code(&output), names(small.0.path()).first()) {
            (8, None) => {
                let words = ["there is no room for ", " bytes of it; the ANSI store has ", ", and a Unicode store takes more"];
                assert!(words.iter().all(|part| err(&output).contains(part)), "{bytes}: {}", err(&output));
                full += 1;
            }
            (8, Some(_)) => {
                assert!(err(&output).contains("new.pst is written and whole, but its log cannot be kept: "), "{bytes}: {}", err(&output));
                assert!(fs::read(small.0.path().join("new.pst")).unwrap() == new);
                unlogged += 1;
            }
            (code, _) => {
                assert!(code == 1 && fs::read(small.0.path().join("new.pst")).unwrap() == new, "{bytes}: {}", err(&output));
                break;
            }
        }
        assert_eq!((place.state(), place.names()), (before.clone(), vec!["a b.pst".into()]));
    }
    assert!(full > 10 && unlogged > 0, "{full} {unlogged}");
}

/// A full store of real size, of which the largest table has to be written anew: a row says another time than its message.
#[test]
fn a_full_store_of_two_gigabytes_becomes_a_unicode_one() {
    if !is_long() {
        println!("skipped: it takes 2 GB and minutes; set PSTFS_LONG=1");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.pst");
    let big = Big { format: Format::Ansi, attachment: 5000, ..Big::folder_of(311_600) };
    println!("{} bytes", big.write(&path).bytes);
    say_another_time(&path);
    let pstfs = |args: &[&str]| {
        let begin = Instant::now();
        let done = Command::new(PSTFS).args(["repair", "-q"]).args(args).arg("old.pst").current_dir(folder.path()).output().unwrap();
        println!("{args:?}: {:.1} s", begin.elapsed().as_secs_f64());
        done
    };
    for words in [&[][..], &["--output", "copy.pst"]] {
        let refused = pstfs(words);
        assert!(code(&refused) == 8 && err(&refused).contains("the store is full: of the 2147483647 bytes"), "{}", err(&refused));
        assert_eq!(names(folder.path()), ["old.pst"], "nothing is left of what was refused");
    }
    let done = pstfs(&["--output", "new.pst", "--format", "unicode"]);
    assert_eq!((code(&done), err(&done).as_str()), (1, ""), "{}", out(&done));
    let (told, wanted) = (out(&done), "** Items: 311600 seen, 311600 healthy\n");
    assert!(told.contains("** Found: 0 errors, 0 warnings, 0 notes\n") && told.contains(wanted), "{told}");
    println!("{} bytes", fs::metadata(folder.path().join("new.pst")).unwrap().len());
    fs::remove_file(&path).unwrap();
    fs::rename(folder.path().join("new.pst"), &path).unwrap();
    let again = pstfs(&["--dry-run"]);
    assert_eq!(code(&again), 0, "{}", out(&again));
}

/// Changes a time in the first row of the largest table, and puts the check sum of its block right.
fn say_another_time(path: &Path) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let store = pstfs::recover::open(path, &pstfs::recover::Options::default()).unwrap();
    let ndb = store.ndb();
    let mut rows = Bid::NONE;
    ndb.visit_nodes(&mut |node| {
        let below = if node.nid.nid.kind() == NodeType::CONTENTS_TABLE { ndb.subnodes(node.subnodes).unwrap() } else { Vec::new() };
        rows = below.first().map_or(rows, |entry| entry.data);
        true
    })
    .unwrap();
    let bid = ndb.data(rows).unwrap().leaves()[0].bid;
    let entry = ndb.block_entry(bid).unwrap();
    let mut bytes = ndb.block(bid).unwrap().data.clone();
    // PidTagClientSubmitTime stands there in every row.
    bytes[40..44].copy_from_slice(&[7; 4]);
    ndb.cipher().encode(&mut bytes, bid);
    file.write_all_at(&encode_block(Format::Ansi, bid, entry.block.ib, &bytes, entry.size), entry.block.ib.0).unwrap();
}

/// Outlook lets copies of a message share its blocks: 294 messages of a store of Outlook 97 take 118 KB, and would take
/// 16 MB if each of them got blocks of its own.
#[test]
fn copies_of_a_message_go_on_to_share_its_blocks() {
    let bytes = forge::store(Format::Ansi, Cipher::Permute, &forge::recipe("attachments-of-every-kind"));
    let store = open(&bytes);
    let mut messages = Vec::new();
    let all = store.ndb().visit_nodes(&mut |node| {
        messages.extend((node.nid.nid.kind() == NodeType::MESSAGE).then_some(*node));
        true
    });
    all.unwrap();
    let mut transaction = Transaction::begin(store.ndb()).unwrap();
    for _ in 0..300 {
        for message in &messages {
            let nid = transaction.next_nid(NodeType::MESSAGE).unwrap();
            transaction.put_node(nid, message.parent, message.data, message.subnodes).unwrap();
        }
    }
    let copied = transaction.preview().unwrap();
    let mut narrow = vec![0; usize::try_from(copied.len().unwrap()).unwrap()];
    copied.read_exact_at(&mut narrow, 0).unwrap();
    let (wide, failed) = widened(&narrow);
    assert_eq!(failed, [""; 0]);
    assert_eq!(audit::faults(Arc::new(wide.clone())), [""; 0]);
    assert!(wide.len() < narrow.len() * 5 / 4, "{} bytes become {}", narrow.len(), wide.len());
}

/// What a repair that was cut off left beside the store is seen through, and stays.
#[test]
fn a_store_with_a_journal_becomes_a_unicode_one_as_it_is_shown() {
    let place = Place::with(ansi("message-without-a-row"));
    let journal = place.prepared().0.journal().unwrap().encode();
    fs::write(place.dir.path().join("a b.pst.journal"), &journal).unwrap();
    let done = place.pstfs(&["repair", "-q", "--output", "new.pst", "--format", "unicode"]);
    assert_eq!((code(&done), err(&done).as_str()), (1, ""), "{}", out(&done));
    assert_eq!(fs::read(place.dir.path().join("a b.pst.journal")).unwrap(), journal);
    assert_eq!(place.bytes(), place.old);
    assert_eq!(told(&fs::read(place.dir.path().join("new.pst")).unwrap()), told(&repaired(&place.old).0));
}

/// Rows do not tell a code page: their strings are in that of their message, an attachment's in its message's, and those of
/// a message in a message in its own.
#[test]
fn strings_follow_the_code_page_that_their_message_names() {
    let text = |text: &str| Value::Unicode(text.to_owned());
    let file = MemoryFile::default();
    let bulk = BulkOptions { format: Format::Ansi, cipher: Cipher::Permute, client: Client::PST, compress: false };
    let mut options = StoreOptions::named("Store");
    options.props.set(tags::STORE_SUPPORT_MASK, Value::I32(1)).set(tags::PST_PASSWORD, Value::I32(0x1234_5678));
    let mut builder = StoreBuilder::new(BulkWriter::new(&file, bulk).unwrap(), options).unwrap();
    let mut message = MessageDraft::default();
    message.props.set(tags::MESSAGE_CODEPAGE, Value::I32(932)).set(tags::SUBJECT, text("\u{1}\u{1}日本語の手紙"));
    message.props.set(tags::BODY, text(&"長い本文。".repeat(2000))).set(tags::MESSAGE_CLASS, text("IPM.Note"));
    message.props.set(tags::KEYWORDS, Value::Multi(vec![text("赤"), text("青")]));
    let mut recipient = PropertyList::default();
    recipient.set(tags::DISPLAY_NAME, text("山田太郎")).set(tags::RECIPIENT_TYPE, Value::I32(1));
    message.recipients.push(recipient);
    let mut inner = MessageDraft::default();
    inner.props.set(tags::SUBJECT, text("\u{1}\u{1}Grüße")).set(tags::MESSAGE_CLASS, text("IPM.Note")).set(tags::BODY, text("é"));
    let mut attachment = PropertyList::default();
    attachment.set(tags::ATTACH_FILENAME, text("手紙.msg"));
    message.attachments.push(AttachmentDraft { props: attachment, content: AttachmentContent::Message(Box::new(inner)) });
    let nid = builder.add_message(builder.subtree(), message).unwrap();
    builder.finish().unwrap();
    let narrow = file.into_bytes();
    let (wide, failed) = widened(&narrow);
    assert_eq!((failed, told(&wide)), (Vec::new(), told(&narrow)));
    assert_eq!((narrow_strings(&narrow).is_empty(), narrow_strings(&wide)), (false, Vec::new()));
    let (old, new) = (open(&narrow), open(&wide));
    assert_eq!((new.props().int(tags::STORE_SUPPORT_MASK), new.password_crc()), (Some(0x0004_0001), Some(0x1234_5678)));
    let item = new.item(new.locate(nid).unwrap()).unwrap();
    let values = |item: &Item, key| item.props.value(key).cloned();
    assert_eq!(values(&item, tags::SUBJECT), Some(text("\u{1}\u{1}日本語の手紙")));
    assert_eq!(values(&item, tags::KEYWORDS), Some(Value::Multi(vec![text("赤"), text("青")])));
    assert_eq!(item.recipients[0].value(tags::DISPLAY_NAME), Some(&text("山田太郎")));
    assert_eq!(item.attachments[0].props.value(tags::ATTACH_FILENAME), Some(&text("手紙.msg")));
    let Content::Message(inner) = item.attachments[0].content else { panic!("{:?}", item.attachments[0].content) };
    assert_eq!(values(&new.item(inner).unwrap(), tags::SUBJECT), Some(text("\u{1}\u{1}Grüße")));
    // The folder above it is found by the same entry id.
    assert_eq!(new.ipm_subtree(), old.ipm_subtree());
    let size = |store: &Store| store.item(store.locate(nid).unwrap()).unwrap().props.int(tags::MESSAGE_SIZE).unwrap();
    assert!(size(&new) > size(&old), "UTF-16 takes more than a code page of one byte or two");
    let row = new.row(new.ipm_subtree(), Which::Normal, nid).unwrap().unwrap();
    assert_eq!(row.subject.as_deref(), Some("日本語の手紙"));
}

/// A folder tells no code page: its name is in the one that the store's items tell, in both stores. A contact of a Japanese
/// Outlook showed mojibake in its own name and in its folder's.
#[test]
fn folders_are_named_in_the_code_page_that_the_items_tell() {
    let file = MemoryFile::default();
    let bulk = BulkOptions { format: Format::Ansi, cipher: Cipher::Permute, client: Client::PST, compress: false };
    let options = StoreOptions { codepage: 932, ..StoreOptions::named("保管") };
    let mut builder = StoreBuilder::new(BulkWriter::new(&file, bulk).unwrap(), options).unwrap();
    let folder = builder.add_folder(builder.subtree(), FolderDraft::named("連絡先")).unwrap();
    let mut message = MessageDraft::default();
    message.props.set(tags::MESSAGE_LOCALE_ID, Value::I32(0x0411)).set(tags::SUBJECT, Value::Unicode("コム".into()));
    builder.add_message(folder, message).unwrap();
    builder.finish().unwrap();
    let narrow = file.into_bytes();
    let (wide, failed) = widened(&narrow);
    assert_eq!((failed, told(&wide)), (Vec::new(), told(&narrow)));
    for store in [open(&narrow), open(&wide)] {
        assert_eq!(store.folder(folder).unwrap().name, "連絡先");
        assert_eq!(store.names_below(store.ipm_subtree()).unwrap()[&folder], "連絡先");
        assert_eq!(store.props().text(tags::DISPLAY_NAME).as_deref(), Some("保管"));
    }
}
