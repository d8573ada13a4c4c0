//! Table contexts, strictly ([MS-PST] 2.3.4).

use std::collections::BTreeSet;

use super::super::bits::BitSet;
use super::super::case::Case;
use super::heap::HeapCheck;
use super::properties::is_type;
use super::value::{self, Codes};
use super::{survive, tree};
use crate::damage::{Code, Error, Place, Result};
use crate::disk::Spill;
use crate::format::codec;
use crate::format::heap::HeapClient;
use crate::format::id::{Hid, Hnid, NodeType};
use crate::format::property::PropType;
use crate::format::table::{Column, ROW_ID, ROW_VERSION, TableInfo};
use crate::ltp::{COLUMN_HEAPS, Table};
use crate::ndb::Ndb;
use crate::progress::Progress;
use crate::store::item::NodeRef;

/// The first byte of heaps that hold the cells of one column in 4K stores.
const COLUMN_HEAP: HeapClient = HeapClient(0xa5);
/// How many rows are looked at between two questions whether to go on.
const ROWS_AT_A_TIME: usize = 1024;

/// A table, checked: its columns and the ids and numbers of its rows.
#[derive(Debug)]
pub(in super::super) struct TableCheck<'a> {
    /// The table.
    pub(in super::super) table: Table<'a>,
    /// Ids and numbers of the rows that can be read, in the order of the ids.
    pub(in super::super) rows: Spill<(u32, u32)>,
}

/// Checks a table with all its rows and cells; `None` where it cannot be read.
pub(in super::super) fn check_table<'a>(
    case: &mut Case,
    ndb: &'a Ndb,
    node: NodeRef,
    progress: &Progress,
) -> Result<Option<TableCheck<'a>>> {
    let Some(mut check) = HeapCheck::open(case, ndb, node, HeapClient::TABLE)? else { return Ok(None) };
    let (root, place) = (check.heap().root(), case.place());
    let Some(item) = check.item(case, root, place)? else { return Ok(None) };
    let Ok(info) = TableInfo::decode(ndb.format(), &item) else {
        case.add(Code::TableHeader, format!("{} bytes", item.len()));
        return Ok(None);
    };
    if !header_fits(case, &info, item.len()) {
        return Ok(None);
    }
    columns_fit(case, &info);
    let index = row_index(case, &mut check, info.row_index)?;
    // The rows are an item of the heap too, if they are not a subnode. One writer leaves a freed item where none are left.
    let no_rows = index.as_ref().is_some_and(|index| index.is_empty());
    if let Some(hid) = info.rows.hid().filter(|hid| !(hid.is_none() || no_rows && check.is_freed(*hid))) {
        check.item(case, hid, place)?;
    }
    let Some(table) = survive(case, Table::on(check.heap().clone(), info))? else { return Ok(None) };
    let mut rows = Rows { check, own: own_heaps(case, ndb, node)?, info: table.info() };
    let found = rows.check_all(case, &table, index, progress)?;
    rows.finish(case);
    Ok(Some(TableCheck { table, rows: found }))
}

fn header_fits(case: &mut Case, info: &TableInfo, bytes: usize) -> bool {
    let [fours, twos, ones, row] = info.ends;
    let existence = usize::from(row).checked_sub(usize::from(ones));
    let fits = info.ends.is_sorted() && existence == Some(info.columns.len().div_ceil(8)) && row > 0;
    let whole = info.columns.len().saturating_mul(8).saturating_add(22) <= bytes;
    if !fits || !whole {
        case.add(Code::TableHeader, format!("cells end at {fours}, {twos}, {ones}, rows at {row}, {} columns", info.columns.len()));
    }
    fits && whole
}

