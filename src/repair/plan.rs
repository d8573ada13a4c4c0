//! What a repair changes and why, and what it leaves: worked out before anything is written.
//!
//! Findings say where something is wrong; the plan says what becomes of each node they name. It is made from the store
//! and the findings alone, so that the same store gives the same plan. [`prepare`] turns it into one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::low::{self, LowPlan};
use super::mend;
use super::order::Before;
use crate::damage::{Code, Error, Finding, Result, Severity};
use crate::disk::ReadAt;
use crate::format::id::Nid;
use crate::ndb::Ndb;
use crate::ndb::write::{Prepared, Room, Transaction};
use crate::progress::Progress;
use crate::recover::open_source;
use crate::scan::{self, Blocks, Event, Known, Tally};
use crate::store::Store;

/// Bytes for the caches of the store that is looked at in memory.
const CACHE_BYTES: usize = 16 << 20;

/// How far a repair goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Also what is no more than an oddity, wherever it stands.
    pub thorough: bool,
    /// Everything is written anew, whatever was found.
    pub rewrite: bool,
    /// The result is only read, so it may be larger than a file of its format.
    pub unwritten: bool,
}

/// What becomes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// One of the store's own empty tables, which new ones share, is written anew.
    Template(Nid),
    /// A folder that a row, its tables or items name is made anew; its parent.
    NewFolder(Nid, Nid),
    /// One of the store's own nodes is written anew, from what it holds and from its template.
    Special(Nid),
    /// A folder that no row names is made anew in `Lost and Found`.
    LostFolder(Nid),
    /// A node gets this parent.
    Reparent(Nid, Nid),
    /// An item or folder goes to `Lost and Found`.
    Rescue(Nid),
    /// A message is written anew from what can be read of it.
    Message(Nid),
    /// What a row tells of a message that is nowhere becomes a message in `Lost and Found`; the table, the row.
    Stub(Nid, u32),
    /// A row is taken out of a folder's table; the table, the row.
    Unlist(Nid, u32),
    /// A row is made from its object; the table, the object.
    List(Nid, Nid),
    /// A table is written anew, from its rows and from the objects that they stand for.
    Table(Nid),
    /// A folder's properties are written anew.
    Folder(Nid),
    /// A search folder's node is written anew.
    Search(Nid),
    /// An index of Outlook's own whose heap is damaged is taken out: Outlook makes it anew.
    Discard(Nid),
}

impl Deed {
    /// The id of what is not there that this names: nothing new must get it, or it would be taken for that.
    pub(super) const fn absent(self) -> Option<Nid> {
        match self {
            Self::NewFolder(nid, _) | Self::LostFolder(nid) => Some(nid),
            Self::Stub(_, row) | Self::Unlist(_, row) => Some(Nid(row)),
            Self::Template(_)
            | Self::Special(_)
            | Self::Reparent(..)
            | Self::Rescue(_)
            | Self::Message(_)
            | Self::List(..)
            | Self::Table(_)
            | Self::Folder(_)
            | Self::Search(_)
            | Self::Discard(_) => None,
        }
    }
}

/// A change, why it is made, and whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub deed: Deed,
    /// What was found.
    pub why: BTreeSet<Code>,
    /// The item, in the user's words; empty where nobody knows.
    pub whom: String,
}

/// What a repair changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is changed below the nodes, before anything else.
    pub low: LowPlan,
    /// The changes of nodes, in the order in which they are made.
    pub steps: Vec<Step>,
    /// Errors and warnings for which there is no step.
    pub left: Vec<Finding>,
    /// How far it goes.
    pub options: Options,
}

/// Works out what to change, without changing anything.
pub fn plan(store: &Store, findings: &[Finding], options: Options) -> Result<Plan> {
    worked_out(store, findings, options, &Progress::default()).map(|(plan, _)| plan)
}

/// The same until the user has enough; and the store as it is when all below the nodes is mended, where that is another.
fn worked_out(store: &Store, findings: &[Finding], options: Options, progress: &Progress) -> Result<(Plan, Option<Arc<Store>>)> {
    let low = low::plan(store, findings, options)?;
    progress.check()?;
    let below = if low.is_empty() { None } else { Some(after(store, &low, findings, options, progress)?) };
    progress.check()?;
    let (seen, found) = below.as_ref().map_or((store, findings), |(seen, found)| (&**seen, found));
    let wanted: Vec<Finding> = found.iter().filter(|finding| is_wanted(finding, options)).cloned().collect();
    let mut mended = mend::plan(seen, &wanted, &low.struck())?;
    if options.rewrite {
        mended.add_all(seen)?;
    }
    let names = names(findings);
    let steps = mended.deeds.into_iter().map(|(deed, why)| {
        let whom = names.get(&deed.node()).cloned().unwrap_or_default();
        Step { deed, why, whom }
    });
    Ok((Plan { steps: steps.collect(), left: mended.left, low, options }, below.map(|(seen, _)| seen)))
}

