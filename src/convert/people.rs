//! Who sent and who received a message ([MS-OXCMAIL] 2.1.2, 2.2.3).
//!
//! Exchange stores X.500 names where mail wants `user@domain`. They are resolved from what the item itself tells: other
//! properties, other rows, entry ids, search keys, transport headers.

use std::collections::HashMap;
use std::sync::Arc;

use super::address::{Address, NOWHERE, email, unquoted};
use super::header::clean;
use crate::ltp::value::utf16;
use crate::store::addresses::Addresses;
use crate::store::codepage;
use crate::store::item::Item;
use crate::store::props::{Key, Props};
use crate::store::tags;

/// The properties that tell one person, in the order of [MS-OXCMAIL].
struct Person {
    name: Key,
    kind: Key,
    address: Key,
    smtp: Key,
    entry_id: Key,
    search_key: Key,
}

const FROM: Person = Person {
    name: tags::SENT_REPRESENTING_NAME,
    kind: tags::SENT_REPRESENTING_ADDRESS_TYPE,
    address: tags::SENT_REPRESENTING_EMAIL_ADDRESS,
    smtp: tags::SENT_REPRESENTING_SMTP_ADDRESS,
    entry_id: tags::SENT_REPRESENTING_ENTRY_ID,
    search_key: tags::SENT_REPRESENTING_SEARCH_KEY,
};

const SENDER: Person = Person {
    name: tags::SENDER_NAME,
    kind: tags::SENDER_ADDRESS_TYPE,
    address: tags::SENDER_EMAIL_ADDRESS,
    smtp: tags::SENDER_SMTP_ADDRESS,
    entry_id: tags::SENDER_ENTRY_ID,
    search_key: tags::SENDER_SEARCH_KEY,
};

const RECIPIENT: Person = Person {
    name: tags::DISPLAY_NAME,
    kind: tags::ADDRESS_TYPE,
    address: tags::EMAIL_ADDRESS,
    smtp: tags::SMTP_ADDRESS,
    entry_id: tags::ENTRY_ID,
    search_key: tags::SEARCH_KEY,
};

/// Whom a receipt goes to, where it is not the sender ([MS-OXCMAIL] 2.6.1).
const READ_RECEIPT: Person = Person {
    name: tags::READ_RECEIPT_NAME,
    kind: tags::READ_RECEIPT_ADDRESS_TYPE,
    address: tags::READ_RECEIPT_EMAIL_ADDRESS,
    smtp: tags::READ_RECEIPT_SMTP_ADDRESS,
    entry_id: tags::READ_RECEIPT_ENTRY_ID,
    search_key: tags::READ_RECEIPT_SEARCH_KEY,
};

/// What an item tells about whose X.500 name is which mail address.
#[derive(Clone, Debug, Default)]
pub struct Resolver {
    by_x500: HashMap<String, String>,
    by_name: HashMap<String, String>,
    /// What the whole store tells, if the user asked for that.
    addresses: Arc<Addresses>,
}

impl Resolver {
    /// Collects from the item's properties, its recipients and the addresses of its transport header.
    pub fn new(item: &Item, transport: &[Address]) -> Self {
        let mut resolver = Self { addresses: Arc::clone(&item.addresses), ..Self::default() };
        resolver.learn(&item.props, &FROM);
        resolver.learn(&item.props, &SENDER);
        for row in &item.recipients {
            resolver.learn(row, &RECIPIENT);
        }
        for address in transport.iter().filter(|address| address.is_real() && !address.name.is_empty()) {
            resolver.by_name.entry(address.name.to_lowercase()).or_insert_with(|| address.email.clone());
        }
        resolver
    }

    fn learn(&mut self, props: &Props, person: &Person) {
        if let Some((x500, smtp)) = pair(props, person) {
            self.by_x500.entry(x500).or_insert(smtp);
        }
    }

    /// Whom the message is from.
    pub fn from(&self, props: &Props) -> Option<Address> {
        self.person(props, &FROM)
    }

    /// Who sent it for them.
    pub fn sender(&self, props: &Props) -> Option<Address> {
        self.person(props, &SENDER)
    }

