//! Values that the tests of other programs assert of real stores, where those lie beside the project.
//!
//! Mails and cards of them are looked at in `documents.rs` and `calendars.rs` too; here are the rest: what stands below
//! the documents, counts of whole stores, times, and messages inside messages.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests: a mistake shows at once")]

use std::path::Path;
use std::sync::Arc;

use mail_parser::{MessageParser, MimeHeaders};
use pstfs::format::checksum;
use pstfs::format::id::Nid;
use pstfs::store::props::Key;
use pstfs::store::{Store, Which, tags};
use pstfs::tree::{Ino, Kind, Names, Tree, View};

/// A store of the corpus; says so where it is not there.
fn store(name: &str) -> Option<Arc<Store>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus").join(name);
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("skipped: there is no {}", path.display());
        return None;
    };
    Some(Arc::new(Store::open(Arc::new(bytes), 4 << 20).unwrap()))
}

/// A document: its path, time of change, and bytes.
struct Shown {
    path: String,
    mtime: Option<i64>,
    bytes: Vec<u8>,
}

/// All documents of a store.
fn shown(store: Arc<Store>) -> Vec<Shown> {
    let view = View { names: Names::Subject, all_folders: true, ..View::default() };
    let tree = Tree::new(store, view, 8 << 20);
    let (mut found, mut folders) = (Vec::new(), vec![(Ino::ROOT, String::new())]);
    while let Some((folder, path)) = folders.pop() {
        for entry in &tree.list(folder).unwrap().entries {
            let path = format!("{path}/{}", entry.name);
            if entry.kind == Kind::Directory {
                folders.push((entry.ino, path));
                continue;
            }
            let file = tree.open(entry.ino).unwrap();
            let bytes = tree.read(&file, 0, 1 << 26).unwrap();
            found.push(Shown { path, mtime: file.mtime().map(|(seconds, _)| seconds), bytes });
        }
    }
    found
}

fn ending<'s>(all: &'s [Shown], end: &str) -> &'s Shown {
    all.iter().find(|shown| shown.path.ends_with(end)).unwrap_or_else(|| panic!("no {end}"))
}

/// The parts with a file's name, of inner messages too.
fn files(bytes: &[u8]) -> Vec<(String, usize)> {
    let message = MessageParser::default().parse(bytes).unwrap();
    let mut found = Vec::new();
    for part in &message.parts {
        let Some(name) = part.attachment_name() else { continue };
        found.push((name.to_owned(), part.len()));
        found.extend(part.message().into_iter().flat_map(|inner| files(inner.raw_message())));
    }
    found
}

/// libpff counts these messages and files in them.
#[test]
fn stores_hold_as_many_mails_and_files_as_others_count() {
    let wanted = [
        ("pst2john_97_outlook_pass12345_aa773e.pst", 294, 294),
        ("pst2john_2003_compressable-encryption_quickquick_50dc08.pst", 32, 266),
        ("pst2john_2003_high-encryption_quickquick_a607d2.pst", 36, 302),
        ("pst2john_2003_no-encryption_quickquick_1a9198.pst", 20, 170),
        ("pst2john_Outlook_enc_43434c.pst", 1, 11),
        ("hughbe_DFRWS2009-Outlook-Email_08de0b.pst", 13, 2),
        ("asposejava_MapiNoteToPST_out_6496b1.pst", 3, 0),
        // The times when somebody is free, which libpff does not count.
        ("pst2john_openwall_0a222f.pst", 1, 0),
        ("hughbe_Outlook98Backup_31ed8b.pst", 0, 0),
        ("msrs_Empty_c16ae9.pst", 0, 0),
    ];
    for (name, mails, attached) in wanted {
        let Some(store) = store(name) else { return };
        let all = shown(store);
        assert!(all.iter().all(|shown| shown.path.ends_with(".eml")), "{name}");
        let found = all.iter().map(|shown| files(&shown.bytes).len()).sum::<usize>();
        assert_eq!((all.len(), found), (mails, attached), "{name}");
    }
}

