//! An ANSI store repaired into a Unicode one, for what has no room in the one has it in the other.
//!
//! The store is mended in memory, as a plan previews it, and every node of what that gives is laid out in a new file. What
//! stands in free space is no one's, and stays behind.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::backup::{Kept, exists};
use super::super::part::Part;
use super::super::plan::Planned;
use super::super::record;
use super::{Before, Open, Outcome, Repair, Told, came_through, looking};
use crate::damage::{Error, Result, Verdict};
use crate::disk::{WritableFile, WriteAt};
use crate::format::Format;
use crate::ndb::Ndb;
use crate::ndb::write::{BulkOptions, BulkWriter};
use crate::progress::Progress;
use crate::recover::open_source;
use crate::scan::{self, Blocks};
use crate::store::Store;
use crate::store::write::Widener;

/// Bytes for the caches of the store that was mended in memory.
const CACHE_BYTES: usize = 32 << 20;

/// A store that was laid out anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widened {
    /// Where it is.
    pub path: PathBuf,
    /// How many nodes it has.
    pub nodes: u64,
    /// What could not be laid out, and why: the first of it.
    pub failed: Vec<String>,
}

impl Repair<'_> {
    /// Repairs the store into a Unicode one; a copy of one that is.
    pub(super) fn unicode(mut self, new: &Path) -> Result<Outcome> {
        let looking = looking(&self.path)?;
        let open = Open::new(&self.path, self.progress)?;
        match open.store.ndb().format() {
            Format::Ansi => {}
            Format::Unicode => {
                drop((open, looking));
                return self.copied(new);
            }
            Format::Unicode4k => {
                return Err(Error::Unsupported("is a store of 4 KiB pages: only ANSI stores can be written as Unicode ones".into()));
            }
        }
        self.begin(&open)?;
        let (scan, findings) = self.scan(&open, Blocks::Read)?;
        if !came_through(&scan) {
            return Ok(self.end(Outcome { scan, changes: 0, before: None, kept: None }));
        }
        let planned = self.plan(&open, &findings)?;
        let mended = mended(&open, planned.as_ref())?;
        let widened = write(&mended, &self.path, new, self.progress)?;
        drop(mended);
        let before = match &planned {
            Some(planned) => planned.before(scan.tally),
            None => Before { tally: scan.tally, moved: 0, incomplete: 0 },
        };
        self.tell_widened(&widened, planned.map_or(0, |planned| planned.plan.len()), before)
    }

    /// Scans what was written, and keeps the log beside it.
    fn tell_widened(mut self, widened: &Widened, changes: usize, before: Before) -> Result<Outcome> {
        let kept = Kept { path: std::path::absolute(&self.path)?, shared: false };
        self.say(Told::Kept(&kept));
        self.say(Told::Widened(widened));
        let (scan, _) = self.scan(&Open::new(&widened.path, self.progress)?, Blocks::Read)?;
        let verdict = match scan.verdict {
            Verdict::NoErrors | Verdict::Minor if !widened.failed.is_empty() => Verdict::Remain,
            sound @ (Verdict::NoErrors | Verdict::Minor) if changes == 0 => sound,
            Verdict::NoErrors | Verdict::Minor => Verdict::Repaired,
            Verdict::Errors => Verdict::Remain,
            other => other,
        };
        let outcome = Outcome { scan: scan::Outcome { verdict, ..scan }, changes, before: Some(before), kept: Some(kept) };
        self.say(Told::End(&outcome));
        record::append(&widened.path, &self.log).map_err(|error| unlogged(&error, &widened.path))?;
        Ok(outcome)
    }
}

/// The store as its repair would leave it, in memory.
fn mended(open: &Open, planned: Option<&Planned>) -> Result<Arc<Store>> {
    match planned {
        Some(planned) => open_source(Arc::new(planned.prepared.preview(Arc::clone(&open.source))?), CACHE_BYTES),
        None => Ok(Arc::clone(&open.store)),
    }
}

/// Writes a store as a Unicode one to `new`, which must not exist, and which has its name when it is whole.
fn write(store: &Store, old: &Path, new: &Path, progress: &Progress) -> Result<Widened> {
    if new.try_exists()? {
        return Err(exists(new).into());
    }
    let mut part = Part::create(new, &fs::metadata(old)?)?;
    let file = WritableFile::from(part.file().try_clone()?);
    let written = widen(store, &file, progress).and_then(|told| Ok(part.place(new).map(|()| told)?));
    let (nodes, failed) = written.map_err(|error| no_room(error, new, part.file(), store.ndb().file_bytes()))?;
    Ok(Widened { path: new.to_owned(), nodes, failed })
}

/// Where there is no room, the file that wants it is not the one that is repaired.
fn no_room(error: Error, new: &Path, part: &File, old_bytes: u64) -> Error {
    match error {
        Error::Io(error) if error.kind() == ErrorKind::StorageFull => {
            let words = format!(
                "there is no room for {}: the disk was full with {} bytes of it; the ANSI store has {old_bytes}, and a Unicode store \
                 takes more, text twice as much",
                new.display(),
                part.metadata().map_or(0, |part| part.len())
            );
            Error::Io(io::Error::new(ErrorKind::StorageFull, words))
        }
        error => error,
    }
}

/// A store that is whole is not thrown away for a log that cannot be kept. The kind of the error is not told on: a disk that
/// denies the log says nothing of the store that is repaired.
fn unlogged(error: &Error, new: &Path) -> Error {
    let words = format!("{} is written and whole, but its log cannot be kept: {error}", new.display());
    Error::Io(io::Error::other(words))
}

/// Writes a whole ANSI store as a Unicode one to `file`, which is empty; tells how many nodes it has, and what could not
/// be laid out.
pub fn widen(store: &Store, file: &dyn WriteAt, progress: &Progress) -> Result<(u64, Vec<String>)> {
    let ndb = store.ndb();
    let options = BulkOptions { format: Format::Unicode, cipher: ndb.cipher(), client: ndb.header().client, compress: false };
    progress.begin("Writing the Unicode store", ndb.file_bytes())?;
    let mut widener = Widener::new(store, BulkWriter::new(file, options)?, progress)?;
    let objects = each_node(ndb, &mut widener, false)?;
    let tables = each_node(ndb, &mut widener, true)?;
    Ok((objects.saturating_add(tables), widener.finish()?))
}

/// Lays out all tables of objects, or all that is none; how many nodes that were.
fn each_node(ndb: &Ndb, widener: &mut Widener<'_, '_>, tables: bool) -> Result<u64> {
    let (mut nodes, mut laid) = (0_u64, Ok(()));
    ndb.visit_nodes(&mut |node| {
        if Widener::is_table(node.nid.nid) == tables {
            nodes = nodes.saturating_add(1);
            laid = widener.node(node);
        }
        laid.is_ok()
    })?;
    laid.map(|()| nodes)
}
