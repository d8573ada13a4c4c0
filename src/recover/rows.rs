//! Rows of folder tables, and which object each stands for: a row has the object's node id and copies of its properties.

use std::cmp::Reverse;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::iter::repeat_n;

use crate::damage::{Result, survived};
use crate::disk::Spill;
use crate::format::id::{Bid, Nid, NodeType};
use crate::ltp::Table;
use crate::ltp::value::Value;
use crate::ndb::Ndb;
use crate::store::tags;

use super::deal::deal;
use super::lists::{Span, at, at_mut, equal};
use super::object::{Kind, Print, cell, row_print};

/// The tables of folders, and their rows.
#[derive(Debug, Default)]
pub(super) struct Listings {
    pub(super) list: Spill<Listing>,
    pub(super) lines: Spill<Line>,
}

/// A folder's table, whoever's it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    pub(super) kind: Kind,
    pub(super) data: Bid,
    /// The first block of it that was written; its data's root may be the last of many.
    pub(super) first: Bid,
    pub(super) subnodes: Bid,
    /// The folder, once that is known.
    pub(super) owner: Option<Nid>,
    pub(super) age: Age,
    /// By node.
    pub(super) rows: Span,
    /// How many rows are of messages that were not read.
    pub(super) unread: i32,
}

/// Which state of a folder's table a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// The last one, for all that is known.
    Last,
    /// Only pages that are no longer in the tree tell whose it is: it may be an earlier one, until that is found out.
    Unsure,
    /// An earlier one, of its owner's table or of another: it may list what no other does.
    Earlier,
}

/// A row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) nid: Nid,
    pub(super) print: Print,
}

/// What the tables of one kind say of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listed {
    pub(super) nid: Nid,
    /// Whether the table is that of a folder, and surely not an earlier state.
    pub(super) is_now: bool,
    /// The row's number.
    pub(super) line: u32,
    /// The folder whose table it is, where that is known.
    pub(super) owner: Option<Nid>,
}

/// The most rows of one store that are read.
const ROWS_MAX: usize = 20_000_000;
/// How many objects with one equal cell are compared with a row.
const ALIKE_MAX: usize = 64;

impl Listings {
    /// Reads a table, of this folder where that is known; one that cannot be read is left out.
    pub(super) fn read(&mut self, ndb: &Ndb, kind: Kind, (data, subnodes): (Bid, Bid), owner: Option<Nid>, age: Age) -> Result<()> {
        let Some(table) = survived(Table::open(ndb, Nid::default(), data, subnodes))? else { return Ok(()) };
        let (start, mut unread) = (self.lines.len(), 0_i32);
        let room = ROWS_MAX.saturating_sub(start);
        let mut lines = Spill::new();
        for (id, number) in survived(table.row_numbers())?.unwrap_or_default() {
            let Some(row) = table.row_of(id, number)? else { continue };
            if lines.len() >= room {
                break;
            }
            if matches!(cell(&table, &row, tags::MESSAGE_FLAGS)?, Some(Value::I32(flags)) if flags & 1 == 0) {
                unread = unread.saturating_add(1);
            }
            lines.push(Line { nid: Nid(id), print: row_print(&table, &row) });
        }
        lines.sort_stably_by_key(|line| line.nid);
        self.lines.push_all(&lines);
        let first = first_block(ndb, data, subnodes)?;
        self.list.push(Listing { kind, data, first, subnodes, owner, age, rows: Span::since(&self.lines, start), unread });
        Ok(())
    }

    /// The tables of a kind.
    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Listing> {
        self.list.iter().filter(move |listing| listing.kind == kind)
    }

    /// The folders whose table of a kind is known, ascending.
    pub(super) fn owners(&self, kind: Kind) -> Spill<Nid> {
        let mut owners: Spill<Nid> = self.of_kind(kind).filter_map(|listing| listing.owner).collect();
        owners.settle();
        owners
    }

    /// The nodes that tables of a kind list, by id, as often as they do; what counts most last.
    pub(super) fn listed(&self, kind: Kind) -> Spill<Listed> {
        let mut all = Spill::new();
        for listing in self.of_kind(kind) {
            let rows = listing.rows.numbers().zip(listing.rows.of(&self.lines));
            let is_now = listing.owner.is_some() && listing.age == Age::Last;
            all.extend(rows.map(|(line, row)| Listed { nid: row.nid, is_now, line, owner: listing.owner }));
        }
        all.sort_unstable();
        all
    }

