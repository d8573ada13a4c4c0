//! A person's card ([MS-OXVCARD] 2.1.3, [MS-OXOCNTC] 2.2.1).

use jiff::civil::Date;

use super::card::{Card, Version};
use super::channels::{write_addresses, write_phones};
use super::shown_name;
use crate::convert::Given;
use crate::convert::lines::{Lines, basic_date, date_near, filename, quoted, utc};
use crate::store::item::{Attachment, Item};
use crate::store::props::{Key, Props};
use crate::store::tags;

/// Writes what is between the frame and the note.
pub(super) fn write(card: &mut Card, item: &Item, given: &Given<'_>) {
    let props = &item.props;
    write_names(card, item);
    write_emails(card, props);
    write_phones(card, props);
    write_addresses(card, props);
    write_work(&mut card.lines, props);
    write_web(&mut card.lines, props);
    write_dates(card, props);
    write_relations(card, props);
    write_others(&mut card.lines, props);
    write_photo(card, item, given);
}

fn write_names(card: &mut Card, item: &Item) {
    const PARTS: [Key; 5] = [tags::SURNAME, tags::GIVEN_NAME, tags::MIDDLE_NAME, tags::DISPLAY_NAME_PREFIX, tags::GENERATION];
    let props = &item.props;
    let shown = shown_name(item);
    card.lines.text("FN", &shown);
    let mut parts = PARTS.map(|key| props.text(key).unwrap_or_default());
    if card.version == Version::V3 && parts.iter().all(|part| part.trim().is_empty()) {
        // 3.0 wants a N, and programs that show nothing else are many.
        let [surname, ..] = &mut parts;
        *surname = shown;
    }
    let sounds = [tags::LID_YOMI_LAST_NAME, tags::LID_YOMI_FIRST_NAME].map(|key| props.text(key).unwrap_or_default());
    let name = if card.version == Version::V4 { format!("N{}", sort_as(&sounds)) } else { "N".to_owned() };
    card.lines.texts(&name, ";", &parts);
    if card.version == Version::V3 {
        card.lines.some_text("SORT-STRING", Some(sounds.join(" ").trim()));
    }
    card.lines.some_text("NICKNAME", props.text(tags::NICKNAME).as_deref());
    card.lines.some_text("X-PHONETIC-FIRST-NAME", props.text(tags::LID_YOMI_FIRST_NAME).as_deref());
    card.lines.some_text("X-PHONETIC-LAST-NAME", props.text(tags::LID_YOMI_LAST_NAME).as_deref());
    card.lines.some_text("X-PHONETIC-ORG", props.text(tags::LID_YOMI_COMPANY_NAME).as_deref());
    let gender = match props.int(tags::GENDER) {
        Some(1) => Some("F"),
        Some(2) => Some("M"),
        _ => None,
    };
    gender.into_iter().for_each(|gender| card.lines.raw(card.name("GENDER", "X-GENDER"), gender));
}

/// SORT-AS (RFC 6350 5.9): by which sounds a name in Chinese characters is put in order.
fn sort_as(sounds: &[String]) -> String {
    let clean: Vec<String> = sounds.iter().map(|sound| sound.trim().replace(',', " ")).filter(|sound| !sound.is_empty()).collect();
    if clean.is_empty() { String::new() } else { format!(";SORT-AS={}", quoted(&clean.join(","))) }
}

/// The e-mail addresses: type, address, and the address as typed, which is an Internet one where the address is of Exchange.
const EMAILS: [[Key; 4]; 3] = [
    [tags::LID_EMAIL1_ADDRESS_TYPE, tags::LID_EMAIL1_EMAIL_ADDRESS, tags::LID_EMAIL1_ORIGINAL_DISPLAY_NAME, tags::LID_EMAIL1_DISPLAY_NAME],
    [tags::LID_EMAIL2_ADDRESS_TYPE, tags::LID_EMAIL2_EMAIL_ADDRESS, tags::LID_EMAIL2_ORIGINAL_DISPLAY_NAME, tags::LID_EMAIL2_DISPLAY_NAME],
    [tags::LID_EMAIL3_ADDRESS_TYPE, tags::LID_EMAIL3_EMAIL_ADDRESS, tags::LID_EMAIL3_ORIGINAL_DISPLAY_NAME, tags::LID_EMAIL3_DISPLAY_NAME],
];

