//! The months of calendars other than ours, in which a series can be counted: CalendarType ([MS-OXOCAL] 2.2.1.44.1).
//!
//! Only one question is asked: in which month does this day lie, and where in it. The rest follows by counting days.

use icu_calendar::cal::hijri::{TabularAlgorithmEpoch, TabularAlgorithmLeapYears};
use icu_calendar::cal::{ChineseTraditional, Hebrew, Hijri, Indian, KoreanTraditional};
use icu_calendar::{AsCalendar, Date as ForeignDate};
use jiff::Span;
use jiff::civil::Date;

/// A calendar by which months are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calendar {
    /// Ours; those of Japan, Korea (Tangun), Taiwan and Thailand number other years and have the same months.
    Gregorian,
    /// The tabular lunar calendar that Windows calls Hijri: leap years 2, 5, 7, 10, 13, 16, 18, 21, 24, 26, 29 of 30.
    Hijri,
    /// The lunar calendar that Saudi Arabia publishes.
    UmmAlQura,
    /// The Jewish calendar.
    Hebrew,
    /// The national calendar of India.
    Saka,
    /// The lunar calendar of China.
    Chinese,
    /// That of Korea. Japan's has the same rules and the same meridian, and so the same months.
    Korean,
}

/// A month of some calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Month {
    /// Its first day.
    pub(super) first: Date,
    /// How many days it has.
    pub(super) days: i8,
    /// The year that it belongs to.
    pub(super) year: i32,
    /// Its number: that of the month before it for an added month of China and Korea, of the one after it (Adar) in the Hebrew one.
    pub(super) number: u8,
    /// Whether only some years have it.
    pub(super) is_leap: bool,
}

impl Calendar {
    /// The calendar of a CalendarType, and the name that X-MICROSOFT-CALSCALE has for it ([MS-OXCICAL] 2.1.3.1.1.8).
    pub(super) const fn of(kind: u16) -> (Self, &'static str) {
        match kind {
            6 => (Self::Hijri, "Hijri"),
            8 => (Self::Hebrew, "Hebrew"),
            14 => (Self::Korean, "JapanLunar"),
            15 => (Self::Chinese, "ChineseLunar"),
            16 => (Self::Saka, "Saka"),
            17 => (Self::Chinese, "LunarEtoChn"),
            18 => (Self::Korean, "LunarEtoKor"),
            19 => (Self::Korean, "LunarRokuyou"),
            20 => (Self::Korean, "KoreaLunar"),
            23 => (Self::UmmAlQura, "Umalqura"),
            _ => (Self::Gregorian, ""),
        }
    }

    /// The month in which a day lies; `None` past what the calendar is known for.
    pub(super) fn month(self, day: Date) -> Option<Month> {
        match self {
            Self::Gregorian => Some(Month {
                first: day.first_of_month(),
                days: day.days_in_month(),
                year: i32::from(day.year()),
                number: u8::try_from(day.month()).ok()?,
                is_leap: false,
            }),
            Self::Hijri => foreign(day, Hijri::new_tabular(TabularAlgorithmLeapYears::TypeII, TabularAlgorithmEpoch::Thursday)),
            Self::UmmAlQura => foreign(day, Hijri::new_umm_al_qura()),
            Self::Hebrew => foreign(day, Hebrew::new()).map(Month::of_hebrew),
            Self::Saka => foreign(day, Indian::new()),
            Self::Chinese => foreign(day, ChineseTraditional::new()),
            Self::Korean => foreign(day, KoreanTraditional::new()),
        }
    }
}

fn foreign(day: Date, calendar: impl AsCalendar) -> Option<Month> {
    let (month, date) = (u8::try_from(day.month()).ok()?, u8::try_from(day.day()).ok()?);
    let there = ForeignDate::try_new_iso(i32::from(day.year()), month, date).ok()?.to_calendar(calendar);
    let before = i64::from(there.day_of_month().0).checked_sub(1)?;
    Some(Month {
        first: day.checked_sub(Span::new().try_days(before).ok()?).ok()?,
        days: i8::try_from(there.days_in_month()).ok()?,
        year: there.year().extended_year(),
        number: there.month().number(),
        is_leap: there.month().to_input().is_leap(),
    })
}

impl Month {
    /// Adar I is numbered after Shevat before it; here it is an Adar too many.
    const fn of_hebrew(self) -> Self {
        if self.is_leap { Self { number: self.number.saturating_add(1), ..self } } else { self }
    }

    /// The last day of the month, or the day that this many days would be.
    pub(super) fn day(&self, day: u32) -> Option<Date> {
        let day = i8::try_from(day).unwrap_or(i8::MAX).min(self.days).checked_sub(1)?;
        self.first.checked_add(Span::new().try_days(day).ok()?).ok()
    }

    /// The month after it.
    pub(super) fn next(&self, calendar: Calendar) -> Option<Self> {
        calendar.month(self.first.checked_add(Span::new().try_days(self.days).ok()?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn known_days_lie_where_their_calendars_put_them() {
        for (calendar, day, number, is_leap, of_month) in [
            // 1 Muharram 1446, 1 Ramadan 1445 by the table of Windows and by the one of Saudi Arabia.
            (Calendar::Hijri, date(2024, 7, 7), 1, false, 1),
            (Calendar::UmmAlQura, date(2024, 3, 11), 9, false, 1),
            // 10 Tishri 5785; 14 Adar I and 14 Adar II 5784.
            (Calendar::Hebrew, date(2024, 10, 12), 1, false, 10),
            (Calendar::Hebrew, date(2024, 2, 23), 6, true, 14),
            (Calendar::Hebrew, date(2024, 3, 24), 6, false, 14),
            // New year 2024; the added second month of 2023.
            (Calendar::Chinese, date(2024, 2, 10), 1, false, 1),
            (Calendar::Chinese, date(2023, 3, 22), 2, true, 1),
            // Chuseok 2024.
            (Calendar::Korean, date(2024, 9, 17), 8, false, 15),
            (Calendar::Saka, date(2024, 3, 21), 1, false, 1),
            (Calendar::Gregorian, date(2024, 2, 29), 2, false, 29),
        ] {
            let month = calendar.month(day).unwrap();
            assert_eq!((month.number, month.is_leap), (number, is_leap), "{calendar:?} {day}");
            assert_eq!(month.day(of_month), Some(day), "{calendar:?}");
        }
    }

    #[test]
    fn a_month_has_a_last_day_and_a_next_one() {
        let month = Calendar::Hebrew.month(date(2024, 2, 23)).unwrap();
        assert_eq!((month.days, month.day(31)), (30, Some(date(2024, 3, 10))));
        assert_eq!(month.next(Calendar::Hebrew).map(|next| next.first), Some(date(2024, 3, 11)));
        assert_eq!(Calendar::Gregorian.month(date(9999, 12, 1)).and_then(|month| month.next(Calendar::Gregorian)), None);
    }
}
