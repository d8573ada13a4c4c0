//! Folders: what lies in them, by their tables ([MS-PST] 2.4.4).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::PoisonError;

use super::props::{Key, Props};
use super::{Store, item, tags};
use crate::damage::{Code, Place, Result};
use crate::format::id::{Nid, NodeType};
use crate::format::property::FileTime;
use crate::ltp::value::Value;
use crate::ltp::{Row, Table};

/// Folders and items by parent and type.
pub(super) type Children = HashMap<(Nid, NodeType), Vec<Nid>>;

/// A folder.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Its node.
    pub nid: Nid,
    /// Its name as stored; empty where there is none.
    pub name: String,
    /// Its properties; none where they cannot be read.
    pub props: Props,
}

/// Which table of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Which {
    /// The messages that users see.
    Normal,
    /// The associated ones: views, rules, settings.
    Associated,
}

impl Which {
    const fn table_kind(self) -> NodeType {
        match self {
            Self::Normal => NodeType::CONTENTS_TABLE,
            Self::Associated => NodeType::ASSOCIATED_TABLE,
        }
    }

    const fn item_kind(self) -> NodeType {
        match self {
            Self::Normal => NodeType::MESSAGE,
            Self::Associated => NodeType::ASSOCIATED_MESSAGE,
        }
    }
}

/// What a folder's table tells of an item: enough to name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The item's node.
    pub nid: Nid,
    /// Its class.
    pub class: Option<String>,
    /// Its subject without the prefix mark.
    pub subject: Option<String>,
    /// When it was delivered.
    pub delivered: Option<FileTime>,
    /// When it was submitted.
    pub submitted: Option<FileTime>,
    /// When it was last changed.
    pub modified: Option<FileTime>,
    /// PidTagMessageFlags.
    pub flags: Option<i32>,
}

impl Summary {
    /// What the properties of an item tell.
    pub fn of(nid: Nid, props: &Props) -> Self {
        Self {
            nid,
            class: props.text_start(tags::MESSAGE_CLASS),
            subject: props.text_start(tags::SUBJECT).map(item::without_prefix_mark),
            delivered: props.time(tags::MESSAGE_DELIVERY_TIME),
            submitted: props.time(tags::CLIENT_SUBMIT_TIME),
            modified: props.time(tags::LAST_MODIFICATION_TIME),
            flags: props.int(tags::MESSAGE_FLAGS),
        }
    }

    /// The time that users see: delivery, else submission, else modification.
    pub fn time(&self) -> Option<FileTime> {
        self.delivered.or(self.submitted).or(self.modified)
    }

    /// Takes from `other` what is missing here.
    fn fill(&mut self, other: Self) {
        self.class = self.class.take().or(other.class);
        self.subject = self.subject.take().or(other.subject);
        self.delivered = self.delivered.or(other.delivered);
        self.submitted = self.submitted.or(other.submitted);
        self.modified = self.modified.or(other.modified);
        self.flags = self.flags.or(other.flags);
    }

    /// Whether name and time are known without a look at the item itself.
    fn is_complete(&self) -> bool {
        self.class.is_some() && self.subject.is_some() && self.delivered.is_some()
    }
}

impl Store {
    /// A folder; of one whose properties cannot be read what its parent's table tells, and the damage is noted.
    pub fn folder(&self, nid: Nid) -> Result<Folder> {
        let props = match self.survive(self.node_props(nid), Code::NodeBlocks, nid)? {
            Some(props) => props,
            None => self.survive(self.folder_row(nid), Code::FolderTable, nid)?.unwrap_or_default(),
        };
        Ok(Folder { nid, name: props.text_start(tags::DISPLAY_NAME).unwrap_or_default(), props })
    }

    /// What the table of the folder above tells of a folder: its name and counts.
    fn folder_row(&self, nid: Nid) -> Result<Props> {
        let parent = self.ndb.required_node(nid)?.parent;
        let Some(table) = self.table(parent.with_kind(NodeType::HIERARCHY_TABLE))? else { return Ok(Props::default()) };
        let mut cells = BTreeMap::new();
        if let Some((id, number)) = table.row_numbers()?.into_iter().find(|(id, _)| *id == nid.0)
            && let Some(row) = table.row_of(id, number)?
        {
            cells.extend(table.cells(&row)?);
        }
        self.props_of(nid, cells)
    }

