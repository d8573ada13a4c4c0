//! How bytes and text become lines of mail: base64, quoted-printable, encoded-words.
//!
//! Pure functions. mail-builder has such encoders too, but keeps them to itself and writes CRLF.

/// How a line ends in a document. LF, as in Maildir and mbox on Unix: what `grep`, `less` and editors expect here.
pub const LINE_END: &str = "\n";

/// The longest line that mail may have, its end not counted (RFC 5322 2.1.1).
pub const LINE_MAX: usize = 998;

/// How many bytes a full line of base64 stands for: 76 characters (RFC 2045 6.8).
pub const BASE64_LINE_SOURCE: u64 = 57;

/// Characters of a full line of base64.
const BASE64_LINE: u64 = 76;

/// The longest line of quoted-printable, the `=` of a soft break included (RFC 2045 6.7).
const QUOTED_LINE_MAX: usize = 76;

/// No boundary of ours is without this, and no encoded text can hold it: `=` is followed by hex digits or a line end.
pub const BOUNDARY_MARK: &str = "=_pstfs_";

/// Room for text in an encoded-word of 75 characters (RFC 2047 2): without `=?utf-8?B?` and `?=`.
const WORD_ROOM: usize = 63;

/// How a text part is carried ([RFC 2045] 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// ASCII in short lines.
    SevenBit,
    /// UTF-8 in short lines.
    EightBit,
    /// What does not fit into lines.
    QuotedPrintable,
}

impl Transfer {
    /// The least encoding that carries the text as it is.
    pub fn of(text: &str) -> Self {
        if !fits_lines(text.as_bytes()) {
            Self::QuotedPrintable
        } else if text.is_ascii() {
            Self::SevenBit
        } else {
            Self::EightBit
        }
    }

    /// The value of `Content-Transfer-Encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::EightBit => "8bit",
            Self::QuotedPrintable => "quoted-printable",
        }
    }

    /// The text, carried so.
    pub fn apply(self, text: String) -> Vec<u8> {
        match self {
            Self::SevenBit | Self::EightBit => text.into_bytes(),
            Self::QuotedPrintable => quoted_printable(&text),
        }
    }
}

/// Whether bytes can stand in mail as they are: short lines, no NUL, no bare CR, nothing that looks like our boundary.
pub fn fits_lines(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').all(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let boundary = line.strip_prefix(b"--").is_some_and(|rest| rest.starts_with(BOUNDARY_MARK.as_bytes()));
        line.len() <= LINE_MAX && !boundary && !line.iter().any(|byte| matches!(byte, 0 | b'\r'))
    })
}

/// Text with LF at the end of each line, whatever stood there.
pub fn with_line_ends(text: &str) -> String {
    text.replace("\r\n", LINE_END).replace('\r', LINE_END)
}

/// Base64 without line breaks.
pub fn base64(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    base64_to(&mut text, bytes);
    text.into_iter().map(char::from).collect()
}

fn base64_to(text: &mut Vec<u8>, bytes: &[u8]) {
    let (groups, rest) = bytes.as_chunks::<3>();
    for group in groups {
        text.extend_from_slice(&quad(*group));
    }
    match rest {
        [a] => text.extend(quad([*a, 0, 0]).into_iter().take(2).chain(*b"==")),
        [a, b] => text.extend(quad([*a, *b, 0]).into_iter().take(3).chain(*b"=")),
        _ => {}
    }
}

fn quad([a, b, c]: [u8; 3]) -> [u8; 4] {
    [a >> 2, (a << 4) | (b >> 4), (b << 2) | (c >> 6), c].map(digit)
}

fn digit(six: u8) -> u8 {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    ALPHABET.get(usize::from(six & 63)).copied().unwrap_or(b'A')
}

