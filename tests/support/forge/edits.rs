//! Damage, as text: what to change in a healthy store, by names of places rather than by offsets.
//!
//! `fixtures/damaged/NAME/edits` begins with `base RECIPE VARIANT`. Each further line is a deed, a place and options:
//!
//! ```text
//! zero   header field=magic
//! flip   page tree=blocks level=0 index=0 at=8
//! set    page tree=nodes level=root entry=0 field=child value=self fix=yes
//! set    block message="Files" attachment=1 tree=content child=0 value=self fix=yes
//! set    heap message="Files" item=1 value=0 fix=yes
//! set    value message="All types" property=0x672b value=0xffffffff fix=yes
//! cut    file at=60%
//! ```
//!
//! Places are found in the healthy base. The data of blocks are changed as they are before encoding. `fix=yes` puts the
//! CRC of header, page or block right afterwards: damage that no checksum shows.

use std::sync::Arc;

use pstfs::format::Format;
use pstfs::format::block::{DataTreeBlock, SubnodeBlock, encode_block};
use pstfs::format::btree::{BTreePage, BlockEntry, BranchEntry};
use pstfs::format::checksum;
use pstfs::format::codec::{self, Field};
use pstfs::format::header::Header;
use pstfs::format::id::{Bid, BlockRef, Hnid, Ib, Nid, NodeType};
use pstfs::format::page::{Page, PageTrailer};
use pstfs::ltp::Properties;
use pstfs::ndb::BTree;
use pstfs::store::item::{Content, NodeRef};
use pstfs::store::{Store, tags};

use super::recipe::{Line, Recipe, parse_number};

/// The base's bytes with the damage that the lines describe.
pub fn damaged(base: Vec<u8>, edits: &Recipe) -> Vec<u8> {
    let store = Store::open(Arc::new(base.clone()), 32 << 20).expect("the base is healthy");
    let mut damage = Damage { store: &store, bytes: base };
    for line in edits.lines.iter().filter(|line| line.word != "base") {
        damage.apply(line);
    }
    damage.bytes
}

struct Damage<'s> {
    store: &'s Store,
    bytes: Vec<u8>,
}

/// A structure of the file, and where in it the deed is done.
struct Place {
    what: What,
    /// Offset in the structure.
    at: usize,
    /// Bytes of the field; to the structure's end where none is named.
    len: Option<usize>,
    /// What `value=self` stands for.
    own: Vec<u8>,
}

enum What {
    Header,
    Page(Ib),
    Block(BlockEntry),
}

