//! Which processes use a mount, and which one serves it: what `/proc` tells (proc(5)).

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::mount::table::Entry;

const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// How long to wait where the process that serves the mount is only guessed.
const GUESS_MAX: Duration = Duration::from_secs(10);

/// Who keeps a mount busy, a line each: processes that this user may look at, and mounts inside.
pub(super) fn holders(mount: &Entry) -> Vec<String> {
    let inside = crate::mount::table::all().unwrap_or_default();
    let inside = inside.into_iter().filter(|entry| entry.point != mount.point && entry.point.starts_with(&mount.point));
    let inside = inside.map(|entry| format!("{} is mounted inside", entry.point.display()));
    let users = all().filter_map(|process| {
        let what = use_of(&process, mount)?;
        Some(format!("process {} ({}) {what}", process.pid, process.name()))
    });
    inside.chain(users).collect()
}

/// Who holds a lock on a file, as words to follow what is wrong: ` by process 12 (pstfs)`; empty where that is not known.
pub(super) fn holder(file: &Path) -> String {
    named(lock_holders(file))
}

/// The same, without those who serve this mount.
pub(super) fn holder_beside(file: &Path, mount: &Entry) -> String {
    let servers: Vec<u32> = Servers::of(mount).processes.iter().map(|process| process.pid).collect();
    named(lock_holders(file).into_iter().filter(|pid| !servers.contains(pid)).collect())
}

fn named(pids: Vec<u32>) -> String {
    let name = |pid| format!("process {pid} ({})", Process { pid, dir: format!("/proc/{pid}").into() }.name());
    let names: Vec<_> = pids.into_iter().map(name).collect();
    if names.is_empty() { String::new() } else { format!(" by {}", names.join(", ")) }
}

/// The processes that hold a lock of flock(2) on a file, but this one (proc_locks(5)).
fn lock_holders(file: &Path) -> Vec<u32> {
    let Ok(metadata) = fs::metadata(file) else { return Vec::new() };
    let table = fs::read_to_string("/proc/locks").unwrap_or_default();
    let number = format!(":{}", metadata.ino());
    let pids = table.lines().filter(|line| !line.contains("->") && line.contains(" FLOCK ")).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(4);
        let pid = fields.next()?.parse().ok()?;
        // The device is told otherwise than by stat(2) on some file systems: the inode's number has to do.
        fields.next()?.ends_with(&number).then_some(pid)
    });
    pids.filter(|pid| *pid != std::process::id()).collect()
}

/// The processes that serve a mount, found while it still stands.
#[derive(Debug)]
pub(super) struct Servers {
    processes: Vec<Process>,
    /// Whether they were told by the number of the mount, and not only by their name.
    exact: bool,
}

impl Servers {
    /// Looks for them.
    pub(super) fn of(mount: &Entry) -> Self {
        let serving: Vec<_> = all().filter(|process| !process.connections().is_empty()).collect();
        // Kernels before 6.16 do not tell which connection a descriptor stands for.
        let exact = serving.iter().any(Process::tells_connection);
        let is_it = |process: &Process| match exact {
            true => process.serves(mount),
            false => process.name().contains("pstfs") && !mount.is_dead(),
        };
        Self { processes: serving.into_iter().filter(is_it).collect(), exact }
    }

    /// Sleeps until they have ended, and with them every file that they had open; of guessed ones until any has.
    ///
    /// Whether that came true.
    pub(super) fn wait(&self) -> bool {
        let start = Instant::now();
        while !self.have_ended() {
            if !self.exact && start.elapsed() > GUESS_MAX {
                return false;
            }
            thread::sleep(LOOK_AGAIN);
        }
        true
    }

    fn have_ended(&self) -> bool {
        let mut ended = self.processes.iter().map(Process::has_ended);
        if self.exact { ended.all(|ended| ended) } else { self.processes.is_empty() || ended.any(|ended| ended) }
    }
}

/// A process, by its folder in `/proc`.
#[derive(Debug)]
struct Process {
    pid: u32,
    dir: PathBuf,
}

fn all() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let own = std::process::id();
    let processes = entries.filter_map(|entry| Some(Process { pid: entry.file_name().to_str()?.parse().ok()?, dir: entry.path() }));
    processes.filter(move |process| process.pid != own)
}