    /// Whom a receipt shall reach.
    pub fn read_receipt(&self, props: &Props) -> Option<Address> {
        self.person(props, &READ_RECEIPT)
    }

    /// The person of a recipient row.
    pub fn recipient(&self, row: &Props) -> Option<Address> {
        let mut address = self.person(row, &RECIPIENT)?;
        if address.name.is_empty()
            && let Some(name) = row.text(tags::RECIPIENT_DISPLAY_NAME)
        {
            address = Address::new(&name, address.email);
        }
        Some(address)
    }

    fn person(&self, props: &Props, person: &Person) -> Option<Address> {
        let name = props.text(person.name).unwrap_or_default();
        let address = Address::new(&name, smtp(props, person).or_else(|| self.resolved(props, person, &name)).unwrap_or_default());
        (!address.name.is_empty() || !address.email.is_empty()).then_some(address)
    }

    /// The mailboxes in a list of entry ids ([MS-OXCDATA] 2.3.3): whom replies should reach. `names` is the list beside it.
    pub fn entry_list(&self, list: &[u8], names: &str, page: u16) -> Vec<Address> {
        let ids = entry_ids(list);
        let names: Vec<&str> = names.split(';').map(str::trim).collect();
        // A name may hold a semicolon: then the lists do not match, and no name is better than a wrong one.
        let name = |number: usize| names.get(number).filter(|_| names.len() == ids.len()).copied().unwrap_or_default();
        let address = |(number, id): (usize, &&[u8])| {
            if let Some((own, kind, address)) = one_off(id, page) {
                return Some(Address::new(&own, email(&kind, &address)));
            }
            let x500 = address_book(id, page)?;
            let known = self.known(&x500, name(number));
            Some(Address::new(name(number), known.unwrap_or_else(|| email("EX", &x500))))
        };
        ids.iter().enumerate().filter_map(address).collect()
    }

    /// Whose X.500 name this is, as far as the item or its store tells; `name` helps where the header names somebody so.
    fn known(&self, x500: &str, name: &str) -> Option<String> {
        let lower = x500.to_lowercase();
        let by_name = || self.by_name.get(&unquoted(&clean(name)).to_lowercase());
        self.by_x500.get(&lower).or_else(by_name).cloned().or_else(|| self.addresses.get(&lower).map(str::to_owned))
    }

    /// An address that the person's own properties do not tell as one of mail.
    fn resolved(&self, props: &Props, person: &Person, name: &str) -> Option<String> {
        let by_entry_id = || address_book(&props.bytes(person.entry_id)?, props.codepage());
        let Some(stored) = props.text(person.address).filter(|stored| !clean(stored).is_empty()).or_else(by_entry_id) else {
            return name.contains('@').then(|| email("SMTP", name)).filter(|email| !email.ends_with(NOWHERE));
        };
        let kind = props.text(person.kind).unwrap_or_default();
        Some(self.known(&stored, name).unwrap_or_else(|| email(if stored.starts_with('/') { "EX" } else { &kind }, &stored)))
    }
}

/// The X.500 names and mail addresses that an item tells of the same people.
pub fn pairs(item: &Item) -> impl Iterator<Item = (String, String)> {
    let own = [&FROM, &SENDER, &READ_RECEIPT].into_iter().filter_map(|person| pair(&item.props, person));
    own.chain(item.recipients.iter().filter_map(|row| pair(row, &RECIPIENT)))
}

/// The X.500 name of a person in lower case, and the mail address.
fn pair(props: &Props, person: &Person) -> Option<(String, String)> {
    let by_entry_id = || address_book(&props.bytes(person.entry_id)?, props.codepage());
    let x500 = props.text(person.address).filter(|stored| stored.starts_with('/')).or_else(by_entry_id)?;
    Some((x500.to_lowercase(), smtp(props, person)?))
}

