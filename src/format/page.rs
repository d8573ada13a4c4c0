//! Pages: what stands at their end, and which kinds there are ([MS-PST] 2.2.2.7).

use std::borrow::Cow;

use super::Format;
use super::checksum::{self, Flip};
use super::codec::{Cut, Decoder, Described, Encoder, Field};
use super::id::{Bid, Ib};

/// What a page is for: ptype ([MS-PST] 2.2.2.7.1). Unknown ones are ordinary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PageKind(pub u8);

impl PageKind {
    /// Block B-tree.
    pub const BLOCKS: Self = Self(0x80);
    /// Node B-tree.
    pub const NODES: Self = Self(0x81);
    /// Free map, deprecated.
    pub const FMAP: Self = Self(0x82);
    /// Page map, deprecated.
    pub const PMAP: Self = Self(0x83);
    /// Allocation map.
    pub const AMAP: Self = Self(0x84);
    /// Free page map, deprecated.
    pub const FPMAP: Self = Self(0x85);
    /// Density list.
    pub const DLIST: Self = Self(0x86);

    /// Whether pages of this kind are signed; the signature of a map is 0.
    pub const fn is_signed(self) -> bool {
        matches!(self, Self::BLOCKS | Self::NODES | Self::DLIST)
    }

    /// What users call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BLOCKS => "block B-tree",
            Self::NODES => "node B-tree",
            Self::FMAP => "free map",
            Self::PMAP => "page map",
            Self::AMAP => "allocation map",
            Self::FPMAP => "free page map",
            Self::DLIST => "density list",
            _ => "unknown",
        }
    }
}

/// The end of every page: PAGETRAILER ([MS-PST] 2.2.2.7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageTrailer {
    /// What the page is for.
    pub kind: PageKind,
    /// The same again.
    pub kind_again: PageKind,
    /// Signature of the page's place, 0 in maps.
    pub signature: u16,
    /// CRC of the bytes before the trailer.
    pub crc: u32,
    /// The page's id; of a map its own offset.
    pub bid: Bid,
    /// 4K only, not in the specification: 1 in every page seen.
    pub extra: u64,
}

impl Field for PageTrailer {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
        let (kind, kind_again, signature) = (PageKind(from.field()?), PageKind(from.field()?), from.field()?);
        let (crc, bid, extra) = match from.format() {
            // The ANSI trailer has the id before the CRC.
            Format::Ansi => {
                let bid = from.field()?;
                (from.field()?, bid, 0)
            }
            Format::Unicode => (from.field()?, from.field()?, 0),
            Format::Unicode4k => (from.field()?, from.field()?, from.field()?),
        };
        Ok(Self { kind, kind_again, signature, crc, bid, extra })
    }

    fn encode(&self, to: &mut Encoder) {
        to.field(&self.kind.0).field(&self.kind_again.0).field(&self.signature);
        match to.format() {
            Format::Ansi => to.field(&self.bid).field(&self.crc),
            Format::Unicode => to.field(&self.crc).field(&self.bid),
            Format::Unicode4k => to.field(&self.crc).field(&self.bid).field(&self.extra),
        };
    }

    fn size(format: Format) -> usize {
        format.layout().page_trailer_bytes
    }
}

impl PageTrailer {
    /// Name, offset in the trailer and value of each field, for `pstfs inspect`.
    pub fn describe(&self, format: Format) -> Described {
        // The ANSI trailer has the id before the CRC.
        let (crc_at, bid_at) = if format == Format::Ansi { (8, 4) } else { (4, 8) };
        let mut lines = vec![
            ("kind", 0, format!("{:#x} ({})", self.kind.0, self.kind.name())),
            ("kind_again", 1, format!("{:#x}", self.kind_again.0)),
            ("signature", 2, format!("{:#x}", self.signature)),
            ("crc", crc_at, format!("{:#x}", self.crc)),
            ("bid", bid_at, self.bid.to_string()),
        ];
        if format == Format::Unicode4k {
            lines.push(("extra", 16, format!("{:#x}", self.extra)));
        }
        lines
    }
}

/// A page, split from its trailer. What does not fit is told by [`Page::faults`], not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<'a> {
    /// The bytes before the trailer.
    pub body: &'a [u8],
    /// The trailer.
    pub trailer: PageTrailer,
}

