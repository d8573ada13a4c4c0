//! All blocks that the trees name, which of them are whole, and where else those can be had that are not.
//!
//! Ids are never given out twice, so whatever verifies under an id is that block, wherever it stands ([MS-PST] 2.6.1).

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::damage::{Code, Error, Finding, Result, survived};
use crate::format::Format;
use crate::format::amap;
use crate::format::block::{BlockTrailer, DataTreeBlock, SubnodeBlock};
use crate::format::btree::BlockEntry;
use crate::format::checksum;
use crate::format::codec::{self, Field};
use crate::format::id::{Bid, BlockRef, Ib, Nid};
use crate::ndb::{self, BlockCrc, Ndb};
use crate::progress::Progress;
use crate::recover::earlier_states;
use crate::recover::survey::{FoundBlock, Survey, survey};
use crate::store::item::NodeRef;

/// A counter that is further above all that stands in the file was not counted up to there.
pub(super) const COUNTER_LEAP: u64 = 1 << 26;

/// What is known of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It is as it must be; bytes of its data.
    Sound(u64),
    /// It has to be written anew, with these data.
    Anew(Vec<u8>, Source),
    /// Nothing of it is left.
    Lost,
}

/// Where the data of a block come from that is written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// From where the tree has it: they are whole, its place or trailer is not.
    Itself,
    /// From a whole copy at this offset.
    Copy(Ib),
    /// From where the tree has it, as they read: they may be damaged.
    AsRead,
}

/// The block B-tree's entries, and what the scan found wrong with them.
pub(super) struct Blocks<'a> {
    ndb: &'a Ndb,
    /// By id; those of one id in the order of the tree.
    entries: Vec<BlockEntry>,
    suspects: BTreeMap<Bid, BTreeSet<Code>>,
    /// Whether nothing is believed that was not found by its own trailer.
    distrust: bool,
    survey: OnceCell<Survey>,
    earlier: OnceCell<BTreeMap<Nid, Vec<NodeRef>>>,
}

impl<'a> Blocks<'a> {
    /// Reads the block B-tree. With `distrust` every block is checked, else those that findings name.
    pub(super) fn read(ndb: &'a Ndb, findings: &[Finding], distrust: bool) -> Result<Self> {
        let mut entries = Vec::new();
        ndb.visit_blocks(&mut |entry| {
            entries.push(*entry);
            true
        })?;
        entries.sort_by_key(|entry| entry.block.bid.key());
        let mut suspects: BTreeMap<Bid, BTreeSet<Code>> = BTreeMap::new();
        for finding in findings.iter().filter(|finding| is_doubt(finding.code)) {
            if let Some(bid) = finding.place.bid {
                suspects.entry(Bid(bid).key()).or_default().insert(finding.code);
            }
        }
        Ok(Self { ndb, entries, suspects, distrust, survey: OnceCell::new(), earlier: OnceCell::new() })
    }

    /// The entries by id.
    pub(super) fn entries(&self) -> &[BlockEntry] {
        &self.entries
    }

    /// Where the entries of this id begin; `None` where there are none.
    pub(super) fn find(&self, bid: Bid) -> Option<usize> {
        let at = self.entries.partition_point(|entry| entry.block.bid.key() < bid.key());
        self.entries.get(at).filter(|entry| entry.block.bid.key() == bid.key()).map(|_| at)
    }

    fn of(&self, bid: Bid) -> &[BlockEntry] {
        let rest = self.find(bid).and_then(|at| self.entries.get(at..)).unwrap_or_default();
        rest.get(..rest.partition_point(|entry| entry.block.bid.key() == bid.key())).unwrap_or_default()
    }

    /// All that stands in the file; the first to ask waits for the search.
    pub(super) fn survey(&self) -> Result<&Survey> {
        if let Some(found) = self.survey.get() {
            return Ok(found);
        }
        let found = survey(&**self.ndb.source(), self.ndb.format(), &Progress::default())?;
        Ok(self.survey.get_or_init(|| found))
    }

