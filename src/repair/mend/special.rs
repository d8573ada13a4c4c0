//! The store's own nodes, written anew: its properties, templates, receive folders, the lists of the search machinery.

use sha2::{Digest, Sha256};

use super::Mender;
use super::bag::Bag;
use super::table;
use crate::damage::Result;
use crate::format::Format;
use crate::format::codec;
use crate::format::header::Client;
use crate::format::id::{Bid, Nid, NodeType};
use crate::ltp::value::Value;
use crate::ndb::write::Draft;
use crate::store::props::Key;
use crate::store::write::rows::{self, Rows};
use crate::store::write::templates::{EMPTY, RECEIVE_FOLDERS, SEARCH_CONTENTS, Template};
use crate::store::write::{Cells, FolderNames, StoreKind, VALID_FOLDERS, id_of};
use crate::store::{Role, tags};

/// The search management queue, the search activity list, the search domain object ([MS-PST] 2.4.8.4).
const QUEUE: Nid = Nid(0x1e1);
const ACTIVITY: Nid = Nid(0x201);
const DOMAIN: Nid = Nid(0x261);
/// Bytes of an entry of the queue.
const QUEUE_ENTRY_BYTES: usize = 20;
/// The largest list that is looked into; a larger one is emptied.
const LIST_MAX_BYTES: u64 = 1 << 20;
/// Entry ids that every personal store has.
const REQUIRED: [Key; 3] = [tags::IPM_SUBTREE_ENTRY_ID, tags::IPM_WASTEBASKET_ENTRY_ID, tags::FINDER_ENTRY_ID];
/// Entry ids that a store may have besides them.
const USUAL: [Key; 3] = [tags::IPM_OUTBOX_ENTRY_ID, tags::IPM_SENT_MAIL_ENTRY_ID, tags::COMMON_VIEWS_ENTRY_ID];

/// Whether a node is one of the store's own that have no object.
pub(super) fn is_special(nid: Nid) -> bool {
    [Nid::MESSAGE_STORE, Nid::NAME_MAP, Nid::RECEIVE_FOLDER_TABLE, QUEUE, ACTIVITY, DOMAIN].contains(&nid) || is_template(nid)
}

/// Whether a node is one of the empty tables that new ones share.
pub(super) fn is_template(nid: Nid) -> bool {
    template_of(nid).is_some()
}

fn template_of(nid: Nid) -> Option<&'static Template> {
    EMPTY.iter().find(|template| template.nid == nid)
}

impl Mender<'_, '_> {
    /// Writes one of the store's own nodes anew.
    pub(super) fn special(&mut self, nid: Nid) -> Result<()> {
        match nid {
            Nid::MESSAGE_STORE => self.store_props(),
            Nid::NAME_MAP => self.name_map(),
            Nid::RECEIVE_FOLDER_TABLE => self.receive_folders(),
            QUEUE | ACTIVITY | DOMAIN => self.list_of_searches(nid),
            _ => match template_of(nid) {
                Some(template) => self.put_template(template),
                None => Ok(()),
            },
        }
    }

    fn put_template(&mut self, template: &Template) -> Result<()> {
        let rows = Rows { shape: template.shape(self.ndb.format()), rows: std::collections::BTreeMap::new() };
        let draft = rows::table(self.transaction, rows)?;
        self.transaction.put_draft(template.nid, Nid::default(), draft)
    }

