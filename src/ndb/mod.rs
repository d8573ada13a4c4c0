//! Which bytes belong to this node: header, pages, B-trees, blocks, data and subnode trees.
//!
//! The node database ([MS-PST] 2.2) finds a node by its id in one B-tree and a block by its id in another; a node's
//! bytes are the leaves of a tree of blocks, and its subnodes the leaves of a second one. Readers are tolerant: a CRC or
//! signature that does not match is noted in [`Notes`], and the bytes are used if they still make sense. Nothing is read
//! before it is asked for, and what was read stays in caches with byte budgets.
//!
//! A database opens by its header ([`Ndb::open`]) or from maps that it is given ([`Ndb::from_maps`]). One that opened by
//! its header and meets a damaged page asks for maps too, where it was told whom to ask ([`Ndb::rescue_with`]).

mod block;
pub mod cache;
mod data;
mod doubt;
mod maps;
mod open;
mod page;
mod recent;
mod rescue;
mod subnode;
pub mod write;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::damage::{Code, Error, Notes, Place, Result};
use crate::disk::ReadAt;
use crate::format::Format;
use crate::format::cipher::Cipher;
use crate::format::header::Header;
use crate::format::id::{Bid, BlockRef, Ib};
use crate::progress::Progress;

use cache::Cache;
use recent::Recent;
use rescue::Rescued;

pub use block::{Block, BlockCrc, inflate};
pub use data::{Data, Leaf};
pub use maps::{BlockPlace, Maps};
pub use open::{ENCRYPTED, HEAP_NODES, Parts};
pub use page::BTree;
pub use rescue::{Part, Rescue};

/// A store's nodes and blocks.
#[derive(Debug)]
pub struct Ndb {
    source: Arc<dyn ReadAt>,
    format: Format,
    header: Header,
    cipher: Cipher,
    file_bytes: u64,
    pages: Cache<Ib, page::TreePage>,
    blocks: Cache<Bid, Block>,
    trees: Cache<Bid, Data>,
    recent: Recent,
    notes: Arc<Notes>,
    io_failures: AtomicU64,
    rescue: Option<(Rescue, Arc<Progress>)>,
    rescued: Arc<Rescued>,
}

impl Ndb {
    /// The variant of the format.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The header as it was read.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// How data blocks are encoded: what the header says, or what the data show where that is wrong.
    pub const fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// The file's length when it was opened.
    pub const fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// What was found damaged so far.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The file.
    pub fn source(&self) -> &Arc<dyn ReadAt> {
        &self.source
    }

    /// The root of a B-tree, as the header names it.
    pub const fn root(&self, tree: BTree) -> BlockRef {
        match tree {
            BTree::Nodes => self.header.root.nodes,
            BTree::Blocks => self.header.root.blocks,
        }
    }

    /// Fills `buffer` from the file. What went wrong is noted: it concerns the whole file, not one request.
    ///
    /// Once another program has written to the file, what was read before and what is read now need not belong
    /// together, so nothing more is read.
    fn read_bytes(&self, buffer: &mut [u8], ib: Ib) -> Result<()> {
        let read = self.read_checked(buffer, ib);
        if read.is_err() {
            self.io_failures.fetch_add(1, Ordering::Relaxed);
        }
        read
    }

    fn read_checked(&self, buffer: &mut [u8], ib: Ib) -> Result<()> {
        let read = self.source.read_exact_at(buffer, ib.0);
        if self.source.was_changed()? {
            self.notes.add(Code::FileChanged, Place::FILE, "what was read before it stays; open it again to see what it is now");
            return Err(Error::Io(io::Error::other("the file was changed by another program while it was open")));
        }
        read.map_err(|error| {
            // Whoever asks to stop finds nothing wrong with the file.
            if error.kind() != io::ErrorKind::Interrupted {
                self.notes.add(Code::FileUnreadable, Place::offset(ib.0), error.to_string());
            }
            Error::Io(error)
        })
    }

    /// Does something that must not be half done because the file could not be read on the way.
    ///
    /// Many a reader takes what it cannot read for absent. After an I/O error that would be remembered as the truth, so
    /// what was done is thrown away; another thread's error does no more harm than to ask for a second try.
    pub fn without_io_failure<T>(&self, done: impl FnOnce() -> Result<T>) -> Result<T> {
        let before = self.io_failures.load(Ordering::Relaxed);
        let result = done()?;
        if self.io_failures.load(Ordering::Relaxed) == before {
            Ok(result)
        } else {
            Err(Error::Io(io::Error::other("the file cannot be read")))
        }
    }
}
