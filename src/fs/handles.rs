//! The open files. A handle keeps its body, so that what was opened reads to its end whatever happens to the message.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::maildrop::MessageId;
use crate::store::Body;

/// The open files, by handle.
#[derive(Debug, Default)]
pub(super) struct Handles {
    open: Mutex<HashMap<u64, (MessageId, Arc<Body>)>>,
    last: AtomicU64,
}

impl Handles {
    pub(super) fn open(&self, message: MessageId, body: Arc<Body>) -> u64 {
        let handle = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.open.lock().insert(handle, (message, body));
        handle
    }

    /// Whether anybody has the message open.
    pub(super) fn is_open(&self, message: MessageId) -> bool {
        self.open.lock().values().any(|(open, _)| *open == message)
    }

    pub(super) fn body(&self, handle: u64) -> Option<Arc<Body>> {
        self.open
            .lock()
            .get(&handle)
            .map(|(_, body)| Arc::clone(body))
    }

    pub(super) fn close(&self, handle: u64) {
        self.open.lock().remove(&handle);
    }
}
