//! The kernel's requests: each is unpacked, asked of `tree` or `control`, and answered.

use std::ffi::OsStr;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime};

use fuser::{
    AccessFlags, BsdFileFlags, CopyFileRangeFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    InitFlags, IoctlFlags, KernelConfig, LockOwner, OpenAccMode, OpenFlags, PollEvents, PollFlags, PollNotifier, RenameFlags, ReplyAttr,
    ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyPoll,
    ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};

use super::attr::{BLOCK_BYTES, Owner};
use super::errno;
use super::handles::{Folder, Handles, Open};
use crate::control::Control;
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
/// Inode numbers are never used for another thing.
const GENERATION: Generation = Generation(0);
/// The longest name, in bytes.
const NAME_MAX_BYTES: usize = 255;

type Answer<T> = Result<T, Errno>;

/// A mounted tree.
#[derive(Debug)]
pub(super) struct Pstfs {
    tree: Arc<Tree>,
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
    pub(super) fn new(tree: Arc<Tree>, control: Arc<Control>, owner: Owner, with_control: bool, read_only: bool) -> (Self, Receiver<()>) {
        let (alive, gone) = channel();
        (Self { tree, control, owner, with_control, read_only, handles: Handles::default(), _alive: alive }, gone)
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

    fn find(&self, parent: INodeNo, name: &OsStr) -> Answer<(FileAttr, Duration)> {
        if name.len() > NAME_MAX_BYTES {
            return Err(Errno::ENAMETOOLONG);
        }
        // Every name of a tree is UTF-8.
        let name = name.to_str().ok_or(Errno::ENOENT)?;
        if let Some((ino, _)) = self.added(Ino(parent.0)).iter().find(|(_, added)| *added == name) {
            return self.attributes(INodeNo(ino.0));
        }
        let attributes = self.tree.lookup(Ino(parent.0), name).map_err(refused)?;
        Ok((self.owner.attr(&attributes), KEEP))
    }

    /// What `stat` shows, and how long that holds.
    fn attributes(&self, ino: INodeNo) -> Answer<(FileAttr, Duration)> {
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
                let attributes = self.tree.attributes(ino).map_err(refused)?;
                Ok((self.owner.attr(&attributes), KEEP))
            }
        }
    }

    fn open_file(&self, ino: INodeNo, flags: OpenFlags) -> Answer<(FileHandle, FopenFlags)> {
        let writes = flags.acc_mode() != OpenAccMode::O_RDONLY || flags.0 & libc::O_TRUNC != 0;
        let node = self.node(ino)?;
        if writes && (self.read_only || !matches!(node, Node::Control)) {
            return Err(Errno::EROFS);
        }
        let (open, flags) = match node {
            Node::Control => (Open::Control(self.control.status()), FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_NOFLUSH),
            Node::Log => (Open::Log, FopenFlags::FOPEN_NOFLUSH),
            Node::Tree(ino) => {
                let document = self.tree.open(ino).map_err(refused)?;
                (Open::Document(document), FopenFlags::FOPEN_KEEP_CACHE | FopenFlags::FOPEN_NOFLUSH)
            }
        };
        Ok((self.handles.add(open), flags))
    }

    fn read_file(&self, handle: FileHandle, offset: u64, size: u32) -> Answer<Vec<u8>> {
        let size = usize::try_from(size).map_err(|_| Errno::EINVAL)?;
        match &*self.handles.find(handle).ok_or(Errno::EBADF)? {
            Open::Document(document) => self.tree.read(document, offset, size).map_err(refused),
            Open::Control(status) => {
                let offset = usize::try_from(offset).unwrap_or(usize::MAX);
                Ok(status.bytes().skip(offset).take(size).collect())
            }
            Open::Log => Ok(self.control.read_log(offset, size)),
            Open::Folder(_) => Err(Errno::EISDIR),
        }
    }

    /// One write is one command; where in the file it is written does not matter.
    fn write_file(&self, handle: FileHandle, data: &[u8]) -> Answer<u32> {
        match &*self.handles.find(handle).ok_or(Errno::EBADF)? {
            Open::Control(_) => {
                self.control.command(data).map_err(errno::of_refusal)?;
                u32::try_from(data.len()).map_err(|_| Errno::EINVAL)
            }
            Open::Document(_) | Open::Log | Open::Folder(_) => Err(Errno::EROFS),
        }
    }

    fn open_folder(&self, ino: INodeNo) -> Answer<FileHandle> {
        let Node::Tree(ino) = self.node(ino)? else { return Err(Errno::ENOTDIR) };
        let listing = self.tree.list(ino).map_err(refused)?;
        Ok(self.handles.add(Open::Folder(Folder { ino, added: self.added(ino), listing })))
    }

    /// Gives the entries of an opened folder from `offset` on, each with the offset after it, until `full`.
    fn list(&self, handle: FileHandle, offset: u64, mut full: impl FnMut(u64, Ino, Kind, &str) -> bool) -> Answer<()> {
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
    fn listed(&self, ino: Ino, kind: Kind) -> (FileAttr, Duration) {
        self.attributes(INodeNo(ino.0)).unwrap_or_else(|_| {
            let unknown = Attributes { ino, kind, size: 0, mtime: None };
            (self.owner.attr(&unknown), ASK_AGAIN)
        })
    }

    /// Truncating `.control` changes nothing, but `echo VERB > .control` may ask for it. Nothing else can be set.
    fn set(&self, ino: INodeNo, only_size: bool) -> Answer<(FileAttr, Duration)> {
        match self.node(ino)? {
            Node::Control if only_size && !self.read_only => self.attributes(ino),
            Node::Control | Node::Log | Node::Tree(_) => Err(Errno::EROFS),
        }
    }

    fn xattr(&self, ino: INodeNo, name: &OsStr) -> Answer<Vec<u8>> {
        let name = name.to_str().ok_or(Errno::ENODATA)?;
        // The kernel asks for `security.capability` before each write and for ACLs; only `user.` can be set.
        if !name.starts_with("user.") {
            return Err(Errno::ENODATA);
        }
        match self.node(ino)? {
            Node::Control | Node::Log => Err(Errno::ENODATA),
            Node::Tree(ino) => self.tree.xattr(ino, name).map_err(refused)?.ok_or(Errno::ENODATA),
        }
    }

    /// The names that are set, each ended by a zero byte.
    fn xattr_names(&self, ino: INodeNo) -> Answer<Vec<u8>> {
        let names = match self.node(ino)? {
            Node::Control | Node::Log => Vec::new(),
            Node::Tree(ino) => self.tree.xattr_names(ino).map_err(refused)?,
        };
        Ok(names.into_iter().flat_map(|name| name.bytes().chain([0])).collect())
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
fn answer<T>(what: &str, ino: INodeNo, ask: impl FnOnce() -> Answer<T>) -> Answer<T> {
    // What a panic leaves behind is caches and handles; all of them are behind locks that survive it.
    catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|_| {
        tracing::error!("{what} of inode {:#x} failed inside pstfs; this is a bug", ino.0);
        Err(Errno::EIO)
    })
}

/// Answers with a value to one who may have asked for its size only.
fn reply_sized(answer: Answer<Vec<u8>>, size: u32, reply: ReplyXattr) {
    let answer = answer.and_then(|value| Ok((u32::try_from(value.len()).map_err(|_| Errno::E2BIG)?, value)));
    match answer {
        Ok((len, _)) if size == 0 => reply.size(len),
        Ok((len, _)) if len > size => reply.error(Errno::ERANGE),
        Ok((_, value)) => reply.data(&value),
        Err(errno) => reply.error(errno),
    }
}

fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::Directory => FileType::Directory,
        Kind::File => FileType::RegularFile,
    }
}

