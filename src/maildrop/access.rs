//! Access to bodies and headers: from memory or disk, or by a want that the engine meets later.

use std::sync::Arc;

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::{Extent, Message, Standing};
use crate::maildrop::fault::Fault;
use crate::maildrop::handle::Maildrop;
use crate::maildrop::shared::Shared;
use crate::maildrop::shared::history::Lookup;
use crate::maildrop::shared::state::HeaderAccess;
use crate::maildrop::shared::waiter::{AllOf, Waiter};
use crate::store::{Body, Disk, FoundBody};

impl Maildrop {
    /// The body, if it is in memory or on disk. One on disk is not read here: it is verified when
    /// it is first read, and stays readable as long as it is held. If reading it fails, use
    /// [`Maildrop::want_again`]. Accesses in directory order start reading ahead.
    #[must_use]
    pub fn open_body(&self, id: MessageId) -> Option<Arc<Body>> {
        self.access_body(id, |shared| shared.open_on_disk(id))
    }

    /// As [`Maildrop::open_body`], but a body on disk is read and verified.
    #[must_use]
    pub fn load_body(&self, id: MessageId) -> Option<Arc<Body>> {
        self.access_body(id, |shared| shared.body_on_disk(id, Disk::load_small))
    }

    /// The caller handles a request of the kernel and must not block for long. A large body is not
    /// looked for on disk: the caller asks the engine next, which loads it from there.
    fn access_body(
        &self,
        id: MessageId,
        small_on_disk: impl FnOnce(&Shared) -> Option<Arc<Body>>,
    ) -> Option<Arc<Body>> {
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
                    self.shared.wake_engine(state);
                }
                return Some(body);
            }
            None => {}
        }
        drop(state);
        let found = small_on_disk(&self.shared);
        let mut state = self.shared.state.lock();
        match &found {
            Some(_) => state.history.note_open(Lookup::Hit),
            // The caller adds a want next, and that wakes the engine.
            None => {
                state.history.note_open(Lookup::Miss);
                state.read_bodies_ahead(id);
            }
        }
        found
    }

    /// Has the engine fetch the body. To be called if [`Maildrop::open_body`] or
    /// [`Maildrop::load_body`] has returned `None`.
    pub fn want_body(&self, id: MessageId, waiter: Waiter<Arc<Body>>) {
        let mut state = self.shared.state.lock();
        let inode = state.catalogue.get(id).inode;
        if let Some(found) = state.bodies.get(inode) {
            drop(state);
            return waiter.answer(Ok(found.body()));
        }
        state.wants.body(id, waiter);
        self.shared.wake_engine(state);
    }

    /// As [`Maildrop::want_body`], in place of a body that cannot be read from the disk. The engine
    /// verifies what is on disk, and fetches the message if that is damaged.
    pub fn want_again(&self, id: MessageId, unreadable: &Arc<Body>, waiter: Waiter<Arc<Body>>) {
        self.shared.change(|state, _| {
            let inode = state.catalogue.get(id).inode;
            let kept = state.bodies.peek(inode);
            if kept.is_some_and(|kept| Arc::ptr_eq(kept, unreadable)) {
                state.bodies.remove(inode);
            }
        });
        self.want_body(id, waiter);
    }

    /// Stores octets that were made from a body, such as an attachment: in memory, or in a file if
    /// they are as large as a body that is received into a file.
    ///
    /// # Errors
    /// [`Fault::NoRoom`] if the file cannot be written.
    pub fn derive(&self, octets: &[u8]) -> Result<Arc<Body>, Fault> {
        let mut derived = self.shared.disk.incoming(octets.len() as u64);
        derived.push(octets).map_err(Fault::no_room)?;
        Ok(Arc::new(derived.finish()))
    }

    /// Answers the waiter when the arrival of the message is known, which may be at once. Accesses
    /// in directory order start reading headers ahead.
    pub fn want_arrival(&self, id: MessageId, waiter: Waiter<()>) {
        let mut state = self.shared.state.lock();
        if state.catalogue.get(id).is_arrival_known() {
            drop(state);
            return waiter.answer(Ok(()));
        }
        state.read_headers_ahead(id, HeaderAccess::Asked);
        state.wants.headers(id, waiter);
        self.shared.wake_engine(state);
    }

    /// The summary of a message's headers, if it is known.
    #[must_use]
    pub fn outline(&self, id: MessageId) -> Option<String> {
        let state = self.shared.state.lock();
        state.catalogue.outline(id).map(ToOwned::to_owned)
    }

    /// Answers the waiter when the headers were read, so that their summary is known. This is at
    /// once if the summary is known or the body is cached. Accesses in directory order start
    /// reading headers ahead. A message may have no summary even then.
    pub fn want_outline(&self, id: MessageId, waiter: Waiter<()>) {
        if self.outline(id).is_some() || self.shared.learn_from_cache(id) {
            return waiter.answer(Ok(()));
        }
        let mut state = self.shared.state.lock();
        state.read_outlines_ahead(id);
        state.wants.headers(id, waiter);
        self.shared.wake_engine(state);
    }

    /// Answers the waiter when the titles of all messages in the directory are known, or cannot be
    /// fetched.
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
        self.shared.wake_engine(state);
    }

    /// Notes that a reader passes the message on a walk, and needs no more than what is known of
    /// it. This keeps reading ahead on course.
    pub fn pass_by(&self, id: MessageId) {
        let mut state = self.shared.state.lock();
        if state.read_headers_ahead(id, HeaderAccess::Passing) {
            self.shared.wake_engine(state);
        }
    }

    /// Notes that a user is given the body, or something made from it. From now on the message
    /// counts as read, also in later mounts. Returns what is known of the message.
    pub fn read_message(&self, id: MessageId, body: &Body) -> Message {
        let extent = Extent::of(body);
        self.shared.change(|state, effects| {
            let is_new = state.catalogue.learn_read(id) | state.catalogue.learn_lines(id, extent);
            let message = state.catalogue.get(id).clone();
            if is_new {
                effects.rows.push(message.row());
            }
            message
        })
    }
}

impl Shared {
    /// The body in the cache on disk, if it is small. It is not read. The number of lines is
    /// missing in the index of an older version: then the body is read.
    fn open_on_disk(&self, id: MessageId) -> Option<Arc<Body>> {
        let (extent, key) = self.look(|state| {
            let message = state.catalogue.get(id);
            Some((message.extent()?, message.body_key()))
        })?;
        match extent.crlfs {
            Some(crlfs) => self.disk.open_small(&key, extent.octets, crlfs),
            None => self.body_on_disk(id, Disk::load_small),
        }
    }
}
