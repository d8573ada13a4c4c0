//! Deletion truth: stores from which known items were deleted, some of them partly overwritten since. What is still there
//! whole is found, what is live is never called deleted, and nothing is made up.
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

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use pstfs::disk::crash::CrashDisk;
use pstfs::format::Format;
use pstfs::format::block::{DataTreeBlock, SubnodeBlock};
use pstfs::format::btree::{BTreePage, BranchEntry};
use pstfs::format::cipher::Cipher;
use pstfs::format::id::{Bid, Nid};
use pstfs::format::page::{Page, PageKind};
use pstfs::ltp::value::Value;
use pstfs::ndb::write::Room;
use pstfs::ndb::{BTree, Ndb};
use pstfs::progress::Progress;
use pstfs::recover::{Category, Confidence, Origin, Part};
use pstfs::store::Store;
use pstfs::store::props::Key;
use pstfs::store::write::{NewMessage, PropertyList, StoreEdit};
use pstfs::store::{Which, tags};
use pstfs::tree::{Ino, Kind, Object, Recovered, Tree, View};
use support::forge;

/// Items of all kinds, each unlike the others.
const RECIPE: &str = r#"
store "Deletion truth" seed=77
folder Inbox class=IPF.Note role=inbox
  repeat 40
    note subject="Letter {n}" from="A <a{n}@example.com>" to="B <b@example.com>" body="letter number {n}"
    note subject="Long {n}" from="A <a{n}@example.com>" to="B <b@example.com>" body-size=9000 seed={n}
    note subject="Enclosed {n}" from="C <c{n}@example.com>" to="B <b@example.com>" body="with enclosure {n}"
      attach "file {n}.bin" size=15000
  folder Below class=IPF.Note
    repeat 20
      note subject="Deep {n}" from="D <d{n}@example.com>" to="B <b@example.com>" body="deep number {n}"
folder Contacts class=IPF.Contact role=contacts
  repeat 20
    contact name="Person {n}" email="person{n}@example.com"
"#;

/// The documents below a folder, by the number of each, with their paths.
fn documents(tree: &Tree, top: &str) -> BTreeMap<Ino, (String, Vec<u8>)> {
    let mut documents = BTreeMap::new();
    let mut waiting = vec![(tree.resolve(top).unwrap(), top.to_owned())];
    while let Some((folder, path)) = waiting.pop() {
        for entry in &tree.list(folder).unwrap().entries {
            let path = format!("{path}/{}", entry.name);
            match entry.kind {
                Kind::Directory => waiting.push((entry.ino, path)),
                Kind::File => assert!(documents.insert(entry.ino, (path, read(tree, entry.ino))).is_none()),
            }
        }
    }
    documents
}

/// A document's bytes, which are as many as `stat` says.
fn read(tree: &Tree, ino: Ino) -> Vec<u8> {
    let size = tree.attributes(ino).unwrap().size;
    let bytes = tree.read(&tree.open(ino).unwrap(), 0, usize::MAX >> 1).unwrap();
    assert_eq!(bytes.len() as u64, size);
    bytes
}

/// A document without the line that says where it was found.
fn plain(document: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(document);
    let lines = text.split_inclusive('\n').filter(|line| !line.to_lowercase().starts_with("x-pstfs-origin:"));
    lines.collect::<String>().into_bytes()
}

fn open(bytes: &[u8]) -> Tree {
    let store = Arc::new(Store::open(Arc::new(bytes.to_vec()), 8 << 20).unwrap());
    Tree::new(store, View { recovered: Recovered::Orphaned, ..View::default() }, 8 << 20)
}

/// Live documents: those in the folders that users see.
fn live(tree: &Tree) -> BTreeMap<Nid, Vec<u8>> {
    let all = documents(tree, "");
    let of = |ino| match Object::of(ino) {
        Some(Object::Document(slot)) if !slot.orphaned => Some(slot.nid),
        _ => None,
    };
    all.into_iter().filter_map(|(ino, (_, bytes))| Some((of(ino)?, bytes))).collect()
}

