//! What a letter tells of its recipients: their kinds, and the lists of their names ([MS-PST] 2.4.5.3).

use super::props::Key;
use super::tags;

/// The bits of PidTagRecipientType that tell to whom a letter goes; the others are flags ([MS-OXOMSG] 2.2.3.1).
pub const TYPE_BITS: i32 = 0x0fff_ffff;
/// The lists of names that a letter has beside the table, by the kind of recipient: 1 to, 2 cc, 3 bcc.
pub const LISTS: [Key; 3] = [tags::DISPLAY_TO, tags::DISPLAY_CC, tags::DISPLAY_BCC];

/// Names as they are compared: programs put them in quotes, or do not.
pub fn plain(names: &str) -> String {
    names.chars().filter(|char| !matches!(char, '\'' | '"' | ' ' | ';' | '\0')).collect()
}
