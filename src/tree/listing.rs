//! What lies in a folder, and under which names.

use std::sync::Arc;

use super::ino::{Ino, Object, Slot};
use super::name::{Name, Unique};
use super::{Names, Tree, object};
use crate::convert::{self, Format};
use crate::damage::{Error, Result};
use crate::format::id::Nid;
use crate::store::item::Item;
use crate::store::{FLAG_HAS_ATTACHMENTS, Summary, Which, tags};

/// What an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Directory,
    /// A document.
    File,
}

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its number.
    pub ino: Ino,
    /// What it is.
    pub kind: Kind,
}

/// The entries of a folder.
#[derive(Debug)]
pub struct Listing {
    /// The folder above.
    pub parent: Ino,
    /// The entries without `.` and `..`, by name.
    pub entries: Vec<Entry>,
    /// How many rows of the folder's table name an item that another row stands for already.
    pub failed: u64,
}

/// The folder of folders outside the IPM subtree.
pub(super) const OTHER_FOLDERS: &str = "Other folders";
const RECOVERED: &str = "Recovered";
const ORPHANED: &str = "Orphaned";
/// What stands at the root beside the store's folders.
const RESERVED_AT_ROOT: [&str; 4] = [OTHER_FOLDERS, RECOVERED, ".control", ".scanlog"];
/// What the folder of a message's attachments appends to the message's name.
const ATTACHMENTS_SUFFIX: &str = ".attachments";

impl Listing {
    fn new(parent: Ino, mut entries: Vec<Entry>, failed: u64) -> Self {
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        entries.shrink_to_fit();
        Self { parent, entries, failed }
    }

    /// The entry of this name.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|entry| entry.name.as_str().cmp(name)).ok()?;
        self.entries.get(at)
    }

    fn memory_bytes(&self) -> usize {
        let names: usize = self.entries.iter().map(|entry| entry.name.capacity()).sum();
        self.entries.len().saturating_mul(size_of::<Entry>()).saturating_add(names)
    }
}

impl Tree {
    /// The entries of a folder.
    pub fn list(&self, ino: Ino) -> Result<Arc<Listing>> {
        if let Some(listing) = self.listings.get(&ino) {
            return Ok(listing);
        }
        let listing = self.store.ndb().without_io_failure(|| self.make_listing(object(ino)?))?;
        let bytes = listing.memory_bytes();
        Ok(self.listings.put(ino, listing, bytes))
    }

    fn make_listing(&self, object: Object) -> Result<Listing> {
        match object {
            Object::Root => self.list_root(),
            Object::OtherFolders => self.list_folders(Ino::ROOT, self.other_folders()?.below(Nid::ROOT_FOLDER)),
            Object::Recovered => {
                let orphaned = Entry { name: ORPHANED.into(), ino: Object::Orphaned.into(), kind: Kind::Directory };
                Ok(Listing::new(Ino::ROOT, vec![orphaned], 0))
            }
            Object::Orphaned => self.list_orphans(),
            Object::Folder(nid) => self.list_folder(nid),
            Object::Attachments(slot) => self.list_attachments(slot),
            Object::Document(_) | Object::Attachment(..) => Err(Error::NotFound("a folder of this number".into())),
        }
    }

    fn list_root(&self) -> Result<Listing> {
        let folder = self.root_folder();
        let mut unique = Unique::default();
        RESERVED_AT_ROOT.iter().for_each(|name| unique.reserve(name));
        let (mut entries, failed) = self.entries_of(folder, &self.store.subfolders(folder)?, unique)?;
        let mut add = |name: &str, object: Object| {
            entries.push(Entry { name: name.into(), ino: object.into(), kind: Kind::Directory });
        };
        if !self.view.all_folders && !self.other_folders()?.is_empty() {
            add(OTHER_FOLDERS, Object::OtherFolders);
        }
        if !self.view.no_recovered {
            add(RECOVERED, Object::Recovered);
        }
        Ok(Listing::new(Ino::ROOT, entries, failed))
    }

    fn list_folder(&self, nid: Nid) -> Result<Listing> {
        // A folder may be listed and yet have no node of its own; its tables may still be there.
        let above = match self.store.ndb().node(nid) {
            Err(error) if error.is_io() => return Err(error),
            Ok(Some(node)) => node.parent,
            Ok(None) | Err(_) => nid,
        };
        let other = if self.view.all_folders { None } else { self.other.get().filter(|other| other.contains(nid)) };
        let folders = match other {
            Some(other) => other.below(nid),
            None => self.store.subfolders(nid)?,
        };
        let (entries, failed) = self.entries_of(nid, &folders, Unique::default())?;
        let parent = if above == self.root_folder() || above == nid { Ino::ROOT } else { Object::Folder(above).into() };
        Ok(Listing::new(parent, entries, failed))
    }

    fn list_folders(&self, parent: Ino, folders: Vec<Nid>) -> Result<Listing> {
        let mut unique = Unique::default();
        let entries = folders.iter().map(|nid| self.folder_entry(*nid, &mut unique)).collect::<Result<_>>()?;
        Ok(Listing::new(parent, entries, 0))
    }

