//! What can be wrong with a store, where, and the error type.
//!
//! One table, [`Code`], has a row for each thing that can be wrong. Errors and findings speak of its rows; a code is
//! permanent and never reused. A [`Place`] says where, in hex; [`Notes`] collects what readers met on their way.

mod codes;
mod verdict;

pub use codes::{Code, Severity};
pub use verdict::Verdict;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Where something is wrong: whatever of these is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Offset in the file, in bytes.
    pub offset: Option<u64>,
    /// Block or page id.
    pub bid: Option<u64>,
    /// Node id.
    pub nid: Option<u32>,
    /// Property id.
    pub property: Option<u16>,
    /// Row number or row id of a table.
    pub row: Option<u32>,
}

impl Place {
    /// Nowhere in particular: the whole file.
    pub const FILE: Self = Self { offset: None, bid: None, nid: None, property: None, row: None };

    /// A place known by its offset in the file.
    pub const fn offset(offset: u64) -> Self {
        Self { offset: Some(offset), ..Self::FILE }
    }

    /// A place known by its block id.
    pub const fn block(bid: u64) -> Self {
        Self { bid: Some(bid), ..Self::FILE }
    }

    /// A place known by its node id.
    pub const fn node(nid: u32) -> Self {
        Self { nid: Some(nid), ..Self::FILE }
    }

    /// The same place, with the offset told.
    #[must_use]
    pub const fn at(self, offset: u64) -> Self {
        Self { offset: Some(offset), ..self }
    }

    /// The same place, with the node told where none was.
    #[must_use]
    pub const fn of_node(self, nid: u32) -> Self {
        match self.nid {
            Some(_) => self,
            None => Self { nid: Some(nid), ..self },
        }
    }

    /// The same place, with the property told.
    #[must_use]
    pub const fn property(self, id: u16) -> Self {
        Self { property: Some(id), ..self }
    }

    /// The same place, with the row told.
    #[must_use]
    pub const fn row(self, row: u32) -> Self {
        Self { row: Some(row), ..self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.offset.map(|v| format!("offset {v:#x}")));
        parts.extend(self.nid.map(|v| format!("node {v:#x}")));
        parts.extend(self.bid.map(|v| format!("block {v:#x}")));
        parts.extend(self.property.map(|v| format!("property {v:#06x}")));
        parts.extend(self.row.map(|v| format!("row {v:#x}")));
        if parts.is_empty() {
            parts.push("the file".to_owned());
        }
        f.write_str(&parts.join(", "))
    }
}

/// Why a question about a store has no answer.
///
/// There are few kinds because there are few things a caller can do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read. Only this stops a walk.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The file is whole, but of a kind that this program does not read.
    #[error("{0}")]
    Unsupported(String),
    /// There is no such thing in the store.
    #[error("{0} not found")]
    NotFound(String),
    /// The user asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// The bytes are not what they must be.
    #[error("{code}: {title} ({place})", code = .0.id(), title = .0.title(), place = .1)]
    Damaged(Code, Place),
}

impl Error {
    /// The same error with the node told, where none was.
    #[must_use]
    pub fn of_node(self, nid: u32) -> Self {
        match self {
            Self::Damaged(code, place) => Self::Damaged(code, place.of_node(nid)),
            Self::Io(_) | Self::Unsupported(_) | Self::NotFound(_) | Self::Cancelled => self,
        }
    }

    /// Whether the file itself could not be read.
    pub const fn is_io(&self) -> bool {
        matches!(self, Self::Io(_))
    }
}

/// What every layer returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What could be read; an error only of the file itself.
pub(crate) fn survived<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_io() => Err(error),
        Err(_) => Ok(None),
    }
}

/// One thing found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub code: Code,
    /// How bad it is here: as the code says, or less where what stands around shows that it does no harm.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// The numbers; may be empty.
    pub detail: String,
    /// Whom it hits, in the user's words: folder, subject, date, attachment; empty where nobody knows yet.
    pub victim: String,
}

impl Finding {
    /// A finding as bad as its code says, with no victim known.
    pub fn new(code: Code, place: Place, detail: impl Into<String>) -> Self {
        Self { code, severity: code.severity(), place, detail: detail.into(), victim: String::new() }
    }

