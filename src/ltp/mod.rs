//! Which properties or rows this node holds: lists, tables and properties ([MS-PST] 2.3).
//!
//! A node's data hold a heap of small items; in the heap lie B-trees, and in these the properties of an object
//! ([`Properties`]) or the rows of a table ([`Table`]). Values too large for a heap are subnodes. One property or row
//! that cannot be read is noted and left out; the others stay.

mod heap;
mod properties;
mod salvage;
mod table;
mod tree;
pub mod value;
pub mod write;

pub use heap::{Heap, HeapItem, Room};
pub use properties::Properties;
pub use table::{COLUMN_HEAPS, Row, Table};
