//! Named properties: which id a name has in this store ([MS-PST] 2.4.7).

use std::collections::HashMap;

use super::props::Key;
use crate::format::property::Guid;

/// What a named property is called, as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// A number in a set.
    Lid(Guid, u32),
    /// A string in a set.
    Text(Guid, String),
}

/// Ids of named properties, both ways.
#[derive(Clone, Debug, Default)]
pub struct NameMap {
    lids: HashMap<(Guid, u32), u16>,
    /// String names compare without regard to case ([MS-OXPROPS] keeps them so; writers differ).
    texts: HashMap<(Guid, String), u16>,
    names: HashMap<u16, Name>,
}

impl NameMap {
    /// Adds a name; of several with the same id or the same name the first stays.
    pub fn insert(&mut self, id: u16, name: Name) {
        match &name {
            Name::Lid(set, lid) => {
                self.lids.entry((*set, *lid)).or_insert(id);
            }
            Name::Text(set, text) => {
                self.texts.entry((*set, text.to_lowercase())).or_insert(id);
            }
        }
        self.names.entry(id).or_insert(name);
    }

    /// The id of a property in this store.
    pub fn id(&self, key: Key) -> Option<u16> {
        match key {
            Key::Id(id) => Some(id),
            Key::Lid(set, lid) => self.lids.get(&(set, lid)).copied(),
            Key::Name(set, text) => self.texts.get(&(set, text.to_lowercase())).copied(),
        }
    }

    /// The name of an id of 0x8000 or above.
    pub fn name(&self, id: u16) -> Option<&Name> {
        self.names.get(&id)
    }

    /// All names by id, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &Name)> {
        self.names.iter().map(|(id, name)| (*id, name))
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The id of a key, a new one from 0x8000 on where it has none yet.
    pub fn assign(&mut self, key: Key) -> u16 {
        if let Some(id) = self.id(key) {
            return id;
        }
        let id = u16::try_from(self.names.len()).unwrap_or(u16::MAX).saturating_add(0x8000);
        match key {
            Key::Id(id) => return id,
            Key::Lid(set, lid) => self.insert(id, Name::Lid(set, lid)),
            Key::Name(set, text) => self.insert(id, Name::Text(set, text.to_owned())),
        }
        id
    }
}
