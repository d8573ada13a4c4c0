//! Heaps on nodes and B-trees on heaps: their headers and page maps ([MS-PST] 2.3.1, 2.3.2).

use super::Format;
use super::codec::{self, Cut, Decoder, Encoder, Field};
use super::id::Hid;

/// The third byte of every heap.
pub const HEAP_SIGNATURE: u8 = 0xec;
/// The first byte of a B-tree's header.
pub const BTREE_SIGNATURE: u8 = 0xb5;
/// The largest item a heap holds; larger values are subnodes ([MS-PST] 2.3.3.3).
pub const ITEM_MAX: usize = 3580;

/// What a heap holds: bClientSig ([MS-PST] 2.3.1.2). Unknown ones are ordinary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HeapClient(pub u8);

impl HeapClient {
    /// A table.
    pub const TABLE: Self = Self(0x7c);
    /// Properties.
    pub const PROPERTIES: Self = Self(0xbc);
    /// A bare B-tree.
    pub const BTREE: Self = Self(0xb5);
}

impl Field for HeapClient {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
        from.field().map(Self)
    }
    fn encode(&self, to: &mut Encoder) {
        to.field(&self.0);
    }
    fn size(_: Format) -> usize {
        1
    }
}

crate::record! {
    /// What the first block of a heap begins with: HNHDR ([MS-PST] 2.3.1.2).
    #[derive(Copy)]
    pub struct HeapHeader {
        /// Offset of the block's page map.
        map_at: u16,
        /// 0xEC.
        signature: u8,
        /// What the heap holds.
        client: HeapClient,
        /// The item to begin with.
        root: Hid,
        /// How full the first eight blocks are, a nibble each.
        fill_levels: [u8; 4],
    }
}

/// Bytes before the items in block `index` of a heap: HNHDR, HNBITMAPHDR or HNPAGEHDR ([MS-PST] 2.3.1.2 to 2.3.1.4).
pub const fn head_bytes(index: usize) -> usize {
    match index {
        0 => 12,
        // Blocks 8, 136, 264... hold the fill levels of the next 128 blocks.
        index if index & 127 == 8 => 66,
        _ => 2,
    }
}

/// Free bytes from which on a block has level 0, 1, 2... ([MS-PST] 2.3.1.2, with the bounds that Outlook uses).
const FREE_BOUNDS: [usize; 15] = [3584, 2560, 2048, 1792, 1536, 1280, 1024, 768, 512, 256, 128, 64, 32, 16, 8];

/// How full a heap's block is whose map ends at `used`, from 0 to 15. In 4K stores the level is linear: 1,468 of 1,468
/// real blocks have it so.
pub fn fill_level(format: Format, used: usize) -> u8 {
    let max = format.layout().data_max_bytes;
    let level = match format {
        Format::Ansi | Format::Unicode => {
            let free = max.saturating_sub(used);
            FREE_BOUNDS.iter().position(|bound| free >= *bound).unwrap_or(15)
        }
        Format::Unicode4k => used.saturating_mul(15).checked_div(max).unwrap_or(15),
    };
    u8::try_from(level.min(15)).unwrap_or(15)
}

/// Where the items of a heap's block lie: HNPAGEMAP ([MS-PST] 2.3.1.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageMap {
    /// How many items were freed; often wrong in real files, and not needed.
    pub freed: u16,
    /// Where item 1, 2, ... begins; the last element is where the last item ends.
    pub starts: Vec<u16>,
}

impl PageMap {
    /// Reads the map of a heap's block; every block begins with the map's offset.
    pub fn decode(format: Format, block: &[u8]) -> Result<Self, Cut> {
        let at: u16 = codec::decode(format, block)?;
        let mut from = Decoder::new(format, block.get(usize::from(at)..).ok_or(Cut)?);
        let (count, freed): (u16, u16) = (from.field()?, from.field()?);
        let wanted = usize::from(count).saturating_add(1);
        let starts: Vec<u16> = codec::entries(format, from.rest(), 2).take(wanted).collect();
        if starts.len() == wanted { Ok(Self { freed, starts }) } else { Err(Cut) }
    }

