//! What a user sees of `.control`, `.scanlog` and `pstfs ctl`: jobs on real mounts through /dev/fuse.

#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use serde_json::Value;
use support::forge;
use support::forge::big::Big;

const PSTFS: &str = env!("CARGO_BIN_EXE_pstfs");
/// Within this a cancelled job has ended. The promise is a second; the machine of a test may be busy.
const AT_ONCE: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(60);

// What the tests stand on.

/// A mounted store; the mount is taken away at the end.
struct Mounted {
    _dir: tempfile::TempDir,
    file: PathBuf,
    point: PathBuf,
}

impl Mounted {
    /// `None`, said aloud, where FUSE cannot be used; an error in CI, where it must be.
    fn new(options: &str, make: impl FnOnce(&Path)) -> Option<Self> {
        if let Err(error) = File::options().read(true).write(true).open("/dev/fuse") {
            assert!(std::env::var_os("CI").is_none(), "/dev/fuse: {error}; the mount cannot be tested");
            eprintln!("skipped: /dev/fuse: {error}");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        let (file, point) = (real.join("mail.pst"), real.join("mounted"));
        make(&file);
        fs::create_dir(&point).unwrap();
        let mounted = Self { _dir: dir, file, point };
        let mut command = Command::new(PSTFS);
        command.arg("mount").args(["-o", if options.is_empty() { "rw" } else { options }]).arg(&mounted.file).arg(&mounted.point);
        let output = run(&mut command);
        assert_eq!(code(&output), 0, "{output:?}");
        Some(mounted)
    }

    fn of(options: &str, bytes: &[u8]) -> Option<Self> {
        Self::new(options, |file| fs::write(file, bytes).unwrap())
    }

    fn small() -> Option<Self> {
        Self::of("", &forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("every-format")))
    }

    /// A store whose scan takes so many short messages' time.
    fn large(messages: u64) -> Option<Self> {
        Self::new("", |file| {
            Big::folder_of(messages).write(file);
        })
    }

