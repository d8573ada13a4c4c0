//! A model of a store: nodes with data and subnodes, nothing about blocks, pages and space. And random changes to both.

use std::collections::BTreeMap;
use std::sync::Arc;

use pstfs::damage::Code;
use pstfs::disk::ReadAt;
use pstfs::format::block::SubnodeEntry;
use pstfs::format::id::{Bid, Nid, NodeType};
use pstfs::ndb::Ndb;
use pstfs::ndb::write::Transaction;

/// Bytes, and the subnodes beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    pub data: Vec<u8>,
    pub subnodes: BTreeMap<u32, Tree>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub parent: u32,
    pub tree: Tree,
}

/// A store: its nodes by id.
pub type Model = BTreeMap<u32, Node>;

/// Opens bytes as a store.
pub fn open(source: Arc<dyn ReadAt>) -> Ndb {
    Ndb::open(source, 1 << 20).unwrap()
}

/// What a store holds. An error where anything is damaged, but for the marks of an interrupted commit.
pub fn read(ndb: &Ndb) -> Result<Model, String> {
    let mut entries = Vec::new();
    ndb.visit_nodes(&mut |entry| {
        entries.push(*entry);
        true
    })
    .map_err(|error| error.to_string())?;
    let mut model = Model::new();
    for entry in entries {
        let tree = read_tree(ndb, entry.data, entry.subnodes, 0)?;
        model.insert(entry.nid.nid.0, Node { parent: entry.parent.0, tree });
    }
    let allowed = [Code::HeaderDirty, Code::HeaderEof, Code::HeaderCrcFull, Code::HeaderCrcPartial];
    match ndb.notes().findings().into_iter().find(|finding| !allowed.contains(&finding.code)) {
        Some(finding) => Err(finding.to_string()),
        None => Ok(model),
    }
}

fn read_tree(ndb: &Ndb, data: Bid, subnodes: Bid, depth: u32) -> Result<Tree, String> {
    let told = |error: pstfs::damage::Error| error.to_string();
    let mut tree = Tree { data: ndb.data(data).and_then(|data| data.read_all(ndb)).map_err(told)?, subnodes: BTreeMap::new() };
    for entry in ndb.subnodes(subnodes).map_err(told)? {
        if depth > 20 {
            return Err("too deep".into());
        }
        tree.subnodes.insert(entry.nid.nid.0, read_tree(ndb, entry.data, entry.subnodes, depth + 1)?);
    }
    Ok(tree)
}

/// The generator splitmix64.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(len);
        bytes
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        items.get(self.below(items.len())).copied()
    }
}

/// The root folder of every model: all parents lead to it.
pub const ROOT: u32 = 0x122;

/// Makes random changes to a transaction and to a model, alike.
pub struct Changes<'a, 't> {
    pub random: &'a mut Random,
    pub transaction: Transaction<'t>,
    pub model: Model,
    /// Most data that fits in one block: sizes around it are of interest.
    pub block_max: usize,
}

impl Changes<'_, '_> {
    /// A few changes.
    pub fn some(&mut self) {
        if !self.model.contains_key(&ROOT) {
            self.put(Nid(ROOT), ROOT);
        }
        for _ in 0..=self.random.below(8) {
            // Many nodes: rather fewer. Few nodes: rather more.
            let many = self.model.len() > 70;
            match self.random.below(if many { 20 } else { 12 }) {
                0..=3 if !many => self.put_new(),
                4 | 5 => self.replace_data(),
                6 => self.replace_subnodes(),
                7 => self.share(),
                8 => self.move_node(),
                9 => self.put_and_remove(),
                _ => self.remove(),
            }
        }
        let nids: Vec<u32> = self.model.keys().copied().collect();
        for nid in nids.into_iter().take(3) {
            self.sees_itself(nid);
        }
    }

    /// What the transaction shows of a node is what the model has.
    fn sees_itself(&mut self, nid: u32) {
        let entry = self.transaction.node(Nid(nid)).unwrap().unwrap();
        assert_eq!(self.transaction.data(entry.data).unwrap(), self.model[&nid].tree.data);
        assert_eq!(self.transaction.subnodes(entry.subnodes).unwrap().len(), self.model[&nid].tree.subnodes.len());
    }

    fn folders(&self) -> Vec<u32> {
        self.model.keys().copied().filter(|nid| Nid(*nid).kind() == NodeType::FOLDER).collect()
    }

    fn any_node(&mut self) -> Option<u32> {
        let nids: Vec<u32> = self.model.keys().copied().collect();
        self.random.pick(&nids)
    }

    /// A node of any kind, under a folder or none.
    fn new_nid(&mut self) -> (Nid, u32) {
        let kinds = [NodeType::MESSAGE, NodeType::MESSAGE, NodeType::ASSOCIATED_MESSAGE, NodeType::FOLDER, NodeType::CONTENTS_TABLE];
        let kind = self.random.pick(&kinds).unwrap();
        let nid = self.transaction.next_nid(kind).unwrap();
        let folders = self.folders();
        let parent = match kind {
            NodeType::FOLDER => ROOT,
            NodeType::CONTENTS_TABLE => 0,
            _ => self.random.pick(&folders).unwrap_or(ROOT),
        };
        (nid, parent)
    }

    fn put_new(&mut self) {
        let (nid, parent) = self.new_nid();
        assert!(!self.model.contains_key(&nid.0), "an id was given out twice");
        self.put(nid, parent);
    }

