//! The map of named properties, built ([MS-PST] 2.4.7).

use std::collections::HashMap;

use crate::damage::{Error, Result};
use crate::format::Format;
use crate::format::checksum;
use crate::format::codec;
use crate::format::id::Nid;
use crate::format::property::{Guid, PropType};
use crate::ltp::value::Value;
use crate::ltp::write::PropertiesBuilder;
use crate::store::names::{Name, NameEntry, SET_BYTES};
use crate::store::props::Key;
use crate::store::tags;

/// How many hash buckets Outlook makes.
pub const BUCKETS: u16 = 251;
/// The property id of the first bucket.
pub const FIRST_BUCKET: u16 = 0x1000;
/// Property sets that have numbers of their own; those in the stream begin with 3.
const FIRST_SET: u16 = 3;

/// What entries of the map refer to: the stream of property sets, and that of strings.
#[derive(Clone, Debug, Default)]
pub struct Referred {
    /// Sets, 16 bytes each.
    pub sets: Vec<u8>,
    /// Strings, each behind its length.
    pub strings: Vec<u8>,
}

impl Referred {
    /// The entry of a name under an id, and what its bucket is found by; a set and a string that are not there are added.
    pub fn entry(&mut self, name: &Name, index: u16) -> (NameEntry, u32) {
        match name {
            Name::Lid(set, lid) => (NameEntry { value: *lid, set: self.set(*set) << 1, index }, *lid),
            Name::Text(set, text) => {
                let (at, hash) = self.add_string(text);
                (NameEntry { value: at, set: (self.set(*set) << 1) | 1, index }, hash)
            }
        }
    }

    fn set(&mut self, set: Guid) -> u16 {
        match set {
            _ if set == Guid::default() => 0,
            tags::PS_MAPI => 1,
            tags::PS_PUBLIC_STRINGS => 2,
            _ => {
                let known = codec::pieces(&self.sets, SET_BYTES).position(|known| *known == set.0);
                let place = known.unwrap_or_else(|| {
                    self.sets.extend(set.0);
                    self.sets.len().div_euclid(SET_BYTES).saturating_sub(1)
                });
                u16::try_from(place).unwrap_or(u16::MAX >> 1).saturating_add(FIRST_SET)
            }
        }
    }

    /// Appends a string to the stream: length, UTF-16, padding to 4. Tells its offset and its hash.
    fn add_string(&mut self, text: &str) -> (u32, u32) {
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let at = u32::try_from(self.strings.len()).unwrap_or(u32::MAX);
        self.strings.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.strings.extend(&bytes);
        self.strings.resize(self.strings.len().next_multiple_of(4), 0);
        (at, checksum::crc(&bytes))
    }
}

/// Names and the ids they have, in the order they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    ids: HashMap<Name, u16>,
    referred: Referred,
    /// Entries as the map's stream has them, and what their bucket is found by.
    entries: Vec<(NameEntry, u32)>,
}

impl Names {
    /// The id of a name: the one it has, else the next from 0x8000 on.
    pub(super) fn id(&mut self, name: &Name) -> Result<u16> {
        if let Some(id) = self.ids.get(name) {
            return Ok(*id);
        }
        let full = || Error::Unsupported("a store with more than 32,766 named properties".into());
        let index = u16::try_from(self.entries.len()).ok().filter(|index| *index < 0x7ffe).ok_or_else(full)?;
        let id = index.checked_add(0x8000).ok_or_else(full)?;
        self.entries.push(self.referred.entry(name, index));
        self.ids.insert(name.clone(), id);
        Ok(id)
    }

    /// The properties of the map's node.
    pub(super) fn finish(&self) -> PropertiesBuilder {
        let mut props = PropertiesBuilder::default();
        let streams = [
            (tags::NAME_MAP_GUIDS, self.referred.sets.clone()),
            (tags::NAME_MAP_ENTRIES, self.entries.iter().flat_map(|(entry, _)| codec::encode(Format::Unicode, entry)).collect()),
            (tags::NAME_MAP_STRINGS, self.referred.strings.clone()),
        ];
        for (key, bytes) in streams {
            props.set(super::props::id_of(key), PropType::BINARY, &Value::Binary(bytes));
        }
        props.set(super::props::id_of(tags::NAME_MAP_BUCKETS), PropType::I32, &Value::I32(BUCKETS.into()));
        for (id, bytes) in self.buckets() {
            props.set(id, PropType::BINARY, &Value::Binary(bytes));
        }
        props
    }

