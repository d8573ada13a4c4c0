//! `pstfs repair`: make a damaged store whole, with a way back.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::bar::{Bar, Unit};
use super::batch::{Batch, One, Sinks};
use super::exit::Exit;
use super::json::{self, Found, Record};
use super::out::{Failure, Stop};
use super::scan::counts;
use super::source::Source;
use crate::control::{self, Fold, Mender};
use crate::damage::{Error, Verdict};
use crate::repair::{self, Backup, Held, Order, Outcome, Told};
use crate::scan::Event;

const EXAMPLES: &str = "\
Examples:
  pstfs repair --dry-run outlook.pst      what would be changed, and why
  pstfs repair outlook.pst                keeps the old store as outlook.pst.bak
  pstfs repair --backup undo outlook.pst  keeps only what is overwritten
  pstfs repair --output new.pst outlook.pst
                                          repairs a copy
  pstfs repair --output new.pst --format unicode outlook.pst
                                          a copy that may pass 2 GB
  pstfs undo outlook.pst                  takes it back, byte for byte

Exit codes: 0 nothing to do, 1 repaired, 4 something is left, 8 failed or
refused (the store is as it was), 16 usage, 32 cancelled; with --dry-run those
of 'pstfs scan'. Of several FILEs the codes are ORed.";

/// Make a damaged store whole, with a way back
///
/// Scans the store, keeps what it was, repairs it in one step that a crash leaves whole or undone, and scans the
/// result. The log is printed and kept as FILE.repair.log. A healthy store is not written to.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Repair {
    /// Print what would be done, and change nothing
    #[arg(long, conflicts_with = "output")]
    dry_run: bool,
    /// Also put right the oddities that healthy stores have
    #[arg(long)]
    thorough: bool,
    /// Write everything anew: header, maps, trees, tables, properties; of a healthy store, too
    #[arg(long)]
    force_rewrite: bool,
    /// What to keep of the old store: full (FILE.bak), undo (FILE.undo: only what is overwritten), or a path for a copy
    #[arg(long, value_name = "full|undo|PATH", default_value = "full", value_parser = backup, conflicts_with = "output")]
    backup: Backup,
    /// Copy FILE there and repair the copy; FILE stays as it is
    #[arg(long, value_name = "NEW")]
    output: Option<PathBuf>,
    /// Make the copy a Unicode store: an ANSI one ends at 2 GB
    #[arg(long, value_name = "unicode", requires = "output")]
    format: Option<CopyFormat>,
    /// Repair in place on a network's file system, too; make a store of a file that holds nothing of one
    #[arg(long)]
    force: bool,
    /// Write the log to this file instead of standard output
    #[arg(long, value_name = "LOG")]
    log: Option<PathBuf>,
    /// JSON Lines on standard output; 'pstfs schema' describes them
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
    /// The stores: .pst or .ost files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Which variant of the format a copy is to have.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum CopyFormat {
    Unicode,
}

fn backup(text: &str) -> Result<Backup, String> {
    match text {
        "" => Err("full, undo or a path".into()),
        "full" => Ok(Backup::Full),
        "undo" => Ok(Backup::Undo),
        path => Ok(Backup::At(path.into())),
    }
}

/// Repairs each file; one that cannot be repaired does not stop the others.
pub fn run(args: &Repair) -> Result<Exit, Failure> {
    if args.files.len() > 1 && (args.output.is_some() || matches!(args.backup, Backup::At(_))) {
        return Err(Failure::new(Exit::Usage, "--output and --backup PATH are for one FILE; 'pstfs repair --help' shows how it is used"));
    }
    Batch { files: &args.files, log: args.log.as_ref(), json: args.json }.each(|one, sinks| mend(args, one, sinks))
}

fn mend(args: &Repair, one: &One<'_>, sinks: &mut Sinks) -> Result<Verdict, Stop> {
    let One { file, number, prefix, progress } = one;
    let source = Source::to_write(file)?;
    let order = Order {
        backup: args.backup.clone(),
        thorough: args.thorough,
        rewrite: args.force_rewrite,
        force: args.force,
        dry_run: args.dry_run,
        output: args.output.clone(),
        unicode: args.format.is_some(),
    };
    // What is written stands where the links lead to.
    let log_name = args.output.clone().unwrap_or_else(|| file.to_path_buf());
    let mut teller =
        Teller { args, prefix, sinks, mender: Mender::new(*number, order.verb(), log_name), fold: Fold::default(), stop: None };
    let bar = Bar::show(Arc::clone(progress), Unit::Bytes, args.quiet);
    let result = repair::run(source.real(), &order, Held::default(), progress, &mut |told| teller.told(told));
    drop(bar);
    if let Some(stop) = teller.stop {
        return Err(stop);
    }
    match result {
        Ok(outcome) => Ok(outcome.scan.verdict),
        Err(error @ Error::Cancelled) => {
            let (lines, verdict) = control::failed(*number, &error);
            sinks.log(prefix, &lines, args.json)?;
            if args.json {
                json::write(&mut sinks.out, &json::judged(verdict, json::Counts::new()))?;
            }
            Ok(verdict)
        }
        Err(error) => Err(source.not_written(&error).into()),
    }
}

/// Tells what happens as lines and as records.
struct Teller<'a> {
    args: &'a Repair,
    prefix: &'a str,
    sinks: &'a mut Sinks,
    mender: Mender,
    fold: Fold,
    stop: Option<Stop>,
}

impl Teller<'_> {
    /// A reader that has gone away ends nothing here: half a repair helps no one.
    fn told(&mut self, told: Told<'_>) -> String {
        let lines = self.mender.told(told);
        if self.stop.is_none() {
            self.stop = self.tell(told, &lines).err();
        }
        lines
    }

    fn tell(&mut self, told: Told<'_>, lines: &str) -> Result<(), Stop> {
        self.sinks.log(self.prefix, lines, self.args.json)?;
        if self.args.json {
            self.records(told)?;
        } else if let Told::End(outcome) = told
            && self.sinks.has_log()
        {
            self.sinks.out.line(&format!("{}{}", self.prefix, outcome.scan.verdict.text()))?;
        }
        Ok(())
    }

    fn records(&mut self, told: Told<'_>) -> Result<(), Stop> {
        let out = &mut self.sinks.out;
        match told {
            Told::Scan(Event::Phase(name)) => json::write(out, &Record::Phase { name }),
            Told::Scan(Event::Finding(finding)) if self.fold.takes(finding.code) => {
                json::write(out, &Record::Finding(Box::new(Found::of(finding))))
            }
            Told::Plan(plan) => {
                let changes = plan.lines().filter_map(|line| line.strip_prefix("  "));
                let mut changes = changes.map(|line| line.strip_prefix("=> ").unwrap_or(line).to_owned());
                changes.try_for_each(|what| json::write(out, &Record::Change { what }))
            }
            Told::Written(_) | Told::Widened(_) => {
                self.fold = Fold::default();
                Ok(())
            }
            Told::End(outcome) => {
                let counts = counted(outcome, &self.fold);
                json::write(out, &json::judged(outcome.scan.verdict, counts))
            }
            Told::Begin(..) | Told::Ended(_) | Told::Kept(_) | Told::Known | Told::Scan(_) => Ok(()),
        }
    }
}

fn counted(outcome: &Outcome, fold: &Fold) -> json::Counts {
    let mut counts = counts(&outcome.scan, fold);
    counts.insert("changes", u64::try_from(outcome.changes).unwrap_or(u64::MAX));
    counts
}
