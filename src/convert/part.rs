//! Attachments as parts of a message: type, name, disposition, content ([MS-OXCMAIL] 2.1.3.4).

use std::collections::HashSet;

use super::digest::Digest;
use super::document::{Fetch, Segment, Source};
use super::encode::{BOUNDARY_MARK, LINE_END, Transfer, fits_lines};
use super::file::{self, Shown};
use super::header::{self, Fields, clean};
use crate::damage::Result;
use crate::store::item::{Attachment, NodeRef};
use crate::store::tags;

/// The largest attached message that goes out as a message; larger ones are plain attachments.
const RAW_MESSAGE_MAX: u64 = 8 << 20;

/// PidTagAttachFlags: the HTML body shows the attachment.
const RENDERED_IN_BODY: i32 = 4;

/// A step of writing a document.
#[derive(Clone, Debug)]
pub enum Step {
    /// Write this.
    Write(Segment),
    /// Open the embedded message and write it as a part of this name.
    Embedded(NodeRef, String),
}

/// A MIME entity: the lines of its header and the steps that write the rest, the blank line not among them.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Its fields; none for an embedded message, whose step writes them.
    pub fields: Fields,
    /// Its body.
    pub body: Vec<Step>,
    /// Whether it belongs to the HTML body.
    pub inline: bool,
}

impl Part {
    /// A part of text.
    pub fn text(kind: &str, mut text: String) -> Self {
        if !text.is_empty() && !text.ends_with(LINE_END) {
            text.push_str(LINE_END);
        }
        let transfer = Transfer::of(&text);
        let mut fields = Fields::default();
        fields.push(header::tokens("Content-Type", [format!("{kind};"), "charset=utf-8".to_owned()]));
        fields.push(header::tokens("Content-Transfer-Encoding", [transfer.name().to_owned()]));
        Self { fields, body: vec![Step::Write(Segment::Bytes(transfer.apply(text)))], inline: false }
    }

    /// A note to the user in the place of something that is not there, as a text file of this name.
    pub fn note(name: &str, text: String) -> Self {
        let mut part = Self::text("text/plain", text);
        part.fields.push(disposition("inline", name));
        part
    }

    /// A part in base64.
    pub fn base64(kind: &str, name: &str, source: Source) -> Self {
        let mut fields = typed(kind, name);
        fields.push(header::tokens("Content-Transfer-Encoding", ["base64".to_owned()]));
        fields.push(disposition("attachment", name));
        Self { fields, body: vec![Step::Write(Segment::Base64(source))], inline: false }
    }

    /// Whether it is an attached message.
    pub fn is_message(&self) -> bool {
        let is_rfc822 = |field: &header::Field| field.value.starts_with("message/rfc822");
        self.fields.get("Content-Type").is_some_and(is_rfc822) || matches!(self.body.first(), Some(Step::Embedded(..)))
    }

    /// A message that stands in the part as it is.
    pub fn message(name: &str, body: Vec<Step>) -> Self {
        let mut fields = typed("message/rfc822", name);
        fields.push(header::tokens("Content-Transfer-Encoding", ["8bit".to_owned()]));
        fields.push(disposition("attachment", name));
        Self { fields, body, inline: false }
    }
}

fn typed(kind: &str, name: &str) -> Fields {
    let mut fields = Fields::default();
    let mut tokens = vec![format!("{kind};")];
    tokens.extend(header::name_parameter(name));
    fields.push(header::tokens("Content-Type", tokens));
    fields
}

/// Whether a part is shown or listed, and its name.
pub(super) fn disposition(how: &str, name: &str) -> header::Field {
    let mut tokens = vec![format!("{how};")];
    tokens.extend(header::filename_parameter(name));
    header::tokens("Content-Disposition", tokens)
}

