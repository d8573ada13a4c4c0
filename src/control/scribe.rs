//! The text of a job: what `.scanlog` holds and `pstfs scan` prints, line by line as things happen.
//!
//! A [`Scribe`] turns events into lines and keeps nothing but counts. At most [`LINES_MAX`] lines come of one job: what
//! is beyond is counted, and told at the end.

use std::collections::BTreeMap;
use std::fmt::Write;

use std::path::PathBuf;

use super::About;
use crate::damage::{Code, Error, Finding, Result, Severity, Verdict};
use crate::repair::{self, Before, Recovered, Told, Undone, Widened};
use crate::scan::{Counts, Event, Outcome, Tally};

/// The most lines of one job's log.
pub const LINES_MAX: u64 = 100_000;
/// The most findings that are listed: head, phases and counts have their place besides.
const LISTED_MAX: u64 = 99_000;
/// The most findings of one code that are listed: one fault that is everywhere must not hide the others.
const LISTED_OF_CODE_MAX: u64 = 20_000;

/// Which findings are listed, and how many are not.
#[derive(Debug, Default)]
pub struct Fold {
    listed: u64,
    codes: BTreeMap<Code, (u64, u64)>,
}

impl Fold {
    /// Whether this finding is to be listed; counts it.
    pub fn takes(&mut self, code: Code) -> bool {
        let (listed, folded) = self.codes.entry(code).or_default();
        let takes = self.listed < LISTED_MAX && *listed < LISTED_OF_CODE_MAX;
        let counter = if takes { listed } else { folded };
        *counter = counter.saturating_add(1);
        self.listed = self.listed.saturating_add(takes.into());
        takes
    }

    /// How many findings of each code were not listed.
    pub fn folded(&self) -> impl Iterator<Item = (Code, u64)> {
        self.codes.iter().filter(|(_, (_, folded))| *folded > 0).map(|(code, (_, folded))| (*code, *folded))
    }
}

/// Writes the log of one job.
#[derive(Debug)]
pub struct Scribe {
    job: u64,
    fold: Fold,
}

impl Scribe {
    /// The scribe of job number `job`, and the log's head.
    pub fn begin(job: u64, verb: &str, about: &About) -> (Self, String) {
        let head = format!("{}** Begin of job {job}: {verb}\n", head(about));
        (Self { job, fold: Fold::default() }, head)
    }

    /// The lines of an event; often none.
    pub fn event(&mut self, event: Event<'_>) -> String {
        match event {
            Event::Phase(name) => format!("**{name}\n"),
            Event::Finding(finding) if self.fold.takes(finding.code) => line(finding),
            Event::Finding(_) | Event::Space(_) => String::new(),
        }
    }

    /// The last lines: counts, what was not listed, and the verdict.
    pub fn end(&self, outcome: &Outcome) -> String {
        self.end_of(outcome, None)
    }

    /// The same after a repair, with what the store held before it.
    fn end_of(&self, outcome: &Outcome, before: Option<Before>) -> String {
        let mut text = String::new();
        for (code, folded) in self.fold.folded() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "** {folded} more of {} are not listed", code.id());
        }
        if let Some(error) = &outcome.error
            && outcome.verdict == Verdict::Failed
        {
            let _ = writeln!(text, "** It could not come to its end: {}", one_line(&error.to_string()));
        }
        text.push_str(&counted(&outcome.counts));
        text.push_str(&tallied(&outcome.tally));
        text.push_str(&before.map(compared).unwrap_or_default());
        let verdict = outcome.verdict;
        let _ = writeln!(text, "** End of job {}: {} (exit {})", self.job, verdict.text(), verdict.exit_code());
        text
    }
}

/// Writes the log of a repair: the head, a scan, the plan, what was done, and the scan of the result.
#[derive(Debug)]
pub struct Mender {
    job: u64,
    verb: &'static str,
    file: PathBuf,
    scribe: Scribe,
}

impl Mender {
    /// The scribe of a repair; the head comes when the store is open.
    pub fn new(job: u64, verb: &'static str, file: PathBuf) -> Self {
        Self { job, verb, file, scribe: Scribe { job, fold: Fold::default() } }
    }

