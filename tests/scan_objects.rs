//! What the passes over folders, messages, tables and heaps say of stores.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use pstfs::damage::{Finding, Severity};
use pstfs::disk::ReadAt;
use pstfs::progress::Progress;
use pstfs::scan::{self, Event, Outcome};
use pstfs::store::Store;

fn findings(bytes: &Arc<Vec<u8>>) -> Option<(Outcome, Vec<Finding>)> {
    let source: Arc<dyn ReadAt> = bytes.clone();
    let store = Store::open(source.clone(), 16 << 20);
    let mut heard = Vec::new();
    let outcome = scan::scan(&source, store.as_ref(), &Progress::default(), |event| {
        if let Event::Finding(finding) = event {
            heard.push(finding.clone());
        }
    });
    Some((outcome, heard))
}

fn shared() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus")
}

#[test]
fn calibrate() {
    let lines = std::env::var_os("LINES").is_some();
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut entries: Vec<_> = std::fs::read_dir(shared()).unwrap().flatten().map(|e| e.path()).collect();
    entries.sort();
    for path in entries.into_iter().filter(|p| p.to_string_lossy().contains(&only)) {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let started = std::time::Instant::now();
        let Some((outcome, found)) = findings(&Arc::new(bytes)) else { continue };
        let mut counts = BTreeMap::new();
        for finding in &found {
            *counts.entry(format!("{}{}", finding.severity.mark(), finding.code.id())).or_insert(0) += 1;
        }
        println!("{:60} {:?} {:?} {:?}", path.file_name().unwrap().to_string_lossy(), started.elapsed(), outcome.verdict, counts);
        if lines {
            for finding in &found {
                if finding.severity >= Severity::Warning || lines && std::env::var_os("NOTES").is_some() {
                    println!("    {finding}");
                }
            }
        }
    }
}
