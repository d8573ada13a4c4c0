//! Series as recipes write them: `recur every=month period=1 day=31 from=2024-01-31 at=9:00 minutes=30 count=5`.
//!
//! Written straight from [MS-OXOCAL] 2.2.1.44, without a word of what reads it.

use jiff::civil::{Date, DateTime};
use pstfs::ltp::value::Value;
use pstfs::store::props::Key;
use pstfs::store::tags::{self, PSETID_APPOINTMENT, PSETID_COMMON, PSETID_TASK};
use pstfs::store::write::{AttachmentContent, AttachmentDraft, MessageDraft, PropertyList};

use super::build::Forge;
use super::items::{message, text, time};
use super::recipe::{Line, parse_number};

/// Makes a message a series.
pub(super) fn set(forge: &mut Forge<'_>, series: &mut MessageDraft<'static>, kind: &str, line: &Line) {
    let mut blob = pattern(line);
    if kind == "task" {
        series.props.set(Key::Lid(PSETID_TASK, 0x8116), Value::Binary(blob)).set(Key::Lid(PSETID_TASK, 0x8126), Value::Bool(true));
        return;
    }
    let (start, minutes) = (clock(line), line.number("minutes").unwrap_or(30) as u32);
    let changes: Vec<&Line> = line.lines.iter().filter(|line| line.word == "exception").collect();
    words(&mut blob, &[0x3006, line.number("writer").unwrap_or(0x3009) as u32, start, start + minutes]);
    shorts(&mut blob, &[changes.len() as u16]);
    changes.iter().for_each(|change| exception(&mut blob, line, change));
    words(&mut blob, &[0]);
    changes.iter().for_each(|change| extended(&mut blob, line, change));
    words(&mut blob, &[0]);
    series
        .props
        .set(Key::Lid(PSETID_APPOINTMENT, 0x8216), Value::Binary(blob))
        .set(Key::Lid(PSETID_APPOINTMENT, 0x8223), Value::Bool(true));
    for change in changes {
        series.attachments.push(embedded(forge, line, change));
    }
}

fn pattern(line: &Line) -> Vec<u8> {
    let (frequency, kind) = match line.option("every").expect("recur: every=") {
        "day" => (0x200a, 0),
        "weekday" => (0x200a, 1),
        "week" => (0x200b, 1),
        "month" => (0x200c, 2),
        "month-nth" => (0x200c, 3),
        "month-end" => (0x200c, 4),
        "hj-month" => (0x200c, 0xa),
        "hj-month-nth" => (0x200c, 0xb),
        "hj-month-end" => (0x200c, 0xc),
        "year" => (0x200d, 2),
        "year-nth" => (0x200d, 3),
        "year-end" => (0x200d, 4),
        "hj-year" => (0x200d, 0xa),
        other => panic!("recur: every={other}"),
    };
    let unit = match frequency {
        0x200a if kind == 0 => 1440,
        0x200d => 12,
        _ => 1,
    };
    let from = day(line.option("from").expect("recur: from="));
    let mut blob = Vec::new();
    shorts(&mut blob, &[0x3004, 0x3004, frequency, kind, line.number("calendar").unwrap_or(0) as u16]);
    words(&mut blob, &[0, line.number("period").unwrap_or(1) as u32 * unit, u32::from(line.option("sliding").is_some())]);
    match kind {
        0 => {}
        1 => words(&mut blob, &[line.number("days").unwrap_or(0x3e) as u32]),
        3 | 0xb => words(&mut blob, &[line.number("days").expect("recur: days=") as u32, line.number("nth").expect("recur: nth=") as u32]),
        _ => words(&mut blob, &[line.number("day").unwrap_or(31) as u32]),
    }
    let until = line.option("until").map_or(0x5ae9_80df, day);
    let end = line.number("end").unwrap_or(match (line.option("until"), line.option("count")) {
        (_, Some(_)) => 0x2022,
        (Some(_), None) => 0x2021,
        (None, None) => 0x2023,
    });
    words(&mut blob, &[end as u32, line.number("count").unwrap_or(10) as u32, line.number("week-start").unwrap_or(0) as u32]);
    let changes = line.lines.iter().filter(|line| line.word == "exception");
    let moved: Vec<(u32, u32)> = changes.map(|change| (midnight(original(line, change)), midnight(at(line, change)))).collect();
    let gone = line.option("deleted").map(|dates| dates.split(' ').map(day).collect::<Vec<_>>()).unwrap_or_default();
    let mut deleted: Vec<u32> = gone.into_iter().chain(moved.iter().map(|(from, _)| *from)).collect();
    deleted.sort_unstable();
    let mut modified: Vec<u32> = moved.into_iter().map(|(_, to)| to).collect();
    modified.sort_unstable();
    for list in [deleted, modified] {
        words(&mut blob, &[list.len() as u32]);
        words(&mut blob, &list);
    }
    words(&mut blob, &[from, until]);
    blob
}

