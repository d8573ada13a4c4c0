//! Named properties: which id a name has in this store ([MS-PST] 2.4.7).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::RangeInclusive;

use super::props::Key;
use super::tags;
use crate::format::Format;
use crate::format::checksum;
use crate::format::codec;
use crate::format::property::Guid;
use crate::ltp::value;

/// What a named property is called, as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// A number in a set.
    Lid(Guid, u32),
    /// A string in a set.
    Text(Guid, String),
}

crate::record! {
    /// An entry of the map: NAMEID ([MS-PST] 2.4.7.1).
    #[derive(Copy)]
    pub struct NameEntry {
        /// The number, or the offset of the string in the string stream.
        value: u32,
        /// Bit 0: it is a string. The others: which set, counted from 3 on in the stream of sets.
        set: u16,
        /// The property id is 0x8000 and this.
        index: u16,
    }
}

impl NameEntry {
    /// An entry for a name that is lost: its id stays taken, nobody asks for such a name, and no two are the same.
    ///
    /// It is a number among the public strings: pst-extractor opens no store with a name of no set.
    pub fn lost(index: u16) -> Self {
        Self { value: u32::MAX.saturating_sub(index.into()), set: 2 << 1, index }
    }

    /// The name, by the streams of sets and of strings; `None` where they do not have what the entry refers to.
    pub fn name(&self, sets: &[u8], strings: &[u8]) -> Option<Name> {
        let set = match self.set >> 1 {
            // Zeros, which stand where a name is lost. No store that others wrote has a name of no set at all.
            0 if self.value == 0 => return None,
            0 => Guid::default(),
            1 => tags::PS_MAPI,
            2 => tags::PS_PUBLIC_STRINGS,
            selector => {
                let at = usize::from(selector.checked_sub(3)?).checked_mul(SET_BYTES)?;
                codec::decode(Format::Unicode, codec::cut(sets, at, SET_BYTES)?).ok()?
            }
        };
        if self.set & 1 == 0 {
            return Some(Name::Lid(set, self.value));
        }
        let at = usize::try_from(self.value).ok()?;
        let len: u32 = codec::decode(Format::Unicode, strings.get(at..)?).ok()?;
        // A text of no letters is what zeros in place of a lost one read as: libpff opens no store with such a name.
        let len = usize::try_from(len).ok().filter(|len| (1..=NAME_BYTES_MAX).contains(len))?;
        let bytes = codec::cut(strings, at.checked_add(4)?, len)?;
        Some(Name::Text(set, text_of(bytes)))
    }

    fn is_lost(&self) -> bool {
        *self == Self::lost(self.index)
    }
}

/// Bytes of a property set's id.
pub const SET_BYTES: usize = 16;

/// The properties of the map's node that are buckets of its index; those of the map itself lie below.
pub const BUCKET_IDS: RangeInclusive<u16> = 0x1000..=0x7fff;

/// The stream of entries; where one stands that is none, the index into the map often tells which it was.
///
/// A name stands twice: in its place, and in a bucket by its number or by the CRC of its text ([MS-PST] 2.4.7.5). The
/// one may be in a block of its own that is lost, and the other in another.
pub fn restored(entries: &[u8], buckets: impl Iterator<Item = Vec<u8>>, sets: &[u8], strings: &[u8]) -> Vec<u8> {
    let is_name = |entry: &NameEntry| entry.name(sets, strings).is_some();
    let texts = texts(strings);
    let mut told = HashMap::new();
    for bucket in buckets {
        for entry in codec::entries::<NameEntry>(Format::Unicode, &bucket, 8) {
            let at = if entry.set & 1 == 0 { Some(entry.value) } else { texts.get(&entry.value).copied() };
            told.extend(at.map(|value| NameEntry { value, ..entry }).filter(is_name).map(|entry| (entry.index, entry)));
        }
    }
    // Where no stream is left at all, it had as many entries as the index knows.
    let count = if entries.is_empty() { told.keys().max().map_or(0, |last| usize::from(*last).saturating_add(1)) } else { 0 };
    let none = std::iter::repeat_n(NameEntry { value: 0, set: 0, index: 0 }, count);
    let entries = (0..=u16::MAX).zip(codec::entries::<NameEntry>(Format::Unicode, entries, 8).chain(none));
    let entries = entries.map(|(place, entry)| match told.get(&place) {
        Some(told) if entry.index != place || !is_name(&entry) => *told,
        _ => entry,
    });
    entries.flat_map(|entry| codec::encode(Format::Unicode, &entry)).collect()
}

/// Where each text of the stream of strings stands, by the CRC of its bytes.
fn texts(strings: &[u8]) -> HashMap<u32, u32> {
    let (mut texts, mut at) = (HashMap::new(), 0_usize);
    while let Some(len) = strings.get(at..).and_then(|rest| codec::decode::<u32>(Format::Unicode, rest).ok()) {
        let text = at.checked_add(4).zip(usize::try_from(len).ok());
        let Some(bytes) = text.and_then(|(start, len)| codec::cut(strings, start, len)) else { break };
        if let Ok(at) = u32::try_from(at) {
            texts.entry(checksum::crc(bytes)).or_insert(at);
        }
        at = at.saturating_add(4).saturating_add(bytes.len()).next_multiple_of(4);
    }
    texts
}

