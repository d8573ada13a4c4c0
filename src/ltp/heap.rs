//! Heaps: small items in the blocks of a node ([MS-PST] 2.3.1).

use std::collections::BTreeMap;
use std::ops::{Deref, Range};
use std::sync::{Arc, Mutex, PoisonError};

use super::value::{Stream, Value};
use crate::damage::{Code, Error, Place, Result};
use crate::format::codec;
use crate::format::heap::{self, HEAP_SIGNATURE, HeapClient, HeapHeader};
use crate::format::id::{Bid, Hid, Hnid, Nid};
use crate::format::property::PropType;
use crate::ndb::{Block, Data, Ndb};

/// A heap, and the subnodes beside it.
#[derive(Clone, Debug)]
pub struct Heap<'a> {
    pub(super) ndb: &'a Ndb,
    pub(super) nid: Nid,
    pub(super) data: Arc<Data>,
    pub(super) subnodes: Bid,
    pub(super) header: HeapHeader,
    /// The first block, the only one of most heaps.
    pub(super) first: Arc<Block>,
    /// Blocks behind it that were put right in memory, by their number.
    pub(super) righted: BTreeMap<usize, Arc<Block>>,
    pub(super) held: Held,
}

/// The two blocks of a heap behind its first that were asked for last, by their number: its items are asked for one after
/// the other.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<[Numbered; 2]>);

type Numbered = Option<(usize, Arc<Block>)>;

impl Clone for Held {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

impl Held {
    fn get(&self, index: usize) -> Option<Arc<Block>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.iter().flatten().find(|(at, _)| *at == index).map(|(_, block)| Arc::clone(block))
    }

    fn keep(&self, index: usize, block: &Arc<Block>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.swap(0, 1);
        if let Some(first) = held.first_mut() {
            *first = Some((index, Arc::clone(block)));
        }
    }
}

/// An item of a heap.
#[derive(Debug)]
pub struct HeapItem<'h> {
    block: Within<'h>,
    range: Range<usize>,
}

/// The block that an item lies in.
#[derive(Debug)]
enum Within<'h> {
    /// The heap's first, where most items lie: to share it would take longer than to look at the item.
    First(&'h Block),
    Another(Arc<Block>),
}

impl Deref for HeapItem<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let block = match &self.block {
            Within::First(block) => block,
            Within::Another(block) => &**block,
        };
        block.data.get(self.range.clone()).unwrap_or_default()
    }
}

/// How many bytes of values may still come from a heap.
///
/// Each item of a good heap is one value, so all values together are no longer than its blocks, and no more than three
/// halves of that as UTF-8. A hostile heap could give one item to thousands of values.
#[derive(Clone, Copy, Debug)]
pub struct Room(u64);

impl Room {
    /// The room for all values of a heap.
    pub fn of(heap: &Heap<'_>) -> Self {
        Self(heap.len().saturating_mul(2))
    }

    /// Whether there is room for this value too; what it takes is gone then.
    pub fn takes(&mut self, value: &Value) -> bool {
        match self.0.checked_sub(u64::try_from(value.memory_bytes()).unwrap_or(u64::MAX)) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }
}

impl<'a> Heap<'a> {
    /// The heap in node `nid`, whose data and subnodes have these roots.
    pub fn open(ndb: &'a Ndb, nid: Nid, data: Bid, subnodes: Bid) -> Result<Self> {
        Self::read(ndb, nid, data, subnodes).map_err(|error| error.of_node(nid.0))
    }

    fn read(ndb: &'a Ndb, nid: Nid, data: Bid, subnodes: Bid) -> Result<Self> {
        let place = Place::node(nid.0);
        let data = ndb.data(data)?;
        if data.is_empty() {
            return Err(Error::Damaged(Code::HeapHeader, place));
        }
        let first = data.block(ndb, 0)?;
        let header: HeapHeader = codec::decode(ndb.format(), &first.data).map_err(|cut| cut.at(Code::HeapHeader, place))?;
        if header.signature != HEAP_SIGNATURE {
            return Err(Error::Damaged(Code::HeapHeader, place));
        }
        Ok(Self { ndb, nid, data, subnodes, header, first, righted: BTreeMap::new(), held: Held::default() })
    }

    /// The database that the heap lies in.
    pub const fn ndb(&self) -> &'a Ndb {
        self.ndb
    }

    /// The node.
    pub const fn nid(&self) -> Nid {
        self.nid
    }

    /// How many bytes its blocks have.
    pub fn len(&self) -> u64 {
        self.data.len()
    }

    /// Whether it has none; an open one always has.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// What the heap holds.
    pub const fn client(&self) -> HeapClient {
        self.header.client
    }

    /// The item to begin with.
    pub const fn root(&self) -> Hid {
        self.header.root
    }

    /// How many blocks it has.
    pub fn blocks(&self) -> usize {
        self.data.leaves().len()
    }

    /// The id of a block.
    pub fn bid(&self, index: usize) -> Option<Bid> {
        self.data.leaves().get(index).map(|leaf| leaf.bid)
    }

    /// A block.
    pub fn block(&self, index: usize) -> Result<Arc<Block>> {
        if index == 0 {
            return Ok(Arc::clone(&self.first));
        }
        if let Some(block) = self.righted.get(&index) {
            return Ok(Arc::clone(block));
        }
        if let Some(block) = self.held.get(index) {
            return Ok(block);
        }
        let block = self.data.block(self.ndb, index)?;
        self.held.keep(index, &block);
        Ok(block)
    }

    /// The item with this id.
    pub fn item(&self, hid: Hid) -> Result<HeapItem<'_>> {
        if hid.block(self.ndb.format().layout()) > 0 {
            return self.item_alone(hid);
        }
        Ok(HeapItem { range: self.range(&self.first, hid)?, block: Within::First(&self.first) })
    }

    /// The item with this id, which stays when the heap goes.
    pub(super) fn item_alone(&self, hid: Hid) -> Result<HeapItem<'static>> {
        let index = hid.block(self.ndb.format().layout());
        if index >= self.data.leaves().len() {
            return Err(self.missing(hid));
        }
        let block = self.block(index)?;
        Ok(HeapItem { range: self.range(&block, hid)?, block: Within::Another(block) })
    }

    /// Where an item lies in its block.
    fn range(&self, block: &Block, hid: Hid) -> Result<Range<usize>> {
        let format = self.ndb.format();
        let range = heap::item_range(format, &block.data, hid.index(format.layout())).filter(|range| range.end <= block.data.len());
        range.ok_or_else(|| self.missing(hid))
    }

    fn missing(&self, hid: Hid) -> Error {
        Error::Damaged(Code::HeapId, Place { row: Some(hid.0), ..Place::node(self.nid.0) })
    }

    /// A subnode of the node.
    pub fn subnode(&self, nid: Nid) -> Result<Option<crate::format::block::SubnodeEntry>> {
        self.ndb.subnode(self.subnodes, nid)
    }

    /// The value that a reference leads to; `None` where there is none of this type.
    pub fn value(&self, kind: PropType, at: Hnid) -> Result<Option<Value>> {
        if at.is_none() {
            return Ok(Value::decode(kind, &[]));
        }
        if let Some(hid) = at.hid() {
            return self.item(hid).map(|item| Value::decode(kind, &item));
        }
        let missing = || Error::Damaged(Code::PropertyMissing, Place::node(self.nid.0).row(at.0));
        let subnode = self.subnode(at.nid())?.ok_or_else(missing)?;
        let len = self.ndb.data(subnode.data)?.len();
        Ok(Some(Value::Stream(Stream { kind, data: subnode.data, len })))
    }
}
