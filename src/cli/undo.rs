//! `pstfs undo`: take the last repair of a store back, byte for byte.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::bar::{Bar, Unit};
use super::exit::Exit;
use super::interrupt::on_interrupt;
use super::out::{self, Failure};
use super::source::{Source, shown};
use crate::damage::Error;
use crate::progress::Progress;
use crate::repair::{self, Held};

const EXAMPLES: &str = "\
Examples:
  pstfs undo outlook.pst
  pstfs undo --from /backup/outlook.pst outlook.pst

Exit codes: 0 the store is as it was, 8 failed, 32 cancelled.";

/// Take the last repair of a store back, byte for byte
///
/// Works while the store is as its repair left it. A repair that was cut off is taken back, too.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Undo {
    /// What was kept of the store, where its log does not say so
    #[arg(long, value_name = "BAK")]
    from: Option<PathBuf>,
    /// Also where the store was changed since; keeps it as FILE.before-undo
    #[arg(long)]
    force: bool,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
    /// The store: a .pst or .ost file
    file: PathBuf,
}

/// Takes it back.
pub fn run(args: &Undo) -> Result<Exit, Failure> {
    let progress = Arc::new(Progress::default());
    let cancelled = Arc::clone(&progress);
    on_interrupt(move || cancelled.cancel())?;
    let source = Source::to_write(&args.file)?;
    let bar = Bar::show(Arc::clone(&progress), Unit::Bytes, args.quiet);
    let undone = repair::take_back(source.real(), args.from.as_deref(), args.force, Held::default(), &progress);
    drop(bar);
    let undone = match undone {
        Ok(undone) => undone,
        Err(Error::Cancelled) => return Ok(Exit::Cancelled),
        Err(error) => return Err(source.not_written(&error)),
    };
    let from = undone.from.map_or_else(|| "the repair had been cut off".to_owned(), |from| format!("from {}", shown(&from)));
    let kept = undone.before.map_or_else(String::new, |before| format!("; what it was until now is {}", shown(&before)));
    Ok(out::print(&format!("{}: as it was before its last repair ({from}){kept}\n", source.name())))
}
