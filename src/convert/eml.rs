//! An item as a mail message (RFC 5322, [MS-OXCMAIL]).
//!
//! The structure is `mixed{ related{ alternative{ text, html }, what the HTML shows }, attachments }`, with only those
//! levels that have something to hold. A part that cannot be had becomes a note in its place. Embedded messages are
//! opened from a stack of steps, never by recursion. An item of any class can be rendered.

use super::body::Bodies;
use super::digest::Digest;
use super::document::{Document, Fetch, Segment, fetch};
use super::encode::{BOUNDARY_MARK, LINE_END};
use super::envelope;
use super::file::without_place;
use super::form::{self, Form};
use super::header::{self, Fields};
use super::part::{self, Cited, Part, Step};
use super::report::Report;
use super::{pgp, smime};
use crate::damage::Result;
use crate::store::item::{Attachment, Content, Item, NodeRef};
use crate::store::{Store, search_key, tags};

/// How deep messages may be embedded in messages; a store that refers to itself would have no end.
pub const DEPTH_MAX: usize = 100;

/// How many messages a document may embed; a few nodes that share each other could stand for billions.
pub const EMBEDDED_MAX: usize = 10_000;

/// How much text a document may hold in memory before further embedded messages are left out.
pub const MEMORY_MAX: usize = 256 << 20;

/// PidTagMessageFlags: the message has attachments.
const HAS_ATTACHMENTS: i32 = 0x10;

/// PidTagMessageStatus: only the header was downloaded, the rest is to come.
const TO_DOWNLOAD: i32 = 0x1000;

/// What the body is called where it is RTF: readers show the text of it, and open this beside it.
const RTF_NAME: &str = "body.rtf";

/// Opens the message inside an attachment.
pub type Open<'a> = &'a dyn Fn(NodeRef) -> Result<Item>;

/// The item as a document. Only an I/O error is one; everything else that is wrong is told in the document.
pub fn render(store: &Store, item: &Item) -> Result<Document> {
    render_with(item, &|node| store.item_or_remains(node), &|stream, offset, len| fetch(store, stream, offset, len))
}

/// As [`render`], with embedded messages and streams read by others.
pub fn render_with(item: &Item, open: Open<'_>, fetch: Fetch<'_>) -> Result<Document> {
    let mut document = Document::default();
    let mut opened = 0_usize;
    let mut stack: Vec<(Step, usize)> = reversed(message(item, 0, open, fetch)?, 0).collect();
    while let Some((step, depth)) = stack.pop() {
        match step {
            Step::Write(segment) => document.push(segment),
            Step::Embedded(node, name) => {
                opened = opened.saturating_add(1);
                let room = depth < DEPTH_MAX && opened <= EMBEDDED_MAX && document.memory_bytes() < MEMORY_MAX;
                let part = if room { embedded(node, &name, depth.saturating_add(1), open, fetch)? } else { beyond(&name) };
                stack.extend(reversed(steps(part), depth.saturating_add(1)));
            }
        }
    }
    Ok(document)
}

/// The steps in the order in which a stack gives them back.
fn reversed(steps: Vec<Step>, depth: usize) -> impl Iterator<Item = (Step, usize)> {
    steps.into_iter().rev().map(move |step| (step, depth))
}

/// The part of an embedded message, or a note where it cannot be read.
fn embedded(node: NodeRef, name: &str, depth: usize, open: Open<'_>, fetch: Fetch<'_>) -> Result<Part> {
    match open(node) {
        Ok(item) => Ok(Part::message(name, message(&item, depth, open, fetch)?)),
        Err(error) if error.is_io() => Err(error),
        // The error's own words name node and block ids, which differ in a repaired store.
        Err(_) => Ok(note(name, "cannot be read.")),
    }
}

fn beyond(name: &str) -> Part {
    note(name, "is not shown: this message holds too many or too deeply embedded ones.")
}

fn note(name: &str, what: &str) -> Part {
    Part::note(&header::file_name(&format!("{name}.txt")), format!("The embedded message {name} {what}\n"))
}

