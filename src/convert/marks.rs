//! Header fields that single properties make ([MS-OXCMAIL] 2.1.3.2): what users and senders marked a message with.

use super::header::{self, Field, Fields, clean};
use crate::store::names::Name;
use crate::store::props::{Key, Props};
use crate::store::tags;

/// PidTagMessageFlags: the message was read.
const READ: i32 = 0x1;
/// PidTagMessageFlags: the message is a draft.
const UNSENT: i32 = 0x8;
/// PidTagFlagStatus: marked for follow-up.
const FLAGGED: i32 = 2;
/// PidTagLastVerbExecuted: replied, to the sender or to all.
const REPLIED: std::ops::RangeInclusive<i32> = 102..=103;

/// Properties whose text is the field's value.
const TEXTS: &[(Key, &str)] = &[
    (tags::LIST_HELP, "List-Help"),
    (tags::LIST_SUBSCRIBE, "List-Subscribe"),
    (tags::LIST_UNSUBSCRIBE, "List-Unsubscribe"),
    (tags::SENDER_TELEPHONE_NUMBER, "X-CallingTelephoneNumber"),
    (tags::VOICE_MESSAGE_SENDER_NAME, "X-VoiceMessageSenderName"),
    (tags::VOICE_MESSAGE_ATTACHMENT_ORDER, "X-AttachmentOrder"),
    (tags::CALL_ID, "X-CallID"),
    // Where a feed's item stands on the web: mail programs that read feeds take it from there.
    (tags::LID_POST_RSS_ITEM_LINK, "Content-Base"),
    (tags::LID_POST_RSS_ITEM_GUID, "X-Rss-Item-Guid"),
    (tags::LID_POST_RSS_CHANNEL, "X-Rss-Channel"),
    (tags::LID_POST_RSS_CHANNEL_LINK, "X-Rss-Channel-Link"),
];

/// Properties whose number is.
const NUMBERS: &[(Key, &str)] =
    &[(tags::VOICE_MESSAGE_DURATION, "X-VoiceMessageDuration"), (tags::FAX_NUMBER_OF_PAGES, "X-FaxNumberOfPages")];

/// PidTagAutoResponseSuppress: which answers the sender does not want ([MS-OXCMAIL] 2.1.3.2.14).
const UNWANTED: &[(i32, &str)] = &[(0x1, "DR"), (0x2, "NDR"), (0x4, "RN"), (0x8, "NRN"), (0x10, "OOF"), (0x20, "AutoReply")];

/// Fields that other properties make: PS_INTERNET_HEADERS may not ([MS-OXCMAIL] 2.1.3.2.20).
const MAPPED: &[&str] = &[
    "bcc",
    "cc",
    "date",
    "from",
    "importance",
    "in-reply-to",
    "keywords",
    "message-id",
    "priority",
    "received",
    "references",
    "reply-to",
    "sender",
    "sensitivity",
    "subject",
    "thread-index",
    "thread-topic",
    "to",
    "x-priority",
    "x-unsent",
];

/// Classes by their beginnings and what Exchange calls them ([MS-OXCMAIL] 2.1.3.2.1); the first that fits.
const CONTENT_CLASSES: &[(&str, &str)] = &[
    ("IPM.NOTE.MICROSOFT.FAX.CA", "fax-ca"),
    ("IPM.NOTE.MICROSOFT.FAX", "fax"),
    ("IPM.NOTE.MICROSOFT.MISSED.VOICE", "missedcall"),
    ("IPM.NOTE.MICROSOFT.CONVERSATION.VOICE", "voice-uc"),
    ("IPM.NOTE.MICROSOFT.VOICEMAIL.UM.CA", "voice-ca"),
    ("IPM.NOTE.MICROSOFT.VOICEMAIL", "voice"),
    ("IPM.SCHEDULE.MEETING", "urn:content-classes:calendarmessage"),
    ("IPM.OUTLOOK.RECALL", "urn:content-classes:recallmessage"),
];

