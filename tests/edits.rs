//! Random edits of folders and messages beside a model: what readers list is what was done, and the store is exact.
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

#[path = "support/blank.rs"]
mod blank;
#[path = "support/check.rs"]
mod check;
#[allow(dead_code, reason = "only its random numbers are needed here")]
#[path = "support/model.rs"]
mod model;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use model::Random;
use pstfs::disk::crash::CrashDisk;
use pstfs::format::Format;
use pstfs::format::id::{Nid, NodeType};
use pstfs::ltp::Table;
use pstfs::ltp::value::Value;
use pstfs::ndb::write::Room;
use pstfs::store::props::Key;
use pstfs::store::write::{LOST_AND_FOUND, NewMessage, PropertyList, StoreEdit};
use pstfs::store::{Store, Which, flags, tags};
use support::{census, forge};

/// A message: its subject, whether it was read, and how much it holds: body, recipients, attachments.
type Message = (String, bool, [usize; 3]);

/// A folder: where it is, what it is called, its messages by node.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Folder {
    parent: Nid,
    name: String,
    messages: BTreeMap<Nid, Message>,
}

type Model = BTreeMap<Nid, Folder>;

/// PidTagBody.
const BODY: Key = Key::Id(0x1000);

/// What a reader lists, from the root folder on; counts in properties and rows must agree with the tables.
fn read(store: &Store) -> Model {
    let mut model = Model::new();
    let mut waiting = vec![(Nid::ROOT_FOLDER, Nid::ROOT_FOLDER)];
    while let Some((nid, parent)) = waiting.pop() {
        assert_eq!(store.ndb().node(nid).unwrap().unwrap().parent, parent, "the node's parent is the folder that lists it");
        let folder = store.folder(nid).unwrap();
        let children = store.subfolders(nid).unwrap();
        let contents = store.contents(nid, Which::Normal).unwrap();
        let messages: BTreeMap<Nid, Message> = contents
            .iter()
            .map(|row| {
                let item = store.item(store.locate(row.nid).unwrap()).unwrap();
                assert!(item.damage.is_empty());
                assert_eq!(store.ndb().node(row.nid).unwrap().unwrap().parent, nid);
                // The row tells what the message's own properties tell.
                let subject = item.subject().unwrap_or_default();
                assert_eq!(row.subject.clone().unwrap_or_default(), subject);
                let body = item.props.text(BODY).unwrap_or_default().len();
                (
                    row.nid,
                    (
                        subject,
                        item.props.int(tags::MESSAGE_FLAGS).unwrap_or(0) & flags::READ != 0,
                        [body, item.recipients.len(), item.attachments.len()],
                    ),
                )
            })
            .collect();
        let unread = messages.values().filter(|(_, read, _)| !read).count() as i32;
        let counted = [tags::CONTENT_COUNT, tags::CONTENT_UNREAD_COUNT].map(|key| folder.props.int(key).unwrap());
        assert_eq!(counted, [messages.len() as i32, unread], "folder {nid}");
        if nid != parent {
            assert_eq!(
                told_by_parent(store, parent, nid),
                [Value::I32(counted[0]), Value::I32(counted[1]), Value::Bool(!children.is_empty())]
            );
        }
        waiting.extend(children.iter().map(|child| (*child, nid)));
        model.insert(nid, Folder { parent, name: folder.name, messages });
    }
    model
}

/// What the row of a folder in its parent's table tells: messages, unread ones, whether there are folders below.
fn told_by_parent(store: &Store, parent: Nid, nid: Nid) -> [Value; 3] {
    let table = parent.with_kind(NodeType::HIERARCHY_TABLE);
    let node = store.ndb().node(table).unwrap().unwrap();
    let table = Table::open(store.ndb(), table, node.data, node.subnodes).unwrap();
    let (_, number) = table.row_numbers().unwrap().into_iter().find(|(id, _)| *id == nid.0).unwrap();
    let row = table.row(number).unwrap();
    [0x3602, 0x3603, 0x360a].map(|id| table.cell(&row, id).unwrap().unwrap())
}

/// The nodes of folders that are not there: tables that were left behind.
fn left_behind(store: &Store) -> Vec<Nid> {
    let mut nids = Vec::new();
    store
        .ndb()
        .visit_nodes(&mut |node| {
            nids.push(node.nid.nid);
            true
        })
        .unwrap();
    let tables = [NodeType::HIERARCHY_TABLE, NodeType::CONTENTS_TABLE, NodeType::ASSOCIATED_TABLE];
    let is_of_folder = |nid: &Nid| tables.contains(&nid.kind()) && nid.index() > 0x30;
    nids.iter().copied().filter(is_of_folder).filter(|nid| !nids.contains(&nid.with_kind(NodeType::FOLDER))).collect()
}

