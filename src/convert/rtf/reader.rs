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

/// The most characters that stand for one of Unicode; a larger `\uc` is a mistake that would swallow text.
const FALLBACK_MAX: u32 = 64;

/// The most links inside each other: each one's text is looked through when it ends.
const LINKS_MAX: usize = 4;

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
    /// The instruction of the field that is being read.
    instruction: Output,
    /// Links whose text is being read.
    links: Vec<Link>,
    group: Group,
    outer: Vec<Group>,
    /// Groups past [`GROUPS_MAX`] that are open.
    flattened: usize,
    /// The last token was `\*`: a word that is not known opens a group to skip.
    starred: bool,
    /// How many characters are still to be skipped after a `\u`.
    skip: u32,
}

/// A link whose text is being read.
struct Link {
    /// How many groups are around the text.
    depth: usize,
    /// Where the text begins.
    position: usize,
    address: String,
}

/// The text of a document: its HTML where it was HTML ([MS-OXRTFEX] 2.2.3.2), else what it shows (2.2.3.3).
pub(super) fn read(rtf: &[u8], origin: Origin) -> String {
    let group = Group { destination: Destination::Body, font: None, fallback: 1, rtf_only: false, hidden: false };
    let (fonts, output) = (Fonts::default(), Output::default());
    let (instruction, links) = (Output::default(), Vec::new());
    let mut reader = Reader { origin, fonts, output, instruction, links, group, outer: Vec::new(), flattened: 0, starred: false, skip: 0 };
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
            None => {
                self.end_link();
                self.group = self.outer.pop().unwrap_or(self.group);
            }
        }
    }

    /// Begins the text of a link, after its instruction.
    fn begin_link(&mut self) {
        let instruction = std::mem::take(&mut self.instruction).finish();
        let depth = self.outer.len();
        let is_new = self.flattened == 0 && self.links.len() < LINKS_MAX && self.links.last().is_none_or(|link| link.depth < depth);
        if let Some(address) = address(&instruction).filter(|_| is_new && self.shows()) {
            self.links.push(Link { depth, position: self.output.position(), address });
        }
    }

    /// Ends the text of a link with where it leads, unless it says so itself.
    fn end_link(&mut self) {
        let depth = self.outer.len();
        if let Some(link) = self.links.pop_if(|link| link.depth >= depth) {
            let shown = link.address.trim_start_matches("mailto:").trim_end_matches('/');
            if !self.output.since(link.position).contains(shown) {
                self.output.text(&format!(" <{}>", link.address));
            }
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
            self.enter(word, destination);
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
            b"uc" => {
                let count = number.and_then(|count| u32::try_from(count).ok());
                self.group.fallback = count.filter(|count| *count <= FALLBACK_MAX).unwrap_or(1);
            }
            b"f" => self.group.font = number,
            // Character formatting only: `\pard` is about the paragraph, and writers rely on the font staying.
            b"plain" => {
                self.group.font = None;
                self.group.hidden = false;
            }
            // Ends with its group as bold does ([MS-OXRTFEX] 2.1.3.1.3).
            b"htmlrtf" => self.group.rtf_only = on,
            b"v" | b"deleted" => self.group.hidden = on,
            b"row" | b"nestrow" if self.shows() && self.group.destination != Destination::Instruction && self.origin != Origin::Html => {
                self.output.end_row()
            }
            b"mac" | b"pc" | b"pca" | b"ansicpg" | b"deff" => self.fonts.header(word, number),
            _ => {
                if let Some(text) = words::text(word) {
                    self.text(text);
                }
            }
        }
    }

    fn enter(&mut self, word: &[u8], destination: Destination) {
        // The result of a field in an instruction is part of it.
        self.group.destination = match (self.group.destination, destination) {
            (Destination::Instruction, Destination::Body) => return,
            (Destination::Instruction, Destination::Instruction) => Destination::Skip,
            (_, destination) => destination,
        };
        if word == b"fldrslt" {
            self.begin_link();
        }
    }

    /// What text at this place goes to.
    fn target(&mut self) -> &mut Output {
        if self.group.destination == Destination::Instruction { &mut self.instruction } else { &mut self.output }
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
            (SYMBOL, _) if (0xf020..=0xf0ff).contains(&sign) => self.target().unicode(sign & 0xff),
            _ => self.target().unicode(number),
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
            (_, page) => self.target().bytes(page, bytes),
        }
    }

    fn text(&mut self, text: &str) {
        if self.shows() {
            self.target().text(text);
        }
    }

    /// Whether text at this place is part of the result.
    fn shows(&self) -> bool {
        let shown = match self.group.destination {
            Destination::Body | Destination::Bullet | Destination::Markup | Destination::Instruction => true,
            Destination::Fonts | Destination::Hush | Destination::Skip => false,
        };
        shown && !(self.group.rtf_only && self.origin == Origin::Html) && !(self.group.hidden && self.origin != Origin::Html)
    }
}

