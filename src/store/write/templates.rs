//! The tables that every store has empty, as templates for those of its folders and messages.
//!
//! The columns are exactly those of Outlook 2010: required by [MS-PST] 2.4.4.4.1, 2.4.4.5.1, 2.4.4.6.1, 2.4.5.3.1,
//! 2.4.6.1.1, 2.4.8.6.2.1 and by Outlook itself, which wants them in this order and at these places. ANSI stores of
//! Outlook 2007 and later have the same ones with strings in a code page.

use crate::format::Format;
use crate::format::id::Nid;
use crate::format::property::PropType;
use crate::format::table::Column;
use crate::ltp::write::TableShape;

/// A table that every store has empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// The node that holds it.
    pub nid: Nid,
    ends: [u16; 4],
    /// Id and type, offset in the row, size, bit.
    columns: &'static [(u32, u16, u8, u8)],
}

impl Template {
    /// The columns in a store of this format.
    pub fn shape(&self, format: Format) -> TableShape {
        let columns = self.columns.iter().map(|(tag, offset, size, bit)| {
            let [a, b, c, d] = tag.to_le_bytes();
            let kind = own_kind(format, PropType(u16::from_le_bytes([a, b])));
            Column { kind, id: u16::from_le_bytes([c, d]), offset: *offset, size: *size, bit: *bit }
        });
        TableShape { ends: self.ends, columns: columns.collect() }
    }

    /// The columns for which no object stands in where they are missing, by id: a recipient has none, and is nobody without
    /// PidTagRecipientType, PidTagDisplayName and PidTagEmailAddress.
    pub fn needed(&self) -> &'static [u16] {
        if self.nid == RECIPIENTS.nid { &[0x0c15, 0x3001, 0x3003] } else { &[] }
    }
}

/// The type that a property has in this format: ANSI stores keep strings in a code page.
pub fn own_kind(format: Format, kind: PropType) -> PropType {
    let multi = kind.0 & PropType::MULTI;
    match (format, kind.element()) {
        (Format::Ansi, PropType::UNICODE) => PropType(PropType::STRING8.0 | multi),
        _ => kind,
    }
}

/// The folders in a folder.
pub const HIERARCHY: Template = Template {
    nid: Nid(0x60d),
    ends: [52, 52, 53, 55],
    columns: &[
        (0x0e30_0102, 20, 4, 6),
        (0x0e33_0014, 24, 8, 7),
        (0x0e34_0102, 32, 4, 8),
        (0x0e38_0003, 36, 4, 9),
        (0x3001_001f, 8, 4, 2),
        (0x3602_0003, 12, 4, 3),
        (0x3603_0003, 16, 4, 4),
        (0x360a_000b, 52, 1, 5),
        (0x3613_001f, 40, 4, 10),
        (0x6635_0003, 44, 4, 11),
        (0x6636_0003, 48, 4, 12),
        (0x67f2_0003, 0, 4, 0),
        (0x67f3_0003, 4, 4, 1),
    ],
};

/// The messages in a folder.
pub const CONTENTS: Template = Template {
    nid: Nid(0x60e),
    ends: [120, 120, 122, 126],
    columns: &[
        (0x0017_0003, 20, 4, 5),
        (0x001a_001f, 12, 4, 3),
        (0x0036_0003, 60, 4, 15),
        (0x0037_001f, 28, 4, 7),
        (0x0039_0040, 40, 8, 9),
        (0x0042_001f, 24, 4, 6),
        (0x0057_000b, 120, 1, 13),
        (0x0058_000b, 121, 1, 14),
        (0x0070_001f, 68, 4, 17),
        (0x0071_0102, 72, 4, 18),
        (0x0e03_001f, 56, 4, 12),
        (0x0e04_001f, 52, 4, 11),
        (0x0e06_0040, 32, 8, 8),
        (0x0e07_0003, 16, 4, 4),
        (0x0e08_0003, 48, 4, 10),
        (0x0e17_0003, 8, 4, 2),
        (0x0e30_0102, 92, 4, 22),
        (0x0e33_0014, 96, 8, 23),
        (0x0e34_0102, 104, 4, 24),
        (0x0e38_0003, 116, 4, 27),
        (0x0e3c_0102, 112, 4, 26),
        (0x0e3d_0102, 108, 4, 25),
        (0x1097_0003, 64, 4, 16),
        (0x3008_0040, 84, 8, 21),
        (0x3013_0102, 76, 4, 19),
        (0x65c6_0003, 80, 4, 20),
        (0x67f2_0003, 0, 4, 0),
        (0x67f3_0003, 4, 4, 1),
    ],
};

