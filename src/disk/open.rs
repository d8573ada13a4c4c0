//! How a file is best read: through memory where that is safe and fast, else with `pread`.

#![allow(unsafe_code, reason = "fstatfs")]

use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ReadAt;
use super::copy::forget;
use super::file::{Identity, PreadFile};
use super::mapped::MappedFile;
use super::own::{Own, OwnWrites, State};

/// How a file may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Through memory, where the file system is a local one. Without it always with `pread`.
    pub mmap: bool,
}

impl Default for Access {
    fn default() -> Self {
        Self { mmap: true }
    }
}

/// A file opened for reading, with what it was at that time.
#[derive(Debug)]
pub struct Opened {
    path: PathBuf,
    at_opening: Identity,
    source: Arc<Source>,
    own: Option<(Arc<OwnWrites>, Arc<State>)>,
}

#[derive(Debug)]
enum Source {
    Mapped(MappedFile),
    Pread(PreadFile),
}

/// What happened to a file since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is shorter: parts of what was there are gone.
    Shrunk,
    /// It was written to.
    Written,
    /// Its name stands for another file now; what was opened is whole.
    Replaced,
    /// Its name is gone; what was opened is whole.
    Removed,
}

/// Opens a file for reading.
///
/// A directory is refused as `IsADirectory`, what has no bytes at positions (a pipe, a terminal) as `InvalidInput`.
pub fn open(path: &Path, access: Access) -> io::Result<Opened> {
    let file = PreadFile::open(path)?;
    let at_opening = file.identity()?;
    // A relative path would name something else once a mount has gone to the background and left its folder.
    let path = std::path::absolute(path)?;
    let source = Arc::new(choose(file, access));
    Ok(Opened { path, at_opening, source, own: None })
}

fn choose(file: PreadFile, access: Access) -> Source {
    if !access.mmap || !is_local(file.file()) {
        return Source::Pread(file);
    }
    match MappedFile::new(file) {
        Ok(mapped) => Source::Mapped(mapped),
        Err((file, reason)) => {
            tracing::debug!("read with pread: {reason}");
            Source::Pread(file)
        }
    }
}

impl Opened {
    /// The same, but what this program writes to it is no change, and is not seen.
    #[must_use]
    pub fn with_own_writes(self, own: Arc<OwnWrites>) -> Self {
        let state = own.state();
        Self { own: Some((own, state)), ..self }
    }

    /// The same file as it is now, for who has written to it: what is mapped stays so, and what was appended is read.
    pub fn again(&self) -> io::Result<Self> {
        let own = self.own.as_ref().map(|(own, _)| (Arc::clone(own), own.state()));
        Ok(Self { path: self.path.clone(), at_opening: self.identity()?, source: Arc::clone(&self.source), own })
    }

    /// Lets the system forget what it holds of a range, as far as that is on the disk and nobody else has it mapped: what is
    /// read next comes from there.
    pub fn forget(&self, offset: u64, len: u64) {
        if let Source::Mapped(mapped) = &*self.source {
            mapped.let_go(offset, len);
        }
        forget(self.file(), offset, len);
    }

    /// Whether its file system is one of this machine.
    pub fn is_local(&self) -> bool {
        is_local(self.file())
    }

    /// The path it was opened by, made absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file, for locks.
    pub fn file(&self) -> &File {
        match &*self.source {
            Source::Mapped(mapped) => mapped.file(),
            Source::Pread(file) => file.file(),
        }
    }

    /// What `stat` shows of the open file now: its owner, modes, times.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.file().metadata()
    }

    /// Whether reads go through memory.
    pub fn is_mapped(&self) -> bool {
        match &*self.source {
            Source::Mapped(mapped) => mapped.is_mapped(),
            Source::Pread(_) => false,
        }
    }

    /// What the file was when it was opened.
    pub const fn at_opening(&self) -> Identity {
        self.at_opening
    }

    /// What the open file is now.
    pub fn identity(&self) -> io::Result<Identity> {
        match &*self.source {
            Source::Mapped(mapped) => mapped.identity(),
            Source::Pread(file) => file.identity(),
        }
    }

    /// Reads the file as it was when it was opened, as far as this program wrote to it since.
    fn read_its_state(&self, buffer: &mut [u8], offset: u64, now: &dyn Fn(&mut [u8], u64) -> io::Result<()>) -> io::Result<()> {
        match &self.own {
            Some((_, state)) => state.read(buffer, offset, now),
            None => now(buffer, offset),
        }
    }

    /// What happened to the file since it was opened; of several things the one that hurts most.
    pub fn changed(&self) -> io::Result<Option<Change>> {
        let then = match self.own.as_ref().map(|(own, _)| own.own()) {
            Some(Own::Writing) => return Ok(None),
            Some(Own::Wrote(then)) => then,
            Some(Own::None) | None => self.at_opening,
        };
        let now = self.identity()?;
        if now.size < then.size {
            return Ok(Some(Change::Shrunk));
        }
        if now != then {
            return Ok(Some(Change::Written));
        }
        match std::fs::metadata(&self.path) {
            Ok(metadata) if then.is_same_file(&Identity::of(&metadata)) => Ok(None),
            Ok(_) => Ok(Some(Change::Replaced)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Some(Change::Removed)),
            Err(error) => Err(error),
        }
    }
}

