//! The open files and directories. Each handle keeps what was opened, so that it can be read to its
//! end whatever happens to the message.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::fs::views::PartTree;
use crate::store::BodyReader;

/// What is open, by handle. Handles count from 1.
#[derive(Debug, Default)]
pub(in crate::fs) struct OpenHandles {
    files: Mutex<HashMap<u64, BodyReader>>,
    /// Directories that must not change until they are closed.
    trees: Mutex<HashMap<u64, Arc<PartTree>>>,
    last: AtomicU64,
}

impl OpenHandles {
    /// Gives the handle.
    pub(in crate::fs) fn open(&self, content: BodyReader) -> u64 {
        let handle = self.next();
        self.files.lock().insert(handle, content);
        handle
    }

    pub(in crate::fs) fn content(&self, handle: u64) -> Option<BodyReader> {
        self.files.lock().get(&handle).cloned()
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
