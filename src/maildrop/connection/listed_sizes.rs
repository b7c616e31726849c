//! How far LIST's octets are those that RETR sends.
//!
//! RFC 1939 section 5 has LIST give the octets of the message. Dovecot and Cyrus do, but for a missing final newline. mpopd
//! counts each line end as one octet. Exchange guesses. Where LIST is right, a body of that size confirms that the replies are
//! in step, and nothing more need be asked.

use crate::maildrop::catalogue::message::Announced;
use crate::store::Body;

/// What this mount has measured of LIST.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListedSizes {
    /// Bodies that had LIST's octets.
    right: u32,
    /// Bodies that had others, though a check has confirmed them.
    wrong: u32,
    /// Bodies that had others, and are not confirmed yet.
    unconfirmed: u32,
    /// Such bodies that have LIST's octets if each line end counts as one.
    unconfirmed_lines: u32,
    /// LIST counts each line end as one octet.
    counts_lines_short: bool,
}

impl ListedSizes {
    /// Whether the body has the octets that LIST announced, in the way that this server counts them.
    pub(crate) fn compare(&mut self, announced: Announced, body: &Body) -> bool {
        let octets = body.len();
        if announced.is(octets) {
            self.right = self.right.saturating_add(1);
            return true;
        }
        let is_short_by_lines = announced.listed == octets - body.crlfs().min(octets);
        if is_short_by_lines && self.counts_lines_short {
            return true;
        }
        self.unconfirmed = self.unconfirmed.saturating_add(1);
        self.unconfirmed_lines += u32::from(is_short_by_lines);
        false
    }

    /// A check has confirmed the bodies that were compared before it.
    pub(crate) fn note_check(&mut self) {
        self.wrong = self.wrong.saturating_add(self.unconfirmed);
        self.counts_lines_short |= self.unconfirmed_lines > 0;
        self.forget_unconfirmed();
    }

    /// The bodies since the last check were discarded.
    pub(crate) fn forget_unconfirmed(&mut self) {
        self.unconfirmed = 0;
        self.unconfirmed_lines = 0;
    }

    /// Whether LIST is wrong more often than right, so that only checks confirm bodies.
    pub(crate) fn is_guessed(self) -> bool {
        !self.counts_lines_short && self.wrong > self.right
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

    fn body(text: &str) -> Body {
        Body::new(text.as_bytes().to_vec())
    }

    #[test]
    fn listed_octets_are_right_until_a_check_says_otherwise() {
        let mut sizes = ListedSizes::default();
        assert!(sizes.compare(listed(3), &body("a\r\n")));
        assert!(!sizes.compare(listed(100), &body("a\r\n")));
        assert!(!sizes.compare(listed(100), &body("a\r\n")));
        assert!(!sizes.is_guessed());
        sizes.note_check();
        assert!(sizes.is_guessed());
    }

    #[test]
    fn a_server_that_counts_lf_is_believed_after_one_check() {
        let mut sizes = ListedSizes::default();
        let text = "a\r\nb\r\n";
        assert!(!sizes.compare(listed(4), &body(text)));
        sizes.note_check();
        assert!(sizes.compare(listed(4), &body(text)));
        assert!(!sizes.is_guessed());
    }

    #[test]
    fn discarded_bodies_teach_nothing() {
        let mut sizes = ListedSizes::default();
        assert!(!sizes.compare(listed(4), &body("a\r\nb\r\n")));
        sizes.forget_unconfirmed();
        sizes.note_check();
        assert!(!sizes.compare(listed(4), &body("a\r\nb\r\n")));
    }
}
