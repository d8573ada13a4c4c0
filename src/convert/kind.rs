//! Which kind of document an item becomes, by its class.

use crate::store::props::Props;
use crate::store::tags;

/// A kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// A message (RFC 5322).
    Eml,
    /// An event, task or journal entry (RFC 5545).
    Ics,
    /// A contact or a group of them (RFC 6350).
    Vcf,
}

/// Classes that are not shown as mail; the longest prefix counts. Task *requests* are mail about tasks.
const PREFIXES: [(&str, Format); 7] = [
    ("IPM.APPOINTMENT", Format::Ics),
    ("IPM.TASK", Format::Ics),
    ("IPM.ACTIVITY", Format::Ics),
    ("IPM.CONTACT", Format::Vcf),
    ("IPM.ABCHPERSON", Format::Vcf),
    ("IPM.DISTLIST", Format::Vcf),
    ("IPM.TASKREQUEST", Format::Eml),
];

impl Format {
    /// The kind of document that an item becomes: by its class, but as mail where it lacks what that kind needs.
    pub fn of(props: &Props) -> Self {
        let class = props.text(tags::MESSAGE_CLASS).unwrap_or_default();
        let format = Self::of_class(&class);
        let is_event = format == Self::Ics && class.to_ascii_uppercase().starts_with("IPM.APPOINTMENT");
        // An event without a start is none (RFC 5545 3.6.1).
        let starts = [tags::LID_APPOINTMENT_START_WHOLE, tags::START_DATE, tags::LID_APPOINTMENT_RECUR];
        if is_event && !starts.into_iter().any(|start| props.has(start)) { Self::Eml } else { format }
    }

    /// The extension of a document's name, with its dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Eml => ".eml",
            Self::Ics => ".ics",
            Self::Vcf => ".vcf",
        }
    }

    /// The kind of document that items of a class become: of an unknown class, mail.
    pub fn of_class(class: &str) -> Self {
        let class = class.to_ascii_uppercase();
        // A prefix ends where a part of the class does: IPM.TaskRequest is no kind of IPM.Task.
        let is_prefix = |prefix: &str| class.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let known = PREFIXES.iter().filter(|(prefix, _)| is_prefix(prefix)).max_by_key(|(prefix, _)| prefix.len());
        known.map_or(Self::Eml, |(_, format)| *format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_tells_the_kind_of_document() {
        let expected = [
            ("IPM.Note", Format::Eml),
            ("ipm.appointment", Format::Ics),
            ("IPM.Appointment.Live Meeting", Format::Ics),
            ("IPM.TaskRequest.Accept", Format::Eml),
            ("IPM.Contact.Custom", Format::Vcf),
            ("IPM.DistList", Format::Vcf),
            ("IPM.StickyNote", Format::Eml),
            ("", Format::Eml),
            ("IPM.Contactless", Format::Eml),
        ];
        for (class, format) in expected {
            assert_eq!(Format::of_class(class), format, "{class}");
        }
    }
}
