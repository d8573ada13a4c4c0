//! Table contexts: header and column descriptions ([MS-PST] 2.3.4).

use super::Format;
use super::codec::{self, Cut, Decoder, Encoder, Field};
use super::id::{Hid, Hnid};
use super::property::PropType;

/// The first byte of a table's header.
pub const TABLE_SIGNATURE: u8 = 0x7c;

crate::record! {
    /// A column: TCOLDESC ([MS-PST] 2.3.4.2).
    #[derive(Copy)]
    pub struct Column {
        /// Type of the cells.
        kind: PropType,
        /// Property id of the cells.
        id: u16,
        /// Offset of a cell in its row.
        offset: u16,
        /// Bytes of a cell.
        size: u8,
        /// Which bit of a row's existence block says that the cell is there.
        bit: u8,
    }
}

/// PidTagLtpRowId: the column that holds a row's id, in every table.
pub const ROW_ID: u16 = 0x67f2;
/// PidTagLtpRowVer: the column that holds a row's version.
pub const ROW_VERSION: u16 = 0x67f3;

/// A table's header: TCINFO ([MS-PST] 2.3.4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// 0x7C.
    pub signature: u8,
    /// Where the cells of 4 and 8, of 2, of 1 byte and the existence block end; the last is a row's length.
    pub ends: [u16; 4],
    /// The B-tree that finds a row's number by its id.
    pub row_index: Hid,
    /// The rows.
    pub rows: Hnid,
    /// Deprecated.
    pub index: Hid,
    /// The columns.
    pub columns: Vec<Column>,
}

impl TableInfo {
    /// Reads a table's header.
    pub fn decode(format: Format, bytes: &[u8]) -> Result<Self, Cut> {
        let mut from = Decoder::new(format, bytes);
        let (signature, count) = (from.field()?, from.field::<u8>()?);
        let ends = [from.field()?, from.field()?, from.field()?, from.field()?];
        let (row_index, rows, index) = (from.field()?, from.field()?, from.field()?);
        let columns: Vec<Column> = codec::entries(format, from.rest(), Column::size(format)).take(count.into()).collect();
        if columns.len() != usize::from(count) || signature != TABLE_SIGNATURE {
            return Err(Cut);
        }
        Ok(Self { signature, ends, row_index, rows, index, columns })
    }

    /// The header's bytes.
    pub fn encode(&self, format: Format) -> Vec<u8> {
        let mut to = Encoder::new(format);
        to.field(&self.signature).field(&u8::try_from(self.columns.len()).unwrap_or(u8::MAX));
        for end in &self.ends {
            to.field(end);
        }
        to.field(&self.row_index).field(&self.rows).field(&self.index);
        for column in &self.columns {
            to.field(column);
        }
        to.finish()
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        let [.., row] = self.ends;
        row.into()
    }

    /// Where a row's existence block begins.
    pub fn existence_at(&self) -> usize {
        let [_, _, ones, _] = self.ends;
        ones.into()
    }

    /// The column of a property.
    pub fn column(&self, id: u16) -> Option<&Column> {
        self.columns.iter().find(|column| column.id == id)
    }

    /// The bytes of a cell in a row; `None` where the row has none.
    pub fn cell<'r>(&self, row: &'r [u8], column: &Column) -> Option<&'r [u8]> {
        let byte = row.get(self.existence_at().checked_add(usize::from(column.bit >> 3))?)?;
        let mask = 0x80_u8.checked_shr(u32::from(column.bit & 7))?;
        if byte & mask == 0 {
            return None;
        }
        codec::cut(row, column.offset.into(), column.size.into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::testing::holds_its_laws;
    use super::*;

    fn sample() -> TableInfo {
        let column = |id, offset, size, bit| Column { kind: PropType::I32, id, offset, size, bit };
        let columns = vec![column(0x0e07, 8, 4, 2), column(ROW_ID, 0, 4, 0), column(ROW_VERSION, 4, 4, 1)];
        TableInfo { signature: TABLE_SIGNATURE, ends: [12, 12, 12, 13], row_index: Hid(0x20), rows: Hnid(0x40), index: Hid(0), columns }
    }

    #[test]
    fn every_format_gives_back_its_bytes_and_every_cut_is_an_error() {
        for format in Format::ALL {
            holds_its_laws(format, &sample().columns[0]);
            let bytes = sample().encode(format);
            assert_eq!(TableInfo::decode(format, &bytes), Ok(sample()));
            assert!((0..bytes.len()).all(|len| TableInfo::decode(format, &bytes[..len]).is_err()));
        }
    }

    #[test]
    fn a_cell_is_there_when_its_bit_is() {
        let table = sample();
        let row = [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0b1010_0000];
        assert_eq!(table.cell(&row, table.column(0x0e07).unwrap()), Some(&[3, 0, 0, 0][..]));
        assert_eq!(table.cell(&row, table.column(ROW_VERSION).unwrap()), None);
        assert_eq!(table.cell(&row[..5], table.column(ROW_ID).unwrap()), None, "a row cut short");
    }
}
