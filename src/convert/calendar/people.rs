//! ORGANIZER and ATTENDEE ([MS-OXCICAL] 2.1.3.1.1.20.2 and 2.1.3.1.1.20.16).

use crate::convert::lines::{Lines, mailto, quoted, smtp};
use crate::store::item::Item;
use crate::store::props::{Key, Props};
use crate::store::tags;

/// What Outlook writes for an address that means nothing outside an organization.
const NO_ADDRESS: &str = "invalid:nomail";

/// PidTagRecipientFlags: this row is the organizer ([MS-OXOCAL] 2.2.4.10.1).
const ORGANIZER: i32 = 0x2;
/// PidTagRecipientFlags: this row was taken out of an exception.
const REMOVED: i32 = 0x20;

/// Writes who called the meeting, and who was asked to come: these `rows`, the item's or those of one of its instances.
///
/// An appointment that nobody was asked to has an owner, but no ORGANIZER: that would make it a meeting.
pub(super) fn write(lines: &mut Lines, item: &Item, rows: &[Props]) {
    let attendees: Vec<&Props> = rows.iter().filter(|row| flags(row) & (ORGANIZER | REMOVED) == 0).collect();
    if attendees.is_empty() {
        return;
    }
    write_organizer(lines, item, rows);
    let rsvp = if item.props.flag(tags::RESPONSE_REQUESTED) == Some(true) { ";RSVP=TRUE" } else { "" };
    for row in attendees {
        write_attendee(lines, row, rsvp);
    }
}

/// Writes who assigned a task, and to whom ([MS-OXOTASK] 2.2.2.2.22, .29, .30): the assignee by its row, else by name only.
pub(super) fn write_assignment(lines: &mut Lines, item: &Item) {
    let props = &item.props;
    if !matches!(props.int(tags::LID_TASK_OWNERSHIP), Some(1 | 2)) {
        return;
    }
    let (sender_name, address) = sender(props);
    let assigner = name(props, tags::LID_TASK_ASSIGNER);
    // The address belongs to the name that it came with.
    let address = address.filter(|_| assigner.is_none() || assigner == sender_name);
    if let Some(assigner) = assigner.or(sender_name) {
        lines.raw(&format!("ORGANIZER{}", common_name(Some(assigner))), &uri(address));
    }
    let status = match props.int(tags::LID_TASK_ACCEPTANCE_STATE) {
        Some(2) => "ACCEPTED",
        Some(3) => "DECLINED",
        _ => "NEEDS-ACTION",
    };
    let rows: Vec<_> = item.recipients.iter().map(|row| (row_name(row), row_address(row))).collect();
    let owner = || name(props, tags::LID_TASK_OWNER).map(|owner| (Some(owner), None));
    for (name, address) in if rows.is_empty() { owner().into_iter().collect() } else { rows } {
        lines.raw(&format!("ATTENDEE;PARTSTAT={status}{}", common_name(name)), &uri(address));
    }
}

/// Writes who answered whom ([MS-OXCICAL] 2.1.3.1.1.20.2): the sender is the one attendee, the receiver the organizer.
pub(super) fn write_reply(lines: &mut Lines, item: &Item, status: &str) {
    if let Some(row) = item.recipients.first() {
        lines.raw(&format!("ORGANIZER{}", common_name(row_name(row))), &uri(row_address(row)));
    }
    let (name, address) = sender(&item.props);
    lines.raw(&format!("ATTENDEE;PARTSTAT={status}{}", common_name(name)), &uri(address));
}

fn flags(row: &Props) -> i32 {
    row.int(tags::RECIPIENT_FLAGS).unwrap_or(0)
}

fn write_organizer(lines: &mut Lines, item: &Item, rows: &[Props]) {
    let row = rows.iter().chain(&item.recipients).find(|row| flags(row) & ORGANIZER != 0);
    let (name, address) = match row {
        Some(row) => (row_name(row), row_address(row).or_else(|| sender(&item.props).1)),
        None => sender(&item.props),
    };
    if name.is_some() || address.is_some() {
        lines.raw(&format!("ORGANIZER{}{}", common_name(name), sent_by(&item.props, address.as_ref())), &uri(address));
    }
}

