//! B-tree pages and their entries ([MS-PST] 2.2.2.7.7).

use super::Format;
use super::codec::{self, Cut, Decoder, Described, Encoder, Field, WidePadding, Word};
use super::id::{Bid, BlockRef, Nid, WideNid};

crate::record! {
    /// An entry of an inner page: BTENTRY ([MS-PST] 2.2.2.7.7.2). The key is the first key of the child.
    #[derive(Copy)]
    pub struct BranchEntry {
        /// The first key below.
        key: Word,
        /// The child page.
        child: BlockRef,
    }
}

crate::record! {
    /// A leaf entry of the node B-tree: NBTENTRY ([MS-PST] 2.2.2.7.7.4).
    #[derive(Copy, Default)]
    pub struct NodeEntry {
        /// The node.
        nid: WideNid,
        /// Root of its data tree.
        data: Bid,
        /// Root of its subnode tree.
        subnodes: Bid,
        /// The folder that holds it; 0 for tables and the store's own nodes.
        parent: Nid,
        /// Unused, in the wide formats only. Outlook leaves memory in it.
        padding: WidePadding,
    }
}

/// A leaf entry of the block B-tree: BBTENTRY ([MS-PST] 2.2.2.7.7.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockEntry {
    /// The block's id and offset.
    pub block: BlockRef,
    /// Bytes of data as stored, without padding and trailer.
    pub size: u16,
    /// Bytes of data after inflating; as `size` where nothing is compressed. Only 4K files store it.
    pub inflated: u16,
    /// 1 + how many entries name the block.
    pub references: u16,
    /// Unused: 4 bytes in Unicode, 2 in 4K files. Outlook leaves memory in it.
    pub padding: u32,
}

impl Field for BlockEntry {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
        let (block, size) = (from.field()?, from.field()?);
        let (inflated, references, padding) = match from.format() {
            Format::Ansi => (size, from.field()?, 0),
            Format::Unicode => (size, from.field()?, from.field()?),
            // Not in the specification: real 4K files have the inflated size before the count.
            Format::Unicode4k => (from.field()?, from.field()?, from.field::<u16>()?.into()),
        };
        Ok(Self { block, size, inflated, references, padding })
    }

    fn encode(&self, to: &mut Encoder) {
        to.field(&self.block).field(&self.size);
        let [low, high, ..] = self.padding.to_le_bytes();
        match to.format() {
            Format::Ansi => to.field(&self.references),
            Format::Unicode => to.field(&self.references).field(&self.padding),
            Format::Unicode4k => to.field(&self.inflated).field(&self.references).field(&[low, high]),
        };
    }

    fn size(format: Format) -> usize {
        match format {
            Format::Ansi => 12,
            Format::Unicode | Format::Unicode4k => 24,
        }
    }
}

impl BlockEntry {
    /// How many bytes the block takes in the file: data, padding and trailer, in whole units.
    pub fn stored_bytes(&self, format: Format) -> u64 {
        let layout = format.layout();
        let trailer = u64::try_from(layout.block_trailer_bytes).unwrap_or(0);
        u64::from(self.size).saturating_add(trailer).next_multiple_of(layout.unit_bytes)
    }
}

/// What stands behind the entries of a B-tree page ([MS-PST] 2.2.2.7.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BTreeInfo {
    /// How many entries there are.
    pub count: u16,
    /// How many there is room for.
    pub count_max: u16,
    /// How far apart they stand, in bytes.
    pub entry_bytes: u8,
    /// 0 for leaves, else one more than the children's.
    pub level: u8,
}

impl Field for BTreeInfo {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
        let (count, count_max) = match from.format() {
            Format::Ansi | Format::Unicode => (from.field::<u8>()?.into(), from.field::<u8>()?.into()),
            Format::Unicode4k => (from.field()?, from.field()?),
        };
        Ok(Self { count, count_max, entry_bytes: from.field()?, level: from.field()? })
    }

    fn encode(&self, to: &mut Encoder) {
        match to.format() {
            Format::Ansi | Format::Unicode => {
                let ([count, _], [count_max, _]) = (self.count.to_le_bytes(), self.count_max.to_le_bytes());
                to.field(&count).field(&count_max);
            }
            Format::Unicode4k => {
                to.field(&self.count).field(&self.count_max);
            }
        }
        to.field(&self.entry_bytes).field(&self.level);
    }

    fn size(format: Format) -> usize {
        match format {
            Format::Ansi | Format::Unicode => 4,
            Format::Unicode4k => 6,
        }
    }
}

impl BTreeInfo {
    /// Name, offset in the page and value of each field, for `pstfs inspect`.
    pub fn describe(&self, format: Format) -> Described {
        let at = format.layout().page_entries_bytes;
        let wide = BTreeInfo::size(format).saturating_sub(2).checked_div(2).unwrap_or(1);
        vec![
            ("count", at, self.count.to_string()),
            ("count_max", at.saturating_add(wide), self.count_max.to_string()),
            ("entry_bytes", at.saturating_add(wide.saturating_mul(2)), self.entry_bytes.to_string()),
            ("level", at.saturating_add(wide.saturating_mul(2)).saturating_add(1), self.level.to_string()),
        ]
    }
}