/// Addresses of Exchange mean nothing elsewhere; they are written only where there is nothing else.
fn write_emails(card: &mut Card, props: &Props) {
    let texts: Vec<[String; 4]> = EMAILS.iter().map(|keys| keys.map(|key| props.text(key).unwrap_or_default())).collect();
    let given = texts.iter().filter(|[_, address, ..]| !address.trim().is_empty());
    let mut best: Vec<&str> = given.clone().filter_map(usual_address).collect();
    if best.is_empty() {
        best.extend(given.map(|[_, address, ..]| address.trim()));
    }
    for (at, address) in best.into_iter().enumerate() {
        let types: &[&str] = if card.version == Version::V3 { &["internet"] } else { &[] };
        card.lines.text(&card.typed("EMAIL", types, at == 0), address);
    }
}

/// The address that works outside an organization. Outlook may put it last in a name: "Jane Doe (jane@example.com)".
fn usual_address([kind, address, typed, shown]: &[String; 4]) -> Option<&str> {
    if !is_exchange(kind, address) {
        return Some(address.trim());
    }
    [typed, shown].into_iter().find_map(|text| address_in(text))
}

/// The address of the Internet that a name holds, alone or in brackets at its end.
fn address_in(text: &str) -> Option<&str> {
    let last = text.trim().rsplit([' ', '(', '<']).next()?.trim_end_matches([')', '>']);
    last.split_once('@').filter(|(user, host)| !user.is_empty() && host.contains('.')).map(|_| last)
}

fn is_exchange(kind: &str, address: &str) -> bool {
    kind.eq_ignore_ascii_case("EX") || address.starts_with("/o=") || address.starts_with("/O=")
}

fn write_work(lines: &mut Lines, props: &Props) {
    let mut units: Vec<String> = vec![props.text(tags::COMPANY_NAME).unwrap_or_default()];
    units.extend(props.text(tags::DEPARTMENT_NAME).filter(|department| !department.is_empty()));
    lines.texts("ORG", ";", &units);
    lines.some_text("TITLE", props.text(tags::TITLE).as_deref());
    lines.some_text("ROLE", props.text(tags::PROFESSION).as_deref());
    lines.some_text("X-OFFICE", props.text(tags::OFFICE_LOCATION).as_deref());
}

fn write_web(lines: &mut Lines, props: &Props) {
    const PAGES: [(Key, &str); 4] = [
        (tags::BUSINESS_HOME_PAGE, "URL;TYPE=work"),
        (tags::PERSONAL_HOME_PAGE, "URL;TYPE=home"),
        (tags::LID_HTML, "URL"),
        (tags::FTP_SITE, "URL"),
    ];
    let mut seen = Vec::new();
    for (key, name) in PAGES {
        let page = props.text(key).map(|page| page.trim().to_owned()).filter(|page| !page.is_empty());
        // The web page that Outlook shows is a copy of the business one.
        if let Some(page) = page.filter(|page| !seen.contains(page)) {
            lines.raw(name, &web_uri(&page));
            seen.push(page);
        }
    }
    if let Some(busy) = props.text(tags::LID_FREE_BUSY_LOCATION).filter(|busy| !busy.trim().is_empty()) {
        lines.raw("FBURL", &web_uri(busy.trim()));
    }
    if let Some(address) = props.text(tags::LID_INSTANT_MESSAGING_ADDRESS).filter(|address| !address.trim().is_empty()) {
        lines.raw("IMPP", &messaging_uri(address.trim()));
    }
}

/// The field is free text: `www.example.com` is no URI, and programs refuse it or take it for a file beside the card.
fn web_uri(page: &str) -> String {
    let scheme = page.split_once(':').map(|(scheme, rest)| (scheme, rest.chars().next().is_some_and(|next| next.is_ascii_digit())));
    let is_uri = scheme.is_some_and(|(scheme, is_port)| !is_port && !scheme.is_empty() && !scheme.contains('.') && is_word(scheme));
    let page = page.replace(' ', "%20");
    if is_uri { page } else { format!("http://{page}") }
}

fn is_word(word: &str) -> bool {
    word.chars().all(|character| character.is_ascii_alphanumeric() || "+-.".contains(character))
}

