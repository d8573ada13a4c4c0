//! Time zones of calendar items ([MS-OXOCAL] 2.2.1.39, 2.2.1.41 to 2.2.1.43), and VTIMEZONE from them.
//!
//! The rules that the item carries count, not those of a database: they are what its author saw. A zone is given its
//! IANA name where both agree about the item's time. Where they do not, its name is one that no reader knows, or it
//! would put other rules in place of the ones written beside it: many know the names of Windows, too.

use std::sync::LazyLock;

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

use super::windows_zones::iana;
use super::zone_rule::{Change, Rule};
use crate::convert::lines::{Lines, basic_time};
use crate::format::Format;
use crate::format::codec::{Cut, Decoder};

/// A zone with its name: PidLidAppointmentTimeZoneDefinition* ([MS-OXOCAL] 2.2.1.41).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Definition {
    /// The name that Windows has for the zone, in English everywhere.
    pub(super) key_name: String,
    rules: Vec<DefinedRule>,
}

/// The rule of a zone from one year on: TZRule ([MS-OXOCAL] 2.2.1.41.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DefinedRule {
    year: u16,
    is_effective: bool,
    rule: Rule,
}

/// TZRULE_FLAG_EFFECTIVE_TZREG.
const EFFECTIVE: u16 = 0x2;
/// TZDEFINITION_FLAG_VALID_KEYNAME.
const HAS_KEY_NAME: u16 = 0x2;

impl Definition {
    /// Decodes the blob; `None` where it holds no usable rule.
    pub(super) fn decode(blob: &[u8]) -> Option<Self> {
        let mut from = Decoder::new(Format::Unicode, blob);
        from.take(4).ok()?;
        let flags: u16 = from.field().ok()?;
        let key_name = if flags & HAS_KEY_NAME == 0 {
            String::new()
        } else {
            let units: u16 = from.field().ok()?;
            crate::ltp::value::utf16(from.take(usize::from(units).saturating_mul(2)).ok()?)
        };
        let count: u16 = from.field().ok()?;
        let rules: Vec<_> = (0..count).map_while(|_| DefinedRule::decode(&mut from).ok()).flatten().collect();
        (!rules.is_empty()).then_some(Self { key_name, rules })
    }

    /// The rule for recurring items: the one marked as effective, else the last.
    pub(super) fn effective(&self) -> Option<Rule> {
        let marked = self.rules.iter().find(|defined| defined.is_effective);
        marked.or(self.rules.last()).map(|defined| defined.rule)
    }

    /// The rule that was in force in a year: the latest that had begun, else the first.
    pub(super) fn in_year(&self, year: i16) -> Option<Rule> {
        let begun = |defined: &&DefinedRule| i16::try_from(defined.year).is_ok_and(|from| from <= year);
        let latest = self.rules.iter().filter(begun).max_by_key(|defined| defined.year);
        latest.or(self.rules.first()).map(|defined| defined.rule)
    }
}

impl DefinedRule {
    fn decode(from: &mut Decoder<'_>) -> Result<Option<Self>, Cut> {
        from.take(4)?;
        let flags: u16 = from.field()?;
        let year = from.field()?;
        from.take(14)?;
        let rule = Rule::decode(from, false)?;
        Ok(rule.map(|rule| Self { year, is_effective: flags & EFFECTIVE != 0, rule }))
    }
}

/// A zone as a document names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Zone {
    pub(super) id: String,
    pub(super) rule: Rule,
}

/// The zones of the world, as built into the program: never those of the machine.
static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

impl Zone {
    /// The zone of a rule; `times` are times of UTC about which the IANA zone must agree to give it its name.
    pub(super) fn new(name: &str, rule: Rule, times: &[DateTime]) -> Self {
        let id = match iana(name) {
            Some(id) if DATABASE.get(id).is_ok_and(|zone| agrees(&zone, &rule, times)) => id.to_owned(),
            Some(_) => format!("{} as stored", clean_id(name)),
            None => clean_id(name),
        };
        let id = if id.is_empty() { format!("UTC{}", offset_text(rule.standard)) } else { id };
        Self { id, rule }
    }

