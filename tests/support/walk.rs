//! Everything that a tree shows, read to the end.

use std::collections::HashSet;

use pstfs::tree::{Ino, Kind, Tree};

/// What a walk saw.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Folders listed.
    pub folders: usize,
    /// Documents read to their end.
    pub documents: usize,
    /// Folders and documents that answered with an error.
    pub errors: usize,
    /// Bytes of documents.
    pub bytes: u64,
}

/// Reads no more than this of one document: a hostile one may claim 4 GiB of zeros.
const DOCUMENT_MAX: u64 = 4 << 20;

/// Lists every folder and reads every document and attribute of a tree. Folders that lie in themselves are visited once.
pub fn walk(tree: &Tree) -> Seen {
    let mut seen = Seen::default();
    let mut visited = HashSet::new();
    let mut waiting = vec![Ino::ROOT];
    while let Some(ino) = waiting.pop() {
        if !visited.insert(ino) {
            continue;
        }
        let Ok(listing) = tree.list(ino) else {
            seen.errors += 1;
            continue;
        };
        seen.folders += 1;
        for entry in &listing.entries {
            match entry.kind {
                Kind::Directory => waiting.push(entry.ino),
                Kind::File => read(tree, entry.ino, &mut seen),
            }
        }
    }
    seen
}

fn read(tree: &Tree, ino: Ino, seen: &mut Seen) {
    let opened = tree.attributes(ino).and_then(|attributes| Ok((attributes.size, tree.open(ino)?, tree.xattr_names(ino)?)));
    let Ok((size, file, _)) = opened else {
        seen.errors += 1;
        return;
    };
    let mut at = 0;
    while at < size.min(DOCUMENT_MAX) {
        match tree.read(&file, at, 1 << 17) {
            Ok(bytes) if !bytes.is_empty() => at += bytes.len() as u64,
            Ok(_) => panic!("{ino:?} ends at {at} and says {size}"),
            Err(_) => {
                seen.errors += 1;
                return;
            }
        }
    }
    seen.documents += 1;
    seen.bytes += size;
}
