//! The properties that make an item recur, of appointments and tasks alike ([MS-OXCICAL] 2.1.3.2.2).

use jiff::civil::Date;

use super::months::Calendar;
use super::pattern::{End, Pattern};
use super::rule;
use super::when::When;
use crate::convert::lines::Lines;

/// Writes RRULE and EXDATE; `last` is the last instance, `deleted` are those left out, `on` gives the instance of a date.
///
/// RRULE counts in no other calendar than the Gregorian without the RSCALE of RFC 7529, and readers may refuse a rule that
/// has it: `recurring-ical-events` 3.8 does. Such a series has its dates one by one (RDATE, which is plain RFC 5545),
/// beside the properties that Outlook writes for it.
pub(super) fn write<'z>(
    lines: &mut Lines,
    pattern: &Pattern,
    last: Option<When<'z>>,
    deleted: &[When<'z>],
    on: impl Fn(Date) -> Option<When<'z>>,
) {
    let until = match pattern.end {
        End::OnDate => last.and_then(When::until),
        End::After(_) | End::Never => None,
    };
    let Some(rule) = rule::rule(pattern, until) else {
        return lines.lacks("recurrence");
    };
    if pattern.regenerates {
        // The next task is made when this one is done: RRULE would make them all now ([MS-OXOTASK] 3.1.4.6.2).
        return lines.raw("X-PSTFS-REGENERATES", &rule);
    }
    if pattern.is_gregorian() {
        lines.raw("RRULE", &rule);
    } else {
        lines.raw("X-MICROSOFT-RRULE", &rule);
        deleted.iter().for_each(|date| date.write(lines, "X-MICROSOFT-EXDATE"));
        write_dates(lines, pattern, on);
    }
    deleted.iter().for_each(|date| date.write(lines, "EXDATE"));
}

/// Writes the dates after the first, which is DTSTART.
fn write_dates<'z>(lines: &mut Lines, pattern: &Pattern, on: impl Fn(Date) -> Option<When<'z>>) {
    let (dates, is_cut) = pattern.dates();
    for date in dates.iter().skip(1).filter_map(|date| on(*date)) {
        date.write(lines, "RDATE");
    }
    if let Some(last) = dates.last().filter(|_| is_cut) {
        lines.lacks(&format!("recurrence after {last}"));
    }
}

/// Writes which calendar X-MICROSOFT-RRULE counts in, before the first component ([MS-OXCICAL] 2.1.3.1.1.8).
pub(super) fn write_calendar(lines: &mut Lines, pattern: &Pattern) {
    if !pattern.is_gregorian() {
        lines.raw("X-MICROSOFT-CALSCALE", Calendar::of(pattern.calendar).1);
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::testing::{Forge, minutes};
    use super::*;
    use jiff::civil::date;

    fn written(forge: Forge) -> String {
        let mut lines = Lines::default();
        let day = |day| When::Day(date(2016, 8, day));
        write_calendar(&mut lines, &forge.pattern());
        write(&mut lines, &forge.pattern(), Some(day(31)), &[day(9), day(16)], |date| Some(When::Day(date)));
        lines.finish()
    }

    #[test]
    fn a_series_in_the_gregorian_calendar_has_a_rule_and_its_exceptions() {
        let expected = "RRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL=20160831;WKST=SU\r\nEXDATE;VALUE=DATE:20160809\r\nEXDATE;VALUE=DATE:20160816\r\n";
        assert_eq!(written(Forge { end: 0x2021, end_date: minutes("2016-08-31T00:00"), ..Forge::default() }), expected);
    }

    #[test]
    fn a_series_in_the_hijri_calendar_has_properties_of_its_own() {
        let text = written(Forge { frequency: 0x200c, kind: 0xa, days: vec![9], end: 0x2022, count: 3, ..Forge::default() });
        let expected = "X-MICROSOFT-CALSCALE:Hijri\r\nX-MICROSOFT-RRULE:FREQ=MONTHLY;BYMONTHDAY=9;COUNT=3\r\n\
            X-MICROSOFT-EXDATE;VALUE=DATE:20160809\r\nX-MICROSOFT-EXDATE;VALUE=DATE:20160816\r\n\
            RDATE;VALUE=DATE:20160911\r\nRDATE;VALUE=DATE:20161010\r\n\
            EXDATE;VALUE=DATE:20160809\r\nEXDATE;VALUE=DATE:20160816\r\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_regenerates_has_no_dates() {
        assert_eq!(written(Forge { sliding: 1, ..Forge::default() }), "X-PSTFS-REGENERATES:FREQ=WEEKLY;BYDAY=TU;WKST=SU\r\n");
    }

    #[test]
    fn a_rule_that_cannot_be_is_told() {
        assert_eq!(written(Forge { days: vec![0], ..Forge::default() }), "X-PSTFS-INCOMPLETE:recurrence\r\n");
    }
}
