//! Which bodies a message has, and their text in Unicode ([MS-OXCMAIL] 2.1.3.3, [MS-OXBBODY]).

use encoding_rs::Encoding;

use super::encode::with_line_ends;
use super::rtf;
use crate::damage::Code;
use crate::store::codepage;
use crate::store::item::Item;
use crate::store::props::{Key, Props};
use crate::store::tags;

/// How far into a HTML body its declarations of a charset are looked for.
const META_MAX: usize = 64 << 10;

/// The longest tag that is looked into.
const TAG_MAX: usize = 1024;

/// The text and the HTML of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bodies {
    /// Plain text.
    pub text: Option<String>,
    /// HTML, which declares UTF-8 if it declares a charset.
    pub html: Option<String>,
    /// RTF that somebody wrote, where it says more than the text and there is no HTML.
    pub rtf: Option<Vec<u8>>,
    /// What could not be read, in words for the user.
    pub damage: Vec<String>,
}

impl Bodies {
    /// The bodies of an item.
    pub fn of(item: &Item) -> Self {
        let props = &item.props;
        let mut bodies = Self::default();
        bodies.text = bodies.noted(props, tags::BODY, "text", text(props, tags::BODY)).or_else(|| text(props, tags::REPORT_TEXT));
        bodies.html = bodies.noted(props, tags::HTML, "HTML", html(props));
        if bodies.html.is_none() {
            let stored = props.bytes(tags::RTF_COMPRESSED);
            if let Some(stored) = bodies.noted(props, tags::RTF_COMPRESSED, "RTF", stored).filter(|stored| !stored.is_empty()) {
                bodies.take_rtf(props, &stored);
            }
        }
        bodies
    }

    /// Takes what is in a compressed RTF body: the HTML or text that it wraps, or its own text and itself.
    fn take_rtf(&mut self, props: &Props, stored: &[u8]) {
        let Some(body) = rtf::decompress(stored) else {
            self.damage.push("the RTF body cannot be read".to_owned());
            return;
        };
        for flaw in &body.flaws {
            props.note(Code::CompressedRtf, tags::RTF_COMPRESSED, &flaw.to_string());
        }
        if body.is_cut() {
            self.damage.push("the end of the RTF body is missing".to_owned());
        }
        match rtf::read(&body.rtf) {
            rtf::Body::Html(html) => self.html = Some(with_utf8_declared(&with_line_ends(&html))),
            rtf::Body::Text { text, encapsulated } => {
                self.rtf = (!encapsulated && body.rtf.trim_ascii_start().starts_with(b"{\\rtf")).then_some(body.rtf);
                let text = with_line_ends(&text);
                self.text = self.text.take().or_else(|| (!text.trim().is_empty()).then_some(text));
            }
        }
    }

    /// Whether no body was found.
    pub const fn is_empty(&self) -> bool {
        self.text.is_none() && self.html.is_none() && self.rtf.is_none()
    }

    /// Passes a value on, and notes where the property is there but its value could not be had.
    fn noted<T>(&mut self, props: &Props, key: Key, what: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && props.stream(key).is_some_and(|stream| stream.len > 0) {
            self.damage.push(format!("the {what} body cannot be read"));
        }
        value
    }
}

fn text(props: &Props, key: Key) -> Option<String> {
    let text = props.text(key).or_else(|| props.bytes(key).map(|bytes| codepage::decode(props.codepage(), &bytes)))?;
    let text = with_line_ends(text.trim_end_matches('\0'));
    (!text.trim().is_empty()).then_some(text)
}

fn html(props: &Props) -> Option<String> {
    let html = props.text(tags::HTML).or_else(|| props.bytes(tags::HTML).map(|bytes| decoded_html(props, &bytes)))?;
    let html = with_line_ends(html.trim_end_matches('\0'));
    (!html.trim().is_empty()).then(|| with_utf8_declared(&html))
}

