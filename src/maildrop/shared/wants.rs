//! What is wanted of the server, and who waits for it.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::Announced;
use crate::maildrop::shared::waiter::Waiter;
use crate::store::Body;

/// One thing to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Want {
    /// The whole message.
    Body(MessageId),
    /// Enough of it to tell when it arrived, and what it is called.
    Headers(MessageId),
}

impl Want {
    pub(crate) fn message(self) -> MessageId {
        match self {
            Want::Body(id) | Want::Headers(id) => id,
        }
    }
}

/// A want that is to be sent, and what RETR is expected to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NextWant {
    pub(crate) want: Want,
    pub(crate) announced: Announced,
}

/// Who is behind a want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Somebody waits.
    Asked,
    /// Somebody is going to ask, perhaps.
    Ahead,
}

/// Where a want is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Queued(Urgency),
    InFlight,
    /// In flight, and abandoned by whoever planned it.
    Orphaned,
}

/// How far a want has come.
#[derive(Debug)]
struct WantState {
    stage: Stage,
    /// Since when it has always had somebody who waits for it.
    asked: Option<Instant>,
    /// How often it was lost with its connection.
    losses: u8,
}

impl WantState {
    fn ahead() -> WantState {
        WantState {
            stage: Stage::Queued(Urgency::Ahead),
            asked: None,
            losses: 0,
        }
    }
}

/// The wants: two queues of those not sent, and for each one, sent or not, its state and who waits.
///
/// An entry of a queue counts only if its want stands in that queue's stage: one that was sent by way of the other queue,
/// or that nobody needs any more, is passed over when its turn comes.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    asked: VecDeque<Want>,
    ahead: VecDeque<Want>,
    states: HashMap<Want, WantState>,
    body_waiters: HashMap<MessageId, Vec<Waiter<Arc<Body>>>>,
    header_waiters: HashMap<MessageId, Vec<Waiter<()>>>,
}

impl Wants {
    pub(crate) fn body(&mut self, message: MessageId, waiter: Waiter<Arc<Body>>) {
        self.ask(Want::Body(message));
        join(self.body_waiters.entry(message).or_default(), waiter);
    }

    pub(crate) fn headers(&mut self, message: MessageId, waiter: Waiter<()>) {
        self.ask(Want::Headers(message));
        join(self.header_waiters.entry(message).or_default(), waiter);
    }

    /// Wants the body for somebody who can wait until nobody else does.
    pub(crate) fn plan_body(&mut self, message: MessageId, waiter: Waiter<Arc<Body>>) {
        join(self.body_waiters.entry(message).or_default(), waiter);
        self.plan(Want::Body(message));
    }

    /// The same of the headers.
    pub(crate) fn plan_headers(&mut self, message: MessageId, waiter: Waiter<()>) {
        join(self.header_waiters.entry(message).or_default(), waiter);
        self.plan(Want::Headers(message));
    }

    /// Wants something that nobody waits for yet.
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

    /// Takes back what was planned, if nobody waits for it by now. What is sent comes all the same.
    pub(crate) fn abandon(&mut self, want: Want) {
        if self.is_waited_for(want) {
            return;
        }
        if self.stands(want, Stage::Queued(Urgency::Ahead)) {
            self.states.remove(&want);
        } else if self.stands(want, Stage::InFlight) {
            self.set_stage(want, Stage::Orphaned);
        }
    }

    /// Whether a want is in flight, and nobody has ever needed what comes of it.
    pub(crate) fn is_orphaned(&self, want: Want) -> bool {
        self.stands(want, Stage::Orphaned)
    }

    /// The next want to send, those that somebody waits for first; it is in flight then.
    pub(crate) fn next(&mut self, least: Urgency) -> Option<(Want, Urgency)> {
        while let Some(want) = self.asked.pop_front() {
            if self.stands(want, Stage::Queued(Urgency::Asked)) && self.takes_off(want) {
                return Some((want, Urgency::Asked));
            }
        }
        if least == Urgency::Asked {
            return None;
        }
        loop {
            let want = self.ahead.pop_front()?;
            if self.stands(want, Stage::Queued(Urgency::Ahead)) {
                self.set_stage(want, Stage::InFlight);
                return Some((want, Urgency::Ahead));
            }
        }
    }

    /// True where nothing is to be sent that is at least so urgent.
    pub(crate) fn is_empty(&self, least: Urgency) -> bool {
        self.asked.is_empty() && (least == Urgency::Asked || self.ahead.is_empty())
    }

