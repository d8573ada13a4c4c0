//! Heaps, built item by item ([MS-PST] 2.3.1).

use crate::damage::{Error, Result};
use crate::format::codec;
use crate::format::heap::{HEAP_SIGNATURE, HeapClient, HeapHeader, ITEM_MAX, PageMap, fill_level, head_bytes};
use crate::format::id::Hid;
use crate::format::{Format, Layout};

/// A heap that grows block by block.
#[derive(Debug)]
pub struct HeapBuilder {
    format: Format,
    client: HeapClient,
    root: Hid,
    blocks: Vec<Block>,
}

/// A block: room for its head, the items, and where each of them begins.
#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    starts: Vec<u16>,
}

impl HeapBuilder {
    /// An empty heap for this use.
    pub fn new(format: Format, client: HeapClient) -> Self {
        Self { format, client, root: Hid::default(), blocks: vec![Block::new(0)] }
    }

    /// The variant of the format.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Names the item to begin with.
    pub const fn set_root(&mut self, root: Hid) {
        self.root = root;
    }

    /// Adds an item of up to [`ITEM_MAX`] bytes. An empty one would count as freed: it has the id 0.
    pub fn add(&mut self, item: &[u8]) -> Result<Hid> {
        if item.is_empty() {
            return Ok(Hid::default());
        }
        if item.len() > ITEM_MAX {
            return Err(Error::Unsupported(format!("a heap item of {} bytes", item.len())));
        }
        let layout = self.format.layout();
        if self.blocks.last().is_none_or(|block| !block.has_room(layout, item.len())) {
            self.blocks.push(Block::new(self.blocks.len()));
        }
        let number = self.blocks.len().saturating_sub(1);
        let full = || Error::Unsupported(format!("a heap of more than {number} blocks"));
        let block = self.blocks.last_mut().ok_or_else(full)?;
        let hid = Hid::new(layout, number, block.starts.len()).ok_or_else(full)?;
        block.bytes.extend_from_slice(item);
        block.starts.push(u16::try_from(block.bytes.len()).map_err(|_| full())?);
        Ok(hid)
    }

    /// Adds an item of zeros, to be filled later: what must come first often names what comes after.
    pub fn reserve(&mut self, len: usize) -> Result<Hid> {
        self.add(&vec![0; len])
    }

    /// Fills what was reserved.
    pub fn fill(&mut self, hid: Hid, bytes: &[u8]) {
        let layout = self.format.layout();
        if let Some(block) = self.blocks.get_mut(hid.block(layout))
            && let Some(start) = hid.index(layout).checked_sub(1).and_then(|index| block.starts.get(index))
        {
            codec::overwrite(&mut block.bytes, (*start).into(), bytes);
        }
    }

    /// How many bytes the heap's blocks take if nothing more is added.
    pub fn bytes(&self) -> u64 {
        let last = self.blocks.last().map_or(0, Block::len);
        let full = self.blocks.len().saturating_sub(1).saturating_mul(self.format.layout().data_max_bytes);
        u64::try_from(full.saturating_add(last)).unwrap_or(u64::MAX)
    }

    /// The data blocks.
    pub fn finish(self) -> Vec<Vec<u8>> {
        let (format, layout) = (self.format, self.format.layout());
        let levels: Vec<u8> = self.blocks.iter().map(|block| fill_level(format, block.len())).collect();
        let last = self.blocks.len().saturating_sub(1);
        let mut blocks = Vec::new();
        for (number, block) in self.blocks.into_iter().enumerate() {
            let map_at = u16::try_from(block.map_at()).unwrap_or(u16::MAX);
            let mut bytes = block.finish(format);
            let head = match number {
                0 => {
                    let fill_levels = nibbles(&levels, 0);
                    codec::encode(
                        format,
                        &HeapHeader { map_at, signature: HEAP_SIGNATURE, client: self.client, root: self.root, fill_levels },
                    )
                }
                number if head_bytes(number) > 2 => [map_at.to_le_bytes().as_slice(), nibbles::<64>(&levels, number).as_slice()].concat(),
                _ => map_at.to_le_bytes().to_vec(),
            };
            codec::overwrite(&mut bytes, 0, &head);
            // Blocks before the last are whole: Outlook 2003 refuses others.
            if number != last {
                bytes.resize(layout.data_max_bytes, 0);
            }
            blocks.push(bytes);
        }
        blocks
    }
}

impl Block {
    fn new(number: usize) -> Self {
        let head = head_bytes(number);
        Self { bytes: vec![0; head], starts: vec![u16::try_from(head).unwrap_or(0)] }
    }

