//! The crash law of repairs: whatever a crash leaves of one opens as the damaged store or as the repaired one.
//!
//! Damaged stores of all three formats are repaired on a disk that remembers each write. Every state that a crash may
//! leave is read through its journal, as each command and mount does, and must show the documents of the one store or of
//! the other; brought to its end on disk it must be that store to the byte. Some states are written out, to be ended by
//! `repair` and by `undo` on files.
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

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use pstfs::disk::ReadAt;
use pstfs::disk::crash::{CrashDisk, CrashFile};
use pstfs::format::Format;
use pstfs::ndb::write::{Journal, Prepared, Recovered, recover_journal, through_journal};
use pstfs::progress::Progress;
use pstfs::recover;
use pstfs::repair::{self, Held, Options, Order, journal_of, plan, prepare};
use pstfs::tree::{Ino, Kind, Tree, View};
use support::forge;
use support::place::Place;
use support::scan::scanned;

/// Faults of every layer: header, maps, both trees, blocks, heaps, tables, items, folders.
const CASES: [&str; 26] = [
    "allocation-map-crc-wrong",
    "attachment-without-a-row",
    "block-count-too-low",
    "block-crc-wrong",
    "block-length-zero",
    "columns-out-of-order",
    "density-list-junk",
    "embedded-message-without-a-heap",
    "file-ends-inside-a-part",
    "folder-miscounts",
    "folder-missing",
    "folder-table-missing",
    "nbt-leaf-zeroed",
    "header-full-crc-wrong",
    "header-magic-zero",
    "heap-map-beyond-its-block",
    "inner-block-without-kind",
    "message-in-two-folders",
    "message-without-a-row",
    "names-with-a-gap",
    "page-kind-wrong",
    "root-id-told-wrong",
    "rows-in-the-wrong-item",
    "store-without-a-subtree",
    "template-missing",
    "two-blocks-in-one-place",
];

/// Documents by path: length and CRC of the first bytes.
type Documents = BTreeMap<String, (u64, u32)>;

const READ_MAX: u64 = 1 << 20;

fn documents(source: Arc<dyn ReadAt>) -> Option<Documents> {
    let store = recover::open_source(source, 8 << 20).ok()?;
    let tree = Tree::new(store, View { all_folders: true, hidden: true, ..View::default() }, 1 << 20);
    let (mut found, mut visited) = (Documents::new(), HashSet::new());
    let mut waiting = vec![(Ino::ROOT, String::new())];
    while let Some((ino, path)) = waiting.pop().filter(|(ino, _)| visited.insert(*ino)) {
        let Ok(listing) = tree.list(ino) else { continue };
        for entry in &listing.entries {
            let path = format!("{path}/{}", entry.name);
            if entry.kind == Kind::Directory {
                waiting.push((entry.ino, path));
                continue;
            }
            let read = tree.attributes(entry.ino).and_then(|attributes| {
                let bytes = tree.read(&tree.open(entry.ino)?, 0, attributes.size.min(READ_MAX) as usize)?;
                Ok((attributes.size, pstfs::format::checksum::crc(&bytes)))
            });
            found.insert(path, read.unwrap_or_default());
        }
    }
    Some(found)
}

/// Remembers which sectors were read.
#[derive(Debug)]
struct Traced {
    file: CrashFile,
    read: Mutex<BTreeSet<u64>>,
}

impl ReadAt for Traced {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read.lock().unwrap().extend(offset / 512..(offset + buffer.len() as u64).div_ceil(512));
        self.file.read_exact_at(buffer, offset)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Old,
    New,
}

#[derive(Debug, Default)]
struct Tally {
    fixtures: usize,
    states: usize,
    opened: usize,
    on_files: usize,
    lost: usize,
}

/// A repair that may crash at any of its writes.
struct Repair {
    name: String,
    bytes: Vec<u8>,
    disk: CrashDisk,
    old: (CrashFile, Documents),
    new: (CrashFile, Documents),
    /// What was read before: a state that is the same in all sectors that a reader looked at is the same to him.
    known: Vec<(CrashFile, BTreeSet<u64>, Option<End>)>,
}

fn prepared(bytes: &[u8]) -> Option<Prepared> {
    let (store, findings) = scanned(bytes.to_vec());
    let plan = plan(&store, &findings, Options::default()).unwrap();
    let prepared = prepare(&store, &plan).unwrap();
    prepared.journal().is_some().then_some(prepared)
}

impl Repair {
    /// `None` where there is nothing to repair.
    fn new(name: String, bytes: Vec<u8>) -> Option<Self> {
        let prepared = prepared(&bytes)?;
        let disk = CrashDisk::new(bytes.clone());
        let journal = disk.beside(Vec::new());
        let old = disk.file().unwrap();
        prepared.commit(&disk, &journal).unwrap();
        let new = disk.file().unwrap();
        let of = |file: CrashFile| (file.clone(), documents(Arc::new(file)).unwrap());
        Some(Self { name, bytes, disk, old: of(old), new: of(new), known: Vec::new() })
    }

    /// Which of the two stores one sees who reads this state.
    fn seen(&mut self, store: &CrashFile, journal: &CrashFile, tally: &mut Tally) -> Option<End> {
        let known = self.known.iter().rev().find(|(other, read, _)| store.same_in(other, |sector| read.contains(&sector)));
        if let Some((_, _, end)) = known {
            return *end;
        }
        tally.opened += 1;
        let traced = Arc::new(Traced { file: store.clone(), read: Mutex::default() });
        let shown = documents(through_journal(traced.clone(), journal).unwrap());
        let both = [(End::New, &self.new.1), (End::Old, &self.old.1)];
        let end = both.into_iter().find(|(_, documents)| shown.as_ref() == Some(*documents)).map(|(end, _)| end);
        let read = traced.read.lock().unwrap().clone();
        self.known.push((store.clone(), read, end));
        end
    }

