//! The recurrence blob of appointments and tasks: RecurrencePattern ([MS-OXOCAL] 2.2.1.44.1).
//!
//! Dates in it are minutes since 1601-01-01 on the clock of the series, not UTC.

use jiff::civil::{Date, DateTime};

use super::months::Calendar;
use crate::convert::lines::local_minutes;
use crate::format::codec::{Cut, Decoder, Field};

/// The most instances of one list that are read: a daily series of 40 years with every instance changed.
pub(super) const INSTANCES_MAX: usize = 16_384;

/// How often a series recurs, and its instances that were deleted or moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) frequency: Frequency,
    pub(super) calendar: u16,
    /// Minutes for daily ones, weeks for weekly ones, months for monthly and yearly ones.
    pub(super) period: u32,
    /// A task that is made anew when it is completed, so that it has no dates of its own.
    pub(super) regenerates: bool,
    pub(super) days: Days,
    pub(super) end: End,
    /// The first day of the week, 0 for Sunday.
    pub(super) week_start: u32,
    /// Dates without an instance: the deleted ones and the original dates of the moved ones.
    pub(super) deleted: Vec<u32>,
    pub(super) start_date: u32,
    pub(super) end_date: u32,
}

/// How often: RecurFrequency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// On which days of its period: PatternType and PatternTypeSpecific.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Days {
    /// Every day.
    Every,
    /// These days of the week, bit 0 for Sunday.
    OfWeek(u32),
    /// This day of the month, or its last one where it has fewer days.
    OfMonth(u32),
    /// The nth of these days of the week in a month; 5 is the last.
    NthOfMonth(u32, u32),
    /// The last day of the month.
    EndOfMonth,
}

/// When a series ends: EndType.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    OnDate,
    After(u32),
    Never,
}

impl Pattern {
    /// Decodes the blob of a task, or the first part of an appointment's.
    pub(super) fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        let _versions: [u16; 2] = [from.field().ok()?, from.field().ok()?];
        let frequency: u16 = from.field().ok()?;
        let kind: u16 = from.field().ok()?;
        let calendar: u16 = from.field().ok()?;
        let _first_date_time: u32 = from.field().ok()?;
        let period = from.field().ok()?;
        let sliding: u32 = from.field().ok()?;
        let days = Days::decode(kind, from)?;
        let end_type: u32 = from.field().ok()?;
        let count: u32 = from.field().ok()?;
        let week_start = from.field().ok()?;
        let deleted = instances(from)?;
        let _modified = instances(from)?;
        let (start_date, end_date) = (from.field().ok()?, from.field().ok()?);
        Some(Self {
            frequency: Frequency::of(frequency)?,
            // The Hijri kinds of pattern have a calendar of their own, whatever CalendarType says.
            calendar: if kind >= KIND_HIJRI { HIJRI } else { calendar },
            period,
            regenerates: sliding != 0,
            days,
            end: End::of(end_type, count, end_date),
            week_start,
            deleted,
            start_date,
            end_date,
        })
    }

    /// Whether its months are those of the Gregorian calendar; RRULE knows no other.
    pub(super) fn is_gregorian(&self) -> bool {
        let by_month =
            matches!(self.frequency, Frequency::Monthly | Frequency::Yearly) && !matches!(self.days, Days::Every | Days::OfWeek(_));
        !by_month || Calendar::of(self.calendar).0 == Calendar::Gregorian
    }

    /// Whether it comes once in so many years, rather than in so many months.
    pub(super) fn is_yearly(&self) -> bool {
        self.frequency == Frequency::Yearly && self.period.checked_rem(12) == Some(0) && !matches!(self.days, Days::Every | Days::OfWeek(_))
    }

    /// How many days, weeks, months or years lie between two of its dates.
    pub(super) fn interval(&self) -> u32 {
        let divisor = match (self.days, self.frequency) {
            // "Every weekday" counts weeks, but a writer may think in days.
            (Days::OfWeek(_), Frequency::Daily) if self.period.checked_rem(24 * 60) == Some(0) => 24 * 60,
            (Days::OfWeek(_), _) | (_, Frequency::Weekly) => 1,
            (_, Frequency::Daily) | (Days::Every, _) => 24 * 60,
            _ if self.is_yearly() => 12,
            _ => 1,
        };
        self.period.checked_div(divisor).unwrap_or(1).max(1)
    }

    /// The date on which the series is said to begin.
    pub(super) fn start(&self) -> Option<Date> {
        local_minutes(self.start_date).map(DateTime::date)
    }

    /// The last date of the series, where it has one.
    pub(super) fn last(&self) -> Option<Date> {
        match self.end {
            End::OnDate | End::After(_) => local_minutes(self.end_date).map(DateTime::date),
            End::Never => None,
        }
    }
}

/// The lunar calendar of the Arab countries, as CalendarType ([MS-OXOCAL] 2.2.1.44.1).
pub(super) const HIJRI: u16 = 6;
/// The first PatternType of the Hijri kinds: HjMonth, HjMonthNth, HjMonthEnd.
const KIND_HIJRI: u16 = 0xa;

impl Frequency {
    const fn of(value: u16) -> Option<Self> {
        match value {
            0x200a => Some(Self::Daily),
            0x200b => Some(Self::Weekly),
            0x200c => Some(Self::Monthly),
            0x200d => Some(Self::Yearly),
            _ => None,
        }
    }
}

