//! The header of a message: the stored transport header, with what it lacks from the properties ([MS-OXCMAIL] 2.1.3.1).
//!
//! The properties win where the store's own tables show them: the subject, and the date if the header's is another one.
//! Recipients are those of the header and of the recipient table together, so that Bcc is there too.

use std::collections::HashSet;

use super::address::{self, Address, NOWHERE};
use super::encode::base64;
use super::header::{self, Fields, KEPT};
use super::marks;
use super::people::{self, Resolver};
use super::report;
use super::transport;
use crate::format::property::FileTime;
use crate::store::item::{Item, without_prefix_mark};
use crate::store::props::{Key, Props};
use crate::store::tags;

/// How far the header's date may be from the properties', in seconds: clocks of servers differ.
const DATE_SLACK_S: u64 = 120;

/// The header of an item, without MIME's own fields. `digest` names its content, `incomplete` says what of it is missing.
pub fn fields(item: &Item, digest: &str, incomplete: &[String]) -> Fields {
    let mut fields = transport::parse(&item.props.text(tags::TRANSPORT_MESSAGE_HEADERS).unwrap_or_default());
    add_date(&mut fields, &item.props);
    add_people(&mut fields, item);
    add_subject(&mut fields, item);
    add_ids(&mut fields, &item.props, digest);
    // A report answers the message that it is about.
    fields.add(header::tokens("In-Reply-To", report::original_id(item)));
    marks::add(&mut fields, &item.props);
    if !incomplete.is_empty() {
        fields.push(header::text("X-Pstfs-Incomplete", &incomplete.join("; ")));
    }
    if let Some(origin) = &item.origin {
        fields.push(header::text("X-Pstfs-Origin", origin));
    }
    fields
}

fn add_date(fields: &mut Fields, props: &Props) {
    let times: Vec<FileTime> =
        [tags::CLIENT_SUBMIT_TIME, tags::MESSAGE_DELIVERY_TIME].into_iter().filter_map(|key| props.time(key)).collect();
    let told = fields.get("Date").cloned();
    let told_time = told.as_ref().and_then(|date| header::parse_date(&date.unfolded()));
    let near = |time: &FileTime| time.unix().zip(told_time).is_some_and(|((stored, _), told)| stored.abs_diff(told) < DATE_SLACK_S);
    if told_time.is_some() && (times.is_empty() || times.iter().any(near)) {
        return;
    }
    match (times.into_iter().find_map(header::date), told) {
        (Some(date), _) => replace(fields, header::tokens("Date", [date])),
        (None, Some(told)) => {
            fields.remove("Date");
            fields.push(header::text(KEPT, &format!("Date: {}", told.unfolded())));
        }
        (None, None) => {}
    }
}

fn add_subject(fields: &mut Fields, item: &Item) {
    let whole = item.subject().or_else(|| {
        let normalized = item.props.text(tags::NORMALIZED_SUBJECT)?;
        Some(format!("{}{}", item.props.text(tags::SUBJECT_PREFIX).unwrap_or_default(), without_prefix_mark(normalized)))
    });
    let Some(subject) = whole else { return };
    let field = header::text("Subject", &subject);
    if field.value.is_empty() {
        fields.remove("Subject");
    }
    fields.set(field);
}

fn add_people(fields: &mut Fields, item: &Item) {
    let transport: Vec<Address> = ["From", "Sender", "To", "Cc", "Bcc"].into_iter().flat_map(|name| listed(fields, name)).collect();
    let resolver = Resolver::new(item, &transport);
    let (from, sender) = (resolver.from(&item.props), resolver.sender(&item.props));
    let author = from.clone().or_else(|| sender.clone());
    if let Some(author) = author.clone().filter(|_| !listed(fields, "From").iter().any(Address::is_real)) {
        replace(fields, address::field("From", &[address::as_mailbox(author)]));
    }
    let shown: Vec<Address> = ["From", "Sender"].into_iter().flat_map(|name| listed(fields, name)).collect();
    if let Some(sender) = sender.filter(|sender| sender.is_real() && !contains(&shown, sender)) {
        replace(fields, address::field("Sender", &[sender]));
    }
    add_recipients(fields, item, &resolver);
    add_reply_to(fields, item, author.as_ref(), &resolver);
    add_receipts(fields, item, &resolver);
}

/// Who wants to know of delivery and reading ([MS-OXCMAIL] 2.1.3.1.5, 2.1.3.1.6).
fn add_receipts(fields: &mut Fields, item: &Item, resolver: &Resolver) {
    let props = &item.props;
    let asked = |wanted: Key| props.flag(wanted) == Some(true);
    let (read, from, sender) = (resolver.read_receipt(props), resolver.from(props), resolver.sender(props));
    let first = |people: [&Option<Address>; 3]| people.into_iter().flatten().find(|person| person.is_real()).cloned();
    let on_reading = first([&read, &from, &sender]).filter(|_| asked(tags::READ_RECEIPT_REQUESTED));
    let on_delivery = first([&read, &sender, &from]).filter(|_| asked(tags::ORIGINATOR_DELIVERY_REPORT_REQUESTED));
    for (name, person) in [("Disposition-Notification-To", on_reading), ("Return-Receipt-To", on_delivery)] {
        fields.add(address::field(name, person.as_slice()));
    }
}