fn text(key: Key, value: &str) -> PropertyList {
    let mut props = PropertyList::default();
    props.set(key, Value::Unicode(value.to_owned()));
    props
}

fn new_message(subject: &str, read: bool, body: usize) -> NewMessage {
    let mut props = text(tags::SUBJECT, subject);
    props.set(tags::MESSAGE_CLASS, Value::Unicode("IPM.Note".into()));
    props.set(tags::MESSAGE_FLAGS, Value::I32(if read { flags::READ } else { 0 }));
    props.set(BODY, Value::Unicode("x".repeat(body)));
    NewMessage { props, subnodes: vec![] }
}

/// One random change to an edit and to the model. Messages in `fresh` have no node in the store yet.
fn change(random: &mut Random, edit: &mut StoreEdit<'_>, model: &mut Model, fresh: &mut BTreeSet<Nid>, own: &[Nid]) {
    // Only folders that the test made come and go; the store's own stay.
    let folders: Vec<Nid> = model.keys().copied().filter(|nid| *nid != Nid::ROOT_FOLDER).collect();
    let made: Vec<Nid> = folders.iter().copied().filter(|nid| !own.contains(nid)).collect();
    let messages: Vec<(Nid, Nid)> = model.iter().flat_map(|(folder, held)| held.messages.keys().map(|nid| (*folder, *nid))).collect();
    let folder = folders[random.below(folders.len())];
    let message = (!messages.is_empty()).then(|| messages[random.below(messages.len())]);
    let name = format!("n{}", random.below(100_000));
    match (random.below(9), message) {
        (0..=2, _) => {
            let (read, body) = (random.below(2) == 0, random.below(9_000));
            let nid = edit.insert_message(folder, new_message(&name, read, body), false).unwrap();
            fresh.insert(nid);
            model.get_mut(&folder).unwrap().messages.insert(nid, (name, read, [body, 0, 0]));
        }
        (3, _) => {
            let nid = edit.create_folder(folder, &text(tags::DISPLAY_NAME, &name)).unwrap();
            model.insert(nid, Folder { parent: folder, name, messages: BTreeMap::new() });
        }
        (4, Some((from, nid))) => {
            edit.delete_message(nid).unwrap();
            model.get_mut(&from).unwrap().messages.remove(&nid);
        }
        (5, Some((from, nid))) => {
            edit.move_message(nid, folder).unwrap();
            let held = model.get_mut(&from).unwrap().messages.remove(&nid).unwrap();
            model.get_mut(&folder).unwrap().messages.insert(nid, held);
        }
        (6, Some((from, nid))) if !fresh.contains(&nid) => {
            edit.update_message(nid, &text(tags::SUBJECT, &name)).unwrap();
            model.get_mut(&from).unwrap().messages.get_mut(&nid).unwrap().0 = name;
        }
        (7, _) if !made.is_empty() => {
            let nid = made[random.below(made.len())];
            if edit.move_folder(nid, folder).is_ok() {
                model.get_mut(&nid).unwrap().parent = folder;
            }
        }
        (8, _) if made.len() > 4 => {
            let nid = made[random.below(made.len())];
            edit.delete_folder(nid).unwrap();
            let mut gone = BTreeSet::from([nid]);
            while let Some(child) = model.iter().find(|(nid, held)| gone.contains(&held.parent) && !gone.contains(nid)).map(|(nid, _)| *nid)
            {
                gone.insert(child);
            }
            model.retain(|nid, _| !gone.contains(nid));
        }
        _ => {}
    }
}

fn shared(path: &str) -> Option<std::path::PathBuf> {
    ["../shared", "../../shared"].iter().map(|up| Path::new(env!("CARGO_MANIFEST_DIR")).join(up).join(path)).find(|path| path.exists())
}

fn rawchk(bytes: &[u8]) -> bool {
    let Some(tool) = shared("tools/rawchk.py") else { return false };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let Ok(output) = Command::new("python3").arg(tool).arg("--check").arg(file.path()).output() else { return false };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.trim_end().ends_with(" clean"), "rawchk: {said}");
    true
}

