//! What the user did with an item: read, replied, forwarded, flagged, put into categories; and how each format says so.

use super::name::mailbox_utf7;
use crate::convert::is_note;
use crate::store::props::Props;
use crate::store::{flags, tags};

/// PidTagMessageStatus: marked for deletion, as IMAP does it.
const STATUS_DELETED: i32 = 0x8;
/// PidTagFlagStatus: marked for follow-up.
const FOLLOW_UP: i32 = 2;
/// PidTagLastVerbExecuted: replied to the sender, to all; forwarded.
const REPLIED: [i32; 2] = [102, 103];
const FORWARDED: i32 = 104;
/// PidTagIconIndex: the icons of a mail that was replied to or forwarded.
const ICON_REPLIED: i32 = 0x105;
const ICON_FORWARDED: i32 = 0x106;

/// The marks of one item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    set: Vec<Mark>,
    categories: Vec<String>,
}

/// One mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Draft,
    Flagged,
    Forwarded,
    Replied,
    Read,
    Deleted,
    HasAttachments,
}

impl Mark {
    /// The letter in the name of a file in a Maildir; in the order of the letters.
    const MAILDIR: [(Self, char); 6] =
        [(Self::Draft, 'D'), (Self::Flagged, 'F'), (Self::Forwarded, 'P'), (Self::Replied, 'R'), (Self::Read, 'S'), (Self::Deleted, 'T')];
    /// The bit in X-Mozilla-Status (nsMsgMessageFlags of Thunderbird).
    const MOZILLA: [(Self, u32); 5] =
        [(Self::Read, 0x1), (Self::Replied, 0x2), (Self::Flagged, 0x4), (Self::Forwarded, 0x1000), (Self::HasAttachments, 0x1000_0000)];
}

impl Marks {
    /// The marks that an item's properties tell.
    pub(super) fn of(props: &Props) -> Self {
        let flags = props.int(tags::MESSAGE_FLAGS).unwrap_or_default();
        let status = props.int(tags::MESSAGE_STATUS).unwrap_or_default();
        let verb = props.int(tags::LAST_VERB_EXECUTED);
        let icon = props.int(tags::ICON_INDEX);
        let all = [
            (flags & flags::UNSENT != 0 && !is_note(props), Mark::Draft),
            (props.int(tags::FLAG_STATUS) == Some(FOLLOW_UP), Mark::Flagged),
            (verb == Some(FORWARDED) || icon == Some(ICON_FORWARDED), Mark::Forwarded),
            (verb.is_some_and(|verb| REPLIED.contains(&verb)) || icon == Some(ICON_REPLIED), Mark::Replied),
            (flags & flags::READ != 0, Mark::Read),
            (status & STATUS_DELETED != 0, Mark::Deleted),
            (flags & flags::HAS_ATTACHMENTS != 0, Mark::HasAttachments),
        ];
        let set = all.into_iter().filter_map(|(is, mark)| is.then_some(mark)).collect();
        Self { set, categories: props.texts(tags::KEYWORDS) }
    }

    fn has(&self, mark: Mark) -> bool {
        self.set.contains(&mark)
    }

    /// The letters in the name of a file in a Maildir.
    pub(super) fn maildir(&self) -> String {
        Mark::MAILDIR.iter().filter(|(mark, _)| self.has(*mark)).map(|(_, letter)| letter).collect()
    }

    /// The header lines of an mbox, but those that the document has already.
    pub(super) fn mbox(&self, has: impl Fn(&str) -> bool) -> String {
        let letters =
            |marks: &[(Mark, char)]| marks.iter().filter(|(mark, _)| self.has(*mark)).map(|(_, letter)| *letter).collect::<String>();
        let status = format!("{}O", letters(&[(Mark::Read, 'R')]));
        let more = letters(&[(Mark::Replied, 'A'), (Mark::Flagged, 'F'), (Mark::Draft, 'T'), (Mark::Deleted, 'D')]);
        // The name that IMAP has for it; there is no letter.
        let forwarded = self.has(Mark::Forwarded).then(|| "$Forwarded".to_owned());
        let keywords: Vec<String> = forwarded.into_iter().chain(self.keywords()).collect();
        [("Status", status), ("X-Status", more), ("X-Keywords", keywords.join(" "))]
            .into_iter()
            .filter(|(name, value)| !value.is_empty() && !has(name))
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect()
    }

