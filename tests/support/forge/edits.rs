//! Damage, as text: what to change in a healthy store, by names of places rather than by offsets.
//!
//! `fixtures/damaged/NAME/edits` begins with `base RECIPE VARIANT..`. Each further line is a deed, a place and options:
//!
//! ```text
//! zero   header field=magic
//! flip   page tree=blocks level=0 index=0 at=8
//! set    page tree=nodes level=root entry=0 field=child value=self fix=yes
//! set    block message="Files" attachment=1 tree=content child=0 value=self fix=yes
//! set    heap message="Files" item=1 value=0 fix=yes
//! set    value message="All types" property=0x672b value=0xffffffff fix=yes
//! set    node node=0x2223 field=parent value=0 fix=yes
//! add    entry message="Long" index=0 field=references value=1 fix=yes
//! flip   trailer message="Long" index=0 field=signature
//! swap   page tree=nodes level=0 index=0 entry=0 with=1 fix=yes
//! drop   node node=0x60d
//! leave  node node=0x200024
//! free   map message="Long"
//! leak   map
//! shrink heap list="Message 1" by=2
//! cut    file at=60%
//! grow   file by=5000
//! ```
//!
//! `node` is a node's entry in its tree, `entry` a block's, `block` the block itself, `trailer` what stands behind it,
//! `map` an allocation map or, with `kind=`, another one, `dlist` the density list. A value is a number, `self` (the
//! place's own id), `len` (the file's length), `page:TREE:LEVEL:INDEX` (a page's id), `data:NID` and `subnodes:NID` (roots
//! of a node), `at:NID` (where its data lie), or `map` (where the first allocation map lies). `len=` says how many bytes.
//!
//! `shrink` takes bytes off the end of a heap's first block that has room there and is not the last; all who count them know.
//!
//! `record` is a property's record, `table` a table's header, `column` and `index` an entry of its columns and of its row
//! index, `cell` what stands in a row; `list=SUBJECT` is the table that lists a message, `sub=` a table in a message. Lines that begin with `props` or `row` are of the module `objects`, done first.
//!
//! Places are found in the healthy base. The data of blocks are changed as they are before encoding. `fix=yes` puts the
//! CRC of header, page or block right afterwards: damage that no checksum shows. `crc=flipped`
//! flips a bit of a page's CRC, too: of one bit alone the CRC tells which it was. `leave` takes an entry out of its page and
//! lets it stand behind those in use, as Outlook does where it was the last one.

use std::sync::Arc;

use pstfs::format::Format;
use pstfs::format::amap;
use pstfs::format::block::{BlockTrailer, DataTreeBlock, SubnodeBlock, encode_block};
use pstfs::format::btree::{BTreeInfo, BTreePage, BlockEntry, BranchEntry, NodeEntry};
use pstfs::format::checksum;
use pstfs::format::codec::{self, Field};
use pstfs::format::header::Header;
use pstfs::format::heap::{BTreeHeader, PageMap};
use pstfs::format::id::{Bid, BlockRef, Hid, Hnid, Ib, Nid, NodeType};
use pstfs::format::page::{Page, PageKind, PageTrailer};
use pstfs::ltp::{Heap, Properties, Table};
use pstfs::ndb::BTree;
use pstfs::store::item::{Content, NodeRef};
use pstfs::store::{Store, tags};

use super::objects;
use super::recipe::{Line, Recipe, parse_number};

/// The base's bytes with the damage that the lines describe.
pub fn damaged(base: Vec<u8>, edits: &Recipe) -> Vec<u8> {
    let (objects, lines): (Vec<&Line>, Vec<&Line>) = edits.lines.iter().partition(|line| objects::is_object(line));
    let base = objects.into_iter().fold(base, objects::change);
    let store = Store::open(Arc::new(base.clone()), 32 << 20).expect("the base is healthy");
    let mut damage = Damage { store: &store, bytes: base.clone(), base };
    for line in lines.into_iter().filter(|line| line.word != "base") {
        damage.apply(line);
    }
    damage.bytes
}

struct Damage<'s> {
    store: &'s Store,
    /// The healthy store, in which places are found.
    base: Vec<u8>,
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
    /// Bytes without a checksum of their own.
    Raw(Ib, usize),
}

