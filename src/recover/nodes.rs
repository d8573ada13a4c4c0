//! Nodes under construction: what is known of each, by its id.

use crate::disk::Spill;
use crate::format::btree::NodeEntry;
use crate::format::id::{Nid, NodeType};

/// Nodes, ascending by id.
#[derive(Debug, Default)]
pub(super) struct Nodes(Spill<NodeEntry>);

impl Nodes {
    /// These nodes; of several of one id the first counts.
    pub(super) fn new(nodes: Spill<NodeEntry>) -> Self {
        let mut new = Self(nodes);
        new.settle();
        new
    }

    /// Adds those of which there is none yet; of several of one id the first counts.
    pub(super) fn add(&mut self, nodes: impl IntoIterator<Item = NodeEntry>) {
        self.0.extend(nodes);
        self.settle();
    }

    /// Puts these in the place of what is known of them.
    pub(super) fn renew(&mut self, nodes: impl IntoIterator<Item = NodeEntry>) {
        for new in nodes {
            if let Some(node) = self.0.binary_search_by_key(&new.nid.nid, |node| node.nid.nid).ok().and_then(|at| self.0.get_mut(at)) {
                *node = new;
            }
        }
    }

    /// Takes out all that `keep` does not want.
    pub(super) fn retain(&mut self, keep: impl Fn(&NodeEntry) -> bool) {
        self.0.retain(|_, node| keep(node));
    }

    /// What is known of a node.
    pub(super) fn get(&self, nid: Nid) -> Option<&NodeEntry> {
        self.0.get(self.0.binary_search_by_key(&nid, |node| node.nid.nid).ok()?)
    }

    /// Whether there is such a node.
    pub(super) fn contains(&self, nid: Nid) -> bool {
        self.get(nid).is_some()
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &NodeEntry> {
        self.0.iter()
    }

    /// All of them, for changing what is known but the ids.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut NodeEntry> {
        self.0.iter_mut()
    }

    /// Those of a type.
    pub(super) fn of_kind(&self, kind: NodeType) -> impl Iterator<Item = &NodeEntry> {
        self.iter().filter(move |node| node.nid.nid.kind() == kind)
    }

    /// The list of all.
    pub(super) fn into_list(self) -> Spill<NodeEntry> {
        self.0
    }

    fn settle(&mut self) {
        self.0.sort_stably_by_key(|node| node.nid.nid);
        self.0.retain(|last, node| last.map(|last| last.nid.nid) != Some(node.nid.nid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::id::Bid;

    #[test]
    fn what_is_known_of_a_node_is_not_replaced() {
        let node = |nid, data| NodeEntry { nid: Nid(nid).into(), data: Bid(data), ..NodeEntry::default() };
        let mut nodes = Nodes::new([node(0x44, 1), node(0x24, 2), node(0x44, 3)].into_iter().collect());
        nodes.add([node(0x24, 4), node(0x34, 5), node(0x34, 6)]);
        let data = |nodes: &Nodes| nodes.iter().map(|node| node.data.0).collect::<Vec<_>>();
        assert_eq!(data(&nodes), [2, 5, 1]);
        assert!(nodes.contains(Nid(0x34)) && nodes.get(Nid(0x54)).is_none());
        nodes.retain(|node| node.data.0 != 5);
        assert_eq!(data(&nodes), [2, 1]);
        nodes.renew([node(0x44, 7), node(0x54, 8)]);
        assert_eq!(data(&nodes), [2, 7]);
    }
}
