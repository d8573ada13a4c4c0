//! From a recipe to a store.

use pstfs::disk::WriteAt;
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::format::header::Client;
use pstfs::format::id::Nid;
use pstfs::format::property::Guid;
use pstfs::ltp::value::Value;
use pstfs::ndb::write::{BulkOptions, BulkWriter};
use pstfs::store::tags;
use pstfs::store::write::{FolderDraft, FolderNames, StoreBuilder, StoreKind, StoreOptions};

use super::items;
use super::random::Random;
use super::recipe::{Line, Recipe, parse_number};

/// What goes through the building of one store.
pub(super) struct Forge<'f> {
    pub(super) builder: StoreBuilder<'f>,
    pub(super) random: Random,
    /// Counts items: each has a minute of its own.
    pub(super) count: u64,
}

/// Writes the store that a recipe describes into an empty file.
pub fn write(file: &dyn WriteAt, format: Format, cipher: Cipher, recipe: &Recipe) {
    let store = recipe.line("store").cloned().unwrap_or_default();
    // 4K stores are OSTs wherever they were seen.
    let kind = match store.option("kind") {
        Some("ost") => StoreKind::Ost,
        Some(_) => StoreKind::Pst,
        None if format == Format::Unicode4k => StoreKind::Ost,
        None => StoreKind::Pst,
    };
    let client = if kind == StoreKind::Ost { Client::OST } else { Client::PST };
    let bulk = BulkOptions { format, cipher, client, compress: store.option("compress") != Some("no") };
    let mut random = Random::new(store.number("seed").unwrap_or(1));
    let mut options = StoreOptions::named(store.args.first().map_or("Forged", String::as_str));
    options.kind = kind;
    options.record_key = Guid(random.bytes(16).try_into().unwrap());
    options.folders = folder_names(&store);
    options.codepage = store.number("codepage").map_or(options.codepage, |page| page as u16);
    if let Some(password) = store.option("password") {
        let crc = pstfs::format::checksum::crc(password.as_bytes());
        options.props.set(tags::PST_PASSWORD, Value::I32(i32::from_le_bytes(crc.to_le_bytes())));
    }
    let builder = StoreBuilder::new(BulkWriter::new(file, bulk).unwrap(), options).unwrap();
    let mut forge = Forge { builder, random, count: 0 };
    let subtree = forge.builder.subtree();
    forge.lines(subtree, &recipe.lines);
    forge.builder.finish().unwrap();
}

fn folder_names(store: &Line) -> FolderNames {
    let mut names = FolderNames::default();
    for (option, name) in [("subtree", &mut names.subtree), ("deleted", &mut names.deleted), ("search", &mut names.search)] {
        if let Some(given) = store.option(option) {
            given.clone_into(name);
        }
    }
    names
}

impl Forge<'_> {
    fn lines(&mut self, folder: Nid, lines: &[Line]) {
        for line in lines {
            self.line(folder, line);
        }
    }

    fn line(&mut self, folder: Nid, line: &Line) {
        match line.word.as_str() {
            "store" | "formats" => {}
            "folder" => self.folder(folder, line),
            "deleted-items" => self.lines(self.builder.deleted_items(), &line.lines),
            // Folders within folders, so many deep.
            "deep" => self.deep(folder, line),
            "repeat" => {
                for n in 1..=parse_number(line.arg(0)) {
                    let lines: Vec<Line> = line.lines.iter().map(|line| line.numbered(n)).collect();
                    self.lines(folder, &lines);
                }
            }
            "associated" => {
                let message = items::message(self, "associated", line);
                self.builder.add_associated(folder, message).unwrap();
            }
            // Items that were deleted for good.
            "deleted" => {
                for line in &line.lines {
                    let message = items::message(self, &line.word, line);
                    self.builder.add_deleted(folder, message).unwrap();
                }
            }
            kind => {
                let message = items::message(self, kind, line);
                self.builder.add_message(folder, message).unwrap();
            }
        }
    }

    fn folder(&mut self, parent: Nid, line: &Line) {
        let mut draft = FolderDraft::named(line.arg(0));
        if let Some(class) = line.option("class") {
            draft = draft.of_class(class);
        }
        if let Some(comment) = line.option("comment") {
            draft.props.set(tags::COMMENT, Value::Unicode(comment.to_owned()));
        }
        draft.deletions = has_deletions(&line.lines);
        items::extra_props(&mut draft.props, &line.lines);
        let folder = self.builder.add_folder(parent, draft).unwrap();
        if let Some(role) = line.option("role") {
            self.set_role(folder, role);
        }
        let lines: Vec<Line> = line.lines.iter().filter(|line| !items::is_property(line)).cloned().collect();
        self.lines(folder, &lines);
    }

    fn deep(&mut self, mut folder: Nid, line: &Line) {
        for n in 1..=parse_number(line.arg(0)) {
            folder = self.builder.add_folder(folder, FolderDraft::named(&format!("Level {n}"))).unwrap();
            let lines: Vec<Line> = line.lines.iter().map(|line| line.numbered(n)).collect();
            self.lines(folder, &lines);
        }
    }

    /// Tells the store what a folder is for, where readers look for it.
    fn set_role(&mut self, folder: Nid, role: &str) {
        let entry = Value::Binary(self.builder.entry_id(folder));
        let key = match role {
            "inbox" => {
                for class in ["IPM", "REPORT.IPM", ""] {
                    self.builder.set_receive_folder(class, folder);
                }
                return;
            }
            "outbox" => tags::IPM_OUTBOX_ENTRY_ID,
            "sent" => tags::IPM_SENT_MAIL_ENTRY_ID,
            "calendar" => tags::IPM_APPOINTMENT_ENTRY_ID,
            "contacts" => tags::IPM_CONTACT_ENTRY_ID,
            "journal" => tags::IPM_JOURNAL_ENTRY_ID,
            "notes" => tags::IPM_NOTE_ENTRY_ID,
            "tasks" => tags::IPM_TASK_ENTRY_ID,
            "drafts" => tags::IPM_DRAFTS_ENTRY_ID,
            other => panic!("recipe: no role is called {other}"),
        };
        match role {
            "outbox" | "sent" => self.builder.props_mut().set(key, entry),
            _ => self.builder.folder_props_mut(Nid::ROOT_FOLDER).unwrap().set(key, entry),
        };
    }
}

fn has_deletions(lines: &[Line]) -> bool {
    lines.iter().any(|line| line.word == "deleted" || line.word == "repeat" && has_deletions(&line.lines))
}
