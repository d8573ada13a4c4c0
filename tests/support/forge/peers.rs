//! What lies in a store, in the lines that `scripts/peers` compares with those of other programs; and what of it is left
//! in a file that ends before.

use std::path::Path;
use std::sync::Arc;

use pstfs::disk::WritableFile;
use pstfs::format::block::{DataTreeBlock, SubnodeBlock};
use pstfs::format::btree::NodeEntry;
use pstfs::format::id::{Bid, Nid, NodeType};
use pstfs::ltp::Properties;
use pstfs::ndb::Ndb;
use pstfs::store::item::{Content, Item, NodeRef};
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

/// The subjects of the messages of which some block does not lie in the first `len` bytes of the store.
pub(crate) fn beyond(path: &Path, len: u64) -> Vec<String> {
    let file = WritableFile::open(path).expect("a file");
    let store = Store::open(Arc::new(file), 32 << 20).expect("a store");
    let mut subjects = Vec::new();
    let visit = &mut |node: &NodeEntry| {
        let nid = node.nid.nid;
        if nid.kind() == NodeType::MESSAGE && end(store.ndb(), node.data).max(end(store.ndb(), node.subnodes)) > len {
            let item = store.item(NodeRef { nid, data: node.data, subnodes: node.subnodes }).expect("an item");
            subjects.push(item.subject().unwrap_or_default());
        }
        true
    };
    store.ndb().visit_nodes(visit).expect("nodes");
    subjects
}

/// Where the last of a block and all that it names ends.
fn end(ndb: &Ndb, bid: Bid) -> u64 {
    if bid.is_none() {
        return 0;
    }
    let entry = ndb.block_entry(bid).expect("a block");
    let data = ndb.block(bid).expect("a block");
    let below = match (bid.is_internal(), DataTreeBlock::decode(ndb.format(), &data.data)) {
        (false, _) => Vec::new(),
        (true, Ok(block)) => block.children,
        (true, Err(_)) => match SubnodeBlock::decode(ndb.format(), &data.data).expect("an inner block") {
            SubnodeBlock::Leaf(entries) => entries.iter().flat_map(|entry| [entry.data, entry.subnodes]).collect(),
            SubnodeBlock::Branch(entries) => entries.iter().map(|entry| entry.child).collect(),
        },
    };
    let own = entry.block.ib.0.saturating_add(entry.stored_bytes(ndb.format()));
    below.into_iter().map(|child| end(ndb, child)).fold(own, u64::max)
}

fn folder(store: &Store, nid: Nid, path: &str, lines: &mut Vec<String>) {
    lines.push(format!("folder\t{path}"));
    for row in store.contents(nid, Which::Normal).expect("contents") {
        let item = store.item(store.locate(row.nid).expect("a node")).expect("an item");
        let head = format!("{path}\t{}", escaped(&item.subject().unwrap_or_default()));
        lines.push(format!("item\t{head}"));
        for recipient in &item.recipients {
            lines.push(format!("to\t{head}\t{}", escaped(&recipient.text(Key::Id(0x3003)).unwrap_or_default())));
        }
        lines.extend(properties(store, item.node, &head));
        attachments(store, &item, "file", &head, lines);
    }
    for child in store.subfolders(nid).expect("folders") {
        let name = store.folder(child).expect("a folder").name;
        folder(store, child, &format!("{path}/{}", escaped(&name)), lines);
    }
}

/// A text that may hold what divides a line from the next, or its parts.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
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
                lines.push(format!("inside\t{head}\t{}", escaped(&inner.subject().unwrap_or_default())));
                attachments(store, &inner, "inner", head, lines);
                continue;
            }
            Content::None | Content::Reference(_) | Content::Broken(_) => continue,
        };
        let kind = if matches!(attachment.content, Content::Ole(_)) { "ole" } else { kind };
        lines.push(format!("{kind}\t{head}\t{}\t{:08x}", bytes.len(), crc32fast::hash(&bytes)));
    }
}

/// Which properties an item has, and the bytes of all of them: how many, and a checksum.
fn properties(store: &Store, node: NodeRef, head: &str) -> [String; 2] {
    let ndb = store.ndb();
    let props = Properties::open(ndb, node.nid, node.data, node.subnodes).expect("properties");
    let mut records = props.records().to_vec();
    records.sort_by_key(|record| record.id);
    let (mut types, mut values) = (Vec::new(), Vec::new());
    for record in &records {
        let kind = format!("{:04x}{:04x}", record.id, record.kind.0);
        let bytes = match (record.kind.is_inline(), record.value.hid()) {
            (true, _) => record.value.0.to_le_bytes()[..record.kind.fixed_bytes().unwrap_or(0)].to_vec(),
            (false, Some(hid)) if hid.is_none() => Vec::new(),
            (false, Some(hid)) => props.heap().item(hid).expect("an item").to_vec(),
            (false, None) => {
                let subnode = props.heap().subnode(record.value.nid()).expect("subnodes").expect("a subnode");
                ndb.data(subnode.data).and_then(|data| data.read_all(ndb)).expect("data")
            }
        };
        types.extend(kind.bytes());
        values.extend(kind.bytes().chain(bytes));
    }
    let line = |what, bytes: &[u8]| format!("{what}\t{head}\t{}\t{:08x}", records.len(), crc32fast::hash(bytes));
    [line("types", &types), line("values", &values)]
}
