//! Unique ids for items that have none of their own.

use std::fmt::Debug;

use crate::convert::digest::Digest;
use crate::store::item::Item;
use crate::store::search_key;

/// A UUID made from an item's content (RFC 9562 version 8): its search key, else its class, subject and these `parts`.
///
/// Never from node ids: a converted or repaired store gives the same item other ones.
pub(in crate::convert) fn unique_id(item: &Item, parts: &[&dyn Debug]) -> String {
    let key = search_key::own(&item.props);
    if key.iter().any(|byte| *byte != 0) {
        return uuid(&key);
    }
    uuid(format!("{:?} {:?} {parts:?}", item.class(), item.subject()).as_bytes())
}

fn uuid(bytes: &[u8]) -> String {
    let marked = Digest::of(bytes) & !(0xf << 76) & !(0x3 << 62) | (0x8 << 76) | (0x2 << 62);
    let digits = format!("{marked:032x}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ltp::value::Value;
    use crate::store::props::Props;
    use crate::store::tags;

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        let uuid = uuid(b"");
        assert_eq!(uuid, "6c62272e-07bb-8142-a2b8-21756295c58d");
    }

    #[test]
    fn the_search_key_decides_where_there_is_one() {
        let with = |key: u8, subject: &str| {
            let values = [(tags::SEARCH_KEY, Value::Binary(vec![key; 16])), (tags::SUBJECT, Value::Unicode(subject.into()))];
            unique_id(&Item { props: Props::from_values(values), ..Item::default() }, &[&1])
        };
        assert_eq!(with(7, "a"), with(7, "b"));
        assert_ne!(with(7, "a"), with(8, "a"));
        assert_ne!(with(0, "a"), with(0, "b"));
    }
}
