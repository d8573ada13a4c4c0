//! Opening: from the first bytes of a file to a database that answers.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::Ndb;
use super::cache::Cache;
use super::maps::Maps;
use super::recent::Recent;
use crate::damage::{Code, Error, Notes, Place, Result};
use crate::disk::ReadAt;
use crate::format::Format;
use crate::format::checksum::{self, Flip};
use crate::format::cipher::Cipher;
use crate::format::codec::{self, Field};
use crate::format::header::{Client, Header};
use crate::format::id::{Bid, Nid};

/// bCryptMethod of stores that Windows Information Protection encrypts ([MS-PST] 2.2.2.6, since 2016).
const CRYPT_EDP: u8 = 0x10;

/// Nodes whose data begin with a heap in every store: what a cipher is tried on.
pub const HEAP_NODES: [Nid; 3] = [Nid::MESSAGE_STORE, Nid::NAME_MAP, Nid::ROOT_FOLDER];

/// What a header tells, or what was found where it does not.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The variant of the format.
    pub format: Format,
    /// The header; one made up where there is none.
    pub header: Header,
    /// How data blocks are encoded.
    pub cipher: Cipher,
}

/// What is said of a store whose owner is another than pstfs can be.
pub const ENCRYPTED: &str =
    "the store is encrypted by Windows Information Protection and can only be read on the Windows machine that made it";

impl Ndb {
    /// Opens a store by its header. Reads the header and a handful of pages, whatever the size.
    ///
    /// Wrong CRCs, an unclean close and a length that differs are noted, not refused. `Unsupported` for what is no store
    /// or is encrypted by Windows; `Damaged` where the header is cut short.
    pub fn open(source: Arc<dyn ReadAt>, cache_bytes: usize) -> Result<Self> {
        let file_bytes = source.len()?;
        let bytes = head(&*source, file_bytes)?;
        let righted = Header::righted(&bytes);
        let told = righted.as_ref().map_or(&bytes, |(_, righted)| righted);
        let format = format_of(told)?;
        let header: Header = codec::decode(format, told).map_err(|cut| cut.at(Code::HeaderEof, Place::offset(0)))?;
        let notes = Notes::default();
        let flip = righted.as_ref().map(|(flip, _)| *flip);
        note_header(&header, format, &bytes, flip, file_bytes, &notes);
        let cipher = match header.crypt_method {
            CRYPT_EDP => {
                return Err(Error::Unsupported(ENCRYPTED.into()));
            }
            method => Cipher::of_method(method).unwrap_or(Cipher::Permute),
        };
        let mut ndb = Self::assemble(source, file_bytes, Parts { format, header, cipher }, cache_bytes);
        ndb.notes = Arc::new(notes);
        ndb.settle_cipher();
        Ok(ndb)
    }

    /// Opens a store from maps of its blocks and nodes, whatever its header and trees say.
    pub fn from_maps(source: Arc<dyn ReadAt>, parts: Parts, maps: Maps, cache_bytes: usize) -> Result<Self> {
        let file_bytes = source.len()?;
        let ndb = Self::assemble(source, file_bytes, parts, cache_bytes);
        ndb.rescued.set(maps);
        Ok(ndb)
    }

    /// A second database of the same store, which reads it through another source of the same bytes and has caches of its
    /// own, for who goes through all of it. What one of them finds damaged the other knows.
    #[must_use]
    pub fn beside(&self, source: Arc<dyn ReadAt>, cache_bytes: usize) -> Self {
        let parts = Parts { format: self.format, header: self.header.clone(), cipher: self.cipher };
        let (notes, rescued) = (Arc::clone(&self.notes), Arc::clone(&self.rescued));
        Self {
            pages: Cache::of_what_comes_again(cache_bytes >> 2),
            blocks: Cache::of_what_comes_again(cache_bytes >> 1),
            notes,
            rescued,
            rescue: self.rescue.clone(),
            ..Self::assemble(source, self.file_bytes, parts, cache_bytes)
        }
    }

