//! Ids with a bit flipped: what a damaged page says of a node may name another id than the node has.
//!
//! The bit is found by what the node holds, by the rows that name no node, and by the nodes of a folder that belong
//! together. An id is put right only where one of those that differ by a bit is wanted and nothing has it yet.

use crate::damage::Result;
use crate::disk::Spill;
use crate::format::btree::NodeEntry;
use crate::format::heap::HeapClient;
use crate::format::id::{Bid, Nid, NodeType};
use crate::ndb::Ndb;

use super::lists::equal;
use super::nodes::Nodes;
use super::object::{Kind, Object, Print};
use super::rows::{Listed, Listings};

/// A folder's own node and its tables.
const FAMILY: [NodeType; 4] = [NodeType::FOLDER, NodeType::HIERARCHY_TABLE, NodeType::CONTENTS_TABLE, NodeType::ASSOCIATED_TABLE];
/// How many bits of an id tell its type.
const TYPE_BITS: u32 = 5;

/// Puts right ids of which only damaged pages tell, by what their nodes hold and what belongs together.
pub(super) fn right_ids(reader: &Ndb, nodes: &mut Nodes, doubted: &[Nid]) -> Result<()> {
    right(nodes, doubted, |nodes, node| {
        let nid = node.nid.nid;
        let ids = ids_for(nid, kind_of(reader, node.data)?);
        if ids.contains(&nid) {
            return Ok(Vec::new());
        }
        Ok(ids.into_iter().filter(|id| (id.0 ^ nid.0).is_power_of_two()).filter(free(nodes)).take(1).collect())
    })?;
    right(nodes, doubted, |nodes, node| {
        let nid = node.nid.nid;
        if !FAMILY.contains(&nid.kind()) || relatives(nodes, nid) > 0 {
            return Ok(Vec::new());
        }
        Ok(neighbours(nid, TYPE_BITS).filter(|near| relatives(nodes, *near) > 1).filter(free(nodes)).collect())
    })
}

/// The same by the rows that folders' tables have of nodes that are nowhere.
pub(super) fn right_listed(reader: &Ndb, nodes: &mut Nodes, doubted: &[Nid], listings: &Listings) -> Result<()> {
    if doubted.is_empty() {
        return Ok(());
    }
    for (table, item) in Kind::ITEMS {
        let listed = listings.listed(table);
        let rows = |nid: Nid| equal(&listed, nid, |row| row.nid);
        right(nodes, doubted, |nodes, node| {
            let nid = node.nid.nid;
            if nid.kind() != item.node_type() || !rows(nid).is_empty() {
                return Ok(Vec::new());
            }
            let print = Object::read_properties(reader, node.data)?.map(|object| object.print).unwrap_or_default();
            let fits = |row: &Listed| listings.print(row.line).agrees(&print).is_some() || print == Print::default();
            Ok(neighbours(nid, TYPE_BITS).filter(|near| rows(*near).iter().any(fits)).filter(free(nodes)).collect())
        })?;
    }
    Ok(())
}

/// Gives each of the doubted nodes the id that `wanted` has for it, where that is one.
fn right(nodes: &mut Nodes, doubted: &[Nid], wanted: impl Fn(&Nodes, &NodeEntry) -> Result<Vec<Nid>>) -> Result<()> {
    let mut righted: Spill<(Nid, NodeEntry)> = Spill::new();
    for nid in doubted {
        let Some(node) = nodes.get(*nid) else { continue };
        if let [new] = wanted(nodes, node)?.as_slice() {
            righted.push((*nid, NodeEntry { nid: (*new).into(), ..*node }));
        }
    }
    if righted.is_empty() {
        return Ok(());
    }
    let was = |nid: Nid| righted.binary_search_by_key(&nid, |(old, _)| *old).is_ok();
    nodes.retain(|node| !was(node.nid.nid));
    nodes.add(righted.iter().map(|(_, node)| *node));
    Ok(())
}

