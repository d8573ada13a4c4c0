//! Messages, appointments, contacts: the items of a folder, with their recipients and attachments.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::damage::Error;
use crate::format::id::{Bid, Nid};
use crate::ltp::value::{Stream, Value};

use super::addresses::Addresses;
use super::props::Props;
use super::{codepage, tags};

/// Where a node's content lies: its data tree and its subnode tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodeRef {
    /// The node's id.
    pub nid: Nid,
    /// Its data tree's root.
    pub data: Bid,
    /// Its subnode tree's root.
    pub subnodes: Bid,
}

/// An item: its properties, recipients and attachments.
#[derive(Clone, Debug, Default)]
pub struct Item {
    /// Where it lies.
    pub node: NodeRef,
    /// Its own properties.
    pub props: Props,
    /// The rows of its recipient table, in the table's order.
    pub recipients: Vec<Props>,
    /// Its attachments, in the table's order.
    pub attachments: Vec<Attachment>,
    /// What could not be read, in words for the user; empty for a whole item.
    pub damage: Vec<String>,
    /// How it was come by, in words for the user, where no folder holds it: `orphaned`, `deleted; complete`.
    pub origin: Option<String>,
    /// What the whole store tells of mail addresses; empty unless the user asked for it.
    pub addresses: Arc<Addresses>,
}

/// An attachment.
#[derive(Clone, Debug, Default)]
pub struct Attachment {
    /// Where it lies.
    pub node: NodeRef,
    /// Its properties.
    pub props: Props,
    /// What it holds.
    pub content: Content,
}

/// What an attachment holds ([MS-OXCMSG] 2.2.2.9, PidTagAttachMethod).
#[derive(Clone, Debug, Default)]
pub enum Content {
    /// Nothing: no content was ever stored.
    #[default]
    None,
    /// Bytes small enough to be here.
    Bytes(Vec<u8>),
    /// Bytes in the file.
    Stream(Stream),
    /// A message of its own; read it with `Store::item`.
    Message(NodeRef),
    /// An OLE object or another storage, as the bytes that were stored.
    Ole(Stream),
    /// A path or an address of the web, where only a reference was stored.
    Reference(String),
    /// It should hold something but cannot be read: why, in words for the user.
    Broken(String),
}

impl Item {
    /// An item that is not there to be read: what its row in the folder's table tells, by property id, and why there is no
    /// more.
    pub fn from_row(row: BTreeMap<u16, Value>, why: &Error) -> Self {
        let props = Props::new(Nid::default(), row, Arc::default(), None, codepage::WINDOWS_1252);
        Self { props, damage: vec![format!("the item cannot be read: {}", in_words(why))], ..Self::default() }
    }

    /// The message class as stored, empty where there is none.
    pub fn class(&self) -> String {
        self.props.text(tags::MESSAGE_CLASS).unwrap_or_default()
    }

    /// The subject without its two-character prefix mark ([MS-PST] 2.5.3.1.1.1).
    pub fn subject(&self) -> Option<String> {
        self.props.text(tags::SUBJECT).map(without_prefix_mark)
    }
}

/// Why something cannot be read, without ids: documents are the same in a repaired store, and ids are not.
pub(super) const fn in_words(why: &Error) -> &'static str {
    match why {
        Error::Damaged(code, _) => code.title(),
        Error::Io(_) | Error::Unsupported(_) | Error::NotFound(_) | Error::Cancelled => "it is not there",
    }
}

/// A subject as users see it: stored ones may begin with U+0001 and a character whose code is the prefix's length + 1.
pub fn without_prefix_mark(subject: String) -> String {
    let mut chars = subject.chars();
    match chars.next() {
        Some('\u{1}') => {
            chars.next();
            chars.as_str().to_owned()
        }
        _ => subject,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_loses_its_prefix_mark() {
        assert_eq!(without_prefix_mark("\u{1}\u{5}RE: x".into()), "RE: x");
        assert_eq!(without_prefix_mark("plain".into()), "plain");
        assert_eq!(without_prefix_mark("\u{1}".into()), "");
    }
}
