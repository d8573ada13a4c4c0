//! The run: folder by folder, and at the end the manifest in its place.

use super::folder::{Document, Folder, Walk, join};
use super::joined::{self, Joined, Piece};
use super::line::{Item, Shared, Status};
use super::manifest::{Manifest, Old};
use super::name::Place;
use super::ordered::ordered;
use super::target::{Target, Trouble, set_time};
use super::work::Work;
use super::{Layout, Settings, Stop, Summary, Time, Told};
use crate::convert::Format;
use crate::convert::digest::Digest;
use crate::progress::Progress;
use crate::store::{Store, tags};
use crate::tree::{Ino, Kind, Object, Tree};

/// Writes the documents of a tree as files; `told` hears of each item in the order of the tree.
///
/// What was done before an error is told by the manifest; the summary of that is given even then.
pub fn export(tree: &Tree, settings: &Settings, progress: &Progress, told: Told<'_>) -> (Summary, Result<(), Stop>) {
    let mut summary = Summary::default();
    let result = begin(tree, settings, progress, &mut summary, told);
    (summary, result)
}

fn begin(tree: &Tree, settings: &Settings, progress: &Progress, summary: &mut Summary, told: Told<'_>) -> Result<(), Stop> {
    // A path that names nothing leaves no trace on disk.
    Walk::new(tree, settings)?;
    let target = Target::open(&settings.dir, settings.mode)?;
    let manifest = Manifest::begin(settings, &identity(tree.store()))?;
    let old = manifest.old();
    let work = Work { tree, settings, progress, target: &target, old: &old };
    let mut run = Run { work: &work, manifest, summary: *summary, told, inbox: inbox(tree), folders: Vec::new() };
    let result = run.all().and_then(|()| target.sync());
    let verdict = match &result {
        Ok(()) if run.summary.written == run.summary.rows => "Done",
        Ok(()) => "Some items are incomplete or failed",
        Err(Stop::Cancelled | Stop::Gone) => "Cancelled",
        Err(_) => "Failed",
    };
    *summary = run.summary;
    // An error of the run counts more than one of its last line.
    result.and(run.manifest.finish(settings, summary, verdict, tree.store_bytes()))
}

/// What tells a store from others, wherever it lies: its record key, and when it was made.
fn identity(store: &Store) -> String {
    let mut digest = Digest::default();
    let props = store.props();
    match props.bytes(tags::RECORD_KEY) {
        Some(key) => digest.add(&key),
        // A store that cannot tell who it is is told by its length: better refused than mixed up.
        None => digest.add(store.ndb().file_bytes().to_string().as_bytes()),
    }
    digest.add(store.ndb().format().name().as_bytes());
    let made = store.node_props(store.ipm_subtree()).ok().and_then(|props| props.time(tags::CREATION_TIME));
    digest.add(&made.unwrap_or_default().0.to_le_bytes());
    digest.hex()
}

/// The name of the folder that receives mail, if it stands at the top.
fn inbox(tree: &Tree) -> Option<String> {
    let listing = tree.list(Ino::ROOT).ok()?;
    let is_inbox =
        |ino| matches!(Object::of(ino), Some(Object::Folder(nid)) if tree.store().role(nid).is_some_and(|role| role.0 == "inbox"));
    let found = listing.entries.iter().find(|entry| entry.kind == Kind::Directory && is_inbox(entry.ino));
    found.map(|entry| entry.name.clone())
}

struct Run<'a, 't> {
    work: &'a Work<'a>,
    manifest: Manifest,
    summary: Summary,
    told: Told<'t>,
    inbox: Option<String>,
    /// Folders that were made, with their times, which writing into them changes.
    folders: Vec<(String, Option<Time>)>,
}

impl Run<'_, '_> {
    fn all(&mut self) -> Result<(), Stop> {
        let (tree, settings, progress) = (self.work.tree, self.work.settings, self.work.progress);
        let cancelled = |_| Stop::Cancelled;
        progress.begin("Counting", 0).map_err(cancelled)?;
        let total = if settings.count { count(tree, settings, progress)? } else { 0 };
        progress.begin("Exporting", total).map_err(cancelled)?;
        let mut walk = Walk::new(tree, settings)?;
        while let Some(folder) = walk.next(&mut self.summary) {
            progress.check().map_err(cancelled)?;
            self.folder(&folder)?;
            self.manifest.flush()?;
        }
        for (path, time) in self.folders.iter().rev() {
            // A time that cannot be set is no loss of mail.
            let _ = std::fs::File::open(self.work.target.path(path)).and_then(|file| set_time(&file, *time));
        }
        Ok(())
    }

