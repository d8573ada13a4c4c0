//! All that Scanpst.exe checks, by KB287497: of each damage the scan tells, and a thorough repair mends it as the KB says,
//! or better where the KB destroys.
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

use std::collections::BTreeSet;
use std::sync::Arc;

use pstfs::damage::{Code, Verdict};
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::format::id::{Nid, NodeType};
use pstfs::format::property::FileTime;
use pstfs::ltp::value::Value;
use pstfs::ltp::{Properties, Table};
use pstfs::repair::Options;
use pstfs::store::Store;
use pstfs::store::item::{Item, NodeRef};
use pstfs::store::props::{Key, Props};
use pstfs::store::tags;
use pstfs::tree::{Tree, View};
use support::forge::{self, Recipe, edits};
use support::salvage::{Documents, documents_of};
use support::scan::{repaired, scan};

/// A store that was damaged and repaired, beside the healthy one that it was.
struct Mended {
    base: Store,
    store: Store,
}

fn open(bytes: Vec<u8>) -> Store {
    Store::open(Arc::new(bytes), 8 << 20).unwrap()
}

/// The messages of a store with their subjects, wherever they lie.
fn messages(store: &Store) -> Vec<(Nid, String)> {
    let mut found = Vec::new();
    store
        .ndb()
        .visit_nodes(&mut |node| {
            if node.nid.nid.kind() == NodeType::MESSAGE {
                let subject = store.node_props(node.nid.nid).ok().and_then(|props| props.text(tags::SUBJECT)).unwrap_or_default();
                let subject = subject.rsplit('\u{1}').next().unwrap().trim_start_matches(|char: char| char.is_control()).to_owned();
                found.push((node.nid.nid, subject));
            }
            true
        })
        .unwrap();
    found
}

fn node_of(store: &Store, subject: &str) -> NodeRef {
    let (nid, _) = messages(store).into_iter().find(|(_, other)| other == subject).unwrap_or_else(|| panic!("no message {subject}"));
    store.locate(nid).unwrap()
}

fn parent(store: &Store, nid: Nid) -> Nid {
    store.ndb().node(nid).unwrap().unwrap().parent
}

/// The rows of a table by their ids, with their cells.
fn rows(store: &Store, table: Nid) -> Vec<(u32, Vec<(u16, Value)>)> {
    let node = store.locate(table).unwrap();
    let table = Table::open(store.ndb(), table, node.data, node.subnodes).unwrap();
    table.row_numbers().unwrap().into_iter().map(|(id, number)| (id, table.cells(&table.row(number).unwrap()).unwrap())).collect()
}

/// A folder's path.
fn path(store: &Store, folder: Nid) -> String {
    let (mut names, mut at) = (Vec::new(), folder);
    while at != Nid::ROOT_FOLDER && names.len() < 20 {
        names.push(store.node_props(at).unwrap().text(tags::DISPLAY_NAME).unwrap_or_default());
        at = parent(store, at);
    }
    names.reverse();
    names.join("/")
}

impl Mended {
    fn props(&self, subject: &str) -> Props {
        self.store.node_props(node_of(&self.store, subject).nid).unwrap()
    }

    fn item(&self, subject: &str) -> Item {
        self.store.item(node_of(&self.store, subject)).unwrap()
    }

    /// What the healthy store has.
    fn before(&self, subject: &str, key: Key) -> Option<Value> {
        self.base.node_props(node_of(&self.base, subject).nid).unwrap().value(key).cloned()
    }

    fn is(&self, subject: &str, key: Key, wanted: &Value) {
        assert_eq!(self.props(subject).value(key), Some(wanted));
    }

    fn text(&self, subject: &str, key: Key) -> String {
        self.props(subject).text(key).unwrap_or_default()
    }

