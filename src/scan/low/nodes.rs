//! The nodes of the node B-tree and how they go together (N01, N03 to N10), and whether the encryption is as told (H07).
//!
//! Relies on the entries of the node B-tree alone: what stands in the nodes is for later passes. Keeps 12 bytes a node, those
//! beyond [`MEMORY_BYTES`] in a temporary file.

use std::collections::HashMap;

use super::Low;
use super::blocks;
use super::inner::Inner;
use super::table::{Table, sort};
use crate::damage::{Code, Finding, Place, Result, Severity};
use crate::disk::Spill;
use crate::format::btree::NodeEntry;
use crate::format::cipher::Cipher;
use crate::format::codec;
use crate::format::header::Client;
use crate::format::id::{Bid, Nid, NodeType};
use crate::ndb::{HEAP_NODES, Ndb};

/// The nodes that every store has ([MS-PST] 2.7.1).
const REQUIRED: [u32; 12] = [0x21, 0x61, 0x122, 0x12d, 0x12e, 0x12f, 0x60d, 0x60e, 0x60f, 0x610, 0x671, 0x692];
/// The nodes that every personal store has besides.
const REQUIRED_OF_PST: [u32; 3] = [0x1e1, 0x201, 0x62b];
/// Tables of the store's own that have rows, or are no table without their columns.
const TABLES_OF_ITS_OWN: [Nid; 2] = [Nid::RECEIVE_FOLDER_TABLE, Nid::OUTGOING_QUEUE];
/// The search machinery's lists ([MS-PST] 2.4.8.4): node, bytes of an entry, and what an entry names.
const QUEUES: [(Nid, usize, Named); 3] =
    [(Nid(0x1e1), 20, Named::Nothing), (Nid(0x201), 4, Named::Node), (Nid(0x261), 4, Named::FolderWithFlags)];
/// The first index that a folder of the user may have: those before are the store's own ([MS-PST] 2.4.1).
const INDEX_OF_FOLDERS: u32 = 0x100;
/// The largest list that is looked into.
const QUEUE_MAX_BYTES: usize = 1 << 20;

/// What an entry of a list names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Nothing,
    /// A node by its id.
    Node,
    /// A folder by its index; where the type belongs, real files have flags.
    FolderWithFlags,
}

/// A node, as far as other nodes have to do with it.
#[derive(Clone, Copy, Debug)]
struct Node {
    nid: Nid,
    parent: Nid,
    empty: bool,
    high: bool,
    way: Way,
}

/// Where a folder's parents lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Nobody has asked.
    Unknown,
    /// They are being followed: met again, it is a circle.
    Open,
    /// To the root folder, or to one whose parent does not exist, which is told of that one.
    Up,
    /// Round in a circle.
    Lost,
}

/// How many bytes of the nodes stay in memory: those of a million nodes.
const MEMORY_BYTES: usize = 12 << 20;

/// All nodes by id.
#[derive(Debug)]
pub(super) struct Nodes {
    all: Spill<Node>,
    /// The data of the few nodes that are looked into.
    data: HashMap<Nid, Bid>,
}

impl Default for Nodes {
    fn default() -> Self {
        Self { all: Spill::keeping(MEMORY_BYTES), data: HashMap::new() }
    }
}

impl Nodes {
    /// Adds an entry of the node B-tree.
    pub(super) fn push(&mut self, entry: &NodeEntry) {
        let nid = entry.nid.nid;
        self.all.push(Node { nid, parent: entry.parent, empty: entry.data.is_none(), high: entry.nid.high != 0, way: Way::Unknown });
        if HEAP_NODES.contains(&nid) || QUEUES.iter().any(|(queue, ..)| *queue == nid) {
            self.data.insert(nid, entry.data);
        }
    }

    /// Adds the nodes that were found in the file and that no page told of.
    pub(super) fn add_found(&mut self, ndb: &Ndb) -> Result<()> {
        let told = self.all.len();
        ndb.visit_nodes(&mut |node| {
            let nid = node.nid.nid;
            if self.all.get(..told).is_some_and(|all| all.binary_search_by_key(&nid, |node| node.nid).is_err()) {
                self.push(node);
            }
            true
        })?;
        self.finish();
        Ok(())
    }

