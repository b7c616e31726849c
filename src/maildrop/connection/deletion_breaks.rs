//! The messages over whose deletion sessions broke.
//!
//! A server may hang at one message, or end the connection over it: at its DELE, or at the RETR that
//! is to show which message it is. Such a message must not keep the others on the server. So the
//! commit goes on without it and deletes it afterwards, in another session: the first time the
//! network may have been the cause, or the other commands in flight. If that breaks too, the message
//! is kept. A later commit tries it once, after the others. TOP has a memory of its own (tops.rs).

use std::collections::HashMap;

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::fault::Fault;

/// A commit keeps a message after this many sessions that broke over its deletion.
const MOST_BREAKS: u8 = 2;

/// How many sessions broke over the deletion of each message.
#[derive(Debug, Default)]
pub(crate) struct DeletionBreaks {
    sessions: HashMap<MessageId, u8>,
}

impl DeletionBreaks {
    /// Has the messages that were given up tried once more.
    pub(crate) fn begin_commit(&mut self) {
        let most = MOST_BREAKS - 1;
        self.sessions
            .values_mut()
            .for_each(|sessions| *sessions = most.min(*sessions));
    }

    /// Notes that a session ended with this fault while the reply to DELE or RETR of the message was
    /// due. A message that is too large is too large each time.
    pub(crate) fn note(&mut self, message: MessageId, fault: &Fault) {
        let sessions = self.sessions.entry(message).or_default();
        *sessions = match fault {
            Fault::TooLarge => MOST_BREAKS,
            _ => sessions.saturating_add(1),
        };
    }

    /// Notes that the server has answered DELE of the message.
    pub(crate) fn note_answered(&mut self, message: MessageId) {
        self.sessions.remove(&message);
    }

    /// Whether the message is to be deleted after the others.
    pub(crate) fn is_to_go_last(&self, message: MessageId) -> bool {
        (1..MOST_BREAKS).contains(&self.sessions_broken_by(message))
    }

    /// Whether the message is kept.
    pub(crate) fn is_given_up(&self, message: MessageId) -> bool {
        self.sessions_broken_by(message) >= MOST_BREAKS
    }

    fn sessions_broken_by(&self, message: MessageId) -> u8 {
        self.sessions.get(&message).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages() -> (MessageId, MessageId) {
        let mut messages = slotmap::SlotMap::with_key();
        (messages.insert(()), messages.insert(()))
    }

    #[test]
    fn a_message_is_given_up_after_two_breaks() {
        let (message, other) = messages();
        let mut breaks = DeletionBreaks::default();
        breaks.note(message, &Fault::Ending);
        assert!(breaks.is_to_go_last(message) && !breaks.is_given_up(message));
        breaks.note(message, &Fault::Ending);
        assert!(!breaks.is_to_go_last(message) && breaks.is_given_up(message));
        assert!(!breaks.is_to_go_last(other) && !breaks.is_given_up(other));
        breaks.begin_commit();
        assert!(breaks.is_to_go_last(message) && !breaks.is_to_go_last(other));
    }

    #[test]
    fn an_answer_ends_the_doubt_about_a_message() {
        let message = MessageId::default();
        let mut breaks = DeletionBreaks::default();
        breaks.note(message, &Fault::Ending);
        breaks.note_answered(message);
        assert!(!breaks.is_to_go_last(message));
    }

    #[test]
    fn a_message_that_is_too_large_is_given_up_at_once() {
        let message = MessageId::default();
        let mut breaks = DeletionBreaks::default();
        breaks.note(message, &Fault::TooLarge);
        assert!(breaks.is_given_up(message));
    }
}
