//! The thread that talks to the server.
//!
//! # Theory of operation
//!
//! ```text
//!           ┌──────────────── woken, or the idle time-out ──────────────┐
//!           ▼                                                           │
//!   an order? ── end ──▶ commit or discard, leave, done                 │
//!      │  ├──── commit ─▶ show again, DELE, QUIT, verdict (commit.rs) ──┤
//!      │  └──── refresh ▶ leave, log in, list ──────────────────────────┤
//!      ▼                                                                │
//!   wants? ──▶ session (log in, list) ──▶ transfer until none is left ──┤
//!      │                                     │ the link fails           │
//!      ▼                                     ▼                          │
//!    rest ──────────────────────────── drop the session, put back ──────┘
//! ```
//!
//! The engine is this loop. [`Sessions`] owns the session and decides when the next one is opened;
//! [`Transfer`] fetches; [`Commit`] deletes. What they receive goes to [`Shared`], which keeps it
//! and answers the waiters.

pub(crate) mod backoff;
mod broken;
mod commit;
mod confirm;
mod in_flight;
mod outcome;
mod quit;
mod reconcile;
mod sessions;
mod suspects;
mod transfer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::maildrop::connection::quirks::Quirks;
use crate::maildrop::deletion::limit::Consent;
use crate::maildrop::deletion::verdict::{Farewell, Verdict};
use crate::maildrop::fault::Fault;
use crate::maildrop::session::OpenReason;
use crate::maildrop::settings::LoginPatience;
use crate::maildrop::shared::Shared;
use crate::maildrop::shared::orders::{CommitOrder, Ending};
use crate::maildrop::shared::waiter::{Waiter, answer_all};
use crate::maildrop::shared::wants::{NextWant, Urgency};
use crate::net::BootTime;
use commit::Commit;
use outcome::{Relisting, TransferEnd};
use sessions::{Sessions, sleep};
use transfer::Transfer;

/// How often the engine looks whether the disk has caught up, while only read-ahead is left to
/// fetch: the disk's thread wakes nobody.
const DISK_LOOKS: Duration = Duration::from_millis(20);

/// The loop and the choice of the next task.
#[derive(Debug)]
pub(crate) struct Engine {
    shared: Arc<Shared>,
    sessions: Sessions,
    transfer: Transfer,
}

/// What to do next.
enum Task {
    End(Ending),
    Commit(CommitOrder),
    Refresh(Vec<Waiter<()>>),
    /// Look whether the server is there again.
    Reconnect,
    Fetch,
    Rest,
}

impl Engine {
    pub(crate) fn new(shared: Arc<Shared>, quirks: Quirks) -> Self {
        let sessions = Sessions::new(quirks, shared.timeout());
        Self {
            shared,
            sessions,
            transfer: Transfer::default(),
        }
    }

    /// Opens the first session. If the server demands a pause after an earlier login, this waits
    /// for it where the caller lets it, or says how long it is.
    pub(crate) fn open_session(&mut self) -> Result<(), Fault> {
        let fault = match self.sessions.open(&self.shared) {
            Err(fault @ Fault::TooSoon(_)) => fault,
            opened => return opened,
        };
        let Some(earliest) = self.sessions.earliest_login() else {
            return Err(fault);
        };
        let wait = earliest.left();
        match (self.shared.settings.at_login_delay)(wait) {
            LoginPatience::Fail => Err(Fault::of_login_delay(wait)),
            LoginPatience::Wait => {
                std::thread::sleep(wait);
                self.sessions.open(&self.shared)
            }
        }
    }

