//! Whole copies of a file, for backups: by shared storage where the file system can, else byte by byte; and their names.

#![allow(unsafe_code, reason = "ioctl(FICLONE), fcntl, renameat2, posix_fadvise and fstatvfs have no safe form in std")]

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

/// How many bytes are copied at a time: of what is made of them piece by piece, a whole number of pieces of 1 MiB.
const PIECE_BYTES: usize = 8 << 20;
/// How many pieces may be written before they are read back.
const PIECES_AHEAD: usize = 2;
/// Direct access is by blocks of the disk; none has larger ones.
const BLOCK_BYTES: usize = 4096;
/// As large as any machine has them.
const PAGE_BYTES: u64 = 64 << 10;

/// Makes `to`, an empty file, a copy of `from` that names the same bytes on the disk until one of them is written to
/// (ioctl_ficlone(2)); whether the file system can.
pub fn share_storage(from: &File, to: &File) -> io::Result<bool> {
    // SAFETY: both descriptors are open; the call takes no pointer.
    if unsafe { libc::ioctl(to.as_raw_fd(), libc::FICLONE, from.as_raw_fd()) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EOPNOTSUPP | libc::EXDEV | libc::EINVAL | libc::ENOTTY | libc::ENOSYS | libc::EPERM) => Ok(false),
        _ => Err(error),
    }
}

/// Writes the bytes of `from` into `to`, an empty file, and syncs it. What was written is read back beside that, in order.
///
/// Both go past the system's memory where the file system lets them (open(2), `O_DIRECT`): what is read back comes from the
/// disk, and a copy of many GB drives nothing else out. `step` hears of every piece, and may stop it with an error.
pub fn copy_bytes(
    from: &File,
    to: &File,
    step: &mut dyn FnMut(u64) -> io::Result<()>,
    read_back: &mut (dyn FnMut(&[u8]) + Send),
) -> io::Result<()> {
    set_direct(to, true);
    let (written, pieces) = mpsc::sync_channel(PIECES_AHEAD);
    let bytes = thread::scope(|scope| {
        let reader = scope.spawn(move || read_pieces(to, &pieces, read_back));
        let copied = write_pieces(from, to, &written, step);
        drop(written);
        // Where reading fails, writing stops without an error of its own.
        let read = reader.join().unwrap_or_else(|_| Err(io::Error::other("a reading thread ended early")));
        copied.and_then(|bytes| read.map(|()| bytes))
    })?;
    set_direct(to, false);
    to.set_len(bytes)?;
    to.sync_all()
}

/// Copies piece by piece and says where each is, and how long; returns the length of all. The last one is written with
/// zeros behind it, up to a whole block.
fn write_pieces(
    from: &File,
    to: &File,
    written: &SyncSender<(u64, usize)>,
    step: &mut dyn FnMut(u64) -> io::Result<()>,
) -> io::Result<u64> {
    let mut piece = Piece::new();
    let mut offset = 0;
    loop {
        let bytes = fill(piece.bytes(), from, offset)?;
        let len = u64::try_from(bytes).map_err(io::Error::other)?;
        let whole = piece.up_to_block(bytes);
        as_is_allowed(to, || to.write_all_at(whole, offset))?;
        if bytes == 0 || written.send((offset, bytes)).is_err() {
            return Ok(offset);
        }
        step(len)?;
        offset = offset.saturating_add(len);
    }
}

/// Reads the pieces that were written.
fn read_pieces(to: &File, written: &Receiver<(u64, usize)>, read_back: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut piece = Piece::new();
    while let Ok((offset, bytes)) = written.recv() {
        let whole = piece.up_to_block(bytes);
        as_is_allowed(to, || to.read_exact_at(whole, offset))?;
        read_back(whole.get(..bytes).unwrap_or_default());
    }
    Ok(())
}

/// Reads from an offset on until the buffer is full or the file ends; returns how much.
fn fill(buffer: &mut [u8], file: &File, offset: u64) -> io::Result<usize> {
    let mut filled = 0_usize;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(u64::try_from(filled).map_err(io::Error::other)?)) {
            Ok(0) => break,
            Ok(bytes) => filled = filled.saturating_add(bytes),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Does something with a file that is accessed directly; as every other where its disk wants larger blocks than ours.
fn as_is_allowed(file: &File, mut access: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    match access() {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            set_direct(file, false);
            access()
        }
        done => done,
    }
}

/// Lets what is read and written go past the system's memory, or no more (fcntl(2)). Where that cannot be had the file is
/// accessed as every other.
fn set_direct(file: &File, is_direct: bool) {
    // SAFETY: the descriptor is open, and neither call takes a pointer.
    unsafe {
        let flags = libc::fcntl(file.as_raw_fd(), libc::F_GETFL);
        if flags != -1 {
            libc::fcntl(file.as_raw_fd(), libc::F_SETFL, if is_direct { flags | libc::O_DIRECT } else { flags & !libc::O_DIRECT });
        }
    }
}

/// Bytes that begin where direct access wants them.
struct Piece {
    buffer: Vec<u8>,
    start: usize,
}

impl Piece {
    fn new() -> Self {
        let buffer = vec![0; PIECE_BYTES.saturating_add(BLOCK_BYTES)];
        let start = buffer.as_ptr().align_offset(BLOCK_BYTES).min(BLOCK_BYTES);
        Self { buffer, start }
    }

