//! The blocks of a transaction: new ones, and how often each block is named.
//!
//! A block's count is 1 + the entries that name it ([MS-PST] 2.2.2.7.7.3.1). Blocks that nobody names any more go away
//! when the transaction is prepared, not before: what one node lets go another may take up.

use std::collections::{BTreeMap, BTreeSet};

use super::cow::Edits;
use crate::damage::{Code, Error, Place, Result};
use crate::disk::{Arena, Piece};
use crate::format::Format;
use crate::format::block::{DataTreeBlock, SubnodeBlock};
use crate::format::btree::BlockEntry;
use crate::format::id::Bid;
use crate::ndb::Ndb;

/// A block that the transaction makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fresh {
    /// Its data, neither encoded nor compressed.
    pub(super) data: Piece,
    /// How many entries name it.
    pub(super) references: u16,
    /// Whether the store has a block of this id, which this one takes the place of.
    pub(super) rewritten: bool,
    /// Whether it is compressed where the format can.
    pub(super) packed: bool,
}

/// New and changed blocks.
#[derive(Debug)]
pub(super) struct Ledger<'a> {
    ndb: &'a Ndb,
    next: Bid,
    fresh: BTreeMap<Bid, Fresh>,
    /// The data of new blocks.
    data: Arena,
    /// Blocks of the store whose entries change.
    changed: BTreeMap<Bid, BlockEntry>,
    touched: BTreeSet<Bid>,
    /// Blocks of the store whose entries go away, whatever names them.
    forgotten: BTreeSet<Bid>,
}

/// What becomes of the blocks.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// The new blocks.
    pub(super) fresh: BTreeMap<Bid, Fresh>,
    /// Their data.
    pub(super) data: Arena,
    /// Entries of blocks of the store: changed, or gone.
    pub(super) edits: Edits<BlockEntry>,
    /// The entries of blocks that are gone.
    pub(super) gone: Vec<BlockEntry>,
    /// Blocks that are gone, but of whose children nothing is known: those stay, named once too often.
    pub(super) unreadable: Vec<Bid>,
}

impl<'a> Ledger<'a> {
    /// Nothing changed yet. The first id is above all that the store has, whatever its header says.
    pub(super) fn new(ndb: &'a Ndb) -> Result<Self> {
        let next = ndb.header().next_block.0.max(ndb.last_block()?.map_or(0, |bid| bid.0.saturating_add(4)));
        Ok(Self {
            ndb,
            next: Bid(next & !3),
            fresh: BTreeMap::new(),
            data: Arena::default(),
            changed: BTreeMap::new(),
            touched: BTreeSet::new(),
            forgotten: BTreeSet::new(),
        })
    }

    /// The id for the next block.
    pub(super) const fn next(&self) -> Bid {
        self.next
    }

    /// A new block with this data, which nothing names yet.
    pub(super) fn add(&mut self, data: &[u8], internal: bool) -> Result<Bid> {
        let bid = Bid(self.next.0 | if internal { 2 } else { 0 });
        let next = self.next.0.checked_add(4).filter(|next| self.ndb.format() != Format::Ansi || u32::try_from(*next).is_ok());
        self.next = next.map(Bid).ok_or_else(|| Error::Unsupported("the store has no block ids left".into()))?;
        let data = self.data.put(data);
        self.fresh.insert(bid, Fresh { data, references: 0, rewritten: false, packed: false });
        self.touched.insert(bid);
        Ok(bid)
    }

    /// The data of a new block.
    pub(super) fn fresh(&self, bid: Bid) -> Option<&[u8]> {
        self.fresh.get(&bid.key()).map(|fresh| self.data.get(fresh.data))
    }

    /// One more entry names this block; none where `bid` names nothing.
    pub(super) fn take(&mut self, bid: Bid) -> Result<()> {
        if bid.is_none() {
            return Ok(());
        }
        self.touched.insert(bid.key());
        let count = self.count(bid)?;
        *count = count
            .checked_add(1)
            .ok_or_else(|| Error::Unsupported(format!("block {bid} is named too often; what names it needs a copy of its own")))?;
        Ok(())
    }

    /// One entry less names this block. A block that the store does not have is no one's to let go.
    pub(super) fn let_go(&mut self, bid: Bid) -> Result<()> {
        if bid.is_none() {
            return Ok(());
        }
        let known = self.fresh.contains_key(&bid.key());
        let least = u16::from(!known);
        let count = match self.count(bid) {
            Err(Error::Damaged(Code::BlockMissing, _)) => return Ok(()),
            count => count?,
        };
        // Fewer than the entries that name it: to count on would free a block that is still in use.
        if *count <= least {
            return Err(Error::Damaged(Code::BlockReferences, Place::block(bid.0)));
        }
        *count = count.saturating_sub(1);
        self.touched.insert(bid.key());
        Ok(())
    }

    /// The count of a block: of a new one the entries that name it, of another what its entry says.
    fn count(&mut self, bid: Bid) -> Result<&mut u16> {
        let key = bid.key();
        if let Some(fresh) = self.fresh.get_mut(&key) {
            return Ok(&mut fresh.references);
        }
        if !self.changed.contains_key(&key) {
            self.changed.insert(key, self.ndb.block_entry(key)?);
        }
        let entry = self.changed.get_mut(&key).ok_or(Error::Damaged(Code::BlockMissing, Place::block(bid.0)))?;
        Ok(&mut entry.references)
    }