/// The field is free text: `sip:a@b`, or `a@b` alone.
fn messaging_uri(address: &str) -> String {
    let has_scheme = address.split_once(':').is_some_and(|(scheme, _)| !scheme.is_empty() && is_word(scheme));
    if has_scheme { address.to_owned() } else { format!("im:{}", address.replace(' ', "%20")) }
}

/// Dates are days: 3.0 programs read them with dashes, and those of 4.0 without.
fn write_dates(card: &mut Card, props: &Props) {
    for (name, local, stored) in [
        ("BDAY", tags::LID_BIRTHDAY_LOCAL, tags::BIRTHDAY),
        (card.name("ANNIVERSARY", "X-ANNIVERSARY"), tags::LID_WEDDING_ANNIVERSARY_LOCAL, tags::WEDDING_ANNIVERSARY),
    ] {
        if let Some(date) = date(props, local, stored) {
            match card.version {
                Version::V4 => card.lines.raw(name, &basic_date(date)),
                Version::V3 => card.lines.raw(name, &date.to_string()),
            }
        }
    }
}

/// A date: as such where the store has it, else the midnight nearest to the time, which is a local midnight in UTC
/// ([MS-OXOCNTC] 2.2.1.5.1 and 2.2.1.5.2).
fn date(props: &Props, local: Key, stored: Key) -> Option<Date> {
    let as_date = props.time(local).and_then(utc).map(jiff::civil::DateTime::date);
    as_date.or_else(|| props.time(stored).and_then(utc).and_then(date_near))
}

fn write_relations(card: &mut Card, props: &Props) {
    const KINDS: [(&str, &str, Key); 3] = [
        ("spouse", "X-SPOUSE", tags::SPOUSE_NAME),
        ("agent", "X-ASSISTANT", tags::ASSISTANT),
        ("x-manager", "X-MANAGER", tags::MANAGER_NAME),
    ];
    for (kind, old, key) in KINDS {
        card.related(kind, old, props.text(key).as_deref());
    }
    for child in props.texts(tags::CHILDRENS_NAMES) {
        card.related("child", "X-CHILD", Some(&child));
    }
}

/// What has no property in any version, but in some programs or here.
fn write_others(lines: &mut Lines, props: &Props) {
    const NAMES: [(&str, Key); 12] = [
        ("X-HOBBIES", tags::HOBBIES),
        ("X-INITIALS", tags::INITIALS),
        ("X-ACCOUNT", tags::ACCOUNT),
        ("X-CUSTOMER-ID", tags::CUSTOMER_ID),
        ("X-GOVERNMENT-ID", tags::GOVERNMENT_ID_NUMBER),
        ("X-REFERRED-BY", tags::REFERRED_BY),
        ("X-COMPUTER-NETWORK-NAME", tags::COMPUTER_NETWORK_NAME),
        ("X-MS-OL-USER-1", tags::LID_CONTACT_USER_FIELD1),
        ("X-MS-OL-USER-2", tags::LID_CONTACT_USER_FIELD2),
        ("X-MS-OL-USER-3", tags::LID_CONTACT_USER_FIELD3),
        ("X-MS-OL-USER-4", tags::LID_CONTACT_USER_FIELD4),
        ("X-FILE-AS", tags::LID_FILE_UNDER),
    ];
    for (name, key) in NAMES {
        lines.some_text(name, props.text(key).as_deref());
    }
    let language = props.text(tags::LANGUAGE).unwrap_or_default();
    // LANG holds a tag such as `de-AT` (BCP 47); users type words.
    let is_tag = language.split('-').all(|part| (2..=8).contains(&part.len()) && part.chars().all(|it| it.is_ascii_alphanumeric()));
    let is_short = language.split('-').next().is_some_and(|part| part.len() <= 3);
    lines.some_text(if is_tag && is_short { "LANG" } else { "X-LANGUAGE" }, Some(&language));
}

/// PHOTO from the attachment that is marked as one ([MS-OXOCNTC] 2.2.1.8.3); other attachments are not part of a card.
fn write_photo(card: &mut Card, item: &Item, given: &Given<'_>) {
    let is_photo = |attachment: &&Attachment| attachment.props.flag(tags::ATTACHMENT_CONTACT_PHOTO) == Some(true);
    let bytes = item.attachments.iter().find(is_photo).and_then(|photo| Some((photo, given.content(photo)?)));
    if let Some((photo, bytes)) = bytes.filter(|(_, bytes)| !bytes.is_empty()) {
        card.bytes("PHOTO", image_type(&bytes), &bytes);
        tell_others(&mut card.lines, item, Some(photo));
    } else {
        tell_others(&mut card.lines, item, None);
    }
}

