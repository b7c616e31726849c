//! The thread that owns the connection.
//!
//! # Theory of operation
//!
//! ```text
//!           ┌──────────────── ring, or the idle time-out ───────────────┐
//!           ▼                                                           │
//!   an order? ── end ──▶ commit or discard, leave, done                 │
//!      │  ├──── commit ─▶ DELE*, QUIT, verdict (commit.rs) ─────────────┤
//!      │  └──── refresh ▶ leave, log in, list ──────────────────────────┤
//!      ▼                                                                │
//!   wants? ──▶ session (log in, list) ──▶ transfer until none is left ──┤
//!      │                                     │ the link fails           │
//!      ▼                                     ▼                          │
//!    rest ──────────────────────────── drop the session, put back ──────┘
//! ```
//!
//! In a transfer the commands of the wants are written ahead as long as their count and the octets expected of them fit
//! the window, and the replies are matched to them in order. An order lets no new command out, so it waits for what is in
//! flight and for no more. A want that was in flight when the link broke goes to the front of the queue and is fetched by
//! the next session; the third loss is final, and so is a silence of a whole time-out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::catalogue::{Changes, MessageId, Standing};
use super::fault::Fault;
use super::session::{Session, Top};
use super::state::{Change, Connection, Ending, HEADER_OCTETS};
use super::want::{Urgency, Waiter, Want, answer_all};
use super::{Dating, Farewell, Pipeline, Shared, Verdict};
use crate::net::wait;
use crate::pop3::{Command, Event};
use crate::store::{Body, Incoming};

/// The octets that may be expected of commands in flight: small messages fly by the hundred, a large one flies alone.
/// A connection of 1 Gbit/s carries that much in 100 ms.
const WINDOW_OCTETS: u64 = 16 * 1024 * 1024;
/// The commands that may be in flight.
const WINDOW_COMMANDS: usize = 2048;
/// The octets that are looked at for a date.
const LONGEST_HEADERS: usize = 256 * 1024;
/// How often a want may be lost with its connection.
const MOST_LOSSES: u8 = 3;
/// After a failure to log in nothing is tried for so long; doubled with each failure in a row.
const HOLD_OFF: Duration = Duration::from_secs(1);
/// The longest hold-off.
const LONGEST_HOLD_OFF: Duration = Duration::from_secs(60);

pub(super) struct Engine {
    pub(super) shared: Arc<Shared>,
    pub(super) session: Option<Session>,
    flight: VecDeque<InFlight>,
    failed: Option<Failure>,
}

/// A want whose command is written, and what has come of its reply.
struct InFlight {
    want: Want,
    expected: u64,
    received: Incoming,
    /// The answer comes from RETR, though headers are wanted.
    whole: bool,
}

/// Failures to log in, in a row.
struct Failure {
    fault: Fault,
    until: Option<Instant>,
    hold_off: Duration,
}

/// What to do next.
enum Task {
    End(Ending),
    Commit(Vec<Waiter<Verdict>>),
    Refresh(Vec<Waiter<()>>),
    Fetch,
    Rest,
}

/// How a reply ended.
enum Outcome {
    Received,
    /// -ERR, in the server's words.
    Refused(crate::pop3::ServerText),
}

impl Engine {
    pub(super) fn new(shared: Arc<Shared>) -> Engine {
        Engine {
            shared,
            session: None,
            flight: VecDeque::new(),
            failed: None,
        }
    }

    pub(super) fn run(mut self) {
        loop {
            match self.next_task() {
                Task::End(ending) => return self.end(&ending),
                Task::Commit(waiters) => {
                    let verdict = self.commit();
                    answer_all(waiters, &verdict);
                }
                Task::Refresh(waiters) => {
                    self.leave();
                    let renewed = self.open_session();
                    answer_all(waiters, &renewed);
                }
                Task::Fetch => self.fetch(),
                Task::Rest => self.rest(),
            }
        }
    }

