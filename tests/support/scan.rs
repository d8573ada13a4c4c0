//! Scans of stores in memory, as text that can be compared.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use pstfs::damage::{Error, Finding, Severity, Verdict};
use pstfs::disk::ReadAt;
use pstfs::progress::Progress;
use pstfs::recover;
use pstfs::repair::{self, Options, Plan};
use pstfs::scan::{self, Event, Outcome};
use pstfs::store::Store;

/// All findings of a scan and how it ended.
pub fn scan(bytes: Vec<u8>) -> (Vec<Finding>, Outcome) {
    scan_file(&(Arc::new(bytes) as Arc<dyn ReadAt>))
}

/// All findings of a file's scan and how it ended.
pub fn scan_file(file: &Arc<dyn ReadAt>) -> (Vec<Finding>, Outcome) {
    scan_opened(file, recover::open_source(Arc::clone(file), 8 << 20).as_deref())
}

/// All findings of the scan of a file that was opened as this store.
pub fn scan_opened(file: &Arc<dyn ReadAt>, store: Result<&Store, &Error>) -> (Vec<Finding>, Outcome) {
    let found = Mutex::new(Vec::new());
    let outcome = scan::scan(file, store, &Progress::default(), |event| {
        if let Event::Finding(finding) = event {
            found.lock().unwrap().push(finding.clone());
        }
    });
    (found.into_inner().unwrap(), outcome)
}

/// The store in these bytes, and all findings of a scan of it: what a repair plans with.
pub fn scanned(bytes: Vec<u8>) -> (Arc<Store>, Vec<Finding>) {
    let file: Arc<dyn ReadAt> = Arc::new(bytes);
    let store = recover::open_source(Arc::clone(&file), 32 << 20).unwrap();
    let (findings, _) = scan_opened(&file, Ok(&*store));
    (store, findings)
}

/// Findings as a fixture has them: mark, code, node, property and row; equal ones in one line. Offsets and block ids are
/// left out: they change whenever the forge learns something.
pub fn lines(findings: &[Finding]) -> Vec<String> {
    let mut lines: BTreeMap<(std::cmp::Reverse<Severity>, String), usize> = BTreeMap::new();
    for finding in findings {
        let place = finding.place;
        let mut line = format!("{} {}", finding.severity.mark(), finding.code.id());
        line.extend(place.nid.map(|nid| format!(" node {nid:#x}")));
        line.extend(place.property.map(|property| format!(" property {property:#06x}")));
        line.extend(place.row.map(|row| format!(" row {row:#x}")));
        *lines.entry((std::cmp::Reverse(finding.severity), line)).or_default() += 1;
    }
    let mut of_code: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for ((_, line), count) in &lines {
        let (places, all) = of_code.entry(mark_and_code(line).to_owned()).or_default();
        (*places, *all) = (*places + 1, *all + count);
    }
    let mut text = Vec::new();
    for ((_, line), count) in lines {
        let (places, all) = of_code[mark_and_code(&line)];
        let line = match count {
            _ if places > PLACES_MAX => format!("{} x{all} in {places} places", mark_and_code(&line)),
            1 => line,
            count => format!("{line} x{count}"),
        };
        if text.last() != Some(&line) {
            text.push(line);
        }
    }
    text
}

fn mark_and_code(line: &str) -> &str {
    line.get(..6).unwrap_or(line)
}

/// How many places of one code are listed one by one.
const PLACES_MAX: usize = 20;

/// What a fixture expects: the verdict, then the findings.
pub fn expectation(bytes: Vec<u8>) -> String {
    let (findings, outcome) = scan(bytes);
    told(&findings, &outcome)
}

/// The same of a scan that was made.
pub fn told(findings: &[Finding], outcome: &Outcome) -> String {
    let verdict = match (&outcome.verdict, &outcome.error) {
        (Verdict::Failed, Some(error)) => format!("Failed: {error}"),
        (verdict, _) => verdict.text().to_owned(),
    };
    let lines = lines(findings).into_iter().map(|line| format!("  {line}\n"));
    format!("{verdict}\n{}", lines.collect::<String>())
}

/// The bytes of a store after a repair, and what was left as it is.
pub fn repaired(bytes: &[u8], options: Options) -> (Vec<u8>, Plan) {
    let file: Arc<dyn ReadAt> = Arc::new(bytes.to_vec());
    let store = recover::open_source(Arc::clone(&file), 8 << 20).unwrap();
    let plan = repair::plan(&store, &scan_file(&file).0, options).unwrap();
    let overlay = repair::prepare(&store, &plan).unwrap().preview(file).unwrap();
    let mut after = vec![0; usize::try_from(overlay.len().unwrap()).unwrap()];
    overlay.read_exact_at(&mut after, 0).unwrap();
    (after, plan)
}
