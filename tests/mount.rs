//! What a user sees of `pstfs mount`, `pstfs umount` and mount(8): real mounts through /dev/fuse.

#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use support::forge;

const PSTFS: &str = env!("CARGO_BIN_EXE_pstfs");
const PATIENCE: Duration = Duration::from_secs(20);

// What the tests stand on.

/// A folder with a store and a mount point; whatever is mounted there is taken away at the end.
struct Place {
    dir: tempfile::TempDir,
    file: PathBuf,
    point: PathBuf,
}

impl Place {
    /// `None`, said aloud, where FUSE cannot be used; an error in CI, where it must be.
    fn new() -> Option<Self> {
        if let Err(error) = File::options().read(true).write(true).open("/dev/fuse") {
            assert!(std::env::var_os("CI").is_none(), "/dev/fuse: {error}; the mount cannot be tested");
            eprintln!("skipped: /dev/fuse: {error}");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        let (file, point) = (real.join("my mail.pst"), real.join("mount point"));
        fs::write(&file, store_file()).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::create_dir(&point).unwrap();
        Some(Self { dir, file, point })
    }

    /// `pstfs mount` with these options in the background.
    fn mount(&self, options: &str) -> Output {
        let mut command = pstfs(&["mount"]);
        if !options.is_empty() {
            command.args(["-o", options]);
        }
        run(command.arg(&self.file).arg(&self.point))
    }

    /// A mount that must succeed.
    fn mounted(options: &str) -> Option<Self> {
        let place = Self::new()?;
        let output = place.mount(options);
        assert_eq!(code(&output), 0, "{output:?}");
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
        Some(place)
    }

    /// A process that serves the mount in the foreground, once it can be used.
    fn foreground(&self) -> Child {
        let child = pstfs(&["mount", "-f"]).arg(&self.file).arg(&self.point).stderr(Stdio::null()).spawn().unwrap();
        wait_until("the mount answers", || self.point.join(".control").exists());
        child
    }

    fn umount(&self, options: &[&str]) -> Output {
        run(pstfs(&["umount"]).args(options).arg(&self.point))
    }

    /// Runs a line of shell with the mount point as `$1` and the store as `$2`.
    fn sh(&self, line: &str) -> Output {
        let mut shell = Command::new("timeout");
        run(shell.args(["20", "bash", "-c", line, "bash"]).arg(&self.point).arg(&self.file).env("LC_ALL", "C"))
    }

    /// Types of what is mounted at the mount point, the topmost last.
    fn types(&self) -> Vec<String> {
        let escaped = self.point.to_str().unwrap().replace(' ', "\\040");
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let lines = table.lines().filter(|line| line.split(' ').nth(4) == Some(&escaped));
        lines.map(|line| line.split(" - ").nth(1).unwrap().split(' ').next().unwrap().to_owned()).collect()
    }

    /// Ids of the processes that were started for this mount point and still run.
    fn servers(&self) -> Vec<u32> {
        let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| {
            let args = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let args = String::from_utf8_lossy(&args);
            args.contains("pstfs") && args.contains(self.point.to_str().unwrap())
        })
        .collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for _ in self.types() {
            let _ = Command::new("umount").arg("-l").arg(&self.point).output();
        }
    }
}

/// The bytes of a small store; forged once.
fn store_file() -> &'static [u8] {
    static STORE: OnceLock<Vec<u8>> = OnceLock::new();
    STORE.get_or_init(|| forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("every-format")))
}

fn pstfs(args: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command.arg("20").arg(PSTFS).args(args).env("LC_ALL", "C");
    // `timeout` would stand between us and the signals that a test sends.
    if args.contains(&"-f") {
        command = Command::new(PSTFS);
        command.args(args);
    }
    command
}

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap().success());
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped in part: there is no {program}");
    }
    found
}

// The mounted folder.

#[test]
fn a_mount_can_be_used_when_the_command_returns() {
    let Some(place) = Place::mounted("") else { return };
    assert_eq!(place.types(), ["fuse.pstfs"]);
    assert_eq!(fs::read_to_string(place.point.join(".control")).unwrap(), "state=idle\n");
    let names: Vec<_> = fs::read_dir(&place.point).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.contains(&".control".into()) && names.contains(&".scanlog".into()), "{names:?}");
    assert_eq!(code(&place.umount(&[])), 0);
    assert_eq!(place.types(), Vec::<String>::new());
}