/// Every block of a node, and those of the nodes below it.
fn blocks(ndb: &Ndb, data: Bid, subnodes: Bid) -> BTreeSet<Bid> {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![(data, false), (subnodes, true)];
    while let Some((bid, is_tree)) = waiting.pop() {
        if bid.is_none() || !seen.insert(bid.key()) || !bid.is_internal() {
            continue;
        }
        let block = ndb.block(bid).unwrap();
        if is_tree {
            match SubnodeBlock::decode(ndb.format(), &block.data).unwrap() {
                SubnodeBlock::Leaf(entries) => {
                    waiting.extend(entries.iter().flat_map(|entry| [(entry.data, false), (entry.subnodes, true)]));
                }
                SubnodeBlock::Branch(branches) => waiting.extend(branches.iter().map(|branch| (branch.child, true))),
            }
        } else {
            let children = DataTreeBlock::decode(ndb.format(), &block.data).unwrap().children;
            waiting.extend(children.iter().map(|child| (*child, false)));
        }
    }
    seen
}

/// An item as it was before it was deleted or changed.
struct Truth {
    nid: Nid,
    document: Vec<u8>,
    /// Where its blocks stood, and their bytes.
    blocks: Vec<(usize, Vec<u8>)>,
    /// Where the block of its properties stood.
    properties: usize,
}

impl Truth {
    fn is_intact(&self, bytes: &[u8]) -> bool {
        self.blocks.iter().all(|(at, block)| bytes.get(*at..*at + block.len()) == Some(block))
    }
}

fn truth(bytes: &[u8], tree: &Tree, nid: Nid, document: &[u8]) -> Truth {
    let ndb = tree.store().ndb();
    let node = ndb.node(nid).unwrap().unwrap();
    let place = |bid: Bid| {
        let entry = ndb.block_entry(bid).unwrap();
        let at = entry.block.ib.0 as usize;
        (at, bytes[at..at + entry.stored_bytes(ndb.format()) as usize].to_vec())
    };
    let (properties, _) = place(node.data);
    let blocks = blocks(ndb, node.data, node.subnodes).into_iter().map(place).collect();
    Truth { nid, document: document.to_vec(), blocks, properties }
}