fn columns_fit(case: &mut Case, info: &TableInfo) {
    let count = info.columns.len();
    let [fours, twos, ones, _] = info.ends;
    // OSTs have one id twice, with two types.
    let (mut ids, mut bits) = (BTreeSet::new(), BitSet::default());
    let ascend = info.columns.is_sorted_by(|a, b| (a.id, a.kind) < (b.id, b.kind));
    for column in &info.columns {
        let place = case.place().property(column.id);
        let area = match column.size {
            1 => twos..ones,
            2 => fours..twos,
            _ => 0..fours,
        };
        let end = column.offset.checked_add(column.size.into());
        let inside = column.offset >= area.start && end.is_some_and(|end| end <= area.end);
        let size_fits = column.size == cell_bytes(column.kind);
        if !inside
            || !size_fits
            || !is_type(column.kind)
            || usize::from(column.bit) >= count
            || !(ascend || ids.insert((column.id, column.kind)))
            || !bits.insert(column.bit.into())
        {
            let Column { kind, offset, size, bit, .. } = column;
            case.add_at(Code::TableColumns, place, format!("type {:#06x}, {size} bytes at {offset}, bit {bit} of {count}", kind.0));
        }
    }
    for (id, offset, bit) in [(ROW_ID, 0, 0), (ROW_VERSION, 4, 1)] {
        match info.column(id) {
            Some(column) if column.offset == offset && column.bit == bit => {}
            // Tables have row ids; versions only where something is kept in step with a server.
            None if id == ROW_VERSION => {}
            _ => case.add_at(Code::TableColumns, case.place().property(id), "the first columns of every row are its id and its version"),
        }
    }
    if !ascend && !info.columns.is_sorted_by_key(|column| (column.id, column.kind)) {
        case.add(Code::ColumnOrder, "");
    }
}

/// Bytes of a cell in its row; what is larger than 8 lies elsewhere and leaves a reference.
const fn cell_bytes(kind: PropType) -> u8 {
    match kind.fixed_bytes() {
        Some(1) => 1,
        Some(2) => 2,
        Some(8) => 8,
        _ => 4,
    }
}

/// Ids and numbers of the rows, as the index tells them.
fn row_index(case: &mut Case, check: &mut HeapCheck<'_>, index: Hid) -> Result<Option<Spill<(u32, u32)>>> {
    let format = check.heap().ndb().format();
    let records = tree::records(case, check, index, (4, &[2, 4]), Code::TreeOrder)?;
    Ok(records.map(|records| {
        let narrow = records.data_bytes() == 2;
        let number = |data: &[u8]| if narrow { codec::decode::<u16>(format, data).map(u32::from) } else { codec::decode(format, data) };
        records.iter().filter_map(|(key, data)| Some((codec::decode(format, key).ok()?, number(data).ok()?))).collect()
    }))
}

/// The heaps of single columns in 4K stores, by property.
fn own_heaps<'a>(case: &mut Case, ndb: &'a Ndb, node: NodeRef) -> Result<Vec<(u16, Option<HeapCheck<'a>>)>> {
    let mut heaps = Vec::new();
    for (id, nid) in COLUMN_HEAPS {
        if let Some(Some(subnode)) = survive(case, ndb.subnode(node.subnodes, nid))? {
            let node = NodeRef { nid, data: subnode.data, subnodes: subnode.subnodes };
            heaps.push((id, case.below(nid, |case| HeapCheck::open(case, ndb, node, COLUMN_HEAP))?));
        }
    }
    Ok(heaps)
}

/// A row that the index names cannot be read; of a damaged block the passes over blocks have told.
fn no_row(case: &mut Case, place: Place, (number, count): (u32, usize), error: &Error) {
    if matches!(error, Error::Damaged(Code::RowMatrix, _)) {
        // Rows are numbered without gaps: a number past their count is the index's fault, any other one the rows'.
        let past = usize::try_from(number).is_ok_and(|number| number >= count);
        case.add_at(if past { Code::RowIndex } else { Code::RowMatrix }, place, format!("row {number} of {count} is not there"));
    }
}

