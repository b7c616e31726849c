//! `.named/`: the messages as they are, under names for people.

use std::str::FromStr;
use std::sync::LazyLock;

use super::{Form, Needs, View};
use crate::maildrop::{Maildrop, Message, MessageId, Tag};
use crate::message::{self, UNKNOWN_SENDER, Zone};

/// The zone of the machine, once for the mount: names do not change while it lasts.
static ZONE: LazyLock<Zone> = LazyLock::new(Zone::system);

pub(super) struct Named;

impl View for Named {
    fn name(&self) -> &'static str {
        "named"
    }

    fn entry(&self, message: &Message) -> String {
        // There is none where the server refuses the headers.
        let title = message.title.as_deref().unwrap_or(UNKNOWN_SENDER);
        let tag = message.tag().to_string();
        message::name(title, message.arrived, &ZONE, &tag)
    }

    fn find(&self, entry: &str, maildrop: &Maildrop) -> Option<MessageId> {
        let tag = Tag::from_str(message::tag(entry)?).ok()?;
        maildrop.by_tag(tag, |message| self.entry(message) == entry)
    }

    fn form(&self) -> Form {
        Form::AsItIs
    }

    fn needs(&self) -> Needs {
        Needs::Titles
    }
}
