//! Rows of folder tables, and which object each stands for: a row has the object's node id and copies of its properties.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::damage::Result;
use crate::format::id::{Bid, Nid, NodeType};
use crate::ltp::Table;
use crate::ltp::value::Value;
use crate::ndb::Ndb;
use crate::store::tags;

use super::loose::survived;
use super::object::{Kind, Print, cell, row_print};

/// A folder's table, whoever's it is.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) kind: Kind,
    pub(super) data: Bid,
    pub(super) subnodes: Bid,
    /// The folder, once that is known.
    pub(super) owner: Option<Nid>,
    pub(super) rows: Vec<Line>,
    /// How many rows are of messages that were not read.
    pub(super) unread: i32,
}

/// A row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) nid: Nid,
    pub(super) print: Print,
}

/// The most rows of one store that are read: 80 bytes each.
const ROWS_MAX: usize = 2_000_000;
/// How many objects with one equal cell are compared with a row.
const ALIKE_MAX: usize = 64;

impl Listing {
    /// Reads a table; `None` where it cannot be read. `room` is how many rows may still be read.
    pub(super) fn read(ndb: &Ndb, kind: Kind, data: Bid, subnodes: Bid, room: &mut usize) -> Result<Option<Self>> {
        let Some(table) = survived(Table::open(ndb, Nid::default(), data, subnodes))? else { return Ok(None) };
        let mut listing = Self { kind, data, subnodes, owner: None, rows: Vec::new(), unread: 0 };
        for (id, number) in survived(table.row_numbers())?.unwrap_or_default() {
            let Some(row) = table.row_of(id, number)? else { continue };
            if *room == 0 {
                break;
            }
            *room = room.saturating_sub(1);
            if matches!(cell(&table, &row, tags::MESSAGE_FLAGS)?, Some(Value::I32(flags)) if flags & 1 == 0) {
                listing.unread = listing.unread.saturating_add(1);
            }
            listing.rows.push(Line { nid: Nid(id), print: row_print(&table, &row) });
        }
        listing.rows.sort_by_key(|line| line.nid);
        Ok(Some(listing))
    }

    /// How many rows may be read of all tables.
    pub(super) const fn room() -> usize {
        ROWS_MAX
    }

    /// How far the ids of its data and of this block are apart: what is written together has ids that follow each other.
    pub(super) fn distance(&self, data: Bid) -> u64 {
        self.data.key().0.abs_diff(data.key().0)
    }

    /// Whether it lists a node.
    pub(super) fn lists(&self, nid: Nid) -> bool {
        self.rows.binary_search_by_key(&nid, |line| line.nid).is_ok()
    }
}

/// The table's kind by its node's type.
pub(super) fn kind_of(kind: NodeType) -> Option<Kind> {
    match kind {
        NodeType::HIERARCHY_TABLE => Some(Kind::Hierarchy),
        NodeType::CONTENTS_TABLE => Some(Kind::Contents),
        NodeType::ASSOCIATED_TABLE => Some(Kind::AssociatedContents),
        _ => None,
    }
}

/// Which object each row stands for: pairs of positions, each row and each object once, those that agree most first.
pub(super) fn matches(rows: &[Line], objects: &[Print]) -> Vec<(usize, usize)> {
    let mut given = Given::default();
    deal_equal(rows, objects, &mut given);
    let mut alike: HashMap<(usize, u32), Vec<usize>> = HashMap::new();
    for (index, object) in objects.iter().enumerate().filter(|(index, _)| !given.objects.contains(index)) {
        for key in object.keys() {
            alike.entry(key).or_default().push(index);
        }
    }
    let mut scored: Vec<(Reverse<u32>, usize, usize)> = Vec::new();
    for (number, row) in rows.iter().enumerate().filter(|(number, _)| !given.rows.contains(number)) {
        let near = row.print.keys().filter_map(|key| alike.get(&key)).flat_map(|list| list.iter().take(ALIKE_MAX));
        let near: HashSet<usize> = near.copied().collect();
        let agreed = near.into_iter().filter_map(|index| Some((Reverse(objects.get(index)?.agrees(&row.print)?), number, index)));
        scored.extend(agreed);
    }
    scored.sort_unstable();
    for (_, number, object) in scored {
        given.give(number, object);
    }
    given.pairs
}

