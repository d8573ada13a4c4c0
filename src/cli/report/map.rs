//! The map of a file: rows of cells from its first byte to its last, each coloured by what lies there.

use std::fmt::Write;

use crate::scan::Space;

/// Cells in a row.
const COLUMNS: u64 = 96;
/// Rows, at most.
const ROWS_MAX: u64 = 20;
/// No cell is smaller than this.
const CELL_BYTES_MIN: u64 = 512;
/// Width and height of a cell in the picture's own measure; the gap to the next one is part of it.
const CELL: u64 = 10;
const GAP: u64 = 2;

/// What lies in a cell.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    known_bytes: u64,
    used_bytes: u64,
    leaked_bytes: u64,
    damaged: u64,
}

/// The cells of a file.
#[derive(Debug)]
pub(super) struct Map {
    file_bytes: u64,
    cell_bytes: u64,
    cells: Vec<Cell>,
}

impl Map {
    /// Of a file of this length.
    pub(super) fn new(file_bytes: u64) -> Self {
        let cell_bytes = file_bytes.div_ceil(COLUMNS.saturating_mul(ROWS_MAX)).max(CELL_BYTES_MIN).next_multiple_of(CELL_BYTES_MIN);
        // At most COLUMNS * ROWS_MAX, whatever the file's length.
        let count = usize::try_from(file_bytes.div_ceil(cell_bytes)).unwrap_or(0);
        Self { file_bytes, cell_bytes, cells: vec![Cell::default(); count] }
    }

    fn cell(&mut self, offset: u64) -> Option<&mut Cell> {
        let index = usize::try_from(offset.checked_div(self.cell_bytes)?).ok()?;
        self.cells.get_mut(index)
    }

    /// Adds what a piece of the file is used for; it is not larger than a cell or shared out by its middle.
    pub(super) fn space(&mut self, space: Space) {
        if let Some(cell) = self.cell(space.offset.saturating_add(space.bytes >> 1)) {
            cell.known_bytes = cell.known_bytes.saturating_add(space.bytes);
            cell.used_bytes = cell.used_bytes.saturating_add(space.used_bytes);
            cell.leaked_bytes = cell.leaked_bytes.saturating_add(space.leaked_bytes);
        }
    }

    /// Something is wrong at an offset.
    pub(super) fn damage(&mut self, offset: u64) {
        if let Some(cell) = self.cell(offset) {
            cell.damaged = cell.damaged.saturating_add(1);
        }
    }

    /// The picture.
    pub(super) fn svg(&self) -> String {
        let count = u64::try_from(self.cells.len()).unwrap_or(0);
        let (width, height) = (COLUMNS.saturating_mul(CELL), count.div_ceil(COLUMNS).max(1).saturating_mul(CELL));
        let mut text = format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"Map of the file\">\n");
        let size = CELL.saturating_sub(GAP);
        for (number, cell) in (0_u64..).zip(&self.cells) {
            let (column, row) = (number.checked_rem(COLUMNS).unwrap_or(0), number.checked_div(COLUMNS).unwrap_or(0));
            let (x, y) = (column.saturating_mul(CELL), row.saturating_mul(CELL));
            let (class, what) = cell.shown(number == 0);
            let start = number.saturating_mul(self.cell_bytes);
            let end = start.saturating_add(self.cell_bytes).min(self.file_bytes);
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{size}\" height=\"{size}\"><title>{start:#x} to {end:#x}: {what}</title></rect>"
            );
        }
        text.push_str("</svg>\n");
        text
    }

    /// How many bytes a cell stands for.
    pub(super) const fn cell_bytes(&self) -> u64 {
        self.cell_bytes
    }
}

impl Cell {
    /// The class that gives its colour, and the words.
    fn shown(&self, first: bool) -> (&'static str, String) {
        let percent = |bytes: u64| bytes.saturating_mul(100).checked_div(self.known_bytes).unwrap_or(0);
        match () {
            () if self.damaged > 0 => ("damaged", format!("{} findings", self.damaged)),
            () if self.leaked_bytes > 0 => {
                ("leaked", format!("{} % leaked, {} % in use", percent(self.leaked_bytes), percent(self.used_bytes)))
            }
            () if self.known_bytes == 0 && first => ("head", "the header".to_owned()),
            () if self.known_bytes == 0 => ("unknown", "not told by any map".to_owned()),
            () if percent(self.used_bytes) >= 67 => ("full", format!("{} % in use", percent(self.used_bytes))),
            () if percent(self.used_bytes) >= 34 => ("half", format!("{} % in use", percent(self.used_bytes))),
            () if self.used_bytes > 0 => ("some", format!("{} % in use", percent(self.used_bytes))),
            () => ("free", "free".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_cell_and_no_file_too_many() {
        for bytes in [1, 40, 271_360, 16_818_176, 1 << 40, u64::MAX] {
            let mut map = Map::new(bytes);
            assert!((1..=1920).contains(&map.cells.len()), "{bytes}");
            map.damage(bytes - 1);
            assert_eq!(map.cells.last().unwrap().damaged, 1, "{bytes}");
        }
        assert_eq!(Map::new(0).cells.len(), 0);
    }
}
