//! A table: its columns and rows.

use super::super::out::Stop;
use super::Trees;
use super::node;
use super::report::Report;
use super::value::{Printer, type_name};
use crate::format::id::Nid;
use crate::ltp::{Row, Table};
use crate::store::codepage;

/// How many rows are shown without `--all`.
const ROWS_MAX: usize = 20;

/// Shows the table in a node.
pub(super) fn show(trees: &Trees<'_>, path: &[Nid], report: &mut Report) -> Result<(), Stop> {
    let node = node::find(trees, path)?;
    node::head(trees, &node, report)?;
    let table = match trees.survive(Table::open(&trees.ndb, node.nid, node.data, node.subnodes))? {
        Ok(table) => table,
        Err(error) => return node::bytes(trees, &node, &error, report),
    };
    columns(&table, report)?;
    rows(trees, &table, report)
}

fn columns(table: &Table<'_>, report: &mut Report) -> Result<(), Stop> {
    let info = table.info();
    report.title("Table")?;
    report.fact("row index", format!("{:#x}", info.row_index.0))?;
    report.fact("rows", format!("{:#x}", info.rows.0))?;
    report.fact("bytes of a row", info.row_bytes().to_string())?;
    report.title(format!("Columns: {}", info.columns.len()))?;
    let lines = info.columns.iter().map(|column| {
        format!("{:#06x}  {:<12}  at {:>4}, {:>2} bytes, bit {}", column.id, type_name(column.kind), column.offset, column.size, column.bit)
    });
    report.list(info.columns.len(), lines)
}

fn rows(trees: &Trees<'_>, table: &Table<'_>, report: &mut Report) -> Result<(), Stop> {
    let numbers = match trees.survive(table.row_numbers())? {
        Ok(numbers) => numbers,
        Err(error) => {
            report.title("Rows")?;
            return report.fault(error.to_string());
        }
    };
    report.title(format!("Rows: {}", numbers.len()))?;
    let shown = if report.is_whole() { numbers.len() } else { numbers.len().min(ROWS_MAX) };
    for (id, number) in numbers.iter().take(shown) {
        report.line(format!("  row {id:#x} (number {number})"))?;
        match trees.survive(table.row(*number))? {
            // The index decides which row it is, as for every reader.
            Ok(row) => {
                if row.id != *id {
                    report.fault(format!("the row says that it is {:#x}", row.id))?;
                }
                cells(trees, table, &row, report)?;
            }
            Err(error) => report.fault(error.to_string())?,
        }
    }
    report.left_out(numbers.len().saturating_sub(shown), "rows")
}

fn cells(trees: &Trees<'_>, table: &Table<'_>, row: &Row, report: &mut Report) -> Result<(), Stop> {
    let printer = Printer::new(&trees.ndb, report.is_whole(), codepage::WINDOWS_1252);
    for column in &table.info().columns {
        let Ok(Some(value)) = trees.survive(table.cell(row, column.id))? else { continue };
        let value = trees.survive(printer.print(&value))?.unwrap_or_else(|error| format!("cannot be read: {error}"));
        report.line(format!("    {:#06x}  {:<12}  {value}", column.id, type_name(column.kind)))?;
    }
    Ok(())
}
