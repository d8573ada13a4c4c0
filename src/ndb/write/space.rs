//! Space in a file that is filled from front to back: one part of an allocation map's coverage at a time.

use crate::damage::{Error, Result};
use crate::disk::WriteAt;
use crate::format::Format;
use crate::format::amap;
use crate::format::id::{Bid, Ib};
use crate::format::page::{Page, PageKind};

/// The last offset that an ANSI file may have: offsets are signed 32-bit numbers there.
const ANSI_END: u64 = 1 << 31;

/// The part of the file that is being filled, in memory until it is full, and what came before it.
///
/// Nothing crosses from one part into the next ([MS-PST] 2.6.1.1): what does not fit goes to the next, and the units
/// left over stay free.
#[derive(Debug)]
pub(super) struct Space {
    format: Format,
    index: u64,
    start: u64,
    bytes: Vec<u8>,
    bits: Vec<u8>,
    free_bytes: u64,
}

/// What the header tells of the space.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// Where the file ends.
    pub(super) end: Ib,
    /// The last allocation map.
    pub(super) amap_last: Ib,
    /// Free bytes in all maps.
    pub(super) free_bytes: u64,
}

impl Space {
    /// An empty file of this format.
    pub(super) fn new(format: Format) -> Result<Self> {
        let mut space = Self { format, index: 0, start: 0, bytes: Vec::new(), bits: Vec::new(), free_bytes: 0 };
        space.open()?;
        Ok(space)
    }

    /// A place for `len` bytes at a multiple of `align`; owned by nobody where `owned` is not set.
    pub(super) fn reserve(&mut self, file: &dyn WriteAt, len: usize, align: usize, owned: bool) -> Result<Ib> {
        let mut at = self.bytes.len().next_multiple_of(align);
        if !self.fits(at, len) {
            self.close(file)?;
            self.index = self.index.saturating_add(1);
            self.open()?;
            at = self.bytes.len().next_multiple_of(align);
        }
        self.bytes.resize(at, 0);
        if owned {
            self.mark(at, len);
        }
        Ok(Ib(self.start.saturating_add(to_u64(at))))
    }

    /// Puts the bytes of what was reserved last.
    pub(super) fn fill(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes the last part and tells the header's numbers.
    pub(super) fn finish(&mut self, file: &dyn WriteAt) -> Result<Extent> {
        self.close(file)?;
        let end = self.start.saturating_add(self.format.layout().amap_coverage);
        file.set_len(end)?;
        Ok(Extent { end: Ib(end), amap_last: Ib(self.start), free_bytes: self.free_bytes })
    }

    fn fits(&self, at: usize, len: usize) -> bool {
        at.checked_add(len).is_some_and(|end| to_u64(end) <= self.format.layout().amap_coverage)
    }

    fn mark(&mut self, at: usize, len: usize) {
        let unit = usize::try_from(self.format.layout().unit_bytes).unwrap_or(1);
        let (first, count) = (at.checked_div(unit).unwrap_or(0), len.div_ceil(unit));
        amap::mark(&mut self.bits, first, count, true);
    }

    /// Begins a part: its maps come first, its own one left empty until the part is full.
    fn open(&mut self) -> Result<()> {
        let layout = self.format.layout();
        self.start = amap::map_offset(self.format, self.index).map_or(u64::MAX, |ib| ib.0);
        let end = self.start.saturating_add(layout.amap_coverage);
        if self.format == Format::Ansi && end > ANSI_END {
            return Err(Error::Unsupported("an ANSI store of more than 2 GiB; a Unicode store has room".into()));
        }
        self.bytes.clear();
        self.bits = vec![0; layout.amap_bits_bytes];
        for (at, kind) in amap::pages_at(self.format, self.index) {
            let at = usize::try_from(at).unwrap_or(0);
            self.bytes.resize(at, 0);
            let page = self.map_page(kind, at, &vec![0xff; layout.amap_bits_bytes]);
            self.bytes.extend_from_slice(&page);
            self.mark(at, layout.page_bytes);
        }
        Ok(())
    }

    /// Writes a part, its allocation map filled in.
    fn close(&mut self, file: &dyn WriteAt) -> Result<()> {
        let page = self.map_page(PageKind::AMAP, 0, &self.bits);
        self.bytes.iter_mut().zip(page).for_each(|(to, from)| *to = from);
        self.free_bytes = self.free_bytes.saturating_add(amap::free_units(&self.bits).saturating_mul(self.format.layout().unit_bytes));
        file.write_all_at(&self.bytes, self.start)?;
        Ok(())
    }

    /// A map's page; a map's id is its own offset.
    fn map_page(&self, kind: PageKind, at: usize, bits: &[u8]) -> Vec<u8> {
        let ib = self.start.saturating_add(to_u64(at));
        let mut body = vec![0; self.format.layout().amap_bits_at];
        body.extend_from_slice(bits);
        Page::encode(self.format, kind, Bid(ib), Ib(ib), &body)
    }
}

fn to_u64(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{MemoryFile, ReadAt};

    #[test]
    fn nothing_crosses_into_the_next_part_and_maps_are_never_given_away() {
        for format in Format::ALL {
            let (file, layout) = (MemoryFile::default(), format.layout());
            let mut space = Space::new(format).unwrap();
            let mut places = Vec::new();
            for _ in 0..40 {
                let ib = space.reserve(&file, layout.block_max_bytes, 64, true).unwrap();
                space.fill(&vec![1; layout.block_max_bytes]);
                places.push(ib.0);
            }
            let extent = space.finish(&file).unwrap();
            assert_eq!(file.len().unwrap(), extent.end.0);
            let block = layout.block_max_bytes as u64;
            for place in places {
                let (part, at) = ((place - layout.amap_first) / layout.amap_coverage, (place - layout.amap_first) % layout.amap_coverage);
                assert!(amap::pages_at(format, part).all(|(map, _)| at >= map + layout.page_bytes as u64));
                assert!(at + block <= layout.amap_coverage);
            }
            assert_eq!(extent.free_bytes % layout.unit_bytes, 0);
        }
    }

    #[test]
    fn an_ansi_file_ends_at_two_gibibytes() {
        let mut space = Space::new(Format::Ansi).unwrap();
        space.index = 8455;
        assert!(space.open().is_ok());
        space.index = 8456;
        assert!(space.open().is_err());
    }
}