#[test]
fn the_mount_tool_shows_which_store_it_is() {
    let Some(mut place) = Place::new() else { return };
    // What follows the comma was once taken for mount options on the way through fusermount3.
    let named = place.dir.path().canonicalize().unwrap().join("a,allow_other b.pst");
    fs::rename(&place.file, &named).unwrap();
    place.file = named;
    assert_eq!(code(&place.mount("")), 0);
    let output = run(Command::new("findmnt").args(["-n", "-r", "-o", "SOURCE,OPTIONS"]).arg(&place.point));
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    let (source, options) = line.split_once(' ').unwrap();
    assert!(source.ends_with("a,allow_other\\x20b.pst"), "{line}");
    for option in ["nosuid", "nodev", "noexec", "noatime", "default_permissions"] {
        assert!(options.contains(option), "{line}");
    }
    assert!(!options.contains("allow_other"), "{line}");
}

#[test]
fn nothing_can_be_changed() {
    let Some(place) = Place::mounted("") else { return };
    let attempts = [
        "touch \"$1/new\"",
        "mkdir \"$1/new\"",
        "ln -s x \"$1/new\"",
        "echo x > \"$1/new\"",
        "rm \"$1/.control\"",
        "mv \"$1/.control\" \"$1/other\"",
        "chmod 777 \"$1\"",
        "chmod 777 \"$1/.control\"",
        "touch \"$1/.scanlog\"",
        ": > \"$1/.scanlog\"",
        "truncate -s 0 \"$1/.scanlog\"",
        "mkfifo \"$1/new\"",
    ];
    for attempt in attempts {
        let output = place.sh(attempt);
        assert_eq!((code(&output), errors(&output).contains("Read-only file system")), (1, true), "{attempt}: {output:?}");
    }
}

#[test]
fn the_numbers_of_the_file_system_make_sense() {
    let Some(place) = Place::mounted("") else { return };
    let output = place.sh("stat -f -c '%l %s %S' \"$1\"");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "255 4096 4096\n");
    let control = fs::metadata(place.point.join(".control")).unwrap();
    assert_eq!((control.len(), control.blocks()), (11, 1));
    assert_eq!(fs::metadata(&place.point).unwrap().ino(), 1);
}

#[test]
fn everything_can_be_copied_with_all_that_belongs_to_it() {
    let Some(place) = Place::mounted("") else { return };
    // This asks for extended attributes too; an ENOSYS there would end them for the whole mount.
    let output = place
        .sh("cp -a \"$1\" \"$2.copy\" && diff -r \"$1\" \"$2.copy\" && ls -laR \"$1\" && du -a \"$1\" && tar -C \"$1\" -cf - . | tar -t");
    assert_eq!((code(&output), errors(&output)), (0, String::new()));
}

