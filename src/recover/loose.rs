//! Blocks that no other block names and no known node: the roots of nodes that are lost.

use crate::damage::{Result, survived};
use crate::disk::Spill;
use crate::format::block::{DataTreeBlock, SubnodeBlock};
use crate::format::btree::NodeEntry;
use crate::format::heap::HeapClient;
use crate::format::id::{Bid, Nid, NodeType};
use crate::ltp::Table;
use crate::ltp::value::Value;
use crate::ndb::Ndb;
use crate::progress::Progress;
use crate::store::tags;

use super::lists::Span;
use super::object::{Object, cell, names_digest};
use super::survey::Survey;

/// The roots of lost nodes: objects, and the subnode trees that belong to them.
#[derive(Debug, Default)]
pub(super) struct Loose {
    /// Those of many blocks first.
    pub(super) objects: Spill<Object>,
    /// What they name.
    pub(super) needs: Spill<Nid>,
    /// By the ids of their roots.
    pub(super) subnodes: Spill<Subnodes>,
    /// Their large values.
    pub(super) values: Spill<Nid>,
    /// Data of known nodes that blocks name too, ascending.
    pub(super) named_inside: Spill<Bid>,
}

/// A subnode tree that no block names. There may be millions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subnodes {
    pub(super) root: Bid,
    /// Whether it belongs to a known node; other states of that node may share it.
    pub(super) is_claimed: bool,
    /// Large values: each is named by the object that the tree belongs to.
    pub(super) values: Span,
    pub(super) has_attachments: bool,
    /// Whether it is of a kind that only tables have.
    pub(super) is_tables: bool,
    /// A digest of the recipients' names as PidTagDisplayTo has them, where there is a table of them.
    pub(super) display_to: Option<u32>,
    /// Bytes of all data below.
    pub(super) bytes: u64,
}

/// The subnodes in which contents tables of 4K stores keep columns.
const COLUMN_HEAPS: [Nid; 2] = [Nid(0x541), Nid(0x521)];
/// How deep subnodes in subnodes are counted: attachments, messages in them, theirs.
const DEPTH_MAX: u8 = 8;
/// How many recipients of one message are read: enough to know it.
const RECIPIENTS_MAX: u32 = 2000;

/// The roots among blocks.
#[derive(Default)]
struct Roots {
    /// Ids that inner blocks or known nodes name, ascending once all are there.
    named: Spill<Bid>,
    data_trees: Spill<Bid>,
    subnode_trees: Spill<Bid>,
}

impl Loose {
    /// Looks at every block in use: `reader` has the block map. Nodes that `is_stale` may have later states.
    pub(super) fn find<'n>(
        reader: &Ndb,
        survey: &Survey,
        is_stale: impl Fn(Nid) -> bool,
        known: impl Iterator<Item = &'n NodeEntry> + Clone,
        is_live: &dyn Fn(Bid) -> bool,
        progress: &Progress,
    ) -> Result<Self> {
        let places = reader.maps().map(crate::ndb::Maps::blocks).unwrap_or_default();
        progress.begin("Putting together what was found", places.iter().map(|place| u64::from(place.size)).sum())?;
        let mut roots = Roots::default();
        for place in places.iter().filter(|place| place.bid.is_internal() && is_live(place.bid)) {
            progress.add(place.size.into())?;
            roots.take(reader, place.bid)?;
        }
        roots.named.settle();
        let data = known.clone().map(|node| node.data.key());
        let mut loose = Self { named_inside: data.filter(|bid| !roots.free(*bid)).collect(), ..Self::default() };
        loose.named_inside.settle();
        roots.named.extend(known.clone().flat_map(|node| [node.data.key(), node.subnodes.key()]));
        roots.named.settle();
        loose.take_data_trees(reader, survey, &roots)?;
        for place in places.iter().filter(|place| !place.bid.is_internal()) {
            progress.add(place.size.into())?;
            if let Some(client) = heap_of(reader, survey, place.bid)
                && roots.free(place.bid)
                && is_live(place.bid)
            {
                loose.take(reader, place.bid, client)?;
            }
        }
        for root in roots.subnode_trees.iter().filter(|root| roots.free(**root)) {
            loose.subnodes.extend(Subnodes::read(reader, *root, &mut loose.values)?);
        }
        let claimed = known.filter(|node| !node.subnodes.is_none()).map(|node| (node.subnodes.key(), is_stale(node.nid.nid)));
        let mut claimed: Spill<(Bid, bool)> = claimed.collect();
        claimed.settle();
        loose.take_claimed(reader, &claimed)?;
        loose.subnodes.sort_unstable_by_key(|tree| tree.root.key());
        Ok(loose)
    }

    /// Takes objects whose data fill more than a block.
    fn take_data_trees(&mut self, reader: &Ndb, survey: &Survey, roots: &Roots) -> Result<()> {
        for root in roots.data_trees.iter().filter(|root| roots.free(**root)) {
            let data = survived(reader.data(*root))?;
            let first = data.and_then(|data| Some(data.leaves().first()?.bid));
            if let Some(client) = first.and_then(|first| heap_of(reader, survey, first)) {
                self.take(reader, *root, client)?;
            }
        }
        Ok(())
    }

    /// Takes in trees of known nodes that later states of these may share, and that hold what an object names and no other
    /// tree has.
    fn take_claimed(&mut self, reader: &Ndb, claimed: &[(Bid, bool)]) -> Result<()> {
        let (mut wanted, mut held): (Spill<Nid>, Spill<Nid>) =
            (self.needs.iter().copied().collect(), self.values.iter().copied().collect());
        wanted.settle();
        held.settle();
        wanted.retain(|_, nid| held.binary_search(nid).is_err());
        for (root, is_stale) in claimed.iter().filter(|(_, is_stale)| *is_stale || !wanted.is_empty()) {
            let entries = survived(reader.subnodes(*root))?.unwrap_or_default();
            if *is_stale || entries.iter().any(|entry| wanted.binary_search(&entry.nid.nid).is_ok()) {
                let tree = Subnodes::read(reader, *root, &mut self.values)?;
                self.subnodes.extend(tree.map(|tree| Subnodes { is_claimed: true, ..tree }));
            }
        }
        Ok(())
    }

    fn take(&mut self, reader: &Ndb, root: Bid, client: HeapClient) -> Result<()> {
        self.objects.extend(Object::read(reader, root, client, &mut self.needs)?);
        Ok(())
    }
}