    /// Works until the order to end.
    pub(crate) fn run(mut self) {
        loop {
            match self.next_task() {
                Task::End(ending) => return self.end(&ending),
                Task::Commit(CommitOrder { consent, waiters }) => {
                    let verdict = self.commit(consent);
                    answer_all(waiters, &verdict);
                }
                Task::Refresh(waiters) => {
                    let renewed = self.refresh();
                    answer_all(waiters, &renewed);
                }
                Task::Reconnect => self.reconnect(),
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
        state.orders.waiting_since = None;
        if let Some(commit) = state.orders.commit.take() {
            return Task::Commit(commit);
        }
        if !state.orders.refresh.is_empty() {
            return Task::Refresh(std::mem::take(&mut state.orders.refresh));
        }
        match state.wants.is_empty(self.shared.least_urgency()) {
            true if state.is_offline() && self.sessions.is_retry_due() => Task::Reconnect,
            true => Task::Rest,
            false => Task::Fetch,
        }
    }

    /// Tries to log in while the server is away, although nobody waits for it: the directory then
    /// shows new mail to whoever looks next.
    fn reconnect(&mut self) {
        // A failure is in the log, and the next attempt comes after a longer pause.
        let _is_away = self.sessions.ensure(&self.shared);
    }

    fn commit(&mut self, consent: Consent) -> Result<Verdict, Fault> {
        Commit::of_all_pending(&self.shared, consent).run(&mut self.sessions)
    }

    fn end(mut self, ending: &Ending) {
        self.fail_all(&Fault::Ending);
        let mut state = self.shared.state.lock();
        let refresh = std::mem::take(&mut state.orders.refresh);
        let CommitOrder { consent, waiters } = state.orders.commit.take().unwrap_or_default();
        drop(state);
        answer_all(refresh, &Err(Fault::Ending));
        let (verdict, told) = match ending.farewell {
            Farewell::Commit(last) => {
                let verdict = self.commit(consent.max(last));
                (verdict.clone(), verdict)
            }
            Farewell::Discard | Farewell::Abandon => (Ok(Verdict::default()), Err(Fault::Ending)),
        };
        answer_all(waiters, &told);
        let _nobody_listens = ending.tell.send(verdict);
        self.sessions.leave(&self.shared);
    }

    /// Lists again in a new session. The listing stays as it is where the server allows no login
    /// yet, or where it was renewed since somebody asked.
    fn refresh(&mut self) -> Result<(), Fault> {
        let mut state = self.shared.state.lock();
        if self.sessions.earliest_login().is_some()
            || state.listed_at.elapsed() < self.shared.settings.refresh
        {
            return Ok(());
        }
        state.renewing = Some(Instant::now());
        drop(state);
        self.sessions.leave(&self.shared);
        let renewed = self.sessions.ensure(&self.shared);
        self.shared.state.lock().renewing = None;
        renewed
    }

    fn rest(&mut self) {
        let is_offline = self.shared.state.lock().is_offline();
        if is_offline && !self.sessions.is_open() {
            return sleep(self.sessions.retry_at(), &self.shared);
        }
        if self.shared.state.lock().wants.is_empty(Urgency::Ahead) {
            return self.sessions.rest(&self.shared);
        }
        sleep(Some(BootTime::now() + DISK_LOOKS), &self.shared);
    }

    fn fetch(&mut self) {
        // What the cache has needs no session.
        let Some(first) = self.shared.next_want() else {
            return;
        };
        self.transfer.put_first(first);
        if let Some(earliest) = self.sessions.login_delayed_until(&self.shared) {
            return self.wait_for_login_delay(earliest);
        }
        if let Err(fault) = self.sessions.ensure(&self.shared) {
            return self.wait_or_fail(&fault);
        }
        match self.transfer.run(&mut self.sessions, &self.shared) {
            Ok(TransferEnd::Complete(Relisting::Needed)) => {
                self.sessions.leave(&self.shared);
                self.sessions.reopen_because(OpenReason::Refusal);
            }
            Ok(TransferEnd::Complete(Relisting::NotNeeded)) => {}
            Ok(TransferEnd::GaveWay) => self.transfer.give_way(&mut self.sessions, &self.shared),
            Err(fault) => self.transfer.lose(&fault, &mut self.sessions, &self.shared),
        }
    }

    /// No session could be opened. Readers wait for the next attempts while the outage is short.
    fn wait_or_fail(&mut self, fault: &Fault) {
        match self.sessions.next_attempt_for_readers() {
            Some(next) => self.keep_waiting(next),
            None => self.fail_all(fault),
        }
    }

    /// The server allows no login yet. Keeps those waiting who may wait so long, and fails the
    /// others.
    fn wait_for_login_delay(&mut self, earliest: BootTime) {
        let wait = earliest.left();
        if wait < self.shared.timeout() {
            return self.keep_waiting(earliest);
        }
        self.fail_all(&Fault::of_login_delay(wait));
    }

    /// Sleeps with all wants queued, except those that the cache has: they need no session.
    fn keep_waiting(&mut self, until: BootTime) {
        let mut queued: Vec<NextWant> = self.transfer.take_first().into_iter().collect();
        while let Some(next) = self.shared.next_want() {
            queued.push(next);
        }
        for next in queued.into_iter().rev() {
            self.shared.state.lock().wants.put_back(next.want);
        }
        sleep(Some(until), &self.shared);
    }

    fn fail_all(&mut self, fault: &Fault) {
        self.transfer.take_first();
        let wants = self.shared.state.lock().wants.all();
        for want in wants {
            self.shared.fail(want, fault);
        }
    }
}
