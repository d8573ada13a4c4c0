//! Recipients: their table, and what messages tell of them in words ([MS-PST] 2.4.5.3).

use std::collections::BTreeMap;

use super::bag::Bag;
use super::table;
use crate::damage::Result;
use crate::format::property::PropType;
use crate::ltp::value::Value;
use crate::ndb::Ndb;
use crate::store::item::NodeRef;
use crate::store::props::Key;
use crate::store::recipients::{LISTS, TYPE_BITS, plain};
use crate::store::write::rows::Rows;
use crate::store::write::templates::RECIPIENTS;
use crate::store::write::{Cells, id_of, own_value};
use crate::store::{codepage, tags};

/// To whom: to, cc, bcc.
const TO: i32 = 1;
/// The headers that hold the names of [`LISTS`] too.
const HEADERS: [&str; 3] = ["to", "cc", "bcc"];
/// The most recipients that are taken from a header.
const RECIPIENTS_MAX: usize = 10_000;

/// Someone as headers and lists of names tell of him.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Person {
    kind: i32,
    name: String,
    address: Option<String>,
}

/// The table, mended; made from headers and names where it cannot be read. Whether part of it may be wrong
/// is told by `doubted`.
pub(super) fn mended(ndb: &Ndb, node: NodeRef, bag: &mut Bag, doubted: bool) -> Result<Rows> {
    let found = table::read(ndb, node, &RECIPIENTS, &|_| Ok(true))?;
    let mut rows = found.rows;
    if doubted {
        rows.rows.values_mut().for_each(forget_empty);
    }
    rows.rows.retain(|_, cells| !cells.is_empty());
    let own: Vec<_> = rows.shape.columns.iter().map(|column| (column.id, column.kind)).collect();
    if [tags::RECIPIENT_TYPE, tags::DISPLAY_NAME].into_iter().any(|key| !own.iter().any(|(id, _)| *id == id_of(key))) {
        rows.shape = RECIPIENTS.shape(ndb.format()).extended(&own);
    }
    if found.lost > 0 {
        bag.lost.push(format!("{} recipients", found.lost));
    }
    if !found.opened || (rows.rows.is_empty() && found.lost > 0) {
        bag.lost.push("the list of recipients: it was made anew from headers and names".into());
        rows.rows = told(ndb, bag);
    }
    rows.rows.values_mut().for_each(|cells| mend(ndb, cells));
    Ok(rows)
}

/// Whether a message's lists of names tell of recipients.
pub(super) fn are_named(bag: &Bag) -> bool {
    LISTS.iter().any(|key| bag.text(*key).is_some_and(|names| names.chars().any(char::is_alphanumeric)))
}

/// A table of whom the message's headers and names tell.
pub(super) fn made(ndb: &Ndb, bag: &Bag) -> Rows {
    Rows { shape: RECIPIENTS.shape(ndb.format()), rows: told(ndb, bag) }
}

/// Zeros in the place of a reference read as an empty text: where part of a table may be lost, such a text says nothing.
fn forget_empty(cells: &mut Cells) {
    cells.retain(|_, value| match value {
        Value::Unicode(text) => !text.is_empty(),
        Value::String8(text) => !text.is_empty(),
        _ => true,
    });
}

/// A row that tells to whom, and a name.
fn mend(ndb: &Ndb, cells: &mut Cells) {
    let kind = match cells.get(&id_of(tags::RECIPIENT_TYPE)) {
        Some(Value::I32(kind)) => *kind,
        _ => TO,
    };
    if !(0..=3).contains(&(kind & TYPE_BITS)) {
        cells.insert(id_of(tags::RECIPIENT_TYPE), Value::I32((kind & !TYPE_BITS) | TO));
    }
    cells.entry(id_of(tags::RECIPIENT_TYPE)).or_insert(Value::I32(kind));
    if words(cells, tags::DISPLAY_NAME).is_none() && words(cells, tags::EMAIL_ADDRESS).is_none() {
        let known = [tags::RECIPIENT_DISPLAY_NAME, tags::SMTP_ADDRESS].into_iter().find_map(|key| words(cells, key).cloned());
        cells.insert(id_of(tags::DISPLAY_NAME), known.unwrap_or_else(|| text(ndb, "Unknown")));
    }
}

/// What a cell says in words: in a column whose type is damaged it says something else.
fn words(cells: &Cells, key: Key) -> Option<&Value> {
    cells.get(&id_of(key)).filter(|value| matches!(value, Value::Unicode(_) | Value::String8(_)))
}

fn text(ndb: &Ndb, text: &str) -> Value {
    own_value(ndb.format(), codepage::WINDOWS_1252, PropType::UNICODE, &Value::Unicode(text.to_owned())).1
}

/// Rows for whom the headers name, else for whom the lists of names do.
fn told(ndb: &Ndb, bag: &Bag) -> BTreeMap<u32, Cells> {
    let headers = bag.text(tags::TRANSPORT_MESSAGE_HEADERS).unwrap_or_default();
    let mut people = Vec::new();
    for (kind, (key, header)) in (TO..).zip(LISTS.into_iter().zip(HEADERS)) {
        let of_header = people_of(kind, &headers, header);
        let names = bag.text(key).unwrap_or_default();
        let of_names = names.split(';').map(str::trim).filter(|name| !name.is_empty());
        let of_names: Vec<Person> = of_names.map(|name| Person { kind, name: name.to_owned(), address: None }).collect();
        people.extend(if of_header.is_empty() { of_names } else { with_names(of_header, &of_names) });
    }
    let row = |person: Person| {
        let mut cells = Cells::from([(id_of(tags::RECIPIENT_TYPE), Value::I32(person.kind))]);
        cells.insert(id_of(tags::DISPLAY_NAME), text(ndb, &person.name));
        if let Some(address) = person.address {
            cells.insert(id_of(tags::ADDRESS_TYPE), text(ndb, "SMTP"));
            cells.insert(id_of(tags::EMAIL_ADDRESS), text(ndb, &address));
        }
        cells
    };
    (1_u32..).zip(people.into_iter().take(RECIPIENTS_MAX).map(row)).collect()
}

