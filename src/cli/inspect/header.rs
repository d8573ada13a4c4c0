//! The header, decoded from the bytes alone.

use super::super::out::Stop;
use super::super::text;
use super::Raw;
use super::report::{Report, compared};
use crate::format::Format;
use crate::format::cipher::Cipher;
use crate::format::codec::{self, Field};
use crate::format::header::{Client, Header, MAGIC};
use crate::format::id::Ib;

/// What `Header::describe` prints as one field of 32 numbers: a line of its own.
const NIDS: &str = "nids";

/// Shows the header; of one that is cut short, the fields that are there.
pub(super) fn show(raw: &Raw<'_>, report: &mut Report) -> Result<(), Stop> {
    let format = raw.format.unwrap_or(Format::Unicode);
    let wanted = Header::size(format);
    report.line(format!("Header of {}", raw.source.name()))?;
    report.line(format!("{}, {wanted} bytes, in a file of {}", format.name(), text::bytes(raw.source.bytes())))?;
    if raw.format.is_none() {
        report.fault("the version is not known; shown as if it were Unicode (--format tells another)")?;
    }
    // Behind the end of a file that is cut short stand zeros, which are not shown.
    let mut padded = raw.head.clone();
    padded.resize(wanted, 0);
    if let Ok(header) = codec::decode::<Header>(format, &padded) {
        fields(&header, format, raw.head.len(), report)?;
        report.title("Faults")?;
        faults(&header, format, raw, report)?;
    }
    if raw.head.len() < wanted || report.is_whole() {
        report.title("Bytes")?;
        report.dump(0, &raw.head)?;
    }
    Ok(())
}

fn fields(header: &Header, format: Format, len: usize, report: &mut Report) -> Result<(), Stop> {
    let mut fields = header.describe(format);
    fields.sort_by_key(|(_, at, _)| *at);
    // A field is there when the next one begins within the bytes.
    let ends: Vec<usize> = fields.iter().skip(1).map(|(_, at, _)| *at).chain([Header::size(format)]).collect();
    let there = fields.into_iter().zip(ends).filter(|(_, end)| *end <= len);
    let described = there.map(|((name, at, value), _)| (name, at, explained(name, value, header))).collect();
    report.fields(0, &described)
}

/// What a field's value means, where it is a number that means something.
fn explained(name: &str, value: String, header: &Header) -> String {
    let root = &header.root;
    match name {
        NIDS => header.nids.iter().map(|nid| format!("{nid:x}")).collect::<Vec<_>>().join(" "),
        "crypt_method" => format!("{value} ({})", cipher(header.crypt_method)),
        "amap_valid" => format!("{value} ({})", if root.amap_valid == 0 { "not closed cleanly" } else { "maps valid" }),
        "file_eof" => root.file_eof.to_string(),
        "amap_last" => root.amap_last.to_string(),
        "amap_free" => format!("{} bytes", root.amap_free.0),
        "pmap_free" => format!("{} bytes", root.pmap_free.0),
        "nodes" => format!("page {} at {}", root.nodes.bid, root.nodes.ib),
        "blocks" => format!("page {} at {}", root.blocks.bid, root.blocks.ib),
        _ => value,
    }
}

fn cipher(method: u8) -> &'static str {
    match (Cipher::of_method(method), method) {
        (Some(cipher), _) => cipher.name(),
        (None, 0x10) => "encrypted by Windows Information Protection",
        (None, _) => "unknown",
    }
}

fn faults(header: &Header, format: Format, raw: &Raw<'_>, report: &mut Report) -> Result<(), Stop> {
    let mut faults = Vec::new();
    let wanted = Header::size(format);
    if raw.head.len() < wanted {
        faults.push(format!("the file ends after {} of the header's {wanted} bytes", raw.head.len()));
    }
    if header.magic != MAGIC {
        faults.push("the magic is not !BDN (21 42 44 4e)".to_owned());
    }
    if ![Client::PST, Client::OST, Client::PAB].contains(&header.client) {
        faults.push("the client magic is none of SM (PST), SO (OST), AB (PAB)".to_owned());
    }
    let crcs = header.faults(format, &raw.head);
    faults.extend(crcs.crc_partial.map(|crc| compared("crc_partial", header.crc_partial, crc)));
    faults.extend(crcs.crc_full.map(|crc| compared("crc_full", header.crc_full, crc)));
    faults.extend(Header::righted(&raw.head).map(|(flip, _)| flip.to_string()));
    let size = raw.source.bytes();
    // Fields behind the cut are zeros of ours.
    if raw.head.len() >= wanted {
        if header.root.file_eof != Ib(size) {
            faults.push(format!("file_eof is {}, the file has {size:#x} bytes", header.root.file_eof));
        }
        let outside = |ib: Ib| ib.checked_add(page_bytes(format)).is_none_or(|end| end.0 > size);
        let roots = [("nodes", header.root.nodes.ib), ("blocks", header.root.blocks.ib)];
        faults.extend(
            roots.iter().filter(|(_, ib)| outside(*ib)).map(|(name, ib)| format!("the root page of {name} ({ib}) lies outside the file")),
        );
        if Cipher::of_method(header.crypt_method).is_none() {
            faults.push(format!("crypt_method {:#x}: {}", header.crypt_method, cipher(header.crypt_method)));
        }
    }
    if faults.is_empty() {
        return report.line("  none");
    }
    faults.iter().try_for_each(|fault| report.fault(fault))
}

fn page_bytes(format: Format) -> u64 {
    u64::try_from(format.layout().page_bytes).unwrap_or(u64::MAX)
}
