//! `pstfs mount`, and the same as mount(8) calls it: `mount.pstfs FILE DIR -o ...`.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Parser};

use super::bar::Watch;
use super::daemon::{self, Ending, Ready};
use super::exit::Exit;
use super::log;
use super::options::Options;
use super::out::{Failure, in_words, tell};
use super::processes::holder;
use super::source::{damage_line, searched, searched_line};
use crate::control::{About, Control, Repairs};
use crate::damage::Error;
use crate::disk::{Lock, Locking, OwnWrites};
use crate::mount::{self, Masks, Owner, Settings, table};
use crate::progress::Progress;
use crate::recover;
use crate::store::Store;
use crate::tree::{Recovered, Tree};

const OPTIONS_HELP: &str = "\
Options for -o, separated by commas (a backslash before a comma keeps it):
  ro                 nothing can be written, .control neither
  allow_other        other users may look, as far as the modes let them
  uid=N, gid=N       owner instead of FILE's
  umask=, fmask=, dmask=OCTAL
                     mode bits to clear: in all, in documents, in folders
  all_folders        the whole tree, not only what Outlook shows
  hidden             associated messages too (views, rules, settings)
  attachments        beside each message a folder with its attachments
  recovered=orphaned|none|all
                     what stands under Recovered
  names=date|subject|nid
                     how documents are named
  resolve=store      addresses of Exchange's users (/o=...) become the mail
                     addresses that any item tells: reads all items first
  vcard=4.0|3.0      the version of vCard; 3.0 for programs that read no other
  nocontrol          neither .control nor .scanlog
  nommap             read FILE without mapping it into memory
  log=PATH           append messages of the mount to this file
  auto_unmount       unmount when the process is killed; with allow_other
What mount(8) and fstab add (noauto, nofail, user, x-...) is accepted.

Examples:
  pstfs mount outlook.pst ~/mail
  pstfs mount -f -o ro,allow_other archive.ost /mnt/archive
  /etc/fstab:  /data/a.pst  /mnt/a  pstfs  ro,uid=1000,allow_other,noauto  0  0";

/// Show a store as a folder
///
/// Returns when the mount can be used; a process in the background serves it until 'pstfs umount DIR'.
#[derive(Args, Debug)]
#[command(after_help = OPTIONS_HELP)]
pub struct Mount {
    /// Stay in the foreground; Ctrl-C unmounts
    #[arg(short, long)]
    foreground: bool,
    /// Options, separated by commas; see below
    #[arg(short, value_name = "OPT,..")]
    options: Vec<String>,
    /// Memory for what was read and rendered; K, M and G are understood
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = bytes)]
    cache_size: usize,
    /// The store: a .pst or .ost file
    file: PathBuf,
    /// The folder where it shall appear
    dir: PathBuf,
}

/// Mount a store; called by mount(8)
#[derive(Debug, Parser)]
#[command(name = "mount.pstfs", version, after_help = OPTIONS_HELP, max_term_width = 80)]
pub struct Helper {
    /// The store: a .pst or .ost file
    file: PathBuf,
    /// The folder where it shall appear
    dir: PathBuf,
    /// Accepted and without effect: unknown options are always errors
    #[arg(short)]
    sloppy: bool,
    /// Only look whether it could be mounted
    #[arg(short)]
    fake: bool,
    /// Accepted and without effect: /etc/mtab is never written
    #[arg(short)]
    no_mtab: bool,
    /// Say what was done
    #[arg(short)]
    verbose: bool,
    /// Options, separated by commas; see below
    #[arg(short, value_name = "OPT,..")]
    options: Vec<String>,
    /// Accepted and without effect: the type is always fuse.pstfs
    #[arg(short, value_name = "TYPE")]
    type_: Option<String>,
}

/// Mounts as the user asked.
pub fn run(args: &Mount) -> Result<Exit, Failure> {
    let job = Job::prepare(&args.file, &args.dir, &args.options, args.cache_size)?;
    if args.foreground { job.serve(Ready::in_foreground()) } else { daemon::in_background(|ready| job.serve(ready)) }
}

/// Mounts as mount(8) asked.
pub fn run_helper(args: &Helper) -> Result<Exit, Failure> {
    let job = Job::prepare(&args.file, &args.dir, &args.options, DEFAULT_CACHE_BYTES)?;
    if args.verbose {
        tell(&format!("{}: mounting at {}", job.file.display(), job.dir.display()));
    }
    if args.fake { Ok(Exit::Done) } else { daemon::in_background(|ready| job.serve(ready)) }
}

