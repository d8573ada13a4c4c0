//! `pstfs scan --report`: one page for people who would rather look. Verdict, a map of the file, findings.
//!
//! The page needs nothing but itself: no script, no font, no picture from elsewhere. What it keeps of a scan is bounded.

mod html;
mod map;

use std::collections::BTreeMap;

use crate::control::About;
use crate::damage::{Code, Finding, Severity};
use crate::scan::{Event, OWN, Outcome};
use map::Map;

/// How many findings of one code the page lists.
const LISTED_OF_CODE_MAX: usize = 100;
/// How many folders are counted one by one.
const FOLDERS_MAX: usize = 5000;
/// How many items are named, in all folders together.
const ITEMS_MAX: usize = 2000;

/// What a page will show.
#[derive(Debug)]
pub(super) struct Page {
    about: About,
    map: Map,
    codes: BTreeMap<(Code, Severity), Vec<Finding>>,
    folders: BTreeMap<String, Folder>,
    items: usize,
}

/// What is wrong in a folder: errors, warnings and notes, and of which items.
#[derive(Debug, Default)]
struct Folder {
    counts: [u64; 3],
    /// By name and node id: many items have one name.
    items: BTreeMap<(String, u32), [u64; 3]>,
}

impl Page {
    /// Of a store.
    pub(super) fn new(about: About) -> Self {
        let map = Map::new(about.size_bytes);
        Self { about, map, codes: BTreeMap::new(), folders: BTreeMap::new(), items: 0 }
    }

    /// Remembers what is shown of an event.
    pub(super) fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Phase(_) => {}
            Event::Space(space) => self.map.space(space),
            Event::Finding(finding) => self.finding(finding),
        }
    }

    fn finding(&mut self, finding: &Finding) {
        if let Some(offset) = finding.place.offset
            && finding.severity >= Severity::Warning
        {
            self.map.damage(offset);
        }
        let listed = self.codes.entry((finding.code, finding.severity)).or_default();
        if listed.len() < LISTED_OF_CODE_MAX {
            listed.push(finding.clone());
        }
        self.victim(finding);
    }

    fn victim(&mut self, finding: &Finding) {
        let (name, item) = parted(&finding.victim);
        if self.folders.len() >= FOLDERS_MAX && !self.folders.contains_key(name) {
            return;
        }
        let folder = self.folders.entry(name.to_owned()).or_default();
        count(&mut folder.counts, finding.severity);
        let item = (item.to_owned(), finding.place.nid.unwrap_or_default());
        if item.0.is_empty() || self.items >= ITEMS_MAX && !folder.items.contains_key(&item) {
            return;
        }
        let counts = folder.items.entry(item).or_default();
        self.items = self.items.saturating_add(usize::from(*counts == [0; 3]));
        count(counts, finding.severity);
    }

    /// The page's text.
    pub(super) fn render(&self, outcome: &Outcome) -> String {
        html::render(self, outcome)
    }
}

fn count([errors, warnings, notes]: &mut [u64; 3], severity: Severity) {
    let count = match severity {
        Severity::Fatal | Severity::Error => errors,
        Severity::Warning => warnings,
        Severity::Note => notes,
    };
    *count = count.saturating_add(1);
}

/// A victim's folder, and what stands behind it: an item.
fn parted(victim: &str) -> (&str, &str) {
    if victim.starts_with(OWN) {
        return ("", victim);
    }
    let marks = [": \"", ": an item without a subject", ": item 0x"];
    let at = marks.into_iter().filter_map(|mark| victim.find(mark)).min();
    at.and_then(|at| Some((victim.get(..at)?, victim.get(at.saturating_add(2)..)?))).unwrap_or((victim, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damage::{Place, Verdict};
    use crate::scan::{Counts, Space, Tally};

    fn page(findings: &[Finding]) -> String {
        let mut page = Page::new(About { file: "a<b>&\".pst".into(), size_bytes: 271_360, format: "Unicode".into() });
        page.event(Event::Space(Space { offset: 0x4400, bytes: 64, used_bytes: 64, leaked_bytes: 64 }));
        let mut counts = Counts::new();
        for finding in findings {
            page.event(Event::Finding(finding));
            *counts.entry((finding.code, finding.severity)).or_default() += 1;
        }
        page.render(&Outcome { verdict: Verdict::Errors, counts, tally: Tally::default(), error: None })
    }

    #[test]
    fn nothing_in_a_store_becomes_a_part_of_the_page() {
        let hostile = "<script>alert(1)</script>";
        let finding = Finding {
            victim: format!("In<b>box: \"{hostile}\""),
            detail: hostile.into(),
            ..Finding::new(Code::BlockCrc, Place::block(4).at(0x4c00), "")
        };
        let text = page(&[finding]);
        assert!(!text.contains("<script") && !text.contains("<b>"), "{text}");
        assert!(text.contains("a&lt;b&gt;&amp;&quot;.pst") && text.contains("In&lt;b&gt;box"));
        for outside in ["http:", "https:", "src=", "@import", "url("] {
            assert!(!text.contains(outside), "{outside}");
        }
    }

    #[test]
    fn a_page_stays_small_whatever_is_found() {
        let findings: Vec<Finding> = (0..20_000)
            .map(|n| Finding { victim: format!("Folder {n}"), ..Finding::new(Code::BlockCrc, Place::block(n).at(n * 64), "x") })
            .collect();
        let text = page(&findings);
        assert!(text.len() < 2 << 20, "{}", text.len());
        assert!(text.contains("20,000"));
    }

    #[test]
    fn a_folder_is_what_stands_before_the_item() {
        assert_eq!(parted("Inbox/Work: \"Hello: you\" of 2011-07-01"), ("Inbox/Work", "\"Hello: you\" of 2011-07-01"));
        assert_eq!(parted("A: b: an item without a subject"), ("A: b", "an item without a subject"));
        assert_eq!(parted("Inbox: item 0x24"), ("Inbox", "item 0x24"));
        assert_eq!(parted("Inbox"), ("Inbox", ""));
        assert_eq!(parted("the store's own properties"), ("", "the store's own properties"));
    }
}
