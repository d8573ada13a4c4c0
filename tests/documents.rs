//! The documents of forged stores, byte for byte, and what other programs read in them.
//!
//! `fixtures/healthy/NAME/expected` holds the documents that the recipe beside it must give, in the folders of the
//! mounted tree and named after their subjects, other letters than ASCII percent-encoded. `scripts/bless` writes them anew: read the difference before you keep it.
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

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use mail_parser::{MessageParser, MimeHeaders};
use pstfs::store::Store;
use pstfs::tree::{Ino, Kind, Names, Tree, View};
use support::forge;

type Documents = BTreeMap<String, Vec<u8>>;

/// The cases that have expected documents, with the folder that holds them.
fn cases() -> Vec<(String, PathBuf)> {
    let folder = |name: &str| forge::fixtures().join("healthy").join(name).join("expected");
    forge::names("healthy").into_iter().map(|name| (name.clone(), folder(&name))).filter(|(_, folder)| folder.is_dir()).collect()
}

/// The stores of a case, in each variant that its recipe asks for.
fn stores(name: &str) -> Vec<(String, Tree)> {
    let recipe = forge::recipe(name);
    let tree = |bytes: Vec<u8>| {
        let store = Store::open(Arc::new(bytes), 1 << 20).unwrap();
        Tree::new(Arc::new(store), View { names: Names::Subject, ..View::default() }, 1 << 20)
    };
    let variants = forge::wanted(&recipe).into_iter();
    variants.map(|(format, cipher)| (forge::variant_name(format, cipher), tree(forge::store(format, cipher, &recipe)))).collect()
}