    fn control(&self) -> PathBuf {
        self.point.join(".control")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.point.join(".scanlog")).unwrap()
    }

    /// What `.control` says.
    fn status(&self) -> BTreeMap<String, String> {
        let text = fs::read_to_string(self.control()).unwrap();
        text.lines().map(|line| line.split_once('=').unwrap()).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn runs(&self) -> bool {
        self.status()["state"] == "running"
    }

    /// Writes a command; the error's number where it is refused.
    fn write(&self, command: &str) -> Result<(), i32> {
        let mut control = File::options().write(true).open(self.control()).map_err(|error| error.raw_os_error().unwrap())?;
        control.write_all(format!("{command}\n").as_bytes()).map_err(|error| error.raw_os_error().unwrap())
    }

    /// The same on a thread of its own, since the write may take two seconds.
    fn begin(&self, command: &'static str) -> thread::JoinHandle<Result<(), i32>> {
        let control = self.control();
        let before = self.status().get("job").cloned();
        let write = thread::spawn(move || {
            let mut control = File::options().write(true).open(control).unwrap();
            control.write_all(command.as_bytes()).map_err(|error| error.raw_os_error().unwrap())
        });
        wait_until("the job begins", || self.status().get("job").cloned() != before);
        write
    }

    fn ctl(&self, args: &[&str]) -> Output {
        run(Command::new("timeout").arg("100").arg(PSTFS).arg("ctl").arg(&self.point).args(args))
    }

    fn ctl_in_the_background(&self, args: &[&str]) -> Child {
        let mut command = Command::new(PSTFS);
        command.arg("ctl").arg(&self.point).args(args).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs a line of shell with the mount point as `$1`.
    fn sh(&self, line: &str) -> Output {
        run(Command::new("timeout").args(["100", "bash", "-c", line, "bash"]).arg(&self.point).env("LC_ALL", "C"))
    }

    /// What lies beside the store.
    fn beside(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(self.file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.point).output();
    }
}

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A file's length and time of change, and a digest of its bytes.
fn state(file: &Path) -> (u64, std::time::SystemTime, u32) {
    let metadata = fs::metadata(file).unwrap();
    (metadata.len(), metadata.modified().unwrap(), crc32(&fs::read(file).unwrap()))
}

fn crc32(bytes: &[u8]) -> u32 {
    pstfs::format::checksum::crc(bytes)
}

// A scan by `.control`.

#[test]
fn a_small_store_is_scanned_when_the_write_returns_and_the_log_is_that_of_the_command() {
    for bytes in [forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("every-format")), forge::damaged("block-crc-wrong")] {
        let Some(mounted) = Mounted::of("", &bytes) else { return };
        let before = (state(&mounted.file), mounted.beside());
        let output = mounted.sh("echo scan > \"$1/.control\" && cat \"$1/.scanlog\"");
        assert_eq!(code(&output), 0, "{output:?}");
        let scan = run(Command::new(PSTFS).args(["scan", "-q"]).arg(&mounted.file));
        let log = out(&output);
        let own = log.find("** Damage met since the mount\n").map_or(log.clone(), |_| {
            // What the mount had met stands first; a command that has just begun has met nothing.
            let (head, rest) = log.split_once("** Damage met since the mount\n").unwrap();
            format!("{head}{}", rest.get(rest.find("**Validating").unwrap()..).unwrap())
        });
        assert_eq!(own, out(&scan));
        let status = mounted.status();
        let exit = code(&scan).to_string();
        assert_eq!((status["state"].as_str(), status["job"].as_str(), status["verb"].as_str()), ("idle", "1", "scan"));
        assert_eq!(status["exit"], exit);
        assert!(log.ends_with(&format!("** End of job 1: {} (exit {exit})\n", status["verdict"])), "{log}");
        assert!(["phase", "done", "total", "eta_s"].iter().all(|key| !status.contains_key(*key)), "{status:?}");
        assert_eq!((state(&mounted.file), mounted.beside()), before, "a scan changes nothing");
        // A second one has the next number, and a log of its own.
        assert_eq!(mounted.write("scan"), Ok(()));
        assert_eq!((mounted.status()["job"].as_str(), mounted.log().matches("** Begin of job").count()), ("2", 1));
    }
}

#[test]
fn while_a_scan_runs_its_state_can_be_read_and_no_other_job_starts() {
    let Some(mounted) = Mounted::large(24_000) else { return };
    let write = mounted.begin("scan");
    let (mut phases, mut last) = (Vec::new(), None);
    while mounted.runs() {
        let status = mounted.status();
        let Some(phase) = status.get("phase").filter(|phase| !phase.is_empty()) else { continue };
        // The first has ended between two questions, and what was asked for below runs.
        if status["job"] != "1" {
            break;
        }
        assert_eq!(status["verb"], "scan");
        assert!(!status.contains_key("exit") && !status.contains_key("verdict"), "{status:?}");
        let number = |key: &str| status[key].parse::<u64>().unwrap();
        assert!(number("findings") < 10, "{status:?}");
        assert!(status.get("eta_s").is_none_or(|eta| eta.parse::<u64>().is_ok()), "{status:?}");
        if last.as_ref().is_some_and(|(before, done)| before == phase && *done > number("done")) {
            panic!("it went back: {status:?}");
        }
        last = Some((phase.clone(), number("done")));
        if !phases.contains(phase) {
            phases.push(phase.clone());
        }
        for job in ["scan", "recover"] {
            match mounted.write(job) {
                Err(libc::EBUSY) => {}
                // It has just ended.
                result => assert!(result.is_ok() && mounted.status()["job"] != "1", "{result:?}"),
            }
        }
        assert_eq!(mounted.write("frobnicate"), Err(libc::EINVAL));
        thread::sleep(Duration::from_millis(3));
    }
    assert_eq!(write.join().unwrap(), Ok(()));
    // A fast machine is through most phases between two looks; that one was seen is what the status is for.
    assert!(!phases.is_empty());
    wait_until("the last job has ended", || !mounted.runs());
    assert_eq!(mounted.write("cancel"), Err(libc::EINVAL), "no job runs");
}

