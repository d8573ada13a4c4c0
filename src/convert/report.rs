//! Reports on delivery and reading as multipart/report (RFC 6522, RFC 3464, RFC 8098; [MS-OXCMAIL] 2.1.3.6).
//!
//! A report has a part for people and one for programs. The second is the one that came with the message, where the
//! store kept it as an attachment; else it is made from the properties of the message and of its recipients.

use super::address::{Address, NOWHERE};
use super::document::{Fetch, Segment, Source};
use super::encode::{base64, fits_lines, with_line_ends};
use super::header::{self, Fields, clean};
use super::part::{Part, Step};
use super::people::Resolver;
use crate::damage::Result;
use crate::store::item::{Attachment, Content, Item};
use crate::store::props::{Key, Props};
use crate::store::tags;

/// The longest stored part for programs that is taken.
const STATUS_MAX: u64 = 1 << 20;

/// What is reported, by the last word of the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Failed,
    Delayed,
    Delivered,
    Expanded,
    Relayed,
    Read,
    NotRead,
}

/// A report: what makes its mail more than text.
#[derive(Clone, Debug)]
pub struct Report {
    /// `report-type`, which is the subtype of the part for programs too.
    pub kind: &'static str,
    /// The part for programs.
    pub status: Part,
    /// Which attachment that part was.
    pub stored: Option<usize>,
    /// What the report says, for one without a body of its own.
    pub text: String,
}

impl Report {
    /// The report that an item is; `None` where it is none.
    pub fn of(item: &Item, fetch: Fetch<'_>) -> Result<Option<Self>> {
        let Some(event) = Event::of(&item.class()) else { return Ok(None) };
        let kind = event.kind();
        let resolver = Resolver::new(item, &[]);
        let found = stored(item, kind, fetch)?;
        let made = || if event.is_delivery() { delivery(item, event, &resolver) } else { disposition(item, event, &resolver) };
        let (stored, lines) = found.map_or_else(|| (None, made()), |(number, lines)| (Some(number), lines));
        let mut fields = Fields::default();
        fields.push(header::tokens("Content-Type", [format!("message/{kind}")]));
        fields.push(header::tokens("Content-Transfer-Encoding", ["7bit".to_owned()]));
        let status = Part { fields, body: vec![Step::Write(Segment::Bytes(lines.into_bytes()))], inline: false };
        Ok(Some(Self { kind, status, stored, text: text(item, event, &resolver) }))
    }
}

impl Event {
    /// What a class reports ([MS-OXCMAIL] 2.2.3.7.1.1).
    fn of(class: &str) -> Option<Self> {
        let class = class.to_ascii_uppercase();
        let words: Vec<&str> = class.strip_prefix("REPORT.")?.split('.').collect();
        let place = words.iter().rposition(|word| ["NDR", "DR", "IPNRN", "IPNNRN"].contains(word))?;
        let before = place.checked_sub(1).and_then(|before| words.get(before)).copied().unwrap_or_default();
        Some(match (words.get(place).copied()?, before) {
            ("NDR", _) => Self::Failed,
            ("IPNRN", _) => Self::Read,
            ("IPNNRN", _) => Self::NotRead,
            (_, "DELAYED") => Self::Delayed,
            (_, "EXPANDED") => Self::Expanded,
            (_, "RELAYED") => Self::Relayed,
            _ => Self::Delivered,
        })
    }

    const fn is_delivery(self) -> bool {
        !matches!(self, Self::Read | Self::NotRead)
    }

    const fn kind(self) -> &'static str {
        if self.is_delivery() { "delivery-status" } else { "disposition-notification" }
    }

    /// The value of `Action` (RFC 3464 2.3.3), or the type of a disposition (RFC 8098 3.2.6.2).
    const fn action(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Expanded => "expanded",
            Self::Relayed => "relayed",
            Self::Read => "displayed",
            Self::NotRead => "deleted",
        }
    }

    /// The status of those of whom none is stored (RFC 3463).
    const fn status(self) -> &'static str {
        match self {
            Self::Failed => "5.0.0",
            Self::Delayed => "4.0.0",
            _ => "2.0.0",
        }
    }

    /// The beginning of the part for people.
    const fn words(self) -> &'static str {
        match self {
            Self::Failed => "Your message could not be delivered to:",
            Self::Delayed => "Your message has not been delivered yet to:",
            Self::Delivered => "Your message was delivered to:",
            Self::Expanded => "Your message was delivered to the members of:",
            Self::Relayed => "Your message was passed on to a server that sends no reports, for:",
            Self::Read => "Your message was read by:",
            Self::NotRead => "Your message was deleted without being read by:",
        }
    }
}