/// Makes a change, in free space first so that what was deleted is overwritten, or in new space.
fn edit(bytes: &[u8], overwrite: bool, change: impl FnOnce(&Store, &mut StoreEdit<'_>)) -> Vec<u8> {
    let store = Store::open(Arc::new(bytes.to_vec()), 8 << 20).unwrap();
    let mut edit = StoreEdit::begin(&store).unwrap();
    change(&store, &mut edit);
    let room = if overwrite { Room::reuse(store.ndb().format()) } else { Room::grow(store.ndb().format()) };
    let disk = CrashDisk::new(bytes.to_vec());
    edit.finish().unwrap().with_room(room).commit(&disk, &disk.beside(Vec::new())).unwrap();
    disk.bytes()
}

fn subject(text: &str) -> PropertyList {
    let mut props = PropertyList::default();
    props.set(tags::SUBJECT, Value::Unicode(text.into()));
    props
}

/// A store with deletions, and what is known of it.
struct Case {
    bytes: Vec<u8>,
    deleted: Vec<Truth>,
    older: Vec<Truth>,
    /// Every document that any item ever had.
    known: BTreeSet<Vec<u8>>,
}

/// Deletes every tenth item and changes some, in `rounds` transactions, and writes new items over what is free then.
fn case(format: Format, cipher: Cipher, rounds: usize, inserts: usize) -> Case {
    let mut bytes = forge::store(format, cipher, &forge::Recipe::parse(RECIPE));
    let tree = open(&bytes);
    let all = live(&tree);
    let mut known: BTreeSet<Vec<u8>> = all.values().cloned().collect();
    let take = |every: usize, from: usize| all.iter().skip(from).step_by(every).map(|(nid, document)| truth(&bytes, &tree, *nid, document));
    let deleted: Vec<Truth> = take(10, 3).collect();
    let older: Vec<Truth> = take(25, 4).filter(|one| deleted.iter().all(|other| other.nid != one.nid)).collect();
    for round in 0..rounds {
        let now = deleted.iter().skip(round).step_by(rounds).map(|one| one.nid);
        let changed = older.iter().skip(round).step_by(rounds).map(|one| one.nid);
        bytes = edit(&bytes, false, |_, edit| {
            now.for_each(|nid| edit.delete_message(nid).unwrap());
            changed.for_each(|nid| edit.update_message(nid, &subject(&format!("Changed {nid}"))).unwrap());
        });
    }
    let changed = live(&open(&bytes));
    let older = unlike(older, &changed);
    known.extend(changed.into_values());
    for round in 0..inserts {
        bytes = edit(&bytes, true, |store, edit| {
            let folder = store.subfolders(store.ipm_subtree()).unwrap()[0];
            let mut props = subject(&format!("New {round}"));
            props.set(tags::MESSAGE_CLASS, Value::Unicode("IPM.Note".into()));
            props.set(Key::Id(0x1000), Value::Unicode(format!("{round} ").repeat(3000)));
            edit.insert_message(folder, NewMessage { props, ..NewMessage::default() }, false).unwrap();
        });
    }
    known.extend(live(&open(&bytes)).into_values());
    Case { bytes, deleted, older, known }
}

/// Earlier states that read unlike the live item: cards tell no subject.
fn unlike(older: Vec<Truth>, live: &BTreeMap<Nid, Vec<u8>>) -> Vec<Truth> {
    older.into_iter().filter(|one| live.get(&one.nid) != Some(&one.document)).collect()
}

/// How many of the whole ones are found: with a document that is the same but for its origin.
fn recall(truths: &[Truth], bytes: &[u8], found: &BTreeSet<Vec<u8>>) -> (usize, usize) {
    let intact: Vec<&Truth> = truths.iter().filter(|truth| truth.is_intact(bytes)).collect();
    (intact.iter().filter(|truth| found.contains(&truth.document)).count(), intact.len())
}

fn check(format: Format, cipher: Cipher, rounds: usize, inserts: usize) {
    let case = case(format, cipher, rounds, inserts);
    let tree = open(&case.bytes);
    tree.search(&Progress::default()).unwrap();
    let findings = tree.found().unwrap();
    let in_folder = |category: Category| documents(&tree, &format!("Recovered/{}", category.name()));
    let (deleted, older) = (in_folder(Category::Deleted), in_folder(Category::Older));
    let texts = |found: &BTreeMap<Ino, (String, Vec<u8>)>| found.values().map(|(_, bytes)| plain(bytes)).collect::<BTreeSet<_>>();
    let all: BTreeSet<Vec<u8>> = texts(&deleted).union(&texts(&older)).cloned().collect();
    let live: BTreeSet<Vec<u8>> = live(&tree).into_values().collect();
    let (found, intact) = recall(&case.deleted, &case.bytes, &texts(&deleted));
    let (older_found, older_intact) = recall(&case.older, &case.bytes, &all);
    println!(
        "{:?} {}: {} deleted, {intact} of them whole, {found} found; {older_found} of {older_intact} earlier states; in all {} deleted, \
         {} older, {} fragments; pffexport: {}",
        format,
        cipher.name(),
        case.deleted.len(),
        findings.count(Category::Deleted),
        findings.count(Category::Older),
        findings.count(Category::Fragment),
        peer_recall(&case),
    );
    assert!(found * 100 >= intact * 99, "{found} of {intact}");
    assert!(older_found * 100 >= older_intact * 99, "{older_found} of {older_intact} earlier states");
    assert!(texts(&deleted).is_disjoint(&live), "a live item is called deleted");
    let known: BTreeSet<String> = case.known.iter().flat_map(|document| unfolded(document)).collect();
    for (ino, (path, bytes)) in deleted.iter().chain(&older) {
        let Some(Object::Found(index)) = Object::of(*ino) else { panic!("{path}") };
        let found = findings.get(index).unwrap();
        assert_eq!(found.part, Part::Whole);
        let says = format!("{}; {}", if found.category == Category::Older { "older version" } else { "deleted" }, found.confidence);
        assert!(String::from_utf8_lossy(bytes).to_lowercase().contains(&format!("x-pstfs-origin: {says}")) || path.ends_with(".vcf"));
        if found.confidence == Confidence::Complete {
            assert!(case.known.contains(&plain(bytes)), "{path} was never there");
        } else {
            assert_eq!(made_up(bytes, &known), Vec::<String>::new(), "{path}");
        }
        let origin = tree.xattr(*ino, "user.pst.origin").unwrap().unwrap();
        assert_eq!(String::from_utf8(origin).unwrap(), found.origin.to_string());
        assert_eq!(tree.xattr(*ino, "user.pst.confidence").unwrap().unwrap(), found.confidence.to_string().into_bytes());
    }
    let nids: BTreeSet<Nid> = findings.items().iter().filter(|one| one.category == Category::Deleted).map(|one| one.nid()).collect();
    assert!(nids.iter().all(|nid| nid.0 == 0 || tree.store().ndb().node(*nid).unwrap().is_none()), "a live node is called deleted");
    documents(&tree, "Recovered/Fragments");
}

/// What pffexport recovers from the same bytes: how many items, and the lines of what it tells of each.
fn peer(bytes: &[u8]) -> Option<(usize, BTreeSet<String>)> {
    let folder = tempfile::tempdir().unwrap();
    let (store, target) = (folder.path().join("store.pst"), folder.path().join("out"));
    std::fs::write(&store, bytes).unwrap();
    Command::new("pffexport").args(["-q", "-m", "recovered", "-t"]).arg(&target).arg(&store).output().ok()?;
    let (mut count, mut lines) = (0, BTreeSet::new());
    for entry in std::fs::read_dir(folder.path().join("out.recovered")).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        count += usize::from(!name.starts_with("Folder") && name.ends_with(|last: char| last.is_ascii_digit()));
        for file in ["OutlookHeaders.txt", "Contact.txt"] {
            let text = std::fs::read(path.join(file)).unwrap_or_default();
            let last = |line: &str| line.rsplit('\t').next().unwrap_or_default().trim().to_owned();
            lines.extend(String::from_utf8_lossy(&text).lines().map(last));
        }
    }
    Some((count, lines))
}

