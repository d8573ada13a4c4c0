//! Heaps of properties whose head is damaged: what it should say, from what stands around it.
//!
//! Only a repair asks for this. A reader that guessed would show one thing where other readers show another.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::heap::{Heap, Held};
use crate::damage::Result;
use crate::format::Format;
use crate::format::codec;
use crate::format::heap::{BTREE_SIGNATURE, HEAP_SIGNATURE, HeapClient, HeapHeader, PageMap, head_bytes, item_range};
use crate::format::id::{Bid, Hid, Nid};
use crate::ndb::{Block, Ndb};

/// Bytes of the head of a B-tree on a heap.
const TREE_HEAD_BYTES: usize = 8;
/// What every tree of properties begins with: its mark, keys of 2 bytes, data of 6.
const TREE_HEAD: [u8; 3] = [BTREE_SIGNATURE, 2, 6];

impl<'a> Heap<'a> {
    /// A heap of properties in a node, with a head that was made up where its own is damaged; `None` where nothing fits.
    pub(super) fn salvage(ndb: &'a Ndb, nid: Nid, root: Bid, subnodes: Bid) -> Result<Option<Self>> {
        let format = ndb.format();
        let data = match ndb.data(root) {
            Err(error) if error.is_io() => return Err(error),
            data => data.unwrap_or_default(),
        };
        let mut righted = BTreeMap::new();
        for index in 0..data.leaves().len() {
            match data.block(ndb, index) {
                Err(error) if error.is_io() => return Err(error),
                Err(_) => {}
                Ok(block) => righted.extend(right(format, index, &block.data).map(|data| (index, Block { data, is_sound: false }))),
            }
        }
        let Some(mut first) = righted.remove(&0) else { return Ok(None) };
        let Some(header) = right_head(format, &mut first.data) else { return Ok(None) };
        let righted = righted.into_iter().map(|(index, block)| (index, Arc::new(block))).collect();
        Ok(Some(Self { ndb, nid, data, subnodes, header, first: Arc::new(first), righted, held: Held::default() }))
    }
}

/// A block with the place of its page map put right; `None` where it has none.
fn right(format: Format, index: usize, data: &[u8]) -> Option<Vec<u8>> {
    let head = head_bytes(index);
    let told = usize::from(codec::decode::<u16>(format, data).ok()?);
    let at = if fits(format, head, data, told) { told } else { map_at(format, head, data)? };
    let mut data = data.to_vec();
    codec::overwrite(&mut data, 0, &u16::try_from(at).ok()?.to_le_bytes());
    Some(data)
}

/// Where the page map of a block stands: a writer that fills a block no further ends it with the map.
fn map_at(format: Format, head: usize, data: &[u8]) -> Option<usize> {
    let last = data.len().checked_sub(4)?;
    (head..=last).rev().find(|at| at & 1 == 0 && fits(format, head, data, *at) && is_whole(format, data, *at))
}

/// Whether a page map can stand here: its items begin behind the block's head and end before the map.
fn fits(format: Format, head: usize, data: &[u8], at: usize) -> bool {
    let word = |at: usize| data.get(at..).and_then(|bytes| codec::decode::<u16>(format, bytes).ok()).map(usize::from);
    let first = at.saturating_add(4);
    let Some(count) = word(at).filter(|count| *count > 0) else { return false };
    let end = word(first.saturating_add(count.saturating_mul(2)));
    word(first) == Some(head) && end.and_then(|end| at.checked_sub(end)).is_some_and(|gap| gap <= 1)
}

/// Whether a page map's items lie one after the other.
fn is_whole(format: Format, data: &[u8], at: usize) -> bool {
    let head = u16::try_from(at).unwrap_or(u16::MAX).to_le_bytes();
    let mut block = data.to_vec();
    codec::overwrite(&mut block, 0, &head);
    PageMap::decode(format, &block).is_ok_and(|map| map.starts.is_sorted())
}

/// The heap's head as it should be; the tree's own head is put right in the block.
fn right_head(format: Format, data: &mut [u8]) -> Option<HeapHeader> {
    let told: HeapHeader = codec::decode(format, data).ok()?;
    let layout = format.layout();
    let item = |hid: Hid| {
        let range = item_range(format, data, hid.index(layout)).filter(|range| range.len() == TREE_HEAD_BYTES)?;
        data.get(range.clone()).filter(|bytes| bytes.first() == Some(&BTREE_SIGNATURE)).map(|_| range)
    };
    let is_root = |root: &Hid| root.block(layout) == 0 && item(*root).is_some();
    let found = || (1..=data.len()).map_while(|index| Hid::new(layout, 0, index)).find(|hid| item(*hid).is_some());
    let root = Some(told.root).filter(is_root).or_else(found)?;
    let range = item(root)?;
    codec::overwrite(data, range.start, &TREE_HEAD);
    Some(HeapHeader { signature: HEAP_SIGNATURE, client: HeapClient::PROPERTIES, root, ..told })
}
