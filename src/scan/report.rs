//! Where the passes tell what they found.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::damage::{Code, Finding, Place};

/// What a listener of a scan gets to hear, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A phase begins: `Validating BBT`.
    Phase(&'static str),
    /// Something is wrong.
    Finding(&'a Finding),
}

/// The findings of one scan: counted by code, and handed on one by one as they come.
pub struct Report<'a> {
    inner: Mutex<Inner<'a>>,
}

struct Inner<'a> {
    counts: BTreeMap<Code, u64>,
    listener: Box<dyn FnMut(Event<'_>) + Send + 'a>,
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report").field("counts", &self.lock().counts).finish()
    }
}

impl<'a> Report<'a> {
    /// A report that tells `listener` each event as it comes.
    pub fn new(listener: impl FnMut(Event<'_>) + Send + 'a) -> Self {
        Self { inner: Mutex::new(Inner { counts: BTreeMap::new(), listener: Box::new(listener) }) }
    }

    /// A phase begins.
    pub fn phase(&self, name: &'static str) {
        (self.lock().listener)(Event::Phase(name));
    }

    /// Something is wrong at a place.
    pub fn add(&self, code: Code, place: Place, detail: impl Into<String>) {
        self.add_of(code, place, detail, String::new());
    }

    /// Something is wrong at a place, and this is whom it hits.
    pub fn add_of(&self, code: Code, place: Place, detail: impl Into<String>, victim: impl Into<String>) {
        let finding = Finding { code, place, detail: detail.into(), victim: victim.into() };
        let mut inner = self.lock();
        let count = inner.counts.entry(code).or_default();
        *count = count.saturating_add(1);
        (inner.listener)(Event::Finding(&finding));
    }

    /// How many findings of each code there are so far.
    pub fn counts(&self) -> BTreeMap<Code, u64> {
        self.lock().counts.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner<'a>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_and_are_counted() {
        let heard = Mutex::new(Vec::new());
        let report = Report::new(|event| heard.lock().unwrap().push(format!("{event:?}")));
        report.phase("Validating BBT");
        report.add(Code::PageCrc, Place::offset(0x4400), "");
        report.add_of(Code::PageCrc, Place::offset(0x4600), "", "Inbox: Hello");
        assert_eq!(report.counts(), BTreeMap::from([(Code::PageCrc, 2)]));
        drop(report);
        let heard = heard.into_inner().unwrap();
        assert_eq!(heard.len(), 3);
        assert!(heard[0].contains("Phase") && heard[2].contains("Inbox: Hello"));
    }
}