fn peer_count(bytes: &[u8]) -> String {
    peer(bytes).map_or_else(|| "not installed".into(), |(count, _)| count.to_string())
}

/// How many of the whole items that were deleted pffexport recovers at all, by their subject or name alone.
fn peer_recall(case: &Case) -> String {
    let Some((count, lines)) = peer(&case.bytes) else { return "not installed".into() };
    let intact = || case.deleted.iter().filter(|truth| truth.is_intact(&case.bytes));
    let found = intact().filter(|truth| lines.contains(&title(&truth.document))).count();
    format!("{found} of {} ({count} in all)", intact().count())
}

/// A mail's subject, or the name on a card.
fn title(document: &[u8]) -> String {
    let text = String::from_utf8_lossy(document).into_owned();
    let title = text.lines().find_map(|line| line.strip_prefix("Subject: ").or_else(|| line.strip_prefix("FN:")));
    title.unwrap_or_default().to_owned()
}

/// What a document says that none that ever was says: lines of it that are neither in one nor about what is missing.
fn made_up(document: &[u8], known: &BTreeSet<String>) -> Vec<String> {
    let is_ours = |line: &&String| {
        let own = ["X-Pstfs-", "X-PSTFS-", "Message-ID:", "Content-Type:", "Content-Transfer-Encoding:", "To: ", "--"];
        own.iter().any(|own| line.starts_with(own)) || line.contains("unreadable.txt") || line.contains("cannot be read")
    };
    // What is missing of an attachment is zeros, before or behind what is there.
    let is_cut = |line: &&String| {
        if line.chars().all(|char| char == 'A' || char == '=') {
            return true;
        }
        let (tail, head) = (line.trim_start_matches('A'), line.trim_end_matches(['A', '=']));
        let rest = |text: &str, at: usize| text.get(at..).unwrap_or_default().to_owned();
        let (tail, head) = (rest(tail, 4), head.get(..head.len().saturating_sub(4)).unwrap_or_default());
        line.starts_with("AAAA") && known.iter().any(|line| line.ends_with(&tail))
            || line.ends_with("AAAA") && known.iter().any(|line| line.starts_with(head))
    };
    unfolded(document).filter(|line| !known.contains(line)).filter(|line| !is_ours(&line) && !is_cut(&line)).collect()
}

