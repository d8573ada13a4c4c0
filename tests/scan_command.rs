//! What a user sees of `pstfs scan`: logs, records, exit codes, a page; and that a cancelled scan leaves nothing behind.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pstfs::damage::{Code, Error, Severity, Verdict};
use pstfs::disk::ReadAt;
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::progress::Progress;
use pstfs::scan;
use pstfs::store::Store;
use serde_json::Value;
use support::browser::browser;
use support::forge;
use support::scan::{lines, scan as scan_bytes};

const PSTFS: &str = env!("CARGO_BIN_EXE_pstfs");

fn pstfs<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(args: I) -> Output {
    let mut command = Command::new("timeout");
    command.arg("120").arg(PSTFS).arg("scan").args(args).stdin(Stdio::null()).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// A folder with a healthy store, a damaged one and no store.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let whole = forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("every-format"));
        fs::write(dir.path().join("whole.pst"), whole).unwrap();
        fs::write(dir.path().join("broken.pst"), forge::damaged("block-crc-wrong")).unwrap();
        fs::write(dir.path().join("text.pst"), "This is no store.").unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn the_exit_code_says_what_was_found() {
    let files = Files::new();
    let before = files.names();
    for (name, exit, last) in [("whole.pst", 0, "No errors were found (exit 0)"), ("broken.pst", 4, "Errors were found (exit 4)")] {
        let output = pstfs(["-q", &files.path(name)]);
        assert_eq!(code(&output), exit, "{name}");
        assert_eq!(out(&output).lines().last().unwrap(), format!("** End of job 1: {last}"));
    }
    let output = pstfs(["-q", &files.path("text.pst")]);
    assert_eq!(code(&output), 8);
    assert!(String::from_utf8_lossy(&output.stderr).contains("text.pst: not an Outlook mail store"));
    assert_eq!(code(&pstfs::<_, &str>([])), 16);
    assert_eq!(code(&pstfs(["-q", "--report", "x.html", "a", "b"])), 16);
    assert_eq!(files.names(), before, "looking leaves nothing behind");
}

#[test]
fn a_log_has_its_head_phases_findings_and_verdict() {
    let files = Files::new();
    let log = files.path("scan.log");
    let output = pstfs(["-q", "--log", &log, &files.path("broken.pst")]);
    assert_eq!(out(&output), "Errors were found\n");
    let log = fs::read_to_string(log).unwrap();
    assert_eq!(log, out(&pstfs(["-q", &files.path("broken.pst")])), "the same twice, and the same on standard output");
    for part in ["** File: ", "** Size: ", "** Format: ANSI\n", "**Validating BBT\n", "\n!! B08 offset 0x", ", node 0x2000e4, block 0x"] {
        assert!(log.contains(part), "{part} is not in\n{log}");
    }
}

#[test]
fn of_several_files_the_codes_are_ored_and_each_line_says_which_it_is_about() {
    let files = Files::new();
    let output = pstfs(["-q", &files.path("whole.pst"), &files.path("broken.pst"), &files.path("text.pst")]);
    assert_eq!(code(&output), 4 | 8);
    let text = out(&output);
    let prefixes = ["whole.pst", "broken.pst", "text.pst"].map(|name| format!("{}: ", files.path(name)));
    assert!(text.lines().all(|line| prefixes.iter().any(|prefix| line.starts_with(prefix))), "{text}");
}

#[test]
fn records_begin_with_start_and_end_with_the_verdict() {
    let files = Files::new();
    let output = pstfs(["-q", "--json", &files.path("broken.pst")]);
    let records: Vec<Value> = out(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&records[0]["type"], &records[0]["schema"]), (&"start".into(), &1.into()));
    let last = records.last().unwrap();
    assert_eq!((&last["verdict"], &last["exit"]), (&"Errors were found".into(), &4.into()));
    assert_eq!((&last["counts"]["errors"], &last["counts"]["B08"]), (&1.into(), &1.into()));
    let finding = records.iter().find(|record| record["code"] == "B08").unwrap();
    assert_eq!((&finding["severity"], &finding["nid"]), (&"error".into(), &"0x2000e4".into()));
    assert!(records.iter().any(|record| record["type"] == "phase" && record["name"] == "Validating BBT"));
    let wrong = out(&pstfs(["-q", "--json", &files.path("text.pst")]));
    assert!(wrong.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()) && wrong.contains("\"Failed\""), "{wrong}");
}

