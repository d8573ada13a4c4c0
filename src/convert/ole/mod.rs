//! OLE objects: the file that one holds, where it holds one.
//!
//! An object is stored as a compound file ([MS-CFB]); `compound` finds its streams. What program an object is of shows in
//! their names: a packaged file, a document of Office, a picture. What is none of these stays the compound file.

mod compound;

use super::document::{Fetch, Source};
use super::header;
use crate::damage::Result;
use crate::store::codepage;
use compound::{Compound, Entry, Places, SIGNATURE, cut, slice, u16_at, u32_at};

/// The largest object that is looked into: it is read once for that. Larger ones stay compound files.
const OBJECT_MAX: u64 = 32 << 20;

/// How far the names before a packaged file may reach.
const NAMES_MAX: u64 = 64 << 10;

/// How much of a file shows what it is.
const MAGIC_LEN: u64 = 128;

/// The extension of a compound file that nothing better is known of.
const COMPOUND: &str = "ole";

/// What an object turned out to hold.
#[derive(Debug)]
pub struct Held {
    /// The name that the object itself gives it.
    pub name: Option<String>,
    /// The extension that its kind has; none where only the name tells.
    pub extension: Option<&'static str>,
    /// Its bytes.
    pub bytes: Source,
}

/// What is in an object; `page` is the code page of its names.
pub fn held(object: Source, page: u16, fetch: Fetch<'_>) -> Result<Held> {
    if object.len() > OBJECT_MAX {
        return Ok(Held { name: None, extension: Some(COMPOUND), bytes: object });
    }
    let bytes = object.read(0, usize::MAX, fetch)?;
    let found = Compound::open(&bytes).and_then(|compound| File { compound: &compound, bytes: &bytes, object: &object }.held(page));
    Ok(found.unwrap_or_else(|| {
        let is_compound = bytes.starts_with(&SIGNATURE) || bytes.is_empty();
        let extension = if is_compound { Some(COMPOUND) } else { kind(&bytes).or(Some("bin")) };
        Held { name: None, extension, bytes: object }
    }))
}

/// A compound file that is looked into.
struct File<'a> {
    compound: &'a Compound<'a>,
    bytes: &'a [u8],
    object: &'a Source,
}

impl File<'_> {
    /// What is held: by the names of streams, the surest first.
    fn held(&self, page: u16) -> Option<Held> {
        let streams = self.compound.streams();
        let stream = |name: &str| streams.iter().find(|entry| entry.name.eq_ignore_ascii_case(name)).copied();
        let package = stream("\u{1}Ole10Native").and_then(|entry| self.native(entry, page));
        let package = package.or_else(|| ["Package", "EmbeddedOdf", "CONTENTS"].into_iter().find_map(|name| self.content(stream(name)?)));
        package.or_else(|| {
            let (_, extension) = DOCUMENTS.iter().find(|(name, _)| stream(name).is_some())?;
            Some(Held { name: None, extension: Some(extension), bytes: self.object.clone() })
        })
    }

    /// The file in a native stream: packed with its names, or raw data of a program ([MS-OLEDS] 2.3.6).
    fn native(&self, entry: &Entry, page: u16) -> Option<Held> {
        let places = self.compound.places(entry)?;
        let head = self.compound.head(&places, NAMES_MAX);
        if let Some(packed) = Packed::decode(&head) {
            let end = packed.offset.checked_add(packed.len).filter(|end| *end <= entry.size)?;
            let after = self.compound.head(&slice(&places, end, NAMES_MAX), NAMES_MAX);
            let name = unicode_label(&after)
                .or_else(|| packed.names.iter().map(|name| codepage::decode(page, name)).find(|name| !name.is_empty()));
            let name = name.map(|name| last_part(&name)).filter(|name| !name.is_empty());
            return Some(Held { name, extension: None, bytes: self.cut(&slice(&places, packed.offset, packed.len)) });
        }
        let data = slice(&places, 4, entry.size.checked_sub(4)?.min(u64::from(u32_at(&head, 0)?)));
        self.known(&data)
    }

    /// A stream that is a file of a kind that is known.
    fn content(&self, entry: &Entry) -> Option<Held> {
        self.known(&self.compound.places(entry)?)
    }

    fn known(&self, places: &Places) -> Option<Held> {
        let head = self.compound.head(places, MAGIC_LEN);
        let bytes = self.cut(places);
        if let Some(before) = bitmap_header(&head, bytes.len()) {
            return Some(Held { name: None, extension: Some("bmp"), bytes: Source::from(before).then(bytes) });
        }
        let extension = match kind(&head)? {
            "zip" => self.zipped(&head),
            other => other,
        };
        Some(Held { name: None, extension: Some(extension), bytes })
    }

    /// What a zip file is: its names tell, which are not compressed.
    fn zipped(&self, head: &[u8]) -> &'static str {
        let open = [("opendocument.text", "odt"), ("opendocument.spreadsheet", "ods"), ("opendocument.presentation", "odp")];
        let found = open.iter().find(|(mark, _)| contains(head, mark.as_bytes()));
        let office = [("word/document", "docx"), ("xl/workbook", "xlsx"), ("ppt/presentation", "pptx")];
        let found = found.or_else(|| office.iter().find(|(mark, _)| contains(self.bytes, mark.as_bytes())));
        found.map_or("zip", |(_, extension)| extension)
    }

    /// The bytes at these places, out of the object.
    fn cut(&self, places: &Places) -> Source {
        places.iter().fold(Source::default(), |source, (offset, len)| source.then(self.object.slice(*offset, *len)))
    }
}

