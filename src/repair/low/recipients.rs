//! The recipients of letters whose trees of subnodes are lost: their tables may stand in the file all the same.
//!
//! What names a table is lost, but the letter tells the names of its recipients too. A table goes back to a letter only where
//! something was to name it and nothing does, where it and the letter tell the same names in the same lists, and where no other
//! table and no other lost tree are of these people.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::blocks::{Look, Source};
use super::census::{Census, Mend};
use super::doubt::Doubt;
use crate::damage::{Result, survived};
use crate::format::block::{SubnodeBlock, SubnodeEntry};
use crate::format::id::{Bid, Nid, NodeType};
use crate::ltp::value::Value;
use crate::ltp::{Properties, Table};
use crate::ndb::Ndb;
use crate::store::props::Key;
use crate::store::recipients::{LISTS, TYPE_BITS, plain};
use crate::store::{codepage, tags};

/// The names of a letter's recipients, as it has them in each of [`LISTS`].
type People = [Vec<String>; LISTS.len()];

/// A digest of these.
type PeopleKey = u64;

/// A letter whose tree is lost: the root of that, and the letter's node.
type Letter = (Bid, Nid);

impl Census<'_> {
    /// Gives the tables back; all trees were walked.
    pub(super) fn give_recipients(&mut self) -> Result<()> {
        let letters = self.letters_without_tree()?;
        if letters.is_empty() {
            return Ok(());
        }
        let tables = self.loose_tables()?;
        for (people, letters) in letters {
            let roots: BTreeSet<Bid> = letters.iter().map(|(root, _)| *root).collect();
            if let (Some([table]), 1) = (tables.get(&people).map(Vec::as_slice), roots.len()) {
                letters.into_iter().for_each(|letter| self.give(letter, *table));
            }
        }
        Ok(())
    }

    /// The letters that lose all that lies in them, by their recipients.
    fn letters_without_tree(&self) -> Result<BTreeMap<PeopleKey, Vec<Letter>>> {
        let mut letters: BTreeMap<PeopleKey, Vec<Letter>> = BTreeMap::new();
        let is_letter = |nid: Nid| nid.kind() == NodeType::MESSAGE && !self.back.contains(&nid);
        for entry in self.entries.iter().filter(|entry| entry.subnodes.is_none() && is_letter(entry.nid.nid)) {
            let nid = entry.nid.nid;
            let Some(root) = self.ndb.node(nid)?.map(|node| node.subnodes.key()).filter(|root| self.is_lost(*root)) else { continue };
            if let Some(people) = people_of_letter(self.ndb, nid, entry.data)?.filter(|people| people.iter().any(|list| !list.is_empty())) {
                letters.entry(key(&people)).or_default().push((root, nid));
            }
        }
        Ok(letters)
    }

    /// Whether a root of subnodes is lost, and no other block was taken for it.
    fn is_lost(&self, root: Bid) -> bool {
        root.is_internal() && self.count_of(root) == 0 && self.mends.contains_key(&(root, Mend::Cut))
    }

    /// The tables of recipients that something was to name and nothing does, by whom they list.
    fn loose_tables(&self) -> Result<BTreeMap<PeopleKey, Vec<Bid>>> {
        let lost = self.lost_counts()?;
        let mut tables: BTreeMap<PeopleKey, Vec<Bid>> = BTreeMap::new();
        for (at, entry) in self.blocks.entries().iter().enumerate() {
            let bid = entry.block.bid.key();
            let is_named = self.count_at(at) > 0 || lost.contains_key(&bid);
            // Maps of the whole file do not tell how often a block was named.
            let was_named = self.ndb.maps().is_some() || entry.references > 1;
            if is_named || !was_named || bid.is_internal() || !matches!(self.blocks.look(bid)?, Look::Sound(_)) {
                continue;
            }
            if let Some(people) = survived(people_of_table(self.ndb, bid))?.flatten() {
                tables.entry(key(&people)).or_default().push(bid);
            }
        }
        Ok(tables)
    }

    /// Writes the lost tree of a letter anew, with the table alone.
    fn give(&mut self, (root, letter): Letter, table: Bid) {
        let entry = SubnodeEntry { nid: Nid::RECIPIENT_TABLE.into(), data: table, subnodes: Bid::NONE };
        let block = SubnodeBlock::Leaf(vec![entry]).encode(self.ndb.format());
        self.node = letter;
        // Copies of a letter share the tree.
        if self.mends.remove(&(root, Mend::Cut)).is_some() {
            self.mends.remove(&(root, Mend::Anew(Source::AsRead)));
            self.write(root, &block, Mend::Recipients);
            self.name(table);
        }
        self.name(root);
        self.doubt(root, Doubt::Short);
        // In the order of the nodes, as these were walked.
        let at = self.entries.binary_search_by_key(&letter, |entry| entry.nid.nid).ok();
        if let Some(entry) = at.and_then(|at| self.entries.get_mut(at)) {
            entry.subnodes = root;
        }
    }
}

fn people_of_letter(ndb: &Ndb, nid: Nid, data: Bid) -> Result<Option<People>> {
    let Some(properties) = survived(Properties::open(ndb, nid, data, Bid::NONE))? else { return Ok(None) };
    let mut people = People::default();
    for (key, list) in LISTS.iter().zip(&mut people) {
        let record = properties.records().iter().find(|record| Some(record.id) == key.id());
        let value = record.map(|record| survived(properties.value(record))).transpose()?.flatten().flatten();
        list.extend(text(value.as_ref()).split(';').map(plain).filter(|name| !name.is_empty()));
    }
    Ok(Some(people))
}

/// Whom a table lists; `None` where it is no table of recipients, or not all of it is there.
fn people_of_table(ndb: &Ndb, data: Bid) -> Result<Option<People>> {
    let table = Table::open(ndb, Nid::RECIPIENT_TABLE, data, Bid::NONE)?;
    let has = |key: Key| key.id().and_then(|id| table.info().column(id)).is_some();
    let (rows, true) = table.known_rows()? else { return Ok(None) };
    if !has(tags::RECIPIENT_TYPE) || !has(tags::DISPLAY_NAME) {
        return Ok(None);
    }
    // Items of a hostile heap may be named many times; those of a good one together are no longer than its block, or twice as
    // long in UTF-8.
    let mut room = table.heap().len().saturating_mul(2);
    let mut people = People::default();
    for (_, number) in rows {
        let row = table.row(number)?;
        let value = |key: Key| key.id().map_or(Ok(None), |id| table.cell(&row, id));
        let Some(Value::I32(kind)) = value(tags::RECIPIENT_TYPE)? else { return Ok(None) };
        let list = (kind & TYPE_BITS).checked_sub(1).and_then(|list| people.get_mut(usize::try_from(list).ok()?));
        let Some(list) = list else { return Ok(None) };
        let names = text(value(tags::DISPLAY_NAME)?.as_ref());
        let Some(left) = room.checked_sub(u64::try_from(names.len()).unwrap_or(u64::MAX)) else { return Ok(None) };
        room = left;
        list.extend(names.split(';').map(plain).filter(|name| !name.is_empty()));
    }
    Ok(Some(people))
}

fn key(people: &People) -> PeopleKey {
    let mut hasher = DefaultHasher::new();
    people.hash(&mut hasher);
    hasher.finish()
}

/// Both are read alike: which code page it is does not matter.
fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::Unicode(text)) => text.clone(),
        Some(Value::String8(bytes)) => codepage::decode(codepage::WINDOWS_1252, bytes),
        _ => String::new(),
    }
}
