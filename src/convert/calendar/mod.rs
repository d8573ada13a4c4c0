//! Appointments, tasks and journal entries as iCalendar (RFC 5545), after [MS-OXCICAL].
//!
//! [`render`] frames what `event`, `task` and `journal` write. Recurring items hold a blob: `pattern` says how often and
//! `series` which instances differ; `rule` turns the first into RRULE. Zones come from blobs too (`zone`), and `when`
//! knows on which clock a time stands. Everything in the blobs is a claim of the file: it is read as far as it goes.

mod common;
mod event;
mod exceptions;
mod journal;
mod pattern;
mod people;
mod rule;
mod series;
mod task;
mod uid;
mod when;
mod windows_zones;
mod zone;

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