/// Longer than two seconds: success means started, and the mount goes on with it.
#[test]
fn a_write_returns_after_two_seconds_and_the_scan_goes_on() {
    let Some(mounted) = Mounted::large(50_000) else { return };
    let start = Instant::now();
    assert_eq!(mounted.write("scan"), Ok(()));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    if !mounted.runs() {
        eprintln!("skipped: this machine scans the store in {took:?}");
        return;
    }
    assert!(took >= Duration::from_millis(1900), "{took:?}");
    let output = mounted.ctl(&["wait", "-q"]);
    assert_eq!((code(&output), out(&output).as_str()), (0, "No errors were found\n"), "{output:?}");
    assert!(mounted.log().ends_with("** End of job 1: No errors were found (exit 0)\n"));
}

// Cancelling.

#[test]
fn a_scan_cancelled_at_any_moment_ends_at_once_and_leaves_nothing_behind() {
    let Some(mounted) = Mounted::large(18_000) else { return };
    let before = (state(&mounted.file), mounted.beside());
    let start = Instant::now();
    assert_eq!(code(&mounted.ctl(&["scan", "-q"])), 0);
    let whole = start.elapsed();
    let mut random = forge::Random::new(20);
    let (mut cancelled, mut slowest) = (0, Duration::ZERO);
    for round in 0..20 {
        assert_eq!(code(&mounted.ctl(&["scan", "--detach"])), 0);
        thread::sleep(whole.mul_f64(random.below(1000) as f64 / 1100.0));
        let asked = Instant::now();
        let done = match round % 2 {
            0 => {
                // The write waits for the end of the job that it cancels.
                let result = mounted.write("cancel");
                assert!(matches!(result, Ok(()) | Err(libc::EINVAL)), "{result:?}");
                result.is_ok()
            }
            _ => {
                let output = mounted.ctl(&["cancel", "-q"]);
                assert!(code(&output) == 32 || errors(&output).contains("no job runs") || code(&output) == 0, "{output:?}");
                code(&output) == 32
            }
        };
        wait_until("the job has ended", || !mounted.runs());
        slowest = slowest.max(asked.elapsed());
        let (status, log) = (mounted.status(), mounted.log());
        if status["verdict"] == "Cancelled" {
            assert!(done, "{status:?}");
            cancelled += 1;
            assert_eq!(status["exit"], "32");
            assert!(log.ends_with(": Cancelled (exit 32)\n"), "{log}");
        } else {
            assert_eq!(status["verdict"], "No errors were found", "it had ended by itself");
        }
    }
    eprintln!("{cancelled} of 20 were cancelled in the middle of {whole:?}, the slowest within {slowest:?}");
    assert!(cancelled >= 10, "{cancelled}");
    assert!(slowest < AT_ONCE, "{slowest:?}");
    assert_eq!((state(&mounted.file), mounted.beside()), before, "nothing is left behind");
    let threads = thread_names(&mounted);
    assert!(!threads.iter().any(|name| name == "scan" || name == "reply"), "{threads:?}");
}

/// Names of the threads of the process that serves the mount.
fn thread_names(mounted: &Mounted) -> Vec<String> {
    let point = mounted.point.to_str().unwrap();
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let args = |pid: u32| String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).into_owned();
    let server = pids.filter(|pid| args(*pid).contains("pstfs\0mount") && args(*pid).contains(point)).collect::<Vec<_>>();
    assert_eq!(server.len(), 1, "{server:?}");
    let tasks = fs::read_dir(format!("/proc/{}/task", server[0])).unwrap().flatten();
    tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok()).map(|name| name.trim().to_owned()).collect()
}

// The mount meanwhile.

