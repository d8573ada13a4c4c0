//! Lists that may be longer than memory should hold: past a bound they move into a temporary file without a name.
//!
//! What a check of a store keeps for each block takes half a gigabyte for a store of ten. In a file that only this
//! process can reach, and that is mapped, the system decides how much of that stays in memory. It lies in `TMPDIR`, else
//! in `/var/tmp` or `/tmp`, never beside the store, and is gone when the list is dropped or the process ends, however it
//! ends. Where no such file can be had, the list stays in memory.

#![allow(unsafe_code, reason = "a mapped file becomes a slice, and its space is reserved; neither has a safe form")]

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use memmap2::{MmapMut, MmapOptions};

/// How many bytes of a list stay in memory, unless it is told otherwise: a search for what is lost has a few dozen lists.
const MEMORY_BYTES: usize = 1 << 20;

/// A list of plain values, used like a `Vec`: it is a slice that grows.
pub struct Spill<T: Copy> {
    place: Place<T>,
    memory_bytes: usize,
}

enum Place<T> {
    Memory(Vec<T>),
    File(Mapped<T>),
}

/// Values in a mapped temporary file.
struct Mapped<T> {
    map: MmapMut,
    file: File,
    len: usize,
    values: PhantomData<T>,
}

impl<T: Copy> Spill<T> {
    /// An empty list of which a megabyte stays in memory.
    pub const fn new() -> Self {
        Self::keeping(MEMORY_BYTES)
    }

    /// An empty list of which so many bytes stay in memory.
    pub const fn keeping(memory_bytes: usize) -> Self {
        Self { place: Place::Memory(Vec::new()), memory_bytes }
    }

    /// Adds a value at the end.
    pub fn push(&mut self, value: T) {
        if self.is_full() {
            self.grow();
        }
        match &mut self.place {
            Place::Memory(values) => values.push(value),
            Place::File(mapped) => mapped.push(value),
        }
    }

    /// Adds values at the end.
    pub fn push_all(&mut self, values: &[T]) {
        match &mut self.place {
            Place::Memory(list) if size_of_val(list.as_slice()).saturating_add(size_of_val(values)) <= self.memory_bytes => {
                list.extend_from_slice(values);
            }
            _ => self.push_pieces(values),
        }
    }

    /// Adds values, as many at a time as there is room for.
    fn push_pieces(&mut self, mut values: &[T]) {
        while let Some((first, rest)) = values.split_first() {
            self.push(*first);
            let room = match &self.place {
                Place::Memory(list) => list.capacity().saturating_sub(list.len()),
                Place::File(mapped) => mapped.capacity().saturating_sub(mapped.len),
            };
            let (now, later) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            match &mut self.place {
                Place::Memory(list) => list.extend_from_slice(now),
                Place::File(mapped) => mapped.extend(now),
            }
            values = later;
        }
    }

    /// Shortens the list to this length.
    pub fn truncate(&mut self, len: usize) {
        match &mut self.place {
            Place::Memory(values) => values.truncate(len),
            Place::File(mapped) => mapped.len = mapped.len.min(len),
        }
    }

    /// Keeps the values that `keep` wants, which is shown the last one that was kept before each.
    pub fn retain(&mut self, keep: impl Fn(Option<&T>, &T) -> bool) {
        let list = &mut **self;
        let mut kept = 0_usize;
        for at in 0..list.len() {
            let last = kept.checked_sub(1).and_then(|last| list.get(last));
            if list.get(at).is_some_and(|value| keep(last, value)) {
                // What stays in its place is not written: the system would have to bring it to the disk again.
                if kept != at {
                    list.swap(kept, at);
                }
                kept = kept.saturating_add(1);
            }
        }
        self.truncate(kept);
    }

    /// Puts the values in the order of their keys; those of one key stay in the order that they have.
    ///
    /// Sorts no values but their keys, in a list that may leave memory too: a stable sort of a slice takes half its room.
    pub fn sort_stably_by_key<K: Copy + Ord>(&mut self, key: impl Fn(&T) -> K) {
        if self.is_sorted_by_key(&key) {
            return;
        }
        let mut order: Spill<(K, usize)> = self.iter().map(key).zip(0..).collect();
        order.sort_unstable();
        let mut sorted = Self::keeping(self.memory_bytes);
        sorted.extend(order.iter().filter_map(|(_, at)| self.get(*at).copied()));
        *self = sorted;
    }