    /// Sorts what was added; a tree that is whole comes sorted.
    pub(super) fn finish(&mut self) {
        sort(&mut self.all, |node| node.nid);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    fn find(&self, nid: Nid) -> Option<Node> {
        let at = self.all.partition_point(|node| node.nid < nid);
        self.all.get(at).copied().filter(|node| node.nid == nid)
    }

    fn find_mut(&mut self, nid: Nid) -> Option<&mut Node> {
        let at = self.all.partition_point(|node| node.nid < nid);
        self.all.get_mut(at).filter(|node| node.nid == nid)
    }
}

/// Checks the nodes; `whole` says whether all of them are known.
pub(super) fn run(low: &Low<'_>, table: &Table, nodes: &mut Nodes, whole: bool) -> Result<()> {
    let entry_bytes = low.bytes_of::<NodeEntry>(1);
    low.phase("Validating nodes", low.bytes_of::<NodeEntry>(nodes.len()))?;
    let mut before = None;
    for at in 0..nodes.all.len() {
        low.progress.add(entry_bytes)?;
        let Some(node) = &nodes.all.get(at).copied() else { break };
        entry(low, node, before == Some(node.nid));
        before = Some(node.nid);
        parent(low, nodes, node, whole);
        if whole {
            companions(low, nodes, node);
        }
        if node.empty && must_have_data(node.nid) {
            low.report.add(Code::NodeEmpty, place(node), "");
        }
    }
    required(low, nodes, whole);
    let cipher = cipher(low, table, nodes)?;
    queues(low, table, nodes, cipher, whole)
}

fn place(node: &Node) -> Place {
    Place::node(node.nid.0)
}

fn entry(low: &Low<'_>, node: &Node, again: bool) {
    if again || node.high || node.nid.0 == 0 {
        low.report.add(Code::NodeEntry, place(node), if again { "a second entry of this id" } else { "" });
    }
    if !node.nid.kind().is_seen() {
        let finding = Finding::new(Code::NodeEntry, place(node), format!("type {:#04x}", node.nid.kind().0));
        low.report.finding(finding.at_most(Severity::Note));
    }
}

fn is_folder(nid: Nid) -> bool {
    matches!(nid.kind(), NodeType::FOLDER | NodeType::SEARCH_FOLDER)
}

fn parent(low: &Low<'_>, nodes: &mut Nodes, node: &Node, whole: bool) {
    let kind = node.nid.kind();
    let item = matches!(kind, NodeType::MESSAGE | NodeType::ASSOCIATED_MESSAGE);
    if !item && !is_folder(node.nid) {
        if node.parent.0 != 0 {
            low.report.add(Code::NodeParentSet, place(node), format!("parent {}", node.parent));
        }
        return;
    }
    if !whole {
        return;
    }
    let folder = nodes.find(node.parent).filter(|parent| is_folder(parent.nid));
    if folder.is_none() {
        low.report.add(Code::NodeParent, place(node), format!("parent {}", node.parent));
    } else if !item && !below_root(nodes, node.nid) {
        low.report.add(Code::FolderLoop, place(node), format!("parent {}", node.parent));
    }
}

/// Whether a folder's parents do not go round in a circle.
fn below_root(nodes: &mut Nodes, folder: Nid) -> bool {
    let mut at = folder;
    let up = loop {
        let Some(node) = nodes.find_mut(at).filter(|node| node.nid != Nid::ROOT_FOLDER) else { break true };
        match node.way {
            Way::Unknown => (node.way, at) = (Way::Open, node.parent),
            Way::Up => break true,
            Way::Open | Way::Lost => break false,
        }
    };
    // The same way again: what was found holds for all on it.
    let mut at = folder;
    while let Some(node) = nodes.find_mut(at).filter(|node| node.way == Way::Open) {
        (node.way, at) = (if up { Way::Up } else { Way::Lost }, node.parent);
    }
    up
}

/// A folder has its tables, and a table its folder.
fn companions(low: &Low<'_>, nodes: &Nodes, node: &Node) {
    let has = |kind| nodes.find(node.nid.with_kind(kind)).is_some();
    let missing = |kinds: &[(NodeType, &str)]| -> Vec<String> {
        kinds.iter().filter(|(kind, _)| !has(*kind)).map(|(_, name)| (*name).to_owned()).collect()
    };
    match node.nid.kind() {
        NodeType::FOLDER => {
            let tables = [
                (NodeType::HIERARCHY_TABLE, "the table of folders"),
                (NodeType::CONTENTS_TABLE, "the table of messages"),
                (NodeType::ASSOCIATED_TABLE, "the table of associated messages"),
            ];
            let missing = missing(&tables);
            if !missing.is_empty() {
                low.report.add(Code::FolderTable, place(node), format!("{} missing", missing.join(", ")));
            }
        }
        NodeType::SEARCH_FOLDER => {
            let tables = [
                (NodeType::SEARCH_CONTENTS_TABLE, "the table of messages"),
                (NodeType::SEARCH_UPDATE_QUEUE, "the update queue"),
                (NodeType::SEARCH_CRITERIA, "the criteria"),
            ];
            let missing = missing(&tables);
            if !missing.is_empty() {
                // Outlook makes them anew; other writers leave them out.
                let finding = Finding::new(Code::FolderTable, place(node), format!("{} missing", missing.join(", ")));
                low.report.finding(finding.at_most(Severity::Note));
            }
        }
        NodeType::HIERARCHY_TABLE | NodeType::CONTENTS_TABLE | NodeType::ASSOCIATED_TABLE
            if node.nid.index() >= INDEX_OF_FOLDERS && !has(NodeType::FOLDER) =>
        {
            low.report.add(Code::TableWithoutFolder, place(node), "");
        }
        _ => {}
    }
}

fn must_have_data(nid: Nid) -> bool {
    match nid.kind() {
        NodeType::FOLDER
        | NodeType::SEARCH_FOLDER
        | NodeType::MESSAGE
        | NodeType::ASSOCIATED_MESSAGE
        | NodeType::HIERARCHY_TABLE
        | NodeType::CONTENTS_TABLE
        | NodeType::ASSOCIATED_TABLE
        | NodeType::SEARCH_CONTENTS_TABLE
        | NodeType::SEARCH_CRITERIA => true,
        _ => REQUIRED.contains(&nid.0) || TABLES_OF_ITS_OWN.contains(&nid),
    }
}

fn required(low: &Low<'_>, nodes: &Nodes, whole: bool) {
    let of_pst = if low.header.client == Client::PST { REQUIRED_OF_PST.as_slice() } else { &[] };
    for nid in REQUIRED.iter().chain(of_pst) {
        // Where pages are missing, what they held is missing too: that is told with the pages.
        if whole && nodes.find(Nid(*nid)).is_none() {
            low.report.add(Code::NodeSpecial, Place::node(*nid), "");
        }
    }
}

/// How the data are encoded: as the header says, unless well-known nodes show another way.
fn cipher(low: &Low<'_>, table: &Table, nodes: &Nodes) -> Result<Cipher> {
    let told = Cipher::of_method(low.header.crypt_method);
    for nid in HEAP_NODES {
        let Some(bid) = nodes.data.get(&nid) else { continue };
        let Some((bytes, first)) = stored(low, table, *bid)? else { continue };
        if let Some(shown) = Cipher::of_heap(&bytes, first, told.into_iter().chain(Cipher::ALL)) {
            // A method that does not exist is told with the header.
            if let Some(told) = told.filter(|told| *told != shown) {
                let detail = format!("it says {}, the data are encoded by {}", told.name(), shown.name());
                low.report.add(Code::HeaderCrypt, Place::FILE, detail);
            }
            return Ok(shown);
        }
    }
    Ok(told.unwrap_or(Cipher::Permute))
}

/// The first data block of a node as it is stored, and its id.
fn stored(low: &Low<'_>, table: &Table, root: Bid) -> Result<Option<(Vec<u8>, Bid)>> {
    let mut bid = root;
    // An XXBLOCK, an XBLOCK, a data block.
    for _ in 0..3 {
        let Some(row) = table.find(bid).and_then(|at| table.row(at)) else { return Ok(None) };
        let entry = row.entry();
        if !blocks::can_be_read(low, &entry) {
            return Ok(None);
        }
        let Some(data) = blocks::data(low, &entry)? else { return Ok(None) };
        if !bid.is_internal() {
            return Ok(Some((data, bid)));
        }
        let Ok(inner) = Inner::decode(low.format, &data) else { return Ok(None) };
        let Some((first, _)) = inner.children.first() else { return Ok(None) };
        bid = *first;
    }
    Ok(None)
}

/// The lists of the search machinery have whole entries, and name nodes that exist.
fn queues(low: &Low<'_>, table: &Table, nodes: &Nodes, cipher: Cipher, whole: bool) -> Result<()> {
    for (nid, size, named) in QUEUES {
        let Some(bid) = nodes.data.get(&nid).filter(|bid| !bid.is_none()) else { continue };
        let Some((mut bytes, first)) = stored(low, table, *bid)? else { continue };
        let place = Place::node(nid.0);
        // A list of several blocks is cut anywhere.
        if first == *bid && bytes.len().checked_rem(size) != Some(0) {
            low.report.add(Code::SearchQueue, place, format!("{} bytes, an entry has {size}", bytes.len()));
        }
        if !whole || bytes.len() > QUEUE_MAX_BYTES {
            continue;
        }
        let lost: Vec<bool> = codec::entries::<Nid>(low.format, &bytes, size).map(|stored| stored == Nid::default()).collect();
        cipher.decode(&mut bytes, first);
        // Zeros are no ids that were encoded: a disk lost what stood there.
        let ids = codec::entries::<Nid>(low.format, &bytes, size).zip(lost).map(|(id, lost)| if lost { Nid::default() } else { id });
        for id in ids.filter(|id| !is_there(nodes, *id, named)) {
            // Outlook leaves searches in the lists that were deleted long ago.
            low.report.finding(Finding::new(Code::SearchQueue, place, format!("node {id} does not exist")).at_most(Severity::Note));
        }
    }
    Ok(())
}

fn is_there(nodes: &Nodes, id: Nid, named: Named) -> bool {
    match named {
        Named::Nothing => true,
        Named::Node => nodes.find(id).is_some(),
        Named::FolderWithFlags => [NodeType::FOLDER, NodeType::SEARCH_FOLDER].iter().any(|kind| nodes.find(id.with_kind(*kind)).is_some()),
    }
}
