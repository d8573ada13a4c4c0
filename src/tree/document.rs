//! The document behind an inode: rendered once, kept while there is room.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ino::{Ino, Object, Slot};
use super::recovered::orphan_origin;
use super::{Rendered, Tree, object};
use crate::convert::{self, Format};
use crate::damage::{Code, Error, Place, Result};
use crate::format::id::Nid;
use crate::format::property::FileTime;
use crate::ltp::value::Value;
use crate::store::item::{Item, NodeRef};
use crate::store::{Store, Summary, Which};

impl Tree {
    /// The document behind an inode, with its size and time.
    pub(super) fn document(&self, ino: Ino) -> Result<Arc<Rendered>> {
        if let Some(document) = self.documents.get(&ino) {
            return Ok(document);
        }
        self.resolve_addresses()?;
        let rendered = self.store.ndb().without_io_failure(|| match object(ino)? {
            Object::Document(slot) => self.render(slot),
            Object::Attachment(nid, index) => self.render_attachment(nid, index),
            Object::Found(index) => self.render_found(index),
            Object::FoundAttachment(index, attachment) => self.render_found_attachment(index, attachment),
            _ => Err(Error::NotFound("a document of this number".into())),
        })?;
        let bytes = rendered.document.memory_bytes();
        Ok(self.documents.put(ino, rendered, bytes))
    }

    /// Renders an item; one that cannot be read becomes a document that says so and holds what its row tells.
    fn render(&self, slot: Slot) -> Result<Rendered> {
        let origin = slot.orphaned.then(|| orphan_origin(slot.nid).to_owned());
        let (item, format, time) = match self.store.locate(slot.nid) {
            Ok(node) => match self.store.item(node) {
                Ok(item) => {
                    let summary = Summary::of(slot.nid, &item.props);
                    let format = Format::of(&item.props);
                    (item, format, summary.time())
                }
                Err(error) => self.left_of(slot, Some(node), error)?,
            },
            Err(error) => self.left_of(slot, None, error)?,
        };
        let document = convert::render_with(&self.store, &Item { origin, ..item }, format, self.view().documents)?;
        Ok(Rendered::new(&self.store, document, time))
    }

    /// What is left of an item that cannot be read.
    fn left_of(&self, slot: Slot, node: Option<NodeRef>, error: Error) -> Result<(Item, Format, Option<FileTime>)> {
        if error.is_io() {
            return Err(error);
        }
        self.store.ndb().notes().survived(&error, Code::MessageRow, Place::node(slot.nid.0));
        let row = self.row_of(slot)?;
        let item = match node {
            Some(node) => self.store.remains(node, row, &error)?,
            None => Item::from_row(row, &error),
        };
        let time = Summary::of(slot.nid, &item.props).time();
        Ok((item, Format::Eml, time))
    }

    /// What the folder's table tells of an item.
    fn row_of(&self, slot: Slot) -> Result<BTreeMap<u16, Value>> {
        let Some(folder) = slot.folder else { return Ok(BTreeMap::new()) };
        for which in [Which::Normal, Which::Associated] {
            let row = self.store.row_values(folder, which, slot.nid)?;
            if !row.is_empty() {
                return Ok(row);
            }
        }
        Ok(BTreeMap::new())
    }

    fn render_attachment(&self, nid: Nid, index: u32) -> Result<Rendered> {
        let item = self.store.item_or_remains(self.store.locate(nid)?)?;
        attachment(&self.store, &item, index, Summary::of(nid, &item.props).time())
    }
}

/// An attachment of an item, as a document of its own.
pub(super) fn attachment(store: &Arc<Store>, item: &Item, index: u32, time: Option<FileTime>) -> Result<Rendered> {
    let at = usize::try_from(index).unwrap_or(usize::MAX);
    let attachment = item.attachments.get(at).ok_or_else(|| Error::NotFound(format!("attachment {index} of {}", item.node.nid)))?;
    Ok(Rendered::new(store, convert::render_attachment(store, attachment, index)?, time))
}
