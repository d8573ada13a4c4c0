//! Blocks: their trailers, and the inner blocks of data and subnode trees ([MS-PST] 2.2.2.8).

use super::Format;
use super::checksum;
use super::codec::{self, Cut, Decoder, Described, Encoder, Field, WidePadding};
use super::id::{Bid, BlockRef, Ib, WideNid};

/// The end of every block: BLOCKTRAILER ([MS-PST] 2.2.2.8.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockTrailer {
    /// Bytes of data as stored.
    pub size: u16,
    /// Signature of the block's place.
    pub signature: u16,
    /// CRC of the data as stored.
    pub crc: u32,
    /// The block's id.
    pub bid: Bid,
    /// 4K only, not in the specification: 2 in every block seen.
    pub extra: u16,
    /// 4K only: bytes of data after inflating.
    pub inflated: u16,
    /// 4K only: 0 in every block seen.
    pub extra_high: u32,
}

impl BlockTrailer {
    /// Whether it is the trailer of the block that has this id and stands here: it names that id, or one that differs by a
    /// bit and was flipped, for the signature is that of this block. No CRC covers the id ([MS-PST] 2.2.2.8.1, 5.5).
    pub fn is_of(&self, block: BlockRef) -> bool {
        let bits = self.bid.key().0 ^ block.bid.key().0;
        let is_flipped = bits.is_power_of_two() && self.signature == checksum::signature(block.ib, block.bid);
        bits == 0 || is_flipped && !self.bid.is_none()
    }
}

impl Field for BlockTrailer {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
        let (size, signature) = (from.field()?, from.field()?);
        let (crc, bid) = match from.format() {
            // The ANSI trailer has the id before the CRC.
            Format::Ansi => {
                let bid = from.field()?;
                (from.field()?, bid)
            }
            Format::Unicode | Format::Unicode4k => (from.field()?, from.field()?),
        };
        let (extra, inflated, extra_high) = match from.format() {
            Format::Ansi | Format::Unicode => (0, size, 0),
            Format::Unicode4k => (from.field()?, from.field()?, from.field()?),
        };
        Ok(Self { size, signature, crc, bid, extra, inflated, extra_high })
    }

    fn encode(&self, to: &mut Encoder) {
        to.field(&self.size).field(&self.signature);
        match to.format() {
            Format::Ansi => to.field(&self.bid).field(&self.crc),
            Format::Unicode => to.field(&self.crc).field(&self.bid),
            Format::Unicode4k => to.field(&self.crc).field(&self.bid).field(&self.extra).field(&self.inflated).field(&self.extra_high),
        };
    }

    fn size(format: Format) -> usize {
        format.layout().block_trailer_bytes
    }
}

impl BlockTrailer {
    /// Name, offset in the trailer and value of each field, for `pstfs inspect`.
    pub fn describe(&self, format: Format) -> Described {
        // The ANSI trailer has the id before the CRC.
        let (crc_at, bid_at) = if format == Format::Ansi { (8, 4) } else { (4, 8) };
        let mut lines = vec![
            ("size", 0, self.size.to_string()),
            ("signature", 2, format!("{:#x}", self.signature)),
            ("crc", crc_at, format!("{:#x}", self.crc)),
            ("bid", bid_at, self.bid.to_string()),
        ];
        if format == Format::Unicode4k {
            lines.push(("extra", 16, format!("{:#x}", self.extra)));
            lines.push(("inflated", 18, self.inflated.to_string()));
            lines.push(("extra_high", 20, format!("{:#x}", self.extra_high)));
        }
        lines
    }
}

/// A block as it stands in the file: data, padding, and a trailer that is right.
///
/// `data` is as stored: encoded, and compressed where `inflated` differs from its length.
pub fn encode_block(format: Format, bid: Bid, ib: Ib, data: &[u8], inflated: u16) -> Vec<u8> {
    let layout = format.layout();
    let size = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let whole = data.len().saturating_add(layout.block_trailer_bytes).next_multiple_of(usize::try_from(layout.unit_bytes).unwrap_or(64));
    let mut to = Encoder::new(format);
    to.bytes(data).pad_to(whole.saturating_sub(layout.block_trailer_bytes));
    let (signature, crc) = (checksum::signature(ib, bid), checksum::crc(data));
    to.field(&BlockTrailer { size, signature, crc, bid, extra: 2, inflated, extra_high: 0 });
    to.finish()
}

