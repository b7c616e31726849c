//! Fetching everything into the cache, for `pop3fs fetch`.
//!
//! A few messages at a time are wanted, behind everything that somebody waits for, and no more than the disk can follow. So
//! whoever reads goes first, an end at any time keeps what has come, and the next fetch begins with what is missing.
//! Nothing of it counts as read by the user.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::maildrop::catalogue::Catalogue;
use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::Standing;
use crate::maildrop::fault::Fault;
use crate::maildrop::handle::Maildrop;
use crate::maildrop::shared::Shared;
use crate::maildrop::shared::waiter::Waiter;
use crate::store::Body;

/// The octets that are wanted at once: what a connection of 600 Mbit/s carries in 100 ms, and less than what lets the disk
/// fall so far behind that it keeps nothing.
const WINDOW_OCTETS: u64 = 8 * 1024 * 1024;
/// The messages that are wanted at once.
const WINDOW_MESSAGES: usize = 512;
/// How often the progress is told.
const TICK: Duration = Duration::from_millis(200);
/// The messages that are looked at under one lock.
const LOOKS: usize = 256;

/// How much is fetched of each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// The whole message, into the cache on disk.
    Body,
    /// Enough to know when it arrived: what `ls -l` needs.
    Headers,
}

/// How far a fetch has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Messages that are there, or have failed.
    pub messages: u64,
    /// Messages in the directory.
    pub total_messages: u64,
    /// Octets of the messages that are there; 0 for headers, as is the total.
    pub octets: u64,
    /// Octets of all, by what is known now.
    pub total_octets: u64,
}

/// What a fetch has done.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// Messages that were there before.
    pub present: u64,
    /// Messages that have come.
    pub fetched: u64,
    /// Messages that have not, and why: name and fault.
    pub failed: Vec<(String, Fault)>,
    /// Messages that have come, and that the disk has not kept.
    pub unkept: u64,
    /// Why it ended before its time.
    pub stopped: Option<Fault>,
}

/// Why nothing is fetched. Both are the user's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The bodies would have no place.
    #[error("this mount keeps nothing on disk")]
    NoCache,
    /// The last would displace the first.
    #[error("the maildrop has {octets} octets, and the cache has room for {room}")]
    TooSmall {
        /// Of all messages in the directory.
        octets: u64,
        /// Octets that the cache keeps for certain.
        room: u64,
    },
}

/// What came of one message.
type Outcome = (MessageId, Result<Option<Arc<Body>>, Fault>);

impl Maildrop {
    /// Fetches what is missing; tells the progress now and then, and stops where `going` wants no more. Blocks meanwhile.
    ///
    /// # Errors
    /// [`FetchError`]; what goes wrong later is in what this gives.
    pub fn fetch(
        &self,
        depth: Depth,
        going: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Fetched, FetchError> {
        if depth == Depth::Body {
            self.check_room()?;
        }
        let (missing, progress) = self.shared.missing(depth);
        let (tell, told) = mpsc::channel();
        let mut fetch = Fetch {
            maildrop: self,
            depth,
            missing,
            flying: Vec::new(),
            fetched: Fetched {
                present: progress.messages,
                ..Fetched::default()
            },
            progress,
            is_going: Arc::new(AtomicBool::new(true)),
            tell,
        };
        fetch.run(&told, going);
        fetch.is_going.store(false, Ordering::Relaxed);
        let Fetch { mut fetched, .. } = fetch;
        if depth == Depth::Body && fetched.stopped.is_none() {
            self.shared.disk.flush();
            let left = self.shared.missing(depth).0.len() as u64;
            fetched.unkept = left.saturating_sub(fetched.failed.len() as u64);
        }
        Ok(fetched)
    }

    fn check_room(&self) -> Result<(), FetchError> {
        let room = self.shared.disk.room().ok_or(FetchError::NoCache)?;
        let octets = self.totals().octets;
        match octets > room {
            true => Err(FetchError::TooSmall { octets, room }),
            false => Ok(()),
        }
    }

    fn has_ended(&self) -> bool {
        self.engine.lock().is_none()
    }
}

struct Fetch<'a> {
    maildrop: &'a Maildrop,
    depth: Depth,
    missing: VecDeque<(MessageId, u64)>,
    flying: Vec<(MessageId, u64)>,
    fetched: Fetched,
    progress: Progress,
    is_going: Arc<AtomicBool>,
    tell: Sender<Outcome>,
}

