//! Follows the groups of RTF and gives the text that they show.

use super::Origin;
use super::fonts::{Fonts, SYMBOL};
use super::output::Output;
use super::token::{Token, Tokens};
use super::words::{self, Destination};

/// The most groups inside each other that are told apart; deeper ones count as part of the last.
///
/// Word nests about ten; tables in tables and quoted mails a few dozen.
pub const GROUPS_MAX: usize = 1024;

/// What a group inherits from the one around it, and what ends with it.
#[derive(Clone, Copy, Debug)]
struct Group {
    destination: Destination,
    font: Option<i32>,
    /// How many characters after a `\u` stand for the same character: `\uc`.
    fallback: u32,
    /// Between `\htmlrtf` and `\htmlrtf0`: RTF that the HTML does not have.
    rtf_only: bool,
    /// Hidden or deleted text.
    hidden: bool,
}

struct Reader {
    origin: Origin,
    fonts: Fonts,
    output: Output,
    group: Group,
    outer: Vec<Group>,
    /// Groups past [`GROUPS_MAX`] that are open.
    flattened: usize,
    /// The last token was `\*`: a word that is not known opens a group to skip.
    starred: bool,
    /// How many characters are still to be skipped after a `\u`.
    skip: u32,
}

/// The text of a document: its HTML where it was HTML ([MS-OXRTFEX] 2.2.3.2), else what it shows (2.2.3.3).
pub(super) fn read(rtf: &[u8], origin: Origin) -> String {
    let group = Group { destination: Destination::Body, font: None, fallback: 1, rtf_only: false, hidden: false };
    let (fonts, output) = (Fonts::default(), Output::default());
    let mut reader = Reader { origin, fonts, output, group, outer: Vec::new(), flattened: 0, starred: false, skip: 0 };
    for token in Tokens::new(rtf) {
        reader.token(token);
    }
    reader.output.finish()
}

impl Reader {
    fn token(&mut self, token: Token<'_>) {
        let starred = std::mem::take(&mut self.starred);
        match token {
            Token::Open => self.open(),
            Token::Close => self.close(),
            Token::Text(bytes) => {
                let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
                self.skip = self.skip.saturating_sub(u32::try_from(skipped).unwrap_or(u32::MAX));
                self.bytes(bytes.get(skipped..).unwrap_or_default());
            }
            // A `\u` never stands for another one: here the writer forgot what should have followed the first.
            Token::Word(word @ (b"u" | b"uc"), number) => self.word(word, number, starred),
            _ if self.skip > 0 => self.skip = self.skip.saturating_sub(1),
            Token::Hex(byte) => self.bytes(&[byte]),
            Token::Symbol(symbol) => self.symbol(symbol),
            Token::Word(word, number) => self.word(word, number, starred),
            Token::Binary => {}
        }
    }

    fn open(&mut self) {
        self.skip = 0;
        if self.outer.len() < GROUPS_MAX {
            self.outer.push(self.group);
        } else {
            self.flattened = self.flattened.saturating_add(1);
        }
    }

    /// Ends a group. One too many ends nothing: a lost brace shall not lose what follows.
    fn close(&mut self) {
        self.skip = 0;
        match self.flattened.checked_sub(1) {
            Some(left) => self.flattened = left,
            None => self.group = self.outer.pop().unwrap_or(self.group),
        }
    }

    fn symbol(&mut self, symbol: u8) {
        match symbol {
            b'*' => self.starred = true,
            // As a byte: it may be the second one of a character.
            b'{' | b'}' | b'\\' => self.bytes(&[symbol]),
            _ => {
                if let Some(text) = words::symbol(symbol, self.origin) {
                    self.text(text);
                }
            }
        }
    }

    fn word(&mut self, word: &[u8], number: Option<i32>, starred: bool) {
        if self.group.destination == Destination::Skip {
            return;
        }
        if let Some(destination) = words::destination(word, self.origin) {
            self.group.destination = destination;
            return;
        }
        if starred {
            self.group.destination = Destination::Skip;
            return;
        }
        if self.group.destination == Destination::Fonts {
            self.fonts.describe(word, number);
            return;
        }
        let on = number != Some(0);
        match word {
            b"u" => self.unicode(number.unwrap_or_default()),
            b"uc" => self.group.fallback = number.and_then(|count| u32::try_from(count).ok()).unwrap_or(1),
            b"f" => self.group.font = number,
            // Character formatting only: `\pard` is about the paragraph, and writers rely on the font staying.
            b"plain" => {
                self.group.font = None;
                self.group.hidden = false;
            }
            // Ends with its group as bold does ([MS-OXRTFEX] 2.1.3.1.3).
            b"htmlrtf" => self.group.rtf_only = on,
            b"v" | b"deleted" => self.group.hidden = on,
            b"row" | b"nestrow" if self.shows() && self.origin != Origin::Html => self.output.end_row(),
            b"mac" | b"pc" | b"pca" | b"ansicpg" | b"deff" => self.fonts.header(word, number),
            _ => {
                if let Some(text) = words::text(word) {
                    self.text(text);
                }
            }
        }
    }