#[test]
fn entries_belong_to_the_stores_owner_and_are_as_readable_as_it() {
    let Some(place) = Place::new() else { return };
    let modes = |name: &str| {
        let metadata = fs::metadata(place.point.join(name)).unwrap();
        (metadata.mode() & 0o7777, metadata.uid(), metadata.gid())
    };
    let store = fs::metadata(&place.file).unwrap();
    let (uid, gid) = (store.uid(), store.gid());
    fs::set_permissions(&place.file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(code(&place.mount("")), 0);
    assert_eq!([modes(""), modes(".scanlog"), modes(".control")], [(0o755, uid, gid), (0o644, uid, gid), (0o600, uid, gid)]);
    place.umount(&[]);
    assert_eq!(code(&place.mount("gid=12345,umask=077,dmask=027")), 0);
    assert_eq!([modes(""), modes(".scanlog")], [(0o750, uid, 12345), (0o600, uid, 12345)]);
}

// The control files.

#[test]
fn a_command_is_refused_where_it_is_written() {
    let Some(place) = Place::mounted("") else { return };
    for refused in [
        "echo frobnicate > \"$1/.control\"",
        "echo frobnicate >> \"$1/.control\"",
        "echo cancel > \"$1/.control\"",
        "echo > \"$1/.control\"",
        "printf %5000s x > \"$1/.control\"",
    ] {
        let output = place.sh(refused);
        assert_eq!((code(&output), errors(&output).contains("Invalid argument")), (1, true), "{refused}: {output:?}");
    }
    // The open file counts, not where in it is written: the second of two writes begins at byte 7.
    let output = place.sh("exec 3> \"$1/.control\"; echo cancel >&3; echo cancel >&3");
    assert_eq!(errors(&output).matches("Invalid argument").count(), 2, "{output:?}");
    for nothing in [": > \"$1/.control\"", "truncate -s 0 \"$1/.control\"", "cat \"$1/.control\""] {
        assert_eq!(code(&place.sh(nothing)), 0, "{nothing}");
    }
}

#[test]
fn a_log_without_damage_is_empty() {
    let Some(place) = Place::mounted("") else { return };
    let log = place.point.join(".scanlog");
    assert_eq!((fs::metadata(&log).unwrap().len(), fs::read(&log).unwrap().len()), (0, 0));
    assert!(fs::metadata(&log).unwrap().modified().unwrap().elapsed().unwrap() < PATIENCE);
}

#[test]
fn a_read_only_mount_takes_no_commands() {
    let Some(place) = Place::mounted("ro") else { return };
    assert_eq!(fs::metadata(place.point.join(".control")).unwrap().mode() & 0o777, 0o400);
    let output = place.sh("echo cancel > \"$1/.control\"");
    assert!(errors(&output).contains("Read-only file system"), "{output:?}");
    assert_eq!(fs::read_to_string(place.point.join(".control")).unwrap(), "state=idle\n");
}

#[test]
fn control_files_can_be_left_out() {
    let Some(place) = Place::mounted("nocontrol") else { return };
    assert!(!place.point.join(".control").exists() && !place.point.join(".scanlog").exists());
    let names: Vec<_> = fs::read_dir(&place.point).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.contains(&".control".into()), "{names:?}");
}

// What is refused.

#[test]
fn each_mistake_has_one_clear_line_and_its_exit_code() {
    let Some(place) = Place::new() else { return };
    let (file, point) = (place.file.to_str().unwrap(), place.point.to_str().unwrap());
    let folder = place.dir.path().to_str().unwrap();
    let empty = format!("{folder}/empty.pst");
    fs::write(&empty, "").unwrap();
    let cases: [(&[&str], i32, &str); 14] = [
        (&["mount", "/no/such.pst", point], 32, "/no/such.pst: does not exist"),
        (&["mount", file, "/no/such"], 32, "/no/such: does not exist"),
        (&["mount", file, file], 32, "is not a folder"),
        (&["mount", folder, point], 32, "is a folder"),
        (&["mount", &empty, point], 32, "is empty"),
        (&["mount", "/dev/null", point], 32, "is not a regular file"),
        (&["mount", file, folder], 32, "holds the store itself"),
        (&["mount", "-o", "frobnicate", file, point], 1, "unknown mount option 'frobnicate'"),
        (&["mount", "-o", "log=/no/such/file", file, point], 32, "the file of log= cannot be written: does not exist"),
        (&["mount", "--cache-size", "x", file, point], 1, "--cache-size"),
        (&["mount", file], 1, "<DIR>"),
        (&["umount", point], 32, "not mounted"),
        (&["umount", "/proc"], 32, "of type proc"),
        (&["frobnicate"], 16, "frobnicate"),
    ];
    for (args, expected, words) in cases {
        let output = run(&mut pstfs(args));
        let text = errors(&output);
        assert_eq!((code(&output), text.lines().count()), (expected, 1), "{args:?}: {text}");
        assert!(text.starts_with("pstfs: ") && text.contains(words), "{args:?}: {text}");
        assert!(output.stdout.is_empty() && place.types().is_empty(), "{args:?}");
    }
}

#[test]
fn a_folder_takes_one_mount() {
    let Some(place) = Place::mounted("") else { return };
    let output = place.mount("");
    assert_eq!((code(&output), errors(&output).contains("my mail.pst is mounted there already")), (32, true), "{output:?}");
    assert_eq!(place.types().len(), 1);
    // Elsewhere the same store can be mounted a second time.
    let other = Place {
        point: place.dir.path().canonicalize().unwrap().join("other"),
        file: place.file.clone(),
        dir: tempfile::tempdir().unwrap(),
    };
    fs::create_dir(&other.point).unwrap();
    assert_eq!(code(&other.mount("")), 0);
    assert_eq!(code(&other.umount(&[])), 0);
    assert_eq!(place.types().len(), 1);
}