    fn folder(&mut self, folder: &Folder) -> Result<(), Stop> {
        let settings = self.work.settings;
        let top = if folder.path.is_empty() && settings.layout != Layout::Eml { self.top()? } else { folder.path.clone() };
        let place = Place::of(settings.layout, &top, self.inbox.as_deref());
        self.lost(folder)?;
        match self.prepare(folder, &place) {
            Ok(()) => {}
            Err(Trouble::Item(reason)) => return self.all_failed(folder, &folder.documents.iter().collect::<Vec<_>>(), &reason),
            Err(Trouble::Stop(stop)) => return Err(stop),
        }
        self.documents(folder, &place)
    }

    /// Writes a folder's documents: those that share a calendar or a list of contacts first, then mail.
    fn documents(&mut self, folder: &Folder, place: &Place) -> Result<(), Stop> {
        let layout = self.work.settings.layout;
        if layout == Layout::Eml {
            return self.singles(folder, place, &folder.documents.iter().collect::<Vec<_>>());
        }
        let of = |format| folder.documents.iter().filter(move |document| document.format == format).collect::<Vec<_>>();
        // What is no calendar or card after all is mail.
        let mut others = self.joined(folder, (Format::Ics, &place.calendar), &of(Format::Ics))?;
        others.extend(self.joined(folder, (Format::Vcf, &place.contacts), &of(Format::Vcf))?);
        let mail: Vec<&Document> = of(Format::Eml).into_iter().chain(&others).collect();
        if layout == Layout::Maildir {
            return self.singles(folder, place, &mail);
        }
        if mail.is_empty() && folder.is_for_mail && !folder.only_passed && !folder.path.is_empty() {
            return self.empty(place);
        }
        self.joined(folder, (Format::Eml, &place.mail), &mail).map(drop)
    }

    /// Writes documents as files of their own.
    fn singles(&mut self, folder: &Folder, place: &Place, documents: &[&Document]) -> Result<(), Stop> {
        let work = self.work;
        let single = |document: &&Document| work.single(folder, place, document);
        ordered(work.settings.jobs, documents, single, |done| {
            let done = done?;
            self.tell(&done.item, done.unchanged)?;
            self.manifest.flush()
        })
    }

    /// An mbox of a folder without mails.
    fn empty(&mut self, place: &Place) -> Result<(), Stop> {
        match joined::empty(self.work, &place.mail) {
            Ok(Some(shared)) => self.manifest.shared(&shared),
            // Whatever is in its way holds more than it.
            Ok(None) | Err(Trouble::Item(_)) => Ok(()),
            Err(Trouble::Stop(stop)) => Err(stop),
        }
    }

    /// Where the items of the root go, which has no name: one that no folder has.
    fn top(&self) -> Result<String, Stop> {
        let listing = self.work.tree.list(Ino::ROOT)?;
        let mut name = "Top of the mailbox".to_owned();
        while listing.entries.iter().any(|entry| entry.name.eq_ignore_ascii_case(&name)) {
            name.push('_');
        }
        Ok(name)
    }

    /// Tells of the rows that stand for nothing, and of a folder that cannot be listed.
    fn lost(&mut self, folder: &Folder) -> Result<(), Stop> {
        let item = |reason: &str| Item {
            folder: folder.path.clone(),
            reason: Some(reason.to_owned()),
            renderer: self.work.settings.renderer,
            ..Item::default()
        };
        let row = item("a row of the folder's table names no item, or one that another row stands for");
        let list = folder.lost.as_ref().map(|why| item(&format!("the folder cannot be listed: {why}")));
        (0..folder.failed).try_for_each(|_| self.tell(&row, false))?;
        list.map_or(Ok(()), |item| self.tell(&item, false))
    }

    fn all_failed(&mut self, folder: &Folder, documents: &[&Document], reason: &str) -> Result<(), Stop> {
        let failed = |document: &&Document| Item { reason: Some(reason.to_owned()), ..self.work.begun(folder, document) };
        let items: Vec<Item> = documents.iter().map(failed).collect();
        items.iter().try_for_each(|item| self.tell(item, false))
    }

