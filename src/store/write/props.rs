//! Properties as a writer gives them: by id or by name, with their values.

use crate::format::Format;
use crate::format::property::PropType;
use crate::ltp::value::Value;
use crate::ltp::write::value;
use crate::store::names::Name;
use crate::store::props::Key;

use super::templates::own_kind;

/// What names a property in a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PropertyKey {
    /// An id below 0x8000.
    Id(u16),
    /// A name, which gets its id in the store that is made.
    Name(Name),
}

impl From<Key> for PropertyKey {
    fn from(key: Key) -> Self {
        match key {
            Key::Id(id) => Self::Id(id),
            Key::Lid(set, lid) => Self::Name(Name::Lid(set, lid)),
            Key::Name(set, text) => Self::Name(Name::Text(set, text.to_owned())),
        }
    }
}

/// The id of a key that is one; 0, which is no property, for a name.
pub const fn id_of(key: Key) -> u16 {
    match key {
        Key::Id(id) => id,
        Key::Lid(..) | Key::Name(..) => 0,
    }
}

/// The properties of an object to write, each with its type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PropertyList(Vec<(PropertyKey, PropType, Value)>);

impl PropertyList {
    /// Sets a property, in place of one with the same key.
    pub fn set(&mut self, key: impl Into<PropertyKey>, value: Value) -> &mut Self {
        let kind = value::kind_of(&value);
        self.set_typed(key, kind, value)
    }

    /// Sets a property of a type that its value does not tell: an empty list, an unknown one.
    pub fn set_typed(&mut self, key: impl Into<PropertyKey>, kind: PropType, value: Value) -> &mut Self {
        let key = key.into();
        self.0.retain(|(known, ..)| *known != key);
        self.0.push((key, kind, value));
        self
    }

    /// Sets a property where it is missing.
    pub fn set_default(&mut self, key: Key, value: Value) -> &mut Self {
        if self.get(key).is_none() {
            self.set(key, value);
        }
        self
    }

    /// Takes a property out.
    pub fn remove(&mut self, key: Key) -> &mut Self {
        let key = PropertyKey::from(key);
        self.0.retain(|(known, ..)| *known != key);
        self
    }

    /// The value of a property.
    pub fn get(&self, key: Key) -> Option<&Value> {
        let key = PropertyKey::from(key);
        self.0.iter().find(|(known, ..)| *known == key).map(|(.., value)| value)
    }

    /// A 32-bit integer.
    pub fn int(&self, key: Key) -> Option<i32> {
        match self.get(key)? {
            Value::I32(value) => Some(*value),
            _ => None,
        }
    }

    /// All properties in the order they were set.
    pub fn iter(&self) -> impl Iterator<Item = &(PropertyKey, PropType, Value)> {
        self.0.iter()
    }
}

/// A value as a store of this format keeps it: in ANSI stores strings are in a code page.
pub fn own_value(format: Format, codepage: u16, kind: PropType, value: &Value) -> (PropType, Value) {
    let own = own_kind(format, kind);
    if own == kind { (kind, value.clone()) } else { (own, in_codepage(codepage, value)) }
}

fn in_codepage(page: u16, value: &Value) -> Value {
    match value {
        Value::Unicode(text) => Value::String8(to_codepage(page, text)),
        Value::Multi(values) => Value::Multi(values.iter().map(|value| in_codepage(page, value)).collect()),
        other => other.clone(),
    }
}

/// A text's bytes in a code page; `?` for what it does not have, as Windows does it.
fn to_codepage(page: u16, text: &str) -> Vec<u8> {
    let encoding = codepage::to_encoding(page).unwrap_or(encoding_rs::WINDOWS_1252);
    let mut bytes = Vec::new();
    for char in text.chars() {
        let mut utf8 = [0; 4];
        let (encoded, _, failed) = encoding.encode(char.encode_utf8(&mut utf8));
        bytes.extend_from_slice(if failed { b"?" } else { &encoded });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tags;

    #[test]
    fn ansi_stores_keep_strings_in_their_code_page() {
        let text = Value::Multi(vec![Value::Unicode("Žluť €".into())]);
        let kind = PropType(0x101f);
        let expected = Value::Multi(vec![Value::String8(b"\x8elu\x9d \x80".to_vec())]);
        assert_eq!(own_value(Format::Ansi, 1250, kind, &text), (PropType(0x101e), expected));
        assert_eq!(own_value(Format::Unicode, 1250, kind, &text), (kind, text));
        assert_eq!(to_codepage(1252, "日本"), b"??");
    }

    #[test]
    fn the_last_value_of_a_key_counts() {
        let mut props = PropertyList::default();
        props.set(tags::SUBJECT, Value::Unicode("a".into())).set(tags::SUBJECT, Value::Unicode("b".into()));
        props.set_default(tags::SUBJECT, Value::Unicode("c".into()));
        assert_eq!((props.get(tags::SUBJECT), props.iter().count()), (Some(&Value::Unicode("b".into())), 1));
    }
}
