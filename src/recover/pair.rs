//! Which subnode tree belongs to which object: the link that only the node B-tree has.
//!
//! Ids of large values are drawn from one counter, so an object that names some has the one tree that holds them. Others
//! are told by their recipients, attachments, size, and by how near the blocks' ids are: what is written together gets
//! ids that follow each other. Each tree belongs to one object.

use std::cmp::Reverse;

use crate::disk::Spill;
use crate::format::btree::NodeEntry;
use crate::format::id::{Bid, Nid};
use crate::ndb::Ndb;

use super::deal::deal;
use super::lists::{at, equal};
use super::loose::{Loose, Subnodes};
use super::object::{Kind, Object};

/// How many trees on each side of an object's id are tried.
const NEIGHBOURS: usize = 24;
/// The farthest that an id may be where nothing but nearness speaks for a pair: 64 blocks.
const NEAR: u32 = 256;

/// How many trees an object asks for of those that fit it: each has dozens of neighbours.
const BEST: usize = 8;

/// How well a tree fits an object; the lower the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    /// Large values that the tree lacks make it none at all; so fewer of them that the object does not name are better.
    unnamed: u32,
    recipients: Agreement,
    size: Reverse<bool>,
    distance: u32,
}

impl Cost {
    /// How well it fits, wherever it lies.
    const fn fit(self) -> (u32, Agreement, Reverse<bool>) {
        (self.unnamed, self.recipients, self.size)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Agreement {
    Yes,
    Unknown,
    No,
}

/// Gives each object that fits one its subnode tree, the cheapest pairs first, each tree once.
pub(super) fn pair(loose: &mut Loose) {
    let Loose { objects, needs, subnodes, values, .. } = loose;
    let trees = Trees::new(subnodes, values, needs);
    let list: &[Object] = objects;
    let wishes = |number: u32| {
        let best = at(list, number).map(|object| trees.best(object)).unwrap_or_default();
        best.into_iter().filter(|(_, tree)| trees.get(*tree).is_some_and(|tree| !tree.is_claimed)).collect()
    };
    let dealt = deal(list.len(), trees.list.len(), wishes);
    let any_claimed = trees.list.iter().any(|tree| tree.is_claimed);
    for (number, object) in (0..).zip(objects.iter_mut()) {
        let own = dealt.of(number);
        let shared = if own.is_none() || any_claimed { trees.shared(object) } else { None };
        let fit = |tree: Option<u32>| tree.and_then(|tree| trees.get(tree)).and_then(|tree| trees.cost(object, tree)).map(Cost::fit);
        // What it got may be another's; a tree of a known node fits only its own states better.
        let tree = if fit(shared) < fit(own) { shared.or(own) } else { own.or(shared) };
        object.subnodes = tree.and_then(|tree| trees.get(tree)).map_or(Bid::NONE, |tree| tree.root);
    }
}

/// All trees, and what finds those that may fit.
struct Trees<'a> {
    /// By the ids of their roots.
    list: &'a [Subnodes],
    /// The large values of all.
    values: &'a [Nid],
    /// What all objects name.
    needs: &'a [Nid],
    /// Which trees hold a large value, ascending.
    by_value: Spill<(Nid, u32)>,
    /// Those that hold none, ascending.
    plain: Spill<u32>,
    /// The same by their recipients.
    by_recipients: Spill<(u32, u32)>,
}

impl<'a> Trees<'a> {
    fn new(list: &'a [Subnodes], values: &'a [Nid], needs: &'a [Nid]) -> Self {
        let mut trees = Self { list, values, needs, by_value: Spill::new(), plain: Spill::new(), by_recipients: Spill::new() };
        for (number, tree) in (0..).zip(list) {
            trees.by_value.extend(tree.values.of(values).iter().map(|value| (*value, number)));
            if tree.values.is_empty() {
                trees.plain.push(number);
                trees.by_recipients.extend(tree.display_to.map(|digest| (digest, number)));
            }
        }
        trees.by_value.sort_unstable();
        trees.by_recipients.sort_unstable();
        trees
    }

    fn get(&self, number: u32) -> Option<&Subnodes> {
        at(self.list, number)
    }

    /// The trees that fit an object best.
    fn best(&self, object: &Object) -> Vec<(Cost, u32)> {
        let fitting = self.tried(object).into_iter().filter_map(|tree| Some((self.cost(object, self.get(tree)?)?, tree)));
        let mut best: Vec<(Cost, u32)> = fitting.collect();
        best.sort_unstable();
        best.dedup();
        best.truncate(BEST);
        best
    }

    /// The tree that an object shares with others: states of one message do, where more than nearness speaks for it.
    fn shared(&self, object: &Object) -> Option<u32> {
        let best = self.best(object).into_iter();
        best.filter(|(cost, _)| cost.recipients == Agreement::Yes || !object.needs.is_empty()).map(|(_, tree)| tree).next()
    }

    /// The trees that may fit an object.
    fn tried(&self, object: &Object) -> Vec<u32> {
        let holders = |nid: &Nid| equal(&self.by_value, *nid, |(value, _)| *value);
        let needs = object.needs.of(self.needs);
        if let Some(holders) = needs.iter().map(holders).find(|holders| !holders.is_empty()) {
            // Outlook begins with the same ids in many objects.
            return self.neighbours(holders, |(_, tree)| *tree, object.data).collect();
        }
        if !needs.is_empty() {
            // Its tree is lost: none that is left holds what it names.
            return Vec::new();
        }
        let alike = object.display_to.map(|to| equal(&self.by_recipients, to, |(digest, _)| *digest)).unwrap_or_default();
        self.neighbours(&self.plain, |tree| *tree, object.data).chain(self.neighbours(alike, |(_, tree)| *tree, object.data)).collect()
    }

