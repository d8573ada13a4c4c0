//! What is open: the answers to an opened file or folder stay the same until it is closed.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use fuser::FileHandle;

use crate::tree::{Ino, Kind, Listing, OpenFile, Tree};

/// What a file handle stands for.
#[derive(Debug)]
pub(super) enum Open {
    /// A document.
    Document(Document),
    /// A folder.
    Folder(Folder),
    /// `.control`, with the status as it was when it was opened.
    Control(String),
    /// `.scanlog`.
    Log,
}

/// An opened document, with the tree that it is of: another may be shown by now.
#[derive(Debug)]
pub(super) struct Document {
    /// Its number.
    pub(super) ino: Ino,
    /// The tree that was shown when it was opened.
    pub(super) tree: Arc<Tree>,
    /// The document.
    pub(super) document: OpenFile,
}

/// An opened folder: its entries in the order in which they are listed, by number.
#[derive(Debug)]
pub(super) struct Folder {
    /// The folder itself.
    pub(super) ino: Ino,
    /// What the mount adds to it.
    pub(super) added: &'static [(Ino, &'static str)],
    /// What the tree holds.
    pub(super) listing: Arc<Listing>,
}

impl Folder {
    /// The entry of this number, from 0 on; the number is the offset by which a reader goes on.
    pub(super) fn entry(&self, number: u64) -> Option<(Ino, Kind, &str)> {
        let number = usize::try_from(number).ok()?;
        match number {
            0 => Some((self.ino, Kind::Directory, ".")),
            1 => Some((self.listing.parent, Kind::Directory, "..")),
            _ => self.named(number.checked_sub(2)?),
        }
    }

    fn named(&self, number: usize) -> Option<(Ino, Kind, &str)> {
        if let Some((ino, name)) = self.added.get(number) {
            return Some((*ino, Kind::File, name));
        }
        let entry = self.listing.entries.get(number.checked_sub(self.added.len())?)?;
        Some((entry.ino, entry.kind, &entry.name))
    }
}

/// All that is open, by handle. Handles are never used twice.
#[derive(Debug, Default)]
pub(super) struct Handles {
    last: AtomicU64,
    open: RwLock<HashMap<u64, Arc<Open>>>,
    /// Documents of which the kernel may keep bytes of an older state, read by one who had it open then.
    outdated: Mutex<HashSet<Ino>>,
}

impl Handles {
    /// Keeps something open.
    pub(super) fn add(&self, open: Open) -> FileHandle {
        let handle = self.last.fetch_add(1, Ordering::Relaxed);
        self.open.write().unwrap_or_else(PoisonError::into_inner).insert(handle, Arc::new(open));
        FileHandle(handle)
    }

    /// What a handle stands for.
    pub(super) fn find(&self, handle: FileHandle) -> Option<Arc<Open>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).get(&handle.0).cloned()
    }

    /// Whether this document is open as another tree has it.
    pub(super) fn has_other(&self, ino: Ino, tree: &Arc<Tree>) -> bool {
        let is_other = |open: &Arc<Open>| matches!(&**open, Open::Document(open) if open.ino == ino && !Arc::ptr_eq(&open.tree, tree));
        self.open.read().unwrap_or_else(PoisonError::into_inner).values().any(is_other)
    }

    /// Whether the kernel is to drop what it kept of a document; asked once, by who opens it.
    pub(super) fn is_outdated(&self, ino: Ino) -> bool {
        self.outdated.lock().unwrap_or_else(PoisonError::into_inner).remove(&ino)
    }

    /// Notes that the kernel may keep bytes of an older state of a document.
    pub(super) fn outdate(&self, ino: Ino) {
        self.outdated.lock().unwrap_or_else(PoisonError::into_inner).insert(ino);
    }

    /// Lets a handle go.
    pub(super) fn remove(&self, handle: FileHandle) {
        self.open.write().unwrap_or_else(PoisonError::into_inner).remove(&handle.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Entry;

    #[test]
    fn a_folder_lists_itself_its_parent_what_is_added_and_its_entries() {
        let entries = vec![Entry { name: "Inbox".into(), ino: Ino(77), kind: Kind::Directory }];
        let listing = Arc::new(Listing { parent: Ino::ROOT, entries, failed: 0 });
        let folder = Folder { ino: Ino(50), added: &[(Ino(2), ".control")], listing };
        let names: Vec<_> = (0..6).map_while(|number| folder.entry(number)).map(|(ino, _, name)| (ino.0, name)).collect();
        assert_eq!(names, [(50, "."), (1, ".."), (2, ".control"), (77, "Inbox")]);
        assert_eq!(folder.entry(u64::MAX), None);
    }

    #[test]
    fn a_handle_lives_until_it_is_removed() {
        let handles = Handles::default();
        let (first, second) = (handles.add(Open::Log), handles.add(Open::Control("x".into())));
        assert_ne!(first, second);
        handles.remove(first);
        assert!(handles.find(first).is_none());
        assert!(matches!(&*handles.find(second).unwrap(), Open::Control(text) if text == "x"));
    }
}
