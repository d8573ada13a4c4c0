//! The properties of one object: a store, folder, message, recipient, attachment.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::codepage;
use super::names::NameMap;
use super::tags;
use crate::damage::{Code, Place, Result};
use crate::format::id::Nid;
use crate::format::property::{FileTime, Guid};
use crate::ltp::value::{Stream, Value};
use crate::ndb::Ndb;

/// What names a property: an id, or the set and the number or name that the store's name map gives an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A property id below 0x8000.
    Id(u16),
    /// A number in a property set: `PidLid*`.
    Lid(Guid, u32),
    /// A name in a property set: `PidName*`.
    Name(Guid, &'static str),
}

impl Key {
    /// The property id; `None` where a store's own map of names gives it.
    pub const fn id(self) -> Option<u16> {
        match self {
            Self::Id(id) => Some(id),
            Self::Lid(..) | Self::Name(..) => None,
        }
    }
}

/// The longest value that is read whole into memory, in bytes.
pub const VALUE_MAX: u64 = 64 << 20;

/// The properties of one object, by id.
///
/// Values of up to a heap item's size are here; larger ones are a [`Stream`], which the accessors load when asked. What
/// cannot be read is `None`, and noted as damage.
#[derive(Clone, Debug, Default)]
pub struct Props {
    values: BTreeMap<u16, Value>,
    names: Arc<NameMap>,
    ndb: Option<Arc<Ndb>>,
    codepage: u16,
    nid: Nid,
}

impl Props {
    /// The properties of node `nid`; `codepage` is that of its strings where the object itself does not tell.
    pub fn new(nid: Nid, values: BTreeMap<u16, Value>, names: Arc<NameMap>, ndb: Option<Arc<Ndb>>, codepage: u16) -> Self {
        let mut props = Self { values, names, ndb, codepage, nid };
        if let Some(own) = props.own_codepage() {
            props.codepage = own;
        }
        props
    }

    /// Properties from values alone; named ones get ids as they come.
    pub fn from_values(values: impl IntoIterator<Item = (Key, Value)>) -> Self {
        let mut names = NameMap::default();
        let values = values.into_iter().map(|(key, value)| (names.assign(key), value)).collect();
        Self::new(Nid::default(), values, Arc::new(names), None, codepage::WINDOWS_1252)
    }

    /// The node that the properties belong to.
    pub const fn nid(&self) -> Nid {
        self.nid
    }

    /// The code page of the object's 8-bit strings.
    pub const fn codepage(&self) -> u16 {
        self.codepage
    }

    /// The map of named properties that the ids follow.
    pub fn names(&self) -> &NameMap {
        &self.names
    }

    /// All values by property id.
    pub fn values(&self) -> &BTreeMap<u16, Value> {
        &self.values
    }

    /// The value as it is stored; a large one is a [`Value::Stream`].
    pub fn value(&self, key: Key) -> Option<&Value> {
        self.values.get(&self.names.id(key)?)
    }

    /// Whether the property is there.
    pub fn has(&self, key: Key) -> bool {
        self.value(key).is_some()
    }

    /// A string, decoded.
    pub fn text(&self, key: Key) -> Option<String> {
        self.decoded(key, |value| match value {
            Value::Unicode(text) => Some(text.clone()),
            Value::String8(bytes) => Some(codepage::decode(self.codepage, bytes)),
            _ => None,
        })
    }

    /// A string, or the start of one that is too long for a heap: enough for a name.
    pub fn text_start(&self, key: Key) -> Option<String> {
        const START_BYTES: usize = 4096;
        let (Some(stream), Some(ndb)) = (self.stream(key), &self.ndb) else { return self.text(key) };
        let start = ndb.data(stream.data).and_then(|data| data.read(ndb, 0, START_BYTES)).ok()?;
        match Value::decode(stream.kind, &start)? {
            Value::Unicode(text) => Some(text),
            Value::String8(bytes) => Some(codepage::decode(self.codepage, &bytes)),
            _ => None,
        }
    }

    /// The strings of a multi-valued property.
    pub fn texts(&self, key: Key) -> Vec<String> {
        self.decoded(key, |value| match value {
            Value::Multi(values) => Some(
                values
                    .iter()
                    .filter_map(|value| match value {
                        Value::Unicode(text) => Some(text.clone()),
                        Value::String8(bytes) => Some(codepage::decode(self.codepage, bytes)),
                        _ => None,
                    })
                    .collect(),
            ),
            Value::Unicode(text) => Some(vec![text.clone()]),
            Value::String8(bytes) => Some(vec![codepage::decode(self.codepage, bytes)]),
            _ => None,
        })
        .unwrap_or_default()
    }

    /// The elements of a multi-valued binary property.
    pub fn many_bytes(&self, key: Key) -> Vec<Vec<u8>> {
        self.decoded(key, |value| match value {
            Value::Multi(values) => Some(
                values
                    .iter()
                    .filter_map(|value| match value {
                        Value::Binary(bytes) => Some(bytes.clone()),
                        _ => None,
                    })
                    .collect(),
            ),
            _ => None,
        })
        .unwrap_or_default()
    }

    /// An integer of 16 or 32 bits.
    pub fn int(&self, key: Key) -> Option<i32> {
        match self.value(key)? {
            Value::I16(value) => Some(i32::from(*value)),
            Value::I32(value) => Some(*value),
            _ => None,
        }
    }

    /// An integer of any width.
    pub fn long(&self, key: Key) -> Option<i64> {
        match self.value(key)? {
            Value::I64(value) => Some(*value),
            _ => self.int(key).map(i64::from),
        }
    }

