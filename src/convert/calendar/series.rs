//! A recurring appointment: AppointmentRecurrencePattern ([MS-OXOCAL] 2.2.1.44.5).

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::pattern::{INSTANCES_MAX, Pattern};
use crate::convert::lines::minutes_of;
use crate::format::Format;
use crate::format::codec::{Cut, Decoder};
use crate::ltp::value::utf16;
use crate::store::codepage;

/// A series: its pattern, the time of day of its instances, those that differ from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Series {
    pub(super) pattern: Pattern,
    /// Minutes from midnight to the start of an instance.
    pub(super) start_offset: u32,
    /// Minutes from midnight to its end; more than a day's where it lasts past midnight.
    pub(super) end_offset: u32,
    pub(super) exceptions: Vec<Exception>,
    /// Whether the blob ended before what it announced.
    pub(super) is_cut: bool,
}

/// An instance that differs from the others: ExceptionInfo and ExtendedException ([MS-OXOCAL] 2.2.1.44.2, 2.2.1.44.4).
///
/// All times are minutes since 1601 on the clock of the series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exception {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) original_start: u32,
    pub(super) subject: Option<String>,
    pub(super) location: Option<String>,
    pub(super) reminder_minutes: Option<u32>,
    pub(super) reminder_set: Option<bool>,
    pub(super) busy: Option<u32>,
    pub(super) all_day: Option<bool>,
    flags: u16,
}

// OverrideFlags: which fields follow.
const SUBJECT: u16 = 0x001;
const MEETING_TYPE: u16 = 0x002;
const REMINDER_DELTA: u16 = 0x004;
const REMINDER: u16 = 0x008;
const LOCATION: u16 = 0x010;
const BUSY_STATUS: u16 = 0x020;
const ATTACHMENT: u16 = 0x040;
const SUB_TYPE: u16 = 0x080;
const COLOR: u16 = 0x100;

/// From this WriterVersion2 on, an extended exception begins with a ChangeHighlight.
const WRITER_WITH_HIGHLIGHT: u32 = 0x3009;

/// Minutes of a day.
pub(super) const DAY_MINUTES: u32 = 24 * 60;

impl Series {
    /// Decodes the blob; what lies past a cut in its exceptions is left out.
    pub(super) fn decode(blob: &[u8], page: u16) -> Option<Self> {
        let mut from = Decoder::new(Format::Unicode, blob);
        let pattern = Pattern::decode(&mut from)?;
        let mut series = Self { pattern, start_offset: 0, end_offset: 0, exceptions: Vec::new(), is_cut: false };
        series.is_cut = series.decode_times(&mut from, page).is_err();
        Some(series)
    }

    fn decode_times(&mut self, from: &mut Decoder<'_>, page: u16) -> Result<(), Cut> {
        let _reader_version: u32 = from.field()?;
        let writer_version: u32 = from.field()?;
        let (start_offset, end_offset) = (from.field()?, from.field()?);
        (self.start_offset, self.end_offset) = (start_offset, end_offset);
        let count: u16 = from.field()?;
        for _ in 0..count {
            let exception = Exception::decode(from, page)?;
            if self.exceptions.len() < INSTANCES_MAX {
                self.exceptions.push(exception);
            }
        }
        skip_block(from)?;
        for exception in &mut self.exceptions {
            exception.decode_extended(from, writer_version)?;
        }
        Ok(())
    }

    /// The starts of the instances that were deleted, on the clock of the series: those whose date no exception had.
    pub(super) fn deleted(&self) -> Vec<u32> {
        let day = |minutes: u32| minutes.checked_div(DAY_MINUTES);
        let moved: BTreeSet<_> = self.exceptions.iter().map(|exception| day(exception.original_start)).collect();
        let gone: BTreeSet<_> = self.pattern.deleted.iter().map(|date| day(*date)).filter(|date| !moved.contains(date)).collect();
        gone.into_iter().filter_map(|date| date?.checked_mul(DAY_MINUTES)?.checked_add(self.start_offset)).collect()
    }

    /// The start of the first instance.
    pub(super) fn start(&self) -> Option<u32> {
        self.at(self.pattern.first()?)
    }

    /// The start of the instance of a date.
    pub(super) fn at(&self, date: Date) -> Option<u32> {
        minutes_of(date)?.checked_add(self.start_offset)
    }

    /// The start of the last instance, where there is one.
    pub(super) fn last(&self) -> Option<u32> {
        let midnight = self.pattern.end_date.checked_div(DAY_MINUTES)?.checked_mul(DAY_MINUTES)?;
        midnight.checked_add(self.start_offset)
    }

    /// How long an instance lasts.
    pub(super) const fn minutes(&self) -> u32 {
        self.end_offset.saturating_sub(self.start_offset)
    }
}

impl Exception {
    fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    fn decode(from: &mut Decoder<'_>, page: u16) -> Result<Self, Cut> {
        let mut exception = Self { start: from.field()?, end: from.field()?, original_start: from.field()?, ..Self::default() };
        exception.flags = from.field()?;
        if exception.has(SUBJECT) {
            exception.subject = Some(text8(from, page)?);
        }
        exception.number(MEETING_TYPE, from)?;
        exception.reminder_minutes = exception.number(REMINDER_DELTA, from)?;
        exception.reminder_set = exception.number(REMINDER, from)?.map(|set| set != 0);
        if exception.has(LOCATION) {
            exception.location = Some(text8(from, page)?);
        }
        exception.busy = exception.number(BUSY_STATUS, from)?;
        exception.number(ATTACHMENT, from)?;
        exception.all_day = exception.number(SUB_TYPE, from)?.map(|all_day| all_day != 0);
        exception.number(COLOR, from)?;
        Ok(exception)
    }

