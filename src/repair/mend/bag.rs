//! An object's properties in memory: what can be read of them, to be changed and written anew.
//!
//! Values stay the bytes that they are in the file, so that nothing is lost on the way through; large ones stay where
//! they lie as long as every block of theirs can be read.

use std::collections::BTreeMap;

use crate::damage::Result;
use crate::format::Format;
use crate::format::id::{Bid, Nid};
use crate::format::property::{FileTime, PropType, PropertyRecord};
use crate::ltp::Properties;
use crate::ltp::value::Value;
use crate::ltp::write::{PropertiesBuilder, value};
use crate::ndb::Ndb;
use crate::store::item::NodeRef;
use crate::store::props::Key;
use crate::store::write::templates::{ATTACHMENTS, CONTENTS, HIERARCHY, RECIPIENTS, own_kind};
use crate::store::write::{Cells, id_of, own_value};
use crate::store::{codepage, tags};

/// The properties of an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Bag {
    values: BTreeMap<u16, (PropType, Content)>,
    /// What could not be kept, in words.
    pub(super) lost: Vec<String>,
    /// Which properties could not be kept.
    pub(super) dropped: Vec<u16>,
    /// Where the large values were read from.
    pub(super) roots: Vec<(u16, Bid)>,
}

#[derive(Clone, Debug)]
enum Content {
    Bytes(Vec<u8>),
    /// Bytes with zeros where some could not be read.
    Torn(Vec<u8>),
    /// In the file already; its length.
    Stored(Bid, u64),
}

/// Types that properties have ([MS-OXCDATA] 2.11.1), several elements aside.
const TYPES: [u16; 19] = [
    0x0001, 0x0002, 0x0003, 0x0004, 0x0005, 0x0006, 0x0007, 0x000a, 0x000b, 0x000d, 0x0014, 0x001e, 0x001f, 0x0040, 0x0048, 0x00fb, 0x00fd,
    0x00fe, 0x0102,
];

/// Properties of items that no table has a column for, and their types.
const USUAL: [(Key, PropType); 5] = [
    (tags::BODY, PropType::UNICODE),
    (tags::HTML, PropType::BINARY),
    (tags::RTF_COMPRESSED, PropType::BINARY),
    (tags::TRANSPORT_MESSAGE_HEADERS, PropType::UNICODE),
    (tags::INTERNET_MESSAGE_ID, PropType::UNICODE),
];

impl Bag {
    /// What can be read of a node's properties; `None` where nothing can.
    pub(super) fn read(ndb: &Ndb, node: NodeRef) -> Result<Option<Self>> {
        let Some(properties) = open(ndb, node)? else { return Ok(None) };
        let mut bag = Self::default();
        // Items of a hostile heap may be named many times; those of a good one together are no longer than its blocks.
        let mut room = properties.heap().len();
        for record in properties.records() {
            if bag.values.contains_key(&record.id) || record.kind == PropType::UNSPECIFIED {
                continue;
            }
            let record = &PropertyRecord { kind: kind_of(ndb.format(), record), ..*record };
            bag.roots.extend(root_of(&properties, record)?.map(|root| (record.id, root)));
            let content = content(ndb, &properties, record, &mut room)?;
            bag.keep(record.id, record.kind, content);
        }
        Ok(Some(bag))
    }

    fn keep(&mut self, id: u16, kind: PropType, content: Option<Content>) {
        match content {
            Some(Content::Torn(bytes)) => {
                self.values.insert(id, (kind, Content::Bytes(bytes)));
                self.lost.push(format!("a part of {}, where zeros stand now", tags::called(id)));
            }
            Some(content) => {
                self.values.insert(id, (kind, content));
            }
            None => self.drop_record(id),
        }
    }

    /// Sets a property whose value lies in the file already.
    pub(super) fn put_large(&mut self, ndb: &Ndb, id: u16, kind: PropType, root: Bid) -> Result<()> {
        self.roots.push((id, root));
        let content = large(ndb, kind, root)?;
        self.keep(id, kind, content);
        Ok(())
    }

    fn drop_record(&mut self, id: u16) {
        self.lost.push(tags::called(id));
        self.dropped.push(id);
    }

    /// What a table's row tells of an object whose own properties are gone.
    pub(super) fn of_cells(cells: &Cells) -> Self {
        let mut bag = Self::default();
        let own = |id: &u16| !super::table::OF_THE_ROW.contains(id);
        for (id, value) in cells.iter().filter(|(id, _)| own(id)) {
            bag.set(*id, value);
        }
        bag
    }

    /// Sets a property by id.
    pub(super) fn set(&mut self, id: u16, value: &Value) {
        self.set_typed(id, value::kind_of(value), value);
    }

