//! B-trees, loaded from entries in order: full leaves, then level upon level up to the root.

use crate::damage::Result;
use crate::format::Format;
use crate::format::btree::{BTreePage, BranchEntry};
use crate::format::codec::{Field, Word};
use crate::format::id::BlockRef;

/// Writes a B-tree of these entries, ascending by key, and tells its root. `put` writes a page of this body.
///
/// An empty tree is one empty leaf.
pub(super) fn load<T: Field>(
    format: Format,
    entries: impl Iterator<Item = T>,
    key: impl Fn(&T) -> u64,
    put: &mut dyn FnMut(&[u8]) -> Result<BlockRef>,
) -> Result<BlockRef> {
    let mut branches = put_level(format, 0, entries, key, put)?;
    let mut level = 0_u8;
    loop {
        match branches.as_slice() {
            [] => return put(&BTreePage::encode::<T>(format, 0, &[])),
            [root] => return Ok(root.child),
            _ => {
                level = level.saturating_add(1);
                branches = put_level(format, level, branches.into_iter(), |entry| entry.key.0, put)?;
            }
        }
    }
}

/// Writes one level; the parent's key of a page is the page's first.
fn put_level<T: Field>(
    format: Format,
    level: u8,
    entries: impl Iterator<Item = T>,
    key: impl Fn(&T) -> u64,
    put: &mut dyn FnMut(&[u8]) -> Result<BlockRef>,
) -> Result<Vec<BranchEntry>> {
    let capacity = BTreePage::capacity::<T>(format);
    let mut entries = entries.peekable();
    let mut above = Vec::new();
    while let Some(first) = entries.peek().map(&key) {
        let page: Vec<T> = entries.by_ref().take(capacity).collect();
        above.push(BranchEntry { key: Word(first), child: put(&BTreePage::encode(format, level, &page))? });
    }
    Ok(above)
}
