//! `.text/NAME.txt`: the readable text of a message, in UTF-8, for grep and less.

use crate::fs::views::{MessageView, ViewForm, with_ending, without_ending};
use crate::maildrop::{Maildrop, Message, MessageId};
use crate::message;

const ENDING: &str = ".txt";

pub(super) struct TextView;

impl MessageView for TextView {
    fn name(&self) -> &'static str {
        "text"
    }

    fn entry(&self, message: &Message) -> String {
        with_ending(message, ENDING)
    }

    fn find(&self, entry: &str, maildrop: &Maildrop) -> Option<MessageId> {
        without_ending(entry, ENDING, maildrop)
    }

    fn form(&self) -> ViewForm {
        ViewForm::File(|octets| message::text(octets).into_bytes())
    }

    fn media_type(&self) -> Option<&'static str> {
        Some("text/plain")
    }
}
