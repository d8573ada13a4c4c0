//! From collected changes to bytes in their places, and the order in which they are written.
//!
//! [`Prepared`] knows every byte before the first is written: so a commit can be shown, undone, and interrupted anywhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cow::{Edits, Written};
use super::journal::{self, Image, Journal, Stage, drop_journal, write_all};
use super::ledger::Fresh;
use super::pack::packed;
use super::room::{Section, Space};
use super::section::{self, Bits, full_map, offset_of};
use crate::damage::{Error, Result};
use crate::disk::overlay::Overlay;
use crate::disk::{Arena, Piece, ReadAt, WriteAt};
use crate::format::Format;
use crate::format::amap;
use crate::format::block::encode_block;
use crate::format::btree::{BlockEntry, NodeEntry};
use crate::format::codec::Field;
use crate::format::header::Header;
use crate::format::id::{Bid, BlockRef, Ib, Nid};
use crate::format::page::PageKind;
use crate::ndb::Ndb;

/// What fAMapValid says of valid maps, in files of Outlook 2003 and before and in later ones ([MS-PST] 2.2.2.5).
const VALID: [u8; 2] = [1, 2];

/// Room for a journal's headers and lists, and for the log beside the store.
const JOURNAL_MARGIN_BYTES: u64 = 1 << 20;

/// A transaction, worked out to the last byte.
#[derive(Debug)]
pub struct Prepared {
    format: Format,
    old_len: u64,
    /// Where new blocks go, and what they are among `bytes`.
    blocks: Vec<(Ib, Piece)>,
    bytes: Arena,
    pages: Vec<Written>,
    grown: Vec<Written>,
    reserved: Vec<Written>,
    journal: Option<Journal>,
    /// Where blocks lie whose entries are written, as offset and length; none where all entries are.
    entered: Option<Vec<(u64, u64)>>,
    /// The nodes whose entries are written or taken out.
    nodes: Vec<Nid>,
    unreadable: Vec<Bid>,
    source: Arc<dyn ReadAt>,
    cipher: crate::format::cipher::Cipher,
}

/// What a commit did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// How many blocks were written.
    pub blocks: usize,
    /// How many pages of the B-trees were written.
    pub pages: usize,
    /// By how many bytes the file grew.
    pub grown_bytes: u64,
    /// Inner blocks that were let go without knowing what they named: that is named once too often now.
    pub unreadable: Vec<Bid>,
}

impl Prepared {
    pub(super) fn new(ndb: &Ndb, unreadable: Vec<Bid>) -> Self {
        Self {
            format: ndb.format(),
            old_len: ndb.file_bytes(),
            blocks: Vec::new(),
            bytes: Arena::default(),
            pages: Vec::new(),
            grown: Vec::new(),
            reserved: Vec::new(),
            journal: None,
            entered: Some(Vec::new()),
            nodes: Vec::new(),
            unreadable,
            source: Arc::clone(ndb.source()),
            cipher: ndb.cipher(),
        }
    }

    /// Gives each new block its place and its entry.
    pub(super) fn place_blocks(
        &mut self,
        space: &mut Space<'_>,
        fresh: BTreeMap<Bid, Fresh>,
        data: &Arena,
        edits: &mut Edits<BlockEntry>,
    ) -> Result<()> {
        for (bid, block) in fresh {
            let mut data = data.get(block.data).to_vec();
            let size =
                |data: &[u8]| u16::try_from(data.len()).map_err(|_| Error::Unsupported("a block larger than the format allows".into()));
            let inflated = size(&data)?;
            if !bid.is_internal() {
                self.cipher.encode(&mut data, bid);
                if block.packed {
                    data = self.packed(&data).unwrap_or(data);
                }
            }
            let size = size(&data)?;
            let ib = space.block(data.len().saturating_add(self.format.layout().block_trailer_bytes))?;
            let references = block.references.checked_add(1);
            let references = references.ok_or_else(|| Error::Unsupported(format!("block {bid} is named too often")))?;
            let entry = BlockEntry { block: BlockRef { bid, ib }, size, inflated, references, padding: 0 };
            edits.insert(bid.0, Some(entry));
            let piece = self.bytes.put(&encode_block(self.format, bid, ib, &data, inflated));
            self.blocks.push((ib, piece));
        }
        Ok(())
    }

    /// A block's data, compressed; `None` where they would not be fewer.
    fn packed(&self, data: &[u8]) -> Option<Vec<u8>> {
        packed(self.format, self.cipher, data).filter(|packed| packed.len() < data.len())
    }

    /// All new blocks and pages, and where they go.
    fn contents(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.blocks.iter().map(|(ib, piece)| (ib.0, self.bytes.get(*piece))).chain(pieces(&self.pages))
    }

    /// Takes note of the entries that are written; `all` where every one is.
    pub(super) fn note_entries(&mut self, nodes: &Edits<NodeEntry>, blocks: &Edits<BlockEntry>, all: bool) {
        let places = blocks.values().flatten().map(|entry| (entry.block.ib.0, entry.stored_bytes(self.format)));
        self.entered = (!all).then(|| places.collect());
        self.nodes = nodes.keys().filter_map(|key| u32::try_from(*key).ok()).map(Nid).collect();
    }

