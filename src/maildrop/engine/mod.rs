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

pub(crate) mod backoff;
pub(crate) mod commit;
pub(crate) mod confirm;
pub(crate) mod reconcile;
pub(crate) mod transfer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::maildrop::connection::quirks::Quirks;
use crate::maildrop::deletion::verdict::{Farewell, Verdict};
use crate::maildrop::engine::backoff::HoldOff;
use crate::maildrop::engine::transfer::{Flight, Relisting};
use crate::maildrop::fault::Fault;
use crate::maildrop::session::scan::Listing;
use crate::maildrop::session::terms::Connection;
use crate::maildrop::session::{Harvest, Occasion, Session};
use crate::maildrop::shared::Shared;
use crate::maildrop::shared::orders::{Commit, Ending};
use crate::maildrop::shared::waiter::{Waiter, answer_all};
use crate::maildrop::shared::wants::{Urgency, Want};
use crate::net::wait;
use crate::pop3::{Command, ServerText};

/// After so many sessions in a row that gave nothing, those of two readers in vain, the next log-in has to wait.
const MOST_BARREN_SESSIONS: u8 = 6;
/// How often the disk is looked at whose writer is behind, where only what somebody may need later is left to fetch: nobody
/// rings when it has caught up.
const DISK_LOOKS: Duration = Duration::from_millis(20);

pub(crate) struct Engine {
    pub(crate) shared: Arc<Shared>,
    pub(crate) session: Option<Session>,
    pub(crate) flight: Flight,
    pub(crate) quirks: Quirks,
    pub(crate) hold_off: HoldOff,
    /// Why the next session is opened.
    occasion: Occasion,
    /// Sessions in a row that broke down before they gave anything.
    barren: u8,
}

/// What to do next.
enum Task {
    End(Ending),
    Commit(Commit),
    Refresh(Vec<Waiter<()>>),
    Fetch,
    Rest,
}

impl Engine {
    pub(crate) fn new(shared: Arc<Shared>, quirks: Quirks) -> Engine {
        Engine {
            shared,
            session: None,
            flight: Flight::default(),
            quirks,
            hold_off: HoldOff::default(),
            occasion: Occasion::Demand,
            barren: 0,
        }
    }

