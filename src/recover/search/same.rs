//! Which items are the same, and which states of an item say the same.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use crate::damage::Result;
use crate::ltp::value::{Stream, Value};
use crate::store::item::{Attachment, Content, Item};
use crate::store::props::{Key, Props};
use crate::store::{Store, tags};

/// What tells an item from others, whatever became of it: a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Identity(u64);

impl Identity {
    /// The search key, which stays as an item is changed or moved; else the internet message id; else class, subject and times.
    pub(super) fn of(props: &Props) -> Self {
        let mut hasher = DefaultHasher::new();
        let key = props.bytes(tags::SEARCH_KEY).filter(|key| !key.is_empty());
        let message_id = || props.text(tags::INTERNET_MESSAGE_ID).filter(|id| !id.trim().is_empty());
        if let Some(key) = key {
            key.hash(&mut hasher);
        } else if let Some(id) = message_id() {
            id.hash(&mut hasher);
        } else {
            props.text_start(tags::MESSAGE_CLASS).hash(&mut hasher);
            props.text_start(tags::SUBJECT).hash(&mut hasher);
            for time in [tags::CREATION_TIME, tags::CLIENT_SUBMIT_TIME, tags::MESSAGE_DELIVERY_TIME] {
                props.time(time).hash(&mut hasher);
            }
        }
        Self(hasher.finish())
    }
}

/// What changes without a change of what an item says: marks of reading, sizes, times and counts of changes.
const BOOKKEEPING: [Key; 7] = [
    tags::MESSAGE_FLAGS,
    tags::MESSAGE_SIZE,
    tags::MESSAGE_STATUS,
    tags::LAST_MODIFICATION_TIME,
    tags::CHANGE_KEY,
    tags::PREDECESSOR_CHANGE_LIST,
    tags::ATTACH_SIZE,
];

/// Properties that the store keeps for itself, and never hands to others ([MS-OXPROPS] 1.3.3).
const PROVIDERS_OWN: std::ops::RangeInclusive<u16> = 0x6600..=0x67ff;

/// What a PST keeps for replication: a number, a count of changes and a history, which each copy of an item has of its
/// own (PidTagReplItemid to PidTagReplCopiedfromItemid).
const REPLICATION: std::ops::RangeInclusive<u16> = 0x0e30..=0x0e3d;

/// How much of a long value is compared at its start and at its end, beside its length.
const COMPARED_BYTES: usize = 64 << 10;

/// A digest of what an item says: its properties, recipients and attachments.
pub(super) fn content(store: &Store, item: &Item) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    props(store, &item.props, &mut hasher)?;
    item.recipients.iter().try_for_each(|recipient| props(store, recipient, &mut hasher))?;
    item.attachments.iter().try_for_each(|one| attachment(store, one, &mut hasher))?;
    Ok(hasher.finish())
}

fn attachment(store: &Store, attachment: &Attachment, to: &mut DefaultHasher) -> Result<()> {
    props(store, &attachment.props, to)?;
    match &attachment.content {
        Content::Stream(value) | Content::Ole(value) => stream(store, value, to)?,
        // Deeper down the size tells enough.
        Content::Message(node) => match store.item(*node) {
            Ok(item) => props(store, &item.props, to)?,
            Err(error) if error.is_io() => return Err(error),
            Err(_) => to.write_u8(0),
        },
        Content::Broken(_) => to.write_u8(1),
        // These stand among the properties.
        Content::None | Content::Bytes(_) | Content::Reference(_) => {}
    }
    Ok(())
}

fn props(store: &Store, props: &Props, to: &mut DefaultHasher) -> Result<()> {
    for (id, value) in props.values() {
        if BOOKKEEPING.contains(&Key::Id(*id)) || PROVIDERS_OWN.contains(id) || REPLICATION.contains(id) {
            continue;
        }
        id.hash(to);
        match value {
            Value::Stream(value) => stream(store, value, to)?,
            Value::Object(..) => {}
            // Each kind of value prints as what it holds.
            other => format!("{other:?}").hash(to),
        }
    }
    Ok(())
}

fn stream(store: &Store, stream: &Stream, to: &mut DefaultHasher) -> Result<()> {
    stream.len.hash(to);
    let ndb = store.ndb();
    let tail = stream.len.saturating_sub(u64::try_from(COMPARED_BYTES).unwrap_or(0));
    let read = ndb.data(stream.data).and_then(|data| Ok((data.read(ndb, 0, COMPARED_BYTES)?, data.read(ndb, tail, COMPARED_BYTES)?)));
    match read {
        Ok(ends) => ends.hash(to),
        Err(error) if error.is_io() => return Err(error),
        Err(_) => to.write_u8(0),
    }
    Ok(())
}
