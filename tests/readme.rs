//! What the README shows of a mounted store is what a mount of a forged one shows.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;

use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::store::Store;
use pstfs::tree::{Ino, Kind, Tree, View};
use support::forge;

fn list(tree: &Tree, ino: Ino, indent: usize, lines: &mut Vec<String>) {
    for entry in &tree.list(ino).unwrap().entries {
        let mark = if entry.kind == Kind::Directory { "/" } else { "" };
        lines.push(format!("{:indent$}{}{mark}", "", entry.name));
        if entry.kind == Kind::Directory {
            list(tree, entry.ino, indent.saturating_add(2), lines);
        }
    }
}

#[test]
fn the_readme_shows_what_a_mount_shows() {
    let bytes = forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("readme"));
    let store = Store::open(Arc::new(bytes), 1 << 20).unwrap();
    let mut lines = vec!["mail/".to_owned()];
    list(&Tree::new(Arc::new(store), View::default(), 1 << 20), Ino::ROOT, 2, &mut lines);
    let listing = lines.join("\n");
    assert!(include_str!("../README.md").contains(&format!("```\n{listing}\n```")), "the README should show:\n{listing}");
}
