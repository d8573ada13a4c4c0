//! What is found in one object and below it, before it is told.
//!
//! Workers fill a [`Case`] for each object; [`Fold`] takes them in order and tells what they hold. What is wrong a hundred
//! times in one object is told a few times and counted, and notes of one kind become one line a folder.

use std::collections::BTreeMap;

use super::Report;
use super::pool::Weight;
use super::victim::Victims;
use crate::damage::{Code, Finding, Place, Severity};
use crate::format::id::Nid;

/// How often one thing is told of one object.
const FEW: u64 = 5;
/// How many folded lines wait at most for the end of their folder.
const GROUPS_MAX: usize = 4096;

/// The findings about one node.
#[derive(Debug)]
pub(super) struct Case {
    nid: Nid,
    /// Whom it hits, where the node does not tell.
    name: Option<String>,
    /// Where below the node we are: an attachment, a message in it.
    below: Vec<Nid>,
    found: Vec<Found>,
    counts: BTreeMap<(Code, Severity), u64>,
    /// The highest version of a row in its tables.
    row_version: u32,
}

impl Weight for Case {
    fn weight(&self) -> usize {
        self.found.len()
    }
}

#[derive(Debug)]
struct Found {
    finding: Finding,
    below: Vec<Nid>,
    /// How often it was found in this place.
    times: u64,
}

impl Found {
    fn told(mut self) -> Self {
        if self.times > 1 {
            let separator = if self.finding.detail.is_empty() { "" } else { ", " };
            self.finding.detail = format!("{} times{separator}{}", self.times, self.finding.detail);
        }
        self
    }
}

impl Case {
    /// Nothing found so far about this node.
    pub(super) const fn of(nid: Nid) -> Self {
        Self { nid, name: None, below: Vec::new(), found: Vec::new(), counts: BTreeMap::new(), row_version: 0 }
    }

    /// The node.
    pub(super) const fn nid(&self) -> Nid {
        self.nid
    }

    /// Says whom it hits, where the node cannot tell.
    pub(super) fn name(&mut self, name: String) {
        self.name = Some(name);
    }

    /// The place to tell: the node.
    pub(super) const fn place(&self) -> Place {
        Place::node(self.nid.0)
    }

    /// A row of one of its tables has this version.
    pub(super) fn saw_row_version(&mut self, version: u32) {
        self.row_version = self.row_version.max(version);
    }

    /// Something is wrong with the object.
    pub(super) fn add(&mut self, code: Code, detail: impl Into<String>) {
        self.add_at(code, self.place(), detail);
    }

    /// Something is wrong at a place in the object.
    pub(super) fn add_at(&mut self, code: Code, place: Place, detail: impl Into<String>) {
        self.put(Finding::new(code, place, detail));
    }

    /// Something is wrong with the object, but does less harm than it could.
    pub(super) fn add_mild(&mut self, code: Code, most: Severity, detail: impl Into<String>) {
        self.add_mild_at(code, self.place(), most, detail);
    }

    /// Something is wrong at a place in the object, but does less harm than it could.
    pub(super) fn add_mild_at(&mut self, code: Code, place: Place, most: Severity, detail: impl Into<String>) {
        self.put(Finding::new(code, place, detail).at_most(most));
    }

    fn put(&mut self, mut finding: Finding) {
        let same = |found: &&mut Found| {
            let Finding { code, severity, place, .. } = found.finding;
            (code, severity, place) == (finding.code, finding.severity, finding.place) && found.below == self.below
        };
        if let Some(found) = self.found.iter_mut().find(same) {
            found.times = found.times.saturating_add(1);
            return;
        }
        let count = self.counts.entry((finding.code, finding.severity)).or_default();
        *count = count.saturating_add(1);
        if *count > FEW {
            return;
        }
        if let Some(last) = self.below.last() {
            let separator = if finding.detail.is_empty() { "" } else { ": " };
            finding.detail = format!("in {last}{separator}{}", finding.detail);
        }
        self.found.push(Found { finding, below: self.below.clone(), times: 1 });
    }

    /// Looks at something below the node; what is found then is found there.
    pub(super) fn below<T>(&mut self, nid: Nid, look: impl FnOnce(&mut Self) -> T) -> T {
        self.below.push(nid);
        let seen = look(self);
        self.below.pop();
        seen
    }

    /// How deep below the node we are.
    pub(super) const fn depth(&self) -> usize {
        self.below.len()
    }

    /// Whether nothing at all was found.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The highest version of a row in its tables.
    pub(super) const fn row_version(&self) -> u32 {
        self.row_version
    }