    fn set_typed(&mut self, id: u16, kind: PropType, value: &Value) {
        if let Some(bytes) = value::encode(kind, value) {
            self.values.insert(id, (kind, Content::Bytes(bytes)));
        }
    }

    /// Sets a property.
    pub(super) fn put(&mut self, key: Key, value: &Value) {
        self.set(id_of(key), value);
    }

    /// Sets a text as stores of this format keep it.
    pub(super) fn put_text(&mut self, ndb: &Ndb, key: Key, text: &str) {
        let page = self.codepage();
        let (kind, value) = own_value(ndb.format(), page, PropType::UNICODE, &Value::Unicode(text.to_owned()));
        self.set_typed(id_of(key), kind, &value);
    }

    /// Takes a property out.
    pub(super) fn remove(&mut self, key: Key) {
        self.values.remove(&id_of(key));
    }

    pub(super) fn has(&self, key: Key) -> bool {
        self.values.contains_key(&id_of(key))
    }

    /// A value that is in memory.
    pub(super) fn value_of(&self, id: u16) -> Option<Value> {
        match self.values.get(&id)? {
            (kind, Content::Bytes(bytes) | Content::Torn(bytes)) => Value::decode(*kind, bytes),
            (_, Content::Stored(..)) => None,
        }
    }

    /// Where a large value lies, and how long it is.
    pub(super) fn stored(&self, id: u16) -> Option<(PropType, Bid, u64)> {
        match self.values.get(&id)? {
            (kind, Content::Stored(data, len)) => Some((*kind, *data, *len)),
            (_, Content::Bytes(_) | Content::Torn(_)) => None,
        }
    }

    pub(super) fn get(&self, key: Key) -> Option<Value> {
        self.value_of(id_of(key))
    }

