//! The ids of the format: nodes, blocks, offsets, heap items. In memory each has its widest form.

use std::fmt;

use super::codec::{Cut, Decoder, Encoder, Field, Word};
use super::{Format, Layout};

/// A node's id: NID ([MS-PST] 2.2.2.1). The low 5 bits are its type, the others its index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nid(pub u32);

/// A node id's type: the low 5 bits. Unknown ones are ordinary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeType(pub u8);

impl NodeType {
    /// A heap item, not a node.
    pub const HID: Self = Self(0x00);
    /// One of the store's own nodes.
    pub const INTERNAL: Self = Self(0x01);
    /// A folder.
    pub const FOLDER: Self = Self(0x02);
    /// A search folder.
    pub const SEARCH_FOLDER: Self = Self(0x03);
    /// A message.
    pub const MESSAGE: Self = Self(0x04);
    /// An attachment; a subnode of a message.
    pub const ATTACHMENT: Self = Self(0x05);
    /// A search folder's update queue.
    pub const SEARCH_UPDATE_QUEUE: Self = Self(0x06);
    /// A search folder's criteria.
    pub const SEARCH_CRITERIA: Self = Self(0x07);
    /// An associated message: views, rules, settings.
    pub const ASSOCIATED_MESSAGE: Self = Self(0x08);
    /// The messages that wait to be sent.
    pub const OUTGOING_QUEUE_TABLE: Self = Self(0x0c);
    /// The table of folders in a folder.
    pub const HIERARCHY_TABLE: Self = Self(0x0d);
    /// The table of messages in a folder.
    pub const CONTENTS_TABLE: Self = Self(0x0e);
    /// The table of associated messages in a folder.
    pub const ASSOCIATED_TABLE: Self = Self(0x0f);
    /// The table of messages in a search folder.
    pub const SEARCH_CONTENTS_TABLE: Self = Self(0x10);
    /// The table of attachments of a message.
    pub const ATTACHMENT_TABLE: Self = Self(0x11);
    /// The table of recipients of a message.
    pub const RECIPIENT_TABLE: Self = Self(0x12);
    /// A large property value; a subnode.
    pub const LTP: Self = Self(0x1f);

    /// Whether real stores have nodes of this type: all but these, several of them of a use that no document describes.
    pub const fn is_seen(self) -> bool {
        !matches!(self, Self::HID | Self(0x1a..=0x1e))
    }
}

impl Nid {
    /// The message store's properties ([MS-PST] 2.4.1).
    pub const MESSAGE_STORE: Self = Self(0x21);
    /// The map of named properties.
    pub const NAME_MAP: Self = Self(0x61);
    /// The root folder.
    pub const ROOT_FOLDER: Self = Self(0x122);
    /// The table that tells where messages of a class are received.
    pub const RECEIVE_FOLDER_TABLE: Self = Self(0x62b);
    /// The outgoing queue: a table of the store's own.
    pub const OUTGOING_QUEUE: Self = Self(0x64c);
    /// The attachment table of a message, as subnode; its template, as node.
    pub const ATTACHMENT_TABLE: Self = Self(0x671);
    /// The recipient table of a message, as subnode; its template, as node.
    pub const RECIPIENT_TABLE: Self = Self(0x692);

    /// The id's type.
    pub fn kind(self) -> NodeType {
        let [low, ..] = self.0.to_le_bytes();
        NodeType(low & 0x1f)
    }

    /// The id's index: what nodes of one folder share.
    pub const fn index(self) -> u32 {
        self.0 >> 5
    }

    /// The id of another type with the same index: a folder's tables.
    #[must_use]
    pub fn with_kind(self, kind: NodeType) -> Self {
        Self((self.0 & !0x1f) | u32::from(kind.0 & 0x1f))
    }

    /// The id of this type and index; the index is cut to 27 bits.
    pub fn new(kind: NodeType, index: u32) -> Self {
        Self((index << 5) | u32::from(kind.0 & 0x1f))
    }
}

impl fmt::Display for Nid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Field for Nid {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
        from.field().map(Self)
    }
    fn encode(&self, to: &mut Encoder) {
        to.field(&self.0);
    }
    fn size(_: Format) -> usize {
        4
    }
}

/// A node id as B-trees and subnode trees store it: as wide as a word, the upper half unused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WideNid {
    /// The id.
    pub nid: Nid,
    /// The upper half, in the wide formats; 0 in good files, and kept.
    pub high: u32,
}

impl From<Nid> for WideNid {
    fn from(nid: Nid) -> Self {
        Self { nid, high: 0 }
    }
}

impl Field for WideNid {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
        let nid = from.field()?;
        let high = match from.format() {
            Format::Ansi => 0,
            Format::Unicode | Format::Unicode4k => from.field()?,
        };
        Ok(Self { nid, high })
    }
    fn encode(&self, to: &mut Encoder) {
        to.field(&self.nid);
        match to.format() {
            Format::Ansi => {}
            Format::Unicode | Format::Unicode4k => {
                to.field(&self.high);
            }
        }
    }
    fn size(format: Format) -> usize {
        Word::size(format)
    }
}

/// A block's or page's id: BID ([MS-PST] 2.2.2.2).
///
/// Bit 0 is reserved and never compared, bit 1 says that the block is internal (a tree's inner block, never encoded).
/// Page ids are plain counters of their own, and use all bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bid(pub u64);

impl Bid {
    /// No block.
    pub const NONE: Self = Self(0);
    /// The bit that ids of inner blocks have, of data trees and of subnode trees ([MS-PST] 2.2.2.2).
    pub const INTERNAL: u64 = 2;

    /// Whether it names no block.
    pub const fn is_none(self) -> bool {
        self.0 & !1 == 0
    }