/// Streams that only documents of a program have: the object is such a document itself.
const DOCUMENTS: [(&str, &str); 6] = [
    ("WordDocument", "doc"),
    ("Workbook", "xls"),
    ("Book", "xls"),
    ("PowerPoint Document", "ppt"),
    ("VisioDocument", "vsd"),
    ("__properties_version1.0", "msg"),
];

/// A file that the packager packed: after its names and a command.
struct Packed<'a> {
    names: [&'a [u8]; 2],
    offset: u64,
    len: u64,
}

impl<'a> Packed<'a> {
    fn decode(head: &'a [u8]) -> Option<Self> {
        // After the size of all comes 2 where names follow.
        if u16_at(head, 4)? != 2 {
            return None;
        }
        let label = text_at(head, 6)?;
        let path_at = 7_usize.checked_add(label.len())?;
        let path = text_at(head, path_at)?;
        // Two numbers that nobody knows; then the command, its length before it.
        let command_at = long(path_at.checked_add(path.len())?.checked_add(5)?);
        let command_len = u64::from(u32_at(head, command_at)?);
        let size_at = command_at.checked_add(4)?.checked_add(command_len)?;
        let len = u64::from(u32_at(head, size_at)?);
        Some(Self { names: [label, path], offset: size_at.checked_add(4)?, len })
    }
}

/// A text that ends with a NUL, without it.
fn text_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    let len = rest.iter().position(|byte| *byte == 0)?;
    rest.get(..len)
}

/// The label in Unicode that newer packagers write after the file, behind the command in Unicode.
fn unicode_label(after: &[u8]) -> Option<String> {
    let text = |at: u64| -> Option<(String, u64)> {
        let len = u64::from(u32_at(after, at)?).checked_mul(2)?;
        let bytes = cut(after, at.checked_add(4)?, len)?;
        let units = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
        Some((char::decode_utf16(units).collect::<std::result::Result<_, _>>().ok()?, at.checked_add(4)?.checked_add(len)?))
    };
    let (_, label_at) = text(0)?;
    text(label_at).map(|(label, _)| label).filter(|label| !label.is_empty())
}

/// The last part of a path.
fn last_part(path: &str) -> String {
    header::file_name(path.rsplit(['\\', '/']).next().unwrap_or_default())
}

/// The extension of what files begin with.
fn kind(head: &[u8]) -> Option<&'static str> {
    let begins: [(&[u8], &str); 11] = [
        (b"%PDF", "pdf"),
        (b"BM", "bmp"),
        (b"\x89PNG", "png"),
        (b"GIF8", "gif"),
        (b"\xff\xd8\xff", "jpg"),
        (b"\xd7\xcd\xc6\x9a", "wmf"),
        (b"II*\0", "tif"),
        (b"MM\0*", "tif"),
        (b"PK\x03\x04", "zip"),
        (b"{\\rtf", "rtf"),
        (&SIGNATURE, COMPOUND),
    ];
    let is_metafile = head.starts_with(&[1, 0, 0, 0]) && cut(head, 40, 4) == Some(b" EMF");
    let found = begins.iter().find(|(mark, _)| head.starts_with(mark)).map(|(_, extension)| *extension);
    found.or(is_metafile.then_some("emf"))
}

/// The header that a bitmap has in a file, for one that was stored without ([MS-WMF] 2.2.2.3).
fn bitmap_header(head: &[u8], len: u64) -> Option<Vec<u8>> {
    const FILE_HEADER: u32 = 14;
    const INFO_HEADER: u32 = 40;
    const BIT_FIELDS: u32 = 3;
    let (bits, compression, used) = (u16_at(head, 14)?, u32_at(head, 16)?, u32_at(head, 32)?);
    if u32_at(head, 0)? != INFO_HEADER || u16_at(head, 12)? != 1 || bits > 32 || used > 256 {
        return None;
    }
    let colours = if used > 0 || bits > 8 { used } else { 1_u32.checked_shl(u32::from(bits))? };
    let masks = if compression == BIT_FIELDS { 12 } else { 0 };
    let start = FILE_HEADER.checked_add(INFO_HEADER)?.checked_add(colours.checked_mul(4)?)?.checked_add(masks)?;
    let size = u32::try_from(len).ok()?.checked_add(FILE_HEADER)?;
    let mut header = b"BM".to_vec();
    for number in [size, 0, start] {
        header.extend(number.to_le_bytes());
    }
    Some(header)
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let Some(first) = wanted.first() else { return false };
    bytes.iter().enumerate().any(|(at, byte)| byte == first && bytes.get(at..).is_some_and(|rest| rest.starts_with(wanted)))
}

