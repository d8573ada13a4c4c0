//! Which bytes belong to this node.
use crate::damage::{Notes, Result};
use crate::format::id::Bid;
/// stub
#[derive(Debug, Default)]
pub struct Ndb {
    notes: Notes,
}
/// stub
#[derive(Debug)]
pub struct Data;
impl Ndb {
    /// stub
    pub fn notes(&self) -> &Notes {
        &self.notes
    }
    /// The data tree with this root.
    pub fn data(&self, _bid: Bid) -> Result<Data> {
        Ok(Data)
    }
}
impl Data {
    /// Length in bytes
    pub fn len(&self) -> u64 {
        0
    }
    /// All bytes
    pub fn read_all(&self, _ndb: &Ndb) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
    /// The bytes in [offset, offset+len), cut at the end; holes are zeros
    pub fn read(&self, _ndb: &Ndb, _offset: u64, _len: usize) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
}