/// On whose behalf the item was sent, else who sent it.
fn sender(props: &Props) -> (Option<String>, Option<String>) {
    const REPRESENTED: [Key; 2] = [tags::SENT_REPRESENTING_SMTP_ADDRESS, tags::SENT_REPRESENTING_EMAIL_ADDRESS];
    const SENDER: [Key; 2] = [tags::SENDER_SMTP_ADDRESS, tags::SENDER_EMAIL_ADDRESS];
    let represented = (name(props, tags::SENT_REPRESENTING_NAME), smtp(props, &REPRESENTED));
    if represented == (None, None) { (name(props, tags::SENDER_NAME), smtp(props, &SENDER)) } else { represented }
}

/// SENT-BY (RFC 5545 3.2.18): who sent it, where that was somebody on the organizer's behalf.
fn sent_by(props: &Props, organizer: Option<&String>) -> String {
    let sender = smtp(props, &[tags::SENDER_SMTP_ADDRESS, tags::SENDER_EMAIL_ADDRESS]);
    match sender.zip(organizer).filter(|(sender, organizer)| !sender.eq_ignore_ascii_case(organizer)) {
        Some((sender, _)) => format!(";SENT-BY={}", quoted(&mailto(&sender))),
        None => String::new(),
    }
}

fn write_attendee(lines: &mut Lines, row: &Props, rsvp: &str) {
    let mut parameters = String::from("ATTENDEE");
    // The upper bits say that a message was sent again, or to whom it was not ([MS-OXOMSG] 2.2.3.1).
    parameters.push_str(match row.int(tags::RECIPIENT_TYPE).unwrap_or(1) & 0xf {
        2 => ";ROLE=OPT-PARTICIPANT",
        3 => ";CUTYPE=RESOURCE;ROLE=NON-PARTICIPANT",
        _ => ";ROLE=REQ-PARTICIPANT",
    });
    parameters.push_str(match row.int(tags::RECIPIENT_TRACK_STATUS).unwrap_or(0) {
        2 => ";PARTSTAT=TENTATIVE",
        3 => ";PARTSTAT=ACCEPTED",
        4 => ";PARTSTAT=DECLINED",
        _ => ";PARTSTAT=NEEDS-ACTION",
    });
    parameters.push_str(rsvp);
    parameters.push_str(&common_name(row_name(row)));
    lines.raw(&parameters, &uri(row_address(row)));
}

fn common_name(name: Option<String>) -> String {
    name.map(|name| format!(";CN={}", quoted(&name))).unwrap_or_default()
}

fn uri(address: Option<String>) -> String {
    address.map_or_else(|| NO_ADDRESS.to_owned(), |address| mailto(&address))
}

fn row_name(row: &Props) -> Option<String> {
    name(row, tags::RECIPIENT_DISPLAY_NAME).or_else(|| name(row, tags::DISPLAY_NAME))
}

fn row_address(row: &Props) -> Option<String> {
    smtp(row, &[tags::SMTP_ADDRESS, tags::EMAIL_ADDRESS])
}

