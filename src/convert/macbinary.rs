//! Files of old Macs: MacBinary in the store, the data alone or AppleDouble in a document ([MS-OXCMAIL] 2.1.3.4.3).

use super::document::{Fetch, Source};
use crate::damage::Result;
use crate::format::codec::cut;
use crate::store::codepage;

/// PidTagAttachEncoding of such attachments ([MS-OXCMSG] 2.2.2.20).
pub const ENCODING: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x03, 0x0b, 0x01];

/// The header's length; both forks begin at multiples of it.
const BLOCK: u64 = 128;

/// The code page of names on old Macs.
const MAC_ROMAN: u16 = 10000;

/// A file with two forks.
#[derive(Debug)]
pub struct MacFile {
    /// Its name.
    pub name: String,
    /// What other systems call the file.
    pub data: Source,
    /// The rest as AppleDouble's header file (RFC 1740), where there is a rest: the resource fork and what Finder knew.
    pub resources: Option<Source>,
}

/// The file in MacBinary I, II or III; `None` where it is none of these.
pub fn decode(source: &Source, fetch: Fetch<'_>) -> Result<Option<MacFile>> {
    let header = source.read(0, usize::try_from(BLOCK).unwrap_or_default(), fetch)?;
    Ok(Header::decode(&header).and_then(|header| header.file(source)))
}

struct Header {
    name: String,
    /// Type, creator and flags, as Finder keeps them.
    finder: [u8; 16],
    second_header: u64,
    data: u64,
    resources: u64,
}

impl Header {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let zeros = [0, 74, 82].into_iter().all(|at| cut(bytes, at, 1) == Some(&[0]));
        let name_len = usize::from(*bytes.get(1)?);
        if !zeros || !(1..=63).contains(&name_len) {
            return None;
        }
        let long = |at| Some(u64::from(u32::from_be_bytes(cut(bytes, at, 4)?.try_into().ok()?)));
        Some(Self {
            name: codepage::decode(MAC_ROMAN, cut(bytes, 2, name_len)?),
            finder: cut(bytes, 65, 16)?.try_into().ok()?,
            second_header: u64::from(u16::from_be_bytes(cut(bytes, 120, 2)?.try_into().ok()?)),
            data: long(83)?,
            resources: long(87)?,
        })
    }

    /// The forks, if both are there.
    fn file(self, source: &Source) -> Option<MacFile> {
        let data_at = BLOCK.checked_add(self.second_header.checked_next_multiple_of(BLOCK)?)?;
        let resources_at = data_at.checked_add(self.data.checked_next_multiple_of(BLOCK)?)?;
        let data = source.slice(data_at, self.data);
        let resources = source.slice(resources_at, self.resources);
        if data.len() != self.data || resources.len() != self.resources {
            return None;
        }
        let resources = (self.resources > 0).then(|| Source::from(self.apple_double(resources.len())).then(resources));
        Some(MacFile { name: self.name, data, resources })
    }

    /// What stands before the resource fork in AppleDouble's header file (RFC 1740, appendix A).
    fn apple_double(&self, resources: u64) -> Vec<u8> {
        const MAGIC: u32 = 0x0005_1607;
        const VERSION: u32 = 0x0002_0000;
        const FINDER: (u32, u32) = (9, 32);
        const RESOURCES: u32 = 2;
        const ENTRIES_END: u32 = 50;
        let mut bytes = Vec::new();
        for word in [MAGIC, VERSION, 0, 0, 0, 0] {
            bytes.extend(word.to_be_bytes());
        }
        bytes.extend([0, 2]);
        let resources_at = ENTRIES_END.saturating_add(FINDER.1);
        let resources = u32::try_from(resources).unwrap_or(u32::MAX);
        for word in [FINDER.0, ENTRIES_END, FINDER.1, RESOURCES, resources_at, resources] {
            bytes.extend(word.to_be_bytes());
        }
        bytes.extend(self.finder);
        bytes.extend([0; 16]);
        bytes
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A file in MacBinary.
    pub(in crate::convert) fn written(name: &str, data: &[u8], resources: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 128];
        bytes[1] = name.len() as u8;
        bytes[2..2 + name.len()].copy_from_slice(name.as_bytes());
        bytes[65..73].copy_from_slice(b"TEXTttxt");
        bytes[83..87].copy_from_slice(&(data.len() as u32).to_be_bytes());
        bytes[87..91].copy_from_slice(&(resources.len() as u32).to_be_bytes());
        for fork in [data, resources] {
            bytes.extend(fork);
            bytes.resize(bytes.len().next_multiple_of(128), 0);
        }
        bytes
    }

    fn decoded(bytes: Vec<u8>) -> Option<MacFile> {
        decode(&bytes.into(), &|_, _, _| Ok(Vec::new())).unwrap()
    }

    fn bytes(source: &Source) -> Vec<u8> {
        source.read(0, usize::MAX, &|_, _, _| Ok(Vec::new())).unwrap()
    }

    #[test]
    fn the_data_fork_is_the_file() {
        let file = decoded(written("Read me", b"text", b"")).unwrap();
        assert_eq!((file.name.as_str(), bytes(&file.data), file.resources.is_none()), ("Read me", b"text".to_vec(), true));
    }

    #[test]
    fn a_resource_fork_is_kept_as_apple_double() {
        let file = decoded(written("Font", b"", b"resources")).unwrap();
        let double = bytes(&file.resources.unwrap());
        assert_eq!(double[..4], [0, 5, 0x16, 7]);
        let word = |at: usize| u32::from_be_bytes(double[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!((word(26), &double[word(30)..word(30) + 8]), (9, &b"TEXTttxt"[..]));
        assert_eq!((word(38), &double[word(42)..word(42) + word(46)]), (2, &b"resources"[..]));
        assert_eq!(double.len(), word(42) + word(46));
    }

    #[test]
    fn what_is_no_mac_binary_is_none() {
        let good = written("x", b"data", b"resources");
        assert!(decoded(good[..200].to_vec()).is_none(), "forks that are cut off");
        for at in [0, 1, 74, 82] {
            let mut bad = good.clone();
            bad[at] = 64;
            assert!(decoded(bad).is_none(), "byte {at}");
        }
        for cut in 0..good.len() {
            decoded(good[..cut].to_vec());
        }
    }
}
