//! The number of each message in one session.

use crate::maildrop::catalogue::id::{ListingSerial, MessageId};
use crate::pop3::MessageNumber;

/// The number of each message in one session. Only messages whose unique-id or headers the session
/// received have one.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    /// The serial number of the listing that they come from.
    pub(crate) serial: ListingSerial,
    by_message: Vec<Option<MessageNumber>>,
}

impl Numbers {
    /// Takes the numbers of these messages, in the same order.
    pub(crate) fn new(
        serial: ListingSerial,
        messages: &[MessageId],
        numbers: &[MessageNumber],
    ) -> Self {
        let last = messages.iter().map(|id| id.index()).max();
        let mut by_message = vec![None; last.map_or(0, |last| last + 1)];
        for (message, number) in messages.iter().zip(numbers) {
            by_message[message.index()] = Some(*number);
        }
        Self { serial, by_message }
    }

    /// The number of a message. `None` if the session's listing did not have it.
    pub(crate) fn of(&self, message: MessageId) -> Option<MessageNumber> {
        self.by_message.get(message.index()).copied().flatten()
    }
}