/// The part for programs as the message brought it, with the number of the attachment that it became.
fn stored(item: &Item, kind: &str, fetch: Fetch<'_>) -> Result<Option<(usize, String)>> {
    let is_status = |attachment: &Attachment| {
        let told = attachment.props.text(tags::ATTACH_MIME_TAG).unwrap_or_default();
        told.trim().to_ascii_lowercase().strip_prefix("message/").is_some_and(|told| told == kind)
    };
    let Some((number, attachment)) = item.attachments.iter().enumerate().find(|(_, attachment)| is_status(attachment)) else {
        return Ok(None);
    };
    let source: Source = match &attachment.content {
        Content::Bytes(bytes) => bytes.clone().into(),
        Content::Stream(stream) if stream.len <= STATUS_MAX => (*stream).into(),
        _ => return Ok(None),
    };
    let bytes = source.read(0, usize::MAX, fetch)?;
    // What is no ASCII in short lines stays an ordinary attachment.
    let lines = String::from_utf8(bytes).ok().filter(|text| text.is_ascii() && fits_lines(text.as_bytes()) && text.contains(':'));
    Ok(lines.map(|text| (number, format!("{}\n", with_line_ends(&text).trim_matches('\n')))))
}

/// The recipients that the report is about: those rows that tell of a delivery, all where none does.
fn reported(item: &Item) -> Vec<&Props> {
    const TOLD: [Key; 6] = [
        tags::NON_DELIVERY_REPORT_STATUS_CODE,
        tags::NON_DELIVERY_REPORT_DIAG_CODE,
        tags::NON_DELIVERY_REPORT_REASON_CODE,
        tags::SUPPLEMENTARY_INFO,
        tags::DELIVER_TIME,
        tags::REPORT_TIME,
    ];
    let told: Vec<&Props> = item.recipients.iter().filter(|row| TOLD.into_iter().any(|key| row.has(key))).collect();
    if told.is_empty() { item.recipients.iter().collect() } else { told }
}

/// The fields of `message/delivery-status`: those of the message, then those of each recipient.
fn delivery(item: &Item, event: Event, resolver: &Resolver) -> String {
    let mut fields = Fields::default();
    let server = item.props.text(tags::REPORTING_MESSAGE_TRANSFER_AGENT).filter(|server| !clean(server).is_empty());
    let domain =
        || resolver.sender(&item.props).filter(Address::is_real).and_then(|sender| Some(sender.email.rsplit_once('@')?.1.to_owned()));
    fields.push(typed("Reporting-MTA", "dns", &server.or_else(domain).unwrap_or_else(|| NOWHERE.to_owned())));
    let blocks = reported(item).into_iter().map(|row| recipient(row, event, resolver).lines());
    std::iter::once(fields.lines()).chain(blocks).collect::<Vec<_>>().join("\n")
}

fn recipient(row: &Props, event: Event, resolver: &Resolver) -> Fields {
    let mut fields = Fields::default();
    let person = resolver.recipient(row).unwrap_or_default();
    let info = row.text(tags::SUPPLEMENTARY_INFO).map(|info| clean(&info)).unwrap_or_default();
    fields.push(whom("Final-Recipient", &person));
    fields.push(header::tokens("Action", [event.action().to_owned()]));
    fields.push(header::tokens("Status", [status(row, &info).unwrap_or_else(|| event.status().to_owned())]));
    fields.push(typed("Remote-MTA", "dns", &row.text(tags::REMOTE_MESSAGE_TRANSFER_AGENT).unwrap_or_default()));
    fields.push(header::text("Diagnostic-Code", diagnosis(&info)));
    let time = [tags::DELIVER_TIME, tags::REPORT_TIME].into_iter().find_map(|key| row.time(key));
    fields.push(header::tokens("Last-Attempt-Date", time.and_then(header::date)));
    fields.push(header::text("X-Supplementary-Info", &info));
    fields.push(header::text("X-Display-Name", &person.name));
    fields
}

/// A field whose value has a type before a semicolon; stored values may have theirs.
fn typed(name: &str, kind: &str, value: &str) -> header::Field {
    let value = clean(value);
    let value = if value.is_empty() || value.contains(';') { value } else { format!("{kind}; {value}") };
    header::text(name, &value)
}

/// A field that names a person.
fn whom(name: &str, person: &Address) -> header::Field {
    let value = match (person.email.is_empty(), person.name.is_empty()) {
        (false, _) => format!("rfc822; {}", person.email),
        (true, false) => format!("unknown; {}", person.name),
        (true, true) => "unknown; unknown".to_owned(),
    };
    header::text(name, &value)
}

