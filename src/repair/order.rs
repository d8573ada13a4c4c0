//! What is wanted of a repair, what is told while it runs, and how it ended.

use std::io;
use std::path::{Path, PathBuf};

use super::backup::{Backup, Kept};
use super::plan::Options;
use super::run::Widened;
use crate::disk::{KeepingFile, Lock, OwnWrites, WritableFile};
use crate::ndb::write::{Committed, Recovered};
use crate::scan::{self, Event};

/// What is wanted of a repair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// What to keep of the store before it changes.
    pub backup: Backup,
    /// Oddities that healthy stores have too are put right, too.
    pub thorough: bool,
    /// Everything is written anew, of a healthy store too.
    pub rewrite: bool,
    /// A store on a network's file system is repaired in place; a file that is no store becomes one.
    pub force: bool,
    /// Only the plan is wanted.
    pub dry_run: bool,
    /// The store is copied there, and the copy repaired.
    pub output: Option<PathBuf>,
    /// The copy is a Unicode store, which has more room than an ANSI one.
    pub unicode: bool,
}

impl Order {
    /// What is done, as a log tells it.
    pub const fn verb(&self) -> &'static str {
        if self.dry_run { "repair dry-run" } else { "repair" }
    }

    /// How far the plan goes.
    pub(super) const fn options(&self) -> Options {
        Options { thorough: self.thorough, rewrite: self.rewrite, unwritten: self.unicode }
    }
}

/// What one who has the store open already brings along.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held<'a> {
    /// His lock for looking: it becomes one for writing, and at the end one for looking again.
    pub lock: Option<&'a Lock>,
    /// What tells his sources that it is not another program that writes.
    pub own: Option<&'a OwnWrites>,
}

impl Held<'_> {
    /// Opens the store to write to it; what is overwritten stays for his sources.
    pub(super) fn file(self, store: &Path) -> io::Result<KeepingFile> {
        match self.own {
            Some(own) => own.file(store),
            None => Ok(WritableFile::open(store)?.into()),
        }
    }
}

/// Something that happens in a repair.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// The store is open: its length, and the variant of its format.
    Begin(u64, &'static str),
    /// A repair that was cut off was brought to its end first.
    Ended(Recovered),
    /// From a scan, first of the store, then of the result.
    Scan(Event<'a>),
    /// What is to be changed, a line each.
    Plan(&'a str),
    /// What was kept of the store as it was.
    Kept(&'a Kept),
    /// The changes are made.
    Written(&'a Committed),
    /// The result is scanned without the blocks and items that are known to be whole, see [`scan::Known`].
    Known,
    /// The repaired store was written as a Unicode one.
    Widened(&'a Widened),
    /// How it ended.
    End(&'a Outcome),
}

/// How a repair ended.
#[derive(Debug)]
pub struct Outcome {
    /// The last scan, with the verdict on the repair.
    pub scan: scan::Outcome,
    /// How many changes there are.
    pub changes: usize,
    /// What the store held before it was repaired; none where nothing was written.
    pub before: Option<Before>,
    /// What was kept of the old store; none where nothing was written.
    pub kept: Option<Kept>,
}

/// What a store held before its repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// Folders and items.
    pub tally: scan::Tally,
    /// How many of them were moved to `Lost and Found`.
    pub moved: usize,
    /// How many messages have lost something or hold something that may be wrong.
    pub incomplete: usize,
}
