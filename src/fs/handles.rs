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
    open: Mutex<HashMap<u64, OpenMessage>>,
    last: AtomicU64,
}

/// One open file.
#[derive(Clone, Debug)]
pub(super) struct OpenMessage {
    pub(super) message: MessageId,
    /// None where the size was known and nothing has been read yet.
    pub(super) body: Option<Arc<Body>>,
}

impl Handles {
    pub(super) fn open(&self, message: MessageId, body: Option<Arc<Body>>) -> u64 {
        let handle = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.open
            .lock()
            .insert(handle, OpenMessage { message, body });
        handle
    }

    /// Whether anybody has the message open.
    pub(super) fn is_open(&self, message: MessageId) -> bool {
        self.open
            .lock()
            .values()
            .any(|open| open.message == message)
    }

    pub(super) fn get(&self, handle: u64) -> Option<OpenMessage> {
        self.open.lock().get(&handle).cloned()
    }

    pub(super) fn keep(&self, handle: u64, body: &Arc<Body>) {
        if let Some(open) = self.open.lock().get_mut(&handle) {
            open.body = Some(Arc::clone(body));
        }
    }

    pub(super) fn close(&self, handle: u64) {
        self.open.lock().remove(&handle);
    }
}
