//! What nodes are made of: every data tree and subnode tree, from the node down (B10 to B17, N02, H18).
//!
//! Relies on the [`Table`] of blocks. Proves that each block that is named exists and is of the kind its referrer needs,
//! and that inner blocks hold together. Collects whose each block is, and how often it is named, which is then compared
//! with what its entry says ([`references`]). Reads the inner blocks alone; a block that several name is looked into once.

use super::table::{Kind, Row, Table};
use super::{Low, Reach, blocks, inner, pages, references};
use crate::damage::{Code, Finding, Place, Result, Severity};
use crate::format::btree::{BlockEntry, NodeEntry};
use crate::format::id::{Bid, Nid, NodeType};
use crate::ndb::Ndb;

/// How deep a tree may go below its node. Each message inside a message takes two levels; nobody has seen ten.
const DEPTH_MAX: usize = 256;

/// What whoever names a block needs it to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The root of a node's data.
    Data,
    /// A data block below an XBLOCK; whether it is the last one of its tree.
    Leaf { last: bool },
    /// An XBLOCK below an XXBLOCK; whether it is the last one.
    Branch { last: bool },
    /// The root of a node's subnodes.
    Subnodes,
    /// An SLBLOCK below an SIBLOCK, and its first subnode's id.
    SubnodeLeaf(Nid),
}

/// The highest index of each type of node.
#[derive(Debug, Default)]
pub(super) struct Highest([u32; 32]);

impl Highest {
    /// Remembers a node's id.
    pub(super) fn add(&mut self, nid: Nid) {
        if let Some(highest) = self.0.get_mut(usize::from(nid.kind().0)) {
            *highest = (*highest).max(nid.index());
        }
    }
}

/// The walk over all trees.
struct Trees<'a, 'b> {
    low: &'a Low<'b>,
    table: &'a mut Table,
    highest: Highest,
    /// The node whose trees are walked; `None` among the blocks that no node reaches.
    node: Option<Nid>,
    /// The inner blocks from the node down to where the walk is.
    open: Vec<Frame>,
    /// Whether all that is below every node could be read.
    whole: bool,
    /// Whether a block of which nothing is known is lost.
    blocks_whole: bool,
    /// Of the node: how many blocks stood on pages that are lost, and where the first one is named.
    untold: (u64, Place),
    /// How many inner blocks were not reached so far.
    unread: usize,
}

/// An inner block whose children are followed.
struct Frame {
    at: usize,
    children: std::vec::IntoIter<(Bid, Role)>,
    /// Bytes that it says are below, and those that were found; `None` where that cannot be said.
    total: Option<u32>,
    sum: Option<u64>,
    /// Whether a block that is not the last was found not to be full.
    gap: bool,
}

/// Follows the trees of every node, then looks into the inner blocks that none of them reached.
pub(super) fn run(low: &Low<'_>, reach: Reach<'_>, node_pages: u64, table: &mut Table) -> Result<()> {
    let entries = low.bytes_of::<BlockEntry>(table.rows().len()).saturating_mul(2);
    low.phase("Validating data trees", node_pages.saturating_add(entries))?;
    let (highest, open, whole, blocks_whole) = (Highest::default(), Vec::new(), reach.all, reach.blocks);
    let unread = table.inner();
    let mut trees = Trees { low, table, highest, node: None, open, whole, blocks_whole, untold: Default::default(), unread };
    match reach.found {
        Some(ndb) => trees.found(ndb),
        None => pages::again(low, &mut |node: NodeEntry| trees.node(&node)),
    }?;
    trees.lost()?;
    let Trees { highest, whole, .. } = trees;
    nids(low, &highest);
    references::run(low, table, whole)
}

impl Trees<'_, '_> {
    fn node(&mut self, node: &NodeEntry) -> Result<()> {
        let nid = node.nid.nid;
        self.highest.add(nid);
        self.node = Some(nid);
        for (bid, role) in [(node.data, Role::Data), (node.subnodes, Role::Subnodes)] {
            self.name(bid, role)?;
            self.descend()?;
        }
        self.tell_untold();
        Ok(())
    }

    /// The nodes that were found in the file, where the pages do not lead to all of them.
    fn found(&mut self, ndb: &Ndb) -> Result<()> {
        let mut walked = Ok(());
        ndb.visit_nodes(&mut |node| {
            walked = self.node(node);
            walked.is_ok()
        })?;
        walked
    }

