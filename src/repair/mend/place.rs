//! Where folders and messages go that no folder holds, or several: by what their nodes say and what tables list.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::{Decide, is_folder};
use super::folder::TABLES;
use super::outline::Outline;
use super::table::table_of;
use crate::damage::{Code, Result};
use crate::format::id::{Nid, NodeType};
use crate::repair::plan::Deed;

impl Decide<'_> {
    /// A folder comes back where a row names it, else where those of its use lie, else in `Lost and Found`. Gives the parents
    /// of all folders then.
    pub(super) fn make_folders(
        &mut self,
        nodes: &BTreeMap<Nid, BTreeSet<Code>>,
        gone: &BTreeSet<Nid>,
        outline: &Outline,
    ) -> BTreeMap<Nid, Nid> {
        // `Lost and Found` lies in the folder that holds those that users see; where nothing tells which, in the usual one.
        let usual = self.store.usual_subtree();
        let is_usual = self.top == Nid::ROOT_FOLDER && outline.folders.get(&usual) == Some(&Nid::ROOT_FOLDER);
        let top = if is_usual { usual } else { self.top };
        let lost = gone.iter().map(|folder| (*folder, top));
        let mut parents: BTreeMap<Nid, Nid> = outline.folders.iter().map(|(folder, parent)| (*folder, *parent)).chain(lost).collect();
        for folder in gone {
            let can_hold = |lister: &Nid| parents.contains_key(lister) && !leads_to(&parents, *lister, *folder);
            let listers = outline.listers(*folder);
            // The root folder's table may be of an earlier state: users see nothing of what lies there.
            let others = listers.iter().copied().filter(|lister| *lister != Nid::ROOT_FOLDER);
            let usual = self.store.usual_parent(*folder);
            let candidates = others.chain(usual).chain(listers.iter().copied());
            let place = candidates.into_iter().find(can_hold).filter(|_| *folder != Nid::ROOT_FOLDER);
            let above = [Nid::ROOT_FOLDER, self.top].contains(folder).then_some(Nid::ROOT_FOLDER);
            let parent = place.or(above);
            parents.extend(parent.map(|parent| (*folder, parent)));
            let codes = TABLES.iter().filter_map(|kind| nodes.get(&folder.with_kind(*kind))).flatten();
            let rows = self.rows.iter().filter(|((_, row), _)| *row == folder.0).map(|(_, code)| code);
            let codes: BTreeSet<Code> = codes.chain(nodes.get(folder).into_iter().flatten()).chain(rows).copied().collect();
            self.add_all(parent.map_or(Deed::LostFolder(*folder), |parent| Deed::NewFolder(*folder, parent)), &codes);
            for other in listers.into_iter().filter(|lister| Some(*lister) != parent) {
                self.add_all(Deed::Unlist(other.with_kind(NodeType::HIERARCHY_TABLE), folder.0), &codes);
            }
        }
        parents
    }

    /// Each folder goes where its node and a table agree; else where a table lists it; else where its node says; else into a
    /// folder of which only a table is left that lists it, for which id the table may have by a flipped bit alone; and where
    /// all of that leads back to itself, to `Lost and Found`.
    pub(super) fn place_folders(
        &mut self,
        placed: &BTreeSet<Nid>,
        mut parents: BTreeMap<Nid, Nid>,
        nodes: &BTreeMap<Nid, BTreeSet<Code>>,
        outline: &Outline,
    ) {
        if parents.get(&Nid::ROOT_FOLDER).is_some_and(|parent| *parent != Nid::ROOT_FOLDER)
            && let Some(why) = nodes.get(&Nid::ROOT_FOLDER)
        {
            self.add_all(Deed::Reparent(Nid::ROOT_FOLDER, Nid::ROOT_FOLDER), why);
        }
        for folder in placed.iter().copied().filter(|nid| is_folder(*nid) && *nid != Nid::ROOT_FOLDER && outline.folders.contains_key(nid))
        {
            let why = nodes.get(&folder).cloned().unwrap_or_else(|| BTreeSet::from([Code::FolderRow]));
            let own = outline.folders.get(&folder).copied().unwrap_or_default();
            let listers = outline.listers(folder);
            let agreed = listers.iter().copied().filter(|lister| *lister == own);
            let (lost, sure): (Vec<_>, Vec<_>) =
                listers.iter().partition(|lister| self.mended.deeds.contains_key(&Deed::LostFolder(**lister)));
            let candidates = agreed.chain(sure).chain([own]).chain(lost);
            let can_hold =
                |parent: &Nid| parent.kind() == NodeType::FOLDER && parents.contains_key(parent) && !leads_to(&parents, *parent, folder);
            let chosen = candidates.into_iter().find(can_hold);
            let table = |parent: Nid| parent.with_kind(NodeType::HIERARCHY_TABLE);
            match chosen {
                Some(parent) => {
                    if parent != own {
                        self.add_all(Deed::Reparent(folder, parent), &why);
                    }
                    if !listers.contains(&parent) {
                        self.add_all(Deed::List(table(parent), folder), &why);
                    }
                }
                // `Lost and Found` lies below it.
                None if leads_to(&parents, self.top, folder) => {
                    self.add_all(Deed::Reparent(folder, Nid::ROOT_FOLDER), &why);
                    self.add_all(Deed::List(table(Nid::ROOT_FOLDER), folder), &why);
                }
                None => self.add_all(Deed::Rescue(folder), &why),
            }
            for lister in listers.into_iter().filter(|lister| Some(*lister) != chosen) {
                self.add_all(Deed::Unlist(table(lister), folder.0), &why);
            }
            parents.insert(folder, chosen.unwrap_or(Nid::ROOT_FOLDER));
        }
    }

    /// The same for a message. One that its folder's sound table does not list was taken out of it: it does not go back.
    pub(super) fn place_message(
        &mut self,
        nid: Nid,
        nodes: &BTreeMap<Nid, BTreeSet<Code>>,
        outline: &Outline,
        damaged: &BTreeSet<Nid>,
        gone: &BTreeSet<Nid>,
    ) -> Result<()> {
        // Of one that a table without a folder lists nothing was found wrong yet.
        let why = nodes.get(&nid).cloned().unwrap_or_else(|| BTreeSet::from([Code::MessageParent]));
        if !self.exists(nid)? {
            return Ok(());
        }
        let own = self.parent(nid)?;
        let listers: Vec<Nid> =
            outline.listers(nid).into_iter().filter(|lister| outline.folders.contains_key(lister) || gone.contains(lister)).collect();
        let chosen = listers.iter().copied().find(|lister| *lister == own).or_else(|| listers.first().copied());
        let table = table_of(own, nid);
        match chosen {
            Some(parent) if parent != own => self.add_all(Deed::Reparent(nid, parent), &why),
            Some(_) => {}
            None if damaged.contains(&table) || gone.contains(&own) => {
                let folder = table.with_kind(NodeType::FOLDER);
                if own != folder {
                    self.add_all(Deed::Reparent(nid, folder), &why);
                }
                self.add_all(Deed::List(table, nid), &why);
            }
            None => self.add_all(Deed::Rescue(nid), &why),
        }
        for lister in listers.into_iter().filter(|lister| Some(*lister) != chosen) {
            self.add_all(Deed::Unlist(table_of(lister, nid), nid.0), &why);
        }
        // What was lost may be the table of recipients, and outlook-pst gives up a store with a letter that has no subnodes,
        // where it comes upon one.
        if nid.kind() == NodeType::MESSAGE && self.has_no_subnodes(nid)? {
            self.add_all(Deed::Message(nid), &why);
        }
        if why.contains(&Code::ItemTwice)
            && let Some(parent) = chosen
        {
            self.add_all(Deed::List(table_of(parent, nid), nid), &why);
        }
        Ok(())
    }
}

/// Whether the way up from a folder leads to another one.
fn leads_to(parents: &BTreeMap<Nid, Nid>, from: Nid, to: Nid) -> bool {
    let (mut at, mut seen) = (from, BTreeSet::new());
    while at != Nid::ROOT_FOLDER && seen.insert(at) {
        if at == to {
            return true;
        }
        at = parents.get(&at).copied().unwrap_or(Nid::ROOT_FOLDER);
    }
    false
}
