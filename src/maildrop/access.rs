//! What comes of an access: bodies and headers from memory, from disk, or wanted of the engine.

use std::sync::Arc;

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::{Extent, Message, Standing};
use crate::maildrop::fault::Fault;
use crate::maildrop::handle::Maildrop;
use crate::maildrop::shared::history::Lookup;
use crate::maildrop::shared::state::HeaderAccess;
use crate::maildrop::shared::waiter::{AllOf, Waiter};
use crate::store::{Body, Disk, FoundBody};

impl Maildrop {
    /// The body, where it is in memory or on disk. An access in directory order has what comes next fetched ahead.
    #[must_use]
    pub fn access_body(&self, id: MessageId) -> Option<Arc<Body>> {
        let mut state = self.shared.state.lock();
        let inode = state.catalogue.get(id).inode;
        match state.bodies.get(inode) {
            Some(FoundBody::Used(body)) => {
                state.history.note_open(Lookup::Hit);
                return Some(body);
            }
            Some(FoundBody::Ahead(body)) => {
                state.history.note_open(Lookup::Hit);
                if state.read_bodies_ahead(id) {
                    self.shared.ring(state);
                }
                return Some(body);
            }
            None => {}
        }
        drop(state);
        // A large one is loaded by the engine, which is asked next: the callers are the kernel's requests.
        let loaded = self.shared.body_on_disk(id, Disk::load_small);
        let mut state = self.shared.state.lock();
        match &loaded {
            Some(body) => {
                state.history.note_open(Lookup::Hit);
                // A listing may have told meanwhile that the message is another.
                if state.catalogue.get(id).exact_size() == Some(body.len()) {
                    state.bodies.insert(inode, Arc::clone(body));
                }
            }
            // The want that is going to follow rings.
            None => {
                state.history.note_open(Lookup::Miss);
                state.read_bodies_ahead(id);
            }
        }
        loaded
    }

    /// Fetches the body, which [`Maildrop::access_body`] did not have.
    pub fn want_body(&self, id: MessageId, waiter: Waiter<Arc<Body>>) {
        let mut state = self.shared.state.lock();
        let inode = state.catalogue.get(id).inode;
        if let Some(found) = state.bodies.get(inode) {
            drop(state);
            return waiter.answer(Ok(found.body()));
        }
        state.wants.body(id, waiter);
        self.shared.ring(state);
    }

    /// A body out of octets that were made of one: in memory, or where a large one from the server would be.
    ///
    /// # Errors
    /// [`Fault::NoRoom`].
    pub fn derive(&self, octets: &[u8]) -> Result<Arc<Body>, Fault> {
        let mut derived = self.shared.disk.incoming(octets.len() as u64);
        derived.push(octets).map_err(Fault::no_room)?;
        Ok(Arc::new(derived.finish()))
    }

    /// Finds out when the message arrived; answered at once where that is known. Accesses in directory order have the
    /// headers of what comes next fetched ahead.
    pub fn want_arrival(&self, id: MessageId, waiter: Waiter<()>) {
        let mut state = self.shared.state.lock();
        if state.catalogue.get(id).is_arrival_known() {
            drop(state);
            return waiter.answer(Ok(()));
        }
        state.read_headers_ahead(id, HeaderAccess::Asked);
        state.wants.headers(id, waiter);
        self.shared.ring(state);
    }

    /// What the headers of a message say in a few words, where that is known.
    #[must_use]
    pub fn outline(&self, id: MessageId) -> Option<String> {
        let state = self.shared.state.lock();
        state.catalogue.outline(id).map(ToOwned::to_owned)
    }

    /// Finds out what the headers say in a few words; answered at once where that is known, or the body is at hand. Asking of
    /// one message after the other has the headers of what comes next fetched ahead. Some messages do not tell.
    pub fn want_outline(&self, id: MessageId, waiter: Waiter<()>) {
        if self.outline(id).is_some() || self.shared.learn_from_cache(id) {
            return waiter.answer(Ok(()));
        }
        let mut state = self.shared.state.lock();
        state.read_outlines_ahead(id);
        state.wants.headers(id, waiter);
        self.shared.ring(state);
    }

    /// Finds out what every message in the directory is called; answered at once where that is known.
    pub fn want_titles(&self, waiter: Waiter<()>) {
        let mut state = self.shared.state.lock();
        let untitled: Vec<MessageId> = state
            .catalogue
            .after(0, Standing::Listed)
            .filter(|(_, message)| !message.are_headers_known())
            .map(|(id, _)| id)
            .collect();
        if untitled.is_empty() {
            drop(state);
            return waiter.answer(Ok(()));
        }
        let all = AllOf::new(untitled.len(), waiter);
        for id in untitled {
            state.wants.plan_headers(id, all.one());
        }
        self.shared.ring(state);
    }

    /// Notes that somebody passes by the message on a walk, and asks for nothing that is not known.
    pub fn pass_by(&self, id: MessageId) {
        let mut state = self.shared.state.lock();
        if state.read_headers_ahead(id, HeaderAccess::Passing) {
            self.shared.ring(state);
        }
    }

    /// Notes that a user is given the body, or what is made of it: from now on it was read, in later mounts too. Gives what
    /// is known of the message.
    pub fn read_message(&self, id: MessageId, body: &Body) -> Message {
        let extent = Extent::of(body);
        let mut state = self.shared.state.lock();
        let is_new = state.catalogue.learn_read(id) | state.catalogue.learn_lines(id, extent);
        let message = state.catalogue.get(id).clone();
        drop(state);
        if is_new {
            self.shared.index.learn(vec![message.row()]);
        }
        message
    }
}
