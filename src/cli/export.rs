//! `pstfs export`: the documents of a store written out as files.

use std::fmt::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use clap::{Args, ValueEnum};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};

use super::bar::{Bar, Unit};
use super::carve;
use super::exit::Exit;
use super::info::RENDERER;
use super::interrupt::on_interrupt;
use super::json::{self, Counts, Record};
use super::out::{Failure, Output, Stop, tell};
use super::source::{self, Source};
use super::text;
use crate::export::{self, Item, Layout, Settings, Status, Summary, Time};
use crate::progress::Progress;
use crate::tree::{Recovered, Tree, View};

const HELP: &str = "\
Formats:
  eml            the folders and files that a mount shows
  maildir        Maildir++ with flags; the inbox is DIR itself, others are
                 DIR/.Folder.Sub, as Dovecot, mutt and notmuch read them
  mbox           a file a folder (mboxrd) with Status, X-Status, X-Keywords
  thunderbird    the same with NAME.sbd folders and X-Mozilla-Status
In the last three, the appointments, tasks and journal entries of a folder are
one .ics file, its contacts one .vcf file.

DIR/.pstfs-export.jsonl tells what became of each item. Run again, the same
command goes on where it was stopped and writes only what changed; files that
it did not write are never replaced.

Options for -o are those of 'pstfs ls': all_folders, hidden, names=, and with
--format eml attachments.

Examples:
  pstfs export outlook.pst mail
  pstfs export outlook.pst ~/Maildir --format maildir --since 2020-01-01
  pstfs export archive.ost out Inbox \"Sent Items/2019\" --format mbox
  pstfs export --carve disk.img found

With --carve FILE is the image of a disk, a device or any other file. Each store
in it, and each part of one, is exported to DIR/store-1, DIR/store-2 and so on;
the manifest there tells where it was found. Where a store is not whole, what
has lost its folder stands under Recovered, and the exit code is 4.

Exit codes: 0 all is there, 4 some items are incomplete or failed (all are
listed), 8 failed, 16 usage, 32 cancelled. Nothing is ever written to FILE.";

/// How many items that are not whole are told on standard error; the manifest lists them all.
const TOLD_MAX: u64 = 20;

/// Write the documents of a store out as files
///
/// As .eml, .ics and .vcf files, or in the form that a mail program takes over.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct Export {
    /// What to write
    #[arg(long, value_enum, default_value_t = Form::Eml)]
    format: Form,
    /// Only items of this time or later: 2020-01-31 or 2020-01-31T09:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Time>,
    /// Only items of this time or earlier; of a date alone, its whole day
    #[arg(long, value_name = "TIME", value_parser = until)]
    until: Option<Time>,
    /// How many documents to render at a time; as many as processors without it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// What to take of Recovered: nothing, items that no folder reaches, or
    /// also what a search for deleted ones finds
    #[arg(long, value_enum)]
    recovered: Option<Wanted>,
    /// Search FILE for stores and parts of stores, and export each
    #[arg(long, conflicts_with_all = ["hash", "paths"])]
    pub(super) carve: bool,
    /// Write the store's SHA-256 into the manifest too
    #[arg(long)]
    hash: bool,
    /// Show no progress and no summary
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Options, separated by commas, as in 'pstfs ls'
    #[arg(short, value_name = "OPT,..")]
    options: Vec<String>,
    /// Print JSON Lines; 'pstfs schema' describes them
    #[arg(long)]
    pub(super) json: bool,
    /// The store: a .pst or .ost file
    pub(super) file: PathBuf,
    /// The folder to write to; made where it is not there
    pub(super) dir: PathBuf,
    /// Folders or documents of it, as 'pstfs ls' shows them; all without one
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    Eml,
    Maildir,
    Mbox,
    Thunderbird,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Wanted {
    None,
    Orphaned,
    All,
}

/// Exports as the user asked.
pub fn run(args: &Export) -> Result<Exit, Failure> {
    let view = view(args)?;
    let mut out = Output::new();
    Stop::settle(perform(args, view, &mut out))
}

/// What is exported of the tree.
fn view(args: &Export) -> Result<View, Failure> {
    let view = source::view(&args.options)?;
    let recovered = args.recovered.map_or(view.recovered, |wanted| match wanted {
        Wanted::None => Recovered::None,
        Wanted::Orphaned => Recovered::Orphaned,
        Wanted::All => Recovered::All,
    });
    let view = View { recovered, ..view };
    if view.attachments && !matches!(args.format, Form::Eml) {
        return Err(Failure::new(
            Exit::Usage,
            "-o attachments needs --format eml: attachments stand in their mails, and no other format has a place beside these",
        ));
    }
    Ok(view)
}

