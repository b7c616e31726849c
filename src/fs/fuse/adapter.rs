//! The thin adapter to the kernel: each request is one call of [`Filesystem`] and one reply. The only door to fuser.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, FopenFlags, Generation, INodeNo,
    InitFlags, KernelConfig, LockOwner, Notifier, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs,
    ReplyXattr, Request, Session, SessionACL, TimeOrNow,
};

use crate::fs::error::Error;
use crate::fs::nodes::{DELETED, ROOT};
use crate::fs::open_files::Pages;
use crate::fs::operations::filesystem::Filesystem;
use crate::fs::operations::open::{Opened, Place, Resized};
use crate::fs::operations::readdir::{Entry, OpenedDirectory};
use crate::fs::operations::stat::{Attributes, Kind, Validity};
use crate::fs::reply::deferred::Answer;
use crate::fs::worker::Workshop;
use crate::maildrop::{Change, NAME_MAX};

/// How long the kernel may keep what it was told and not told otherwise.
const LASTING: Duration = Duration::from_secs(3600);
/// Threads that take requests. None of them ever waits, and a second one costs a cold `grep -r` a fifth of its time.
const THREADS: usize = 1;
/// What fuser calls the first of them.
const ANSWERING: &str = "fuser-0";
/// The block size that stat and df count in.
const BLOCK: u32 = 512;
/// What tools are told to read at once.
const READ_SIZE: u32 = 128 * 1024;

thread_local! {
    /// Where a request's thread reads what is not in memory.
    static READ_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Who owns what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
}

/// A mount that is answered, until it is unmounted.
pub struct Serving {
    session: Session<Adapter>,
    filesystem: Arc<Filesystem>,
    notices: Workshop,
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Serving")
    }
}

impl Serving {
    /// Shakes hands with the kernel over the device of a mount.
    ///
    /// # Errors
    /// When the kernel does not, or the system gives no thread.
    pub fn begin(
        filesystem: Arc<Filesystem>,
        owner: Owner,
        device: OwnedFd,
    ) -> io::Result<Serving> {
        let notifier = Arc::new(OnceLock::new());
        let notices = Workshop::open("notices")?;
        let adapter = Adapter {
            filesystem: Arc::clone(&filesystem),
            owner,
            notifier: Arc::clone(&notifier),
            notices: notices.clone(),
            sizes: Workshop::open("sizes")?,
            past_the_cache: FopenFlags::empty(),
        };
        let mut config = Config::default();
        config.n_threads = Some(THREADS);
        // The kernel itself keeps other users out, unless the mount allows them.
        let session = Session::from_fd(adapter, device, SessionACL::All, config)?;
        let _first = notifier.set(session.notifier());
        Ok(Serving {
            session,
            filesystem,
            notices,
        })
    }

