//! What every store has before its first message ([MS-PST] 2.7.1, and what Outlook makes beyond that).

use super::builder::StoreBuilder;
use super::folder::FolderDraft;
use super::names;
use super::props::{PropertyList, id_of};
use super::templates::{EMPTY, RECEIVE_FOLDERS, SEARCH_CONTENTS};
use crate::damage::Result;
use crate::format::codec;
use crate::format::id::{Nid, NodeType};
use crate::format::property::PropType;
use crate::ltp::value::Value;
use crate::ltp::write::{PropertiesBuilder, TableBuilder};
use crate::ndb::write::{BlockSink, Draft, Stored};
use crate::store::tags;

/// Which folders a new store has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreKind {
    /// A personal store: the folders that users see lie below "Top of Outlook data file".
    #[default]
    Pst,
    /// The offline copy of a mailbox: they lie below "Root - Mailbox", "IPM_SUBTREE", at fixed ids.
    Ost,
}

impl StoreKind {
    /// PidTagPstPassword of a store without one: a PST's is the CRC of the password, or 0 ([MS-PST] 4.2); Outlook writes -1
    /// into OSTs.
    pub const fn no_password(self) -> i32 {
        match self {
            Self::Pst => 0,
            Self::Ost => -1,
        }
    }
}

/// The names of the folders that every store has; Outlook gives them in its user's language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderNames {
    /// The folder that holds all that users see.
    pub subtree: String,
    /// The folder for what was deleted.
    pub deleted: String,
    /// The folder that holds search folders.
    pub search: String,
}

impl Default for FolderNames {
    fn default() -> Self {
        Self { subtree: SUBTREE_NAME.into(), deleted: DELETED_NAME.into(), search: SEARCH_NAME.into() }
    }
}

/// What the folder that holds all that users see is called where a store is made in English.
pub const SUBTREE_NAME: &str = "Top of Outlook data file";
/// What the one for what was deleted is called.
pub const DELETED_NAME: &str = "Deleted Items";
/// What the one with search folders is called.
pub const SEARCH_NAME: &str = "Search Root";

/// The folders that every store has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Special {
    pub(super) subtree: Nid,
    pub(super) deleted: Nid,
    pub(super) search: Nid,
    pub(super) views: Nid,
}

/// The search folder of Outlook's spam filter, in every store of Outlook 2003 and later.
const SPAM_SEARCH: Nid = Nid(0x2223);
/// Nodes that are there and empty: the search management queue, the search domain object, the search's update queue.
const EMPTY_NODES: [Nid; 3] = [Nid(0x1e1), Nid(0x261), Nid(0x2226)];
/// The search activity list: which searches there are.
const SEARCH_ACTIVITY: Nid = Nid(0x201);
/// The search folder's criteria.
const SPAM_CRITERIA: Nid = Nid(0x2227);
/// PidTagValidFolderMask: subtree, wastebasket, common views and finder are there.
pub const VALID_FOLDERS: i32 = 0x01 | 0x08 | 0x40 | 0x80;

/// The folders of an OST: id, parent, name.
const OST_FOLDERS: [(Nid, Nid, &str); 7] = [
    (Nid(0x2002), Nid::ROOT_FOLDER, "Root - Public"),
    (Nid(0x20a2), Nid::ROOT_FOLDER, "Root - Mailbox"),
    (Nid(0x20c2), Nid(0x20a2), "Common Views"),
    (Nid(0x20e2), Nid(0x20a2), "Finder"),
    (Nid(0x2102), Nid(0x20a2), "Shortcuts"),
    (Nid(0x2122), Nid(0x20a2), "Views"),
    (Nid(0x2142), Nid(0x20a2), "IPM_SUBTREE"),
];

/// Where the folder with a fixed id lies in an OST, and what it is called.
pub fn ost_folder(folder: Nid) -> Option<(Nid, &'static str)> {
    OST_FOLDERS.iter().find(|(nid, ..)| *nid == folder).map(|(_, parent, name)| (*parent, *name))
}

