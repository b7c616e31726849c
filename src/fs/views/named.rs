//! `.named/`: the messages as in the root, under names that tell date, sender and subject.

use std::str::FromStr;
use std::sync::LazyLock;

use crate::fs::views::{ListingNeeds, MessageView, ViewForm};
use crate::maildrop::{Maildrop, Message, MessageId, Tag};
use crate::message::{self, UNKNOWN_SENDER, Zone};

/// The time zone of the machine, read once: names must not change while the mount lasts.
static ZONE: LazyLock<Zone> = LazyLock::new(Zone::system);

pub(super) struct NamedView;

impl MessageView for NamedView {
    fn name(&self) -> &'static str {
        "named"
    }

    fn entry(&self, message: &Message) -> String {
        // The title is unknown if the server refuses to send the headers.
        let title = message.title.as_deref().unwrap_or(UNKNOWN_SENDER);
        let tag = message.tag().to_string();
        message::name(title, message.arrived, &ZONE, &tag)
    }

    fn find(&self, entry: &str, maildrop: &Maildrop) -> Option<MessageId> {
        let tag = Tag::from_str(message::tag(entry)?).ok()?;
        maildrop.by_tag(tag, |message| self.entry(message) == entry)
    }

    fn form(&self) -> ViewForm {
        ViewForm::Unchanged
    }

    fn needs(&self) -> ListingNeeds {
        ListingNeeds::Titles
    }
}
