//! Property contexts, strictly ([MS-PST] 2.3.3).

use super::super::case::Case;
use super::heap::HeapCheck;
use super::tree;
use super::value::{self, Codes};
use crate::damage::{Code, Result};
use crate::format::codec::{self, Decoder};
use crate::format::heap::HeapClient;
use crate::format::id::Hnid;
use crate::format::property::{PropType, PropertyRecord};
use crate::format::table::Column;
use crate::ltp::HeapItem;
use crate::ltp::value::Value;
use crate::ndb::Ndb;
use crate::store::item::NodeRef;
use crate::store::props::Key;

/// The properties of an object, checked; values are read when they are asked for.
#[derive(Debug)]
pub(in super::super) struct PropertyCheck<'a> {
    check: HeapCheck<'a>,
    records: Vec<PropertyRecord>,
}

/// Types that properties have ([MS-OXCDATA] 2.11.1), several elements aside.
const TYPES: [PropType; 16] = [
    PropType::NULL,
    PropType::I16,
    PropType::I32,
    PropType::F32,
    PropType::F64,
    PropType::CURRENCY,
    PropType::APP_TIME,
    PropType::ERROR,
    PropType::BOOL,
    PropType::OBJECT,
    PropType::I64,
    PropType::STRING8,
    PropType::UNICODE,
    PropType::TIME,
    PropType::GUID,
    PropType::BINARY,
];
/// Rarer ones: server id, restriction, rule actions ([MS-OXCDATA] 2.11.1). They are stored as bytes.
const RARE_TYPES: [PropType; 3] = [PropType(0x00fb), PropType(0x00fd), PropType(0x00fe)];

/// Whether there is such a type.
pub(super) fn is_type(kind: PropType) -> bool {
    TYPES.contains(&kind.element()) || RARE_TYPES.contains(&kind.element())
}

impl<'a> PropertyCheck<'a> {
    /// Checks all properties of a node; `None` where there are none to be read.
    pub(in super::super) fn open(case: &mut Case, ndb: &'a Ndb, node: NodeRef) -> Result<Option<Self>> {
        let Some(mut check) = HeapCheck::open(case, ndb, node, HeapClient::PROPERTIES)? else { return Ok(None) };
        let root = check.heap().root();
        let Some(found) = tree::records(case, &mut check, root, (2, &[6]), Code::PropertyOrder)? else { return Ok(None) };
        let mut records = Vec::new();
        records.reserve_exact(found.len());
        for (key, data) in found.iter() {
            let mut data = Decoder::new(ndb.format(), data);
            if let (Ok(id), Ok(kind), Ok(value)) = (codec::decode(ndb.format(), key), data.field(), data.field()) {
                records.push(PropertyRecord { id, kind, value });
            }
        }
        for record in &records {
            check_record(case, &mut check, record)?;
        }
        Ok(Some(Self { check, records }))
    }

    /// Tells of heap items that are no property's value.
    pub(in super::super) fn finish(self, case: &mut Case) {
        self.check.finish(case);
    }

    /// All records, in the order stored.
    pub(in super::super) fn records(&self) -> &[PropertyRecord] {
        &self.records
    }

    /// The record of a property.
    pub(in super::super) fn record(&self, key: Key) -> Option<&PropertyRecord> {
        let Key::Id(id) = key else { return None };
        self.records.iter().find(|record| record.id == id)
    }

    /// The value of a property; `None` where it is not there or cannot be read, which was found before.
    pub(in super::super) fn value(&self, key: Key) -> Result<Option<Value>> {
        let Some(record) = self.record(key) else { return Ok(None) };
        if record.kind.is_inline() {
            return Ok(Value::decode(record.kind, &record.value.0.to_le_bytes()));
        }
        // What cannot be read was found when all records were checked.
        match self.check.heap().value(record.kind, record.value) {
            Err(error) if error.is_io() => Err(error),
            value => Ok(value.ok().flatten()),
        }
    }

    /// Whether a property is stored in its heap as a cell of this column is in the table's: told without making values of
    /// both, since most are what their rows say.
    pub(super) fn is_stored_as(&self, column: &Column, cell: Result<Option<HeapItem<'_>>>) -> Result<bool> {
        let Some(record) = self.record(Key::Id(column.id)) else { return Ok(false) };
        // Numbers that are no numbers differ from themselves.
        let comparable = record.kind == column.kind && !record.kind.is_multi();
        match (cell, self.item(record)) {
            (Err(error), _) | (_, Err(error)) if error.is_io() => Err(error),
            (Ok(Some(cell)), Ok(Some(item))) => Ok(comparable && *cell == *item),
            _ => Ok(false),
        }
    }

    /// The first unit of a text: a character of UTF-16, or a byte; `None` where there is none, or none at hand.
    pub(super) fn first_unit(&self, key: Key) -> Result<Option<u16>> {
        let Some(record) = self.record(key) else { return Ok(None) };
        match (self.item(record), record.kind) {
            (Err(error), _) if error.is_io() => Err(error),
            (Ok(Some(item)), PropType::UNICODE) => Ok(codec::decode(self.check.heap().ndb().format(), &item).ok()),
            (Ok(Some(item)), PropType::STRING8) => Ok(item.first().copied().map(u16::from)),
            _ => Ok(None),
        }
    }

    /// The item of the heap that a record names; `None` where its value stands elsewhere.
    fn item(&self, record: &PropertyRecord) -> Result<Option<HeapItem<'_>>> {
        let hid = Hnid(record.value.0).hid().filter(|hid| !hid.is_none() && !record.kind.is_inline());
        hid.map(|hid| self.check.heap().item(hid)).transpose()
    }

    /// A 32-bit number.
    pub(in super::super) fn int(&self, key: Key) -> Option<i32> {
        match self.record(key)? {
            PropertyRecord { kind: PropType::I32, value, .. } => Some(i32::from_le_bytes(value.0.to_le_bytes())),
            _ => None,
        }
    }

    /// Whether the property is there.
    pub(in super::super) fn has(&self, key: Key) -> bool {
        self.record(key).is_some()
    }
}

fn check_record(case: &mut Case, check: &mut HeapCheck<'_>, record: &PropertyRecord) -> Result<()> {
    let place = case.place().property(record.id);
    if !is_type(record.kind) {
        case.add_at(Code::PropertyRecord, place, format!("type {:#06x}", record.kind.0));
        return Ok(());
    }
    if record.kind.is_inline() {
        return Ok(());
    }
    let codes = Codes { item: Code::HeapId, missing: Code::PropertyMissing, size: Code::PropertySize };
    value::check(case, check, record.kind, Hnid(record.value.0), place, codes)
}
