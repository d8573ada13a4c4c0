//! Bodies in Rich Text Format: from compressed bytes to HTML or text.
//!
//! Outlook stores an RTF body compressed ([MS-OXRTFCP]); [`decompress`] gives its bytes. What those say is one of three:
//! HTML that was wrapped in RTF so that both can be had from it, text that was wrapped the same way ([MS-OXRTFEX]), or
//! RTF that somebody wrote; [`read`] tells which, and gives HTML or text. RTF that somebody wrote stays RTF, beside its
//! text: rtf-parser and its kin know styles, but neither tables, lists, fields nor code pages of fonts, so that HTML made
//! with them would lose what the text keeps.
//!
//! `lzfu` reads the header of a compressed body, `expand` what follows it.
//! `token` cuts RTF into tokens, `words` knows what control words mean, `reader` follows groups and destinations, `fonts`
//! knows the code page of a font, `output` collects text. All of it is linear in the input, keeps no more than
//! [`GROUPS_MAX`] groups, and takes any bytes: what is no RTF is left out, what follows is still read.

mod expand;
mod fonts;
mod lzfu;
mod output;
mod reader;
mod token;
mod words;

pub use expand::DECOMPRESSED_MAX;
pub use lzfu::{Decompressed, Flaw, decompress};
pub use reader::GROUPS_MAX;

use token::{Token, Tokens};

/// What an RTF body says. Lines end in CR LF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// HTML that was wrapped in RTF, as it was before. A `charset` in its `meta` is that of the sender's bytes and no
    /// longer true: this is Unicode.
    Html(String),
    /// Text.
    Text {
        /// The text, formatting left out.
        text: String,
        /// Whether it was text before it became RTF. If not, the RTF says more than the text: fonts, colours, pictures.
        encapsulated: bool,
    },
}

/// What the document was before it became RTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Html,
    Text,
    Rtf,
}

/// How far the header is searched for the words that tell an encapsulation.
///
/// [MS-OXRTFEX] 2.2.3.1 says 10 tokens, and that writers put the word there. A few more cost nothing: the search ends at
/// the first text or inner group anyway.
const HEADER_TOKENS_MAX: usize = 24;

/// Reads decompressed RTF.
pub fn read(rtf: &[u8]) -> Body {
    let origin = origin(rtf);
    let text = reader::read(rtf, origin);
    match origin {
        Origin::Html => Body::Html(text),
        Origin::Text => Body::Text { text, encapsulated: true },
        Origin::Rtf => Body::Text { text, encapsulated: false },
    }
}

