//! Windows languages: which ANSI code page goes with a locale id ([MS-LCID] 2.2).

/// The ANSI code page of a Windows locale id, or `None` where the language has only Unicode or is not known.
///
/// The low 10 bits are the language, the next 6 tell country or script; a sort order in the upper half does not matter.
pub fn by_lcid(lcid: u32) -> Option<u16> {
    let language = lcid & 0x3ff;
    let variant = (lcid >> 10) & 0x3f;
    let page = match (language, variant) {
        // Chinese: Taiwan, Hong Kong, Macau and "traditional" (0x7c04) write the old characters.
        (0x04, 1 | 3 | 5 | 31) => 950,
        (0x04, _) => 936,
        // Serbian and Bosnian have two scripts; Croatian shares their id.
        (0x1a, 3 | 7 | 8 | 10 | 12 | 25 | 27) => 1251,
        // Azerbaijani and Uzbek: Latin, then Cyrillic.
        (0x2c | 0x43, 2 | 29 | 30) => 1251,
        (0x2c | 0x43, _) => 1254,
        // Mongolian in its own script has no page; Sindhi in Devanagari neither.
        (0x50, 2 | 3 | 31) | (0x59, 1) => return None,
        // Punjabi in Arabic script.
        (0x46, 2) => 1256,
        // Inuktitut and Tamazight in Latin script.
        (0x5d | 0x5f, 2 | 31) => 1252,
        // Cherokee, Syllabics, Tifinagh, Arabic Tamazight: Unicode only.
        (0x5c..=0x5d | 0x5f, _) => return None,
        _ => return by_language(language),
    };
    Some(page)
}

/// The page of a language that has one script.
const fn by_language(language: u32) -> Option<u16> {
    let page = match language {
        // Thai; Japanese; Korean; Vietnamese.
        0x1e => 874,
        0x11 => 932,
        0x12 => 949,
        0x2a => 1258,
        // Czech, Hungarian, Polish, Romanian, Croatian, Slovak, Albanian, Slovenian, Turkmen.
        0x05 | 0x0e | 0x15 | 0x18 | 0x1a | 0x1b | 0x1c | 0x24 | 0x42 => 1250,
        // Bulgarian, Russian, Ukrainian, Belarusian, Tajik, Macedonian, Kazakh, Kyrgyz, Tatar, Mongolian, Bashkir, Yakut.
        0x02 | 0x19 | 0x22 | 0x23 | 0x28 | 0x2f | 0x3f | 0x40 | 0x44 | 0x50 | 0x6d | 0x85 => 1251,
        // Catalan, Danish, German, English, Spanish, Finnish, French, Icelandic, Italian, Dutch, Norwegian, Portuguese,
        // Romansh, Swedish, Indonesian, Basque, Sorbian, Tswana, Xhosa, Zulu, Afrikaans, Faroese, Sami, Irish, Malay,
        // Swahili, Welsh, Galician, Frisian, Filipino, Hausa, Yoruba, Quechua, Northern Sotho, Luxembourgish, Greenlandic,
        // Igbo, Mapudungun, Mohawk, Breton, Occitan, Corsican, Alsatian, K'iche', Kinyarwanda, Wolof, Gaelic.
        0x03 | 0x06 | 0x07 | 0x09 | 0x0a | 0x0b | 0x0c | 0x0f | 0x10 | 0x13 | 0x14 | 0x16 | 0x17 | 0x1d | 0x21 | 0x2d | 0x2e | 0x32
        | 0x34 | 0x35 | 0x36 | 0x38 | 0x3b | 0x3c | 0x3e | 0x41 | 0x52 | 0x56 | 0x62 | 0x64 | 0x68 | 0x6a | 0x6b | 0x6c | 0x6e | 0x6f
        | 0x70 | 0x7a | 0x7c | 0x7e | 0x82 | 0x83 | 0x84 | 0x86 | 0x87 | 0x88 | 0x91 => 1252,
        // Greek; Turkish; Hebrew and Yiddish.
        0x08 => 1253,
        0x1f => 1254,
        0x0d | 0x3d => 1255,
        // Arabic, Urdu, Persian, Sindhi, Pashto, Uyghur, Dari, Kurdish.
        0x01 | 0x20 | 0x29 | 0x59 | 0x63 | 0x80 | 0x8c | 0x92 => 1256,
        // Estonian, Latvian, Lithuanian.
        0x25..=0x27 => 1257,
        _ => return None,
    };
    Some(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_locales_have_their_page() {
        let cases = [
            (0x0401, 1256),
            (0x0404, 950),
            (0x0804, 936),
            (0x0c04, 950),
            (0x1004, 936),
            (0x0405, 1250),
            (0x0407, 1252),
            (0x0408, 1253),
            (0x0409, 1252),
            (0x0809, 1252),
            (0x040d, 1255),
            (0x0411, 932),
            (0x0412, 949),
            (0x0415, 1250),
            (0x0419, 1251),
            (0x041a, 1250),
            (0x0c1a, 1251),
            (0x081a, 1250),
            (0x241a, 1250),
            (0x281a, 1251),
            (0x041e, 874),
            (0x041f, 1254),
            (0x0427, 1257),
            (0x042a, 1258),
            (0x042c, 1254),
            (0x082c, 1251),
        ];
        for (lcid, page) in cases {
            assert_eq!(by_lcid(lcid), Some(page), "{lcid:#x}");
        }
    }

    #[test]
    fn the_sort_order_does_not_matter() {
        // German, sorted as in the telephone book.
        assert_eq!(by_lcid(0x0001_0407), Some(1252));
    }

    #[test]
    fn a_language_of_unicode_only_has_no_page() {
        for lcid in [0, 0x0439, 0x042b, 0x0437, 0x0850] {
            assert_eq!(by_lcid(lcid), None, "{lcid:#x}");
        }
    }

    #[test]
    fn every_page_told_is_known() {
        for lcid in 0..=0xffff {
            assert!(by_lcid(lcid).is_none_or(super::super::is_known));
        }
    }
}
