//! Items as recipes name them: what every message has, who it is from and to, what hangs on it.

use std::io::Cursor;

use pstfs::format::property::FileTime;
use pstfs::ltp::value::Value;
use pstfs::store::props::Key;
use pstfs::store::tags;
use pstfs::store::write::{AttachmentContent, AttachmentDraft, MessageDraft, PropertyList};

use super::build::Forge;
use super::random::Stream;
use super::recipe::Line;
use super::{classes, files, recur, values};

/// 2024-01-01T09:00:00Z, when the first item came.
pub(super) const FIRST_MINUTE: i64 = 1_704_099_600;

pub(super) fn text(value: &str) -> Value {
    Value::Unicode(value.to_owned())
}

pub(super) fn time(unix_seconds: i64) -> Value {
    Value::Time(FileTime::from_unix(unix_seconds).unwrap())
}

/// Whether a line describes a property of what it belongs to.
pub(super) fn is_property(line: &Line) -> bool {
    matches!(line.word.as_str(), "prop" | "named" | "all-types")
}

/// Sets the properties that lines describe.
pub(super) fn extra_props(props: &mut PropertyList, lines: &[Line]) {
    for line in lines.iter().filter(|line| is_property(line)) {
        values::set(props, line);
    }
}

/// The message that a line describes.
pub(super) fn message(forge: &mut Forge<'_>, kind: &str, line: &Line) -> MessageDraft<'static> {
    forge.count += 1;
    let minute = FIRST_MINUTE + forge.count as i64 * 60;
    let mut message = MessageDraft::default();
    common(forge, &mut message.props, line, minute);
    if let Some(from) = line.option("from") {
        sender(&mut message.props, from);
    }
    for (option, kind, display) in [("to", 1, 0x0e04), ("cc", 2, 0x0e03), ("bcc", 3, 0x0e02)] {
        let people: Vec<&str> = line.option(option).map(|people| people.split("; ").collect()).unwrap_or_default();
        if !people.is_empty() {
            let names: Vec<&str> = people.iter().map(|person| name_and_address(person).0).collect();
            message.props.set(Key::Id(display), text(&names.join("; ")));
        }
        message.recipients.extend(people.iter().map(|person| recipient(person, kind)));
    }
    classes::set(&mut message.props, kind, line, minute);
    if let Some(zone) = line.option("zone") {
        recur::set_zone(&mut message.props, zone);
    }
    for line in &line.lines {
        match line.word.as_str() {
            "attach" => message.attachments.push(attachment(forge, line)),
            "attach-many" => {
                for n in 1..=line.number("count").unwrap_or(1) {
                    message.attachments.push(attachment(forge, &line.numbered(n)));
                }
            }
            "embed" => message.attachments.push(embedded(forge, line)),
            "ole" => message.attachments.push(ole(forge, line)),
            "mac" => message.attachments.push(mac(line)),
            "recur" => recur::set(forge, &mut message, kind, line),
            "exception" => {}
            "link" => message.attachments.push(link(line)),
            // A recipient of these properties alone.
            "row" => message.recipients.push(row(line)),
            _ if is_property(line) => values::set(&mut message.props, line),
            other => panic!("recipe: a message has no {other}"),
        }
    }
    message
}

/// What every item has.
fn common(forge: &mut Forge<'_>, props: &mut PropertyList, line: &Line, minute: i64) {
    let subject = line.option("subject").unwrap_or_default();
    let prefix = subject.find(": ").filter(|at| *at <= 3).map_or(0, |at| at + 2);
    // Outlook marks how long the prefix is: U+0001 and a character of that number plus one.
    let mark = char::from_u32(prefix as u32 + 1).unwrap();
    props.set(tags::SUBJECT, text(&format!("\u{1}{mark}{subject}")));
    props.set(Key::Id(0x0e1d), text(&subject[prefix..]));
    props.set(Key::Id(0x0070), text(&subject[prefix..]));
    props.set(tags::MESSAGE_FLAGS, Value::I32(i32::from(line.option("unread") != Some("yes"))));
    for (id, value) in [(0x0017, line.number("importance").unwrap_or(1) as i32), (0x0026, 0), (0x0036, 0)] {
        props.set(Key::Id(id), Value::I32(value));
    }
    for key in [tags::CLIENT_SUBMIT_TIME, tags::MESSAGE_DELIVERY_TIME, tags::CREATION_TIME, tags::LAST_MODIFICATION_TIME] {
        props.set(key, time(minute));
    }
    props.set(Key::Id(0x300b), Value::Binary(forge.random.bytes(16)));
    props.set(Key::Id(0x1035), text(&format!("<{:016x}@forge.example>", forge.random.next())));
    if let Some(page) = line.number("codepage") {
        props.set(tags::MESSAGE_CODEPAGE, Value::I32(page as i32));
    }
    if let Some(body) = line.option("body") {
        props.set(Key::Id(0x1000), text(&body.replace('\n', "\r\n")));
    } else if let Some(size) = line.number("size") {
        props.set(Key::Id(0x1000), Value::Unicode(forge.random.text(size as usize)));
    }
    if let Some(html) = line.option("html") {
        props.set(Key::Id(0x1013), Value::Binary(html.as_bytes().to_vec())).set(tags::INTERNET_CODEPAGE, Value::I32(65001));
    }
    if let Some(rtf) = line.option("rtf") {
        let bytes = files::rtf(rtf.as_bytes(), line.option("compressed").is_none(), line.option("flaw"));
        props.set(Key::Id(0x1009), Value::Binary(bytes)).set(Key::Id(0x0e1f), Value::Bool(true));
    }
    if let Some(page) = line.number("html-page") {
        props.set(tags::INTERNET_CODEPAGE, Value::I32(page as i32));
    }
    if let Some(headers) = line.option("headers") {
        props.set(Key::Id(0x007d), text(&headers.replace('\n', "\r\n")));
    }
}

/// `Ann <ann@example.com>` in two parts; an address alone is its own name.
pub(super) fn name_and_address(person: &str) -> (&str, &str) {
    match person.split_once(" <") {
        Some((name, address)) => (name, address.trim_end_matches('>')),
        None => (person, person),
    }
}

fn sender(props: &mut PropertyList, person: &str) {
    let (name, address) = name_and_address(person);
    // Sender, then who it is sent for: name, address type, address.
    for (name_id, type_id, address_id) in [(0x0c1a, 0x0c1e, 0x0c1f), (0x0042, 0x0064, 0x0065)] {
        props.set(Key::Id(name_id), text(name));
        props.set(Key::Id(type_id), text("SMTP")).set(Key::Id(address_id), text(address));
    }
    props.set(Key::Id(0x5d01), text(address));
}

/// A recipient as a recipe spells it out: `row "Jane" kind=1`, its properties below.
fn row(line: &Line) -> PropertyList {
    let mut props = PropertyList::default();
    props.set(tags::DISPLAY_NAME, text(line.arg(0))).set(tags::RECIPIENT_TYPE, Value::I32(line.number("kind").unwrap_or(1) as i32));
    extra_props(&mut props, &line.lines);
    props
}

fn recipient(person: &str, kind: i32) -> PropertyList {
    let (name, address) = name_and_address(person);
    let mut props = PropertyList::default();
    props.set(tags::DISPLAY_NAME, text(name));
    props.set(Key::Id(0x3002), text("SMTP")).set(Key::Id(0x3003), text(address)).set(Key::Id(0x39fe), text(address));
    props.set(Key::Id(0x0c15), Value::I32(kind));
    props.set(Key::Id(0x0ffe), Value::I32(6)).set(Key::Id(0x3900), Value::I32(0));
    props.set(Key::Id(0x0e0f), Value::Bool(true)).set(Key::Id(0x3a40), Value::Bool(false));
    props.set(Key::Id(0x300b), Value::Binary(format!("SMTP:{}\0", address.to_uppercase()).into_bytes()));
    props.set(Key::Id(0x0fff), Value::Binary(one_off(name, address)));
    props
}

/// An entry id that holds name and address itself ([MS-OXCDATA] 2.2.5.1).
pub(super) fn one_off(name: &str, address: &str) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend([0x81, 0x2b, 0x1f, 0xa4, 0xbe, 0xa3, 0x10, 0x19, 0x9d, 0x6e, 0x00, 0xdd, 0x01, 0x0f, 0x54, 0x02]);
    bytes.extend([0, 0, 0x01, 0x90]);
    for part in [name, "SMTP", address] {
        bytes.extend(part.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
    }
    bytes
}

fn named(name: &str) -> PropertyList {
    let mut props = PropertyList::default();
    let extension = name.rfind('.').map_or("", |at| &name[at..]);
    let short: String = name.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    props.set(tags::ATTACH_LONG_FILENAME, text(name)).set(tags::DISPLAY_NAME, text(name));
    props.set(tags::ATTACH_FILENAME, text(&format!("{short}{extension}"))).set(Key::Id(0x3703), text(extension));
    props
}

fn attachment(forge: &mut Forge<'_>, line: &Line) -> AttachmentDraft<'static> {
    let mut props = named(line.arg(0));
    for (option, id) in [("mime", 0x370e), ("cid", 0x3712)] {
        if let Some(value) = line.option(option) {
            props.set(Key::Id(id), text(value));
        }
    }
    if line.option("hidden").is_some() {
        props.set(Key::Id(0x7ffe), Value::Bool(true));
    }
    extra_props(&mut props, &line.lines);
    let given = line.option("text").map(|text| text.as_bytes().to_vec()).or_else(|| line.option("hex").map(values::from_hex));
    let content = match given {
        Some(bytes) => AttachmentContent::Bytes(Box::new(Cursor::new(bytes))),
        None => {
            let len = line.number("size").unwrap_or(0);
            AttachmentContent::Bytes(Box::new(Stream::new(forge.random.next(), len)))
        }
    };
    AttachmentDraft { props, content }
}

fn embedded(forge: &mut Forge<'_>, line: &Line) -> AttachmentDraft<'static> {
    let inner = message(forge, line.args.first().map_or("note", String::as_str), line);
    let mut props = PropertyList::default();
    props.set(tags::DISPLAY_NAME, text(line.option("subject").unwrap_or_default()));
    AttachmentDraft { props, content: AttachmentContent::Message(Box::new(inner)) }
}

fn ole(forge: &mut Forge<'_>, line: &Line) -> AttachmentDraft<'static> {
    let content = match (line.option("text"), line.option("bitmap")) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(_)) => files::bitmap(),
        (None, None) => forge.random.bytes(line.number("size").unwrap_or(2048) as usize),
    };
    let mut props = named(line.arg(0));
    // The tag that says: an OLE 2 storage.
    props.set(Key::Id(0x370a), Value::Binary(vec![0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 3, 10, 3, 2, 1]));
    AttachmentDraft { props, content: AttachmentContent::Ole(Box::new(Cursor::new(files::object(line, &content)))) }
}

/// A file of a Mac with its two forks.
fn mac(line: &Line) -> AttachmentDraft<'static> {
    let name = line.arg(0);
    let fork = |option| line.option(option).unwrap_or_default().as_bytes();
    let mut props = named(name);
    props.set(tags::ATTACH_ENCODING, Value::Binary(vec![0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 3, 11, 1]));
    let bytes = files::mac(name, fork("text"), fork("resources"));
    AttachmentDraft { props, content: AttachmentContent::Bytes(Box::new(Cursor::new(bytes))) }
}

/// An attachment that only names a file elsewhere: by reference, or with `method=7` in the web.
fn link(line: &Line) -> AttachmentDraft<'static> {
    let path = line.arg(0);
    let name = path.rsplit(['\\', '/']).next().unwrap_or(path);
    let mut props = named(line.option("name").unwrap_or(name));
    props.set(tags::ATTACH_METHOD, Value::I32(line.number("method").unwrap_or(2) as i32));
    props.set(tags::ATTACH_LONG_PATHNAME, text(path)).set(tags::ATTACH_PATHNAME, text(path));
    AttachmentDraft { props, content: AttachmentContent::Plain }
}
