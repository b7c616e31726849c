//! Whether programs read much now: the kernel's requests in quick succession.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Requests are in quick succession if each comes within this time of the one before.
const GAP: Duration = Duration::from_millis(10);
/// This many make a burst. A program that only looks whether something has changed sends fewer.
const BURST: u32 = 64;
/// A burst may go on for this long after its last request.
const LASTING: Duration = Duration::from_millis(100);

/// The requests of the kernel. One thread notes them; any thread may ask.
#[derive(Debug)]
pub(in crate::fs) struct RequestBursts {
    /// All times count from here, in nanoseconds.
    began: Instant,
    last: AtomicU64,
    /// How many have come in quick succession.
    count: AtomicU32,
    /// The last request of a burst; 0 if there was no burst.
    last_of_burst: AtomicU64,
}

impl RequestBursts {
    pub(in crate::fs) fn new() -> Self {
        Self {
            began: Instant::now(),
            last: AtomicU64::new(0),
            count: AtomicU32::new(0),
            last_of_burst: AtomicU64::new(0),
        }
    }

    /// Notes a request.
    pub(in crate::fs) fn note_request(&self) {
        self.note_request_at(self.began.elapsed());
    }

    /// Whether a burst goes on now.
    pub(in crate::fs) fn is_going_on(&self) -> bool {
        self.is_going_on_at(self.began.elapsed())
    }

    fn note_request_at(&self, now: Duration) {
        let nanos = now.as_nanos() as u64;
        let last = Duration::from_nanos(self.last.swap(nanos, Ordering::Relaxed));
        let before = match now.saturating_sub(last) <= GAP {
            true => self.count.load(Ordering::Relaxed),
            false => 0,
        };
        let count = before.saturating_add(1);
        self.count.store(count, Ordering::Relaxed);
        if count >= BURST {
            self.last_of_burst.store(nanos, Ordering::Relaxed);
        }
    }

    fn is_going_on_at(&self, now: Duration) -> bool {
        let last = self.last_of_burst.load(Ordering::Relaxed);
        last > 0 && now.saturating_sub(Duration::from_nanos(last)) <= LASTING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether that many requests with such gaps between them are a burst.
    fn is_burst(requests: u32, gap: Duration) -> bool {
        let bursts = RequestBursts::new();
        let at = |request: u32| Duration::from_secs(1) + gap * request;
        (0..requests).for_each(|request| bursts.note_request_at(at(request)));
        bursts.is_going_on_at(at(requests))
    }

    #[test]
    fn many_requests_in_quick_succession_are_a_burst() {
        assert!(is_burst(BURST, GAP));
        assert!(!is_burst(BURST - 1, GAP));
        assert!(!is_burst(BURST * 10, GAP * 2));
    }

    #[test]
    fn a_burst_ends_a_while_after_its_last_request() {
        let bursts = RequestBursts::new();
        let now = Duration::from_secs(1);
        (0..BURST).for_each(|_| bursts.note_request_at(now));
        assert!(bursts.is_going_on_at(now + LASTING));
        assert!(!bursts.is_going_on_at(now + LASTING * 2));
    }
}