    /// Puts a block in place of one of the store, under its id.
    pub(super) fn rewrite(&mut self, bid: Bid, data: &[u8]) -> Result<()> {
        // A fresh block counts the entries that name it, a stored one has 1 more.
        let references = self.count(bid)?.saturating_sub(1);
        let key = bid.key();
        self.changed.remove(&key);
        let data = self.data.put(data);
        self.fresh.insert(key, Fresh { data, references, rewritten: true, packed: false });
        Ok(())
    }

    /// Puts a block under an id that was given out before, named so often; whatever has its entry is forgotten.
    pub(super) fn restore(&mut self, bid: Bid, data: &[u8], references: u16) {
        self.forget(bid);
        let data = self.data.put(data);
        self.fresh.insert(bid.key(), Fresh { data, references, rewritten: false, packed: false });
    }

    /// Compresses a new block.
    pub(super) fn pack(&mut self, bid: Bid) {
        if let Some(fresh) = self.fresh.get_mut(&bid.key()) {
            fresh.packed = true;
        }
    }

    /// Puts an entry in place of the one of its id, wherever the database has that from.
    pub(super) fn set_entry(&mut self, entry: BlockEntry) {
        self.changed.insert(entry.block.bid.key(), entry);
    }

    /// Ids below this one were given out, by whatever stands in the file. Where the block B-tree is written `anew`, that it
    /// has higher ones says nothing: those it does not keep.
    pub(super) fn begin_at(&mut self, next: Bid, anew: bool) {
        let next = Bid(next.0 & !3);
        self.next = if anew { next } else { self.next.max(next) };
    }

    /// Takes an entry away, whatever names it.
    pub(super) fn forget(&mut self, bid: Bid) {
        self.changed.remove(&bid.key());
        self.forgotten.insert(bid.key());
    }

    /// Sets the count that a block's entry has: repair writes what it counted.
    pub(super) fn set_count(&mut self, bid: Bid, count: u16) -> Result<()> {
        match self.fresh.get_mut(&bid.key()) {
            // A fresh block counts the entries that name it, a stored one has 1 more.
            Some(fresh) => fresh.references = count.saturating_sub(1),
            None => *self.count(bid)? = count,
        }
        Ok(())
    }

    /// Lets go of whatever nothing names any more, and of what that named.
    ///
    /// Each block goes at most once, so this ends even where blocks name each other in a circle.
    pub(super) fn settle(mut self) -> Result<Settled> {
        let mut settled = Settled::default();
        let mut waiting: Vec<Bid> = self.touched.iter().copied().collect();
        while let Some(bid) = waiting.pop() {
            if !self.is_unnamed(bid) {
                continue;
            }
            match self.children(bid) {
                Ok(children) => {
                    for child in children {
                        self.let_go(child)?;
                        waiting.push(child.key());
                    }
                }
                Err(error) if error.is_io() => return Err(error),
                Err(_) => settled.unreadable.push(bid),
            }
            match self.fresh.remove(&bid) {
                Some(fresh) if !fresh.rewritten => continue,
                Some(_) => settled.gone.push(self.ndb.block_entry(bid)?),
                None => settled.gone.extend(self.changed.remove(&bid)),
            }
            settled.edits.insert(bid.0, None);
        }
        for (bid, _) in self.fresh.iter().filter(|(_, fresh)| fresh.rewritten) {
            settled.gone.push(self.ndb.block_entry(*bid)?);
            // Its new place comes in when it has one; the old one is nobody's from now on.
            settled.edits.insert(bid.0, None);
        }
        settled.edits.extend(self.forgotten.into_iter().map(|bid| (bid.0, None)));
        settled.edits.extend(self.changed.into_iter().map(|(bid, entry)| (bid.0, Some(entry))));
        (settled.fresh, settled.data) = (self.fresh, self.data);
        Ok(settled)
    }

    fn is_unnamed(&self, bid: Bid) -> bool {
        match (self.fresh.get(&bid), self.changed.get(&bid)) {
            (Some(fresh), _) => fresh.references == 0,
            (None, Some(entry)) => entry.references <= 1,
            (None, None) => false,
        }
    }

    /// The blocks that a block names.
    fn children(&self, bid: Bid) -> Result<Vec<Bid>> {
        if !bid.is_internal() {
            return Ok(Vec::new());
        }
        match self.fresh(bid) {
            Some(data) => children(self.ndb.format(), bid, data),
            None => children(self.ndb.format(), bid, &self.ndb.block(bid)?.data),
        }
    }
}

/// The blocks that an inner block names, one for each time.
fn children(format: Format, bid: Bid, data: &[u8]) -> Result<Vec<Bid>> {
    if let Ok(block) = DataTreeBlock::decode(format, data) {
        return Ok(block.children);
    }
    let block = SubnodeBlock::decode(format, data).map_err(|cut| cut.at(Code::BlockKind, Place::block(bid.0)))?;
    Ok(match block {
        SubnodeBlock::Leaf(entries) => {
            entries.iter().flat_map(|entry| [entry.data, entry.subnodes]).filter(|child| !child.is_none()).collect()
        }
        SubnodeBlock::Branch(entries) => entries.iter().map(|entry| entry.child).collect(),
    })
}
