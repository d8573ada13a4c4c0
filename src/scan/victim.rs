//! Whom a finding hits, in the user's words: folder, subject, date, attachment.
//!
//! Names are looked up when they are asked for and kept, up to a bound. Nothing here fails: of a damaged thing is told
//! what is known of it, down to its id.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use lru::LruCache;

use super::owner::Owners;
use crate::damage::Finding;
use crate::format::block::SubnodeEntry;
use crate::format::id::{Bid, Nid, NodeType};
use crate::format::property::FileTime;
use crate::ltp::value::Value;
use crate::ltp::{Properties, Table};
use crate::store::item::{NodeRef, without_prefix_mark};
use crate::store::props::{Key, Props};
use crate::store::remains::content_below;
use crate::store::{Store, Summary, Which, tags};

/// How many names of folders and items are kept.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);
/// How many folders lie in each other at most; a path that is longer is cut at its start.
const DEPTH_MAX: usize = 64;
/// The longest name that is told, in characters.
const NAME_CHARS_MAX: usize = 80;

/// What the name of a node that is no folder's begins with.
pub const OWN: &str = "the store's own ";

/// What nodes of the same id are in every store ([MS-PST] 2.4.1); templates are nobody's tables.
const fn own(nid: Nid) -> Option<&'static str> {
    Some(match nid.0 {
        0x21 => "properties",
        0x61 => "map of named properties",
        0x1e1 | 0x201 | 0x261 => "list of searches",
        0x60d..=0x610 => "template of folders' tables",
        0x62b => "table of receive folders",
        0x64c => "outgoing queue",
        0x671 => "template of lists of attachments",
        0x692 => "template of lists of recipients",
        _ => return None,
    })
}

/// The same findings with whom they hit, as a scan would tell them: the node of a block, and the name of a node.
///
/// For what readers noted on their way: they know blocks and nodes, not names.
pub fn named(store: &Store, mut findings: Vec<Finding>) -> Vec<Finding> {
    let nobodys = findings.iter().map(|finding| finding.place).filter(|place| place.nid.is_none());
    let owners = Owners::of(store.ndb(), nobodys.filter_map(|place| place.bid.map(Bid)));
    let victims = Victims::of(store);
    for finding in findings.iter_mut().filter(|finding| finding.victim.is_empty()) {
        let place = finding.place;
        let nid = place.nid.map(Nid).or_else(|| owners.owner(Bid(place.bid?)));
        finding.place.nid = nid.map(|nid| nid.0);
        finding.victim = nid.map_or_else(String::new, |nid| victims.name(nid));
    }
    findings
}

/// Tells whom a node is.
#[derive(Debug)]
pub(super) struct Victims<'a> {
    store: &'a Store,
    names: Mutex<LruCache<Nid, String>>,
}

impl<'a> Victims<'a> {
    /// Of this store.
    pub(super) fn of(store: &'a Store) -> Self {
        Self { store, names: Mutex::new(LruCache::new(KEPT)) }
    }

    /// A node in words: `Inbox: "Hello" of 2011-07-01 09:00:00Z`; empty for what no user knows.
    pub(super) fn name(&self, nid: Nid) -> String {
        if let Some(name) = self.names().get(&nid) {
            return name.clone();
        }
        // Not under the lock: an item's name asks for its folder's.
        let name = self.find(nid);
        self.names().put(nid, name.clone());
        name
    }

    /// A node in words and its id: `Inbox (0x8022)`.
    pub(super) fn with_id(&self, nid: Nid) -> String {
        match self.name(nid) {
            name if name.is_empty() => nid.to_string(),
            // One that cannot tell its name is called by its id already.
            name if name.ends_with(&nid.to_string()) => name,
            name => format!("{name} ({nid})"),
        }
    }

    /// What lies below a node in words: `Inbox: "Hello" of 2011-07-01 09:00:00Z, attachment "a.doc"`.
    ///
    /// `below` are the ids on the way down from the node: an attachment, the message in it, an attachment of that.
    pub(super) fn name_below(&self, nid: Nid, below: &[Nid]) -> String {
        let mut parts = vec![self.name(nid)];
        let mut subnodes = self.store.ndb().node(nid).ok().flatten().map_or(Bid::NONE, |node| node.subnodes);
        for child in below {
            let entry = self.store.ndb().subnode(subnodes, *child).ok().flatten();
            parts.push(self.part(*child, entry, subnodes));
            subnodes = entry.map_or(Bid::NONE, |entry| entry.subnodes);
        }
        parts.retain(|part| !part.is_empty());
        parts.join(", ")
    }

