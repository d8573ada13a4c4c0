//! A property's value in memory.

use crate::format::Format;
use crate::format::codec::{self, Field};
use crate::format::id::{Bid, Nid};
use crate::format::property::{FileTime, Guid, ObjectRecord, PropType};

/// A property's value ([MS-OXCDATA] 2.11.1), as a heap or a table row held it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value, or one of a type that is not known.
    Null,
    /// 16-bit integer.
    I16(i16),
    /// 32-bit integer.
    I32(i32),
    /// 32-bit float.
    F32(f32),
    /// 64-bit float.
    F64(f64),
    /// Ten-thousandths.
    Currency(i64),
    /// Days since 1899-12-30.
    AppTime(f64),
    /// Error code.
    Error(u32),
    /// Truth value.
    Bool(bool),
    /// 64-bit integer.
    I64(i64),
    /// Time.
    Time(FileTime),
    /// GUID.
    Guid(Guid),
    /// String whose code page the item tells.
    String8(Vec<u8>),
    /// String; lone surrogates have become U+FFFD.
    Unicode(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// An object in a subnode, and its size as the writer saw it.
    Object(Nid, u32),
    /// Several elements.
    Multi(Vec<Value>),
    /// A large value that was left in the file.
    Stream(Stream),
}

/// A large value in the file: a data tree and its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The type of the value.
    pub kind: PropType,
    /// The data tree's root.
    pub data: Bid,
    /// Its length in bytes.
    pub len: u64,
}

/// The most elements of one value; real ones have dozens. Each takes far more memory than its bytes in the file.
const ELEMENTS_MAX: usize = 65_536;

impl Value {
    /// Bytes of text or data that the value holds in memory; numbers count as none.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::String8(bytes) | Self::Binary(bytes) => bytes.len(),
            Self::Unicode(text) => text.len(),
            Self::Multi(values) => values.iter().map(Self::memory_bytes).sum(),
            _ => 0,
        }
    }

    /// The value of this type in these bytes; `None` where they do not suffice.
    pub fn decode(kind: PropType, bytes: &[u8]) -> Option<Self> {
        if kind.is_multi() {
            return decode_multi(kind.element(), bytes).map(Self::Multi);
        }
        // The variants agree on all plain values, so any of them will do.
        fn plain<T: Field>(bytes: &[u8]) -> Option<T> {
            codec::decode(Format::Unicode, bytes).ok()
        }
        Some(match kind {
            PropType::I16 => Self::I16(plain(bytes)?),
            PropType::I32 => Self::I32(plain(bytes)?),
            PropType::F32 => Self::F32(plain(bytes)?),
            PropType::F64 => Self::F64(plain(bytes)?),
            PropType::CURRENCY => Self::Currency(plain(bytes)?),
            PropType::APP_TIME => Self::AppTime(plain(bytes)?),
            PropType::ERROR => Self::Error(plain(bytes)?),
            // The bytes above the low one are garbage in real files.
            PropType::BOOL => Self::Bool(plain::<u8>(bytes)? != 0),
            PropType::I64 => Self::I64(plain(bytes)?),
            PropType::TIME => Self::Time(plain(bytes)?),
            PropType::GUID => Self::Guid(plain(bytes)?),
            PropType::OBJECT => {
                let object: ObjectRecord = plain(bytes)?;
                Self::Object(object.nid, object.size)
            }
            PropType::STRING8 => Self::String8(without_nul(bytes).to_vec()),
            PropType::UNICODE => Self::Unicode(utf16(bytes)),
            PropType::NULL | PropType::UNSPECIFIED => Self::Null,
            _ => Self::Binary(bytes.to_vec()),
        })
    }
}

/// The text in UTF-16LE bytes, without NULs at its end; an odd last byte is left out, lone surrogates become U+FFFD.
pub fn utf16(bytes: &[u8]) -> String {
    let whole = bytes.get(..bytes.len() & !1).unwrap_or(bytes);
    let mut text = encoding_rs::UTF_16LE.decode_without_bom_handling(whole).0.into_owned();
    text.truncate(text.trim_end_matches('\0').len());
    text
}

fn without_nul(bytes: &[u8]) -> &[u8] {
    let len = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
    bytes.get(..len).unwrap_or(bytes)
}

/// The elements of a multi-valued property ([MS-PST] 2.3.3.4).
fn decode_multi(kind: PropType, bytes: &[u8]) -> Option<Vec<Value>> {
    if let Some(size) = kind.fixed_bytes() {
        let mut values = Vec::new();
        let mut rest = bytes;
        while let Some((head, tail)) = rest.split_at_checked(size) {
            if values.len() >= ELEMENTS_MAX {
                return None;
            }
            values.push(Value::decode(kind, head)?);
            rest = tail;
        }
        return Some(values);
    }
    let count: u32 = codec::decode(Format::Unicode, bytes).ok()?;
    if usize::try_from(count).ok()? > ELEMENTS_MAX {
        return None;
    }
    let offsets: Vec<usize> = codec::entries::<u32>(Format::Unicode, bytes.get(4..)?, 4)
        .take(usize::try_from(count).ok()?)
        .map_while(|offset| usize::try_from(offset).ok())
        .collect();
    let ends = offsets.iter().skip(1).copied().chain([bytes.len()]);
    offsets.iter().zip(ends).map(|(start, end)| Value::decode(kind, bytes.get(*start..end)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bool_is_its_low_byte() {
        assert_eq!(Value::decode(PropType::BOOL, &[0, 7, 7, 7]), Some(Value::Bool(false)));
        assert_eq!(Value::decode(PropType::BOOL, &[1, 0, 0, 0]), Some(Value::Bool(true)));
    }

    #[test]
    fn several_strings_follow_their_offsets() {
        let bytes = [2, 0, 0, 0, 12, 0, 0, 0, 14, 0, 0, 0, b'a', b'b', b'c'];
        let strings = vec![Value::String8(b"ab".to_vec()), Value::String8(b"c".to_vec())];
        assert_eq!(Value::decode(PropType(0x101e), &bytes), Some(Value::Multi(strings)));
    }

    #[test]
    fn a_count_of_two_to_the_thirty_two_ends_with_the_bytes() {
        let bytes = [0xff; 16];
        assert_eq!(Value::decode(PropType(0x101e), &bytes), None);
    }

    #[test]
    fn a_lone_surrogate_becomes_a_replacement_character() {
        assert_eq!(utf16(&[0x41, 0, 0, 0xd8, 0x42, 0, 0, 0]), "A\u{fffd}B");
        assert_eq!(utf16(&[0x3d, 0xd8, 0, 0xde, 0x41]), "\u{1f600}", "an odd last byte is left out");
        assert_eq!(utf16(&[0xff, 0xfe, 0x41, 0]), "\u{feff}A", "a mark is a character here");
    }
}