/// Those of a header, called as in the list of names where the header encodes what they are called (RFC 2047).
fn with_names(mut of_header: Vec<Person>, of_names: &[Person]) -> Vec<Person> {
    if of_header.len() == of_names.len() {
        let encoded = of_header.iter_mut().zip(of_names).filter(|(person, _)| person.name.starts_with("=?"));
        encoded.for_each(|(person, named)| person.name.clone_from(&named.name));
    }
    of_header
}

/// Whom a header names.
fn people_of(kind: i32, headers: &str, name: &str) -> Vec<Person> {
    let unfolded = headers.replace("\r\n", "\n").replace("\n\t", " ").replace("\n ", " ");
    let line = unfolded.lines().take_while(|line| !line.is_empty()).find_map(|line| {
        let (told, value) = line.split_once(':')?;
        told.trim().eq_ignore_ascii_case(name).then(|| value.to_owned())
    });
    entries(&line.unwrap_or_default()).into_iter().map(|entry| person(kind, &entry)).collect()
}

/// The parts of a list, which commas divide, but for those in quotes.
fn entries(list: &str) -> Vec<String> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    for char in list.chars() {
        quoted ^= char == '"';
        if char == ',' && !quoted {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(char);
        }
    }
    parts.push(part);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn person(kind: i32, entry: &str) -> Person {
    let plain = |name: &str| name.trim().trim_matches('"').to_owned();
    match entry.rsplit_once('<').and_then(|(name, rest)| Some((name, rest.split_once('>')?.0))) {
        Some((name, address)) if name.trim().is_empty() => Person { kind, name: plain(address), address: Some(plain(address)) },
        Some((name, address)) => Person { kind, name: plain(name), address: Some(plain(address)) },
        None => Person { kind, name: plain(entry), address: Some(plain(entry)).filter(|entry| entry.contains('@')) },
    }
}

/// Makes a message's lists of names those of its recipients.
pub(super) fn name(ndb: &Ndb, bag: &mut Bag, rows: &Rows) {
    if rows.rows.is_empty() {
        return;
    }
    for (kind, key) in (TO..).zip(LISTS) {
        let listed: Vec<String> =
            rows.rows.values().filter(|cells| kind_of(cells) == kind).filter_map(|cells| name_of(bag, cells)).collect();
        let (listed, told) = (listed.join("; "), bag.text(key));
        if told.as_deref().map(plain) != Some(plain(&listed)) && (told.is_some() || !listed.is_empty()) && bag.stored(id_of(key)).is_none()
        {
            bag.put_text(ndb, key, &listed);
        }
    }
}

fn kind_of(cells: &Cells) -> i32 {
    match cells.get(&id_of(tags::RECIPIENT_TYPE)) {
        Some(Value::I32(kind)) => kind & TYPE_BITS,
        _ => 0,
    }
}

fn name_of(bag: &Bag, cells: &Cells) -> Option<String> {
    match cells.get(&id_of(tags::DISPLAY_NAME))? {
        Value::Unicode(text) => Some(text.clone()),
        Value::String8(bytes) => Some(codepage::decode(bag.codepage(), bytes)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_tells_names_and_addresses() {
        let headers = "From: x@example.com\r\nTo: \"Doe, Jane\" <jane@example.com>,\r\n\tbob@example.com\r\n\r\nTo: nobody";
        let person = |name: &str, address: &str| Person { kind: 1, name: name.into(), address: Some(address.into()) };
        assert_eq!(people_of(1, headers, "to"), [person("Doe, Jane", "jane@example.com"), person("bob@example.com", "bob@example.com")]);
        assert_eq!(people_of(2, headers, "cc"), []);
    }

    /// A row whose first half was lost named nobody, with an empty address: outlook-pst gave up the folder.
    #[test]
    fn an_empty_text_of_a_damaged_table_is_none() {
        let text = |text: &str| Value::Unicode(text.into());
        let mut cells = Cells::from([(0x3001, text("")), (0x3003, text("")), (0x3a20, text("Bob")), (0x0c15, Value::I32(1))]);
        cells.insert(0x3002, Value::String8(Vec::new()));
        forget_empty(&mut cells);
        assert_eq!(cells, Cells::from([(0x3a20, text("Bob")), (0x0c15, Value::I32(1))]));
    }

    /// A table made anew called a recipient by what stood in the header, letter for letter.
    #[test]
    fn an_encoded_name_in_a_header_is_that_of_the_list_of_names() {
        let of_header = people_of(1, "To: =?utf-8?b?w4RubmU=?= <a@example.com>, Bob <b@example.com>", "to");
        let listed = |name: &str| Person { kind: 1, name: name.into(), address: None };
        let names = |people: &[Person]| people.iter().map(|person| person.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&with_names(of_header.clone(), &[listed("Änne"), listed("Robert")])), ["Änne", "Bob"]);
        assert_eq!(names(&with_names(of_header.clone(), &[listed("Änne")])), names(&of_header), "nobody knows which of them it is");
    }
}
