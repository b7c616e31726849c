//! Access to the headers of a message without its body.
//!
//! Headers come from the body where that is in memory or on disk, else from TOP. What TOP has shown
//! to a reader is kept on disk beside the bodies. It is used in later mounts if the digest in the
//! index says that it is still what TOP shows of this message.

use std::sync::Arc;

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::handle::Maildrop;
use crate::maildrop::shared::waiter::Waiter;
use crate::store::{Body, Disk};

impl Maildrop {
    /// Octets that begin with the headers, if they are in memory or on disk: the body, or what TOP
    /// has shown. Accesses in directory order start reading ahead.
    #[must_use]
    pub fn access_headers(&self, id: MessageId) -> Option<Arc<Body>> {
        let found = self
            .shared
            .peek_body(id, Disk::load_small)
            .or_else(|| self.top_in_memory(id))
            .or_else(|| self.top_on_disk(id));
        let disk = &self.shared.disk;
        let mut state = self.shared.state.lock();
        let is_planned = state.read_tops_ahead(id, |message| {
            disk.contains(&message.headers_key())
                || message.exact_size().is_some() && disk.contains(&message.body_key())
        });
        // Without headers the caller adds a want next, and that wakes the engine.
        if is_planned && found.is_some() {
            self.shared.wake_engine(state);
        }
        found
    }

    /// Has the engine fetch the headers, by TOP if the server has it. To be called if
    /// [`Maildrop::access_headers`] has returned `None`.
    pub fn want_headers(&self, id: MessageId, waiter: Waiter<Arc<Body>>) {
        let mut state = self.shared.state.lock();
        state.wants.header_octets(id, waiter);
        self.shared.wake_engine(state);
    }

    fn top_in_memory(&self, id: MessageId) -> Option<Arc<Body>> {
        let mut state = self.shared.state.lock();
        let message = state.catalogue.get(id);
        let (inode, key) = (message.inode, message.headers_key());
        let top = state.tops.get(inode)?.body();
        drop(state);
        // It may have come ahead, or for its date alone.
        if !self.shared.disk.contains(&key) {
            self.shared.disk.keep(key, &top);
        }
        Some(top)
    }

    fn top_on_disk(&self, id: MessageId) -> Option<Arc<Body>> {
        let message = self.message(id);
        let top = self.shared.disk.load_small(&message.headers_key())?;
        let is_shown = message.has_shown(&top.whole().ok()?);
        is_shown.then_some(top)
    }
}
