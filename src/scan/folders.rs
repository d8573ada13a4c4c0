//! Folders, their tables and their messages: what each says of the others.
//!
//! Proves: every folder has its properties and tables that can be read (N07, M06); every row of a table has
//! its object, every object its row, and both say the same (M02 to M05, M20, M21, M28); heaps, properties and tables of
//! all folders and messages, with their recipients and attachments and the messages in those, are sound (all of L and T,
//! M07 to M19, M22, M23, M25, M30, M31).
//! Collects: three sets of node indexes, of at most 16 MiB each. Nothing grows with what is damaged.
//! Relies on: the node B-tree as readers see it; what blocks and pages lack is found by the passes before.

mod listing;
mod units;

use std::collections::HashSet;

use super::bits::BitSet;
use super::case::{Case, Fold};
use super::object::look_up;
use super::victim::Victims;
use super::{Context, pool};
use crate::damage::{Code, Result, Severity};
use crate::disk::Spill;
use crate::format::btree::NodeEntry;
use crate::format::id::{Nid, NodeType};
use crate::ltp::Table;
use crate::store::Which;

use listing::{Listed, Listing};
use units::{Counts, Done, Unit, Worker};

/// How many rows are looked at by one worker before the next takes over.
const ROWS_A_UNIT: usize = 32;
/// How many names in one folder are compared.
const NAMES_MAX: usize = 100_000;

/// Runs the pass.
pub(super) fn run(context: &Context<'_>) -> Result<()> {
    context.report.phase("Validating folders and messages");
    let (folders, bytes) = folders(context)?;
    context.progress.begin("Validating folders and messages", bytes)?;
    let victims = Victims::of(context.store);
    let worker = Worker { store: context.store, progress: context.progress, victims: &victims, known: context.known };
    let fold = Fold::new(context.report, &victims);
    let mut told = Told { fold, context, told: Counts::default(), healthy: true, unread: 0, names: HashSet::new() };
    pool::in_order(
        |send| Feed { context, send, listed: Listed::default() }.all(&folders),
        |unit| worker.work(unit),
        |done| {
            told.take(done);
            Ok(())
        },
    )?;
    told.fold.flush();
    Ok(())
}

/// All folders, and how many bytes all folders and messages count for.
fn folders(context: &Context<'_>) -> Result<(BitSet, u64)> {
    let (mut folders, mut bytes) = (BitSet::default(), 0_u64);
    let mut ended = Ok(());
    let ndb = context.store.ndb();
    let is_sound = context.report.counts().keys().all(|(_, severity)| *severity < Severity::Warning);
    ndb.visit_nodes(&mut |node| {
        if node.nid.nid.kind() == NodeType::FOLDER {
            folders.insert(node.nid.nid.index());
        }
        let counts_for = units::bytes_of(node.nid.nid);
        bytes = bytes.saturating_add(counts_for);
        if !is_sound && counts_for > 0 {
            // A block that is missing makes a search of the file, on which all that follows depends: it is made here,
            // before several threads come upon it at any time.
            let _ = ndb.block_entry(node.data);
        }
        ended = context.progress.check();
        ended.is_ok()
    })?;
    ended.map(|()| (folders, bytes))
}

/// Hands out what is to be looked at: folder by folder, then what no folder lists.
struct Feed<'f, 'a, 's> {
    context: &'f Context<'a>,
    send: &'s mut dyn FnMut(Unit) -> Result<()>,
    listed: Listed,
}

