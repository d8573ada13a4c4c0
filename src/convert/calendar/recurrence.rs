//! The properties that make an item recur, of appointments and tasks alike ([MS-OXCICAL] 2.1.3.2.2).

use super::pattern::{End, Pattern};
use super::rule;
use super::when::When;
use crate::convert::lines::Lines;

/// Writes RRULE and EXDATE; `last` is the last instance, `deleted` are those left out.
///
/// RRULE cannot count the months of other calendars than the Gregorian. Such a series has properties of Microsoft's, and
/// other programs show its first instance only.
pub(super) fn write<'z>(lines: &mut Lines, pattern: &Pattern, last: Option<When<'z>>, deleted: impl Iterator<Item = When<'z>>) {
    let until = match pattern.end {
        End::OnDate => last.and_then(When::until),
        End::After(_) | End::Never => None,
    };
    let Some(rule) = rule::rule(pattern, until) else {
        return lines.text("X-PSTFS-INCOMPLETE", "recurrence");
    };
    if pattern.regenerates {
        // The next task is made when this one is done: RRULE would make them all now ([MS-OXOTASK] 3.1.4.6.2).
        return lines.raw("X-PSTFS-REGENERATES", &rule);
    }
    let (rule_name, date_name) = if pattern.is_gregorian() { ("RRULE", "EXDATE") } else { ("X-MICROSOFT-RRULE", "X-MICROSOFT-EXDATE") };
    lines.raw(rule_name, &rule);
    for date in deleted {
        date.write(lines, date_name);
    }
}

/// Writes which calendar X-MICROSOFT-RRULE counts in, before the first component ([MS-OXCICAL] 2.1.3.1.1.8).
pub(super) fn write_calendar(lines: &mut Lines, pattern: &Pattern) {
    if let Some(name) = calendar_name(pattern.calendar).filter(|_| !pattern.is_gregorian()) {
        lines.raw("X-MICROSOFT-CALSCALE", name);
    }
}

fn calendar_name(calendar: u16) -> Option<&'static str> {
    Some(match calendar {
        6 => "Hijri",
        8 => "Hebrew",
        14 => "JapanLunar",
        15 => "ChineseLunar",
        16 => "Saka",
        17 => "LunarEtoChn",
        18 => "LunarEtoKor",
        19 => "LunarRokuyou",
        20 => "KoreaLunar",
        23 => "Umalqura",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::pattern::testing::Forge;
    use super::*;
    use jiff::civil::date;

    fn written(forge: Forge) -> String {
        let mut lines = Lines::default();
        let day = |day| When::Day(date(2016, 8, day));
        write_calendar(&mut lines, &forge.pattern());
        write(&mut lines, &forge.pattern(), Some(day(31)), [day(9), day(16)].into_iter());
        lines.finish()
    }

    #[test]
    fn a_series_in_the_gregorian_calendar_has_a_rule_and_its_exceptions() {
        let expected = "RRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL=20160831;WKST=SU\r\nEXDATE;VALUE=DATE:20160809\r\nEXDATE;VALUE=DATE:20160816\r\n";
        assert_eq!(written(Forge { end: 0x2021, ..Forge::default() }), expected);
    }

    #[test]
    fn a_series_in_the_hijri_calendar_has_properties_of_its_own() {
        let text = written(Forge { frequency: 0x200c, kind: 0xa, days: vec![9], ..Forge::default() });
        assert!(
            text.starts_with("X-MICROSOFT-CALSCALE:Hijri\r\nX-MICROSOFT-RRULE:FREQ=MONTHLY;BYMONTHDAY=9\r\nX-MICROSOFT-EXDATE;"),
            "{text}"
        );
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
