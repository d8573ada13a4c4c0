//! Messages, recipients and attachments into nodes ([MS-PST] 2.4.5, 2.4.6).

use std::io::Read;

use super::builder::StoreBuilder;
use super::message::{AttachmentContent, AttachmentDraft, MessageDraft};
use super::props::{PropertyKey, PropertyList, id_of, own_value};
use super::templates::{ATTACHMENTS, RECIPIENTS};
use crate::damage::Result;
use crate::format::heap::ITEM_MAX;
use crate::format::id::{Bid, Nid, NodeType};
use crate::format::property::PropType;
use crate::ltp::value::Value;
use crate::ltp::write::{PropertiesBuilder, TableBuilder};
use crate::ndb::write::{BlockSink, DataTree, Draft, Part, Stored};
use crate::store::flags;
use crate::store::props::codepage_told;
use crate::store::tags;

/// How an attachment is stored: PidTagAttachMethod.
mod method {
    pub(super) const BY_VALUE: i32 = 1;
    pub(super) const EMBEDDED: i32 = 5;
    pub(super) const OLE: i32 = 6;
}

/// Properties with the ids, types and values that they have in the store.
pub(super) type Resolved = Vec<(u16, PropType, Value)>;

/// A message as a draft of its node, with what its folder's table tells of it.
pub(super) struct Written {
    pub(super) draft: Draft,
    pub(super) bytes: u64,
    pub(super) props: Resolved,
}

/// What lies in the file already, or is short enough for a heap.
enum Streamed {
    Short(Vec<u8>),
    Stored(Bid, u64),
}

