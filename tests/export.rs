//! What a user gets of `pstfs export`: the files, the manifest, the exit codes, and what other programs read there.

#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pstfs::disk::crash::CrashDisk;
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::format::id::Nid;
use pstfs::ltp::value::Value as Stored;
use pstfs::ndb::write::Room;
use pstfs::store::write::{PropertyList, StoreEdit};
use pstfs::store::{Store, Which, tags};
use pstfs::tree::{Ino, Kind, Tree, View};
use serde_json::Value;
use support::forge::{self, Recipe};

const PSTFS: &str = env!("CARGO_BIN_EXE_pstfs");
const MANIFEST: &str = ".pstfs-export.jsonl";
const PART: &str = ".pstfs-export.jsonl.part";
const FORMATS: [&str; 4] = ["eml", "maildir", "mbox", "thunderbird"];

// What the tests stand on.

/// A folder with a store in it.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn of(bytes: &[u8]) -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        fs::write(place.file(), bytes).unwrap();
        fs::set_permissions(place.file(), fs::Permissions::from_mode(0o640)).unwrap();
        place
    }

    fn fixture(name: &str) -> Self {
        Self::of(&forge::store(Format::Unicode, Cipher::Permute, &forge::recipe(name)))
    }

    fn recipe(text: &str) -> Self {
        Self::of(&forge::store(Format::Unicode, Cipher::Permute, &Recipe::parse(text)))
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("a.pst")
    }

    fn out(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, to: &str, args: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        command.args(["100", PSTFS, "export"]).arg(self.file()).arg(self.out(to)).args(args).env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    fn run(&self, to: &str, args: &[&str]) -> Output {
        self.command(to, args).output().unwrap()
    }

    /// An export that must end with this code.
    fn export(&self, to: &str, args: &[&str], code: i32) -> Output {
        let output = self.run(to, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        output
    }

    fn store(&self) -> Arc<Store> {
        Arc::new(Store::open(Arc::new(fs::read(self.file()).unwrap()), 1 << 20).unwrap())
    }
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// All files and folders below a folder, by path; folders without content.
fn files(dir: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
            let content = if path.is_dir() { None } else { Some(fs::read(&path).unwrap()) };
            if content.is_none() {
                waiting.push(path);
            }
            found.insert(name, content);
        }
    }
    found
}

/// The same without the manifest.
fn documents(dir: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    files(dir).into_iter().filter(|(name, _)| name != MANIFEST).collect()
}