    /// Puts the values in order, each once.
    pub fn settle(&mut self)
    where
        T: Ord,
    {
        self.sort_unstable();
        self.retain(|last, value| last != Some(value));
    }

    /// How many bytes it takes of memory that no file stands for.
    pub fn memory_bytes(&self) -> usize {
        match &self.place {
            Place::Memory(values) => values.capacity().saturating_mul(size_of::<T>()),
            Place::File(_) => 0,
        }
    }

    /// Whether the next value needs more room than there is, or than memory may give.
    fn is_full(&self) -> bool {
        match &self.place {
            Place::Memory(values) => values.len() == values.capacity() && values.len().saturating_mul(size_of::<T>()) >= self.memory_bytes,
            Place::File(mapped) => mapped.len >= mapped.capacity(),
        }
    }

    /// Makes room in a file; where that cannot be had, in memory.
    fn grow(&mut self) {
        let grown = match &mut self.place {
            Place::Memory(values) => Mapped::holding(values).map(|mapped| self.place = Place::File(mapped)),
            Place::File(mapped) => mapped.grow(),
        };
        if let Err(error) = grown {
            tracing::debug!("a list of {} values stays in memory: {error}", self.len());
            if let Place::File(mapped) = &self.place {
                self.place = Place::Memory(mapped.values().to_vec());
            }
            self.memory_bytes = usize::MAX;
        }
    }
}

impl<T> Mapped<T> {
    /// These values in a new temporary file, with room for as many again.
    fn holding(values: &[T]) -> io::Result<Self>
    where
        T: Copy,
    {
        let file = temporary()?;
        let map = map(&file, size_of_val(values).saturating_mul(2).max(1 << 16))?;
        let mut mapped = Self { map, file, len: 0, values: PhantomData };
        values.iter().for_each(|value| mapped.push(*value));
        Ok(mapped)
    }

    fn grow(&mut self) -> io::Result<()> {
        self.map = map(&self.file, self.map.len().saturating_mul(2))?;
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.map.len().checked_div(size_of::<T>()).unwrap_or(usize::MAX)
    }

    /// Adds a value, for which there must be room.
    fn push(&mut self, value: T) {
        assert!(self.len < self.capacity(), "who pushes has made room");
        // SAFETY: the place lies in the mapping, as just asked; a mapping begins at a page, so every value in it is aligned.
        unsafe { self.map.as_mut_ptr().cast::<T>().wrapping_add(self.len).write(value) };
        self.len = self.len.saturating_add(1);
    }

    /// Adds values, for which there must be room.
    fn extend(&mut self, values: &[T])
    where
        T: Copy,
    {
        assert!(values.len() <= self.capacity().saturating_sub(self.len), "who extends has made room");
        let end = self.map.as_mut_ptr().cast::<T>().wrapping_add(self.len);
        // SAFETY: so many places lie in the mapping behind the last value, as just asked, and are aligned as it is; what is
        // borrowed from elsewhere is no part of the mapping, which is borrowed here.
        unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), end, values.len()) };
        self.len = self.len.saturating_add(values.len());
    }

    fn values(&self) -> &[T] {
        // SAFETY: so many values were written to the mapping, and it is aligned. The file has no name and is ours alone, so
        // nobody else changes or cuts it; its space is reserved, so no page of it is missing.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast::<T>(), self.len) }
    }

    fn values_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and the exclusive borrow of the mapping is passed on.
        unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr().cast::<T>(), self.len) }
    }
}

