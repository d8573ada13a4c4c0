//! Drafts of what stands in another store: items with recipients and attachments, folders.
//!
//! Properties go over with their types and under their names. Attachments are read while they are written, so a copy
//! holds no more of them in memory than it is asked for at a time.

use std::io::{self, Read};
use std::sync::Arc;

use super::FolderDraft;
use super::message::{AttachmentContent, AttachmentDraft, MessageDraft};
use super::props::{PropertyKey, PropertyList};
use crate::damage::{Error, Result, survived};
use crate::format::property::PropType;
use crate::ltp::Properties;
use crate::ltp::value::{Stream, Value};
use crate::ltp::write::value::kind_of;
use crate::ndb::{Data, Ndb};
use crate::store::item::{Attachment, Content, Item, NodeRef};
use crate::store::props::{Key, Props};
use crate::store::{Store, tags};

/// How deep messages may lie in messages: more than any mail program makes.
const DEPTH_MAX: usize = 64;
/// From here on ids stand for names.
const NAMED: u16 = 0x8000;

impl MessageDraft<'static> {
    /// A draft of an item that stands in a store, as far as it can be read.
    pub fn of(store: &Arc<Store>, item: &Item) -> Result<Self> {
        message(store, item, DEPTH_MAX)
    }
}

impl FolderDraft {
    /// A draft of a folder that stands in a store.
    pub fn of(store: &Store, props: &Props) -> Result<Self> {
        Ok(Self { props: list(store, props, None)?, deletions: false })
    }
}

fn message(store: &Arc<Store>, item: &Item, depth: usize) -> Result<MessageDraft<'static>> {
    Ok(MessageDraft {
        props: list(store, &item.props, Some(item.node))?,
        recipients: item.recipients.iter().map(|recipient| list(store, recipient, None)).collect::<Result<_>>()?,
        attachments: item.attachments.iter().map(|one| attachment(store, one, depth)).collect::<Result<_>>()?,
    })
}

fn attachment(store: &Arc<Store>, attachment: &Attachment, depth: usize) -> Result<AttachmentDraft<'static>> {
    let props = list(store, &attachment.props, Some(attachment.node))?;
    let content = match &attachment.content {
        Content::Bytes(bytes) => AttachmentContent::Bytes(Box::new(io::Cursor::new(bytes.clone()))),
        Content::Stream(stream) => AttachmentContent::Bytes(Box::new(StreamReader::open(store, stream)?)),
        Content::Ole(stream) => AttachmentContent::Ole(Box::new(StreamReader::open(store, stream)?)),
        Content::Message(node) => match (depth.checked_sub(1), store.item(*node)) {
            (Some(depth), Ok(item)) => AttachmentContent::Message(Box::new(message(store, &item, depth)?)),
            (_, Err(error)) if error.is_io() => return Err(error),
            _ => AttachmentContent::Plain,
        },
        Content::None | Content::Reference(_) | Content::Broken(_) => AttachmentContent::Plain,
    };
    Ok(AttachmentDraft { props, content })
}

/// The properties of an object, under their names where they have one; types as stored where the object is a node.
fn list(store: &Store, props: &Props, node: Option<NodeRef>) -> Result<PropertyList> {
    let kinds = node.and_then(|node| Properties::open(store.ndb(), node.nid, node.data, node.subnodes).ok());
    let kind_of_id = |id: u16| kinds.as_ref()?.records().iter().find(|record| record.id == id).map(|record| record.kind);
    let mut list = PropertyList::default();
    for (id, value) in props.values() {
        // An attachment's content goes over as a stream of its own.
        let Some(value) = loaded(store, value)?.filter(|_| Key::Id(*id) != tags::ATTACH_DATA) else { continue };
        let kind: PropType = kind_of_id(*id).unwrap_or_else(|| kind_of(&value));
        match props.names().name(*id).filter(|_| *id >= NAMED) {
            Some(name) => list.set_typed(PropertyKey::Name(name.clone()), kind, value),
            None => list.set_typed(Key::Id(*id), kind, value),
        };
    }
    Ok(list)
}

/// A value with its bytes at hand; `None` where they cannot be read.
fn loaded(store: &Store, value: &Value) -> Result<Option<Value>> {
    let Value::Stream(stream) = value else { return Ok(Some(value.clone())) };
    let read = store.ndb().data(stream.data).and_then(|data| data.read_all(store.ndb()));
    Ok(survived(read)?.and_then(|bytes| Value::decode(stream.kind, &bytes)))
}

/// The bytes of a large value, read as they are asked for.
struct StreamReader {
    ndb: Arc<Ndb>,
    data: Arc<Data>,
    at: u64,
}

impl StreamReader {
    fn open(store: &Store, stream: &Stream) -> Result<Self> {
        let ndb = Arc::clone(store.ndb());
        let data = match ndb.data(stream.data) {
            Err(error) if !error.is_io() => Arc::new(Data::default()),
            data => data?,
        };
        Ok(Self { ndb, data, at: 0 })
    }
}

impl Read for StreamReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.data.read(&self.ndb, self.at, buffer.len()).map_err(|error| match error {
            Error::Io(error) => error,
            other => io::Error::other(other.to_string()),
        })?;
        if let Some(start) = buffer.get_mut(..bytes.len()) {
            start.clone_from_slice(&bytes);
        }
        self.at = self.at.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
        Ok(bytes.len())
    }
}
