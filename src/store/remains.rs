//! What is left of an item or an attachment whose own properties cannot be read: the row that tells of it, and what lies
//! beside these properties, of which only they said what it is.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::item::{Attachment, Content, Item, NodeRef, in_words};
use super::props::{Key, Props};
use super::{Store, flags, tags};
use crate::damage::{Code, Error, Place, Result};
use crate::format::block::SubnodeEntry;
use crate::format::id::{Bid, Nid, NodeType};
use crate::format::property::PropType;
use crate::ltp::value::{Stream, Value};
use crate::ltp::{Properties, Table};
use crate::ndb::Ndb;

/// How much of a value is looked at to tell what it is.
const HEAD_BYTES: usize = 2048;

/// A large value below an object that says nothing of it.
#[derive(Clone, Copy, Debug)]
pub struct Unnamed {
    /// Where it lies.
    pub entry: SubnodeEntry,
    /// Which property of an item it must be by how it begins, if that tells, and the type of it.
    pub property: Option<(u16, PropType)>,
    len: u64,
    /// What a file of it is called.
    extension: &'static str,
}

impl Store {
    /// An item; of one whose own properties cannot be read, what is left, if anything is.
    pub fn item_or_remains(&self, node: NodeRef) -> Result<Item> {
        match self.item(node) {
            Err(error) if !error.is_io() => {
                self.ndb.notes().survived(&error, Code::EmbeddedMessage, Place::node(node.nid.0));
                let item = self.remains(node, BTreeMap::new(), &error)?;
                let says_nothing = item.props.values().keys().all(|id| Some(*id) == tags::MESSAGE_FLAGS.id());
                if says_nothing && item.recipients.is_empty() && item.attachments.is_empty() { Err(error) } else { Ok(item) }
            }
            item => item,
        }
    }

    /// What is left of an item whose own properties cannot be read, and why not: what the head of their heap should have
    /// said, or else what its row tells by property id; and what lies beside them.
    pub fn remains(&self, node: NodeRef, row: BTreeMap<u16, Value>, why: &Error) -> Result<Item> {
        let salvaged = Properties::salvage(&self.ndb, node.nid, node.data, node.subnodes)?;
        if let Some(properties) = salvaged {
            let item = self.item_of(node, &properties)?;
            let damage = [vec!["the head of its properties is damaged".into()], item.damage].concat();
            return Ok(Item { damage, ..item });
        }
        let mut values = row;
        let mut files = Vec::new();
        for value in unnamed(&self.ndb, node.subnodes, &|id| values.contains_key(&id))? {
            match value.property {
                Some((id, kind)) => drop(values.insert(id, Value::Stream(value.stream(kind)))),
                None => files.push(value.file(files.len())),
            }
        }
        // Whether somebody read it nobody knows: it counts as read, as it does after a repair.
        values.extend(tags::MESSAGE_FLAGS.id().filter(|id| !values.contains_key(id)).map(|id| (id, Value::I32(flags::READ))));
        let told = format!("its own properties cannot be read: {}", in_words(why));
        let mut item = Item { node, props: self.props_of(node.nid, values)?, damage: vec![told], ..Item::default() };
        item.recipients = self.recipients(node, item.props.codepage(), &mut item.damage)?;
        self.read_attachments(&mut item)?;
        item.attachments.extend(files);
        Ok(item)
    }

    /// What is left of an attachment whose own properties cannot be read: its row in the message's table, and the longest
    /// of what lies below it.
    pub(super) fn attachment_remains(&self, message: NodeRef, subnode: &SubnodeEntry, codepage: u16, why: &Error) -> Result<Attachment> {
        let nid = subnode.nid.nid;
        let values = match self.attachment_row(message, nid) {
            Err(error) if error.is_io() => return Err(error),
            row => row.ok().flatten().unwrap_or_default(),
        };
        let props = Props::new(message.nid, values, self.names.clone(), Some(self.ndb.clone()), codepage);
        let content = content_below(&self.ndb, subnode.subnodes, &|_| false)?
            .map_or_else(|| Content::Broken(why.to_string()), |below| below.content());
        let node = NodeRef { nid, data: subnode.data, subnodes: subnode.subnodes };
        Ok(Attachment { node, props, content })
    }

    /// What lies below an attachment and is none of the values that its properties name.
    pub(super) fn content_remains(&self, node: NodeRef, props: &Props) -> Result<Option<Content>> {
        let named = |entry: &SubnodeEntry| props.values().values().any(|value| is_at(value, entry));
        Ok(content_below(&self.ndb, node.subnodes, &named)?.map(|below| below.content()))
    }

    /// What the table of a message tells of an attachment.
    fn attachment_row(&self, message: NodeRef, nid: Nid) -> Result<Option<BTreeMap<u16, Value>>> {
        let Some(subnode) = self.ndb.subnode(message.subnodes, Nid::ATTACHMENT_TABLE)? else { return Ok(None) };
        let table = Table::open(&self.ndb, message.nid, subnode.data, subnode.subnodes)?;
        let Some((id, number)) = table.row_numbers()?.into_iter().find(|(id, _)| *id == nid.0) else { return Ok(None) };
        let Some(row) = table.row_of(id, number)? else { return Ok(None) };
        Ok(Some(table.cells(&row)?.into_iter().collect()))
    }
}

