//! Appointments, tasks and journal entries as iCalendar (RFC 5545), after [MS-OXCICAL].
//!
//! [`render`] frames what `event`, `task` and `journal` write. Recurring items hold a blob: `pattern` says how often and
//! `series` which instances differ; `rule` turns the first into RRULE. Zones come from blobs too (`zone`), and `when`
//! knows on which clock a time stands. Everything in the blobs is a claim of the file: it is read as far as it goes.

mod common;
mod dates;
mod event;
mod exceptions;
mod instance;
mod journal;
mod months;
mod pattern;
mod people;
mod recurrence;
mod rule;
mod series;
mod task;
mod uid;
mod when;
mod windows_zones;
mod zone;
mod zone_rule;

use super::Given;
use super::lines::Lines;
use crate::store::item::Item;

/// The kinds of component that an item can become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Event,
    Task,
    Journal,
}

impl Kind {
    /// The kind of the longest known prefix of a class.
    fn of(class: &str) -> Option<Self> {
        let class = class.to_ascii_lowercase();
        let is = |prefix: &str| class.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        // The last one is the class of the messages inside a series, which a recovery can bring up alone.
        if is("ipm.appointment") || is("ipm.schedule.meeting") || is("ipm.ole.class.{00061055-0000-0000-c000-000000000046}") {
            Some(Self::Event)
        } else if is("ipm.task") {
            Some(Self::Task)
        } else if is("ipm.activity") {
            Some(Self::Journal)
        } else {
            None
        }
    }
}

/// The item as an iCalendar document; `None` where its class has no such form, or an appointment has no start.
///
/// Meeting requests and their answers (`IPM.Schedule.Meeting.*`) have one too: it is the calendar part of their mail.
pub fn render(item: &Item, given: &Given<'_>) -> Option<String> {
    let class = item.class();
    let mut lines = Lines::default();
    lines.raw("BEGIN", "VCALENDAR");
    lines.raw("PRODID", "-//pstfs//EN");
    lines.raw("VERSION", "2.0");
    if let Some(method) = method(&class) {
        lines.raw("METHOD", method);
    }
    lines.some_text("X-PSTFS-ORIGIN", item.origin.as_deref());
    lines.damage(item);
    match Kind::of(&class)? {
        Kind::Event => event::write(&mut lines, item, given)?,
        Kind::Task => task::write(&mut lines, item, given),
        Kind::Journal => journal::write(&mut lines, item, given),
    }
    lines.raw("END", "VCALENDAR");
    Some(lines.finish())
}

/// METHOD of a message that is sent about an appointment ([MS-OXCICAL] 2.1.3.1.1.1); an appointment that lies in a calendar has none.
pub fn method(class: &str) -> Option<&'static str> {
    let class = class.to_ascii_lowercase();
    match class.strip_prefix("ipm.schedule.meeting.")?.split('.').next()? {
        "request" => Some("REQUEST"),
        "resp" => Some("REPLY"),
        "canceled" => Some("CANCEL"),
        _ => None,
    }
}

#[cfg(test)]
mod testing {
    //! Items for tests.
    use super::*;
    use crate::format::property::FileTime;
    use crate::ltp::value::Value;
    use crate::store::props::{Key, Props};
    use crate::store::tags;

    pub(super) fn text(value: &str) -> Value {
        Value::Unicode(value.into())
    }

    /// A time, such as `2024-05-06T09:00Z`.
    pub(super) fn time(value: &str) -> Value {
        Value::Time(FileTime::from_unix(value.parse::<jiff::Timestamp>().unwrap().as_second()).unwrap())
    }

    pub(super) fn item(class: &str, values: &[(Key, Value)]) -> Item {
        let class = (tags::MESSAGE_CLASS, text(class));
        Item { props: Props::from_values([class].into_iter().chain(values.iter().cloned())), ..Item::default() }
    }

    /// The document, its folded lines joined and without CR.
    pub(super) fn rendered(item: &Item) -> String {
        unfolded(&render(item, &Given::default()).unwrap())
    }

    pub(super) fn unfolded(document: &str) -> String {
        document.replace("\r\n ", "").replace("\r\n", "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{item, text, time, unfolded};
    use super::*;
    use crate::store::tags;

    #[test]
    fn the_class_decides_the_component() {
        for (class, expected) in [
            ("IPM.Task", Some("VTODO")),
            ("ipm.task.x", Some("VTODO")),
            ("IPM.Activity", Some("VJOURNAL")),
            ("IPM.TaskRequest", None),
            ("IPM.Note", None),
            ("IPM.Appointment", None),
        ] {
            let document = render(&item(class, &[]), &Given::default());
            assert_eq!(document.is_some(), expected.is_some(), "{class}");
            let component = expected.unwrap_or_default();
            assert!(document.is_none_or(|text| text.contains(&format!("\r\nBEGIN:{component}\r\n"))), "{class}");
        }
    }

    #[test]
    fn only_what_was_sent_has_a_method() {
        for (class, expected) in [
            ("IPM.Appointment", None),
            ("IPM.Schedule.Meeting.Request", Some("REQUEST")),
            ("IPM.Schedule.Meeting.Request.x", Some("REQUEST")),
            ("IPM.Schedule.Meeting.Resp.Pos", Some("REPLY")),
            ("IPM.Schedule.Meeting.Canceled", Some("CANCEL")),
            ("IPM.Schedule.Meeting.Notification", None),
        ] {
            assert_eq!(method(class), expected, "{class}");
        }
    }

    #[test]
    fn an_answer_names_the_one_who_answered() {
        let values = [
            (tags::LID_APPOINTMENT_START_WHOLE, time("2024-05-06T09:00Z")),
            (tags::SENDER_NAME, text("Bob")),
            (tags::SENDER_EMAIL_ADDRESS, text("bob@x.test")),
        ];
        let document = render(&item("IPM.Schedule.Meeting.Resp.Tent", &values), &Given::default()).unwrap();
        assert!(unfolded(&document).contains("\nATTENDEE;PARTSTAT=TENTATIVE;CN=\"Bob\":mailto:bob@x.test\n"), "{document}");
    }

    #[test]
    fn the_body_that_the_caller_made_counts_where_none_is_stored() {
        let given = Given { body: Some("from html"), ..Given::default() };
        let description = |values: &[_]| render(&item("IPM.Task", values), &given).unwrap();
        assert!(description(&[]).contains("\r\nDESCRIPTION:from html\r\n"));
        assert!(description(&[(tags::BODY, text("stored"))]).contains("\r\nDESCRIPTION:stored\r\n"));
    }
}
