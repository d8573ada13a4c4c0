//! The lower half of a repair: header, maps, both B-trees, blocks and the trees of blocks below nodes.
//!
//! [`plan`] decides, [`apply`] puts it into the transaction, before anything is changed above. Blocks are not changed in
//! place: one that is damaged is written anew elsewhere, under its id. Where the B-trees cannot be built on, both are
//! written anew from what the store was opened with, and with them all maps; see [`crate::ndb::write::Transaction`].

mod blocks;
mod census;
mod doubt;
mod header;
mod inner;
mod pack;
mod recipients;
mod step;
mod streams;
mod subnodes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::damage::{Code, Finding, Result, Severity};
use crate::disk::{Arena, Piece};
use crate::format::btree::{BlockEntry, NodeEntry};
use crate::format::header::Header;
use crate::format::id::{Bid, Nid, NodeType};
use crate::ndb::Ndb;
use crate::ndb::write::{Rebuild, Transaction};
use crate::repair::plan::Options;
use crate::store::Store;
use blocks::{Blocks, Look};
use census::Census;

pub use blocks::Source;
pub use census::Mend;
pub(super) use doubt::{Doubt, Doubts};
pub use step::{LowDeed, LowStep};

/// What the lower half of a repair changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LowPlan {
    /// The changes in words, in the order of the format's layers.
    pub steps: Vec<LowStep>,
    rebuild: Rebuild,
    header: Option<Box<Header>>,
    /// Blocks to write with plain data, and how often each is named.
    blocks: BTreeMap<Bid, (Piece, u16)>,
    /// Their data.
    data: Arc<Arena>,
    /// Blocks that stay, under another count.
    counted: Vec<BlockEntry>,
    /// Those of the blocks to write that the block B-tree does not have.
    revived: BTreeSet<Bid>,
    /// Those of the blocks to write that are compressed.
    packed: BTreeSet<Bid>,
    unused: Vec<Bid>,
    entries: Vec<NodeEntry>,
    /// What may not hold what was there, though it looks whole from now on.
    pub(super) doubts: Doubts,
}

/// What findings ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Need {
    rebuild: Rebuild,
    header: bool,
    blocks: bool,
}

impl LowPlan {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Nodes that lose something of what lies in them, or hold something that may be wrong.
    pub fn struck(&self) -> BTreeSet<Nid> {
        self.torn().into_iter().chain(self.doubts.nodes.iter().copied()).collect()
    }

    /// Nodes that lose something of what lies in them.
    pub fn torn(&self) -> BTreeSet<Nid> {
        let torn = |step: &LowStep| match step.deed {
            LowDeed::Block(_, nid, Mend::Cut | Mend::Recipients) => Some(nid),
            _ => None,
        };
        self.steps.iter().filter_map(torn).collect()
    }
}

/// Works out what to change below the nodes, without changing anything.
///
/// Oddities that healthy stores have too ask for nothing by themselves; they are put right where something else does.
///
/// Where all is to be rewritten, trees, maps and header are made anew whatever was found.
pub fn plan(store: &Store, findings: &[Finding], options: Options) -> Result<LowPlan> {
    let ndb = store.ndb();
    let mut need = Need::of(ndb, findings, options);
    if options.rewrite {
        need = Need { rebuild: Rebuild::Trees, header: true, blocks: true };
    }
    let by_maps = ndb.maps().is_some();
    let mut plan = LowPlan::default();
    let missing = missing(ndb, findings)?;
    if need.header || need.blocks || need.rebuild == Rebuild::Trees || !missing.is_empty() {
        let blocks = Blocks::read(ndb, findings, need.rebuild == Rebuild::Trees)?;
        if need == Need::default() && !any_earlier(&blocks, &missing)? {
            return Ok(plan);
        }
        let mut census = Census::take(ndb, blocks, header::counters_of(ndb.header()), &missing)?;
        census.part_overlaps()?;
        if !by_maps && ndb.maps().is_some() {
            // Something could not be read, and from now on maps of the whole file answer: what was counted so far was not
            // all from one source. It happens once.
            return self::plan(store, findings, options);
        }
        if census.reshaped {
            need.rebuild = Rebuild::Trees;
        }
        if need.header || census.next.is_some() || need.rebuild == Rebuild::Trees {
            let found = |code| findings.iter().any(|finding| finding.code == code);
            plan.header = Some(Box::new(header::mended(ndb, &census, &found)?));
        }
        plan.rebuild = need.rebuild;
        plan.take(census)?;
        if !plan.revived.is_empty() && need.rebuild == Rebuild::Nothing {
            // Where such a block stood nothing is any more, whatever the maps say of the place.
            need.rebuild = Rebuild::Maps;
        }
    }
    plan.rebuild = need.rebuild;
    plan.steps.extend(step::whole(&plan));
    step::explain(&mut plan.steps, findings);
    Ok(plan)
}

