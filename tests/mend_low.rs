//! The lower half of a repair: header, maps, trees and blocks are right again, and nothing that could be read is lost.
//!
//! Each damaged store is scanned, mended in memory, and scanned again. What stands in nodes is mended by the other half.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

#[path = "support/blank.rs"]
mod blank;
#[path = "support/check.rs"]
mod check;
mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use pstfs::damage::{Code, Finding, Severity};
use pstfs::disk::{MemoryFile, ReadAt};
use pstfs::format::Format;
use pstfs::format::amap;
use pstfs::format::block::{SubnodeBlock, SubnodeEntry};
use pstfs::format::cipher::Cipher;
use pstfs::format::header::Header;
use pstfs::format::id::{Bid, Nid, NodeType};
use pstfs::ndb::write::{Prepared, Transaction};
use pstfs::ndb::{BTree, Ndb};
use pstfs::progress::Progress;
use pstfs::recover::open_source;
use pstfs::recover::survey::survey;
use pstfs::repair::low::{self, LowPlan};
use pstfs::repair::{self, Options, fresh_skeleton};
use pstfs::scan::{self, Event};
use pstfs::store::Store;
use pstfs::tree::{Ino, Kind, Tree, View};
use support::forge::{self, Random, Recipe, variant_name};

/// The formats, each with another cipher.
const VARIANTS: [(Format, Cipher); 3] =
    [(Format::Ansi, Cipher::Permute), (Format::Unicode, Cipher::Cyclic), (Format::Unicode4k, Cipher::None)];

fn opened(bytes: &[u8]) -> Arc<Store> {
    open_source(Arc::new(bytes.to_vec()), 8 << 20).unwrap()
}

/// What a scan finds, notes left out.
fn findings(bytes: &[u8], store: &Store) -> Vec<Finding> {
    let found = noted(bytes, store);
    found.into_iter().filter(|finding| finding.severity > Severity::Note).collect()
}

fn noted(bytes: &[u8], store: &Store) -> Vec<Finding> {
    let file: Arc<dyn ReadAt> = Arc::new(bytes.to_vec());
    let found = Mutex::new(Vec::new());
    scan::scan(&file, Ok(store), &Progress::default(), |event| {
        if let Event::Finding(finding) = event {
            found.lock().unwrap().push(finding.clone());
        }
    });
    found.into_inner().unwrap()
}

/// What the judge says of a store, but that it has blocks that nothing names where it had them before: these are kept.
fn judged(bytes: &[u8], after: &[u8]) -> Vec<String> {
    let before = noted(bytes, &opened(bytes)).into_iter().filter(|finding| finding.code == Code::BlockUnused);
    let before: Vec<String> = before.filter_map(|finding| Some(format!("unnamed: block {}", Bid(finding.place.bid?)))).collect();
    check::faults(after).into_iter().filter(|fault| !before.contains(fault)).collect()
}

fn prepared(store: &Store, plan: &LowPlan) -> Prepared {
    let mut transaction = Transaction::begin(store.ndb()).unwrap();
    low::apply(&mut transaction, plan).unwrap();
    transaction.prepare().unwrap()
}

/// The store as it is after a repair, and the plan of it.
fn mended(bytes: &[u8]) -> (Vec<u8>, LowPlan) {
    let store = opened(bytes);
    let plan = low::plan(&store, &findings(bytes, &store), Options::default()).unwrap();
    (written(&prepared(&store, &plan), store.ndb().source()), plan)
}

fn written(change: &Prepared, source: &Arc<dyn ReadAt>) -> Vec<u8> {
    let preview = change.preview(Arc::clone(source)).unwrap();
    let mut after = vec![0; preview.len().unwrap() as usize];
    preview.read_exact_at(&mut after, 0).unwrap();
    after
}

/// Whether this half puts it right: what is missing among the nodes is the other's.
fn is_low(finding: &Finding) -> bool {
    let id = finding.code.id();
    id.starts_with(['H', 'P', 'B']) || ["N01", "N02"].contains(&id)
}

/// Every document by its path.
type Documents = BTreeMap<String, Vec<u8>>;

