//! What a scan after a repair need not look at again: the blocks and items that the scan before it found whole.
//!
//! Such a scan checks header, trees, maps, nodes, trees of blocks, folders and their tables as every other, and each block
//! that these stand in. The pass that reads all blocks for their own sake, most of them attachments, leaves out those of
//! which all of this is true:
//!
//! - the scan before read them, minutes ago, and met nothing wrong with any page or block of the store;
//! - their entries in the block B-tree are those of that scan: what the repair enters or changes counts as touched;
//! - the repair wrote to none of their bytes. All that it wrote was read back from the disk and is what was to be written;
//! - nobody else wrote: the lock kept others out from before the first scan on, and the file was as that scan had read it
//!   when the repair began to write.
//!
//! The pass over the messages of a folder looks for each one's row, node and parent, and compares no further where also
//! all of this is true:
//!
//! - the scan before had nothing to tell, not even an oddity, of the message, of its folder or of a table of that;
//! - the repair wrote none of these nodes' entries, and no entry but those of messages and of tables of folders: the map
//!   of names, say, matters to all messages;
//! - it changed nothing below the nodes, so that what a node holds changes with its entry alone.
//!
//! So what is left out could be wrong only where a disk changed bytes that nobody wrote to. Whether the store is, to the
//! byte, what the repair was to make of it can be asked at any time: its digest stands in the log.

use super::bits::BitSet;
use crate::damage::{Code, Finding, Severity};
use crate::disk::ReadAt;
use crate::format::Format;
use crate::format::btree::BlockEntry;
use crate::format::id::{Nid, NodeType};

/// How a scan gets the bytes of the blocks, of which nearly all of a store is made.
#[derive(Clone, Copy, Debug, Default)]
pub enum Blocks<'a> {
    /// From the file.
    #[default]
    Read,
    /// From another source of the same bytes, which sees them go by in the order of the file.
    Through(&'a dyn ReadAt),
    /// From the file, but for those that are known to be whole.
    But(&'a Known),
}

impl<'a> Blocks<'a> {
    /// What need not be looked at again.
    pub(super) const fn known(self) -> Option<&'a Known> {
        if let Self::But(known) = self { Some(known) } else { None }
    }
}

/// What is known to be whole: the blocks but for those in some ranges, and messages but for some.
#[derive(Debug)]
pub struct Known {
    /// Begin and end, ascending, none touching another.
    touched: Vec<(u64, u64)>,
    /// The indexes of the nodes of which something is not known; `None` where nothing is known of any.
    doubted: Option<BitSet>,
}

impl Known {
    /// What is known after a scan that found this, once ranges of these offsets and lengths were written to; nothing where
    /// a page or a block was wrong.
    ///
    /// `nodes` are those whose entries were written, where nothing else changes what nodes hold.
    pub fn after(findings: &[Finding], touched: impl IntoIterator<Item = (u64, u64)>, nodes: Option<&[Nid]>) -> Option<Self> {
        let doubtful = |finding: &Finding| finding.code.is_of_blocks() && finding.severity > Severity::Note;
        // The one oddity that is told of what lies in blocks: it would no more be told of them.
        if findings.iter().any(|finding| doubtful(finding) || finding.code == Code::BlockPadding) {
            return None;
        }
        let mut all: Vec<(u64, u64)> = touched.into_iter().map(|(offset, bytes)| (offset, offset.saturating_add(bytes))).collect();
        all.sort_unstable();
        let mut touched: Vec<(u64, u64)> = Vec::new();
        for (from, to) in all {
            match touched.last_mut() {
                Some((_, end)) if from <= *end => *end = to.max(*end),
                _ => touched.push((from, to)),
            }
        }
        Some(Self { touched, doubted: nodes.and_then(|nodes| doubted(findings, nodes)) })
    }

    /// Whether a block is one of them.
    pub(super) fn has(&self, format: Format, entry: &BlockEntry) -> bool {
        let (from, to) = (entry.block.ib.0, entry.block.ib.0.saturating_add(entry.stored_bytes(format)));
        let at = self.touched.partition_point(|(_, end)| *end <= from);
        self.touched.get(at).is_none_or(|(begin, _)| *begin >= to)
    }