fn heap_of(reader: &Ndb, survey: &Survey, bid: Bid) -> Option<HeapClient> {
    survey.copies(bid).iter().find(|copy| copy.is_whole)?.heap(reader.cipher())
}

impl Roots {
    /// Takes in what an inner block names.
    fn take(&mut self, reader: &Ndb, bid: Bid) -> Result<()> {
        let block = match reader.block(bid) {
            Ok(block) => block,
            Err(error) if error.is_io() => return Err(error),
            Err(_) => return Ok(()),
        };
        if let Ok(tree) = DataTreeBlock::decode(reader.format(), &block.data) {
            self.named.extend(tree.children.iter().map(|child| child.key()));
            self.data_trees.push(bid);
        }
        match SubnodeBlock::decode(reader.format(), &block.data) {
            Ok(SubnodeBlock::Leaf(entries)) => self.named.extend(entries.iter().flat_map(|entry| [entry.data.key(), entry.subnodes.key()])),
            Ok(SubnodeBlock::Branch(branches)) => self.named.extend(branches.iter().map(|branch| branch.child.key())),
            Err(_) => return Ok(()),
        }
        self.subnode_trees.push(bid);
        Ok(())
    }

    fn free(&self, bid: Bid) -> bool {
        self.named.binary_search(&bid.key()).is_err()
    }
}

impl Subnodes {
    fn read(reader: &Ndb, root: Bid, values: &mut Spill<Nid>) -> Result<Option<Self>> {
        let entries = match reader.subnodes(root) {
            Ok(entries) => entries,
            Err(error) if error.is_io() => return Err(error),
            Err(_) => return Ok(None),
        };
        let of_kind = |kind: NodeType| entries.iter().map(|entry| entry.nid.nid).filter(move |nid| nid.kind() == kind);
        let recipients = entries.iter().find(|entry| entry.nid.nid == Nid::RECIPIENT_TABLE);
        let display_to = match recipients {
            Some(table) => display_to(reader, table.data, table.subnodes)?,
            None => None,
        };
        let bytes = bytes_below(reader, root, DEPTH_MAX)?;
        Ok(Some(Self {
            root,
            is_claimed: false,
            values: Span::put(values, &of_kind(NodeType::LTP).collect::<Vec<_>>()),
            has_attachments: of_kind(NodeType::ATTACHMENT).next().is_some(),
            is_tables: entries.iter().any(|entry| COLUMN_HEAPS.contains(&entry.nid.nid)),
            display_to,
            bytes,
        }))
    }
}

/// The bytes of all data in a subnode tree.
fn bytes_below(reader: &Ndb, root: Bid, depth: u8) -> Result<u64> {
    let Some(below) = depth.checked_sub(1) else { return Ok(0) };
    let mut bytes = 0_u64;
    for entry in survived(reader.subnodes(root))?.unwrap_or_default() {
        bytes = bytes.saturating_add(survived(reader.data(entry.data))?.map_or(0, |data| data.len()));
        if !entry.subnodes.is_none() {
            bytes = bytes.saturating_add(bytes_below(reader, entry.subnodes, below)?);
        }
    }
    Ok(bytes)
}

/// What a message with these recipients says of them in PidTagDisplayTo ([MS-OXOMSG] 2.2.1.9), digested.
fn display_to(reader: &Ndb, data: Bid, subnodes: Bid) -> Result<Option<u32>> {
    let Some(table) = survived(Table::open(reader, Nid::RECIPIENT_TABLE, data, subnodes))? else { return Ok(None) };
    let mut names: Vec<Vec<u8>> = Vec::new();
    let mut wide = false;
    for (id, number) in table.row_numbers()?.into_iter().filter(|(_, number)| *number < RECIPIENTS_MAX) {
        let Some(row) = table.row_of(id, number)? else { continue };
        if !matches!(cell(&table, &row, tags::RECIPIENT_TYPE)?, Some(Value::I32(kind)) if kind & 0xf == 1) {
            continue;
        }
        match cell(&table, &row, tags::DISPLAY_NAME)? {
            Some(Value::Unicode(name)) => {
                wide = true;
                names.push(name.into_bytes());
            }
            Some(Value::String8(name)) => names.push(name),
            _ => names.push(Vec::new()),
        }
    }
    let joined = names.join(&b"; "[..]);
    let value = if wide { Value::Unicode(String::from_utf8_lossy(&joined).into_owned()) } else { Value::String8(joined) };
    Ok(names_digest(&value))
}
