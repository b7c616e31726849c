//! Which message each number of a session is.

use crate::maildrop::catalogue::id::{ListingSerial, MessageId};
use crate::pop3::MessageNumber;

/// The numbers of the messages in one session; only of those that its UIDL named, or whose headers it saw.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    /// The listing that told them.
    pub(crate) serial: ListingSerial,
    by_message: Vec<Option<MessageNumber>>,
}

impl Numbers {
    /// `numbers` are those of `messages`, in the same order.
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

    /// The number of a message; `None` where the session did not name it.
    pub(crate) fn of(&self, message: MessageId) -> Option<MessageNumber> {
        self.by_message.get(message.index()).copied().flatten()
    }
}
