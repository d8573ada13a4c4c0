//! `pstfs scan`: find all that is wrong with a store, and change nothing.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;

use super::bar::{Bar, Unit};
use super::batch::{Batch, One, Sinks};
use super::exit::Exit;
use super::json::{self, Counts, Found, Record};
use super::out::{self, Failure, Stop, in_words};
use super::report::Page;
use super::source::{Source, shown};
use crate::control::{About, Fold, Scribe, by_severity};
use crate::damage::{Code, Severity, Verdict};
use crate::scan::{self, Event, Outcome};

const EXAMPLES: &str = "\
Examples:
  pstfs scan outlook.pst
  pstfs scan --log scan.log archive/*.pst
  pstfs scan --json outlook.pst | jq 'select(.type == \"finding\").victim'
  pstfs scan --report page.html outlook.pst
  pstfs scan --explain B08

A line of the log begins with !! for an error, ?? for a warning, -- for a note
(an oddity that healthy stores have too), then the code.

Exit codes: 0 no errors (minor inconsistencies included), 4 errors found,
8 failed (a FILE is no store or cannot be read), 16 usage, 32 cancelled; of
several FILEs the codes are ORed. Nothing is ever written to FILE.";

/// Find all that is wrong with a store, and change nothing
///
/// Checks the header, all pages and blocks, all nodes, tables and items, and names the items that a damage hits.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Scan {
    /// Print JSON Lines; 'pstfs schema' describes them
    #[arg(long)]
    json: bool,
    /// Write the log to this file instead of standard output
    #[arg(long, value_name = "LOG")]
    log: Option<PathBuf>,
    /// Write a page with a map of the store and all findings, to be looked at in a browser; for one FILE
    #[arg(long, value_name = "PAGE.html")]
    report: Option<PathBuf>,
    /// Say what a code means and what repair does about it
    #[arg(long, value_name = "CODE", conflicts_with_all = ["json", "log", "report", "files"])]
    explain: Option<String>,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
    /// The stores: .pst or .ost files
    #[arg(required_unless_present = "explain", value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Scans each file; one that cannot be read does not stop the others.
pub fn run(args: &Scan) -> Result<Exit, Failure> {
    if let Some(id) = &args.explain {
        return explain(id);
    }
    if args.report.is_some() && args.files.len() > 1 {
        return Err(Failure::new(Exit::Usage, "--report makes a page of one FILE; 'pstfs scan --help' shows how it is used"));
    }
    Batch { files: &args.files, log: args.log.as_ref(), json: args.json }.each(|one, sinks| look(args, one, sinks))
}

fn explain(id: &str) -> Result<Exit, Failure> {
    let code = Code::ALL.iter().find(|code| code.id().eq_ignore_ascii_case(id.trim()));
    let Some(code) = code else {
        return Err(Failure::new(Exit::Usage, format!("{id}: no such code; they are {}", known())));
    };
    let severity = match code.severity() {
        Severity::Note => "note: an oddity that healthy stores have too",
        Severity::Warning => "warning: metadata disagree, the content is whole",
        Severity::Error => "error: content is lost or wrong, or Outlook refuses the store",
        Severity::Fatal => "fatal: the store cannot be opened by following its header",
    };
    Ok(out::print(&format!("{}: {}\n  {severity}\n  repair {}\n", code.id(), code.title(), code.repair())))
}

/// The ids of each group, as ranges.
fn known() -> String {
    let mut groups: Vec<(&str, &str)> = Vec::new();
    for code in Code::ALL {
        let id = code.id();
        match groups.last_mut() {
            Some((first, last)) if first.get(..1) == id.get(..1) => *last = id,
            _ => groups.push((id, id)),
        }
    }
    let ranges: Vec<String> = groups.into_iter().map(|(first, last)| format!("{first} to {last}")).collect();
    ranges.join(", ")
}

fn look(args: &Scan, one: &One<'_>, sinks: &mut Sinks) -> Result<Verdict, Stop> {
    let One { file, number, prefix, progress } = one;
    let source = Source::find(file)?.ending_with(progress);
    let raw = source.raw()?;
    let store = source.opened_in(raw.clone(), args.quiet);
    let format = store.as_ref().map_or_else(|_| String::new(), |store| store.ndb().format().name().to_owned());
    let about = About { file: file.to_path_buf(), size_bytes: source.bytes(), format };
    let (scribe, head) = Scribe::begin(*number, "scan", &about);
    let page = args.report.as_ref().map(|path| (path, Page::new(about)));
    let teller = Mutex::new(Teller { args, prefix, sinks, scribe, fold: Fold::default(), page, stop: None });
    teller.lock().unwrap_or_else(PoisonError::into_inner).lines(&head);
    let bar = Bar::show(Arc::clone(progress), Unit::Bytes, args.quiet);
    let outcome = scan::scan(&raw.source, store.as_deref(), progress, |event| {
        let mut teller = teller.lock().unwrap_or_else(PoisonError::into_inner);
        teller.event(event);
        if teller.stop.is_some() {
            // Nobody reads any more.
            progress.cancel();
        }
    });
    drop(bar);
    let teller = teller.into_inner().unwrap_or_else(PoisonError::into_inner);
    teller.end(&outcome)?;
    match (&outcome.verdict, &outcome.error) {
        (Verdict::Failed, Some(error)) => Err(source.broken(error).into()),
        (verdict, _) => Ok(*verdict),
    }
}

/// Tells events as lines and as records.
struct Teller<'a> {
    args: &'a Scan,
    prefix: &'a str,
    sinks: &'a mut Sinks,
    scribe: Scribe,
    fold: Fold,
    page: Option<(&'a PathBuf, Page)>,
    stop: Option<Stop>,
}

impl Teller<'_> {
    fn lines(&mut self, lines: &str) {
        if self.stop.is_none() {
            self.stop = self.sinks.log(self.prefix, lines, self.args.json).err();
        }
    }

    fn event(&mut self, event: Event<'_>) {
        if let Some((_, page)) = &mut self.page {
            page.event(event);
        }
        let lines = self.scribe.event(event);
        self.lines(&lines);
        let record = match event {
            Event::Phase(name) => Record::Phase { name },
            Event::Finding(finding) if self.fold.takes(finding.code) => Record::Finding(Box::new(Found::of(finding))),
            Event::Finding(_) | Event::Space(_) => return,
        };
        if self.args.json && self.stop.is_none() {
            self.stop = json::write(&mut self.sinks.out, &record).err();
        }
    }

    fn end(mut self, outcome: &Outcome) -> Result<(), Stop> {
        let lines = self.scribe.end(outcome);
        self.lines(&lines);
        if let Some(stop) = self.stop {
            return Err(stop);
        }
        if let Some((path, page)) = &self.page {
            let written = std::fs::write(path, page.render(outcome));
            written.map_err(|error| Failure::new(Exit::Failed, format!("{}: cannot write the page: {}", shown(path), in_words(&error))))?;
        }
        let failed = outcome.verdict == Verdict::Failed;
        if self.args.json && !failed {
            json::write(&mut self.sinks.out, &json::judged(outcome.verdict, counts(outcome, &self.fold)))?;
        } else if self.sinks.has_log() && !failed {
            self.sinks.out.line(&format!("{}{}", self.prefix, outcome.verdict.text()))?;
        }
        Ok(())
    }
}

pub(super) fn counts(outcome: &Outcome, fold: &Fold) -> Counts {
    let [errors, warnings, notes] = by_severity(&outcome.counts);
    let folded = fold.folded().fold(0_u64, |sum, (_, count)| sum.saturating_add(count));
    let tally = outcome.tally;
    let mut counts = Counts::from([
        ("errors", errors),
        ("warnings", warnings),
        ("notes", notes),
        ("not_listed", folded),
        ("folders", tally.folders),
        ("folders_healthy", tally.folders_healthy),
        ("items", tally.items),
        ("items_healthy", tally.items_healthy),
    ]);
    for ((code, _), count) in &outcome.counts {
        let of_code = counts.entry(code.id()).or_default();
        *of_code = of_code.saturating_add(*count);
    }
    counts
}