fn name(props: &Props, key: Key) -> Option<String> {
    props.text(key).filter(|name| !name.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ltp::value::Value;

    fn row(name: &str, address: &str, kind: i32, flags: i32, status: i32) -> Props {
        Props::from_values([
            (tags::DISPLAY_NAME, Value::Unicode(name.into())),
            (tags::EMAIL_ADDRESS, Value::Unicode(address.into())),
            (tags::RECIPIENT_TYPE, Value::I32(kind)),
            (tags::RECIPIENT_FLAGS, Value::I32(flags)),
            (tags::RECIPIENT_TRACK_STATUS, Value::I32(status)),
        ])
    }

    fn written(recipients: Vec<Props>, props: Props) -> String {
        let mut lines = Lines::default();
        write(&mut lines, &Item { props, ..Item::default() }, &recipients);
        lines.finish().replace("\r\n ", "")
    }

    #[test]
    fn the_row_of_the_organizer_is_no_attendee() {
        let rows =
            vec![row("Org", "o@x.test", 1, 3, 0), row("Opt, \"B\"", "/o=EX/cn=b", 0x1000_0002, 1, 3), row("Room", "r@x.test", 3, 1, 4)];
        assert_eq!(
            written(rows, Props::default()),
            "ORGANIZER;CN=\"Org\":mailto:o@x.test\r\n\
             ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=ACCEPTED;CN=\"Opt, 'B'\":invalid:nomail\r\n\
             ATTENDEE;CUTYPE=RESOURCE;ROLE=NON-PARTICIPANT;PARTSTAT=DECLINED;CN=\"Room\":mailto:r@x.test\r\n"
        );
    }

    #[test]
    fn without_such_a_row_the_sender_is_the_organizer() {
        let values = [(tags::SENDER_NAME, "S"), (tags::SENDER_EMAIL_ADDRESS, "s@x.test")];
        let props = Props::from_values(values.map(|(key, text)| (key, Value::Unicode(text.into()))));
        let text = written(vec![row("A", "a@x.test", 1, 0, 0), row("Gone", "g@x.test", 1, 0x20, 0)], props);
        assert!(text.starts_with("ORGANIZER;CN=\"S\":mailto:s@x.test\r\nATTENDEE;"), "{text}");
        assert_eq!(text.matches("ATTENDEE").count(), 1);
    }

    #[test]
    fn who_sent_it_for_the_organizer_is_told_and_an_answer_is_asked_for() {
        let values = [
            (tags::SENDER_EMAIL_ADDRESS, Value::Unicode("aide@x.test".into())),
            (tags::SENT_REPRESENTING_EMAIL_ADDRESS, Value::Unicode("boss@x.test".into())),
            (tags::RESPONSE_REQUESTED, Value::Bool(true)),
        ];
        let text = written(vec![row("A", "a@x.test", 1, 0, 2)], Props::from_values(values));
        let expected = "ORGANIZER;SENT-BY=\"mailto:aide@x.test\":mailto:boss@x.test\r\n\
             ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=TENTATIVE;RSVP=TRUE;CN=\"A\":mailto:a@x.test\r\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn an_assigned_task_has_an_assigner_and_an_assignee() {
        let assigned = |ownership: i32, state: i32, recipients: Vec<Props>| {
            let values = [
                (tags::LID_TASK_OWNERSHIP, Value::I32(ownership)),
                (tags::LID_TASK_ACCEPTANCE_STATE, Value::I32(state)),
                (tags::LID_TASK_ASSIGNER, Value::Unicode("Ann".into())),
                (tags::LID_TASK_OWNER, Value::Unicode("Bob".into())),
            ];
            let mut lines = Lines::default();
            write_assignment(&mut lines, &Item { props: Props::from_values(values), recipients, ..Item::default() });
            lines.finish().replace("\r\n ", "")
        };
        assert_eq!(assigned(0, 0, Vec::new()), "");
        assert_eq!(
            assigned(2, 2, Vec::new()),
            "ORGANIZER;CN=\"Ann\":invalid:nomail\r\nATTENDEE;PARTSTAT=ACCEPTED;CN=\"Bob\":invalid:nomail\r\n"
        );
        let rows = vec![row("Bob B", "bob@x.test", 1, 0, 0)];
        assert!(assigned(1, 3, rows).ends_with("ATTENDEE;PARTSTAT=DECLINED;CN=\"Bob B\":mailto:bob@x.test\r\n"));
    }

    #[test]
    fn an_appointment_without_guests_has_no_organizer() {
        assert_eq!(written(vec![row("Org", "o@x.test", 1, 3, 0)], Props::default()), "");
    }
}
