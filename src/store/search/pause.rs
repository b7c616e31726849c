//! When the index may be written: programs that read need the processors more.

use std::thread;
use std::time::{Duration, Instant};

/// How long messages wait at most while others need the processors.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How often to look meanwhile whether they still do.
const LOOKING: Duration = Duration::from_millis(50);

/// Tells whether others need the processors now.
pub(super) type IsBusy = Box<dyn Fn() -> bool + Send>;

/// Lets others go first, for a limited time.
pub(super) struct Pause {
    is_busy: IsBusy,
    /// Since when others have gone first.
    since: Option<Instant>,
}

impl Pause {
    pub(super) fn new(is_busy: IsBusy) -> Self {
        Self {
            is_busy,
            since: None,
        }
    }

    /// Waits until nobody else needs the processors, or messages have waited too long.
    pub(super) fn wait(&mut self) {
        while self.must_wait() {
            thread::sleep(LOOKING);
        }
    }

    /// Looks whether others need the processors, and since when. Returns whether they go first now.
    pub(super) fn must_wait(&mut self) -> bool {
        if !(self.is_busy)() {
            self.since = None;
            return false;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        since.elapsed() < LONGEST_WAIT
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn others_go_first_until_they_have_done() {
        let looks = Arc::new(AtomicU32::new(0));
        let looked = Arc::clone(&looks);
        let mut pause = Pause::new(Box::new(move || looked.fetch_add(1, Ordering::Relaxed) < 2));
        pause.wait();
        assert_eq!(looks.load(Ordering::Relaxed), 3);
        assert!(!pause.must_wait());
    }

    #[test]
    fn messages_do_not_wait_for_ever() {
        let mut pause = Pause::new(Box::new(|| true));
        assert!(pause.must_wait());
        pause.since = Instant::now().checked_sub(LONGEST_WAIT);
        assert!(!pause.must_wait());
    }
}
