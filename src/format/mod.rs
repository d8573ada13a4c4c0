//! How an integer, an id, a structure looks in each variant of the format.
//!
//! Decoding and encoding stand side by side; CRC, signature and ciphers are pure functions. Nothing here knows a file
//! or keeps state. The format is described in [MS-PST]; where real files do otherwise, the doc line says so. The three
//! variants differ in a dozen numbers, which stand in one table: [`Layout`].

pub mod amap;
pub mod block;
pub mod btree;
pub mod checksum;
pub mod cipher;
pub mod codec;
pub mod header;
pub mod heap;
pub mod id;
pub mod page;
pub mod property;
pub mod table;

/// A variant of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// 32-bit ids and offsets, code-page strings: `wVer` 14 and 15, Outlook 97 to 2002.
    Ansi,
    /// 64-bit ids and offsets, 512-byte pages: `wVer` 21 and 23, Outlook 2003 and later.
    Unicode,
    /// 64-bit ids and offsets, 4096-byte pages, compressed blocks: `wVer` 36 and above, OSTs of Outlook 2013 and later.
    Unicode4k,
}

/// The numbers in which the variants differ. All sizes are in bytes.
#[derive(Debug)]
pub struct Layout {
    /// Width of a block id and of a file offset.
    pub word_bytes: usize,
    /// Size of a page, its trailer included.
    pub page_bytes: usize,
    /// Size of a page's trailer.
    pub page_trailer_bytes: usize,
    /// Size of the area for entries at the start of a B-tree page.
    pub page_entries_bytes: usize,
    /// Size of a block's trailer.
    pub block_trailer_bytes: usize,
    /// Allocation unit: what one bit of an allocation map stands for, and what blocks are aligned to.
    pub unit_bytes: u64,
    /// Largest block, its trailer included.
    pub block_max_bytes: usize,
    /// Most data in one block; every block of a data tree but the last holds exactly this.
    pub data_max_bytes: usize,
    /// Offset of the first allocation map.
    pub amap_first: u64,
    /// How many bytes of the file one allocation map stands for.
    pub amap_coverage: u64,
    /// Where the bits start in an allocation map page.
    pub amap_bits_at: usize,
    /// How many bytes of bits an allocation map page holds.
    pub amap_bits_bytes: usize,
    /// Offset of the density list page.
    pub dlist: u64,
    /// How many bits of a heap id count the item within its block.
    pub hid_index_bits: u32,
}

static ANSI: Layout = Layout {
    word_bytes: 4,
    page_bytes: 512,
    page_trailer_bytes: 12,
    page_entries_bytes: 496,
    block_trailer_bytes: 12,
    unit_bytes: 64,
    block_max_bytes: 8192,
    data_max_bytes: 8180,
    amap_first: 0x4400,
    amap_coverage: 253_952,
    amap_bits_at: 4,
    amap_bits_bytes: 496,
    dlist: 0x4200,
    hid_index_bits: 11,
};

static UNICODE: Layout = Layout {
    word_bytes: 8,
    page_bytes: 512,
    page_trailer_bytes: 16,
    page_entries_bytes: 488,
    block_trailer_bytes: 16,
    unit_bytes: 64,
    block_max_bytes: 8192,
    data_max_bytes: 8176,
    amap_first: 0x4400,
    amap_coverage: 253_952,
    amap_bits_at: 0,
    amap_bits_bytes: 496,
    dlist: 0x4200,
    hid_index_bits: 11,
};

static UNICODE_4K: Layout = Layout {
    word_bytes: 8,
    page_bytes: 4096,
    page_trailer_bytes: 24,
    page_entries_bytes: 4056,
    block_trailer_bytes: 24,
    unit_bytes: 512,
    block_max_bytes: 65_536,
    data_max_bytes: 65_512,
    amap_first: 0x22000,
    amap_coverage: 16_678_912,
    amap_bits_at: 0,
    amap_bits_bytes: 4072,
    dlist: 0x21000,
    hid_index_bits: 14,
};

impl Format {
    /// All variants.
    pub const ALL: [Self; 3] = [Self::Ansi, Self::Unicode, Self::Unicode4k];

    /// The numbers of this variant.
    pub const fn layout(self) -> &'static Layout {
        match self {
            Self::Ansi => &ANSI,
            Self::Unicode => &UNICODE,
            Self::Unicode4k => &UNICODE_4K,
        }
    }

    /// The variant that a header's `wVer` names ([MS-PST] 2.2.2.6), or `None` for a number that no known writer uses.
    ///
    /// 21 was written by a recovery product and is Unicode; every version from 36 on is taken for the 4K variant.
    pub const fn of_version(version: u16) -> Option<Self> {
        match version {
            14 | 15 => Some(Self::Ansi),
            20..=35 => Some(Self::Unicode),
            36.. => Some(Self::Unicode4k),
            _ => None,
        }
    }

    /// What users call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ansi => "ANSI",
            Self::Unicode => "Unicode",
            Self::Unicode4k => "Unicode 4K",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_name_their_variants() {
        let known = [
            (14, Format::Ansi),
            (15, Format::Ansi),
            (21, Format::Unicode),
            (23, Format::Unicode),
            (36, Format::Unicode4k),
            (37, Format::Unicode4k),
        ];
        for (version, format) in known {
            assert_eq!(Format::of_version(version), Some(format));
        }
        assert_eq!(Format::of_version(0), None);
    }

    #[test]
    fn the_layouts_agree_with_themselves() {
        for format in Format::ALL {
            let layout = format.layout();
            let bits = u64::try_from(layout.amap_bits_bytes).unwrap() * 8;
            assert_eq!(bits * layout.unit_bytes, layout.amap_coverage);
            assert_eq!(layout.data_max_bytes + layout.block_trailer_bytes, layout.block_max_bytes);
        }
    }
}