    pub(crate) fn run(mut self) {
        loop {
            match self.next_task() {
                Task::End(ending) => return self.end(&ending),
                Task::Commit(Commit { consent, waiters }) => {
                    let verdict = self.commit(consent);
                    answer_all(waiters, &verdict);
                }
                Task::Refresh(waiters) => {
                    let renewed = self.refresh();
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
        if let Some(commit) = state.orders.commit.take() {
            return Task::Commit(commit);
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
        let mut state = self.shared.state.lock();
        let refresh = std::mem::take(&mut state.orders.refresh);
        let Commit { consent, waiters } = state.orders.commit.take().unwrap_or_default();
        drop(state);
        answer_all(refresh, &Err(Fault::Ending));
        let (verdict, told) = match ending.farewell {
            Farewell::Commit(last) => {
                let verdict = self.commit(consent.max(last));
                (verdict.clone(), verdict)
            }
            Farewell::Discard => (Ok(Verdict::default()), Err(Fault::Ending)),
        };
        answer_all(waiters, &told);
        self.leave();
        let _nobody_listens = ending.tell.send(verdict);
    }

    /// Lists anew in a new session. Where the server allows none yet, the listing stays as it is; so it does where it was
    /// renewed since it was asked for.
    fn refresh(&mut self) -> Result<(), Fault> {
        let now = Instant::now();
        let mut state = self.shared.state.lock();
        if self.hold_off.earliest(now).is_some()
            || state.listed_at.elapsed() < self.shared.settings.refresh
        {
            return Ok(());
        }
        state.renewing = Some(now);
        drop(state);
        self.leave();
        let renewed = self.reopen_session();
        self.shared.state.lock().renewing = None;
        renewed
    }

    /// Waits for a ring; closes the session when it was idle for too long, or when the server ends it.
    fn rest(&mut self) {
        if !self.shared.state.lock().wants.is_empty(Urgency::Ahead) {
            return self.sleep(Some(Instant::now() + DISK_LOOKS));
        }
        let used = self.session.as_ref().map(|session| session.link.heard());
        let until = used.map(|used| self.idle_until(used));
        let shared = Arc::clone(&self.shared);
        let (Some(session), Some(until)) = (&mut self.session, until) else {
            return self.sleep(None);
        };
        match session.link.exchange(Some(&shared.wake_up), Some(until)) {
            Ok(ready) if ready.readable => {
                if let Err(fault) = session.link.next_event() {
                    log::debug!("the idle session ended: {fault}");
                }
                self.drop_session();
            }
            Ok(ready) if ready.woken => {}
            Ok(_) if Instant::now() < until => {}
            Ok(_) => self.end_idleness(),
            Err(fault) => {
                log::debug!("the idle session ended: {fault}");
                self.drop_session();
            }
        }
    }

    /// When a session that was last used then is closed, or the server hears from us: a ring may be about what needs no
    /// server. A session that could not be opened again is kept.
    fn idle_until(&self, used: Instant) -> Instant {
        let settings = &self.shared.settings;
        match settings.keepalive {
            Some(keepalive) => used + keepalive,
            None => {
                let idle = used + settings.idle_timeout;
                self.hold_off
                    .earliest(Instant::now())
                    .map_or(idle, |earliest| earliest.max(idle))
            }
        }
    }

    fn end_idleness(&mut self) {
        if self.shared.settings.keepalive.is_none() {
            log::debug!("closing the idle session");
            return self.leave();
        }
        let Some(session) = &mut self.session else {
            return;
        };
        // Whatever the answer says, the server has heard us.
        if let Err(fault) = session.link.status(&Command::Noop, |_| ()) {
            log::debug!("the idle session ended: {fault}");
            self.drop_session();
        }
    }

    /// Waits for a ring, without a session.
    fn sleep(&self, until: Option<Instant>) {
        if let Err(error) = wait(None, Some(&self.shared.wake_up), until) {
            log::error!("{error}");
        }
    }

    /// Ends the session as the server likes it. Nothing is marked for deletion.
    pub(crate) fn leave(&mut self) {
        if let Some(session) = self.session.take() {
            session.leave();
            self.shared.state.lock().connection = Connection::Closed;
        }
    }

    pub(crate) fn drop_session(&mut self) {
        self.session = None;
        self.shared.state.lock().connection = Connection::Closed;
    }

    /// A session that has listed the maildrop; at once where there is one.
    pub(crate) fn ensure_session(&mut self) -> Result<(), Fault> {
        if self.session.is_some() {
            return Ok(());
        }
        self.reopen_session()
    }

    /// As [`Engine::open_session`], whose fault the log has to tell where nobody sees it. Soon after a failure, the same
    /// failure without another attempt.
    fn reopen_session(&mut self) -> Result<(), Fault> {
        if let Some(fault) = self.hold_off.standing(Instant::now()) {
            return Err(fault.clone());
        }
        self.try_session()
    }

    fn try_session(&mut self) -> Result<(), Fault> {
        self.open_session().inspect_err(|fault| {
            log::warn!(
                "{}: {fault}; {}",
                self.shared.settings.login.route.endpoint(),
                next_attempt(self.hold_off.until())
            );
        })
    }

    /// Logs in, lists, and tells what changed.
    pub(crate) fn open_session(&mut self) -> Result<(), Fault> {
        let opened = Session::open(&self.shared, &mut self.quirks);
        if let Some(seconds) = self.quirks.login_delay {
            self.hold_off.note_delay(seconds);
        }
        match opened {
            Ok((session, listing)) => {
                self.hold_off.note_login(Instant::now());
                if self.barren < MOST_BARREN_SESSIONS {
                    self.hold_off.succeed();
                }
                self.take_listing(session, listing);
                Ok(())
            }
            Err(fault) => {
                self.hold_off.fail(&fault, Instant::now(), fastrand::f64());
                let mut state = self.shared.state.lock();
                state.history.note_fault(&fault);
                state.connection = Connection::Failed(fault.clone());
                drop(state);
                Err(fault)
            }
        }
    }

    fn take_listing(&mut self, mut session: Session, listing: Listing) {
        let coverage = listing.coverage();
        let mut state = self.shared.state.lock();
        let (messages, changes) = state.catalogue.update(listing.entries, coverage);
        for (&message, arrived) in messages.iter().zip(listing.arrivals) {
            if let Some(arrived) = arrived {
                state.catalogue.learn_arrival(message, arrived);
            }
        }
        session.number(&messages, &listing.numbers);
        let terms = session.terms();
        let readable = terms.to_string();
        state.connection = Connection::Open(terms);
        state.listed_at = Instant::now();
        drop(state);
        log::info!(
            "logged in to {} {readable}: {} messages",
            self.shared.settings.login.route.endpoint(),
            messages.len()
        );
        session.occasion = std::mem::take(&mut self.occasion);
        self.session = Some(session);
        self.shared.take_changes(&changes);
    }

    /// Sleeps until another log-in may be tried; false where that is later than `give_up`.
    pub(crate) fn wait_out(&self, give_up: Instant) -> bool {
        match self.hold_off.until() {
            Some(until) if until <= give_up => {
                std::thread::sleep(until.saturating_duration_since(Instant::now()));
                true
            }
            Some(_) | None => false,
        }
    }

    /// A session for a commit: a user waits for it, so it is tried whatever has failed before, unless that was final. For the
    /// sake of LOGIN-DELAY the user waits a little, too.
    pub(crate) fn ensure_session_for_commit(&mut self) -> Result<(), Fault> {
        if self.session.is_some() {
            return Ok(());
        }
        if let Some(fault) = self.hold_off.finally() {
            return Err(fault.clone());
        }
        let now = Instant::now();
        if let Some(earliest) = self.hold_off.earliest(now) {
            std::thread::sleep((earliest - now).min(self.shared.settings.login.timeout));
        }
        self.try_session()
    }

    /// A session broke down. One that gave nothing is as good as none: after a few in a row the next log-in has to wait.
    pub(crate) fn count_session(&mut self, harvest: Harvest, fault: &Fault) {
        self.barren = match harvest {
            Harvest::Something => 0,
            Harvest::Nothing => self.barren.saturating_add(1),
        };
        if self.barren >= MOST_BARREN_SESSIONS {
            self.hold_off.fail(fault, Instant::now(), fastrand::f64());
        }
    }

    fn fetch(&mut self) {
        // What the cache has needs no session.
        let Some(first) = self.shared.next_want() else {
            return;
        };
        if self.session.is_none()
            && let Some(earliest) = self.hold_off.earliest(Instant::now())
        {
            return self.wait_for_login_delay(first.0, earliest);
        }
        self.flight.put_next(first);
        if let Err(fault) = self.ensure_session() {
            return self.fail_all(&fault);
        }
        match self.transfer() {
            Ok(Relisting::Needed) => {
                self.leave();
                self.occasion = Occasion::Refusal;
            }
            Ok(Relisting::NotNeeded) => {}
            Err(fault) => self.lose(&fault),
        }
    }

    /// Keeps those waiting who may wait so long, and tells the others.
    fn wait_for_login_delay(&mut self, first: Want, earliest: Instant) {
        let wait = earliest.saturating_duration_since(Instant::now());
        self.shared.state.lock().wants.put_back(first);
        if wait < self.shared.settings.login.timeout {
            return self.sleep(Some(earliest));
        }
        let text = format!("LOGIN-DELAY, {} s more", wait.as_secs());
        self.fail_all(&Fault::TooSoon(ServerText::from(text.as_bytes())));
    }

    fn fail_all(&mut self, fault: &Fault) {
        self.flight.take_next();
        let wants = self.shared.state.lock().wants.all();
        for want in wants {
            self.shared.fail(want, fault);
        }
    }
}

/// For the log.
fn next_attempt(until: Option<Instant>) -> String {
    match until {
        Some(until) => {
            let wait = until.saturating_duration_since(Instant::now());
            format!("not tried again for {:.0} s", wait.as_secs_f64().ceil())
        }
        None => "not tried again before the next mount".to_owned(),
    }
}