    fn unicode(&mut self, number: i32) {
        self.skip = self.group.fallback;
        if !self.shows() {
            return;
        }
        // Word puts the signs of symbol fonts at U+F020 and up, where no other font has anything.
        let sign = number & 0xffff;
        match (self.fonts.page(self.group.font), self.group.destination) {
            (SYMBOL, Destination::Bullet) => self.output.bullet(1),
            (SYMBOL, _) if (0xf020..=0xf0ff).contains(&sign) => self.output.unicode(sign & 0xff),
            _ => self.output.unicode(number),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if !self.shows() || bytes.is_empty() {
            return;
        }
        match (self.group.destination, self.fonts.page(self.group.font)) {
            // Markup is in the page of the document: fonts are switched in RTF that the HTML does not have, around the
            // markup and without regard to it.
            (Destination::Markup, _) => self.output.bytes(self.fonts.document(), bytes),
            (Destination::Bullet, SYMBOL) => self.output.bullet(bytes.len()),
            (_, page) => self.output.bytes(page, bytes),
        }
    }

    fn text(&mut self, text: &str) {
        if self.shows() {
            self.output.text(text);
        }
    }

    /// Whether text at this place is part of the result.
    fn shows(&self) -> bool {
        let shown = match self.group.destination {
            Destination::Body | Destination::Bullet | Destination::Markup => true,
            Destination::Fonts | Destination::Hush | Destination::Skip => false,
        };
        shown && !(self.group.rtf_only && self.origin == Origin::Html) && !(self.group.hidden && self.origin != Origin::Html)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{html, plain};

    fn wrapped(body: &str) -> String {
        let head = r"{\rtf1\ansi\ansicpg1252\fromhtml1 \deff0{\fonttbl{\f0\fswiss Arial;}{\f1\fcharset128 MS Gothic;}{\f2\fcharset2 Symbol;}{\f3\fcharset204 x;}}{\colortbl;\red0\green0\blue0;}\uc1\pard\plain\f0 ";
        html(format!("{head}{body}}}").as_bytes())
    }

    fn written(body: &str) -> String {
        let head = r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fswiss\fcharset0 Arial;}{\f1\fcharset128 MS Gothic;}{\f2\fcharset2 Symbol;}}{\info{\author Me}}{\stylesheet{\s0 Normal;}}\uc1\pard ";
        plain(format!("{head}{body}}}").as_bytes())
    }

    #[test]
    fn html_is_tags_and_text_without_what_only_rtf_has() {
        let body = "{\\*\\htmltag64 <p class=\"a\">}\\htmlrtf {\\b \\htmlrtf0 Hi\r\n{\\*\\htmltag84 &amp;}\\htmlrtf &\\htmlrtf0 \\htmlrtf }\\htmlrtf0 {\\*\\htmltag72 </p>\\par\\par}{\\*\\mhtmltag64 <x>}";
        assert_eq!(wrapped(body), "<p class=\"a\">Hi&amp;</p>\r\n\r\n");
    }

    #[test]
    fn braces_and_backslashes_in_tags_are_unescaped() {
        assert_eq!(wrapped(r"{\*\htmltag241 <style>\par p \{ a:b \}\tab c:\\d</style>}"), "<style>\r\np { a:b }\tc:\\d</style>");
    }

    #[test]
    fn the_suppression_ends_with_its_group() {
        assert_eq!(wrapped(r"a{\htmlrtf b{c}}d"), "ad");
        assert_eq!(wrapped(r"\htmlrtf {\htmlrtf0 a}b\htmlrtf0 c"), "ac");
    }

    #[test]
    fn text_is_in_the_page_of_its_font() {
        assert_eq!(wrapped(r"\'e9{\f1 \'93\'fa\'96{}\{}{\f3 \'cc\'e8\'f0}\'e9"), "é日本Мирé");
        assert_eq!(wrapped("{\\f1 \\'93\r\n\\'fa\\'83\\\\}"), "日ソ");
    }

    #[test]
    fn a_font_chosen_in_suppressed_rtf_counts() {
        assert_eq!(wrapped(r"\htmlrtf {\f1\htmlrtf0 \'93\'fa\htmlrtf }\htmlrtf0 \'e9"), "日é");
    }

    #[test]
    fn tags_are_in_the_page_of_the_document() {
        assert_eq!(wrapped(r"{\f1 {\*\htmltag64 <p title='\'e9'>}\'93\'fa}"), "<p title='é'>日");
    }

