//! The density list (P21): a hint that real files have wrong, so nothing of it is more than a note ([MS-PST] 2.2.2.7.4).

use super::Low;
use crate::damage::{Code, Place, Result};
use crate::format::Format;
use crate::format::codec;
use crate::format::id::Ib;
use crate::format::page::{Page, PageKind};

/// Looks at the list of a file that has so many parts.
pub(super) fn run(low: &Low<'_>, parts: u64) -> Result<()> {
    let ib = Ib(low.format.layout().dlist);
    if !low.holds(ib, low.page_bytes()) {
        return Ok(());
    }
    let mut bytes = vec![0; low.format.layout().page_bytes];
    low.read(&mut bytes, ib)?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    let Ok(page) = Page::decode(low.format, &bytes) else { return Ok(()) };
    let faults = page.faults(ib);
    let wrong = match () {
        () if !page.is(PageKind::DLIST) => Some("it is a page of another kind".to_owned()),
        () if faults.crc.is_some() => Some("its CRC does not match".to_owned()),
        () if faults.signature.is_some() => Some("its signature does not match".to_owned()),
        () => stale_entry(low, page.body, parts),
    };
    if let Some(wrong) = wrong {
        low.report.add(Code::DensityList, Place::offset(ib.0), wrong);
    }
    Ok(())
}

/// The first entry of the density list that cannot be: a part's number in the low 20 bits, its free units in the others.
fn stale_entry(low: &Low<'_>, body: &[u8], parts: u64) -> Option<String> {
    let count = usize::from(*body.get(1)?);
    let entries: Vec<u32> = codec::entries(low.format, body.get(8..)?, 4).take(count).collect();
    if entries.len() < count || low.format != Format::Unicode4k && count > 120 {
        return Some(format!("it says that it has {count} entries"));
    }
    entries.iter().find(|entry| u64::from(*entry & 0xf_ffff) >= parts).map(|entry| format!("entry {entry:#x}: the file has {parts} parts"))
}
