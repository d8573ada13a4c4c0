//! What was written: a line of JSON for each item, kept in the folder of the export.
//!
//! The first line names the store, the last one counts. While a run is under way its lines go to a second file, which
//! takes the place of the first at the end; where a run was cut off, the next one puts both together. `kept_` lines tell
//! of files that earlier runs wrote and this one had nothing to do with.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::line::{End, Item, Key, Line, SCHEMA, Shared, Start, Status, for_each_line, put};
use super::{Settings, Stop, Summary};

/// The manifest's name.
pub const MANIFEST: &str = ".pstfs-export.jsonl";
/// The name of the one that grows.
const PART: &str = ".pstfs-export.jsonl.part";
/// The name of one that puts two together.
const JOINED: &str = ".pstfs-export.jsonl.joined";

const PROGRAM: &str = "pstfs";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What earlier runs wrote.
#[derive(Debug, Default)]
pub(super) struct Old {
    file: Option<File>,
    /// Where the line of each item lies: its offset and length.
    items: HashMap<Key, (u64, u32)>,
    files: HashMap<Key, Shared>,
    paths: HashSet<Key>,
}

impl Old {
    /// Whether a file is one that an earlier run wrote.
    pub(super) fn knows(&self, path: &str) -> bool {
        self.paths.contains(&Key::path(path))
    }

    /// What an earlier run wrote of an item.
    pub(super) fn item(&self, key: Key) -> Option<Item> {
        let (offset, len) = *self.items.get(&key)?;
        let mut line = vec![0; usize::try_from(len).ok()?];
        self.file.as_ref()?.read_exact_at(&mut line, offset).ok()?;
        match serde_json::from_slice(&line).ok()? {
            Line::Item(item) | Line::KeptItem(item) if Key::of(&item) == key => Some(item),
            _ => None,
        }
    }

    /// What an earlier run wrote into a shared file.
    pub(super) fn shared(&self, path: &str) -> Option<&Shared> {
        self.files.get(&Key::path(path))
    }

    fn read(path: &Path) -> io::Result<(Option<Start>, Self)> {
        let mut old = Self::default();
        let mut start = None;
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, old)),
            file => file?,
        };
        for_each_line(&file, |line, offset, len| {
            match line {
                Line::Start(found) => start = start.take().or(Some(found)),
                Line::Item(item) | Line::KeptItem(item) => {
                    if item.offset.is_none() && !item.path.is_empty() && item.status != Status::Failed {
                        old.paths.insert(Key::path(&item.path));
                    }
                    old.items.insert(Key::of(&item), (offset, len));
                }
                Line::File(file) | Line::KeptFile(file) => {
                    old.paths.insert(Key::path(&file.path));
                    old.files.insert(Key::path(&file.path), file);
                }
                Line::End(_) => {}
            }
            Ok(())
        })?;
        old.file = Some(file);
        Ok((start, old))
    }
}

/// The manifest of a run under way.
#[derive(Debug)]
pub(super) struct Manifest {
    dir: PathBuf,
    out: BufWriter<File>,
    old: Arc<Old>,
    /// What of the old one needs no line any more.
    settled: HashSet<Key>,
}

impl Manifest {
    /// Takes up what earlier runs left in a folder, and begins the manifest of this run.
    pub(super) fn begin(settings: &Settings, store: &str) -> Result<Self, Stop> {
        let dir = settings.dir.clone();
        let failed = |error: io::Error| Stop::Target(dir.join(MANIFEST), error);
        check(&dir, settings, store)?;
        join(&dir).map_err(failed)?;
        let (_, old) = Old::read(&dir.join(MANIFEST)).map_err(failed)?;
        let file = create(&dir.join(PART), settings.mode).map_err(failed)?;
        let mut manifest = Self { dir: dir.clone(), out: BufWriter::new(file), old: Arc::new(old), settled: HashSet::new() };
        let start =
            Start { schema: SCHEMA, format: settings.layout.name().to_owned(), store: store.to_owned(), origin: settings.origin.clone() };
        manifest.write(&Line::Start(start))?;
        manifest.flush()?;
        Ok(manifest)
    }

    /// What earlier runs wrote.
    pub(super) fn old(&self) -> Arc<Old> {
        Arc::clone(&self.old)
    }

    /// Tells what became of an item.
    pub(super) fn item(&mut self, item: &Item) -> Result<(), Stop> {
        self.settled.insert(Key::of(item));
        self.write(&Line::Item(item.clone()))
    }

    /// Tells of a file that items share.
    pub(super) fn shared(&mut self, file: &Shared) -> Result<(), Stop> {
        self.settled.insert(Key::path(&file.path));
        self.write(&Line::File(file.clone()))
    }

    /// Hands the lines over to the system: what they tell of is done.
    pub(super) fn flush(&mut self) -> Result<(), Stop> {
        self.out.flush().map_err(|error| Stop::Target(self.dir.join(PART), error))
    }

