//! `pstfs ctl`: drives a mounted store by its `.control`.
//!
//! Nothing here knows what a job does: the mount runs it, `.control` tells how far it is. Following a job is reading that
//! file again and again, so it works for a job that somebody else has started, too.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::bar::{Meter, Unit};
use super::exit::Exit;
use super::interrupt::Asked;
use super::json::{self, Counts, JobState, Record};
use super::out::{Failure, Output, Stop, in_words};
use super::processes::holder_beside;
use crate::disk::{self, process};
use crate::mount::table;

const EXAMPLES: &str = "\
Examples:
  pstfs ctl ~/mail scan              check the mounted store, see how far it is
  pstfs ctl ~/mail scan --detach     only start it; the mount goes on with it
  pstfs ctl ~/mail repair --dry-run  what a repair would change
  pstfs ctl ~/mail repair            repair the store; readers go on meanwhile
  pstfs ctl ~/mail wait              until the job has ended; its exit code
  pstfs ctl ~/mail status            the same as 'cat ~/mail/.control'";

/// How often a running job is asked how far it is.
const PACE: Duration = Duration::from_millis(100);

/// Start, watch or stop a job on a mounted store
///
/// The log of the last job is DIR/.scanlog. Exit codes are those of the command of the same name.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Ctl {
    /// The folder where the store is mounted
    dir: PathBuf,
    /// What to do
    #[arg(value_enum)]
    verb: Verb,
    /// For wait: the number of the job; without it the present one
    job: Option<u64>,
    /// Only start the job, and print its number
    #[arg(long)]
    detach: bool,
    /// For repair: change nothing, only put the plan into the log
    #[arg(long)]
    dry_run: bool,
    /// For repair: what to keep of the old store: full (FILE.bak), undo (FILE.undo: only what is overwritten), or a path
    /// for a copy
    #[arg(long, value_name = "full|undo|PATH")]
    backup: Option<PathBuf>,
    /// JSON Lines on standard output; 'pstfs schema' describes them
    #[arg(long)]
    json: bool,
    /// No progress
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Verb {
    /// Find all that is wrong with the store, and change nothing
    Scan,
    /// Search the whole file for deleted items, and show them under Recovered
    Recover,
    /// Make the store whole while it stays mounted
    Repair,
    /// Take the last repair back
    Undo,
    /// Ask the running job to stop
    Cancel,
    /// Print how far the job is, or how the last one ended
    Status,
    /// Wait until the job has ended
    Wait,
}

impl Verb {
    /// Whether it starts a job.
    const fn starts(self) -> bool {
        match self {
            Self::Scan | Self::Recover | Self::Repair | Self::Undo => true,
            Self::Cancel | Self::Status | Self::Wait => false,
        }
    }
}

/// Does it.
pub fn run(args: &Ctl) -> Result<Exit, Failure> {
    if args.job.is_some() && args.verb != Verb::Wait {
        return Err(Failure::new(Exit::Usage, "only 'wait' takes the number of a job"));
    }
    if args.detach && !args.verb.starts() {
        return Err(Failure::new(Exit::Usage, "--detach is for what starts a job"));
    }
    if (args.dry_run || args.backup.is_some()) && args.verb != Verb::Repair {
        return Err(Failure::new(Exit::Usage, "--dry-run and --backup are for 'repair'"));
    }
    let ctl = Control::find(&args.dir)?;
    Stop::settle(match args.verb {
        Verb::Status => status(args, &ctl),
        Verb::Wait => wait(args, &ctl),
        Verb::Scan => start(args, &ctl, "scan"),
        Verb::Recover => start(args, &ctl, "recover"),
        Verb::Repair => repair(args).map_err(Stop::from).and_then(|command| start(args, &ctl, &command)),
        Verb::Undo => start(args, &ctl, "undo"),
        Verb::Cancel => ctl.command("cancel").and_then(|number| follow(args, &ctl, number, &Asked::default())),
    })
}