    /// The folder in which a message lies, and that its list names it once.
    fn folder(&self, subject: &str) -> String {
        let nid = node_of(&self.store, subject).nid;
        let folder = parent(&self.store, nid);
        let listed = rows(&self.store, folder.with_kind(NodeType::CONTENTS_TABLE));
        assert_eq!(listed.iter().filter(|(id, _)| *id == nid.0).count(), 1, "{subject} is listed in its folder");
        path(&self.store, folder)
    }

    /// The cell of a message's row.
    fn cell(&self, subject: &str, key: Key) -> Option<Value> {
        let nid = node_of(&self.store, subject).nid;
        let table = parent(&self.store, nid).with_kind(NodeType::CONTENTS_TABLE);
        let (_, cells) = rows(&self.store, table).into_iter().find(|(id, _)| *id == nid.0).expect("a row");
        cells.into_iter().find(|(id, _)| Key::Id(*id) == key).map(|(_, value)| value)
    }

    /// The ids that the list of a message's folder has.
    fn listed_beside(&self, subject: &str) -> Vec<u32> {
        let folder = parent(&self.store, node_of(&self.store, subject).nid);
        rows(&self.store, folder.with_kind(NodeType::CONTENTS_TABLE)).into_iter().map(|(id, _)| id).collect()
    }
}

