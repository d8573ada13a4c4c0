//! Pages of B-trees, read wherever they stand: live, stale, or left of another time.

use crate::damage::Result;
use crate::format::btree::BTreePage;
use crate::format::id::{Bid, Ib};
use crate::format::page::Page;
use crate::ndb::Ndb;

/// Gives `look` the page at this place; `None` where there is none. An error where it cannot be read: what a survey found
/// could be read a moment ago.
pub(super) fn with_page<T>(ndb: &Ndb, ib: Ib, look: impl FnOnce(&BTreePage<'_>) -> T) -> Result<Option<T>> {
    let mut bytes = vec![0; ndb.format().layout().page_bytes];
    ndb.source().read_exact_at(&mut bytes, ib.0)?;
    let Ok(page) = Page::decode(ndb.format(), &bytes) else { return Ok(None) };
    let body = page.written(&page.faults(ib));
    Ok(BTreePage::decode(ndb.format(), &body).ok().map(|body| look(&body)))
}

/// By which two states of a node are told apart, the later being the greater: ids of blocks are given out one after the
/// other, and a change writes new blocks.
pub(super) fn state_order(data: Bid, subnodes: Bid) -> (Bid, Bid) {
    (data.key().max(subnodes.key()), data.key())
}