    /// The hash buckets that hold anything. In a bucket a string stands by its hash, not by its offset.
    fn buckets(&self) -> HashMap<u16, Vec<u8>> {
        buckets(self.entries.iter().copied())
    }
}

/// The properties of the map's index: for each bucket that holds anything its entries, found by number or hash.
pub fn buckets(entries: impl Iterator<Item = (NameEntry, u32)>) -> HashMap<u16, Vec<u8>> {
    let mut buckets: HashMap<u16, Vec<u8>> = HashMap::new();
    for (entry, hash) in entries {
        let bucket = (hash ^ u32::from(entry.set)).checked_rem(BUCKETS.into()).and_then(|bucket| u16::try_from(bucket).ok());
        let id = FIRST_BUCKET.saturating_add(bucket.unwrap_or(0));
        buckets.entry(id).or_default().extend(codec::encode(Format::Unicode, &NameEntry { value: hash, ..entry }));
    }
    buckets
}

/// The node of the map.
pub(super) const NODE: Nid = Nid::NAME_MAP;

/// The names that Outlook puts into every new store, so that no stream of the map is empty.
pub(super) const FIRST: [Key; 10] = [
    Key::Lid(tags::PSETID_APPOINTMENT, 0x8205),
    Key::Lid(tags::PSETID_APPOINTMENT, 0x8223),
    Key::Lid(tags::PSETID_APPOINTMENT, 0x8231),
    Key::Lid(tags::PSETID_APPOINTMENT, 0x8216),
    Key::Lid(tags::PSETID_APPOINTMENT, 0x820d),
    Key::Lid(tags::PSETID_APPOINTMENT, 0x820e),
    Key::Lid(tags::PSETID_APPOINTMENT, 0x8235),
    Key::Lid(tags::PSETID_APPOINTMENT, 0x8236),
    Key::Name(tags::PS_INTERNET_HEADERS, "content-class"),
    Key::Name(tags::PS_INTERNET_HEADERS, "DRMLicense"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::names::NameMap;

    #[test]
    fn names_are_read_back_under_their_ids() {
        let mut names = Names::default();
        let given = [
            Name::Lid(tags::PSETID_COMMON, 0x8503),
            Name::Text(tags::PS_PUBLIC_STRINGS, "Keywords".into()),
            Name::Lid(tags::PS_MAPI, 0x100),
            Name::Text(tags::PSETID_TASK, "größe".into()),
            Name::Lid(Guid::default(), 1),
        ];
        let ids: Vec<u16> = given.iter().map(|name| names.id(name).unwrap()).collect();
        assert_eq!(ids, [0x8000, 0x8001, 0x8002, 0x8003, 0x8004]);
        assert_eq!(names.id(&given[1]).unwrap(), 0x8001, "a name keeps its id");
        let entries: Vec<u8> = names.entries.iter().flat_map(|(entry, _)| codec::encode(Format::Unicode, entry)).collect();
        let (map, failed) = NameMap::read(&names.referred.sets, &entries, &names.referred.strings);
        assert_eq!(failed, 0);
        for (id, name) in ids.iter().zip(&given) {
            assert_eq!(map.name(*id), Some(name));
        }
    }

    /// Entries of a real store: the bucket is (value XOR set) mod 251, for strings by the CRC of their UTF-16 bytes.
    #[test]
    fn every_entry_stands_in_its_bucket() {
        let mut names = Names::default();
        names.id(&Name::Lid(tags::PSETID_APPOINTMENT, 0x8205)).unwrap();
        let buckets = names.buckets();
        let bucket = 0x1000 + ((0x8205_u32 ^ 6) % 251) as u16;
        assert_eq!(buckets.get(&bucket).unwrap()[..], [0x05, 0x82, 0, 0, 6, 0, 0, 0]);
    }
}
