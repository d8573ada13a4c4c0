//! Blocks that no node names, neither a live one nor an old one: items whose entries are gone, and parts of lost items.
//!
//! An item's properties name the subnodes that they need by ids that no other node uses; so the tree of subnodes that
//! belongs to them is found although nothing links the two ([MS-PST] 2.2.2.8.3.3).

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::damage::{Result, survived};
use crate::format::block::{DataTreeBlock, SubnodeBlock};
use crate::format::heap::HEAP_SIGNATURE;
use crate::format::id::{Bid, Nid, NodeType};
use crate::ltp::Properties;
use crate::ltp::value::Value;
use crate::ndb::Ndb;
use crate::progress::Progress;
use crate::recover::{FoundBlock, Survey};
use crate::store::props::Key;
use crate::store::remains::extension_of;
use crate::store::{flags, tags};

use super::history::History;

/// What a root of blocks is, that no node names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The properties of an item.
    Message,
    /// The properties of an attachment.
    Attachment,
    /// Attachments of an item whose properties are gone.
    Subnodes,
    /// A long value that shows itself as this kind of file.
    Value(&'static str),
}

/// A root of blocks that no node names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loose {
    pub(super) kind: Kind,
    pub(super) data: Bid,
    pub(super) subnodes: Bid,
    pub(super) block: FoundBlock,
    /// Whether properties need subnodes that are not there.
    pub(super) lacks: bool,
}

/// A block's properties: of an item or an attachment.
#[derive(Debug)]
struct Owner {
    block: FoundBlock,
    kind: Kind,
    needs: Vec<Nid>,
}

/// How far, in ids of blocks, the subnodes of an item lie that names none of them. Ids are 4 apart.
const NEAR: u64 = 64 * 4;
/// The same where the item says that it has attachments.
const NOT_FAR: u64 = 1024 * 4;

