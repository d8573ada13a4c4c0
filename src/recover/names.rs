//! An earlier state of the map of named properties, for a store whose present one is damaged.
//!
//! The map only grows: a name keeps its id for ever ([MS-PST] 2.4.7). Outlook writes it anew with each new name, so that
//! earlier states of it stand in the file as those of messages do.

use std::collections::HashSet;

use crate::damage::Result;
use crate::format::btree::NodeEntry;
use crate::format::heap::HeapClient;
use crate::format::id::Nid;
use crate::format::page::PageKind;
use crate::ndb::Ndb;

use super::object::{Kind, Object};
use super::page::with_page;
use super::survey::Survey;

/// The newest earlier state that is whole; `None` too where the present one is.
pub(super) fn earlier(reader: &Ndb, survey: &Survey, present: Option<&NodeEntry>) -> Result<Option<NodeEntry>> {
    if let Some(present) = present
        && is_whole(reader, present)?
    {
        return Ok(None);
    }
    match told(reader, survey)? {
        None => unnamed(reader, survey),
        told => Ok(told),
    }
}

/// What pages said of its node, the newest first.
fn told(reader: &Ndb, survey: &Survey) -> Result<Option<NodeEntry>> {
    let mut seen = HashSet::new();
    for found in survey.pages.iter().rev().filter(|page| page.kind == PageKind::NODES && page.level == 0) {
        let entries = with_page(reader, found.ib, |body| {
            let entries = body.entries::<NodeEntry>().chain(body.slack::<NodeEntry>());
            entries.filter(|entry| entry.nid.nid == Nid::NAME_MAP).collect::<Vec<_>>()
        })?;
        for entry in entries.into_iter().flatten() {
            if seen.insert((entry.data, entry.subnodes)) && is_whole(reader, &entry)? {
                return Ok(Some(entry));
            }
        }
    }
    Ok(None)
}

/// One in a block that no page names any more: only such as need no other block.
fn unnamed(reader: &Ndb, survey: &Survey) -> Result<Option<NodeEntry>> {
    let is_heap = |client: Option<HeapClient>| client == Some(HeapClient::PROPERTIES);
    for block in survey.blocks.iter().rev().filter(|block| block.is_whole && is_heap(block.heap(reader.cipher()))) {
        let object = Object::read_properties(reader, block.bid)?;
        if object.is_some_and(|object| object.kind == Kind::Names && object.needs.is_empty()) {
            return Ok(Some(NodeEntry { nid: Nid::NAME_MAP.into(), data: block.bid, ..NodeEntry::default() }));
        }
    }
    Ok(None)
}

/// Whether all of a map is there, and is one.
fn is_whole(reader: &Ndb, node: &NodeEntry) -> Result<bool> {
    let is_map = Object::read_properties(reader, node.data)?.is_some_and(|object| object.kind == Kind::Names);
    Ok(is_map && reader.damaged_node(node.data, node.subnodes)? == 0)
}