/// The steps that write a message.
fn message(item: &Item, depth: usize, open: Open<'_>, fetch: Fetch<'_>) -> Result<Vec<Step>> {
    let bodies = Bodies::of(item);
    let digest = digest(item, &bodies);
    let mut fields = envelope::fields(item, &digest, &incomplete(item, &bodies));
    let content = match smime::body(item, fetch)? {
        Some(part) => part,
        None => content(item, bodies, &Boundaries { digest, depth }, open, fetch)?,
    };
    smime::content_class(item).into_iter().for_each(|class| fields.add(class));
    fields.push(header::tokens("MIME-Version", ["1.0".to_owned()]));
    content.fields.iter().for_each(|field| fields.push(field.clone()));
    Ok(steps(Part { fields, ..content }))
}

/// Header, blank line and body of a part.
fn steps(part: Part) -> Vec<Step> {
    if part.fields.iter().next().is_none() {
        return part.body;
    }
    let head = format!("{}{LINE_END}", part.fields.lines());
    std::iter::once(bytes(head)).chain(part.body).collect()
}

fn bytes(text: String) -> Step {
    Step::Write(Segment::Bytes(text.into_bytes()))
}

/// The structure of a message's content.
fn content(item: &Item, mut bodies: Bodies, boundaries: &Boundaries, open: Open<'_>, fetch: Fetch<'_>) -> Result<Part> {
    if let Some(parts) = pgp::encrypted(item, !bodies.is_empty(), fetch)? {
        return Ok(boundaries.joined("encrypted", &[pgp::PROTOCOL.to_owned()], parts));
    }
    let rtf = bodies.rtf.take().map(|rtf| Part::base64("application/rtf", RTF_NAME, rtf.into()));
    let report = Report::of(item, fetch)?;
    if let Some(report) = report.as_ref().filter(|_| bodies.is_empty()) {
        bodies.text = Some(report.text.clone());
    }
    let (alternative, card) = match form::of(item, bodies.text.as_deref(), open)? {
        Some(Form::Alternative(part)) => (Some(part), None),
        Some(Form::Attached(part)) => (None, Some(part)),
        None => (None, None),
    };
    let cited = Cited::of(bodies.html.as_deref());
    let taken = report.as_ref().and_then(|report| report.stored);
    let parts = item
        .attachments
        .iter()
        .enumerate()
        .filter(|(index, _)| taken != Some(*index))
        .map(|(index, attachment)| part::of(attachment, index.saturating_add(1), &cited, fetch))
        .collect::<Result<Vec<_>>>()?;
    let (inline, attached): (Vec<_>, Vec<_>) = parts.into_iter().chain(card).partition(|part| part.inline);
    let body = [body(item, bodies, alternative, boundaries)].into_iter().flatten();
    let shown = boundaries.multipart("related", body.chain(inline).collect());
    let shown = shown.into_iter().chain(rtf).chain(attached).collect();
    Ok(match report {
        Some(report) => boundaries.report(shown, report),
        None => boundaries.mixed(shown),
    })
}

/// The text of a message: as text, as HTML, as a calendar part, or several of them.
fn body(item: &Item, bodies: Bodies, calendar: Option<Part>, boundaries: &Boundaries) -> Option<Part> {
    let bare = item.attachments.is_empty().then(|| missing(item, &bodies)).filter(|bare| !bare.is_empty());
    let text = bodies.text.or_else(|| bare.filter(|_| bodies.html.is_none()));
    let parts = [text.map(|text| Part::text("text/plain", text)), bodies.html.map(|html| Part::text("text/html", html)), calendar];
    boundaries.multipart("alternative", parts.into_iter().flatten().collect())
}

/// The text of a message that has none: what is wrong with it, and nothing if nothing is.
fn missing(item: &Item, bodies: &Bodies) -> String {
    incomplete(item, bodies).iter().map(|reason| format!("{reason}{LINE_END}")).collect()
}

/// Writes multipart entities, each level and kind with a boundary of its own.
struct Boundaries {
    digest: String,
    depth: usize,
}