/// Finds the roots among the blocks that are not live, and live ones that nothing names.
pub(super) fn find(ndb: &Ndb, view: &Ndb, survey: &Survey, history: &History, progress: &Progress) -> Result<Vec<Loose>> {
    let free = free_blocks(ndb, survey)?;
    progress.begin("Reading free blocks", free.iter().map(|block| u64::from(block.size)).sum())?;
    let inner = named_by_free(view, &free)?;
    let roots = free.iter().filter(|block| !inner.contains(&block.bid.key()) && !history.names(block.bid));
    let (mut owners, mut trees, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for root in roots {
        progress.add(root.size.into())?;
        match sort(view, root)? {
            Sorted::Owner(owner) => owners.push(owner),
            Sorted::Subnodes(nids) => trees.push((*root, nids)),
            Sorted::Value(extension) => found.push(value(root, root.bid, extension)),
            Sorted::Other => {}
        }
    }
    let taken = pair(&owners, &trees);
    for (index, owner) in owners.iter().enumerate() {
        let subnodes = taken.get(&index).and_then(|tree| trees.get(*tree)).map_or(Bid::NONE, |(block, _)| block.bid);
        let lacks = subnodes.is_none() && !owner.needs.is_empty();
        found.push(Loose { kind: owner.kind, data: owner.block.bid, subnodes, block: owner.block, lacks });
    }
    let paired: HashSet<usize> = taken.into_values().collect();
    // A tree may name one value many times.
    let mut seen: HashSet<Bid> = HashSet::new();
    for (_, (block, nids)) in trees.iter().enumerate().filter(|(index, _)| !paired.contains(index)) {
        if nids.iter().any(|nid| nid.kind() == NodeType::ATTACHMENT) {
            found.push(Loose { kind: Kind::Subnodes, data: Bid::NONE, subnodes: block.bid, block: *block, lacks: true });
        } else {
            found.extend(values(view, block)?.into_iter().filter(|value| seen.insert(value.data.key())));
        }
    }
    Ok(found)
}

/// Verified blocks that the live block B-tree does not name, and those of which it counts no names; ascending.
fn free_blocks(ndb: &Ndb, survey: &Survey) -> Result<Vec<FoundBlock>> {
    let mut free = Vec::new();
    let mut rest = survey.blocks.iter().peekable();
    let mut last = None;
    let mut keep = |block: &FoundBlock, free: &mut Vec<FoundBlock>| {
        // Of several copies the first is the best.
        if last.replace(block.bid.key()) != Some(block.bid.key()) && block.is_whole {
            free.push(*block);
        }
    };
    ndb.visit_blocks(&mut |entry| {
        let key = entry.block.bid.key();
        while let Some(block) = rest.next_if(|block| block.bid.key() < key) {
            keep(block, &mut free);
        }
        while let Some(block) = rest.next_if(|block| block.bid.key() == key) {
            // Counts are 1 + the names; maps made by a search count nothing at all.
            if entry.references == 1 {
                keep(block, &mut free);
            }
        }
        true
    })?;
    rest.for_each(|block| keep(block, &mut free));
    Ok(free)
}

/// What the inner blocks among these name.
fn named_by_free(view: &Ndb, free: &[FoundBlock]) -> Result<HashSet<Bid>> {
    let mut named = HashSet::new();
    for block in free.iter().filter(|block| block.bid.is_internal()) {
        let Some(data) = read(view, block.bid)? else { continue };
        if let Ok(tree) = DataTreeBlock::decode(view.format(), &data) {
            named.extend(tree.children.iter().map(|child| child.key()));
        }
        match SubnodeBlock::decode(view.format(), &data) {
            Ok(SubnodeBlock::Leaf(entries)) => named.extend(entries.iter().flat_map(|entry| [entry.data.key(), entry.subnodes.key()])),
            Ok(SubnodeBlock::Branch(branches)) => named.extend(branches.iter().map(|branch| branch.child.key())),
            Err(_) => {}
        }
    }
    Ok(named)
}

fn read(view: &Ndb, bid: Bid) -> Result<Option<Vec<u8>>> {
    Ok(survived(view.block(bid))?.map(|block| block.data.clone()))
}

/// What a root turns out to be.
enum Sorted {
    Owner(Owner),
    Subnodes(Vec<Nid>),
    Value(&'static str),
    Other,
}

fn sort(view: &Ndb, root: &FoundBlock) -> Result<Sorted> {
    if root.bid.is_internal()
        && let Some(data) = read(view, root.bid)?
        && SubnodeBlock::decode(view.format(), &data).is_ok()
    {
        let nids = view.subnodes(root.bid).map(|entries| entries.iter().map(|entry| entry.nid.nid).collect());
        return Ok(nids.map_or(Sorted::Other, Sorted::Subnodes));
    }
    let Some(head) = head(view, root.bid)? else { return Ok(Sorted::Other) };
    if head.get(2) == Some(&HEAP_SIGNATURE)
        && let Some(owner) = owner(view, root)?
    {
        return Ok(Sorted::Owner(owner));
    }
    Ok(extension_of(&head).map_or(Sorted::Other, Sorted::Value))
}

/// The start of a data tree.
fn head(view: &Ndb, root: Bid) -> Result<Option<Vec<u8>>> {
    const HEAD_BYTES: usize = 2048;
    survived(view.data(root).and_then(|data| data.read(view, 0, HEAD_BYTES)))
}

/// The properties of an item or attachment at this root, if it has some.
fn owner(view: &Ndb, root: &FoundBlock) -> Result<Option<Owner>> {
    let properties = match Properties::open(view, Nid::default(), root.bid, Bid::NONE) {
        Ok(properties) => properties,
        Err(error) if error.is_io() => return Err(error),
        Err(_) => return Ok(None),
    };
    let records = properties.records();
    let record = |key| records.iter().find(|record| Key::Id(record.id) == key);
    let kind = match (record(tags::MESSAGE_CLASS), record(tags::ATTACH_METHOD)) {
        (Some(_), _) => Kind::Message,
        (None, Some(_)) => Kind::Attachment,
        (None, None) => return Ok(None),
    };
    let mut needs = Vec::new();
    for record in records.iter().filter(|record| !record.kind.is_inline()) {
        match record.value.hid() {
            None if record.value.0 != 0 => needs.push(Nid(record.value.0)),
            _ if Key::Id(record.id) == tags::ATTACH_DATA => {
                if let Ok(Some(Value::Object(nid, _))) = properties.value(record) {
                    needs.push(nid);
                }
            }
            _ => {}
        }
    }
    let flags = record(tags::MESSAGE_FLAGS).and_then(|record| properties.value(record).ok()?);
    if matches!(flags, Some(Value::I32(flags)) if flags & flags::HAS_ATTACHMENTS != 0) {
        needs.push(Nid::ATTACHMENT_TABLE);
    }
    Ok(Some(Owner { block: *root, kind, needs }))
}

/// Which tree of subnodes belongs to which properties: positions of both, each tree once, the nearest first.
fn pair(owners: &[Owner], trees: &[(FoundBlock, Vec<Nid>)]) -> HashMap<usize, usize> {
    let mut holders: HashMap<Nid, Vec<usize>> = HashMap::new();
    for (index, (_, nids)) in trees.iter().enumerate() {
        for nid in nids.iter().filter(|nid| is_unique(**nid)) {
            holders.entry(*nid).or_default().push(index);
        }
    }
    let by_bid: BTreeMap<Bid, usize> = trees.iter().enumerate().map(|(index, (block, _))| (block.bid.key(), index)).collect();
    let mut choices = Vec::new();
    for (index, owner) in owners.iter().enumerate() {
        let candidates = match owner.needs.iter().find(|nid| is_unique(**nid)) {
            Some(nid) => holders.get(nid).cloned().unwrap_or_default(),
            // An attachment that needs nothing has nothing beside it.
            None if owner.kind == Kind::Attachment => Vec::new(),
            None => neighbours(owner, trees, &by_bid),
        };
        let fitting = candidates.into_iter().filter_map(|tree| Some((tree, trees.get(tree).filter(|(_, nids)| owner.fits(nids))?)));
        choices.extend(fitting.map(|(tree, (block, _))| (block.bid.key().0.abs_diff(owner.block.bid.key().0), index, tree)));
    }
    choices.sort_unstable();
    let (mut taken, mut used) = (HashMap::new(), HashSet::new());
    for (_, owner, tree) in choices {
        if !taken.contains_key(&owner) && used.insert(tree) {
            taken.insert(owner, tree);
        }
    }
    taken
}

/// The trees of messages whose blocks were written about when those of these properties were.
fn neighbours(owner: &Owner, trees: &[(FoundBlock, Vec<Nid>)], by_bid: &BTreeMap<Bid, usize>) -> Vec<usize> {
    let own = owner.block.bid.key().0;
    let reach = if owner.needs.is_empty() { NEAR } else { NOT_FAR };
    let range = Bid(own.saturating_sub(reach))..=Bid(own.saturating_add(reach));
    let of_message = |tree: &&usize| trees.get(**tree).is_some_and(|(_, nids)| nids.contains(&Nid::RECIPIENT_TABLE));
    by_bid.range(range).map(|(_, tree)| tree).filter(of_message).copied().collect()
}

impl Owner {
    /// Whether a tree with these subnodes may be its own: it has all that they name, and no large value that they do not.
    fn fits(&self, nids: &[Nid]) -> bool {
        self.needs.iter().all(|nid| nids.contains(nid)) && nids.iter().all(|nid| nid.kind() != NodeType::LTP || self.needs.contains(nid))
    }
}

/// Whether a subnode's id is given out once in a store: those of tables are the same in every message.
fn is_unique(nid: Nid) -> bool {
    ![Nid::ATTACHMENT_TABLE, Nid::RECIPIENT_TABLE].contains(&nid)
}

fn value(block: &FoundBlock, data: Bid, extension: &'static str) -> Loose {
    Loose { kind: Kind::Value(extension), data, subnodes: Bid::NONE, block: *block, lacks: false }
}

/// The large values in a tree of subnodes whose item is gone.
fn values(view: &Ndb, block: &FoundBlock) -> Result<Vec<Loose>> {
    let mut found = Vec::new();
    for entry in view.subnodes(block.bid).unwrap_or_default() {
        if entry.nid.nid.kind() == NodeType::LTP
            && let Some(extension) = head(view, entry.data)?.as_deref().and_then(extension_of)
        {
            found.push(value(block, entry.data, extension));
        }
    }
    Ok(found)
}
