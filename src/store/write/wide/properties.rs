//! Property contexts, laid out for a Unicode store ([MS-PST] 2.3.3).

use std::collections::BTreeSet;

use super::table::Rows;
use super::text::{put_text, wide_bytes, wide_kind, wide_text};
use super::{Laid, Object, Objects, Old, Widener};
use crate::damage::Result;
use crate::format::block::SubnodeEntry;
use crate::format::codec;
use crate::format::id::{Bid, Nid, NodeType};
use crate::format::property::{ObjectRecord, PropType, PropertyRecord};
use crate::ltp::Properties;
use crate::ltp::value::Value;
use crate::ltp::write::PropertiesBuilder;
use crate::ndb::write::tree::put_draft;
use crate::ndb::write::{BlockSink, Part};
use crate::store::codepage::WINDOWS_1252;
use crate::store::item::NodeRef;
use crate::store::props::{Key, VALUE_MAX, codepage_told};
use crate::store::tags;

/// PidTagStoreSupportMask: strings are UTF-16, STORE_UNICODE_OK.
const UNICODE_OK: u32 = 0x0004_0000;
/// PidTagAttachMethod: the object is a message.
const EMBEDDED: i32 = 5;

/// What of a node's subnodes its properties tell.
#[derive(Debug, Default)]
struct Told {
    /// Values, which get new ids.
    values: BTreeSet<Nid>,
    /// Objects, by the property that names them.
    objects: Vec<(u16, Nid, u32)>,
}

/// A property's value where it lies.
enum Found {
    Here(Vec<u8>),
    Below(Nid, Bid),
}

impl Widener<'_, '_> {
    /// An object with all that lies in it.
    pub(super) fn properties(&mut self, old: &Old<'_>, properties: &Properties<'_>) -> Result<Laid> {
        let page = page_of(properties).unwrap_or(old.page);
        let subnodes = self.ndb.subnodes(old.node.subnodes);
        let subnodes = self.survive(old.node.nid, subnodes, Vec::new())?;
        // No value may take the id of what keeps its own.
        subnodes.iter().for_each(|entry| self.writer.cover(entry.nid.nid));
        let (mut builder, mut told) = (PropertiesBuilder::default(), Told::default());
        for record in properties.records().iter().filter(|record| record.kind != PropType::UNSPECIFIED) {
            if !builder.has(record.id) {
                self.property(old.node.nid, page, properties, record, &mut builder, &mut told)?;
            }
        }
        self.below(old, page, properties, &subnodes, &told, &mut builder)?;
        self.put_properties(old, page, properties, builder)
    }

    fn put_properties(&mut self, old: &Old<'_>, page: u16, properties: &Properties<'_>, builder: PropertiesBuilder) -> Result<Laid> {
        let nid = old.node.nid;
        let is_message = [NodeType::MESSAGE, NodeType::ASSOCIATED_MESSAGE].contains(&nid.kind());
        let sized: Vec<u16> =
            tags::MESSAGE_SIZE.id().filter(|_| is_message && int(properties, tags::MESSAGE_SIZE).is_some()).into_iter().collect();
        let format = self.writer.format();
        let (draft, bytes) = builder.finish_sized(format, self.writer.nids(), &sized)?;
        let size = (!sized.is_empty()).then(|| i32::try_from(bytes).unwrap_or(i32::MAX));
        Ok(Laid { stored: put_draft(&mut self.writer, draft)?, bytes, object: Some(Object { page, size }) })
    }

    fn property(
        &mut self,
        nid: Nid,
        page: u16,
        properties: &Properties<'_>,
        record: &PropertyRecord,
        builder: &mut PropertiesBuilder,
        told: &mut Told,
    ) -> Result<()> {
        let (id, kind) = (record.id, record.kind);
        let found = find(properties, record).map(Some);
        match self.survive(nid, found, None)? {
            None => {}
            Some(Found::Below(value, data)) => {
                told.values.insert(value);
                let laid = self.large(nid, page, record, data, builder);
                self.survive(nid, laid, ())?;
            }
            Some(Found::Here(bytes)) => {
                if let (PropType::OBJECT, Ok(object)) = (kind, codec::decode::<ObjectRecord>(self.ndb.format(), &bytes)) {
                    told.objects.push((id, object.nid, object.size));
                }
                let (kind, bytes) = wide_bytes(page, id, kind, bytes);
                builder.set_bytes(id, kind, as_unicode_stores_have_it(nid, Key::Id(id), bytes));
            }
        }
        Ok(())
    }

    /// A value in a subnode; bytes go over piece by piece.
    fn large(&mut self, nid: Nid, page: u16, record: &PropertyRecord, root: Bid, builder: &mut PropertiesBuilder) -> Result<()> {
        let (id, kind) = (record.id, record.kind);
        let data = self.ndb.data(root)?;
        let is_text = kind.element() == PropType::STRING8 && wide_kind(id, kind) != PropType::BINARY;
        // Readers take no longer string: it stays what it is.
        if !is_text || data.len() > VALUE_MAX {
            let (stored, bytes) = self.stream(nid, root)?;
            builder.set_stored(id, if is_text { kind } else { wide_kind(id, kind) }, stored, bytes);
            return Ok(());
        }
        self.progress.add(data.len())?;
        let narrow = data.read_all(self.ndb)?;
        match Value::decode(kind, &narrow) {
            // Also where it would fit into the heap: there are readers that take no message without subnodes.
            Some(Value::String8(text)) if !text.is_empty() => {
                let (stored, bytes) = self.long_text(page, id, root, &text)?;
                builder.set_stored(id, PropType::UNICODE, stored, bytes);
            }
            _ => {
                let (kind, bytes) = wide_bytes(page, id, kind, narrow);
                builder.set_bytes(id, kind, bytes);
            }
        }
        Ok(())
    }

