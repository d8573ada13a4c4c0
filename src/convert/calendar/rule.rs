//! RRULE from a recurrence pattern ([MS-OXCICAL] 2.1.3.2.2, RFC 5545 3.3.10).

use super::months::Calendar;
use super::pattern::{Days, End, Frequency, Pattern};

const WEEKDAYS: [&str; 7] = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];

/// The value of RRULE; `until` is the last instance in the form that DTSTART asks for.
pub(super) fn rule(pattern: &Pattern, until: Option<String>) -> Option<String> {
    let mut parts = vec![format!("FREQ={}", frequency(pattern))];
    let interval = pattern.interval();
    if interval > 1 {
        parts.push(format!("INTERVAL={interval}"));
    }
    parts.extend(days(pattern)?);
    match pattern.end {
        End::After(count) if count > 0 => parts.push(format!("COUNT={count}")),
        End::OnDate => parts.push(format!("UNTIL={}", until?)),
        End::After(_) | End::Never => {}
    }
    if pattern.frequency == Frequency::Weekly || matches!(pattern.days, Days::OfWeek(_)) {
        parts.push(format!("WKST={}", weekday(pattern.week_start)?));
    }
    Some(parts.join(";"))
}

/// "Every weekday" is stored as a daily series with a weekly pattern.
fn frequency(pattern: &Pattern) -> &'static str {
    match (pattern.frequency, pattern.days) {
        (_, Days::OfWeek(_)) | (Frequency::Weekly, Days::Every) => "WEEKLY",
        (Frequency::Daily, _) | (_, Days::Every) => "DAILY",
        _ if pattern.is_yearly() => "YEARLY",
        _ => "MONTHLY",
    }
}

/// The BY parts; `None` for days that do not exist.
fn days(pattern: &Pattern) -> Option<Vec<String>> {
    let mut parts = match pattern.days {
        Days::Every => Vec::new(),
        Days::OfWeek(mask) => vec![format!("BYDAY={}", weekdays(mask)?)],
        Days::OfMonth(day) => of_month(day)?,
        Days::EndOfMonth => vec!["BYMONTHDAY=-1".to_owned()],
        Days::NthOfMonth(mask, nth) => nth_of_month(mask, nth)?,
    };
    if frequency(pattern) == "YEARLY" {
        // The month's number in the calendar of the series.
        parts.push(format!("BYMONTH={}", Calendar::of(pattern.calendar).0.month(pattern.start()?)?.number));
    }
    Some(parts)
}

/// Outlook puts day 31 on the last day of a shorter month; BYMONTHDAY alone would leave such months out.
fn of_month(day: u32) -> Option<Vec<String>> {
    match day {
        1..=28 => Some(vec![format!("BYMONTHDAY={day}")]),
        29 => Some(vec!["BYMONTHDAY=28,29".to_owned(), "BYSETPOS=-1".to_owned()]),
        30 => Some(vec!["BYMONTHDAY=28,29,30".to_owned(), "BYSETPOS=-1".to_owned()]),
        31 => Some(vec!["BYMONTHDAY=-1".to_owned()]),
        _ => None,
    }
}

fn nth_of_month(mask: u32, nth: u32) -> Option<Vec<String>> {
    let nth = match nth {
        1..=4 => i64::from(nth),
        5 => -1,
        _ => return None,
    };
    let days = weekdays(mask)?;
    match days.len() {
        2 => Some(vec![format!("BYDAY={nth}{days}")]),
        _ => Some(vec![format!("BYDAY={days}"), format!("BYSETPOS={nth}")]),
    }
}

/// The days of a mask, bit 0 for Sunday; `None` for an empty one.
fn weekdays(mask: u32) -> Option<String> {
    let days: Vec<&str> =
        (0..7_u32).zip(WEEKDAYS).filter(|(bit, _)| mask.checked_shr(*bit).is_some_and(|rest| rest & 1 == 1)).map(|(_, day)| day).collect();
    (!days.is_empty()).then(|| days.join(","))
}

