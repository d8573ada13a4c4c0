//! Which folders, messages, attachments and recipients there are.
pub mod codepage;
pub mod item;
pub mod names;
pub mod props;
pub mod tags;

use crate::damage::Result;
use crate::ndb::Ndb;
use item::{Item, NodeRef};
use std::sync::Arc;

/// stub
#[derive(Debug)]
pub struct Store {
    ndb: Arc<Ndb>,
}
impl Store {
    /// stub: any readable file will do
    pub fn open_path(path: &std::path::Path, _no_mmap: bool, _cache_bytes: usize) -> Result<Arc<Self>> {
        std::fs::File::open(path)?;
        Ok(Arc::new(Self { ndb: Arc::default() }))
    }
    /// The file below
    pub fn ndb(&self) -> &Arc<Ndb> {
        &self.ndb
    }
    /// An item's properties, recipients, attachments
    pub fn item(&self, _node: NodeRef) -> Result<Item> {
        Ok(Item::default())
    }
    /// The message inside an attachment; `depth` levels deep already
    pub fn embedded(&self, node: NodeRef) -> Result<Item> {
        self.item(node)
    }
}