    /// The zone as VTIMEZONE, valid from before `year`.
    pub(super) fn write(&self, lines: &mut Lines, year: i16) {
        let year = year.saturating_sub(1).clamp(1601, 1970);
        lines.raw("BEGIN", "VTIMEZONE");
        lines.text("TZID", &self.id);
        let rule = &self.rule;
        match rule.changes {
            None => self.write_time(lines, "STANDARD", None, (rule.standard, rule.standard), year),
            Some((to_standard, to_daylight)) => {
                self.write_time(lines, "STANDARD", Some(to_standard), (rule.daylight, rule.standard), year);
                self.write_time(lines, "DAYLIGHT", Some(to_daylight), (rule.standard, rule.daylight), year);
            }
        }
        lines.raw("END", "VTIMEZONE");
    }

    fn write_time(&self, lines: &mut Lines, name: &str, change: Option<Change>, (from, to): (i32, i32), year: i16) {
        let year = change.map_or(year, |change| if change.year == 0 { year } else { change.year });
        let begin = change.and_then(|change| change.in_year(year)).unwrap_or_else(|| date(year, 1, 1).at(0, 0, 0, 0));
        lines.raw("BEGIN", name);
        lines.raw("DTSTART", &basic_time(begin));
        if let Some(change) = change.filter(|change| change.year == 0) {
            let day = super::rule::weekday(u32::try_from(change.weekday.to_sunday_zero_offset()).unwrap_or(0)).unwrap_or("SU");
            lines.raw("RRULE", &format!("FREQ=YEARLY;BYDAY={}{day};BYMONTH={}", change.nth(), change.month));
        }
        lines.raw("TZOFFSETFROM", &offset_text(from));
        lines.raw("TZOFFSETTO", &offset_text(to));
        lines.raw("END", name);
    }
}

fn agrees(zone: &TimeZone, rule: &Rule, times: &[DateTime]) -> bool {
    times.iter().all(|utc| {
        let Ok(instant) = Offset::UTC.to_timestamp(*utc) else { return false };
        let minutes = i64::from(rule.offset(*utc));
        SignedDuration::from_secs(i64::from(zone.to_offset(instant).seconds())) == SignedDuration::from_mins(minutes)
    })
}

