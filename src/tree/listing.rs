//! What lies in a folder, and under which names.

use std::sync::{Arc, PoisonError};

use super::ino::{Ino, Object, Slot};
use super::name::{Name, Unique};
use super::{Names, Recovered, Tree, object};
use crate::convert::{self, Format};
use crate::damage::{Error, Result};
use crate::format::id::Nid;
use crate::recover::Shelf;
use crate::store::item::Item;
use crate::store::{Store, Summary, Which, flags, tags};

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
/// What stands at the root beside the store's folders.
const RESERVED_AT_ROOT: [&str; 4] = [OTHER_FOLDERS, RECOVERED, ".control", ".scanlog"];
/// What the folder of a message's attachments appends to the message's name.
const ATTACHMENTS_SUFFIX: &str = ".attachments";

impl Listing {
    pub(super) fn new(parent: Ino, mut entries: Vec<Entry>, failed: u64) -> Self {
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
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).insert(ino);
        // What a search found appears as soon as it has ended.
        if ino == Object::Recovered.into() {
            return Ok(Arc::new(listing));
        }
        Ok(self.listings.put(ino, listing, bytes))
    }

    fn make_listing(&self, object: Object) -> Result<Listing> {
        match object {
            Object::Root => self.list_root(),
            Object::OtherFolders => self.list_folders(Ino::ROOT, self.other_folders()?.below(Nid::ROOT_FOLDER)),
            Object::Recovered => Ok(self.list_recovered()),
            Object::Orphaned => self.list_shelf(Nid::ROOT_FOLDER),
            Object::StandIn(nid) => self.list_shelf(nid),
            Object::Folder(nid) => self.list_folder(nid),
            Object::Lost(nid) => self.list_lost(nid),
            Object::Attachments(slot) => self.list_attachments(slot),
            Object::Category(category) => self.list_found(Shelf::Category(category)),
            Object::FoundFolder(index) => self.list_found(Shelf::Folder(index)),
            Object::FoundAttachments(index) => self.list_found_attachments(index),
            Object::Document(_) | Object::Attachment(..) | Object::Found(_) | Object::FoundAttachment(..) => {
                Err(Error::NotFound("a folder of this number".into()))
            }
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
        if self.view.recovered != Recovered::None {
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
        let entries = self.folder_entries(Nid::ROOT_FOLDER, &folders, Object::Folder, &mut unique)?;
        Ok(Listing::new(parent, entries, 0))
    }

    /// The entries for a folder's folders and items.
    ///
    /// Names are given to folders first, then to all items by ascending id, hidden ones too: which item keeps a name
    /// plain does not depend on what the user asked to see.
    fn entries_of(&self, folder: Nid, folders: &[Nid], mut unique: Unique) -> Result<(Vec<Entry>, u64)> {
        let mut entries = self.folder_entries(folder, folders, Object::Folder, &mut unique)?;
        let failed = self.push_documents(&mut entries, folder, false, &mut unique)?;
        Ok((entries, failed))
    }

    /// Adds the entries for a folder's items.
    pub(super) fn push_documents(&self, entries: &mut Vec<Entry>, folder: Nid, orphaned: bool, unique: &mut Unique) -> Result<u64> {
        let slot = |row: &Summary| Slot { folder: Some(folder), nid: row.nid, orphaned };
        // The associated items are few; the others are named one by one as they come, each after those of lower ids.
        let mut hidden = self.store.contents(folder, Which::Associated)?.into_iter().peekable();
        let failed = self.store.visit_contents(folder, Which::Normal, &mut |row| {
            while let Some(before) = hidden.next_if(|hidden| hidden.nid < row.nid) {
                self.push_document(entries, slot(&before), &before, unique, self.view.hidden)?;
            }
            self.push_document(entries, slot(&row), &row, unique, true)
        })?;
        hidden.try_for_each(|row| self.push_document(entries, slot(&row), &row, unique, self.view.hidden))?;
        Ok(failed)
    }

    /// The entries for folders of a folder.
    pub(super) fn folder_entries(
        &self,
        parent: Nid,
        folders: &[Nid],
        object: impl Fn(Nid) -> Object,
        unique: &mut Unique,
    ) -> Result<Vec<Entry>> {
        let names = self.store.folder_names(parent, folders)?;
        let mut entry = |nid: &Nid| {
            let name = Name::folder(names.get(nid).map_or("", String::as_str));
            Entry { name: unique.name(&name, nid.0), ino: object(*nid).into(), kind: Kind::Directory }
        };
        Ok(folders.iter().map(&mut entry).collect())
    }

    pub(super) fn push_document(
        &self,
        entries: &mut Vec<Entry>,
        slot: Slot,
        row: &Summary,
        unique: &mut Unique,
        shown: bool,
    ) -> Result<()> {
        let name = unique.name(&self.document_name(row)?, row.nid.0);
        if !shown {
            return Ok(());
        }
        let has_attachments = row.flags.is_some_and(|flags| flags & flags::HAS_ATTACHMENTS != 0);
        let attachments = has_attachments.then_some(Object::Attachments(slot));
        self.push_named(entries, name, Object::Document(slot), attachments, row.nid.0, unique);
        Ok(())
    }

    /// Adds a document, and beside it the folder of its attachments where it has some and the user wants them.
    pub(super) fn push_named(
        &self,
        entries: &mut Vec<Entry>,
        name: String,
        document: Object,
        attachments: Option<Object>,
        id: u32,
        unique: &mut Unique,
    ) {
        if let Some(attachments) = attachments.filter(|_| self.view.attachments) {
            let name = unique.name(&Name::given(&format!("{name}{ATTACHMENTS_SUFFIX}")), id);
            entries.push(Entry { name, ino: attachments.into(), kind: Kind::Directory });
        }
        entries.push(Entry { name, ino: document.into(), kind: Kind::File });
    }

    fn document_name(&self, row: &Summary) -> Result<Name> {
        let format = self.document_format(row)?;
        Ok(self.name_of(row, format, &self.title(row, format)?))
    }

    /// The name of a document with this title.
    pub(super) fn name_of(&self, row: &Summary, format: Format, title: &str) -> Name {
        match (self.view.names, format) {
            (Names::Nid, _) => Name::numbered(row.nid, format.extension()),
            // People have no date.
            (Names::Subject, _) | (Names::Date, Format::Vcf) => Name::titled(title, format.extension()),
            (Names::Date, Format::Eml | Format::Ics) => Name::dated(row.time(), title, format.extension()),
        }
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
        let item = self.store.item_or_remains(self.store.locate(slot.nid)?)?;
        let entries = attachment_entries(&self.store, &item, |index| Object::Attachment(slot.nid, index))?;
        let parent = match slot.folder {
            None => Object::Orphaned,
            Some(nid) if slot.orphaned => Object::Lost(nid),
            Some(nid) if nid == self.root_folder() => Object::Root,
            Some(nid) => Object::Folder(nid),
        };
        Ok(Listing::new(parent.into(), entries, 0))
    }

    /// When a folder last changed, as far as the store tells.
    pub(super) fn folder_time(&self, nid: Nid) -> Result<Option<(i64, u32)>> {
        let props = self.store.folder(nid)?.props;
        let time = props.time(tags::LAST_MODIFICATION_TIME).or_else(|| props.time(tags::CREATION_TIME));
        Ok(time.and_then(crate::format::property::FileTime::unix))
    }
}

/// The entries for an item's attachments.
pub(super) fn attachment_entries(store: &Store, item: &Item, object: impl Fn(u32) -> Object) -> Result<Vec<Entry>> {
    let mut unique = Unique::default();
    let named = (0_u32..).zip(&item.attachments).map(|(index, attachment)| {
        let name = convert::attachment_name(store, attachment, index)?;
        let name = unique.name(&Name::given(&name), attachment.node.nid.0);
        Ok(Entry { name, ino: object(index).into(), kind: Kind::File })
    });
    named.collect()
}
