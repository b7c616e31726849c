//! The session with the server: opened when something needs it, kept for the next need, given up
//! when it fails.

use std::time::{Duration, Instant};

use crate::maildrop::connection::quirks::Quirks;
use crate::maildrop::engine::backoff::Backoff;
use crate::maildrop::fault::Fault;
use crate::maildrop::session::scan::Listing;
use crate::maildrop::session::terms::Connection;
use crate::maildrop::session::{OpenReason, Session};
use crate::maildrop::shared::Shared;
use crate::net::{BootTime, wait};
use crate::pop3::Command;

/// Back off after this many sessions in a row that fetched nothing. Two readers then have had their
/// three attempts.
const MOST_FRUITLESS: u8 = 6;

/// A server that gave nothing in this many sessions in a row hangs at whatever it is asked for, and
/// not at one message or two.
const MOST_HUNG: u8 = 3;

/// By how much the engine may be late to end an idle session on a busy machine.
const OVERSLEPT: Duration = Duration::from_secs(30);

/// The current session, and what decides when the next one may be opened.
#[derive(Debug)]
pub(super) struct Sessions {
    current: Option<Session>,
    pub(super) quirks: Quirks,
    backoff: Backoff,
    /// Why the next session is opened.
    next_reason: OpenReason,
    /// Sessions in a row that broke down before they fetched anything.
    fruitless: u8,
}

/// How an idle moment of the session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idle {
    /// A handler woke the engine, or it is too early to do anything.
    Goes,
    /// The session was unused for as long as it may be.
    TimedOut,
    /// The server ended the session.
    Over,
}

impl Sessions {
    /// `patience` is how long readers wait for the end of an outage.
    pub(super) fn new(quirks: Quirks, patience: Duration) -> Self {
        Self {
            current: None,
            quirks,
            backoff: Backoff::new(patience),
            next_reason: OpenReason::Demand,
            fruitless: 0,
        }
    }

    pub(super) fn current(&self) -> Option<&Session> {
        self.current.as_ref()
    }

    /// The session, and what is learnt of the server while it is used.
    pub(super) fn current_mut(&mut self) -> Option<(&mut Session, &mut Quirks)> {
        Some((self.current.as_mut()?, &mut self.quirks))
    }

    /// Gives the session away, for its last command.
    pub(super) fn take(&mut self) -> Option<Session> {
        self.current.take()
    }

    pub(super) fn is_open(&self) -> bool {
        self.current.is_some()
    }

    /// When the server allows the next login (LOGIN-DELAY), if that is later than now.
    pub(super) fn earliest_login(&self) -> Option<BootTime> {
        self.backoff.earliest(BootTime::now())
    }

    /// When the next login is tried after a failure, if readers are to wait for it.
    pub(super) fn next_attempt_for_readers(&self) -> Option<BootTime> {
        self.backoff.next_for_readers()
    }

    /// When the next login is due while the server is away. None after a refused login.
    pub(super) fn retry_at(&self) -> Option<BootTime> {
        let until = self.backoff.until()?;
        Some(self.earliest_login().map_or(until, |at| at.max(until)))
    }

    /// Whether no session is open, and the pause after the last failure is over.
    pub(super) fn is_retry_due(&self) -> bool {
        let due = self.retry_at();
        !self.is_open() && due.is_some_and(|due| due <= BootTime::now())
    }

    /// Notes why the next session is opened.
    pub(super) fn reopen_because(&mut self, reason: OpenReason) {
        self.next_reason = reason;
    }

    /// Ends the session as the server likes it. Nothing is marked for deletion.
    pub(super) fn leave(&mut self, shared: &Shared) {
        self.drop_if_ended(shared);
        if let Some(session) = self.current.take() {
            session.leave();
            shared.state.lock().connection = Connection::Closed;
        }
    }

    /// Closes the connection without QUIT: the server deletes nothing.
    pub(super) fn drop_current(&mut self, shared: &Shared) {
        self.current = None;
        shared.state.lock().connection = Connection::Closed;
    }

