//! The text of `.scanlog`: a head and a line for each finding, empty while there is none.
//!
//! Only grows until a job begins it anew, so that a reader who follows it (`tail -f`) sees each line once.

use super::About;
use super::scribe::{head, line};
use crate::damage::{Finding, Notes};

/// The log's text and how much of the notes it holds.
#[derive(Debug)]
pub(super) struct Log {
    head: String,
    text: String,
    listed: usize,
    full: bool,
    /// Whether the text is a job's.
    of_job: bool,
}

/// What stands before the damage that readers met.
const NOTED: &str = "** Damage met since the mount\n";

impl Log {
    /// An empty log of this store.
    pub(super) fn new(about: &About) -> Self {
        Self { head: format!("{}{NOTED}", head(about)), text: String::new(), listed: 0, full: false, of_job: false }
    }

    /// Begins anew with a job: its head, and what was noted before it.
    pub(super) fn begin(&mut self, head: &str, noted: &[Finding]) {
        head.clone_into(&mut self.text);
        self.of_job = true;
        if !noted.is_empty() {
            self.text.push_str(NOTED);
            noted.iter().for_each(|finding| self.text.push_str(&line(finding)));
        }
    }

    /// Adds lines of the job.
    pub(super) fn push(&mut self, lines: &str) {
        self.text.push_str(lines);
    }

    /// How many of the notes are listed, where some are not. Once a job has looked at everything, its log is not mixed
    /// with what readers meet.
    pub(super) fn lacks(&self, notes: &Notes) -> Option<usize> {
        let kept = notes.count().saturating_sub(notes.folded());
        let lacks = !self.of_job && u64::try_from(self.listed).is_ok_and(|listed| listed < kept);
        lacks.then_some(self.listed)
    }

    /// Lists notes, of which the first is number `first`; those that somebody else has listed meanwhile are left out.
    pub(super) fn list(&mut self, first: usize, noted: &[Finding]) {
        let new = self.listed.checked_sub(first).and_then(|listed| noted.get(listed..)).unwrap_or_default();
        if self.of_job || new.is_empty() {
            return;
        }
        if self.text.is_empty() {
            self.text.clone_from(&self.head);
        }
        new.iter().for_each(|finding| self.text.push_str(&line(finding)));
        self.listed = self.listed.saturating_add(new.len());
    }

    /// Says once that there is more than was noted.
    pub(super) fn close(&mut self, notes: &Notes) {
        if !self.of_job && !self.full && notes.folded() > 0 {
            self.full = true;
            self.text.push_str("-- there is more damage than is listed here\n");
        }
    }

    /// Its length in bytes.
    pub(super) fn len_bytes(&self) -> u64 {
        u64::try_from(self.text.len()).unwrap_or(u64::MAX)
    }

    /// Bytes from `offset`, at most `len`; fewer only at the end.
    pub(super) fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        self.text.bytes().skip(offset).take(len).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damage::{Code, NOTES_MAX, Place};

    fn log() -> Log {
        Log::new(&About { file: "/mail/a.pst".into(), size_bytes: 271_360, format: "Unicode".into() })
    }

    fn grow(log: &mut Log, notes: &Notes) {
        if let Some(first) = log.lacks(notes) {
            log.list(first, &notes.findings()[first..]);
        }
        log.close(notes);
    }

    #[test]
    fn a_log_without_damage_is_empty() {
        let mut log = log();
        grow(&mut log, &Notes::default());
        assert_eq!((log.len_bytes(), log.read(0, 100)), (0, Vec::new()));
    }

    #[test]
    fn a_log_has_a_head_and_a_line_for_each_finding() {
        let (mut log, notes) = (log(), Notes::default());
        notes.add(Code::PageCrc, Place::offset(0x4400), "stored 0x1, computed 0x2");
        grow(&mut log, &notes);
        let version = env!("CARGO_PKG_VERSION");
        let expected = format!(
            "** pstfs {version}\n** File: /mail/a.pst\n** Size: 271360 bytes\n** Format: Unicode\n** Damage met since the mount\n\
             !! P02 offset 0x4400: a page's CRC does not match its contents (stored 0x1, computed 0x2)\n"
        );
        assert_eq!(String::from_utf8(log.read(0, 4096)).unwrap(), expected);
        assert_eq!(log.len_bytes(), u64::try_from(expected.len()).unwrap());
        assert_eq!(log.read(3, 5), b"pstfs");
        assert_eq!(log.read(u64::MAX, 5), b"");
    }

    #[test]
    fn a_log_only_grows() {
        let (mut log, notes) = (log(), Notes::default());
        let mut before = Vec::new();
        for offset in 0..20 {
            notes.add(Code::PageCrc, Place::offset(offset), "two\nlines");
            grow(&mut log, &notes);
            let now = log.read(0, usize::MAX);
            assert!(now.starts_with(&before) && now.len() > before.len());
            assert_eq!(now.iter().filter(|byte| **byte == b'\n').count() as u64, offset + 6);
            before = now;
        }
    }

    #[test]
    fn what_two_list_at_once_is_listed_once() {
        let (mut log, notes) = (log(), Notes::default());
        (0..3).for_each(|offset| notes.add(Code::PageCrc, Place::offset(offset), ""));
        let findings = notes.findings();
        log.list(0, &findings[..2]);
        log.list(0, &findings);
        assert_eq!(log.lacks(&notes), None);
        assert_eq!(String::from_utf8(log.read(0, usize::MAX)).unwrap().matches("P02").count(), 3);
    }

    #[test]
    fn damage_beyond_the_limit_is_told_once() {
        let (mut log, notes) = (log(), Notes::default());
        for offset in 0..12_000 {
            notes.add(Code::PageCrc, Place::offset(offset), "");
            if offset % 1000 == 999 {
                grow(&mut log, &notes);
            }
        }
        let text = String::from_utf8(log.read(0, usize::MAX)).unwrap();
        assert_eq!(text.lines().count(), NOTES_MAX + 6);
        assert!(text.ends_with("-- there is more damage than is listed here\n"));
    }
}
