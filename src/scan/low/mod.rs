//! The low passes: header, pages and maps, blocks, nodes. They know no more than the bytes of the file.
//!
//! Nothing of the tolerant reader is used here: it repairs in passing what a scan must tell. The passes share a [`Low`]
//! and hand on what they collect, from the header to the trees and from these to the maps.

mod ahead;
mod blocks;
mod density;
mod header;
mod inner;
mod maps;
mod nodes;
mod pages;
mod picture;
mod references;
mod spans;
mod table;
mod trees;
mod units;

use std::io::ErrorKind;

use crate::damage::{Code, Error, Place, Result};
use crate::disk::ReadAt;
use crate::format::Format;
use crate::format::btree::{BlockEntry, NodeEntry};
use crate::format::codec::Field;
use crate::format::header::Header;
use crate::format::id::Ib;
use crate::ndb::Ndb;
use crate::progress::Progress;

use super::{Blocks, Report};
use ahead::Ahead;
use nodes::Nodes;
use pages::Walk;
use table::Table;

/// A file whose header could be read, and where to tell what is wrong with it.
#[derive(Clone, Copy, Debug)]
struct Low<'a> {
    file: &'a dyn ReadAt,
    /// How the pass over all blocks reads them.
    blocks: Blocks<'a>,
    format: Format,
    header: &'a Header,
    file_bytes: u64,
    progress: &'a Progress,
    report: &'a Report<'a>,
}

/// Runs the low passes over the bytes of a file; returns whether header and pages lead to all that they should.
///
/// Where they do not, `store` tells what else stands in the file: what is wrong with that is looked for, too.
pub(super) fn run(file: &dyn ReadAt, blocks: Blocks<'_>, store: Option<&Ndb>, progress: &Progress, report: &Report<'_>) -> Result<bool> {
    let file_bytes = file.len()?;
    report.phase("Validating header");
    progress.begin("Validating header", 0)?;
    let Some((format, header)) = header::read(file, file_bytes, store.map(Ndb::format), report)? else { return Ok(false) };
    let low = Low { file, blocks, format, header: &header, file_bytes, progress, report };
    header::check(&low);
    trees(&low, store)
}

/// What the passes behind the header collect, each for those after it.
struct Found {
    walk: Walk,
    table: Table,
    nodes: Nodes,
    /// Whether all nodes are known.
    nodes_whole: bool,
}

/// The passes behind the header.
fn trees(low: &Low<'_>, store: Option<&Ndb>) -> Result<bool> {
    let Found { mut walk, table, mut nodes, nodes_whole } = ahead::of(low, |ahead| follow(low, store, ahead))?;
    let mut parts = table.in_parts(low.format, low.file_bytes);
    blocks::run(low, &table, &mut parts, &mut walk.owned)?;
    nodes::run(low, &table, &mut nodes, nodes_whole)?;
    maps::run(low, &table, parts.order(), &walk.owned, walk.whole)?;
    Ok(walk.whole)
}

/// The passes over the trees: those of pages, then those of blocks.
fn follow(low: &Low<'_>, store: Option<&Ndb>, ahead: &Ahead) -> Result<Found> {
    let (mut walk, mut table, mut nodes) = (Walk::new(low), Table::default(), Nodes::default());
    // How many pages a tree has shows when they are read.
    low.phase("Validating BBT", 0)?;
    walk.run(low, &mut |entry: BlockEntry| {
        ahead.tell(low, &entry);
        table.push(&entry);
        Ok(())
    })?;
    table.finish();
    if let Some(ndb) = store.filter(|_| !walk.whole) {
        table.add_found(ndb)?;
    }
    let blocks_whole = std::mem::replace(&mut walk.whole, true);
    let block_pages = walk.bytes;
    low.phase("Validating NBT", 0)?;
    walk.run(low, &mut |entry: NodeEntry| {
        nodes.push(&entry);
        Ok(())
    })?;
    nodes.finish();
    let found = store.filter(|_| !walk.whole);
    if let Some(ndb) = found {
        nodes.add_found(ndb)?;
    }
    let nodes_whole = walk.whole;
    walk.whole &= blocks_whole;
    walk.finish(low);
    let node_pages = walk.bytes.saturating_sub(block_pages);
    // A block that was not found anywhere is lost, whatever stood on the pages that are.
    let reach = Reach { all: walk.whole, blocks: blocks_whole || store.is_some(), found };
    trees::run(low, reach, node_pages, &mut table)?;
    Ok(Found { walk, table, nodes, nodes_whole })
}

/// How far the pages lead, and who knows more, when the trees of nodes are followed.
#[derive(Clone, Copy, Debug)]
struct Reach<'a> {
    /// Whether both B-trees have all their pages.
    all: bool,
    /// Whether a block of which nothing is known is lost.
    blocks: bool,
    /// Who has the nodes, where the node B-tree does not have them all.
    found: Option<&'a Ndb>,
}

impl Low<'_> {
    /// Fills `buffer` from the file; a disk that does not give its bytes ends the scan.
    fn read(&self, buffer: &mut [u8], ib: Ib) -> Result<()> {
        read(self.file, buffer, ib, self.report)
    }

    /// The same for the pass over all blocks.
    fn read_blocks(&self, buffer: &mut [u8], ib: Ib) -> Result<()> {
        read(self.blocks_file(), buffer, ib, self.report)
    }

    /// Through what the pass over all blocks reads.
    fn blocks_file(&self) -> &dyn ReadAt {
        if let Blocks::Through(file) = self.blocks { file } else { self.file }
    }

    /// Begins a phase that looks at so many bytes; 0 where nobody knows.
    fn phase(&self, name: &'static str, bytes: u64) -> Result<()> {
        self.report.phase(name);
        self.progress.begin(name, bytes)
    }

    /// Bytes that so many entries of a kind take.
    fn bytes_of<T: Field>(&self, entries: usize) -> u64 {
        u64::try_from(entries.saturating_mul(T::size(self.format))).unwrap_or(u64::MAX)
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
    file.read_exact_at(buffer, ib.0).map_err(|error| {
        // Whoever asks to stop finds nothing wrong with the file.
        if error.kind() != ErrorKind::Interrupted {
            report.add(Code::FileUnreadable, Place::offset(ib.0), error.to_string());
        }
        Error::Io(error)
    })
}