/// The status of a recipient: by number, as the supplementary information tells it, or as the X.400 diagnosis says.
fn status(row: &Props, info: &str) -> Option<String> {
    let number = row.int(tags::NON_DELIVERY_REPORT_STATUS_CODE).filter(|number| matches!(number, 200..=299 | 400..=599));
    let digits = number.map(|number| number.to_string().chars().map(String::from).collect::<Vec<_>>().join("."));
    digits.or_else(|| told_status(info).map(str::to_owned)).or_else(|| {
        let diagnosis = row.int(tags::NON_DELIVERY_REPORT_DIAG_CODE)?;
        DIAGNOSES.iter().find(|(known, _)| *known == diagnosis).map(|(_, status)| (*status).to_owned())
    })
}

/// The status in `<mta #5.1.1 smtp;550 text>` ([MS-OXCMAIL] 2.2.3.7.1.2).
fn told_status(info: &str) -> Option<&str> {
    let status = info.split_once('#')?.1.split([' ', '>']).next()?;
    let numbers: Vec<&str> = status.split('.').collect();
    let is_number = |number: &&str| (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_class = numbers.first().is_some_and(|class| ["2", "4", "5"].contains(class));
    (numbers.len() == 3 && is_class && numbers.iter().all(is_number)).then_some(status)
}

/// The diagnosis behind the status there, if it says of what kind it is.
fn diagnosis(info: &str) -> &str {
    let rest = told_status(info).and_then(|status| info.split_once(status)).map(|(_, rest)| rest.trim().trim_end_matches('>'));
    let is_typed = |text: &&str| text.split_once(';').is_some_and(|(kind, _)| !kind.is_empty() && kind.bytes().all(header::is_atom));
    rest.filter(is_typed).unwrap_or_default()
}

/// Diagnoses of X.400 that have a status of their own ([MS-OXCMAIL] 2.2.3.7.1.3, turned round).
const DIAGNOSES: &[(i32, &str)] = &[
    (0, "5.1.0"),
    (1, "5.1.4"),
    (3, "5.4.6"),
    (5, "4.4.7"),
    (7, "5.2.3"),
    (13, "5.2.3"),
    (15, "5.6.1"),
    (16, "5.5.3"),
    (30, "5.2.4"),
    (32, "5.1.3"),
    (35, "5.1.1"),
    (38, "5.2.1"),
    (40, "5.1.6"),
    (48, "5.1.2"),
];

/// The fields of `message/disposition-notification`: who did what with the message.
fn disposition(item: &Item, event: Event, resolver: &Resolver) -> String {
    let props = &item.props;
    let is_token = |text: &String| !text.is_empty() && text.bytes().all(|byte| header::is_atom(byte) && byte != b'/');
    let is_mode = |text: &String| text.split_once('/').is_some_and(|(a, b)| is_token(&a.to_owned()) && is_token(&b.to_owned()));
    let told = |key: Key| props.text(key).map(|text| clean(&text));
    let mode = told(tags::REPORT_DISPOSITION_MODE).filter(is_mode).unwrap_or_else(|| "manual-action/MDN-sent-automatically".to_owned());
    let kind = told(tags::REPORT_DISPOSITION).filter(is_token).unwrap_or_else(|| event.action().to_owned());
    let person = reader(item, resolver);
    let mut fields = Fields::default();
    fields.push(whom("Final-Recipient", &person));
    fields.push(header::tokens("Original-Message-ID", original_id(item)));
    fields.push(header::tokens("Disposition", [format!("{mode};"), kind]));
    fields.push(header::text("X-MSExch-Correlation-Key", &base64(&props.bytes(tags::PARENT_KEY).unwrap_or_default())));
    fields.push(header::text("X-Display-Name", &person.name));
    fields.lines()
}

/// The id of the message that a report is about.
///
/// The same property is the return path of mail that came over the Internet, reports among them: an address of somebody
/// in the message is no id, and what is no report has none.
pub fn original_id(item: &Item) -> Option<String> {
    Event::of(&item.class())?;
    let resolver = Resolver::new(item, &[]);
    let people = [resolver.sender(&item.props), resolver.from(&item.props)].into_iter();
    let people: Vec<Address> = people.chain(item.recipients.iter().map(|row| resolver.recipient(row))).flatten().collect();
    let is_address = |id: &String| people.iter().any(|person| id.trim_matches(['<', '>']).eq_ignore_ascii_case(&person.email));
    let ids = header::message_ids(&item.props.text(tags::ORIGINAL_MESSAGE_ID)?);
    ids.into_iter().next().filter(|id| !is_address(id))
}

/// Who read the message: the report's sender.
fn reader(item: &Item, resolver: &Resolver) -> Address {
    resolver.sender(&item.props).or_else(|| resolver.from(&item.props)).unwrap_or_default()
}

/// The part for people: which message, whom, and why.
fn text(item: &Item, event: Event, resolver: &Resolver) -> String {
    let props = &item.props;
    let subject = props.text(tags::ORIGINAL_SUBJECT).or_else(|| props.text(tags::CONVERSATION_TOPIC)).map(|subject| clean(&subject));
    let facts = [
        ("Subject:", subject),
        ("To:", props.text(tags::ORIGINAL_DISPLAY_TO).map(|names| clean(&names))),
        ("Sent:", props.time(tags::ORIGINAL_SUBMIT_TIME).and_then(header::date)),
    ];
    let facts: String = facts
        .into_iter()
        .filter_map(|(name, value)| Some(format!("    {name:<9}{}\n", value.filter(|value| !value.is_empty())?)))
        .collect();
    let mut text = format!("{}\n\n", event.words());
    if event.is_delivery() {
        text.extend(reported(item).into_iter().map(|row| about(row, resolver)));
    } else {
        text.push_str(&format!("    {}\n", shown(&reader(item, resolver))));
    }
    if facts.is_empty() { text } else { format!("{text}\nThe message:\n\n{facts}") }
}

/// What is told of a recipient.
fn about(row: &Props, resolver: &Resolver) -> String {
    let mut lines = format!("    {}\n", shown(&resolver.recipient(row).unwrap_or_default()));
    let time = row.time(tags::DELIVER_TIME).and_then(header::date);
    let told = [tags::REPORT_TEXT, tags::SUPPLEMENTARY_INFO].into_iter().filter_map(|key| row.text(key)).map(|text| clean(&text));
    for line in time.into_iter().chain(told).filter(|line| !line.is_empty()) {
        lines.push_str(&format!("        {line}\n"));
    }
    lines
}

fn shown(person: &Address) -> String {
    match (person.name.is_empty(), person.is_real()) {
        (true, _) => person.email.clone(),
        (false, true) => format!("{} <{}>", person.name, person.email),
        (false, false) => person.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ltp::value::Value;

    fn report(class: &str, values: &[(Key, &str)]) -> Item {
        let class = (tags::MESSAGE_CLASS, Value::Unicode(class.into()));
        let values = values.iter().map(|(key, text)| (*key, Value::Unicode((*text).to_owned())));
        Item { props: Props::from_values([class].into_iter().chain(values)), ..Item::default() }
    }

    #[test]
    fn the_last_word_of_the_class_is_what_is_reported() {
        for (class, event) in [
            ("REPORT.IPM.Note.NDR", Some(Event::Failed)),
            ("report.ipm.note.delayed.dr", Some(Event::Delayed)),
            ("REPORT.IPM.Schedule.Meeting.Request.IPNNRN", Some(Event::NotRead)),
            ("REPORT.IPM.Note.NDR.Custom", Some(Event::Failed)),
            ("REPORT.IPM.Note", None),
            ("IPM.Note.NDR", None),
        ] {
            assert_eq!(Event::of(class), event, "{class}");
        }
    }

    #[test]
    fn a_return_path_is_no_message() {
        let sender = [(tags::SENDER_EMAIL_ADDRESS, "a@x.org"), (tags::ORIGINAL_MESSAGE_ID, "<A@x.org>")];
        assert_eq!(original_id(&report("REPORT.IPM.Note.NDR", &sender)), None);
        assert_eq!(original_id(&report("IPM.Note", &[(tags::ORIGINAL_MESSAGE_ID, "<1@x.org>")])), None);
        assert_eq!(original_id(&report("REPORT.IPM.Note.NDR", &[(tags::ORIGINAL_MESSAGE_ID, "<1@x.org>")])).as_deref(), Some("<1@x.org>"));
    }

    #[test]
    fn a_status_is_read_out_of_the_supplementary_information() {
        assert_eq!(told_status("<mx #5.1.1 smtp;550 gone>"), Some("5.1.1"));
        assert_eq!(diagnosis("<mx #5.1.1 smtp;550 gone>"), "smtp;550 gone");
        for odd in ["", "#", "<mx #5.1>", "<mx #9.1.1>", "<mx #5.1.1234>", "#5.1.1.1"] {
            assert_eq!((told_status(odd), diagnosis(odd)), (None, ""), "{odd}");
        }
    }

    #[test]
    fn a_status_that_would_break_the_mail_is_made_anew() {
        let stored = |content: &[u8]| {
            let kind = (tags::ATTACH_MIME_TAG, Value::Unicode("message/delivery-status".into()));
            let content = Content::Bytes(content.to_vec());
            let attachment = Attachment { props: Props::from_values([kind]), content, ..Attachment::default() };
            let item = Item { attachments: vec![attachment], ..report("REPORT.IPM.Note.NDR", &[]) };
            Report::of(&item, &|_, _, _| Ok(Vec::new())).unwrap().unwrap().stored
        };
        assert_eq!(stored(b"Reporting-MTA: dns; x\r\n\r\nStatus: 5.0.0\r\n"), Some(0));
        for odd in [&b"gr\xc3\xbcn: x"[..], b"a: \0", b"", &[b'x'; 2000]] {
            assert_eq!(stored(odd), None);
        }
    }
}
