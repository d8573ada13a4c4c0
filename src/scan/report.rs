//! Where the passes tell what they found.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::damage::{Code, Finding, Place, Severity};
use crate::format::id::Nid;
use crate::store::tag_name;

/// How many nodes with errors are remembered; where there are more, some of them count as healthy.
const STRUCK_MAX: usize = 1 << 20;

/// How many findings of one kind are given a victim that has to be looked up. No log lists as many.
const NAMED_MAX: u64 = 20_000;

/// What a listener of a scan gets to hear, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A phase begins: `Validating BBT`.
    Phase(&'static str),
    /// Something is wrong.
    Finding(&'a Finding),
    /// What a piece of the file is used for.
    Space(Space),
}

/// A piece of the file: how much of it the allocation maps have as in use, and how much of that nothing uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Where it begins.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
    /// Marked as in use.
    pub used_bytes: u64,
    /// Marked, and used by nothing.
    pub leaked_bytes: u64,
}

/// How many findings there are of each code and how bad they are there.
pub type Counts = BTreeMap<(Code, Severity), u64>;

/// How many folders and items were looked at, and how many of them have no error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Folders seen.
    pub folders: u64,
    /// Folders without an error.
    pub folders_healthy: u64,
    /// Items seen.
    pub items: u64,
    /// Items without an error.
    pub items_healthy: u64,
}

/// The findings of one scan: counted by code, and handed on one by one as they come.
///
/// It borrows what it calls, and only that: so a longer-lived report passes for a shorter-lived one.
pub struct Report<'a> {
    listener: &'a Listener<'a>,
    namer: Option<&'a Namer<'a>>,
    inner: Mutex<Inner>,
}

/// Hears each event, one at a time.
pub type Listener<'a> = dyn Fn(Event<'_>) + Sync + 'a;

/// Tells whom a node is, in the user's words; nothing where nobody knows.
pub type Namer<'a> = dyn Fn(u32) -> String + Sync + 'a;

#[derive(Default)]
struct Inner {
    counts: Counts,
    tally: Tally,
    /// The highest version of a table's row.
    row_version: u32,
    /// Nodes of which an error was told.
    struck: HashSet<u32>,
    /// The victim named last: findings about one node come together.
    named: Option<(u32, String)>,
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report").field("counts", &self.lock().counts).finish_non_exhaustive()
    }
}

impl<'a> Report<'a> {
    /// A report that tells `listener` each event as it comes.
    pub fn new(listener: &'a Listener<'a>) -> Self {
        Self { listener, namer: None, inner: Mutex::default() }
    }

    /// The same report, with victims that `namer` tells where a finding has a node and no victim.
    #[must_use]
    pub fn naming(self, namer: &'a Namer<'a>) -> Self {
        Self { namer: Some(namer), ..self }
    }

    /// A phase begins.
    pub fn phase(&self, name: &'static str) {
        self.tell(Event::Phase(name));
    }

    /// Tells an event that is no finding.
    pub fn tell(&self, event: Event<'_>) {
        (self.listener)(event);
    }

    /// Something is wrong at a place.
    pub fn add(&self, code: Code, place: Place, detail: impl Into<String>) {
        self.finding(Finding::new(code, place, detail));
    }

    /// Something is wrong at a place, and this is whom it hits.
    pub fn add_of(&self, code: Code, place: Place, detail: impl Into<String>, victim: impl Into<String>) {
        self.finding(Finding { victim: victim.into(), ..Finding::new(code, place, detail) });
    }

    /// Something is wrong, as bad as the finding says.
    pub fn finding(&self, mut finding: Finding) {
        name_property(&mut finding);
        if finding.victim.is_empty()
            && let Some(nid) = finding.place.nid
            && self.names(finding.code, finding.severity)
        {
            finding.victim = self.victim(nid);
        }
        let mut inner = self.lock();
        let count = inner.counts.entry((finding.code, finding.severity)).or_default();
        *count = count.saturating_add(1);
        if let Some(nid) = finding.place.nid.filter(|_| finding.severity >= Severity::Error && inner.struck.len() < STRUCK_MAX) {
            inner.struck.insert(nid);
        }
        // Under the lock: events come one at a time.
        (self.listener)(Event::Finding(&finding));
    }

    /// Whether a further finding of this kind is worth a look at whom it hits.
    pub fn names(&self, code: Code, severity: Severity) -> bool {
        self.lock().counts.get(&(code, severity)).is_none_or(|count| *count < NAMED_MAX)
    }