impl Boundaries {
    /// The parts as one: none, the only one, or a multipart of this kind.
    fn multipart(&self, kind: &str, mut parts: Vec<Part>) -> Option<Part> {
        if parts.len() < 2 { parts.pop() } else { Some(self.joined(kind, &[], parts)) }
    }

    /// The parts in a `multipart/mixed`, or the only one where it can stand as a message's content by itself.
    fn mixed(&self, mut parts: Vec<Part>) -> Part {
        match parts.pop() {
            Some(only) if parts.is_empty() && !is_attached(&only) => only,
            None => Part::text("text/plain", String::new()),
            last => self.joined("mixed", &[], parts.into_iter().chain(last).collect()),
        }
    }

    /// A report (RFC 6522 3): what people read, what programs read, and at most one message that it is about.
    fn report(&self, mut parts: Vec<Part>, report: Report) -> Part {
        let returned = parts.iter().position(Part::is_message).map(|place| parts.remove(place));
        let parts = [self.mixed(parts), report.status].into_iter().chain(returned).collect();
        self.joined("report", &[format!("report-type={};", report.kind)], parts)
    }

    fn joined(&self, kind: &str, parameters: &[String], parts: Vec<Part>) -> Part {
        // A border for each kind: reports and related parts begin with the same letter.
        let initial = if kind == "report" { "p" } else { kind.get(..1).unwrap_or_default() };
        let boundary = format!("{BOUNDARY_MARK}{}{initial}_{}", self.depth, self.digest);
        let mut tokens = vec![format!("multipart/{kind};")];
        tokens.extend_from_slice(parameters);
        if kind == "related" {
            // RFC 2387 3.1: the type of the part that the others belong to.
            let root = parts
                .first()
                .and_then(|part| part.fields.get("Content-Type"))
                .map(|field| field.value.split(';').next().unwrap_or_default());
            tokens.extend(root.map(|root| format!("type=\"{root}\";")));
        }
        tokens.push(format!("boundary=\"{boundary}\""));
        let mut fields = Fields::default();
        fields.push(header::tokens("Content-Type", tokens));
        fields.push(header::tokens("Content-Transfer-Encoding", ["8bit".to_owned()]));
        let mut body = Vec::new();
        for part in parts {
            let gap = if body.is_empty() { "" } else { LINE_END };
            body.push(bytes(format!("{gap}--{boundary}{LINE_END}")));
            body.extend(steps(part));
        }
        body.push(bytes(format!("{LINE_END}--{boundary}--{LINE_END}")));
        Part { fields, body, inline: false }
    }
}

/// Whether a part is an attachment or a note in its place, rather than text of the message.
fn is_attached(part: &Part) -> bool {
    part.fields.has("Content-Disposition") || !part.fields.has("Content-Type")
}

/// What of the item is missing, in words for the user.
fn incomplete(item: &Item, bodies: &Bodies) -> Vec<String> {
    let broken = item.attachments.iter().filter_map(|attachment| match &attachment.content {
        Content::Broken(why) => Some(format!("attachment: {}", without_place(why))),
        _ => None,
    });
    let mut reasons: Vec<String> = item.damage.iter().chain(&bodies.damage).map(|why| without_place(why)).chain(broken).collect();
    let flagged = item.props.int(tags::MESSAGE_FLAGS).unwrap_or_default() & HAS_ATTACHMENTS != 0;
    let waiting = item.props.int(tags::MESSAGE_STATUS).unwrap_or_default() & TO_DOWNLOAD != 0;
    if reasons.is_empty() && bodies.is_empty() && item.attachments.is_empty() && (flagged || waiting) {
        reasons.push("only the header of this message is in the store".to_owned());
    }
    reasons
}

