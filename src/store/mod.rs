//! Which folders, messages, attachments and recipients there are; named properties, code pages, times.
//!
//! The messaging layer ([MS-PST] 2.4): folders and items are nodes whose ids say what they are, and tables say which
//! lies in which. Folders are found by entry id, never by their names, which are in the language of whoever made the
//! store. Where a table cannot be read, the parents that the node B-tree names take its place.

pub mod addresses;
mod called;
pub mod codepage;
pub mod flags;
mod folder;
pub mod item;
pub mod names;
pub mod props;
mod read;
pub mod recipients;
pub mod remains;
pub mod search_key;
mod special;
mod tag_names;
pub mod tags;
pub mod usual_page;
pub mod write;

use std::sync::{Arc, Mutex, OnceLock};

use crate::damage::{Code, Place, Result};
use crate::disk::ReadAt;
use crate::format::btree::NodeEntry;
use crate::format::id::Nid;
use crate::ltp::Properties;
use crate::ltp::value::Value;
use crate::ndb::{Maps, Ndb};

use addresses::Addresses;
use names::{BUCKET_IDS, NameMap};
use props::{Key, Props};

pub use folder::{Folder, Summary, Which};
pub use special::{INDEXES, Role};
pub use tag_names::tag_name;

/// A store: its folders and items.
#[derive(Debug)]
pub struct Store {
    ndb: Arc<Ndb>,
    names: Arc<NameMap>,
    props: Props,
    special: special::Special,
    /// Found when a table cannot be read.
    children: Mutex<Option<folder::Children>>,
    /// Found when the user asked for it, before anything is rendered.
    addresses: OnceLock<Arc<Addresses>>,
    /// Asked for when a folder of an ANSI store has a name beyond ASCII.
    usual_page: OnceLock<u16>,
}

impl Store {
    /// Opens the store in a file, with so many bytes for the caches of pages and blocks.
    pub fn open(source: Arc<dyn ReadAt>, cache_bytes: usize) -> Result<Self> {
        Self::from_ndb(Arc::new(Ndb::open(source, cache_bytes)?))
    }

    /// The store in a node database.
    pub fn from_ndb(ndb: Arc<Ndb>) -> Result<Self> {
        let opened = Arc::clone(&ndb);
        opened.without_io_failure(|| Self::read(ndb))
    }

    fn read(ndb: Arc<Ndb>) -> Result<Self> {
        let names = Arc::new(read_names(&ndb)?);
        let (props, special) = (Props::default(), special::Special::default());
        let (addresses, usual_page) = (OnceLock::new(), OnceLock::new());
        let mut store = Self { ndb, names, props, special, children: Mutex::default(), addresses, usual_page };
        // Without its own properties a store can still be browsed from the root folder.
        store.props = store.survive(store.node_props(Nid::MESSAGE_STORE), Code::NodeSpecial, Nid::MESSAGE_STORE)?.unwrap_or_default();
        store.special = store.find_special()?;
        Ok(store)
    }

    /// The same store as another database of its file shows it: names and special folders stay.
    #[must_use]
    pub fn over(&self, ndb: Arc<Ndb>) -> Self {
        let (names, props, special) = (Arc::clone(&self.names), self.props.clone(), self.special.clone());
        let (addresses, usual_page) = (self.addresses.clone(), self.usual_page.clone());
        Self { ndb, names, props, special, children: Mutex::default(), addresses, usual_page }
    }

    /// The node database below.
    pub const fn ndb(&self) -> &Arc<Ndb> {
        &self.ndb
    }

    /// The store's own properties.
    pub const fn props(&self) -> &Props {
        &self.props
    }

    /// The named properties of the store.
    pub fn names(&self) -> &Arc<NameMap> {
        &self.names
    }

    /// Whether an earlier state of the map tells some of them, as the present one is damaged.
    pub fn has_earlier_names(&self) -> bool {
        earlier_names(&self.ndb).is_some()
    }

    /// What the whole store tells of mail addresses, for items that are read from now on; told once.
    pub fn set_addresses(&self, addresses: Addresses) {
        self.addresses.get_or_init(|| Arc::new(addresses));
    }

