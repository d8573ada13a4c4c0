//! No input crashes or hangs: each hostile store ends in an error or a partial tree, in bounded time and memory.
//!
//! The stores are forged, then edited so that every CRC and signature is right: what is wrong is what they say. Each is
//! walked in a process of its own that has 5 seconds, 400 MiB of address space and at most 200 MiB of memory at a time;
//! the walk lists every folder and reads every document.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use pstfs::format::Format;
use pstfs::format::block::{SubnodeBlock, SubnodeEntry};
use pstfs::format::btree::BranchEntry;
use pstfs::format::cipher::Cipher;
use pstfs::format::codec::Word;
use pstfs::format::id::{BlockRef, Ib, Nid};
use pstfs::ndb::BTree;
use pstfs::progress::Progress;
use pstfs::tree::{Tree, View};
use support::edit::Patient;
use support::forge;
use support::forge::{Random, Recipe};
use support::walk::{Seen, walk};

const MESSAGE: Nid = Nid(0x20_0024);

/// A healthy store without encryption and compression, so that its data can be edited where they stand.
fn patient(format: Format) -> Patient {
    let text = std::fs::read_to_string(forge::fixtures().join("healthy/every-format/recipe")).unwrap();
    let recipe = Recipe::parse(&text.replace("seed=7", "seed=7 compress=no"));
    Patient::new(forge::store(format, Cipher::None, &recipe))
}

/// Walks a store in this process; `None` where it does not open.
fn walked(bytes: Vec<u8>) -> Option<Seen> {
    let store = pstfs::recover::open_source(Arc::new(bytes), 16 << 20).ok()?;
    let view = View { all_folders: true, hidden: true, attachments: true, ..View::default() };
    let tree = Tree::new(store, view, 16 << 20);
    // What a search finds is walked too; one that fails leaves the rest.
    let _ = tree.search(&Progress::default());
    Some(walk(&tree))
}

/// What the walking process does; it is told the file by its environment.
#[test]
fn walk_the_store_that_the_environment_names() {
    if let Some(path) = std::env::var_os("PSTFS_WALK") {
        println!("walked: {:?}", walked(std::fs::read(path).unwrap()));
        println!("\npeak: {}", peak_kib());
    }
}

/// Walks a store in a process with bounds; tells what it saw.
fn walk_within_bounds(name: &str, bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let output = walker(file.path());
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{name}: {}\n{out}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    let peak: u64 = out.lines().find_map(|line| line.strip_prefix("peak: ")).unwrap_or_else(|| panic!("{name}: {out}")).parse().unwrap();
    assert!(peak < 200 << 10, "{name}: peak {peak} KiB");
    let told = out.lines().find_map(|line| line.split_once("walked: "));
    told.unwrap_or_else(|| panic!("{name}: {out}")).1.to_owned()
}

/// The most memory that this process had at a time, the store's own bytes included.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.split_once("VmHWM:").unwrap().1.split_whitespace().next().unwrap().parse().unwrap()
}

fn walker(path: &Path) -> std::process::Output {
    let limits = "ulimit -v 409600; exec timeout 5 \"$0\" --exact walk_the_store_that_the_environment_names --nocapture --test-threads 1";
    Command::new("bash").arg("-c").arg(limits).arg(std::env::current_exe().unwrap()).env("PSTFS_WALK", path).output().unwrap()
}

/// A branch whose only child is this page.
fn branch(child: BlockRef) -> Vec<BranchEntry> {
    vec![BranchEntry { key: Word(0), child }]
}

