//! From findings to deeds: what becomes of each node.

use std::collections::{BTreeMap, BTreeSet};

use super::Mended;
use super::bag::readable;
use super::folder::TABLES;
use super::outline::{Outline, Wanted, found};
use super::special::{is_special, is_template};
use super::table::{OF_THE_ROW, table_of};
use crate::damage::{Code, Finding, Result, Severity};
use crate::format::id::{Nid, NodeType};
use crate::ndb::Ndb;
use crate::repair::plan::Deed;
use crate::store::write::{Cells, id_of};
use crate::store::{INDEXES, Store, tags};

/// Codes that are left as they are: what they tell does no harm, or cannot be known better.
const LEFT: [Code; 8] = [
    Code::FolderName,
    Code::TimeRange,
    Code::CompressedRtf,
    Code::SubjectPrefix,
    Code::PropertyUnnamed,
    Code::NodeParentSet,
    Code::NodeEntry,
    Code::ForeignHeap,
];
/// Codes that tell where a node belongs, not what it holds.
const PLACES: [Code; 7] =
    [Code::NodeParent, Code::FolderLoop, Code::FolderRow, Code::MessageParent, Code::Orphan, Code::ItemTwice, Code::FolderTable];

/// What is wrong with the trees of blocks that a node has for itself: written anew, the node has new ones.
const TREES: [Code; 6] = [Code::BlockKind, Code::DataTree, Code::DataGaps, Code::SubnodeTree, Code::SubnodeOrder, Code::BlockCycle];
/// What is wrong with single blocks: of the node stays what can be read.
const BLOCKS: [Code; 6] = [Code::BlockPlace, Code::BlockLength, Code::BlockSize, Code::BlockBid, Code::BlockInflate, Code::BlockMissing];

/// Works out what becomes of each node that the findings name; `struck` are those that lost something below them
/// or hold something that may be wrong.
pub(in crate::repair) fn plan(store: &Store, findings: &[Finding], struck: &BTreeSet<Nid>) -> Result<Mended> {
    let (nodes, rows, cells) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    let mut decide = Decide { store, ndb: store.ndb(), top: store.ipm_subtree(), nodes, rows, cells, mended: Mended::default() };
    for finding in findings {
        decide.take(finding)?;
    }
    // Nothing may look wrong with what is left of such a message, but it is to say what is gone or in doubt.
    for nid in struck.iter().copied().filter(|nid| is_message(*nid)) {
        decide.nodes.entry(nid).or_default().insert(Code::NodeBlocks);
    }
    decide.all()
}

/// What is decided so far.
pub(super) struct Decide<'a> {
    pub(super) store: &'a Store,
    ndb: &'a Ndb,
    /// The folder that holds those that users see; the root folder where nobody knows it.
    pub(super) top: Nid,
    /// What is wrong with each node.
    nodes: BTreeMap<Nid, BTreeSet<Code>>,
    /// What is wrong with rows whose objects are nowhere.
    pub(super) rows: BTreeMap<(Nid, u32), Code>,
    /// Messages of which their rows tell something else.
    cells: BTreeSet<Nid>,
    pub(super) mended: Mended,
}

pub(super) fn is_folder(nid: Nid) -> bool {
    [NodeType::FOLDER, NodeType::SEARCH_FOLDER].contains(&nid.kind())
}

pub(super) fn is_message(nid: Nid) -> bool {
    [NodeType::MESSAGE, NodeType::ASSOCIATED_MESSAGE].contains(&nid.kind())
}

/// Whether a folder's table lists objects of this kind.
fn lists(table: Nid, object: Nid) -> bool {
    (is_folder(object) || is_message(object)) && table_of(table, object) == table
}

pub(super) fn is_table(nid: Nid) -> bool {
    TABLES.contains(&nid.kind()) && !is_special(nid)
}

impl<'a> Decide<'a> {
    fn take(&mut self, finding: &Finding) -> Result<()> {
        let code = finding.code;
        let mine = (code.is_of_objects() || code.id().starts_with('N')) && !LEFT.contains(&code);
        let mine = mine || self.is_torn(finding)?;
        let (true, Some(nid)) = (mine, finding.place.nid.map(Nid)) else {
            if finding.severity > Severity::Note {
                self.mended.left.push(finding.clone());
            }
            return Ok(());
        };
        match (code, finding.place.row) {
            (Code::FolderRow | Code::MessageRow, Some(row)) if is_table(nid) => {
                self.rows.insert((nid, row), code);
            }
            // What an attachment's row tells is the message's own affair.
            (Code::RowCell, _) if is_message(nid) && !finding.detail.starts_with("in ") => {
                self.cells.insert(nid);
            }
            _ if finding.severity == Severity::Note && nid.kind() == NodeType::FOLDER => self.whole_folder(nid, code)?,
            _ => {
                self.nodes.entry(nid).or_default().insert(code);
            }
        }
        Ok(())
    }

