//! What lies in a store, in the lines that `scripts/peers` compares with those of other programs.

use std::path::Path;
use std::sync::Arc;

use pstfs::disk::WritableFile;
use pstfs::format::id::Nid;
use pstfs::store::item::{Content, Item};
use pstfs::store::props::Key;
use pstfs::store::{Store, Which};

/// A line for each folder, item, recipient, inner message and file.
pub(crate) fn lines(path: &Path) -> Vec<String> {
    let file = WritableFile::open(path).expect("a file");
    let store = Store::open(Arc::new(file), 32 << 20).expect("a store");
    let mut lines = Vec::new();
    folder(&store, store.ipm_subtree(), "", &mut lines);
    lines
}

fn folder(store: &Store, nid: Nid, path: &str, lines: &mut Vec<String>) {
    lines.push(format!("folder\t{path}"));
    for row in store.contents(nid, Which::Normal).expect("contents").rows {
        let item = store.item(store.locate(row.nid).expect("a node")).expect("an item");
        let head = format!("{path}\t{}", item.subject().unwrap_or_default());
        lines.push(format!("item\t{head}"));
        for recipient in &item.recipients {
            lines.push(format!("to\t{head}\t{}", recipient.text(Key::Id(0x3003)).unwrap_or_default()));
        }
        attachments(store, &item, "file", &head, lines);
    }
    for child in store.subfolders(nid).expect("folders") {
        let name = store.folder(child).expect("a folder").name;
        folder(store, child, &format!("{path}/{name}"), lines);
    }
}

fn attachments(store: &Store, item: &Item, kind: &str, head: &str, lines: &mut Vec<String>) {
    for attachment in &item.attachments {
        let bytes = match &attachment.content {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Stream(stream) | Content::Ole(stream) => {
                store.ndb().data(stream.data).and_then(|data| data.read_all(store.ndb())).expect("a stream")
            }
            Content::Message(node) => {
                let inner = store.item(*node).expect("an embedded item");
                lines.push(format!("inside\t{head}\t{}", inner.subject().unwrap_or_default()));
                attachments(store, &inner, "inner", head, lines);
                continue;
            }
            Content::None | Content::Reference(_) | Content::Broken(_) => continue,
        };
        let kind = if matches!(attachment.content, Content::Ole(_)) { "ole" } else { kind };
        lines.push(format!("{kind}\t{head}\t{}\t{:08x}", bytes.len(), crc32fast::hash(&bytes)));
    }
}
