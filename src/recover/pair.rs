//! Which subnode tree belongs to which object: the link that only the node B-tree has.
//!
//! Ids of large values are drawn from one counter, so an object that names some has the one tree that holds them. Others
//! are told by their recipients, attachments, size, and by how near the blocks' ids are: what is written together gets
//! ids that follow each other. Each tree belongs to one object.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use crate::format::btree::NodeEntry;
use crate::format::id::{Bid, Nid};
use crate::ndb::Ndb;

use super::loose::{Loose, Subnodes};
use super::object::{Kind, Object};

/// How many trees on each side of an object's id are tried.
const NEIGHBOURS: usize = 24;
/// The farthest that an id may be where nothing but nearness speaks for a pair: 64 blocks.
const NEAR: u32 = 256;

/// How many trees are remembered of those that fit an object: in a store of 600,000 letters each has dozens of neighbours.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Agreement {
    Yes,
    Unknown,
    No,
}

/// A tree that fits an object, each by its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    cost: Cost,
    object: u32,
    tree: u32,
}

/// Gives each object that fits one its subnode tree.
pub(super) fn pair(loose: &mut Loose) {
    let trees = Trees::new(&loose.subnodes);
    let mut pairs: Vec<Pair> = Vec::new();
    for (number, object) in (0..).zip(&loose.objects) {
        pairs.extend(trees.best(object).into_iter().map(|(cost, tree)| Pair { cost, object: number, tree }));
    }
    pairs.sort_unstable();
    let given = trees.deal(&pairs, &loose.objects);
    let roots: HashMap<u32, Bid> = given.into_iter().filter_map(|(object, tree)| Some((object, trees.get(tree)?.root))).collect();
    for (number, object) in (0..).zip(&mut loose.objects) {
        object.subnodes = roots.get(&number).copied().unwrap_or(Bid::NONE);
    }
}

/// All trees, and what finds those that may fit.
struct Trees<'a> {
    /// By the ids of their roots.
    list: Vec<&'a Subnodes>,
    /// Which trees hold a large value.
    by_value: HashMap<Nid, Vec<u32>>,
    /// Those that hold none, ascending.
    plain: Vec<u32>,
    /// The same by their recipients.
    by_recipients: HashMap<u32, Vec<u32>>,
}

impl<'a> Trees<'a> {
    fn new(subnodes: &'a [Subnodes]) -> Self {
        let mut list: Vec<&Subnodes> = subnodes.iter().collect();
        list.sort_unstable_by_key(|tree| tree.root.key());
        let mut by_value: HashMap<Nid, Vec<u32>> = HashMap::new();
        let mut by_recipients: HashMap<u32, Vec<u32>> = HashMap::new();
        let mut plain = Vec::new();
        for (number, tree) in (0..).zip(&list) {
            tree.values.iter().for_each(|value| by_value.entry(*value).or_default().push(number));
            if tree.values.is_empty() {
                plain.push(number);
                if let Some(digest) = tree.display_to {
                    by_recipients.entry(digest).or_default().push(number);
                }
            }
        }
        Self { list, by_value, plain, by_recipients }
    }

    fn get(&self, number: u32) -> Option<&Subnodes> {
        usize::try_from(number).ok().and_then(|index| self.list.get(index)).copied()
    }

    /// The trees that fit an object best.
    fn best(&self, object: &Object) -> Vec<(Cost, u32)> {
        let fitting = self.tried(object).into_iter().filter_map(|tree| Some((cost(object, self.get(tree)?)?, tree)));
        let mut best: Vec<(Cost, u32)> = fitting.collect();
        best.sort_unstable();
        best.dedup();
        best.truncate(BEST);
        best
    }

    /// The trees that may fit an object.
    fn tried(&self, object: &Object) -> Vec<u32> {
        if let Some(holders) = object.needs.iter().find_map(|nid| self.by_value.get(nid)) {
            return holders.iter().copied().take(NEIGHBOURS).collect();
        }
        if !object.needs.is_empty() {
            // Its tree is lost: none that is left holds what it names.
            return Vec::new();
        }
        let alike = object.display_to.and_then(|to| self.by_recipients.get(&to)).map(Vec::as_slice).unwrap_or_default();
        self.neighbours(&self.plain, object.data).chain(self.neighbours(alike, object.data)).collect()
    }

