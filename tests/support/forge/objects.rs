//! Damage to objects, as text: properties and rows changed, dropped or added through the writers of the store.
//!
//! Lines of a fixture's edits that are done before all others, each a store written anew:
//!
//! ```text
//! props  message="Hello" id=0x001a drop=yes
//! props  message="Files" attachment=0 id=0x3705 type=0x3 value=9
//! props  node=0x8022 id=0x3001 text=""
//! row    message="Hello" drop=yes
//! row    message="Hello" column=0x0037 text="Other"
//! row    message="Files" sub=0x671 index=0 drop=yes
//! row    table=0x802d add=0x99902
//! row    beside="Hello" index=0 column=0x3001 text="Calendar"
//! ```
//!
//! A row is that of a message in its folder's table, or the one at `index` of a table: a node's (`table`) or a subnode's
//! (`sub`), or the one that lists a message's folder (`beside`). A row that is added is a copy of the first, or one of zeros in an empty table. A text may begin with `prefix=`,
//! the length that its mark tells.

use std::path::Path;
use std::sync::Arc;

use pstfs::disk::crash::CrashDisk;
use pstfs::disk::{MemoryFile, ReadAt, WritableFile, WriteAt};
use pstfs::format::Format;
use pstfs::format::id::{Nid, NodeType};
use pstfs::format::property::{FileTime, PropType};
use pstfs::ltp::value::Value;
use pstfs::ltp::write::{PropertiesBuilder, TableBuilder, TableShape};
use pstfs::ltp::{Properties, Table};
use pstfs::ndb::write::{Part, Room, Stored, Transaction};
use pstfs::store::Store;
use pstfs::store::item::NodeRef;

use super::edits::message_node;
use super::recipe::Line;

/// Whether a line is done here.
pub(super) fn is_object(line: &Line) -> bool {
    matches!(line.word.as_str(), "props" | "row")
}

/// The store with the change that a line describes.
pub(super) fn change(bytes: Vec<u8>, line: &Line) -> Vec<u8> {
    let disk = CrashDisk::new(bytes.clone());
    commit(Arc::new(bytes), &disk, line);
    disk.bytes()
}

/// The same in a file, however large.
pub fn change_file(path: &Path, line: &Line) {
    let open = || WritableFile::open(path).expect("a store");
    commit(Arc::new(open()), &open(), line);
}

fn commit(from: Arc<dyn ReadAt>, to: &impl WriteAt, line: &Line) {
    let store = Store::open(from, 32 << 20).expect("the base is healthy");
    let mut transaction = Transaction::begin(store.ndb()).expect("a transaction");
    match line.word.as_str() {
        "props" => props(&store, &mut transaction, line),
        _ => row(&store, &mut transaction, line),
    }
    let transaction = transaction.with_room(Room::reuse(store.ndb().format()));
    transaction.commit(to, &MemoryFile::default()).expect("a commit");
}

/// The node that a line names, by id or by its message's subject.
fn node(store: &Store, line: &Line) -> NodeRef {
    if let Some(subject) = line.option("beside") {
        let folder = parent(store, message_node(store, subject).nid);
        return store.locate(parent(store, folder).with_kind(NodeType::HIERARCHY_TABLE)).expect("a table");
    }
    if let Some(subject) = line.option("list") {
        let folder = parent(store, message_node(store, subject).nid);
        return store.locate(folder.with_kind(NodeType::CONTENTS_TABLE)).expect("a table");
    }
    if let Some(subject) = line.option("folder") {
        return store.locate(parent(store, message_node(store, subject).nid)).expect("a folder");
    }
    match line.number("node").or(line.number("table")) {
        Some(nid) => store.locate(Nid(nid as u32)).expect("a node"),
        None => message_node(store, line.option("message").expect("message=")),
    }
}

fn parent(store: &Store, nid: Nid) -> Nid {
    store.ndb().node(nid).expect("readable").expect("a node").parent
}

/// The value that a line gives, as a store of this format keeps it.
fn value(format: Format, line: &Line) -> (PropType, Value) {
    if let Some(text) = line.option("text") {
        let mark = line.number("prefix").map(|prefix| format!("\u{1}{}", char::from_u32(prefix as u32 + 1).expect("a mark")));
        let text = format!("{}{text}", mark.unwrap_or_default());
        return match format {
            Format::Ansi => (PropType::STRING8, Value::String8(text.into_bytes())),
            _ => (PropType::UNICODE, Value::Unicode(text)),
        };
    }
    let number = line.number("value").expect("value=");
    match PropType(line.number("type").unwrap_or(3) as u16) {
        PropType::TIME => (PropType::TIME, Value::Time(FileTime(number))),
        PropType::BINARY => (PropType::BINARY, Value::Binary(number.to_be_bytes().repeat(4))),
        PropType::BOOL => (PropType::BOOL, Value::Bool(number != 0)),
        kind => (kind, Value::I32(number as u32 as i32)),
    }
}

/// The properties of a node with the line's change, ready to be written.
fn changed(store: &Store, at: NodeRef, line: &Line) -> PropertiesBuilder {
    let mut builder = copied(store, at, &[line.number("id").expect("id=") as u16]);
    if line.option("drop").is_none() {
        let (kind, value) = value(store.ndb().format(), line);
        assert!(builder.set(line.number("id").expect("id=") as u16, kind, &value), "edits: a value of another type");
    }
    builder
}

