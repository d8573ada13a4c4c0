//! A repair of a store that is mounted and read meanwhile: on real mounts through /dev/fuse.
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
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pstfs::disk::{Lock, Locking};
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use support::forge;
use support::place::{Mounted, Place, Small, code, err, out, run};

#[test]
fn a_mounted_store_is_repaired_while_it_is_read() {
    let Some(mounted) = Mounted::with("message-without-a-row", BY_ID) else { return };
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
    let Some(mounted) = Mounted::with("folder-miscounts", BY_ID) else { return };
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
    let Some(mounted) = Mounted::with("folder-miscounts", &["-o", "ro"]) else { return };
    for verb in ["repair", "undo"] {
        let refused = mounted.ctl(&[verb, "-q"]);
        assert!(code(&refused) == 8 && err(&refused).contains("mounted with 'ro'"), "{}", err(&refused));
    }
    assert_eq!(code(&mounted.ctl(&["scan", "-q"])), 0, "all else is done");
    let outside = mounted.place.pstfs(&["repair", "-q"]);
    assert_eq!(code(&outside), 8);
    assert!(mounted.place.bytes() == mounted.place.old);
}

/// A document by its path in the mount, whose bytes a repair changes.
const GROWS: (&str, &str) = ("inner-block-without-kind", "Inbox/200064.eml");
const SHRINKS: (&str, &str) = ("heap-map-beyond-its-block", "Inbox/200024.eml");
const BY_ID: &[&str] = &["-o", "names=nid"];
/// The mount remembers next to nothing by itself, the kernel all the more.
const FORGETFUL: &[&str] = &["-o", "names=nid", "--cache-size", "1K"];

/// Length and bytes of a document as one who opens it anew finds them.
fn whole(path: &Path) -> (u64, Vec<u8>) {
    (fs::metadata(path).unwrap().len(), fs::read(path).unwrap())
}

fn damage(path: &Path) -> Option<Vec<u8>> {
    let output = Command::new("getfattr").args(["--only-values", "-n", "user.pst.damage"]).arg(path).output().ok()?;
    output.status.success().then_some(output.stdout)
}

/// What the program says a document holds, without a mount.
fn cat(place: &Place, path: &str) -> Vec<u8> {
    run(&["cat", "-o", "names=nid", "a b.pst", path], place.dir.path()).stdout
}

#[test]
fn what_the_kernel_kept_of_a_document_is_forgotten_at_once() {
    for ((case, path), options) in [(GROWS, BY_ID), (SHRINKS, BY_ID), (GROWS, FORGETFUL), (SHRINKS, FORGETFUL)] {
        let Some(mounted) = Mounted::with(case, options) else { return };
        let document = mounted.point.join(path);
        // By its path alone, then with all that lies beside it; cached in each way that the kernel has.
        let (inode, old) = (fs::metadata(&document).unwrap().ino(), whole(&document));
        let _ = (mounted.files(), damage(&document));
        mounted.command("repair\n").unwrap();
        let new = whole(&document);
        assert_eq!((new.0, fs::metadata(&document).unwrap().ino()), (new.1.len() as u64, inode), "{case}");
        assert!(new != old && new.1 == cat(&mounted.place, path), "{case}: {old:?} {new:?}");
        let _ = damage(&document);
        mounted.command("undo\n").unwrap();
        assert!(whole(&document) == old, "{case}: taken back");
    }
}

#[test]
fn names_that_come_and_go_with_a_repair_are_seen_at_once() {
    for options in [BY_ID, FORGETFUL] {
        let Some(mounted) = Mounted::with("message-in-two-folders", options) else { return };
        let (gone, stays) = (mounted.point.join("Deleted Items/200024.eml"), mounted.point.join("Inbox/200024.eml"));
        let in_folder = || fs::read_dir(mounted.point.join("Deleted Items")).unwrap().count();
        assert!(gone.exists() && stays.exists() && in_folder() == 2);
        mounted.command("repair\n").unwrap();
        assert!(!gone.exists() && stays.exists() && in_folder() == 1, "{}", mounted.log());
        mounted.command("undo\n").unwrap();
        assert!(gone.exists() && stays.exists() && in_folder() == 2);
        let Some(mounted) = Mounted::with("message-without-a-row", options) else { return };
        let comes = mounted.point.join("Lost and Found");
        // The kernel remembers that there is none.
        assert!(!comes.exists() && !comes.join("x").exists());
        mounted.command("repair\n").unwrap();
        assert!(comes.exists() && fs::read_dir(&comes).unwrap().count() == 1, "{:?}", fs::read_dir(&mounted.point).unwrap().count());
        mounted.command("undo\n").unwrap();
        assert!(!comes.exists());
    }
}

