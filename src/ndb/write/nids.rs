//! Giving out node ids: the header's counters ([MS-PST] 2.2.2.6, rgnid).

use crate::damage::{Error, Result};
use crate::format::id::{Nid, NodeType};

/// The highest index given out so far, for each type of node.
///
/// A folder's tables share its index, so their counters rise together; the same holds for a search folder's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nids([u32; 32]);

/// Types whose ids share an index: a folder and its tables, a search folder and what belongs to it.
const FAMILIES: [[u8; 4]; 2] = [[0x02, 0x0d, 0x0e, 0x0f], [0x03, 0x06, 0x07, 0x10]];

/// Indexes have 27 bits.
const INDEX_MAX: u32 = (1 << 27) - 1;

impl Default for Nids {
    /// Where Outlook begins: fixed ids lie below.
    fn default() -> Self {
        let mut nids = [0x400; 32];
        for (kind, first) in [(0x03, 0x4000), (0x04, 0x10000), (0x08, 0x8000)] {
            if let Some(counter) = nids.get_mut::<usize>(kind) {
                *counter = first;
            }
        }
        Self(nids)
    }
}

impl Nids {
    /// The counters of a header.
    pub const fn new(counters: [u32; 32]) -> Self {
        Self(counters)
    }

    /// A new id of this type.
    pub fn next(&mut self, kind: NodeType) -> Result<Nid> {
        let index = self.counter(kind).saturating_add(1);
        if index > INDEX_MAX {
            return Err(Error::Unsupported(format!("a store with more nodes of type {:#x} than ids", kind.0)));
        }
        let nid = Nid::new(kind, index);
        self.cover(nid);
        Ok(nid)
    }

    /// Notes that an id is in use: no later one will have its index.
    pub fn cover(&mut self, nid: Nid) {
        let kind = nid.kind();
        let own = [kind.0];
        let family: &[u8] = FAMILIES.iter().find(|family| family.contains(&kind.0)).map_or(&own, |family| family.as_slice());
        for member in family {
            if let Some(counter) = self.0.get_mut(usize::from(*member)) {
                *counter = (*counter).max(nid.index());
            }
        }
    }

    /// The counters as the header holds them.
    pub const fn counters(&self) -> [u32; 32] {
        self.0
    }

    fn counter(&self, kind: NodeType) -> u32 {
        self.0.get(usize::from(kind.0)).copied().unwrap_or(INDEX_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_and_the_first_message_are_where_outlook_has_them() {
        let mut nids = Nids::default();
        assert_eq!(nids.next(NodeType::FOLDER).unwrap(), Nid(0x8022));
        assert_eq!(nids.next(NodeType::MESSAGE).unwrap(), Nid(0x20_0024));
    }

    #[test]
    fn a_folders_tables_rise_with_it() {
        let mut nids = Nids::default();
        nids.next(NodeType::FOLDER).unwrap();
        nids.cover(Nid::new(NodeType::CONTENTS_TABLE, 0x500));
        assert_eq!([2, 0xd, 0xe, 0xf, 3].map(|kind| nids.counters()[kind]), [0x500, 0x500, 0x500, 0x500, 0x4000]);
    }

    #[test]
    fn ids_end_with_their_bits() {
        let mut nids = Nids::new([INDEX_MAX; 32]);
        assert!(nids.next(NodeType::MESSAGE).is_err());
    }
}
