//! Which name and inode number stands for which item; exact sizes; attributes.
//!
//! The tree of one store as users see it, without FUSE: plain questions and plain answers, from any thread. Names come
//! from the folders' tables, sizes from the documents; both are kept in caches with byte budgets, and both are the same
//! at every mount.

mod count;
mod document;
mod ino;
mod listing;
mod name;
mod other;
mod recovered;
mod xattr;

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use crate::convert::document::fetch;
use crate::convert::{self, Document};
use crate::damage::{Error, Result};
use crate::format::id::Nid;
use crate::format::property::FileTime;
use crate::ndb::cache::Cache;
use crate::recover::{Findings, Orphans};
use crate::store::Store;

pub use count::Count;
pub use ino::{Ino, Object, Slot};
pub use listing::{Entry, Kind, Listing};

/// What `stat` shows of an inode; owner and mode are the mount's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Its number.
    pub ino: Ino,
    /// What it is.
    pub kind: Kind,
    /// Exact size in bytes; of a folder 0.
    pub size: u64,
    /// Seconds since 1970 and nanoseconds; `None` where the store tells no time.
    pub mtime: Option<(i64, u32)>,
}

/// A document that was opened; its bytes stay the same while it is open.
#[derive(Clone, Debug)]
pub struct OpenFile {
    rendered: Arc<Rendered>,
}

impl OpenFile {
    /// Exact size in bytes.
    pub fn size(&self) -> u64 {
        self.rendered.known.size
    }

    /// Seconds since 1970 and nanoseconds; `None` where the store tells no time.
    pub fn mtime(&self) -> Option<(i64, u32)> {
        self.rendered.known.mtime
    }
}

/// A document, with what is remembered of it.
#[derive(Debug)]
struct Rendered {
    /// What reads the document's streams.
    store: Arc<Store>,
    document: Document,
    known: Known,
}

impl Rendered {
    fn new(store: &Arc<Store>, document: Document, time: Option<FileTime>) -> Self {
        let known = Known { size: document.len(), mtime: time.and_then(FileTime::unix) };
        Self { store: Arc::clone(store), document, known }
    }
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
    /// What the documents look like.
    pub documents: crate::convert::Options,
    /// What is shown under `Recovered`.
    pub recovered: Recovered,
    /// X.500 names of people become the mail addresses that any item of the store tells.
    pub resolve_store: bool,
}

/// What is shown under `Recovered`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recovered {
    /// There is no such folder.
    None,
    /// What no folder reaches, and what a search found once one has ended.
    #[default]
    Orphaned,
    /// The same, with a search before anything is shown.
    All,
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
    view: View,
    listings: Cache<Ino, Listing>,
    /// The folders that were ever listed; the listings themselves may be forgotten.
    listed: Mutex<HashSet<Ino>>,
    documents: Cache<Ino, Rendered>,
    known: Mutex<HashMap<Ino, Known>>,
    orphans: OnceLock<Orphans>,
    /// Held while something is searched for in the whole store: once is enough.
    searching: Mutex<()>,
    other: OnceLock<other::OtherFolders>,
    /// What a search of the whole file found, once one has ended.
    found: RwLock<Option<Arc<Findings>>>,
    /// Whether the store was searched for mail addresses.
    resolved: OnceLock<()>,
}

/// What is kept of every document that was looked at, instead of the document.
#[derive(Clone, Copy, Debug)]
struct Known {
    size: u64,
    mtime: Option<(i64, u32)>,
}

/// How many sizes are kept before all are forgotten: 20 MiB of them.
const KNOWN_MAX: usize = 400_000;

impl Tree {
    /// The tree of a store, as a user wants to see it; `cache_bytes` is the budget for listings and documents.
    pub fn new(store: Arc<Store>, view: View, cache_bytes: usize) -> Self {
        Self {
            store,
            view,
            listings: Cache::keeping_newest(cache_bytes >> 1),
            listed: Mutex::default(),
            documents: Cache::new(cache_bytes >> 1),
            known: Mutex::default(),
            orphans: OnceLock::new(),
            searching: Mutex::default(),
            other: OnceLock::new(),
            found: RwLock::default(),
            resolved: OnceLock::new(),
        }
    }

    /// The tree of another state of the same store, as the same user wants to see it. What a search found stays.
    pub fn again(&self, store: Arc<Store>) -> Result<Self> {
        let cache_bytes = self.documents.budget() << 1;
        let tree = Self { found: RwLock::new(self.found()), ..Self::new(store, self.view, cache_bytes) };
        tree.resolve_addresses()?;
        Ok(tree)
    }

    /// The folders whose entries somebody asked for: of any other nobody can know a name.
    pub fn listed(&self) -> Vec<Ino> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// The store.
    pub const fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// What the user asked to see.
    pub const fn view(&self) -> View {
        self.view
    }

    /// The folder that the root of the tree shows.
    fn root_folder(&self) -> Nid {
        if self.view.all_folders { Nid::ROOT_FOLDER } else { self.store.ipm_subtree() }
    }