    /// Whether a finding about blocks hits a node so that it has to be written anew.
    fn is_torn(&self, finding: &Finding) -> Result<bool> {
        let Some(nid) = finding.place.nid.map(Nid) else { return Ok(false) };
        if !BLOCKS.contains(&finding.code) {
            return Ok(TREES.contains(&finding.code));
        }
        let Some(node) = self.ndb.node(nid)? else { return Ok(false) };
        let (mut waiting, mut seen) = (vec![(node.data, node.subnodes)], BTreeSet::new());
        while let Some((data, subnodes)) = waiting.pop() {
            if readable(self.ndb, data)?.is_none() {
                return Ok(true);
            }
            match self.ndb.subnodes(subnodes) {
                Err(error) if error.is_io() => return Err(error),
                Err(_) => return Ok(true),
                Ok(entries) => waiting.extend(entries.iter().map(|entry| (entry.data, entry.subnodes)).filter(|entry| seen.insert(*entry))),
            }
        }
        Ok(false)
    }

    /// An oddity of many objects is told of their folder.
    fn whole_folder(&mut self, folder: Nid, code: Code) -> Result<()> {
        self.nodes.entry(folder).or_default().insert(code);
        for table in TABLES.map(|kind| folder.with_kind(kind)) {
            if self.exists(table)? {
                self.add(Deed::Table(table), code);
            }
            for id in found(self.ndb, table)?.rows.rows.keys().map(|id| Nid(*id)).filter(|id| is_message(*id)) {
                self.nodes.entry(id).or_default().insert(code);
            }
        }
        Ok(())
    }

    fn add(&mut self, deed: Deed, code: Code) {
        self.mended.deeds.entry(deed).or_default().insert(code);
    }

    pub(super) fn add_all(&mut self, deed: Deed, codes: &BTreeSet<Code>) {
        self.mended.deeds.entry(deed).or_default().extend(codes);
    }

    pub(super) fn parent(&self, nid: Nid) -> Result<Nid> {
        Ok(self.ndb.node(nid)?.map_or(Nid::ROOT_FOLDER, |node| node.parent))
    }

    pub(super) fn has_no_subnodes(&self, nid: Nid) -> Result<bool> {
        Ok(self.ndb.node(nid)?.is_some_and(|node| node.subnodes.is_none()))
    }

    pub(super) fn exists(&self, nid: Nid) -> Result<bool> {
        match self.ndb.node(nid) {
            Err(error) if error.is_io() => Err(error),
            node => Ok(matches!(node, Ok(Some(_)))),
        }
    }

    fn all(mut self) -> Result<Mended> {
        let nodes = std::mem::take(&mut self.nodes);
        let gone = self.gone_folders(&nodes)?;
        // Nothing that is there tells which folder holds those that users see; the one that is named comes back.
        if self.top == Nid::ROOT_FOLDER && gone.contains(&self.store.named_subtree()) {
            self.top = self.store.named_subtree();
        }
        let damaged = self.damaged_tables(&nodes, &gone)?;
        let placed: BTreeSet<Nid> =
            nodes.iter().filter(|(_, codes)| codes.iter().any(|code| PLACES.contains(code))).map(|(nid, _)| *nid).collect();
        let placed: BTreeSet<Nid> = placed.into_iter().chain(self.listed(&gone, &damaged)?).collect();
        let messages = placed.iter().copied().filter(|nid| is_message(*nid)).collect();
        let wanted = Wanted { tables: damaged.clone(), messages };
        let structural = !(placed.is_empty() && damaged.is_empty() && gone.is_empty() && self.rows.is_empty());
        let outline = if structural { Outline::of(self.ndb, &wanted)? } else { Outline::default() };
        let parents = self.make_folders(&nodes, &gone, &outline);
        self.mend_tables(&damaged, &gone, &placed, &nodes, &outline)?;
        self.place_folders(&placed, parents, &nodes, &outline);
        for nid in &wanted.messages {
            self.place_message(*nid, &nodes, &outline, &damaged, &gone)?;
        }
        self.mend_rows()?;
        self.take_rows_out(&damaged, &gone)?;
        for (nid, codes) in &nodes {
            self.mend(*nid, codes)?;
        }
        Ok(self.mended)
    }

