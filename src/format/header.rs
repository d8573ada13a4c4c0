//! The file's header: HEADER ([MS-PST] 2.2.2.6) and ROOT (2.2.2.5).

use super::Format;
use super::checksum::{self, Flip};
use super::codec::{self, Cut, Decoder, Described, Encoder, Field, WidePadding};
use super::id::{Bid, BlockRef, Ib};

/// `!BDN`, the first four bytes.
pub const MAGIC: [u8; 4] = *b"!BDN";

/// Who wrote the store: wMagicClient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client(pub [u8; 2]);

impl Client {
    /// A personal store (PST).
    pub const PST: Self = Self(*b"SM");
    /// An offline store (OST).
    pub const OST: Self = Self(*b"SO");
    /// A personal address book (PAB).
    pub const PAB: Self = Self(*b"AB");

    /// What users call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PST => "PST",
            Self::OST => "OST",
            Self::PAB => "PAB",
            _ => "unknown",
        }
    }
}

/// Bytes that the partial CRC covers, from offset 8 on, in every variant.
const PARTIAL_BYTES: usize = 471;
/// Bytes that the full CRC covers, from offset 8 on; ANSI files have none.
const FULL_BYTES: usize = 516;

crate::record! {
    /// Where the trees and maps are: ROOT ([MS-PST] 2.2.2.5).
    pub struct Root {
        /// 0 in every file seen.
        reserved: u32,
        /// The file's length.
        file_eof: Ib,
        /// The last allocation map.
        amap_last: Ib,
        /// Free bytes in all allocation maps.
        amap_free: Ib,
        /// Free bytes in all page maps; 0 in files of Outlook 2007 and later.
        pmap_free: Ib,
        /// The node B-tree's root.
        nodes: BlockRef,
        /// The block B-tree's root.
        blocks: BlockRef,
        /// 0 not valid, 1 valid (Outlook 2003 and before), 2 valid.
        amap_valid: u8,
        /// 0 in every file seen.
        reserved_byte: u8,
        /// 0 in every file seen.
        reserved_word: u16,
    }
}

/// The file's header.
///
/// Encoding gives back every byte that was read, with both CRCs as stored; [`Header::encode_valid`] computes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The first four bytes, `!BDN`.
    pub magic: [u8; 4],
    /// CRC of the 471 bytes after it.
    pub crc_partial: u32,
    /// PST, OST or PAB.
    pub client: Client,
    /// wVer: which variant of the format.
    pub version: u16,
    /// wVerClient: 19 in PSTs, 12 in OSTs.
    pub version_client: u16,
    /// 1; 2 in files written by scanpst.
    pub platform_create: u8,
    /// 1; 2 in files written by scanpst.
    pub platform_access: u8,
    /// Left over from an unclean close.
    pub reserved1: u32,
    /// Left over from an unclean close.
    pub reserved2: u32,
    /// Unused; wide formats only.
    pub bid_unused: u64,
    /// The next block id.
    pub next_block: Bid,
    /// The next page id.
    pub next_page: Bid,
    /// Counts header writes and row versions.
    pub unique: u32,
    /// The last index given out of each node type.
    pub nids: [u32; 32],
    /// Unused; wide formats only.
    pub unused: u64,
    /// Where the trees and maps are.
    pub root: Root,
    /// 0; wide formats only.
    pub align: u32,
    /// Free map of the first 128 allocation maps, deprecated.
    pub fmap: [u8; 128],
    /// Free page map, deprecated.
    pub fpmap: [u8; 128],
    /// 0x80.
    pub sentinel: u8,
    /// How data blocks are encoded: see `Cipher`.
    pub crypt_method: u8,
    /// 0.
    pub reserved3: [u8; 2],
    /// CRC of the 516 bytes after the partial CRC; wide formats only.
    pub crc_full: u32,
    /// What follows: 36 bytes that no CRC covers, in ANSI files after 12 that are 0. Kept.
    pub tail: Vec<u8>,
}