#[test]
fn the_mount_can_be_used_as_ever_while_scans_run() {
    let Some(mounted) = Mounted::of("", &forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("wide-folder"))) else { return };
    let line = "ls -lR \"$1\" | md5sum && find \"$1\" -type f ! -name '.*' -print0 | sort -z | xargs -0 cat | md5sum \
        && tar -C \"$1\" --exclude=.control --exclude=.scanlog --sort=name -cf - . | md5sum";
    let quiet = mounted.sh(line);
    assert_eq!((code(&quiet), errors(&quiet).as_str()), (0, ""), "{quiet:?}");
    let over = Arc::new(AtomicBool::new(false));
    let scans = {
        let (over, control) = (Arc::clone(&over), mounted.control());
        thread::spawn(move || {
            let mut scans = 0;
            while !over.load(Ordering::Relaxed) {
                match fs::write(&control, "scan") {
                    Ok(()) => scans += 1,
                    // The one before takes longer than a write waits for it.
                    Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EBUSY)),
                }
            }
            scans
        })
    };
    wait_until("a scan runs", || mounted.runs());
    // The log's size and time are in `ls`; all else is as before.
    let line = line.replace("ls -lR \"$1\"", "ls -lR \"$1\" --time-style=+");
    let [first, second] = [0, 1].map(|_| {
        let (point, line) = (mounted.point.clone(), line.clone());
        thread::spawn(move || run(Command::new("timeout").args(["100", "bash", "-c", &line, "bash"]).arg(point).env("LC_ALL", "C")))
    });
    let busy = [first.join().unwrap(), second.join().unwrap()];
    over.store(true, Ordering::Relaxed);
    let scans = scans.join().unwrap();
    assert!(scans >= 1);
    for output in busy {
        assert_eq!((code(&output), errors(&output).as_str()), (0, ""), "{output:?}");
        let (busy, quiet) = (out(&output), out(&quiet));
        assert!(busy.lines().skip(1).eq(quiet.lines().skip(1)), "{busy}\n{quiet}");
    }
    wait_until("the last scan has ended", || !mounted.runs());
    assert!(mounted.log().ends_with(": No errors were found (exit 0)\n"));
}

#[test]
fn a_reader_who_follows_the_log_sees_each_line_once_as_it_comes() {
    let Some(mounted) = Mounted::large(24_000) else { return };
    let mut tail = Command::new("timeout");
    tail.args(["60", "tail", "-s", "0.02", "-n", "+1", "-f"]).arg(mounted.point.join(".scanlog"));
    let mut tail = tail.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut pipe = tail.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let (mut text, mut bytes, mut pieces) = (String::new(), [0; 65536], 0);
        while !text.contains("** End of job 1") {
            let read = pipe.read(&mut bytes).unwrap();
            assert!(read > 0, "tail ended: {text}");
            text.push_str(&String::from_utf8_lossy(&bytes[..read]));
            pieces += 1;
        }
        (text, pieces)
    });
    assert_eq!(code(&mounted.ctl(&["scan", "-q"])), 0);
    let (text, pieces) = reader.join().unwrap();
    tail.kill().unwrap();
    tail.wait().unwrap();
    assert_eq!(text, mounted.log());
    assert!(pieces > 1, "it came all at once");
}

// `pstfs ctl`.

#[test]
fn ctl_ends_as_the_job_ends() {
    let Some(healthy) = Mounted::small() else { return };
    let output = healthy.ctl(&["wait"]);
    assert_eq!((code(&output), errors(&output).contains("no job has run since the mount")), (8, true), "{output:?}");
    assert_eq!(out(&healthy.ctl(&["status"])), "state=idle\n");
    let output = healthy.ctl(&["scan"]);
    assert_eq!((code(&output), out(&output).as_str()), (0, "No errors were found\n"), "{output:?}");
    assert_eq!((code(&healthy.ctl(&["wait"])), code(&healthy.ctl(&["wait", "1"]))), (0, 0));
    let output = healthy.ctl(&["wait", "7"]);
    assert_eq!((code(&output), errors(&output).contains("job 7 is not the last one")), (8, true), "{output:?}");
    let output = healthy.ctl(&["cancel"]);
    assert_eq!((code(&output), errors(&output).contains("no job runs")), (8, true), "{output:?}");
    for wrong in [&["frobnicate"][..], &["scan", "1"], &["status", "--detach"], &[]] {
        let output = healthy.ctl(wrong);
        assert_eq!((code(&output), errors(&output).lines().count()), (16, 1), "{wrong:?}: {output:?}");
    }
    let damaged = Mounted::of("", &forge::damaged("block-crc-wrong")).unwrap();
    let output = damaged.ctl(&["scan"]);
    assert_eq!((code(&output), out(&output).as_str()), (4, "Errors were found\n"), "{output:?}");
    assert_eq!(code(&damaged.ctl(&["wait"])), 4);
    let output = run(Command::new(PSTFS).arg("ctl").arg(damaged.file.parent().unwrap()).arg("scan"));
    assert_eq!((code(&output), errors(&output).contains("no store is mounted there")), (8, true), "{output:?}");
}