    /// The store's properties: its id, its name, and the folders that it names.
    fn store_props(&mut self) -> Result<()> {
        let node = self.node(Nid::MESSAGE_STORE)?;
        let mut bag = match node {
            Some(node) => Bag::read(self.ndb, node)?.unwrap_or_default(),
            None => Bag::default(),
        };
        let key = self.record_key(&bag);
        bag.put(tags::RECORD_KEY, &Value::Binary(key.clone()));
        if !bag.has(tags::DISPLAY_NAME) {
            bag.put_text(self.ndb, tags::DISPLAY_NAME, "Repaired store");
        }
        let kind = if self.ndb.header().client == Client::PST { StoreKind::Pst } else { StoreKind::Ost };
        // An OST's folders stand at fixed ids: it need not name them.
        for named in USUAL.into_iter().chain(REQUIRED.into_iter().filter(|_| kind == StoreKind::Ost)) {
            match self.folder_named(&bag, named)? {
                Some(nid) => bag.put(named, &Value::Binary(entry_id(&key, nid))),
                None => bag.remove(named),
            }
        }
        if kind == StoreKind::Pst {
            self.name_folders(&mut bag, &key)?;
        }
        // Both kinds have it, and readpst takes what is without it for no store.
        if !bag.has(tags::PST_PASSWORD) {
            bag.put(tags::PST_PASSWORD, &Value::I32(kind.no_password()));
        }
        let draft = bag.builder().finish(self.ndb.format(), self.transaction.nids())?;
        self.transaction.put_draft(Nid::MESSAGE_STORE, Nid::default(), draft)
    }

    /// Points to the folders that every personal store has; makes those that cannot be found.
    fn name_folders(&mut self, bag: &mut Bag, key: &[u8]) -> Result<()> {
        let names = FolderNames::default();
        let wastebasket = self.folder_named(bag, tags::IPM_WASTEBASKET_ENTRY_ID)?;
        let subtree = match self.folder_named(bag, tags::IPM_SUBTREE_ENTRY_ID)? {
            Some(nid) => nid,
            None => {
                let above = match wastebasket {
                    Some(nid) => self.parent(nid)?,
                    None => self.store.ipm_subtree(),
                };
                // Of what was found without a page of the tree nobody knows the folder.
                let is_there = above.kind() == NodeType::FOLDER && self.transaction.node(above)?.is_some();
                match is_there && above != Nid::ROOT_FOLDER {
                    true => above,
                    false => match self.usual_subtree()? {
                        Some(usual) => usual,
                        None => self.folder_called(Nid::ROOT_FOLDER, &[&names.subtree, "Top of Personal Folders"])?,
                    },
                }
            }
        };
        self.shelves.insert(String::new(), subtree);
        let wastebasket = match wastebasket {
            Some(nid) => nid,
            None => self.folder_called(subtree, &[&names.deleted])?,
        };
        let finder = match self.folder_named(bag, tags::FINDER_ENTRY_ID)? {
            Some(nid) => nid,
            None => self.folder_called(Nid::ROOT_FOLDER, &[&names.search, "Finder"])?,
        };
        let folders =
            [(tags::IPM_SUBTREE_ENTRY_ID, subtree), (tags::IPM_WASTEBASKET_ENTRY_ID, wastebasket), (tags::FINDER_ENTRY_ID, finder)];
        for (tag, nid) in folders {
            bag.put(tag, &Value::Binary(entry_id(key, nid)));
        }
        if !bag.has(tags::VALID_FOLDER_MASK) {
            bag.put(tags::VALID_FOLDER_MASK, &Value::I32(VALID_FOLDERS));
        }
        Ok(())
    }

    /// The usual IPM subtree, where it is there and lies where that does. [`crate::store::Store::named_subtree`] is no help
    /// here: it is the one that an entry id names, though that is nowhere.
    fn usual_subtree(&self) -> Result<Option<Nid>> {
        let usual = self.store.usual_subtree();
        let node = self.transaction.node(usual)?;
        Ok(node.filter(|node| node.parent == Nid::ROOT_FOLDER).map(|_| usual))
    }

