//! What a user sees of `pstfs info`, `ls`, `cat`, `inspect` and `schema`.
//!
//! Mistakes, help and made-up files need nothing. Where the real stores of `../shared/corpus` lie beside the project,
//! all of them are looked at too; the tests say when they are not.

#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const PSTFS: &str = env!("CARGO_BIN_EXE_pstfs");
const VERBS: [&str; 7] = ["info", "ls", "cat", "scan", "export", "inspect", "schema"];

// What the tests stand on.

fn pstfs<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(args: I) -> Output {
    let mut command = Command::new("timeout");
    command.arg("60").arg(PSTFS).args(args).env("LC_ALL", "C").stdin(Stdio::null()).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The real stores, if they lie beside the project or beside a work tree of it.
fn corpus() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = ["../shared/corpus", "../../shared/corpus"].iter().map(|path| root.join(path)).find(|path| path.is_dir());
    if found.is_none() {
        eprintln!("skipped: there is no ../shared/corpus with real stores");
    }
    found
}

/// A real store as its manifest tells of it.
struct Real {
    path: PathBuf,
    healthy: bool,
    fragment: bool,
    messages: u64,
}

fn stores() -> Option<Vec<Real>> {
    let corpus = corpus()?;
    let manifest = fs::read_to_string(corpus.join("MANIFEST.tsv")).unwrap();
    let mut lines = manifest.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let column = |name: &str| head.iter().position(|column| *column == name).unwrap();
    let (file, health, counts) = (column("file"), column("health"), column("libpff folders/messages/attachments"));
    let stores = lines.map(|line| Real {
        path: corpus.join(line[file]),
        healthy: line[health] == "healthy",
        fragment: line[health].starts_with("fragment"),
        messages: line[counts].split('/').nth(1).unwrap().parse().unwrap(),
    });
    let stores: Vec<Real> = stores.collect();
    assert!(stores.len() > 40, "the manifest lists {}", stores.len());
    Some(stores)
}

/// The records on standard output, each held against the schema.
fn records(output: &Output) -> Vec<Value> {
    let schema: Value = serde_json::from_slice(&pstfs(["schema"]).stdout).unwrap();
    let records: Vec<Value> = out(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    records.iter().for_each(|record| conforms(&schema, record));
    let kind = |record: Option<&Value>| record.map(|record| record["type"].as_str().unwrap().to_owned());
    assert_eq!((kind(records.first()).as_deref(), kind(records.last()).as_deref()), (Some("start"), Some("end")));
    assert_eq!(records[0]["schema"], schema["schema"]);
    records
}

fn conforms(schema: &Value, record: &Value) {
    let fields = schema["records"][record["type"].as_str().unwrap()]["fields"].as_object();
    let fields = fields.unwrap_or_else(|| panic!("a record of an unknown type: {record}"));
    for (name, field) in fields {
        let there = record.get(name).is_some();
        assert!(there || field["always"] == false, "{name} is missing: {record}");
    }
    for (name, value) in record.as_object().unwrap() {
        let type_ = fields.get(name).unwrap_or_else(|| panic!("{name} is not in the schema: {record}"))["type"].as_str().unwrap();
        assert!(is_of(value, type_), "{name} is no {type_}: {record}");
    }
}

fn is_of(value: &Value, type_: &str) -> bool {
    let lower_hex =
        |text: &str| text.strip_prefix("0x").is_some_and(|hex| !hex.is_empty() && hex.bytes().all(|b| b"0123456789abcdef".contains(&b)));
    let is_time = |text: &str| text.ends_with('Z') && text.len() >= 20 && text.as_bytes()[10] == b'T';
    match type_ {
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        "hex" => value.as_str().is_some_and(lower_hex),
        "time" => value.as_str().is_some_and(is_time),
        "counts" => value.as_object().is_some_and(|counts| counts.values().all(Value::is_u64)),
        "strings" => value.as_array().is_some_and(|texts| texts.iter().all(Value::is_string)),
        "properties" | "rows" | "attachments" => value.is_array(),
        "value" => !value.is_object(),
        other => panic!("the schema has an unknown type {other}"),
    }
}

fn counts(records: &[Value]) -> BTreeMap<String, u64> {
    let counts = records.last().unwrap()["counts"].as_object().unwrap();
    counts.iter().map(|(name, count)| (name.clone(), count.as_u64().unwrap())).collect()
}

/// A folder with files that are no stores, each in its own way.
struct Wrong {
    dir: tempfile::TempDir,
}

impl Wrong {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
        file("empty.pst", b"");
        file("text.pst", b"Dear reader, this is not a store at all.\n");
        file("cut.pst", &header(0x01)[..40]);
        file("short.pst", b"!BDN");
        file("wip.pst", &header(0x10));
        file("header.pst", &header(0x01));
        let mut unknown = header(0x01);
        unknown[10] = 3;
        file("version.pst", &unknown);
        Self { dir }
    }

    fn path(&self, name: &str) -> String {
        text(&self.dir.path().join(name)).to_owned()
    }
}

