//! The open files and directories. Each handle keeps what was opened, so that it can be read to its
//! end whatever happens to the message.
//!
//! A message in the cache on disk is not read when it is opened. The handle keeps the file of the
//! cache open, so that neither a commit nor an eviction takes the octets away. If they turn out to
//! be damaged, the message is fetched again (operations/open.rs).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::fs::view_cache::Revision;
use crate::fs::views::PartTree;
use crate::maildrop::MessageId;
use crate::store::BodyReader;

/// An open file.
#[derive(Clone, Debug)]
pub(in crate::fs) struct OpenFile {
    pub(in crate::fs) content: BodyReader,
    pub(in crate::fs) source: ContentSource,
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

    /// Has later reads take the same octets from here, if the file is still open.
    pub(in crate::fs) fn replace_content(&self, handle: u64, content: &BodyReader) {
        if let Some(file) = self.files.lock().get_mut(&handle) {
            file.content = content.clone();
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
