//! Large stores: what is beyond 4 GiB is read, and looking at a folder reads little, whatever the size.
#![allow(missing_docs, unreachable_pub, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support {
    pub mod relocate;
}

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use pstfs::disk::{Access, Opened, ReadAt};
use pstfs::ndb::Ndb;
use pstfs::store::Store;
use pstfs::tree::{Ino, Kind, Tree, View};
use support::relocate::{FILE_BYTES, relocate};

/// Counts the reads of a file.
#[derive(Debug)]
struct Counting {
    file: Opened,
    reads: AtomicU64,
}

impl ReadAt for Counting {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.file.read_exact_at(buffer, offset)
    }
}

/// A real store, where they lie beside the project.
fn corpus(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus").join(name);
    if !path.exists() {
        eprintln!("skipped: no ../shared/corpus/{name}");
        return None;
    }
    Some(path)
}

/// Every document of a tree by its path.
fn documents(tree: &Tree) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut waiting = vec![(String::new(), Ino::ROOT)];
    while let Some((path, ino)) = waiting.pop() {
        for entry in &tree.list(ino).unwrap().entries {
            let path = format!("{path}/{}", entry.name);
            match entry.kind {
                Kind::Directory => waiting.push((path, entry.ino)),
                Kind::File => {
                    let size = usize::try_from(tree.attributes(entry.ino).unwrap().size).unwrap();
                    found.push((path, tree.read(&tree.open(entry.ino).unwrap(), 0, size).unwrap()));
                }
            }
        }
    }
    found.sort();
    found
}

/// Blocks and both root pages beyond 4 GiB: offsets are 64 bits everywhere, and nothing is read that was not asked for.
#[test]
fn a_store_with_its_roots_beyond_4_gib_reads_the_same() {
    let Some(path) = corpus("tika_testPST_f2a6b1.pst") else { return };
    let bytes = std::fs::read(&path).unwrap();
    let small = Arc::new(Store::open(Arc::new(bytes.clone()), 8 << 20).unwrap());
    let large = tempfile::NamedTempFile::new().unwrap();
    relocate(&Ndb::open(Arc::new(bytes.clone()), 8 << 20).unwrap(), &bytes, large.as_file());

    let counting = Arc::new(Counting { file: pstfs::disk::open(large.path(), Access::default()).unwrap(), reads: AtomicU64::new(0) });
    let store = Arc::new(Store::open(counting.clone(), 8 << 20).unwrap());
    let tree = Tree::new(store, View { all_folders: true, ..View::default() }, 8 << 20);
    tree.list(Ino::ROOT).unwrap();
    let reads = counting.reads.load(Ordering::Relaxed);
    println!("reads until the first listing: {reads}");
    assert!(reads < 300, "{reads} reads until the first listing");

    assert!(tree.store_bytes() == FILE_BYTES && tree.store().ndb().header().root.nodes.ib.0 > 4 << 30);
    let expected = documents(&Tree::new(small, tree.view(), 8 << 20));
    assert_eq!(expected.len(), 7);
    assert_eq!(documents(&tree), expected);
}

/// The same through the kernel: a mount of 6 GiB is quick, and what it serves takes little memory.
#[test]
fn a_mounted_store_of_6_gib_takes_little_time_and_memory() {
    let Some(path) = corpus("tika_testPST_f2a6b1.pst") else { return };
    if !Path::new("/dev/fuse").exists() {
        assert!(std::env::var_os("CI").is_none(), "no /dev/fuse");
        eprintln!("skipped: no /dev/fuse");
        return;
    }
    let bytes = std::fs::read(&path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (store, point) = (folder.path().join("large.pst"), folder.path().join("mount"));
    std::fs::create_dir(&point).unwrap();
    let file = std::fs::File::options().read(true).write(true).create_new(true).open(&store).unwrap();
    relocate(&Ndb::open(Arc::new(bytes.clone()), 8 << 20).unwrap(), &bytes, &file);
    let pstfs = |args: &[&std::ffi::OsStr]| assert!(Command::new(env!("CARGO_BIN_EXE_pstfs")).args(args).status().unwrap().success());

    let begin = Instant::now();
    pstfs(&["mount".as_ref(), "-o".as_ref(), "all_folders,nocontrol".as_ref(), store.as_ref(), point.as_ref()]);
    println!("mounted in {} ms", begin.elapsed().as_millis());
    let listed = Command::new("ls").arg("-lR").arg(&point).output().unwrap();
    let memory = rss_anon_kib(&point);
    println!("after ls -lR: RssAnon {memory} KiB");
    pstfs(&["umount".as_ref(), point.as_ref()]);
    assert_eq!(String::from_utf8(listed.stdout).unwrap().matches(".eml").count(), 7);
    assert!(memory < 100 << 10, "RssAnon {memory} KiB");
}

/// Memory of the process that serves a mount, without the pages of the store that it maps.
fn rss_anon_kib(point: &Path) -> u64 {
    let point = point.to_str().unwrap();
    let served = |cmdline: &str| cmdline.split('\0').any(|argument| argument == point);
    let mut found = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|process| {
        let cmdline = std::fs::read_to_string(process.path().join("cmdline")).ok()?;
        let status = std::fs::read_to_string(process.path().join("status")).ok()?;
        served(&cmdline).then(|| status.split_once("RssAnon:").unwrap().1.split_whitespace().next().unwrap().parse().unwrap())
    });
    found.next().unwrap()
}