    fn assemble(source: Arc<dyn ReadAt>, file_bytes: u64, parts: Parts, cache_bytes: usize) -> Self {
        Self {
            source,
            format: parts.format,
            header: parts.header,
            cipher: parts.cipher,
            file_bytes,
            pages: Cache::new(cache_bytes >> 2),
            blocks: Cache::new(cache_bytes >> 1),
            // The index of a tree of gigabytes is large, and each read of it asks for it again.
            trees: Cache::keeping_newest(cache_bytes >> 2),
            recent: Recent::default(),
            notes: Arc::default(),
            io_failures: AtomicU64::new(0),
            rescue: None,
            rescued: Arc::default(),
        }
    }

    /// Chooses the cipher that the data show: some writers encode blocks and say that they did not.
    fn settle_cipher(&mut self) {
        let Some(cipher) = HEAP_NODES.iter().find_map(|nid| self.cipher_of(*nid)).filter(|cipher| *cipher != self.cipher) else { return };
        self.notes.add(Code::HeaderCrypt, Place::FILE, format!("the data are encoded by {}", cipher.name()));
        self.cipher = cipher;
        self.blocks = Cache::new(self.blocks.budget());
        self.recent = Recent::default();
    }

    /// The cipher under which a node's data begin as a heap, the one that is told before others; `None` where none does.
    fn cipher_of(&self, nid: Nid) -> Option<Cipher> {
        let node = self.node(nid).ok()??;
        let first = self.data(node.data).ok()?.leaves().first()?.bid;
        Cipher::of_heap(&self.stored_block(first).ok()?, first, [self.cipher].into_iter().chain(Cipher::ALL))
    }

    /// A block as stored, for trying ciphers on; inflated where it is compressed.
    fn stored_block(&self, bid: Bid) -> Result<Vec<u8>> {
        let entry = self.block_entry(bid)?;
        Ok(self.verified_block(&entry)?.data)
    }
}

fn head(source: &dyn ReadAt, file_bytes: u64) -> Result<Vec<u8>> {
    if file_bytes == 0 {
        return Err(Error::Unsupported("the file is empty".into()));
    }
    let mut bytes = vec![0; usize::try_from(file_bytes).unwrap_or(usize::MAX).min(Header::BYTES_MAX)];
    source.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

fn format_of(bytes: &[u8]) -> Result<Format> {
    match Header::format_of(bytes) {
        Ok(Ok(format)) => Ok(format),
        Ok(Err(version)) => {
            Err(Error::Unsupported(format!("a store of unknown version {version}; known are 14, 15, 20 to 35 and 36 and above")))
        }
        Err(_) => Err(Error::Unsupported("not an Outlook mail store: it does not begin with the bytes 21 42 44 4e (!BDN)".into())),
    }
}

fn note_header(header: &Header, format: Format, bytes: &[u8], flip: Option<Flip>, file_bytes: u64, notes: &Notes) {
    let faults = header.faults(format, bytes.get(..Header::size(format)).unwrap_or(bytes));
    if let Some(crc) = faults.crc_partial {
        notes.add(Code::HeaderCrcPartial, Place::offset(4), checksum::mismatch(header.crc_partial, crc, flip));
    }
    if let Some(crc) = faults.crc_full {
        notes.add(Code::HeaderCrcFull, Place::offset(524), checksum::mismatch(header.crc_full, crc, flip));
    }
    if ![Client::PST, Client::OST, Client::PAB].contains(&header.client) {
        notes.add(Code::HeaderClient, Place::offset(8), format!("{:02x?}", header.client.0));
    }
    if header.root.file_eof.0 != file_bytes {
        notes.add(Code::HeaderEof, Place::FILE, format!("header {:#x}, file {file_bytes:#x}", header.root.file_eof.0));
    }
    if header.root.amap_valid == 0 {
        notes.add(Code::HeaderDirty, Place::FILE, "");
    }
    if Cipher::of_method(header.crypt_method).is_none() {
        notes.add(Code::HeaderCrypt, Place::FILE, format!("method {:#x}", header.crypt_method));
    }
}
