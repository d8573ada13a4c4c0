//! Which name and inode number stands for which item.

use std::sync::Arc;

use crate::damage::{Error, Result};
use crate::store::Store;

/// An inode number: stable over mounts, a function of the node id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ino(pub u64);

impl Ino {
    /// The root of the mount.
    pub const ROOT: Self = Self(1);
    /// Numbers below this belong to the files that the mount itself adds (`.control`, `.scanlog`).
    pub const FIRST: Self = Self(16);
}

/// What an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Directory,
    /// A document.
    File,
}

/// What `stat` shows of an inode; owner and mode are the mount's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Its number.
    pub ino: Ino,
    /// What it is.
    pub kind: Kind,
    /// Exact size in bytes; of a folder 0.
    pub size: u64,
    /// Seconds since 1970 and nanoseconds.
    pub mtime: (i64, u32),
    /// Number of links: 2 and one for each folder in a folder.
    pub links: u32,
}

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its number.
    pub ino: Ino,
    /// What it is.
    pub kind: Kind,
}

/// The entries of a folder, in the order in which they are listed.
#[derive(Debug)]
pub struct Listing {
    /// The folder above.
    pub parent: Ino,
    /// The entries, without `.` and `..`.
    pub entries: Vec<Entry>,
}

/// A document that was opened; its bytes stay the same while it is open.
#[derive(Debug)]
pub struct OpenFile {
    ino: Ino,
}

/// What the user asked to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The whole tree from the root folder.
    pub all_folders: bool,
    /// Associated messages too.
    pub hidden: bool,
    /// Beside each message with attachments a folder of plain files.
    pub attachments: bool,
    /// How documents are named.
    pub names: Names,
    /// Nothing under `Recovered`.
    pub no_recovered: bool,
}

/// How documents are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// Time and subject.
    #[default]
    Date,
    /// Subject.
    Subject,
    /// Node id.
    Nid,
}

/// The tree of one store.
#[derive(Debug)]
pub struct Tree {
    store: Arc<Store>,
}

impl Tree {
    /// The tree of a store, as a user wants to see it; `cache_bytes` is the budget for listings and documents.
    pub fn new(store: Arc<Store>, _view: View, _cache_bytes: usize) -> Self {
        Self { store }
    }
    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }
    /// The entry of this name in a folder.
    pub fn lookup(&self, _parent: Ino, name: &str) -> Result<Attributes> {
        Err(Error::NotFound(name.to_owned()))
    }
    /// What `stat` shows.
    pub fn attributes(&self, ino: Ino) -> Result<Attributes> {
        Ok(Attributes { ino, kind: Kind::Directory, size: 0, mtime: (0, 0), links: 2 })
    }
    /// The entries of a folder.
    pub fn list(&self, _ino: Ino) -> Result<Arc<Listing>> {
        Ok(Arc::new(Listing { parent: Ino::ROOT, entries: Vec::new() }))
    }
    /// Opens a document.
    pub fn open(&self, ino: Ino) -> Result<OpenFile> {
        Ok(OpenFile { ino })
    }
    /// Bytes of an open document from `offset`, at most `len`; fewer only at its end.
    pub fn read(&self, file: &OpenFile, _offset: u64, _len: usize) -> Result<Vec<u8>> {
        Err(Error::NotFound(format!("{:?}", file.ino)))
    }
    /// The names of the extended attributes that are set.
    pub fn xattr_names(&self, _ino: Ino) -> Result<Vec<&'static str>> {
        Ok(Vec::new())
    }
    /// An extended attribute's value, `None` where it is not set.
    pub fn xattr(&self, _ino: Ino, _name: &str) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
    /// For `statfs`: the store's length in bytes and how many documents and folders it has.
    pub fn usage(&self) -> Result<(u64, u64)> {
        Ok((0, 0))
    }
}