fn perform(args: &Export, view: View, out: &mut Output) -> Result<Exit, Stop> {
    if args.json {
        json::write(out, &json::start(text::lossy(&args.file)))?;
    }
    let exported = if args.carve { carve::exported(args, view, out) } else { exported(args, view, out) };
    match exported {
        Ok((summary, exit)) => {
            tell_end(args, &summary, exit, out)?;
            Ok(exit)
        }
        Err(Stop::Failed(failure)) => {
            if args.json {
                json::failed(&failure.message).iter().try_for_each(|record| json::write(out, record))?;
            }
            out.flush()?;
            Err(failure.into())
        }
        Err(Stop::Gone) => Err(Stop::Gone),
    }
}

fn exported(args: &Export, view: View, out: &mut Output) -> Result<(Summary, Exit), Stop> {
    let progress = Arc::new(Progress::default());
    let source = Source::find(&args.file)?;
    let (cancelled, search) = (Arc::clone(&progress), Arc::clone(source.search()));
    on_interrupt(move || {
        // The export first: what it writes while a search is given up would lack what that would have found.
        cancelled.cancel();
        search.cancel();
    })?;
    let tree = source.tree(view, &progress, args.quiet)?;
    let mut listed = Listed { args, out, within: String::new(), told: 0, gone: None };
    let bar = Bar::show(Arc::clone(&progress), Unit::Items, args.quiet);
    let (summary, result) = match settings(args, source.real(), &progress) {
        Ok(settings) => export::export(&tree, &settings, &progress, &mut |item| listed.item(item)),
        Err(stop) => (Summary::default(), Err(stop)),
    };
    drop(bar);
    listed.tell_rest(&args.dir);
    if let Some(stop) = listed.gone {
        return Err(stop);
    }
    source.tell_damage(tree.store().ndb().notes(), &format!("'pstfs info {}' tells more", source.quoted()));
    match result {
        Ok(()) if summary.written == summary.rows => Ok((summary, Exit::Done)),
        Ok(()) => Ok((summary, Exit::DamageLeft)),
        Err(export::Stop::Cancelled) => Ok((summary, Exit::Cancelled)),
        Err(stop) => Err(failure(args, &source, &tree, stop).into()),
    }
}

/// How to export what lies in this file.
pub(super) fn settings(args: &Export, real: &Path, progress: &Progress) -> Result<Settings, export::Stop> {
    let failed = |error: std::io::Error| export::Stop::Store(error.into());
    let store_sha256 = if args.hash {
        let raw = crate::disk::open(real, crate::disk::Access::default()).map_err(failed)?;
        Some(
            export::sha256_of(&raw, progress)
                .map_err(|error| if matches!(error, crate::damage::Error::Cancelled) { export::Stop::Cancelled } else { error.into() })?,
        )
    } else {
        None
    };
    let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(Settings {
        dir: args.dir.clone(),
        layout: match args.format {
            Form::Eml => Layout::Eml,
            Form::Maildir => Layout::Maildir,
            Form::Mbox => Layout::Mbox,
            Form::Thunderbird => Layout::Thunderbird,
        },
        paths: args.paths.clone(),
        since: args.since,
        until: args.until,
        count: !args.quiet,
        jobs: args.jobs.map_or(processors, usize::from),
        // Whoever may read the store may read what came out of it, and nobody else.
        mode: 0o600 | (real.metadata().map_err(failed)?.mode() & 0o044),
        renderer: RENDERER,
        store_sha256,
        origin: None,
    })
}

fn failure(args: &Export, source: &Source, tree: &Tree, stop: export::Stop) -> Failure {
    match stop {
        export::Stop::Store(error) => {
            let missing = args.paths.iter().find_map(|path| super::ls::resolve(tree, source, path).err());
            missing.unwrap_or_else(|| source.broken(&error))
        }
        stop => stopped(&stop),
    }
}

/// The failure of an export that has nothing to do with the store.
pub(super) fn stopped(stop: &export::Stop) -> Failure {
    Failure::new(Exit::Failed, stop.to_string().replace(char::is_control, "?"))
}

/// What the user hears of each item.
pub(super) struct Listed<'a> {
    pub(super) args: &'a Export,
    pub(super) out: &'a mut Output,
    /// The folder of the export within DIR, with a slash behind it; empty where it is DIR.
    pub(super) within: String,
    /// How many were not whole.
    pub(super) told: u64,
    pub(super) gone: Option<Stop>,
}

