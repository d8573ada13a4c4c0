//! The laws of a repair on files: a second one writes nothing, an undo gives back every byte, what is healthy is not
//! touched, and the scan afterwards finds nothing or exactly what the plan left, and all that a scan of the whole finds.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use pstfs::damage::{Finding, Severity, Verdict};
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::progress::Progress;
use pstfs::repair::{Backup, Held, Order, Outcome, Told, run, take_back};
use pstfs::scan::Event;
use support::everyday::{DAMAGES, Whole};
use support::forge;
use support::place::Place;

/// One in so many stores is tried where there is little time.
const SAMPLE: usize = 15;

fn is_long() -> bool {
    std::env::var_os("PSTFS_LONG").is_some()
}

/// What does not change where nothing is written.
fn state(path: &Path) -> (u64, i64, i64, u64, Vec<String>) {
    let metadata = fs::metadata(path).unwrap();
    let names = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    (metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.len(), names)
}

/// Repairs; how it ended, the findings of the last scan, and how many the plan left.
fn repaired(path: &Path, backup: &Backup) -> (Outcome, Vec<Finding>, usize) {
    let (mut found, mut left) = (Vec::new(), 0);
    let order = Order { backup: backup.clone(), ..Order::default() };
    let outcome = run(path, &order, Held::default(), &Progress::default(), &mut |told| {
        match told {
            Told::Plan(plan) => left = plan.lines().filter(|line| line.starts_with("  left: ")).count(),
            Told::Written(_) => found.clear(),
            Told::Scan(Event::Finding(finding)) => found.push(finding.clone()),
            _ => {}
        }
        String::new()
    });
    (outcome.unwrap(), found, left)
}

/// Whether something may be left after a repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// What the plan says.
    AsPlanned,
    Nothing,
}

fn laws(name: &str, bytes: &[u8], backup: &Backup, may: Left) -> Vec<String> {
    let place = Place::with(bytes.to_vec());
    let path = place.store();
    let before = state(&path);
    let (outcome, all, left) = repaired(&path, backup);
    let found: Vec<&Finding> = all.iter().filter(|finding| finding.severity > Severity::Note).collect();
    let mut wrong = Vec::new();
    if may == Left::Nothing && !found.is_empty() {
        wrong.push(format!("{name}: {:?}, {left} left by the plan, left are: {found:?}", outcome.scan.verdict));
    }
    if outcome.kept.is_none() {
        if state(&path) != before || place.bytes() != bytes {
            wrong.push(format!("{name}: written, and nothing to repair"));
        }
        return wrong;
    }
    if found.len() > left || (outcome.scan.verdict == Verdict::Repaired) != found.is_empty() && left == 0 {
        wrong.push(format!("{name}: {:?}, {left} left by the plan, found: {found:?}", outcome.scan.verdict));
    }
    let after = (state(&path), place.bytes());
    let (second, seen, _) = repaired(&path, backup);
    if second.kept.is_some() || (state(&path), place.bytes()) != after {
        wrong.push(format!("{name}: a second repair writes"));
        return wrong;
    }
    if (&seen, second.scan.tally) != (&all, outcome.scan.tally) {
        let words = format!("{:?} {all:?}, then {:?} {seen:?}", outcome.scan.tally, second.scan.tally);
        wrong.push(format!("{name}: the scan after the repair tells something else than a scan of all: {words}"));
    }
    take_back(&path, None, false, Held::default(), &Progress::default()).unwrap();
    if place.bytes() != bytes {
        wrong.push(format!("{name}: an undo gives back something else"));
    }
    wrong
}

/// Does something for each of many, on as many threads as there are processors.
fn each<T: Sync>(all: &[T], act: impl Fn(usize, &T) -> Vec<String> + Sync) -> Vec<String> {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, std::num::NonZero::get) {
            scope.spawn(|| {
                while let Some((number, one)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| Some((n, all.get(n)?))) {
                    let found = act(number, one);
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    wrong.into_inner().unwrap()
}

#[test]
fn every_damaged_store_obeys_the_laws_of_a_repair() {
    let names = forge::names("damaged");
    let count = AtomicUsize::new(0);
    let wrong = each(&names, |number, name| {
        let mut wrong = Vec::new();
        for (variant, (format, cipher, bytes)) in forge::damaged_all(name, &mut forge::store).enumerate() {
            if !is_long() && (number + variant * 2) % SAMPLE != 0 {
                continue;
            }
            count.fetch_add(1, Ordering::Relaxed);
            let backup = if number % 2 == 0 { Backup::Undo } else { Backup::Full };
            wrong.extend(laws(&format!("{name}.{}", forge::variant_name(format, cipher)), &bytes, &backup, Left::AsPlanned));
        }
        wrong
    });
    println!("{} damaged stores, {} broken laws", count.into_inner(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The damages of everyday life: after the repair nothing is left.
fn everyday(format: Format, cipher: Cipher) {
    let whole = Whole::new(format, cipher);
    let all: Vec<_> =
        DAMAGES.into_iter().flat_map(|(name, damage)| whole.damaged(name, damage).into_iter().map(move |bytes| (name, bytes))).collect();
    let wrong = each(&all, |number, (name, bytes)| {
        let name = format!("{name}.{}", forge::variant_name(format, cipher));
        laws(&name, bytes, if number % 2 == 0 { &Backup::Undo } else { &Backup::Full }, Left::Nothing)
    });
    println!("{format:?}: {} everyday damages, {} broken laws", all.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn everyday_damage_of_ansi_stores_obeys_the_laws_of_a_repair() {
    everyday(Format::Ansi, Cipher::Permute);
}

#[test]
fn everyday_damage_of_unicode_stores_obeys_the_laws_of_a_repair() {
    everyday(Format::Unicode, Cipher::Cyclic);
}

#[test]
fn everyday_damage_of_4k_stores_obeys_the_laws_of_a_repair() {
    everyday(Format::Unicode4k, Cipher::None);
}

#[test]
fn healthy_real_stores_are_not_touched() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(manifest) = fs::read_to_string(corpus.join("MANIFEST.tsv")) else {
        println!("skipped: no ../shared/corpus here");
        return;
    };
    let healthy = manifest.lines().map(|line| line.split('\t').collect::<Vec<_>>()).filter(|fields| fields.get(1) == Some(&"healthy"));
    let most = if is_long() { u64::MAX } else { 1 << 20 };
    let files: Vec<PathBuf> =
        healthy.map(|fields| corpus.join(fields[0])).filter(|path| fs::metadata(path).unwrap().len() <= most).collect();
    let wrong = each(&files, |_, file| {
        let bytes = fs::read(file).unwrap();
        let place = Place::with(bytes.clone());
        let before = state(&place.store());
        let (outcome, found, _) = repaired(&place.store(), &Backup::Full);
        let untouched = outcome.kept.is_none() && state(&place.store()) == before && place.bytes() == bytes;
        if untouched { Vec::new() } else { vec![format!("{}: {:?} {found:?}", file.display(), outcome.scan.verdict)] }
    });
    println!("{} healthy stores", files.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