/// What the bytes say; Outlook names every photo `ContactPicture.jpg`.
fn image_type(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'B', b'M', ..] => "image/bmp",
        _ => "image/jpeg",
    }
}

/// A card holds no files: it tells that there are some.
fn tell_others(lines: &mut Lines, item: &Item, photo: Option<&Attachment>) {
    let is_photo = |attachment: &Attachment| photo.is_some_and(|photo| std::ptr::eq(photo, attachment));
    for attachment in item.attachments.iter().filter(|attachment| !is_photo(attachment)) {
        let name = filename(attachment).unwrap_or_else(|| "without a name".to_owned());
        lines.lacks(&format!("attachment {name}"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::render;
    use super::super::tests::item;
    use super::*;
    use crate::format::property::FileTime;
    use crate::ltp::value::Value;
    use crate::store::item::Content;

    fn text(value: &str) -> Value {
        Value::Unicode(value.into())
    }

    fn card(values: &[(Key, Value)]) -> String {
        render(&item("IPM.Contact", values), &Given::default()).unwrap().replace("\r\n ", "")
    }

    fn time(text: &str) -> Value {
        Value::Time(FileTime::from_unix(text.parse::<jiff::Timestamp>().unwrap().as_second()).unwrap())
    }

    #[test]
    fn a_name_has_five_parts() {
        let card = card(&[(tags::SURNAME, text("Doe;x")), (tags::GIVEN_NAME, text("Jane")), (tags::GENERATION, text("III"))]);
        assert!(card.contains("\r\nFN:Doe\\;x\r\nN:Doe\\;x;Jane;;;III\r\n"), "{card}");
    }

    #[test]
    fn an_exchange_address_is_the_last_choice() {
        let exchange = [(tags::LID_EMAIL1_ADDRESS_TYPE, text("EX")), (tags::LID_EMAIL1_EMAIL_ADDRESS, text("/o=A/cn=b"))];
        assert!(card(&exchange).contains("\r\nEMAIL;PREF=1:/o=A/cn=b\r\n"));
        let typed = [&exchange[..], &[(tags::LID_EMAIL1_ORIGINAL_DISPLAY_NAME, text("b@x.test"))]].concat();
        assert!(card(&typed).contains("\r\nEMAIL;PREF=1:b@x.test\r\n"));
        let both = [&exchange[..], &[(tags::LID_EMAIL2_EMAIL_ADDRESS, text("c@x.test"))]].concat();
        assert!(card(&both).contains("\r\nEMAIL;PREF=1:c@x.test\r\n") && !card(&both).contains("EMAIL:/o=A"));
    }

    #[test]
    fn a_birthday_is_the_day_that_was_typed() {
        assert!(card(&[(tags::BIRTHDAY, time("1999-12-31T15:00:00Z"))]).contains("\r\nBDAY:20000101\r\n"));
        assert!(card(&[(tags::BIRTHDAY, time("2000-01-01T08:00:00Z"))]).contains("\r\nBDAY:20000101\r\n"));
        let both = [(tags::BIRTHDAY, time("1999-12-31T15:00:00Z")), (tags::LID_BIRTHDAY_LOCAL, time("2000-01-01T00:00:00Z"))];
        assert!(card(&both).contains("\r\nBDAY:20000101\r\n"));
        assert!(!card(&[(tags::BIRTHDAY, Value::Time(FileTime(0x0cb3_4557_a3dd_4000)))]).contains("BDAY"));
    }

    #[test]
    fn the_photo_is_the_marked_attachment_and_others_are_told() {
        let attachment = |photo: bool, bytes: &[u8]| Attachment {
            props: Props::from_values([
                (tags::ATTACHMENT_CONTACT_PHOTO, Value::Bool(photo)),
                (tags::ATTACH_LONG_FILENAME, text("ContactPicture.jpg")),
            ]),
            content: Content::Bytes(bytes.to_vec()),
            ..Attachment::default()
        };
        let mut person = item("IPM.Contact", &[]);
        person.attachments = vec![attachment(false, b"x"), attachment(true, b"\x89PNG")];
        let card = render(&person, &Given::default()).unwrap();
        assert!(
            card.contains("\r\nPHOTO:data:image/png;base64,iVBORw==\r\nX-PSTFS-INCOMPLETE:attachment ContactPicture.jpg\r\n"),
            "{card}"
        );
    }

    #[test]
    fn an_address_in_a_name_is_found() {
        let values = [
            (tags::LID_EMAIL1_ADDRESS_TYPE, text("EX")),
            (tags::LID_EMAIL1_EMAIL_ADDRESS, text("/o=A/cn=b")),
            (tags::LID_EMAIL1_ORIGINAL_DISPLAY_NAME, text("b")),
            (tags::LID_EMAIL1_DISPLAY_NAME, text("Bob B (b@x.test)")),
        ];
        assert!(card(&values).contains("\r\nEMAIL;PREF=1:b@x.test\r\n"));
    }

    #[test]
    fn a_page_without_a_scheme_gets_one() {
        for (page, uri) in [
            ("www.example.com", "http://www.example.com"),
            ("example.com:8080/a b", "http://example.com:8080/a%20b"),
            ("https://example.com", "https://example.com"),
            ("localhost:80", "http://localhost:80"),
            ("mailto:a@b.test", "mailto:a@b.test"),
        ] {
            assert_eq!(web_uri(page), uri);
        }
    }

    #[test]
    fn what_has_no_property_of_its_own_is_kept() {
        let values = [
            (tags::MANAGER_NAME, text("Meg")),
            (tags::CHILDRENS_NAMES, Value::Multi(vec![text("Cy"), text("Di")])),
            (tags::LID_CONTACT_USER_FIELD2, text("x;y")),
            (tags::LANGUAGE, text("de-AT")),
            (tags::LID_YOMI_LAST_NAME, text("やまだ")),
            (tags::SURNAME, text("山田")),
        ];
        let card = card(&values);
        for line in [
            "RELATED;TYPE=x-manager;VALUE=text:Meg",
            "RELATED;TYPE=child;VALUE=text:Di",
            "X-MS-OL-USER-2:x\\;y",
            "LANG:de-AT",
            "N;SORT-AS=\"やまだ\":山田;;;;",
        ] {
            assert!(card.contains(&format!("\r\n{line}\r\n")), "{line} in {card}");
        }
    }

    #[test]
    fn a_card_of_3_0_has_the_properties_of_3_0() {
        let values = [
            (tags::DISPLAY_NAME, text("Jane Doe")),
            (tags::LID_EMAIL1_EMAIL_ADDRESS, text("j@x.test")),
            (tags::PRIMARY_TELEPHONE_NUMBER, text("1")),
            (tags::BIRTHDAY, time("1999-12-31T15:00:00Z")),
            (tags::WEDDING_ANNIVERSARY, time("2020-05-01T00:00:00Z")),
            (tags::SPOUSE_NAME, text("Jo")),
            (tags::GENDER, Value::I16(1)),
            (tags::SENSITIVITY, Value::I32(2)),
            (tags::LID_YOMI_LAST_NAME, text("do")),
        ];
        let card = super::super::render_as(&item("IPM.Contact", &values), &Given::default(), Version::V3).unwrap();
        let expected = "FN:Jane Doe\r\nN:Jane Doe;;;;\r\nSORT-STRING:do\r\nX-PHONETIC-LAST-NAME:do\r\nX-GENDER:F\r\n\
                        EMAIL;TYPE=INTERNET,PREF:j@x.test\r\nTEL;TYPE=VOICE,PREF:1\r\nBDAY:2000-01-01\r\nX-ANNIVERSARY:2020-05-01\r\n\
                        X-SPOUSE:Jo\r\nCLASS:PRIVATE\r\nEND:VCARD\r\n";
        assert!(card.ends_with(expected), "{card}");
    }

    #[test]
    fn a_messaging_address_becomes_a_uri() {
        assert_eq!(messaging_uri("sip:a@b.test"), "sip:a@b.test");
        assert_eq!(messaging_uri("a b@c.test"), "im:a%20b@c.test");
    }
}
