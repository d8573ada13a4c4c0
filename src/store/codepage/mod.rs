//! Code pages: which bytes stand for which text.
//!
//! Strings of a store come in the code page that the message, the folder or the user names, as a Windows number. Nearly
//! all pages are tables of the crates `encoding_rs` and `oem_cp`; the few with shift states that browsers gave up are in
//! `stateful`, Korean Johab in `johab`. `names` knows what a page is called in MIME and HTML, `lcid` which page
//! goes with a Windows language, `windows` which page Windows keeps text in that travels in another. Nothing here fails:
//! what does not decode becomes U+FFFD.

mod johab;
mod lcid;
mod names;
mod stateful;
mod windows;

pub use lcid::by_lcid;
pub use names::{by_charset_name, charset_name};
pub use windows::kept_in;

use encoding_rs::Encoding;
use oem_cp::code_table::DECODING_TABLE_CP_MAP;
use oem_cp::code_table_type::TableType;

/// Western European, what most stores without a hint are in.
pub const WINDOWS_1252: u16 = 1252;
/// UTF-8.
pub const UTF_8: u16 = 65001;
/// UTF-16, little-endian.
pub const UTF_16LE: u16 = 1200;
/// UTF-16, big-endian.
pub const UTF_16BE: u16 = 1201;
/// UTF-7, RFC 2152.
pub const UTF_7: u16 = 65000;

