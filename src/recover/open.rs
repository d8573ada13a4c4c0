//! Opening a store from a path.

use std::path::Path;
use std::sync::Arc;

use crate::damage::{Error, Result};
use crate::disk::{self, Access};
use crate::format::id::Nid;
use crate::ndb::Ndb;
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
    let ndb = Arc::new(Ndb::open(Arc::from(source), options.cache_bytes)?);
    let open = || {
        let store = Store::from_ndb(Arc::clone(&ndb))?;
        // Without a root folder nothing can be shown: say so now rather than show an empty tree.
        store.ndb().required_node(Nid::ROOT_FOLDER)?;
        Ok(Arc::new(store))
    };
    open().map_err(|error| cut_short(&ndb, error))
}

/// The error of a store that is shorter than it says, in words that tell so.
fn cut_short(ndb: &Ndb, error: Error) -> Error {
    let (is, was) = (ndb.file_bytes(), ndb.header().root.file_eof.0);
    match error {
        Error::Damaged(..) if is < was => Error::Unsupported(format!(
            "cut off: {is} of {was} bytes are there, and what finds its contents lay in the rest ({error}); look for a whole copy"
        )),
        error => error,
    }
}