    /// A float.
    pub fn float(&self, key: Key) -> Option<f64> {
        match self.value(key)? {
            Value::F64(value) | Value::AppTime(value) => Some(*value),
            Value::F32(value) => Some(f64::from(*value)),
            _ => None,
        }
    }

    /// A truth value.
    pub fn flag(&self, key: Key) -> Option<bool> {
        match self.value(key)? {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A time; one that stands for "no time" is `None`.
    pub fn time(&self, key: Key) -> Option<FileTime> {
        match self.value(key)? {
            Value::Time(time) => time.unix().map(|_| *time),
            _ => None,
        }
    }

    /// A GUID.
    pub fn guid(&self, key: Key) -> Option<Guid> {
        match self.value(key)? {
            Value::Guid(guid) => Some(*guid),
            _ => None,
        }
    }

    /// Bytes; a string's bytes as they are stored where it is an 8-bit one.
    pub fn bytes(&self, key: Key) -> Option<Vec<u8>> {
        self.decoded(key, |value| match value {
            Value::Binary(bytes) | Value::String8(bytes) => Some(bytes.clone()),
            _ => None,
        })
    }

    /// The stream that holds a large value, or `None` where the value is small enough to be here.
    pub fn stream(&self, key: Key) -> Option<Stream> {
        match self.value(key)? {
            Value::Stream(stream) => Some(*stream),
            _ => None,
        }
    }

    /// Notes that something is wrong with a property of this object.
    pub fn note(&self, code: Code, key: Key, detail: &str) {
        if let (Some(ndb), Some(id)) = (&self.ndb, self.names.id(key)) {
            ndb.notes().add(code, Place::node(self.nid.0).property(id), detail);
        }
    }

    /// Applies `take` to the value, loaded from the file where it is a stream.
    fn decoded<T>(&self, key: Key, take: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let id = self.names.id(key)?;
        match self.values.get(&id)? {
            Value::Stream(stream) => match self.load(stream) {
                Ok(value) => take(&value),
                Err(error) => {
                    if let Some(ndb) = &self.ndb {
                        ndb.notes().survived(&error, Code::PropertyMissing, Place::node(self.nid.0).property(id));
                    }
                    None
                }
            },
            value => take(value),
        }
    }

    fn load(&self, stream: &Stream) -> Result<Value> {
        let place = Place { bid: Some(stream.data.0), ..Place::node(self.nid.0) };
        let damaged = crate::damage::Error::Damaged(Code::PropertyMissing, place);
        let Some(ndb) = self.ndb.as_ref().filter(|_| stream.len <= VALUE_MAX) else {
            return Err(damaged);
        };
        let bytes = ndb.data(stream.data)?.read_all(ndb)?;
        Value::decode(stream.kind, &bytes).ok_or(damaged)
    }

    fn own_codepage(&self) -> Option<u16> {
        codepage_told(|key| self.int(key))
    }
}

/// The code page of an object's strings, as its own numbers tell: the page of its strings ([MS-OXCMSG] 2.2.1.20), the one
/// in which Windows keeps what travels in the page it travels in, that of its language, or at last the one it travels in.
pub fn codepage_told(int: impl Fn(Key) -> Option<i32>) -> Option<u16> {
    let page = |key| int(key).and_then(|page| u16::try_from(page).ok()).filter(|page| codepage::is_known(*page));
    let language = || codepage::by_lcid(u32::from_le_bytes(int(tags::MESSAGE_LOCALE_ID)?.to_le_bytes()));
    let internet = page(tags::INTERNET_CODEPAGE);
    page(tags::MESSAGE_CODEPAGE).or_else(|| internet.and_then(codepage::kept_in)).or_else(language).or(internet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(values: &[(Key, i32)]) -> u16 {
        Props::from_values(values.iter().map(|(key, value)| (*key, Value::I32(*value)))).codepage()
    }

    #[test]
    fn the_language_tells_the_code_page_where_none_is_named() {
        assert_eq!(page(&[(tags::MESSAGE_LOCALE_ID, 0x0411)]), 932);
        assert_eq!(page(&[(tags::MESSAGE_LOCALE_ID, 0x0411), (tags::INTERNET_CODEPAGE, 1251)]), 1251);
        assert_eq!(page(&[(tags::MESSAGE_CODEPAGE, 1255), (tags::INTERNET_CODEPAGE, 1251)]), 1255);
        assert_eq!(page(&[(tags::MESSAGE_CODEPAGE, 7), (tags::MESSAGE_LOCALE_ID, -1)]), codepage::WINDOWS_1252);
    }

    /// A contact of a Japanese Outlook names the page of its mails, ISO-2022-JP, and has Shift-JIS in all its strings; a
    /// Russian one names UTF-8 or KOI8-R, and has Windows-1251.
    #[test]
    fn strings_are_in_a_page_of_windows_whatever_page_mails_travel_in() {
        assert_eq!(page(&[(tags::INTERNET_CODEPAGE, 20866)]), 1251);
        assert_eq!(page(&[(tags::INTERNET_CODEPAGE, 65001), (tags::MESSAGE_LOCALE_ID, 0x0419)]), 1251);
        assert_eq!(page(&[(tags::INTERNET_CODEPAGE, 65001)]), 65001);
        let contact = Props::from_values([
            (tags::INTERNET_CODEPAGE, Value::I32(50220)),
            (tags::DISPLAY_NAME, Value::String8(b"\x83R\x83\x80".to_vec())),
        ]);
        assert_eq!(contact.text(tags::DISPLAY_NAME).as_deref(), Some("コム"));
    }
}
