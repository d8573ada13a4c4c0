//! The nodes of an ANSI store, laid out for a Unicode one.
//!
//! Every node keeps its id, its parent and its subnodes' ids, so that entry ids and rows go on naming what they named.
//! Its data are laid out anew: blocks are 4 bytes shorter in Unicode files, so heaps are built again from what they hold,
//! and strings that were in a code page become UTF-16. Which page an object's strings are in is decided where readers ask
//! ([`codepage_told`](crate::store::props::codepage_told)), so a document says the same in both stores.
//!
//! Nodes go out one by one; of each message 16 bytes stay in memory until the tables are written that tell of it. Outlook
//! lets copies of a message share its blocks, hundreds of them in some stores: what shares blocks goes on to share them.

mod heap;
mod properties;
mod table;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::damage::{Error, Result};
use crate::format::btree::NodeEntry;
use crate::format::codec;
use crate::format::heap::{HEAP_SIGNATURE, HeapClient, HeapHeader};
use crate::format::id::{Bid, Nid, NodeType};
use crate::ltp::{Properties, Table};
use crate::ndb::Ndb;
use crate::ndb::write::tree::put_draft;
use crate::ndb::write::{BlockSink, BulkWriter, DataTree, Draft, Nids, Part, Stored};
use crate::progress::Progress;
use crate::store::Store;
use crate::store::codepage::WINDOWS_1252;
use crate::store::item::NodeRef;
use crate::store::usual_page::names_folders;

use table::Rows;

/// How deep nodes may lie in each other; messages in messages need two of them each.
const DEPTH_MAX: usize = 64;
/// References from which on what is shared is written once more: the count has 16 bits.
const REFERENCES_MAX: u16 = 60_000;
/// Blocks that so many entries name belong to several nodes: one of the count is the block's own.
const REFERENCES_OF_ONE: u16 = 2;
/// The most failures that are told one by one.
const FAILED_MAX: usize = 1_000;

/// Lays out the nodes of one store in another.
#[derive(Debug)]
pub struct Widener<'s, 'f> {
    ndb: &'s Ndb,
    writer: BulkWriter<'f>,
    progress: &'s Progress,
    /// The code page of folders' names.
    folder_page: u16,
    /// What tables must know of the objects that their rows stand for.
    objects: Objects,
    /// What was laid out and will be asked for again.
    shared: BTreeMap<Share, Laid>,
    failed: Vec<String>,
}

/// What a table must know of objects, by their ids.
type Objects = BTreeMap<Nid, Object>;

/// What a row must know of its object.
#[derive(Clone, Copy, Debug)]
struct Object {
    /// The code page of its strings.
    page: u16,
    /// Its size in the new store, where it tells one.
    size: Option<i32>,
}

/// A node of the old store, and what it depends on.
#[derive(Clone, Copy, Debug)]
struct Old<'r> {
    node: NodeRef,
    /// The code page of strings where the object itself does not tell.
    page: u16,
    /// What is known of the objects of its rows.
    rows: Rows<'r>,
    /// How many nodes it lies in.
    depth: usize,
}

/// A node as it lies in the new store: where, and how many bytes it has with all that lies in it.
#[derive(Clone, Copy, Debug, Default)]
struct Laid {
    stored: Stored,
    bytes: u64,
    /// What rows must know of it, where it has properties.
    object: Option<Object>,
}

/// Blocks that several nodes have in common, and what else decides what becomes of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Share {
    data: Bid,
    subnodes: Bid,
    kind: NodeType,
    /// The code page; 0 where there is none.
    page: u16,
}

