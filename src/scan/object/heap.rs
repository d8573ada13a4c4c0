//! Heaps, strictly: page maps, fill levels, and that every item is named exactly once ([MS-PST] 2.3.1).

use super::super::bits::BitSet;
use super::super::case::Case;
use super::survive;
use crate::damage::{Code, Place, Result};
use crate::format::codec;
use crate::format::heap::{HEAP_SIGNATURE, HeapClient, HeapHeader, ITEM_MAX, PageMap, fill_level, head_bytes};
use crate::format::id::Hid;
use crate::ltp::{Heap, HeapItem};
use crate::ndb::{Block, Ndb};
use crate::store::item::NodeRef;

/// A heap and which of its items were named so far.
#[derive(Debug)]
pub(in super::super) struct HeapCheck<'a> {
    heap: Heap<'a>,
    blocks: Vec<Items>,
}

/// The items of a block.
#[derive(Debug, Default)]
struct Items {
    count: usize,
    /// The items that were named, or that were freed so that nothing has to name them.
    named: BitSet,
    named_count: usize,
}

impl Items {
    /// Marks an item as named; `false` where it was already.
    fn mark(&mut self, index: usize) -> bool {
        let fresh = self.named.insert(u32::try_from(index).unwrap_or(u32::MAX));
        self.named_count = self.named_count.saturating_add(fresh.into());
        fresh
    }

    fn unnamed(&self) -> usize {
        self.count.saturating_sub(self.named_count)
    }
}

impl<'a> HeapCheck<'a> {
    /// Checks the blocks of a heap for this use; `None` where there is no such heap.
    pub(in super::super) fn open(case: &mut Case, ndb: &'a Ndb, node: NodeRef, client: HeapClient) -> Result<Option<Self>> {
        if node.data.is_none() {
            // Of nodes of their own the passes over nodes have told it.
            if case.depth() > 0 {
                case.add(Code::NodeEmpty, "");
            }
            return Ok(None);
        }
        let Some(heap) = survive(case, Heap::open(ndb, node.nid, node.data, node.subnodes))? else { return Ok(None) };
        if heap.client() != client {
            case.add(Code::HeapHeader, format!("it is for {:#04x}, not for {:#04x}", heap.client().0, client.0));
            return Ok(None);
        }
        let blocks = check_blocks(case, &heap)?;
        Ok(Some(Self { heap, blocks }))
    }

    /// The heap.
    pub(in super::super) const fn heap(&self) -> &Heap<'a> {
        &self.heap
    }

    /// Names an item: what it holds, where it is there. `place` is who names it.
    pub(super) fn item(&mut self, case: &mut Case, hid: Hid, place: Place) -> Result<Option<HeapItem<'_>>> {
        self.item_or(case, hid, place, Code::HeapId)
    }

    /// Names an item; `missing` is what is wrong where there is none.
    pub(super) fn item_or(&mut self, case: &mut Case, hid: Hid, place: Place, missing: Code) -> Result<Option<HeapItem<'_>>> {
        let layout = self.heap.ndb().format().layout();
        let (block, index) = (hid.block(layout), hid.index(layout));
        if !hid.is_typed() {
            // The item is there all the same, but others refuse to look.
            case.add_at(missing, place, format!("{:#x} is no heap id by its type", hid.0));
        }
        let Some(items) = self.blocks.get_mut(block).filter(|items| (1..=items.count).contains(&index)) else {
            // Of a block that cannot be read nothing is known, and the block was told already.
            if self.blocks.get(block).is_none_or(|items| items.count > 0) {
                case.add_at(missing, place, format!("there is no item {:#x}", hid.0));
            }
            return Ok(None);
        };
        let fresh = items.mark(index.saturating_sub(1));
        match self.heap.item(hid) {
            Ok(item) if item.is_empty() => {
                case.add_at(missing, place, format!("item {:#x} was freed", hid.0));
                Ok(None)
            }
            Ok(item) => {
                if !fresh {
                    case.add_at(Code::HeapIdTwice, place, format!("item {:#x}", hid.0));
                }
                Ok(Some(item))
            }
            Err(error) => survive(case, Err(error)),
        }
    }

    /// Whether an item is there and was freed.
    pub(super) fn is_freed(&self, hid: Hid) -> bool {
        self.heap.item(hid).is_ok_and(|item| item.is_empty())
    }

    /// Tells of items that nothing named; call it when all that can name them was asked.
    pub(super) fn finish(self, case: &mut Case) {
        let unnamed = self.blocks.iter().fold(0_usize, |sum, items| sum.saturating_add(items.unnamed()));
        if unnamed > 0 {
            case.add(Code::HeapLeak, format!("{unnamed} items"));
        }
    }
}

/// Checks a heap for a use that no document describes: that it is damaged is told, but it is no error that could be mended.
///
/// What such a heap must hold only the program knows that made it, and no other reads it.
pub(in super::super) fn foreign_heap(case: &mut Case, ndb: &Ndb, node: NodeRef) -> Result<()> {
    let mut found = Case::of(case.nid());
    heap_maps(&mut found, ndb, node)?;
    if let Some(first) = found.first_serious() {
        case.add_at(Code::ForeignHeap, first.place, format!("{} {}: {}", first.code.id(), first.code.title(), first.detail));
    }
    Ok(())
}