    /// The page map lies at an even offset; not in the specification, but Outlook 2003 requires it.
    fn map_at(&self) -> usize {
        self.bytes.len().next_multiple_of(2)
    }

    fn len(&self) -> usize {
        map_end(self.map_at(), self.starts.len())
    }

    fn has_room(&self, layout: &Layout, item: usize) -> bool {
        let map_at = self.bytes.len().saturating_add(item).next_multiple_of(2);
        let index_max = 1_usize.checked_shl(layout.hid_index_bits).unwrap_or(0).saturating_sub(1);
        self.starts.len() <= index_max && map_end(map_at, self.starts.len().saturating_add(1)) <= layout.data_max_bytes
    }

    fn finish(mut self, format: Format) -> Vec<u8> {
        self.bytes.resize(self.map_at(), 0);
        self.bytes.extend(PageMap { freed: 0, starts: self.starts }.encode(format));
        self.bytes
    }
}

/// Where a page map of so many starts ends.
const fn map_end(at: usize, starts: usize) -> usize {
    at.saturating_add(4).saturating_add(starts.saturating_mul(2))
}

/// The levels of the blocks from `first` on, two in a byte, the lower one first; 0 for blocks that are not there.
fn nibbles<const N: usize>(levels: &[u8], first: usize) -> [u8; N] {
    let mut bytes = [0; N];
    let mut levels = levels.iter().skip(first).copied();
    for byte in &mut bytes {
        let (low, high) = (levels.next().unwrap_or(0), levels.next().unwrap_or(0));
        *byte = low | (high << 4);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::heap::item_range;

    /// Every item is found again, every page map is even, every block but the last is whole.
    #[test]
    fn a_heap_of_many_blocks_gives_back_its_items() {
        for format in Format::ALL {
            let layout = format.layout();
            let mut heap = HeapBuilder::new(format, HeapClient::PROPERTIES);
            let items: Vec<Vec<u8>> = (0..3000_usize).map(|n| vec![n as u8; n * 7 % 3579 + 1]).collect();
            let hids: Vec<Hid> = items.iter().map(|item| heap.add(item).unwrap()).collect();
            let total = heap.bytes();
            let blocks = heap.finish();
            assert_eq!(total, blocks.iter().map(|block| block.len() as u64).sum::<u64>());
            assert!(blocks.len() > if format == Format::Unicode4k { 8 } else { 136 });
            for (hid, item) in hids.iter().zip(&items) {
                let block = &blocks[hid.block(layout)];
                assert_eq!(&block[item_range(format, block, hid.index(layout)).unwrap()], &item[..]);
            }
            for (number, block) in blocks.iter().enumerate() {
                assert_eq!(block[0] & 1, 0, "the page map's offset is even");
                assert!(number + 1 == blocks.len() || block.len() == layout.data_max_bytes);
                assert_eq!(usize::from(PageMap::decode(format, block).unwrap().starts[0]), head_bytes(number));
            }
        }
    }

    #[test]
    fn fill_levels_stand_in_the_first_and_in_every_128th_block() {
        let mut heap = HeapBuilder::new(Format::Unicode, HeapClient::TABLE);
        for _ in 0..11 * 2 {
            heap.add(&[1; 3580]).unwrap();
        }
        heap.add(&[1; 10]).unwrap();
        let blocks = heap.finish();
        // Two items of 3580 leave 1000 bytes: level 7; the last block is nearly empty.
        assert_eq!(blocks[0][8..12], [0x77; 4]);
        assert_eq!(blocks[8][2..5], [0x77, 0x07, 0]);
    }

    #[test]
    fn an_empty_item_has_no_id_and_a_large_one_no_place() {
        let mut heap = HeapBuilder::new(Format::Ansi, HeapClient::TABLE);
        assert_eq!(heap.add(&[]).unwrap(), Hid(0));
        assert!(heap.add(&[0; ITEM_MAX + 1]).is_err());
    }

    #[test]
    fn a_block_has_no_more_items_than_ids_name() {
        let mut heap = HeapBuilder::new(Format::Unicode, HeapClient::TABLE);
        let hids: Vec<Hid> = (0..3000).map(|_| heap.add(&[1]).unwrap()).collect();
        let layout = Format::Unicode.layout();
        assert!(hids.is_sorted() && hids.last().unwrap().block(layout) == 1);
        assert!(hids.iter().all(|hid| hid.index(layout) <= 2047));
    }
}
