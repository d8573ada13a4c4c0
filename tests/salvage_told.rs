//! What a user hears of a search that a damaged store makes necessary: one line, whatever the command; and how it ends.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used
)]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pstfs::damage::Error;
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::recover;
use support::forge;

const PSTFS: &str = env!("CARGO_BIN_EXE_pstfs");

/// A folder with a store, and a point to mount it at.
struct Place {
    dir: tempfile::TempDir,
    file: PathBuf,
}

impl Place {
    /// A store whose header is gone, or a healthy one.
    fn new(is_damaged: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("every-format"));
        if is_damaged {
            bytes[..564].fill(0);
        }
        let file = dir.path().canonicalize().unwrap().join("mail.pst");
        fs::write(&file, bytes).unwrap();
        fs::create_dir(dir.path().join("point")).unwrap();
        Self { dir, file }
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        command.arg("60").arg(PSTFS).args(args).current_dir(self.dir.path()).stdin(Stdio::null()).output().unwrap()
    }
}

/// How many lines of standard error tell of a search; all lines are ours.
fn told(output: &Output, name: &str) -> usize {
    let errors = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(errors.lines().all(|line| line.starts_with(&format!("pstfs: {name}"))), "{errors}");
    let line = format!("pstfs: {name}: it is damaged: all of it, 271360 bytes (265.0 KiB), is searched for what is left");
    errors.lines().filter(|told| **told == line).count()
}

#[test]
fn every_command_tells_of_the_search_once() {
    for is_damaged in [true, false] {
        let place = Place::new(is_damaged);
        let wanted = usize::from(is_damaged);
        let commands: [&[&str]; 5] = [
            &["ls", "-R", "mail.pst"],
            &["info", "mail.pst"],
            &["info", "--json", "mail.pst"],
            &["export", "-q", "mail.pst", "out"],
            &["cat", "--properties", "--nid", "0x200024", "mail.pst"],
        ];
        for command in commands {
            let output = place.run(command);
            assert_eq!(told(&output, "mail.pst"), wanted, "{command:?}: {output:?}");
        }
    }
}

#[test]
fn a_mount_tells_of_the_search_and_so_does_its_log() {
    if !std::path::Path::new("/dev/fuse").exists() {
        eprintln!("skipped: there is no /dev/fuse");
        return;
    }
    let place = Place::new(true);
    let name = place.file.display().to_string();
    let output = place.run(&["mount", "mail.pst", "point"]);
    assert!(output.status.success(), "{output:?}");
    let log = fs::read_to_string(place.dir.path().join("point/.scanlog")).unwrap();
    assert!(place.run(&["umount", "point"]).status.success());
    assert_eq!(told(&output, &name), 1, "{output:?}");
    assert_eq!(log.lines().filter(|line| line.contains("H23") && line.contains("searching the whole file")).count(), 1, "{log}");
}

/// A mount in the foreground stays with its terminal: standard error has the same line, and no other form of it.
#[test]
fn a_mount_in_the_foreground_tells_of_the_search_once() {
    if !std::path::Path::new("/dev/fuse").exists() {
        eprintln!("skipped: there is no /dev/fuse");
        return;
    }
    let place = Place::new(true);
    let name = place.file.display().to_string();
    let args = ["60", PSTFS, "mount", "-f", "mail.pst", "point"];
    let mount = Command::new("timeout").args(args).current_dir(place.dir.path()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while !place.dir.path().join("point/.scanlog").exists() && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(place.run(&["umount", "point"]).status.success());
    let output = mount.wait_with_output().unwrap();
    assert_eq!(told(&output, &name), 1, "{output:?}");
}

#[test]
fn who_has_had_enough_ends_the_search() {
    let place = Place::new(true);
    let options = recover::Options::default();
    options.search.cancel();
    assert!(matches!(recover::open(&place.file, &options), Err(Error::Cancelled)));
    let options = recover::Options { search: Arc::default(), ..options };
    assert!(recover::open(&place.file, &options).is_ok());
    assert_eq!(options.search.state().phase, "", "the search has ended");
}