    /// Opens a session, unless one is open. Soon after a failure it gives the same failure without
    /// another attempt. No login goes out before the server allows it (LOGIN-DELAY).
    pub(super) fn ensure(&mut self, shared: &Shared) -> Result<(), Fault> {
        if let Some(earliest) = self.login_delayed_until(shared) {
            return Err(Fault::of_login_delay(earliest.left()));
        }
        if self.is_open() {
            return Ok(());
        }
        if let Some(fault) = self.backoff.standing(BootTime::now()) {
            return Err(fault.clone());
        }
        self.open_or_warn(shared)
    }

    /// When a session can be opened, if none is open and the server does not allow a login yet.
    pub(super) fn login_delayed_until(&mut self, shared: &Shared) -> Option<BootTime> {
        self.drop_if_ended(shared);
        match self.is_open() {
            true => None,
            false => self.earliest_login(),
        }
    }

    /// Drops a session that the server has ended meanwhile: a break there would tell nothing of the
    /// message that is asked for next.
    fn drop_if_ended(&mut self, shared: &Shared) {
        if self.is_overslept(shared) {
            log::debug!("the idle session is too old");
            self.drop_current(shared);
        }
        let Some(session) = &mut self.current else {
            return;
        };
        if session.link.owed() > 0 {
            return;
        }
        if let Err(fault) = session.link.refuse_what_is_unasked() {
            log::debug!("the idle session ended: {fault}");
            self.drop_current(shared);
        }
    }

    /// Whether the session was idle for far longer than the engine leaves one: the machine has
    /// slept, and the server has not waited. It would keep its next user waiting for a whole
    /// timeout.
    fn is_overslept(&self, shared: &Shared) -> bool {
        self.current.as_ref().is_some_and(|session| {
            let idle_until = self.idle_until(session.link.last_used(), shared);
            idle_until + OVERSLEPT <= BootTime::now()
        })
    }

    /// Opens a session for a commit, unless one is open. A user waits for it, so only a refused
    /// login stands in the way, or a LOGIN-DELAY that is longer than [`Shared::commit_patience`].
    pub(super) fn ensure_for_commit(&mut self, shared: &Shared) -> Result<(), Fault> {
        self.drop_if_ended(shared);
        if self.is_open() {
            return Ok(());
        }
        let now = BootTime::now();
        if let Some(fault) = self.backoff.refusal(now) {
            return Err(fault.clone());
        }
        if let Some(earliest) = self.backoff.earliest(now) {
            let wait = earliest - now;
            if wait > shared.commit_patience() {
                return Err(Fault::of_login_delay(wait));
            }
            std::thread::sleep(wait);
        }
        self.open_or_warn(shared)
    }

    /// Logs in, lists, and tells what changed.
    pub(super) fn open(&mut self, shared: &Shared) -> Result<(), Fault> {
        let opened = Session::open(&shared.settings, &shared.last_heard, &mut self.quirks);
        if let Some(seconds) = self.quirks.login_delay {
            self.backoff.note_delay(seconds);
        }
        let opened = self.note_outcome(opened, shared);
        shared.state.lock().login_allowed_at = self.earliest_login();
        opened
    }

    fn note_outcome(
        &mut self,
        opened: Result<(Session, Listing), Fault>,
        shared: &Shared,
    ) -> Result<(), Fault> {
        match opened {
            Ok((session, listing)) => {
                self.backoff.note_login(BootTime::now());
                if self.fruitless < MOST_FRUITLESS {
                    self.backoff.succeed();
                }
                self.begin(session, listing, shared);
                Ok(())
            }
            Err(fault) => {
                self.backoff.fail(&fault, BootTime::now(), fastrand::f64());
                let mut state = shared.state.lock();
                state.history.note_fault(&fault);
                state.connection = Connection::Failed {
                    fault: fault.clone(),
                    retry: self.backoff.until(),
                };
                drop(state);
                shared.note_absence(&fault);
                Err(fault)
            }
        }
    }

    /// Sleeps until another login may be tried; false where that is later than `give_up`.
    pub(super) fn wait_for_retry(&self, give_up: Instant) -> bool {
        match self.backoff.until() {
            Some(until) if until.to_instant() <= give_up => {
                std::thread::sleep(until.left());
                true
            }
            Some(_) | None => false,
        }
    }