    /// How many are queued or in flight.
    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }

    /// True where nothing is to be sent and nothing is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.states.is_empty()
    }

    /// Puts a want that was in flight back in front. What nobody waits for is dropped.
    pub(crate) fn put_back(&mut self, want: Want) {
        if !self.is_waited_for(want) {
            return self.drop_want(want);
        }
        self.set_stage(want, Stage::Queued(Urgency::Asked));
        self.asked.push_front(want);
    }

    /// Counts that a want failed, as [`Wants::put_back`] puts it back; gives how often it did, 0 where it was dropped.
    pub(crate) fn count_loss(&mut self, want: Want) -> u8 {
        let Some(state) = self.states.get_mut(&want) else {
            return 0;
        };
        state.losses = state.losses.saturating_add(1);
        state.losses
    }

    /// Wants the body for the sake of those who wait for the headers.
    pub(crate) fn ask_for_body(&mut self, message: MessageId) {
        self.states.remove(&Want::Headers(message));
        self.ask(Want::Body(message));
    }

    /// Those who wait for the body, which is no longer wanted.
    pub(crate) fn take_body(&mut self, message: MessageId) -> Vec<Waiter<Arc<Body>>> {
        self.states.remove(&Want::Body(message));
        self.body_waiters.remove(&message).unwrap_or_default()
    }

    /// Those who wait for the headers, which are no longer wanted.
    pub(crate) fn take_headers(&mut self, message: MessageId) -> Vec<Waiter<()>> {
        self.states.remove(&Want::Headers(message));
        self.header_waiters.remove(&message).unwrap_or_default()
    }

    /// Those who wait for a want, which is no longer wanted.
    pub(crate) fn take(&mut self, want: Want) -> (Vec<Waiter<Arc<Body>>>, Vec<Waiter<()>>) {
        match want {
            Want::Body(id) if self.needs_the_body(id) => {
                (self.take_body(id), self.take_headers(id))
            }
            Want::Body(id) => (self.take_body(id), Vec::new()),
            Want::Headers(id) => (Vec::new(), self.take_headers(id)),
        }
    }

    /// Everything, for a fault that concerns all.
    pub(crate) fn all(&self) -> Vec<Want> {
        self.states.keys().copied().collect()
    }

    /// What somebody has waited for since then or longer, sent or not.
    pub(crate) fn asked_by(&self, then: Instant) -> Vec<Want> {
        let waited = |state: &WantState| state.asked.is_some_and(|asked| asked <= then);
        self.states
            .iter()
            .filter_map(|(&want, course)| waited(course).then_some(want))
            .collect()
    }

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

    /// False where nobody waits any more: then it is dropped.
    fn takes_off(&mut self, want: Want) -> bool {
        if self.is_waited_for(want) {
            self.set_stage(want, Stage::InFlight);
            return true;
        }
        self.drop_want(want);
        false
    }

    fn stands(&self, want: Want, stage: Stage) -> bool {
        self.states
            .get(&want)
            .is_some_and(|state| state.stage == stage)
    }

    fn set_stage(&mut self, want: Want, stage: Stage) {
        if let Some(state) = self.states.get_mut(&want) {
            state.stage = stage;
        }
    }

    fn is_waited_for(&self, want: Want) -> bool {
        match want {
            Want::Body(id) => {
                is_anyone_waiting(self.body_waiters.get(&id))
                    || (self.needs_the_body(id) && is_anyone_waiting(self.header_waiters.get(&id)))
            }
            Want::Headers(id) => is_anyone_waiting(self.header_waiters.get(&id)),
        }
    }

    /// True where those who wait for the headers can only be told by the body.
    fn needs_the_body(&self, message: MessageId) -> bool {
        !self.states.contains_key(&Want::Headers(message))
    }

    fn drop_want(&mut self, want: Want) {
        drop(self.take(want));
    }
}

/// Whoever has gone makes room: a directory that is opened again and again asks for each of its messages every time.
fn join<T>(waiters: &mut Vec<Waiter<T>>, waiter: Waiter<T>) {
    waiters.retain(|waiter| (waiter.is_waiting)());
    waiters.push(waiter);
}

fn is_anyone_waiting<T>(waiters: Option<&Vec<Waiter<T>>>) -> bool {
    waiters
        .into_iter()
        .flatten()
        .any(|waiter| (waiter.is_waiting)())
}

#[cfg(test)]
mod tests;
