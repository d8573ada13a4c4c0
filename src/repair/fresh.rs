//! A store in place of a file that holds none: whatever it is, what comes out can be mounted.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::damage::{Error, Result};
use crate::disk::{ReadAt, WriteAt};
use crate::format::Format;
use crate::format::cipher::Cipher;
use crate::format::header::Client;
use crate::format::id::{Nid, NodeType};
use crate::ndb::write::{BulkOptions, BulkWriter};
use crate::progress::Progress;
use crate::recover::{Orphans, carve, folders_below};
use crate::store::write::{FolderDraft, LOST_AND_FOUND, MessageDraft, StoreBuilder, StoreOptions};
use crate::store::{Store, Which};

/// Bytes for the caches of each store that is found in the file.
const CACHE_BYTES: usize = 8 << 20;
/// The most failures that are told one by one.
const FAILED_MAX: usize = 1_000;

/// What went into a fresh store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fresh {
    /// Stores, or parts of stores, that were found in the file.
    pub stores: usize,
    /// Items that went over.
    pub items: u64,
    /// What could not be read, and why: the first of it.
    pub failed: Vec<String>,
}

/// Writes a whole new store to `output`, an empty file, with everything that can be carved out of `file`.
///
/// What is found lies below `Lost and Found`, each store in a folder of its own, in the folders that it had. Where
/// nothing is found the store is empty, and every reader opens it all the same. The same file gives the same store.
pub fn fresh_skeleton(file: &Arc<dyn ReadAt>, output: &dyn WriteAt, progress: &Progress) -> Result<Fresh> {
    let options = BulkOptions { format: Format::Unicode, cipher: Cipher::Permute, client: Client::PST, compress: false };
    let mut builder = StoreBuilder::new(BulkWriter::new(output, options)?, StoreOptions::named("Recovered"))?;
    let (mut fresh, mut lost) = (Fresh::default(), None);
    carve(file, CACHE_BYTES, progress, &mut |carved| {
        let top = match lost {
            Some(top) => top,
            None => builder.add_folder(builder.subtree(), FolderDraft::named(LOST_AND_FOUND))?,
        };
        lost = Some(top);
        fresh.stores = fresh.stores.saturating_add(1);
        let folder = builder.add_folder(top, FolderDraft::named(&format!("Store {}", fresh.stores)))?;
        Copy { store: &carved.store, builder: &mut builder, fresh: &mut fresh, progress }.all(folder)
    })?;
    builder.finish()?;
    Ok(fresh)
}

/// A store on its way into another.
struct Copy<'c, 'f> {
    store: &'c Arc<Store>,
    builder: &'c mut StoreBuilder<'f>,
    fresh: &'c mut Fresh,
    progress: &'c Progress,
}

impl Copy<'_, '_> {
    /// All folders below the root, then what no folder reaches.
    fn all(mut self, to: Nid) -> Result<()> {
        self.tree(Nid::ROOT_FOLDER, to)?;
        let orphans = match Orphans::find(self.store) {
            Ok(orphans) => orphans,
            Err(error) => return self.survive(error, "what no folder reaches"),
        };
        for folder in orphans.folders() {
            self.tree(folder, to)?;
        }
        orphans.messages().try_for_each(|nid| self.item(nid, to))
    }

    /// A folder and those below it, each where its parent went.
    fn tree(&mut self, root: Nid, to: Nid) -> Result<()> {
        let below = match folders_below(self.store, root) {
            Ok(below) => below,
            Err(error) => return self.survive(error, "the folders"),
        };
        let mut places = BTreeMap::new();
        for nid in below {
            let place = if nid == Nid::ROOT_FOLDER { to } else { self.folder(nid, &places, to)? };
            places.insert(nid, place);
            self.contents(nid, place)?;
        }
        Ok(())
    }

    fn folder(&mut self, nid: Nid, places: &BTreeMap<Nid, Nid>, to: Nid) -> Result<Nid> {
        let node = self.store.ndb().node(nid)?;
        let parent = node.and_then(|node| places.get(&node.parent).copied()).unwrap_or(to);
        let draft = match self.store.folder(nid).and_then(|folder| FolderDraft::of(self.store, &folder.props)) {
            Ok(draft) => draft,
            Err(error) => {
                self.survive(error, &format!("folder {nid}"))?;
                FolderDraft::named(&format!("Folder {nid}"))
            }
        };
        self.builder.add_folder(parent, draft)
    }

    fn contents(&mut self, folder: Nid, to: Nid) -> Result<()> {
        for which in [Which::Normal, Which::Associated] {
            match self.store.row_ids(folder, which) {
                Ok(rows) => rows.into_iter().try_for_each(|nid| self.item(nid, to))?,
                Err(error) => self.survive(error, &format!("the list of the items of folder {folder}"))?,
            }
        }
        Ok(())
    }

    fn item(&mut self, nid: Nid, to: Nid) -> Result<()> {
        self.progress.check()?;
        let item = self.store.locate(nid).and_then(|node| self.store.item(node));
        let draft = match item.and_then(|item| MessageDraft::of(self.store, &item)) {
            Ok(draft) => draft,
            Err(error) => return self.survive(error, &format!("item {nid}")),
        };
        if nid.kind() == NodeType::ASSOCIATED_MESSAGE {
            self.builder.add_associated(to, draft)?;
        } else {
            self.builder.add_message(to, draft)?;
        }
        self.fresh.items = self.fresh.items.saturating_add(1);
        Ok(())
    }

    /// Notes what could not be read, and goes on; not where the disk fails or the user stops it.
    fn survive(&mut self, error: Error, what: &str) -> Result<()> {
        match error {
            Error::Io(_) | Error::Cancelled => Err(error),
            Error::Unsupported(_) | Error::NotFound(_) | Error::Damaged(..) => {
                if self.fresh.failed.len() < FAILED_MAX {
                    self.fresh.failed.push(format!("{what}: {error}"));
                }
                Ok(())
            }
        }
    }
}
