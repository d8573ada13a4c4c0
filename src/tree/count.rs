//! What is shown and what is not: every row of every folder's table, accounted for.
//!
//! Search folders are left out, whose tables list items of other folders again. Rows are read one by one: memory grows
//! by a few bytes for each row of the one folder that is being read, and 4 bytes for each item of the store.

use std::collections::{BTreeSet, HashSet};

use super::Tree;
use crate::convert::Format;
use crate::damage::{Code, Error, Place, Result};
use crate::format::id::{Nid, NodeType};
use crate::format::property::FileTime;
use crate::ltp::value::Value;
use crate::ltp::{Row, Table};
use crate::recover::folders_below;
use crate::store::props::Key;
use crate::store::{Summary, Which, tags};

/// The rows of all folders, and what became of each: `rows` = `files` + [`hidden`](Count::hidden) + `failed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Folders below the root folder, and those that no folder lists.
    pub folders: u64,
    /// Those among them that the tree shows.
    pub folders_shown: u64,
    /// Rows of all tables of contents.
    pub rows: u64,
    /// Rows of the tables of what users see.
    pub normal: u64,
    /// Rows of the tables of associated messages: views, rules, settings.
    pub associated: u64,
    /// Rows that the tree shows as documents.
    pub files: u64,
    /// Rows of associated messages that the tree does not show.
    pub hidden_associated: u64,
    /// Rows of other items in folders that the tree does not show.
    pub hidden_elsewhere: u64,
    /// Rows that cannot be read, or name an item a second time; each is noted as damage.
    pub failed: u64,
    /// Items that no row names, shown beside the folders as recovered ones.
    pub orphans: u64,
    /// Documents that are mail, orphans not counted; so too below.
    pub mail: u64,
    /// Documents that are appointments, tasks, journal entries.
    pub calendar: u64,
    /// Documents that are contacts or groups of them.
    pub contacts: u64,
    /// The time of the oldest document.
    pub oldest: Option<FileTime>,
    /// The time of the newest document.
    pub newest: Option<FileTime>,
}

impl Count {
    /// Rows that can be read and that the tree does not show.
    pub const fn hidden(&self) -> u64 {
        self.hidden_associated.saturating_add(self.hidden_elsewhere)
    }

    fn take(&mut self, format: Format, time: Option<FileTime>) {
        add(&mut self.files, 1);
        match format {
            Format::Eml => add(&mut self.mail, 1),
            Format::Ics => add(&mut self.calendar, 1),
            Format::Vcf => add(&mut self.contacts, 1),
        }
        if let Some(time) = time.filter(|time| time.unix().is_some()) {
            self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
            self.newest = Some(self.newest.map_or(time, |newest| newest.max(time)));
        }
    }
}

fn add(to: &mut u64, count: u64) {
    *to = to.saturating_add(count);
}

/// One table of one folder, as the walk meets it.
#[derive(Clone, Copy, Debug)]
struct Part {
    folder: Nid,
    which: Which,
    /// Whether the tree shows the folder at all.
    shown: bool,
    /// Whether it can be listed, so that what is in it can be shown.
    listable: bool,
}

impl Tree {
    /// Counts the rows of all folders, and what this tree shows of them.
    ///
    /// Reads every folder's tables, and of the items those whose rows do not tell class or time.
    pub fn count(&self) -> Result<Count> {
        let mut count = Count::default();
        let shown = self.shown_folders()?;
        let mut all: BTreeSet<Nid> = folders_below(&self.store, Nid::ROOT_FOLDER)?.into_iter().collect();
        all.extend(&shown);
        for folder in &all {
            let is_shown = shown.contains(folder);
            if *folder != Nid::ROOT_FOLDER {
                add(&mut count.folders, 1);
            }
            if is_shown && *folder != self.root_folder() {
                add(&mut count.folders_shown, 1);
            }
            let listable = self.is_listable(*folder)?;
            for which in [Which::Normal, Which::Associated] {
                self.count_part(Part { folder: *folder, which, shown: is_shown, listable }, &mut count)?;
            }
        }
        if !self.view.no_recovered {
            count.orphans = u64::try_from(self.orphans()?.messages.len()).unwrap_or(u64::MAX);
        }
        Ok(count)
    }

    /// The folders that the tree shows, those under `Other folders` and `Recovered` too.
    fn shown_folders(&self) -> Result<HashSet<Nid>> {
        let mut shown: HashSet<Nid> = folders_below(&self.store, self.root_folder())?.into_iter().collect();
        if !self.view.all_folders {
            let other = self.other_folders()?;
            let mut waiting = other.below(Nid::ROOT_FOLDER);
            while let Some(folder) = waiting.pop() {
                if shown.insert(folder) {
                    waiting.extend(other.below(folder));
                }
            }
        }
        if !self.view.no_recovered {
            for folder in &self.orphans()?.folders {
                shown.extend(folders_below(&self.store, *folder)?);
            }
        }
        Ok(shown)
    }