    /// The states that a message had before, of which some part must be there to be of use, the newest first.
    pub(super) fn earlier(&self, nid: Nid) -> Result<Option<NodeRef>> {
        let survey = self.survey()?;
        let all = match self.earlier.get() {
            Some(all) => all,
            None => {
                let read = earlier_states(self.ndb, survey)?;
                self.earlier.get_or_init(|| read)
            }
        };
        let stands = |bid: Bid| survey.copies(bid).iter().any(|copy| copy.is_whole);
        let states = || all.get(&nid).into_iter().flatten().filter(|state| stands(state.data));
        let whole = states().find(|state| state.subnodes.is_none() || stands(state.subnodes));
        Ok(whole.or_else(|| states().next()).copied())
    }

    /// The first id above all blocks that stand in the file, listed or not, and no lower than what the header tells.
    ///
    /// No CRC covers the id in a block's trailer. One that nothing names, far above all that something names, has a bit
    /// flipped: to go on from there would leave no store with ids of 32 bits, which is all that pst-extractor looks at.
    pub(super) fn next(&self) -> Result<Bid> {
        let highest = match self.highest_until(u64::MAX)? {
            highest if highest > COUNTER_LEAP => self.highest_until(self.highest_named()?.saturating_add(COUNTER_LEAP))?,
            highest => highest,
        };
        let above = (highest & !3).saturating_add(4);
        let told = self.ndb.header().next_block.0 & !3;
        Ok(Bid(if told.saturating_sub(above) > COUNTER_LEAP { above } else { told.max(above) }))
    }

    /// The highest id, up to this one, of a block that stands in the file.
    fn highest_until(&self, most: u64) -> Result<u64> {
        let listed = self.entries.iter().map(|entry| entry.block.bid.key().0);
        let found = self.survey()?.blocks.iter().filter(|block| block.is_whole).map(|block| block.bid.key().0);
        Ok(listed.chain(found).filter(|id| *id <= most).max().unwrap_or(0))
    }

    /// The highest id of a listed block that a node or an inner block names.
    fn highest_named(&self) -> Result<u64> {
        let mut highest = 0;
        let mut name = |bid: Bid| {
            if bid.key().0 > highest && self.find(bid).is_some() {
                highest = bid.key().0;
            }
        };
        self.ndb.visit_nodes(&mut |node| {
            [node.data, node.subnodes].into_iter().for_each(&mut name);
            true
        })?;
        for entry in self.entries.iter().filter(|entry| entry.block.bid.is_internal()) {
            let block = survived(self.ndb.block(entry.block.bid))?;
            let children = block.map(|block| children(self.ndb.format(), &block.data));
            children.into_iter().flatten().for_each(&mut name);
        }
        Ok(highest)
    }

    /// Whether the scan found something wrong with the block with this id.
    pub(super) fn is_suspect(&self, bid: Bid) -> bool {
        self.suspects.contains_key(&bid.key())
    }

    /// What is known of the block with this id.
    pub(super) fn look(&self, bid: Bid) -> Result<Look> {
        let entries = self.of(bid);
        if let [entry] = entries
            && entry.block.bid == bid.key()
            && self.can_stand(entry)
            && !self.is_suspect(bid)
            && (!self.distrust || self.was_found(entry)?)
        {
            return Ok(Look::Sound(entry.inflated.into()));
        }
        self.search(bid.key(), entries)
    }

    fn was_found(&self, entry: &BlockEntry) -> Result<bool> {
        let same =
            |copy: &FoundBlock| copy.is_right && copy.ib == entry.block.ib && copy.size == entry.size && copy.inflated == entry.inflated;
        Ok(self.survey()?.copies(entry.block.bid).iter().any(same))
    }

