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
//! How a transfer fills its window, and what becomes of wants whose session breaks down, is told in transfer.rs; how what
//! came reaches those who wait, in delivery.rs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fault::Fault;
use super::session::Session;
use super::state::{Connection, Ending};
use super::transfer::{Flight, Renewal};
use super::want::{Waiter, answer_all};
use super::{Farewell, Shared, Verdict};
use crate::net::wait;

/// After a failure to log in nothing is tried for so long; doubled with each failure in a row.
const HOLD_OFF: Duration = Duration::from_secs(1);
/// The longest hold-off.
const LONGEST_HOLD_OFF: Duration = Duration::from_secs(60);

pub(super) struct Engine {
    pub(super) shared: Arc<Shared>,
    pub(super) session: Option<Session>,
    pub(super) flight: Flight,
    failed: Option<Failure>,
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

impl Engine {
    pub(super) fn new(shared: Arc<Shared>) -> Engine {
        Engine {
            shared,
            session: None,
            flight: Flight::default(),
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
                    let renewed = self.reopen_session();
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
        self.reopen_session()
    }

    /// As [`Engine::open_session`], whose fault the log has to tell where nobody sees it.
    fn reopen_session(&mut self) -> Result<(), Fault> {
        let is_held_off = self.is_held_off();
        self.open_session().inspect_err(|fault| {
            if !is_held_off {
                log::warn!("{}: {fault}", self.shared.settings.login.endpoint);
            }
        })
    }

    fn is_held_off(&self) -> bool {
        self.failed
            .as_ref()
            .is_some_and(|failure| failure.until.is_none_or(|until| Instant::now() < until))
    }

    /// Logs in, lists, and tells what changed. Soon after a failure, the same failure without another attempt; a refused
    /// password is never tried again.
    pub(super) fn open_session(&mut self) -> Result<(), Fault> {
        if let (true, Some(failure)) = (self.is_held_off(), &self.failed) {
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
        let hold_off = self
            .failed
            .as_ref()
            .map_or(HOLD_OFF, |last| (last.hold_off * 2).min(LONGEST_HOLD_OFF));
        let until = (!fault.is_refusal()).then(|| Instant::now() + hold_off);
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
        // What the cache has needs no session.
        let Some(first) = self.shared.next_want() else {
            return;
        };
        self.flight.put_next(first);
        if let Err(fault) = self.ensure_session() {
            return self.fail_all(&fault);
        }
        match self.transfer() {
            Ok(Renewal::Needed) => self.leave(),
            Ok(Renewal::NotNeeded) => {}
            Err(fault) => self.lose(&fault),
        }
    }

    fn fail_all(&mut self, fault: &Fault) {
        self.flight.take_next();
        let wants = self.shared.state.lock().wants.all();
        for want in wants {
            self.shared.fail(want, fault);
        }
    }
}