    fn find(&self, nid: Nid) -> String {
        if let Some(what) = own(nid) {
            return format!("{OWN}{what}");
        }
        match nid.kind() {
            NodeType::FOLDER | NodeType::SEARCH_FOLDER => self.path(nid),
            NodeType::MESSAGE => self.item(nid, Which::Normal),
            NodeType::ASSOCIATED_MESSAGE => self.item(nid, Which::Associated),
            NodeType::HIERARCHY_TABLE | NodeType::CONTENTS_TABLE | NodeType::ASSOCIATED_TABLE => self.name(nid.with_kind(NodeType::FOLDER)),
            NodeType::SEARCH_CONTENTS_TABLE | NodeType::SEARCH_CRITERIA | NodeType::SEARCH_UPDATE_QUEUE => {
                self.name(nid.with_kind(NodeType::SEARCH_FOLDER))
            }
            _ => String::new(),
        }
    }

    /// The folders from below the IPM subtree down to this one: `Inbox/Friends`.
    fn path(&self, folder: Nid) -> String {
        let top = [Nid::ROOT_FOLDER, self.store.ipm_subtree()];
        let (mut parts, mut at) = (Vec::new(), folder);
        while parts.len() < DEPTH_MAX {
            let parent = self.store.ndb().node(at).ok().flatten().map_or(Nid::ROOT_FOLDER, |node| node.parent);
            parts.push(self.folder_name(at, parent));
            if top.contains(&parent) || parent == at || ![NodeType::FOLDER, NodeType::SEARCH_FOLDER].contains(&parent.kind()) {
                break;
            }
            at = parent;
        }
        parts.reverse();
        parts.join("/")
    }

    fn folder_name(&self, nid: Nid, above: Nid) -> String {
        match self.store.folder_names(above, &[nid]).ok().and_then(|mut names| names.remove(&nid)) {
            Some(name) => short(&name),
            _ if nid == Nid::ROOT_FOLDER => "the root folder".to_owned(),
            _ => format!("folder {nid}"),
        }
    }

    fn item(&self, nid: Nid, which: Which) -> String {
        let folder = self.store.ndb().node(nid).ok().flatten().map(|node| node.parent);
        let own = self.store.node_props(nid).ok().map(|props| Summary::of(nid, &props));
        let is_whole = own.as_ref().is_some_and(|own| own.subject.is_some() && own.time().is_some());
        // What the item does not tell the folder's table may.
        let row = if is_whole { None } else { folder.and_then(|folder| self.store.row(folder, which, nid).ok().flatten()) };
        let summary = match (own, row) {
            (Some(own), Some(row)) => Some(Summary {
                subject: own.subject.or(row.subject),
                delivered: own.delivered.or(row.delivered),
                submitted: own.submitted.or(row.submitted),
                ..row
            }),
            (own, row) => row.or_else(|| own.filter(|own| own.subject.is_some() || own.time().is_some())),
        };
        let told = summary.map_or_else(|| format!("item {nid}"), |summary| told(&summary));
        match folder.map(|folder| self.name(folder)).filter(|folder| !folder.is_empty()) {
            Some(folder) => format!("{folder}: {told}"),
            None => told,
        }
    }

    /// What lies below an item; `beside` is the tree that it lies in.
    fn part(&self, nid: Nid, entry: Option<SubnodeEntry>, beside: Bid) -> String {
        let props = || {
            let entry = entry?;
            let values = Properties::open(self.store.ndb(), nid, entry.data, entry.subnodes).ok()?.values().ok()?;
            Some(Props::new(nid, values, self.store.names().clone(), Some(self.store.ndb().clone()), self.store.props().codepage()))
        };
        match (nid, nid.kind()) {
            (Nid::RECIPIENT_TABLE, _) => "its recipients".to_owned(),
            (Nid::ATTACHMENT_TABLE, _) => "its list of attachments".to_owned(),
            (_, NodeType::ATTACHMENT) => {
                let keys = [tags::ATTACH_LONG_FILENAME, tags::ATTACH_FILENAME, tags::DISPLAY_NAME];
                let name = props().and_then(|props| keys.into_iter().find_map(|key| props.text_start(key)));
                let name = name.or_else(|| self.row_of_attachment(nid, beside)).or_else(|| self.letter_in(entry?));
                name.map_or_else(|| format!("attachment {nid}"), |name| format!("attachment \"{}\"", short(&name)))
            }
            (_, NodeType::MESSAGE) => props().map_or_else(|| format!("message {nid}"), |props| told(&Summary::of(nid, &props))),
            _ => String::new(),
        }
    }

