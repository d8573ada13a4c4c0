//! What a scan says of folders and items: of real stores, of whom it hits, of stores that fight back.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::expect_used,
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

use pstfs::damage::{Code, Finding, Severity, Verdict};
use pstfs::disk::ReadAt;
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::progress::Progress;
use pstfs::scan;
use pstfs::store::Store;
use support::forge::{self, Random};
use support::scan::{lines, scan};

/// What is found of each code, in a line.
fn counted(findings: &[Finding]) -> String {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for finding in findings {
        *counts.entry((finding.severity.mark(), finding.code.id())).or_default() += 1;
    }
    counts.into_iter().map(|((mark, id), count)| format!(" {mark}{id} x{count}")).collect()
}

/// Errors and warnings in the real stores that are not healthy.
const KNOWN: [(&str, &str); 5] = [
    ("asposenet_AddingBulk", " !!H15 x1 !!P02 x1 !!P07 x1 !!P12 x2 ??H13 x1 ??H23 x1"),
    ("asposejava_Personal_folders_part1", " !!T01 x3"),
    ("hughbe_Outlook98Backup", " ??H11 x1 ??H13 x1 ??P15 x1"),
    ("pst-exp_header", " !!H08 x1 !!H14 x2"),
    ("pstreader_truncated-in-header", " !!H08 x1"),
];

/// Healthy stores have neither errors nor warnings; those of which damage is known have exactly that.
#[test]
fn real_stores_have_the_errors_they_are_known_for() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(manifest) = std::fs::read_to_string(corpus.join("MANIFEST.tsv")) else {
        return println!("left out: there are no real stores beside this folder");
    };
    let mut wrong = Vec::new();
    for line in manifest.lines().skip(1) {
        let mut columns = line.split('\t');
        let (Some(name), Some(health)) = (columns.next(), columns.next()) else { continue };
        let Ok(bytes) = std::fs::read(corpus.join(name)) else { continue };
        let (findings, outcome) = scan(bytes);
        println!("{name}: {}{}", outcome.verdict.text(), counted(&findings));
        let serious: Vec<Finding> = findings.into_iter().filter(|finding| finding.severity > Severity::Note).collect();
        let known = KNOWN.iter().find(|(start, _)| name.starts_with(start)).map_or("", |(_, known)| known);
        if counted(&serious) != known || (health == "healthy") != known.is_empty() || outcome.error.is_some() {
            wrong.push(format!("{name} ({health}):{} and not{known}", counted(&serious)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The victims that a damaged fixture's findings of one code name.
fn victims(fixture: &str, code: Code) -> Vec<String> {
    let (findings, _) = scan(forge::damaged(fixture));
    findings.into_iter().filter(|finding| finding.code == code).map(|finding| finding.victim).collect()
}

#[test]
fn a_finding_names_folder_subject_time_and_attachment() {
    let hello = "Inbox: \"Hello\" of 2024-01-01 09:01:00Z";
    let files = "Inbox: \"Files\" of 2024-01-01 09:03:00Z";
    let forwarded = "Inbox: \"Forwarded\" of 2024-01-01 09:04:00Z";
    assert_eq!(victims("message-without-a-class", Code::MessageClass), [hello]);
    assert_eq!(victims("attachment-without-a-method", Code::Attachment), [format!("{files}, attachment \"note.txt\"")]);
    assert_eq!(victims("folder-miscounts", Code::FolderCounts), ["Inbox"]);
    // Of what is not there the row tells.
    assert_eq!(victims("row-without-a-folder", Code::FolderRow).len(), 1);
    // What cannot be read is named by its id, what holds it by its name.
    let embedded = victims("embedded-message-without-a-heap", Code::EmbeddedMessage);
    assert!(embedded[0].starts_with(forwarded) && embedded[0].contains("message 0x"), "{embedded:?}");
    // Its folder's table still tells what the message itself cannot.
    assert_eq!(victims("heap-without-signature", Code::HeapHeader), [hello]);
}

/// Two scans of a store that is damaged at random find the same, and end.
#[test]
fn stores_damaged_at_random_are_scanned_to_the_end_twice_with_one_result() {
    let rounds = if std::env::var_os("PSTFS_LONG").is_some() { 500 } else { 12 };
    for format in [Format::Ansi, Format::Unicode] {
        let whole = forge::store(format, Cipher::Permute, &forge::recipe("every-item-class"));
        for seed in 0..rounds {
            let mut random = Random::new(seed);
            let mut bytes = whole.clone();
            for _ in 0..=random.below(6) {
                let at = random.below(bytes.len() as u64 - 512) as usize;
                match random.below(2) {
                    0 => bytes[at] ^= 1 << random.below(8),
                    _ => bytes[at..at + 1 + random.below(511) as usize].fill(0),
                }
            }
            let (first, _) = scan(bytes.clone());
            let (second, _) = scan(bytes);
            assert_eq!(lines(&first), lines(&second), "seed {seed}");
        }
    }
}

#[test]
fn a_scan_that_is_cancelled_says_so() {
    let source: Arc<dyn ReadAt> = Arc::new(forge::store(Format::Unicode, Cipher::None, &forge::recipe("every-format")));
    let store = Store::open(Arc::clone(&source), 8 << 20);
    let progress = Progress::default();
    // In the middle of the last phases, when folders are looked at.
    let outcome = scan::scan(&source, store.as_ref(), &progress, |event| {
        if matches!(event, scan::Event::Phase("Validating folders and messages")) {
            progress.cancel();
        }
    });
    assert_eq!(outcome.verdict, Verdict::Cancelled);
}
