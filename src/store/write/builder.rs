//! A store, message by message.

use std::collections::BTreeMap;

use super::content::Written;
use super::folder::{FolderDraft, Growing, Place, Row};
use super::message::MessageDraft;
use super::names::Names;
use super::props::{PropertyList, id_of};
use super::skeleton::{FolderNames, Special, StoreKind};
use super::templates::{ASSOCIATED, CONTENTS, HIERARCHY, Template};
use crate::damage::{Error, Result};
use crate::format::id::{Bid, Nid, NodeType};
use crate::format::property::Guid;
use crate::ltp::value::Value;
use crate::ltp::write::TableBuilder;
use crate::ndb::write::tree::put_draft;
use crate::ndb::write::{BlockSink, BulkWriter, Stored};
use crate::store::codepage;
use crate::store::flags;
use crate::store::tags;

/// What a new store is like.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Which folders it begins with.
    pub kind: StoreKind,
    /// What they are called.
    pub folders: FolderNames,
    /// The store's own properties: its name, a password's checksum.
    pub props: PropertyList,
    /// The id that entry ids carry.
    pub record_key: Guid,
    /// The code page of strings in an ANSI store, where an object does not tell its own.
    pub codepage: u16,
}

impl StoreOptions {
    /// A personal store of this name.
    pub fn named(name: &str) -> Self {
        let mut props = PropertyList::default();
        props.set(tags::DISPLAY_NAME, Value::Unicode(name.to_owned()));
        Self {
            kind: StoreKind::Pst,
            folders: FolderNames::default(),
            props,
            record_key: Guid::mapi(0x7073_7466),
            codepage: codepage::WINDOWS_1252,
        }
    }
}

/// Writes a store: folders and messages as they come, what belongs to all of them at the end.
#[derive(Debug)]
pub struct StoreBuilder<'f> {
    pub(super) writer: BulkWriter<'f>,
    pub(super) kind: StoreKind,
    pub(super) props: PropertyList,
    pub(super) record_key: Guid,
    pub(super) codepage: u16,
    pub(super) names: Names,
    pub(super) special: Special,
    pub(super) receive: Vec<(String, Nid)>,
    folders: BTreeMap<Nid, Growing>,
    /// The blocks of empty tables, by their template's node.
    shared: BTreeMap<Nid, Bid>,
    unique: u32,
}

/// References from which on an empty table gets a new block: the count has 16 bits.
const REFERENCES_MAX: u16 = 60_000;

impl<'f> StoreBuilder<'f> {
    /// Begins a store.
    pub fn new(writer: BulkWriter<'f>, options: StoreOptions) -> Result<Self> {
        let mut builder = Self {
            writer,
            kind: options.kind,
            props: options.props,
            record_key: options.record_key,
            codepage: options.codepage,
            names: Names::default(),
            special: Special::default(),
            receive: Vec::new(),
            folders: BTreeMap::new(),
            shared: BTreeMap::new(),
            unique: 0,
        };
        builder.begin(&options.folders)?;
        Ok(builder)
    }

    /// The folder that holds all that users see.
    pub const fn subtree(&self) -> Nid {
        self.special.subtree
    }

    /// The folder for what users deleted.
    pub const fn deleted_items(&self) -> Nid {
        self.special.deleted
    }

    /// The id by which properties name a folder or message of this store ([MS-PST] 2.4.3.2).
    pub fn entry_id(&self, nid: Nid) -> Vec<u8> {
        [[0; 4].as_slice(), &self.record_key.0, &nid.0.to_le_bytes()].concat()
    }

    /// The store's own properties.
    pub const fn props_mut(&mut self) -> &mut PropertyList {
        &mut self.props
    }

    /// Makes messages of a class arrive in a folder; the class "" stands for all others.
    pub fn set_receive_folder(&mut self, class: &str, folder: Nid) {
        self.receive.retain(|(known, _)| known != class);
        self.receive.push((class.to_owned(), folder));
    }

    /// Adds a folder.
    pub fn add_folder(&mut self, parent: Nid, draft: FolderDraft) -> Result<Nid> {
        let nid = self.writer.nids().next(NodeType::FOLDER)?;
        self.put_folder(nid, parent, draft)?;
        Ok(nid)
    }

    /// Adds a folder with an id that is fixed.
    pub(super) fn put_folder(&mut self, nid: Nid, parent: Nid, draft: FolderDraft) -> Result<()> {
        self.writer.nids().cover(nid);
        let folder = Growing::new(self.writer.format(), parent, draft)?;
        if nid != parent {
            self.folder_mut(parent)?.children.push(nid);
        }
        self.folders.insert(nid, folder);
        Ok(())
    }

    /// The properties of a folder, to change them until the store is finished.
    pub fn folder_props_mut(&mut self, folder: Nid) -> Result<&mut PropertyList> {
        Ok(&mut self.folder_mut(folder)?.props)
    }

    fn folder_mut(&mut self, nid: Nid) -> Result<&mut Growing> {
        self.folders.get_mut(&nid).ok_or_else(|| Error::NotFound(format!("folder {nid}")))
    }

    /// Adds a message to a folder.
    pub fn add_message(&mut self, folder: Nid, message: MessageDraft<'_>) -> Result<Nid> {
        let read = message.props.int(tags::MESSAGE_FLAGS).unwrap_or(0) & flags::READ != 0;
        self.put_message(folder, message, Place::Contents { read })
    }

    /// Adds an associated message: a view, a rule, settings.
    pub fn add_associated(&mut self, folder: Nid, message: MessageDraft<'_>) -> Result<Nid> {
        self.put_message(folder, message, Place::Associated)
    }

