//! VEVENT from an appointment, and one more for each instance of its series that differs ([MS-OXCICAL] 2.1.3.1.1.20).

use super::exceptions::Embedded;
use super::instance::Instance;
use super::recurrence;
use super::series::Series;
use super::when::{Clock, Zones};
use crate::convert::Given;
use crate::convert::lines::Lines;
use crate::store::item::Item;
use crate::store::tags;

/// The most octets of a document that the differing instances may fill: each repeats what it has from its series.
const INSTANCES_OCTETS_MAX: usize = 64 << 20;

/// Writes the zones and the events; `None` for an item without a start.
pub(super) fn write(lines: &mut Lines, item: &Item, given: &Given<'_>) -> Option<()> {
    let blob = item.props.bytes(tags::LID_APPOINTMENT_RECUR);
    let series = blob.as_ref().and_then(|blob| Series::decode(blob, item.props.codepage()));
    let zones = series.as_ref().map_or_else(|| Zones::of_single(item), |series| Zones::of_series(item, series));
    let master = Instance::of_item(item, series.as_ref(), &zones)?;
    series.iter().for_each(|series| recurrence::write_calendar(lines, &series.pattern));
    let (instances, left_out) = series.as_ref().map(|series| write_instances(&master, series, zones.start(), given)).unwrap_or_default();
    write_zones(lines, &master, series.as_ref(), zones.start());
    lines.raw("BEGIN", "VEVENT");
    master.write(lines, given);
    match &series {
        Some(series) => {
            let when = |minutes: u32| zones.start().minutes(minutes, master.is_all_day);
            let deleted: Vec<_> = series.deleted().into_iter().filter_map(when).collect();
            let on = |date| series.at(date).and_then(when);
            recurrence::write(lines, &series.pattern, series.last().and_then(when), &deleted, on);
        }
        None if blob.is_some() => lines.lacks("recurrence"),
        None => {}
    }
    if left_out > 0 || series.as_ref().is_some_and(|series| series.is_cut) {
        lines.lacks("exceptions");
    }
    master.write_alarm(lines);
    lines.raw("END", "VEVENT");
    lines.append(&instances);
    Some(())
}

/// Writes the zones that the times of the document name, each once.
fn write_zones(lines: &mut Lines, master: &Instance<'_>, series: Option<&Series>, clock: Clock<'_>) {
    let has_times = |series: &Series| series.exceptions.iter().any(|exception| exception.all_day == Some(false));
    let of_instances = series.filter(|series| has_times(series)).and_then(|_| clock.zone());
    let mut written = Vec::new();
    for zone in [master.start.zone(), master.end.zone(), of_instances].into_iter().flatten() {
        if !written.contains(&&zone.id) {
            zone.write(lines, master.start.year());
            written.push(&zone.id);
        }
    }
}

/// Writes the instances that differ; how many had no room.
fn write_instances(master: &Instance<'_>, series: &Series, clock: Clock<'_>, given: &Given<'_>) -> (Lines, usize) {
    let embedded = Embedded::of(master.item);
    let mut lines = Lines::default();
    let mut left_out = 0_usize;
    for exception in &series.exceptions {
        let room = lines.octets() < INSTANCES_OCTETS_MAX;
        let held = room.then(|| embedded.find(exception, clock)).flatten();
        let inner = held.flatten().and_then(|node| (given.message)(node));
        let is_lost = held.is_some() && inner.is_none();
        match master.instance(exception, inner, clock).filter(|_| room) {
            Some(instance) => {
                lines.raw("BEGIN", "VEVENT");
                instance.write(&mut lines, given);
                if is_lost {
                    lines.lacks("what this instance has of its own");
                }
                instance.write_alarm(&mut lines);
                lines.raw("END", "VEVENT");
            }
            None => left_out = left_out.saturating_add(1),
        }
    }
    (lines, left_out)
}