impl Unnamed {
    fn stream(&self, kind: PropType) -> Stream {
        Stream { kind, data: self.entry.data, len: self.len }
    }

    /// It as what an attachment holds.
    fn content(&self) -> Content {
        match self.entry.nid.nid {
            nid if nid.kind() == NodeType::MESSAGE => {
                Content::Message(NodeRef { nid, data: self.entry.data, subnodes: self.entry.subnodes })
            }
            _ => Content::Stream(self.stream(PropType::BINARY)),
        }
    }

    /// It as a file beside a message.
    fn file(&self, before: usize) -> Attachment {
        let name = Value::Unicode(self.file_name(before));
        let props = Props::from_values([(tags::ATTACH_LONG_FILENAME, name)]);
        let node = NodeRef { nid: self.entry.nid.nid, data: self.entry.data, subnodes: self.entry.subnodes };
        Attachment { node, props, content: self.content() }
    }

    /// What it is called as a file, by the number of those before it.
    pub fn file_name(&self, before: usize) -> String {
        format!("value-{}.{}", before.saturating_add(1), self.extension)
    }
}

/// The large values right below an object, the longest first; those that cannot be read are left out.
///
/// Of each property that is not `told` by another source there is one; the others are files.
pub fn unnamed(ndb: &Ndb, subnodes: Bid, told: &dyn Fn(u16) -> bool) -> Result<Vec<Unnamed>> {
    let entries = match ndb.subnodes(subnodes) {
        Err(error) if error.is_io() => return Err(error),
        entries => entries.unwrap_or_default(),
    };
    let mut values = Vec::new();
    for entry in entries.into_iter().filter(|entry| entry.nid.nid.kind() == NodeType::LTP) {
        values.extend(read(ndb, entry)?);
    }
    values.sort_by_key(|value| (Reverse(value.len), value.entry.nid.nid));
    let mut taken = BTreeSet::new();
    for value in &mut values {
        value.property = value.property.filter(|(id, _)| !told(*id) && taken.insert(*id));
    }
    Ok(values)
}

/// What an attachment holds of which no property says so: the message below it, else the longest value that is not `known`.
pub fn content_below(ndb: &Ndb, subnodes: Bid, known: &dyn Fn(&SubnodeEntry) -> bool) -> Result<Option<Unnamed>> {
    let entries = match ndb.subnodes(subnodes) {
        Err(error) if error.is_io() => return Err(error),
        entries => entries.unwrap_or_default(),
    };
    let message = entries.into_iter().find(|entry| entry.nid.nid.kind() == NodeType::MESSAGE && !known(entry));
    match message {
        Some(entry) => Ok(Some(Unnamed { entry, property: None, len: 0, extension: "eml" })),
        None => Ok(unnamed(ndb, subnodes, &|_| true)?.into_iter().find(|value| !known(&value.entry))),
    }
}

/// Whether a property's value lies there.
fn is_at(value: &Value, entry: &SubnodeEntry) -> bool {
    match value {
        Value::Stream(stream) => stream.data.key() == entry.data.key(),
        Value::Object(nid, _) => *nid == entry.nid.nid,
        _ => false,
    }
}

/// A value, if its data can be read.
fn read(ndb: &Ndb, entry: SubnodeEntry) -> Result<Option<Unnamed>> {
    let read = || {
        let data = ndb.data(entry.data)?;
        Ok((data.len(), data.read(ndb, 0, HEAD_BYTES)?))
    };
    match read() {
        Err(error @ Error::Io(_)) => Err(error),
        Err(_) => Ok(None),
        Ok((len, head)) => {
            let extension = extension_of(&head).unwrap_or("bin");
            let property = property_of(&head).and_then(|(key, kind)| Some((key.id()?, kind)));
            Ok(Some(Unnamed { entry, property, len, extension }))
        }
    }
}

/// Which property of an item a large value is that begins so. Few are ever too large for the heap of their item.
fn property_of(head: &[u8]) -> Option<(Key, PropType)> {
    // [MS-OXRTFCP] 2.1.3.1: two lengths come before the mark.
    if matches!(head.get(8..12), Some(b"LZFu" | b"MELA")) {
        return Some((tags::RTF_COMPRESSED, PropType::BINARY));
    }
    let wide = wide_text(head);
    let kind = if wide.is_some() { PropType::UNICODE } else { PropType::STRING8 };
    match extension_of(head) {
        Some("html") if wide.is_none() => return Some((tags::HTML, PropType::BINARY)),
        Some("txt" | "html") => {}
        Some(_) => return None,
        None if wide.is_some() => {}
        None => return None,
    }
    let text = wide.unwrap_or_else(|| String::from_utf8_lossy(head).into_owned()).trim_start().to_ascii_lowercase();
    let is_headers = ["received:", "return-path:", "delivered-to:", "mime-version:", "x-", "microsoft mail internet headers"]
        .into_iter()
        .any(|start| text.starts_with(start));
    Some((if is_headers { tags::TRANSPORT_MESSAGE_HEADERS } else { tags::BODY }, kind))
}

