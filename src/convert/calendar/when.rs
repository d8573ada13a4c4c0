//! A time in a document, on the clock that it is shown on.

use jiff::civil::{Date, DateTime};

use super::zone::{Definition, Zone};
use super::zone_rule::Rule;
use crate::convert::lines::{Lines, basic_date, basic_time, date_near, local_minutes, utc, zulu};
use crate::store::item::Item;
use crate::store::props::{Key, Props};
use crate::store::tags;

use super::series::Series;

/// A time as iCalendar writes it (RFC 5545 3.3.4, 3.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When<'z> {
    /// A day, wherever one is.
    Day(Date),
    /// A time on a clock.
    At(DateTime, Clock<'z>),
}

/// What a time of day is to be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock<'z> {
    /// UTC.
    Utc,
    /// The clock of a zone.
    Zone(&'z Zone),
    /// The clock on the wall, wherever one is: the item does not tell.
    Floating,
}

impl<'z> When<'z> {
    /// Writes it as a property of this name.
    pub(super) fn write(self, lines: &mut Lines, name: &str) {
        match self {
            Self::Day(date) => lines.raw(&format!("{name};VALUE=DATE"), &basic_date(date)),
            Self::At(time, Clock::Utc) => lines.raw(name, &zulu(time)),
            Self::At(time, Clock::Floating) => lines.raw(name, &basic_time(time)),
            Self::At(time, Clock::Zone(zone)) => lines.raw(&format!("{name};TZID={}", zone.id), &basic_time(time)),
        }
    }

    /// As UNTIL: a date for dates, UTC for times with a zone (RFC 5545 3.3.10).
    pub(super) fn until(self) -> Option<String> {
        match self {
            Self::Day(date) => Some(basic_date(date)),
            Self::At(time, Clock::Floating) => Some(basic_time(time)),
            Self::At(time, Clock::Utc) => Some(zulu(time)),
            Self::At(time, Clock::Zone(zone)) => zone.rule.utc(time).map(zulu),
        }
    }

    /// The year it lies in.
    pub(super) fn year(self) -> i16 {
        match self {
            Self::Day(date) => date.year(),
            Self::At(time, _) => time.year(),
        }
    }

    /// The zone that a reader must know.
    pub(super) const fn zone(self) -> Option<&'z Zone> {
        match self {
            Self::Day(_) => None,
            Self::At(_, clock) => clock.zone(),
        }
    }

    /// Its time in UTC, to compare it with times on other clocks.
    pub(super) fn instant(self) -> DateTime {
        match self {
            Self::Day(date) => date.at(0, 0, 0, 0),
            Self::At(time, clock) => clock.zone().and_then(|zone| zone.rule.utc(time)).unwrap_or(time),
        }
    }
}

impl<'z> Clock<'z> {
    /// A time of UTC on this clock.
    pub(super) fn show(self, utc: DateTime) -> Option<When<'z>> {
        match self {
            Self::Utc | Self::Floating => Some(When::At(utc, Clock::Utc)),
            Self::Zone(zone) => zone.rule.local(utc).map(|local| When::At(local, self)),
        }
    }

    /// The day whose midnight on this clock is a time of UTC; the nearest one, as travellers' clocks differ.
    pub(super) fn day(self, utc: DateTime) -> Option<When<'z>> {
        let local = match self {
            Self::Utc | Self::Floating => utc,
            Self::Zone(zone) => zone.rule.local(utc)?,
        };
        date_near(local).map(When::Day)
    }

    /// A time of a recurrence blob, which is on the clock of the series.
    pub(super) fn minutes(self, minutes: u32, is_all_day: bool) -> Option<When<'z>> {
        let local = local_minutes(minutes)?;
        if is_all_day { date_near(local).map(When::Day) } else { Some(When::At(local, self)) }
    }

    /// The zone, where the clock has one.
    pub(super) const fn zone(self) -> Option<&'z Zone> {
        match self {
            Self::Zone(zone) => Some(zone),
            Self::Utc | Self::Floating => None,
        }
    }
}

/// The clocks of an item: one for its start, and another for its end where it ends in another zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Zones {
    start: Option<Zone>,
    end: Option<Zone>,
    is_floating: bool,
}