impl Listed<'_> {
    /// Tells how many more were not whole, and where they stand.
    pub(super) fn tell_rest(&self, dir: &Path) {
        let untold = self.told.saturating_sub(TOLD_MAX);
        if untold > 0 && !self.args.json {
            let (name, manifest) = (source::shown(&self.args.file), source::shown(&dir.join(export::MANIFEST)));
            tell(&format!("{name}: {untold} more are incomplete or failed; {manifest} lists them all"));
        }
    }

    /// Tells of an item.
    pub(super) fn item(&mut self, item: &Item) -> Result<(), export::Stop> {
        if item.status != Status::Written {
            self.told = self.told.saturating_add(1);
        }
        if !self.args.json {
            if item.status != Status::Written && self.told <= TOLD_MAX {
                tell(&in_line(self.args, &self.within, item));
            }
            return Ok(());
        }
        let path = if item.path.is_empty() { String::new() } else { format!("{}{}", self.within, item.path) };
        json::write(self.out, &Record::Exported(Box::new(Item { path, ..item.clone() }))).map_err(|stop| {
            self.gone = Some(stop);
            export::Stop::Gone
        })
    }
}

/// `a.pst: Inbox/Hello.eml: incomplete: why`.
fn in_line(args: &Export, within: &str, item: &Item) -> String {
    let mut place = if item.path.is_empty() { item.folder.clone() } else { item.path.clone() };
    if item.path.is_empty() || item.offset.is_some() {
        // Writing to a string cannot fail.
        let _ = item.nid.as_ref().map_or(Ok(()), |nid| write!(place, ", node {nid}"));
    }
    let status = if item.status == Status::Failed { "failed" } else { "incomplete" };
    let line = format!("{}: {within}{place}: {status}: {}", text::lossy(&args.file), item.reason.as_deref().unwrap_or_default());
    line.replace(char::is_control, "?")
}

fn tell_end(args: &Export, summary: &Summary, exit: Exit, out: &mut Output) -> Result<(), Stop> {
    let Summary { rows, written, incomplete, failed, unchanged, outside, bytes } = *summary;
    if args.json {
        let counts = [
            ("rows", rows),
            ("written", written),
            ("incomplete", incomplete),
            ("failed", failed),
            ("unchanged", unchanged),
            ("outside", outside),
            ("bytes", bytes),
        ];
        let verdict = match exit {
            Exit::Done => "Done",
            Exit::Cancelled => "Cancelled",
            _ => "Some items are incomplete or failed",
        };
        json::write(out, &Record::End { verdict: verdict.to_owned(), exit: exit.code(), counts: Counts::from(counts) })?;
    } else if !args.quiet {
        let there = written.saturating_add(incomplete);
        let mut line = format!("{}, {} in {}", text::counted(there, "item", "items"), text::bytes(bytes), source::shown(&args.dir));
        let parts = [(unchanged, "there already"), (incomplete, "incomplete"), (failed, "failed"), (outside, "of other times left out")];
        for (count, what) in parts.into_iter().filter(|(count, _)| *count > 0) {
            let _ = write!(line, "; {count} {what}");
        }
        if exit == Exit::Cancelled {
            line.push_str("; cancelled, the same command goes on from here");
        }
        out.line(&line)?;
    }
    out.flush()
}

/// The beginning of a time that the user gave.
fn since(text: &str) -> Result<Time, String> {
    given(text).map(|(begin, _)| begin)
}

/// Its end.
fn until(text: &str) -> Result<Time, String> {
    given(text).map(|(_, end)| end)
}

fn given(text: &str) -> Result<(Time, Time), String> {
    let wrong = || "a time is a date such as 2020-01-31, or one with a time such as 2020-01-31T09:00:00Z".to_owned();
    let parts = |time: Timestamp| (time.as_second(), u32::try_from(time.subsec_nanosecond()).unwrap_or(0));
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok((parts(time), parts(time)));
    }
    // The parser takes a date with a time of no zone for its date.
    let date: Date = text.parse().ok().filter(|_| text.len() == 10).ok_or_else(wrong)?;
    let begin = |date: Date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
    let first = begin(date).map_err(|_| wrong())?;
    let last = date.checked_add(1.day()).and_then(begin).and_then(|next| next.checked_sub(1.nanosecond())).map_err(|_| wrong())?;
    Ok((parts(first), parts(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_whole_day_in_utc() {
        assert_eq!(since("2024-01-01"), Ok((1_704_067_200, 0)));
        assert_eq!(until("2024-01-01"), Ok((1_704_153_599, 999_999_999)));
        assert_eq!(since("2024-01-01T01:00:00+01:00"), until("2024-01-01T00:00:00Z"));
        for wrong in ["", "yesterday", "2024-13-01", "2024-01-01T00:00"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