/// Recognizes encapsulated content ([MS-OXRTFEX] 2.2.3.1).
fn origin(rtf: &[u8]) -> Origin {
    let mut open = false;
    for token in Tokens::new(rtf).take(HEADER_TOKENS_MAX) {
        match token {
            Token::Word(b"fromhtml", Some(1..) | None) => return Origin::Html,
            Token::Word(b"fromtext", _) => return Origin::Text,
            Token::Open if !open => open = true,
            Token::Open | Token::Close | Token::Hex(_) => break,
            Token::Text(text) if !text.trim_ascii().is_empty() => break,
            Token::Text(_) | Token::Word(..) | Token::Symbol(_) | Token::Binary => {}
        }
    }
    Origin::Rtf
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(super) fn html(rtf: &[u8]) -> String {
        match read(rtf) {
            Body::Html(html) => html,
            Body::Text { text, .. } => panic!("text, not HTML: {text}"),
        }
    }

    pub(super) fn plain(rtf: &[u8]) -> String {
        match read(rtf) {
            Body::Text { text, encapsulated: false } => text,
            other => panic!("not ordinary RTF: {other:?}"),
        }
    }

    #[test]
    fn the_header_tells_what_the_document_was() {
        assert_eq!(origin(br"{\rtf1\ansi\ansicpg1252\fromhtml1 \deff0 x}"), Origin::Html);
        assert_eq!(origin(br"{\rtf1\ansi\fbidis\ansicpg1252\deff0\deftab720\fromtext x}"), Origin::Text);
        assert_eq!(origin(br"{\rtf1\ansi\fromhtml0 x}"), Origin::Rtf);
        assert_eq!(origin(br"{\rtf1\ansi text\fromhtml1 }"), Origin::Rtf);
        assert_eq!(origin(br"{\rtf1{\fonttbl}\fromhtml1 }"), Origin::Rtf);
        assert_eq!(origin(b"\r\n\0 {\\rtf1\\fromtext x}"), Origin::Text);
        assert_eq!(origin(b""), Origin::Rtf);
    }

    #[test]
    fn wrapped_text_is_given_back_line_by_line() {
        let rtf = b"{\\rtf1\\ansi\\ansicpg1252\\fromtext \\fbidis\\deff0{\\fonttbl{\\f0\\fswiss\\fcharset0 Arial;}}\r\n\\uc1\\pard\\plain\\deftab360 \\f0\\fs20 Dear M\\'fcller,\\par\r\n\\par\r\n\\tab\\{see\\} C:\\\\x \\u8364?5\\line bye}";
        let text = "Dear Müller,\r\n\r\n\t{see} C:\\x €5\r\nbye".to_owned();
        assert_eq!(read(rtf), Body::Text { text, encapsulated: true });
    }

    #[test]
    fn deep_and_endless_input_ends_and_gives_no_more_than_it_had() {
        let megabyte = 1 << 20;
        for piece in [
            "{",
            "}",
            "\\'",
            "{\\*",
            "\\",
            "{\\fonttbl",
            "\\u55357 ",
            "\\bin9 ",
            "{\\field{\\fldrslt a",
            "{\\field{\\*\\fldinst HYPERLINK x}{\\fldrslt a",
            "\\f1\\'81",
            "\\cell\\row",
        ] {
            for head in ["", "{\\rtf1\\fromhtml1 ", "{\\rtf1\\fromtext "] {
                let rtf = head.to_owned() + &piece.repeat(megabyte / piece.len());
                let (Body::Html(text) | Body::Text { text, .. }) = read(rtf.as_bytes());
                assert!(text.len() <= 2 * rtf.len(), "{piece}");
            }
        }
    }

    #[test]
    fn any_header_may_stand_before_any_bytes() {
        assert_eq!(read(b""), Body::Text { text: String::new(), encapsulated: false });
        assert_eq!(plain(b"no RTF at all"), "no RTF at all");
    }

    /// Pieces that mean something, so that random documents reach every branch.
    const PIECES: &[&str] = &[
        "{",
        "}",
        "\\*",
        "\\'8",
        "\\'82\\'a0",
        "\\u-10179?",
        "\\u-8704?",
        "\\uc0 ",
        "\\uc9 ",
        "\\htmlrtf ",
        "\\htmlrtf0 ",
        "{\\*\\htmltag64 <p>}",
        "{\\*\\mhtmltag1 x}",
        "\\f1 ",
        "\\f2 ",
        "{\\fonttbl{\\f1\\fcharset128 a;}{\\f2\\fcharset2 b;}}",
        "\\plain ",
        "\\par ",
        "\\cell ",
        "\\row ",
        "{\\pntext ",
        "{\\field",
        "{\\*\\fldinst x}",
        "{\\*\\fldinst HYPERLINK \"x\"}",
        "{\\*\\nesttableprops\\nestrow}",
        "{\\fldrslt ",
        "\\bin3 abc",
        "\\bin99999999999 ",
        "\\v ",
        "\\v0 ",
        "{\\object",
        "{\\result ",
        "\\ansicpg932 ",
        "\u{e9}",
        "\r\n",
        "a",
        "\\~",
    ];

    proptest! {
        #[test]
        fn no_bytes_panic(rtf in proptest::collection::vec(any::<u8>(), 0..400)) {
            read(&rtf);
        }

        #[test]
        fn no_change_of_a_sound_document_panics(edits in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8)) {
            let mut rtf = br"{\rtf1\ansi\ansicpg932\fromhtml1 \deff0{\fonttbl{\f0\fcharset128 a;}{\f1\fcharset2 b;}}\uc1\pard\plain{\*\htmltag64 <p>}\htmlrtf {\f1\htmlrtf0 \'93\'fa\u-10179?\u-8704?\htmlrtf }\htmlrtf0 {\field{\*\fldinst x}{\fldrslt y}}{\pict\bin2 ab}}".to_vec();
            for (at, byte) in edits {
                let at = at % rtf.len();
                rtf[at] = byte;
            }
            read(&rtf);
        }

        #[test]
        fn no_mixture_of_words_panics(head in 0..3_usize, pieces in proptest::collection::vec(0..PIECES.len(), 0..80)) {
            let mut rtf = ["{\\rtf1 ", "{\\rtf1\\fromhtml1 ", "{\\rtf1\\fromtext "][head].to_owned();
            rtf.extend(pieces.into_iter().map(|piece| PIECES[piece]));
            let (Body::Html(text) | Body::Text { text, .. }) = read(rtf.as_bytes());
            // Each token gives a few characters at most.
            prop_assert!(text.len() <= rtf.len() * 4);
        }
    }
}