/// The part for an attachment; `number` counts from 1, `cited` is what the HTML body shows.
pub fn of(attachment: &Attachment, number: usize, cited: &Cited, fetch: Fetch<'_>) -> Result<Part> {
    let file = match file::shown(attachment, number, fetch)? {
        Shown::File(file) => file,
        Shown::Message(node, name) => return Ok(Part { body: vec![Step::Embedded(node, name)], ..Part::default() }),
        Shown::Note(name, text) => return Ok(Part::note(&name, text)),
    };
    if file.kind == "message/rfc822" && stands_as_message(&file.bytes, fetch)? {
        return Ok(Part::message(&file.name, vec![Step::Write(Segment::Raw(file.bytes))]));
    }
    // MIME allows no base64 in these (RFC 2045 6.4).
    let composite = ["message/", "multipart/"].iter().any(|composite| file.kind.starts_with(composite));
    let part = Part::base64(if composite { "application/octet-stream" } else { &file.kind }, &file.name, file.bytes);
    let part = match file.resources {
        Some(resources) => apple_double(part, number, &file.name, resources),
        None => part,
    };
    Ok(with_ids(part, attachment, &file.name, cited))
}

/// A Mac's file: what Finder knew and the resource fork, then the data ([MS-OXCMAIL] 2.1.3.4.3, RFC 1740).
fn apple_double(data: Part, number: usize, name: &str, resources: Source) -> Part {
    let mut digest = Digest::default();
    digest.add(name.as_bytes());
    // All other boundaries have a number where this has a word.
    let boundary = format!("{BOUNDARY_MARK}mac{number}_{}", digest.hex());
    let mut fields = Fields::default();
    let tokens = std::iter::once("multipart/appledouble;".to_owned()).chain(header::name_parameter(name));
    let mut tokens: Vec<String> = tokens.collect();
    if let Some(last) = tokens.last_mut() {
        last.push(';');
    }
    tokens.push(format!("boundary=\"{boundary}\""));
    fields.push(header::tokens("Content-Type", tokens));
    fields.push(disposition("attachment", name));
    let mut about = typed("application/applefile", name);
    about.push(header::tokens("Content-Transfer-Encoding", ["base64".to_owned()]));
    let bytes = |text: String| Step::Write(Segment::Bytes(text.into_bytes()));
    let mut body = vec![bytes(format!("--{boundary}{LINE_END}{}{LINE_END}", about.lines()))];
    body.push(Step::Write(Segment::Base64(resources)));
    body.push(bytes(format!("{LINE_END}--{boundary}{LINE_END}{}{LINE_END}", data.fields.lines())));
    body.extend(data.body);
    body.push(bytes(format!("{LINE_END}--{boundary}--{LINE_END}")));
    Part { fields, body, inline: false }
}

/// Adds what ties a part to the HTML body that shows it.
fn with_ids(mut part: Part, attachment: &Attachment, name: &str, cited: &Cited) -> Part {
    let id = attachment.props.text(tags::ATTACH_CONTENT_ID).and_then(|id| content_id(&id));
    let flags = attachment.props.int(tags::ATTACH_FLAGS).unwrap_or_default();
    let location = attachment.props.text(tags::ATTACH_CONTENT_LOCATION).map(|location| clean(&location));
    let by_id = id.as_ref().is_some_and(|id| cited.has_id(id) || flags & RENDERED_IN_BODY != 0);
    part.inline = cited.has_html && (by_id || location.as_ref().is_some_and(|location| cited.has_location(location)));
    if let Some(id) = id {
        part.fields.push(header::tokens("Content-ID", [id]));
    }
    if let Some(location) = location.filter(|location| !location.contains(' ') && !header::needs_encoding(location)) {
        part.fields.push(header::tokens("Content-Location", [location]));
    }
    if part.inline {
        part.fields.set(disposition("inline", name));
    }
    part
}