impl StoreBuilder<'_> {
    /// The properties with ids of this store and strings as it keeps them.
    pub(super) fn resolve(&mut self, props: &PropertyList, codepage: u16) -> Result<Resolved> {
        let format = self.writer.format();
        let mut resolved = Vec::new();
        for (key, kind, value) in props.iter() {
            let id = match key {
                PropertyKey::Id(id) => *id,
                PropertyKey::Name(name) => self.names.id(name)?,
            };
            let (kind, value) = own_value(format, codepage, *kind, value);
            resolved.push((id, kind, value));
        }
        Ok(resolved)
    }

    /// The properties as a builder of their node.
    pub(super) fn properties(resolved: &Resolved) -> PropertiesBuilder {
        let mut builder = PropertiesBuilder::default();
        for (id, kind, value) in resolved {
            builder.set(*id, *kind, value);
        }
        builder
    }

    /// Writes a message's attachments and makes a draft of the rest.
    pub(super) fn message(&mut self, message: MessageDraft<'_>, associated: bool) -> Result<Written> {
        let codepage = self.codepage_of(&message.props);
        let mut props = message.props;
        let flags = props.int(tags::MESSAGE_FLAGS).unwrap_or(0) & !(flags::HAS_ATTACHMENTS | flags::ASSOCIATED);
        let derived = [(!message.attachments.is_empty(), flags::HAS_ATTACHMENTS), (associated, flags::ASSOCIATED)];
        let flags = derived.iter().filter(|(set, _)| *set).fold(flags, |flags, (_, flag)| flags | flag);
        props.set(tags::MESSAGE_FLAGS, Value::I32(flags));
        props.set(tags::MESSAGE_SIZE, Value::I32(0));
        let resolved = self.resolve(&props, codepage)?;
        let mut builder = Self::properties(&resolved);
        builder.add_subnode(RECIPIENTS.nid, self.recipients(&message.recipients, codepage)?);
        if !message.attachments.is_empty() {
            self.attachments(&mut builder, message.attachments, codepage)?;
        }
        let format = self.writer.format();
        let (draft, bytes) = builder.finish_sized(format, self.writer.nids(), &[id_of(tags::MESSAGE_SIZE)])?;
        Ok(Written { draft, bytes, props: resolved })
    }

    /// The code page of an object's strings, in the order in which readers ask.
    fn codepage_of(&self, props: &PropertyList) -> u16 {
        codepage_told(|key| props.int(key)).unwrap_or(self.codepage)
    }

    /// The recipient table. Every message has one ([MS-PST] 2.4.5.3), an empty one shares the template's block.
    fn recipients(&mut self, recipients: &[PropertyList], codepage: u16) -> Result<Part> {
        if recipients.is_empty() {
            return Ok(Part::Stored(Stored { data: self.shared(&RECIPIENTS)?, subnodes: Bid::NONE }));
        }
        let rows: Vec<Resolved> = recipients.iter().map(|recipient| self.resolve(recipient, codepage)).collect::<Result<_>>()?;
        let more: Vec<(u16, PropType)> = rows.iter().flatten().map(|(id, kind, _)| (*id, *kind)).collect();
        let format = self.writer.format();
        let mut table = TableBuilder::new(format, RECIPIENTS.shape(format).extended(&more))?;
        for row in &rows {
            let version = self.next_unique();
            let cells: Vec<(u16, &Value)> = row.iter().map(|(id, _, value)| (*id, value)).collect();
            table.push(version, version, &cells, self.writer.nids())?;
        }
        Ok(Part::Draft(table.finish(self.writer.nids())?))
    }

    fn attachments(&mut self, message: &mut PropertiesBuilder, attachments: Vec<AttachmentDraft<'_>>, codepage: u16) -> Result<()> {
        let format = self.writer.format();
        let mut table = TableBuilder::new(format, ATTACHMENTS.shape(format))?;
        for attachment in attachments {
            let nid = self.writer.nids().next(NodeType::ATTACHMENT)?;
            let (draft, stored_bytes, row) = self.attachment(attachment, codepage)?;
            message.add_subnode(nid, Part::Draft(draft));
            message.add_stored_bytes(stored_bytes);
            let cells: Vec<(u16, &Value)> = row.iter().map(|(id, _, value)| (*id, value)).collect();
            let version = self.next_unique();
            table.push(nid.0, version, &cells, self.writer.nids())?;
        }
        message.add_subnode(ATTACHMENTS.nid, Part::Draft(table.finish(self.writer.nids())?));
        Ok(())
    }

    /// An attachment: its node, how many bytes of it are in the file already, and its row.
    fn attachment(&mut self, attachment: AttachmentDraft<'_>, codepage: u16) -> Result<(Draft, u64, Resolved)> {
        let mut props = attachment.props;
        props.set_default(tags::RENDERING_POSITION, Value::I32(-1));
        let method = match &attachment.content {
            AttachmentContent::Plain => props.int(tags::ATTACH_METHOD).unwrap_or(0),
            AttachmentContent::Bytes(_) => method::BY_VALUE,
            AttachmentContent::Message(_) => method::EMBEDDED,
            AttachmentContent::Ole(_) => method::OLE,
        };
        props.set(tags::ATTACH_METHOD, Value::I32(method)).set(tags::ATTACH_SIZE, Value::I32(0));
        let mut row = self.resolve(&props, codepage)?;
        let mut builder = Self::properties(&row);
        let stored = self.attachment_content(&mut builder, attachment.content)?;
        let format = self.writer.format();
        let size = id_of(tags::ATTACH_SIZE);
        let (draft, bytes) = builder.finish_sized(format, self.writer.nids(), &[size])?;
        for (_, _, value) in row.iter_mut().filter(|(id, ..)| *id == size) {
            *value = Value::I32(i32::try_from(bytes).unwrap_or(i32::MAX));
        }
        Ok((draft, stored, row))
    }

    /// Puts an attachment's content; tells how many bytes of it went into the file.
    fn attachment_content(&mut self, builder: &mut PropertiesBuilder, content: AttachmentContent<'_>) -> Result<u64> {
        let data = id_of(tags::ATTACH_DATA);
        match content {
            AttachmentContent::Plain => Ok(0),
            AttachmentContent::Bytes(reader) => match self.stream(reader)? {
                Streamed::Short(bytes) => {
                    builder.set(data, PropType::BINARY, &Value::Binary(bytes));
                    Ok(0)
                }
                Streamed::Stored(bid, bytes) => {
                    builder.set_stored(data, PropType::BINARY, bid, bytes);
                    Ok(bytes)
                }
            },
            AttachmentContent::Message(message) => {
                let nid = self.writer.nids().next(NodeType::MESSAGE)?;
                let written = self.message(*message, false)?;
                let above = written.bytes.saturating_sub(written.draft.bytes());
                add_object(builder, data, nid, Part::Draft(written.draft), written.bytes);
                builder.add_stored_bytes(above);
                Ok(above)
            }
            AttachmentContent::Ole(reader) => {
                let nid = self.writer.nids().next(NodeType::LTP)?;
                let (part, bytes, stored) = match self.stream(reader)? {
                    Streamed::Short(bytes) => {
                        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                        let blocks = if bytes.is_empty() { Vec::new() } else { vec![bytes] };
                        (Part::Draft(Draft { data: blocks, subnodes: Vec::new() }), len, 0)
                    }
                    Streamed::Stored(data, bytes) => (Part::Stored(Stored { data, subnodes: Bid::NONE }), bytes, bytes),
                };
                add_object(builder, data, nid, part, bytes);
                builder.add_stored_bytes(stored);
                Ok(stored)
            }
        }
    }

    /// Reads to the end: what is short stays in memory, what is long goes into the file block by block.
    fn stream(&mut self, mut reader: Box<dyn Read + '_>) -> Result<Streamed> {
        let max = self.writer.format().layout().data_max_bytes;
        let mut block = next_block(&mut reader, max)?;
        if block.len() <= ITEM_MAX {
            return Ok(Streamed::Short(block));
        }
        let mut tree = DataTree::default();
        while !block.is_empty() {
            tree.push(&mut self.writer, block)?;
            block = next_block(&mut reader, max)?;
        }
        let bytes = tree.len();
        Ok(Streamed::Stored(tree.finish(&mut self.writer)?, bytes))
    }
}

/// Sets an object property and the subnode that it names.
fn add_object(builder: &mut PropertiesBuilder, id: u16, nid: Nid, part: Part, bytes: u64) {
    builder.set(id, PropType::OBJECT, &Value::Object(nid, u32::try_from(bytes).unwrap_or(u32::MAX)));
    builder.add_subnode(nid, part);
}

/// The next `max` bytes, fewer only at the end.
fn next_block(reader: &mut dyn Read, max: usize) -> Result<Vec<u8>> {
    let mut block = Vec::new();
    reader.take(u64::try_from(max).unwrap_or(u64::MAX)).read_to_end(&mut block)?;
    Ok(block)
}
