//! The one door to all kinds of documents.

use super::{Document, Format};
use crate::damage::Result;
use crate::store::Store;
use crate::store::item::{Attachment, Item};
use crate::store::tags;

/// The document of an item, as the kind that its class tells or that the caller wants.
pub fn render(_store: &Store, _item: &Item, _format: Format) -> Result<Document> {
    Ok(Document::default())
}

/// The bytes of an attachment as a document of its own.
pub fn render_attachment(_store: &Store, _attachment: &Attachment) -> Result<Document> {
    Ok(Document::default())
}

/// What an attachment's file is called; `index` counts from 0.
pub fn attachment_name(attachment: &Attachment, index: u32) -> String {
    let props = &attachment.props;
    let stored = [tags::ATTACH_LONG_FILENAME, tags::ATTACH_FILENAME, tags::DISPLAY_NAME].into_iter().find_map(|key| props.text(key));
    stored.unwrap_or_else(|| format!("attachment-{}", index.saturating_add(1)))
}