    fn next_task(&self) -> Task {
        let mut state = self.shared.state.lock();
        if let Some(ending) = state.orders.ending.take() {
            return Task::End(ending);
        }
        if !state.orders.commit.is_empty() {
            return Task::Commit(std::mem::take(&mut state.orders.commit));
        }
        if !state.orders.refresh.is_empty() {
            return Task::Refresh(std::mem::take(&mut state.orders.refresh));
        }
        if state.wants.is_empty(self.shared.least_urgency()) {
            Task::Rest
        } else {
            Task::Fetch
        }
    }

    fn end(mut self, ending: &Ending) {
        self.fail_all(&Fault::Ending);
        let verdict = match ending.farewell {
            Farewell::Commit => self.commit(),
            Farewell::Discard => Ok(Verdict::default()),
        };
        self.leave();
        let _nobody_listens = ending.tell.send(verdict);
    }

    /// Waits for a ring; closes the session when it was idle for too long, or when the server ends it.
    fn rest(&mut self) {
        let shared = Arc::clone(&self.shared);
        let Some(session) = &mut self.session else {
            if let Err(error) = wait(None, Some(&shared.wake_up), None) {
                log::error!("{error}");
            }
            return;
        };
        let until = Instant::now() + shared.settings.idle_timeout;
        match session.link.exchange(Some(&shared.wake_up), Some(until)) {
            Ok(ready) if ready.readable => {
                if let Err(fault) = session.link.next_event() {
                    log::debug!("the idle session ended: {fault}");
                }
                self.drop_session();
            }
            Ok(ready) if ready.woken => {}
            Ok(_) => self.leave_if_idle(until),
            Err(fault) => {
                log::debug!("the idle session ended: {fault}");
                self.drop_session();
            }
        }
    }

    fn leave_if_idle(&mut self, until: Instant) {
        if Instant::now() >= until {
            log::debug!("closing the idle session");
            self.leave();
        }
    }

    /// Ends the session as the server likes it. Nothing is marked for deletion.
    pub(super) fn leave(&mut self) {
        if let Some(session) = self.session.take() {
            session.leave();
        }
        self.shared.state.lock().connection = Connection::Closed;
    }

    pub(super) fn drop_session(&mut self) {
        self.session = None;
        self.shared.state.lock().connection = Connection::Closed;
    }

    /// A session that has listed the maildrop; at once where there is one.
    pub(super) fn ensure_session(&mut self) -> Result<(), Fault> {
        if self.session.is_some() {
            return Ok(());
        }
        self.open_session()
    }

    /// Logs in, lists, and tells what changed. Soon after a failure, the same failure without another attempt; a refused
    /// password is never tried again.
    pub(super) fn open_session(&mut self) -> Result<(), Fault> {
        if let Some(failure) = &self.failed
            && failure.until.is_none_or(|until| Instant::now() < until)
        {
            return Err(failure.fault.clone());
        }
        match Session::open(&self.shared.settings.login, &self.shared.pulse) {
            Ok((mut session, listing)) => {
                self.failed = None;
                let (entries, numbers) = listing.into_parts();
                let mut state = self.shared.state.lock();
                let (messages, changes) = state.catalogue.update(entries);
                session.number(&messages, &numbers);
                state.connection = Connection::Open(session.protection());
                state.listed_at = Instant::now();
                drop(state);
                log::info!(
                    "logged in to {}: {} messages",
                    self.shared.settings.login.endpoint,
                    messages.len()
                );
                self.session = Some(session);
                self.shared.take_changes(&changes);
                Ok(())
            }
            Err(fault) => {
                self.hold_off(&fault);
                self.shared.state.lock().connection = Connection::Failed(fault.clone());
                Err(fault)
            }
        }
    }

    fn hold_off(&mut self, fault: &Fault) {
        log::warn!("{}: {fault}", self.shared.settings.login.endpoint);
        let hold_off = self
            .failed
            .as_ref()
            .map_or(HOLD_OFF, |last| (last.hold_off * 2).min(LONGEST_HOLD_OFF));
        let is_final = matches!(fault, Fault::LoginRefused(_));
        let until = (!is_final).then(|| Instant::now() + hold_off);
        self.failed = Some(Failure {
            fault: fault.clone(),
            until,
            hold_off,
        });
    }