/// The associated messages in a folder.
pub const ASSOCIATED: Template = Template {
    nid: Nid(0x60f),
    ends: [56, 56, 57, 59],
    columns: &[
        (0x001a_001f, 12, 4, 3),
        (0x0e07_0003, 16, 4, 4),
        (0x0e17_0003, 8, 4, 2),
        (0x3001_001f, 20, 4, 5),
        (0x67f2_0003, 0, 4, 0),
        (0x67f3_0003, 4, 4, 1),
        (0x6800_001f, 44, 4, 11),
        (0x6803_000b, 56, 1, 12),
        (0x6805_1003, 48, 4, 13),
        (0x682f_001f, 52, 4, 14),
        (0x7003_0003, 24, 4, 6),
        (0x7004_0102, 28, 4, 7),
        (0x7005_0102, 32, 4, 8),
        (0x7006_001f, 36, 4, 9),
        (0x7007_0003, 40, 4, 10),
    ],
};

/// The messages in a search folder.
pub const SEARCH_CONTENTS: Template = Template {
    nid: Nid(0x610),
    ends: [72, 72, 75, 78],
    columns: &[
        (0x0017_0003, 28, 4, 7),
        (0x001a_001f, 20, 4, 5),
        (0x0036_0003, 60, 4, 16),
        (0x0037_001f, 36, 4, 9),
        (0x0042_001f, 32, 4, 8),
        (0x0057_000b, 72, 1, 14),
        (0x0058_000b, 73, 1, 15),
        (0x0e03_001f, 56, 4, 13),
        (0x0e04_001f, 52, 4, 12),
        (0x0e05_001f, 12, 4, 3),
        (0x0e06_0040, 40, 8, 10),
        (0x0e07_0003, 24, 4, 6),
        (0x0e08_0003, 48, 4, 11),
        (0x0e17_0003, 16, 4, 4),
        (0x0e2a_000b, 74, 1, 17),
        (0x3008_0040, 64, 8, 18),
        (0x67f1_0003, 8, 4, 2),
        (0x67f2_0003, 0, 4, 0),
        (0x67f3_0003, 4, 4, 1),
    ],
};

/// Where messages of a class are received.
pub const RECEIVE_FOLDERS: Template = Template {
    nid: Nid::RECEIVE_FOLDER_TABLE,
    ends: [16, 16, 16, 17],
    columns: &[(0x001a_001f, 12, 4, 3), (0x6605_0003, 8, 4, 2), (0x67f2_0003, 0, 4, 0), (0x67f3_0003, 4, 4, 1)],
};

/// The messages that wait to be sent.
pub const OUTGOING_QUEUE: Template = Template {
    nid: Nid::OUTGOING_QUEUE,
    ends: [24, 24, 24, 25],
    columns: &[(0x0039_0040, 16, 8, 4), (0x0e10_0003, 12, 4, 3), (0x0e14_0003, 8, 4, 2), (0x67f2_0003, 0, 4, 0), (0x67f3_0003, 4, 4, 1)],
};

/// The attachments of a message.
pub const ATTACHMENTS: Template = Template {
    nid: Nid::ATTACHMENT_TABLE,
    ends: [24, 24, 24, 25],
    columns: &[
        (0x0e20_0003, 12, 4, 3),
        (0x3704_001f, 20, 4, 5),
        (0x3705_0003, 16, 4, 4),
        (0x370b_0003, 8, 4, 2),
        (0x67f2_0003, 0, 4, 0),
        (0x67f3_0003, 4, 4, 1),
    ],
};