impl Feed<'_, '_, '_> {
    fn all(mut self, folders: &BitSet) -> Result<()> {
        for index in folders.iter() {
            self.folder(Nid::new(NodeType::FOLDER, index))?;
        }
        self.unlisted()
    }

    fn folder(&mut self, folder: Nid) -> Result<()> {
        (self.send)(Unit::Folder(folder))?;
        let mut table = |kind, listing| self.table(folder, folder.with_kind(kind), listing);
        let folders = table(NodeType::HIERARCHY_TABLE, Listing::Folders)?;
        let messages = table(NodeType::CONTENTS_TABLE, Listing::Messages(Which::Normal))?;
        table(NodeType::ASSOCIATED_TABLE, Listing::Messages(Which::Associated))?;
        (self.send)(Unit::End(folder, Counts { folders: folders.map(|folders| folders.min(1)), messages, unread: messages.map(|_| 0) }))
    }

    /// Hands out a table, then its rows in portions; how many there are, where that is known.
    fn table(&mut self, folder: Nid, table: Nid, listing: Listing) -> Result<Option<u64>> {
        let Some(node) = look_up(self.context.store.ndb(), table)?.found() else {
            self.listed.cannot_tell(folder, listing);
            return Ok(None);
        };
        (self.send)(Unit::Table(folder, node))?;
        let mut rows = Spill::new();
        let mut read = |table: Table<'_>| {
            // Row by row into what may leave memory; only a damaged table's are listed at once.
            if !table.visit_numbers(&mut |id, number| rows.push((id, number)))? {
                rows = table.known_rows()?.0.into_iter().collect();
            }
            Ok(())
        };
        match Table::open(self.context.store.ndb(), table, node.data, node.subnodes).and_then(&mut read) {
            Ok(()) => rows.sort_unstable(),
            Err(error) if error.is_io() => return Err(error),
            // Who lies in the folder is not known: nobody in it is an orphan for that.
            Err(_) => {
                self.listed.cannot_tell(folder, listing);
                return Ok(None);
            }
        }
        self.rows(folder, node, listing, &rows)?;
        Ok(u64::try_from(rows.len()).ok())
    }

    fn rows(&mut self, folder: Nid, node: NodeEntry, listing: Listing, rows: &[(u32, u32)]) -> Result<()> {
        let mut portion = Vec::new();
        for (id, number) in rows.iter().copied() {
            let twice = !self.listed.list(Nid(id));
            portion.push(units::RowRef { id: Nid(id), number, twice });
            if portion.len() >= ROWS_A_UNIT {
                (self.send)(Unit::Rows(folder, node, listing, std::mem::take(&mut portion)))?;
            }
        }
        if portion.is_empty() { Ok(()) } else { (self.send)(Unit::Rows(folder, node, listing, portion)) }
    }

    /// Hands out folders and messages that no table lists.
    fn unlisted(self) -> Result<()> {
        let Self { context, send, listed } = self;
        let mut ended = Ok(());
        context.store.ndb().visit_nodes(&mut |node| {
            let unit = match node.nid.nid.kind() {
                NodeType::FOLDER | NodeType::SEARCH_FOLDER if node.nid.nid != Nid::ROOT_FOLDER => listed.unlisted(node).map(Unit::Unlisted),
                NodeType::MESSAGE | NodeType::ASSOCIATED_MESSAGE => listed.unlisted(node).map(Unit::Unlisted),
                _ => None,
            };
            ended = unit.map_or(Ok(()), &mut *send);
            ended.is_ok()
        })?;
        ended
    }
}

/// A node that no table lists.
#[derive(Clone, Copy, Debug)]
struct Unlisted {
    node: NodeEntry,
    /// Whether it is an orphan: its folder's table can be read, and does not list it.
    orphan: bool,
}

/// Takes what the workers found, in order.
struct Told<'f, 'a> {
    fold: Fold<'f, 'a>,
    context: &'f Context<'a>,
    /// What the folder says of its tables.
    told: Counts,
    /// Whether the folder itself has no error.
    healthy: bool,
    /// Unread messages in the folder so far.
    unread: u64,
    /// Names of the folders in it so far, as numbers.
    names: HashSet<u64>,
}

impl Told<'_, '_> {
    fn take(&mut self, done: Done) {
        let Done { folder, cases, items, sound, row_version, folder_case, unread, names, ended } = done;
        let report = self.context.report;
        self.unread = self.unread.saturating_add(unread);
        report.saw_row_version(row_version);
        sound.into_iter().for_each(|nid| report.saw_item(nid, true));
        for case in items {
            report.saw_item(case.nid(), case.is_healthy());
            self.fold.take(folder, case);
        }
        if let Some((case, told)) = folder_case {
            (self.told, self.healthy) = (told, case.is_healthy());
            self.fold.take(folder, case);
        }
        cases.into_iter().for_each(|case| self.fold.take(folder, case));
        names.into_iter().for_each(|(nid, name)| self.name(folder, nid, name));
        if let Some(counted) = ended {
            self.end(folder, counted);
        }
    }

    /// A folder in this one has a name: Outlook gives none that another has.
    fn name(&mut self, folder: Nid, nid: Nid, name: u64) {
        if self.names.len() < NAMES_MAX && !self.names.insert(name) {
            let mut case = Case::of(nid);
            case.add_at(Code::FolderName, case.place().property(0x3001), "a folder beside it has the same");
            self.fold.take(folder, case);
        }
    }

    /// A folder ends: what it says of its tables against what they hold.
    fn end(&mut self, folder: Nid, counted: Counts) {
        let (told, unread) = (std::mem::take(&mut self.told), std::mem::take(&mut self.unread));
        self.names.clear();
        let tables = [NodeType::HIERARCHY_TABLE, NodeType::CONTENTS_TABLE, NodeType::ASSOCIATED_TABLE].map(|kind| folder.with_kind(kind));
        self.context.report.saw_folder(folder, &tables, self.healthy);
        let mut case = Case::of(folder);
        for (told, counted, id, what) in [
            (told.messages, counted.messages, 0x3602, "messages"),
            (told.unread, counted.unread.map(|_| unread), 0x3603, "unread messages"),
            (told.folders, counted.folders, 0x360a, "folders"),
        ] {
            if let (Some(told), Some(counted)) = (told, counted)
                && told != counted
            {
                case.add_at(Code::FolderCounts, case.place().property(id), format!("{what}: told {told}, counted {counted}"));
            }
        }
        self.fold.take(folder, case);
        self.fold.flush();
    }
}