    /// A block that is not in the tree; where pages of the tree are lost, it may still stand in the file.
    fn missing(&mut self, bid: Bid, role: Role) {
        if self.blocks_whole {
            return self.tell(Code::BlockMissing, Place::block(bid.0), named_as(role));
        }
        let (count, first) = &mut self.untold;
        *count = count.saturating_add(1);
        first.bid.get_or_insert(bid.0);
    }

    /// Tells of a node's blocks that stood on lost pages, in a line; what of them is lost the passes over objects find.
    fn tell_untold(&mut self) {
        let (count, first) = std::mem::take(&mut self.untold);
        if let (1.., Some(nid)) = (count, self.node) {
            let finding = Finding::new(
                Code::BlockMissing,
                first.of_node(nid.0),
                format!("{count} of the node's blocks: a page of that tree is lost"),
            );
            self.low.report.finding(finding.at_most(Severity::Warning));
        }
    }

    /// Follows the innermost open block's children until none is open any more.
    fn descend(&mut self) -> Result<()> {
        while let Some(frame) = self.open.last_mut() {
            match frame.children.next() {
                Some((bid, role)) => self.name(bid, role)?,
                None => self.close(),
            }
        }
        Ok(())
    }

    /// A block is named: it exists, it is what it must be, it is counted, and opened if it is an inner block.
    fn name(&mut self, bid: Bid, role: Role) -> Result<()> {
        if bid.is_none() {
            return Ok(());
        }
        let Some(at) = self.table.find(bid) else {
            self.missing(bid, role);
            self.lost_sight(bid);
            return Ok(());
        };
        let node = self.node;
        let Some(row) = self.table.row_mut(at) else { return Ok(()) };
        match node {
            Some(nid) => {
                row.live = row.live.saturating_add(1);
                row.own(nid.0);
            }
            None => row.lost = row.lost.saturating_add(1),
        }
        let row = *row;
        if !bid.is_internal() {
            self.leaf(&row, role);
        } else if row.open {
            self.tell(Code::BlockCycle, row.place(), "it lies below itself");
            self.lost_sight(bid);
        } else if !row.visited {
            self.inner(at, role)?;
        } else {
            self.kind(&row, row.kind, role);
            self.unknown();
        }
        Ok(())
    }

    fn leaf(&mut self, row: &Row, role: Role) {
        let entry = row.entry();
        let full = self.low.format.layout().data_max_bytes;
        if let (Role::Leaf { last }, Some(frame)) = (role, self.open.last_mut()) {
            frame.sum = frame.sum.map(|sum| sum.saturating_add(entry.inflated.into()));
            frame.gap |= !last && usize::from(entry.inflated) != full;
        }
        if !matches!(role, Role::Data | Role::Leaf { .. }) {
            self.wrong(row, role, "it is a data block");
        }
    }

    /// Reads an inner block for the first time.
    fn inner(&mut self, at: usize, role: Role) -> Result<()> {
        self.low.progress.check()?;
        let Some(row) = self.table.row(at).copied() else { return Ok(()) };
        let read = self.read(&row)?;
        let kind = read.as_ref().map_or(Kind::Unknown, |inner| inner.kind);
        if let Some(row) = self.table.row_mut(at) {
            (row.visited, row.kind) = (true, kind);
            self.unread = self.unread.saturating_sub(1);
        }
        let Some(mut read) = read else {
            self.lost_sight(row.bid());
            return Ok(());
        };
        read.check(self.low, self.node.map_or(row.place(), |nid| row.place().of_node(nid.0)), role);
        if self.open.len() >= DEPTH_MAX {
            self.tell(Code::BlockCycle, row.place(), format!("more than {DEPTH_MAX} blocks below each other"));
            self.lost_sight(row.bid());
            return Ok(());
        }
        // Of a data tree's parts, the last one alone need not be full.
        read.children_of(matches!(role, Role::Branch { last: false }));
        self.kind(&row, kind, role);
        read.nids.iter().for_each(|nid| self.highest.add(*nid));
        if let Some(row) = self.table.row_mut(at) {
            row.open = true;
        }
        self.open.push(Frame { at, children: read.children.into_iter(), total: read.total, sum: Some(0), gap: false });
        Ok(())
    }

    /// The contents of an inner block, if it can be read at all; what is wrong with them is told.
    fn read(&self, row: &Row) -> Result<Option<inner::Inner>> {
        let entry = row.entry();
        if !blocks::can_be_read(self.low, &entry) {
            return Ok(None);
        }
        let Some(data) = blocks::data(self.low, &entry)? else { return Ok(None) };
        let inner = inner::Inner::decode(self.low.format, &data);
        if let Err((code, detail)) = &inner {
            self.tell(*code, row.place(), detail.clone());
        }
        Ok(inner.ok())
    }

