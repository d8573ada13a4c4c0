//! What a scan after a repair need not read again: the blocks that the scan before it found whole.
//!
//! Such a scan checks header, trees, maps, nodes, trees of blocks, heaps, tables and properties as every other, and each
//! block that these stand in. Only the pass that reads all blocks for their own sake, most of them attachments, leaves
//! out those of which all of this is true:
//!
//! - the scan before read them, minutes ago, and met nothing wrong with any page or block of the store;
//! - their entries in the block B-tree are those of that scan: what the repair enters or changes counts as touched;
//! - the repair wrote to none of their bytes. All that it wrote was read back from the disk and is what was to be written;
//! - nobody else wrote: the lock kept others out from before the first scan on, and the file was as that scan had read it
//!   when the repair began to write.
//!
//! So what is left out could be wrong only where a disk changed bytes that nobody wrote to. Whether the store is, to the
//! byte, what the repair was to make of it can be asked at any time: its digest stands in the log.

use crate::damage::{Code, Finding, Severity};
use crate::disk::ReadAt;
use crate::format::Format;
use crate::format::btree::BlockEntry;

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

/// The blocks that are known to be whole: all but those in some ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Begin and end, ascending, none touching another.
    touched: Vec<(u64, u64)>,
}

impl Known {
    /// What is known after a scan that found this, once ranges of these offsets and lengths were written to; nothing where
    /// a page or a block was wrong.
    pub fn after(findings: &[Finding], touched: impl IntoIterator<Item = (u64, u64)>) -> Option<Self> {
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
        Some(Self { touched })
    }

    /// Whether a block is one of them.
    pub(super) fn has(&self, format: Format, entry: &BlockEntry) -> bool {
        let (from, to) = (entry.block.ib.0, entry.block.ib.0.saturating_add(entry.stored_bytes(format)));
        let at = self.touched.partition_point(|(_, end)| *end <= from);
        self.touched.get(at).is_none_or(|(begin, _)| *begin >= to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damage::Place;
    use crate::format::id::{Bid, BlockRef, Ib};

    #[test]
    fn a_block_that_shares_a_byte_with_what_was_written_is_read() {
        let known = Known::after(&[], [(1000, 100), (640, 64), (1100, 50)]).unwrap();
        assert_eq!(known.touched, [(640, 704), (1000, 1150)]);
        let block = |ib, size| BlockEntry { block: BlockRef { bid: Bid(4), ib: Ib(ib) }, size, inflated: size, references: 2, padding: 0 };
        let has = |ib, size| known.has(Format::Unicode, &block(ib, size));
        assert!(has(0, 600) && has(704, 100) && has(1150, 8000) && has(576, 40));
        assert!(!has(576, 60) && !has(640, 10) && !has(960, 40) && !has(1088, 1) && !has(0, 8000));
    }

    #[test]
    fn where_a_page_or_a_block_was_wrong_nothing_is_known() {
        let known = |codes: &[Code]| {
            let findings: Vec<_> = codes.iter().map(|code| Finding::new(*code, Place::FILE, "")).collect();
            Known::after(&findings, []).is_some()
        };
        assert!(known(&[]) && known(&[Code::TableHeader, Code::HeaderDirty, Code::BlockUnused]));
        for code in [Code::BlockCrc, Code::PageCrc, Code::AllocationMap, Code::BlockPadding, Code::TwoOwners] {
            assert!(!known(&[Code::BlockUnused, code]), "{code:?}");
        }
    }
}
