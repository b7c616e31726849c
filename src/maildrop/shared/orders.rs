//! What the engine is asked to do besides fetching.

use crate::maildrop::deletion::limit::Consent;
use crate::maildrop::deletion::verdict::{Farewell, Verdict};
use crate::maildrop::fault::Fault;
use crate::maildrop::shared::waiter::Waiter;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What the engine is asked to do besides fetching.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    pub(crate) refresh: Vec<Waiter<()>>,
    pub(crate) commit: Option<CommitOrder>,
    pub(crate) ending: Option<Ending>,
    /// Since when a commit or the end waits for what is in flight.
    pub(crate) waiting_since: Option<Instant>,
}

impl Orders {
    pub(crate) fn is_empty(&self) -> bool {
        self.refresh.is_empty() && self.commit.is_none() && self.ending.is_none()
    }

    /// Notes that a commit or the end is ordered now.
    pub(crate) fn note_waiting(&mut self) {
        self.waiting_since.get_or_insert_with(Instant::now);
    }

    /// Until when a transfer may go on. A commit or the end waits one time-out for what is in flight.
    pub(crate) fn give_up_fetching(&self, timeout: Duration) -> Option<Instant> {
        self.waiting_since.map(|since| since + timeout)
    }
}

/// A commit that is asked for, by all those who wait for its verdict.
#[derive(Debug, Default)]
pub(crate) struct CommitOrder {
    /// The most that any of them gave.
    pub(crate) consent: Consent,
    pub(crate) waiters: Vec<Waiter<Verdict>>,
}

impl CommitOrder {
    pub(crate) fn join(&mut self, consent: Consent, waiter: Waiter<Verdict>) {
        self.consent = self.consent.max(consent);
        self.waiters.push(waiter);
    }
}

/// The last order.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) farewell: Farewell,
    pub(crate) tell: mpsc::Sender<Result<Verdict, Fault>>,
}
