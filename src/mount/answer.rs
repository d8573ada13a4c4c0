//! The answers to the kernel's requests: each is asked of `tree` or `control`.

use std::ffi::OsStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use fuser::{Errno, FileAttr, FileHandle, FopenFlags, INodeNo, OpenAccMode, OpenFlags};

use super::attr::Owner;
use super::errno;
use super::handles::{Document, Folder, Handles, Open};
use super::session::Settings;
use super::shown::Shown;
use crate::control::{Awaited, Control};
use crate::damage;
use crate::tree::{Attributes, Ino, Kind, Tree};

const CONTROL: Ino = Ino(2);
const CONTROL_NAME: &str = ".control";
const LOG: Ino = Ino(3);
const LOG_NAME: &str = ".scanlog";
/// What the mount adds to the root.
const ADDED: &[(Ino, &str)] = &[(CONTROL, CONTROL_NAME), (LOG, LOG_NAME)];

/// How long the kernel may keep what it was told: a store changes only by `repair`, which tells it to forget.
const KEEP: Duration = Duration::from_secs(3600);
/// The control files change at any time.
const ASK_AGAIN: Duration = Duration::ZERO;
/// The longest name, in bytes.
pub(super) const NAME_MAX_BYTES: usize = 255;

/// What a request ends in: something to reply, or an errno.
pub(super) type Answer<T> = Result<T, Errno>;

/// A mounted tree.
#[derive(Debug)]
pub(super) struct Pstfs {
    shown: Arc<Shown>,
    control: Arc<Control>,
    owner: Owner,
    with_control: bool,
    read_only: bool,
    handles: Handles,
    /// Dropped with the file system; that is how the other end hears of its end.
    _alive: Sender<()>,
}

/// Where an inode number leads.
#[derive(Clone, Copy)]
enum Node {
    Control,
    Log,
    Tree(Ino),
}

impl Pstfs {
    /// The file system and what tells of its end.
    pub(super) fn new(shown: Arc<Shown>, control: Arc<Control>, settings: &Settings) -> (Self, Receiver<()>) {
        let (alive, gone) = channel();
        let pstfs = Self {
            shown,
            control,
            owner: settings.owner,
            with_control: settings.control,
            read_only: settings.read_only,
            handles: Handles::default(),
            _alive: alive,
        };
        (pstfs, gone)
    }

    fn tree(&self) -> Arc<Tree> {
        self.shown.tree()
    }

    fn node(&self, ino: INodeNo) -> Answer<Node> {
        match Ino(ino.0) {
            CONTROL | LOG if !self.with_control => Err(Errno::ENOENT),
            CONTROL => Ok(Node::Control),
            LOG => Ok(Node::Log),
            ino => Ok(Node::Tree(ino)),
        }
    }

