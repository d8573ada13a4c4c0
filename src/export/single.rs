//! A document that becomes a file of its own.

use super::folder::{Document, Folder, join};
use super::line::{Item, Status};
use super::name::Place;
use super::target::Trouble;
use super::work::Work;
use super::{Layout, Stop, Time};

/// What became of a document.
pub(super) struct Done {
    pub(super) item: Item,
    /// Whether it was left alone.
    pub(super) unchanged: bool,
}

impl Work<'_> {
    /// Writes a document as a file, unless an earlier run did.
    pub(super) fn single(&self, folder: &Folder, place: &Place, document: &Document) -> Result<Done, Stop> {
        let before = self.proven(folder, document);
        if let Some(item) = before.as_ref().filter(|item| self.stands(place, document, item)) {
            return Ok(Done { item: item.clone(), unchanged: true });
        }
        let begun = self.begun(folder, document);
        match self.write(place, document, begun.clone()) {
            Ok(item) => {
                self.replace(folder, document, &item);
                Ok(Done { item, unchanged: false })
            }
            Err(Trouble::Item(reason)) => {
                let path = if self.settings.layout == Layout::Eml { join(&place.mail, &document.name) } else { String::new() };
                Ok(Done { item: Item { path, status: Status::Failed, reason: Some(reason), ..begun }, unchanged: false })
            }
            Err(Trouble::Stop(stop)) => Err(stop),
        }
    }

    /// Whether the file that an earlier run wrote is there, and where it belongs.
    fn stands(&self, place: &Place, document: &Document, item: &Item) -> bool {
        let belongs = match self.settings.layout {
            Layout::Eml => item.path == join(&place.mail, &document.name),
            Layout::Maildir | Layout::Mbox | Layout::Thunderbird => item.path.starts_with(&join(&place.mail, "cur/")),
        };
        belongs && item.offset.is_none() && item.size.is_some_and(|size| self.target.has(&item.path, size))
    }

    fn write(&self, place: &Place, document: &Document, begun: Item) -> Result<Item, Trouble> {
        let opened = self.open(document)?;
        let path = match self.settings.layout {
            Layout::Maildir => {
                let name = maildir_name(opened.file.mtime(), &own_name(document), &opened.marks.maildir());
                join(&place.mail, &format!("cur/{name}"))
            }
            Layout::Eml | Layout::Mbox | Layout::Thunderbird => join(&place.mail, &document.name),
        };
        let mut making = self.target.begin(&self.making(place, document), &path)?;
        let seen = self.pour(document, &opened.file, &mut |bytes| making.write(bytes))?;
        let whole = making.finish(opened.file.mtime())?;
        self.target.place(whole, &path, self.old.knows(&path))?;
        Ok(seen.written(begun, &opened, &path))
    }

    /// What a file is called while it is written: the same in every run, so that the next one clears up after a dead one.
    fn making(&self, place: &Place, document: &Document) -> String {
        let name = format!(".pstfs-export.{}", own_name(document));
        match self.settings.layout {
            Layout::Maildir => join(&place.mail, &format!("tmp/{name}")),
            Layout::Eml | Layout::Mbox | Layout::Thunderbird => join(&place.mail, &name),
        }
    }

    /// Takes away what an earlier run wrote of the same item under another name: a mail that was read since.
    fn replace(&self, folder: &Folder, document: &Document, item: &Item) {
        let Some(before) = self.old.item(document.key(folder)) else { return };
        let is_free = || {
            !folder
                .documents
                .iter()
                .any(|other| before.path.strip_suffix(&other.name).is_some_and(|rest| rest.ends_with('/') || rest.is_empty()))
        };
        let is_ours = before.offset.is_none() && before.path != item.path && before.status != Status::Failed && is_free();
        if is_ours && before.size.is_some_and(|size| self.target.has(&before.path, size)) {
            // Where it cannot be removed the mail is there twice, which the folder shows.
            let _ = std::fs::remove_file(self.target.path(&before.path));
        }
    }
}

/// What no other document of its folder is called.
fn own_name(document: &Document) -> String {
    let number = document.number.map(|number| format!("-{number}")).unwrap_or_default();
    format!("{}{number}", document.nid.as_deref().unwrap_or("found"))
}

/// The name of a mail in a Maildir: its time, its node, and the letters of its marks.
fn maildir_name(time: Option<Time>, nid: &str, letters: &str) -> String {
    let seconds = time.map_or(0, |(seconds, _)| seconds.max(0));
    format!("{seconds}.N{}.pstfs:2,{letters}", nid.trim_start_matches("0x"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_mail_begins_with_its_time_and_ends_with_its_marks() {
        assert_eq!(maildir_name(Some((1_704_099_780, 5)), "0x200024", "RS"), "1704099780.N200024.pstfs:2,RS");
        assert_eq!(maildir_name(Some((-5, 0)), "0x200024", ""), "0.N200024.pstfs:2,");
    }
}
