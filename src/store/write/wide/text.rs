//! Strings in a code page, as UTF-16 ([MS-PST] 2.3.3.3; [MS-OXCDATA] 2.11.1).

use crate::damage::Result;
use crate::format::id::Bid;
use crate::format::property::PropType;
use crate::ltp::value::Value;
use crate::ltp::write::value;
use crate::ndb::write::{BlockSink, DataTree};
use crate::store::props::Key;
use crate::store::{codepage, tags};

/// What readers take for bytes even where a writer called it a string.
const BYTES: [Key; 2] = [tags::ATTACH_DATA, tags::RTF_COMPRESSED];

/// The type that a property has in a Unicode store.
pub(super) fn wide_kind(id: u16, kind: PropType) -> PropType {
    match kind.element() {
        PropType::STRING8 if BYTES.iter().any(|key| key.id() == Some(id)) => PropType::BINARY,
        PropType::STRING8 => PropType(PropType::UNICODE.0 | kind.0 & PropType::MULTI),
        _ => kind,
    }
}

/// A value as a Unicode store keeps it.
pub(super) fn wide_value(page: u16, id: u16, value: Value) -> Value {
    match value {
        Value::String8(bytes) if wide_kind(id, PropType::STRING8) == PropType::BINARY => Value::Binary(bytes),
        Value::String8(bytes) => Value::Unicode(wide_text(page, id, &bytes)),
        Value::Multi(values) => Value::Multi(values.into_iter().map(|value| wide_value(page, id, value)).collect()),
        other => other,
    }
}

/// The type and the bytes of a value as a Unicode store keeps it; of a string that cannot be read what it is now.
pub(super) fn wide_bytes(page: u16, id: u16, kind: PropType, bytes: Vec<u8>) -> (PropType, Vec<u8>) {
    if kind.element() != PropType::STRING8 {
        return (kind, bytes);
    }
    let wide = wide_kind(id, kind);
    let encoded = Value::decode(kind, &bytes).and_then(|narrow| value::encode(wide, &wide_value(page, id, narrow)));
    encoded.map_or((kind, bytes), |encoded| (wide, encoded))
}

/// The text as readers of the old store see it.
pub(super) fn wide_text(page: u16, id: u16, bytes: &[u8]) -> String {
    let text = codepage::decode(page, bytes);
    let marked = if tags::SUBJECT.id() == Some(id) { with_prefix_counted(page, bytes, &text) } else { None };
    marked.unwrap_or(text)
}

/// A subject begins with U+0001 and the length of its prefix plus one ([MS-PST] 2.5.3.1.1.1): in bytes where it is in a
/// code page, in characters where it is not. `None` where both are the same.
fn with_prefix_counted(page: u16, bytes: &[u8], text: &str) -> Option<String> {
    let [1, length, after @ ..] = bytes else { return None };
    let prefix = after.get(..usize::from(length.checked_sub(1)?))?;
    let counted = codepage::decode(page, prefix).encode_utf16().count().saturating_add(1);
    let counted = u8::try_from(counted).ok().filter(|counted| counted != length)?;
    let rest = text.strip_prefix('\u{1}')?.strip_prefix(char::from(*length))?;
    Some(format!("\u{1}{}{rest}", char::from(counted)))
}

/// Writes a long text as UTF-16, piece by piece.
pub(super) fn put_text(sink: &mut impl BlockSink, text: &str) -> Result<(Bid, u64)> {
    let max = sink.format().layout().data_max_bytes;
    let mut tree = DataTree::default();
    let mut units = text.encode_utf16();
    loop {
        let piece: Vec<u8> = units.by_ref().take(max >> 1).flat_map(u16::to_le_bytes).collect();
        if piece.is_empty() {
            break;
        }
        tree.push(sink, piece)?;
    }
    let bytes = tree.len();
    Ok((tree.finish(sink)?, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(page: u16, bytes: &[u8]) -> String {
        match wide_value(page, 0x0037, Value::String8(bytes.to_vec())) {
            Value::Unicode(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_length_of_a_subjects_prefix_is_counted_in_characters() {
        assert_eq!(text(1252, b"\x01\x05AW: Gr\xfc\xdfe"), "\u{1}\u{5}AW: Grüße");
        assert_eq!(text(932, b"\x01\x07\x93\xfa\x96{: \x93\xfa"), "\u{1}\u{5}日本: 日");
        assert_eq!(text(932, b"\x01"), "\u{1}");
        assert_eq!(text(1252, b"\x01\x00x"), "\u{1}\u{0}x", "a length that cannot be stays");
    }

    #[test]
    fn strings_become_utf_16_and_all_else_stays() {
        let strings = value::encode(PropType(0x101e), &Value::Multi(vec![Value::String8(b"\x8elu\x9d".to_vec())])).unwrap();
        let (kind, bytes) = wide_bytes(1250, 0x8000, PropType(0x101e), strings);
        assert_eq!(Value::decode(kind, &bytes), Some(Value::Multi(vec![Value::Unicode("Žluť".into())])));
        assert_eq!(wide_bytes(1250, 0x3701, PropType::STRING8, b"a\0".to_vec()), (PropType::BINARY, b"a".to_vec()));
        assert_eq!(wide_bytes(1250, 0x0071, PropType::BINARY, vec![0x8e, 0]), (PropType::BINARY, vec![0x8e, 0]));
        assert_eq!(wide_bytes(1250, 0x8000, PropType(0x101e), vec![9; 4]), (PropType(0x101e), vec![9; 4]), "no list of strings");
    }
}