const DEFAULT_CACHE_BYTES: usize = 64 << 20;

/// A mount that has been checked as far as it can be without opening the store.
#[derive(Debug)]
struct Job {
    file: PathBuf,
    metadata: Metadata,
    dir: PathBuf,
    options: Options,
    cache_bytes: usize,
}

impl Job {
    fn prepare(file: &Path, dir: &Path, options: &[String], cache_bytes: usize) -> Result<Self, Failure> {
        let options = Options::parse(options.iter().map(String::as_str));
        let options = options.map_err(|message| Failure::new(Exit::MountUsage, message))?;
        let failed = |path: &Path, what: String| Failure::new(Exit::MountFailed, format!("{}: {what}", path.display()));
        let (file, metadata) = store_file(file).map_err(|what| failed(file, what))?;
        let dir = mount_point(dir).map_err(|what| failed(dir, what))?;
        if file.starts_with(&dir) && !options.read_only && !options.no_control {
            let what = "holds the store itself, which a repair could then not reach; mount it elsewhere, or with -o ro";
            return Err(failed(&dir, what.into()));
        }
        Ok(Self { file, metadata, dir, options, cache_bytes })
    }

    /// Mounts, says so, and serves until the mount is gone.
    fn serve(&self, ready: Ready) -> Result<Exit, Failure> {
        let ending = Ending::listen().map_err(|error| self.failed(&format!("cannot listen for signals: {error}")))?;
        log::start(self.options.log.as_deref())
            .map_err(|error| self.failed(&format!("the file of log= cannot be written: {}", in_words(&error))))?;
        // One half for pages and blocks, the other for listings and documents.
        let half = self.cache_bytes >> 1;
        let access = recover::Options { mmap: !self.options.no_mmap, cache_bytes: half, search: Arc::default() };
        let line = searched_line(&self.file, self.metadata.len());
        let mut watch = Some(Watch::new(Arc::clone(&access.search), line, false));
        let lock = looking(&self.file).map_err(|what| self.failed(&what))?;
        let own = Arc::new(OwnWrites::default());
        let store = recover::bytes(&self.file, access.mmap, Some(&own)).and_then(|bytes| recover::open_bytes(bytes, &access));
        let store = store.map_err(|error| self.not_opened(&error))?;
        let control = Arc::new(Control::new(Arc::clone(&store), &self.about(&store)));
        let tree = Arc::new(Tree::new(store, self.options.view, half));
        if self.options.view.recovered == Recovered::All {
            let progress = Arc::new(Progress::default());
            searched(&tree, &progress, false).map_err(|error| self.failed(&error.to_string()))?;
        }
        tree.resolve_addresses().map_err(|error| self.not_opened(&error))?;
        ending.mounting();
        // What is known by now; `.scanlog` tells what is met later.
        if let Some(damage) = damage_line(tree.store().ndb().notes()) {
            tell(&format!("{}: {damage}; mounted all the same, .scanlog tells more", self.file.display()));
        }
        // Where nothing can be commanded the lock is held all the same.
        let is_read_only = self.options.read_only || self.options.no_control;
        let (lock, repairs) = if is_read_only { (lock, None) } else { (None, Some(Repairs { lock, own, options: access })) };
        let live = mount::mount(tree, control, &self.dir, &self.settings(), repairs).map_err(|error| self.failed(&error.to_string()))?;
        ending.mounted(live.place().clone());
        if ready.is_foreground() {
            let dir = self.dir.display();
            tell(&format!("{}: mounted at {dir}; Ctrl-C or 'pstfs umount {dir}' ends it", self.file.display()));
        } else {
            // In the background nobody hears it any more; `.scanlog` tells what is met from now on.
            watch.take();
        }
        if let Err(error) = ready.say() {
            // Whoever asked for the mount has gone, and would not know of it.
            ending.heard();
            return Err(self.failed(&format!("cannot go to the background: {error}")));
        }
        live.wait();
        drop(lock);
        Ok(Exit::Done)
    }

    fn settings(&self) -> Settings {
        let options = &self.options;
        let masks = Masks { file: options.file_mask(), dir: options.dir_mask() };
        let owner = Owner::of(&self.metadata, masks, options.read_only);
        Settings {
            source: self.file.clone(),
            owner: Owner { uid: options.uid.unwrap_or(owner.uid), gid: options.gid.unwrap_or(owner.gid), ..owner },
            read_only: options.read_only,
            allow_other: options.allow_other,
            auto_unmount: options.auto_unmount,
            control: !options.no_control,
        }
    }

