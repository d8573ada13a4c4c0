//! What can be wrong with a store, where, and the error type.
//!
//! One table, [`Code`], has a row for each thing that can be wrong. Errors and findings speak of its rows; a code is
//! permanent and never reused. A [`Place`] says where, in hex; [`Notes`] collects what readers met on their way.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// An oddity that healthy files have too.
    Note,
    /// Metadata disagree, the content is whole.
    Warning,
    /// Content is lost or wrong, or Outlook refuses the store.
    Error,
    /// The store cannot be opened by following its header.
    Fatal,
}

impl Severity {
    /// The mark of a line in `.scanlog`, as users of scanpst know them.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Note => "--",
            Self::Warning => "??",
            Self::Error | Self::Fatal => "!!",
        }
    }
}

macro_rules! codes {
    ($( $(#[$doc:meta])* $id:ident $name:ident $severity:ident $title:literal; )*) => {
        /// One thing that can be wrong: a permanent id, a severity and a title.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $( #[doc = $title] $(#[$doc])* $name, )* }

        impl Code {
            /// Every code, in the order of the ids.
            pub const ALL: &[Self] = &[$( Self::$name, )*];

            /// The permanent id that users see, such as `P02`.
            pub const fn id(self) -> &'static str {
                match self { $( Self::$name => stringify!($id), )* }
            }

            /// How bad it is.
            pub const fn severity(self) -> Severity {
                match self { $( Self::$name => Severity::$severity, )* }
            }

            /// What is wrong, in a sentence.
            pub const fn title(self) -> &'static str {
                match self { $( Self::$name => $title, )* }
            }
        }
    };
}

codes! {
    H01 HeaderMagic Fatal "the file does not begin with a store's magic number";
    H02 HeaderClient Warning "the header's client magic is unknown";
    H03 HeaderVersion Fatal "the header's version is unknown";
    H04 HeaderCrcPartial Error "the header's partial CRC does not match";
    H05 HeaderCrcFull Error "the header's full CRC does not match";
    H07 HeaderCrypt Error "the header's encryption method is unknown";
    H08 HeaderEof Error "the file's length differs from the header's";
    H13 HeaderDirty Warning "the store was not closed cleanly (allocation maps not valid)";
    H14 HeaderRoot Fatal "a B-tree's root lies outside the file";
    H21 FileChanged Error "the file was changed by another program while it was open";
    H22 FileUnreadable Error "the file cannot be read";
    P01 PageUnreadable Error "a page is cut off or of another type";
    P02 PageCrc Error "a page's CRC does not match its contents";
    P03 PageSignature Error "a page's signature does not match its place";
    P04 PageBid Error "a page's id differs from the one its parent names";
    P05 PageEntries Error "a page's entry counts do not fit its kind";
    P06 PageLevel Error "a page's level does not follow from its parent's";
    P07 PageOrder Error "a page's keys are not ascending";
    B02 BlockPlace Error "a block lies outside the file or its size is impossible";
    B05 BlockSize Error "a block's trailer tells another size than the block B-tree";
    B06 BlockBid Error "a block's trailer names another block";
    B07 BlockSignature Error "a block's signature does not match its place";
    B08 BlockCrc Error "a block's CRC does not match its contents";
    B09 BlockInflate Error "a compressed block does not inflate to its size";
    B10 BlockKind Error "a block is not of the kind its referrer needs";
    B11 DataTree Error "a data tree's inner block is damaged";
    B12 DataTotal Error "a data tree's total differs from the sum of its blocks";
    B14 SubnodeTree Error "a subnode tree's block is damaged";
    B16 BlockCycle Error "a tree of blocks goes too deep or round in a circle";
    B17 BlockMissing Error "a block that is named is not in the block B-tree";
    B18 BlockReferences Warning "a block's count differs from the entries that name it";
    N02 NodeBlocks Error "a node's data or subnodes cannot be read";
    N03 NodeParent Error "a node's parent folder does not exist";
    N06 NodeSpecial Error "a node that every store has is missing";
    N07 FolderTable Error "a folder's table is missing or cannot be read";
    L01 HeapHeader Error "a heap has no heap signature";
    L02 HeapMap Error "a heap block's page map cannot be read";
    L07 HeapId Error "a heap id names no item of the heap";
    L09 TreeHeader Error "a B-tree on a heap has a wrong header or entry size";
    L10 TreeOrder Error "a B-tree on a heap is out of order or goes round in a circle";
    T01 PropertyRecord Warning "a property record has no known type";
    T02 PropertySize Warning "a property's value has the wrong size";
    T03 PropertyMissing Error "a property's value cannot be read";
    T05 ObjectValue Error "an object property names nothing";
    T06 TableHeader Error "a table's header cannot be read";
    T07 TableColumns Error "a table's column lies outside its rows";
    T08 RowIndex Error "a table's row index and its rows disagree";
    T09 RowMatrix Error "a table's rows are cut short";
    T10 CellValue Warning "a table cell's value cannot be read";
    M02 FolderRow Error "a folder's table and the folders below it disagree";
    M03 MessageRow Error "a row of a folder's table has no message";
    M07 MessageClass Warning "a message has no class";
    M16 Recipients Warning "a message's recipient table cannot be read";
    M17 AttachmentTable Error "a message's attachment table and its attachments disagree";
    M18 Attachment Error "an attachment's content cannot be read";
    M19 EmbeddedMessage Error "an embedded message cannot be read";
    M21 Orphan Error "an item is reached by no folder";
    M22 CompressedRtf Warning "a message's compressed RTF is damaged";
    M24 NamedProperties Warning "the map of named properties is damaged";
}

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
            Self::Io(_) | Self::Unsupported(_) | Self::NotFound(_) => self,
        }
    }

    /// Whether the file itself could not be read.
    pub const fn is_io(&self) -> bool {
        matches!(self, Self::Io(_))
    }
}

/// What every layer returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One thing found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub code: Code,
    /// Where.
    pub place: Place,
    /// The numbers, or whom it hits; may be empty.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}: {}", self.code.severity().mark(), self.code.id(), self.place, self.code.title())?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
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
        if inner.seen.contains(&(code, place)) {
            return;
        }
        inner.changed = Some(SystemTime::now());
        if inner.findings.len() >= NOTES_MAX {
            inner.folded = inner.folded.saturating_add(1);
            return;
        }
        let finding = Finding { code, place, detail: detail.into() };
        tracing::debug!("{finding}");
        inner.seen.insert((code, place));
        inner.findings.push(finding);
    }

    /// Notes an error that was met and survived; what is not damage is noted under `code`.
    pub fn survived(&self, error: &Error, code: Code, place: Place) {
        match error {
            Error::Damaged(code, inner) => self.add(*code, place.nid.map_or(*inner, |nid| inner.of_node(nid)), ""),
            other @ (Error::Io(_) | Error::Unsupported(_) | Error::NotFound(_)) => self.add(code, place, other.to_string()),
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
    fn ids_are_unique_and_in_order() {
        let ids: HashSet<_> = Code::ALL.iter().map(|code| code.id()).collect();
        assert_eq!(ids.len(), Code::ALL.len());
    }

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
    fn findings_past_the_limit_are_counted() {
        let notes = Notes::default();
        for offset in 0..20_000 {
            notes.add(Code::PageCrc, Place::offset(offset), "");
        }
        assert_eq!((notes.findings().len(), notes.count()), (NOTES_MAX, 20_000));
    }
}
