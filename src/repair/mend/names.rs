//! The map of named properties, mended: no property gets another id ([MS-PST] 2.4.7).

use std::collections::BTreeMap;

use super::Mender;
use super::bag::Bag;
use crate::damage::Result;
use crate::format::Format;
use crate::format::checksum;
use crate::format::codec;
use crate::format::id::Nid;
use crate::ltp::value::Value;
use crate::store::names::{NameEntry, NameMap};
use crate::store::props::Key;
use crate::store::tags;
use crate::store::write::names::{BUCKETS, FIRST_BUCKET, buckets};

/// Bytes of a property set's id, and of an entry.
const SET_BYTES: usize = 16;
const ENTRY_BYTES: usize = 8;
/// The highest property that is a bucket: those of the map itself lie below.
const LAST_BUCKET: u16 = 0x7fff;

impl Mender<'_, '_> {
    /// Writes the map anew.
    pub(super) fn name_map(&mut self) -> Result<()> {
        let node = self.node(Nid::NAME_MAP)?;
        let mut bag = match node {
            Some(node) => Bag::read(self.ndb, node)?.unwrap_or_default(),
            None => Bag::default(),
        };
        let (mut sets, entries, strings) =
            (self.bytes(&bag, tags::NAME_MAP_GUIDS)?, self.bytes(&bag, tags::NAME_MAP_ENTRIES)?, self.bytes(&bag, tags::NAME_MAP_STRINGS)?);
        sets.truncate(sets.len() & !SET_BYTES.saturating_sub(1));
        let entries = placed(codec::entries(Format::Unicode, &entries, ENTRY_BYTES).collect());
        let entries: Vec<NameEntry> = entries.into_iter().map(|entry| sound(entry, &sets, &strings)).collect();
        for id in bag.ids().into_iter().filter(|id| (FIRST_BUCKET..=LAST_BUCKET).contains(id)) {
            bag.remove(Key::Id(id));
        }
        let index = buckets(entries.iter().filter_map(|entry| Some((*entry, hash(entry, &strings)?))));
        let index: BTreeMap<u16, Vec<u8>> = index.into_iter().collect();
        index.into_iter().for_each(|(id, bytes)| bag.set(id, &Value::Binary(bytes)));
        bag.put(tags::NAME_MAP_BUCKETS, &Value::I32(BUCKETS.into()));
        let entries = entries.iter().flat_map(|entry| codec::encode(Format::Unicode, entry)).collect();
        for (key, bytes) in [(tags::NAME_MAP_GUIDS, sets), (tags::NAME_MAP_ENTRIES, entries), (tags::NAME_MAP_STRINGS, strings)] {
            bag.put(key, &Value::Binary(bytes));
        }
        let draft = bag.builder().finish(self.ndb.format(), self.transaction.nids())?;
        self.transaction.put_draft(Nid::NAME_MAP, Nid::default(), draft)
    }

    fn bytes(&self, bag: &Bag, key: Key) -> Result<Vec<u8>> {
        match (bag.get(key), bag.stored(crate::store::write::id_of(key))) {
            (Some(Value::Binary(bytes)), _) => Ok(bytes),
            (_, Some((_, data, _))) => self.ndb.data(data)?.read_all(self.ndb),
            _ => Ok(Vec::new()),
        }
    }
}

/// The entries, each where its id says; one whose id lies outside or is another's stays where it stands.
fn placed(entries: Vec<NameEntry>) -> Vec<NameEntry> {
    let mut slots: Vec<Option<NameEntry>> = vec![None; entries.len()];
    let (right, wrong): (Vec<_>, Vec<_>) =
        entries.into_iter().enumerate().partition(|(position, entry)| usize::from(entry.index) == *position);
    for (position, entry) in right.into_iter().chain(wrong) {
        let own = usize::from(entry.index);
        let is_free = |slot: &usize| slots.get(*slot).is_some_and(Option::is_none);
        let place = [own, position].into_iter().find(is_free).or_else(|| slots.iter().position(Option::is_none));
        if let Some(place) = place
            && let Some(slot) = slots.get_mut(place)
        {
            *slot = Some(NameEntry { index: u16::try_from(place).unwrap_or(u16::MAX), ..entry });
        }
    }
    slots.into_iter().flatten().collect()
}

/// An entry that names a set and a string; one that does not keeps its id and gets a name that nobody asks for.
fn sound(entry: NameEntry, sets: &[u8], strings: &[u8]) -> NameEntry {
    let (_, failed) = NameMap::read(sets, &codec::encode(Format::Unicode, &entry), strings);
    if failed == 0 { entry } else { NameEntry { value: u32::MAX.saturating_sub(entry.index.into()), set: 0, ..entry } }
}

/// What the index keeps of a name: its number, or the CRC of its text.
fn hash(entry: &NameEntry, strings: &[u8]) -> Option<u32> {
    if entry.set & 1 == 0 {
        return Some(entry.value);
    }
    let at = usize::try_from(entry.value).ok()?;
    let len: u32 = codec::decode(Format::Unicode, strings.get(at..)?).ok()?;
    codec::cut(strings, at.checked_add(4)?, usize::try_from(len).ok()?).map(checksum::crc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_with_an_id_that_no_place_has_stays_where_it_stands() {
        let entry = |value, index| NameEntry { value, set: 0, index };
        let ids = |entries: Vec<NameEntry>| placed(entries).iter().map(|entry| (entry.value, entry.index)).collect::<Vec<_>>();
        assert_eq!(ids(vec![entry(1, 0x77), entry(2, 1)]), [(1, 0), (2, 1)]);
        assert_eq!(ids(vec![entry(1, 1), entry(2, 0)]), [(2, 0), (1, 1)], "two that stand in each other's place");
        assert_eq!(ids(vec![entry(1, 0), entry(2, 0)]), [(1, 0), (2, 1)]);
    }
}
