//! How far LIST's octets are those that RETR sends.
//!
//! RFC 1939 section 5 has LIST give the octets of the message. Dovecot and Cyrus do, but for a missing final newline. mpopd
//! counts each line end as one octet. Exchange guesses. Where LIST is right, a body of that size confirms that the replies are
//! in step, and nothing more need be asked.

use crate::maildrop::catalogue::message::Announced;
use crate::store::Body;

/// LIST is trusted if so many sizes were right for each that was wrong. Dovecot's are wrong where the last line has no end.
const RIGHT_FOR_EACH_WRONG: u32 = 16;
/// LIST is not called a guess for fewer wrong sizes.
const FEWEST_WRONG: u32 = 3;

/// What this mount has measured of LIST.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListedSizes {
    /// Bodies that had LIST's octets.
    right: u32,
    /// Confirmed bodies that had others.
    wrong: u32,
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
        self.counts_lines_short && is_short_by_lines(announced, body)
    }

    /// Notes a confirmed body that has other octets than LIST announced.
    pub(crate) fn note_wrong(&mut self, announced: Announced, body: &Body) {
        self.wrong = self.wrong.saturating_add(1);
        self.counts_lines_short |= is_short_by_lines(announced, body);
    }

    /// Whether LIST is right so often that a body of its size shows that the replies are in step.
    pub(crate) fn is_trusted(self) -> bool {
        self.counts_lines_short || self.wrong * RIGHT_FOR_EACH_WRONG <= self.right
    }

    /// Whether LIST is wrong more often than right, so that only checks confirm bodies.
    pub(crate) fn is_guessed(self) -> bool {
        !self.counts_lines_short && self.wrong >= FEWEST_WRONG && self.wrong > self.right
    }
}

/// Whether LIST gives the octets of the body with each line end counted as one.
fn is_short_by_lines(announced: Announced, body: &Body) -> bool {
    announced.listed == body.len().saturating_sub(body.crlfs())
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
    fn list_is_a_guess_once_it_was_wrong_more_often_than_right() {
        let mut sizes = ListedSizes::default();
        assert!(sizes.compare(listed(3), &body("a\r\n")));
        assert!(!sizes.compare(listed(100), &body("a\r\n")));
        for _ in 0..FEWEST_WRONG {
            assert!(!sizes.is_guessed());
            sizes.note_wrong(listed(100), &body("a\r\n"));
        }
        assert!(sizes.is_guessed());
    }

    #[test]
    fn a_server_that_counts_lf_is_believed_after_one_body() {
        let mut sizes = ListedSizes::default();
        let text = "a\r\nb\r\n";
        assert!(!sizes.compare(listed(4), &body(text)));
        sizes.note_wrong(listed(4), &body(text));
        assert!(sizes.compare(listed(4), &body(text)));
        assert!(!sizes.is_guessed());
    }
}
