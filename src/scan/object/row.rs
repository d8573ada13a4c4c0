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

/// Whether a cell and an object's value are one, as far as they are in memory. A table may hold the start of a long value.
fn same(cell: &Value, value: &Value) -> bool {
    match (cell, value) {
        (Value::Stream(cell), Value::Stream(value)) => cell.len <= value.len,
        (Value::Stream(_), _) | (_, Value::Stream(_)) => true,
        (cell, value) => cell == value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::id::Bid;
    use crate::format::property::PropType;
    use crate::ltp::value::Stream;

    /// Zeros at the end of a text, as they take the place of a lost block, are not copied into the row: each repair wrote it
    /// again, and each scan found it again.
    #[test]
    fn a_row_may_hold_the_start_of_a_long_value() {
        let stream = |len| Value::Stream(Stream { kind: PropType::STRING8, data: Bid(4), len });
        assert!(same(&stream(8180), &stream(15233)));
        assert!(same(&stream(15233), &stream(15233)));
        assert!(!same(&stream(15234), &stream(15233)));
    }
}
