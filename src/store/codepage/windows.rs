//! Which page Windows keeps a text in whose mail travels in another one.
//!
//! A message names two pages: that of its 8-bit strings, and that in which it travels, which is all that many items of
//! old stores tell. Outlook's strings are in the page of the Windows that wrote them, which is never one of 7 bits, and
//! the Cyrillic, Greek or Japanese one of Windows where mail travels in KOI8-R, ISO 8859-7 or EUC-JP.

use super::{UTF_7, UTF_8, UTF_16BE, UTF_16LE};

/// The page in which Windows keeps what travels in `internet`; `None` where texts of every language travel in that.
///
/// Pages of 7 bits stay: whether a text is in one, its bytes tell.
pub const fn kept_in(internet: u16) -> Option<u16> {
    Some(match internet {
        UTF_7 | UTF_8 | UTF_16LE | UTF_16BE | 20127 => return None,
        20932 | 51932 => 932,
        51936 => 936,
        51949 => 949,
        28592 => 1250,
        20866 | 21866 | 28595 => 1251,
        28591 | 28605 => 1252,
        28597 => 1253,
        28599 => 1254,
        28598 | 38598 => 1255,
        28596 => 1256,
        28594 | 28603 => 1257,
        page => page,
    })
}

/// The Windows page of a text that a page of 7 bits was told for and that has bytes of 8, without one that shifts.
pub(super) fn eight_bit(page: u16, bytes: &[u8]) -> Option<u16> {
    let (kept, shift) = match page {
        50220..=50222 => (932, 0x1b),
        50225 => (949, 0x0e),
        52936 => (936, b'~'),
        _ => return None,
    };
    (!bytes.is_ascii() && !bytes.contains(&shift)).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::super::decode;
    use super::*;

    #[test]
    fn text_of_eight_bits_is_in_no_page_of_seven() {
        assert_eq!(decode(50220, b"\x98A\x97\x8d\x90\xe6"), "連絡先");
        assert_eq!(decode(50225, b"\xc7\xd1"), "한");
        assert_eq!(decode(52936, b"\xd6\xd0"), "中");
    }

    #[test]
    fn text_that_shifts_is_in_the_page_that_is_told() {
        assert_eq!(decode(50222, b"\x1b$BF|K\\\x1b(B"), "日本");
        assert_eq!(decode(52936, b"~{VP~}"), "中");
    }

    #[test]
    fn pages_of_every_language_tell_none() {
        assert_eq!((kept_in(UTF_8), kept_in(20127)), (None, None));
        assert_eq!((kept_in(20866), kept_in(1255), kept_in(50220)), (Some(1251), Some(1255), Some(50220)));
    }
}