/// The hostile stores of one format, by the trick.
fn tricks(format: Format) -> BTreeMap<&'static str, Vec<u8>> {
    let mut tricks = BTreeMap::new();
    let mut add = |name, edit: &dyn Fn(&mut Patient)| {
        let mut patient = patient(format);
        edit(&mut patient);
        tricks.insert(name, patient.bytes);
    };
    add("untouched", &|_| {});
    for (name, tree) in [("node page points to itself", BTree::Nodes), ("block page points to itself", BTree::Blocks)] {
        add(name, &|patient| patient.root_branch(tree, 1, branch));
    }
    add("page names itself in every entry", &|patient| {
        patient.root_branch(BTree::Nodes, 8, |root| (0..20).map(|key| BranchEntry { key: Word(key), child: root }).collect());
    });
    add("level grows on the way down", &|patient| patient.root_branch(BTree::Nodes, 0xfe, branch));
    add("roots beyond the file", &|patient| {
        patient.header(|header| {
            header.root.nodes.ib = Ib(0x7fff_fe00);
            header.root.blocks.ib = Ib(u32::MAX.into());
        });
    });
    add("entry size 0", &|patient| {
        let at = format.layout().page_entries_bytes + if format == Format::Unicode4k { 4 } else { 2 };
        patient.root_body(BTree::Nodes, |body| body[at] = 0);
    });
    add("entry count 255 and more", &|patient| {
        let at = format.layout().page_entries_bytes;
        patient.root_body(BTree::Blocks, |body| body[at] = 0xff);
    });
    add("data tree names itself", &|patient| {
        for entry in patient.blocks(|entry| entry.block.bid.is_internal()) {
            if patient.bytes[entry.block.ib.0 as usize] == 1 {
                patient.data_tree(entry.block.bid, |tree| tree.children.iter_mut().for_each(|child| *child = entry.block.bid));
            }
        }
    });
    add("data tree claims level 2 over data", &|patient| {
        for entry in patient.blocks(|entry| entry.block.bid.is_internal()) {
            if patient.bytes[entry.block.ib.0 as usize] == 1 {
                patient.data_tree(entry.block.bid, |tree| (tree.level, tree.total) = (2, u32::MAX));
            }
        }
    });
    add("one block is every leaf of its tree", &|patient| {
        for entry in patient.blocks(|entry| entry.block.bid.is_internal()) {
            if patient.bytes[entry.block.ib.0 as usize] == 1 {
                patient.data_tree(entry.block.bid, |tree| {
                    let first = tree.children[0];
                    tree.children.iter_mut().for_each(|child| *child = first);
                });
            }
        }
    });
    add("heap items are all the whole block", &|patient| {
        for entry in patient.blocks(|entry| !entry.block.bid.is_internal()) {
            let at = entry.block.ib.0 as usize;
            if patient.bytes[at + 2] == 0xec {
                patient.block(entry.block.bid, |data| {
                    let map_at = usize::from(u16::from_le_bytes([data[0], data[1]]));
                    let len = u16::try_from(data.len()).unwrap().to_le_bytes();
                    for (index, byte) in data[map_at + 4..].iter_mut().enumerate() {
                        *byte = if index % 4 < 2 { 0 } else { len[index % 2] };
                    }
                });
            }
        }
    });
    add("subnodes are their own subnodes", &|patient| {
        for entry in patient.blocks(|entry| entry.block.bid.is_internal()) {
            if patient.bytes[entry.block.ib.0 as usize] == 2 {
                patient.subnodes(entry.block.bid, |block| {
                    if let SubnodeBlock::Leaf(entries) = block {
                        entries.iter_mut().for_each(|child: &mut SubnodeEntry| child.subnodes = entry.block.bid);
                    }
                });
            }
        }
    });
    add("heap items run backwards", &|patient| {
        let (data, _) = patient.node(MESSAGE);
        let map = |patient: &Patient, data: &[u8]| usize::from(patient.u16_at(data, 0));
        let block = patient.blocks(|entry| entry.block.bid == data)[0];
        let at = block.block.ib.0 as usize;
        let map_at = map(patient, &patient.bytes[at..]);
        patient.block(data, |data| data[map_at + 4..].reverse());
    });
    add("heap map beyond its block", &|patient| {
        let (data, _) = patient.node(MESSAGE);
        patient.block(data, |data| data[..2].fill(0xff));
    });
    add("every count in the heaps is the largest there is", &|patient| {
        for entry in patient.blocks(|entry| !entry.block.bid.is_internal()) {
            let at = entry.block.ib.0 as usize;
            if patient.bytes[at + 2] == 0xec {
                patient.block(entry.block.bid, |data| {
                    let map_at = usize::from(u16::from_le_bytes([data[0], data[1]]));
                    data[map_at..].fill(0xff);
                });
            }
        }
    });
    add("rows of tables have the length 0", &|patient| {
        for entry in patient.blocks(|entry| !entry.block.bid.is_internal()) {
            let at = entry.block.ib.0 as usize;
            if patient.bytes[at + 2] == 0xec && patient.bytes[at + 3] == 0x7c {
                patient.block(entry.block.bid, |data| {
                    if let Some(info) = data.iter().position(|byte| *byte == 0x7c).filter(|at| *at > 3) {
                        data[info + 2..info + 10].fill(0);
                    } else if let Some(info) = data[4..].iter().position(|byte| *byte == 0x7c) {
                        data[info + 4 + 2..info + 4 + 10].fill(0);
                    }
                });
            }
        }
    });
    tricks
}

