//! Owner, modes and times: what `stat` shows beyond what the tree knows.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{FileAttr, FileType, INodeNo};

use crate::tree::{Attributes, Ino, Kind};

/// `st_blocks` counts in these, whatever the block size.
const SECTOR_BYTES: u64 = 512;
/// What readers are told to read at once.
pub(super) const BLOCK_BYTES: u32 = 4096;

/// Mode bits that the user wants cleared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Masks {
    /// In documents.
    pub file: u16,
    /// In folders.
    pub dir: u16,
}

/// Whose the entries of a mount are, and who may read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Permission bits of documents.
    pub file_mode: u16,
    /// Permission bits of folders.
    pub dir_mode: u16,
    /// Permission bits of `.control`.
    pub control_mode: u16,
    /// When the store file last changed: the time of folders whose own the store does not tell.
    pub store_changed: SystemTime,
}

impl Owner {
    /// The store file's own owner; its group and others may read what they may read of the file.
    pub fn of(store: &Metadata, masks: Masks, read_only: bool) -> Self {
        let shared = u16::try_from(store.mode() & 0o044).unwrap_or(0);
        let own = if read_only { 0o400 } else { 0o600 };
        Self {
            uid: store.uid(),
            gid: store.gid(),
            file_mode: (0o600 | shared) & !masks.file,
            // Who may read a folder may enter it.
            dir_mode: (0o700 | shared | (shared >> 2)) & !masks.dir,
            control_mode: own & !masks.file,
            store_changed: store.modified().unwrap_or(UNIX_EPOCH),
        }
    }

    /// What `stat` shows of an inode of the tree.
    pub(super) fn attr(&self, of: &Attributes) -> FileAttr {
        let (kind, perm, without_time) = match of.kind {
            Kind::Directory => (FileType::Directory, self.dir_mode, self.store_changed),
            Kind::File => (FileType::RegularFile, self.file_mode, UNIX_EPOCH),
        };
        self.raw(of.ino, kind, perm, of.size, of.mtime.map_or(without_time, time))
    }

    /// What `stat` shows of a file that the mount adds.
    pub(super) fn special(&self, ino: Ino, perm: u16, size: u64, mtime: SystemTime) -> FileAttr {
        self.raw(ino, FileType::RegularFile, perm, size, mtime)
    }

    fn raw(&self, ino: Ino, kind: FileType, perm: u16, size: u64, mtime: SystemTime) -> FileAttr {
        FileAttr {
            ino: INodeNo(ino.0),
            size,
            blocks: size.div_ceil(SECTOR_BYTES),
            atime: mtime,
            mtime,
            ctime: mtime,
            crtime: mtime,
            kind,
            perm,
            // Of a folder 1 says that its folders are not counted; 2 would say that it has none.
            nlink: 1,
            uid: self.uid,
            gid: self.gid,
            rdev: 0,
            blksize: BLOCK_BYTES,
            flags: 0,
        }
    }
}

/// A time of the tree; one that the system cannot hold becomes 1970.
fn time((seconds, nanoseconds): (i64, u32)) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let whole = if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    whole.and_then(|time| time.checked_add(Duration::from_nanos(nanoseconds.into()))).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn owner(mode: u32, masks: Masks, read_only: bool) -> Owner {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
        Owner::of(&file.as_file().metadata().unwrap(), masks, read_only)
    }

    fn modes(owner: Owner) -> (u16, u16, u16) {
        (owner.file_mode, owner.dir_mode, owner.control_mode)
    }

    #[test]
    fn entries_are_as_readable_as_the_file_itself() {
        assert_eq!(modes(owner(0o600, Masks::default(), false)), (0o600, 0o700, 0o600));
        assert_eq!(modes(owner(0o640, Masks::default(), false)), (0o640, 0o750, 0o600));
        assert_eq!(modes(owner(0o666, Masks::default(), false)), (0o644, 0o755, 0o600));
        assert_eq!(modes(owner(0o400, Masks::default(), true)), (0o600, 0o700, 0o400));
    }

    #[test]
    fn masks_take_bits_away() {
        assert_eq!(modes(owner(0o644, Masks { file: 0o077, dir: 0o027 }, false)), (0o600, 0o750, 0o600));
    }

    #[test]
    fn blocks_follow_the_size() {
        let owner = owner(0o600, Masks::default(), false);
        let blocks = |size| owner.attr(&Attributes { ino: Ino(20), kind: Kind::File, size, mtime: None }).blocks;
        assert_eq!([0, 1, 512, 513].map(blocks), [0, 1, 1, 2]);
    }

    #[test]
    fn times_reach_back_before_1970_and_never_overflow() {
        assert_eq!(time((-2, 800_000_000)), UNIX_EPOCH - Duration::from_millis(1200));
        assert_eq!(time((5, 1)), UNIX_EPOCH + Duration::new(5, 1));
        for seconds in [i64::MIN, i64::MAX] {
            time((seconds, u32::MAX));
        }
    }
}