fn documents(bytes: &[u8]) -> Documents {
    let tree = Tree::new(opened(bytes), View { all_folders: true, ..View::default() }, 4 << 20);
    let (mut found, mut waiting) = (Documents::new(), vec![(String::new(), Ino::ROOT)]);
    while let Some((path, ino)) = waiting.pop() {
        let Ok(listing) = tree.list(ino) else { continue };
        for entry in &listing.entries {
            let path = format!("{path}/{}", entry.name);
            match entry.kind {
                Kind::Directory if path.matches('/').count() < 20 => waiting.push((path, entry.ino)),
                Kind::Directory => {}
                Kind::File => {
                    let Ok(attributes) = tree.attributes(entry.ino) else { continue };
                    let Ok(bytes) = tree.read(&tree.open(entry.ino).unwrap(), 0, attributes.size as usize) else { continue };
                    found.insert(path, bytes);
                }
            }
        }
    }
    found
}

/// What is wrong with a repair of these bytes; `whole` is the store before it was damaged.
fn faults(bytes: &[u8], whole: &[u8]) -> Vec<String> {
    let mut faults = Vec::new();
    let (after, plan) = mended(bytes);
    let (again, same_plan) = mended(bytes);
    if plan != same_plan || after != again {
        faults.push("a second repair of the same bytes does another thing".into());
    }
    let store = opened(&after);
    let left = findings(&after, &store);
    faults.extend(left.iter().filter(|finding| is_low(finding)).map(|finding| format!("left: {finding}")));
    let second = low::plan(&store, &left, Options::default()).unwrap();
    // Where the root folder is lost, the other half makes it anew; until then the store is searched at each opening.
    if !second.is_empty() && left.iter().all(|finding| finding.place.nid != Some(Nid::ROOT_FOLDER.0)) {
        faults.push(format!("a second plan: {:?}; left {left:?}", second.steps));
    }
    if plan.is_empty() {
        if after == bytes {
            return faults;
        } else {
            faults.push("no plan, and other bytes".into());
        }
    } else {
        faults.extend(judged(bytes, &after).into_iter().map(|fault| format!("judge: {fault}")));
    }
    let (before, intended, after) = (documents(bytes), documents(whole), documents(&after));
    for (path, document) in &before {
        // One that was damaged, and says so or not, may come out better.
        let is_damaged = document.windows(8).any(|word| word.eq_ignore_ascii_case(b"X-Pstfs-"));
        let was_wrong = intended.get(path).is_some_and(|intended| intended != document && intended.len() > document.len());
        let same = after.get(path) == Some(document) || intended.contains_key(path) && after.get(path) == intended.get(path);
        if !(same || is_damaged || was_wrong && after.contains_key(path)) {
            faults.push(format!("{path}: {} bytes before, {:?} after", document.len(), after.get(path).map(Vec::len)));
        }
    }
    faults
}

/// Whether the scan of a fixture finds something that this half puts right.
fn is_for_this_half(name: &str) -> bool {
    let expected = std::fs::read_to_string(forge::fixtures().join("damaged").join(name).join("expect.scan")).unwrap();
    expected.lines().filter_map(|line| line.trim().split_once(' ')).any(|(mark, rest)| {
        ["!!", "??"].contains(&mark) && (rest.starts_with(['H', 'P', 'B']) || rest.starts_with("N01") || rest.starts_with("N02"))
    })
}

