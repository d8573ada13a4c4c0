//! Opening a store from a path.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use crate::damage::{Code, Error, Place, Result};
use crate::disk::{self, Access, Opened, OwnWrites, ReadAt};
use crate::format::codec::Field;
use crate::format::header::Header;
use crate::ndb::Ndb;
use crate::ndb::write::{Journal, Stage, journal_of};
use crate::progress::Progress;
use crate::store::Store;

use super::salvage;

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// Map the file into memory where that is safe; `pread` otherwise.
    pub mmap: bool,
    /// Bytes for the caches of pages, blocks and trees.
    pub cache_bytes: usize,
    /// Tells when damage makes a search of the whole file necessary, while the store is opened or at any time later; and can
    /// end it.
    pub search: Arc<Progress>,
}

impl Default for Options {
    fn default() -> Self {
        Self { mmap: true, cache_bytes: 32 << 20, search: Arc::default() }
    }
}

/// Opens the store in a file, for reading only.
///
/// Where header or trees are damaged, the whole file is searched for what they named. An error where the file cannot be
/// read, is no store and holds no part of one, or is of an unknown kind.
pub fn open(path: &Path, options: &Options) -> Result<Arc<Store>> {
    open_bytes(bytes(path, options.mmap, None)?, options)
}

/// The bytes of a store's file as readers are to see them.
#[derive(Clone, Debug)]
pub struct Bytes {
    /// The file, or what is seen of it through the journal of a repair that was cut off.
    pub source: Arc<dyn ReadAt>,
    /// What is shown where there is such a journal.
    pub cut_off: Option<&'static str>,
}

/// The bytes of a store's file; `own` tells of what this program writes to it while it is open.
pub fn bytes(path: &Path, mmap: bool, own: Option<&Arc<OwnWrites>>) -> Result<Bytes> {
    let opened = disk::open(path, Access { mmap })?;
    bytes_of(Arc::new(match own {
        Some(own) => opened.with_own_writes(Arc::clone(own)),
        None => opened,
    }))
}

/// The bytes of a store's file that is open.
pub fn bytes_of(opened: Arc<Opened>) -> Result<Bytes> {
    let journal = journal_of(opened.path());
    let source: Arc<dyn ReadAt> = opened;
    let journal = match disk::open(&journal, Access { mmap: false }) {
        Ok(journal) => Journal::read(&journal)?,
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let Some(journal) = journal else { return Ok(Bytes { source, cut_off: None }) };
    let stage = journal.stage(&*source)?;
    let cut_off = Some(match stage {
        Stage::Old => "it is shown as it was before the repair; 'pstfs repair' or 'pstfs undo' makes that last",
        Stage::New => "it is shown as repaired; 'pstfs repair' or 'pstfs undo' makes that last",
        Stage::Foreign => "another program wrote to it since, so the journal no longer fits; move it away",
    });
    let source = if stage == Stage::Foreign { source } else { Arc::new(journal.overlay(source)?) };
    Ok(Bytes { source, cut_off })
}

/// Opens the store in these bytes, and notes where they are those of a repair that was cut off.
pub fn open_bytes(bytes: Bytes, options: &Options) -> Result<Arc<Store>> {
    let store = open_telling(bytes.source, options.cache_bytes, &options.search, &options.search)?;
    if let Some(shown) = bytes.cut_off {
        store.ndb().notes().add(Code::RepairCutOff, Place::FILE, shown);
    }
    Ok(store)
}

/// Opens the store in these bytes, as [`open`] does.
pub fn open_source(source: Arc<dyn ReadAt>, cache_bytes: usize) -> Result<Arc<Store>> {
    open_telling(source, cache_bytes, &Progress::default(), &Arc::default())
}

/// The same, with the progress of a search for what is lost: of one that is made now, and of one that is made later.
pub(super) fn open_telling(source: Arc<dyn ReadAt>, cache_bytes: usize, now: &Progress, later: &Arc<Progress>) -> Result<Arc<Store>> {
    let error = match Ndb::open(Arc::clone(&source), cache_bytes) {
        Ok(mut ndb) => {
            ndb.rescue_with(salvage::rescue, Arc::clone(later));
            match ndb.check_beginning() {
                Ok(()) => return store(ndb),
                // The search for what is missing has been made, and format and cipher fit what it found.
                Err(Error::Damaged(code, _)) if code != Code::HeapHeader && ndb.maps().is_some_and(|maps| !maps.nodes().is_empty()) => {
                    return store(ndb);
                }
                Err(error) => cut_short(&ndb, error)?,
            }
        }
        Err(error) => error,
    };
    if !is_damage(&*source, &error)? {
        return Err(error);
    }
    match salvage::open(&source, cache_bytes, now)? {
        Some(ndb) => store(ndb),
        None => Err(error),
    }
}

fn store(ndb: Ndb) -> Result<Arc<Store>> {
    Ok(Arc::new(Store::from_ndb(Arc::new(ndb))?))
}

/// Whether an error may be one of the bytes rather than of the file or of what the user has.
fn is_damage(source: &dyn ReadAt, error: &Error) -> Result<bool> {
    Ok(match error {
        Error::Io(_) | Error::Cancelled => false,
        // Without a header the rest may still be there.
        Error::Unsupported(_) | Error::NotFound(_) | Error::Damaged(..) => !source.is_empty()?,
    })
}

/// The error of a store that is shorter than it says, in words that tell so; a header whose CRC is wrong tells nothing.
fn cut_short(ndb: &Ndb, error: Error) -> Result<Error> {
    let header = ndb.header();
    let mut bytes = vec![0; Header::size(ndb.format())];
    ndb.source().read_exact_at(&mut bytes, 0)?;
    let (is, was) = (ndb.file_bytes(), header.root.file_eof.0);
    let is_told = header.faults(ndb.format(), &bytes).crc_partial.is_none();
    Ok(match error {
        Error::Damaged(..) if is < was && is_told => Error::Unsupported(format!(
            "cut off: {is} of {was} bytes are there, and what finds its contents lay in the rest ({error}); look for a whole copy"
        )),
        error => error,
    })
}
