//! The one door to all kinds of documents.

use std::cell::RefCell;

use super::body::Bodies;
use super::document::{Segment, Source, fetch};
use super::part::without_place;
use super::{Document, Format, Given, calendar, contact, eml};
use crate::damage::{Code, Error, Place, Result};
use crate::store::Store;
use crate::store::item::{Attachment, Content, Item};
use crate::store::tags;

/// The longest attachment that becomes part of an event or contact; mail holds larger ones without reading them.
const INLINE_MAX: u64 = 16 << 20;

/// What a user may choose about documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// The version of vCard.
    pub vcard: contact::Version,
}

/// The document of an item, of this kind; mail where the item lacks what the kind needs.
pub fn render(store: &Store, item: &Item, format: Format) -> Result<Document> {
    render_with(store, item, format, Options::default())
}

/// The same as the user chose it.
pub fn render_with(store: &Store, item: &Item, format: Format, options: Options) -> Result<Document> {
    let text = match format {
        Format::Eml => None,
        Format::Ics => with_given(store, item, calendar::render)?,
        Format::Vcf => with_given(store, item, |item, given| contact::render_as(item, given, options.vcard))?,
    };
    match text {
        Some(text) => Ok(of_bytes(text.into_bytes())),
        None => eml::render(store, item),
    }
}

/// The content of an attachment as a document of its own; an embedded message is mail.
pub fn render_attachment(store: &Store, attachment: &Attachment) -> Result<Document> {
    match &attachment.content {
        Content::Message(node) => eml::render(store, &store.item(*node)?),
        Content::Stream(stream) | Content::Ole(stream) => {
            let mut document = Document::default();
            document.push(Segment::Raw(Source::from(*stream)));
            Ok(document)
        }
        Content::Bytes(bytes) => Ok(of_bytes(bytes.clone())),
        Content::Reference(to) => Ok(of_bytes(format!("{to}\n").into_bytes())),
        Content::None => Ok(Document::default()),
        Content::Broken(why) => Ok(of_bytes(format!("This attachment cannot be read: {}\n", without_place(why)).into_bytes())),
    }
}

/// What an attachment's file is called; `index` counts from 0.
pub fn attachment_name(attachment: &Attachment, index: u32) -> String {
    let props = &attachment.props;
    let names = [tags::ATTACH_LONG_FILENAME, tags::ATTACH_FILENAME, tags::DISPLAY_NAME];
    let stored = names.into_iter().find_map(|key| props.text(key)).filter(|name| !name.trim().is_empty());
    let name = stored.unwrap_or_else(|| format!("attachment-{}", index.saturating_add(1)));
    match &attachment.content {
        Content::Message(_) if !name.to_lowercase().ends_with(".eml") => format!("{name}.eml"),
        // What says why is no photo, whatever the attachment was called.
        Content::Broken(_) => format!("{name}.unreadable.txt"),
        _ => name,
    }
}

/// Renders what may hold other items: these are read from the store, and an I/O error on the way is the result.
fn with_given(store: &Store, item: &Item, render: impl Fn(&Item, &Given<'_>) -> Option<String>) -> Result<Option<String>> {
    let failed = RefCell::new(None);
    let survived = |error: Error| {
        if error.is_io() {
            failed.replace(Some(error));
        } else {
            store.ndb().notes().survived(&error, Code::EmbeddedMessage, Place::node(item.node.nid.0));
        }
    };
    let message = |node| store.item(node).map_err(survived).ok();
    let bytes = |attachment: &Attachment| contents(store, attachment).map_err(survived).ok().flatten();
    let body = Bodies::of(item).text;
    let text = render(item, &Given { body: body.as_deref(), message: &message, bytes: &bytes });
    match failed.into_inner() {
        Some(error) => Err(error),
        None => Ok(text),
    }
}

/// The bytes of an attachment, where they are few enough.
fn contents(store: &Store, attachment: &Attachment) -> Result<Option<Vec<u8>>> {
    let document = render_attachment(store, attachment)?;
    if document.len() > INLINE_MAX {
        return Ok(None);
    }
    let len = usize::try_from(document.len()).unwrap_or(usize::MAX);
    document.read_with(0, len, &|stream, offset, len| fetch(store, stream, offset, len)).map(Some)
}

fn of_bytes(bytes: Vec<u8>) -> Document {
    let mut document = Document::default();
    document.push(Segment::Bytes(bytes));
    document
}
