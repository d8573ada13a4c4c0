//! Where the documents of a folder go, in each layout.

use super::Layout;
use crate::convert::digest::Digest;
use crate::convert::encode::base64;

/// The longest name that a file system takes, with room for an extension and for what is put before a name in the making.
const NAME_BYTES_MAX: usize = 230;
/// How much of a longer name stays before its digest.
const NAME_BYTES_KEPT: usize = 60;
/// The extensions of what the layouts put beside folders: a folder that is called so must not be in the way.
const TAKEN: [&str; 5] = [".mbox", ".ics", ".vcf", ".sbd", ".msf"];

/// Where the documents of one folder go, as paths from the folder of the export on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The folder, the Maildir or the mbox of its mails.
    pub(super) mail: String,
    /// The file of its appointments, tasks and journal entries, where they share one.
    pub(super) calendar: String,
    /// The file of its contacts, where they share one.
    pub(super) contacts: String,
    /// Files that must be there for Thunderbird to show the folder below them.
    pub(super) above: Vec<String>,
}

impl Place {
    /// The place of the folder at this path of the tree; `inbox` is the path of the folder that receives mail.
    pub(super) fn of(layout: Layout, path: &str, inbox: Option<&str>) -> Self {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        match layout {
            Layout::Eml => Self::of_mail(path.to_owned()),
            Layout::Maildir => {
                let flat = short(&parts.iter().map(|part| dotless(part)).collect::<Vec<_>>().join("."));
                Self { calendar: format!("{flat}.ics"), contacts: format!("{flat}.vcf"), ..Self::of_mail(maildir(&parts, inbox)) }
            }
            Layout::Mbox => Self::nested(&parts, "", ".mbox"),
            Layout::Thunderbird => Self::nested(&parts, ".sbd", ""),
        }
    }

    const fn of_mail(mail: String) -> Self {
        Self { mail, calendar: String::new(), contacts: String::new(), above: Vec::new() }
    }

    fn nested(parts: &[&str], folder_end: &str, mail_end: &str) -> Self {
        let names: Vec<String> = parts.iter().map(|part| free(part)).collect();
        let above: String = names.iter().take(parts.len().saturating_sub(1)).map(|name| format!("{name}{folder_end}/")).collect();
        let name = names.last().map(String::as_str).unwrap_or_default();
        let stem = format!("{above}{name}");
        let ancestors = above.match_indices(".sbd/").filter_map(|(at, _)| above.get(..at)).map(str::to_owned);
        Self {
            mail: format!("{stem}{mail_end}"),
            calendar: format!("{stem}.ics"),
            contacts: format!("{stem}.vcf"),
            above: if folder_end.is_empty() { Vec::new() } else { ancestors.collect() },
        }
    }
}

/// The folder of a Maildir++: the root for the inbox, else `.Folder.Sub` in the UTF-7 of IMAP.
///
/// Dovecot and Courier take the root for INBOX, and no other folder may be called so in any case of its letters.
fn maildir(parts: &[&str], inbox: Option<&str>) -> String {
    let (first, below) = parts.split_first().map_or(("", [].as_slice()), |(first, below)| (*first, below));
    let is_inbox = inbox.map_or(first.eq_ignore_ascii_case("INBOX"), |inbox| inbox == first);
    let top = match first {
        _ if is_inbox && below.is_empty() => return String::new(),
        _ if is_inbox => "INBOX".to_owned(),
        // No name in the tree ends with a dot.
        _ if first.eq_ignore_ascii_case("INBOX") => format!("{first}\\2e"),
        _ => mailbox_utf7(&dotless(first)),
    };
    let names: Vec<String> = std::iter::once(top).chain(below.iter().map(|part| mailbox_utf7(&dotless(part)))).collect();
    short(&format!(".{}", names.join(".")))
}

/// A name without dots, which stand between folders. `\2e` is what Dovecot's listescape reads; the tree has no backslash.
fn dotless(name: &str) -> String {
    name.replace('.', "\\2e")
}

/// A name that is not one of what the layout puts beside it. No two names become one: what ends so already gets one more.
fn free(name: &str) -> String {
    let stem = name.trim_end_matches('_').to_ascii_lowercase();
    if TAKEN.iter().any(|end| stem.ends_with(end)) { format!("{name}_") } else { name.to_owned() }
}