/// Messages that are nowhere, and the folders whose tables list them.
fn missing(ndb: &Ndb, findings: &[Finding]) -> Result<BTreeMap<Nid, Nid>> {
    let mut missing = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.code == Code::MessageRow) {
        let (Some(table), Some(row)) = (finding.place.nid, finding.place.row.map(Nid)) else { continue };
        if row.kind() == NodeType::MESSAGE && ndb.node(row)?.is_none() {
            missing.entry(row).or_insert_with(|| Nid(table).with_kind(NodeType::FOLDER));
        }
    }
    Ok(missing)
}

fn any_earlier(blocks: &Blocks<'_>, missing: &BTreeMap<Nid, Nid>) -> Result<bool> {
    for nid in missing.keys() {
        if blocks.earlier(*nid)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Puts a plan into a transaction of the store that it was made for, as its first changes.
pub fn apply(transaction: &mut Transaction<'_>, plan: &LowPlan) -> Result<()> {
    transaction.rebuild(plan.rebuild, plan.header.as_deref().cloned());
    plan.counted.iter().for_each(|entry| transaction.put_block_entry(*entry));
    for (bid, (piece, named)) in &plan.blocks {
        let data = plan.data.get(*piece);
        if plan.rebuild == Rebuild::Trees {
            transaction.restore_block(*bid, data, *named);
        } else if plan.revived.contains(bid) {
            transaction.revive_block(*bid, data, *named);
        } else {
            transaction.rewrite_block(*bid, data)?;
            transaction.set_references(*bid, named.saturating_add(1))?;
        }
    }
    plan.packed.iter().for_each(|bid| transaction.pack_block(*bid));
    plan.unused.iter().for_each(|bid| transaction.forget_block(*bid));
    for entry in &plan.entries {
        if entry.nid.nid == Nid::default() && entry.data.is_none() && entry.subnodes.is_none() {
            transaction.remove_entry(entry.nid.nid);
        } else {
            transaction.put_entry(*entry);
        }
    }
    Ok(())
}

impl LowPlan {
    /// What a census found, counted.
    fn take(&mut self, mut census: Census<'_>) -> Result<()> {
        let lost = if self.rebuild == Rebuild::Trees { None } else { Some(census.lost_counts()?) };
        let mut before = None;
        let mut loose = Vec::new();
        for (at, entry) in census.blocks.entries().iter().enumerate() {
            let key = entry.block.bid.key();
            if before.replace(key) == Some(key) || census.written.contains_key(&key) {
                continue;
            }
            let named = census.count_at(at);
            let least = named.saturating_add(1);
            match &lost {
                None if named == 0 => self.unused.push(key),
                // Blocks that nothing names are left for recovery as long as their tree is.
                Some(_) if named == 0 && !census.blocks.is_suspect(key) => {}
                Some(_) if named == 0 => match census.blocks.look(key)? {
                    Look::Sound(_) => {}
                    Look::Anew(data, source) => loose.push((key, data, source)),
                    Look::Lost => self.unused.push(key),
                },
                None if entry.references == least => {}
                Some(lost) if (least..=least.saturating_add(lost.get(&key).copied().unwrap_or(0))).contains(&entry.references) => {}
                _ => self.counted.push(BlockEntry { references: least, ..*entry }),
            }
        }
        for (bid, data, source) in loose {
            self.blocks.insert(bid, (census.data.put(&data), 0));
            census.mends.insert((bid, Mend::Anew(source)), Nid::default());
        }
        self.steps.extend(step::mends(&census.mends));
        self.steps.extend(step::entries(&census.entries, &census.back));
        self.revived = census.written.keys().copied().filter(|bid| census.blocks.find(*bid).is_none()).collect();
        let named: Vec<u16> = census.written.keys().map(|bid| census.count_of(*bid)).collect();
        for ((bid, data), named) in census.written.into_iter().zip(named) {
            // What nothing names in the end need not be written.
            if named > 0 {
                self.blocks.insert(bid, (data, named));
            } else if self.rebuild == Rebuild::Trees {
                self.unused.push(bid);
            }
        }
        self.data = Arc::new(census.data);
        self.packed = census.packed;
        self.entries = census.entries;
        self.doubts = census.doubts;
        Ok(())
    }
}

impl Need {
    fn of(ndb: &Ndb, findings: &[Finding], options: Options) -> Self {
        let mut need = Self::default();
        // What is an oddity only here, such as a node of a type that is not known, is never an error that could be mended.
        let is_oddity = |finding: &Finding| options.thorough && finding.code.severity() == Severity::Note;
        for finding in findings.iter().filter(|finding| finding.severity > Severity::Note || is_oddity(finding)) {
            need.add(finding.code);
        }
        // Maps answer in place of trees that cannot be built on.
        let low = need != Self::default();
        if ndb.maps().is_some() && (low || findings.iter().any(|finding| finding.severity > Severity::Note)) {
            need.rebuild = Rebuild::Trees;
        }
        need
    }

    fn add(&mut self, code: Code) {
        use Code::{
            AllocationMap, AllocationMapSelf, BlockBid, BlockCrc, BlockCrosses, BlockCycle, BlockEntry, BlockInflate, BlockKind,
            BlockLength, BlockMissing, BlockPlace, BlockReferences, BlockSignature, BlockSize, DataGaps, DataTotal, DataTree, DensityList,
            FreeMap, HeaderAmapFree, HeaderAmapLast, HeaderClient, HeaderCrcFull, HeaderCrcPartial, HeaderCrypt, HeaderDirty, HeaderEof,
            HeaderFreeMaps, HeaderMagic, HeaderNextBlock, HeaderNextPage, HeaderNids, HeaderParts, HeaderPmapFree, HeaderReserved,
            HeaderRoot, HeaderRootBid, HeaderUnique, HeaderVersion, MapsRebuilt, NodeBlocks, NodeEntry, NotAllocated, PageBid,
            PageBidTwice, PageCrc, PageEntries, PageFirstKey, PageLevel, PageMap, PageOrder, PageOverlap, PagePlace, PageSignature,
            PageTwice, PageUnreadable, SubnodeOrder, SubnodeTree, TwoOwners,
        };
        match code {
            HeaderMagic | HeaderClient | HeaderVersion | HeaderCrcPartial | HeaderCrcFull | HeaderCrypt | HeaderNextBlock
            | HeaderNextPage | HeaderNids | HeaderReserved | HeaderUnique | HeaderFreeMaps => self.header = true,
            HeaderPmapFree | DensityList | HeaderAmapLast | HeaderAmapFree | HeaderDirty | AllocationMap | AllocationMapSelf
            | NotAllocated | PageMap | FreeMap => {
                self.rebuild = self.rebuild.max(Rebuild::Maps);
            }
            BlockSize | BlockBid | BlockSignature | BlockCrc | BlockInflate | BlockKind | DataTree | DataTotal | DataGaps | SubnodeTree
            | SubnodeOrder | BlockCycle | BlockMissing | BlockReferences | NodeBlocks => self.blocks = true,
            HeaderEof | HeaderParts | HeaderRoot | HeaderRootBid | MapsRebuilt | PageUnreadable | PageCrc | PageSignature | PageBid
            | PageEntries | PageLevel | PageOrder | PageFirstKey | PageOverlap | PageTwice | PageBidTwice | PagePlace | TwoOwners
            | BlockEntry | BlockPlace | BlockLength | BlockCrosses | NodeEntry => self.rebuild = Rebuild::Trees,
            // All others are about what stands in the nodes, or ask for nothing by themselves.
            _ => {}
        }
    }
}