/// Puts a field in the place of the one that came with the message, which is kept under another name.
fn replace(fields: &mut Fields, field: header::Field) {
    let old = fields.get(&field.name).map(|old| header::text(KEPT, &format!("{}: {}", old.name, old.unfolded())));
    fields.set(field);
    old.into_iter().for_each(|old| fields.push(old));
}

fn listed(fields: &Fields, name: &str) -> Vec<Address> {
    fields.get(name).map(|field| address::parse_list(&field.unfolded())).unwrap_or_default()
}

fn contains(list: &[Address], address: &Address) -> bool {
    list.iter().any(|other| other.email.eq_ignore_ascii_case(&address.email))
}

/// Adds the recipients of the table that the header lacks.
fn add_recipients(fields: &mut Fields, item: &Item, resolver: &Resolver) {
    let email = |address: &Address| address.email.to_ascii_lowercase();
    let known: HashSet<String> =
        transport::RECIPIENTS.iter().flat_map(|name| listed(fields, name)).map(|address| email(&address)).collect();
    // A header that came with the message names all whom it was sent to; what the table calls otherwise is the same people.
    let told = !known.is_empty();
    for (name, addresses) in recipients(item, resolver) {
        let missing: Vec<Address> = addresses
            .into_iter()
            .filter(|address| if address.is_real() { !known.contains(&email(address)) } else { !told || name == "Bcc" })
            .collect();
        let added = address::field(name, &missing);
        if added.value.is_empty() {
            continue;
        }
        let joined = fields.get(name).map(|old| transport::joined(old, &added));
        fields.set(joined.unwrap_or(added));
    }
}

