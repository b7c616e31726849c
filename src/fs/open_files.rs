//! The open files. A handle keeps its body, so that what was opened reads to its end whatever happens to the message.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::fs::view_cache::Revision;
use crate::fs::views::Tree;
use crate::store::Rendition;

/// What the pages that the kernel keeps of a file are worth to who opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// They are of the same octets, if there are any.
    Right,
    /// They may be of octets that the message had before, and nobody adds to them.
    Doubtful,
    /// Somebody reads what the message had before, or has since, and adds to them.
    Shared,
}

/// What the size that the kernel keeps of a file is worth to who opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum Size {
    /// It is what it was told.
    Right,
    /// Whoever read other octets to their end had the kernel believe in another.
    Doubtful,
    /// Somebody has opened it when it was doubtful, and nobody reads other octets any more.
    Awaited,
}

/// A file that was opened.
#[derive(Debug)]
pub(in crate::fs) struct Held {
    pub(in crate::fs) handle: u64,
    pub(in crate::fs) pages: Pages,
    pub(in crate::fs) size: Size,
}

/// The open files, and the open directories that must be the same until they are closed; by handle, from 1.
#[derive(Debug, Default)]
pub(in crate::fs) struct Handles {
    files: Mutex<HashMap<u64, OpenFile>>,
    trees: Mutex<HashMap<u64, Arc<Tree>>>,
    last: AtomicU64,
}

#[derive(Debug)]
struct OpenFile {
    inode: u64,
    /// What its message was then.
    revision: Revision,
    pages: Pages,
    body: Rendition,
}

impl Handles {
    /// Those to open a message by, as it is now.
    pub(in crate::fs) fn of(self: &Arc<Self>, revision: Revision) -> HandlesOf {
        HandlesOf {
            handles: Arc::clone(self),
            revision,
        }
    }

    pub(in crate::fs) fn open_tree(&self, tree: Arc<Tree>) -> u64 {
        let handle = self.next();
        self.trees.lock().insert(handle, tree);
        handle
    }

    fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether anybody has the file open.
    pub(in crate::fs) fn is_open(&self, inode: u64) -> bool {
        let files = self.files.lock();
        files.values().any(|file| file.inode == inode)
    }

    pub(in crate::fs) fn tree(&self, handle: u64) -> Option<Arc<Tree>> {
        self.trees.lock().get(&handle).map(Arc::clone)
    }

    pub(in crate::fs) fn close_tree(&self, handle: u64) {
        self.trees.lock().remove(&handle);
    }

    pub(in crate::fs) fn body(&self, handle: u64) -> Option<Rendition> {
        self.files.lock().get(&handle).map(|file| file.body.clone())
    }

    pub(in crate::fs) fn close(&self, handle: u64) {
        self.files.lock().remove(&handle);
    }
}

/// The open files, to open one message as it was at one time.
#[derive(Debug)]
pub(in crate::fs) struct HandlesOf {
    handles: Arc<Handles>,
    revision: Revision,
}

impl HandlesOf {
    /// `body` is of the message at that time.
    pub(in crate::fs) fn open(&self, inode: u64, body: Rendition) -> Held {
        let handle = self.handles.next();
        let mut files = self.handles.files.lock();
        let others = || files.values().filter(|file| file.inode == inode);
        let pages = match self.revision.number {
            _ if others().any(|file| file.revision != self.revision) => Pages::Shared,
            0 => Pages::Right,
            _ => Pages::Doubtful,
        };
        let size = match pages {
            Pages::Right => Size::Right,
            Pages::Doubtful if others().any(|file| file.pages == Pages::Doubtful) => Size::Awaited,
            Pages::Doubtful | Pages::Shared => Size::Doubtful,
        };
        let file = OpenFile {
            inode,
            revision: self.revision,
            pages,
            body,
        };
        files.insert(handle, file);
        Held {
            handle,
            pages,
            size,
        }
    }

    /// Whether anybody has the file open.
    pub(in crate::fs) fn is_open(&self, inode: u64) -> bool {
        self.handles.is_open(inode)
    }
}
