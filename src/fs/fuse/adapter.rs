//! Between fuser and [`Filesystem`]: each request is one call and one reply.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileHandle, FopenFlags, Generation, INodeNo, InitFlags, KernelConfig,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyXattr, Request,
    TimeOrNow,
};

use crate::fs::appearance::FileOwner;
use crate::fs::error::Error;
use crate::fs::fuse::attributes::{BLOCK, KernelAttributes, file_type};
use crate::fs::fuse::notify::{KernelNotices, NAMES_KEPT};
use crate::fs::fuse::polling::DevicePoller;
use crate::fs::kernel_view::Pages;
use crate::fs::operations::filesystem::Filesystem;
use crate::fs::operations::open::{ContentLocation, OpenedFile};
use crate::fs::operations::readdir::{DirectoryEntry, OpenedDirectory};
use crate::fs::operations::stat::{Attributes, FileKind, Validity};
use crate::fs::reply::deferred::KernelReply;
use crate::maildrop::NAME_MAX;

/// How long the kernel may keep what it is told again when it changes.
const LASTING: Duration = Duration::from_secs(3600);
/// How long the kernel may keep a name that may change, and of whose change it is not told: long
/// enough for `ls -l` to use what a listing has shown.
const BRIEF: Duration = Duration::from_secs(1);

