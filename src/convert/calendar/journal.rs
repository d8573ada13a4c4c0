//! VJOURNAL from a journal entry ([MS-OXOJRNL]).

use super::common::{time, write_attachments, write_marks, write_priority, write_stamps, write_texts};
use super::when::{Clock, When};
use crate::convert::Given;
use crate::convert::lines::{Lines, unique_id, zulu};
use crate::store::item::Item;
use crate::store::{search_key, tags};

/// Writes an entry. VJOURNAL has a start but no end, kind or priority: those go into properties of our own.
pub(super) fn write(lines: &mut Lines, item: &Item, given: &Given<'_>) {
    let props = &item.props;
    let start = time(props, tags::LID_LOG_START);
    lines.raw("BEGIN", "VJOURNAL");
    lines.text("UID", &unique_id(item, &[&search_key::own_creation_time(props), &start]));
    write_stamps(lines, props);
    if let Some(start) = start {
        When::At(start, Clock::Utc).write(lines, "DTSTART");
    }
    write_texts(lines, item, given);
    write_marks(lines, props);
    write_priority(lines, "X-PSTFS-PRIORITY", props);
    lines.texts("X-PSTFS-COMPANIES", ",", &props.texts(tags::LID_COMPANIES));
    let kind = [tags::LID_LOG_TYPE_DESC, tags::LID_LOG_TYPE].into_iter().find_map(|key| props.text(key));
    lines.some_text("X-PSTFS-JOURNAL-TYPE", kind.as_deref());
    if let Some(end) = time(props, tags::LID_LOG_END) {
        lines.raw("X-PSTFS-END", &zulu(end));
    }
    if let Some(minutes) = props.int(tags::LID_LOG_DURATION).filter(|minutes| *minutes > 0) {
        lines.raw("X-PSTFS-DURATION", &format!("PT{minutes}M"));
    }
    write_attachments(lines, item, given);
    lines.raw("END", "VJOURNAL");
}

#[cfg(test)]
mod tests {
    use super::super::testing::{item, rendered, text, time};
    use super::*;
    use crate::ltp::value::Value;

    #[test]
    fn a_journal_entry_tells_when_how_long_and_what() {
        let document = rendered(&item(
            "IPM.Activity",
            &[
                (tags::LID_LOG_START, time("2024-05-06T09:00Z")),
                (tags::LID_LOG_END, time("2024-05-06T09:30Z")),
                (tags::LID_LOG_DURATION, Value::I32(30)),
                (tags::LID_LOG_TYPE, text("Phone call")),
                (tags::IMPORTANCE, Value::I32(2)),
            ],
        ));
        let expected = "\nX-PSTFS-JOURNAL-TYPE:Phone call\nX-PSTFS-END:20240506T093000Z\nX-PSTFS-DURATION:PT30M\nEND:VJOURNAL\n";
        assert!(document.contains("\nDTSTART:20240506T090000Z\n") && document.contains(expected), "{document}");
        assert!(document.contains("\nX-PSTFS-PRIORITY:1\n") && !document.contains("\nPRIORITY"), "{document}");
    }
}
