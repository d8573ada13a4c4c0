//! When a user is busy, as published in a folder of its own ([MS-OXOPFFB]): VFREEBUSY (RFC 5545 3.6.4).

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};

use super::lines::{Lines, local_minutes, unique_id, utc, zulu};
use crate::ltp::value::Value;
use crate::store::item::Item;
use crate::store::props::{Key, Props};
use crate::store::tags;

/// The class of the items that hold it.
const CLASS: &str = "ipm.microsoft.scheduledata.freebusy";

/// Each kind: its months, its times in each of these, its name in iCalendar.
const KINDS: [(Key, Key, &str); 3] = [
    (tags::SCHEDULE_INFO_MONTHS_BUSY, tags::SCHEDULE_INFO_FREE_BUSY_BUSY, "BUSY"),
    (tags::SCHEDULE_INFO_MONTHS_TENTATIVE, tags::SCHEDULE_INFO_FREE_BUSY_TENTATIVE, "BUSY-TENTATIVE"),
    (tags::SCHEDULE_INFO_MONTHS_AWAY, tags::SCHEDULE_INFO_FREE_BUSY_AWAY, "BUSY-UNAVAILABLE"),
];

/// The item as an iCalendar document; `None` where it is no free/busy item, or nothing was published.
pub(super) fn render(item: &Item) -> Option<String> {
    if !item.class().eq_ignore_ascii_case(CLASS) {
        return None;
    }
    let props = &item.props;
    let limit = |key| props.int(key).and_then(|minutes| u32::try_from(minutes).ok()).and_then(local_minutes).map(zulu);
    let (start, end) = (limit(tags::FREE_BUSY_PUBLISH_START), limit(tags::FREE_BUSY_PUBLISH_END));
    let periods: Vec<(&str, String)> = KINDS.iter().flat_map(|(months, times, kind)| periods(props, *months, *times, kind)).collect();
    if start.is_none() && periods.is_empty() {
        return None;
    }
    let stamp = [tags::LAST_MODIFICATION_TIME, tags::CREATION_TIME].into_iter().find_map(|key| utc(props.time(key)?));
    let mut lines = Lines::default();
    lines.raw("BEGIN", "VCALENDAR");
    lines.raw("PRODID", "-//pstfs//EN");
    lines.raw("VERSION", "2.0");
    lines.raw("BEGIN", "VFREEBUSY");
    lines.raw("UID", &unique_id(item, &[]));
    lines.raw("DTSTAMP", &zulu(stamp.unwrap_or(date(1970, 1, 1).at(0, 0, 0, 0))));
    start.iter().for_each(|start| lines.raw("DTSTART", start));
    end.iter().for_each(|end| lines.raw("DTEND", end));
    for (kind, period) in periods {
        lines.raw(&format!("FREEBUSY;FBTYPE={kind}"), &period);
    }
    lines.raw("END", "VFREEBUSY");
    lines.raw("END", "VCALENDAR");
    Some(lines.finish())
}

/// The periods of a kind: for each month pairs of minutes from its beginning, in UTC ([MS-OXOPFFB] 2.2.1.2).
fn periods(props: &Props, months: Key, times: Key, kind: &'static str) -> Vec<(&'static str, String)> {
    let Some(Value::Multi(months)) = props.value(months) else { return Vec::new() };
    let first = |month: &Value| match month {
        // The year times 16, and the month.
        Value::I32(month) => {
            let day = DateTime::new(i16::try_from(month >> 4).ok()?, i8::try_from(month & 0xf).ok()?, 1, 0, 0, 0, 0);
            day.ok()
        }
        _ => None,
    };
    let mut found = Vec::new();
    for (month, times) in months.iter().map(first).zip(props.many_bytes(times)) {
        let (pairs, _) = times.as_chunks::<4>();
        for [a, b, c, d] in pairs {
            let at = |minutes: u16| month.and_then(|month| month.checked_add(SignedDuration::from_mins(i64::from(minutes))).ok());
            if let (Some(from), Some(to)) = (at(u16::from_le_bytes([*a, *b])), at(u16::from_le_bytes([*c, *d])))
                && from < to
            {
                found.push((kind, format!("{}/{}", zulu(from), zulu(to))));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(values: Vec<(Key, Value)>) -> Item {
        let class = (tags::MESSAGE_CLASS, Value::Unicode("IPM.Microsoft.ScheduleData.FreeBusy".into()));
        Item { props: Props::from_values([class].into_iter().chain(values)), ..Item::default() }
    }

    fn times(bytes: &[u8]) -> (Key, Value) {
        (tags::SCHEDULE_INFO_FREE_BUSY_BUSY, Value::Multi(vec![Value::Binary(bytes.to_vec())]))
    }

    fn months(month: i32) -> (Key, Value) {
        (tags::SCHEDULE_INFO_MONTHS_BUSY, Value::Multi(vec![Value::I32(month)]))
    }

    #[test]
    fn minutes_of_a_month_become_periods() {
        // From 540 to 600 minutes after the beginning of May 2024.
        let document = render(&item(vec![months(2024 * 16 + 5), times(&[0x1c, 2, 0x58, 2, 7])])).unwrap();
        assert!(document.contains("\r\nFREEBUSY;FBTYPE=BUSY:20240501T090000Z/20240501T100000Z\r\n"), "{document}");
    }

    #[test]
    fn what_is_no_month_or_no_period_is_left_out() {
        assert_eq!(render(&item(vec![months(0), times(&[0x1c, 2, 0x58, 2])])), None);
        assert_eq!(render(&item(vec![months(2024 * 16 + 5), times(&[1, 0, 1, 0])])), None);
        assert_eq!(render(&Item::default()), None);
    }
}