    /// Whether a message in a folder is one of them, and all that its folder's tables say of it.
    pub(super) fn has_item(&self, folder: Nid, message: Nid) -> bool {
        self.doubted.as_ref().is_some_and(|doubted| ![folder, message].iter().any(|nid| doubted.contains(nid.index())))
    }
}

/// The indexes of the nodes of which something was found or whose entries were written; `None` where all messages may
/// depend on one of these. A folder's tables have its index.
fn doubted(findings: &[Finding], written: &[Nid]) -> Option<BitSet> {
    const OF_MESSAGES: [NodeType; 5] =
        [NodeType::MESSAGE, NodeType::ASSOCIATED_MESSAGE, NodeType::HIERARCHY_TABLE, NodeType::CONTENTS_TABLE, NodeType::ASSOCIATED_TABLE];
    let mut doubted = BitSet::default();
    let found = findings.iter().filter_map(|finding| finding.place.nid).map(Nid);
    written.iter().copied().chain(found).for_each(|nid| {
        doubted.insert(nid.index());
    });
    written.iter().all(|nid| OF_MESSAGES.contains(&nid.kind())).then_some(doubted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damage::Place;
    use crate::format::id::{Bid, BlockRef, Ib};

    #[test]
    fn a_block_that_shares_a_byte_with_what_was_written_is_read() {
        let known = Known::after(&[], [(1000, 100), (640, 64), (1100, 50)], None).unwrap();
        assert_eq!(known.touched, [(640, 704), (1000, 1150)]);
        let block = |ib, size| BlockEntry { block: BlockRef { bid: Bid(4), ib: Ib(ib) }, size, inflated: size, references: 2, padding: 0 };
        let has = |ib, size| known.has(Format::Unicode, &block(ib, size));
        assert!(has(0, 600) && has(704, 100) && has(1150, 8000) && has(576, 40));
        assert!(!has(576, 60) && !has(640, 10) && !has(960, 40) && !has(1088, 1) && !has(0, 8000));
    }

    #[test]
    fn a_message_of_which_or_of_whose_folder_something_was_found_or_written_is_not_known() {
        let nid = |kind, index| Nid::new(kind, index);
        let folder = |index| nid(NodeType::FOLDER, index);
        let message = |index| nid(NodeType::MESSAGE, index);
        let found = |nid: Nid| Finding::new(Code::ItemTwice, Place::node(nid.0), "").at_most(Severity::Note);
        let findings = [found(message(5000)), found(nid(NodeType::CONTENTS_TABLE, 2000)), Finding::new(Code::HeaderDirty, Place::FILE, "")];
        let known = |written: Option<&[Nid]>| Known::after(&findings, [], written).unwrap();
        let some = known(Some(&[nid(NodeType::ASSOCIATED_MESSAGE, 7000), nid(NodeType::HIERARCHY_TABLE, 3000)]));
        assert!(some.has_item(folder(1000), message(6000)));
        for (of, index) in [(1000, 5000), (1000, 7000), (2000, 6000), (3000, 6000)] {
            assert!(!some.has_item(folder(of), message(index)), "{of} {index}");
        }
        for other in [Nid::NAME_MAP, Nid::MESSAGE_STORE, folder(4000), nid(NodeType::SEARCH_FOLDER, 4000)] {
            assert!(!known(Some(&[other])).has_item(folder(1000), message(6000)), "{other}");
        }
        assert!(!known(None).has_item(folder(1000), message(6000)), "what nodes hold may have changed");
    }

    #[test]
    fn where_a_page_or_a_block_was_wrong_nothing_is_known() {
        let known = |codes: &[Code]| {
            let findings: Vec<_> = codes.iter().map(|code| Finding::new(*code, Place::FILE, "")).collect();
            Known::after(&findings, [], None).is_some()
        };
        assert!(known(&[]) && known(&[Code::TableHeader, Code::HeaderDirty, Code::BlockUnused]));
        for code in [Code::BlockCrc, Code::PageCrc, Code::AllocationMap, Code::BlockPadding, Code::TwoOwners] {
            assert!(!known(&[Code::BlockUnused, code]), "{code:?}");
        }
    }
}
