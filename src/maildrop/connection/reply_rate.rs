//! The least rate at which the server has to send a reply.

use std::time::{Duration, Instant};

/// In octets a second. If a reply comes more slowly, the link gives up. Otherwise a server that
/// sends an octet now and then would keep every reader, commit and unmount waiting.
const LEAST_RATE: u64 = 256;

/// How much of the current reply has come, and since when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplyRate {
    begin: Instant,
    octets: u64,
}

impl ReplyRate {
    /// Begins to measure a reply now.
    pub(crate) fn begin() -> Self {
        Self {
            begin: Instant::now(),
            octets: 0,
        }
    }

    /// Notes that octets of the reply have come.
    pub(crate) fn note(&mut self, octets: usize) {
        self.octets += octets as u64;
    }

    /// When the link gives up if no more of the reply comes. The server may use the first timeout
    /// to find the message.
    pub(crate) fn latest(&self, timeout: Duration) -> Instant {
        self.begin + timeout + Duration::from_millis(self.octets * 1000 / LEAST_RATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn received_octets_extend_the_deadline_of_a_reply() {
        let timeout = Duration::from_secs(3);
        let mut rate = ReplyRate::begin();
        let before = rate.latest(timeout);
        rate.note(512);
        assert_eq!(rate.latest(timeout) - before, Duration::from_secs(2));
    }
}
