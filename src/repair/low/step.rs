//! The lower half of a plan in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{LowPlan, Mend, Rebuild, Source};
use crate::damage::{Code, Finding, Severity};
use crate::format::btree::NodeEntry;
use crate::format::id::{Bid, Nid};

/// A change below the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LowDeed {
    /// The header is written anew.
    Header,
    /// The maps of what is in use are computed anew.
    Maps,
    /// Both B-trees are written anew, and the maps.
    Trees,
    /// So many blocks get the count of the entries that name them.
    Counts(usize),
    /// So many entries of blocks that nothing names are taken out.
    Unused(usize),
    /// Something is done about a block of this node.
    Block(Bid, Nid, Mend),
    /// A node's entry is put right.
    Entry(Nid),
    /// A lost message comes back as an old page tells of it.
    Back(Nid),
}

/// A change, why it is made, and whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LowStep {
    /// What is done.
    pub deed: LowDeed,
    /// What was found.
    pub why: BTreeSet<Code>,
    /// The item, in the user's words; empty where nobody knows.
    pub whom: String,
}

impl LowStep {
    fn of(deed: LowDeed) -> Self {
        Self { deed, why: BTreeSet::new(), whom: String::new() }
    }
}

/// The steps about blocks.
pub(super) fn mends(mends: &BTreeMap<(Bid, Mend), Nid>) -> impl Iterator<Item = LowStep> + '_ {
    mends.iter().map(|((bid, mend), nid)| LowStep::of(LowDeed::Block(*bid, *nid, *mend)))
}

/// The steps about nodes' entries.
pub(super) fn entries(entries: &[NodeEntry], back: &BTreeSet<Nid>) -> impl Iterator<Item = LowStep> {
    let deed = |nid: Nid| if back.contains(&nid) { LowDeed::Back(nid) } else { LowDeed::Entry(nid) };
    entries.iter().map(move |entry| LowStep::of(deed(entry.nid.nid)))
}

/// The steps about what is made anew as a whole.
pub(super) fn whole(plan: &LowPlan) -> Vec<LowStep> {
    let deeds = [
        plan.header.is_some().then_some(LowDeed::Header),
        (plan.rebuild == Rebuild::Maps).then_some(LowDeed::Maps),
        (plan.rebuild == Rebuild::Trees).then_some(LowDeed::Trees),
        (!plan.counted.is_empty()).then_some(LowDeed::Counts(plan.counted.len())),
        (!plan.unused.is_empty()).then_some(LowDeed::Unused(plan.unused.len())),
    ];
    deeds.into_iter().flatten().map(LowStep::of).collect()
}

/// Tells each step why it is made, and sorts them.
pub(super) fn explain(steps: &mut [LowStep], findings: &[Finding]) {
    let mut blocks: BTreeMap<Bid, Vec<&Finding>> = BTreeMap::new();
    let mut nodes: BTreeMap<Nid, &str> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.severity > Severity::Note) {
        if let Some(bid) = finding.place.bid {
            blocks.entry(Bid(bid).key()).or_default().push(finding);
        }
        if let Some(nid) = finding.place.nid.filter(|_| !finding.victim.is_empty()) {
            nodes.entry(Nid(nid)).or_insert(&finding.victim);
        }
    }
    for step in &mut *steps {
        let own = match step.deed {
            LowDeed::Block(bid, nid, _) => {
                step.whom = nodes.get(&nid).map(ToString::to_string).unwrap_or_default();
                blocks.get(&bid).cloned().unwrap_or_default()
            }
            LowDeed::Entry(nid) | LowDeed::Back(nid) => {
                step.whom = nodes.get(&nid).map(ToString::to_string).unwrap_or_default();
                findings.iter().filter(|finding| finding.place.nid == Some(nid.0) || finding.place.row == Some(nid.0)).collect()
            }
            deed => findings.iter().filter(|finding| finding.severity > Severity::Note && asks_for(finding.code, deed)).collect(),
        };
        step.why = own.iter().map(|finding| finding.code).filter(|code| !code.is_of_objects()).collect();
    }
    steps.sort_by_key(|step| step.deed);
}

/// Whether a code asks for something that is made anew as a whole.
fn asks_for(code: Code, deed: LowDeed) -> bool {
    let begins = |letter| code.id().starts_with(letter);
    match deed {
        LowDeed::Header => begins('H'),
        LowDeed::Maps => begins('H') || begins('P'),
        LowDeed::Trees => begins('H') || begins('P') || begins('B') && code != Code::BlockReferences,
        LowDeed::Counts(_) => code == Code::BlockReferences,
        LowDeed::Unused(_) | LowDeed::Block(..) | LowDeed::Entry(_) | LowDeed::Back(_) => false,
    }
}

impl fmt::Display for LowDeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => write!(f, "the header is written anew"),
            Self::Maps => write!(f, "the allocation maps are computed anew"),
            Self::Trees => write!(f, "both B-trees and the allocation maps are written anew"),
            Self::Counts(count) => write!(f, "{count} blocks get the count of the entries that name them"),
            Self::Unused(count) => write!(f, "{count} blocks that nothing names leave the block B-tree"),
            Self::Block(bid, nid, mend) if *nid == Nid::default() => write!(f, "block {bid}, which nothing names, {mend}"),
            Self::Block(bid, nid, mend) => write!(f, "block {bid} of node {nid} {mend}"),
            Self::Entry(nid) => write!(f, "the entry of node {nid} is put right"),
            Self::Back(nid) => write!(f, "message {nid}, which was lost, comes back in the last state of which anything is left"),
        }
    }
}

impl fmt::Display for Mend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anew(Source::Itself) => write!(f, "is written anew; its data are whole"),
            Self::Anew(Source::Copy(ib)) => write!(f, "is written anew from a whole copy at {ib}"),
            Self::Anew(Source::AsRead) => write!(f, "is written anew as it reads; part of its data may be wrong"),
            Self::Inner => write!(f, "is written anew with what can be read below it"),
            Self::Zeros(bytes) => write!(f, "is lost; {bytes} zeros take its place"),
            Self::Cut => write!(f, "cannot be used, and is no longer named"),
            Self::Recipients => write!(f, "is lost; of what it named the list of recipients is found again"),
            Self::Packed => write!(f, "gets what it leads to packed anew into full blocks"),
        }
    }
}

impl fmt::Display for LowStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.deed)?;
        let why: Vec<&str> = self.why.iter().map(|code| code.id()).collect();
        if !why.is_empty() {
            write!(f, " ({})", why.join(", "))?;
        }
        if self.whom.is_empty() { Ok(()) } else { write!(f, ": {}", self.whom) }
    }
}
