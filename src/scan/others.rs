//! What is neither a folder, a message, a folder's table nor the store's own: search folders, queues, unknown nodes.
//!
//! Proves: search folders have what belongs to them, and their tables list messages that exist (M27); no table is left
//! without its folder (N08); heaps, properties and tables of all these nodes are sound (L, T).
//! Collects: nothing.
//! Relies on: the node B-tree as readers see it.

use super::Context;
use super::case::{Case, Fold};
use super::object::{PropertyCheck, check_table, foreign_heap};
use super::pool;
use super::victim::Victims;
use crate::damage::{Code, Result, Severity};
use crate::format::btree::NodeEntry;
use crate::format::header::Client;
use crate::format::id::{Nid, NodeType};
use crate::store::item::NodeRef;

/// Runs the pass.
pub(super) fn run(context: &Context<'_>) -> Result<()> {
    context.report.phase("Validating other nodes");
    context.progress.begin("Validating other nodes", 0)?;
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
    context.progress.check()?;
    match nid.kind() {
        NodeType::HIERARCHY_TABLE | NodeType::CONTENTS_TABLE | NodeType::ASSOCIATED_TABLE if nid.index() >= OWN_INDEX_MAX => {
            // Those of folders that are there are looked at with their folders.
            if ndb.node(nid.with_kind(NodeType::FOLDER))?.is_none() {
                case.add(Code::TableWithoutFolder, "");
                check_table(&mut case, ndb, at, context.progress)?;
            }
        }
        NodeType::SEARCH_FOLDER => search_folder(context, &mut case, at)?,
        NodeType::SEARCH_CRITERIA => {
            if let Some(props) = PropertyCheck::open(&mut case, ndb, at)? {
                props.finish(&mut case);
            }
        }
        NodeType::SEARCH_CONTENTS_TABLE => search_contents(context, &mut case, at)?,
        NodeType::OUTGOING_QUEUE_TABLE => {
            check_table(&mut case, ndb, at, context.progress)?;
        }
        _ if node.data.is_none() => {}
        _ => foreign_heap(&mut case, ndb, at)?,
    }
    Ok(case)
}

/// A search folder has its properties, and should have its criteria, its queue and its table.
fn search_folder(context: &Context<'_>, case: &mut Case, node: NodeRef) -> Result<()> {
    let ndb = context.store.ndb();
    if let Some(props) = PropertyCheck::open(case, ndb, node)? {
        props.finish(case);
    }
    for (kind, what) in [
        (NodeType::SEARCH_CRITERIA, "criteria"),
        (NodeType::SEARCH_UPDATE_QUEUE, "update queue"),
        (NodeType::SEARCH_CONTENTS_TABLE, "table of what was found"),
    ] {
        if ndb.node(node.nid.with_kind(kind))?.is_none() {
            case.add(Code::SearchFolder, format!("no {what}"));
        }
    }
    Ok(())
}

/// What a search folder found exists.
fn search_contents(context: &Context<'_>, case: &mut Case, node: NodeRef) -> Result<()> {
    let ndb = context.store.ndb();
    let Some(table) = check_table(case, ndb, node, context.progress)? else { return Ok(()) };
    let mut gone = 0_u64;
    for (id, _) in &table.rows {
        // In OSTs the rows have ids of their own.
        if ndb.header().client != Client::OST && Nid(*id).kind() == NodeType::MESSAGE && ndb.node(Nid(*id))?.is_none() {
            gone = gone.saturating_add(1);
        }
    }
    if gone > 0 {
        case.add_mild(Code::SearchFolder, Severity::Note, format!("{gone} of {} messages do not exist", table.rows.len()));
    }
    Ok(())
}
