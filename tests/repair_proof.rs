//! What a repair proves before it says that it is done, and what a program that was killed leaves in nobody's way.
#![allow(missing_docs, reason = "tests")]
#![allow(
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a mistake ends the test"
)]

mod support;

use std::fs;
use std::path::Path;

use pstfs::damage::{Error, Verdict};
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::progress::Progress;
use pstfs::repair::{self, Backup, Held, Order, Outcome, Told};
use support::forge;
use support::place::{Place, code, err, out};

/// Stores of each format in which a folder tells a wrong number of items: what is below the nodes is whole.
fn miscounting() -> Vec<(Format, Place)> {
    let stores: Vec<_> = forge::damaged_all("folder-miscounts", &mut forge::store).collect();
    assert_eq!(stores.len(), 3);
    stores.into_iter().map(|(format, _, bytes)| (format, Place::with(bytes))).collect()
}

/// Repairs a store; `meanwhile` does something as things happen.
fn repaired(store: &Path, order: &Order, mut meanwhile: impl FnMut(Told<'_>) + Send) -> Result<Outcome, Error> {
    repair::run(store, order, Held::default(), &Progress::default(), &mut |told| {
        meanwhile(told);
        String::new()
    })
}

fn undo_order() -> Order {
    Order { backup: Backup::Undo, ..Order::default() }
}

/// Where two files differ: the first offset in each run of sectors, and the last one.
fn differences(old: &[u8], new: &[u8]) -> Vec<usize> {
    let differs = |sector: &usize| old.get(sector * 512..sector * 512 + 512) != new.get(sector * 512..sector * 512 + 512);
    let sectors: Vec<usize> = (0..new.len().div_ceil(512)).filter(differs).collect();
    let byte = |sector: usize| (sector * 512..new.len()).find(|at| old.get(*at) != Some(&new[*at])).unwrap();
    let edges = (0..sectors.len()).filter(|at| *at == 0 || sectors[at - 1] + 1 < sectors[*at] || *at + 1 == sectors.len());
    edges.map(|at| byte(sectors[at])).collect()
}

/// The disk takes everything and keeps something else: one byte of what was written, wherever that is.
#[test]
fn a_write_that_the_disk_spoiled_is_found_wherever_it_is() {
    for (format, place) in miscounting() {
        repaired(&place.store(), &undo_order(), |_| {}).unwrap();
        let places = differences(&place.old, &place.bytes());
        assert!(places.len() > 3, "header, maps, blocks and pages: {places:?}");
        for at in places {
            let place = Place::with(place.old.clone());
            let result = repaired(&place.store(), &undo_order(), |told| {
                if let Told::Written(_) = told {
                    let mut bytes = place.bytes();
                    bytes[at] ^= 0x40;
                    fs::write(place.store(), bytes).unwrap();
                }
            });
            let words = result.unwrap_err().to_string();
            assert!(words.contains("reads back as something else") && words.contains("undo --force"), "{format:?} {at:#x}: {words}");
            let undone = repair::take_back(&place.store(), None, true, Held::default(), &Progress::default());
            // A header that is none of the repair's is nobody's to write over.
            assert!(at < 564 && undone.is_err() || place.bytes() == place.old, "{format:?} {at:#x}: {undone:?}");
        }
    }
}

/// What nobody wrote to is not read for its own sake again; undo knows every byte all the same.
#[test]
fn what_was_not_written_to_is_known_by_the_digest() {
    for (format, place) in miscounting() {
        let mut known = false;
        let mut spoiled = Vec::new();
        let outcome = repaired(&place.store(), &undo_order(), |told| match told {
            Told::Known => known = true,
            Told::Written(_) => {
                spoiled = place.bytes();
                // Free space, before the repair and after it.
                spoiled[place.old.len() - 1] ^= 1;
                fs::write(place.store(), &spoiled).unwrap();
            }
            _ => {}
        });
        assert!(known, "{format:?}");
        assert_eq!(outcome.unwrap().scan.verdict, Verdict::Repaired, "{format:?}: free space is nobody's");
        let refused = repair::take_back(&place.store(), None, false, Held::default(), &Progress::default()).unwrap_err();
        assert!(refused.to_string().contains("its contents changed"), "{format:?}: {refused}");
        assert!(place.bytes() == spoiled, "{format:?}");
    }
}

/// Where a block or a page is wrong, or something lies behind a block, the scan of the result reads all blocks.
#[test]
fn only_what_was_found_whole_is_known() {
    for (case, expected) in [
        ("folder-miscounts", true),
        ("message-without-a-row", true),
        ("not-closed-cleanly", true),
        ("block-crc-wrong", false),
        ("nbt-leaf-zeroed", false),
        ("allocation-map-crc-wrong", false),
        ("block-marked-free", false),
    ] {
        let place = Place::new(case);
        let mut known = false;
        repaired(&place.store(), &Order::default(), |told| known |= matches!(told, Told::Known)).unwrap();
        assert_eq!(known, expected, "{case}");
    }
}

/// Undo trusts what the log says of both, and anybody can ask `b3sum`.
#[test]
fn the_log_has_the_digests_of_the_store_before_and_after() {
    for backup in [Backup::Full, Backup::Undo] {
        for (format, place) in miscounting() {
            let backup = backup.clone();
            repaired(&place.store(), &Order { backup, ..Order::default() }, |_| {}).unwrap();
            let log = fs::read_to_string(place.dir.path().join("a b.pst.repair.log")).unwrap();
            let new = place.bytes();
            let words = [
                format!(" len={} blake3={} ", new.len(), blake3::hash(&new)),
                format!(" was_len={} was_blake3={} ", place.old.len(), blake3::hash(&place.old)),
            ];
            assert!(words.iter().all(|part| log.contains(part)), "{format:?}: {log}");
        }
    }
}

#[test]
fn half_a_backup_of_one_who_was_killed_is_in_nobodys_way() {
    let place = Place::new("folder-miscounts");
    let beside = |name: &str| place.dir.path().join(name);
    fs::write(beside("a b.pst.bak.pstfs-part"), &place.old[..1000]).unwrap();
    fs::write(beside("a b.pst.bak"), "somebody else's").unwrap();
    let output = place.pstfs(&["repair", "-q"]);
    assert_eq!(code(&output), 1, "{}", err(&output));
    assert_eq!(place.names(), ["a b.pst", "a b.pst.bak", "a b.pst.bak.1", "a b.pst.repair.log"]);
    assert!(fs::read(beside("a b.pst.bak.1")).unwrap() == place.old && fs::read(beside("a b.pst.bak")).unwrap() == b"somebody else's");
    assert_eq!(code(&place.pstfs(&["undo", "-q"])), 0);
    // What has such a name and is no file is none of ours.
    fs::create_dir(beside("kept.pstfs-part")).unwrap();
    let output = place.pstfs(&["repair", "-q", "--backup", "kept"]);
    assert!(code(&output) == 8 && err(&output).contains("none of pstfs; move it away"), "{}", err(&output));
    assert!(place.bytes() == place.old);
}

fn stranger() -> Place {
    Place::with(b"MZ, a program that was given the name of a store. ".repeat(2000))
}

#[test]
fn half_a_fresh_store_of_one_who_was_killed_is_in_nobodys_way() {
    let place = stranger();
    fs::write(place.dir.path().join("a b.pst.fresh.pstfs-part"), "!BDN, and no more").unwrap();
    let output = place.pstfs(&["repair", "-q", "--force"]);
    assert_eq!(code(&output), 1, "{}{}", out(&output), err(&output));
    assert_eq!(place.names(), ["a b.pst", "a b.pst.bak", "a b.pst.repair.log"]);
    assert_eq!(code(&place.pstfs(&["undo", "-q"])), 0);
    assert!(place.bytes() == place.old);
}

/// A fresh store is made of what the file was when it was read: what somebody wrote since would be lost.
#[test]
fn a_file_that_somebody_writes_to_is_not_replaced() {
    let place = stranger();
    let order = Order { force: true, ..Order::default() };
    let more = [&place.old[..], b"a letter"].concat();
    let refused = repaired(&place.store(), &order, |told| {
        if let Told::Plan(_) = told {
            fs::write(place.store(), &more).unwrap();
        }
    });
    let words = refused.unwrap_err().to_string();
    assert!(words.contains("another program wrote to"), "{words}");
    assert!(place.bytes() == more && place.names() == ["a b.pst"], "{:?}", place.names());
}

#[test]
fn a_dry_run_tells_what_store_a_stranger_would_become() {
    let place = stranger();
    let output = place.pstfs(&["repair", "-q", "--dry-run", "--force"]);
    assert_eq!(code(&output), 4, "{}{}", out(&output), err(&output));
    assert!(out(&output).contains("**Planning the repair\n  => a fresh store is made: 0 items of 0 stores"), "{}", out(&output));
    assert!(place.bytes() == place.old && place.names() == ["a b.pst"]);
    let output = place.pstfs(&["repair", "-q", "--dry-run"]);
    assert_eq!(code(&output), 8, "without the word it is refused: {}", out(&output));
    let whole = forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("every-format"));
    let place = Place::with([&[0x55; 200 * 512][..], &whole].concat());
    let output = place.pstfs(&["repair", "-q", "--dry-run", "--force"]);
    let told = out(&output);
    assert!(code(&output) == 4 && told.contains(" of 1 stores") && !told.contains(": 0 items"), "{told}{}", err(&output));
}

/// Of a store whose trees are gone all of the file is searched when it is opened, before anything is told.
#[test]
fn who_has_enough_is_heard_while_the_store_is_searched() {
    let place = Place::new("nbt-leaf-zeroed");
    for dry_run in [true, false] {
        let progress = Progress::default();
        progress.cancel();
        let order = Order { dry_run, ..Order::default() };
        let ended = repair::run(&place.store(), &order, Held::default(), &progress, &mut |_| String::new());
        assert!(matches!(ended, Err(Error::Cancelled)) || ended.is_ok_and(|outcome| outcome.scan.verdict == Verdict::Cancelled));
    }
    assert!(place.bytes() == place.old && place.names() == ["a b.pst"]);
}
