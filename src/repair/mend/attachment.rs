//! Attachments and their table, brought together ([MS-PST] 2.4.6).

use std::collections::BTreeMap;

use super::Mender;
use super::bag::{Bag, readable};
use super::message::{Standing, has_body, is_told_to_have_any, note};
use super::table;
use crate::damage::Result;
use crate::format::block::SubnodeEntry;
use crate::format::id::{Nid, NodeType};
use crate::format::property::PropType;
use crate::ltp::value::Value;
use crate::ndb::write::{Part, Stored};
use crate::store::item::NodeRef;
use crate::store::remains::{Unnamed, content_below};
use crate::store::tags;
use crate::store::write::rows::{self, Rows};
use crate::store::write::templates::ATTACHMENTS;
use crate::store::write::{Cells, id_of};

/// How an attachment is stored: PidTagAttachMethod ([MS-OXCMSG] 2.2.2.9).
const NONE: i32 = 0;
const BY_VALUE: i32 = 1;
const EMBEDDED: i32 = 5;
const OLE: i32 = 6;
const METHOD_MAX: i32 = 7;
/// What the note is called that says what a message has lost; eight letters and three for old programs.
const NOTE_NAME: &str = "What is missing.txt";
const NOTE_SHORT_NAME: &str = "MISSING.TXT";
/// How many messages lie in each other at most.
const DEPTH_MAX: usize = 30;

/// The attachments of a message, built anew.
#[derive(Debug, Default)]
pub(super) struct Attached {
    /// Themselves and their table.
    pub(super) parts: Vec<(Nid, Part)>,
    /// How many there are.
    pub(super) count: usize,
    /// Bytes of theirs that lie in the file already.
    pub(super) stored_bytes: u64,
}

/// An attachment, built anew.
struct One {
    part: Part,
    bytes: u64,
    stored: u64,
    bag: Bag,
}

impl Mender<'_, '_> {
    /// Builds the attachments that a message has or its table names.
    ///
    /// A message that has lost something and has a text gets one more, which says what.
    /// Those of the large values whose property nobody knows lie beside its attachments, as `files`.
    pub(super) fn attachments(
        &mut self,
        subnodes: &[SubnodeEntry],
        message: &mut Bag,
        standing: &Standing<'_>,
        files: &[Unnamed],
    ) -> Result<Attached> {
        let mut rows = self.attachment_rows(subnodes, message)?;
        let there: BTreeMap<u32, NodeRef> = subnodes
            .iter()
            .filter(|entry| entry.nid.nid.kind() == NodeType::ATTACHMENT)
            .map(|entry| (entry.nid.nid.0, NodeRef { nid: entry.nid.nid, data: entry.data, subnodes: entry.subnodes }))
            .collect();
        let named = rows.rows.keys().copied().filter(|id| Nid(*id).kind() == NodeType::ATTACHMENT);
        let ids: std::collections::BTreeSet<u32> = named.chain(there.keys().copied()).collect();
        rows.rows.retain(|id, _| ids.contains(id));
        let mut attached = Attached::default();
        for id in &ids {
            let cells = rows.rows.remove(id).unwrap_or_default();
            let one = self.attachment(Nid(*id), there.get(id).copied(), &cells, message, standing.depth)?;
            self.attach(&mut attached, &mut rows, Nid(*id), cells, one)?;
        }
        if ids.is_empty() && self.torn.contains(&standing.node.nid) && is_told_to_have_any(message) {
            message.lost.push("its attachments".into());
        }
        for (before, file) in files.iter().enumerate() {
            let nid = self.transaction.nids().next(NodeType::ATTACHMENT)?;
            let one = self.file(&file.file_name(before), file)?;
            self.attach(&mut attached, &mut rows, nid, Cells::new(), one)?;
        }
        if standing.depth == 0 && !message.lost.is_empty() && has_body(message) {
            let nid = self.transaction.nids().next(NodeType::ATTACHMENT)?;
            let one = self.note(message)?;
            self.attach(&mut attached, &mut rows, nid, Cells::new(), one)?;
        }
        if subnodes.iter().any(|entry| entry.nid.nid == Nid::ATTACHMENT_TABLE) || attached.count > 0 {
            let draft = rows::table(self.transaction, rows)?;
            attached.parts.push((Nid::ATTACHMENT_TABLE, Part::Draft(draft)));
        }
        Ok(attached)
    }

