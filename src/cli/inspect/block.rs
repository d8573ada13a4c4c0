//! A block, found through the block B-tree.

use super::super::out::Stop;
use super::Trees;
use super::report::{Report, compared};
use super::value::node_kind;
use crate::damage::Error;
use crate::format::block::{BlockTrailer, DataTreeBlock, SubnodeBlock};
use crate::format::btree::BlockEntry;
use crate::format::checksum;
use crate::format::codec::{self, Field};
use crate::format::heap::{HEAP_SIGNATURE, HeapHeader};
use crate::format::id::Bid;
use crate::ndb::BlockCrc;

/// Shows the block with this id.
pub(super) fn show(trees: &Trees<'_>, bid: u64, report: &mut Report) -> Result<(), Stop> {
    let bid = Bid(bid);
    let entry = trees.ndb.block_entry(bid).map_err(|error| trees.nothing(&format!("no block {bid}"), &error))?;
    report.line(format!("Block {bid} of {} ({})", trees.source.name(), trees.ndb.format().name()))?;
    report.title("Entry in the block B-tree")?;
    report.fact("bid", entry.block.bid.to_string())?;
    report.fact("offset", entry.block.ib.to_string())?;
    report.fact("size", entry.size.to_string())?;
    report.fact("inflated", entry.inflated.to_string())?;
    report.fact("references", entry.references.to_string())?;
    let Some(stored) = stored(trees, &entry, report)? else { return Ok(()) };
    match trees.survive(trees.ndb.block(bid))? {
        Ok(block) => data(trees, bid, &block.data, report),
        Err(error) => raw(&entry, &stored, &error, report),
    }
}

/// The block's bytes in the file, with its trailer shown; `None`, and said, where they cannot be there.
fn stored(trees: &Trees<'_>, entry: &BlockEntry, report: &mut Report) -> Result<Option<Vec<u8>>, Stop> {
    let format = trees.ndb.format();
    let wanted = entry.stored_bytes(format);
    let start = entry.block.ib;
    let end = start.checked_add(wanted).filter(|end| end.0 <= trees.ndb.file_bytes());
    let (Some(_), Ok(len)) = (end, usize::try_from(wanted)) else {
        report.title("Faults")?;
        report.fault(format!("its {wanted} bytes lie outside the file of {:#x} bytes", trees.ndb.file_bytes()))?;
        return Ok(None);
    };
    let mut bytes = vec![0; len];
    let read = trees.ndb.source().read_exact_at(&mut bytes, start.0);
    read.map_err(|error| trees.source.broken(&Error::Io(error)))?;
    let at = len.saturating_sub(BlockTrailer::size(format));
    if let Ok(trailer) = codec::decode::<BlockTrailer>(format, bytes.get(at..).unwrap_or_default()) {
        report.title("Trailer")?;
        report.fields(start.0.saturating_add(u64::try_from(at).unwrap_or(0)), &trailer.describe(format))?;
        report.title("Faults")?;
        faults(entry, &trailer, &bytes, report)?;
    }
    Ok(Some(bytes))
}

fn faults(entry: &BlockEntry, trailer: &BlockTrailer, bytes: &[u8], report: &mut Report) -> Result<(), Stop> {
    let mut faults = Vec::new();
    if trailer.size != entry.size {
        faults.push(compared("size", trailer.size, entry.size));
    }
    if trailer.bid.key() != entry.block.bid.key() {
        faults.push(compared("bid", trailer.bid.0, entry.block.bid.0));
    }
    let crc = BlockCrc::of(bytes, entry, trailer);
    if crc != BlockCrc::Right {
        let data = bytes.get(..usize::from(entry.size)).unwrap_or(bytes);
        faults.push(compared("crc", trailer.crc, checksum::crc(data)));
        faults.extend(crc.flip().map(|flip| flip.to_string()));
    }
    let signature = checksum::signature(entry.block.ib, trailer.bid);
    if signature != trailer.signature {
        faults.push(compared("signature", trailer.signature, signature));
    }
    if faults.is_empty() {
        return report.line("  none");
    }
    faults.iter().try_for_each(|fault| report.fault(fault))
}

fn data(trees: &Trees<'_>, bid: Bid, data: &[u8], report: &mut Report) -> Result<(), Stop> {
    let format = trees.ndb.format();
    if bid.is_internal() {
        if let Ok(block) = DataTreeBlock::decode(format, data) {
            let name = if block.level == 1 { "XBLOCK" } else { "XXBLOCK" };
            report.title(format!("{name}: inner block of a data tree, level {}, {} bytes below", block.level, block.total))?;
            return report.list(block.children.len(), block.children.iter().map(Bid::to_string));
        }
        match SubnodeBlock::decode(format, data) {
            Ok(SubnodeBlock::Leaf(entries)) => {
                report.title(format!("SLBLOCK: leaf of a subnode tree, {} entries", entries.len()))?;
                let line = |nid: crate::format::id::Nid| format!("{nid} ({})", node_kind(nid));
                let lines =
                    entries.iter().map(|entry| format!("{}  data {}  subnodes {}", line(entry.nid.nid), entry.data, entry.subnodes));
                return report.list(entries.len(), lines);
            }
            Ok(SubnodeBlock::Branch(entries)) => {
                report.title(format!("SIBLOCK: inner block of a subnode tree, {} entries", entries.len()))?;
                return report.list(entries.len(), entries.iter().map(|entry| format!("from {}  child {}", entry.nid.nid, entry.child)));
            }
            Err(_) => report.fault("the id says that it is an inner block of a tree, the data do not decode as one")?,
        }
    }
    let heap = codec::decode::<HeapHeader>(format, data).ok().filter(|header| header.signature == HEAP_SIGNATURE);
    let kind = match heap {
        Some(_) => ", begins a heap",
        None => "",
    };
    report.title(format!("Data block{kind}, {} bytes, decoded ({})", data.len(), trees.ndb.cipher().name()))?;
    report.dump(0, data)
}

fn raw(entry: &BlockEntry, stored: &[u8], error: &Error, report: &mut Report) -> Result<(), Stop> {
    report.title("Bytes as they stand in the file")?;
    report.fault(format!("not decoded: {error}"))?;
    report.dump(entry.block.ib.0, stored)
}
