//! What makes an item a contact, an appointment, a task: its class and the properties that go with it.

use pstfs::ltp::value::Value;
use pstfs::store::props::Key;
use pstfs::store::tags::{self, PSETID_ADDRESS, PSETID_APPOINTMENT, PSETID_COMMON, PSETID_LOG, PSETID_NOTE, PSETID_TASK};
use pstfs::store::write::PropertyList;

use super::items::{name_and_address, one_off, text, time};
use super::recipe::Line;

/// Sets class and properties of an item of this kind.
pub(super) fn set(props: &mut PropertyList, kind: &str, line: &Line, minute: i64) {
    let class = match kind {
        "note" => "IPM.Note",
        "post" => "IPM.Post",
        "contact" => "IPM.Contact",
        "distlist" => "IPM.DistList",
        "appointment" => "IPM.Appointment",
        "request" => "IPM.Schedule.Meeting.Request",
        "task" => "IPM.Task",
        "journal" => "IPM.Activity",
        "sticky" => "IPM.StickyNote",
        "report" => "REPORT.IPM.Note.NDR",
        "smime" => "IPM.Note.SMIME",
        "associated" => "IPM.Microsoft.FolderDesign.NamedView",
        "item" => "",
        other => panic!("recipe: there are no items called {other}"),
    };
    props.set(tags::MESSAGE_CLASS, text(line.option("class").unwrap_or(class)));
    match kind {
        "contact" => contact(props, line),
        "distlist" => distribution_list(props, line),
        "appointment" | "request" => appointment(props, line, minute),
        "task" => task(props, line, minute),
        "journal" => journal(props, line, minute),
        "sticky" => sticky(props),
        "associated" => {
            props.set(tags::DISPLAY_NAME, text(line.option("subject").unwrap_or_default()));
        }
        _ => {}
    }
}

fn contact(props: &mut PropertyList, line: &Line) {
    let (name, address) = name_and_address(line.option("person").unwrap_or("Nobody"));
    let (given, surname) = name.split_once(' ').unwrap_or((name, ""));
    let texts = [
        (Key::Id(0x3001), name),
        (Key::Id(0x3a06), given),
        (Key::Id(0x3a11), surname),
        (Key::Id(0x3a16), line.option("company").unwrap_or_default()),
        (Key::Id(0x3a08), line.option("phone").unwrap_or_default()),
        (Key::Lid(PSETID_ADDRESS, 0x8005), name),
        (Key::Lid(PSETID_ADDRESS, 0x8080), name),
        (Key::Lid(PSETID_ADDRESS, 0x8082), "SMTP"),
        (Key::Lid(PSETID_ADDRESS, 0x8083), address),
        (Key::Lid(PSETID_ADDRESS, 0x8084), address),
    ];
    for (key, value) in texts.into_iter().filter(|(_, value)| !value.is_empty()) {
        props.set(key, text(value));
    }
    if let Some(birthday) = line.number("birthday") {
        props.set(Key::Id(0x3a42), time(birthday as i64));
    }
}

fn distribution_list(props: &mut PropertyList, line: &Line) {
    let people: Vec<&str> = line.option("members").map(|people| people.split("; ").collect()).unwrap_or_default();
    let entries: Vec<Value> =
        people.iter().map(|person| Value::Binary(one_off(name_and_address(person).0, name_and_address(person).1))).collect();
    let name = text(line.option("subject").unwrap_or_default());
    props.set(tags::DISPLAY_NAME, name.clone()).set(Key::Lid(PSETID_ADDRESS, 0x8053), name);
    props.set(Key::Lid(PSETID_ADDRESS, 0x8055), Value::Multi(entries.clone()));
    props.set(Key::Lid(PSETID_ADDRESS, 0x8054), Value::Multi(entries));
}

