//! The tree that a mount shows, and what the kernel must forget when another takes its place.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use fuser::{INodeNo, Notifier};

use crate::tree::{Ino, Listing, Tree};

/// Longer than it takes to make the kernel forget all that it may know.
const FORGETTING: Duration = Duration::from_secs(3600);
/// How long after a change answers that were given before it may still be on their way to readers.
const SETTLING: Duration = Duration::from_secs(2);

/// The entries of folders, by folder.
pub(super) type Names = HashMap<Ino, Arc<Listing>>;

/// The tree that is shown. A request takes it once, so that its answer is of one state of the store.
#[derive(Debug)]
pub(super) struct Shown(RwLock<Now>);

/// What is shown at a time.
#[derive(Debug)]
pub(super) struct Now {
    /// The tree.
    pub(super) tree: Arc<Tree>,
    /// Until when the kernel may still know something of the tree before; `None` where there was none.
    settled: Option<Instant>,
}

impl Now {
    /// Whether the kernel may still know something of the tree before.
    pub(super) fn is_changing(&self) -> bool {
        self.settled.is_some_and(|settled| Instant::now() < settled)
    }
}

impl Shown {
    /// Shows a tree.
    pub(super) const fn new(tree: Arc<Tree>) -> Self {
        Self(RwLock::new(Now { tree, settled: None }))
    }

    /// What is shown now: nothing else is, until this is dropped.
    pub(super) fn now(&self) -> RwLockReadGuard<'_, Now> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tree as it is now.
    pub(super) fn tree(&self) -> Arc<Tree> {
        Arc::clone(&self.now().tree)
    }

    /// All names that the kernel may know.
    pub(super) fn names(&self) -> Names {
        let tree = self.tree();
        tree.listed().into_iter().filter_map(|folder| Some((folder, tree.list(folder).ok()?))).collect()
    }

    /// Shows another tree, and tells the kernel. Never to be called by a thread that answers the kernel: it may have to
    /// wait for answers that are under way.
    ///
    /// `names` were read before the old tree lost what it was read from.
    pub(super) fn replace(&self, new: Arc<Tree>, mut names: Names, notifier: &Notifier) {
        let old = self.set(Arc::clone(&new), FORGETTING);
        for folder in old.listed() {
            forget(notifier, folder);
            let now = new.list(folder).ok();
            // Names of a folder that was listed since then are at hand.
            let Some(was) = names.remove(&folder).or_else(|| old.list(folder).ok()) else { continue };
            for entry in &was.entries {
                forget(notifier, entry.ino);
                let same = now.as_ref().and_then(|now| now.find(&entry.name)).is_some_and(|now| now.ino == entry.ino);
                if !same {
                    let _ = notifier.inval_entry(INodeNo(folder.0), OsStr::new(&entry.name));
                }
            }
        }
        self.set(new, SETTLING);
    }

    /// Shows a tree, which the kernel knows alone after this time; the one before.
    fn set(&self, tree: Arc<Tree>, settles: Duration) -> Arc<Tree> {
        let now = Now { tree, settled: Instant::now().checked_add(settles) };
        std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), now).tree
    }
}

/// Makes the kernel ask anew for what it knows of an inode. Of one that nobody has looked at it knows nothing.
fn forget(notifier: &Notifier, ino: Ino) {
    let _ = notifier.inval_inode(INodeNo(ino.0), 0, 0);
}
