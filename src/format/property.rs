//! Property types, ids and the plain values that stand in property records.

use std::fmt;

use super::Format;
use super::codec::{Cut, Decoder, Encoder, Field};
use super::id::Hnid;

/// A property's type ([MS-OXCDATA] 2.11.1). Unknown ones are ordinary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropType(pub u16);

impl PropType {
    /// No type: records that one writer leaves behind.
    pub const UNSPECIFIED: Self = Self(0x0000);
    /// No value.
    pub const NULL: Self = Self(0x0001);
    /// 16-bit integer.
    pub const I16: Self = Self(0x0002);
    /// 32-bit integer.
    pub const I32: Self = Self(0x0003);
    /// 32-bit float.
    pub const F32: Self = Self(0x0004);
    /// 64-bit float.
    pub const F64: Self = Self(0x0005);
    /// 64-bit integer, in ten-thousandths.
    pub const CURRENCY: Self = Self(0x0006);
    /// Days since 1899-12-30, as 64-bit float.
    pub const APP_TIME: Self = Self(0x0007);
    /// Error code.
    pub const ERROR: Self = Self(0x000a);
    /// Truth value; only the low byte counts.
    pub const BOOL: Self = Self(0x000b);
    /// An object in a subnode.
    pub const OBJECT: Self = Self(0x000d);
    /// 64-bit integer.
    pub const I64: Self = Self(0x0014);
    /// String in a code page.
    pub const STRING8: Self = Self(0x001e);
    /// String in UTF-16LE.
    pub const UNICODE: Self = Self(0x001f);
    /// FILETIME.
    pub const TIME: Self = Self(0x0040);
    /// GUID.
    pub const GUID: Self = Self(0x0048);
    /// Bytes.
    pub const BINARY: Self = Self(0x0102);
    /// The bit that makes a type multi-valued.
    pub const MULTI: u16 = 0x1000;

    /// Whether a value holds several elements.
    pub const fn is_multi(self) -> bool {
        self.0 & Self::MULTI != 0
    }

    /// The type of the elements of a multi-valued type.
    #[must_use]
    pub const fn element(self) -> Self {
        Self(self.0 & !Self::MULTI)
    }

    /// How many bytes an element takes, where that is fixed.
    pub const fn fixed_bytes(self) -> Option<usize> {
        match self {
            Self::BOOL => Some(1),
            Self::I16 => Some(2),
            Self::I32 | Self::F32 | Self::ERROR => Some(4),
            Self::I64 | Self::F64 | Self::CURRENCY | Self::APP_TIME | Self::TIME => Some(8),
            Self::GUID => Some(16),
            _ => None,
        }
    }

    /// Whether a property record holds the value itself rather than a reference to it ([MS-PST] 2.3.3.3).
    pub const fn is_inline(self) -> bool {
        matches!(self, Self::NULL | Self::BOOL | Self::I16 | Self::I32 | Self::F32 | Self::ERROR)
    }
}

impl Field for PropType {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
        from.field().map(Self)
    }
    fn encode(&self, to: &mut Encoder) {
        to.field(&self.0);
    }
    fn size(_: Format) -> usize {
        2
    }
}

crate::record! {
    /// A property's record in a property context, its id (the key) not counted ([MS-PST] 2.3.3.3).
    #[derive(Copy)]
    pub struct PropertyRecord {
        /// The property's id.
        id: u16,
        /// The value's type.
        kind: PropType,
        /// The value, or where it is.
        value: Hnid,
    }
}

crate::record! {
    /// What a property of type object refers to ([MS-PST] 2.3.3.5).
    #[derive(Copy)]
    pub struct ObjectRecord {
        /// The subnode.
        nid: super::id::Nid,
        /// Its size, as the writer saw it.
        size: u32,
    }
}

