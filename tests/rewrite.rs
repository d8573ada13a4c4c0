//! A store of which everything is written anew tells the same: to us, and to other programs.
#![allow(missing_docs, reason = "tests")]
#![allow(
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a mistake ends the test"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pstfs::repair::{Options, plan};
use support::forge::{self, variant_name};
use support::laws::{documents, mended, open, serious};
use support::scan::scan;

/// The store, written anew.
fn rewritten(bytes: &[u8]) -> Vec<u8> {
    let made = plan(&open(bytes), &[], Options { rewrite: true, ..Options::default() }).unwrap();
    assert!(!made.is_empty());
    mended(bytes, &made)
}

/// By path, how long each document is and its checksum.
fn told(bytes: &[u8]) -> BTreeMap<String, (u64, u32)> {
    documents(bytes).into_iter().map(|document| (document.path, document.crc)).collect()
}

/// What is wrong with a store that was written anew.
fn faults(bytes: &[u8]) -> Vec<String> {
    let after = rewritten(bytes);
    let mut faults: Vec<String> = serious(&scan(after.clone()).0).iter().map(|finding| format!("found: {finding}")).collect();
    let (before, after) = (told(bytes), told(&after));
    let changed = before.iter().filter(|(path, crc)| after.get(*path) != Some(crc));
    faults.extend(changed.map(|(path, crc)| format!("{path}: {crc:?}, after {:?}", after.get(path))));
    faults.extend(after.keys().filter(|path| !before.contains_key(*path)).map(|path| format!("{path} is new")));
    faults
}

fn is_healthy(bytes: &[u8]) -> bool {
    serious(&scan(bytes.to_vec()).0).is_empty()
}

#[test]
fn forged_stores_tell_the_same() {
    let mut wrong = Vec::new();
    for name in ["every-format", "offline-store", "attachments-of-every-kind", "every-property-type", "mail-people", "unusual-names"] {
        let recipe = forge::recipe(name);
        for (format, cipher) in forge::wanted(&recipe) {
            let found = faults(&forge::store(format, cipher, &recipe));
            if !found.is_empty() {
                wrong.push(format!("{name} {}:\n  {}", variant_name(format, cipher), found.join("\n  ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Real stores below 3 MiB that are healthy.
fn real_stores() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("skipped: there is no {}", folder.display());
        return Vec::new();
    };
    let small = |path: &PathBuf| path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() < 3 << 20);
    let store = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "pst" || kind == "ost");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| store(path) && small(path)).collect();
    paths.sort();
    paths.retain(|path| pstfs::recover::open(path, &pstfs::recover::Options::default()).is_ok() && is_healthy(&fs::read(path).unwrap()));
    paths
}

#[test]
fn real_stores_tell_the_same() {
    let mut wrong = Vec::new();
    let paths = real_stores();
    for path in &paths {
        let found = faults(&fs::read(path).unwrap());
        if !found.is_empty() {
            wrong.push(format!("{}:\n  {}", path.display(), found.join("\n  ")));
        }
    }
    println!("{} healthy real stores", paths.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All files below a folder that another program wrote: path, length, checksum.
fn written(folder: &Path, program: &str, arguments: &[&str]) -> Option<BTreeMap<PathBuf, (usize, u32)>> {
    let run = Command::new(program).args(arguments).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.ok()?;
    let (mut files, mut waiting) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(at) = waiting.pop() {
        for entry in fs::read_dir(&at).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.parent() != Some(folder) {
                let bytes = plain(&fs::read(&path).unwrap());
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), (bytes.len(), pstfs::format::checksum::crc(&bytes)));
            }
        }
    }
    Some(files)
}

/// Without times of the run and ids of blocks, and without sizes: what Outlook counts for them nobody knows.
fn plain(bytes: &[u8]) -> Vec<u8> {
    let changes = |line: &&[u8]| {
        let line = String::from_utf8_lossy(line);
        ["boundary-LibPST", "DTSTAMP:", "CREATED:", "UID:", "Size:", "\tSize\t"].iter().any(|word| line.contains(word))
    };
    bytes.split(|byte| *byte == b'\n').filter(|line| !changes(line)).collect::<Vec<_>>().join(&b'\n')
}

/// What another program writes of a store; `None` where it is not installed.
fn exported(bytes: &[u8], program: &str, arguments: &[&str]) -> Option<BTreeMap<PathBuf, (usize, u32)>> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.pst"), bytes).unwrap();
    fs::create_dir(folder.path().join("out")).unwrap();
    written(folder.path(), program, arguments)
}

#[test]
fn other_programs_read_the_same() {
    let judges: [(&str, &[&str]); 2] = [
        ("pffexport", &["-q", "-m", "items", "-t", "out/x", "a.pst"]),
        ("readpst", &["-q", "-D", "-e", "-8", "-j", "0", "-o", "out", "a.pst"]),
    ];
    let mut wrong = Vec::new();
    for path in real_stores() {
        let before = fs::read(&path).unwrap();
        let after = rewritten(&before);
        for (program, arguments) in judges {
            let (Some(was), Some(is)) = (exported(&before, program, arguments), exported(&after, program, arguments)) else {
                println!("skipped: {program} is not installed");
                continue;
            };
            // It shows a body in a letter in another one that it did not find before.
            let better = program == "readpst" && path.to_string_lossy().contains("asp_all_types");
            if was != is && !better {
                let gone: Vec<_> = was.iter().filter(|(path, what)| is.get(*path) != Some(what)).take(5).collect();
                wrong.push(format!("{} {program}: {} files, {} after; {gone:?}", path.display(), was.len(), is.len()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