    /// The data of a block that cannot stay as it is: its own where they verify, else a copy's, else as they read.
    fn search(&self, bid: Bid, entries: &[BlockEntry]) -> Result<Look> {
        for entry in entries {
            if let Some(data) = self.whole(entry)? {
                return Ok(Look::Anew(data, Source::Itself));
            }
        }
        for copy in self.survey()?.copies(bid).iter().filter(|copy| copy.is_whole) {
            let block = BlockRef { bid, ib: copy.ib };
            let entry = BlockEntry { block, size: copy.size, inflated: copy.inflated, ..BlockEntry::default() };
            if let Some(data) = self.whole(&entry)? {
                let own = entries.iter().any(|entry| entry.block.ib == copy.ib);
                return Ok(Look::Anew(data, if own { Source::Itself } else { Source::Copy(copy.ib) }));
            }
        }
        if entries.is_empty() || self.is_anothers(bid, entries)? {
            return Ok(Look::Lost);
        }
        match self.ndb.block(bid) {
            Ok(block) if !block.data.is_empty() => Ok(Look::Anew(block.data.clone(), Source::AsRead)),
            Err(error) if error.is_io() => Err(error),
            Ok(_) => Ok(Look::Lost),
            Err(_) => self.plain_of_packed(entries),
        }
    }

    /// A block that is said to be compressed and is not: its bytes as they stand.
    fn plain_of_packed(&self, entries: &[BlockEntry]) -> Result<Look> {
        let Some(entry) = entries.iter().find(|entry| entry.size != entry.inflated) else { return Ok(Look::Lost) };
        let Some((stored, trailer)) = self.stored(entry)? else { return Ok(Look::Lost) };
        let data = stored.get(..entry.size.into()).filter(|data| is_right(entry.block, data, &trailer));
        Ok(data.map_or(Look::Lost, |data| Look::Anew(self.decoded(entry.block.bid, data.to_vec()), Source::Itself)))
    }

