//! The store's own nodes: its properties, its map of names, its templates.
//!
//! Proves: the store's properties name folders of this store (M01); the map of named properties is whole and its index
//! finds what it holds (M24, M29); templates are empty and have their columns (T11); a folder receives what no other does
//! (M26). With all of them go the checks of heaps, properties and tables (L, T).
//! Collects: nothing.
//! Relies on: that these nodes are there, which the passes over nodes prove.

mod names;

use super::Context;
use super::case::{Case, Fold};
use super::object::{PropertyCheck, check_table, look_up, own_bytes, survive};
use super::victim::Victims;
use crate::damage::{Code, Result, Severity};
use crate::format::Format;
use crate::format::codec;
use crate::format::header::Client;
use crate::format::id::{Nid, NodeType};
use crate::ltp::value::Value;
use crate::store::item::NodeRef;
use crate::store::props::Key;
use crate::store::tags;

/// Runs the pass.
pub(super) fn run(context: &Context<'_>) -> Result<()> {
    context.report.phase("Validating the store's own nodes");
    let nids = OWN.iter().copied().chain(TEMPLATES.iter().map(|(nid, _)| *nid)).chain([Nid::RECEIVE_FOLDER_TABLE]);
    context.progress.begin("Validating the store's own nodes", total(context, nids)?)?;
    let victims = Victims::of(context.store);
    let mut fold = Fold::new(context.report, &victims);
    for nid in OWN {
        look(context, &mut fold, nid, own_properties)?;
    }
    for (nid, columns) in TEMPLATES {
        look(context, &mut fold, *nid, |context, case, node| template(context, case, node, columns))?;
    }
    look(context, &mut fold, Nid::RECEIVE_FOLDER_TABLE, receive_folders)?;
    fold.flush();
    Ok(())
}

/// Nodes with properties of the store itself.
const OWN: [Nid; 2] = [Nid::MESSAGE_STORE, Nid::NAME_MAP];

/// How many bytes these nodes count for.
fn total(context: &Context<'_>, nids: impl Iterator<Item = Nid>) -> Result<u64> {
    let ndb = context.store.ndb();
    let mut total = 0_u64;
    for nid in nids {
        let node = look_up(ndb, nid)?.found();
        total = total.saturating_add(node.map_or(0, |node| own_bytes(ndb, &node)));
    }
    Ok(total)
}

fn is_pst(context: &Context<'_>) -> bool {
    context.store.ndb().header().client == Client::PST
}