    /// What a node holds, written anew.
    fn mend(&mut self, nid: Nid, codes: &BTreeSet<Code>) -> Result<()> {
        let content: BTreeSet<Code> = codes.iter().copied().filter(|code| !PLACES.contains(code)).collect();
        let deed = match nid.kind() {
            _ if is_template(nid) => Deed::Template(nid),
            _ if is_special(nid) => Deed::Special(nid),
            // A message in another one: that one is told of too.
            NodeType::MESSAGE | NodeType::ASSOCIATED_MESSAGE if !content.is_empty() && self.exists(nid)? => Deed::Message(nid),
            NodeType::FOLDER if !content.is_empty() && self.exists(nid)? => Deed::Folder(nid),
            NodeType::SEARCH_FOLDER if !content.is_empty() || codes.contains(&Code::FolderTable) => Deed::Search(nid),
            NodeType::SEARCH_CONTENTS_TABLE | NodeType::SEARCH_CRITERIA | NodeType::SEARCH_UPDATE_QUEUE => Deed::Search(nid),
            NodeType::FOLDER | NodeType::SEARCH_FOLDER | NodeType::MESSAGE | NodeType::ASSOCIATED_MESSAGE => return Ok(()),
            _ if is_table(nid) => return Ok(()),
            _ if INDEXES.contains(&nid) && codes.iter().any(is_of_its_heap) && self.exists(nid)? => Deed::Discard(nid),
            _ => {
                self.leave(nid, codes);
                return Ok(());
            }
        };
        let why = if is_special(nid) || content.is_empty() { codes } else { &content };
        self.add_all(deed, why);
        Ok(())
    }

    fn leave(&mut self, nid: Nid, codes: &BTreeSet<Code>) {
        let serious = codes.iter().filter(|code| code.severity() > Severity::Note);
        let left: Vec<Finding> = serious.map(|code| Finding::new(*code, crate::damage::Place::node(nid.0), "")).collect();
        self.mended.left.extend(left);
    }

    /// Tables that are missing or of which something cannot be read; and those without a folder, into which nobody looked.
    fn damaged_tables(&self, nodes: &BTreeMap<Nid, BTreeSet<Code>>, gone: &BTreeSet<Nid>) -> Result<BTreeSet<Nid>> {
        let mut damaged = BTreeSet::new();
        for table in gone.iter().flat_map(|folder| TABLES.map(|kind| folder.with_kind(kind))) {
            if self.exists(table)? {
                damaged.insert(table);
            }
        }
        for (nid, codes) in nodes {
            let worth = |code: &Code| ![Code::TableWithoutFolder, Code::RowCell].contains(code);
            if is_table(*nid) && codes.iter().any(worth) {
                damaged.insert(*nid);
            }
            if nid.kind() == NodeType::FOLDER && codes.contains(&Code::FolderTable) {
                for table in TABLES.map(|kind| nid.with_kind(kind)) {
                    if !self.exists(table)? {
                        damaged.insert(table);
                    }
                }
            }
        }
        Ok(damaged)
    }

    /// Folders that only tables are left of, or a row and what names them as its folder; and the root folder where it is
    /// not there.
    fn gone_folders(&self, nodes: &BTreeMap<Nid, BTreeSet<Code>>) -> Result<BTreeSet<Nid>> {
        let rows = self.rows.iter().filter(|(_, code)| **code == Code::FolderRow).map(|((_, row), _)| Nid(*row));
        let named: BTreeSet<Nid> = rows.filter(|nid| nid.kind() == NodeType::FOLDER).collect();
        let mut gone = BTreeSet::new();
        for (nid, codes) in nodes {
            if codes.contains(&Code::TableWithoutFolder) {
                gone.insert(nid.with_kind(NodeType::FOLDER));
            }
            if codes.contains(&Code::NodeParent) {
                let parent = self.parent(*nid)?;
                if named.contains(&parent) && !self.exists(parent)? {
                    gone.insert(parent);
                }
            }
            if *nid == Nid::ROOT_FOLDER && !self.exists(*nid)? {
                gone.insert(*nid);
            }
        }
        Ok(gone)
    }