    /// The folders in a folder, search folders left out, ascending by node id.
    ///
    /// The one that holds those that users see is found by its entry id: where its node names the root folder it is there,
    /// whatever the list says.
    pub fn subfolders(&self, parent: Nid) -> Result<Vec<Nid>> {
        let mut folders = match self.table(parent.with_kind(NodeType::HIERARCHY_TABLE))? {
            // The id of a row is all that counts, and the index has it even where the row cannot be read.
            Some(table) => table.row_numbers()?.into_iter().map(|(id, _)| Nid(id)).collect(),
            None => self.children(parent, NodeType::FOLDER)?,
        };
        let subtree = self.ipm_subtree();
        if parent == Nid::ROOT_FOLDER && self.ndb.node(subtree)?.is_some_and(|node| node.parent == parent) {
            folders.push(subtree);
        }
        // A search folder shows what lies in other folders.
        folders.retain(|nid| nid.kind() == NodeType::FOLDER && *nid != parent);
        folders.sort_unstable();
        folders.dedup();
        Ok(folders)
    }

    /// Shows what is known of each item in a folder to `visit`, ascending by node id; stops at its first error.
    ///
    /// What the table does not tell is read from the item itself; an item that cannot be read keeps what the row tells,
    /// and a row that cannot be read what the item tells. Returns how many rows were left out, because they stand for no item
    /// or for one that has a row already; that is noted.
    pub fn visit_contents(&self, folder: Nid, which: Which, visit: &mut dyn FnMut(Summary) -> Result<()>) -> Result<u64> {
        let Some(table) = self.table(folder.with_kind(which.table_kind()))? else {
            for nid in self.children(folder, which.item_kind())? {
                visit(self.completed(Summary { nid, ..Summary::default() })?)?;
            }
            return Ok(0);
        };
        let mut numbers = self.numbers(&table, folder, which)?;
        let rows = numbers.len();
        // In good files they are in this order already, each of an item and of another one.
        numbers.sort_by_key(|(id, _)| *id);
        numbers.dedup_by_key(|(id, _)| *id);
        numbers.retain(|(id, _)| [NodeType::MESSAGE, NodeType::ASSOCIATED_MESSAGE].contains(&Nid(*id).kind()));
        let left_out = rows.saturating_sub(numbers.len());
        if left_out > 0 {
            let place = Place::node(folder.with_kind(which.table_kind()).0);
            self.ndb.notes().add(Code::MessageRow, place, format!("{left_out} rows stand for no item, or for one that has a row already"));
        }
        let doubtful = self.is_doubtful(folder.with_kind(which.table_kind()))?;
        for (id, number) in &numbers {
            let row = row_summary(&table, *id, *number)?;
            visit(if doubtful { self.told_by_itself(row)? } else { self.completed(row)? })?;
        }
        Ok(u64::try_from(left_out).unwrap_or(0))
    }

    /// What a folder's table tells of one item; `None` where it has no row of it.
    pub fn row(&self, folder: Nid, which: Which, nid: Nid) -> Result<Option<Summary>> {
        let Some(table) = self.table(folder.with_kind(which.table_kind()))? else {
            return Ok(self.children(folder, which.item_kind())?.contains(&nid).then(|| Summary { nid, ..Summary::default() }));
        };
        let found = self.numbers(&table, folder, which)?.into_iter().find(|(id, _)| *id == nid.0);
        found.map(|(id, number)| row_summary(&table, id, number)).transpose()
    }

    /// All that a folder's table tells of one item, by property id; nothing where it has no row of it.
    pub fn row_values(&self, folder: Nid, which: Which, nid: Nid) -> Result<BTreeMap<u16, Value>> {
        let Some(table) = self.table(folder.with_kind(which.table_kind()))? else { return Ok(BTreeMap::new()) };
        let found = self.numbers(&table, folder, which)?.into_iter().find(|(id, _)| *id == nid.0);
        let Some((id, Some(number))) = found else { return Ok(BTreeMap::new()) };
        Ok(table.row_of(id, number)?.map(|row| table.cells(&row)).transpose()?.unwrap_or_default().into_iter().collect())
    }

    /// The items in a folder by its table, with their rows' numbers.
    ///
    /// Where the table's index is lost, some of its rows may be too; items whose nodes name the folder are in it then.
    fn numbers(&self, table: &Table<'_>, folder: Nid, which: Which) -> Result<Vec<(u32, Option<u32>)>> {
        let (rows, is_whole) = table.known_rows()?;
        let mut numbers: Vec<_> = rows.into_iter().map(|(id, number)| (id, Some(number))).collect();
        if !is_whole {
            let listed: HashSet<u32> = numbers.iter().map(|(id, _)| *id).collect();
            let children = self.children(folder, which.item_kind())?.into_iter().map(|nid| nid.0);
            numbers.extend(children.filter(|id| !listed.contains(id)).map(|id| (id, None)));
        }
        Ok(numbers)
    }

