//! What is neither a folder, a message, a folder's table nor the store's own: search folders, queues, unknown nodes.
//!
//! Proves: the tables of search folders list messages that exist (M27); heaps, properties and tables of all these nodes
//! are sound (L, T).
//! Collects: nothing.
//! Relies on: the node B-tree as readers see it.

use super::Context;
use super::case::{Case, Fold};
use super::object::{PropertyCheck, check_table, foreign_heap, heap_maps, look_up, own_bytes};
use super::pool;
use super::victim::Victims;
use crate::damage::{Code, Result};
use crate::format::btree::NodeEntry;
use crate::format::header::Client;
use crate::format::id::{Nid, NodeType};
use crate::store::INDEXES;
use crate::store::item::NodeRef;

/// Runs the pass.
pub(super) fn run(context: &Context<'_>) -> Result<()> {
    context.report.phase("Validating other nodes");
    let mut total = 0_u64;
    context.store.ndb().visit_nodes(&mut |node| {
        if is_other(node.nid.nid) {
            total = total.saturating_add(own_bytes(context.store.ndb(), node));
        }
        context.progress.check().is_ok()
    })?;
    context.progress.begin("Validating other nodes", total)?;
    let victims = Victims::of(context.store);
    let mut fold = Fold::new(context.report, &victims);
    pool::in_order(
        |send| {
            let mut ended = Ok(());
            context.store.ndb().visit_nodes(&mut |node| {
                ended = if is_other(node.nid.nid) { send(*node) } else { Ok(()) };
                ended.is_ok()
            })?;
            ended
        },
        |node| other(context, &node),
        |case: Case| {
            fold.take(case.nid(), case);
            Ok(())
        },
    )?;
    fold.flush();
    Ok(())
}

/// Indexes below this one are those of the store's own tables: templates, receive folders, queues.
const OWN_INDEX_MAX: u32 = 0x40;

/// Whether no other pass looks at a node.
fn is_other(nid: Nid) -> bool {
    const LOOKED_AT: [Nid; 12] = [
        Nid::MESSAGE_STORE,
        Nid::NAME_MAP,
        Nid::RECEIVE_FOLDER_TABLE,
        Nid(0x1e1),
        Nid(0x201),
        Nid(0x261),
        Nid(0x60d),
        Nid(0x60e),
        Nid(0x60f),
        Nid(0x610),
        Nid(0x671),
        Nid(0x692),
    ];
    !LOOKED_AT.contains(&nid) && ![NodeType::FOLDER, NodeType::MESSAGE, NodeType::ASSOCIATED_MESSAGE].contains(&nid.kind())
}

fn other(context: &Context<'_>, node: &NodeEntry) -> Result<Case> {
    let nid = node.nid.nid;
    let mut case = Case::of(nid);
    let ndb = context.store.ndb();
    let at = NodeRef { nid, data: node.data, subnodes: node.subnodes };
    context.progress.add(own_bytes(ndb, node))?;
    match nid.kind() {
        NodeType::HIERARCHY_TABLE | NodeType::CONTENTS_TABLE | NodeType::ASSOCIATED_TABLE if nid.index() >= OWN_INDEX_MAX => {
            // Those of folders that are there are looked at with their folders.
            if look_up(ndb, nid.with_kind(NodeType::FOLDER))?.is_missing() {
                check_table(&mut case, ndb, at, context.progress)?;
            }
        }
        NodeType::SEARCH_FOLDER | NodeType::SEARCH_CRITERIA if !node.data.is_none() => {
            if let Some(props) = PropertyCheck::open(&mut case, ndb, at)? {
                props.finish(&mut case);
            }
        }
        NodeType::SEARCH_CONTENTS_TABLE if nid.index() >= OWN_INDEX_MAX => search_contents(context, &mut case, at)?,
        // A node of this type elsewhere is none that any program looks at: the id of another one with a bit flipped.
        _ if nid == Nid::OUTGOING_QUEUE => _ = check_table(&mut case, ndb, at, context.progress)?,
        _ if node.data.is_none() => {}
        _ if INDEXES.contains(&nid) => heap_maps(&mut case, ndb, at)?,
        _ => foreign_heap(&mut case, ndb, at)?,
    }
    Ok(case)
}

/// What a search folder found exists.
fn search_contents(context: &Context<'_>, case: &mut Case, node: NodeRef) -> Result<()> {
    let ndb = context.store.ndb();
    let Some(table) = check_table(case, ndb, node, context.progress)? else { return Ok(()) };
    let mut gone = 0_u64;
    for (id, _) in table.rows.iter() {
        // In OSTs the rows have ids of their own.
        if ndb.header().client != Client::OST && Nid(*id).kind() == NodeType::MESSAGE && look_up(ndb, Nid(*id))?.is_missing() {
            gone = gone.saturating_add(1);
        }
    }
    if gone > 0 {
        case.add(Code::SearchFolder, format!("{gone} of {} messages do not exist", table.rows.len()));
    }
    Ok(())
}