/// What [`Header::faults`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderFaults {
    /// The partial CRC of the bytes, where it is not the stored one.
    pub crc_partial: Option<u32>,
    /// The full CRC of the bytes, where it is not the stored one.
    pub crc_full: Option<u32>,
}

impl Header {
    /// The most bytes that any variant's header takes.
    pub const BYTES_MAX: usize = 564;

    /// What of the tail is always 0: ullReserved and dwReserved of ANSI files ([MS-PST] 2.2.2.6).
    pub fn zeros(&self, format: Format) -> &[u8] {
        let len = if format == Format::Ansi { 12 } else { 0 };
        self.tail.get(..len).unwrap_or_default()
    }

    /// The variant that the first bytes of a file name: magic, then version.
    ///
    /// `Err` where they are cut short or have another magic, `Ok(Err(version))` where the version is not known.
    pub fn format_of(bytes: &[u8]) -> Result<Result<Format, u16>, Cut> {
        // The bytes up to the version stand alike in all variants.
        let mut from = Decoder::new(Format::Unicode, bytes);
        let magic: [u8; 4] = from.field()?;
        if magic != MAGIC {
            return Err(Cut);
        }
        from.take(6)?;
        let version = from.field()?;
        Ok(Format::of_version(version).ok_or(version))
    }

    /// The one bit by which a header's bytes as read and their partial CRC do not match, and the bytes with that turned back;
    /// `None` where they match, or where no single bit tells why they do not.
    ///
    /// The flag of the allocation maps is none of these bits: some writers change it and leave the CRC as it is.
    pub fn righted(bytes: &[u8]) -> Option<(Flip, Vec<u8>)> {
        let stored: u32 = codec::decode(Format::Unicode, bytes.get(4..)?).ok()?;
        let Flip::Data(at, bit) = checksum::flipped(codec::cut(bytes, 8, PARTIAL_BYTES)?, stored)? else { return None };
        let flip = Flip::Data(at.checked_add(8)?, bit);
        let righted = flip.righted(bytes);
        let format = Self::format_of(&righted).ok()?.ok()?;
        let valid = |bytes: &[u8]| codec::decode::<Self>(format, bytes).map(|header| header.root.amap_valid);
        (valid(bytes) == valid(&righted)).then_some((flip, righted))
    }

    /// What is wrong with the CRCs over a header's bytes as read.
    pub fn faults(&self, format: Format, bytes: &[u8]) -> HeaderFaults {
        let wrong = |len, stored| codec::cut(bytes, 8, len).map(checksum::crc).filter(|crc| *crc != stored);
        HeaderFaults {
            crc_partial: wrong(PARTIAL_BYTES, self.crc_partial),
            crc_full: if format == Format::Ansi { None } else { wrong(FULL_BYTES, self.crc_full) },
        }
    }

    /// The header's bytes with CRCs that are right.
    pub fn encode_valid(&self, format: Format) -> Vec<u8> {
        let mut valid = self.clone();
        // Each CRC lies outside the bytes that it and the other one cover.
        let bytes = codec::encode(format, &valid);
        let crc = |len| codec::cut(&bytes, 8, len).map(checksum::crc).unwrap_or_default();
        (valid.crc_partial, valid.crc_full) = (crc(PARTIAL_BYTES), crc(FULL_BYTES));
        codec::encode(format, &valid)
    }