    /// Forgets the hold-off, where a user waits for a commit.
    pub(super) fn forgive(&mut self) {
        if self
            .failed
            .as_ref()
            .is_some_and(|failure| failure.until.is_some())
        {
            self.failed = None;
        }
    }

    fn fetch(&mut self) {
        if let Err(fault) = self.ensure_session() {
            return self.fail_all(&fault);
        }
        match self.transfer() {
            Ok(Renewal::Needed) => self.leave(),
            Ok(Renewal::NotNeeded) => {}
            Err(fault) => self.lose(&fault),
        }
    }

    /// Fetches until nothing is in flight and nothing is to be sent, or an order has waited for what was in flight.
    fn transfer(&mut self) -> Result<Renewal, Fault> {
        let mut renewal = Renewal::NotNeeded;
        loop {
            if renewal == Renewal::NotNeeded {
                self.fill_window()?;
            }
            if self.flight.is_empty() {
                return Ok(renewal);
            }
            let shared = Arc::clone(&self.shared);
            if let Some(session) = &mut self.session {
                session.link.exchange(Some(&shared.wake_up), None)?;
            }
            while let Some((flown, outcome)) = self.absorb()? {
                if self.settle(flown, outcome) == Renewal::Needed {
                    renewal = Renewal::Needed;
                }
            }
        }
    }

    fn fill_window(&mut self) -> Result<(), Fault> {
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        let most = match self.shared.settings.pipeline {
            _ if !session.capabilities.pipelining => 1,
            Pipeline::Auto => WINDOW_COMMANDS,
            Pipeline::Off => 1,
            Pipeline::Most(commands) => usize::from(commands).clamp(1, WINDOW_COMMANDS),
        };
        let mut expected: u64 = self.flight.iter().map(|flown| flown.expected).sum();
        while self.flight.len() < most && (expected < WINDOW_OCTETS || self.flight.is_empty()) {
            let Some((want, octets)) = self.shared.next_want() else {
                return Ok(());
            };
            let id = want.message();
            let Some(number) = session.number_of(id) else {
                self.shared.fail(want, &Fault::Departed);
                continue;
            };
            let whole = matches!(want, Want::Body(_)) || session.top == Top::Missing;
            if whole && octets > self.shared.settings.max_message {
                self.shared.fail(want, &Fault::TooLarge);
                continue;
            }
            let command = if whole {
                Command::Retr(number)
            } else {
                Command::Top {
                    message: number,
                    lines: 0,
                }
            };
            session.link.queue(&command)?;
            let octets = if whole { octets } else { HEADER_OCTETS };
            expected += octets;
            self.flight.push_back(InFlight {
                want,
                expected: octets,
                received: self.shared.disk.incoming(),
                whole,
            });
        }
        Ok(())
    }

    /// Takes what has come, up to the end of a reply; `None` where more must come first.
    fn absorb(&mut self) -> Result<Option<(InFlight, Outcome)>, Fault> {
        let Some(session) = &mut self.session else {
            return Ok(None);
        };
        while let Some(event) = session.link.next_event()? {
            let Some(current) = self.flight.front_mut() else {
                return Ok(None);
            };
            let outcome = match event {
                Event::Body(octets) => {
                    current.take(octets, self.shared.settings.max_message)?;
                    continue;
                }
                Event::End => Outcome::Received,
                Event::Done(status) => Outcome::Refused(status.server_text()),
                Event::Opened(_) | Event::Line(_) | Event::Challenge(_) => continue,
            };
            return Ok(self.flight.pop_front().map(|flown| (flown, outcome)));
        }
        Ok(None)
    }

