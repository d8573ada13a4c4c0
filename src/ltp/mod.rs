//! Which properties or rows this node holds.
pub mod value;
