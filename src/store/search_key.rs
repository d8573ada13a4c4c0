//! Search keys: 16 bytes by which an item and its copies are known ([MS-OXCPRPT] 2.2.1.9), and those that a repair made.
//!
//! What an item's documents are told apart by must not change when a repair gives the item the key that it lacks. So a
//! key made here says that it was, and readers take the item for one without a key.

use sha2::{Digest, Sha256};

use crate::format::id::Nid;
use crate::format::property::FileTime;

use super::props::Props;
use super::tags;

/// What a made key begins with. Others begin with anything: one in 2^40 is taken for made, and then does without.
const MADE: [u8; 5] = *b"pstfs";
/// Bytes of a key.
const KEY_BYTES: usize = 16;

/// A key for an item that has none: the same at every repair of this store.
///
/// `dated` is whether the item tells itself when it was made: a time that the repair gives it is no part of who it is.
pub fn made(store: &[u8], nid: Nid, dated: bool) -> Vec<u8> {
    let digest = Sha256::new().chain_update(store).chain_update(nid.0.to_le_bytes()).finalize();
    MADE.into_iter().chain([u8::from(dated)]).chain(digest).take(KEY_BYTES).collect()
}

/// The item's own key; empty where it has none.
pub fn own(props: &Props) -> Vec<u8> {
    props.bytes(tags::SEARCH_KEY).filter(|key| !is_made(key)).unwrap_or_default()
}

/// When the item was made, as far as it told itself before any repair: of items without a key a part of who they are.
pub fn own_creation_time(props: &Props) -> Option<FileTime> {
    let undated = props.bytes(tags::SEARCH_KEY).is_some_and(|key| is_made(&key) && key.get(MADE.len()) == Some(&0));
    props.time(tags::CREATION_TIME).filter(|_| !undated)
}

fn is_made(key: &[u8]) -> bool {
    key.len() == KEY_BYTES && key.starts_with(&MADE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ltp::value::Value;

    fn item(key: Vec<u8>) -> Props {
        let created = (tags::CREATION_TIME, Value::Time(FileTime::from_unix(1).unwrap()));
        Props::from_values([(tags::SEARCH_KEY, Value::Binary(key)), created])
    }

    #[test]
    fn a_made_key_is_no_key_of_the_items_own() {
        let (undated, dated) = (made(b"store", Nid(4), false), made(b"store", Nid(4), true));
        assert_eq!((undated.len(), dated.len()), (KEY_BYTES, KEY_BYTES));
        assert_ne!(dated, made(b"store", Nid(0x24), true));
        assert_eq!((own(&item(undated.clone())), own(&item(vec![7; 16]))), (Vec::new(), vec![7; 16]));
        let of = |key| own_creation_time(&item(key)).is_some();
        assert_eq!([of(undated), of(dated), of(vec![7; 16])], [false, true, true]);
    }
}