    /// The first of what was found that is more than an oddity.
    pub(super) fn first_serious(&self) -> Option<&Finding> {
        self.found.iter().map(|found| &found.finding).find(|finding| finding.severity > Severity::Note)
    }

    /// Whether nothing that is an error was found.
    pub(super) fn is_healthy(&self) -> bool {
        self.counts.keys().all(|(_, severity)| *severity < Severity::Error)
    }
}

/// Tells what cases hold, one after the other.
#[derive(Debug)]
pub(super) struct Fold<'f, 'a> {
    report: &'f Report<'a>,
    victims: &'f Victims<'f>,
    /// Notes by what they are told of and what is wrong.
    groups: BTreeMap<(Nid, Code), Group>,
}

#[derive(Debug)]
struct Group {
    first: Found,
    nid: Nid,
    objects: u64,
}

impl<'f, 'a> Fold<'f, 'a> {
    /// Tells it to this report.
    pub(super) const fn new(report: &'f Report<'a>, victims: &'f Victims<'f>) -> Self {
        Self { report, victims, groups: BTreeMap::new() }
    }

    /// Takes what was found in an object of a folder; notes wait for [`Fold::flush`].
    pub(super) fn take(&mut self, folder: Nid, case: Case) {
        let name = case.name;
        self.report.saw_row_version(case.row_version);
        let mut noted = Vec::new();
        for found in case.found {
            let (code, severity) = (found.finding.code, found.finding.severity);
            let found = found.told();
            if severity > Severity::Note {
                self.tell(case.nid, name.as_deref(), found);
            } else if !noted.contains(&code) {
                noted.push(code);
                self.note(folder, case.nid, found);
            }
        }
        for ((code, severity), count) in case.counts {
            if severity > Severity::Note
                && let Some(rest @ 1..) = count.checked_sub(FEW)
            {
                let finding = Finding::new(code, Place::node(case.nid.0), format!("{rest} more of this kind")).at_most(severity);
                self.tell(case.nid, name.as_deref(), Found { finding, below: Vec::new(), times: 1 });
            }
        }
    }

    fn tell(&self, nid: Nid, name: Option<&str>, found: Found) {
        let is_named = self.report.names(found.finding.code, found.finding.severity);
        let look_up = || if is_named { self.victims.name_below(nid, &found.below) } else { String::new() };
        let victim = name.map_or_else(look_up, str::to_owned);
        self.report.finding(Finding { victim, ..found.finding });
    }

    fn note(&mut self, folder: Nid, nid: Nid, first: Found) {
        if let Some(group) = self.groups.get_mut(&(folder, first.finding.code)) {
            group.objects = group.objects.saturating_add(1);
            return;
        }
        if self.groups.len() >= GROUPS_MAX {
            self.flush();
        }
        self.groups.insert((folder, first.finding.code), Group { first, nid, objects: 1 });
    }

    /// Tells the notes that wait: one line for each folder and kind.
    pub(super) fn flush(&mut self) {
        for ((folder, _), group) in std::mem::take(&mut self.groups) {
            if group.objects == 1 {
                self.tell(group.nid, None, group.first);
                continue;
            }
            let Finding { code, severity, detail, .. } = group.first.finding;
            let separator = if detail.is_empty() { "" } else { ": " };
            let detail = format!("{} objects, the first is {}{separator}{detail}", group.objects, group.nid);
            let finding = Finding::new(code, Place::node(folder.0), detail).at_most(severity);
            self.tell(folder, None, Found { finding, below: Vec::new(), times: 1 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_kept_a_few_times_and_counted() {
        let mut case = Case::of(Nid(0x24));
        (0..100).for_each(|row| case.add_at(Code::HeapId, case.place().row(row), ""));
        assert_eq!((case.found.len() as u64, case.counts[&(Code::HeapId, Severity::Error)]), (FEW, 100));
        (0..4).for_each(|_| case.add(Code::PropertyRecord, "type 0x0000"));
        assert_eq!(case.found.pop().unwrap().told().finding.detail, "4 times, type 0x0000");
        assert!(!case.is_healthy());
    }

    #[test]
    fn what_lies_below_tells_where() {
        let mut case = Case::of(Nid(0x24));
        case.below(Nid(0x8025), |case| case.add(Code::Attachment, "no method"));
        case.add_mild(Code::HeapId, Severity::Note, "");
        assert_eq!((case.found[0].finding.detail.as_str(), case.found[0].below.as_slice()), ("in 0x8025: no method", &[Nid(0x8025)][..]));
        assert_eq!((case.depth(), case.found[1].below.len()), (0, 0));
    }
}