fn lines(dir: &Path) -> Vec<Value> {
    let text = fs::read_to_string(dir.join(MANIFEST)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The items of a manifest, held against its last line and against the files.
fn items(dir: &Path) -> Vec<Value> {
    let lines = lines(dir);
    let items: Vec<Value> = lines.iter().filter(|line| line["type"] == "item").cloned().collect();
    let end = lines.last().unwrap();
    let count = |status: &str| items.iter().filter(|item| item["status"] == status).count() as u64;
    assert_eq!(end["type"], "end");
    for status in ["written", "incomplete", "failed"] {
        assert_eq!(end[status], count(status), "{end}");
    }
    assert_eq!(end["rows"], items.len() as u64);
    for item in items.iter().filter(|item| item["status"] != "failed") {
        let path = dir.join(item["path"].as_str().unwrap());
        let size = path.metadata().unwrap_or_else(|error| panic!("{item}: {error}")).len();
        assert!(item.get("offset").is_some() || item["size"] == size, "{item}");
        assert_eq!(item["sha256"].as_str().unwrap().len(), 64);
    }
    items
}

/// Whether another program is there; an error in CI, where it must be.
fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status().unwrap().success();
    assert!(found || std::env::var_os("CI").is_none(), "{program} is not installed; scripts/setup check installs it");
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

fn output_of(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn python(script: &str, args: &[&Path]) -> String {
    output_of(Command::new("python3").args(["-c", script]).args(args))
}

fn wait_until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Letters with every mark: what each says in its subject.
const MARKED: &str = r#"store "Marks" seed=31
folder Posteingang class=IPF.Note role=inbox
  note subject="unread" unread=yes from="Ann <ann@example.com>" to="B <b@example.com>" body="x"
  note subject="read" from="Ann <ann@example.com>" to="B <b@example.com>" body="From here\n>From there\nFrom"
  note subject="replied" from="Ann <ann@example.com>" to="B <b@example.com>" body="x"
    prop 0x1081 i32 102
  note subject="forwarded" from="Ann <ann@example.com>" to="B <b@example.com>" body="x"
    prop 0x1081 i32 104
  note subject="flagged" from="Ann <ann@example.com>" to="B <b@example.com>" body="x"
    prop 0x1090 i32 2
    named public Keywords unicode* "Red Category" "Grün"
  note subject="draft" from="Ann <ann@example.com>" to="B <b@example.com>" body="x"
    prop 0x0e07 i32 9
  note subject="deleted" from="Ann <ann@example.com>" to="B <b@example.com>" body="x"
    prop 0x0e17 i32 8
  folder "Ä & B. C" class=IPF.Note
    note subject="read" from="Ann <ann@example.com>" to="B <b@example.com>" body="x"
"#;

/// So many letters that a run can be stopped in their middle.
const MANY: &str = r#"store "Many" seed=32
folder Inbox class=IPF.Note role=inbox
  repeat 400
    note subject="Message {n}" from="A <a@example.com>" to="B <b@example.com>" body="{n}"
"#;

// Formats.

#[test]
fn eml_is_the_tree_of_a_mount_in_every_format_of_stores() {
    let views = [
        (View::default(), vec![]),
        (View { hidden: true, attachments: true, all_folders: true, ..View::default() }, vec!["-o", "hidden,attachments,all_folders"]),
    ];
    let stores = [("every-format", Format::Ansi, Cipher::Cyclic), ("every-format", Format::Unicode4k, Cipher::None)];
    let more = ["every-item-class", "unusual-names", "attachments-of-every-kind", "localised-folders", "deep-folders"];
    let more = more.into_iter().map(|name| (name, Format::Unicode, Cipher::Permute));
    for (name, format, cipher) in stores.into_iter().chain(more) {
        let place = Place::of(&forge::store(format, cipher, &forge::recipe(name)));
        for (number, (view, args)) in views.iter().enumerate() {
            let to = format!("out{number}");
            place.export(&to, args, 0);
            items(&place.out(&to));
            let tree = Tree::new(place.store(), *view, 1 << 20);
            let mut shown = BTreeMap::new();
            shown_below(&tree, Ino::ROOT, "", &place.out(&to), &mut shown);
            assert!(documents(&place.out(&to)) == shown, "{name} {args:?}: other names or bytes");
        }
    }
}

/// What a tree shows; and the times of the files written are the tree's.
fn shown_below(tree: &Tree, folder: Ino, path: &str, dir: &Path, shown: &mut BTreeMap<String, Option<Vec<u8>>>) {
    for entry in &tree.list(folder).unwrap().entries {
        let path = if path.is_empty() { entry.name.clone() } else { format!("{path}/{}", entry.name) };
        let attributes = tree.attributes(entry.ino).unwrap();
        let written = dir.join(&path).metadata().unwrap();
        if entry.kind == Kind::File || attributes.mtime.is_some() {
            assert_eq!((written.mtime(), written.mtime_nsec() as u32), attributes.mtime.unwrap_or_default(), "{path}");
        }
        if entry.kind == Kind::Directory {
            shown.insert(path.clone(), None);
            shown_below(tree, entry.ino, &path, dir, shown);
        } else {
            let file = tree.open(entry.ino).unwrap();
            shown.insert(path, Some(tree.read(&file, 0, usize::MAX).unwrap()));
        }
    }
}

#[test]
fn files_are_for_those_who_may_read_the_store() {
    let place = Place::fixture("readme");
    place.export("out", &[], 0);
    let mode = |path: &str| place.out(path).metadata().unwrap().mode() & 0o777;
    assert_eq!((mode("out/Contacts/Jane Doe.vcf"), mode("out/Inbox"), mode("out/.pstfs-export.jsonl")), (0o640, 0o750, 0o640));
}

#[test]
fn a_maildir_has_its_flags_as_python_reads_them() {
    let place = Place::recipe(MARKED);
    place.export("out", &["--format", "maildir"], 0);
    items(&place.out("out"));
    if !has("python3") {
        return;
    }
    let script = "import mailbox, sys\nfor name in [None] + sorted(mailbox.Maildir(sys.argv[1]).list_folders()):\n box = mailbox.Maildir(sys.argv[1])\n box = box.get_folder(name) if name else box\n for line in sorted(m['Subject'] + ' ' + m.get_flags() for m in box): print(name, line)";
    let expected = [
        "None deleted ST",
        "None draft DS",
        "None flagged FS",
        "None forwarded PS",
        "None read S",
        "None replied RS",
        "None unread ",
        "INBOX.&AMQ- &- B\\2e C read S",
    ];
    assert_eq!(python(script, &[&place.out("out")]).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn an_mbox_gives_back_every_document_as_python_reads_it() {
    let place = Place::recipe(MARKED);
    place.export("out", &["--format", "mbox"], 0);
    let items = items(&place.out("out"));
    assert_eq!(items.len(), 8);
    if !has("python3") {
        return;
    }
    let script = r#"
import hashlib, json, mailbox, re, sys
digests = {}
for line in map(json.loads, open(sys.argv[1] + "/.pstfs-export.jsonl")):
    if line["type"] == "item": digests.setdefault(line["path"], []).append((line["sha256"], line["size"]))
for path, wanted in sorted(digests.items()):
    box = mailbox.mbox(sys.argv[1] + "/" + path, create=False)
    assert len(box) == len(wanted), (path, len(box))
    for key, (digest, size) in zip(sorted(box.keys()), wanted):
        # Python cannot take the marks away by itself, and knows headers that are not of the document.
        text = re.sub(rb"(?m)^>(>*From )", rb"\1", box.get_bytes(key))
        text = re.sub(rb"\A(X-(Status|Keywords): .*\n)*", b"", text)
        print(path, box[key]["Subject"], box[key].get_flags(), box[key]["X-Keywords"], len(text) == size, hashlib.sha256(text).hexdigest() == digest)
"#;
    let expected = [
        "Posteingang.mbox unread O None True True",
        "Posteingang.mbox read RO None True True",
        "Posteingang.mbox replied ROA None True True",
        "Posteingang.mbox forwarded RO $Forwarded True True",
        "Posteingang.mbox flagged ROF red_category gr&APw-n True True",
        "Posteingang.mbox draft ROT None True True",
        "Posteingang.mbox deleted ROD None True True",
        "Posteingang/Ä & B. C.mbox read RO None True True",
    ];
    assert_eq!(python(script, &[&place.out("out")]).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn an_mbox_without_python_is_still_quoted_and_separated() {
    let place = Place::recipe(MARKED);
    place.export("out", &["--format", "mbox"], 0);
    let text = fs::read_to_string(place.out("out/Posteingang.mbox")).unwrap();
    assert!(text.starts_with("From ann@example.com Mon Jan  1 09:01:00 2024\nDate: "), "{text}");
    assert!(text.contains("\n>From here\n>>From there\nFrom\n\nFrom ann@example.com "), "{text}");
    assert_eq!(text.matches("\nStatus: ").count(), 7, "every mail says it once");
}

#[test]
fn thunderbird_has_its_folders_and_marks() {
    let place = Place::recipe(MARKED);
    place.export("out", &["--format", "thunderbird"], 0);
    let names: Vec<String> = documents(&place.out("out")).into_keys().collect();
    assert_eq!(names, ["Deleted Items", "Posteingang", "Posteingang.sbd", "Posteingang.sbd/Ä & B. C"]);
    let text = fs::read_to_string(place.out("out/Posteingang")).unwrap();
    let marks = |name: &str| text.lines().filter_map(|line| line.strip_prefix(name)).map(str::trim).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(marks("X-Mozilla-Status:"), ["0000", "0001", "0003", "1001", "0005", "0001", "0001"]);
    assert_eq!(marks("X-Mozilla-Keys:"), ["", "", "", "", "red_category gr&APw-n", "", ""]);
    assert_eq!(text.matches("\nFrom - ").count(), 6);
}

#[test]
fn a_folder_of_events_is_one_calendar_and_one_of_people_one_list_of_cards() {
    let place = Place::fixture("every-item-class");
    for format in ["maildir", "mbox", "thunderbird"] {
        place.export(format, &["--format", format], 0);
        let items = items(&place.out(format));
        let read = |name: &str| fs::read_to_string(place.out(format).join(name)).unwrap();
        for (name, component, count) in [("Calendar.ics", "VEVENT", 3), ("Tasks.ics", "VTODO", 3), ("Journal.ics", "VJOURNAL", 1)] {
            let text = read(name);
            assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"));
            assert_eq!((text.matches("BEGIN:VCALENDAR").count(), text.matches(&format!("BEGIN:{component}\r\n")).count()), (1, count));
            assert_eq!(items.iter().filter(|item| item["path"] == name).count(), count);
        }
        assert_eq!(read("Contacts.vcf").matches("BEGIN:VCARD\r\n").count(), 2);
    }
}

#[test]
fn notmuch_and_mutt_count_the_same_mails() {
    for name in ["every-format", "every-item-class", "localised-folders"] {
        let place = Place::fixture(name);
        for format in ["maildir", "mbox"] {
            place.export(format, &["--format", format], 0);
        }
        let mails = |format: &str| items(&place.out(format)).iter().filter(|item| item["message_id"].is_string()).count();
        if has("notmuch") {
            let notmuch = |args: &[&str]| {
                let config = place.out("notmuch-config");
                let text = format!(
                    "[database]\npath={}\n[new]\nignore=.pstfs-export.jsonl;maildirfolder;/.*[.](ics|vcf)$/\n",
                    place.out("maildir").display()
                );
                fs::write(&config, text).unwrap();
                output_of(Command::new("timeout").args(["60", "notmuch"]).args(args).env("NOTMUCH_CONFIG", config))
            };
            notmuch(&["new", "--quiet"]);
            assert_eq!(notmuch(&["count", "--output=files", "*"]).trim(), mails("maildir").to_string(), "{name}");
        }
        if has("mutt") {
            let boxes = files(&place.out("mbox")).into_keys().filter(|path| path.ends_with(".mbox"));
            let counts = boxes.map(|path| mutt_count(&place.out("mbox").join(path)));
            assert_eq!(counts.sum::<usize>(), mails("mbox"), "{name}");
        }
    }
}

/// How many mails mutt sees: all are tagged, copied into a Maildir, and counted there.
fn mutt_count(mbox: &Path) -> usize {
    if fs::metadata(mbox).unwrap().len() == 0 {
        return 0;
    }
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy");
    let keys = format!("push <tag-pattern>~A<enter><tag-prefix-cond><copy-message>{}<enter><end-cond><exit>", copy.display());
    let settings = ["set mbox_type=Maildir", "set confirmcreate=no confirmappend=no delete=no", "set quit=yes move=no", &keys];
    let mut command = Command::new("timeout");
    command.args(["60", "script", "-qec"]);
    let quoted = settings.iter().map(|setting| format!(" -e '{setting}'")).collect::<String>();
    command
        .arg(format!("mutt -n -F /dev/null -R{quoted} -f '{}'", mbox.display()))
        .arg("/dev/null")
        .env("TERM", "xterm")
        .env("HOME", dir.path());
    // Without it mutt asks whether to make it, and takes the keys for the answer.
    fs::create_dir(dir.path().join("Mail")).unwrap();
    output_of(&mut command);
    fs::read_dir(copy.join("cur")).unwrap().count() + fs::read_dir(copy.join("new")).unwrap().count()
}

// Runs.

#[test]
fn two_runs_are_the_same_bit_for_bit_with_any_number_of_threads() {
    let place = Place::fixture("every-format");
    for format in FORMATS {
        let to = |jobs: &str| format!("{format}-{jobs}");
        for jobs in ["1", "7"] {
            place.export(&to(jobs), &["--format", format, "--jobs", jobs, "--hash"], 0);
        }
        assert!(files(&place.out(&to("1"))) == files(&place.out(&to("7"))), "{format}");
    }
    let end = lines(&place.out("eml-1")).pop().unwrap();
    assert_eq!(end["store_size"], place.file().metadata().unwrap().len());
    assert_eq!(end["store_sha256"].as_str().unwrap(), output_of(Command::new("sha256sum").arg(place.file())).split(' ').next().unwrap());
}

#[test]
fn a_second_run_leaves_alone_what_the_manifest_proves() {
    let place = Place::fixture("every-format");
    for format in FORMATS {
        place.export(format, &["--format", format], 0);
        let before = files(&place.out(format));
        let inodes = |dir: &Path| {
            let of = |path: &String| (path.clone(), dir.join(path).metadata().unwrap().ino());
            before
                .iter()
                .filter(|(path, content)| *path != MANIFEST && content.as_ref().is_some_and(|content| !content.is_empty()))
                .map(|(path, _)| of(path))
                .collect::<Vec<_>>()
        };
        let (first, count) = (inodes(&place.out(format)), items(&place.out(format)).len());
        let output = place.export(format, &["--format", format, "--json"], 0);
        let end: Value = serde_json::from_slice(output.stdout.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap()).unwrap();
        assert_eq!((&end["counts"]["unchanged"], &end["counts"]["rows"]), (&count.into(), &count.into()), "{format}");
        assert!(files(&place.out(format)) == before && inodes(&place.out(format)) == first, "{format}");
        // What was lost or cut off since is written again.
        let (gone, cut) = (&first[0].0, &first[1].0);
        fs::remove_file(place.out(format).join(gone)).unwrap();
        fs::write(place.out(format).join(cut), "x").unwrap();
        place.export(format, &["--format", format], 0);
        assert!(files(&place.out(format)) == before, "{format}");
    }
}

#[test]
fn a_mail_that_was_read_since_is_written_anew_and_its_old_file_goes() {
    let place = Place::recipe(MARKED);
    for format in FORMATS {
        place.export(format, &["--format", format], 0);
    }
    let disk = CrashDisk::new(fs::read(place.file()).unwrap());
    let store = Store::open(Arc::new(disk.clone()), 1 << 20).unwrap();
    let named = |nid: &Nid| store.folder(*nid).unwrap().name == "Posteingang";
    let inbox = store.subfolders(store.ipm_subtree()).unwrap().into_iter().find(named).unwrap();
    let unread = store.row_ids(inbox, Which::Normal).unwrap()[0];
    let mut edit = StoreEdit::begin(&store).unwrap();
    let mut changes = PropertyList::default();
    changes.set(tags::MESSAGE_FLAGS, Stored::I32(1));
    edit.update_message(unread, &changes).unwrap();
    edit.finish().unwrap().with_room(Room::reuse(Format::Unicode)).commit(&disk, &disk.beside(Vec::new())).unwrap();
    fs::write(place.file(), disk.bytes()).unwrap();
    for format in FORMATS {
        place.export(format, &["--format", format], 0);
        let fresh = format!("{format}-fresh");
        place.export(&fresh, &["--format", format], 0);
        assert!(documents(&place.out(format)) == documents(&place.out(&fresh)), "{format}");
    }
}

#[test]
fn a_folder_made_from_another_store_or_in_another_format_is_refused() {
    let (one, two) = (Place::fixture("readme"), Place::fixture("every-format"));
    one.export("out", &[], 0);
    let before = files(&one.out("out"));
    let out = one.out("out");
    let output = Command::new(PSTFS).arg("export").arg(two.file()).arg(&out).output().unwrap();
    assert_eq!(output.status.code(), Some(8), "{output:?}");
    assert_eq!(said(&output), format!("pstfs: {}: was made from another store; export into another folder\n", out.display()));
    assert!(said(&one.export("out", &["--format", "mbox"], 8)).contains("was made with --format eml"));
    assert!(files(&out) == before, "nothing was touched");
    // The same store under another name and at another place is the same.
    fs::copy(one.file(), two.out("copy.pst")).unwrap();
    let output = Command::new(PSTFS).arg("export").arg(two.out("copy.pst")).arg(&out).output().unwrap();
    assert_eq!((output.status.code(), files(&out) == before), (Some(0), true), "{output:?}");
}

#[test]
fn a_file_of_others_in_the_way_is_an_error_of_that_item_and_stays() {
    let place = Place::fixture("readme");
    for format in ["eml", "mbox"] {
        let name = if format == "eml" { "Contacts/Jane Doe.vcf" } else { "Contacts.vcf" };
        fs::create_dir_all(place.out(format).join("Contacts")).unwrap();
        fs::write(place.out(format).join(name), "mine").unwrap();
        let output = place.export(format, &["--format", format], 4);
        assert!(said(&output).contains("is in the way: it is not of an earlier run; move it away"), "{output:?}");
        assert_eq!(fs::read(place.out(format).join(name)).unwrap(), b"mine");
        assert_eq!(items(&place.out(format)).iter().filter(|item| item["status"] == "failed").count(), 1);
        fs::remove_file(place.out(format).join(name)).unwrap();
        place.export(format, &["--format", format], 0);
    }
    fs::create_dir(place.out("third")).unwrap();
    fs::write(place.out("third/Inbox"), "mine").unwrap();
    assert_eq!(said(&place.export("third", &[], 4)).matches("Inbox is in the way: it is not a folder").count(), 2);
    fs::write(place.out("file"), "mine").unwrap();
    assert!(said(&place.export("file", &[], 8)).ends_with("file: is not a folder\n"));
}

#[test]
fn a_run_that_was_killed_goes_on_where_it_was() {
    let place = Place::recipe(MANY);
    for format in ["eml", "maildir", "mbox"] {
        let clean = format!("{format}-clean");
        place.export(&clean, &["--format", format], 0);
        let dir = place.out(format);
        for _ in 0..3 {
            let mut child = Command::new(PSTFS).arg("export").arg(place.file()).arg(&dir).args(["--format", format, "-q"]).spawn().unwrap();
            let grown = || {
                if format == "mbox" {
                    dir.join(".pstfs-export.Inbox.mbox").exists()
                } else {
                    dir.join(PART).metadata().is_ok_and(|part| part.len() > 20_000)
                }
            };
            wait_until("the run is under way", || grown() || dir.join(MANIFEST).exists());
            child.kill().unwrap();
            child.wait().unwrap();
        }
        place.export(format, &["--format", format], 0);
        items(&dir);
        assert!(files(&dir) == files(&place.out(&clean)), "{format}");
    }
}

#[test]
fn what_two_runs_that_were_cut_off_wrote_is_put_together() {
    let place = Place::fixture("every-format");
    for format in FORMATS {
        place.export("clean", &["--format", format], 0);
        place.export("one", &["--format", format, "Contacts"], 0);
        place.export("two", &["--format", format, "Inbox"], 0);
        // As if a second run had been killed in the middle of a line.
        let mut part = fs::read(place.out("two").join(MANIFEST)).unwrap();
        part.truncate(part.len() * 2 / 3);
        fs::write(place.out("one").join(PART), part).unwrap();
        for (path, content) in documents(&place.out("two")) {
            let to = place.out("one").join(path);
            content.map_or_else(|| fs::create_dir_all(&to).unwrap(), |content| fs::write(&to, content).unwrap());
        }
        for _ in 0..2 {
            place.export("one", &["--format", format, "Calendar"], 0);
        }
        let kept = lines(&place.out("one")).into_iter().filter(|line| line["type"] == "kept_item").count();
        assert!(kept >= if format == "mbox" || format == "thunderbird" { 1 } else { 3 }, "{format}: {kept}");
        place.export("one", &["--format", format], 0);
        assert!(files(&place.out("one")) == files(&place.out("clean")), "{format}");
        ["clean", "one", "two"].iter().for_each(|to| fs::remove_dir_all(place.out(to)).unwrap());
    }
}

#[test]
fn ctrl_c_leaves_a_manifest_and_no_half_file() {
    let place = Place::recipe(MANY);
    for format in ["eml", "maildir", "mbox"] {
        let dir = place.out(format);
        let mut child =
            Command::new(PSTFS).arg("export").arg(place.file()).arg(&dir).args(["--format", format, "-q", "--jobs", "2"]).spawn().unwrap();
        let begun = || {
            if format == "mbox" {
                dir.join(".pstfs-export.Inbox.mbox").exists()
            } else {
                dir.join(PART).metadata().is_ok_and(|part| part.len() > 5000)
            }
        };
        wait_until("the run is under way", begun);
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(32), "{format}");
        let listed = items(&dir);
        assert_eq!(lines(&dir).pop().unwrap()["verdict"], "Cancelled");
        let is_mail = |path: &String| path.ends_with(".eml") || path.contains("/cur/") || path.starts_with("cur/");
        let there = files(&dir).keys().filter(|path| is_mail(path)).count();
        assert_eq!(there, if format == "mbox" { 0 } else { listed.len() }, "{format}: what is there is listed");
        assert!(files(&dir).keys().all(|path| path == MANIFEST || !path.contains(".pstfs-export")), "{format}: half a file");
        place.export(format, &["--format", format], 0);
        assert_eq!(items(&dir).len(), 400);
    }
}

#[test]
fn a_full_disk_ends_the_run_and_room_lets_it_go_on() {
    let place = Place::fixture("every-format");
    let disk = place.out("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=48k", "tmpfs"]).arg(&disk).output().unwrap();
    if !mounted.status.success() {
        eprintln!("skipped: no tmpfs can be mounted: {}", said(&mounted));
        return;
    }
    let full = ["eml", "mbox"].map(|format| place.run(&format!("disk/{format}"), &["--format", format]));
    let leftovers: Vec<String> =
        files(&disk).into_keys().filter(|path| path.contains(".pstfs-export.0x") || path.contains(".pstfs-export.Inbox")).collect();
    let grown = Command::new("mount").args(["-o", "remount,size=4m"]).arg(&disk).status().unwrap();
    let again = ["eml", "mbox"].map(|format| place.run(&format!("disk/{format}"), &["--format", format]));
    let ends = ["eml", "mbox"].map(|format| documents(&disk.join(format)));
    assert!(Command::new("umount").arg(&disk).status().unwrap().success() && grown.success());
    for output in full {
        assert_eq!(output.status.code(), Some(8), "{output:?}");
        assert!(said(&output).contains("No space left on device") && said(&output).contains("run the same command again"), "{output:?}");
        assert_eq!(said(&output).lines().count(), 1, "{output:?}");
    }
    assert_eq!(leftovers, Vec::<String>::new());
    for ((format, output), end) in ["eml", "mbox"].into_iter().zip(again).zip(ends) {
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        place.export(format, &["--format", format], 0);
        assert!(end == documents(&place.out(format)), "{format}");
    }
}

#[test]
fn two_runs_at_once_are_refused() {
    let place = Place::fixture("readme");
    fs::create_dir(place.out("out")).unwrap();
    let held = fs::File::open(place.out("out")).unwrap();
    held.lock().unwrap();
    assert!(said(&place.export("out", &[], 8)).contains("another export is writing to it"));
    drop(held);
    place.export("out", &[], 0);
}

// What is exported.

#[test]
fn paths_and_times_choose() {
    let place = Place::fixture("every-format");
    let chosen = |to: &str, args: &[&str]| {
        place.export(to, args, 0);
        let mut paths: Vec<String> = items(&place.out(to)).iter().map(|item| item["path"].as_str().unwrap().to_owned()).collect();
        paths.sort();
        paths
    };
    let deeper = "Inbox/Sub folder/2024-01-01 09.08.00Z Deeper.eml";
    assert_eq!(chosen("folder", &["Inbox/Sub folder"]), [deeper]);
    assert_eq!(chosen("two", &[deeper, "/Contacts/"]), ["Contacts/Ann Archer.vcf", deeper]);
    assert_eq!(chosen("times", &["--since", "2024-01-01T09:07:00Z", "--until", "2024-01-01T09:08:00Z"]).len(), 2);
    assert_eq!(chosen("day", &["--since", "2024-01-01", "--until", "2024-01-01"]).len(), 10);
    assert_eq!(chosen("later", &["--since", "2024-01-02"]).len(), 0);
    assert!(said(&place.export("none", &["No such folder"], 8)).contains("there is no 'No such folder' in it"));
    assert!(!place.out("none").exists(), "a mistake makes no folder");
    // One after the other into the same folder: what came first stays known.
    for format in ["eml", "mbox"] {
        for args in [&["Inbox/Sub folder"][..], &["Contacts"], &[]] {
            place.export(format, &[&["--format", format], args].concat(), 0);
        }
        let fresh = format!("{format}-fresh");
        place.export(&fresh, &["--format", format], 0);
        assert!(files(&place.out(format)) == files(&place.out(&fresh)), "{format}");
    }
    place.export("mbox", &["--format", "mbox", "Contacts"], 0);
    assert_eq!(lines(&place.out("mbox")).iter().filter(|line| line["type"] == "kept_item").count(), 9);
}

#[test]
fn orphans_are_exported_unless_they_are_not_wanted() {
    let place = Place::of(&forge::damaged("nbt-leaf-zeroed"));
    let codes = ["none", "orphaned"].map(|what| place.run(what, &["--recovered", what]).status.code());
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 4))), "{codes:?}");
    assert_eq!(["none", "orphaned"].map(|to| place.out(to).join("Recovered").exists()), [false, true]);
    let place = Place::fixture("deleted-messages");
    for format in FORMATS {
        place.export(format, &["--format", format, "--recovered", "all"], 0);
        let found = items(&place.out(format)).iter().filter(|item| item["folder"].as_str().unwrap().starts_with("Recovered/")).count();
        assert!(found >= 5, "{format}: {found}");
    }
}

#[test]
fn what_cannot_be_read_is_listed_with_its_reason() {
    for name in forge::names("damaged") {
        let place = Place::of(&forge::damaged(&name));
        for format in ["eml", "mbox"] {
            let output = place.run(format, &["--format", format]);
            match output.status.code() {
                Some(0) => assert!(items(&place.out(format)).iter().all(|item| item["status"] == "written")),
                Some(4) => {
                    let bad = items(&place.out(format)).into_iter().filter(|item| item["status"] != "written").collect::<Vec<_>>();
                    assert!(!bad.is_empty() && bad.iter().all(|item| !item["reason"].as_str().unwrap().is_empty()), "{name}: {bad:?}");
                }
                code => assert!(code == Some(8) && said(&output).lines().count() == 1 && !place.out(format).exists(), "{name}: {output:?}"),
            }
        }
    }
}

#[test]
fn usage_errors_are_one_line() {
    let place = Place::fixture("readme");
    for args in
        [&["--format", "pst"][..], &["--since", "soon"], &["--jobs", "0"], &["-o", "ro"], &["--format", "mbox", "-o", "attachments"]]
    {
        let output = place.export("out", args, 16);
        assert_eq!((said(&output).lines().count(), place.out("out").exists()), (1, false), "{output:?}");
    }
}

#[test]
fn json_is_what_the_schema_says_and_a_closed_pipe_ends_it_quietly() {
    let place = Place::recipe(MANY);
    let schema: Value = serde_json::from_slice(&Command::new(PSTFS).arg("schema").output().unwrap().stdout).unwrap();
    let output = place.export("out", &["--json"], 0);
    assert_eq!(said(&output), "");
    let records: Vec<Value> = String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&records[0]["type"], &records.last().unwrap()["type"]), (&"start".into(), &"end".into()));
    assert_eq!(records.len(), 402);
    for record in &records {
        let fields = schema["records"][record["type"].as_str().unwrap()]["fields"].as_object().unwrap();
        assert!(record.as_object().unwrap().keys().all(|name| fields.contains_key(name)), "{record}");
        assert!(fields.iter().all(|(name, field)| field["always"] == false || record.get(name).is_some()), "{record}");
    }
    let mut child = place.command("closed", &["--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""));
}

#[test]
fn quiet_says_nothing() {
    let place = Place::fixture("readme");
    let output = place.export("out", &["-q"], 0);
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
    let output = place.export("out", &[], 0);
    assert!(String::from_utf8(output.stdout).unwrap().contains("4 items, "), "a summary");
}