    /// The checksum of the store's password; `None` where there is none. It protects nothing: data are not encrypted by it.
    pub fn password_crc(&self) -> Option<u32> {
        let stored = self.props.int(tags::PST_PASSWORD)?;
        // OSTs hold 0xFFFFFFFF without having a password.
        (stored != 0 && stored != -1).then(|| u32::from_le_bytes(stored.to_le_bytes()))
    }

    /// The properties of a node of its own.
    pub fn node_props(&self, nid: Nid) -> Result<Props> {
        let node = self.ndb.required_node(nid)?;
        let values = Properties::open(&self.ndb, nid, node.data, node.subnodes)?.values()?;
        self.props_of(nid, values)
    }

    /// The properties of a node that lies here.
    pub fn props_at(&self, node: item::NodeRef) -> Result<Props> {
        let values = Properties::open(&self.ndb, node.nid, node.data, node.subnodes)?.values()?;
        self.props_of(node.nid, values)
    }

    /// Properties from values that belong to a node.
    fn props_of(&self, nid: Nid, values: std::collections::BTreeMap<u16, Value>) -> Result<Props> {
        let is_beyond_ascii = |value: &Value| matches!(value, Value::String8(bytes) if !bytes.is_ascii());
        let asks = usual_page::names_folders(nid) && values.values().any(is_beyond_ascii);
        let page = if asks { self.usual_page()? } else { codepage::WINDOWS_1252 };
        Ok(Props::new(nid, values, Arc::clone(&self.names), Some(Arc::clone(&self.ndb)), page))
    }

    /// The value of a result whose damage can be survived: noted, and `None`. I/O errors go on.
    fn survive<T>(&self, result: Result<T>, code: Code, nid: Nid) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_io() => Err(error),
            Err(error) => {
                self.ndb.notes().survived(&error, code, Place::node(nid.0));
                Ok(None)
            }
        }
    }
}

/// The map of named properties; what is left of it where it is damaged, which is noted.
fn read_names(ndb: &Arc<Ndb>) -> Result<NameMap> {
    let read = ndb.required_node(Nid::NAME_MAP).and_then(|node| names_at(ndb, &node));
    let map = match read {
        Err(error) if error.is_io() => return Err(error),
        Err(error) => {
            ndb.notes().survived(&error, Code::NamedProperties, Place::node(Nid::NAME_MAP.0));
            NameMap::default().lacking()
        }
        Ok(map) => map,
    };
    let Some(earlier) = earlier_names(ndb).filter(|_| !map.is_whole()) else { return Ok(map) };
    match names_at(ndb, earlier) {
        Err(error) if error.is_io() => Err(error),
        Err(_) => Ok(map),
        Ok(earlier) => Ok(map.on(earlier)),
    }
}

/// An earlier state of the map, where the present one is damaged.
fn earlier_names(ndb: &Ndb) -> Option<&NodeEntry> {
    ndb.maps().and_then(Maps::names)
}

fn names_at(ndb: &Arc<Ndb>, node: &NodeEntry) -> Result<NameMap> {
    let nid = Nid::NAME_MAP;
    let damaged = ndb.damaged_node(node.data, node.subnodes)?;
    let (values, lost) = Properties::open(ndb, nid, node.data, node.subnodes)?.values_and_lost()?;
    let props = Props::new(nid, values, Arc::default(), Some(Arc::clone(ndb)), codepage::WINDOWS_1252);
    let stream = |key| props.bytes(key).unwrap_or_default();
    let streams = [tags::NAME_MAP_GUIDS, tags::NAME_MAP_ENTRIES, tags::NAME_MAP_STRINGS];
    let unread = streams.iter().filter_map(|key| key.id()).any(|id| lost.contains(&id));
    let [sets, entries, strings] = streams.map(stream);
    let (stored, failed) = NameMap::read(&sets, &entries, &strings);
    let map = if damaged > 0 || failed > 0 || unread {
        let buckets = BUCKET_IDS.filter_map(|id| props.bytes(Key::Id(id)));
        NameMap::read(&sets, &names::restored(&entries, buckets, &sets, &strings), &strings).0
    } else {
        stored
    };
    if failed > 0 {
        ndb.notes().add(Code::NamedProperties, Place::node(nid.0), format!("{failed} entries cannot be read"));
    }
    Ok(match damaged {
        0 if failed == 0 && !unread => map,
        0 => map.lacking(),
        _ => map.doubtful(),
    })
}
