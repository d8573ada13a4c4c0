//! `pstfs ls`: the tree of a store, without a mount.

use std::collections::HashSet;
use std::path::PathBuf;

use clap::Args;

use super::exit::Exit;
use super::interrupt::end_at_once;
use super::json::{self, Counts, Record};
use super::out::{Failure, Output, Stop};
use super::source::{self, Source};
use super::text;
use crate::damage::{Code, Error, Place};
use crate::format::id::Nid;
use crate::tree::{Attributes, Entry, Ino, Kind, Object, Tree};

const HELP: &str = "\
Options for -o, separated by commas; they mean what they mean to a mount:
  all_folders        the whole tree, not only what Outlook shows
  hidden             associated messages too (views, rules, settings)
  attachments        beside each message a folder with its attachments
  names=date|subject|nid
                     how documents are named
  vcard=4.0|3.0      the version of vCard; 3.0 for programs that read no other
  recovered=orphaned|none|all
                     what the folder Recovered shows; with all the whole file is
                     searched for deleted items first
  resolve=store      addresses of Exchange's users (/o=...) become the mail
                     addresses that any item tells: reads all items first

Examples:
  pstfs ls outlook.pst
  pstfs ls -l outlook.pst Inbox
  pstfs ls -R -o all_folders,hidden outlook.pst | grep invoice

Exit codes: 0 done (damage is told on standard error), 8 failed (no such PATH,
not a store), 16 usage. Nothing is ever written to FILE.";

/// List a folder of a store
///
/// Prints what a mount shows there, one name a line, folders with a slash at their end.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct Ls {
    /// With the exact size in bytes and the time (UTC) of each
    #[arg(short)]
    long: bool,
    /// All that is below, with the path from PATH on
    #[arg(short = 'R')]
    recursive: bool,
    /// Options, separated by commas; see below
    #[arg(short, value_name = "OPT,..")]
    options: Vec<String>,
    /// Print JSON Lines; 'pstfs schema' describes them
    #[arg(long)]
    json: bool,
    /// The store: a .pst or .ost file
    file: PathBuf,
    /// A path in it; without one, its root
    path: Option<String>,
}

/// Lists as the user asked.
pub fn run(args: &Ls) -> Result<Exit, Failure> {
    let view = source::view(&args.options)?;
    end_at_once()?;
    let mut out = Output::new();
    Stop::settle(list(args, view, &mut out))
}

fn list(args: &Ls, view: crate::tree::View, out: &mut Output) -> Result<Exit, Stop> {
    if args.json {
        json::write(out, &json::start(text::lossy(&args.file)))?;
    }
    let walked = Source::find(&args.file).and_then(|source| Ok((source.tree_alone(view)?, source)));
    let walked = walked.map_err(Stop::from).and_then(|(tree, source)| {
        let mut walk = Walk { args, tree: &tree, source: &source, out, counts: [0; 3], seen: HashSet::new() };
        walk.run()?;
        let counts = walk.counts;
        let notes = tree.store().ndb().notes();
        source.tell_damage(notes, &format!("'pstfs info {}' tells more", source.quoted()));
        Ok((counts, notes.findings().iter().any(source::is_damage)))
    });
    match walked {
        Ok(([folders, files, failed], damaged)) => {
            if args.json {
                let counts = Counts::from([("folders", folders), ("files", files), ("failed", failed)]);
                json::write(out, &json::end(damaged, counts))?;
            }
            out.flush()?;
            Ok(Exit::Done)
        }
        Err(Stop::Failed(failure)) => {
            if args.json {
                json::failed(&failure.message).iter().try_for_each(|record| json::write(out, record))?;
            }
            out.flush()?;
            Err(failure.into())
        }
        Err(Stop::Gone) => Err(Stop::Gone),
    }
}

/// The number that a path names; a failure that says so where it names nothing.
pub(super) fn resolve(tree: &Tree, source: &Source, path: &str) -> Result<Ino, Failure> {
    tree.resolve(path).map_err(|error| match error {
        Error::NotFound(_) => {
            let path = path.replace(char::is_control, "?");
            source.failed(format!("there is no '{path}' in it; 'pstfs ls -R {}' shows what there is", source.quoted()))
        }
        error => source.broken(&error),
    })
}

/// A walk over a folder, or all below it.
struct Walk<'a> {
    args: &'a Ls,
    tree: &'a Tree,
    source: &'a Source,
    out: &'a mut Output,
    /// Folders, files, and entries that could not be looked at.
    counts: [u64; 3],
    /// Folders that were listed: damaged stores may list one in another in a circle.
    seen: HashSet<Ino>,
}

