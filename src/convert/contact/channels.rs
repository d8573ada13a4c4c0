//! The numbers and addresses of a contact, as tables of property and parameters ([MS-OXOCNTC] 2.2.1.3, 2.2.1.4).

use super::card::Card;
use crate::store::props::{Key, Props};
use crate::store::tags;

/// What a telephone number is for (RFC 6350 6.4.1). A kind that vCard has no word for has one of ours.
const PHONES: [(Key, &[&str]); 18] = [
    (tags::PRIMARY_TELEPHONE_NUMBER, &["voice"]),
    (tags::BUSINESS_TELEPHONE_NUMBER, &["work", "voice"]),
    (tags::BUSINESS2_TELEPHONE_NUMBER, &["work", "voice"]),
    (tags::HOME_TELEPHONE_NUMBER, &["home", "voice"]),
    (tags::HOME2_TELEPHONE_NUMBER, &["home", "voice"]),
    (tags::MOBILE_TELEPHONE_NUMBER, &["cell", "voice"]),
    (tags::CAR_TELEPHONE_NUMBER, &["voice", "x-car"]),
    (tags::RADIO_TELEPHONE_NUMBER, &["voice", "x-radio"]),
    (tags::COMPANY_MAIN_TELEPHONE_NUMBER, &["work", "voice", "x-company"]),
    (tags::ASSISTANT_TELEPHONE_NUMBER, &["work", "voice", "x-assistant"]),
    (tags::CALLBACK_TELEPHONE_NUMBER, &["voice", "x-callback"]),
    (tags::OTHER_TELEPHONE_NUMBER, &["voice"]),
    (tags::PAGER_TELEPHONE_NUMBER, &["pager"]),
    (tags::BUSINESS_FAX_NUMBER, &["work", "fax"]),
    (tags::HOME_FAX_NUMBER, &["home", "fax"]),
    (tags::PRIMARY_FAX_NUMBER, &["fax"]),
    (tags::TTY_TDD_NUMBER, &["textphone"]),
    (tags::ISDN_NUMBER, &["x-isdn"]),
];

/// Writes TEL and what is dialled but is no telephone.
pub(super) fn write_phones(card: &mut Card, props: &Props) {
    for (key, types) in PHONES {
        let property = card.typed("TEL", types, key == tags::PRIMARY_TELEPHONE_NUMBER);
        // The business number may hold several values, the second of them as an array ([MS-OXOCNTC] 2.2.1.4).
        for number in props.texts(key) {
            card.lines.some_text(&property, Some(&number));
        }
    }
    card.lines.some_text("X-TELEX", props.text(tags::TELEX_NUMBER).as_deref());
}

/// A postal address: its parts in the order of ADR (RFC 6350 6.3.1), office and apartment left out, and its text as a whole.
struct Address {
    types: &'static [&'static str],
    /// Post office box, street, city, state, postal code, country.
    parts: [Key; 6],
    whole: Key,
}

const ADDRESSES: [Address; 3] = [
    Address {
        types: &["work"],
        parts: [
            tags::LID_WORK_ADDRESS_POST_OFFICE_BOX,
            tags::LID_WORK_ADDRESS_STREET,
            tags::LID_WORK_ADDRESS_CITY,
            tags::LID_WORK_ADDRESS_STATE,
            tags::LID_WORK_ADDRESS_POSTAL_CODE,
            tags::LID_WORK_ADDRESS_COUNTRY,
        ],
        whole: tags::LID_WORK_ADDRESS,
    },
    Address {
        types: &["home"],
        parts: [
            tags::HOME_POST_OFFICE_BOX,
            tags::HOME_STREET,
            tags::HOME_CITY,
            tags::HOME_STATE,
            tags::HOME_POSTAL_CODE,
            tags::HOME_COUNTRY,
        ],
        whole: tags::LID_HOME_ADDRESS,
    },
    Address {
        types: &[],
        parts: [
            tags::OTHER_POST_OFFICE_BOX,
            tags::OTHER_STREET,
            tags::OTHER_CITY,
            tags::OTHER_STATE,
            tags::OTHER_POSTAL_CODE,
            tags::OTHER_COUNTRY,
        ],
        whole: tags::LID_OTHER_ADDRESS,
    },
];

/// The address that mail goes to: a copy of one of the three, or the only one that an old writer kept.
const MAILING: Address = Address {
    types: &[],
    parts: [tags::POST_OFFICE_BOX, tags::STREET_ADDRESS, tags::LOCALITY, tags::STATE_OR_PROVINCE, tags::POSTAL_CODE, tags::COUNTRY],
    whole: tags::POSTAL_ADDRESS,
};

/// Writes ADR.
pub(super) fn write_addresses(card: &mut Card, props: &Props) {
    let written: Vec<_> = ADDRESSES.iter().filter_map(|address| address.write(card, props, false)).collect();
    if MAILING.components(props).is_some_and(|components| !written.contains(&components)) {
        MAILING.write(card, props, true);
    }
}

impl Address {
    /// The seven components of ADR; `None` where all are empty.
    fn components(&self, props: &Props) -> Option<Vec<String>> {
        let [post_office_box, rest @ ..] = self.parts.map(|key| props.text(key).unwrap_or_default());
        let mut components = vec![post_office_box, String::new()];
        components.extend(rest);
        if components.iter().all(|component| component.trim().is_empty()) {
            // Only the text as a whole: its lines are a street that happens to end with a country.
            let whole = props.text(self.whole).filter(|whole| !whole.trim().is_empty())?;
            components = vec![String::new(); 7];
            components.get_mut(2)?.push_str(whole.trim());
        }
        Some(components)
    }

    fn write(&self, card: &mut Card, props: &Props, preferred: bool) -> Option<Vec<String>> {
        let components = self.components(props)?;
        card.lines.texts(&card.typed("ADR", self.types, preferred), ";", &components);
        Some(components)
    }
}

#[cfg(test)]
mod tests {
    use super::super::card::Version;
    use super::*;
    use crate::convert::lines::Lines;
    use crate::ltp::value::Value;

    fn testing() -> Card {
        Card { lines: Lines::default(), version: Version::V4 }
    }

    fn props(values: &[(Key, &str)]) -> Props {
        Props::from_values(values.iter().map(|(key, text)| (*key, Value::Unicode((*text).into()))))
    }

    #[test]
    fn an_address_has_seven_components() {
        let mut card = testing();
        write_addresses(&mut card, &props(&[(tags::HOME_STREET, "1 Rue A;\r\nB"), (tags::HOME_CITY, "Paris, 5e")]));
        assert_eq!(card.lines.finish(), "ADR;TYPE=home:;;1 Rue A\\;\\nB;Paris\\, 5e;;;\r\n");
    }

    #[test]
    fn the_mailing_address_is_written_only_where_it_is_another_one() {
        let written = |street: &str| {
            let mut card = testing();
            write_addresses(&mut card, &props(&[(tags::LID_WORK_ADDRESS_STREET, "X"), (tags::STREET_ADDRESS, street)]));
            card.lines.finish()
        };
        assert_eq!(written("X"), "ADR;TYPE=work:;;X;;;;\r\n");
        assert_eq!(written("Y"), "ADR;TYPE=work:;;X;;;;\r\nADR;PREF=1:;;Y;;;;\r\n");
    }
}
