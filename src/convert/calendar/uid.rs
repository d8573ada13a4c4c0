//! UID from an appointment's global object id ([MS-OXOCAL] 2.2.1.27, [MS-OXCICAL] 2.1.3.1.1.20.26).

use crate::convert::lines::{hex, unique_id};
use crate::format::Format;
use crate::format::codec::{Cut, Decoder, cut};
use crate::store::item::Item;
use crate::store::tags;

/// The UID: what the iCalendar said that the item came from, else the global object id in hexadecimal digits.
pub(super) fn uid(item: &Item) -> String {
    [tags::LID_CLEAN_GLOBAL_OBJECT_ID, tags::LID_GLOBAL_OBJECT_ID]
        .into_iter()
        .filter_map(|key| item.props.bytes(key))
        .find_map(|id| of_global_id(&id))
        .unwrap_or_else(|| unique_id(item, &[&item.props.time(tags::LID_APPOINTMENT_START_WHOLE)]))
}

/// What stands before a foreign UID in the data of a global object id.
const FOREIGN: &[u8] = b"vCal-Uid\x01\0\0\0";
/// The bytes of the instance's date, which an exception has and its series has not.
const DATE: std::ops::Range<usize> = 16..20;
/// The bytes before the data: id of the kind, date, creation time, padding, size.
const HEADER_BYTES: usize = 40;

fn of_global_id(id: &[u8]) -> Option<String> {
    let data = data(id).ok()?;
    if let Some(foreign) = data.strip_prefix(FOREIGN) {
        let text = String::from_utf8_lossy(foreign);
        let text = text.trim_end_matches('\0');
        return (!text.is_empty()).then(|| text.to_owned());
    }
    let without_date: Vec<u8> = id.iter().enumerate().map(|(at, byte)| if DATE.contains(&at) { 0 } else { *byte }).collect();
    Some(hex(&without_date))
}

fn data(id: &[u8]) -> Result<&[u8], Cut> {
    let mut from = Decoder::new(Format::Unicode, id);
    from.take(HEADER_BYTES.saturating_sub(4))?;
    let len: u32 = from.field()?;
    // Some writers tell a wrong size; the bytes decide.
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(from.rest().len());
    cut(from.rest(), 0, len).ok_or(Cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(date: [u8; 4], data: &[u8]) -> Vec<u8> {
        let mut id = vec![4, 0, 0, 0, 0x82, 0, 0xe0, 0, 0x74, 0xc5, 0xb7, 0x10, 0x1a, 0x82, 0xe0, 8];
        id.extend(date);
        id.extend([0; 16]);
        id.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        id.extend(data);
        id
    }

    #[test]
    fn an_instance_has_the_uid_of_its_series() {
        assert_eq!(of_global_id(&id([7, 0xe0, 8, 2], b"\x2a")), of_global_id(&id([0; 4], b"\x2a")));
        let expected = format!("040000008200E00074C5B7101A82E008{}010000002A", "0".repeat(40));
        assert_eq!(of_global_id(&id([7, 0xe0, 8, 2], b"\x2a")), Some(expected));
    }

    #[test]
    fn a_foreign_uid_is_unwrapped() {
        assert_eq!(of_global_id(&id([0; 4], b"vCal-Uid\x01\0\0\0abc@example.test\0")).as_deref(), Some("abc@example.test"));
        assert_eq!(of_global_id(&id([0; 4], b"vCal-Uid\x01\0\0\0\0")), None);
    }

    #[test]
    fn a_cut_id_is_none() {
        assert_eq!(of_global_id(&id([0; 4], b"")[..39]), None);
    }
}
