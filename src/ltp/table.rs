//! Table contexts: rows with cells ([MS-PST] 2.3.4).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::heap::{Heap, HeapItem};
use super::tree;
use super::value::Value;
use crate::damage::{Code, Error, Place, Result};
use crate::format::codec;
use crate::format::heap::HeapClient;
use crate::format::id::{Bid, Hnid, Nid};
use crate::format::table::{Column, ROW_ID, TableInfo};
use crate::ndb::{Data, Ndb};

/// A table.
#[derive(Debug)]
pub struct Table<'a> {
    heap: Heap<'a>,
    info: TableInfo,
    rows: Rows,
    /// Heaps of their own for some columns, by property id; `None` where that heap cannot be read.
    column_heaps: Vec<(u16, Option<Heap<'a>>)>,
}

/// Where the rows lie.
#[derive(Debug)]
enum Rows {
    None,
    Heap(HeapItem<'static>),
    Subnode { data: Arc<Data>, per_block: usize },
}

/// A row: its id and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The row's id: in folder tables the node id of what the row stands for.
    pub id: u32,
    bytes: Vec<u8>,
}

impl Row {
    /// The row as it stands in the table.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Contents tables of 4K stores keep the values of these columns in heaps of their own, in subnodes of these ids.
///
/// Not in the specification: in both real 4K stores seen, the cells read from the table's own heap are garbage, from
/// these heaps they equal the messages' properties.
pub const COLUMN_HEAPS: [(u16, Nid); 2] = [(0x0042, Nid(0x541)), (0x3013, Nid(0x521))];

/// Ids and numbers of rows.
type RowNumbers = Vec<(u32, u32)>;

impl<'a> Table<'a> {
    /// Reads a table's header; the rows stay where they are.
    pub fn open(ndb: &'a Ndb, nid: Nid, data: Bid, subnodes: Bid) -> Result<Self> {
        Self::of_heap(Heap::open(ndb, nid, data, subnodes)?)
    }

    /// The table on a heap that is open.
    pub fn of_heap(heap: Heap<'a>) -> Result<Self> {
        let (ndb, place) = (heap.ndb(), Place::node(heap.nid().0));
        if heap.client() != HeapClient::TABLE {
            return Err(Error::Damaged(Code::TableHeader, place));
        }
        let info = TableInfo::decode(ndb.format(), &heap.item(heap.root())?).map_err(|cut| cut.at(Code::TableHeader, place))?;
        Self::on(heap, info)
    }

    /// The table on a heap, whose header was read.
    pub fn on(heap: Heap<'a>, info: TableInfo) -> Result<Self> {
        let rows = Self::rows_of(&heap, &info)?;
        let column_heaps = Self::column_heaps_of(&heap)?;
        Ok(Self { heap, info, rows, column_heaps })
    }

    /// A table's header alone, and how many bytes the node's data have: for one whose subnodes are not known.
    pub fn header(ndb: &'a Ndb, data: Bid) -> Result<(TableInfo, u64)> {
        let heap = Heap::open(ndb, Nid::default(), data, Bid::NONE)?;
        if heap.client() != HeapClient::TABLE {
            return Err(Error::Damaged(Code::TableHeader, Place::FILE));
        }
        let info = TableInfo::decode(ndb.format(), &heap.item(heap.root())?).map_err(|cut| cut.at(Code::TableHeader, Place::FILE))?;
        Ok((info, heap.len()))
    }

    fn rows_of(heap: &Heap<'a>, info: &TableInfo) -> Result<Rows> {
        let place = Place::node(heap.nid().0);
        if info.rows.is_none() {
            return Ok(Rows::None);
        }
        if let Some(hid) = info.rows.hid() {
            return Ok(Rows::Heap(heap.item_alone(hid)?));
        }
        let subnode = heap.subnode(info.rows.nid())?.ok_or(Error::Damaged(Code::RowMatrix, place))?;
        // Rows never straddle blocks: what is left at the end of each is unused.
        let per_block = heap.ndb().format().layout().data_max_bytes.checked_div(info.row_bytes()).unwrap_or(0);
        Ok(Rows::Subnode { data: heap.ndb().data(subnode.data)?, per_block })
    }

    fn column_heaps_of(heap: &Heap<'a>) -> Result<Vec<(u16, Option<Heap<'a>>)>> {
        let mut heaps = Vec::new();
        for (column, nid) in COLUMN_HEAPS {
            if let Some(subnode) = heap.subnode(nid)? {
                let own = match Heap::open(heap.ndb(), nid, subnode.data, subnode.subnodes) {
                    Ok(own) => Some(own),
                    Err(error) if error.is_io() => return Err(error),
                    Err(error) => {
                        heap.ndb().notes().survived(&error, Code::CellValue, Place::node(heap.nid().0).property(column));
                        None
                    }
                };
                heaps.push((column, own));
            }
        }
        Ok(heaps)
    }

    /// The header.
    pub const fn info(&self) -> &TableInfo {
        &self.info
    }

