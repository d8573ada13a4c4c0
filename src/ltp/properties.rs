//! Property contexts: the properties of an object ([MS-PST] 2.3.3).

use std::collections::{BTreeMap, BTreeSet};

use super::heap::{Heap, Room};
use super::tree;
use super::value::Value;
use crate::damage::{Code, Error, Place, Result};
use crate::format::codec::{self, Decoder, Field};
use crate::format::heap::HeapClient;
use crate::format::id::{Bid, Nid};
use crate::format::property::{PropType, PropertyRecord};
use crate::ndb::Ndb;

/// The properties of an object, by id.
#[derive(Debug)]
pub struct Properties<'a> {
    heap: Heap<'a>,
    records: Vec<PropertyRecord>,
    /// Whether their tree says that its records are as long as they must be.
    exact: bool,
}

impl<'a> Properties<'a> {
    /// Reads the records of a node's properties; the values stay where they are.
    pub fn open(ndb: &'a Ndb, nid: Nid, data: Bid, subnodes: Bid) -> Result<Self> {
        Self::of_heap(Heap::open(ndb, nid, data, subnodes)?)
    }

    /// The same where the heap's head is damaged, as far as what it should say follows from the rest; `None` where it
    /// does not.
    pub fn salvage(ndb: &'a Ndb, nid: Nid, data: Bid, subnodes: Bid) -> Result<Option<Self>> {
        let Some(heap) = Heap::salvage(ndb, nid, data, subnodes)? else { return Ok(None) };
        match Self::of_heap(heap) {
            Err(error) if error.is_io() => Err(error),
            properties => Ok(properties.ok()),
        }
    }

    fn of_heap(heap: Heap<'a>) -> Result<Self> {
        let (ndb, place) = (heap.ndb(), Place::node(heap.nid().0));
        if heap.client() != HeapClient::PROPERTIES {
            return Err(Error::Damaged(Code::HeapHeader, place));
        }
        let mut records = Vec::new();
        let (header, _) = tree::visit_records(&heap, heap.root(), &mut |key, data| {
            let mut value = Decoder::new(ndb.format(), data);
            if let (Ok(id), Ok(kind), Ok(value)) = (codec::decode(ndb.format(), key), value.field(), value.field()) {
                records.push(PropertyRecord { id, kind, value });
            }
        })?;
        if usize::from(header.key_bytes).saturating_add(header.data_bytes.into()) < PropertyRecord::size(ndb.format()) {
            return Err(Error::Damaged(Code::TreeHeader, place));
        }
        let exact = (header.key_bytes, header.data_bytes) == (2, 6);
        Ok(Self { heap, records, exact })
    }

    /// Whether the records are as long as they must be: where their tree says otherwise, they need not be what they seem.
    pub const fn is_exact(&self) -> bool {
        self.exact
    }

    /// The heap below.
    pub const fn heap(&self) -> &Heap<'a> {
        &self.heap
    }

    /// The records in the order stored, those of unknown types too.
    pub fn records(&self) -> &[PropertyRecord] {
        &self.records
    }

    /// The value of a record; `None` where its type is not known or its bytes do not suffice.
    pub fn value(&self, record: &PropertyRecord) -> Result<Option<Value>> {
        if record.kind.is_inline() {
            return Ok(Value::decode(record.kind, &record.value.0.to_le_bytes()));
        }
        self.heap.value(record.kind, record.value)
    }

    /// All values by id; what cannot be read is noted and left out. Of several records of one id the first counts.
    pub fn values(&self) -> Result<BTreeMap<u16, Value>> {
        self.values_and_lost().map(|(values, _)| values)
    }

    /// The same, and the ids of the values that cannot be read.
    pub fn values_and_lost(&self) -> Result<(BTreeMap<u16, Value>, BTreeSet<u16>)> {
        let (mut values, mut lost) = (BTreeMap::new(), BTreeSet::new());
        let mut room = Room::of(&self.heap);
        for record in &self.records {
            let place = Place::node(self.heap.nid().0).property(record.id);
            let notes = self.heap.ndb().notes();
            // Healthy stores of one writer have a record twice.
            if values.contains_key(&record.id) {
                continue;
            }
            match self.value(record) {
                // One writer leaves records without a type behind.
                _ if record.kind == PropType::UNSPECIFIED => notes.add(Code::PropertyRecord, place, ""),
                Ok(Some(value)) if room.takes(&value) => {
                    values.insert(record.id, value);
                }
                Err(error) if error.is_io() => return Err(error),
                unread => {
                    lost.insert(record.id);
                    match unread {
                        Ok(Some(_)) => notes.add(Code::PropertyMissing, place, "its value lies where others do"),
                        Ok(None) => notes.add(Code::PropertySize, place, format!("type {:#06x}", record.kind.0)),
                        Err(error) => notes.add(Code::PropertyMissing, place, error.to_string()),
                    }
                }
            }
        }
        lost.retain(|id| !values.contains_key(id));
        Ok((values, lost))
    }
}