    /// The trees of a list whose ids are nearest to this one.
    fn neighbours<T>(&self, list: &[T], tree: impl Fn(&T) -> u32, bid: Bid) -> impl Iterator<Item = u32> {
        let at = list.partition_point(|value| self.get(tree(value)).is_some_and(|tree| tree.root.key() < bid.key()));
        let nearest = at.saturating_sub(NEIGHBOURS)..at.saturating_add(NEIGHBOURS).min(list.len());
        list.get(nearest).unwrap_or_default().iter().map(tree)
    }

    /// What speaks for a pair; `None` where the tree cannot be the object's.
    fn cost(&self, object: &Object, tree: &Subnodes) -> Option<Cost> {
        let (needs, values) = (object.needs.of(self.needs), tree.values.of(self.values));
        let is_message = matches!(object.kind, Kind::Message | Kind::Associated);
        if !needs.iter().all(|nid| values.contains(nid)) || tree.is_tables && !object.is_table() {
            return None;
        }
        if is_message && object.has_attachments.is_some_and(|has| has != tree.has_attachments) && needs.is_empty() {
            return None;
        }
        // Folders and tables have a tree for their large values, or for columns, and no other.
        if !is_message && needs.is_empty() && !tree.is_tables {
            return None;
        }
        let distance = u32::try_from(object.data.key().0.abs_diff(tree.root.key().0)).unwrap_or(u32::MAX);
        let recipients = match (object.display_to, tree.display_to) {
            (Some(object), Some(tree)) if object == tree => Agreement::Yes,
            (Some(_), Some(_)) => Agreement::No,
            _ => Agreement::Unknown,
        };
        let exact = object.size.map(u64::from) == object.own_bytes.checked_add(tree.bytes);
        // Nothing but nearness speaks for it.
        if needs.is_empty() && recipients != Agreement::Yes && !exact && (recipients == Agreement::No || distance > NEAR) {
            return None;
        }
        let unnamed = values.iter().filter(|nid| !needs.contains(nid)).count();
        let unnamed = u32::try_from(unnamed).unwrap_or(u32::MAX);
        Some(Cost { unnamed, recipients, size: Reverse(exact), distance })
    }
}

/// Gives nodes of which damaged pages tell, and whose subnode tree is nowhere, the one that nobody names and whose id is
/// theirs but for a bit.
pub(super) fn right_links<'n>(reader: &Ndb, nodes: impl Iterator<Item = &'n mut NodeEntry>, trees: &mut [Subnodes]) {
    let is_lost = |bid: Bid| !bid.is_none() && reader.maps().is_some_and(|maps| maps.block(bid).is_none());
    for node in nodes.filter(|node| is_lost(node.subnodes)) {
        let bits = (0..u64::BITS).filter_map(|bit| 1_u64.checked_shl(bit));
        let found = bits
            .map(|bit| Bid(node.subnodes.key().0 ^ bit))
            .filter_map(|bid| trees.binary_search_by_key(&bid, |tree| tree.root.key()).ok());
        let mut near = found.filter(|found| trees.get(*found).is_some_and(|tree| !tree.is_claimed));
        if let (Some(found), None) = (near.next(), near.next())
            && let Some(tree) = trees.get_mut(found)
        {
            tree.is_claimed = true;
            node.subnodes = tree.root;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recover::lists::Span;
    use crate::recover::object::Print;

    const VALUE: Nid = Nid(0x80df);

    impl Loose {
        fn add_tree(&mut self, root: u64, is_claimed: bool, values: &[Nid]) {
            let values = Span::put(&mut self.values, values);
            let (has_attachments, is_tables) = (false, false);
            self.subnodes.push(Subnodes { root: Bid(root), is_claimed, values, has_attachments, is_tables, display_to: None, bytes: 1 });
        }

        fn add_message(&mut self, data: u64, needs: &[Nid]) {
            self.objects.push(Object {
                kind: Kind::Message,
                data: Bid(data),
                subnodes: Bid::NONE,
                needs: Span::put(&mut self.needs, needs),
                print: Print::default(),
                size: None,
                own_bytes: 1,
                has_attachments: None,
                display_to: None,
                is_taken: false,
            });
        }
    }

    /// So many objects, each with its tree right after it; all objects name, and all trees hold, a value of one id.
    fn pairs_of_one_value(count: u64) -> Loose {
        let mut loose = Loose::default();
        for number in 0..count {
            loose.add_tree(number * 0x40 + 0xe, false, &[VALUE]);
            loose.add_message(number * 0x40 + 0x8, &[VALUE]);
        }
        loose
    }

    /// A letter that was changed shares the tree of its earlier state, of which a page of long ago tells: it got the nearer one
    /// of another letter, with that one's attachments.
    #[test]
    fn a_later_state_has_the_tree_of_the_earlier_one_rather_than_anothers() {
        let mut loose = Loose::default();
        loose.add_tree(0x12, true, &[VALUE]);
        loose.add_tree(0x102, false, &[VALUE, Nid(0x811f)]);
        loose.add_message(0x108, &[VALUE]);
        pair(&mut loose);
        assert_eq!(loose.objects.first().unwrap().subnodes, Bid(0x12));
    }

    /// Outlook begins with the same ids in many objects.
    #[test]
    fn of_many_trees_that_hold_a_value_of_one_id_each_object_gets_the_one_beside_it() {
        let mut loose = pairs_of_one_value(10 * u64::try_from(NEIGHBOURS).unwrap());
        pair(&mut loose);
        let given: Vec<Bid> = loose.objects.iter().map(|object| object.subnodes).collect();
        let roots: Vec<Bid> = loose.subnodes.iter().map(|tree| tree.root).collect();
        assert_eq!(given, roots);
    }
}
