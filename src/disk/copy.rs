//! Whole copies of a file, for backups: by shared storage where the file system can, else byte by byte and compared.

#![allow(unsafe_code, reason = "ioctl(FICLONE) and fstatvfs have no safe form in std")]

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

/// How many bytes are in memory at a time.
const PIECE_BYTES: usize = 1 << 20;

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

/// Writes the bytes of `from` into `to`, an empty file, syncs it and reads it again.
///
/// `step` hears of every piece that was written or read again, and may stop it with an error.
pub fn copy_bytes(from: &File, to: &File, step: &mut dyn FnMut(u64) -> io::Result<()>) -> io::Result<()> {
    each_piece(from, step, |piece, offset| to.write_all_at(piece, offset))?;
    // What is compared shall come from the disk, as far as the system lets us ask for that.
    to.sync_all()?;
    let mut again = Vec::new();
    each_piece(from, step, |piece, offset| {
        again.resize(piece.len(), 0);
        to.read_exact_at(&mut again, offset)?;
        if again == piece { Ok(()) } else { Err(io::Error::other("the copy differs from the file: do not trust this disk")) }
    })
}

fn each_piece(
    file: &File,
    step: &mut dyn FnMut(u64) -> io::Result<()>,
    mut act: impl FnMut(&[u8], u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut offset = 0_u64;
    loop {
        let read = file.read_at(&mut piece, offset)?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
        act(bytes, offset)?;
        let read = u64::try_from(read).unwrap_or(0);
        offset = offset.saturating_add(read);
        step(read)?;
    }
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
    fn a_copy_has_the_same_bytes() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
        let (from, to) = (file(&bytes), file(b""));
        let mut heard = 0;
        let copied = copy_bytes(&from, &to, &mut |bytes| {
            heard += bytes;
            Ok(())
        });
        copied.unwrap();
        let mut copy = vec![0; bytes.len()];
        to.read_exact_at(&mut copy, 0).unwrap();
        assert!(copy == bytes && heard == 6_000_000, "{heard}");
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
