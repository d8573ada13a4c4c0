//! A node: where its data and subnodes lie, and what its heap holds.

use super::super::out::Stop;
use super::super::text;
use super::Trees;
use super::report::Report;
use super::value::node_kind;
use crate::damage::Error;
use crate::format::heap::{HeapClient, PageMap};
use crate::format::id::{Bid, Nid};
use crate::ltp::Heap;
use crate::ndb::Data;

/// Where a node's content lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// The node's id.
    pub(super) nid: Nid,
    /// Its data tree's root.
    pub(super) data: Bid,
    /// Its subnode tree's root.
    pub(super) subnodes: Bid,
    /// The folder above; `None` for a subnode.
    parent: Option<Nid>,
}

/// Finds a node, or a subnode by the path that leads to it.
pub(super) fn find(trees: &Trees<'_>, path: &[Nid]) -> Result<Found, Stop> {
    let Some((first, below)) = path.split_first() else { return Err(trees.source.failed("no node is named").into()) };
    let nothing = |nid: Nid, error: &Error| trees.nothing(&format!("no node {nid}"), error);
    let missing = |nid: Nid, whose: &str| Stop::from(trees.source.failed(format!("there is no node {nid} in {whose}")));
    let node = trees.ndb.node(*first).map_err(|error| nothing(*first, &error))?;
    let node = node.ok_or_else(|| missing(*first, "the node B-tree"))?;
    let mut found = Found { nid: *first, data: node.data, subnodes: node.subnodes, parent: Some(node.parent) };
    for nid in below {
        let subnode = trees.ndb.subnode(found.subnodes, *nid).map_err(|error| nothing(*nid, &error))?;
        let subnode = subnode.ok_or_else(|| missing(*nid, &format!("the subnodes of {}", found.nid)))?;
        found = Found { nid: *nid, data: subnode.data, subnodes: subnode.subnodes, parent: None };
    }
    Ok(found)
}

/// Shows the node.
pub(super) fn show(trees: &Trees<'_>, path: &[Nid], report: &mut Report) -> Result<(), Stop> {
    let node = find(trees, path)?;
    head(trees, &node, report)?;
    match trees.survive(trees.ndb.data(node.data))? {
        Ok(data) => leaves(&data, report)?,
        Err(error) => {
            report.title("Data")?;
            report.fault(error.to_string())?;
        }
    }
    subnodes(trees, &node, report)?;
    heap(trees, &node, report)
}

/// What the tree tells of a node.
pub(super) fn head(trees: &Trees<'_>, node: &Found, report: &mut Report) -> Result<(), Stop> {
    report.line(format!("Node {} ({}) of {}", node.nid, node_kind(node.nid), trees.source.name()))?;
    report.fact("index", format!("{:#x}", node.nid.index()))?;
    report.fact("data", node.data.to_string())?;
    report.fact("subnodes", node.subnodes.to_string())?;
    match node.parent {
        Some(parent) => report.fact("parent", parent.to_string()),
        None => Ok(()),
    }
}

fn leaves(data: &Data, report: &mut Report) -> Result<(), Stop> {
    let leaves = data.leaves();
    report.title(format!("Data: {} bytes, {}", data.len(), text::counted(u64::try_from(leaves.len()).unwrap_or(0), "block", "blocks")))?;
    let ends = leaves.iter().skip(1).map(|leaf| leaf.start).chain([data.len()]);
    let lines = leaves
        .iter()
        .zip(ends)
        .map(|(leaf, end)| format!("{:#10x}  block {}, {} bytes", leaf.start, leaf.bid, end.saturating_sub(leaf.start)));
    report.list(leaves.len(), lines)
}

fn subnodes(trees: &Trees<'_>, node: &Found, report: &mut Report) -> Result<(), Stop> {
    match trees.survive(trees.ndb.subnodes(node.subnodes))? {
        Ok(subnodes) => {
            report.title(format!("Subnodes: {}", subnodes.len()))?;
            let lines = subnodes.iter().map(|subnode| {
                let nid = subnode.nid.nid;
                format!("{nid} ({})  data {}  subnodes {}", node_kind(nid), subnode.data, subnode.subnodes)
            });
            report.list(subnodes.len(), lines)
        }
        Err(error) => {
            report.title("Subnodes")?;
            report.fault(error.to_string())
        }
    }
}

fn heap(trees: &Trees<'_>, node: &Found, report: &mut Report) -> Result<(), Stop> {
    let heap = match trees.survive(Heap::open(&trees.ndb, node.nid, node.data, node.subnodes))? {
        Ok(heap) => heap,
        Err(error) => {
            report.title("Heap: none")?;
            return report.fact("why", error.to_string());
        }
    };
    let client = match heap.client() {
        HeapClient::TABLE => "a table; 'inspect FILE table' shows it",
        HeapClient::PROPERTIES => "properties; 'inspect FILE props' shows them",
        HeapClient::BTREE => "a B-tree",
        _ => "an unknown structure",
    };
    report.title(format!("Heap: {client}"))?;
    report.fact("client", format!("{:#x}", heap.client().0))?;
    report.fact("root item", format!("{:#x}", heap.root().0))?;
    let Ok(data) = trees.survive(trees.ndb.data(node.data))? else { return Ok(()) };
    let count = data.leaves().len();
    let shown = if report.is_whole() { count } else { count.min(16) };
    for index in 0..shown {
        let line = match trees.survive(data.block(&trees.ndb, index))? {
            Ok(block) => match PageMap::decode(trees.ndb.format(), &block.data) {
                Ok(map) => {
                    format!("block {index}: {} items, {} freed, {} bytes", map.starts.len().saturating_sub(1), map.freed, block.data.len())
                }
                Err(_) => format!("block {index}: its page map cannot be read"),
            },
            Err(error) => format!("block {index}: {error}"),
        };
        report.line(format!("  {line}"))?;
    }
    report.left_out(count.saturating_sub(shown), "blocks")
}

/// The node's bytes, where nothing else can be made of them.
pub(super) fn bytes(trees: &Trees<'_>, node: &Found, why: &Error, report: &mut Report) -> Result<(), Stop> {
    report.title("Data as they are")?;
    report.fault(why.to_string())?;
    let Ok(data) = trees.survive(trees.ndb.data(node.data))? else { return Ok(()) };
    // Block by block: what cannot be read is said, not shown as zeros that never stood there.
    let shown = if report.is_whole() { data.leaves().len() } else { 1 };
    for (index, leaf) in data.leaves().iter().enumerate().take(shown) {
        match trees.survive(data.block(&trees.ndb, index))? {
            Ok(block) => report.dump(leaf.start, &block.data)?,
            Err(error) => report.fault(format!("block {}: {error}", leaf.bid))?,
        }
    }
    report.left_out(data.leaves().len().saturating_sub(shown), "blocks")
}
