//! The folders of the tree in their order, each with the documents that are to be exported.

use std::collections::HashSet;

use super::line::Key;
use super::select::Selection;
use super::{Settings, Stop, Summary, Time};
use crate::convert::Format;
use crate::damage::{Error, Result};
use crate::format::id::Nid;
use crate::store::item::NodeRef;
use crate::store::{Summary as Row, tags};
use crate::tree::{Entry, Ino, Kind, Object, Tree};

/// A folder and what of it is to be exported.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// Its path in the tree; empty for the root.
    pub(super) path: String,
    /// Its number in the tree; `None` for none that a user would name.
    pub(super) ino: Option<Ino>,
    /// Whether it was made for mail, and is one of the store's own.
    pub(super) is_for_mail: bool,
    /// Its documents, in the order of their names.
    pub(super) documents: Vec<Document>,
    /// Rows that stand for no document of their own.
    pub(super) failed: u64,
    /// Why it cannot be listed.
    pub(super) lost: Option<String>,
    /// Whether a folder below it was asked for, and not the folder itself.
    pub(super) only_passed: bool,
}

/// A document that is to be exported.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// Its name in the tree.
    pub(super) name: String,
    pub(super) ino: Ino,
    /// What it is, by its name.
    pub(super) format: Format,
    /// The item's node; of an attachment the message's; `None` for what a search found and nobody knows the node of.
    pub(super) nid: Option<String>,
    /// The number of an attachment, or of what a search found.
    pub(super) number: Option<u32>,
    /// The blocks of the node, which are other ones after every change; `None` where there is no node.
    pub(super) blocks: Option<String>,
}

impl Document {
    /// What finds it again in a manifest.
    pub(super) fn key(&self, folder: &Folder) -> Key {
        Key::new(&folder.path, self.nid.as_deref().unwrap_or_default(), self.number)
    }
}

/// A walk over the tree: folders before those in them, in the order of their names.
pub(super) struct Walk<'a> {
    tree: &'a Tree,
    settings: &'a Settings,
    selection: Selection,
    waiting: Vec<(Ino, String)>,
    /// Damaged stores may list a folder in another in a circle.
    seen: HashSet<Ino>,
}

impl<'a> Walk<'a> {
    /// A walk over all that was asked for; a path that names nothing is refused.
    pub(super) fn new(tree: &'a Tree, settings: &'a Settings) -> Result<Self, Stop> {
        settings.paths.iter().try_for_each(|path| tree.resolve(path).map(drop))?;
        let selection = Selection::new(&settings.paths);
        Ok(Self { tree, settings, selection, waiting: vec![(Ino::ROOT, String::new())], seen: HashSet::from([Ino::ROOT]) })
    }

    /// The next folder; `summary` counts what is left out of it.
    pub(super) fn next(&mut self, summary: &mut Summary) -> Option<Folder> {
        let (ino, path) = self.waiting.pop()?;
        let mut folder = Folder { only_passed: !self.selection.holds(&path), ino: Some(ino), path, ..Folder::default() };
        match self.tree.list(ino) {
            Err(error) => folder.lost = Some(words(&error)),
            Ok(listing) => {
                let first = self.waiting.len();
                listing.entries.iter().for_each(|entry| self.entry(entry, &mut folder, summary));
                // The last one in is the first one out: turned round, the folders come in their order.
                self.waiting.get_mut(first..).unwrap_or_default().reverse();
                folder.failed = if folder.only_passed { 0 } else { listing.failed };
            }
        }
        folder.is_for_mail = self.is_for_mail(ino);
        Some(folder)
    }

    fn entry(&mut self, entry: &Entry, folder: &mut Folder, summary: &mut Summary) {
        let path = join(&folder.path, &entry.name);
        if entry.kind == Kind::Directory {
            if self.selection.touches(&path) && self.seen.insert(entry.ino) {
                self.waiting.push((entry.ino, path));
            }
        } else if self.selection.holds(&path) {
            if self.is_in_time(entry.ino) {
                folder.documents.extend(self.document(entry));
            } else {
                summary.outside = summary.outside.saturating_add(1);
            }
        }
    }

    fn document(&self, entry: &Entry) -> Option<Document> {
        let live = |nid: Nid| (Some(nid), self.tree.store().locate(nid).ok().map(|node| in_words(node, "")));
        let ((nid, blocks), number) = match Object::of(entry.ino)? {
            Object::Document(slot) => (live(slot.nid), None),
            Object::Attachment(nid, index) => (live(nid), Some(index)),
            Object::Found(index) => (self.found(index), Some(index)),
            Object::FoundAttachment(found, index) => (self.found(found), Some(index)),
            // All others are folders.
            _ => return None,
        };
        let formats = [Format::Ics, Format::Vcf];
        let format = formats.into_iter().find(|format| entry.name.ends_with(format.extension())).unwrap_or(Format::Eml);
        // With addresses from the whole store a document is another one.
        let resolved = if self.tree.view().resolve_store { "+resolved" } else { "" };
        let blocks = blocks.map(|blocks| blocks + resolved);
        let nid = nid.map(|nid| nid.to_string());
        Some(Document { name: entry.name.clone(), ino: entry.ino, format, nid, number, blocks })
    }

    /// The node of what a search found, where it is known, and its blocks. Its document tells how much of it is there.
    fn found(&self, index: u32) -> (Option<Nid>, Option<String>) {
        let Some(findings) = self.tree.found() else { return (None, None) };
        let Ok(found) = findings.get(index) else { return (None, None) };
        let nid = Some(found.nid()).filter(|nid| *nid != Nid::default());
        (nid, Some(in_words(found.node, &format!("+{}", found.confidence))))
    }

    /// Whether an item's time is one that was asked for; one without a time is not where a time was asked for.
    fn is_in_time(&self, ino: Ino) -> bool {
        if self.settings.since.is_none() && self.settings.until.is_none() {
            return true;
        }
        let nid = match Object::of(ino) {
            Some(Object::Document(slot)) => slot.nid,
            Some(Object::Attachment(nid, _)) => nid,
            _ => return self.tree.attributes(ino).map_or(true, |found| self.is_between(found.mtime)),
        };
        // What cannot be read is told rather than left out.
        let Ok(props) = self.tree.store().node_props(nid) else { return true };
        let time = Row::of(nid, &props).time().and_then(crate::format::property::FileTime::unix);
        self.is_between(time)
    }

    fn is_between(&self, time: Option<Time>) -> bool {
        let Settings { since, until, .. } = self.settings;
        time.is_some_and(|time| since.is_none_or(|since| since <= time) && until.is_none_or(|until| time <= until))
    }

    fn is_for_mail(&self, ino: Ino) -> bool {
        let Some(Object::Folder(nid)) = Object::of(ino) else { return false };
        let class = self.tree.store().folder(nid).ok().and_then(|folder| folder.props.text(tags::CONTAINER_CLASS)).unwrap_or_default();
        class.is_empty() || class.to_ascii_uppercase().starts_with("IPF.NOTE")
    }
}

/// The blocks of a node: other ones after every change.
fn in_words(node: NodeRef, more: &str) -> String {
    format!("{:#x}+{:#x}{more}", node.data.0, node.subnodes.0)
}

/// A path and a name in it.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

/// An error of the store in words that are the same for a folder and an item.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::Io(error) => format!("the store cannot be read: {error}"),
        Error::Unsupported(_) | Error::NotFound(_) | Error::Cancelled | Error::Damaged(..) => error.to_string(),
    }
}