/// The ids that differ from one by a bit, from this one on.
fn neighbours(nid: Nid, first: u32) -> impl Iterator<Item = Nid> {
    (first..u32::BITS).filter_map(|bit| 1_u32.checked_shl(bit)).map(move |bit| Nid(nid.0 ^ bit))
}

/// Whether an id is one that nothing has yet.
fn free(nodes: &Nodes) -> impl Fn(&Nid) -> bool {
    |nid| nid.index() != 0 && !nodes.contains(*nid)
}

/// How many of a folder's other nodes are there.
fn relatives(nodes: &Nodes, nid: Nid) -> usize {
    FAMILY.iter().filter(|kind| **kind != nid.kind() && nodes.contains(nid.with_kind(**kind))).count()
}

/// What these data are, also where their heap is damaged.
fn kind_of(reader: &Ndb, data: Bid) -> Result<Option<Kind>> {
    let object = match Object::read_properties(reader, data)? {
        Some(object) => Some(object),
        None => Object::read(reader, data, HeapClient::TABLE, &mut Spill::new())?,
    };
    Ok(match object {
        Some(object) => Some(object),
        None => Object::salvaged(reader, data)?,
    }
    .map(|object| object.kind))
}

/// The ids that a node of this id may have where it holds something of this kind, the likeliest first; none where that does
/// not tell.
fn ids_for(nid: Nid, kind: Option<Kind>) -> Vec<Nid> {
    let of = |kinds: &[NodeType]| kinds.iter().map(|kind| nid.with_kind(*kind)).collect();
    match kind {
        Some(Kind::Store) => vec![Nid::MESSAGE_STORE],
        Some(Kind::Names) => vec![Nid::NAME_MAP],
        Some(Kind::Receive) => vec![Nid::RECEIVE_FOLDER_TABLE],
        // Whether it is associated its flags tell, and they may be damaged too.
        Some(Kind::Message) => of(&[NodeType::MESSAGE, NodeType::ASSOCIATED_MESSAGE]),
        Some(Kind::Associated) => of(&[NodeType::ASSOCIATED_MESSAGE, NodeType::MESSAGE]),
        Some(Kind::Folder) => of(&[NodeType::FOLDER, NodeType::SEARCH_FOLDER]),
        Some(Kind::Hierarchy) => of(&[NodeType::HIERARCHY_TABLE]),
        Some(Kind::Contents) => of(&[NodeType::CONTENTS_TABLE, NodeType::SEARCH_CONTENTS_TABLE]),
        Some(Kind::AssociatedContents) => of(&[NodeType::ASSOCIATED_TABLE]),
        Some(Kind::Other) | None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(ids: &[u32]) -> Nodes {
        Nodes::new(ids.iter().map(|nid| NodeEntry { nid: Nid(*nid).into(), ..NodeEntry::default() }).collect())
    }

    #[test]
    fn what_a_node_holds_tells_its_type() {
        assert_eq!(ids_for(Nid(0x200020), Some(Kind::Message)), [Nid(0x200024), Nid(0x200028)]);
        assert_eq!(ids_for(Nid(0x10000061), Some(Kind::Names)), [Nid(0x61)]);
        assert!(ids_for(Nid(0x861), Some(Kind::Other)).is_empty());
    }

    #[test]
    fn an_id_is_put_right_where_one_is_wanted_and_nothing_has_it() {
        let mut there = nodes(&[0x8082, 0x808d, 0x808f, 0x80ce]);
        let wanted = |nodes: &Nodes, node: &NodeEntry| {
            Ok(neighbours(node.nid.nid, TYPE_BITS).filter(|near| relatives(nodes, *near) > 1).filter(free(nodes)).collect())
        };
        right(&mut there, &[Nid(0x80ce)], wanted).unwrap();
        assert!(there.contains(Nid(0x808e)) && !there.contains(Nid(0x80ce)));
        right(&mut there, &[Nid(0x808e)], |nodes, _| Ok([Nid(0x8082)].into_iter().filter(free(nodes)).collect())).unwrap();
        assert!(there.contains(Nid(0x808e)));
    }
}