    /// The trees of a list whose ids are nearest to this one.
    fn neighbours<'l>(&self, list: &'l [u32], bid: Bid) -> impl Iterator<Item = u32> + use<'l> {
        let at = list.partition_point(|number| self.get(*number).is_some_and(|tree| tree.root.key() < bid.key()));
        let nearest = at.saturating_sub(NEIGHBOURS)..at.saturating_add(NEIGHBOURS).min(list.len());
        list.get(nearest).unwrap_or_default().iter().copied()
    }

    /// Which tree each object gets: the cheapest pairs first, each tree once.
    fn deal(&self, pairs: &[Pair], objects: &[Object]) -> HashMap<u32, u32> {
        let mut given: HashMap<u32, u32> = HashMap::new();
        let mut taken: HashSet<u32> = HashSet::new();
        let is_claimed = |tree: u32| self.get(tree).is_some_and(|tree| tree.is_claimed);
        for pair in pairs.iter().filter(|pair| !is_claimed(pair.tree)) {
            if !given.contains_key(&pair.object) && taken.insert(pair.tree) {
                given.insert(pair.object, pair.tree);
            }
        }
        // States of one message share its tree: where more than nearness speaks for it, it may be given again.
        let needs =
            |number: u32| usize::try_from(number).ok().and_then(|index| objects.get(index)).is_some_and(|object| !object.needs.is_empty());
        for pair in pairs.iter().filter(|pair| pair.cost.recipients == Agreement::Yes || needs(pair.object)) {
            given.entry(pair.object).or_insert(pair.tree);
        }
        given
    }
}

/// Gives nodes whose subnode tree is nowhere the one that nobody names and whose id is theirs but for a bit: what a damaged
/// page says may have a bit flipped.
pub(super) fn right_links<'n>(reader: &Ndb, nodes: impl Iterator<Item = &'n mut NodeEntry>, trees: &mut [Subnodes]) {
    let is_lost = |bid: Bid| !bid.is_none() && reader.maps().is_some_and(|maps| maps.block(bid).is_none());
    let mut free: HashMap<Bid, &mut Subnodes> =
        trees.iter_mut().filter(|tree| !tree.is_claimed).map(|tree| (tree.root.key(), tree)).collect();
    for node in nodes.filter(|node| is_lost(node.subnodes)) {
        let bits = (0..u64::BITS).filter_map(|bit| 1_u64.checked_shl(bit));
        let mut near = bits.map(|bit| Bid(node.subnodes.key().0 ^ bit)).filter(|bid| free.contains_key(bid));
        if let (Some(root), None) = (near.next(), near.next())
            && let Some(tree) = free.remove(&root)
        {
            tree.is_claimed = true;
            node.subnodes = tree.root;
        }
    }
}

/// What speaks for a pair; `None` where the tree cannot be the object's.
fn cost(object: &Object, tree: &Subnodes) -> Option<Cost> {
    let is_message = matches!(object.kind, Kind::Message | Kind::Associated);
    if !object.needs.iter().all(|nid| tree.values.contains(nid)) || tree.is_tables && !object.is_table() {
        return None;
    }
    if is_message && object.has_attachments.is_some_and(|has| has != tree.has_attachments) && object.needs.is_empty() {
        return None;
    }
    // Folders and tables have a tree for their large values, or for columns, and no other.
    if !is_message && object.needs.is_empty() && !tree.is_tables {
        return None;
    }
    let distance = u32::try_from(object.data.key().0.abs_diff(tree.root.key().0)).unwrap_or(u32::MAX);
    let recipients = match (object.display_to, tree.display_to) {
        (Some(object), Some(tree)) if object == tree => Agreement::Yes,
        (Some(_), Some(_)) => Agreement::No,
        _ => Agreement::Unknown,
    };
    let exact = object.size == object.own_bytes.checked_add(tree.bytes);
    // Nothing but nearness speaks for it.
    if object.needs.is_empty() && recipients != Agreement::Yes && !exact && (recipients == Agreement::No || distance > NEAR) {
        return None;
    }
    let unnamed = tree.values.iter().filter(|nid| !object.needs.contains(nid)).count();
    let unnamed = u32::try_from(unnamed).unwrap_or(u32::MAX);
    Some(Cost { unnamed, recipients, size: Reverse(exact), distance })
}