    /// The same finding, no worse than this.
    #[must_use]
    pub fn at_most(self, severity: Severity) -> Self {
        Self { severity: self.severity.min(severity), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}: {}", self.severity.mark(), self.code.id(), self.place, self.code.title())?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        if self.victim.is_empty() { Ok(()) } else { write!(f, ": {}", self.victim) }
    }
}

/// The most findings that [`Notes`] keeps; the rest is counted.
pub const NOTES_MAX: usize = 10_000;

/// What readers met on their way: each finding once, in the order met.
#[derive(Debug, Default)]
pub struct Notes {
    inner: Mutex<NotesInner>,
}

#[derive(Debug, Default)]
struct NotesInner {
    seen: HashSet<(Code, Place)>,
    findings: Vec<Finding>,
    folded: u64,
    changed: Option<SystemTime>,
}

impl Notes {
    /// Notes a finding, unless the same code stands for the same place already.
    pub fn add(&self, code: Code, place: Place, detail: impl Into<String>) {
        let mut inner = self.lock();
        // One damaged page or block is one line, however many nodes ask for it.
        let key = (code, if code.is_of_blocks() { Place { nid: None, ..place } } else { place });
        if inner.seen.contains(&key) {
            return;
        }
        inner.changed = Some(SystemTime::now());
        if inner.findings.len() >= NOTES_MAX {
            inner.folded = inner.folded.saturating_add(1);
            return;
        }
        let finding = Finding::new(code, if code.is_of_pages() { key.1 } else { place }, detail);
        tracing::debug!("{finding}");
        inner.seen.insert(key);
        inner.findings.push(finding);
    }

    /// Notes an error that was met and survived; what is not damage is noted under `code`.
    pub fn survived(&self, error: &Error, code: Code, place: Place) {
        match error {
            Error::Damaged(code, inner) => self.add(*code, place.nid.map_or(*inner, |nid| inner.of_node(nid)), ""),
            other @ (Error::Io(_) | Error::Unsupported(_) | Error::NotFound(_) | Error::Cancelled) => {
                self.add(code, place, other.to_string())
            }
        }
    }

    /// All findings so far.
    pub fn findings(&self) -> Vec<Finding> {
        self.lock().findings.clone()
    }

    /// How many findings there are, those that were only counted included.
    pub fn count(&self) -> u64 {
        let inner = self.lock();
        inner.folded.saturating_add(u64::try_from(inner.findings.len()).unwrap_or(u64::MAX))
    }

    /// How many findings were counted but not kept.
    pub fn folded(&self) -> u64 {
        self.lock().folded
    }

    /// When the last finding came.
    pub fn changed(&self) -> Option<SystemTime> {
        self.lock().changed
    }

    fn lock(&self) -> MutexGuard<'_, NotesInner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_prints_what_is_known_in_hex() {
        assert_eq!(Place::node(0x21).at(0x4400).to_string(), "offset 0x4400, node 0x21");
        assert_eq!(Place::FILE.to_string(), "the file");
    }

    #[test]
    fn the_same_finding_is_noted_once() {
        let notes = Notes::default();
        notes.add(Code::PageCrc, Place::offset(1), "");
        notes.add(Code::PageCrc, Place::offset(1), "");
        notes.add(Code::PageCrc, Place::offset(2), "");
        assert_eq!(notes.count(), 2);
    }

    #[test]
    fn one_damaged_page_or_block_is_one_line_whoever_asks_for_it() {
        let notes = Notes::default();
        for nid in [0x21, 0x24, 0x44] {
            notes.add(Code::PageCrc, Place::offset(0x4400).of_node(nid), "");
            notes.add(Code::BlockCrc, Place::block(8).of_node(nid), "");
            notes.add(Code::HeapId, Place::node(nid), "");
        }
        let places: Vec<Place> = notes.findings().iter().map(|finding| finding.place).collect();
        // A page belongs to nobody, a block to the first who asked for it.
        let nodes = [0x21, 0x24, 0x44].map(Place::node);
        assert_eq!(places, [Place::offset(0x4400), Place::block(8).of_node(0x21), nodes[0], nodes[1], nodes[2]]);
    }

    #[test]
    fn findings_past_the_limit_are_counted() {
        let notes = Notes::default();
        for offset in 0..20_000 {
            notes.add(Code::PageCrc, Place::offset(offset), "");
        }
        assert_eq!((notes.findings().len(), notes.count()), (NOTES_MAX, 20_000));
    }
}
