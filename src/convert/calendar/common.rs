//! What appointments, tasks and journal entries have in common.

use jiff::civil::DateTime;

use crate::convert::Given;
use crate::convert::body::Bodies;
use crate::convert::lines::{Lines, base64, filename, quoted, utc, zulu};
use crate::store::item::{Attachment, Content, Item};
use crate::store::props::{Key, Props};
use crate::store::tags;

/// The stamp of an item without any time: a document must have one, and a clock would make each rendering another.
const NO_TIME: &str = "19700101T000000Z";

/// Writes DTSTAMP, CREATED and LAST-MODIFIED.
pub(super) fn write_stamps(lines: &mut Lines, props: &Props) {
    const STAMPS: [Key; 5] = [
        tags::LID_OWNER_CRITICAL_CHANGE,
        tags::LAST_MODIFICATION_TIME,
        tags::CREATION_TIME,
        tags::MESSAGE_DELIVERY_TIME,
        tags::CLIENT_SUBMIT_TIME,
    ];
    let stamp = STAMPS.into_iter().find_map(|key| time(props, key));
    lines.raw("DTSTAMP", &stamp.map_or_else(|| NO_TIME.to_owned(), zulu));
    if let Some(created) = time(props, tags::CREATION_TIME) {
        lines.raw("CREATED", &zulu(created));
    }
    if let Some(modified) = time(props, tags::LAST_MODIFICATION_TIME) {
        lines.raw("LAST-MODIFIED", &zulu(modified));
    }
}

/// A time of UTC.
pub(super) fn time(props: &Props, key: Key) -> Option<DateTime> {
    props.time(key).and_then(utc)
}

/// Writes SUMMARY and DESCRIPTION.
pub(super) fn write_texts(lines: &mut Lines, item: &Item, given: &Given<'_>) {
    lines.some_text("SUMMARY", item.subject().as_deref());
    lines.some_text("DESCRIPTION", given.text(item).as_deref());
    write_html(lines, item);
}

/// Writes the body with its looks as Outlook does ([MS-OXCICAL] 2.1.3.1.1.20.36); it reads this before DESCRIPTION.
pub(super) fn write_html(lines: &mut Lines, item: &Item) {
    lines.some_text("X-ALT-DESC;FMTTYPE=text/html", Bodies::of(item).html.as_deref());
}

/// Writes CATEGORIES, CONTACT and CLASS ([MS-OXCICAL] 2.1.3.1.1.20.3, .6, .4).
pub(super) fn write_marks(lines: &mut Lines, props: &Props) {
    lines.texts("CATEGORIES", ",", &props.texts(tags::KEYWORDS));
    props.texts(tags::LID_CONTACTS).iter().for_each(|contact| lines.some_text("CONTACT", Some(contact)));
    let class = match props.int(tags::SENSITIVITY) {
        Some(0) => Some("PUBLIC"),
        Some(1) => Some("X-PERSONAL"),
        Some(2) => Some("PRIVATE"),
        Some(3) => Some("CONFIDENTIAL"),
        _ => None,
    };
    class.into_iter().for_each(|class| lines.raw("CLASS", class));
}

/// Writes PRIORITY ([MS-OXCICAL] 2.1.3.1.1.20.17) under this name: a journal entry cannot have it (RFC 5545 3.8.1.9).
pub(super) fn write_priority(lines: &mut Lines, name: &str, props: &Props) {
    let priority = match props.int(tags::IMPORTANCE) {
        Some(0) => Some("9"),
        Some(1) => Some("5"),
        Some(2) => Some("1"),
        _ => None,
    };
    priority.into_iter().for_each(|priority| lines.raw(name, priority));
}

/// Writes the attachments that hold files ([MS-OXCICAL] 2.1.3.1.1.20.1); what cannot be held is told.
pub(super) fn write_attachments(lines: &mut Lines, item: &Item, given: &Given<'_>) {
    for attachment in item.attachments.iter().filter(|attachment| !is_exception(attachment)) {
        if let Content::Reference(target) = &attachment.content {
            lines.raw("ATTACH", target);
            continue;
        }
        let name = filename(attachment);
        match given.content(attachment) {
            Some(bytes) => lines.raw(&attach(attachment, name.as_deref()), &base64(&bytes)),
            None => lines.lacks(&format!("attachment {}", name.as_deref().unwrap_or("without a name"))),
        }
    }
}

fn attach(attachment: &Attachment, name: Option<&str>) -> String {
    let mut parameters = String::from("ATTACH");
    let kind = match &attachment.content {
        Content::Message(_) => Some("message/rfc822".to_owned()),
        _ => attachment.props.text(tags::ATTACH_MIME_TAG).filter(|kind| is_media_type(kind)),
    };
    if let Some(kind) = kind {
        parameters.push_str(&format!(";FMTTYPE={kind}"));
    }
    parameters.push_str(";ENCODING=BASE64;VALUE=BINARY");
    if let Some(name) = name {
        parameters.push_str(&format!(";X-FILENAME={}", quoted(name)));
    }
    parameters
}

fn is_media_type(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|it| it.is_ascii_alphanumeric() || "!#$&-^_.+".contains(it));
    text.split_once('/').is_some_and(|(kind, subtype)| is_word(kind) && is_word(subtype))
}

/// PidTagAttachmentFlags: the attachment is an exception of a series ([MS-OXOCAL] 2.2.10.1.2).
const EXCEPTION: i32 = 0x2;

/// Whether an attachment holds an instance of a series rather than a file.
pub(super) fn is_exception(attachment: &Attachment) -> bool {
    let is_marked = attachment.props.int(tags::ATTACHMENT_FLAGS).unwrap_or(0) & EXCEPTION != 0;
    is_marked && matches!(attachment.content, Content::Message(_) | Content::Broken(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::property::FileTime;
    use crate::ltp::value::Value;

    #[test]
    fn the_stamp_is_a_time_of_the_item_and_never_now() {
        let written = |props: &Props| {
            let mut lines = Lines::default();
            write_stamps(&mut lines, props);
            lines.finish()
        };
        assert_eq!(written(&Props::default()), "DTSTAMP:19700101T000000Z\r\n");
        let modified = Props::from_values([(tags::LAST_MODIFICATION_TIME, Value::Time(FileTime::from_unix(86_400).unwrap()))]);
        assert_eq!(written(&modified), "DTSTAMP:19700102T000000Z\r\nLAST-MODIFIED:19700102T000000Z\r\n");
    }

    #[test]
    fn an_attachment_is_inside_and_a_lost_one_is_told() {
        let attachment = |content| Attachment {
            props: Props::from_values([
                (tags::ATTACH_LONG_FILENAME, Value::Unicode("a;b.txt".into())),
                (tags::ATTACH_MIME_TAG, Value::Unicode("text/plain".into())),
            ]),
            content,
            ..Attachment::default()
        };
        let attachments = vec![attachment(Content::Bytes(b"foo".to_vec())), attachment(Content::Broken("gone".into()))];
        let mut lines = Lines::default();
        write_attachments(&mut lines, &Item { attachments, ..Item::default() }, &Given::default());
        let text = lines.finish().replace("\r\n ", "");
        assert_eq!(
            text,
            "ATTACH;FMTTYPE=text/plain;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=\"a;b.txt\":Zm9v\r\n\
             X-PSTFS-INCOMPLETE:attachment a\\;b.txt\r\n"
        );
    }
}