/// The recipients by field; from the lists of names where there is no table.
fn recipients(item: &Item, resolver: &Resolver) -> Vec<(&'static str, Vec<Address>)> {
    let mut lists: Vec<(&'static str, Vec<Address>)> = transport::RECIPIENTS.iter().map(|name| (*name, Vec::new())).collect();
    for row in &item.recipients {
        // The bits above the low four say how often it was tried to send ([MS-OXOMSG] 2.2.3.1.2).
        let number: usize = match row.int(tags::RECIPIENT_TYPE).unwrap_or(1) & 0xf {
            2 => 1,
            3 => 2,
            _ => 0,
        };
        if let (Some((_, list)), Some(address)) = (lists.get_mut(number), resolver.recipient(row)) {
            list.push(address);
        }
    }
    for ((_, list), names) in lists.iter_mut().zip([tags::DISPLAY_TO, tags::DISPLAY_CC, tags::DISPLAY_BCC]) {
        if item.recipients.is_empty() {
            *list = people::display_list(&item.props.text(names).unwrap_or_default());
        }
    }
    lists
}

fn add_reply_to(fields: &mut Fields, item: &Item, author: Option<&Address>, resolver: &Resolver) {
    let entries = item.props.bytes(tags::REPLY_RECIPIENT_ENTRIES).unwrap_or_default();
    let names = item.props.text(tags::REPLY_RECIPIENT_NAMES).unwrap_or_default();
    let mut list = resolver.entry_list(&entries, &names, item.props.codepage());
    if list.is_empty() {
        list = people::display_list(&names);
    }
    list.retain(|address| author.is_none_or(|author| !author.email.eq_ignore_ascii_case(&address.email)));
    let (real, others): (Vec<_>, Vec<_>) = list.into_iter().partition(Address::is_real);
    fields.add(address::field("Reply-To", &real));
    // A reply to an address that nothing resolves would come back: it is told, but not asked for.
    let lost = address::field("Reply-To", &others);
    if !lost.value.is_empty() {
        fields.push(header::text(KEPT, &format!("Reply-To: {}", lost.unfolded())));
    }
}

fn add_ids(fields: &mut Fields, props: &Props, digest: &str) {
    let stored = |key: Key| header::message_ids(&props.text(key).unwrap_or_default());
    let told = fields.get("Message-ID").map(|id| header::message_ids(&id.unfolded())).unwrap_or_default();
    let id = told.into_iter().chain(stored(tags::INTERNET_MESSAGE_ID)).next();
    fields.set(header::tokens("Message-ID", [id.unwrap_or_else(|| format!("<{digest}@{NOWHERE}>"))]));
    fields.add(header::tokens("In-Reply-To", stored(tags::IN_REPLY_TO_ID)));
    fields.add(header::tokens("References", stored(tags::INTERNET_REFERENCES)));
    fields.add(header::text("Thread-Topic", &props.text(tags::CONVERSATION_TOPIC).unwrap_or_default()));
    // Zeros are lost bytes: they would make one thread of all letters that lost theirs.
    let index = props.bytes(tags::CONVERSATION_INDEX).filter(|index| index.iter().any(|byte| *byte != 0)).unwrap_or_default();
    let index = base64(&index);
    fields.add(header::tokens("Thread-Index", pieces(&index)));
}

/// ASCII text in pieces that fit a line.
fn pieces(text: &str) -> Vec<String> {
    let (whole, rest) = text.as_bytes().as_chunks::<60>();
    whole
        .iter()
        .map(<[u8; 60]>::as_slice)
        .chain([rest])
        .map(|piece| String::from_utf8_lossy(piece).into_owned())
        .filter(|piece| !piece.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ltp::value::Value;

    fn text(key: Key, text: &str) -> (Key, Value) {
        (key, Value::Unicode(text.to_owned()))
    }

    fn recipient(kind: i32, name: &str, email: &str) -> Props {
        Props::from_values([(tags::RECIPIENT_TYPE, Value::I32(kind)), text(tags::DISPLAY_NAME, name), text(tags::EMAIL_ADDRESS, email)])
    }

    fn item(values: Vec<(Key, Value)>, recipients: Vec<Props>) -> Item {
        Item { props: Props::from_values(values), recipients, ..Item::default() }
    }

    fn lines(values: Vec<(Key, Value)>, recipients: Vec<Props>) -> String {
        fields(&item(values, recipients), "d1", &[]).lines()
    }

    const HEADER: Key = tags::TRANSPORT_MESSAGE_HEADERS;

    #[test]
    fn an_item_with_nothing_has_an_id() {
        assert_eq!(lines(vec![], vec![]), "Message-ID: <d1@pstfs.invalid>\nStatus: O\n");
    }

    #[test]
    fn the_subject_is_the_propertys() {
        let lines = lines(vec![text(HEADER, "Subject: old\nX: y\n"), text(tags::SUBJECT, "\u{1}\u{5}RE: new")], vec![]);
        assert!(lines.starts_with("Subject: RE: new\nX: y\n"), "{lines}");
    }

    #[test]
    fn a_header_date_stays_only_near_the_stored_time() {
        let time = (tags::CLIENT_SUBMIT_TIME, Value::Time(FileTime::from_unix(1_000_000_000).unwrap()));
        let near = lines(vec![text(HEADER, "Date: Sun, 09 Sep 2001 03:46:00 +0200\n"), time.clone()], vec![]);
        assert!(near.contains("Date: Sun, 09 Sep 2001 03:46:00 +0200\n"), "{near}");
        let far = lines(vec![text(HEADER, "Date: Sun, 09 Sep 2001 03:40:00 +0200\n"), time], vec![]);
        assert!(far.starts_with("Date: Sun, 09 Sep 2001 01:46:40 +0000\n"), "{far}");
    }

    #[test]
    fn every_recipient_of_the_table_is_in_the_header() {
        let table = vec![recipient(1, "A", "a@x.org"), recipient(0x1000_0001, "B", "'b@x.org'"), recipient(3, "C", "c@x.org")];
        let lines = lines(vec![text(HEADER, "To: \"A\" <A@x.org>\n")], table);
        assert!(lines.contains("To: \"A\" <A@x.org>,\n B <b@x.org>\n") && lines.contains("Bcc: C <c@x.org>\n"), "{lines}");
    }

    #[test]
    fn names_without_a_table_are_shown_as_groups() {
        let lines = lines(vec![text(tags::DISPLAY_TO, "Jane Doe; Roe, Rick; x@y.org")], vec![]);
        assert!(lines.contains("To: Jane Doe:;, \"Roe, Rick\":;, x@y.org\n"), "{lines}");
    }

    #[test]
    fn the_sender_is_told_where_another_one_sent_it() {
        let from = [text(tags::SENT_REPRESENTING_NAME, "Boss"), text(tags::SENT_REPRESENTING_EMAIL_ADDRESS, "boss@x.org")];
        let sender = |email: &str| [text(tags::SENDER_NAME, "Me"), text(tags::SENDER_EMAIL_ADDRESS, email)];
        let two = lines([from.clone(), sender("me@x.org")].concat(), vec![]);
        assert!(two.contains("From: Boss <boss@x.org>\nSender: Me <me@x.org>\n"), "{two}");
        assert!(!lines([from, sender("BOSS@x.org")].concat(), vec![]).contains("Sender:"));
    }

    #[test]
    fn a_sender_without_an_address_is_still_named() {
        let lines = lines(vec![text(tags::SENDER_NAME, "Jane Doe")], vec![]);
        assert!(lines.contains("From: Jane Doe <IMCEAUNKNOWN-Jane+20Doe@pstfs.invalid>\n"), "{lines}");
    }

    #[test]
    fn an_unusable_message_id_is_replaced() {
        let lines = lines(vec![text(HEADER, "Message-ID: two words\n"), text(tags::INTERNET_MESSAGE_ID, "<a@b>")], vec![]);
        assert_eq!(lines, "Message-ID: <a@b>\nStatus: O\n");
    }

    #[test]
    fn letters_that_lost_their_thread_are_not_one_thread() {
        let thread = |index: &[u8]| lines(vec![(tags::CONVERSATION_INDEX, Value::Binary(index.to_vec()))], vec![]);
        assert!(thread(&[1, 0, 0]).contains("Thread-Index: AQAA\n"));
        assert!(!thread(&[0; 22]).contains("Thread-Index"));
    }
}