    /// Notes that the session broke down. After a few in a row that fetched nothing the next login
    /// has to wait.
    pub(super) fn note_breakdown(&mut self, fault: &Fault) {
        let Some(session) = &self.current else { return };
        self.fruitless = match session.made_progress {
            true => 0,
            false => self.fruitless.saturating_add(1),
        };
        if self.fruitless >= MOST_FRUITLESS {
            self.backoff.fail(fault, BootTime::now(), fastrand::f64());
        }
    }

    /// Whether this many sessions in a row gave nothing that the next one is not expected to.
    pub(super) fn is_hopeless(&self) -> bool {
        self.fruitless >= MOST_HUNG
    }

    /// Waits until a handler wakes the engine. Closes the session when it was idle for too long, or
    /// the server ends it.
    pub(super) fn rest(&mut self, shared: &Shared) {
        let until = self.current.as_ref().map(|session| {
            let used = session.link.last_used();
            self.idle_until(used, shared)
        });
        let (Some(session), Some(until)) = (&mut self.current, until) else {
            return sleep(None, shared);
        };
        match idle(session, until, shared) {
            Idle::Goes => {}
            Idle::TimedOut => self.end_idleness(shared),
            Idle::Over => self.drop_current(shared),
        }
    }

    fn open_or_warn(&mut self, shared: &Shared) -> Result<(), Fault> {
        self.open(shared).inspect_err(|fault| {
            log::warn!(
                "{}: {fault}; {}",
                shared.settings.login.route.endpoint(),
                next_attempt(self.backoff.until())
            );
        })
    }

    fn begin(&mut self, mut session: Session, listing: Listing, shared: &Shared) {
        let terms = session.terms();
        log::info!(
            "logged in to {} {terms}: {} messages",
            shared.settings.login.route.endpoint(),
            listing.entries.len()
        );
        session.reason = std::mem::take(&mut self.next_reason);
        let numbers = shared.take_listing(listing, terms);
        session.set_numbers(numbers);
        self.current = Some(session);
    }

    /// When an unused session is closed, or the server hears from us (`keepalive`). A session that
    /// could not be opened again, for LOGIN-DELAY, is kept.
    fn idle_until(&self, used: BootTime, shared: &Shared) -> BootTime {
        if let Some(keepalive) = shared.settings.keepalive {
            return used + keepalive;
        }
        let idle = used + shared.settings.idle_timeout;
        self.earliest_login()
            .map_or(idle, |earliest| earliest.max(idle))
    }

    fn end_idleness(&mut self, shared: &Shared) {
        if shared.settings.keepalive.is_none() {
            log::debug!("closing the idle session");
            return self.leave(shared);
        }
        let Some(session) = &mut self.current else {
            return;
        };
        // Whatever the server answers, it has heard us.
        if let Err(fault) = session.link.status(&Command::Noop, |_| ()) {
            log::debug!("the idle session ended: {fault}");
            self.drop_current(shared);
        }
    }
}

/// Waits without a session until a handler wakes the engine.
pub(super) fn sleep(until: Option<BootTime>, shared: &Shared) {
    if let Err(error) = wait(None, Some(&shared.wake_up), until.map(BootTime::to_instant)) {
        log::error!("{error}");
    }
}

/// Listens to the idle connection: what the server says unasked ends the session.
fn idle(session: &mut Session, until: BootTime, shared: &Shared) -> Idle {
    let deadline = Some(until.to_instant());
    match session.link.exchange(Some(&shared.wake_up), deadline) {
        Ok(ready) if ready.readable => match session.link.next_event() {
            // An empty line, or a line whose end is still to come.
            Ok(None) => Idle::Goes,
            Ok(Some(_)) => Idle::Over,
            Err(fault) => {
                log::debug!("the idle session ended: {fault}");
                Idle::Over
            }
        },
        Ok(ready) if ready.woken => Idle::Goes,
        Ok(_) if BootTime::now() < until => Idle::Goes,
        Ok(_) => Idle::TimedOut,
        Err(fault) => {
            log::debug!("the idle session ended: {fault}");
            Idle::Over
        }
    }
}

/// For the log.
fn next_attempt(until: Option<BootTime>) -> String {
    let Some(until) = until else {
        return "not tried again before the next mount".to_owned();
    };
    let wait: Duration = until.left();
    format!("not tried again for {:.0} s", wait.as_secs_f64().ceil())
}