    /// Name, value of each field, for `pstfs inspect`; offsets are those in the file.
    pub fn describe(&self, format: Format) -> Described {
        let ansi = format == Format::Ansi;
        let at = |narrow: usize, wide: usize| if ansi { narrow } else { wide };
        let mut lines = vec![
            ("magic", 0, format!("{:02x?}", self.magic)),
            ("crc_partial", 4, format!("{:#010x}", self.crc_partial)),
            ("client", 8, format!("{} ({:02x?})", self.client.name(), self.client.0)),
            ("version", 10, format!("{} ({})", self.version, format.name())),
            ("version_client", 12, self.version_client.to_string()),
            ("platform_create", 14, self.platform_create.to_string()),
            ("platform_access", 15, self.platform_access.to_string()),
            ("reserved1", 16, format!("{:#x}", self.reserved1)),
            ("reserved2", 20, format!("{:#x}", self.reserved2)),
            ("next_block", at(24, 516), self.next_block.to_string()),
            ("next_page", at(28, 32), self.next_page.to_string()),
            ("unique", at(32, 40), format!("{:#x}", self.unique)),
            ("nids", at(36, 44), format!("{:x?}", self.nids)),
        ];
        let root = at(164, 180);
        lines.extend(self.root.describe(format).into_iter().map(|(name, offset, value)| (name, root.saturating_add(offset), value)));
        lines.push(("sentinel", at(460, 512), format!("{:#x}", self.sentinel)));
        lines.push(("crypt_method", at(461, 513), self.crypt_method.to_string()));
        if !ansi {
            lines.push(("crc_full", 524, format!("{:#010x}", self.crc_full)));
        }
        lines
    }
}

impl Field for Header {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
        let ansi = from.format() == Format::Ansi;
        let magic = from.field()?;
        let crc_partial = from.field()?;
        let client = Client(from.field()?);
        let (version, version_client) = (from.field()?, from.field()?);
        let (platform_create, platform_access) = (from.field()?, from.field()?);
        let (reserved1, reserved2) = (from.field()?, from.field()?);
        // ANSI has the next block id here, the wide formats an unused one.
        let (bid_unused, next_block) = if ansi { (0, from.field()?) } else { (from.field()?, Bid::NONE) };
        let (next_page, unique) = (from.field()?, from.field()?);
        let nids = read_nids(from)?;
        let unused = if ansi { 0 } else { from.field()? };
        let root = from.field()?;
        let align = from.field::<WidePadding>()?.0;
        let (fmap, fpmap) = (from.field()?, from.field()?);
        let (sentinel, crypt_method, reserved3) = (from.field()?, from.field()?, from.field()?);
        let (next_block, crc_full, tail) =
            if ansi { (next_block, 0, from.take(48)?) } else { (from.field()?, from.field()?, from.take(36)?) };
        Ok(Self {
            magic,
            crc_partial,
            client,
            version,
            version_client,
            platform_create,
            platform_access,
            reserved1,
            reserved2,
            bid_unused,
            next_block,
            next_page,
            unique,
            nids,
            unused,
            root,
            align,
            fmap,
            fpmap,
            sentinel,
            crypt_method,
            reserved3,
            crc_full,
            tail: tail.to_vec(),
        })
    }

    fn encode(&self, to: &mut Encoder) {
        let ansi = to.format() == Format::Ansi;
        to.field(&self.magic).field(&self.crc_partial).field(&self.client.0).field(&self.version).field(&self.version_client);
        to.field(&self.platform_create).field(&self.platform_access).field(&self.reserved1).field(&self.reserved2);
        if ansi {
            to.field(&self.next_block)
        } else {
            to.field(&self.bid_unused)
        };
        to.field(&self.next_page).field(&self.unique);
        for nid in &self.nids {
            to.field(nid);
        }
        if !ansi {
            to.field(&self.unused);
        }
        to.field(&self.root).field(&WidePadding(self.align)).field(&self.fmap).field(&self.fpmap);
        to.field(&self.sentinel).field(&self.crypt_method).field(&self.reserved3);
        if !ansi {
            to.field(&self.next_block).field(&self.crc_full);
        }
        let end = to.as_slice().len().saturating_add(if ansi { 48 } else { 36 });
        to.bytes(&self.tail).pad_to(end);
    }

    fn size(format: Format) -> usize {
        match format {
            Format::Ansi => 512,
            Format::Unicode | Format::Unicode4k => Self::BYTES_MAX,
        }
    }
}

