//! What iCalendar (RFC 5545) and vCard (RFC 6350) share: content lines, dates, calendar addresses, unique ids.
//!
//! A document is lines of `NAME;PARAMETER=value:value`, ended by CRLF, folded at 75 octets. Only [`Lines`] knows how a
//! line is escaped and folded.

mod address;
mod given;
mod moment;
mod plain;
mod unique;

pub(super) use address::{mailto, smtp};
pub use given::Given;
pub(super) use moment::{basic_date, basic_time, date_near, local_minutes, minutes_of, utc, zulu};
pub(super) use unique::unique_id;

use std::fmt::Write;

use super::file::without_place;
use crate::store::item::{Attachment, Item};
use crate::store::tags;

/// The octets of a line before it is folded (RFC 5545 3.1, RFC 6350 3.2).
const FOLD_OCTETS: usize = 75;

/// Content lines, collected.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    text: String,
}

impl Lines {
    /// A line whose value is written as it is: a date, a number, a URI.
    pub(super) fn raw(&mut self, name: &str, value: &str) {
        let mut octets = 0_usize;
        for character in name.chars().chain([':']).chain(value.chars()).filter(|character| !character.is_control()) {
            let wide = character.len_utf8();
            if octets.saturating_add(wide) > FOLD_OCTETS {
                self.text.push_str("\r\n ");
                octets = 1;
            }
            self.text.push(character);
            octets = octets.saturating_add(wide);
        }
        self.text.push_str("\r\n");
    }

    /// A line whose value is TEXT.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.raw(name, &escaped(value));
    }

    /// A line whose value is TEXT, left out where there is none.
    pub(super) fn some_text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
            self.text(name, value);
        }
    }

    /// A line for each thing that an item lacks.
    pub(super) fn damage(&mut self, item: &Item) {
        item.damage.iter().for_each(|damage| self.lacks(&without_place(damage)));
    }

    /// A line that says what the document lacks.
    pub(super) fn lacks(&mut self, what: &str) {
        self.text("X-PSTFS-INCOMPLETE", what);
    }

    /// A line with TEXT values separated by `separator`; left out where there is none.
    pub(super) fn texts(&mut self, name: &str, separator: &str, values: &[String]) {
        if values.iter().any(|value| !value.trim().is_empty()) {
            let values: Vec<String> = values.iter().map(|value| escaped(value)).collect();
            self.raw(name, &values.join(separator));
        }
    }

    /// Lines that were written elsewhere.
    pub(super) fn append(&mut self, lines: &Self) {
        self.text.push_str(&lines.text);
    }

    /// How many octets there are.
    pub(super) const fn octets(&self) -> usize {
        self.text.len()
    }

    /// The document.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// TEXT with its special characters escaped (RFC 5545 3.3.11, RFC 6350 3.4), without the line end that stores put last.
pub(super) fn escaped(value: &str) -> String {
    let mut out = String::new();
    let mut characters = value.trim_end_matches(['\r', '\n']).chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' if characters.peek() == Some(&'\n') => {}
            '\r' | '\n' => out.push_str("\\n"),
            '\\' | ';' | ',' => {
                out.push('\\');
                out.push(character);
            }
            // Neither format has a way to write the others.
            '\t' => out.push(' '),
            other if other.is_control() => {}
            other => out.push(other),
        }
    }
    out
}

/// A parameter's value in quotes; neither format can hold a quote there.
pub(super) fn quoted(value: &str) -> String {
    let clean: String = value.chars().filter(|character| !character.is_control()).collect();
    format!("\"{}\"", clean.replace('"', "'"))
}

/// Bytes in base64 (RFC 4648 4).
pub(super) fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (head, tail) = rest.split_at_checked(3).unwrap_or((rest, &[]));
        let mut group = [0_u8; 4];
        for (to, from) in group.iter_mut().skip(1).zip(head) {
            *to = *from;
        }
        let group = u32::from_be_bytes(group);
        for place in 0..4_u32 {
            let shift = 18_u32.saturating_sub(place.saturating_mul(6));
            let sextet = group.checked_shr(shift).unwrap_or(0) & 0x3f;
            let padding = usize::try_from(place).unwrap_or(0) > head.len();
            out.push(if padding { '=' } else { base64_digit(sextet) });
        }
        rest = tail;
    }
    out
}

fn base64_digit(sextet: u32) -> char {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    usize::try_from(sextet).ok().and_then(|at| DIGITS.get(at)).map_or('=', |digit| char::from(*digit))
}

/// Bytes in upper-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        let _ = write!(out, "{byte:02X}");
    }
    out
}

/// What an attachment is called.
pub(super) fn filename(attachment: &Attachment) -> Option<String> {
    [tags::ATTACH_LONG_FILENAME, tags::ATTACH_FILENAME, tags::DISPLAY_NAME]
        .into_iter()
        .find_map(|key| attachment.props.text(key).filter(|name| !name.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_folds_at_75_octets_between_characters() {
        let mut lines = Lines::default();
        lines.text("NOTE", &"ä".repeat(100));
        let text = lines.finish();
        assert!(text.split("\r\n").all(|line| line.len() <= 75), "{text}");
        assert!(text.split("\r\n").skip(1).all(|line| line.is_empty() || line.starts_with(' ')));
        assert_eq!(text.replace("\r\n ", ""), format!("NOTE:{}\r\n", "ä".repeat(100)));
    }

    #[test]
    fn a_line_of_75_octets_is_one_line() {
        let mut lines = Lines::default();
        lines.raw("X", &"a".repeat(73));
        lines.raw("X", &"a".repeat(74));
        assert_eq!(lines.finish(), format!("X:{}\r\nX:{}\r\n a\r\n", "a".repeat(73), "a".repeat(73)));
    }

    #[test]
    fn text_is_escaped_and_loses_its_last_line_end() {
        assert_eq!(escaped("a,b;c\\d\r\ne\nf\r\n\r\n"), "a\\,b\\;c\\\\d\\ne\\nf");
        assert_eq!(escaped("bell\u{7}\tend\rx"), "bell end\\nx");
    }

    #[test]
    fn a_value_cannot_start_a_line_of_its_own() {
        let mut lines = Lines::default();
        lines.raw("URL", "http://x\r\nATTACH:evil");
        lines.raw(&format!("ATTENDEE;CN={}", quoted("a\"\r\nX:b")), "mailto:a@b");
        assert_eq!(lines.finish(), "URL:http://xATTACH:evil\r\nATTENDEE;CN=\"a'X:b\":mailto:a@b\r\n");
    }

    #[test]
    fn base64_pads_its_last_group() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
