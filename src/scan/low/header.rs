//! The header: what it says of itself and of the file (H01 to H10, H13, H14, H20).
//!
//! Relies on nothing. Where the magic number or the version is gone, the first allocation map tells the format: in each
//! one it stands in another place. Where that is gone too, what was found elsewhere in the file tells it.

use super::{Low, read as read_at};
use crate::damage::{Code, Error, Finding, Place, Result, Severity};
use crate::disk::ReadAt;
use crate::format::Format;
use crate::format::amap;
use crate::format::checksum::{self, Flip};
use crate::format::cipher::Cipher;
use crate::format::codec;
use crate::format::codec::Field;
use crate::format::header::{Client, Header, HeaderFaults, MAGIC};
use crate::format::id::{BlockRef, Ib};
use crate::format::page::{Page, PageKind};
use crate::scan::Report;

/// bSentinel in every header ([MS-PST] 2.2.2.6).
const SENTINEL: u8 = 0x80;

/// The header, and the format that it or the file shows; `None` where no header can be made of it, which is reported.
/// `found` is the format of what a search found in the file, where there was one.
///
/// `Unsupported` where nothing shows that the file is a store at all.
pub(super) fn read(file: &dyn ReadAt, file_bytes: u64, found: Option<Format>, report: &Report<'_>) -> Result<Option<(Format, Header)>> {
    if file_bytes == 0 {
        return Err(Error::Unsupported("the file is empty".into()));
    }
    let mut bytes = vec![0; usize::try_from(file_bytes).unwrap_or(usize::MAX).min(Header::BYTES_MAX)];
    read_at(file, &mut bytes, Ib(0), report)?;
    let righted = Header::righted(&bytes);
    let told = righted.as_ref().map_or(&bytes, |(_, righted)| righted);
    let Some(format) = format(file, file_bytes, told, found, report)? else { return Ok(None) };
    let Ok(header) = codec::decode::<Header>(format, told) else {
        report.add(Code::HeaderEof, Place::FILE, format!("the file ends after {file_bytes} bytes, inside its header"));
        return Ok(None);
    };
    let bytes = bytes.get(..Header::size(format)).unwrap_or(&bytes);
    checksums(&header, format, bytes, righted.as_ref().map(|(flip, _)| *flip), report);
    Ok(Some((format, header)))
}

fn format(file: &dyn ReadAt, file_bytes: u64, bytes: &[u8], found: Option<Format>, report: &Report<'_>) -> Result<Option<Format>> {
    let told = Header::format_of(bytes);
    let shown = shown_format(file, file_bytes, told.ok().and_then(Result::ok), report)?;
    let place = Place::offset(10);
    let wrong = |text| report.add(Code::HeaderVersion, place, text);
    match told {
        Ok(Ok(told)) => {
            let other = shown.filter(|shown| *shown != told);
            other.into_iter().for_each(|shown| wrong(format!("it says {}, the first allocation map says {}", told.name(), shown.name())));
            Ok(Some(other.unwrap_or(told)))
        }
        Ok(Err(version)) => {
            wrong(format!("version {version}"));
            Ok(shown.or(found))
        }
        Err(_) => unmarked(bytes, file_bytes, shown, found, report),
    }
}

/// The format of a file that does not begin as a store.
fn unmarked(bytes: &[u8], file_bytes: u64, shown: Option<Format>, found: Option<Format>, report: &Report<'_>) -> Result<Option<Format>> {
    let Some(format) = shown.or(found) else {
        if bytes.starts_with(&MAGIC) {
            report.add(Code::HeaderEof, Place::FILE, format!("the file ends after {file_bytes} bytes, inside its header"));
            return Ok(None);
        }
        return Err(Error::Unsupported("not an Outlook mail store: it does not begin with the bytes 21 42 44 4e (!BDN)".into()));
    };
    let words = match shown {
        Some(_) => "the first allocation map stands where such stores have it",
        None => "there are pages and blocks of such stores",
    };
    report.add(Code::HeaderMagic, Place::offset(0), format!("it is {}: {words}", format.name()));
    Ok(Some(format))
}

/// The format whose first allocation map stands in the file; of several the one that the header tells.
fn shown_format(file: &dyn ReadAt, file_bytes: u64, told: Option<Format>, report: &Report<'_>) -> Result<Option<Format>> {
    for format in told.into_iter().chain(Format::ALL) {
        let ib = Ib(format.layout().amap_first);
        let mut bytes = vec![0; format.layout().page_bytes];
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if ib.checked_add(len).is_none_or(|end| end.0 > file_bytes) {
            continue;
        }
        read_at(file, &mut bytes, ib, report)?;
        if Page::decode(format, &bytes).is_ok_and(|page| page.is(PageKind::AMAP) && page.trailer.bid.0 == ib.0) {
            return Ok(Some(format));
        }
    }
    Ok(None)
}