fn read_nids(from: &mut Decoder<'_>) -> Result<[u32; 32], Cut> {
    let mut nids = [0; 32];
    for nid in &mut nids {
        *nid = from.field()?;
    }
    Ok(nids)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::codec::testing::holds_its_laws;
    use super::*;

    pub(crate) fn sample(format: Format) -> Header {
        let wide = format != Format::Ansi;
        Header {
            magic: MAGIC,
            crc_partial: 1,
            client: Client::PST,
            version: match format {
                Format::Ansi => 14,
                Format::Unicode => 23,
                Format::Unicode4k => 36,
            },
            version_client: 19,
            platform_create: 1,
            platform_access: 1,
            reserved1: 0,
            reserved2: 0,
            bid_unused: if wide { 7 } else { 0 },
            next_block: Bid(0x100),
            next_page: Bid(0x17f),
            unique: 9,
            nids: [0x400; 32],
            unused: 0,
            root: Root {
                reserved: 0,
                file_eof: Ib(0x42400),
                amap_last: Ib(0x4400),
                amap_free: Ib(0x1000),
                pmap_free: Ib(0),
                nodes: BlockRef { bid: Bid(1), ib: Ib(0x4a00) },
                blocks: BlockRef { bid: Bid(2), ib: Ib(0x4c00) },
                amap_valid: 2,
                reserved_byte: 0,
                reserved_word: 0,
            },
            align: 0,
            fmap: [0xff; 128],
            fpmap: [0xff; 128],
            sentinel: 0x80,
            crypt_method: 1,
            reserved3: [0; 2],
            crc_full: if wide { 2 } else { 0 },
            tail: vec![0x55; if wide { 36 } else { 48 }],
        }
    }

    #[test]
    fn every_format_gives_back_its_bytes() {
        for format in Format::ALL {
            holds_its_laws(format, &sample(format));
            let bytes = codec::encode(format, &sample(format));
            assert_eq!(Header::format_of(&bytes), Ok(Ok(format)));
        }
    }

    #[test]
    fn fields_stand_where_the_specification_says() {
        let at = |format, offset: usize| codec::encode(format, &sample(format))[offset];
        assert_eq!([at(Format::Ansi, 460), at(Format::Unicode, 512)], [0x80; 2]);
        assert_eq!([at(Format::Ansi, 200), at(Format::Unicode, 248)], [2; 2], "fAMapValid");
        assert_eq!([at(Format::Ansi, 28), at(Format::Unicode, 32)], [0x7f; 2], "bidNextP");
        assert_eq!([at(Format::Ansi, 25), at(Format::Unicode, 517)], [1; 2], "bidNextB");
    }

    #[test]
    fn computed_crcs_are_right_and_a_flip_is_seen() {
        for format in Format::ALL {
            let mut bytes = sample(format).encode_valid(format);
            let header: Header = codec::decode(format, &bytes).unwrap();
            assert_eq!(header.faults(format, &bytes), HeaderFaults::default());
            bytes[40] ^= 1;
            let faults = header.faults(format, &bytes);
            assert!(faults.crc_partial.is_some() && faults.crc_full.is_some() == (format != Format::Ansi));
            bytes[40] ^= 1;
            assert_eq!(Header::righted(&bytes), None, "nothing is flipped");
            for at in [8, 10, 40, 478] {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1;
                assert_eq!(Header::righted(&flipped), Some((Flip::Data(at, 0), bytes.clone())));
            }
            let valid = if format == Format::Ansi { 200 } else { 248 };
            bytes[valid] ^= 1;
            assert_eq!(Header::righted(&bytes), None, "a writer that was cut off");
        }
    }

    #[test]
    fn another_magic_and_an_unknown_version_are_told_apart() {
        assert_eq!(Header::format_of(b"MZ\x90\0\0\0\0\0\0\0\0\0"), Err(Cut));
        assert_eq!(Header::format_of(b"!BDN\0\0\0\0SM\x01\0"), Ok(Err(1)));
    }
}
