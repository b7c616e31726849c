//! The time at which the server last sent something.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// The time at which the server last sent something. The engine notes it. A waiting handler reads
/// it to decide whether to wait longer.
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

    /// Notes that the server has sent something now.
    pub(crate) fn note(&self) {
        let since = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.milliseconds.store(since, Ordering::Relaxed);
    }

    /// When the server last sent something; if it never did, when this was made.
    pub(crate) fn last(&self) -> Instant {
        self.begin + Duration::from_millis(self.milliseconds.load(Ordering::Relaxed))
    }
}
