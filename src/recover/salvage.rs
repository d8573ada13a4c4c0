//! Opening what the header or the trees no longer lead to: maps made from what stands in the file.
//!
//! The block map is made from the blocks' trailers. The node map is what still stands of the node B-tree; its holes are
//! filled with what other pages said, and what no page names any more is recognised by its content.

use std::sync::Arc;

use crate::damage::{Code, Error, Place, Result};
use crate::disk::ReadAt;
use crate::format::Format;
use crate::format::cipher::Cipher;
use crate::format::codec::{self, Word};
use crate::format::header::{Client, Header, MAGIC, Root};
use crate::format::id::{Bid, BlockRef, Ib, Nid};
use crate::format::page::PageKind;
use crate::ndb::{BTree, Maps, Ndb, Part, Parts};
use crate::progress::Progress;

use super::detect;
use super::history::{Filled, History};
use super::live::{Live, block_map};
use super::names;
use super::page::with_page;
use super::rebuild::{Known, rebuild};
use super::survey::{FoundBlock, FoundPage, Survey, survey};

/// Bytes for the caches of the database that a salvage reads with.
const CACHE_BYTES: usize = 8 << 20;

/// The maps of a store whose header is right and whose trees are damaged; `Damaged` where the data are not encoded as the
/// header tells.
pub(super) fn rescue(ndb: &Ndb, progress: &Progress) -> Result<Maps> {
    let _aside = progress.aside();
    let survey = survey(&**ndb.source(), ndb.format(), progress)?;
    if detect::cipher(&survey.blocks).is_some_and(|shown| shown != ndb.cipher()) {
        return Err(Error::Damaged(Code::HeaderCrypt, Place::FILE));
    }
    let parts = Parts { format: ndb.format(), header: ndb.header().clone(), cipher: ndb.cipher() };
    let reader = Ndb::from_maps(Arc::clone(ndb.source()), parts, Maps::default(), CACHE_BYTES)?;
    let maps = salvage(reader, survey, progress)?;
    tell(ndb, &maps);
    Ok(maps)
}

/// Opens a store whose header or roots cannot be relied on; `None` where the file holds no part of a store.
pub(super) fn open(source: &Arc<dyn ReadAt>, cache_bytes: usize, progress: &Progress) -> Result<Option<Ndb>> {
    let _aside = progress.aside();
    let Some(format) = detect::format(&**source, progress)? else { return Ok(None) };
    let survey = survey(&**source, format, progress)?;
    let Some(cipher) = detect::cipher(&survey.blocks) else { return Ok(None) };
    let parts = Parts { format, header: header(&**source, format, cipher)?, cipher };
    let reader = Ndb::from_maps(Arc::clone(source), parts.clone(), Maps::default(), CACHE_BYTES)?;
    let maps = salvage(reader, survey, progress)?;
    let ndb = Ndb::from_maps(Arc::clone(source), parts, maps, cache_bytes)?;
    if let Some(maps) = ndb.maps() {
        tell(&ndb, maps);
    }
    Ok(Some(ndb))
}

fn tell(ndb: &Ndb, maps: &Maps) {
    let detail = format!("{} blocks and {} nodes were found by searching the whole file", maps.blocks().len(), maps.nodes().len());
    ndb.notes().add(Code::MapsRebuilt, Place::FILE, detail);
}

/// The maps of a store by all that stands in its file; `reader` knows its format, cipher and header.
fn salvage(reader: Ndb, survey: Survey, progress: &Progress) -> Result<Maps> {
    progress.begin("Putting together what was found", 0)?;
    let stands = |entry: BlockRef| survey.copies(entry.bid).iter().any(|copy| copy.ib == entry.ib);
    let live = Live::read(&reader, root(&reader, &survey, BTree::Blocks, &stands)?)?;
    let is_live = |bid: Bid| live.is_live(bid, survey.copies(bid));
    let history = History::read(&reader, root(&reader, &survey, BTree::Nodes, &|block| is_live(block.bid))?, &survey)?;
    let Filled { nodes, stale, doubted, unsure, earlier } = history.fill(&is_live);
    let known = Known { nodes: history.nodes, filled: nodes, stale, doubted, unsure };
    let nodes = known.nodes.iter().chain(known.filled.iter()).copied();
    let maps = Maps::new(block_map(&survey, &live), nodes.collect());
    let parts = Parts { format: reader.format(), header: reader.header().clone(), cipher: reader.cipher() };
    let reader = Ndb::from_maps(Arc::clone(reader.source()), parts, maps, CACHE_BYTES)?;
    let rebuilt = if history.lost.is_empty() { None } else { Some(rebuild(&reader, &survey, &known, &live, progress)?) };
    let nodes = rebuilt.as_deref().or(reader.maps().map(Maps::nodes)).unwrap_or_default();
    let names = names::earlier(&reader, &survey, nodes.iter().find(|node| node.nid.nid == Nid::NAME_MAP))?;
    let maps = reader.into_maps();
    Ok(match rebuilt {
        Some(nodes) => maps.with_nodes(nodes),
        None => maps,
    }
    .with_names(names)
    .with_earlier(earlier))
}