    fn bytes(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.start..self.start.saturating_add(PIECE_BYTES)).unwrap_or_default()
    }

    /// The first bytes, and those up to the end of their block, which are zeros.
    fn up_to_block(&mut self, bytes: usize) -> &mut [u8] {
        let whole = self.bytes().get_mut(..bytes.next_multiple_of(BLOCK_BYTES)).unwrap_or_default();
        whole.get_mut(bytes..).unwrap_or_default().fill(0);
        whole
    }
}

/// Gives a file another name in its file system, never that of a file that exists (renameat2(2), `RENAME_NOREPLACE`).
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    let name = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other);
    let (old, new) = (name(from)?, name(to)?);
    // SAFETY: both are strings that end with a zero byte and live until the call returns.
    let result = unsafe { libc::renameat2(libc::AT_FDCWD, old.as_ptr(), libc::AT_FDCWD, new.as_ptr(), libc::RENAME_NOREPLACE) };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // The file system cannot promise it: between the look and the deed another program would have to come.
        Some(libc::EINVAL | libc::ENOSYS) if !to.try_exists()? => std::fs::rename(from, to),
        Some(libc::EINVAL | libc::ENOSYS) => Err(io::ErrorKind::AlreadyExists.into()),
        _ => Err(error),
    }
}

/// Lets the system forget what it holds of a range in memory, as far as that is on the disk (posix_fadvise(2)): what is
/// read next comes from there. What is mapped stays.
pub(super) fn forget(file: &File, offset: u64, len: u64) {
    // Only whole pages are forgotten.
    let (from, to) = (offset & !(PAGE_BYTES - 1), offset.saturating_add(len).checked_next_multiple_of(PAGE_BYTES));
    let len = to.map_or(0, |to| to.saturating_sub(from));
    let (Ok(from), Ok(len)) = (i64::try_from(from), i64::try_from(len)) else { return };
    // SAFETY: the descriptor is open, and the call takes no pointer. It is advice: nothing depends on what comes of it.
    let _ = unsafe { libc::posix_fadvise(file.as_raw_fd(), from, len, libc::POSIX_FADV_DONTNEED) };
}

/// Bytes that a user may still write to the file system of this file or folder.
pub fn free_bytes(file: &File) -> io::Result<u64> {
    let mut answer = MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the descriptor is open, and the kernel fills a structure of this size, which is valid as zeros too.
    let (result, answer) = unsafe { (libc::fstatvfs(file.as_raw_fd(), answer.as_mut_ptr()), answer.assume_init()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(answer.f_bavail.saturating_mul(answer.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file
    }

    #[test]
    fn a_copy_has_the_same_bytes_and_they_are_read_back() {
        for len in [0, 1, 4096, 8 << 20, 20_000_001] {
            let bytes: Vec<u8> = (0..len).map(|number: u32| (number % 251) as u8).collect();
            let (from, to) = (file(&bytes), file(b""));
            let (mut heard, mut back) = (0, Vec::new());
            let mut step = |bytes| {
                heard += bytes;
                Ok(())
            };
            copy_bytes(&from, &to, &mut step, &mut |piece| back.extend_from_slice(piece)).unwrap();
            let mut copy = vec![0; bytes.len()];
            to.read_exact_at(&mut copy, 0).unwrap();
            assert!(copy == bytes && back == bytes, "{len}");
            assert_eq!((heard, to.metadata().unwrap().len()), (len.into(), len.into()));
        }
    }

    #[test]
    fn who_does_not_allow_direct_access_is_accessed_as_every_other() {
        let file = file(b"0123456789");
        set_direct(&file, true);
        let mut bytes = [0; 5];
        as_is_allowed(&file, || file.read_exact_at(&mut bytes, 3)).unwrap();
        assert_eq!(&bytes, b"34567");
    }

    #[test]
    fn a_disk_that_cannot_be_read_stops_the_copy() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let to = File::options().write(true).open(path.path()).unwrap();
        let stopped = copy_bytes(&file(&vec![1; 50_000_000]), &to, &mut |_| Ok(()), &mut |_| {});
        assert_eq!(stopped.unwrap_err().raw_os_error(), Some(libc::EBADF));
    }

    #[test]
    fn a_new_name_is_never_that_of_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        std::fs::write(&from, "new").unwrap();
        std::fs::write(&to, "old").unwrap();
        assert_eq!(rename_new(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        std::fs::remove_file(&to).unwrap();
        rename_new(&from, &to).unwrap();
        assert_eq!((from.exists(), std::fs::read(&to).unwrap()), (false, b"new".to_vec()));
    }

    #[test]
    fn what_is_forgotten_comes_from_the_disk() {
        let file = file(&[7; 9000]);
        file.sync_all().unwrap();
        forget(&file, 100, 5000);
        let mut bytes = [0; 9000];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes, [7; 9000]);
    }

    #[test]
    fn storage_is_shared_or_nothing_is_done() {
        let (from, to) = (file(b"bytes"), file(b""));
        let shared = share_storage(&from, &to).unwrap();
        assert_eq!(to.metadata().unwrap().len(), if shared { 5 } else { 0 });
    }

    #[test]
    fn who_stops_a_copy_is_heard() {
        let (from, to) = (file(&vec![1; 3_000_000]), file(b""));
        let stopped = copy_bytes(&from, &to, &mut |_| Err(io::ErrorKind::Interrupted.into()), &mut |_| {});
        assert_eq!(stopped.unwrap_err().kind(), io::ErrorKind::Interrupted);
    }

    #[test]
    fn a_file_system_has_some_room_left() {
        assert!(free_bytes(&file(b"")).unwrap() > 0);
    }
}