    /// The innermost block's children are done: its total is compared, and told to the block above.
    fn close(&mut self) {
        let Some(frame) = self.open.pop() else { return };
        let Some(row) = self.table.row_mut(frame.at) else { return };
        row.open = false;
        let place = row.place();
        if let (Some(total), Some(sum)) = (frame.total, frame.sum)
            && u64::from(total) != sum
        {
            self.tell(Code::DataTotal, place, format!("it says {total}, its blocks have {sum}"));
        }
        if frame.gap {
            self.tell(Code::DataGaps, place, "");
        }
        if let Some(above) = self.open.last_mut()
            && frame.total.is_some()
        {
            above.sum = above.sum.zip(frame.sum).map(|(above, sum)| above.saturating_add(sum));
        }
    }

    /// What is below the innermost block is not known: its total cannot be compared.
    fn unknown(&mut self) {
        if let Some(frame) = self.open.last_mut() {
            frame.sum = None;
        }
    }

    /// What is below this block is not known, and so not either who else is named by it.
    fn lost_sight(&mut self, bid: Bid) {
        self.unknown();
        self.whole &= !bid.is_internal();
    }

    fn kind(&self, row: &Row, kind: Kind, role: Role) {
        let fits = match role {
            Role::Data => matches!(kind, Kind::Branch | Kind::Root),
            Role::Leaf { .. } => false,
            Role::Branch { .. } => kind == Kind::Branch,
            Role::Subnodes => matches!(kind, Kind::Subnodes | Kind::SubnodeRoot),
            Role::SubnodeLeaf(_) => kind == Kind::Subnodes,
        };
        if !fits && kind != Kind::Unknown {
            self.wrong(row, role, kind.name());
        }
    }

    /// A block is not what its referrer needs: told of the node where the node itself names it.
    fn wrong(&self, row: &Row, role: Role, is: &str) {
        let code = match (role, self.open.is_empty()) {
            (Role::Data | Role::Subnodes, true) => Code::NodeBlocks,
            (Role::Leaf { .. } | Role::Branch { .. }, _) => Code::DataTree,
            _ => Code::BlockKind,
        };
        self.tell(code, row.place(), format!("{is}, {}", named_as(role)));
    }

    fn tell(&self, code: Code, place: Place, detail: impl Into<String>) {
        let place = self.node.map_or(place, |nid| place.of_node(nid.0));
        let finding = Finding::new(code, place, detail);
        // What no node reaches is no loss to anybody.
        self.low.report.finding(if self.node.is_some() { finding } else { finding.at_most(Severity::Note) });
    }

    /// Looks into the inner blocks that no node reaches: what they name is counted, as Outlook counts it.
    fn lost(&mut self) -> Result<()> {
        self.node = None;
        let entries = self.table.rows().len();
        if self.unread == 0 {
            return self.low.progress.add(self.low.bytes_of::<BlockEntry>(entries));
        }
        for at in 0..entries {
            references::entry_done(self.low, at, entries)?;
            let Some(row) = self.table.row(at).copied() else { continue };
            if row.bid().is_internal() && !row.visited && row.live == 0 {
                let Some(read) = self.read(&row)? else { continue };
                for (bid, _) in read.children {
                    self.low.progress.check()?;
                    if let Some(row) = self.table.find(bid).and_then(|at| self.table.row_mut(at)) {
                        row.lost = row.lost.saturating_add(1);
                    }
                }
            }
        }
        Ok(())
    }
}

fn named_as(role: Role) -> &'static str {
    match role {
        Role::Data => "named as a node's data",
        Role::Leaf { .. } => "named as a part of a node's data",
        Role::Branch { .. } => "named as a branch of a node's data",
        Role::Subnodes => "named as a node's subnodes",
        Role::SubnodeLeaf(_) => "named as a branch of a node's subnodes",
    }
}

/// Node types whose counters the header need not keep: their ids come from the folder's.
const WITHOUT_COUNTER: [NodeType; 3] = [NodeType::SEARCH_UPDATE_QUEUE, NodeType::SEARCH_CRITERIA, NodeType::SEARCH_CONTENTS_TABLE];

fn nids(low: &Low<'_>, highest: &Highest) {
    let types = (0_u8..).map(NodeType);
    for ((kind, told), found) in types.zip(low.header.nids).zip(highest.0) {
        if found > told && !WITHOUT_COUNTER.contains(&kind) {
            low.report.add(Code::HeaderNids, Place::FILE, format!("type {:#04x}: {told:#x}, the highest in use is {found:#x}", kind.0));
        }
    }
}
