//! The floor: the smallest filesystem that can be made of fuser, with the files of a folder in
//! memory. It does what saves requests (readdirplus, long-lived attributes, pages that the kernel
//! keeps), and nothing else. Whatever pop3fs takes more is its own work, and whatever it takes less
//! is because it does not sleep between requests.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    InitFlags, KernelConfig, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory,
    ReplyDirectoryPlus, ReplyEntry, ReplyOpen, Request,
};

/// The bench starts itself with this word, a folder and a mount point to be the floor.
pub(crate) const WORD: &str = "--serve-floor";

/// How long the kernel may keep everything.
const LASTING: Duration = Duration::from_secs(3600);
const ROOT: INodeNo = INodeNo(1);

/// Serves the files of the folder until the mount is gone.
pub(crate) fn serve(folder: &Path, mount_point: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string();
        let name = name.map_err(|_name| io::Error::from(ErrorKind::InvalidFilename))?;
        files.push((name, std::fs::read(entry.path())?));
    }
    files.sort();
    fuser::mount(Floor { files }, mount_point, &Config::default())
}

struct Floor {
    /// In the order of their inode numbers, which begin behind that of the root.
    files: Vec<(String, Vec<u8>)>,
}

impl Floor {
    fn octets(&self, inode: INodeNo) -> Option<&[u8]> {
        let at = inode.0.checked_sub(ROOT.0 + 1)?;
        let (_, octets) = self.files.get(usize::try_from(at).ok()?)?;
        Some(octets)
    }

    fn attributes(&self, inode: INodeNo) -> Option<FileAttr> {
        let (kind, size) = match inode {
            ROOT => (FileType::Directory, 0),
            _ => (FileType::RegularFile, self.octets(inode)?.len() as u64),
        };
        Some(FileAttr {
            ino: inode,
            size,
            blocks: size.div_ceil(512),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm: 0o500,
            nlink: 1,
            uid: nix::unistd::getuid().as_raw(),
            gid: nix::unistd::getgid().as_raw(),
            rdev: 0,
            blksize: 128 * 1024,
            flags: 0,
        })
    }

    /// The files behind this offset of the directory, each with the offset behind it.
    fn entries(&self, offset: u64) -> impl Iterator<Item = (u64, INodeNo, &str)> {
        let behind = usize::try_from(offset).unwrap_or(usize::MAX);
        let names = self.files.iter().map(|(name, _)| name.as_str());
        (1..)
            .zip(names)
            .skip(behind)
            .map(|(at, name)| (at, INodeNo(ROOT.0 + at), name))
    }
}

impl Filesystem for Floor {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let _old_kernels_lack_it = config.add_capabilities(InitFlags::FUSE_DO_READDIRPLUS);
        Ok(())
    }

    fn lookup(&self, _req: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.files.binary_search_by(|(known, _)| {
            let known: &OsStr = known.as_ref();
            known.cmp(name)
        });
        let inode = found.map(|at| INodeNo(ROOT.0 + 1 + at as u64));
        match inode.ok().and_then(|inode| self.attributes(inode)) {
            Some(attributes) => reply.entry(&LASTING, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(ino) {
            Some(attributes) => reply.attr(&LASTING, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _req: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        let flags = FopenFlags::FOPEN_KEEP_CACHE | FopenFlags::FOPEN_NOFLUSH;
        reply.opened(FileHandle(0), flags);
    }

    fn read(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let octets = self.octets(ino).unwrap_or_default();
        let start = octets.len().min(offset as usize);
        let end = octets.len().min(start + size as usize);
        reply.data(&octets[start..end]);
    }

    fn readdir(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        for (at, inode, name) in self.entries(offset) {
            if reply.add(inode, at, FileType::RegularFile, name) {
                break;
            }
        }
        reply.ok();
    }

    fn readdirplus(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        for (at, inode, name) in self.entries(offset) {
            let Some(attributes) = self.attributes(inode) else {
                break;
            };
            if reply.add(inode, at, name, &LASTING, &attributes, Generation(0)) {
                break;
            }
        }
        reply.ok();
    }
}