#[test]
fn who_has_a_document_open_reads_the_old_one_and_who_opens_it_anew_the_new_one() {
    for (case, path) in [GROWS, SHRINKS] {
        let Some(mounted) = Mounted::with(case, BY_ID) else { return };
        let document = mounted.point.join(path);
        let begun = File::open(&document).unwrap();
        let untouched = File::open(&document).unwrap();
        let old = whole(&document).1;
        let mut start = [0; 7];
        begun.read_exact_at(&mut start, 0).unwrap();
        mounted.command("repair\n").unwrap();
        let new = cat(&mounted.place, path);
        let read = |file: &File| read_through(file).unwrap();
        for _ in 0..3 {
            assert!(read(&begun) == old && read(&untouched) == old, "{case}");
            assert!(whole(&document) == (new.len() as u64, new.clone()), "{case}");
        }
    }
}

/// All that a handle shows, asked for piece by piece.
fn read_through(file: &File) -> std::io::Result<Vec<u8>> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 65_536]);
    loop {
        match file.read_at(&mut piece, bytes.len() as u64)? {
            0 => return Ok(bytes),
            read => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

/// A store with an attachment of 9 MB, of whose blocks a page of the tree is damaged: its repair writes the tree anew, behind
/// the old end of the file.
fn large_without_a_page() -> Place {
    let whole = forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("attachment-of-xxblock-size"));
    Place::with(forge::edits::damaged(whole, &forge::Recipe::parse("flip page tree=blocks level=0 index=20 at=8\n")))
}

/// An undo writes over what the repair wrote and cuts what it added. Who had a document open then read errors: a repair
/// leaves the bytes of the state before where they are, an undo does not.
#[test]
fn what_was_opened_in_a_repaired_state_is_read_on_after_an_undo() {
    for place in [large_without_a_page(), Place::new(GROWS.0)] {
        let Some(mounted) = Mounted::showing(place, FORGETFUL) else { return };
        let before = mounted.files();
        let mut held = Vec::new();
        for (round, command) in ["repair backup=undo\n", "repair\n", "repair backup=undo\n"].into_iter().enumerate() {
            mounted.command(command).unwrap();
            let after = mounted.files();
            let folder = fs::read_dir(mounted.point.join("Inbox")).unwrap();
            let listed: Vec<_> = fs::read_dir(mounted.point.join("Inbox")).unwrap().flatten().map(|entry| entry.file_name()).collect();
            held.extend(after.into_iter().map(|(name, bytes)| (File::open(mounted.point.join(&name)).unwrap(), name, bytes)));
            mounted.command("undo\n").unwrap();
            assert!(mounted.place.bytes() == mounted.place.old && mounted.files() == before, "round {round}");
            for (open, name, bytes) in &held {
                let read = read_through(open).map_err(|error| format!("round {round}, {name}: {error}")).unwrap();
                assert!(read == *bytes, "round {round}, {name}");
            }
            assert!(folder.flatten().map(|entry| entry.file_name()).eq(listed), "round {round}");
        }
    }
}

/// The kernel keeps one copy of what a document holds. Bytes that the last reader of the old state left in it were shown
/// to the next who opened the document.
#[test]
fn bytes_that_an_old_reader_left_in_memory_are_not_shown_as_new_ones() {
    for (case, path) in [GROWS, SHRINKS] {
        let Some(mounted) = Mounted::with(case, BY_ID) else { return };
        let document = mounted.point.join(path);
        let mut old = File::open(&document).unwrap();
        mounted.command("repair\n").unwrap();
        let mut bytes = Vec::new();
        old.read_to_end(&mut bytes).unwrap();
        drop(old);
        let new = cat(&mounted.place, path);
        // Closing is told to the mount later than to the program, and for a while nothing is kept of anything.
        thread::sleep(Duration::from_millis(2100));
        assert!(bytes != new && whole(&document).1 == new, "{case}");
        assert!(whole(&document) == (new.len() as u64, new), "{case}");
    }
}

#[test]
fn readers_see_the_old_store_or_the_repaired_one_and_nothing_between() {
    let Some(mounted) = Mounted::with(GROWS.0, BY_ID) else { return };
    let before = mounted.files();
    mounted.command("repair\n").unwrap();
    let after = mounted.files();
    mounted.command("undo\n").unwrap();
    let (stop, reads, refused) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let reader = |number: usize| {
        while !stop.load(Ordering::Relaxed) {
            for (name, old) in &before {
                let path = mounted.point.join(name);
                // What a repair added is cut off by its undo: an error is an answer, other bytes are not.
                match fs::read(&path) {
                    Ok(bytes) => assert!(
                        bytes == *old || after.contains(&(name.clone(), bytes.clone())),
                        "{name}: {} bytes, the old one has {}: {}",
                        bytes.len(),
                        old.len(),
                        String::from_utf8_lossy(&bytes)
                    ),
                    Err(_) => _ = refused.fetch_add(1, Ordering::Relaxed),
                }
                reads.fetch_add(1, Ordering::Relaxed);
            }
            thread::sleep(Duration::from_millis(number as u64));
        }
    };
    thread::scope(|scope| {
        (0..3).for_each(|number| _ = scope.spawn(move || reader(number)));
        for round in 0..4 {
            mounted.command("repair backup=undo\n").unwrap();
            assert!(mounted.files() == after, "round {round}");
            mounted.command("undo\n").unwrap();
            assert!(mounted.files() == before, "round {round}");
        }
        stop.store(true, Ordering::Relaxed);
    });
    eprintln!("{} documents read meanwhile, {} refused", reads.into_inner(), refused.into_inner());
}

/// A store on a small file system, mounted elsewhere.
fn mounted_on(small: &Small, case: &str) -> Option<(Mounted, PathBuf)> {
    let store = small.0.path().canonicalize().unwrap().join("a.pst");
    fs::write(&store, forge::damaged(case)).unwrap();
    Some((Mounted::of(&store, BY_ID)?, store))
}

#[test]
fn a_mounted_store_without_room_beside_it_is_refused_with_its_numbers() {
    let old = forge::damaged("folder-miscounts");
    let Some(small) = Small::new(old.len() * 3 / 2) else { return };
    let Some((mounted, store)) = mounted_on(&small, "folder-miscounts") else { return };
    assert_eq!(mounted.command("repair\n").unwrap_err().raw_os_error(), Some(28), "ENOSPC");
    let refused = run(&["ctl", mounted.point.to_str().unwrap(), "repair", "-q"], Path::new("/"));
    let words = [format!("a full backup needs {} bytes and ", old.len()), "repair --backup undo' keeps only what changes".into()];
    assert!(code(&refused) == 8 && words.iter().all(|part| err(&refused).contains(part)), "{}", err(&refused));
    assert!(fs::read(&store).unwrap() == old && fs::read_dir(small.0.path()).unwrap().count() == 1);
}

#[test]
fn a_mounted_store_that_cannot_be_written_is_refused() {
    let Some(small) = Small::new(4 << 20) else { return };
    let Some((mounted, store)) = mounted_on(&small, "folder-miscounts") else { return };
    let old = fs::read(&store).unwrap();
    assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(small.0.path()).output().unwrap().status.success());
    for command in ["repair\n", "undo\n"] {
        assert_eq!(mounted.command(command).unwrap_err().raw_os_error(), Some(30), "EROFS");
    }
    assert!(fs::read(&store).unwrap() == old);
}

