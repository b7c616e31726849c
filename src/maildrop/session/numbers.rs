//! The number of each message in one session.

use slotmap::SecondaryMap;

use crate::maildrop::catalogue::id::{ListingSerial, MessageId};
use crate::pop3::MessageNumber;

/// The number of each message in one session. Only messages whose unique-id or headers the session
/// received have one.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    /// The serial number of the listing that they come from.
    pub(crate) serial: ListingSerial,
    /// How many messages that listing did not name.
    pub(crate) unnamed: usize,
    by_message: SecondaryMap<MessageId, MessageNumber>,
}

impl Numbers {
    /// Takes the numbers of these messages, in the same order.
    pub(crate) fn new(
        serial: ListingSerial,
        unnamed: usize,
        messages: &[MessageId],
        numbers: &[MessageNumber],
    ) -> Self {
        let numbered = messages.iter().copied().zip(numbers.iter().copied());
        Self {
            serial,
            unnamed,
            by_message: numbered.collect(),
        }
    }

    /// The number of a message. `None` if the session's listing did not have it.
    pub(crate) fn of(&self, message: MessageId) -> Option<MessageNumber> {
        self.by_message.get(message).copied()
    }
}
