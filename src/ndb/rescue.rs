//! What happens when a tree turns out damaged: the whole file is searched once, and from then on maps answer.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::maps::Maps;
use super::recent::Recent;
use super::{BTree, Ndb};
use crate::damage::{Code, Error, Place, Result};
use crate::format::btree::{BlockEntry, NodeEntry};
use crate::format::codec;
use crate::format::heap::{HEAP_SIGNATURE, HeapHeader};
use crate::format::id::{BlockRef, Nid};
use crate::progress::Progress;

/// Who finds what the damaged trees of a database named: given by the layer that searches files.
pub type Rescue = fn(&Ndb, &Progress) -> Result<Maps>;

/// What answers in place of the trees, once they turned out damaged.
#[derive(Debug, Default)]
pub(super) struct Rescued {
    maps: OnceLock<Maps>,
    /// Held while the maps are made.
    making: Mutex<()>,
}

impl Rescued {
    /// Lets these maps answer.
    pub(super) fn set(&self, maps: Maps) {
        self.maps.get_or_init(|| maps);
    }
}

/// What a walk over a tree as it stands comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The entries of a leaf of the node B-tree.
    Nodes(&'a [NodeEntry]),
    /// The entries of a leaf of the block B-tree.
    Blocks(&'a [BlockEntry]),
    /// A page that cannot be relied on: keys from the first on and below the second are its business.
    Lost(BlockRef, u64, u64),
}

impl Ndb {
    /// Lets this function find what damaged trees named, as soon as damage is met; `progress` tells when that is.
    pub fn rescue_with(&mut self, rescue: Rescue, progress: Arc<Progress>) {
        // Pages that were looked at before there was a way to find what a damaged one should say are looked at again.
        self.recent = Recent::default();
        self.rescue = Some((rescue, progress));
    }

    /// Whether one can begin by the header: both roots are what it names, and the root folder is where they say.
    pub fn check_beginning(&self) -> Result<()> {
        for tree in [BTree::Blocks, BTree::Nodes] {
            self.tree_page(tree, self.root(tree), None)?;
        }
        let root = self.required_node(Nid::ROOT_FOLDER)?;
        let first = self.data(root.data)?.block(self, 0)?;
        match codec::decode::<HeapHeader>(self.format(), &first.data) {
            Ok(header) if header.signature == HEAP_SIGNATURE => Ok(()),
            _ => Err(Error::Damaged(Code::HeapHeader, Place::node(Nid::ROOT_FOLDER.0))),
        }
    }

    /// The maps that answer in place of the trees, once damage was met.
    pub fn maps(&self) -> Option<&Maps> {
        self.rescued.maps.get()
    }

    /// The maps that it was opened from; none where it was opened by its header and met no damage.
    pub fn into_maps(self) -> Maps {
        Arc::into_inner(self.rescued).and_then(|rescued| rescued.maps.into_inner()).unwrap_or_default()
    }

    /// The maps, made now where they are not yet: once, while others wait. The error given where nobody can make them.
    pub(super) fn rescued(&self, error: Error) -> Result<&Maps> {
        match self.rescued_after(&error)? {
            Some(maps) => Ok(maps),
            None => Err(error),
        }
    }

    /// The maps, where this error is damage and somebody can make them.
    pub(super) fn rescued_after(&self, error: &Error) -> Result<Option<&Maps>> {
        if !matches!(error, Error::Damaged(..)) {
            return Ok(None);
        }
        let Some((rescue, progress)) = &self.rescue else { return Ok(self.maps()) };
        let _making = self.rescued.making.lock().unwrap_or_else(PoisonError::into_inner);
        match self.maps() {
            Some(maps) => Ok(Some(maps)),
            None => {
                let maps = rescue(self, progress)?;
                Ok(Some(self.rescued.maps.get_or_init(|| maps)))
            }
        }
    }

    /// Walks a tree as it stands, damaged pages included, and shows its parts in the order of their keys.
    ///
    /// What a damaged page says of keys that are its business is shown too where it can be decoded, after the loss was told.
    /// Nothing is searched for.
    pub fn visit_standing(&self, tree: BTree, root: BlockRef, visit: &mut dyn FnMut(Part<'_>)) -> Result<()> {
        let mut seen = std::collections::HashSet::new();
        let mut waiting = vec![(root, None, 0, u64::MAX)];
        while let Some((place, level, from, to)) = waiting.pop() {
            if !seen.insert(place.ib) {
                continue;
            }
            let (page, doubt) = match self.standing_page(tree, place, level) {
                Ok(found) => found,
                Err(error) if error.is_io() => return Err(error),
                Err(_) => {
                    visit(Part::Lost(place, from, to));
                    continue;
                }
            };
            if doubt.is_some() {
                visit(Part::Lost(place, from, to));
            }
            let branches = page.branches();
            let ends = branches.iter().skip(1).map(|next| next.key.0.min(to)).chain([to]);
            let children = branches.iter().zip(ends).enumerate().map(|(index, (branch, end))| {
                // What comes before the first key belongs to the first child.
                let start = if index == 0 { from } else { branch.key.0 };
                (branch.child, page.level().checked_sub(1), start, end)
            });
            let first = waiting.len();
            waiting.extend(children);
            waiting.get_mut(first..).unwrap_or_default().reverse();
            // A key outside of what the page is for has a bit flipped: nothing else says of its entry that it is in doubt.
            let (mut nodes, mut blocks) = (page.nodes().to_vec(), page.blocks().to_vec());
            if doubt.is_some() {
                nodes.retain(|entry| (from..to).contains(&entry.nid.nid.0.into()));
                blocks.retain(|entry| (from..to).contains(&entry.block.bid.key().0));
            }
            match tree {
                BTree::Nodes if !nodes.is_empty() => visit(Part::Nodes(&nodes)),
                BTree::Blocks if !blocks.is_empty() => visit(Part::Blocks(&blocks)),
                BTree::Nodes | BTree::Blocks => {}
            }
        }
        Ok(())
    }
}
