//! Properties as recipes write them: `prop 0x6700 i32 7`, `named common 0x8578 unicode* "a" "b"`.

use pstfs::format::property::{FileTime, Guid, PropType};
use pstfs::ltp::value::Value;
use pstfs::store::names::Name;
use pstfs::store::tags;
use pstfs::store::write::{PropertyKey, PropertyList};

use super::random::Random;
use super::recipe::{Line, parse_number};

/// Sets what a line describes.
pub(super) fn set(props: &mut PropertyList, line: &Line) {
    match line.word.as_str() {
        "prop" => set_one(props, PropertyKey::Id(parse_number(line.arg(0)) as u16), line, 1),
        "named" => {
            let (set, name) = (set_of(line.arg(0)), line.arg(1));
            let key = if name.starts_with("0x") { Name::Lid(set, parse_number(name) as u32) } else { Name::Text(set, name.to_owned()) };
            set_one(props, PropertyKey::Name(key), line, 2);
        }
        _ => all_types(props),
    }
}

fn set_one(props: &mut PropertyList, key: PropertyKey, line: &Line, at: usize) {
    let word = line.arg(at);
    let (word, multi) = word.strip_suffix('*').map_or((word, false), |word| (word, true));
    let hex = word == BYTES8;
    let kind = if hex { PropType::STRING8 } else { kind_of(word) };
    let texts = &line.args[at + 1..];
    let size = line.number("size");
    let value = |text: &str| if hex { Value::String8(from_hex(text)) } else { value_of(kind, text, size) };
    if multi {
        let values = texts.iter().map(|text| value(text)).collect();
        props.set_typed(key, PropType(kind.0 | PropType::MULTI), Value::Multi(values));
    } else {
        props.set_typed(key, kind, value(texts.first().map_or("", String::as_str)));
    }
}

/// `bytes8` is an 8-bit string of these bytes, in hex: text of a code page that Rust does not write.
const BYTES8: &str = "bytes8";

const KINDS: [(&str, PropType); 15] = [
    ("null", PropType::NULL),
    ("i16", PropType::I16),
    ("i32", PropType::I32),
    ("f32", PropType::F32),
    ("f64", PropType::F64),
    ("currency", PropType::CURRENCY),
    ("apptime", PropType::APP_TIME),
    ("error", PropType::ERROR),
    ("bool", PropType::BOOL),
    ("i64", PropType::I64),
    ("string8", PropType::STRING8),
    ("unicode", PropType::UNICODE),
    ("time", PropType::TIME),
    ("guid", PropType::GUID),
    ("binary", PropType::BINARY),
];

fn kind_of(word: &str) -> PropType {
    KINDS.iter().find(|(name, _)| *name == word).unwrap_or_else(|| panic!("recipe: {word} is no type")).1
}

fn value_of(kind: PropType, text: &str, size: Option<u64>) -> Value {
    let size = size.map(|size| size as usize);
    match kind {
        PropType::NULL => Value::Null,
        PropType::I16 => Value::I16(text.parse().unwrap()),
        PropType::I32 => Value::I32(text.parse().unwrap()),
        PropType::F32 => Value::F32(text.parse().unwrap()),
        PropType::F64 => Value::F64(text.parse().unwrap()),
        PropType::CURRENCY => Value::Currency(text.parse().unwrap()),
        PropType::APP_TIME => Value::AppTime(text.parse().unwrap()),
        PropType::ERROR => Value::Error(parse_number(text) as u32),
        PropType::BOOL => Value::Bool(text == "true"),
        PropType::I64 => Value::I64(text.parse().unwrap()),
        PropType::TIME => Value::Time(FileTime(parse_number(text))),
        PropType::GUID => Value::Guid(Guid::mapi(parse_number(text) as u32)),
        PropType::STRING8 => Value::String8(size.map_or_else(|| text.as_bytes().to_vec(), |size| Random::new(2).text(size).into_bytes())),
        PropType::UNICODE => Value::Unicode(size.map_or_else(|| text.to_owned(), |size| Random::new(2).text(size))),
        _ => Value::Binary(size.map_or_else(|| from_hex(text), |size| Random::new(3).bytes(size))),
    }
}

pub(super) fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// The property sets by the names that recipes use.
fn set_of(name: &str) -> Guid {
    match name {
        "public" => tags::PS_PUBLIC_STRINGS,
        "mapi" => tags::PS_MAPI,
        "headers" => tags::PS_INTERNET_HEADERS,
        "appointment" => tags::PSETID_APPOINTMENT,
        "task" => tags::PSETID_TASK,
        "address" => tags::PSETID_ADDRESS,
        "common" => tags::PSETID_COMMON,
        "log" => tags::PSETID_LOG,
        "note" => tags::PSETID_NOTE,
        "meeting" => tags::PSETID_MEETING,
        "rss" => tags::PSETID_POST_RSS,
        other => Guid::mapi(parse_number(other) as u32),
    }
}

/// A property of every type, single and several; each also empty and, where it can be, too large for a heap.
pub(super) fn all_types(props: &mut PropertyList) {
    let samples = ["", "-7", "-70000", "1.5", "-2.25", "123456789", "45292.5", "0x8004010f", "true", "-5000000000", "8-bit", "Wörter 🎉"];
    let samples = samples.iter().copied().chain(["0x1da3c9a8c6f8000", "0x20329", "00ff10"]);
    for (number, ((_, kind), text)) in (0_u16..).zip(KINDS.into_iter().zip(samples)) {
        // No store seen has a property without a value, and libpff refuses the item that has one.
        if kind == PropType::NULL {
            continue;
        }
        let value = value_of(kind, text, None);
        props.set_typed(PropertyKey::Id(0x6700 + number), kind, value.clone());
        let single_only = matches!(kind, PropType::ERROR | PropType::BOOL);
        if !single_only {
            let multi = PropType(kind.0 | PropType::MULTI);
            props.set_typed(PropertyKey::Id(0x6720 + number), multi, Value::Multi(vec![value.clone(), value.clone(), value]));
            props.set_typed(PropertyKey::Id(0x6740 + number), multi, Value::Multi(Vec::new()));
        }
        let large = matches!(kind, PropType::STRING8 | PropType::UNICODE | PropType::BINARY);
        if large {
            props.set_typed(PropertyKey::Id(0x6760 + number), kind, value_of(kind, "", Some(3580)));
            props.set_typed(PropertyKey::Id(0x6780 + number), kind, value_of(kind, "", Some(100_000)));
            props.set_typed(PropertyKey::Id(0x67a0 + number), kind, value_of(kind, "", None));
        }
    }
}
