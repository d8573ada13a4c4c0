//! VTODO from a task ([MS-OXOTASK]).

use super::common::{time, write_attachments, write_marks, write_stamps, write_texts};
use super::pattern::{End, Pattern};
use super::rule;
use super::when::When;
use crate::convert::Given;
use crate::convert::lines::{Lines, date_near, unique_id, zulu};
use crate::format::Format;
use crate::format::codec::Decoder;
use crate::store::item::Item;
use crate::store::props::{Key, Props};
use crate::store::tags;

/// Writes a task. Its dates are days: stored as midnight in UTC, whatever the zone ([MS-OXOTASK] 2.2.2.2.4, 2.2.2.2.5).
pub(super) fn write(lines: &mut Lines, item: &Item, given: &Given<'_>) {
    let props = &item.props;
    lines.raw("BEGIN", "VTODO");
    lines.text("UID", &unique_id(item, &[&props.time(tags::CREATION_TIME), &props.time(tags::LID_TASK_DUE_DATE)]));
    write_stamps(lines, props);
    write_dates(lines, props);
    write_texts(lines, item, given);
    write_marks(lines, props);
    write_progress(lines, props);
    lines.some_text("X-PSTFS-OWNER", props.text(tags::LID_TASK_OWNER).as_deref());
    write_attachments(lines, item, given);
    write_alarm(lines, props);
    lines.raw("END", "VTODO");
}

fn day(props: &Props, key: Key) -> Option<When<'static>> {
    time(props, key).and_then(date_near).map(When::Day)
}

fn write_dates(lines: &mut Lines, props: &Props) {
    let blob = props.bytes(tags::LID_TASK_RECURRENCE);
    let pattern = blob.as_ref().and_then(|blob| Pattern::decode(&mut Decoder::new(Format::Unicode, blob)));
    let due = day(props, tags::LID_TASK_DUE_DATE);
    // A rule needs a date to begin at (RFC 5545 3.8.5.3).
    let first = || pattern.as_ref().and_then(|pattern| due.or_else(|| pattern.first().map(When::Day)));
    if let Some(start) = day(props, tags::LID_TASK_START_DATE).or_else(first) {
        start.write(lines, "DTSTART");
    }
    if let Some(due) = due {
        due.write(lines, "DUE");
    }
    match pattern {
        Some(pattern) => write_recurrence(lines, &pattern),
        None if blob.is_some_and(|blob| !blob.is_empty()) => lines.text("X-PSTFS-INCOMPLETE", "recurrence"),
        None => {}
    }
}

fn write_recurrence(lines: &mut Lines, pattern: &Pattern) {
    let until = match pattern.end {
        End::OnDate => pattern.last().map(When::Day).and_then(When::until),
        End::After(_) | End::Never => None,
    };
    match rule::rule(pattern, until) {
        // The next one is made when this one is done: RRULE would make them all now ([MS-OXOTASK] 3.1.4.6.2).
        Some(rule) if pattern.regenerates => lines.raw("X-PSTFS-REGENERATES", &rule),
        Some(rule) if pattern.is_gregorian() => lines.raw("RRULE", &rule),
        Some(rule) => lines.raw("X-MICROSOFT-RRULE", &format!("{rule};X-CALENDAR={}", pattern.calendar)),
        None => lines.text("X-PSTFS-INCOMPLETE", "recurrence"),
    }
}

/// STATUS, PERCENT-COMPLETE, COMPLETED ([MS-OXOTASK] 2.2.2.2.2, 2.2.2.2.3, 2.2.2.2.9).
fn write_progress(lines: &mut Lines, props: &Props) {
    let is_complete = props.flag(tags::LID_TASK_COMPLETE).unwrap_or(false);
    let (status, detail) = match props.int(tags::LID_TASK_STATUS) {
        _ if is_complete => ("COMPLETED", None),
        Some(0) => ("NEEDS-ACTION", None),
        Some(1) => ("IN-PROCESS", None),
        Some(2) => ("COMPLETED", None),
        Some(3) => ("IN-PROCESS", Some("WAITING")),
        Some(4) => ("NEEDS-ACTION", Some("DEFERRED")),
        _ => ("NEEDS-ACTION", None),
    };
    lines.raw("STATUS", status);
    detail.into_iter().for_each(|detail| lines.raw("X-PSTFS-TASK-STATUS", detail));
    if let Some(part) = props.float(tags::LID_PERCENT_COMPLETE).filter(|part| (0.0..=1.0).contains(part)) {
        lines.raw("PERCENT-COMPLETE", &format!("{:.0}", percent(part)));
    }
    if let Some(completed) = time(props, tags::LID_TASK_DATE_COMPLETED) {
        lines.raw("COMPLETED", &zulu(completed));
    }
}

/// Of a part of 1.
fn percent(part: f64) -> f64 {
    part * 100.0
}

fn write_alarm(lines: &mut Lines, props: &Props) {
    let reminder = time(props, tags::LID_REMINDER_TIME).filter(|_| props.flag(tags::LID_REMINDER_SET) == Some(true));
    let Some(reminder) = reminder else { return };
    lines.raw("BEGIN", "VALARM");
    lines.raw("ACTION", "DISPLAY");
    lines.text("DESCRIPTION", "Reminder");
    lines.raw("TRIGGER;VALUE=DATE-TIME", &zulu(reminder));
    lines.raw("END", "VALARM");
}