    /// Adds an attachment to those of a message, and its row.
    fn attach(&self, attached: &mut Attached, rows: &mut Rows, nid: Nid, mut cells: Cells, one: One) -> Result<()> {
        table::copy(self.ndb, &rows.shape, &mut cells, &one.bag)?;
        cells.insert(id_of(tags::ATTACH_SIZE), size(one.bytes));
        rows.rows.insert(nid.0, cells);
        attached.count = attached.count.saturating_add(1);
        attached.stored_bytes = attached.stored_bytes.saturating_add(one.stored);
        attached.parts.push((nid, one.part));
        Ok(())
    }

    /// An attachment that says what was lost of a message: every program shows it, and the text stays as it was.
    fn note(&mut self, message: &Bag) -> Result<One> {
        let mut bag = Bag::default();
        bag.put(tags::ATTACH_DATA, &Value::Binary(note(message).into_bytes()));
        bag.put(tags::ATTACH_METHOD, &Value::I32(BY_VALUE));
        bag.put(tags::RENDERING_POSITION, &Value::I32(-1));
        let texts = [
            (tags::ATTACH_LONG_FILENAME, NOTE_NAME),
            (tags::ATTACH_FILENAME, NOTE_SHORT_NAME),
            (tags::ATTACH_EXTENSION, ".txt"),
            (tags::DISPLAY_NAME, NOTE_NAME),
            (tags::ATTACH_MIME_TAG, "text/plain"),
        ];
        texts.into_iter().for_each(|(key, text)| bag.put_text(self.ndb, key, text));
        self.one(bag, Vec::new(), 0)
    }

    /// A large value as an attachment.
    fn file(&mut self, name: &str, value: &Unnamed) -> Result<One> {
        let mut bag = Bag::default();
        bag.put_large(self.ndb, id_of(tags::ATTACH_DATA), PropType::BINARY, value.entry.data)?;
        bag.put(tags::ATTACH_METHOD, &Value::I32(BY_VALUE));
        bag.put(tags::RENDERING_POSITION, &Value::I32(-1));
        bag.put_text(self.ndb, tags::ATTACH_LONG_FILENAME, name);
        self.one(bag, Vec::new(), 0)
    }

    fn attachment_rows(&self, subnodes: &[SubnodeEntry], message: &mut Bag) -> Result<Rows> {
        let Some(entry) = subnodes.iter().find(|entry| entry.nid.nid == Nid::ATTACHMENT_TABLE) else {
            return Ok(Rows { shape: ATTACHMENTS.shape(self.ndb.format()), rows: BTreeMap::new() });
        };
        let node = NodeRef { nid: entry.nid.nid, data: entry.data, subnodes: entry.subnodes };
        let is_there = |nid: Nid| Ok(subnodes.iter().any(|entry| entry.nid.nid == nid));
        let found = table::read(self.ndb, node, &ATTACHMENTS, &is_there)?;
        if !found.opened {
            message.lost.push("the list of attachments: it was made anew".into());
        }
        Ok(found.rows)
    }

    /// Builds an attachment from what is left of it: at least its name, and a word on what is missing.
    fn attachment(&mut self, nid: Nid, node: Option<NodeRef>, row: &Cells, message: &mut Bag, depth: usize) -> Result<One> {
        let read = match node {
            Some(node) => Bag::read(self.ndb, node)?,
            None => None,
        };
        let gone = read.is_none();
        let mut bag = read.unwrap_or_else(|| Bag::of_cells(row));
        for id in std::mem::take(&mut bag.dropped) {
            row.get(&id).into_iter().for_each(|value| bag.set(id, value));
        }
        let subnodes = match node {
            Some(node) => self.subnodes(node, &mut bag)?,
            None => Vec::new(),
        };
        find_content(&mut bag, &subnodes);
        if let Some(node) = node {
            self.take_content(node, &mut bag, gone)?;
        }
        let objects = self.kept_objects(&mut bag, &subnodes);
        self.put_method(&mut bag, gone);
        if let Some(node) = node {
            self.tell_doubts(node, &subnodes, &mut bag)?;
        }
        if !bag.has(tags::RENDERING_POSITION) {
            bag.put(tags::RENDERING_POSITION, &Value::I32(-1));
        }
        let (below, stored) = self.objects_of(&mut bag, &subnodes, &objects, depth)?;
        let name = name_of(&bag).unwrap_or_else(|| format!("attachment {nid}"));
        message.lost.extend(std::mem::take(&mut bag.lost).into_iter().map(|lost| format!("of {name}: {lost}")));
        self.one(bag, below, stored)
    }