/// ExceptionInfo.
fn exception(blob: &mut Vec<u8>, line: &Line, change: &Line) {
    words(blob, &[at(line, change), at(line, change) + length(line, change), original(line, change)]);
    shorts(blob, &[flags(change)]);
    let string = |blob: &mut Vec<u8>, name: &str| {
        if let Some(value) = change.option(name) {
            let narrow: Vec<u8> = value.chars().map(|char| u8::try_from(char).unwrap_or(b'?')).collect();
            shorts(blob, &[narrow.len() as u16 + 1, narrow.len() as u16]);
            blob.extend(narrow);
        }
    };
    let number = |blob: &mut Vec<u8>, name: &str| change.number(name).into_iter().for_each(|value| words(blob, &[value as u32]));
    string(blob, "subject");
    if let Some(minutes) = change.option("reminder") {
        let is_set = minutes != "none";
        if is_set {
            words(blob, &[parse_number(minutes) as u32]);
        }
        words(blob, &[u32::from(is_set)]);
    }
    string(blob, "location");
    number(blob, "busy");
    number(blob, "allday");
}

fn flags(change: &Line) -> u16 {
    let has = |name: &str, flag: u16| if change.option(name).is_some() { flag } else { 0 };
    let delta = if change.option("reminder").is_some_and(|minutes| minutes != "none") { 4 } else { 0 };
    has("subject", 1) | delta | has("reminder", 8) | has("location", 0x10) | has("busy", 0x20) | has("allday", 0x80)
}

/// ExtendedException.
fn extended(blob: &mut Vec<u8>, line: &Line, change: &Line) {
    if line.number("writer").unwrap_or(0x3009) >= 0x3009 {
        words(blob, &[4, 0]);
    }
    words(blob, &[0]);
    if flags(change) & 0x11 == 0 {
        return;
    }
    words(blob, &[at(line, change), at(line, change) + length(line, change), original(line, change)]);
    for value in ["subject", "location"].into_iter().filter_map(|name| change.option(name)) {
        let units: Vec<u16> = value.encode_utf16().collect();
        shorts(blob, &[units.len() as u16]);
        shorts(blob, &units);
    }
    words(blob, &[0]);
}

