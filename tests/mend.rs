//! Stores made whole: after a repair a scan finds nothing but what the plan said it would leave, a second plan is empty,
//! and whatever could be read before can be read after.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use pstfs::damage::{Finding, Severity};
use pstfs::disk::ReadAt;
use pstfs::format::id::Nid;
use pstfs::repair::{Deed, Options, Plan, plan, prepare};
use pstfs::store::Store;
use pstfs::tree::{Ino, Kind, Tree, View};
use support::forge::{self, Recipe, variant_name};
use support::scan::{lines, scan};

fn open(bytes: &[u8]) -> Store {
    let source: Arc<dyn ReadAt> = Arc::new(bytes.to_vec());
    Store::open(source, 8 << 20).unwrap()
}

/// A document that a tree shows: its path, its bytes as a number, whether something of it is damaged.
#[derive(Clone, Debug)]
struct Shown {
    path: String,
    nid: String,
    crc: (u64, u32),
    damaged: bool,
}

/// All documents of a store.
fn documents(bytes: &[u8]) -> Vec<Shown> {
    let view = View { all_folders: true, hidden: true, ..View::default() };
    let tree = Tree::new(Arc::new(open(bytes)), view, 8 << 20);
    let (mut shown, mut visited) = (Vec::new(), HashSet::new());
    let mut waiting = vec![(Ino::ROOT, String::new())];
    while let Some((ino, path)) = waiting.pop() {
        if !visited.insert(ino) {
            continue;
        }
        let Ok(listing) = tree.list(ino) else { continue };
        for entry in &listing.entries {
            let path = format!("{path}/{}", entry.name);
            match entry.kind {
                Kind::Directory => waiting.push((entry.ino, path)),
                Kind::File => {
                    let Ok(file) = tree.open(entry.ino) else { continue };
                    let size = tree.attributes(entry.ino).unwrap().size;
                    let read = tree.read(&file, 0, usize::try_from(size.min(4 << 20)).unwrap()).unwrap_or_default();
                    let xattr = |name| tree.xattr(entry.ino, name).ok().flatten();
                    let nid = String::from_utf8(xattr("user.pst.nid").unwrap_or_default()).unwrap();
                    let crc = (size, pstfs::format::checksum::crc(&read));
                    shown.push(Shown { path, nid, crc, damaged: xattr("user.pst.damage").is_some() });
                }
            }
        }
    }
    shown
}

/// The bytes of a store after its repair.
fn mended(bytes: &[u8], plan: &Plan) -> Vec<u8> {
    let store = open(bytes);
    let prepared = prepare(&store, plan).unwrap();
    let overlay = prepared.preview(Arc::new(bytes.to_vec())).unwrap();
    let mut after = vec![0; usize::try_from(overlay.len().unwrap()).unwrap()];
    overlay.read_exact_at(&mut after, 0).unwrap();
    after
}

fn serious(findings: &[Finding]) -> Vec<Finding> {
    findings.iter().filter(|finding| finding.severity > Severity::Note).cloned().collect()
}

/// Repairs a store and holds it to the laws; what is wrong, in words.
fn laws(bytes: &[u8], options: Options) -> Vec<String> {
    let mut wrong = Vec::new();
    let found = scan(bytes.to_vec()).0;
    let plan = match pstfs::repair::plan(&open(bytes), &found, options) {
        Ok(plan) => plan,
        Err(error) => return vec![format!("no plan: {error}")],
    };
    let store = open(bytes);
    if let Err(error) = prepare(&store, &plan) {
        return vec![format!("not prepared: {error}"), plan.told(&prepare(&store, &Plan::default()).unwrap())];
    }
    let after = mended(bytes, &plan);
    if after != mended(bytes, &plan) {
        wrong.push("two repairs write different bytes".into());
    }
    let again = scan(after.clone()).0;
    let left: HashSet<_> = plan.left.iter().map(|finding| (finding.code, finding.place.nid)).collect();
    let new: Vec<Finding> = serious(&again).into_iter().filter(|finding| !left.contains(&(finding.code, finding.place.nid))).collect();
    if !new.is_empty() {
        wrong.push(format!("found after: {}", lines(&new).join(", ")));
        wrong.extend(new.iter().map(|finding| format!("    {finding}")));
    }
    let second = pstfs::repair::plan(&open(&after), &again, options).unwrap();
    if !second.is_empty() {
        wrong.push("a second plan is not empty:".into());
        wrong.extend(second.steps.iter().map(|step| format!("    {step}")));
    }
    wrong.extend(lost(&documents(bytes), &documents(&after), &plan));
    if !wrong.is_empty() {
        wrong.push(format!("the plan was:\n{}", plan.told(&prepare(&store, &plan).unwrap())));
    }
    wrong
}

/// Documents that were there before and are not there after.
fn lost(before: &[Shown], after: &[Shown], plan: &Plan) -> Vec<String> {
    let mut there: HashMap<(u64, u32), usize> = HashMap::new();
    after.iter().for_each(|document| *there.entry(document.crc).or_default() += 1);
    let mut wrong = Vec::new();
    let mut seen = HashSet::new();
    for document in before {
        if !seen.insert(document.nid.clone()) {
            continue;
        }
        let same = there.get_mut(&document.crc).filter(|count| **count > 0);
        let by_id = after.iter().any(|other| other.nid == document.nid);
        // With another map of names an item shows what it hid before; where it was found stands in a lost one.
        let renamed = plan.steps.iter().any(|step| step.deed == Deed::Special(Nid::NAME_MAP));
        // A block below it that is written anew holds what can be read of it: the document tells less zeros, or more.
        let below = plan.low.steps.iter().any(|step| step.to_string().contains(&document.nid));
        let rewritten = renamed || below || plan.steps.iter().any(|step| format!("{}", step.deed).contains(&document.nid));
        let orphaned = document.path.starts_with("/Recovered/");
        match same {
            Some(count) => *count -= 1,
            None if (document.damaged || rewritten || orphaned) && by_id => println!("    changed: {}", document.path),
            None if document.damaged => println!("    gone, damaged: {}", document.path),
            None => wrong.push(format!("lost: {} {} (damaged: {})", document.nid, document.path, document.damaged)),
        }
    }
    wrong
}