/// A file without a name, where files may come and go.
fn temporary() -> io::Result<File> {
    let told = std::env::var_os("TMPDIR").map(PathBuf::from);
    let folders = told.into_iter().chain(["/var/tmp", "/tmp"].map(PathBuf::from));
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for folder in folders {
        match OpenOptions::new().read(true).write(true).mode(0o600).custom_flags(libc::O_TMPFILE | libc::O_EXCL).open(folder) {
            Ok(file) => return Ok(file),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Maps a file of this many bytes, all of which the disk has room for: a page without room would end the program.
fn map(file: &File, bytes: usize) -> io::Result<MmapMut> {
    let len = i64::try_from(bytes).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open; no memory is touched.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, len) } {
        // SAFETY: the file has no name and was opened by this process alone: nobody else writes to it or cuts it.
        0 => unsafe { MmapOptions::new().len(bytes).map_mut(file) },
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

impl<T: Copy> Deref for Spill<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.place {
            Place::Memory(values) => values,
            Place::File(mapped) => mapped.values(),
        }
    }
}

impl<T: Copy> DerefMut for Spill<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.place {
            Place::Memory(values) => values,
            Place::File(mapped) => mapped.values_mut(),
        }
    }
}

impl<T: Copy> Extend<T> for Spill<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.push(value));
    }
}

impl<T: Copy> FromIterator<T> for Spill<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut list = Self::new();
        list.extend(values);
        list
    }
}

impl<T: Copy> Default for Spill<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Copy> fmt::Debug for Spill<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spill").field("len", &self.len()).field("memory_bytes", &self.memory_bytes()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_the_same_in_memory_and_in_a_file() {
        let mut list = Spill::keeping(1 << 12);
        for value in 0..100_000_u32 {
            list.push((value, u64::from(value) << 30));
            assert!(list.memory_bytes() <= 2 << 12, "what is long takes no memory");
        }
        assert!(matches!(list.place, Place::File(_)));
        assert!(list.iter().copied().eq((0..100_000).map(|value| (value, u64::from(value) << 30))));
        list.sort_unstable_by_key(|(value, _)| std::cmp::Reverse(*value));
        list.truncate(2);
        list.push((7, 7));
        assert_eq!(list[..], [(99_999, 99_999 << 30), (99_998, 99_998 << 30), (7, 7)]);
    }

    #[test]
    fn a_list_keeps_what_is_wanted_in_its_order() {
        for memory_bytes in [16, 1 << 20] {
            let mut list = Spill::keeping(memory_bytes);
            list.extend([1_u32, 1, 2, 3, 3, 3, 1, 4]);
            list.retain(|last, value| last != Some(value));
            assert_eq!(list[..], [1, 2, 3, 1, 4]);
            list.retain(|_, value| value & 1 == 0);
            assert_eq!(list[..], [2, 4]);
            list.retain(|_, _| false);
            assert!(list.is_empty());
        }
    }

    #[test]
    fn values_of_one_key_stay_in_their_order() {
        for memory_bytes in [16, 1 << 20] {
            let mut list = Spill::keeping(memory_bytes);
            list.extend([(3, 'a'), (1, 'b'), (3, 'c'), (2, 'd'), (1, 'e')]);
            list.sort_stably_by_key(|(key, _)| *key);
            assert_eq!(list[..], [(1, 'b'), (1, 'e'), (2, 'd'), (3, 'a'), (3, 'c')]);
            let mut list = Spill::keeping(memory_bytes);
            list.extend([3_u32, 1, 2, 3, 1]);
            list.settle();
            assert_eq!(list[..], [1, 2, 3]);
        }
    }

    #[test]
    fn a_short_list_makes_no_file() {
        let list: Spill<u64> = (0..1000).collect();
        assert!(matches!(list.place, Place::Memory(_)) && list.len() == 1000);
    }

    #[test]
    fn without_room_in_a_file_a_list_stays_in_memory() {
        let mut list = Spill::keeping(1 << 12);
        list.extend(0..10_000_u32);
        let Place::File(mapped) = &mut list.place else { panic!("it is long") };
        // No file grows any more that is open for reading alone.
        mapped.file = File::open("/dev/null").unwrap();
        list.extend(10_000..100_000);
        assert!(matches!(list.place, Place::Memory(_)) && list.iter().copied().eq(0..100_000));
    }
}