#[cfg(test)]
mod tests {
    use super::super::pattern::testing::{Forge, minutes};
    use super::super::series::testing::{blob, blob_of};
    use super::super::testing::{item, rendered, text, time, unfolded};
    use super::super::zone::testing::{berlin, berlin_struct, definition, pacific};
    use super::super::{Given, render};
    use super::*;
    use crate::ltp::value::Value;
    use crate::store::item::{Attachment, Content, NodeRef};
    use crate::store::props::{Key, Props};

    const START: Key = tags::LID_APPOINTMENT_START_WHOLE;
    const END: Key = tags::LID_APPOINTMENT_END_WHOLE;

    fn appointment(values: &[(Key, Value)]) -> Item {
        item("IPM.Appointment", values)
    }

    /// A series of Tuesdays at 8 in Berlin.
    fn series(more: &[(Key, Value)]) -> Item {
        let zone = [
            (START, time("2016-08-02T06:00Z")),
            (tags::LID_TIME_ZONE_STRUCT, Value::Binary(berlin_struct())),
            (tags::LID_TIME_ZONE_RECUR, Value::Binary(berlin())),
            (tags::SUBJECT, text("team")),
            (tags::BODY, text("weekly")),
        ];
        appointment(&[more, &zone].concat())
    }

    fn lines(document: &str, name: &str) -> Vec<String> {
        document.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
    }

    #[test]
    fn without_a_zone_times_are_in_utc() {
        let document = rendered(&appointment(&[(START, time("2024-05-06T09:00Z")), (END, time("2024-05-06T10:00Z"))]));
        assert!(document.contains("\nDTSTART:20240506T090000Z\nDTEND:20240506T100000Z\n"), "{document}");
        assert!(!document.contains("VTIMEZONE"));
    }

    #[test]
    fn start_and_end_can_be_in_two_zones() {
        let document = rendered(&appointment(&[
            (START, time("2024-05-06T09:00Z")),
            (END, time("2024-05-06T10:00Z")),
            (tags::LID_TIME_ZONE_START_DISPLAY, Value::Binary(berlin())),
            (tags::LID_TIME_ZONE_END_DISPLAY, Value::Binary(pacific())),
        ]));
        // It ends before it begins, on the clocks of the two places.
        assert_eq!(lines(&document, "DTSTART;"), ["DTSTART;TZID=Europe/Berlin:20240506T110000"]);
        assert_eq!(lines(&document, "DTEND;"), ["DTEND;TZID=America/Los_Angeles:20240506T030000"]);
        assert_eq!(lines(&document, "TZID"), ["TZID:Europe/Berlin", "TZID:America/Los_Angeles"]);
    }

    #[test]
    fn an_all_day_appointment_is_a_date_in_its_zone() {
        let zoned = |zone: Vec<u8>, start: &str, end: &str| {
            let document = rendered(&appointment(&[
                (START, time(start)),
                (END, time(end)),
                (tags::LID_APPOINTMENT_SUB_TYPE, Value::Bool(true)),
                (tags::LID_TIME_ZONE_START_DISPLAY, Value::Binary(zone)),
            ]));
            assert!(!document.contains("VTIMEZONE"), "{document}");
            lines(&document, "DT")[1..].join(" ")
        };
        let expected = "DTSTART;VALUE=DATE:20240506 DTEND;VALUE=DATE:20240507";
        assert_eq!(zoned(berlin(), "2024-05-05T22:00Z", "2024-05-06T22:00Z"), expected);
        assert_eq!(zoned(pacific(), "2024-05-06T07:00Z", "2024-05-07T07:00Z"), expected);
        // 14 hours before UTC: only the zone tells.
        let kiritimati = definition("Line Islands Standard Time", -840, &[(0, 2, [0; 6])]);
        assert_eq!(zoned(kiritimati, "2024-05-05T10:00Z", "2024-05-06T10:00Z"), expected);
        assert_eq!(zoned(Vec::new(), "2024-05-05T22:00Z", "2024-05-06T22:00Z"), expected);
    }

