//! What a search of the whole file found, as items in folders.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::damage::{Error, Result};
use crate::format::id::{Bid, Ib, Nid};
use crate::format::property::PropType;
use crate::ltp::value::{Stream, Value};
use crate::store::item::{Attachment, Content, Item, NodeRef};
use crate::store::props::Props;
use crate::store::{Store, tags};

/// What something that was found is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    /// An item that no live node stands for.
    Deleted,
    /// An earlier state of an item that is live, or of which a later state was found.
    Older,
    /// A part of an item that is lost.
    Fragment,
}

impl Category {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 3] = [Self::Deleted, Self::Older, Self::Fragment];

    /// What its folder is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deleted => "Deleted",
            Self::Older => "Older versions",
            Self::Fragment => "Fragments",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Older => "older version",
            Self::Fragment => "fragment",
        }
    }
}

/// Where something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// In an entry of a page of the live node B-tree, behind those in use.
    Slack(Ib),
    /// In a page that once belonged to the node B-tree.
    StalePage(Ib),
    /// In a block that no node names.
    Block(Ib),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slack(ib) => write!(f, "slack entry of page {:#x}", ib.0),
            Self::StalePage(ib) => write!(f, "stale page {:#x}", ib.0),
            Self::Block(ib) => write!(f, "unreferenced block {:#x}", ib.0),
        }
    }
}

/// How much of something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Confidence {
    /// Every block that the item ever had is there, each verified by its check sum.
    Complete,
    /// Something is missing or damaged.
    Partial,
    /// It is a part of something else.
    Fragment,
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Fragment => "fragment",
        })
    }
}

/// Which part of an item was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The item itself.
    Whole,
    /// What lay beside its properties: attachments and recipients.
    Subnodes,
    /// The properties of an attachment.
    Attachment,
    /// A long value: a body, or the content of an attachment, that shows itself as this kind of file.
    Value(&'static str),
}

/// Something that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it lies; the id is 0 where nobody knows it.
    pub node: NodeRef,
    /// What of an item it is.
    pub part: Part,
    /// What it is.
    pub category: Category,
    /// The folder that shows it.
    pub shelf: Shelf,
    /// How it was found.
    pub origin: Origin,
    /// How much of it is there.
    pub confidence: Confidence,
    /// The live item of which it is an earlier state; 0 where there is none.
    pub live: Nid,
}

impl Found {
    /// Its node's id; 0 where nobody knows it.
    pub const fn nid(&self) -> Nid {
        self.node.nid
    }

    /// What tells it from others of the same name.
    pub fn id(&self) -> u32 {
        let block = if self.node.data.is_none() { self.node.subnodes } else { self.node.data };
        if self.node.nid == Nid::default() { Nid(u32::try_from(block.0 & 0xffff_ffff).unwrap_or(0)).0 } else { self.node.nid.0 }
    }

    /// How it was come by, without ids: documents hold none.
    pub fn words(&self) -> String {
        match self.category {
            Category::Fragment => self.category.word().to_owned(),
            category => format!("{}; {}", category.word(), self.confidence),
        }
    }
}

/// A folder that shows what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shelf {
    /// The topmost of a category.
    Category(Category),
    /// One below, by its position in [`Findings`].
    Folder(u32),
}

/// A folder that once held what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFolder {
    /// Its name, as the live folder or the latest state of the deleted one has it.
    pub name: String,
    /// Its node.
    pub nid: Nid,
    /// The folder above it.
    pub above: Shelf,
}

/// What a search found.
#[derive(Debug)]
pub struct Findings {
    store: Arc<Store>,
    folders: Vec<FoundFolder>,
    items: Vec<Found>,
    below: BTreeMap<Shelf, Below>,
    /// Whether there was more in the file than memory is given for.
    pub is_cut: bool,
}

#[derive(Debug, Default)]
struct Below {
    folders: Vec<u32>,
    items: Vec<u32>,
}

impl Findings {
    /// Found items in their folders; `store` reads live blocks and found ones alike.
    pub(super) fn new(store: Arc<Store>, folders: Vec<FoundFolder>, items: Vec<Found>, is_cut: bool) -> Self {
        let mut below: BTreeMap<Shelf, Below> = BTreeMap::new();
        for (index, folder) in (0..).zip(&folders) {
            below.entry(folder.above).or_default().folders.push(index);
        }
        for (index, item) in (0..).zip(&items) {
            below.entry(item.shelf).or_default().items.push(index);
        }
        Self { store, folders, items, below, is_cut }
    }

    /// The same without what does not pass; `keep` is asked for each item in its order.
    pub fn retain(self, mut keep: impl FnMut(&Found) -> bool) -> Self {
        let Self { store, folders, mut items, is_cut, .. } = self;
        items.retain(|found| keep(found));
        Self::new(store, folders, items, is_cut)
    }

    /// What reads the items that were found.
    pub const fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// All that was found.
    pub fn items(&self) -> &[Found] {
        &self.items
    }

    /// How many of a category were found.
    pub fn count(&self, category: Category) -> usize {
        self.items.iter().filter(|item| item.category == category).count()
    }

    /// The positions of the folders in a folder.
    pub fn folders_in(&self, shelf: Shelf) -> &[u32] {
        self.below.get(&shelf).map(|below| below.folders.as_slice()).unwrap_or_default()
    }

    /// The positions of what lies in a folder.
    pub fn items_in(&self, shelf: Shelf) -> &[u32] {
        self.below.get(&shelf).map(|below| below.items.as_slice()).unwrap_or_default()
    }

    /// The folder at this position.
    pub fn folder(&self, index: u32) -> Result<&FoundFolder> {
        at(&self.folders, index)
    }

    /// What was found, by its position.
    pub fn get(&self, index: u32) -> Result<&Found> {
        at(&self.items, index)
    }

    /// What was found, as an item: what is missing of it stands in its `damage`.
    pub fn item(&self, index: u32) -> Result<Item> {
        let found = self.get(index)?;
        Ok(Item { origin: Some(found.words()), ..self.read(found)? })
    }

    fn read(&self, found: &Found) -> Result<Item> {
        let attachment = match found.part {
            Part::Whole => return self.store.item(found.node),
            Part::Subnodes => return self.store.item_without_props(found.node),
            Part::Attachment => self.store.attachment_alone(found.node)?,
            Part::Value(extension) => self.value(found.node.data, extension)?,
        };
        Ok(Item { node: found.node, attachments: vec![attachment], ..Item::default() })
    }

    fn value(&self, data: Bid, extension: &str) -> Result<Attachment> {
        let len = self.store.ndb().data(data)?.len();
        let name = Value::Unicode(format!("fragment.{extension}"));
        let props = Props::from_values([(tags::ATTACH_LONG_FILENAME, name)]);
        let content = Content::Stream(Stream { kind: PropType::BINARY, data, len });
        Ok(Attachment { node: NodeRef { data, ..NodeRef::default() }, props, content })
    }
}

fn at<T>(list: &[T], index: u32) -> Result<&T> {
    usize::try_from(index)
        .ok()
        .and_then(|index| list.get(index))
        .ok_or_else(|| Error::NotFound(format!("number {index} of what was found")))
}
