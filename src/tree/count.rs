//! What is shown and what is not: every row of every folder's table, accounted for.
//!
//! Search folders are left out, whose tables list items of other folders again. Rows are read one by one: memory
//! grows by 8 bytes for each row of the one folder that is being read, and by 4 for each item of the store.

use std::collections::{BTreeSet, HashSet};

use super::{Recovered, Tree};
use crate::convert::Format;
use crate::damage::Result;
use crate::format::id::Nid;
use crate::format::property::FileTime;
use crate::recover::folders_below;
use crate::store::{Summary, Which};

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
            for which in [Which::Normal, Which::Associated] {
                self.count_part(Part { folder: *folder, which, shown: is_shown }, &mut count)?;
            }
        }
        if self.view.recovered != Recovered::None {
            count.orphans = u64::try_from(self.orphans()?.messages().count()).unwrap_or(u64::MAX);
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
        if self.view.recovered != Recovered::None {
            for folder in self.orphans()?.folders() {
                shown.extend(folders_below(&self.store, folder)?);
            }
        }
        Ok(shown)
    }

    fn count_part(&self, part: Part, count: &mut Count) -> Result<()> {
        let failed = self.store.visit_contents(part.folder, part.which, &mut |row| self.count_row(&row, part, count))?;
        count_failed(failed, part, count);
        Ok(())
    }

    fn count_row(&self, row: &Summary, part: Part, count: &mut Count) -> Result<()> {
        count_rows(1, part, count);
        if part.which == Which::Associated && !self.view.hidden {
            add(&mut count.hidden_associated, 1);
        } else if !part.shown {
            add(&mut count.hidden_elsewhere, 1);
        } else {
            count.take(self.document_format(row)?, row.time());
        }
        Ok(())
    }
}

fn count_failed(failed: u64, part: Part, count: &mut Count) {
    add(&mut count.failed, failed);
    count_rows(failed, part, count);
}

fn count_rows(rows: u64, part: Part, count: &mut Count) {
    add(&mut count.rows, rows);
    match part.which {
        Which::Normal => add(&mut count.normal, rows),
        Which::Associated => add(&mut count.associated, rows),
    }
}
