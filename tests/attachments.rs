//! Attachments as files of their own, and large ones.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use mail_parser::{MessageParser, MimeHeaders, PartType};
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::store::Store;
use pstfs::tree::{Ino, Kind, Names, Tree, View};
use support::forge;

const PSTFS: &str = env!("CARGO_BIN_EXE_pstfs");

/// What a folder of the tree holds, by name; folders have no bytes.
fn listed(tree: &Tree, folder: Ino) -> Vec<(String, Ino, Vec<u8>)> {
    let entries = tree.list(folder).unwrap();
    let read = |ino: Ino| {
        let size = usize::try_from(tree.attributes(ino).unwrap().size).unwrap();
        let bytes = tree.read(&tree.open(ino).unwrap(), 0, size + 1).unwrap();
        assert_eq!(bytes.len(), size);
        bytes
    };
    let bytes = |entry: &pstfs::tree::Entry| if entry.kind == Kind::File { read(entry.ino) } else { Vec::new() };
    entries.entries.iter().map(|entry| (entry.name.clone(), entry.ino, bytes(entry))).collect()
}

/// The attachments of a message, as mail-parser reads them: all parts with a name but the body, none of an inner message.
fn parts(eml: &[u8]) -> Vec<Vec<u8>> {
    let message = MessageParser::default().parse(eml).unwrap();
    let named = message.parts.iter().filter(|part| part.attachment_name().is_some_and(|name| name != "body.rtf"));
    let files = named.filter(|part| !matches!(part.body, PartType::Multipart(_)));
    let files = files.filter(|part| part.content_type().and_then(|kind| kind.subtype()) != Some("applefile"));
    let bytes = |part: &mail_parser::MessagePart<'_>| match &part.body {
        PartType::Message(inner) => inner.raw_message().to_vec(),
        _ => part.contents().to_vec(),
    };
    files.map(bytes).collect()
}

/// The files without what a message inside another differs in: the depth in its borders, the line end before the outer one.
fn comparable(files: impl IntoIterator<Item = Vec<u8>>) -> Vec<String> {
    let text = |file: Vec<u8>| String::from_utf8_lossy(file.trim_ascii_end()).replace("=_pstfs_1", "=_pstfs_0");
    let mut texts: Vec<String> = files.into_iter().map(text).collect();
    texts.sort();
    texts
}

#[test]
fn the_folder_of_attachments_holds_the_files_of_the_message() {
    let recipe = forge::recipe("attachments-as-files");
    for (format, cipher) in forge::wanted(&recipe) {
        let store = Store::open(Arc::new(forge::store(format, cipher, &recipe)), 1 << 20).unwrap();
        let tree = Tree::new(Arc::new(store), View { names: Names::Subject, attachments: true, ..View::default() }, 1 << 20);
        let (_, inbox, _) = listed(&tree, Ino::ROOT).into_iter().find(|(name, ..)| name == "Inbox").unwrap();
        let inbox: BTreeMap<String, (Ino, Vec<u8>)> =
            listed(&tree, inbox).into_iter().map(|(name, ino, bytes)| (name, (ino, bytes))).collect();
        let messages: Vec<&String> = inbox.keys().filter(|name| name.ends_with(".eml")).collect();
        assert_eq!(messages.len(), 5);
        for name in messages {
            let files = listed(&tree, inbox[&format!("{name}.attachments")].0);
            let mut names: Vec<String> = files.iter().map(|(name, ..)| name.to_lowercase()).collect();
            assert!(names.iter().all(|name| !name.starts_with('.') && !name.contains('/')), "{names:?}");
            names.sort();
            names.dedup();
            assert_eq!(names.len(), files.len(), "names are unique");
            let files = files.into_iter().map(|(_, _, bytes)| bytes);
            assert_eq!(comparable(files), comparable(parts(&inbox[name].1)), "{name}");
        }
    }
}

#[test]
fn what_is_wrong_with_an_attachment_names_its_file() {
    let recipe = forge::recipe("attachments-as-files");
    let store = Store::open(Arc::new(forge::store(Format::Unicode, Cipher::Permute, &recipe)), 1 << 20).unwrap();
    let tree = Tree::new(Arc::new(store), View { names: Names::Subject, attachments: true, ..View::default() }, 1 << 20);
    let find = |folder, wanted: &str| listed(&tree, folder).into_iter().find(|(name, ..)| name == wanted).unwrap();
    let folder = find(find(Ino::ROOT, "Inbox").1, "Elsewhere.eml.attachments").1;
    let told = String::from_utf8(find(folder, "lost.bin.unreadable.txt").2).unwrap();
    assert_eq!(told, "The attachment lost.bin cannot be read: M18: an attachment's content cannot be read\n");
}

/// Holds the one attachment of a message of so many bytes against what was stored: decoded by other programs out of the
/// document, and as a file of its own.
fn is_served_whole(len: u64) {
    let folder = tempfile::tempdir().unwrap();
    let (store, stored) = (folder.path().join("big.pst"), folder.path().join("stored"));
    forge::big::Big { attachment: len, ..forge::big::Big::folder_of(1) }.write(&store);
    std::io::copy(&mut forge::Stream::new(0, len), &mut std::fs::File::create(&stored).unwrap()).unwrap();
    let mail = "'Folder 1/Message 1000000.eml'";
    let decode = "awk 'body && /^--/ {exit} body && /./ {print} /^Content-Transfer-Encoding: base64/ {found = 1} found && /^$/ {body = 1}' | base64 -d";
    shell(folder.path(), &format!("\"$0\" cat -o names=subject big.pst {mail} | {decode} | cmp - stored"));
    let file = "'Folder 1/Message 1000000.eml.attachments/data 0.bin'";
    shell(folder.path(), &format!("\"$0\" cat -o names=subject,attachments big.pst {file} | cmp - stored"));
}

fn shell(folder: &Path, script: &str) {
    let output = Command::new("bash").arg("-c").arg(format!("set -o pipefail; {script}")).arg(PSTFS).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
}

#[test]
fn an_attachment_of_30_mib_is_served_whole() {
    is_served_whole(30 << 20);
}

/// One byte more than what a signed number of 32 bits holds: `--long` only.
#[test]
fn an_attachment_of_2_gib_is_served_whole() {
    if std::env::var_os("PSTFS_LONG").is_some() {
        is_served_whole((2 << 30) + 1);
    }
}