impl Days {
    fn decode(kind: u16, from: &mut Decoder<'_>) -> Option<Self> {
        Some(match kind {
            0 => Self::Every,
            1 => Self::OfWeek(from.field().ok()?),
            2 | 0xa => Self::OfMonth(from.field().ok()?),
            3 | 0xb => Self::NthOfMonth(from.field().ok()?, from.field().ok()?),
            4 | 0xc => {
                let _day: u32 = from.field().ok()?;
                Self::EndOfMonth
            }
            _ => return None,
        })
    }
}

/// From here on EndDate says that there is none: 4500-08-31 23:59, and what lies near it.
const NO_END: u32 = 0x5ae9_80df;

impl End {
    /// The end of this EndType. Aspose writes 0, which says nothing: a date or a count is then what the series means, as its
    /// text in PidLidRecurrencePattern ("for a maximum of 10 occurrences") shows.
    const fn of(kind: u32, count: u32, date: u32) -> Self {
        match (kind, count, date) {
            (0x2023 | 0xffff_ffff, ..) | (0x2021, _, NO_END..) | (0x2022, 0, NO_END..) | (_, 0, NO_END..) => Self::Never,
            (0x2021, ..) | (_, 0, _) => Self::OnDate,
            (0x2022, ..) | (_, _, NO_END..) => Self::After(count),
            _ => Self::OnDate,
        }
    }
}

/// A count and so many dates; `None` where the bytes end before.
fn instances(from: &mut Decoder<'_>) -> Option<Vec<u32>> {
    list(from).ok()
}

fn list<T: Field>(from: &mut Decoder<'_>) -> Result<Vec<T>, Cut> {
    let count: u32 = from.field()?;
    let mut values = Vec::new();
    for _ in 0..count {
        let value = from.field()?;
        if values.len() < INSTANCES_MAX {
            values.push(value);
        }
    }
    Ok(values)
}

#[cfg(test)]
pub(super) mod testing {
    //! Blobs for tests.
    use super::*;
    use crate::format::Format;
    use crate::format::codec::Encoder;

    /// What stands before the type-specific part differs only in these.
    pub(in crate::convert::calendar) struct Forge {
        pub(in crate::convert::calendar) frequency: u16,
        pub(in crate::convert::calendar) kind: u16,
        pub(in crate::convert::calendar) calendar: u16,
        pub(in crate::convert::calendar) period: u32,
        pub(in crate::convert::calendar) sliding: u32,
        pub(in crate::convert::calendar) days: Vec<u32>,
        pub(in crate::convert::calendar) end: u32,
        pub(in crate::convert::calendar) count: u32,
        pub(in crate::convert::calendar) deleted: Vec<u32>,
        pub(in crate::convert::calendar) start_date: u32,
        pub(in crate::convert::calendar) end_date: u32,
    }

    /// Minutes since 1601 of a time.
    pub(in crate::convert::calendar) fn minutes(time: &str) -> u32 {
        let time: DateTime = time.parse().unwrap();
        let since = time.duration_since("1601-01-01T00:00".parse().unwrap());
        u32::try_from(since.as_mins()).unwrap()
    }

    impl Default for Forge {
        /// Every Tuesday from 2016-08-02, for ever.
        fn default() -> Self {
            Self {
                frequency: 0x200b,
                kind: 1,
                calendar: 0,
                period: 1,
                sliding: 0,
                days: vec![4],
                end: 0x2023,
                count: 10,
                deleted: Vec::new(),
                start_date: minutes("2016-08-02T00:00"),
                end_date: 0x5ae9_80df,
            }
        }
    }

    impl Forge {
        pub(in crate::convert::calendar) fn encode(&self) -> Vec<u8> {
            let mut to = Encoder::new(Format::Unicode);
            to.field(&0x3004_u16).field(&0x3004_u16).field(&self.frequency).field(&self.kind).field(&self.calendar);
            to.field(&0_u32).field(&self.period).field(&self.sliding);
            for value in &self.days {
                to.field(value);
            }
            to.field(&self.end).field(&self.count).field(&0_u32);
            to.field(&u32::try_from(self.deleted.len()).unwrap());
            for value in &self.deleted {
                to.field(value);
            }
            to.field(&0_u32).field(&self.start_date).field(&self.end_date);
            to.finish()
        }

        pub(in crate::convert::calendar) fn pattern(&self) -> Pattern {
            Pattern::decode(&mut Decoder::new(Format::Unicode, &self.encode())).unwrap()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::Forge;
    use super::*;
    use crate::format::Format;

    #[test]
    fn every_cut_is_none() {
        let blob = Forge { deleted: vec![1, 2], ..Forge::default() }.encode();
        for len in 0..blob.len() {
            assert_eq!(Pattern::decode(&mut Decoder::new(Format::Unicode, &blob[..len])), None, "{len}");
        }
    }

    #[test]
    fn a_count_of_two_to_the_thirty_two_ends_with_the_bytes() {
        let mut blob = Forge::default().encode();
        // DeletedInstanceCount of a weekly pattern.
        blob[38..42].copy_from_slice(&[0xff; 4]);
        assert_eq!(Pattern::decode(&mut Decoder::new(Format::Unicode, &blob)), None);
    }

    #[test]
    fn a_hijri_kind_is_not_gregorian() {
        assert!(Forge::default().pattern().is_gregorian());
        assert!(!Forge { frequency: 0x200c, kind: 0xa, days: vec![9], ..Forge::default() }.pattern().is_gregorian());
        assert!(!Forge { frequency: 0x200c, kind: 2, calendar: 6, days: vec![9], ..Forge::default() }.pattern().is_gregorian());
    }
}
