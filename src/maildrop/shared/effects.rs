//! What a change of the state brings about outside of it. Whoever changes the state notes this under
//! the lock, and [`Shared::change`] carries it out once the lock is free: the disk may be slow, and
//! a waiter that is answered may come back at once.

use std::sync::Arc;

use crate::maildrop::fault::Fault;
use crate::maildrop::shared::Shared;
use crate::maildrop::shared::change::Change;
use crate::maildrop::shared::state::State;
use crate::maildrop::shared::waiter::{Waiter, answer_all};
use crate::maildrop::shared::wants::{HeaderWaiter, answer_headers};
use crate::store::{Body, BodyKey, LastListing, Row};

/// What is to be done after a change of the state, in this order.
#[derive(Default)]
pub(crate) struct Effects {
    /// Cached bodies and headers of messages that have changed.
    pub(crate) void: Vec<BodyKey>,
    /// What the index has to store.
    pub(crate) rows: Vec<Row>,
    /// The listing that those rows complete.
    pub(crate) listing: Option<LastListing>,
    /// Goes to the cache on disk.
    pub(crate) kept: Option<(BodyKey, Arc<Body>)>,
    /// The names of removed messages that are not deleted, because they have changed.
    pub(crate) changed: Vec<String>,
    /// The names of removed messages that were missing and are listed again.
    pub(crate) returned: Vec<String>,
    /// Of what the kernel has to be notified.
    pub(crate) told: Vec<Change>,
    pub(crate) answers: Vec<Answer>,
}

/// The answer to those who have waited for a message.
pub(crate) struct Answer {
    pub(crate) readers: Vec<Waiter<Arc<Body>>>,
    pub(crate) of_headers: Vec<HeaderWaiter>,
    pub(crate) result: Result<Arc<Body>, Fault>,
}

impl Shared {
    /// Reads the state.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock())
    }

    /// Changes the state under the lock, and then does what the change brings about.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State, &mut Effects) -> T) -> T {
        let mut effects = Effects::default();
        let result = change(&mut self.state.lock(), &mut effects);
        self.carry_out(effects);
        result
    }

    fn carry_out(&self, effects: Effects) {
        for key in &effects.void {
            self.disk.forget(key);
        }
        match effects.listing {
            Some(listing) => self.index.keep_listing(effects.rows, listing),
            None if effects.rows.is_empty() => {}
            None => self.index.learn(effects.rows),
        }
        if let Some((key, body)) = effects.kept {
            self.disk.keep(key, &body);
        }
        for name in effects.changed {
            log::warn!("{name} is not deleted: it changed on the server since it was removed");
        }
        for name in effects.returned {
            log::warn!(
                "{name} was removed, then was missing, and is on the server again: it is listed again"
            );
        }
        for change in effects.told {
            self.tell(change);
        }
        for answer in effects.answers {
            answer_all(answer.readers, &answer.result);
            answer_headers(answer.of_headers, &answer.result);
        }
    }

    /// Notifies the kernel of a change that did not come from one of its own requests.
    pub(crate) fn tell(&self, change: Change) {
        if let Some(tell) = self.on_change.get() {
            tell(change);
        }
    }
}