fn appointment(props: &mut PropertyList, line: &Line, minute: i64) {
    let start = line.option("start").map_or(minute, |start| start.parse().unwrap_or_else(|_| unix(start)));
    let minutes = line.number("minutes").unwrap_or(60) as i64;
    let end = start + minutes * 60;
    props.set(Key::Lid(PSETID_APPOINTMENT, 0x820d), time(start)).set(Key::Lid(PSETID_APPOINTMENT, 0x820e), time(end));
    props.set(Key::Lid(PSETID_COMMON, 0x8516), time(start)).set(Key::Lid(PSETID_COMMON, 0x8517), time(end));
    props.set(Key::Lid(PSETID_APPOINTMENT, 0x8213), Value::I32(minutes as i32));
    props.set(Key::Lid(PSETID_APPOINTMENT, 0x8205), Value::I32(2));
    props.set(Key::Lid(PSETID_APPOINTMENT, 0x8215), Value::Bool(line.option("allday").is_some()));
    props.set(Key::Lid(PSETID_APPOINTMENT, 0x8208), text(line.option("location").unwrap_or_default()));
    let reminder = line.number("reminder").unwrap_or(15) as i32;
    props.set(Key::Lid(PSETID_COMMON, 0x8503), Value::Bool(true)).set(Key::Lid(PSETID_COMMON, 0x8501), Value::I32(reminder));
    let weeks = line.number("weeks");
    props.set(Key::Lid(PSETID_APPOINTMENT, 0x8223), Value::Bool(weeks.is_some()));
    if let Some(weeks) = weeks {
        props.set(Key::Lid(PSETID_APPOINTMENT, 0x8216), Value::Binary(weekly(start, minutes, weeks as u32)));
    }
}

/// A time of UTC, such as `2024-05-06T09:00Z`.
fn unix(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().unwrap_or_else(|_| panic!("recipe: {time} is no time")).as_second()
}

/// A series of so many weeks on the day of its start, without its second day ([MS-OXOCAL] 2.2.1.44).
fn weekly(start: i64, minutes: i64, weeks: u32) -> Vec<u8> {
    const WEEK: u32 = 7 * 24 * 60;
    let day = (start + 11_644_473_600) / 86_400;
    let first = (day * 1440) as u32;
    let offset = (start.rem_euclid(86_400) / 60) as u32;
    // 1601-01-01 was a Monday.
    let weekday = ((day + 1) % 7) as u32;
    let last = first + (weeks - 1) * WEEK;
    let mut bytes = Vec::new();
    let mut words = |list: &[u32], wide: bool| {
        for word in list {
            bytes.extend_from_slice(&word.to_le_bytes()[..if wide { 4 } else { 2 }]);
        }
    };
    // Versions, weekly, by week, Gregorian.
    words(&[0x3004, 0x3004, 0x200b, 1, 0], false);
    // First date modulo the period, every week, not sliding, the weekday's bit.
    words(&[(first - weekday * 1440) % WEEK, 1, 0, 1 << weekday], true);
    // Ends after so many; weeks begin on Sunday; one day deleted, none changed; first and last day.
    words(&[0x2022, weeks, 0, 1, first + WEEK, 0, first, last], true);
    words(&[0x3006, 0x3009, offset, offset + minutes as u32], true);
    words(&[0], false);
    words(&[0, 0], true);
    bytes
}

fn task(props: &mut PropertyList, line: &Line, minute: i64) {
    let done = line.number("percent").unwrap_or(0);
    let status = match done {
        0 => 0,
        100 => 2,
        _ => 1,
    };
    props.set(Key::Lid(PSETID_TASK, 0x8101), Value::I32(status));
    props.set(Key::Lid(PSETID_TASK, 0x8102), Value::F64(done as f64 / 100.0));
    props.set(Key::Lid(PSETID_TASK, 0x811c), Value::Bool(done == 100));
    let midnight = minute - minute.rem_euclid(86_400);
    props.set(Key::Lid(PSETID_TASK, 0x8104), time(midnight)).set(Key::Lid(PSETID_TASK, 0x8105), time(midnight + 7 * 86_400));
}

fn journal(props: &mut PropertyList, line: &Line, minute: i64) {
    let minutes = line.number("minutes").unwrap_or(30);
    props.set(Key::Lid(PSETID_LOG, 0x8700), text(line.option("activity").unwrap_or("Phone call")));
    props.set(Key::Lid(PSETID_LOG, 0x8706), time(minute)).set(Key::Lid(PSETID_LOG, 0x8708), time(minute + minutes as i64 * 60));
    props.set(Key::Lid(PSETID_LOG, 0x8707), Value::I32(minutes as i32));
}

fn sticky(props: &mut PropertyList) {
    for (lid, value) in [(0x8b00, 3), (0x8b02, 200), (0x8b03, 166), (0x8b04, 80), (0x8b05, 80)] {
        props.set(Key::Lid(PSETID_NOTE, lid), Value::I32(value));
    }
}