    /// Gives what came to those who wait. A message that is refused once may have gone: a new session tells.
    fn settle(&mut self, flown: InFlight, outcome: Outcome) -> Renewal {
        let id = flown.want.message();
        match outcome {
            Outcome::Received if flown.whole => {
                if flown.received.is_empty() && flown.expected > 0 {
                    self.shared.fail(flown.want, &Fault::EmptyBody);
                } else {
                    self.shared.receive_body(flown.want, flown.received);
                }
            }
            Outcome::Received => {
                self.top_is(Top::Works);
                self.shared.receive_headers(id, flown.received);
            }
            Outcome::Refused(_) if !flown.whole => {
                self.top_is(Top::Missing);
                self.shared.state.lock().wants.put_back(flown.want);
            }
            Outcome::Refused(text) => {
                let refusals = self.shared.state.lock().wants.put_back(flown.want);
                if refusals <= 1 {
                    return Renewal::Needed;
                }
                self.shared.fail(
                    flown.want,
                    &Fault::Refused {
                        command: "RETR",
                        text,
                    },
                );
            }
        }
        Renewal::NotNeeded
    }

    fn top_is(&mut self, top: Top) {
        if let Some(session) = &mut self.session {
            session.top = top;
        }
    }

    /// The session broke down. What was in flight is fetched anew, or fails with the fault.
    fn lose(&mut self, fault: &Fault) {
        log::info!("lost the session: {fault}");
        self.drop_session();
        let is_final = fault.is_silence() || !fault.is_of_the_link();
        while let Some(flown) = self.flight.pop_back() {
            if is_final && (fault.is_silence() || self.flight.is_empty()) {
                self.shared.fail(flown.want, fault);
                continue;
            }
            let losses = self.shared.state.lock().wants.put_back(flown.want);
            if losses >= MOST_LOSSES {
                self.shared.fail(flown.want, fault);
            }
        }
    }

    fn fail_all(&self, fault: &Fault) {
        let wants = self.shared.state.lock().wants.all();
        for want in wants {
            self.shared.fail(want, fault);
        }
    }
}

/// Whether a new session must look at what is in the maildrop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Renewal {
    Needed,
    NotNeeded,
}

impl InFlight {
    fn take(&mut self, octets: &[u8], most: u64) -> Result<(), Fault> {
        if self.received.len() + octets.len() as u64 > most {
            return Err(Fault::TooLarge);
        }
        self.received.push(octets).map_err(Fault::no_room)
    }
}

impl Shared {
    /// A disk that is behind with writing is given no more than what somebody waits for.
    fn least_urgency(&self) -> Urgency {
        if self.disk.is_behind() {
            Urgency::Asked
        } else {
            Urgency::Ahead
        }
    }

    fn next_want(&self) -> Option<(Want, u64)> {
        loop {
            let mut state = self.state.lock();
            if !state.orders.is_empty() {
                return None;
            }
            let (want, urgency) = state.wants.next(self.least_urgency())?;
            let message = state.catalogue.get(want.message());
            let (octets, inode, key) =
                (message.expected_octets(), message.inode, message.body_key());
            let is_body = matches!(want, Want::Body(_));
            let is_in_memory = is_body && state.bodies.contains(inode);
            drop(state);
            let is_planned_in_vain =
                urgency == Urgency::Ahead && is_body && (is_in_memory || self.disk.contains(&key));
            if !is_planned_in_vain {
                return Some((want, octets));
            }
            // Whoever asked meanwhile is told to ask again by the queue.
            self.state.lock().wants.put_back(want);
        }
    }

    fn fail(&self, want: Want, fault: &Fault) {
        let mut state = self.state.lock();
        let name = state.catalogue.get(want.message()).name();
        let (readers, others) = match want {
            Want::Body(id) => (state.wants.take_body(id), Vec::new()),
            Want::Headers(id) => (Vec::new(), state.wants.take_arrival(id)),
        };
        drop(state);
        if !fault.is_of_the_link() {
            log::warn!("{name}: {fault}");
        }
        answer_all(readers, &Err(fault.clone()));
        answer_all(others, &Err(fault.clone()));
    }

