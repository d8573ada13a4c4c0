//! Inode numbers: a function of what they stand for, so that they are the same at every mount and need no table.

use crate::format::id::{Nid, NodeType};
use crate::recover::Category;

/// An inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ino(pub u64);

impl Ino {
    /// The root of the mount.
    pub const ROOT: Self = Self(1);
    /// Numbers below this belong to the files that the mount itself adds (`.control`, `.scanlog`).
    pub const FIRST: Self = Self(16);
}

/// What an inode number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Object {
    /// The root of the mount.
    Root,
    /// The folder of folders outside the IPM subtree.
    OtherFolders,
    /// The folder of what was recovered.
    Recovered,
    /// The folder of items that no folder reaches.
    Orphaned,
    /// A folder of the store.
    Folder(Nid),
    /// A folder of the store that no other folder reaches.
    Lost(Nid),
    /// Under `Orphaned`, a folder that holds nothing but what leads to orphans; named by a folder of the store.
    StandIn(Nid),
    /// One of the folders of what a search found.
    Category(Category),
    /// A folder of what a search found, by its position.
    FoundFolder(u32),
    /// What a search found, by its position.
    Found(u32),
    /// The folder of the attachments of what a search found.
    FoundAttachments(u32),
    /// An attachment of what a search found, by both positions.
    FoundAttachment(u32, u32),
    /// A document.
    Document(Slot),
    /// The folder of a document's attachments.
    Attachments(Slot),
    /// An attachment of a message, by its position.
    Attachment(Nid, u32),
}

/// An item in a folder. The folder is a part of it: a damaged store may list one item in several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The folder that lists the item; `None` where none does.
    pub folder: Option<Nid>,
    /// The item.
    pub nid: Nid,
    /// Whether no folder that others reach holds it.
    pub orphaned: bool,
}

/// The four highest bits tell the kind; the 60 below hold indexes of 27 bits and more.
const KIND_SHIFT: u32 = 60;
const FOLDER: u64 = 1;
const DOCUMENT: u64 = 2;
const ATTACHMENTS: u64 = 3;
const ATTACHMENT: u64 = 4;
const LOST: u64 = 5;
const STAND_IN: u64 = 6;
const FOUND_FOLDER: u64 = 7;
const FOUND: u64 = 8;
const FOUND_ATTACHMENTS: u64 = 9;
const FOUND_ATTACHMENT: u64 = 10;

/// The numbers of the folders of each category, from here on.
const CATEGORIES: u64 = 19;

const INDEX_BITS: u32 = 27;
const INDEX_MASK: u64 = 0x7ff_ffff;
/// Above two indexes: the item is an associated one.
const ASSOCIATED: u64 = 1 << 54;
/// Above that: no folder that others reach holds the item.
const ORPHANED: u64 = 1 << 55;

impl From<Object> for Ino {
    fn from(object: Object) -> Self {
        match object {
            Object::Root => Self::ROOT,
            Object::OtherFolders => Self(16),
            Object::Recovered => Self(17),
            Object::Orphaned => Self(18),
            Object::Folder(nid) => tagged(FOLDER, nid.0.into()),
            Object::Lost(nid) => tagged(LOST, nid.0.into()),
            Object::StandIn(nid) => tagged(STAND_IN, nid.0.into()),
            Object::Category(category) => Self(CATEGORIES.saturating_add(match category {
                Category::Deleted => 0,
                Category::Older => 1,
                Category::Fragment => 2,
            })),
            Object::FoundFolder(index) => tagged(FOUND_FOLDER, index.into()),
            Object::Found(index) => tagged(FOUND, index.into()),
            Object::FoundAttachments(index) => tagged(FOUND_ATTACHMENTS, index.into()),
            Object::FoundAttachment(found, index) => tagged(FOUND_ATTACHMENT, pair_bits(found, index)),
            Object::Document(slot) => tagged(DOCUMENT, slot_bits(slot)),
            Object::Attachments(slot) => tagged(ATTACHMENTS, slot_bits(slot)),
            Object::Attachment(nid, index) => tagged(ATTACHMENT, pair_bits(nid.0, index)),
        }
    }
}

fn tagged(kind: u64, bits: u64) -> Ino {
    Ino((kind << KIND_SHIFT) | bits)
}

