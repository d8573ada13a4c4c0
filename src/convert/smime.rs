//! Signed and encrypted mail ([MS-OXOSMIME]): the one attachment is the message's body.
//!
//! What a signature covers must leave as it came, byte for byte: so the stored entity stands in the document as it is,
//! with the line ends that it has.

use super::document::{Fetch, Segment, Source};
use super::encode::BOUNDARY_MARK;
use super::header::{self, Fields, clean};
use super::part::{Part, Step, boundary};
use crate::damage::Result;
use crate::store::item::{Content, Item};

/// How far the header of a stored entity reaches at most.
const HEAD_MAX: usize = 16 << 10;

/// The name that PKCS #7 bodies have (RFC 8551 3.2.1).
const NAME: &str = "smime.p7m";

/// The body of a signed or encrypted message; `None` where the item is neither, or not stored as such.
pub fn body(item: &Item, fetch: Fetch<'_>) -> Result<Option<Part>> {
    if !item.class().to_ascii_lowercase().contains(".smime") {
        return Ok(None);
    }
    let [attachment] = item.attachments.as_slice() else { return Ok(None) };
    let source: Source = match &attachment.content {
        Content::Bytes(bytes) => bytes.clone().into(),
        Content::Stream(stream) => (*stream).into(),
        Content::None | Content::Message(_) | Content::Ole(_) | Content::Reference(_) | Content::Broken(_) => return Ok(None),
    };
    let head = source.read(0, HEAD_MAX, fetch)?;
    Ok(match signed(&head, source.clone()) {
        Some(part) => Some(part),
        // DER begins with a sequence.
        None if head.first() == Some(&0x30) => Some(opaque(&head, source)),
        None => None,
    })
}

/// A multipart/signed entity with its header.
fn signed(head: &[u8], source: Source) -> Option<Part> {
    let text: String = head.iter().map(|byte| char::from(*byte)).collect();
    let end = [("\r\n\r\n", 4), ("\n\n", 2)].into_iter().filter_map(|(mark, len)| Some((text.find(mark)?, len))).min()?;
    // One character stands for one byte here, yet two bytes may stand for a character: count characters.
    let head = text.get(..end.0)?;
    let skip = u64::try_from(head.chars().count().saturating_add(end.1)).ok()?;
    let fields = content_fields(head);
    let kind = fields.get("Content-Type")?.unfolded().to_ascii_lowercase();
    let stands =
        kind.trim_start().starts_with("multipart/signed") && boundary(head).is_some_and(|boundary| !boundary.contains(BOUNDARY_MARK));
    stands.then(|| Part { fields, body: vec![Step::Write(Segment::Raw(source.skip(skip)))], inline: false })
}

/// The fields of the entity that speak of its content.
fn content_fields(head: &str) -> Fields {
    let mut fields = Fields::default();
    let unfolded = head.replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
    for (name, value) in unfolded.lines().filter_map(|line| line.split_once(':')) {
        if name.to_ascii_lowercase().starts_with("content-") && !name.contains(' ') && value.is_ascii() {
            fields.add(header::tokens(name, clean(value).split_whitespace().map(str::to_owned)));
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

/// What the object identifier at the beginning says: 1.2.840.113549.1.7.2 and its neighbours (RFC 5652).
fn content_kind(head: &[u8]) -> Option<&'static str> {
    const PKCS7: [u8; 10] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];
    // Tag and length of the sequence take two to six bytes.
    let kind = (2..=6).find_map(|at: usize| head.get(at..)?.strip_prefix(&PKCS7)?.first())?;
    match kind {
        2 => Some("signed-data"),
        3 => Some("enveloped-data"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ltp::value::Value;
    use crate::store::item::Attachment;
    use crate::store::props::Props;
    use crate::store::tags;

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
        assert_eq!(part.fields.lines(), "Content-Type: multipart/signed; micalg=x; boundary=\"b\"\n");
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
    fn what_is_not_stored_as_signed_is_an_ordinary_attachment() {
        assert!(part("IPM.Note.SMIME.MultipartSigned", b"rubble").is_none());
        assert!(part("IPM.Note", &[0x30]).is_none());
    }
}
