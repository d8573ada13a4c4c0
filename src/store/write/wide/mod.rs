//! The nodes of an ANSI store, laid out for a Unicode one.
//!
//! Every node keeps its id, its parent and its subnodes' ids, so that entry ids and rows go on naming what they named.
//! Its data are laid out anew: blocks are 4 bytes shorter in Unicode files, so heaps are built again from what they hold,
//! and strings that were in a code page become UTF-16. Which page an object's strings are in is decided where readers ask
//! ([`codepage_told`](crate::store::props::codepage_told)), so a document says the same in both stores.
//!
//! Nodes go out one by one; of each message 16 bytes stay in memory until the tables are written that tell of it.

mod heap;
mod properties;
mod table;
mod text;

use std::collections::BTreeMap;

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
use crate::store::codepage::WINDOWS_1252;
use crate::store::item::NodeRef;

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
    /// What tables must know of the objects that their rows stand for.
    objects: Objects,
    /// What several nodes have in common, by the root of its old tree.
    shared: BTreeMap<Bid, (Bid, u64)>,
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
    pub fn new(ndb: &'s Ndb, mut writer: BulkWriter<'f>, progress: &'s Progress) -> Self {
        *writer.nids() = Nids::new(ndb.header().nids);
        Self { ndb, writer, progress, objects: Objects::new(), shared: BTreeMap::new(), failed: Vec::new() }
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
        let laid = self.part(&Old { node, page: WINDOWS_1252, rows: Rows::Nodes, depth: 0 })?;
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
        match self.shape(old.node)? {
            Shape::Properties(properties) => self.properties(old, &properties),
            Shape::Table(table) => self.table(old, &table),
            Shape::Heap => self.heap(old),
            Shape::Bytes => self.bytes(old),
        }
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
        let (data, bytes) = self.stream(old.node.data)?;
        let below = self.parts_of(old)?;
        Ok(Laid { stored: Stored { data, ..below.stored }, bytes: bytes.saturating_add(below.bytes) })
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
        Ok(Laid { stored: put_draft(&mut self.writer, draft)?, bytes })
    }

    /// A data tree of the same bytes, read and written piece by piece.
    fn stream(&mut self, root: Bid) -> Result<(Bid, u64)> {
        if let Some(known) = self.known(root) {
            return Ok(known);
        }
        let data = self.ndb.data(root)?;
        let max = self.writer.format().layout().data_max_bytes;
        let mut tree = DataTree::default();
        while tree.len() < data.len() {
            let piece = data.read(self.ndb, tree.len(), max)?;
            self.progress.add(u64::try_from(piece.len()).unwrap_or(0))?;
            tree.push(&mut self.writer, piece)?;
        }
        let bytes = tree.len();
        let laid = (tree.finish(&mut self.writer)?, bytes);
        self.share(root, laid)
    }

    /// What was laid out for another node, too.
    fn known(&self, root: Bid) -> Option<(Bid, u64)> {
        self.shared.get(&root.key()).copied().filter(|(bid, _)| self.writer.references(*bid) < REFERENCES_MAX)
    }

    /// Notes what was laid out, where others have the same.
    fn share(&mut self, root: Bid, laid: (Bid, u64)) -> Result<(Bid, u64)> {
        let shared = match self.ndb.block_entry(root) {
            Err(error) if error.is_io() => return Err(error),
            entry => entry.is_ok_and(|entry| entry.references > REFERENCES_OF_ONE),
        };
        if shared && !laid.0.is_none() {
            self.shared.insert(root.key(), laid);
        }
        Ok(laid)
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