    /// The folder that an entry id names, if it is there.
    fn folder_named(&self, bag: &Bag, key: Key) -> Result<Option<Nid>> {
        let Some(Value::Binary(entry)) = bag.get(key) else { return Ok(None) };
        let nid = codec::cut(&entry, 20, 4).and_then(|bytes| codec::decode::<Nid>(Format::Unicode, bytes).ok());
        let Some(nid) = nid.filter(|nid| [NodeType::FOLDER, NodeType::SEARCH_FOLDER].contains(&nid.kind())) else { return Ok(None) };
        Ok(self.transaction.node(nid)?.map(|_| nid))
    }

    /// The store's id: its own, else the one that its entry ids carry, else one that follows from its header.
    fn record_key(&self, bag: &Bag) -> Vec<u8> {
        let own = match bag.get(tags::RECORD_KEY) {
            Some(Value::Binary(key)) if key.len() == 16 => Some(key),
            _ => None,
        };
        let keys = REQUIRED.into_iter().chain(USUAL);
        let carried = keys.filter_map(|key| match bag.get(key) {
            Some(Value::Binary(entry)) if entry.len() == 24 => codec::cut(&entry, 4, 16).map(<[u8]>::to_vec),
            _ => None,
        });
        own.or_else(|| carried.into_iter().next()).unwrap_or_else(|| {
            let header = codec::encode(self.ndb.format(), &self.ndb.header().root.nodes);
            Sha256::digest(header).iter().take(16).copied().collect()
        })
    }

    /// Where messages of a class are received: in folders that are there, and one for all other classes.
    fn receive_folders(&mut self) -> Result<()> {
        let inbox = self.store.roles().find(|(_, role)| *role == Role("inbox")).map(|(nid, _)| nid);
        let inbox = match inbox {
            Some(nid) if self.transaction.node(nid)?.is_some() => nid,
            _ => Nid::ROOT_FOLDER,
        };
        let mut rows = match self.node(Nid::RECEIVE_FOLDER_TABLE)? {
            Some(node) => table::read(self.ndb, node, &RECEIVE_FOLDERS, &|_| Ok(true))?.rows,
            None => Rows { shape: RECEIVE_FOLDERS.shape(self.ndb.format()), rows: std::collections::BTreeMap::new() },
        };
        let has = |key| rows.shape.columns.iter().any(|column| column.id == id_of(key));
        if ![tags::MESSAGE_CLASS, tags::RECEIVE_FOLDER].into_iter().all(has) {
            // One of its columns has the id of another property.
            rows.shape = RECEIVE_FOLDERS.shape(self.ndb.format());
        }
        rows.rows.retain(|_, cells| !cells.is_empty());
        for cells in rows.rows.values_mut() {
            let there = match cells.get(&id_of(tags::RECEIVE_FOLDER)) {
                Some(Value::I32(nid)) => {
                    let nid = Nid(u32::from_le_bytes(nid.to_le_bytes()));
                    nid.kind() == NodeType::FOLDER && self.transaction.node(nid)?.is_some()
                }
                _ => false,
            };
            if !there {
                cells.insert(id_of(tags::RECEIVE_FOLDER), as_number(inbox));
            }
        }
        if !rows.rows.values().any(|cells| class_of(cells).is_none_or(|class| class.is_empty())) {
            let next = rows.rows.keys().last().map_or(1, |id| id.saturating_add(1));
            let mut bag = Bag::default();
            bag.put_text(self.ndb, tags::MESSAGE_CLASS, "");
            let mut cells = Cells::from([(id_of(tags::RECEIVE_FOLDER), as_number(inbox))]);
            table::copy(self.ndb, &rows.shape, &mut cells, &bag)?;
            rows.rows.insert(next, cells);
        }
        let draft = rows::table(self.transaction, rows)?;
        self.transaction.put_draft(Nid::RECEIVE_FOLDER_TABLE, Nid::default(), draft)
    }