/// The transaction that mends all below the nodes, and nothing else.
fn below(store: &Store, low: &LowPlan, options: Options) -> Result<Prepared> {
    let mut transaction = begin(store, options)?;
    low::apply(&mut transaction, low)?;
    transaction.prepare()
}

/// The store as it is after a transaction, in memory.
fn seen_through(store: &Store, prepared: &Prepared) -> Result<Arc<Store>> {
    let preview: Arc<dyn ReadAt> = Arc::new(prepared.preview(Arc::clone(store.ndb().source()))?);
    match open_source(Arc::clone(&preview), CACHE_BYTES) {
        // Its trees are whole now, but the nodes that every store has may not be: they are made in what follows.
        Err(Error::Damaged(..) | Error::NotFound(_)) => Ok(Arc::new(Store::from_ndb(Arc::new(Ndb::open(preview, CACHE_BYTES)?))?)),
        opened => opened,
    }
}

/// The store as it is when all below the nodes is mended, and what is found in it: with a tree gone nobody can say which
/// nodes are missing.
fn after(store: &Store, low: &LowPlan, findings: &[Finding], options: Options, progress: &Progress) -> Result<(Arc<Store>, Vec<Finding>)> {
    let prepared = below(store, low, options)?;
    let known = prepared.touched().and_then(|touched| Known::after(findings, touched, None));
    let store = seen_through(store, &prepared)?;
    let found = Mutex::new(Vec::new());
    let blocks = known.as_ref().map_or(Blocks::Read, Blocks::But);
    let outcome = scan::scan_blocks(store.ndb().source(), blocks, Ok(&*store), progress, |event| {
        if let Event::Finding(finding) = event {
            found.lock().unwrap_or_else(PoisonError::into_inner).push(finding.clone());
        }
    });
    match outcome.error {
        Some(error) => Err(error),
        None => Ok((store, found.into_inner().unwrap_or_else(PoisonError::into_inner))),
    }
}

/// The transaction that makes all of a plan's changes.
pub fn prepare(store: &Store, plan: &Plan) -> Result<Prepared> {
    let below = if plan.low.is_empty() { None } else { Some(seen_through(store, &below(store, &plan.low, plan.options)?)?) };
    changes(store, plan, below.as_deref().unwrap_or(store)).map(|(prepared, _)| prepared)
}

/// The same, and the messages that have lost something or hold something that may be wrong, in the user's words; `below` is
/// the store that the steps were worked out for.
fn changes(store: &Store, plan: &Plan, below: &Store) -> Result<(Prepared, Vec<String>)> {
    let mut transaction = begin(store, plan.options)?;
    low::apply(&mut transaction, &plan.low)?;
    let incomplete = mend::build(below, store, &mut transaction, plan)?;
    let whom = |nid: &Nid| plan.steps.iter().find(|step| step.deed.node() == *nid && !step.whom.is_empty());
    let incomplete = incomplete.iter().map(|nid| whom(nid).map_or_else(|| format!("message {nid}"), |step| step.whom.clone()));
    Ok((transaction.prepare()?, incomplete.collect()))
}

fn begin(store: &Store, options: Options) -> Result<Transaction<'_>> {
    let transaction = Transaction::begin(store.ndb())?;
    Ok(if options.unwritten { transaction.with_room(Room::unwritten(store.ndb().format())) } else { transaction })
}

/// A plan that is worked out to its end.
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// What makes its changes.
    pub(super) prepared: Prepared,
    /// The messages that have lost something or hold something that may be wrong.
    pub(super) incomplete: Vec<String>,
}

impl Planned {
    /// What is to be written for these findings; `None` where nothing is.
    pub(super) fn of(store: &Store, findings: &[Finding], options: Options, progress: &Progress) -> Result<Option<Self>> {
        Self::work_out(&scan::until(store, progress), findings, options, progress).map_err(|error| progress.why(error))
    }

    fn work_out(store: &Store, findings: &[Finding], options: Options, progress: &Progress) -> Result<Option<Self>> {
        let (plan, below) = worked_out(store, findings, options, progress)?;
        if plan.is_empty() {
            return Ok(None);
        }
        let (prepared, incomplete) = changes(store, &plan, below.as_deref().unwrap_or(store))?;
        progress.check()?;
        Ok(prepared.journal().is_some().then_some(Self { plan, prepared, incomplete }))
    }

    /// The blocks and items that the scan which found this found whole, and that are not written to.
    pub(super) fn known(&self, findings: &[Finding]) -> Option<Known> {
        let nodes = self.plan.low.is_empty().then(|| self.prepared.nodes());
        Known::after(findings, self.prepared.touched()?, nodes)
    }

