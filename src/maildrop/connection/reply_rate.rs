//! How fast a reply has to come.

use std::time::{Duration, Instant};

/// Octets a second. A slower reply is given up: a server that drips would keep every reader, commit and unmount waiting.
const LEAST_RATE: u64 = 256;

/// The reply under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplyRate {
    begin: Instant,
    octets: u64,
}

impl ReplyRate {
    /// A reply begins now.
    pub(crate) fn begin() -> Self {
        Self {
            begin: Instant::now(),
            octets: 0,
        }
    }

    /// Octets of the reply have come.
    pub(crate) fn note(&mut self, octets: usize) {
        self.octets += octets as u64;
    }

    /// When the reply is given up if no more of it comes. The first time-out is free, for the server to find the message.
    pub(crate) fn latest(&self, timeout: Duration) -> Instant {
        self.begin + timeout + Duration::from_millis(self.octets * 1000 / LEAST_RATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_that_have_come_allow_more_time() {
        let timeout = Duration::from_secs(3);
        let mut rate = ReplyRate::begin();
        let before = rate.latest(timeout);
        rate.note(512);
        assert_eq!(rate.latest(timeout) - before, Duration::from_secs(2));
    }
}