    /// A complete body: its size is exact now, and its headers tell when it arrived.
    fn receive_body(&self, want: Want, received: Incoming) {
        match received.finish() {
            Ok(body) => self.deliver_body(want.message(), Arc::new(body)),
            Err(error) => self.fail(want, &Fault::no_room(error)),
        }
    }

    fn deliver_body(&self, id: MessageId, body: Arc<Body>) {
        let arrived = self.arrival(&body);
        let mut state = self.state.lock();
        let shown = state.catalogue.get(id).size();
        state.catalogue.learn_size(id, Some(body.len()));
        state.catalogue.learn_arrival(id, arrived);
        let message = state.catalogue.get(id);
        let (inode, key, row) = (message.inode, message.body_key(), message.row());
        let readers = state.wants.take_body(id);
        let others = state.wants.take_arrival(id);
        if readers.is_empty() {
            state.bodies.insert_ahead(inode, Arc::clone(&body));
        } else {
            state.bodies.insert(inode, Arc::clone(&body));
        }
        drop(state);
        self.index.learn(vec![row]);
        self.disk.keep(key, &body);
        if body.len() != shown {
            self.tell(Change::Size { inode });
        }
        answer_all(readers, &Ok(body));
        answer_all(others, &Ok(()));
    }

    fn receive_headers(&self, id: MessageId, received: Incoming) {
        let arrived = match received.finish() {
            Ok(headers) => self.arrival(&headers),
            Err(error) => return self.fail(Want::Headers(id), &Fault::no_room(error)),
        };
        let mut state = self.state.lock();
        state.catalogue.learn_arrival(id, arrived);
        let row = state.catalogue.get(id).row();
        let waiters = state.wants.take_arrival(id);
        drop(state);
        self.index.learn(vec![row]);
        answer_all(waiters, &Ok(()));
    }

    /// Unix seconds; now, where the headers do not tell.
    fn arrival(&self, message: &Body) -> i64 {
        let Dating::Headers(date) = &self.settings.dating else {
            return now();
        };
        match message.read_at(0, LONGEST_HEADERS) {
            Ok(headers) => date(&headers).unwrap_or_else(now),
            Err(_) => now(),
        }
    }

    /// Keeps what a listing taught, drops what it made void, and tells the kernel.
    pub(super) fn take_changes(&self, changes: &Changes) {
        let mut state = self.state.lock();
        if let Dating::FirstSeen = self.settings.dating {
            for &id in &changes.appeared {
                state.catalogue.learn_arrival(id, now());
            }
        }
        let learnt = changes.unknown.iter().chain(&changes.altered);
        let rows = learnt.map(|&id| state.catalogue.get(id).row()).collect();
        let mut told = Vec::new();
        for &id in &changes.altered {
            let message = state.catalogue.get(id);
            let (inode, key) = (message.inode, message.body_key());
            state.bodies.remove(inode);
            self.disk.forget(&key);
            told.push(Change::Content { inode });
        }
        for &id in &changes.reprieved {
            log::warn!(
                "{} is not deleted: it changed on the server since it was unlinked",
                state.catalogue.get(id).name()
            );
        }
        told.extend(changes.vanished.iter().map(|&id| Change::Gone {
            name: state.catalogue.get(id).name(),
        }));
        drop(state);
        self.index.learn(rows);
        if !(changes.appeared.is_empty()
            && changes.vanished.is_empty()
            && changes.reprieved.is_empty())
        {
            told.push(Change::Directory);
        }
        for change in told {
            self.tell(change);
        }
    }

    pub(super) fn tell(&self, change: Change) {
        if let Some(tell) = self.on_change.get() {
            tell(change);
        }
    }

    /// Moves messages to another standing after a commit.
    pub(super) fn stand(&self, messages: &[MessageId], standing: Standing) {
        let mut state = self.state.lock();
        let mut changed = false;
        for &id in messages {
            changed |= state.catalogue.stand(id, standing);
            state.committing.remove(&id);
        }
        drop(state);
        if changed {
            self.tell(Change::Directory);
        }
    }
}

fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
