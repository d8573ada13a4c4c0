//! Real stores, where they are at hand: read, written anew by the builder, read again. Trees, values and documents agree.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests: a mistake shows at once")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pstfs::convert;
use pstfs::format::checksum;
use pstfs::format::id::Nid;
use pstfs::store::item::{Content, Item};
use pstfs::store::{Store, Which, tags};

use support::{audit, census, copy};

/// What the builder sets anew, of items and attachments: sizes, flags that follow from the rest, what holds the content.
const DERIVED: [u16; 6] = [0x0e07, 0x0e08, 0x0e20, 0x3701, 0x3705, 0x370b];
/// And of folders: counts.
const COUNTS: [u16; 5] = [0x3602, 0x3603, 0x360a, 0x6635, 0x6636];

/// The healthy stores of the corpus that lies beside the project, if it does.
fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let folder = std::env::var_os("PSTFS_CORPUS").map_or(folder, PathBuf::from);
    let Ok(manifest) = std::fs::read_to_string(folder.join("MANIFEST.tsv")) else { return Vec::new() };
    let rows = manifest.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    rows.filter(|row| row.get(1) == Some(&"healthy")).map(|row| folder.join(row[0])).collect()
}

#[test]
fn real_stores_are_the_same_after_being_written_anew() {
    let stores = corpus();
    if stores.is_empty() {
        println!("skipped: no corpus beside the project");
    }
    for path in &stores {
        let name = path.file_name().unwrap().to_string_lossy();
        let old = census::open(std::fs::read(path).unwrap());
        let bytes = copy::rewritten(&old);
        let new = census::open(bytes.clone());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        tree(&old, Nid::ROOT_FOLDER, "", &mut before);
        // The copy's subtree holds what the old root holds; its own folder for deleted items is the first in it.
        tree(&new, new.ipm_subtree(), "", &mut after);
        let own = after.iter().position(|line| line.starts_with("/Deleted Items ")).unwrap();
        after.remove(own);
        before.sort();
        after.sort();
        for (old_line, new_line) in before.iter().zip(&after) {
            assert_eq!(difference(old_line, new_line), ("", ""), "{name}");
        }
        assert_eq!(before.len(), after.len(), "{name}");
        assert_eq!(audit::faults(Arc::new(bytes)), Vec::<String>::new(), "{name}");
        println!("{name}: {} lines the same", before.len());
    }
}

/// The lines from where they begin to differ, cut short for whoever reads them.
fn difference<'l>(old: &'l str, new: &'l str) -> (&'l str, &'l str) {
    let at = old.char_indices().zip(new.chars()).find(|((_, a), b)| a != b).map_or(old.len().min(new.len()), |((at, _), _)| at);
    let part = |line: &'l str| line.get(at.saturating_sub(60)..).map_or("", |rest| rest.get(..300).unwrap_or(rest));
    if old == new { ("", "") } else { (part(old), part(new)) }
}

/// Every folder and item with all its values.
fn tree(store: &Store, nid: Nid, path: &str, lines: &mut Vec<String>) {
    for which in [Which::Normal, Which::Associated] {
        for row in store.contents(nid, which).unwrap() {
            let Ok(node) = store.locate(row.nid) else { continue };
            let Ok(item) = store.item(node) else { continue };
            let path = format!("{path} {which:?}");
            lines.push(format!("{path} document {}", document(store, &item)));
            item_lines(store, &item, &path, lines);
        }
    }
    for child in store.subfolders(nid).unwrap() {
        let folder = store.folder(child).unwrap();
        let path = format!("{path}/{}", folder.name);
        lines.push(format!("{path} {:?}", census::values(store, &folder.props, &COUNTS)));
        tree(store, child, &path, lines);
    }
}

/// What the item's document is: its kind, length and a checksum of every byte.
fn document(store: &Store, item: &Item) -> String {
    let format = convert::Format::of(&item.props);
    let document = convert::render(store, item, format).unwrap();
    let bytes = document.read(store, 0, usize::try_from(document.len()).unwrap()).unwrap();
    format!("{:?} {:?} {} {:08x}", item.subject(), format, bytes.len(), checksum::crc(&bytes))
}

fn item_lines(store: &Store, item: &Item, path: &str, lines: &mut Vec<String>) {
    let flags = item.props.int(tags::MESSAGE_FLAGS).unwrap_or(0) & !0x50;
    lines.push(format!("{path} {flags:x} {:?}", census::values(store, &item.props, &DERIVED)));
    for recipient in &item.recipients {
        // A row's version is the new store's own.
        lines.push(format!("{path} to {:?}", census::values(store, recipient, &[0x67f3])));
    }
    for attachment in &item.attachments {
        let path = format!("{path} +");
        lines.push(format!("{path} {:?}", census::values(store, &attachment.props, &DERIVED)));
        match &attachment.content {
            Content::Message(node) => item_lines(store, &store.item(*node).unwrap(), &path, lines),
            content => lines.push(format!("{path} {}", census::content_line(store, content))),
        }
    }
}
