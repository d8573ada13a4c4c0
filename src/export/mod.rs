//! The documents of a store written out as files: as they are, as Maildir++, as mbox, as the folders of Thunderbird.
//!
//! [`export`] goes through the tree folder by folder. Documents are rendered on several threads and taken in their order
//! (`ordered`), so that the number of threads changes no byte. What becomes a file of its own (`single`) is written by
//! the thread that rendered it; what joins others in one file (`joined`) is appended by the one that takes them.
//!
//! Every file is made under another name and renamed when it is whole. The manifest in the folder tells what was
//! written from which state of which item: a second run leaves alone what it proves, and no file that it does not know is
//! ever replaced.

mod calendar;
mod folder;
mod head;
mod joined;
mod line;
mod manifest;
mod marks;
mod name;
mod ordered;
mod quote;
mod run;
mod select;
mod single;
mod target;
mod work;

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::damage::{Error, Result};
use crate::disk::ReadAt;
use crate::progress::Progress;

pub use line::{Item, Status};
pub use manifest::MANIFEST;
pub use run::export;

/// What the documents become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// The tree that a mount shows.
    #[default]
    Eml,
    /// Maildir++: a file a mail, the flags in its name.
    Maildir,
    /// A file a folder, in the quoting that loses nothing (mboxrd).
    Mbox,
    /// The same with the folders and headers of Thunderbird.
    Thunderbird,
}

impl Layout {
    /// Its name on the command line and in the manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eml => "eml",
            Self::Maildir => "maildir",
            Self::Mbox => "mbox",
            Self::Thunderbird => "thunderbird",
        }
    }
}

/// A time: seconds since 1970 and nanoseconds.
pub type Time = (i64, u32);

/// What to export, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder that is written to.
    pub dir: PathBuf,
    /// What the documents become.
    pub layout: Layout,
    /// Paths in the tree; none for all of it.
    pub paths: Vec<String>,
    /// The earliest time of an item.
    pub since: Option<Time>,
    /// The latest time of an item.
    pub until: Option<Time>,
    /// Whether to count the documents first, so that the progress has an end.
    pub count: bool,
    /// How many documents are rendered at a time.
    pub jobs: usize,
    /// Permission bits of the files, of which the process's mask takes away some.
    pub mode: u32,
    /// The number of the renderer.
    pub renderer: u32,
    /// The digest of the store, where it was asked for.
    pub store_sha256: Option<String>,
    /// Where the store lies in the image that it was found in; `None` for a file of its own.
    pub origin: Option<Origin>,
}

/// Where in an image a store was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Where it begins; before the image's beginning where only a later part is there.
    pub start: i64,
    /// The first byte of the part of the image that it was read from.
    pub from: u64,
    /// The byte behind the last one.
    pub to: u64,
    /// Whether all of the store is there.
    pub whole: bool,
}

/// What an export did: `rows` = `written` + `incomplete` + `failed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Items that were to be exported.
    pub rows: u64,
    /// Those that are there, whole.
    pub written: u64,
    /// Those that are there, as far as they can be read.
    pub incomplete: u64,
    /// Those that are not there.
    pub failed: u64,
    /// Of those that are there: left alone because an earlier run wrote them.
    pub unchanged: u64,
    /// Items left out because of their time.
    pub outside: u64,
    /// Bytes of the documents that are there.
    pub bytes: u64,
}

/// Why an export ends before its end.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// The user asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// Nobody wants to hear of the items any more.
    #[error("nobody listens")]
    Gone,
    /// The folder cannot be used for this, in words for the user.
    #[error("{dir}: {1}", dir = .0.display())]
    Refused(PathBuf, String),
    /// A file cannot be written, and the next one could not either.
    #[error("{path}: {1}; mend that and run the same command again, what is written stays", path = .0.display())]
    Target(PathBuf, io::Error),
    /// The store cannot be looked into.
    #[error("{0}")]
    Store(#[from] Error),
}

/// Hears of every item that is done; an error ends the export.
pub type Told<'a> = &'a mut dyn FnMut(&Item) -> Result<(), Stop>;

/// The SHA-256 of a whole file, in hex.
pub fn sha256_of(file: &dyn ReadAt, progress: &Progress) -> Result<String> {
    let len = file.len()?;
    progress.begin("Hashing the store", len)?;
    let mut hash = Sha256::new();
    let mut offset = 0_u64;
    while offset < len {
        let count = len.saturating_sub(offset).min(work::CHUNK_BYTES);
        let mut buffer = vec![0; usize::try_from(count).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut buffer, offset)?;
        hash.update(&buffer);
        offset = offset.saturating_add(count);
        progress.add(count)?;
    }
    Ok(hex(hash))
}

/// A finished digest in hex.
fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
