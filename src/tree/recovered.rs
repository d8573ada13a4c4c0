//! What no folder holds: orphans of the live trees, and what a search of the whole file found.

use std::collections::{BTreeMap, HashSet, btree_map as map};
use std::sync::{Arc, PoisonError};

use super::ino::{Ino, Object, Slot};
use super::listing::{Entry, Kind, Listing, attachment_entries};
use super::name::{Name, Unique};
use super::{Rendered, Tree};
use crate::convert::digest::Digest;
use crate::convert::{self, Format};
use crate::damage::{Error, Result};
use crate::format::id::Nid;
use crate::progress::Progress;
use crate::recover::{self, Category, Findings, Found, ORPHANED, Orphans, Part, Shelf};
use crate::store::item::{Item, NodeRef};
use crate::store::{Store, Summary, flags};

/// How much of a document is read at a time to compare it.
const CHUNK_BYTES: usize = 1 << 20;

/// What an orphan's document and attributes tell of where it comes from.
pub(super) fn orphan_origin(nid: Nid) -> &'static str {
    if recover::is_counted(nid) { "orphaned; a copy of which only a count tells" } else { "orphaned" }
}

impl Tree {
    /// Searches the whole file for what is deleted or older than what is live, and shows what is found when it has ended.
    pub fn search(&self, progress: &Progress) -> Result<()> {
        let findings = self.store.ndb().without_io_failure(|| {
            let findings = recover::search(&self.store, progress)?;
            self.without_copies(findings, progress)
        })?;
        self.show_found(findings);
        Ok(())
    }

    /// Leaves out states of an item that a reader cannot tell from the live one, or from a newer state.
    ///
    /// Outlook writes an item anew for a mark or a property that no document shows.
    fn without_copies(&self, findings: Findings, progress: &Progress) -> Result<Findings> {
        let whole = |found: &&Found| found.part == Part::Whole && found.category != Category::Fragment;
        let mut states: BTreeMap<Nid, u64> = BTreeMap::new();
        for found in findings.items().iter().filter(whole) {
            let count = states.entry(item_of(found)).or_default();
            *count = count.saturating_add(1);
        }
        let is_asked = |found: &Found| found.live != Nid::default() || states.get(&item_of(found)).is_some_and(|count| *count > 1);
        let asked = findings.items().iter().filter(whole).filter(|found| is_asked(found) && item_of(found) != Nid::default());
        progress.begin("Comparing states of items", u64::try_from(asked.clone().count()).unwrap_or(0))?;
        let mut shown: BTreeMap<Nid, HashSet<String>> = BTreeMap::new();
        let mut copies = HashSet::new();
        // Of states that were found the last one in the list is the newest.
        for found in asked.rev() {
            progress.add(1)?;
            let known = match shown.entry(item_of(found)) {
                map::Entry::Occupied(known) => known.into_mut(),
                map::Entry::Vacant(place) => place.insert(self.live_digest(found.live)?.into_iter().collect()),
            };
            if let Some(digest) = self.digest(findings.store(), found.node)?
                && !known.insert(digest)
            {
                copies.insert((found.node.data, found.node.subnodes, found.node.nid));
            }
        }
        Ok(findings.retain(|found| !copies.contains(&(found.node.data, found.node.subnodes, found.node.nid))))
    }

    fn live_digest(&self, live: Nid) -> Result<Option<String>> {
        if live == Nid::default() {
            return Ok(None);
        }
        match self.store.locate(live) {
            Ok(node) => self.digest(&self.store, node),
            Err(error) if error.is_io() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// The digest of an item's document, without a word of where it was found; `None` where it cannot be read.
    fn digest(&self, store: &Arc<Store>, node: NodeRef) -> Result<Option<String>> {
        let read = || -> Result<String> {
            let item = store.item(node)?;
            let document = convert::render_with(store, &item, Format::of(&item.props), self.view().documents)?;
            let mut digest = Digest::default();
            let mut offset = 0_u64;
            while offset < document.len() {
                let bytes = document.read(store, offset, CHUNK_BYTES)?;
                offset = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX).max(1));
                digest.add(&bytes);
            }
            Ok(digest.hex())
        };
        match read() {
            Err(error) if error.is_io() => Err(error),
            result => Ok(result.ok()),
        }
    }

