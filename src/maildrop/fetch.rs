//! Fetches all messages into the cache on disk: at once for `pop3fs fetch`, with pauses for a
//! mirror.
//!
//! A fetch wants a limited number of messages at a time. Readers go first: the engine sends their
//! wants before these. The limit also keeps the fetch from outrunning the disk. If the fetch is
//! interrupted, what has come stays in the cache, and the next fetch continues with the missing
//! messages. A fetched message does not count as read by the user.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
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

/// The most octets that a mirror wants at a time.
const MIRROR_OCTETS: u64 = 512 * 1024;
/// The most messages that a mirror wants at a time.
const MIRROR_MESSAGES: usize = 16;
/// The longest pause of a mirror. Otherwise it pauses for as long as the fetch before has taken, so
/// that it uses half of the link at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How often a mirror looks whether the readers have what they wait for.
const READERS_LOOK: Duration = Duration::from_millis(20);
/// The most octets wanted at a time. A connection of 600 Mbit/s carries this much in 100 ms. It is
/// also less than the backlog at which the disk cache stops keeping bodies.
const FETCH_OCTETS: u64 = 8 * 1024 * 1024;
/// The most messages wanted at a time.
const FETCH_MESSAGES: usize = 512;
/// How often the progress is reported.
const TICK: Duration = Duration::from_millis(200);
/// How many messages are examined before the lock is released.
const SCAN_BATCH: usize = 256;

/// How much of each message is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// The whole message, into the cache on disk.
    Body,
    /// The headers, which tell the arrival that `ls -l` shows.
    Headers,
}

/// How much a fetch leaves to readers and other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// As fast as the link and the disk allow.
    Full,
    /// A few messages at a time, newest first, none while a reader waits, and with pauses.
    Considerate,
}

/// How far a fetch has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Messages that are cached or have failed.
    pub messages: u64,
    /// All messages in the directory.
    pub total_messages: u64,
    /// Octets of the messages that are cached or have failed. With [`Depth::Headers`] this and the
    /// total are 0.
    pub octets: u64,
    /// Octets of all messages, partly estimated by LIST.
    pub total_octets: u64,
}

/// The result of a fetch.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// How many messages were cached before.
    pub present: u64,
    /// How many messages have been fetched.
    pub fetched: u64,
    /// The name and the fault of each message that could not be fetched.
    pub failed: Vec<(String, Fault)>,
    /// How many messages have been fetched, but the disk cache has not kept them.
    pub unkept: u64,
    /// Why the fetch ended early, if it did.
    pub stopped: Option<Fault>,
}

/// Why a fetch does not start. Both causes are the user's configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// This mount has no cache on disk.
    #[error("this mount keeps nothing on disk")]
    NoCache,
    /// The cache is too small: later messages would displace earlier ones.
    #[error("the maildrop does not fit into the cache")]
    TooSmall {
        /// Octets of all messages in the directory.
        octets: u64,
        /// Octets that the cache is certain to keep.
        room: u64,
    },
}

/// The result for one message. The body is `None` with [`Depth::Headers`].
type Outcome = (MessageId, Result<Option<Arc<Body>>, Fault>);

