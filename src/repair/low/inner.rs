//! Inner blocks of trees, read as far as they make sense: one that counts too many entries still has those that it holds.

use crate::format::Format;
use crate::format::block::{DATA_TREE, DataTreeBlock, SubnodeBlock, SubnodeBranch, SubnodeEntry};
use crate::format::codec::{self, Field, WidePadding};
use crate::format::id::Bid;

/// Bytes before the entries of a data tree's block.
const DATA_HEAD_BYTES: usize = 8;

/// The data tree's inner block in these bytes, for one that a node's data are named by; `None` where it is something else.
pub(super) fn data_tree(format: Format, data: &[u8]) -> Option<DataTreeBlock> {
    if let Ok(block) = DataTreeBlock::decode(format, data) {
        return Some(block);
    }
    // A whole block of the other tree is in the wrong place, not damaged.
    if SubnodeBlock::decode(format, data).is_ok_and(|block| !is_empty(&block)) {
        return None;
    }
    let held = codec::entries::<Bid>(format, data.get(DATA_HEAD_BYTES..)?, Bid::size(format));
    let children: Vec<Bid> = held.take(count(data)).take_while(|bid| !bid.is_none()).collect();
    let is_root = children.first()?.is_internal();
    let is_kind = data.first() == Some(&DATA_TREE) || children.iter().all(|bid| bid.is_internal() == is_root);
    let total = codec::decode(format, data.get(4..)?).ok()?;
    is_kind.then_some(DataTreeBlock { level: if is_root { 2 } else { 1 }, total, children })
}

/// The subnode tree's block in these bytes; `None` where it is something else.
pub(super) fn subnode_tree(format: Format, data: &[u8]) -> Option<SubnodeBlock> {
    if let Ok(block) = SubnodeBlock::decode(format, data) {
        return Some(block);
    }
    if DataTreeBlock::decode(format, data).is_ok_and(|block| !block.children.is_empty()) {
        return None;
    }
    let rest = data.get(WidePadding::size(format).checked_add(4)?..)?;
    match data.get(1)? {
        1 => held::<SubnodeBranch>(format, rest, count(data), |entry| !entry.child.is_none()).map(SubnodeBlock::Branch),
        _ => held::<SubnodeEntry>(format, rest, count(data), is_plausible).map(SubnodeBlock::Leaf),
    }
}

/// Whether a subnode tree's block has no entry.
pub(super) fn is_empty(block: &SubnodeBlock) -> bool {
    match block {
        SubnodeBlock::Leaf(entries) => entries.is_empty(),
        SubnodeBlock::Branch(entries) => entries.is_empty(),
    }
}

fn is_plausible(entry: &SubnodeEntry) -> bool {
    entry.nid.nid.0 != 0 && (entry.subnodes.is_none() || entry.subnodes.is_internal())
}

/// How many entries the block says that it has.
fn count(data: &[u8]) -> usize {
    data.get(2..4).and_then(|bytes| codec::decode::<u16>(Format::Unicode, bytes).ok()).map_or(0, usize::from)
}

fn held<T: Field>(format: Format, bytes: &[u8], count: usize, plausible: impl Fn(&T) -> bool) -> Option<Vec<T>> {
    let entries: Vec<T> = codec::entries(format, bytes, T::size(format)).take(count).take_while(plausible).collect();
    (!entries.is_empty()).then_some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::id::Nid;

    #[test]
    fn a_block_that_counts_too_many_has_those_that_it_holds() {
        for format in Format::ALL {
            let block = DataTreeBlock { level: 1, total: 9000, children: vec![Bid(4), Bid(8)] };
            let mut data = block.encode(format);
            (data[2], data[3]) = (0xff, 0xff);
            assert_eq!(data_tree(format, &data), Some(block));
            let entry = SubnodeEntry { nid: Nid(0x671).into(), data: Bid(4), subnodes: Bid::NONE };
            let block = SubnodeBlock::Leaf(vec![entry]);
            let mut data = block.encode(format);
            (data[2], data[3]) = (0xff, 0xff);
            assert_eq!(subnode_tree(format, &data), Some(block.clone()));
            assert_eq!(data_tree(format, &block.encode(format)), None, "a whole block of the other tree");
        }
    }

    #[test]
    fn a_block_without_a_kind_is_what_its_referrer_needs() {
        for format in Format::ALL {
            let entry = SubnodeEntry { nid: Nid(0x671).into(), data: Bid(4), subnodes: Bid::NONE };
            let block = SubnodeBlock::Leaf(vec![entry]);
            let mut data = block.encode(format);
            data[0] = 0x77;
            assert_eq!(subnode_tree(format, &data), Some(block));
        }
    }
}
