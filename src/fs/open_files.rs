//! The open files and directories. Each handle keeps what was opened, so that it can be read to its
//! end whatever happens to the message.
//!
//! A message in the cache on disk is read when it is opened only to give a small one to the kernel
//! (kernel_view.rs). The handle keeps the file of the cache open, so that neither a commit nor an
//! eviction takes the octets away. If they turn out to be damaged, the message is fetched again
//! (operations/open.rs).
//!
//! What a view makes of a message is not made when it is opened, if its size is known: the kernel
//! may have its pages, and never ask for it.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::fs::view_cache::Revision;
use crate::fs::views::PartTree;
use crate::maildrop::MessageId;
use crate::store::{Body, BodyReader};

/// An open file.
#[derive(Clone, Debug)]
pub(in crate::fs) struct OpenFile {
    pub(in crate::fs) inode: u64,
    pub(in crate::fs) content: OpenContent,
    pub(in crate::fs) source: ContentSource,
}

/// The content of an open file.
#[derive(Clone, Debug)]
pub(in crate::fs) enum OpenContent {
    Ready(BodyReader),
    /// It is made when a program reads it.
    Unmade(UnmadeFile),
}

/// A file that a view has yet to make of a message.
#[derive(Clone)]
pub(in crate::fs) struct UnmadeFile {
    pub(in crate::fs) id: MessageId,
    /// It stays readable whatever happens to the message.
    pub(in crate::fs) body: Arc<Body>,
    pub(in crate::fs) make: MakeFile,
    pub(in crate::fs) keeping: Keeping,
    pub(in crate::fs) inode: u64,
    pub(in crate::fs) revision: Revision,
    /// In octets: what is made must have it.
    pub(in crate::fs) size: u64,
}

/// Whether what was made is kept for others who open it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum Keeping {
    /// A text is kept: it takes long to make.
    Kept,
    /// A part is not: a message may have a thousand.
    NotKept,
}

/// Makes the content of a file of a message.
pub(in crate::fs) type MakeFile = Arc<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

impl OpenContent {
    /// Its length in octets.
    pub(in crate::fs) fn len(&self) -> u64 {
        match self {
            Self::Ready(reader) => reader.len(),
            Self::Unmade(file) => file.size,
        }
    }

    pub(in crate::fs) fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }

    pub(in crate::fs) fn has_own_file(&self) -> bool {
        match self {
            Self::Ready(reader) => reader.has_own_file(),
            Self::Unmade(_) => false,
        }
    }

    /// As [`BodyReader::read_at`].
    ///
    /// # Errors
    /// As there; [`io::ErrorKind::WouldBlock`] if it is yet to be made.
    pub(in crate::fs) fn read_at<'a>(
        &'a self,
        offset: u64,
        length: usize,
        buffer: &'a mut Vec<u8>,
    ) -> io::Result<&'a [u8]> {
        match self {
            Self::Ready(reader) => reader.read_at(offset, length, buffer),
            Self::Unmade(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl std::fmt::Debug for UnmadeFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UnmadeFile({} octets)", self.size)
    }
}

/// Where the content of an open file comes from.
#[derive(Clone, Copy, Debug)]
pub(in crate::fs) enum ContentSource {
    /// It is this message as it was in this revision, and can be fetched again.
    Message(MessageId, Revision),
    /// A view made it.
    View,
}

/// What is open, by handle. Handles count from 1.
#[derive(Debug, Default)]
pub(in crate::fs) struct OpenHandles {
    files: Mutex<HashMap<u64, OpenFile>>,
    /// Directories that must not change until they are closed.
    trees: Mutex<HashMap<u64, Arc<PartTree>>>,
    last: AtomicU64,
}

impl OpenHandles {
    /// Gives the handle.
    pub(in crate::fs) fn open(&self, file: OpenFile) -> u64 {
        let handle = self.next();
        self.files.lock().insert(handle, file);
        handle
    }

    pub(in crate::fs) fn file(&self, handle: u64) -> Option<OpenFile> {
        self.files.lock().get(&handle).cloned()
    }

    /// The length of the longest content that is open of a file, in octets; 0 if none is. A listing
    /// may have given its message other content since.
    pub(in crate::fs) fn longest(&self, inode: u64) -> u64 {
        let files = self.files.lock();
        let of_file = files.values().filter(|file| file.inode == inode);
        of_file.map(|file| file.content.len()).max().unwrap_or(0)
    }

    /// Has later reads take the same octets from here, if the file is still open.
    pub(in crate::fs) fn replace_content(&self, handle: u64, content: &BodyReader) {
        if let Some(file) = self.files.lock().get_mut(&handle) {
            file.content = OpenContent::Ready(content.clone());
        }
    }

    pub(in crate::fs) fn close(&self, handle: u64) {
        self.files.lock().remove(&handle);
    }

    /// Gives the handle.
    pub(in crate::fs) fn open_tree(&self, tree: Arc<PartTree>) -> u64 {
        let handle = self.next();
        self.trees.lock().insert(handle, tree);
        handle
    }

    pub(in crate::fs) fn tree(&self, handle: u64) -> Option<Arc<PartTree>> {
        self.trees.lock().get(&handle).map(Arc::clone)
    }

    pub(in crate::fs) fn close_tree(&self, handle: u64) {
        self.trees.lock().remove(&handle);
    }

    fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }
}