    fn list_orphans(&self) -> Result<Listing> {
        let orphans = self.orphans()?;
        let mut unique = Unique::default();
        let mut entries: Vec<Entry> = orphans.folders.iter().map(|nid| self.folder_entry(*nid, &mut unique)).collect::<Result<_>>()?;
        for nid in &orphans.messages {
            let summary = match self.store.node_props(*nid) {
                Ok(props) => Summary::of(*nid, &props),
                Err(error) if error.is_io() => return Err(error),
                Err(_) => Summary { nid: *nid, ..Summary::default() },
            };
            self.push_document(&mut entries, None, &summary, &mut unique, true)?;
        }
        Ok(Listing::new(Object::Recovered.into(), entries, 0))
    }

    /// The entries for a folder's folders and items.
    ///
    /// Names are given to folders first, then to all items by ascending id, hidden ones too: which item keeps a name
    /// plain does not depend on what the user asked to see.
    fn entries_of(&self, folder: Nid, folders: &[Nid], mut unique: Unique) -> Result<(Vec<Entry>, u64)> {
        let mut entries: Vec<Entry> = folders.iter().map(|nid| self.folder_entry(*nid, &mut unique)).collect::<Result<_>>()?;
        // The associated items are few; the others are named one by one as they come, each after those of lower ids.
        let mut hidden = self.store.contents(folder, Which::Associated)?.into_iter().peekable();
        let failed = self.store.visit_contents(folder, Which::Normal, &mut |row| {
            while let Some(before) = hidden.next_if(|hidden| hidden.nid < row.nid) {
                self.push_document(&mut entries, Some(folder), &before, &mut unique, self.view.hidden)?;
            }
            self.push_document(&mut entries, Some(folder), &row, &mut unique, true)
        })?;
        hidden.try_for_each(|row| self.push_document(&mut entries, Some(folder), &row, &mut unique, self.view.hidden))?;
        Ok((entries, failed))
    }

    fn folder_entry(&self, nid: Nid, unique: &mut Unique) -> Result<Entry> {
        let stored = self.store.folder(nid)?.name;
        Ok(Entry { name: unique.name(&Name::folder(&stored), nid.0), ino: Object::Folder(nid).into(), kind: Kind::Directory })
    }

    fn push_document(&self, entries: &mut Vec<Entry>, folder: Option<Nid>, row: &Summary, unique: &mut Unique, shown: bool) -> Result<()> {
        let name = unique.name(&self.document_name(row)?, row.nid.0);
        if !shown {
            return Ok(());
        }
        let slot = Slot { folder, nid: row.nid };
        let attachments = self.view.attachments && row.flags.is_some_and(|flags| flags & FLAG_HAS_ATTACHMENTS != 0);
        if attachments {
            let name = unique.name(&Name::given(&format!("{name}{ATTACHMENTS_SUFFIX}")), row.nid.0);
            entries.push(Entry { name, ino: Object::Attachments(slot).into(), kind: Kind::Directory });
        }
        entries.push(Entry { name, ino: Object::Document(slot).into(), kind: Kind::File });
        Ok(())
    }

    fn document_name(&self, row: &Summary) -> Result<Name> {
        let format = self.document_format(row)?;
        let subject = self.title(row, format)?;
        let subject = subject.as_str();
        Ok(match (self.view.names, format) {
            (Names::Nid, _) => Name::numbered(row.nid, format.extension()),
            // People have no date.
            (Names::Subject, _) | (Names::Date, Format::Vcf) => Name::titled(subject, format.extension()),
            (Names::Date, Format::Eml | Format::Ics) => Name::dated(row.time(), subject, format.extension()),
        })
    }

    /// What stands in a document's name: the subject, and of people who have none the name that their card shows.
    fn title(&self, row: &Summary, format: Format) -> Result<String> {
        let subject = row.subject.clone().unwrap_or_default();
        if format != Format::Vcf || !subject.trim().is_empty() {
            return Ok(subject);
        }
        let props = self.store.node_props(row.nid)?;
        Ok(convert::contact::shown_name(&Item { props, ..Item::default() }))
    }

    /// What a row's item is shown as: by its class, but as mail where the item itself cannot be read.
    pub(super) fn document_format(&self, row: &Summary) -> Result<Format> {
        let format = Format::of_class(row.class.as_deref().unwrap_or_default());
        if format == Format::Eml {
            return Ok(format);
        }
        match self.store.node_props(row.nid) {
            Ok(props) => Ok(Format::of(&props)),
            Err(error) if error.is_io() => Err(error),
            Err(_) => Ok(Format::Eml),
        }
    }

    fn list_attachments(&self, slot: Slot) -> Result<Listing> {
        let item = self.store.item(self.store.locate(slot.nid)?)?;
        let mut unique = Unique::default();
        let mut entries = Vec::new();
        for (index, attachment) in (0_u32..).zip(&item.attachments) {
            let name = convert::attachment_name(&self.store, attachment, index)?;
            let name = unique.name(&Name::given(&name), attachment.node.nid.0);
            entries.push(Entry { name, ino: Object::Attachment(slot.nid, index).into(), kind: Kind::File });
        }
        let parent = slot.folder.map_or(Object::Orphaned, |nid| if nid == self.root_folder() { Object::Root } else { Object::Folder(nid) });
        Ok(Listing::new(parent.into(), entries, 0))
    }

    /// When a folder last changed, as far as the store tells.
    pub(super) fn folder_time(&self, nid: Nid) -> Result<Option<(i64, u32)>> {
        let props = self.store.folder(nid)?.props;
        let time = props.time(tags::LAST_MODIFICATION_TIME).or_else(|| props.time(tags::CREATION_TIME));
        Ok(time.and_then(crate::format::property::FileTime::unix))
    }
}
