//! What one VEVENT tells: of an appointment, of a series, or of an instance that differs from its series.

use super::common::{time, write_attachments, write_html, write_marks, write_priority, write_stamps};
use super::series::{Exception, Series};
use super::when::{Clock, When, Zones};
use super::{people, uid};
use crate::convert::Given;
use crate::convert::lines::Lines;
use crate::store::item::Item;
use crate::store::props::{Key, Props};
use crate::store::tags;

/// One appointment: a single one, a whole series, or an instance that differs from its series.
pub(super) struct Instance<'a> {
    pub(super) item: &'a Item,
    pub(super) start: When<'a>,
    pub(super) end: When<'a>,
    pub(super) is_all_day: bool,
    /// For an instance: when it would have been, what the blob says of it, and the message that holds the rest.
    original: Option<(When<'a>, &'a Exception, Option<Item>)>,
}

impl<'a> Instance<'a> {
    pub(super) fn of_item(item: &'a Item, series: Option<&Series>, zones: &'a Zones) -> Option<Self> {
        let is_all_day = item.props.flag(tags::LID_APPOINTMENT_SUB_TYPE).unwrap_or(false);
        let (start, end) = match series {
            Some(series) => {
                let end = |start: u32| zones.start().minutes(start.checked_add(series.minutes())?, is_all_day);
                (zones.start().minutes(series.start()?, is_all_day)?, series.start().and_then(end)?)
            }
            None => single_times(&item.props, zones, is_all_day)?,
        };
        Some(Self { item, start, end, is_all_day, original: None })
    }

    /// An instance of the series `self`.
    pub(super) fn instance(&self, exception: &'a Exception, inner: Option<Item>, clock: Clock<'a>) -> Option<Self> {
        let is_all_day = exception.all_day.unwrap_or(self.is_all_day);
        let original = clock.minutes(exception.original_start, self.is_all_day)?;
        Some(Self {
            item: self.item,
            start: clock.minutes(exception.start, is_all_day)?,
            end: clock.minutes(exception.end, is_all_day)?,
            is_all_day,
            original: Some((original, exception, inner)),
        })
    }

    /// The message with the instance's own properties, where there is one.
    fn inner(&self) -> Option<&Item> {
        self.original.as_ref().and_then(|(_, _, inner)| inner.as_ref())
    }

    fn exception(&self) -> Option<&Exception> {
        self.original.as_ref().map(|(_, exception, _)| *exception)
    }

    /// The properties to ask, those of the instance before those of its series.
    fn props(&self) -> impl Iterator<Item = &Props> {
        self.inner().map(|inner| &inner.props).into_iter().chain([&self.item.props])
    }

    fn int(&self, key: Key) -> Option<i32> {
        self.props().find_map(|props| props.int(key))
    }

    pub(super) fn write(&self, lines: &mut Lines, given: &Given<'_>) {
        lines.text("UID", &uid::uid(self.item));
        if let Some((original, ..)) = &self.original {
            original.write(lines, "RECURRENCE-ID");
        }
        let stamped = self.props().find(|props| props.has(tags::LAST_MODIFICATION_TIME));
        write_stamps(lines, stamped.unwrap_or(&self.item.props));
        self.start.write(lines, "DTSTART");
        if self.end.instant() > self.start.instant() {
            self.end.write(lines, "DTEND");
        }
        self.write_texts(lines, given);
        write_marks(lines, &self.item.props);
        write_priority(lines, "PRIORITY", &self.item.props);
        self.write_status(lines);
        self.write_people(lines);
        match &self.original {
            None => write_attachments(lines, self.item, given),
            Some(_) => self.inner().into_iter().for_each(|inner| {
                write_attachments(lines, inner, given);
                lines.damage(inner);
            }),
        }
    }

    fn write_texts(&self, lines: &mut Lines, given: &Given<'_>) {
        let exception = self.exception();
        let subject = exception.and_then(|exception| exception.subject.clone());
        let own_subject = || self.inner().and_then(Item::subject).filter(|subject| !subject.is_empty());
        let subject = subject.or_else(own_subject).or_else(|| self.item.subject());
        let location = exception.and_then(|exception| exception.location.clone());
        let stored = |props: &Props| props.text(tags::LID_LOCATION).filter(|location| !location.is_empty());
        let location = location.or_else(|| self.props().find_map(stored));
        let own_text = self.inner().and_then(|inner| Given::default().text(inner));
        lines.some_text("SUMMARY", subject.as_deref());
        match self.inner().filter(|_| own_text.is_some()) {
            Some(inner) => {
                lines.some_text("DESCRIPTION", own_text.as_deref());
                write_html(lines, inner);
            }
            None => {
                lines.some_text("DESCRIPTION", given.text(self.item).as_deref());
                write_html(lines, self.item);
            }
        }
        lines.some_text("LOCATION", location.as_deref());
    }

