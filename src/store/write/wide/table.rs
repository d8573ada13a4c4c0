//! Tables, laid out for a Unicode store ([MS-PST] 2.3.4).

use std::collections::{BTreeMap, BTreeSet};

use super::text::{wide_kind, wide_value};
use super::{Laid, Object, Objects, Old, Widener};
use crate::damage::Result;
use crate::format::id::{Bid, Nid, NodeType};
use crate::format::property::PropType;
use crate::format::table::{Column, ROW_ID, ROW_VERSION};
use crate::ltp::value::{Stream, Value};
use crate::ltp::write::{TableBuilder, TableShape};
use crate::ltp::{Row, Table};
use crate::ndb::write::tree::put_draft;
use crate::ndb::write::{BlockSink, Part, Stored};
use crate::store::item::NodeRef;
use crate::store::props::codepage_told;
use crate::store::tags;
use crate::store::write::rows::loaded;

/// Tells a table without rows from other uses of its block: no code page has this number.
const EMPTY: u16 = u16::MAX;

/// Which objects the rows of a table stand for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rows<'r> {
    /// Nodes of the store.
    Nodes,
    /// The attachments of a message.
    Of(&'r Objects),
    /// None: rows stand for themselves.
    Alone,
}

impl Widener<'_, '_> {
    /// A table with all its rows, in their order.
    pub(super) fn table(&mut self, old: &Old<'_>, table: &Table<'_>) -> Result<Laid> {
        let numbers = table.row_numbers()?;
        if numbers.is_empty() && old.node.subnodes.is_none() {
            let (data, bytes) = self.shared_data(old.node.data, EMPTY, |widener| widener.empty(table))?;
            return Ok(Laid { stored: Stored { data, ..Stored::default() }, bytes, object: None });
        }
        let mut builder = TableBuilder::new(self.writer.format(), wide_shape(table))?;
        let mut bytes = self.rows(old, table, numbers, &mut builder)?;
        let mut draft = builder.finish(self.writer.nids())?;
        bytes = bytes.saturating_add(draft.bytes());
        for (nid, laid) in self.beside(old)? {
            bytes = bytes.saturating_add(laid.bytes);
            draft.subnodes.push((nid, Part::Stored(laid.stored)));
        }
        Ok(Laid { stored: put_draft(&mut self.writer, draft)?, bytes, object: None })
    }

    /// A table without rows: most folders have the block of the template.
    fn empty(&mut self, table: &Table<'_>) -> Result<(Bid, u64)> {
        let draft = TableBuilder::new(self.writer.format(), wide_shape(table))?.finish(self.writer.nids())?;
        let bytes = draft.bytes();
        Ok((put_draft(&mut self.writer, draft)?.data, bytes))
    }

    /// Adds rows in their order: where a row stands is known to indexes that nobody describes. Tells how many bytes of their
    /// values are written already.
    fn rows(&mut self, old: &Old<'_>, table: &Table<'_>, mut numbers: Vec<(u32, u32)>, builder: &mut TableBuilder) -> Result<u64> {
        numbers.sort_by_key(|(_, number)| *number);
        let (mut seen, mut bytes) = (BTreeSet::new(), 0_u64);
        for (id, number) in numbers.into_iter().filter(|(id, _)| seen.insert(*id)) {
            self.progress.check()?;
            match table.row_of(id, number)? {
                Some(row) => bytes = bytes.saturating_add(self.row(old, table, &row, builder)?),
                None => self.fail(old.node.nid, &format!("row {id:#x} cannot be read")),
            }
        }
        Ok(bytes)
    }

    /// What lies in a table beside its rows and their values.
    fn beside(&mut self, old: &Old<'_>) -> Result<Vec<(Nid, Laid)>> {
        let entries = self.ndb.subnodes(old.node.subnodes);
        let mut beside = Vec::new();
        for entry in self.survive(old.node.nid, entries, Vec::new())?.into_iter().filter(|entry| entry.nid.nid.kind() != NodeType::LTP) {
            let node = NodeRef { nid: entry.nid.nid, data: entry.data, subnodes: entry.subnodes };
            beside.push((node.nid, self.part(&Old { node, depth: old.depth.saturating_add(1), ..*old })?));
        }
        Ok(beside)
    }

