//! Contacts and distribution lists as vCard 4.0 (RFC 6350) or 3.0 (RFC 2426), after [MS-OXVCARD] and [MS-OXOCNTC].
//!
//! [`render`] frames what `person` and `list` write; `card` knows in what the versions differ. `channels` holds the tables of numbers and addresses; `entry_id`
//! reads the binary ids in which a distribution list keeps its members.

mod card;
mod channels;
mod entry_id;
mod list;
mod person;

use super::Given;
use super::lines::{unique_id, utc, zulu};
use crate::store::item::Item;
use crate::store::props::Key;
use crate::store::{search_key, tags};
use card::Card;
pub use card::Version;

/// The item as a vCard 4.0; `None` where its class has no such form.
pub fn render(item: &Item, given: &Given<'_>) -> Option<String> {
    render_as(item, given, Version::V4)
}

/// The item as a vCard of this version.
pub fn render_as(item: &Item, given: &Given<'_>, version: Version) -> Option<String> {
    let class = item.class().to_ascii_lowercase();
    let is = |prefix: &str| class.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let write = if is("ipm.contact") || is("ipm.abchperson") {
        person::write
    } else if is("ipm.distlist") {
        list::write
    } else {
        return None;
    };
    let mut card = Card::new(version);
    card.lines.raw("UID", &format!("urn:uuid:{}", unique_id(item, &[&shown_name(item), &search_key::own_creation_time(&item.props)])));
    write(&mut card, item, given);
    write_marks(&mut card, item, given);
    Some(card.finish())
}

/// Writes CATEGORIES, CLASS (3.0 only: 4.0 has no such property), NOTE and REV.
fn write_marks(card: &mut Card, item: &Item, given: &Given<'_>) {
    card.lines.texts("CATEGORIES", ",", &item.props.texts(tags::KEYWORDS));
    let class = match item.props.int(tags::SENSITIVITY) {
        Some(1 | 2) => Some("PRIVATE"),
        Some(3) => Some("CONFIDENTIAL"),
        _ => None,
    };
    card.lines.some_text(card.name("X-CLASS", "CLASS"), class);
    card.lines.some_text("NOTE", given.text(item).as_deref());
    if let Some(modified) = item.props.time(tags::LAST_MODIFICATION_TIME).and_then(utc) {
        card.lines.raw("REV", &zulu(modified));
    }
    card.lines.some_text("X-PSTFS-ORIGIN", item.origin.as_deref());
    card.lines.damage(item);
}

/// FN, which every card must have: the name as shown, else the next best thing by which one would find the contact.
pub fn shown_name(item: &Item) -> String {
    const NAMES: [Key; 7] = [
        tags::DISPLAY_NAME,
        tags::LID_DISTRIBUTION_LIST_NAME,
        tags::LID_FILE_UNDER,
        tags::SURNAME,
        tags::GIVEN_NAME,
        tags::COMPANY_NAME,
        tags::LID_EMAIL1_EMAIL_ADDRESS,
    ];
    let names = NAMES.into_iter().filter_map(|key| item.props.text(key)).chain(item.subject());
    names.map(|name| name.trim().to_owned()).find(|name| !name.is_empty()).unwrap_or_else(|| "no name".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ltp::value::Value;
    use crate::store::props::Props;

    pub(super) fn item(class: &str, values: &[(Key, Value)]) -> Item {
        let class = (tags::MESSAGE_CLASS, Value::Unicode(class.into()));
        Item { props: Props::from_values([class].into_iter().chain(values.iter().cloned())), ..Item::default() }
    }

    #[test]
    fn only_contacts_and_lists_are_cards() {
        for (class, is_card) in [("IPM.Contact", true), ("ipm.contact.x", true), ("IPM.AbchPerson", true), ("IPM.DistList", true)] {
            assert_eq!(render(&item(class, &[]), &Given::default()).is_some(), is_card, "{class}");
        }
        assert_eq!(render(&item("IPM.ContactX", &[]), &Given::default()), None);
        assert_eq!(render(&item("IPM.Note", &[]), &Given::default()), None);
    }

    #[test]
    fn an_empty_contact_still_has_a_name() {
        let text = render(&item("IPM.AbchPerson", &[]), &Given::default()).unwrap();
        assert!(text.contains("\r\nFN:no name\r\n"), "{text}");
    }

    #[test]
    fn the_same_contact_gives_the_same_card() {
        let one = || render(&item("IPM.Contact", &[(tags::SURNAME, Value::Unicode("Doe".into()))]), &Given::default());
        assert_eq!(one(), one());
    }
}
