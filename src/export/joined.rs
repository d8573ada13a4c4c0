//! A file that documents share: an mbox, a calendar, a list of contacts.

use super::calendar::{self, Zones};
use super::folder::{Document, Folder};
use super::line::{Item, Shared, Status};
use super::quote::{Quoter, from_line};
use super::target::{Made, Making, Target, Trouble};
use super::work::{CHUNK_BYTES, Opened, Seen, Work};
use super::{Layout, Stop, Time};
use crate::convert::Format;
use crate::convert::digest::Digest;

/// A document on its way into a shared file.
pub(super) struct Piece {
    document: Document,
    begun: Item,
    opened: Opened,
    /// Its bytes; a large one is read when its turn comes.
    whole: Option<(Vec<u8>, Seen)>,
}

impl Piece {
    /// What it really is: an appointment that lacks its start is mail, whatever its name.
    pub(super) fn format(&self) -> Format {
        let begins = |mark: &[u8]| self.whole.as_ref().is_some_and(|(bytes, _)| bytes.starts_with(mark));
        match self.document.format {
            Format::Ics if begins(b"BEGIN:VCALENDAR") => Format::Ics,
            Format::Vcf if begins(b"BEGIN:VCARD") => Format::Vcf,
            _ => Format::Eml,
        }
    }

    /// The document that it is of.
    pub(super) const fn document(&self) -> &Document {
        &self.document
    }
}

impl Work<'_> {
    /// Prepares a document for a shared file: the record of one that failed, where it cannot be.
    pub(super) fn piece(&self, folder: &Folder, document: &Document) -> Result<Result<Piece, Item>, Stop> {
        let begun = self.begun(folder, document);
        match self.prepare(document, begun.clone()) {
            Ok(piece) => Ok(Ok(piece)),
            Err(Trouble::Item(reason)) => Ok(Err(Item { reason: Some(reason), ..begun })),
            Err(Trouble::Stop(stop)) => Err(stop),
        }
    }

    fn prepare(&self, document: &Document, begun: Item) -> Result<Piece, Trouble> {
        let opened = self.open(document)?;
        let is_small = opened.file.size() <= CHUNK_BYTES || document.format != Format::Eml;
        let mut bytes = Vec::new();
        let mut keep = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        let seen = if is_small { Some(self.pour(document, &opened.file, &mut keep)?) } else { None };
        Ok(Piece { document: document.clone(), begun, opened, whole: seen.map(|seen| (bytes, seen)) })
    }
}

/// A file that documents share, in the making.
pub(super) struct Joined<'a> {
    work: &'a Work<'a>,
    format: Format,
    path: String,
    making: Making,
    zones: Zones,
    /// What stands in it; of those that failed, nothing does.
    items: Vec<Item>,
    newest: Option<Time>,
}

