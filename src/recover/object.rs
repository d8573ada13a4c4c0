//! What a heap without a node is: a message, a folder, a table, by its properties or columns.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::lists::Span;
use crate::damage::{Result, survived};
use crate::disk::Spill;
use crate::format::heap::HeapClient;
use crate::format::id::{Bid, Nid, NodeType};
use crate::format::table::ROW_ID;
use crate::ltp::value::Value;
use crate::ltp::{Properties, Row, Table};
use crate::ndb::Ndb;
use crate::store::props::Key;
use crate::store::tags;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Message,
    Associated,
    Folder,
    Store,
    Names,
    Hierarchy,
    Contents,
    AssociatedContents,
    Receive,
    Other,
}

impl Kind {
    /// The tables that folders have of what lies in them.
    pub(super) const TABLES: [Self; 3] = [Self::Hierarchy, Self::Contents, Self::AssociatedContents];
    /// Those of them that list items, each with what these are.
    pub(super) const ITEMS: [(Self, Self); 2] = [(Self::Contents, Self::Message), (Self::AssociatedContents, Self::Associated)];

    /// The type of the nodes that hold such an object, but for those of searches; no node has that of [`Kind::Other`].
    pub(super) fn node_type(self) -> NodeType {
        match self {
            Self::Message => NodeType::MESSAGE,
            Self::Associated => NodeType::ASSOCIATED_MESSAGE,
            Self::Folder => NodeType::FOLDER,
            Self::Store => Nid::MESSAGE_STORE.kind(),
            Self::Names => Nid::NAME_MAP.kind(),
            Self::Hierarchy => NodeType::HIERARCHY_TABLE,
            Self::Contents => NodeType::CONTENTS_TABLE,
            Self::AssociatedContents => NodeType::ASSOCIATED_TABLE,
            Self::Receive => Nid::RECEIVE_FOLDER_TABLE.kind(),
            Self::Other => NodeType::HID,
        }
    }
}

/// An object whose node is not known. There may be millions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) data: Bid,
    /// Root of its subnode tree, once that is known.
    pub(super) subnodes: Bid,
    /// Subnodes that it names, in the list of those that all objects name.
    pub(super) needs: Span,
    pub(super) print: Print,
    /// PidTagMessageSize.
    pub(super) size: Option<u32>,
    /// Bytes of its own data.
    pub(super) own_bytes: u64,
    /// Whether it says that it has attachments.
    pub(super) has_attachments: Option<bool>,
    /// A digest of PidTagDisplayTo, where it has one.
    pub(super) display_to: Option<u32>,
    /// Whether a node was made of it.
    pub(super) is_taken: bool,
}

/// Properties that stand both in an object and in the row that a table has of it ([MS-PST] 2.4.4.4.1, 2.4.4.5.1), each
/// with its weight: how much it says that they agree.
const CELLS: [(Key, u32); 18] = [
    (tags::MESSAGE_DELIVERY_TIME, 4),
    (tags::CLIENT_SUBMIT_TIME, 4),
    (tags::LAST_MODIFICATION_TIME, 4),
    (tags::SUBJECT, 3),
    (tags::MESSAGE_SIZE, 3),
    (tags::DISPLAY_NAME, 4),
    (tags::CONVERSATION_INDEX, 4),
    (tags::MESSAGE_CLASS, 1),
    (tags::DISPLAY_CC, 1),
    (tags::DISPLAY_TO, 2),
    (tags::CONVERSATION_TOPIC, 1),
    (tags::SENT_REPRESENTING_NAME, 1),
    (tags::MESSAGE_FLAGS, 1),
    (tags::CONTENT_COUNT, 2),
    (tags::CONTENT_UNREAD_COUNT, 1),
    (tags::SUBFOLDERS, 1),
    (tags::CONTAINER_CLASS, 1),
    (tags::REPLICATION_KEY, 4),
];

/// Those that an item keeps for ever: subject, size, times of delivery and submission.
const ORIGIN: [Key; 4] = [tags::SUBJECT, tags::MESSAGE_SIZE, tags::MESSAGE_DELIVERY_TIME, tags::CLIENT_SUBMIT_TIME];

/// Digests of [`CELLS`]; 0 for one that is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Print([u32; CELLS.len()]);

impl Print {
    /// The print of an object whose properties this tells.
    pub(super) fn of(value: impl Fn(Key) -> Option<Value>) -> Self {
        Self(CELLS.map(|(key, _)| {
            let value = value(key).map(|value| if key == tags::CONTAINER_CLASS { general(value) } else { value });
            value.as_ref().and_then(digest).unwrap_or(0)
        }))
    }

    /// Whether this property has this value.
    pub(super) fn has(&self, key: Key, value: &Value) -> bool {
        digest(value) == Some(self.cell(key))
    }

    /// Whether this property is there and has another value.
    pub(super) fn differs(&self, key: Key, value: &Value) -> bool {
        self.cell(key) != 0 && !self.has(key, value)
    }

