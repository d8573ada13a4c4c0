//! What a user gets of `pstfs repair` and `pstfs undo`: exit codes, what is kept, refusals; cut off at any point; and on
//! a mounted store.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use pstfs::disk::{Lock, Locking, ReadAt};
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::ndb::write::{Journal, Prepared};
use pstfs::recover;
use pstfs::repair::{self, Options, Order, journal_of, plan, prepare};
use support::forge;

const PSTFS: &str = env!("CARGO_BIN_EXE_pstfs");

/// Faults of different layers, each of which a repair puts right.
const DAMAGED: [&str; 5] =
    ["allocation-map-crc-wrong", "block-count-too-low", "folder-miscounts", "message-without-a-row", "header-full-crc-wrong"];

fn run(args: &[&str], place: &Path) -> Output {
    Command::new("timeout").arg("120").arg(PSTFS).args(args).current_dir(place).stdin(Stdio::null()).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder with a store `a b.pst`.
struct Place {
    dir: tempfile::TempDir,
    old: Vec<u8>,
}

impl Place {
    fn new(case: &str) -> Self {
        Self::with(forge::damaged(case))
    }

    fn with(old: Vec<u8>) -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap(), old };
        fs::write(place.store(), &place.old).unwrap();
        place
    }

    fn store(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join("a b.pst")
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.store()).unwrap()
    }

    /// `pstfs` with these words, and the store last.
    fn pstfs(&self, args: &[&str]) -> Output {
        run(&[args, &["a b.pst"]].concat(), self.dir.path())
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn state(&self) -> (SystemTime, Vec<u8>) {
        (fs::metadata(self.store()).unwrap().modified().unwrap(), self.bytes())
    }

    /// The transaction that a repair would make.
    fn prepared(&self) -> (Prepared, Arc<dyn ReadAt>) {
        let source: Arc<dyn ReadAt> = Arc::new(self.old.clone());
        let store = recover::open_source(Arc::clone(&source), 32 << 20).unwrap();
        let (findings, _) = support::scan::scan(self.old.clone());
        let plan = plan(&store, &findings, Options::default()).unwrap();
        (prepare(&store, &plan).unwrap(), source)
    }
}

#[test]
fn a_repair_is_made_once_and_taken_back_to_the_byte() {
    for case in DAMAGED {
        for backup in ["full", "undo"] {
            let place = Place::new(case);
            let output = place.pstfs(&["repair", "-q", "--backup", backup]);
            assert_eq!(code(&output), 1, "{case}: {}{}", out(&output), err(&output));
            assert!(out(&output).ends_with(": Errors were repaired (exit 1)\n"), "{case}");
            assert_eq!(code(&place.pstfs(&["scan", "-q"])), 0, "{case}");
            let (before, names) = (place.state(), place.names());
            let again = place.pstfs(&["repair", "-q", "--backup", backup]);
            assert!(code(&again) == 0 && place.state() == before && place.names() == names, "{case}: {}", out(&again));
            let log = fs::read_to_string(place.dir.path().join("a b.pst.repair.log")).unwrap();
            let parts = ["** Begin of job 1: repair\n", "**Planning the repair\n", "  => ", "** Record: repaired ", "(exit 1)\n"];
            assert!(parts.iter().all(|part| log.contains(part)), "{log}");
            let undone = place.pstfs(&["undo", "-q"]);
            assert!(code(&undone) == 0 && place.bytes() == place.old, "{case} {backup}: {}", err(&undone));
            assert_eq!(code(&place.pstfs(&["undo", "-q"])), 8, "there is nothing left to take back");
        }
    }
}

#[test]
fn a_healthy_store_is_never_written() {
    for format in Format::ALL {
        let place = Place::with(forge::store(format, Cipher::Permute, &forge::recipe("every-format")));
        let before = place.state();
        for args in [&["repair", "-q"][..], &["repair", "-q", "--backup", "undo"], &["repair", "-q", "--dry-run"]] {
            let output = place.pstfs(args);
            assert_eq!(code(&output), 0, "{format:?}: {}{}", out(&output), err(&output));
            assert!(place.state() == before && place.names() == ["a b.pst"], "{format:?}");
        }
    }
}