impl<'a> Joined<'a> {
    /// Begins a file of documents of this kind.
    pub(super) fn begin(work: &'a Work<'a>, format: Format, path: &str) -> Result<Self, Trouble> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        if !above.is_empty() {
            work.target.make_folder(above)?;
        }
        let making = if above.is_empty() { format!(".pstfs-export.{name}") } else { format!("{above}/.pstfs-export.{name}") };
        let mut making = work.target.begin(&making, path)?;
        if format == Format::Ics {
            making.write(calendar::BEGIN.as_bytes())?;
        }
        Ok(Self { work, format, path: path.to_owned(), making, zones: Zones::default(), items: Vec::new(), newest: None })
    }

    /// Appends a document; what cannot be read leaves no trace.
    pub(super) fn append(&mut self, piece: Piece) -> Result<(), Stop> {
        let mark = self.making.mark();
        let begun = piece.begun.clone();
        let time = piece.opened.file.mtime();
        let appended = match self.format {
            Format::Eml => self.mail(piece),
            Format::Ics | Format::Vcf => self.text(piece),
        };
        match appended {
            Ok(item) => {
                self.newest = self.newest.max(time);
                self.items.push(Item { offset: Some(mark.offset()), ..item });
            }
            Err(Trouble::Item(reason)) => {
                self.making.go_back(mark)?;
                self.items.push(Item { reason: Some(reason), ..begun });
            }
            Err(Trouble::Stop(stop)) => return Err(stop),
        }
        Ok(())
    }

    /// Tells of a document that failed before its turn came.
    pub(super) fn failed(&mut self, item: Item) {
        self.items.push(item);
    }

    fn text(&mut self, piece: Piece) -> Result<Item, Trouble> {
        let Some((bytes, seen)) = piece.whole else { return Err(Trouble::Item("is no calendar or card".into())) };
        if self.format == Format::Ics {
            let text = self.zones.add(&String::from_utf8_lossy(&bytes));
            self.making.write(text.as_bytes())?;
        } else {
            self.making.write(&bytes)?;
        }
        Ok(seen.written(piece.begun, &piece.opened, &self.path))
    }

    fn mail(&mut self, piece: Piece) -> Result<Item, Trouble> {
        let Piece { document, begun, opened, whole } = piece;
        let mut quoter = Quoter::new();
        let seen = match whole {
            Some((bytes, seen)) => {
                self.making.write(self.before(&opened, &seen).as_bytes())?;
                self.making.write(&quoter.quote(&bytes))?;
                seen
            }
            None => {
                // What stands before a document follows from its header, which is read for it alone.
                let before = self.before(&opened, &self.first(&opened)?);
                self.making.write(before.as_bytes())?;
                let (work, making) = (self.work, &mut self.making);
                work.pour(&document, &opened.file, &mut |bytes| making.write(&quoter.quote(bytes)))?
            }
        };
        self.making.write(&quoter.finish())?;
        Ok(seen.written(begun, &opened, &self.path))
    }

    fn first(&self, opened: &Opened) -> Result<Seen, Trouble> {
        let len = usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX);
        let bytes = self.work.tree.read(&opened.file, 0, len).map_err(|error| Trouble::Item(super::folder::words(&error)))?;
        let mut seen = Seen::default();
        seen.head.take(&bytes);
        Ok(seen)
    }

    /// The line that begins a mail, and the headers that the document does not have.
    fn before(&self, opened: &Opened, seen: &Seen) -> String {
        let time = opened.file.mtime();
        if self.work.settings.layout == Layout::Thunderbird {
            return format!("{}{}", from_line(Some("-"), time), opened.marks.thunderbird());
        }
        format!("{}{}", from_line(seen.head.sender().as_deref(), time), opened.marks.mbox(|name| seen.head.has(name)))
    }

    /// Puts the file in its place; the records of what is in it, which all failed where it cannot be put there.
    pub(super) fn finish(mut self, state: String) -> Result<(Vec<Item>, Option<Shared>), Stop> {
        let failed = |items: Vec<Item>, reason: &str| {
            let fail = |item: Item| match item.status {
                Status::Failed => item,
                Status::Written | Status::Incomplete => {
                    Item { status: Status::Failed, reason: Some(reason.to_owned()), offset: None, ..item }
                }
            };
            items.into_iter().map(fail).collect()
        };
        let items = std::mem::take(&mut self.items);
        let (path, renderer) = (self.path.clone(), self.work.settings.renderer);
        match self.place() {
            Ok(Made { sha256, size }) => {
                let count = items.iter().filter(|item| item.status != Status::Failed).count();
                Ok((items, Some(Shared { path, size, sha256, items: u64::try_from(count).unwrap_or(u64::MAX), state, renderer })))
            }
            Err(Trouble::Item(reason)) => Ok((failed(items, &reason), None)),
            Err(Trouble::Stop(stop)) => Err(stop),
        }
    }

    fn place(self) -> Result<Made, Trouble> {
        let mut making = self.making;
        if self.format == Format::Ics {
            making.write(calendar::END.as_bytes())?;
        }
        let made = making.finish(self.newest)?;
        self.work.target.place(made, &self.path, self.work.old.knows(&self.path))
    }
}

/// The digest of the documents that a file is made of, as the store has them now; `None` where that cannot be told.
pub(super) fn state<'d>(documents: impl Iterator<Item = &'d Document>) -> Option<String> {
    let mut digest = Digest::default();
    for document in documents {
        digest.add(document.nid.as_deref().unwrap_or_default().as_bytes());
        digest.add(document.number.map_or(-1, i64::from).to_string().as_bytes());
        digest.add(document.blocks.as_ref()?.as_bytes());
    }
    Some(digest.hex())
}

/// Makes the files that Thunderbird wants above a folder, where there are none.
pub(super) fn above(work: &Work<'_>, paths: &[String]) -> Result<Vec<Shared>, Trouble> {
    let missing = |path: &&String| is_missing(work.target, path);
    let made = paths.iter().filter(missing).map(|path| empty(work, path));
    made.filter_map(Result::transpose).collect()
}

/// Makes an mbox without mails.
pub(super) fn empty(work: &Work<'_>, path: &str) -> Result<Option<Shared>, Trouble> {
    let none = state(std::iter::empty()).unwrap_or_default();
    Ok(Joined::begin(work, Format::Eml, path)?.finish(none)?.1)
}

fn is_missing(target: &Target, path: &str) -> bool {
    target.path(path).symlink_metadata().is_err()
}
