//! The store that a command line names: opened for looking, and what is said when that fails.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::bar::{Bar, Unit, Watch};
use super::exit::Exit;
use super::mount::{looking, store_file};
use super::options::Options;
use super::out::{Failure, in_words, tell};
use super::processes::holder;
use super::text;
use crate::damage::{Code, Error, Finding, Notes, Place, Severity};
use crate::disk::Lock;
use crate::format::Format;
use crate::format::codec::Field;
use crate::format::header::Header;
use crate::mount::table;
use crate::progress::Progress;
use crate::recover::{self, Bytes};
use crate::store::Store;
use crate::tree::{Recovered, Tree, View};

/// Bytes for listings and documents.
const TREE_CACHE_BYTES: usize = 32 << 20;

/// A store file of the command line.
#[derive(Debug)]
pub(super) struct Source {
    /// As the user wrote it.
    given: PathBuf,
    real: PathBuf,
    bytes: u64,
    /// The search that damage makes necessary, and who tells of it.
    search: Arc<Progress>,
    watch: OnceLock<Watch>,
    /// Nobody repairs it meanwhile.
    _lock: Option<Lock>,
}

impl Source {
    /// The file, if it can be a store at all.
    pub(super) fn find(given: &Path) -> Result<Self, Failure> {
        let source = Self::to_write(given)?;
        let lock = looking(&source.real).map_err(|what| failed(given, what))?;
        Ok(Self { _lock: lock, ..source })
    }

    /// The file, for one who takes its lock by himself.
    pub(super) fn to_write(given: &Path) -> Result<Self, Failure> {
        let (real, metadata) = store_file(given).map_err(|what| failed(given, what))?;
        Ok(Self { given: given.to_owned(), real, bytes: metadata.len(), search: Arc::default(), watch: OnceLock::new(), _lock: None })
    }

    /// The same, where who cancels a task ends the search that damage makes necessary, too.
    pub(super) fn ending_with(self, task: &Progress) -> Self {
        Self { search: Arc::new(task.beside()), ..self }
    }

    /// Its name as the user wrote it, fit for a line.
    pub(super) fn name(&self) -> String {
        shown(&self.given)
    }

    /// Where it really lies.
    pub(super) fn real(&self) -> &Path {
        &self.real
    }

    /// Its length.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file's bytes, as readers are to see them.
    pub(super) fn raw(&self) -> Result<Bytes, Failure> {
        recover::bytes(&self.real, true, None).map_err(|error| self.broken(&error))
    }

    /// The search that damage makes necessary, when the store is opened or at any time later.
    pub(super) const fn search(&self) -> &Arc<Progress> {
        &self.search
    }

    /// The store in it, or why it cannot be opened. A search of the whole file is told, its progress too unless `quiet`.
    pub(super) fn opened(&self, quiet: bool) -> Result<Arc<Store>, Error> {
        self.opened_in(recover::bytes(&self.real, true, None)?, quiet)
    }

    /// The same for who has the file's bytes already: to map them twice takes twice the time.
    pub(super) fn opened_in(&self, bytes: Bytes, quiet: bool) -> Result<Arc<Store>, Error> {
        self.watch.get_or_init(|| Watch::new(Arc::clone(&self.search), searched_line(&self.given, self.bytes), quiet));
        recover::open_bytes(bytes, &recover::Options { search: Arc::clone(&self.search), ..recover::Options::default() })
    }

    /// The store's tree as the user wants to see it; a search that this takes shows its progress, and can be stopped.
    pub(super) fn tree(&self, view: View, progress: &Arc<Progress>, quiet: bool) -> Result<Tree, Failure> {
        let store = self.opened(quiet).map_err(|error| self.not_opened(&error))?;
        let tree = Tree::new(store, view, TREE_CACHE_BYTES);
        if view.recovered == Recovered::All {
            searched(&tree, progress, quiet).map_err(|error| self.broken(&error))?;
        }
        Ok(tree)
    }

    /// The same for a command that writes nothing but to standard output.
    pub(super) fn tree_alone(&self, view: View) -> Result<Tree, Failure> {
        self.tree(view, &Arc::default(), false)
    }

    /// A failure that names the file.
    pub(super) fn failed(&self, what: impl AsRef<str>) -> Failure {
        failed(&self.given, what)
    }

