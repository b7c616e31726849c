//! How large messages are that were never fetched, where LIST says too little.
//!
//! Commands are sent and messages are read ahead up to a window of octets. A server whose LIST says
//! 1 for messages of megabytes would otherwise be asked for thousands of them at once.

use crate::maildrop::catalogue::message::Announced;

/// LIST may say too little by less than this factor: no estimate is made then.
const TOLERATED: u64 = 2;

/// What LIST said of the messages that have come, and what they had.
#[derive(Debug, Default)]
pub(crate) struct SizeEstimate {
    /// LIST's octets of all of them.
    listed: u64,
    received: u64,
}

impl SizeEstimate {
    /// Counts a body that has come.
    pub(crate) fn note(&mut self, announced: Announced, received: u64) {
        self.listed = self.listed.saturating_add(announced.listed.max(1));
        self.received = self.received.saturating_add(received);
    }

    /// The octets to expect of a message.
    pub(crate) fn octets(&self, announced: Announced) -> u64 {
        announced.exact.unwrap_or_else(|| self.of(announced.listed))
    }

    fn of(&self, listed: u64) -> u64 {
        if self.listed == 0 || self.received / TOLERATED < self.listed {
            return listed;
        }
        listed.max(1).saturating_mul(self.received / self.listed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(octets: u64) -> Announced {
        Announced {
            listed: octets,
            exact: None,
        }
    }

    #[test]
    fn list_is_believed_as_long_as_it_is_about_right() {
        let mut estimate = SizeEstimate::default();
        assert_eq!((estimate.of(0), estimate.of(7)), (0, 7));
        estimate.note(listed(1000), 1020);
        estimate.note(listed(1000), 2500);
        assert_eq!(estimate.of(7), 7);
    }

    #[test]
    fn list_that_says_too_little_is_corrected_by_what_came() {
        let mut estimate = SizeEstimate::default();
        estimate.note(listed(1), 20_000_000);
        assert_eq!((estimate.of(0), estimate.of(1)), (20_000_000, 20_000_000));
        estimate.note(listed(0), 10_000_000);
        assert_eq!(estimate.of(1), 15_000_000);
        let exact = Some(9);
        assert_eq!(estimate.octets(Announced { listed: 1, exact }), 9);
        (0..1000).for_each(|_| estimate.note(listed(30_000), 30_000));
        assert_eq!(estimate.of(30_000), 30_000);
    }
}
