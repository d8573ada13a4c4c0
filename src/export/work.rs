//! What every document goes through, whatever it becomes: rendered, read to its end, looked at.

use sha2::{Digest, Sha256};

use super::folder::{Document, Folder, words};
use super::head::Head;
use super::line::{Item, Status};
use super::manifest::Old;
use super::marks::Marks;
use super::target::{Target, Trouble};
use super::{Settings, Stop, hex};
use crate::convert::Format;
use crate::progress::Progress;
use crate::store::props::Props;
use crate::store::tags;
use crate::tree::{Object, OpenFile, Tree};

/// How much is read and written at a time.
pub(super) const CHUNK_BYTES: u64 = 1 << 20;

/// What a calendar or card says that lacks something.
const INCOMPLETE_LINE: &[u8] = b"\nX-PSTFS-INCOMPLETE:";

/// What the threads of a run share.
pub(super) struct Work<'a> {
    pub(super) tree: &'a Tree,
    pub(super) settings: &'a Settings,
    pub(super) progress: &'a Progress,
    pub(super) target: &'a Target,
    pub(super) old: &'a Old,
}

/// A document that was opened, with what is known before its bytes.
pub(super) struct Opened {
    pub(super) file: OpenFile,
    pub(super) marks: Marks,
    pub(super) class: String,
}

/// What was learned of a document while its bytes went by.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) head: Head,
    pub(super) sha256: String,
    reasons: Vec<String>,
}

impl Work<'_> {
    /// What is known of an item before anything was done with it: it failed.
    pub(super) fn begun(&self, folder: &Folder, document: &Document) -> Item {
        Item {
            nid: document.nid.clone(),
            number: document.number,
            folder: folder.path.clone(),
            blocks: document.blocks.clone(),
            renderer: self.settings.renderer,
            ..Item::default()
        }
    }

    /// What an earlier run wrote of an item, if the item and what makes documents are still the same.
    pub(super) fn proven(&self, folder: &Folder, document: &Document) -> Option<Item> {
        let item = self.old.item(document.key(folder))?;
        let is_same = item.renderer == self.settings.renderer && item.blocks == document.blocks && item.blocks.is_some();
        (is_same && item.status != Status::Failed).then_some(item)
    }

    /// Opens a document.
    pub(super) fn open(&self, document: &Document) -> Result<Opened, Trouble> {
        self.progress.check().map_err(|_| Stop::Cancelled)?;
        let file = self.tree.open(document.ino).map_err(|error| Trouble::Item(words(&error)))?;
        let props = self.props(document);
        let told =
            || self.tree.xattr(document.ino, "user.pst.class").ok().flatten().map(|class| String::from_utf8_lossy(&class).into_owned());
        let class = props.text(tags::MESSAGE_CLASS).or_else(told).unwrap_or_default();
        Ok(Opened { file, marks: Marks::of(&props), class })
    }

    /// The properties of an item; none where they cannot be read, which its document tells.
    fn props(&self, document: &Document) -> Props {
        let nid = match Object::of(document.ino) {
            Some(Object::Document(slot)) => Some(slot.nid),
            Some(Object::Attachment(nid, _)) => Some(nid),
            _ => None,
        };
        nid.and_then(|nid| self.tree.store().node_props(nid).ok()).unwrap_or_default()
    }

    /// Reads a document to its end, piece by piece.
    pub(super) fn pour(
        &self,
        document: &Document,
        file: &OpenFile,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Trouble>,
    ) -> Result<Seen, Trouble> {
        let mut seen = Seen::default();
        let mut hash = Sha256::new();
        let (mut offset, mut missing, mut lacks) = (0_u64, false, false);
        while offset < file.size() {
            self.progress.check().map_err(|_| Stop::Cancelled)?;
            let len = usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX);
            let (bytes, zeros) = self.tree.read_telling(file, offset, len).map_err(|error| Trouble::Item(words(&error)))?;
            if bytes.is_empty() {
                return Err(Trouble::Item("ends before its size".into()));
            }
            missing |= zeros;
            lacks |= document.format != Format::Eml && contains(&bytes, INCOMPLETE_LINE);
            hash.update(&bytes);
            seen.head.take(&bytes);
            sink(&bytes)?;
            offset = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        }
        seen.sha256 = hex(hash);
        seen.reasons = self.reasons(document, &seen.head, missing, lacks);
        Ok(seen)
    }

    /// What of a document is missing.
    fn reasons(&self, document: &Document, head: &Head, missing: bool, lacks: bool) -> Vec<String> {
        let is_attachment = matches!(Object::of(document.ino), Some(Object::Attachment(..) | Object::FoundAttachment(..)));
        // What a mail that is an attachment says of itself is no news of this store.
        let told = if is_attachment { None } else { head.field("X-Pstfs-Incomplete") };
        let damage =
            || self.tree.xattr(document.ino, "user.pst.damage").ok().flatten().map(|text| String::from_utf8_lossy(&text).into_owned());
        // Mail tells its damage itself.
        let damage = if document.format == Format::Eml { None } else { damage() };
        let lacks = (lacks && damage.is_none()).then(|| "something of it has no place in this kind of document".to_owned());
        let missing = missing.then(|| "some of its data are damaged, or lost and replaced by zeros".to_owned());
        [told, damage, lacks, missing].into_iter().flatten().collect()
    }
}

impl Seen {
    /// The record of a document that is there.
    pub(super) fn written(self, begun: Item, opened: &Opened, path: &str) -> Item {
        let status = if self.reasons.is_empty() { Status::Written } else { Status::Incomplete };
        Item {
            path: path.to_owned(),
            class: opened.class.clone(),
            message_id: self.head.field("Message-ID"),
            size: Some(opened.file.size()),
            sha256: Some(self.sha256),
            status,
            reason: (!self.reasons.is_empty()).then(|| self.reasons.join("; ")),
            ..begun
        }
    }
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    // `windows` is a lint's enemy for a size from a file; this one is a constant's.
    (0..bytes.len()).any(|at| bytes.get(at..).is_some_and(|rest| rest.starts_with(what)))
}
