//! When a zone changes its clocks: three biases and two dates ([MS-OXOCAL] 2.2.1.39, 2.2.1.41.1).

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Weekday};

use crate::format::Format;
use crate::format::codec::{Cut, Decoder};

/// Offsets from UTC, and when they change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Minutes to add to UTC in winter.
    pub(super) standard: i32,
    /// The same in summer.
    pub(super) daylight: i32,
    /// When standard time and daylight time begin, each on the clock that ends; none where there is only one time.
    pub(super) changes: Option<(Change, Change)>,
}

/// When one time gives way to the other: a SYSTEMTIME ([MS-DTYP] 2.3.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The one year in which it happens; 0 for every year.
    pub(super) year: i16,
    pub(super) month: i8,
    pub(super) weekday: Weekday,
    /// Which of these weekdays in the month, 5 for the last; the day of the month where there is a year.
    day: i8,
    hour: i8,
    minute: i8,
}

impl Rule {
    /// A zone with one time.
    pub(super) const fn fixed(minutes: i32) -> Self {
        Self { standard: minutes, daylight: minutes, changes: None }
    }

    /// Three biases and the two dates, each after its year once more where there are `years_between`.
    pub(super) fn decode(from: &mut Decoder<'_>, years_between: bool) -> Result<Option<Self>, Cut> {
        let (bias, standard, daylight): (i32, i32, i32) = (from.field()?, from.field()?, from.field()?);
        let mut change = || {
            if years_between {
                let _year: u16 = from.field()?;
            }
            Change::decode(from)
        };
        let (to_standard, to_daylight) = (change()?, change()?);
        let offset = |extra: i32| bias.checked_add(extra)?.checked_neg().filter(|minutes| minutes.abs() < 24 * 60);
        let (Some(standard), Some(daylight)) = (offset(standard), offset(daylight)) else { return Ok(None) };
        let changes = to_standard.zip(to_daylight);
        Ok(Some(Self { standard, daylight: if changes.is_some() { daylight } else { standard }, changes }))
    }

    /// PidLidTimeZoneStruct ([MS-OXOCAL] 2.2.1.39).
    pub(super) fn of_struct(blob: &[u8]) -> Option<Self> {
        Self::decode(&mut Decoder::new(Format::Unicode, blob), true).ok().flatten()
    }

    /// Minutes to add to this time of UTC.
    pub(super) fn offset(&self, utc: DateTime) -> i32 {
        let Some((to_standard, to_daylight)) = self.changes else { return self.standard };
        let year = shifted(utc, self.standard).unwrap_or(utc).year();
        let begins = |change: Change, clock: i32| change.in_year(year).and_then(|local| shifted(local, clock.checked_neg()?));
        let (Some(winter), Some(summer)) = (begins(to_standard, self.daylight), begins(to_daylight, self.standard)) else {
            return self.standard;
        };
        let is_summer = if summer < winter { summer <= utc && utc < winter } else { !(winter <= utc && utc < summer) };
        if is_summer { self.daylight } else { self.standard }
    }

    /// This time of UTC on the zone's clock.
    pub(super) fn local(&self, utc: DateTime) -> Option<DateTime> {
        shifted(utc, self.offset(utc))
    }

    /// The time of UTC when the zone's clock shows this; of two, the first.
    pub(super) fn utc(&self, local: DateTime) -> Option<DateTime> {
        [self.daylight, self.standard]
            .into_iter()
            .filter_map(|offset| Some((offset, shifted(local, offset.checked_neg()?)?)))
            .find(|(offset, utc)| self.offset(*utc) == *offset)
            .map(|(_, utc)| utc)
            .or_else(|| shifted(local, self.standard.checked_neg()?))
    }

    /// Whether it is UTC under another name.
    pub(super) const fn is_utc(&self) -> bool {
        self.standard == 0 && self.daylight == 0
    }
}

fn shifted(time: DateTime, minutes: i32) -> Option<DateTime> {
    time.checked_add(SignedDuration::from_mins(i64::from(minutes))).ok()
}

impl Change {
    /// `None` inside for a month of 0, which says that there is no such change, or a date that does not exist.
    fn decode(from: &mut Decoder<'_>) -> Result<Option<Self>, Cut> {
        let mut words = [0_u16; 8];
        for word in &mut words {
            *word = from.field()?;
        }
        let [year, month, weekday, day, hour, minute, ..] = words;
        let small = |word: u16, range: std::ops::RangeInclusive<i8>| i8::try_from(word).ok().filter(|value| range.contains(value));
        Ok((|| {
            Some(Self {
                year: i16::try_from(year).ok().filter(|year| (0..=9999).contains(year))?,
                month: small(month, 1..=12)?,
                weekday: small(weekday, 0..=6).and_then(|day| Weekday::from_sunday_zero_offset(day).ok())?,
                day: small(day, if year == 0 { 1..=5 } else { 1..=31 })?,
                hour: small(hour, 0..=23)?,
                minute: small(minute, 0..=59)?,
            })
        })())
    }

    /// When it happens in a year, on the clock that ends; `None` in other years than its own.
    pub(super) fn in_year(self, year: i16) -> Option<DateTime> {
        let day = if self.year == 0 {
            Date::new(year, self.month, 1).ok()?.nth_weekday_of_month(self.nth(), self.weekday).ok()?
        } else if self.year == year {
            Date::new(year, self.month, self.day).ok()?
        } else {
            return None;
        };
        Some(day.at(self.hour, self.minute, 0, 0))
    }

    /// Which weekday of the month, as jiff and RRULE count: -1 is the last.
    pub(super) const fn nth(self) -> i8 {
        if self.day == 5 { -1 } else { self.day }
    }
}

#[cfg(test)]
mod tests {
    use super::super::zone::Definition;
    use super::super::zone::testing::{berlin_struct, definition};
    use super::*;

    fn at(text: &str) -> DateTime {
        text.parse().unwrap()
    }

    #[test]
    fn clocks_change_at_the_hour_the_rule_tells() {
        let rule = Rule::of_struct(&berlin_struct()).unwrap();
        for (utc, local) in [
            ("2024-03-31T00:59", "2024-03-31T01:59"),
            ("2024-03-31T01:00", "2024-03-31T03:00"),
            ("2024-10-27T00:59", "2024-10-27T02:59"),
            ("2024-10-27T01:00", "2024-10-27T02:00"),
            ("2024-12-31T23:30", "2025-01-01T00:30"),
        ] {
            assert_eq!(rule.local(at(utc)), Some(at(local)), "{utc}");
        }
        assert_eq!(rule.utc(at("2024-07-01T12:00")), Some(at("2024-07-01T10:00")));
        assert_eq!(rule.utc(at("2024-10-27T02:30")), Some(at("2024-10-27T00:30")));
    }

    #[test]
    fn summer_spans_the_new_year_in_the_south() {
        let rule = Definition::decode(&definition("x", -600, &[(0, 2, [4, 1, 3, 10, 1, 2])])).unwrap().effective().unwrap();
        assert_eq!(rule.local(at("2024-01-01T00:00")), Some(at("2024-01-01T11:00")));
        assert_eq!(rule.local(at("2024-07-01T00:00")), Some(at("2024-07-01T10:00")));
        assert_eq!(rule.local(at("2023-12-31T13:30")), Some(at("2024-01-01T00:30")));
    }
}