/// The lines of a document, those of its headers in one piece.
fn unfolded(document: &[u8]) -> impl Iterator<Item = String> + use<> {
    let text = String::from_utf8_lossy(document).replace("\n ", " ").replace("\n\t", " ");
    text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().into_iter()
}

#[test]
fn deleted_items_are_found_in_ansi_stores() {
    Cipher::ALL.into_iter().for_each(|cipher| check(Format::Ansi, cipher, 1, 6));
    check(Format::Ansi, Cipher::Permute, 5, 2);
}

#[test]
fn deleted_items_are_found_in_unicode_stores() {
    Cipher::ALL.into_iter().for_each(|cipher| check(Format::Unicode, cipher, 1, 6));
    check(Format::Unicode, Cipher::Permute, 5, 2);
}

#[test]
fn deleted_items_are_found_in_4k_stores() {
    Cipher::ALL.into_iter().for_each(|cipher| check(Format::Unicode4k, cipher, 1, 6));
    check(Format::Unicode4k, Cipher::Permute, 3, 2);
}

#[test]
fn what_was_never_changed_has_nothing_deleted() {
    for name in forge::names("healthy") {
        let recipe = forge::recipe(&name);
        let (format, cipher) = forge::wanted(&recipe)[0];
        let tree = open(&forge::store(format, cipher, &recipe));
        tree.search(&Progress::default()).unwrap();
        let findings = tree.found().unwrap();
        let found = Category::ALL.map(|category| findings.count(category));
        assert_eq!(found, if name == "deleted-messages" { [5, 0, 0] } else { [0; 3] }, "{name}");
        assert_eq!(documents(&tree, "Recovered/Orphaned").len(), 0, "{name}");
    }
}

/// Overwrites every page of the node B-tree that is not live, as a store does that went on for long.
fn without_old_pages(mut bytes: Vec<u8>) -> Vec<u8> {
    let ndb = Ndb::open(Arc::new(bytes.clone()), 1 << 20).unwrap();
    let page_bytes = ndb.format().layout().page_bytes;
    let survey = pstfs::recover::survey::survey(&bytes, ndb.format(), &Progress::default()).unwrap();
    let mut live = BTreeSet::from([ndb.root(BTree::Nodes).ib]);
    let mut waiting: Vec<_> = live.iter().copied().collect();
    while let Some(ib) = waiting.pop() {
        let page = Page::decode(ndb.format(), &bytes[ib.0 as usize..ib.0 as usize + page_bytes]).unwrap();
        let body = BTreePage::decode(ndb.format(), page.body).unwrap();
        if body.info.level > 0 {
            waiting.extend(body.entries::<BranchEntry>().map(|entry| entry.child.ib));
        }
        live.insert(ib);
    }
    for page in survey.pages.iter().filter(|page| page.kind == PageKind::NODES && !live.contains(&page.ib)) {
        bytes[page.ib.0 as usize..page.ib.0 as usize + page_bytes].fill(0xa5);
    }
    bytes
}