    /// Whether it has no name: only the root folder has none.
    pub(super) fn is_nameless(&self) -> bool {
        self.cell(tags::DISPLAY_NAME) == 0 || self.has(tags::DISPLAY_NAME, &Value::Unicode(String::new()))
    }

    /// The cells that tell objects apart best, for looking up.
    pub(super) fn keys(&self) -> impl Iterator<Item = (usize, u32)> {
        self.0.into_iter().enumerate().take(7).filter(|(_, digest)| *digest != 0)
    }

    /// Whether a row with this print tells of an item or of a copy of it, whatever became of either since.
    ///
    /// Tables have not all columns: what a row does not tell is not asked for, but it has to tell three of the four.
    pub(super) fn tells_of(&self, item: &Self) -> bool {
        let told = || ORIGIN.iter().map(|key| (self.cell(*key), item.cell(*key))).filter(|(row, _)| *row != 0);
        told().count() > 2 && told().all(|(row, item)| row == item)
    }

    /// Whether both tell something of a property, and not the same.
    pub(super) fn contradicts(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| *a != 0 && *b != 0 && a != b)
    }

    /// The digest of a property; 0 for one that is absent.
    pub(super) fn cell(&self, key: Key) -> u32 {
        let at = CELLS.iter().position(|(cell, _)| *cell == key).and_then(|index| self.0.get(index));
        at.copied().unwrap_or_default()
    }

    /// How much two prints agree; `None` where they do not.
    pub(super) fn agrees(&self, other: &Self) -> Option<u32> {
        let (mut same, mut different) = (0_u32, 0_u32);
        for ((_, weight), (a, b)) in CELLS.iter().zip(self.0.iter().zip(&other.0)) {
            match (a, b) {
                (0, _) | (_, 0) => {}
                (a, b) if a == b => same = same.saturating_add(*weight),
                _ => different = different.saturating_add(*weight),
            }
        }
        (same >= 4 && same > different.saturating_mul(2)).then(|| same.saturating_sub(different))
    }
}

/// The class of folders that one is a kind of: `IPF.Contact` of `IPF.Contact.RecipientCache`.
fn general(class: Value) -> Value {
    let Value::Unicode(class) = class else { return class };
    let end = class.match_indices('.').nth(1).map_or(class.len(), |(at, _)| at);
    Value::Unicode(class.get(..end).unwrap_or(&class).to_owned())
}

/// A digest of a value that tells it from others; never 0. `None` for what is no plain value.
pub(super) fn digest(value: &Value) -> Option<u32> {
    let mut hasher = DefaultHasher::new();
    match value {
        Value::Unicode(text) => text.as_bytes().hash(&mut hasher),
        Value::String8(bytes) | Value::Binary(bytes) => bytes.hash(&mut hasher),
        Value::I32(number) => number.hash(&mut hasher),
        Value::I16(number) => number.hash(&mut hasher),
        Value::Bool(flag) => flag.hash(&mut hasher),
        Value::Time(time) => time.0.hash(&mut hasher),
        _ => return None,
    }
    let [a, b, c, d, ..] = hasher.finish().to_le_bytes();
    Some(u32::from_le_bytes([a, b, c, d]).max(1))
}

/// A digest of names as PidTagDisplayTo has them: between them stands a semicolon, after which Outlook puts a space and
/// other writers do not.
pub(super) fn names_digest(value: &Value) -> Option<u32> {
    match value {
        Value::Unicode(names) => digest(&Value::Unicode(names.split(';').map(str::trim).collect::<Vec<_>>().join(";"))),
        Value::String8(names) => {
            let names: Vec<&[u8]> = names.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).collect();
            digest(&Value::String8(names.join(&b";"[..])))
        }
        other => digest(other),
    }
}

/// The cell of a row in a property's column.
pub(super) fn cell(table: &Table<'_>, row: &Row, key: Key) -> Result<Option<Value>> {
    key.id().map_or(Ok(None), |id| table.cell(row, id))
}

/// The print of a table's row.
pub(super) fn row_print(table: &Table<'_>, row: &Row) -> Print {
    Print::of(|key| cell(table, row, key).ok().flatten())
}

impl Object {
    /// What the heap with this data root is; `None` where it cannot be read as what it says. What it names joins `needs`.
    pub(super) fn read(ndb: &Ndb, data: Bid, client: HeapClient, needs: &mut Spill<Nid>) -> Result<Option<Self>> {
        let read = match client {
            HeapClient::PROPERTIES => Self::of_properties(ndb, data, needs),
            HeapClient::TABLE => Self::of_table(ndb, data, needs),
            _ => return Ok(None),
        };
        survived(read)
    }

    /// What the properties with this data root are, for whoever does not ask what they name.
    pub(super) fn read_properties(ndb: &Ndb, data: Bid) -> Result<Option<Self>> {
        Self::read(ndb, data, HeapClient::PROPERTIES, &mut Spill::new())
    }

