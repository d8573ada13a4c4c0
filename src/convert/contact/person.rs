//! A person's card ([MS-OXVCARD] 2.1.3, [MS-OXOCNTC] 2.2.1).

use jiff::civil::Date;

use super::channels::{write_addresses, write_phones};
use super::shown_name;
use crate::convert::Given;
use crate::convert::lines::{Lines, base64, basic_date, date_near, filename, utc};
use crate::store::item::{Attachment, Item};
use crate::store::props::{Key, Props};
use crate::store::tags;

/// Writes what is between the frame and the note.
pub(super) fn write(lines: &mut Lines, item: &Item, given: &Given<'_>) {
    let props = &item.props;
    write_names(lines, item);
    write_emails(lines, props);
    write_phones(lines, props);
    write_addresses(lines, props);
    write_work(lines, props);
    write_web(lines, props);
    write_dates(lines, props);
    write_relations(lines, props);
    write_photo(lines, item, given);
}

fn write_names(lines: &mut Lines, item: &Item) {
    const PARTS: [Key; 5] = [tags::SURNAME, tags::GIVEN_NAME, tags::MIDDLE_NAME, tags::DISPLAY_NAME_PREFIX, tags::GENERATION];
    let props = &item.props;
    lines.text("FN", &shown_name(item));
    lines.texts("N", ";", &PARTS.map(|key| props.text(key).unwrap_or_default()));
    lines.some_text("NICKNAME", props.text(tags::NICKNAME).as_deref());
    lines.some_text("X-PHONETIC-FIRST-NAME", props.text(tags::LID_YOMI_FIRST_NAME).as_deref());
    lines.some_text("X-PHONETIC-LAST-NAME", props.text(tags::LID_YOMI_LAST_NAME).as_deref());
    lines.some_text("X-PHONETIC-ORG", props.text(tags::LID_YOMI_COMPANY_NAME).as_deref());
    let gender = match props.int(tags::GENDER) {
        Some(1) => Some("F"),
        Some(2) => Some("M"),
        _ => None,
    };
    gender.into_iter().for_each(|gender| lines.raw("GENDER", gender));
}

/// The e-mail addresses: type, address, and the address as typed, which is an Internet one where the address is of Exchange.
const EMAILS: [[Key; 3]; 3] = [
    [tags::LID_EMAIL1_ADDRESS_TYPE, tags::LID_EMAIL1_EMAIL_ADDRESS, tags::LID_EMAIL1_ORIGINAL_DISPLAY_NAME],
    [tags::LID_EMAIL2_ADDRESS_TYPE, tags::LID_EMAIL2_EMAIL_ADDRESS, tags::LID_EMAIL2_ORIGINAL_DISPLAY_NAME],
    [tags::LID_EMAIL3_ADDRESS_TYPE, tags::LID_EMAIL3_EMAIL_ADDRESS, tags::LID_EMAIL3_ORIGINAL_DISPLAY_NAME],
];

/// Addresses of Exchange mean nothing elsewhere; they are written only where there is nothing else.
fn write_emails(lines: &mut Lines, props: &Props) {
    let texts: Vec<[String; 3]> = EMAILS.iter().map(|keys| keys.map(|key| props.text(key).unwrap_or_default())).collect();
    let (foreign, usual): (Vec<_>, Vec<_>) =
        texts.iter().filter(|[_, address, _]| !address.trim().is_empty()).partition(|[kind, address, _]| is_exchange(kind, address));
    let typed = foreign.iter().map(|[_, _, typed]| typed.trim()).filter(|typed| typed.contains('@') && !typed.contains(' '));
    let mut best: Vec<&str> = usual.iter().map(|[_, address, _]| address.trim()).chain(typed).collect();
    if best.is_empty() {
        best.extend(foreign.iter().map(|[_, address, _]| address.trim()));
    }
    for (at, address) in best.into_iter().enumerate() {
        lines.text(if at == 0 { "EMAIL;PREF=1" } else { "EMAIL" }, address);
    }
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
            lines.raw(name, &page);
            seen.push(page);
        }
    }
    if let Some(busy) = props.text(tags::LID_FREE_BUSY_LOCATION).filter(|busy| !busy.trim().is_empty()) {
        lines.raw("FBURL", busy.trim());
    }
    if let Some(address) = props.text(tags::LID_INSTANT_MESSAGING_ADDRESS).filter(|address| !address.trim().is_empty()) {
        lines.raw("IMPP", &messaging_uri(address.trim()));
    }
}

/// The field is free text: `sip:a@b`, or `a@b` alone.
fn messaging_uri(address: &str) -> String {
    let is_word = |word: &str| word.chars().all(|character| character.is_ascii_alphanumeric() || "+-.".contains(character));
    let has_scheme = address.split_once(':').is_some_and(|(scheme, _)| !scheme.is_empty() && is_word(scheme));
    if has_scheme { address.to_owned() } else { format!("im:{}", address.replace(' ', "%20")) }
}

fn write_dates(lines: &mut Lines, props: &Props) {
    for (name, local, stored) in [
        ("BDAY", tags::LID_BIRTHDAY_LOCAL, tags::BIRTHDAY),
        ("ANNIVERSARY", tags::LID_WEDDING_ANNIVERSARY_LOCAL, tags::WEDDING_ANNIVERSARY),
    ] {
        if let Some(date) = date(props, local, stored) {
            lines.raw(name, &basic_date(date));
        }
    }
}

/// A date: as such where the store has it, else the midnight nearest to the time, which is a local midnight in UTC
/// ([MS-OXOCNTC] 2.2.1.5.1 and 2.2.1.5.2).
fn date(props: &Props, local: Key, stored: Key) -> Option<Date> {
    let as_date = props.time(local).and_then(utc).map(jiff::civil::DateTime::date);
    as_date.or_else(|| props.time(stored).and_then(utc).and_then(date_near))
}

fn write_relations(lines: &mut Lines, props: &Props) {
    for (kind, key) in [("spouse", tags::SPOUSE_NAME), ("agent", tags::ASSISTANT)] {
        lines.some_text(&format!("RELATED;TYPE={kind};VALUE=text"), props.text(key).as_deref());
    }
    for child in props.texts(tags::CHILDRENS_NAMES) {
        lines.some_text("RELATED;TYPE=child;VALUE=text", Some(&child));
    }
    lines.some_text("X-MANAGER", props.text(tags::MANAGER_NAME).as_deref());
    lines.some_text("X-HOBBIES", props.text(tags::HOBBIES).as_deref());
}

/// PHOTO from the attachment that is marked as one ([MS-OXOCNTC] 2.2.1.8.3); other attachments are not part of a card.
fn write_photo(lines: &mut Lines, item: &Item, given: &Given<'_>) {
    let is_photo = |attachment: &&Attachment| attachment.props.flag(tags::ATTACHMENT_CONTACT_PHOTO) == Some(true);
    let bytes = item.attachments.iter().find(is_photo).and_then(|photo| Some((photo, given.content(photo)?)));
    if let Some((photo, bytes)) = bytes.filter(|(_, bytes)| !bytes.is_empty()) {
        lines.raw("PHOTO", &format!("data:{};base64,{}", image_type(&bytes), base64(&bytes)));
        tell_others(lines, item, Some(photo));
    } else {
        tell_others(lines, item, None);
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
        lines.text("X-PSTFS-INCOMPLETE", &format!("attachment {name}"));
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
    fn a_messaging_address_becomes_a_uri() {
        assert_eq!(messaging_uri("sip:a@b.test"), "sip:a@b.test");
        assert_eq!(messaging_uri("a b@c.test"), "im:a%20b@c.test");
    }
}
