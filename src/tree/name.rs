//! Names of files and folders: what a subject becomes on disk.
//!
//! Names are for any file system that a tree is copied to: no character that Windows, macOS or a network share refuses,
//! no name that differs from another by case alone, at most 200 bytes.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;

use crate::format::id::Nid;
use crate::format::property::FileTime;

/// The most bytes of a name. File systems allow 255; this leaves room for what copying tools append.
pub(super) const NAME_BYTES_MAX: usize = 200;

/// A name before it is made unique: what comes before the extension, and the extension with its dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    stem: String,
    extension: &'static str,
}

impl Name {
    /// A folder's name.
    pub(super) fn folder(stored: &str) -> Self {
        Self { stem: or(clean(stored), "no name"), extension: "" }
    }

    /// A document's name by time and subject.
    pub(super) fn dated(time: Option<FileTime>, subject: &str, extension: &'static str) -> Self {
        let time = time.and_then(stamp).unwrap_or_else(|| "no date".into());
        Self { stem: clean(&format!("{time} {}", or(clean(subject), "no subject"))), extension }
    }

    /// A document's name by subject alone.
    pub(super) fn titled(subject: &str, extension: &'static str) -> Self {
        Self { stem: or(clean(subject), "no subject"), extension }
    }

    /// A document's name by its node id alone.
    pub(super) fn numbered(nid: Nid, extension: &'static str) -> Self {
        Self { stem: format!("{:x}", nid.0), extension }
    }

    /// A name from another program, its own extension kept as part of it: an attachment's.
    pub(super) fn given(stored: &str) -> Self {
        Self { stem: or(clean(stored), "no name"), extension: "" }
    }

    fn with(&self, suffix: &str) -> String {
        let room = NAME_BYTES_MAX.saturating_sub(suffix.len()).saturating_sub(self.extension.len());
        // Cutting may bare a space or dot at the end.
        let stem = cut(&self.stem, room).trim_end_matches([' ', '.']);
        format!("{stem}{suffix}{}", self.extension)
    }
}

/// Makes names unique without regard to case: the first taker of a name has it plain.
///
/// Only a digest of each name is kept: a folder of 100,000 items would need 10 MB for the names. Where two digests are
/// equal by chance, a name gets an id that it did not need, and gets it at every mount.
#[derive(Debug, Default)]
pub(super) struct Unique {
    taken: HashSet<u64>,
}

impl Unique {
    /// Marks a name as taken, by what has no id.
    pub(super) fn reserve(&mut self, name: &str) {
        self.taken.insert(digest(name));
    }

    /// The name for this id. Ids must come ascending for the lowest one to have the plain name.
    pub(super) fn name(&mut self, name: &Name, id: u32) -> String {
        let mut marks = String::new();
        for count in 2_u64.. {
            let candidate = name.with(&marks);
            if self.taken.insert(digest(&candidate)) {
                return candidate;
            }
            // A stored name may look like a numbered one, or an item be there twice: then a count settles it.
            marks = if marks.is_empty() { mark(id) } else { format!(" [{id:x} {count}]") };
        }
        // There are not as many names as numbers.
        name.with(&marks)
    }
}

/// What makes the name of an item its own.
fn mark(id: u32) -> String {
    format!(" [{id:x}]")
}

