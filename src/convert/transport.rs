//! The header that a message came with (PidTagTransportMessageHeaders), made fit to stand in a document.
//!
//! Its fields are kept in their order and with their lines. What describes the MIME structure goes, for the structure is
//! made anew ([MS-OXCMAIL] 2.1.3.6); so goes what we write ourselves. Lines that are no field are kept as
//! [`KEPT`]. Fields with 8-bit text or overlong lines are written anew.

use super::address::{self, Address};
use super::encode::{LINE_END, LINE_MAX};
use super::header::{self, Field, Fields, KEPT, clean, fits_line};

/// The longest transport header that is taken whole; real ones have a few kilobytes.
const HEADER_MAX: usize = 1 << 20;

/// The most fields that are taken; each one is compared with those before it.
const FIELDS_MAX: usize = 2000;

/// The most lines that are no field which are kept: something else than a header was stored then.
const KEPT_MAX: usize = 50;

/// The line that Exchange puts before the fields.
const BANNER: &str = "Microsoft Mail Internet Headers";

/// Fields of addresses.
const ADDRESSES: &[&str] =
    &["From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc", "Resent-Bcc"];

/// Fields that a header has once (RFC 5322 3.6). Of several the first stays, those of recipients are joined.
const ONCE: &[&str] = &["From", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To", "References"];

/// Fields of recipients.
pub const RECIPIENTS: &[&str] = &["To", "Cc", "Bcc"];

/// The fields of a transport header.
pub fn parse(text: &str) -> Fields {
    let mut fields = Fields::default();
    let mut kept = 0_usize;
    for line in logical_lines(text).into_iter().take(FIELDS_MAX) {
        match split(&line) {
            Some((name, _)) if is_ours(name) => {}
            Some((name, lines)) => add(&mut fields, name, &lines),
            None if line.iter().any(|line| line.starts_with(BANNER)) || kept >= KEPT_MAX => {}
            None => {
                kept = kept.saturating_add(1);
                fields.push(header::text(KEPT, &line.join(" ")));
            }
        }
    }
    fields
}

/// The lines of the header, each with those that continue it; the header ends at the first blank line after a field.
fn logical_lines(text: &str) -> Vec<Vec<&str>> {
    let mut lines: Vec<Vec<&str>> = Vec::new();
    let end = text.floor_char_boundary(HEADER_MAX);
    for line in text.get(..end).unwrap_or_default().split('\n') {
        let line = line.trim_end();
        match lines.last_mut() {
            None if line.is_empty() => {}
            Some(_) if line.is_empty() => break,
            Some(last) if line.starts_with([' ', '\t']) => last.push(line),
            _ => lines.push(vec![line]),
        }
    }
    lines
}

/// Name and value lines of a field; `None` where the lines are none.
fn split<'a>(lines: &[&'a str]) -> Option<(&'a str, Vec<&'a str>)> {
    let (first, more) = lines.split_first()?;
    let (name, value) = first.split_once(':')?;
    let name = name.trim_end();
    let fits = !name.is_empty() && name.len() < 100 && name.bytes().all(|byte| matches!(byte, b'!'..=b'~'));
    fits.then(|| (name, std::iter::once(value).chain(more.iter().copied()).collect()))
}

/// What a document's own header tells, and no stored one may.
pub(super) fn is_ours(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // What a message is about, such as rights: no part of the structure, though its name begins so.
    if name == "content-class" {
        return false;
    }
    ["content-", "x-pstfs-"].iter().any(|prefix| name.starts_with(prefix))
        || ["mime-version", "status", "x-status"].contains(&name.as_str())
}

fn add(fields: &mut Fields, name: &str, lines: &[&str]) {
    let field = sanitized(name, lines);
    let is = |names: &[&str]| names.iter().any(|once| name.eq_ignore_ascii_case(once));
    match fields.get(name) {
        Some(old) if is(RECIPIENTS) => {
            let joined = joined(old, &field);
            fields.set(joined);
        }
        Some(_) if is(ONCE) => fields.push(header::text(KEPT, &format!("{name}: {}", field.unfolded()))),
        _ => fields.push(field),
    }
}

/// A field of recipients with those of another one added.
pub fn joined(first: &Field, second: &Field) -> Field {
    if second.value.is_empty() {
        return first.clone();
    }
    let value = first.value.trim_end_matches([',', ' ', '\n']);
    if is_closed(value) {
        return Field { name: first.name.clone(), value: format!("{value},{LINE_END} {}", second.value) };
    }
    let all: Vec<_> = [first, second].into_iter().flat_map(|field| address::parse_list(&field.unfolded())).collect();
    address::field(&first.name, &all)
}

/// Whether another member may follow a list: no quote, comment, bracket or group is open at its end.
fn is_closed(value: &str) -> bool {
    !value.is_empty() && !value.contains(['\\', '(', ')']) && value.matches('"').count().is_multiple_of(2) && {
        let outside: String = value.split('"').enumerate().filter(|(part, _)| part.is_multiple_of(2)).map(|(_, part)| part).collect();
        outside.matches('<').count() == outside.matches('>').count() && outside.matches(':').count() == outside.matches(';').count()
    }
}