    pub(super) fn take_pages(&mut self, pages: Vec<Written>) {
        self.pages = pages;
    }

    /// The maps, the headers and the journal, once all places are known.
    pub(super) fn finish(&mut self, space: &Space<'_>, ndb_header: &Header, mut header: Header, rebuild: bool) -> Result<()> {
        let mut images = Vec::new();
        for (index, section) in space.sections() {
            self.maps(space, *index, section, rebuild, &mut header, &mut images)?;
        }
        self.density_list(&mut images)?;
        for (offset, bytes) in self.contents() {
            let old = self.old_bytes(Ib(offset), bytes.len())?;
            if !old.is_empty() {
                images.push(Image { offset, old, new: Vec::new() });
            }
        }
        let whole = rebuild || space.end() > self.old_len;
        if whole {
            header.root.file_eof = Ib(space.end());
            header.root.amap_last = offset_of(self.format, space.count().saturating_sub(1), 0).unwrap_or(header.root.amap_last);
        }
        header.root.amap_free = Ib(space.free_bytes());
        if rebuild {
            header.root.pmap_free = Ib(0);
        }
        let clean = match (header.root.amap_valid, self.format) {
            (valid, _) if VALID.contains(&valid) => valid,
            (_, Format::Ansi) => 1,
            (_, Format::Unicode | Format::Unicode4k) => 2,
        };
        let old = self.old_bytes(Ib(0), Header::size(self.format))?;
        let headers = journal::headers(self.format, old, ndb_header, &header, clean);
        self.journal = Some(Journal { old_len: self.old_len, new_len: if whole { space.end() } else { self.old_len }, headers, images });
        Ok(())
    }

    /// A section's map pages: as they stand while both trees are there, and after.
    fn maps(
        &mut self,
        space: &Space<'_>,
        index: u64,
        section: &Section,
        rebuild: bool,
        header: &mut Header,
        images: &mut Vec<Image>,
    ) -> Result<()> {
        let Some(ib) = offset_of(self.format, index, 0) else { return Ok(()) };
        let old = self.old_bytes(ib, self.format.layout().page_bytes)?;
        let (during, after) = (section.now.page(self.format, ib), section.after.page(self.format, ib));
        if during != old || after != old {
            mark_unknown(self.format, header, index);
            self.reserved.push(Written { ib, bytes: during });
            images.push(Image { offset: ib.0, old, new: after });
        }
        let is_new = !space.is_old(index);
        if is_new {
            self.grown.push(Written { ib, bytes: Bits::fresh(self.format, index).page(self.format, ib) });
        }
        if is_new || rebuild {
            self.deprecated_maps(index, is_new, images)?;
        }
        Ok(())
    }

    /// The maps that nobody allocates by any more, but that must be there.
    fn deprecated_maps(&mut self, index: u64, is_new: bool, images: &mut Vec<Image>) -> Result<()> {
        let start = offset_of(self.format, index, 0);
        for (at, kind) in amap::pages_at(self.format, index).filter(|(_, kind)| *kind != PageKind::AMAP) {
            let Some(ib) = start.and_then(|start| start.checked_add(at)) else { continue };
            let new = full_map(self.format, kind, ib);
            if is_new {
                self.grown.push(Written { ib, bytes: new.clone() });
            }
            let old = self.old_bytes(ib, new.len())?;
            if old != new {
                images.push(Image { offset: ib.0, old, new });
            }
        }
        Ok(())
    }

    fn density_list(&self, images: &mut Vec<Image>) -> Result<()> {
        let dlist = Ib(self.format.layout().dlist);
        let old = self.old_bytes(dlist, self.format.layout().page_bytes)?;
        if let Some(new) = section::empty_dlist(self.format, &old).filter(|new| *new != old) {
            images.push(Image { offset: dlist.0, old, new });
        }
        Ok(())
    }

    /// The bytes that stand there now, as far as the file goes.
    fn old_bytes(&self, ib: Ib, len: usize) -> Result<Vec<u8>> {
        let there = usize::try_from(self.old_len.saturating_sub(ib.0)).unwrap_or(usize::MAX).min(len);
        let mut bytes = vec![0; there];
        if there > 0 {
            self.source.read_exact_at(&mut bytes, ib.0)?;
        }
        Ok(bytes)
    }

    /// The journal that the commit keeps; `None` where there is nothing to write. Whoever keeps a copy can undo the
    /// commit to the byte.
    pub const fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// How many bytes the file system must have free: what the file grows by, and the journal.
    pub fn needed_bytes(&self) -> u64 {
        let Some(journal) = &self.journal else { return 0 };
        let images = journal.images.iter().map(|image| image.old.len().saturating_add(image.new.len()));
        let images = images.fold(0, usize::saturating_add);
        let grown = journal.new_len.saturating_sub(self.old_len);
        grown.saturating_add(u64::try_from(images).unwrap_or(u64::MAX)).saturating_add(JOURNAL_MARGIN_BYTES)
    }

