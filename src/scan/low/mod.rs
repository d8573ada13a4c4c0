//! The low passes: header, pages and maps, blocks, nodes. They know no more than the bytes of the file.
//!
//! Nothing of the tolerant reader is used here: it repairs in passing what a scan must tell. The passes share a [`Low`]
//! and hand on what they collect, from the header to the trees and from these to the maps.

mod blocks;
mod header;
mod inner;
mod maps;
mod nodes;
mod pages;
mod table;
mod trees;
mod units;

use crate::damage::{Code, Place, Result};
use crate::disk::ReadAt;
use crate::format::Format;
use crate::format::btree::{BlockEntry, NodeEntry};
use crate::format::header::Header;
use crate::format::id::Ib;
use crate::progress::Progress;

use super::Report;
use nodes::Nodes;
use pages::Walk;
use table::Table;

/// A file whose header could be read, and where to tell what is wrong with it.
#[derive(Clone, Copy, Debug)]
struct Low<'a> {
    file: &'a dyn ReadAt,
    format: Format,
    header: &'a Header,
    file_bytes: u64,
    progress: &'a Progress,
    report: &'a Report<'a>,
}

/// Runs the low passes over the bytes of a file; returns whether header and pages lead to all that they should.
pub(super) fn run(file: &dyn ReadAt, progress: &Progress, report: &Report<'_>) -> Result<bool> {
    let file_bytes = file.len()?;
    report.phase("Validating header");
    progress.begin("Validating header", 0)?;
    let Some((format, header)) = header::read(file, file_bytes, report)? else { return Ok(false) };
    let low = Low { file, format, header: &header, file_bytes, progress, report };
    header::check(&low);
    trees(&low)
}

/// The passes behind the header: each collects what the next ones need.
fn trees(low: &Low<'_>) -> Result<bool> {
    let (mut walk, mut table, mut nodes) = (Walk::new(low), Table::default(), Nodes::default());
    low.phase("Validating BBT")?;
    walk.run(low, &mut |entry: BlockEntry| {
        table.push(&entry);
        Ok(())
    })?;
    table.finish();
    let blocks_whole = std::mem::replace(&mut walk.whole, true);
    low.phase("Validating NBT")?;
    walk.run(low, &mut |entry: NodeEntry| {
        nodes.push(&entry);
        Ok(())
    })?;
    nodes.finish();
    let nodes_whole = walk.whole;
    walk.whole &= blocks_whole;
    walk.finish(low);
    low.phase("Validating data trees")?;
    trees::run(low, &walk, &mut table, blocks_whole)?;
    low.report.phase("Validating blocks");
    blocks::run(low, &table, &mut walk.owned)?;
    low.phase("Validating nodes")?;
    nodes::run(low, &table, &nodes, nodes_whole)?;
    low.report.phase("Validating AMap");
    maps::run(low, &table, &walk.owned, walk.whole)?;
    Ok(walk.whole)
}

impl Low<'_> {
    /// Fills `buffer` from the file; a disk that does not give its bytes ends the scan.
    fn read(&self, buffer: &mut [u8], ib: Ib) -> Result<()> {
        read(self.file, buffer, ib, self.report)
    }

    /// Begins a phase whose length nobody knows.
    fn phase(&self, name: &'static str) -> Result<()> {
        self.report.phase(name);
        self.progress.begin(name, 0)
    }

    /// Bytes of a page.
    fn page_bytes(&self) -> u64 {
        u64::try_from(self.format.layout().page_bytes).unwrap_or(u64::MAX)
    }

    /// Whether so many bytes from here on lie in the file.
    fn holds(&self, ib: Ib, bytes: u64) -> bool {
        ib.checked_add(bytes).is_some_and(|end| end.0 <= self.file_bytes)
    }
}

fn read(file: &dyn ReadAt, buffer: &mut [u8], ib: Ib, report: &Report<'_>) -> Result<()> {
    Ok(file.read_exact_at(buffer, ib.0).inspect_err(|error| report.add(Code::FileUnreadable, Place::offset(ib.0), error.to_string()))?)
}
