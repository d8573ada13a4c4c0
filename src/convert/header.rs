//! Header fields: folding, encoded-words, parameters, dates (RFC 5322, 2047, 2231).
//!
//! A value comes in as plain text and leaves as lines that no reader can take for another field: CR, LF and NUL never
//! get through.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::encode::{LINE_END, LINE_MAX, encoded_words, percent_units};
use crate::format::property::FileTime;

/// Where lines are folded if they can be (RFC 5322 2.1.1).
const LINE_WANTED: usize = 78;

/// The longest piece between two spaces that goes out as it is. Below [`LINE_MAX`] by the longest field name.
pub const WORD_MAX: usize = 800;

/// The longest file name in a parameter, in characters: what file systems allow.
const FILE_NAME_MAX: usize = 255;

/// Characters of an extended parameter's value in one section (RFC 2231 3).
const SECTION_MAX: usize = 55;

/// Keeps what cannot stand as a field of its own: lines that are none, fields that were replaced.
pub const KEPT: &str = "X-Pstfs-Header";

/// A header field: its name, and its value folded into lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name, without colon.
    pub name: String,
    /// The value; every line but the first begins with white space, none is blank.
    pub value: String,
}

impl Field {
    /// The value in one line.
    pub fn unfolded(&self) -> String {
        self.value.replace(LINE_END, "")
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The fields of a header, in order.
#[derive(Clone, Debug, Default)]
pub struct Fields(Vec<Field>);

impl Fields {
    /// The fields.
    pub fn iter(&self) -> impl Iterator<Item = &Field> {
        self.0.iter()
    }

    /// The first field of this name.
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.0.iter().find(|field| field.is(name))
    }

    /// Whether there is a field of this name.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Removes all fields of this name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|field| !field.is(name));
    }

    /// Adds a field at the end; one without a value is left out.
    pub fn push(&mut self, field: Field) {
        if !field.value.is_empty() {
            self.0.push(field);
        }
    }

    /// Puts a field in the place of the first one of its name, and removes the others; at the end where there is none.
    pub fn set(&mut self, field: Field) {
        let place = self.0.iter().position(|old| old.is(&field.name));
        match place.and_then(|place| self.0.get_mut(place)) {
            Some(old) if !field.value.is_empty() => *old = field,
            _ => return self.push(field),
        }
        let mut seen = 0_usize;
        let name = self.0.get(place.unwrap_or_default()).map(|field| field.name.clone()).unwrap_or_default();
        self.0.retain(|field| {
            seen = seen.saturating_add(usize::from(field.is(&name)));
            !field.is(&name) || seen == 1
        });
    }

    /// Adds a field unless there is one of its name.
    pub fn add(&mut self, field: Field) {
        if !self.has(&field.name) {
            self.push(field);
        }
    }

    /// The header's lines, without the empty one that ends it.
    pub fn lines(&self) -> String {
        self.0.iter().flat_map(|Field { name, value }| [name, ": ", value, LINE_END]).collect()
    }
}

/// A field of free text, in encoded-words where it is not plain ASCII.
pub fn text(name: &str, text: &str) -> Field {
    let clean = clean(text);
    let words = if needs_encoding(&clean) { encoded_words(&clean) } else { words(&clean) };
    tokens(name, words)
}

/// A field of tokens with a space between them, folded at those spaces.
pub fn tokens(name: &str, tokens: impl IntoIterator<Item = String>) -> Field {
    let mut column = name.len().saturating_add(1);
    let mut value = String::new();
    for token in tokens {
        let end = column.saturating_add(1).saturating_add(token.len());
        if !value.is_empty() && end > LINE_WANTED {
            value.push_str(LINE_END);
            column = 0;
        }
        if !value.is_empty() {
            value.push(' ');
        }
        value.push_str(&token);
        column = column.saturating_add(1).saturating_add(token.len());
    }
    Field { name: name.to_owned(), value }
}

/// Text whose line breaks, tabs and NULs are spaces, without space at the ends.
pub fn clean(text: &str) -> String {
    let spaced: String = text.chars().map(|char| if breaks_lines(char) { ' ' } else { char }).collect();
    spaced.trim().to_owned()
}

