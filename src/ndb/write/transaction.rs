//! A transaction: changes to nodes, collected in memory and committed as one.
//!
//! Blocks are immutable, so new data is a new tree of blocks. New blocks stay in memory until the commit: one transaction
//! is as large as what it adds, not as the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::commit::{Committed, Prepared};
use super::cow::{Edits, Pages};
use super::draft::Draft;
use super::ledger::{Ledger, Settled};
use super::nids::Nids;
use super::room::{Room, Space};
use super::tree::{self, BlockSink};
use crate::damage::{Code, Error, Place, Result};
use crate::disk::WriteAt;
use crate::disk::overlay::Overlay;
use crate::format::Format;
use crate::format::block::SubnodeEntry;
use crate::format::btree::{BlockEntry, NodeEntry};
use crate::format::codec::{self, WidePadding};
use crate::format::header::{Client, Header};
use crate::format::id::{Bid, Nid, NodeType};
use crate::ndb::Ndb;

/// Not in the specification: in offline stores a folder has two more nodes with its index.
const OFFLINE_COMPANIONS: [NodeType; 2] = [NodeType(0x14), NodeType(0x15)];

/// What is made anew beside what changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rebuild {
    /// Nothing.
    #[default]
    Nothing,
    /// All allocation maps, computed from the trees; the deprecated maps are reset ([MS-PST] 2.6.1.3.7).
    Maps,
    /// Both trees, written from the entries that the database tells, wherever it has them from, and all maps: for a store
    /// whose own trees cannot be built on. Whatever no tree names is free afterwards.
    Trees,
}

/// Changes to a store that become visible all at once. After an error of one of its methods it is only good for dropping.
#[derive(Debug)]
pub struct Transaction<'a> {
    pub(super) ndb: &'a Ndb,
    room: Room,
    rebuild: Rebuild,
    pub(super) nodes: Edits<NodeEntry>,
    pub(super) ledger: Ledger<'a>,
    nids: Nids,
    unique: u32,
    /// What the header is to be but for what the commit itself sets; `None` where the store's own is right.
    header: Option<Header>,
}

impl<'a> Transaction<'a> {
    /// Begins with nothing changed. The file grows for what is new; see [`Transaction::with_room`].
    pub fn begin(ndb: &'a Ndb) -> Result<Self> {
        let header = ndb.header();
        let (nids, unique) = (Nids::new(header.nids), header.unique);
        let room = Room::grow(ndb.format());
        let ledger = Ledger::new(ndb)?;
        Ok(Self { ndb, room, rebuild: Rebuild::Nothing, nodes: BTreeMap::new(), ledger, nids, unique, header: None })
    }

    /// The same, with another rule for where new things go.
    #[must_use]
    pub fn with_room(mut self, room: Room) -> Self {
        self.room = room;
        self
    }

    /// Also makes this anew; and where there is a header, puts it in place of the store's, which is damaged. Roots, length
    /// and maps are what the commit makes them.
    ///
    /// A header comes before anything that takes an id: the counters go on from it, never below those in use. What is in use
    /// the block B-tree tells too, but not where it is made anew: that leaves out what nothing names. So both are told here.
    pub fn rebuild(&mut self, what: Rebuild, header: Option<Header>) {
        self.rebuild = self.rebuild.max(what);
        if let Some(header) = header {
            self.nids = Nids::new(header.nids);
            self.unique = header.unique;
            self.ledger.begin_at(header.next_block, self.rebuild == Rebuild::Trees);
            self.header = Some(header);
        }
    }

    /// Puts a node's entry in place of what the tree says, without counting what it names: for a repair that counts all
    /// blocks and tells [`Transaction::set_references`].
    pub fn put_entry(&mut self, entry: NodeEntry) {
        self.cover(entry.nid.nid);
        self.nodes.insert(entry.nid.nid.0.into(), Some(entry));
    }

    /// New blocks with this data, as a tree where it takes more than one; returns the root, which no node names yet.
    ///
    /// Every block but the last is full, as heaps and tables need it.
    pub fn put_data(&mut self, data: &[u8]) -> Result<Bid> {
        let max = self.ndb.format().layout().data_max_bytes;
        let blocks = codec::pieces(data, max).map(<[u8]>::to_vec).collect();
        tree::put_data(self, blocks)
    }