/// A Content-ID in its brackets. Mailers write and cite ids without an `@` too.
fn content_id(id: &str) -> Option<String> {
    let plain = clean(id);
    let fits = !plain.is_empty()
        && plain.len() < header::WORD_MAX
        && plain.bytes().all(|byte| matches!(byte, b'!'..=b'~') && !b"<>".contains(&byte));
    if fits { Some(format!("<{plain}>")) } else { header::message_ids(id).into_iter().next() }
}

/// What a HTML body shows of the message's other parts.
#[derive(Clone, Debug, Default)]
pub struct Cited {
    has_html: bool,
    ids: HashSet<String>,
    sources: HashSet<String>,
}

impl Cited {
    /// What this HTML cites.
    pub fn of(html: Option<&str>) -> Self {
        let lower = html.unwrap_or_default().to_ascii_lowercase();
        let after = |mark: &str| lower.split(mark).skip(1).map(citation).filter(|cited| !cited.is_empty()).collect();
        Self { has_html: html.is_some(), ids: after("cid:"), sources: after("src=") }
    }

    fn has_id(&self, id: &str) -> bool {
        self.ids.contains(&citation(&id.trim_matches(['<', '>']).to_ascii_lowercase()))
    }

    /// Whether the HTML shows what comes from this address; it may name the last part of it alone.
    fn has_location(&self, location: &str) -> bool {
        let location = citation(&location.to_ascii_lowercase());
        let last = location.rsplit('/').next().unwrap_or_default();
        !last.is_empty() && (self.sources.contains(&location) || self.sources.contains(last))
    }
}

/// An id or address at the beginning of a text, up to what ends it in HTML; percent signs decoded.
fn citation(text: &str) -> String {
    let text = text.trim_start_matches(['"', '\'']);
    let cited: String =
        text.chars().take_while(|char| !char.is_whitespace() && !"\"'<>()&".contains(*char)).take(header::WORD_MAX).collect();
    percent_decoded(&cited)
}

fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                out.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
            }
            None => out.extend([b"%", part.as_bytes()].concat()),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether attached bytes can stand in a document as a message: small enough, of lines that mail may have, with a header
/// that is one, and if of several parts with both its borders.
fn stands_as_message(source: &Source, fetch: Fetch<'_>) -> Result<bool> {
    if source.len() > RAW_MESSAGE_MAX || source.len() == 0 {
        return Ok(false);
    }
    let bytes = source.read(0, usize::MAX, fetch)?;
    Ok(fits_lines(&bytes) && is_message(&String::from_utf8_lossy(&bytes)))
}

fn is_message(text: &str) -> bool {
    let text = super::encode::with_line_ends(text);
    // Without the blank line, readers take the border that follows for a part of the header.
    let Some((head, body)) = text.split_once("\n\n") else { return false };
    let is_field =
        |line: &str| line.split_once(':').is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'!'..=b'~')));
    let is_continued = |line: &str| line.starts_with([' ', '\t']) && !line.trim().is_empty();
    let mut lines = head.lines();
    let fields = lines.next().is_some_and(is_field) && lines.all(|line| is_field(line) || is_continued(line));
    fields && (!has_multipart(head) || boundary(head).is_some_and(|boundary| body.contains(&format!("--{boundary}--"))))
}

fn has_multipart(head: &str) -> bool {
    head.to_ascii_lowercase().contains("multipart/")
}

