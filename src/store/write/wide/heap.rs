//! Heaps of uses that nobody describes ([MS-PST] 2.3.1.2, reserved values of bClientSig).
//!
//! What their items mean is not known, so neither is which of them hold ids of others: all must keep their ids, and so
//! their blocks. A Unicode block holds 4 bytes less, which these leave unused at their end.

use std::sync::Arc;

use super::{Laid, Old, Widener};
use crate::damage::Result;
use crate::format::Format;
use crate::format::heap::PageMap;
use crate::ndb::Block;
use crate::ndb::write::{BlockSink, Stored, tree};

impl Widener<'_, '_> {
    /// The same heap in the same blocks; as bytes where that cannot be, which is told.
    pub(super) fn heap(&mut self, old: &Old<'_>) -> Result<Laid> {
        let data = self.ndb.data(old.node.data)?;
        let blocks = (0..data.leaves().len()).map(|index| data.block(self.ndb, index)).collect::<Result<Vec<_>>>();
        let blocks = self.survive(old.node.nid, blocks, Vec::new())?;
        let max = self.writer.format().layout().data_max_bytes;
        let Some(narrowed) = narrowed(self.ndb.format(), &blocks, max).filter(|narrowed| !narrowed.is_empty()) else {
            self.fail(old.node.nid, "a heap of an unknown use, whose blocks are too full for a Unicode store");
            return self.bytes(old);
        };
        let bytes = narrowed.iter().map(|block| u64::try_from(block.len()).unwrap_or(0)).fold(0, u64::saturating_add);
        let stored = Stored { data: tree::put_data(&mut self.writer, narrowed)?, ..Stored::default() };
        let below = self.parts_of(old)?;
        Ok(Laid { stored: Stored { subnodes: below.stored.subnodes, ..stored }, bytes: bytes.saturating_add(below.bytes), object: None })
    }
}

/// The blocks cut to what a block may hold; `None` where that would cut more than unused bytes.
fn narrowed(format: Format, blocks: &[Arc<Block>], max: usize) -> Option<Vec<Vec<u8>>> {
    let last = blocks.len().saturating_sub(1);
    let cut = |(index, block): (usize, &Arc<Block>)| {
        let mut bytes = block.data.clone();
        if bytes.len() > max {
            let end = map_end(format, &bytes)?;
            bytes.truncate(max.max(end));
        }
        // Blocks before the last are whole.
        let len = if index == last { bytes.len() } else { max };
        bytes.resize(len.max(bytes.len()), 0);
        (bytes.len() <= max).then_some(bytes)
    };
    blocks.iter().enumerate().map(cut).collect()
}

/// Where a block's page map ends.
fn map_end(format: Format, block: &[u8]) -> Option<usize> {
    let at: u16 = crate::format::codec::decode(format, block).ok()?;
    let map = PageMap::decode(format, block).ok()?;
    usize::from(at).checked_add(map.encode(format).len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::heap::HeapClient;
    use crate::ltp::write::HeapBuilder;

    fn cut(items: &[usize]) -> Option<Vec<Vec<u8>>> {
        let mut heap = HeapBuilder::new(Format::Ansi, HeapClient(0x9c));
        items.iter().for_each(|len| _ = heap.add(&vec![7; *len]).unwrap());
        let blocks: Vec<_> = heap.finish().into_iter().map(|data| Arc::new(Block { data, is_sound: true })).collect();
        narrowed(Format::Ansi, &blocks, 8176)
    }

    #[test]
    fn only_unused_bytes_are_cut() {
        let lens = |items| cut(items).map(|blocks| blocks.iter().map(Vec::len).collect::<Vec<_>>());
        assert_eq!(lens(&[100]), Some(vec![12 + 100 + 8]));
        assert_eq!(lens(&[3580, 3580, 980, 100]), Some(vec![8176, 2 + 100 + 8]));
        // 12 bytes of head, 8164 of items and map: full to the last byte of a Unicode block, and one more.
        assert_eq!(lens(&[3580, 3580, 992, 100]), Some(vec![8176, 2 + 100 + 8]));
        assert_eq!(lens(&[3580, 3580, 994, 100]), None);
    }
}
