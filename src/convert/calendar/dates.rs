//! The dates of a series, counted out: what [`rule`](super::rule) tells in one line, and RRULE cannot in other calendars.

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};

use super::months::{Calendar, Month};
use super::pattern::{Days, End, Frequency, Pattern};

/// The most dates that are written one by one.
pub(super) const DATES_MAX: usize = 1_000;
/// For how many years the dates of a series without an end are written.
const ENDLESS_YEARS: i16 = 60;
/// The most periods without a date that are looked at, so that a pattern that never meets one ends.
const EMPTY_MAX: usize = 64;

impl Pattern {
    /// The dates of the series that are written one by one, and whether there are more.
    pub(super) fn dates(&self) -> (Vec<Date>, bool) {
        let Some(first) = self.start() else { return (Vec::new(), false) };
        let (count, last) = match self.end {
            End::After(count) => (usize::try_from(count).unwrap_or(usize::MAX), Date::MAX),
            End::OnDate => (usize::MAX, self.last().unwrap_or(Date::MAX)),
            End::Never => (usize::MAX, first.checked_add(ENDLESS_YEARS.years()).unwrap_or(Date::MAX)),
        };
        let mut dates: Vec<Date> =
            Walk::new(self, first).take_while(|date| *date <= last).take(count.min(DATES_MAX.saturating_add(1))).collect();
        let is_cut = dates.len() > DATES_MAX || self.end == End::Never;
        dates.truncate(DATES_MAX);
        (dates, is_cut)
    }

    /// The first date on or after its start that the pattern meets: some writers begin a series on another day.
    pub(super) fn first(&self) -> Option<Date> {
        let start = self.start()?;
        Walk::new(self, start).next().or(Some(start))
    }
}

/// Goes from period to period.
struct Walk<'p> {
    pattern: &'p Pattern,
    calendar: Calendar,
    from: Date,
    at: Option<Place>,
    waiting: std::vec::IntoIter<Date>,
}

/// Where a period begins.
#[derive(Clone, Copy)]
enum Place {
    Day(Date),
    Month(Month),
}

impl<'p> Walk<'p> {
    fn new(pattern: &'p Pattern, from: Date) -> Self {
        let calendar = Calendar::of(pattern.calendar).0;
        let at = match (pattern.frequency, pattern.days) {
            (_, Days::OfWeek(_)) => week_begin(from, pattern.week_start).map(Place::Day),
            (Frequency::Daily | Frequency::Weekly, _) | (_, Days::Every) => Some(Place::Day(from)),
            (Frequency::Monthly | Frequency::Yearly, _) => calendar.month(from).map(Place::Month),
        };
        Self { pattern, calendar, from, at, waiting: Vec::new().into_iter() }
    }

    /// The dates of the period, in order.
    fn dates(&self, place: Place) -> Vec<Date> {
        match (place, self.pattern.days) {
            (Place::Day(week), Days::OfWeek(mask)) => days_from(week, 7).filter(|day| is_in(*day, mask)).collect(),
            (Place::Day(day), _) => vec![day],
            (Place::Month(month), Days::OfMonth(day)) => month.day(day).into_iter().collect(),
            (Place::Month(month), Days::EndOfMonth) => month.day(u32::MAX).into_iter().collect(),
            (Place::Month(month), Days::NthOfMonth(mask, nth)) => nth_of_month(&month, mask, nth).into_iter().collect(),
            (Place::Month(_), Days::Every | Days::OfWeek(_)) => Vec::new(),
        }
    }

    fn next_place(&self, place: Place) -> Option<Place> {
        let period = i64::from(self.pattern.interval());
        match (place, self.pattern.days) {
            (Place::Day(week), Days::OfWeek(_)) => later(week, period.checked_mul(7)?).map(Place::Day),
            (Place::Day(day), _) if self.pattern.frequency == Frequency::Weekly => later(day, period.checked_mul(7)?).map(Place::Day),
            (Place::Day(day), _) => later(day, period).map(Place::Day),
            (Place::Month(month), _) if self.pattern.is_yearly() => self.in_later_year(month).map(Place::Month),
            (Place::Month(month), _) => {
                let months = usize::try_from(period).ok()?;
                std::iter::successors(Some(month), |month| month.next(self.calendar)).nth(months).map(Place::Month)
            }
        }
    }

    /// The month of the series in the next year that has its turn; a year without an added month has the usual one of its number.
    fn in_later_year(&self, month: Month) -> Option<Month> {
        let first = self.calendar.month(self.from)?;
        let year = month.year.checked_add(i32::try_from(self.pattern.interval()).ok()?)?;
        let months = std::iter::successors(month.next(self.calendar), |month| month.next(self.calendar));
        let found: Vec<Month> = months
            .skip_while(|month| month.year < year)
            .take_while(|month| month.year == year)
            .filter(|month| month.number == first.number)
            .collect();
        found.iter().find(|month| month.is_leap == first.is_leap).or(found.iter().find(|month| !month.is_leap)).copied()
    }
}

impl Iterator for Walk<'_> {
    type Item = Date;

    fn next(&mut self) -> Option<Date> {
        for _ in 0..EMPTY_MAX {
            if let Some(date) = self.waiting.find(|date| *date >= self.from) {
                return Some(date);
            }
            let place = self.at?;
            self.at = self.next_place(place);
            self.waiting = self.dates(place).into_iter();
        }
        None
    }
}