impl Zones {
    /// The zones of a single appointment: those it is displayed in ([MS-OXOCAL] 2.2.1.42, 2.2.1.43).
    pub(super) fn of_single(item: &Item) -> Self {
        let props = &item.props;
        let at = |key: Key| props.time(key).and_then(utc);
        let (begin, finish) = (at(tags::LID_APPOINTMENT_START_WHOLE), at(tags::LID_APPOINTMENT_END_WHOLE));
        let times: Vec<DateTime> = begin.into_iter().chain(finish).collect();
        let zone = |keys: &[Key], time: Option<DateTime>| {
            let time = time?;
            let (name, rule) = keys
                .iter()
                .find_map(|key| definition(props, *key).and_then(|zone| Some((zone.key_name.clone(), zone.in_year(time.year())?))))
                .or_else(|| struct_rule(props))?;
            named(&name, rule, &times)
        };
        let (first, last) = (tags::LID_TIME_ZONE_START_DISPLAY, tags::LID_TIME_ZONE_END_DISPLAY);
        let start = zone(&[first, tags::LID_TIME_ZONE_RECUR], begin);
        let end = zone(&[last], finish);
        // Two VTIMEZONEs of one name cannot be told apart.
        let is_other = |end: &Zone| start.as_ref().is_none_or(|start| start.id != end.id);
        Self { end: end.filter(is_other), start, is_floating: false }
    }

    /// The zone of a recurring appointment ([MS-OXOCAL] 2.2.1.39 and 2.2.1.41): PidLidTimeZoneStruct decides where both differ.
    pub(super) fn of_series(item: &Item, series: &Series) -> Self {
        let props = &item.props;
        let start = props.time(tags::LID_APPOINTMENT_START_WHOLE).and_then(utc);
        let defined = [tags::LID_TIME_ZONE_RECUR, tags::LID_TIME_ZONE_START_DISPLAY]
            .into_iter()
            .filter_map(|key| definition(props, key))
            .filter_map(|zone| zone.effective().map(|rule| (zone.key_name, rule)));
        let by_struct = struct_rule(props);
        let mut agreeing = defined.filter(|(_, rule)| by_struct.as_ref().is_none_or(|(_, other)| other == rule));
        if let Some((name, rule)) = agreeing.next().or(by_struct) {
            let year_of_weeks = start.map(weeks).unwrap_or_default();
            return Self { start: named(&name, rule, &year_of_weeks), ..Self::default() };
        }
        match start {
            Some(start) => Self { start: offset_zone(start, series), ..Self::default() },
            None => Self { is_floating: true, ..Self::default() },
        }
    }

    /// The clock of the start.
    pub(super) const fn start(&self) -> Clock<'_> {
        match &self.start {
            Some(zone) => Clock::Zone(zone),
            None if self.is_floating => Clock::Floating,
            None => Clock::Utc,
        }
    }

    /// The clock of the end.
    pub(super) const fn end(&self) -> Clock<'_> {
        match &self.end {
            Some(zone) => Clock::Zone(zone),
            None => self.start(),
        }
    }
}

/// The zone, unless it is UTC, which needs none.
fn named(name: &str, rule: Rule, times: &[DateTime]) -> Option<Zone> {
    (!rule.is_utc()).then(|| Zone::new(name, rule, times))
}

fn definition(props: &Props, key: Key) -> Option<Definition> {
    Definition::decode(&props.bytes(key)?)
}

fn struct_rule(props: &Props) -> Option<(String, Rule)> {
    let rule = Rule::of_struct(&props.bytes(tags::LID_TIME_ZONE_STRUCT)?)?;
    Some((props.text(tags::LID_TIME_ZONE_DESCRIPTION).unwrap_or_default(), rule))
}

/// One time in each week of the year that begins here.
fn weeks(start: DateTime) -> Vec<DateTime> {
    (0..52_i64).filter_map(|week| start.checked_add(jiff::SignedDuration::from_hours(week.checked_mul(7 * 24)?)).ok()).collect()
}

/// Without a zone, a series still tells its offset: its first instance stands in UTC and, in the blob, on its own clock.
fn offset_zone(start: DateTime, series: &Series) -> Option<Zone> {
    let local = local_minutes(series.start()?)?;
    let minutes = i32::try_from(local.duration_since(start).as_mins()).ok()?;
    let is_offset = minutes.checked_rem(15) == Some(0) && (-14 * 60..=14 * 60).contains(&minutes);
    if is_offset { named("", Rule::fixed(minutes), &[]) } else { None }
}