/// What the KB says, damage as the forge's edits, the code that tells it, and what must hold after the repair.
type Case = (&'static str, &'static str, &'static str, fn(&Mended));

/// [`Case`]s in the order of the KB: structures, folders, messages, orphans.
const CASES: &[Case] = &[
    ("B-trees are validated", "flip page tree=nodes level=0 index=0 at=40", "P02", |_| {}),
    ("reference counts are validated", "set entry message=\"Long\" index=0 field=references value=1 fix=yes", "B18", |_| {}),
    ("a block that cannot be read is removed; here no item goes with it", "flip block message=\"Long\" index=0 at=100", "B08", |mended| {
        assert!(mended.folder("Long").ends_with("Inbox"));
    }),
    ("the correct tables are associated with each folder", "drop node list=\"Hello\"", "N07", |mended| {
        assert!(mended.listed_beside("Hello").len() >= 6, "all messages are listed again");
        assert!(mended.folder("Hello").ends_with("Inbox"));
    }),
    ("each row of a folder's table has its message", "row list=\"Hello\" add=0x999904", "M03", |mended| {
        assert!(!mended.listed_beside("Hello").contains(&0x99_9904));
    }),
    ("each row of a folder's table has its subfolder", "row beside=\"Hello\" add=0x99902", "M02", |mended| {
        let above = parent(&mended.store, parent(&mended.store, node_of(&mended.store, "Hello").nid));
        assert!(!rows(&mended.store, above.with_kind(NodeType::HIERARCHY_TABLE)).iter().any(|(id, _)| *id == 0x9_9902));
    }),
    ("each value of a row matches its message", "row message=\"Hello\" column=0x0037 text=\"Other\"", "M04", |mended| {
        assert_eq!(mended.cell("Hello", tags::SUBJECT), mended.before("Hello", tags::SUBJECT));
    }),
    ("a corrupted folder is recreated; here with its name", "set node folder=\"Hello\" field=data value=0 fix=yes", "N09", |mended| {
        assert!(mended.folder("Hello").ends_with("Inbox"), "{}", mended.folder("Hello"));
        let folder = mended.store.folder(parent(&mended.store, node_of(&mended.store, "Hello").nid)).unwrap();
        let count = folder.props.int(tags::CONTENT_COUNT);
        assert_eq!(count, i32::try_from(mended.listed_beside("Hello").len()).ok());
    }),
    ("a folder's counts are those of its tables", "props folder=\"Hello\" id=0x3602 value=99", "M05", |mended| {
        let folder = mended.store.folder(parent(&mended.store, node_of(&mended.store, "Hello").nid)).unwrap();
        assert_eq!(folder.props.int(tags::CONTENT_COUNT), i32::try_from(mended.listed_beside("Hello").len()).ok());
    }),
    ("attachment tables are validated", "row message=\"Files\" sub=0x671 index=0 drop=yes", "M17", |mended| {
        assert_eq!(mended.item("Files").attachments.len(), 2);
    }),
    ("attachments are validated: the method", "props message=\"Files\" attachment=0 id=0x3705 value=99", "M18", |mended| {
        assert_eq!(mended.item("Files").attachments[0].props.int(tags::ATTACH_METHOD), Some(1));
    }),
    ("attachments are validated: the size", "props message=\"Files\" attachment=0 id=0x0e20 drop=yes", "M31", |mended| {
        assert!(mended.item("Files").attachments[0].props.int(tags::ATTACH_SIZE).unwrap() > 16);
    }),
    ("recipient tables are validated", "row message=\"Hello\" sub=0x692 index=0 column=0x0c15 value=9", "M16", |mended| {
        assert_eq!(mended.item("Hello").recipients[0].int(tags::RECIPIENT_TYPE), Some(1));
    }),
    ("the recipients' names are brought into the message", "props message=\"Hello\" id=0x0e04 text=\"Nobody\"", "M30", |mended| {
        assert_eq!(mended.text("Hello", tags::DISPLAY_TO), "Bob Baker");
        let Some(Value::Unicode(_) | Value::String8(_)) = mended.cell("Hello", tags::DISPLAY_TO) else { panic!("no cell") };
    }),
    ("the parent folder is a valid one", "set node message=\"Hello\" field=parent value=0x122 fix=yes", "M20", |mended| {
        assert!(mended.folder("Hello").ends_with("Inbox"));
    }),
    ("the parent folder exists", "set node message=\"Long\" field=parent value=0x12342 fix=yes", "N03", |mended| {
        assert!(mended.folder("Long").ends_with("Inbox"));
    }),
    (
        "PR_MESSAGE_CLASS exists, else IPM.Note",
        "props message=\"Hello\" id=0x001a drop=yes\nrow message=\"Hello\" column=0x001a text=\"\"",
        "M07",
        |mended| {
            assert_eq!(mended.text("Hello", tags::MESSAGE_CLASS), "IPM.Note");
            assert_eq!(mended.cell("Hello", tags::MESSAGE_CLASS).as_ref(), mended.props("Hello").value(tags::MESSAGE_CLASS));
        },
    ),
    ("PR_MESSAGE_FLAGS exists", "props message=\"Hello\" id=0x0e07 drop=yes", "M08", |mended| {
        mended.is("Hello", tags::MESSAGE_FLAGS, &Value::I32(1));
    }),
    ("PR_MESSAGE_FLAGS: bits that mean nothing", "props message=\"Hello\" id=0x0e07 value=0x40000001", "M08", |mended| {
        mended.is("Hello", tags::MESSAGE_FLAGS, &Value::I32(1));
    }),
    ("PR_MESSAGE_FLAGS: associated", "props message=\"Hello\" id=0x0e07 value=0x41", "M08", |mended| {
        mended.is("Hello", tags::MESSAGE_FLAGS, &Value::I32(1));
    }),
    ("PR_MESSAGE_FLAGS: attachments where there are none", "props message=\"Hello\" id=0x0e07 value=0x11", "M08", |mended| {
        mended.is("Hello", tags::MESSAGE_FLAGS, &Value::I32(1));
    }),
    ("PR_MESSAGE_FLAGS: no attachments where there are some", "props message=\"Files\" id=0x0e07 value=0x1", "M08", |mended| {
        mended.is("Files", tags::MESSAGE_FLAGS, &Value::I32(0x11));
        assert_eq!(mended.cell("Files", tags::MESSAGE_FLAGS), Some(Value::I32(0x11)));
    }),
    ("PR_SUBMIT_FLAGS are clear where nothing is sent", "props message=\"Hello\" id=0x0e14 value=1", "M09", |mended| {
        mended.is("Hello", tags::SUBMIT_FLAGS, &Value::I32(0));
    }),
    ("PR_SUBMIT_FLAGS: bits that mean nothing", "props message=\"Hello\" id=0x0e14 value=0x70", "M09", |mended| {
        mended.is("Hello", tags::SUBMIT_FLAGS, &Value::I32(0));
    }),
    (
        "PR_CLIENT_SUBMIT_TIME of what was sent: not now, but the time of delivery",
        "props message=\"Hello\" id=0x0e07 value=0x5\nprops message=\"Hello\" id=0x0039 drop=yes",
        "M10",
        |mended| {
            let delivered = mended.before("Hello", tags::MESSAGE_DELIVERY_TIME).unwrap();
            mended.is("Hello", tags::CLIENT_SUBMIT_TIME, &delivered);
        },
    ),
    ("PR_SEARCH_KEY exists: not at random, but the same at every repair", "props message=\"Hello\" id=0x300b drop=yes", "M11", |mended| {
        assert_eq!(mended.props("Hello").bytes(tags::SEARCH_KEY).unwrap().len(), 16);
    }),
    ("PR_CREATION_TIME exists: not now, but the time of the last change", "props message=\"Hello\" id=0x3007 drop=yes", "M12", |mended| {
        let others = [tags::LAST_MODIFICATION_TIME, tags::MESSAGE_DELIVERY_TIME];
        let wanted = others.into_iter().find_map(|key| mended.before("Hello", key)).unwrap();
        mended.is("Hello", tags::CREATION_TIME, &wanted);
    }),
    ("PR_LAST_MODIFICATION_TIME exists: not now, but when it was made", "props message=\"Hello\" id=0x3008 drop=yes", "M13", |mended| {
        let wanted = mended.before("Hello", tags::CREATION_TIME).unwrap();
        mended.is("Hello", tags::LAST_MODIFICATION_TIME, &wanted);
    }),
    ("PR_MESSAGE_SIZE is computed anew where it is far off", "props message=\"Hello\" id=0x0e08 value=10000000", "M14", |mended| {
        let size = mended.props("Hello").int(tags::MESSAGE_SIZE).unwrap();
        assert!((500..5000).contains(&size), "{size}");
        assert_eq!(mended.cell("Hello", tags::MESSAGE_SIZE), Some(Value::I32(size)));
    }),
    ("orphaned messages go to Lost and Found", "row message=\"Hello\" drop=yes", "M21", |mended| {
        assert!(mended.folder("Hello").contains("Lost and Found"), "{}", mended.folder("Hello"));
    }),
    ("orphaned folders go to Lost and Found", "set node folder=\"Deeper\" field=parent value=0x12342 fix=yes", "N03", |mended| {
        assert!(mended.folder("Deeper").ends_with("Sub folder"), "{}", mended.folder("Deeper"));
    }),
];

/// Which of the formats cannot have it: OSTs keep that time in the folder's table.
fn applies(code: &str, format: Format) -> bool {
    (code, format) != ("M13", Format::Unicode4k)
}

fn subjects(store: &Store) -> BTreeSet<String> {
    messages(store).into_iter().map(|(_, subject)| subject).collect()
}

/// All messages lie in a folder that leads to the root folder, and its table lists them.
fn nothing_is_lost(mended: &Mended) {
    let missing: Vec<String> = subjects(&mended.base).difference(&subjects(&mended.store)).cloned().collect();
    assert!(missing.is_empty(), "lost: {missing:?}");
    for (nid, subject) in messages(&mended.store) {
        let folder = parent(&mended.store, nid);
        assert!(rows(&mended.store, folder.with_kind(NodeType::CONTENTS_TABLE)).iter().any(|(id, _)| *id == nid.0), "{subject}");
        let node = mended.store.locate(nid).unwrap();
        Properties::open(mended.store.ndb(), nid, node.data, node.subnodes).unwrap();
    }
}

fn hold(case: &Case, format: Format, base: &[u8]) {
    let (kb, damage, code, after) = case;
    let edits = Recipe::parse(&format!("base every-format\n{damage}\n"));
    let damaged = edits::damaged(base.to_vec(), &edits);
    let (found, _) = scan(damaged.clone());
    assert!(found.iter().any(|finding| finding.code.id() == *code), "{kb}: the scan tells {code}: {found:?}");
    let options = Options { thorough: true, ..Options::default() };
    let (bytes, plan) = repaired(&damaged, options);
    assert!(plan.left.is_empty(), "{kb}: {:?}", plan.left);
    let (mut left, outcome) = scan(bytes.clone());
    // What a dropped node had can still be recovered.
    left.retain(|finding| finding.code != Code::BlockUnused);
    assert!(left.is_empty() && outcome.verdict == Verdict::NoErrors, "{kb} ({format:?}): {left:?}");
    let (again, second) = repaired(&bytes, options);
    assert!(second.is_empty() && again == bytes, "{kb} ({format:?}): a second repair");
    let mended = Mended { base: open(base.to_vec()), store: open(bytes) };
    nothing_is_lost(&mended);
    after(&mended);
}

fn all(format: Format, cipher: Cipher) {
    let base = forge::store(format, cipher, &forge::recipe("every-format"));
    let mut wrong = Vec::new();
    for case in CASES.iter().filter(|case| applies(case.2, format)) {
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hold(case, format, &base)));
        println!("{:5} {} {}", if held.is_ok() { "good" } else { "WRONG" }, case.2, case.0);
        if held.is_err() {
            wrong.push(case.0);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_scanpst_checks_is_told_and_mended_in_ansi() {
    all(Format::Ansi, Cipher::Cyclic);
}

#[test]
fn what_scanpst_checks_is_told_and_mended_in_unicode() {
    all(Format::Unicode, Cipher::Permute);
}

#[test]
fn what_scanpst_checks_is_told_and_mended_in_4k() {
    all(Format::Unicode4k, Cipher::None);
}

fn documents(bytes: &[u8]) -> Documents {
    documents_of(&Tree::new(Arc::new(open(bytes.to_vec())), View::default(), 8 << 20))
}

/// A key made at random would give a message without a Message-ID another one, and a contact without a key another UID.
#[test]
fn a_search_key_that_a_repair_gives_changes_no_document() {
    let edits = ["Hello", "RE: Hello", "Files", "Forwarded", "Ann Archer", "Lunch"]
        .map(|subject| format!("props message=\"{subject}\" id=0x300b drop=yes\n"));
    let created = "props message=\"Ann Archer\" id=0x3007 drop=yes\n";
    let edits = Recipe::parse(&format!("base every-format\n{}{created}", edits.concat()));
    for format in Format::ALL {
        let damaged = edits::damaged(forge::store(format, Cipher::Permute, &forge::recipe("every-format")), &edits);
        let before = documents(&damaged);
        let (after, plan) = repaired(&damaged, Options { thorough: true, ..Options::default() });
        assert!(!plan.is_empty() && before.len() >= 10);
        for (nid, subject) in messages(&open(after.clone())) {
            assert!(open(after.clone()).node_props(nid).unwrap().has(tags::SEARCH_KEY), "{subject}");
        }
        assert!(before == documents(&after), "{format:?}: documents changed");
    }
}

/// What is written for another reason is made whole at once.
#[test]
fn a_plain_repair_gives_keys_and_times_to_the_messages_that_it_writes_and_to_no_other() {
    let lacks = |subject: &str| format!("props message=\"{subject}\" id=0x300b drop=yes\nprops message=\"{subject}\" id=0x3007 drop=yes\n");
    let edits = format!("base every-format\n{}{}props message=\"Hello\" id=0x0e07 value=0x11\n", lacks("Hello"), lacks("Long"));
    for format in Format::ALL {
        let damaged = edits::damaged(forge::store(format, Cipher::Permute, &forge::recipe("every-format")), &Recipe::parse(&edits));
        let store = open(repaired(&damaged, Options::default()).0);
        let has = |subject: &str| {
            [tags::SEARCH_KEY, tags::CREATION_TIME].map(|key| store.node_props(node_of(&store, subject).nid).unwrap().has(key))
        };
        assert_eq!((has("Hello"), has("Long")), ([true; 2], [false; 2]));
    }
}

/// Never the clock: a letter of which nothing tells a time gets the newest of its folder, else of the store, else the first
/// that there can be, and the same one at every repair.
#[test]
fn a_time_that_nothing_tells_comes_from_the_folder_then_from_the_store_then_from_1601() {
    let none = "    prop 0x0039 time 0\n    prop 0x0e06 time 0\n    prop 0x3008 time 0\n";
    let letter = |subject: &str, times: &str| format!("  note subject=\"{subject}\" body=\"x\"\n{times}");
    let folder = |name: &str, letters: &str| format!("folder {name} class=IPF.Note\n{letters}");
    let beside = folder("One", &(letter("Bare", none) + &letter("Dated", "")));
    let elsewhere = folder("One", &letter("Bare", none)) + &folder("Two", &letter("Dated", ""));
    let nowhere = folder("One", &letter("Bare", none));
    let edits = Recipe::parse("base times\nprops message=\"Bare\" id=0x3007 drop=yes\nprops message=\"Bare\" id=0x0039 drop=yes\n");
    for (letters, dated) in [(beside, true), (elsewhere, true), (nowhere, false)] {
        for format in Format::ALL {
            let healthy = forge::store(format, Cipher::Permute, &Recipe::parse(&format!("store \"Times\" seed=9\n{letters}")));
            let damaged = edits::damaged(healthy, &edits);
            let mend = || repaired(&damaged, Options { thorough: true, ..Options::default() }).0;
            let after = mend();
            assert!(after == mend(), "{format:?}: another time at another repair");
            let store = open(after);
            let time = |subject: &str| store.node_props(node_of(&store, subject).nid).unwrap().value(tags::CREATION_TIME).cloned();
            let first = Some(Value::Time(FileTime(0)));
            let wanted = if dated { time("Dated") } else { first.clone() };
            assert_eq!(time("Bare"), wanted, "{format:?}: {letters}");
            assert_eq!(dated, wanted != first);
        }
    }
}

/// A letter that waits to be sent is as it should be; bits that mean nothing go, and those that it has stay.
#[test]
fn submit_flags_stand_in_the_outbox_and_nowhere_else() {
    let store = |format, role: &str, flags: i32| {
        let folder = format!("folder Ausgang class=IPF.Note role={role}\n");
        let letter = format!("  note subject=\"Waits\" body=\"x\"\n    prop 0x0e14 i32 {flags}\n");
        forge::store(format, Cipher::Permute, &Recipe::parse(&format!("store \"Out\" seed=9\n{folder}{letter}")))
    };
    for format in Format::ALL {
        for (role, flags, told, left) in [("outbox", 1, false, 1), ("outbox", 0x71, true, 1), ("drafts", 1, true, 0)] {
            let bytes = store(format, role, flags);
            let found = scan(bytes.clone()).0.iter().any(|finding| finding.code == Code::SubmitFlags);
            assert_eq!(found, told, "{format:?}, {role}: {flags:#x}");
            let after = open(repaired(&bytes, Options::default()).0);
            let props = after.node_props(node_of(&after, "Waits").nid).unwrap();
            assert_eq!(props.int(tags::SUBMIT_FLAGS), Some(left), "{format:?}, {role}: {flags:#x}");
        }
    }
}