#[test]
fn items_are_found_where_no_old_page_names_them() {
    for (format, cipher) in [(Format::Ansi, Cipher::Permute), (Format::Unicode, Cipher::Cyclic), (Format::Unicode4k, Cipher::Permute)] {
        let case = case(format, cipher, 1, 0);
        let bytes = without_old_pages(case.bytes);
        let tree = open(&bytes);
        tree.search(&Progress::default()).unwrap();
        let findings = tree.found().unwrap();
        let found: BTreeSet<Vec<u8>> = documents(&tree, "Recovered/Deleted").values().map(|(_, bytes)| plain(bytes)).collect();
        let older: BTreeSet<Vec<u8>> = documents(&tree, "Recovered/Older versions").values().map(|(_, bytes)| plain(bytes)).collect();
        let counts = Category::ALL.map(|category| findings.count(category));
        let (recalled, intact) = recall(&case.deleted, &bytes, &found);
        let (older_recalled, older_intact) = recall(&case.older, &bytes, &older);
        println!("{format:?}: {recalled} of {intact} deleted, {older_recalled} of {older_intact} earlier states; in all {counts:?}");
        assert!(recalled * 100 >= intact * 99);
        assert!(older_recalled * 100 >= older_intact * 99);
        assert!(found.iter().chain(&older).all(|document| case.known.contains(document)), "something was made up");
    }
}

/// The live page's own slack: no older page is left, and no block looks free, so nothing else tells of the item.
#[test]
fn what_only_a_slack_entry_names_is_found() {
    for (format, cipher) in [(Format::Ansi, Cipher::Permute), (Format::Unicode, Cipher::Cyclic), (Format::Unicode4k, Cipher::None)] {
        let mut bytes = forge::store(format, cipher, &forge::Recipe::parse(RECIPE));
        let all = live(&open(&bytes));
        let gone: BTreeMap<Nid, Vec<u8>> = all.iter().skip(2).step_by(9).map(|(nid, document)| (*nid, document.clone())).collect();
        for nid in gone.keys() {
            bytes = forge::edits::damaged(bytes, &forge::Recipe::parse(&format!("leave node node={nid}\n")));
        }
        let tree = open(&bytes);
        tree.search(&Progress::default()).unwrap();
        let findings = tree.found().unwrap();
        let found: BTreeMap<Nid, _> = findings.items().iter().map(|one| (one.nid(), one)).collect();
        assert_eq!(found.keys().collect::<Vec<_>>(), gone.keys().collect::<Vec<_>>(), "{format:?}");
        assert!(found.values().all(|one| matches!(one.origin, Origin::Slack(_)) && one.category == Category::Deleted));
        assert!(found.values().all(|one| one.confidence == Confidence::Complete));
        let shown = documents(&tree, "Recovered/Deleted");
        assert!(shown.values().all(|(path, _)| path.matches('/').count() > 2), "each stands in its folder: {:?}", shown.values().next());
        assert_eq!(shown.values().map(|(_, bytes)| plain(bytes)).collect::<BTreeSet<_>>(), gone.into_values().collect());
    }
}

#[test]
fn a_deleted_folder_names_the_place_of_its_items() {
    let bytes = forge::store(Format::Unicode, Cipher::Permute, &forge::Recipe::parse(RECIPE));
    let bytes = edit(&bytes, false, |store, edit| {
        let inbox = store.subfolders(store.ipm_subtree()).unwrap().into_iter().find(|nid| store.folder(*nid).unwrap().name == "Inbox");
        let below = store.subfolders(inbox.unwrap()).unwrap()[0];
        edit.delete_folder(below).unwrap();
    });
    let tree = open(&bytes);
    tree.search(&Progress::default()).unwrap();
    assert_eq!(documents(&tree, "Recovered/Deleted/Inbox/Below").len(), 20);
    assert_eq!(documents(&tree, "Recovered/Deleted").len(), 20);
}

