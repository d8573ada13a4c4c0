//! What code pages are called in MIME headers and in HTML.

/// Code page and name; where a name stands twice, the first row is the one [`by_charset_name`] answers.
///
/// Names are those of IANA where it has one, else what Windows writes into mail.
const NAMES: &[(u16, &str)] = &[
    (437, "ibm437"),
    (720, "dos-720"),
    (737, "ibm737"),
    (775, "ibm775"),
    (850, "ibm850"),
    (852, "ibm852"),
    (855, "ibm855"),
    (857, "ibm857"),
    (858, "ibm00858"),
    (860, "ibm860"),
    (861, "ibm861"),
    (862, "ibm862"),
    (863, "ibm863"),
    (864, "ibm864"),
    (865, "ibm865"),
    (866, "ibm866"),
    (869, "ibm869"),
    (874, "windows-874"),
    (932, "shift_jis"),
    (936, "gbk"),
    // Windows' own name for its superset of EUC-KR; every reader takes it for that.
    (949, "ks_c_5601-1987"),
    (950, "big5"),
    (951, "big5-hkscs"),
    (1200, "utf-16le"),
    (1201, "utf-16be"),
    (1250, "windows-1250"),
    (1251, "windows-1251"),
    (1252, "windows-1252"),
    (1253, "windows-1253"),
    (1254, "windows-1254"),
    (1255, "windows-1255"),
    (1256, "windows-1256"),
    (1257, "windows-1257"),
    (1258, "windows-1258"),
    (1361, "johab"),
    (10000, "macintosh"),
    (10001, "x-mac-japanese"),
    (10002, "x-mac-chinesetrad"),
    (10003, "x-mac-korean"),
    (10007, "x-mac-cyrillic"),
    (10008, "x-mac-chinesesimp"),
    (10010, "x-mac-romanian"),
    (10017, "x-mac-ukrainian"),
    (10079, "x-mac-icelandic"),
    (10081, "x-mac-turkish"),
    (10082, "x-mac-croatian"),
    (20127, "us-ascii"),
    (20866, "koi8-r"),
    (51932, "euc-jp"),
    (20932, "euc-jp"),
    (51936, "gb2312"),
    (20936, "gb2312"),
    (51949, "euc-kr"),
    (20949, "euc-kr"),
    (21866, "koi8-u"),
    (28591, "iso-8859-1"),
    (28592, "iso-8859-2"),
    (28593, "iso-8859-3"),
    (28594, "iso-8859-4"),
    (28595, "iso-8859-5"),
    (28596, "iso-8859-6"),
    (28597, "iso-8859-7"),
    (28598, "iso-8859-8"),
    (38598, "iso-8859-8-i"),
    (28599, "iso-8859-9"),
    (28600, "iso-8859-10"),
    (28601, "iso-8859-11"),
    (28603, "iso-8859-13"),
    (28604, "iso-8859-14"),
    (28605, "iso-8859-15"),
    (28606, "iso-8859-16"),
    (50220, "iso-2022-jp"),
    (50221, "iso-2022-jp"),
    (50222, "iso-2022-jp"),
    (50221, "csiso2022jp"),
    (50225, "iso-2022-kr"),
    (50227, "x-cp50227"),
    (52936, "hz-gb-2312"),
    (54936, "gb18030"),
    (65000, "utf-7"),
    (65001, "utf-8"),
];

/// Further names that mail has, and that the list of the web has not or reads otherwise.
const ALIASES: &[(u16, &str)] = &[
    (858, "ibm858"),
    (858, "cp00858"),
    (862, "dos-862"),
    (20127, "ascii"),
    (20127, "ansi_x3.4-1968"),
    (20127, "iso646-us"),
    (20127, "646"),
    (28591, "latin1"),
    (28591, "iso8859-1"),
    (28591, "iso_8859-1"),
    (1361, "ks_c_5601-1992"),
    (1361, "x-johab"),
    (936, "cn-gb"),
    (950, "cn-big5"),
    (949, "uhc"),
    (52936, "hz"),
    (50225, "csiso2022kr"),
    (65000, "unicode-1-1-utf-7"),
    (65000, "csunicode11utf7"),
    (65001, "utf8"),
    (1200, "utf-16"),
    (1200, "unicode"),
    (1201, "unicodefffe"),
    (28598, "iso-8859-8 visual"),
    (28598, "visual"),
    (38598, "logical"),
];

/// What stands before the number in names that are one: `cp1252`, `windows-1252`, `x-cp1250`, `ibm850`, `ms932`.
const PREFIXES: &[&str] = &["x-windows-", "windows-", "windows", "cswindows", "x-cp", "cp-", "cp", "ibm-", "ibm", "dos-", "ms-", "ms"];

/// The name of a code page in MIME and HTML, in lower case.
pub fn charset_name(page: u16) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == page).map(|(_, name)| *name)
}

/// The code page that a MIME `charset` or an HTML `meta` means; case, blanks and quotes around do not matter.
pub fn by_charset_name(name: &str) -> Option<u16> {
    let name = name.trim_matches(|c: char| c.is_ascii_whitespace() || c == '"' || c == '\'');
    let own = NAMES.iter().chain(ALIASES).find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(page, _)| *page);
    own.or_else(|| by_number(name)).or_else(|| encoding_rs::Encoding::for_label(name.as_bytes()).and_then(codepage::from_encoding))
}

fn by_number(name: &str) -> Option<u16> {
    let lower = name.to_ascii_lowercase();
    PREFIXES
        .iter()
        .filter_map(|prefix| lower.strip_prefix(prefix))
        // `parse` takes a sign too, which no name has.
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|digits| digits.parse().ok())
        .find(|page| super::is_known(*page))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::codepage::{decode, is_known};

    #[test]
    fn every_page_with_a_name_is_known_and_its_name_leads_to_the_same_text() {
        for (page, name) in NAMES {
            assert!(is_known(*page), "{page}");
            let back = by_charset_name(name).expect("a name of ours");
            let bytes: Vec<u8> = (0x20..=0xff).collect();
            // Mac pages and Johab included: the page may differ, the text must not.
            assert_eq!(decode(back, &bytes), decode(*page, &bytes), "{name}");
        }
    }

    #[test]
    fn names_of_mail_and_html_lead_to_their_page() {
        let cases = [
            ("UTF-8", 65001),
            ("\"utf-8\"", 65001),
            (" ISO-8859-1 ", 28591),
            ("us-ascii", 20127),
            ("Windows-1252", 1252),
            ("cp1251", 1251),
            ("x-sjis", 932),
            ("Shift_JIS", 932),
            ("windows-31j", 932),
            ("GB2312", 51936),
            ("gb_2312-80", 936),
            ("cp936", 936),
            ("ms949", 949),
            ("ISO-2022-JP", 50220),
            ("iso-2022-kr", 50225),
            ("hz-gb-2312", 52936),
            ("KOI8-R", 20866),
            ("iso-8859-8-i", 38598),
            ("cp437", 437),
            ("UTF-7", 65000),
            ("utf-16", 1200),
            ("tis-620", 874),
        ];
        for (name, page) in cases {
            assert_eq!(by_charset_name(name), Some(page), "{name}");
        }
    }

    #[test]
    fn what_names_nothing_is_none() {
        for name in ["", "x-user-defined", "cp+1252", "cp99999", "cp4711", "windows-", "klingon", "replacement"] {
            assert_eq!(by_charset_name(name), None, "{name}");
        }
    }
}