fn later(day: Date, days: i64) -> Option<Date> {
    day.checked_add(Span::new().try_days(days).ok()?).ok()
}

fn days_from(first: Date, count: i64) -> impl DoubleEndedIterator<Item = Date> {
    (0..count).filter_map(move |days| later(first, days))
}

/// The first day of the week in which a day lies, 0 for Sunday.
fn week_begin(day: Date, week_start: u32) -> Option<Date> {
    let start = i8::try_from(week_start).ok().and_then(|start| Weekday::from_sunday_zero_offset(start).ok()).unwrap_or(Weekday::Sunday);
    later(day, i64::from(day.weekday().since(start)).checked_neg()?)
}

/// Whether a mask, bit 0 for Sunday, has a day.
fn is_in(day: Date, mask: u32) -> bool {
    let bit = u32::try_from(day.weekday().to_sunday_zero_offset()).unwrap_or(0);
    mask.checked_shr(bit).is_some_and(|rest| rest & 1 == 1)
}

fn nth_of_month(month: &Month, mask: u32, nth: u32) -> Option<Date> {
    let mut days = days_from(month.first, i64::from(month.days)).filter(|day| is_in(*day, mask));
    match nth {
        1..=4 => days.nth(usize::try_from(nth).ok()?.checked_sub(1)?),
        5 => days.next_back(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::testing::{Forge, minutes};
    use super::*;

    fn first_dates(forge: &Forge, count: usize) -> Vec<String> {
        forge.pattern().dates().0.iter().take(count).map(Date::to_string).collect()
    }

    fn yearly(kind: u16, calendar: u16, day: u32, start: &str) -> Forge {
        Forge { frequency: 0x200d, kind, calendar, period: 12, days: vec![day], start_date: minutes(start), ..Forge::default() }
    }

    #[test]
    fn a_year_of_another_calendar_is_another_one() {
        // Yom Kippur; Chuseok; the 9th of Dhu al-Hijja; new year of China.
        let kippur = first_dates(&yearly(2, 8, 10, "2024-10-12T00:00"), 3);
        assert_eq!(kippur, ["2024-10-12", "2025-10-02", "2026-09-21"]);
        assert_eq!(first_dates(&yearly(2, 20, 15, "2024-09-17T00:00"), 3), ["2024-09-17", "2025-10-06", "2026-09-25"]);
        assert_eq!(first_dates(&yearly(2, 15, 1, "2024-02-10T00:00"), 3), ["2024-02-10", "2025-01-29", "2026-02-17"]);
        assert_eq!(first_dates(&yearly(0xa, 0, 1, "2024-07-07T00:00"), 3), ["2024-07-07", "2025-06-26", "2026-06-16"]);
    }

    #[test]
    fn what_began_in_an_added_month_goes_on_in_the_usual_one() {
        // 14 Adar I 5784: 14 Adar in years with one Adar, 14 Adar I in 5787.
        let dates = first_dates(&yearly(2, 8, 14, "2024-02-23T00:00"), 4);
        assert_eq!(dates, ["2024-02-23", "2025-03-14", "2026-03-03", "2027-02-21"]);
    }

    #[test]
    fn months_of_another_calendar_follow_each_other() {
        let monthly = |kind, days: &[u32]| Forge {
            frequency: 0x200c,
            kind,
            days: days.to_vec(),
            end: 0x2022,
            count: 3,
            start_date: minutes("2024-07-07T00:00"),
            ..Forge::default()
        };
        assert_eq!(first_dates(&monthly(0xa, &[1]), 9), ["2024-07-07", "2024-08-06", "2024-09-04"]);
        assert_eq!(first_dates(&monthly(0xc, &[30]), 9), ["2024-08-05", "2024-09-03", "2024-10-03"]);
        assert_eq!(first_dates(&monthly(0xb, &[0x20, 5]), 9), ["2024-08-02", "2024-08-30", "2024-09-27"]);
    }

    #[test]
    fn a_series_begins_where_its_pattern_does() {
        // Every second Tuesday, from a Wednesday on.
        let forge = Forge { start_date: minutes("2016-08-03T00:00"), period: 2, ..Forge::default() };
        assert_eq!(first_dates(&forge, 2), ["2016-08-16", "2016-08-30"]);
        assert_eq!(forge.pattern().first().map(|date| date.to_string()).as_deref(), Some("2016-08-16"));
    }

    #[test]
    fn a_series_without_an_end_is_cut_and_says_so() {
        let (dates, is_cut) = yearly(2, 8, 10, "2024-10-12T00:00").pattern().dates();
        assert_eq!((dates.len(), is_cut), (61, true));
        let daily = Forge { frequency: 0x200a, kind: 0, period: 1440, days: vec![], end: 0x2022, count: 5_000, ..Forge::default() };
        assert_eq!((daily.pattern().dates().0.len(), daily.pattern().dates().1), (DATES_MAX, true));
    }

    #[test]
    fn no_pattern_runs_for_ever() {
        for (days, period) in [(vec![0, 1], 1), (vec![4, 5], u32::MAX), (vec![0x20, 9], 12)] {
            let forge = Forge { frequency: 0x200c, kind: 3, calendar: 15, period, days, ..Forge::default() };
            assert!(forge.pattern().dates().0.len() <= 1);
        }
    }
}