/// The first id that a name can have.
pub const FIRST_ID: u16 = 0x8000;
/// Ids from 0x8000 on: a map has no more entries.
const IDS_MAX: usize = 0x8000;
/// The longest name that is read: Outlook allows 254 bytes ([MS-OXCPRPT] 2.2.12).
const NAME_BYTES_MAX: usize = 1024;

/// Ids of named properties, both ways.
#[derive(Clone, Debug, Default)]
pub struct NameMap {
    lids: HashMap<(Guid, u32), u16>,
    /// String names compare without regard to case ([MS-OXPROPS] keeps them so; writers differ).
    texts: HashMap<(Guid, String), u16>,
    names: HashMap<u16, Name>,
    /// Whether names are missing that were there once.
    lacks: bool,
    /// Ids whose names a repair could not find again.
    lost: HashSet<u16>,
    /// Ids whose names stood in damaged blocks.
    doubtful: HashSet<u16>,
}

impl NameMap {
    /// The map that the three streams of the name map's node hold: sets, entries, strings.
    ///
    /// Also tells how many entries could not be read.
    pub fn read(sets: &[u8], entries: &[u8], strings: &[u8]) -> (Self, usize) {
        let mut map = Self::default();
        let mut failed = 0_usize;
        for entry in codec::entries::<NameEntry>(Format::Unicode, entries, 8).take(IDS_MAX) {
            let id = entry.index.checked_add(FIRST_ID);
            match (id, entry.name(sets, strings)) {
                (Some(id), Some(name)) => {
                    map.lost.extend(entry.is_lost().then_some(id));
                    map.insert(id, name);
                }
                _ => failed = failed.saturating_add(1),
            }
        }
        (map, failed)
    }

    /// The same map, from which names are missing.
    #[must_use]
    pub fn lacking(self) -> Self {
        Self { lacks: true, ..self }
    }

    /// The same map, read from damaged blocks: names are missing, and what there is may be wrong.
    #[must_use]
    pub fn doubtful(self) -> Self {
        let doubtful = self.names.keys().copied().collect();
        Self { doubtful, ..self.lacking() }
    }

    /// Whether all of it is what was written.
    pub fn is_whole(&self) -> bool {
        !self.lacks && self.doubtful.is_empty()
    }

    /// An earlier state of the map, and what of this one it does not have: a name keeps its id for ever.
    #[must_use]
    pub fn on(self, mut earlier: Self) -> Self {
        // Of two ids with one name the lower one has it, whatever the order of a hash map.
        for (id, name) in BTreeMap::from_iter(self.names) {
            if !earlier.names.contains_key(&id) {
                earlier.doubtful.extend(self.doubtful.get(&id));
                earlier.insert(id, name);
            }
        }
        Self { lacks: self.lacks, ..earlier }
    }

    /// What a damaged map means for an object that has properties of these ids, in words for the user.
    pub fn doubt(&self, ids: impl Iterator<Item = u16>) -> Option<String> {
        let (mut lost, mut doubtful) = (0_usize, false);
        for id in ids.filter(|id| *id >= FIRST_ID) {
            lost = lost.saturating_add(usize::from(self.lost.contains(&id) || self.lacks && !self.names.contains_key(&id)));
            doubtful |= self.doubtful.contains(&id);
        }
        match lost {
            0 => doubtful.then(|| "names of its properties may be wrong: the list of names is damaged".into()),
            1 => Some("one of its properties is left out: its name is lost".into()),
            lost => Some(format!("{lost} of its properties are left out: their names are lost")),
        }
    }

    /// Adds a name; of several with the same id or the same name the first stays.
    pub fn insert(&mut self, id: u16, name: Name) {
        match &name {
            Name::Lid(set, lid) => {
                self.lids.entry((*set, *lid)).or_insert(id);
            }
            Name::Text(set, text) => {
                self.texts.entry((*set, text.to_lowercase())).or_insert(id);
            }
        }
        self.names.entry(id).or_insert(name);
    }

    /// The id of a property in this store.
    pub fn id(&self, key: Key) -> Option<u16> {
        match key {
            Key::Id(id) => Some(id),
            Key::Lid(set, lid) => self.lids.get(&(set, lid)).copied(),
            Key::Name(set, text) => self.texts.get(&(set, text.to_lowercase())).copied(),
        }
    }

    /// The name of an id of 0x8000 or above.
    pub fn name(&self, id: u16) -> Option<&Name> {
        self.names.get(&id)
    }

    /// All names by id, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &Name)> {
        self.names.iter().map(|(id, name)| (*id, name))
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The id of a key, a new one from 0x8000 on where it has none yet.
    pub fn assign(&mut self, key: Key) -> u16 {
        if let Some(id) = self.id(key) {
            return id;
        }
        let id = u16::try_from(self.names.len()).unwrap_or(u16::MAX).saturating_add(FIRST_ID);
        match key {
            Key::Id(id) => return id,
            Key::Lid(set, lid) => self.insert(id, Name::Lid(set, lid)),
            Key::Name(set, text) => self.insert(id, Name::Text(set, text.to_owned())),
        }
        id
    }
}