    /// A folder was looked at; one of whose blocks, or those of its tables, an error was told is not healthy.
    pub fn saw_folder(&self, nid: Nid, tables: &[Nid], healthy: bool) {
        let inner = &mut *self.lock();
        let healthy = healthy && !inner.struck.contains(&nid.0) && !tables.iter().any(|table| inner.struck.contains(&table.0));
        let tally = &mut inner.tally;
        tally.folders = tally.folders.saturating_add(1);
        tally.folders_healthy = tally.folders_healthy.saturating_add(healthy.into());
    }

    /// An item was looked at.
    pub fn saw_item(&self, nid: Nid, healthy: bool) {
        let inner = &mut *self.lock();
        let healthy = healthy && !inner.struck.contains(&nid.0);
        let tally = &mut inner.tally;
        tally.items = tally.items.saturating_add(1);
        tally.items_healthy = tally.items_healthy.saturating_add(healthy.into());
    }

    /// Whether there is a finding of this code so far.
    pub fn has(&self, code: Code) -> bool {
        self.lock().counts.keys().any(|(found, _)| *found == code)
    }

    /// A table's row has this version: PidTagLtpRowVer ([MS-PST] 2.3.4.4.1).
    pub fn saw_row_version(&self, version: u32) {
        let highest = &mut self.lock().row_version;
        *highest = (*highest).max(version);
    }

    /// The highest version of a row seen so far.
    pub fn row_version(&self) -> u32 {
        self.lock().row_version
    }

    /// How many findings there are so far.
    pub fn counts(&self) -> Counts {
        self.lock().counts.clone()
    }

    /// What was looked at so far.
    pub fn tally(&self) -> Tally {
        self.lock().tally
    }

    fn victim(&self, nid: u32) -> String {
        let Some(namer) = &self.namer else { return String::new() };
        if let Some((_, name)) = self.lock().named.as_ref().filter(|(named, _)| *named == nid) {
            return name.clone();
        }
        // Not under the lock: naming reads the store, which may have much to say of itself.
        let name = namer(nid);
        self.lock().named = Some((nid, name.clone()));
        name
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says what a property is called. The map of names numbers its own properties as it likes.
fn name_property(finding: &mut Finding) {
    let Place { property: Some(id), nid, .. } = finding.place else { return };
    let name = tag_name(id).filter(|_| nid != Some(Nid::NAME_MAP.0));
    if let Some(name) = name {
        let separator = if finding.detail.is_empty() { "" } else { "; " };
        finding.detail = format!("{}{separator}{name}", finding.detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_and_are_counted() {
        let heard = Mutex::new(Vec::new());
        let listener = |event: Event<'_>| heard.lock().unwrap().push(format!("{event:?}"));
        let report = Report::new(&listener);
        report.phase("Validating BBT");
        report.add(Code::PageCrc, Place::offset(0x4400), "");
        report.add_of(Code::PageCrc, Place::offset(0x4600), "", "Inbox: Hello");
        assert_eq!(report.counts(), BTreeMap::from([((Code::PageCrc, Severity::Error), 2)]));
        let heard = heard.lock().unwrap();
        assert_eq!(heard.len(), 3);
        assert!(heard[0].contains("Phase") && heard[2].contains("Inbox: Hello"));
    }

    #[test]
    fn a_finding_with_a_node_is_given_its_victim() {
        let heard = Mutex::new(Vec::new());
        let listener = |event: Event<'_>| {
            if let Event::Finding(finding) = event {
                heard.lock().unwrap().push(finding.victim.clone());
            }
        };
        let report = Report::new(&listener).naming(&|nid| format!("item {nid}"));
        report.add(Code::BlockCrc, Place::block(4).of_node(36), "");
        report.add(Code::BlockCrc, Place::block(4), "");
        report.add_of(Code::BlockCrc, Place::node(36), "", "known");
        assert_eq!(*heard.lock().unwrap(), ["item 36", "", "known"]);
    }

    #[test]
    fn no_victim_is_looked_up_of_what_is_only_counted() {
        let asked = Mutex::new(0);
        let listener = |_: Event<'_>| {};
        let namer = |_| {
            *asked.lock().unwrap() += 1;
            String::new()
        };
        let report = Report::new(&listener).naming(&namer);
        (0..NAMED_MAX * 2).for_each(|nid| report.add(Code::BlockCrc, Place::node(nid as u32), ""));
        report.add(Code::BlockSize, Place::node(1), "");
        assert_eq!(*asked.lock().unwrap(), NAMED_MAX + 1);
    }
}