fn checksums(header: &Header, format: Format, bytes: &[u8], flip: Option<Flip>, report: &Report<'_>) {
    let faults = header.faults(format, bytes);
    if faults == HeaderFaults::default() {
        return;
    }
    if flip.is_none() && is_torn(header, format) {
        return report.add(Code::HeaderDirty, Place::FILE, "the flag was changed and the checksums were not: a writer was cut off");
    }
    let tell = |code, at, stored, crc: Option<u32>| {
        let Some(crc) = crc else { return };
        let finding = Finding::new(code, Place::offset(at), checksum::mismatch(stored, crc, flip));
        // Some writers store no checksum.
        report.finding(if stored == 0 { finding.at_most(Severity::Warning) } else { finding });
    };
    tell(Code::HeaderCrcPartial, 4, header.crc_partial, faults.crc_partial);
    tell(Code::HeaderCrcFull, 524, header.crc_full, faults.crc_full);
}

/// Whether the checksums are those of another fAMapValid: some writers change the flag in place, and one was cut off.
fn is_torn(header: &Header, format: Format) -> bool {
    (0..=2).any(|valid| {
        let mut before = header.clone();
        before.root.amap_valid = valid;
        before.faults(format, &codec::encode(format, &before)) == HeaderFaults::default()
    })
}

/// Compares the header's fields with the file.
pub(super) fn check(low: &Low<'_>) {
    fields(low);
    length(low);
    for (root, name) in [(low.header.root.nodes, "node"), (low.header.root.blocks, "block")] {
        if !can_be_page(low, root) {
            let place = Place::offset(root.ib.0);
            low.report.add(Code::HeaderRoot, place, format!("the {name} B-tree's root; the file has {:#x} bytes", low.file_bytes));
        }
    }
}

/// Whether a B-tree page may stand where this reference says.
pub(super) fn can_be_page(low: &Low<'_>, place: BlockRef) -> bool {
    let page = low.page_bytes();
    let Some(part) = amap::map_of(low.format, place.ib) else { return false };
    let on_map = amap::pages_at(low.format, part)
        .any(|(behind, _)| amap::map_offset(low.format, part).and_then(|map| map.checked_add(behind)) == Some(place.ib));
    place.ib.is_aligned(page) && low.holds(place.ib, page) && !on_map
}

fn fields(low: &Low<'_>) {
    let (header, report) = (low.header, low.report);
    if ![Client::PST, Client::OST, Client::PAB].contains(&header.client) {
        report.add(Code::HeaderClient, Place::offset(8), format!("{:02x?}", header.client.0));
    }
    let reserved = [&header.reserved3, header.zeros(low.format)].concat();
    if header.sentinel != SENTINEL || reserved.iter().any(|byte| *byte != 0) || header.align != 0 {
        let detail = format!("sentinel {:#x}, reserved {reserved:02x?}, align {:#x}", header.sentinel, header.align);
        report.add(Code::HeaderReserved, Place::FILE, detail);
    }
    if Cipher::of_method(header.crypt_method).is_none() {
        report.add(Code::HeaderCrypt, Place::FILE, format!("method {:#x}", header.crypt_method));
    }
    match header.root.amap_valid {
        1 | 2 => {}
        // A torn one is told already.
        0 if report.has(Code::HeaderDirty) => {}
        other => report.add(Code::HeaderDirty, Place::FILE, format!("the flag is {other}")),
    }
    let uniform = |map: &[u8]| map.iter().all(|byte| *byte == 0xff) || map.iter().all(|byte| *byte == 0);
    if !uniform(&header.fmap) || !uniform(&header.fpmap) {
        report.add(Code::HeaderFreeMaps, Place::FILE, "");
    }
}

fn length(low: &Low<'_>) {
    let (root, layout, report) = (&low.header.root, low.format.layout(), low.report);
    let eof = root.file_eof.0;
    if eof != low.file_bytes {
        report.add(Code::HeaderEof, Place::FILE, format!("header {eof:#x}, file {:#x}", low.file_bytes));
    }
    let parts_bytes = eof.saturating_sub(layout.amap_first);
    // ANSI files of Outlook 97 to 2002 end anywhere.
    if low.format != Format::Ansi && parts_bytes.checked_rem(layout.amap_coverage) != Some(0) {
        report.add(
            Code::HeaderParts,
            Place::offset(eof),
            format!("parts of {:#x} bytes begin at {:#x}", layout.amap_coverage, layout.amap_first),
        );
    }
    let last = parts_bytes.checked_sub(1).and_then(|last| amap::map_offset(low.format, last.checked_div(layout.amap_coverage)?));
    if last.is_some_and(|last| last != root.amap_last) {
        let last = last.unwrap_or_default();
        report.add(Code::HeaderAmapLast, Place::offset(root.amap_last.0), format!("the last one is {last}"));
    }
}