    /// Passes the maildrop's changes on to the kernel.
    pub fn teller(&self) -> impl Fn(Change) + Send + Sync + 'static {
        let notifier = self.session.notifier();
        let filesystem = Arc::clone(&self.filesystem);
        let notices = self.notices.clone();
        move |change: Change| {
            let outdated = match change {
                // The reader whose open waits for this must find the size corrected: attributes alone lock no page.
                Change::Size { inode, eol } => {
                    return filesystem
                        .shown_with(inode, eol)
                        .for_each(|shown| forget_size(&notifier, shown));
                }
                Change::Directory => Outdated::Inodes(vec![ROOT]),
                Change::Gone { name } => Outdated::Entry(name),
                // At once: who opens a view next must not be given what was made of the old octets.
                Change::Content { inode } => Outdated::Inodes(filesystem.forget(inode).collect()),
            };
            let notifier = notifier.clone();
            notices.leave(move || tell(&notifier, &outdated));
        }
    }

    /// Whether a session of this process answers: the thread that does is fuser's own, known by its name.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn is_answering() -> io::Result<bool> {
        for thread in std::fs::read_dir("/proc/self/task")? {
            match std::fs::read_to_string(thread?.path().join("comm")) {
                Ok(name) if name.trim_end() == ANSWERING => return Ok(true),
                Ok(_) => {}
                // It has ended since.
                Err(gone) if matches!(gone.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Answers requests until the mount is gone.
    ///
    /// # Errors
    /// When the device fails.
    pub fn run(self) -> io::Result<()> {
        self.session.run()
    }
}

/// Where the kernel believes in a name until it is told otherwise. To tell takes the lock of the directory, which a request to
/// remove or to move holds until it is answered.
const NAMED_TO_LAST: [u64; 2] = [ROOT, DELETED];

/// What the kernel must not believe any longer. To tell it takes locks that a request of ours may hold: never in a thread that
/// answers requests.
enum Outdated {
    /// Attributes and pages.
    Inodes(Vec<u64>),
    /// A name in the root, and in the directory of the pending deletions: mv(1) takes there what the kernel knows of it.
    Entry(String),
}

fn tell(notifier: &Notifier, outdated: &Outdated) {
    match outdated {
        Outdated::Inodes(inodes) => {
            for inode in inodes {
                log_untold(notifier.inval_inode(INodeNo(*inode), 0, 0));
            }
        }
        Outdated::Entry(name) => {
            for directory in NAMED_TO_LAST {
                log_untold(notifier.inval_entry(INodeNo(directory), OsStr::new(name)));
            }
        }
    }
}

/// The kernel asks for the attributes anew; it keeps the pages.
fn forget_size(notifier: &Notifier, inode: u64) {
    log_untold(notifier.inval_inode(INodeNo(inode), -1, 0));
}

/// It may not know of what it is told to forget.
fn log_untold(told: io::Result<()>) {
    if let Err(error) = told {
        log::debug!("the kernel was not told of a change: {error}");
    }
}

/// To store a page waits for whoever has it locked: never in a thread that answers requests.
fn correct_size(notifier: &Notifier, resized: &Resized) {
    let Resized::Corrected { inode, tail } = resized else {
        return;
    };
    if let Some((offset, octets)) = tail {
        debug_assert_ne!(std::thread::current().name(), Some(ANSWERING));
        log_untold(notifier.store(INodeNo(*inode), *offset, octets));
    }
    forget_size(notifier, *inode);
}

fn open_flags(opened: &Opened, past_the_cache: FopenFlags) -> FopenFlags {
    let place = match opened.place {
        Place::Memory => FopenFlags::empty(),
        Place::File => past_the_cache,
    };
    let pages = match opened.pages {
        Pages::Right => FopenFlags::FOPEN_KEEP_CACHE,
        Pages::Doubtful => FopenFlags::empty(),
        Pages::Shared => FopenFlags::FOPEN_DIRECT_IO,
    };
    place | pages | FopenFlags::FOPEN_NOFLUSH
}

struct Adapter {
    filesystem: Arc<Filesystem>,
    owner: Owner,
    notifier: Arc<OnceLock<Notifier>>,
    /// Where the kernel is told of what has changed.
    notices: Workshop,
    /// Where the kernel is told of a size before it is told of the open.
    sizes: Workshop,
    /// How a body in a file is read: the kernel has its pages already, and a second copy of a gigabyte costs more than
    /// the requests. Without a flag where mmap(2) needs that copy (Linux < 6.6).
    past_the_cache: FopenFlags,
}

impl Adapter {
    fn remove(&self, req: &Request, parent: INodeNo, name: &OsStr, kind: Kind, reply: ReplyEmpty) {
        let name = match utf8(name) {
            Ok(name) => name,
            Err(error) => return reply.error(errno(&error)),
        };
        let answer = self.removed(req, parent, reply);
        self.filesystem.remove(parent.0, name, kind, answer);
    }

    /// What was removed in a view is in no other directory any more when the kernel has the answer.
    fn removed(&self, req: &Request, parent: INodeNo, reply: ReplyEmpty) -> Answer<()> {
        if NAMED_TO_LAST.contains(&parent.0) {
            return emptily(req, reply);
        }
        let notices = self.notices.clone();
        Answer::new(req.pid(), move |result| {
            notices.leave(move || empty(reply, result));
        })
    }

    fn refuse(&self) -> Errno {
        errno(&self.filesystem.refusal())
    }
}

impl fuser::Filesystem for Adapter {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let mut wishes = InitFlags::FUSE_PARALLEL_DIROPS | InitFlags::FUSE_DO_READDIRPLUS;
        if !self.filesystem.knows_most_times() {
            // Only while names are looked up, too: by then read-ahead has the times of those behind them.
            wishes |= InitFlags::FUSE_READDIRPLUS_AUTO;
        }
        for wish in wishes.iter() {
            let _old_kernels_lack_it = config.add_capabilities(wish);
        }
        if config
            .add_capabilities(InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP)
            .is_ok()
        {
            self.past_the_cache = FopenFlags::FOPEN_DIRECT_IO;
        }
        Ok(())
    }

    fn lookup(&self, req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let name = match utf8(name) {
            Ok(name) => name,
            Err(error) => return reply.error(errno(&error)),
        };
        let owner = self.owner;
        let name_ttl = ttl(self.filesystem.name_validity(parent.0));
        let answer = Answer::new(
            req.pid(),
            move |result: Result<Attributes, Error>| match result {
                Ok(found) => reply.entry_with_ttls(
                    &ttl(found.validity),
                    &name_ttl,
                    &file_attr(&found, owner),
                    Generation(0),
                ),
                Err(error) => reply.error(errno(&error)),
            },
        );
        self.filesystem.lookup(parent.0, name, answer);
    }

    fn getattr(&self, req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        let owner = self.owner;
        let answer = Answer::new(
            req.pid(),
            move |result: Result<Attributes, Error>| match result {
                Ok(found) => reply.attr(&ttl(found.validity), &file_attr(&found, owner)),
                Err(error) => reply.error(errno(&error)),
            },
        );
        self.filesystem.getattr(ino.0, answer);
    }

    fn open(&self, req: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let (notifier, sizes) = (Arc::clone(&self.notifier), self.sizes.clone());
        let past_the_cache = self.past_the_cache;
        let answer = Answer::new(req.pid(), move |result: Result<Opened, Error>| {
            let opened = match result {
                Ok(opened) => opened,
                Err(error) => return reply.error(errno(&error)),
            };
            let (handle, flags) = (
                FileHandle(opened.handle),
                open_flags(&opened, past_the_cache),
            );
            let Some(resized) = opened.resized else {
                return reply.opened(handle, flags);
            };
            sizes.leave(move || {
                if let Some(notifier) = notifier.get() {
                    correct_size(notifier, &resized);
                }
                reply.opened(handle, flags);
            });
        });
        self.filesystem.open(ino.0, flags.0, answer);
    }

    fn read(
        &self,
        _req: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let slice = match self.filesystem.read(fh.0, offset, size) {
            Ok(slice) => slice,
            Err(error) => return reply.error(errno(&error)),
        };
        READ_BUFFER.with_borrow_mut(|buffer| match slice.octets(buffer) {
            Ok(octets) => reply.data(octets),
            Err(error) => reply.error(errno(&error)),
        });
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
        let answer =
            Answer::new(
                req.pid(),
                move |result: Result<OpenedDirectory, Error>| match result {
                    Ok(opened) => reply.opened(FileHandle(opened.handle), FopenFlags::empty()),
                    Err(error) => reply.error(errno(&error)),
                },
            );
        self.filesystem.opendir(ino.0, answer);
    }

    fn releasedir(
        &self,
        _req: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
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
        let list = |entry: &Entry<'_>| {
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
        let name_ttl = ttl(self.filesystem.name_validity(ino.0));
        let list = |entry: &Entry<'_>| {
            let attributes = &entry.attributes;
            let ttl = ttl(attributes.validity).min(name_ttl);
            let attr = file_attr(attributes, self.owner);
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
        self.filesystem.fsyncdir(emptily(req, reply));
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
        self.remove(req, parent, name, Kind::File, reply);
    }

    fn rmdir(&self, req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.remove(req, parent, name, Kind::Directory, reply);
    }

    fn rename(
        &self,
        _req: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if flags.contains(RenameFlags::RENAME_EXCHANGE) {
            return reply.error(Errno::EINVAL);
        }
        let renamed = utf8(name).and_then(|name| {
            // A name that is no UTF-8 is no name of ours, so nothing can be moved to it.
            let new_name = utf8(newname).map_err(|_| self.filesystem.refusal())?;
            self.filesystem
                .rename(parent.0, name, newparent.0, new_name)
        });
        empty(reply, renamed);
    }

    fn statfs(&self, _req: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        let totals = self.filesystem.statfs();
        let blocks = totals.octets.div_ceil(u64::from(BLOCK));
        let longest = NAME_MAX as u32;
        reply.statfs(blocks, 0, 0, totals.messages, 0, BLOCK, longest, BLOCK);
    }

    fn setattr(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        _size: Option<u64>,
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
        reply.error(self.refuse());
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
        reply.error(self.refuse());
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
        reply.error(self.refuse());
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
        reply.error(self.refuse());
    }

    fn symlink(
        &self,
        _req: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _target: &std::path::Path,
        reply: ReplyEntry,
    ) {
        reply.error(self.refuse());
    }

    fn link(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _newparent: INodeNo,
        _newname: &OsStr,
        reply: ReplyEntry,
    ) {
        reply.error(self.refuse());
    }

    fn getxattr(&self, req: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let answer = Answer::new(req.pid(), move |result| attribute(reply, size, result));
        // None of ours is called so, whatever it is.
        let name = name.to_str().unwrap_or_default();
        self.filesystem.getxattr(ino.0, name, answer);
    }

    fn listxattr(&self, req: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        let answer = Answer::new(req.pid(), move |result| attribute(reply, size, result));
        self.filesystem.listxattr(ino.0, answer);
    }

    // Answered ENOSYS once, this is never asked again in this mount.
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

    fn access(&self, _req: &Request, _ino: INodeNo, _mask: fuser::AccessFlags, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    // So are these two, which the kernel then does by itself: a file has no holes, and is always ready.
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

    /// Nothing here is a terminal, or has whatever else programs ask for (FICLONE, FIEMAP).
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

fn emptily(req: &Request, reply: ReplyEmpty) -> Answer<()> {
    Answer::new(req.pid(), move |result| empty(reply, result))
}

fn empty(reply: ReplyEmpty, result: Result<(), Error>) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(errno(&error)),
    }
}

/// getxattr(2): who gives no room asks how much it takes.
fn attribute(reply: ReplyXattr, room: u32, result: Result<Vec<u8>, Error>) {
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

/// Our names are ASCII: one that is not UTF-8 is not there.
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
        Validity::Provisional => Duration::ZERO,
    }
}

fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::Directory => FileType::Directory,
        Kind::File => FileType::RegularFile,
    }
}

fn file_attr(attributes: &Attributes, owner: Owner) -> FileAttr {
    FileAttr {
        ino: INodeNo(attributes.inode),
        size: attributes.size,
        blocks: attributes.size.div_ceil(u64::from(BLOCK)),
        atime: attributes.modified,
        mtime: attributes.modified,
        ctime: attributes.modified,
        crtime: attributes.modified,
        kind: file_type(attributes.kind),
        perm: attributes.permissions(),
        nlink: attributes.links(),
        uid: owner.uid,
        gid: owner.gid,
        rdev: 0,
        blksize: READ_SIZE,
        flags: 0,
    }
}