    /// The plan in words and numbers.
    pub(super) fn told(&self) -> String {
        self.plan.told(&self.prepared, &self.incomplete)
    }

    /// What the store held, and what becomes of it.
    pub(super) fn before(&self, tally: Tally) -> Before {
        Before { tally, moved: self.plan.moved(), incomplete: self.incomplete.len() }
    }
}

/// Whether something is done about a finding: oddities that healthy stores have too stay, unless all is asked for.
fn is_wanted(finding: &Finding, options: Options) -> bool {
    finding.severity > Severity::Note || options.thorough
}

/// Whom findings hit, by node.
fn names(findings: &[Finding]) -> BTreeMap<Nid, String> {
    let named = findings.iter().filter(|finding| !finding.victim.is_empty());
    named.filter_map(|finding| Some((Nid(finding.place.nid?), finding.victim.clone()))).rev().collect()
}

impl Deed {
    /// The node that it is about.
    pub const fn node(self) -> Nid {
        match self {
            Self::Template(nid)
            | Self::Special(nid)
            | Self::Discard(nid)
            | Self::NewFolder(nid, _)
            | Self::LostFolder(nid)
            | Self::Reparent(nid, _)
            | Self::Rescue(nid)
            | Self::Message(nid)
            | Self::Stub(nid, _)
            | Self::Unlist(nid, _)
            | Self::List(_, nid)
            | Self::Table(nid)
            | Self::Folder(nid)
            | Self::Search(nid) => nid,
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template(nid) | Self::Special(nid) => write!(f, "node {nid}, which every store has, is written anew"),
            Self::Discard(nid) => write!(f, "node {nid}, an index that Outlook makes anew, is taken out"),
            Self::NewFolder(nid, parent) => write!(f, "folder {nid} is made anew in folder {parent}"),
            Self::LostFolder(nid) => write!(f, "folder {nid} is made anew in Lost and Found"),
            Self::Reparent(nid, parent) => write!(f, "node {nid} goes into folder {parent}"),
            Self::Rescue(nid) => write!(f, "node {nid} goes to Lost and Found"),
            Self::Message(nid) => write!(f, "message {nid} is written anew"),
            Self::Stub(table, row) => write!(f, "what table {table} tells of item {row:#x}, which is nowhere, goes to Lost and Found"),
            Self::Unlist(table, row) => write!(f, "row {row:#x} is taken out of table {table}"),
            Self::List(table, nid) => write!(f, "node {nid} gets a row in table {table}"),
            Self::Table(nid) => write!(f, "table {nid} is written anew"),
            Self::Folder(nid) => write!(f, "the properties of folder {nid} are written anew"),
            Self::Search(nid) => write!(f, "node {nid} of a search folder is written anew"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.deed)?;
        let why: Vec<&str> = self.why.iter().map(|code| code.id()).collect();
        if !why.is_empty() {
            write!(f, " ({})", why.join(", "))?;
        }
        if self.whom.is_empty() { Ok(()) } else { write!(f, ": {}", self.whom) }
    }
}

impl Plan {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.low.is_empty()
    }

    /// How many changes there are.
    pub const fn len(&self) -> usize {
        self.low.steps.len().saturating_add(self.steps.len())
    }

    /// How many things go to `Lost and Found`.
    pub fn moved(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step.deed, Deed::Rescue(_) | Deed::Stub(..))).count()
    }

    /// The plan in words and numbers: a line for each change, totals, what is left, which messages are `incomplete`, and how
    /// much of the free space is written over, from which something could have been recovered.
    pub fn told(&self, prepared: &Prepared, incomplete: &[String]) -> String {
        let mut lines: Vec<String> = self.low.steps.iter().map(|step| format!("  => {step}")).collect();
        lines.extend(self.steps.iter().map(|step| format!("  => {step}")));
        lines.push(format!("-- Planned: {} changes; {}", lines.len(), prepared.in_numbers()));
        lines.extend(self.left.iter().map(|finding| format!("  left: {finding}")));
        if !self.left.is_empty() {
            lines.push(format!("-- Left as they are: {} findings", self.left.len()));
        }
        if !incomplete.is_empty() {
            lines.push(format!("-- With something lost or in doubt: {} messages; a note in each says what", incomplete.len()));
            lines.extend(incomplete.iter().map(|whom| format!("  incomplete: {whom}")));
        }
        let (ranges, bytes) =
            prepared.reused().fold((0_u64, 0_u64), |(ranges, sum), (_, bytes)| (ranges.saturating_add(1), sum.saturating_add(bytes)));
        lines.push(match ranges {
            0 => "-- No free space of the store is written over".to_owned(),
            _ => format!(
                "-- {bytes} bytes of free space in {ranges} places are written over: what could be recovered from them is gone then"
            ),
        });
        lines.join("\n") + "\n"
    }
}
