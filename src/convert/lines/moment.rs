//! Dates and times, as the stores hold them and as both formats write them.

use jiff::civil::{Date, DateTime, date};
use jiff::tz::Offset;
use jiff::{SignedDuration, Span};

use crate::format::property::FileTime;

/// Outlook's "no date" is 4501-01-01, in local time; nothing real lies near it ([MS-OXOTASK] 2.2.2.2.4 and others).
const NONE_FROM_YEAR: i16 = 4500;

/// A time of the store in UTC; `None` where it stands for "no date" or past what a calendar can write.
pub(in crate::convert) fn utc(time: FileTime) -> Option<DateTime> {
    let (seconds, _) = time.unix()?;
    let time = Offset::UTC.to_datetime(jiff::Timestamp::from_second(seconds).ok()?);
    (time.year() < NONE_FROM_YEAR).then_some(time)
}

/// The date whose local midnight a time of the store is, where the zone is not known: the nearest midnight in UTC.
///
/// Right for every zone from 12 hours behind UTC to less than 12 hours before it. A contact made in Japan has
/// its birthday of 2000-01-01 stored as 1999-12-31T15:00Z.
pub(in crate::convert) fn date_near(time: DateTime) -> Option<Date> {
    time.checked_add(SignedDuration::from_hours(12)).ok().map(DateTime::date)
}

/// A count of minutes since 1601-01-01, the clock of recurrence blobs ([MS-OXOCAL] 2.2.1.44.1).
pub(in crate::convert) fn local_minutes(minutes: u32) -> Option<DateTime> {
    let days = minutes.checked_div(24 * 60)?;
    let rest = minutes.checked_rem(24 * 60)?;
    // In two steps: one duration of more than 292 years is too long for jiff.
    let midnight = date(1601, 1, 1).checked_add(Span::new().try_days(days).ok()?).ok()?.at(0, 0, 0, 0);
    midnight.checked_add(SignedDuration::from_mins(i64::from(rest))).ok()
}

/// The midnight of a date as such a count.
pub(in crate::convert) fn minutes_of(day: Date) -> Option<u32> {
    let days = day.since((jiff::Unit::Day, date(1601, 1, 1))).ok()?.get_days();
    u32::try_from(days).ok()?.checked_mul(24 * 60)
}

/// `20240506`.
pub(in crate::convert) fn basic_date(date: Date) -> String {
    format!("{:04}{:02}{:02}", date.year(), date.month(), date.day())
}

/// `20240506T090000`.
pub(in crate::convert) fn basic_time(time: DateTime) -> String {
    format!("{}T{:02}{:02}{:02}", basic_date(time.date()), time.hour(), time.minute(), time.second())
}

/// `20240506T090000Z`.
pub(in crate::convert) fn zulu(time: DateTime) -> String {
    format!("{}Z", basic_time(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_that_means_none_is_none() {
        // 4501-01-01T00:00Z as Outlook writes it.
        assert_eq!(utc(FileTime(0x0cb3_4557_a3dd_4000)), None);
        assert_eq!(utc(FileTime(0)), None);
        assert_eq!(utc(FileTime(u64::MAX)), None);
        assert_eq!(utc(FileTime(1)).map(zulu).as_deref(), Some("16010101T000000Z"));
    }

    #[test]
    fn a_birthday_is_the_nearest_midnight() {
        let of = |time: &str| date_near(time.parse().unwrap()).map(basic_date);
        assert_eq!(of("1999-12-31T15:00").as_deref(), Some("20000101"));
        assert_eq!(of("2000-01-01T08:00").as_deref(), Some("20000101"));
        assert_eq!(of("2000-01-01T00:00").as_deref(), Some("20000101"));
    }

    #[test]
    fn every_count_of_minutes_is_a_date() {
        assert_eq!(local_minutes(u32::MAX).map(basic_time).as_deref(), Some("97670216T041500"));
        assert_eq!(local_minutes(0).map(basic_time).as_deref(), Some("16010101T000000"));
        assert_eq!((minutes_of(date(1601, 1, 2)), minutes_of(date(1600, 1, 1))), (Some(1440), None));
    }
}