/// What names the item's content: the same in a repaired or converted store.
fn digest(item: &Item, bodies: &Bodies) -> String {
    let mut digest = Digest::default();
    let key = search_key::own(&item.props);
    digest.add(&key);
    digest.add(item.class().as_bytes());
    digest.add(item.subject().unwrap_or_default().as_bytes());
    for time in [tags::CLIENT_SUBMIT_TIME, tags::MESSAGE_DELIVERY_TIME] {
        digest.add(&item.props.time(time).unwrap_or_default().0.to_le_bytes());
    }
    if key.is_empty() {
        digest.add(bodies.text.as_deref().unwrap_or_default().as_bytes());
        digest.add(bodies.html.as_deref().unwrap_or_default().as_bytes());
        item.attachments.iter().for_each(|attachment| digest.add(&size(attachment).to_le_bytes()));
    }
    digest.hex()
}

fn size(attachment: &Attachment) -> u64 {
    match &attachment.content {
        Content::Bytes(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        Content::Stream(stream) | Content::Ole(stream) => stream.len,
        Content::None | Content::Message(_) | Content::Reference(_) | Content::Broken(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damage::{Code, Error, Place};
    use crate::format::id::{Bid, Nid};
    use crate::format::property::{FileTime, PropType};
    use crate::ltp::value::{Stream, Value};
    use crate::store::props::{Key, Props};
    use mail_parser::{Message, MessageParser, MimeHeaders, PartType};
    use proptest::prelude::*;

    fn text(key: Key, text: &str) -> (Key, Value) {
        (key, Value::Unicode(text.to_owned()))
    }

    fn mail(values: Vec<(Key, Value)>, attachments: Vec<Attachment>) -> Item {
        Item { props: Props::from_values(values), attachments, ..Item::default() }
    }

    fn attachment(name: &str, content: Content) -> Attachment {
        Attachment { props: Props::from_values([text(tags::ATTACH_LONG_FILENAME, name)]), content, ..Attachment::default() }
    }

    fn image(id: &str) -> Attachment {
        let props = Props::from_values([text(tags::ATTACH_LONG_FILENAME, "i.png"), text(tags::ATTACH_CONTENT_ID, id)]);
        Attachment { props, content: Content::Bytes(vec![0x89]), ..Attachment::default() }
    }

    fn both(html: &str) -> Vec<(Key, Value)> {
        vec![text(tags::SUBJECT, "Both"), text(tags::BODY, "plain"), (tags::HTML, Value::Binary(html.as_bytes().to_vec()))]
    }

    /// A store in which every embedded message is this one.
    fn written_with(item: &Item, embedded: &Item) -> Vec<u8> {
        let document = render_with(item, &|_| Ok(embedded.clone()), &|_, _, _| Ok(Vec::new())).unwrap();
        let bytes = document.read_with(0, usize::MAX, &|_, _, _| Ok(Vec::new())).unwrap();
        assert_eq!(bytes.len() as u64, document.len());
        bytes
    }

    fn written(item: &Item) -> Vec<u8> {
        written_with(item, &Item::default())
    }

    fn parsed(bytes: &[u8]) -> Message<'_> {
        MessageParser::default().parse(bytes).unwrap()
    }

    fn kinds(message: &Message<'_>) -> Vec<String> {
        let kind = |part: &mail_parser::MessagePart<'_>| {
            part.content_type().map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default())).unwrap_or_default()
        };
        message.parts.iter().map(kind).collect()
    }

    #[test]
    fn an_item_with_nothing_is_a_message() {
        let bytes = written(&Item::default());
        assert!(String::from_utf8(bytes).unwrap().ends_with("charset=utf-8\nContent-Transfer-Encoding: 7bit\n\n"));
    }

    #[test]
    fn levels_without_members_are_left_out() {
        assert_eq!(kinds(&parsed(&written(&mail(vec![text(tags::BODY, "a")], vec![])))), ["text/plain"]);
        assert_eq!(kinds(&parsed(&written(&mail(both("<p>"), vec![])))), ["multipart/alternative", "text/plain", "text/html"]);
    }

    #[test]
    fn the_structure_is_mixed_related_alternative() {
        let item = mail(both("<img src='cid:a@b'>"), vec![attachment("x.pdf", Content::Bytes(vec![1])), image("a@b")]);
        let bytes = written(&item);
        let wanted =
            ["multipart/mixed", "multipart/related", "multipart/alternative", "text/plain", "text/html", "image/png", "application/pdf"];
        assert_eq!(kinds(&parsed(&bytes)), wanted);
        assert!(String::from_utf8(bytes).unwrap().contains("type=\"multipart/alternative\""));
    }

    #[test]
    fn a_broken_attachment_hides_nothing() {
        let parts =
            vec![attachment("a.bin", Content::Broken("its data is gone".into())), attachment("b.bin", Content::Bytes(b"bytes".to_vec()))];
        let bytes = written(&mail(vec![text(tags::BODY, "body")], parts));
        let message = parsed(&bytes);
        let last = message.parts.last().unwrap();
        assert!(matches!(&last.body, PartType::Binary(data) if data.as_ref() == b"bytes"));
        let all = String::from_utf8(bytes.clone()).unwrap();
        assert!(
            all.contains("a.bin cannot be read: its data is gone") && all.contains("X-Pstfs-Incomplete: attachment: its data is gone\n")
        );
    }

    #[test]
    fn embedded_messages_stand_inside_each_other() {
        let inner = mail(vec![text(tags::SUBJECT, "Inner"), text(tags::BODY, "deep")], vec![]);
        let outer = mail(vec![text(tags::SUBJECT, "Outer")], vec![attachment("Inner", Content::Message(NodeRef::default()))]);
        let bytes = written_with(&outer, &inner);
        let message = parsed(&bytes);
        assert_eq!(message.subject(), Some("Outer"));
        let part = message.attachment(0).unwrap();
        assert_eq!((part.attachment_name(), part.message().unwrap().subject()), (Some("Inner.eml"), Some("Inner")));
    }

    #[test]
    fn a_message_that_embeds_itself_ends() {
        let circle = mail(vec![text(tags::SUBJECT, "Circle")], vec![attachment("c", Content::Message(NodeRef::default()))]);
        let text = String::from_utf8(written_with(&circle, &circle)).unwrap();
        assert_eq!(text.matches("Subject: Circle").count(), DEPTH_MAX + 1);
        assert_eq!(text.matches("too deeply embedded").count(), 1);
    }

    #[test]
    fn messages_that_embed_themselves_twice_end() {
        let node = || attachment("c", Content::Message(NodeRef::default()));
        let circle = mail(vec![text(tags::SUBJECT, "Circle")], vec![node(), node()]);
        assert!(written_with(&circle, &circle).len() < 64 << 20);
    }

    #[test]
    fn an_embedded_message_that_cannot_be_read_is_told() {
        let item = mail(vec![text(tags::BODY, "body")], vec![attachment("gone", Content::Message(NodeRef::default()))]);
        let damaged = |_| Err(Error::Damaged(Code::EmbeddedMessage, Place::node(0x123)));
        let document = render_with(&item, &damaged, &|_, _, _| Ok(Vec::new())).unwrap();
        let text = String::from_utf8(document.read_with(0, usize::MAX, &|_, _, _| Ok(Vec::new())).unwrap()).unwrap();
        assert!(text.contains("gone.eml cannot be read") && !text.contains("0x123"));
    }

    #[test]
    fn copies_with_the_same_key_have_borders_of_their_own() {
        let key = (tags::SEARCH_KEY, Value::Binary(vec![7; 16]));
        let circle = mail(vec![key, text(tags::BODY, "x")], vec![attachment("c", Content::Message(NodeRef::default()))]);
        let bytes = written_with(&circle, &circle);
        let mut message = parsed(&bytes);
        for _ in 0..50 {
            assert_eq!(message.attachment_count(), 1);
            message = message.attachment(0).unwrap().message().unwrap().clone();
        }
    }

    #[test]
    fn a_large_attachment_costs_no_memory() {
        let stream = Stream { kind: PropType::BINARY, data: Bid(4), len: 4 << 30 };
        let item = mail(vec![text(tags::BODY, "body")], vec![attachment("big.iso", Content::Stream(stream))]);
        let document = render_with(&item, &|_| Ok(Item::default()), &|_, _, _| panic!("read")).unwrap();
        assert!(document.len() > 5 << 30 && document.memory_bytes() < 4096);
    }

    #[test]
    fn node_and_block_ids_leave_no_trace() {
        let item = |nid: u32| Item { node: NodeRef { nid: Nid(nid), ..NodeRef::default() }, ..mail(both("<p>"), vec![image("a@b")]) };
        assert_eq!(written(&item(0x20)), written(&item(0x40)));
    }

    #[test]
    fn mail_encrypted_with_pgp_stands_as_it_was_sent() {
        let control = Attachment {
            props: Props::from_values([text(tags::ATTACH_MIME_TAG, "application/pgp-encrypted")]),
            content: Content::Bytes(b"Version: 1\r\n".to_vec()),
            ..Attachment::default()
        };
        let armour = "-----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA+/=\r\n-----END PGP MESSAGE-----\r\n";
        let data = attachment("encrypted.asc", Content::Bytes(armour.as_bytes().to_vec()));
        let written = |values| String::from_utf8(written(&mail(values, vec![control.clone(), data.clone()]))).unwrap();
        let bytes = written(vec![text(tags::SUBJECT, "..."), text(tags::BODY, " \r\n")]);
        assert!(bytes.contains("Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\n boundary="), "{bytes}");
        assert!(bytes.contains(&format!("\n\n{armour}\n--")) && bytes.contains("\n\nVersion: 1\r\n\n--"), "{bytes}");
        assert_eq!(kinds(&parsed(bytes.as_bytes())), ["multipart/encrypted", "application/pgp-encrypted", "application/octet-stream"]);
        assert!(written(vec![text(tags::BODY, "see there")]).contains("multipart/mixed"));
    }

    #[test]
    fn text_encrypted_with_pgp_is_untouched() {
        let armour = "-----BEGIN PGP MESSAGE-----\n\nhQEMA+/=\n=abcd\n-----END PGP MESSAGE-----\n";
        assert!(String::from_utf8(written(&mail(vec![text(tags::BODY, armour)], vec![]))).unwrap().ends_with(&format!("\n\n{armour}")));
    }

    #[test]
    fn a_protected_message_is_the_attachment_that_came() {
        let header = text(tags::TRANSPORT_MESSAGE_HEADERS, "Content-Class: rpmsg.message\r\nSubject: x\r\n");
        let item =
            mail(vec![header, text(tags::BODY, "protected")], vec![attachment("message.rpmsg", Content::Bytes(vec![0x76, 0xe8, 4, 0x60]))]);
        let bytes = written(&item);
        let message = parsed(&bytes);
        assert_eq!(message.header("Content-Class").and_then(|value| value.as_text()), Some("rpmsg.message"));
        let part = message.attachment(0).unwrap();
        assert_eq!(part.content_type().unwrap().subtype(), Some("x-microsoft-rpmsg-message"));
        assert_eq!((part.attachment_name(), part.contents()), (Some("message.rpmsg"), &[0x76, 0xe8, 4, 0x60][..]));
    }

    #[test]
    fn rtf_stands_beside_its_text() {
        let rtf = br"{\rtf1 {\b x}}";
        let stored = [&(rtf.len() as u32 + 12).to_le_bytes()[..], &(rtf.len() as u32).to_le_bytes(), b"MELA", &[0; 4], rtf].concat();
        let bytes = written(&mail(vec![(tags::RTF_COMPRESSED, Value::Binary(stored))], vec![image("a@b")]));
        let message = parsed(&bytes);
        assert_eq!(kinds(&message), ["multipart/mixed", "text/plain", "application/rtf", "image/png"]);
        assert_eq!((message.body_text(0).unwrap().trim_end(), message.attachment(0).unwrap().contents()), ("x", &rtf[..]));
        assert_eq!(message.attachment(0).unwrap().attachment_name(), Some("body.rtf"));
    }

    #[test]
    fn a_header_without_its_message_says_so() {
        let item = mail(vec![text(tags::SUBJECT, "x"), (tags::MESSAGE_FLAGS, Value::I32(HAS_ATTACHMENTS))], vec![]);
        let text = String::from_utf8(written(&item)).unwrap();
        assert_eq!(text.matches("only the header of this message is in the store").count(), 2);
    }

    fn content() -> impl Strategy<Value = Content> {
        prop_oneof![
            Just(Content::None),
            proptest::collection::vec(any::<u8>(), 0..200).prop_map(Content::Bytes),
            Just(Content::Bytes(b"Subject: raw\r\n\r\nbody".to_vec())),
            Just(Content::Message(NodeRef::default())),
            "\\PC{0,20}\n?".prop_map(Content::Reference),
            "\\PC{0,20}\n?".prop_map(Content::Broken),
        ]
    }

    fn items() -> impl Strategy<Value = Item> {
        let body = "[a-zäß€\r\n\0 .=-]{0,60}(--=_pstfs_\n)?[a-z]{0,1500}";
        let kind = prop_oneof![Just(""), Just("text/plain"), Just("message/rfc822"), Just("multipart/mixed"), Just("x y")];
        let attachment = ("[a-zä\u{1F600}\"\r\n ;./\\\\]{0,40}(\\.eml|\\.txt)?", kind, "(<a@b>|c|\\PC{0,9})", content()).prop_map(
            |(name, kind, id, content)| {
                let props = Props::from_values([
                    text(tags::ATTACH_LONG_FILENAME, &name),
                    text(tags::ATTACH_MIME_TAG, kind),
                    text(tags::ATTACH_CONTENT_ID, &id),
                    (tags::ATTACH_FLAGS, Value::I32(4)),
                ]);
                Attachment { props, content, ..Attachment::default() }
            },
        );
        let header = "((To|From|Date|Subject|Content-Type|X|Message-ID): [ -~äß\0]{0,40}\r?\n[ a-z]{0,9}){0,6}";
        let people = ("\\PC{0,30}", "\\PC{0,30}(@x.org)?");
        (
            (proptest::option::of("\\PC{0,200}\r?\n?.{0,20}"), proptest::option::of(body), proptest::option::of(body), header),
            people,
            any::<u64>(),
            proptest::collection::vec(attachment, 0..5),
        )
            .prop_map(|((subject, body, html, header), (name, email), time, attachments)| {
                let values = [
                    Some(text(tags::SENDER_NAME, &name)),
                    Some(text(tags::SENDER_EMAIL_ADDRESS, &email)),
                    Some(text(tags::DISPLAY_TO, &name)),
                    Some(text(tags::TRANSPORT_MESSAGE_HEADERS, &header)),
                    Some((tags::CLIENT_SUBMIT_TIME, Value::Time(FileTime(time)))),
                    subject.map(|subject| text(tags::SUBJECT, &subject)),
                    body.map(|body| text(tags::BODY, &body)),
                    html.map(|html| (tags::HTML, Value::Binary(format!("<img src=cid:c>{html}").into_bytes()))),
                ];
                let row = Props::from_values([text(tags::DISPLAY_NAME, &name), text(tags::EMAIL_ADDRESS, &email)]);
                Item { recipients: vec![row], ..mail(values.into_iter().flatten().collect(), attachments) }
            })
    }

    proptest! {
        #[test]
        fn any_item_is_a_message_of_lines_that_mail_may_have(outer in items(), inner in items()) {
            let inner = Item { attachments: inner.attachments.into_iter().filter(|part| !matches!(part.content, Content::Message(_))).collect(), ..inner };
            let bytes = written_with(&outer, &inner);
            prop_assert_eq!(&bytes, &written_with(&outer, &inner));
            prop_assert!(bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 999));
            prop_assert!(!bytes.contains(&0));
            let message = parsed(&bytes);
            let attached = outer.attachments.len();
            prop_assert_eq!(message.parts.iter().filter(|part| part.attachment_name().is_some()).count(), attached);
        }
    }
}
