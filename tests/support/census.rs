//! What lies in a store, as lines of text that do not depend on its format.

use std::sync::Arc;

use pstfs::format::id::{Nid, NodeType};
use pstfs::ltp::value::{Stream, Value};
use pstfs::store::item::{Content, Item, NodeRef};
use pstfs::store::props::{Key, Props};
use pstfs::store::{Store, Which, tags};

/// The store in these bytes.
pub fn open(bytes: Vec<u8>) -> Store {
    Store::open(Arc::new(bytes), 32 << 20).expect("a store that opens")
}

/// A line for each folder below the subtree, item, recipient and attachment.
pub fn lines(store: &Store) -> Vec<String> {
    let mut lines = Vec::new();
    // From the subtree on: what lies above differs between PST and OST.
    folder(store, store.ipm_subtree(), "", &mut lines);
    lines
}

fn folder(store: &Store, nid: Nid, path: &str, lines: &mut Vec<String>) {
    let folder_here = store.folder(nid).expect("a folder");
    let counts = (folder_here.props.int(tags::CONTENT_COUNT), folder_here.props.int(tags::CONTENT_UNREAD_COUNT));
    lines.push(format!("{path}/ {counts:?} {}", folder_here.props.text(tags::CONTAINER_CLASS).unwrap_or_default()));
    for which in [Which::Normal, Which::Associated] {
        for row in store.contents(nid, which).expect("contents").rows {
            let item = store.item(store.locate(row.nid).expect("a node")).expect("an item");
            assert_eq!(row.subject, item.subject(), "the row tells what the item tells");
            assert_eq!(row.nid.kind() == NodeType::ASSOCIATED_MESSAGE, which == Which::Associated);
            item_lines(store, &item, &format!("{path}/{:?}", row.subject.unwrap_or_default()), lines);
        }
    }
    for child in store.subfolders(nid).expect("folders") {
        let name = store.folder(child).expect("a folder").name;
        folder(store, child, &format!("{path}/{name}"), lines);
    }
}

fn item_lines(store: &Store, item: &Item, path: &str, lines: &mut Vec<String>) {
    let body = item.props.text(Key::Id(0x1000)).unwrap_or_default();
    let flags = item.props.int(tags::MESSAGE_FLAGS).unwrap_or(-1);
    let body = (body.chars().count(), pstfs::format::checksum::crc(body.as_bytes()));
    lines.push(format!("{path} {} flags {flags:#x} body {body:x?} at {:?}", item.class(), item.props.time(tags::MESSAGE_DELIVERY_TIME)));
    for recipient in &item.recipients {
        lines.push(format!("{path} to {:?} {:?}", recipient.text(tags::DISPLAY_NAME), recipient.text(Key::Id(0x3003))));
    }
    for attachment in &item.attachments {
        let name = attachment.props.text(tags::ATTACH_LONG_FILENAME).or_else(|| attachment.props.text(tags::DISPLAY_NAME));
        let name = format!("{path} + {:?}", name.unwrap_or_default());
        match &attachment.content {
            Content::Message(node) => item_lines(store, &embedded(store, *node), &name, lines),
            content => lines.push(format!("{name} {}", content_line(store, content))),
        }
    }
    assert!(item.damage.is_empty(), "{path}: {:?}", item.damage);
}

fn embedded(store: &Store, node: NodeRef) -> Item {
    store.item(node).expect("an embedded item")
}

/// What an attachment holds, as length and checksum.
pub fn content_line(store: &Store, content: &Content) -> String {
    match content {
        Content::Bytes(bytes) => format!("bytes {} {:08x}", bytes.len(), pstfs::format::checksum::crc(bytes)),
        Content::Stream(stream) => stream_line(store, "bytes", stream),
        Content::Ole(stream) => stream_line(store, "ole", stream),
        Content::Reference(path) => format!("reference {path}"),
        other => format!("{other:?}"),
    }
}

fn stream_line(store: &Store, what: &str, stream: &Stream) -> String {
    let bytes = store.ndb().data(stream.data).and_then(|data| data.read_all(store.ndb())).expect("a stream");
    format!("{what} {} {:08x}", bytes.len(), pstfs::format::checksum::crc(&bytes))
}

/// All values of an object, by name where they have one, large ones as length and checksum.
pub fn values(store: &Store, props: &Props, left_out: &[u16]) -> Vec<String> {
    let mut lines: Vec<String> = props
        .values()
        .iter()
        .filter(|(id, _)| !left_out.contains(id))
        .map(|(id, value)| {
            let name = props.names().name(*id).map_or_else(|| format!("{id:04x}"), |name| format!("{name:?}"));
            // Where a value lies is the writer's choice: what is short in one store may be a subnode in another.
            let value = format!("{:?}", loaded(store, value));
            match value.len() {
                0..200 => format!("{name} {value}"),
                len => format!("{name} {len} characters, {:08x}", pstfs::format::checksum::crc(value.as_bytes())),
            }
        })
        .collect();
    lines.sort();
    // One writer gives several ids to one name; a store written anew has one.
    lines.dedup();
    lines
}

/// A value with what was left in the file.
pub fn loaded(store: &Store, value: &Value) -> Value {
    match value {
        Value::Stream(stream) => {
            let bytes = store.ndb().data(stream.data).and_then(|data| data.read_all(store.ndb())).expect("a stream");
            Value::decode(stream.kind, &bytes).expect("a value")
        }
        value => value.clone(),
    }
}