/// A Unicode header whose roots lie outside the file, with this encryption method.
fn header(crypt_method: u8) -> Vec<u8> {
    let mut bytes = vec![0; 564];
    bytes[..4].copy_from_slice(b"!BDN");
    bytes[8..10].copy_from_slice(b"SM");
    bytes[10] = 23;
    // Both roots, far outside.
    bytes[0xe0..0xe8].copy_from_slice(&0x0090_5200_u64.to_le_bytes());
    bytes[0xf0..0xf8].copy_from_slice(&0x0090_5400_u64.to_le_bytes());
    bytes[512] = 0x80;
    bytes[513] = crypt_method;
    bytes
}

// Mistakes.

#[test]
fn each_file_that_is_no_store_has_one_clear_line() {
    let wrong = Wrong::new();
    let folder = text(wrong.dir.path()).to_owned();
    let cases = [
        (wrong.path("missing.pst"), "does not exist"),
        (folder, "is a folder; give the .pst or .ost file in it"),
        (wrong.path("empty.pst"), "is empty"),
        (wrong.path("text.pst"), "not an Outlook mail store"),
        (wrong.path("short.pst"), "not an Outlook mail store"),
        (wrong.path("cut.pst"), "ends after 40 bytes, inside its header"),
        (wrong.path("wip.pst"), "encrypted by Windows Information Protection"),
        (wrong.path("version.pst"), "unknown version 3"),
        (wrong.path("header.pst"), "header' shows what can be read"),
        ("/dev/null".to_owned(), "is not a regular file"),
    ];
    for (file, words) in &cases {
        for args in [vec!["info", file], vec!["ls", file], vec!["ls", "-lR", file, "Inbox"], vec!["cat", file, "Inbox/x.eml"]] {
            let output = pstfs(&args);
            let text = errors(&output);
            assert_eq!((code(&output), text.lines().count(), out(&output).as_str()), (8, 1, ""), "{args:?}: {text}");
            assert!(text.starts_with(&format!("pstfs: {file}: ")) && text.contains(words), "{args:?}: {text}");
        }
    }
}

#[test]
fn a_command_line_that_makes_no_sense_is_16() {
    let wrong = Wrong::new();
    let file = wrong.path("header.pst");
    let cases: [(&[&str], &str); 15] = [
        (&["info"], "FILE"),
        (&["info", "--frobnicate", &file], "--frobnicate"),
        (&["ls"], "FILE"),
        (&["ls", "-o", "ro", &file], "-o ro"),
        (&["ls", "-o", "recovered=some", &file], "recovered=some"),
        (&["ls", "-o", "frobnicate", &file], "frobnicate"),
        (&["cat", &file], "PATH"),
        (&["cat", "-o", "names=x", &file, "a"], "names=x"),
        (&["inspect", &file], "WHAT"),
        (&["inspect", &file, "everything"], "everything"),
        (&["inspect", &file, "page"], "needs a number"),
        (&["inspect", &file, "page", "12g"], "'12g' is no number"),
        (&["inspect", &file, "node", "0x100000000"], "no node id"),
        (&["inspect", &file, "header", "1"], "takes no number"),
        (&["schema", "2"], "2"),
    ];
    for (args, words) in cases {
        let output = pstfs(args);
        let text = errors(&output);
        assert_eq!((code(&output), text.lines().count(), out(&output).as_str()), (16, 1, ""), "{args:?}: {text}");
        assert!(text.contains(words), "{args:?}: {text}");
    }
}

