//! Orders: the engine's tasks other than fetching.

use crate::maildrop::deletion::limit::Consent;
use crate::maildrop::deletion::verdict::{Farewell, Verdict};
use crate::maildrop::fault::Fault;
use crate::maildrop::shared::waiter::Waiter;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The engine's tasks other than fetching.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// Waiters for a new listing.
    pub(crate) refresh: Vec<Waiter<()>>,
    pub(crate) commit: Option<CommitOrder>,
    pub(crate) ending: Option<Ending>,
    /// Since when a commit or the end of the mount waits for the transfers in flight.
    pub(crate) waiting_since: Option<Instant>,
}

impl Orders {
    pub(crate) fn is_empty(&self) -> bool {
        self.refresh.is_empty() && self.commit.is_none() && self.ending.is_none()
    }

    /// Notes that a commit or the end of the mount is waiting from now on.
    pub(crate) fn note_waiting(&mut self) {
        self.waiting_since.get_or_insert_with(Instant::now);
    }

    /// When the engine gives up the transfers in flight. A commit or the end of the mount waits for
    /// them for one timeout.
    pub(crate) fn give_up_fetching(&self, timeout: Duration) -> Option<Instant> {
        self.waiting_since.map(|since| since + timeout)
    }
}

/// A commit that the engine has not begun yet. Several callers may wait for the same one.
#[derive(Debug, Default)]
pub(crate) struct CommitOrder {
    /// The strongest consent that any of the callers gave.
    pub(crate) consent: Consent,
    pub(crate) waiters: Vec<Waiter<Verdict>>,
}

impl CommitOrder {
    /// Adds a caller.
    pub(crate) fn join(&mut self, consent: Consent, waiter: Waiter<Verdict>) {
        self.consent = self.consent.max(consent);
        self.waiters.push(waiter);
    }
}

/// The last order: end the mount.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) farewell: Farewell,
    /// Gets the verdict, and is dropped when the engine has ended.
    pub(crate) tell: mpsc::Sender<Result<Verdict, Fault>>,
}