#[test]
fn a_dry_run_tells_the_plan_and_writes_nothing() {
    let place = Place::new("message-without-a-row");
    let before = place.state();
    let output = place.pstfs(&["repair", "-q", "--dry-run"]);
    assert_eq!(code(&output), code(&place.pstfs(&["scan", "-q"])), "its codes are those of a scan");
    assert!(out(&output).contains("**Planning the repair\n  => "), "{}", out(&output));
    let records = out(&place.pstfs(&["repair", "-q", "--dry-run", "--json"]));
    assert!(records.contains("{\"type\":\"change\",\"what\":") && records.lines().last().unwrap().contains("\"changes\":"), "{records}");
    assert!(place.state() == before && place.names() == ["a b.pst"]);
}

#[test]
fn another_file_is_made_and_the_store_is_left_alone() {
    let place = Place::new("folder-miscounts");
    let before = place.state();
    let output = place.pstfs(&["repair", "-q", "--output", "new.pst"]);
    assert_eq!(code(&output), 1, "{}{}", out(&output), err(&output));
    assert!(place.state() == before && place.names() == ["a b.pst", "new.pst", "new.pst.repair.log"], "{:?}", place.names());
    assert_eq!(code(&run(&["scan", "-q", "new.pst"], place.dir.path())), 0);
    let output = place.pstfs(&["repair", "-q", "--output", "new.pst"]);
    assert!(code(&output) == 8 && err(&output).contains("new.pst exists"), "{}", err(&output));
    assert_eq!(code(&run(&["undo", "-q", "new.pst"], place.dir.path())), 0);
    assert!(fs::read(place.dir.path().join("new.pst")).unwrap() == place.old);
}

#[test]
fn what_is_no_store_gives_one_elsewhere_when_that_is_forced() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("text.pst"), "This is no store. ".repeat(1000)).unwrap();
    let forced = ["repair", "-q", "--force", "--output", "new.pst", "text.pst"];
    let output = run(&forced, dir.path());
    assert_eq!(code(&output), 1, "{}{}", out(&output), err(&output));
    assert_eq!(code(&run(&["scan", "-q", "new.pst"], dir.path())), 0);
    assert_eq!(code(&run(&["repair", "-q", "text.pst"], dir.path())), 8);
    assert!(err(&run(&forced, dir.path())).contains("new.pst exists"));
}

#[test]
fn of_several_files_the_codes_are_ored() {
    let place = Place::new("folder-miscounts");
    fs::write(place.dir.path().join("text"), "This is no store.").unwrap();
    let output = run(&["repair", "-q", "a b.pst", "text", "none"], place.dir.path());
    assert_eq!(code(&output), 1 | 8);
    assert!(out(&output).lines().all(|line| line.starts_with("a b.pst: ")) && err(&output).lines().count() == 2);
    assert_eq!(code(&run(&["repair", "--output", "x", "a", "b"], place.dir.path())), 16);
    assert_eq!(code(&run(&["repair", "--backup", "x", "a", "b"], place.dir.path())), 16);
}

#[test]
fn who_holds_the_store_is_named() {
    let place = Place::new("folder-miscounts");
    let Locking::Held(shared) = Lock::shared(&place.store()).unwrap() else { panic!("no locks here") };
    let output = place.pstfs(&["repair", "-q"]);
    let words = format!("a b.pst: is in use by process {} (", std::process::id());
    assert!(code(&output) == 8 && err(&output).contains(&words), "{}", err(&output));
    assert_eq!(code(&place.pstfs(&["repair", "-q", "--dry-run"])), code(&place.pstfs(&["scan", "-q"])), "who looks is not kept out");
    assert_eq!(code(&place.pstfs(&["undo", "-q"])), 8);
    assert!(shared.upgrade().unwrap());
    for args in [&["ls"][..], &["info"], &["scan", "-q"], &["repair", "-q"], &["repair", "-q", "--output", "new"]] {
        let output = place.pstfs(args);
        let named = err(&output).contains(&format!("by process {} (", std::process::id()));
        assert!(code(&output) == 8 && named, "{args:?}: {}", err(&output));
    }
    assert!(place.bytes() == place.old && place.names() == ["a b.pst"], "{:?}", place.names());
}

/// A file system of its own, of so many bytes; `None`, said aloud, where none can be mounted.
struct Small(tempfile::TempDir);