impl Fetch<'_> {
    fn run(
        &mut self,
        told: &Receiver<Outcome>,
        going: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) {
        let mut next_tick = Instant::now();
        loop {
            self.fill_window();
            if Instant::now() >= next_tick {
                next_tick = Instant::now() + TICK;
                if going(self.progress).is_break() {
                    return;
                }
            }
            if self.flying.is_empty() || self.fetched.stopped.is_some() {
                let _the_end_comes_either_way = going(self.progress);
                return;
            }
            // The engine rests where the disk is behind; the ring of `fill_window` makes it look again.
            match told.recv_timeout(TICK) {
                Ok(outcome) => {
                    self.settle(outcome);
                    told.try_iter().for_each(|outcome| self.settle(outcome));
                }
                Err(RecvTimeoutError::Timeout) if self.maildrop.has_ended() => {
                    self.fetched.stopped = Some(Fault::Ending);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    fn fill_window(&mut self) {
        let shared = &self.maildrop.shared;
        let mut octets: u64 = self.flying.iter().map(|(_, octets)| octets).sum();
        while octets < WINDOW_OCTETS
            && self.flying.len() < WINDOW_MESSAGES
            && let Some((id, expected)) = self.missing.pop_front()
        {
            octets += expected;
            self.flying.push((id, expected));
            let mut state = shared.state.lock();
            match self.depth {
                Depth::Body => state.wants.plan_body(id, self.waiter(id, Some)),
                Depth::Headers => state.wants.plan_headers(id, self.waiter(id, |()| None)),
            }
        }
        shared.wake_up.ring();
    }

    fn waiter<T: 'static>(
        &self,
        id: MessageId,
        body: impl FnOnce(T) -> Option<Arc<Body>> + Send + 'static,
    ) -> Waiter<T> {
        let (is_going, tell) = (Arc::clone(&self.is_going), self.tell.clone());
        Waiter::new(
            move || is_going.load(Ordering::Relaxed),
            move |result: Result<T, Fault>| {
                let _stopped_meanwhile = tell.send((id, result.map(body)));
            },
        )
    }

    fn settle(&mut self, (id, result): Outcome) {
        let Some(at) = self.flying.iter().position(|&(flying, _)| flying == id) else {
            return;
        };
        let (_, octets) = self.flying.swap_remove(at);
        match result {
            Ok(body) => {
                self.fetched.fetched += 1;
                if let Some(body) = body {
                    self.maildrop.shared.keep_on_disk(id, &body);
                }
            }
            Err(fault) if concerns_one_message(&fault) => {
                let name = self.maildrop.message(id).name();
                self.fetched.failed.push((name, fault));
            }
            Err(fault) => {
                self.fetched.stopped.get_or_insert(fault);
                return;
            }
        }
        self.progress.messages += 1;
        self.progress.octets += octets;
    }
}

impl Shared {
    /// The messages in the directory of which so much is not here, with the octets expected of each; and how far that is.
    fn missing(&self, depth: Depth) -> (VecDeque<(MessageId, u64)>, Progress) {
        let state = self.state.lock();
        let listed = state.catalogue.after(0, Standing::Listed);
        let listed: Vec<MessageId> = listed.map(|(id, _)| id).collect();
        drop(state);
        let mut progress = Progress::default();
        let mut missing = VecDeque::new();
        for ids in listed.chunks(LOOKS) {
            let state = self.state.lock();
            for &id in ids {
                let message = state.catalogue.get(id);
                let (octets, is_here) = match depth {
                    Depth::Body => {
                        let is_known = message.exact_size().is_some();
                        let is_here = is_known && self.disk.contains(&message.body_key());
                        (message.expected_octets(), is_here)
                    }
                    Depth::Headers => (0, self.knows_headers_of(&state.catalogue, id)),
                };
                progress.total_messages += 1;
                progress.total_octets += octets;
                if is_here {
                    progress.messages += 1;
                    progress.octets += octets;
                } else {
                    missing.push_back((id, octets));
                }
            }
        }
        (missing, progress)
    }

    fn knows_headers_of(&self, catalogue: &Catalogue, id: MessageId) -> bool {
        let is_outlined = catalogue.outline(id).is_some() || self.settings.outlining.is_none();
        catalogue.get(id).are_headers_known() && is_outlined
    }

    /// A body that was in memory alone, since the disk was too slow for it when it came.
    fn keep_on_disk(&self, id: MessageId, body: &Arc<Body>) {
        let key = self.state.lock().catalogue.get(id).body_key();
        if !self.disk.contains(&key) {
            self.disk.keep(key, body);
        }
    }
}

/// Whether others may do better.
fn concerns_one_message(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Departed
            | Fault::TooLarge
            | Fault::EmptyBody
            | Fault::Unconfirmed
            | Fault::Refused { .. }
    )
}
