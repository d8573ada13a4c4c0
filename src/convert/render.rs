//! The one door to all kinds of documents.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::body::Bodies;
use super::document::{Segment, fetch};
use super::file::{self, Shown};
use super::{Document, Format, Given, calendar, contact, eml};
use crate::damage::{Code, Error, Place, Result};
use crate::store::Store;
use crate::store::item::{Attachment, Item};

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
pub fn render_attachment(store: &Store, attachment: &Attachment, index: u32) -> Result<Document> {
    match shown(store, attachment, index)? {
        Shown::Message(node, _) => match store.item_or_remains(node) {
            Err(error) if !error.is_io() => eml::render(store, &Item::from_row(BTreeMap::new(), &error)),
            item => eml::render(store, &item?),
        },
        Shown::Note(_, text) => Ok(of_bytes(text.into_bytes())),
        Shown::File(file) => {
            let mut document = Document::default();
            document.push(Segment::Raw(file.bytes));
            Ok(document)
        }
    }
}

/// What an attachment's file is called; `index` counts from 0.
pub fn attachment_name(store: &Store, attachment: &Attachment, index: u32) -> Result<String> {
    Ok(match shown(store, attachment, index)? {
        Shown::Message(_, name) | Shown::Note(name, _) => name,
        Shown::File(file) => file.name,
    })
}

fn shown(store: &Store, attachment: &Attachment, index: u32) -> Result<Shown> {
    let number = usize::try_from(index).unwrap_or(usize::MAX).saturating_add(1);
    file::shown(attachment, number, &|stream, offset, len| fetch(store, stream, offset, len))
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
    let document = render_attachment(store, attachment, 0)?;
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
