//! What is wrong with a store: numbered passes that yield findings.
//!
//! [`scan`] runs them all. The first ones (`low`) know no more than the bytes of the file, walk header, maps, trees and
//! blocks by themselves and go on wherever a reader would give up. The others look at what stands in the nodes: they get
//! a [`Context`] with the store as it was opened. A pass only reads; it reports to a [`Report`] and counts what it has
//! read in a [`Progress`]. A damaged thing never ends a pass; only a failing disk and the user do.

mod bits;
mod case;
mod folders;
mod known;
mod low;
mod object;
mod others;
mod owner;
mod pool;
mod report;
mod special;
mod steady;
mod victim;

use std::sync::{Arc, Mutex, PoisonError};

use crate::damage::{Code, Error, Place, Result, Severity, Verdict};
use crate::disk::ReadAt;
use crate::format::id::Nid;
use crate::progress::Progress;
use crate::store::Store;
use steady::Steady;
use victim::Victims;

pub use known::{Blocks, Known};
pub use report::{Counts, Event, Listener, Namer, Report, Space, Tally};
pub use victim::{OWN, named};

/// What every pass over the store's objects has at hand.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The store as it was opened.
    pub store: &'a Store,
    /// Where to count, and whether to go on.
    pub progress: &'a Progress,
    /// Where findings go.
    pub report: &'a Report<'a>,
    /// What the scan before this one found whole.
    pub known: Option<&'a Known>,
}

/// The passes over the store's objects, in the order in which they run.
const OBJECT_PASSES: &[fn(&Context<'_>) -> Result<()>] = &[special::run, folders::run, others::run];

/// How a scan ended.
#[derive(Debug)]
pub struct Outcome {
    /// In a word.
    pub verdict: Verdict,
    /// How many findings of each code.
    pub counts: Counts,
    /// What was looked at.
    pub tally: Tally,
    /// Why it did not come to its end.
    pub error: Option<Error>,
}

/// Finds all that is wrong with a store, and tells it to `listener` as it is found.
///
/// `file` are the bytes; `store` is what could be opened of them, or why not: then only the low passes run. Two scans of the
/// same bytes tell the same in the same order.
pub fn scan(file: &Arc<dyn ReadAt>, store: Result<&Store, &Error>, progress: &Progress, listener: impl FnMut(Event<'_>) + Send) -> Outcome {
    scan_blocks(file, Blocks::Read, store, progress, listener)
}

/// The same for who says how blocks are read.
pub fn scan_blocks(
    file: &Arc<dyn ReadAt>,
    blocks: Blocks<'_>,
    store: Result<&Store, &Error>,
    progress: &Progress,
    listener: impl FnMut(Event<'_>) + Send,
) -> Outcome {
    let listener = Mutex::new(listener);
    let tell = |event: Event<'_>| (listener.lock().unwrap_or_else(PoisonError::into_inner))(event);
    let own = store.map(|store| until(store, progress));
    let store = own.as_ref().map_err(|error| *error);
    let victims = store.ok().map(Victims::of);
    let namer = |nid| victims.as_ref().map_or_else(String::new, |victims| victims.name(Nid(nid)));
    let report = Report::new(&tell).naming(&namer);
    let result = passes(file, blocks, store, progress, &report);
    Outcome::of(&report, result.map_err(|error| progress.why(error)))
}

/// Bytes for the caches of pages and blocks that a scan has.
const CACHE_BYTES: usize = 32 << 20;

/// The store as one who goes through all of it reads it, until the user has enough: with caches of its own, so that those
/// of a mount keep what its users ask for.
pub(crate) fn until(store: &Store, progress: &Progress) -> Store {
    let source = Steady::new(store.ndb().source(), progress);
    store.over(Arc::new(store.ndb().beside(Arc::new(source), CACHE_BYTES)))
}

fn passes(
    file: &Arc<dyn ReadAt>,
    blocks: Blocks<'_>,
    store: Result<&Store, &Error>,
    progress: &Progress,
    report: &Report<'_>,
) -> Result<()> {
    let ndb = store.ok().map(|store| &**store.ndb());
    let whole = low::run(&Steady::new(file, progress), blocks, ndb, progress, report)?;
    match store {
        Ok(store) => {
            let context = Context { store, progress, report, known: blocks.known() };
            opened(&context, Code::RepairCutOff);
            for pass in OBJECT_PASSES {
                // For a single block readers make maps too: there the block is told, and the trees are right.
                if !whole {
                    opened(&context, Code::MapsRebuilt);
                }
                survive(pass(&context), report)?;
            }
            row_versions(&context);
        }
        Err(error) => not_opened(error, report)?,
    }
    if file.was_changed()? {
        report.add(Code::FileChanged, Place::FILE, "what was found need not belong together; scan it again");
    }
    progress.check()
}

/// Tells how the store was opened whose folders and items were looked at, where that was not as every other store.
fn opened(context: &Context<'_>, code: Code) {
    let notes = context.store.ndb().notes().findings();
    if let Some(note) = notes.iter().find(|note| note.code == code).filter(|_| !context.report.has(code)) {
        context.report.add(code, note.place, &note.detail);
    }
}

/// What a pass stumbled over is told; only a failing disk and the user end the scan.
fn survive(result: Result<()>, report: &Report<'_>) -> Result<()> {
    match result {
        Err(Error::Damaged(code, place)) => {
            report.add(code, place, "what depends on it was not looked at");
            Ok(())
        }
        result => result,
    }
}

/// The header's counter is where versions of rows come from ([MS-PST] 2.2.2.6): none is above it.
///
/// A store whose trees were searched for may have a header that was made up, which counts nothing.
fn row_versions(context: &Context<'_>) {
    if context.store.ndb().maps().is_some() {
        return;
    }
    let (unique, highest) = (context.store.ndb().header().unique, context.report.row_version());
    if highest > unique {
        context.report.add(Code::HeaderUnique, Place::FILE, format!("it is {unique:#x}, the highest version of a row is {highest:#x}"));
    }
}

/// Tells why there is nothing about folders and items, unless the low passes did.
fn not_opened(error: &Error, report: &Report<'_>) -> Result<()> {
    let errors = report.counts().keys().any(|(_, severity)| *severity >= Severity::Error);
    match error {
        _ if errors => Ok(()),
        Error::Damaged(code, place) => {
            report.add(*code, *place, "the store cannot be opened; its folders and items were not looked at");
            Ok(())
        }
        Error::Io(error) => Err(Error::Io(std::io::Error::new(error.kind(), error.to_string()))),
        Error::Unsupported(why) | Error::NotFound(why) => Err(Error::Unsupported(why.clone())),
        Error::Cancelled => Err(Error::Cancelled),
    }
}

impl Outcome {
    fn of(report: &Report<'_>, result: Result<()>) -> Self {
        let (counts, tally) = (report.counts(), report.tally());
        let worst = counts.keys().map(|(_, severity)| *severity).max();
        let verdict = match (&result, worst) {
            (Err(Error::Cancelled), _) => Verdict::Cancelled,
            (Err(_), _) => Verdict::Failed,
            (Ok(()), None | Some(Severity::Note)) => Verdict::NoErrors,
            (Ok(()), Some(Severity::Warning)) => Verdict::Minor,
            (Ok(()), Some(Severity::Error | Severity::Fatal)) => Verdict::Errors,
        };
        Self { verdict, counts, tally, error: result.err() }
    }
}
