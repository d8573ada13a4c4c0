//! A store read and written anew by the builder: the same folders, items, properties, recipients, attachments.

use std::io::Cursor;

use pstfs::disk::MemoryFile;
use pstfs::format::header::Client;
use pstfs::format::id::Nid;
use pstfs::format::property::PropType;
use pstfs::ltp::Properties;
use pstfs::ltp::value::Value;
use pstfs::ltp::write::value::kind_of;
use pstfs::ndb::write::{BulkOptions, BulkWriter};
use pstfs::store::item::{Content, Item, NodeRef};
use pstfs::store::props::{Key, Props};
use pstfs::store::write::{AttachmentContent, AttachmentDraft, FolderDraft, MessageDraft, PropertyKey, PropertyList};
use pstfs::store::write::{StoreBuilder, StoreOptions};
use pstfs::store::{Store, Which, tags};

use super::census;

/// The store, written anew in the same format and encryption. All folders below the root lie below the new subtree.
pub fn rewritten(store: &Store) -> Vec<u8> {
    let file = MemoryFile::default();
    let ndb = store.ndb();
    let bulk = BulkOptions { format: ndb.format(), cipher: ndb.cipher(), client: Client::PST, compress: true };
    let writer = BulkWriter::new(&file, bulk).expect("a writer");
    let mut builder = StoreBuilder::new(writer, StoreOptions::named("Copy")).expect("a builder");
    let subtree = builder.subtree();
    folders(store, Nid::ROOT_FOLDER, &mut builder, subtree);
    builder.finish().expect("a finished store");
    file.into_bytes()
}

fn folders(store: &Store, from: Nid, builder: &mut StoreBuilder<'_>, to: Nid) {
    for which in [Which::Normal, Which::Associated] {
        for row in store.contents(from, which).expect("contents").rows {
            let Ok(node) = store.locate(row.nid) else { continue };
            let Ok(item) = store.item(node) else { continue };
            let draft = message(store, &item);
            match which {
                Which::Normal => builder.add_message(to, draft).expect("a message"),
                Which::Associated => builder.add_associated(to, draft).expect("an associated message"),
            };
        }
    }
    for child in store.subfolders(from).expect("folders") {
        let props = store.folder(child).expect("a folder").props;
        let draft = FolderDraft { props: list(store, &props, None), deletions: false };
        let folder = builder.add_folder(to, draft).expect("a folder");
        folders(store, child, builder, folder);
    }
}

fn message(store: &Store, item: &Item) -> MessageDraft<'static> {
    MessageDraft {
        props: list(store, &item.props, Some(item.node)),
        recipients: item.recipients.iter().map(|recipient| list(store, recipient, None)).collect(),
        attachments: item.attachments.iter().map(|attachment| copied(store, attachment)).collect(),
    }
}

fn copied(store: &Store, attachment: &pstfs::store::item::Attachment) -> AttachmentDraft<'static> {
    let mut props = list(store, &attachment.props, Some(attachment.node));
    let all = |stream: &pstfs::ltp::value::Stream| {
        let data = store.ndb().data(stream.data).expect("data");
        Box::new(Cursor::new(data.read_all(store.ndb()).expect("bytes")))
    };
    let content = match &attachment.content {
        Content::Bytes(bytes) => AttachmentContent::Bytes(Box::new(Cursor::new(bytes.clone()))),
        Content::Stream(stream) => AttachmentContent::Bytes(all(stream)),
        Content::Ole(stream) => AttachmentContent::Ole(all(stream)),
        Content::Message(node) => AttachmentContent::Message(Box::new(message(store, &store.item(*node).expect("an item")))),
        Content::None | Content::Reference(_) | Content::Broken(_) => AttachmentContent::Plain,
    };
    if !matches!(content, AttachmentContent::Plain) {
        props.remove(tags::ATTACH_DATA);
    }
    AttachmentDraft { props, content }
}

/// The properties of an object, names for those that have one; types as stored where the object is a node.
fn list(store: &Store, props: &Props, node: Option<NodeRef>) -> PropertyList {
    let kinds = node.and_then(|node| Properties::open(store.ndb(), node.nid, node.data, node.subnodes).ok());
    let kind_of_id = |id: u16| kinds.as_ref()?.records().iter().find(|record| record.id == id).map(|record| record.kind);
    let mut list = PropertyList::default();
    for (id, value) in props.values() {
        let value = census::loaded(store, value);
        let kind: PropType = kind_of_id(*id).unwrap_or_else(|| kind_of(&value));
        match props.names().name(*id).filter(|_| *id >= 0x8000) {
            Some(name) => list.set_typed(PropertyKey::Name(name.clone()), kind, value),
            None => list.set_typed(Key::Id(*id), kind, value),
        };
    }
    list
}