#[test]
fn a_moved_item_is_not_deleted() {
    let bytes = forge::store(Format::Unicode, Cipher::Permute, &forge::Recipe::parse(RECIPE));
    let bytes = edit(&bytes, false, |store, edit| {
        let folders = store.subfolders(store.ipm_subtree()).unwrap();
        let inbox = folders.iter().find(|nid| store.folder(**nid).unwrap().name == "Inbox").unwrap();
        for row in store.contents(*inbox, Which::Normal).unwrap().iter().take(20) {
            edit.move_message(row.nid, folders[0]).unwrap();
        }
    });
    let tree = open(&bytes);
    tree.search(&Progress::default()).unwrap();
    assert_eq!(documents(&tree, "Recovered").len(), 0);
}

/// Outlook makes a new item of one that is moved to another store and back, or put in twice, and gives it a number of its
/// own for replication. The item that was thrown away says nothing that the other one does not.
#[test]
fn what_differs_in_marks_of_replication_alone_is_no_deleted_item() {
    let item = |mark: &str| {
        let times = ["0x0039", "0x0e06", "0x3007", "0x3008"].map(|id| format!("prop {id} time 132640000000000000"));
        let own = format!("prop 0x0e30 binary {mark}\nprop 0x0e33 i64 {}\nprop 0x0e34 binary {mark}{mark}", mark.len());
        let same = "prop 0x300b binary 0102030405060708090a0b0c0d0e0f10\nprop 0x1035 unicode \"<one@example.com>\"";
        let props = [times.join("\n"), own, same.to_owned()].join("\n").replace('\n', "\n      ");
        format!("item class=IPM.Note subject=\"One\"\n      {props}")
    };
    let folder = "folder Inbox class=IPF.Note role=inbox";
    let recipe = format!("store \"Twice\" seed=5\n{folder}\n  {}\n  deleted\n    {}\n", item("aa"), item("bbbb"));
    let bytes = forge::store(Format::Unicode, Cipher::Permute, &forge::Recipe::parse(&recipe));
    let tree = open(&bytes);
    tree.search(&Progress::default()).unwrap();
    assert_eq!(Category::ALL.map(|category| tree.found().unwrap().count(category)), [0; 3]);
}

#[test]
fn a_search_stops_when_it_is_told_to() {
    let progress = Progress::default();
    progress.cancel();
    let tree = open(&forge::store(Format::Unicode, Cipher::None, &forge::recipe("deleted-messages")));
    assert!(matches!(tree.search(&progress), Err(pstfs::damage::Error::Cancelled)));
    assert!(tree.found().is_none());
    let names: Vec<String> =
        tree.list(tree.resolve("Recovered").unwrap()).unwrap().entries.iter().map(|entry| entry.name.clone()).collect();
    assert_eq!(names, ["Orphaned"], "folders appear when a search has ended");
}

/// The same search again gives the same names and numbers: scripts keep paths, the kernel keeps numbers.
#[test]
fn names_and_numbers_are_the_same_at_every_search() {
    let case = case(Format::Unicode, Cipher::Permute, 3, 2);
    let listed = || {
        let tree = open(&case.bytes);
        tree.search(&Progress::default()).unwrap();
        documents(&tree, "Recovered")
    };
    let first = listed();
    assert!(first.len() > 5 && first == listed());
}

