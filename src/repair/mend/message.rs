//! Messages, written anew from what can be read of them ([MS-PST] 2.4.5; KB287497).

use std::collections::BTreeSet;

use super::Mender;
use super::attachment::Attached;
use super::bag::{Bag, readable};
use super::recipients;
use crate::damage::Result;
use crate::format::block::SubnodeEntry;
use crate::format::header::Client;
use crate::format::id::{Bid, Nid, NodeType};
use crate::format::property::FileTime;
use crate::ltp::value::Value;
use crate::ndb::write::{Draft, Part, Stored};
use crate::store::item::NodeRef;
use crate::store::props::Key;
use crate::store::remains::{Unnamed, unnamed};
use crate::store::write::rows;
use crate::store::write::{Cells, id_of};
use crate::store::{Role, flags, search_key, tags};

/// The class of what has none (KB287497).
const NOTE: &str = "IPM.Note";
/// The bodies of a message.
const BODIES: [Key; 3] = [tags::BODY, tags::HTML, tags::RTF_COMPRESSED];

/// Where a message stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing<'r> {
    /// Where it lies.
    pub(super) node: NodeRef,
    /// The folder that holds it; none for one in an attachment.
    pub(super) folder: Option<Nid>,
    /// What the folder's table tells of it.
    pub(super) row: Option<&'r Cells>,
    /// How many messages it lies in.
    pub(super) depth: usize,
}

/// A message to write.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) draft: Draft,
    pub(super) bytes: u64,
    pub(super) bag: Bag,
}

impl Mender<'_, '_> {
    /// Builds a message anew, with all that lies in it.
    pub(super) fn message(&mut self, standing: &Standing<'_>) -> Result<Built> {
        let node = standing.node;
        let read = Bag::read(self.ndb, node)?;
        let gone = read.is_none();
        let mut bag = read.unwrap_or_else(|| standing.row.map(Bag::of_cells).unwrap_or_default());
        standing.row.into_iter().for_each(|row| fill(&mut bag, row));
        if gone {
            bag.lost.push("the message itself: what its folder's list told of it is here".into());
        }
        let subnodes = self.subnodes(node, &mut bag)?;
        self.tell_doubts(node, &subnodes, &mut bag)?;
        let mut below = Vec::new();
        below.extend(self.recipients(standing, &subnodes, &mut bag)?);
        let files = if gone { self.take_unnamed(node, &mut bag)? } else { Vec::new() };
        let attached = self.attachments(&subnodes, &mut bag, standing, &files)?;
        if !self.options.rewrite {
            self.put_right(&mut bag, standing, attached.count > 0)?;
        }
        self.note_losses(&mut bag);
        if standing.depth == 0 && !bag.lost.is_empty() {
            self.noted.insert(node.nid);
        }
        self.finish_message(bag, &subnodes, below, attached)
    }

    /// Makes properties of the large values below a message that says nothing of them; returns those of which nobody knows
    /// which property they were.
    fn take_unnamed(&self, node: NodeRef, bag: &mut Bag) -> Result<Vec<Unnamed>> {
        let mut files = Vec::new();
        for value in unnamed(self.ndb, node.subnodes, &|id| bag.has(Key::Id(id)))? {
            match value.property {
                Some((id, kind)) => bag.put_large(self.ndb, id, kind, value.entry.data)?,
                None => files.push(value),
            }
        }
        Ok(files)
    }

    /// The table of recipients; made from what the message says of them where it was lost.
    fn recipients(&mut self, standing: &Standing<'_>, subnodes: &[SubnodeEntry], bag: &mut Bag) -> Result<Option<(Nid, Part)>> {
        let is_mail = standing.folder.is_some() && standing.node.nid.kind() == NodeType::MESSAGE;
        let entry = subnodes.iter().find(|entry| entry.nid.nid == Nid::RECIPIENT_TABLE);
        let rows = match entry {
            Some(entry) => {
                let table = NodeRef { nid: entry.nid.nid, data: entry.data, subnodes: entry.subnodes };
                let rows = recipients::mended(self.ndb, table, bag, self.doubt_below(entry)?.is_some())?;
                if is_mail {
                    recipients::name(self.ndb, bag, &rows);
                }
                rows
            }
            None if is_mail && (self.torn.contains(&standing.node.nid) || recipients::are_named(bag)) => {
                bag.lost.push("the list of recipients: it was made anew from headers and names".into());
                recipients::made(self.ndb, bag)
            }
            // Outlook gives each message a table, and outlook-pst opens none that has no subnodes at all: large values do not
            // count, as what is written anew may have none.
            None if is_mail && subnodes.iter().all(is_value) && !self.options.rewrite => recipients::made(self.ndb, bag),
            None => return Ok(None),
        };
        Ok(Some((Nid::RECIPIENT_TABLE, Part::Draft(rows::table(self.transaction, rows)?))))
    }

