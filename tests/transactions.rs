//! Random transactions beside a model: what was put in is there, and the store is clean after each.
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
#[path = "support/check.rs"]
mod check;
#[path = "support/model.rs"]
mod model;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use blank::blank;
use model::{Changes, Model, Random, open, read};
use pstfs::disk::crash::CrashDisk;
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::ndb::write::{Rebuild, Room, Transaction};

/// Whether the full figures are asked for.
fn long() -> bool {
    std::env::var_os("PSTFS_LONG").is_some()
}

/// What lies beside the project, where it does.
fn shared(path: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(path);
    [beside, above].into_iter().find(|path| path.exists())
}

/// Asks the independent checker; `false` where it is not there.
fn rawchk(bytes: &[u8]) -> bool {
    let Some(tool) = shared("tools/rawchk.py") else { return false };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let Ok(output) = Command::new("python3").arg(tool).arg("--check").arg(file.path()).output() else { return false };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.trim_end().ends_with(" clean"), "rawchk: {said}");
    true
}

/// Where new things go this time: often into free space, so that stores stay small.
fn room(random: &mut Random, format: Format, len: usize) -> Room {
    let often = if format == Format::Unicode4k { 24 } else { 4 };
    if random.below(often) == 0 && len < 64 << 20 { Room::grow(format) } else { Room::reuse(format) }
}

/// One transaction with random changes; the bytes and the model after it.
fn step(random: &mut Random, bytes: Vec<u8>, model: Model) -> (CrashDisk, Model) {
    let ndb = open(Arc::new(bytes.clone()));
    let room = room(random, ndb.format(), bytes.len());
    let mut transaction = Transaction::begin(&ndb).unwrap().with_room(room);
    if random.below(10) == 0 {
        transaction.rebuild(Rebuild::Maps, None);
    }
    let block_max = ndb.format().layout().data_max_bytes;
    let mut changes = Changes { random, transaction, model, block_max };
    changes.some();
    let (transaction, model) = (changes.transaction, changes.model);
    let store = CrashDisk::new(bytes);
    let journal = store.beside(Vec::new());
    transaction.commit(&store, &journal).unwrap();
    assert_eq!(journal.bytes(), [0; 0], "the journal is dropped");
    (store, model)
}

fn random_transactions(format: Format, cipher: Cipher) {
    let count = if long() { 1_000 } else { 20 };
    let mut random = Random(cipher.method().into());
    let (mut bytes, mut model) = (blank(format, cipher), Model::new());
    let (mut asked, mut nodes) = (0, 0);
    for number in 0..count {
        let store;
        (store, model) = step(&mut random, bytes, model);
        bytes = store.bytes();
        assert_eq!(check::faults(&bytes), [""; 0], "{format:?} after transaction {number}");
        let ndb = open(Arc::new(bytes.clone()));
        assert_eq!(ndb.notes().findings(), [], "{format:?} after transaction {number}");
        assert!(read(&ndb).as_ref() == Ok(&model), "{format:?}: the store is not the model after transaction {number}");
        nodes += model.len();
        if number % 10 == 9 {
            asked += usize::from(rawchk(&bytes));
        }
    }
    println!(
        "{format:?} {cipher:?}: {count} transactions, {nodes} nodes compared, {} bytes at the end, rawchk clean {asked} times",
        bytes.len()
    );
}

#[test]
fn random_transactions_on_an_ansi_store_agree_with_the_model() {
    random_transactions(Format::Ansi, Cipher::Permute);
}

#[test]
fn random_transactions_on_a_unicode_store_agree_with_the_model() {
    random_transactions(Format::Unicode, Cipher::Cyclic);
}

#[test]
fn random_transactions_on_a_4k_store_agree_with_the_model() {
    random_transactions(Format::Unicode4k, Cipher::None);
}
