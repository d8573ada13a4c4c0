//! The journal of a transaction: what is needed to bring an interrupted one to an end.
//!
//! It is written and synced before the first byte of the store changes, and emptied after the last. It holds all that
//! the transaction overwrites, old and new: the four headers that stand in the file one after the other, map pages, and
//! the old bytes of free space that new blocks take. So a store whose header is still an old one goes back byte for
//! byte, and one whose new header is durable goes forward to exactly what the commit would have left. A header takes two
//! sectors: a torn one is known by its sectors, each of which is one that the journal names. Any other header means that
//! another program wrote to the store since; the journal then says nothing about it.
//!
//! Layout, little-endian: `PSTFSJNL`, version u32, old and new length of the store u64 each, the bytes of a header u32 and the
//! four headers, the number of images u32, each as offset u64, old length u32, new length u32, old bytes, new bytes; at
//! the end the CRC ([MS-PST] 5.3) of all before it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::damage::{Error, Result};
use crate::disk::overlay::Overlay;
use crate::disk::{ReadAt, WriteAt};
use crate::format::Format;
use crate::format::checksum;
use crate::format::codec::{self, Cut, Decoder, Encoder};
use crate::format::header::Header;

/// The ending of the name of a transaction's journal.
const ENDING: &str = ".journal";
const MAGIC: [u8; 8] = *b"PSTFSJNL";
const VERSION: u32 = 1;
/// What a disk writes as a whole.
const SECTOR_BYTES: usize = 512;

/// Where the journal of a store's transaction stands.
pub fn journal_of(store: &Path) -> PathBuf {
    let mut name = OsString::from(store);
    name.push(ENDING);
    name.into()
}

/// The headers that stand in the file one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Before the transaction.
    pub old: Vec<u8>,
    /// The same, with the maps marked as not valid.
    pub dirty: Vec<u8>,
    /// With the new roots: the commit point.
    pub committed: Vec<u8>,
    /// The same, with the maps marked as valid again.
    pub clean: Vec<u8>,
}

/// A range that is overwritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Where it begins.
    pub offset: u64,
    /// The bytes before; fewer than the new ones where the file ended.
    pub old: Vec<u8>,
    /// The bytes after; empty where they are durable before the commit point.
    pub new: Vec<u8>,
}

/// A transaction's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// The store's length before.
    pub old_len: u64,
    /// The store's length after.
    pub new_len: u64,
    /// The headers.
    pub headers: Headers,
    /// What else is overwritten.
    pub images: Vec<Image>,
}

/// How far an interrupted transaction came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The old roots stand.
    Old,
    /// The new roots stand.
    New,
    /// The header is none of the transaction's: the store was changed since.
    Foreign,
}