#[test]
fn several_files_are_all_looked_at_and_one_failure_is_the_exit_code() {
    let wrong = Wrong::new();
    let (empty, cut) = (wrong.path("empty.pst"), wrong.path("cut.pst"));
    let output = pstfs(["info", &empty, &cut]);
    let text = errors(&output);
    assert_eq!((code(&output), text.lines().count()), (8, 2), "{text}");
    assert!(text.contains(&empty) && text.contains(&cut));
}

#[test]
fn a_failure_is_told_in_json_too() {
    let wrong = Wrong::new();
    for verb in ["info", "ls"] {
        let output = pstfs([verb, "--json", &wrong.path("cut.pst")]);
        let records = records(&output);
        assert_eq!((code(&output), errors(&output).lines().count(), records.len()), (8, 1, 3));
        assert!(records[1]["message"].as_str().unwrap().contains("ends after 40 bytes"));
        assert_eq!((&records[2]["verdict"], &records[2]["exit"]), (&"Failed".into(), &8.into()));
    }
}

#[test]
fn help_has_examples_and_exit_codes() {
    for verb in VERBS {
        let output = pstfs([verb, "--help"]);
        let help = out(&output);
        assert_eq!((code(&output), errors(&output).as_str()), (0, ""));
        assert!(help.contains("Examples:") && help.contains(&format!("pstfs {verb}")), "{help}");
        assert!(verb == "schema" || help.contains("Exit codes:"), "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
    }
}

// Made-up files.

#[test]
fn a_header_is_shown_of_files_that_are_no_stores() {
    let wrong = Wrong::new();
    for (name, words) in [
        ("cut.pst", "ends after 40 of the header's 564 bytes"),
        ("short.pst", "ends after 4 of"),
        ("text.pst", "the magic is not !BDN"),
        ("wip.pst", "encrypted by Windows Information Protection"),
        ("version.pst", "the version is not known"),
        ("header.pst", "the root page of nodes (0x905200) lies outside the file"),
    ] {
        let output = pstfs(["inspect", &wrong.path(name), "header"]);
        let text = out(&output).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!((code(&output), errors(&output).as_str()), (0, ""), "{name}");
        assert!(text.contains(words), "{name}: {text}");
    }
}

#[test]
fn fields_behind_the_end_of_a_cut_header_are_not_shown() {
    let wrong = Wrong::new();
    let shown = out(&pstfs(["inspect", &wrong.path("cut.pst"), "header"]));
    assert!(shown.contains("version_client") && !shown.contains("crypt_method") && !shown.contains("file_eof"), "{shown}");
}

#[test]
fn a_page_is_shown_without_any_tree() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("no header.pst");
    // One entry of a Unicode block B-tree, without a header before it, and a trailer that fits nothing.
    let mut page = vec![0; 1024];
    page[512..520].copy_from_slice(&0x44_u64.to_le_bytes());
    page[520..528].copy_from_slice(&0x5800_u64.to_le_bytes());
    page[512 + 488..512 + 492].copy_from_slice(&[1, 20, 24, 0]);
    page[512 + 496..512 + 498].copy_from_slice(&[0x80, 0x80]);
    fs::write(&file, &page).unwrap();
    let output = pstfs(["inspect", "--format", "unicode", text(&file), "page", "512"]);
    let shown = out(&output);
    assert_eq!(code(&output), 0, "{}", errors(&output));
    assert!(shown.contains("0x44 at 0x5800") && shown.contains("!! crc: stored 0x0") && shown.contains("19 more old entries"), "{shown}");
    let output = pstfs(["inspect", text(&file), "page", "0x1000"]);
    assert_eq!((code(&output), errors(&output).lines().count()), (8, 1));
}

#[test]
fn the_schema_is_json_and_a_closed_pipe_is_the_end() {
    let schema: Value = serde_json::from_slice(&pstfs(["schema"]).stdout).unwrap();
    assert_eq!(schema["schema"], 1);
    let line = "\"$1\" schema | true; echo ${PIPESTATUS[0]}";
    let output = Command::new("bash").args(["-c", line, "bash", PSTFS]).output().unwrap();
    assert_eq!((out(&output).as_str(), errors(&output).as_str()), ("0\n", ""));
}

// Real stores.