    /// What the commit writes, in numbers.
    pub fn in_numbers(&self) -> String {
        let grown = self.journal.as_ref().map_or(0, |journal| journal.new_len.saturating_sub(self.old_len));
        format!("{} blocks and {} pages of the trees are written, the store grows by {grown} bytes", self.blocks.len(), self.pages.len())
    }

    /// The ranges of the old file's free space that new things take, as offset and length: what could be recovered from
    /// them is gone after the commit.
    pub fn reused(&self) -> impl Iterator<Item = (u64, u64)> {
        let old = self.contents().filter(|(offset, _)| *offset < self.old_len);
        old.map(|(offset, bytes)| (offset, u64::try_from(bytes.len()).unwrap_or(0)))
    }

    /// Where the store is touched, as offset and length: what the commit writes, and the blocks whose entries it writes.
    /// `None` where it writes the entries of all blocks anew.
    pub fn touched(&self) -> Option<Vec<(u64, u64)>> {
        let images =
            self.journal.iter().flat_map(|journal| &journal.images).map(|image| (image.offset, image.old.len().max(image.new.len())));
        let contents = self.contents().map(|(offset, bytes)| (offset, bytes.len()));
        let written = images.chain(contents).map(|(offset, len)| (offset, u64::try_from(len).unwrap_or(u64::MAX)));
        Some(self.entered.as_ref()?.iter().copied().chain(written).collect())
    }

    /// The nodes whose entries the commit writes or takes out, where it does not write all of them anew.
    pub fn nodes(&self) -> &[Nid] {
        &self.nodes
    }

    /// The store as it would be after the commit.
    pub fn preview(&self, store: Arc<dyn ReadAt>) -> Result<Overlay> {
        let Some(journal) = &self.journal else {
            let len = store.len()?;
            return Ok(Overlay::new(store, len)?);
        };
        let mut overlay = Overlay::new(store, journal.new_len)?;
        self.contents().for_each(|(offset, bytes)| overlay.replace(offset, bytes));
        journal.images.iter().for_each(|image| overlay.replace(image.offset, &image.new));
        overlay.replace(0, &journal.headers.clean);
        Ok(overlay)
    }

    /// Writes all, in the order that makes a crash at any point leave the old store or the new one.
    ///
    /// `store` is the file that the transaction began on, `journal` an empty file beside it whose directory entry is
    /// durable. After an error `recover_journal` brings the store to the one end or the other.
    pub fn commit(self, store: &impl WriteAt, journal: &impl WriteAt) -> Result<Committed> {
        let Some(plan) = &self.journal else { return Ok(Committed { unreadable: self.unreadable, ..Committed::default() }) };
        self.refuse_changed(plan, store, journal)?;
        // What can be undone is durable before anything is done.
        journal.set_len(0)?;
        write_all(journal, [(0, plan.encode().as_slice())])?;
        // The header still tells the old length: what lies past it is nobody's.
        if plan.new_len != self.old_len {
            store.set_len(plan.new_len)?;
            store.sync()?;
            write_all(store, pieces(&self.grown))?;
        }
        // From here to the end other programs know that the maps are not to be trusted.
        write_all(store, [(0, plan.headers.dirty.as_slice())])?;
        write_all(store, self.contents())?;
        write_all(store, pieces(&self.reserved))?;
        // The commit point.
        write_all(store, [(0, plan.headers.committed.as_slice())])?;
        write_all(store, plan.images.iter().map(|image| (image.offset, image.new.as_slice())))?;
        write_all(store, [(0, plan.headers.clean.as_slice())])?;
        drop_journal(journal)?;
        Ok(Committed {
            blocks: self.blocks.len(),
            pages: self.pages.len(),
            grown_bytes: plan.new_len.saturating_sub(self.old_len),
            unreadable: self.unreadable,
        })
    }

    /// A store that is no longer as it was opened, or has a transaction to end, is not written to.
    fn refuse_changed(&self, plan: &Journal, store: &impl WriteAt, journal: &impl WriteAt) -> Result<()> {
        if Journal::read(journal)?.is_some() {
            return Err(Error::Unsupported("an earlier transaction was interrupted; bring it to an end first".into()));
        }
        let mut header = vec![0; plan.headers.old.len()];
        let same_length = store.len()? == self.old_len;
        if same_length {
            store.read_exact_at(&mut header, 0)?;
        }
        if same_length && header == plan.headers.old && plan.stage(store)? == Stage::Old {
            return Ok(());
        }
        Err(Error::Unsupported("the store was changed since it was opened".into()))
    }
}

fn pieces(written: &[Written]) -> impl Iterator<Item = (u64, &[u8])> {
    written.iter().map(|written| (written.ib.0, written.bytes.as_slice()))
}

/// The free map in the header says 0xFF, "look at the map itself", for a section whose map changes ([MS-PST] 2.2.2.7.5).
/// 4K files leave it zeroed.
fn mark_unknown(format: Format, header: &mut Header, index: u64) {
    if format != Format::Unicode4k
        && let Some(byte) = usize::try_from(index).ok().and_then(|index| header.fmap.get_mut(index))
    {
        *byte = 0xff;
    }
}
