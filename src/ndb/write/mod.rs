//! How nodes and blocks come into a file.
//!
//! Blocks and B-tree pages never change once written ([MS-PST] 2.6.1). [`BulkWriter`] makes a whole store in one pass:
//! blocks in order, then both trees, the maps and, last of all, the header. What a node is to hold comes as a plain
//! value, a [`Draft`]; [`tree`] turns it into blocks for whoever takes blocks: a [`BlockSink`].

mod bulk;
mod draft;
mod load;
mod nids;
mod space;
pub mod tree;

pub use bulk::{BulkOptions, BulkWriter};
pub use draft::{Draft, Part, Stored};
pub use nids::Nids;
pub use tree::{BlockSink, DataTree};