    fn row(&mut self, old: &Old<'_>, table: &Table<'_>, row: &Row, builder: &mut TableBuilder) -> Result<u64> {
        let mut cells: BTreeMap<u16, Value> = table.cells(row)?.into_iter().collect();
        let object = self.object(old, row.id);
        let page = object.map(|object| object.page).or_else(|| page_of(&cells)).unwrap_or(old.page);
        let size = object.and_then(|object| object.size);
        let told = tags::MESSAGE_SIZE.id().and_then(|id| cells.get_mut(&id)).zip(size);
        if let Some((cell @ Value::I32(_), size)) = told {
            *cell = Value::I32(size);
        }
        let version = match cells.remove(&ROW_VERSION) {
            Some(Value::I32(version)) => u32::from_le_bytes(version.to_le_bytes()),
            _ => 0,
        };
        let (mut wide, mut bytes) = (Vec::new(), 0_u64);
        for (id, value) in cells.into_iter().filter(|(id, _)| *id != ROW_ID) {
            let value = match value {
                Value::Stream(stream) => self.large_cell(old.node.nid, page, id, &stream)?,
                value => Some(wide_value(page, id, value)),
            };
            bytes = bytes.saturating_add(value.as_ref().map_or(0, stored_bytes));
            wide.extend(value.map(|value| (id, value)));
        }
        let cells: Vec<(u16, &Value)> = wide.iter().map(|(id, value)| (*id, value)).collect();
        builder.push(row.id, version, &cells, self.writer.nids())?;
        Ok(bytes)
    }

    /// A cell whose value is a subnode; `None` where it cannot be read.
    fn large_cell(&mut self, nid: Nid, page: u16, id: u16, stream: &Stream) -> Result<Option<Value>> {
        let (root, kind) = (stream.data, wide_kind(id, stream.kind));
        if kind == stream.kind || kind == PropType::BINARY {
            let (data, len) = self.stream(nid, root)?;
            return Ok(Some(Value::Stream(Stream { kind, data, len })));
        }
        let value = loaded(self.ndb, stream.kind, Value::Stream(*stream));
        match self.survive(nid, value.map(Some), None)? {
            Some(Value::String8(text)) => {
                let (data, len) = self.long_text(page, id, root, &text)?;
                Ok(Some(Value::Stream(Stream { kind, data, len })))
            }
            value => Ok(value.map(|value| wide_value(page, id, value))),
        }
    }

    /// What is known of the object of a row.
    fn object(&self, old: &Old<'_>, row: u32) -> Option<Object> {
        match old.rows {
            Rows::Nodes if Self::is_table(old.node.nid) => self.objects.get(&Nid(row)).copied(),
            Rows::Of(objects) => objects.get(&Nid(row)).copied(),
            Rows::Nodes | Rows::Alone => None,
        }
    }
}

/// Bytes of a value that are written already.
const fn stored_bytes(value: &Value) -> u64 {
    match value {
        Value::Stream(stream) => stream.len,
        _ => 0,
    }
}

/// The same columns at the same places, strings as UTF-16.
fn wide_shape(table: &Table<'_>) -> TableShape {
    let columns = table.info().columns.iter().map(|column| Column { kind: wide_kind(column.id, column.kind), ..*column });
    let mut columns: Vec<Column> = columns.collect();
    columns.sort_by_key(|column| (column.id, column.kind));
    TableShape { ends: table.info().ends, columns }
}

/// The code page that a row's own cells tell.
fn page_of(cells: &BTreeMap<u16, Value>) -> Option<u16> {
    codepage_told(|key| match cells.get(&key.id()?)? {
        Value::I16(value) => Some(i32::from(*value)),
        Value::I32(value) => Some(*value),
        _ => None,
    })
}
