//! Tables in memory: what can be read of their rows, and rows that follow from objects.

use std::collections::{BTreeMap, BTreeSet};

use super::bag::{Bag, is_type, readable};
use crate::damage::Result;
use crate::format::Format;
use crate::format::id::{Nid, NodeType};
use crate::format::property::PropType;
use crate::format::table::{Column, ROW_ID, ROW_VERSION, TableInfo};
use crate::ltp::value::Value;
use crate::ltp::write::TableShape;
use crate::ltp::{Row, Table};
use crate::ndb::Ndb;
use crate::store::codepage;
use crate::store::item::NodeRef;
use crate::store::props::VALUE_MAX;
use crate::store::tags;
use crate::store::write::rows::{self, Rows};
use crate::store::write::templates::{ASSOCIATED, CONTENTS, HIERARCHY, Template};
use crate::store::write::{Cells, id_of, own_value};

/// What rows tell and their objects do not: states, what belongs to a server, and the row's own id and version.
pub(super) const OF_THE_ROW: [u16; 11] = [0x0e17, 0x0e30, 0x0e33, 0x0e34, 0x0e38, 0x0e3c, 0x0e3d, 0x65c6, 0x67f1, ROW_ID, ROW_VERSION];

/// The template of a folder's table.
pub(super) fn template(table: Nid) -> &'static Template {
    match table.kind() {
        NodeType::HIERARCHY_TABLE => &HIERARCHY,
        NodeType::ASSOCIATED_TABLE => &ASSOCIATED,
        _ => &CONTENTS,
    }
}

/// The table of a folder that has, or is to have, the row of this node.
pub(super) fn table_of(folder: Nid, nid: Nid) -> Nid {
    folder.with_kind(match nid.kind() {
        NodeType::FOLDER | NodeType::SEARCH_FOLDER => NodeType::HIERARCHY_TABLE,
        NodeType::ASSOCIATED_MESSAGE => NodeType::ASSOCIATED_TABLE,
        _ => NodeType::CONTENTS_TABLE,
    })
}

/// A table as far as it can be read.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Its columns, and the rows that can be read.
    pub(super) rows: Rows,
    /// Whether its head could be read.
    pub(super) opened: bool,
    /// Rows that could not be read.
    pub(super) lost: usize,
}

/// Reads what can be read of a table; `is_there` tells whether a row's object is.
pub(super) fn read(ndb: &Ndb, node: NodeRef, template: &Template, is_there: &dyn Fn(Nid) -> Result<bool>) -> Result<Found> {
    let empty = || Rows { shape: template.shape(ndb.format()), rows: BTreeMap::new() };
    let table = match Table::open(ndb, node.nid, node.data, node.subnodes) {
        Ok(table) => table,
        Err(error) if error.is_io() => return Err(error),
        Err(_) => return Ok(Found { rows: empty(), opened: false, lost: 0 }),
    };
    if !has_room_for_bits(table.info().ends, table.info().columns.len()) {
        return Ok(Found { rows: empty(), opened: false, lost: 0 });
    }
    let own = own_ids(ndb.format(), &table, template);
    let shape = shape_of(ndb.format(), &table, template, &own);
    let mut found = Found { rows: Rows { shape, rows: BTreeMap::new() }, opened: true, lost: 0 };
    let mut named = BTreeSet::new();
    for (id, number) in table.known_rows()?.0 {
        let row = if named.insert(number) { table.row_of(id, number)?.map(|_| table.row(number)).transpose()? } else { None };
        let Some(row) = row else {
            found.lost = found.lost.saturating_add(1);
            found.rows.rows.entry(id).or_default();
            continue;
        };
        // Of index and row the one that names something is right.
        let id = if row.id != id && !is_there(Nid(id))? && is_there(Nid(row.id))? { row.id } else { id };
        let cells = cells_of(ndb, &table, &row, &own)?;
        found.rows.rows.insert(id, cells);
    }
    for number in (0..table.rows_max()).filter(|number| !named.contains(number)) {
        let Ok(row) = table.row(number) else { continue };
        if !found.rows.rows.contains_key(&row.id) && is_there(Nid(row.id))? {
            let cells = cells_of(ndb, &table, &row, &own)?;
            found.rows.rows.insert(row.id, cells);
        }
    }
    Ok(found)
}

/// What columns are that no table of the kind lacks and that have another id, by that: such as stand in the very place of
/// the one that is missing, with its type.
fn own_ids(format: Format, table: &Table<'_>, template: &Template) -> BTreeMap<u16, u16> {
    let columns = &table.info().columns;
    let place = |column: &Column| (column.kind, column.offset, column.size, column.bit);
    let missing = template
        .shape(format)
        .columns
        .into_iter()
        .filter(|own| template.needed().contains(&own.id) && table.info().column(own.id).is_none());
    missing.filter_map(|own| Some((columns.iter().find(|column| place(column) == place(&own))?.id, own.id))).collect()
}

fn cells_of(ndb: &Ndb, table: &Table<'_>, row: &Row, own: &BTreeMap<u16, u16>) -> Result<Cells> {
    let mut cells = Cells::new();
    for (id, value) in table.cells(row)? {
        let kind = table.info().column(id).map_or(PropType::UNSPECIFIED, |column| column.kind);
        match rows::loaded(ndb, kind, value) {
            Ok(value) => {
                cells.insert(own.get(&id).copied().unwrap_or(id), value);
            }
            Err(error) if error.is_io() => return Err(error),
            Err(_) => {}
        }
    }
    Ok(cells)
}