    /// The lines of what happens; often none.
    pub fn told(&mut self, told: Told<'_>) -> String {
        match told {
            Told::Begin(size_bytes, format) => {
                let about = About { file: self.file.clone(), size_bytes, format: format.to_owned() };
                Scribe::begin(self.job, self.verb, &about).1
            }
            Told::Ended(recovered) => format!("** A repair that was cut off came first to its end: {}\n", in_words(recovered)),
            Told::Scan(event) => self.scribe.event(event),
            Told::Plan(plan) => {
                let lines = plan.lines().map(|line| format!("{}\n", one_line(line)));
                std::iter::once("**Planning the repair\n".to_owned()).chain(lines).collect()
            }
            Told::Kept(kept) => {
                let shared = if kept.shared { ", which shares storage with the store: a bad sector harms both" } else { "" };
                format!("**Repairing\n-- The store as it was is kept: {}{shared}\n", one_line(&kept.path.to_string_lossy()))
            }
            Told::Written(committed) => {
                let repair::Committed { blocks, pages, grown_bytes, .. } = committed;
                // The result is scanned from the beginning, and all of it is listed.
                self.scribe.fold = Fold::default();
                format!(
                    "-- Written: {blocks} blocks, {pages} pages of the trees; the store grew by {grown_bytes} bytes\n\
                     **Scanning the repaired store\n"
                )
            }
            Told::Known => "-- What the first scan found whole, and was not written to since, is not looked at again\n".into(),
            Told::Widened(Widened { path, nodes, failed }) => {
                self.scribe.fold = Fold::default();
                let failed: String = failed.iter().map(|failed| format!("  left: {}\n", one_line(failed))).collect();
                let path = one_line(&path.to_string_lossy());
                format!("{failed}-- Written as a Unicode store: {nodes} nodes in {path}\n**Scanning the repaired store\n")
            }
            Told::End(outcome) => self.scribe.end_of(&outcome.scan, outcome.before),
        }
    }
}

const fn in_words(recovered: Recovered) -> &'static str {
    match recovered {
        Recovered::Nothing => "nothing was left to do",
        Recovered::Back => "the store is as it was before",
        Recovered::Forward => "the store is repaired",
    }
}

/// The last lines of a job that could not come to its end, and its verdict.
pub fn failed(job: u64, error: &Error) -> (String, Verdict) {
    let (text, verdict) = match error {
        Error::Cancelled => (String::new(), Verdict::Cancelled),
        error => (format!("** It could not come to its end: {}\n", one_line(&error.to_string())), Verdict::Failed),
    };
    (format!("{text}** End of job {job}: {} (exit {})\n", verdict.text(), verdict.exit_code()), verdict)
}

/// The last lines of a repair that was taken back.
pub(super) fn undone(job: u64, undone: &Undone) -> String {
    let Undone { from, before } = undone;
    let mut text = String::new();
    match from {
        // Writing to a string cannot fail.
        Some(from) => _ = writeln!(text, "-- The store is as it was before its last repair, from {}", one_line(&from.to_string_lossy())),
        None => text.push_str("-- A repair that was cut off is taken back; the store is as it was before\n"),
    }
    if let Some(before) = before {
        let _ = writeln!(text, "-- What it was until now is kept: {}", one_line(&before.to_string_lossy()));
    }
    let verdict = Verdict::Done;
    let _ = writeln!(text, "** End of job {job}: {} (exit {})", verdict.text(), verdict.exit_code());
    text
}

/// The lines of a search that has ended, and its verdict: a line for each thing found, as far as there is room.
pub(super) fn searched(job: u64, found: &Result<Vec<String>>) -> (String, Verdict) {
    let mut text = "**Searching for lost items\n".to_owned();
    let verdict = match found {
        Ok(found) => {
            let listed = usize::try_from(LISTED_MAX).unwrap_or(usize::MAX);
            // Writing to a string cannot fail.
            for line in found.iter().take(listed) {
                let _ = writeln!(text, "-- {}", one_line(line));
            }
            let _ = writeln!(text, "** Found: {} items, {} of them listed", found.len(), found.len().min(listed));
            Verdict::Done
        }
        Err(Error::Cancelled) => Verdict::Cancelled,
        Err(error) => {
            let _ = writeln!(text, "** It could not come to its end: {}", one_line(&error.to_string()));
            Verdict::Failed
        }
    };
    let _ = writeln!(text, "** End of job {job}: {} (exit {})", verdict.text(), verdict.exit_code());
    (text, verdict)
}

/// A finding as a line, whatever a name in the store holds.
pub fn line(finding: &Finding) -> String {
    format!("{}\n", one_line(&finding.to_string()))
}

fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// What a log says of the store first.
pub(super) fn head(about: &About) -> String {
    let mut text = format!("** pstfs {}\n", env!("CARGO_PKG_VERSION"));
    let file = about.file.to_string_lossy().replace(char::is_control, "?");
    let _ = writeln!(text, "** File: {file}\n** Size: {} bytes", about.size_bytes);
    if !about.format.is_empty() {
        let _ = writeln!(text, "** Format: {}", about.format);
    }
    text
}