    /// The print of a row.
    pub(super) fn print(&self, line: u32) -> Print {
        at(&self.lines, line).map(|line| line.print).unwrap_or_default()
    }
}

impl Listing {
    /// Whether it may be the table of a folder that has none.
    pub(super) fn is_free(&self) -> bool {
        self.owner.is_none() && self.age == Age::Last
    }

    /// How far its ids and that of this block are apart: what is written together has ids that follow each other.
    pub(super) fn distance(&self, data: Bid) -> u64 {
        self.ends().map(|end| end.key().0.abs_diff(data.key().0)).into_iter().min().unwrap_or(u64::MAX)
    }

    /// The first block of it that was written, and its data's root.
    pub(super) const fn ends(&self) -> [Bid; 2] {
        [self.first, self.data]
    }

    /// Whether it lists a node.
    pub(super) fn lists(&self, lines: &[Line], nid: Nid) -> bool {
        self.rows.of(lines).binary_search_by_key(&nid, |line| line.nid).is_ok()
    }
}

/// The block of a table that was written first: its rows may fill many, before those of its heap.
fn first_block(ndb: &Ndb, data: Bid, subnodes: Bid) -> Result<Bid> {
    let inside = survived(ndb.subnodes(subnodes))?.unwrap_or_default();
    let mut first = data.key();
    for root in inside.iter().map(|entry| entry.data).chain([data]) {
        let leaf = survived(ndb.data(root))?.and_then(|data| Some(data.leaves().first()?.bid.key()));
        first = first.min(leaf.unwrap_or(first));
    }
    Ok(first)
}

/// The prints of some rows or objects, wherever they lie.
#[derive(Clone, Copy)]
pub(super) struct Prints<'a> {
    /// How many there are.
    pub(super) len: usize,
    /// Each by its number.
    pub(super) of: &'a dyn Fn(u32) -> Print,
}

impl Prints<'_> {
    fn numbered(self) -> impl Iterator<Item = (u32, Print)> {
        (0..).zip(0..self.len).map(move |(number, _)| (number, (self.of)(number)))
    }
}

/// The table's kind by its node's type.
pub(super) fn kind_of(kind: NodeType) -> Option<Kind> {
    Kind::TABLES.into_iter().find(|table| table.node_type() == kind)
}

/// Which object each row stands for, those that agree most first: pairs of numbers by row, each row and each object once.
pub(super) fn matches(rows: Prints<'_>, objects: Prints<'_>) -> Spill<(u32, u32)> {
    let mut given = Given::new(rows, objects);
    given.deal_equal(rows, objects);
    let alike = alike(objects, &given);
    let wishes = |number: u32| {
        if given.has_row(number) {
            return Vec::new();
        }
        let row = (rows.of)(number);
        let near = row
            .keys()
            .flat_map(|(cell, digest)| equal(&alike, (cell, digest), |(cell, digest, _)| (*cell, *digest)).iter().take(ALIKE_MAX));
        let mut near: Vec<u32> = near.map(|(_, _, object)| *object).collect();
        near.sort_unstable();
        near.dedup();
        let agreed = near.into_iter().filter_map(|object| Some((Reverse((objects.of)(object).agrees(&row)?), object)));
        let mut agreed: Vec<(Reverse<u32>, u32)> = agreed.collect();
        agreed.sort_unstable();
        agreed
    };
    let dealt = deal(rows.len, objects.len, wishes);
    let agreed = (0..).zip(0..rows.len).filter_map(|(row, _)| Some((row, dealt.of(row)?)));
    given.pairs.extend(agreed);
    given.pairs.sort_unstable();
    given.pairs
}

/// The objects that are not given yet by each of the cells that tell objects apart best.
fn alike(objects: Prints<'_>, given: &Given) -> Spill<(usize, u32, u32)> {
    let mut alike = Spill::new();
    for (number, object) in objects.numbered().filter(|(number, _)| !given.has_object(*number)) {
        alike.extend(object.keys().map(|(cell, digest)| (cell, digest, number)));
    }
    alike.sort_unstable();
    alike
}