/// HTML from bytes: a mark at their beginning, the item's code page for the internet, the HTML's own charset, the item's
/// code page, in this order.
fn decoded_html(props: &Props, bytes: &[u8]) -> String {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(bytes.get(mark..).unwrap_or_default()).0.into_owned();
    }
    let declared = declared_encoding(bytes);
    // Writers leave 1252 in the property and put UTF-8 into the body; text that is valid UTF-8 by chance does not exist.
    if declared == Some(encoding_rs::UTF_8)
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return text.to_owned();
    }
    let internet = props.int(tags::INTERNET_CODEPAGE).and_then(|page| u16::try_from(page).ok()).filter(|page| codepage::is_known(*page));
    match (internet, declared) {
        (Some(page), _) => codepage::decode(page, bytes),
        (None, Some(encoding)) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
        (None, None) => codepage::decode(props.codepage(), bytes),
    }
}

fn declared_encoding(bytes: &[u8]) -> Option<&'static Encoding> {
    let head: String = bytes.iter().take(META_MAX).map(|byte| char::from(*byte)).filter(char::is_ascii).collect();
    let label = charset_places(&head).into_iter().next()?;
    Encoding::for_label(head.get(label)?.as_bytes())
}

/// The HTML with `utf-8` in place of each charset that it declares near its beginning.
fn with_utf8_declared(html: &str) -> String {
    let mut out = String::new();
    let mut from = 0;
    for place in charset_places(html.get(..html.floor_char_boundary(META_MAX)).unwrap_or_default()) {
        out.push_str(html.get(from..place.start).unwrap_or_default());
        out.push_str("utf-8");
        from = place.end;
    }
    out.push_str(html.get(from..).unwrap_or_default());
    out
}

/// Where the labels of charsets stand: in `<meta .. charset=LABEL ..>` and `<?xml .. encoding="LABEL"?>`.
fn charset_places(html: &str) -> Vec<std::ops::Range<usize>> {
    let lower = html.to_ascii_lowercase();
    let mut places = Vec::new();
    for (opening, attribute) in [("<?xml", "encoding"), ("<meta", "charset")] {
        for (start, _) in lower.match_indices(opening) {
            let tag = lower.get(start..).unwrap_or_default();
            let tag = tag.get(..tag.floor_char_boundary(TAG_MAX)).unwrap_or_default();
            let tag = tag.get(..tag.find('>').unwrap_or(tag.len())).unwrap_or_default();
            places.extend(label_place(tag, attribute).map(|place| start.saturating_add(place.start)..start.saturating_add(place.end)));
        }
    }
    places.sort_by_key(|place| place.start);
    places.dedup_by(|next, last| next.start < last.end);
    places
}