    fn finish_message(&mut self, mut bag: Bag, subnodes: &[SubnodeEntry], below: Vec<(Nid, Part)>, attached: Attached) -> Result<Built> {
        let objects = self.kept_objects(&mut bag, subnodes);
        bag.put(tags::MESSAGE_SIZE, &Value::I32(0));
        let mut builder = bag.builder();
        below.into_iter().chain(attached.parts).for_each(|(nid, part)| builder.add_subnode(nid, part));
        builder.add_stored_bytes(attached.stored_bytes);
        for entry in subnodes.iter().filter(|entry| is_other(entry.nid.nid, &objects)) {
            if readable(self.ndb, entry.data)?.is_some() && self.ndb.subnodes(entry.subnodes).is_ok() {
                builder.add_subnode(entry.nid.nid, Part::Stored(Stored { data: entry.data, subnodes: entry.subnodes }));
                builder.add_stored_bytes(self.ndb.data(entry.data)?.len().saturating_add(self.bytes_below(entry.subnodes)?));
            }
        }
        let (draft, bytes) = builder.finish_sized(self.ndb.format(), self.transaction.nids(), &[id_of(tags::MESSAGE_SIZE)])?;
        bag.put(tags::MESSAGE_SIZE, &Value::I32(i32::try_from(bytes).unwrap_or(i32::MAX)));
        Ok(Built { draft, bytes, bag })
    }

    /// The subnodes of a node, each id once; what cannot be read is told.
    pub(super) fn subnodes(&self, node: NodeRef, bag: &mut Bag) -> Result<Vec<SubnodeEntry>> {
        let mut entries = match self.ndb.subnodes(node.subnodes) {
            Ok(entries) => entries,
            Err(error) if error.is_io() => return Err(error),
            Err(_) => {
                bag.lost.push("attachments, recipients and large values: the tree that holds them is damaged".into());
                Vec::new()
            }
        };
        entries.sort_by_key(|entry| entry.nid.nid);
        entries.dedup_by_key(|entry| entry.nid.nid);
        Ok(entries)
    }

    /// Bytes of all that lies in a tree of subnodes, each tree counted once.
    pub(super) fn bytes_below(&self, root: Bid) -> Result<u64> {
        let (mut sum, mut waiting, mut seen) = (0_u64, vec![root], BTreeSet::new());
        while let Some(root) = waiting.pop().filter(|root| !root.is_none()) {
            if !seen.insert(root) {
                continue;
            }
            for entry in self.ndb.subnodes(root)? {
                sum = sum.saturating_add(self.ndb.data(entry.data)?.len());
                waiting.extend(Some(entry.subnodes).filter(|root| !root.is_none()));
            }
        }
        Ok(sum)
    }

    /// The subnodes that objects among the properties name; objects that name nothing go.
    pub(super) fn kept_objects(&self, bag: &mut Bag, subnodes: &[SubnodeEntry]) -> Vec<Nid> {
        let mut kept = Vec::new();
        for (id, nid, _) in bag.objects() {
            if subnodes.iter().any(|entry| entry.nid.nid == nid) {
                kept.push(nid);
            } else {
                bag.remove(Key::Id(id));
                bag.lost.push(format!("object {id:#06x}"));
            }
        }
        kept
    }

    /// Sets what contradicts the rest, or is missing and must be there.
    fn put_right(&mut self, bag: &mut Bag, standing: &Standing<'_>, attached: bool) -> Result<()> {
        self.put_class(bag, standing.row);
        put_flags(bag, standing, attached);
        let outbox = standing.folder.and_then(|folder| self.store.role(folder)) == Some(Role("outbox"));
        if let Some(flags) = bag.int(tags::SUBMIT_FLAGS).filter(|flags| *flags != 0) {
            bag.put(tags::SUBMIT_FLAGS, &Value::I32(if outbox { flags & flags::SUBMIT_KNOWN } else { 0 }));
        }
        let Some(folder) = standing.folder else { return Ok(()) };
        let dated = bag.has(tags::CREATION_TIME);
        self.put_times(bag, folder)?;
        if !bag.has(tags::SEARCH_KEY) {
            let store = self.store.props().bytes(tags::RECORD_KEY).unwrap_or_default();
            bag.put(tags::SEARCH_KEY, &Value::Binary(search_key::made(&store, standing.node.nid, dated)));
        }
        Ok(())
    }

    fn put_class(&self, bag: &mut Bag, row: Option<&Cells>) {
        let sound = |class: &String| !class.is_empty() && class.is_ascii();
        if bag.text(tags::MESSAGE_CLASS).as_ref().is_some_and(sound) {
            return;
        }
        // What the folder's list tells is better than what KB287497 takes for want of anything else.
        let told = row.map(Bag::of_cells).and_then(|row| row.text(tags::MESSAGE_CLASS)).filter(sound);
        bag.put_text(self.ndb, tags::MESSAGE_CLASS, told.as_deref().unwrap_or(NOTE));
    }