/// A digest of what tells objects apart.
fn digest(print: &Print) -> u64 {
    let mut hasher = DefaultHasher::new();
    print.keys().for_each(|key| key.hash(&mut hasher));
    hasher.finish()
}

/// Of which object each row tells a copy, of several that agree as much the first: copies of an item share its blocks.
pub(super) fn copies(rows: Prints<'_>, objects: Prints<'_>) -> Spill<(u32, u32)> {
    let sized = |print: &Print| (print.cell(tags::MESSAGE_SIZE), print.cell(tags::SUBJECT));
    let sizes = objects.numbered().map(|(number, object)| (sized(&object), number));
    let mut by_size: Spill<((u32, u32), u32)> = sizes.filter(|((size, _), _)| *size != 0).collect();
    by_size.sort_unstable();
    let copy = |row: &Print| {
        let alike = equal(&by_size, sized(row), |(sized, _)| *sized).iter().take(ALIKE_MAX);
        let alike = alike.map(|(_, number)| (*number, (objects.of)(*number))).filter(|(_, object)| row.tells_of(object));
        alike.min_by_key(|(number, object)| (Reverse(object.agrees(row)), *number)).map(|(number, _)| number)
    };
    rows.numbered().filter_map(|(number, row)| Some((number, copy(&row)?))).collect()
}

/// The row and the object of each class of which one of both is left, where nothing that both tell differs.
///
/// The row of a hidden item often tells no more of it than its class and its flags.
pub(super) fn last_of_class(rows: Prints<'_>, objects: Prints<'_>) -> Spill<(u32, u32)> {
    let by_class = |prints: Prints<'_>| {
        let mut list: Spill<(u32, u32)> = prints.numbered().map(|(number, print)| (print.cell(tags::MESSAGE_CLASS), number)).collect();
        list.sort_unstable();
        list
    };
    let (wanted, there) = (by_class(rows), by_class(objects));
    let only = wanted.chunk_by(|a, b| a.0 == b.0).filter_map(|rows| match (rows, equal(&there, rows.first()?.0, |(class, _)| *class)) {
        ([(class, row)], [(_, object)]) if *class != 0 => Some((*row, *object)),
        _ => None,
    });
    only.filter(|(row, object)| !(rows.of)(*row).contradicts(&(objects.of)(*object))).collect()
}

/// Rows and objects that belong together.
struct Given {
    rows: Spill<bool>,
    objects: Spill<bool>,
    pairs: Spill<(u32, u32)>,
}

impl Given {
    fn new(rows: Prints<'_>, objects: Prints<'_>) -> Self {
        Self { rows: repeat_n(false, rows.len).collect(), objects: repeat_n(false, objects.len).collect(), pairs: Spill::new() }
    }

    fn has_row(&self, row: u32) -> bool {
        at(&self.rows, row) == Some(&true)
    }

    fn has_object(&self, object: u32) -> bool {
        at(&self.objects, object) == Some(&true)
    }

    /// Gives rows the objects that tell the same in all that tells objects apart.
    ///
    /// Many items may be the same to the letter; any of them does for any of their rows, so they are dealt out in order.
    fn deal_equal(&mut self, rows: Prints<'_>, objects: Prints<'_>) {
        let telling = rows.numbered().filter(|(_, row)| row.keys().count() > 1);
        let mut wanted: Spill<(u64, u32)> = telling.map(|(number, row)| (digest(&row), number)).collect();
        wanted.sort_unstable();
        let mut there: Spill<(u64, u32)> = objects.numbered().map(|(number, object)| (digest(&object), number)).collect();
        there.sort_unstable();
        for rows in wanted.chunk_by(|a, b| a.0 == b.0) {
            let Some((key, _)) = rows.first() else { continue };
            for ((_, row), (_, object)) in rows.iter().zip(equal(&there, *key, |(key, _)| *key)) {
                self.give(*row, *object);
            }
        }
    }

