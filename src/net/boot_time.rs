//! A clock that goes on while the machine sleeps, as that of the server does.

use std::ops::{Add, Sub};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// A moment by CLOCK_BOOTTIME, to the nanosecond. [`Instant`] stands still while the machine sleeps
/// (suspend): it is right for how long this process has waited, and wrong for how old something is
/// that the server knows as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootTime {
    /// Since boot; a moment before that is negative.
    nanoseconds: i64,
}

impl BootTime {
    /// This moment.
    #[must_use]
    pub fn now() -> Self {
        let since_boot = clock_gettime(ClockId::CLOCK_BOOTTIME);
        Self {
            nanoseconds: nanoseconds(since_boot.map_or(Duration::ZERO, Duration::from)),
        }
    }

    /// How long ago it was; zero for a moment to come.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Self::now() - self
    }

    /// How long it is until then; zero for a moment that is over.
    #[must_use]
    pub fn left(self) -> Duration {
        self - Self::now()
    }

    /// The moment this long before.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self {
            nanoseconds: self.nanoseconds.saturating_sub(nanoseconds(duration)),
        }
    }

    /// The same moment on the other clock, if the machine does not sleep until then.
    #[must_use]
    pub fn to_instant(self) -> Instant {
        Instant::now() + self.left()
    }
}

impl Add<Duration> for BootTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self {
            nanoseconds: self.nanoseconds.saturating_add(nanoseconds(duration)),
        }
    }
}

impl Sub for BootTime {
    type Output = Duration;

    /// The time between the two; zero if `earlier` is the later one.
    fn sub(self, earlier: Self) -> Duration {
        let between = self.nanoseconds.saturating_sub(earlier.nanoseconds);
        Duration::from_nanos(u64::try_from(between).unwrap_or(0))
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_may_be_before_the_boot() {
        let year = Duration::from_secs(365 * 24 * 3600);
        let now = BootTime::now();
        let before = now.before(year);
        assert_eq!((now - before, before - now), (year, Duration::ZERO));
        assert_eq!(before + year, now);
        assert!(before.elapsed() >= year);
        assert_eq!((before + year).left(), Duration::ZERO);
    }

    #[test]
    fn a_moment_to_come_is_as_far_away_on_both_clocks() {
        let hour = Duration::from_secs(3600);
        let then = BootTime::now() + hour;
        let left = then.to_instant() - Instant::now();
        assert!(left <= hour && !left.is_zero());
    }
}