/// The first byte of a data tree's inner block.
pub const DATA_TREE: u8 = 1;
/// The first byte of a subnode tree's block.
pub const SUBNODE_TREE: u8 = 2;

/// An inner block of a data tree: XBLOCK at level 1, XXBLOCK at level 2 ([MS-PST] 2.2.2.8.3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataTreeBlock {
    /// 1 where the children are data blocks, 2 where they are blocks of level 1.
    pub level: u8,
    /// Bytes of data below.
    pub total: u32,
    /// The children.
    pub children: Vec<Bid>,
}

/// What both kinds of inner blocks begin with.
fn tree_head(from: &mut Decoder<'_>) -> Result<(u8, u8, u16), Cut> {
    Ok((from.field()?, from.field()?, from.field()?))
}

impl DataTreeBlock {
    /// Decodes a block's data; an error where it is not such a block or ends before its entries.
    pub fn decode(format: Format, data: &[u8]) -> Result<Self, Cut> {
        let mut from = Decoder::new(format, data);
        let (kind, level, count) = tree_head(&mut from)?;
        let total = from.field()?;
        let children: Vec<Bid> = codec::entries(format, from.rest(), Bid::size(format)).take(usize::from(count)).collect();
        if kind != DATA_TREE || !(1..=2).contains(&level) || children.len() != usize::from(count) {
            return Err(Cut);
        }
        Ok(Self { level, total, children })
    }

    /// The block's data.
    pub fn encode(&self, format: Format) -> Vec<u8> {
        let mut to = Encoder::new(format);
        to.field(&DATA_TREE).field(&self.level).field(&u16::try_from(self.children.len()).unwrap_or(u16::MAX)).field(&self.total);
        for child in &self.children {
            to.field(child);
        }
        to.finish()
    }

    /// How many children a block may have.
    pub fn capacity(format: Format) -> usize {
        format.layout().data_max_bytes.saturating_sub(8).checked_div(Bid::size(format)).unwrap_or(0)
    }
}

crate::record! {
    /// An entry of a subnode tree's leaf: SLENTRY ([MS-PST] 2.2.2.8.3.3.1.1).
    #[derive(Copy, Default)]
    pub struct SubnodeEntry {
        /// The subnode's id, unique within its node.
        nid: WideNid,
        /// Root of its data tree.
        data: Bid,
        /// Root of its own subnode tree.
        subnodes: Bid,
    }
}

crate::record! {
    /// An entry of a subnode tree's inner block: SIENTRY ([MS-PST] 2.2.2.8.3.3.2.1).
    #[derive(Copy, Default)]
    pub struct SubnodeBranch {
        /// The first id below.
        nid: WideNid,
        /// The leaf.
        child: Bid,
    }
}

/// A block of a subnode tree: SLBLOCK or SIBLOCK ([MS-PST] 2.2.2.8.3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubnodeBlock {
    /// The subnodes themselves.
    Leaf(Vec<SubnodeEntry>),
    /// Leaves.
    Branch(Vec<SubnodeBranch>),
}

impl SubnodeBlock {
    /// Decodes a block's data; an error where it is not such a block or ends before its entries.
    pub fn decode(format: Format, data: &[u8]) -> Result<Self, Cut> {
        let mut from = Decoder::new(format, data);
        let (kind, level, count) = tree_head(&mut from)?;
        from.field::<WidePadding>()?;
        let count = usize::from(count);
        match (kind, level) {
            (SUBNODE_TREE, 0) => whole(&from, count).map(Self::Leaf),
            (SUBNODE_TREE, 1) => whole(&from, count).map(Self::Branch),
            _ => Err(Cut),
        }
    }

    /// The block's data.
    pub fn encode(&self, format: Format) -> Vec<u8> {
        let mut to = Encoder::new(format);
        let (level, count) = match self {
            Self::Leaf(entries) => (0_u8, entries.len()),
            Self::Branch(entries) => (1, entries.len()),
        };
        to.field(&SUBNODE_TREE).field(&level).field(&u16::try_from(count).unwrap_or(u16::MAX)).field(&WidePadding(0));
        match self {
            Self::Leaf(entries) => entries.iter().for_each(|entry| {
                to.field(entry);
            }),
            Self::Branch(entries) => entries.iter().for_each(|entry| {
                to.field(entry);
            }),
        }
        to.finish()
    }