    /// The id to compare and look up: the reserved bit masked out.
    #[must_use]
    pub const fn key(self) -> Self {
        Self(self.0 & !1)
    }

    /// Whether the block is the inner block of a data tree or of a subnode tree.
    pub const fn is_internal(self) -> bool {
        self.0 & Self::INTERNAL != 0
    }

    /// The low 32 bits: the key of the cyclic cipher, and a part of the signature.
    pub fn low(self) -> u32 {
        let [a, b, c, d, ..] = self.0.to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

impl fmt::Display for Bid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// An offset in the file: IB ([MS-PST] 2.2.2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ib(pub u64);

impl Ib {
    /// The offset so many bytes on.
    pub fn checked_add(self, bytes: u64) -> Option<Self> {
        self.0.checked_add(bytes).map(Self)
    }

    /// Whether the offset is a multiple of `unit`.
    pub fn is_aligned(self, unit: u64) -> bool {
        self.0.checked_rem(unit) == Some(0)
    }
}

impl fmt::Display for Ib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

macro_rules! word_field {
    ($($name:ident)*) => { $(
        impl Field for $name {
            fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
                Ok(Self(from.field::<Word>()?.0))
            }
            fn encode(&self, to: &mut Encoder) {
                to.field(&Word(self.0));
            }
            fn size(format: Format) -> usize {
                Word::size(format)
            }
        }
    )* };
}

word_field! { Bid Ib }

crate::record! {
    /// Where a block or page stands: BREF ([MS-PST] 2.2.2.4).
    #[derive(Copy, Default)]
    pub struct BlockRef {
        /// The id.
        bid: Bid,
        /// The offset in the file.
        ib: Ib,
    }
}

/// A heap id or a node id: HNID ([MS-PST] 2.3.3.2). Which of the two, its type bits say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hnid(pub u32);

impl Hnid {
    /// Whether it names nothing: the value is empty.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The heap id, where it is one.
    pub fn hid(self) -> Option<Hid> {
        (self.nid().kind() == NodeType::HID).then_some(Hid(self.0))
    }

    /// The same bits as a node id.
    pub const fn nid(self) -> Nid {
        Nid(self.0)
    }
}

/// An item of a heap: HID ([MS-PST] 2.3.1.1). How its bits split depends on the format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hid(pub u32);

impl Hid {
    /// Whether it names nothing.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether its type is that of heap ids ([MS-PST] 2.3.1.1), which says nothing of where the item lies.
    pub fn is_typed(self) -> bool {
        Nid(self.0).kind() == NodeType::HID
    }

    /// The item's number in its block, counted from 1; 0 names nothing.
    pub fn index(self, layout: &Layout) -> usize {
        let mask = 1_u32.checked_shl(layout.hid_index_bits).unwrap_or(0).wrapping_sub(1);
        usize::try_from((self.0 >> 5) & mask).unwrap_or(usize::MAX)
    }

    /// The number of the heap's block that holds it, counted from 0.
    pub fn block(self, layout: &Layout) -> usize {
        let block = (self.0 >> 5).checked_shr(layout.hid_index_bits).unwrap_or(0);
        usize::try_from(block).unwrap_or(usize::MAX)
    }

    /// The id of item `index` (from 1) in block `block` (from 0); `None` where the bits do not suffice.
    pub fn new(layout: &Layout, block: usize, index: usize) -> Option<Self> {
        let (block, index) = (u32::try_from(block).ok()?, u32::try_from(index).ok()?);
        let id = block.checked_shl(layout.hid_index_bits)?.checked_add(index)?.checked_mul(32)?;
        let back = Self(id);
        (back.block(layout) == usize::try_from(block).ok()? && back.index(layout) == usize::try_from(index).ok()?).then_some(back)
    }
}

macro_rules! u32_field {
    ($($name:ident)*) => { $(
        impl Field for $name {
            fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
                from.field().map(Self)
            }
            fn encode(&self, to: &mut Encoder) {
                to.field(&self.0);
            }
            fn size(_: Format) -> usize {
                4
            }
        }
    )* };
}

u32_field! { Hnid Hid }

#[cfg(test)]
mod tests {
    use super::super::codec::testing::holds_its_laws;
    use super::*;

    #[test]
    fn every_format_gives_back_its_bytes() {
        for format in Format::ALL {
            holds_its_laws(format, &BlockRef { bid: Bid(0x1234), ib: Ib(0x4400) });
            holds_its_laws(format, &Nid(0x21));
            holds_its_laws(format, &WideNid::from(Nid(0x8022)));
        }
    }

    #[test]
    fn a_folders_tables_share_its_index() {
        assert_eq!(Nid(0x8022).with_kind(NodeType::CONTENTS_TABLE), Nid(0x802e));
        assert_eq!(Nid(0x8022).kind(), NodeType::FOLDER);
        assert_eq!(Nid::new(NodeType::MESSAGE, 0x10001), Nid(0x20_0024));
    }

    #[test]
    fn a_heap_id_splits_as_its_format_says() {
        for format in Format::ALL {
            let layout = format.layout();
            let hid = Hid::new(layout, 3, 17).unwrap();
            assert_eq!((hid.block(layout), hid.index(layout)), (3, 17));
            assert_eq!(Hnid(hid.0).hid(), Some(hid));
            assert_eq!(Hid::new(layout, 0, 1 << 14), None);
        }
    }

    #[test]
    fn the_reserved_bit_of_a_block_id_is_masked() {
        assert_eq!(Bid(5).key(), Bid(4));
        assert!(Bid(6).is_internal() && !Bid(4).is_internal() && Bid(1).is_none());
    }
}
