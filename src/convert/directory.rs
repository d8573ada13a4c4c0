//! Whose X.500 name is which mail address, learnt from all messages of a store.

use super::people;
use crate::damage::{Code, Place, Result};
use crate::format::id::NodeType;
use crate::store::Store;
use crate::store::addresses::Addresses;

/// Reads the properties and recipients of every message of the store, in the order of their node ids: of several
/// addresses for a name that of the lowest id counts, so the same store tells the same.
///
/// Messages inside attachments are not opened. What cannot be read is noted and tells nothing. Memory grows by 4 bytes a
/// message, and by the names up to a limit.
pub fn addresses(store: &Store) -> Result<Addresses> {
    let mut nids = Vec::new();
    store.ndb().visit_nodes(&mut |node| {
        if node.nid.nid.kind() == NodeType::MESSAGE {
            nids.push(node.nid.nid);
        }
        true
    })?;
    nids.sort_unstable();
    nids.dedup();
    let mut addresses = Addresses::default();
    for nid in nids {
        match store.locate(nid).and_then(|node| store.envelope(node)) {
            Ok(item) => people::pairs(&item).for_each(|(x500, smtp)| addresses.add(x500, smtp)),
            Err(error) if error.is_io() => return Err(error),
            Err(error) => store.ndb().notes().survived(&error, Code::MessageRow, Place::node(nid.0)),
        }
    }
    Ok(addresses)
}
