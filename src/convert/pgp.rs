//! Mail encrypted with PGP, as it was sent (RFC 3156 4).
//!
//! Outlook knows nothing of PGP: it stores the two parts of a multipart/encrypted message as attachments. A reader that
//! knows finds the message only where they stand together again, alone and in their order.

use super::document::{Fetch, Segment};
use super::encode::fits_lines;
use super::file::{self, File, Shown};
use super::header;
use super::part::{Part, Step};
use crate::damage::Result;
use crate::store::item::Item;

/// The type of the first part.
const CONTROL: &str = "application/pgp-encrypted";

/// The largest part that goes out as it is; larger ones in base64.
const AS_IT_IS_MAX: u64 = 16 << 20;

/// The kind of multipart and its parts; `None` where the attachments are not such a message.
///
/// `has_text` tells whether there is a body beside them: such a message came otherwise, and stays a message with files.
pub fn encrypted(item: &Item, has_text: bool, fetch: Fetch<'_>) -> Result<Option<Vec<Part>>> {
    let [first, second] = item.attachments.as_slice() else { return Ok(None) };
    if has_text {
        return Ok(None);
    }
    let (Shown::File(control), Shown::File(data)) = (file::shown(first, 1, fetch)?, file::shown(second, 2, fetch)?) else {
        return Ok(None);
    };
    let armour = data.bytes.read(0, 64, fetch)?;
    if control.kind != CONTROL || !armour.trim_ascii_start().starts_with(b"-----BEGIN PGP MESSAGE-----") {
        return Ok(None);
    }
    Ok(Some(vec![part(CONTROL, control, fetch)?, part("application/octet-stream", data, fetch)?]))
}

/// What tells that the parts belong together.
pub const PROTOCOL: &str = "protocol=\"application/pgp-encrypted\";";

/// A part as it came, in the lines that it has; readers expect no encoding here.
fn part(kind: &str, file: File, fetch: Fetch<'_>) -> Result<Part> {
    let stands = file.bytes.len() <= AS_IT_IS_MAX && {
        let bytes = file.bytes.read(0, usize::MAX, fetch)?;
        bytes.is_ascii() && fits_lines(&bytes)
    };
    let mut part = Part::base64(kind, &file.name, file.bytes.clone());
    if stands {
        part.fields.set(header::tokens("Content-Transfer-Encoding", ["7bit".to_owned()]));
        part.body = vec![Step::Write(Segment::Raw(file.bytes))];
    }
    Ok(part)
}