impl Maildrop {
    /// Fetches what is missing, and blocks until it is done. Reports the progress to `going`
    /// several times a second, and stops if `going` breaks.
    ///
    /// # Errors
    /// [`FetchError`] if the fetch does not start. Later faults are in [`Fetched`].
    pub fn fetch(
        &self,
        depth: Depth,
        going: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Fetched, FetchError> {
        if depth == Depth::Body {
            self.check_room()?;
        }
        let (missing, progress) = self.shared.missing(depth);
        Ok(self.fetch_all(missing, progress, depth, Pace::Full, going))
    }

    /// Fetches the bodies that are missing, newest first, as many as the cache has room for.
    /// Readers go first, and pauses leave the link usable. Blocks until that is done.
    ///
    /// # Errors
    /// [`FetchError::NoCache`]. Later faults are in [`Fetched`].
    pub fn mirror(
        &self,
        going: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Fetched, FetchError> {
        let room = self.shared.disk.room().ok_or(FetchError::NoCache)?;
        let (missing, progress) = self.shared.missing_newest_first(room);
        Ok(self.fetch_all(missing, progress, Depth::Body, Pace::Considerate, going))
    }

    /// The octets of bodies that the cache on disk is certain to keep. `None` without such a cache.
    #[must_use]
    pub fn cache_room(&self) -> Option<u64> {
        self.shared.disk.room()
    }

    fn fetch_all(
        &self,
        missing: VecDeque<(MessageId, u64)>,
        progress: Progress,
        depth: Depth,
        pace: Pace,
        going: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Fetched {
        let (tell, told) = mpsc::channel();
        let mut fetch = Fetch {
            maildrop: self,
            depth,
            pace,
            begun: Instant::now(),
            missing,
            in_flight: Vec::new(),
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
        if depth == Depth::Body && pace == Pace::Full && fetched.stopped.is_none() {
            self.shared.disk.flush();
            let left = self.shared.missing(depth).0.len() as u64;
            fetched.unkept = left.saturating_sub(fetched.failed.len() as u64);
        }
        fetched
    }

    fn check_room(&self) -> Result<(), FetchError> {
        let room = self.shared.disk.room().ok_or(FetchError::NoCache)?;
        let octets = self.totals().octets;
        match octets > room {
            true => Err(FetchError::TooSmall { octets, room }),
            false => Ok(()),
        }
    }

    /// Whether the end of the mount has begun.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.engine.lock().is_none()
    }
}

/// A running fetch.
struct Fetch<'a> {
    maildrop: &'a Maildrop,
    depth: Depth,
    pace: Pace,
    /// When the messages in flight were wanted.
    begun: Instant,
    /// Not wanted yet, with the octets expected.
    missing: VecDeque<(MessageId, u64)>,
    /// Wanted and not answered yet, with the octets expected.
    in_flight: Vec<(MessageId, u64)>,
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
            // A mirror leaves off as soon as there is new mail.
            if Instant::now() >= next_tick || self.pace == Pace::Considerate {
                next_tick = Instant::now() + TICK;
                if going(self.progress).is_break() {
                    return;
                }
            }
            if self.in_flight.is_empty() || self.fetched.stopped.is_some() {
                let _ends_in_any_case = going(self.progress);
                return;
            }
            // The engine pauses while the disk is behind. `fill_window` wakes it, so that it looks
            // again.
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

    /// Wants more messages, up to the limits.
    fn fill_window(&mut self) {
        let (most_octets, most_messages) = match self.pace {
            Pace::Full => (FETCH_OCTETS, FETCH_MESSAGES),
            Pace::Considerate if !self.in_flight.is_empty() => return,
            Pace::Considerate => (MIRROR_OCTETS, MIRROR_MESSAGES),
        };
        if self.pace == Pace::Considerate && !self.missing.is_empty() {
            self.pause();
        }
        let shared = &self.maildrop.shared;
        let mut octets: u64 = self.in_flight.iter().map(|(_, octets)| octets).sum();
        while octets < most_octets
            && self.in_flight.len() < most_messages
            && let Some((id, expected)) = self.missing.pop_front()
        {
            octets += expected;
            self.in_flight.push((id, expected));
            let mut state = shared.state.lock();
            match self.depth {
                Depth::Body => state.wants.plan_body(id, self.waiter(id, Some)),
                Depth::Headers => state.wants.plan_headers(id, self.waiter(id, |()| None)),
            }
        }
        shared.wake_up.ring();
    }

    /// Leaves the link to others for a while, and until no reader waits. An old listing is renewed
    /// meanwhile.
    fn pause(&mut self) {
        self.maildrop.renew_listing();
        thread::sleep(self.begun.elapsed().min(LONGEST_PAUSE));
        while self.maildrop.is_somebody_waiting() && !self.maildrop.has_ended() {
            thread::sleep(READERS_LOOK);
        }
        self.begun = Instant::now();
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
                let _fetch_has_stopped = tell.send((id, result.map(body)));
            },
        )
    }

    /// Takes in the result for one message.
    fn settle(&mut self, (id, result): Outcome) {
        let Some(at) = self.in_flight.iter().position(|&(wanted, _)| wanted == id) else {
            return;
        };
        let (_, octets) = self.in_flight.swap_remove(at);
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
    /// The messages in the directory that are not cached to this depth, with the octets expected of
    /// each; and the progress so far.
    fn missing(&self, depth: Depth) -> (VecDeque<(MessageId, u64)>, Progress) {
        let state = self.state.lock();
        let listed = state.catalogue.after(0, Standing::Listed);
        let listed: Vec<MessageId> = listed.map(|(id, _)| id).collect();
        drop(state);
        let mut progress = Progress::default();
        let mut missing = VecDeque::new();
        for ids in listed.chunks(SCAN_BATCH) {
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

    /// The messages in the directory whose bodies are not cached, newest first. Those for which the
    /// cache has no room do not count.
    fn missing_newest_first(&self, room: u64) -> (VecDeque<(MessageId, u64)>, Progress) {
        let newest_first = self.state.lock().catalogue.newest_first();
        let (mut progress, mut missing) = (Progress::default(), VecDeque::new());
        for ids in newest_first.chunks(SCAN_BATCH) {
            let state = self.state.lock();
            for &id in ids {
                let message = state.catalogue.get(id);
                let octets = message.expected_octets();
                if message.standing != Standing::Listed || progress.total_octets + octets > room {
                    continue;
                }
                let is_known = message.exact_size().is_some();
                progress.total_messages += 1;
                progress.total_octets += octets;
                if is_known && self.disk.contains(&message.body_key()) {
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

    /// Writes a body to the disk cache if it is not there. It may be in memory only, if the disk
    /// was behind when it came.
    fn keep_on_disk(&self, id: MessageId, body: &Arc<Body>) {
        let key = self.state.lock().catalogue.get(id).body_key();
        if !self.disk.contains(&key) {
            self.disk.keep(key, body);
        }
    }
}

/// Whether the fault concerns only this message, so that others may still be fetched.
fn concerns_one_message(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Departed
            | Fault::TooLarge
            | Fault::EmptyBody
            | Fault::Unconfirmed
            | Fault::OfAnother
            | Fault::Refused { .. }
    )
}