    /// The entry of this name in a folder.
    pub fn lookup(&self, parent: Ino, name: &str) -> Result<Attributes> {
        let listing = self.list(parent)?;
        let entry = listing.find(name).ok_or_else(|| Error::NotFound(name.to_owned()))?;
        self.attributes(entry.ino)
    }

    /// The number that a path names, from the root; `/` and the empty path are the root.
    pub fn resolve(&self, path: &str) -> Result<Ino> {
        path.split('/').filter(|part| !part.is_empty() && *part != ".").try_fold(Ino::ROOT, |parent, part| {
            let listing = self.list(parent)?;
            listing.find(part).map(|entry| entry.ino).ok_or_else(|| Error::NotFound(path.to_owned()))
        })
    }

    /// What `stat` shows.
    pub fn attributes(&self, ino: Ino) -> Result<Attributes> {
        match object(ino)? {
            Object::Root | Object::OtherFolders | Object::Recovered | Object::Orphaned => Ok(folder(ino, None)),
            Object::Category(_) | Object::FoundFolder(_) => self.findings().map(|_| folder(ino, None)),
            Object::Folder(nid) | Object::Lost(nid) | Object::StandIn(nid) => Ok(folder(ino, self.folder_time(nid)?)),
            Object::FoundAttachments(index) => {
                let message = self.known(Ino::from(Object::Found(index)))?;
                Ok(folder(ino, message.mtime))
            }
            Object::Attachments(slot) => {
                let message = self.known(Ino::from(Object::Document(slot)))?;
                Ok(folder(ino, message.mtime))
            }
            Object::Document(_) | Object::Attachment(..) | Object::Found(_) | Object::FoundAttachment(..) => {
                let known = self.known(ino)?;
                Ok(Attributes { ino, kind: Kind::File, size: known.size, mtime: known.mtime })
            }
        }
    }

    /// Opens a document.
    pub fn open(&self, ino: Ino) -> Result<OpenFile> {
        Ok(OpenFile { rendered: self.document(ino)? })
    }

    /// Bytes of an open document from `offset`, at most `len`; fewer only at its end.
    pub fn read(&self, file: &OpenFile, offset: u64, len: usize) -> Result<Vec<u8>> {
        file.rendered.document.read(&file.rendered.store, offset, len)
    }

    /// The same, and whether some of it is damaged, or lost and stands there as zeros.
    pub fn read_telling(&self, file: &OpenFile, offset: u64, len: usize) -> Result<(Vec<u8>, bool)> {
        let missing = Cell::new(false);
        let bytes = file.rendered.document.read_with(offset, len, &|stream, offset, len| {
            let bytes = fetch(&file.rendered.store, stream, offset, len)?;
            let ndb = file.rendered.store.ndb();
            let is_sound = match ndb.data(stream.data).and_then(|data| data.is_sound(ndb, offset, len)) {
                Err(error) if error.is_io() => return Err(error),
                sound => sound.unwrap_or(false),
            };
            missing.set(missing.get() || bytes.len() < len || !is_sound);
            Ok(bytes)
        })?;
        Ok((bytes, missing.get()))
    }

    /// The store's length in bytes, for `statfs`.
    pub fn store_bytes(&self) -> u64 {
        self.store.ndb().file_bytes()
    }

    /// Size and time of a document; it is rendered where they are not known yet.
    fn known(&self, ino: Ino) -> Result<Known> {
        if let Some(known) = self.lock_known().get(&ino) {
            return Ok(*known);
        }
        let known = self.document(ino)?.known;
        self.remember(ino, known);
        Ok(known)
    }

    fn remember(&self, ino: Ino, known: Known) {
        let mut map = self.lock_known();
        if map.len() >= KNOWN_MAX {
            map.clear();
        }
        map.insert(ino, known);
    }

    fn lock_known(&self) -> MutexGuard<'_, HashMap<Ino, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Searches the store for mail addresses, if the user wants that and it was not done yet; documents wait for it.
    pub fn resolve_addresses(&self) -> Result<()> {
        if self.view.resolve_store {
            self.searched(&self.resolved, || {
                self.store.set_addresses(convert::addresses(&self.store)?);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// What a search of the whole store found; made by the first who asks, while others wait.
    fn searched<'t, T>(&self, found: &'t OnceLock<T>, search: impl FnOnce() -> Result<T>) -> Result<&'t T> {
        if let Some(found) = found.get() {
            return Ok(found);
        }
        let _searching = self.searching.lock().unwrap_or_else(PoisonError::into_inner);
        match found.get() {
            Some(found) => Ok(found),
            None => {
                let new = self.store.ndb().without_io_failure(search)?;
                Ok(found.get_or_init(|| new))
            }
        }
    }
}

fn folder(ino: Ino, mtime: Option<(i64, u32)>) -> Attributes {
    Attributes { ino, kind: Kind::Directory, size: 0, mtime }
}

fn object(ino: Ino) -> Result<Object> {
    Object::of(ino).ok_or_else(|| Error::NotFound(format!("inode {:#x}", ino.0)))
}