    pub(super) fn int(&self, key: Key) -> Option<i32> {
        match self.get(key)? {
            Value::I32(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn time(&self, key: Key) -> Option<FileTime> {
        match self.get(key)? {
            Value::Time(time) if time.unix().is_some() && time.0 > 0 => Some(time),
            _ => None,
        }
    }

    pub(super) fn text(&self, key: Key) -> Option<String> {
        match self.get(key)? {
            Value::Unicode(text) => Some(text),
            Value::String8(bytes) => Some(codepage::decode(self.codepage(), &bytes)),
            _ => None,
        }
    }

    pub(super) fn codepage(&self) -> u16 {
        crate::store::props::codepage_told(|key| self.int(key)).unwrap_or(codepage::WINDOWS_1252)
    }

    /// The ids of all properties.
    pub(super) fn ids(&self) -> Vec<u16> {
        self.values.keys().copied().collect()
    }

    /// The subnodes that objects among the properties name.
    pub(super) fn objects(&self) -> Vec<(u16, Nid, u32)> {
        let object = |id: &u16| match self.value_of(*id) {
            Some(Value::Object(nid, size)) => Some((*id, nid, size)),
            _ => None,
        };
        self.values.keys().filter_map(object).collect()
    }

    /// A builder of these properties.
    pub(super) fn builder(&self) -> PropertiesBuilder {
        let mut builder = PropertiesBuilder::default();
        for (id, (kind, content)) in &self.values {
            match content {
                Content::Bytes(bytes) | Content::Torn(bytes) => builder.set_bytes(*id, *kind, bytes.clone()),
                Content::Stored(data, len) => builder.set_stored(*id, *kind, *data, *len),
            }
        }
        builder
    }
}

/// The records of a node's properties, from a head put right where its own is damaged.
fn open(ndb: &Ndb, node: NodeRef) -> Result<Option<Properties<'_>>> {
    let read = match Properties::open(ndb, node.nid, node.data, node.subnodes) {
        Err(error) if error.is_io() => return Err(error),
        read => read.ok(),
    };
    match read {
        Some(properties) if properties.is_exact() => Ok(Some(properties)),
        read => Ok(Properties::salvage(ndb, node.nid, node.data, node.subnodes)?.or(read)),
    }
}

/// Whether there is such a type.
pub(super) fn is_type(kind: PropType) -> bool {
    TYPES.contains(&kind.element().0)
}

/// The type of a record; of one that has none that there is, the type that the property has everywhere, else bytes.
fn kind_of(format: Format, record: &PropertyRecord) -> PropType {
    if is_type(record.kind) {
        return record.kind;
    }
    let usual = USUAL.into_iter().map(|(key, kind)| (id_of(key), own_kind(format, kind)));
    let columns = [&CONTENTS, &HIERARCHY, &RECIPIENTS, &ATTACHMENTS].into_iter().flat_map(|template| template.shape(format).columns);
    let known = usual.chain(columns.map(|column| (column.id, column.kind))).find(|(id, _)| *id == record.id);
    known.map_or(PropType::BINARY, |(_, kind)| kind)
}

/// What a record holds; `None` where nothing of it can be used.
fn content(ndb: &Ndb, properties: &Properties<'_>, record: &PropertyRecord, room: &mut u64) -> Result<Option<Content>> {
    let kind = record.kind;
    if kind.is_inline() {
        let bytes = record.value.0.to_le_bytes();
        return Ok(Some(Content::Bytes(bytes.get(..kind.fixed_bytes().unwrap_or(0)).unwrap_or_default().to_vec())));
    }
    if record.value.is_none() {
        return Ok(usable(kind, &[]).map(Content::Bytes));
    }
    if let Some(hid) = record.value.hid() {
        let item = match properties.heap().item(hid) {
            Ok(item) => item,
            Err(error) if error.is_io() => return Err(error),
            Err(_) => return Ok(None),
        };
        let Some(rest) = room.checked_sub(u64::try_from(item.len()).unwrap_or(u64::MAX)) else { return Ok(None) };
        *room = rest;
        return Ok(usable(kind, &item).map(Content::Bytes));
    }
    match root_of(properties, record)? {
        Some(root) => large(ndb, kind, root),
        None => Ok(None),
    }
}

/// Where a large value lies; `None` where there is none.
fn root_of(properties: &Properties<'_>, record: &PropertyRecord) -> Result<Option<Bid>> {
    if record.kind.is_inline() || record.value.is_none() || record.value.hid().is_some() {
        return Ok(None);
    }
    match properties.heap().subnode(record.value.nid()) {
        Err(error) if error.is_io() => Err(error),
        entry => Ok(entry.ok().flatten().map(|entry| entry.data)),
    }
}

/// The bytes of a value that are of use; `None` where none are.
fn usable(kind: PropType, bytes: &[u8]) -> Option<Vec<u8>> {
    if !kind.is_multi() {
        return match kind.fixed_bytes() {
            Some(size) => (bytes.len() == size).then(|| bytes.to_vec()),
            None if kind == PropType::UNICODE => Some(bytes.get(..bytes.len() & !1)?.to_vec()),
            None if kind == PropType::OBJECT => (bytes.len() >= 8).then(|| bytes.get(..8).unwrap_or_default().to_vec()),
            None => Some(bytes.to_vec()),
        };
    }
    let values = Value::decode(kind, bytes)?;
    let again = value::encode(kind, &values)?;
    // Only what is not well-formed is written in another way.
    Some(if again.len() == bytes.len() { bytes.to_vec() } else { again })
}

/// A large value: where it lies while all of it can be read; else, if it is a text or bytes, what is left of it.
fn large(ndb: &Ndb, kind: PropType, root: Bid) -> Result<Option<Content>> {
    let Some(data) = readable(ndb, root)? else { return torn(ndb, kind, root) };
    // Where a block before the last is not full, readers that compute places go astray.
    let odd = kind == PropType::UNICODE && data.len() & 1 != 0 || !is_packed(ndb, &data);
    if odd && data.len() <= crate::store::props::VALUE_MAX {
        let bytes = data.read_all(ndb)?;
        return Ok(usable(kind, &bytes).map(Content::Bytes));
    }
    Ok(Some(Content::Stored(root, data.len())))
}

/// Whether all blocks but the last are full.
fn is_packed(ndb: &Ndb, data: &crate::ndb::Data) -> bool {
    let max = u64::try_from(ndb.format().layout().data_max_bytes).unwrap_or(u64::MAX);
    let starts = data.leaves().iter().map(|leaf| leaf.start);
    starts.clone().zip(starts.skip(1)).all(|(start, next)| next.checked_sub(start) == Some(max))
}

/// What is left of a value of which a part is gone.
fn torn(ndb: &Ndb, kind: PropType, root: Bid) -> Result<Option<Content>> {
    let data = match ndb.data(root) {
        Err(error) if error.is_io() => return Err(error),
        data => data.ok().filter(|data| data.leaves().len() > 1 && data.len() <= crate::store::props::VALUE_MAX && !kind.is_multi()),
    };
    match data {
        Some(data) => Ok(usable(kind, &data.read_all(ndb)?).map(Content::Torn)),
        None => Ok(None),
    }
}

/// The data tree with this root, if every block of it can be read.
pub(super) fn readable(ndb: &Ndb, root: Bid) -> Result<Option<std::sync::Arc<crate::ndb::Data>>> {
    let read = || {
        let data = ndb.data(root)?;
        (0..data.leaves().len()).try_for_each(|index| data.block(ndb, index).map(|_| ()))?;
        Ok(data)
    };
    match read() {
        Ok(data) => Ok(Some(data)),
        Err(error @ crate::damage::Error::Io(_)) => Err(error),
        Err(_) => Ok(None),
    }
}