/// Fixtures whose damage is that of objects alone.
fn cases() -> Vec<(String, String, Vec<u8>)> {
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut bases: HashMap<(String, String), Vec<u8>> = HashMap::new();
    let mut cases = Vec::new();
    for name in forge::names("damaged").into_iter().filter(|name| name.contains(&only)) {
        let path = forge::fixtures().join("damaged").join(&name).join("expect.scan");
        let expected = std::fs::read_to_string(path).unwrap_or_default();
        let codes: Vec<char> = expected.lines().filter_map(|line| line.strip_prefix("  ")?.chars().nth(3)).collect();
        if !codes.iter().any(|code| "LTMNB".contains(*code)) {
            continue;
        }
        let edits = Recipe::read(&forge::fixtures().join("damaged").join(&name).join("edits"));
        let base = edits.line("base").unwrap().arg(0).to_owned();
        let mut forge = |format, cipher, recipe: &Recipe| {
            let key = (base.clone(), variant_name(format, cipher));
            bases.entry(key).or_insert_with(|| forge::store(format, cipher, recipe)).clone()
        };
        let damaged: Vec<_> = forge::damaged_all(&name, &mut forge).collect();
        for (format, cipher, bytes) in damaged {
            cases.push((name.clone(), variant_name(format, cipher), bytes));
        }
    }
    cases
}

/// Whether all that is serious is of objects: what lies below them is mended by others.
fn is_of_objects(findings: &[Finding]) -> bool {
    let trees = ["B10", "B11", "B13", "B14", "B15", "B16", "B17"];
    let low = |finding: &Finding| {
        let id = finding.code.id();
        id == "N01" || id.starts_with(['H', 'P']) || id.starts_with('B') && !(trees.contains(&id) && finding.place.nid.is_some())
    };
    !serious(findings).iter().any(low)
}

fn hold(options: Options) {
    let mut wrong = Vec::new();
    let mut table: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, variant, bytes) in cases() {
        if variant.starts_with("4k") && std::env::var_os("NO4K").is_some() {
            continue;
        }
        if !is_of_objects(&scan(bytes.clone()).0) {
            table.entry(name).or_default().push(format!("{variant} has other damage too"));
            continue;
        }
        println!("{name} {variant}");
        let broken = laws(&bytes, options);
        table.entry(name.clone()).or_default().push(format!("{variant} {}", if broken.is_empty() { "whole" } else { "WRONG" }));
        if !broken.is_empty() {
            wrong.push(format!("=== {name} {variant}\n{}", broken.join("\n")));
        }
    }
    for (name, results) in &table {
        println!("{name:45} {}", results.join(", "));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn damaged_objects_are_made_whole() {
    hold(Options::default());
}

#[test]
fn oddities_go_too_when_all_is_asked_for() {
    hold(Options { thorough: true });
}

#[test]
fn nothing_is_planned_for_a_healthy_store() {
    for name in forge::names("healthy") {
        let recipe = forge::recipe(&name);
        for (format, cipher) in forge::wanted(&recipe) {
            let bytes = forge::store(format, cipher, &recipe);
            let found = scan(bytes.clone()).0;
            if !serious(&found).is_empty() {
                println!("{name} {} is not healthy", variant_name(format, cipher));
                continue;
            }
            let made = plan(&open(&bytes), &found, Options::default()).unwrap();
            assert!(made.is_empty() && made.left.is_empty(), "{name} {} {made:?}", variant_name(format, cipher));
            assert_eq!(mended(&bytes, &made), bytes);
        }
    }
}

/// A reader gives up on such a message; nothing of it is lost, so the repair brings all of it back.
#[test]
fn what_only_a_damaged_head_hid_comes_back() {
    for name in ["heap-without-signature", "heap-map-beyond-its-block", "heap-tree-with-long-keys"] {
        let base = forge::recipe("every-format");
        for (format, cipher, bytes) in forge::damaged_all(name, &mut forge::store) {
            let made = plan(&open(&bytes), &scan(bytes.clone()).0, Options::default()).unwrap();
            let after = documents(&mended(&bytes, &made));
            for document in documents(&forge::store(format, cipher, &base)) {
                let there = after.iter().any(|other| (&other.path, other.crc) == (&document.path, document.crc));
                assert!(there, "{name} {}: {}", variant_name(format, cipher), document.path);
            }
        }
    }
}

/// Real stores: those that are healthy stay as they are, the others come out whole.
#[test]
fn real_stores_come_out_whole() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: there is no {}", folder.display());
        return;
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut wrong = Vec::new();
    for path in paths {
        let is_small = path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() < 3 << 20);
        let Some(bytes) = is_small.then(|| std::fs::read(&path).ok()).flatten() else { continue };
        let source: Arc<dyn ReadAt> = Arc::new(bytes.clone());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if Store::open(source, 8 << 20).is_err() || !is_of_objects(&scan(bytes.clone()).0) {
            println!("{name}: more than its objects is damaged");
            continue;
        }
        println!("{name}");
        for thorough in [false, true] {
            let broken = laws(&bytes, Options { thorough });
            if !broken.is_empty() {
                wrong.push(format!("=== {name}, thorough: {thorough}\n{}", broken.join("\n")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
