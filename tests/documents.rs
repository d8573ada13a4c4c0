//! The documents of forged stores, byte for byte, and what other programs read in them.
//!
//! `fixtures/healthy/NAME/expected` holds the documents that the recipe beside it must give, in the folders of the
//! mounted tree and named after their subjects. `scripts/bless` writes them anew: read the difference before you keep it.
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

fn documents(tree: &Tree) -> Documents {
    let mut found = Documents::new();
    let mut waiting = vec![(Ino::ROOT, String::new())];
    while let Some((folder, path)) = waiting.pop() {
        for entry in &tree.list(folder).unwrap().entries {
            let path = format!("{path}{}", entry.name);
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
                print(path, name, repr(defect))
        if part.get_content_maintype() == 'text':
            part.get_content()
";

#[test]
fn python_finds_no_defect() {
    if python() {
        assert_eq!(python_lines(DEFECTS, &messages()), Vec::<String>::new());
    }
}
