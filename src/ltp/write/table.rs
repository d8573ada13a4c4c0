//! Table contexts, built row by row ([MS-PST] 2.3.4).

use super::heap::HeapBuilder;
use super::properties::in_blocks;
use super::tree::{self, RecordSizes};
use super::value;
use crate::damage::{Error, Result};
use crate::format::Format;
use crate::format::codec;
use crate::format::heap::{HeapClient, ITEM_MAX};
use crate::format::id::{Bid, Hid, Hnid, Nid, NodeType};
use crate::format::property::PropType;
use crate::format::table::{Column, ROW_ID, ROW_VERSION, TABLE_SIGNATURE, TableInfo};
use crate::ltp::value::{Stream, Value};
use crate::ndb::write::{Draft, Nids, Part, Stored};

/// The columns of a table and how its rows are laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableShape {
    /// Where the cells of 4 and 8, of 2, of 1 byte and the existence block end.
    pub ends: [u16; 4],
    /// The columns, ascending by tag.
    pub columns: Vec<Column>,
}

impl TableShape {
    /// The same table with more columns. Those of 4 and 8 bytes that are there keep their place, all keep their bits.
    #[must_use]
    pub fn extended(&self, extra: &[(u16, PropType)]) -> Self {
        let mut columns = self.columns.clone();
        for (id, kind) in extra {
            if !columns.iter().any(|column| column.id == *id) {
                let bit = u8::try_from(columns.len()).unwrap_or(u8::MAX);
                columns.push(Column { kind: *kind, id: *id, offset: 0, size: cell_bytes(*kind), bit });
            }
        }
        let [mut end, ..] = self.ends;
        let old = self.columns.len();
        let mut ends = [0; 4];
        for (slot, sizes) in ends.iter_mut().zip([&[4, 8][..], &[2], &[1]]) {
            for (index, column) in columns.iter_mut().enumerate().filter(|(_, column)| sizes.contains(&column.size)) {
                if index >= old || column.size < 4 {
                    column.offset = end;
                    end = end.saturating_add(column.size.into());
                }
            }
            *slot = end;
        }
        let [.., last] = &mut ends;
        *last = end.saturating_add(u16::try_from(columns.len().div_ceil(8)).unwrap_or(u16::MAX));
        columns.sort_by_key(|column| (column.id, column.kind));
        Self { ends, columns }
    }

    fn row_bytes(&self) -> usize {
        let [.., row] = self.ends;
        row.into()
    }
}

/// How many bytes a cell takes in its row; what is larger than 8 lies elsewhere and leaves a reference.
fn cell_bytes(kind: PropType) -> u8 {
    match kind.fixed_bytes() {
        Some(1) => 1,
        Some(2) => 2,
        Some(8) => 8,
        _ => 4,
    }
}

/// A table that grows row by row.
#[derive(Debug)]
pub struct TableBuilder {
    shape: TableShape,
    heap: HeapBuilder,
    info: Hid,
    index: Hid,
    rows: Vec<Vec<u8>>,
    ids: Vec<(u32, u32)>,
    draft: Draft,
}

impl TableBuilder {
    /// An empty table of this shape.
    pub fn new(format: Format, shape: TableShape) -> Result<Self> {
        let mut heap = HeapBuilder::new(format, HeapClient::TABLE);
        let index = tree::reserve_header(&mut heap)?;
        let info = heap.reserve(shape.columns.len().saturating_mul(8).saturating_add(22))?;
        heap.set_root(info);
        Ok(Self { shape, heap, info, index, rows: Vec::new(), ids: Vec::new(), draft: Draft::default() })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.shape.columns
    }

    /// Appends a row. Cells for which there is no column of their type are left out; a stream is one in the file that the
    /// table is for.
    pub fn push(&mut self, id: u32, version: u32, cells: &[(u16, &Value)], nids: &mut Nids) -> Result<()> {
        let mut row = vec![0; self.shape.row_bytes()];
        let words =
            [(ROW_ID, id), (ROW_VERSION, version)].map(|(column, word)| (column, Value::I32(i32::from_le_bytes(word.to_le_bytes()))));
        let cells = words.iter().map(|(id, value)| (*id, value)).chain(cells.iter().copied());
        for (id, value) in cells {
            let Some(column) = self.shape.columns.iter().find(|column| column.id == id).copied() else { continue };
            let bytes = match value {
                Value::Stream(stream) => Some(stream).filter(|stream| stream.kind == column.kind).map(|stream| self.stored(stream, nids)),
                value => value::encode(column.kind, value).map(|bytes| self.in_row(&column, bytes, nids)),
            };
            if let Some(bytes) = bytes.transpose()? {
                codec::overwrite(&mut row, column.offset.into(), &bytes);
                self.set_bit(&mut row, column.bit);
            }
        }
        let number = u32::try_from(self.ids.len()).map_err(|_| Error::Unsupported("a table of more than 2^32 rows".into()))?;
        self.ids.push((id, number));
        self.push_row(&row);
        Ok(())
    }

    /// What stands in the row: the value, or a reference to it.
    fn in_row(&mut self, column: &Column, bytes: Vec<u8>, nids: &mut Nids) -> Result<Vec<u8>> {
        if column.kind.fixed_bytes().is_some_and(|size| size <= 8) {
            return Ok(bytes);
        }
        let at = if bytes.len() <= ITEM_MAX {
            Hnid(self.heap.add(&bytes)?.0)
        } else {
            self.put_subnode(in_blocks(self.heap.format(), &bytes), nids)?
        };
        Ok(at.0.to_le_bytes().to_vec())
    }

