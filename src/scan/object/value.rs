//! Values, strictly: that a reference leads somewhere and that what is there has the size its type wants
//! ([MS-PST] 2.3.3.3, 2.3.3.4).

use super::super::case::Case;
use super::super::victim::written;
use super::heap::HeapCheck;
use super::survive;
use crate::damage::{Code, Place, Result};
use crate::format::Format;
use crate::format::codec;
use crate::format::id::{Hnid, NodeType};
use crate::format::property::{ObjectRecord, PropType};
use crate::ltp::value::Value;
use crate::store::item::without_prefix_mark;

/// Which codes tell what is wrong: properties and cells have their own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Codes {
    /// The heap has no such item.
    pub(super) item: Code,
    /// There is no such subnode.
    pub(super) missing: Code,
    /// The value has the wrong size.
    pub(super) size: Code,
}

/// Checks the value that a reference leads to.
pub(super) fn check(case: &mut Case, heap: &mut HeapCheck<'_>, kind: PropType, at: Hnid, place: Place, codes: Codes) -> Result<()> {
    if kind == PropType::OBJECT {
        return object(case, heap, at, place);
    }
    let fixed = kind.fixed_bytes().filter(|_| !kind.is_multi());
    if at.is_none() {
        // Nothing stored is an empty value, which only what has no fixed size can be.
        if let Some(size) = fixed {
            case.add_at(codes.size, place, format!("no bytes, not {size}"));
        }
        return Ok(());
    }
    let Some(hid) = at.hid() else { return stream(case, heap, kind, at, place, codes) };
    let Some(item) = heap.item_or(case, hid, place, codes.item)? else { return Ok(()) };
    match fixed {
        Some(size) if item.len() != size => case.add_at(codes.size, place, format!("{} bytes, not {size}", item.len())),
        Some(_) => {}
        None => {
            if let Some(wrong) = malformed(kind, &item) {
                case.add_at(Code::StringValue, place, wrong);
            }
        }
    }
    Ok(())
}

/// A value in a subnode: the passes over blocks read its bytes, here only its length counts.
fn stream(case: &mut Case, heap: &HeapCheck<'_>, kind: PropType, at: Hnid, place: Place, codes: Codes) -> Result<()> {
    let nid = at.nid();
    if nid.kind() != NodeType::LTP {
        case.add_at(codes.missing, place, format!("reference {:#x}", at.0));
        return Ok(());
    }
    let Some(subnode) = survive(case, heap.heap().subnode(nid))? else { return Ok(()) };
    match subnode {
        None => case.add_at(codes.missing, place, format!("there is no subnode {nid}")),
        Some(subnode) if kind == PropType::UNICODE => {
            let len = super::data_bytes(heap.heap().ndb(), subnode.data)?;
            if let Some(len) = len.filter(|len| len & 1 != 0) {
                case.add_at(Code::StringValue, place, format!("{len} bytes"));
            }
        }
        Some(_) => {}
    }
    Ok(())
}

/// An object: 8 bytes that name a subnode.
fn object(case: &mut Case, heap: &mut HeapCheck<'_>, at: Hnid, place: Place) -> Result<()> {
    let Some(hid) = at.hid().filter(|hid| !hid.is_none()) else {
        case.add_at(Code::ObjectValue, place, format!("reference {:#x}", at.0));
        return Ok(());
    };
    let format = heap.heap().ndb().format();
    let Some(item) = heap.item(case, hid, place)? else { return Ok(()) };
    let Ok(object) = codec::decode::<ObjectRecord>(format, &item) else {
        case.add_at(Code::ObjectValue, place, format!("{} bytes", item.len()));
        return Ok(());
    };
    if let Some(None) = survive(case, heap.heap().subnode(object.nid))? {
        case.add_at(Code::ObjectValue, place, format!("there is no subnode {}", object.nid));
    }
    Ok(())
}

/// What is wrong with the bytes of a string or of several values; `None` where nothing is.
fn malformed(kind: PropType, bytes: &[u8]) -> Option<String> {
    if !kind.is_multi() {
        return (kind == PropType::UNICODE && bytes.len() & 1 != 0).then(|| format!("{} bytes", bytes.len()));
    }
    if let Some(size) = kind.element().fixed_bytes() {
        return (bytes.len().checked_rem(size) != Some(0)).then(|| format!("{} bytes in elements of {size}", bytes.len()));
    }
    let count: u32 = codec::decode(Format::Unicode, bytes).unwrap_or(0);
    let offsets: Vec<u32> =
        codec::entries(Format::Unicode, bytes.get(4..).unwrap_or_default(), 4).take(usize::try_from(count).unwrap_or(usize::MAX)).collect();
    let begin = u64::from(count).saturating_mul(4).saturating_add(4);
    let in_range =
        offsets.iter().all(|offset| u64::from(*offset) >= begin && usize::try_from(*offset).is_ok_and(|offset| offset <= bytes.len()));
    let whole = usize::try_from(count).is_ok_and(|count| count == offsets.len());
    (!whole || !in_range || !offsets.is_sorted()).then(|| format!("{count} elements in {} bytes", bytes.len()))
}

/// The most characters of a value that are told.
const SHOWN_MAX: usize = 48;

/// A value as a finding tells it.
pub(super) fn shown(value: &Value) -> String {
    let text = match value {
        Value::Unicode(text) => format!("{:?}", without_prefix_mark(text.clone())),
        Value::String8(bytes) => format!("{:?}", without_prefix_mark(String::from_utf8_lossy(bytes).into_owned())),
        Value::Binary(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Value::I32(number) => number.to_string(),
        Value::I64(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Time(time) => written(*time).unwrap_or_else(|| format!("time {:#x}", time.0)),
        other => format!("{other:?}"),
    };
    let mut chars = text.chars();
    let head: String = chars.by_ref().take(SHOWN_MAX).collect();
    if chars.next().is_some() { format!("{head}…") } else { head }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_strings_have_ascending_offsets_within_their_bytes() {
        let strings = |offsets: [u32; 2]| {
            let mut bytes = vec![2, 0, 0, 0];
            offsets.iter().for_each(|offset| bytes.extend(offset.to_le_bytes()));
            bytes.extend(*b"abc");
            malformed(PropType(0x101e), &bytes)
        };
        assert_eq!(strings([12, 14]), None);
        assert!([[14, 12], [12, 16], [4, 12]].into_iter().all(|offsets| strings(offsets).is_some()));
        assert!(malformed(PropType(0x101e), &[0xff; 8]).is_some());
    }

    #[test]
    fn sizes_come_out_even() {
        assert_eq!((malformed(PropType::UNICODE, &[0; 4]), malformed(PropType(0x1003), &[0; 8])), (None, None));
        assert!(malformed(PropType::UNICODE, &[0; 3]).is_some() && malformed(PropType(0x1003), &[0; 6]).is_some());
    }
}
