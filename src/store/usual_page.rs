//! Which code page the folders of an ANSI store are named in.
//!
//! A folder tells no code page, nor does the store: both are named in that of the Windows that made them. Its items
//! tell theirs, and where nearly all of them agree, that is the one.

use super::Store;
use super::codepage::WINDOWS_1252;
use super::props::codepage_told;
use crate::damage::{Result, survived};
use crate::format::Format;
use crate::format::btree::NodeEntry;
use crate::format::id::{Nid, NodeType};
use crate::ltp::Properties;
use crate::ltp::value::Value;

/// How many items are asked: the oldest ones, whose nodes lie together.
const ASKED: usize = 32;

impl Store {
    /// The code page of names that tell none: that of at least three in four of the items asked, else Western European.
    ///
    /// Asked for once, and only in ANSI stores: the others have their names in Unicode. While the disk fails nothing is known.
    pub fn usual_page(&self) -> Result<u16> {
        match (self.ndb.format(), self.usual_page.get()) {
            (Format::Ansi, None) => {
                let page = agreed(&self.pages_told()?);
                Ok(*self.usual_page.get_or_init(|| page))
            }
            (Format::Ansi, Some(page)) => Ok(*page),
            (Format::Unicode | Format::Unicode4k, _) => Ok(WINDOWS_1252),
        }
    }

    /// What each of the first items tells. Where the tree ends in damage, and an item that is damaged, tell nothing.
    fn pages_told(&self) -> Result<Vec<Option<u16>>> {
        let mut items: Vec<NodeEntry> = Vec::new();
        let walk = self.ndb.visit_nodes(&mut |node| {
            if node.nid.nid.kind() == NodeType::MESSAGE {
                items.push(*node);
            }
            items.len() < ASKED
        });
        survived(walk)?;
        let told = |item: &NodeEntry| {
            let read = Properties::open(&self.ndb, item.nid.nid, item.data, item.subnodes).and_then(|item| item.values());
            let values = survived(read)?.unwrap_or_default();
            Ok(codepage_told(|key| match values.get(&key.id()?)? {
                Value::I32(value) => Some(*value),
                _ => None,
            }))
        };
        items.iter().map(told).collect()
    }
}

/// Whether a node's texts are names of folders, or of the store, which tell no code page.
pub fn names_folders(nid: Nid) -> bool {
    nid == Nid::MESSAGE_STORE || [NodeType::FOLDER, NodeType::SEARCH_FOLDER, NodeType::HIERARCHY_TABLE].contains(&nid.kind())
}

/// The page that three in four tell; Western European where none does.
fn agreed(told: &[Option<u16>]) -> u16 {
    let count = |page: Option<u16>| told.iter().filter(|other| **other == page).count();
    let most = told.iter().copied().flatten().max_by_key(|page| count(Some(*page)));
    let enough = |page: &u16| count(Some(*page)).saturating_mul(4) >= told.len().saturating_mul(3);
    most.filter(enough).unwrap_or(WINDOWS_1252)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_in_four_are_enough_and_fewer_are_not() {
        assert_eq!(agreed(&[Some(932), Some(932), None, Some(932)]), 932);
        assert_eq!(agreed(&[Some(1251), Some(1251), Some(1252), None]), WINDOWS_1252);
        assert_eq!(agreed(&[None, None]), WINDOWS_1252);
        assert_eq!(agreed(&[]), WINDOWS_1252);
    }
}