    #[test]
    fn a_series_has_a_rule_and_its_deleted_instances() {
        let document = rendered(&series(&[(tags::LID_APPOINTMENT_RECUR, Value::Binary(blob()))]));
        assert_eq!(lines(&document, "DTSTART;TZID")[0], "DTSTART;TZID=Europe/Berlin:20160802T080000");
        assert_eq!(lines(&document, "DTEND;TZID")[0], "DTEND;TZID=Europe/Berlin:20160802T083000");
        assert_eq!(lines(&document, "RRULE:FREQ=WEEKLY"), ["RRULE:FREQ=WEEKLY;BYDAY=TU;WKST=SU"]);
        assert_eq!(lines(&document, "EXDATE"), ["EXDATE;TZID=Europe/Berlin:20160809T080000", "EXDATE;TZID=Europe/Berlin:20160816T080000"]);
    }

    #[test]
    fn an_instance_that_differs_is_an_event_of_its_own() {
        let document = rendered(&series(&[(tags::LID_APPOINTMENT_RECUR, Value::Binary(blob()))]));
        let instance = document.split("BEGIN:VEVENT\n").nth(2).unwrap();
        for line in [
            "RECURRENCE-ID;TZID=Europe/Berlin:20160823T080000",
            "DTSTART;TZID=Europe/Berlin:20160823T090000",
            "DTEND;TZID=Europe/Berlin:20160823T094500",
            "SUMMARY:niño",
            "LOCATION:r中",
            "DESCRIPTION:weekly",
            "TRANSP:TRANSPARENT",
        ] {
            assert!(instance.lines().any(|it| it == line), "{line} in {instance}");
        }
        assert!(!instance.contains("RRULE"));
        assert_eq!(lines(&document, "UID").len(), 2);
        assert_eq!(lines(&document, "UID")[0], lines(&document, "UID")[1]);
    }

    #[test]
    fn an_instance_has_the_text_of_its_own_message() {
        for (key, at) in [
            (tags::EXCEPTION_REPLACE_TIME, "2016-08-23T06:00Z"),
            (tags::EXCEPTION_REPLACE_TIME, "2016-08-23T08:00Z"),
            (tags::EXCEPTION_START_TIME, "2016-08-23T09:00Z"),
        ] {
            let mut series = series(&[(tags::LID_APPOINTMENT_RECUR, Value::Binary(blob()))]);
            series.attachments.push(Attachment {
                props: Props::from_values([(key, time(at)), (tags::ATTACHMENT_FLAGS, Value::I32(2))]),
                content: Content::Message(NodeRef::default()),
                ..Attachment::default()
            });
            let own = item("IPM.OLE.CLASS", &[(tags::BODY, text("just once"))]);
            let given = Given { message: &|_| Some(own.clone()), ..Given::default() };
            let document = unfolded(&render(&series, &given).unwrap());
            assert_eq!(lines(&document, "DESCRIPTION"), ["DESCRIPTION:weekly", "DESCRIPTION:just once"], "{at}");
            assert!(!document.contains("X-PSTFS-INCOMPLETE"));
        }
    }

    #[test]
    fn an_instance_has_the_looks_of_its_own_message() {
        let mut series = series(&[(tags::LID_APPOINTMENT_RECUR, Value::Binary(blob()))]);
        let at = (tags::EXCEPTION_START_TIME, time("2016-08-23T09:00Z"));
        series.attachments.push(Attachment {
            props: Props::from_values([at, (tags::ATTACHMENT_FLAGS, Value::I32(2))]),
            content: Content::Message(NodeRef::default()),
            ..Attachment::default()
        });
        let own = item("IPM.OLE.CLASS", &[(tags::HTML, Value::Binary(b"<p>only <b>here</b></p>".to_vec()))]);
        let document = unfolded(&render(&series, &Given { message: &|_| Some(own.clone()), ..Given::default() }).unwrap());
        assert_eq!(lines(&document, "DESCRIPTION"), ["DESCRIPTION:weekly", "DESCRIPTION:only here"]);
        assert_eq!(lines(&document, "X-ALT-DESC"), ["X-ALT-DESC;FMTTYPE=text/html:<p>only <b>here</b></p>"]);
    }

