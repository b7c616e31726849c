//! The open files. A handle keeps its body, so that what was opened reads to its end whatever happens to the message.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::views::Tree;
use crate::store::Body;

/// The open files, each with its inode number, and the open directories that must be the same until they are closed; by
/// handle, from 1.
#[derive(Debug, Default)]
pub(super) struct Handles {
    files: Mutex<HashMap<u64, (u64, Arc<Body>)>>,
    trees: Mutex<HashMap<u64, Arc<Tree>>>,
    last: AtomicU64,
}

impl Handles {
    pub(super) fn open(&self, inode: u64, body: Arc<Body>) -> u64 {
        let handle = self.next();
        self.files.lock().insert(handle, (inode, body));
        handle
    }

    pub(super) fn open_tree(&self, tree: Arc<Tree>) -> u64 {
        let handle = self.next();
        self.trees.lock().insert(handle, tree);
        handle
    }

    fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether anybody has the file open.
    pub(super) fn is_open(&self, inode: u64) -> bool {
        self.files.lock().values().any(|(open, _)| *open == inode)
    }

    pub(super) fn tree(&self, handle: u64) -> Option<Arc<Tree>> {
        self.trees.lock().get(&handle).map(Arc::clone)
    }

    pub(super) fn close_tree(&self, handle: u64) {
        self.trees.lock().remove(&handle);
    }

    pub(super) fn body(&self, handle: u64) -> Option<Arc<Body>> {
        self.files
            .lock()
            .get(&handle)
            .map(|(_, body)| Arc::clone(body))
    }

    pub(super) fn close(&self, handle: u64) {
        self.files.lock().remove(&handle);
    }
}