#[test]
fn all_rows_of_real_stores_are_accounted_for() {
    let Some(stores) = stores() else { return };
    let mut wrong = Vec::new();
    for store in stores.iter().filter(|store| !store.fragment) {
        let output = pstfs(["info", "--json", text(&store.path)]);
        assert_eq!(code(&output), 0, "{}: {}", store.path.display(), errors(&output));
        let counts = counts(&records(&output));
        let sum = |names: &[&str]| names.iter().map(|name| counts[*name]).sum::<u64>();
        let name = store.path.file_name().unwrap().to_str().unwrap();
        if counts["rows"] != sum(&["files", "hidden", "failed"]) || counts["rows"] != sum(&["items", "associated"]) {
            wrong.push(format!("{name}: {counts:?}"));
        }
        assert_eq!(counts["files"], sum(&["mail", "calendar", "contacts"]), "{name}");
        if store.healthy && counts["items"] != store.messages {
            wrong.push(format!("{name}: {} items, libpff has {}", counts["items"], store.messages));
        }
        if store.healthy && counts["failed"] != 0 {
            wrong.push(format!("{name}: {} rows failed", counts["failed"]));
        }
        // What is counted as shown is what is listed.
        let listed = |options: &str| counts_of_ls(store, options)["files"];
        if listed("recovered=orphaned") != sum(&["files", "orphans"]) {
            wrong.push(format!("{name}: {} listed, counted {counts:?}", listed("recovered=orphaned")));
        }
        // With all that can be shown, nothing is hidden: each row that can be read is a document.
        let all = listed("all_folders,hidden");
        if all != counts["rows"] - counts["failed"] + counts["orphans"] {
            wrong.push(format!("{name}: {all} with all options, counted {counts:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn counts_of_ls(store: &Real, options: &str) -> BTreeMap<String, u64> {
    let output = pstfs(["ls", "-R", "--json", "-o", options, text(&store.path)]);
    let records = records(&output);
    let counts = counts(&records);
    let of_kind = |kind: &str| u64::try_from(records.iter().filter(|record| record["kind"] == kind).count()).unwrap();
    assert_eq!((counts["files"], counts["folders"]), (of_kind("file"), of_kind("folder")));
    counts
}

#[test]
fn info_of_real_stores_fits_into_80_columns() {
    let Some(stores) = stores() else { return };
    for store in stores.iter().filter(|store| !store.fragment) {
        let shown = out(&pstfs(["info", text(&store.path)]));
        // The first line is the file's name, which is as long as it is.
        assert!(shown.lines().skip(1).all(|line| line.chars().count() <= 80), "{shown}");
        assert!(shown.contains("Renderer"), "{shown}");
    }
}

#[test]
fn healthy_real_stores_are_not_said_to_be_damaged() {
    let Some(stores) = stores() else { return };
    let told = stores.iter().filter(|store| store.healthy).map(|store| errors(&pstfs(["info", text(&store.path)])));
    let told: Vec<String> = told.filter(|errors| !errors.is_empty()).collect();
    assert!(told.is_empty(), "{}", told.concat());
}

#[test]
fn each_line_about_several_files_begins_with_the_file() {
    let Some(stores) = stores() else { return };
    let (one, two) = (text(&stores[0].path), text(&stores[1].path));
    let shown = out(&pstfs(["info", one, two]));
    assert!(shown.lines().all(|line| line.starts_with(&format!("{one}: ")) || line.starts_with(&format!("{two}: "))), "{shown}");
}

#[test]
fn what_ls_shows_cat_prints_with_the_size_told() {
    let Some(stores) = stores() else { return };
    let store = stores.iter().find(|store| store.path.ends_with("asp_all_types.pst")).unwrap();
    let output = pstfs(["ls", "-lR", "--json", text(&store.path)]);
    let files: Vec<Value> = records(&output).into_iter().filter(|record| record["kind"] == "file").collect();
    assert!(!files.is_empty());
    for file in files {
        let output = pstfs(["cat", text(&store.path), file["path"].as_str().unwrap()]);
        assert_eq!(code(&output), 0, "{file}");
        assert_eq!(file["size"].as_u64(), u64::try_from(output.stdout.len()).ok(), "{file}");
    }
}

#[test]
fn a_path_that_is_not_there_or_a_folder_is_told() {
    let Some(stores) = stores() else { return };
    let file = text(&stores[0].path);
    for (args, words) in [(["ls", file, "No/such"], "there is no 'No/such' in it"), (["cat", file, "x.eml"], "there is no 'x.eml' in it")] {
        let output = pstfs(args);
        assert_eq!((code(&output), errors(&output).lines().count()), (8, 1));
        assert!(errors(&output).contains(words), "{}", errors(&output));
    }
    let output = pstfs(["cat", file, "Recovered"]);
    assert!(code(&output) == 8 && errors(&output).contains("is a folder"), "{}", errors(&output));
}

#[test]
fn a_listing_into_a_closed_pipe_ends_quietly() {
    let Some(stores) = stores() else { return };
    let largest = stores.iter().find(|store| text(&store.path).contains("asp_deep_wide")).unwrap();
    let line = "\"$1\" ls -R \"$2\" | head -n 1 >/dev/null; echo ${PIPESTATUS[0]}";
    let output = Command::new("bash").args(["-c", line, "bash", PSTFS, text(&largest.path)]).output().unwrap();
    assert_eq!((out(&output).as_str(), errors(&output).as_str()), ("0\n", ""));
}

#[test]
fn real_stores_can_be_looked_into() {
    let Some(stores) = stores() else { return };
    for store in stores.iter().filter(|store| store.healthy) {
        let file = text(&store.path);
        let questions: [&[&str]; 6] =
            [&["header"], &["node", "0x21"], &["props", "0x21"], &["props", "0x122"], &["table", "0x12d"], &["node", "0x61"]];
        for question in questions {
            let output = pstfs(["inspect", file].iter().chain(question));
            assert_eq!((code(&output), errors(&output).as_str()), (0, ""), "{file} {question:?}");
            assert!(!out(&output).contains("!!"), "{file} {question:?}: {}", out(&output));
        }
    }
}

#[test]
fn looking_leaves_the_file_as_it_is() {
    let Some(stores) = stores() else { return };
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy.pst");
    fs::copy(&stores[1].path, &copy).unwrap();
    let before = (fs::read(&copy).unwrap(), fs::metadata(&copy).unwrap().modified().unwrap());
    let file = text(&copy);
    for args in [vec!["info", file], vec!["ls", "-lR", file], vec!["inspect", file, "table", "0x12d"]] {
        assert_eq!(code(&pstfs(args)), 0);
    }
    assert_eq!((fs::read(&copy).unwrap(), fs::metadata(&copy).unwrap().modified().unwrap()), before);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was made beside it");
}

/// Seeded damage: bytes changed at random, a few of them in the header's roots and the pages near the start.
#[test]
fn no_damage_ends_in_a_panic_or_a_hang() {
    let Some(stores) = stores() else { return };
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("damaged.pst");
    let file = text(&copy);
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let rounds = if std::env::var_os("PSTFS_LONG").is_some() { 40 } else { 2 };
    for store in stores.iter().filter(|store| fs::metadata(&store.path).unwrap().len() < 600_000) {
        let original = fs::read(&store.path).unwrap();
        for round in 0..rounds {
            let mut bytes = original.clone();
            for flip in 0..(8 << (round % 4)) {
                let end = if flip % 4 == 0 { bytes.len().min(564) } else { bytes.len() };
                // The magic and the version stay, or there would be nothing to look at.
                let at = 12 + random.below(end - 12);
                bytes[at] = random.byte();
            }
            bytes.truncate(bytes.len() - random.below(bytes.len() / 8));
            fs::write(&copy, &bytes).unwrap();
            let page = random.below(bytes.len()).to_string();
            let questions: [&[&str]; 9] = [
                &["info", file],
                &["info", "--json", file],
                &["ls", "-lR", "-o", "all_folders,hidden,attachments", file],
                &["inspect", "--all", file, "header"],
                &["inspect", "--all", file, "page", &page],
                &["inspect", "--all", file, "block", "0x4"],
                &["inspect", "--all", file, "node", "0x122"],
                &["inspect", "--all", file, "props", "0x21"],
                &["inspect", "--all", file, "table", "0x12d"],
            ];
            for question in questions {
                let output = pstfs(question);
                let told = errors(&output);
                // One line tells of a search, one of what was met.
                let good = [Some(0), Some(8)].contains(&output.status.code()) && !told.contains("panicked") && told.lines().count() <= 2;
                assert!(good, "{} round {round} {question:?}: {:?} {told}", store.path.display(), output.status);
            }
        }
    }
}

/// A small generator (xorshift64), so that every run damages the same bytes.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.next() & 0xff).unwrap()
    }
}
