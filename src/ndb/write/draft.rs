//! What a node is to hold, before it has a place in any file.

use crate::format::id::{Bid, Nid};

/// The data and subnodes of a node that is not written yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The data blocks in order; all but the last are as large as the format allows.
    pub data: Vec<Vec<u8>>,
    /// The subnodes, in any order.
    pub subnodes: Vec<(Nid, Part)>,
}

/// A subnode of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Not written yet.
    Draft(Draft),
    /// Its blocks are in the file already: a large stream, or what others share.
    Stored(Stored),
}

/// Where a node's content lies: the roots of its data tree and of its subnode tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Root of the data tree; none where the node is empty.
    pub data: Bid,
    /// Root of the subnode tree; none where there are no subnodes.
    pub subnodes: Bid,
}

impl Draft {
    /// Bytes of all data of the node and of the drafts below it: what PidTagMessageSize counts.
    pub fn bytes(&self) -> u64 {
        let mut total = 0_u64;
        let mut waiting = vec![self];
        while let Some(draft) = waiting.pop() {
            let own = draft.data.iter().map(|block| u64::try_from(block.len()).unwrap_or(u64::MAX));
            total = own.fold(total, u64::saturating_add);
            waiting.extend(draft.subnodes.iter().filter_map(|(_, part)| match part {
                Part::Draft(draft) => Some(draft),
                Part::Stored(_) => None,
            }));
        }
        total
    }
}
