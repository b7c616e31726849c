//! Wants: what the engine is to fetch from the server, and who waits for it.
//!
//! | stage | event | next stage |
//! |---|---|---|
//! | none | read-ahead or a background fetch plans it | `Queued(Ahead)` |
//! | none, `Queued(Ahead)` | a handler asks for it | `Queued(Asked)` |
//! | `Queued` | the engine sends it | `InFlight` |
//! | `InFlight` | it fails, and a caller still waits | `Queued(Asked)` |
//! | `InFlight` | read-ahead abandons it, and no caller waits | `Orphaned` |
//! | `Orphaned` | a handler asks for it, or read-ahead plans it again | `InFlight` |
//! | `InFlight`, `Orphaned` | it is answered, or fails for good | none |
//! | `Queued(Ahead)` | read-ahead abandons it, and no caller waits | none |
//! | `Queued(Asked)` | its turn comes, and no caller waits | none |
//!
//! A command that was sent cannot be called back. So a want that is abandoned while it is in flight
//! stays there until its answer comes.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::Announced;
use crate::maildrop::fault::Fault;
use crate::maildrop::shared::waiter::Waiter;
use crate::store::Body;

/// One thing to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Want {
    /// The whole message.
    Body(MessageId),
    /// Its headers, which tell when it arrived and what its title is.
    Headers(MessageId),
}

impl Want {
    pub(crate) fn message(self) -> MessageId {
        match self {
            Self::Body(id) | Self::Headers(id) => id,
        }
    }
}

/// A want to send next, and the size that RETR is expected to have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NextWant {
    pub(crate) want: Want,
    pub(crate) announced: Announced,
    /// The octets that RETR takes of the window.
    pub(crate) expected: u64,
}

/// Why something is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A caller waits for it.
    Asked,
    /// Read-ahead or a background fetch has planned it. All wants that are asked for go first.
    Ahead,
}

/// The stage of a want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Not sent yet.
    Queued(Urgency),
    /// Sent, and not answered yet.
    InFlight,
    /// Sent, and not answered yet. Read-ahead has abandoned it, and no caller waits for it.
    Orphaned,
}

/// The state of one want.
#[derive(Debug)]
struct WantState {
    stage: Stage,
    /// Since when at least one waiter has been waiting without a break.
    asked: Option<Instant>,
    /// How often it has failed and was queued again.
    losses: u8,
    /// Whether the server has refused it since it last closed a connection.
    was_refused: bool,
}

impl WantState {
    fn ahead() -> Self {
        Self {
            stage: Stage::Queued(Urgency::Ahead),
            asked: None,
            losses: 0,
            was_refused: false,
        }
    }
}

/// Who waits for the headers of a message.
#[derive(Debug)]
pub(crate) enum HeaderWaiter {
    /// Needs to know that what the headers tell was learnt.
    Facts(Waiter<()>),
    /// Needs octets that begin with the headers: what TOP shows, or the body.
    Octets(Waiter<Arc<Body>>),
}

impl HeaderWaiter {
    fn is_waiting(&self) -> bool {
        match self {
            Self::Facts(waiter) => waiter.is_waiting(),
            Self::Octets(waiter) => waiter.is_waiting(),
        }
    }

    /// Gives the answer: octets that begin with the headers. The calling thread must hold no lock.
    pub(crate) fn answer(self, headers: Result<Arc<Body>, Fault>) {
        match self {
            Self::Facts(waiter) => waiter.answer(headers.map(|_learnt_before| ())),
            Self::Octets(waiter) => waiter.answer(headers),
        }
    }
}

/// Gives all waiters for headers the same answer.
pub(crate) fn answer_headers(waiters: Vec<HeaderWaiter>, headers: &Result<Arc<Body>, Fault>) {
    for waiter in waiters {
        waiter.answer(headers.clone());
    }
}

/// All wants: two queues of those not sent, and the state and the waiters of each want.
///
/// A queue may have outdated entries. An entry is valid only if the stage of its want belongs to
/// that queue. [`Wants::next`] skips the other entries: their wants were sent through the other
/// queue, or were dropped.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    asked: VecDeque<Want>,
    ahead: VecDeque<Want>,
    states: HashMap<Want, WantState>,
    body_waiters: HashMap<MessageId, Vec<Waiter<Arc<Body>>>>,
    header_waiters: HashMap<MessageId, Vec<HeaderWaiter>>,
}

impl Wants {
    /// Wants the body for a reader.
    pub(crate) fn body(&mut self, message: MessageId, waiter: Waiter<Arc<Body>>) {
        self.ask(Want::Body(message));
        let waiters = self.body_waiters.entry(message).or_default();
        join(waiters, waiter, Waiter::is_waiting);
    }

    /// Wants what the headers tell for a reader.
    pub(crate) fn headers(&mut self, message: MessageId, waiter: Waiter<()>) {
        self.ask(Want::Headers(message));
        self.join_headers(message, HeaderWaiter::Facts(waiter));
    }

