//! Which code page the bytes of a font are in.

use std::collections::BTreeMap;

use crate::store::codepage;

/// The page of symbol fonts, where bytes are pictures: Symbol, Wingdings.
pub(super) const SYMBOL: u16 = 42;

/// The code pages of a document: its own, and those of the fonts in its font table.
#[derive(Clone, Debug)]
pub(super) struct Fonts {
    /// The page of the document: `\ansicpg`.
    document: u16,
    /// The font that text has before it names one: `\deff`.
    default: i32,
    /// The page of each font that has its own.
    pages: BTreeMap<i32, u16>,
    /// The font that the table is about to describe.
    described: Option<i32>,
}

impl Default for Fonts {
    fn default() -> Self {
        Self { document: codepage::WINDOWS_1252, default: 0, pages: BTreeMap::new(), described: None }
    }
}

impl Fonts {
    /// The page of the document.
    pub(super) const fn document(&self) -> u16 {
        self.document
    }

    /// The page of text in this font; in the default font for `None`.
    pub(super) fn page(&self, font: Option<i32>) -> u16 {
        self.pages.get(&font.unwrap_or(self.default)).copied().unwrap_or(self.document)
    }

    /// Takes a word of the document's header, wherever it stands.
    pub(super) fn header(&mut self, word: &[u8], number: Option<i32>) {
        match (word, number) {
            (b"ansicpg", Some(page)) => {
                // UTF-16 has no bytes that RTF could hold; some writers say it nevertheless.
                let told = known(page).filter(|page| !matches!(*page, codepage::UTF_16LE | codepage::UTF_16BE));
                self.document = told.unwrap_or(self.document);
            }
            (b"mac", _) => self.document = 10000,
            (b"pc", _) => self.document = 437,
            (b"pca", _) => self.document = 850,
            (b"deff", Some(font)) => self.default = font,
            _ => {}
        }
    }

    /// Takes a word of the font table.
    pub(super) fn describe(&mut self, word: &[u8], number: Option<i32>) {
        let page = match (word, number) {
            (b"f", Some(font)) => {
                self.described = Some(font);
                None
            }
            (b"fcharset", Some(charset)) => by_charset(charset),
            (b"cpg", Some(page)) => known(page),
            _ => None,
        };
        if let (Some(font), Some(page)) = (self.described, page) {
            self.pages.insert(font, page);
        }
    }
}

fn known(page: i32) -> Option<u16> {
    u16::try_from(page).ok().filter(|page| codepage::is_known(*page))
}

/// The page of a Windows character set, or `None` where it is the document's.
fn by_charset(charset: i32) -> Option<u16> {
    let page = match charset {
        0 => 1252,
        2 => SYMBOL,
        77 => 10000,
        78 => 10001,
        79 => 10003,
        80 => 10008,
        81 => 10002,
        86 => 10081,
        89 => 10007,
        128 => 932,
        129 => 949,
        130 => 1361,
        134 => 936,
        136 => 950,
        161 => 1253,
        162 => 1254,
        163 => 1258,
        177 => 1255,
        178 => 1256,
        186 => 1257,
        204 => 1251,
        222 => 874,
        238 => 1250,
        254 => 437,
        255 => 850,
        // No character set has a number of three digits more: it is a code page in the wrong place, which is met.
        256.. => return known(charset),
        // 1 is "the default"; the rest nobody knows.
        _ => return None,
    };
    Some(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_font_has_the_page_of_its_character_set() {
        let mut fonts = Fonts::default();
        fonts.header(b"ansicpg", Some(932));
        for (word, number) in
            [(&b"f"[..], 1), (b"fcharset", 204), (b"f", 2), (b"f", 3), (b"fcharset", 1), (b"f", 4), (b"fcharset", 0), (b"cpg", 1250)]
        {
            fonts.describe(word, Some(number));
        }
        assert_eq!([1, 2, 3, 4, 5].map(|font| fonts.page(Some(font))), [1251, 932, 932, 1250, 932]);
    }

    #[test]
    fn text_without_a_font_is_in_the_default_one() {
        let mut fonts = Fonts::default();
        fonts.header(b"deff", Some(7));
        fonts.describe(b"f", Some(7));
        fonts.describe(b"fcharset", Some(161));
        assert_eq!((fonts.page(None), fonts.document()), (1253, 1252));
    }

    #[test]
    fn a_page_that_is_none_changes_nothing() {
        let mut fonts = Fonts::default();
        for page in [0, -1, 1200, 4711, i32::MAX] {
            fonts.header(b"ansicpg", Some(page));
        }
        assert_eq!(fonts.document(), 1252);
    }
}