impl Damage<'_> {
    fn format(&self) -> Format {
        self.store.ndb().format()
    }

    fn apply(&mut self, line: &Line) {
        match line.word.as_str() {
            "cut" => return self.cut(line),
            "grow" => return self.bytes.resize(self.bytes.len() + line.number("by").expect("by=") as usize, 0),
            "drop" | "leave" => return self.drop(line),
            "free" => return self.free(line),
            "leak" => return self.leak(),
            "shrink" => return self.shrink(line),
            _ => {}
        }
        let place = self.place(line);
        let mut bytes = self.read(&place.what);
        let at = place.at + line.number("at").unwrap_or(0) as usize;
        let len = line.number("len").map(|len| len as usize).or(place.len).unwrap_or(bytes.len() - at);
        match line.word.as_str() {
            "zero" => bytes[at..at + len].fill(0),
            "flip" => bytes[at] ^= line.number("mask").unwrap_or(1) as u8,
            "set" => {
                let value = self.value_of(line, &place, len);
                bytes[at..at + value.len()].copy_from_slice(&value);
            }
            "add" => {
                let mut old = [0; 8];
                old[..len].copy_from_slice(&bytes[at..at + len]);
                let new = u64::from_le_bytes(old).wrapping_add_signed(line.option("value").expect("value=").parse().expect("a number"));
                bytes[at..at + len].copy_from_slice(&new.to_le_bytes()[..len]);
            }
            "swap" => {
                let first = line.number("entry").or(line.number("child")).or(line.number("subnode")).unwrap_or(0) as usize;
                let with = match line.option("with").expect("with=") {
                    // An inner block's count stands at its third byte.
                    "last" => usize::from(u16::from_le_bytes([bytes[2], bytes[3]])) - 1,
                    number => parse_number(number) as usize,
                };
                let with = place.at + len * (with - first);
                let (first, second) = (bytes[at..at + len].to_vec(), bytes[with..with + len].to_vec());
                bytes[at..at + len].copy_from_slice(&second);
                bytes[with..with + len].copy_from_slice(&first);
            }
            other => panic!("edits: {other} is no deed"),
        }
        if line.option("crc") == Some("flipped") {
            let at = bytes.len() - self.format().layout().page_trailer_bytes + if self.format() == Format::Ansi { 8 } else { 4 };
            bytes[at] ^= 0x10;
        }
        self.write(&place.what, bytes, line.option("fix"));
    }

    fn cut(&mut self, line: &Line) {
        let percent = line.option("at").and_then(|at| at.strip_suffix('%')).map(parse_number);
        let by = line.number("by").map(|by| self.bytes.len() - by as usize);
        let len = percent.map(|percent| self.bytes.len() * percent as usize / 100).or(by);
        self.bytes.truncate(len.unwrap_or_else(|| line.number("at").expect("at=") as usize));
    }

    /// What `value=` stands for.
    fn value_of(&self, line: &Line, place: &Place, len: usize) -> Vec<u8> {
        let format = self.format();
        let value = line.option("value").expect("value=");
        let parts: Vec<&str> = value.split(':').collect();
        let number = match parts.as_slice() {
            ["self"] => return place.own.clone(),
            ["len"] => self.bytes.len() as u64,
            ["map"] => format.layout().amap_first,
            ["page", tree, level, index] => {
                let root = self.store.ndb().root(tree_of(tree));
                self.pages(root, parse_number(level) as u8)[parse_number(index) as usize].bid.0
            }
            ["data", nid] => self.store.locate(Nid(parse_number(nid) as u32)).expect("a node").data.0,
            ["subnodes", nid] => self.store.locate(Nid(parse_number(nid) as u32)).expect("a node").subnodes.0,
            ["at", nid] => {
                let data = self.store.locate(Nid(parse_number(nid) as u32)).expect("a node").data;
                self.store.ndb().block_entry(data).expect("a block").block.ib.0
            }
            _ => parse_number(value),
        };
        number.to_le_bytes()[..len].to_vec()
    }

    /// Takes an entry out of its page: a node's or, with `entry`, a block's.
    fn drop(&mut self, line: &Line) {
        let place = self.place(line);
        let mut bytes = self.read(&place.what);
        let format = self.format();
        let area = format.layout().page_entries_bytes;
        let info: BTreeInfo = codec::decode(format, &bytes[area..]).expect("a page");
        let (size, end) = (usize::from(info.entry_bytes), usize::from(info.entry_bytes) * usize::from(info.count));
        let start = place.at - place.at % size;
        let removed = bytes[start..start + size].to_vec();
        bytes.copy_within(start + size..end, start);
        if line.word == "leave" {
            bytes[end - size..end].copy_from_slice(&removed);
        }
        let info = codec::encode(format, &BTreeInfo { count: info.count - 1, ..info });
        bytes[area..area + info.len()].copy_from_slice(&info);
        self.write(&place.what, bytes, Some("yes"));
    }

    /// Marks a block's space as free.
    fn free(&mut self, line: &Line) {
        let root = self.root(line);
        let entry = self.store.ndb().block_entry(root).expect("a block");
        self.mark(entry.block.ib, entry.stored_bytes(self.format()), false);
    }

    /// Marks the last unit of the first part as in use.
    fn leak(&mut self) {
        let layout = self.format().layout();
        let last = layout.amap_first + layout.amap_coverage - layout.unit_bytes;
        self.mark(Ib(last), layout.unit_bytes, true);
    }

    /// Takes bytes off the end of a block of a heap, behind its page map.
    fn shrink(&mut self, line: &Line) {
        let by = line.number("by").expect("by=") as u16;
        let leaves = self.store.ndb().data(self.root(line)).expect("data").leaves().to_vec();
        let entries = leaves.iter().map(|leaf| self.store.ndb().block_entry(leaf.bid).expect("a block"));
        let has_room = |entry: &BlockEntry| {
            let data = self.read(&What::Block(*entry));
            let map = PageMap::decode(self.format(), &data).expect("a heap's block");
            let map_at = usize::from(u16::from_le_bytes([data[0], data[1]]));
            map_at + 4 + 2 * map.starts.len() + usize::from(by) <= data.len()
        };
        let entry = entries.take(leaves.len() - 1).find(has_room).expect("edits: a block with room");
        let size = if entry.size == entry.inflated { entry.size - by } else { entry.size };
        let short = BlockEntry { size, inflated: entry.inflated - by, ..entry };
        let mut data = self.read(&What::Block(entry));
        data.truncate(short.inflated.into());
        self.put_entry(&short);
        self.write(&What::Block(short), data, Some("yes"));
        let root = self.store.ndb().block_entry(self.root(line)).expect("a block");
        let mut inner = self.read(&What::Block(root));
        let total = u32::from_le_bytes(inner[4..8].try_into().expect("a total")) - u32::from(by);
        inner[4..8].copy_from_slice(&total.to_le_bytes());
        self.write(&What::Block(root), inner, Some("yes"));
    }

    /// Changes what the block tree says of a block that takes as much space as before.
    fn put_entry(&mut self, entry: &BlockEntry) {
        let old = self.store.ndb().block_entry(entry.block.bid).expect("a block");
        assert_eq!(old.stored_bytes(self.format()), entry.stored_bytes(self.format()), "edits: a block that takes other space");
        let place = self.leaf_entry::<BlockEntry>(BTree::Blocks, (0, 0), &|other| other.block.bid == entry.block.bid);
        let mut page = self.read(&place.what);
        codec::overwrite(&mut page, place.at, &codec::encode(self.format(), entry));
        self.write(&place.what, page, Some("yes"));
    }

    fn mark(&mut self, ib: Ib, bytes: u64, allocated: bool) {
        let format = self.format();
        let layout = format.layout();
        let map = amap::map_offset(format, amap::map_of(format, ib).expect("behind the first map")).expect("a map");
        let mut page = self.read(&What::Page(map));
        let units = |bytes: u64| (bytes / layout.unit_bytes) as usize;
        amap::mark(&mut page[layout.amap_bits_at..], units(ib.0 - map.0), units(bytes), allocated);
        self.write(&What::Page(map), page, Some("yes"));
    }

    fn place(&self, line: &Line) -> Place {
        match line.arg(0) {
            "header" => self.header(line),
            "page" => self.page(line),
            "block" => self.block(line),
            "heap" => self.heap(line),
            "value" => self.value(line),
            "record" => self.record(line),
            "table" | "column" | "index" | "cell" => self.table(line),
            "node" => self.node_entry(line),
            "entry" => self.block_entry(line),
            "trailer" => self.trailer(line),
            "map" => self.map(line),
            "dlist" => Place { what: What::Page(Ib(self.format().layout().dlist)), at: 0, len: None, own: Vec::new() },
            other => panic!("edits: {other} is no place"),
        }
    }

    fn header(&self, line: &Line) -> Place {
        let field = line.option("field").expect("field=");
        let lines = self.store.ndb().header().describe(self.format());
        let format = self.format();
        if field == "fmap" {
            return Place { what: What::Header, at: if format == Format::Ansi { 204 } else { 256 }, len: Some(4), own: Vec::new() };
        }
        // A root is an id and an offset.
        let (name, behind) = field.strip_suffix("_ib").map_or((field, 0), |name| (name, format.layout().word_bytes));
        let (_, at, _) = lines.iter().find(|(found, ..)| *found == name).unwrap_or_else(|| panic!("edits: no field {field}"));
        let len = match name {
            "client" | "version" | "version_client" => 2,
            "sentinel" | "crypt_method" | "amap_valid" => 1,
            "file_eof" | "amap_last" | "amap_free" | "pmap_free" | "next_page" | "next_block" | "nodes" | "blocks" => {
                self.format().layout().word_bytes
            }
            _ => 4,
        };
        Place { what: What::Header, at: at + behind, len: Some(len), own: Vec::new() }
    }

    fn page(&self, line: &Line) -> Place {
        let root = self.store.ndb().root(tree_of(line.option("tree").unwrap_or("nodes")));
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
            Some("count_max") => (info + count, Some(count)),
            Some("child") => (line.number("entry").unwrap_or(0) as usize * 3 * width + width, Some(2 * width)),
            Some("key") => (line.number("entry").unwrap_or(0) as usize * 3 * width, Some(width)),
            Some("child_ib") => (line.number("entry").unwrap_or(0) as usize * 3 * width + 2 * width, Some(width)),
            Some("child_bid") => (line.number("entry").unwrap_or(0) as usize * 3 * width + width, Some(width)),
            Some(trailer) => self.page_trailer(trailer),
        };
        if line.option("last").is_some() {
            let info = self.page_info(page.ib);
            let at = usize::from(info.entry_bytes) * usize::from(info.count - 1);
            return Place { what: What::Page(page.ib), at, len: Some(4), own: Vec::new() };
        }
        if line.word == "swap" {
            let size = usize::from(self.page_info(page.ib).entry_bytes);
            let at = line.number("entry").unwrap_or(0) as usize * size;
            return Place { what: What::Page(page.ib), at, len: Some(size), own: Vec::new() };
        }
        Place { what: What::Page(page.ib), at, len, own: codec::encode(format, &page) }
    }

    fn page_info(&self, ib: Ib) -> BTreeInfo {
        BTreePage::decode(self.format(), &self.page_bytes(ib)).expect("a page").info
    }

    /// Where a field of a page's trailer stands, and its length.
    fn page_trailer(&self, field: &str) -> (usize, Option<usize>) {
        let format = self.format();
        let layout = format.layout();
        let lines = PageTrailer::default().describe(format);
        let (_, at, _) = lines.iter().find(|(name, ..)| *name == field).unwrap_or_else(|| panic!("edits: no field {field}"));
        let len = match field {
            "kind" | "kind_again" => 1,
            "signature" => 2,
            "crc" => 4,
            _ => layout.word_bytes,
        };
        (layout.page_bytes - layout.page_trailer_bytes + at, Some(len))
    }

    /// The entry of a node in its tree.
    fn node_entry(&self, line: &Line) -> Place {
        let (nid, width) = (self.node(line).nid, self.format().layout().word_bytes);
        let field = match line.option("field") {
            None | Some("nid") => (0, 4),
            Some("high") => (4, 4),
            Some("data") => (width, width),
            Some("subnodes") => (2 * width, width),
            Some("parent") => (3 * width, 4),
            Some(other) => panic!("edits: no field {other}"),
        };
        self.leaf_entry::<NodeEntry>(BTree::Nodes, field, &|entry| entry.nid.nid == nid)
    }

    /// The entry of a block in its tree.
    fn block_entry(&self, line: &Line) -> Place {
        let What::Block(block) = self.block(line).what else { panic!("edits: no block") };
        let (format, width) = (self.format(), self.format().layout().word_bytes);
        let references = if format == Format::Unicode4k { 2 * width + 4 } else { 2 * width + 2 };
        let field = match line.option("field") {
            None | Some("bid") => (0, width),
            Some("ib") => (width, width),
            Some("size") => (2 * width, 2),
            Some("inflated") => (2 * width + 2, 2),
            Some("references") => (references, 2),
            Some(other) => panic!("edits: no field {other}"),
        };
        self.leaf_entry::<BlockEntry>(BTree::Blocks, field, &|entry| entry.block.bid == block.block.bid)
    }

    fn leaf_entry<T: Field>(&self, tree: BTree, (at, len): (usize, usize), wanted: &dyn Fn(&T) -> bool) -> Place {
        for page in self.pages(self.store.ndb().root(tree), 0) {
            let bytes = codec::cut(&self.bytes, page.ib.0 as usize, self.format().layout().page_bytes).expect("a page");
            let body = BTreePage::decode(self.format(), bytes).expect("a page");
            if let Some(index) = body.entries::<T>().position(|entry| wanted(&entry)) {
                let at = index * usize::from(body.info.entry_bytes) + at;
                return Place { what: What::Page(page.ib), at, len: Some(len), own: Vec::new() };
            }
        }
        panic!("edits: no such entry")
    }

    /// What stands behind a block: padding and trailer.
    fn trailer(&self, line: &Line) -> Place {
        let What::Block(entry) = self.block(line).what else { panic!("edits: no block") };
        let format = self.format();
        let behind = entry.stored_bytes(format) as usize - format.layout().block_trailer_bytes;
        let (at, len) = match line.option("field").expect("field=") {
            "padding" => {
                assert!(behind > usize::from(entry.size), "edits: the block has no padding");
                (usize::from(entry.size), 1)
            }
            field => {
                let lines = BlockTrailer::default().describe(format);
                let (_, at, _) = lines.iter().find(|(name, ..)| *name == field).unwrap_or_else(|| panic!("edits: no field {field}"));
                let len = match field {
                    "bid" => format.layout().word_bytes,
                    "crc" => 4,
                    _ => 2,
                };
                (behind + at, len)
            }
        };
        Place { what: What::Raw(entry.block.ib, entry.stored_bytes(format) as usize), at, len: Some(len), own: Vec::new() }
    }

    /// A map page of a part of the file.
    fn map(&self, line: &Line) -> Place {
        let format = self.format();
        let kind = match line.option("kind") {
            None | Some("amap") => PageKind::AMAP,
            Some("pmap") => PageKind::PMAP,
            Some("fmap") => PageKind::FMAP,
            Some(other) => panic!("edits: no map {other}"),
        };
        let part = line.number("part").unwrap_or(0);
        let (behind, _) = amap::pages_at(format, part).find(|(_, found)| *found == kind).expect("a map");
        let ib = Ib(amap::map_offset(format, part).expect("a part").0 + behind);
        let (at, len) = line.option("field").map_or((format.layout().amap_bits_at, None), |field| self.page_trailer(field));
        Place { what: What::Page(ib), at, len, own: Vec::new() }
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
        codec::cut(&self.base, ib.0 as usize, self.format().layout().page_bytes).expect("a page").to_vec()
    }

    /// The root of a tree of blocks: a message's, an attachment's, or that of an attachment's content.
    fn root(&self, line: &Line) -> Bid {
        let node = self.node(line);
        match (line.option("tree"), line.number("attachment")) {
            (None, _) if line.option("embedded").is_some() => self.object(line).data,
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
        if line.option("list").is_some() {
            return self.object(line);
        }
        if let Some(subject) = line.option("folder") {
            let message = self.store.ndb().node(message_node(self.store, subject).nid).expect("readable").expect("a node");
            return self.store.locate(message.parent).expect("a folder");
        }
        message_node(self.store, line.option("message").expect("message="))
    }

    /// The node whose properties or table a line means: a message's, an attachment's, that of the message in it.
    fn object(&self, line: &Line) -> NodeRef {
        if let Some(table) = line.number("table") {
            return self.store.locate(Nid(table as u32)).expect("a node");
        }
        if let Some(subject) = line.option("list") {
            let message = self.store.ndb().node(message_node(self.store, subject).nid).expect("readable").expect("a node");
            return self.store.locate(message.parent.with_kind(NodeType::CONTENTS_TABLE)).expect("a table");
        }
        let node = self.node(line);
        if let Some(sub) = line.number("sub") {
            let nid = Nid(sub as u32);
            let entry = self.store.ndb().subnode(node.subnodes, nid).expect("subnodes").expect("the subnode");
            return NodeRef { nid, data: entry.data, subnodes: entry.subnodes };
        }
        let Some(index) = line.number("attachment") else { return node };
        let attachment = self.store.item(node).expect("an item").attachments[index as usize].clone();
        match (line.option("embedded"), attachment.content) {
            (Some(_), Content::Message(message)) => message,
            _ => attachment.node,
        }
    }

    /// A place in a heap item: the block that holds it, and where in it the item begins.
    fn item(&self, node: NodeRef, hid: Hid) -> Place {
        let layout = self.format().layout();
        let leaf = self.store.ndb().data(node.data).expect("data").leaves()[hid.block(layout)].bid;
        let data = self.store.ndb().block(leaf).expect("a block");
        let range = pstfs::format::heap::item_range(self.format(), &data.data, hid.index(layout)).expect("an item");
        let entry = self.store.ndb().block_entry(leaf).expect("a block");
        Place { what: What::Block(entry), at: range.start, len: None, own: Vec::new() }
    }

    /// The root item of the B-tree whose header is this item; it must be a leaf.
    fn tree_root(&self, heap: &Heap<'_>, header: Hid) -> (Hid, BTreeHeader) {
        let header: BTreeHeader = codec::decode(self.format(), &heap.item(header).expect("a header")).expect("a header");
        assert_eq!(header.levels, 0, "edits: a tree with levels");
        (header.root, header)
    }

    /// The record of a property.
    fn record(&self, line: &Line) -> Place {
        let node = self.object(line);
        let props = Properties::open(self.store.ndb(), node.nid, node.data, node.subnodes).expect("properties");
        let id = line.number("property").expect("property=") as u16;
        let index = props.records().iter().position(|record| record.id == id).expect("the property");
        let (root, _) = self.tree_root(props.heap(), props.heap().root());
        let (at, len) = match line.option("field") {
            Some("id") => (0, 2),
            Some("kind") => (2, 2),
            _ => (4, 4),
        };
        let as_id = line.option("as").map(|as_id| parse_number(as_id) as u16);
        let own = props.records().iter().find(|record| Some(record.id) == as_id).map_or(0, |record| record.value.0);
        let place = self.item(node, root);
        Place { at: place.at + index * 8 + at, len: Some(len), own: own.to_le_bytes().to_vec(), ..place }
    }

    /// A table's header, a column of it, an entry of its row index, or a cell.
    fn table(&self, line: &Line) -> Place {
        let node = self.object(line);
        let table = Table::open(self.store.ndb(), node.nid, node.data, node.subnodes).expect("a table");
        let info = table.info();
        let entry = line.number("entry").unwrap_or(0) as usize;
        let (hid, at, len) = match (line.arg(0), line.option("field")) {
            ("table", field) => {
                let (at, len) = match field {
                    Some("ends") => (2 + 2 * entry, 2),
                    Some("index") => (10, 4),
                    Some("rows") => (14, 4),
                    Some("columns") => (1, 1),
                    _ => (0, 1),
                };
                (table.heap().root(), at, len)
            }
            ("column", field) => {
                let (at, len) = match field {
                    Some("id") => (2, 2),
                    Some("offset") => (4, 2),
                    Some("bit") => (7, 1),
                    _ => (0, 8),
                };
                (table.heap().root(), 22 + 8 * entry + at, len)
            }
            ("index", field) => {
                let (root, header) = self.tree_root(table.heap(), info.row_index);
                let (key, data) = (usize::from(header.key_bytes), usize::from(header.data_bytes));
                let (at, len) = if field == Some("row") { (key, data) } else { (0, key) };
                (root, (key + data) * entry + at, len)
            }
            _ => {
                let column = info.column(line.number("column").expect("column=") as u16).expect("the column");
                let rows = info.rows.hid().expect("edits: rows in the heap");
                (rows, entry * info.row_bytes() + usize::from(column.offset), usize::from(column.size))
            }
        };
        let place = self.item(node, hid);
        Place { at: place.at + at, len: Some(len), own: info.row_index.0.to_le_bytes().to_vec(), ..place }
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
            let entry = head + index as usize * 3 * width;
            // The last third of an entry is the root of the subnode's own subnodes.
            if line.word == "swap" { (entry, Some(3 * width)) } else { (entry + 2 * width, Some(width)) }
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
        if line.option("field") == Some("freed") {
            return Place { at: usize::from(map_at) + 2, len: Some(2), ..block };
        }
        let item = line.number("item").unwrap_or(1) as usize;
        Place { at: usize::from(map_at) + 4 + 2 * (item - 1), len: Some(2), ..block }
    }

    /// The first four bytes of a property's value in a heap.
    fn value(&self, line: &Line) -> Place {
        let node = self.object(line);
        let props = Properties::open(self.store.ndb(), node.nid, node.data, node.subnodes).expect("properties");
        let id = line.number("property").expect("property=") as u16;
        let record = props.records().iter().find(|record| record.id == id).expect("the property");
        Place { len: Some(4), ..self.item(node, Hnid(record.value.0).hid().expect("a value in the heap")) }
    }

    fn read(&self, what: &What) -> Vec<u8> {
        match what {
            What::Header => self.bytes[..Header::size(self.format())].to_vec(),
            What::Page(ib) => codec::cut(&self.bytes, ib.0 as usize, self.format().layout().page_bytes).expect("a page").to_vec(),
            What::Raw(ib, len) => codec::cut(&self.bytes, ib.0 as usize, *len).expect("bytes").to_vec(),
            What::Block(entry) => {
                let mut data = codec::cut(&self.bytes, entry.block.ib.0 as usize, entry.size.into()).expect("a block").to_vec();
                if entry.size != entry.inflated {
                    data = pstfs::ndb::inflate(&data, entry.inflated.into());
                }
                if !entry.block.bid.is_internal() {
                    self.store.ndb().cipher().decode(&mut data, entry.block.bid);
                }
                data
            }
        }
    }

    fn write(&mut self, what: &What, mut bytes: Vec<u8>, fix: Option<&str>) {
        let format = self.format();
        let at = match what {
            What::Header => {
                if fix.is_some() {
                    bytes = codec::decode::<Header>(format, &bytes).expect("a header").encode_valid(format);
                }
                0
            }
            What::Page(ib) => {
                if let Some(fix) = fix {
                    bytes = with_crc(format, &bytes, (fix == "all").then_some(*ib));
                }
                ib.0
            }
            What::Block(entry) => {
                if !entry.block.bid.is_internal() {
                    self.store.ndb().cipher().encode(&mut bytes, entry.block.bid);
                }
                if entry.size != entry.inflated {
                    bytes = deflated(&bytes);
                    // What follows the end of the stream does not count.
                    bytes.resize(bytes.len().max(entry.size.into()), 0);
                    let size = u16::try_from(bytes.len()).expect("a block");
                    if size != entry.size {
                        self.put_entry(&BlockEntry { size, ..*entry });
                    }
                }
                if fix.is_some() {
                    bytes = encode_block(format, entry.block.bid, entry.block.ib, &bytes, entry.inflated);
                }
                entry.block.ib.0
            }
            What::Raw(ib, _) => ib.0,
        };
        codec::overwrite(&mut self.bytes, at as usize, &bytes);
    }
}