    fn added(&self, folder: Ino) -> &'static [(Ino, &'static str)] {
        if self.with_control && folder == Ino::ROOT { ADDED } else { &[] }
    }

    /// The entry of this name in a folder, and how long that holds.
    pub(super) fn find(&self, parent: INodeNo, name: &OsStr) -> Answer<(FileAttr, Duration)> {
        if name.len() > NAME_MAX_BYTES {
            return Err(Errno::ENAMETOOLONG);
        }
        // Every name of a tree is UTF-8.
        let name = name.to_str().ok_or(Errno::ENOENT)?;
        if let Some((ino, _)) = self.added(Ino(parent.0)).iter().find(|(_, added)| *added == name) {
            return self.attributes(INodeNo(ino.0));
        }
        let attributes = self.tree().lookup(Ino(parent.0), name).map_err(refused)?;
        Ok((self.owner.attr(&attributes), self.keep(attributes.ino)))
    }

    /// What `stat` shows, and how long that holds.
    pub(super) fn attributes(&self, ino: INodeNo) -> Answer<(FileAttr, Duration)> {
        match self.node(ino)? {
            Node::Control => {
                let size = u64::try_from(self.control.status().len()).map_err(|_| Errno::EIO)?;
                Ok((self.owner.special(CONTROL, self.owner.control_mode, size, self.control.changed()), ASK_AGAIN))
            }
            Node::Log => {
                let log = self.control.log();
                Ok((self.owner.special(LOG, self.owner.file_mode, log.size_bytes, log.changed), ASK_AGAIN))
            }
            Node::Tree(ino) => {
                let attributes = self.tree().attributes(ino).map_err(refused)?;
                Ok((self.owner.attr(&attributes), self.keep(ino)))
            }
        }
    }

    /// How long the kernel may keep a document's length. It has one for all who read it: while someone reads an older
    /// state it asks each time, and is told what holds for who asks.
    fn keep(&self, ino: Ino) -> Duration {
        if self.handles.has_other(ino, &self.tree()) { ASK_AGAIN } else { KEEP }
    }

    /// What `fstat` shows: of a document of an older state its own length, which its reader goes by.
    pub(super) fn attributes_of(&self, ino: INodeNo, handle: Option<FileHandle>) -> Answer<(FileAttr, Duration)> {
        let open = handle.and_then(|handle| self.handles.find(handle));
        match open.as_deref() {
            Some(Open::Document(open)) if !Arc::ptr_eq(&open.tree, &self.tree()) => {
                let (size, mtime) = (open.document.size(), open.document.mtime());
                Ok((self.owner.attr(&Attributes { ino: open.ino, kind: Kind::File, size, mtime }), ASK_AGAIN))
            }
            _ => self.attributes(ino),
        }
    }

    /// Opens a file, and says how the kernel may keep what it reads of it.
    pub(super) fn open_file(&self, ino: INodeNo, flags: OpenFlags) -> Answer<(FileHandle, FopenFlags)> {
        let writes = flags.acc_mode() != OpenAccMode::O_RDONLY || flags.0 & libc::O_TRUNC != 0;
        let node = self.node(ino)?;
        if writes && (self.read_only || !matches!(node, Node::Control)) {
            return Err(Errno::EROFS);
        }
        let (open, flags) = match node {
            Node::Control => (Open::Control(self.control.status()), FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_NOFLUSH),
            Node::Log => (Open::Log, FopenFlags::FOPEN_NOFLUSH),
            Node::Tree(ino) => return self.open_document(ino),
        };
        Ok((self.handles.add(open), flags))
    }

    /// Opens a document of the tree that is shown; no other is shown before the handle is known.
    fn open_document(&self, ino: Ino) -> Answer<(FileHandle, FopenFlags)> {
        let now = self.shown.now();
        let tree = Arc::clone(&now.tree);
        let document = tree.open(ino).map_err(refused)?;
        // The kernel keeps one copy of what an inode holds: that is for those who have an older state open.
        let keep = match () {
            () if now.is_changing() || self.handles.has_other(ino, &tree) => FopenFlags::FOPEN_DIRECT_IO,
            () if self.handles.is_outdated(ino) => FopenFlags::empty(),
            () => FopenFlags::FOPEN_KEEP_CACHE,
        };
        let handle = self.handles.add(Open::Document(Document { ino, tree, document }));
        Ok((handle, keep | FopenFlags::FOPEN_NOFLUSH))
    }

    /// Bytes of an open file from `offset`, at most `size`.
    pub(super) fn read_file(&self, handle: FileHandle, offset: u64, size: u32) -> Answer<Vec<u8>> {
        let size = usize::try_from(size).map_err(|_| Errno::EINVAL)?;
        match &*self.handles.find(handle).ok_or(Errno::EBADF)? {
            Open::Document(open) => open.tree.read(&open.document, offset, size).map_err(refused),
            Open::Control(status) => {
                let offset = usize::try_from(offset).unwrap_or(usize::MAX);
                Ok(status.bytes().skip(offset).take(size).collect())
            }
            Open::Log => Ok(self.control.read_log(offset, size)),
            Open::Folder(_) => Err(Errno::EISDIR),
        }
    }

    /// One write is one command; where in the file it is written does not matter.
    pub(super) fn write_file(&self, handle: FileHandle, data: &[u8]) -> Answer<Awaited> {
        match &*self.handles.find(handle).ok_or(Errno::EBADF)? {
            Open::Control(_) => self.control.command(data).map_err(errno::of_refusal),
            Open::Document(_) | Open::Log | Open::Folder(_) => Err(Errno::EROFS),
        }
    }

    /// A command of `pstfs ctl`, which needs no writable mount; the number of its job.
    pub(super) fn command(&self, handle: FileHandle, data: &[u8]) -> Answer<i32> {
        match &*self.handles.find(handle).ok_or(Errno::EBADF)? {
            Open::Control(_) => {
                let text = data.split(|byte| *byte == 0).next().unwrap_or_default();
                let job = self.control.command(text).map_err(errno::of_refusal)?;
                // The number is a call's result, which has 31 bits.
                Ok(i32::try_from(job.number).unwrap_or(i32::MAX))
            }
            Open::Document(_) | Open::Log | Open::Folder(_) => Err(Errno::ENOTTY),
        }
    }

    /// Opens a folder.
    pub(super) fn open_folder(&self, ino: INodeNo) -> Answer<FileHandle> {
        let Node::Tree(ino) = self.node(ino)? else { return Err(Errno::ENOTDIR) };
        let listing = self.tree().list(ino).map_err(refused)?;
        Ok(self.handles.add(Open::Folder(Folder { ino, added: self.added(ino), listing })))
    }

    /// Gives the entries of an opened folder from `offset` on, each with the offset after it, until `full`.
    pub(super) fn list(&self, handle: FileHandle, offset: u64, mut full: impl FnMut(u64, Ino, Kind, &str) -> bool) -> Answer<()> {
        let open = self.handles.find(handle).ok_or(Errno::EBADF)?;
        let Open::Folder(folder) = &*open else { return Err(Errno::ENOTDIR) };
        let mut number = offset;
        while let Some((ino, kind, name)) = folder.entry(number) {
            number = number.checked_add(1).ok_or(Errno::EINVAL)?;
            if full(number, ino, kind, name) {
                break;
            }
        }
        Ok(())
    }

    /// The attributes of an entry that is listed. One whose own cannot be told is listed all the same, as an empty
    /// thing that the kernel asks about again when someone wants it.
    pub(super) fn listed(&self, ino: Ino, kind: Kind) -> (FileAttr, Duration) {
        self.attributes(INodeNo(ino.0)).unwrap_or_else(|_| {
            let unknown = Attributes { ino, kind, size: 0, mtime: None };
            (self.owner.attr(&unknown), ASK_AGAIN)
        })
    }

    /// Truncating `.control` changes nothing, but `echo VERB > .control` may ask for it. Nothing else can be set.
    pub(super) fn set(&self, ino: INodeNo, only_size: bool) -> Answer<(FileAttr, Duration)> {
        match self.node(ino)? {
            Node::Control if only_size && !self.read_only => self.attributes(ino),
            Node::Control | Node::Log | Node::Tree(_) => Err(Errno::EROFS),
        }
    }

    /// The value of an extended attribute.
    pub(super) fn xattr(&self, ino: INodeNo, name: &OsStr) -> Answer<Vec<u8>> {
        let name = name.to_str().ok_or(Errno::ENODATA)?;
        // The kernel asks for `security.capability` before each write and for ACLs; only `user.` can be set.
        if !name.starts_with("user.") {
            return Err(Errno::ENODATA);
        }
        match self.node(ino)? {
            Node::Control | Node::Log => Err(Errno::ENODATA),
            Node::Tree(ino) => self.tree().xattr(ino, name).map_err(refused)?.ok_or(Errno::ENODATA),
        }
    }

    /// The names that are set, each ended by a zero byte.
    pub(super) fn xattr_names(&self, ino: INodeNo) -> Answer<Vec<u8>> {
        let names = match self.node(ino)? {
            Node::Control | Node::Log => Vec::new(),
            Node::Tree(ino) => self.tree().xattr_names(ino).map_err(refused)?,
        };
        Ok(names.into_iter().flat_map(|name| name.bytes().chain([0])).collect())
    }

    /// Lets a handle go.
    pub(super) fn close(&self, handle: FileHandle) {
        if let Some(Open::Document(open)) = self.handles.find(handle).as_deref()
            && !Arc::ptr_eq(&open.tree, &self.tree())
        {
            // What was read through it since another tree is shown lies in the kernel's one copy of the document.
            self.handles.outdate(open.ino);
        }
        self.handles.remove(handle);
    }

    /// The store's length in bytes.
    pub(super) fn store_bytes(&self) -> u64 {
        self.tree().store_bytes()
    }
}

fn refused(error: damage::Error) -> Errno {
    let errno = errno::of(&error);
    if errno != Errno::ENOENT {
        tracing::debug!("{error}");
    }
    errno
}

/// Answers one request. A panic ends that request alone, with EIO; it would end a thread of the mount otherwise.
pub(super) fn answer<T>(what: &str, ino: INodeNo, ask: impl FnOnce() -> Answer<T>) -> Answer<T> {
    // What a panic leaves behind is caches and handles; all of them are behind locks that survive it.
    catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|_| {
        tracing::error!("{what} of inode {:#x} failed inside pstfs; this is a bug", ino.0);
        Err(Errno::EIO)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_of_that_request() {
        let answered: Answer<()> = answer("read", INodeNo(20), || panic!("a bug"));
        assert_eq!(answered, Err(Errno::EIO));
        assert_eq!(answer("read", INodeNo(20), || Ok(1)), Ok(1));
    }
}
