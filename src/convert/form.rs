//! The other form of an item that goes out as mail: the calendar part of a meeting request, the card of a contact that is
//! attached to a message, the task in a task request, the times of a free/busy item.

use std::cell::RefCell;

use super::eml::Open;
use super::encode::with_line_ends;
use super::header;
use super::part::{Part, disposition};
use super::{Format, Given, calendar, contact, freebusy};
use crate::damage::Result;
use crate::store::item::Item;
use crate::store::tags;

/// PidTagAttachmentFlags: the attachment is an instance of a series ([MS-OXOCAL] 2.2.10.1.2).
const EXCEPTION: i32 = 2;

/// Where the other form of an item stands.
#[derive(Clone, Debug)]
pub enum Form {
    /// Beside text and HTML, for programs that answer invitations ([MS-OXCICAL] 2.1.3, RFC 6047).
    Alternative(Part),
    /// As an attachment, for people to open.
    Attached(Part),
}

/// The other form of an item, if it has one; `text` is its body.
pub fn of(item: &Item, text: Option<&str>, open: Open<'_>) -> Result<Option<Form>> {
    let failed = RefCell::new(None);
    let message = |node| {
        let opened = open(node);
        opened.map_err(|error| if error.is_io() { failed.replace(Some(error)) } else { None }).ok()
    };
    let given = Given { body: text, message: &message, ..Given::default() };
    let form = match Format::of_class(&item.class()) {
        Format::Eml => match calendar::method(&item.class()) {
            Some(_) => calendar_of(item, &given).map(invitation),
            None => freebusy::render(item).map(|text| attached(item, "text/calendar", ".ics", text)),
        },
        Format::Ics => calendar_of(item, &given).map(|text| attached(item, "text/calendar", ".ics", text)),
        Format::Vcf => contact::render(item, &given).map(|text| attached(item, "text/vcard", ".vcf", text)),
    };
    match failed.into_inner() {
        Some(error) => Err(error),
        None => Ok(form),
    }
}

/// The item as iCalendar. Its files are parts of the mail, and need not stand in the calendar part once more.
fn calendar_of(item: &Item, given: &Given<'_>) -> Option<String> {
    let is_exception = |flags: Option<i32>| flags.is_some_and(|flags| flags & EXCEPTION != 0);
    let mut bare = item.clone();
    bare.attachments.retain(|attachment| is_exception(attachment.props.int(tags::ATTACHMENT_FLAGS)));
    calendar::render(&bare, given)
}

/// The calendar part of a meeting's mail; its type repeats the method inside it (RFC 6047 2.4).
fn invitation(text: String) -> Form {
    let method = text.lines().find_map(|line| line.strip_prefix("METHOD:")).map(str::to_owned);
    let mut part = Part::text("text/calendar", with_line_ends(&text));
    let mut tokens = vec!["text/calendar;".to_owned()];
    match method {
        Some(method) => tokens.extend(["charset=utf-8;".to_owned(), format!("method={method}")]),
        None => tokens.push("charset=utf-8".to_owned()),
    }
    part.fields.set(header::tokens("Content-Type", tokens));
    Form::Alternative(part)
}

fn attached(item: &Item, kind: &str, extension: &str, text: String) -> Form {
    let subject = item.subject().map(|subject| header::file_name(&subject)).filter(|subject| !subject.is_empty());
    let name = header::file_name(&format!("{}{extension}", subject.unwrap_or_else(|| "item".to_owned())));
    let mut part = Part::text(kind, with_line_ends(&text));
    let mut tokens = vec![format!("{kind};"), "charset=utf-8;".to_owned()];
    tokens.extend(header::name_parameter(&name));
    part.fields.set(header::tokens("Content-Type", tokens));
    part.fields.push(disposition("attachment", &name));
    Form::Attached(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::property::FileTime;
    use crate::ltp::value::Value;
    use crate::store::item::{Attachment, Content};
    use crate::store::props::{Key, Props};

    fn item(class: &str, values: &[(Key, Value)]) -> Item {
        let class = (tags::MESSAGE_CLASS, Value::Unicode(class.into()));
        Item { props: Props::from_values([class].into_iter().chain(values.iter().cloned())), ..Item::default() }
    }

    fn start() -> (Key, Value) {
        (tags::LID_APPOINTMENT_START_WHOLE, Value::Time(FileTime::from_unix(1_700_000_000).unwrap()))
    }

    fn form(item: &Item) -> Option<Form> {
        of(item, None, &|_| Ok(Item::default())).unwrap()
    }

    #[test]
    fn a_meetings_part_names_its_method() {
        for (class, method) in [("Request", "REQUEST"), ("Resp.Neg", "REPLY"), ("Canceled", "CANCEL")] {
            let Some(Form::Alternative(part)) = form(&item(&format!("IPM.Schedule.Meeting.{class}"), &[start()])) else { panic!() };
            let kind = part.fields.get("Content-Type").unwrap().unfolded();
            assert_eq!(kind, format!("text/calendar; charset=utf-8; method={method}"));
        }
        assert!(form(&item("IPM.Schedule.Meeting.Request", &[])).is_none(), "a meeting without a start has no calendar part");
        assert!(form(&item("IPM.Note", &[start()])).is_none());
    }

    #[test]
    fn a_task_inside_a_message_is_attached_under_its_subject() {
        let Some(Form::Attached(part)) = form(&item("IPM.Task", &[(tags::SUBJECT, Value::Unicode("Grünes/Haus".into()))])) else {
            panic!()
        };
        let lines = part.fields.lines();
        assert!(
            lines.starts_with("Content-Type: text/calendar; charset=utf-8;") && lines.contains("utf-8''Gr%C3%BCnes_Haus.ics"),
            "{lines}"
        );
    }

    #[test]
    fn a_meetings_files_are_not_in_its_calendar_part_too() {
        let file = Attachment { content: Content::Bytes(b"large".to_vec()), ..Attachment::default() };
        let meeting = Item { attachments: vec![file], ..item("IPM.Schedule.Meeting.Request", &[start()]) };
        let Some(text) = calendar_of(&meeting, &Given::default()) else { panic!() };
        assert!(!text.contains("ATTACH"), "{text}");
    }
}
