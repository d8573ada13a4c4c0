//! B-trees on heaps ([MS-PST] 2.3.2).

use std::collections::HashSet;

use super::heap::Heap;
use crate::damage::{Code, Error, Place, Result};
use crate::format::codec;
use crate::format::heap::{BTREE_SIGNATURE, BTreeHeader};
use crate::format::id::Hid;

/// The most levels above the leaves: with the least fan-out the format allows, more than any heap has items.
const LEVELS_MAX: u8 = 8;

/// Shows every record of a B-tree to `visit`: the key's bytes, then the data's, in the order stored.
///
/// Returns the sizes of key and data, and whether all of it was there: items that cannot be read are noted and left out.
pub(super) fn visit_records(heap: &Heap<'_>, header: Hid, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(BTreeHeader, bool)> {
    let format = heap.ndb().format();
    let place = Place::node(heap.nid().0);
    let header: BTreeHeader = codec::decode(format, &heap.item(header)?).map_err(|cut| cut.at(Code::TreeHeader, place))?;
    let (key_bytes, data_bytes) = (usize::from(header.key_bytes), usize::from(header.data_bytes));
    if header.signature != BTREE_SIGNATURE || key_bytes == 0 || header.levels > LEVELS_MAX {
        return Err(Error::Damaged(Code::TreeHeader, place));
    }
    // The level falls by one with every step down, and no item is read twice.
    let mut seen = HashSet::new();
    let mut waiting = vec![(header.root, header.levels)];
    // Items of a hostile heap may overlap; those of a good one together are never longer than its blocks.
    let mut room = heap.len();
    let mut is_whole = true;
    while let Some((hid, level)) = waiting.pop() {
        if hid.is_none() {
            continue;
        }
        if !seen.insert(hid) {
            heap.ndb().notes().add(Code::TreeOrder, place, format!("item {:#x} is named twice", hid.0));
            continue;
        }
        let item = match heap.item(hid) {
            Ok(item) => item,
            Err(error) if error.is_io() => return Err(error),
            Err(error) => {
                heap.ndb().notes().survived(&error, Code::HeapId, place);
                is_whole = false;
                continue;
            }
        };
        let Some(rest) = room.checked_sub(u64::try_from(item.len()).unwrap_or(u64::MAX)) else {
            heap.ndb().notes().add(Code::TreeOrder, place, "its items overlap");
            break;
        };
        room = rest;
        match level.checked_sub(1) {
            None => records(&item, key_bytes, data_bytes).for_each(|(key, data)| visit(key, data)),
            Some(below) => {
                let children = records(&item, key_bytes, 4).filter_map(|(_, child)| codec::decode::<Hid>(format, child).ok());
                let first = waiting.len();
                waiting.extend(children.map(|child| (child, below)));
                // The last one in is the first one out: turned round, the children come in their order.
                waiting.get_mut(first..).unwrap_or_default().reverse();
            }
        }
    }
    Ok((header, is_whole))
}

fn records(item: &[u8], key_bytes: usize, data_bytes: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = item;
    std::iter::from_fn(move || {
        let (key, tail) = rest.split_at_checked(key_bytes)?;
        let (data, tail) = tail.split_at_checked(data_bytes)?;
        rest = tail;
        Some((key, data))
    })
}