/// The command of a repair.
fn repair(args: &Ctl) -> Result<String, Failure> {
    if args.dry_run {
        return Ok("repair dry-run".into());
    }
    let Some(backup) = &args.backup else { return Ok("repair".into()) };
    let usage = |what: String| Failure::new(Exit::Usage, format!("--backup {}: {what}", backup.display()));
    let words = match backup.to_str() {
        Some(word @ ("full" | "undo")) => word.to_owned(),
        _ => {
            // The mount has another working folder.
            let path = std::path::absolute(backup).map_err(|error| usage(in_words(&error)))?;
            path.to_str().ok_or_else(|| usage("is not UTF-8".into()))?.to_owned()
        }
    };
    Ok(format!("repair backup={words}"))
}

/// Starts a job and follows it. Ctrl-C cancels the job, too, unless it was to run by itself.
fn start(args: &Ctl, ctl: &Control, command: &str) -> Result<Exit, Stop> {
    if !args.detach {
        let asked = Asked::listen()?;
        let number = ctl.command(command)?;
        return follow(args, ctl, number, &asked);
    }
    let number = ctl.command(command)?;
    let mut out = Output::new();
    out.line(&format!("job {number}"))?;
    out.flush()?;
    Ok(Exit::Done)
}

fn status(args: &Ctl, ctl: &Control) -> Result<Exit, Stop> {
    let mut out = Output::new();
    if args.json {
        json::write(&mut out, &json::start(ctl.source.clone()))?;
        let state = ctl.state()?;
        json::write(&mut out, &Record::Job(Box::new(state.record())))?;
        json::write(&mut out, &json::end_with("Done", Exit::Done, Counts::new()))?;
    } else {
        out.bytes(ctl.text()?.as_bytes())?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn wait(args: &Ctl, ctl: &Control) -> Result<Exit, Stop> {
    let present = ctl.state()?.number();
    let Some(number) = args.job.or(present) else {
        return Err(ctl.failed("no job has run since the mount").into());
    };
    follow(args, ctl, number, &Asked::default())
}

/// Waits for a job, showing how far it is, and ends as it ends. An interrupt cancels it.
fn follow(args: &Ctl, ctl: &Control, number: u64, interrupt: &Asked) -> Result<Exit, Stop> {
    let mut out = Output::new();
    if args.json {
        json::write(&mut out, &json::start(ctl.source.clone()))?;
        out.flush()?;
    }
    let mut meter = Meter::new(Unit::Bytes, args.quiet);
    let state = loop {
        let state = ctl.state()?;
        if state.number() != Some(number) {
            return Err(ctl.failed(&format!("job {number} is not the last one, so how it ended is no longer known")).into());
        }
        if !state.runs() {
            break state;
        }
        meter.show(state.text("phase"), state.value("done").unwrap_or(0), state.value("total").unwrap_or(0));
        if interrupt.taken() {
            // It may have ended by itself just now.
            let _ = ctl.command("cancel");
        }
        thread::sleep(PACE);
    };
    meter.clear();
    let exit = state.exit();
    if args.json {
        json::write(&mut out, &Record::Job(Box::new(state.record())))?;
        let counts = Counts::from([("findings", state.value("findings").unwrap_or(0))]);
        json::write(&mut out, &json::end_with(state.verdict(), exit, counts))?;
    } else {
        out.line(state.verdict())?;
    }
    out.flush()?;
    Ok(exit)
}

/// A mount's `.control`.
struct Control {
    dir: PathBuf,
    path: PathBuf,
    source: String,
    mount: table::Entry,
}

impl Control {
    fn find(dir: &Path) -> Result<Self, Failure> {
        let failed = |what: &str| Failure::new(Exit::Failed, format!("{}: {what}", dir.display()));
        let real = dir.canonicalize().map_err(|error| failed(&in_words(&error)))?;
        let mount = table::at(&real).map_err(|error| failed(&in_words(&error)))?.filter(table::Entry::is_ours);
        let mount = mount.ok_or_else(|| failed("no store is mounted there by pstfs"))?;
        let path = real.join(".control");
        if !path.exists() {
            return Err(failed("was mounted with 'nocontrol', so it takes no commands"));
        }
        Ok(Self { dir: dir.to_owned(), path, source: mount.source.display().to_string(), mount })
    }

    fn failed(&self, what: &str) -> Failure {
        Failure::new(Exit::Failed, format!("{}: {what}", self.dir.display()))
    }

    /// Sends a command, and gives the number of the job that it concerns.
    fn command(&self, command: &str) -> Result<u64, Stop> {
        let file = File::open(&self.path).map_err(|error| self.failed(&in_words(&error)))?;
        let number = process::command(&file, command).map_err(|error| self.failed(&self.refusal(command, &error)))?;
        u64::try_from(number).map_err(|_| self.failed("answered with no job").into())
    }

    /// Why a command was not taken, in words.
    fn refusal(&self, command: &str, error: &std::io::Error) -> String {
        let writes = command.starts_with("repair") || command == "undo";
        match error.raw_os_error() {
            Some(libc::EBUSY) if writes && !self.state().is_ok_and(|state| state.runs()) => {
                format!("{} is in use{}; try again when that has ended", self.source, holder_beside(&self.mount.source, &self.mount))
            }
            Some(libc::EBUSY) => "another job runs; 'pstfs ctl DIR status' shows it".into(),
            Some(libc::EINVAL) if command == "cancel" => "no job runs".into(),
            Some(libc::EINVAL | libc::ENOTTY) => format!("the mount does not know '{command}'; it was made by another version of pstfs"),
            Some(libc::EROFS) if writes => {
                format!("mounted with 'ro', or {} cannot be written; unmount it and use 'pstfs repair --output NEW'", self.source)
            }
            Some(libc::ENOSPC) if writes => self.no_room(),
            Some(libc::EEXIST) if writes => "the file for the backup exists; move it away".into(),
            Some(libc::ESTALE) => format!("another program wrote to {} since it was mounted; mount it again", self.source),
            _ => in_words(error),
        }
    }

    fn no_room(&self) -> String {
        let needed = fs::metadata(&self.source).map_or(0, |metadata| metadata.len());
        let free = File::open(&self.source).and_then(|file| disk::free_bytes(&file)).unwrap_or(0);
        let dir = self.dir.display();
        format!(
            "a full backup needs {needed} bytes and {free} are free beside the store; 'pstfs ctl {dir} repair --backup undo' keeps only what \
             changes, '--backup PATH' puts it elsewhere"
        )
    }

    fn text(&self) -> Result<String, Failure> {
        fs::read_to_string(&self.path).map_err(|error| self.failed(&in_words(&error)))
    }

    fn state(&self) -> Result<State, Failure> {
        let text = self.text()?;
        let lines = text.lines().filter_map(|line| line.split_once('='));
        Ok(State(lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()))
    }
}

/// What `.control` says.
struct State(BTreeMap<String, String>);

impl State {
    fn text(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    fn value(&self, key: &str) -> Option<u64> {
        self.text(key).parse().ok()
    }

    fn number(&self) -> Option<u64> {
        self.value("job")
    }

    fn runs(&self) -> bool {
        self.text("state") == "running"
    }

    fn verdict(&self) -> &str {
        self.text("verdict")
    }

    fn exit(&self) -> Exit {
        self.value("exit").and_then(Exit::of_job).unwrap_or(Exit::Failed)
    }

    fn record(&self) -> JobState {
        let text = |key| self.0.get(key).cloned();
        JobState {
            state: self.text("state").to_owned(),
            job: self.number(),
            verb: text("verb"),
            phase: text("phase"),
            done: self.value("done"),
            total: self.value("total"),
            eta_s: self.value("eta_s"),
            findings: self.value("findings"),
            verdict: text("verdict"),
            exit: self.value("exit"),
        }
    }
}
