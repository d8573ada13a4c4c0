//! The data below a root, written anew in full blocks: readers compute places, so none before the last may be short.

use super::census::{Census, Mend, Owner};
use super::streams::{Leaf, branch_of, total};
use crate::damage::{Error, Result};
use crate::format::Format;
use crate::format::block::DataTreeBlock;
use crate::format::codec;
use crate::format::heap::{HEAP_SIGNATURE, HeapClient};
use crate::format::id::{Bid, NodeType};

impl Census<'_> {
    /// Writes the data below a root anew, in full blocks under new ids.
    ///
    /// Blocks of heaps and of tables' rows are asked for by number: there each short one is filled up. Of anything else
    /// the bytes follow each other.
    pub(super) fn pack(&mut self, root: Bid, leaves: &[Leaf], owner: Option<Owner>) -> Result<bool> {
        let full = self.ndb.format().layout().data_max_bytes;
        let mut contents = leaves.iter().map(|leaf| self.bytes_of(leaf)).collect::<Result<Vec<_>>>()?;
        let by_number = contents.first().is_some_and(|first| first.get(2) == Some(&HEAP_SIGNATURE)) || self.is_rows(owner)?;
        if by_number && let Some((_, before)) = contents.split_last_mut() {
            before.iter_mut().for_each(|piece| piece.resize(full, 0));
        }
        self.doubt_above(root, leaves.iter().map(|leaf| leaf.bid));
        let mut packed = Vec::new();
        for piece in codec::pieces(&contents.concat(), full) {
            let bid = self.put(piece.to_vec(), false)?;
            packed.push(Leaf { bid, bytes: u64::try_from(piece.len()).unwrap_or(0) });
        }
        if packed.is_empty() {
            return Ok(false);
        }
        let block = self.pack_branches(&packed)?;
        self.write(root, &block.encode(self.ndb.format()), Mend::Packed);
        Ok(true)
    }

    /// The root over these leaves, and the inner blocks between where it takes any.
    fn pack_branches(&mut self, leaves: &[Leaf]) -> Result<DataTreeBlock> {
        let format = self.ndb.format();
        let capacity = DataTreeBlock::capacity(format).max(1);
        if leaves.len() <= capacity {
            return Ok(branch_of(leaves));
        }
        let mut children = Vec::new();
        let mut rest = leaves;
        while !rest.is_empty() {
            let (branch, behind) = rest.split_at_checked(capacity).unwrap_or((rest, &[]));
            rest = behind;
            children.push(self.put(branch_of(branch).encode(format), true)?);
        }
        Ok(DataTreeBlock { level: 2, total: total(leaves), children })
    }

    /// A new block that one entry names.
    pub(super) fn put(&mut self, data: Vec<u8>, internal: bool) -> Result<Bid> {
        let bid = self.fresh(internal)?;
        self.put_written(bid, &data);
        self.name(bid);
        Ok(bid)
    }

    /// The data of a leaf, as it will be.
    fn bytes_of(&self, leaf: &Leaf) -> Result<Vec<u8>> {
        match self.written(leaf.bid) {
            Some(data) => Ok(data.to_vec()),
            None => self.ndb.block(leaf.bid).map(|block| block.data.clone()),
        }
    }

    /// Whether a subnode's data are the rows of its owner's table.
    fn is_rows(&self, owner: Option<Owner>) -> Result<bool> {
        let Some(owner) = owner.filter(|owner| owner.nid.kind() == NodeType::LTP) else { return Ok(false) };
        match self.ndb.data(owner.data).and_then(|data| data.block(self.ndb, 0)) {
            Ok(block) => Ok(block.data.get(2..4) == Some(&[HEAP_SIGNATURE, HeapClient::TABLE.0])),
            Err(error) if error.is_io() => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// An id for a block that is made up: above all that stands in the file.
    pub(super) fn fresh(&mut self, internal: bool) -> Result<Bid> {
        let next = match self.next {
            Some(next) => next,
            None => self.blocks.next()?,
        };
        let after = next.0.checked_add(4).filter(|after| self.ndb.format() != Format::Ansi || u32::try_from(*after).is_ok());
        self.next = Some(after.map(Bid).ok_or_else(|| Error::Unsupported("the store has no block ids left".into()))?);
        Ok(Bid(next.0 | if internal { 2 } else { 0 }))
    }
}