    /// Times that must be there: from the item's others, else from what lies beside it.
    fn put_times(&mut self, bag: &mut Bag, folder: Nid) -> Result<()> {
        let offline = self.ndb.header().client == Client::OST;
        let submitted = bag.int(tags::MESSAGE_FLAGS).is_some_and(|flags| flags & flags::SUBMITTED != 0);
        let wanted = [
            (tags::CLIENT_SUBMIT_TIME, submitted, [tags::MESSAGE_DELIVERY_TIME, tags::LAST_MODIFICATION_TIME, tags::CREATION_TIME]),
            (tags::CREATION_TIME, true, [tags::LAST_MODIFICATION_TIME, tags::MESSAGE_DELIVERY_TIME, tags::CLIENT_SUBMIT_TIME]),
            (tags::LAST_MODIFICATION_TIME, !offline, [tags::CREATION_TIME, tags::MESSAGE_DELIVERY_TIME, tags::CLIENT_SUBMIT_TIME]),
        ];
        for (key, wanted, others) in wanted {
            if wanted && !bag.has(key) {
                let own = others.into_iter().find_map(|other| bag.time(other)).or_else(|| date_of(bag));
                let time = match own {
                    Some(time) => time,
                    None => self.newest(folder)?,
                };
                bag.put(key, &Value::Time(time));
            }
        }
        Ok(())
    }

    /// Says in the text of a message that has none what was lost of it; any other gets an attachment that does.
    fn note_losses(&self, bag: &mut Bag) {
        if !bag.lost.is_empty() && !has_body(bag) {
            let note = note(bag);
            bag.put_text(self.ndb, tags::BODY, &note);
        }
    }
}

pub(super) fn has_body(bag: &Bag) -> bool {
    BODIES.iter().any(|body| bag.has(*body))
}

/// What was lost of a message, in words.
pub(super) fn note(bag: &Bag) -> String {
    let lines: Vec<String> = bag.lost.iter().map(|lost| format!("- {lost}\r\n")).collect();
    format!("This item was damaged and has been repaired. What is lost of it or may be wrong:\r\n{}", lines.concat())
}

/// Takes from a row what was lost of the object.
fn fill(bag: &mut Bag, row: &Cells) {
    for id in std::mem::take(&mut bag.dropped) {
        if let Some(value) = row.get(&id) {
            bag.set(id, value);
            bag.lost.retain(|lost| *lost != tags::called(id));
        }
    }
}

pub(super) fn is_told_to_have_any(bag: &Bag) -> bool {
    bag.int(tags::MESSAGE_FLAGS).is_some_and(|flags| flags & flags::HAS_ATTACHMENTS != 0)
}

fn put_flags(bag: &mut Bag, standing: &Standing<'_>, attached: bool) {
    let of_row = || match standing.row?.get(&id_of(tags::MESSAGE_FLAGS))? {
        Value::I32(flags) => Some(*flags),
        _ => None,
    };
    let told = bag.int(tags::MESSAGE_FLAGS);
    let mut flags = told.or_else(of_row).unwrap_or(flags::READ) & flags::KNOWN & !flags::HAS_ATTACHMENTS;
    if attached {
        flags |= flags::HAS_ATTACHMENTS;
    }
    if standing.folder.is_some() {
        let associated = standing.node.nid.kind() == NodeType::ASSOCIATED_MESSAGE;
        flags = if associated { flags | flags::ASSOCIATED } else { flags & !flags::ASSOCIATED };
    }
    if told != Some(flags) {
        bag.put(tags::MESSAGE_FLAGS, &Value::I32(flags));
    }
}

/// The time in a message's headers.
fn date_of(bag: &Bag) -> Option<FileTime> {
    let headers = bag.text(tags::TRANSPORT_MESSAGE_HEADERS)?;
    let date = headers.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("date").then(|| value.trim().to_owned())
    })?;
    let time = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(&date).ok()?;
    FileTime::from_unix(time.as_second())
}

fn is_value(subnode: &SubnodeEntry) -> bool {
    subnode.nid.nid.kind() == NodeType::LTP
}

/// Whether a subnode is none that was built anew: neither table nor attachment, nor a value that has a new place.
fn is_other(nid: Nid, objects: &[Nid]) -> bool {
    let built = [NodeType::ATTACHMENT, NodeType::HID].contains(&nid.kind());
    let tables = [Nid::RECIPIENT_TABLE, Nid::ATTACHMENT_TABLE].contains(&nid);
    !built && !tables && (nid.kind() != NodeType::LTP || objects.contains(&nid))
}
