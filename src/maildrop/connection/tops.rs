//! What this mount has learnt about TOP (RFC 1939 section 7), which servers need not have.
//!
//! One message that TOP fails for does not show that the server lacks TOP. So an -ERR concerns its
//! message alone, unless the server says that it does not know the command, or TOP has failed for
//! several messages and never worked.
//!
//! A message whose TOP ends, stalls or confuses two sessions is not asked for again. The first time
//! the network may have been the cause, or the other commands in flight. So the second time it is
//! asked for alone.

use std::collections::HashMap;

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::connection::pipelining::CountedCut;
use crate::maildrop::fault::unknown_command::speaks_of_an_unknown_command;
use crate::pop3::{MessageNumber, Status};

/// The server lacks TOP if TOP failed so often and never worked.
const MOST_FAILURES: u8 = 3;
/// TOP of a message is given up after this many sessions that broke over it.
const MOST_BREAKS: u8 = 2;

/// What this mount has learnt about TOP.
#[derive(Debug, Default)]
pub(crate) struct Tops {
    support: TopSupport,
    /// TOP and RETR of one session have shown different headers of one message.
    differ_from_bodies: bool,
    breaks: HashMap<TopOf, Breaks>,
}

/// The sessions that broke over TOP of one message.
#[derive(Clone, Copy, Debug, Default)]
struct Breaks {
    sessions: u8,
    /// The first one was counted as a failure of pipelining.
    counted: Option<CountedCut>,
}

/// Whether the server has TOP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TopSupport {
    /// Unknown. TOP has failed for this many messages.
    Untried {
        failures: u8,
    },
    /// TOP has shown the headers of a message.
    Works,
    Missing,
}

/// The message that TOP asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TopOf {
    /// A message that is identified.
    Known(MessageId),
    /// On a server without UIDL: its number and its size in LIST. Sessions in a row mostly have the
    /// same ones.
    Listed(MessageNumber, u64),
}

impl Default for TopSupport {
    fn default() -> Self {
        Self::Untried { failures: 0 }
    }
}

impl Tops {
    /// Whether the server lacks TOP, like mpopd. The headers come from the body then.
    pub(crate) fn are_missing(&self) -> bool {
        self.support == TopSupport::Missing
    }

    /// Whether TOP of this message is not to be sent.
    pub(crate) fn avoid(&self, message: TopOf) -> bool {
        self.are_missing() || self.sessions_broken_by(message) >= MOST_BREAKS
    }

    /// Whether TOP of this message is to be sent with no other command in flight.
    pub(crate) fn is_to_go_alone(&self, message: TopOf) -> bool {
        !self.avoid(message) && self.sessions_broken_by(message) > 0
    }

    /// How often a session broke over TOP.
    pub(crate) fn breaks(&self) -> u64 {
        let sessions = |breaks: &Breaks| u64::from(breaks.sessions);
        self.breaks.values().map(sessions).sum()
    }

    /// Whether TOP of this server is known to show other headers than RETR, like Courier's where the
    /// client cannot have UTF8.
    pub(crate) fn differ_from_bodies(&self) -> bool {
        self.differ_from_bodies
    }

    /// Notes that TOP has shown other headers of a message than RETR, which gave the same octets
    /// twice.
    pub(crate) fn note_unlike_body(&mut self) {
        self.differ_from_bodies = true;
    }

    /// Notes that TOP has shown the headers of a message.
    pub(crate) fn note_shown(&mut self) {
        self.support = TopSupport::Works;
    }

    /// Notes that the session was in step after the reply to TOP of this message.
    pub(crate) fn note_in_step(&mut self, message: TopOf) {
        self.breaks.remove(&message);
    }

    /// Notes that the server refused TOP of a message.
    pub(crate) fn note_refused(&mut self, status: &Status<'_>) {
        let is_unknown = speaks_of_an_unknown_command(status.server_text().as_str());
        match self.support {
            TopSupport::Untried { .. } if is_unknown => self.support = TopSupport::Missing,
            _ => self.note_failure(),
        }
    }