    /// Where no property says what an attachment holds that should hold something, it is what lies below it.
    fn take_content(&self, node: NodeRef, bag: &mut Bag, gone: bool) -> Result<()> {
        let holds = bag.int(tags::ATTACH_METHOD).is_none_or(|method| [BY_VALUE, EMBEDDED, OLE].contains(&method));
        if bag.has(tags::ATTACH_DATA) || !holds {
            return Ok(());
        }
        let (objects, roots) = (bag.objects(), bag.roots.clone());
        let named = |entry: &SubnodeEntry| {
            objects.iter().any(|(_, nid, _)| *nid == entry.nid.nid) || roots.iter().any(|(_, root)| root.key() == entry.data.key())
        };
        let Some(below) = content_below(self.ndb, node.subnodes, &named)? else { return Ok(()) };
        match below.entry.nid.nid {
            nid if nid.kind() == NodeType::MESSAGE => {
                bag.put(tags::ATTACH_DATA, &Value::Object(nid, 0));
                bag.put(tags::ATTACH_METHOD, &Value::I32(EMBEDDED));
            }
            _ => bag.put_large(self.ndb, id_of(tags::ATTACH_DATA), PropType::BINARY, below.entry.data)?,
        }
        let what = if gone { "its properties" } else { "the name of what it holds" };
        bag.lost.push(format!("{what}: this is what lay with them"));
        Ok(())
    }

    /// An attachment with these properties, over parts that are built already.
    fn one(&mut self, mut bag: Bag, below: Vec<(Nid, Part)>, stored: u64) -> Result<One> {
        bag.put(tags::ATTACH_SIZE, &Value::I32(0));
        let mut builder = bag.builder();
        below.into_iter().for_each(|(nid, part)| builder.add_subnode(nid, part));
        builder.add_stored_bytes(stored);
        let large: u64 = bag.ids().into_iter().filter_map(|id| bag.stored(id)).map(|(_, _, len)| len).fold(0, u64::saturating_add);
        let (draft, bytes) = builder.finish_sized(self.ndb.format(), self.transaction.nids(), &[id_of(tags::ATTACH_SIZE)])?;
        bag.put(tags::ATTACH_SIZE, &size(bytes));
        Ok(One { part: Part::Draft(draft), bytes, stored: stored.saturating_add(large), bag })
    }

    /// How it is stored follows from what it holds. Where the content is gone, a word on that takes its place.
    fn put_method(&self, bag: &mut Bag, gone: bool) {
        let data = bag.get(tags::ATTACH_DATA);
        let large = bag.stored(id_of(tags::ATTACH_DATA)).is_some();
        let fits = |method: &i32| match *method {
            EMBEDDED => matches!(data, Some(Value::Object(..))),
            OLE => matches!(data, Some(Value::Object(..))) || large,
            method => (NONE..=METHOD_MAX).contains(&method),
        };
        let told = bag.int(tags::ATTACH_METHOD);
        if told.as_ref().is_some_and(fits) && !gone && bag.lost.is_empty() {
            return;
        }
        let method = match data {
            Some(Value::Object(nid, _)) => {
                if nid.kind() == NodeType::MESSAGE {
                    EMBEDDED
                } else {
                    OLE
                }
            }
            Some(_) => BY_VALUE,
            None if large => BY_VALUE,
            None => NONE,
        };
        if method == NONE && (gone || told != Some(NONE)) {
            self.put_word(bag);
            return;
        }
        if !told.as_ref().is_some_and(fits) {
            bag.put(tags::ATTACH_METHOD, &Value::I32(method));
        }
    }