    /// SEQUENCE, STATUS, TRANSP and the busy status that TRANSP is too coarse for ([MS-OXCICAL] 2.1.3.1.1.20.25, .31).
    fn write_status(&self, lines: &mut Lines) {
        if let Some(sequence) = self.int(tags::LID_APPOINTMENT_SEQUENCE).filter(|sequence| *sequence >= 0) {
            lines.raw("SEQUENCE", &sequence.to_string());
        }
        let busy = self.exception().and_then(|exception| i32::try_from(exception.busy?).ok());
        let busy = busy.or_else(|| self.int(tags::LID_BUSY_STATUS));
        let is_cancelled = self.int(tags::LID_APPOINTMENT_STATE_FLAGS).is_some_and(|flags| flags & CANCELLED != 0);
        if is_cancelled {
            lines.raw("STATUS", "CANCELLED");
        } else if busy == Some(1) {
            lines.raw("STATUS", "TENTATIVE");
        }
        if let Some(name) = busy.and_then(busy_name) {
            lines.raw("TRANSP", if matches!(name, "FREE" | "WORKINGELSEWHERE") { "TRANSPARENT" } else { "OPAQUE" });
            lines.raw("X-MICROSOFT-CDO-BUSYSTATUS", name);
        }
        self.write_outlook(lines);
    }

    /// What only Outlook asks ([MS-OXCICAL] 2.1.3.1.1.20.28 to .36): each says more than the property that all know.
    fn write_outlook(&self, lines: &mut Lines) {
        if let Some(name) = self.int(tags::LID_INTENDED_BUSY_STATUS).and_then(busy_name) {
            lines.raw("X-MICROSOFT-CDO-INTENDEDSTATUS", name);
        }
        if self.is_all_day {
            lines.raw("X-MICROSOFT-CDO-ALLDAYEVENT", "TRUE");
        }
        if let Some(id) = self.int(tags::OWNER_APPOINTMENT_ID) {
            lines.raw("X-MICROSOFT-CDO-OWNERAPPTID", &id.to_string());
        }
        if self.props().find_map(|props| props.flag(tags::LID_APPOINTMENT_NOT_ALLOW_PROPOSE)) == Some(true) {
            lines.raw("X-MICROSOFT-DISALLOW-COUNTER", "TRUE");
        }
    }

    fn write_people(&self, lines: &mut Lines) {
        let status = match self.item.class().to_ascii_lowercase().strip_prefix("ipm.schedule.meeting.resp.") {
            Some(answer) if answer.starts_with("pos") => "ACCEPTED",
            Some(answer) if answer.starts_with("tent") => "TENTATIVE",
            Some(_) => "DECLINED",
            None => {
                let own = self.inner().map(|inner| &inner.recipients).filter(|rows| !rows.is_empty());
                return people::write(lines, self.item, own.unwrap_or(&self.item.recipients));
            }
        };
        people::write_reply(lines, self.item, status);
    }

    pub(super) fn write_alarm(&self, lines: &mut Lines) {
        let exception = self.exception();
        let is_set = exception.and_then(|exception| exception.reminder_set);
        let is_set = is_set.or_else(|| self.props().find_map(|props| props.flag(tags::LID_REMINDER_SET)));
        let delta = exception.and_then(|exception| i32::try_from(exception.reminder_minutes?).ok());
        if is_set == Some(true) {
            write_alarm(lines, delta.or_else(|| self.int(tags::LID_REMINDER_DELTA)));
        }
    }
}

/// What [MS-OXCICAL] 2.1.3.1.1.20.31 calls a PidLidBusyStatus ([MS-OXOCAL] 2.2.1.2).
const fn busy_name(status: i32) -> Option<&'static str> {
    match status {
        0 => Some("FREE"),
        1 => Some("TENTATIVE"),
        2 => Some("BUSY"),
        3 => Some("OOF"),
        4 => Some("WORKINGELSEWHERE"),
        _ => None,
    }
}

/// PidLidAppointmentStateFlags: asfCanceled ([MS-OXOCAL] 2.2.1.10).
const CANCELLED: i32 = 0x4;
/// PidLidReminderDelta: the default of 15 minutes ([MS-OXORMDR] 2.2.1.3).
const DELTA_DEFAULT: i32 = 0x5ae9_80e1;

fn write_alarm(lines: &mut Lines, delta: Option<i32>) {
    let minutes = delta.filter(|delta| *delta != DELTA_DEFAULT).unwrap_or(15);
    let sign = if minutes < 0 { "" } else { "-" };
    lines.raw("BEGIN", "VALARM");
    lines.raw("ACTION", "DISPLAY");
    lines.text("DESCRIPTION", "Reminder");
    lines.raw("TRIGGER", &format!("{sign}PT{}M", minutes.unsigned_abs()));
    lines.raw("END", "VALARM");
}

/// Start and end of an appointment that does not recur.
fn single_times<'z>(props: &Props, zones: &'z Zones, is_all_day: bool) -> Option<(When<'z>, When<'z>)> {
    let first = |keys: [Key; 2]| keys.into_iter().find_map(|key| time(props, key));
    let start = first([tags::LID_APPOINTMENT_START_WHOLE, tags::START_DATE])?;
    let end = first([tags::LID_APPOINTMENT_END_WHOLE, tags::END_DATE]).unwrap_or(start).max(start);
    if !is_all_day {
        return Some((zones.start().show(start)?, zones.end().show(end)?));
    }
    Some((zones.start().day(start)?, zones.end().day(end)?))
}