/// A name as the file of expectations has it: percent-encoded (RFC 3986 2.1), since not every tool that handles a
/// repository takes other letters in paths.
fn in_ascii(name: &str) -> String {
    let byte = |byte: u8| if byte.is_ascii() && byte != b'%' { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(byte).collect()
}

fn documents(tree: &Tree) -> Documents {
    let mut found = Documents::new();
    let mut waiting = vec![(Ino::ROOT, String::new())];
    while let Some((folder, path)) = waiting.pop() {
        for entry in &tree.list(folder).unwrap().entries {
            let path = format!("{path}{}", in_ascii(&entry.name));
            match entry.kind {
                Kind::Directory => waiting.push((entry.ino, format!("{path}/"))),
                Kind::File => {
                    let file = tree.open(entry.ino).unwrap();
                    found.insert(path, tree.read(&file, 0, 1 << 26).unwrap());
                }
            }
        }
    }
    found
}

fn files(root: &Path) -> Documents {
    let mut found = Documents::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// The documents of a case with the addresses of its whole store.
fn resolved(name: &str) -> Documents {
    let (format, cipher) = forge::wanted(&forge::recipe(name))[0];
    let store = Store::open(Arc::new(forge::store(format, cipher, &forge::recipe(name))), 1 << 20).unwrap();
    documents(&Tree::new(Arc::new(store), View { names: Names::Subject, resolve_store: true, ..View::default() }, 1 << 20))
}

fn bless(folder: &Path, documents: &Documents) {
    std::fs::remove_dir_all(folder).unwrap();
    std::fs::create_dir(folder).unwrap();
    for (name, bytes) in documents {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// The first lines that differ.
fn difference(expected: &[u8], given: &[u8]) -> String {
    let lines =
        |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line).into_owned()).collect::<Vec<_>>();
    let (expected, given) = (lines(expected), lines(given));
    let at = expected.iter().zip(&given).take_while(|(a, b)| a == b).count();
    let part = |lines: &[String]| lines.iter().skip(at).take(4).cloned().collect::<Vec<_>>().join("\n    ");
    format!("line {}: expected\n    {}\ngiven\n    {}", at + 1, part(&expected), part(&given))
}

/// All expected messages, as files.
fn messages() -> Vec<PathBuf> {
    let is_mail = |name: &String| name.ends_with(".eml");
    cases().into_iter().flat_map(|(_, folder)| files(&folder).into_keys().filter(is_mail).map(move |name| folder.join(name))).collect()
}

/// Whether `python3` is there; says so where it is not.
fn python() -> bool {
    let found = Command::new("python3").arg("-V").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: there is no python3");
    }
    found
}

fn python_lines(script: &str, files: &[PathBuf]) -> Vec<String> {
    let output = Command::new("python3").arg("-c").arg(script).args(files).env("PYTHONUTF8", "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn each_recipe_gives_its_documents_in_every_format() {
    let blessing = std::env::var_os("PSTFS_BLESS").is_some();
    for (name, folder) in cases() {
        for (variant, tree) in stores(&name) {
            let given = documents(&tree);
            if blessing {
                bless(&folder, &given);
            }
            let expected = files(&folder);
            for (path, bytes) in &expected {
                let document = given.get(path).unwrap_or_else(|| panic!("{name}, {variant}: no {path}"));
                assert!(document == bytes, "{name}, {variant}: {path}: {}", difference(bytes, document));
            }
            assert_eq!(given.len(), expected.len(), "{name}, {variant}: {:?}", given.keys());
        }
    }
}

/// Nothing that threads share, and no order in which they run, is part of a document.
#[test]
fn two_threads_give_the_same_documents() {
    for (name, _) in cases() {
        let recipe = forge::recipe(&name);
        let (format, cipher) = forge::wanted(&recipe)[0];
        let store = Arc::new(Store::open(Arc::new(forge::store(format, cipher, &recipe)), 1 << 20).unwrap());
        let render = || documents(&Tree::new(Arc::clone(&store), View::default(), 1 << 20));
        let (one, two) = std::thread::scope(|scope| {
            let other = scope.spawn(render);
            (render(), other.join().unwrap())
        });
        assert!(!one.is_empty() && one == two, "{name}");
    }
}

#[test]
fn the_addresses_of_the_whole_store_change_only_what_nothing_else_resolves() {
    let (_, folder) = cases().into_iter().find(|(name, _)| name == "mail-people").unwrap();
    let (plain, resolved) = (files(&folder), resolved("mail-people"));
    let changed: Vec<&str> = plain.keys().filter(|name| plain[*name] != resolved[*name]).map(String::as_str).collect();
    assert_eq!(changed, ["Inbox/Resolved by the store only.eml", "Inbox/Who replies reach.eml"]);
    let lines = |name: &str| String::from_utf8(resolved[name].clone()).unwrap();
    let people = lines(changed[0]);
    for wanted in ["From: Ann Archer <ann@example.com>\n", "Sender: Bob's helper <bob@example.com>\n", "Cc: Dan Drew <dan@example.com>\n"] {
        assert!(people.contains(wanted), "{people}");
    }
    assert!(
        lines(changed[1]).contains("Reply-To: Bob Baker <bob@example.com>, \"Liste, die\" <list@example.com>\n"),
        "{}",
        lines(changed[1])
    );
}

#[test]
fn of_two_addresses_for_a_name_that_of_the_lowest_node_counts() {
    let note = |subject: &str, smtp: &str| {
        let dn = "prop 0x0c1e unicode EX\n    prop 0x0c1f unicode \"/o=Org/cn=ann\"\n";
        let smtp = if smtp.is_empty() { String::new() } else { format!("    prop 0x5d01 unicode {smtp}\n") };
        format!("  item class=IPM.Note subject=\"{subject}\"\n    prop 0x0c1a unicode Ann\n    {dn}{smtp}")
    };
    let notes = [note("first", "one@example.com"), note("second", "two@example.com"), note("third", "")].concat();
    let recipe = forge::Recipe::parse(&format!("store Two\nfolder Inbox\n{notes}"));
    let bytes = forge::store(pstfs::format::Format::Unicode, pstfs::format::cipher::Cipher::None, &recipe);
    let view = View { names: Names::Subject, resolve_store: true, ..View::default() };
    let given = documents(&Tree::new(Arc::new(Store::open(Arc::new(bytes), 1 << 20).unwrap()), view, 1 << 20));
    let from = |name: &str| String::from_utf8_lossy(&given[name]).lines().find(|line| line.starts_with("From")).unwrap().to_owned();
    assert_eq!(from("Inbox/second.eml"), "From: Ann <two@example.com>", "its own property counts first");
    assert_eq!(from("Inbox/third.eml"), "From: Ann <one@example.com>");
}

#[test]
fn lines_are_no_longer_than_mail_allows() {
    for path in messages() {
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 998), "{}", path.display());
    }
}