#[test]
fn every_code_is_explained() {
    for code in Code::ALL {
        let text = out(&pstfs(["--explain", &code.id().to_lowercase()]));
        assert!(text.starts_with(&format!("{}: {}\n", code.id(), code.title())), "{text}");
        let repair = text.lines().nth(2).unwrap();
        assert!(repair.strip_prefix("  repair ").is_some_and(|does| does.len() > 3), "{text}");
        assert_eq!(text.lines().count(), 3, "{text}");
    }
    let output = pstfs(["--explain", "Z99"]);
    assert_eq!(code(&output), 16);
    assert!(String::from_utf8_lossy(&output.stderr).contains("they are H01 to H"));
}

/// The page as a browser builds it: opened without a network, nothing of it is missing.
#[test]
fn a_browser_shows_the_page() {
    let files = Files::new();
    let page = files.path("page.html");
    assert_eq!(code(&pstfs(["-q", "--report", &page, "--log", &files.path("log"), &files.path("broken.pst")])), 4);
    let text = fs::read_to_string(&page).unwrap();
    assert!(text.len() < 1 << 20 && text.starts_with("<!doctype html>"), "{}", text.len());
    let Some(browser) = browser() else { return };
    let mut command = Command::new("timeout");
    command.arg("60").arg(browser).args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]);
    command.arg(format!("--user-data-dir={}", files.path("profile"))).arg(format!("file://{page}"));
    let dom = out(&command.stdin(Stdio::null()).output().unwrap());
    assert!(dom.contains("<h1 class=\"bad\">Errors were found</h1>"), "{dom}");
    assert!(dom.contains("class=\"damaged\"") && dom.contains("<code>B08</code>"), "{dom}");
}

/// A file that tells how often it was read, and lets someone cancel the scan at one of the reads.
#[derive(Debug)]
struct Counting {
    bytes: Vec<u8>,
    reads: AtomicU64,
    cancel_at: u64,
    progress: Arc<Progress>,
}

impl ReadAt for Counting {
    fn len(&self) -> io::Result<u64> {
        ReadAt::len(&self.bytes)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if self.reads.fetch_add(1, Ordering::Relaxed) == self.cancel_at {
            self.progress.cancel();
        }
        self.bytes.read_exact_at(buffer, offset)
    }
}

/// Wherever a scan is, once it is cancelled each of its threads ends the read it is at, and no further one begins.
#[test]
fn a_scan_cancelled_at_any_read_reads_no_more() {
    const THREADS_MAX: u64 = 10;
    let bytes = forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("every-format"));
    let scan_until = |cancel_at: u64| {
        let progress = Arc::new(Progress::default());
        let reads = AtomicU64::new(u64::MAX >> 1);
        let counting = Arc::new(Counting { bytes: bytes.clone(), reads, cancel_at, progress: Arc::clone(&progress) });
        let file: Arc<dyn ReadAt> = Arc::clone(&counting) as _;
        let store = Store::open(Arc::clone(&file), 1 << 20).unwrap();
        counting.reads.store(0, Ordering::Relaxed);
        let outcome = scan::scan(&file, Ok(&store), &progress, |_| {});
        (outcome, counting.reads.load(Ordering::Relaxed))
    };
    let (outcome, all) = scan_until(u64::MAX);
    assert_eq!(outcome.verdict, Verdict::NoErrors);
    // How many reads it takes differs with which thread comes first: now and then it is not as many.
    let (mut random, mut reached) = (forge::Random::new(7), 0);
    for cancel_at in (0..all.min(8)).chain((0..60).map(|_| random.below(all))) {
        let (outcome, reads) = scan_until(cancel_at);
        if reads <= cancel_at {
            assert_eq!(outcome.verdict, Verdict::NoErrors, "nobody cancelled it: {reads} reads, not {cancel_at}");
            continue;
        }
        reached += 1;
        assert_eq!((outcome.verdict, &outcome.counts), (Verdict::Cancelled, &Default::default()), "at {cancel_at} of {all}");
        assert!(reads <= cancel_at + THREADS_MAX, "{reads} reads after a cancel at {cancel_at}");
    }
    assert!(reached >= 34, "only {reached} of 68 were cancelled");
}

/// A bar that stands still looks like a program that hangs.
#[test]
fn every_phase_of_a_scan_tells_how_far_it_is() {
    // How many pages a tree has shows when they are read.
    let unknown = ["", "Validating header", "Validating BBT", "Validating NBT"];
    let bytes = forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("every-item-class"));
    let file: Arc<dyn ReadAt> = Arc::new(bytes);
    let store = Store::open(Arc::clone(&file), 1 << 20).unwrap();
    let progress = Progress::default();
    let mut ends = Vec::new();
    scan::scan(&file, Ok(&store), &progress, |event| {
        if let scan::Event::Phase(_) = event {
            ends.push(progress.state());
        }
    });
    ends.push(progress.state());
    assert_eq!(ends.len(), 11, "{ends:?}");
    for end in ends.into_iter().filter(|end| !unknown.contains(&end.phase)) {
        assert!(end.total > 0 && end.done <= end.total && end.done * 10 >= end.total * 8, "{end:?}");
    }
}

