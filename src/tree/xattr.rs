//! Extended attributes: what a document's name cannot hold.

use super::ino::{Ino, Object, Slot};
use super::recovered::orphan_origin;
use super::{Tree, object};
use crate::damage::Result;
use crate::format::id::Nid;
use crate::store::item::Item;
use crate::store::{Store, Summary, tags};

/// The attributes of one inode, those that are set.
type Attributes = Vec<(&'static str, String)>;

impl Tree {
    /// The names of the extended attributes that are set.
    pub fn xattr_names(&self, ino: Ino) -> Result<Vec<&'static str>> {
        Ok(self.xattrs(ino)?.into_iter().map(|(name, _)| name).collect())
    }

    /// An extended attribute's value, `None` where it is not set.
    pub fn xattr(&self, ino: Ino, name: &str) -> Result<Option<Vec<u8>>> {
        // The kernel asks for `security.*` and others at every turn.
        if !name.starts_with("user.pst.") {
            return Ok(None);
        }
        Ok(self.xattrs(ino)?.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value.into_bytes()))
    }

    fn xattrs(&self, ino: Ino) -> Result<Attributes> {
        match object(ino)? {
            Object::Folder(nid) | Object::StandIn(nid) => self.folder_xattrs(nid),
            Object::Lost(nid) => {
                let mut set = self.folder_xattrs(nid)?;
                set.push(("user.pst.origin", orphan_origin(nid).to_owned()));
                Ok(set)
            }
            Object::Found(index) => self.found_xattrs(index),
            Object::Root if !self.view.all_folders => self.folder_xattrs(self.root_folder()),
            Object::Document(slot) => self.document_xattrs(slot),
            _ => Ok(Vec::new()),
        }
    }

    fn folder_xattrs(&self, nid: Nid) -> Result<Attributes> {
        let folder = self.store.folder(nid)?;
        let mut set = self.common_xattrs(nid, folder.props.text(tags::CONTAINER_CLASS), Some(folder.name));
        set.extend(self.store.role(nid).map(|role| ("user.pst.role", role.0.to_owned())));
        Ok(set)
    }

    fn document_xattrs(&self, slot: Slot) -> Result<Attributes> {
        let item = match self.store.locate(slot.nid).and_then(|node| self.store.item(node)) {
            Ok(item) => item,
            Err(error) if error.is_io() => return Err(error),
            Err(error) => {
                let mut set = self.common_xattrs(slot.nid, None, None);
                set.push(("user.pst.damage", error.to_string()));
                return Ok(set);
            }
        };
        let mut set = self.item_xattrs(&self.store, Some(slot.nid), &item)?;
        if slot.orphaned {
            set.push(("user.pst.origin", orphan_origin(slot.nid).to_owned()));
        }
        Ok(set)
    }

    fn found_xattrs(&self, index: u32) -> Result<Attributes> {
        let (found, item) = self.found_item(index)?;
        let findings = self.findings()?;
        let nid = Some(found.nid()).filter(|nid| *nid != Nid::default());
        let mut set = self.item_xattrs(findings.store(), nid, &item)?;
        set.push(("user.pst.origin", found.origin.to_string()));
        set.push(("user.pst.confidence", found.confidence.to_string()));
        Ok(set)
    }

    fn item_xattrs(&self, store: &Store, nid: Option<Nid>, item: &Item) -> Result<Attributes> {
        let summary = Summary::of(nid.unwrap_or_default(), &item.props);
        let mut set = match nid {
            Some(nid) => self.common_xattrs(nid, summary.class, summary.subject),
            None => named_xattrs(summary.class, summary.subject),
        };
        set.extend(summary.flags.map(|flags| ("user.pst.flags", format!("{flags:#x}"))));
        let damage = [item.damage.clone(), store.damaged_attachments(item)?].concat();
        if !damage.is_empty() {
            set.push(("user.pst.damage", damage.join("; ")));
        }
        Ok(set)
    }

    fn common_xattrs(&self, nid: Nid, class: Option<String>, name: Option<String>) -> Attributes {
        let mut set = vec![("user.pst.nid", format!("{:#x}", nid.0))];
        set.extend(self.entry_id(nid).map(|entry| ("user.pst.entryid", entry)));
        set.extend(named_xattrs(class, name));
        set
    }

    /// The entry id of a node, in hex: 4 zeros, the store's record key, the node id ([MS-PST] 2.4.3.2).
    fn entry_id(&self, nid: Nid) -> Option<String> {
        let key = self.store.props().bytes(tags::RECORD_KEY)?;
        let bytes = [0; 4].into_iter().chain(key).chain(nid.0.to_le_bytes());
        Some(bytes.map(|byte| format!("{byte:02x}")).collect())
    }
}

fn named_xattrs(class: Option<String>, name: Option<String>) -> Attributes {
    let values = [("user.pst.class", class), ("user.pst.name", name)];
    values.into_iter().filter_map(|(key, value)| Some((key, value.filter(|value| !value.is_empty())?))).collect()
}