    /// Wants octets that begin with the headers for a reader.
    pub(crate) fn header_octets(&mut self, message: MessageId, waiter: Waiter<Arc<Body>>) {
        self.ask(Want::Headers(message));
        self.join_headers(message, HeaderWaiter::Octets(waiter));
    }

    /// Wants the body for a waiter that lets all readers go first.
    pub(crate) fn plan_body(&mut self, message: MessageId, waiter: Waiter<Arc<Body>>) {
        let waiters = self.body_waiters.entry(message).or_default();
        join(waiters, waiter, Waiter::is_waiting);
        self.plan(Want::Body(message));
    }

    /// Wants the headers for a waiter that lets all readers go first.
    pub(crate) fn plan_headers(&mut self, message: MessageId, waiter: Waiter<()>) {
        self.join_headers(message, HeaderWaiter::Facts(waiter));
        self.plan(Want::Headers(message));
    }

    /// Wants something that no one waits for yet.
    pub(crate) fn plan(&mut self, want: Want) {
        match self.states.entry(want) {
            Entry::Vacant(unknown) => {
                unknown.insert(WantState::ahead());
                self.ahead.push_back(want);
            }
            Entry::Occupied(mut known) if known.get().stage == Stage::Orphaned => {
                known.get_mut().stage = Stage::InFlight;
            }
            Entry::Occupied(_) => {}
        }
    }

    /// Drops a planned want unless a waiter has come. If it was sent already, its answer still
    /// comes.
    pub(crate) fn abandon(&mut self, want: Want) {
        if self.is_waited_for(want) {
            return;
        }
        if self.is_in_stage(want, Stage::Queued(Urgency::Ahead)) {
            self.states.remove(&want);
        } else if self.is_in_stage(want, Stage::InFlight) {
            self.set_stage(want, Stage::Orphaned);
        }
    }

    /// Whether a want is in flight although it was abandoned.
    pub(crate) fn is_orphaned(&self, want: Want) -> bool {
        self.is_in_stage(want, Stage::Orphaned)
    }

    /// Takes the next want to send, and marks it as in flight. Wants that are asked for come first.
    pub(crate) fn next(&mut self, least: Urgency) -> Option<(Want, Urgency)> {
        while let Some(want) = self.asked.pop_front() {
            if self.is_in_stage(want, Stage::Queued(Urgency::Asked))
                && self.send_if_waited_for(want)
            {
                return Some((want, Urgency::Asked));
            }
        }
        if least == Urgency::Asked {
            return None;
        }
        loop {
            let want = self.ahead.pop_front()?;
            if self.is_in_stage(want, Stage::Queued(Urgency::Ahead)) {
                self.set_stage(want, Stage::InFlight);
                return Some((want, Urgency::Ahead));
            }
        }
    }

    /// Whether no want of at least this urgency is queued.
    pub(crate) fn is_empty(&self, least: Urgency) -> bool {
        self.asked.is_empty() && (least == Urgency::Asked || self.ahead.is_empty())
    }