/// A name that a file system takes: of one that is too long its beginning and a digest.
fn short(name: &str) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    // What is cut in the middle of a shift stays plain text: `&` begins one, and here it would have no end.
    let kept = name.get(..name.floor_char_boundary(NAME_BYTES_KEPT)).unwrap_or_default();
    format!("{}~{:032x}", kept.rsplit_once('&').map_or(kept, |(before, _)| before), Digest::of(name.as_bytes()))
}

/// Text in the UTF-7 of IMAP mailboxes (RFC 3501 5.1.3).
pub(super) fn mailbox_utf7(text: &str) -> String {
    let mut out = String::new();
    let mut shifted: Vec<u8> = Vec::new();
    for char in text.chars() {
        if matches!(char, ' '..='~') {
            unshift(&mut shifted, &mut out);
            out.push(char);
            if char == '&' {
                out.push('-');
            }
        } else {
            let mut units = [0; 2];
            shifted.extend(char.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    unshift(&mut shifted, &mut out);
    out
}

fn unshift(shifted: &mut Vec<u8>, out: &mut String) {
    if !shifted.is_empty() {
        let digits = base64(shifted).replace('/', ",");
        out.push_str(&format!("&{}-", digits.trim_end_matches('=')));
        shifted.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mail(layout: Layout, path: &str) -> String {
        Place::of(layout, path, Some("Posteingang")).mail
    }

    #[test]
    fn names_are_in_the_utf7_of_imap() {
        let cases = [
            ("Inbox", "Inbox"),
            ("R&D", "R&-D"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("\u{1f600}", "&2D3eAA-"),
        ];
        cases.iter().for_each(|(text, wanted)| assert_eq!(mailbox_utf7(text), *wanted));
    }

    #[test]
    fn the_inbox_is_the_root_of_a_maildir() {
        let cases = [
            ("Posteingang", ""),
            ("Posteingang/a.b", ".INBOX.a\\2eb"),
            ("Inbox", ".Inbox\\2e"),
            ("Gelöschte Objekte", ".Gel&APY-schte Objekte"),
            ("A/Inbox", ".A.Inbox"),
        ];
        cases.iter().for_each(|(path, wanted)| assert_eq!(mail(Layout::Maildir, path), *wanted, "{path}"));
        assert_eq!(Place::of(Layout::Maildir, "Inbox", None).mail, "", "where no folder is known to receive mail");
        assert_eq!(Place::of(Layout::Maildir, "A/b.c", None).calendar, "A.b\\2ec.ics");
    }

    #[test]
    fn an_mbox_stands_beside_its_folder_and_nothing_is_in_its_way() {
        assert_eq!(mail(Layout::Mbox, "A/B"), "A/B.mbox");
        assert_eq!(mail(Layout::Mbox, "A.mbox/B"), "A.mbox_/B.mbox");
        let place = Place::of(Layout::Thunderbird, "A/B/C", None);
        assert_eq!((place.mail.as_str(), place.calendar.as_str()), ("A.sbd/B.sbd/C", "A.sbd/B.sbd/C.ics"));
        assert_eq!(place.above, ["A", "A.sbd/B"]);
    }

    #[test]
    fn a_name_that_is_too_long_is_cut_and_stays_its_own() {
        let long = |end: &str| mail(Layout::Maildir, &format!("{}{end}", "ä/".repeat(60)));
        assert!(long("x").len() < NAME_BYTES_MAX && long("x") != long("y"));
    }

    proptest! {
        #[test]
        fn no_two_folders_share_a_place(one in "[AI.b_]{1,3}(mbox|\\.sbd|\\.ics)?_{0,2}(/[a.]{1,2})?", two in "[AI.b_]{1,3}(mbox|\\.sbd|\\.ics)?_{0,2}(/[a.]{1,2})?") {
            prop_assume!(one != two);
            for layout in [Layout::Maildir, Layout::Mbox, Layout::Thunderbird] {
                let (one, two) = (Place::of(layout, &one, None), Place::of(layout, &two, None));
                prop_assert!(one.mail != two.mail && one.calendar != two.calendar && one.mail != two.calendar && one.contacts != two.mail);
            }
        }
    }
}