/// The properties of a node but some.
fn copied(store: &Store, at: NodeRef, without: &[u16]) -> PropertiesBuilder {
    let properties = Properties::open(store.ndb(), at.nid, at.data, at.subnodes).expect("properties");
    let mut builder = PropertiesBuilder::default();
    for record in properties.records().iter().filter(|record| !without.contains(&record.id)) {
        match properties.value(record).expect("a value") {
            Some(Value::Stream(stream)) => builder.set_stored(record.id, record.kind, stream.data, stream.len),
            Some(value) => assert!(builder.set(record.id, record.kind, &value)),
            None => {}
        }
    }
    builder
}

/// Gives a builder what lies below a node, but one subnode.
fn keep(store: &Store, at: NodeRef, without: Nid, builder: &mut PropertiesBuilder) {
    for entry in store.ndb().subnodes(at.subnodes).expect("subnodes") {
        if entry.nid.nid.kind() != NodeType::LTP && entry.nid.nid != without {
            builder.add_subnode(entry.nid.nid, Part::Stored(Stored { data: entry.data, subnodes: entry.subnodes }));
        }
    }
}

fn props(store: &Store, transaction: &mut Transaction<'_>, line: &Line) {
    let (at, format) = (node(store, line), store.ndb().format());
    let draft = match line.number("attachment") {
        None => {
            let mut builder = changed(store, at, line);
            keep(store, at, Nid::default(), &mut builder);
            builder.finish(format, transaction.nids())
        }
        Some(index) => {
            let attachment = store.item(at).expect("an item").attachments[index as usize].node;
            let mut inner = changed(store, attachment, line);
            keep(store, attachment, Nid::default(), &mut inner);
            let inner = inner.finish(format, transaction.nids()).expect("a draft");
            let mut builder = copied(store, at, &[]);
            keep(store, at, attachment.nid, &mut builder);
            builder.add_subnode(attachment.nid, Part::Draft(inner));
            builder.finish(format, transaction.nids())
        }
    };
    transaction.put_draft(at.nid, parent(store, at.nid), draft.expect("a draft")).expect("a node");
}

fn row(store: &Store, transaction: &mut Transaction<'_>, line: &Line) {
    let (at, format) = (node(store, line), store.ndb().format());
    if let Some(sub) = line.number("sub") {
        let nid = Nid(sub as u32);
        let entry = store.ndb().subnode(at.subnodes, nid).expect("subnodes").expect("the table");
        let table = NodeRef { nid, data: entry.data, subnodes: entry.subnodes };
        let draft = rows(store, transaction, table, None, line).finish(transaction.nids()).expect("a draft");
        let mut builder = copied(store, at, &[]);
        keep(store, at, nid, &mut builder);
        builder.add_subnode(nid, Part::Draft(draft));
        let draft = builder.finish(format, transaction.nids()).expect("a draft");
        return transaction.put_draft(at.nid, parent(store, at.nid), draft).expect("a node");
    }
    let of_message = line.option("message").filter(|_| line.number("table").is_none());
    let (table, id) = match of_message {
        Some(_) => (store.locate(parent(store, at.nid).with_kind(NodeType::CONTENTS_TABLE)).expect("a table"), Some(at.nid.0)),
        None => (at, None),
    };
    let draft = rows(store, transaction, table, id, line).finish(transaction.nids()).expect("a draft");
    transaction.put_draft(table.nid, Nid::default(), draft).expect("a node");
}

/// The table with the line's change.
fn rows(store: &Store, transaction: &mut Transaction<'_>, at: NodeRef, id: Option<u32>, line: &Line) -> TableBuilder {
    let ndb = store.ndb();
    let table = Table::open(ndb, at.nid, at.data, at.subnodes).expect("a table");
    let shape = TableShape { ends: table.info().ends, columns: table.info().columns.clone() };
    let mut builder = TableBuilder::new(ndb.format(), shape).expect("a table");
    let mut rows = Vec::new();
    for (id, number) in table.row_numbers().expect("rows") {
        rows.push((id, table.cells(&table.row(number).expect("a row")).expect("cells")));
    }
    let index = rows.iter().position(|(row, _)| Some(*row) == id).or(line.number("index").map(|index| index as usize));
    if let Some(new) = line.number("add") {
        let cells = rows.first().map_or_else(Vec::new, |(_, cells)| cells.clone());
        rows.push((new as u32, cells));
    } else if line.option("drop").is_some() {
        rows.remove(index.expect("a row"));
    } else {
        let column = line.number("column").expect("column=") as u16;
        let cells = &mut rows[index.expect("a row")].1;
        cells.retain(|(id, _)| *id != column);
        cells.push((column, value(ndb.format(), line).1));
    }
    for (id, cells) in &rows {
        let cells: Vec<(u16, &Value)> = cells.iter().map(|(id, value)| (*id, value)).filter(|(id, _)| *id != 0x67f3).collect();
        let version = transaction.next_unique();
        builder.push(*id, version, &cells, transaction.nids()).expect("a row");
    }
    builder
}
