//! Whether each block's count tells how often it is named (B18 to B20).
//!
//! Relies on the [`Table`] of blocks once the walk over all trees has counted who names them.

use super::Low;
use super::table::Table;
use crate::damage::{Code, Finding, Result, Severity};
use crate::format::btree::BlockEntry;

/// How a block's count and the entries that name it go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    Right,
    /// Nothing that a node reaches names it.
    Unused,
    /// It would be freed while it is in use.
    TooLow,
    /// It would never be freed.
    TooHigh,
    /// It is named more often than a count can say.
    Full,
}

impl Count {
    /// `told` is 1 + the references, as stored; those of blocks that nothing reaches may be in it or not.
    fn of(told: u16, live: u16, lost: u8) -> Self {
        let least = live.saturating_add(1);
        match () {
            () if live == 0 => Self::Unused,
            () if live == u16::MAX => Self::Full,
            () if told < least => Self::TooLow,
            () if told > least.saturating_add(lost.into()) => Self::TooHigh,
            () => Self::Right,
        }
    }
}

/// How many entries are looked at between two questions whether to go on.
const ENTRIES: usize = 1024;

/// Counts entries as done up to this one, many at a time: most take less time than counting them.
pub(super) fn entry_done(low: &Low<'_>, at: usize, entries: usize) -> Result<()> {
    let done = at.saturating_add(1);
    let whole = done & (ENTRIES - 1) == 0;
    let count = if whole { ENTRIES } else { done & (ENTRIES - 1) };
    if whole || done == entries { low.progress.add(low.bytes_of::<BlockEntry>(count)) } else { Ok(()) }
}

/// Compares the counts. Without all pages of both trees nobody knows who names what, and too few are found everywhere.
pub(super) fn run(low: &Low<'_>, table: &Table, whole: bool) -> Result<()> {
    for (at, row) in table.rows().iter().enumerate() {
        entry_done(low, at, table.rows().len())?;
        let entry = row.entry();
        let detail = || format!("it says {}, its own entry and {} others name it", entry.references, row.live);
        let finding = match Count::of(entry.references, row.live, row.lost) {
            Count::Right => continue,
            Count::TooLow => Finding::new(Code::BlockReferences, row.place(), detail()),
            Count::Full => Finding::new(Code::BlockReferencesMax, row.place(), detail()),
            Count::Unused | Count::TooHigh if !whole => continue,
            Count::Unused => Finding::new(Code::BlockUnused, row.place(), format!("{} bytes, count {}", entry.size, entry.references)),
            Count::TooHigh => Finding::new(Code::BlockReferences, row.place(), detail()).at_most(Severity::Warning),
        };
        low.report.finding(finding);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_one_more_than_the_references() {
        assert_eq!(Count::of(2, 1, 0), Count::Right);
        assert_eq!(Count::of(1, 1, 0), Count::TooLow);
        assert_eq!(Count::of(3, 1, 0), Count::TooHigh);
        assert_eq!(Count::of(3, 1, 1), Count::Right, "a block that nothing reaches may count");
        assert_eq!(Count::of(0, 0, 0), Count::Unused);
    }

    /// No file can show it in reasonable time: it takes 65,535 nodes that name one block.
    #[test]
    fn a_block_that_is_named_too_often_is_told_as_such() {
        assert_eq!(Count::of(u16::MAX, u16::MAX - 1, 0), Count::Right);
        assert_eq!(Count::of(u16::MAX, u16::MAX, 0), Count::Full);
        assert_eq!(Count::of(7, u16::MAX, 0), Count::Full);
    }
}
