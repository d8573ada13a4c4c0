//! A page, read at its offset without any tree.

use super::super::out::Stop;
use super::Raw;
use super::report::{Report, compared};
use super::value::node_kind;
use crate::format::Format;
use crate::format::amap;
use crate::format::btree::{BTreePage, BlockEntry, BranchEntry, NodeEntry};
use crate::format::id::Ib;
use crate::format::page::{Page, PageKind};

/// Shows the page at this offset.
pub(super) fn show(raw: &Raw<'_>, offset: u64, report: &mut Report) -> Result<(), Stop> {
    let format = match raw.format {
        Some(format) => format,
        None => guess(raw, offset)?,
    };
    let wanted = format.layout().page_bytes;
    let left = raw.source.bytes().saturating_sub(offset);
    if left == 0 {
        let size = raw.source.bytes();
        return Err(raw.source.failed(format!("there is no page at {offset:#x}: the file has {size:#x} bytes")).into());
    }
    let bytes = raw.read(offset, usize::try_from(left).unwrap_or(usize::MAX).min(wanted))?;
    report.line(format!("Page at {offset:#x} of {} ({}, {wanted} bytes)", raw.source.name(), format.name()))?;
    if raw.format.is_none() {
        report.fault(format!("the header tells no format; {} was tried (--format tells another)", format.name()))?;
    }
    let Ok(page) = Page::decode(format, &bytes) else {
        report.fault(format!("the file ends after {} of the page's bytes", bytes.len()))?;
        return report.dump(offset, &bytes);
    };
    trailer(&page, format, offset, report)?;
    match page.trailer.kind {
        PageKind::NODES | PageKind::BLOCKS => tree(&page, format, offset, report)?,
        PageKind::AMAP => map(&page, format, report)?,
        _ => {
            report.title("Bytes")?;
            report.dump(offset, page.body)?;
            return Ok(());
        }
    }
    if report.is_whole() {
        report.title("Bytes")?;
        report.dump(offset, &bytes)?;
    }
    Ok(())
}

/// The format in which the page's CRC is right; Unicode where it is in none.
fn guess(raw: &Raw<'_>, offset: u64) -> Result<Format, Stop> {
    for format in [Format::Unicode, Format::Ansi, Format::Unicode4k] {
        let len = format.layout().page_bytes;
        let fits = offset.checked_add(u64::try_from(len).unwrap_or(u64::MAX)).is_some_and(|end| end <= raw.source.bytes());
        if !fits {
            continue;
        }
        let bytes = raw.read(offset, len)?;
        let is_right = |page: Page<'_>| page.is(page.trailer.kind) && page.faults(Ib(offset)).crc.is_none() && page.trailer.crc != 0;
        if Page::decode(format, &bytes).is_ok_and(is_right) {
            return Ok(format);
        }
    }
    Ok(Format::Unicode)
}

fn trailer(page: &Page<'_>, format: Format, offset: u64, report: &mut Report) -> Result<(), Stop> {
    let at = u64::try_from(page.body.len()).unwrap_or(0);
    report.title("Trailer")?;
    report.fields(offset.saturating_add(at), &page.trailer.describe(format))?;
    report.title("Faults")?;
    let mut faults = Vec::new();
    if !page.is(page.trailer.kind) {
        faults.push(compared("kind_again", page.trailer.kind_again.0, page.trailer.kind.0));
    }
    // Only of a known kind is it known which signature it must have.
    let known = page.trailer.kind.name() != "unknown";
    if !known {
        faults.push("no page has this kind: perhaps there is no page here".to_owned());
    }
    let found = page.faults(Ib(offset));
    faults.extend(found.crc.map(|crc| compared("crc", page.trailer.crc, crc)));
    faults.extend(found.flip.map(|flip| flip.to_string()));
    faults.extend(found.signature.filter(|_| known).map(|signature| compared("signature", page.trailer.signature, signature)));
    if faults.is_empty() {
        return report.line("  none");
    }
    faults.iter().try_for_each(|fault| report.fault(fault))
}

fn tree(page: &Page<'_>, format: Format, offset: u64, report: &mut Report) -> Result<(), Stop> {
    let Ok(body) = BTreePage::decode(format, page.body) else { return Ok(()) };
    report.title("B-tree")?;
    report.fields(offset, &body.info.describe(format))?;
    let is_leaf = body.info.level == 0;
    let (fits, entries, slack) = match (page.trailer.kind, is_leaf) {
        (_, false) => lines_of::<BranchEntry>(&body, offset, |entry| {
            format!("from {:#x}  child {} at {}", entry.key.0, entry.child.bid, entry.child.ib)
        }),
        (PageKind::NODES, true) => lines_of::<NodeEntry>(&body, offset, |entry| {
            let nid = entry.nid.nid;
            format!("{nid} ({})  data {}  subnodes {}  parent {}", node_kind(nid), entry.data, entry.subnodes, entry.parent)
        }),
        (_, true) => lines_of::<BlockEntry>(&body, offset, |entry| {
            let inflated = if entry.inflated == entry.size { String::new() } else { format!(" (inflated {})", entry.inflated) };
            format!("{} at {}  size {}{inflated}  references {}", entry.block.bid, entry.block.ib, entry.size, entry.references)
        }),
    };
    if !fits {
        report.fault("counts and entry size do not fit the page or this kind of entry")?;
    }
    report.title(format!("Entries: {}", entries.len()))?;
    entries.iter().try_for_each(|line| report.line(line))?;
    report.title(format!("Slack: {} slots behind the entries, left from before", slack.len()))?;
    if report.is_whole() { slack.iter().try_for_each(|line| report.line(line)) } else { report.left_out(slack.len(), "old entries") }
}

/// Whether the entries fit the page, their lines, and those of the slots behind them.
fn lines_of<T: crate::format::codec::Field>(
    body: &BTreePage<'_>,
    offset: u64,
    line: impl Fn(&T) -> String,
) -> (bool, Vec<String>, Vec<String>) {
    let stride = u64::from(body.info.entry_bytes);
    let with_offset =
        |(index, entry): (u64, T)| format!("  {:#10x}  {}", offset.saturating_add(index.saturating_mul(stride)), line(&entry));
    let entries: Vec<String> = (0..).zip(body.entries::<T>()).map(with_offset).collect();
    let first = u64::from(body.info.count);
    let slack = (first..).zip(body.slack::<T>()).map(with_offset).collect();
    (body.fits::<T>(), entries, slack)
}

fn map(page: &Page<'_>, format: Format, report: &mut Report) -> Result<(), Stop> {
    report.title("Allocation map")?;
    let Some(bits) = amap::bits(format, page.body) else { return Ok(()) };
    let used: u64 = bits.iter().map(|byte| u64::from(byte.count_ones())).fold(0, u64::saturating_add);
    let all = u64::try_from(bits.len()).unwrap_or(0).saturating_mul(8);
    let unit = format.layout().unit_bytes;
    let free = all.saturating_sub(used);
    report.fact("used", format!("{used} of {all} units of {unit} bytes"))?;
    report.fact("free", format!("{free} units, {} bytes", free.saturating_mul(unit)))
}
