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

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use pstfs::disk::{Lock, Locking, ReadAt};
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::ndb::write::Journal;
use pstfs::repair::{self, Order, journal_of};
use support::forge;
use support::place::{PSTFS, Place, Small, code, err, out, run};

/// Faults of different layers, each of which a repair puts right.
const DAMAGED: [&str; 5] =
    ["allocation-map-crc-wrong", "block-count-too-low", "folder-miscounts", "message-without-a-row", "header-full-crc-wrong"];

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
fn a_backup_and_what_the_repair_itself_takes_must_fit_together() {
    let place = Place::new("folder-miscounts");
    let (bytes, needed) = (place.old.len(), usize::try_from(place.prepared().0.needed_bytes()).unwrap());
    let Some(small) = Small::new(bytes + needed + bytes / 2) else { return };
    let path = small.0.path();
    fs::write(path.join("a.pst"), &place.old).unwrap();
    let output = run(&["repair", "-q", "a.pst"], path);
    let words = format!("a.pst: a full backup needs {bytes} bytes, the repair itself {needed}, and ");
    assert!(code(&output) == 8 && err(&output).contains(&words), "{}", err(&output));
    assert!(fs::read(path.join("a.pst")).unwrap() == place.old && fs::read_dir(path).unwrap().count() == 1);
    let output = run(&["repair", "-q", "--backup", "undo", "a.pst"], path);
    assert_eq!(code(&output), 1, "what the refusal names works: {}", err(&output));
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