/// The recipients of a message.
pub const RECIPIENTS: Template = Template {
    nid: Nid::RECIPIENT_TABLE,
    ends: [48, 48, 50, 52],
    columns: &[
        (0x0c15_0003, 24, 4, 7),
        (0x0e0f_000b, 48, 1, 2),
        (0x0ff9_0102, 32, 4, 9),
        (0x0ffe_0003, 36, 4, 10),
        (0x0fff_0102, 16, 4, 5),
        (0x3001_001f, 20, 4, 6),
        (0x3002_001f, 8, 4, 3),
        (0x3003_001f, 12, 4, 4),
        (0x300b_0102, 28, 4, 8),
        (0x3900_0003, 40, 4, 11),
        (0x39ff_001f, 44, 4, 13),
        (0x3a40_000b, 49, 1, 12),
        (0x67f2_0003, 0, 4, 0),
        (0x67f3_0003, 4, 4, 1),
    ],
};

/// Undocumented; in every store of Outlook 2003 and later.
const REPLICATION_6B6: Template = Template {
    nid: Nid(0x6b6),
    ends: [24, 24, 24, 25],
    columns: &[(0x0e33_0014, 8, 8, 2), (0x0e37_0102, 16, 4, 3), (0x0e38_0003, 20, 4, 4), (0x67f2_0003, 0, 4, 0), (0x67f3_0003, 4, 4, 1)],
};

/// Undocumented; in every store of Outlook 2003 and later.
const REPLICATION_6D7: Template = Template {
    nid: Nid(0x6d7),
    ends: [40, 40, 40, 42],
    columns: &[
        (0x001a_001f, 36, 4, 8),
        (0x0e30_0102, 16, 4, 4),
        (0x0e31_0102, 12, 4, 3),
        (0x0e33_0014, 28, 8, 7),
        (0x0e34_0102, 24, 4, 6),
        (0x0e38_0003, 20, 4, 5),
        (0x0e3e_0102, 8, 4, 2),
        (0x67f2_0003, 0, 4, 0),
        (0x67f3_0003, 4, 4, 1),
    ],
};

/// Undocumented; in every store of Outlook 2003 and later.
const REPLICATION_6F8: Template = Template {
    nid: Nid(0x6f8),
    ends: [24, 24, 24, 25],
    columns: &[(0x0e33_0014, 16, 8, 3), (0x3007_0040, 8, 8, 2), (0x67f2_0003, 0, 4, 0), (0x67f3_0003, 4, 4, 1)],
};

/// All that stand empty in a store, each in a node of its own. The receive-folder table is no template: it has rows.
pub const EMPTY: [Template; 10] = [
    HIERARCHY,
    CONTENTS,
    ASSOCIATED,
    SEARCH_CONTENTS,
    OUTGOING_QUEUE,
    ATTACHMENTS,
    RECIPIENTS,
    REPLICATION_6B6,
    REPLICATION_6D7,
    REPLICATION_6F8,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::table::{ROW_ID, ROW_VERSION};

    /// What Outlook and scanpst ask of a table's columns.
    #[test]
    fn columns_ascend_and_fill_their_rows_without_overlap() {
        for template in EMPTY.into_iter().chain([RECEIVE_FOLDERS]) {
            let shape = template.shape(Format::Unicode);
            let columns = &shape.columns;
            assert!(columns.is_sorted_by_key(|column| column.id), "{:x}", template.nid.0);
            let mut bits: Vec<u8> = columns.iter().map(|column| column.bit).collect();
            bits.sort_unstable();
            assert!(bits.into_iter().eq(0..columns.len() as u8), "{:x}", template.nid.0);
            let mut bytes: Vec<u16> = columns.iter().flat_map(|column| column.offset..column.offset + u16::from(column.size)).collect();
            bytes.sort_unstable();
            assert!(bytes.into_iter().eq(0..shape.ends[2]), "{:x}", template.nid.0);
            assert_eq!(usize::from(shape.ends[3] - shape.ends[2]), columns.len().div_ceil(8));
            let place = |id| columns.iter().find(|column| column.id == id).map(|column| (column.offset, column.bit));
            assert_eq!((place(ROW_ID), place(ROW_VERSION)), (Some((0, 0)), Some((4, 1))));
            assert_eq!(shape.extended(&[]), shape);
        }
    }

    #[test]
    fn ansi_tables_hold_strings_in_a_code_page() {
        assert_eq!(CONTENTS.shape(Format::Ansi).columns[1].kind, PropType::STRING8);
        assert_eq!(own_kind(Format::Ansi, PropType(0x101f)), PropType(0x101e));
    }
}
