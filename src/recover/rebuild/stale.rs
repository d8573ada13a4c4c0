//! Nodes of which only pages tell that are no longer in the tree: each is what it was once, and a later state of it may stand
//! in the file, that nobody names any more.

use crate::damage::Result;
use crate::disk::Spill;
use crate::format::btree::NodeEntry;
use crate::format::id::{Bid, Nid, NodeType};

use super::Rebuild;
use crate::recover::lists::{at, at_mut, equal};
use crate::recover::object::Kind;
use crate::recover::owners::Folders;
use crate::recover::rows::{Age, Listed, Listing, Listings, matches};

impl Rebuild<'_> {
    /// The nodes whose ids are the same in every store ([MS-PST] 2.4.1): of several states the one that was written last.
    pub(super) fn own_nodes(&mut self) {
        let own = [(Kind::Store, Nid::MESSAGE_STORE), (Kind::Names, Nid::NAME_MAP), (Kind::Receive, Nid::RECEIVE_FOLDER_TABLE)];
        for (kind, nid) in own {
            let last = self.free(kind).last().copied();
            let later = last.filter(|object| self.known.is_stale(nid) && self.is_later(*object, nid));
            self.renew(later.map(|object| (nid, object)));
            self.give(last.map(|object| (nid, object, Nid::default())));
        }
    }

    /// Gives nodes that are not what their rows tell the later objects of a kind that are.
    pub(super) fn renew_by_rows(&mut self, kind: Kind, listed: &[Listed]) -> Result<()> {
        let mut rows: Spill<Listed> = Spill::new();
        for nid in self.known.stale.iter().filter(|nid| nid.kind() == kind.node_type()) {
            let (Some(node), Some(row)) = (self.nodes.get(*nid), equal(listed, *nid, |row| row.nid).last()) else { continue };
            if self.print_of(kind, node.data)?.contradicts(&self.listings.print(row.line)) {
                rows.push(*row);
            }
        }
        let mut renewed: Spill<(Nid, u32)> = Spill::new();
        for (row, object) in self.found_by(kind, &rows, matches).iter().filter(|(row, object)| self.is_later(*object, row.nid)) {
            let told = self.listings.print(row.line);
            let was = self.nodes.get(row.nid).map(|node| self.print_of(kind, node.data)).transpose()?.unwrap_or_default();
            if self.print(*object).agrees(&told) > was.agrees(&told) {
                renewed.push((row.nid, *object));
            }
        }
        self.renew(renewed.iter().copied());
        Ok(())
    }

    /// Takes tables away from folders that count other rows: at first a folder shares the block of the template, which is
    /// empty. Returns which, with their folders.
    pub(super) fn let_go(&mut self, kind: Kind, folders: &Folders) -> Spill<(u32, Nid)> {
        let mut gone = Spill::new();
        for (number, listing) in (0..).zip(self.listings.list.iter_mut()).filter(|(_, listing)| listing.kind == kind) {
            let stale = |folder: &Nid| self.known.is_stale(folder.with_kind(kind.node_type()));
            let folder = listing.owner.filter(stale).filter(|folder| folders.counts_others(*folder, kind, listing.rows.len()));
            if let Some(folder) = folder {
                (listing.owner, listing.age) = (None, Age::Last);
                gone.push((number, folder));
            }
        }
        self.drop_tables(kind, gone.iter().map(|(_, folder)| *folder).collect());
        gone
    }

    /// Gives those back of which nothing better was found.
    pub(super) fn take_back(&mut self, kind: Kind, gone: &[(u32, Nid)]) {
        let owners = self.listings.owners(kind);
        for (number, folder) in gone {
            if let Some(listing) = at_mut(&mut self.listings.list, *number).filter(|listing| listing.owner.is_none()) {
                listing.owner = Some(*folder);
                listing.age = if owners.binary_search(folder).is_ok() { Age::Earlier } else { Age::Last };
            }
        }
    }

    /// Sets aside tables that list a folder which a newer one lists too: a folder lies in one other, so they are earlier states
    /// of that, or of one that it was moved from. What is known of whose such a state is, holds for the newer one.
    pub(super) fn set_earlier_aside(&mut self) {
        let is_sure = |folder: Nid| !self.known.is_stale(folder.with_kind(NodeType::HIERARCHY_TABLE));
        let Listings { list, lines } = &mut self.listings;
        let mut rows: Spill<(Nid, bool, Bid, u32)> = Spill::new();
        let last = |listing: &Listing| listing.kind == Kind::Hierarchy && listing.age == Age::Last;
        for (number, listing) in (0..).zip(list.iter()).filter(|(_, listing)| last(listing)) {
            let folders = listing.rows.of(lines).iter().map(|line| line.nid).filter(|nid| nid.kind() == NodeType::FOLDER);
            rows.extend(folders.map(|nid| (nid, listing.owner.is_some_and(is_sure), listing.data.key(), number)));
        }
        rows.sort_unstable();
        let mut replaced = Spill::new();
        for tables in rows.chunk_by(|a, b| a.0 == b.0) {
            let Some(((_, _, _, newest), others)) = tables.split_last() else { continue };
            // A damaged table may list a folder twice.
            for (_, _, _, number) in others.iter().filter(|(_, is_sure, _, number)| !is_sure && number != newest) {
                let Some(earlier) = at_mut(list, *number) else { continue };
                earlier.age = Age::Earlier;
                let owner = earlier.owner;
                if let Some(newest) = at_mut(list, *newest).filter(|newest| newest.owner.is_none()) {
                    newest.owner = owner;
                    replaced.extend(owner);
                }
            }
        }
        self.drop_tables(Kind::Hierarchy, replaced);
    }

    /// These folders' nodes for a table of a kind are to be made of another.
    pub(super) fn drop_tables(&mut self, kind: Kind, mut folders: Spill<Nid>) {
        folders.settle();
        if !folders.is_empty() {
            let is_theirs = |nid: Nid| nid.kind() == kind.node_type() && folders.binary_search(&nid.with_kind(NodeType::FOLDER)).is_ok();
            self.nodes.retain(|node| !is_theirs(node.nid.nid));
        }
    }

    /// Whether an object was written after what a node is made of.
    fn is_later(&self, object: u32, nid: Nid) -> bool {
        let data = at(&self.objects, object).map_or(Bid::NONE, |object| object.data.key());
        self.nodes.get(nid).is_some_and(|node| node.data.key() < data)
    }

    /// Makes nodes of other objects, by their numbers.
    fn renew(&mut self, renewed: impl IntoIterator<Item = (Nid, u32)>) {
        for (nid, object) in renewed {
            if let (Some(object), Some(node)) = (at_mut(&mut self.objects, object), self.nodes.get(nid).copied()) {
                object.is_taken = true;
                self.nodes.renew([NodeEntry { data: object.data, subnodes: object.subnodes, ..node }]);
            }
        }
    }
}