impl Damage<'_> {
    fn format(&self) -> Format {
        self.store.ndb().format()
    }

    fn apply(&mut self, line: &Line) {
        if line.word == "cut" {
            let percent = line.option("at").and_then(|at| at.strip_suffix('%')).map(parse_number);
            let len = percent.map_or_else(|| line.number("at").expect("at=") as usize, |percent| self.bytes.len() * percent as usize / 100);
            self.bytes.truncate(len);
            return;
        }
        let place = self.place(line);
        let mut bytes = self.read(&place.what);
        let at = place.at + line.number("at").unwrap_or(0) as usize;
        let len = line.number("len").map(|len| len as usize).or(place.len).unwrap_or(bytes.len() - at);
        match line.word.as_str() {
            "zero" => bytes[at..at + len].fill(0),
            "flip" => bytes[at] ^= line.number("mask").unwrap_or(1) as u8,
            "set" => {
                let value = match line.option("value").expect("value=") {
                    "self" => place.own.clone(),
                    number => parse_number(number).to_le_bytes()[..len].to_vec(),
                };
                bytes[at..at + value.len()].copy_from_slice(&value);
            }
            other => panic!("edits: {other} is no deed"),
        }
        self.write(&place.what, bytes, line.option("fix").is_some());
    }

    fn place(&self, line: &Line) -> Place {
        match line.arg(0) {
            "header" => self.header(line),
            "page" => self.page(line),
            "block" => self.block(line),
            "heap" => self.heap(line),
            "value" => self.value(line),
            other => panic!("edits: {other} is no place"),
        }
    }

    fn header(&self, line: &Line) -> Place {
        let field = line.option("field").expect("field=");
        let lines = self.store.ndb().header().describe(self.format());
        let (_, at, _) = lines.iter().find(|(name, ..)| *name == field).unwrap_or_else(|| panic!("edits: no field {field}"));
        Place { what: What::Header, at: *at, len: Some(4), own: Vec::new() }
    }

    fn page(&self, line: &Line) -> Place {
        let tree = if line.option("tree") == Some("blocks") { BTree::Blocks } else { BTree::Nodes };
        let root = self.store.ndb().root(tree);
        let page = match line.option("level") {
            None | Some("root") => root,
            Some(level) => self.pages(root, parse_number(level) as u8)[line.number("index").unwrap_or(0) as usize],
        };
        let format = self.format();
        let info = format.layout().page_entries_bytes;
        let width = format.layout().word_bytes;
        let count = if format == Format::Unicode4k { 2 } else { 1 };
        let (at, len) = match line.option("field") {
            None => (0, None),
            Some("count") => (info, Some(count)),
            Some("entry_bytes") => (info + 2 * count, Some(1)),
            Some("level") => (info + 2 * count + 1, Some(1)),
            Some("child") => (line.number("entry").unwrap_or(0) as usize * 3 * width + width, Some(2 * width)),
            Some(other) => panic!("edits: no field {other}"),
        };
        Place { what: What::Page(page.ib), at, len, own: codec::encode(format, &page) }
    }

    /// The pages of a tree at one level, in order.
    fn pages(&self, root: BlockRef, level: u8) -> Vec<BlockRef> {
        let mut pages = vec![root];
        loop {
            let bytes = self.page_bytes(pages[0].ib);
            let body = BTreePage::decode(self.format(), &bytes).expect("a page");
            if body.info.level == level {
                return pages;
            }
            let below = |page: &BlockRef| {
                let bytes = self.page_bytes(page.ib);
                let body = BTreePage::decode(self.format(), &bytes).expect("a page");
                body.entries::<BranchEntry>().map(|entry| entry.child).collect::<Vec<_>>()
            };
            pages = pages.iter().flat_map(below).collect();
        }
    }

    fn page_bytes(&self, ib: Ib) -> Vec<u8> {
        codec::cut(&self.bytes, ib.0 as usize, self.format().layout().page_bytes).expect("a page").to_vec()
    }

    /// The root of a tree of blocks: a message's, an attachment's, or that of an attachment's content.
    fn root(&self, line: &Line) -> Bid {
        let node = self.node(line);
        match (line.option("tree"), line.number("attachment")) {
            (Some("content"), Some(index)) => {
                let item = self.store.item(node).expect("an item");
                match &item.attachments[index as usize].content {
                    Content::Stream(stream) | Content::Ole(stream) => stream.data,
                    other => panic!("edits: {other:?} has no tree"),
                }
            }
            (tree, attachment) => {
                let node = attachment.map_or(node, |index| self.store.item(node).expect("an item").attachments[index as usize].node);
                if tree == Some("subnodes") { node.subnodes } else { node.data }
            }
        }
    }

    fn node(&self, line: &Line) -> NodeRef {
        if let Some(nid) = line.number("node") {
            return self.store.locate(Nid(nid as u32)).expect("a node");
        }
        let subject = line.option("message").expect("message=");
        let mut found = None;
        let visit = &mut |node: &pstfs::format::btree::NodeEntry| {
            let nid = node.nid.nid;
            if nid.kind() == NodeType::MESSAGE
                && self.store.node_props(nid).is_ok_and(|props| props.text(tags::SUBJECT).is_some_and(|text| text.ends_with(subject)))
            {
                found = Some(NodeRef { nid, data: node.data, subnodes: node.subnodes });
            }
            found.is_none()
        };
        self.store.ndb().visit_nodes(visit).expect("nodes");
        found.unwrap_or_else(|| panic!("edits: no message {subject}"))
    }

    fn block(&self, line: &Line) -> Place {
        let format = self.format();
        let width = format.layout().word_bytes;
        let mut root = self.root(line);
        if let Some(index) = line.number("index") {
            root = self.store.ndb().data(root).expect("data").leaves()[index as usize].bid;
        }
        let entry = self.store.ndb().block_entry(root).expect("a block");
        let data = self.store.ndb().block(root).expect("a block");
        let (at, len) = if let Some(child) = line.number("child") {
            DataTreeBlock::decode(format, &data.data).expect("an inner block");
            (8 + child as usize * width, Some(width))
        } else if let Some(index) = line.number("subnode") {
            SubnodeBlock::decode(format, &data.data).expect("a subnode block");
            let head = if format == Format::Ansi { 4 } else { 8 };
            // The last third of an entry is the root of the subnode's own subnodes.
            (head + index as usize * 3 * width + 2 * width, Some(width))
        } else {
            (0, None)
        };
        Place { what: What::Block(entry), at, len, own: codec::encode(format, &entry.block.bid) }
    }

    /// Where a heap's page map says that an item begins.
    fn heap(&self, line: &Line) -> Place {
        let block = self.block(line);
        let What::Block(entry) = &block.what else { panic!("edits: a heap is in a block") };
        let data = self.store.ndb().block(entry.block.bid).expect("a block");
        let map_at: u16 = codec::decode(self.format(), &data.data).expect("a heap");
        let item = line.number("item").unwrap_or(1) as usize;
        Place { at: usize::from(map_at) + 4 + 2 * (item - 1), len: Some(2), ..block }
    }

    /// The first four bytes of a property's value in a heap.
    fn value(&self, line: &Line) -> Place {
        let node = self.node(line);
        let props = Properties::open(self.store.ndb(), node.nid, node.data, node.subnodes).expect("properties");
        let id = line.number("property").expect("property=") as u16;
        let record = props.records().iter().find(|record| record.id == id).expect("the property");
        let hid = Hnid(record.value.0).hid().expect("a value in the heap");
        let layout = self.format().layout();
        let leaf = self.store.ndb().data(node.data).expect("data").leaves()[hid.block(layout)].bid;
        let data = self.store.ndb().block(leaf).expect("a block");
        let range = pstfs::format::heap::item_range(self.format(), &data.data, hid.index(layout)).expect("an item");
        let entry = self.store.ndb().block_entry(leaf).expect("a block");
        Place { what: What::Block(entry), at: range.start, len: Some(4), own: Vec::new() }
    }

    fn read(&self, what: &What) -> Vec<u8> {
        match what {
            What::Header => self.bytes[..Header::size(self.format())].to_vec(),
            What::Page(ib) => self.page_bytes(*ib),
            What::Block(entry) => {
                assert_eq!(entry.size, entry.inflated, "edits: compressed blocks cannot be changed");
                let mut data = codec::cut(&self.bytes, entry.block.ib.0 as usize, entry.size.into()).expect("a block").to_vec();
                if !entry.block.bid.is_internal() {
                    self.store.ndb().cipher().decode(&mut data, entry.block.bid);
                }
                data
            }
        }
    }

    fn write(&mut self, what: &What, mut bytes: Vec<u8>, fix: bool) {
        let format = self.format();
        let at = match what {
            What::Header => {
                if fix {
                    bytes = codec::decode::<Header>(format, &bytes).expect("a header").encode_valid(format);
                }
                0
            }
            What::Page(ib) => {
                if fix {
                    bytes = with_crc(format, &bytes);
                }
                ib.0
            }
            What::Block(entry) => {
                if !entry.block.bid.is_internal() {
                    self.store.ndb().cipher().encode(&mut bytes, entry.block.bid);
                }
                if fix {
                    bytes = encode_block(format, entry.block.bid, entry.block.ib, &bytes, entry.inflated);
                }
                entry.block.ib.0
            }
        };
        codec::overwrite(&mut self.bytes, at as usize, &bytes);
    }
}

/// A page with the CRC of its contents; kind, id and signature as they are.
fn with_crc(format: Format, bytes: &[u8]) -> Vec<u8> {
    let page = Page::decode(format, bytes).expect("a page");
    let trailer = PageTrailer { crc: checksum::crc(page.body), ..page.trailer };
    [page.body.to_vec(), codec::encode(format, &trailer)].concat()
}