impl Filesystem for Pstfs {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let wanted = [
            InitFlags::FUSE_PARALLEL_DIROPS,
            InitFlags::FUSE_DO_READDIRPLUS,
            InitFlags::FUSE_READDIRPLUS_AUTO,
            InitFlags::FUSE_ATOMIC_O_TRUNC,
        ];
        for flag in wanted {
            if let Err(missing) = config.add_capabilities(flag) {
                tracing::debug!("the kernel lacks {missing:?}");
            }
        }
        Ok(())
    }

    fn lookup(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match answer("lookup", parent, || self.find(parent, name)) {
            Ok((attr, ttl)) => reply.entry(&ttl, &attr, GENERATION),
            Err(errno) => reply.error(errno),
        }
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        match answer("getattr", ino, || self.attributes(ino)) {
            Ok((attr, ttl)) => reply.attr(&ttl, &attr),
            Err(errno) => reply.error(errno),
        }
    }

    fn setattr(
        &self,
        _req: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let only_size = size.is_some() && mode.is_none() && uid.is_none() && gid.is_none();
        match answer("setattr", ino, || self.set(ino, only_size)) {
            Ok((attr, ttl)) => reply.attr(&ttl, &attr),
            Err(errno) => reply.error(errno),
        }
    }

    fn open(&self, _req: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        match answer("open", ino, || self.open_file(ino, flags)) {
            Ok((handle, flags)) => reply.opened(handle, flags),
            Err(errno) => reply.error(errno),
        }
    }

    fn read(
        &self,
        _req: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match answer("read", ino, || self.read_file(fh, offset, size)) {
            Ok(data) => reply.data(&data),
            Err(errno) => reply.error(errno),
        }
    }

    fn write(
        &self,
        _req: &Request,
        ino: INodeNo,
        fh: FileHandle,
        _offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match answer("write", ino, || self.write_file(fh, data)) {
            Ok(written) => reply.written(written),
            Err(errno) => reply.error(errno),
        }
    }

    fn release(
        &self,
        _req: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.handles.remove(fh);
        reply.ok();
    }

    fn opendir(&self, _req: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match answer("opendir", ino, || self.open_folder(ino)) {
            Ok(handle) => reply.opened(handle, FopenFlags::FOPEN_CACHE_DIR | FopenFlags::FOPEN_KEEP_CACHE),
            Err(errno) => reply.error(errno),
        }
    }

    fn readdir(&self, _req: &Request, ino: INodeNo, fh: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let listed = answer("readdir", ino, || {
            self.list(fh, offset, |next, ino, kind, name| reply.add(INodeNo(ino.0), next, file_type(kind), name))
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        }
    }

    fn readdirplus(&self, _req: &Request, ino: INodeNo, fh: FileHandle, offset: u64, mut reply: ReplyDirectoryPlus) {
        let listed = answer("readdirplus", ino, || {
            self.list(fh, offset, |next, ino, kind, name| {
                let (attr, ttl) = self.listed(ino, kind);
                reply.add(INodeNo(ino.0), next, name, &ttl, &attr, GENERATION)
            })
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        }
    }

    fn releasedir(&self, _req: &Request, _ino: INodeNo, fh: FileHandle, _flags: OpenFlags, reply: ReplyEmpty) {
        self.handles.remove(fh);
        reply.ok();
    }

    fn statfs(&self, _req: &Request, ino: INodeNo, reply: ReplyStatfs) {
        match answer("statfs", ino, || Ok(self.tree.store_bytes())) {
            Ok(bytes) => {
                let name_max = u32::try_from(NAME_MAX_BYTES).unwrap_or(u32::MAX);
                // How many documents there are nobody has counted: 0 says so.
                reply.statfs(bytes.div_ceil(BLOCK_BYTES.into()), 0, 0, 0, 0, BLOCK_BYTES, name_max, BLOCK_BYTES);
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn getxattr(&self, _req: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        reply_sized(answer("getxattr", ino, || self.xattr(ino, name)), size, reply);
    }

    fn listxattr(&self, _req: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        reply_sized(answer("listxattr", ino, || self.xattr_names(ino)), size, reply);
    }

    // What the kernel need not ask: after one ENOSYS it decides by itself.

    fn access(&self, _req: &Request, _ino: INodeNo, _mask: AccessFlags, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn flush(&self, _req: &Request, _ino: INodeNo, _fh: FileHandle, _lock_owner: LockOwner, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn lseek(&self, _req: &Request, _ino: INodeNo, _fh: FileHandle, _offset: i64, _whence: i32, reply: ReplyLseek) {
        reply.error(Errno::ENOSYS);
    }

    fn poll(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _ph: PollNotifier,
        _events: PollEvents,
        _flags: PollFlags,
        reply: ReplyPoll,
    ) {
        reply.error(Errno::ENOSYS);
    }

    fn copy_file_range(
        &self,
        _req: &Request,
        _ino_in: INodeNo,
        _fh_in: FileHandle,
        _offset_in: u64,
        _ino_out: INodeNo,
        _fh_out: FileHandle,
        _offset_out: u64,
        _len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        reply.error(Errno::ENOSYS);
    }

    fn fsync(&self, _req: &Request, _ino: INodeNo, _fh: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsyncdir(&self, _req: &Request, _ino: INodeNo, _fh: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        reply.ok();
    }

    fn ioctl(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _flags: IoctlFlags,
        _cmd: u32,
        _in_data: &[u8],
        _out_size: u32,
        reply: ReplyIoctl,
    ) {
        reply.error(Errno::ENOTTY);
    }

    fn readlink(&self, _req: &Request, _ino: INodeNo, reply: ReplyData) {
        reply.error(Errno::EINVAL);
    }

    // What would change the tree.

    fn mknod(&self, _req: &Request, _parent: INodeNo, _name: &OsStr, _mode: u32, _umask: u32, _rdev: u32, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn mkdir(&self, _req: &Request, _parent: INodeNo, _name: &OsStr, _mode: u32, _umask: u32, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn unlink(&self, _req: &Request, _parent: INodeNo, _name: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn rmdir(&self, _req: &Request, _parent: INodeNo, _name: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn symlink(&self, _req: &Request, _parent: INodeNo, _name: &OsStr, _target: &Path, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn rename(
        &self,
        _req: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _newparent: INodeNo,
        _newname: &OsStr,
        _flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::EROFS);
    }

    fn link(&self, _req: &Request, _ino: INodeNo, _newparent: INodeNo, _newname: &OsStr, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn create(&self, _req: &Request, _parent: INodeNo, _name: &OsStr, _mode: u32, _umask: u32, _flags: i32, reply: ReplyCreate) {
        reply.error(Errno::EROFS);
    }

    fn setxattr(&self, _req: &Request, _ino: INodeNo, _name: &OsStr, _value: &[u8], _flags: i32, _position: u32, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn removexattr(&self, _req: &Request, _ino: INodeNo, _name: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn fallocate(&self, _req: &Request, _ino: INodeNo, _fh: FileHandle, _offset: u64, _length: u64, _mode: i32, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }
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
