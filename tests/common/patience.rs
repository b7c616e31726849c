//! Waits for another process by checking repeatedly until a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// Limit for actions of another process that take an instant on a healthy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Calls `look` until it returns a value; fails the test after [`PATIENCE`] with "waited … for
/// `what`".
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, look)
}

/// Like [`eventually`], with another limit than [`PATIENCE`].
pub fn eventually_within<T>(limit: Duration, what: &str, look: impl FnMut() -> Option<T>) -> T {
    before(Instant::now() + limit, look)
        .unwrap_or_else(|| panic!("waited {} s for {what}", limit.as_secs()))
}

/// Calls `look` until it returns a value; `None` if the deadline passes first.
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