/// How a process uses a mount, if it does.
fn use_of(process: &Process, mount: &Entry) -> Option<String> {
    let links = [("cwd", "has its working folder there"), ("root", "has its root folder there"), ("exe", "is a program from there")];
    let within = |link: &Path| fs::read_link(link).ok().filter(|target| target.starts_with(&mount.point));
    if let Some((_, what)) = links.iter().find(|(link, _)| within(&process.dir.join(link)).is_some()) {
        return Some((*what).to_owned());
    }
    if let Some(open) = process.descriptors().iter().find_map(|descriptor| within(&process.dir.join("fd").join(descriptor))) {
        return Some(format!("has {} open", open.display()));
    }
    process.maps(mount).then(|| "has a file of it in memory".to_owned())
}

impl Process {
    fn name(&self) -> String {
        fs::read_to_string(self.dir.join("comm")).unwrap_or_default().trim().to_owned()
    }

    fn descriptors(&self) -> Vec<std::ffi::OsString> {
        fs::read_dir(self.dir.join("fd")).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect()
    }

    /// What the kernel tells of each descriptor that leads to `/dev/fuse`.
    fn connections(&self) -> Vec<String> {
        let is_fuse = |descriptor: &OsStr| fs::read_link(self.dir.join("fd").join(descriptor)).is_ok_and(|to| to == Path::new("/dev/fuse"));
        let tells = |descriptor: &OsStr| fs::read_to_string(self.dir.join("fdinfo").join(descriptor)).ok();
        self.descriptors().iter().filter(|descriptor| is_fuse(descriptor)).filter_map(|descriptor| tells(descriptor)).collect()
    }

    fn tells_connection(&self) -> bool {
        self.connections().iter().any(|info| connection(info).is_some())
    }

    fn serves(&self, mount: &Entry) -> bool {
        let minor = mount.device.split_once(':').map(|(_, minor)| minor);
        self.connections().iter().any(|info| minor.is_some() && connection(info) == minor)
    }

    fn maps(&self, mount: &Entry) -> bool {
        let Some(device) = hex_device(&mount.device) else { return false };
        let maps = fs::read_to_string(self.dir.join("maps")).unwrap_or_default();
        maps.lines().any(|line| line.split_whitespace().nth(3) == Some(&device))
    }

    /// Gone, or a zombie: that has closed everything and only waits for its parent to ask.
    fn has_ended(&self) -> bool {
        let Ok(stat) = fs::read_to_string(self.dir.join("stat")) else { return true };
        // The state follows the name, which may hold spaces and brackets.
        let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
        matches!(state, None | Some("Z" | "X"))
    }
}

/// The number of the connection, from what the kernel tells of a descriptor.
fn connection(info: &str) -> Option<&str> {
    info.lines().find_map(|line| line.strip_prefix("fuse_connection:")).map(str::trim)
}

/// A device number as `maps` writes it: `0:57` is `00:39`.
fn hex_device(device: &str) -> Option<String> {
    let (major, minor) = device.split_once(':')?;
    Some(format!("{:02x}:{:02x}", major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_the_connection_or_does_not() {
        assert_eq!(connection("pos:\t0\nflags:\t02\nfuse_connection:\t39\n"), Some("39"));
        assert_eq!(connection("pos:\t0\nflags:\t02\n"), None);
    }

    #[test]
    fn a_device_number_is_hex_in_maps() {
        assert_eq!(hex_device("0:57").as_deref(), Some("00:39"));
        assert_eq!(hex_device("8:1").as_deref(), Some("08:01"));
        assert_eq!(hex_device("x"), None);
    }

    #[test]
    fn a_process_has_ended_when_it_is_gone_or_a_zombie() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process { pid: child.id(), dir: format!("/proc/{}", child.id()).into() };
        assert!(!process.has_ended());
        child.kill().unwrap();
        // Not waited for yet, so it is still in the table.
        while !process.has_ended() {
            thread::sleep(LOOK_AGAIN);
        }
        child.wait().unwrap();
        assert!(process.has_ended());
    }

    #[test]
    fn a_working_folder_keeps_a_mount_busy() {
        let dir = tempfile::tempdir().unwrap();
        let point = dir.path().canonicalize().unwrap();
        let mount = Entry { device: "0:99999".into(), point: point.clone(), kind: "fuse.pstfs".into(), source: "x".into() };
        assert_eq!(holders(&mount), Vec::<String>::new());
        let mut child = std::process::Command::new("sleep").arg("60").current_dir(point).spawn().unwrap();
        let expected = format!("process {} (sleep) has its working folder there", child.id());
        while holders(&mount) != [expected.clone()] {
            thread::sleep(LOOK_AGAIN);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