/// Adds what the user, or the sender, marked the message with.
pub(super) fn add(fields: &mut Fields, props: &Props) {
    let token = |fields: &mut Fields, name: &str, value: &str| fields.add(header::tokens(name, [value.to_owned()]));
    match props.int(tags::IMPORTANCE) {
        Some(0) => [("Importance", "low"), ("X-Priority", "5")].into_iter().for_each(|(name, value)| token(fields, name, value)),
        Some(2) => [("Importance", "high"), ("X-Priority", "1")].into_iter().for_each(|(name, value)| token(fields, name, value)),
        _ => {}
    }
    match props.int(tags::PRIORITY) {
        Some(-1) => token(fields, "Priority", "non-urgent"),
        Some(1) => token(fields, "Priority", "urgent"),
        _ => {}
    }
    match props.int(tags::SENSITIVITY) {
        Some(1) => token(fields, "Sensitivity", "Personal"),
        Some(2) => token(fields, "Sensitivity", "Private"),
        Some(3) => token(fields, "Sensitivity", "Company-Confidential"),
        _ => {}
    }
    fields.add(keywords(&props.texts(tags::KEYWORDS)));
    add_texts(fields, props);
    add_internet_headers(fields, props);
    add_status(fields, props);
}

/// Whether it is a sticky note: never sent, so Outlook marks each as unsent, but nobody wants it opened as a letter to write.
pub fn is_note(props: &Props) -> bool {
    props.text(tags::MESSAGE_CLASS).is_some_and(|class| class.to_ascii_uppercase().starts_with("IPM.STICKYNOTE"))
}

/// Flags as mail programs on Unix keep them.
fn add_status(fields: &mut Fields, props: &Props) {
    let token = |fields: &mut Fields, name: &str, value: &str| fields.add(header::tokens(name, [value.to_owned()]));
    let flags = props.int(tags::MESSAGE_FLAGS).unwrap_or_default();
    token(fields, "Status", if flags & READ == 0 { "O" } else { "RO" });
    let replied = props.int(tags::LAST_VERB_EXECUTED).is_some_and(|verb| REPLIED.contains(&verb));
    let flagged = props.int(tags::FLAG_STATUS) == Some(FLAGGED);
    let draft = flags & UNSENT != 0 && !is_note(props);
    let marks: String = [(replied, 'A'), (flagged, 'F'), (draft, 'T')].into_iter().filter_map(|(is, mark)| is.then_some(mark)).collect();
    token(fields, "X-Status", &marks);
    if draft {
        token(fields, "X-Unsent", "1");
    }
}

