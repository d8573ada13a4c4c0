//! The recipients of a message ([MS-PST] 2.4.5.3).

use super::super::case::Case;
use super::message::{Kind, Message};
use super::properties::PropertyCheck;
use super::table::check_table;
use super::{Look, survive};
use crate::damage::{Code, Place, Result};
use crate::format::block::SubnodeEntry;
use crate::format::id::Nid;
use crate::format::property::PropType;
use crate::ltp::value::Value;
use crate::ltp::{Row, Table};
use crate::store::item::NodeRef;
use crate::store::props::Key;
use crate::store::recipients::{LISTS, TYPE_BITS, plain};
use crate::store::tags;

/// The longest list of names that is compared, in bytes.
const NAMES_MAX: usize = 64 << 10;

/// Checks the recipient table, where there is one: contacts, notes and many others have none.
pub(super) fn recipients(
    look: &Look<'_>,
    case: &mut Case,
    message: &Message<'_>,
    props: &PropertyCheck<'_>,
    subnodes: &[SubnodeEntry],
) -> Result<()> {
    let Some(subnode) = subnodes.iter().find(|subnode| subnode.nid.nid == Nid::RECIPIENT_TABLE) else {
        return if message.kind == Kind::Normal { lost(case, props) } else { Ok(()) };
    };
    let node = NodeRef { nid: subnode.nid.nid, data: subnode.data, subnodes: subnode.subnodes };
    let ndb = look.store.ndb();
    let names = case.below(node.nid, |case| -> Result<Option<Names>> {
        let Some(found) = check_table(case, ndb, node, look.progress)? else {
            case.add(Code::Recipients, "");
            return Ok(None);
        };
        let mut names = Names([(); 3].map(|()| Some(String::new())));
        for (id, number) in found.rows.iter().copied() {
            if let Some(Some(row)) = survive(case, found.table.row_of(id, number))? {
                recipient(case, &found.table, &row, &mut names)?;
            }
        }
        Ok(Some(names))
    })?;
    match names {
        Some(names) if message.kind == Kind::Normal => compare(case, props, &names),
        _ => Ok(()),
    }
}

/// Who has no recipients has no names of them either.
fn lost(case: &mut Case, props: &PropertyCheck<'_>) -> Result<()> {
    for key in LISTS {
        if props.value(key)?.and_then(text).is_some_and(|names| names.chars().any(char::is_alphanumeric)) {
            case.add_at(Code::Recipients, Place { property: key.id(), ..case.place() }, "the message names some");
            return Ok(());
        }
    }
    Ok(())
}

/// The names of the recipients of each kind, as display properties join them; `None` where they are not compared.
#[derive(Debug)]
struct Names([Option<String>; 3]);

fn recipient(case: &mut Case, table: &Table<'_>, row: &Row, names: &mut Names) -> Result<()> {
    let cell = |key: Key| match key {
        Key::Id(id) => table.cell(row, id),
        Key::Lid(..) | Key::Name(..) => Ok(None),
    };
    let place = case.place().row(row.id);
    let kind = match cell(tags::RECIPIENT_TYPE)? {
        Some(Value::I32(kind)) => Some(kind & TYPE_BITS),
        _ => None,
    };
    if !kind.is_some_and(|kind| (0..=3).contains(&kind)) {
        case.add_at(Code::Recipients, place.property(0x0c15), format!("of kind {kind:x?}"));
    }
    let name = cell(tags::DISPLAY_NAME)?;
    let is_named = name.as_ref().is_some_and(is_text) || cell(tags::EMAIL_ADDRESS)?.is_some_and(|address| is_text(&address));
    if !is_named {
        case.add_at(Code::Recipients, place, "neither name nor address");
    }
    let list = kind.and_then(|kind| usize::try_from(kind.checked_sub(1)?).ok()).and_then(|kind| names.0.get_mut(kind));
    let Some(list) = list else { return Ok(()) };
    match name {
        // It stands beside the table, as what is too long for a heap does: the list is not compared.
        Some(Value::Stream(_)) => *list = None,
        name => {
            if let (Some(list), Some(name)) = (list, name.and_then(text)) {
                if !list.is_empty() {
                    list.push_str("; ");
                }
                list.push_str(name.get(..NAMES_MAX).unwrap_or(&name));
                list.truncate(list.floor_char_boundary(NAMES_MAX));
            }
        }
    }
    Ok(())
}

/// Whether a value is a text, or one that was left in the file.
fn is_text(value: &Value) -> bool {
    match value {
        Value::Unicode(_) | Value::String8(_) => true,
        Value::Stream(stream) => [PropType::UNICODE, PropType::STRING8].contains(&stream.kind),
        _ => false,
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::Unicode(text) => Some(text),
        Value::String8(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        _ => None,
    }
}

/// The display properties list the recipients' names.
fn compare(case: &mut Case, props: &PropertyCheck<'_>, names: &Names) -> Result<()> {
    for (key, listed) in LISTS.into_iter().zip(&names.0) {
        let (Some(told), Some(listed)) = (props.value(key)?.and_then(text), listed) else { continue };
        // Where a list is long, both may be cut.
        if listed.len() < NAMES_MAX && told != *listed && plain(&told) != plain(listed) {
            case.add_at(
                Code::DisplayNames,
                Place { property: key.id(), ..case.place() },
                format!("{} and {} characters", told.len(), listed.len()),
            );
        }
    }
    Ok(())
}