    #[test]
    fn what_outlook_asks_besides_is_told() {
        let values = [
            (START, time("2024-05-06T00:00Z")),
            (END, time("2024-05-07T00:00Z")),
            (tags::LID_APPOINTMENT_SUB_TYPE, Value::Bool(true)),
            (tags::LID_BUSY_STATUS, Value::I32(4)),
            (tags::LID_INTENDED_BUSY_STATUS, Value::I32(3)),
            (tags::LID_APPOINTMENT_NOT_ALLOW_PROPOSE, Value::Bool(true)),
        ];
        let document = rendered(&appointment(&values));
        let expected = "\nTRANSP:TRANSPARENT\nX-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE\nX-MICROSOFT-CDO-INTENDEDSTATUS:OOF\n\
                        X-MICROSOFT-CDO-ALLDAYEVENT:TRUE\nX-MICROSOFT-DISALLOW-COUNTER:TRUE\n";
        assert!(document.contains(expected), "{document}");
    }

    #[test]
    fn the_last_date_of_a_series_is_told_in_utc() {
        let forge = Forge { end: 0x2021, end_date: minutes("2016-12-27T00:00"), ..Forge::default() };
        let document = rendered(&series(&[(tags::LID_APPOINTMENT_RECUR, Value::Binary(blob_of(&forge, 0x3009)))]));
        assert!(document.contains("\nRRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL=20161227T070000Z;WKST=SU\n"), "{document}");
    }

    #[test]
    fn a_series_without_a_zone_keeps_its_offset() {
        let recur = (tags::LID_APPOINTMENT_RECUR, Value::Binary(blob()));
        let at = |start: &str| rendered(&appointment(&[recur.clone(), (START, time(start))]));
        assert!(at("2016-08-02T06:00Z").contains("\nDTSTART;TZID=UTC+0200:20160802T080000\n"));
        assert!(at("2016-08-02T08:00Z").contains("\nDTSTART:20160802T080000Z\n"));
        assert!(rendered(&appointment(&[recur])).contains("\nDTSTART:20160802T080000\n"));
    }

    #[test]
    fn an_appointment_whose_series_is_broken_is_still_one() {
        let start = (START, time("2024-05-06T09:00Z"));
        let document = rendered(&appointment(&[start, (tags::LID_APPOINTMENT_RECUR, Value::Binary(vec![4, 48, 4, 48]))]));
        assert!(document.contains("\nDTSTART:20240506T090000Z\n") && document.contains("\nX-PSTFS-INCOMPLETE:recurrence\n"));
    }

    #[test]
    fn a_reminder_is_an_alarm() {
        let alarm = |delta: i32| {
            let values = [
                (START, time("2024-05-06T09:00Z")),
                (tags::LID_REMINDER_SET, Value::Bool(true)),
                (tags::LID_REMINDER_DELTA, Value::I32(delta)),
            ];
            lines(&rendered(&appointment(&values)), "TRIGGER").join("")
        };
        assert_eq!(alarm(30), "TRIGGER:-PT30M");
        assert_eq!(alarm(-5), "TRIGGER:PT5M");
        assert_eq!(alarm(0x5ae9_80e1), "TRIGGER:-PT15M");
        assert_eq!(alarm(i32::MIN), "TRIGGER:PT2147483648M");
    }

    #[test]
    fn no_flipped_byte_panics_or_breaks_a_line() {
        let (recur, zone) = (blob(), berlin_struct());
        for at in 0..recur.len().max(zone.len()) {
            for value in [0x00, 0x01, 0x0a, 0x7f, 0xff] {
                let flip = |bytes: &[u8]| bytes.iter().enumerate().map(|(i, byte)| if i == at { value } else { *byte }).collect();
                let values = [
                    (tags::LID_APPOINTMENT_RECUR, Value::Binary(flip(&recur))),
                    (START, time("2016-08-02T06:00Z")),
                    (tags::LID_TIME_ZONE_STRUCT, Value::Binary(flip(&zone))),
                    (tags::LID_TIME_ZONE_DESCRIPTION, text("a:b,c")),
                ];
                let document = render(&appointment(&values), &Given::default()).unwrap_or_default();
                assert!(document.split("\r\n").all(|line| line.len() <= 75 && !line.contains(['\r', '\n'])));
            }
        }
    }
}