/// What the data of a node are.
enum Shape<'s> {
    Properties(Properties<'s>),
    Table(Table<'s>),
    /// A heap of a use that nobody describes.
    Heap,
    Bytes,
}

impl<'s, 'f> Widener<'s, 'f> {
    /// Begins with the ids that the old store gave out.
    pub fn new(store: &'s Store, mut writer: BulkWriter<'f>, progress: &'s Progress) -> Result<Self> {
        let ndb = store.ndb();
        *writer.nids() = Nids::new(ndb.header().nids);
        let (objects, shared) = (Objects::new(), BTreeMap::new());
        Ok(Self { ndb, writer, progress, folder_page: store.usual_page()?, objects, shared, failed: Vec::new() })
    }

    /// Whether a node's rows tell of objects: these come first.
    pub fn is_table(nid: Nid) -> bool {
        let kinds = [NodeType::HIERARCHY_TABLE, NodeType::CONTENTS_TABLE, NodeType::ASSOCIATED_TABLE, NodeType::SEARCH_CONTENTS_TABLE];
        kinds.contains(&nid.kind())
    }

    /// Lays out a node.
    pub fn node(&mut self, entry: &NodeEntry) -> Result<()> {
        let nid = entry.nid.nid;
        let node = NodeRef { nid, data: entry.data, subnodes: entry.subnodes };
        let page = if names_folders(nid) { self.folder_page } else { WINDOWS_1252 };
        let laid = self.part(&Old { node, page, rows: Rows::Nodes, depth: 0 })?;
        let told = laid.object.filter(|object| object.size.is_some() || object.page != WINDOWS_1252);
        self.objects.extend(told.map(|object| (nid, object)));
        self.writer.put_node(nid, laid.stored, entry.parent)
    }

    /// Writes trees, maps and header, and tells what could not be laid out.
    pub fn finish(self) -> Result<Vec<String>> {
        self.writer.finish(self.ndb.header().unique)?;
        Ok(self.failed)
    }

    /// A node, or one in a node.
    fn part(&mut self, old: &Old<'_>) -> Result<Laid> {
        self.progress.check()?;
        if old.depth > DEPTH_MAX {
            self.fail(old.node.nid, "it lies too deep in others");
            return self.bytes(old);
        }
        let share = self.share_of(old)?;
        if let Some(known) = share.and_then(|share| self.known(&share)) {
            return Ok(known);
        }
        let laid = match self.shape(old.node)? {
            Shape::Properties(properties) => self.properties(old, &properties),
            Shape::Table(table) => self.table(old, &table),
            Shape::Heap => self.heap(old),
            Shape::Bytes => self.bytes(old),
        }?;
        self.shared.extend(share.map(|share| (share, laid)));
        Ok(laid)
    }

    /// How a node is known again that shares its blocks with others; `None` where it does not, or where more than its
    /// blocks decides what becomes of it: the rows of a table are not alone.
    fn share_of(&self, old: &Old<'_>) -> Result<Option<Share>> {
        let NodeRef { nid, data, subnodes } = old.node;
        let alone = matches!(old.rows, Rows::Alone) || !Self::is_table(nid);
        if !alone || matches!(old.rows, Rows::Of(_)) || nid.kind() == NodeType::INTERNAL {
            return Ok(None);
        }
        Ok(self.is_shared(data)?.then_some(Share { data: data.key(), subnodes: subnodes.key(), kind: nid.kind(), page: old.page }))
    }

    fn shape(&mut self, node: NodeRef) -> Result<Shape<'s>> {
        let opened = match self.client(node)? {
            Some(HeapClient::PROPERTIES) => Properties::open(self.ndb, node.nid, node.data, node.subnodes).map(Shape::Properties),
            Some(HeapClient::TABLE) => Table::open(self.ndb, node.nid, node.data, node.subnodes).map(Shape::Table),
            Some(_) => Ok(Shape::Heap),
            None => Ok(Shape::Bytes),
        };
        self.survive(node.nid, opened, Shape::Bytes)
    }

    /// What a heap holds; `None` where the data are none.
    fn client(&mut self, node: NodeRef) -> Result<Option<HeapClient>> {
        let first = self.ndb.data(node.data).and_then(|data| match data.is_empty() {
            true => Ok(None),
            false => data.block(self.ndb, 0).map(Some),
        });
        let Some(first) = self.survive(node.nid, first, None)? else { return Ok(None) };
        let header: Option<HeapHeader> = codec::decode(self.ndb.format(), &first.data).ok();
        Ok(header.filter(|header| header.signature == HEAP_SIGNATURE).map(|header| header.client))
    }

    /// Bytes that mean nothing here, and what lies in their node.
    fn bytes(&mut self, old: &Old<'_>) -> Result<Laid> {
        let (data, bytes) = self.stream(old.node.nid, old.node.data)?;
        let below = self.parts_of(old)?;
        Ok(Laid { stored: Stored { data, ..below.stored }, bytes: bytes.saturating_add(below.bytes), object: None })
    }

    /// What lies in a node of which no more is known.
    fn parts_of(&mut self, old: &Old<'_>) -> Result<Laid> {
        let entries = self.ndb.subnodes(old.node.subnodes);
        let (mut draft, mut bytes) = (Draft::default(), 0_u64);
        // What lies too deep may lie in itself.
        for entry in self.survive(old.node.nid, entries, Vec::new())?.into_iter().filter(|_| old.depth <= DEPTH_MAX) {
            let node = NodeRef { nid: entry.nid.nid, data: entry.data, subnodes: entry.subnodes };
            let inner = Old { node, depth: old.depth.saturating_add(1), ..*old };
            let laid = if node.nid.kind() == NodeType::LTP { self.bytes(&inner)? } else { self.part(&inner)? };
            bytes = bytes.saturating_add(laid.bytes);
            draft.subnodes.push((node.nid, Part::Stored(laid.stored)));
        }
        Ok(Laid { stored: put_draft(&mut self.writer, draft)?, bytes, object: None })
    }

    /// A data tree of the same bytes, read and written piece by piece.
    fn stream(&mut self, nid: Nid, root: Bid) -> Result<(Bid, u64)> {
        self.shared_data(root, 0, |widener| {
            let data = widener.ndb.data(root);
            let data = widener.survive(nid, data, Arc::default())?;
            let max = widener.writer.format().layout().data_max_bytes;
            let mut tree = DataTree::default();
            while tree.len() < data.len() {
                let piece = data.read(widener.ndb, tree.len(), max)?;
                widener.progress.add(u64::try_from(piece.len()).unwrap_or(0))?;
                tree.push(&mut widener.writer, piece)?;
            }
            let bytes = tree.len();
            Ok((tree.finish(&mut widener.writer)?, bytes))
        })
    }

    /// What becomes of a data tree, made where it is not known yet. `page` tells apart what may become of it.
    fn shared_data(&mut self, root: Bid, page: u16, make: impl FnOnce(&mut Self) -> Result<(Bid, u64)>) -> Result<(Bid, u64)> {
        let share = Share { data: root.key(), subnodes: Bid::NONE, kind: NodeType::LTP, page };
        if let Some(known) = self.known(&share) {
            return Ok((known.stored.data, known.bytes));
        }
        let (data, bytes) = make(self)?;
        if self.is_shared(root)? {
            self.shared.insert(share, Laid { stored: Stored { data, ..Stored::default() }, bytes, object: None });
        }
        Ok((data, bytes))
    }

    /// What was laid out for another node, too, unless too many have it already.
    fn known(&self, share: &Share) -> Option<Laid> {
        let room = |bid: Bid| bid.is_none() || self.writer.references(bid) < REFERENCES_MAX;
        self.shared.get(share).copied().filter(|laid| room(laid.stored.data) && room(laid.stored.subnodes))
    }

    /// Whether several nodes have a block.
    fn is_shared(&self, root: Bid) -> Result<bool> {
        match self.ndb.block_entry(root) {
            Err(error) if error.is_io() => Err(error),
            entry => Ok(!root.is_none() && entry.is_ok_and(|entry| entry.references > REFERENCES_OF_ONE)),
        }
    }

    /// The value of a result; what cannot be read is told, and `instead` takes its place.
    fn survive<T>(&mut self, nid: Nid, result: Result<T>, instead: T) -> Result<T> {
        match result {
            Ok(value) => Ok(value),
            Err(error @ (Error::Io(_) | Error::Cancelled | Error::Unsupported(_))) => Err(error),
            Err(error @ (Error::NotFound(_) | Error::Damaged(..))) => {
                self.fail(nid, &error.to_string());
                Ok(instead)
            }
        }
    }

    fn fail(&mut self, nid: Nid, why: &str) {
        if self.failed.len() < FAILED_MAX {
            self.failed.push(format!("node {nid}: {why}"));
        }
    }
}