struct Rows<'a, 'i> {
    check: HeapCheck<'a>,
    own: Vec<(u16, Option<HeapCheck<'a>>)>,
    info: &'i TableInfo,
}

impl Rows<'_, '_> {
    /// Checks the rows that the index names, or those that are there where it cannot be read; returns what can be read.
    fn check_all(
        &mut self,
        case: &mut Case,
        table: &Table<'_>,
        index: Option<Spill<(u32, u32)>>,
        progress: &Progress,
    ) -> Result<Spill<(u32, u32)>> {
        let readable = index.is_some();
        let rows = match index {
            Some(rows) => rows,
            None => survive(case, table.row_numbers())?.unwrap_or_default().into_iter().collect(),
        };
        let mut numbers = BitSet::default();
        let count = rows.len();
        let mut found = Spill::new();
        for (at, (id, number)) in rows.iter().copied().enumerate() {
            if at.checked_rem(ROWS_AT_A_TIME) == Some(0) {
                progress.check()?;
            }
            let place = case.place().row(id);
            if !numbers.insert(number) {
                case.add_at(Code::RowIndex, place, format!("row {number} is named twice"));
                continue;
            }
            match table.row(number) {
                Ok(row) => {
                    if readable && row.id != id {
                        case.add_at(Code::RowIndex, place, format!("row {number} says {:#x}", row.id));
                    }
                    self.check_row(case, row.bytes(), place)?;
                    found.push((id, number));
                }
                Err(error) if error.is_io() => return Err(error),
                Err(error) => {
                    no_row(case, place, (number, count), &error);
                    found.push((id, number));
                }
            }
        }
        Ok(found)
    }

    fn check_row(&mut self, case: &mut Case, row: &[u8], place: Place) -> Result<()> {
        if self.info.column(ROW_ID).is_some_and(|column| self.info.cell(row, column).is_none()) {
            case.add_at(Code::RowIndex, place, "the row says that it has no id");
        }
        let version = self.info.column(ROW_VERSION).and_then(|column| self.info.cell(row, column));
        if let Some(version) = version.and_then(|bytes| codec::decode(self.check.heap().ndb().format(), bytes).ok()) {
            case.saw_row_version(version);
        }
        for column in &self.info.columns {
            let stands_in_row = column.kind.fixed_bytes().is_some_and(|size| size <= 8);
            if stands_in_row {
                continue;
            }
            let Some(bytes) = self.info.cell(row, column) else {
                self.check_unset(case, row, column, place);
                continue;
            };
            let at: Hnid = codec::decode(self.check.heap().ndb().format(), bytes).unwrap_or_default();
            let place = place.property(column.id);
            let codes = Codes { item: Code::CellValue, missing: Code::CellValue, size: Code::CellValue };
            match self.own.iter_mut().find(|(id, _)| *id == column.id) {
                Some((_, Some(own))) => value::check(case, own, column.kind, at, place, codes)?,
                Some((_, None)) => {}
                None => value::check(case, &mut self.check, column.kind, at, place, codes)?,
            }
        }
        Ok(())
    }

    /// A cell that the row says is not there: Outlook leaves old references in these, but of no other types. Some readers
    /// follow them all the same.
    fn check_unset(&self, case: &mut Case, row: &[u8], column: &Column, place: Place) {
        let format = self.check.heap().ndb().format();
        let bytes = codec::cut(row, column.offset.into(), column.size.into()).unwrap_or_default();
        let at: Hnid = codec::decode(format, bytes).unwrap_or_default();
        let may_lead = match at.hid() {
            Some(hid) => hid.is_none() || hid.index(format.layout()) > 0,
            None => at.nid().kind() == NodeType::LTP,
        };
        if !may_lead && self.own.iter().all(|(id, _)| *id != column.id) {
            let detail = format!("the row has none, and {:#x} was left, which is no reference", at.0);
            case.add_at(Code::CellValue, place.property(column.id), detail);
        }
    }

    fn finish(self, case: &mut Case) {
        self.check.finish(case);
        self.own.into_iter().filter_map(|(_, own)| own).for_each(|own| own.finish(case));
    }
}