fn long(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod testing {
    /// What the packager writes for a file; newer ones put the names after it in Unicode too.
    pub(in crate::convert) fn packed(label: &[u8], path: &[u8], unicode: Option<&str>, file: &[u8]) -> Vec<u8> {
        let mut body = vec![2, 0];
        for name in [label, path] {
            body.extend(name);
            body.push(0);
        }
        body.extend([0, 0, 3, 0]);
        body.extend((path.len() as u32 + 1).to_le_bytes());
        body.extend(path);
        body.push(0);
        body.extend((file.len() as u32).to_le_bytes());
        body.extend(file);
        for name in unicode.iter().flat_map(|name| ["c:\\temp\\x", name, name]) {
            body.extend((name.encode_utf16().count() as u32).to_le_bytes());
            body.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
        }
        [&(body.len() as u32).to_le_bytes()[..], &body].concat()
    }

    pub(in crate::convert) use super::compound::tests::written;
}

#[cfg(test)]
mod tests {
    use super::testing::{packed, written};
    use super::*;

    fn found(streams: &[(&str, &[u8])]) -> (Option<String>, Option<&'static str>, Vec<u8>) {
        let file = written(cfb::Version::V3, streams);
        let held = held(file.into(), 1252, &|_, _, _| Ok(Vec::new())).unwrap();
        let bytes = held.bytes.read(0, usize::MAX, &|_, _, _| Ok(Vec::new())).unwrap();
        (held.name, held.extension, bytes)
    }

    #[test]
    fn a_packaged_file_comes_out_with_its_name() {
        let file = vec![7_u8; 5000];
        let native = packed(b"plan.txt", b"C:\\Temp\\plan.txt", None, &file);
        assert_eq!(found(&[("/\u{1}Ole10Native", &native)]), (Some("plan.txt".into()), None, file.clone()));
        let native = packed(b"M\xfcll.txt", b"C:\\M\xfcll.txt", None, b"x");
        assert_eq!(found(&[("/\u{1}Ole10Native", &native)]).0.unwrap(), "Müll.txt");
        let native = packed(b"??.txt", b"C:\\??.txt", Some("C:\\日本.txt"), &file);
        assert_eq!(found(&[("/\u{1}Ole10Native", &native)]), (Some("日本.txt".into()), None, file));
    }

    #[test]
    fn a_packaged_file_of_a_lying_length_leaves_the_object_whole() {
        let mut native = packed(b"a.txt", b"a.txt", None, b"text");
        let at = native.len() - 8;
        native[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        let (name, extension, bytes) = found(&[("/\u{1}Ole10Native", &native)]);
        assert_eq!((name, extension), (None, Some("ole")));
        assert!(bytes.starts_with(&SIGNATURE));
    }

    #[test]
    fn raw_native_data_of_a_known_kind_is_a_file() {
        let native = [&6_u32.to_le_bytes()[..], b"BM1234"].concat();
        assert_eq!(found(&[("/\u{1}Ole10Native", &native)]), (None, Some("bmp"), b"BM1234".to_vec()));
    }

    #[test]
    fn documents_of_office_are_the_object_or_its_package() {
        let word = found(&[("/WordDocument", b"x"), ("/1Table", b"y")]);
        assert_eq!(word.1, Some("doc"));
        assert!(word.2.starts_with(&SIGNATURE));
        let zip = b"PK\x03\x04 [Content_Types].xml xl/workbook.xml";
        assert_eq!(found(&[("/Package", zip)]), (None, Some("xlsx"), zip.to_vec()));
        let odf = b"PK\x03\x04..........................mimetypeapplication/vnd.oasis.opendocument.text";
        assert_eq!(found(&[("/EmbeddedOdf", odf)]).1, Some("odt"));
    }

    #[test]
    fn contents_are_a_file_where_their_kind_is_known() {
        assert_eq!(found(&[("/CONTENTS", b"%PDF-1.4 x")]), (None, Some("pdf"), b"%PDF-1.4 x".to_vec()));
        assert_eq!(found(&[("/CONTENTS", b"who knows")]).1, Some("ole"));
    }

    #[test]
    fn a_bitmap_gets_the_header_that_files_have() {
        let mut dib = vec![0_u8; 40 + 16 * 4 + 8];
        for (at, value) in [(0, 40), (4, 2), (8, 2), (12, 1), (14, 4)] {
            dib[at] = value;
        }
        let (_, extension, bytes) = found(&[("/CONTENTS", &dib)]);
        assert_eq!(extension, Some("bmp"));
        assert_eq!((&bytes[..2], &bytes[10..14], &bytes[14..]), (&b"BM"[..], &118_u32.to_le_bytes()[..], &dib[..]));
        assert_eq!(bytes[2..6], (bytes.len() as u32).to_le_bytes());
    }

    #[test]
    fn what_is_no_compound_file_is_kept() {
        let held = held(b"\x01\x02rubble".to_vec().into(), 1252, &|_, _, _| Ok(Vec::new())).unwrap();
        assert_eq!((held.name, held.extension, held.bytes.len()), (None, Some("bin"), 8));
    }
}
