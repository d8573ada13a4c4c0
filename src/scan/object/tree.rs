//! B-trees on heaps, strictly: sizes, order, and that every index entry names its child's first key ([MS-PST] 2.3.2).

use super::super::case::Case;
use super::heap::HeapCheck;
use crate::damage::{Code, Place, Result, Severity};
use crate::disk::Spill;
use crate::format::codec;
use crate::format::heap::{BTREE_SIGNATURE, BTreeHeader};
use crate::format::id::Hid;

/// The most levels above the leaves of a tree on a heap: more than its items could fill.
const LEVELS_MAX: u8 = 4;

/// The records of a B-tree: key and data after each other.
#[derive(Debug, Default)]
pub(super) struct Records {
    bytes: Spill<u8>,
    key: usize,
    stride: usize,
}

impl Records {
    /// Key and data of each record, in the order stored.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        codec::pieces(&self.bytes, self.stride).filter_map(|record| record.split_at_checked(self.key))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.bytes.len().checked_div(self.stride).unwrap_or(0)
    }

    /// Bytes of the data of each record.
    pub(super) const fn data_bytes(&self) -> usize {
        self.stride.saturating_sub(self.key)
    }
}

/// Reads a B-tree whose keys and data have these sizes; `order` is what is wrong where its keys do not ascend.
pub(super) fn records(case: &mut Case, check: &mut HeapCheck<'_>, header: Hid, sizes: (u8, &[u8]), order: Code) -> Result<Option<Records>> {
    let format = check.heap().ndb().format();
    let place = case.place();
    let Some(item) = check.item(case, header, place)? else { return Ok(None) };
    let Ok(header) = codec::decode::<BTreeHeader>(format, &item) else {
        case.add(Code::TreeHeader, "it is cut short");
        return Ok(None);
    };
    let fits = header.signature == BTREE_SIGNATURE && header.key_bytes == sizes.0 && sizes.1.contains(&header.data_bytes);
    if !fits || header.levels > LEVELS_MAX {
        let BTreeHeader { signature, key_bytes, data_bytes, levels, .. } = header;
        case.add(Code::TreeHeader, format!("signature {signature:#04x}, keys of {key_bytes}, data of {data_bytes} bytes, {levels} levels"));
        return Ok(None);
    }
    let key = usize::from(header.key_bytes);
    let mut walk = Walk {
        records: Records { bytes: Spill::new(), key, stride: key.saturating_add(header.data_bytes.into()) },
        room: check.heap().len(),
        last: None,
        disorder: 0,
    };
    if check.is_freed(header.root) {
        // One writer leaves it so when the last record goes.
        case.add_mild(Code::HeapId, Severity::Note, format!("the root of an empty tree, {:#x}, was freed", header.root.0));
    } else if !header.root.is_none() {
        walk.item(case, check, header.root, header.levels, None, place)?;
    }
    if walk.disorder > 0 {
        case.add(order, format!("{} keys", walk.disorder));
    }
    Ok(Some(walk.records))
}

struct Walk {
    records: Records,
    /// Bytes that may still come: items of a hostile heap may be named many times.
    room: u64,
    last: Option<u128>,
    disorder: u64,
}

impl Walk {
    /// Reads an item; the level falls by one with every step down, so this ends.
    fn item(&mut self, case: &mut Case, check: &mut HeapCheck<'_>, hid: Hid, level: u8, first: Option<u128>, place: Place) -> Result<()> {
        let format = check.heap().ndb().format();
        let Some(item) = check.item(case, hid, place)? else { return Ok(()) };
        let Some(room) = self.room.checked_sub(u64::try_from(item.len()).unwrap_or(u64::MAX)) else {
            case.add(Code::TreeOrder, "its items are named more than once");
            return Ok(());
        };
        self.room = room;
        let stride = if level == 0 { self.records.stride } else { self.records.key.saturating_add(4) };
        if item.len().checked_rem(stride) != Some(0) {
            case.add(Code::TreeHeader, format!("an item of {} bytes, not a multiple of {stride}", item.len()));
        }
        let key = self.records.key;
        let begins = item.get(..key).map(number);
        if first.is_some() && begins != first {
            case.add(Code::TreeOrder, format!("a key of {:#x} above {:#x}", first.unwrap_or(0), begins.unwrap_or(0)));
        }
        let whole = codec::pieces(&item, stride).filter(|record| record.len() == stride);
        match level.checked_sub(1) {
            None => {
                let mut bytes = 0_usize;
                for record in whole {
                    self.record(record.get(..key).unwrap_or_default());
                    bytes = bytes.saturating_add(record.len());
                }
                self.records.bytes.push_all(item.get(..bytes).unwrap_or_default());
                Ok(())
            }
            Some(below) => {
                let split = |record: &[u8]| {
                    let (key, child) = record.split_at_checked(key).unwrap_or_default();
                    (number(key), codec::decode::<Hid>(format, child).unwrap_or_default())
                };
                // The item is part of the heap, which is marked with what its children name.
                let children: Vec<(u128, Hid)> = whole.map(split).collect();
                children.into_iter().try_for_each(|(key, child)| self.item(case, check, child, below, Some(key), place))
            }
        }
    }

    fn record(&mut self, key: &[u8]) {
        let key = number(key);
        if self.last.is_some_and(|last| last >= key) {
            self.disorder = self.disorder.saturating_add(1);
        }
        self.last = Some(key);
    }
}

/// A key of up to 16 bytes as a number.
fn number(key: &[u8]) -> u128 {
    key.iter().rev().fold(0, |number, byte| (number << 8) | u128::from(*byte))
}