impl Journal {
    /// The journal as it stands in its file.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Encoder::new(Format::Unicode);
        to.field(&MAGIC).field(&VERSION).field(&self.old_len).field(&self.new_len).field(&length(&self.headers.old));
        let Headers { old, dirty, committed, clean } = &self.headers;
        to.bytes(old).bytes(dirty).bytes(committed).bytes(clean);
        to.field(&u32::try_from(self.images.len()).unwrap_or(u32::MAX));
        for image in &self.images {
            to.field(&image.offset).field(&length(&image.old)).field(&length(&image.new)).bytes(&image.old).bytes(&image.new);
        }
        let crc = checksum::crc(to.as_slice());
        to.field(&crc);
        to.finish()
    }

    /// Reads a journal; an error where it is cut short, too long, of another version, or its CRC is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, Cut> {
        let (body, crc) = bytes.split_at_checked(bytes.len().saturating_sub(4)).ok_or(Cut)?;
        let stored: u32 = codec::decode(Format::Unicode, crc)?;
        let mut from = Decoder::new(Format::Unicode, body);
        if checksum::crc(body) != stored || from.field::<[u8; 8]>()? != MAGIC || from.field::<u32>()? != VERSION {
            return Err(Cut);
        }
        let (old_len, new_len) = (from.field()?, from.field()?);
        let header_bytes = count(&mut from)?;
        let mut header = || from.take(header_bytes).map(<[u8]>::to_vec);
        let headers = Headers { old: header()?, dirty: header()?, committed: header()?, clean: header()? };
        let images = count(&mut from)?;
        let images = (0..images).map(|_| image(&mut from)).collect::<Result<_, Cut>>()?;
        if from.rest().is_empty() { Ok(Self { old_len, new_len, headers, images }) } else { Err(Cut) }
    }

    /// Reads a journal's file. `None` where it is empty or was never finished: then nothing was changed under it.
    pub fn read(file: &dyn ReadAt) -> Result<Option<Self>> {
        let mut bytes = vec![0; usize::try_from(file.len()?).map_err(std::io::Error::other)?];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(Self::decode(&bytes).ok())
    }

    /// Reads a file that is a journal, or something else: `None` for what does not begin as one.
    pub fn read_if_one(file: &dyn ReadAt) -> Result<Option<Self>> {
        let mut magic = [0; MAGIC.len()];
        if file.len()? < u64::try_from(magic.len()).unwrap_or(u64::MAX) {
            return Ok(None);
        }
        file.read_exact_at(&mut magic, 0)?;
        if magic != MAGIC {
            return Ok(None);
        }
        Self::read(file)?.map(Some).ok_or_else(|| Error::Unsupported("what was kept for an undo is damaged".into()))
    }

    /// How far the transaction came, by the header that the store has now.
    pub fn stage(&self, store: &dyn ReadAt) -> Result<Stage> {
        let mut now = vec![0; self.headers.old.len()];
        if store.len()? < u64::try_from(now.len()).unwrap_or(u64::MAX) {
            return Ok(Stage::Foreign);
        }
        store.read_exact_at(&mut now, 0)?;
        let Headers { old, dirty, committed, clean } = &self.headers;
        let made_of = |headers: &[&Vec<u8>]| {
            let (first, second) = halves(&now);
            headers.iter().any(|header| halves(header).0 == first) && headers.iter().any(|header| halves(header).1 == second)
        };
        Ok(match () {
            () if made_of(&[committed, clean]) => Stage::New,
            // Whatever else is torn between two of them is on its way back, or never came to the commit point.
            () if made_of(&[old, dirty, committed, clean]) => Stage::Old,
            () => Stage::Foreign,
        })
    }

    /// Whether the store is as it was before the transaction, as far as its header tells.
    pub fn is_undone(&self, store: &dyn ReadAt) -> Result<bool> {
        let mut now = vec![0; self.headers.old.len()];
        if store.len()? != self.old_len {
            return Ok(false);
        }
        store.read_exact_at(&mut now, 0)?;
        Ok(now == self.headers.old)
    }

    /// The store as it is at its end, seen through the journal: nothing is written.
    pub fn overlay(&self, store: Arc<dyn ReadAt>) -> Result<Overlay> {
        let (len, header, new) = match self.stage(&*store)? {
            Stage::Old => (self.old_len, &self.headers.old, false),
            Stage::New => (self.new_len, &self.headers.clean, true),
            Stage::Foreign => return Err(foreign()),
        };
        let mut overlay = Overlay::new(store, len)?;
        overlay.replace(0, header);
        for image in &self.images {
            overlay.replace(image.offset, if new { &image.new } else { &image.old });
        }
        Ok(overlay)
    }

    /// Gives back every byte that the store had before a transaction that was committed.
    ///
    /// `Unsupported` where the store's header is no longer the transaction's. Interrupted, it is gone on with by
    /// [`recover_journal`] or by a second call.
    pub fn undo(&self, store: &impl WriteAt) -> Result<()> {
        if self.stage(store)? == Stage::Foreign {
            return Err(foreign());
        }
        // From here on the old roots stand: free space that new blocks took may be written over.
        write_all(store, [(0, self.headers.dirty.as_slice())])?;
        self.roll_back(store)
    }

    /// Writes the old bytes of everything, the header last.
    fn roll_back(&self, store: &impl WriteAt) -> Result<()> {
        let images = self.images.iter().map(|image| (image.offset, image.old.as_slice()));
        write_all(store, images)?;
        write_all(store, [(0, self.headers.old.as_slice())])?;
        if store.len()? != self.old_len {
            store.set_len(self.old_len)?;
            store.sync()?;
        }
        Ok(())
    }

    /// Writes the new bytes of the maps, the header last.
    fn roll_forward(&self, store: &impl WriteAt) -> Result<()> {
        let images = self.images.iter().map(|image| (image.offset, image.new.as_slice()));
        write_all(store, images)?;
        write_all(store, [(0, self.headers.clean.as_slice())])
    }
}

/// What [`recover_journal`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// There was no transaction to end.
    Nothing,
    /// The store is as it was before the transaction, byte for byte.
    Back,
    /// The store is as the transaction would have left it, byte for byte.
    Forward,
}

/// Brings an interrupted transaction to its end on disk, and empties the journal.
///
/// Safe at any point: interrupted itself, it can be done again. `Unsupported` where another program changed the store
/// after the interruption; store and journal then stay as they are.
pub fn recover_journal(store: &impl WriteAt, journal: &impl WriteAt) -> Result<Recovered> {
    let recovered = match Journal::read(journal)? {
        None => Recovered::Nothing,
        Some(found) => match found.stage(store)? {
            Stage::Old => found.roll_back(store).map(|()| Recovered::Back)?,
            Stage::New => found.roll_forward(store).map(|()| Recovered::Forward)?,
            Stage::Foreign => return Err(foreign()),
        },
    };
    drop_journal(journal)?;
    Ok(recovered)
}

/// The store as readers are to see it: through its journal where that holds a transaction, else as it is.
pub fn through_journal(store: Arc<dyn ReadAt>, journal: &dyn ReadAt) -> Result<Arc<dyn ReadAt>> {
    match Journal::read(journal)? {
        Some(found) => Ok(Arc::new(found.overlay(store)?)),
        None => Ok(store),
    }
}

/// Empties a journal whose transaction is at its end.
pub(super) fn drop_journal(journal: &impl WriteAt) -> Result<()> {
    if !journal.is_empty()? {
        journal.set_len(0)?;
        journal.sync()?;
    }
    Ok(())
}

