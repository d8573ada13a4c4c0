//! Tables, laid out for a Unicode store ([MS-PST] 2.3.4).

use std::collections::{BTreeMap, BTreeSet};

use super::text::{wide_kind, wide_value};
use super::{Laid, Object, Objects, Old, Widener};
use crate::damage::Result;
use crate::format::id::{Bid, Nid, NodeType};
use crate::format::table::{Column, ROW_ID, ROW_VERSION};
use crate::ltp::value::Value;
use crate::ltp::write::{TableBuilder, TableShape};
use crate::ltp::{Row, Table};
use crate::ndb::write::tree::put_draft;
use crate::ndb::write::{BlockSink, Part, Stored};
use crate::store::item::NodeRef;
use crate::store::props::codepage_told;
use crate::store::tags;
use crate::store::write::rows::loaded;

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
        let mut numbers = table.row_numbers()?;
        let whole = old.node.subnodes.is_none() && numbers.is_empty();
        if let Some((data, bytes)) = self.known(old.node.data).filter(|_| whole) {
            return Ok(Laid { stored: Stored { data, subnodes: Bid::NONE }, bytes });
        }
        let mut builder = TableBuilder::new(self.writer.format(), wide_shape(table))?;
        // Where a row stands is known to indexes that nobody describes.
        numbers.sort_by_key(|(_, number)| *number);
        let mut seen = BTreeSet::new();
        for (id, number) in numbers.into_iter().filter(|(id, _)| seen.insert(*id)) {
            self.progress.check()?;
            match table.row_of(id, number)? {
                Some(row) => self.row(old, table, &row, &mut builder)?,
                None => self.fail(old.node.nid, &format!("row {id:#x} cannot be read")),
            }
        }
        let mut draft = builder.finish(self.writer.nids())?;
        let mut bytes = draft.bytes();
        for (nid, laid) in self.beside(old)? {
            bytes = bytes.saturating_add(laid.bytes);
            draft.subnodes.push((nid, Part::Stored(laid.stored)));
        }
        let stored = put_draft(&mut self.writer, draft)?;
        if whole {
            self.share(old.node.data, (stored.data, bytes))?;
        }
        Ok(Laid { stored, bytes })
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

    fn row(&mut self, old: &Old<'_>, table: &Table<'_>, row: &Row, builder: &mut TableBuilder) -> Result<()> {
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
        let mut wide = Vec::new();
        for (id, value) in cells.into_iter().filter(|(id, _)| *id != ROW_ID) {
            let kind = table.info().column(id).map(|column| column.kind).unwrap_or_default();
            let value = loaded(self.ndb, kind, value);
            if let Some(value) = self.survive(old.node.nid, value.map(Some), None)? {
                wide.push((id, wide_value(page, id, value)));
            }
        }
        let cells: Vec<(u16, &Value)> = wide.iter().map(|(id, value)| (*id, value)).collect();
        builder.push(row.id, version, &cells, self.writer.nids())
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
