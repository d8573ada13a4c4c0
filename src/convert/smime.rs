//! Signed and encrypted mail ([MS-OXOSMIME]): the one attachment is the message's body.
//!
//! What a signature covers must leave as it came, byte for byte: so the stored entity stands in the document as it is,
//! with the line ends that it has.

use super::document::{Fetch, Segment, Source};
use super::encode::{BOUNDARY_MARK, with_line_ends};
use super::header::{self, Field, Fields, WORD_MAX, clean};
use super::part::{Part, Step, boundary};
use crate::damage::Result;
use crate::store::item::{Content, Item};
use crate::store::tags;

/// How far the header of a stored entity reaches at most.
const HEAD_MAX: usize = 16 << 10;

/// The name that PKCS #7 bodies have (RFC 8551 3.2.1).
const NAME: &str = "smime.p7m";

/// The endings of classes whose one attachment is the body ([MS-OXOSMIME] 2.1.3.1.2, 2.1.3.2.2); not those of reports on them.
const CLASSES: [&str; 2] = [".smime", ".smime.multipartsigned"];

/// The body of a signed or encrypted message; `None` where the item is neither, or not stored as such.
pub fn body(item: &Item, fetch: Fetch<'_>) -> Result<Option<Part>> {
    let class = item.class().to_ascii_lowercase();
    if !CLASSES.iter().any(|ending| class.ends_with(ending)) {
        return Ok(None);
    }
    let [attachment] = item.attachments.as_slice() else { return Ok(None) };
    let source: Source = match &attachment.content {
        Content::Bytes(bytes) => bytes.clone().into(),
        Content::Stream(stream) => (*stream).into(),
        Content::None | Content::Message(_) | Content::Ole(_) | Content::Reference(_) | Content::Broken(_) => return Ok(None),
    };
    let head = source.read(0, HEAD_MAX, fetch)?;
    // Clear-signed ones may have the class of the others, so the bytes decide. DER begins with a sequence.
    Ok(match signed(&head, source.clone()) {
        Some(part) => Some(part),
        None if head.first() == Some(&0x30) => Some(opaque(&head, source)),
        None => None,
    })
}

/// What readers know a message by that is neither: one with protected rights ([MS-OXORMMS] 2.1.1).
pub fn content_class(item: &Item) -> Option<Field> {
    let class = item.props.text(tags::CONTENT_CLASS)?;
    Some(header::text("Content-Class", &class))
}

/// A multipart/signed entity with its header.
fn signed(head: &[u8], source: Source) -> Option<Part> {
    let end = [&b"\r\n\r\n"[..], b"\n\n"].into_iter().filter_map(|mark| Some((position(head, mark)?, mark.len()))).min()?;
    let text = String::from_utf8_lossy(head.get(..end.0)?).into_owned();
    let skip = u64::try_from(end.0.checked_add(end.1)?).ok()?;
    let fields = content_fields(&text);
    let kind = fields.get("Content-Type")?.unfolded().to_ascii_lowercase();
    let stands =
        kind.trim_start().starts_with("multipart/signed") && boundary(&text).is_some_and(|boundary| !boundary.contains(BOUNDARY_MARK));
    stands.then(|| Part { fields, body: vec![Step::Write(Segment::Raw(source.skip(skip)))], inline: false })
}

fn position(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    (0..bytes.len()).find(|at| bytes.get(*at..).is_some_and(|rest| rest.starts_with(mark)))
}

/// The fields of the entity that speak of its content, in the lines that they have: a boundary may hold several spaces.
fn content_fields(head: &str) -> Fields {
    let mut fields = Fields::default();
    let lines = with_line_ends(head);
    for (name, value) in unbroken(&lines).iter().filter_map(|field| field.split_once(':')) {
        if name.to_ascii_lowercase().starts_with("content-") && !name.contains(' ') && value.is_ascii() {
            let stands = value.lines().all(|line| line.len() < WORD_MAX && !line.trim().is_empty() && !line.contains(char::is_control));
            let field = Field { name: name.to_owned(), value: value.trim().to_owned() };
            fields.add(if stands { field } else { header::tokens(name, clean(value).split_whitespace().map(str::to_owned)) });
        }
    }
    fields
}

/// The fields of a header, each with the lines that continue it; tabs there are spaces.
fn unbroken(head: &str) -> Vec<String> {
    let mut fields: Vec<String> = Vec::new();
    for line in head.lines().map(|line| line.trim_end().replace('\t', " ")) {
        match fields.last_mut() {
            Some(last) if line.starts_with(' ') => last.extend(["\n", &line]),
            _ => fields.push(line),
        }
    }
    fields
}