#[test]
fn help_goes_to_standard_output_and_a_closed_pipe_ends_quietly() {
    let output = run(&mut pstfs(&["mount", "--help"]));
    assert_eq!((code(&output), output.stderr.len()), (0, 0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("all_folders"));
    let output = run(Command::new("bash").args(["-c", "\"$1\" --help | true; echo ${PIPESTATUS[0]}", "bash", PSTFS]));
    assert_eq!((String::from_utf8_lossy(&output.stdout).as_ref(), errors(&output).as_str()), ("0\n", ""));
    assert_eq!(code(&run(&mut pstfs(&[]))), 16);
}

// The end of a mount.

#[test]
fn umount_returns_when_the_process_has_ended() {
    let Some(place) = Place::new() else { return };
    for _ in 0..10 {
        assert_eq!(code(&place.mount("")), 0);
        assert_eq!(place.servers().len(), 1);
        assert_eq!(code(&place.umount(&[])), 0);
        assert!(place.servers().is_empty());
    }
}

#[test]
fn a_mount_in_use_is_not_taken_away_and_its_users_are_named() {
    let Some(place) = Place::mounted("") else { return };
    let mut user = Command::new("sleep").arg("60").current_dir(&place.point).spawn().unwrap();
    let output = place.umount(&[]);
    assert_eq!(code(&output), 32);
    let expected = format!("process {} (sleep) has its working folder there", user.id());
    assert!(errors(&output).contains(&expected), "{output:?}");
    assert_eq!(place.types().len(), 1);

    let output = place.umount(&["-l"]);
    assert_eq!((code(&output), errors(&output).contains(&expected)), (0, true), "{output:?}");
    assert_eq!((place.types().len(), place.servers().len()), (0, 1));
    user.kill().unwrap();
    user.wait().unwrap();
    wait_until("the process ends with its last user", || place.servers().is_empty());
}

#[test]
fn an_open_file_keeps_a_mount_in_use() {
    let Some(place) = Place::mounted("") else { return };
    let mut reader = Command::new("sleep").arg("60").stdin(File::open(place.point.join(".scanlog")).unwrap()).spawn().unwrap();
    let output = place.umount(&[]);
    assert!(
        errors(&output).contains(&format!("process {} (sleep) has {}/.scanlog open", reader.id(), place.point.display())),
        "{output:?}"
    );
    reader.kill().unwrap();
    reader.wait().unwrap();
    assert_eq!(code(&place.umount(&[])), 0);
}

#[test]
fn a_signal_ends_a_mount_and_its_process() {
    for name in ["TERM", "INT", "HUP"] {
        let Some(place) = Place::new() else { return };
        let mut server = place.foreground();
        signal(server.id(), name);
        assert_eq!(server.wait().unwrap().code(), Some(0), "{name}");
        assert_eq!(place.types(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_signal_takes_the_name_at_once_and_leaves_users_what_they_have() {
    let Some(place) = Place::new() else { return };
    let mut server = place.foreground();
    let mut open = File::open(place.point.join(".control")).unwrap();
    signal(server.id(), "TERM");
    wait_until("the name is gone", || place.types().is_empty());
    assert!(server.try_wait().unwrap().is_none());
    let mut text = String::new();
    open.read_to_string(&mut text).unwrap();
    assert_eq!(text, "state=idle\n");
    drop(open);
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[test]
fn what_a_killed_process_leaves_can_be_taken_away() {
    let Some(place) = Place::new() else { return };
    // The process of another mount is not waited for.
    let _other = Place::mounted("");
    for options in [&["-l"][..], &[]] {
        let mut server = place.foreground();
        server.kill().unwrap();
        server.wait().unwrap();
        assert_eq!(fs::read_dir(&place.point).unwrap_err().raw_os_error(), Some(libc::ENOTCONN));
        let output = place.mount("");
        assert_eq!((code(&output), errors(&output).contains("its process has died")), (32, true), "{output:?}");
        let start = Instant::now();
        assert_eq!(code(&place.umount(options)), 0);
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(place.types(), Vec::<String>::new());
    }
}

/// fuser 0.18 unmounted once more when its session ended: after an `umount` by someone else, that took away what lay
/// below the mount.
#[test]
fn what_lies_below_a_mount_stays() {
    let Some(place) = Place::new() else { return };
    if !is_root() {
        eprintln!("skipped: only root can mount a tmpfs");
        return;
    }
    assert_eq!(code(&place.sh("mount -t tmpfs below \"$1\"")), 0);
    for by_signal in [false, true] {
        assert_eq!(code(&place.mount("")), 0);
        assert_eq!(place.types(), ["tmpfs", "fuse.pstfs"]);
        match by_signal {
            false => assert_eq!(code(&place.sh("umount \"$1\"")), 0),
            true => signal(place.servers()[0], "TERM"),
        }
        wait_until("the process has ended", || place.servers().is_empty());
        assert_eq!(place.types(), ["tmpfs"]);
    }
}

#[test]
fn a_killed_process_can_be_unmounted_automatically() {
    let Some(place) = Place::new() else { return };
    if !has("fusermount3") || !is_root() {
        return;
    }
    assert_eq!(code(&place.mount("auto_unmount,allow_other")), 0);
    signal(place.servers()[0], "KILL");
    wait_until("it is unmounted", || place.types().is_empty());
    // And it does not stand in the way of the ordinary end.
    assert_eq!(code(&place.mount("auto_unmount,allow_other")), 0);
    let output = place.umount(&[]);
    assert_eq!((code(&output), place.types().len()), (0, 0), "{output:?}");
}

// How it is called.

#[test]
fn a_pipe_after_the_command_does_not_hang() {
    let Some(place) = Place::new() else { return };
    let output = place.sh(&format!("'{PSTFS}' mount \"$2\" \"$1\" 2>&1 | cat; exit ${{PIPESTATUS[0]}}"));
    assert_eq!((code(&output), place.types().len()), (0, 1), "{output:?}");
}

#[test]
fn a_relative_path_is_good_after_the_process_has_moved() {
    let Some(place) = Place::new() else { return };
    let output = place.sh(&format!("cd \"$(dirname \"$2\")\" && '{PSTFS}' mount -o log=x.log 'my mail.pst' \"$1\""));
    assert_eq!((code(&output), place.types().len()), (0, 1), "{output:?}");
    assert!(place.dir.path().join("x.log").exists());
    // Nothing keeps the folder where it was started in use.
    assert_eq!(fs::read_link(format!("/proc/{}/cwd", place.servers()[0])).unwrap(), Path::new("/"));
}

#[test]
fn mount_helpers_call_in_their_own_ways() {
    let Some(place) = Place::new() else { return };
    let helper = |name: &str, options: &[&str]| {
        let mut command = Command::new(PSTFS);
        run(command.arg0(name).arg(&place.file).arg(&place.point).args(options))
    };
    let ways: [(&str, &[&str]); 3] = [
        ("/sbin/mount.pstfs", &["-o", "ro,noexec,nosuid,nodev,user,x-gvfs-show"]),
        ("mount.pstfs", &["-n", "-v", "-s", "-o", "rw", "-t", "fuse.pstfs"]),
        ("pstfs", &["-o", "ro,dev,suid"]),
    ];
    for (name, options) in ways {
        let output = helper(name, options);
        assert_eq!((code(&output), place.types()), (0, vec!["fuse.pstfs".to_owned()]), "{name}: {output:?}");
        assert_eq!(code(&place.umount(&[])), 0);
    }
    assert_eq!(code(&helper("mount.pstfs", &["-o", "frobnicate"])), 1);
    assert_eq!((code(&helper("mount.pstfs", &["-f"])), place.types().len()), (0, 0));
}

#[test]
fn mount_by_type_finds_the_helper() {
    let Some(place) = Place::new() else { return };
    let link = Path::new("/sbin/mount.pstfs");
    if !is_root() || link.symlink_metadata().is_ok() {
        eprintln!("skipped: mount.pstfs cannot be put into /sbin, or stands there already");
        return;
    }
    if let Err(error) = symlink(PSTFS, link) {
        eprintln!("skipped: {}: {error}", link.display());
        return;
    }
    let output = place.sh("mount -t pstfs \"$2\" \"$1\" -o ro,uid=1000,allow_other,noauto,nofail,x-systemd.automount");
    fs::remove_file(link).unwrap();
    assert_eq!((code(&output), place.types()), (0, vec!["fuse.pstfs".to_owned()]), "{output:?}");
    assert_eq!(fs::metadata(&place.point).unwrap().uid(), 1000);
    assert_eq!(code(&place.sh("umount \"$1\"")), 0);
}