/// The field with its lines as they came, where they can stand in mail; else written anew.
fn sanitized(name: &str, lines: &[&str]) -> Field {
    let whole = clean(&lines.concat());
    let is_addresses = ADDRESSES.iter().any(|field| name.eq_ignore_ascii_case(field));
    let printable = |line: &&str| line.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    let fits = |line: &&str| fits_line(line) && line.len().saturating_add(name.len()) < LINE_MAX;
    if lines.iter().all(|line| printable(line) && fits(line)) && (!is_addresses || is_address_list(&whole)) {
        return as_it_came(name, lines);
    }
    if is_addresses {
        return address::field(name, &address::parse_list(&whole));
    }
    header::text(name, &whole)
}

fn as_it_came(name: &str, lines: &[&str]) -> Field {
    let mut value = String::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        match value.is_empty() {
            true => value.push_str(line.trim_start()),
            false => value.extend([LINE_END, line]),
        }
    }
    Field { name: name.to_owned(), value }
}

/// Whether every reader agrees on what the list says: Python's `email` raises on some that are not.
fn is_address_list(value: &str) -> bool {
    let list = address::parse_list(value);
    let stands = |address: &Address| address.is_real() && value.contains(&address.email);
    let is_empty_group = || value.strip_suffix(":;").is_some_and(|name| name.bytes().all(|byte| byte == b' ' || header::is_atom(byte)));
    if list.is_empty() { is_empty_group() } else { is_closed(value) && !value.contains(",,") && list.iter().all(stands) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_structure_goes_and_the_rest_stays_in_order() {
        let text = "Microsoft Mail Internet Headers Version 2.0\r\nReceived: from a\r\n\tby b\r\nMIME-Version: 1.0\r\n\
                    Content-Type: multipart/mixed;\r\n boundary=x\r\nX-Mailer: y\r\n\r\nContent-Type: text/plain\r\n";
        assert_eq!(parse(text).lines(), "Received: from a\n\tby b\nX-Mailer: y\n");
    }

    #[test]
    fn a_line_that_is_no_field_is_kept_under_another_name() {
        assert_eq!(
            parse("From jane Mon Jan 1 00:00:00 2001\nX: y\nrubble").lines(),
            format!("{KEPT}: From jane Mon Jan 1 00:00:00 2001\nX: y\n{KEPT}: rubble\n")
        );
    }

    #[test]
    fn addresses_that_readers_trip_over_are_written_anew() {
        for (came, wanted) in [("a@x.org (Al)", "Al <a@x.org>"), ("Jane <a@x.org", "Jane <a@x.org>"), ("Jane", "Jane:;")] {
            assert_eq!(parse(&format!("To: {came}\n")).lines(), format!("To: {wanted}\n"));
        }
        for kept in ["undisclosed-recipients:;", "\"Doe, J\" <a@x.org>, b@x.org"] {
            assert_eq!(parse(&format!("To: {kept}\n")).lines(), format!("To: {kept}\n"));
        }
    }

    #[test]
    fn eight_bit_text_becomes_encoded_words() {
        let lines = parse("From: J\u{f6}rg M <j@x.org>\nX-Note: gr\u{fc}n\n").lines();
        assert_eq!(lines, "From: =?utf-8?Q?J=C3=B6rg_M?= <j@x.org>\nX-Note: =?utf-8?Q?gr=C3=BCn?=\n");
    }

    #[test]
    fn a_field_that_stands_once_keeps_its_first_and_recipients_are_joined() {
        let lines = parse("Date: a\nTo: a@x.org\nDate: b\nTo: b@x.org\n").lines();
        assert_eq!(lines, format!("Date: a\nTo: a@x.org,\n b@x.org\n{KEPT}: Date: b\n"));
    }

    #[test]
    fn an_open_quote_swallows_no_recipient() {
        let first = Field { name: "To".into(), value: "\"Jane <a@x.org>".into() };
        let second = Field { name: "To".into(), value: "b@x.org".into() };
        assert!(joined(&first, &second).value.ends_with("b@x.org"));
    }

    #[test]
    fn a_stored_header_cannot_speak_for_us() {
        assert_eq!(parse("X-Pstfs-Incomplete: no\nStatus: RO\n").lines(), "");
    }

    proptest! {
        #[test]
        fn any_text_becomes_lines_that_mail_can_have(text in "([A-Za-z-]{0,9}:? ?[ -~\t\r\n\0äß\u{1}]{0,60}\n?){0,9}", long in 0..3000_usize) {
            let lines = parse(&format!("{text}\nX-Long: {}\n", "x".repeat(long))).lines();
            prop_assert!(lines.is_ascii());
            for line in lines.lines() {
                prop_assert!(line.len() <= 998 && !line.trim().is_empty() && !line.contains(['\r', '\0']));
                let field = line.split_once(':').is_some_and(|(name, _)| !name.is_empty() && !name.contains(' '));
                prop_assert!(line.starts_with([' ', '\t']) || field, "{line:?}");
            }
        }
    }
}
