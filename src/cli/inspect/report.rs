//! The lines of a report: fields with their offsets, bytes in hexadecimal, lists that are cut.

use std::fmt::Write;

use super::super::out::{Output, Stop};
use super::super::text;
use crate::format::codec::Described;

/// How many entries of a list are shown without `--all`.
const ENTRIES_MAX: usize = 64;
/// How many bytes are shown without `--all`.
const BYTES_MAX: usize = 512;
/// Bytes in a line of a dump.
const DUMP_BYTES: usize = 16;
/// Where the value of a field begins.
const INDENT: usize = 30;

/// A report as it is printed.
#[derive(Debug)]
pub(super) struct Report {
    out: Output,
    all: bool,
}

impl Report {
    /// An empty report; `all` leaves nothing out.
    pub(super) fn new(all: bool) -> Self {
        Self { out: Output::new(), all }
    }

    /// Whether nothing is to be left out.
    pub(super) const fn is_whole(&self) -> bool {
        self.all
    }

    /// A line as it is.
    pub(super) fn line(&mut self, line: impl AsRef<str>) -> Result<(), Stop> {
        self.out.line(line.as_ref().trim_end())
    }

    /// A title after an empty line.
    pub(super) fn title(&mut self, title: impl AsRef<str>) -> Result<(), Stop> {
        self.out.line("")?;
        self.line(title)
    }

    /// A fact without a place.
    pub(super) fn fact(&mut self, name: &str, value: impl AsRef<str>) -> Result<(), Stop> {
        self.fields_at(None, &[(name, 0, value.as_ref().to_owned())])
    }

    /// Something wrong.
    pub(super) fn fault(&mut self, what: impl AsRef<str>) -> Result<(), Stop> {
        text::fact("  !!", what.as_ref(), 5).iter().try_for_each(|line| self.line(line))
    }

    /// The fields of a structure that begins at this offset of the file.
    pub(super) fn fields(&mut self, start: u64, fields: &Described) -> Result<(), Stop> {
        self.fields_at(Some(start), fields)
    }

    fn fields_at(&mut self, start: Option<u64>, fields: &[(&str, usize, String)]) -> Result<(), Stop> {
        for (name, at, value) in fields {
            let at = start.map(|start| format!("{:#x}", start.saturating_add(u64::try_from(*at).unwrap_or(0)))).unwrap_or_default();
            for line in text::fact(&format!("  {at:>10}  {name}"), value, INDENT) {
                self.line(line)?;
            }
        }
        Ok(())
    }

    /// A list, a line for each element; what is left out is counted. `total` may be more than the lines given.
    pub(super) fn list(&mut self, total: usize, lines: impl Iterator<Item = String>) -> Result<(), Stop> {
        let shown = if self.all { usize::MAX } else { ENTRIES_MAX };
        lines.take(shown).try_for_each(|line| self.line(format!("  {line}")))?;
        self.left_out(total.saturating_sub(shown), "")
    }

    /// Says that so many were left out.
    pub(super) fn left_out(&mut self, count: usize, what: &str) -> Result<(), Stop> {
        if count == 0 {
            return Ok(());
        }
        let what = if what.is_empty() { String::new() } else { format!(" {what}") };
        self.line(format!("  ... and {count} more{what}; --all shows them"))
    }

    /// Bytes in hexadecimal and as ASCII, with their offsets from `start` on.
    pub(super) fn dump(&mut self, start: u64, bytes: &[u8]) -> Result<(), Stop> {
        let shown = if self.all { bytes.len() } else { bytes.len().min(BYTES_MAX) };
        let mut rest = bytes.get(..shown).unwrap_or(bytes);
        let mut at = start;
        while !rest.is_empty() {
            let (line, tail) = rest.split_at_checked(DUMP_BYTES).unwrap_or((rest, &[]));
            self.line(dump_line(at, line))?;
            at = at.saturating_add(u64::try_from(line.len()).unwrap_or(0));
            rest = tail;
        }
        self.left_out(bytes.len().saturating_sub(shown), "bytes")
    }

    /// Hands over what was written.
    pub(super) fn finish(mut self) -> Result<(), Stop> {
        self.out.flush()
    }
}

fn dump_line(at: u64, bytes: &[u8]) -> String {
    let mut hex = String::new();
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x} ");
    }
    let ascii: String = bytes.iter().map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' }).collect();
    format!("  {at:08x}  {hex:<48} {ascii}")
}

/// Whether a value that must be as told is.
pub(super) fn compared(name: &str, stored: impl std::fmt::LowerHex, right: impl std::fmt::LowerHex) -> String {
    format!("{name}: stored {stored:#x}, should be {right:#x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_shows_offset_bytes_and_ascii() {
        let line = dump_line(0x4400, b"!BDN\0\xffabcdefghij");
        assert_eq!(line, "  00004400  21 42 44 4e 00 ff 61 62 63 64 65 66 67 68 69 6a  !BDN..abcdefghij");
        assert!(dump_line(u64::from(u32::MAX), &[0; 16]).len() <= 80);
        assert_eq!(dump_line(0, b"x").trim_end().len(), 62);
    }
}
