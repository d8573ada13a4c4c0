//! RTF cut into tokens.
//!
//! Any bytes are some tokens: what is broken is left out, and the next byte begins anew.

/// One token of RTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `{`.
    Open,
    /// `}`.
    Close,
    /// A control word and its number.
    Word(&'a [u8], Option<i32>),
    /// A backslash and what is no letter: `\~`, `\*`, `\{`.
    Symbol(u8),
    /// `\'xx`: a byte in hex.
    Hex(u8),
    /// Bytes as they are. Line ends are no part of them: RTF has them anywhere.
    Text(&'a [u8]),
    /// `\bin` with the bytes it skips.
    Binary,
}

/// The tokens of a document, in order.
#[derive(Clone, Debug)]
pub(super) struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    pub(super) const fn new(rtf: &'a [u8]) -> Self {
        Self { rest: rtf }
    }

    /// Takes the first `len` bytes.
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (head, tail) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        self.rest = tail;
        head
    }

    /// Takes bytes as long as they are of a kind.
    fn take_while(&mut self, mut of_kind: impl FnMut(u8) -> bool) -> &'a [u8] {
        let len = self.rest.iter().take_while(|byte| of_kind(**byte)).count();
        self.take(len)
    }

    /// What follows a backslash, or `None` where that is nothing.
    fn control(&mut self) -> Option<Token<'a>> {
        let first = *self.rest.first()?;
        if first.is_ascii_alphabetic() {
            return Some(self.word());
        }
        self.take(1);
        match first {
            b'\'' => self.hex(),
            // A backslash at the end of a line is a `\par`, before a tab a `\tab`.
            b'\n' | b'\r' => Some(Token::Word(b"par", None)),
            b'\t' => Some(Token::Word(b"tab", None)),
            symbol => Some(Token::Symbol(symbol)),
        }
    }

    fn word(&mut self) -> Token<'a> {
        let name = self.take_while(|byte| byte.is_ascii_alphabetic());
        let number = self.number();
        // One blank ends the word and is no text.
        if self.rest.first() == Some(&b' ') {
            self.take(1);
        }
        match (name, number) {
            (b"bin", Some(len)) => {
                // A length past the end is a lie: the bytes are read as RTF rather than lost.
                if let Some(tail) = usize::try_from(len).ok().and_then(|len| self.rest.get(len..)) {
                    self.rest = tail;
                }
                Token::Binary
            }
            (name, number) => Token::Word(name, number),
        }
    }

    fn number(&mut self) -> Option<i32> {
        let digits_at = usize::from(self.rest.first() == Some(&b'-'));
        let is_number = self.rest.get(digits_at).is_some_and(u8::is_ascii_digit);
        if !is_number {
            return None;
        }
        let negative = !self.take(digits_at).is_empty();
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        let value = digits.iter().fold(0_i32, |value, digit| value.saturating_mul(10).saturating_add(i32::from(digit & 0x0f)));
        Some(if negative { value.saturating_neg() } else { value })
    }

    /// The byte of `\'xx`; one that is not in hex is left out.
    fn hex(&mut self) -> Option<Token<'a>> {
        let digits = self.rest.get(..2)?;
        let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let byte = u8::from_str_radix(text, 16).ok()?;
        self.take(2);
        Some(Token::Hex(byte))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            match *self.rest.first()? {
                b'{' => {
                    self.take(1);
                    return Some(Token::Open);
                }
                b'}' => {
                    self.take(1);
                    return Some(Token::Close);
                }
                b'\\' => {
                    self.take(1);
                    if let Some(token) = self.control() {
                        return Some(token);
                    }
                }
                b'\r' | b'\n' | 0 => {
                    self.take_while(|byte| matches!(byte, b'\r' | b'\n' | 0));
                }
                _ => return Some(Token::Text(self.take_while(|byte| !matches!(byte, b'{' | b'}' | b'\\' | b'\r' | b'\n' | 0)))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(rtf: &[u8]) -> Vec<Token<'_>> {
        Tokens::new(rtf).collect()
    }

    #[test]
    fn a_document_is_cut_as_the_specification_says() {
        assert_eq!(
            tokens(b"{\\rtf1\\b  x\\~\\'e9\r\ny\\u-3 ?}"),
            [
                Token::Open,
                Token::Word(b"rtf", Some(1)),
                Token::Word(b"b", None),
                Token::Text(b" x"),
                Token::Symbol(b'~'),
                Token::Hex(0xe9),
                Token::Text(b"y"),
                Token::Word(b"u", Some(-3)),
                Token::Text(b"?"),
                Token::Close,
            ]
        );
    }

    #[test]
    fn a_hyphen_is_a_number_only_before_a_digit() {
        assert_eq!(tokens(b"\\b-x"), [Token::Word(b"b", None), Token::Text(b"-x")]);
        assert_eq!(tokens(b"\\b-"), [Token::Word(b"b", None), Token::Text(b"-")]);
    }

    #[test]
    fn a_number_past_all_bounds_is_the_largest() {
        assert_eq!(tokens(b"\\u99999999999999999999 "), [Token::Word(b"u", Some(i32::MAX))]);
    }

    #[test]
    fn binary_bytes_are_skipped_unless_their_length_is_a_lie() {
        assert_eq!(tokens(b"\\bin3 {{{a"), [Token::Binary, Token::Text(b"a")]);
        assert_eq!(tokens(b"\\bin300 a}"), [Token::Binary, Token::Text(b"a"), Token::Close]);
        assert_eq!(tokens(b"\\bin-1 a"), [Token::Binary, Token::Text(b"a")]);
    }

    #[test]
    fn a_backslash_before_a_line_end_is_a_paragraph() {
        assert_eq!(tokens(b"a\\\r\nb"), [Token::Text(b"a"), Token::Word(b"par", None), Token::Text(b"b")]);
    }

    #[test]
    fn broken_escapes_are_left_out() {
        assert_eq!(tokens(b"\\'zz\\'+1"), [Token::Text(b"zz"), Token::Text(b"+1")]);
        assert_eq!(tokens(b"a\\'4"), [Token::Text(b"a"), Token::Text(b"4")]);
        assert_eq!(tokens(b"a\\"), [Token::Text(b"a")]);
    }
}