/// What `mail-parser` and Python read as the names of attachments, in the order of the parts.
const NAMES: &str = "
import sys, email, email.policy
for path in sys.argv[1:]:
    with open(path, 'rb') as file:
        message = email.message_from_binary_file(file, policy=email.policy.default)
    # The parts of an attached message are its own business.
    todo, names = [message], []
    while todo:
        part = todo.pop(0)
        if part.get_filename() is not None:
            names.append(part.get_filename())
        if part.get_content_maintype() == 'multipart':
            todo[0:0] = list(part.iter_parts())
    print('\\x1f'.join(names))
";

#[test]
fn two_independent_readers_agree_on_the_names_of_attachments() {
    if !python() {
        return;
    }
    let paths = messages();
    for (path, line) in paths.iter().zip(python_lines(NAMES, &paths)) {
        let bytes = std::fs::read(path).unwrap();
        let message = MessageParser::default().parse(&bytes).unwrap();
        let names: Vec<&str> = message.parts.iter().filter_map(MimeHeaders::attachment_name).collect();
        assert_eq!(names.join("\u{1f}"), line, "{}", path.display());
    }
}

/// Python's strictest reading: a line for each defect of a part or a field.
const DEFECTS: &str = "
import sys, email, email.policy
for path in sys.argv[1:]:
    with open(path, 'rb') as file:
        message = email.message_from_binary_file(file, policy=email.policy.default)
    for part in message.walk():
        for defect in part.defects:
            print(path, repr(defect))
        for name, value in part.items():
            for defect in value.defects:
                # Names in encoded-words are against RFC 2047, and what Outlook reads; filename* beside them is right.
                if name == 'Content-Type' and 'encoded' in str(defect):
                    continue
                print(path, name, repr(defect))
        if part.get_content_maintype() == 'text':
            part.get_content()
";

/// The healthy stores of the corpus that lies beside the project or beside a work tree of it, if it does.
fn corpus() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = ["../shared/corpus", "../../shared/corpus"].iter().map(|path| root.join(path)).find(|path| path.is_dir());
    let Some(folder) = folder else {
        eprintln!("skipped: there is no ../shared/corpus with real stores");
        return Vec::new();
    };
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.tsv")).unwrap();
    let rows = manifest.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    rows.filter(|row| row.get(1) == Some(&"healthy")).map(|row| folder.join(row[0])).collect()
}

