//! Messages, appointments, contacts: the items of a folder, with their recipients and attachments.

use std::sync::Arc;

use crate::damage::Error;
use crate::format::id::{Bid, Nid};
use crate::ltp::value::{Stream, Value};

use super::addresses::Addresses;
use super::folder::Summary;
use super::props::Props;
use super::tags;

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
    /// An item that cannot be read: what its row in the folder's table tells, and why there is no more.
    ///
    /// The reason is told without ids: documents are the same in a repaired store, and ids are not.
    pub fn from_row(row: &Summary, why: &Error) -> Self {
        let why = match why {
            Error::Damaged(code, _) => code.title(),
            Error::Io(_) | Error::Unsupported(_) | Error::NotFound(_) | Error::Cancelled => "it is not there",
        };
        let text = |text: &Option<String>| text.clone().map(Value::Unicode);
        let values = [
            (tags::MESSAGE_CLASS, text(&row.class)),
            (tags::SUBJECT, text(&row.subject)),
            (tags::MESSAGE_DELIVERY_TIME, row.delivered.map(Value::Time)),
            (tags::CLIENT_SUBMIT_TIME, row.submitted.map(Value::Time)),
            (tags::LAST_MODIFICATION_TIME, row.modified.map(Value::Time)),
            (tags::MESSAGE_FLAGS, row.flags.map(Value::I32)),
        ];
        let props = Props::from_values(values.into_iter().filter_map(|(key, value)| Some((key, value?))));
        Self { props, damage: vec![format!("the item cannot be read: {why}")], ..Self::default() }
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
