//! How a store is made: what every store has, folders, messages with recipients and attachments.
//!
//! [`StoreBuilder`] takes messages one by one and writes each as it comes; folders and their tables follow at the end.
//! What goes in is described by plain values, [`MessageDraft`] and [`PropertyList`]; named properties are given by name
//! and get their ids in the store that is made. [`StoreEdit`] changes a store that is there, in one transaction.

mod builder;
mod content;
mod copy;
mod edit;
mod folder;
mod message;
pub mod names;
mod props;
pub mod rows;
mod skeleton;
pub mod templates;
mod wide;

pub use builder::{StoreBuilder, StoreOptions};
pub use edit::{LOST_AND_FOUND, NewMessage, StoreEdit};
pub use folder::FolderDraft;
pub use message::{AttachmentContent, AttachmentDraft, MessageDraft};
pub use props::{PropertyKey, PropertyList, id_of, own_value};
pub use rows::Cells;
pub use skeleton::{DELETED_NAME, FolderNames, SEARCH_NAME, SUBTREE_NAME, StoreKind, VALID_FOLDERS, ost_folder};
pub use wide::Widener;