/// The boundary that a header declares.
pub fn boundary(head: &str) -> Option<String> {
    let at = head.to_ascii_lowercase().find("boundary=")?.saturating_add("boundary=".len());
    let value = head.get(at..)?;
    let boundary = match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split([';', ' ', '\t', '\r', '\n']).next(),
    };
    boundary.filter(|boundary| !boundary.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ltp::value::Value;
    use crate::store::item::Content;
    use crate::store::props::{Key, Props};

    fn attachment(values: &[(Key, &str)], content: Content) -> Attachment {
        let props = Props::from_values(values.iter().map(|(key, text)| (*key, Value::Unicode((*text).to_owned()))));
        Attachment { props, content, ..Attachment::default() }
    }

    fn fields(attachment: &Attachment, html: Option<&str>) -> String {
        of(attachment, 3, &Cited::of(html), &|_, _, _| Ok(Vec::new())).unwrap().fields.lines()
    }

    #[test]
    fn a_type_comes_from_the_extension_where_none_is_stored() {
        let lines = fields(&attachment(&[(tags::ATTACH_LONG_FILENAME, "Report.PDF")], Content::None), None);
        assert!(lines.starts_with("Content-Type: application/pdf; name=\"Report.PDF\"\n"), "{lines}");
    }

    #[test]
    fn an_attachment_without_a_name_gets_one() {
        let lines = fields(&attachment(&[(tags::ATTACH_MIME_TAG, "image/png")], Content::None), None);
        assert!(lines.contains("filename=\"attachment-3.png\""), "{lines}");
    }

    #[test]
    fn a_type_that_is_none_injects_nothing() {
        let lines = fields(&attachment(&[(tags::ATTACH_MIME_TAG, "text/pl\nBcc: eve")], Content::None), None);
        assert!(lines.starts_with("Content-Type: application/octet-stream;"), "{lines}");
    }

    #[test]
    fn what_the_html_cites_is_inline() {
        let image = attachment(&[(tags::ATTACH_CONTENT_ID, "image001.png@01D0"), (tags::ATTACH_FILENAME, "i.png")], Content::None);
        let cited = fields(&image, Some("<img src=\"CID:image001.png%4001D0\">"));
        assert!(cited.contains("Content-Disposition: inline;") && cited.contains("Content-ID: <image001.png@01D0>\n"), "{cited}");
        assert!(fields(&image, Some("<p>")).contains("Content-Disposition: attachment;"));
    }

    #[test]
    fn an_id_without_a_domain_is_cited_too() {
        let image = attachment(&[(tags::ATTACH_CONTENT_ID, "pic2"), (tags::ATTACH_FILENAME, "i.png")], Content::None);
        let cited = fields(&image, Some("<img src='cid:pic2'>"));
        assert!(cited.contains("Content-Disposition: inline;") && cited.contains("Content-ID: <pic2>\n"), "{cited}");
        assert_eq!(content_id("a\nBcc: b"), None);
        assert_eq!(content_id("<a@b>").as_deref(), Some("<a@b>"));
    }

    #[test]
    fn what_the_html_shows_by_its_address_is_inline() {
        let values = [(tags::ATTACH_CONTENT_LOCATION, "http://host/dir/Icons.gif"), (tags::ATTACH_FILENAME, "icons.gif")];
        let image = attachment(&values, Content::None);
        assert!(fields(&image, Some("<img src=\"icons.gif\">")).contains("Content-Disposition: inline;"));
        assert!(fields(&image, Some("<img src=other.gif>")).contains("Content-Disposition: attachment;"));
    }

    #[test]
    fn composite_types_are_not_in_base64() {
        for kind in ["multipart/mixed", "message/delivery-status", "message/rfc822"] {
            let lines = fields(&attachment(&[(tags::ATTACH_MIME_TAG, kind)], Content::Bytes(b"no header".to_vec())), None);
            assert!(lines.starts_with("Content-Type: application/octet-stream;"), "{lines}");
        }
    }

    #[test]
    fn a_clean_attached_message_is_a_message() {
        let mail = attachment(&[(tags::ATTACH_FILENAME, "m.eml")], Content::Bytes(b"Subject: x\r\n\r\nbody\r\n".to_vec()));
        assert!(fields(&mail, None).starts_with("Content-Type: message/rfc822;"));
    }

    #[test]
    fn an_attached_message_that_would_break_the_outer_one_is_not() {
        assert!(!is_message("no header\n\n"));
        assert!(!is_message("Subject: the header has no end"));
        assert!(!is_message("Content-Type: multipart/mixed\n\nx"));
        assert!(!is_message("Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n"));
        assert!(is_message("Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a--\n"));
    }
}