impl StoreBuilder<'_> {
    /// Makes the templates, the root folder and those below it that every store has.
    pub(super) fn begin(&mut self, folders: &FolderNames) -> Result<()> {
        for key in names::FIRST {
            let mut list = PropertyList::default();
            list.set(key, Value::Null);
            self.resolve(&list, self.codepage)?;
        }
        for template in EMPTY {
            self.put_template(&template)?;
        }
        self.put_folder(Nid::ROOT_FOLDER, Nid::ROOT_FOLDER, FolderDraft::named(""))?;
        match self.kind {
            StoreKind::Pst => self.begin_pst(folders),
            StoreKind::Ost => self.begin_ost(folders),
        }
    }

    fn begin_pst(&mut self, folders: &FolderNames) -> Result<()> {
        let root = Nid::ROOT_FOLDER;
        let subtree = self.add_folder(root, FolderDraft::named(&folders.subtree))?;
        let search = self.add_folder(root, FolderDraft::named(&folders.search))?;
        let deleted = self.add_folder(subtree, FolderDraft::named(&folders.deleted))?;
        let views = self.add_folder(root, FolderDraft::named("IPM_COMMON_VIEWS"))?;
        self.special = Special { subtree, deleted, search, views };
        self.receive.push((String::new(), root));
        Ok(())
    }

    fn begin_ost(&mut self, folders: &FolderNames) -> Result<()> {
        for (nid, parent, name) in OST_FOLDERS {
            self.put_folder(nid, parent, FolderDraft::named(name))?;
        }
        let (subtree, deleted) = (Nid(0x2142), Nid(0x2162));
        self.put_folder(deleted, subtree, FolderDraft::named(&folders.deleted))?;
        self.special = Special { subtree, deleted, search: Nid(0x20e2), views: Nid(0x20c2) };
        self.receive.push(("IPC".into(), Nid(0x20a2)));
        Ok(())
    }

    /// Writes what is left when all folders are there: the store's properties, names, searches, receive folders.
    pub(super) fn end(&mut self) -> Result<()> {
        let format = self.writer.format();
        let none = Nid::default();
        let props = self.store_props();
        let resolved = self.resolve(&props, self.codepage)?;
        let store = Self::properties(&resolved).finish(format, self.writer.nids())?;
        self.writer.put_draft(Nid::MESSAGE_STORE, store, none)?;
        for nid in EMPTY_NODES {
            self.writer.put_node(nid, Stored::default(), none)?;
        }
        let searches = codec::encode(format, &SPAM_SEARCH);
        self.writer.put_draft(SEARCH_ACTIVITY, Draft { data: vec![searches], subnodes: Vec::new() }, none)?;
        let mut criteria = PropertiesBuilder::default();
        criteria.set(id_of(tags::SEARCH_FLAGS), PropType::I32, &Value::I32(0));
        let criteria = criteria.finish(format, self.writer.nids())?;
        self.writer.put_draft(SPAM_CRITERIA, criteria, none)?;
        let found = Stored { data: self.shared(&SEARCH_CONTENTS)?, ..Stored::default() };
        self.writer.put_node(SPAM_SEARCH.with_kind(NodeType::SEARCH_CONTENTS_TABLE), found, none)?;
        self.put_receive_folders()?;
        let names = self.names.finish().finish(format, self.writer.nids())?;
        self.writer.put_draft(names::NODE, names, none)
    }

    /// The search folder itself is a row of the root folder's table like any other.
    pub(super) fn put_search_folder(&mut self) -> Result<PropertyList> {
        let mut props = FolderDraft::named("SPAM Search Folder 2").props;
        props.set(tags::CONTENT_COUNT, Value::I32(0)).set(tags::CONTENT_UNREAD_COUNT, Value::I32(0));
        props.set(tags::SUBFOLDERS, Value::Bool(false));
        let resolved = self.resolve(&props, self.codepage)?;
        let format = self.writer.format();
        let draft = Self::properties(&resolved).finish(format, self.writer.nids())?;
        self.writer.put_draft(SPAM_SEARCH, draft, Nid::ROOT_FOLDER)?;
        Ok(props)
    }

    /// The id of the search folder, for the root folder's table.
    pub(super) const fn search_folder() -> Nid {
        SPAM_SEARCH
    }

    fn store_props(&self) -> PropertyList {
        let mut props = self.props.clone();
        props.set(tags::RECORD_KEY, Value::Binary(self.record_key.0.to_vec()));
        props.set_default(tags::PST_PASSWORD, Value::I32(self.kind.no_password()));
        if self.kind == StoreKind::Pst {
            let special = [
                (tags::IPM_SUBTREE_ENTRY_ID, self.special.subtree),
                (tags::IPM_WASTEBASKET_ENTRY_ID, self.special.deleted),
                (tags::COMMON_VIEWS_ENTRY_ID, self.special.views),
                (tags::FINDER_ENTRY_ID, self.special.search),
            ];
            for (key, nid) in special {
                props.set(key, Value::Binary(self.entry_id(nid)));
            }
            props.set_default(tags::VALID_FOLDER_MASK, Value::I32(VALID_FOLDERS));
        }
        props
    }

    fn put_receive_folders(&mut self) -> Result<()> {
        let format = self.writer.format();
        let mut table = TableBuilder::new(format, RECEIVE_FOLDERS.shape(format))?;
        for (row, (class, folder)) in (1_u32..).zip(std::mem::take(&mut self.receive)) {
            let mut props = PropertyList::default();
            props.set(tags::MESSAGE_CLASS, Value::Unicode(class));
            props.set(tags::RECEIVE_FOLDER, Value::I32(i32::from_le_bytes(folder.0.to_le_bytes())));
            let resolved = self.resolve(&props, self.codepage)?;
            let cells: Vec<(u16, &Value)> = resolved.iter().map(|(id, _, value)| (*id, value)).collect();
            let version = self.next_unique();
            table.push(row, version, &cells, self.writer.nids())?;
        }
        let draft = table.finish(self.writer.nids())?;
        self.writer.put_draft(RECEIVE_FOLDERS.nid, draft, Nid::default())
    }
}
