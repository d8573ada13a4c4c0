//! The head of a message's compressed RTF ([MS-OXRTFCP] 2.1.3.1.1).

use super::super::case::Case;
use super::Look;
use super::properties::PropertyCheck;
use crate::damage::{Code, Result, Severity};
use crate::format::Format;
use crate::format::checksum;
use crate::format::codec::{Cut, Decoder};
use crate::ltp::value::Value;
use crate::store::tags;

/// What compressed RTF begins with.
#[derive(Clone, Copy, Debug)]
struct RtfHead {
    /// Bytes that follow this field.
    compressed: u32,
    /// How it is stored.
    method: u32,
    /// CRC of what follows the head.
    crc: u32,
}

impl RtfHead {
    fn decode(bytes: &[u8]) -> Result<Self, Cut> {
        let mut from = Decoder::new(Format::Unicode, bytes);
        let (compressed, _raw): (u32, u32) = (from.field()?, from.field()?);
        Ok(Self { compressed, method: from.field()?, crc: from.field()? })
    }
}

/// "LZFu": compressed.
const COMPRESSED: u32 = 0x7546_5a4c;
/// "MELA": as it is.
const PLAIN: u32 = 0x414c_454d;
const HEAD_BYTES: usize = 16;

/// Checks the head, and the CRC of what is small enough to stand in the heap.
pub(super) fn compressed_rtf(look: &Look<'_>, case: &mut Case, props: &PropertyCheck<'_>) -> Result<()> {
    let (bytes, len) = match props.value(tags::RTF_COMPRESSED)? {
        Some(Value::Binary(bytes)) => {
            let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            (bytes, len)
        }
        Some(Value::Stream(stream)) => {
            let head = look.store.ndb().data(stream.data).and_then(|data| data.read(look.store.ndb(), 0, HEAD_BYTES));
            match super::survive(case, head)? {
                Some(head) => (head, stream.len),
                None => return Ok(()),
            }
        }
        _ => return Ok(()),
    };
    if len == 0 {
        return Ok(());
    }
    let place = case.place().property(0x1009);
    let Ok(head) = RtfHead::decode(&bytes) else {
        case.add_at(Code::CompressedRtf, place, format!("{len} bytes"));
        return Ok(());
    };
    if ![COMPRESSED, PLAIN].contains(&head.method) {
        case.add_at(Code::CompressedRtf, place, format!("stored by method {:#x}", head.method));
    } else if u64::from(head.compressed).saturating_add(4) != len {
        // One writer counts otherwise; readers go by the bytes that are there.
        case.add_mild(
            Code::CompressedRtf,
            Severity::Note,
            format!("told {} bytes, there are {len}", u64::from(head.compressed).saturating_add(4)),
        );
    } else if head.method == COMPRESSED && u64::try_from(bytes.len()) == Ok(len) {
        let crc = checksum::crc(bytes.get(HEAD_BYTES..).unwrap_or_default());
        if crc != head.crc {
            case.add_mild(Code::CompressedRtf, Severity::Note, format!("CRC stored {:#010x}, computed {crc:#010x}", head.crc));
        }
    }
    Ok(())
}