fn commit(bytes: Vec<u8>, format: Format, changes: impl FnOnce(&mut StoreEdit<'_>)) -> Vec<u8> {
    let store = Store::open(Arc::new(bytes.clone()), 1 << 20).unwrap();
    let mut edit = StoreEdit::begin(&store).unwrap();
    changes(&mut edit);
    let disk = CrashDisk::new(bytes);
    edit.finish().unwrap().with_room(Room::reuse(format)).commit(&disk, &disk.beside(Vec::new())).unwrap();
    disk.bytes()
}

#[test]
fn random_edits_agree_with_what_readers_list() {
    let rounds = if std::env::var_os("PSTFS_LONG").is_some() { 100 } else { 8 };
    let recipe = forge::recipe("every-format");
    let (mut commits, mut asked) = (0, 0);
    for (format, cipher) in forge::variants() {
        let mut random = Random(9);
        let mut bytes = forge::store(format, cipher, &recipe);
        let mut model = read(&census::open(bytes.clone()));
        let own: Vec<Nid> = model.keys().copied().collect();
        for round in 0..rounds {
            bytes = commit(bytes, format, |edit| {
                let mut fresh = BTreeSet::new();
                for _ in 0..=random.below(8) {
                    change(&mut random, edit, &mut model, &mut fresh, &own);
                }
            });
            let name = forge::variant_name(format, cipher);
            assert_eq!(check::faults(&bytes), [""; 0], "{name} after edit {round}");
            assert_eq!(support::audit::faults(Arc::new(bytes.clone())), [""; 0], "{name} after edit {round}");
            let store = census::open(bytes.clone());
            assert!(read(&store) == model, "{name} after edit {round}");
            assert_eq!((store.ndb().notes().findings(), left_behind(&store)), (vec![], vec![]));
            commits += 1;
        }
        asked += usize::from(rawchk(&bytes));
    }
    println!("{commits} edits in nine variants agree with the model; rawchk clean {asked} times");
}

#[test]
fn lost_and_found_is_made_once_and_takes_what_no_folder_holds() {
    let format = Format::Unicode;
    let recipe = forge::recipe("every-format");
    let bytes = forge::store(format, pstfs::format::cipher::Cipher::Permute, &recipe);
    let (mut orphan, mut lost) = (Nid(0), Nid(0));
    // A message without a row: the row of a message is deleted, the node stays.
    let bytes = commit(bytes, format, |edit| {
        let folder = edit.lost_and_found().unwrap();
        assert_eq!(edit.lost_and_found().unwrap(), folder);
        orphan = edit.insert_message(folder, new_message("kept", true, 5_000), false).unwrap();
        lost = folder;
    });
    let store = census::open(bytes.clone());
    let before = census::lines(&store);
    assert_eq!(store.folder(lost).unwrap().name, LOST_AND_FOUND);
    let bytes = commit(bytes, format, |edit| {
        assert_eq!(edit.lost_and_found().unwrap(), lost);
        edit.adopt_message(orphan, lost).unwrap();
    });
    assert_eq!(census::lines(&census::open(bytes.clone())), before, "adopting what is there changes nothing");
    assert_eq!(check::faults(&bytes), [""; 0]);
}

#[test]
fn what_an_edit_does_not_touch_stays_as_it_was() {
    for (format, cipher) in forge::variants() {
        let bytes = forge::store(format, cipher, &forge::recipe("every-format"));
        let before = census::lines(&census::open(bytes.clone()));
        let (mut folder, mut nid) = (Nid(0), Nid(0));
        let bytes = commit(bytes, format, |edit| {
            folder = edit.create_folder(Nid::ROOT_FOLDER, &text(tags::DISPLAY_NAME, "new")).unwrap();
            nid = edit.insert_message(folder, new_message("one", false, 20_000), false).unwrap();
        });
        let between: BTreeSet<String> = census::lines(&census::open(bytes.clone())).into_iter().collect();
        assert!(before.iter().all(|line| between.contains(line)), "all lines from before are there");
        let bytes = commit(bytes, format, |edit| {
            edit.delete_message(nid).unwrap();
            edit.delete_folder(folder).unwrap();
        });
        assert_eq!(census::lines(&census::open(bytes.clone())), before, "and nothing else, when the new is gone again");
        assert_eq!(check::faults(&bytes), [""; 0]);
    }
}

#[test]
fn a_folder_does_not_go_below_itself() {
    let bytes = forge::store(Format::Unicode, pstfs::format::cipher::Cipher::None, &forge::recipe("every-format"));
    let store = census::open(bytes);
    let mut edit = StoreEdit::begin(&store).unwrap();
    let above = edit.create_folder(store.ipm_subtree(), &text(tags::DISPLAY_NAME, "above")).unwrap();
    let below = edit.create_folder(above, &text(tags::DISPLAY_NAME, "below")).unwrap();
    assert!(edit.move_folder(above, below).is_err() && edit.move_folder(above, above).is_err());
}