/// A GUID, in the mixed-endian order of the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// A GUID from the parts of its text form.
    #[expect(clippy::many_single_char_names, reason = "the bytes of a GUID have no other names")]
    pub const fn new(data1: u32, data2: u16, data3: u16, data4: [u8; 8]) -> Self {
        let [a, b, c, d] = data1.to_le_bytes();
        let [e, f] = data2.to_le_bytes();
        let [g, h] = data3.to_le_bytes();
        let [i, j, k, l, m, n, o, p] = data4;
        Self([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }

    /// The family of GUIDs `000xxxxx-0000-0000-C000-000000000046` that MAPI uses for its property sets.
    pub const fn mapi(data1: u32) -> Self {
        Self::new(data1, 0, 0, [0xc0, 0, 0, 0, 0, 0, 0, 0x46])
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f1, g, h, i, j, k, l, m, n, o, p] = self.0;
        let (data1, data2, data3) = (u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([e, f1]), u16::from_le_bytes([g, h]));
        write!(f, "{data1:08x}-{data2:04x}-{data3:04x}-{i:02x}{j:02x}-{k:02x}{l:02x}{m:02x}{n:02x}{o:02x}{p:02x}")
    }
}

impl Field for Guid {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
        from.field().map(Self)
    }
    fn encode(&self, to: &mut Encoder) {
        to.field(&self.0);
    }
    fn size(_: Format) -> usize {
        16
    }
}

/// A time: ticks of 100 ns since 1601-01-01 UTC (FILETIME, [MS-DTYP] 2.3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileTime(pub u64);

/// Seconds from 1601-01-01 to 1970-01-01.
const UNIX_EPOCH_SECONDS: i64 = 11_644_473_600;
/// 9999-12-31T23:59:59Z in seconds since 1970: later times stand for no time.
const UNIX_SECONDS_MAX: i64 = 253_402_300_799;

impl FileTime {
    /// Seconds since 1970 and nanoseconds of the second.
    ///
    /// `None` for 0 and for times past the year 9999: writers mean "no time" by both.
    pub fn unix(self) -> Option<(i64, u32)> {
        if self.0 == 0 {
            return None;
        }
        let seconds = i64::try_from(self.0.checked_div(10_000_000)?).ok()?.checked_sub(UNIX_EPOCH_SECONDS)?;
        let nanos = u32::try_from(self.0.checked_rem(10_000_000)?.checked_mul(100)?).ok()?;
        (seconds <= UNIX_SECONDS_MAX).then_some((seconds, nanos))
    }

    /// The time so many seconds after 1970; `None` before 1601.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        let since = seconds.checked_add(UNIX_EPOCH_SECONDS)?;
        u64::try_from(since).ok()?.checked_mul(10_000_000).map(Self)
    }
}

impl Field for FileTime {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
        from.field().map(Self)
    }
    fn encode(&self, to: &mut Encoder) {
        to.field(&self.0);
    }
    fn size(_: Format) -> usize {
        8
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::testing::holds_its_laws;
    use super::*;

    #[test]
    fn every_format_gives_back_its_bytes() {
        for format in Format::ALL {
            holds_its_laws(format, &PropertyRecord { id: 0x37, kind: PropType::UNICODE, value: Hnid(0x40) });
            holds_its_laws(format, &ObjectRecord { nid: super::super::id::Nid(0x24), size: 9 });
            holds_its_laws(format, &Guid::mapi(0x20328));
        }
    }

    #[test]
    fn a_guid_prints_as_windows_does() {
        assert_eq!(Guid::mapi(0x0002_0328).to_string(), "00020328-0000-0000-c000-000000000046");
    }

    #[test]
    fn times_at_the_ends_of_the_range_do_not_overflow() {
        assert_eq!(FileTime(0).unix(), None);
        assert_eq!(FileTime(u64::MAX).unix(), None);
        assert_eq!(FileTime(1).unix(), Some((-UNIX_EPOCH_SECONDS, 100)));
        assert_eq!(FileTime::from_unix(0).unwrap().unix(), Some((0, 0)));
        assert_eq!(FileTime::from_unix(i64::MIN), None);
    }
}