fn slot_bits(slot: Slot) -> u64 {
    // The root folder's index is 9: 0 is free for "no folder".
    let folder = slot.folder.map_or(0, |nid| u64::from(nid.index()));
    let associated = if slot.nid.kind() == NodeType::ASSOCIATED_MESSAGE { ASSOCIATED } else { 0 };
    let orphaned = if slot.orphaned { ORPHANED } else { 0 };
    orphaned | associated | (folder << INDEX_BITS) | u64::from(slot.nid.index())
}

impl Object {
    /// What a number stands for; `None` for numbers that stand for nothing.
    pub fn of(ino: Ino) -> Option<Self> {
        let bits = ino.0 & ((1 << KIND_SHIFT) - 1);
        match ino.0 >> KIND_SHIFT {
            0 => Self::fixed().find(|object| Ino::from(*object) == ino),
            FOLDER => Some(Self::Folder(Nid(u32::try_from(bits).ok()?))),
            LOST => Some(Self::Lost(Nid(u32::try_from(bits).ok()?))),
            STAND_IN => Some(Self::StandIn(Nid(u32::try_from(bits).ok()?))),
            FOUND_FOLDER => Some(Self::FoundFolder(u32::try_from(bits).ok()?)),
            FOUND => Some(Self::Found(u32::try_from(bits).ok()?)),
            FOUND_ATTACHMENTS => Some(Self::FoundAttachments(u32::try_from(bits).ok()?)),
            FOUND_ATTACHMENT => pair_of(bits).map(|(found, index)| Self::FoundAttachment(found, index)),
            DOCUMENT => slot_of(bits).map(Self::Document),
            ATTACHMENTS => slot_of(bits).map(Self::Attachments),
            ATTACHMENT => pair_of(bits).map(|(nid, index)| Self::Attachment(Nid(nid), index)),
            _ => None,
        }
    }

    /// Those of which there is one each.
    fn fixed() -> impl Iterator<Item = Self> {
        [Self::Root, Self::OtherFolders, Self::Recovered, Self::Orphaned].into_iter().chain(Category::ALL.map(Self::Category))
    }
}

/// Two numbers, the second of 28 bits.
fn pair_bits(first: u32, second: u32) -> u64 {
    (u64::from(first) << 28) | (u64::from(second) & 0xfff_ffff)
}

fn pair_of(bits: u64) -> Option<(u32, u32)> {
    Some((u32::try_from(bits >> 28).ok()?, u32::try_from(bits & 0xfff_ffff).ok()?))
}

fn slot_of(bits: u64) -> Option<Slot> {
    let index = |bits: u64| u32::try_from(bits & INDEX_MASK).ok();
    let folder = index(bits >> INDEX_BITS)?;
    let kind = if bits & ASSOCIATED == 0 { NodeType::MESSAGE } else { NodeType::ASSOCIATED_MESSAGE };
    let folder = (folder != 0).then(|| Nid::new(NodeType::FOLDER, folder));
    Some(Slot { folder, nid: Nid::new(kind, index(bits)?), orphaned: bits & ORPHANED != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_leads_back_to_its_object() {
        let folder = Nid::new(NodeType::FOLDER, 0x7ff_ffff);
        let slots = [
            Slot { folder: Some(folder), nid: Nid::new(NodeType::MESSAGE, 0x7ff_ffff), orphaned: true },
            Slot { folder: None, nid: Nid(0x20_0024), orphaned: true },
            Slot { folder: Some(Nid::ROOT_FOLDER), nid: Nid::new(NodeType::ASSOCIATED_MESSAGE, 1), orphaned: false },
        ];
        let fixed = [Object::Folder(folder), Object::Lost(folder), Object::StandIn(folder)].into_iter().chain(Object::fixed());
        let found =
            [Object::FoundFolder(7), Object::Found(u32::MAX), Object::FoundAttachments(0), Object::FoundAttachment(u32::MAX, 0xfff_ffff)];
        let attached = [Object::Attachment(Nid(u32::MAX), 0xfff_ffff), Object::Attachment(Nid(0x20_0024), 0)];
        let documents = slots.iter().flat_map(|slot| [Object::Document(*slot), Object::Attachments(*slot)]);
        for object in fixed.chain(found).chain(attached).chain(documents) {
            assert_eq!(Object::of(Ino::from(object)), Some(object));
        }
    }

    #[test]
    fn numbers_of_nothing_are_none() {
        assert_eq!([Ino(0), Ino(2), Ino(22), Ino(u64::MAX)].map(Object::of), [None; 4]);
    }
}