    fn put(&mut self, nid: Nid, parent: u32) {
        let tree = self.tree(0);
        let (data, subnodes) = self.put_tree(&tree);
        self.transaction.put_node(nid, Nid(parent), data, subnodes).unwrap();
        self.model.insert(nid.0, Node { parent, tree });
    }

    fn replace_data(&mut self) {
        let Some(nid) = self.any_node() else { return };
        let data = self.data();
        let bid = self.transaction.put_data(&data).unwrap();
        self.transaction.replace_data(Nid(nid), bid).unwrap();
        self.model.get_mut(&nid).unwrap().tree.data = data;
    }

    /// Keeps some of a node's subnodes, changes some, adds some.
    fn replace_subnodes(&mut self) {
        let Some(nid) = self.any_node() else { return };
        let old = self.transaction.node(Nid(nid)).unwrap().unwrap();
        let mut entries = self.transaction.subnodes(old.subnodes).unwrap();
        entries.retain(|_| self.random.below(4) > 0);
        let kept = |nid: u32| entries.iter().any(|entry| entry.nid.nid.0 == nid);
        let mut subnodes = self.model[&nid].tree.subnodes.clone();
        subnodes.retain(|nid, _| kept(*nid));
        for _ in 0..self.random.below(3) {
            let nid = self.transaction.next_nid(NodeType::LTP).unwrap();
            let tree = self.tree(2);
            entries.push(self.put_subnode(nid.0, &tree));
            subnodes.insert(nid.0, tree);
        }
        if let Some(entry) = entries.first_mut() {
            let data = self.data();
            entry.data = self.transaction.put_data(&data).unwrap();
            subnodes.get_mut(&entry.nid.nid.0).unwrap().data = data;
        }
        let root = self.transaction.put_subnodes(&entries).unwrap();
        self.transaction.replace_subnodes(Nid(nid), root).unwrap();
        self.model.get_mut(&nid).unwrap().tree.subnodes = subnodes;
    }

    /// Another node on the same blocks, as Outlook does with the tables of empty folders.
    fn share(&mut self) {
        let Some(other) = self.any_node() else { return };
        let entry = self.transaction.node(Nid(other)).unwrap().unwrap();
        let (nid, parent) = self.new_nid();
        self.transaction.put_node(nid, Nid(parent), entry.data, entry.subnodes).unwrap();
        let tree = self.model[&other].tree.clone();
        self.model.insert(nid.0, Node { parent, tree });
    }

    fn move_node(&mut self) {
        let items: Vec<u32> = self.model.keys().copied().filter(|nid| Nid(*nid).kind() == NodeType::MESSAGE).collect();
        let folders = self.folders();
        let (Some(nid), Some(parent)) = (self.random.pick(&items), self.random.pick(&folders)) else { return };
        self.transaction.set_parent(Nid(nid), Nid(parent)).unwrap();
        self.model.get_mut(&nid).unwrap().parent = parent;
    }

    /// What comes and goes within one transaction leaves nothing.
    fn put_and_remove(&mut self) {
        let (nid, parent) = self.new_nid();
        self.put(nid, parent);
        self.transaction.remove_node(nid).unwrap();
        self.model.remove(&nid.0);
    }

    fn remove(&mut self) {
        let leaf = |nid: &u32| *nid != ROOT && self.model.values().all(|node| node.parent != *nid);
        let leaves: Vec<u32> = self.model.keys().copied().filter(leaf).collect();
        let Some(nid) = self.random.pick(&leaves) else { return };
        self.transaction.remove_node(Nid(nid)).unwrap();
        self.model.remove(&nid);
    }

    fn tree(&mut self, depth: usize) -> Tree {
        let data = self.data();
        let count = match self.random.below(30) {
            _ if depth > 2 => 0,
            // More than one leaf of a subnode tree holds in the narrow formats.
            0 if depth == 0 => 700,
            1..=8 => self.random.below(5),
            _ => 0,
        };
        let mut subnodes = BTreeMap::new();
        for _ in 0..count {
            let nid = self.transaction.next_nid(NodeType::LTP).unwrap();
            let tree =
                if count > 5 { Tree { data: vec![7; self.random.below(3)], subnodes: BTreeMap::new() } } else { self.tree(depth + 1) };
            subnodes.insert(nid.0, tree);
        }
        Tree { data, subnodes }
    }

    fn data(&mut self) -> Vec<u8> {
        let len = match self.random.below(20) {
            0 | 1 => 0,
            2..=12 => self.random.below(700),
            13..=15 => self.random.below(self.block_max),
            16 => self.block_max - 1 + self.random.below(3),
            17 | 18 if self.block_max < 10_000 => self.random.below(self.block_max * 5),
            _ => self.random.below(self.block_max) * 2,
        };
        self.random.bytes(len)
    }

    fn put_tree(&mut self, tree: &Tree) -> (Bid, Bid) {
        let data = self.transaction.put_data(&tree.data).unwrap();
        let entries: Vec<SubnodeEntry> = tree.subnodes.iter().map(|(nid, tree)| self.put_subnode(*nid, tree)).collect();
        (data, self.transaction.put_subnodes(&entries).unwrap())
    }

    fn put_subnode(&mut self, nid: u32, tree: &Tree) -> SubnodeEntry {
        let (data, subnodes) = self.put_tree(tree);
        SubnodeEntry { nid: Nid(nid).into(), data, subnodes }
    }
}