    fn write(&mut self, line: &Line) -> Result<(), Stop> {
        put(&mut self.out, line).map_err(|error| Stop::Target(self.dir.join(PART), error))
    }

    /// Ends the manifest and puts it in the place of the old one.
    pub(super) fn finish(mut self, settings: &Settings, summary: &Summary, verdict: &str, store_size: u64) -> Result<(), Stop> {
        let path = self.dir.join(MANIFEST);
        self.end(settings, summary, verdict, store_size).map_err(|error| Stop::Target(path, error))
    }

    fn end(&mut self, settings: &Settings, summary: &Summary, verdict: &str, store_size: u64) -> io::Result<()> {
        self.keep()?;
        let end = End {
            verdict: verdict.to_owned(),
            rows: summary.rows,
            written: summary.written,
            incomplete: summary.incomplete,
            failed: summary.failed,
            outside: summary.outside,
            bytes: summary.bytes,
            program: PROGRAM.to_owned(),
            version: VERSION.to_owned(),
            renderer: settings.renderer,
            schema: SCHEMA,
            store_size,
            store_sha256: settings.store_sha256.clone(),
        };
        put(&mut self.out, &Line::End(end))?;
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        fs::rename(self.dir.join(PART), self.dir.join(MANIFEST))?;
        File::open(&self.dir)?.sync_all()
    }

    /// Writes the lines of files that this run had nothing to do with, and that are still there.
    fn keep(&mut self) -> io::Result<()> {
        let old = Arc::clone(&self.old);
        let Some(file) = &old.file else { return Ok(()) };
        let mut again = file.try_clone()?;
        io::Seek::rewind(&mut again)?;
        let mut kept_files = HashSet::new();
        for_each_line(&again, |line, offset, _| {
            let kept = match line {
                Line::Item(item) | Line::KeptItem(item) => {
                    let key = Key::of(&item);
                    let is_last = old.items.get(&key).is_some_and(|(last, _)| *last == offset);
                    let is_there = item.status != Status::Failed && self.dir.join(&item.path).symlink_metadata().is_ok();
                    // An item of a shared file that was written anew is in it, or gone.
                    let is_shared = item.offset.is_some() && self.settled.contains(&Key::path(&item.path));
                    (is_last && is_there && !is_shared && !self.settled.contains(&key)).then_some(Line::KeptItem(item))
                }
                Line::File(file) | Line::KeptFile(file) => {
                    let is_there = old.shared(&file.path) == Some(&file) && self.dir.join(&file.path).symlink_metadata().is_ok();
                    let key = Key::path(&file.path);
                    (is_there && !self.settled.contains(&key) && kept_files.insert(key)).then_some(Line::KeptFile(file))
                }
                Line::Start(_) | Line::End(_) => None,
            };
            kept.map_or(Ok(()), |line| put(&mut self.out, &line))
        })
    }
}

fn create(path: &Path, mode: u32) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::options().write(true).create_new(true).mode(mode).open(path)
}

/// Refuses a folder that was made from another store or in another format.
fn check(dir: &Path, settings: &Settings, store: &str) -> Result<(), Stop> {
    let refused = |what: String| Stop::Refused(dir.to_owned(), what);
    for name in [MANIFEST, PART] {
        let path = dir.join(name);
        let (start, old) = Old::read(&path).map_err(|error| Stop::Target(path.clone(), error))?;
        let Some(start) = start else {
            // A run that was killed at its first step leaves an empty one.
            if old.file.is_some() && (name == MANIFEST || !old.paths.is_empty()) {
                return Err(refused(format!("{name} in it cannot be read as a manifest; move it away, or export into another folder")));
            }
            continue;
        };
        if start.store != store {
            return Err(refused("was made from another store; export into another folder".into()));
        }
        if start.format != settings.layout.name() {
            return Err(refused(format!("was made with --format {}; export into another folder", start.format)));
        }
    }
    Ok(())
}

/// Puts the lines of a run that was cut off behind those of the runs before it.
fn join(dir: &Path) -> io::Result<()> {
    let (whole, part, joined) = (dir.join(MANIFEST), dir.join(PART), dir.join(JOINED));
    if !part.try_exists()? {
        return Ok(());
    }
    if !whole.try_exists()? {
        return fs::rename(part, whole);
    }
    let mut out = BufWriter::new(create(&joined, 0o600)?);
    out.get_ref().set_permissions(whole.metadata()?.permissions())?;
    let mut begun = false;
    for path in [&whole, &part] {
        for_each_line(&File::open(path)?, |line, _, _| match line {
            Line::Start(start) if !begun => {
                begun = true;
                put(&mut out, &Line::Start(start))
            }
            Line::Item(item) | Line::KeptItem(item) => put(&mut out, &Line::KeptItem(item)),
            Line::File(file) | Line::KeptFile(file) => put(&mut out, &Line::KeptFile(file)),
            Line::Start(_) | Line::End(_) => Ok(()),
        })?;
    }
    out.flush()?;
    out.get_ref().sync_all()?;
    fs::rename(joined, whole)?;
    fs::remove_file(part)
}
