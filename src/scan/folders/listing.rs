//! Which folders and messages some table lists.

use super::Unlisted;
use crate::format::btree::NodeEntry;
use crate::format::id::{Nid, NodeType};
use crate::scan::bits::BitSet;
use crate::store::Which;

/// What a folder's table lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listing {
    /// The folders in it.
    Folders,
    /// The messages in it.
    Messages(Which),
}

/// What was listed so far.
#[derive(Debug, Default)]
pub(super) struct Listed {
    folders: BitSet,
    search_folders: BitSet,
    messages: BitSet,
    associated: BitSet,
    /// Folders whose tables of folders, messages, associated messages cannot be read.
    untold: [BitSet; 3],
}

impl Listed {
    /// Lists a node; `false` where it was listed before.
    pub(super) fn list(&mut self, nid: Nid) -> bool {
        self.set_of(nid.kind()).is_none_or(|set| set.insert(nid.index()))
    }

    /// The folder's table cannot tell what lies in it.
    pub(super) fn cannot_tell(&mut self, folder: Nid, listing: Listing) {
        let [folders, messages, associated] = &mut self.untold;
        let set = match listing {
            Listing::Folders => folders,
            Listing::Messages(Which::Normal) => messages,
            Listing::Messages(Which::Associated) => associated,
        };
        set.insert(folder.index());
    }

    /// The node, if no table lists it.
    pub(super) fn unlisted(&self, node: &NodeEntry) -> Option<Unlisted> {
        let nid = node.nid.nid;
        let [folders, messages, associated] = &self.untold;
        let (set, untold) = match nid.kind() {
            NodeType::FOLDER => (&self.folders, folders),
            NodeType::SEARCH_FOLDER => (&self.search_folders, folders),
            NodeType::MESSAGE => (&self.messages, messages),
            _ => (&self.associated, associated),
        };
        let orphan = !untold.contains(node.parent.index());
        (!set.contains(nid.index())).then_some(Unlisted { node: *node, orphan })
    }

    fn set_of(&mut self, kind: NodeType) -> Option<&mut BitSet> {
        match kind {
            NodeType::FOLDER => Some(&mut self.folders),
            NodeType::SEARCH_FOLDER => Some(&mut self.search_folders),
            NodeType::MESSAGE => Some(&mut self.messages),
            NodeType::ASSOCIATED_MESSAGE => Some(&mut self.associated),
            _ => None,
        }
    }
}
