//! The map of named properties, mended: no property gets another id ([MS-PST] 2.4.7).

use std::collections::{BTreeMap, HashSet};

use super::Mender;
use super::bag::Bag;
use crate::damage::Result;
use crate::format::Format;
use crate::format::checksum;
use crate::format::codec;
use crate::format::id::{Nid, NodeType};
use crate::ltp::value::Value;
use crate::store::item::NodeRef;
use crate::store::names::{BUCKET_IDS, FIRST_ID, Name, NameEntry, SET_BYTES, restored};
use crate::store::props::Key;
use crate::store::tags;
use crate::store::write::names::{BUCKETS, Referred, buckets};

/// Bytes of an entry.
const ENTRY_BYTES: usize = 8;
/// No map has more names.
const NAMES_MAX: u16 = 0x7ffe;
/// What has named properties, at the top or in something else.
const OBJECTS: [NodeType; 4] = [NodeType::FOLDER, NodeType::MESSAGE, NodeType::ASSOCIATED_MESSAGE, NodeType::ATTACHMENT];

impl Mender<'_, '_> {
    /// Writes the map anew; where an earlier state of it tells names, with these: a name keeps its id for ever.
    pub(super) fn name_map(&mut self) -> Result<()> {
        let node = self.node(Nid::NAME_MAP)?;
        let mut bag = match node {
            Some(node) => Bag::read(self.ndb, node)?.unwrap_or_default(),
            None => Bag::default(),
        };
        let (sets, entries, strings) =
            (self.bytes(&bag, tags::NAME_MAP_GUIDS)?, self.bytes(&bag, tags::NAME_MAP_ENTRIES)?, self.bytes(&bag, tags::NAME_MAP_STRINGS)?);
        let mut referred = Referred { sets, strings };
        let Referred { sets, strings } = &mut referred;
        sets.truncate(sets.len() & !SET_BYTES.saturating_sub(1));
        let ids: Vec<u16> = bag.ids().into_iter().filter(|id| BUCKET_IDS.contains(id)).collect();
        let index = ids.iter().map(|id| self.bytes(&bag, Key::Id(*id))).collect::<Result<Vec<_>>>()?;
        let entries = restored(&entries, index.into_iter(), sets, strings);
        let entries = placed(codec::entries(Format::Unicode, &entries, ENTRY_BYTES).collect());
        let mut entries: Vec<NameEntry> = entries.into_iter().map(|entry| sound(entry, sets, strings)).collect();
        self.add_earlier(&mut entries, &mut referred);
        let Referred { mut sets, mut strings } = referred;
        if sets.is_empty() {
            // libpff does not open a store whose map has no set or no entry, and Outlook makes none.
            sets.extend(tags::PSETID_APPOINTMENT.0);
        }
        if strings.is_empty() {
            // A text of no letters, which no entry names: pst-extractor takes an empty value for one that lies elsewhere.
            strings.extend([0; 4]);
        }
        if entries.is_empty() {
            entries.extend((0..self.names_in_use()?.max(1)).map(NameEntry::lost));
        }
        ids.into_iter().for_each(|id| bag.remove(Key::Id(id)));
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

    /// Adds what an earlier state of the map tells, and puts it in place of what else stands under the same id.
    fn add_earlier(&self, entries: &mut Vec<NameEntry>, referred: &mut Referred) {
        let Some(names) = self.names else { return };
        let names: BTreeMap<u16, &Name> = names.iter().filter_map(|(id, name)| Some((id.checked_sub(FIRST_ID)?, name))).collect();
        let last = names.last_key_value().map_or(0, |(last, _)| last.saturating_add(1));
        let told = u16::try_from(entries.len()).unwrap_or(u16::MAX);
        entries.extend((told..last).map(NameEntry::lost));
        for (index, entry) in (0..).zip(entries) {
            let known = names.get(&index).copied();
            if let Some(name) = known
                && entry.name(&referred.sets, &referred.strings).as_ref() != known
            {
                *entry = referred.entry(name, index).0;
            }
        }
    }

    /// How many ids a map must have for the named properties that items have: of a lost map nobody knows it better.
    ///
    /// An id that the map lacks would go to the next name that a program asks for, and all that has it would be misread.
    fn names_in_use(&self) -> Result<u16> {
        let (mut waiting, mut seen, mut count) = (Vec::new(), HashSet::new(), 0);
        self.ndb.visit_nodes(&mut |node| {
            if OBJECTS.contains(&node.nid.nid.kind()) {
                waiting.push(NodeRef { nid: node.nid.nid, data: node.data, subnodes: node.subnodes });
            }
            true
        })?;
        while let Some(node) = waiting.pop() {
            let highest = Bag::read(self.ndb, node)?.and_then(|bag| bag.ids().into_iter().max());
            count = count.max(highest.and_then(|id| id.checked_sub(FIRST_ID)).map_or(0, |index| index.saturating_add(1)));
            let below = match self.ndb.subnodes(node.subnodes) {
                Err(error) if error.is_io() => return Err(error),
                below => below.unwrap_or_default(),
            };
            let objects =
                below.into_iter().filter(|entry| OBJECTS.contains(&entry.nid.nid.kind()) && seen.insert((entry.data, entry.subnodes)));
            waiting.extend(objects.map(|entry| NodeRef { nid: entry.nid.nid, data: entry.data, subnodes: entry.subnodes }));
        }
        Ok(count.min(NAMES_MAX))
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
///
/// What stands in another's place and is of no set is half of an entry, and zeros: its name is lost.
fn placed(entries: Vec<NameEntry>) -> Vec<NameEntry> {
    let mut slots: Vec<Option<NameEntry>> = vec![None; entries.len()];
    let (right, wrong): (Vec<_>, Vec<_>) =
        entries.into_iter().enumerate().partition(|(position, entry)| usize::from(entry.index) == *position);
    let wrong = wrong.into_iter().filter(|(_, entry)| entry.set > 1);
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
    let ids = (0..=u16::MAX).zip(slots);
    ids.map(|(id, entry)| entry.unwrap_or_else(|| NameEntry::lost(id))).collect()
}

/// An entry that names a set and a string; one that does not keeps its id and gets a name that nobody asks for.
fn sound(entry: NameEntry, sets: &[u8], strings: &[u8]) -> NameEntry {
    if entry.name(sets, strings).is_some() { entry } else { NameEntry::lost(entry.index) }
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
        let entry = |value, index| NameEntry { value, set: 2 << 1, index };
        let ids = |entries: Vec<NameEntry>| placed(entries).iter().map(|entry| (entry.value, entry.index)).collect::<Vec<_>>();
        assert_eq!(ids(vec![entry(1, 0x77), entry(2, 1)]), [(1, 0), (2, 1)]);
        assert_eq!(ids(vec![entry(1, 1), entry(2, 0)]), [(2, 0), (1, 1)], "two that stand in each other's place");
        assert_eq!(ids(vec![entry(1, 0), entry(2, 0)]), [(1, 0), (2, 1)]);
    }

    /// pst-extractor opens no store with a name of no set: it met some where zeros stood in place of a lost block.
    #[test]
    fn zeros_in_place_of_names_become_names_that_nobody_asks_for() {
        let whole = NameEntry { value: 0x8233, set: 6, index: 0 };
        let zeros = NameEntry { value: 0, set: 0, index: 0 };
        let half = NameEntry { value: 0x8205, ..zeros };
        assert_eq!(placed(vec![whole, half, zeros]), [whole, NameEntry::lost(1), NameEntry::lost(2)]);
        assert_eq!(sound(zeros, &[], &[]), NameEntry::lost(0), "in the first place even its id seems right");
    }
}