/// Compressed data.
fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, bytes).expect("bytes in memory");
    encoder.finish().expect("bytes in memory")
}

/// The message with this subject.
pub(super) fn message_node(store: &Store, subject: &str) -> NodeRef {
    let mut found = None;
    let visit = &mut |node: &NodeEntry| {
        let nid = node.nid.nid;
        if nid.kind() == NodeType::MESSAGE
            && store.node_props(nid).is_ok_and(|props| props.text(tags::SUBJECT).is_some_and(|text| text.ends_with(subject)))
        {
            found = Some(NodeRef { nid, data: node.data, subnodes: node.subnodes });
        }
        found.is_none()
    };
    store.ndb().visit_nodes(visit).expect("nodes");
    found.unwrap_or_else(|| panic!("edits: no message {subject}"))
}

fn tree_of(name: &str) -> BTree {
    match name {
        "nodes" => BTree::Nodes,
        "blocks" => BTree::Blocks,
        other => panic!("edits: no tree {other}"),
    }
}

/// A page with the CRC of its contents; kind and id as they are, the signature too unless its place is told.
fn with_crc(format: Format, bytes: &[u8], signed_at: Option<Ib>) -> Vec<u8> {
    let page = Page::decode(format, bytes).expect("a page");
    let signature = signed_at.map_or(page.trailer.signature, |ib| checksum::signature(ib, page.trailer.bid));
    let trailer = PageTrailer { crc: checksum::crc(page.body), signature, ..page.trailer };
    [page.body.to_vec(), codec::encode(format, &trailer)].concat()
}