/// The message of an exception, in an attachment that says when it would have been.
fn embedded(forge: &mut Forge<'_>, line: &Line, change: &Line) -> AttachmentDraft<'static> {
    let inner = Line {
        options: change
            .options
            .iter()
            .filter(|(name, _)| *name == "body" || *name == "html")
            .map(|(a, b)| (a.clone(), b.clone()))
            .collect(),
        ..change.clone()
    };
    let mut inner = message(forge, "item", &inner);
    inner.props.set(tags::MESSAGE_CLASS, text("IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}"));
    inner.props.set(tags::SUBJECT, text(change.option("subject").unwrap_or_default()));
    let (local, before) = (unix(at(line, change)), unix(original(line, change)));
    let offset = line.number("offset").unwrap_or(0) as i64 * 60;
    inner.props.set(Key::Lid(PSETID_APPOINTMENT, 0x820d), time(local - offset)).set(Key::Lid(PSETID_COMMON, 0x8516), time(local - offset));
    let mut props = PropertyList::default();
    props.set(Key::Id(0x7ffd), Value::I32(2)).set(Key::Id(0x7ffe), Value::Bool(true));
    props.set(Key::Id(0x7ffb), time(local)).set(Key::Id(0x7ff9), time(before - offset));
    AttachmentDraft { props, content: AttachmentContent::Message(Box::new(inner)) }
}

fn original(line: &Line, change: &Line) -> u32 {
    day(change.option("on").expect("exception: on=")) + clock(line)
}

fn at(line: &Line, change: &Line) -> u32 {
    change.option("at").map_or_else(|| original(line, change), minutes)
}

fn length(line: &Line, change: &Line) -> u32 {
    change.number("minutes").or_else(|| line.number("minutes")).unwrap_or(30) as u32
}

fn clock(line: &Line) -> u32 {
    let (hour, minute) = line.option("at").unwrap_or("0:00").split_once(':').expect("recur: at=HOUR:MINUTE");
    hour.parse::<u32>().unwrap() * 60 + minute.parse::<u32>().unwrap()
}

/// Minutes since 1601 of a local time.
fn minutes(time: &str) -> u32 {
    let time: DateTime = time.parse().unwrap();
    let since = time.duration_since(DateTime::constant(1601, 1, 1, 0, 0, 0, 0));
    u32::try_from(since.as_mins()).unwrap()
}

fn day(date: &str) -> u32 {
    minutes(&format!("{}T00:00", date.parse::<Date>().unwrap()))
}

const fn midnight(minutes: u32) -> u32 {
    minutes - minutes % 1440
}

const fn unix(minutes: u32) -> i64 {
    minutes as i64 * 60 - 11_644_473_600
}

fn words(blob: &mut Vec<u8>, words: &[u32]) {
    blob.extend(words.iter().flat_map(|word| word.to_le_bytes()));
}

fn shorts(blob: &mut Vec<u8>, words: &[u16]) {
    blob.extend(words.iter().flat_map(|word| word.to_le_bytes()));
}

/// Sets the zone that a name of Windows stands for: PidLidTimeZoneStruct and the three definitions ([MS-OXOCAL] 2.2.1.39, .41).
pub(super) fn set_zone(props: &mut PropertyList, name: &str) {
    let (name, bias, changes) = match name {
        "berlin" => ("W. Europe Standard Time", -60, [10, 0, 5, 3, 3, 0, 5, 2]),
        "pacific" => ("Pacific Standard Time", 480, [11, 0, 1, 2, 3, 0, 2, 2]),
        "sydney" => ("AUS Eastern Standard Time", -600, [4, 0, 1, 3, 10, 0, 1, 2]),
        "kiritimati" => ("Line Islands Standard Time", -840, [0; 8]),
        "kolkata" => ("India Standard Time", -330, [0; 8]),
        "seoul" => ("Korea Standard Time", -540, [0; 8]),
        // A zone of somebody's own.
        "moon" => ("Moon Base, Zone: 7", 75, [2, 3, 2, 1, 8, 4, 5, 23]),
        other => panic!("recipe: zone={other}"),
    };
    let rule = |blob: &mut Vec<u8>, years: bool| {
        words(blob, &[bias as u32, 0, -60_i32 as u32]);
        for [month, weekday, nth, hour] in
            [[changes[0], changes[1], changes[2], changes[3]], [changes[4], changes[5], changes[6], changes[7]]]
        {
            shorts(blob, if years { &[0] } else { &[] });
            shorts(blob, &[0, month, weekday, nth, hour, 0, 0, 0]);
        }
    };
    let units: Vec<u16> = name.encode_utf16().collect();
    let mut definition = vec![2, 1];
    shorts(&mut definition, &[units.len() as u16 * 2 + 6, 2, units.len() as u16]);
    shorts(&mut definition, &units);
    shorts(&mut definition, &[1, 0x0102, 0x3e, 2, 1601, 0, 0, 0, 0, 0, 0, 0]);
    rule(&mut definition, false);
    let mut old = Vec::new();
    rule(&mut old, true);
    props.set(Key::Lid(PSETID_APPOINTMENT, 0x8233), Value::Binary(old)).set(Key::Lid(PSETID_APPOINTMENT, 0x8234), text(name));
    for lid in [0x825e, 0x825f, 0x8260] {
        props.set(Key::Lid(PSETID_APPOINTMENT, lid), Value::Binary(definition.clone()));
    }
}
