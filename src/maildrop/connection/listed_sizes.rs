//! Whether the sizes in LIST are the sizes of the bodies that RETR sends.
//!
//! By RFC 1939 section 5, LIST gives the size of the message in octets. Dovecot and Cyrus do so,
//! except for a message without a final newline. mpopd counts each line end as one octet. Exchange
//! estimates.
//!
//! On a server whose LIST is right, a body of the listed size confirms that the replies are in
//! step. No further check is needed then.

use crate::maildrop::catalogue::message::Announced;
use crate::store::Body;

/// LIST is trusted if it gave this many right sizes for each wrong one. Dovecot gives a wrong size
/// for a message without a final newline.
const RIGHT_FOR_EACH_WRONG: u32 = 16;
/// LIST counts as a guess only after this many wrong sizes.
const FEWEST_WRONG: u32 = 3;

/// The octets of the newline that Dovecot and Courier add to a message without one.
const FINAL_NEWLINE: u64 = 2;

/// How often LIST was right in this mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListedSizes {
    /// Bodies of the listed size.
    right: u32,
    /// Confirmed bodies of another size.
    wrong: u32,
    /// This server's LIST counts each line end as one octet.
    counts_lines_short: bool,
}

impl ListedSizes {
    /// Whether the body has the size that LIST announced, as this server counts. Counts a body that
    /// has exactly that size.
    pub(crate) fn compare(&mut self, announced: Announced, body: &Body) -> bool {
        let octets = body.len();
        if announced.is(octets) {
            self.right = self.right.saturating_add(1);
            return true;
        }
        self.counts_lines_short && is_short_by_lines(announced, body)
    }

    /// Counts a confirmed body whose size differs from the one that LIST announced.
    pub(crate) fn note_wrong(&mut self, announced: Announced, body: &Body) {
        self.wrong = self.wrong.saturating_add(1);
        self.counts_lines_short |= is_short_by_lines(announced, body);
    }

    /// Whether LIST is right so often that a body of the listed size shows that the replies are in
    /// step.
    pub(crate) fn is_trusted(self) -> bool {
        self.counts_lines_short || self.wrong * RIGHT_FOR_EACH_WRONG <= self.right
    }

    /// Whether nothing but LIST speaks against a body of another size: LIST was never right yet, or
    /// the server added the newline that the message lacks at its end, and LIST does not count it.
    pub(crate) fn may_be_wrong_about(self, announced: Announced, body: &Body) -> bool {
        self.right == 0
            || self.is_guessed()
            || body.len().checked_sub(announced.listed) == Some(FINAL_NEWLINE)
    }

    /// Whether LIST is wrong more often than right. Its size then confirms no body; only a check
    /// with the server does.
    pub(crate) fn is_guessed(self) -> bool {
        !self.counts_lines_short && self.wrong >= FEWEST_WRONG && self.wrong > self.right
    }
}

/// Whether LIST gave the size of the body with each line end counted as one octet.
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
    fn list_counts_as_a_guess_if_it_is_wrong_more_than_right() {
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
    fn one_body_shows_that_a_server_counts_line_ends_as_one() {
        let mut sizes = ListedSizes::default();
        let text = "a\r\nb\r\n";
        assert!(!sizes.compare(listed(4), &body(text)));
        sizes.note_wrong(listed(4), &body(text));
        assert!(sizes.compare(listed(4), &body(text)));
        assert!(!sizes.is_guessed());
    }
}
