//! What is wanted of the server, and who waits for it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::catalogue::MessageId;
use super::fault::Fault;
use crate::store::Body;

/// Somebody who waits for a `T`; answered exactly once, by the thread that has it.
pub struct Waiter<T> {
    is_waiting: Box<dyn Fn() -> bool + Send>,
    answer: Box<dyn FnOnce(Result<T, Fault>) + Send>,
}

impl<T> Waiter<T> {
    /// `is_waiting` tells whether the answer is still of use: what nobody waits for any more is not fetched.
    pub fn new(
        is_waiting: impl Fn() -> bool + Send + 'static,
        answer: impl FnOnce(Result<T, Fault>) + Send + 'static,
    ) -> Waiter<T> {
        Waiter {
            is_waiting: Box::new(is_waiting),
            answer: Box::new(answer),
        }
    }

    /// Gives the answer. Not to be called with a lock held: the answer may do anything.
    pub(super) fn answer(self, result: Result<T, Fault>) {
        (self.answer)(result);
    }
}

impl<T> std::fmt::Debug for Waiter<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiter")
    }
}

/// Answers all of them alike.
pub(super) fn answer_all<T: Clone>(waiters: Vec<Waiter<T>>, result: &Result<T, Fault>) {
    for waiter in waiters {
        waiter.answer(result.clone());
    }
}

/// One thing to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Want {
    /// The whole message.
    Body(MessageId),
    /// Enough of it to tell when it arrived.
    Headers(MessageId),
}

impl Want {
    pub(super) fn message(self) -> MessageId {
        match self {
            Want::Body(id) | Want::Headers(id) => id,
        }
    }
}

/// Those who wait for one want, and how often it was lost with its connection.
#[derive(Debug)]
struct Waiting<T> {
    waiters: Vec<Waiter<T>>,
    losses: u8,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Waiting {
            waiters: Vec::new(),
            losses: 0,
        }
    }
}

/// The wants: a queue of those not sent, and for each one sent or not, who waits.
#[derive(Debug, Default)]
pub(super) struct Wants {
    queue: VecDeque<Want>,
    bodies: HashMap<MessageId, Waiting<Arc<Body>>>,
    headers: HashMap<MessageId, Waiting<()>>,
}

impl Wants {
    pub(super) fn body(&mut self, message: MessageId, waiter: Waiter<Arc<Body>>) {
        let waiting = self.bodies.entry(message).or_default();
        if waiting.waiters.is_empty() {
            self.queue.push_back(Want::Body(message));
        }
        waiting.waiters.push(waiter);
    }

    pub(super) fn headers(&mut self, message: MessageId, waiter: Waiter<()>) {
        let waiting = self.headers.entry(message).or_default();
        if waiting.waiters.is_empty() {
            self.queue.push_back(Want::Headers(message));
        }
        waiting.waiters.push(waiter);
    }

    /// The next want that somebody still waits for; it is in flight then.
    pub(super) fn next(&mut self) -> Option<Want> {
        loop {
            let want = self.queue.pop_front()?;
            if self.is_waited_for(want) {
                return Some(want);
            }
            self.forget(want);
        }
    }

    /// True where nothing is to be sent.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// True where nothing is to be sent and nothing is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.bodies.is_empty() && self.headers.is_empty()
    }

    /// Puts a want that was in flight back in front; gives how often that happened.
    pub(super) fn put_back(&mut self, want: Want) -> u8 {
        let losses = match want {
            Want::Body(id) => self.bodies.get_mut(&id).map(|waiting| &mut waiting.losses),
            Want::Headers(id) => self.headers.get_mut(&id).map(|waiting| &mut waiting.losses),
        };
        let Some(losses) = losses else { return 0 };
        *losses = losses.saturating_add(1);
        let losses = *losses;
        self.queue.push_front(want);
        losses
    }

    pub(super) fn take_body(&mut self, message: MessageId) -> Vec<Waiter<Arc<Body>>> {
        self.bodies
            .remove(&message)
            .map(|waiting| waiting.waiters)
            .unwrap_or_default()
    }

    pub(super) fn take_headers(&mut self, message: MessageId) -> Vec<Waiter<()>> {
        self.headers
            .remove(&message)
            .map(|waiting| waiting.waiters)
            .unwrap_or_default()
    }

    /// Everybody, for a fault that concerns all.
    pub(super) fn take_all(&mut self) -> Vec<Want> {
        self.queue.clear();
        let bodies = self.bodies.keys().copied().map(Want::Body);
        bodies
            .chain(self.headers.keys().copied().map(Want::Headers))
            .collect()
    }

    fn is_waited_for(&self, want: Want) -> bool {
        match want {
            Want::Body(id) => self.bodies.get(&id).is_some_and(Waiting::is_waited_for),
            Want::Headers(id) => self.headers.get(&id).is_some_and(Waiting::is_waited_for),
        }
    }

    fn forget(&mut self, want: Want) {
        match want {
            Want::Body(id) => drop(self.bodies.remove(&id)),
            Want::Headers(id) => drop(self.headers.remove(&id)),
        }
    }
}

impl<T> Waiting<T> {
    fn is_waited_for(&self) -> bool {
        self.waiters.iter().any(|waiter| (waiter.is_waiting)())
    }
}
