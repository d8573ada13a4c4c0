//! Property contexts, built ([MS-PST] 2.3.3).

use std::collections::BTreeMap;

use super::heap::HeapBuilder;
use super::tree::{self, RecordSizes};
use super::value;
use crate::damage::Result;
use crate::format::Format;
use crate::format::codec;
use crate::format::heap::{HeapClient, ITEM_MAX};
use crate::format::id::{Bid, Hnid, Nid, NodeType};
use crate::format::property::{PropType, PropertyRecord};
use crate::ltp::value::Value;
use crate::ndb::write::{Draft, Nids, Part, Stored};

/// The properties of an object, before they have a place.
#[derive(Clone, Debug, Default)]
pub struct PropertiesBuilder {
    values: BTreeMap<u16, (PropType, Content)>,
    subnodes: Vec<(Nid, Part)>,
    /// Bytes in trees that are stored already: they count for the object's size.
    stored_bytes: u64,
}

#[derive(Clone, Debug)]
enum Content {
    Bytes(Vec<u8>),
    Stored(Bid),
}

impl PropertiesBuilder {
    /// Sets a property; of several with one id the last counts. `false` where value and type do not fit.
    pub fn set(&mut self, id: u16, kind: PropType, value: &Value) -> bool {
        match value::encode(kind, value) {
            Some(bytes) => {
                self.values.insert(id, (kind, Content::Bytes(bytes)));
                true
            }
            None => false,
        }
    }

    /// Sets a property to a value as it is stored.
    pub fn set_bytes(&mut self, id: u16, kind: PropType, bytes: Vec<u8>) {
        self.values.insert(id, (kind, Content::Bytes(bytes)));
    }

    /// Sets a property whose value is a data tree in the file already.
    pub fn set_stored(&mut self, id: u16, kind: PropType, data: Bid, bytes: u64) {
        self.stored_bytes = self.stored_bytes.saturating_add(bytes);
        self.values.insert(id, (kind, Content::Stored(data)));
    }

    /// Adds a subnode that is no property's value: a table, an attachment, an object.
    pub fn add_subnode(&mut self, nid: Nid, part: Part) {
        self.subnodes.push((nid, part));
    }

    /// Counts bytes that lie in the file already, in a subnode that was added as stored.
    pub const fn add_stored_bytes(&mut self, bytes: u64) {
        self.stored_bytes = self.stored_bytes.saturating_add(bytes);
    }

    /// Whether a property was set.
    pub fn has(&self, id: u16) -> bool {
        self.values.contains_key(&id)
    }

    /// The node's data and subnodes.
    pub fn finish(self, format: Format, nids: &mut Nids) -> Result<Draft> {
        Ok(self.finish_sized(format, nids, &[])?.0)
    }

    /// The node's data and subnodes, and how many bytes they have; 32-bit properties `sized` are set to that number.
    pub fn finish_sized(self, format: Format, nids: &mut Nids, sized: &[u16]) -> Result<(Draft, u64)> {
        let mut heap = HeapBuilder::new(format, HeapClient::PROPERTIES);
        let header = tree::reserve_header(&mut heap)?;
        heap.set_root(header);
        let mut draft = Draft { data: Vec::new(), subnodes: self.subnodes };
        let mut records = Vec::new();
        for (id, (kind, content)) in self.values {
            let value = place(&mut heap, &mut draft, nids, kind, content)?;
            records.push(PropertyRecord { id, kind, value });
        }
        let tree = tree::put(&mut heap, header, RecordSizes { key: 2, data: 6 }, &encode(format, &records))?;
        let bytes = heap.bytes().saturating_add(draft.bytes()).saturating_add(self.stored_bytes);
        let size = u32::try_from(bytes).unwrap_or(u32::MAX).min(i32::MAX.unsigned_abs());
        for record in records.iter_mut().filter(|record| sized.contains(&record.id)) {
            record.value = Hnid(size);
        }
        tree::refill(&mut heap, &tree, &encode(format, &records));
        draft.data = heap.finish();
        Ok((draft, bytes))
    }
}

fn encode(format: Format, records: &[PropertyRecord]) -> Vec<u8> {
    records.iter().flat_map(|record| codec::encode(format, record)).collect()
}

/// Puts a value where its type and size want it: in the record, in the heap, in a subnode ([MS-PST] 2.3.3.3).
fn place(heap: &mut HeapBuilder, draft: &mut Draft, nids: &mut Nids, kind: PropType, content: Content) -> Result<Hnid> {
    let part = match content {
        Content::Bytes(bytes) if kind.is_inline() => {
            let mut inline = [0; 4];
            codec::overwrite(&mut inline, 0, &bytes);
            return Ok(Hnid(u32::from_le_bytes(inline)));
        }
        Content::Bytes(bytes) if bytes.len() <= ITEM_MAX => return Ok(Hnid(heap.add(&bytes)?.0)),
        Content::Bytes(bytes) => Part::Draft(Draft { data: in_blocks(heap.format(), &bytes), subnodes: Vec::new() }),
        Content::Stored(data) => Part::Stored(Stored { data, subnodes: Bid::NONE }),
    };
    let nid = nids.next(NodeType::LTP)?;
    draft.subnodes.push((nid, part));
    Ok(Hnid(nid.0))
}

/// Bytes in blocks as large as the format allows.
pub(super) fn in_blocks(format: Format, bytes: &[u8]) -> Vec<Vec<u8>> {
    codec::pieces(bytes, format.layout().data_max_bytes).map(<[u8]>::to_vec).collect()
}