    /// The heap below.
    pub const fn heap(&self) -> &Heap<'a> {
        &self.heap
    }

    /// How many rows there is room for.
    pub fn rows_max(&self) -> u32 {
        let rows = match &self.rows {
            Rows::None => Some(0),
            Rows::Heap(item) => item.len().checked_div(self.info.row_bytes()),
            Rows::Subnode { data, per_block } => {
                // The last block may be shorter than the others.
                let bytes = usize::try_from(data.len()).unwrap_or(usize::MAX);
                bytes.checked_div(self.info.row_bytes()).map(|rows| rows.min(data.leaves().len().saturating_mul(*per_block)))
            }
        };
        u32::try_from(rows.unwrap_or(0)).unwrap_or(u32::MAX)
    }

    /// The ids and numbers of the rows, in the order of the ids.
    ///
    /// Where some of the row index cannot be read, the rows themselves tell the ids that it lost.
    pub fn row_numbers(&self) -> Result<Vec<(u32, u32)>> {
        self.known_rows().map(|(numbers, _)| numbers)
    }

    /// Shows the ids and numbers of the rows that the row index names, in its order; whether that are all. Where they are not,
    /// [`Table::known_rows`] tells the others.
    pub fn visit_numbers(&self, visit: &mut dyn FnMut(u32, u32)) -> Result<bool> {
        Ok(self.visit_index(visit)?.unwrap_or(false))
    }

    /// The ids and numbers of all rows that index or rows still tell, and whether the index is whole: else some may be lost.
    pub fn known_rows(&self) -> Result<(Vec<(u32, u32)>, bool)> {
        let indexed = match self.indexed_rows()? {
            Some((numbers, true)) => return Ok((numbers, true)),
            Some((numbers, false)) => numbers,
            None => Vec::new(),
        };
        let mut known: BTreeMap<u32, u32> = self.numbers_from_rows()?.into_iter().collect();
        known.extend(indexed);
        Ok((known.into_iter().collect(), false))
    }

    /// The ids and numbers of the rows by the row index, and whether all of it is there; `None`, and noted, where it cannot
    /// be read.
    fn indexed_rows(&self) -> Result<Option<(RowNumbers, bool)>> {
        let mut numbers = Vec::new();
        let is_whole = self.visit_index(&mut |id, number| numbers.push((id, number)))?;
        Ok(is_whole.map(|is_whole| (numbers, is_whole)))
    }

    /// Shows the ids and numbers of the rows by the row index; whether all of it is there, `None` where it cannot be read.
    fn visit_index(&self, visit: &mut dyn FnMut(u32, u32)) -> Result<Option<bool>> {
        let format = self.heap.ndb().format();
        let place = Place::node(self.heap.nid().0);
        let read = tree::visit_records(&self.heap, self.info.row_index, &mut |key, data| {
            // The row's number takes 2 bytes in most ANSI tables and 4 in the others: the tree's header tells.
            let number = codec::decode::<u32>(format, data).or_else(|_| codec::decode::<u16>(format, data).map(u32::from));
            if let (Ok(id), Ok(number)) = (codec::decode::<u32>(format, key), number) {
                visit(id, number);
            }
        });
        match read {
            Ok((_, is_whole)) => Ok(Some(is_whole)),
            Err(error) if error.is_io() => Err(error),
            Err(error) => {
                self.heap.ndb().notes().survived(&error, Code::RowIndex, place);
                Ok(None)
            }
        }
    }

    /// The ids and numbers of the rows that can be read, by the rows themselves.
    fn numbers_from_rows(&self) -> Result<Vec<(u32, u32)>> {
        let mut numbers = Vec::new();
        for number in 0..self.rows_max() {
            match self.row(number) {
                Ok(row) => numbers.push((row.id, number)),
                Err(error) if error.is_io() => return Err(error),
                // Behind a block that cannot be read others may follow.
                Err(error) => self.heap.ndb().notes().survived(&error, Code::RowMatrix, Place::node(self.heap.nid().0)),
            }
        }
        numbers.sort_unstable();
        numbers.dedup_by_key(|(id, _)| *id);
        Ok(numbers)
    }

    /// The row with this number.
    pub fn row(&self, number: u32) -> Result<Row> {
        let cut = Error::Damaged(Code::RowMatrix, Place::node(self.heap.nid().0).row(number));
        let len = self.info.row_bytes();
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let bytes = match &self.rows {
            Rows::None => None,
            Rows::Heap(item) => index.checked_mul(len).and_then(|at| codec::cut(item, at, len)).map(<[u8]>::to_vec),
            Rows::Subnode { data, per_block } => match (index.checked_div(*per_block), index.checked_rem(*per_block)) {
                (Some(block), Some(slot)) if block < data.leaves().len() => {
                    let block = data.block(self.heap.ndb(), block)?;
                    slot.checked_mul(len).and_then(|at| codec::cut(&block.data, at, len)).map(<[u8]>::to_vec)
                }
                _ => None,
            },
        };
        let bytes = bytes.filter(|bytes| !bytes.is_empty()).ok_or(cut)?;
        // The row's id is its first cell in every table.
        let id = codec::decode(self.heap.ndb().format(), &bytes).map_err(|cut| cut.at(Code::RowMatrix, Place::node(self.heap.nid().0)))?;
        Ok(Row { id, bytes })
    }