/// An item whose own properties were overwritten: what lay beside them is shown as a part of something lost.
#[test]
fn attachments_whose_message_is_overwritten_are_fragments() {
    for format in Format::ALL {
        let mut case = case(format, Cipher::Permute, 1, 0);
        // The first block of each deleted item with an enclosure that is no inner block holds its properties.
        let enclosed = |one: &&Truth| String::from_utf8_lossy(&one.document).contains("Subject: Enclosed");
        let lost: Vec<&Truth> = case.deleted.iter().filter(enclosed).collect();
        for one in &lost {
            let at = one.properties;
            case.bytes[at..at + 64].fill(0x5a);
        }
        let tree = open(&case.bytes);
        tree.search(&Progress::default()).unwrap();
        let found = documents(&tree, "Recovered/Fragments");
        for one in &lost {
            let document = String::from_utf8_lossy(&one.document).into_owned();
            let name = document.split("filename=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
            let (path, fragment) = found.values().find(|(path, _)| path.contains(&name)).unwrap_or_else(|| panic!("{name}: {found:?}"));
            let fragment = String::from_utf8_lossy(fragment);
            assert!(fragment.contains("\nX-Pstfs-Origin: fragment\n"), "{path}");
            let content = |text: &str| text.split("\n\n").max_by_key(|part| part.len()).unwrap().split("\n--").next().unwrap().to_owned();
            assert_eq!(content(&fragment), content(&document), "{path}");
        }
        assert!(lost.len() > 2);
    }
}

/// What the mount of an undamaged store shows as recovered opens, and is not live.
#[test]
fn what_real_stores_have_deleted_opens() {
    let beside = ["../shared/corpus", "../../shared/corpus"].map(|path| Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
    let Some(corpus) = beside.into_iter().find(|path| path.is_dir()) else {
        println!("skipped: the corpus is not here");
        return;
    };
    let mut paths: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "pst" || extension == "ost"));
    paths.sort();
    let (mut copies, mut slack) = (Vec::new(), 0);
    for path in paths {
        let Ok(store) = Store::open(Arc::new(std::fs::read(&path).unwrap()), 8 << 20) else { continue };
        let tree = Tree::new(Arc::new(store), View::default(), 8 << 20);
        tree.search(&Progress::default()).unwrap();
        let findings = tree.found().unwrap();
        let shown = documents(&tree, "Recovered").len();
        let counts = Category::ALL.map(|category| findings.count(category));
        let peer = peer_count(&std::fs::read(&path).unwrap());
        println!("{:60} {counts:?} deleted, older, fragments; pffexport: {peer}", path.file_name().unwrap().to_string_lossy());
        assert!(shown >= counts.iter().sum());
        let is_live = |nid: Nid| tree.store().ndb().node(nid).unwrap().is_some();
        assert!(findings.items().iter().all(|one| one.category != Category::Deleted || one.nid().0 == 0 || !is_live(one.nid())));
        slack += findings.items().iter().filter(|one| matches!(one.origin, Origin::Slack(_))).count();
        let live: BTreeSet<Vec<u8>> = live(&tree).into_values().collect();
        let is_copy = |(_, bytes): &&(String, Vec<u8>)| live.contains(&plain(bytes));
        let shown = documents(&tree, "Recovered/Deleted").into_values().chain(documents(&tree, "Recovered/Older versions").into_values());
        copies.extend(shown.collect::<Vec<_>>().iter().filter(is_copy).map(|(name, _)| format!("{}: {name}", path.display())));
    }
    println!("{slack} items are known from slack entries alone");
    assert!(copies.is_empty(), "the same document as a live one: {copies:#?}");
}

#[test]
fn the_command_line_searches_where_it_is_asked_to() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("deleted-messages"))).unwrap();
    let listed = |options: &[&str]| {
        let run = Command::new(env!("CARGO_BIN_EXE_pstfs")).arg("ls").arg("-R").args(options).arg(file.path()).output().unwrap();
        assert!(run.status.success());
        String::from_utf8(run.stdout).unwrap().matches("Recovered/Deleted/Inbox/2024").count()
    };
    assert_eq!((listed(&[]), listed(&["-o", "recovered=all"])), (0, 5));
}

/// What a search found has its node and blocks in the manifest, by which a second run knows it again.
#[test]
fn a_second_export_leaves_alone_what_the_first_one_found() {
    let place = tempfile::tempdir().unwrap();
    let (file, to) = (place.path().join("store.pst"), place.path().join("out"));
    std::fs::write(&file, forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("deleted-messages"))).unwrap();
    let export = || {
        let run = Command::new(env!("CARGO_BIN_EXE_pstfs")).args(["export", "--recovered", "all"]).args([&file, &to]).output().unwrap();
        String::from_utf8(run.stdout).unwrap()
    };
    assert!(!export().contains("there already"));
    assert!(export().ends_with("; 11 there already\n"));
}