    /// Shows what a search found, all of it at once; what an earlier search found goes away.
    pub fn show_found(&self, findings: Findings) {
        *self.found.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(findings));
        // Numbers of an earlier search stand for other things now.
        self.listings.clear();
        self.documents.clear();
        self.lock_known().clear();
    }

    /// What the last search found.
    pub fn found(&self) -> Option<Arc<Findings>> {
        self.found.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The folders whose entries a search changes.
    pub fn changed_by_search() -> impl Iterator<Item = Ino> {
        std::iter::once(Object::Recovered).chain(Category::ALL.map(Object::Category)).map(Ino::from)
    }

    /// A line for each thing that the last search found: what it is, its folder, where it was found.
    pub fn found_lines(&self) -> Vec<String> {
        let Some(findings) = self.found() else { return Vec::new() };
        let line = |found: &Found| {
            let folder = match found.shelf {
                Shelf::Folder(index) => findings.folder(index).map(|folder| folder.name.clone()).unwrap_or_default(),
                Shelf::Category(_) => String::new(),
            };
            format!("{}: node {:#x} of folder \"{folder}\", {}", found.words(), found.nid().0, found.origin)
        };
        findings.items().iter().map(line).collect()
    }

    /// The items that no folder reaches; found when first asked for.
    pub(super) fn orphans(&self) -> Result<&Orphans> {
        self.searched(&self.orphans, || Orphans::find(&self.store))
    }

    pub(super) fn list_recovered(&self) -> Listing {
        let folder = |name: &str, object: Object| Entry { name: name.into(), ino: object.into(), kind: Kind::Directory };
        let mut entries = vec![folder(ORPHANED, Object::Orphaned)];
        if self.found().is_some() {
            entries.extend(Category::ALL.map(|category| folder(category.name(), Object::Category(category))));
        }
        Listing::new(Ino::ROOT, entries, 0)
    }

    /// The orphans of a folder that others reach, or that is not there at all.
    pub(super) fn list_shelf(&self, folder: Nid) -> Result<Listing> {
        let mut unique = Unique::default();
        let entries = self.shelf_entries(folder, &mut unique)?;
        let above = self.orphans()?.of(folder).above;
        let parent = match above {
            _ if folder == Nid::ROOT_FOLDER => Object::Recovered,
            Nid::ROOT_FOLDER => Object::Orphaned,
            above => Object::StandIn(above),
        };
        Ok(Listing::new(parent.into(), entries, 0))
    }

    /// A lost folder: what its tables list, and the orphans that lay in it.
    pub(super) fn list_lost(&self, nid: Nid) -> Result<Listing> {
        let mut unique = Unique::default();
        let mut entries = self.folder_entries(nid, &self.store.subfolders(nid)?, Object::Lost, &mut unique)?;
        let failed = self.push_documents(&mut entries, nid, true, &mut unique)?;
        entries.extend(self.shelf_entries(nid, &mut unique)?);
        Ok(Listing::new(Object::Orphaned.into(), entries, failed))
    }

    fn shelf_entries(&self, folder: Nid, unique: &mut Unique) -> Result<Vec<Entry>> {
        let shelf = self.orphans()?.of(folder);
        let stand_ins: Vec<Nid> = shelf.stand_ins.into_iter().collect();
        let mut entries = self.folder_entries(folder, &stand_ins, Object::StandIn, unique)?;
        let folders: Vec<Nid> = shelf.folders.into_iter().collect();
        entries.extend(self.folder_entries(folder, &folders, Object::Lost, unique)?);
        for nid in shelf.messages {
            let summary = match self.store.node_props(nid) {
                Ok(props) => Summary::of(nid, &props),
                Err(error) if error.is_io() => return Err(error),
                Err(_) => Summary { nid, ..Summary::default() },
            };
            self.push_document(&mut entries, Slot { folder: None, nid, orphaned: true }, &summary, unique, true)?;
        }
        Ok(entries)
    }

    /// What a search found in one of its folders.
    pub(super) fn list_found(&self, shelf: Shelf) -> Result<Listing> {
        let findings = self.findings()?;
        let mut unique = Unique::default();
        let mut entries = Vec::new();
        for index in findings.folders_in(shelf) {
            let folder = findings.folder(*index)?;
            let name = unique.name(&Name::folder(&folder.name), folder.nid.0);
            entries.push(Entry { name, ino: Object::FoundFolder(*index).into(), kind: Kind::Directory });
        }
        for index in findings.items_in(shelf) {
            self.push_found(&mut entries, &findings, *index, &mut unique)?;
        }
        let parent = match shelf {
            Shelf::Category(_) => Object::Recovered,
            Shelf::Folder(index) => match findings.folder(index)?.above {
                Shelf::Category(category) => Object::Category(category),
                Shelf::Folder(above) => Object::FoundFolder(above),
            },
        };
        Ok(Listing::new(parent.into(), entries, 0))
    }

    fn push_found(&self, entries: &mut Vec<Entry>, findings: &Findings, index: u32, unique: &mut Unique) -> Result<()> {
        let found = findings.get(index)?;
        let item = readable(findings, index)?;
        let (summary, format) = (Summary::of(found.nid(), &item.props), Format::of(&item.props));
        let title = match format {
            // A part of an item has no subject; what it held has a name.
            _ if found.category == Category::Fragment => {
                let name = item.attachments.first().map(|attachment| convert::attachment_name(findings.store(), attachment, 0));
                name.transpose()?.unwrap_or_default()
            }
            Format::Vcf => convert::contact::shown_name(&item),
            Format::Eml | Format::Ics => summary.subject.clone().unwrap_or_default(),
        };
        let id = found.id();
        let name = unique.name(&self.name_of(&summary, format, &title), id);
        let has_attachments = summary.flags.is_none_or(|flags| flags & flags::HAS_ATTACHMENTS != 0) && !item.attachments.is_empty();
        let attachments = has_attachments.then_some(Object::FoundAttachments(index));
        self.push_named(entries, name, Object::Found(index), attachments, id, unique);
        Ok(())
    }

    pub(super) fn list_found_attachments(&self, index: u32) -> Result<Listing> {
        let findings = self.findings()?;
        let entries =
            attachment_entries(findings.store(), &readable(&findings, index)?, |attachment| Object::FoundAttachment(index, attachment))?;
        let parent = match findings.get(index)?.shelf {
            Shelf::Category(category) => Object::Category(category),
            Shelf::Folder(folder) => Object::FoundFolder(folder),
        };
        Ok(Listing::new(parent.into(), entries, 0))
    }

    /// The document of something found.
    pub(super) fn render_found(&self, index: u32) -> Result<Rendered> {
        let findings = self.findings()?;
        let item = readable(&findings, index)?;
        let store = findings.store();
        let document = convert::render_with(store, &item, Format::of(&item.props), self.view().documents)?;
        Ok(Rendered::new(store, document, Summary::of(item.node.nid, &item.props).time()))
    }

    /// An attachment of something found.
    pub(super) fn render_found_attachment(&self, index: u32, attachment: u32) -> Result<Rendered> {
        let findings = self.findings()?;
        let item = readable(&findings, index)?;
        let time = Summary::of(item.node.nid, &item.props).time();
        super::document::attachment(findings.store(), &item, attachment, time)
    }

    /// Something found: how it was come by, and the item.
    pub(super) fn found_item(&self, index: u32) -> Result<(Found, Item)> {
        let findings = self.findings()?;
        Ok((*findings.get(index)?, readable(&findings, index)?))
    }

    pub(super) fn findings(&self) -> Result<Arc<Findings>> {
        self.found().ok_or_else(|| Error::NotFound("what a search found".into()))
    }
}

/// The item of which something is a state: its node, or the live one's; 0 where nobody knows it.
fn item_of(found: &Found) -> Nid {
    if found.live == Nid::default() { found.nid() } else { found.live }
}

/// What was found, as an item; one that cannot be read any more says so.
fn readable(findings: &Findings, index: u32) -> Result<Item> {
    match findings.item(index) {
        Err(error) if error.is_io() => Err(error),
        Err(error) => Ok(Item { origin: Some(findings.get(index)?.words()), ..Item::from_row(BTreeMap::new(), &error) }),
        item => item,
    }
}