impl ReadAt for Source {
    fn len(&self) -> io::Result<u64> {
        match self {
            Self::Mapped(mapped) => mapped.len(),
            Self::Pread(file) => file.len(),
        }
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::Mapped(mapped) => mapped.read_exact_at(buffer, offset),
            Self::Pread(file) => file.read_exact_at(buffer, offset),
        }
    }

    fn read_trusting_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::Mapped(mapped) => mapped.read_trusting_at(buffer, offset),
            Self::Pread(file) => file.read_trusting_at(buffer, offset),
        }
    }
}

impl ReadAt for Opened {
    fn len(&self) -> io::Result<u64> {
        match self.own.as_ref().and_then(|(_, state)| state.len()) {
            Some(len) => Ok(len),
            None => self.source.len(),
        }
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_its_state(buffer, offset, &|buffer, offset| self.source.read_exact_at(buffer, offset))
    }

    fn read_trusting_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_its_state(buffer, offset, &|buffer, offset| self.source.read_trusting_at(buffer, offset))
    }

    fn was_changed(&self) -> io::Result<bool> {
        // A file whose name is gone is whole and will stay so; one that another file took the place of is out of date.
        Ok(self.changed()?.is_some_and(|change| change != Change::Removed))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shrunk => "the file became shorter",
            Self::Written => "the file was written to",
            Self::Replaced => "the file was replaced by another",
            Self::Removed => "the file was removed or renamed",
        })
    }
}

/// File systems whose files others may cut or take away at any time, or that answer a fault only after a network's time
/// (statfs(2), linux/magic.h). FUSE is among them for sshfs and its kin; that a local ntfs-3g is too costs only time.
const REMOTE: [u32; 15] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x0102_1997, // 9p
    0x5346_414f, // AFS
    0x6b41_4653, // kAFS
    0x6573_5546, // FUSE
    0x00c3_6400, // Ceph
    0x7375_7245, // Coda
    0x564c,      // NCP
    0x0bd0_0bd0, // Lustre
    0x4750_4653, // GPFS
    0x786f_4256, // VirtualBox shared folders
    0xbacb_acbc, // VMware shared folders
];