/// Where the label stands in a tag.
fn label_place(tag: &str, attribute: &str) -> Option<std::ops::Range<usize>> {
    let after = tag.find(attribute)?.saturating_add(attribute.len());
    let value = tag.get(after..)?.trim_start().strip_prefix('=')?;
    let label = value.trim_start_matches([' ', '"', '\'', '\n', '\t']);
    let start = tag.len().saturating_sub(label.len());
    let len = label.find(|char: char| !char.is_ascii_alphanumeric() && !matches!(char, '-' | '_' | ':' | '.')).unwrap_or(label.len());
    (len > 0).then(|| start..start.saturating_add(len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ltp::value::Value;

    fn item(values: impl IntoIterator<Item = (Key, Value)>) -> Item {
        Item { props: Props::from_values(values), ..Item::default() }
    }

    fn html_of(bytes: &[u8], page: Option<i32>) -> String {
        let page = page.map(|page| (tags::INTERNET_CODEPAGE, Value::I32(page)));
        Bodies::of(&item([(tags::HTML, Value::Binary(bytes.to_vec()))].into_iter().chain(page))).html.unwrap()
    }

    #[test]
    fn html_is_decoded_by_property_then_meta_then_item() {
        assert_eq!(html_of(b"<p>\xcf\xf0", Some(1251)), "<p>Пр");
        assert_eq!(html_of(b"<meta charset=windows-1251><p>\xcf", None), "<meta charset=utf-8><p>П");
        assert_eq!(html_of(b"<p>\xe4", None), "<p>ä");
        assert_eq!(html_of(b"\xef\xbb\xbf<p>\xc3\xa4", Some(1252)), "<p>ä");
    }

    #[test]
    fn utf_8_that_says_so_is_believed_over_the_property() {
        assert_eq!(html_of("<meta charset=\"utf-8\"><p>ä".as_bytes(), Some(1252)), "<meta charset=\"utf-8\"><p>ä");
    }

    #[test]
    fn every_declared_charset_becomes_utf_8() {
        let html = r#"<?xml version="1.0" encoding="iso-8859-1"?><META http-equiv=x content="text/html; charset=us-ascii"><meta name=a><p>charset=no"#;
        let wanted =
            r#"<?xml version="1.0" encoding="utf-8"?><META http-equiv=x content="text/html; charset=utf-8"><meta name=a><p>charset=no"#;
        assert_eq!(with_utf8_declared(html), wanted);
    }

    /// RTF as it is stored without compression.
    fn stored_rtf(rtf: &[u8]) -> (Key, Value) {
        let len = rtf.len() as u32;
        let header = [&(len + 12).to_le_bytes()[..], &len.to_le_bytes(), b"MELA", &[0; 4]].concat();
        (tags::RTF_COMPRESSED, Value::Binary([&header, rtf].concat()))
    }

    #[test]
    fn rtf_that_somebody_wrote_is_kept_beside_its_text() {
        let rtf = br"{\rtf1\ansi {\b Hello}\par world}";
        let bodies = Bodies::of(&item([stored_rtf(rtf)]));
        assert_eq!((bodies.text.as_deref(), bodies.html, bodies.rtf.as_deref()), (Some("Hello\nworld"), None, Some(&rtf[..])));
        let bodies = Bodies::of(&item([stored_rtf(rtf), (tags::BODY, Value::Unicode("as Outlook put it".into()))]));
        assert_eq!((bodies.text.as_deref(), bodies.rtf.is_some()), (Some("as Outlook put it"), true));
        let bodies = Bodies::of(&item([stored_rtf(rtf), (tags::HTML, Value::Binary(b"<p>x".to_vec()))]));
        assert_eq!((bodies.text, bodies.rtf), (None, None));
    }

    #[test]
    fn rtf_that_wraps_something_else_is_not_kept() {
        let html = Bodies::of(&item([stored_rtf(br"{\rtf1\ansi\fromhtml1 {\*\htmltag64 <p>}x}")]));
        assert_eq!((html.html.as_deref(), html.rtf), (Some("<p>x"), None));
        let text = Bodies::of(&item([stored_rtf(br"{\rtf1\ansi\fromtext x}")]));
        assert_eq!((text.text.as_deref(), text.rtf), (Some("x"), None));
        let none = Bodies::of(&item([stored_rtf(b"no RTF")]));
        assert_eq!((none.text.as_deref(), none.rtf), (Some("no RTF"), None));
    }

    #[test]
    fn rtf_of_a_picture_alone_has_no_text() {
        let bodies = Bodies::of(&item([stored_rtf(br"{\rtf1{\pict 0102}\par}")]));
        assert_eq!((bodies.text.as_deref(), bodies.rtf.is_some(), bodies.is_empty()), (None, true, false));
    }

    #[test]
    fn rtf_that_is_rubble_or_cut_off_is_told() {
        let told = |bytes: &[u8]| Bodies::of(&item([(tags::RTF_COMPRESSED, Value::Binary(bytes.to_vec()))])).damage;
        assert_eq!(told(&[7; 40]), ["the RTF body cannot be read"]);
        assert_eq!(told(&[]), Vec::<String>::new());
        let cut = [&60_u32.to_le_bytes()[..], &200_u32.to_le_bytes(), b"LZFu", &[0; 4], b"\0{\\rtf1 a"].concat();
        assert_eq!(told(&cut), ["the end of the RTF body is missing"]);
    }

    #[test]
    fn an_empty_body_is_none() {
        assert!(Bodies::of(&item([(tags::BODY, Value::Unicode("\r\n ".into())), (tags::HTML, Value::Binary(vec![0]))])).is_empty());
    }

    #[test]
    fn lines_end_in_lf() {
        assert_eq!(Bodies::of(&item([(tags::BODY, Value::Unicode("a\r\nb\rc\n".into()))])).text.unwrap(), "a\nb\nc\n");
    }

    #[test]
    fn a_body_that_cannot_be_loaded_is_told() {
        let stream =
            crate::ltp::value::Stream { kind: crate::format::property::PropType::UNICODE, data: crate::format::id::Bid(4), len: 9000 };
        assert_eq!(Bodies::of(&item([(tags::BODY, Value::Stream(stream))])).damage, ["the text body cannot be read"]);
    }
}
