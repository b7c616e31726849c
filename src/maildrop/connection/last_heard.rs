//! The time since which readers wait for the server.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// The time at which the server last sent something, or the engine gave up a silent session and
/// turned to the next one. The engine notes it. A waiting handler reads it to decide whether to wait
/// longer.
#[derive(Clone, Debug)]
pub(crate) struct LastHeard {
    begin: Instant,
    milliseconds: Arc<AtomicU64>,
}

impl LastHeard {
    pub(crate) fn new() -> Self {
        Self {
            begin: Instant::now(),
            milliseconds: Arc::default(),
        }
    }

    /// Notes that the server has sent something now, or is asked again in a new session.
    pub(crate) fn note(&self) {
        let since = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.milliseconds.store(since, Ordering::Relaxed);
    }

    /// When the server last sent something; if it never did, when this was made.
    pub(crate) fn last(&self) -> Instant {
        self.begin + Duration::from_millis(self.milliseconds.load(Ordering::Relaxed))
    }
}