    /// A long text as UTF-16.
    pub(super) fn long_text(&mut self, page: u16, id: u16, root: Bid, text: &[u8]) -> Result<(Bid, u64)> {
        let text = wide_text(page, id, text);
        // Of a subject more than its page decides what becomes of it.
        if tags::SUBJECT.id() == Some(id) {
            return put_text(&mut self.writer, &text);
        }
        self.shared_data(root, page, |widener| put_text(&mut widener.writer, &text))
    }

    /// What lies in an object beside its values: tables, attachments, objects. Attachments come before their table.
    fn below(
        &mut self,
        old: &Old<'_>,
        page: u16,
        properties: &Properties<'_>,
        subnodes: &[SubnodeEntry],
        told: &Told,
        builder: &mut PropertiesBuilder,
    ) -> Result<()> {
        let mut attachments = Objects::new();
        let is_attachment = |entry: &&SubnodeEntry| entry.nid.nid.kind() == NodeType::ATTACHMENT;
        let others = subnodes.iter().filter(|entry| !is_attachment(entry) && !told.values.contains(&entry.nid.nid));
        for entry in subnodes.iter().filter(is_attachment).chain(others) {
            let node = NodeRef { nid: entry.nid.nid, data: entry.data, subnodes: entry.subnodes };
            let object = told.objects.iter().find(|(_, nid, _)| *nid == node.nid);
            let rows = if node.nid == Nid::ATTACHMENT_TABLE { Rows::Of(&attachments) } else { Rows::Alone };
            // A message in another one is read as if it stood alone.
            let page = if object.is_some() || node.nid.kind() == NodeType::MESSAGE { WINDOWS_1252 } else { page };
            let inner = Old { node, page, rows, depth: old.depth.saturating_add(1) };
            let laid =
                if is_plain(old.node.nid, properties, node.nid, object.is_some()) { self.bytes(&inner)? } else { self.part(&inner)? };
            attachments.extend(laid.object.map(|object| (node.nid, object)));
            builder.add_subnode(node.nid, Part::Stored(laid.stored));
            builder.add_stored_bytes(laid.bytes);
            if let Some((id, nid, _)) = object {
                let size = u32::try_from(laid.bytes).unwrap_or(u32::MAX);
                builder.set(*id, PropType::OBJECT, &Value::Object(*nid, size));
            }
        }
        Ok(())
    }
}

/// Whether a subnode holds bytes that only its reader knows, whatever they look like.
fn is_plain(above: Nid, properties: &Properties<'_>, nid: Nid, is_object: bool) -> bool {
    let is_message = int(properties, tags::ATTACH_METHOD) == Some(EMBEDDED);
    match is_object && above.kind() == NodeType::ATTACHMENT {
        true => !is_message,
        false => nid.kind() == NodeType::LTP,
    }
}

/// The code page that an object's own numbers tell.
pub(super) fn page_of(properties: &Properties<'_>) -> Option<u16> {
    codepage_told(|key| int(properties, key))
}

/// A number of 16 or 32 bits.
fn int(properties: &Properties<'_>, key: Key) -> Option<i32> {
    let record = properties.records().iter().find(|record| Some(record.id) == key.id() && record.kind != PropType::UNSPECIFIED)?;
    match Value::decode(record.kind, &record.value.0.to_le_bytes()).filter(|_| record.kind.is_inline())? {
        Value::I16(value) => Some(value.into()),
        Value::I32(value) => Some(value),
        _ => None,
    }
}

/// The bytes of a value as they stand in the file, or where they are.
fn find(properties: &Properties<'_>, record: &PropertyRecord) -> Result<Found> {
    if record.kind.is_inline() {
        let bytes = record.value.0.to_le_bytes();
        return Ok(Found::Here(bytes.get(..record.kind.fixed_bytes().unwrap_or(0)).unwrap_or_default().to_vec()));
    }
    if record.value.is_none() {
        return Ok(Found::Here(Vec::new()));
    }
    if let Some(hid) = record.value.hid() {
        return Ok(Found::Here(properties.heap().item(hid)?.to_vec()));
    }
    let nid = record.value.nid();
    let missing = || crate::damage::Error::NotFound(format!("the value of property {:#06x}", record.id));
    properties.heap().subnode(nid)?.map(|entry| Found::Below(nid, entry.data)).ok_or_else(missing)
}

/// A value that is another one in Unicode stores.
///
/// The store says that its strings are UTF-16 ([MS-OXCSTOR] 2.2.2.1, STORE_UNICODE_OK). The strings of named properties
/// are none in stores of Outlook 97 that has no such names; in a Unicode store pst-extractor takes that for a fault, so
/// they begin with one that is empty, which no entry names.
fn as_unicode_stores_have_it(nid: Nid, key: Key, mut bytes: Vec<u8>) -> Vec<u8> {
    if (nid, key) == (Nid::NAME_MAP, tags::NAME_MAP_STRINGS) && bytes.is_empty() {
        bytes.extend([0; 4]);
    }
    match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(mask) if (nid, key) == (Nid::MESSAGE_STORE, tags::STORE_SUPPORT_MASK) => {
            (u32::from_le_bytes(mask) | UNICODE_OK).to_le_bytes().to_vec()
        }
        _ => bytes,
    }
}
