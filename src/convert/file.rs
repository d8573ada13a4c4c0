//! Attachments as files: which name, type and bytes each has, however it is stored ([MS-OXCMSG] 2.2.2).
//!
//! A document and a folder of attachments show the same: both ask here.

use super::document::{Fetch, Source};
use super::header::{self, clean};
use super::{macbinary, ole};
use crate::damage::Result;
use crate::store::item::{Attachment, Content, NodeRef};
use crate::store::tags;

/// PidTagAttachMethod of OLE objects: afStorage.
const STORAGE: i32 = 6;

/// What of an attachment is shown.
#[derive(Debug)]
pub enum Shown {
    /// A file.
    File(File),
    /// The message inside it, as a file of this name.
    Message(NodeRef, String),
    /// A text of this name in the place of what is not in the store.
    Note(String, String),
}

/// An attachment as a file.
#[derive(Debug)]
pub struct File {
    /// Its name, never empty.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// Its bytes.
    pub bytes: Source,
    /// The resource fork of a Mac's file, as AppleDouble's header file.
    pub resources: Option<Source>,
}

/// What is shown of an attachment; `number` counts from 1.
pub fn shown(attachment: &Attachment, number: usize, fetch: Fetch<'_>) -> Result<Shown> {
    let bytes: Source = match &attachment.content {
        Content::None => Source::default(),
        Content::Bytes(bytes) => bytes.clone().into(),
        Content::Stream(stream) | Content::Ole(stream) => (*stream).into(),
        Content::Message(node) => return Ok(Shown::Message(*node, with_extension(name(attachment, number), "eml"))),
        Content::Reference(target) => return Ok(link(name(attachment, number), target)),
        Content::Broken(why) => return Ok(broken(name(attachment, number), why)),
    };
    let props = &attachment.props;
    if props.int(tags::ATTACH_METHOD) == Some(STORAGE) || matches!(attachment.content, Content::Ole(_)) {
        return Ok(Shown::File(object(attachment, number, ole::held(bytes, props.codepage(), fetch)?)));
    }
    let is_mac = props.bytes(tags::ATTACH_ENCODING).is_some_and(|encoding| encoding == macbinary::ENCODING);
    let mac = if is_mac { macbinary::decode(&bytes, fetch)? } else { None };
    if let Some(mac) = mac {
        let name = stored_name(attachment).unwrap_or_else(|| header::file_name(&mac.name));
        return Ok(Shown::File(File { kind: kind_of_name(&name).to_owned(), name, bytes: mac.data, resources: mac.resources }));
    }
    Ok(Shown::File(File { name: name(attachment, number), kind: kind(attachment), bytes, resources: None }))
}

/// A link, whether to a file on a server or to the web: a text that tells where to.
fn link(name: String, target: &str) -> Shown {
    let text = format!("{name} is not in the store. It was attached as a link to:\n{}\n", clean(target));
    Shown::Note(header::file_name(&format!("{name}.txt")), text)
}

/// What says why something is not there is no photo, whatever the attachment was called.
fn broken(name: String, why: &str) -> Shown {
    let text = format!("The attachment {name} cannot be read: {}\n", without_place(why));
    Shown::Note(header::file_name(&format!("{name}.unreadable.txt")), text)
}

/// The file that an OLE object holds.
fn object(attachment: &Attachment, number: usize, held: ole::Held) -> File {
    let given = held.name.or_else(|| stored_name(attachment)).unwrap_or_else(|| format!("attachment-{number}"));
    let name = held.extension.map_or_else(|| given.clone(), |extension| with_extension(given.clone(), extension));
    File { kind: kind_of_name(&name).to_owned(), name, bytes: held.bytes, resources: None }
}

/// Why something cannot be read, without the ids and offsets at its end: they differ in a repaired store, documents do not.
pub fn without_place(why: &str) -> String {
    let why = clean(why);
    let place = why.rfind(" (").filter(|at| why.get(*at..).is_some_and(|place| place.contains("0x")));
    why.get(..place.unwrap_or(why.len())).unwrap_or_default().to_owned()
}