/// Looks at a node, where it is there.
fn look(
    context: &Context<'_>,
    fold: &mut Fold<'_, '_>,
    nid: Nid,
    look: impl FnOnce(&Context<'_>, &mut Case, NodeRef) -> Result<()>,
) -> Result<()> {
    let Some(node) = look_up(context.store.ndb(), nid)?.found() else { return Ok(()) };
    context.progress.add(own_bytes(context.store.ndb(), &node))?;
    let mut case = Case::of(nid);
    look(context, &mut case, NodeRef { nid, data: node.data, subnodes: node.subnodes })?;
    fold.take(nid, case);
    Ok(())
}

/// The store's properties, or its map of names.
fn own_properties(context: &Context<'_>, case: &mut Case, node: NodeRef) -> Result<()> {
    let Some(props) = PropertyCheck::open(case, context.store.ndb(), node)? else { return Ok(()) };
    if node.nid == Nid::NAME_MAP {
        names::name_map(context, case, &props)?;
    } else {
        store(context, case, &props)?;
    }
    props.finish(case);
    Ok(())
}

/// Entry ids of folders that a PST's store names ([MS-PST] 2.4.3.1); the others are there once their folder is.
const FOLDERS_REQUIRED: [Key; 3] = [tags::IPM_SUBTREE_ENTRY_ID, tags::IPM_WASTEBASKET_ENTRY_ID, tags::FINDER_ENTRY_ID];
const FOLDERS_USUAL: [Key; 3] = [tags::IPM_OUTBOX_ENTRY_ID, tags::IPM_SENT_MAIL_ENTRY_ID, tags::COMMON_VIEWS_ENTRY_ID];

fn store(context: &Context<'_>, case: &mut Case, props: &PropertyCheck<'_>) -> Result<()> {
    let record_key = match props.value(tags::RECORD_KEY)? {
        Some(Value::Binary(bytes)) if bytes.len() == 16 => Some(bytes),
        _ => None,
    };
    if record_key.is_none() {
        case.add_at(Code::StoreProperties, case.place().property(0x0ff9), "the store has no id");
    }
    if !props.has(tags::DISPLAY_NAME) {
        case.add_mild(Code::StoreProperties, Severity::Note, "the store has no name");
    }
    for key in FOLDERS_REQUIRED.into_iter().chain(FOLDERS_USUAL) {
        let Key::Id(id) = key else { continue };
        let place = case.place().property(id);
        match props.value(key)? {
            Some(Value::Binary(entry)) => {
                if let Some(wrong) = entry_id_wrong(context, &entry, record_key.as_deref())? {
                    case.add_at(Code::StoreProperties, place, wrong);
                }
            }
            // An OST's folders stand at fixed ids.
            _ if is_pst(context) && FOLDERS_REQUIRED.contains(&key) => case.add_at(Code::StoreProperties, place, "there is none"),
            _ => {}
        }
    }
    Ok(())
}

/// What is wrong with the entry id of a folder: 4 zeros, the store's id, the folder's node id ([MS-PST] 2.4.3.2).
fn entry_id_wrong(context: &Context<'_>, entry: &[u8], record_key: Option<&[u8]>) -> Result<Option<String>> {
    let nid = codec::cut(entry, 20, 4).and_then(|bytes| codec::decode::<Nid>(Format::Unicode, bytes).ok());
    let Some(nid) = nid.filter(|_| entry.len() == 24) else { return Ok(Some(format!("{} bytes", entry.len()))) };
    if record_key.is_some_and(|key| codec::cut(entry, 4, 16) != Some(key)) {
        return Ok(Some("it is of another store".to_owned()));
    }
    let is_folder = [NodeType::FOLDER, NodeType::SEARCH_FOLDER].contains(&nid.kind()) && !look_up(context.store.ndb(), nid)?.is_missing();
    Ok((!is_folder).then(|| format!("there is no folder {nid}")))
}

/// Templates, and the columns without which neither Outlook nor a reader can do.
const TEMPLATES: &[(Nid, &[u16])] = &[
    (Nid(0x60d), &[0x3001, 0x3602, 0x3603, 0x360a, 0x67f2, 0x67f3]),
    (Nid(0x60e), &[0x001a, 0x0037, 0x0e06, 0x0e07, 0x0e08, 0x0e17, 0x67f2, 0x67f3]),
    (Nid(0x60f), &[0x001a, 0x0e07, 0x67f2, 0x67f3]),
    (Nid(0x610), &[0x001a, 0x0037, 0x0e06, 0x0e07, 0x0e08, 0x67f2, 0x67f3]),
    (Nid(0x671), &[0x0e20, 0x3704, 0x3705, 0x370b, 0x67f2, 0x67f3]),
    (Nid(0x692), &[0x0c15, 0x0fff, 0x3001, 0x3002, 0x3003, 0x67f2, 0x67f3]),
];

fn template(context: &Context<'_>, case: &mut Case, node: NodeRef, columns: &[u16]) -> Result<()> {
    let Some(table) = check_table(case, context.store.ndb(), node, context.progress)? else {
        case.add(Code::TableTemplate, "it cannot be read");
        return Ok(());
    };
    if !table.rows.is_empty() {
        case.add(Code::TableTemplate, format!("{} rows", table.rows.len()));
    }
    for id in columns.iter().filter(|id| table.table.info().columns.iter().all(|column| column.id != **id)) {
        case.add_at(Code::TableTemplate, case.place().property(*id), "no such column");
    }
    Ok(())
}

/// Every message class is received somewhere, and each of these folders exists.
fn receive_folders(context: &Context<'_>, case: &mut Case, node: NodeRef) -> Result<()> {
    let ndb = context.store.ndb();
    let Some(found) = check_table(case, ndb, node, context.progress)? else { return Ok(()) };
    let table = &found.table;
    let (Key::Id(class), Key::Id(folder)) = (tags::MESSAGE_CLASS, tags::RECEIVE_FOLDER) else { return Ok(()) };
    let mut has_default = false;
    for (id, number) in found.rows.iter().copied() {
        let Some(Some(row)) = survive(case, table.row_of(id, number))? else { continue };
        has_default |= match table.cell(&row, class)? {
            Some(Value::Unicode(name)) => name.is_empty(),
            Some(Value::String8(name)) => name.is_empty(),
            _ => true,
        };
        let nid = match table.cell(&row, folder)? {
            Some(Value::I32(nid)) => Nid(u32::from_le_bytes(nid.to_le_bytes())),
            _ => Nid::default(),
        };
        if nid.kind() != NodeType::FOLDER || look_up(ndb, nid)?.is_missing() {
            case.add_at(Code::ReceiveFolder, case.place().row(id), format!("there is no folder {nid}"));
        }
    }
    if !has_default {
        case.add(Code::ReceiveFolder, "no folder receives what no other does");
    }
    Ok(())
}
