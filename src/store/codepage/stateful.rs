//! Seven-bit encodings with shift states: ISO-2022-JP, ISO-2022-KR, HZ and UTF-7.
//!
//! Browsers dropped most of them because of attacks on web pages; old mail is full of them. Where a double-byte set is
//! in use, its seven-bit pairs become the eight-bit ones of the EUC form, which `encoding_rs` then decodes.

use super::web;

const ESCAPE: u8 = 0x1b;
const SHIFT_OUT: u8 = 0x0e;
const SHIFT_IN: u8 = 0x0f;
/// A byte that no EUC form has, and so becomes U+FFFD.
const NEVER: u8 = 0xff;

/// ISO-2022-JP in its three Windows forms (50220, 50221, 50222).
///
/// The standard decoder knows no shift bytes, which 50222 has for half-width katakana, and takes an escape that another
/// one follows at once for an error, which real mailers write at ends of lines.
pub(super) fn iso_2022_jp(bytes: &[u8]) -> String {
    let mut tidy = Vec::new();
    // The escape that is in force next; written only before a byte that needs it.
    let mut escape: Option<&[u8]> = None;
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        let (found, after) = match (*first, tail) {
            (ESCAPE, [b'(', b'B' | b'J' | b'I', after @ ..] | [b'$', b'@' | b'B', after @ ..]) => (rest.get(..3), after),
            (ESCAPE, [b'$', b'(', b'D', after @ ..]) => (rest.get(..4), after),
            (SHIFT_OUT, after) => (Some(&b"\x1b(I"[..]), after),
            (SHIFT_IN, after) => (Some(&b"\x1b(B"[..]), after),
            (_, after) => (None, after),
        };
        if found.is_some() {
            escape = found;
        } else {
            tidy.extend_from_slice(escape.take().unwrap_or_default());
            tidy.push(*first);
        }
        rest = after;
    }
    web(encoding_rs::ISO_2022_JP, &tidy)
}

/// ISO-2022-KR, RFC 1557: a header that names the set, then shift bytes around the pairs.
pub(super) fn iso_2022_kr(bytes: &[u8]) -> String {
    let mut euc = Vec::new();
    let mut shifted = false;
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        rest = match (*first, tail) {
            (ESCAPE, [b'$', b')', b'C', after @ ..]) => after,
            (SHIFT_OUT, after) => {
                shifted = true;
                after
            }
            (SHIFT_IN, after) => {
                shifted = false;
                after
            }
            (first, after) if shifted => pair(first, after, &mut euc),
            (first, after) => {
                euc.push(seven_bits(first));
                after
            }
        };
    }
    web(encoding_rs::EUC_KR, &euc)
}

/// HZ, RFC 1843: `~{` and `~}` around the pairs, `~~` for a tilde, a tilde at the end of a line joins it with the next.
pub(super) fn hz(bytes: &[u8]) -> String {
    let mut euc = Vec::new();
    let mut shifted = false;
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        rest = match (*first, tail) {
            (b'~', [b'{', after @ ..]) => {
                shifted = true;
                after
            }
            (b'~', [b'}', after @ ..]) => {
                shifted = false;
                after
            }
            (b'~', [b'~', after @ ..]) if !shifted => {
                euc.push(b'~');
                after
            }
            (b'~', [b'\n', after @ ..] | [b'\r', b'\n', after @ ..]) if !shifted => after,
            (first, after) if shifted => {
                // A pair never crosses a line: a lost `~}` costs one line, not the rest of the mail.
                shifted = first != b'\n';
                pair(first, after, &mut euc)
            }
            (first, after) => {
                euc.push(seven_bits(first));
                after
            }
        };
    }
    web(encoding_rs::GBK, &euc)
}

/// Takes one character of a shifted run, and tells what is left.
fn pair<'a>(first: u8, rest: &'a [u8], euc: &mut Vec<u8>) -> &'a [u8] {
    match rest.split_first() {
        Some((second, after)) if (0x21..=0x7e).contains(&first) && (0x21..=0x7e).contains(second) => {
            euc.extend([first | 0x80, second | 0x80]);
            after
        }
        // Blanks and line ends stand unpaired between the pairs.
        _ => {
            euc.push(if first <= 0x20 { first } else { NEVER });
            rest
        }
    }
}

