//! A part of a source as a source of its own: a store inside the image of a disk.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::ReadAt;

/// What lies in a range of another source. What the window claims to have beyond that range reads as zeros.
#[derive(Debug, Clone)]
pub struct Window {
    below: Arc<dyn ReadAt>,
    /// Where the window's offset 0 lies below; before the beginning where only its later part is there.
    start: i64,
    /// The part of the source that may be read.
    range: Range<u64>,
    len: u64,
}

impl Window {
    /// A window whose offset 0 stands at `start` below, and that sees only `range` of the source.
    ///
    /// It ends where the range does.
    pub fn new(below: Arc<dyn ReadAt>, start: i64, range: Range<u64>) -> Self {
        let len = u64::try_from(i128::from(range.end).saturating_sub(i128::from(start))).unwrap_or(0);
        Self { below, start, range, len }
    }

    /// The bytes of the source that stand at this range of the window, as far as the window sees them.
    fn seen(&self, offset: u64, len: u64) -> Option<Range<u64>> {
        let at = |offset: u64| u64::try_from(i128::from(offset).checked_add(i128::from(self.start))?.max(0)).ok();
        let (from, to) = (at(offset)?.max(self.range.start), at(offset.checked_add(len)?)?.min(self.range.end));
        (from < to).then_some(from..to)
    }
}

impl ReadAt for Window {
    fn len(&self) -> io::Result<u64> {
        Ok(self.len)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let len = u64::try_from(buffer.len()).map_err(io::Error::other)?;
        if offset.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.fill(0);
        let Some(seen) = self.seen(offset, len) else { return Ok(()) };
        // Where in the buffer the seen bytes begin.
        let skipped = i128::from(seen.start).saturating_sub(i128::from(self.start)).saturating_sub(i128::from(offset));
        let start = usize::try_from(skipped).map_err(io::Error::other)?;
        let count = usize::try_from(seen.end.saturating_sub(seen.start)).map_err(io::Error::other)?;
        let part = buffer.get_mut(start..start.saturating_add(count)).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.below.read_exact_at(part, seen.start)
    }

    fn was_changed(&self) -> io::Result<bool> {
        self.below.was_changed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: i64, range: Range<u64>) -> Window {
        Window::new(Arc::new((0..100).collect::<Vec<u8>>()), start, range)
    }

    fn read(window: &Window, offset: u64, len: usize) -> Option<Vec<u8>> {
        let mut buffer = vec![0xff; len];
        window.read_exact_at(&mut buffer, offset).ok().map(|()| buffer)
    }

    #[test]
    fn a_window_shows_its_part() {
        let window = window(10, 10..20);
        assert_eq!(window.len().unwrap(), 10);
        assert_eq!(read(&window, 2, 3), Some(vec![12, 13, 14]));
        assert_eq!((read(&window, 7, 4), read(&window, u64::MAX, 1)), (None, None));
    }

    #[test]
    fn what_it_does_not_see_is_zeros() {
        assert_eq!(read(&window(10, 14..20), 2, 4), Some(vec![0, 0, 14, 15]));
        assert_eq!(read(&window(-4, 0..3), 2, 5), Some(vec![0, 0, 0, 1, 2]));
        assert_eq!(read(&window(-4, 0..3), 0, 2), Some(vec![0, 0]));
    }
}