fn add_texts(fields: &mut Fields, props: &Props) {
    let class = props.text(tags::MESSAGE_CLASS).unwrap_or_default().to_ascii_uppercase();
    let known =
        CONTENT_CLASSES.iter().find(|(start, _)| class.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')));
    fields.add(header::text("Content-Class", known.map(|(_, name)| *name).unwrap_or_default()));
    for (key, name) in TEXTS {
        fields.add(header::text(name, &props.text(*key).unwrap_or_default()));
    }
    for (key, name) in NUMBERS {
        fields.add(header::tokens(name, props.int(*key).map(|number| number.to_string())));
    }
    let suppressed = props.int(tags::AUTO_RESPONSE_SUPPRESS).unwrap_or_default();
    let unwanted: Vec<&str> = UNWANTED.iter().filter(|(bit, _)| suppressed & bit != 0).map(|(_, name)| *name).collect();
    let unwanted = if suppressed == -1 { "All".to_owned() } else { unwanted.join(", ") };
    fields.add(header::text("X-Auto-Response-Suppress", &unwanted));
}

/// Fields that senders and servers added, which stores keep as named properties; in the order of their names, for ids
/// differ from store to store.
fn add_internet_headers(fields: &mut Fields, props: &Props) {
    let named = props.values().keys().filter_map(|id| match props.names().name(*id)? {
        Name::Text(tags::PS_INTERNET_HEADERS, name) => Some((name.to_ascii_lowercase(), name, *id)),
        _ => None,
    });
    let mut named: Vec<(String, &String, u16)> = named.collect();
    named.sort();
    for (lower, name, id) in named {
        let is_name = name.len() < 100 && name.bytes().all(|byte| matches!(byte, b'!'..=b'~') && byte != b':');
        if is_name && !name.is_empty() && !super::transport::is_ours(&lower) && !MAPPED.contains(&lower.as_str()) {
            fields.add(header::text(name, &props.texts(Key::Id(id)).join(", ")));
        }
    }
}

fn keywords(words: &[String]) -> Field {
    let phrases: Vec<Vec<String>> = words.iter().filter(|word| !clean(word).is_empty()).map(|word| header::phrase(word)).collect();
    let last = phrases.len().saturating_sub(1);
    let tokens = phrases.into_iter().enumerate().flat_map(|(number, mut phrase)| {
        match phrase.last_mut().filter(|_| number != last) {
            Some(token) if token.ends_with("?=") => phrase.push(",".to_owned()),
            Some(token) => token.push(','),
            None => {}
        }
        phrase
    });
    header::tokens("Keywords", tokens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ltp::value::Value;

    fn text(key: Key, text: &str) -> (Key, Value) {
        (key, Value::Unicode(text.to_owned()))
    }

    fn lines(values: Vec<(Key, Value)>) -> String {
        let mut fields = Fields::default();
        add(&mut fields, &Props::from_values(values));
        fields.lines()
    }

    #[test]
    fn marks_are_told() {
        let values = vec![
            (tags::IMPORTANCE, Value::I32(2)),
            (tags::PRIORITY, Value::I32(1)),
            (tags::SENSITIVITY, Value::I32(2)),
            (tags::MESSAGE_FLAGS, Value::I32(9)),
            (tags::FLAG_STATUS, Value::I32(2)),
            (tags::KEYWORDS, Value::Multi(vec![Value::Unicode("Red, blue".into()), Value::Unicode("Grün".into())])),
        ];
        let wanted = "Importance: high\nX-Priority: 1\nPriority: urgent\nSensitivity: Private\n\
                      Keywords: \"Red, blue\", =?utf-8?Q?Gr=C3=BCn?=\nStatus: RO\nX-Status: FT\nX-Unsent: 1\n";
        assert_eq!(lines(values), wanted);
    }

    #[test]
    fn headers_kept_as_named_properties_come_back_but_never_over_our_own() {
        let header = |name| Key::Name(tags::PS_INTERNET_HEADERS, name);
        let values = vec![
            text(header("x-zeta"), "last"),
            text(header("X-Alpha"), "grün\r\nBcc: eve@x.org"),
            text(header("Content-Type"), "text/plain"),
            text(header("Subject"), "not this"),
            text(header("two words"), "x"),
            text(Key::Name(tags::PS_PUBLIC_STRINGS, "X-Other-Set"), "x"),
        ];
        assert_eq!(lines(values), "X-Alpha: =?utf-8?Q?gr=C3=BCn__Bcc=3A_eve=40x=2Eorg?=\nx-zeta: last\nStatus: O\n");
    }

    #[test]
    fn lists_voice_mail_and_feeds_tell_what_they_are() {
        let values = vec![
            text(tags::MESSAGE_CLASS, "IPM.Note.Microsoft.Voicemail.UM.CA"),
            text(tags::SENDER_TELEPHONE_NUMBER, "+1 555"),
            (tags::VOICE_MESSAGE_DURATION, Value::I32(42)),
            text(tags::LIST_UNSUBSCRIBE, "<mailto:off@x.org>"),
            (tags::AUTO_RESPONSE_SUPPRESS, Value::I32(0x12)),
            text(tags::LID_POST_RSS_ITEM_LINK, "http://x.org/1"),
        ];
        let wanted = "Content-Class: voice-ca\nList-Unsubscribe: <mailto:off@x.org>\nX-CallingTelephoneNumber: +1 555\n\
                      Content-Base: http://x.org/1\nX-VoiceMessageDuration: 42\nX-Auto-Response-Suppress: NDR, OOF\nStatus: O\n";
        assert_eq!(lines(values), wanted);
        let all = lines(vec![(tags::AUTO_RESPONSE_SUPPRESS, Value::I32(-1))]);
        assert!(all.contains("X-Auto-Response-Suppress: All\n"), "{all}");
    }
}
