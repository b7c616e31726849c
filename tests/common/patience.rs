//! Waiting for another process: by looking again until a deadline, never by hoping that a pause was long enough.

use std::thread;
use std::time::{Duration, Instant};

/// How long another process may take for what it does at once on a healthy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// What `look` finds, as soon as it finds it; fails the test when `PATIENCE` ends first. `what` completes "waited for …".
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    before(Instant::now() + PATIENCE, look)
        .unwrap_or_else(|| panic!("waited {} s for {what}", PATIENCE.as_secs()))
}

/// What `look` finds, or `None` when the deadline has passed without it.
pub(super) fn before<T>(deadline: Instant, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(BETWEEN_LOOKS);
    }
}