/// Base64 in lines of 76 characters, each with its end.
pub fn base64_lines(bytes: &[u8]) -> Vec<u8> {
    let (lines, rest) = bytes.as_chunks::<57>();
    let mut text = Vec::new();
    for line in lines.iter().map(<[u8; 57]>::as_slice).chain((!rest.is_empty()).then_some(rest)) {
        base64_to(&mut text, line);
        text.extend_from_slice(LINE_END.as_bytes());
    }
    text
}

/// The length of [`base64_lines`] for so many bytes.
pub fn base64_lines_len(bytes: u64) -> u64 {
    let digits = bytes.div_ceil(3).saturating_mul(4);
    digits.saturating_add(bytes.div_ceil(BASE64_LINE_SOURCE).saturating_mul(line_end_len()))
}

/// The length of a full line of base64 with its end.
pub fn base64_line_len() -> u64 {
    BASE64_LINE.saturating_add(line_end_len())
}

fn line_end_len() -> u64 {
    u64::try_from(LINE_END.len()).unwrap_or(1)
}

/// Quoted-printable (RFC 2045 6.7). Soft breaks follow a space where there is one, so that a search finds whole words.
pub fn quoted_printable(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            out.extend_from_slice(LINE_END.as_bytes());
        }
        quoted_line(line.as_bytes(), &mut out);
    }
    out
}

fn quoted_line(line: &[u8], out: &mut Vec<u8>) {
    // The room that a unit must leave: a soft break follows, unless it is the line's last.
    let room = QUOTED_LINE_MAX.saturating_sub(1);
    let mut current: Vec<u8> = Vec::new();
    let mut after_space = 0_usize;
    let mut units = line.iter().peekable();
    while let Some(byte) = units.next() {
        let unit = quoted_unit(*byte, units.peek().is_none());
        if current.len().saturating_add(unit.len()) > room {
            let tail = current.get(after_space..).filter(|tail| after_space > 0 && tail.len().saturating_add(unit.len()) <= room);
            let tail = tail.unwrap_or_default().to_vec();
            current.truncate(current.len().saturating_sub(tail.len()));
            out.append(&mut current);
            out.extend_from_slice(b"=");
            out.extend_from_slice(LINE_END.as_bytes());
            current = tail;
            after_space = 0;
        }
        current.extend_from_slice(unit.as_bytes());
        if *byte == b' ' {
            after_space = current.len();
        }
    }
    out.append(&mut current);
}

fn quoted_unit(byte: u8, last: bool) -> String {
    match byte {
        b' ' | b'\t' if !last => char::from(byte).to_string(),
        b'!'..=b'<' | b'>'..=b'~' => char::from(byte).to_string(),
        _ => format!("={byte:02X}"),
    }
}

/// Encoded-words for text, in UTF-8, each of at most 75 characters (RFC 2047 2); no character is split.
pub fn encoded_words(text: &str) -> Vec<String> {
    let quoted: usize = text.bytes().map(|byte| word_unit(byte).len()).fold(0, usize::saturating_add);
    // Latin text stays legible in Q; other scripts are shorter in B.
    let by_base64 = quoted > text.len().saturating_mul(2);
    let mut words = Vec::new();
    let mut current = String::new();
    let mut taken = 0_usize;
    for char in text.chars() {
        let cost = if by_base64 { char.len_utf8() } else { word_len(char) };
        let room = if by_base64 { WORD_ROOM.saturating_sub(3).saturating_mul(3).div_euclid(4) } else { WORD_ROOM };
        if taken.saturating_add(cost) > room {
            words.push(word(&current, by_base64));
            current.clear();
            taken = 0;
        }
        current.push(char);
        taken = taken.saturating_add(cost);
    }
    if !current.is_empty() {
        words.push(word(&current, by_base64));
    }
    words
}

fn word(text: &str, by_base64: bool) -> String {
    if by_base64 {
        format!("=?utf-8?B?{}?=", base64(text.as_bytes()))
    } else {
        let quoted: String = text.bytes().map(word_unit).collect();
        format!("=?utf-8?Q?{quoted}?=")
    }
}

