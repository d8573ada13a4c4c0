//! Whole copies of a file, for backups: by shared storage where the file system can, else byte by byte; and their names.

#![allow(unsafe_code, reason = "ioctl(FICLONE), renameat2, posix_fadvise and fstatvfs have no safe form in std")]

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How many bytes are copied before somebody hears of it.
const PIECE_BYTES: u64 = 8 << 20;
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

/// Writes the bytes of `from` into `to`, an empty file, and syncs it: inside the kernel where that can (copy_file_range(2)).
///
/// `step` hears of every piece, and may stop it with an error.
pub fn copy_bytes(mut from: &File, mut to: &File, step: &mut dyn FnMut(u64) -> io::Result<()>) -> io::Result<()> {
    from.rewind()?;
    to.rewind()?;
    loop {
        let copied = io::copy(&mut from.take(PIECE_BYTES), &mut to)?;
        if copied == 0 {
            return to.sync_all();
        }
        step(copied)?;
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
pub fn forget(file: &File, offset: u64, len: u64) {
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
    use std::os::unix::fs::FileExt;

    fn file(bytes: &[u8]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file
    }

    #[test]
    fn a_copy_has_the_same_bytes() {
        let bytes: Vec<u8> = (0..20_000_000_u32).map(|number| (number % 251) as u8).collect();
        let (from, to) = (file(&bytes), file(b""));
        let mut heard = 0;
        let copied = copy_bytes(&from, &to, &mut |bytes| {
            heard += bytes;
            Ok(())
        });
        copied.unwrap();
        let mut copy = vec![0; bytes.len()];
        to.read_exact_at(&mut copy, 0).unwrap();
        assert!(copy == bytes && heard == 20_000_000, "{heard}");
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
        let stopped = copy_bytes(&from, &to, &mut |_| Err(io::ErrorKind::Interrupted.into()));
        assert_eq!(stopped.unwrap_err().kind(), io::ErrorKind::Interrupted);
    }

    #[test]
    fn a_file_system_has_some_room_left() {
        assert!(free_bytes(&file(b"")).unwrap() > 0);
    }
}
