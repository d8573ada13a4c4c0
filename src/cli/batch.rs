//! A command that takes several stores: one after another, where their lines go, and one exit code for all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::exit::Exit;
use super::interrupt::on_interrupt;
use super::json;
use super::out::{Failure, Output, Stop, in_words};
use super::source::shown;
use super::text;
use crate::damage::Verdict;
use crate::progress::Progress;

/// The stores of a command line, and where it is told what comes of them.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    pub(super) files: &'a [PathBuf],
    /// The file of the log, if it does not go to standard output.
    pub(super) log: Option<&'a PathBuf>,
    pub(super) json: bool,
}

/// One of them.
#[derive(Debug)]
pub(super) struct One<'a> {
    pub(super) file: &'a Path,
    /// Its number on the command line, from 1 on.
    pub(super) number: u64,
    /// What its lines begin with: with several files each says which one it is about.
    pub(super) prefix: String,
    /// Cancelled by Ctrl-C.
    pub(super) progress: &'a Arc<Progress>,
}

impl Batch<'_> {
    /// Does it for each store; one with which it fails does not stop the others. Their codes are ORed.
    pub(super) fn each(&self, mut perform: impl FnMut(&One<'_>, &mut Sinks) -> Result<Verdict, Stop>) -> Result<Exit, Failure> {
        let progress = Arc::new(Progress::default());
        let cancelled = Arc::clone(&progress);
        on_interrupt(move || cancelled.cancel())?;
        let mut sinks = Sinks::open(self.log)?;
        let mut codes = 0;
        for (number, file) in (1..).zip(self.files) {
            let prefix = if self.files.len() > 1 { format!("{}: ", shown(file)) } else { String::new() };
            let one = One { file, number, prefix, progress: &progress };
            let exit = match self.framed(&one, &mut sinks, &mut perform) {
                Ok(verdict) => Exit::from(verdict),
                Err(Stop::Gone) => return Ok(Exit::Done),
                Err(Stop::Failed(failure)) => failure.tell(),
            };
            codes |= exit.code();
        }
        Ok(Exit::Mixed(codes))
    }

    /// Does it for one, between the first record and, where it fails, the last.
    fn framed(
        &self,
        one: &One<'_>,
        sinks: &mut Sinks,
        perform: &mut impl FnMut(&One<'_>, &mut Sinks) -> Result<Verdict, Stop>,
    ) -> Result<Verdict, Stop> {
        if self.json {
            json::write(&mut sinks.out, &json::start(text::lossy(one.file)))?;
        }
        let done = perform(one, sinks).and_then(|verdict| sinks.flush().map(|()| verdict));
        if let Err(Stop::Failed(failure)) = &done
            && self.json
        {
            json::failed(&failure.message).iter().try_for_each(|record| json::write(&mut sinks.out, record))?;
            sinks.out.flush()?;
        }
        done
    }
}

/// Where lines go.
#[derive(Debug)]
pub(super) struct Sinks {
    pub(super) out: Output,
    log: Option<(PathBuf, BufWriter<File>)>,
}

impl Sinks {
    pub(super) fn open(log: Option<&PathBuf>) -> Result<Self, Failure> {
        let log = log.map(|path| {
            let file = File::create(path).map_err(|error| log_failed(path, &error))?;
            Ok((path.clone(), BufWriter::new(file)))
        });
        Ok(Self { out: Output::new(), log: log.transpose()? })
    }

    /// Where to say how it ended, when the log itself goes to a file.
    pub(super) const fn has_log(&self) -> bool {
        self.log.is_some()
    }

    /// Writes lines of the log, each beginning with `prefix`.
    pub(super) fn log(&mut self, prefix: &str, lines: &str, json: bool) -> Result<(), Stop> {
        for line in lines.lines() {
            match &mut self.log {
                Some((path, file)) => writeln!(file, "{prefix}{line}").map_err(|error| log_failed(path, &error))?,
                None if json => {}
                None => self.out.line(&format!("{prefix}{line}"))?,
            }
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<(), Stop> {
        if let Some((path, file)) = &mut self.log {
            file.flush().map_err(|error| log_failed(path, &error))?;
        }
        self.out.flush()
    }
}

fn log_failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("{}: cannot write the log: {}", shown(path), in_words(error)))
}
