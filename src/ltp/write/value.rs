//! A property's value as bytes: the counterpart of [`Value::decode`].

use crate::format::Format;
use crate::format::codec::{self, Field};
use crate::format::property::{ObjectRecord, PropType};
use crate::ltp::value::Value;

/// The type that a value has by itself; an empty list is taken for binary elements.
pub fn kind_of(value: &Value) -> PropType {
    match value {
        Value::Null => PropType::NULL,
        Value::I16(_) => PropType::I16,
        Value::I32(_) => PropType::I32,
        Value::F32(_) => PropType::F32,
        Value::F64(_) => PropType::F64,
        Value::Currency(_) => PropType::CURRENCY,
        Value::AppTime(_) => PropType::APP_TIME,
        Value::Error(_) => PropType::ERROR,
        Value::Bool(_) => PropType::BOOL,
        Value::I64(_) => PropType::I64,
        Value::Time(_) => PropType::TIME,
        Value::Guid(_) => PropType::GUID,
        Value::String8(_) => PropType::STRING8,
        Value::Unicode(_) => PropType::UNICODE,
        Value::Binary(_) => PropType::BINARY,
        Value::Object(..) => PropType::OBJECT,
        Value::Multi(values) => PropType(values.first().map_or(PropType::BINARY, kind_of).0 | PropType::MULTI),
        Value::Stream(stream) => stream.kind,
    }
}

/// The bytes of a value of this type; `None` where value and type do not fit, and for a stream in another file.
pub fn encode(kind: PropType, value: &Value) -> Option<Vec<u8>> {
    if let Value::Multi(values) = value {
        return kind.is_multi().then(|| encode_multi(kind.element(), values)).flatten();
    }
    if kind != kind_of(value) {
        // Types that nobody knows are kept as bytes.
        return match value {
            Value::Binary(bytes) if kind.fixed_bytes().is_none() && !kind.is_multi() && !is_text(kind) => Some(bytes.clone()),
            _ => None,
        };
    }
    // The variants agree on all plain values, so any of them will do.
    fn plain<T: Field>(value: &T) -> Vec<u8> {
        codec::encode(Format::Unicode, value)
    }
    Some(match value {
        Value::I16(value) => plain(value),
        Value::I32(value) => plain(value),
        Value::F32(value) => plain(value),
        Value::F64(value) | Value::AppTime(value) => plain(value),
        Value::Currency(value) | Value::I64(value) => plain(value),
        Value::Error(value) => plain(value),
        Value::Bool(value) => vec![u8::from(*value)],
        Value::Time(value) => plain(value),
        Value::Guid(value) => plain(value),
        Value::String8(bytes) | Value::Binary(bytes) => bytes.clone(),
        Value::Unicode(text) => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Value::Object(nid, size) => plain(&ObjectRecord { nid: *nid, size: *size }),
        Value::Null => Vec::new(),
        Value::Multi(_) | Value::Stream(_) => return None,
    })
}

/// Whether values of this type are strings.
pub fn is_text(kind: PropType) -> bool {
    matches!(kind.element(), PropType::STRING8 | PropType::UNICODE)
}

/// Elements one after the other where their size is fixed, else behind a table of offsets ([MS-PST] 2.3.3.4).
fn encode_multi(kind: PropType, values: &[Value]) -> Option<Vec<u8>> {
    let elements: Vec<Vec<u8>> = values.iter().map(|value| encode(kind, value)).collect::<Option<_>>()?;
    if kind.fixed_bytes().is_some() {
        return Some(elements.concat());
    }
    let count = u32::try_from(elements.len()).ok()?;
    let mut bytes = count.to_le_bytes().to_vec();
    let mut at = count.checked_add(1)?.checked_mul(4)?;
    for element in &elements {
        bytes.extend(at.to_le_bytes());
        at = at.checked_add(u32::try_from(element.len()).ok()?)?;
    }
    bytes.extend(elements.concat());
    Some(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::format::id::Nid;
    use crate::format::property::{FileTime, Guid};

    pub(crate) fn one_of_each() -> Vec<Value> {
        let plain = [
            Value::I16(-2),
            Value::I32(-3),
            Value::F32(0.5),
            Value::F64(-0.25),
            Value::Currency(12_345),
            Value::AppTime(36_526.5),
            Value::Error(0x8004_010f),
            Value::Bool(true),
            Value::I64(1 << 40),
            Value::Time(FileTime(0x01d0_0000_0000_0000)),
            Value::Guid(Guid::mapi(0x2_0328)),
            Value::String8(b"Gr\xfc\xdfe".to_vec()),
            Value::Unicode("Grüße 🎉".into()),
            Value::Binary(vec![0, 1, 2]),
        ];
        let several = plain.iter().filter(|value| !matches!(value, Value::Error(_) | Value::Bool(_)));
        let several = several.map(|value| Value::Multi(vec![value.clone(), value.clone(), value.clone()]));
        plain.iter().cloned().chain(several).chain([Value::Object(Nid(0x24), 7)]).collect()
    }

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        for value in one_of_each() {
            let kind = kind_of(&value);
            assert_eq!(Value::decode(kind, &encode(kind, &value).unwrap()).unwrap(), value);
        }
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        assert_eq!(encode(PropType::I32, &Value::I16(1)), None);
        assert_eq!(encode(PropType::UNICODE, &Value::String8(vec![1])), None);
        assert_eq!(encode(PropType(0x1003), &Value::Multi(vec![Value::I16(1)])), None);
        assert_eq!(encode(PropType(0x00fb), &Value::Binary(vec![7])), Some(vec![7]), "an unknown type is bytes");
    }
}
