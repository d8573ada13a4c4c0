//! Inner blocks: XBLOCK, XXBLOCK, SLBLOCK, SIBLOCK as what they name (B10, B11, B14, B15).

use super::Low;
use super::table::Kind;
use super::trees::Role;
use crate::damage::{Code, Place};
use crate::format::Format;
use crate::format::block::{DATA_TREE, DataTreeBlock, SUBNODE_TREE, SubnodeBlock, SubnodeBranch, SubnodeEntry};
use crate::format::codec::{Field, WidePadding};
use crate::format::id::{Bid, Nid};

/// Bytes before the entries of a data tree's block.
const DATA_TREE_HEAD: usize = 8;

/// An inner block: what it is and whom it names.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) kind: Kind,
    /// Whom it names, in order.
    pub(super) children: Vec<(Bid, Role)>,
    /// The ids in it.
    pub(super) nids: Vec<Nid>,
    /// Bytes that a data tree's block says are below it.
    pub(super) total: Option<u32>,
    /// Whether the ids ascend.
    ordered: bool,
    /// Bytes that it should have and has.
    bytes: (usize, usize),
}

impl Kind {
    /// What users of [MS-PST] call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "it is unknown",
            Self::Branch => "it is an XBLOCK",
            Self::Root => "it is an XXBLOCK",
            Self::Subnodes => "it is an SLBLOCK",
            Self::SubnodeRoot => "it is an SIBLOCK",
        }
    }
}

impl Inner {
    /// What a block's data are; else what is wrong with them.
    pub(super) fn decode(format: Format, data: &[u8]) -> Result<Self, (Code, String)> {
        match data.first() {
            Some(&DATA_TREE) => match DataTreeBlock::decode(format, data) {
                Ok(block) => Ok(Self::data_tree(format, &block, data)),
                Err(_) => Err((Code::DataTree, "its level or its number of entries is impossible".into())),
            },
            Some(&SUBNODE_TREE) => match SubnodeBlock::decode(format, data) {
                Ok(block) => Ok(Self::subnode_tree(format, &block, data)),
                Err(_) => Err((Code::SubnodeTree, "its level or its number of entries is impossible".into())),
            },
            first => Err((
                Code::BlockKind,
                format!(
                    "its id says that it is an inner block, its first byte is {}",
                    first.map_or_else(|| "not there".to_owned(), |byte| format!("{byte:#04x}"))
                ),
            )),
        }
    }

    fn data_tree(format: Format, block: &DataTreeBlock, data: &[u8]) -> Self {
        let count = block.children.len();
        let last = |index: usize| index.saturating_add(1) == count;
        let role = |index| if block.level == 1 { Role::Leaf { last: last(index) } } else { Role::Branch { last: last(index) } };
        Self {
            kind: if block.level == 1 { Kind::Branch } else { Kind::Root },
            children: block.children.iter().enumerate().map(|(index, bid)| (*bid, role(index))).collect(),
            nids: Vec::new(),
            total: Some(block.total),
            ordered: true,
            bytes: (DATA_TREE_HEAD.saturating_add(count.saturating_mul(Bid::size(format))), data.len()),
        }
    }

    fn subnode_tree(format: Format, block: &SubnodeBlock, data: &[u8]) -> Self {
        let (kind, entry_bytes, nids, children): (_, _, Vec<Nid>, Vec<_>) = match block {
            SubnodeBlock::Leaf(entries) => (
                Kind::Subnodes,
                SubnodeEntry::size(format),
                entries.iter().map(|entry| entry.nid.nid).collect(),
                entries.iter().flat_map(|entry| [(entry.data, Role::Data), (entry.subnodes, Role::Subnodes)]).collect(),
            ),
            SubnodeBlock::Branch(entries) => (
                Kind::SubnodeRoot,
                SubnodeBranch::size(format),
                entries.iter().map(|entry| entry.nid.nid).collect(),
                entries.iter().map(|entry| (entry.child, Role::SubnodeLeaf(entry.nid.nid))).collect(),
            ),
        };
        // The upper halves of ids are whatever stood in Outlook's memory.
        let ordered = nids.is_sorted_by(|a, b| a < b);
        let head = WidePadding::size(format).saturating_add(4);
        let wanted = head.saturating_add(nids.len().saturating_mul(entry_bytes));
        Self { kind, children, nids, total: None, ordered, bytes: (wanted, data.len()) }
    }

    /// Tells what is wrong with a block that could be read.
    pub(super) fn check(&self, low: &Low<'_>, place: Place, role: Role) {
        let (code, tree) = match self.kind {
            Kind::Branch | Kind::Root | Kind::Unknown => (Code::DataTree, "data"),
            Kind::Subnodes | Kind::SubnodeRoot => (Code::SubnodeTree, "subnode"),
        };
        let (wanted, found) = self.bytes;
        if wanted != found {
            low.report.add(code, place, format!("{found} bytes, its entries take {wanted}"));
        }
        if self.children.is_empty() {
            low.report.add(code, place, format!("a block of a {tree} tree without entries"));
        }
        if !self.ordered {
            low.report.add(Code::SubnodeOrder, place, "");
        }
        if let (Role::SubnodeLeaf(told), Some(first)) = (role, self.nids.first())
            && told != *first
        {
            low.report.add(code, place, format!("its first subnode is {first}, the block above says {told}"));
        }
    }

    /// Takes the last block for any other: the tree goes on behind this block.
    pub(super) fn children_of(&mut self, goes_on: bool) {
        if goes_on {
            for (_, role) in &mut self.children {
                if let Role::Leaf { last } = role {
                    *last = false;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_as_long_as_its_entries_take() {
        for format in Format::ALL {
            let data = DataTreeBlock { level: 1, total: 9, children: vec![Bid(4); 3] }.encode(format);
            let leaf = SubnodeBlock::Leaf(vec![SubnodeEntry::default(); 2]).encode(format);
            let branch = SubnodeBlock::Branch(vec![SubnodeBranch::default(); 5]).encode(format);
            for block in [data, leaf, branch] {
                assert_eq!(Inner::decode(format, &block).unwrap().bytes, (block.len(), block.len()));
            }
        }
    }
}
