//! The document behind an inode: rendered once, kept while there is room.

use std::sync::Arc;

use super::ino::{Ino, Object, Slot};
use super::recovered::orphan_origin;
use super::{Rendered, Tree, object};
use crate::convert::{self, Format};
use crate::damage::{Code, Error, Place, Result};
use crate::format::id::Nid;
use crate::format::property::FileTime;
use crate::store::item::Item;
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
        let item = self.store.locate(slot.nid).and_then(|node| self.store.item(node));
        let (item, format, time) = match item {
            Ok(item) => {
                let summary = Summary::of(slot.nid, &item.props);
                let format = Format::of(&item.props);
                (item, format, summary.time())
            }
            Err(error) if error.is_io() => return Err(error),
            Err(error) => {
                self.store.ndb().notes().survived(&error, Code::MessageRow, Place::node(slot.nid.0));
                let row = self.row_of(slot)?;
                (Item::from_row(&row, &error), Format::Eml, row.time())
            }
        };
        let document = convert::render_with(&self.store, &Item { origin, ..item }, format, self.view().documents)?;
        Ok(Rendered::new(&self.store, document, time))
    }

    /// What the folder's table tells of an item.
    fn row_of(&self, slot: Slot) -> Result<Summary> {
        let Some(folder) = slot.folder else { return Ok(Summary { nid: slot.nid, ..Summary::default() }) };
        for which in [Which::Normal, Which::Associated] {
            if let Some(row) = self.store.row(folder, which, slot.nid)? {
                return Ok(row);
            }
        }
        Err(Error::NotFound(format!("item {} in folder {folder}", slot.nid)))
    }

    fn render_attachment(&self, nid: Nid, index: u32) -> Result<Rendered> {
        let item = self.store.item(self.store.locate(nid)?)?;
        attachment(&self.store, &item, index, Summary::of(nid, &item.props).time())
    }
}

/// An attachment of an item, as a document of its own.
pub(super) fn attachment(store: &Arc<Store>, item: &Item, index: u32, time: Option<FileTime>) -> Result<Rendered> {
    let at = usize::try_from(index).unwrap_or(usize::MAX);
    let attachment = item.attachments.get(at).ok_or_else(|| Error::NotFound(format!("attachment {index} of {}", item.node.nid)))?;
    Ok(Rendered::new(store, convert::render_attachment(store, attachment, index)?, time))
}
