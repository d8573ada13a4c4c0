//! The low passes: header, pages and maps, blocks, nodes. They know no more than the bytes of the file.
//!
//! Nothing of the tolerant reader is used here: it repairs in passing what a scan must tell. The passes share a [`Low`]
//! and hand on what they collect, from the header to the trees and from these to the maps.

mod header;

use crate::damage::{Code, Place, Result};
use crate::disk::ReadAt;
use crate::format::Format;
use crate::format::header::Header;
use crate::format::id::Ib;
use crate::progress::Progress;

use super::Report;

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

/// Runs the low passes over the bytes of a file.
pub(super) fn run(file: &dyn ReadAt, progress: &Progress, report: &Report<'_>) -> Result<()> {
    let file_bytes = file.len()?;
    report.phase("Validating header");
    progress.begin("Validating header", 0)?;
    let Some((format, header)) = header::read(file, file_bytes, report)? else { return Ok(()) };
    let low = Low { file, format, header: &header, file_bytes, progress, report };
    header::check(&low);
    Ok(())
}

impl Low<'_> {
    /// Fills `buffer` from the file; a disk that does not give its bytes ends the scan.
    fn read(&self, buffer: &mut [u8], ib: Ib) -> Result<()> {
        read(self.file, buffer, ib, self.report)
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