/// Bytes as text in UTF-16, if they are some in whatever language.
fn wide_text(head: &[u8]) -> Option<String> {
    let (units, rest) = head.as_chunks::<2>();
    let is_text = |text: &String| !text.chars().any(|letter| letter.is_control() && !"\t\r\n".contains(letter) || letter == '\u{fffd}');
    let text = String::from_utf16(&units.iter().map(|unit| u16::from_le_bytes(*unit)).collect::<Vec<_>>()).ok()?;
    // Any two letters of ASCII are a sign of some script of the East.
    let narrow = head.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    (rest.is_empty() && !narrow && is_text(&text)).then_some(text)
}

/// How files begin that users would miss.
const MAGIC: &[(&[u8], &str)] = &[
    (b"%PDF-", "pdf"),
    (b"\x89PNG\r\n", "png"),
    (b"\xff\xd8\xff", "jpg"),
    (b"GIF8", "gif"),
    (b"PK\x03\x04", "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1", "ole"),
    (b"{\\rtf", "rtf"),
];

/// What kind of file begins so; `None` for what is not known: most of it are rows of tables.
pub fn extension_of(head: &[u8]) -> Option<&'static str> {
    const LEAST_BYTES: usize = 16;
    if head.len() < LEAST_BYTES {
        return None;
    }
    if let Some((_, extension)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(extension);
    }
    // Text in UTF-16 has every second byte zero in most languages of Europe; others are left out.
    let is_wide = head.get(1..LEAST_BYTES)?.iter().step_by_two().all(|byte| *byte == 0);
    let text: Vec<u8> = if is_wide { head.iter().step_by_two().copied().collect() } else { head.to_vec() };
    let printable = |byte: &u8| matches!(*byte, b'\t' | b'\n' | b'\r' | b' '..=b'~' | 0x80..);
    if !text.iter().all(printable) || text.iter().filter(|byte| byte.is_ascii()).count() < text.len().div_ceil(2) {
        return None;
    }
    let start = String::from_utf8_lossy(&text).trim_start().to_ascii_lowercase();
    let is_html = ["<html", "<!doctype html", "<head", "<div", "<p>", "<meta"].iter().any(|tag| start.starts_with(tag));
    Some(if is_html { "html" } else { "txt" })
}

/// Every second element.
trait EverySecond: Iterator + Sized {
    fn step_by_two(self) -> impl Iterator<Item = Self::Item> {
        self.enumerate().filter(|(index, _)| index & 1 == 0).map(|(_, item)| item)
    }
}

impl<I: Iterator> EverySecond for I {}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn files_are_known_by_how_they_begin() {
        assert_eq!(extension_of(&wide("<html><body>Hello")), Some("html"));
        assert_eq!(extension_of(b"%PDF-1.4 and more bytes"), Some("pdf"));
        assert_eq!(extension_of(b"Dear all,\r\nplease find enclosed"), Some("txt"));
        assert_eq!(extension_of(&[0; 64]), None);
        assert_eq!(extension_of(b"\x01\x02\x03\x04 rows of a table ..........."), None);
        assert_eq!(extension_of(b"short"), None);
    }

    #[test]
    fn the_text_of_a_message_is_known_by_how_it_begins() {
        let body = Some((tags::BODY, PropType::UNICODE));
        assert_eq!(property_of(&wide("Dear all,\r\nplease find enclosed")), body);
        assert_eq!(property_of(&wide("\u{414}\u{43e}\u{431}\u{440}\u{44b}\u{439} \u{434}\u{435}\u{43d}\u{44c}")), body);
        assert_eq!(property_of(&wide("\u{4f60}\u{597d}\u{ff0c}\u{8fd9}\u{662f}\u{4e00}\u{5c01}\u{4fe1}")), body);
        assert_eq!(property_of(&wide("Received: from a by b; today")), Some((tags::TRANSPORT_MESSAGE_HEADERS, PropType::UNICODE)));
        assert_eq!(property_of(b"Dear all,\r\nplease find enclosed"), Some((tags::BODY, PropType::STRING8)));
        assert_eq!(property_of(b"<html><body>Dear all"), Some((tags::HTML, PropType::BINARY)));
        assert_eq!(property_of(b"\x40\0\0\0\x80\0\0\0LZFu\0\0\0\0"), Some((tags::RTF_COMPRESSED, PropType::BINARY)));
        assert_eq!(property_of(b"%PDF-1.4 and more bytes"), None);
        let noise: Vec<u8> = (0..1024_u32).flat_map(|at| ((at.wrapping_mul(0x9e37_79b9) >> 13) as u16).to_le_bytes()).collect();
        assert_eq!(property_of(&noise), None);
    }
}