/// Writes ranges and syncs; nothing where there are none.
pub(super) fn write_all<'a>(file: &impl WriteAt, ranges: impl IntoIterator<Item = (u64, &'a [u8])>) -> Result<()> {
    let mut wrote = false;
    for (offset, bytes) in ranges.into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
        file.write_all_at(bytes, offset)?;
        wrote = true;
    }
    if wrote {
        file.sync()?;
    }
    Ok(())
}

fn foreign() -> Error {
    Error::Unsupported(
        "the store was changed by another program after an interrupted repair, so its journal no longer fits; move FILE.journal away"
            .into(),
    )
}

fn halves(header: &[u8]) -> (&[u8], &[u8]) {
    header.split_at_checked(SECTOR_BYTES).unwrap_or((header, &[]))
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

fn count(from: &mut Decoder<'_>) -> Result<usize, Cut> {
    usize::try_from(from.field::<u32>()?).map_err(|_| Cut)
}

fn image(from: &mut Decoder<'_>) -> Result<Image, Cut> {
    let offset = from.field()?;
    let (old, new) = (count(from)?, count(from)?);
    Ok(Image { offset, old: from.take(old)?.to_vec(), new: from.take(new)?.to_vec() })
}

/// The headers of a transaction from its first and its last: both are raised by their counter of writes.
pub(super) fn headers(format: Format, old: Vec<u8>, before: &Header, after: &Header, clean_mark: u8) -> Headers {
    let written = |header: &Header, writes: u32, valid: u8| {
        let mut header = header.clone();
        header.unique = header.unique.wrapping_add(writes);
        header.root.amap_valid = valid;
        header.encode_valid(format)
    };
    Headers { old, dirty: written(before, 1, 0), committed: written(after, 2, 0), clean: written(after, 3, clean_mark) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Journal {
        let header = |mark: u8| vec![mark; 564];
        Journal {
            old_len: 1024,
            new_len: 2048,
            headers: Headers { old: header(1), dirty: header(2), committed: header(3), clean: header(4) },
            images: vec![
                Image { offset: 600, old: vec![5; 8], new: vec![6; 8] },
                Image { offset: 1020, old: vec![7; 4], new: vec![] },
                Image { offset: 1100, old: vec![], new: vec![8; 2] },
            ],
        }
    }

    #[test]
    fn a_journal_gives_back_what_was_put_in_and_every_cut_is_an_error() {
        let bytes = sample().encode();
        assert_eq!(Journal::decode(&bytes), Ok(sample()));
        assert!((0..bytes.len()).all(|len| Journal::decode(&bytes[..len]).is_err()));
        assert!(Journal::decode(&[bytes.clone(), vec![0]].concat()).is_err(), "longer than its contents");
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert!(Journal::decode(&flipped).is_err(), "flipped at {at}");
        }
    }

    #[test]
    fn a_count_that_lies_ends_without_memory_for_it() {
        let mut bytes = sample().encode();
        let at = 8 + 4 + 16 + 4 + 4 * 564;
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        let end = bytes.len() - 4;
        let crc = checksum::crc(&bytes[..end]).to_le_bytes();
        bytes[end..].copy_from_slice(&crc);
        assert_eq!(Journal::decode(&bytes), Err(Cut));
    }

    #[test]
    fn the_stage_follows_from_the_sectors_of_the_header() {
        let journal = sample();
        let stage = |first: u8, second: u8| journal.stage(&[vec![first; 512], vec![second; 52], vec![0; 100]].concat()).unwrap();
        for (first, second) in [(1, 1), (2, 1), (1, 2), (2, 2), (3, 2), (2, 3), (3, 1), (1, 3), (4, 2), (2, 4)] {
            assert_eq!(stage(first, second), Stage::Old, "{first} {second}");
        }
        for (first, second) in [(3, 3), (4, 3), (3, 4), (4, 4)] {
            assert_eq!(stage(first, second), Stage::New, "{first} {second}");
        }
        for (first, second) in [(5, 3), (3, 5), (5, 5)] {
            assert_eq!(stage(first, second), Stage::Foreign, "{first} {second}");
        }
        assert_eq!(journal.stage(&vec![1; 100]).unwrap(), Stage::Foreign);
    }

    #[test]
    fn the_overlay_shows_either_end() {
        let mut store = vec![9; 1500];
        store[..564].fill(2);
        let bytes = |store: &Vec<u8>| {
            let overlay = sample().overlay(Arc::new(store.clone())).unwrap();
            let mut bytes = vec![0; overlay.len().unwrap() as usize];
            overlay.read_exact_at(&mut bytes, 0).unwrap();
            bytes
        };
        let old = bytes(&store);
        assert_eq!((old.len(), old[0], old[600], old[1019], old[1020]), (1024, 1, 5, 9, 7));
        store[..564].fill(3);
        let new = bytes(&store);
        assert_eq!((new.len(), new[0], new[600], new[1020], new[1100], new[1600]), (2048, 4, 6, 9, 8, 0));
    }
}
