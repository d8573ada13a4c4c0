//! VTODO from a task ([MS-OXOTASK]).

use jiff::civil::Date;

use super::common::{time, write_attachments, write_marks, write_priority, write_stamps, write_texts};
use super::pattern::Pattern;
use super::when::{Clock, When};
use super::{people, recurrence};
use crate::convert::Given;
use crate::convert::lines::{Lines, date_near, unique_id, zulu};
use crate::format::Format;
use crate::format::codec::Decoder;
use crate::store::item::Item;
use crate::store::props::{Key, Props};
use crate::store::{search_key, tags};

/// Writes a task. Its dates are days: stored as midnight in UTC, whatever the zone ([MS-OXOTASK] 2.2.2.2.4, 2.2.2.2.5).
pub(super) fn write(lines: &mut Lines, item: &Item, given: &Given<'_>) {
    let props = &item.props;
    let blob = props.bytes(tags::LID_TASK_RECURRENCE).filter(|blob| !blob.is_empty());
    let pattern = blob.as_ref().and_then(|blob| Pattern::decode(&mut Decoder::new(Format::Unicode, blob)));
    pattern.iter().for_each(|pattern| recurrence::write_calendar(lines, pattern));
    lines.raw("BEGIN", "VTODO");
    lines.text("UID", &unique_id(item, &[&search_key::own_creation_time(props), &props.time(tags::LID_TASK_DUE_DATE)]));
    write_stamps(lines, props);
    write_dates(lines, props, pattern.as_ref());
    if blob.is_some() && pattern.is_none() {
        lines.lacks("recurrence");
    }
    write_texts(lines, item, given);
    write_marks(lines, props);
    write_priority(lines, "PRIORITY", props);
    write_progress(lines, props);
    people::write_assignment(lines, item);
    lines.some_text("X-PSTFS-OWNER", props.text(tags::LID_TASK_OWNER).as_deref());
    write_attachments(lines, item, given);
    write_alarm(lines, props);
    lines.raw("END", "VTODO");
}

fn date(props: &Props, key: Key) -> Option<Date> {
    time(props, key).and_then(date_near)
}

fn write_dates(lines: &mut Lines, props: &Props, pattern: Option<&Pattern>) {
    let (start, due) = (date(props, tags::LID_TASK_START_DATE), date(props, tags::LID_TASK_DUE_DATE));
    // The dates of a recurring task are those of its turn; its rule counts from its first one (RFC 5545 3.8.5.3).
    let first = pattern.filter(|pattern| !pattern.regenerates).and_then(Pattern::first);
    let length = start.zip(due).and_then(|(start, due)| due.since((jiff::Unit::Day, start)).ok());
    let (start, due) = match first {
        Some(first) => (Some(first), length.and_then(|length| first.checked_add(length).ok())),
        None => (start.or_else(|| due.filter(|_| pattern.is_some())), due),
    };
    for (name, date) in [("DTSTART", start), ("DUE", due)] {
        date.into_iter().for_each(|date| When::Day(date).write(lines, name));
    }
    if let Some(pattern) = pattern {
        write_recurrence(lines, pattern);
    }
}

/// The days of a task that were skipped are days too.
fn write_recurrence(lines: &mut Lines, pattern: &Pattern) {
    let skipped: Vec<_> = pattern.deleted.iter().filter_map(|date| Clock::Floating.minutes(*date, true)).collect();
    recurrence::write(lines, pattern, pattern.last().map(When::Day), &skipped, |date| Some(When::Day(date)));
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
    for (name, key) in
        [("X-PSTFS-ESTIMATED-EFFORT", tags::LID_TASK_ESTIMATED_EFFORT), ("X-PSTFS-ACTUAL-EFFORT", tags::LID_TASK_ACTUAL_EFFORT)]
    {
        if let Some(minutes) = props.int(key).filter(|minutes| *minutes > 0) {
            lines.raw(name, &format!("PT{minutes}M"));
        }
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

#[cfg(test)]
mod tests {
    use super::super::pattern::testing::{Forge, minutes};
    use super::super::testing::{item, rendered, time};
    use super::*;
    use crate::ltp::value::Value;

    fn task(values: &[(Key, Value)]) -> String {
        rendered(&item("IPM.Task", values))
    }

    #[test]
    fn dates_are_days() {
        let document =
            task(&[(tags::LID_TASK_START_DATE, time("2024-01-02T00:00Z")), (tags::LID_TASK_DUE_DATE, time("2024-01-09T00:00Z"))]);
        assert!(document.contains("\nDTSTART;VALUE=DATE:20240102\nDUE;VALUE=DATE:20240109\n"), "{document}");
    }

    #[test]
    fn the_status_and_the_part_done_are_told() {
        let done = task(&[
            (tags::LID_TASK_STATUS, Value::I32(1)),
            (tags::LID_TASK_COMPLETE, Value::Bool(true)),
            (tags::LID_PERCENT_COMPLETE, Value::F64(1.0)),
            (tags::LID_TASK_DATE_COMPLETED, time("2024-01-09T23:00Z")),
        ]);
        assert!(done.contains("\nSTATUS:COMPLETED\nPERCENT-COMPLETE:100\nCOMPLETED:20240109T230000Z\n"), "{done}");
        let waiting = task(&[(tags::LID_TASK_STATUS, Value::I32(3)), (tags::LID_PERCENT_COMPLETE, Value::F64(f64::NAN))]);
        assert!(waiting.contains("\nSTATUS:IN-PROCESS\nX-PSTFS-TASK-STATUS:WAITING\nEND:VTODO\n"), "{waiting}");
    }

    #[test]
    fn a_recurring_task_begins_at_a_date() {
        let blob = Forge { deleted: vec![minutes("2016-08-09T00:00")], ..Forge::default() }.encode();
        let document = task(&[(tags::LID_TASK_RECURRENCE, Value::Binary(blob))]);
        let expected = "\nDTSTART;VALUE=DATE:20160802\nRRULE:FREQ=WEEKLY;BYDAY=TU;WKST=SU\nEXDATE;VALUE=DATE:20160809\n";
        assert!(document.contains(expected), "{document}");
        assert!(task(&[(tags::LID_TASK_RECURRENCE, Value::Binary(vec![1]))]).contains("\nX-PSTFS-INCOMPLETE:recurrence\n"));
    }
}