    /// A list of the search machinery, without what does not exist.
    fn list_of_searches(&mut self, nid: Nid) -> Result<()> {
        let node = self.node(nid)?;
        let data = match node {
            Some(node) => super::bag::readable(self.ndb, node.data)?.filter(|data| data.len() <= LIST_MAX_BYTES),
            None => None,
        };
        let bytes = match (&data, nid) {
            (Some(data), _) => data.read_all(self.ndb)?,
            (None, ACTIVITY) => self.searches()?,
            (None, _) => Vec::new(),
        };
        let size = if nid == QUEUE { QUEUE_ENTRY_BYTES } else { 4 };
        let mut kept = Vec::new();
        for entry in codec::pieces(&bytes, size).filter(|entry| entry.len() == size) {
            if nid == QUEUE || self.is_there(nid, entry)? {
                kept.extend_from_slice(entry);
            }
        }
        let blocks = if kept.is_empty() { Vec::new() } else { vec![kept] };
        self.transaction.put_draft(nid, Nid::default(), Draft { data: blocks, subnodes: Vec::new() })
    }

    /// Whether an entry of a list names a node; where the type belongs, the domain object has flags.
    fn is_there(&self, list: Nid, entry: &[u8]) -> Result<bool> {
        let Ok(nid) = codec::decode::<Nid>(Format::Unicode, entry) else { return Ok(false) };
        let kinds = if list == DOMAIN { vec![NodeType::FOLDER, NodeType::SEARCH_FOLDER] } else { vec![nid.kind()] };
        for kind in kinds {
            if self.transaction.node(nid.with_kind(kind))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All search folders.
    fn searches(&self) -> Result<Vec<u8>> {
        let mut ids = Vec::new();
        self.ndb.visit_nodes(&mut |node| {
            if node.nid.nid.kind() == NodeType::SEARCH_FOLDER {
                ids.extend(node.nid.nid.0.to_le_bytes());
            }
            ids.len() < usize::from(u16::MAX) >> 4
        })?;
        Ok(ids)
    }

    /// Writes a node of a search folder anew: what it found is emptied, Outlook searches again.
    pub(super) fn search(&mut self, nid: Nid) -> Result<()> {
        match nid.kind() {
            NodeType::SEARCH_FOLDER => {
                self.changed.insert(nid);
                for kind in [NodeType::SEARCH_CONTENTS_TABLE, NodeType::SEARCH_UPDATE_QUEUE, NodeType::SEARCH_CRITERIA] {
                    if self.options.thorough && self.transaction.node(nid.with_kind(kind))?.is_none() {
                        self.search(nid.with_kind(kind))?;
                    }
                }
                Ok(())
            }
            NodeType::SEARCH_CONTENTS_TABLE => {
                let empty = self.empty_table(&SEARCH_CONTENTS)?;
                self.transaction.put_node(nid, Nid::default(), empty.data, empty.subnodes)
            }
            NodeType::SEARCH_UPDATE_QUEUE => self.transaction.put_node(nid, Nid::default(), Bid::NONE, Bid::NONE),
            _ => {
                let mut bag = match self.node(nid)? {
                    Some(node) => Bag::read(self.ndb, node)?.unwrap_or_default(),
                    None => Bag::default(),
                };
                if !bag.has(tags::SEARCH_FLAGS) {
                    bag.put(tags::SEARCH_FLAGS, &Value::I32(0));
                }
                let draft = bag.builder().finish(self.ndb.format(), self.transaction.nids())?;
                self.transaction.put_draft(nid, Nid::default(), draft)
            }
        }
    }
}

fn as_number(nid: Nid) -> Value {
    Value::I32(i32::from_le_bytes(nid.0.to_le_bytes()))
}

fn class_of(cells: &Cells) -> Option<String> {
    match cells.get(&id_of(tags::MESSAGE_CLASS))? {
        Value::Unicode(text) => Some(text.clone()),
        Value::String8(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

/// The id by which properties name a folder of the store ([MS-PST] 2.4.3.2).
fn entry_id(key: &[u8], nid: Nid) -> Vec<u8> {
    [[0; 4].as_slice(), key, &nid.0.to_le_bytes()].concat()
}
