//! The header as it must be: what the store's own says where that makes sense, else what the file shows.

use super::blocks::COUNTER_LEAP;
use super::census::Census;
use crate::damage::{Code, Error, Result};
use crate::format::Format;
use crate::format::header::{Client, Header, MAGIC};
use crate::format::id::{Bid, NodeType};
use crate::ltp::Table;
use crate::ltp::value::Value;
use crate::ndb::Ndb;
use crate::ndb::write::Nids;

/// bSentinel in every header ([MS-PST] 2.2.2.6).
const SENTINEL: u8 = 0x80;
/// Version of the program that wrote it: in PSTs, and in OSTs.
const VERSION_CLIENT: [u16; 2] = [19, 12];
/// The column of a table that holds the version of its rows ([MS-PST] 2.3.4.4.1).
const ROW_VERSION: u16 = 0x67f3;
/// Node types that only offline stores have, one of each for every folder.
const OFFLINE: [NodeType; 2] = [NodeType(0x14), NodeType(0x15)];
/// Indexes of nodes have 27 bits.
const INDEX_END: u32 = 1 << 27;

/// The header of a store whose own is damaged, or whose counters are behind.
pub(super) fn mended(ndb: &Ndb, census: &Census<'_>, codes: &dyn Fn(Code) -> bool) -> Result<Header> {
    let mut header = ndb.header().clone();
    let is_made_up = is_made_up(&header);
    header.magic = MAGIC;
    if Format::of_version(header.version) != Some(ndb.format()) {
        header.version = match ndb.format() {
            Format::Ansi => 14,
            Format::Unicode => 23,
            Format::Unicode4k => 36,
        };
    }
    client(ndb, &mut header, is_made_up)?;
    fixed_fields(ndb, &mut header, is_made_up);
    header.crypt_method = ndb.cipher().method();
    counters(ndb, &mut header, census)?;
    if is_made_up || codes(Code::HeaderUnique) {
        header.unique = header.unique.max(highest_row_version(ndb)?);
    }
    Ok(header)
}

/// The counters of node ids to begin with; those of a damaged header may be anything.
pub(super) fn counters_of(header: &Header) -> Nids {
    let sensible = !is_made_up(header) && header.nids.iter().all(|index| *index < INDEX_END);
    if sensible { Nids::new(header.nids) } else { Nids::default() }
}

/// Whether no header could be read: every store has given out a page.
const fn is_made_up(header: &Header) -> bool {
    header.next_page.is_none() && header.sentinel != SENTINEL
}

/// PST or OST: what the header says where that is one of them, else what the nodes show.
fn client(ndb: &Ndb, header: &mut Header, is_made_up: bool) -> Result<()> {
    if !is_made_up && [Client::PST, Client::OST, Client::PAB].contains(&header.client) {
        return Ok(());
    }
    let mut offline = ndb.format() == Format::Unicode4k;
    ndb.visit_nodes(&mut |node| {
        offline |= OFFLINE.contains(&node.nid.nid.kind());
        !offline
    })?;
    let [pst, ost] = VERSION_CLIENT;
    offline |= header.version_client == ost;
    header.client = if offline { Client::OST } else { Client::PST };
    if is_made_up {
        header.version_client = if offline { ost } else { pst };
    }
    Ok(())
}

/// Fields that are the same in every store.
fn fixed_fields(ndb: &Ndb, header: &mut Header, is_made_up: bool) {
    if is_made_up {
        (header.platform_create, header.platform_access) = (1, 1);
    }
    (header.sentinel, header.reserved3, header.align) = (SENTINEL, [0; 2], 0);
    let zeros = header.zeros(ndb.format()).len();
    header.tail.iter_mut().take(zeros).for_each(|byte| *byte = 0);
    let nothing = if ndb.format() == Format::Unicode4k { 0 } else { 0xff };
    for map in [&mut header.fmap, &mut header.fpmap] {
        let says_nothing = map.iter().all(|byte| *byte == 0xff) || map.iter().all(|byte| *byte == 0);
        if is_made_up || !says_nothing {
            map.fill(nothing);
        }
    }
}

/// Above all that stands in the file, live or not: what was deleted keeps its ids for itself.
fn counters(ndb: &Ndb, header: &mut Header, census: &Census<'_>) -> Result<()> {
    let survey = census.blocks.survey()?;
    // What is named stays, and a block that is lost is written under its id, whatever that is.
    let entries = census.blocks.entries().iter().enumerate();
    let named = entries.filter(|(at, _)| census.count_at(*at) > 0).map(|(_, entry)| entry.block.bid);
    let kept = named.chain(census.written.keys().copied()).map(|bid| (bid.0 & !3).saturating_add(4)).max().unwrap_or(0);
    let above = census.blocks.next()?.0.max(kept);
    header.next_block = Bid(census.next.map_or(above, |next| next.0.max(above)));
    let pages = survey.pages.iter().filter(|page| page.crc_ok).map(|page| page.bid.0).max().unwrap_or(0).saturating_add(1);
    let told = header.next_page.0;
    header.next_page = Bid(if told.saturating_sub(pages) > COUNTER_LEAP { pages } else { told.max(pages) });
    header.nids = census.nids.counters();
    if ndb.format() == Format::Ansi && u32::try_from(header.next_block.0.max(header.next_page.0)).is_err() {
        return Err(Error::Unsupported("the store has no ids left".into()));
    }
    Ok(())
}

/// The highest version of a row in the folders' tables.
fn highest_row_version(ndb: &Ndb) -> Result<u32> {
    let mut tables = Vec::new();
    ndb.visit_nodes(&mut |node| {
        let kinds = [NodeType::HIERARCHY_TABLE, NodeType::CONTENTS_TABLE, NodeType::ASSOCIATED_TABLE];
        if kinds.contains(&node.nid.nid.kind()) {
            tables.push(*node);
        }
        true
    })?;
    let mut highest = 0;
    for node in tables {
        let Ok(table) = Table::open(ndb, node.nid.nid, node.data, node.subnodes) else { continue };
        let visited = table.visit_rows(&mut |row| {
            if let Ok(Some(Value::I32(version))) = table.cell(&row, ROW_VERSION) {
                highest = highest.max(u32::from_ne_bytes(version.to_ne_bytes()));
            }
        });
        match visited {
            Err(error) if error.is_io() => return Err(error),
            // What cannot be read has no version that anyone could read.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(highest)
}