/// Every third damaged fixture, from this one on.
fn fixtures_are_right_again(first: usize) {
    let mut wrong = Vec::new();
    let mut bases: HashMap<(String, String), Vec<u8>> = HashMap::new();
    let names: Vec<String> = forge::names("damaged").into_iter().filter(|name| is_for_this_half(name)).collect();
    assert!(names.len() > 50, "{names:?}");
    for name in names.into_iter().skip(first).step_by(3) {
        let edits = Recipe::read(&forge::fixtures().join("damaged").join(&name).join("edits"));
        let base = edits.line("base").unwrap().arg(0).to_owned();
        let mut forge = |format, cipher, recipe: &Recipe| {
            let key = (base.clone(), variant_name(format, cipher));
            bases.entry(key).or_insert_with(|| forge::store(format, cipher, recipe)).clone()
        };
        let damaged: Vec<_> = forge::damaged_all(&name, &mut forge).collect();
        for (format, cipher, bytes) in damaged {
            let variant = variant_name(format, cipher);
            let whole = &bases[&(base.clone(), variant.clone())];
            let found = faults(&bytes, whole);
            if !found.is_empty() {
                wrong.push(format!("{name} {variant}:\n  {}", found.iter().take(6).cloned().collect::<Vec<_>>().join("\n  ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_damaged_fixture_is_right_again() {
    fixtures_are_right_again(0);
}

#[test]
fn every_damaged_fixture_is_right_again_from_the_second() {
    fixtures_are_right_again(1);
}

#[test]
fn every_damaged_fixture_is_right_again_from_the_third() {
    fixtures_are_right_again(2);
}

/// Damages a store of each format and expects a right one again.
fn each_is_right_again(trick: &str, damage: impl Fn(&Ndb, &mut Vec<u8>)) {
    let mut wrong = Vec::new();
    for (format, cipher) in VARIANTS {
        let whole = forge::store(format, cipher, &forge::recipe("every-format"));
        let mut bytes = whole.clone();
        damage(&Ndb::open(Arc::new(whole.clone()), 1 << 20).unwrap(), &mut bytes);
        let found = faults(&bytes, &whole);
        if !found.is_empty() {
            wrong.push(format!("{format:?} {trick}:\n  {}", found.iter().take(8).cloned().collect::<Vec<_>>().join("\n  ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The offsets of all pages of a tree; leaves alone where they are asked for.
fn pages(ndb: &Ndb, bytes: &[u8], tree: BTree, leaves: bool) -> Vec<u64> {
    let kind = if tree == BTree::Nodes { 0x81 } else { 0x80 };
    let found = survey(&bytes.to_vec(), ndb.format(), &Progress::default()).unwrap();
    found.pages.iter().filter(|page| page.kind.0 == kind && (!leaves || page.level == 0)).map(|page| page.ib.0).collect()
}

fn zero(bytes: &mut [u8], at: u64, len: usize) {
    let end = bytes.len().min(at as usize + len);
    bytes[at as usize..end].fill(0);
}

fn zero_pages(ndb: &Ndb, bytes: &mut [u8], tree: BTree, leaves: bool, every: usize) {
    let page = ndb.format().layout().page_bytes;
    pages(ndb, bytes, tree, leaves).into_iter().step_by(every).for_each(|at| zero(bytes, at, page));
}

#[test]
fn a_header_of_zeros() {
    each_is_right_again("header zero", |ndb, bytes| zero(bytes, 0, <Header as pstfs::format::codec::Field>::size(ndb.format())));
}

#[test]
fn roots_of_zeros() {
    each_is_right_again("roots zero", |ndb, bytes| {
        zero(bytes, ndb.root(BTree::Nodes).ib.0, ndb.format().layout().page_bytes);
        zero(bytes, ndb.root(BTree::Blocks).ib.0, ndb.format().layout().page_bytes);
    });
}

#[test]
fn every_second_leaf_of_the_block_tree_is_zeros() {
    each_is_right_again("leaves zero", |ndb, bytes| zero_pages(ndb, bytes, BTree::Blocks, true, 2));
}

#[test]
fn a_whole_tree_of_zeros() {
    each_is_right_again("nodes zero", |ndb, bytes| zero_pages(ndb, bytes, BTree::Nodes, false, 1));
    each_is_right_again("blocks zero", |ndb, bytes| zero_pages(ndb, bytes, BTree::Blocks, false, 1));
}

#[test]
fn both_trees_and_the_header_are_zeros() {
    each_is_right_again("all zero", |ndb, bytes| {
        zero_pages(ndb, bytes, BTree::Nodes, false, 1);
        zero_pages(ndb, bytes, BTree::Blocks, false, 1);
        zero(bytes, 0, <Header as pstfs::format::codec::Field>::size(ndb.format()));
    });
}

#[test]
fn allocation_maps_of_zeros() {
    each_is_right_again("maps zero", |ndb, bytes| {
        let maps = (0..).map_while(|index| amap::map_offset(ndb.format(), index)).take_while(|map| map.0 < bytes.len() as u64);
        maps.collect::<Vec<_>>().into_iter().for_each(|map| zero(bytes, map.0, ndb.format().layout().page_bytes));
    });
}

#[test]
fn bad_sectors() {
    for seed in 0..4 {
        each_is_right_again(&format!("bad sectors, seed {seed}"), |_, bytes| {
            let mut random = Random::new(seed);
            let sectors = bytes.len() / 4096;
            for _ in 0..(sectors / 100).clamp(3, 20) {
                zero(bytes, random.below(sectors as u64) * 4096, 4096);
            }
        });
    }
}

#[test]
fn a_file_cut_in_the_middle_of_its_data() {
    for share in [50, 75] {
        each_is_right_again(&format!("cut to {share} %"), |ndb, bytes| {
            // Where the data end rather than the free space behind.
            let mut end = 0;
            ndb.visit_blocks(&mut |entry| {
                end = end.max(entry.block.ib.0);
                true
            })
            .unwrap();
            let start = ndb.format().layout().amap_first as usize;
            bytes.truncate(start + (end as usize - start) * share / 100);
        });
    }
}

#[test]
fn bits_flipped_anywhere() {
    for seed in 0..4 {
        each_is_right_again(&format!("100 bits, seed {seed}"), |_, bytes| {
            let mut random = Random::new(seed);
            for _ in 0..100 {
                let at = random.below(bytes.len().min(1 << 20) as u64) as usize;
                bytes[at] ^= 1 << random.below(8);
            }
        });
    }
}

/// Of streams that are compressed in part pst-extractor reads nothing, and Outlook writes none.
#[test]
fn what_is_written_anew_of_a_compressed_stream_is_compressed_too() {
    let text = Random::new(3).text(200_000).replace(['\n', '\r'], " ");
    let recipe = format!(
        "folder Inbox\n  note subject=Long from=\"A <a@example.com>\" to=\"B <b@example.com>\" body=x\n    attach long.txt text=\"{text}\""
    );
    let whole = forge::store(Format::Unicode4k, Cipher::None, &Recipe::parse(&recipe));
    let full = Format::Unicode4k.layout().data_max_bytes;
    let parts = |bytes: &[u8]| {
        let mut parts = BTreeMap::new();
        opened(bytes).ndb().visit_blocks(&mut |entry| parts.insert(entry.block.bid, *entry).is_none()).unwrap();
        parts
    };
    let before = parts(&whole);
    let long: Vec<_> = before.values().filter(|entry| usize::from(entry.inflated) == full).collect();
    assert!(long.len() == 3 && long.iter().all(|entry| entry.size < entry.inflated), "a stream of Outlook's kind");
    for entry in long {
        let mut bytes = whole.clone();
        bytes[entry.block.ib.0 as usize + 5000] ^= 1;
        let (after, _) = mended(&bytes);
        let anew = parts(&after)[&entry.block.bid];
        assert_ne!(anew.block.ib, entry.block.ib);
        assert!(anew.inflated == entry.inflated && anew.size < anew.inflated, "{anew:?}");
        let left: Vec<_> = findings(&after, &opened(&after)).into_iter().filter(is_low).collect();
        assert_eq!(left, []);
    }
}

/// Of a real table of contents with lost sectors two leaves began with one id: the second was dropped, with all that it named,
/// and was counted all the same, so that a second repair put the counts right.
#[test]
fn leaves_of_a_subnode_tree_that_begin_with_one_id_keep_all_that_they_name() {
    for (format, cipher) in VARIANTS {
        let base = forge::store(format, cipher, &forge::recipe("every-format"));
        let ndb = Ndb::open(Arc::new(base), 1 << 20).unwrap();
        let letter = ndb.required_node(Nid(0x20_0024)).unwrap();
        let mut change = Transaction::begin(&ndb).unwrap();
        let shared = change.put_data(b"a value").unwrap();
        let mut entries = ndb.subnodes(letter.subnodes).unwrap();
        entries.extend((0x1000..0x1000 + 3000).map(|index| SubnodeEntry {
            nid: Nid::new(NodeType::LTP, index).into(),
            data: shared,
            subnodes: Bid::NONE,
        }));
        let root = change.put_subnodes(&entries).unwrap();
        change.replace_subnodes(letter.nid.nid, root).unwrap();
        let whole = written(&change.prepare().unwrap(), ndb.source());
        let ndb = Ndb::open(Arc::new(whole.clone()), 1 << 20).unwrap();
        let block = |bid| SubnodeBlock::decode(format, &ndb.block(bid).unwrap().data).unwrap();
        let SubnodeBlock::Branch(branches) = block(root) else { panic!("one leaf") };
        let leaves = [branches[0].child, branches[branches.len() - 1].child];
        let [SubnodeBlock::Leaf(first), SubnodeBlock::Leaf(mut last)] = leaves.map(block) else { panic!("no leaves") };
        last.insert(0, first[0]);
        let mut change = Transaction::begin(&ndb).unwrap();
        change.rewrite_block(leaves[1], &SubnodeBlock::Leaf(last).encode(format)).unwrap();
        let damaged = written(&change.prepare().unwrap(), ndb.source());
        let name = variant_name(format, cipher);
        assert_eq!(faults(&damaged, &whole), [""; 0], "{name}");
        let named = |bytes: Vec<u8>| {
            let ndb = Ndb::open(Arc::new(bytes), 1 << 20).unwrap();
            let mut entries = ndb.subnodes(ndb.required_node(letter.nid.nid).unwrap().subnodes).unwrap();
            entries.sort_by_key(|entry| entry.nid.nid);
            entries
        };
        assert_eq!(named(mended(&damaged).0), named(whole), "{name}");
    }
}

/// Bytes that hold no store become an empty one, and the same one each time.
#[test]
fn noise_becomes_an_empty_store() {
    let file: Arc<dyn ReadAt> = Arc::new(Random::new(7).bytes(1 << 20));
    let fresh = |file: &Arc<dyn ReadAt>| {
        let output = MemoryFile::default();
        let fresh = fresh_skeleton(file, &output, &Progress::default()).unwrap();
        (output.into_bytes(), fresh)
    };
    let (bytes, told) = fresh(&file);
    assert_eq!((told.stores, told.items), (0, 0));
    assert_eq!(check::faults(&bytes), Vec::<String>::new());
    assert_eq!(findings(&bytes, &opened(&bytes)), []);
    assert_eq!(bytes, fresh(&file).0);
}

/// A store that lies inside another file comes out with its folders and every document.
#[test]
fn what_can_be_carved_goes_into_the_fresh_store() {
    for (format, cipher) in VARIANTS {
        let whole = forge::store(format, cipher, &forge::recipe("every-format"));
        let file: Arc<dyn ReadAt> = Arc::new([Random::new(8).bytes(512 * 5), whole.clone(), Random::new(9).bytes(3000)].concat());
        let output = MemoryFile::default();
        let told = fresh_skeleton(&file, &output, &Progress::default()).unwrap();
        let bytes = output.into_bytes();
        assert_eq!((told.stores, told.failed.as_slice()), (1, [].as_slice()), "{format:?}");
        assert_eq!(check::faults(&bytes), Vec::<String>::new(), "{format:?}");
        let name = |path: &String| path.rsplit('/').next().unwrap().to_owned();
        let names = |documents: Documents| documents.keys().map(name).collect::<BTreeSet<_>>();
        let (intended, found) = (documents(&whole), documents(&bytes));
        assert!(!intended.is_empty() && found.keys().all(|path| path.contains("/Lost and Found/Store 1/")), "{format:?}");
        assert_eq!(names(found), names(intended), "{format:?}");
    }
}

/// Both halves in one transaction: after it a scan finds nothing but oddities, and what the plan left.
fn whole_repair(bytes: &[u8]) -> Vec<String> {
    let store = opened(bytes);
    let plan = repair::plan(&store, &findings(bytes, &store), Options::default()).unwrap();
    let prepared = match repair::prepare(&store, &plan) {
        Ok(prepared) => prepared,
        Err(error) => return vec![format!("not prepared: {error}")],
    };
    let preview = prepared.preview(Arc::new(bytes.to_vec())).unwrap();
    let mut after = vec![0; preview.len().unwrap() as usize];
    preview.read_exact_at(&mut after, 0).unwrap();
    let store = opened(&after);
    let left: BTreeSet<_> = plan.left.iter().map(|finding| (finding.code, finding.place.nid)).collect();
    let found = findings(&after, &store).into_iter().filter(|finding| !left.contains(&(finding.code, finding.place.nid)));
    let mut faults: Vec<String> = found.map(|finding| format!("found: {finding}")).collect();
    faults.extend(check::faults(&after).into_iter().map(|fault| format!("judge: {fault}")));
    faults
}

#[test]
fn both_halves_together() {
    type Trick = (&'static str, fn(&Ndb, &mut Vec<u8>));
    let tricks: [Trick; 5] = [
        ("header and trees", |ndb, bytes| {
            zero_pages(ndb, bytes, BTree::Nodes, false, 1);
            zero_pages(ndb, bytes, BTree::Blocks, false, 1);
            zero(bytes, 0, <Header as pstfs::format::codec::Field>::size(ndb.format()));
        }),
        ("node leaves", |ndb, bytes| zero_pages(ndb, bytes, BTree::Nodes, true, 2)),
        ("block leaves", |ndb, bytes| zero_pages(ndb, bytes, BTree::Blocks, true, 2)),
        ("maps", |ndb, bytes| zero(bytes, ndb.format().layout().amap_first, ndb.format().layout().page_bytes)),
        ("bad sectors", |_, bytes| {
            let mut random = Random::new(1);
            let sectors = (bytes.len().min(1 << 20) / 4096) as u64;
            (0..4).for_each(|_| zero(bytes, random.below(sectors) * 4096, 4096));
        }),
    ];
    let mut wrong = Vec::new();
    for (name, damage) in tricks {
        for (format, cipher) in VARIANTS {
            let whole = forge::store(format, cipher, &forge::recipe("every-format"));
            let mut bytes = whole.clone();
            damage(&Ndb::open(Arc::new(whole), 1 << 20).unwrap(), &mut bytes);
            let found = whole_repair(&bytes);
            if !found.is_empty() {
                wrong.push(format!("{format:?} {name}:\n  {}", found.iter().take(8).cloned().collect::<Vec<_>>().join("\n  ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Real stores: healthy ones ask for nothing, and what was damaged in them comes back right, for another program too.
#[test]
fn real_stores() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let Ok(listing) = std::fs::read_dir(shared.join("corpus")) else {
        return println!("skipped: there is no ../shared/corpus with real stores");
    };
    let mut paths: Vec<PathBuf> = listing.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "pst") && path.metadata().unwrap().len() <= 600_000);
    paths.sort();
    let mut wrong = Vec::new();
    for path in &paths {
        let whole = std::fs::read(path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy();
        let Ok(store) = open_source(Arc::new(whole.clone()), 8 << 20) else { continue };
        if findings(&whole, &store).is_empty() && !low::plan(&store, &[], Options::default()).unwrap().is_empty() {
            wrong.push(format!("{name}: a plan for a healthy store"));
        }
        for trick in 0..3 {
            let mut bytes = whole.clone();
            match trick {
                0 => zero(&mut bytes, 0, Header::BYTES_MAX),
                1 => zero_pages(store.ndb(), &mut bytes, BTree::Blocks, true, 2),
                _ => zero(&mut bytes, store.ndb().format().layout().amap_first, 512),
            }
            // A store of a few pages may have nothing left to open.
            if open_source(Arc::new(bytes.clone()), 8 << 20).is_err() {
                continue;
            }
            let (after, _) = mended(&bytes);
            let left = findings(&after, &opened(&after));
            let left: Vec<String> = left.iter().filter(|finding| is_low(finding)).map(ToString::to_string).collect();
            let judged = judged_by_rawchk(&shared, &after);
            // Stores of Outlook 2003 and before keep pages in their page maps, which the checker takes for lost.
            if !left.is_empty() || !judged.is_empty() && judged != judged_by_rawchk(&shared, &whole) {
                wrong.push(format!("{name}, trick {trick}: {left:?} {judged}"));
            }
        }
    }
    println!("{} real stores", paths.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a checker that shares no code with this program says of trees, blocks and maps; nothing where they are right.
///
/// That folders and items hang together is not asked here, and blocks that nothing names may stay, as Outlook leaves them.
fn judged_by_rawchk(shared: &Path, bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let told = Command::new("python3").arg(shared.join("tools/rawchk.py")).arg("--check").arg(file.path()).output();
    let Ok(told) = told else { return String::new() };
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    let faults = text.split_once(' ').map_or("", |(_, faults)| faults.trim());
    faults
        .split("; ")
        .filter(|fault| !["not_rooted", "unref_blocks"].iter().any(|word| fault.contains(word)) && *fault != "clean")
        .collect::<Vec<_>>()
        .join("; ")
}
