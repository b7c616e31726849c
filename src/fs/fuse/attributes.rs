//! The attributes that the kernel gets.

use std::sync::Arc;

use fuser::{FileAttr, FileType, INodeNo};

use crate::fs::appearance::FileOwner;
use crate::fs::open_files::OpenHandles;
use crate::fs::operations::stat::{Attributes, FileKind, Validity};

/// The block size of stat(2) and df(1).
pub(super) const BLOCK: u32 = 512;
/// How much programs should read at once, in octets.
const READ_SIZE: u32 = 128 * 1024;

/// Makes the attributes that the kernel gets.
#[derive(Clone)]
pub(super) struct KernelAttributes {
    owner: FileOwner,
    open_files: Arc<OpenHandles>,
}

impl KernelAttributes {
    pub(super) fn new(owner: FileOwner, open_files: Arc<OpenHandles>) -> Self {
        Self { owner, open_files }
    }

    /// The kernel reads no file behind its size, so a file does not shrink while a program has longer
    /// content of it open. Only attributes that the kernel does not keep are of a file whose content
    /// may have changed.
    pub(super) fn of(&self, attributes: &Attributes) -> FileAttr {
        let size = match attributes.validity {
            Validity::Provisional => attributes
                .size
                .max(self.open_files.longest(attributes.inode)),
            Validity::Lasting | Validity::Brief => attributes.size,
        };
        FileAttr {
            ino: INodeNo(attributes.inode),
            size,
            blocks: size.div_ceil(u64::from(BLOCK)),
            atime: attributes.modified,
            mtime: attributes.modified,
            ctime: attributes.changed,
            crtime: attributes.changed,
            kind: file_type(attributes.kind),
            perm: attributes.permissions(),
            nlink: attributes.links(),
            uid: self.owner.uid,
            gid: self.owner.gid,
            rdev: 0,
            blksize: READ_SIZE,
            flags: 0,
        }
    }
}

pub(super) fn file_type(kind: FileKind) -> FileType {
    match kind {
        FileKind::Directory => FileType::Directory,
        FileKind::File => FileType::RegularFile,
    }
}
