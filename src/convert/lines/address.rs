//! E-mail addresses as URIs.

use std::fmt::Write;

use crate::store::props::{Key, Props};

/// The first of these properties that holds an address of the Internet.
///
/// EX addresses (`/o=...`), fax numbers and the word `Unknown` that some writers put there have no `@` in the right place.
pub(in crate::convert) fn smtp(props: &Props, keys: &[Key]) -> Option<String> {
    keys.iter().filter_map(|key| props.text(*key)).map(|text| text.trim().to_owned()).find(|text| is_smtp(text))
}

fn is_smtp(text: &str) -> bool {
    let whole = !text.contains(|character: char| character.is_whitespace() || character.is_control());
    whole && !text.starts_with('/') && text.rsplit_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
}

/// A `mailto:` URI (RFC 6068).
pub(in crate::convert) fn mailto(address: &str) -> String {
    let mut uri = String::from("mailto:");
    for byte in address.bytes() {
        if byte.is_ascii_alphanumeric() || b"@.-_+!$'*=/~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_address_is_not_one_of_the_internet() {
        assert!(is_smtp("a.b@example.test"));
        for text in ["/o=Org/ou=a@b/cn=c", "Unknown", "@x", "x@", "+49 1@2 3", ""] {
            assert!(!is_smtp(text), "{text}");
        }
    }

    #[test]
    fn what_a_uri_cannot_hold_is_escaped() {
        assert_eq!(mailto("o'neil+x@example.test"), "mailto:o'neil+x@example.test");
        assert_eq!(mailto("\"a,b\"@é.test"), "mailto:%22a%2Cb%22@%C3%A9.test");
    }
}