    /// Notes that TOP has not shown the headers of a message.
    pub(crate) fn note_failure(&mut self) {
        if let TopSupport::Untried { failures } = self.support {
            self.support = match failures + 1 {
                MOST_FAILURES.. => TopSupport::Missing,
                failures => TopSupport::Untried { failures },
            };
        }
    }

    /// Notes that a session broke while TOP of this message was to be answered, and what of it was
    /// counted as a failure of pipelining. Returns what was counted the first time, once the
    /// message is known to be the cause.
    #[must_use]
    pub(crate) fn note_break(
        &mut self,
        message: TopOf,
        counted: Option<CountedCut>,
    ) -> Option<CountedCut> {
        let breaks = self.breaks.entry(message).or_default();
        breaks.sessions = breaks.sessions.saturating_add(1);
        if breaks.sessions < MOST_BREAKS {
            breaks.counted = counted;
            return None;
        }
        let counted = breaks.counted.take();
        self.note_failure();
        counted
    }

    /// Notes that the reply to TOP of this message is too long to be read.
    pub(crate) fn note_too_long(&mut self, message: TopOf) {
        self.support = TopSupport::Works;
        self.breaks.entry(message).or_default().sessions = MOST_BREAKS;
    }

    fn sessions_broken_by(&self, message: TopOf) -> u8 {
        self.breaks
            .get(&message)
            .map_or(0, |breaks| breaks.sessions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(line: &[u8]) -> Status<'_> {
        Status::parse(line).unwrap()
    }

    fn message(number: u32) -> TopOf {
        TopOf::Listed(MessageNumber::new(number).unwrap(), 100)
    }

    #[test]
    fn top_is_missing_if_the_server_does_not_know_it() {
        let mut tops = Tops::default();
        tops.note_refused(&status(b"-ERR unknown command"));
        assert!(tops.are_missing() && tops.avoid(message(1)));
    }

    #[test]
    fn top_is_missing_if_it_failed_for_several_messages_and_never_worked() {
        let mut tops = Tops::default();
        for _ in 1..MOST_FAILURES {
            tops.note_refused(&status(b"-ERR cannot get the letter"));
            assert!(!tops.are_missing());
        }
        tops.note_failure();
        assert!(tops.are_missing());
    }

    #[test]
    fn top_that_worked_once_is_never_missing() {
        let mut tops = Tops::default();
        tops.note_shown();
        for _ in 0..10 {
            tops.note_refused(&status(b"-ERR unknown command"));
        }
        assert!(!tops.are_missing());
    }

    #[test]
    fn top_of_one_message_is_given_up_after_two_breaks() {
        let mut tops = Tops::default();
        for _ in 0..MOST_BREAKS {
            assert!(!tops.avoid(message(1)));
            assert_eq!(tops.note_break(message(1), None), None);
        }
        assert!(tops.avoid(message(1)) && !tops.avoid(message(2)));
        for _ in 0..2 {
            assert_eq!(tops.note_break(message(2), None), None);
            tops.note_in_step(message(2));
        }
        assert!(!tops.avoid(message(2)));
    }

    #[test]
    fn top_that_broke_a_session_goes_alone() {
        let mut tops = Tops::default();
        assert!(!tops.is_to_go_alone(message(1)));
        let counted = Some(CountedCut);
        assert_eq!(tops.note_break(message(1), counted), None);
        assert!(tops.is_to_go_alone(message(1)) && !tops.is_to_go_alone(message(2)));
        assert_eq!(tops.note_break(message(1), None), counted);
        assert!(!tops.is_to_go_alone(message(1)));
    }

    #[test]
    fn top_that_is_too_long_is_given_up_at_once() {
        let mut tops = Tops::default();
        tops.note_too_long(message(1));
        assert!(tops.avoid(message(1)) && !tops.avoid(message(2)));
    }
}