/// Each record on standard output is what `pstfs schema` says.
#[test]
fn records_of_ctl_are_what_the_schema_says() {
    let Some(mounted) = Mounted::of("", &forge::damaged("block-crc-wrong")) else { return };
    let schema: Value = serde_json::from_slice(&run(Command::new(PSTFS).arg("schema")).stdout).unwrap();
    for (args, verdict, exit) in [(["status"], "Done", 0), (["scan"], "Errors were found", 4), (["wait"], "Errors were found", 4)] {
        let output = mounted.ctl(&[args.as_slice(), &["--json", "-q"]].concat());
        assert_eq!(code(&output), exit, "{output:?}");
        let records: Vec<Value> = out(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let types: Vec<_> = records.iter().map(|record| record["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["start", "job", "end"]);
        for record in &records {
            let fields = schema["records"][record["type"].as_str().unwrap()]["fields"].as_object().unwrap();
            let known = record.as_object().unwrap().keys().all(|name| fields.contains_key(name));
            let whole = fields.iter().all(|(name, field)| record.get(name).is_some() || field["always"] == false);
            assert!(known && whole, "{record}");
        }
        assert_eq!((records[2]["verdict"].as_str(), records[2]["exit"].as_i64()), (Some(verdict), Some(i64::from(exit))));
        assert_eq!(records[1]["state"], "idle");
    }
}

#[test]
fn an_interrupt_cancels_the_job_unless_it_was_detached() {
    let Some(mounted) = Mounted::large(24_000) else { return };
    let child = mounted.ctl_in_the_background(&["scan", "-q"]);
    wait_until("the scan runs", || mounted.runs());
    assert!(run(Command::new("kill").args(["-INT", &child.id().to_string()])).status.success());
    let asked = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), out(&output).as_str()), (32, "Cancelled\n"), "{output:?}");
    assert!(asked.elapsed() < AT_ONCE);
    assert!(mounted.log().ends_with("** End of job 1: Cancelled (exit 32)\n"));

    // What is detached belongs to the mount; an interrupt of who waits for it ends the waiting alone.
    let output = mounted.ctl(&["scan", "--detach"]);
    assert_eq!((code(&output), out(&output).as_str()), (0, "job 2\n"), "{output:?}");
    let mut waits = mounted.ctl_in_the_background(&["wait", "2", "-q"]);
    thread::sleep(Duration::from_millis(50));
    run(Command::new("kill").args(["-INT", &waits.id().to_string()]));
    waits.wait().unwrap();
    assert_eq!(code(&mounted.ctl(&["wait", "2", "-q"])), 0);
    assert_eq!(mounted.status()["verdict"], "No errors were found");
}

#[test]
fn a_read_only_mount_is_scanned_by_ctl() {
    let bytes = forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("every-format"));
    let Some(mounted) = Mounted::of("ro", &bytes) else { return };
    assert_eq!(mounted.write("scan"), Err(libc::EROFS));
    for job in ["scan", "recover"] {
        let output = mounted.ctl(&[job, "-q"]);
        assert_eq!(code(&output), 0, "{output:?}");
    }
    assert!(mounted.log().ends_with("(exit 0)\n"));
}