    fn about(&self, store: &Store) -> About {
        About { file: self.file.clone(), size_bytes: self.metadata.len(), format: store.ndb().format().name().to_owned() }
    }

    fn not_opened(&self, error: &Error) -> Failure {
        self.failed(&match error {
            Error::Io(error) => in_words(error),
            Error::Damaged(..) => format!("{error}; 'pstfs inspect FILE header' shows what can be read"),
            Error::Unsupported(_) | Error::NotFound(_) | Error::Cancelled => error.to_string(),
        })
    }

    fn failed(&self, what: &str) -> Failure {
        Failure::new(Exit::MountFailed, format!("{}: {what}", self.file.display()))
    }
}

/// The store's real path, if it can be one at all.
pub(super) fn store_file(file: &Path) -> Result<(PathBuf, Metadata), String> {
    let real = file.canonicalize().map_err(|error| in_words(&error))?;
    let metadata = fs::metadata(&real).map_err(|error| in_words(&error))?;
    if metadata.is_dir() {
        return Err("is a folder; give the .pst or .ost file in it".into());
    }
    if !metadata.is_file() {
        return Err("is not a regular file; copy the store to one first".into());
    }
    if metadata.len() == 0 {
        return Err("is empty, so there is no store in it".into());
    }
    Ok((real, metadata))
}

/// A lock on a store for as long as it is looked at; none where the file system has no locks.
pub(super) fn looking(file: &Path) -> Result<Option<Lock>, String> {
    match Lock::shared(file) {
        Ok(Locking::Held(lock)) => Ok(Some(lock)),
        Ok(Locking::Busy) => Err(format!("is being repaired{}; look again when that has ended", holder(file))),
        // Who cannot be told apart from a file system without locks is told by what comes next.
        Ok(Locking::Unknown) | Err(_) => Ok(None),
    }
}

/// The mount point's real path, if a store can be mounted there.
fn mount_point(dir: &Path) -> Result<PathBuf, String> {
    let real = dir.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "does not exist; make the folder first".to_owned(),
        _ => in_words(&error),
    })?;
    if is_the_systems(&real) {
        return Err("belongs to the system, which could not go on without it; make a folder for the mount".into());
    }
    if let Some(top) = table::at(&real).map_err(|error| in_words(&error))?.filter(table::Entry::is_ours) {
        return Err(taken(&top));
    }
    let metadata = fs::metadata(&real).map_err(|error| in_words(&error))?;
    if metadata.is_dir() { Ok(real) } else { Err("is not a folder, so nothing can be mounted there".into()) }
}

/// Whether everything would stop working if this folder showed mails instead: root could mount there.
fn is_the_systems(dir: &Path) -> bool {
    let whole = ["/", "/bin", "/boot", "/etc", "/lib", "/lib64", "/run", "/sbin", "/usr", "/var"];
    let below = ["/dev", "/proc", "/sys"];
    whole.iter().any(|path| dir == Path::new(path)) || below.iter().any(|path| dir.starts_with(path))
}

/// Why nothing can be mounted where a mount of ours is.
fn taken(mount: &table::Entry) -> String {
    let what = if mount.is_dead() { "was mounted there and its process has died" } else { "is mounted there already" };
    format!("{} {what}; 'pstfs umount' the folder first", mount.source.display())
}

/// A size in bytes, such as `64M`.
fn bytes(text: &str) -> Result<usize, String> {
    let factors: [(&[char], usize); 3] = [(&['k', 'K'], 1 << 10), (&['m', 'M'], 1 << 20), (&['g', 'G'], 1 << 30)];
    let parts = factors.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(*suffix)?, *factor)));
    let (number, factor) = parts.unwrap_or((text, 1));
    let size = number.parse::<usize>().ok().and_then(|number| number.checked_mul(factor));
    size.ok_or_else(|| "a size is a number with K, M or G after it, such as 64M".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_the_system_needs_are_refused() {
        for dir in ["/", "/proc", "/proc/self", "/sys/fs", "/dev/shm", "/etc", "/usr"] {
            assert!(is_the_systems(Path::new(dir)), "{dir}");
        }
        for dir in ["/mnt", "/mnt/mail", "/home/a/mail", "/usr/local/mail", "/process", "/run/user/1000/mail"] {
            assert!(!is_the_systems(Path::new(dir)), "{dir}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("64M"), Ok(DEFAULT_CACHE_BYTES));
        assert_eq!([bytes("1"), bytes("2k"), bytes("1G")], [Ok(1), Ok(2048), Ok(1 << 30)]);
        for wrong in ["", "M", "-1", "1T", "99999999999G", "1.5M"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
