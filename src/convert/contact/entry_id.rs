//! Entry ids of the members of a distribution list.

use super::card::Card;
use crate::convert::lines::{mailto, quoted};
use crate::format::Format;
use crate::format::codec::{Cut, Decoder};
use crate::ltp::value::utf16;
use crate::store::codepage;

/// A member as an entry id tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) address: String,
}

/// The provider of one-off entry ids ([MS-OXCDATA] 2.2.5.1).
const ONE_OFF: [u8; 16] = [0x81, 0x2b, 0x1f, 0xa4, 0xbe, 0xa3, 0x10, 0x19, 0x9d, 0x6e, 0x00, 0xdd, 0x01, 0x0f, 0x54, 0x02];
/// The provider of ids that wrap another one ([MS-OXOCNTC] 2.2.2.2.4.1.1).
const WRAPPED: [u8; 16] = [0xc0, 0x91, 0xad, 0xd3, 0x51, 0x9d, 0xcf, 0x11, 0xa4, 0xa9, 0x00, 0xaa, 0x00, 0x47, 0xfa, 0xa4];
/// The provider of ids of Exchange's address book ([MS-OXCDATA] 2.2.5.2).
const ADDRESS_BOOK: [u8; 16] = [0xdc, 0xa7, 0x40, 0xc8, 0xc0, 0x42, 0x10, 0x1a, 0xb4, 0xb9, 0x08, 0x00, 0x2b, 0x2f, 0xe1, 0x82];
/// The bit of a one-off id's flags that says that its strings are Unicode.
const UNICODE: u16 = 0x8000;
/// The longest string of an 8-bit one-off id that is looked at.
const STRING_MAX: usize = 4096;

impl Member {
    /// Who an entry id names; `None` where it only refers to an item of the store, or is cut short.
    pub(super) fn decode(id: &[u8], page: u16) -> Option<Self> {
        let mut from = Decoder::new(Format::Unicode, id);
        let _flags: u32 = from.field().ok()?;
        let mut provider: [u8; 16] = from.field().ok()?;
        if provider == WRAPPED {
            // An id wraps another one once: what is wrapped twice is none.
            let _kind: u8 = from.field().ok()?;
            let _flags: u32 = from.field().ok()?;
            provider = from.field().ok()?;
        }
        match provider {
            ONE_OFF => Self::one_off(&mut from, page).ok(),
            ADDRESS_BOOK => Self::address_book(&mut from, page).ok(),
            _ => None,
        }
    }

    fn one_off(from: &mut Decoder<'_>, page: u16) -> Result<Self, Cut> {
        let _version: u16 = from.field()?;
        let flags: u16 = from.field()?;
        let mut text = || if flags & UNICODE == 0 { text8(from, page) } else { text16(from) };
        Ok(Self { name: text()?, kind: text()?, address: text()? })
    }

    fn address_book(from: &mut Decoder<'_>, page: u16) -> Result<Self, Cut> {
        let (_version, _kind): (u32, u32) = (from.field()?, from.field()?);
        Ok(Self { address: text8(from, page)?, kind: "EX".to_owned(), name: String::new() })
    }

    /// Whether the address works outside an organization.
    pub(super) fn is_internet(&self) -> bool {
        !self.kind.eq_ignore_ascii_case("EX") && self.address.contains('@')
    }

    /// Writes MEMBER (RFC 6350 6.6.5), the name as a parameter; one without an address is told by name alone.
    pub(super) fn write(&self, card: &mut Card) {
        let name = self.name.trim();
        let parameter = if name.is_empty() || name == self.address { String::new() } else { format!(";X-CN={}", quoted(name)) };
        if self.is_internet() {
            let property = card.name("MEMBER", "X-ADDRESSBOOKSERVER-MEMBER");
            card.lines.raw(&format!("{property}{parameter}"), &mailto(self.address.trim()));
        } else {
            card.lines.text(&format!("X-MEMBER{parameter}"), &self.address);
        }
    }
}

/// A string that ends with a zero of one byte.
fn text8(from: &mut Decoder<'_>, page: u16) -> Result<String, Cut> {
    let len = from.rest().iter().take(STRING_MAX).position(|byte| *byte == 0).unwrap_or(from.rest().len().min(STRING_MAX));
    let bytes = from.take(len)?;
    // The last string may end with the id.
    let _ = from.take(1);
    Ok(codepage::decode(page, bytes))
}

/// A string that ends with a zero of two bytes.
fn text16(from: &mut Decoder<'_>) -> Result<String, Cut> {
    let mut bytes = Vec::new();
    while let Ok(unit) = from.take(2) {
        if unit == [0, 0] {
            break;
        }
        bytes.extend_from_slice(unit);
    }
    Ok(utf16(&bytes))
}

#[cfg(test)]
pub(super) mod testing {
    //! Ids for tests.
    use super::*;

    pub(in crate::convert::contact) fn one_off(name: &str, kind: &str, address: &str) -> Vec<u8> {
        let strings = [name, kind, address].map(|text| format!("{text}\0").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
        [&[0; 4][..], &ONE_OFF, &[0, 0, 1, 0x80], &strings.concat()].concat()
    }

    pub(in crate::convert::contact) fn wrapped(kind: u8, id: &[u8]) -> Vec<u8> {
        [&[0; 4][..], &WRAPPED, &[kind], id].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, kind: &str, address: &str) -> Option<Member> {
        Some(Member { name: name.into(), kind: kind.into(), address: address.into() })
    }

    #[test]
    fn a_one_off_id_has_a_name_a_type_and_an_address() {
        let id = testing::one_off("Jäne", "SMTP", "j@x.test");
        assert_eq!(Member::decode(&id, 1252), member("Jäne", "SMTP", "j@x.test"));
        assert_eq!(Member::decode(&testing::wrapped(0, &id), 1252), member("Jäne", "SMTP", "j@x.test"));
        let narrow = [&[0; 4][..], &ONE_OFF, &[0, 0, 1, 0], b"J\xe4ne\0SMTP\0j@x.test\0"].concat();
        assert_eq!(Member::decode(&narrow, 1252), member("Jäne", "SMTP", "j@x.test"));
    }

    #[test]
    fn an_id_of_the_address_book_is_an_exchange_address() {
        let id = [&[0; 4][..], &ADDRESS_BOOK, &[1, 0, 0, 0, 0, 0, 0, 0], b"/o=A/cn=b\0"].concat();
        let found = Member::decode(&testing::wrapped(0xb5, &id), 1252).unwrap();
        assert_eq!((found.address.as_str(), found.is_internet()), ("/o=A/cn=b", false));
    }

    #[test]
    fn an_id_of_an_item_names_nobody_and_a_cut_does_not_panic() {
        let item = testing::wrapped(0xc3, &[7; 24]);
        assert_eq!(Member::decode(&item, 1252), None);
        let twice = testing::wrapped(0, &testing::wrapped(0, &testing::one_off("a", "SMTP", "a@b")));
        assert_eq!(Member::decode(&twice, 1252), None);
        let id = testing::one_off("a", "SMTP", "a@b");
        for len in 0..id.len() {
            let _ = Member::decode(&id[..len], 1252);
        }
    }
}
