//! What a repair keeps though it may not be what was there: it looks whole from then on, so it is written down.

use std::collections::{BTreeMap, BTreeSet};

use super::census::Census;
use crate::damage::Result;
use crate::format::id::{Bid, Nid};

/// Blocks that look whole from now on and are not, and the nodes that name them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::repair) struct Doubts {
    /// By the id that the block has from now on, or that of the root of its tree.
    pub(in crate::repair) blocks: BTreeMap<Bid, Doubt>,
    /// Nodes that hold them, or any of what follows.
    pub(in crate::repair) nodes: BTreeSet<Nid>,
    /// Messages of which an earlier state stands in for the one that is lost.
    pub(in crate::repair) earlier: BTreeSet<Nid>,
}

/// Why a block may not hold what was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::repair) enum Doubt {
    /// It is kept as it reads, and its CRC was wrong.
    AsRead,
    /// Zeros stand where bytes are lost.
    Zeros,
    /// What was below it is lost in part.
    Short,
}

impl Census<'_> {
    /// Notes that a block, or what is below this root, may not hold what was there.
    pub(super) fn doubt(&mut self, bid: Bid, doubt: Doubt) {
        let known = self.doubts.blocks.entry(bid.key()).or_insert(doubt);
        *known = doubt.max(*known);
        self.tainted.insert(bid.key());
        self.meet(bid);
    }

    /// Notes that the node at hand names this root or block.
    pub(super) fn meet(&mut self, bid: Bid) {
        if self.tainted.contains(&bid.key()) {
            self.met = self.met.saturating_add(1);
            self.doubts.nodes.insert(self.node);
        }
    }

    /// Doubts a root if one of these blocks below it is in doubt.
    pub(super) fn doubt_above(&mut self, root: Bid, below: impl IntoIterator<Item = Bid>) {
        let worst = below.into_iter().filter_map(|bid| self.doubts.blocks.get(&bid.key()).copied()).max();
        worst.into_iter().for_each(|doubt| self.doubt(root, doubt));
    }

    /// Does something about what lies below a root, and remembers the root if something in doubt was met.
    pub(super) fn below<T>(&mut self, root: Bid, walk: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = self.met;
        let walked = walk(self)?;
        if self.met != before {
            self.tainted.insert(root.key());
        }
        Ok(walked)
    }
}