/// Pages that point to themselves, levels that grow, trees that hold themselves, counts of 2^32: all with right CRCs.
#[test]
fn hostile_stores_end_in_an_error_or_a_partial_tree() {
    for format in Format::ALL {
        for (trick, bytes) in tricks(format) {
            let told = walk_within_bounds(&format!("{format:?}: {trick}"), &bytes);
            println!("{:10} {trick:52} {}", format.name(), told);
            if trick == "untouched" {
                assert!(told.contains("documents: 13, errors: 0"), "{told}");
            }
        }
    }
}

/// Every length up to the first pages, then coarser: a copy that broke off.
#[test]
fn truncated_stores_end_in_an_error_or_a_partial_tree() {
    let whole = forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("every-format"));
    for len in (0..700).chain((0..whole.len() / 4099).map(|step| step * 4099)) {
        walked(whole[..len].to_vec());
    }
}

/// Random bytes, with and without a header that promises a store.
#[test]
fn random_files_end_in_an_error_or_a_partial_tree() {
    for format in Format::ALL {
        let header = forge::store(format, Cipher::Permute, &forge::recipe("every-format"))[..0x230].to_vec();
        for seed in 0..20 {
            let noise = Random::new(seed).bytes(300_000);
            assert_eq!(walked(noise.clone()), None, "noise is no store");
            walked(header.iter().copied().chain(noise).collect());
        }
    }
}

/// Bytes flipped, zeroed and moved about, seeded; more of them with `PSTFS_LONG`.
#[test]
fn mutated_stores_end_in_an_error_or_a_partial_tree() {
    let rounds = if std::env::var_os("PSTFS_LONG").is_some() { 2000 } else { 60 };
    let stores = [(Format::Ansi, "every-item-class"), (Format::Unicode, "every-item-class"), (Format::Unicode, "deleted-messages")];
    for (format, name) in stores {
        let whole = forge::store(format, Cipher::Cyclic, &forge::recipe(name));
        for seed in 0..rounds {
            let mut random = Random::new(seed);
            let mut bytes = whole.clone();
            for _ in 0..=random.below(8) {
                mutate(&mut bytes, &mut random);
            }
            walked(bytes);
        }
    }
}

fn mutate(bytes: &mut [u8], random: &mut Random) {
    let mut place = || random.below(bytes.len() as u64 - 8192) as usize;
    let (at, from) = (place(), place());
    let len = 1 + random.below(2048) as usize;
    match random.below(3) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at..at + len].fill(0),
        _ => bytes.copy_within(from..from + len, at),
    }
}