/// A digest of a name without regard to case, as the file systems that fold it compare: FNV-1a, 64 bits.
fn digest(name: &str) -> u64 {
    name.to_lowercase().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A time as it stands in names: `2001-10-22 20.06.22Z`.
fn stamp(time: FileTime) -> Option<String> {
    let (seconds, _) = time.unix()?;
    let time = jiff::Timestamp::from_second(seconds).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    Some(time.strftime("%Y-%m-%d %H.%M.%SZ").to_string())
}

fn or(name: String, default: &str) -> String {
    if name.is_empty() { default.to_owned() } else { name }
}

/// A stored text as part of a name: NFC, without what file systems refuse, cut to the most bytes a name has.
fn clean(stored: &str) -> String {
    // Composing may drop characters, and a cut follows: four times the room is enough to begin with.
    let text: String = cut(stored, NAME_BYTES_MAX * 4).nfc().map(|c| if is_refused(c) { '_' } else { c }).collect();
    let text = cut(text.trim_start(), NAME_BYTES_MAX).trim_end().trim_end_matches(['.', ' ']);
    let text = match text.chars().next() {
        // A leading dot hides the file, a leading dash makes it an option.
        Some('.' | '-') => format!("_{}", text.get(1..).unwrap_or_default()),
        _ => text.to_owned(),
    };
    if is_device(&text) { format!("_{text}") } else { text }
}

fn is_refused(c: char) -> bool {
    matches!(c, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*')
        || c.is_control()
        // Line separators, and marks that turn the direction of what follows: they can fake an extension.
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether Windows takes the name for a device, with any extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    if ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str()) {
        return true;
    }
    let numbered = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    numbered.is_some_and(|number| matches!(number, "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"))
}

/// The start of a text, at most so many bytes, cut between characters.
fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Name {
        fn plain(&self) -> String {
            self.with("")
        }
        fn numbered_as(&self, id: u32) -> String {
            self.with(&mark(id))
        }
    }

    const NOON: FileTime = FileTime(116_444_736_000_000_000 + 12 * 36_000_000_000);

    #[test]
    fn a_document_is_named_by_time_and_subject() {
        assert_eq!(Name::dated(Some(NOON), "New OBA's", ".eml").plain(), "1970-01-01 12.00.00Z New OBA's.eml");
        assert_eq!(Name::dated(None, "", ".eml").plain(), "no date no subject.eml");
        assert_eq!(Name::titled("Jane Doe", ".vcf").plain(), "Jane Doe.vcf");
        assert_eq!(Name::numbered(Nid(0x20_00c4), ".eml").plain(), "2000c4.eml");
    }

    #[test]
    fn what_file_systems_refuse_becomes_an_underscore() {
        assert_eq!(Name::folder("a/b\\c:d*e?f\"g<h>i|j\u{1}k\u{202e}l").plain(), "a_b_c_d_e_f_g_h_i_j_k_l");
        assert_eq!(Name::folder("  .hidden. . ").plain(), "_hidden");
        assert_eq!(Name::folder("-rf").plain(), "_rf");
        assert_eq!(Name::folder("...").plain(), "no name");
        assert_eq!([Name::folder("con").plain(), Name::folder("Lpt1.old").plain()], ["_con", "_Lpt1.old"]);
        assert_eq!(Name::folder("COM10").plain(), "COM10");
    }

    #[test]
    fn a_long_name_is_cut_between_characters_and_keeps_its_extension_and_id() {
        let long = "ä".repeat(300);
        let name = Name::titled(&long, ".eml");
        assert!(name.plain().len() <= NAME_BYTES_MAX && name.plain().ends_with("ä.eml"));
        assert!(name.numbered_as(0x20_00c4).len() <= NAME_BYTES_MAX && name.numbered_as(0x20_00c4).ends_with("ä [2000c4].eml"));
    }

    #[test]
    fn letters_and_their_accents_are_composed() {
        assert_eq!(Name::folder("Cafe\u{301}").plain(), "Caf\u{e9}");
    }

    #[test]
    fn the_lowest_id_stays_plain_and_case_does_not_count() {
        let mut unique = Unique::default();
        let names = ["Inbox", "INBOX", "inbox"].map(Name::folder);
        let got: Vec<String> = names.iter().zip([1, 2, 3]).map(|(name, id)| unique.name(name, id)).collect();
        assert_eq!(got, ["Inbox", "INBOX [2]", "inbox [3]"]);
    }

    #[test]
    fn a_name_that_looks_numbered_is_still_unique() {
        let mut unique = Unique::default();
        let names = ["a [2]", "a", "a"].map(Name::folder);
        let got: Vec<String> = names.iter().zip([0, 1, 2]).map(|(name, id)| unique.name(name, id)).collect();
        assert_eq!(got, ["a [2]", "a", "a [2 3]"]);
    }

    proptest! {
        #[test]
        fn every_name_is_one_that_file_systems_take(subject in "\\PC{0,300}", raw in proptest::collection::vec(any::<char>(), 0..100)) {
            for text in [subject, raw.into_iter().collect()] {
                let name = Name::dated(Some(NOON), &text, ".eml").plain();
                prop_assert!(name.len() <= NAME_BYTES_MAX && !name.is_empty());
                prop_assert!(!name.contains(is_refused));
                let folder = Name::folder(&text).plain();
                prop_assert!(!folder.is_empty() && !folder.starts_with(['.', '-', ' ']) && !folder.ends_with(['.', ' ']));
            }
        }
    }
}