    /// What damaged tables list, where it names another folder or its folder is gone: a scan saw other rows of them, or none.
    fn listed(&self, gone: &BTreeSet<Nid>, damaged: &BTreeSet<Nid>) -> Result<Vec<Nid>> {
        let mut listed = Vec::new();
        for table in damaged {
            let folder = table.with_kind(NodeType::FOLDER);
            for id in found(self.ndb, *table)?.rows.rows.into_keys().filter(|id| !gone.contains(&Nid(*id))) {
                if self.stands_for(*table, id)? && (gone.contains(&folder) || self.parent(Nid(id))? != folder) {
                    listed.push(Nid(id));
                }
            }
        }
        Ok(listed)
    }

    /// Whether an object that a folder's table may list is there.
    fn stands_for(&self, table: Nid, row: u32) -> Result<bool> {
        Ok(lists(table, Nid(row)) && self.exists(Nid(row))?)
    }

    /// Damaged tables are written anew, with rows for all that names their folder.
    fn mend_tables(
        &mut self,
        damaged: &BTreeSet<Nid>,
        gone: &BTreeSet<Nid>,
        placed: &BTreeSet<Nid>,
        nodes: &BTreeMap<Nid, BTreeSet<Code>>,
        outline: &Outline,
    ) -> Result<()> {
        for table in damaged {
            let why = nodes.get(table).or_else(|| nodes.get(&table.with_kind(NodeType::FOLDER))).cloned().unwrap_or_default();
            self.add_all(Deed::Table(*table), &why);
            let rows = found(self.ndb, *table)?.rows.rows;
            // A folder that is made anew finds its row where it was.
            for (id, cells) in rows.iter().filter(|(id, _)| !gone.contains(&Nid(**id))) {
                if !self.stands_for(*table, *id)? {
                    self.dangling(*table, *id, cells, *why.first().unwrap_or(&Code::RowMatrix));
                }
            }
            for nid in outline.children.get(table).into_iter().flatten().filter(|nid| !rows.contains_key(&nid.0)) {
                // What another folder lists, too, gets its place by itself.
                if placed.contains(nid) {
                    continue;
                }
                self.add_all(Deed::List(*table, *nid), &why);
            }
        }
        Ok(())
    }

    /// Rows that tell something else than their messages, made from these where they are to be.
    fn mend_rows(&mut self) -> Result<()> {
        for nid in std::mem::take(&mut self.cells) {
            let (least, most) = (Deed::Reparent(nid, Nid(u32::MIN)), Deed::Reparent(nid, Nid(u32::MAX)));
            let parent = match self.mended.deeds.range(least..=most).next() {
                Some((Deed::Reparent(_, parent), _)) => *parent,
                _ => self.parent(nid)?,
            };
            if !self.mended.deeds.contains_key(&Deed::Rescue(nid)) {
                self.add(Deed::List(table_of(parent, nid), nid), Code::RowCell);
            }
        }
        Ok(())
    }

    /// A row whose object is nowhere: what it tells of a message is kept.
    fn dangling(&mut self, table: Nid, row: u32, cells: &Cells, code: Code) {
        let deed =
            if table.kind() != NodeType::HIERARCHY_TABLE && tells(cells) { Deed::Stub(table, row) } else { Deed::Unlist(table, row) };
        self.add(deed, code);
    }

    fn take_rows_out(&mut self, damaged: &BTreeSet<Nid>, gone: &BTreeSet<Nid>) -> Result<()> {
        for ((table, row), code) in std::mem::take(&mut self.rows) {
            if damaged.contains(&table) || gone.contains(&Nid(row)) {
                continue;
            }
            let rows = found(self.ndb, table)?.rows.rows;
            if let Some(cells) = rows.get(&row) {
                self.dangling(table, row, cells, code);
            }
        }
        Ok(())
    }
}

/// Whether a code tells that a node's heap is damaged.
fn is_of_its_heap(code: &Code) -> bool {
    code.is_of_objects() && code.severity() >= Severity::Error
}

/// Whether a row tells enough of its message to be worth keeping.
fn tells(cells: &Cells) -> bool {
    let worth = [tags::SUBJECT, tags::SENT_REPRESENTING_NAME, tags::DISPLAY_TO, tags::MESSAGE_DELIVERY_TIME, tags::CLIENT_SUBMIT_TIME];
    worth.into_iter().map(id_of).any(|id| cells.contains_key(&id) && !OF_THE_ROW.contains(&id))
}