/// The node B-tree and the block B-tree of pstsdk's own test.
#[test]
fn the_trees_of_an_ansi_store_hold_what_pstsdk_found() {
    const NODES: [u32; 47] = [
        33, 97, 290, 301, 302, 303, 481, 513, 609, 641, 673, 801, 1549, 1550, 1551, 1552, 1579, 1612, 1649, 1682, 1718, 1751, 1784, 3073,
        3585, 3649, 8739, 8742, 8743, 8752, 32802, 32813, 32814, 32815, 32834, 32845, 32846, 32847, 32866, 32877, 32878, 32879, 32898,
        32909, 32910, 32911, 2_097_188,
    ];
    const PARENTS: [(u32, u32); 7] =
        [(290, 290), (8739, 290), (32802, 290), (32834, 290), (32866, 32802), (32898, 32802), (2_097_188, 32898)];
    const BLOCKS: &str = "4:156:4 8:268:5 12:172:4 16:204:3 20:164:2 24:100:2 36:92:2 40:124:2 44:84:2 48:112:2 72:34:2 100:62:2 \
        104:76:2 120:88:2 132:84:2 140:38:2 156:108:2 172:404:2 176:258:2 188:252:2 192:228:2 220:4:2 224:484:2 228:188:2 268:2788:2 \
        272:1312:2 276:716:2 282:28:2 284:1655:2 290:16:2 296:1024:2 304:818:2 312:104:2 316:480:2 320:102:2 324:228:2 328:104:2 332:132:2";
    let Some(store) = store("pstsdk_test_ansi_f1ff59.pst") else { return };
    let (mut nodes, mut parents, mut blocks) = (Vec::new(), Vec::new(), Vec::new());
    let mut note = |nid: Nid, parent: Nid| {
        nodes.push(nid.0);
        parents.extend((parent.0 != 0).then_some((nid.0, parent.0)));
    };
    store
        .ndb()
        .visit_nodes(&mut |node| {
            note(node.nid.nid, node.parent);
            true
        })
        .unwrap();
    store
        .ndb()
        .visit_blocks(&mut |entry| {
            blocks.push(format!("{}:{}:{}", entry.block.bid.0, entry.size, entry.references));
            true
        })
        .unwrap();
    assert_eq!(nodes, NODES);
    assert_eq!(parents, PARENTS);
    assert_eq!(blocks.join(" "), BLOCKS);
}

#[test]
fn the_html_of_a_post_is_the_string_that_it_was() {
    let Some(store) = store("pstsdk_test_ansi_f1ff59.pst") else { return };
    let all = shown(store);
    let message = MessageParser::default().parse(&ending(&all, "/Post.eml").bytes).unwrap();
    assert!(message.body_html(0).unwrap().starts_with("<html xmlns:v="));
    assert_eq!(message.body_text(0).unwrap().trim(), "Post");
}

#[test]
fn the_named_properties_of_a_store_have_the_ids_that_pstsdk_found() {
    let Some(store) = store("pstsdk_sample1_9e77f0.pst") else { return };
    let names = store.names();
    assert_eq!(names.len(), 172);
    let wanted = [
        (Key::Name(tags::PS_PUBLIC_STRINGS, "urn:schemas-microsoft-com:office:outlook#storetypeprivate"), 0x800f),
        (tags::KEYWORDS, 0x8012),
        (Key::Name(tags::PS_INTERNET_HEADERS, "x-ms-exchange-organization-authdomain"), 0x801c),
        (tags::LID_TIME_ZONE_STRUCT, 0x8008),
        (tags::LID_BUSY_STATUS, 0x8000),
    ];
    wanted.iter().for_each(|(key, id)| assert_eq!(names.id(*key), Some(*id), "{key:?}"));
    let all = shown(store);
    assert_eq!(files(&ending(&all, "/Here is a sample message.eml").bytes), [("leah_thumper.jpg".to_owned(), 93_142)]);
}

#[test]
fn an_unread_mail_has_its_two_times() {
    let Some(store) = store("aranetic_flags_jane_doe_0eadde.pst") else { return };
    let all = shown(store);
    let shown = ending(&all, "/Unread email (do not open).eml");
    let message = MessageParser::default().parse(&shown.bytes).unwrap();
    let address = |address: Option<&mail_parser::Address<'_>>| {
        let first = address.unwrap().first().unwrap();
        (first.name().unwrap_or_default().to_owned(), first.address().unwrap_or_default().to_owned())
    };
    assert_eq!(address(message.from()), ("John Doe".to_owned(), "pst-test-1@aranetic.com".to_owned()));
    assert_eq!(address(message.to()), ("Jane Doe".to_owned(), "pst-test-2@aranetic.com".to_owned()));
    // Sent at 19:16:17, received two seconds later.
    assert_eq!((message.date().unwrap().to_timestamp(), shown.mtime), (1_277_406_977, Some(1_277_406_979)));
    assert!(shown.bytes.starts_with(b"Return-Path:") && files(&shown.bytes).is_empty());
    let read = String::from_utf8_lossy(&ending(&all, "/Inbox/Needed a response, and has one.eml").bytes);
    assert!(read.contains("\nStatus: RO\n"), "{read}");
}