    /// The header lines that Thunderbird puts before a document. It writes into them later, so their width is fixed.
    pub(super) fn thunderbird(&self) -> String {
        let bits = Mark::MOZILLA.iter().filter(|(mark, _)| self.has(*mark)).fold(0_u32, |bits, (_, bit)| bits | bit);
        let keys = self.keywords().collect::<Vec<_>>().join(" ");
        format!("X-Mozilla-Status: {:04x}\nX-Mozilla-Status2: {:08x}\nX-Mozilla-Keys: {keys:<80}\n", bits & 0xffff, bits & 0xffff_0000)
    }

    /// The categories as words that mail programs take for keywords: what Thunderbird makes of a new tag's name.
    fn keywords(&self) -> impl Iterator<Item = String> {
        self.categories.iter().map(|name| keyword(name)).filter(|word| !word.is_empty())
    }
}

fn keyword(name: &str) -> String {
    let plain: String = name.trim().to_lowercase().chars().filter(|char| !char.is_control()).collect();
    mailbox_utf7(&plain.replace([' ', '(', ')', '/', '{', '%', '*', '<', '>', '"', '\\'], "_"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ltp::value::Value;
    use crate::store::props::Key;

    fn marks(values: &[(Key, i32)]) -> Marks {
        Marks::of(&Props::from_values(values.iter().map(|(key, value)| (*key, Value::I32(*value)))))
    }

    #[test]
    fn every_mark_has_its_letter() {
        let all = marks(&[
            (tags::MESSAGE_FLAGS, 0x19),
            (tags::MESSAGE_STATUS, 8),
            (tags::FLAG_STATUS, 2),
            (tags::LAST_VERB_EXECUTED, 103),
            (tags::ICON_INDEX, 0x106),
        ]);
        assert_eq!(all.maildir(), "DFPRST");
        assert_eq!(all.mbox(|_| false), "Status: RO\nX-Status: AFTD\nX-Keywords: $Forwarded\n");
        assert!(all.thunderbird().starts_with("X-Mozilla-Status: 1007\nX-Mozilla-Status2: 10000000\n"));
    }

    #[test]
    fn an_item_without_marks_is_unread() {
        assert_eq!((marks(&[]).maildir().as_str(), marks(&[]).mbox(|_| false).as_str()), ("", "Status: O\n"));
        assert!(marks(&[]).thunderbird().starts_with("X-Mozilla-Status: 0000\n"));
    }

    #[test]
    fn a_flag_that_was_done_with_and_another_verb_are_no_marks() {
        assert_eq!(marks(&[(tags::FLAG_STATUS, 1), (tags::LAST_VERB_EXECUTED, 516)]).maildir(), "");
    }

    #[test]
    fn what_the_document_says_is_not_said_twice() {
        assert_eq!(marks(&[(tags::MESSAGE_FLAGS, 1), (tags::FLAG_STATUS, 2)]).mbox(|name| name == "Status"), "X-Status: F\n");
    }

    #[test]
    fn categories_become_keywords() {
        let words = ["Red Category", "Wichtig (sehr)", "Grün", " "].map(|word| Value::Unicode(word.into()));
        let marks = Marks::of(&Props::from_values([(tags::KEYWORDS, Value::Multi(words.to_vec()))]));
        assert!(marks.mbox(|_| false).ends_with("X-Keywords: red_category wichtig__sehr_ gr&APw-n\n"));
        let line = marks.thunderbird().lines().last().unwrap().to_owned();
        assert_eq!((line.len(), line.trim_end()), (16 + 80, "X-Mozilla-Keys: red_category wichtig__sehr_ gr&APw-n"));
    }
}