/// The root of a tree: the one that the header names, or the newest that leads to all that is newer than others.
///
/// Where the newest of all is gone, what is the newest now is a state of long ago: it names blocks that are no more.
fn root(ndb: &Ndb, survey: &Survey, tree: BTree, is_there: &dyn Fn(BlockRef) -> bool) -> Result<BlockRef> {
    let told = ndb.root(tree);
    let kind = match tree {
        BTree::Nodes => PageKind::NODES,
        BTree::Blocks => PageKind::BLOCKS,
    };
    let mut lost = false;
    ndb.visit_standing(tree, told, &mut |part| lost |= matches!(part, Part::Lost(..)))?;
    if !lost {
        return Ok(told);
    }
    let sound = || survey.pages.iter().filter(|page| page.kind == kind && page.crc_ok && page.signature_ok);
    let top = sound().max_by_key(|page| (page.level, page.bid));
    let newest = sound().map(|page| page.bid).max();
    // What the header names counts only where it stands.
    let standing = survey.pages.iter().find(|page| page.ib == told.ib && page.bid == told.bid).map(|page| page.bid);
    // Every change writes the pages above it anew: a root that is the newest page leads to the newest of all.
    let top = top.filter(|page| Some(page.bid) == newest && Some(page.bid) > standing);
    // Old roots begin with the same key; where others of the level do not, the page above them all is lost.
    let Some(top) = top else { return Ok(told) };
    let first = first_key(ndb, top)?;
    for page in sound().filter(|page| page.level == top.level) {
        // A page without entries is the root of a store that was made a moment before.
        if first_key(ndb, page)?.is_some_and(|key| Some(key) != first) {
            return Ok(told);
        }
    }
    let root = BlockRef { bid: top.bid, ib: top.ib };
    let Some(last) = last_named(ndb, tree, root, is_there)? else { return Ok(told) };
    // Whatever was written after it, it is a state of long ago: what is newer would be taken for free.
    let is_known = |block: &&FoundBlock| tree == BTree::Blocks || block.heap(ndb.cipher()).is_some();
    let newer = survey.blocks.iter().rev().filter(|block| block.is_whole).find(is_known).is_some_and(|block| block.bid.key() > last);
    Ok(if newer { told } else { root })
}

/// The highest block that a tree names, where all that it names are of this kind.
fn last_named(ndb: &Ndb, tree: BTree, root: BlockRef, wanted: &dyn Fn(BlockRef) -> bool) -> Result<Option<Bid>> {
    let (mut only, mut last) = (true, Bid::NONE);
    let mut see = |block: BlockRef| {
        only &= block.bid.is_none() || wanted(block);
        last = last.max(block.bid.key());
    };
    ndb.visit_standing(tree, root, &mut |part| match part {
        Part::Lost(..) => {}
        Part::Blocks(entries) => entries.iter().for_each(|entry| see(entry.block)),
        Part::Nodes(entries) => {
            let named = entries.iter().flat_map(|entry| [entry.data, entry.subnodes]);
            named.for_each(|bid| see(BlockRef { bid, ib: Ib::default() }));
        }
    })?;
    Ok(only.then_some(last))
}

/// The first key of a page.
fn first_key(ndb: &Ndb, page: &FoundPage) -> Result<Option<Word>> {
    Ok(with_page(ndb, page.ib, |body| body.entries::<Word>().next())?.flatten())
}

/// The header as far as it makes sense in this format, with roots and method that say nothing where it does not.
fn header(source: &dyn ReadAt, format: Format, cipher: Cipher) -> Result<Header> {
    let len = usize::try_from(source.len()?).unwrap_or(usize::MAX).min(Header::BYTES_MAX);
    let mut bytes = vec![0; len];
    source.read_exact_at(&mut bytes, 0)?;
    let bytes = Header::righted(&bytes).map_or(bytes, |(_, righted)| righted);
    let stored = codec::decode::<Header>(format, &bytes).ok();
    let known = [Client::PST, Client::OST, Client::PAB];
    // The magic number is in no checksum: one that matches is as good a proof.
    let is_header = |header: &Header| header.magic == MAGIC || header.faults(format, &bytes).crc_partial.is_none();
    let stored = stored.filter(|header| is_header(header) && known.contains(&header.client));
    let mut header = match stored {
        Some(header) => header,
        None => made_up(format, source.len()?),
    };
    header.version = match Format::of_version(header.version) {
        Some(of) if of == format => header.version,
        _ => match format {
            Format::Ansi => 14,
            Format::Unicode => 23,
            Format::Unicode4k => 36,
        },
    };
    header.crypt_method = cipher.method();
    Ok(header)
}

/// A header that names nothing.
fn made_up(format: Format, file_bytes: u64) -> Header {
    let nowhere = BlockRef::default();
    // Nothing but an OST has pages of 4 KiB.
    let client = if format == Format::Unicode4k { Client::OST } else { Client::PST };
    let root = Root {
        reserved: 0,
        file_eof: Ib(file_bytes),
        amap_last: Ib(0),
        amap_free: Ib(0),
        pmap_free: Ib(0),
        nodes: nowhere,
        blocks: nowhere,
        // Not known; the maps' own CRCs tell whether they can be relied on.
        amap_valid: 2,
        reserved_byte: 0,
        reserved_word: 0,
    };
    Header {
        magic: MAGIC,
        crc_partial: 0,
        client,
        version: 0,
        version_client: 0,
        platform_create: 0,
        platform_access: 0,
        reserved1: 0,
        reserved2: 0,
        bid_unused: 0,
        next_block: Bid::NONE,
        next_page: Bid::NONE,
        unique: 0,
        nids: [0; 32],
        unused: 0,
        root,
        align: 0,
        fmap: [0; 128],
        fpmap: [0; 128],
        sentinel: 0,
        crypt_method: 0,
        reserved3: [0; 2],
        crc_full: 0,
        tail: Vec::new(),
    }
}