/// The mail address that a person's own properties tell.
fn smtp(props: &Props, person: &Person) -> Option<String> {
    let kind = props.text(person.kind).unwrap_or_default();
    let told = |key: Key| props.text(key).map(|address| email("SMTP", &address));
    // Outlook.com has put a sender's mail address where the kind says that an X.500 name stands: a slash begins those.
    let is_x500 = || kind.eq_ignore_ascii_case("EX") && props.text(person.address).is_some_and(|stored| stored.starts_with('/'));
    let stored = || (!is_x500()).then(|| told(person.address)).flatten();
    let by_entry_id = || {
        let (_, kind, address) = one_off(&props.bytes(person.entry_id)?, props.codepage())?;
        kind.eq_ignore_ascii_case("SMTP").then(|| email("SMTP", &address))
    };
    let by_search_key = || {
        let key = props.bytes(person.search_key)?;
        let address = key.strip_prefix(b"SMTP:")?.strip_suffix(b"\0").or_else(|| key.strip_prefix(b"SMTP:"))?;
        Some(email("SMTP", &String::from_utf8_lossy(address).to_lowercase()))
    };
    let real = |email: &String| !email.is_empty() && !email.ends_with(NOWHERE);
    told(person.smtp)
        .filter(real)
        .or_else(|| stored().filter(real))
        .or_else(|| by_entry_id().filter(real))
        .or_else(|| by_search_key().filter(real))
}

/// The mail address in a one-off entry id ([MS-OXCDATA] 2.2.5.1): name, kind, address.
pub fn one_off(entry_id: &[u8], page: u16) -> Option<(String, String, String)> {
    const PROVIDER: [u8; 16] = [0x81, 0x2b, 0x1f, 0xa4, 0xbe, 0xa3, 0x10, 0x19, 0x9d, 0x6e, 0x00, 0xdd, 0x01, 0x0f, 0x54, 0x02];
    const UNICODE: u8 = 0x80;
    let (_flags, rest) = entry_id.split_at_checked(4)?;
    let (provider, rest) = rest.split_at_checked(16)?;
    let (&[_, _, _, high], rest) = rest.split_first_chunk::<4>()?;
    if provider != PROVIDER {
        return None;
    }
    let mut parts = if high & UNICODE == 0 {
        rest.split(|byte| *byte == 0).map(|part| codepage::decode(page, part)).collect::<Vec<_>>()
    } else {
        utf16(rest).split('\0').map(str::to_owned).collect()
    }
    .into_iter();
    Some((parts.next()?, parts.next()?, parts.next()?))
}

/// The X.500 name in an entry id of Exchange's address book ([MS-OXCDATA] 2.2.5.2).
fn address_book(entry_id: &[u8], page: u16) -> Option<String> {
    const PROVIDER: [u8; 16] = [0xdc, 0xa7, 0x40, 0xc8, 0xc0, 0x42, 0x10, 0x1a, 0xb4, 0xb9, 0x08, 0x00, 0x2b, 0x2f, 0xe1, 0x82];
    let (provider, rest) = entry_id.get(4..)?.split_at_checked(16)?;
    // Version and kind of object, four bytes each, stand before the name.
    let name = rest.get(8..)?.split(|byte| *byte == 0).next()?;
    let name = codepage::decode(page, name);
    (provider == PROVIDER && name.starts_with('/')).then_some(name)
}

/// The entry ids in a list of them ([MS-OXCDATA] 2.3.3).
fn entry_ids(list: &[u8]) -> Vec<&[u8]> {
    let mut ids = Vec::new();
    let mut rest = list.get(8..).unwrap_or_default();
    while let Some((size, tail)) = rest.split_first_chunk::<4>() {
        let size = usize::try_from(u32::from_le_bytes(*size)).unwrap_or(usize::MAX);
        let Some((id, tail)) = tail.split_at_checked(size) else { break };
        ids.push(id);
        let padding = size.next_multiple_of(4).saturating_sub(size);
        rest = tail.get(padding..).unwrap_or_default();
    }
    ids
}