    fn number(&self, flag: u16, from: &mut Decoder<'_>) -> Result<Option<u32>, Cut> {
        if self.has(flag) { from.field().map(Some) } else { Ok(None) }
    }

    /// The same strings once more, this time in Unicode.
    fn decode_extended(&mut self, from: &mut Decoder<'_>, writer_version: u32) -> Result<(), Cut> {
        if writer_version >= WRITER_WITH_HIGHLIGHT {
            skip_block(from)?;
        }
        skip_block(from)?;
        if !self.has(SUBJECT | LOCATION) {
            return Ok(());
        }
        from.take(12)?;
        if self.has(SUBJECT) {
            self.subject = Some(text16(from)?);
        }
        if self.has(LOCATION) {
            self.location = Some(text16(from)?);
        }
        skip_block(from)
    }
}

fn skip_block(from: &mut Decoder<'_>) -> Result<(), Cut> {
    let len: u32 = from.field()?;
    from.take(usize::try_from(len).map_err(|_| Cut)?).map(drop)
}

/// A length plus one, the length, and a string in the code page of the item.
fn text8(from: &mut Decoder<'_>, page: u16) -> Result<String, Cut> {
    let _len_and_one: u16 = from.field()?;
    let len: u16 = from.field()?;
    Ok(codepage::decode(page, from.take(usize::from(len))?))
}

fn text16(from: &mut Decoder<'_>) -> Result<String, Cut> {
    let units: u16 = from.field()?;
    Ok(utf16(from.take(usize::from(units).saturating_mul(2))?))
}

#[cfg(test)]
pub(super) mod testing {
    //! Blobs for tests.
    use super::super::pattern::testing::{Forge, minutes};
    use crate::format::Format;
    use crate::format::codec::Encoder;

    /// Tuesdays at 8, half an hour long; 9 and 16 August deleted, 23 August moved to 9:00 with another subject and place.
    pub(in crate::convert::calendar) fn blob() -> Vec<u8> {
        let days = ["2016-08-09T00:00", "2016-08-16T00:00", "2016-08-23T00:00"];
        blob_of(&Forge { deleted: days.map(minutes).to_vec(), ..Forge::default() }, 0x3009)
    }

    pub(in crate::convert::calendar) fn blob_of(pattern: &Forge, writer_version: u32) -> Vec<u8> {
        let mut to = Encoder::new(Format::Unicode);
        to.bytes(&pattern.encode()).field(&0x3006_u32).field(&writer_version).field(&480_u32).field(&510_u32);
        let times = ["2016-08-23T09:00", "2016-08-23T09:45", "2016-08-23T08:00"].map(minutes);
        to.field(&1_u16).field(&times[0]).field(&times[1]).field(&times[2]);
        to.field(&(super::SUBJECT | super::LOCATION | super::BUSY_STATUS));
        to.field(&5_u16).field(&4_u16).bytes(b"ni?n").field(&3_u16).field(&2_u16).bytes(b"r?").field(&0_u32);
        to.field(&0_u32);
        if writer_version >= 0x3009 {
            to.field(&4_u32).field(&0_u32);
        }
        to.field(&0_u32).field(&times[0]).field(&times[1]).field(&times[2]);
        to.field(&4_u16).bytes(&"niño".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
        to.field(&2_u16).bytes(&"r中".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
        to.field(&0_u32).field(&0_u32);
        to.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::testing::{Forge, minutes};
    use super::*;

    #[test]
    fn the_unicode_strings_replace_the_others() {
        for writer_version in [0x3008, 0x3009] {
            let series = Series::decode(&testing::blob_of(&Forge::default(), writer_version), 1252).unwrap();
            let exception = &series.exceptions[0];
            assert_eq!((exception.subject.as_deref(), exception.location.as_deref()), (Some("niño"), Some("r中")));
            assert_eq!((exception.busy, series.minutes(), series.is_cut), (Some(0), 30, false));
        }
    }

    #[test]
    fn a_moved_instance_is_not_a_deleted_one() {
        let series = Series::decode(&testing::blob(), 1252).unwrap();
        assert_eq!(series.deleted(), ["2016-08-09T08:00", "2016-08-16T08:00"].map(minutes));
    }

    #[test]
    fn every_cut_gives_what_stands_before_it() {
        let blob = testing::blob();
        for len in 0..blob.len() {
            if let Some(series) = Series::decode(&blob[..len], 1252) {
                assert!(series.is_cut || len + 4 >= blob.len(), "{len}");
            }
        }
        let cut = Series::decode(&blob[..blob.len() - 12], 1252).unwrap();
        assert_eq!(cut.exceptions[0].subject.as_deref(), Some("niño"));
    }

    #[test]
    fn no_flipped_byte_panics() {
        let blob = testing::blob();
        for at in 0..blob.len() {
            for value in [0x00, 0x01, 0x7f, 0xff] {
                let mut flipped = blob.clone();
                flipped[at] = value;
                if let Some(series) = Series::decode(&flipped, 1252) {
                    let _ = (series.deleted(), series.start(), series.last(), series.minutes());
                }
            }
        }
    }
}