/// The stored type where it is one, else what the extension stands for.
fn kind(attachment: &Attachment) -> String {
    let stored = attachment.props.text(tags::ATTACH_MIME_TAG).unwrap_or_default().to_ascii_lowercase();
    let stored = stored.split(';').next().unwrap_or_default().trim().to_owned();
    if is_kind(&stored) {
        return stored;
    }
    if let Some(name) = stored_name(attachment).filter(|name| name.contains('.')) {
        return kind_of_name(&name).to_owned();
    }
    let extension = attachment.props.text(tags::ATTACH_EXTENSION).unwrap_or_default();
    kind_of_name(&format!(".{}", clean(&extension).trim_start_matches('.'))).to_owned()
}

/// `type/subtype`, both tokens (RFC 2045 5.1).
fn is_kind(kind: &str) -> bool {
    let token = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte));
    kind.len() < 128 && kind.split_once('/').is_some_and(|(main, sub)| token(main) && token(sub))
}

/// The type that a name's extension stands for.
fn kind_of_name(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let known = extension.and_then(|extension| KINDS.iter().find(|(known, _)| *known == extension));
    known.map_or("application/octet-stream", |(_, kind)| *kind)
}

/// The types that attachments without one most often have. The first extension of a type names what has no name.
const KINDS: &[(&str, &str)] = &[
    ("txt", "text/plain"),
    ("log", "text/plain"),
    ("csv", "text/csv"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("xml", "text/xml"),
    ("ics", "text/calendar"),
    ("vcf", "text/vcard"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("png", "image/png"),
    ("gif", "image/gif"),
    ("bmp", "image/bmp"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("svg", "image/svg+xml"),
    ("emf", "image/emf"),
    ("wmf", "image/wmf"),
    ("pdf", "application/pdf"),
    ("rtf", "application/rtf"),
    ("zip", "application/zip"),
    ("gz", "application/gzip"),
    ("7z", "application/x-7z-compressed"),
    ("json", "application/json"),
    ("doc", "application/msword"),
    ("xls", "application/vnd.ms-excel"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("vsd", "application/vnd.visio"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("ole", "application/x-ole-storage"),
    ("msg", "application/vnd.ms-outlook"),
    ("rpmsg", "application/x-microsoft-rpmsg-message"),
    ("p7m", "application/pkcs7-mime"),
    ("p7s", "application/pkcs7-signature"),
    ("eml", "message/rfc822"),
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("mp4", "video/mp4"),
    ("avi", "video/x-msvideo"),
];

/// The name that the attachment has in the store.
fn stored_name(attachment: &Attachment) -> Option<String> {
    let names = [tags::ATTACH_LONG_FILENAME, tags::ATTACH_FILENAME, tags::DISPLAY_NAME];
    names.into_iter().filter_map(|key| attachment.props.text(key)).map(|name| header::file_name(&name)).find(|name| !name.is_empty())
}

fn name(attachment: &Attachment, number: usize) -> String {
    stored_name(attachment).unwrap_or_else(|| {
        let kind = kind(attachment);
        let extension = KINDS.iter().find(|(_, known)| *known == kind).map_or(String::new(), |(extension, _)| format!(".{extension}"));
        format!("attachment-{number}{extension}")
    })
}

fn with_extension(name: String, extension: &str) -> String {
    let ends = name.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case(extension));
    if ends { name } else { header::file_name(&format!("{name}.{extension}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::{macbinary, ole};
    use crate::ltp::value::Value;
    use crate::store::props::{Key, Props};

    fn attachment(values: Vec<(Key, Value)>, content: Content) -> Attachment {
        Attachment { props: Props::from_values(values), content, ..Attachment::default() }
    }

    fn text(key: Key, text: &str) -> (Key, Value) {
        (key, Value::Unicode(text.to_owned()))
    }

    fn file(attachment: &Attachment) -> File {
        match shown(attachment, 3, &|_, _, _| Ok(Vec::new())).unwrap() {
            Shown::File(file) => file,
            other => panic!("{other:?}"),
        }
    }

    fn note(attachment: &Attachment) -> (String, String) {
        match shown(attachment, 3, &|_, _, _| Ok(Vec::new())).unwrap() {
            Shown::Note(name, text) => (name, text),
            other => panic!("{other:?}"),
        }
    }

    fn bytes(source: &Source) -> Vec<u8> {
        source.read(0, usize::MAX, &|_, _, _| Ok(Vec::new())).unwrap()
    }

    #[test]
    fn an_attachment_without_a_name_gets_one_of_its_type() {
        assert_eq!(file(&attachment(vec![text(tags::ATTACH_MIME_TAG, "image/png")], Content::None)).name, "attachment-3.png");
        assert_eq!(file(&attachment(vec![text(tags::ATTACH_EXTENSION, ".PDF")], Content::None)).name, "attachment-3.pdf");
        assert_eq!(file(&attachment(vec![], Content::None)).name, "attachment-3");
    }

    #[test]
    fn a_link_tells_where_it_leads() {
        let name = text(tags::ATTACH_LONG_FILENAME, "plan.doc");
        for target in ["\\\\server\\share\\plan.doc", "https://tenant.sharepoint.com/plan.doc?x=1"] {
            let (name, text) = note(&attachment(vec![name.clone()], Content::Reference(target.into())));
            assert_eq!(name, "plan.doc.txt");
            assert!(text.ends_with(&format!("\n{target}\n")), "{text}");
        }
        let (_, text) = note(&attachment(vec![name], Content::Reference("a\r\n\r\nb".into())));
        assert!(text.ends_with("\na    b\n"));
    }

    #[test]
    fn what_cannot_be_read_says_why_and_names_no_ids() {
        let error = crate::damage::Error::Damaged(crate::damage::Code::Attachment, crate::damage::Place::node(0x8025).at(0x4400));
        let (name, why) = note(&attachment(vec![text(tags::ATTACH_FILENAME, "i.png")], Content::Broken(error.to_string())));
        assert_eq!(name, "i.png.unreadable.txt");
        assert_eq!(why, "The attachment i.png cannot be read: M18: an attachment's content cannot be read\n");
        assert_eq!(without_place("gone (sadly)"), "gone (sadly)");
    }

    #[test]
    fn an_object_is_the_file_in_it() {
        let packed = ole::testing::packed(b"plan.pdf", b"C:\\plan.pdf", None, b"%PDF");
        let object = ole::testing::written(cfb::Version::V3, &[("/\u{1}Ole10Native", &packed)]);
        let values = vec![(tags::ATTACH_METHOD, Value::I32(6)), text(tags::DISPLAY_NAME, "Packager Shell Object")];
        let held = file(&attachment(values, Content::Bytes(object)));
        assert_eq!((held.name.as_str(), held.kind.as_str(), bytes(&held.bytes)), ("plan.pdf", "application/pdf", b"%PDF".to_vec()));
    }

    #[test]
    fn an_object_that_holds_no_file_is_a_compound_file() {
        let object = ole::testing::written(cfb::Version::V3, &[("/secret", b"x")]);
        let values = vec![(tags::ATTACH_METHOD, Value::I32(6)), text(tags::DISPLAY_NAME, "Chart")];
        let held = file(&attachment(values, Content::Bytes(object.clone())));
        assert_eq!((held.name.as_str(), held.kind.as_str()), ("Chart.ole", "application/x-ole-storage"));
        assert_eq!(bytes(&held.bytes), object);
    }

    #[test]
    fn a_file_of_a_mac_is_its_data() {
        let mac = macbinary::tests::written("Read me.txt", b"text", b"fork");
        let encoding = (tags::ATTACH_ENCODING, Value::Binary(macbinary::ENCODING.to_vec()));
        let held = file(&attachment(vec![encoding], Content::Bytes(mac.clone())));
        assert_eq!((held.name.as_str(), held.kind.as_str(), bytes(&held.bytes)), ("Read me.txt", "text/plain", b"text".to_vec()));
        assert!(held.resources.is_some());
        assert_eq!(bytes(&file(&attachment(vec![], Content::Bytes(mac.clone()))).bytes), mac, "without the mark it is any file");
    }

    #[test]
    fn a_message_has_the_extension_of_one() {
        let named = |name: &str| match shown(
            &attachment(vec![text(tags::DISPLAY_NAME, name)], Content::Message(NodeRef::default())),
            1,
            &|_, _, _| Ok(Vec::new()),
        ) {
            Ok(Shown::Message(_, name)) => name,
            other => panic!("{other:?}"),
        };
        assert_eq!([named("Re: x"), named("x.EML")], ["Re: x.eml", "x.EML"]);
    }
}
