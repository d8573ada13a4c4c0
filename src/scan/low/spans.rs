//! The space that blocks take in the file: no two of them, and no block and a page, lie on each other (P18).
//!
//! The threads that read the blocks gather it part by part; who puts the parts together, in the order of the file, takes it
//! at once where no block lies on another.

use super::Low;
use super::blocks::can_be_read;
use super::table::{Row, Table};
use super::units::Units;
use crate::damage::Code;
use crate::format::id::Ib;

/// The space that blocks take, those next to each other as one.
#[derive(Debug)]
pub(super) struct Spans {
    all: Vec<(u64, u64)>,
    /// The last block.
    last: u64,
    /// Whether no block lies on another one.
    apart: bool,
}

/// How many gaps between the blocks of a part are remembered.
const SPANS_MAX: usize = 4096;

impl Default for Spans {
    fn default() -> Self {
        Self { all: Vec::new(), last: 0, apart: true }
    }
}

impl Spans {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.all.len()
    }

    /// Adds a block behind those before.
    pub(super) fn add(&mut self, bid: u64, start: u64, end: u64) {
        let full = self.all.len() >= SPANS_MAX;
        match self.all.last_mut() {
            Some((_, last)) if *last == start => *last = end,
            Some((_, last)) if start < *last || full => self.apart = false,
            _ => self.all.push((start, end)),
        }
        self.last = bid;
    }
}

/// Where the blocks before end.
#[derive(Debug, Default)]
pub(super) struct Before {
    end: u64,
    bid: u64,
}

impl Before {
    /// Takes the space of a part's blocks: at once where no block lies on another, as in every file that is sound.
    pub(super) fn claim_all(&mut self, low: &Low<'_>, table: &Table, order: &[u32], spans: &Spans, owned: &mut Units) {
        let free = |(start, end): &(u64, u64)| *start >= self.end && !owned.has_any(Ib(*start), end.saturating_sub(*start));
        if spans.apart && spans.all.iter().all(free) {
            for (start, end) in &spans.all {
                owned.add(Ib(*start), end.saturating_sub(*start));
                (self.end, self.bid) = (*end, spans.last);
            }
        } else {
            order.iter().filter_map(|at| table.at(*at)).for_each(|row| self.claim(low, row, owned));
        }
    }

    /// Takes a block's space, unless something has it.
    fn claim(&mut self, low: &Low<'_>, row: &Row, owned: &mut Units) {
        let entry = row.entry();
        if !can_be_read(low, &entry) {
            return;
        }
        let (ib, bytes) = (entry.block.ib, entry.stored_bytes(low.format));
        let taken = owned.add(ib, bytes);
        if ib.0 < self.end {
            low.report.add(Code::TwoOwners, row.place(), format!("block {:#x} reaches up to {:#x}", self.bid, self.end));
        } else if taken {
            low.report.add(Code::TwoOwners, row.place(), "a page of a B-tree lies there");
        }
        let end = ib.0.saturating_add(bytes);
        if end > self.end {
            (self.end, self.bid) = (end, row.bid().0);
        }
    }
}