/// The names in a list such as PidTagDisplayTo, for items whose recipients were not kept.
pub fn display_list(list: &str) -> Vec<Address> {
    list.split(';')
        .map(clean)
        .filter(|name| !name.is_empty())
        .map(|name| {
            let email = if name.contains('@') { email("SMTP", &name) } else { String::new() };
            Address::new(&name, if email.ends_with(NOWHERE) { String::new() } else { email })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::address::parse_list;
    use super::*;
    use crate::ltp::value::Value;

    fn props(values: &[(Key, &str)]) -> Props {
        Props::from_values(values.iter().map(|(key, text)| (*key, Value::Unicode((*text).to_owned()))))
    }

    #[test]
    fn an_x500_name_is_resolved_by_another_row() {
        let dn = "/O=ORG/CN=JDOE";
        let row = props(&[(tags::EMAIL_ADDRESS, dn), (tags::ADDRESS_TYPE, "EX"), (tags::SMTP_ADDRESS, "jdoe@x.org")]);
        let values = [(tags::SENDER_EMAIL_ADDRESS, "/o=Org/cn=jdoe"), (tags::SENDER_ADDRESS_TYPE, "EX"), (tags::SENDER_NAME, "J")];
        let item = Item { props: props(&values), recipients: vec![row], ..Item::default() };
        assert_eq!(Resolver::new(&item, &[]).sender(&item.props).unwrap().email, "jdoe@x.org");
    }

    #[test]
    fn an_x500_name_is_resolved_by_the_name_in_the_transport_header() {
        let values = [(tags::SENDER_EMAIL_ADDRESS, "/o=Org/cn=jdoe"), (tags::SENDER_ADDRESS_TYPE, "EX"), (tags::SENDER_NAME, "Jane Doe")];
        let item = Item { props: props(&values), ..Item::default() };
        let resolver = Resolver::new(&item, &parse_list("\"Jane Doe\" <jane@x.org>"));
        assert_eq!(resolver.sender(&item.props).unwrap().email, "jane@x.org");
    }

    #[test]
    fn a_one_off_entry_id_tells_the_address() {
        let mut id = vec![0; 4];
        id.extend([0x81, 0x2b, 0x1f, 0xa4, 0xbe, 0xa3, 0x10, 0x19, 0x9d, 0x6e, 0x00, 0xdd, 0x01, 0x0f, 0x54, 0x02, 0, 0, 1, 0]);
        id.extend(b"Jane\0SMTP\0jane@x.org\0");
        let item = Props::from_values([(tags::SENDER_NAME, Value::Unicode("Jane".into())), (tags::SENDER_ENTRY_ID, Value::Binary(id))]);
        assert_eq!(Resolver::default().sender(&item).unwrap(), Address { name: "Jane".into(), email: "jane@x.org".into() });
    }

    #[test]
    fn quotes_in_a_stored_name_are_not_part_of_it() {
        let row = props(&[(tags::DISPLAY_NAME, "'a@b.org'"), (tags::EMAIL_ADDRESS, "'a@b.org'")]);
        assert_eq!(Resolver::default().recipient(&row).unwrap(), Address { name: String::new(), email: "a@b.org".into() });
    }

    /// What Outlook.com leaves of a message that its owner sent: the kind says EX, and beside it stands an address of mail.
    #[test]
    fn an_address_of_mail_under_the_kind_of_an_x500_name_is_one() {
        let book = |x500: &[u8]| {
            let provider = [0xdc, 0xa7, 0x40, 0xc8, 0xc0, 0x42, 0x10, 0x1a, 0xb4, 0xb9, 0x08, 0x00, 0x2b, 0x2f, 0xe1, 0x82];
            Value::Binary([&[0; 4][..], &provider, &[1, 0, 0, 0, 0, 0, 0, 0], x500, b"\0"].concat())
        };
        let text = |text: &str| Value::Unicode(text.to_owned());
        let own = Props::from_values([
            (tags::SENT_REPRESENTING_NAME, text("Jane")),
            (tags::SENT_REPRESENTING_ENTRY_ID, book(b"/O=ORG/CN=JANE")),
            (tags::SENDER_ADDRESS_TYPE, text("EX")),
            (tags::SENDER_EMAIL_ADDRESS, text("jane@x.org")),
            (tags::SENDER_ENTRY_ID, book(b"/O=ORG/CN=JANE")),
        ]);
        let item = Item { props: own, ..Item::default() };
        let resolver = Resolver::new(&item, &[]);
        assert_eq!(resolver.from(&item.props), Some(Address::new("Jane", "jane@x.org".into())));
    }
}
