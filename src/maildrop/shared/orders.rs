//! What the engine is asked to do besides fetching.

use crate::maildrop::deletion::limit::Consent;
use crate::maildrop::deletion::verdict::{Farewell, Verdict};
use crate::maildrop::fault::Fault;
use crate::maildrop::shared::waiter::Waiter;
use std::sync::mpsc;

/// What the engine is asked to do besides fetching.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    pub(crate) refresh: Vec<Waiter<()>>,
    pub(crate) commit: Option<Commit>,
    pub(crate) ending: Option<Ending>,
}

impl Orders {
    pub(crate) fn is_empty(&self) -> bool {
        self.refresh.is_empty() && self.commit.is_none() && self.ending.is_none()
    }
}

/// A commit that is asked for, by all those who wait for its verdict.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    /// The most that any of them gave.
    pub(crate) consent: Consent,
    pub(crate) waiters: Vec<Waiter<Verdict>>,
}

impl Commit {
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