    #[test]
    fn unicode_skips_what_stands_for_it() {
        assert_eq!(wrapped(r"\u8364?5\u8364\'805\uc2\u26085\'93\'fa!"), "€5€5日!");
        assert_eq!(wrapped(r"\uc0\u8364 5{\uc3\u8364 abcd}\u8364 e"), "€5€d€e");
        assert_eq!(wrapped(r"\u8364\~x"), "€x");
        assert_eq!(wrapped(r"{\u8364}x\u8364\u8364?y"), "€x€€y");
    }

    #[test]
    fn surrogate_pairs_are_one_character() {
        assert_eq!(wrapped(r"\u-10179?\u-8704?!\u55357\'3f\u56832\'3f"), "😀!😀");
        assert_eq!(wrapped(r"\u-10179?x"), "\u{fffd}x");
    }

    #[test]
    fn symbols_of_typography() {
        assert_eq!(wrapped(r"\lquote a\rquote\ldblquote b\rdblquote\bullet\endash\emdash\~\_\-\tab x"), "‘a’“b”•–—\u{a0}\u{ad}\u{ad}\tx");
        assert_eq!(written(r"a\_b"), "a\u{2011}b");
    }

    #[test]
    fn a_symbol_font_keeps_the_sign_of_the_html() {
        assert_eq!(wrapped(r"{\f2 \'b7}{\pntext\f2 \'b7\tab}"), "·");
    }

    #[test]
    fn rtf_shows_its_paragraphs() {
        assert_eq!(
            written(r"One\par Two\line three\tab x\par{\*\unknown hidden {deep} text}{\header H}{\footnote f}{\v v}end"),
            "One\r\nTwo\r\nthree\tx\r\nend"
        );
    }

    #[test]
    fn rows_of_tables_are_lines_and_cells_are_tabbed() {
        assert_eq!(written(r"\trowd\intbl a\cell b\cell\row\trowd\intbl c\cell{d}\cell\row after"), "a\tb\r\nc\td\r\nafter");
    }

    #[test]
    fn a_field_shows_its_result() {
        assert_eq!(written(r#"see {\field{\*\fldinst{HYPERLINK "http://x"}}{\fldrslt{\ul here}}}."#), "see here.");
    }

    #[test]
    fn lists_keep_their_signs() {
        assert_eq!(written(r"{\pntext\f2\'B7\tab}{\*\pn\pnlvlblt{\pntxtb\'B7}}one\par{\listtext\f0 2.\tab}two"), "•\tone\r\n2.\ttwo");
        assert_eq!(written(r"{\listtext\f2\u-3913 ?\tab}one"), "•\tone");
    }

    #[test]
    fn pictures_and_objects_are_left_out_but_for_their_text() {
        assert_eq!(written(r"a{\pict\wmetafile8 0102{\*\x y}}{\object\objemb{\*\objdata 00ff}{\result{\pict 01}t}}b"), "atb");
        assert_eq!(written(r"{\shp{\*\shpinst\shpleft1{\sp{\sn a}{\sv b}}{\shptxt box\par}}{\shprslt old}}x"), "box\r\nx");
        assert_eq!(written(r"{\upr{ab?c}{\*\ud{ab\u23383?c}}}"), "ab字c");
    }

    #[test]
    fn binary_bytes_are_no_text() {
        assert_eq!(plain(b"{\\rtf1 a{\\pict\\bin4 }}{{}b}"), "ab");
    }

    #[test]
    fn the_font_outlives_the_paragraph_but_not_plain() {
        assert_eq!(written(r"\f1 \'93\'fa\par\pard \'93\'fa\plain\'e9"), "日\r\n日é");
    }

    #[test]
    fn a_font_table_without_groups_is_read() {
        assert_eq!(plain(br"{\rtf1{\fonttbl\f0\fnil\fcharset161 A;\f1\fcharset204 B;}\'e1\f1\'e1}"), "αб");
    }

    #[test]
    fn the_page_of_the_document_is_that_of_its_header() {
        assert_eq!(plain(br"{\rtf1\mac \'8a}"), "ä");
        assert_eq!(plain(br"{\rtf1\pc \'81}"), "ü");
        assert_eq!(plain(br"{\rtf1\ansi\ansicpg1251 \'cc}"), "М");
    }

    #[test]
    fn a_brace_too_many_or_too_few_loses_nothing() {
        assert_eq!(plain(br"{\rtf1 a}}}b{c"), "abc");
    }

    #[test]
    fn groups_past_the_limit_are_part_of_the_last() {
        let depth = super::GROUPS_MAX * 2;
        let rtf = format!("{{\\rtf1 a{}b{}c}}", "{".repeat(depth), "}".repeat(depth));
        assert_eq!(plain(rtf.as_bytes()), "abc");
    }
}
