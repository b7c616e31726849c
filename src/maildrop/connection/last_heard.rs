//! When the server last said anything.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;
/// When the server last said anything, for those who wait to know whether waiting makes sense.
#[derive(Clone, Debug)]
pub(crate) struct LastHeard {
    begin: Instant,
    milliseconds: Arc<AtomicU64>,
}

impl LastHeard {
    pub(crate) fn new() -> LastHeard {
        LastHeard {
            begin: Instant::now(),
            milliseconds: Arc::default(),
        }
    }

    pub(crate) fn note(&self) {
        let since = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.milliseconds.store(since, Ordering::Relaxed);
    }

    pub(crate) fn last(&self) -> Instant {
        self.begin + Duration::from_millis(self.milliseconds.load(Ordering::Relaxed))
    }
}
