//! Which subnode tree belongs to which object: the link that only the node B-tree has.
//!
//! Ids of large values are drawn from one counter, so an object that names some has the one tree that holds them. Others
//! are told by their recipients, attachments, size, and by how near the blocks' ids are: what is written together gets
//! ids that follow each other. Each tree belongs to one object.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::format::id::{Bid, Nid};

use super::loose::{Loose, Subnodes};
use super::object::{Kind, Object};

/// How many trees on each side of an object's id are tried.
const NEIGHBOURS: usize = 24;
/// The farthest that an id may be where nothing but nearness speaks for a pair: 64 blocks.
const NEAR: u64 = 256;

/// How well a tree fits an object; the lower the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    /// Large values that the tree lacks make it none at all; so fewer of them that the object does not name are better.
    unnamed: usize,
    recipients: Agreement,
    size: Reverse<bool>,
    distance: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Agreement {
    Yes,
    Unknown,
    No,
}

/// Gives each object that fits one its subnode tree.
pub(super) fn pair(loose: &mut Loose) {
    let mut trees: Vec<&Subnodes> = loose.subnodes.iter().collect();
    trees.sort_unstable_by_key(|tree| tree.root.key());
    let by_value = by_value(&trees);
    let plain: Vec<usize> = (0..).zip(&trees).filter(|(_, tree)| tree.values.is_empty()).map(|(index, _)| index).collect();
    let mut by_recipients: HashMap<u32, Vec<usize>> = HashMap::new();
    for index in &plain {
        if let Some(digest) = trees.get(*index).and_then(|tree| tree.display_to) {
            by_recipients.entry(digest).or_default().push(*index);
        }
    }
    let mut pairs: Vec<(Cost, usize, usize)> = Vec::new();
    for (number, object) in loose.objects.iter().enumerate() {
        let mut tried: Vec<usize> = match object.needs.iter().find_map(|nid| by_value.get(nid)) {
            Some(holders) => holders.iter().copied().take(NEIGHBOURS).collect(),
            None if object.needs.is_empty() => neighbours(&plain, &trees, object.data).collect(),
            // Its tree is lost: none that is left holds what it names.
            None => Vec::new(),
        };
        if let (true, Some(named)) = (object.needs.is_empty(), object.display_to.and_then(|to| by_recipients.get(&to))) {
            tried.extend(neighbours(named, &trees, object.data));
            tried.sort_unstable();
            tried.dedup();
        }
        pairs.extend(tried.into_iter().filter_map(|tree| Some((cost(object, trees.get(tree)?)?, number, tree))));
    }
    pairs.sort_unstable();
    let mut given: HashMap<usize, usize> = HashMap::new();
    let mut taken: Vec<bool> = trees.iter().map(|tree| tree.is_claimed).collect();
    for (_, number, tree) in &pairs {
        if let Some(taken) = taken.get_mut(*tree)
            && !*taken
            && !given.contains_key(number)
        {
            *taken = true;
            given.insert(*number, *tree);
        }
    }
    // States of one message share its tree: where more than nearness speaks for it, it may be given again.
    for (cost, number, tree) in &pairs {
        let needs = loose.objects.get(*number).is_some_and(|object| !object.needs.is_empty());
        if needs || cost.recipients == Agreement::Yes {
            given.entry(*number).or_insert(*tree);
        }
    }
    let roots: HashMap<usize, Bid> = given.into_iter().filter_map(|(number, tree)| Some((number, trees.get(tree)?.root))).collect();
    for (number, object) in loose.objects.iter_mut().enumerate() {
        object.subnodes = roots.get(&number).copied().unwrap_or(Bid::NONE);
    }
}

fn by_value(trees: &[&Subnodes]) -> HashMap<Nid, Vec<usize>> {
    let mut by_value: HashMap<Nid, Vec<usize>> = HashMap::new();
    for (index, tree) in trees.iter().enumerate() {
        for value in &tree.values {
            by_value.entry(*value).or_default().push(index);
        }
    }
    by_value
}

/// The trees of a list whose ids are nearest to this one.
fn neighbours<'a>(list: &'a [usize], trees: &'a [&Subnodes], bid: Bid) -> impl Iterator<Item = usize> + 'a {
    let at = list.partition_point(|index| trees.get(*index).is_some_and(|tree| tree.root.key() < bid.key()));
    let nearest = at.saturating_sub(NEIGHBOURS)..at.saturating_add(NEIGHBOURS).min(list.len());
    list.get(nearest).unwrap_or_default().iter().copied()
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
    let distance = object.data.key().0.abs_diff(tree.root.key().0);
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
    Some(Cost { unnamed, recipients, size: Reverse(exact), distance })
}