/// Gives rows the objects that tell the same in all that tells objects apart.
///
/// Many items may be the same to the letter; any of them does for any of their rows, so they are dealt out in order.
fn deal_equal(rows: &[Line], objects: &[Print], given: &mut Given) {
    let mut same: HashMap<u64, Vec<usize>> = HashMap::new();
    for (index, object) in objects.iter().enumerate().rev() {
        same.entry(digest(object)).or_default().push(index);
    }
    for (number, row) in rows.iter().enumerate().filter(|(_, row)| row.print.keys().count() > 1) {
        if let Some(object) = same.get_mut(&digest(&row.print)).and_then(Vec::pop) {
            given.give(number, object);
        }
    }
}

/// A digest of what tells objects apart.
fn digest(print: &Print) -> u64 {
    let mut hasher = DefaultHasher::new();
    print.keys().for_each(|key| key.hash(&mut hasher));
    hasher.finish()
}

/// Of which object each row tells a copy: copies of an item share its blocks.
pub(super) fn copies(rows: &[Line], objects: &[Print]) -> Vec<(usize, usize)> {
    let mut by_origin: HashMap<Vec<u32>, Vec<usize>> = HashMap::new();
    for (index, object) in objects.iter().enumerate() {
        by_origin.entry(object.origin()).or_default().push(index);
    }
    let copy = |row: &Line| {
        let origin = Some(row.print.origin()).filter(|origin| !origin.is_empty())?;
        let alike = by_origin.get(&origin)?.iter().take(ALIKE_MAX);
        alike.max_by_key(|object| objects.get(**object).and_then(|object| object.agrees(&row.print))).copied()
    };
    rows.iter().enumerate().filter_map(|(number, row)| Some((number, copy(row)?))).collect()
}

#[derive(Default)]
struct Given {
    rows: HashSet<usize>,
    objects: HashSet<usize>,
    pairs: Vec<(usize, usize)>,
}

impl Given {
    /// Makes a pair, where both are still free.
    fn give(&mut self, row: usize, object: usize) {
        if !self.rows.contains(&row) && !self.objects.contains(&object) {
            self.rows.insert(row);
            self.objects.insert(object);
            self.pairs.push((row, object));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::props::Key;
    use crate::store::tags::{DISPLAY_TO, MESSAGE_FLAGS, MESSAGE_SIZE, SUBJECT};

    fn print(cells: &[(Key, &str)]) -> Print {
        Print::of(|key| cells.iter().find(|(of, _)| *of == key).map(|(_, text)| Value::Unicode((*text).to_owned())))
    }

    fn line(nid: u32, cells: &[(Key, &str)]) -> Line {
        Line { nid: Nid(nid), print: print(cells) }
    }

    #[test]
    fn rows_find_the_objects_that_agree_most() {
        let objects = [
            print(&[(SUBJECT, "a"), (MESSAGE_SIZE, "1"), (MESSAGE_FLAGS, "read")]),
            print(&[(SUBJECT, "a"), (MESSAGE_SIZE, "2"), (MESSAGE_FLAGS, "read")]),
            print(&[(SUBJECT, "b"), (MESSAGE_SIZE, "3")]),
        ];
        let rows = [
            line(4, &[(SUBJECT, "a"), (MESSAGE_SIZE, "2")]),
            line(8, &[(SUBJECT, "a"), (MESSAGE_SIZE, "1"), (MESSAGE_FLAGS, "unread")]),
            line(12, &[(SUBJECT, "c"), (DISPLAY_TO, "x")]),
        ];
        let mut pairs = matches(&rows, &objects);
        pairs.sort_unstable();
        assert_eq!(pairs, [(0, 1), (1, 0)], "the row of another subject gets nothing");
    }

    /// A mailbox of 300 copies of one letter: each row gets one, and none is given twice.
    #[test]
    fn items_alike_to_the_letter_are_dealt_out_in_order() {
        let cells = [(SUBJECT, "a"), (MESSAGE_SIZE, "1")];
        let pairs = matches(&[line(4, &cells), line(8, &cells)], &[print(&cells), print(&cells), print(&cells)]);
        assert_eq!(pairs, [(0, 0), (1, 1)]);
    }
}
