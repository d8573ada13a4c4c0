//! The crash law: whatever a crash leaves of a commit opens as the old store or as the new one.
//!
//! Each state is read in three ways: by a reader that knows nothing of the journal, through the journal, and after the
//! journal was brought to its end on disk, when the file must be the old one or the new one to the byte.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

#[path = "support/blank.rs"]
mod blank;
#[path = "support/model.rs"]
mod model;

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};

use blank::blank;
use model::{Changes, Model, Random, open, read};
use pstfs::disk::ReadAt;
use pstfs::disk::crash::{CrashDisk, CrashFile};
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::ndb::write::{Journal, Rebuild, Recovered, Room, Transaction, recover_journal, through_journal};

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
        let end = offset + buffer.len() as u64;
        self.read.lock().unwrap().extend(offset / 512..end.div_ceil(512));
        self.file.read_exact_at(buffer, offset)
    }
}

/// Which of the two stores a state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Old,
    New,
}

/// What was read before: a state that is the same in all sectors that a walk of the whole store looked at is the same store.
type Known = Vec<(CrashFile, BTreeSet<u64>, End)>;

/// A commit that may crash: the store before and after it.
struct Commit {
    disk: CrashDisk,
    journal: CrashDisk,
    old: (CrashFile, Model),
    new: (CrashFile, Model),
}

#[derive(Debug, Default)]
struct Tally {
    transactions: usize,
    states: usize,
    old: usize,
    new: usize,
    walked: usize,
    recoveries: usize,
    lost: usize,
}

fn commit(random: &mut Random, bytes: Vec<u8>, model: &Model) -> Commit {
    let ndb = open(Arc::new(bytes.clone()));
    let format = ndb.format();
    let often = if format == Format::Unicode4k { 16 } else { 3 };
    let room = if random.below(often) == 0 && bytes.len() < 40 << 20 { Room::grow(format) } else { Room::reuse(format) };
    let mut transaction = Transaction::begin(&ndb).unwrap().with_room(room);
    if random.below(6) == 0 {
        transaction.rebuild(Rebuild::Maps, None);
    }
    let block_max = format.layout().data_max_bytes;
    let mut changes = Changes { random, transaction, model: model.clone(), block_max };
    changes.some();
    let (transaction, new_model) = (changes.transaction, changes.model);
    let disk = CrashDisk::new(bytes);
    // Left over from an earlier commit that never got as far as syncing its journal.
    let journal = disk.beside(random.bytes(700));
    let old = (disk.file().unwrap(), model.clone());
    transaction.commit(&disk, &journal).unwrap();
    let new = (disk.file().unwrap(), new_model);
    Commit { disk, journal, old, new }
}

impl Commit {
    /// Which store a reader sees, with or without the journal; `None` for neither.
    fn seen(&self, file: &CrashFile, journal: Option<&CrashFile>, known: &mut Known, tally: &mut Tally) -> Option<End> {
        if let Some((_, _, end)) = known.iter().rev().find(|(other, read, _)| file.same_in(other, |sector| read.contains(&sector))) {
            return Some(*end);
        }
        tally.walked += 1;
        let traced = Arc::new(Traced { file: file.clone(), read: Mutex::default() });
        let source: Arc<dyn ReadAt> = traced.clone();
        let source = match journal {
            Some(journal) => through_journal(source, journal).unwrap(),
            None => source,
        };
        let ndb = open(source);
        let model = read(&ndb).ok()?;
        // Where a transaction changed nothing but maps both models are alike; by its roots a store is the one or the other.
        let end = [(End::New, &self.new.1), (End::Old, &self.old.1)].into_iter().find(|(_, other)| **other == model)?.0;
        let read = traced.read.lock().unwrap().clone();
        known.push((file.clone(), read, end));
        Some(end)
    }

    /// Which store a state is after the journal was brought to its end; `None` where it is neither to the byte.
    fn recovered(&self, files: &[CrashFile]) -> Option<(End, CrashDisk)> {
        let [store, journal] = CrashDisk::after_crash(files).try_into().unwrap();
        let done = recover_journal(&store, &journal).ok()?;
        let file = store.file().unwrap();
        let end = if file == self.new.0 { End::New } else { End::Old };
        let right = match done {
            Recovered::Forward => end == End::New,
            Recovered::Back => file == self.old.0,
            Recovered::Nothing => file == self.old.0 || file == self.new.0,
        };
        (right && journal.bytes().is_empty()).then_some((end, store))
    }

    fn check(&self, seed: u64, tally: &mut Tally) {
        tally.transactions += 1;
        let (mut raw, mut through) = (Known::new(), Known::new());
        for (number, files) in self.disk.states(seed).enumerate() {
            tally.states += 1;
            let [store, journal] = files.as_slice() else { panic!("two files") };
            let blind = self.seen(store, None, &mut raw, tally);
            let seen = match Journal::read(journal).unwrap() {
                Some(_) => self.seen(store, Some(journal), &mut through, tally),
                None => blind,
            };
            let recovered = self.recovered(&files);
            match (blind, seen, recovered) {
                (Some(_), Some(end), Some((same, disk))) if end == same || self.old.1 == self.new.1 => {
                    *if same == End::Old { &mut tally.old } else { &mut tally.new } += 1;
                    if number % 1500 == seed as usize % 1500 {
                        self.crash_again(same, &disk, seed, tally);
                    }
                }
                _ => tally.lost += 1,
            }
        }
    }

    /// A crash while a crash is made good.
    fn crash_again(&self, end: End, disk: &CrashDisk, seed: u64, tally: &mut Tally) {
        for files in disk.states(seed) {
            tally.recoveries += 1;
            if self.recovered(&files).is_none_or(|(again, _)| again != end) {
                tally.lost += 1;
            }
        }
    }
}

fn crash_states(format: Format, cipher: Cipher) {
    let count = if std::env::var_os("PSTFS_LONG").is_some() { 70 } else { 2 };
    let mut random = Random(77 + u64::from(cipher.method()));
    let (mut bytes, mut model) = (blank(format, cipher), Model::new());
    let mut tally = Tally::default();
    for number in 0..count {
        let commit = commit(&mut random, bytes, &model);
        assert!(commit.journal.bytes().is_empty());
        commit.check(number, &mut tally);
        (bytes, model) = (commit.disk.bytes(), commit.new.1);
    }
    println!("{format:?} {cipher:?}: {tally:?}");
    assert_eq!(tally.lost, 0);
}

#[test]
fn every_crash_of_an_ansi_commit_leaves_the_old_store_or_the_new() {
    crash_states(Format::Ansi, Cipher::Permute);
}

#[test]
fn every_crash_of_a_unicode_commit_leaves_the_old_store_or_the_new() {
    crash_states(Format::Unicode, Cipher::Cyclic);
}

#[test]
fn every_crash_of_a_4k_commit_leaves_the_old_store_or_the_new() {
    crash_states(Format::Unicode4k, Cipher::None);
}
