//! Lists a store through the crate outlook-pst; see `scripts/peers` for the lines.
use std::rc::Rc;

use outlook_pst::ltp::prop_context::PropertyValue;
use outlook_pst::ltp::prop_type::PropertyType;
use outlook_pst::ltp::table_context::{TableContext, TableRowId};
use outlook_pst::messaging::attachment::{AnsiAttachment, Attachment, AttachmentData, UnicodeAttachment};
use outlook_pst::messaging::folder::{AnsiFolder, Folder, UnicodeFolder};
use outlook_pst::messaging::message::{AnsiMessage, Message, UnicodeMessage};
use outlook_pst::messaging::store::{AnsiStore, Store, UnicodeStore};
use outlook_pst::ndb::node_id::NodeId;
use outlook_pst::{AnsiPstFile, UnicodePstFile};

fn text(value: &PropertyValue) -> String {
    match value {
        PropertyValue::Unicode(value) => String::from_utf16_lossy(value.buffer()),
        PropertyValue::String8(value) => value.buffer().iter().map(|byte| if *byte == 0x80 { '€' } else { char::from(*byte) }).collect(),
        _ => String::new(),
    }
}

fn subject(message: &dyn Message) -> String {
    let subject = message.properties().get(0x37).map(text).unwrap_or_default();
    if subject.starts_with('\u{1}') { subject.chars().skip(2).collect() } else { subject }
}

/// A text that may hold what divides a line from the next, or its parts.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |mut crc, byte| {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
        crc
    })
}

/// Ids and types of the properties.
fn types(message: &dyn Message, head: &str) {
    let all: Vec<String> = message.properties().iter().map(|(id, value)| format!("{id:04x}{:04x}", u16::from(PropertyType::from(value)))).collect();
    println!("types\t{head}\t{}\t{:08x}", all.len(), crc(all.concat().as_bytes()));
}

/// How an attachment is stored, as the row tells.
fn method(table: Option<&Rc<dyn TableContext>>, id: TableRowId) -> i32 {
    let table = table.expect("a table");
    let row = table.find_row(id).expect("a row");
    let cells = row.columns(table.context()).expect("cells");
    let mut cells = table.context().columns().iter().zip(cells);
    match cells.find(|(column, _)| column.prop_id() == 0x3705) {
        Some((column, Some(cell))) => match table.read_column(&cell, column.prop_type()) {
            Ok(PropertyValue::Integer32(method)) => method,
            _ => 0,
        },
        _ => 0,
    }
}

fn recipients(table: Option<&Rc<dyn TableContext>>, head: &str) {
    let Some(table) = table else { return };
    for row in table.rows_matrix() {
        let columns = row.columns(table.context()).expect("cells");
        for (column, cell) in table.context().columns().iter().zip(columns) {
            if let (0x3003, Some(cell)) = (column.prop_id(), cell) {
                println!("to\t{head}\t{}", escaped(&text(&table.read_column(&cell, column.prop_type()).expect("a cell"))));
            }
        }
    }
}

macro_rules! lister {
    ($module:ident, $pst:ty, $store:ty, $folder:ty, $message:ty, $attachment:ty) => {
        mod $module {
            use super::*;

            pub fn store(path: &str) -> std::io::Result<()> {
                let store = <$store>::read(Rc::new(<$pst>::open(path)?))?;
                let subtree = store.properties().ipm_sub_tree_entry_id()?;
                folder(&store, subtree.node_id(), "")
            }

            fn folder(store: &Rc<$store>, nid: NodeId, path: &str) -> std::io::Result<()> {
                let entry = store.properties().make_entry_id(nid)?;
                let here = <$folder>::read(store.clone(), &entry)?;
                println!("folder\t{path}");
                for row in here.contents_table().into_iter().flat_map(|table| table.rows_matrix()) {
                    let entry = store.properties().make_entry_id(NodeId::from(u32::from(row.id())))?;
                    let message = <$message>::read(store.clone(), &entry, None)?;
                    let head = format!("{path}\t{}", escaped(&subject(&*message)));
                    println!("item\t{head}");
                    types(&*message, &head);
                    recipients(message.recipient_table(), &head);
                    for row in message.attachment_table().into_iter().flat_map(|table| table.rows_matrix()) {
                        let nid = NodeId::from(u32::from(row.id()));
                        if method(message.attachment_table(), row.id()) != 1 {
                            continue;
                        }
                        let attachment = <$attachment>::read(message.clone(), nid, None)?;
                        if let Some(AttachmentData::Binary(bytes)) = attachment.data() {
                            println!("file\t{head}\t{}\t{:08x}", bytes.buffer().len(), crc(bytes.buffer()));
                        }
                    }
                }
                for row in here.hierarchy_table().into_iter().flat_map(|table| table.rows_matrix()) {
                    let nid = NodeId::from(u32::from(row.id()));
                    let name = <$folder>::read(store.clone(), &store.properties().make_entry_id(nid)?)?.properties().display_name()?;
                    folder(store, nid, &format!("{path}/{}", escaped(&name)))?;
                }
                Ok(())
            }
        }
    };
}

lister!(unicode, UnicodePstFile, UnicodeStore, UnicodeFolder, UnicodeMessage, UnicodeAttachment);
lister!(ansi, AnsiPstFile, AnsiStore, AnsiFolder, AnsiMessage, AnsiAttachment);

fn main() {
    let path = std::env::args().nth(1).expect("a file");
    let ansi = std::fs::read(&path).expect("a file")[10] < 20;
    if let Err(error) = if ansi { ansi::store(&path) } else { unicode::store(&path) } {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