/// How the bytes of a page are read.
enum Method {
    /// A page of the web, the Windows and ISO ones.
    Web(&'static Encoding),
    /// A page of DOS.
    Dos(&'static TableType),
    /// Seven bits with shift states, or Johab: a decoder of ours.
    Own(fn(&[u8]) -> String),
}

/// Whether [`decode`] knows this page.
pub fn is_known(page: u16) -> bool {
    method(page).is_some()
}

/// The text that these bytes stand for; what does not decode becomes U+FFFD.
///
/// A page that is not known is read as Windows-1252, which never fails and keeps ASCII. A byte order mark is dropped.
pub fn decode(page: u16, bytes: &[u8]) -> String {
    let page = windows::eight_bit(page, bytes).unwrap_or(page);
    match method(page).unwrap_or(Method::Web(encoding_rs::WINDOWS_1252)) {
        Method::Web(encoding) => web(encoding, bytes),
        Method::Dos(table) => table.decode_string_lossy(bytes),
        Method::Own(decoder) => decoder(bytes),
    }
}

fn method(page: u16) -> Option<Method> {
    let method = match page {
        1361 => Method::Own(johab::decode),
        50220..=50222 => Method::Own(stateful::iso_2022_jp),
        50225 => Method::Own(stateful::iso_2022_kr),
        52936 => Method::Own(stateful::hz),
        UTF_7 => Method::Own(stateful::utf_7),
        // ASCII is 7 bits; what is above 127 was meant to be something, and most often this.
        20127 => Method::Web(encoding_rs::WINDOWS_1252),
        20932 | 51932 => Method::Web(encoding_rs::EUC_JP),
        // ISO-2022-CN has no decoder anywhere; Windows reads its own 50227 as 936.
        50227 | 51936 => Method::Web(encoding_rs::GBK),
        // Mac pages: the East Asian ones differ from the Windows ones in a few symbols only, the Latin ones from Roman
        // in a few letters.
        10001 => Method::Web(encoding_rs::SHIFT_JIS),
        10002 => Method::Web(encoding_rs::BIG5),
        10003 => Method::Web(encoding_rs::EUC_KR),
        10008 => Method::Web(encoding_rs::GBK),
        10010 | 10079 | 10081 | 10082 => Method::Web(encoding_rs::MACINTOSH),
        _ => {
            return codepage::to_encoding_no_replacement(page)
                .map(Method::Web)
                .or_else(|| DECODING_TABLE_CP_MAP.get(&page).map(Method::Dos));
        }
    };
    Some(method)
}

fn web(encoding: &'static Encoding, bytes: &[u8]) -> String {
    encoding.decode_with_bom_removal(bytes).0.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every page that the description of the program names.
    const PAGES: &[u16] = &[
        437, 720, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869, 874, 932, 936, 949, 950, 1200, 1201, 1250,
        1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258, 1361, 10000, 10007, 20127, 20866, 20936, 21866, 28591, 28592, 28593, 28594, 28595,
        28596, 28597, 28598, 28599, 28600, 28603, 28604, 28605, 28606, 38598, 50220, 50221, 50222, 50225, 51932, 51936, 51949, 52936,
        54936, 65000, 65001,
    ];

    #[test]
    fn every_promised_page_is_known_and_has_a_name() {
        for page in PAGES {
            assert!(is_known(*page), "{page}");
            assert!(charset_name(*page).is_some(), "{page}");
        }
        assert!(!is_known(0) && !is_known(37));
    }

    #[test]
    fn ascii_is_ascii_on_every_page_of_bytes() {
        for page in PAGES.iter().filter(|page| !matches!(**page, UTF_16LE | UTF_16BE)) {
            assert_eq!(decode(*page, b"Hello, World 123\r\n"), "Hello, World 123\r\n", "{page}");
        }
    }

    #[test]
    fn one_word_of_each_script() {
        let cases: &[(u16, &[u8], &str)] = &[
            (437, b"\x81ber", "über"),
            (850, b"\x9b", "ø"),
            (858, b"\xd5", "€"),
            (866, b"\xae\xad", "он"),
            (874, b"\xa1", "ก"),
            (932, b"\x93\xfa\x96{", "日本"),
            (936, b"\xd6\xd0\x80", "中€"),
            (949, b"\xc7\xd1\x8c\x63", "한똠"),
            (950, b"\xa4\xa4", "中"),
            (1250, b"\xe8", "č"),
            (1251, b"\xcc\xe8\xf0", "Мир"),
            (1253, b"\xe1", "α"),
            (1255, b"\xf9\xec\xe5\xed", "שלום"),
            (1256, b"\xd3", "س"),
            (1258, b"\xd5", "Ơ"),
            (10000, b"\x8a", "ä"),
            (10007, b"\x80", "А"),
            (20127, b"\x80", "€"),
            (20866, b"\xcd\xc9\xd2", "мир"),
            (28592, b"\xe8", "č"),
            (28605, b"\xa4", "€"),
            (38598, b"\xf9", "ש"),
            (50220, b"\x1b$BF|K\\\x1b(B", "日本"),
            (51932, b"\xc6\xfc", "日"),
            (51949, b"\xc7\xd1", "한"),
            (54936, b"\x81\x30\x81\x30", "\u{80}"),
            (1200, b"\x3d\xd8\x00\xde", "😀"),
            (1201, b"\xd8\x3d\xde\x00", "😀"),
            (65001, b"\xef\xbb\xbf\xf0\x9f\x98\x80", "😀"),
        ];
        for (page, bytes, text) in cases {
            assert_eq!(decode(*page, bytes), *text, "{page}");
        }
    }

    #[test]
    fn what_does_not_decode_is_the_replacement_character() {
        assert_eq!(decode(UTF_8, b"a\xffb"), "a\u{fffd}b");
        assert_eq!(decode(932, b"\x81"), "\u{fffd}");
        assert_eq!(decode(UTF_16LE, b"a\0b"), "a\u{fffd}");
        assert_eq!(decode(864, b"\xff"), "\u{fffd}");
    }

    #[test]
    fn an_unknown_page_is_read_as_western_european() {
        assert_eq!(decode(4711, b"caf\xe9"), "café");
    }

    proptest! {
        #[test]
        fn no_bytes_panic_on_any_page(page in any::<u16>(), at in 0..PAGES.len(), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            decode(page, &bytes);
            decode(PAGES[at], &bytes);
        }
    }
}
