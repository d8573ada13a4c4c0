//! A mount from its beginning to its end.
//!
//! What fuser 0.18.0 gets wrong is put right here; each place names the upstream commit that mends it.

use std::io;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread;

use fuser::{BackgroundSession, Config, INodeNo, MountOption, Notifier, Session, SessionACL};

use super::answer::Pstfs;
use super::attr::Owner;
use super::shown::Shown;
use super::{refusal, table};
use crate::control::{Control, Repairs, Search, Show};
use crate::disk::process::{self, Unmount};
use crate::tree::Tree;

/// How a tree is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What `mount` shows as the source: the store's path.
    pub source: PathBuf,
    /// Whose the entries are.
    pub owner: Owner,
    /// Nothing can be written, `.control` neither.
    pub read_only: bool,
    /// Other users than the one who mounts may look.
    pub allow_other: bool,
    /// `fusermount3` watches, and unmounts when this process is killed.
    pub auto_unmount: bool,
    /// Whether there are `.control` and `.scanlog`.
    pub control: bool,
}

/// A mount that can be used.
pub struct Live {
    place: table::Entry,
    gone: Receiver<()>,
    // Dropping it would unmount what is at the mount point by then, be it ours or not (mended upstream in 1a7842e).
    _session: ManuallyDrop<BackgroundSession>,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Mounts a tree at a folder; returns when it answers. The error is in words for the user.
///
/// Starts threads, so it must come after any fork.
///
/// `repairs` is what a repair takes; without it the mount refuses one.
pub fn mount(tree: Arc<Tree>, control: Arc<Control>, dir: &Path, settings: &Settings, repairs: Option<Repairs>) -> io::Result<Live> {
    let shown = Arc::new(Shown::new(tree));
    let (filesystem, gone) = Pstfs::new(Arc::clone(&shown), Arc::clone(&control), settings);
    let config = config(settings);
    // This mounts and shakes hands with the kernel: what goes wrong is known when it returns.
    let session = Session::new(filesystem, dir, &config).map_err(|error| io::Error::new(error.kind(), refusal::explain(&error)))?;
    let session = ManuallyDrop::new(session.spawn()?);
    control.search_with(search(Arc::clone(&shown), session.notifier()));
    if let Some(repairs) = repairs {
        control.repair_with(repairs, show(shown, session.notifier()));
    }
    let place = table::at(dir)?.filter(table::Entry::is_ours);
    let place = place.ok_or_else(|| io::Error::other("the mount was taken away at once"))?;
    Ok(Live { place, gone, _session: session })
}

/// A search for lost items that shows what it finds in the mounted tree.
fn search(shown: Arc<Shown>, notifier: Notifier) -> Search {
    Box::new(move |progress| {
        let tree = shown.tree();
        tree.search(progress)?;
        for folder in Tree::changed_by_search() {
            // Of a folder that nobody has looked at yet the kernel knows nothing it could forget.
            let _ = notifier.inval_inode(INodeNo(folder.0), 0, 0);
        }
        Ok(tree.found_lines())
    })
}

/// Shows another state of the store.
fn show(shown: Arc<Shown>, notifier: Notifier) -> Show {
    Box::new(move || {
        let (shown, notifier, names) = (Arc::clone(&shown), notifier.clone(), shown.names());
        Box::new(move |store| match shown.tree().again(store) {
            Ok(tree) => shown.replace(Arc::new(tree), names, &notifier),
            Err(error) => tracing::error!("the repaired store cannot be shown: {error}"),
        })
    })
}

impl Live {
    /// Where it is mounted.
    pub fn place(&self) -> &table::Entry {
        &self.place
    }

    /// Sleeps until the mount is gone and nobody uses it any more.
    pub fn wait(self) {
        // The file system holds the other end; it is dropped when the last thread that serves it has ended.
        let _ = self.gone.recv();
        // Had the threads ended by themselves, the mount would stay and answer nothing but "not connected".
        if let Err(error) = detach(&self.place) {
            tracing::error!("cannot unmount {}: {error}", self.place.point.display());
        }
    }
}

/// Takes a mount's name away, if it is still there; its users keep what they have open.
pub fn detach(place: &table::Entry) -> io::Result<()> {
    // The number tells our mount from another that was put over it, or lies below where ours was.
    if table::at(&place.point)?.is_none_or(|top| top.device != place.device) {
        return Ok(());
    }
    unmount(&place.point, Unmount::Detach)
}

/// Takes the topmost mount at `dir` away, by the setuid helper where this user may not.
pub fn unmount(dir: &Path, how: Unmount) -> io::Result<()> {
    match process::unmount(dir, how) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => unmount_by_helper(dir, how),
        result => result,
    }
}

fn unmount_by_helper(dir: &Path, how: Unmount) -> io::Result<()> {
    let flags: &[&str] = match how {
        Unmount::WhenFree => &["-u"],
        Unmount::Detach => &["-u", "-z"],
    };
    let output = Command::new("fusermount3").args(flags).arg("--").arg(dir).output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    if text.contains("resource busy") {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    Err(io::Error::other(text.trim().to_owned()))
}

fn config(settings: &Settings) -> Config {
    let mut config = Config::default();
    config.mount_options = options(settings);
    config.acl = if settings.allow_other { SessionACL::All } else { SessionACL::Owner };
    config.n_threads = Some(thread::available_parallelism().map_or(2, |cpus| cpus.get().clamp(2, 8)));
    config.clone_fd = true;
    config
}

fn options(settings: &Settings) -> Vec<MountOption> {
    let by_helper = settings.auto_unmount || process::effective_user() != 0;
    let mut options = vec![
        MountOption::FSName(source(&settings.source, by_helper)),
        // MountOption::Subtype is lost when root mounts; this shows as `fuse.pstfs` on both ways.
        MountOption::CUSTOM("subtype=pstfs".into()),
        MountOption::DefaultPermissions,
        MountOption::NoSuid,
        MountOption::NoDev,
        MountOption::NoExec,
        MountOption::NoAtime,
        // A mount that takes no commands has nothing to write; being told so, the kernel asks less.
        if settings.read_only || !settings.control { MountOption::RO } else { MountOption::RW },
    ];
    if settings.auto_unmount {
        options.push(MountOption::AutoUnmount);
    }
    options
}

/// The source as it goes to the kernel, or to the helper, which would take what follows a comma for an option
/// (`mail,allow_other.pst`; escaped upstream in ad39068).
fn source(path: &Path, by_helper: bool) -> String {
    let text = path.to_string_lossy();
    if by_helper { text.replace('\\', "\\\\").replace(',', "\\,") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_in_the_stores_name_is_no_mount_option() {
        let path = Path::new(r"/x/mail,allow_other\1.pst");
        assert_eq!(source(path, true), r"/x/mail\,allow_other\\1.pst");
        assert_eq!(source(path, false), r"/x/mail,allow_other\1.pst");
    }
}