    /// The items in a folder that are few, or that are wanted all at once.
    pub fn contents(&self, folder: Nid, which: Which) -> Result<Vec<Summary>> {
        let mut rows = Vec::new();
        self.visit_contents(folder, which, &mut |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Whether a block of a table is damaged: what its rows say may be wrong.
    fn is_doubtful(&self, table: Nid) -> Result<bool> {
        let node = self.ndb.required_node(table)?;
        Ok(self.ndb.damaged_node(node.data, node.subnodes)? > 0)
    }

    /// What an item itself tells, and what its row tells where it does not.
    fn told_by_itself(&self, row: Summary) -> Result<Summary> {
        let Some(props) = self.survive(self.node_props(row.nid), Code::MessageRow, row.nid)? else { return Ok(row) };
        let mut own = Summary::of(row.nid, &props);
        own.fill(row);
        Ok(own)
    }

    /// A summary with what the item itself tells, where the row did not tell enough.
    fn completed(&self, mut row: Summary) -> Result<Summary> {
        if !row.is_complete()
            && let Some(props) = self.survive(self.node_props(row.nid), Code::MessageRow, row.nid)?
        {
            row.fill(Summary::of(row.nid, &props));
        }
        Ok(row)
    }

    /// The ids of the items in a folder, without a look at the items.
    pub fn row_ids(&self, folder: Nid, which: Which) -> Result<Vec<Nid>> {
        match self.table(folder.with_kind(which.table_kind()))? {
            Some(table) => Ok(self.numbers(&table, folder, which)?.into_iter().map(|(id, _)| Nid(id)).collect()),
            None => self.children(folder, which.item_kind()),
        }
    }

    /// The table in a node; `None`, and noted, where it cannot be read.
    pub(super) fn table(&self, nid: Nid) -> Result<Option<Table<'_>>> {
        let open = || {
            let node = self.ndb.required_node(nid)?;
            Table::open(&self.ndb, nid, node.data, node.subnodes)
        };
        self.survive(open(), Code::FolderTable, nid)
    }

    /// The nodes of a type whose parent is this one, by the node B-tree alone.
    fn children(&self, parent: Nid, kind: NodeType) -> Result<Vec<Nid>> {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        if children.is_none() {
            *children = Some(self.find_children()?);
        }
        let found = children.as_ref().and_then(|children| children.get(&(parent, kind)));
        Ok(found.cloned().unwrap_or_default())
    }

    /// All folders and items by their parents: 8 bytes a node, and only needed in damaged stores.
    fn find_children(&self) -> Result<Children> {
        let mut children = Children::new();
        let kinds = [NodeType::FOLDER, NodeType::MESSAGE, NodeType::ASSOCIATED_MESSAGE];
        self.ndb.visit_nodes(&mut |node| {
            let nid = node.nid.nid;
            if kinds.contains(&nid.kind()) {
                children.entry((node.parent, nid.kind())).or_default().push(nid);
            }
            true
        })?;
        for nids in children.values_mut() {
            nids.sort_unstable();
            nids.dedup();
        }
        Ok(children)
    }
}

/// What a row tells of an item; its id alone where there is no row, or none that can be read.
fn row_summary(table: &Table<'_>, id: u32, number: Option<u32>) -> Result<Summary> {
    match number.map(|number| table.row_of(id, number)).transpose()?.flatten() {
        Some(row) => summary_of(table, &row),
        None => Ok(Summary { nid: Nid(id), ..Summary::default() }),
    }
}

fn summary_of(table: &Table<'_>, row: &Row) -> Result<Summary> {
    let cell = |key: Key| match key {
        Key::Id(id) => table.cell(row, id),
        Key::Lid(..) | Key::Name(..) => Ok(None),
    };
    let time = |key| -> Result<Option<FileTime>> {
        Ok(match cell(key)? {
            Some(Value::Time(time)) => time.unix().map(|_| time),
            _ => None,
        })
    };
    Ok(Summary {
        nid: Nid(row.id),
        class: cell(tags::MESSAGE_CLASS)?.and_then(plain_text),
        subject: cell(tags::SUBJECT)?.and_then(plain_text).map(item::without_prefix_mark),
        delivered: time(tags::MESSAGE_DELIVERY_TIME)?,
        submitted: time(tags::CLIENT_SUBMIT_TIME)?,
        modified: time(tags::LAST_MODIFICATION_TIME)?,
        flags: match cell(tags::MESSAGE_FLAGS)? {
            Some(Value::I32(flags)) => Some(flags),
            _ => None,
        },
    })
}

/// A cell's text, where no code page is needed to read it: rows do not tell theirs.
fn plain_text(value: Value) -> Option<String> {
    match value {
        Value::Unicode(text) => Some(text),
        Value::String8(bytes) if !bytes.iter().any(|byte| is_of_a_page(*byte)) => String::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// Whether a byte may stand for something else than in ASCII: UTF-16 has zeros, ISO-2022 shifts by ESC, SO and SI, HZ by
/// `~`, UTF-7 by `+`.
const fn is_of_a_page(byte: u8) -> bool {
    matches!(byte, 0 | 0x0e | 0x0f | 0x1b | b'+' | b'~' | 0x80..)
}
