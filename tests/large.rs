//! Large stores: what is beyond 4 GiB is read, looking at a folder reads little, whatever the size, and what is put together
//! of one whose trees are lost takes little memory.
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

mod support;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pstfs::disk::{Access, Opened, ReadAt};
use pstfs::format::Format;
use pstfs::ndb::Ndb;
use pstfs::progress::Progress;
use pstfs::recover::survey;
use pstfs::store::Store;
use pstfs::tree::{Ino, Kind, Tree, View};
use support::forge::big::Big;
use support::relocate::{FILE_BYTES, relocate};
use support::salvage::documents_of;

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
    let expected = documents_of(&Tree::new(small, tree.view(), 8 << 20));
    assert_eq!(expected.len(), 7);
    assert_eq!(documents_of(&tree), expected);
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

/// Each folder counts as many letters as the next, and its table fills many blocks, the root of which is written last of all
/// and so nearest to the next folder: each folder showed the letters of the one before it.
#[test]
fn letters_without_trees_stay_in_their_folders() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("letters.pst");
    Big { folders: 3, ..Big::folder_of(1100) }.write(&store);
    let names = || {
        let store = pstfs::recover::open(&store, &pstfs::recover::Options::default()).unwrap();
        let tree = Tree::new(store, View::default(), 8 << 20);
        let folders = tree.list(Ino::ROOT).unwrap();
        let folders = folders.entries.iter().filter(|entry| entry.kind == Kind::Directory);
        let names = |ino| tree.list(ino).unwrap().entries.iter().map(|entry| entry.name.clone()).collect::<Vec<_>>();
        folders.map(|folder| (folder.name.clone(), names(folder.ino))).collect::<Vec<_>>()
    };
    let before = names();
    zero_trees(&store);
    let after = names();
    let letters = before.iter().flat_map(|(_, names)| names).filter(|name| name.ends_with(".eml"));
    assert_eq!(letters.count(), 3300);
    assert!(before == after, "{:?}", after.iter().map(|(name, letters)| (name, letters.len(), letters.first())).collect::<Vec<_>>());
}

/// What is put together of short letters lies in files without names: opening 600,000 of them without trees took 420 MB of
/// memory, and three million more than 2 GB. What grows with them must leave room for five million, which is 10 GB.
#[test]
fn letters_without_trees_take_little_memory() {
    if std::env::var_os("PSTFS_LONG").is_none() {
        eprintln!("skipped: PSTFS_LONG is not set");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [few, many] = [10, 60].map(|folders| {
        let store = folder.path().join(format!("{folders}.pst"));
        Big { folders, ..Big::folder_of(10_000) }.write(&store);
        zero_trees(&store);
        let letters = folders * 10_000;
        let info = run(&store, &["info"]);
        assert!(info.output.contains(&format!("{letters} of them shown: {letters} mail")), "{}", info.output);
        let scan = run(&store, &["scan", "-q"]);
        assert!(scan.output.contains(&format!("{letters} seen, {letters} healthy")), "{}", scan.output);
        std::fs::remove_file(&store).unwrap();
        println!("{letters} letters: info {info}, scan {scan}");
        (letters, info.peak_kib.max(scan.peak_kib))
    });
    let grown = many.1.saturating_sub(few.1) as f64 * 1024.0 / (many.0 - few.0) as f64;
    let five_million = many.1 as f64 / 1024.0 + grown * (5_000_000.0 - many.0 as f64) / 1_048_576.0;
    println!("{grown:.1} bytes a letter, so {five_million:.0} MiB for 5,000,000");
    assert!(five_million < 256.0, "{five_million:.0} MiB");
}

/// Makes zeros of all pages of both trees.
fn zero_trees(store: &Path) {
    let source = pstfs::disk::open(store, Access::default()).unwrap();
    let found = survey::survey(&source, Format::Unicode, &Progress::default()).unwrap();
    let file = File::options().write(true).open(store).unwrap();
    let zeros = vec![0; Format::Unicode.layout().page_bytes];
    found.pages.iter().for_each(|page| file.write_all_at(&zeros, page.ib.0).unwrap());
}

/// What came of running the program on a store.
struct Run {
    output: String,
    peak_kib: u64,
    seconds: f64,
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} s and {} MiB", self.seconds, self.peak_kib >> 10)
    }
}

fn run(store: &Path, arguments: &[&str]) -> Run {
    let begin = Instant::now();
    let mut pstfs = Command::new(env!("CARGO_BIN_EXE_pstfs"));
    let mut child = pstfs.args(arguments).arg(store).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak_kib = 0;
    while child.try_wait().unwrap().is_none() {
        peak_kib = peak_kib.max(rss_anon_of(&status).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    Run { output: io::read_to_string(child.stdout.unwrap()).unwrap(), peak_kib, seconds: begin.elapsed().as_secs_f64() }
}

/// Memory of a process without the pages of files that it maps.
fn rss_anon_of(status: &Path) -> Option<u64> {
    let status = std::fs::read_to_string(status).ok()?;
    status.split_once("RssAnon:")?.1.split_whitespace().next()?.parse().ok()
}

/// The same of the process that serves a mount.
fn rss_anon_kib(point: &Path) -> u64 {
    let point = point.to_str().unwrap();
    let served = |cmdline: &str| cmdline.split('\0').any(|argument| argument == point);
    let mut found = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|process| {
        let cmdline = std::fs::read_to_string(process.path().join("cmdline")).ok()?;
        rss_anon_of(&process.path().join("status")).filter(|_| served(&cmdline))
    });
    found.next().unwrap()
}