    /// The name that the list of attachments has of one that cannot tell it.
    fn row_of_attachment(&self, nid: Nid, beside: Bid) -> Option<String> {
        let ndb = self.store.ndb();
        let entry = ndb.subnode(beside, Nid::ATTACHMENT_TABLE).ok().flatten()?;
        let table = Table::open(ndb, Nid::ATTACHMENT_TABLE, entry.data, entry.subnodes).ok()?;
        let (_, number) = table.row_numbers().ok()?.into_iter().find(|(id, _)| *id == nid.0)?;
        let row = table.row_of(nid.0, number).ok().flatten()?;
        match table.cell(&row, tags::ATTACH_FILENAME.id()?).ok().flatten()? {
            Value::Unicode(name) => Some(name),
            Value::String8(name) => Some(String::from_utf8_lossy(&name).into_owned()),
            _ => None,
        }
    }

    /// The subject of the letter in an attachment that has no name.
    fn letter_in(&self, attachment: SubnodeEntry) -> Option<String> {
        let below = content_below(self.store.ndb(), attachment.subnodes, &|_| false).ok().flatten()?.entry;
        let node = NodeRef { nid: below.nid.nid, data: below.data, subnodes: below.subnodes };
        self.store.props_at(node).ok().filter(|_| node.nid.kind() == NodeType::MESSAGE)?.text_start(tags::SUBJECT)
    }

    fn names(&self) -> std::sync::MutexGuard<'_, LruCache<Nid, String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a row of a folder's table tells of an object that is not there; `text` reads its strings.
pub(super) fn row_name(nid: Nid, cells: &[(u16, Value)], text: impl Fn(&Value) -> Option<String>) -> String {
    let cell = |key: Key| cells.iter().find(|(id, _)| Key::Id(*id) == key).map(|(_, value)| value);
    if let Some(name) =
        cell(tags::DISPLAY_NAME).and_then(&text).filter(|_| [NodeType::FOLDER, NodeType::SEARCH_FOLDER].contains(&nid.kind()))
    {
        return short(&name);
    }
    let time = |key| match cell(key) {
        Some(Value::Time(time)) => Some(*time),
        _ => None,
    };
    let subject = cell(tags::SUBJECT).and_then(&text).map(without_prefix_mark);
    let (delivered, submitted) = (time(tags::MESSAGE_DELIVERY_TIME), time(tags::CLIENT_SUBMIT_TIME));
    told(&Summary { nid, subject, delivered, submitted, ..Summary::default() })
}

/// An item's subject and time: `"Hello" of 2011-07-01 09:00:00Z`.
fn told(item: &Summary) -> String {
    let subject = item.subject.as_deref().filter(|subject| !subject.is_empty());
    let subject = subject.map_or_else(|| "an item without a subject".to_owned(), |subject| format!("\"{}\"", short(subject)));
    match item.time().and_then(written) {
        Some(time) => format!("{subject} of {time}"),
        None => subject,
    }
}

/// A time as findings tell it.
pub(super) fn written(time: FileTime) -> Option<String> {
    let (seconds, _) = time.unix()?;
    Timestamp::from_second(seconds).ok().map(|time| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

fn short(name: &str) -> String {
    let mut chars = name.chars().map(|char| if char.is_control() { ' ' } else { char });
    let head: String = chars.by_ref().take(NAME_CHARS_MAX).collect();
    if chars.next().is_some() { format!("{head}…") } else { head }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_told_by_what_is_known_of_it() {
        let time = FileTime::from_unix(1_309_510_800);
        let item = |subject: Option<&str>, time| Summary { subject: subject.map(str::to_owned), delivered: time, ..Summary::default() };
        assert_eq!(told(&item(Some("Planning"), time)), "\"Planning\" of 2011-07-01 09:00:00Z");
        assert_eq!(told(&item(Some("two\nlines"), None)), "\"two lines\"");
        assert_eq!(told(&item(None, time)), "an item without a subject of 2011-07-01 09:00:00Z");
        assert_eq!(short(&"x".repeat(81)).chars().count(), 81);
    }
}
