//! The store's special folders, found by entry id ([MS-PST] 2.4.3; [MS-OXOSFLD]).

use std::collections::BTreeMap;

use super::props::Key;
use super::write::{DELETED_NAME, SEARCH_NAME, SUBTREE_NAME, ost_folder};
use super::{Store, tags};
use crate::damage::Result;
use crate::format::codec;
use crate::format::header::Client;
use crate::format::id::{Nid, NodeType};
use crate::ltp::value::Value;

/// What a special folder is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Role(pub &'static str);

/// The special folders of a store.
#[derive(Clone, Debug, Default)]
pub(super) struct Special {
    subtree: Option<Nid>,
    roles: BTreeMap<Nid, Role>,
}

/// The folder below which lies what users see, in personal stores: the first that Outlook makes. So it is in each of 191
/// of them, whatever it is called.
const FIRST_FOLDER: Nid = Nid(0x8022);

/// Outlook's index of entry ids and that of conversations: of what no document describes, these are known to be made anew.
pub const INDEXES: [Nid; 2] = [Nid(0xc01), Nid(0xe01)];

/// The root of the mailbox in OSTs whose properties do not tell it; the same in every one seen.
const OST_SUBTREE: Nid = Nid(0x2142);

impl Store {
    /// The folder whose folders users see: the IPM subtree; the root folder where none can be found.
    pub fn ipm_subtree(&self) -> Nid {
        self.special.subtree.unwrap_or(Nid::ROOT_FOLDER)
    }

    /// What a folder is for, where it is a special one.
    pub fn role(&self, folder: Nid) -> Option<Role> {
        self.special.roles.get(&folder).copied()
    }

    /// The special folders and what they are for.
    pub fn roles(&self) -> impl Iterator<Item = (Nid, Role)> {
        self.special.roles.iter().map(|(nid, role)| (*nid, *role))
    }