thread_local! {
    /// What is not in memory is read into this buffer.
    static READ_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

pub(super) struct Adapter {
    filesystem: Arc<Filesystem>,
    attributes: KernelAttributes,
    notices: KernelNotices,
    poller: DevicePoller,
    /// How a body in a file of its own is opened. With direct I/O the kernel does not keep a second
    /// copy of its pages, which costs more than the requests: such a body is large. Empty where
    /// mmap(2) needs that copy (Linux before 6.6).
    disk_flags: FopenFlags,
}

impl Adapter {
    pub(super) fn new(
        filesystem: Arc<Filesystem>,
        owner: FileOwner,
        notices: KernelNotices,
        poller: DevicePoller,
    ) -> Self {
        let attributes = KernelAttributes::new(owner, Arc::clone(&filesystem.open_files));
        Self {
            filesystem,
            attributes,
            notices,
            poller,
            disk_flags: FopenFlags::empty(),
        }
    }

    fn note_request(&self) {
        self.poller.note_request();
        self.filesystem.note_request();
    }

    fn remove(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        kind: FileKind,
        reply: ReplyEmpty,
    ) {
        self.note_request();
        match utf8(name) {
            Ok(name) => {
                let reply = self.removal_reply(req, parent, reply);
                self.filesystem.remove(parent.0, name, kind, reply);
            }
            Err(error) => reply.error(errno(&error)),
        }
    }

    /// When something was removed in a view, the kernel learns that the name in the root is gone
    /// before it has the reply.
    fn removal_reply(&self, req: &Request, parent: INodeNo, reply: ReplyEmpty) -> KernelReply<()> {
        if NAMES_KEPT.contains(&parent.0) {
            return empty_reply(req, reply);
        }
        let notices = self.notices.clone();
        KernelReply::new(req.pid(), move |result| {
            notices.submit(move || send_empty(reply, result));
        })
    }

    fn write_refusal(&self) -> Errno {
        errno(&self.filesystem.write_refusal())
    }
}

impl fuser::Filesystem for Adapter {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let mut wanted = InitFlags::FUSE_PARALLEL_DIROPS | InitFlags::FUSE_DO_READDIRPLUS;
        if !self.filesystem.knows_most_times() {
            // With attributes only while names are looked up, too. By then read-ahead knows the
            // times of what follows.
            wanted |= InitFlags::FUSE_READDIRPLUS_AUTO;
        }
        for flag in wanted.iter() {
            let _old_kernels_lack_it = config.add_capabilities(flag);
        }
        let mmap = config.add_capabilities(InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP);
        if mmap.is_ok() {
            self.disk_flags = FopenFlags::FOPEN_DIRECT_IO;
            self.filesystem.note_direct_io();
        }
        Ok(())
    }

    fn lookup(&self, req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.note_request();
        let name = match utf8(name) {
            Ok(name) => name,
            Err(error) => return reply.error(errno(&error)),
        };
        let kernel = self.attributes.clone();
        let name_ttl = ttl(self.filesystem.name_validity(parent.0));
        let reply =
            KernelReply::new(
                req.pid(),
                move |result: Result<Attributes, Error>| match result {
                    Ok(found) => reply.entry_with_ttls(
                        &ttl(found.validity),
                        &name_ttl,
                        &kernel.of(&found),
                        Generation(0),
                    ),
                    Err(error) => reply.error(errno(&error)),
                },
            );
        self.filesystem.lookup(parent.0, name, reply);
    }

    fn getattr(&self, req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        self.note_request();
        let kernel = self.attributes.clone();
        let reply =
            KernelReply::new(
                req.pid(),
                move |result: Result<Attributes, Error>| match result {
                    Ok(found) => reply.attr(&ttl(found.validity), &kernel.of(&found)),
                    Err(error) => reply.error(errno(&error)),
                },
            );
        self.filesystem.getattr(ino.0, reply);
    }

    fn open(&self, req: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        self.note_request();
        let (notices, disk_flags) = (self.notices.clone(), self.disk_flags);
        let reply =
            KernelReply::new(
                req.pid(),
                move |result: Result<OpenedFile, Error>| match result {
                    Ok(opened) => {
                        let flags = open_flags(&opened, disk_flags);
                        let handle = FileHandle(opened.handle);
                        let send = move || reply.opened(handle, flags);
                        notices.tell_then(opened.kernel_view, send);
                    }
                    Err(error) => reply.error(errno(&error)),
                },
            );
        self.filesystem.open(ino.0, flags.0, reply);
    }

    fn read(
        &self,
        req: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.note_request();
        let range = match self.filesystem.read(fh.0, offset, size, req.pid()) {
            Ok(range) => range,
            Err(error) => return reply.error(errno(&error)),
        };
        let failed = READ_BUFFER.with_borrow_mut(|buffer| match range.octets(buffer) {
            Ok(octets) => {
                reply.data(octets);
                None
            }
            Err(error) => Some((error, reply)),
        });
        if let Some((error, reply)) = failed {
            let reply = KernelReply::new(req.pid(), move |result| send_octets(reply, result));
            self.filesystem.read_again(range, &error, reply);
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
        self.note_request();
        self.filesystem.release(fh.0);
        reply.ok();
    }

    fn flush(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::ENOSYS);
    }

    fn opendir(&self, req: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        self.note_request();
        let reply =
            KernelReply::new(
                req.pid(),
                move |result: Result<OpenedDirectory, Error>| match result {
                    Ok(opened) => reply.opened(FileHandle(opened.handle), FopenFlags::empty()),
                    Err(error) => reply.error(errno(&error)),
                },
            );
        self.filesystem.opendir(ino.0, reply);
    }

    fn releasedir(
        &self,
        _req: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.note_request();
        self.filesystem.releasedir(fh.0);
        reply.ok();
    }

    fn readdir(
        &self,
        _req: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        self.note_request();
        let list = |entry: &DirectoryEntry<'_>| {
            let attributes = &entry.attributes;
            full(reply.add(
                INodeNo(attributes.inode),
                entry.cookie,
                file_type(attributes.kind),
                entry.name,
            ))
        };
        match self.filesystem.readdir(ino.0, fh.0, offset, list) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(errno(&error)),
        }
    }

    fn readdirplus(
        &self,
        _req: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        self.note_request();
        let name_ttl = ttl(self.filesystem.name_validity(ino.0));
        let list = |entry: &DirectoryEntry<'_>| {
            let attributes = &entry.attributes;
            let ttl = ttl(attributes.validity).min(name_ttl);
            let attr = self.attributes.of(attributes);
            full(reply.add(
                INodeNo(attributes.inode),
                entry.cookie,
                entry.name,
                &ttl,
                &attr,
                Generation(0),
            ))
        };
        match self.filesystem.readdir(ino.0, fh.0, offset, list) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(errno(&error)),
        }
    }

    fn fsyncdir(
        &self,
        req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        self.filesystem.fsyncdir(empty_reply(req, reply));
    }

    fn fsync(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }

    fn unlink(&self, req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.remove(req, parent, name, FileKind::File, reply);
    }

    fn rmdir(&self, req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.remove(req, parent, name, FileKind::Directory, reply);
    }

    fn rename(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        self.note_request();
        if flags.contains(RenameFlags::RENAME_EXCHANGE) {
            return reply.error(Errno::EINVAL);
        }
        let renamed = utf8(name).and_then(|name| {
            // No name here is anything but UTF-8, so nothing can be moved to another.
            let new_name = utf8(newname).map_err(|_| self.filesystem.write_refusal())?;
            self.filesystem
                .rename(parent.0, name, newparent.0, new_name, req.pid())
        });
        send_empty(reply, renamed);
    }

    fn statfs(&self, _req: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        let totals = self.filesystem.statfs();
        let block = u64::from(BLOCK);
        let free = totals.free / block;
        let blocks = totals.used.div_ceil(block) + free;
        let files = totals.messages + totals.free_files;
        let longest = NAME_MAX as u32;
        reply.statfs(
            blocks,
            free,
            free,
            files,
            totals.free_files,
            BLOCK,
            longest,
            BLOCK,
        );
    }

    fn setattr(
        &self,
        _req: &Request,
        ino: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        _size: Option<u64>,
        _atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        // touch(1) sets the time, and nothing else.
        if mtime.is_none() {
            return reply.error(self.write_refusal());
        }
        match self.filesystem.touch(ino.0) {
            Ok(touched) => reply.attr(&ttl(touched.validity), &self.attributes.of(&touched)),
            Err(error) => reply.error(errno(&error)),
        }
    }

    fn mknod(
        &self,
        _req: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _mode: u32,
        _umask: u32,
        _rdev: u32,
        reply: ReplyEntry,
    ) {
        reply.error(self.write_refusal());
    }

    fn mkdir(
        &self,
        _req: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        reply.error(self.write_refusal());
    }

    fn create(
        &self,
        _req: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        reply.error(self.write_refusal());
    }

    fn symlink(
        &self,
        _req: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _target: &std::path::Path,
        reply: ReplyEntry,
    ) {
        reply.error(self.write_refusal());
    }

    fn link(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _newparent: INodeNo,
        _newname: &OsStr,
        reply: ReplyEntry,
    ) {
        reply.error(self.write_refusal());
    }

    fn getxattr(&self, req: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        self.note_request();
        let reply = KernelReply::new(req.pid(), move |result| send_xattr(reply, size, result));
        // No attribute here has a name that is not UTF-8.
        let name = name.to_str().unwrap_or_default();
        self.filesystem.getxattr(ino.0, name, reply);
    }

    fn listxattr(&self, req: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        self.note_request();
        let reply = KernelReply::new(req.pid(), move |result| send_xattr(reply, size, result));
        self.filesystem.listxattr(ino.0, reply);
    }

    // After one ENOSYS the kernel does not ask for this again in this mount.
    fn setxattr(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _name: &OsStr,
        _value: &[u8],
        _flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::ENOSYS);
    }

    fn removexattr(&self, _req: &Request, _ino: INodeNo, _name: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn access(&self, _req: &Request, ino: INodeNo, mask: fuser::AccessFlags, reply: ReplyEmpty) {
        self.note_request();
        send_empty(reply, self.filesystem.access(ino.0, mask.bits()));
    }

    // After ENOSYS the kernel does these two by itself: a file has no holes, and is always ready.
    fn lseek(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _offset: i64,
        _whence: i32,
        reply: fuser::ReplyLseek,
    ) {
        reply.error(Errno::ENOSYS);
    }

    fn poll(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _ph: fuser::PollNotifier,
        _events: fuser::PollEvents,
        _flags: fuser::PollFlags,
        reply: fuser::ReplyPoll,
    ) {
        reply.error(Errno::ENOSYS);
    }

    /// No file is a terminal, or can do what else programs ask for (FICLONE, FIEMAP).
    fn ioctl(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _flags: fuser::IoctlFlags,
        _cmd: u32,
        _in_data: &[u8],
        _out_size: u32,
        reply: fuser::ReplyIoctl,
    ) {
        reply.error(Errno::ENOTTY);
    }
}