/// A name's text: UTF-16, but some phones' programs stored 8-bit names, which read as UTF-16 are nonsense.
fn text_of(bytes: &[u8]) -> String {
    let ascii = bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
    if ascii && bytes.len() > 1 { bytes.iter().map(|byte| char::from(*byte)).collect() } else { value::utf16(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::codec::testing::holds_its_laws;

    #[test]
    fn every_format_gives_back_its_bytes() {
        for format in Format::ALL {
            holds_its_laws(format, &NameEntry { value: 0x8233, set: 6, index: 8 });
        }
    }

    #[test]
    fn an_earlier_map_goes_before_a_damaged_one_and_what_is_lost_or_doubtful_is_told() {
        let named = |names: &[(u16, u32)]| {
            let mut map = NameMap::default();
            names.iter().for_each(|(id, lid)| map.insert(*id, Name::Lid(tags::PSETID_COMMON, *lid)));
            map
        };
        let map = named(&[(0x8000, 7), (0x8001, 2)]).doubtful().on(named(&[(0x8000, 1)]));
        assert_eq!(map.name(0x8000), Some(&Name::Lid(tags::PSETID_COMMON, 1)));
        assert_eq!(map.doubt([0x37, 0x8000].into_iter()), None, "its name stood in an earlier map");
        assert_eq!(map.doubt([0x8000, 0x8001].into_iter()).unwrap(), "names of its properties may be wrong: the list of names is damaged");
        assert_eq!(map.doubt([0x8002].into_iter()).unwrap(), "one of its properties is left out: its name is lost");
        let entries = codec::encode(Format::Unicode, &NameEntry::lost(3));
        let (map, _) = NameMap::read(&[], &entries, &[]);
        assert_eq!(map.doubt([0x8003].into_iter()).unwrap(), "one of its properties is left out: its name is lost", "after a repair");
        assert_eq!(named(&[]).doubt([0x8000].into_iter()), None, "a name that never was is none that is lost");
    }

    /// A real store had its entries in a block that was lost, and 1,256 names in the index beside it.
    #[test]
    fn names_that_zeros_stand_for_are_those_of_the_index() {
        let strings = [0, 0, 0, 0, 4, 0, 0, 0, b'H', 0, b'i', 0];
        let whole = [(0x8233, 6, 0), (4, 5, 1), (0x8205, 6, 2)].map(|(value, set, index)| NameEntry { value, set, index });
        let hash = checksum::crc(&[b'H', 0, b'i', 0]);
        let bytes = |entries: &[NameEntry]| entries.iter().flat_map(|entry| codec::encode(Format::Unicode, entry)).collect::<Vec<u8>>();
        let read = |entries: &[u8], index: &[NameEntry]| {
            let buckets = index.iter().map(|entry| bytes(&[*entry]));
            restored(entries, buckets, &tags::PSETID_APPOINTMENT.0, &strings)
        };
        let whole_bytes = bytes(&whole);
        assert_eq!(read(&[0; 24], &[whole[2], NameEntry { value: hash, ..whole[1] }, whole[0]]), whole_bytes);
        assert_eq!(read(&[], &[whole[2], NameEntry { value: hash, ..whole[1] }, whole[0]]), whole_bytes, "no stream at all");
        assert_eq!(read(&whole_bytes, &[NameEntry { value: 7, ..whole[0] }]), whole_bytes, "what is right stays");
        let in_part = read(&[0; 24], &[whole[2], NameEntry { value: 9, ..whole[1] }]);
        assert_eq!(in_part, [&[0; 16], &whole_bytes[16..]].concat(), "a hash of no text");
    }

    #[test]
    fn numbers_and_strings_get_their_ids() {
        let mut entries = codec::encode(Format::Unicode, &NameEntry { value: 0x8233, set: 3 << 1, index: 0 });
        entries.extend(codec::encode(Format::Unicode, &NameEntry { value: 4, set: (2 << 1) | 1, index: 1 }));
        entries.extend(codec::encode(Format::Unicode, &NameEntry { value: 4000, set: (2 << 1) | 1, index: 2 }));
        let strings = [0, 0, 0, 0, 4, 0, 0, 0, b'H', 0, b'i', 0];
        let (map, failed) = NameMap::read(&tags::PSETID_APPOINTMENT.0, &entries, &strings);
        assert_eq!(map.id(Key::Lid(tags::PSETID_APPOINTMENT, 0x8233)), Some(0x8000));
        assert_eq!(map.id(Key::Name(tags::PS_PUBLIC_STRINGS, "hi")), Some(0x8001), "names compare without regard to case");
        assert_eq!((map.len(), failed), (2, 1), "a string past the end");
        assert_eq!(NameMap::read(&[], &[0; 16], &strings).1, 2, "zeros are no names");
        let zeros = codec::encode(Format::Unicode, &NameEntry { value: 0, set: (2 << 1) | 1, index: 0 });
        assert_eq!(NameMap::read(&[], &zeros, &strings).1, 1, "nor are they letters");
    }
}
