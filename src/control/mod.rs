//! The one job that runs, its progress, its log; verbs for the mount and the command line alike.
//!
//! Nothing here knows FUSE or a terminal: `.control` is [`Control::status`] and [`Control::command`], `.scanlog` is
//! [`Control::log`]. No job is built yet, so every verb but `cancel` is unknown and the state is always idle. What a job
//! writes, on a mount or not, is a [`Scribe`]'s.

mod log;
mod scribe;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::store::Store;
use log::Log;

pub use scribe::{Fold, LINES_MAX, Scribe, by_severity, line};

/// The longest text of commands that one write may hold; a longer one is not meant for us.
pub const COMMAND_MAX_BYTES: usize = 4096;

/// What the head of the log says about the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Where the store lies.
    pub file: PathBuf,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// The variant of its format in words; empty where that is not known.
    pub format: String,
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such verb, or no verb at all.
    #[error("no such command")]
    Unknown,
    /// More than [`COMMAND_MAX_BYTES`].
    #[error("longer than a command can be")]
    TooLong,
    /// `cancel`, and no job runs.
    #[error("no job runs")]
    Idle,
}

/// What a command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Cancel,
}

impl Verb {
    fn parse(line: &str) -> Result<Self, Refusal> {
        match line {
            "cancel" => Ok(Self::Cancel),
            _ => Err(Refusal::Unknown),
        }
    }
}

/// The job of one store and its log.
#[derive(Debug)]
pub struct Control {
    store: Arc<Store>,
    started: SystemTime,
    log: Mutex<Log>,
}

/// What `stat` shows of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogState {
    /// Its length in bytes.
    pub size_bytes: u64,
    /// When its last line came; of an empty log, when it was begun.
    pub changed: SystemTime,
}

impl Control {
    /// The control of a store in which no job has run.
    pub fn new(store: Arc<Store>, about: &About) -> Self {
        Self { store, started: SystemTime::now(), log: Mutex::new(Log::new(about)) }
    }

    /// The state as lines of `key=value`.
    pub fn status(&self) -> String {
        "state=idle\n".to_owned()
    }

    /// When the status last changed.
    pub fn changed(&self) -> SystemTime {
        self.started
    }

    /// Does what one write asks for, a command a line; stops at the first that is refused.
    pub fn command(&self, text: &[u8]) -> Result<(), Refusal> {
        parse(text)?.into_iter().try_for_each(|verb| self.perform(verb))
    }

    fn perform(&self, verb: Verb) -> Result<(), Refusal> {
        match verb {
            Verb::Cancel => Err(Refusal::Idle),
        }
    }

    /// How long the log is now, with the damage noted since it was last asked for.
    pub fn log(&self) -> LogState {
        let size_bytes = self.grown_log().len_bytes();
        let changed = self.store.ndb().notes().changed().filter(|_| size_bytes != 0);
        LogState { size_bytes, changed: changed.unwrap_or(self.started) }
    }

    /// Bytes of the log from `offset`, at most `len`.
    pub fn read_log(&self, offset: u64, len: usize) -> Vec<u8> {
        self.grown_log().read(offset, len)
    }

    fn grown_log(&self) -> MutexGuard<'_, Log> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.grow(self.store.ndb().notes());
        log
    }
}

/// The commands of one write; all are known before the first is done.
fn parse(text: &[u8]) -> Result<Vec<Verb>, Refusal> {
    if text.len() > COMMAND_MAX_BYTES {
        return Err(Refusal::TooLong);
    }
    let text = std::str::from_utf8(text).map_err(|_| Refusal::Unknown)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let verbs = lines.map(Verb::parse).collect::<Result<Vec<_>, _>>()?;
    if verbs.is_empty() { Err(Refusal::Unknown) } else { Ok(verbs) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_command_and_blanks_do_not_count() {
        assert_eq!(parse(b"cancel"), Ok(vec![Verb::Cancel]));
        assert_eq!(parse(b" cancel \r\n\ncancel\n"), Ok(vec![Verb::Cancel, Verb::Cancel]));
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for text in [&b""[..], b"\n", b"frobnicate", b"cancel now", b"CANCEL", b"\xff", b"can\0cel"] {
            assert_eq!(parse(text), Err(Refusal::Unknown), "{text:?}");
        }
    }

    #[test]
    fn one_bad_line_keeps_the_others_from_running() {
        assert_eq!(parse(b"cancel\nfrobnicate\n"), Err(Refusal::Unknown));
    }

    #[test]
    fn a_command_has_at_most_4096_bytes() {
        let fits = format!("cancel{}", "\n".repeat(COMMAND_MAX_BYTES - 6));
        assert_eq!(parse(fits.as_bytes()), Ok(vec![Verb::Cancel]));
        assert_eq!(parse(format!("{fits}\n").as_bytes()), Err(Refusal::TooLong));
    }
}