/// Ctrl-C: the log ends with the verdict, the code is 32, and nothing lies beside the store.
#[test]
fn a_signal_cancels_the_command() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("wide.pst");
    fs::write(&store, forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("wide-folder"))).unwrap();
    let mut cancelled = 0;
    for wait_ms in [5, 20, 60, 150, 300] {
        let child = Command::new(PSTFS).args(["scan", "-q"]).arg(&store).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        thread::sleep(Duration::from_millis(wait_ms));
        let asked = Instant::now();
        let pid = child.id().to_string();
        Command::new("kill").args(["-INT", &pid]).output().unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        match output.status.code() {
            Some(32) => {
                cancelled += 1;
                assert!(out(&output).ends_with("Cancelled (exit 32)\n"), "{}", out(&output));
            }
            // It was not listening yet, or had ended.
            None | Some(0) => {}
            other => panic!("{other:?}"),
        }
    }
    eprintln!("{cancelled} of 5 were cancelled in the middle");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
}

/// A disk with a bad sector.
#[derive(Debug)]
struct BadSector(Vec<u8>, u64);

impl ReadAt for BadSector {
    fn len(&self) -> io::Result<u64> {
        ReadAt::len(&self.0)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if (offset..offset + buffer.len() as u64).contains(&self.1) {
            return Err(io::Error::other("bad sector"));
        }
        self.0.read_exact_at(buffer, offset)
    }
}

#[test]
fn a_disk_that_does_not_give_its_bytes_fails_the_scan_and_says_where() {
    let bytes = forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("every-format"));
    let store = Store::open(Arc::new(bytes.clone()), 1 << 20).unwrap();
    let block = store.ndb().block_entry(store.ndb().node(pstfs::format::id::Nid(0x2000e4)).unwrap().unwrap().data).unwrap();
    let file: Arc<dyn ReadAt> = Arc::new(BadSector(bytes, block.block.ib.0));
    let outcome = scan::scan(&file, Ok(&store), &Progress::default(), |_| {});
    assert_eq!(outcome.verdict, Verdict::Failed);
    assert!(matches!(outcome.error, Some(Error::Io(_))));
    assert!(outcome.counts.contains_key(&(Code::FileUnreadable, Severity::Error)));
}

/// A file that another program has written to.
#[derive(Debug)]
struct Changed(Vec<u8>);

impl ReadAt for Changed {
    fn len(&self) -> io::Result<u64> {
        ReadAt::len(&self.0)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn was_changed(&self) -> io::Result<bool> {
        Ok(true)
    }
}

#[test]
fn a_file_that_changes_under_the_scan_is_told() {
    let bytes = forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("every-format"));
    let store = Store::open(Arc::new(bytes.clone()), 1 << 20).unwrap();
    let file: Arc<dyn ReadAt> = Arc::new(Changed(bytes));
    let outcome = scan::scan(&file, Ok(&store), &Progress::default(), |_| {});
    assert_eq!(outcome.verdict, Verdict::Errors);
    assert_eq!(outcome.counts.keys().copied().collect::<Vec<_>>(), [(Code::FileChanged, Severity::Error)]);
}

// Real stores.

fn corpus() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = ["../shared/corpus", "../../shared/corpus"].iter().map(|path| root.join(path)).find(|path| path.is_dir());
    if found.is_none() {
        eprintln!("skipped: there is no ../shared/corpus with real stores");
    }
    found
}

/// What Outlook and others wrote and opened has no error; what is damaged has the damage that is known of it.
#[test]
fn healthy_real_stores_have_no_errors_and_damaged_ones_theirs() {
    let Some(corpus) = corpus() else { return };
    let manifest = fs::read_to_string(corpus.join("MANIFEST.tsv")).unwrap();
    let mut rows = manifest.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let head = rows.next().unwrap();
    let health = head.iter().position(|name| *name == "health").unwrap();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for row in rows.filter(|row| row.len() > health) {
        let bytes = fs::read(corpus.join(row[0])).unwrap();
        let (findings, outcome) = scan_bytes(bytes);
        seen += 1;
        let bad = lines(&findings).into_iter().filter(|line| line.starts_with("!!")).collect::<Vec<_>>();
        let clean = matches!(outcome.verdict, Verdict::NoErrors | Verdict::Minor);
        let expected = row[health].starts_with("healthy") || row[health].starts_with("dirty");
        if clean != expected {
            wrong.push(format!("{} ({}): {:?} {bad:?}", row[0], row[health], outcome.verdict));
        }
    }
    assert!(seen > 20, "{seen} stores");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