impl Walk<'_> {
    fn run(&mut self) -> Result<(), Stop> {
        let path = self.args.path.as_deref().unwrap_or_default();
        let ino = resolve(self.tree, self.source, path)?;
        let attributes = self.tree.attributes(ino).map_err(|error| self.source.broken(&error))?;
        match attributes.kind {
            Kind::File => {
                let entry = Entry { name: path.to_owned(), ino, kind: Kind::File };
                self.show(&entry, path.trim_matches('/'), path)
            }
            Kind::Directory => self.folders(ino, path.trim_matches('/')),
        }
    }

    /// The folder, and with `-R` those below; paths are shown from it on.
    fn folders(&mut self, top: Ino, path: &str) -> Result<(), Stop> {
        // Folders that wait to be listed, with their paths from the top on.
        let mut waiting = vec![(top, String::new())];
        self.seen.insert(top);
        while let Some((ino, below)) = waiting.pop() {
            let listing = match self.tree.list(ino) {
                Ok(listing) => listing,
                Err(error) => {
                    self.survive(error, ino, ino == top)?;
                    continue;
                }
            };
            let first = waiting.len();
            for entry in &listing.entries {
                let from_top = join(&below, &entry.name);
                self.show(entry, &join(path, &from_top), &from_top)?;
                if self.args.recursive && entry.kind == Kind::Directory && self.seen.insert(entry.ino) {
                    waiting.push((entry.ino, from_top));
                }
            }
            self.counts = add(self.counts, [0, 0, listing.failed]);
            // The last one in is the first one out: turned round, the folders come in their order.
            waiting.get_mut(first..).unwrap_or_default().reverse();
        }
        Ok(())
    }

    /// What an entry that cannot be looked at leads to: a failing disk and a folder that was asked for end the walk.
    fn survive(&mut self, error: Error, ino: Ino, asked_for: bool) -> Result<(), Stop> {
        if error.is_io() || asked_for {
            return Err(self.source.broken(&error).into());
        }
        let place = nid_of(ino).map_or(Place::FILE, |nid| Place::node(nid.0));
        self.tree.store().ndb().notes().survived(&error, Code::FolderTable, place);
        self.counts = add(self.counts, [0, 0, 1]);
        Ok(())
    }

    fn show(&mut self, entry: &Entry, path: &str, shown: &str) -> Result<(), Stop> {
        let attributes = if self.args.long { self.attributes(entry.ino)? } else { None };
        self.counts = add(self.counts, if entry.kind == Kind::File { [0, 1, 0] } else { [1, 0, 0] });
        if self.args.json {
            return json::write(self.out, &Record::Entry(Box::new(record(entry, path, attributes))));
        }
        let slash = if entry.kind == Kind::Directory { "/" } else { "" };
        let columns = if self.args.long { columns(entry.kind, attributes) } else { String::new() };
        self.out.line(&format!("{columns}{shown}{slash}"))
    }

    fn attributes(&mut self, ino: Ino) -> Result<Option<Attributes>, Stop> {
        match self.tree.attributes(ino) {
            Ok(attributes) => Ok(Some(attributes)),
            Err(error) => self.survive(error, ino, false).map(|()| None),
        }
    }
}

fn add(to: [u64; 3], more: [u64; 3]) -> [u64; 3] {
    let ([a, b, c], [d, e, f]) = (to, more);
    [a.saturating_add(d), b.saturating_add(e), c.saturating_add(f)]
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

/// Size and time in columns: `-` where there is none, `?` where it cannot be read.
fn columns(kind: Kind, attributes: Option<Attributes>) -> String {
    let size = match (kind, attributes) {
        (Kind::Directory, Some(_)) => "-".to_owned(),
        (Kind::File, Some(attributes)) => attributes.size.to_string(),
        (_, None) => "?".to_owned(),
    };
    let time = text::time(attributes.and_then(|attributes| attributes.mtime)).unwrap_or_else(|| "-".to_owned());
    format!("{size:>11}  {time:<20}  ")
}

fn record(entry: &Entry, path: &str, attributes: Option<Attributes>) -> json::Entry {
    let is_file = entry.kind == Kind::File;
    json::Entry {
        path: path.to_owned(),
        kind: if is_file { "file" } else { "folder" },
        nid: nid_of(entry.ino).map(|nid| nid.to_string()),
        size: attributes.filter(|_| is_file).map(|attributes| attributes.size),
        mtime: text::rfc3339(attributes.and_then(|attributes| attributes.mtime)),
    }
}

/// The node that an entry stands for; of an attachment the message that holds it.
pub(super) fn nid_of(ino: Ino) -> Option<Nid> {
    match Object::of(ino)? {
        Object::Folder(nid) | Object::Lost(nid) | Object::StandIn(nid) | Object::Attachment(nid, _) => Some(nid),
        Object::Document(slot) | Object::Attachments(slot) => Some(slot.nid),
        Object::Root | Object::OtherFolders | Object::Recovered | Object::Orphaned | Object::Category(_) => None,
        // Several states of a node may have been found.
        Object::FoundFolder(_) | Object::Found(_) | Object::FoundAttachments(_) | Object::FoundAttachment(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let attributes = |kind, size, mtime| Some(Attributes { ino: Ino::ROOT, kind, size, mtime });
        let file = columns(Kind::File, attributes(Kind::File, 1234, Some((1_003_781_182, 0))));
        assert_eq!(file, "       1234  2001-10-22 20:06:22Z  ");
        let folder = columns(Kind::Directory, attributes(Kind::Directory, 0, None));
        assert_eq!((folder.len(), folder.trim_start()), (file.len(), "-  -                     "));
        assert_eq!(columns(Kind::File, None).trim_start().chars().next(), Some('?'));
    }
}