/// Checks a heap of any use: whether its page maps make sense, no more.
pub(in super::super) fn heap_maps(case: &mut Case, ndb: &Ndb, node: NodeRef) -> Result<()> {
    let first = survive(case, ndb.data(node.data).and_then(|data| data.block(ndb, 0)))?;
    let is_heap = first.is_some_and(|block| {
        let header = codec::decode::<HeapHeader>(ndb.format(), &block.data);
        header.is_ok_and(|header| header.signature == HEAP_SIGNATURE && FOREIGN.contains(&header.client.0))
    });
    if is_heap && let Some(heap) = survive(case, Heap::open(ndb, node.nid, node.data, node.subnodes))? {
        check_blocks(case, &heap)?;
    }
    Ok(())
}

/// Uses of heaps, reserved ones included ([MS-PST] 2.3.1.2); all were seen in real files.
const FOREIGN: [u8; 9] = [0x6c, 0x7c, 0x8c, 0x9c, 0xa5, 0xac, 0xb5, 0xbc, 0xcc];

fn check_blocks(case: &mut Case, heap: &Heap<'_>) -> Result<Vec<Items>> {
    let mut blocks = Vec::new();
    let mut levels = Levels::default();
    for index in 0..heap.blocks() {
        let Some(block) = survive(case, heap.block(index))? else {
            blocks.push(Items::default());
            continue;
        };
        levels.of_block(index, &block);
        blocks.push(check_block(case, heap, index, &block, &mut levels));
    }
    if levels.wrong > 0 {
        case.add(Code::HeapFillLevel, format!("{} of {} blocks", levels.wrong, blocks.len()));
    }
    Ok(blocks)
}

/// The fill levels that the heap's headers tell, as far as they were read.
#[derive(Debug, Default)]
struct Levels {
    told: Vec<u8>,
    wrong: usize,
}

impl Levels {
    /// Reads the levels that a block tells of itself and of those after it.
    fn of_block(&mut self, index: usize, block: &Block) {
        let nibbles = match head_bytes(index) {
            12 => codec::cut(&block.data, 8, 4),
            66 => codec::cut(&block.data, 2, 64),
            _ => None,
        };
        if let Some(nibbles) = nibbles {
            self.told = nibbles.iter().rev().flat_map(|byte| [byte >> 4, byte & 15]).collect();
        }
    }

    fn compare(&mut self, computed: u8) {
        if self.told.pop().is_some_and(|told| told != computed) {
            self.wrong = self.wrong.saturating_add(1);
        }
    }
}

fn check_block(case: &mut Case, heap: &Heap<'_>, index: usize, block: &Block, levels: &mut Levels) -> Items {
    let format = heap.ndb().format();
    let place = Place { bid: heap.bid(index).map(|bid| bid.0), ..case.place() };
    let last = index.saturating_add(1) == heap.blocks();
    if !last && block.data.len() != format.layout().data_max_bytes {
        case.add_at(Code::HeapBlockShort, place, format!("{} bytes", block.data.len()));
    }
    let map_at = usize::from(codec::decode::<u16>(format, &block.data).unwrap_or(0));
    let Ok(map) = PageMap::decode(format, &block.data) else {
        case.add_at(Code::HeapMap, place, format!("at {map_at:#x} of {:#x} bytes", block.data.len()));
        return Items::default();
    };
    if map_at & 1 != 0 || map_at < head_bytes(index) {
        case.add_at(Code::HeapMap, place, format!("at {map_at:#x}"));
    }
    let ends_at = usize::from(map.starts.last().copied().unwrap_or(0));
    let begins_at = map.starts.first().copied().map(usize::from);
    if begins_at != Some(head_bytes(index)) || !map.starts.is_sorted() || ends_at > map_at || map_at.saturating_sub(ends_at) > 1 {
        let text = format!("from {:#x} to {ends_at:#x}, the map is at {map_at:#x}", begins_at.unwrap_or(0));
        case.add_at(Code::HeapItems, place, text);
    }
    levels.compare(fill_level(format, map_at.saturating_add(4).saturating_add(map.starts.len().saturating_mul(2))));
    items_of(case, place, &map)
}

fn items_of(case: &mut Case, place: Place, map: &PageMap) -> Items {
    let count = map.starts.len().saturating_sub(1);
    let mut items = Items { count, ..Items::default() };
    let (mut freed, mut largest) = (0_usize, 0_usize);
    for (index, (start, end)) in map.starts.iter().zip(map.starts.iter().skip(1)).enumerate() {
        if start == end {
            freed = freed.saturating_add(1);
            items.mark(index);
        }
        largest = largest.max(usize::from(end.saturating_sub(*start)));
    }
    if freed != usize::from(map.freed) {
        case.add_at(Code::HeapFreed, place, format!("told {}, counted {freed}", map.freed));
    }
    if largest > ITEM_MAX {
        case.add_at(Code::HeapItemSize, place, format!("{largest} bytes"));
    }
    items
}