impl Small {
    fn new(bytes: usize) -> Option<Self> {
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

#[test]
fn too_little_space_is_told_with_its_numbers_and_leaves_the_store_alone() {
    let old = forge::damaged("folder-miscounts");
    let Some(small) = Small::new(old.len() + old.len() / 2) else { return };
    let path = small.0.path();
    fs::write(path.join("a.pst"), &old).unwrap();
    let output = run(&["repair", "-q", "a.pst"], path);
    let words = ["a.pst: the repair needs ", " bytes beside the store and ", " are free; 'pstfs repair --output NEW'"];
    assert!(code(&output) == 8 && words.iter().all(|part| err(&output).contains(part)), "{}", err(&output));
    let refused = repair::check(&path.join("a.pst"), &Order::default()).unwrap_err().to_string();
    let words = [format!("a full backup needs {} bytes and ", old.len()), " are free; '--backup undo'".to_owned()];
    assert!(words.iter().all(|part| refused.contains(part)), "{refused}");
    assert!(fs::read(path.join("a.pst")).unwrap() == old);
    assert_eq!(fs::read_dir(path).unwrap().count(), 1, "half a backup is worse than none");
}

#[test]
fn a_store_that_cannot_be_written_is_refused() {
    let old = forge::damaged("folder-miscounts");
    let Some(small) = Small::new(16 << 20) else { return };
    let path = small.0.path();
    fs::write(path.join("a.pst"), &old).unwrap();
    assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(path).output().unwrap().status.success());
    for verb in ["repair", "undo"] {
        let output = run(&[verb, "-q", "a.pst"], path);
        assert!(code(&output) == 8 && err(&output).contains("read-only; use '--output NEW'"), "{}", err(&output));
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let new = elsewhere.path().join("new.pst");
    assert_eq!(code(&run(&["repair", "-q", "--output", new.to_str().unwrap(), "a.pst"], path)), 1);
}

// Cut off.

#[test]
fn readers_see_through_the_journal_of_a_repair_that_was_cut_off() {
    for stage in ["old", "dirty", "committed"] {
        let place = Place::new("folder-miscounts");
        let (prepared, source) = place.prepared();
        let journal = prepared.journal().unwrap().clone();
        let new = prepared.preview(Arc::clone(&source)).unwrap();
        let mut after = vec![0; usize::try_from(new.len().unwrap()).unwrap()];
        new.read_exact_at(&mut after, 0).unwrap();
        let (now, ends) = match stage {
            "old" => (with_header(&place.old, &journal.headers.old), &place.old),
            "dirty" => (with_header(&place.old, &journal.headers.dirty), &place.old),
            _ => (with_header(&after, &journal.headers.committed), &after),
        };
        fs::write(place.store(), &now).unwrap();
        fs::write(journal_of(&place.store()), Journal::encode(&journal)).unwrap();
        let before = (place.state(), place.names());
        for args in [&["ls"][..], &["info"]] {
            let output = place.pstfs(args);
            assert_eq!(code(&output), 0, "{stage}: {}", err(&output));
            assert!(err(&output).contains("H24: a repair of this store was cut off"), "{stage}: {}", err(&output));
        }
        let scanned = place.pstfs(&["scan", "-q"]);
        assert!(out(&scanned).contains("?? H24"), "{stage}: {}", out(&scanned));
        assert_eq!(out(&scanned).contains("?? M05"), stage != "committed", "{}", out(&scanned));
        if Path::new("/dev/fuse").exists() {
            let elsewhere = tempfile::tempdir().unwrap();
            let point = elsewhere.path().to_str().unwrap();
            let mounted = run(&["mount", "a b.pst", point], place.dir.path());
            assert!(code(&mounted) == 0 && err(&mounted).contains("H24: "), "{stage}: {}", err(&mounted));
            let log = fs::read_to_string(elsewhere.path().join(".scanlog")).unwrap();
            assert_eq!(code(&run(&["umount", point], place.dir.path())), 0);
            assert!(log.contains("?? H24 the file: "), "{log}");
        }
        assert!((place.state(), place.names()) == before, "looking changes nothing");
        let undone = place.pstfs(&["undo", "-q"]);
        if stage == "committed" {
            assert!(code(&undone) == 8 && place.bytes() == *ends, "there is no backup beside it: {}", err(&undone));
        } else {
            assert!(code(&undone) == 0 && place.bytes() == *ends, "{stage}: {}", err(&undone));
            fs::write(place.store(), &now).unwrap();
            fs::write(journal_of(&place.store()), Journal::encode(&journal)).unwrap();
            assert_eq!(code(&place.pstfs(&["repair", "-q"])), 1, "{stage}");
        }
        assert!(!journal_of(&place.store()).exists());
        assert_eq!(code(&place.pstfs(&["scan", "-q"])), 0, "{stage}");
    }
}

fn with_header(bytes: &[u8], header: &[u8]) -> Vec<u8> {
    [header, &bytes[header.len()..]].concat()
}

#[test]
fn a_repair_that_is_killed_leaves_the_old_store_or_the_repaired_one() {
    let case = "message-without-a-row";
    let whole = Place::new(case);
    let begun = std::time::Instant::now();
    assert_eq!(code(&whole.pstfs(&["repair", "-q"])), 1);
    let (took, after) = (begun.elapsed(), whole.bytes());
    let mut ends = [0, 0];
    for round in 0..24_u32 {
        let place = Place::new(case);
        let mut command = Command::new(PSTFS);
        let mut child = command.args(["repair", "-q", "a b.pst"]).current_dir(place.dir.path()).stdout(Stdio::null()).spawn().unwrap();
        thread::sleep(took * round / 20);
        child.kill().unwrap();
        child.wait().unwrap();
        let backup = place.dir.path().join("a b.pst.bak");
        if journal_of(&place.store()).exists() {
            assert!(fs::read(&backup).unwrap() == place.old, "round {round}");
        }
        let listed = place.pstfs(&["ls"]);
        assert_eq!(code(&listed), 0, "round {round}: {}", err(&listed));
        let undone = place.pstfs(&["undo", "-q"]);
        if code(&undone) != 0 {
            assert!(place.bytes() == place.old, "round {round}: {}", err(&undone));
        }
        assert!(place.bytes() == place.old, "round {round}");
        let again = place.pstfs(&["repair", "-q"]);
        assert!(code(&again) == 1 && place.bytes() == after, "round {round}: {}", err(&again));
        ends[usize::from(code(&undone) == 0)] += 1;
    }
    eprintln!("killed {} times: {} before anything was written, {} taken back", ends[0] + ends[1], ends[0], ends[1]);
}

// Mounted.

/// A store that is mounted, for as long as this lives.
struct Mounted {
    place: Place,
    point: PathBuf,
}

impl Mounted {
    fn new(case: &str, options: &str) -> Option<Self> {
        if let Err(error) = File::options().read(true).write(true).open("/dev/fuse") {
            assert!(std::env::var_os("CI").is_none(), "/dev/fuse: {error}; the mount cannot be tested");
            eprintln!("skipped: /dev/fuse: {error}");
            return None;
        }
        let place = Place::new(case);
        let point = place.dir.path().canonicalize().unwrap().join("mnt");
        fs::create_dir(&point).unwrap();
        let mounted = run(&["mount", "-o", options, "a b.pst", "mnt"], place.dir.path());
        assert_eq!(code(&mounted), 0, "{}", err(&mounted));
        Some(Self { place, point })
    }

    fn command(&self, command: &str) -> std::io::Result<()> {
        fs::write(self.point.join(".control"), command)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.point.join(".scanlog")).unwrap()
    }

    fn ctl(&self, args: &[&str]) -> Output {
        run(&[&["ctl", "mnt"], args].concat(), self.place.dir.path())
    }

    /// All files of the tree, and what they hold.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
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

#[test]
fn a_mounted_store_is_repaired_while_it_is_read() {
    let Some(mounted) = Mounted::new("message-without-a-row", "names=nid") else { return };
    let files = mounted.files();
    let (name, bytes) = files.first().unwrap();
    let mut open = File::open(mounted.point.join(name)).unwrap();
    let mut begun = vec![0; 10];
    open.read_exact(&mut begun).unwrap();
    mounted.command("repair dry-run\n").unwrap();
    assert!(mounted.log().contains("**Planning the repair\n  => ") && mounted.place.bytes() == mounted.place.old);
    mounted.command("repair\n").unwrap();
    assert!(mounted.log().ends_with("** End of job 2: Errors were repaired (exit 1)\n"), "{}", mounted.log());
    open.read_to_end(&mut begun).unwrap();
    assert!(begun == *bytes, "who has a file open reads on");
    let state = fs::read_to_string(mounted.point.join(".control")).unwrap();
    assert!(state.contains("verdict=Errors were repaired\nexit=1\n"), "{state}");
    let log = fs::read_to_string(mounted.place.dir.path().join("a b.pst.repair.log")).unwrap();
    assert!(log.ends_with("** End of job 2: Errors were repaired (exit 1)\n"), "{log}");
    let after = mounted.files();
    // What was an orphan says so, and is none any more.
    let mut kept = files.iter().filter(|(name, _)| !name.contains("/Recovered/"));
    assert!(kept.all(|file| after.contains(file)), "what could be read can be read, with the same bytes");
    assert!(files.iter().any(|(name, _)| name.contains("/Orphaned/")) && !after.iter().any(|(name, _)| name.contains("/Orphaned/")));
    let shown: Vec<_> = fs::read_dir(mounted.point.join("Inbox")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    let listed = out(&run(&["ls", "-o", "names=nid", "a b.pst", "Inbox"], mounted.place.dir.path()));
    assert_eq!(shown.len(), listed.lines().count(), "the mount shows what is in the file now: {shown:?} {listed}");
    assert_eq!(code(&mounted.ctl(&["repair", "-q"])), 0, "there is nothing left to do");
    assert_eq!(code(&mounted.ctl(&["undo", "-q"])), 0);
    assert!(mounted.place.bytes() == mounted.place.old);
    assert_eq!(mounted.files(), files);
    assert_eq!(code(&mounted.ctl(&["repair", "-q", "--backup", "undo"])), 1);
    assert!(mounted.place.names().contains(&"a b.pst.undo".to_owned()));
}

#[test]
fn a_repair_of_a_mounted_store_is_refused_before_it_starts() {
    let Some(mounted) = Mounted::new("folder-miscounts", "names=nid") else { return };
    let errno = |command: &str| mounted.command(command).unwrap_err().raw_os_error().unwrap();
    let kept = mounted.place.dir.path().join("kept");
    fs::write(&kept, "mine").unwrap();
    assert_eq!(errno(&format!("repair backup={}", kept.display())), 17, "EEXIST");
    for unknown in ["repair now", "repairs", "repair backup=", "repair backup=relative", "undo now"] {
        assert_eq!(errno(unknown), 22, "{unknown}: EINVAL");
    }
    let Locking::Held(other) = Lock::shared(&mounted.place.store()).unwrap() else { panic!("no locks here") };
    assert_eq!((errno("repair"), errno("undo")), (16, 16), "EBUSY");
    let refused = mounted.ctl(&["repair", "-q"]);
    assert!(code(&refused) == 8 && err(&refused).contains(&format!("process {} (", std::process::id())), "{}", err(&refused));
    let outside = mounted.place.pstfs(&["repair", "-q"]);
    assert!(err(&outside).contains("mounted at ") && err(&outside).contains("/mnt; use 'pstfs ctl "), "{}", err(&outside));
    drop(other);
    let old = mounted.place.bytes();
    thread::sleep(Duration::from_millis(20));
    fs::write(mounted.place.store(), &old).unwrap();
    assert_eq!(errno("repair"), 116, "ESTALE");
    assert!(mounted.place.bytes() == mounted.place.old);
}

#[test]
fn a_mount_for_reading_only_repairs_nothing() {
    let Some(mounted) = Mounted::new("folder-miscounts", "ro") else { return };
    for verb in ["repair", "undo"] {
        let refused = mounted.ctl(&[verb, "-q"]);
        assert!(code(&refused) == 8 && err(&refused).contains("mounted with 'ro'"), "{}", err(&refused));
    }
    assert_eq!(code(&mounted.ctl(&["scan", "-q"])), 0, "all else is done");
    let outside = mounted.place.pstfs(&["repair", "-q"]);
    assert_eq!(code(&outside), 8);
    assert!(mounted.place.bytes() == mounted.place.old);
}
