//! Tables and properties of a store that is there, written anew with changes.
//!
//! Heaps are not patched: a table or property context that changes is built again from what it holds, which also drops
//! what earlier writers left in it.

use std::collections::BTreeMap;

use crate::damage::{Code, Error, Place, Result};
use crate::format::id::{Nid, NodeType};
use crate::format::property::PropType;
use crate::format::table::{ROW_ID, ROW_VERSION};
use crate::ltp::value::Value;
use crate::ltp::write::{PropertiesBuilder, TableBuilder, TableShape};
use crate::ltp::{Properties, Table};
use crate::ndb::Ndb;
use crate::ndb::write::{BlockSink, Draft, Part, Stored, Transaction};

/// The cells of a row by property id.
pub type Cells = BTreeMap<u16, Value>;

/// A table in memory.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Its columns.
    pub shape: TableShape,
    /// Its rows by id.
    pub rows: BTreeMap<u32, Cells>,
}

/// The table of this node; `None` where there is no such node.
pub(super) fn read(ndb: &Ndb, nid: Nid) -> Result<Option<Rows>> {
    let Some(node) = ndb.node(nid)? else { return Ok(None) };
    let table = Table::open(ndb, nid, node.data, node.subnodes)?;
    let mut found = Vec::new();
    if !table.visit_rows(&mut |row| found.push(row))?.is_empty() {
        // To build on would lose the rows that cannot be read.
        return Err(Error::Damaged(Code::RowMatrix, Place::node(nid.0)));
    }
    let mut rows = BTreeMap::new();
    for row in found {
        let mut cells = Cells::new();
        for (id, value) in table.cells(&row)? {
            let kind = table.info().column(id).map_or(PropType::UNSPECIFIED, |column| column.kind);
            cells.insert(id, loaded(ndb, kind, value)?);
        }
        rows.insert(row.id, cells);
    }
    Ok(Some(Rows { shape: TableShape { ends: table.info().ends, columns: table.info().columns.clone() }, rows }))
}

/// A value with its bytes: a large one is read.
pub fn loaded(ndb: &Ndb, kind: PropType, value: Value) -> Result<Value> {
    let Value::Stream(stream) = &value else { return Ok(value) };
    let bytes = ndb.data(stream.data)?.read_all(ndb)?;
    Ok(Value::decode(kind, &bytes).unwrap_or(value))
}

/// A table with these rows.
pub fn table(transaction: &mut Transaction<'_>, table: Rows) -> Result<Draft> {
    let mut builder = TableBuilder::new(BlockSink::format(transaction), table.shape)?;
    for (id, cells) in &table.rows {
        let version = match cells.get(&ROW_VERSION) {
            Some(Value::I32(version)) => u32::from_le_bytes(version.to_le_bytes()),
            _ => transaction.next_unique(),
        };
        let cells: Vec<(u16, &Value)> =
            cells.iter().filter(|(id, _)| ![ROW_ID, ROW_VERSION].contains(id)).map(|(id, value)| (*id, value)).collect();
        builder.push(*id, version, &cells, transaction.nids())?;
    }
    builder.finish(transaction.nids())
}

/// A node's properties with changes, ready to be written; large values and subnodes stay where they are.
pub(super) fn properties(ndb: &Ndb, nid: Nid, changes: &[(u16, PropType, Value)]) -> Result<PropertiesBuilder> {
    let node = ndb.required_node(nid)?;
    let properties = Properties::open(ndb, nid, node.data, node.subnodes)?;
    let mut builder = PropertiesBuilder::default();
    for record in properties.records() {
        match properties.value(record)? {
            Some(Value::Stream(stream)) => builder.set_stored(record.id, record.kind, stream.data, stream.len),
            Some(value) => {
                builder.set(record.id, record.kind, &value);
            }
            None => {}
        }
    }
    // What large values refer to gets new ids; all else that lies below keeps its own.
    for entry in ndb.subnodes(node.subnodes)?.into_iter().filter(|entry| entry.nid.nid.kind() != NodeType::LTP) {
        builder.add_subnode(entry.nid.nid, Part::Stored(Stored { data: entry.data, subnodes: entry.subnodes }));
    }
    for (id, kind, value) in changes {
        builder.set(*id, *kind, value);
    }
    Ok(builder)
}

/// What a node's properties tell for the columns of a table.
pub(super) fn cells_of(ndb: &Ndb, nid: Nid, shape: &TableShape) -> Result<Cells> {
    let node = ndb.required_node(nid)?;
    let properties = Properties::open(ndb, nid, node.data, node.subnodes)?;
    let mut cells = Cells::new();
    for record in properties.records().iter().filter(|record| shape.columns.iter().any(|column| column.id == record.id)) {
        if let Some(value) = properties.value(record)? {
            cells.insert(record.id, loaded(ndb, record.kind, value)?);
        }
    }
    Ok(cells)
}