fn is_local(file: &File) -> bool {
    let mut answer = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the descriptor is open, and the kernel fills a structure of this size, which is valid as zeros too.
    let (result, answer) = unsafe { (libc::fstatfs(file.as_raw_fd(), answer.as_mut_ptr()), answer.assume_init()) };
    // Its type has another width and sign on every machine; the magic number is its low 32 bits.
    let magic = u32::try_from(i128::from(answer.f_type) & 0xffff_ffff);
    result == 0 && magic.is_ok_and(|magic| !REMOTE.contains(&magic))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;
    use std::process::Command;

    const BOTH: [Access; 2] = [Access { mmap: true }, Access { mmap: false }];

    fn folder_with(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pst");
        fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn read(source: &dyn ReadAt, offset: u64, len: usize) -> Result<Vec<u8>, io::ErrorKind> {
        let mut buffer = vec![0; len];
        source.read_exact_at(&mut buffer, offset).map_err(|error| error.kind()).map(|()| buffer)
    }

    #[test]
    fn a_local_file_is_mapped_unless_told_otherwise() {
        let (_folder, path) = folder_with(b"bytes");
        assert!(open(&path, Access::default()).unwrap().is_mapped());
        assert!(!open(&path, Access { mmap: false }).unwrap().is_mapped());
    }

    #[test]
    fn an_empty_file_has_no_bytes() {
        let (_folder, path) = folder_with(b"");
        for access in BOTH {
            let opened = open(&path, access).unwrap();
            assert!(opened.is_empty().unwrap() && !opened.is_mapped());
            assert_eq!(read(&opened, 0, 1), Err(io::ErrorKind::UnexpectedEof));
        }
    }

    #[test]
    fn a_folder_and_a_missing_file_are_told_apart() {
        let (folder, path) = folder_with(b"");
        assert_eq!(open(folder.path(), Access::default()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(open(&path.join("x"), Access::default()).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        assert_eq!(open(&folder.path().join("b.pst"), Access::default()).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_replaced_by_rename_reads_as_before_and_is_told() {
        let (folder, path) = folder_with(b"the old one");
        for access in BOTH {
            fs::write(&path, b"the old one").unwrap();
            let opened = open(&path, access).unwrap();
            assert_eq!(opened.changed().unwrap(), None);
            fs::write(folder.path().join("new"), b"another, and longer").unwrap();
            fs::rename(folder.path().join("new"), &path).unwrap();
            assert_eq!(read(&opened, 0, 11).unwrap(), b"the old one");
            assert_eq!((opened.len().unwrap(), opened.changed().unwrap()), (11, Some(Change::Replaced)));
        }
    }

    #[test]
    fn each_change_is_told() {
        for access in BOTH {
            let (_folder, path) = folder_with(&[1; 5000]);
            let opened = open(&path, access).unwrap();
            fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(6000).unwrap();
            assert_eq!((opened.changed().unwrap(), opened.len().unwrap()), (Some(Change::Written), 6000));
            assert_eq!(read(&opened, 4999, 3).unwrap(), [1, 0, 0]);
            fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(4500).unwrap();
            assert_eq!((opened.changed().unwrap(), opened.len().unwrap()), (Some(Change::Shrunk), 4500));
            assert_eq!(read(&opened, 4499, 2), Err(io::ErrorKind::UnexpectedEof));
            let (_folder, path) = folder_with(&[1; 5000]);
            let opened = open(&path, access).unwrap();
            fs::remove_file(&path).unwrap();
            assert_eq!(opened.changed().unwrap(), Some(Change::Removed));
            assert_eq!(read(&opened, 0, 1).unwrap(), [1]);
        }
    }

    #[test]
    fn a_write_of_the_same_length_is_told_by_its_time() {
        let (_folder, path) = folder_with(b"one");
        let opened = open(&path, Access::default()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(&path, b"two").unwrap();
        assert_eq!(opened.changed().unwrap(), Some(Change::Written));
    }

    /// `stat` gives a device no size, so its end is found otherwise. Loop devices take root, and a kernel that has them.
    #[test]
    fn a_block_device_is_read_up_to_its_end() {
        let (_folder, path) = folder_with(&[5; 8192]);
        let losetup = |arguments: &[&std::ffi::OsStr]| Command::new("losetup").args(arguments).output();
        let made = losetup(&["--find".as_ref(), "--show".as_ref(), "--read-only".as_ref(), path.as_os_str()]);
        let Some(made) = made.ok().filter(|output| output.status.success()) else {
            println!("skipped: no loop device can be made");
            return;
        };
        let device = PathBuf::from(String::from_utf8(made.stdout).unwrap().trim());
        let found = BOTH.map(|access| {
            let opened = open(&device, access)?;
            let ends = (read(&opened, 8190, 2), read(&opened, 8191, 2), opened.is_mapped());
            Ok::<_, io::Error>((opened.len()?, opened.identity()?.size, opened.changed()?, ends))
        });
        losetup(&["--detach".as_ref(), device.as_os_str()]).unwrap();
        for (found, access) in found.into_iter().zip(BOTH) {
            let ends = (Ok(vec![5, 5]), Err(io::ErrorKind::UnexpectedEof), access.mmap);
            assert_eq!(found.unwrap(), (8192, 8192, None, ends));
        }
    }

    #[test]
    fn a_relative_path_is_kept_absolute() {
        let opened = open(Path::new("Cargo.toml"), Access::default()).unwrap();
        assert!(opened.path().is_absolute());
        assert_eq!(opened.changed().unwrap(), None);
    }

    /// Set where this test runs again in a process of its own, which gives up root.
    const CHILD: &str = "PSTFS_TEST_OPEN_AS_NOBODY";

    /// `O_NOATIME` is refused to who neither owns the file nor is root; only root can become such a one.
    #[test]
    fn a_file_of_another_owner_opens_all_the_same() {
        if let Some(path) = std::env::var_os(CHILD) {
            // SAFETY: changes this process alone, which ends with the test.
            assert_eq!(unsafe { libc::setuid(65_534) }, 0);
            assert_eq!(read(&open(Path::new(&path), Access::default()).unwrap(), 0, 2).unwrap(), b"ab");
            return;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), b"ab").unwrap();
        fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        // SAFETY: takes nothing.
        if unsafe { libc::geteuid() } != 0 {
            println!("skipped: only root can open as another user");
            return;
        }
        let name = "disk::open::tests::a_file_of_another_owner_opens_all_the_same";
        let child = Command::new(std::env::current_exe().unwrap()).args(["--exact", name]).env(CHILD, file.path()).output().unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn every_source_reads_as_the_file_is(
            bytes in proptest::collection::vec(any::<u8>(), 1..20_000),
            ranges in proptest::collection::vec((0_u64..21_000, 1_usize..9000), 1..20),
        ) {
            let (_folder, path) = folder_with(&bytes);
            let whole = fs::read(&path).unwrap();
            let [mapped, pread] = BOTH.map(|access| open(&path, access).unwrap());
            for (offset, len) in ranges {
                let start = usize::try_from(offset).unwrap();
                let expected = whole.get(start..start + len).map(<[u8]>::to_vec).ok_or(io::ErrorKind::UnexpectedEof);
                for source in [&mapped as &dyn ReadAt, &pread, &whole] {
                    prop_assert_eq!(read(source, offset, len), expected.clone());
                }
            }
            prop_assert!(mapped.is_mapped(), "reads past the end leave the mapping alone");
        }
    }
}