/// A day of the week by number, 0 for Sunday.
pub(super) fn weekday(number: u32) -> Option<&'static str> {
    WEEKDAYS.get(usize::try_from(number).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::super::pattern::testing::{Forge, minutes};
    use super::*;

    fn of(forge: Forge) -> Option<String> {
        rule(&forge.pattern(), Some("20251231".into()))
    }

    fn monthly(kind: u16, days: &[u32]) -> Forge {
        Forge { frequency: 0x200c, kind, days: days.to_vec(), ..Forge::default() }
    }

    #[test]
    fn every_kind_of_pattern_has_its_rule() {
        let yearly = |forge: Forge| Forge { frequency: 0x200d, period: 24, ..forge };
        for (forge, expected) in [
            (Forge::default(), "FREQ=WEEKLY;BYDAY=TU;WKST=SU"),
            (Forge { frequency: 0x200a, kind: 0, period: 2880, days: vec![], ..Forge::default() }, "FREQ=DAILY;INTERVAL=2"),
            (Forge { frequency: 0x200a, days: vec![0x3e], ..Forge::default() }, "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;WKST=SU"),
            (monthly(2, &[15]), "FREQ=MONTHLY;BYMONTHDAY=15"),
            (monthly(2, &[30]), "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1"),
            (monthly(2, &[31]), "FREQ=MONTHLY;BYMONTHDAY=-1"),
            (monthly(4, &[31]), "FREQ=MONTHLY;BYMONTHDAY=-1"),
            (monthly(3, &[2, 3]), "FREQ=MONTHLY;BYDAY=3MO"),
            (monthly(3, &[0x3e, 5]), "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"),
            (yearly(monthly(2, &[13])), "FREQ=YEARLY;INTERVAL=2;BYMONTHDAY=13;BYMONTH=8"),
            (yearly(monthly(3, &[1, 5])), "FREQ=YEARLY;INTERVAL=2;BYDAY=-1SU;BYMONTH=8"),
        ] {
            assert_eq!(of(forge).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_series_ends_by_count_or_date() {
        let forge = |end| Forge { end, count: 7, end_date: minutes("2025-12-31T00:00"), ..Forge::default() };
        assert_eq!(of(forge(0x2022)).as_deref(), Some("FREQ=WEEKLY;BYDAY=TU;COUNT=7;WKST=SU"));
        assert_eq!(of(forge(0x2021)).as_deref(), Some("FREQ=WEEKLY;BYDAY=TU;UNTIL=20251231;WKST=SU"));
        assert_eq!(of(forge(0xffff_ffff)).as_deref(), Some("FREQ=WEEKLY;BYDAY=TU;WKST=SU"));
        assert_eq!(of(forge(0x2023)).as_deref(), Some("FREQ=WEEKLY;BYDAY=TU;WKST=SU"));
    }

    /// Aspose writes "for a maximum of 10 occurrences" with EndType 0, a count of 10 and no date.
    #[test]
    fn a_series_that_does_not_say_how_it_ends_has_its_date_or_count() {
        let forge = |count, end_date| Forge { end: 0, count, end_date, ..Forge::default() };
        assert_eq!(of(forge(7, 0x5ae9_80df)).as_deref(), Some("FREQ=WEEKLY;BYDAY=TU;COUNT=7;WKST=SU"));
        assert_eq!(of(forge(7, minutes("2025-12-31T00:00"))).as_deref(), Some("FREQ=WEEKLY;BYDAY=TU;UNTIL=20251231;WKST=SU"));
        assert_eq!(of(forge(0, 0x5ae9_80df)).as_deref(), Some("FREQ=WEEKLY;BYDAY=TU;WKST=SU"));
    }

    #[test]
    fn every_weekday_may_be_told_in_minutes() {
        let forge = Forge { frequency: 0x200a, days: vec![0x3e], period: 1440, ..Forge::default() };
        assert_eq!(of(forge).as_deref(), Some("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;WKST=SU"));
    }

    #[test]
    fn days_that_do_not_exist_give_no_rule() {
        for forge in [monthly(2, &[0]), monthly(2, &[32]), monthly(3, &[0, 1]), monthly(3, &[2, 6]), monthly(1, &[0x80])] {
            assert_eq!(of(forge), None);
        }
    }
}
