//! The program at work on a store in a folder of its own, on a small file system, on a mount.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::SystemTime;

use pstfs::disk::ReadAt;
use pstfs::ndb::write::Prepared;
use pstfs::repair::{Options, plan, prepare};

use super::{forge, scan};

pub const PSTFS: &str = env!("CARGO_BIN_EXE_pstfs");

pub fn run(args: &[&str], place: &Path) -> Output {
    Command::new("timeout").arg("120").arg(PSTFS).args(args).current_dir(place).stdin(Stdio::null()).output().unwrap()
}

pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder with a store `a b.pst`.
pub struct Place {
    pub dir: tempfile::TempDir,
    pub old: Vec<u8>,
}

impl Place {
    pub fn new(case: &str) -> Self {
        Self::with(forge::damaged(case))
    }

    pub fn with(old: Vec<u8>) -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap(), old };
        fs::write(place.store(), &place.old).unwrap();
        place
    }

    pub fn store(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join("a b.pst")
    }

    pub fn bytes(&self) -> Vec<u8> {
        fs::read(self.store()).unwrap()
    }

    /// `pstfs` with these words, and the store last.
    pub fn pstfs(&self, args: &[&str]) -> Output {
        run(&[args, &["a b.pst"]].concat(), self.dir.path())
    }

    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn state(&self) -> (SystemTime, Vec<u8>) {
        (fs::metadata(self.store()).unwrap().modified().unwrap(), self.bytes())
    }

    /// The transaction that a repair would make.
    pub fn prepared(&self) -> (Prepared, Arc<dyn ReadAt>) {
        let (store, findings) = scan::scanned(self.old.clone());
        let plan = plan(&store, &findings, Options::default()).unwrap();
        (prepare(&store, &plan).unwrap(), Arc::clone(store.ndb().source()))
    }
}

/// A file system of its own, of so many bytes; `None`, said aloud, where none can be mounted.
pub struct Small(pub tempfile::TempDir);

impl Small {
    pub fn new(bytes: usize) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "none"]).arg(dir.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        eprintln!("skipped: no file system can be mounted");
        None
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // What is left of it is unmounted with the machine.
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

/// A store that is mounted, for as long as this lives.
pub struct Mounted {
    pub place: Place,
    pub point: PathBuf,
}

impl Mounted {
    /// A damaged store, mounted with these options.
    pub fn with(case: &str, options: &[&str]) -> Option<Self> {
        Self::showing(Place::new(case), options)
    }

    /// The store of a place, mounted with these options.
    pub fn showing(place: Place, options: &[&str]) -> Option<Self> {
        let store = place.store();
        Self::mount(place, &store, options)
    }

    /// A store that lies elsewhere; `None`, said aloud, where FUSE cannot be used; an error in CI, where it must be.
    pub fn of(store: &Path, options: &[&str]) -> Option<Self> {
        let place = Place { dir: tempfile::tempdir().unwrap(), old: fs::read(store).unwrap() };
        Self::mount(place, store, options)
    }

    fn mount(place: Place, store: &Path, options: &[&str]) -> Option<Self> {
        if let Err(error) = File::options().read(true).write(true).open("/dev/fuse") {
            assert!(std::env::var_os("CI").is_none(), "/dev/fuse: {error}; the mount cannot be tested");
            eprintln!("skipped: /dev/fuse: {error}");
            return None;
        }
        let point = place.dir.path().canonicalize().unwrap().join("mnt");
        fs::create_dir(&point).unwrap();
        let mounted = run(&[&["mount"], options, &[store.to_str().unwrap(), "mnt"]].concat(), place.dir.path());
        assert_eq!(code(&mounted), 0, "{}", err(&mounted));
        Some(Self { place, point })
    }

    pub fn command(&self, command: &str) -> std::io::Result<()> {
        fs::write(self.point.join(".control"), command)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.point.join(".scanlog")).unwrap()
    }

    pub fn ctl(&self, args: &[&str]) -> Output {
        run(&[&["ctl", "mnt"], args].concat(), self.place.dir.path())
    }

    /// All files of the tree, and what they hold.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let found = Command::new("find").args([".", "-type", "f", "-name", "*.*ml"]).current_dir(&self.point).output().unwrap();
        let mut names: Vec<String> = out(&found).lines().map(str::to_owned).collect();
        names.sort();
        names.into_iter().map(|name| (name.clone(), fs::read(self.point.join(&name)).unwrap())).collect()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = run(&["umount", "-l", "mnt"], self.place.dir.path());
    }
}