/// The address in a link's instruction: `HYPERLINK "address"`, with switches of a letter and a text around it.
fn address(instruction: &str) -> Option<String> {
    let mut rest = instruction.trim_start().strip_prefix("HYPERLINK")?.trim_start();
    while let Some(switch) = rest.strip_prefix('\\') {
        // A place in the document, or a window's name; neither is an address.
        let after = switch.get(1..)?.trim_start();
        rest = if switch.starts_with(['l', 'o', 't']) { word(after).1 } else { after };
    }
    let address: String = word(rest).0.chars().filter(|char| !char.is_whitespace() && !char.is_control()).collect();
    (!address.is_empty()).then_some(address)
}

/// The first word, in quotes or not, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
        None => text.split_once(' ').unwrap_or((text, "")),
    };
    (word, rest.trim_start())
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
    fn a_field_shows_its_result_and_a_link_where_it_leads() {
        assert_eq!(written(r#"see {\field{\*\fldinst{HYPERLINK "http://x/y"}}{\fldrslt{\ul here}}}."#), "see here <http://x/y>.");
        assert_eq!(
            written(
                r#"{\field{\*\fldinst HYPERLINK http://x/}{\fldrslt http://x}} {\field{\*\fldinst HYPERLINK "mailto:a@b.c"}{\fldrslt a@b.c}}"#
            ),
            "http://x a@b.c"
        );
        assert_eq!(written(r#"{\field{\*\fldinst HYPERLINK \\l "top" }{\fldrslt up}}{\field{\*\fldinst PAGE}{\fldrslt 7}}"#), "up7");
        assert_eq!(written(r#"{\field{\*\fldinst HYPERLINK \\t "_blank" "http://x" \\o "tip"}{\fldrslt a}}"#), "a <http://x>");
        assert_eq!(
            written(r#"{\field{\*\fldinst HYPERLINK "{\field{\*\fldinst x}{\fldrslt http://in}}"}{\fldrslt a}}b"#),
            "a <http://in>b"
        );
        assert_eq!(written(r#"{\field{\*\fldinst HYPERLINK "http://x"}{\fldrslt a"#), "a <http://x>");
        assert_eq!(written(r#"{\v{\field{\*\fldinst HYPERLINK "http://x"}{\fldrslt a}}}b"#), "b");
        assert_eq!(wrapped(r#"{\field{\*\fldinst HYPERLINK "http://x"}{\fldrslt a}}"#), "a");
    }

    #[test]
    fn rows_of_inner_tables_end_in_their_properties() {
        let inner = r"\itap2 x\nestcell y\nestcell{\*\nesttableprops\trowd\nestrow}{\nonesttables\par}";
        assert_eq!(written(&format!(r"\trowd\intbl a\cell {inner}{inner}b\cell\row c")), "a\tx\ty\r\nx\ty\r\nb\r\nc");
    }

    #[test]
    fn a_count_of_what_stands_for_unicode_that_no_writer_means_swallows_nothing() {
        assert_eq!(written(r"\uc2000000000\u8364?text\uc-1\u8364?x"), "€text€x");
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
