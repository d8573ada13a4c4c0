//! How heaps, lists, properties and tables are built.
//!
//! Each builder gives a [`Draft`](crate::ndb::write::Draft): data blocks and subnodes, plain values that belong to no
//! file yet. What readers never look at is right as well, as Outlook does look: fill levels, even page maps, rows that
//! end with their block.

mod heap;
mod properties;
mod table;
mod tree;
pub mod value;

pub use heap::HeapBuilder;
pub use properties::PropertiesBuilder;
pub use table::{TableBuilder, TableShape};