/// How many findings of each severity there are; fatal ones are errors.
pub fn by_severity(counts: &Counts) -> [u64; 3] {
    let of = |wanted: &[Severity]| {
        counts.iter().filter(|((_, severity), _)| wanted.contains(severity)).fold(0_u64, |sum, (_, count)| sum.saturating_add(*count))
    };
    [of(&[Severity::Error, Severity::Fatal]), of(&[Severity::Warning]), of(&[Severity::Note])]
}

fn counted(counts: &Counts) -> String {
    let [errors, warnings, notes] = by_severity(counts);
    let mut text = format!("** Found: {errors} errors, {warnings} warnings, {notes} notes\n");
    for ((code, severity), count) in counts {
        let _ = writeln!(text, "**   {} {} {count}: {}", severity.mark(), code.id(), code.title());
    }
    text
}

/// What a repaired store held before.
fn compared(before: Before) -> String {
    let Before { tally: Tally { folders, folders_healthy, items, items_healthy }, moved, incomplete } = before;
    format!(
        "** Before the repair: {folders} folders seen, {folders_healthy} healthy; {items} items seen, {items_healthy} healthy\n\
         ** Moved to Lost and Found: {moved}\n\
         ** With something lost or in doubt: {incomplete}\n"
    )
}

fn tallied(tally: &Tally) -> String {
    if *tally == Tally::default() {
        return String::new();
    }
    let Tally { folders, folders_healthy, items, items_healthy } = tally;
    format!("** Folders: {folders} seen, {folders_healthy} healthy\n** Items: {items} seen, {items_healthy} healthy\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damage::Place;

    fn outcome(verdict: Verdict, counts: Counts) -> Outcome {
        let tally = Tally { folders: 3, folders_healthy: 3, items: 9, items_healthy: 8 };
        Outcome { verdict, counts, tally, error: None }
    }

    #[test]
    fn a_log_has_head_phases_findings_counts_and_verdict() {
        let about = About { file: "a\n.pst".into(), size_bytes: 5, format: "Unicode".into() };
        let (mut scribe, mut text) = Scribe::begin(2, "scan", &about);
        text += &scribe.event(Event::Phase("Validating BBT"));
        let finding = Finding { victim: "Inbox: two\nlines".into(), ..Finding::new(Code::BlockCrc, Place::block(4).at(0x4c00), "x") };
        text += &scribe.event(Event::Finding(&finding));
        text += &scribe.end(&outcome(Verdict::Errors, Counts::from([((Code::BlockCrc, Severity::Error), 1)])));
        let expected = "\
** File: a?.pst
** Size: 5 bytes
** Format: Unicode
** Begin of job 2: scan
**Validating BBT
!! B08 offset 0x4c00, block 0x4: a block's CRC does not match its contents (x): Inbox: two lines
** Found: 1 errors, 0 warnings, 0 notes
**   !! B08 1: a block's CRC does not match its contents
** Folders: 3 seen, 3 healthy
** Items: 9 seen, 8 healthy
** End of job 2: Errors were found (exit 4)
";
        assert_eq!(text.split_once('\n').unwrap().1, expected);
    }

    #[test]
    fn a_million_findings_fit_into_the_lines_of_one_log_and_hide_no_other() {
        let (mut scribe, head) = Scribe::begin(1, "scan", &About::default());
        let mut text = head;
        for code in Code::ALL.iter().take(10) {
            for offset in 0..100_000 {
                text += &scribe.event(Event::Finding(&Finding::new(*code, Place::offset(offset), "")));
            }
        }
        let last = Finding::new(Code::Orphan, Place::node(0x21), "");
        text += &scribe.event(Event::Finding(&last));
        text += &scribe.end(&outcome(Verdict::Errors, Counts::new()));
        let lines = text.lines().count() as u64;
        assert!(lines > LISTED_MAX && lines <= LINES_MAX, "{lines}");
        assert!(text.contains("** 80000 more of H01 are not listed"));
        assert!(text.contains("** 1 more of M21 are not listed"), "what did not fit is counted");
        let (mut scribe, _) = Scribe::begin(1, "scan", &About::default());
        let many = (0..50_000).map(|offset| Finding::new(Code::BlockCrc, Place::offset(offset), ""));
        let listed = many.filter(|finding| !scribe.event(Event::Finding(finding)).is_empty()).count();
        assert_eq!(listed as u64, LISTED_OF_CODE_MAX);
        assert!(!scribe.event(Event::Finding(&last)).is_empty(), "another code is still listed");
    }
}