fn open_flags(opened: &OpenedFile, disk_flags: FopenFlags) -> FopenFlags {
    let location = match opened.location {
        ContentLocation::Shared => FopenFlags::empty(),
        ContentLocation::OwnFile => disk_flags,
    };
    let pages = match opened.kernel_view.pages() {
        Pages::Current => FopenFlags::FOPEN_KEEP_CACHE,
        Pages::Dropped => FopenFlags::empty(),
        Pages::Outdated => FopenFlags::FOPEN_DIRECT_IO,
    };
    location | pages | FopenFlags::FOPEN_NOFLUSH
}

fn empty_reply(req: &Request, reply: ReplyEmpty) -> KernelReply<()> {
    KernelReply::new(req.pid(), move |result| send_empty(reply, result))
}

fn send_empty(reply: ReplyEmpty, result: Result<(), Error>) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(errno(&error)),
    }
}

fn send_octets(reply: ReplyData, result: Result<Vec<u8>, Error>) {
    match result {
        Ok(octets) => reply.data(&octets),
        Err(error) => reply.error(errno(&error)),
    }
}

/// getxattr(2): a program that gives no room asks for the length.
fn send_xattr(reply: ReplyXattr, room: u32, result: Result<Vec<u8>, Error>) {
    let octets = match result {
        Ok(octets) => octets,
        Err(error) => return reply.error(errno(&error)),
    };
    match u32::try_from(octets.len()) {
        Ok(length) if room == 0 => reply.size(length),
        Ok(length) if length <= room => reply.data(&octets),
        _ => reply.error(Errno::ERANGE),
    }
}

fn full(is_full: bool) -> ControlFlow<()> {
    if is_full {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

/// All names are ASCII, so no file has a name that is not UTF-8.
fn utf8(name: &OsStr) -> Result<&str, Error> {
    if name.len() > NAME_MAX {
        return Err(Error::NameTooLong);
    }
    name.to_str().ok_or(Error::NotFound)
}

fn errno(error: &Error) -> Errno {
    Errno::from_i32(error.errno())
}

fn ttl(validity: Validity) -> Duration {
    match validity {
        Validity::Lasting => LASTING,
        Validity::Brief => BRIEF,
        Validity::Provisional => Duration::ZERO,
    }
}