    /// The row that the index names by id and number; `None`, and noted, where it cannot be read.
    pub fn row_of(&self, id: u32, number: u32) -> Result<Option<Row>> {
        let place = Place::node(self.heap.nid().0).row(id);
        match self.row(number) {
            Ok(row) => {
                if row.id != id {
                    self.heap.ndb().notes().add(Code::RowIndex, place, format!("row {number} says {:#x}", row.id));
                }
                // The index decides: it is what other readers follow.
                Ok(Some(Row { id, ..row }))
            }
            Err(error) if error.is_io() => Err(error),
            Err(error) => {
                self.heap.ndb().notes().survived(&error, Code::RowMatrix, place);
                Ok(None)
            }
        }
    }

    /// Shows every row to `visit`, in the order of the index. Rows that cannot be read are noted; their ids are returned.
    pub fn visit_rows(&self, visit: &mut dyn FnMut(Row)) -> Result<Vec<u32>> {
        let mut failed = Vec::new();
        for (id, number) in self.row_numbers()? {
            match self.row_of(id, number)? {
                Some(row) => visit(row),
                None => failed.push(id),
            }
        }
        Ok(failed)
    }

    /// The value of a row in the column of a property; `None` where the row has none. What cannot be read is noted.
    pub fn cell(&self, row: &Row, id: u16) -> Result<Option<Value>> {
        self.info.column(id).map_or(Ok(None), |column| self.value(row, column))
    }

    /// The value of a row in a column; what cannot be read is noted.
    pub fn value(&self, row: &Row, column: &Column) -> Result<Option<Value>> {
        match self.read_cell(row, column) {
            Err(error) if error.is_io() => Err(error),
            Err(error) => {
                let place = Place::node(self.heap.nid().0).property(column.id).row(row.id);
                self.heap.ndb().notes().add(Code::CellValue, place, error.to_string());
                Ok(None)
            }
            read => read,
        }
    }

    /// All cells of a row by property id, the row's id left out.
    pub fn cells(&self, row: &Row) -> Result<Vec<(u16, Value)>> {
        let mut cells = Vec::new();
        cells.reserve_exact(self.info.columns.len());
        for column in self.columns() {
            cells.extend(self.value(row, column)?.map(|value| (column.id, value)));
        }
        Ok(cells)
    }

    /// The columns of all cells, the row's id left out.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        let mut before = None;
        self.info.columns.iter().filter(|column| column.id != ROW_ID).filter_map(move |column| {
            // Columns ascend; of several of one id the first counts.
            let first = if before.is_none_or(|before| before < column.id) { Some(column) } else { self.info.column(column.id) };
            before = before.max(Some(column.id));
            first
        })
    }

    /// The item of a heap that a row's cell leads to; `None` where it stands elsewhere.
    pub fn item(&self, row: &Row, column: &Column) -> Result<Option<HeapItem<'_>>> {
        let Some(at) = self.reference(row, column)? else { return Ok(None) };
        match (self.heap_of(column), at.hid().filter(|hid| !hid.is_none())) {
            (Some(heap), Some(hid)) => heap.item(hid).map(Some),
            _ => Ok(None),
        }
    }

    fn read_cell(&self, row: &Row, column: &Column) -> Result<Option<Value>> {
        if stands_in_row(column) {
            return Ok(self.info.cell(&row.bytes, column).and_then(|bytes| Value::decode(column.kind, bytes)));
        }
        match (self.heap_of(column), self.reference(row, column)?) {
            (Some(heap), Some(at)) => heap.value(column.kind, at),
            _ => Ok(None),
        }
    }

    /// Where a cell's value is that does not stand in the row.
    fn reference(&self, row: &Row, column: &Column) -> Result<Option<Hnid>> {
        let Some(bytes) = self.info.cell(&row.bytes, column).filter(|_| !stands_in_row(column)) else { return Ok(None) };
        let place = Place::node(self.heap.nid().0).property(column.id);
        codec::decode(self.heap.ndb().format(), bytes).map(Some).map_err(|cut| cut.at(Code::TableColumns, place))
    }

    /// The heap that a column's values lie in; `None` where it cannot be read: what the table's own has is garbage then.
    fn heap_of(&self, column: &Column) -> Option<&Heap<'a>> {
        match self.column_heaps.iter().find(|(id, _)| *id == column.id) {
            Some((_, own)) => own.as_ref(),
            None => Some(&self.heap),
        }
    }
}

/// Whether a column's cells stand in the row itself.
fn stands_in_row(column: &Column) -> bool {
    column.kind.fixed_bytes().is_some_and(|size| size <= 8)
}
