//! What workers do: one folder, one table, some rows, one lost item.

use std::hash::{DefaultHasher, Hasher};

use super::Unlisted;
use super::listing::Listing;
use crate::damage::{Code, Result};
use crate::format::btree::NodeEntry;
use crate::format::id::{Nid, NodeType};
use crate::ltp::Table;
use crate::ltp::value::Value;
use crate::progress::Progress;
use crate::scan::Known;
use crate::scan::case::Case;
use crate::scan::object::{Cells, Kind, Look, Lookup, Message, PropertyCheck, check_table, look_up, message};
use crate::scan::pool::Weight;
use crate::scan::victim::{Victims, row_name};
use crate::store::item::NodeRef;
use crate::store::{Store, Which, flags, tags};

/// A row of a folder's table.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowRef {
    pub(super) id: Nid,
    pub(super) number: u32,
    /// Whether a table listed its object before.
    pub(super) twice: bool,
}

/// Something to look at.
#[derive(Debug)]
pub(super) enum Unit {
    /// A folder's own properties.
    Folder(Nid),
    /// A table of a folder.
    Table(Nid, NodeEntry),
    /// Some rows of a folder's table, and their objects.
    Rows(Nid, NodeEntry, Listing, Vec<RowRef>),
    /// A folder ends, and its tables have so many rows.
    End(Nid, Counts),
    /// A folder or message that no table lists.
    Unlisted(Unlisted),
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// The folder that it concerns.
    pub(super) folder: Nid,
    /// Findings about the folder itself, and what it says of its tables.
    pub(super) folder_case: Option<(Case, Counts)>,
    /// Findings about messages, a case each.
    pub(super) items: Vec<Case>,
    /// Messages in which nothing was found: most of all.
    pub(super) sound: Vec<Nid>,
    /// The highest version of a row in their tables.
    pub(super) row_version: u32,
    /// Other findings.
    pub(super) cases: Vec<Case>,
    /// Unread messages among the rows.
    pub(super) unread: u64,
    /// The folders among the rows, and their names as a number.
    pub(super) names: Vec<(Nid, u64)>,
    /// Of a folder that ends: what its tables hold.
    pub(super) ended: Option<Counts>,
}

impl Done {
    /// Takes what was found about a message.
    fn item(&mut self, case: Case) {
        if case.is_empty() {
            self.row_version = self.row_version.max(case.row_version());
            self.sound.push(case.nid());
        } else {
            self.items.push(case);
        }
    }
}

impl Weight for Done {
    fn weight(&self) -> usize {
        let cases = self.items.iter().chain(&self.cases).chain(self.folder_case.iter().map(|(case, _)| case));
        cases.map(Weight::weight).fold(0, usize::saturating_add)
    }
}

/// What a folder says of its tables, or what they hold; nothing where it is not known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) messages: Option<u64>,
    pub(super) unread: Option<u64>,
    /// 1 for any number of them: a folder tells no more.
    pub(super) folders: Option<u64>,
}

/// Looks at units; any number of threads may do so.
#[derive(Debug)]
pub(super) struct Worker<'a> {
    pub(super) store: &'a Store,
    pub(super) progress: &'a Progress,
    pub(super) victims: &'a Victims<'a>,
    pub(super) known: Option<&'a Known>,
}

/// What a folder, a message or a table counts for where progress is shown. To ask for the size of each would take as long
/// as a tenth of looking at it.
const NODE_BYTES: u64 = 1024;

/// How many bytes a node counts for.
pub(super) fn bytes_of(nid: Nid) -> u64 {
    let looked_at = [
        NodeType::FOLDER,
        NodeType::SEARCH_FOLDER,
        NodeType::MESSAGE,
        NodeType::ASSOCIATED_MESSAGE,
        NodeType::HIERARCHY_TABLE,
        NodeType::CONTENTS_TABLE,
        NodeType::ASSOCIATED_TABLE,
    ];
    if looked_at.contains(&nid.kind()) { NODE_BYTES } else { 0 }
}

