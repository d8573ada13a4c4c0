//! B-trees on heaps, built from records in order ([MS-PST] 2.3.2).

use super::heap::HeapBuilder;
use crate::damage::Result;
use crate::format::codec;
use crate::format::heap::{BTREE_SIGNATURE, BTreeHeader, ITEM_MAX};
use crate::format::id::Hid;

/// Sizes of a tree's records.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordSizes {
    /// Bytes of a key.
    pub(super) key: u8,
    /// Bytes of what belongs to it.
    pub(super) data: u8,
}

impl RecordSizes {
    /// How many bytes of records of this size a heap item takes: whole ones only.
    fn item_bytes(data: usize, key: usize) -> usize {
        let record = key.saturating_add(data);
        ITEM_MAX.checked_div(record).unwrap_or(0).saturating_mul(record)
    }
}

/// Where a tree's header lies and where its leaves do.
#[derive(Debug)]
pub(super) struct Tree {
    leaves: Vec<Hid>,
    leaf_bytes: usize,
}

/// Room for a tree's header: other structures name it before the tree is there.
pub(super) fn reserve_header(heap: &mut HeapBuilder) -> Result<Hid> {
    heap.reserve(8)
}

/// Adds a tree of these records, which stand one after the other in ascending order, and fills its header.
pub(super) fn put(heap: &mut HeapBuilder, header: Hid, sizes: RecordSizes, records: &[u8]) -> Result<Tree> {
    let (key, data) = (usize::from(sizes.key), usize::from(sizes.data));
    let leaf_bytes = RecordSizes::item_bytes(data, key);
    let mut level = put_level(heap, records, leaf_bytes, key)?;
    let leaves = level.iter().map(|(_, hid)| *hid).collect();
    let mut levels = 0_u8;
    while level.len() > 1 {
        let branch: Vec<u8> = level.into_iter().flat_map(|(key, hid)| [key, hid.0.to_le_bytes().to_vec()].concat()).collect();
        level = put_level(heap, &branch, RecordSizes::item_bytes(4, key), key)?;
        levels = levels.saturating_add(1);
    }
    let root = level.first().map_or(Hid::default(), |(_, hid)| *hid);
    let bytes = codec::encode(
        heap.format(),
        &BTreeHeader { signature: BTREE_SIGNATURE, key_bytes: sizes.key, data_bytes: sizes.data, levels, root },
    );
    heap.fill(header, &bytes);
    Ok(Tree { leaves, leaf_bytes })
}

/// Fills the leaves of a tree anew, with records of the same keys.
pub(super) fn refill(heap: &mut HeapBuilder, tree: &Tree, records: &[u8]) {
    for (hid, piece) in tree.leaves.iter().zip(codec::pieces(records, tree.leaf_bytes)) {
        heap.fill(*hid, piece);
    }
}

/// Adds the items of one level and tells the first key and the id of each.
fn put_level(heap: &mut HeapBuilder, records: &[u8], item_bytes: usize, key: usize) -> Result<Vec<(Vec<u8>, Hid)>> {
    codec::pieces(records, item_bytes).map(|piece| Ok((codec::cut(piece, 0, key).unwrap_or_default().to_vec(), heap.add(piece)?))).collect()
}