/// A PKCS #7 body.
fn opaque(head: &[u8], source: Source) -> Part {
    let mut part = Part::base64("application/pkcs7-mime", NAME, source);
    let mut tokens = vec!["application/pkcs7-mime;".to_owned()];
    tokens.extend(content_kind(head).map(|kind| format!("smime-type={kind};")));
    tokens.extend(header::name_parameter(NAME));
    part.fields.set(header::tokens("Content-Type", tokens));
    part
}

/// What the object identifier at the beginning says (RFC 8551 3.2.2).
fn content_kind(head: &[u8]) -> Option<&'static str> {
    /// 1.2.840.113549.1, where PKCS 7 is 7 and PKCS 9 is 9.
    const PKCS: [u8; 7] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01];
    const KINDS: [(&[u8], &str); 4] = [
        (&[7, 2], "signed-data"),
        (&[7, 3], "enveloped-data"),
        (&[9, 16, 1, 9], "compressed-data"),
        (&[9, 16, 1, 23], "authEnveloped-data"),
    ];
    // Tag and length of the sequence take two to six bytes, those of the identifier two.
    let id = (2..=6).find_map(|at: usize| match head.get(at..)? {
        [6, len, rest @ ..] => rest.get(..usize::from(*len))?.strip_prefix(&PKCS),
        _ => None,
    })?;
    KINDS.iter().find(|(end, _)| *end == id).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ltp::value::Value;
    use crate::store::item::Attachment;
    use crate::store::props::Props;

    fn part(class: &str, content: &[u8]) -> Option<Part> {
        let item = Item {
            props: Props::from_values([(tags::MESSAGE_CLASS, Value::Unicode(class.into()))]),
            attachments: vec![Attachment { content: Content::Bytes(content.to_vec()), ..Attachment::default() }],
            ..Item::default()
        };
        body(&item, &|_, _, _| Ok(Vec::new())).unwrap()
    }

    #[test]
    fn a_signed_entity_keeps_every_byte_of_its_body() {
        let entity =
            b"MIME-Version: 1.0\r\nContent-Type: multipart/signed; micalg=x;\r\n\tboundary=\"b\"\r\n\r\n--b\r\n\r\n\xff\x00 \r\n--b--\r\n";
        let part = part("IPM.Note.SMIME.MultipartSigned", entity).unwrap();
        assert_eq!(part.fields.lines(), "Content-Type: multipart/signed; micalg=x;\n boundary=\"b\"\n");
        let mut document = super::super::document::Document::default();
        for step in part.body {
            let Step::Write(segment) = step else { panic!() };
            document.push(segment);
        }
        let bytes = document.read_with(0, usize::MAX, &|_, _, _| Ok(Vec::new())).unwrap();
        assert_eq!(bytes, b"--b\r\n\r\n\xff\x00 \r\n--b--\r\n");
    }

    #[test]
    fn an_encrypted_body_says_what_it_is() {
        let der = [0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03, 0xa0];
        let lines = part("IPM.Note.SMIME", &der).unwrap().fields.lines();
        assert!(lines.starts_with("Content-Type: application/pkcs7-mime; smime-type=enveloped-data;\n name=\"smime.p7m\"\n"), "{lines}");
    }

    #[test]
    fn a_boundary_keeps_its_spaces() {
        let entity = b"Content-Type: multipart/signed;\r\n  boundary=\"--b  1\"\r\nX-Other: no\r\n\r\n----b  1";
        let lines = part("IPM.Note.SMIME", entity).unwrap().fields.lines();
        assert_eq!(lines, "Content-Type: multipart/signed;\n  boundary=\"--b  1\"\n");
    }

    #[test]
    fn a_report_on_a_signed_message_is_a_report() {
        assert!(part("REPORT.IPM.Note.SMIME.NDR", &[0x30, 0x80]).is_none());
        assert!(part("IPM.Custom.SMIME", &[0x30, 0x80]).is_some());
    }

    #[test]
    fn the_kind_of_content_is_told_where_it_is_known() {
        let kind =
            |id: &[u8]| content_kind(&[&[0x30, 0x82, 1, 0, 6, 7 + id.len() as u8, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1], id].concat());
        assert_eq!([kind(&[7, 2]), kind(&[7, 3])], [Some("signed-data"), Some("enveloped-data")]);
        assert_eq!(
            [kind(&[9, 16, 1, 9]), kind(&[9, 16, 1, 23]), kind(&[7, 1])],
            [Some("compressed-data"), Some("authEnveloped-data"), None]
        );
        (0..16)
            .for_each(|len| assert_eq!(content_kind(&[0x30, 0x80, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7][..len.min(12)]), None));
    }

    #[test]
    fn what_is_not_stored_as_signed_is_an_ordinary_attachment() {
        assert!(part("IPM.Note.SMIME.MultipartSigned", b"rubble").is_none());
        assert!(part("IPM.Note", &[0x30]).is_none());
    }
}