    /// Adds a message and deletes it for good, as Outlook does: its row and its node are gone, its blocks are free and
    /// their bytes are still there, as are older pages and an older table that name them. The folder's draft must have
    /// announced deletions.
    pub fn add_deleted(&mut self, folder: Nid, message: MessageDraft<'_>) -> Result<Nid> {
        self.writer.set_deleted(true);
        let added = self.put_message(folder, message, Place::Deleted);
        self.writer.set_deleted(false);
        added
    }

    fn put_message(&mut self, folder: Nid, message: MessageDraft<'_>, place: Place) -> Result<Nid> {
        let kind = if place == Place::Associated { NodeType::ASSOCIATED_MESSAGE } else { NodeType::MESSAGE };
        let nid = self.writer.nids().next(kind)?;
        let Written { draft, bytes, props } = self.message(message, place == Place::Associated)?;
        self.writer.put_draft(nid, draft, folder)?;
        let version = self.next_unique();
        let size = Value::I32(i32::try_from(bytes).unwrap_or(i32::MAX));
        let status = Value::I32(0);
        let (size_id, status_id) = (id_of(tags::MESSAGE_SIZE), id_of(tags::MESSAGE_STATUS));
        let mut cells = vec![(status_id, &status)];
        cells.extend(props.iter().map(|(id, _, value)| if *id == size_id { (*id, &size) } else { (*id, value) }));
        let growing = self.folders.get_mut(&folder).ok_or_else(|| Error::NotFound(format!("folder {folder}")))?;
        growing.push(place, &Row { nid, version, cells }, self.writer.nids())?;
        Ok(nid)
    }

    /// A number that no row has yet.
    pub(super) const fn next_unique(&mut self) -> u32 {
        self.unique = self.unique.saturating_add(1);
        self.unique
    }

    /// The block of an empty table, as its template has it.
    pub(super) fn shared(&mut self, template: &Template) -> Result<Bid> {
        if let Some(bid) = self.shared.get(&template.nid).copied().filter(|bid| self.writer.references(*bid) < REFERENCES_MAX) {
            return Ok(bid);
        }
        let format = self.writer.format();
        let empty = TableBuilder::new(format, template.shape(format))?.finish(self.writer.nids())?;
        // What others will share is not deleted with whatever is being deleted just now.
        let deleted = self.writer.set_deleted(false);
        let bid = put_draft(&mut self.writer, empty)?.data;
        self.writer.set_deleted(deleted);
        self.shared.insert(template.nid, bid);
        Ok(bid)
    }

    /// Writes folders and all that is left, then the header: from then on it is a store.
    pub fn finish(mut self) -> Result<()> {
        let search = self.put_search_folder()?;
        let folders = std::mem::take(&mut self.folders);
        let rows: BTreeMap<Nid, PropertyList> =
            folders.iter().map(|(nid, folder)| (*nid, folder.counted())).chain([(StoreBuilder::search_folder(), search)]).collect();
        for (nid, folder) in folders {
            self.put_folder_nodes(nid, folder, &rows)?;
        }
        self.end()?;
        self.writer.finish(self.unique.saturating_add(1))
    }

    fn put_folder_nodes(&mut self, nid: Nid, mut folder: Growing, rows: &BTreeMap<Nid, PropertyList>) -> Result<()> {
        let format = self.writer.format();
        if nid == Nid::ROOT_FOLDER {
            folder.children.push(StoreBuilder::search_folder());
        }
        let mut hierarchy = TableBuilder::new(format, HIERARCHY.shape(format))?;
        for child in &folder.children {
            let Some(props) = rows.get(child) else { continue };
            let resolved = self.resolve(props, self.codepage)?;
            let cells: Vec<(u16, &Value)> = resolved.iter().map(|(id, _, value)| (*id, value)).collect();
            let version = self.next_unique();
            hierarchy.push(child.0, version, &cells, self.writer.nids())?;
        }
        let props = self.resolve(rows.get(&nid).unwrap_or(&folder.props), self.codepage)?;
        let draft = Self::properties(&props).finish(format, self.writer.nids())?;
        self.writer.put_draft(nid, draft, folder.parent)?;
        if let Some(before) = folder.before {
            self.writer.set_deleted(true);
            self.put_table(nid.with_kind(NodeType::CONTENTS_TABLE), before, &CONTENTS)?;
            self.writer.set_deleted(false);
        }
        self.put_table(nid.with_kind(NodeType::HIERARCHY_TABLE), hierarchy, &HIERARCHY)?;
        self.put_table(nid.with_kind(NodeType::CONTENTS_TABLE), folder.contents, &CONTENTS)?;
        self.put_table(nid.with_kind(NodeType::ASSOCIATED_TABLE), folder.associated, &ASSOCIATED)
    }

    /// Adds a folder's table; an empty one shares its template's block, as Outlook has it.
    fn put_table(&mut self, nid: Nid, table: TableBuilder, template: &Template) -> Result<()> {
        if table.is_empty() {
            let stored = Stored { data: self.shared(template)?, subnodes: Bid::NONE };
            return self.writer.put_node(nid, stored, Nid::default());
        }
        let draft = table.finish(self.writer.nids())?;
        self.writer.put_draft(nid, draft, Nid::default())
    }

    /// Notes the block of a template's node: empty tables will share it.
    pub(super) fn put_template(&mut self, template: &Template) -> Result<()> {
        let stored = Stored { data: self.shared(template)?, subnodes: Bid::NONE };
        self.writer.put_node(template.nid, stored, Nid::default())
    }
}