    /// A new subnode tree with these entries, whatever their order; returns its root, which no node names yet.
    ///
    /// The blocks that the entries name may be new ones or the store's.
    pub fn put_subnodes(&mut self, entries: &[SubnodeEntry]) -> Result<Bid> {
        tree::put_subnodes(self, entries.to_vec())
    }

    /// A node with this content, in place of the one with this id where there is one.
    pub fn put_draft(&mut self, nid: Nid, parent: Nid, draft: Draft) -> Result<()> {
        let stored = tree::put_draft(self, draft)?;
        self.put_node(nid, parent, stored.data, stored.subnodes)
    }

    /// A node with these blocks, in place of the one with this id where there is one.
    pub fn put_node(&mut self, nid: Nid, parent: Nid, data: Bid, subnodes: Bid) -> Result<()> {
        let old = self.node(nid)?;
        let padding = old.map_or(WidePadding(0), |old| old.padding);
        self.set_node(old, NodeEntry { nid: nid.into(), data, subnodes, parent, padding })
    }

    /// Puts other data in place of a node's.
    pub fn replace_data(&mut self, nid: Nid, data: Bid) -> Result<()> {
        let old = self.required(nid)?;
        self.set_node(Some(old), NodeEntry { data, ..old })
    }

    /// Puts another subnode tree in place of a node's.
    pub fn replace_subnodes(&mut self, nid: Nid, subnodes: Bid) -> Result<()> {
        let old = self.required(nid)?;
        self.set_node(Some(old), NodeEntry { subnodes, ..old })
    }

    /// Puts a node under another parent.
    pub fn set_parent(&mut self, nid: Nid, parent: Nid) -> Result<()> {
        let old = self.required(nid)?;
        self.set_node(Some(old), NodeEntry { parent, ..old })
    }

    /// Removes a node and lets go of its blocks.
    pub fn remove_node(&mut self, nid: Nid) -> Result<()> {
        let old = self.required(nid)?;
        self.ledger.let_go(old.data)?;
        self.ledger.let_go(old.subnodes)?;
        self.remove_entry(nid);
        Ok(())
    }

    /// Leaves an entry out of the node B-tree that names no blocks: also one before the first key, which nobody finds.
    pub fn remove_entry(&mut self, nid: Nid) {
        self.nodes.insert(nid.0.into(), None);
    }

    /// Sets the count of a block's entry, 1 + the entries that name it: for a repair that counted them.
    pub fn set_references(&mut self, bid: Bid, count: u16) -> Result<()> {
        self.ledger.set_count(bid, count)
    }

    /// Writes a block anew at another place, under its id and with this data: for one whose place or trailer is damaged.
    pub fn rewrite_block(&mut self, bid: Bid, data: &[u8]) -> Result<()> {
        self.ledger.rewrite(bid, data)
    }

    /// Writes a block under an id that the store gave out, in place of whatever the tree has of it; so many entries name
    /// it. What is known of its old place does not count, so both trees are to be rebuilt with it.
    pub fn restore_block(&mut self, bid: Bid, data: &[u8], named: u16) {
        self.ledger.restore(bid, data, named);
        self.rebuild = Rebuild::Trees;
    }

    /// Writes a block under an id that the store gave out and has no entry of any more; so many entries name it.
    pub fn revive_block(&mut self, bid: Bid, data: &[u8], named: u16) {
        self.ledger.restore(bid, data, named);
    }

    /// Compresses a block that is written, for one of a stream whose other blocks are: Outlook compresses all or none, and
    /// pst-extractor reads nothing else.
    pub fn pack_block(&mut self, bid: Bid) {
        self.ledger.pack(bid);
    }

    /// Puts a block's entry in place of what the tree says, its count included.
    pub fn put_block_entry(&mut self, entry: BlockEntry) {
        self.ledger.set_entry(entry);
    }

    /// Takes a block's entry away, whatever names it: for one of which nothing is left.
    pub fn forget_block(&mut self, bid: Bid) {
        self.ledger.forget(bid);
    }

    /// An id for a new node of this type; the types that go with it move on too ([MS-PST] 2.4.2).
    pub fn next_nid(&mut self, kind: NodeType) -> Result<Nid> {
        let nid = self.nids.next(kind)?;
        self.cover(nid);
        Ok(nid)
    }

    /// Where builders of nodes get their ids from.
    pub const fn nids(&mut self) -> &mut Nids {
        &mut self.nids
    }

    /// A number larger than any given out before: the version of a table row.
    pub fn next_unique(&mut self) -> u32 {
        self.unique = self.unique.wrapping_add(1);
        self.unique
    }