/// How many bytes of a row are for the bits that tell which cells there are ([MS-PST] 2.3.4.4.1).
fn bits_bytes(ends: [u16; 4]) -> usize {
    let [_, _, ones, row] = ends;
    usize::from(row).saturating_sub(ones.into())
}

/// Whether rows can be read at all; of a table whose count of columns is damaged those that are counted can be.
fn has_room_for_bits(ends: [u16; 4], columns: usize) -> bool {
    bits_bytes(ends) >= columns.div_ceil(8).max(1)
}

/// Where the cells of four and eight bytes, of two and of one end, and the row. Of the first two, which nobody needs to read
/// a row, the columns tell where they are wrong.
fn ends_of(info: &TableInfo) -> [u16; 4] {
    let [_, _, ones, row] = info.ends;
    if info.ends.is_sorted() {
        return info.ends;
    }
    let columns = |sizes: &'static [u8]| info.columns.iter().filter(|column| sizes.contains(&column.size));
    let ends = |sizes| columns(sizes).map(|column| column.offset.saturating_add(column.size.into())).filter(|end| *end <= ones);
    let fours = ends(&[4, 8]).max().unwrap_or(0);
    [fours, ends(&[2]).max().unwrap_or(0).max(fours), ones, row]
}

/// The table's own columns where all of them make sense, else the template's and those that do.
fn shape_of(format: Format, table: &Table<'_>, template: &Template, own: &BTreeMap<u16, u16>) -> TableShape {
    let info = table.info();
    let usual = template.shape(format).columns;
    // Of numbers and times each property has one type, and what repairs set has that.
    let is_usual = |column: &Column| {
        let known = usual.iter().find(|known| known.id == column.id);
        known.is_none_or(|known| known.kind == column.kind || known.kind.fixed_bytes().is_none())
    };
    let ends = ends_of(info);
    let is_all = bits_bytes(ends) == info.columns.len().div_ceil(8);
    let bits = if is_all { info.columns.len() } else { bits_bytes(ends).saturating_mul(8) };
    let is_sound = |column: &&Column| is_sound(ends, bits, column) && is_usual(column);
    let called = |column: &Column| Column { id: own.get(&column.id).copied().unwrap_or(column.id), ..*column };
    let sound: Vec<Column> = info.columns.iter().filter(is_sound).map(called).collect();
    let (mut ids, mut bits) = (BTreeSet::new(), BTreeSet::new());
    let unique = sound.iter().all(|column| ids.insert((column.id, column.kind)) && bits.insert(column.bit));
    let first = |id, offset, bit| sound.iter().any(|column| (column.id, column.offset, column.bit) == (id, offset, bit));
    let has_version = info.column(ROW_VERSION).is_none() || first(ROW_VERSION, 4, 1);
    if is_all && sound.len() == info.columns.len() && unique && lie_apart(&sound) && first(ROW_ID, 0, 0) && has_version {
        let mut columns = sound;
        columns.sort_by_key(|column| (column.id, column.kind));
        return TableShape { ends, columns };
    }
    let more: Vec<(u16, PropType)> = sound.iter().map(|column| (column.id, column.kind)).collect();
    template.shape(format).extended(&more)
}

/// Whether no two columns share a byte of the rows.
fn lie_apart(columns: &[Column]) -> bool {
    let mut places: Vec<_> = columns.iter().map(|column| (column.offset, column.offset.saturating_add(column.size.into()))).collect();
    places.sort_unstable();
    places.iter().zip(places.iter().skip(1)).all(|((_, end), (next, _))| end <= next)
}

fn is_sound(ends: [u16; 4], count: usize, column: &Column) -> bool {
    let [fours, twos, ones, _] = ends;
    let area = match column.size {
        1 => twos..ones,
        2 => fours..twos,
        _ => 0..fours,
    };
    let size = column.kind.fixed_bytes().filter(|size| [1, 2, 8].contains(size)).unwrap_or(4);
    let end = column.offset.checked_add(column.size.into());
    let inside = column.offset >= area.start && end.is_some_and(|end| end <= area.end);
    let number = ![ROW_ID, ROW_VERSION].contains(&column.id) || column.kind == PropType::I32;
    inside && usize::from(column.size) == size && usize::from(column.bit) < count && number && is_type(column.kind)
}

/// Sets in a row what its object says; what the object does not say stays.
pub(super) fn copy(ndb: &Ndb, shape: &TableShape, cells: &mut Cells, bag: &Bag) -> Result<()> {
    for column in shape.columns.iter().filter(|column| !OF_THE_ROW.contains(&column.id)) {
        let Some(value) = value_for(ndb, bag, column)? else { continue };
        cells.insert(column.id, value);
    }
    if shape.columns.iter().any(|column| column.id == id_of(tags::MESSAGE_STATUS)) {
        cells.entry(id_of(tags::MESSAGE_STATUS)).or_insert(Value::I32(0));
    }
    Ok(())
}

fn value_for(ndb: &Ndb, bag: &Bag, column: &Column) -> Result<Option<Value>> {
    if let Some((kind, root, len)) = bag.stored(column.id) {
        let Some(data) = readable(ndb, root)?.filter(|_| len <= VALUE_MAX) else { return Ok(None) };
        return Ok(Value::decode(kind, &data.read_all(ndb)?));
    }
    let value = bag.value_of(column.id);
    Ok(value.map(|value| own_value(ndb.format(), codepage::WINDOWS_1252, column.kind, &value).1))
}
