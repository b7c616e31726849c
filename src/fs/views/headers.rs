//! `.headers/NAME.txt`: the headers of a message, for grep. They cost a TOP, not the whole message.

use crate::fs::views::{MessageView, ViewForm, with_ending, without_ending};
use crate::maildrop::{Maildrop, Message, MessageId};

const ENDING: &str = ".txt";
/// The octets that are shown for headers that nobody has read.
const TYPICAL: u64 = 4096;

pub(super) struct HeadersView;

impl MessageView for HeadersView {
    fn name(&self) -> &'static str {
        "headers"
    }

    fn entry(&self, message: &Message) -> String {
        with_ending(message, ENDING)
    }

    fn find(&self, entry: &str, maildrop: &Maildrop) -> Option<MessageId> {
        without_ending(entry, ENDING, maildrop)
    }

    fn form(&self) -> ViewForm {
        ViewForm::Headers
    }

    /// RFC 6522 section 4.
    fn media_type(&self) -> Option<&'static str> {
        Some("text/rfc822-headers")
    }
}

/// The size that is shown for the headers of a message of this many octets until they were read.
pub(in crate::fs) fn expected_headers(message: u64) -> u64 {
    message.min(TYPICAL)
}