fn word_len(char: char) -> usize {
    char.encode_utf8(&mut [0; 4]).bytes().map(|byte| word_unit(byte).len()).fold(0, usize::saturating_add)
}

/// A byte of a Q word, so that the word may stand in a phrase too (RFC 2047 5 (3)).
fn word_unit(byte: u8) -> String {
    match byte {
        b' ' => "_".to_owned(),
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'!' | b'*' | b'+' | b'-' | b'/' => char::from(byte).to_string(),
        _ => format!("={byte:02X}"),
    }
}

/// Percent-encoding of all but the characters that a parameter's value may have (RFC 2231 7), a unit for each character.
pub fn percent_units(text: &str) -> Vec<String> {
    text.chars()
        .map(|char| match char {
            '0'..='9' | 'A'..='Z' | 'a'..='z' | '!' | '#' | '$' | '&' | '+' | '-' | '.' | '^' | '_' | '`' | '{' | '|' | '}' | '~' => {
                char.to_string()
            }
            _ => char.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("%{byte:02X}")).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn base64_pads_as_rfc_4648_shows() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_soft_break_leaves_words_whole() {
        let text = "searchable ".repeat(200);
        let quoted = String::from_utf8(quoted_printable(&text)).unwrap();
        assert_eq!(quoted.matches("searchable").count(), 200);
    }

    #[test]
    fn what_looks_like_our_boundary_is_quoted() {
        let text = "a\n--=_pstfs_0m_x\nb";
        assert_eq!(Transfer::of(text), Transfer::QuotedPrintable);
        assert!(!String::from_utf8(quoted_printable(text)).unwrap().contains(BOUNDARY_MARK));
    }

    #[test]
    fn text_is_carried_as_it_is_where_its_lines_allow() {
        assert_eq!(Transfer::of("plain\n"), Transfer::SevenBit);
        assert_eq!(Transfer::of("grün\n"), Transfer::EightBit);
        assert_eq!(Transfer::of(&"x".repeat(998)), Transfer::SevenBit);
        assert_eq!(Transfer::of(&"x".repeat(999)), Transfer::QuotedPrintable);
        assert_eq!(Transfer::of("a\0b"), Transfer::QuotedPrintable);
        assert_eq!(Transfer::of("a\rb"), Transfer::QuotedPrintable);
    }

    fn decoded(bytes: &[u8], encoding: &str) -> String {
        let mail =
            [format!("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n").as_bytes(), bytes].concat();
        mail_parser::MessageParser::default().parse(&mail).unwrap().body_text(0).unwrap_or_default().into_owned()
    }

    proptest! {
        #[test]
        fn quoted_printable_gives_back_the_text_in_short_lines(text in "[ -~äß€\u{1F600}\t\n\0=.]{0,400}") {
            let quoted = quoted_printable(&text);
            prop_assert!(quoted.split(|byte| *byte == b'\n').all(|line| line.len() <= 76));
            prop_assert!(!quoted.windows(2).any(|pair| pair == b" \n" || pair == b"\t\n"));
            prop_assert_eq!(decoded(&quoted, "quoted-printable"), text);
        }

        #[test]
        fn base64_has_the_length_that_was_told(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            prop_assert_eq!(base64_lines_len(bytes.len() as u64), base64_lines(&bytes).len() as u64);
        }

        #[test]
        fn encoded_words_give_back_the_text(text in "[ -~äß€日\u{1F600}\u{1}]{1,200}") {
            let words = encoded_words(&text);
            prop_assert!(words.iter().all(|word| word.len() <= 75 && word.is_ascii()));
            let mail = format!("Subject: {}\n\n", words.join("\n "));
            let parsed = mail_parser::MessageParser::default().parse(mail.as_bytes()).unwrap().subject().unwrap_or_default().to_owned();
            prop_assert_eq!(parsed.trim(), text.trim());
        }
    }
}