/// What [`Page::faults`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageFaults {
    /// The CRC that the contents have, where it is not the stored one.
    pub crc: Option<u32>,
    /// The one bit by which contents and CRC do not match, where a single one tells why.
    pub flip: Option<Flip>,
    /// The signature that the place has, where it is not the stored one.
    pub signature: Option<u16>,
}

impl PageFaults {
    /// Whether the CRC tells what was written: it matches, or would, were one bit turned back.
    pub const fn is_whole(&self) -> bool {
        self.crc.is_none() || self.flip.is_some()
    }
}

impl<'a> Page<'a> {
    /// Splits a page's bytes.
    pub fn decode(format: Format, bytes: &'a [u8]) -> Result<Self, Cut> {
        let layout = format.layout();
        let mut from = Decoder::new(format, bytes);
        let body = from.take(layout.page_bytes.saturating_sub(layout.page_trailer_bytes))?;
        Ok(Self { body, trailer: from.field()? })
    }

    /// A page of this kind and place: body, padding, and a trailer that is right.
    pub fn encode(format: Format, kind: PageKind, bid: Bid, ib: Ib, body: &[u8]) -> Vec<u8> {
        let layout = format.layout();
        let mut to = Encoder::new(format);
        to.bytes(body).pad_to(layout.page_bytes.saturating_sub(layout.page_trailer_bytes));
        let signature = if kind.is_signed() { checksum::signature(ib, bid) } else { 0 };
        let crc = checksum::crc(to.as_slice());
        to.field(&PageTrailer { kind, kind_again: kind, signature, crc, bid, extra: 1 });
        to.finish()
    }

    /// Whether the two kinds agree with what the caller needs.
    pub fn is(&self, kind: PageKind) -> bool {
        self.trailer.kind == kind && self.trailer.kind_again == kind
    }

    /// The body as it was written, as far as these faults tell: the flipped bit is turned back.
    pub fn written(&self, faults: &PageFaults) -> Cow<'a, [u8]> {
        faults.flip.map_or(Cow::Borrowed(self.body), |flip| Cow::Owned(flip.righted(self.body)))
    }

    /// What is wrong with CRC and signature.
    pub fn faults(&self, ib: Ib) -> PageFaults {
        let crc = Some(checksum::crc(self.body)).filter(|crc| *crc != self.trailer.crc);
        let flip = crc.and_then(|_| checksum::flipped(self.body, self.trailer.crc));
        let signature = if self.trailer.kind.is_signed() { checksum::signature(ib, self.trailer.bid) } else { 0 };
        PageFaults { crc, flip, signature: (signature != self.trailer.signature).then_some(signature) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::testing::holds_its_laws;
    use super::*;

    #[test]
    fn every_format_gives_back_its_bytes() {
        for format in Format::ALL {
            let extra = u64::from(format == Format::Unicode4k);
            let kind = PageKind::NODES;
            holds_its_laws(format, &PageTrailer { kind, kind_again: kind, signature: 7, crc: 9, bid: Bid(0x17f), extra });
        }
    }

    #[test]
    fn a_written_page_has_no_faults_and_a_flipped_one_has() {
        for format in Format::ALL {
            let mut bytes = Page::encode(format, PageKind::BLOCKS, Bid(0x99), Ib(0x8800), b"entries");
            assert_eq!(bytes.len(), format.layout().page_bytes);
            let page = Page::decode(format, &bytes).unwrap();
            assert!(page.is(PageKind::BLOCKS) && page.faults(Ib(0x8800)) == PageFaults::default());
            assert!(page.faults(Ib(0x4_8800)).signature.is_some(), "a page in the wrong place");
            let written = page.body.to_vec();
            bytes[0] ^= 1;
            let flipped = Page::decode(format, &bytes).unwrap();
            let faults = flipped.faults(Ib(0x8800));
            assert!(faults.crc.is_some() && faults.is_whole());
            assert_eq!((faults.flip, &*flipped.written(&faults)), (Some(Flip::Data(0, 0)), &written[..]));
            bytes[0] ^= 2;
            let scribbled = Page::decode(format, &bytes).unwrap();
            let faults = scribbled.faults(Ib(0x8800));
            assert!(!faults.is_whole(), "two bits");
            assert_eq!(&*scribbled.written(&faults), scribbled.body);
            assert_eq!(Page::decode(format, &bytes[1..]), Err(Cut));
        }
    }
}
