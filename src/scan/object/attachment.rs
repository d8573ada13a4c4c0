//! The attachments of a message, and the messages in them ([MS-PST] 2.4.6).

use std::collections::BTreeMap;

use super::super::case::Case;
use super::message::{Kind, Message, message};
use super::properties::PropertyCheck;
use super::row::Cells;
use super::table::check_table;
use super::{Look, survive};
use crate::damage::{Code, Result, Severity};
use crate::format::block::SubnodeEntry;
use crate::format::id::{Nid, NodeType};
use crate::ltp::value::Value;
use crate::ltp::{Row, Table};
use crate::store::item::NodeRef;
use crate::store::tags;

/// How many subnodes lie in each other at most; messages in messages need two of them each.
pub(super) const DEPTH_MAX: usize = 64;

/// A message's table of attachments, and its rows by the attachment's id; `None` for those that cannot be read.
#[derive(Debug, Default)]
struct Listed<'a> {
    table: Option<Table<'a>>,
    rows: BTreeMap<u32, Option<Row>>,
}

impl Listed<'_> {
    fn cells(&self, id: u32) -> Cells<'_> {
        let row = self.rows.get(&id).and_then(Option::as_ref);
        self.table.as_ref().map_or_else(Cells::default, |table| Cells::of(table, row))
    }
}

/// Checks all attachments of a message; returns whether there are any, by its table.
pub(super) fn attachments(look: &mut Look<'_>, case: &mut Case, node: NodeRef, subnodes: &[SubnodeEntry]) -> Result<bool> {
    let table = subnodes.iter().find(|subnode| subnode.nid.nid == Nid::ATTACHMENT_TABLE);
    let listed = match table {
        Some(table) => listed(look, case, table)?,
        None => Some(Listed::default()),
    };
    let attached = subnodes.iter().filter(|subnode| subnode.nid.nid.kind() == NodeType::ATTACHMENT);
    let mut unlisted = 0_usize;
    for subnode in attached {
        let nid = subnode.nid.nid;
        unlisted = unlisted.saturating_add(listed.as_ref().is_some_and(|listed| !listed.rows.contains_key(&nid.0)).into());
        let cells = listed.as_ref().map_or_else(Cells::default, |listed| listed.cells(nid.0));
        case.below(nid, |case| attachment(look, case, subnode, cells))?;
    }
    if unlisted > 0 {
        case.add(Code::AttachmentTable, format!("{unlisted} attachments have no row"));
    }
    for id in listed.iter().flat_map(|listed| listed.rows.keys()) {
        if !subnodes.iter().any(|subnode| subnode.nid.nid.0 == *id) {
            case.add_at(Code::AttachmentTable, case.place().row(*id), format!("there is no attachment {id:#x} in {}", node.nid));
        }
    }
    // A table that cannot be read says nothing against the attachments that are there.
    Ok(listed.map_or(unlisted == 0, |listed| !listed.rows.is_empty()))
}

fn listed<'a>(look: &Look<'a>, case: &mut Case, table: &SubnodeEntry) -> Result<Option<Listed<'a>>> {
    let node = NodeRef { nid: table.nid.nid, data: table.data, subnodes: table.subnodes };
    let ndb = look.store.ndb();
    case.below(node.nid, |case| {
        let Some(found) = check_table(case, ndb, node, look.progress)? else {
            case.add(Code::AttachmentTable, "the table cannot be read");
            return Ok(None);
        };
        let mut rows = BTreeMap::new();
        for (id, number) in found.rows.iter().copied() {
            // What cannot be read was found by the check of the table.
            rows.insert(id, survive(case, found.table.row_of(id, number))?.flatten());
        }
        Ok(Some(Listed { table: Some(found.table), rows }))
    })
}

/// How an attachment is stored: PidTagAttachMethod ([MS-OXCMSG] 2.2.2.9).
const BY_VALUE: i32 = 1;
const EMBEDDED: i32 = 5;
const OLE: i32 = 6;
/// The last of them: a reference to the web.
const METHOD_MAX: i32 = 7;

fn attachment(look: &mut Look<'_>, case: &mut Case, subnode: &SubnodeEntry, cells: Cells<'_>) -> Result<()> {
    let node = NodeRef { nid: subnode.nid.nid, data: subnode.data, subnodes: subnode.subnodes };
    look.progress.check()?;
    let Some(props) = PropertyCheck::open(case, look.store.ndb(), node)? else {
        case.add(Code::Attachment, "its properties cannot be read");
        return Ok(());
    };
    let method = props.int(tags::ATTACH_METHOD);
    let place = case.place().property(0x3705);
    match method {
        None => case.add_mild(Code::Attachment, Severity::Warning, "it does not tell how it is stored"),
        Some(BY_VALUE) if !props.has(tags::ATTACH_DATA) => {
            // Mail programs store files without contents so.
            case.add_mild(Code::Attachment, Severity::Note, "it has no content");
        }
        Some(EMBEDDED | OLE) if !props.has(tags::ATTACH_DATA) => case.add(Code::Attachment, "it has no content"),
        Some(method) if !(0..=METHOD_MAX).contains(&method) => case.add_at(Code::Attachment, place, format!("stored by method {method}")),
        Some(_) => {}
    }
    for (key, name) in [(tags::ATTACH_SIZE, "size"), (tags::RENDERING_POSITION, "position")] {
        if !props.has(key) {
            case.add(Code::AttachmentProperties, format!("no {name}"));
        }
    }
    if method == Some(EMBEDDED)
        && let Some(Value::Object(nid, _)) = props.value(tags::ATTACH_DATA)?
    {
        embedded(look, case, node, nid)?;
    }
    cells.compare(case, &props)?;
    props.finish(case);
    Ok(())
}

/// The message in an attachment.
fn embedded(look: &mut Look<'_>, case: &mut Case, attachment: NodeRef, nid: Nid) -> Result<()> {
    let found = survive(case, look.store.ndb().subnode(attachment.subnodes, nid))?.flatten();
    // That it is not there was found when the property was checked.
    let Some(found) = found else { return Ok(()) };
    let node = NodeRef { nid, data: found.data, subnodes: found.subnodes };
    case.below(nid, |case| {
        if case.depth() > DEPTH_MAX || !look.seen.insert(found.data.key()) {
            case.add(Code::EmbeddedMessage, "it lies in itself, or too deep");
            return Ok(());
        }
        if nid.kind() != NodeType::MESSAGE {
            case.add_mild(Code::EmbeddedMessage, Severity::Warning, "its id is not that of a message");
        }
        if message(look, case, &Message { node, kind: Kind::Embedded, row: Cells::default(), folder: None })?.is_none() {
            case.add(Code::EmbeddedMessage, "");
        }
        Ok(())
    })
}