    /// What the properties with this data root are, whose heap is damaged; `None` where nothing tells.
    pub(super) fn salvaged(ndb: &Ndb, data: Bid) -> Result<Option<Self>> {
        let properties = Properties::salvage(ndb, Nid::default(), data, Bid::NONE)?;
        Ok(properties.map(|properties| Self::of_records(&properties, data, &mut Spill::new())))
    }

    fn of_properties(ndb: &Ndb, data: Bid, needs: &mut Spill<Nid>) -> Result<Self> {
        Ok(Self::of_records(&Properties::open(ndb, Nid::default(), data, Bid::NONE)?, data, needs))
    }

    fn of_records(properties: &Properties<'_>, data: Bid, needs: &mut Spill<Nid>) -> Self {
        let records = properties.records();
        let has = |key: Key| records.iter().any(|record| Some(record.id) == key.id());
        let value =
            |key: Key| records.iter().find(|record| Some(record.id) == key.id()).and_then(|record| properties.value(record).ok()?);
        let flags = match value(tags::MESSAGE_FLAGS) {
            Some(Value::I32(flags)) => Some(flags),
            _ => None,
        };
        let kind = match () {
            // Some folders have a class and flags too, but no message counts items.
            () if has(tags::CONTENT_COUNT) || has(tags::SUBFOLDERS) => Kind::Folder,
            () if has(tags::MESSAGE_CLASS) && flags.is_some_and(|flags| flags & 0x40 != 0) => Kind::Associated,
            () if has(tags::MESSAGE_CLASS) => Kind::Message,
            () if has(tags::VALID_FOLDER_MASK) || has(tags::IPM_SUBTREE_ENTRY_ID) || has(tags::PST_PASSWORD) => Kind::Store,
            () if has(tags::NAME_MAP_GUIDS) && has(tags::NAME_MAP_ENTRIES) && has(tags::NAME_MAP_STRINGS) => Kind::Names,
            () => Kind::Other,
        };
        let named = records.iter().filter(|record| !record.kind.is_inline() && !record.value.is_none() && record.value.hid().is_none());
        Self {
            kind,
            data,
            subnodes: Bid::NONE,
            needs: Span::put(needs, &named.map(|record| record.value.nid()).collect::<Vec<_>>()),
            print: Print::of(value),
            size: match value(tags::MESSAGE_SIZE) {
                Some(Value::I32(size)) => u32::try_from(size).ok(),
                _ => None,
            },
            own_bytes: properties.heap().len(),
            has_attachments: flags.map(|flags| flags & 0x10 != 0),
            display_to: value(tags::DISPLAY_TO).as_ref().and_then(names_digest),
            is_taken: false,
        }
    }

    /// A table; its rows may lie in a subnode that is not known yet.
    fn of_table(ndb: &Ndb, data: Bid, needs: &mut Spill<Nid>) -> Result<Self> {
        let (info, own_bytes) = Table::header(ndb, data)?;
        let has = |key: Key| key.id().and_then(|id| info.column(id)).is_some();
        let kind = match () {
            () if info.column(ROW_ID).is_none() => Kind::Other,
            () if has(tags::RECEIVE_FOLDER) => Kind::Receive,
            () if has(tags::LTP_PARENT_NID) || has(tags::RECIPIENT_TYPE) || has(tags::ATTACH_METHOD) => Kind::Other,
            () if has(tags::SEND_OUTLOOK_RECALL_REPORT) || has(tags::VIEW_DESCRIPTOR_FLAGS) => Kind::AssociatedContents,
            () if has(tags::MESSAGE_SIZE) && has(tags::MESSAGE_FLAGS) => Kind::Contents,
            () if has(tags::SUBFOLDERS) || has(tags::CONTENT_COUNT) => Kind::Hierarchy,
            () => Kind::Other,
        };
        let rows = (!info.rows.is_none() && info.rows.hid().is_none()).then(|| info.rows.nid());
        let needs = Span::put(needs, rows.filter(|nid| nid.kind() == NodeType::LTP).as_slice());
        let (print, subnodes) = (Print::default(), Bid::NONE);
        let (size, has_attachments, display_to) = (None, None, None);
        Ok(Self { kind, data, subnodes, needs, print, size, own_bytes, has_attachments, display_to, is_taken: false })
    }

    /// Whether it is a table.
    pub(super) const fn is_table(&self) -> bool {
        matches!(self.kind, Kind::Hierarchy | Kind::Contents | Kind::AssociatedContents | Kind::Receive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of Aspose's whose node was lost had four recipients, and got none of them back.
    #[test]
    fn names_are_the_same_with_and_without_a_space_between_them() {
        let (wide, narrow) =
            (|names: &str| names_digest(&Value::Unicode(names.into())), |names: &[u8]| names_digest(&Value::String8(names.into())));
        assert_eq!(wide("Ann;Bob"), wide("Ann; Bob"));
        assert_eq!(narrow(b"Ann;Bob"), narrow(b"Ann; Bob"));
        assert_ne!(wide("Ann;Bob"), wide("AnnBob"));
    }
}
