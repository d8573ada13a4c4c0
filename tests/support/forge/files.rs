//! Content that old programs stored: OLE objects, files of Macs, compressed RTF.

use std::io::{Cursor, Write};

use pstfs::format::checksum::crc;

use super::recipe::Line;

/// The OLE object that a line describes: `packed=NAME`, `stream=NAME`, or neither for bytes that are none.
pub(super) fn object(line: &Line, content: &[u8]) -> Vec<u8> {
    if let Some(name) = line.option("packed") {
        return compound(&[("\u{1}Ole10Native", &packed(name, content)), ("\u{1}CompObj", b"packager")]);
    }
    match line.option("stream") {
        Some(name) => compound(&[(name, content)]),
        None => [&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1][..], content].concat(),
    }
}

/// A compound file of these streams, without the times that the writer would put in.
fn compound(streams: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = cfb::CompoundFile::create_with_version(cfb::Version::V3, Cursor::new(Vec::new())).unwrap();
    for (name, bytes) in streams {
        file.create_stream(format!("/{name}")).unwrap().write_all(bytes).unwrap();
    }
    file.set_modified_time("/", std::time::UNIX_EPOCH).unwrap();
    file.flush().unwrap();
    file.into_inner().into_inner()
}

/// What the packager writes for a file.
fn packed(name: &str, content: &[u8]) -> Vec<u8> {
    let mut body = vec![2, 0];
    for text in [name.to_owned(), format!("C:\\Temp\\{name}")] {
        body.extend(text.bytes().chain([0]));
    }
    body.extend([0, 0, 3, 0]);
    let command = format!("C:\\Temp\\{name}\0");
    body.extend((command.len() as u32).to_le_bytes());
    body.extend(command.bytes());
    body.extend((content.len() as u32).to_le_bytes());
    body.extend(content);
    [&(body.len() as u32).to_le_bytes()[..], &body].concat()
}

/// A bitmap of 2 x 2 points as it lies in memory: without the header that files have.
pub(super) fn bitmap() -> Vec<u8> {
    let mut bytes = vec![0; 40];
    for (at, value) in [(0, 40), (4, 2), (8, 2), (12, 1), (14, 24), (20, 16)] {
        bytes[at] = value;
    }
    bytes.extend([0x20; 16]);
    bytes
}

/// A Mac's file in MacBinary.
pub(super) fn mac(name: &str, data: &[u8], resources: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 128];
    bytes[1] = name.len() as u8;
    bytes[2..2 + name.len()].copy_from_slice(name.as_bytes());
    bytes[65..73].copy_from_slice(b"TEXTttxt");
    bytes[83..87].copy_from_slice(&(data.len() as u32).to_be_bytes());
    bytes[87..91].copy_from_slice(&(resources.len() as u32).to_be_bytes());
    for fork in [data, resources] {
        bytes.extend(fork);
        bytes.resize(bytes.len().next_multiple_of(128), 0);
    }
    bytes
}

/// RTF as the compressed-RTF property holds it ([MS-OXRTFCP] 2.1.3.1.1): `stored` as MELA, else as LZFu, in single bytes
/// with a reference to its end. `flaw` is what is wrong with it.
pub(super) fn rtf(rtf: &[u8], stored: bool, flaw: Option<&str>) -> Vec<u8> {
    let mut contents = if stored { rtf.to_vec() } else { literal(rtf) };
    let check = if stored || flaw == Some("crc") { 0 } else { crc(&contents) };
    let size = contents.len() as u32 + 12;
    let raw = if flaw == Some("rawsize") { 7 } else { rtf.len() as u32 };
    if flaw == Some("cut") {
        contents.truncate(contents.len() / 2);
    }
    let kind = if stored { 0x414c_454d } else { 0x7546_5a4c };
    let header: Vec<u8> = [size, raw, kind, check].into_iter().flat_map(u32::to_le_bytes).collect();
    [header, contents].concat()
}

fn literal(rtf: &[u8]) -> Vec<u8> {
    let mut contents = Vec::new();
    for run in rtf.chunks(8) {
        contents.push(if run.len() < 8 { 1 << run.len() } else { 0 });
        contents.extend(run);
    }
    if rtf.len().is_multiple_of(8) {
        contents.push(1);
    }
    // The end is a reference to the place in the dictionary that would be written next.
    let end = ((207 + rtf.len()) % 4096) as u16;
    contents.extend((end << 4).to_be_bytes());
    contents
}
