//! The document behind an inode: rendered once, kept while there is room.

use std::sync::Arc;

use super::ino::{Ino, Object, Slot};
use super::{Known, Rendered, Tree, object};
use crate::convert::{self, Document, Format};
use crate::damage::{Code, Error, Place, Result};
use crate::format::id::Nid;
use crate::format::property::FileTime;
use crate::store::item::Item;
use crate::store::{Summary, Which};

impl Tree {
    /// The document behind an inode, with its size and time.
    pub(super) fn document(&self, ino: Ino) -> Result<Arc<Rendered>> {
        if let Some(document) = self.documents.get(&ino) {
            return Ok(document);
        }
        let (document, time) = self.store.ndb().without_io_failure(|| match object(ino)? {
            Object::Document(slot) => self.render(slot),
            Object::Attachment(nid, index) => self.render_attachment(nid, index),
            _ => Err(Error::NotFound("a document of this number".into())),
        })?;
        let bytes = document.memory_bytes();
        let known = Known { size: document.len(), mtime: time.and_then(FileTime::unix) };
        Ok(self.documents.put(ino, Rendered { document, known }, bytes))
    }

    /// Renders an item; one that cannot be read becomes a document that says so and holds what its row tells.
    fn render(&self, slot: Slot) -> Result<(Document, Option<FileTime>)> {
        let item = self.store.locate(slot.nid).and_then(|node| self.store.item(node));
        match item {
            Ok(item) => {
                let summary = Summary::of(slot.nid, &item.props);
                Ok((convert::render_with(&self.store, &item, Format::of(&item.props), self.view().documents)?, summary.time()))
            }
            Err(error) if error.is_io() => Err(error),
            Err(error) => {
                self.store.ndb().notes().survived(&error, Code::MessageRow, Place::node(slot.nid.0));
                let row = self.row_of(slot)?;
                let item = Item::from_row(&row, &error);
                Ok((convert::render(&self.store, &item, Format::Eml)?, row.time()))
            }
        }
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

    fn render_attachment(&self, nid: Nid, index: u32) -> Result<(Document, Option<FileTime>)> {
        let item = self.store.item(self.store.locate(nid)?)?;
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let attachment = item.attachments.get(index).ok_or_else(|| Error::NotFound(format!("attachment {index} of {nid}")))?;
        Ok((convert::render_attachment(&self.store, attachment)?, Summary::of(nid, &item.props).time()))
    }
}