    /// A reference to a value that lies in the file already.
    fn stored(&mut self, stream: &Stream, nids: &mut Nids) -> Result<Vec<u8>> {
        let nid: Nid = nids.next(NodeType::LTP)?;
        self.draft.subnodes.push((nid, Part::Stored(Stored { data: stream.data, subnodes: Bid::NONE })));
        Ok(nid.0.to_le_bytes().to_vec())
    }

    fn set_bit(&self, row: &mut [u8], bit: u8) {
        let [_, _, existence, _] = self.shape.ends;
        if let Some(byte) = row.get_mut(usize::from(existence).saturating_add(usize::from(bit >> 3))) {
            *byte |= 0x80_u8.checked_shr(u32::from(bit & 7)).unwrap_or(0);
        }
    }

    /// Rows never straddle blocks.
    fn push_row(&mut self, row: &[u8]) {
        let max = self.heap.format().layout().data_max_bytes;
        match self.rows.last_mut() {
            Some(block) if block.len().saturating_add(row.len()) <= max => block.extend_from_slice(row),
            _ => self.rows.push(row.to_vec()),
        }
    }

    fn put_subnode(&mut self, data: Vec<Vec<u8>>, nids: &mut Nids) -> Result<Hnid> {
        let nid: Nid = nids.next(NodeType::LTP)?;
        self.draft.subnodes.push((nid, Part::Draft(Draft { data, subnodes: Vec::new() })));
        Ok(Hnid(nid.0))
    }

    /// The node's data and subnodes. An error where two rows have one id.
    pub fn finish(mut self, nids: &mut Nids) -> Result<Draft> {
        let format = self.heap.format();
        let rows = self.put_rows(nids)?;
        self.put_index(format)?;
        let info = TableInfo {
            signature: TABLE_SIGNATURE,
            ends: self.shape.ends,
            row_index: self.index,
            rows,
            index: Hid::default(),
            columns: self.shape.columns,
        };
        self.heap.fill(self.info, &info.encode(format));
        self.draft.data = self.heap.finish();
        Ok(self.draft)
    }

    /// The rows: none, in the heap where they fit, else in a subnode whose blocks are whole but for the last.
    fn put_rows(&mut self, nids: &mut Nids) -> Result<Hnid> {
        let mut rows = std::mem::take(&mut self.rows);
        match rows.as_slice() {
            [] => return Ok(Hnid::default()),
            [only] if only.len() <= ITEM_MAX => return Ok(Hnid(self.heap.add(only)?.0)),
            _ => {}
        }
        let max = self.heap.format().layout().data_max_bytes;
        if let Some((_, whole)) = rows.split_last_mut() {
            whole.iter_mut().for_each(|block| block.resize(max, 0));
        }
        self.put_subnode(rows, nids)
    }

    /// The row index: a row's number takes 2 bytes in ANSI tables, as long as it fits.
    fn put_index(&mut self, format: Format) -> Result<()> {
        self.ids.sort_unstable();
        if !self.ids.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(Error::Unsupported("a table with two rows of one id".into()));
        }
        let narrow = format == Format::Ansi && self.ids.len() <= 0x1_0000;
        let data = if narrow { 2 } else { 4 };
        let mut records = Vec::new();
        for (id, number) in &self.ids {
            records.extend(id.to_le_bytes());
            records.extend(number.to_le_bytes().iter().take(data.into()));
        }
        tree::put(&mut self.heap, self.index, RecordSizes { key: 4, data }, &records)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> TableShape {
        let column = |id, kind, offset, size, bit| Column { kind, id, offset, size, bit };
        TableShape {
            ends: [12, 12, 13, 14],
            columns: vec![
                column(0x0e07, PropType::I32, 8, 4, 2),
                column(0x3a40, PropType::BOOL, 12, 1, 3),
                column(ROW_ID, PropType::I32, 0, 4, 0),
                column(ROW_VERSION, PropType::I32, 4, 4, 1),
            ],
        }
    }

    #[test]
    fn more_columns_leave_the_others_where_they_are() {
        let extra = [(0x0037, PropType::UNICODE), (0x0039, PropType::TIME), (0x0e1b, PropType::BOOL), (0x0e07, PropType::I32)];
        let shape = shape().extended(&extra);
        assert_eq!(shape.ends, [24, 24, 26, 27]);
        let place = |id| shape.columns.iter().find(|column| column.id == id).map(|column| (column.offset, column.size, column.bit));
        assert_eq!((place(0x0e07), place(0x0037), place(0x0039)), (Some((8, 4, 2)), Some((12, 4, 4)), Some((16, 8, 5))));
        assert_eq!((place(0x3a40), place(0x0e1b)), (Some((24, 1, 3)), Some((25, 1, 6))));
        assert!(shape.columns.is_sorted_by_key(|column| column.id));
    }

    #[test]
    fn a_table_of_the_same_columns_stays_as_it_is() {
        assert_eq!(shape().extended(&[]), shape());
    }

    #[test]
    fn two_rows_of_one_id_are_refused() {
        let mut nids = Nids::default();
        let mut table = TableBuilder::new(Format::Unicode, shape()).unwrap();
        table.push(7, 1, &[], &mut nids).unwrap();
        table.push(7, 2, &[], &mut nids).unwrap();
        assert!(table.finish(&mut nids).is_err());
    }
}