#[test]
fn of_two_repairs_at_once_the_second_is_told_who_has_the_store() {
    // A repair that ends before it was seen to hold the store is made again, of another copy.
    let mut seen = (0..100).filter_map(|_| {
        let place = Place::new("block-crc-wrong");
        let mut first = Command::new(support::place::PSTFS);
        let first = first.args(["repair", "-q", "a b.pst"]).current_dir(place.dir.path()).stdout(std::process::Stdio::null());
        let mut first = first.spawn().unwrap();
        // To try the lock would be to hold it for a moment, and the repair would be refused.
        while !fs::read_to_string("/proc/locks").unwrap().contains(&format!(" {} ", first.id())) {
            if first.try_wait().unwrap().is_some() {
                return None;
            }
            thread::yield_now();
        }
        Some((place, first))
    });
    let (place, mut first) = seen.next().expect("a repair holds the store");
    let signal = |name: &str| assert!(Command::new("kill").args([name, &first.id().to_string()]).status().unwrap().success());
    signal("-STOP");
    let second = place.pstfs(&["repair", "-q"]);
    let point = tempfile::tempdir().unwrap();
    let mounted = run(&["mount", "a b.pst", point.path().to_str().unwrap()], place.dir.path());
    signal("-CONT");
    assert_eq!(first.wait().unwrap().code(), Some(1));
    let words = format!("is in use by process {} (pstfs); try again when that has ended", first.id());
    assert!(code(&second) == 8 && err(&second).contains(&words), "{}", err(&second));
    assert!(code(&mounted) == 32 && err(&mounted).contains(&first.id().to_string()), "{}", err(&mounted));
}
