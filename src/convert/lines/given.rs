//! What a renderer needs beside the item itself.

use super::plain::plain;
use crate::convert::body::Bodies;
use crate::store::item::{Attachment, Content, Item, NodeRef};
use crate::store::tags;

/// What the caller can find out and a renderer cannot: it has no store to ask.
///
/// The same store must give the same answers each time, or the document is another one each time. The default knows
/// nothing, and what is missing then is left out or told in the document.
pub struct Given<'a> {
    /// The body as text, for an item whose text is stored as HTML or RTF only.
    pub body: Option<&'a str>,
    /// The message inside an attachment.
    pub message: &'a dyn Fn(NodeRef) -> Option<Item>,
    /// The bytes of an attachment that are not in the item: a large file, or an attached message as `.eml`.
    pub bytes: &'a dyn Fn(&Attachment) -> Option<Vec<u8>>,
}

impl Default for Given<'_> {
    fn default() -> Self {
        Self { body: None, message: &|_| None, bytes: &|_| None }
    }
}

impl std::fmt::Debug for Given<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given").field("body", &self.body).finish_non_exhaustive()
    }
}

impl Given<'_> {
    /// The item's body as text: as stored, as the caller gave it, else what its RTF or HTML says.
    pub(in crate::convert) fn text(&self, item: &Item) -> Option<String> {
        let stored = item.props.text(tags::BODY).filter(|body| !body.trim().is_empty());
        stored.or_else(|| self.body.map(str::to_owned)).or_else(|| {
            let bodies = Bodies::of(item);
            bodies.text.or_else(|| bodies.html.as_deref().map(plain))
        })
    }

    /// The bytes of an attachment.
    pub(in crate::convert) fn content(&self, attachment: &Attachment) -> Option<Vec<u8>> {
        let stored = match &attachment.content {
            Content::Bytes(bytes) => Some(bytes.clone()),
            Content::Stream(_) => attachment.props.bytes(tags::ATTACH_DATA),
            Content::None | Content::Message(_) | Content::Ole(_) | Content::Reference(_) | Content::Broken(_) => None,
        };
        stored.or_else(|| (self.bytes)(attachment))
    }
}