    /// Whether what stands in a block's place is another block that the tree has there, too.
    fn is_anothers(&self, bid: Bid, entries: &[BlockEntry]) -> Result<bool> {
        for entry in entries {
            if let Some((_, trailer)) = self.stored(entry)? {
                let others = self.of(trailer.bid);
                let is_own = trailer.bid.key() == bid || trailer.is_of(entry.block);
                if !is_own && others.iter().any(|other| other.block.ib == entry.block.ib) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The plain data of a block that stands where this entry says, its CRC and id right, with one bit turned back if need be.
    fn whole(&self, entry: &BlockEntry) -> Result<Option<Vec<u8>>> {
        let Some((stored, trailer)) = self.stored(entry)? else { return Ok(None) };
        let sizes = [entry.size, trailer.size].map(usize::from);
        let mut data = sizes.into_iter().filter_map(|size| stored.get(..size)).filter(|data| !data.is_empty());
        let righted = BlockCrc::of(&stored, entry, &trailer).flip().map(|flip| flip.righted(&stored));
        let right = data.find(|data| is_right(entry.block, data, &trailer));
        let righted = righted.as_deref().and_then(|stored| stored.get(..entry.size.into()));
        let Some(data) = right.or(righted) else { return Ok(None) };
        Ok(unpacked(data, [entry.inflated, trailer.inflated].map(usize::from)).map(|data| self.decoded(entry.block.bid, data)))
    }

    /// What stands where an entry says: all bytes, and what they end with as a trailer.
    fn stored(&self, entry: &BlockEntry) -> Result<Option<(Vec<u8>, BlockTrailer)>> {
        let (format, layout) = (self.ndb.format(), self.ndb.format().layout());
        let stored = entry.stored_bytes(format);
        let fits = entry.block.ib.checked_add(stored).is_some_and(|end| end.0 <= self.ndb.file_bytes());
        let Some(len) = usize::try_from(stored).ok().filter(|len| fits && *len <= layout.block_max_bytes) else { return Ok(None) };
        let mut bytes = vec![0; len];
        self.ndb.source().read_exact_at(&mut bytes, entry.block.ib.0).map_err(Error::Io)?;
        let trailer_at = len.saturating_sub(BlockTrailer::size(format));
        let trailer = codec::decode(format, bytes.get(trailer_at..).unwrap_or_default()).ok();
        Ok(trailer.map(|trailer| (bytes, trailer)))
    }

    fn decoded(&self, bid: Bid, mut data: Vec<u8>) -> Vec<u8> {
        if !bid.is_internal() {
            self.ndb.cipher().decode(&mut data, bid.key());
        }
        data
    }

    /// Whether a block may stand where its entry says: in the file, in one part of it, on no map.
    pub(super) fn can_stand(&self, entry: &BlockEntry) -> bool {
        let (format, layout) = (self.ndb.format(), self.ndb.format().layout());
        let (ib, bytes) = (entry.block.ib, entry.stored_bytes(format));
        let sizes = entry.size > 0 && entry.inflated > 0 && usize::from(entry.size.max(entry.inflated)) <= layout.data_max_bytes;
        let Some(end) = ib.checked_add(bytes).filter(|end| end.0 <= self.ndb.file_bytes()) else { return false };
        let part = amap::map_of(format, ib);
        let same_part = part == amap::map_of(format, Ib(end.0.saturating_sub(1)));
        let page = u64::try_from(layout.page_bytes).unwrap_or(u64::MAX);
        let on_map =
            part.into_iter().flat_map(|part| amap::pages_at(format, part).map(move |(behind, _)| (part, behind))).any(|(part, behind)| {
                let at = amap::map_offset(format, part).map_or(u64::MAX, |map| map.0.saturating_add(behind));
                at < end.0 && ib.0 < at.saturating_add(page)
            });
        sizes && ib.is_aligned(layout.unit_bytes) && part.is_some() && same_part && !on_map
    }
}

/// Codes that say of a block that it is not where or what its entry says.
fn is_doubt(code: Code) -> bool {
    use Code::{
        BlockBid, BlockCrc, BlockCrosses, BlockEntry, BlockInflate, BlockKind, BlockLength, BlockPlace, BlockSignature, BlockSize,
        HeadSpace, TwoOwners,
    };
    [
        BlockEntry,
        BlockPlace,
        BlockLength,
        BlockCrosses,
        BlockSize,
        BlockBid,
        BlockSignature,
        BlockCrc,
        BlockInflate,
        BlockKind,
        TwoOwners,
        HeadSpace,
    ]
    .contains(&code)
}

/// The blocks that an inner block names.
pub(super) fn children(format: Format, data: &[u8]) -> Vec<Bid> {
    if let Ok(block) = DataTreeBlock::decode(format, data) {
        return block.children;
    }
    match SubnodeBlock::decode(format, data) {
        Ok(SubnodeBlock::Leaf(entries)) => {
            entries.iter().flat_map(|entry| [entry.data, entry.subnodes]).filter(|bid| !bid.is_none()).collect()
        }
        Ok(SubnodeBlock::Branch(entries)) => entries.iter().map(|entry| entry.child).collect(),
        Err(_) => Vec::new(),
    }
}

fn is_right(block: BlockRef, data: &[u8], trailer: &BlockTrailer) -> bool {
    trailer.is_of(block) && !trailer.bid.is_none() && checksum::crc(data) == trailer.crc
}

/// Data inflated where they are compressed to one of these sizes, which only fewer bytes are; `None` where they are to none.
fn unpacked(data: &[u8], sizes: [usize; 2]) -> Option<Vec<u8>> {
    let packed = sizes.into_iter().filter(|size| *size > data.len());
    let inflated = packed.map(|size| (size, ndb::inflate(data, size))).find(|(size, inflated)| inflated.len() == *size);
    inflated.map(|(_, inflated)| inflated).or_else(|| sizes.contains(&data.len()).then(|| data.to_vec()))
}