/// The body of a B-tree page: its entries as bytes, and how to read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BTreePage<'a> {
    /// The format.
    format: Format,
    /// The area for entries, those in use and the slack behind them.
    area: &'a [u8],
    /// Counts and level.
    pub info: BTreeInfo,
}

impl<'a> BTreePage<'a> {
    /// Splits the body of a page.
    pub fn decode(format: Format, body: &'a [u8]) -> Result<Self, Cut> {
        let mut from = Decoder::new(format, body);
        let area = from.take(format.layout().page_entries_bytes)?;
        Ok(Self { format, area, info: from.field()? })
    }

    /// The body of a page with these entries.
    pub fn encode<T: Field>(format: Format, level: u8, entries: &[T]) -> Vec<u8> {
        let area = format.layout().page_entries_bytes;
        let mut to = Encoder::new(format);
        for entry in entries {
            to.field(entry);
        }
        to.pad_to(area);
        let info = BTreeInfo {
            count: u16::try_from(entries.len()).unwrap_or(u16::MAX),
            count_max: u16::try_from(Self::capacity::<T>(format)).unwrap_or(u16::MAX),
            entry_bytes: u8::try_from(T::size(format)).unwrap_or(u8::MAX),
            level,
        };
        to.field(&info);
        to.finish()
    }

    /// How many entries of this kind fit in a page.
    pub fn capacity<T: Field>(format: Format) -> usize {
        format.layout().page_entries_bytes.checked_div(T::size(format)).unwrap_or(0)
    }

    /// Whether counts and entry size fit each other, the page and this kind of entry.
    pub fn fits<T: Field>(&self) -> bool {
        let stride = usize::from(self.info.entry_bytes);
        let count = usize::from(self.info.count);
        stride >= T::size(self.format) && count.checked_mul(stride).is_some_and(|bytes| bytes <= self.area.len())
    }

    /// The entries in use, as far as they lie in the page.
    pub fn entries<T: Field>(&self) -> impl Iterator<Item = T> + use<'a, T> {
        codec::entries(self.format, self.area, usize::from(self.info.entry_bytes)).take(usize::from(self.info.count))
    }

    /// What stands in the slots behind the entries in use: older entries that nobody cleared.
    pub fn slack<T: Field>(&self) -> impl Iterator<Item = T> + use<'a, T> {
        codec::entries(self.format, self.area, usize::from(self.info.entry_bytes)).skip(usize::from(self.info.count))
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::testing::holds_its_laws;
    use super::super::id::Ib;
    use super::*;

    const BLOCK: BlockRef = BlockRef { bid: Bid(0x44), ib: Ib(0x5000) };

    #[test]
    fn every_format_gives_back_its_bytes() {
        for format in Format::ALL {
            holds_its_laws(format, &BranchEntry { key: Word(4), child: BLOCK });
            let padding = WidePadding(if format == Format::Ansi { 0 } else { 7 });
            holds_its_laws(format, &NodeEntry { nid: Nid(0x21).into(), data: Bid(4), subnodes: Bid(6), parent: Nid(0x122), padding });
            let padding = if format == Format::Ansi { 0 } else { 7 };
            let inflated = if format == Format::Unicode4k { 300 } else { 100 };
            holds_its_laws(format, &BlockEntry { block: BLOCK, size: 100, inflated, references: 2, padding });
            holds_its_laws(format, &BTreeInfo { count: 3, count_max: 20, entry_bytes: 24, level: 1 });
        }
    }

    #[test]
    fn pages_hold_as_many_entries_as_outlook_puts_in() {
        let expected = [(Format::Ansi, 41, 31, 41), (Format::Unicode, 20, 15, 20), (Format::Unicode4k, 169, 126, 169)];
        for (format, branch, node, block) in expected {
            assert_eq!(BTreePage::capacity::<BranchEntry>(format), branch);
            assert_eq!(BTreePage::capacity::<NodeEntry>(format), node);
            assert_eq!(BTreePage::capacity::<BlockEntry>(format), block);
        }
    }

    #[test]
    fn a_blocks_place_is_whole_units() {
        let entry = BlockEntry { size: 8176, ..BlockEntry::default() };
        assert_eq!(entry.stored_bytes(Format::Unicode), 8192);
        assert_eq!(BlockEntry { size: 53, ..entry }.stored_bytes(Format::Ansi), 128);
        assert_eq!(BlockEntry { size: 1, ..entry }.stored_bytes(Format::Unicode4k), 512);
    }

    #[test]
    fn an_entry_size_of_zero_or_too_small_yields_nothing() {
        for format in Format::ALL {
            let body = BTreePage::encode(format, 0, &[NodeEntry::default(); 3]);
            let mut page = BTreePage::decode(format, &body).unwrap();
            assert_eq!((page.entries::<NodeEntry>().count(), page.fits::<NodeEntry>()), (3, true));
            for stride in [0, 1] {
                page.info.entry_bytes = stride;
                assert_eq!((page.entries::<NodeEntry>().count(), page.fits::<NodeEntry>()), (0, false));
            }
            page.info = BTreeInfo { count: u16::MAX, entry_bytes: 255, ..page.info };
            assert!(!page.fits::<NodeEntry>());
        }
    }
}