    /// Why it could not be repaired or put back, and what to do.
    pub(super) fn not_written(&self, error: &Error) -> Failure {
        match error {
            Error::Io(error) if error.kind() == ErrorKind::ResourceBusy => self.failed(in_use(&self.real)),
            Error::Io(error) if error.kind() == ErrorKind::PermissionDenied => {
                self.failed("permission denied: it cannot be written; use '--output NEW'")
            }
            Error::Io(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => {
                self.failed("lies on a file system that is read-only; use '--output NEW'")
            }
            error => self.broken(error),
        }
    }

    /// A failure in the middle of the work.
    pub(super) fn broken(&self, error: &Error) -> Failure {
        self.failed(match error {
            Error::Io(error) => in_words(error),
            Error::Cancelled => return Failure::new(Exit::Cancelled, format!("{}: cancelled", self.name())),
            Error::Unsupported(_) | Error::NotFound(_) | Error::Damaged(..) => error.to_string(),
        })
    }

    /// Why the file could not be opened as a store, and what to do.
    pub(super) fn not_opened(&self, error: &Error) -> Failure {
        let file = quoted(&self.given);
        match error {
            Error::Damaged(Code::HeaderEof, _) => self.failed(self.cut_short()),
            Error::Damaged(..) => self.failed(format!("{error}; 'pstfs inspect {file} header' shows what can be read")),
            Error::Io(_) | Error::Unsupported(_) | Error::NotFound(_) | Error::Cancelled => self.broken(error),
        }
    }

    fn cut_short(&self) -> String {
        let wanted = Header::size(Format::Unicode);
        format!("ends after {} bytes, inside its header of up to {wanted}; get a whole copy of the store", self.bytes)
    }

    /// Tells that damage was met, in one line; `more` says where to look.
    pub(super) fn tell_damage(&self, notes: &Notes, more: &str) {
        if let Some(line) = damage_line(notes) {
            tell(&format!("{}: {line}; {more}", self.name()));
        }
    }

    /// The file's name as a shell takes it.
    pub(super) fn quoted(&self) -> String {
        quoted(&self.given)
    }
}

/// Searches a tree for what is deleted, with a bar.
pub(super) fn searched(tree: &Tree, progress: &Arc<Progress>, quiet: bool) -> Result<(), Error> {
    let bar = Bar::show(Arc::clone(progress), Unit::Bytes, quiet);
    let result = tree.search(progress);
    drop(bar);
    result
}

/// What is told when a damaged store is searched.
pub(super) fn searched_line(file: &Path, bytes: u64) -> String {
    format!("{}: it is damaged: all of it, {}, is searched for what is left", shown(file), text::bytes(bytes))
}

/// How many findings are damage, and the first; `None` where there are only oddities that healthy files have too.
pub(super) fn damage_line(notes: &Notes) -> Option<String> {
    let findings = notes.findings();
    let first = findings.iter().find(|finding| is_damage(finding))?;
    let place = if first.place == Place::FILE { String::new() } else { format!(" ({})", first.place) };
    let what = format!("{}: {}{place}", first.code.id(), first.code.title());
    Some(match notes.count() {
        1 => format!("damage met: {what}"),
        count => format!("damage met: {count} findings, the first {what}"),
    })
}

/// Whether a finding is more than an oddity.
pub(super) fn is_damage(finding: &Finding) -> bool {
    finding.severity > Severity::Note
}

/// What the user wants to see, from lists after `-o`.
pub(super) fn view(lists: &[String]) -> Result<View, Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, message);
    let options = Options::parse(lists.iter().map(String::as_str)).map_err(usage)?;
    let others = Options { view: View::default(), ..options.clone() };
    if others != Options::default() {
        let known = "all_folders, hidden, attachments, names=, resolve=store, vcard= and recovered=";
        return Err(usage(format!("-o {}: only {known} have a meaning here; the others are for 'pstfs mount'", lists.join(","))));
    }
    Ok(options.view)
}

/// Who has a store open, so that it cannot be written.
fn in_use(real: &Path) -> String {
    let mounts = table::all().unwrap_or_default();
    match mounts.into_iter().find(|mount| mount.is_ours() && mount.source == real) {
        Some(mount) => {
            let dir = quoted(&mount.point);
            format!("mounted at {dir}; use 'pstfs ctl {dir} repair'")
        }
        None => format!("is in use{}; try again when that has ended", holder(real)),
    }
}

/// A path, fit for a line: a name may hold anything but a slash.
pub(super) fn shown(path: &Path) -> String {
    path.to_string_lossy().replace(char::is_control, "?")
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let name = shown(path);
    let plain = !name.is_empty() && name.chars().all(|char| char.is_alphanumeric() || "/._-+@%,:=".contains(char));
    if plain { name } else { format!("\"{name}\"") }
}

fn failed(path: &Path, what: impl AsRef<str>) -> Failure {
    Failure::new(Exit::Failed, format!("{}: {}", shown(path), what.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Names;

    fn options(list: &str) -> Result<View, String> {
        view(&[list.to_owned()]).map_err(|failure| failure.message)
    }

    #[test]
    fn only_options_of_the_view_are_taken() {
        let (names, recovered) = (Names::Nid, Recovered::All);
        let wanted = View { all_folders: true, hidden: true, attachments: true, names, recovered, resolve_store: true, ..View::default() };
        assert_eq!(options("all_folders,hidden,attachments,names=nid,recovered=all,resolve=store"), Ok(wanted));
        for list in ["ro", "nommap", "uid=0", "log=x", "allow_other", "frobnicate"] {
            assert!(options(list).unwrap_err().contains(list), "{list}");
        }
    }

    #[test]
    fn oddities_of_healthy_files_are_not_told_as_damage() {
        let notes = Notes::default();
        assert_eq!(damage_line(&notes), None);
        notes.add(Code::PageCrc, Place::offset(0x4400), "");
        assert_eq!(damage_line(&notes).unwrap(), "damage met: P02: a page's CRC does not match its contents (offset 0x4400)");
        notes.add(Code::PageCrc, Place::offset(0x4600), "");
        assert!(damage_line(&notes).unwrap().starts_with("damage met: 2 findings, the first P02"));
    }

    #[test]
    fn a_name_that_a_shell_would_split_is_quoted() {
        assert_eq!(quoted(Path::new("my mail.pst")), "\"my mail.pst\"");
        assert_eq!(quoted(Path::new("mail/a-1.pst")), "mail/a-1.pst");
    }
}