    /// Makes the folders that must be there before the documents, or without any.
    fn prepare(&mut self, folder: &Folder, place: &Place) -> Result<(), Trouble> {
        let target = self.work.target;
        let has_mail = folder.documents.iter().any(|document| document.format == Format::Eml);
        let wants_mail = has_mail || (folder.is_for_mail && !folder.only_passed);
        match self.work.settings.layout {
            Layout::Eml if !folder.only_passed || !folder.documents.is_empty() => {
                target.make_folder(&place.mail)?;
                let time = folder.ino.and_then(|ino| self.work.tree.attributes(ino).ok()).and_then(|attributes| attributes.mtime);
                self.folders.extend(time.map(|time| (place.mail.clone(), Some(time))));
            }
            // The root is a Maildir whatever lies in it.
            Layout::Maildir if folder.path.is_empty() && !has_mail => maildir(target, "")?,
            Layout::Maildir if wants_mail => maildir(target, &place.mail)?,
            Layout::Thunderbird if !folder.documents.is_empty() || wants_mail => {
                let above = joined::above(self.work, &place.above)?;
                above.iter().try_for_each(|shared| self.manifest.shared(shared))?;
            }
            Layout::Eml | Layout::Maildir | Layout::Mbox | Layout::Thunderbird => {}
        }
        Ok(())
    }

    /// Writes the file that these documents share, unless an earlier run did; gives those that are of another kind.
    fn joined(&mut self, folder: &Folder, (format, path): (Format, &str), documents: &[&Document]) -> Result<Vec<Document>, Stop> {
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        let state = joined::state(documents.iter().copied());
        if let Some((items, shared)) = state.as_deref().and_then(|state| self.proven(folder, path, state, documents)) {
            items.iter().try_for_each(|item| self.tell(item, true))?;
            return self.manifest.shared(&shared).map(|()| Vec::new());
        }
        let work = self.work;
        let mut open = match Joined::begin(work, format, path) {
            Ok(open) => open,
            Err(Trouble::Item(reason)) => return self.all_failed(folder, documents, &reason).map(|()| Vec::new()),
            Err(Trouble::Stop(stop)) => return Err(stop),
        };
        let mut others = Vec::new();
        let take = |piece: Result<Result<Piece, Item>, Stop>| -> Result<(), Stop> {
            match piece? {
                Ok(piece) if piece.format() == format => open.append(piece)?,
                Ok(piece) => others.push(piece.document().clone()),
                Err(item) => open.failed(item),
            }
            Ok(())
        };
        ordered(work.settings.jobs, documents, |document| work.piece(folder, document), take)?;
        let (items, shared) = open.finish(state.unwrap_or_default())?;
        items.iter().try_for_each(|item| self.tell(item, false))?;
        shared.map_or(Ok(()), |shared| self.manifest.shared(&shared))?;
        Ok(others)
    }

    /// The records of a shared file, if an earlier run made it of the same documents.
    fn proven(&self, folder: &Folder, path: &str, state: &str, documents: &[&Document]) -> Option<(Vec<Item>, Shared)> {
        let old: &Old = self.work.old;
        let shared = old.shared(path)?;
        let is_same = shared.state == state && shared.renderer == self.work.settings.renderer;
        if !is_same || !self.work.target.has(path, shared.size) {
            return None;
        }
        let items = documents.iter().map(|document| self.work.proven(folder, document).filter(|item| item.path == path));
        Some((items.collect::<Option<_>>()?, shared.clone()))
    }

    fn tell(&mut self, item: &Item, unchanged: bool) -> Result<(), Stop> {
        let counts = &mut self.summary;
        let place = match item.status {
            Status::Written => &mut counts.written,
            Status::Incomplete => &mut counts.incomplete,
            Status::Failed => &mut counts.failed,
        };
        *place = place.saturating_add(1);
        counts.rows = counts.rows.saturating_add(1);
        counts.unchanged = counts.unchanged.saturating_add(u64::from(unchanged));
        counts.bytes = counts.bytes.saturating_add(item.size.unwrap_or(0));
        self.manifest.item(item)?;
        // Whether the user asked to stop is asked before every document.
        let _ = self.work.progress.add(1);
        (self.told)(item)
    }
}

fn maildir(target: &Target, path: &str) -> Result<(), Trouble> {
    ["cur", "new", "tmp"].iter().try_for_each(|name| target.make_folder(&join(path, name)))?;
    // What Maildir++ marks every folder but the root with.
    if path.is_empty() { Ok(()) } else { target.touch(&join(path, "maildirfolder")) }
}

/// How many documents there are, so that the progress has an end. Folders are listed once more for it.
fn count(tree: &Tree, settings: &Settings, progress: &Progress) -> Result<u64, Stop> {
    // To ask every item for its time would take as long as a part of the export.
    let settings = Settings { since: None, until: None, ..settings.clone() };
    let mut walk = Walk::new(tree, &settings)?;
    let mut total = 0_u64;
    while let Some(folder) = walk.next(&mut Summary::default()) {
        progress.check().map_err(|_| Stop::Cancelled)?;
        total = total.saturating_add(u64::try_from(folder.documents.len()).unwrap_or(u64::MAX));
    }
    Ok(total)
}