#[test]
fn every_mail_of_real_stores_is_read_without_defect() {
    if !python() {
        return;
    }
    for path in corpus() {
        let store = Store::open(Arc::new(std::fs::read(&path).unwrap()), 1 << 20).unwrap();
        let view = View { all_folders: true, hidden: true, ..View::default() };
        let mails = documents(&Tree::new(Arc::new(store), view, 8 << 20)).into_iter().filter(|(name, _)| name.ends_with(".eml"));
        let folder = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        for (number, (name, bytes)) in mails.enumerate() {
            let message = MessageParser::default().parse(&bytes).unwrap_or_else(|| panic!("{}: {name}", path.display()));
            assert!(!message.parts.iter().any(|part| part.is_encoding_problem), "{}: {name}", path.display());
            let file = folder.path().join(format!("{number}.eml"));
            std::fs::write(&file, &bytes).unwrap();
            files.push(file);
        }
        // What came with a message, such as an id with two `@`, stays as it came; the fields of its structure are ours.
        let told = |line: &String| line.split_once(".eml ").unwrap().1.split(' ').next().unwrap().to_owned();
        let ours = |line: &String| told(line).starts_with("Content-") || told(line).contains('(');
        let defects: Vec<String> = python_lines(DEFECTS, &files).into_iter().filter(ours).collect();
        assert_eq!(defects, Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn python_finds_no_defect() {
    if python() {
        assert_eq!(python_lines(DEFECTS, &messages()), Vec::<String>::new());
    }
}

/// The documents of a real store whose file's name begins so.
fn real(start: &str) -> Option<Documents> {
    let path = corpus().into_iter().find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(start))?;
    let store = Store::open(Arc::new(std::fs::read(path).unwrap()), 1 << 20).unwrap();
    Some(documents(&Tree::new(Arc::new(store), View { names: Names::Subject, all_folders: true, ..View::default() }, 8 << 20)))
}

/// The document whose path ends so, as text.
fn mail(documents: &Documents, end: &str) -> String {
    let found = documents.iter().find(|(path, _)| path.ends_with(&format!("/{end}.eml")));
    let (_, bytes) = found.unwrap_or_else(|| panic!("no {end} in {:?}", documents.keys()));
    String::from_utf8(bytes.clone()).unwrap()
}

/// What the tests of other programs assert of these stores.
#[test]
fn real_stores_say_what_other_programs_found_in_them() {
    let wanted: &[(&str, &str, &[&str])] = &[
        (
            "aranetic_multiple_to_cc",
            "",
            &[
                "\"John Doe\" <pst-test-1@aranetic.com>,\n\t\"Jane Doe\" <pst-test-2@aranetic.com>",
                "Cc: <pst-test-3@aranetic.com>,\n\t<pst-test-4@aranetic.com>",
            ],
        ),
        (
            "aranetic_flags_jane_doe",
            "Unread email (do not open)",
            &["Return-Path:", "pst-test-1@aranetic.com", "pst-test-2@", "This email has never been read.", "\nStatus: O\n"],
        ),
        ("aranetic_flags_jane_doe", "This email is important!", &["Importance: High"]),
        ("aranetic_flags_jane_doe", "Needs response", &["X-Status: F"]),
        ("pstsdk_sample1", "Here is a sample message", &["Terry Mahaffey <terrymah@microsoft.com>", "filename=\"leah_thumper.jpg\""]),
        (
            "pstsdk_submessage",
            "This is a message which has an embedded message attached",
            &["message/rfc822", "Subject: This is an embedded message\n"],
        ),
        ("tika_testPST", "Re_ Feature Generators", &["kottmann@gmail.com", "users@opennlp.apache.org", "<530D9CAC.5080901@gmail.com>"]),
    ];
    for (store, subject, parts) in wanted {
        let Some(documents) = real(store) else { return };
        let only = documents.keys().find(|path| path.ends_with(".eml")).unwrap();
        let text = if subject.is_empty() { String::from_utf8(documents[only].clone()).unwrap() } else { mail(&documents, subject) };
        parts
            .iter()
            .for_each(|part| assert!(text.replace("\n ", " ").contains(&part.replace("\n ", " ")), "{store}: {subject}: no {part}"));
    }
}

#[test]
fn four_messages_inside_each_other_keep_their_images() {
    let Some(documents) = real("hiraoka_alpha-beta-gamma-delta") else { return };
    let bytes = documents.values().next().unwrap();
    let mut message = MessageParser::default().parse(bytes.as_slice()).unwrap().into_owned();
    for name in ["alpha", "beta", "gamma", "delta"] {
        assert!(message.body_text(0).unwrap().contains(&format!("This is message {name}.")), "{name}");
        let images = message.attachments().filter(|part| part.attachment_name() == Some(&format!("{name}.png"))).count();
        assert_eq!(images, 1, "{name}");
        let inner = message.attachments().find_map(|part| part.message()).map(|inner| inner.clone().into_owned());
        match inner {
            Some(inner) => message = inner,
            None => assert_eq!(name, "delta"),
        }
    }
}