impl Worker<'_> {
    pub(super) fn work(&self, unit: Unit) -> Result<Done> {
        match unit {
            Unit::Folder(folder) => self.folder(folder),
            Unit::Table(folder, node) => {
                let mut case = Case::of(node.nid.nid);
                if check_table(&mut case, self.store.ndb(), of_entry(&node), self.progress)?.is_none() {
                    case.add(Code::FolderTable, "it cannot be read");
                }
                self.progress.add(bytes_of(node.nid.nid))?;
                Ok(Done { folder, cases: vec![case], ..Done::default() })
            }
            Unit::Rows(folder, node, listing, rows) => self.rows(folder, &node, listing, &rows),
            Unit::End(folder, counted) => Ok(Done { folder, ended: Some(counted), ..Done::default() }),
            Unit::Unlisted(unlisted) => self.unlisted(&unlisted),
        }
    }

    /// A folder's properties.
    fn folder(&self, folder: Nid) -> Result<Done> {
        let mut case = Case::of(folder);
        let Some(node) = look_up(self.store.ndb(), folder)?.found() else { return Ok(Done::default()) };
        let told = self.folder_props(&mut case, &node)?;
        self.progress.add(bytes_of(folder))?;
        Ok(Done { folder, folder_case: Some((case, told)), ..Done::default() })
    }

    fn folder_props(&self, case: &mut Case, node: &NodeEntry) -> Result<Counts> {
        let Some(props) = PropertyCheck::open(case, self.store.ndb(), of_entry(node))? else { return Ok(Counts::default()) };
        let place = case.place();
        for (key, what) in [(tags::CONTENT_COUNT, "count of messages"), (tags::CONTENT_UNREAD_COUNT, "count of unread messages")] {
            if props.int(key).is_none() {
                case.add(Code::FolderCounts, format!("no {what}"));
            }
        }
        if !props.has(tags::SUBFOLDERS) {
            case.add(Code::FolderCounts, "it does not tell whether it has folders");
        }
        if node.nid.nid != Nid::ROOT_FOLDER && is_empty(props.value(tags::DISPLAY_NAME)?) {
            case.add_at(Code::FolderName, place.property(0x3001), "");
        }
        let number = |key| props.int(key).and_then(|number| u64::try_from(number).ok());
        let folders = match props.value(tags::SUBFOLDERS)? {
            Some(Value::Bool(any)) => Some(u64::from(any)),
            _ => None,
        };
        let told = Counts { messages: number(tags::CONTENT_COUNT), unread: number(tags::CONTENT_UNREAD_COUNT), folders };
        props.finish(case);
        Ok(told)
    }

    fn rows(&self, folder: Nid, node: &NodeEntry, listing: Listing, rows: &[RowRef]) -> Result<Done> {
        let ndb = self.store.ndb();
        let table = match Table::open(ndb, node.nid.nid, node.data, node.subnodes) {
            Ok(table) => table,
            Err(error) if error.is_io() => return Err(error),
            Err(_) => return Ok(Done { folder, ..Done::default() }),
        };
        let mut done = Done { folder, ..Done::default() };
        for row in rows {
            let found = table.row_of(row.id.0, row.number)?;
            let cells = Cells::of(&table, found.as_ref());
            let mut case = Case::of(row.id);
            match listing {
                Listing::Folders => {
                    self.subfolder(&mut case, folder, *row, cells)?;
                    done.names.extend(name_of(cells)?.filter(|_| !row.twice && case.nid() == row.id).map(|name| (row.id, name)));
                }
                Listing::Messages(which) => {
                    self.message(&mut case, folder, *row, which, cells)?;
                    done.unread = done.unread.saturating_add(u64::from(which == Which::Normal && is_unread(cells)?));
                }
            }
            if case.nid() == row.id && listing != Listing::Folders {
                done.item(case);
            } else {
                done.cases.push(case);
            }
        }
        Ok(done)
    }

    /// A row that stands for a folder.
    fn subfolder(&self, case: &mut Case, folder: Nid, row: RowRef, cells: Cells<'_>) -> Result<()> {
        let is_folder = [NodeType::FOLDER, NodeType::SEARCH_FOLDER].contains(&row.id.kind());
        let node = look_up(self.store.ndb(), row.id)?;
        if matches!(node, Lookup::Unknown) {
            return Ok(());
        }
        let Some(node) = node.found().filter(|_| is_folder) else {
            *case = self.dangling(folder.with_kind(NodeType::HIERARCHY_TABLE), row, &cells.all()?, Code::FolderRow, folder);
            return Ok(());
        };
        self.listed_once(case, &node, folder, row, Code::FolderRow);
        // Its own check finds what is wrong with the folder itself.
        let mut own = Case::of(row.id);
        if let Some(props) = PropertyCheck::open(&mut own, self.store.ndb(), of_entry(&node))? {
            cells.compare(case, &props)?;
        }
        Ok(())
    }

    /// A row that stands for a message.
    fn message(&self, case: &mut Case, folder: Nid, row: RowRef, which: Which, cells: Cells<'_>) -> Result<()> {
        let (kind, item, table) = match which {
            Which::Normal => (Kind::Normal, NodeType::MESSAGE, NodeType::CONTENTS_TABLE),
            Which::Associated => (Kind::Associated, NodeType::ASSOCIATED_MESSAGE, NodeType::ASSOCIATED_TABLE),
        };
        let node = look_up(self.store.ndb(), row.id)?;
        if matches!(node, Lookup::Unknown) {
            return Ok(());
        }
        let Some(node) = node.found().filter(|_| row.id.kind() == item) else {
            *case = self.dangling(folder.with_kind(table), row, &cells.all()?, Code::MessageRow, folder);
            return Ok(());
        };
        self.listed_once(case, &node, folder, row, Code::MessageParent);
        if self.known.is_some_and(|known| known.has_item(folder, row.id)) {
            return self.progress.add(bytes_of(row.id));
        }
        self.item(case, &node, kind, cells, folder)
    }

    /// An object that a table lists names the table's folder, and no other table lists it.
    fn listed_once(&self, case: &mut Case, node: &NodeEntry, folder: Nid, row: RowRef, code: Code) {
        // Few are told: names are not looked up for all the others.
        let named = || self.victims.with_id(folder);
        if node.parent != folder {
            case.add(code, format!("{} lists it, it names {}", named(), self.victims.with_id(node.parent)));
        }
        if row.twice {
            case.add(Code::ItemTwice, format!("{} lists it too", named()));
        }
    }

    /// A row whose object is not there: told of the table, and named by the row.
    fn dangling(&self, table: Nid, row: RowRef, cells: &[(u16, Value)], code: Code, folder: Nid) -> Case {
        let mut case = Case::of(table);
        let text = |value: &Value| match value {
            Value::Unicode(text) => Some(text.clone()),
            Value::String8(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        };
        let name = row_name(row.id, cells, text);
        case.name(format!("{}: {name}", self.victims.name(folder)));
        case.add_at(code, case.place().row(row.id.0), "");
        case
    }

    fn item(&self, case: &mut Case, node: &NodeEntry, kind: Kind, cells: Cells<'_>, folder: Nid) -> Result<()> {
        let mut look = Look::at(self.store, self.progress);
        let item = Message { node: of_entry(node), kind, row: cells, folder: self.store.role(folder) };
        message(&mut look, case, &item)?;
        self.progress.add(bytes_of(node.nid.nid))
    }

    /// A folder or message that no table lists: an orphan, unless the table that should list it cannot be read.
    fn unlisted(&self, unlisted: &Unlisted) -> Result<Done> {
        let Unlisted { node, orphan } = unlisted;
        let (nid, parent) = (node.nid.nid, node.parent);
        let mut done = Done { folder: parent, ..Done::default() };
        let mut case = Case::of(nid);
        // Of a folder whose page is lost nobody knows what it lists.
        let lacks = match look_up(self.store.ndb(), parent)? {
            Lookup::Found(_) => Some("does not list it"),
            Lookup::Missing => Some("does not exist"),
            Lookup::Unknown => None,
        };
        if parent == Nid::default() && *orphan {
            case.add(Code::Orphan, "nothing tells of its folder");
        } else if let Some(lacks) = lacks.filter(|_| *orphan) {
            case.add(Code::Orphan, format!("its folder {} {lacks}", self.victims.with_id(parent)));
        }
        match nid.kind() {
            NodeType::MESSAGE => self.item(&mut case, node, Kind::Normal, Cells::default(), parent)?,
            NodeType::ASSOCIATED_MESSAGE => self.item(&mut case, node, Kind::Associated, Cells::default(), parent)?,
            _ => {
                done.cases.push(case);
                return Ok(done);
            }
        }
        done.item(case);
        Ok(done)
    }
}

fn is_unread(cells: Cells<'_>) -> Result<bool> {
    Ok(!matches!(cells.value(tags::MESSAGE_FLAGS)?, Some(Value::I32(flags)) if flags & flags::READ != 0))
}

/// A folder's name as a number, by which equal names are known without regard to case.
fn name_of(cells: Cells<'_>) -> Result<Option<u64>> {
    let name = match cells.value(tags::DISPLAY_NAME)? {
        Some(Value::Unicode(name)) => name.to_lowercase().into_bytes(),
        Some(Value::String8(name)) => name.to_ascii_lowercase(),
        _ => return Ok(None),
    };
    let mut hasher = DefaultHasher::new();
    hasher.write(&name);
    Ok((!name.is_empty()).then(|| hasher.finish()))
}

fn is_empty(name: Option<Value>) -> bool {
    match name {
        Some(Value::Unicode(name)) => name.is_empty(),
        Some(Value::String8(name)) => name.is_empty(),
        Some(_) => false,
        None => true,
    }
}

fn of_entry(node: &NodeEntry) -> NodeRef {
    NodeRef { nid: node.nid.nid, data: node.data, subnodes: node.subnodes }
}