    /// How many wants are queued or in flight.
    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether nothing is queued and nothing is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.states.is_empty()
    }

    /// Puts a want that was in flight back at the front of the queue. Drops it if no one waits for
    /// it.
    pub(crate) fn put_back(&mut self, want: Want) {
        if !self.is_waited_for(want) {
            return self.drop_want(want);
        }
        self.set_stage(want, Stage::Queued(Urgency::Asked));
        self.asked.push_front(want);
    }

    /// Puts a want that was in flight back at the end of the queue, so that all others go first.
    /// Drops it if no one waits for it.
    pub(crate) fn put_last(&mut self, want: Want) {
        if !self.is_waited_for(want) {
            return self.drop_want(want);
        }
        self.set_stage(want, Stage::Queued(Urgency::Asked));
        self.asked.push_back(want);
    }

    /// Whether the headers of a message are waited for, and only its body can answer that.
    pub(crate) fn is_body_for_headers(&self, message: MessageId) -> bool {
        self.needs_the_body(message) && self.header_waiters.contains_key(&message)
    }

    /// Counts a failure of a want that [`Wants::put_back`] has put back. Returns the number of
    /// failures, or 0 if the want was dropped.
    pub(crate) fn count_loss(&mut self, want: Want) -> u8 {
        let Some(state) = self.states.get_mut(&want) else {
            return 0;
        };
        state.losses = state.losses.saturating_add(1);
        state.losses
    }

    /// Notes that the server has refused a want. Returns whether that is the first time since
    /// somebody wants it, or since the server closed a connection.
    pub(crate) fn note_refusal(&mut self, want: Want) -> bool {
        let state = self.states.get_mut(&want);
        state.is_some_and(|state| !std::mem::replace(&mut state.was_refused, true))
    }

    /// The server has closed the connection: it may have refused everything because of that.
    pub(crate) fn forget_refusals(&mut self) {
        for state in self.states.values_mut() {
            state.was_refused = false;
        }
    }

    /// Wants the body in place of the headers, for the waiters of the headers.
    pub(crate) fn ask_for_body(&mut self, message: MessageId) {
        self.states.remove(&Want::Headers(message));
        self.ask(Want::Body(message));
    }

    /// Removes the want for the body, and returns its waiters.
    pub(crate) fn take_body(&mut self, message: MessageId) -> Vec<Waiter<Arc<Body>>> {
        self.states.remove(&Want::Body(message));
        self.body_waiters.remove(&message).unwrap_or_default()
    }

    /// Removes the want for the headers, and returns its waiters.
    pub(crate) fn take_headers(&mut self, message: MessageId) -> Vec<HeaderWaiter> {
        self.states.remove(&Want::Headers(message));
        self.header_waiters.remove(&message).unwrap_or_default()
    }

    /// Removes a want, and returns its waiters. If only the body can answer the waiters of the
    /// headers, the want for the body includes them.
    pub(crate) fn take(&mut self, want: Want) -> (Vec<Waiter<Arc<Body>>>, Vec<HeaderWaiter>) {
        match want {
            Want::Body(id) if self.needs_the_body(id) => {
                (self.take_body(id), self.take_headers(id))
            }
            Want::Body(id) => (self.take_body(id), Vec::new()),
            Want::Headers(id) => (Vec::new(), self.take_headers(id)),
        }
    }

    /// Whether somebody waits for the octets of the headers, and not only for what they tell.
    pub(crate) fn are_octets_awaited(&self, message: MessageId) -> bool {
        let waiters = self.header_waiters.get(&message).into_iter().flatten();
        let mut octets = waiters.filter(|waiter| matches!(waiter, HeaderWaiter::Octets(_)));
        octets.any(HeaderWaiter::is_waiting)
    }

    /// Every want, queued or in flight.
    pub(crate) fn all(&self) -> Vec<Want> {
        self.states.keys().copied().collect()
    }

    /// The wants, queued or in flight, that have had a waiter without a break since `then` or
    /// longer.
    pub(crate) fn asked_by(&self, then: Instant) -> Vec<Want> {
        let waited = |state: &WantState| state.asked.is_some_and(|asked| asked <= then);
        self.states
            .iter()
            .filter_map(|(&want, state)| waited(state).then_some(want))
            .collect()
    }

    /// Wants something for a reader, who is added to the waiters next.
    fn ask(&mut self, want: Want) {
        let has_always_been = self.is_waited_for(want);
        let state = self.states.entry(want).or_insert_with(WantState::ahead);
        if state.asked.is_none() || !has_always_been {
            state.asked = Some(Instant::now());
        }
        match state.stage {
            Stage::Queued(Urgency::Ahead) => {
                state.stage = Stage::Queued(Urgency::Asked);
                self.asked.push_back(want);
            }
            Stage::Orphaned => state.stage = Stage::InFlight,
            Stage::Queued(Urgency::Asked) | Stage::InFlight => {}
        }
    }

    /// Marks a want as in flight. If no one waits for it any more, drops it and returns false.
    fn send_if_waited_for(&mut self, want: Want) -> bool {
        if self.is_waited_for(want) {
            self.set_stage(want, Stage::InFlight);
            return true;
        }
        self.drop_want(want);
        false
    }

    fn is_in_stage(&self, want: Want, stage: Stage) -> bool {
        self.states
            .get(&want)
            .is_some_and(|state| state.stage == stage)
    }

    fn set_stage(&mut self, want: Want, stage: Stage) {
        if let Some(state) = self.states.get_mut(&want) {
            state.stage = stage;
        }
    }

    /// Whether somebody waits for it.
    pub(crate) fn is_waited_for(&self, want: Want) -> bool {
        match want {
            Want::Body(id) => {
                let mut readers = self.body_waiters.get(&id).into_iter().flatten();
                readers.any(Waiter::is_waiting)
                    || (self.needs_the_body(id) && self.are_headers_awaited(id))
            }
            Want::Headers(id) => self.are_headers_awaited(id),
        }
    }

    fn are_headers_awaited(&self, message: MessageId) -> bool {
        let mut waiters = self.header_waiters.get(&message).into_iter().flatten();
        waiters.any(HeaderWaiter::is_waiting)
    }

    fn join_headers(&mut self, message: MessageId, waiter: HeaderWaiter) {
        let waiters = self.header_waiters.entry(message).or_default();
        join(waiters, waiter, HeaderWaiter::is_waiting);
    }

    /// Whether the waiters of the headers can be answered only by the body.
    fn needs_the_body(&self, message: MessageId) -> bool {
        !self.states.contains_key(&Want::Headers(message))
    }

    fn drop_want(&mut self, want: Want) {
        drop(self.take(want));
    }
}

/// Adds a waiter, and drops those that have left. A directory that is opened again and again adds a
/// waiter for each of its messages every time, so they would pile up.
fn join<T>(waiters: &mut Vec<T>, waiter: T, is_waiting: impl Fn(&T) -> bool) {
    waiters.retain(is_waiting);
    waiters.push(waiter);
}

#[cfg(test)]
mod tests;