    /// Which of the two stores a state is to the byte, when its journal was brought to its end.
    fn ended(&self, files: &[CrashFile]) -> Option<End> {
        let [store, journal] = CrashDisk::after_crash(files).try_into().unwrap();
        let done = recover_journal(&store, &journal).ok()?;
        let file = store.file().unwrap();
        let end = match () {
            () if file == self.new.0 => End::New,
            () if file == self.old.0 => End::Old,
            () => return None,
        };
        let right = match done {
            Recovered::Forward => end == End::New,
            Recovered::Back => end == End::Old,
            Recovered::Nothing => true,
        };
        (right && journal.bytes().is_empty()).then_some(end)
    }

    fn check(&mut self, seed: u64, every: usize, tally: &mut Tally) {
        tally.fixtures += 1;
        let alike = self.old.1 == self.new.1;
        for (number, files) in self.disk.states(seed).enumerate() {
            if !(number + seed as usize).is_multiple_of(every) {
                continue;
            }
            tally.states += 1;
            let seen = if Journal::read(&files[1]).unwrap().is_some() {
                self.seen(&files[0], &files[1], tally)
            } else {
                // Without a journal nothing was begun, or all is done.
                self.ended(&files)
            };
            let ended = self.ended(&files);
            if ended.is_none() || seen.is_none() || (seen != ended && !alike) {
                println!("{}: state {number}: seen as {seen:?}, ended as {ended:?}", self.name);
                tally.lost += 1;
            }
            if tally.states % 60 == 1 {
                self.end_on_files(&files, tally);
            }
        }
    }

    /// `repair` makes the repaired store of it, `undo` the damaged one.
    fn end_on_files(&self, files: &[CrashFile], tally: &mut Tally) {
        tally.on_files += 1;
        for undo in [false, true] {
            let place = Place::with(self.bytes.clone());
            let path = place.store();
            repair::run(&path, &Order::default(), Held::default(), &Progress::default(), &mut |_| String::new()).unwrap();
            // As it was when the power failed: the log told what would be done, the backup was made.
            let log = PathBuf::from(format!("{}.repair.log", path.display()));
            let text = std::fs::read_to_string(&log).unwrap();
            let (plan, rest) = text.split_once("** Record: ").unwrap();
            let (record, _) = rest.split_once('\n').unwrap();
            std::fs::write(&log, format!("{plan}** Record: {record}\n")).unwrap();
            std::fs::write(&path, files[0].bytes()).unwrap();
            std::fs::write(journal_of(&path), files[1].bytes()).unwrap();
            let (wanted, done) = if undo {
                (&self.old.0, repair::take_back(&path, None, false, Held::default(), &Progress::default()).is_ok())
            } else {
                let done = repair::run(&path, &Order::default(), Held::default(), &Progress::default(), &mut |_| String::new());
                (&self.new.0, done.is_ok())
            };
            // Where nothing was written yet there is nothing to take back, and the record of it is no longer true.
            let untouched = undo && !done && files[0] == self.old.0;
            if !(done || untouched) || place.bytes() != wanted.bytes() || journal_of(&path).exists() {
                println!("{}: undo {undo}: not ended on files", self.name);
                tally.lost += 1;
            }
        }
    }
}

/// One in so many states is looked at, unless there is time: of a store of 4K pages fewer, since it is large.
const fn every(format: Format) -> usize {
    match format {
        Format::Ansi | Format::Unicode => 30,
        Format::Unicode4k => 120,
    }
}

/// All damaged stores, and all states of each, where there is time, or one store in `PSTFS_LONG`; else eight repairs of each
/// format, other ones of each.
fn crash_states(format: Format) {
    let long = std::env::var("PSTFS_LONG").ok();
    let part: usize = long.as_deref().and_then(|part| part.parse().ok()).unwrap_or(1);
    let others = CASES.iter().cycle().skip(9 * format as usize).take(CASES.len()).map(|name| (*name).to_owned());
    let all: Vec<String> = forge::names("damaged").into_iter().step_by(part.max(1)).collect();
    let (names, every, wanted) = if long.is_some() { (all, 1, usize::MAX) } else { (others.collect(), every(format), 8) };
    let mut tally = Tally::default();
    for (seed, name) in (0..).zip(names) {
        if tally.fixtures == wanted {
            break;
        }
        let Some((_, cipher, bytes)) = forge::damaged_all(&name, &mut forge::store).find(|(of, ..)| *of == format) else { continue };
        let name = format!("{name}.{}", forge::variant_name(format, cipher));
        if let Some(mut repair) = Repair::new(name, bytes) {
            repair.check(seed, every, &mut tally);
            println!("{format:?}: {tally:?} after {}", repair.name);
        }
    }
    println!("{format:?}: {tally:?}");
    assert_eq!(tally.lost, 0);
    assert!(tally.fixtures >= 8, "{tally:?}");
}

#[test]
fn a_crash_of_a_repair_of_an_ansi_store_leaves_the_old_store_or_the_repaired_one() {
    crash_states(Format::Ansi);
}

#[test]
fn a_crash_of_a_repair_of_a_unicode_store_leaves_the_old_store_or_the_repaired_one() {
    crash_states(Format::Unicode);
}

#[test]
fn a_crash_of_a_repair_of_a_4k_store_leaves_the_old_store_or_the_repaired_one() {
    crash_states(Format::Unicode4k);
}
