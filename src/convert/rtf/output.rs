//! Text that comes out of RTF, put together from bytes and UTF-16 units.

use super::fonts::SYMBOL;
use crate::store::codepage;

/// What stands for any sign of a symbol font before a list item.
const BULLET: char = '\u{2022}';

/// Collects text.
///
/// Bytes wait until all bytes of a run are there, since two of them may be one character; the first half of a surrogate
/// pair waits for the second.
#[derive(Clone, Debug, Default)]
pub(super) struct Output {
    text: String,
    bytes: Vec<u8>,
    page: u16,
    high: Option<u16>,
}

impl Output {
    /// Appends bytes in a code page.
    pub(super) fn bytes(&mut self, page: u16, bytes: &[u8]) {
        if self.page != page || self.high.is_some() {
            self.flush();
        }
        self.page = page;
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends characters.
    pub(super) fn text(&mut self, text: &str) {
        self.flush();
        self.text.push_str(text);
    }

    /// Appends the sign of a list item; one of a symbol font becomes a bullet, whichever it is.
    pub(super) fn bullet(&mut self, count: usize) {
        self.flush();
        self.text.extend(std::iter::repeat_n(BULLET, count));
    }

    /// Appends the character of `\u`: a UTF-16 unit, as a number that may be negative, or a code point as some write it.
    pub(super) fn unicode(&mut self, number: i32) {
        let code = if number < 0 { number.saturating_add(0x1_0000) } else { number };
        let code = u32::try_from(code).unwrap_or(u32::from(char::REPLACEMENT_CHARACTER));
        match (self.high, u16::try_from(code)) {
            (None, Ok(unit @ 0xd800..=0xdbff)) => {
                self.flush();
                self.high = Some(unit);
            }
            (Some(high), Ok(low @ 0xdc00..=0xdfff)) => {
                self.high = None;
                self.text.extend(char::decode_utf16([high, low]).map(|pair| pair.unwrap_or(char::REPLACEMENT_CHARACTER)));
            }
            (Some(_), Ok(unit @ 0xd800..=0xdbff)) => {
                self.flush();
                self.high = Some(unit);
            }
            _ => {
                self.flush();
                self.text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
    }

    /// Ends a table row: the tab after its last cell goes.
    pub(super) fn end_row(&mut self) {
        self.flush();
        if self.text.ends_with('\t') {
            self.text.pop();
        }
        self.text.push_str("\r\n");
    }

    /// Where the text ends so far, in bytes.
    pub(super) fn position(&mut self) -> usize {
        self.flush();
        self.text.len()
    }

    /// The text from a position on.
    pub(super) fn since(&mut self, position: usize) -> &str {
        self.flush();
        self.text.get(position..).unwrap_or_default()
    }

    /// All text.
    pub(super) fn finish(mut self) -> String {
        self.flush();
        self.text
    }

    fn flush(&mut self) {
        if self.high.take().is_some() {
            self.text.push(char::REPLACEMENT_CHARACTER);
        }
        if !self.bytes.is_empty() {
            // Outlook writes the text of a symbol font as the Western characters that the HTML had.
            let page = if self.page == SYMBOL { codepage::WINDOWS_1252 } else { self.page };
            self.text.push_str(&codepage::decode(page, &self.bytes));
            self.bytes.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_one_character_may_come_one_by_one() {
        let mut output = Output::default();
        output.bytes(932, b"\x83");
        output.bytes(932, b"\\");
        output.bytes(1252, b"\xe9");
        assert_eq!(output.finish(), "ソé");
    }

    #[test]
    fn surrogates_are_joined_and_lone_ones_replaced() {
        let mut output = Output::default();
        for number in [-10179, -8704, 0xd83d, 0xd83d, 0xde00, 0xde00, 0x1_f600, -70000, i32::MAX, i32::MIN, 0xd83d] {
            output.unicode(number);
        }
        let r = "\u{fffd}";
        assert_eq!(output.finish(), format!("😀{r}😀{r}😀{r}{r}{r}{r}"));
    }

    #[test]
    fn a_row_ends_without_a_tab() {
        let mut output = Output::default();
        output.text("a\tb\t");
        output.end_row();
        assert_eq!(output.finish(), "a\tb\r\n");
    }
}
