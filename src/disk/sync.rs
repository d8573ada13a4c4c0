//! Many files written to the medium at once.

#![allow(unsafe_code, reason = "syncfs has no safe form in std")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Returns when all that was written to the file system of an open file or folder has reached the medium.
///
/// One call for thousands of small files, each of which would otherwise wait for the disk by itself.
pub fn sync_file_system(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as the call; no memory is touched.
    match unsafe { libc::syncfs(file.as_raw_fd()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_its_file_system() {
        let dir = tempfile::tempdir().unwrap();
        sync_file_system(&File::open(dir.path()).unwrap()).unwrap();
    }
}