    /// Whether a folder's listing can be made: a folder that its parent lists may not exist.
    fn is_listable(&self, folder: Nid) -> Result<bool> {
        if folder == self.root_folder() {
            return Ok(true);
        }
        match self.store.ndb().node(folder) {
            Ok(node) => Ok(node.is_some()),
            Err(error) if error.is_io() => Err(error),
            Err(_) => Ok(false),
        }
    }

    fn count_part(&self, part: Part, count: &mut Count) -> Result<()> {
        let kind = match part.which {
            Which::Normal => NodeType::CONTENTS_TABLE,
            Which::Associated => NodeType::ASSOCIATED_TABLE,
        };
        let nid = part.folder.with_kind(kind);
        let open = || {
            let node = self.store.ndb().required_node(nid)?;
            Table::open(self.store.ndb(), nid, node.data, node.subnodes)
        };
        match open() {
            Ok(table) => self.count_table(&table, part, count),
            Err(error) if error.is_io() => Err(error),
            // The store then takes the items that name the folder as their parent.
            Err(_) => {
                let contents = self.store.contents(part.folder, part.which)?;
                self.count_failed(contents.failed, part, count);
                contents.rows.into_iter().try_for_each(|row| self.count_row(row, part, count))
            }
        }
    }

    fn count_table(&self, table: &Table<'_>, part: Part, count: &mut Count) -> Result<()> {
        // As in a listing, of several rows for one item the first counts.
        let mut seen = HashSet::new();
        let (mut twice, mut result) = (0_u64, Ok(()));
        let failed = table.visit_rows(&mut |row| {
            if !seen.insert(row.id) {
                let place = Place::node(table.heap().nid().0).row(row.id);
                self.store.ndb().notes().add(Code::RowIndex, place, "a second row for the same item");
                add(&mut twice, 1);
            } else if result.is_ok() {
                result = self.summary(table, &row).and_then(|summary| self.count_row(summary, part, count));
            }
        })?;
        self.count_failed(failed.saturating_add(twice), part, count);
        result
    }

    fn count_failed(&self, failed: u64, part: Part, count: &mut Count) {
        for to in [&mut count.rows, &mut count.failed] {
            add(to, failed);
        }
        match part.which {
            Which::Normal => add(&mut count.normal, failed),
            Which::Associated => add(&mut count.associated, failed),
        }
    }

    fn count_row(&self, row: Summary, part: Part, count: &mut Count) -> Result<()> {
        if part.shown && !part.listable {
            self.count_failed(1, part, count);
            return Ok(());
        }
        add(&mut count.rows, 1);
        match part.which {
            Which::Normal => add(&mut count.normal, 1),
            Which::Associated => add(&mut count.associated, 1),
        }
        // As in a listing, the item's type decides whether it is an associated one, not the table that lists it.
        let associated = row.nid.kind() == NodeType::ASSOCIATED_MESSAGE;
        if associated && !self.view.hidden {
            add(&mut count.hidden_associated, 1);
        } else if !part.shown {
            add(&mut count.hidden_elsewhere, 1);
        } else {
            count.take(self.document_format(&row)?, row.time());
        }
        Ok(())
    }

    /// Class and times of a row's item, from the item itself where the row does not tell them.
    fn summary(&self, table: &Table<'_>, row: &Row) -> Result<Summary> {
        let nid = Nid(row.id);
        let time = |key| -> Result<Option<FileTime>> {
            Ok(match cell(table, row, key)? {
                Some(Value::Time(time)) => time.unix().map(|_| time),
                _ => None,
            })
        };
        let class = match cell(table, row, tags::MESSAGE_CLASS)? {
            Some(Value::Unicode(class)) => Some(class),
            Some(Value::String8(bytes)) if bytes.is_ascii() => String::from_utf8(bytes).ok(),
            _ => None,
        };
        let delivered = time(tags::MESSAGE_DELIVERY_TIME)?;
        if class.is_some() && delivered.is_some() {
            return Ok(Summary { nid, class, delivered, ..Summary::default() });
        }
        let (submitted, modified) = (time(tags::CLIENT_SUBMIT_TIME)?, time(tags::LAST_MODIFICATION_TIME)?);
        let item = match self.store.node_props(nid) {
            Ok(props) => Summary::of(nid, &props),
            Err(error @ Error::Io(_)) => return Err(error),
            Err(error) => {
                self.store.ndb().notes().survived(&error, Code::MessageRow, Place::node(nid.0));
                Summary::default()
            }
        };
        Ok(Summary {
            nid,
            class: class.or(item.class),
            delivered: delivered.or(item.delivered),
            submitted: submitted.or(item.submitted),
            modified: modified.or(item.modified),
            ..Summary::default()
        })
    }
}

fn cell(table: &Table<'_>, row: &Row, key: Key) -> Result<Option<Value>> {
    match key {
        Key::Id(id) => table.cell(row, id),
        Key::Lid(..) | Key::Name(..) => Ok(None),
    }
}
