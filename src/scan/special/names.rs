//! The map of named properties and the index into it ([MS-PST] 2.4.7).

use crate::damage::{Code, Result};
use crate::format::Format;
use crate::format::checksum;
use crate::format::codec;
use crate::ltp::value::Value;
use crate::scan::Context;
use crate::scan::case::Case;
use crate::scan::object::{PropertyCheck, survive};
use crate::store::names::{NameEntry, NameMap};
use crate::store::props::{Key, VALUE_MAX};
use crate::store::tags;

/// The first property of the index; one for each bucket.
const BUCKETS_AT: u16 = 0x1000;

/// Checks the map.
pub(super) fn name_map(context: &Context<'_>, case: &mut Case, props: &PropertyCheck<'_>) -> Result<()> {
    let mut stream = |key: Key| bytes(context, case, props, key);
    let (sets, entries, strings) = (stream(tags::NAME_MAP_GUIDS)?, stream(tags::NAME_MAP_ENTRIES)?, stream(tags::NAME_MAP_STRINGS)?);
    if entries.len() & 7 != 0 || sets.len() & 15 != 0 {
        case.add(Code::NamedProperties, format!("{} bytes of entries, {} of sets", entries.len(), sets.len()));
    }
    if sets.is_empty() || entries.is_empty() {
        // Outlook's first act in a new store is to name some; libpff opens none without.
        case.add(Code::NamedProperties, "it is empty");
    }
    let (_, failed) = NameMap::read(&sets, &entries, &strings);
    if failed > 0 {
        case.add(Code::NamedProperties, format!("{failed} entries name no set or no string"));
    }
    let entries: Vec<NameEntry> = codec::entries(Format::Unicode, &entries, 8).collect();
    for (position, entry) in entries.iter().enumerate() {
        if usize::from(entry.index) != position {
            case.add(
                Code::NamedProperties,
                format!("entry {position} is of property {:#x}", u32::from(entry.index).saturating_add(0x8000)),
            );
        }
    }
    index(context, case, props, &entries, &strings)
}

/// The index: each name stands in the bucket that follows from it.
fn index(context: &Context<'_>, case: &mut Case, props: &PropertyCheck<'_>, entries: &[NameEntry], strings: &[u8]) -> Result<()> {
    let count = props.int(tags::NAME_MAP_BUCKETS).and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
    if count == 0 || count > 0x7000 {
        case.add(Code::NamedProperties, format!("an index of {count} buckets"));
        return Ok(());
    }
    let mut misplaced = 0_u64;
    let mut in_buckets = 0_usize;
    for number in 0..count {
        let Some(id) = u16::try_from(number).ok().and_then(|number| BUCKETS_AT.checked_add(number)) else { break };
        let bucket = bytes(context, case, props, Key::Id(id))?;
        for entry in codec::entries::<NameEntry>(Format::Unicode, &bucket, 8) {
            in_buckets = in_buckets.saturating_add(1);
            let listed = entries.get(usize::from(entry.index));
            let fits = listed.is_some_and(|listed| hash(listed, strings) == Some(entry.value) && listed.set == entry.set);
            let belongs = (entry.value ^ u32::from(entry.set)).checked_rem(count) == Some(number);
            if !fits || !belongs {
                misplaced = misplaced.saturating_add(1);
            }
        }
    }
    if misplaced > 0 {
        case.add(Code::NameIndex, format!("{misplaced} of {in_buckets} entries"));
    }
    if in_buckets != entries.len() {
        case.add(Code::NameIndex, format!("{in_buckets} entries for {} names", entries.len()));
    }
    Ok(())
}

/// What the index keeps of a name: its number, or the CRC of its text.
fn hash(entry: &NameEntry, strings: &[u8]) -> Option<u32> {
    if entry.set & 1 == 0 {
        return Some(entry.value);
    }
    let at = usize::try_from(entry.value).ok()?;
    let len: u32 = codec::decode(Format::Unicode, strings.get(at..)?).ok()?;
    codec::cut(strings, at.checked_add(4)?, usize::try_from(len).ok()?).map(checksum::crc)
}

fn bytes(context: &Context<'_>, case: &mut Case, props: &PropertyCheck<'_>, key: Key) -> Result<Vec<u8>> {
    Ok(match props.value(key)? {
        Some(Value::Binary(bytes)) => bytes,
        Some(Value::Stream(stream)) if stream.len <= VALUE_MAX => {
            let ndb = context.store.ndb();
            survive(case, ndb.data(stream.data).and_then(|data| data.read_all(ndb)))?.unwrap_or_default()
        }
        _ => Vec::new(),
    })
}