    /// What a folder is called in a store that was made in English, where its use or its id tells.
    pub fn usual_name(&self, folder: Nid) -> Option<&'static str> {
        if let Some((_, name)) = self.fixed_folder(folder) {
            return Some(name);
        }
        match self.role(folder).map(|role| role.0) {
            Some("subtree") => Some(SUBTREE_NAME),
            Some("finder") => Some(SEARCH_NAME),
            Some("deleted") => Some(DELETED_NAME),
            Some("inbox") => Some("Inbox"),
            Some("outbox") => Some("Outbox"),
            Some("sent") => Some("Sent Items"),
            Some("drafts") => Some("Drafts"),
            Some("calendar") => Some("Calendar"),
            Some("contacts") => Some("Contacts"),
            Some("journal") => Some("Journal"),
            Some("notes") => Some("Notes"),
            Some("tasks") => Some("Tasks"),
            _ => (folder == self.usual_subtree()).then_some(SUBTREE_NAME),
        }
    }

    /// The folder in which one of this use lies.
    pub fn usual_parent(&self, folder: Nid) -> Option<Nid> {
        if let Some((parent, _)) = self.fixed_folder(folder) {
            return Some(parent);
        }
        match self.role(folder).map(|role| role.0) {
            _ if folder == self.named_subtree() => Some(Nid::ROOT_FOLDER),
            Some("finder") => Some(Nid::ROOT_FOLDER),
            Some(_) => Some(self.named_subtree()),
            None => None,
        }
    }

    /// The IPM subtree by what names it, whether it is there or not.
    pub fn named_subtree(&self) -> Nid {
        let named = self.roles().find(|(_, role)| role.0 == "subtree").map(|(nid, _)| nid);
        named.unwrap_or(self.usual_subtree())
    }

    /// The folder that the IPM subtree is where nothing names it, or names one that is nowhere.
    pub fn usual_subtree(&self) -> Nid {
        if self.is_ost() { OST_SUBTREE } else { FIRST_FOLDER }
    }

    /// Where a folder lies whose id is the same in every OST, and its name.
    fn fixed_folder(&self, folder: Nid) -> Option<(Nid, &'static str)> {
        if self.is_ost() { ost_folder(folder) } else { None }
    }

    fn is_ost(&self) -> bool {
        self.ndb.header().client != Client::PST
    }

    pub(super) fn find_special(&self) -> Result<Special> {
        let received = self.receive_folders()?;
        let inbox = ["IPM.NOTE", "IPM", ""].iter().find_map(|class| received.get(*class)).copied();
        let mut special = Special { subtree: self.find_subtree(inbox)?, roles: BTreeMap::new() };
        let store_roles = [
            (tags::IPM_WASTEBASKET_ENTRY_ID, "deleted"),
            (tags::IPM_OUTBOX_ENTRY_ID, "outbox"),
            (tags::IPM_SENT_MAIL_ENTRY_ID, "sent"),
            (tags::IPM_SUBTREE_ENTRY_ID, "subtree"),
            (tags::FINDER_ENTRY_ID, "finder"),
        ];
        for (key, role) in store_roles {
            special.roles.extend(self.entry_folder(&self.props, key).map(|nid| (nid, Role(role))));
        }
        // A PST receives into its root until it has an inbox: that is none.
        let inbox = inbox.filter(|nid| *nid != Nid::ROOT_FOLDER);
        special.roles.extend(inbox.map(|nid| (nid, Role("inbox"))));
        let personal = [
            (tags::IPM_APPOINTMENT_ENTRY_ID, "calendar"),
            (tags::IPM_CONTACT_ENTRY_ID, "contacts"),
            (tags::IPM_JOURNAL_ENTRY_ID, "journal"),
            (tags::IPM_NOTE_ENTRY_ID, "notes"),
            (tags::IPM_TASK_ENTRY_ID, "tasks"),
            (tags::IPM_DRAFTS_ENTRY_ID, "drafts"),
        ];
        for holder in [Some(Nid::ROOT_FOLDER), inbox].into_iter().flatten() {
            let folder = self.folder(holder)?;
            for (key, role) in personal {
                special.roles.extend(self.entry_folder(&folder.props, key).map(|nid| (nid, Role(role))));
            }
        }
        Ok(special)
    }

    /// The IPM subtree: by entry id, else as the inbox's parent, else where OSTs have it.
    fn find_subtree(&self, inbox: Option<Nid>) -> Result<Option<Nid>> {
        if let Some(nid) = self.entry_folder(&self.props, tags::IPM_SUBTREE_ENTRY_ID).filter(|nid| self.is_folder(*nid)) {
            return Ok(Some(nid));
        }
        if let Some(inbox) = inbox.filter(|nid| *nid != Nid::ROOT_FOLDER)
            && let Some(node) = self.ndb.node(inbox)?
            && node.parent != Nid::ROOT_FOLDER
            && self.is_folder(node.parent)
        {
            return Ok(Some(node.parent));
        }
        Ok(Some(OST_SUBTREE).filter(|nid| self.is_folder(*nid)))
    }

    fn is_folder(&self, nid: Nid) -> bool {
        nid.kind() == NodeType::FOLDER && matches!(self.ndb.node(nid), Ok(Some(_)))
    }

    /// The folder that an entry id names: its last 4 bytes are the node id ([MS-PST] 2.4.3.2).
    fn entry_folder(&self, props: &super::props::Props, key: Key) -> Option<Nid> {
        let entry = props.bytes(key)?;
        codec::cut(&entry, 20, 4).and_then(|bytes| codec::decode(self.ndb.format(), bytes).ok())
    }

    /// Where messages of a class are received, by the class in capitals ([MS-PST] 2.4.5.2 has the table's shape).
    fn receive_folders(&self) -> Result<BTreeMap<String, Nid>> {
        let mut folders = BTreeMap::new();
        if self.ndb.node(Nid::RECEIVE_FOLDER_TABLE)?.is_none() {
            return Ok(folders);
        }
        let Some(table) = self.table(Nid::RECEIVE_FOLDER_TABLE)? else { return Ok(folders) };
        let (Key::Id(class), Key::Id(folder)) = (tags::MESSAGE_CLASS, tags::RECEIVE_FOLDER) else { return Ok(folders) };
        let mut rows = Vec::new();
        table.visit_rows(&mut |row| rows.push(row))?;
        for row in rows {
            let name = match table.cell(&row, class)? {
                Some(Value::Unicode(name)) => name,
                Some(Value::String8(bytes)) => super::codepage::decode(super::codepage::WINDOWS_1252, &bytes),
                _ => String::new(),
            };
            if let Some(Value::I32(nid)) = table.cell(&row, folder)? {
                folders.insert(name.to_uppercase(), Nid(u32::from_le_bytes(nid.to_le_bytes())));
            }
        }
        Ok(folders)
    }
}