const fn seven_bits(byte: u8) -> u8 {
    if byte.is_ascii() { byte } else { NEVER }
}

/// UTF-7, RFC 2152: `+`, UTF-16 in base64, and a `-` or anything that is no base64.
pub(super) fn utf_7(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        rest = match (*first, tail) {
            (b'+', [b'-', after @ ..]) => {
                text.push('+');
                after
            }
            (b'+', after) => {
                let len = after.iter().take_while(|byte| sextet(**byte).is_some()).count();
                let (run, after) = after.split_at_checked(len).unwrap_or_default();
                if run.is_empty() {
                    // Ill-formed, and nearly always a plus that nobody encoded.
                    text.push('+');
                } else {
                    push_base64(run, &mut text);
                }
                after.strip_prefix(b"-").filter(|_| !run.is_empty()).unwrap_or(after)
            }
            (first, after) => {
                text.push(if first.is_ascii() { char::from(first) } else { char::REPLACEMENT_CHARACTER });
                after
            }
        };
    }
    text
}

fn push_base64(run: &[u8], text: &mut String) {
    let mut units = Vec::new();
    // At most 15 bits wait for the next sextet, so 32 are enough.
    let mut bits = 0_u32;
    let mut count = 0_u32;
    for value in run.iter().filter_map(|byte| sextet(*byte)) {
        bits = (bits << 6) | u32::from(value);
        count = count.saturating_add(6);
        if let Some(left) = count.checked_sub(16) {
            units.extend(bits.checked_shr(left).and_then(|unit| u16::try_from(unit & 0xffff).ok()));
            bits &= 0xffff;
            count = left;
        }
    }
    text.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
}

const fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => byte.checked_sub(b'A'),
        b'a'..=b'z' => byte.checked_sub(b'a' - 26),
        b'0'..=b'9' => byte.checked_add(52 - b'0'),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf_7_of_the_standard() {
        assert_eq!(utf_7(b"A+ImIDkQ."), "A≢Α.");
        assert_eq!(utf_7(b"Hi Mom -+Jjo--!"), "Hi Mom -☺-!");
        assert_eq!(utf_7(b"+ZeVnLIqe-"), "日本語");
        assert_eq!(utf_7(b"2 +- 2"), "2 + 2");
    }

    #[test]
    fn utf_7_joins_surrogates_and_survives_half_of_one() {
        assert_eq!(utf_7(b"+2D3eAA-x"), "😀x");
        assert_eq!(utf_7(b"+2D0-x"), "\u{fffd}x");
        assert_eq!(utf_7(b"1 + 1 \xe9"), "1 + 1 \u{fffd}");
        assert_eq!(utf_7(b"+"), "+");
    }

    #[test]
    fn hz_of_the_standard() {
        assert_eq!(hz(b"This: ~{<:Ky2;S{#,NpJ)l6HK!#~}Bye."), "This: 己所不欲，勿施於人。Bye.");
        assert_eq!(hz(b"a~~b~\nc~\r\nd"), "a~bcd");
    }

    #[test]
    fn a_lost_end_of_hz_costs_one_line() {
        assert_eq!(hz(b"~{VP\nplain"), "中\nplain");
    }

    #[test]
    fn iso_2022_kr_of_the_standard() {
        assert_eq!(iso_2022_kr(b"\x1b$)C\x0eGQ1[\x0f, ok"), "한글, ok");
        assert_eq!(iso_2022_kr(b"\x0eGQ 1["), "한 글");
    }

    #[test]
    fn eight_bits_are_no_part_of_seven() {
        assert_eq!(iso_2022_kr(b"a\xc7\xd1"), "a\u{fffd}\u{fffd}");
        assert_eq!(hz(b"a\xc7"), "a\u{fffd}");
    }

    #[test]
    fn iso_2022_jp_takes_shift_bytes_and_needless_escapes() {
        assert_eq!(iso_2022_jp(b"\x0e1\x0f!"), "ｱ!");
        assert_eq!(iso_2022_jp(b"\x1b(I1\x1b(B"), "ｱ");
        assert_eq!(iso_2022_jp(b"\x1b$BF|\x1b(B\x1b$BK\\\x1b(B\x1b(J"), "日本");
    }
}