    /// A word in place of a content that is lost.
    fn put_word(&self, bag: &mut Bag) {
        let name = name_of(bag).unwrap_or_else(|| "an attachment".to_owned());
        let text = format!("The content of {name} was lost: it could not be read when the store was repaired.\r\n");
        bag.put(tags::ATTACH_METHOD, &Value::I32(BY_VALUE));
        bag.put(tags::ATTACH_DATA, &Value::Binary(text.into_bytes()));
        bag.put_text(self.ndb, tags::ATTACH_MIME_TAG, "text/plain");
        if name_of(bag).is_none() {
            bag.put_text(self.ndb, tags::ATTACH_FILENAME, "lost.txt");
        }
        bag.lost.push("its content".into());
    }

    /// What lies in an attachment: a message, built anew, or an object, as it is.
    fn objects_of(&mut self, bag: &mut Bag, subnodes: &[SubnodeEntry], objects: &[Nid], depth: usize) -> Result<(Vec<(Nid, Part)>, u64)> {
        let (mut parts, mut stored) = (Vec::new(), 0_u64);
        let is_message = bag.int(tags::ATTACH_METHOD) == Some(EMBEDDED);
        let content = match bag.get(tags::ATTACH_DATA) {
            Some(Value::Object(nid, _)) => Some(nid),
            _ => None,
        };
        for entry in subnodes {
            let nid = entry.nid.nid;
            let node = NodeRef { nid, data: entry.data, subnodes: entry.subnodes };
            if is_message && Some(nid) == content && depth < DEPTH_MAX {
                let nid = if nid.kind() == NodeType::MESSAGE { nid } else { self.transaction.nids().next(NodeType::MESSAGE)? };
                let built =
                    self.message(&Standing { node: NodeRef { nid, ..node }, folder: None, row: None, depth: depth.saturating_add(1) })?;
                bag.lost.extend(built.bag.lost);
                bag.put(tags::ATTACH_DATA, &Value::Object(nid, u32::try_from(built.bytes).unwrap_or(u32::MAX)));
                stored = stored.saturating_add(built.bytes.saturating_sub(built.draft.bytes()));
                parts.push((nid, Part::Draft(built.draft)));
            } else if nid.kind() != NodeType::LTP || objects.contains(&nid) {
                let Some(data) = readable(self.ndb, entry.data)?.filter(|_| self.ndb.subnodes(entry.subnodes).is_ok()) else {
                    bag.lost.push(format!("subnode {nid}"));
                    continue;
                };
                stored = stored.saturating_add(data.len()).saturating_add(self.bytes_below(entry.subnodes)?);
                parts.push((nid, Part::Stored(Stored { data: entry.data, subnodes: entry.subnodes })));
            }
        }
        Ok((parts, stored))
    }
}

/// Where an attachment's object names nothing, but a message lies in the attachment that nothing names, they belong together.
fn find_content(bag: &mut Bag, subnodes: &[SubnodeEntry]) {
    let named = bag.objects();
    let is_there = |nid: Nid| subnodes.iter().any(|entry| entry.nid.nid == nid);
    let data = id_of(tags::ATTACH_DATA);
    let Some((_, _, size)) = named.iter().copied().find(|(id, nid, _)| *id == data && !is_there(*nid)) else { return };
    let unnamed = |nid: &Nid| nid.kind() == NodeType::MESSAGE && !named.iter().any(|(_, other, _)| other == nid);
    if let Some(nid) = subnodes.iter().map(|entry| entry.nid.nid).find(unnamed) {
        bag.put(tags::ATTACH_DATA, &Value::Object(nid, size));
    }
}

fn size(bytes: u64) -> Value {
    Value::I32(i32::try_from(bytes).unwrap_or(i32::MAX))
}

fn name_of(bag: &Bag) -> Option<String> {
    let keys = [tags::ATTACH_LONG_FILENAME, tags::ATTACH_FILENAME, tags::DISPLAY_NAME];
    keys.into_iter().find_map(|key| bag.text(key)).filter(|name| !name.is_empty())
}
