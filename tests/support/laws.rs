//! The laws of a repair, held against a store in memory: after it a scan finds nothing but what the plan said it would
//! leave, a second plan is empty, and whatever could be read before can be read after.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pstfs::damage::{Error, Finding, Severity};
use pstfs::disk::ReadAt;
use pstfs::format::id::Nid;
use pstfs::recover::open_source;
use pstfs::repair::{Deed, Options, Plan, plan, prepare};
use pstfs::store::Store;
use pstfs::tree::{Ino, Kind, Tree, View};

use super::scan::{lines, scan, scan_opened};

/// Opens the store as all commands do.
pub fn open(bytes: &[u8]) -> Arc<Store> {
    open_source(Arc::new(bytes.to_vec()), 8 << 20).unwrap()
}

/// A document that a tree shows: its path, its bytes as a number, whether something of it is damaged.
#[derive(Clone, Debug)]
pub struct Shown {
    pub path: String,
    pub nid: String,
    pub crc: (u64, u32),
    pub damaged: bool,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// All documents of a store.
pub fn documents(bytes: &[u8]) -> Vec<Shown> {
    let view = View { all_folders: true, hidden: true, ..View::default() };
    let tree = Tree::new(open(bytes), view, 8 << 20);
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
                    shown.push(Shown { path, nid, crc, damaged: xattr("user.pst.damage").is_some(), bytes: read });
                }
            }
        }
    }
    shown
}

/// The bytes of a store after its repair.
pub fn mended(bytes: &[u8], plan: &Plan) -> Vec<u8> {
    written(&open(bytes), bytes, plan).unwrap()
}

fn written(store: &Store, bytes: &[u8], plan: &Plan) -> Result<Vec<u8>, Error> {
    let overlay = prepare(store, plan)?.preview(Arc::new(bytes.to_vec()))?;
    let mut after = vec![0; usize::try_from(overlay.len()?).unwrap()];
    overlay.read_exact_at(&mut after, 0)?;
    Ok(after)
}

/// A store that was scanned and planned for, as one command does it: opened once.
struct Repaired {
    plan: Plan,
    after: Vec<u8>,
    told: String,
}

impl Repaired {
    fn new(bytes: &[u8], options: Options) -> Result<Self, String> {
        let (source, store): (Arc<dyn ReadAt>, _) = (Arc::new(bytes.to_vec()), open(bytes));
        let found = scan_opened(&source, Ok(&*store)).0;
        let plan = plan(&store, &found, options).map_err(|error| format!("no plan: {error}"))?;
        let told = |plan: &Plan| plan.told(&prepare(&store, &Plan::default()).unwrap(), &[]);
        let after = written(&store, bytes, &plan).map_err(|error| format!("not written: {error}\n{}", told(&plan)))?;
        Ok(Self { told: told(&plan), plan, after })
    }
}

/// The bytes of a store after a repair of all that a scan finds.
pub fn repaired(bytes: &[u8], options: Options) -> Result<Vec<u8>, String> {
    Repaired::new(bytes, options).map(|repaired| repaired.after)
}

/// Findings that are more than oddities.
pub fn serious(findings: &[Finding]) -> Vec<Finding> {
    findings.iter().filter(|finding| finding.severity > Severity::Note).cloned().collect()
}

/// Repairs a store and holds it to the laws; what is wrong, in words.
pub fn laws(bytes: &[u8], options: Options) -> Vec<String> {
    let Repaired { plan, after, told } = match Repaired::new(bytes, options) {
        Ok(repaired) => repaired,
        Err(error) => return vec![error],
    };
    let mut wrong = Vec::new();
    if Repaired::new(bytes, options).is_ok_and(|again| again.after != after) {
        wrong.push("two repairs write different bytes".into());
    }
    let again = scan(after.clone()).0;
    let left: HashSet<_> = plan.left.iter().map(|finding| (finding.code, finding.place.nid)).collect();
    let new: Vec<Finding> = serious(&again).into_iter().filter(|finding| !left.contains(&(finding.code, finding.place.nid))).collect();
    if !new.is_empty() {
        wrong.push(format!("found after: {}", lines(&new).join(", ")));
        wrong.extend(new.iter().map(|finding| format!("    {finding}")));
    }
    match Repaired::new(&after, options) {
        Ok(second) if second.plan.is_empty() => {}
        Ok(second) => wrong.push(format!("a second plan is not empty:\n{}", second.told)),
        Err(error) => wrong.push(format!("a second repair: {error}")),
    }
    wrong.extend(lost(&documents(bytes), &documents(&after), &plan));
    if !wrong.is_empty() {
        wrong.push(format!("the plan was:\n{told}"));
    }
    wrong
}

/// Lines of a document's text that none of the others has: boundaries and words of our own aside.
fn said_no_more<'d>(before: &Shown, after: impl Iterator<Item = &'d Shown>) -> Vec<String> {
    // Our own words in the header of a letter within are folded.
    let unfolded = |document: &Shown| String::from_utf8_lossy(&document.bytes).replace("\n ", " ");
    let lines = |document: &Shown| -> Vec<String> { unfolded(document).lines().map(str::to_owned).collect() };
    let said: HashSet<String> = after.flat_map(lines).collect();
    let ours = ["=00", "=_pstfs_", "unreadable", "cannot be read", "Content-", "@pstfs.invalid", "X-Pstfs-Incomplete: "];
    let text = lines(before).into_iter().skip_while(|line| !line.is_empty());
    text.filter(|line| !said.contains(line) && !ours.iter().any(|word| line.contains(word))).collect()
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
            None if (document.damaged || rewritten || orphaned) && by_id => {
                println!("    changed: {}", document.path);
                let others = after.iter().filter(|other| other.nid == document.nid);
                let missing = said_no_more(document, others);
                if !missing.is_empty() && !renamed && !below {
                    wrong.push(format!("of {} {} is gone: {missing:?}", document.nid, document.path));
                }
            }
            None if document.damaged => println!("    gone, damaged: {}", document.path),
            None => wrong.push(format!("lost: {} {} (damaged: {})", document.nid, document.path, document.damaged)),
        }
    }
    wrong
}