#[test]
fn a_store_of_tika_gives_its_mails_and_the_file_inside_the_inner_one() {
    let Some(store) = store("tika_testPST_f2a6b1.pst") else { return };
    let all = shown(store);
    assert_eq!(all.len(), 7);
    let reply = ending(&all, "/Re_ Feature Generators.eml");
    let message = MessageParser::default().parse(&reply.bytes).unwrap();
    assert_eq!(message.from().unwrap().first().unwrap().name(), Some("Jörn Kottmann"));
    assert_eq!((message.date().unwrap().to_timestamp(), reply.mtime), (1_393_401_004, Some(1_393_401_062)));
    assert_eq!(message.message_id(), Some("530D9CAC.5080901@gmail.com"));
    let has = |end: &str, text: &str| assert!(String::from_utf8_lossy(&ending(&all, end).bytes).contains(text), "{end}: {text}");
    has("CHM file.eml", "Gary Murphy commented on TIKA-1250:");
    has("_Introducing Couchbase Server 2.5_.eml", "See you there!");
    has("/Feature Generators.eml", "From: Kenig Ma");
    has("putfield_putstatic_.eml", "<1393363252.28814.YahooMailNeo@");
    let names: Vec<String> = files(&ending(&all, "/FW_ First email.eml").bytes).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["First email.eml", "attachment.docx"]);
}

#[test]
fn an_inner_message_has_the_size_and_place_that_its_attachment_tells() {
    let Some(store) = store("hiraoka_alpha-beta-gamma-delta_5fedda.pst") else { return };
    let row = store.contents(store.ipm_subtree(), Which::Normal).unwrap().into_iter().next().unwrap();
    let item = store.item(store.locate(row.nid).unwrap()).unwrap();
    assert_eq!((item.class(), item.subject()), ("IPM.Note".to_owned(), Some("Alpha".to_owned())));
    let numbers = |key: u16| item.attachments.iter().map(|attachment| attachment.props.int(Key::Id(key)).unwrap()).collect::<Vec<_>>();
    // PidTagAttachSize, PidTagAttachMethod, PidTagRenderingPosition.
    assert_eq!((numbers(0x0e20), numbers(0x3705), numbers(0x370b)), (vec![3869, 25_634], vec![1, 5], vec![-1, -1]));
}

/// What a store keeps of a password is its CRC ([MS-PST] 5.1); the names of these files tell the passwords.
#[test]
fn a_store_keeps_the_crc_of_its_password() {
    let of = |name: &str| store(name).map(|store| store.password_crc().unwrap_or_default());
    let Some(none) = of("javalibpst_dist-list_c86841.pst") else { return };
    assert_eq!(none, 0);
    assert_eq!(of("pst2john_97_outlook_pass12345_aa773e.pst"), Some(checksum::crc(b"pass12345")));
    assert_eq!(of("pst2john_openwall_0a222f.pst"), Some(checksum::crc(b"openwall")));
}

/// process-pst prints the node id at the end as a number, 00200024; as bytes it stands the other way about, like the entry
/// ids that the store itself holds ([MS-PST] 2.4.3.2).
#[test]
fn a_mail_has_the_entry_id_that_others_found() {
    let Some(store) = store("pstsdk_sample1_9e77f0.pst") else { return };
    let tree = Tree::new(store, View { names: Names::Subject, ..View::default() }, 1 << 20);
    let mail = tree.resolve("Sample1/Here is a sample message.eml").unwrap();
    let id = tree.xattr(mail, "user.pst.entryid").unwrap().unwrap();
    assert_eq!(String::from_utf8(id).unwrap(), "000000006a552b813c43f94384f18b7da2393e9524002000");
}
