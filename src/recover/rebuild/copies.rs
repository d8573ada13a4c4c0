//! Copies of messages: Outlook gives a copy no blocks of its own, its node names those of the original.

use std::cmp::Reverse;

use crate::damage::Result;
use crate::disk::Spill;
use crate::format::btree::NodeEntry;
use crate::format::id::{Bid, Nid, NodeType};

use super::Rebuild;
use crate::recover::lists::{at, equal};
use crate::recover::live::Live;
use crate::recover::object::{Kind, Object, Print};
use crate::recover::rows::{Listed, Prints, copies};

/// Ids for copies of messages of which only a count tells begin here.
const COUNTED: u32 = 0x0780_0000;
/// How many of these are shown.
const COUNTED_MAX: usize = 10_000;

/// Whether this is a copy of a message of which only a count tells: how many nodes share its block.
pub fn is_counted(nid: Nid) -> bool {
    nid.kind() == NodeType::MESSAGE && nid.index() >= COUNTED
}

/// A message whose blocks another node may have too.
#[derive(Clone, Copy, Debug)]
struct Donor {
    nid: Nid,
    print: Print,
}

impl Rebuild<'_> {
    /// Leaves out messages that no table lists, though it lists others of their folder, and whose data another node has too.
    ///
    /// Copies of an item share its blocks, so that these are still in use does not say that this copy is. Where the table
    /// itself is lost, to be in none says nothing.
    pub(super) fn drop_copies(&mut self) {
        let filled = &self.known.filled;
        if filled.is_empty() {
            return;
        }
        let mut users: Spill<Bid> = self.nodes.iter().map(|node| node.data.key()).collect();
        users.sort_unstable();
        let mut listed: Spill<Nid> = self.listings.lines.iter().map(|line| line.nid).collect();
        listed.settle();
        let is_listed = |node: &NodeEntry| listed.binary_search(&node.nid.nid).is_ok();
        let mut told: Spill<Nid> = self.nodes.of_kind(NodeType::MESSAGE).filter(|node| is_listed(node)).map(|node| node.parent).collect();
        told.settle();
        let is_shared = |node: &NodeEntry| equal(&users, node.data.key(), |bid| *bid).len() > 1;
        let messages = filled.iter().filter(|node| node.nid.nid.kind() == NodeType::MESSAGE);
        let copies = messages.filter(|node| is_shared(node) && !is_listed(node) && told.binary_search(&node.parent).is_ok());
        let mut copies: Spill<Nid> = copies.map(|node| node.nid.nid).collect();
        copies.settle();
        if !copies.is_empty() {
            self.nodes.retain(|node| copies.binary_search(&node.nid.nid).is_err());
        }
    }

    /// Adds the messages of which nothing is left but the count of those that share a block.
    ///
    /// Copies of a message have one data block, and the block B-tree tells how many name it ([MS-PST] 2.2.2.7.7.3): as many
    /// as are missing stood in pages that are lost, each the same to the letter.
    pub(super) fn counted(&mut self, live: &Live, named_inside: &[Bid]) {
        let is_counted = |bid: Bid| live.names_of(bid).is_some() && named_inside.binary_search(&bid).is_err();
        let messages = self.nodes.of_kind(NodeType::MESSAGE).filter(|node| is_counted(node.data.key()));
        let mut users: Spill<(Bid, Nid)> = messages.map(|node| (node.data.key(), node.nid.nid)).collect();
        users.sort_unstable();
        let lost = users.chunk_by(|a, b| a.0 == b.0).flat_map(|users| {
            let (bid, first) = users.first().copied().unwrap_or_default();
            let lost = usize::from(live.names_of(bid).unwrap_or(0)).saturating_sub(users.len());
            std::iter::repeat_n(self.nodes.get(first).copied().unwrap_or_default(), lost)
        });
        let nodes = (COUNTED..).zip(lost.take(COUNTED_MAX)).map(|(index, node)| {
            let nid = Nid::new(NodeType::MESSAGE, index);
            NodeEntry { nid: nid.into(), parent: Nid::default(), ..node }
        });
        let nodes: Spill<NodeEntry> = nodes.collect();
        self.nodes.add(nodes.iter().copied());
    }

    /// Gives rows that are left the blocks of nodes of which theirs are copies.
    pub(super) fn share_rows(&mut self, kind: Kind, rows: &[Listed], parent: impl Fn(Nid) -> Nid) -> Result<()> {
        let donors = self.donors(kind, 1)?;
        let copies = self.copies_of(&donors, rows);
        let nodes = copies.iter().filter_map(|(row, donor)| {
            let (nid, donor) = (at(rows, *row)?.nid, self.nodes.get(at(&donors, *donor)?.nid)?);
            Some(NodeEntry { nid: nid.into(), parent: parent(nid), ..*donor })
        });
        let nodes: Spill<NodeEntry> = nodes.collect();
        self.nodes.add(nodes.iter().copied());
        Ok(())
    }

    /// Gives nodes that were made of something else the blocks that copies of what their rows tell share.
    ///
    /// An older page, or an object that nobody names, tells what some node was once: where a row tells something else, and all
    /// that copies of one item tell, its node has become one of these.
    pub(super) fn renew_copies(&mut self, kind: Kind, rows: &[Listed]) -> Result<()> {
        let donors = if rows.is_empty() { Spill::new() } else { self.donors(kind, 2)? };
        let mut renewed = Spill::new();
        for (row, donor) in self.copies_of(&donors, rows).iter() {
            let (Some(row), Some(donor)) = (at(rows, *row), at(&donors, *donor)) else { continue };
            let (Some(node), Some(shared)) = (self.nodes.get(row.nid), self.nodes.get(donor.nid)) else { continue };
            let told = self.listings.print(row.line);
            if !donor.print.contradicts(&told) && self.print_of(kind, node.data)?.contradicts(&told) {
                renewed.push((node.data, NodeEntry { data: shared.data, subnodes: shared.subnodes, ..*node }));
            }
        }
        self.nodes.renew(renewed.iter().map(|(_, node)| *node));
        for (data, _) in renewed.iter() {
            self.set_free(*data);
        }
        Ok(())
    }

    /// What a node was made of is nobody's again.
    fn set_free(&mut self, data: Bid) {
        let at = self.objects.binary_search_by_key(&data.key(), |object| object.data.key());
        if let Some(object) = at.ok().and_then(|at| self.objects.get_mut(at)) {
            object.is_taken = false;
        }
    }

    /// What may be copied: for each message that at least so many nodes share one of them, those that most share first.
    fn donors(&self, kind: Kind, least: usize) -> Result<Spill<Donor>> {
        let users = self.nodes.of_kind(kind.node_type()).map(|node| (node.data.key(), node.subnodes.key(), node.nid.nid));
        let mut users: Spill<(Bid, Bid, Nid)> = users.collect();
        users.sort_unstable();
        let shared = users.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).filter(|users| users.len() >= least);
        let shared = shared.filter_map(|users| users.first().map(|first| (Reverse(users.len()), first.2, first.0)));
        let mut shared: Spill<(Reverse<usize>, Nid, Bid)> = shared.collect();
        shared.sort_unstable();
        let mut donors = Spill::new();
        for (_, nid, data) in shared.iter() {
            donors.push(Donor { nid: *nid, print: self.print_of(kind, *data)? });
        }
        Ok(donors)
    }

    /// Of which donor each row tells a copy: pairs of numbers.
    fn copies_of(&self, donors: &[Donor], rows: &[Listed]) -> Spill<(u32, u32)> {
        let row = |number| at(rows, number).map(|row| self.listings.print(row.line)).unwrap_or_default();
        let donor = |number| at(donors, number).map(|donor| donor.print).unwrap_or_default();
        copies(Prints { len: rows.len(), of: &row }, Prints { len: donors.len(), of: &donor })
    }

    /// The print of the properties with this data root, where they are an object of this kind.
    pub(super) fn print_of(&self, kind: Kind, data: Bid) -> Result<Print> {
        let known = equal(&self.objects, data.key(), |object| object.data.key()).first().copied();
        let object = match known {
            Some(object) => Some(object),
            None => Object::read_properties(self.reader, data)?,
        };
        Ok(object.filter(|object| object.kind == kind).map(|object| object.print).unwrap_or_default())
    }
}