    /// How many entries of this kind a block may have.
    pub fn capacity<T: Field>(format: Format) -> usize {
        let head = WidePadding::size(format).saturating_add(4);
        format.layout().data_max_bytes.saturating_sub(head).checked_div(T::size(format)).unwrap_or(0)
    }
}

fn whole<T: Field>(from: &Decoder<'_>, count: usize) -> Result<Vec<T>, Cut> {
    let entries: Vec<T> = codec::entries(from.format(), from.rest(), T::size(from.format())).take(count).collect();
    if entries.len() == count { Ok(entries) } else { Err(Cut) }
}

#[cfg(test)]
mod tests {
    use super::super::codec::testing::holds_its_laws;
    use super::super::id::Nid;
    use super::*;

    #[test]
    fn every_format_gives_back_its_bytes() {
        for format in Format::ALL {
            let wide = format == Format::Unicode4k;
            let (extra, inflated) = if wide { (2, 300) } else { (0, 100) };
            holds_its_laws(format, &BlockTrailer { size: 100, signature: 1, crc: 2, bid: Bid(4), extra, inflated, extra_high: 0 });
            holds_its_laws(format, &SubnodeEntry { nid: Nid(0x671).into(), data: Bid(4), subnodes: Bid(6) });
            holds_its_laws(format, &SubnodeBranch { nid: Nid(0x671).into(), child: Bid(6) });
        }
    }

    #[test]
    fn inner_blocks_give_back_their_bytes_and_every_cut_is_an_error() {
        for format in Format::ALL {
            let data = DataTreeBlock { level: 1, total: 9, children: vec![Bid(4), Bid(8)] };
            let leaf = SubnodeBlock::Leaf(vec![SubnodeEntry::default(); 2]);
            let branch = SubnodeBlock::Branch(vec![SubnodeBranch::default(); 2]);
            let bytes = data.encode(format);
            assert_eq!(DataTreeBlock::decode(format, &bytes), Ok(data));
            assert!((0..bytes.len()).all(|len| DataTreeBlock::decode(format, &bytes[..len]).is_err()));
            for block in [leaf, branch] {
                let bytes = block.encode(format);
                assert_eq!(SubnodeBlock::decode(format, &bytes), Ok(block));
                assert!((0..bytes.len()).all(|len| SubnodeBlock::decode(format, &bytes[..len]).is_err()));
            }
        }
    }

    #[test]
    fn blocks_hold_as_many_entries_as_their_formats_say() {
        let expected = [(Format::Ansi, 2043, 681, 1022), (Format::Unicode, 1021, 340, 510), (Format::Unicode4k, 8188, 2729, 4094)];
        for (format, children, leaf, branch) in expected {
            assert_eq!(DataTreeBlock::capacity(format), children);
            assert_eq!(SubnodeBlock::capacity::<SubnodeEntry>(format), leaf);
            assert_eq!(SubnodeBlock::capacity::<SubnodeBranch>(format), branch);
        }
    }

    #[test]
    fn a_tree_block_of_another_kind_or_level_is_refused() {
        let bytes = DataTreeBlock { level: 3, total: 0, children: vec![] }.encode(Format::Unicode);
        assert_eq!(DataTreeBlock::decode(Format::Unicode, &bytes), Err(Cut));
        assert_eq!(SubnodeBlock::decode(Format::Unicode, &bytes), Err(Cut));
    }

    #[test]
    fn a_written_block_ends_with_its_trailer_on_a_unit() {
        for format in Format::ALL {
            let bytes = encode_block(format, Bid(4), Ib(0x5000), b"data", 4);
            let at = bytes.len() - format.layout().block_trailer_bytes;
            let trailer: BlockTrailer = codec::decode(format, &bytes[at..]).unwrap();
            assert_eq!((trailer.size, trailer.crc, trailer.bid), (4, checksum::crc(b"data"), Bid(4)));
            assert_eq!(bytes.len() as u64 % format.layout().unit_bytes, 0);
        }
    }
}