    /// The map's bytes.
    pub fn encode(&self, format: Format) -> Vec<u8> {
        let count = u16::try_from(self.starts.len().saturating_sub(1)).unwrap_or(u16::MAX);
        let mut to = Encoder::new(format);
        to.field(&count).field(&self.freed);
        for start in &self.starts {
            to.field(start);
        }
        to.finish()
    }

    /// Where item `index` (from 1) lies in the block; `None` where there is none or its bounds run backwards.
    pub fn item(&self, index: usize) -> Option<std::ops::Range<usize>> {
        let (start, end) = (self.starts.get(index.checked_sub(1)?)?, self.starts.get(index)?);
        (start <= end).then(|| usize::from(*start)..usize::from(*end))
    }
}

/// Where item `index` (from 1) of a heap's block lies, without reading the whole page map.
pub fn item_range(format: Format, block: &[u8], index: usize) -> Option<std::ops::Range<usize>> {
    let map_at: u16 = codec::decode(format, block).ok()?;
    let mut map = Decoder::new(format, block.get(usize::from(map_at)..)?);
    let (count, _freed): (u16, u16) = (map.field().ok()?, map.field().ok()?);
    if index == 0 || index > usize::from(count) {
        return None;
    }
    map.take(index.checked_sub(1)?.checked_mul(2)?).ok()?;
    let (start, end): (u16, u16) = (map.field().ok()?, map.field().ok()?);
    (start <= end).then(|| usize::from(start)..usize::from(end))
}

crate::record! {
    /// The header of a B-tree on a heap: BTHHEADER ([MS-PST] 2.3.2.1).
    #[derive(Copy)]
    pub struct BTreeHeader {
        /// 0xB5.
        signature: u8,
        /// Bytes of a key: 2, 4, 8 or 16.
        key_bytes: u8,
        /// Bytes of what belongs to a key.
        data_bytes: u8,
        /// Levels above the leaves.
        levels: u8,
        /// The root item; none where the tree is empty.
        root: Hid,
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::testing::holds_its_laws;
    use super::*;

    #[test]
    fn every_format_gives_back_its_bytes() {
        for format in Format::ALL {
            let header =
                HeapHeader { map_at: 12, signature: HEAP_SIGNATURE, client: HeapClient::TABLE, root: Hid(0x20), fill_levels: [0; 4] };
            holds_its_laws(format, &header);
            holds_its_laws(format, &BTreeHeader { signature: BTREE_SIGNATURE, key_bytes: 2, data_bytes: 6, levels: 0, root: Hid(0x40) });
        }
    }

    #[test]
    fn a_page_map_gives_back_its_bytes_and_every_cut_is_an_error() {
        let map = PageMap { freed: 0, starts: vec![2, 10, 20] };
        let mut block = vec![2, 0];
        block.extend(map.encode(Format::Unicode));
        assert_eq!(PageMap::decode(Format::Unicode, &block), Ok(map.clone()));
        assert_eq!((map.item(1), map.item(2), map.item(3), map.item(0)), (Some(2..10), Some(10..20), None, None));
        assert_eq!([1, 2, 3, 0].map(|index| item_range(Format::Unicode, &block, index)), [Some(2..10), Some(10..20), None, None]);
        assert!((0..block.len()).all(|len| PageMap::decode(Format::Unicode, &block[..len]).is_err()));
    }

    #[test]
    fn an_item_whose_end_lies_before_its_start_is_none() {
        assert_eq!(PageMap { freed: 0, starts: vec![20, 10] }.item(1), None);
    }

    #[test]
    fn every_128th_block_from_the_eighth_on_holds_fill_levels() {
        assert_eq!([0, 1, 7, 8, 9, 135, 136, 264].map(head_bytes), [12, 2, 2, 66, 2, 2, 66, 66]);
    }
}
