//! What the row of a table says of an object, against what the object says.

use super::super::case::Case;
use super::properties::PropertyCheck;
use super::value::shown;
use crate::damage::{Code, Result};
use crate::format::table::Column;
use crate::ltp::value::Value;
use crate::ltp::{Row, Table};
use crate::store::props::Key;

/// The cells of a row, read when they are asked for; none where there is no row, or none that can be read.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Cells<'r>(Option<(&'r Table<'r>, &'r Row)>);

/// Cells that differ from the object's property in healthy stores of Outlook: sizes, and what belongs to a server.
const CELLS_OF_THEIR_OWN: [u16; 12] = [0x0e08, 0x0e17, 0x0e30, 0x0e33, 0x0e34, 0x0e38, 0x0e3c, 0x0e3d, 0x65c6, 0x67f1, 0x67f2, 0x67f3];

impl<'r> Cells<'r> {
    /// Those of a row.
    pub(in super::super) fn of(table: &'r Table<'r>, row: Option<&'r Row>) -> Self {
        Self(row.map(|row| (table, row)))
    }

    /// The value of a cell.
    pub(in super::super) fn value(self, key: Key) -> Result<Option<Value>> {
        match (self.0, key) {
            (Some((table, row)), Key::Id(id)) => table.cell(row, id),
            _ => Ok(None),
        }
    }

    /// All of them, by property.
    pub(in super::super) fn all(self) -> Result<Vec<(u16, Value)>> {
        self.0.map_or_else(|| Ok(Vec::new()), |(table, row)| table.cells(row))
    }

    /// Compares them with what the object says.
    pub(in super::super) fn compare(self, case: &mut Case, props: &PropertyCheck<'_>) -> Result<()> {
        let Some((table, row)) = self.0 else { return Ok(()) };
        for column in table.columns().filter(|column| !CELLS_OF_THEIR_OWN.contains(&column.id)) {
            if !props.has(Key::Id(column.id)) || props.is_stored_as(column, table.item(row, column))? {
                continue;
            }
            if let (Some(cell), Some(value)) = (table.value(row, column)?, props.value(Key::Id(column.id))?)
                && !same(&cell, &value)
            {
                tell(case, column, &cell, &value);
            }
        }
        Ok(())
    }
}

fn tell(case: &mut Case, column: &Column, cell: &Value, value: &Value) {
    let place = case.place().property(column.id);
    case.add_at(Code::RowCell, place, format!("the row says {}, the object {}", shown(cell), shown(value)));
}

/// Whether two values are one, as far as they are in memory.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Stream(a), Value::Stream(b)) => a.len == b.len,
        // A table holds no more than the start of a long value.
        (Value::Stream(_), _) | (_, Value::Stream(_)) => true,
        (a, b) => a == b,
    }
}