#[test]
fn a_mount_without_control_files_takes_no_commands_and_says_why() {
    let bytes = forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("every-format"));
    let Some(mounted) = Mounted::of("nocontrol", &bytes) else { return };
    for verb in ["scan", "recover", "status", "wait", "cancel"] {
        let output = mounted.ctl(&[verb]);
        let text = errors(&output);
        assert_eq!((code(&output), text.lines().count(), text.contains("nocontrol")), (8, 1, true), "{output:?}");
    }
}

/// The store goes away in the middle: the job could not be done, and the write that asked for it says so.
#[test]
fn a_job_that_cannot_be_done_is_an_error_of_the_write() {
    let Some(mounted) = Mounted::small() else { return };
    File::options().write(true).open(&mounted.file).unwrap().set_len(1000).unwrap();
    assert_eq!(mounted.write("scan"), Err(libc::EIO));
    let status = mounted.status();
    assert_eq!((status["verdict"].as_str(), status["exit"].as_str()), ("Failed", "8"), "{status:?}");
    assert!(mounted.log().ends_with("** End of job 1: Failed (exit 8)\n"), "{}", mounted.log());
    let output = mounted.ctl(&["wait", "-q"]);
    assert_eq!(code(&output), 8, "{output:?}");
}

// The log of a mount without a job.

/// A line about an item that nobody could find by its node id is of little use.
#[test]
fn damage_that_readers_meet_is_told_with_the_names_of_whom_it_hits() {
    let Some(mounted) = Mounted::of("", &forge::damaged("block-crc-wrong")) else { return };
    let _ = mounted.sh("find \"$1\" -type f ! -name '.*' -print0 | xargs -0 cat > /dev/null");
    let log = mounted.log();
    let noted = log.lines().find(|line| line.starts_with("!! B08 ")).unwrap_or_else(|| panic!("{log}")).to_owned();
    assert!(log.contains("** Damage met since the mount\n"), "{log}");
    assert_eq!(mounted.write("scan"), Ok(()));
    let scanned = mounted.log();
    let found = scanned.lines().rfind(|line| line.starts_with("!! B08 ")).unwrap();
    let victim = |line: &str| line.rsplit_once("): ").map(|(_, victim)| victim.to_owned());
    assert!(noted.contains(", node 0x"), "{noted}");
    assert!(victim(found).is_some_and(|victim| victim.contains(": \"")), "{found}");
    assert_eq!(victim(&noted), victim(found), "the reader and the scan name the same victim");
    assert!(scanned.contains(&noted), "a job's log begins with what was met before: {scanned}");
}

// The search for lost items.

#[test]
fn what_a_search_finds_appears_at_once_even_where_the_folder_was_listed_before() {
    let Some(mounted) = Mounted::of("", &forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("deleted-messages"))) else {
        return;
    };
    let list = || out(&mounted.sh("ls \"$1/Recovered\"; find \"$1/Recovered\" -type f | sort"));
    let before = list();
    assert!(!before.contains("Deleted"), "{before}");
    let output = mounted.ctl(&["recover", "-q"]);
    assert_eq!(code(&output), 0, "{output:?}");
    let after = list();
    let files: Vec<_> = after.lines().filter(|line| line.contains("/Recovered/")).collect();
    assert!(after.starts_with("Deleted\n") || after.contains("\nDeleted\n"), "{after}");
    assert!(!files.is_empty(), "{after}");
    for file in &files {
        assert!(!fs::read(file).unwrap().is_empty(), "{file}");
    }
    let log = mounted.log();
    assert!(log.contains("** Begin of job 1: recover\n**Searching for lost items\n-- "), "{log}");
    let found = log.lines().find_map(|line| line.strip_prefix("** Found: ")).unwrap();
    assert_eq!(found, format!("{0} items, {0} of them listed", log.lines().filter(|line| line.starts_with("-- ")).count()));
    assert!(log.ends_with(" (exit 0)\n"), "{log}");
    assert_eq!(mounted.status()["verb"], "recover");
}
