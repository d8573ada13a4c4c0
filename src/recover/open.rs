//! Opening a store from a path.

use std::path::Path;
use std::sync::Arc;

use crate::damage::Result;
use crate::disk::{self, Access};
use crate::format::id::Nid;
use crate::store::Store;

/// How to open a store.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Map the file into memory where that is safe; `pread` otherwise.
    pub mmap: bool,
    /// Bytes for the caches of pages, blocks and trees.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { mmap: true, cache_bytes: 32 << 20 }
    }
}

/// Opens the store in a file, for reading only.
///
/// An error where the file cannot be read, is no store, is of an unknown kind, or has no root folder that can be found.
pub fn open(path: &Path, options: Options) -> Result<Arc<Store>> {
    let source = disk::open(path, Access { mmap: options.mmap })?;
    let store = Store::open(Arc::from(source), options.cache_bytes)?;
    // Without a root folder nothing can be shown: say so now rather than show an empty tree.
    store.ndb().required_node(Nid::ROOT_FOLDER)?;
    Ok(Arc::new(store))
}
