//! Johab, Windows code page 1361: Korean syllables composed of three five-bit letters (KS X 1001, annex 3).

use super::web;

/// The first letter (choseong) of each five-bit code; 31 stands for none.
const INITIALS: [u8; 32] =
    [31, 31, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31];
/// The vowel (jungseong) of each five-bit code.
const VOWELS: [u8; 32] =
    [31, 31, 31, 0, 1, 2, 3, 4, 31, 31, 5, 6, 7, 8, 9, 10, 31, 31, 11, 12, 13, 14, 15, 16, 31, 31, 17, 18, 19, 20, 31, 31];
/// The last letter (jongseong) of each five-bit code; 0 is a syllable without one.
const FINALS: [u8; 32] =
    [31, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 31, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 31, 31];
/// First letters that stand alone, in the order of [`INITIALS`].
const LONE_INITIALS: &str = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";
/// Last letters that stand alone, in the order of [`FINALS`].
const LONE_FINALS: &str = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ";
/// No such letter.
const NONE: u8 = 31;

/// The text of Johab bytes.
pub(super) fn decode(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        rest = match tail.split_first() {
            // The one ASCII place that differs is the Won sign, which Windows keeps as a backslash.
            _ if first.is_ascii() => {
                text.push(char::from(*first));
                tail
            }
            Some((second, after)) if *second >= 0x31 => {
                match character(*first, *second) {
                    Some(found) => text.push_str(&found),
                    None => text.push(char::REPLACEMENT_CHARACTER),
                }
                after
            }
            _ => {
                text.push(char::REPLACEMENT_CHARACTER);
                tail
            }
        };
    }
    text
}

fn character(first: u8, second: u8) -> Option<String> {
    match first {
        0x84..=0xd3 => syllable(u16::from_be_bytes([first, second])).map(String::from),
        0xd9..=0xde | 0xe0..=0xf9 => wansung(first, second),
        _ => None,
    }
}

fn syllable(code: u16) -> Option<char> {
    let letter = |table: &[u8; 32], shift: u32| table.get(usize::from(code.checked_shr(shift)? & 0x1f)).copied();
    let (initial, vowel, last) = (letter(&INITIALS, 10)?, letter(&VOWELS, 5)?, letter(&FINALS, 0)?);
    match (initial, vowel, last) {
        (_, _, NONE) => None,
        (NONE, NONE, last) => LONE_FINALS.chars().nth(usize::from(last.checked_sub(1)?)),
        (NONE, vowel, 0) => char::from_u32(u32::from(vowel).checked_add(0x314f)?),
        (initial, NONE, 0) => LONE_INITIALS.chars().nth(usize::from(initial)),
        (NONE, ..) | (_, NONE, _) => None,
        // Hangul syllables stand in Unicode in the order of their letters (Unicode, 3.12).
        (initial, vowel, last) => {
            let row = u32::from(initial).checked_mul(21)?.checked_add(u32::from(vowel))?;
            char::from_u32(row.checked_mul(28)?.checked_add(u32::from(last))?.checked_add(0xac00)?)
        }
    }
}

/// Symbols and Hanja: two rows of KS X 1001 for each first byte, which EUC-KR has in another order.
fn wansung(first: u8, second: u8) -> Option<String> {
    let base = u16::from(first).checked_mul(2)?;
    let row = if first < 0xe0 { base.checked_sub(0xd9 * 2)? } else { base.checked_sub(0x197)? };
    let column = match second {
        0x31..=0x7e => second.checked_sub(0x31)?,
        0x91..=0xfe => second.checked_sub(0x43)?,
        _ => return None,
    };
    let (row, column) = match column.checked_sub(0x5e) {
        Some(column) => (row.checked_add(1)?, column),
        None => (row, column),
    };
    let euc = [u8::try_from(row.checked_add(0xa1)?).ok()?, column.checked_add(0xa1)?];
    Some(web(encoding_rs::EUC_KR, &euc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syllables_hanja_and_symbols() {
        assert_eq!(decode(b"\xd0\x65\x8b\x69 ok"), "한글 ok");
        assert_eq!(decode(b"\xe0\x31"), "伽");
        assert_eq!(decode(b"\xd9\x31"), "\u{3000}");
    }

    #[test]
    fn letters_alone() {
        assert_eq!(decode(b"\x88\x41\x84\x61\x84\x44"), "ㄱㅏㄳ");
    }

    #[test]
    fn what_is_no_letter_is_replaced() {
        assert_eq!(decode(b"\xd0"), "\u{fffd}");
        assert_eq!(decode(b"\xff\xff\x84\x41a"), "\u{fffd}\u{fffd}a");
    }
}
