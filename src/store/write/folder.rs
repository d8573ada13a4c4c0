//! Folders, as they grow while messages come in.

use super::props::PropertyList;
use super::templates::{ASSOCIATED, CONTENTS};
use crate::damage::Result;
use crate::format::Format;
use crate::format::id::Nid;
use crate::ltp::value::Value;
use crate::ltp::write::TableBuilder;
use crate::ndb::write::Nids;
use crate::store::tags;

/// A folder to make.
#[derive(Clone, Debug, Default)]
pub struct FolderDraft {
    /// Its name and other properties; counts are set by the builder.
    pub props: PropertyList,
    /// Whether messages will be deleted from it: what its table looked like before is then kept beside.
    pub deletions: bool,
}

impl FolderDraft {
    /// A folder of this name.
    pub fn named(name: &str) -> Self {
        let mut draft = Self::default();
        draft.props.set(tags::DISPLAY_NAME, Value::Unicode(name.to_owned()));
        draft
    }

    /// The same folder with a container class: what kind of items it is for.
    #[must_use]
    pub fn of_class(mut self, class: &str) -> Self {
        self.props.set(tags::CONTAINER_CLASS, Value::Unicode(class.to_owned()));
        self
    }
}

/// How many messages a folder has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) messages: i32,
    pub(super) unread: i32,
    pub(super) hidden: i32,
}

/// A folder that grows.
#[derive(Debug)]
pub(super) struct Growing {
    pub(super) parent: Nid,
    pub(super) props: PropertyList,
    pub(super) children: Vec<Nid>,
    pub(super) counts: Counts,
    pub(super) contents: TableBuilder,
    pub(super) associated: TableBuilder,
    /// The contents before messages were deleted.
    pub(super) before: Option<TableBuilder>,
}

/// A row to come: what the tables of folders tell of a message.
pub(super) struct Row<'v> {
    pub(super) nid: Nid,
    pub(super) version: u32,
    pub(super) cells: Vec<(u16, &'v Value)>,
}

/// Which table of a folder a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Among those that users see.
    Contents { read: bool },
    /// Among views, rules, settings.
    Associated,
    /// In none: it was deleted.
    Deleted,
}

impl Growing {
    pub(super) fn new(format: Format, parent: Nid, draft: FolderDraft) -> Result<Self> {
        let contents = || TableBuilder::new(format, CONTENTS.shape(format));
        Ok(Self {
            parent,
            props: draft.props,
            children: Vec::new(),
            counts: Counts::default(),
            contents: contents()?,
            associated: TableBuilder::new(format, ASSOCIATED.shape(format))?,
            before: if draft.deletions { Some(contents()?) } else { None },
        })
    }

    /// Adds a message's row where it belongs, and counts it.
    pub(super) fn push(&mut self, place: Place, row: &Row<'_>, nids: &mut Nids) -> Result<()> {
        let (id, version) = (row.nid.0, row.version);
        match place {
            Place::Contents { read } => {
                self.counts.messages = self.counts.messages.saturating_add(1);
                self.counts.unread = self.counts.unread.saturating_add((!read).into());
                self.contents.push(id, version, &row.cells, nids)?;
            }
            Place::Associated => {
                self.counts.hidden = self.counts.hidden.saturating_add(1);
                return self.associated.push(id, version, &row.cells, nids);
            }
            Place::Deleted => {}
        }
        match &mut self.before {
            Some(before) => before.push(id, version, &row.cells, nids),
            None => Ok(()),
        }
    }

    /// The properties with the counts as they are now; the row in the parent's table has the same.
    pub(super) fn counted(&self) -> PropertyList {
        let mut props = self.props.clone();
        props.set_default(tags::DISPLAY_NAME, Value::Unicode(String::new()));
        props.set(tags::CONTENT_COUNT, Value::I32(self.counts.messages));
        props.set(tags::CONTENT_UNREAD_COUNT, Value::I32(self.counts.unread));
        props.set(tags::SUBFOLDERS, Value::Bool(!self.children.is_empty()));
        if self.counts.hidden > 0 {
            props.set(tags::HIDDEN_COUNT, Value::I32(self.counts.hidden));
            props.set(tags::HIDDEN_UNREAD_COUNT, Value::I32(0));
        }
        props
    }
}