/// A name that needs no quotes and no escapes, neither as a parameter nor as TEXT: readers compare the two as written.
fn clean_id(name: &str) -> String {
    let readable = name.replace(':', ".").replace([',', ';', '"', '\\'], " ");
    let words: Vec<&str> = readable.split(|character: char| character.is_whitespace() || character.is_control()).collect();
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `+0930`.
fn offset_text(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    let (hours, rest) = (minutes.checked_div(60).unwrap_or(0), minutes.checked_rem(60).unwrap_or(0));
    format!("{sign}{hours:02}{rest:02}")
}

#[cfg(test)]
pub(super) mod testing {
    //! Blobs for tests.
    use crate::format::Format;
    use crate::format::codec::Encoder;

    fn date(to: &mut Encoder, month: u16, day: u16, hour: u16) {
        to.field(&0_u16).field(&month).field(&0_u16).field(&day).field(&hour).field(&0_u16).field(&0_u16).field(&0_u16);
    }

    /// Central European time: last Sundays of October and March.
    pub(in crate::convert::calendar) fn berlin_struct() -> Vec<u8> {
        let mut to = Encoder::new(Format::Unicode);
        to.field(&-60_i32).field(&0_i32).field(&-60_i32).field(&0_u16);
        date(&mut to, 10, 5, 3);
        to.field(&0_u16);
        date(&mut to, 3, 5, 2);
        to.finish()
    }

    /// The same with a name.
    pub(in crate::convert::calendar) fn definition(name: &str, bias: i32, rules: &[(u16, u16, [u16; 6])]) -> Vec<u8> {
        let mut to = Encoder::new(Format::Unicode);
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        to.bytes(&[2, 1]).field(&u16::try_from(units.len() + 6).unwrap()).field(&2_u16);
        to.field(&u16::try_from(units.len() / 2).unwrap()).bytes(&units).field(&u16::try_from(rules.len()).unwrap());
        for (year, flags, [month, day, hour, summer_month, summer_day, summer_hour]) in rules {
            to.bytes(&[2, 1]).field(&0x3e_u16).field(flags).field(year).bytes(&[0; 14]);
            to.field(&bias).field(&0_i32).field(&-60_i32);
            date(&mut to, *month, *day, *hour);
            date(&mut to, *summer_month, *summer_day, *summer_hour);
        }
        to.finish()
    }

    pub(in crate::convert::calendar) fn berlin() -> Vec<u8> {
        definition("W. Europe Standard Time", -60, &[(1601, 2, [10, 5, 3, 3, 5, 2])])
    }

    pub(in crate::convert::calendar) fn pacific() -> Vec<u8> {
        definition("Pacific Standard Time", 480, &[(2006, 0, [10, 5, 2, 4, 1, 2]), (2007, 2, [11, 1, 2, 3, 2, 2])])
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{berlin, berlin_struct, pacific};
    use super::*;

    fn at(text: &str) -> DateTime {
        text.parse().unwrap()
    }

    #[test]
    fn the_rule_of_the_year_counts_for_single_items() {
        let zone = Definition::decode(&pacific()).unwrap();
        let march = at("2006-03-20T12:00");
        assert_eq!(zone.in_year(2006).unwrap().local(march), Some(at("2006-03-20T04:00")));
        assert_eq!(zone.effective().unwrap().local(march), Some(at("2006-03-20T05:00")));
        assert_eq!(zone.in_year(1990), zone.in_year(2006));
    }

    #[test]
    fn a_zone_has_its_iana_name_only_where_both_agree() {
        let zone = Definition::decode(&pacific()).unwrap();
        let march = [at("2006-03-20T12:00")];
        assert_eq!(Zone::new(&zone.key_name, zone.in_year(2006).unwrap(), &march).id, "America/Los_Angeles");
        assert_eq!(Zone::new(&zone.key_name, zone.effective().unwrap(), &march).id, "Pacific Standard Time as stored");
    }

    #[test]
    fn a_zone_is_written_with_its_rules() {
        let zone = Definition::decode(&berlin()).unwrap();
        let mut lines = Lines::default();
        Zone::new(&zone.key_name, zone.effective().unwrap(), &[]).write(&mut lines, 2024);
        let expected = "BEGIN:VTIMEZONE TZID:Europe/Berlin \
            BEGIN:STANDARD DTSTART:19701025T030000 RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10 TZOFFSETFROM:+0200 TZOFFSETTO:+0100 END:STANDARD \
            BEGIN:DAYLIGHT DTSTART:19700329T020000 RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3 TZOFFSETFROM:+0100 TZOFFSETTO:+0200 END:DAYLIGHT \
            END:VTIMEZONE ";
        assert_eq!(lines.finish().replace("\r\n", " "), expected);
    }

    #[test]
    fn a_name_needs_no_quotes() {
        assert_eq!(clean_id("(GMT+10:00) Canberra, \"Sydney\""), "(GMT+10.00) Canberra Sydney");
        assert_eq!(Zone::new("", Rule::fixed(-210), &[]).id, "UTC-0330");
    }

    #[test]
    fn impossible_blobs_are_none_and_nothing_panics() {
        for blob in [berlin_struct(), pacific()] {
            for at in 0..blob.len() {
                for value in [0x00, 0x01, 0x7f, 0x80, 0xff] {
                    let mut flipped = blob.clone();
                    flipped[at] = value;
                    let rules = [Rule::of_struct(&flipped), Definition::decode(&flipped).and_then(|zone| zone.effective())];
                    for rule in rules.into_iter().flatten() {
                        let times = [DateTime::MIN, DateTime::MAX, super::tests::at("2024-02-29T12:00")];
                        for time in times {
                            let _ = (rule.local(time), rule.utc(time));
                        }
                        Zone::new("x", rule, &times).write(&mut Lines::default(), i16::MIN);
                    }
                }
                assert_eq!(Rule::of_struct(&blob[..at.min(40)]), None);
            }
        }
    }
}