    fn give(&mut self, row: u32, object: u32) {
        if let (Some(row), Some(object)) = (at_mut(&mut self.rows, row), at_mut(&mut self.objects, object)) {
            (*row, *object) = (true, true);
        }
        self.pairs.push((row, object));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::props::Key;
    use crate::store::tags::{CLIENT_SUBMIT_TIME, DISPLAY_TO, MESSAGE_CLASS, MESSAGE_DELIVERY_TIME, MESSAGE_FLAGS, MESSAGE_SIZE, SUBJECT};

    fn print(cells: &[(Key, &str)]) -> Print {
        Print::of(|key| cells.iter().find(|(of, _)| *of == key).map(|(_, text)| Value::Unicode((*text).to_owned())))
    }

    fn pairs(rows: &[Print], objects: &[Print]) -> Vec<(u32, u32)> {
        let (row, object) = (|number| rows[number as usize], |number| objects[number as usize]);
        matches(Prints { len: rows.len(), of: &row }, Prints { len: objects.len(), of: &object }).to_vec()
    }

    #[test]
    fn rows_find_the_objects_that_agree_most() {
        let objects = [
            print(&[(SUBJECT, "a"), (MESSAGE_SIZE, "1"), (MESSAGE_FLAGS, "read")]),
            print(&[(SUBJECT, "a"), (MESSAGE_SIZE, "2"), (MESSAGE_FLAGS, "read")]),
            print(&[(SUBJECT, "b"), (MESSAGE_SIZE, "3")]),
        ];
        let rows = [
            print(&[(SUBJECT, "a"), (MESSAGE_SIZE, "2")]),
            print(&[(SUBJECT, "a"), (MESSAGE_SIZE, "1"), (MESSAGE_FLAGS, "unread")]),
            print(&[(SUBJECT, "c"), (DISPLAY_TO, "x")]),
        ];
        assert_eq!(pairs(&rows, &objects), [(0, 1), (1, 0)], "the row of another subject gets nothing");
    }

    /// A mailbox of 300 copies of one letter: each row gets one, and none is given twice.
    #[test]
    fn items_alike_to_the_letter_are_dealt_out_in_order() {
        let cells = [(SUBJECT, "a"), (MESSAGE_SIZE, "1")];
        assert_eq!(pairs(&[print(&cells), print(&cells)], &[print(&cells), print(&cells), print(&cells)]), [(0, 0), (1, 1)]);
    }

    /// The row of a setting told its class and its flags: too little, so the row was taken out and the setting lost.
    #[test]
    fn a_row_that_tells_a_class_finds_the_only_object_of_it() {
        let class = |class| [(MESSAGE_CLASS, class)];
        let hidden = print(&[(MESSAGE_CLASS, "c"), (MESSAGE_FLAGS, "hidden")]);
        let objects = [print(&class("a")), print(&class("b")), print(&class("b")), hidden, print(&[])];
        let read = print(&[(MESSAGE_CLASS, "c"), (MESSAGE_FLAGS, "read")]);
        let rows = [print(&class("a")), print(&class("b")), read, print(&[])];
        let (row, object) = (|number| rows[number as usize], |number| objects[number as usize]);
        let (rows, objects) = (Prints { len: rows.len(), of: &row }, Prints { len: objects.len(), of: &object });
        assert_eq!(
            last_of_class(rows, objects).to_vec(),
            [(0, 0)],
            "of two nobody knows which, and flags that differ tell that it is another"
        );
    }

    /// Outlook's tables have a column for the time of delivery and none for that of submission.
    #[test]
    fn a_row_of_a_table_without_a_column_for_the_time_of_submission_finds_what_it_is_a_copy_of() {
        let letter = [(SUBJECT, "a"), (MESSAGE_SIZE, "1"), (MESSAGE_DELIVERY_TIME, "noon"), (CLIENT_SUBMIT_TIME, "morning")];
        let read = [letter.as_slice(), &[(MESSAGE_FLAGS, "read")]].concat();
        let late = [letter[0], letter[1], (MESSAGE_DELIVERY_TIME, "night"), letter[3]];
        let objects = [print(&late), print(&letter), print(&read), print(&read)];
        let rows = [
            print(&letter[..3]),
            print(&[letter[0], letter[1], letter[2], (MESSAGE_FLAGS, "read")]),
            print(&[letter[0], letter[1], (MESSAGE_DELIVERY_TIME, "dawn")]),
            print(&letter[..2]),
        ];
        let (row, object) = (|number| rows[number as usize], |number| objects[number as usize]);
        let found = copies(Prints { len: rows.len(), of: &row }, Prints { len: objects.len(), of: &object });
        assert_eq!(found.to_vec(), [(0, 1), (1, 2)], "the first of those that agree most; subject and size alone are too little");
    }
}
