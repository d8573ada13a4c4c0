//! `pstfs export --carve`: the stores in the image of a disk, each exported into a folder of its own.

use std::sync::Arc;

use super::bar::{Bar, Unit};
use super::exit::Exit;
use super::export::{Export, Listed, settings, stopped};
use super::interrupt::on_interrupt;
use super::json::{self, Record};
use super::out::{Failure, Output, Stop, in_words};
use super::source;
use super::text;
use crate::damage::Error;
use crate::disk::{self, Access};
use crate::export::{self, Origin, Settings, Summary};
use crate::progress::Progress;
use crate::recover::{self, Carved};
use crate::tree::{Recovered, Tree, View};

/// Bytes for the caches of a store, and for those of its tree.
const CACHE_BYTES: usize = 32 << 20;

/// Exports every store in an image.
pub(super) fn exported(args: &Export, view: View, out: &mut Output) -> Result<(Summary, Exit), Stop> {
    let failed = |what: &str| Failure::new(Exit::Failed, format!("{}: {what}", source::shown(&args.file)));
    let progress = Arc::new(Progress::default());
    let cancelled = Arc::clone(&progress);
    on_interrupt(move || cancelled.cancel())?;
    let image = disk::open(&args.file, Access::default()).map_err(|error| failed(&in_words(&error)))?;
    let settings = settings(args, &args.file, &progress).map_err(|stop| stopped(&stop))?;
    let bar = Some(Bar::show(Arc::clone(&progress), Unit::Bytes, args.quiet));
    let mut stores = Stores { args, view, out, progress: &progress, settings, bar, count: 0, parts: 0, summary: Summary::default() };
    let mut stop = None;
    let result = recover::carve(&(Arc::new(image) as _), CACHE_BYTES, &progress, &mut |carved| {
        stores.store(&carved).map_err(|why| {
            stop = Some(why);
            Error::Cancelled
        })
    });
    stores.bar = None;
    let Stores { count, parts, summary, .. } = stores;
    match (result, stop) {
        (_, Some(export::Stop::Cancelled)) | (Err(Error::Cancelled), None) => Ok((summary, Exit::Cancelled)),
        (_, Some(export::Stop::Gone)) => Err(Stop::Gone),
        (_, Some(stop)) => Err(stopped(&stop).into()),
        (Err(Error::Io(error)), None) => Err(failed(&in_words(&error)).into()),
        (Err(error), None) => Err(failed(&error.to_string()).into()),
        (Ok(()), None) if count == 0 => Err(failed("no store, and no part of one, was found in it").into()),
        (Ok(()), None) if parts == 0 && summary.written == summary.rows => Ok((summary, Exit::Done)),
        (Ok(()), None) => Ok((summary, Exit::DamageLeft)),
    }
}

/// The stores of an image, as they are found.
struct Stores<'a> {
    args: &'a Export,
    view: View,
    out: &'a mut Output,
    progress: &'a Arc<Progress>,
    settings: Settings,
    bar: Option<Bar>,
    /// How many were found.
    count: u64,
    /// How many of these are not whole.
    parts: u64,
    summary: Summary,
}

impl Stores<'_> {
    /// Exports a store that was found.
    fn store(&mut self, carved: &Carved) -> Result<(), export::Stop> {
        self.count = self.count.saturating_add(1);
        self.parts = self.parts.saturating_add(u64::from(!carved.is_whole));
        let name = format!("store-{}", self.count);
        self.bar = None;
        self.tell(&name, carved)?;
        let tree = Tree::new(Arc::clone(&carved.store), self.view, CACHE_BYTES);
        if self.view.recovered == Recovered::All {
            tree.search(self.progress)
                .map_err(|error| if matches!(error, Error::Cancelled) { export::Stop::Cancelled } else { error.into() })?;
        }
        let (start, whole) = (carved.start, carved.is_whole);
        let origin = Some(Origin { start, from: carved.range.start, to: carved.range.end, whole });
        let settings = Settings { dir: self.args.dir.join(&name), origin, ..self.settings.clone() };
        let mut listed = Listed { args: self.args, out: self.out, within: format!("{name}/"), told: 0, gone: None };
        let bar = Bar::show(Arc::clone(self.progress), Unit::Items, self.args.quiet);
        let (summary, result) = export::export(&tree, &settings, self.progress, &mut |item| listed.item(item));
        drop(bar);
        listed.tell_rest(&settings.dir);
        self.summary = sum(self.summary, summary);
        self.bar = Some(Bar::show(Arc::clone(self.progress), Unit::Bytes, self.args.quiet));
        result
    }

    /// Tells that a store was found.
    fn tell(&mut self, name: &str, carved: &Carved) -> Result<(), export::Stop> {
        let format = carved.store.ndb().format().name();
        let told = if self.args.json {
            let (start, from, to) = (carved.start, carved.range.start, carved.range.end);
            json::write(self.out, &Record::Carved { dir: name.to_owned(), start, from, to, whole: carved.is_whole, format })
        } else if self.args.quiet {
            Ok(())
        } else {
            let what = if carved.is_whole { "a store" } else { "a part of a store" };
            let bytes = text::bytes(carved.range.end.saturating_sub(carved.range.start));
            self.out.line(&format!("{name}: {what} ({format}) at offset {}, {bytes}", carved.start)).and_then(|()| self.out.flush())
        };
        told.map_err(|_| export::Stop::Gone)
    }
}

/// Both together.
fn sum(one: Summary, other: Summary) -> Summary {
    Summary {
        rows: one.rows.saturating_add(other.rows),
        written: one.written.saturating_add(other.written),
        incomplete: one.incomplete.saturating_add(other.incomplete),
        failed: one.failed.saturating_add(other.failed),
        unchanged: one.unchanged.saturating_add(other.unchanged),
        outside: one.outside.saturating_add(other.outside),
        bytes: one.bytes.saturating_add(other.bytes),
    }
}
