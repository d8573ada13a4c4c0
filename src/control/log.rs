//! The text of `.scanlog`: a head and a line for each finding, empty while there is none.
//!
//! Only grows until a job begins it anew, so that a reader who follows it (`tail -f`) sees each line once.

use super::About;
use super::scribe::{head, line};
use crate::damage::Notes;

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
    pub(super) fn begin(&mut self, head: &str, notes: &Notes) {
        head.clone_into(&mut self.text);
        self.of_job = true;
        let findings = notes.findings();
        if !findings.is_empty() {
            self.text.push_str(NOTED);
            findings.iter().for_each(|finding| self.text.push_str(&line(finding)));
        }
    }

    /// Adds lines of the job.
    pub(super) fn push(&mut self, lines: &str) {
        self.text.push_str(lines);
    }

    /// Adds what was noted since the last time. Once a job has looked at everything, its log is not mixed with that.
    pub(super) fn grow(&mut self, notes: &Notes) {
        if self.of_job {
            return;
        }
        let folded = notes.folded();
        let kept = notes.count().saturating_sub(folded);
        if u64::try_from(self.listed).is_ok_and(|listed| listed < kept) {
            self.list(notes);
        }
        if folded > 0 && !self.full {
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

    fn list(&mut self, notes: &Notes) {
        if self.text.is_empty() {
            self.text.clone_from(&self.head);
        }
        let findings = notes.findings();
        for finding in findings.iter().skip(self.listed) {
            self.text.push_str(&line(finding));
        }
        self.listed = findings.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damage::{Code, NOTES_MAX, Place};

    fn log() -> Log {
        Log::new(&About { file: "/mail/a.pst".into(), size_bytes: 271_360, format: "Unicode".into() })
    }

    #[test]
    fn a_log_without_damage_is_empty() {
        let mut log = log();
        log.grow(&Notes::default());
        assert_eq!((log.len_bytes(), log.read(0, 100)), (0, Vec::new()));
    }

    #[test]
    fn a_log_has_a_head_and_a_line_for_each_finding() {
        let (mut log, notes) = (log(), Notes::default());
        notes.add(Code::PageCrc, Place::offset(0x4400), "stored 0x1, computed 0x2");
        log.grow(&notes);
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
            log.grow(&notes);
            let now = log.read(0, usize::MAX);
            assert!(now.starts_with(&before) && now.len() > before.len());
            assert_eq!(now.iter().filter(|byte| **byte == b'\n').count() as u64, offset + 6);
            before = now;
        }
    }

    #[test]
    fn damage_beyond_the_limit_is_told_once() {
        let (mut log, notes) = (log(), Notes::default());
        for offset in 0..12_000 {
            notes.add(Code::PageCrc, Place::offset(offset), "");
            if offset % 1000 == 999 {
                log.grow(&notes);
            }
        }
        let text = String::from_utf8(log.read(0, usize::MAX)).unwrap();
        assert_eq!(text.lines().count(), NOTES_MAX + 6);
        assert!(text.ends_with("-- there is more damage than is listed here\n"));
    }
}
