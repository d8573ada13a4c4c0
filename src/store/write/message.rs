//! What a message to write holds.

use std::fmt;
use std::io::Read;

use super::props::PropertyList;

/// A message to write.
#[derive(Debug, Default)]
pub struct MessageDraft<'a> {
    /// Its properties. Size and the flags that follow from the rest are set by the builder.
    pub props: PropertyList,
    /// Its recipients, in order.
    pub recipients: Vec<PropertyList>,
    /// Its attachments, in order.
    pub attachments: Vec<AttachmentDraft<'a>>,
}

/// An attachment to write.
#[derive(Debug, Default)]
pub struct AttachmentDraft<'a> {
    /// Its properties. Method and size are set by the builder, and what holds the content.
    pub props: PropertyList,
    /// What it holds.
    pub content: AttachmentContent<'a>,
}

/// What an attachment to write holds ([MS-OXCMSG] 2.2.2.9).
#[derive(Default)]
pub enum AttachmentContent<'a> {
    /// Nothing that the builder has to write; the method is that of the properties.
    #[default]
    Plain,
    /// Bytes, read to their end.
    Bytes(Box<dyn Read + 'a>),
    /// A message.
    Message(Box<MessageDraft<'a>>),
    /// An OLE object or another storage, as bytes.
    Ole(Box<dyn Read + 'a>),
}

impl fmt::Debug for AttachmentContent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("Plain"),
            Self::Bytes(_) => f.write_str("Bytes(..)"),
            Self::Message(draft) => f.debug_tuple("Message").field(draft).finish(),
            Self::Ole(_) => f.write_str("Ole(..)"),
        }
    }
}