/// What some reader takes for the end of a line or of a string.
fn breaks_lines(char: char) -> bool {
    matches!(char, '\0' | '\t'..='\r' | '\u{1c}'..='\u{1f}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether clean text cannot stand in a field as it is.
pub fn needs_encoding(text: &str) -> bool {
    !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || text.contains("=?") || text.split(' ').any(|word| word.len() > WORD_MAX)
}

/// The words of clean text; what are several spaces in it stays with the word behind them, so that no line is blank.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut spaces = String::new();
    for word in text.split(' ') {
        if word.is_empty() && spaces.len() < LINE_WANTED {
            spaces.push(' ');
        } else if !word.is_empty() {
            words.push(format!("{spaces}{word}"));
            spaces.clear();
        }
    }
    words
}

/// A phrase: a display name or a keyword, in atoms, quoted, or in encoded-words (RFC 5322 3.2.5).
pub fn phrase(text: &str) -> Vec<String> {
    let clean = clean(text);
    if clean.chars().count() > LINE_WANTED || needs_encoding(&clean) {
        return encoded_words(&clean);
    }
    if clean.bytes().all(|byte| byte == b' ' || is_atom(byte)) {
        return words(&clean);
    }
    words(&quoted(&clean))
}

/// Whether a byte may stand in an atom (RFC 5322 3.2.3).
pub fn is_atom(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

/// A quoted-string of clean ASCII text.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A file name as parameters may tell it: no path, no controls, not too long; its extension is kept.
pub fn file_name(name: &str) -> String {
    let plain: String =
        clean(name).chars().filter(|char| !char.is_control()).map(|char| if matches!(char, '/' | '\\') { '_' } else { char }).collect();
    if plain.chars().count() <= FILE_NAME_MAX {
        return plain;
    }
    let extension = plain.rsplit_once('.').map(|(_, extension)| extension).filter(|extension| extension.len() < 16).unwrap_or_default();
    let room = FILE_NAME_MAX.saturating_sub(extension.len()).saturating_sub(1);
    let stem: String = plain.chars().take(room).collect();
    if extension.is_empty() { stem } else { format!("{stem}.{extension}") }
}

/// `name=` for `Content-Type`: in encoded-words where it must be.
///
/// RFC 2047 5 forbids them there, and Python notes a defect; but Outlook names an attachment by them where it reads nothing
/// of RFC 2231, and Thunderbird writes the same pair. Who keeps to RFC 2231 takes the name from [`filename_parameter`].
pub fn name_parameter(name: &str) -> Vec<String> {
    if needs_encoding(name) { quote_words(encoded_words(name)) } else { vec![format!("name={}", quoted(name))] }
}

fn quote_words(words: Vec<String>) -> Vec<String> {
    let last = words.len().saturating_sub(1);
    let quote = |at: bool| if at { "\"" } else { "" };
    let begin = |at: bool| if at { "name=\"" } else { "" };
    words.iter().enumerate().map(|(number, word)| format!("{}{word}{}", begin(number == 0), quote(number == last))).collect()
}

/// `filename=` for `Content-Disposition`: as RFC 2231 has it where the name is not ASCII.
pub fn filename_parameter(name: &str) -> Vec<String> {
    if !needs_encoding(name) {
        return vec![format!("filename={}", quoted(name))];
    }
    let mut sections = vec!["utf-8''".to_owned()];
    for unit in percent_units(name) {
        match sections.last_mut() {
            Some(section) if section.len().saturating_add(unit.len()) <= SECTION_MAX => section.push_str(&unit),
            _ => sections.push(unit),
        }
    }
    match sections.as_slice() {
        [only] => vec![format!("filename*={only}")],
        _ => {
            let last = sections.len().saturating_sub(1);
            let end = |number: usize| if number == last { "" } else { ";" };
            sections.iter().enumerate().map(|(number, section)| format!("filename*{number}*={section}{}", end(number))).collect()
        }
    }
}

/// The time as `Date` tells it, in UTC.
pub fn date(time: FileTime) -> Option<String> {
    let (seconds, _) = time.unix()?;
    let time = Timestamp::from_second(seconds).ok()?;
    Some(time.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string())
}

/// The time that a `Date` field tells, in seconds since 1970.
pub fn parse_date(value: &str) -> Option<i64> {
    let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
    DateTimeParser::new().relaxed_weekday(true).parse_timestamp(value).ok().map(Timestamp::as_second)
}

/// Message ids out of a value: `<left@right>` with nothing in it that a header could not hold; others are left out.
pub fn message_ids(value: &str) -> Vec<String> {
    let fits = |id: &str| id.len() < WORD_MAX && !id.is_empty() && id.bytes().all(|byte| matches!(byte, b'!'..=b'~')) && !id.contains('<');
    if value.contains('<') {
        return value
            .split('>')
            .filter_map(|part| part.split_once('<'))
            .map(|(_, id)| id.trim())
            .filter(|id| fits(id))
            .map(bracketed)
            .collect();
    }
    Some(value.trim()).filter(|id| fits(id) && id.contains('@') && !id.contains('>')).map(bracketed).into_iter().collect()
}

fn bracketed(id: &str) -> String {
    format!("<{id}>")
}

/// Whether a line is short enough to go out as it is.
pub const fn fits_line(line: &str) -> bool {
    line.len() <= LINE_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::MessageParser;
    use proptest::prelude::*;

    fn header(field: Field) -> String {
        let mut fields = Fields::default();
        fields.push(field);
        fields.lines()
    }

    #[test]
    fn long_text_is_folded_at_spaces() {
        let lines = header(text("Subject", &"word ".repeat(100)));
        assert!(lines.lines().all(|line| line.len() <= LINE_WANTED));
        assert_eq!(lines.replace('\n', "").matches("word").count(), 100);
    }

    #[test]
    fn a_word_without_end_is_cut_into_encoded_words() {
        let lines = header(text("Subject", &"x".repeat(5000)));
        assert!(lines.lines().all(|line| line.len() <= 90));
        assert_eq!(MessageParser::default().parse(lines.as_bytes()).unwrap().subject(), Some("x".repeat(5000).as_str()));
    }

    #[test]
    fn a_line_break_injects_no_field() {
        let lines = header(text("Subject", "a\r\nBcc: eve@example.org\r\n\r\nbody\0"));
        assert_eq!(lines, "Subject: a  Bcc: eve@example.org    body\n");
    }

    #[test]
    fn a_time_is_told_in_utc() {
        assert_eq!(date(FileTime::from_unix(1_000_000_000).unwrap()).unwrap(), "Sun, 09 Sep 2001 01:46:40 +0000");
        assert_eq!(date(FileTime(1)).unwrap(), "Mon, 01 Jan 1601 00:00:00 +0000");
        assert_eq!(date(FileTime(0)), None);
    }

    #[test]
    fn dates_are_read_as_mail_has_them() {
        for value in ["Sun, 09 Sep 2001 03:46:40 +0200", "9 Sep 2001 01:46:40 GMT", "Mon, 09 Sep 2001 01:46:40 +0000 (UTC)"] {
            assert_eq!(parse_date(value), Some(1_000_000_000), "{value}");
        }
        assert_eq!(parse_date("yesterday"), None);
    }

    #[test]
    fn message_ids_are_picked_out_of_rubble() {
        assert_eq!(message_ids("<a@b> junk\r\n <c@d>"), ["<a@b>", "<c@d>"]);
        assert_eq!(message_ids("a@b"), ["<a@b>"]);
        assert!(message_ids("a b").is_empty());
        assert!(message_ids("<>").is_empty());
    }

    #[test]
    fn a_file_name_keeps_its_extension_and_no_path() {
        assert_eq!(file_name("../../etc/pass\nwd"), ".._.._etc_pass wd");
        let long = file_name(&format!("{}.docx", "x".repeat(999)));
        assert_eq!((long.len(), long.ends_with(".docx")), (255, true));
    }

    #[test]
    fn a_field_takes_the_place_of_all_of_its_name() {
        let mut fields = Fields::default();
        for (name, value) in [("To", "a"), ("X", "b"), ("to", "c")] {
            fields.push(text(name, value));
        }
        fields.set(text("To", "d"));
        assert_eq!(fields.lines(), "To: d\nX: b\n");
    }

    proptest! {
        #[test]
        fn a_file_name_comes_back(name in "[a-zA-Z0-9 äß日\u{1F600}\"();%'._-]{1,120}") {
            let name = file_name(&name);
            prop_assume!(!name.is_empty());
            let mut tokens = vec!["attachment;".to_owned()];
            tokens.extend(filename_parameter(&name));
            let lines = header(super::tokens("Content-Disposition", tokens));
            prop_assert!(lines.lines().all(|line| line.len() <= LINE_WANTED || line.is_ascii() && line.len() < 280));
            let mail = MessageParser::default().parse(lines.as_bytes()).unwrap();
            let parsed = mail.parts[0].headers[0].value.as_content_type().unwrap().attribute("filename").unwrap_or_default().to_owned();
            prop_assert_eq!(parsed, name);
        }

        #[test]
        fn no_text_breaks_out_of_its_field(value in "\\PC{0,80}[\0-\x1f]{0,9}.{0,80}") {
            let lines = header(text("Subject", &value));
            prop_assert!(lines.is_ascii());
            prop_assert!(lines.split('\n').skip(1).all(|line| line.is_empty() || line.starts_with(' ') && !line.trim().is_empty()));
            prop_assert!(lines.split('\n').all(|line| line.len() <= LINE_MAX));
        }
    }
}
