//! What control words mean for text: which character one stands for, which group one opens.

use super::Origin;

/// What becomes of the text of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// It is text of the document.
    Body,
    /// It is markup of the HTML that was wrapped.
    Markup,
    /// It is the number or sign before a list item.
    Bullet,
    /// It describes fonts.
    Fonts,
    /// It says what a field is: the address of a link.
    Instruction,
    /// It is left out, but groups in it may bring text.
    Hush,
    /// It is left out with all that is in it.
    Skip,
}

/// The destination that this word opens, or `None` where it opens none.
pub(super) fn destination(word: &[u8], origin: Origin) -> Option<Destination> {
    let found = match word {
        b"fonttbl" => Destination::Fonts,
        // [MS-OXRTFEX] 2.1.3.1.4.
        b"htmltag" if origin == Origin::Html => Destination::Markup,
        // Numbers and signs of lists are text in RTF; HTML says them with a tag.
        b"pntext" | b"listtext" if origin != Origin::Html => Destination::Bullet,
        b"pntext" | b"listtext" => Destination::Skip,
        // A field shows its result; what a link leads to stands in its instruction.
        b"fldrslt" => Destination::Body,
        b"fldinst" if origin == Origin::Rtf => Destination::Instruction,
        // It holds no text but the end of a row.
        b"nesttableprops" if origin != Origin::Html => Destination::Body,
        // A shape, an object and text in two writings: their parts say what is shown.
        b"shpinst" | b"object" | b"upr" if origin != Origin::Html => Destination::Hush,
        b"shptxt" | b"result" | b"ud" if origin != Origin::Html => Destination::Body,
        b"colortbl"
        | b"stylesheet"
        | b"info"
        | b"pict"
        | b"nonshppict"
        | b"shprslt"
        | b"object"
        | b"objdata"
        | b"objclass"
        | b"objname"
        | b"objalias"
        | b"objsect"
        | b"fldinst"
        | b"filetbl"
        | b"listtable"
        | b"listoverridetable"
        | b"revtbl"
        | b"rsidtbl"
        | b"header"
        | b"headerl"
        | b"headerr"
        | b"headerf"
        | b"footer"
        | b"footerl"
        | b"footerr"
        | b"footerf"
        | b"footnote"
        | b"ftnsep"
        | b"ftnsepc"
        | b"ftncn"
        | b"aftnsep"
        | b"aftnsepc"
        | b"aftncn"
        | b"annotation"
        | b"atnid"
        | b"atnauthor"
        | b"atrfstart"
        | b"atrfend"
        | b"xe"
        | b"tc"
        | b"tcn"
        | b"rxe"
        | b"txe"
        | b"bkmkstart"
        | b"bkmkend"
        | b"pn"
        | b"pntxta"
        | b"pntxtb"
        | b"pnseclvl"
        | b"background"
        | b"private"
        | b"nonesttables"
        | b"template"
        | b"themedata"
        | b"colorschememapping"
        | b"datastore"
        | b"latentstyles"
        | b"generator"
        | b"mhtmltag"
        | b"htmltag" => Destination::Skip,
        _ => return None,
    };
    Some(found)
}

/// The text that a control word stands for.
pub(super) const fn text(word: &[u8]) -> Option<&'static str> {
    let text = match word {
        // [MS-OXRTFEX] 2.1.3.1.4.2 and 2.2.3.3: line ends are CR LF.
        b"par" | b"line" | b"page" | b"column" | b"sect" | b"softline" | b"softpage" | b"softcol" | b"lbr" => "\r\n",
        b"tab" | b"cell" | b"nestcell" => "\t",
        b"lquote" => "\u{2018}",
        b"rquote" => "\u{2019}",
        b"ldblquote" => "\u{201c}",
        b"rdblquote" => "\u{201d}",
        b"bullet" => "\u{2022}",
        b"endash" => "\u{2013}",
        b"emdash" => "\u{2014}",
        b"emspace" => "\u{2003}",
        b"enspace" => "\u{2002}",
        b"qmspace" => "\u{2005}",
        b"zwbo" => "\u{200b}",
        b"zwnbo" => "\u{2060}",
        b"zwj" => "\u{200d}",
        b"zwnj" => "\u{200c}",
        b"ltrmark" => "\u{200e}",
        b"rtlmark" => "\u{200f}",
        _ => return None,
    };
    Some(text)
}

/// The text that a control symbol stands for.
pub(super) const fn symbol(symbol: u8, origin: Origin) -> Option<&'static str> {
    match (symbol, origin) {
        (b'~', _) => Some("\u{a0}"),
        (b'-', _) => Some("\u{ad}"),
        // A hyphen that does not break, in RTF; where the RTF was HTML it stands for `&shy;`: [MS-OXRTFEX] 2.1.3.1.4.2.
        (b'_', Origin::Html) => Some("\u{ad}"),
        (b'_', _) => Some("\u{2011}"),
        _ => None,
    }
}