    /// Works out all that the commit writes, without writing anything.
    pub fn prepare(self) -> Result<Prepared> {
        let ndb = self.ndb;
        let next_block = self.ledger.next();
        let settled = self.ledger.settle()?;
        let mut prepared = Prepared::new(ndb, settled.unreadable.clone());
        if self.nodes.is_empty()
            && settled.edits.is_empty()
            && settled.fresh.is_empty()
            && self.rebuild == Rebuild::Nothing
            && self.unique == ndb.header().unique
            && self.header.is_none()
        {
            return Ok(prepared);
        }
        let Settled { fresh, data, mut edits, gone, .. } = settled;
        let mut space = match self.rebuild {
            Rebuild::Trees => Space::of_entries(ndb, self.room, &edits)?,
            Rebuild::Nothing | Rebuild::Maps => Space::new(ndb, self.room, self.rebuild == Rebuild::Maps)?,
        };
        prepared.place_blocks(&mut space, fresh, &data, &mut edits)?;
        drop(data);
        prepared.note_entries(&self.nodes, &edits, self.rebuild == Rebuild::Trees);
        let mut header = self.header.unwrap_or_else(|| ndb.header().clone());
        let mut pages = Pages::new(ndb, &mut space, header.next_page);
        if self.rebuild == Rebuild::Trees {
            header.root.nodes = pages.load(&self.nodes)?;
            header.root.blocks = pages.load(&edits)?;
        } else {
            header.root.nodes = pages.rewrite(&self.nodes)?;
            header.root.blocks = pages.rewrite(&edits)?;
        }
        header.next_page = pages.next;
        let (written, superseded) = (pages.written, pages.superseded);
        prepared.take_pages(written);
        if self.rebuild != Rebuild::Trees {
            let page_bytes = u64::try_from(ndb.format().layout().page_bytes).unwrap_or(0);
            superseded.into_iter().try_for_each(|ib| space.free(ib, page_bytes))?;
            gone.iter().try_for_each(|entry| space.free(entry.block.ib, entry.stored_bytes(ndb.format())))?;
        }
        (header.next_block, header.nids, header.unique) = (next_block, self.nids.counters(), self.unique);
        prepared.finish(&space, ndb.header(), header, self.rebuild != Rebuild::Nothing)?;
        Ok(prepared)
    }

    /// Writes all changes so that a crash at any point leaves the old store or the new one; see [`Prepared::commit`].
    pub fn commit(self, store: &impl WriteAt, journal: &impl WriteAt) -> Result<Committed> {
        self.prepare()?.commit(store, journal)
    }

    /// The store as it would be after the commit, in memory.
    pub fn preview(self) -> Result<Overlay> {
        let source = Arc::clone(self.ndb.source());
        self.prepare()?.preview(source)
    }

    fn required(&self, nid: Nid) -> Result<NodeEntry> {
        self.node(nid)?.ok_or_else(|| Error::NotFound(format!("node {nid}")))
    }

    /// Takes the new entry's blocks before letting go of the old one's: they may be the same.
    fn set_node(&mut self, old: Option<NodeEntry>, new: NodeEntry) -> Result<()> {
        if !new.subnodes.is_none() && !new.subnodes.is_internal() {
            return Err(Error::Damaged(Code::BlockKind, Place::block(new.subnodes.0)));
        }
        let old_blocks = old.map_or([Bid::NONE; 2], |old| [old.data, old.subnodes]);
        for (old, new) in old_blocks.into_iter().zip([new.data, new.subnodes]).filter(|(old, new)| old != new) {
            self.ledger.take(new)?;
            self.ledger.let_go(old)?;
        }
        self.cover(new.nid.nid);
        self.nodes.insert(new.nid.nid.0.into(), Some(new));
        Ok(())
    }
}

impl BlockSink for Transaction<'_> {
    fn format(&self) -> Format {
        self.ndb.format()
    }

    fn put_block(&mut self, data: Vec<u8>, internal: bool) -> Result<Bid> {
        self.ledger.add(&data, internal)
    }

    fn refer(&mut self, bid: Bid) -> Result<()> {
        self.ledger.take(bid)
    }

    fn cover(&mut self, nid: Nid) {
        self.nids.cover(nid);
        if self.ndb.header().client == Client::OST && nid.kind() == NodeType::FOLDER {
            OFFLINE_COMPANIONS.into_iter().for_each(|kind| self.nids.cover(nid.with_kind(kind)));
        }
    }
}
